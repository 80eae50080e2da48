//! Keeps the bank's records, and makes every change to them.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::cards::{CardOutcome, TestCard, code_text};
use crate::error::SandboxError;
use crate::plugin::{PaymentState, Records, Ticket, Timestamp, Transaction};

/// The bank's memory. It is opaque to everybody else; see [`PaymentRecord`](crate::PaymentRecord) for the view.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct BankState {
    /// By `transactionId`, which a merchant can use once.
    pub(super) payments: Records<String, BankPayment>,
    /// From the UUID in a page's address to the `transactionId`.
    pub(super) invoices: Records<String, String>,
    /// From a SocialPay deep link's key to the `transactionId`.
    pub(super) deeplinks: Records<String, String>,
    /// From a card token to the test card that it stands for.
    pub(super) tokens: Records<String, String>,
    next: u64,
}

/// What sort of payment it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Kind {
    /// `/api/invoice`, paid on a page.
    Invoice,
    /// `/api/confirmation`, a card saved on a page.
    CardSetup,
    /// `/api/pay`.
    TokenCharge,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Invoice => "invoice",
            Self::CardSetup => "card-setup",
            Self::TokenCharge => "token-charge",
        }
    }
}

/// How the browser comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum ReturnType {
    Get,
    Post,
    Mobile,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct BankPayment {
    pub(super) number: u64,
    pub(super) transaction_id: String,
    pub(super) kind: Kind,
    /// The characters that the merchant sent; for a card set-up the bank's own small amount.
    pub(super) amount: String,
    pub(super) page: Option<Page>,
    pub(super) created_at: Timestamp,
    pub(super) state: PaymentState,
    pub(super) code: Option<String>,
    pub(super) submitted_at: Option<Timestamp>,
    pub(super) debits: Vec<Timestamp>,
    pub(super) refund_due: Option<Timestamp>,
    pub(super) refunded_at: Option<Timestamp>,
    /// The test card's name, never its number.
    pub(super) card: Option<String>,
    pub(super) holder: String,
    pub(super) token: Option<String>,
}

/// What a payment on a hosted page has beside the others.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Page {
    pub(super) invoice: String,
    pub(super) return_type: ReturnType,
    pub(super) callback: String,
    pub(super) gen_token: bool,
    pub(super) deeplink: Option<String>,
    pub(super) expires_at: Timestamp,
}

impl BankPayment {
    pub(super) fn card(&self) -> Option<&'static TestCard> {
        self.card.as_deref().and_then(TestCard::by_id)
    }

    pub(super) fn masked_card(&self) -> String {
        self.card().map(TestCard::masked).unwrap_or_default()
    }

    pub(super) fn is_paid(&self) -> bool {
        self.state == PaymentState::Paid
    }

    /// Whether the page has run out although nobody has written so yet.
    pub(super) fn is_overdue(&self, now: Timestamp) -> bool {
        self.state == PaymentState::Open && self.page.as_ref().is_some_and(|page| page.expires_at <= now)
    }

    /// The text for its result code; empty without a result.
    pub(super) fn text(&self, mongolian: bool) -> &'static str {
        self.code.as_deref().map_or("", |code| code_text(code, mongolian))
    }

    fn has_result(&self) -> bool {
        matches!(self.state, PaymentState::Paid | PaymentState::Declined)
    }
}

/// A change of the bank's books.
pub(super) type Books<'a> = Transaction<'a, BankState>;

/// A new payment, before the bank numbers it.
pub(super) struct Opening<'a> {
    pub(super) transaction_id: &'a str,
    pub(super) kind: Kind,
    pub(super) amount: String,
    pub(super) page: Option<PageOpening<'a>>,
}

pub(super) struct PageOpening<'a> {
    pub(super) return_type: ReturnType,
    pub(super) callback: &'a str,
    pub(super) gen_token: bool,
    pub(super) deeplink: bool,
}

/// Enters a new payment; `None` if the `transactionId` has been used.
pub(super) fn open(tx: &mut Books<'_>, opening: Opening<'_>) -> Option<BankPayment> {
    if tx.state().payments.contains_key(opening.transaction_id) {
        return None;
    }
    let now = tx.now();
    let seconds = number_switch(tx, "page-seconds");
    let page = opening.page.map(|page| Page {
        invoice: Uuid::new_v4().to_string(),
        return_type: page.return_type,
        callback: page.callback.to_owned(),
        gen_token: page.gen_token,
        deeplink: page.deeplink.then(|| STANDARD.encode(random::<80>())),
        expires_at: now.plus_seconds(seconds),
    });
    let state = tx.state_mut();
    state.next += 1;
    let payment = BankPayment {
        number: state.next,
        transaction_id: opening.transaction_id.to_owned(),
        kind: opening.kind,
        amount: opening.amount,
        page,
        created_at: now,
        state: PaymentState::Open,
        code: None,
        submitted_at: None,
        debits: Vec::new(),
        refund_due: None,
        refunded_at: None,
        card: None,
        holder: String::new(),
        token: None,
    };
    if let Some(page) = &payment.page {
        state.invoices.insert(page.invoice.clone(), payment.transaction_id.clone());
        if let Some(key) = &page.deeplink {
            state.deeplinks.insert(key.clone(), payment.transaction_id.clone());
        }
    }
    state.payments.insert(payment.transaction_id.clone(), payment.clone());
    Some(payment)
}

/// What became of something that a payer or a person did.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) payment: BankPayment,
    pub(super) ticket: Option<Ticket>,
}

/// A payer pays on a page: once, in time, with a test card. Otherwise the payment is given back as it stands.
pub(super) fn submit(
    tx: &mut Books<'_>,
    transaction_id: &str,
    card: &TestCard,
    holder: &str,
) -> Option<Done> {
    let payment = tx.state().payments.get(transaction_id)?.clone();
    if payment.is_overdue(tx.now()) {
        return end(tx, transaction_id, PaymentState::Expired);
    }
    if payment.state != PaymentState::Open {
        return Some(Done { payment, ticket: None });
    }
    if let Some(payment) = tx.state_mut().payments.get_mut(transaction_id) {
        holder.clone_into(&mut payment.holder);
    }
    match card.page {
        CardOutcome::Approve => debit(tx, transaction_id, card),
        CardOutcome::Decline(code) => decline(tx, transaction_id, card, code),
        CardOutcome::Pending => send(tx, transaction_id, card),
    }
}

/// The payment data goes off and no result comes.
pub(super) fn send(tx: &mut Books<'_>, transaction_id: &str, card: &TestCard) -> Option<Done> {
    let now = tx.now();
    let payment = tx.state_mut().payments.get_mut(transaction_id)?;
    payment.state = PaymentState::Sent;
    payment.submitted_at = Some(now);
    payment.card = Some(card.id.to_owned());
    Some(Done { payment: payment.clone(), ticket: None })
}

/// The payer's account is debited and the merchant told: first one, then the other, in one change.
pub(super) fn debit(tx: &mut Books<'_>, transaction_id: &str, card: &TestCard) -> Option<Done> {
    let now = tx.now();
    let refund_after = number_switch(tx, "card-refund-seconds");
    let state = tx.state_mut();
    let payment = state.payments.get_mut(transaction_id)?;
    payment.state = PaymentState::Paid;
    payment.code = Some("000".to_owned());
    payment.submitted_at.get_or_insert(now);
    payment.card = Some(card.id.to_owned());
    payment.debits.push(now);
    if payment.kind == Kind::CardSetup {
        payment.refund_due = Some(now.plus_seconds(refund_after));
    }
    let wants_token =
        payment.kind == Kind::CardSetup || payment.page.as_ref().is_some_and(|page| page.gen_token);
    if wants_token {
        let token = hex::encode(random::<32>());
        payment.token = Some(token.clone());
        state.tokens.insert(token, card.id.to_owned());
    }
    tell(tx, transaction_id)
}

/// The bank refuses for good and tells the merchant.
pub(super) fn decline(tx: &mut Books<'_>, transaction_id: &str, card: &TestCard, code: &str) -> Option<Done> {
    let now = tx.now();
    let payment = tx.state_mut().payments.get_mut(transaction_id)?;
    payment.state = PaymentState::Declined;
    payment.code = Some(code.to_owned());
    payment.submitted_at.get_or_insert(now);
    payment.card = Some(card.id.to_owned());
    tell(tx, transaction_id)
}

/// A payment ends without a result: cancelled by the payer or by the page's clock.
pub(super) fn end(tx: &mut Books<'_>, transaction_id: &str, state: PaymentState) -> Option<Done> {
    let code = tx.switch("canceled-code");
    let payment = tx.state_mut().payments.get_mut(transaction_id)?;
    payment.state = state;
    if code == "none" {
        return Some(Done { payment: payment.clone(), ticket: None });
    }
    payment.code = Some(code);
    tell(tx, transaction_id)
}

fn tell(tx: &mut Books<'_>, transaction_id: &str) -> Option<Done> {
    let ticket = tx.push(transaction_id);
    let payment = tx.state().payments.get(transaction_id)?.clone();
    Some(Done { payment, ticket })
}

/// What happens by itself: pages run out, small amounts go back.
pub(super) fn run_clock(tx: &mut Books<'_>) {
    let now = tx.now();
    let overdue: Vec<String> = tx
        .state()
        .payments
        .values()
        .filter(|payment| payment.is_overdue(now))
        .map(|payment| payment.transaction_id.clone())
        .collect();
    for transaction_id in overdue {
        // Nobody waits for a notification about a page that ran out.
        let _ = end(tx, &transaction_id, PaymentState::Expired);
    }
    for payment in
        tx.state_mut().payments.select_mut(|payment| payment.refund_due.is_some_and(|due| due <= now))
    {
        payment.refund_due = None;
        payment.refunded_at = Some(now);
    }
}

pub(super) fn clock_has_work(state: &BankState, now: Timestamp) -> bool {
    state
        .payments
        .values()
        .any(|payment| payment.is_overdue(now) || payment.refund_due.is_some_and(|due| due <= now))
}

/// Does one of the control page's actions.
pub(super) fn act(
    tx: &mut Books<'_>,
    transaction_id: &str,
    action: &str,
    details: &BTreeMap<String, String>,
) -> Result<String, SandboxError> {
    let Some(payment) = tx.state().payments.get(transaction_id).cloned() else {
        return Err(SandboxError::not_found(format!("there is no payment {transaction_id:?}")));
    };
    let mut card = match payment.card() {
        Some(card) => card,
        None => &super::cards::TEST_CARDS[0],
    };
    let mut code = None;
    for (name, value) in details {
        match name.as_str() {
            "card" => {
                card = TestCard::by_id(value).ok_or_else(|| {
                    let known: Vec<_> = super::cards::TEST_CARDS.iter().map(|card| card.id).collect();
                    SandboxError::invalid(format!(
                        "there is no test card {value:?}; there are {}",
                        known.join(", ")
                    ))
                })?;
            }
            "code" if value != "000" && value.len() == 3 => code = Some(value.clone()),
            "code" => {
                return Err(SandboxError::invalid("a refusal's code has three characters and is not 000"));
            }
            _ => {
                return Err(SandboxError::invalid(format!(
                    "unknown detail {name:?}; there are card and code"
                )));
            }
        }
    }
    if !actions(&payment).contains(&action) {
        return Err(SandboxError::refused(format!(
            "payment {transaction_id:?} is {}, so it cannot be told to {action}",
            payment.state.name()
        )));
    }
    let done = match action {
        "pay" => debit(tx, transaction_id, card),
        "decline" => {
            let own = match card.page {
                CardOutcome::Decline(code) => code,
                CardOutcome::Approve | CardOutcome::Pending => "179",
            };
            decline(tx, transaction_id, card, code.as_deref().unwrap_or(own))
        }
        "send" => send(tx, transaction_id, card),
        "cancel" => end(tx, transaction_id, PaymentState::Canceled),
        "expire" => end(tx, transaction_id, PaymentState::Expired),
        _ => None,
    };
    let state = done.map_or(payment.state, |done| done.payment.state);
    Ok(format!("payment {transaction_id:?} is now {}", state.name()))
}

/// What can be done to a payment as it stands. Paying after the end is there on purpose: money that comes late.
pub(super) fn actions(payment: &BankPayment) -> &'static [&'static str] {
    match payment.state {
        _ if payment.kind == Kind::TokenCharge || payment.has_result() => &[],
        PaymentState::Open => &["pay", "decline", "send", "cancel", "expire"],
        PaymentState::Sent => &["pay", "decline"],
        _ => &["pay"],
    }
}

pub(super) fn number_switch(tx: &Books<'_>, id: &str) -> i64 {
    // The switch takes whole numbers only, so this is about the type, not about a value.
    tx.switch(id).parse().unwrap_or_default()
}

pub(super) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the system has randomness");
    bytes
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::GolomtEcommerce;
    use super::super::cards::TEST_CARDS;
    use super::*;
    use crate::plugin::Desk;
    use crate::room::Room;
    use crate::vault::Vault;

    fn bank_with(id: &str) -> Desk<BankState> {
        let vault = Arc::new(Vault::in_memory());
        let desk = Room::open(Arc::new(GolomtEcommerce::new()), "http://bank".into(), vault).unwrap().desk();
        let page = PageOpening {
            return_type: ReturnType::Get,
            callback: "https://s",
            gen_token: true,
            deeplink: false,
        };
        let opening =
            Opening { transaction_id: id, kind: Kind::Invoice, amount: "10".into(), page: Some(page) };
        assert!(desk.update(|tx| open(tx, opening)).unwrap().is_some());
        desk
    }

    /// Two submits that both saw an open page: the second one finds it done.
    #[test]
    fn a_second_submit_changes_nothing_whatever_the_page_saw() {
        let desk = bank_with("A");
        let submit =
            |card: usize| desk.update(|tx| submit(tx, "A", &TEST_CARDS[card], "X")).unwrap().unwrap().payment;
        let first = submit(0);
        let second = submit(0);
        let third = submit(1);
        assert_eq!(first.debits.len(), 1);
        assert_eq!((second.debits, second.token), (first.debits.clone(), first.token.clone()));
        assert_eq!((third.state, third.debits), (PaymentState::Paid, first.debits));
    }

    #[test]
    fn a_submit_after_the_end_expires_the_payment_instead() {
        let desk = bank_with("A");
        let done = desk
            .update(|tx| {
                let now = tx.now();
                let page = tx.state_mut().payments.get_mut("A").unwrap().page.as_mut().unwrap();
                page.expires_at = now;
                submit(tx, "A", &TEST_CARDS[0], "X")
            })
            .unwrap()
            .unwrap();
        assert_eq!((done.payment.state, done.payment.debits.len()), (PaymentState::Expired, 0));
    }

    #[test]
    fn actions_fit_the_state_they_are_offered_in() {
        for action in ["pay", "decline", "send", "cancel", "expire"] {
            let desk = bank_with("A");
            let act = |action: &str| desk.update(|tx| act(tx, "A", action, &BTreeMap::new())).unwrap();
            act(action).unwrap();
            let payment = desk.read(|state| state.payments.get("A").unwrap().clone());
            for next in ["pay", "decline", "send", "cancel", "expire"] {
                let allowed = actions(&payment).contains(&next);
                if !allowed {
                    assert!(matches!(act(next), Err(SandboxError::Refused { .. })), "{next} after {action}");
                }
            }
            assert_eq!(payment.debits.len(), usize::from(action == "pay"));
        }
    }
}
