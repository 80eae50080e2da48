//! Tests of what binds a message or an answer to a payment: references, and the addresses of notifications.

use crate::support::Shop;
use tulbur_core::{Channel, Delivery, MerchantRef};
use tulbur_payments::{AttentionKind, NotifyTarget, Status};

fn reference(record: &tulbur_payments::PaymentRecord) -> MerchantRef {
    record.reference.merchant_ref.clone()
}

#[tokio::test]
async fn two_payments_never_share_a_reference_of_the_providers() {
    let shop = Shop::open().await;
    shop.bank.lock().unwrap().one_number = true;
    let first = shop.payments.open(shop.request("1", 1500)).await.unwrap();
    // Both answers come at the same moment.
    let (second, third) = tokio::join!(
        shop.payments.open(shop.request("2", 1500)),
        shop.payments.open(shop.request("3", 1500))
    );
    assert_eq!(first.reference.provider_ref.as_ref().unwrap().as_str(), "inv-1");
    for other in [second.unwrap(), third.unwrap()] {
        assert_eq!(other.reference.provider_ref, None, "it is the first one's");
        let listed = shop.payments.attention().await.unwrap();
        let item = listed.iter().find(|item| item.payment.as_ref() == Some(&other.id)).unwrap();
        assert_eq!(item.kind, AttentionKind::Contradiction);
        assert!(item.detail.contains("inv-1"), "{item:?}");
        // By our own reference it is paid all the same.
        shop.pay(&reference(&other));
        shop.notify(&Shop::body(&reference(&other), "000", "1500")).await;
        assert_eq!(shop.payments.payment(&other.id).await.unwrap().status, Status::Paid);
    }
    assert_eq!(shop.payments.payment(&first.id).await.unwrap().status, Status::Pending);
}

#[tokio::test]
async fn a_signed_notification_at_an_address_that_was_lost_with_a_database_is_listed() {
    let shop = Shop::open().await;
    let deliver = async |body: String| {
        let delivery = Delivery {
            channel: Channel::Notify,
            method: "POST",
            query: None,
            headers: &[],
            body: body.as_bytes(),
        };
        let secret = "0123456789abcdef0123456789abcdef";
        shop.payments.notify(NotifyTarget::WithSecret { account: "bank", secret }, delivery).await.status
    };
    let lost = MerchantRef::parse("0".repeat(32)).unwrap();
    assert_ne!(deliver(Shop::body(&lost, "000", "1500")).await, 404);
    let listed = shop.payments.attention().await.unwrap();
    assert_eq!(listed.iter().map(|item| item.kind).collect::<Vec<_>>(), [AttentionKind::UnknownPayment]);

    // A payment that is there is found by what is signed, whatever the address.
    let opened = shop.payments.open(shop.request("1", 1500)).await.unwrap();
    shop.pay(&reference(&opened));
    assert_ne!(deliver(Shop::body(&reference(&opened), "000", "1500")).await, 404);
    assert_eq!(shop.payments.payment(&opened.id).await.unwrap().status, Status::Paid);

    // Of what is not signed, nothing is kept, and nothing is told.
    let kept = shop.payments.inbox(10).await.unwrap().len();
    assert_eq!(deliver("{}".into()).await, 404);
    assert_eq!(deliver(Shop::body(&lost, "000", "1500").replace("1500", "1501")).await, 404);
    assert_eq!(shop.payments.inbox(10).await.unwrap().len(), kept);
}
