//! Makes random ids; the source can be replaced in tests.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// A source of ids; a port, so that tests can be repeated.
pub trait IdSource: fmt::Debug + Send + Sync {
    /// Fills the buffer with unpredictable bytes.
    fn fill(&self, buffer: &mut [u8]);

    /// A new version 7 UUID as 32 lower-case hexadecimal characters: unique, and sorted by time.
    fn uuid_v7(&self) -> String;
}

/// The operating system's randomness: what production uses.
#[derive(Debug, Clone, Copy, Default)]
pub struct RandomIds;

impl IdSource for RandomIds {
    fn fill(&self, buffer: &mut [u8]) {
        getrandom::fill(buffer).expect("the operating system gives random bytes once it is up");
    }

    fn uuid_v7(&self) -> String {
        uuid::Uuid::now_v7().simple().to_string()
    }
}

/// Ids that count upwards: predictable, for tests only.
#[derive(Debug, Default)]
pub struct SequenceIds(AtomicU64);

impl SequenceIds {
    fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }
}

impl IdSource for SequenceIds {
    fn fill(&self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(8) {
            let bytes = self.next().to_be_bytes();
            chunk.copy_from_slice(&bytes[8 - chunk.len()..]);
        }
    }

    fn uuid_v7(&self) -> String {
        format!("{:032x}", 0x0190_0000_0000_7000_8000_0000_0000_0000_u128 + u128::from(self.next()))
    }
}
