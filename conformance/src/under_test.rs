//! Defines the facts that the author of a provider gives to the suite.

use std::fmt::Debug;
use std::sync::Arc;

use tulbur_core::{
    BuildEnv, CallbackUrl, HttpTransport, MerchantRef, Money, Payer, Provider, ProviderInfo, Reply, Result,
    ReturnUrls,
};

use crate::counterpart::Deed;
use crate::money::usual_amounts;

/// Which credentials the suite wants a provider to be built with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keys {
    /// Those that the counterpart knows.
    Own,
    /// Well-formed ones that the counterpart does not know: every key and token another than [`Keys::Own`]'s.
    Other,
}

/// The provider under test.
///
/// Each check builds it anew, so that no check leans on another.
pub trait UnderTest: Debug + Send + Sync + 'static {
    /// The provider, pointed at the counterpart. It must reach it through `env.transport` only.
    ///
    /// # Errors
    /// The provider's own; with [`Keys::Own`] and [`Keys::Other`] there must be none.
    fn build(&self, keys: Keys, env: &BuildEnv) -> Result<Arc<dyn Provider>>;

    /// A new transport to real sockets, without a retry around it: the suite wraps it itself. Its own timeout should
    /// be some seconds, and its limit for a body below 32 MiB.
    ///
    /// # Errors
    /// When it cannot be built.
    fn transport(&self) -> Result<Arc<dyn HttpTransport>>;

    /// Every secret that [`Keys::Own`] uses, as text that can be searched for: keys, tokens, passwords. The suite adds
    /// the card tokens that it gets.
    fn secrets(&self) -> Vec<String>;

    /// Amounts that must come back exactly. By default for each currency: the smallest, a fraction, a whole one and a
    /// large one, within the declared range.
    fn amounts(&self, info: &ProviderInfo) -> Vec<Money> {
        usual_amounts(info)
    }

    /// Where payers come back to; one loopback address for everything if not overridden.
    fn return_urls(&self) -> Option<ReturnUrls> {
        CallbackUrl::parse("http://127.0.0.1:9/back").ok().map(ReturnUrls::one)
    }

    /// Who pays; nobody in particular if not overridden. A provider that sends invoices to a phone needs its number.
    fn payer(&self) -> Payer {
        Payer::default()
    }

    /// What can be told from answers. By default everything can: they are signed where the counterpart can sign them
    /// wrongly, and have words for a decline and for a refusal.
    fn answers(&self) -> AnswerRules {
        AnswerRules::default()
    }

    /// How notifications are signed. A provider that receives any must say.
    fn notifications(&self) -> Option<NotificationRules> {
        None
    }

    /// What the provider's page says that a notification is answered. A provider that receives any must say.
    fn acknowledgements(&self) -> Option<Acknowledgements> {
        None
    }

    /// A return that anybody could have typed into a browser's address line: it claims that this payment was paid.
    fn forged_return(&self, reference: &MerchantRef) -> Option<Returned> {
        let _ = reference;
        None
    }
}

/// What can be told from a provider's answers, as its documents have it. What they leave out must not be made up, so
/// the checks then hold the provider to what is honest instead.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own about a document")]
#[non_exhaustive]
pub struct AnswerRules {
    /// Answers have a checksum whose formula is known. Without, an amount is at least handed over as it came.
    pub signed: bool,
    /// Where the checksum of an answer stands; answers without it are then refused.
    pub checksum: Option<Member>,
    /// There is a code that says that a payment was declined. Without, such a payment is pending.
    pub declines: bool,
    /// There are codes for a refused write. Without, a write that is answered by no success may be left open.
    pub refusals: bool,
    /// The answer to a charge says how it ended. Without, it is pending, and asking tells.
    pub charges: bool,
    /// The answer to a question tells money that was taken from money that is held. Without, both are held at least,
    /// and only the capture's own answer says that it was taken.
    pub captures: bool,
}

impl Default for AnswerRules {
    fn default() -> Self {
        Self { signed: true, checksum: None, declines: true, refusals: true, charges: true, captures: true }
    }
}

impl AnswerRules {
    /// Answers that carry their checksum here, all of them. An operation whose answer has no such member is not signed.
    #[must_use]
    pub fn checksum(self, member: Member) -> Self {
        Self { checksum: Some(member), ..self }
    }

    /// Answers whose checksum is none, or is made nobody knows how.
    #[must_use]
    pub fn unsigned(self) -> Self {
        Self { signed: false, ..self }
    }

    /// Answers that have no word for a decline.
    #[must_use]
    pub fn without_declines(self) -> Self {
        Self { declines: false, ..self }
    }

    /// Answers that leave open how a charge ended.
    #[must_use]
    pub fn without_charge_results(self) -> Self {
        Self { charges: false, ..self }
    }

    /// Answers that call held and taken money the same.
    #[must_use]
    pub fn without_captures(self) -> Self {
        Self { captures: false, ..self }
    }

    /// Answers of which no document says which ones refuse a write.
    #[must_use]
    pub fn without_refusals(self) -> Self {
        Self { refusals: false, ..self }
    }
}

/// A payer's return, as the browser makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Returned {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// The query string, without its `?`.
    pub query: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

impl Returned {
    /// By GET with this query string.
    pub fn get(query: impl Into<String>) -> Self {
        Self { method: "GET", query: Some(query.into()), body: Vec::new() }
    }

    /// By a posted form.
    pub fn post(form: impl Into<Vec<u8>>) -> Self {
        Self { method: "POST", query: None, body: form.into() }
    }
}

/// Where a value stands in a notification.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Member {
    /// A member of the JSON object in the body, by its path: `amount`, `data.order.amount`, `items[0].id`.
    Json(&'static str),
    /// A field of the form in the body.
    Form(&'static str),
    /// A field of the query string.
    Query(&'static str),
    /// A header.
    Header(&'static str),
    /// The whole body.
    Body,
}

/// How notifications are signed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NotificationRules {
    /// Where the checksum stands; none if there is none.
    pub checksum: Option<Member>,
    /// What it covers, in the order in which it is hashed.
    pub signed: Vec<Member>,
    /// What happens to a payment without a notification, as far as the documents say.
    pub silent: Vec<Deed>,
}

impl NotificationRules {
    /// A checksum over these values, in the order in which they are hashed.
    pub fn signed(checksum: Member, signed: impl IntoIterator<Item = Member>) -> Self {
        Self { checksum: Some(checksum), signed: signed.into_iter().collect(), silent: Vec::new() }
    }

    /// Without a notification of this: some providers never tell a decline.
    #[must_use]
    pub fn silent_about(mut self, deed: Deed) -> Self {
        self.silent.push(deed);
        self
    }

    /// No checksum: notifications are hints.
    pub fn unsigned() -> Self {
        Self { checksum: None, signed: Vec::new(), silent: Vec::new() }
    }
}

/// The answer to a notification, byte for byte, for each outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Acknowledgements {
    /// It is on disk.
    pub accepted: Reply,
    /// It was there before, and the payment is still open.
    pub repeat: Reply,
    /// It was there before, and the payment had its final state.
    pub repeat_completed: Reply,
    /// There is no such payment.
    pub unknown_payment: Reply,
    /// It is of no interest.
    pub ignored: Reply,
    /// It is not genuine.
    pub rejected: Reply,
    /// It could not be stored. This must not look like success.
    pub not_stored: Reply,
}

impl Acknowledgements {
    /// One answer for all that is taken, one for what is not genuine, one for what could not be stored; the fields can
    /// be set one by one.
    pub fn new(taken: Reply, rejected: Reply, not_stored: Reply) -> Self {
        Self {
            accepted: taken.clone(),
            repeat: taken.clone(),
            repeat_completed: taken.clone(),
            unknown_payment: taken.clone(),
            ignored: taken,
            rejected,
            not_stored,
        }
    }
}
