//! The bank's calls: who may make one, what its checksum covers, and how one is refused.

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::answer;
use super::checksum::{Covered, explain};
use super::request::Fields;
use super::shared::Bank;
use crate::error::SandboxError;
use crate::plugin::Note;

/// The bank's calls, each with what its checksum covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Invoice,
    Inquiry,
    Confirmation,
    GetToken,
    Pay,
    Check,
    Settlement,
}

impl Operation {
    pub(super) const fn path(self) -> &'static str {
        match self {
            Self::Invoice => "/api/invoice",
            Self::Inquiry => "/api/inquiry",
            Self::Confirmation => "/api/confirmation",
            Self::GetToken => "/api/get/token",
            Self::Pay => "/api/pay",
            Self::Check => "/api/check",
            Self::Settlement => "/api/getSettlementDetails",
        }
    }

    /// The fields that the checksum joins, in order. All of them are required.
    pub(super) fn covered(self) -> &'static [&'static str] {
        match self {
            Self::Invoice => &["transactionId", "amount", "returnType", "callback"],
            Self::Inquiry | Self::GetToken | Self::Check => &["transactionId", "transactionId"],
            Self::Confirmation => &["transactionId", "returnType", "callback"],
            Self::Pay => &["amount", "transactionId", "token"],
            Self::Settlement => &["merchantId", "token"],
        }
    }

    /// Fields that a checksum does not cover and that the documents or clients know.
    pub(super) fn others(self) -> &'static [&'static str] {
        match self {
            Self::Invoice => &["checksum", "genToken", "socialDeeplink", "email"],
            Self::Pay => &["checksum", "lang"],
            _ => &["checksum"],
        }
    }
}

/// A call that the bank refuses.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    word: &'static str,
    message: String,
    explanation: Option<String>,
}

impl Refusal {
    pub(super) fn validation(message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            word: "Validation",
            message: message.into(),
            explanation: None,
        }
    }

    /// The message is the bank's own; which error word goes with it is not recorded (assumption).
    pub(super) fn not_found(explanation: String) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            word: "NotFound",
            message: "Payment not found.".to_owned(),
            explanation: Some(explanation),
        }
    }

    pub(super) fn duplicate(transaction_id: &str) -> Self {
        let mut refusal = Self::validation(format!("transactionId {transaction_id} is duplicated"));
        refusal.explanation = Some(format!(
            "transactionId {transaction_id:?} has been used; a merchant can use one once, also after a payment that failed"
        ));
        refusal
    }

    /// A bearer token that is missing or wrong gets no body at all.
    fn forbidden(explanation: &str) -> Self {
        Self {
            status: StatusCode::FORBIDDEN,
            word: "Forbidden",
            message: String::new(),
            explanation: Some(explanation.to_owned()),
        }
    }
}

impl From<SandboxError> for Refusal {
    fn from(error: SandboxError) -> Self {
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            word: "Internal",
            message: error.to_string(),
            explanation: None,
        }
    }
}

type Outcome = Result<Response, Refusal>;

impl Bank {
    /// Turns a refusal into the bank's error body and writes the reason into the request log.
    pub(super) fn answer(&self, operation: Operation, outcome: Outcome) -> Response {
        let refusal = match outcome {
            Ok(response) => return response,
            Err(refusal) => refusal,
        };
        let mut response = if refusal.status == StatusCode::FORBIDDEN {
            refusal.status.into_response()
        } else {
            answer::error_word(
                refusal.status,
                refusal.word,
                operation.path(),
                &refusal.message,
                self.desk.now(),
            )
        };
        response.extensions_mut().insert(Note::refused(refusal.explanation.unwrap_or(refusal.message)));
        response
    }

    /// Checks who calls, that every field is there, and the checksum over the characters as they came.
    pub(super) fn admit(
        &self,
        operation: Operation,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Fields, Refusal> {
        self.check_bearer(headers)?;
        let fields = Fields::parse(body).map_err(Refusal::validation)?;
        let mut covered = Covered { fields: Vec::new() };
        for name in operation.covered() {
            let text = fields.required(name, *name == "amount").map_err(Refusal::validation)?;
            covered.fields.push((name, text));
        }
        let given = fields.required("checksum", false).map_err(Refusal::validation)?;
        if given != covered.checksum(&self.secret) {
            let others: Vec<_> = fields.texts().collect();
            return Err(Refusal::validation(explain(
                &covered,
                &self.secret,
                Some(&self.token),
                given,
                &others,
            )));
        }
        Ok(fields)
    }

    fn check_bearer(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let Some(value) = headers.get(header::AUTHORIZATION) else {
            return Err(Refusal::forbidden(
                "the header Authorization is missing; send Authorization: Bearer <token>",
            ));
        };
        match value.to_str().ok().and_then(|text| text.split_once(' ')) {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => match token.trim() {
                "" => Err(Refusal::forbidden("the bearer token is empty")),
                token if token == self.token => Ok(()),
                token if token == self.secret => Err(Refusal::forbidden(
                    "the bearer token is the merchant secret; send the merchant token",
                )),
                _ => Err(Refusal::forbidden("the bearer token is not this merchant's token")),
            },
            _ => Err(Refusal::forbidden("the header Authorization must read: Bearer <token>")),
        }
    }
}
