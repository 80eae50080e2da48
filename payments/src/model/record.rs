//! Records of orders, payments and cards, as stored.

use std::fmt;

use serde::{Deserialize, Serialize};
use tulbur_core::{
    AccountName, CallbackUrl, Capture, CardInfo, CustomerRef, FreeText, Language, Money, NextAction,
    OperationState, OrderRef, PaidPart, PaymentRef, PaymentStatus, Timestamp,
};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes the text of an id that was printed before. An id that does not exist is found out by asking.
            pub fn from_text(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id!(
    /// Our id of one payment, or of one card set-up.
    PaymentId
);
id!(
    /// What an application sees of a saved card: enough to charge it through [`Payments`](crate::Payments), and
    /// nothing else.
    CardId
);
id!(
    /// The stable id of an event: the same however often it is delivered.
    EventId
);

/// The 128-bit secret in a payer page's address: who has it sees that page. `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct PageSecret(String);

impl PageSecret {
    /// Takes the secret from an address: 32 lower-case hexadecimal characters.
    pub fn parse(text: &str) -> Option<Self> {
        let hex = text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        hex.then(|| Self(text.to_owned()))
    }

    /// The secret, for an address that is given to the payer or the provider.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PageSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PageSecret([redacted])")
    }
}

/// What a record is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// A payment of an order.
    Payment {
        /// The order.
        order: OrderRef,
        /// What is asked for.
        amount: Money,
        /// To whom a card that is saved on the way belongs.
        save_card_for: Option<CustomerRef>,
        /// The saved card that is charged, if it is a charge.
        charged_card: Option<CardId>,
    },
    /// Saving a card and buying nothing.
    CardSetup {
        /// To whom the card belongs.
        customer: CustomerRef,
    },
}

/// How a payment or card set-up stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Nothing final is known.
    Pending,
    /// The money is held.
    Authorized,
    /// The money was taken. This never becomes anything else.
    Paid,
    /// The card is saved (card set-ups only).
    Saved,
    /// Refused.
    Declined,
    /// Given up.
    Canceled,
    /// Its time ran out.
    Expired,
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Pending,
        Self::Authorized,
        Self::Paid,
        Self::Saved,
        Self::Declined,
        Self::Canceled,
        Self::Expired,
    ];

    /// Whether it ended well.
    pub fn is_success(self) -> bool {
        matches!(self, Self::Paid | Self::Saved)
    }

    /// Whether it ended without success.
    pub fn is_failed(self) -> bool {
        matches!(self, Self::Declined | Self::Canceled | Self::Expired)
    }

    /// Whether it has not ended.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::Authorized)
    }

    /// The lower-case word, as stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Authorized => "authorized",
            Self::Paid => "paid",
            Self::Saved => "saved",
            Self::Declined => "declined",
            Self::Canceled => "canceled",
            Self::Expired => "expired",
        }
    }
}

impl From<PaymentStatus> for Status {
    fn from(status: PaymentStatus) -> Self {
        match status {
            PaymentStatus::Pending => Self::Pending,
            PaymentStatus::Authorized => Self::Authorized,
            PaymentStatus::Paid => Self::Paid,
            PaymentStatus::Declined => Self::Declined,
            PaymentStatus::Canceled => Self::Canceled,
            PaymentStatus::Expired => Self::Expired,
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Who said that a payment ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EndedBy {
    /// The provider, provably.
    Provider,
    /// We did: time ran out here, or it was given up here. The provider may still surprise us.
    Us,
}

/// One payment of an order, or one card set-up, as stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own, and any of them goes with any other"
)]
pub struct PaymentRecord {
    /// Our id.
    pub id: PaymentId,
    /// What it is about.
    pub purpose: Purpose,
    /// The account it goes through.
    pub account: AccountName,
    /// How the provider finds it again.
    pub reference: PaymentRef,
    /// What the payer reads.
    pub description: String,
    /// The payer's language.
    pub language: Language,
    /// Where the payer goes on after the result page.
    pub continue_to: Option<CallbackUrl>,
    /// How the write that started it stands.
    pub operation: OperationState,
    /// When another process takes that write for abandoned; none once it was answered. Looking at the payment does not
    /// move it.
    #[serde(default)]
    pub lease_until: Option<Timestamp>,
    /// How it stands.
    pub status: Status,
    /// Who ended it, once it ended.
    pub ended_by: Option<EndedBy>,
    /// What the payer can do, while it is open.
    pub next: Vec<NextAction>,
    /// The provider's last code.
    pub code: Option<FreeText>,
    /// The provider's last words.
    pub text: Option<FreeText>,
    /// What may be shown of the card.
    pub card: CardInfo,
    /// The card that was saved on the way.
    pub saved_card: Option<CardId>,
    /// Whether the money is taken at once, or held and captured later.
    #[serde(default)]
    pub capture: Capture,
    /// What was taken, where that is not the amount that was asked for.
    #[serde(default)]
    pub captured: Option<Money>,
    /// What a capture that may have happened asks for.
    #[serde(default)]
    pub capturing: Option<Money>,
    /// What the provider proves to have been paid, where that is not what was asked for. A person decides about it.
    #[serde(default)]
    pub mismatch: Option<Money>,
    /// What was given back for certain.
    #[serde(default)]
    pub refunded: Option<Money>,
    /// When it was first known to be paid.
    #[serde(default)]
    pub paid_at: Option<Timestamp>,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When it last changed.
    pub changed_at: Timestamp,
    /// When the payer's time ends.
    pub expires_at: Option<Timestamp>,
    /// When the provider is to be asked next; none once there is nothing left to ask.
    pub ask_at: Option<Timestamp>,
    /// How often the provider was asked since the last change.
    pub asked: u32,
    /// Whether a query has confirmed what is stored.
    pub confirmed: bool,
    /// Whether a signed notification said that it is paid, and counts only once a query says so too.
    #[serde(default)]
    pub said_paid: bool,
    /// The movements of money that the provider tells of, where a payer can pay in several.
    #[serde(default)]
    pub parts: Vec<PaidPart>,
    /// The card that a signed notification brought, which counts only once a query says that it is paid.
    #[serde(default)]
    pub(crate) waiting_card: Option<Box<CardRecord>>,
    /// How many hints came since the provider was asked, where it is asked on hints alone.
    #[serde(default)]
    pub(crate) hints: u32,
    /// Whether the money was authorised at some time. After a release, an answer "authorised" is then old news.
    #[serde(default)]
    pub(crate) was_held: bool,
    /// Whether a person was told that it is waited for too long.
    #[serde(default)]
    pub(crate) overdue: bool,
    /// The token of the one call that may send the write.
    #[serde(default)]
    pub(crate) owner: Option<String>,
    /// When the lease of the write ended that was sent: from then on a person may say that it did not happen.
    #[serde(default)]
    pub(crate) write_ends: Option<Timestamp>,
    /// Counts what was learnt: an answer to a question that was asked before is recognised by it.
    #[serde(default)]
    pub(crate) revision: u32,
    /// The token of the commit that wrote this.
    #[serde(default)]
    pub(crate) commit: String,
    /// Digest of what was asked for, to tell the same request from another.
    pub(crate) content: String,
    /// SHA-256 of the page secret, by which a page is found.
    pub(crate) secret_hash: String,
    /// The page secret, sealed.
    pub(crate) sealed_secret: String,
    /// Counts changes; a commit names the one that it was decided on.
    pub(crate) version: i64,
}

impl PaymentRecord {
    /// The order, if it is a payment.
    pub fn order(&self) -> Option<&OrderRef> {
        match &self.purpose {
            Purpose::Payment { order, .. } => Some(order),
            Purpose::CardSetup { .. } => None,
        }
    }

    /// The amount, if it is a payment.
    pub fn amount(&self) -> Option<Money> {
        match &self.purpose {
            Purpose::Payment { amount, .. } => Some(*amount),
            Purpose::CardSetup { .. } => None,
        }
    }

    /// What was taken: what the provider said, or the whole amount of a paid payment; none while nothing was.
    pub fn taken(&self) -> Option<Money> {
        if self.status == Status::Paid { self.captured.or(self.amount()) } else { None }
    }

    /// What came in parts and is still there; none if nothing did.
    pub fn received(&self) -> Option<Money> {
        let mut there = self.parts.iter().filter(|part| !part.returned).map(|part| part.amount);
        let first = there.next()?;
        there.try_fold(first, Money::checked_add).ok().filter(|sum| sum.is_positive())
    }

    /// Whether the payer can still do something, or the provider may still be working on it.
    pub fn is_live(&self) -> bool {
        self.status.is_open()
    }
}

/// An order: what is paid for, however many payments it takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct OrderRecord {
    /// The shop's key.
    pub order: OrderRef,
    /// What it costs.
    pub amount: Money,
    /// The payment that fulfilled it. Set once.
    pub paid_by: Option<PaymentId>,
    /// The payment whose charge or capture may be taking money now: no other one of the order may begin to.
    #[serde(default)]
    pub taking: Option<PaymentId>,
    /// When it was first opened.
    pub created_at: Timestamp,
    pub(crate) version: i64,
}

/// An order with all its payments, oldest first.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Order {
    /// The order.
    pub record: OrderRecord,
    /// Its payments.
    pub payments: Vec<PaymentRecord>,
}

impl Order {
    /// An order with its payments, oldest first, as a store reads them.
    pub fn new(record: OrderRecord, payments: Vec<PaymentRecord>) -> Self {
        Self { record, payments }
    }
}

impl Order {
    /// Whether it is paid.
    pub fn is_paid(&self) -> bool {
        self.record.paid_by.is_some()
    }

    /// The payment that is still open, if any.
    pub fn live(&self) -> Option<&PaymentRecord> {
        self.payments.iter().rev().find(|payment| payment.is_live())
    }
}

/// A saved card, without its token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Card {
    /// Its id.
    pub id: CardId,
    /// To whom it belongs.
    pub customer: CustomerRef,
    /// The account that it can be charged at.
    pub account: AccountName,
    /// What may be shown of it.
    pub info: CardInfo,
    /// When it was saved.
    pub created_at: Timestamp,
}

/// A saved card with its sealed token, as stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CardRecord {
    /// The card.
    pub card: Card,
    /// Its token, sealed for this card, its customer and its account.
    pub sealed_token: String,
}
