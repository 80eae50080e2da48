//! Payments that are taken back at a bank that can do so, whatever it answers.

use std::time::Duration;

use crate::support;
use crate::support::recorder::Recorded;
use crate::support::{Shop, Write};
use tulbur_core::{OperationState, PaymentStatus};
use tulbur_payments::{EndedBy, EventKind, OperationKind, OperationRecord, PaymentRecord, Status, Timing};

/// A shop at such a bank, with one open payment.
async fn shop() -> (Shop, PaymentRecord) {
    let shop = Shop::open().await;
    shop.bank.lock().unwrap().cancels = true;
    let payment = shop.payments.open(shop.request("1", 1500)).await.unwrap();
    (shop, payment)
}

fn next_operation(shop: &Shop, how: Write) {
    shop.bank.lock().unwrap().operation = how;
}

fn at_the_bank(shop: &Shop, payment: &PaymentRecord) -> PaymentStatus {
    shop.bank.lock().unwrap().payments[payment.reference.merchant_ref.as_str()].status
}

async fn reread(shop: &Shop, payment: &PaymentRecord) -> PaymentRecord {
    shop.payments.payment(&payment.id).await.unwrap()
}

/// The payment's only operation.
async fn the_cancel(shop: &Shop, payment: &PaymentRecord) -> OperationRecord {
    let mut all = shop.payments.operations(&payment.id).await.unwrap();
    assert_eq!((all.len(), all[0].kind), (1, OperationKind::Cancel));
    all.remove(0)
}

#[tokio::test]
async fn the_bank_takes_it_back() {
    let (shop, payment) = shop().await;
    let canceled = shop.payments.cancel(&payment.id).await.unwrap();
    assert_eq!((canceled.status, canceled.ended_by), (Status::Canceled, Some(EndedBy::Provider)));
    assert_eq!(the_cancel(&shop, &payment).await.state, OperationState::Succeeded);
    assert_eq!(at_the_bank(&shop, &payment), PaymentStatus::Canceled);
    let again = shop.payments.cancel(&payment.id).await.unwrap();
    assert_eq!(again.status, Status::Canceled);
    assert_eq!(shop.bank.lock().unwrap().operations, 1, "it is taken back once");
    shop.work_for_days().await;
    assert_eq!(shop.kinds("1").await, ["canceled"]);
    assert!(shop.payments.attention().await.unwrap().is_empty());
    // The order is not lost with it.
    shop.payments.open(shop.request("1", 1500)).await.unwrap();
}

/// What the bank does not do is done here, and the payment is watched: the payer may still pay it.
#[tokio::test]
async fn a_cancel_that_is_refused_is_ours() {
    for how in [Write::Refuse, Write::NeverSent] {
        let (shop, payment) = shop().await;
        next_operation(&shop, how);
        let canceled = shop.payments.cancel(&payment.id).await.unwrap();
        assert_eq!((canceled.status, canceled.ended_by), (Status::Canceled, Some(EndedBy::Us)), "{how:?}");
        assert_eq!(the_cancel(&shop, &payment).await.state, OperationState::Refused);
        assert_eq!(at_the_bank(&shop, &payment), PaymentStatus::Pending);
        assert_eq!(
            shop.kinds("1").await,
            ["canceled"],
            "a cancel that moves no money is no event when refused"
        );
        shop.pay(&payment.reference.merchant_ref);
        shop.work_for_days().await;
        let events = shop.payments.events(&shop.order("1")).await.unwrap();
        let late = EventKind::Paid { amount: support::mnt(1500), timing: Timing::After(Status::Canceled) };
        assert_eq!(events.len(), 2);
        assert_eq!(events[1].kind, late);
    }
}

/// The answer to the cancel and the question right after it are both lost: nothing but our own word ends the payment.
#[tokio::test]
async fn a_cancel_whose_answer_was_lost_is_asked_about() {
    for (how, paid) in [(Write::AnswerLost, false), (Write::LostBefore, false), (Write::LostBefore, true)] {
        let (shop, payment) = shop().await;
        next_operation(&shop, how);
        shop.bank.lock().unwrap().down = true;
        // Whether the caller hears of the bank that is down is its own matter; what is stored is what counts.
        drop(shop.payments.cancel(&payment.id).await);
        let cancel = the_cancel(&shop, &payment).await;
        assert_eq!(cancel.state, OperationState::Unknown);
        let stored = reread(&shop, &payment).await;
        assert_ne!(stored.ended_by, Some(EndedBy::Provider), "nobody said that it is canceled");
        let recorded = Recorded::default();
        let _guard = metrics::set_default_local_recorder(&recorded);
        shop.payments.sample_metrics().await.unwrap();
        let unresolved = recorded.get("tulbur_unresolved", &[]).unwrap().last().to_string();
        assert_eq!(unresolved, "0", "whatever became of it, no money moved");

        shop.bank.lock().unwrap().down = false;
        if paid {
            shop.pay(&payment.reference.merchant_ref);
        }
        let queries = shop.bank.lock().unwrap().queries;
        shop.work_for_days().await;
        assert!(shop.bank.lock().unwrap().queries > queries, "it is asked about");
        assert_eq!(shop.bank.lock().unwrap().operations, 1, "it is not sent again");
        let (stored, cancel) = (reread(&shop, &payment).await, the_cancel(&shop, &payment).await);
        let paid_events = shop.kinds("1").await.iter().filter(|kind| **kind == "paid").count();
        match (how, paid) {
            (Write::AnswerLost, _) => {
                assert_eq!(cancel.state, OperationState::Succeeded, "the bank says that it is canceled");
                assert_eq!((stored.status, paid_events), (Status::Canceled, 0));
            }
            (_, true) => {
                assert!(!cancel.is_unresolved(), "paid settles it: {:?}", cancel.state);
                assert_eq!((stored.status, paid_events), (Status::Paid, 1));
            }
            (_, false) => assert!(stored.status.is_failed() && paid_events == 0, "{stored:?}"),
        }
        assert!(shop.payments.attention().await.unwrap().is_empty(), "nobody is disturbed for it");
    }
}

/// The process dies after the request left. Another one takes the cancel over once its lease is over, and asks.
#[tokio::test]
async fn a_cancel_of_a_dead_process_is_taken_over() {
    for happened in [true, false] {
        let (mut shop, payment) = shop().await;
        next_operation(&shop, Write::Hang);
        let (payments, id) = (shop.payments.clone(), payment.id.clone());
        // It hangs to the end of the test: for the others it is dead.
        tokio::spawn(async move { payments.cancel(&id).await });
        shop.until_it_hangs().await;
        shop.restart().await;
        shop.work().await;
        assert_eq!(
            the_cancel(&shop, &payment).await.state,
            OperationState::Submitted,
            "its lease is its own"
        );
        shop.clock.advance(Duration::from_mins(3));
        if happened {
            shop.entry(&payment.reference.merchant_ref, |entry| entry.status = PaymentStatus::Canceled);
        }
        shop.work().await;
        let cancel = the_cancel(&shop, &payment).await;
        assert_ne!(cancel.state, OperationState::Submitted, "it is taken over");
        if !happened {
            assert_eq!(reread(&shop, &payment).await.status, Status::Pending, "it is still to be paid");
            shop.pay(&payment.reference.merchant_ref);
        }
        shop.work_for_days().await;
        let (stored, cancel) = (reread(&shop, &payment).await, the_cancel(&shop, &payment).await);
        let ended = if happened { OperationState::Succeeded } else { OperationState::Refused };
        assert_eq!(cancel.state, ended, "what is paid was not canceled");
        let (status, event) = if happened { (Status::Canceled, "canceled") } else { (Status::Paid, "paid") };
        assert_eq!(stored.status, status);
        assert_eq!(shop.kinds("1").await, [event]);
        assert_eq!(shop.bank.lock().unwrap().operations, 0, "nothing is sent by who took it over");
    }
}

/// The payer pays while the cancel is under way. The bank's word is the last, and there is one event.
#[tokio::test]
async fn money_beats_a_cancel() {
    for told in [true, false] {
        let (shop, payment) = shop().await;
        let reference = &payment.reference.merchant_ref;
        next_operation(&shop, Write::Hang);
        let (payments, id) = (shop.payments.clone(), payment.id.clone());
        let canceling = tokio::spawn(async move { payments.cancel(&id).await });
        shop.until_it_hangs().await;
        shop.pay(reference);
        if told {
            assert_eq!(shop.notify(&Shop::body(reference, "000", "1500.00")).await.status, 200);
        }
        next_operation(&shop, Write::Answer);
        let answer = canceling.await.unwrap().unwrap();
        assert_eq!(answer.status, Status::Paid, "told before: {told}");
        assert_eq!(the_cancel(&shop, &payment).await.state, OperationState::Refused);
        shop.work_for_days().await;
        let events = shop.payments.events(&shop.order("1")).await.unwrap();
        let in_time = EventKind::Paid { amount: support::mnt(1500), timing: Timing::InTime };
        assert_eq!(events.iter().map(|event| &event.kind).collect::<Vec<_>>(), [&in_time]);
        assert_eq!(at_the_bank(&shop, &payment), PaymentStatus::Paid);
    }
}
