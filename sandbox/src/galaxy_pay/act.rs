//! Acts on a payment from outside, for a person or a test.

use std::collections::BTreeMap;

use super::cards::{TEST_CARDS, TestCard};
use super::codes::known;
use super::state::{self, Books, Kind, Payment};
use crate::error::SandboxError;
use crate::plugin::{ActionRequest, PaymentState};

/// Does one of the control page's actions.
pub(super) fn act(tx: &mut Books<'_>, request: &ActionRequest) -> Result<String, SandboxError> {
    let reference = request.reference.as_str();
    // An orderID may have several payments when duplicates are allowed; the transactionID then names one.
    let id = match tx.state().payments.get(reference) {
        Some(_) => Some(reference.to_owned()),
        None => tx.state().orders.get(reference).cloned(),
    };
    let Some(payment) = id.and_then(|id| tx.state().payments.get(&id)).cloned() else {
        return Err(SandboxError::not_found(format!("there is no payment {reference:?}")));
    };
    let wish = Wish::read(&request.details, &payment)?;
    let action = request.action.as_str();
    if !actions(&payment).contains(&action) {
        return Err(SandboxError::refused(format!(
            "payment {reference:?} is {}, so it cannot be told to {action}",
            payment.state.name()
        )));
    }
    let id = payment.id.as_str();
    let declined = tx.switch("decline-code");
    match (action, wish.code) {
        ("end", None) => {
            return Err(SandboxError::invalid("name the code that it ends with, such as {\"code\":\"504\"}"));
        }
        ("pay", _) | ("end", Some("200")) => wish.pay(tx, &payment),
        ("decline", code) => state::end(tx, id, code.unwrap_or(&declined)),
        ("cancel", _) => state::end(tx, id, "499"),
        ("expire", _) => state::end(tx, id, "408"),
        ("end", Some(code)) => state::end(tx, id, code),
        _ => state::send(tx, id),
    };
    let state = tx.state().payments.get(id).map_or(payment.state, |payment| payment.state);
    Ok(format!("payment {reference:?} is now {}", state.name()))
}

/// With what it is to be paid, or how it is to end.
struct Wish {
    card: Option<&'static TestCard>,
    method: Option<String>,
    source: Option<String>,
    code: Option<&'static str>,
}

impl Wish {
    fn read(details: &BTreeMap<String, String>, payment: &Payment) -> Result<Self, SandboxError> {
        let mut wish = Self {
            card: None,
            method: payment.method.clone().or_else(|| payment.order.method.clone()),
            source: payment.source.clone().or_else(|| payment.order.source.clone()),
            code: None,
        };
        for (name, value) in details {
            match name.as_str() {
                "card" => {
                    let card = TestCard::by_id(value).ok_or_else(|| {
                        let known: Vec<_> = TEST_CARDS.iter().map(|card| card.id).collect();
                        SandboxError::invalid(format!(
                            "there is no test card {value:?}; there are {}",
                            known.join(", ")
                        ))
                    })?;
                    wish.card = Some(card);
                }
                "code" => {
                    let code = known(value).ok_or_else(|| {
                        SandboxError::invalid(format!("{value:?} is not in the gateway's table of codes"))
                    })?;
                    wish.code = Some(code);
                }
                "method" => wish.method = Some(value.clone()),
                "source" => wish.source = Some(value.clone()),
                _ => {
                    return Err(SandboxError::invalid(format!(
                        "unknown detail {name:?}; there are card, code, method and source"
                    )));
                }
            }
        }
        Ok(wish)
    }

    fn pay(&self, tx: &mut Books<'_>, before: &Payment) -> Option<state::Done> {
        let by_app = self.card.is_none()
            && before.card.is_none()
            && matches!(self.method.as_deref(), Some("WALLET" | "HUB" | "QRPAY" | "BNPL"));
        let payment = tx.state_mut().payments.get_mut(&before.id)?;
        if by_app {
            payment.method.clone_from(&self.method);
            payment.source.clone_from(&self.source);
            return state::debit(tx, &before.id);
        }
        let usual = if self.method.as_deref() == Some("DOMESTIC") { "napas" } else { "mpgs" };
        let card = self.card.or(before.card()).or_else(|| TestCard::by_id(usual))?;
        payment.card = Some(card.id.to_owned());
        if payment.holder.is_empty() {
            card.holder.clone_into(&mut payment.holder);
        }
        payment.method = Some(card.method.to_owned());
        payment.source = card.source.map(str::to_owned).or_else(|| self.source.clone());
        state::debit(tx, &before.id)
    }
}

/// What can be done to a payment as it stands. Paying after the end is there on purpose: money that comes late.
pub(super) fn actions(payment: &Payment) -> &'static [&'static str] {
    match payment.state {
        PaymentState::Open if payment.kind == Kind::PaymentLink => {
            &["pay", "decline", "cancel", "expire", "end"]
        }
        PaymentState::Open => &["pay", "decline", "send", "cancel", "expire", "end"],
        PaymentState::Sent => &["pay", "decline", "end"],
        PaymentState::Paid | PaymentState::Authorized => &[],
        _ if payment.voided_at.is_some() => &[],
        PaymentState::Declined | PaymentState::Canceled | PaymentState::Expired => &["pay"],
    }
}
