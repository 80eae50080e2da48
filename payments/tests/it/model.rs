//! Random histories: an order that the bank took money for has one `Paid`, and no other order has any.

use std::time::Duration;

use crate::support::{Shop, Write};
use proptest::prelude::*;
use tulbur_core::{Channel, Delivery, MerchantRef, PaymentStatus};
use tulbur_payments::{EventKind, PaymentRecord, Status};

/// One thing that may happen next to one of the order's payments.
#[derive(Debug, Clone, Copy)]
enum Step {
    Open(WriteKind),
    PayAtBank,
    DeclineAtBank,
    NotifyTruth,
    NotifyOldDecline,
    Return,
    Query,
    Cancel,
    Work,
    Wait(u64),
    BankDown,
    BankUp,
    Crash,
}

#[derive(Debug, Clone, Copy)]
enum WriteKind {
    Good,
    AnswerLost,
    LostBefore,
    Refused,
}

fn steps() -> impl Strategy<Value = Vec<(Step, usize)>> {
    let write = prop_oneof![
        4 => Just(WriteKind::Good),
        1 => Just(WriteKind::AnswerLost),
        1 => Just(WriteKind::LostBefore),
        1 => Just(WriteKind::Refused),
    ];
    let step = prop_oneof![
        4 => write.prop_map(Step::Open),
        4 => Just(Step::PayAtBank),
        1 => Just(Step::DeclineAtBank),
        4 => Just(Step::NotifyTruth),
        1 => Just(Step::NotifyOldDecline),
        2 => Just(Step::Return),
        2 => Just(Step::Query),
        2 => Just(Step::Cancel),
        2 => Just(Step::Work),
        3 => (1_u64..40).prop_map(Step::Wait),
        1 => Just(Step::BankDown),
        1 => Just(Step::BankUp),
        2 => Just(Step::Crash),
    ];
    proptest::collection::vec((step, 0_usize..4), 1..14)
}

async fn payments(shop: &Shop) -> Vec<PaymentRecord> {
    shop.payments.order(&shop.order("1")).await.unwrap().map(|order| order.payments).unwrap_or_default()
}

fn debited(shop: &Shop, reference: &MerchantRef) -> bool {
    shop.bank.lock().unwrap().payments.get(reference.as_str()).is_some_and(|entry| entry.debits > 0)
}

async fn act(shop: &mut Shop, step: Step, which: usize) {
    let payments = payments(shop).await;
    let one = (!payments.is_empty()).then(|| payments[which % payments.len()].clone());
    let known = one.clone().filter(|record| {
        shop.bank.lock().unwrap().payments.contains_key(record.reference.merchant_ref.as_str())
    });
    match step {
        Step::Open(kind) => {
            shop.bank.lock().unwrap().write = match kind {
                WriteKind::Good => Write::Answer,
                WriteKind::AnswerLost => Write::AnswerLost,
                WriteKind::LostBefore => Write::LostBefore,
                WriteKind::Refused => Write::Refuse,
            };
            drop(shop.payments.open(shop.request("1", 1500)).await);
            shop.bank.lock().unwrap().write = Write::Answer;
        }
        Step::PayAtBank => {
            if let Some(record) = known.filter(|r| !debited(shop, &r.reference.merchant_ref)) {
                shop.pay(&record.reference.merchant_ref);
            }
        }
        Step::DeclineAtBank => {
            if let Some(record) = known.filter(|r| !debited(shop, &r.reference.merchant_ref)) {
                shop.entry(&record.reference.merchant_ref, |entry| entry.status = PaymentStatus::Declined);
            }
        }
        Step::NotifyTruth => {
            if let Some(record) = known {
                let reference = &record.reference.merchant_ref;
                let status = shop.bank.lock().unwrap().payments[reference.as_str()].status;
                match status {
                    PaymentStatus::Paid => {
                        shop.notify(&Shop::body(reference, "000", "1500.00")).await;
                    }
                    PaymentStatus::Declined => {
                        shop.notify(&Shop::body(reference, "300", "1500.00")).await;
                    }
                    _ => {}
                }
            }
        }
        Step::NotifyOldDecline => {
            if let Some(record) = known {
                shop.notify(&Shop::body(&record.reference.merchant_ref, "300", "1500.00")).await;
            }
        }
        Step::Return => {
            if let Some(record) = one {
                let secret = shop.payments.page_secret(&record).unwrap();
                let query = format!("ref={}&code=000", record.reference.merchant_ref);
                let delivery = Delivery {
                    channel: Channel::Return,
                    method: "GET",
                    query: Some(&query),
                    headers: &[],
                    body: b"",
                };
                shop.payments.returned("bank", &secret, delivery).await.unwrap();
            }
        }
        Step::Query => {
            if let Some(record) = one {
                shop.payments.query(&record.id).await.unwrap();
            }
        }
        Step::Cancel => {
            if let Some(record) = one {
                drop(shop.payments.cancel(&record.id).await);
            }
        }
        Step::Work => shop.work().await,
        Step::Wait(minutes) => shop.clock.advance(Duration::from_mins(minutes)),
        Step::BankDown => shop.bank.lock().unwrap().down = true,
        Step::BankUp => shop.bank.lock().unwrap().down = false,
        Step::Crash => shop.restart().await,
    }
}

/// What must hold at every moment.
async fn holds_always(shop: &Shop, paid_before: &mut Vec<String>) {
    let payments = payments(shop).await;
    for record in &payments {
        if record.status == Status::Paid {
            assert!(debited(shop, &record.reference.merchant_ref), "paid without a debit: {record:?}");
        }
        let was_paid = paid_before.iter().any(|id| id == record.id.as_str());
        assert!(!was_paid || record.status == Status::Paid, "paid went back: {record:?}");
    }
    *paid_before =
        payments.iter().filter(|r| r.status == Status::Paid).map(|r| r.id.as_str().to_owned()).collect();
    assert!(payments.iter().filter(|record| record.is_live()).count() <= 1, "two payments are open at once");
    let kinds = shop.kinds("1").await;
    assert!(kinds.iter().filter(|kind| **kind == "paid").count() <= 1, "{kinds:?}");
}

async fn run(steps: Vec<(Step, usize)>) {
    let mut shop = Shop::open().await;
    let mut paid_before = Vec::new();
    for (step, which) in steps {
        Box::pin(act(&mut shop, step, which)).await;
        holds_always(&shop, &mut paid_before).await;
    }
    shop.bank.lock().unwrap().down = false;
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    shop.work_for_days().await;
    holds_always(&shop, &mut paid_before).await;
    let payments = payments(&shop).await;
    let debits = payments.iter().filter(|r| debited(&shop, &r.reference.merchant_ref)).count();
    let kinds = shop.kinds("1").await;
    let count = |name| kinds.iter().filter(|kind| **kind == name).count();
    assert_eq!(count("paid"), usize::from(debits > 0), "{debits} debits, {kinds:?}");
    assert_eq!(count("paid-again"), debits.saturating_sub(1), "{debits} debits, {kinds:?}");
    assert!(payments.iter().all(|record| !record.is_live()), "something is open for ever: {payments:?}");
    let told = shop.told.0.lock().unwrap();
    let paid = told.iter().filter(|event| matches!(event.kind, EventKind::Paid { .. })).count();
    assert_eq!(paid, usize::from(debits > 0), "the handler was told {paid} times");
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: std::env::var("TULBUR_MODEL_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(96),
        max_shrink_iters: 200,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]
    #[test]
    fn an_order_is_paid_once_whatever_happens(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(steps));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_deliveries_and_the_browser_make_one_transition() {
    let shop = Shop::open().await;
    let payment = shop.payments.open(shop.request("1", 1500)).await.unwrap();
    let reference = payment.reference.merchant_ref.clone();
    shop.pay(&reference);
    let body = Shop::body(&reference, "000", "1500.00");
    let secret = shop.payments.page_secret(&payment).unwrap();
    let mut tasks = Vec::new();
    for number in 0..1000 {
        let (payments, body, secret, reference) =
            (shop.payments.clone(), body.clone(), secret.clone(), reference.clone());
        tasks.push(tokio::spawn(async move {
            if number % 10 == 0 {
                let query = format!("ref={reference}&code=000");
                let delivery = Delivery {
                    channel: Channel::Return,
                    method: "GET",
                    query: Some(&query),
                    headers: &[],
                    body: b"",
                };
                payments.returned("bank", &secret, delivery).await.unwrap();
                return 200;
            }
            let delivery = Delivery {
                channel: Channel::Notify,
                method: "POST",
                query: None,
                headers: &[],
                body: body.as_bytes(),
            };
            payments.notify(tulbur_payments::NotifyTarget::Name("bank"), delivery).await.status
        }));
    }
    for task in tasks {
        assert_eq!(task.await.unwrap(), 200);
    }
    shop.settle().await;
    shop.work().await;
    assert_eq!(shop.kinds("1").await, ["paid"]);
    let history = shop.payments.history(&shop.order("1")).await.unwrap();
    let transitions = history.0.iter().filter(|entry| entry.change.is_some()).count();
    assert_eq!(transitions, 1, "{history}");
    assert_eq!(shop.told.0.lock().unwrap().len(), 1);
}
