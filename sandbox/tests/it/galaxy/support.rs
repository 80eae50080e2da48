//! A Vietnamese shop for the tests: signs and checks with its own few lines, never with the sandbox's.

use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tulbur_sandbox::{Provider, Sandbox};

use crate::support::{Received, Reply, http};

pub(crate) const GATEWAY: &str = "galaxy-pay";
pub(crate) const PAY: &str = "/api/v1/transaction/pay";
pub(crate) const OPTION: &str = "/api/v1/transaction/payWithOption";
pub(crate) const QR: &str = "/api/v1/transaction/payWithQR";
pub(crate) const CHECKOUT: &str = "/api/v1/transaction/checkout";
pub(crate) const LINK: &str = "/api/v1/transaction/createPaymentLink";
pub(crate) const QUERY: &str = "/api/v1/transaction/query";
pub(crate) const REFUND: &str = "/api/v1/transaction/refund";
pub(crate) const CAPTURE: &str = "/api/v1/transaction/capture";
pub(crate) const VOID: &str = "/api/v1/transaction/void";
pub(crate) const CREATE_TOKEN: &str = "/api/v1/tokenization/createToken";
pub(crate) const DELETE_TOKEN: &str = "/api/v1/tokenization/deleteToken";
pub(crate) const QUERY_TOKENS: &str = "/api/v1/tokenization/queryTokens";
pub(crate) const REMOVE_TOKEN: &str = "/api/v1/tokenization/removeToken";

/// An international card that asks nothing, one with 3-D Secure, and a domestic one with an OTP.
pub(crate) const PLAIN: &str = "4012000033330026";
pub(crate) const SECURE: &str = "5506920809243667";
pub(crate) const NAPAS: &str = "9704000000000018";

pub(crate) fn sign(salt: &str, text: &str) -> String {
    hex::encode(Sha256::digest(format!("{text}{salt}")))
}

static NUMBER: AtomicU64 = AtomicU64::new(1);

pub(crate) fn fresh() -> String {
    format!("{:032}", NUMBER.fetch_add(1, Ordering::Relaxed))
}

pub(crate) struct Shop {
    pub(crate) base: String,
    pub(crate) api_key: String,
    pub(crate) salt: String,
    pub(crate) http: reqwest::Client,
}

impl Shop {
    pub(crate) fn of(sandbox: &Sandbox) -> Self {
        let gateway = sandbox.provider(GATEWAY).unwrap();
        Self {
            base: gateway.base_url().to_owned(),
            api_key: gateway.credentials()["api_key"].clone(),
            salt: gateway.credentials()["salt"].clone(),
            http: http(),
        }
    }

    pub(crate) async fn send(&self, path: &str, body: &str) -> Reply {
        self.send_signed(path, body, &sign(&self.salt, body)).await
    }

    pub(crate) async fn send_signed(&self, path: &str, body: &str, signature: &str) -> Reply {
        let request = self
            .http
            .post(format!("{}{path}", self.base))
            .header("apiKey", &self.api_key)
            .header("signature", signature)
            .header("content-type", "application/json")
            .body(body.to_owned());
        reply(request).await
    }

    /// Sends `requestData` in an envelope of its own.
    pub(crate) async fn call(&self, path: &str, data: Value) -> Reply {
        let body =
            json!({ "requestID": fresh(), "requestDateTime": 20_250_101_070_000_u64, "requestData": data });
        self.send(path, &body.to_string()).await
    }

    /// A call that works; its answer is signed and its data is given.
    pub(crate) async fn good(&self, path: &str, data: Value) -> Value {
        let reply = self.call(path, data).await;
        assert_eq!((reply.status, &reply.json()["responseCode"]), (200, &json!("200")), "{}", reply.text);
        assert_eq!(reply.headers["signature"], sign(&self.salt, &reply.text));
        reply.json()["responseData"].clone()
    }

    /// A call that is refused with this code; its message is given.
    pub(crate) async fn refused(&self, path: &str, data: Value, code: &str) -> String {
        let reply = self.call(path, data).await;
        assert_eq!(reply.json()["responseCode"], code, "{}", reply.text);
        assert_eq!(reply.status.to_string(), code);
        assert!(reply.json().get("responseData").is_none());
        reply.json()["responseMessage"].as_str().unwrap().to_owned()
    }

    /// Opens a payment and gives its id.
    pub(crate) async fn open(&self, path: &str, data: Value) -> String {
        let opened = self.good(path, data).await;
        opened["transactionID"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn query(&self, id: &str) -> Value {
        self.good(QUERY, json!({ "transactionID": id })).await
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        reply(self.http.get(format!("{}{path}", self.base))).await
    }

    pub(crate) async fn form(&self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let request = self
            .http
            .post(format!("{}{path}", self.base))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(serde_urlencoded::to_string(fields).unwrap());
        reply(request).await
    }

    /// Decodes a callback's `data` after its signature has been checked over the base64 text.
    pub(crate) fn verify(&self, callback: &Value) -> Value {
        let data = callback["data"].as_str().unwrap();
        assert_eq!(callback["signature"], sign(&self.salt, data));
        serde_json::from_slice(&STANDARD.decode(data).unwrap()).unwrap()
    }

    /// The document of a notification.
    pub(crate) fn ipn(&self, received: &Received) -> Value {
        assert_eq!(received.method, "POST");
        assert_eq!(received.headers["content-type"], "application/json");
        self.verify(&received.json())
    }

    /// The document in the address that a browser is sent to.
    pub(crate) fn returned(&self, location: &str) -> Value {
        let url = url::Url::parse(location).unwrap();
        let field = |name: &str| url.query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned();
        self.verify(&json!({ "data": field("data"), "signature": field("signature") }))
    }
}

async fn reply(request: reqwest::RequestBuilder) -> Reply {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let headers = response.headers().clone();
    Reply { status, headers, text: response.text().await.unwrap() }
}

pub(crate) async fn start() -> (Sandbox, Shop, Provider) {
    let sandbox = Sandbox::builder().start().await.unwrap();
    let shop = Shop::of(&sandbox);
    let gateway = sandbox.provider(GATEWAY).unwrap();
    (sandbox, shop, gateway)
}

/// An order with what every kind needs.
pub(crate) fn order(id: &str) -> Value {
    json!({
        "apiOperation": "PAY", "orderID": id, "orderNumber": 42, "orderAmount": 100_000, "orderCurrency": "VND",
        "orderDateTime": 20_250_101_070_000_u64, "orderDescription": "Thanh toán đơn hàng",
        "successURL": "https://shop.example/ok", "failureURL": "https://shop.example/failed",
        "cancelURL": "https://shop.example/canceled",
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

pub(crate) fn by(id: &str, method: &str) -> Value {
    with(order(id), json!({ "paymentMethod": method, "language": "en" }))
}

pub(crate) fn card(number: &str) -> [(&str, &str); 5] {
    [("action", "pay"), ("number", number), ("date", "01/39"), ("cvv", "100"), ("holder", "NGUYEN VAN A")]
}

/// The members of a merchant-hosted card.
pub(crate) fn hosted(number: &str) -> Value {
    json!({
        "sourceOfFund": "CARD", "cardNumber": number, "cardHolderName": "NGUYEN VAN A",
        "cardExpireDate": "01/39", "cardVerificationValue": "100",
    })
}
