//! A call of a merchant's server: what it says once it is let in, and what comes of it.

use super::answer::Answer;
use super::fields::Fields;
use crate::error::SandboxError;
use crate::plugin::Ticket;

/// A call that has been let in.
pub(super) struct Message {
    /// It came to an address that only older samples call.
    pub(super) by_old_address: bool,
    pub(super) request_id: String,
    pub(super) data: Fields,
}

/// A call that the gateway refuses.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) code: String,
    pub(super) message: String,
    /// For the request log, where it may be longer than a message.
    pub(super) explanation: Option<String>,
}

impl Refusal {
    pub(super) fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into(), explanation: None }
    }

    /// Explains itself to the developer beyond what the message says.
    pub(super) fn because(mut self, explanation: impl Into<String>) -> Self {
        self.explanation = Some(explanation.into());
        self
    }
}

/// What a field's reader refuses is a bad request.
impl From<String> for Refusal {
    fn from(message: String) -> Self {
        Self::new("400", message)
    }
}

impl From<SandboxError> for Refusal {
    fn from(error: SandboxError) -> Self {
        Self::new("500", error.to_string())
    }
}

/// An answer, and a notification that must have been tried before it leaves.
pub(super) struct Outcome {
    pub(super) answer: Answer,
    pub(super) wait: Option<Ticket>,
}

impl From<Answer> for Outcome {
    fn from(answer: Answer) -> Self {
        Self { answer, wait: None }
    }
}
