//! Says what an application asks to open, and checks that the account offers it.

use tulbur_core::{
    AccountName, Capture, CardToken, Error as CoreError, ErrorKind, Flow, FlowInfo, Provider, Way,
};

use crate::decide::intents::Opening;
use crate::error::{Error, Result};
use crate::model::record::Purpose;
use crate::model::request::{ChargeCard, OpenCardSetup, OpenPayment, digest};

/// What an application asks to open, with what only this call knows.
pub(super) enum Wanted {
    Invoice(Box<OpenPayment>),
    Charge(Box<ChargeCard>, AccountName, CardToken),
    Setup(OpenCardSetup),
}

/// What of an opening can be sent.
pub(super) struct Ready {
    pub(super) opening: Opening,
    pub(super) own_reference: bool,
}

pub(super) fn unsupported(account: &AccountName, field: &'static str) -> Error {
    CoreError::new(ErrorKind::Unsupported, format!("account `{account}` does not offer this"))
        .with_field(field)
        .into()
}

pub(super) fn flow_name(flow: Option<&FlowInfo>, account: &AccountName) -> Result<Flow> {
    flow.map(|info| info.flow.clone()).ok_or_else(|| unsupported(account, "way"))
}

impl Wanted {
    pub(super) fn account(&self) -> &AccountName {
        match self {
            Self::Invoice(request) => &request.account,
            Self::Charge(_, account, _) => account,
            Self::Setup(request) => &request.account,
        }
    }

    /// What is committed of it. It is checked that the account offers it at all.
    pub(super) fn ready(&self, provider: &dyn Provider) -> Result<Ready> {
        let ready = match self {
            Self::Invoice(request) => {
                let offers = if request.way == Way::Qr {
                    provider.qr().is_some()
                } else {
                    provider.invoices().is_some()
                };
                if !offers {
                    return Err(unsupported(&request.account, "way"));
                }
                let opening = Opening {
                    account: request.account.clone(),
                    purpose: Purpose::Payment {
                        order: request.order.clone(),
                        amount: request.amount,
                        save_card_for: request.save_card_for.clone(),
                        charged_card: None,
                    },
                    description: request.description.clone(),
                    language: request.language,
                    continue_to: request.continue_to.clone(),
                    capture: request.capture,
                    content: request.content()?,
                    key: request.key.clone(),
                };
                Ready { opening, own_reference: request.merchant_ref.is_some() }
            }
            Self::Charge(request, account, _) => {
                if provider.charges().is_none() {
                    return Err(unsupported(account, "card"));
                }
                let opening = Opening {
                    account: account.clone(),
                    purpose: Purpose::Payment {
                        order: request.order.clone(),
                        amount: request.amount,
                        save_card_for: None,
                        charged_card: Some(request.card.clone()),
                    },
                    description: request.description.clone(),
                    language: request.language,
                    continue_to: request.continue_to.clone(),
                    capture: Capture::Now,
                    content: request.content()?,
                    key: request.key.clone(),
                };
                Ready { opening, own_reference: false }
            }
            Self::Setup(request) => {
                if provider.tokenize().is_none() {
                    return Err(unsupported(&request.account, "card set-up"));
                }
                let opening = Opening {
                    account: request.account.clone(),
                    purpose: Purpose::CardSetup { customer: request.customer.clone() },
                    description: String::new(),
                    language: request.language,
                    continue_to: request.continue_to.clone(),
                    capture: Capture::Now,
                    content: String::new(),
                    key: request.key.clone(),
                };
                Ready { opening, own_reference: false }
            }
        };
        Ok(ready)
    }
}

/// What tells a request with a key from another: the order or customer, and all that [`OpenPayment`] compares.
pub(super) fn key_content(opening: &Opening) -> Result<String> {
    digest(&serde_json::json!({
        "purpose": opening.purpose, "account": opening.account, "content": opening.content,
    }))
}
