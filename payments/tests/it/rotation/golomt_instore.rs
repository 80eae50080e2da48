//! A push that is a hint: its checksum tells whether anybody could have sent it, and the question tells the rest.

use std::sync::{Arc, Mutex};

use tulbur_core::{HttpRequest, HttpResponse, HttpTransport, SecretString, TransportError, Way, async_trait};
use tulbur_golomt_instore::{GolomtInstore, GolomtInstoreConfig};
use tulbur_payments::{PaymentRecord, Payments, Status};

use super::{KNOWN, account, env, field, notify, payments_at, request, sign};
use crate::support::{self, Shop};

const TERMINAL: &str = "13161272";

/// A bank that says with which secret it was asked.
#[derive(Debug, Default)]
struct Bank {
    believed: Mutex<Vec<&'static str>>,
}

#[async_trait]
impl HttpTransport for Bank {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
        let (invoice, amount) = (field(&body, "invoice"), field(&body, "amount"));
        for known in KNOWN {
            if sign(known, &[TERMINAL, &invoice, &amount]) == field(&body, "checksum") {
                self.believed.lock().unwrap().push(known);
            }
        }
        let response = if request.url.path().ends_with("/check") {
            format!(
                r#"{{"resp_code":"00","amount":"{amount}","invoice":"{invoice}","terminal":"{TERMINAL}"}}"#
            )
        } else {
            format!(r#"{{"status":"SUCCESS","desc":"socialpay-payment://key={invoice}"}}"#)
        };
        let answer =
            format!(r#"{{"header":{{"code":200,"status":"success"}},"body":{{"response":{response}}}}}"#);
        Ok(HttpResponse::new(200, vec![], answer))
    }
}

async fn till_with(bank: &Arc<Bank>, shop: &Shop, secret: &str, also: &[&str]) -> Payments {
    let mut config = GolomtInstoreConfig::new(TERMINAL, secret.into());
    config.verification_secrets = also.iter().map(|secret| SecretString::from(*secret)).collect();
    let provider = GolomtInstore::new(account(), config, env(bank.clone(), shop)).unwrap();
    payments_at(shop, Arc::new(provider)).await
}

/// Opens a payment, and has it pushed as paid with a checksum of this secret's.
async fn push(payments: &Payments, shop: &Shop, order: &str, secret: &str) -> PaymentRecord {
    let request = request(shop.order(order), support::mnt(1500)).way(Way::Qr);
    let payment = payments.open(request).await.unwrap();
    let invoice = payment.reference.merchant_ref.as_str();
    let checksum = sign(secret, &[TERMINAL, invoice, "1500"]);
    let body = format!(
        r#"{{"resp_code":"00","amount":"1500","terminal":"{TERMINAL}","invoice":"{invoice}","checksum":"{checksum}"}}"#
    );
    assert_eq!(notify(payments, &body).await, 200, "the bank is asked, whoever sent it");
    payment
}

/// What the newest delivery was taken for.
async fn note(payments: &Payments) -> String {
    payments.inbox(1).await.unwrap()[0].0.note.clone()
}

async fn is_paid(payments: &Payments, payment: &PaymentRecord) -> bool {
    for _ in 0..10_000 {
        if payments.payment(&payment.id).await.unwrap().status == Status::Paid {
            return true;
        }
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    false
}

#[tokio::test]
async fn both_secrets_are_believed_and_the_new_one_signs() {
    let shop = Shop::open().await;
    let bank = Arc::new(Bank::default());
    let till = till_with(&bank, &shop, "new-secret", &["old-secret"]).await;
    for (order, secret, taken_for) in [
        ("1", "old-secret", "says paid"),
        ("2", "new-secret", "says paid"),
        ("3", "other-secret", "not signed, says paid"),
    ] {
        let payment = push(&till, &shop, order, secret).await;
        let note = note(&till).await;
        assert!(note.starts_with(taken_for), "{secret}: {note}");
        assert!(is_paid(&till, &payment).await, "the question after it says so");
        shop.clock.advance(std::time::Duration::from_mins(1));
    }
    let believed = bank.believed.lock().unwrap();
    assert!(believed.len() >= 6 && believed.iter().all(|secret| *secret == "new-secret"), "{believed:?}");
}

#[tokio::test]
async fn without_the_old_secret_what_it_signed_could_be_anybodys() {
    let shop = Shop::open().await;
    let till = till_with(&Arc::default(), &shop, "new-secret", &[]).await;
    for (order, secret, taken_for) in
        [("1", "old-secret", "not signed, says paid"), ("2", "new-secret", "says paid")]
    {
        push(&till, &shop, order, secret).await;
        let note = note(&till).await;
        assert!(note.starts_with(taken_for), "{secret}: {note}");
        shop.clock.advance(std::time::Duration::from_mins(1));
    }
}
