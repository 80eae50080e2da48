//! A till for the tests: signs with its own few lines, never with the sandbox's.

use serde_json::{Value, json};
use tulbur_sandbox::{Provider, Sandbox};

use crate::support::{Reply, http, joined, sign};

pub(crate) const INSTORE: &str = "golomt-instore";
pub(crate) const TERMINAL: &str = "13161272";
pub(crate) const SECRET: &str = "sandbox-instore-secret";
pub(crate) const PHONE: &[&str] = &["terminal", "invoice", "amount", "phone"];
pub(crate) const INVOICE: &[&str] = &["terminal", "invoice", "amount"];

pub(crate) struct Till {
    pub(crate) base: String,
    pub(crate) terminal: String,
    pub(crate) secret: String,
    http: reqwest::Client,
}

pub(crate) async fn start() -> (Sandbox, Till, Provider) {
    let sandbox = Sandbox::builder().start().await.unwrap();
    let bank = sandbox.provider(INSTORE).unwrap();
    let till = Till::at(bank.base_url(), TERMINAL, SECRET);
    (sandbox, till, bank)
}

impl Till {
    pub(crate) fn at(base: &str, terminal: &str, secret: &str) -> Self {
        Self { base: base.into(), terminal: terminal.into(), secret: secret.into(), http: http() }
    }

    pub(crate) async fn send(&self, path: &str, body: impl Into<reqwest::Body>) -> reqwest::Result<Reply> {
        let url = format!("{}{path}", self.base);
        let request = self.http.post(url).header("content-type", "application/json").body(body);
        let response = request.send().await?;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        Ok(Reply { status, headers, text: response.text().await? })
    }

    /// Signs and sends; the terminal is this till's unless the body names another.
    pub(crate) async fn call(&self, path: &str, mut body: Value, covered: &[&str]) -> Value {
        if body["terminal"].is_null() {
            body["terminal"] = self.terminal.as_str().into();
        }
        body["checksum"] = sign(&self.secret, &joined(&body, covered)).into();
        let reply = self.send(path, body.to_string()).await.unwrap();
        assert_eq!(reply.status, 200, "{}", reply.text);
        reply.json()
    }

    pub(crate) async fn phone(&self, invoice: &str, amount: &str) -> Value {
        let body = json!({ "invoice": invoice, "amount": amount, "phone": "99112233" });
        self.call("/pos/invoice/phone", body, PHONE).await
    }

    pub(crate) async fn simple(&self, path: &str, invoice: &str, amount: &str) -> Value {
        self.call(path, json!({ "invoice": invoice, "amount": amount }), INVOICE).await
    }

    pub(crate) async fn qr(&self, invoice: &str, amount: &str) -> String {
        let answer = self.simple("/pos/invoice/qr", invoice, amount).await;
        desc(&answer).to_owned()
    }

    pub(crate) async fn deeplink(&self, invoice: &str, amount: &str) -> String {
        let answer = self.simple("/pos/invoice/qr/deeplink", invoice, amount).await;
        desc(&answer).to_owned()
    }

    pub(crate) async fn check(&self, invoice: &str, amount: &str) -> Value {
        self.simple("/pos/invoice/check", invoice, amount).await
    }

    pub(crate) async fn cancel(&self, invoice: &str, amount: &str) -> Value {
        self.simple("/pos/invoice/cancel", invoice, amount).await
    }

    pub(crate) async fn refund(&self, invoice: &str, amount: &str) -> Value {
        self.simple("/pos/payment/cancel", invoice, amount).await
    }

    pub(crate) async fn settle(&self, id: &str) -> Value {
        self.call("/pos/settlement", json!({ "settlementId": id }), &["terminal", "settlementId"]).await
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        read(self.http.get(format!("{}{path}", self.base))).await
    }

    pub(crate) async fn form(&self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let body = serde_urlencoded::to_string(fields).unwrap();
        let kind = "application/x-www-form-urlencoded";
        read(self.http.post(format!("{}{path}", self.base)).header("content-type", kind).body(body)).await
    }
}

async fn read(request: reqwest::RequestBuilder) -> Reply {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let headers = response.headers().clone();
    Reply { status, headers, text: response.text().await.unwrap() }
}

/// The `desc` of a simple result that succeeded.
pub(crate) fn desc(answer: &Value) -> &str {
    assert_eq!(answer["header"], json!({ "code": 200, "status": "success" }), "{answer}");
    assert_eq!(answer["body"]["response"]["status"], "SUCCESS", "{answer}");
    answer["body"]["response"]["desc"].as_str().unwrap()
}

/// The error of a refusal in the bank's envelope.
pub(crate) fn error(answer: &Value) -> (&str, &str) {
    assert_eq!(answer["header"], json!({ "code": 400, "status": "failed" }), "{answer}");
    assert!(answer["body"].get("response").is_none(), "{answer}");
    let error = &answer["body"]["error"];
    (error["errorDesc"].as_str().unwrap(), error["errorType"].as_str().unwrap())
}

pub(crate) fn code(answer: &Value) -> &str {
    assert_eq!(answer["header"]["code"], 200, "{answer}");
    answer["body"]["response"]["resp_code"].as_str().unwrap_or_else(|| panic!("{answer}"))
}

/// Why the last request was refused, as the log says it.
pub(crate) fn explained(bank: &Provider) -> String {
    bank.requests().pop().unwrap().explanation
}
