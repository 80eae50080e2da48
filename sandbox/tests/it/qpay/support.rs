//! A Mongolian shop for the tests: one token, and the calls with it.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tulbur_sandbox::{Provider, Sandbox};

use crate::support::{Reply, http};

pub(crate) const QPAY: &str = "qpay";
pub(crate) const INVOICE: &str = "/v2/invoice";
pub(crate) const CHECK: &str = "/v2/payment/check";
pub(crate) const LIST: &str = "/v2/payment/list";

pub(crate) struct Shop {
    pub(crate) base: String,
    pub(crate) http: reqwest::Client,
    pub(crate) token: String,
    pub(crate) refresh: String,
}

impl Shop {
    /// A shop that has logged in.
    pub(crate) async fn of(sandbox: &Sandbox) -> Self {
        let provider = sandbox.provider(QPAY).unwrap();
        let mut shop = Self {
            base: provider.base_url().to_owned(),
            http: http(),
            token: String::new(),
            refresh: String::new(),
        };
        shop.log_in(&provider).await;
        shop
    }

    pub(crate) async fn log_in(&mut self, provider: &Provider) -> Value {
        let credentials = provider.credentials();
        let basic = basic(&credentials["username"], &credentials["password"]);
        let reply = self.send("POST", "/v2/auth/token", Some(&basic), None).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        let tokens = reply.json();
        tokens["access_token"].as_str().unwrap().clone_into(&mut self.token);
        tokens["refresh_token"].as_str().unwrap().clone_into(&mut self.refresh);
        tokens
    }

    pub(crate) async fn try_send(
        &self,
        method: &str,
        path: &str,
        authorization: Option<&str>,
        body: Option<&str>,
    ) -> reqwest::Result<Reply> {
        let mut request = self.http.request(method.parse().unwrap(), format!("{}{path}", self.base));
        if let Some(value) = authorization {
            request = request.header("authorization", value);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_owned());
        }
        let response = request.send().await?;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        Ok(Reply { status, headers, text: response.text().await? })
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        authorization: Option<&str>,
        body: Option<&str>,
    ) -> Reply {
        self.try_send(method, path, authorization, body).await.unwrap()
    }

    /// A call with the access token and these bytes.
    pub(crate) async fn raw(&self, method: &str, path: &str, body: &str) -> Reply {
        let bearer = format!("Bearer {}", self.token);
        self.send(method, path, Some(&bearer), (!body.is_empty()).then_some(body)).await
    }

    pub(crate) async fn try_call(&self, method: &str, path: &str, body: &Value) -> reqwest::Result<Reply> {
        let bearer = format!("Bearer {}", self.token);
        self.try_send(method, path, Some(&bearer), Some(&body.to_string())).await
    }

    pub(crate) async fn call(&self, method: &str, path: &str, body: &Value) -> Reply {
        self.try_call(method, path, body).await.unwrap()
    }

    /// A call that works; its document is given.
    pub(crate) async fn good(&self, method: &str, path: &str, body: &Value) -> Value {
        let reply = self.call(method, path, body).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        assert_eq!(reply.headers["content-type"], "application/json; charset=utf-8");
        assert_eq!(reply.headers["content-length"], reply.text.len().to_string());
        reply.json()
    }

    /// A call that is refused with this status and code.
    pub(crate) async fn refused(&self, method: &str, path: &str, body: &Value, status: u16, code: &str) {
        let reply = self.call(method, path, body).await;
        assert_eq!((reply.status, &reply.json()["error"]), (status, &json!(code)), "{}", reply.text);
    }

    /// Opens an invoice and gives its `invoice_id`.
    pub(crate) async fn invoice(&self, number: &str) -> String {
        self.invoice_with(number, json!({})).await
    }

    pub(crate) async fn invoice_with(&self, number: &str, more: Value) -> String {
        let created = self.good("POST", INVOICE, &with(simple(number), more)).await;
        created["invoice_id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn check(&self, invoice_id: &str) -> Value {
        self.check_page(invoice_id, 1, 100).await
    }

    pub(crate) async fn check_page(&self, invoice_id: &str, number: u64, limit: u64) -> Value {
        let offset = json!({ "page_number": number, "page_limit": limit });
        let body = json!({ "object_type": "INVOICE", "object_id": invoice_id, "offset": offset });
        self.good("POST", CHECK, &body).await
    }

    pub(crate) async fn read(&self, invoice_id: &str) -> Value {
        self.good("GET", &format!("/v2/invoice/{invoice_id}"), &json!({})).await
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send("GET", path, None, None).await
    }

    pub(crate) async fn form(&self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let request = self
            .http
            .post(format!("{}{path}", self.base))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(serde_urlencoded::to_string(fields).unwrap());
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        Reply { status, headers, text: response.text().await.unwrap() }
    }
}

pub(crate) fn basic(username: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{username}:{password}")))
}

/// The least that an invoice needs.
pub(crate) fn simple(number: &str) -> Value {
    json!({
        "invoice_code": "SANDBOX_INVOICE", "sender_invoice_no": number, "invoice_receiver_code": "terminal",
        "invoice_description": "test", "amount": 100,
    })
}

/// An order with more, or with `null` to take something away.
#[expect(clippy::needless_pass_by_value, reason = "callers write the object where they need it")]
pub(crate) fn with(mut order: Value, more: Value) -> Value {
    for (name, value) in more.as_object().unwrap() {
        order[name] = value.clone();
    }
    order
}

pub(crate) async fn start() -> (Sandbox, Shop, Provider) {
    let sandbox = Sandbox::builder().start().await.unwrap();
    let shop = Shop::of(&sandbox).await;
    let qpay = sandbox.provider(QPAY).unwrap();
    (sandbox, shop, qpay)
}

/// Does one of the actions, with details.
pub(crate) fn act(qpay: &Provider, reference: &str, action: &str, details: &[(&str, &str)]) -> String {
    try_act(qpay, reference, action, details).unwrap()
}

pub(crate) fn try_act(
    qpay: &Provider,
    reference: &str,
    action: &str,
    details: &[(&str, &str)],
) -> Result<String, tulbur_sandbox::SandboxError> {
    let details: BTreeMap<_, _> =
        details.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    qpay.act_with(reference, action, details)
}

/// The reason of the last request in the log.
pub(crate) fn explained(qpay: &Provider) -> String {
    qpay.requests().pop().unwrap().explanation
}

/// The statuses of the rows of a check.
pub(crate) fn statuses(check: &Value) -> Vec<&str> {
    check["rows"].as_array().unwrap().iter().map(|row| row["payment_status"].as_str().unwrap()).collect()
}

/// The id of the last payment of an invoice.
pub(crate) fn payment_id(qpay: &Provider, reference: &str) -> String {
    let payments = qpay.payment(reference).unwrap().details["payments"].clone();
    payments.as_array().unwrap().last().unwrap()["payment_id"].as_str().unwrap().to_owned()
}

/// The names of a document's members, sorted.
pub(crate) fn names(document: &Value) -> Vec<&str> {
    document.as_object().unwrap().keys().map(String::as_str).collect()
}
