//! Makes random ids, keys and tokens.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

pub(super) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the system has randomness");
    bytes
}

/// Decimal digits. That a byte's ten values are not equally likely does not matter to an id.
pub(super) fn digits(count: usize) -> String {
    random::<32>().iter().take(count).map(|byte| char::from(b'0' + byte % 10)).collect()
}

/// Letters, digits, hyphens and underscores.
pub(super) fn token(length: usize) -> String {
    URL_SAFE_NO_PAD.encode(random::<24>()).chars().take(length).collect()
}
