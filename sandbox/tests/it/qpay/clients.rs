//! The requests of seven published clients, byte for byte, against the sandbox.

use serde_json::Value;

use super::support::{Shop, act, basic, payment_id, start};
use super::vectors::file;

/// The ids of the vectors, and those that stand for them here.
struct Ids {
    invoice: String,
    payment: String,
}

impl Ids {
    fn put(&self, text: &str) -> String {
        text.replace("d50f49f2-9032-4a74-8929-530531f28f63", &self.invoice)
            .replace("493622150113497", &self.payment)
            .replace("TEST_INVOICE", "SANDBOX_INVOICE")
    }
}

async fn replay(shop: &Shop, client: &str, request: &Value, ids: &Ids) -> (u16, Value) {
    let text = |name: &str| request[name].as_str().unwrap();
    let authorization = match text("authorization") {
        "Basic" => basic("sandbox-qpay-user", "sandbox-qpay-password"),
        _ => format!("Bearer {}", shop.token),
    };
    let method = text("method").parse().unwrap();
    let mut call = shop.http.request(method, format!("{}{}", shop.base, ids.put(text("path"))));
    if let Some(kind) = request["content_type"].as_str() {
        call = call.header("content-type", kind);
    }
    let body = ids.put(text("body"));
    if !body.is_empty() || request["content_length"].is_string() {
        call = call.body(body);
    }
    let response = call.header("authorization", authorization).send().await.unwrap();
    let status = response.status().as_u16();
    let answer = response.text().await.unwrap();
    (status, serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{client}: {error}: {answer}")))
}

/// A card's payment, so that refunds work; and, for cancelling, an invoice that nobody has paid.
async fn fresh(shop: &Shop, qpay: &tulbur_sandbox::Provider, number: &str) -> (Ids, Ids) {
    let (paid, open) = (format!("{number}-paid"), format!("{number}-open"));
    let invoice = shop.invoice(&paid).await;
    act(qpay, &paid, "pay-by-card", &[]);
    let payment = payment_id(qpay, &paid);
    let open = shop.invoice(&open).await;
    (Ids { invoice, payment: payment.clone() }, Ids { invoice: open, payment })
}

#[tokio::test]
async fn every_request_of_every_published_client_is_taken() {
    let (_sandbox, shop, qpay) = start().await;
    let vectors = file();
    let clients = vectors["client_requests"].as_array().unwrap();
    assert_eq!(clients.len(), 7);
    let mut calls = 0;
    for client in clients {
        let name = client["client"].as_str().unwrap();
        for (at, request) in client["requests"].as_array().unwrap().iter().enumerate() {
            let (paid, open) = fresh(&shop, &qpay, &format!("{name}-{at}")).await;
            let (method, path) = (request["method"].as_str().unwrap(), request["path"].as_str().unwrap());
            let ids = if method == "DELETE" && path.contains("/invoice/") { &open } else { &paid };
            if path.starts_with("/v2/ebarimt_v3/4") {
                let body =
                    serde_json::json!({ "payment_id": paid.payment, "ebarimt_receiver_type": "CITIZEN" });
                shop.good("POST", "/v2/ebarimt_v3/create", &body).await;
            }
            let (status, answer) = replay(&shop, name, request, ids).await;
            // Two clients have paths that QPay does not have (specification, 14).
            let wrong = path.starts_with("/v2/payment/get/") || path == "/v2/payment/cancel";
            // One takes a sample receiver's code for the type of a receipt's receiver (specification, 11, number 8).
            let confused = request["body"].as_str().unwrap().contains("\"ebarimt_receiver_type\":\"83\"");
            let expected = if wrong {
                404
            } else if confused {
                400
            } else {
                200
            };
            assert_eq!(status, expected, "{name}: {method} {path}: {answer}");
            calls += 1;
        }
    }
    assert!(calls > 40);
    // The number is the clients' own: amounts as numbers, with a point, and as texts are one and the same.
    let amounts: Vec<_> = qpay
        .payments()
        .into_iter()
        .filter(|payment| payment.details.get("sender_invoice_no").is_some_and(|number| number == "1234567"))
        .map(|payment| payment.amount)
        .collect();
    assert_eq!(amounts, ["100"; 7]);
}
