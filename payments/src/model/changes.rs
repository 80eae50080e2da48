//! Holds what one commit changes, and what arrived.

use tulbur_core::{AccountName, Channel, OrderRef, ProviderRef, Timestamp};

use crate::model::event::{AttentionItem, Event, HistoryEntry};
use crate::model::operation::{KeyRecord, KeySubject, OperationRecord};
use crate::model::record::{CardRecord, OrderRecord, PaymentId, PaymentRecord};

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Genuine, and about a payment of ours.
    Accepted,
    /// Genuine, and about a reference of the provider's that is not stored yet: kept, and tried again.
    Waiting,
    /// Genuine, and not about a payment of ours.
    UnknownPayment,
    /// It says something else than an earlier delivery of the same event; not applied.
    Contradiction,
    /// Not genuine, or unreadable.
    Refused,
}

impl Verdict {
    /// The word, as stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Waiting => "waiting",
            Self::UnknownPayment => "unknown-payment",
            Self::Contradiction => "contradiction",
            Self::Refused => "refused",
        }
    }

    /// Reads the stored word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Accepted, Self::Waiting, Self::UnknownPayment, Self::Contradiction, Self::Refused]
            .into_iter()
            .find(|verdict| verdict.as_str() == word)
    }
}

/// A delivery as kept: sealed, with what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboxEntry {
    /// Its id.
    pub id: String,
    /// The account.
    pub account: AccountName,
    /// How it came.
    pub channel: Channel,
    /// When it came first.
    pub at: Timestamp,
    /// The key by which a repeat is recognised; a refused delivery has its own id here.
    pub repeat_key: String,
    /// Digest of what it means.
    pub meaning: String,
    /// What became of it.
    pub verdict: Verdict,
    /// In words, without anything secret.
    pub note: String,
    /// The payment that it is about.
    pub payment: Option<PaymentId>,
    /// The provider's reference that a waiting delivery names.
    pub provider_ref: Option<ProviderRef>,
    /// When a waiting delivery is tried again.
    pub due_at: Option<Timestamp>,
    /// Method, query, headers and body, sealed for this id and account.
    pub sealed: String,
}

impl InboxEntry {
    /// By what a repeat is recognised.
    pub(crate) fn sameness(&self) -> (&str, &str, &str) {
        (self.account.as_str(), &self.repeat_key, &self.meaning)
    }

    /// Takes over what became of a repeat, where nothing is known yet of this one.
    pub(crate) fn came_again(&mut self, repeat: &Self) {
        if matches!(self.verdict, Verdict::Waiting | Verdict::UnknownPayment) {
            self.verdict = repeat.verdict;
            self.note.clone_from(&repeat.note);
            self.payment.clone_from(&repeat.payment);
            self.due_at = repeat.due_at;
        }
    }
}

/// Everything that one commit changes.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// Refused deliveries, each with how many of its account are kept: the newest ones.
    pub refused: Vec<(InboxEntry, u32)>,
    /// Orders that are new (version 0) or changed on the version they carry.
    pub orders: Vec<OrderRecord>,
    /// Payments that are new (version 0) or changed on the version they carry.
    pub payments: Vec<PaymentRecord>,
    /// Operations that are new (version 0) or changed on the version they carry.
    pub operations: Vec<OperationRecord>,
    /// Keys used for the first time. One that is there already is a conflict.
    pub keys: Vec<KeyRecord>,
    /// Writes of which nothing was sent, and nothing will be: a key that names one of them may be used again.
    pub freed: Vec<KeySubject>,
    /// New cards.
    pub cards: Vec<CardRecord>,
    /// New events.
    pub events: Vec<Event>,
    /// New lines of history.
    pub history: Vec<HistoryEntry>,
    /// Items for a person; one that is listed already stays as it was, and its event is not sent again. One that was
    /// resolved and is found again is listed again.
    pub attention: Vec<(AttentionItem, Event)>,
    /// Keys of items that what is committed settles, and when; one that is not listed is no error.
    pub resolved: Vec<(String, Timestamp)>,
    /// Deliveries. One with the same account, key and meaning is counted, not added; where the one that is stored was
    /// waiting or about no payment of ours, it takes over what became of this one.
    pub inbox: Vec<InboxEntry>,
    /// Stored deliveries of which it is now known what became of them, by their id.
    pub settled: Vec<InboxEntry>,
}

impl Event {
    /// A handler that keeps the order is told events of one stream one after the other: those of an order, else of a
    /// payment or card set-up. An event that is about neither is alone in its stream and waits for no other.
    pub fn stream(&self) -> &str {
        let order = self.order.as_ref().map(OrderRef::as_str);
        order.or(self.payment.as_ref().map(PaymentId::as_str)).unwrap_or(self.id.as_str())
    }
}

/// What a store of your own needs to know of a record, beside what it serialises.
impl PaymentRecord {
    /// The version that it was read at; 0 if it was never stored. A commit writes the next one.
    pub fn version(&self) -> i64 {
        self.version
    }

    /// As read at this version.
    #[must_use]
    pub fn at_version(mut self, version: i64) -> Self {
        self.version = version;
        self
    }

    /// By what [`Find::SecretHash`](crate::store::Find::SecretHash) finds it: unique.
    pub fn secret_hash(&self) -> &str {
        &self.secret_hash
    }
}

/// What a store of your own needs to know of a record, beside what it serialises.
impl OrderRecord {
    /// The version that it was read at; 0 if it was never stored. A commit writes the next one.
    pub fn version(&self) -> i64 {
        self.version
    }

    /// As read at this version.
    #[must_use]
    pub fn at_version(mut self, version: i64) -> Self {
        self.version = version;
        self
    }
}

/// What a store of your own needs to know of a record, beside what it serialises.
impl OperationRecord {
    /// The version that it was read at; 0 if it was never stored. A commit writes the next one.
    pub fn version(&self) -> i64 {
        self.version
    }

    /// As read at this version.
    #[must_use]
    pub fn at_version(mut self, version: i64) -> Self {
        self.version = version;
        self
    }
}
