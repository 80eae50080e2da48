//! The calls that a merchant's server makes: who may, what is taken, and the way of each through the gateway.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;

use super::answer::{self, Answer};
use super::call::{Message, Outcome, Refusal};
use super::fields::{Fields, check_date};
use super::order::{CHECKOUT_FIELDS, LINK_ORDER_FIELDS, METHOD_FIELDS, ORDER_FIELDS, SOURCE_FIELDS};
use super::shared::{Gateway, PUSH_PATIENCE};
use super::signature::{explain, signature};
use super::state::GatewayState;
use super::{manage, pay, profile, tokens};
use crate::plugin::{Call, Note};

/// The gateway's calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Pay,
    PayWithOption,
    PayWithQr,
    Checkout,
    CreatePaymentLink,
    Query,
    Refund,
    Capture,
    Void,
    CreateToken,
    DeleteToken,
    QueryTokens,
    RemoveToken,
}

use Operation::{
    Capture, Checkout, CreatePaymentLink, CreateToken, DeleteToken, Pay, PayWithOption, PayWithQr, Query,
    QueryTokens, Refund, RemoveToken, Void,
};

const MANAGE_FIELDS: &[&str] =
    &["transactionID", "orderID", "orderAmount", "orderCurrency", "orderDateTime", "orderDescription"];
const CARD_FIELDS: &[&str] =
    &["paymentMethod", "cardNumber", "cardHolderName", "cardExpireDate", "cardVerificationValue"];

impl Operation {
    const ALL: &[Self] = &[
        Pay,
        PayWithOption,
        PayWithQr,
        Checkout,
        CreatePaymentLink,
        Query,
        Refund,
        Capture,
        Void,
        CreateToken,
        DeleteToken,
        QueryTokens,
        RemoveToken,
    ];

    /// Its address, and behind it older ones that public samples call (specification, 6).
    const fn paths(self) -> &'static [&'static str] {
        match self {
            Pay => &["/api/v1/transaction/pay", "/api/v1.0/Merchant/Pay", "/pay"],
            PayWithOption => &["/api/v1/transaction/payWithOption", "/payWithOption"],
            PayWithQr => &["/api/v1/transaction/payWithQR"],
            Checkout => &["/api/v1/transaction/checkout"],
            CreatePaymentLink => &["/api/v1/transaction/createPaymentLink"],
            Query => &["/api/v1/transaction/query"],
            Refund => &["/api/v1/transaction/refund"],
            Capture => &["/api/v1/transaction/capture"],
            Void => &["/api/v1/transaction/void"],
            CreateToken => &["/api/v1/tokenization/createToken"],
            DeleteToken => &["/api/v1/tokenization/deleteToken", "/api/v1/token/remove"],
            QueryTokens => &["/api/v1/tokenization/queryTokens"],
            RemoveToken => &["/api/v1/tokenization/removeToken"],
        }
    }

    /// The names that its `requestData` may have.
    const fn fields(self) -> &'static [&'static [&'static str]] {
        match self {
            Pay => &[ORDER_FIELDS, METHOD_FIELDS, SOURCE_FIELDS],
            PayWithOption => &[ORDER_FIELDS],
            PayWithQr => &[ORDER_FIELDS, METHOD_FIELDS],
            Checkout => &[ORDER_FIELDS, METHOD_FIELDS, CHECKOUT_FIELDS],
            CreatePaymentLink => &[LINK_ORDER_FIELDS],
            Query => &[&["transactionID"]],
            Refund | Capture | Void => &[MANAGE_FIELDS],
            CreateToken => &[CARD_FIELDS],
            DeleteToken => &[&["token"]],
            QueryTokens => &[&["customerToken"]],
            RemoveToken => &[&["customerToken", "tokenID"]],
        }
    }

    /// Whether its `requestID` counts as used afterwards.
    const fn writes(self) -> bool {
        !matches!(self, Query | QueryTokens)
    }

    /// The switch without which its address does not exist, where only analogy says that it does.
    const fn switch(self) -> Option<&'static str> {
        match self {
            Void => Some("void-path"),
            RemoveToken => Some("remove-token-path"),
            _ => None,
        }
    }
}

pub(super) fn routes() -> Router<Gateway> {
    let mut router = Router::new();
    for operation in Operation::ALL {
        for path in operation.paths() {
            let handler = move |State(gateway): State<Gateway>,
                                Extension(call): Extension<Call>,
                                uri: Uri,
                                headers: HeaderMap,
                                body: Bytes| async move {
                handle(&gateway, *operation, call, &uri, &headers, &body).await
            };
            router = router.route(path, post(handler));
        }
    }
    router
}

async fn handle(
    gateway: &Gateway,
    operation: Operation,
    call: Call,
    uri: &Uri,
    headers: &HeaderMap,
    body: &[u8],
) -> Response {
    if operation.switch().is_some_and(|switch| gateway.desk.switch(switch) == "not-there") {
        return nothing_here(State(gateway.clone()), uri.clone()).await;
    }
    let mut request_id = String::new();
    let outcome = admit(gateway, headers, body, &mut request_id).and_then(|mut message| {
        message.by_old_address = operation.paths().first() != Some(&uri.path());
        run(gateway, operation, &message)
    });
    match outcome {
        Ok(outcome) => {
            if let Some(ticket) = &outcome.wait {
                gateway.desk.wait_for_push(ticket, PUSH_PATIENCE).await;
            }
            let mut response = answer::write(gateway, &request_id, &outcome.answer, call.tamper);
            response.extensions_mut().insert(Note::accepted(outcome.answer.note));
            response
        }
        Err(refusal) => {
            let answer = Answer {
                code: refusal.code,
                message: refusal.message.clone(),
                data: None,
                tampered: None,
                note: String::new(),
            };
            let mut response = answer::write(gateway, &request_id, &answer, call.tamper);
            response.extensions_mut().insert(Note::refused(refusal.explanation.unwrap_or(refusal.message)));
            response
        }
    }
}

fn run(gateway: &Gateway, operation: Operation, message: &Message) -> Result<Outcome, Refusal> {
    let wish = gateway.desk.switch("answer-code");
    let wished = (wish != "normal").then(|| {
        Refusal::new(&wish, format!("{wish} as the switch answer-code says"))
            .because(format!("the switch answer-code answers every call with {wish}"))
    });
    if let Some(refusal) = wished {
        if gateway.desk.switch("answer-code-effect") == "carried-out" {
            let carried_out = perform(gateway, operation, message)?;
            let note = format!("carried out all the same: {}", carried_out.answer.note);
            return Err(refusal.because(note));
        }
        return Err(refusal);
    }
    let mut outcome = perform(gateway, operation, message)?;
    let unknown = message.data.unknown(operation.fields());
    if !unknown.is_empty() {
        let names = unknown.join(", ");
        outcome.answer.note += "; ignored, because this call does not know them: ";
        outcome.answer.note += &names;
    }
    Ok(outcome)
}

fn perform(gateway: &Gateway, operation: Operation, message: &Message) -> Result<Outcome, Refusal> {
    if operation.writes() {
        gateway.check_request_id(&message.request_id)?;
    }
    match operation {
        Pay => pay::pay(gateway, message),
        PayWithOption => pay::pay_with_option(gateway, message),
        PayWithQr => pay::pay_with_qr(gateway, message),
        Checkout => pay::checkout(gateway, message),
        CreatePaymentLink => pay::payment_link(gateway, message),
        Query => manage::query(gateway, message),
        Refund => manage::refund(gateway, message),
        Capture => manage::capture(gateway, message),
        Void => manage::void(gateway, message),
        CreateToken => tokens::create(gateway, message),
        DeleteToken => tokens::delete(gateway, message),
        QueryTokens => tokens::query(gateway, message),
        RemoveToken => tokens::remove(gateway, message),
    }
}

/// Checks who calls, the signature over the body's bytes as they came, and the envelope.
fn admit(
    gateway: &Gateway,
    headers: &HeaderMap,
    body: &[u8],
    request_id: &mut String,
) -> Result<Message, Refusal> {
    let fields = Fields::parse(body);
    if let Ok(fields) = &fields
        && let Ok(Some(id)) = fields.optional("requestID", 50)
    {
        id.clone_into(request_id);
    }
    check_api_key(gateway, headers)?;
    let given = header_text(headers, "signature");
    if given.is_empty() {
        return Err(Refusal::new("401", "Invalid signature: the header signature is missing"));
    }
    if given != signature(&gateway.salt, body) {
        let message = format!(
            "Invalid signature: it must cover the body's {} bytes as sent, with the salt behind them; the sandbox's request log says more",
            body.len()
        );
        let why = explain(body, &gateway.salt, &gateway.api_key, &given, &profile::sealed_fields());
        return Err(Refusal::new("401", message).because(why));
    }
    let fields = fields?;
    let request_id = fields.required("requestID", 50)?.to_owned();
    check_date("requestDateTime", fields.required("requestDateTime", 14)?)?;
    let data =
        fields.object("requestData")?.ok_or_else(|| "mandatory field requestData is missing".to_owned())?;
    Ok(Message { by_old_address: false, request_id, data })
}

fn header_text(headers: &HeaderMap, name: &str) -> String {
    headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).unwrap_or_default()
}

fn check_api_key(gateway: &Gateway, headers: &HeaderMap) -> Result<(), Refusal> {
    let given = header_text(headers, "apikey");
    let why = match given.as_str() {
        key if key == gateway.api_key => return Ok(()),
        "" => "the header apiKey is missing",
        key if key == gateway.salt => "the header apiKey holds the salt; send the API key",
        key if key.trim().trim_matches('"') == gateway.api_key => {
            "the header apiKey holds the API key with quotation marks or blanks around it"
        }
        _ if headers.contains_key(header::AUTHORIZATION) => {
            "the header apiKey is not this merchant's key; the header Authorization is not used here"
        }
        _ => "the header apiKey is not this merchant's API key",
    };
    Err(Refusal::new("401", format!("Invalid API key: {why}")))
}

/// An address that the gateway does not have.
pub(super) async fn nothing_here(State(gateway): State<Gateway>, uri: Uri) -> Response {
    let message = format!("there is nothing at {}", uri.path());
    trouble(StatusCode::NOT_FOUND, &message, gateway.desk.now())
}

/// The API takes POST only, also for what looks like reading.
pub(super) async fn wrong_method(State(gateway): State<Gateway>) -> Response {
    let message = "this address does not take this method; the API takes POST only, pages take GET";
    trouble(StatusCode::METHOD_NOT_ALLOWED, message, gateway.desk.now())
}

/// Trouble that is not in the gateway's table of codes: an envelope whose code is the HTTP status (assumption).
pub(super) fn trouble(status: StatusCode, message: &str, now: crate::plugin::Timestamp) -> Response {
    let body = answer::envelope("", status.as_str(), message, None, now);
    (status, [(header::CONTENT_TYPE, "application/json; charset=utf-8")], body).into_response()
}

/// The payment that a request is about, as the merchant calls it.
pub(super) fn subject(state: &GatewayState, path: &str, body: &[u8]) -> Option<String> {
    let known = Operation::ALL.iter().any(|operation| operation.paths().contains(&path));
    if known {
        let data = Fields::parse(body).ok()?.object("requestData").ok()??;
        if let Ok(Some(id)) = data.optional("transactionID", 50)
            && let Some(payment) = state.payments.get(id)
        {
            return Some(payment.order.order_id.clone());
        }
        return data.optional("orderID", 50).ok()?.map(str::to_owned);
    }
    let id = path.rsplit('/').next()?;
    let id = state.links.get(id).map_or(id, String::as_str);
    state.payments.get(id).map(|payment| payment.order.order_id.clone())
}
