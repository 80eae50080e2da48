//! The calls that begin a payment.

use serde::Serialize;
use tulbur_qr::{Initiation, Payload, Rules, VietQr};

use super::answer::{Answer, Opened};
use super::call::{Message, Outcome, Refusal};
use super::cards::{CardOutcome, TestCard};
use super::duplicates::{duplicate, is_used};
use super::fields::parse_amount;
use super::order::{ApiOperation, Order, Source};
use super::shared::Gateway;
use super::state::{self, Books, Done, Kind, Payment};
use super::tokens::customer;
use crate::fault::FaultKind;

/// The bank in the sandbox's VietQR codes: the one of the specification's vector.
pub(super) const QR_BANK: &str = "970437";

/// `transaction/pay`: on the page, with a card that the merchant collected, or with a token.
pub(super) fn pay(gateway: &Gateway, message: &Message) -> Result<Outcome, Refusal> {
    // The official Node sample, which calls an old address, sends no apiOperation.
    let plain = message.by_old_address && message.data.optional("apiOperation", 30)?.is_none();
    let operations: &[&str] = if plain { &[] } else { &["PAY", "PAY_WITH_CREATE_TOKEN", "FAST_PAY"] };
    let mut order = Order::read(&message.request_id, &message.data, operations)?;
    order.read_method(&message.data)?;
    let with = match order.read_source(&message.data)? {
        Source::Page => None,
        Source::Card { card, holder } => Some((card, holder, false)),
        Source::Token(token) => {
            let (card, holder) = gateway.card_of(&token)?;
            Some((card, holder, true))
        }
    };
    let fast = order.operation == ApiOperation::FastPay;
    let outcome = gateway.desk.switch("token-charge-outcome");
    let declined = gateway.desk.switch("decline-code");
    let at_once = gateway.desk.switch("token-without-challenge") == "at-once";
    let begun = gateway.begin(Kind::Pay, order, |tx, payment| {
        let Some((card, holder, by_token)) = &with else { return None };
        if !*by_token {
            return state::use_card(tx, &payment.id, card, holder);
        }
        let charge = if outcome == "decline" { CardOutcome::Decline } else { card.charge };
        charge_token(tx, payment, card, holder, charge, &declined, at_once || fast)
    })?;
    let kind = if fast { "fast payment" } else { "payment" };
    let note =
        format!("{kind} over {} opened, it is {}", begun.payment.order.amount, begun.payment.state.name());
    let mut opened = Opened {
        transaction_id: begun.payment.id.clone(),
        endpoint: Some(gateway.endpoint(&begun.payment)),
        ..Opened::default()
    };
    if fast {
        let answer = gateway.desk.switch("fast-pay-answer");
        if answer != "endpoint" {
            opened.endpoint = None;
        }
        if answer == "result" {
            opened.transaction_status.clone_from(&begun.payment.code);
        }
    }
    let mut answer = Answer::with(&opened, note);
    // The leftover of an older version in one example of the guide.
    answer.code = gateway.desk.switch("pay-success-code");
    Ok(Outcome { answer, wait: begun.wait })
}

/// Charges a token: now if the card asks nothing of its holder, else when the holder has answered.
fn charge_token(
    tx: &mut Books<'_>,
    payment: &Payment,
    card: &'static TestCard,
    holder: &str,
    charge: CardOutcome,
    declined: &str,
    at_once: bool,
) -> Option<Done> {
    let challenged =
        card.challenge != super::cards::Challenge::None && payment.order.operation != ApiOperation::FastPay;
    if let Some(payment) = tx.state_mut().payments.get_mut(&payment.id) {
        payment.card = Some(card.id.to_owned());
        holder.clone_into(&mut payment.holder);
        payment.method = Some(card.method.to_owned());
        payment.source = card.source.map(str::to_owned);
        payment.challenged = challenged || !at_once;
    }
    if charge == CardOutcome::Decline {
        return state::end(tx, &payment.id, declined);
    }
    if challenged || !at_once {
        return None;
    }
    state::debit(tx, &payment.id)
}

/// `transaction/payWithOption`: the payer chooses how on the page.
pub(super) fn pay_with_option(gateway: &Gateway, message: &Message) -> Result<Outcome, Refusal> {
    let plain = message.by_old_address && message.data.optional("apiOperation", 30)?.is_none();
    let operations: &[&str] = if plain { &[] } else { &["PAY", "PAY_WITH_CREATE_TOKEN"] };
    let order = Order::read(&message.request_id, &message.data, operations)?;
    gateway.opened(Kind::PayWithOption, order)
}

/// `transaction/payWithQR`: a code that the payer scans.
pub(super) fn pay_with_qr(gateway: &Gateway, message: &Message) -> Result<Outcome, Refusal> {
    let mut order = Order::read(&message.request_id, &message.data, &["PAY"])?;
    order.read_method(&message.data)?;
    if order.currency != "VND" {
        return Err("field orderCurrency must be VND for payWithQR".to_owned().into());
    }
    let pair = (order.method.as_deref().unwrap_or_default(), order.source.as_deref().unwrap_or_default());
    if !matches!(pair, ("QRPAY", "QRPAY") | ("WALLET", "MOMO" | "ZALOPAY" | "GALAXYPAY")) {
        return Err(format!(
            "fields paymentMethod and sourceType are {} and {}; payWithQR takes QRPAY and QRPAY, or WALLET and MOMO, ZALOPAY or GALAXYPAY",
            pair.0, pair.1
        )
        .into());
    }
    gateway.opened(Kind::PayWithQr, order)
}

/// `transaction/checkout`: a page for the modal in the merchant's own page.
pub(super) fn checkout(gateway: &Gateway, message: &Message) -> Result<Outcome, Refusal> {
    let fields = &message.data;
    let mut order = Order::read(&message.request_id, fields, &[])?;
    order.read_method(fields)?;
    let strict = gateway.desk.switch("checkout-amounts") == "mandatory";
    for name in ["orderNetAmount", "orderFeeAmount", "orderDiscountAmount"] {
        match fields.optional(name, 16)? {
            None if strict => return Err(format!("mandatory field {name} is missing").into()),
            // A fee or a discount of nothing is usual.
            None | Some("0") => {}
            Some(text) => {
                parse_amount(name, text, &order.currency)?;
            }
        }
    }
    order.customer = fields.optional("customerToken", 8192)?.map(customer);
    gateway.opened(Kind::Checkout, order)
}

/// `transaction/createPaymentLink`.
pub(super) fn payment_link(gateway: &Gateway, message: &Message) -> Result<Outcome, Refusal> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Link {
        order_no: String,
        short_link: String,
    }

    let order = Order::read_link(&message.request_id, &message.data)?;
    let begun = gateway.begin(Kind::PaymentLink, order, |_, _| None)?;
    let short_link = gateway.endpoint(&begun.payment);
    let note = format!("payment link over {} opened", begun.payment.order.amount);
    Ok(Answer::with(&Link { order_no: begun.payment.id, short_link }, note).into())
}

struct Begun {
    payment: Payment,
    wait: Option<crate::plugin::Ticket>,
}

impl Gateway {
    /// Enters a payment, and does with it in the same change what the call says.
    fn begin(
        &self,
        kind: Kind,
        order: Order,
        then: impl FnOnce(&mut Books<'_>, &Payment) -> Option<Done>,
    ) -> Result<Begun, Refusal> {
        let order_id = order.order_id.clone();
        let watched = matches!(self.desk.switch("duplicate-key").as_str(), "both" | "order-id");
        self.desk.update(|tx| {
            // Looked at again inside the change: two requests may have come at the same moment.
            let used = tx.state().request_ids.contains_key(&order.request_id)
                && matches!(tx.switch("duplicate-key").as_str(), "both" | "request-id");
            if used || watched && is_used(tx, &order_id) {
                return Err(duplicate(&order_id));
            }
            let waits = tx.push_fault_waits(FaultKind::PushBeforeAnswer, &order_id);
            let payment = state::open(tx, kind, order);
            let done = then(tx, &payment);
            let wait = done.and_then(|done| done.ticket).filter(|_| waits);
            let payment = tx.state().payments.get(&payment.id).cloned().unwrap_or(payment);
            Ok(Begun { payment, wait })
        })?
    }

    fn opened(&self, kind: Kind, order: Order) -> Result<Outcome, Refusal> {
        let payment = self.begin(kind, order, |_, _| None)?.payment;
        let note = format!("{} over {} opened", kind.name(), payment.order.amount);
        let endpoint = self.endpoint(&payment);
        let qr_code = match kind {
            Kind::PayWithQr if payment.order.method.as_deref() == Some("QRPAY") => vietqr(&payment),
            Kind::PayWithQr if self.desk.switch("wallet-qr") == "endpoint" => Some(endpoint.clone()),
            _ => None,
        };
        let opened = Opened {
            transaction_id: payment.id,
            endpoint: Some(endpoint),
            qr_code,
            transaction_status: None,
        };
        Ok(Answer::with(&opened, note).into())
    }

    /// The page of a payment. The gateway's own page for a checkout is not known; it is that of pay here.
    pub(super) fn endpoint(&self, payment: &Payment) -> String {
        format!("{}{}", self.desk.base_url(), page_path(payment))
    }
}

/// The path of a payment's page.
pub(super) fn page_path(payment: &Payment) -> String {
    match (payment.kind, &payment.short_code) {
        (Kind::PaymentLink, Some(code)) => format!("/s/{code}"),
        (Kind::PayWithOption, _) => format!("/payWithOption/{}", payment.id),
        _ => format!("/pay/{}", payment.id),
    }
}

/// The VietQR text of a payment: an account of its own, so that money that comes finds its payment.
pub(super) fn vietqr(payment: &Payment) -> Option<String> {
    let account = payment.account.as_deref()?;
    let purpose: String = payment.id.chars().take(25).collect();
    let payload = Payload::builder(Rules::VietQr)
        .initiation(Initiation::Dynamic)
        .vietqr(&VietQr::to_account(QR_BANK, account))
        .amount(&payment.order.amount)
        .purpose(&purpose)
        .build();
    match payload {
        Ok(payload) => Some(payload.to_string()),
        Err(error) => {
            tracing::error!(%error, "a VietQR could not be made");
            None
        }
    }
}
