//! The other side of the wire, as a test drives it.

use std::fmt;

use tulbur_core::{MerchantRef, async_trait};

/// What a payer, a merchant's clerk or the clock does to a payment at the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Deed {
    /// The payer pays.
    Pay,
    /// The card's bank says no.
    Decline,
    /// The payer gives up.
    Cancel,
    /// The page's time runs out.
    Expire,
    /// The payer saves a card in a card set-up.
    SaveCard,
    /// The card is refused in a card set-up.
    DeclineCard,
    /// The payer pays with a card, and saves one that later charges are declined for.
    PayWithCardThatDeclinesLater,
    /// The payer pays a part of what is asked for, where that is possible.
    PayPart,
    /// The payer pays once more, although all of it is there.
    PayMore,
    /// One try to pay fails, and the invoice stays open.
    FailOnce,
    /// The provider's people give back by hand what came last.
    GiveBack,
    /// The provider sends two genuine notifications about this payment that contradict each other.
    Contradict,
}

/// What goes wrong at the provider, once, with the next request that fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OtherSideFault {
    /// Carried out, then the connection is cut without an answer.
    AnswerLost,
    /// Carried out, then answered with status 500.
    ErrorAfter,
    /// The answer's checksum is made with another key.
    WrongChecksum,
    /// The answer's amount is another than its checksum covers.
    TamperedAmount,
}

/// Something that a counterpart may be able to do. What it cannot do is reported as ignored, with this as the reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Skill {
    /// [`Counterpart::act`] with this deed.
    Do(Deed),
    /// [`Counterpart::notify_at`], or it takes the address with each request.
    Notify,
    /// [`Counterpart::books`].
    Books,
    /// [`Counterpart::received`].
    Requests,
    /// [`Counterpart::fault`] with this fault.
    Fault(OtherSideFault),
}

impl fmt::Display for Skill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Do(deed) => write!(f, "do {deed:?}"),
            Self::Notify => f.write_str("send notifications"),
            Self::Books => f.write_str("show its books"),
            Self::Requests => f.write_str("count the requests that it received"),
            Self::Fault(fault) => write!(f, "fail with {fault:?}"),
        }
    }
}

/// What really happened to one payment, whatever anybody was told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Books {
    /// The amount that was asked for, as it was sent.
    pub amount: Option<String>,
    /// How often the payer was debited.
    pub debits: u32,
    /// How often money was given back, where the counterpart counts that.
    pub refunds: Option<u32>,
}

impl Books {
    /// So many debits.
    pub fn new(debits: u32) -> Self {
        Self { amount: None, debits, refunds: None }
    }

    /// With the amount as it was sent.
    #[must_use]
    pub fn with_amount(mut self, amount: impl Into<String>) -> Self {
        self.amount = Some(amount.into());
        self
    }

    /// With so many refunds.
    #[must_use]
    pub fn with_refunds(mut self, refunds: u32) -> Self {
        self.refunds = Some(refunds);
        self
    }
}

/// The counterpart could not do what it was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CounterpartError(String);

impl CounterpartError {
    /// What happened, in words.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for CounterpartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the counterpart: {}", self.0)
    }
}

impl std::error::Error for CounterpartError {}

/// The provider's own side: a sandbox, a fake, or a bank's test system with somebody at its controls.
///
/// It is used by one check at a time, from runtimes that come and go: it must not keep connections from one call to the
/// next.
#[async_trait]
pub trait Counterpart: fmt::Debug + Send + Sync + 'static {
    /// What it can do. A check that needs more is ignored, and says so.
    fn can(&self, skill: Skill) -> bool;

    /// Does something to a payment or card set-up, named by our reference.
    ///
    /// # Errors
    /// When that did not work; the check then fails.
    async fn act(&self, deed: Deed, reference: &MerchantRef) -> Result<(), CounterpartError>;

    /// Sends notifications here from now on, for providers with one address per account.
    ///
    /// # Errors
    /// When that did not work.
    async fn notify_at(&self, address: &str) -> Result<(), CounterpartError>;

    /// What really happened to a payment; none if it never heard of it.
    ///
    /// # Errors
    /// When they cannot be read.
    async fn books(&self, reference: &MerchantRef) -> Result<Option<Books>, CounterpartError>;

    /// How many requests to this path have arrived that are about this payment.
    ///
    /// # Errors
    /// When that is not known.
    async fn received(&self, path: &str, reference: &MerchantRef) -> Result<usize, CounterpartError>;

    /// Lets the next request to this path that is about this payment go wrong, once.
    ///
    /// # Errors
    /// When that did not work.
    async fn fault(
        &self,
        fault: OtherSideFault,
        path: &str,
        reference: &MerchantRef,
    ) -> Result<(), CounterpartError>;
}
