//! A push that is proof.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tulbur_core::{
    HttpRequest, HttpResponse, HttpTransport, ManualClock, SecretString, TransportError, async_trait,
};
use tulbur_golomt_ecommerce::{GolomtEcommerce, GolomtEcommerceConfig};
use tulbur_payments::{Payments, Status};

use super::{KNOWN, account, env, field, notify, payments_at, request, sign};
use crate::support::{self, Shop};

/// A bank that signs with one secret, and says which secret a request was signed with.
#[derive(Debug)]
struct Bank {
    signs_with: Mutex<&'static str>,
    believed: Mutex<Vec<&'static str>>,
}

#[async_trait]
impl HttpTransport for Bank {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
        let secret = *self.signs_with.lock().unwrap();
        let reference = field(&body, "transactionId");
        // The bank's invoice page: a request signs transactionId, amount, returnType and callback; an answer invoice
        // and transactionId. Its check page: a result signs transactionId, errorCode, amount and token.
        let answer = if request.url.path().ends_with("/invoice") {
            let parts = [
                &*reference,
                &*field(&body, "amount"),
                &*field(&body, "returnType"),
                &*field(&body, "callback"),
            ];
            for known in KNOWN {
                if sign(known, &parts) == field(&body, "checksum") {
                    self.believed.lock().unwrap().push(known);
                }
            }
            let invoice = "d7fb2858-df36-469e-b40d-2815fe9215cf";
            let checksum = sign(secret, &[invoice, &reference]);
            format!(r#"{{"invoice":"{invoice}","transactionId":"{reference}","checksum":"{checksum}"}}"#)
        } else {
            push(secret, &reference)
        };
        Ok(HttpResponse::new(200, vec![], answer))
    }
}

/// A result of 1500 MNT, as the bank pushes it and answers it.
fn push(secret: &str, reference: &str) -> String {
    let checksum = sign(secret, &[reference, "000", "1500.00"]);
    format!(
        r#"{{"amount":"1500.00","bank":"Golomt","errorDesc":"Амжилттай","checksum":"{checksum}","errorCode":"000","cardHolder":"TEST","transactionId":"{reference}","cardNumber":"949625******0003"}}"#
    )
}

async fn shop_with(bank: &Arc<Bank>, shop: &Shop, secret: &str, also: &[&str]) -> Payments {
    let mut config = GolomtEcommerceConfig::new("merchant-token".into(), secret.into());
    config.verification_secrets = also.iter().map(|secret| SecretString::from(*secret)).collect();
    let provider = GolomtEcommerce::new(account(), config, env(bank.clone(), shop)).unwrap();
    payments_at(shop, Arc::new(provider)).await
}

#[tokio::test]
async fn both_secrets_are_believed_and_the_new_one_signs() {
    let shop = Shop::open().await;
    let clock: &ManualClock = &shop.clock;
    let bank = Arc::new(Bank { signs_with: Mutex::new("old-secret"), believed: Mutex::default() });
    let payments = shop_with(&bank, &shop, "new-secret", &["old-secret"]).await;
    for (order, signs_with) in [("1", "old-secret"), ("2", "new-secret")] {
        *bank.signs_with.lock().unwrap() = signs_with;
        let payment = payments.open(request(shop.order(order), support::mnt(1500))).await.unwrap();
        let reference = payment.reference.merchant_ref.as_str();
        assert_eq!(notify(&payments, &push("other-secret", reference)).await, 400, "a third one is nobody's");
        assert_eq!(payments.payment(&payment.id).await.unwrap().status, Status::Pending);
        assert_eq!(notify(&payments, &push(signs_with, reference)).await, 200);
        let paid = payments.payment(&payment.id).await.unwrap();
        assert_eq!(paid.status, Status::Paid, "the push alone proves it");
        clock.advance(Duration::from_mins(1));
        let confirmed = payments.query(&payment.id).await.unwrap();
        assert!(confirmed.confirmed, "and so does the answer to a question");
    }
    assert_eq!(*bank.believed.lock().unwrap(), ["new-secret", "new-secret"]);
}

#[tokio::test]
async fn without_the_old_secret_what_it_signed_is_refused() {
    let shop = Shop::open().await;
    let bank = Arc::new(Bank { signs_with: Mutex::new("new-secret"), believed: Mutex::default() });
    let payments = shop_with(&bank, &shop, "new-secret", &[]).await;
    let payment = payments.open(request(shop.order("1"), support::mnt(1500))).await.unwrap();
    let reference = payment.reference.merchant_ref.as_str();
    assert_eq!(notify(&payments, &push("old-secret", reference)).await, 400);
    assert_eq!(payments.payment(&payment.id).await.unwrap().status, Status::Pending);
    assert_eq!(notify(&payments, &push("new-secret", reference)).await, 200);
    assert_eq!(payments.payment(&payment.id).await.unwrap().status, Status::Paid);
}
