//! Keeps the gateway's records, and makes every change to them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::cards::{CardOutcome, Challenge, TestCard};
use super::order::{ApiOperation, Order};
use crate::plugin::{PaymentState, Records, Ticket, Timestamp, Transaction};

/// The four digits with which tokens and payment-link numbers begin.
pub(super) const MERCHANT_NUMBER: &str = "3235";
/// How often a payer may mistype a password.
const OTP_TRIES: u8 = 3;

/// The gateway's memory. It is opaque to everybody else; see [`PaymentRecord`](crate::PaymentRecord) for the view.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct GatewayState {
    /// By `transactionID`; a payment link by its `orderNo`.
    pub(super) payments: Records<String, Payment>,
    /// From the merchant's `orderID` to the payment that was touched last.
    pub(super) orders: Records<String, String>,
    /// Every `requestID` of a call that changed something.
    pub(super) request_ids: Records<String, ()>,
    /// Every `orderID` that a refund has used.
    pub(super) refund_orders: Records<String, ()>,
    /// From the account in a VietQR to the payment.
    pub(super) accounts: Records<String, String>,
    /// From the code in a short address to the payment link.
    pub(super) links: Records<String, String>,
    pub(super) tokens: Records<String, SavedCard>,
    next: u64,
    next_token: u64,
}

/// What a token stands for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct SavedCard {
    /// `tokenID` of queryTokens.
    pub(super) id: u64,
    /// The test card's name, never its number.
    pub(super) card: String,
    pub(super) holder: String,
    pub(super) customer: Option<String>,
}

/// What sort of payment it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Kind {
    Pay,
    PayWithOption,
    PayWithQr,
    Checkout,
    PaymentLink,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Pay => "pay",
            Self::PayWithOption => "pay-with-option",
            Self::PayWithQr => "pay-with-qr",
            Self::Checkout => "checkout",
            Self::PaymentLink => "payment-link",
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Payment {
    pub(super) number: u64,
    pub(super) id: String,
    pub(super) kind: Kind,
    pub(super) order: Order,
    pub(super) created_at: Timestamp,
    pub(super) expires_at: Timestamp,
    pub(super) state: PaymentState,
    pub(super) code: Option<String>,
    /// When it got its result.
    pub(super) finished_at: Option<Timestamp>,
    pub(super) debits: Vec<Timestamp>,
    /// Captured so far, in hundredths of the currency's unit.
    pub(super) captured: u64,
    pub(super) voided_at: Option<Timestamp>,
    pub(super) refunds: Vec<Refund>,
    /// The test card's name, never its number; while a challenge is open, the card that is challenged.
    pub(super) card: Option<String>,
    pub(super) holder: String,
    /// Whether the card's holder is being asked to prove who they are.
    pub(super) challenged: bool,
    pub(super) tries: u8,
    /// What the payer used.
    pub(super) method: Option<String>,
    pub(super) source: Option<String>,
    /// The payer wants a linked card.
    pub(super) links_card: bool,
    pub(super) token: Option<String>,
    pub(super) account: Option<String>,
    pub(super) short_code: Option<String>,
    /// What the payer of a link typed.
    pub(super) payer: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Refund {
    pub(super) order_id: String,
    pub(super) hundredths: u64,
    pub(super) at: Timestamp,
}

impl Payment {
    pub(super) fn card(&self) -> Option<&'static TestCard> {
        self.card.as_deref().and_then(TestCard::by_id)
    }

    pub(super) fn challenge(&self) -> Option<&'static TestCard> {
        self.card().filter(|_| self.challenged && self.state == PaymentState::Open)
    }

    /// Whether the page has run out although nobody has written so yet.
    pub(super) fn is_overdue(&self, now: Timestamp) -> bool {
        self.state == PaymentState::Open && self.expires_at <= now
    }

    pub(super) fn refunded(&self) -> u64 {
        self.refunds.iter().map(|refund| refund.hundredths).sum()
    }

    pub(super) fn saves_card(&self) -> bool {
        self.order.operation == ApiOperation::PayWithCreateToken
    }
}

/// A change of the gateway's books.
pub(super) type Books<'a> = Transaction<'a, GatewayState>;

/// What became of something that a payer or a person did.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) payment: Payment,
    pub(super) ticket: Option<Ticket>,
}

impl Done {
    fn unchanged(payment: Payment) -> Self {
        Self { payment, ticket: None }
    }
}

/// Enters a new payment.
pub(super) fn open(tx: &mut Books<'_>, kind: Kind, order: Order) -> Payment {
    let now = tx.now();
    let seconds = order.link.as_ref().map_or_else(|| number_switch(tx, "page-seconds"), |link| link.seconds);
    let id = match kind {
        // 4 digits of the merchant, the day, 13 digits of Unix milliseconds (specification, 4).
        Kind::PaymentLink => unused(tx, |shift| {
            let at = now.plus_millis(shift);
            format!("{MERCHANT_NUMBER}{}{:013}", at.format("%Y%m%d", 7), at.as_millis())
        }),
        _ => unused(tx, |_| format!("{}{}", now.format("%y%m%d", 7), digits::<19>())),
    };
    let state = tx.state_mut();
    state.next += 1;
    let has_qr = match &order.link {
        Some(link) => link.methods.iter().any(|method| method == "QRPAY"),
        None => matches!(order.method.as_deref(), None | Some("QRPAY")),
    };
    let payment = Payment {
        number: state.next,
        id: id.clone(),
        kind,
        created_at: now,
        expires_at: now.plus_seconds(seconds),
        state: PaymentState::Open,
        code: None,
        finished_at: None,
        debits: Vec::new(),
        captured: 0,
        voided_at: None,
        refunds: Vec::new(),
        card: None,
        holder: String::new(),
        challenged: false,
        tries: 0,
        method: None,
        source: None,
        links_card: false,
        token: None,
        account: (has_qr && order.currency == "VND").then(|| format!("99{}", digits::<11>())),
        short_code: (kind == Kind::PaymentLink).then(|| hex::encode(random::<5>())),
        payer: BTreeMap::new(),
        order,
    };
    if let Some(account) = &payment.account {
        state.accounts.insert(account.clone(), id.clone());
    }
    if let Some(code) = &payment.short_code {
        state.links.insert(code.clone(), id.clone());
    }
    state.orders.insert(payment.order.order_id.clone(), id.clone());
    state.request_ids.insert(payment.order.request_id.clone(), ());
    state.payments.insert(id, payment.clone());
    payment
}

fn unused(tx: &Books<'_>, make: impl Fn(i64) -> String) -> String {
    (0..i64::MAX).map(make).find(|id| !tx.state().payments.contains_key(id)).unwrap_or_default()
}

/// A payer gives a card: on the page, through the merchant, or as a token.
pub(super) fn use_card(tx: &mut Books<'_>, id: &str, card: &TestCard, holder: &str) -> Option<Done> {
    let payment = tx.state_mut().payments.get_mut(id)?;
    if payment.state != PaymentState::Open {
        return Some(Done::unchanged(payment.clone()));
    }
    payment.card = Some(card.id.to_owned());
    holder.clone_into(&mut payment.holder);
    payment.method = Some(card.method.to_owned());
    let ordered = payment.order.source.clone().filter(|_| card.is_domestic());
    payment.source = ordered.or_else(|| card.source.map(str::to_owned));
    payment.tries = 0;
    if card.challenge != Challenge::None && payment.order.operation != ApiOperation::FastPay {
        payment.challenged = true;
        return Some(Done::unchanged(payment.clone()));
    }
    settle_card(tx, id, card.page)
}

/// The card's issuer decides.
pub(super) fn settle_card(tx: &mut Books<'_>, id: &str, outcome: CardOutcome) -> Option<Done> {
    match outcome {
        CardOutcome::Approve => debit(tx, id),
        CardOutcome::Decline => {
            let code = tx.switch("decline-code");
            end(tx, id, &code)
        }
        CardOutcome::Pending => send(tx, id),
    }
}

/// The payer answers a challenge.
pub(super) fn prove(tx: &mut Books<'_>, id: &str, passed: bool) -> Option<Done> {
    let payment = tx.state_mut().payments.get_mut(id)?;
    let Some(card) = payment.challenge() else { return Some(Done::unchanged(payment.clone())) };
    if passed {
        payment.challenged = false;
        return settle_card(tx, id, card.page);
    }
    payment.tries += 1;
    if card.challenge == Challenge::Otp && payment.tries < OTP_TRIES {
        return Some(Done::unchanged(payment.clone()));
    }
    end(tx, id, "505")
}

/// The payer pays otherwise than by card.
pub(super) fn use_app(tx: &mut Books<'_>, id: &str, method: &str, source: &str) -> Option<Done> {
    let payment = tx.state_mut().payments.get_mut(id)?;
    if payment.state != PaymentState::Open {
        return Some(Done::unchanged(payment.clone()));
    }
    payment.method = Some(method.to_owned());
    payment.source = Some(source.to_owned());
    debit(tx, id)
}

/// The payment goes off and no result comes.
pub(super) fn send(tx: &mut Books<'_>, id: &str) -> Option<Done> {
    let payment = tx.state_mut().payments.get_mut(id)?;
    payment.state = PaymentState::Sent;
    payment.challenged = false;
    Some(Done::unchanged(payment.clone()))
}

/// The payer's account is debited, or the amount held, and the merchant told: in one change.
pub(super) fn debit(tx: &mut Books<'_>, id: &str) -> Option<Done> {
    let now = tx.now();
    let wants_token = tx.switch("token-creation") == "created";
    let state = tx.state_mut();
    let payment = state.payments.get_mut(id)?;
    payment.code = Some("200".to_owned());
    payment.finished_at = Some(now);
    payment.challenged = false;
    let holds = !payment.order.auto_capture;
    if holds {
        payment.state = PaymentState::Authorized;
    } else {
        payment.state = PaymentState::Paid;
        payment.captured = payment.order.hundredths;
        payment.debits.push(now);
    }
    let card = payment
        .card
        .clone()
        .filter(|_| payment.token.is_none() && (payment.links_card || payment.saves_card() && wants_token));
    if let Some(card) = card {
        let customer = payment.order.customer.clone().filter(|_| payment.links_card);
        let token = save_card(state, &card, id, customer);
        if let Some(payment) = state.payments.get_mut(id) {
            payment.token = Some(token);
        }
    }
    let notifies = !holds || tx.switch("authorized-ipn") == "yes";
    tell(tx, id, notifies)
}

fn save_card(state: &mut GatewayState, card: &str, payment: &str, customer: Option<String>) -> String {
    let holder = state.payments.get(payment).map(|payment| payment.holder.clone()).unwrap_or_default();
    new_token(state, card, holder, customer)
}

/// A token: 4 digits of the merchant and 32 capital hexadecimal digits (specification, 4, inferred).
pub(super) fn new_token(
    state: &mut GatewayState,
    card: &str,
    holder: String,
    customer: Option<String>,
) -> String {
    let token = format!("{MERCHANT_NUMBER}{}", hex::encode_upper(random::<16>()));
    state.next_token += 1;
    let saved = SavedCard { id: state.next_token, card: card.to_owned(), holder, customer };
    state.tokens.insert(token.clone(), saved);
    token
}

/// A payment ends with one of the other codes.
pub(super) fn end(tx: &mut Books<'_>, id: &str, code: &str) -> Option<Done> {
    let now = tx.now();
    let payment = tx.state_mut().payments.get_mut(id)?;
    payment.state = match code {
        "408" => PaymentState::Expired,
        "499" => PaymentState::Canceled,
        _ => PaymentState::Declined,
    };
    payment.code = Some(code.to_owned());
    payment.finished_at = Some(now);
    payment.challenged = false;
    let notifies = tx.switch("ipn-on-failure") == "yes";
    tell(tx, id, notifies)
}

/// Takes all or a part of what is held.
pub(super) fn capture(tx: &mut Books<'_>, id: &str, hundredths: u64) -> Option<Done> {
    let now = tx.now();
    let payment = tx.state_mut().payments.get_mut(id)?;
    payment.state = PaymentState::Paid;
    payment.captured = hundredths;
    payment.debits.push(now);
    let notifies = tx.switch("capture-ipn") == "yes";
    tell(tx, id, notifies)
}

/// Lets go of what is held.
pub(super) fn void(tx: &mut Books<'_>, id: &str) -> Option<Done> {
    let now = tx.now();
    let code = tx.switch("voided-status");
    let payment = tx.state_mut().payments.get_mut(id)?;
    payment.state = PaymentState::Canceled;
    payment.voided_at = Some(now);
    payment.code = Some(code);
    let notifies = tx.switch("void-ipn") == "yes";
    tell(tx, id, notifies)
}

fn tell(tx: &mut Books<'_>, id: &str, notifies: bool) -> Option<Done> {
    let order = tx.state().payments.get(id)?.order.order_id.clone();
    // A notification is named by the order, and with some switches an order may have several payments.
    tx.state_mut().orders.insert(order.clone(), id.to_owned());
    let ticket = if notifies { tx.push(&order) } else { None };
    let payment = tx.state().payments.get(id)?.clone();
    Some(Done { payment, ticket })
}

/// What happens by itself: pages run out.
pub(super) fn run_clock(tx: &mut Books<'_>) {
    let now = tx.now();
    let overdue: Vec<String> = tx
        .state()
        .payments
        .values()
        .filter(|payment| payment.is_overdue(now))
        .map(|payment| payment.id.clone())
        .collect();
    for id in overdue {
        // Nobody waits for a notification about a page that ran out.
        let _ = end(tx, &id, "408");
    }
}

pub(super) fn clock_has_work(state: &GatewayState, now: Timestamp) -> bool {
    state.payments.values().any(|payment| payment.is_overdue(now))
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

/// Decimal digits. That a byte's ten values are not equally likely does not matter to an id.
fn digits<const N: usize>() -> String {
    random::<N>().iter().map(|byte| char::from(b'0' + byte % 10)).collect()
}
