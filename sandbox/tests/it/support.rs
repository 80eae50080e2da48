//! A merchant for the tests: signs and checks with its own few lines, never with the sandbox's.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::header::HeaderMap as Headers;
use serde_json::{Value, json};
use sha2::Sha256;
use tulbur_sandbox::{Provider, Sandbox};

pub(crate) const BANK: &str = "golomt-ecommerce";
pub(crate) const SUCCESS: &str = "9999 9900 0000 0006";
pub(crate) const DECLINE: &str = "9999 9900 0000 0014";
pub(crate) const EXPIRED: &str = "9999 9900 0000 0022";
pub(crate) const PENDING: &str = "9999 9900 0000 0030";
pub(crate) const TOKEN_DECLINED: &str = "9999 9900 0000 0048";

pub(crate) const INVOICE: &[&str] = &["transactionId", "amount", "returnType", "callback"];
pub(crate) const TWICE: &[&str] = &["transactionId", "transactionId"];
pub(crate) const CONFIRMATION: &[&str] = &["transactionId", "returnType", "callback"];
pub(crate) const PAY: &[&str] = &["amount", "transactionId", "token"];
pub(crate) const RESULT: &[&str] = &["transactionId", "errorCode", "amount", "token"];

pub(crate) fn sign(secret: &str, message: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(message.as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

/// The values of some members as they are joined for a checksum: null and absent contribute nothing.
pub(crate) fn joined(body: &Value, fields: &[&str]) -> String {
    fields
        .iter()
        .map(|field| match &body[*field] {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => String::new(),
        })
        .collect()
}

#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Headers,
    pub(crate) text: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {:?}", self.text))
    }

    pub(crate) fn location(&self) -> &str {
        self.headers["location"].to_str().unwrap()
    }
}

pub(crate) struct Merchant {
    pub(crate) base: String,
    pub(crate) token: String,
    pub(crate) secret: String,
    pub(crate) http: reqwest::Client,
}

pub(crate) fn http() -> reqwest::Client {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .timeout(Duration::from_secs(20))
        .build()
        .unwrap()
}

impl Merchant {
    pub(crate) fn of(sandbox: &Sandbox) -> Self {
        let bank = sandbox.provider(BANK).unwrap();
        Self {
            base: bank.base_url().to_owned(),
            token: bank.credentials()["token"].clone(),
            secret: bank.credentials()["secret"].clone(),
            http: http(),
        }
    }

    pub(crate) async fn send(&self, path: &str, body: impl Into<reqwest::Body>) -> reqwest::Result<Reply> {
        let response = self
            .http
            .post(format!("{}{path}", self.base))
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "application/json")
            .body(body)
            .send()
            .await?;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        Ok(Reply { status, headers, text: response.text().await? })
    }

    /// Signs the named members of a body and sends it.
    pub(crate) async fn call(&self, path: &str, body: Value, covered: &[&str]) -> Reply {
        self.try_call(path, body, covered).await.unwrap()
    }

    pub(crate) async fn try_call(
        &self,
        path: &str,
        mut body: Value,
        covered: &[&str],
    ) -> reqwest::Result<Reply> {
        body["checksum"] = sign(&self.secret, &joined(&body, covered)).into();
        self.send(path, body.to_string()).await
    }

    /// Checks an answer's checksum over the members as they were received.
    pub(crate) fn verify(&self, body: &Value, covered: &[&str]) {
        assert_eq!(body["checksum"], sign(&self.secret, &joined(body, covered)), "{body}");
    }

    /// Opens an invoice and gives the id in its page's address.
    pub(crate) async fn invoice(&self, id: &str) -> String {
        self.invoice_with(id, json!({})).await
    }

    pub(crate) async fn invoice_with(&self, id: &str, extra: Value) -> String {
        let mut body = json!({
            "transactionId": id, "amount": "1500.00", "returnType": "GET", "callback": "https://shop.example/back",
            "genToken": "N",
        });
        for (name, value) in extra.as_object().unwrap() {
            body[name] = value.clone();
        }
        let reply = self.call("/api/invoice", body, INVOICE).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        self.verify(&reply.json(), &["invoice", "transactionId"]);
        reply.json()["invoice"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn inquiry(&self, id: &str) -> Value {
        let reply = self.call("/api/inquiry", json!({ "transactionId": id }), TWICE).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        self.verify(&reply.json(), RESULT);
        reply.json()
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        let response = self.http.get(format!("{}{path}", self.base)).send().await.unwrap();
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        Reply { status, headers, text: response.text().await.unwrap() }
    }

    pub(crate) async fn form(&self, path: &str, fields: &[(&str, &str)]) -> Reply {
        self.try_form(path, fields).await.unwrap()
    }

    pub(crate) async fn try_form(&self, path: &str, fields: &[(&str, &str)]) -> reqwest::Result<Reply> {
        let response = self
            .http
            .post(format!("{}{path}", self.base))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(serde_urlencoded::to_string(fields).unwrap())
            .send()
            .await?;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        Ok(Reply { status, headers, text: response.text().await? })
    }

    /// Pays as a payer does, on the card page.
    pub(crate) async fn pay_page(&self, invoice: &str, card: &str) -> Reply {
        self.form(&format!("/payment/mn/{invoice}"), &card_form(card)).await
    }

    /// Pays an invoice that leaves a token, and gives the token.
    pub(crate) async fn token(&self, id: &str, card: &str) -> String {
        let invoice = self.invoice_with(id, json!({ "genToken": "Y" })).await;
        assert_eq!(self.pay_page(&invoice, card).await.status, 303);
        self.inquiry(id).await["token"].as_str().unwrap().to_owned()
    }
}

pub(crate) fn card_form(card: &str) -> [(&str, &str); 5] {
    [("action", "pay"), ("number", card), ("expiry", "12/30"), ("cvc", "123"), ("holder", "TEST PAYER")]
}

pub(crate) async fn start() -> (Sandbox, Merchant, Provider) {
    let sandbox = Sandbox::builder().start().await.unwrap();
    let merchant = Merchant::of(&sandbox);
    let bank = sandbox.provider(BANK).unwrap();
    (sandbox, merchant, bank)
}

/// The merchant's own server, where notifications arrive.
pub(crate) struct Till {
    pub(crate) address: String,
    pub(crate) received: Arc<Mutex<Vec<Received>>>,
    answer: Arc<Mutex<Answer>>,
}

#[derive(Clone)]
struct Answer {
    status: StatusCode,
    pause: Duration,
    text: String,
}

#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) method: Method,
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Received {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

type Shared = (Arc<Mutex<Vec<Received>>>, Arc<Mutex<Answer>>);

async fn receive(
    State((received, answer)): State<Shared>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, String) {
    let target = uri.to_string();
    received.lock().unwrap().push(Received { method, target, headers, body });
    let Answer { status, pause, text } = answer.lock().unwrap().clone();
    tokio::time::sleep(pause).await;
    (status, text)
}

impl Till {
    pub(crate) async fn open() -> Self {
        let received = Arc::new(Mutex::new(Vec::new()));
        let answer = Arc::new(Mutex::new(Answer {
            status: StatusCode::OK,
            pause: Duration::ZERO,
            text: String::new(),
        }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/notify", listener.local_addr().unwrap());
        let router = Router::new().fallback(receive).with_state((Arc::clone(&received), Arc::clone(&answer)));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, received, answer }
    }

    pub(crate) fn answer_with(&self, status: StatusCode, pause: Duration) {
        let mut answer = self.answer.lock().unwrap();
        (answer.status, answer.pause) = (status, pause);
    }

    pub(crate) fn answer_text(&self, text: &str) {
        text.clone_into(&mut self.answer.lock().unwrap().text);
    }

    pub(crate) fn all(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.received.lock().unwrap().len()
    }

    pub(crate) async fn wait_for(&self, count: usize) -> Vec<Received> {
        eventually("the notifications arrive", || self.count() >= count).await;
        self.all()
    }
}

pub(crate) async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let ends = tokio::time::Instant::now() + Duration::from_mins(1);
    while !holds() {
        assert!(tokio::time::Instant::now() < ends, "never happened: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
