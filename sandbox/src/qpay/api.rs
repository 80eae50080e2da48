//! The addresses of QPay's API, the check of every call, and the answer to what is not there.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use axum::routing::{delete, get, post};

use super::call::{Outcome, Refusal, body_of, write};
use super::session::{self, check};
use super::shared::Bank;
use super::state::QPayState;
use super::{invoices, payments, receipts};

pub(super) fn routes() -> Router<Bank> {
    Router::new()
        .route("/v2/auth/token", post(token))
        .route("/v2/auth/refresh", post(refresh))
        .route("/v2/invoice", post(create_invoice))
        .route("/v2/invoice/{id}", get(read_invoice).delete(cancel_invoice))
        .route("/v2/payment/check", post(check_payments))
        .route("/v2/payment/list", post(list_payments))
        .route("/v2/payment/cancel/{id}", delete(give_back))
        .route("/v2/payment/refund/{id}", delete(give_back))
        .route("/v2/payment/{id}", get(read_payment))
        .route("/v2/ebarimt_v3/create", post(create_receipt))
        .route("/v2/ebarimt_v3/{id}", delete(cancel_receipt))
        .route("/v2/ebarimt/create", post(create_old_receipt))
        .route("/v2/ebarimt/{id}", get(read_old_receipt).delete(cancel_old_receipt))
}

async fn token(State(bank): State<Bank>, headers: HeaderMap) -> Response {
    write(session::log_in(&bank, &headers))
}

async fn refresh(State(bank): State<Bank>, headers: HeaderMap) -> Response {
    write(session::refresh(&bank, &headers))
}

async fn create_invoice(State(bank): State<Bank>, headers: HeaderMap, body: Bytes) -> Response {
    answer(&bank, &headers, || invoices::create(&bank, &body))
}

async fn read_invoice(State(bank): State<Bank>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    answer(&bank, &headers, || invoices::read(&bank, &id))
}

async fn cancel_invoice(State(bank): State<Bank>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    answer(&bank, &headers, || invoices::cancel(&bank, &id))
}

async fn check_payments(State(bank): State<Bank>, headers: HeaderMap, body: Bytes) -> Response {
    answer(&bank, &headers, || payments::check(&bank, &body))
}

async fn list_payments(State(bank): State<Bank>, headers: HeaderMap, body: Bytes) -> Response {
    answer(&bank, &headers, || payments::list(&bank, &body))
}

async fn read_payment(State(bank): State<Bank>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    answer(&bank, &headers, || payments::read(&bank, &id))
}

async fn give_back(
    State(bank): State<Bank>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    answer(&bank, &headers, || payments::give_back(&bank, &id, &body))
}

async fn create_receipt(State(bank): State<Bank>, headers: HeaderMap, body: Bytes) -> Response {
    answer(&bank, &headers, || receipts::create(&bank, &body))
}

async fn cancel_receipt(State(bank): State<Bank>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    answer(&bank, &headers, || receipts::cancel(&bank, &id))
}

async fn create_old_receipt(State(bank): State<Bank>, headers: HeaderMap, body: Bytes) -> Response {
    answer(&bank, &headers, || receipts::create_old(&bank, &body))
}

async fn read_old_receipt(State(bank): State<Bank>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    answer(&bank, &headers, || receipts::read_old(&bank, &id))
}

async fn cancel_old_receipt(
    State(bank): State<Bank>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    answer(&bank, &headers, || receipts::cancel_old(&bank, &id))
}

/// Checks the token, carries the call out, and lets the switch `answer-code` speak instead where it is set.
fn answer(bank: &Bank, headers: &HeaderMap, operation: impl FnOnce() -> Outcome) -> Response {
    if let Err(refusal) = check(bank, headers) {
        return write(Err(refusal));
    }
    let wish = bank.desk.switch("answer-code");
    if wish == "normal" {
        return write(operation());
    }
    let refusal = Refusal::code(&wish, "the switch answer-code says so");
    if bank.desk.switch("answer-code-effect") == "nothing-done" {
        return write(Err(refusal));
    }
    write(match operation() {
        Ok(done) => Err(refusal.also(&format!("carried out all the same: {}", done.note()))),
        Err(refused) => Err(refused),
    })
}

/// An address, or a method of an address, that QPay does not have: 404 with an error body.
pub(super) async fn nothing_here(uri: Uri) -> Response {
    let why = match uri.path() {
        path if path.starts_with("/v2/payment/get/") => {
            "there is no /payment/get/{id}; it is GET /v2/payment/{id}"
        }
        "/v2/payment/cancel" | "/v2/payment/refund" => "the payment_id belongs into the path",
        path if path.starts_with("/v2/") => "QPay has no such address, or not with this method",
        _ => "the API lives under /v2/; the bank app is /-/bank-app",
    };
    write(Err(Refusal::trouble(404, "NOT_FOUND", why)))
}

/// Trouble that the host meets, in QPay's words where it has some.
pub(super) fn trouble(status: StatusCode, message: &str) -> Response {
    let name = match status.as_u16() {
        401 => "NO_CREDENTIALS",
        500.. => "SYSTEM_BUSY",
        403 => "PERMISSION_DENIED",
        _ => "OBJECT_DATA_ERROR",
    };
    write(Err(Refusal::trouble(status.as_u16(), name, message)))
}

/// The invoice that a request is about, as the control API calls it.
pub(super) fn subject(state: &QPayState, path: &str, body: &[u8]) -> Option<String> {
    let field = |name: &str| {
        let fields = body_of(body).ok()?;
        fields.optional(name, 100).ok()?.map(str::to_owned)
    };
    let rest = path.strip_prefix("/v2/")?;
    let id = match rest {
        "auth/token" | "auth/refresh" | "payment/list" => return None,
        "invoice" => return field("sender_invoice_no"),
        "payment/check" => field("object_id")?,
        "ebarimt_v3/create" | "ebarimt/create" => field("payment_id")?,
        _ => rest.rsplit('/').next()?.to_owned(),
    };
    let by_receipt = || state.receipts.get(&id).map(|receipt| receipt.payment_id.as_str());
    let payment = state.payments.get(&id).or_else(|| state.payments.get(by_receipt()?));
    let invoice_id = payment.map_or(id.as_str(), |payment| payment.invoice_id.as_str());
    state.invoices.get(invoice_id).map(|invoice| invoice.reference.clone())
}
