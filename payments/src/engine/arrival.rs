//! A delivery on its way into a decision.

use crate::decide::Fact;
use crate::store::{InboxEntry, Verdict};

/// A delivery that a fact came with.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Arrival<'a> {
    /// It came just now.
    New(&'a InboxEntry),
    /// It came before its payment was known, and was kept.
    Kept(&'a InboxEntry),
}

impl<'a> Arrival<'a> {
    pub(crate) fn entry(self) -> &'a InboxEntry {
        let (Self::New(entry) | Self::Kept(entry)) = self;
        entry
    }

    /// The same arrival, with what is noted of it.
    pub(crate) fn with(self, entry: &InboxEntry) -> Arrival<'_> {
        match self {
            Self::New(_) => Arrival::New(entry),
            Self::Kept(_) => Arrival::Kept(entry),
        }
    }
}

/// The entry and the fact for a delivery whose event was delivered before with another meaning.
pub(crate) fn contradiction(entry: &InboxEntry) -> (InboxEntry, Fact) {
    let detail = format!(
        "two genuine notifications of one event differ: now {}; the provider is asked which is right",
        entry.note
    );
    let note = format!("{}, and an earlier delivery of the same event said otherwise", entry.note);
    (InboxEntry { verdict: Verdict::Contradiction, note, ..entry.clone() }, Fact::Contradicted { detail })
}
