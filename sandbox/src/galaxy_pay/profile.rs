//! Describes the gateway on the control page: credentials, switches, test cards, payments.

use super::act::actions;
use super::cards::TEST_CARDS;
use super::fields::amount_text;
use super::pay::{page_path, vietqr};
use super::settings::PROVIDER_ID;
use super::state::{GatewayState, Kind, Payment, Refund};
use super::switches;
use crate::fault::FaultKind;
use crate::plugin::{PaymentRecord, PaymentState, Profile};

/// What the request log does not show: of calls, of answers, of forms.
const SEALED: &[&str] = &[
    "apiKey",
    "token",
    "customerToken",
    "cardNumber",
    "cardHolderName",
    "cardExpireDate",
    "cardVerificationValue",
    "accountName",
    "number",
    "date",
    "holder",
    "cvv",
    "otp",
];

pub(super) fn sealed_fields() -> Vec<String> {
    SEALED.iter().map(|name| (*name).to_owned()).collect()
}

pub(super) fn profile(api_key: &str, salt: &str) -> Profile {
    let mut profile = Profile::new(PROVIDER_ID, "Galaxy Pay")
        .credential("api_key", api_key)
        .credential("salt", salt)
        .api_prefix("/api/")
        .action(
            "pay",
            "the payer pays; also after the end, as money that comes late (details: card, or method and source)",
        )
        .action("decline", "the provider refuses (detail: code)")
        .action("send", "the payment goes off and has no result yet")
        .action("cancel", "the payer gives up (499)")
        .action("expire", "the time runs out now (408)")
        .action("end", "ends with any code of the table (detail: code)")
        .fault(FaultKind::AnswerWrongChecksum)
        .fault(FaultKind::AnswerTamperedAmount)
        .fault(FaultKind::PushTamperedAmount)
        .fault(FaultKind::PushWrongKey);
    profile.sealed_fields = sealed_fields();
    profile.switches = switches::all();
    for card in TEST_CARDS {
        profile = profile.note(
            &format!("card {}", card.grouped()),
            &format!("{}: {} (date {}, CVV {})", card.id, card.text, card.date, card.cvv),
        );
    }
    profile
        .note("OTP", "the literal text otp; three wrong ones end the payment with 505")
        .note("VietQR", "paid on /-/bank-app, which plays the payer's bank app and reads the QR's text")
        .note("notifications", "go to the order's ipnURL, else to the address set here, before the browser goes back (assumption)")
        .note("duplicates", "requestID is looked at for calls that change something (assumption)")
        .note("wording", "of the results only those of 200 and 499 are the guide's words; the rest are the sandbox's own")
        .note("404, 405, 500", "are no codes of the gateway; unknown addresses and the sandbox's own trouble use them")
        .note("a payment's end", "is final: a new try needs a new order (assumption)")
        .note("one card at a time", "dates and CVV may be anything of the right shape (assumption)")
}

pub(super) fn records(state: &GatewayState) -> Vec<PaymentRecord> {
    let mut payments: Vec<&Payment> = state.payments.values().collect();
    payments.sort_by_key(|payment| payment.number);
    payments.into_iter().map(record).collect()
}

/// Each refund's `orderID`, and how much it gave back.
fn refund_orders(payment: &Payment) -> serde_json::Map<String, serde_json::Value> {
    let named = |refund: &Refund| (refund.order_id.clone(), amount_text(refund.hundredths).into());
    payment.refunds.iter().map(named).collect()
}

fn record(payment: &Payment) -> PaymentRecord {
    let order = &payment.order;
    let mut record = PaymentRecord::new(
        &payment.id,
        &order.order_id,
        payment.kind.name(),
        &order.amount,
        payment.created_at,
    )
    .detail("orderID", order.order_id.as_str())
    .detail("requestID", order.request_id.as_str())
    .detail("orderNumber", order.order_number.as_deref())
    .detail("currency", order.currency.as_str())
    .detail("apiVersion", order.api_version)
    .detail("paymentMethod", payment.method.as_deref().or(order.method.as_deref()))
    .detail("sourceType", payment.source.as_deref().or(order.source.as_deref()))
    .detail("card", payment.card.as_deref())
    .detail("hasToken", payment.token.is_some())
    .detail("subMerchant", order.sub_merchant.as_deref())
    .detail("authorized", payment.state == PaymentState::Authorized)
    .detail("captured", amount_text(payment.captured))
    .detail("refunded", amount_text(payment.refunded()))
    .detail("refunds", payment.refunds.len())
    .detail("refundOrders", refund_orders(payment))
    .detail("voidedAt", payment.voided_at.map(|at| at.to_string()));
    let id = if payment.kind == Kind::PaymentLink { "orderNo" } else { "transactionID" };
    record = record.detail(id, payment.id.as_str());
    record.state = payment.state;
    record.code.clone_from(&payment.code);
    record.debited_at = payment.debits.first().copied();
    record.debits = u32::try_from(payment.debits.len()).unwrap_or(u32::MAX);
    record.actions = actions(payment).iter().map(|action| (*action).to_owned()).collect();
    record.expires_at = Some(payment.expires_at);
    for (name, language) in [("page vi", "vi"), ("page en", "en")] {
        record.pages.insert(name.to_owned(), format!("{}?lang={language}", page_path(payment)));
    }
    if let Some(text) = vietqr(payment) {
        let text = percent_encoding::utf8_percent_encode(&text, percent_encoding::NON_ALPHANUMERIC);
        record.pages.insert("bank app".to_owned(), format!("/-/bank-app?qr={text}"));
    }
    record
}
