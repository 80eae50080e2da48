//! A notification that is proof, and the salt that signs it.

use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tulbur_core::{
    Currency, HttpRequest, HttpResponse, HttpTransport, Language, Money, Scheme, SecretString, SigningKeys,
    TransportError, async_trait,
};
use tulbur_galaxy_pay::{GalaxyPay, GalaxyPayConfig};
use tulbur_payments::{PaymentRecord, Payments, Status};

use super::{KNOWN, account, env, field, notify, payments_at, request};
use crate::support::Shop;

/// A gateway that makes payments, is down when it is asked, and says with which salt it was called.
#[derive(Debug, Default)]
struct Gateway {
    believed: Mutex<Vec<&'static str>>,
}

fn salted(salt: &str, text: &[u8]) -> String {
    SigningKeys::new(Scheme::SaltedSha256, &[SecretString::from(salt)]).unwrap().sign(&[text])
}

fn transaction(order: &str) -> String {
    format!("T{order}")
}

#[async_trait]
impl HttpTransport for Gateway {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        let signature = request.headers.iter().find(|(name, _)| *name == "signature").unwrap();
        for known in KNOWN {
            if salted(known, &request.body) == *signature.1 {
                self.believed.lock().unwrap().push(known);
            }
        }
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        if request.url.path().ends_with("/query") {
            return Ok(HttpResponse::new(503, vec![], ""));
        }
        let transaction = transaction(&field(&body["requestData"], "orderID"));
        let answer = json!({
            "requestID": body["requestID"], "responseCode": "200", "responseMessage": "Success",
            "responseData": { "transactionID": transaction, "endpoint": "https://pay.example/page" },
        });
        Ok(HttpResponse::new(200, vec![], answer.to_string()))
    }
}

async fn shop_with(gateway: &Arc<Gateway>, shop: &Shop, salt: &str, also: &[&str]) -> Payments {
    let mut config = GalaxyPayConfig::new("api-key".into(), salt.into());
    // The secrets of these tests are short, and it is the signature that is to be seen to count.
    config.accept_short_salt = true;
    config.confirm_before_paid = false;
    config.verification_salts = also.iter().map(|salt| SecretString::from(*salt)).collect();
    let provider = GalaxyPay::new(account(), config, env(gateway.clone(), shop)).unwrap();
    payments_at(shop, Arc::new(provider)).await
}

async fn open(payments: &Payments, shop: &Shop, order: &str) -> PaymentRecord {
    let amount = Money::from_major(150_000, Currency::VND).unwrap();
    let request = request(shop.order(order), amount).language(Language::En);
    payments.open(request).await.unwrap()
}

/// A notification that the payment is paid.
fn notification(payment: &PaymentRecord, salt: &str) -> String {
    let order = payment.reference.merchant_ref.as_str();
    let document = json!({
        "requestID": "0190a1b2c3d47e5f8a9b0c1d2e3f4a5b", "responseCode": "200", "responseMessage": "Success",
        "responseData": {
            "transactionID": transaction(order), "transactionStatus": "200", "orderID": order,
            "orderAmount": "150000", "orderCurrency": "VND",
        },
    });
    let data = STANDARD.encode(document.to_string());
    let signature = salted(salt, data.as_bytes());
    json!({ "data": data, "signature": signature }).to_string()
}

async fn status(payments: &Payments, payment: &PaymentRecord) -> Status {
    payments.payment(&payment.id).await.unwrap().status
}

#[tokio::test]
async fn both_salts_are_believed_and_the_new_one_signs() {
    let shop = Shop::open().await;
    let gateway = Arc::new(Gateway::default());
    let payments = shop_with(&gateway, &shop, "new-secret", &["old-secret"]).await;
    for (order, salt) in [("1", "old-secret"), ("2", "new-secret")] {
        let payment = open(&payments, &shop, order).await;
        let forged = notification(&payment, "other-secret");
        assert_eq!(notify(&payments, &forged).await, 400, "a third one is nobody's");
        assert_eq!(status(&payments, &payment).await, Status::Pending);
        assert_eq!(notify(&payments, &notification(&payment, salt)).await, 200);
        assert_eq!(status(&payments, &payment).await, Status::Paid, "{salt} alone proves it");
    }
    let believed = gateway.believed.lock().unwrap();
    assert!(believed.len() >= 2 && believed.iter().all(|salt| *salt == "new-secret"), "{believed:?}");
}

#[tokio::test]
async fn without_the_old_salt_what_it_signed_is_refused() {
    let shop = Shop::open().await;
    let payments = shop_with(&Arc::default(), &shop, "new-secret", &[]).await;
    let payment = open(&payments, &shop, "1").await;
    assert_eq!(notify(&payments, &notification(&payment, "old-secret")).await, 400);
    assert_eq!(status(&payments, &payment).await, Status::Pending);
    assert_eq!(notify(&payments, &notification(&payment, "new-secret")).await, 200);
    assert_eq!(status(&payments, &payment).await, Status::Paid);
}
