//! The calls about a payment that is there: query, refund, capture, void.

use super::answer::{self, Answer};
use super::call::{Message, Outcome, Refusal};
use super::duplicates::{duplicate, is_used, used};
use super::fields::{amount_text, check_date, parse_amount};
use super::shared::Gateway;
use super::state::{self, Books, GatewayState, Kind, Payment, Refund};
use crate::plugin::{PaymentState, Timestamp};

/// One year (documentation, refund-transaction).
const REFUND_WINDOW_DAYS: i64 = 365;

/// What the documentation's list of providers that refund means for a payment: NAPAS, MPGS and CYBS are cards.
const REFUNDABLE: &[&str] = &[
    "MOMO",
    "ZALOPAY",
    "GALAXYPAY",
    "GPAY",
    "APPLE",
    "SAMSUNG",
    "GOOGLE",
    "DOKU",
    "AZUPAY",
    "SMARTRO",
    "PAYU",
];

/// `transaction/query`.
pub(super) fn query(gateway: &Gateway, message: &Message) -> Result<Outcome, Refusal> {
    let id = message.data.required("transactionID", 50)?;
    if let Some(payment) = gateway.live(id)? {
        return Ok(answer::queried(gateway, &payment).into());
    }
    if gateway.desk.switch("unknown-transaction") == "200-without-data" {
        return Ok(Answer::done(format!("there is no transactionID {id:?}")).into());
    }
    Err(unknown(gateway, id))
}

fn unknown(gateway: &Gateway, id: &str) -> Refusal {
    let code = match gateway.desk.switch("unknown-transaction").as_str() {
        "404" => "404",
        _ => "400",
    };
    Refusal::new(code, "Transaction not found")
        .because(format!("there is no transactionID {id:?}; payment links have none either"))
}

impl Gateway {
    /// The payment with this `transactionID`, as it is now: one whose time ran out is ended first.
    fn live(&self, id: &str) -> Result<Option<Payment>, Refusal> {
        let find = |state: &GatewayState| {
            state.payments.get(id).filter(|payment| payment.kind != Kind::PaymentLink).cloned()
        };
        let found = self.desk.read(find);
        if found.as_ref().is_some_and(|payment| payment.is_overdue(self.desk.now())) {
            self.desk.update(state::run_clock)?;
            return Ok(self.desk.read(find));
        }
        Ok(found)
    }

    fn found(&self, id: &str) -> Result<Payment, Refusal> {
        self.live(id)?.ok_or_else(|| unknown(self, id))
    }
}

/// The fields that refund has, and that capture and void are presumed to have.
struct Order<'a> {
    order_id: &'a str,
    hundredths: u64,
}

fn order<'a>(message: &'a Message, payment: &Payment) -> Result<Order<'a>, Refusal> {
    let fields = &message.data;
    let order_id = fields.required("orderID", 50)?;
    let currency = fields.required("orderCurrency", 3)?;
    let amount = fields.required("orderAmount", 16)?;
    let hundredths = parse_amount("orderAmount", amount, currency)?;
    check_date("orderDateTime", fields.required("orderDateTime", 14)?)?;
    fields.required("orderDescription", 250)?;
    if currency != payment.order.currency {
        return Err(format!(
            "field orderCurrency is {currency:?}; the payment is in {}",
            payment.order.currency
        )
        .into());
    }
    Ok(Order { order_id, hundredths })
}

/// `transaction/refund`: all or a part of what was captured, as often as the total allows.
pub(super) fn refund(gateway: &Gateway, message: &Message) -> Result<Outcome, Refusal> {
    let id = message.data.required("transactionID", 50)?;
    let payment = gateway.found(id)?;
    let order = order(message, &payment)?;
    let listed_only = gateway.desk.switch("refund-providers") == "listed";
    if payment.state == PaymentState::Paid && listed_only && !is_refundable(&payment) {
        return Err(Refusal::new("400", "Refund is not supported for this provider").because(format!(
            "payments by {} {} are not in the documentation's list of providers that refund (switch refund-providers)",
            payment.method.as_deref().unwrap_or("an unknown method"),
            payment.source.as_deref().unwrap_or_default()
        )));
    }
    let watched = matches!(gateway.desk.switch("duplicate-key").as_str(), "both" | "order-id");
    gateway.desk.update(|tx| {
        if watched && is_used(tx, order.order_id) {
            return Err(duplicate(order.order_id));
        }
        let now = tx.now();
        let payment = live_in(tx, id)?;
        check_refund(payment, order.hundredths, now)?;
        payment.refunds.push(Refund {
            order_id: order.order_id.to_owned(),
            hundredths: order.hundredths,
            at: now,
        });
        let left = amount_text(payment.captured - payment.refunded());
        let text = format!("refunded {}; {left} is left", amount_text(order.hundredths));
        tx.state_mut().refund_orders.insert(order.order_id.to_owned(), ());
        used(tx, message);
        Ok(Answer::done(text).into())
    })?
}

fn is_refundable(payment: &Payment) -> bool {
    let source = payment.source.as_deref().unwrap_or_default();
    matches!(payment.method.as_deref(), Some("DOMESTIC" | "INTERNATIONAL")) || REFUNDABLE.contains(&source)
}

fn check_refund(payment: &Payment, hundredths: u64, now: Timestamp) -> Result<(), Refusal> {
    if payment.state != PaymentState::Paid {
        let why = format!("the payment is {}; only a captured payment can be refunded", payment.state.name());
        return Err(Refusal::new("400", format!("Refund is not possible: {why}")));
    }
    let window_ends = |paid: Timestamp| paid.plus_seconds(REFUND_WINDOW_DAYS * 86_400);
    if payment.finished_at.is_some_and(|paid| window_ends(paid) < now) {
        return Err(Refusal::new("400", "Refund is not possible: the payment is older than one year"));
    }
    let left = payment.captured - payment.refunded();
    if hundredths > left {
        let why = format!("{} is more than what is left, {}", amount_text(hundredths), amount_text(left));
        return Err(Refusal::new("400", format!("Refund is not possible: {why}")));
    }
    Ok(())
}

/// `transaction/capture`: takes what is held. Its fields are presumed to be those of refund; only the first is needed.
pub(super) fn capture(gateway: &Gateway, message: &Message) -> Result<Outcome, Refusal> {
    let id = message.data.required("transactionID", 50)?;
    let payment = gateway.found(id)?;
    let amount = match message.data.optional("orderAmount", 16)? {
        None => payment.order.hundredths,
        Some(text) => parse_amount("orderAmount", text, &payment.order.currency)?,
    };
    let partly = gateway.desk.switch("partial-capture") == "allowed";
    gateway.desk.update(|tx| {
        let payment = held(tx, id, "capture")?;
        let held = payment.order.hundredths;
        if amount > held || amount < held && !partly {
            return Err(Refusal::new(
                "400",
                format!(
                    "Capture is not possible: {} is not the amount held, {}",
                    amount_text(amount),
                    amount_text(held)
                ),
            ));
        }
        used(tx, message);
        state::capture(tx, id, amount);
        Ok(Answer::done(format!("captured {}", amount_text(amount))).into())
    })?
}

/// `transaction/void`: lets go of what is held, all of it. Path and fields are inferred.
pub(super) fn void(gateway: &Gateway, message: &Message) -> Result<Outcome, Refusal> {
    let id = message.data.required("transactionID", 50)?;
    let payment = gateway.found(id)?;
    if let Some(text) = message.data.optional("orderAmount", 16)?
        && parse_amount("orderAmount", text, &payment.order.currency)? != payment.order.hundredths
    {
        return Err(Refusal::new("400", "Void is not possible: a void covers the whole amount"));
    }
    gateway.desk.update(|tx| {
        held(tx, id, "void")?;
        used(tx, message);
        state::void(tx, id);
        Ok(Answer::done("voided; nothing was debited").into())
    })?
}

fn held<'a>(tx: &'a mut Books<'_>, id: &str, what: &str) -> Result<&'a mut Payment, Refusal> {
    let payment = live_in(tx, id)?;
    if payment.state == PaymentState::Authorized {
        return Ok(payment);
    }
    let why = format!("the payment is {}; only an authorised one has an amount held", payment.state.name());
    Err(Refusal::new("400", format!("The {what} is not possible: {why}")))
}

fn live_in<'a>(tx: &'a mut Books<'_>, id: &str) -> Result<&'a mut Payment, Refusal> {
    tx.state_mut().payments.get_mut(id).ok_or_else(|| Refusal::new("400", "Transaction not found"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::room::Room;
    use crate::vault::Vault;

    #[test]
    fn a_year_after_the_payment_nothing_is_refunded() {
        let room = Room::open(
            Arc::new(super::super::GalaxyPay::new()),
            "http://g".into(),
            Arc::new(Vault::in_memory()),
        );
        let desk = room.unwrap().desk();
        let order = super::super::order::Order {
            order_id: "A".to_owned(),
            amount: "100".to_owned(),
            hundredths: 10_000,
            currency: "VND".to_owned(),
            auto_capture: true,
            ..Default::default()
        };
        let paid = desk.update(|tx| {
            let id = state::open(tx, Kind::PayWithOption, order).id;
            state::debit(tx, &id).unwrap().payment
        });
        let paid = paid.unwrap();
        let after = |days: i64| paid.finished_at.unwrap().plus_seconds(days * 86_400);
        assert!(check_refund(&paid, 10_000, after(365)).is_ok());
        let refusal = check_refund(&paid, 10_000, after(365).plus_seconds(1)).unwrap_err();
        assert_eq!((refusal.code.as_str(), refusal.message.contains("older than one year")), ("400", true));
        assert!(check_refund(&paid, 10_001, after(1)).is_err());
    }
}
