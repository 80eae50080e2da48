//! The calls that a merchant's server makes.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use axum::routing::post;

use super::answer::{self, Answer, Shape};
use super::call::{Operation, Refusal};
use super::cards::{CardOutcome, TestCard};
use super::request::{Fields, check_amount};
use super::settlement;
use super::shared::{Bank, PUSH_PATIENCE};
use super::state::{self, BankPayment, BankState, Books, Kind, Opening, PageOpening, ReturnType};
use crate::fault::FaultKind;
use crate::plugin::{Call, Note};

pub(super) fn routes() -> Router<Bank> {
    Router::new()
        .route(Operation::Invoice.path(), post(invoice))
        .route(Operation::Inquiry.path(), post(inquiry))
        .route(Operation::Confirmation.path(), post(confirmation))
        .route(Operation::GetToken.path(), post(get_token))
        .route(Operation::Pay.path(), post(pay))
        .route(Operation::Check.path(), post(check))
        .route(Operation::Settlement.path(), post(settlement::list))
}

impl Bank {
    fn check_transaction_id(&self, text: &str) -> Result<(), Refusal> {
        let strict = self.desk.switch("transaction-id") == "strict";
        if strict && (text.len() > 15 || !text.bytes().all(|byte| byte.is_ascii_alphanumeric())) {
            return Err(Refusal::validation(format!(
                "transactionId {text:?} must be fewer than 16 letters and digits (switch transaction-id is strict)"
            )));
        }
        Ok(())
    }

    /// The payment with this `transactionId` if its sort is one that the call knows.
    fn find(&self, transaction_id: &str, knows: &[Kind]) -> Result<BankPayment, Refusal> {
        let found = self.desk.read(|state| state.payments.get(transaction_id).cloned());
        match found {
            None => {
                Err(Refusal::not_found(format!("there is no payment with transactionId {transaction_id:?}")))
            }
            Some(payment) if !knows.contains(&payment.kind) => Err(Refusal::not_found(format!(
                "transactionId {transaction_id:?} is a {}, and this call does not know those unless a switch says so",
                payment.kind.name()
            ))),
            Some(payment) => Ok(payment),
        }
    }

    fn switched_on(&self, switch: &str) -> bool {
        self.desk.switch(switch) == "yes"
    }
}

/// Explains an accepted call in the log, with what a developer may not have meant to send.
fn accepted(mut response: Response, what: String, operation: Operation, fields: &Fields) -> Response {
    let known = [operation.covered(), operation.others()].concat();
    let unknown = fields.unknown(&known);
    let text = match unknown.as_slice() {
        [] => what,
        names => format!("{what}; ignored, because this call does not know them: {}", names.join(", ")),
    };
    response.extensions_mut().insert(Note::accepted(text));
    response
}

fn yes_or_no(fields: &Fields, name: &str) -> Result<bool, Refusal> {
    match fields.optional(name).map_err(Refusal::validation)? {
        None | Some("N") => Ok(false),
        Some("Y") => Ok(true),
        Some(other) => Err(Refusal::validation(format!("{name} is {other:?}; it must be \"Y\" or \"N\""))),
    }
}

fn way_back(fields: &Fields) -> Result<(ReturnType, &str), Refusal> {
    let return_type = match fields.required("returnType", false).map_err(Refusal::validation)? {
        "GET" => ReturnType::Get,
        "POST" => ReturnType::Post,
        "MOBILE" => ReturnType::Mobile,
        other => {
            return Err(Refusal::validation(format!(
                "returnType is {other:?}; it must be GET, POST or MOBILE"
            )));
        }
    };
    let callback = fields.required("callback", false).map_err(Refusal::validation)?;
    let scheme = url::Url::parse(callback)
        .map_err(|error| Refusal::validation(format!("callback {callback:?} is not an address: {error}")))?
        .scheme()
        .to_owned();
    let fits = match return_type {
        ReturnType::Get | ReturnType::Post => matches!(scheme.as_str(), "http" | "https"),
        ReturnType::Mobile => {
            !matches!(scheme.as_str(), "javascript" | "data" | "vbscript" | "file" | "blob" | "about")
        }
    };
    if fits {
        Ok((return_type, callback))
    } else {
        Err(Refusal::validation(format!(
            "callback {callback:?} does not fit its returnType: scheme {scheme}"
        )))
    }
}

async fn invoice(
    State(bank): State<Bank>,
    Extension(call): Extension<Call>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let outcome = (|| {
        let fields = bank.admit(Operation::Invoice, &headers, &body)?;
        let transaction_id = fields.required("transactionId", false).map_err(Refusal::validation)?;
        bank.check_transaction_id(transaction_id)?;
        let amount = fields.required("amount", true).map_err(Refusal::validation)?;
        check_amount(amount).map_err(Refusal::validation)?;
        let (return_type, callback) = way_back(&fields)?;
        let page = PageOpening {
            return_type,
            callback,
            gen_token: yes_or_no(&fields, "genToken")?,
            deeplink: yes_or_no(&fields, "socialDeeplink")?,
        };
        let opening =
            Opening { transaction_id, kind: Kind::Invoice, amount: amount.to_owned(), page: Some(page) };
        let payment = bank
            .desk
            .update(|tx| state::open(tx, opening))?
            .ok_or_else(|| Refusal::duplicate(transaction_id))?;
        let response = answer::opened(&payment, &bank.secret, call.tamper);
        Ok(accepted(response, format!("invoice over {amount} opened"), Operation::Invoice, &fields))
    })();
    bank.answer(Operation::Invoice, outcome)
}

async fn confirmation(
    State(bank): State<Bank>,
    Extension(call): Extension<Call>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let outcome = (|| {
        let fields = bank.admit(Operation::Confirmation, &headers, &body)?;
        let transaction_id = fields.required("transactionId", false).map_err(Refusal::validation)?;
        bank.check_transaction_id(transaction_id)?;
        let (return_type, callback) = way_back(&fields)?;
        let page = PageOpening { return_type, callback, gen_token: true, deeplink: false };
        let [byte] = state::random::<1>();
        let amount = format!("{}.00", u32::from(byte) % 99 + 1);
        let opening = Opening { transaction_id, kind: Kind::CardSetup, amount, page: Some(page) };
        let payment = bank
            .desk
            .update(|tx| state::open(tx, opening))?
            .ok_or_else(|| Refusal::duplicate(transaction_id))?;
        let response = answer::opened(&payment, &bank.secret, call.tamper);
        Ok(accepted(response, "page for saving a card opened".to_owned(), Operation::Confirmation, &fields))
    })();
    bank.answer(Operation::Confirmation, outcome)
}

async fn inquiry(
    State(bank): State<Bank>,
    Extension(call): Extension<Call>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let outcome = (|| {
        let fields = bank.admit(Operation::Inquiry, &headers, &body)?;
        let transaction_id = fields.required("transactionId", false).map_err(Refusal::validation)?;
        let mut knows = vec![Kind::Invoice];
        if bank.switched_on("inquiry-knows-token-payments") {
            knows.push(Kind::TokenCharge);
        }
        let payment = bank.find(transaction_id, &knows)?;
        let response =
            answer::result(&payment, Answer::Inquiry, &bank.secret, &Shape::of(&bank.desk), call.tamper);
        Ok(accepted(
            response,
            format!("the payment is {}", payment.state.name()),
            Operation::Inquiry,
            &fields,
        ))
    })();
    bank.answer(Operation::Inquiry, outcome)
}

async fn check(
    State(bank): State<Bank>,
    Extension(call): Extension<Call>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let outcome = (|| {
        let fields = bank.admit(Operation::Check, &headers, &body)?;
        let transaction_id = fields.required("transactionId", false).map_err(Refusal::validation)?;
        let mut knows = vec![Kind::TokenCharge];
        if bank.switched_on("check-knows-page-payments") {
            knows.push(Kind::Invoice);
        }
        let payment = bank.find(transaction_id, &knows)?;
        let response =
            answer::result(&payment, Answer::Check, &bank.secret, &Shape::of(&bank.desk), call.tamper);
        Ok(accepted(response, format!("the payment is {}", payment.state.name()), Operation::Check, &fields))
    })();
    bank.answer(Operation::Check, outcome)
}

async fn get_token(
    State(bank): State<Bank>,
    Extension(call): Extension<Call>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let outcome = (|| {
        let fields = bank.admit(Operation::GetToken, &headers, &body)?;
        let transaction_id = fields.required("transactionId", false).map_err(Refusal::validation)?;
        let mut knows = vec![Kind::CardSetup];
        if bank.switched_on("get-token-knows-page-payments") {
            knows.push(Kind::Invoice);
        }
        let payment = bank.find(transaction_id, &knows)?;
        let response = answer::saved_card(&payment, &bank.secret, &Shape::of(&bank.desk), call.tamper);
        Ok(accepted(
            response,
            format!("the card's page is {}", payment.state.name()),
            Operation::GetToken,
            &fields,
        ))
    })();
    bank.answer(Operation::GetToken, outcome)
}

async fn pay(
    State(bank): State<Bank>,
    Extension(call): Extension<Call>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let outcome = charge(&bank, &headers, &body);
    let outcome = match outcome {
        Ok((done, waits, mongolian, fields)) => {
            if let Some(ticket) = done.ticket.filter(|_| waits) {
                bank.desk.wait_for_push(&ticket, PUSH_PATIENCE).await;
            }
            let answer = Answer::Pay { mongolian };
            let response =
                answer::result(&done.payment, answer, &bank.secret, &Shape::of(&bank.desk), call.tamper);
            Ok(accepted(
                response,
                format!("the charge is {}", done.payment.state.name()),
                Operation::Pay,
                &fields,
            ))
        }
        Err(refusal) => Err(refusal),
    };
    bank.answer(Operation::Pay, outcome)
}

/// Charges a token: the payment is entered and decided in one change. Also says whether the notification must have
/// arrived before the answer, and in which language the answer's text is.
fn charge(
    bank: &Bank,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<(state::Done, bool, bool, Fields), Refusal> {
    let fields = bank.admit(Operation::Pay, headers, body)?;
    let transaction_id = fields.required("transactionId", false).map_err(Refusal::validation)?;
    bank.check_transaction_id(transaction_id)?;
    let amount = fields.required("amount", true).map_err(Refusal::validation)?;
    check_amount(amount).map_err(Refusal::validation)?;
    let mongolian = match fields.optional("lang").map_err(Refusal::validation)? {
        None | Some("" | "MN") => true,
        Some("EN") => false,
        Some(other) => {
            return Err(Refusal::validation(format!("lang is {other:?}; it must be \"MN\" or \"EN\"")));
        }
    };
    let token = fields.required("token", false).map_err(Refusal::validation)?;
    let known = |state: &BankState| state.tokens.get(token).and_then(|card| TestCard::by_id(card));
    let Some(card) = bank.desk.read(known) else {
        return Err(Refusal::validation(
            "no card has this token; the bank's own answer to that is not known (assumption)",
        ));
    };
    let outcome = match bank.desk.switch("token-charge-outcome").as_str() {
        "decline-179" => CardOutcome::Decline("179"),
        "decline-300" => CardOutcome::Decline("300"),
        _ => card.charge,
    };
    let (done, waits) = bank.desk.update(|tx: &mut Books<'_>| {
        let opening =
            Opening { transaction_id, kind: Kind::TokenCharge, amount: amount.to_owned(), page: None };
        if state::open(tx, opening).is_none() {
            return (None, false);
        }
        let waits = tx.push_fault_waits(FaultKind::PushBeforeAnswer, transaction_id);
        let done = match outcome {
            CardOutcome::Decline(code) => state::decline(tx, transaction_id, card, code),
            CardOutcome::Approve | CardOutcome::Pending => state::debit(tx, transaction_id, card),
        };
        (done, waits)
    })?;
    let done = done.ok_or_else(|| Refusal::duplicate(transaction_id))?;
    Ok((done, waits, mongolian, fields))
}

/// An address that the bank does not have.
pub(super) async fn nothing_here(State(bank): State<Bank>, uri: Uri) -> Response {
    answer::error(StatusCode::NOT_FOUND, uri.path(), "there is nothing at this address", bank.desk.now())
}

/// The API takes POST only, also for what looks like reading.
pub(super) async fn wrong_method(State(bank): State<Bank>, uri: Uri) -> Response {
    let message = "this address does not take this method; the API takes POST only, pages take GET";
    answer::error(StatusCode::METHOD_NOT_ALLOWED, uri.path(), message, bank.desk.now())
}
