//! Describes QPay on the control page: credentials, switches, actions, invoices, the account's tokens.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::act::{SESSION, SESSION_ACTIONS, actions};
use super::answer::money;
use super::settings::{PROVIDER_ID, QPay};
use super::state::{Invoice, QPayState, Standing};
use super::switches;
use crate::fault::FaultKind;
use crate::galaxy_pay::fields::amount_text;
use crate::plugin::{PaymentRecord, Profile};

/// What the request log does not show: tokens, and what receipts and receivers say of people.
const SEALED: &[&str] = &[
    "access_token",
    "refresh_token",
    "password",
    "client_secret",
    "register",
    "name",
    "email",
    "phone",
    "address",
    "city",
    "district",
    "street",
    "building",
    "zipcode",
    "longitude",
    "latitude",
    "tax_customer_code",
    "ebarimt_receiver",
    "ebarimt_receiver_phone",
    "ebarimt_sent_email",
    "ebarimt_lottery",
    "ebarimt_qr_data",
    "qr_image",
];

pub(super) fn profile(account: &QPay) -> Profile {
    let mut profile = Profile::new(PROVIDER_ID, "QPay")
        .credential("username", &account.username)
        .credential("password", &account.password)
        .credential("invoice_code", &account.invoice_code)
        .credential("vat_invoice_code", &account.vat_invoice_code)
        .api_prefix("/v2/")
        .action(
            "pay",
            "a payer pays what is left, or once more; also after the end (details: amount, type P2P or CARD, status, currency, wallet, payment_id, failed_before)",
        )
        .action("pay-by-card", "the same by card, which can be given back through the API")
        .action("fail", "an attempt to pay fails; the invoice stays open (details as for pay)")
        .action("refund", "QPay gives the last payment back, also a transfer (detail: payment_id)")
        .action("pay-on-cancel", "a payer pays in the moment in which the merchant cancels (details as for pay)")
        .action("expire", "the invoice's time is over")
        .action(SESSION_ACTIONS[0], "for the reference session: every access token's time is over")
        .action(SESSION_ACTIONS[1], "for the reference session: no token is good, only a login helps");
    profile.faults = FaultKind::WIRE.to_vec();
    profile.faults.extend([
        FaultKind::PushLost,
        FaultKind::PushDoubled,
        FaultKind::PushDelayed,
        FaultKind::PushForeignId,
    ]);
    profile.faults.extend(FaultKind::ENTRANCE);
    profile.sealed_fields = SEALED.iter().map(|name| (*name).to_owned()).collect();
    profile.switches = switches::all();
    profile
        .note("base address", "the address above; every call is under /v2/")
        .note("bank app", "/-/bank-app plays the payer's bank app and reads the QR's text; qPay_shortUrl leads there")
        .note("logins", "the record session counts logins, refreshes and refusals")
        .note("callbacks", "go to callback_url with qpay_payment_id in the query; without one, to the address set here")
        .note("signatures", "QPay has none; a refused request says why in the request log")
        .note(
            "validation",
            "of the types in error bodies only MIN_NUMBER is known; REQUIRED, MAX_LENGTH, MAX_NUMBER, INVALID and NOT_UNIQUE are the sandbox's own (assumption)",
        )
        .note("expiry", "enable_expiry and expiry_date are kept and echoed; what they do is not known, so nothing expires by itself")
        .note("second refresh", "a refresh token that was used is answered with 401 (assumption)")
        .note("cancel and refund", "of a payment do the same: how they differ is not known")
        .note("receipts", "a second create answers with the same receipt (assumption); the receiver is kept masked")
}

/// The account's tokens first, once somebody has asked for one; then the invoices, oldest first.
pub(super) fn records(state: &QPayState) -> Vec<PaymentRecord> {
    let mut invoices: Vec<&Invoice> = state.invoices.values().collect();
    invoices.sort_by_key(|invoice| invoice.count);
    let invoices = invoices.into_iter().map(|invoice| record(state, invoice));
    session(state).into_iter().chain(invoices).collect()
}

fn session(state: &QPayState) -> Option<PaymentRecord> {
    let session = &state.session;
    let since = session.since?;
    let mut record = PaymentRecord::new(SESSION, SESSION, SESSION, "", since)
        .detail("logins", session.logins)
        .detail("refusedLogins", session.refused_logins)
        .detail("refreshes", session.refreshes)
        .detail("refusedRefreshes", session.refused_refreshes)
        .detail("refusedCalls", session.refused_calls)
        .detail("tokens", session.tokens());
    record.actions = SESSION_ACTIONS.map(str::to_owned).into();
    Some(record)
}

fn record(state: &QPayState, invoice: &Invoice) -> PaymentRecord {
    let order = &invoice.order;
    let rows: Vec<_> = state.rows(invoice).collect();
    let taken = || rows.iter().filter(|row| row.was_paid());
    let payments: Vec<Value> = rows
        .iter()
        .map(|row| {
            json!({
                "payment_id": row.id, "payment_status": row.status, "payment_amount": money(row.hundredths),
                "payment_currency": row.currency, "payment_type": row.kind(),
            })
        })
        .collect();
    let receipts = state.receipts.values();
    let receipts = receipts.filter(|receipt| invoice.payments.contains(&receipt.payment_id)).count();
    let qr = utf8_percent_encode(&invoice.qr_text, NON_ALPHANUMERIC);
    let amount = amount_text(order.hundredths);
    let mut record =
        PaymentRecord::new(&invoice.id, &invoice.reference, "invoice", &amount, invoice.created_at)
            .detail("invoice_id", invoice.id.as_str())
            .detail("sender_invoice_no", order.number.as_str())
            .detail("invoice_code", order.invoice_code.as_str())
            .detail("vat", order.vat)
            .detail("standing", standing(invoice))
            .detail("paid", money(state.paid(invoice)))
            .detail("qr", invoice.qr_text.as_str())
            .detail("payments", payments)
            .detail("receipts", receipts);
    record.state = state.state_of(invoice);
    record.code = rows.last().map(|row| row.status.clone());
    record.debits = u32::try_from(taken().count()).unwrap_or(u32::MAX);
    record.debited_at = taken().map(|row| row.at).next();
    record.actions = actions(state, invoice).into_iter().map(str::to_owned).collect();
    record.pages.insert("list of bank apps".to_owned(), format!("/s/{}", invoice.short_code));
    record.pages.insert("bank app".to_owned(), format!("/-/bank-app?qr={qr}"));
    record
}

fn standing(invoice: &Invoice) -> &'static str {
    match invoice.standing {
        Standing::Open => "open",
        Standing::Closed => "closed",
        Standing::Canceled => "canceled",
        Standing::Expired => "expired",
    }
}
