//! Spaces the questions about one payment: when it was last asked about, and for which reason it is asked again.

use tulbur_core::Monotonic;

/// When one payment was last asked about, and how often somebody unproven made us ask.
#[derive(Debug, Default)]
pub(crate) struct AskSlot(pub(super) tokio::sync::Mutex<Asked>);

#[derive(Debug, Default)]
pub(super) struct Asked {
    pub(super) last: Option<Monotonic>,
    pub(super) unproven: u32,
}

/// Why the provider is asked, and so how soon after the last time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// Its time in the schedule has come.
    Due,
    /// Something checked arrived: what was answered before it says nothing.
    Told,
    /// Somebody looks, or asks for it.
    Looking,
    /// Something that anybody could have sent.
    Unproven,
}
