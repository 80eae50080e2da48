//! Charging a saved card: once, asked about when nobody knows, and never repeated.

use std::time::Duration;

use crate::support::cards::{charge, saved_card};
use crate::support::{Shop, Write};
use tulbur_core::{CustomerRef, OperationState, PaymentStatus};
use tulbur_payments::{AttentionKind, Error, Status};

#[tokio::test]
async fn a_saved_card_is_charged_once_and_only_by_its_owner() {
    let shop = Shop::open().await;
    let (customer, card) = saved_card(&shop).await;
    let stranger = CustomerRef::parse("stranger").unwrap();
    assert!(matches!(
        shop.payments.charge(charge(&shop, "1", &stranger, &card)).await,
        Err(Error::NotFound(_))
    ));
    let paid = shop.payments.charge(charge(&shop, "1", &customer, &card)).await.unwrap();
    assert_eq!(paid.status, Status::Paid);
    assert!(shop.payments.charge(charge(&shop, "1", &customer, &card)).await.is_err());
    assert_eq!(shop.bank.lock().unwrap().charges, 1);
    assert_eq!(shop.kinds("1").await, ["paid"]);
    shop.bank.lock().unwrap().charge_status = Some(PaymentStatus::Declined);
    let declined = shop.payments.charge(charge(&shop, "2", &customer, &card)).await.unwrap();
    assert_eq!(declined.status, Status::Declined, "a decline is an answer");
}

#[tokio::test]
async fn a_card_that_is_given_to_another_in_the_database_is_charged_by_nobody() {
    let shop = Shop::open().await;
    let (customer, card) = saved_card(&shop).await;
    let stranger = CustomerRef::parse("stranger").unwrap();
    let file = shop.folder.path().join("shop.db");
    let pool = sqlx::SqlitePool::connect_with(crate::support::options(&file)).await.unwrap();
    let give = |to: &'static str| {
        let body = "json_set(body, '$.customer', $1)";
        sqlx::query(sqlx::AssertSqlSafe(format!("UPDATE tulbur_cards SET customer = $1, body = {body}")))
            .bind(to)
            .execute(&pool)
    };
    give("stranger").await.unwrap();
    let error = shop.payments.charge(charge(&shop, "1", &stranger, &card)).await.unwrap_err();
    assert!(matches!(error, Error::Sealed(_)), "{error}");
    assert_eq!(shop.bank.lock().unwrap().charges, 0);
    give("customer").await.unwrap();
    let paid = shop.payments.charge(charge(&shop, "1", &customer, &card)).await.unwrap();
    assert_eq!(paid.status, Status::Paid);
}

#[tokio::test]
async fn a_charge_whose_answer_was_lost_is_asked_about_and_never_repeated() {
    let mut shop = Shop::open().await;
    let (customer, card) = saved_card(&shop).await;
    shop.bank.lock().unwrap().write = Write::AnswerLost;
    let pending = shop.payments.charge(charge(&shop, "1", &customer, &card)).await.unwrap();
    assert_eq!((pending.status, pending.operation), (Status::Pending, OperationState::Unknown));
    // The same again is the same payment; giving up is refused while nobody knows.
    assert_eq!(shop.payments.charge(charge(&shop, "1", &customer, &card)).await.unwrap().id, pending.id);
    assert!(matches!(shop.payments.cancel(&pending.id).await, Err(Error::Conflict { .. })));
    assert!(matches!(shop.payments.open(shop.request("1", 1500)).await, Err(Error::Conflict { .. })));
    shop.restart().await;
    shop.work().await;
    assert_eq!(shop.payments.payment(&pending.id).await.unwrap().status, Status::Paid);
    assert_eq!(shop.bank.lock().unwrap().charges, 1);
    assert_eq!(shop.kinds("1").await, ["paid"]);
}

#[tokio::test]
async fn a_charge_that_the_bank_cannot_tell_of_goes_to_a_person() {
    let shop = Shop::open().await;
    let (customer, card) = saved_card(&shop).await;
    shop.bank.lock().unwrap().write = Write::LostBefore;
    let pending = shop.payments.charge(charge(&shop, "1", &customer, &card)).await.unwrap();
    shop.work_for_days().await;
    let record = shop.payments.payment(&pending.id).await.unwrap();
    assert_eq!((record.status, record.operation), (Status::Pending, OperationState::Unknown));
    let kinds: Vec<_> = shop.payments.attention().await.unwrap().iter().map(|item| item.kind).collect();
    assert_eq!(kinds, [AttentionKind::UnresolvedOperation]);
    assert_eq!(shop.bank.lock().unwrap().charges, 1);
}

/// The process was only slow, and its answer comes when the others have long given the charge to a person.
#[tokio::test]
async fn an_answer_that_comes_late_resolves_the_item() {
    let mut shop = Shop::open().await;
    let (customer, card) = saved_card(&shop).await;
    {
        let mut bank = shop.bank.lock().unwrap();
        bank.write = Write::Hang;
        bank.charge_status = Some(PaymentStatus::Pending);
    }
    let (payments, request) = (shop.payments.clone(), charge(&shop, "1", &customer, &card));
    let caller = tokio::spawn(async move { payments.charge(request).await });
    shop.until_it_hangs().await;
    shop.restart().await;
    shop.clock.advance(Duration::from_mins(3));
    shop.work().await;
    shop.clock.advance(Duration::from_hours(2));
    shop.work().await;
    let kinds: Vec<_> = shop.payments.attention().await.unwrap().iter().map(|item| item.kind).collect();
    assert_eq!(kinds, [AttentionKind::UnresolvedOperation]);
    shop.bank.lock().unwrap().write = Write::Answer;
    let answered = caller.await.unwrap().unwrap();
    assert_eq!((answered.status, answered.operation), (Status::Pending, OperationState::Succeeded));
    assert!(shop.payments.attention().await.unwrap().is_empty(), "it is known now");
    shop.pay(&answered.reference.merchant_ref);
    shop.work_for_days().await;
    assert_eq!(shop.kinds("1").await, ["attention", "paid"]);
    assert!(shop.payments.attention().await.unwrap().is_empty());
    assert_eq!(shop.bank.lock().unwrap().charges, 1);
}
