//! The bank's side: an HTTP server with its books in memory. It shares no code with the provider.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures_util::FutureExt as _;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tulbur_conformance::OtherSideFault;
use tulbur_core::Url;

use super::KEY;

#[derive(Debug, Default)]
pub(super) struct Payment {
    pub(super) amount: i64,
    code: Option<String>,
    save: bool,
    later: bool,
    token: Option<String>,
    pub(super) debits: u32,
    pub(super) refunds: BTreeMap<String, i64>,
}

#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) payments: BTreeMap<String, Payment>,
    /// Card tokens, and whether they are declined.
    tokens: BTreeMap<String, bool>,
    pub(super) received: Vec<(String, String)>,
    pub(super) faults: Vec<(OtherSideFault, String, String)>,
    pub(super) notify: Option<String>,
}

/// The running bank. It ends with its runtime.
#[derive(Debug)]
pub(super) struct Bank {
    pub(super) base: Url,
    ledger: Arc<Mutex<Ledger>>,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Drop for Bank {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

type Books = Arc<Mutex<Ledger>>;

fn lock(books: &Books) -> MutexGuard<'_, Ledger> {
    books.lock().unwrap_or_else(PoisonError::into_inner)
}

fn hmac(text: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(KEY.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

impl Bank {
    pub(super) fn start() -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let ledger = Books::default();
        let router = Router::new()
            .route("/invoice", post(invoice))
            .route("/payment", get(payment))
            .route("/charge", post(charge))
            .route("/refund", post(refund))
            .route("/capture", post(hold))
            .route("/void", post(hold))
            .route("/cancel", post(hold))
            .route("/forget", post(forget))
            .with_state(Arc::clone(&ledger));
        let listener = runtime.block_on(tokio::net::TcpListener::bind(("127.0.0.1", 0))).unwrap();
        let base = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        runtime.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { base, ledger, runtime: Some(runtime) }
    }

    pub(super) fn books(&self) -> MutexGuard<'_, Ledger> {
        lock(&self.ledger)
    }

    /// Gives a payment its result, and writes the notification of it.
    pub(super) fn settle(
        &self,
        reference: &str,
        code: &str,
        declines_later: bool,
    ) -> Result<Option<(String, String)>, String> {
        let mut books = self.books();
        let notify = books.notify.clone();
        let payment = books.payments.get_mut(reference).ok_or("there is no such payment")?;
        // Money that is to be taken later is only held.
        let code = if code == "000" && payment.later { "100" } else { code };
        payment.code = Some(code.to_owned());
        let amount = payment.amount.to_string();
        if code == "000" {
            payment.debits += 1;
            if payment.save {
                let token = format!("card-token-{reference}");
                payment.token = Some(token.clone());
                books.tokens.insert(token, declines_later);
            }
        }
        let sum = hmac(&format!("{reference}{code}{amount}"));
        let letter = json!({ "ref": reference, "code": code, "amount": amount, "sum": sum, "bank": "Toy" });
        Ok(notify.map(|address| (address, letter.to_string())))
    }

    /// Sends a notification and waits for its answer, so that two of them arrive in their order.
    pub(super) async fn post(&self, letter: Option<(String, String)>) {
        let Some((address, body)) = letter else { return };
        let url = Url::parse(&address).unwrap();
        let host = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
        // The merchant's server may be gone by now; then nobody hears of it.
        let Ok(mut stream) = TcpStream::connect(&host).await else { return };
        let head = format!(
            "POST {} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            url.path(),
            body.len()
        );
        stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        drop(stream.read(&mut [0; 64]).await);
    }
}

fn no(status: u16, error: &str) -> Response {
    let status = StatusCode::from_u16(status).unwrap();
    (status, json!({ "error": error }).to_string()).into_response()
}

/// Checks the signature, notes the request, does it, and lets its answer go wrong if that was ordered.
fn serve(
    books: &Books,
    uri: &Uri,
    headers: &HeaderMap,
    signed: &str,
    reference: &str,
    act: impl FnOnce(&mut Ledger) -> Response,
) -> Response {
    let mut books = lock(books);
    books.received.push((uri.path().to_owned(), reference.to_owned()));
    let given = headers.get("x-sum").and_then(|sum| sum.to_str().ok());
    if given != Some(hmac(signed).as_str()) {
        return no(401, "signature");
    }
    let answer = act(&mut books);
    let ordered = books.faults.iter().position(|(_, path, about)| *path == uri.path() && *about == reference);
    match ordered.map(|at| books.faults.remove(at).0) {
        Some(OtherSideFault::AnswerLost) => {
            // A body that fails before its first byte: the connection is cut.
            let broken = futures_util::stream::once(async { Err::<Bytes, _>(std::io::Error::other("cut")) });
            Body::from_stream(broken).into_response()
        }
        Some(_) => no(500, "internal"),
        None => signed_answer(answer),
    }
}

/// The answer with the checksum of its body in a header. Whether anybody looks at it is the provider's flaw or not.
fn signed_answer(answer: Response) -> Response {
    let (mut head, body) = answer.into_parts();
    let whole = axum::body::to_bytes(body, usize::MAX).now_or_never().expect("the body is there already");
    let body = whole.expect("it is in memory");
    let sum = hmac(std::str::from_utf8(&body).expect("it is JSON"));
    head.headers.insert("x-sum", sum.parse().expect("it is hexadecimal"));
    Response::from_parts(head, body.into())
}

fn parse(body: &Bytes) -> Value {
    serde_json::from_slice(body).unwrap_or_default()
}

fn describe(reference: &str, payment: &Payment) -> Response {
    let refunded: i64 = payment.refunds.values().sum();
    json!({
        "ref": reference,
        "amount": payment.amount.to_string(),
        "code": payment.code,
        "token": payment.token,
        "refunded": refunded.to_string(),
    })
    .to_string()
    .into_response()
}

async fn invoice(State(books): State<Books>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let request = parse(&body);
    let reference = request["ref"].as_str().unwrap_or_default();
    let text = String::from_utf8_lossy(&body);
    serve(&books, &uri, &headers, &text, reference, |books| {
        if books.payments.contains_key(reference) {
            return no(409, "duplicate");
        }
        if reference.len() != 32 {
            return no(422, "reference");
        }
        let amount = request["amount"].as_str().and_then(|amount| amount.parse().ok()).unwrap_or(0);
        let (save, later) = (request["save"] == true, request["later"] == true);
        books.payments.insert(reference.to_owned(), Payment { amount, save, later, ..Payment::default() });
        json!({ "ref": reference, "id": format!("inv-{reference}"), "amount": amount.to_string() })
            .to_string()
            .into_response()
    })
}

async fn payment(State(books): State<Books>, uri: Uri, headers: HeaderMap) -> Response {
    let query = uri.query().unwrap_or_default();
    let reference = query.strip_prefix("ref=").unwrap_or_default();
    serve(&books, &uri, &headers, query, reference, |books| match books.payments.get(reference) {
        Some(payment) => describe(reference, payment),
        None => no(404, "unknown"),
    })
}

async fn charge(State(books): State<Books>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let request = parse(&body);
    let reference = request["ref"].as_str().unwrap_or_default();
    let text = String::from_utf8_lossy(&body);
    serve(&books, &uri, &headers, &text, reference, |books| {
        if books.payments.contains_key(reference) {
            return no(409, "duplicate");
        }
        let Some(declined) = request["token"].as_str().and_then(|token| books.tokens.get(token)) else {
            return no(422, "token");
        };
        let code = if *declined { "179" } else { "000" };
        let amount = request["amount"].as_str().and_then(|amount| amount.parse().ok()).unwrap_or(0);
        let debits = u32::from(code == "000");
        let payment = Payment { amount, code: Some(code.into()), debits, ..Payment::default() };
        let answer = describe(reference, &payment);
        books.payments.insert(reference.to_owned(), payment);
        answer
    })
}

async fn refund(State(books): State<Books>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let request = parse(&body);
    let reference = request["ref"].as_str().unwrap_or_default();
    let text = String::from_utf8_lossy(&body);
    serve(&books, &uri, &headers, &text, reference, |books| {
        let amount: i64 = request["amount"].as_str().and_then(|amount| amount.parse().ok()).unwrap_or(0);
        let operation = request["op"].as_str().unwrap_or_default();
        let Some(payment) = books.payments.get_mut(reference).filter(|payment| payment.debits > 0) else {
            return no(422, "not paid");
        };
        if payment.refunds.contains_key(operation) {
            return no(409, "duplicate");
        }
        if payment.refunds.values().sum::<i64>() + amount > payment.amount {
            return no(422, "too much");
        }
        payment.refunds.insert(operation.to_owned(), amount);
        json!({ "ref": reference, "amount": amount.to_string(), "done": true }).to_string().into_response()
    })
}

/// Takes held money, lets it go, or takes back an invoice.
async fn hold(State(books): State<Books>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let request = parse(&body);
    let reference = request["ref"].as_str().unwrap_or_default();
    let text = String::from_utf8_lossy(&body);
    serve(&books, &uri, &headers, &text, reference, |books| {
        let Some(payment) = books.payments.get_mut(reference) else { return no(404, "unknown") };
        let code = match (uri.path(), payment.code.as_deref()) {
            ("/capture", Some("100")) => {
                payment.debits += 1;
                "000"
            }
            ("/void", Some("100")) | ("/cancel", None) => "801",
            _ => return no(422, "not held"),
        };
        payment.code = Some(code.into());
        describe(reference, payment)
    })
}

async fn forget(State(books): State<Books>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let request = parse(&body);
    let text = String::from_utf8_lossy(&body);
    serve(&books, &uri, &headers, &text, "", |books| {
        match books.tokens.remove(request["token"].as_str().unwrap_or_default()) {
            Some(_) => json!({ "ref": "", "done": true }).to_string().into_response(),
            None => no(422, "token"),
        }
    })
}
