//! Expectations of a story, beyond the rules that the judge always applies.

use crate::units::Micros;

/// Something that is counted about a payment or an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// Debits of an order at the bank.
    Debits,
    /// What was taken for an order, in minor units.
    Taken,
    /// What was given back of an order's payments, in minor units.
    GivenBack,
    /// Questions about a payment that reached the bank.
    Questions,
    /// Lines of a payment's history.
    History,
    /// Refunds of a payment that reached the bank.
    Refunds,
    /// Writes about a payment that reached the bank.
    Writes,
    /// Charges and captures of an order's payments that reached the bank.
    Charges,
    /// The most calls of one handler for one event at one time.
    Concurrent,
}

impl Count {
    /// The word in a story.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Debits => "debits",
            Self::Taken => "taken",
            Self::GivenBack => "given-back",
            Self::Questions => "questions",
            Self::History => "history",
            Self::Refunds => "refunds",
            Self::Writes => "writes",
            Self::Charges => "charges",
            Self::Concurrent => "concurrent",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        let all = [
            Self::Debits,
            Self::Taken,
            Self::GivenBack,
            Self::Questions,
            Self::History,
            Self::Refunds,
            Self::Writes,
            Self::Charges,
            Self::Concurrent,
        ];
        all.into_iter().find(|count| count.as_str() == word)
    }
}

/// One expectation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expect {
    /// A number is at least this and at most that.
    Between(Count, String, i64, i64),
    /// An order has these events, in this order, items for a person left out.
    Events(String, Vec<String>),
    /// A payment stands so.
    Status(String, String),
    /// A payment's taken sum as stored, in minor units.
    StoredTaken(String, i64),
    /// Something of this kind, or of any, is or was listed about the payment.
    Listed(String, Option<String>),
    /// Nothing is listed about the payment at the end.
    NotListed(String),
    /// A handler heard this kind of event about the order, at the latest at this time.
    Heard(String, String, String, Micros),
    /// A handler never heard this kind of event about the order.
    NotHeard(String, String, String),
    /// A call ended with one of these words.
    Call(String, Vec<String>),
    /// A process stopped by itself at the latest at this time.
    Stopped(usize, Micros),
    /// The amount that an event of the order tells, in minor units.
    EventAmount(String, String, i64),
    /// Any complaint of the judge with this word is expected, and must come.
    Complaint(String),
}
