//! Several refunds of one payment whose answers were lost, at a bank that says how much it gave back in all.

use crate::support::{Shop, Write, mnt};
use tulbur_core::OperationState;
use tulbur_payments::{AttentionKind, RefundPayment};

/// Two refunds are sent and no answer comes. Says how they and the payment stand after days.
async fn after_days(
    first: Write,
    second: Write,
    by_hand: Option<i64>,
) -> (Vec<OperationState>, Option<i64>, usize) {
    let shop = Shop::open().await;
    shop.bank.lock().unwrap().tells_refunds = true;
    let payment = shop.payments.open(shop.request("1", 1500)).await.unwrap();
    shop.pay(&payment.reference.merchant_ref);
    shop.payments.query(&payment.id).await.unwrap();
    for (how, units) in [(first, 300), (second, 500)] {
        shop.bank.lock().unwrap().operation = how;
        let request = RefundPayment::new(payment.id.clone(), "a broken cup").amount(mnt(units));
        let lost = shop.payments.refund(request).await.unwrap().into_record();
        assert_eq!(lost.state, OperationState::Unknown);
    }
    if let Some(units) = by_hand {
        shop.entry(&payment.reference.merchant_ref, |entry| entry.refunds.push(mnt(units)));
    }
    shop.work_for_days().await;
    let mut all = shop.payments.operations(&payment.id).await.unwrap();
    all.sort_by_key(|operation| operation.amount.map(tulbur_core::Money::minor));
    let unresolved = AttentionKind::UnresolvedOperation;
    let listed =
        shop.payments.attention().await.unwrap().iter().filter(|item| item.kind == unresolved).count();
    let refunded = shop.payments.payment(&payment.id).await.unwrap().refunded;
    (all.iter().map(|operation| operation.state).collect(), refunded.map(|money| money.minor() / 100), listed)
}

#[tokio::test]
async fn all_of_them_happened() {
    let (states, refunded, listed) = after_days(Write::AnswerLost, Write::AnswerLost, None).await;
    assert_eq!(states, [OperationState::Succeeded; 2]);
    assert_eq!((refunded, listed), (Some(800), 0));
}

/// The bank gave 500 back: the second refund, as it happens; but the sum alone would also fit the first one and 200 by hand.
#[tokio::test]
async fn a_sum_that_does_not_say_which_is_left_to_a_person() {
    let (states, refunded, listed) = after_days(Write::LostBefore, Write::AnswerLost, None).await;
    assert_eq!(states, [OperationState::Unknown; 2]);
    assert_eq!((refunded, listed), (None, 2));
}

/// Neither arrived, and somebody gave back more at the counter of the bank.
#[tokio::test]
async fn money_given_back_by_hand_is_not_taken_for_ours() {
    let (states, refunded, listed) = after_days(Write::LostBefore, Write::LostBefore, Some(1000)).await;
    assert_eq!(states, [OperationState::Unknown; 2]);
    assert_eq!((refunded, listed), (None, 2));
}
