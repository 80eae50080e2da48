//! Acts on an invoice, or on the account's tokens, from outside: for a person or a test.

use std::collections::BTreeMap;

use super::state::{self, Books, Invoice, QPayState, Standing, Wish};
use crate::error::SandboxError;
use crate::galaxy_pay::fields::parse_amount;
use crate::plugin::ActionRequest;

/// What the account's tokens are called where invoices have their references.
pub(super) const SESSION: &str = "session";
/// What can be done to the account's tokens.
pub(super) const SESSION_ACTIONS: [&str; 2] = ["expire-tokens", "revoke-tokens"];
/// The most attempts that can fail before a payment: more rows than the largest page has.
const MOST_FAILED: u32 = 2000;

/// Does one of the control page's actions.
pub(super) fn act(tx: &mut Books<'_>, request: &ActionRequest) -> Result<String, SandboxError> {
    let action = request.action.as_str();
    if SESSION_ACTIONS.contains(&action) {
        return on_session(tx, request);
    }
    let reference = request.reference.as_str();
    let Some(invoice) = tx.state().by_reference(reference).cloned() else {
        return Err(SandboxError::not_found(format!("there is no invoice {reference:?}")));
    };
    if !actions(tx.state(), &invoice).contains(&action) {
        return Err(SandboxError::refused(format!("invoice {reference:?} is past {action}")));
    }
    match action {
        "refund" => refund(tx, &invoice, &request.details),
        "expire" => {
            if let Some(invoice) = tx.state_mut().invoices.get_mut(&invoice.id) {
                invoice.standing = Standing::Expired;
            }
            Ok(format!("invoice {reference:?} has expired"))
        }
        "pay-on-cancel" => {
            let wish = read_wish(tx.state(), &request.details)?;
            if let Some(invoice) = tx.state_mut().invoices.get_mut(&invoice.id) {
                invoice.on_cancel = Some(wish);
            }
            Ok(format!("invoice {reference:?} is paid in the moment in which it is canceled"))
        }
        _ => {
            let mut wish = read_wish(tx.state(), &request.details)?;
            match action {
                "fail" => wish.status = Some("FAILED".to_owned()),
                "pay-by-card" => wish.by_card = true,
                _ => {}
            }
            let id = state::pay(tx, &invoice.id, &wish).unwrap_or_default();
            Ok(format!("payment {id} of invoice {reference:?}"))
        }
    }
}

fn on_session(tx: &mut Books<'_>, request: &ActionRequest) -> Result<String, SandboxError> {
    if request.reference != SESSION {
        return Err(SandboxError::refused(format!("{} is for the tokens, {SESSION}", request.action)));
    }
    if request.action == "expire-tokens" {
        let now = tx.now();
        tx.state_mut().session.expire(now);
        return Ok("every access token's time is over; refresh tokens are good".to_owned());
    }
    tx.state_mut().session.revoke();
    Ok("every token is revoked; only a login helps".to_owned())
}

/// Gives the last payment back, or the one that is named, as QPay's own people would; also a transfer.
fn refund(
    tx: &mut Books<'_>,
    invoice: &Invoice,
    details: &BTreeMap<String, String>,
) -> Result<String, SandboxError> {
    if let Some(name) = details.keys().find(|name| *name != "payment_id") {
        return Err(SandboxError::invalid(format!("unknown detail {name:?}; there is payment_id")));
    }
    let named = details.get("payment_id");
    let wanted = |row: &&super::state::Payment| row.status == "PAID" && named.is_none_or(|id| *id == row.id);
    let found = tx.state().rows(invoice).filter(wanted).last().map(|row| row.id.clone());
    let id = found.ok_or_else(|| SandboxError::not_found("the invoice has no such paid payment"))?;
    state::refund(tx, &id);
    Ok(format!("payment {id} was given back"))
}

fn read_wish(state: &QPayState, details: &BTreeMap<String, String>) -> Result<Wish, SandboxError> {
    let mut wish = Wish::default();
    for (name, value) in details {
        let invalid = |why: &str| SandboxError::invalid(format!("{name} {value:?} {why}"));
        match name.as_str() {
            "amount" => {
                let amount = parse_amount("amount", value, "MNT").map_err(SandboxError::invalid)?;
                wish.hundredths = Some(amount);
            }
            "type" => match value.as_str() {
                "P2P" => wish.by_card = false,
                "CARD" => wish.by_card = true,
                _ => return Err(invalid("is neither P2P nor CARD")),
            },
            "status" if is_word(value) => wish.status = Some(value.clone()),
            "currency" if is_word(value) => wish.currency = Some(value.clone()),
            "status" | "currency" => return Err(invalid("is not a word in capitals")),
            "wallet" => wish.wallet = Some(value.clone()),
            "payment_id" if !is_id(value) => return Err(invalid("is not an id")),
            "payment_id" if state.payments.contains_key(value) => return Err(invalid("is used already")),
            "payment_id" => wish.payment_id = Some(value.clone()),
            "failed_before" => match value.parse() {
                Ok(count) if count <= MOST_FAILED => wish.failed_before = count,
                _ => return Err(invalid("is not a number up to 2000")),
            },
            _ => {
                return Err(SandboxError::invalid(format!(
                    "unknown detail {name:?}; there are amount, type, status, currency, wallet, payment_id, failed_before"
                )));
            }
        }
    }
    Ok(wish)
}

fn is_word(text: &str) -> bool {
    (1..=40).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
}

fn is_id(text: &str) -> bool {
    (1..=50).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// What can be done to an invoice as it stands. Paying is always possible: twice, and after the end.
pub(super) fn actions(state: &QPayState, invoice: &Invoice) -> Vec<&'static str> {
    let mut actions = vec!["pay", "pay-by-card", "fail"];
    if state.rows(invoice).any(|row| row.status == "PAID") {
        actions.push("refund");
    }
    if invoice.standing == Standing::Open {
        actions.extend(["pay-on-cancel", "expire"]);
    }
    actions
}
