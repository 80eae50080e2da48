//! What the gateway tells by itself: notifications and the browser's way back.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Value, json};
use tulbur_sandbox::{Fault, FaultKind, PushState};

use super::support::{LINK, OPTION, PAY, by, card, order, sign, start, with};
use crate::support::{Till, eventually};

#[tokio::test]
async fn the_order_s_own_address_is_told_before_the_payer_comes_back() {
    let (_sandbox, shop, gateway) = start().await;
    let (own, general) = (Till::open().await, Till::open().await);
    gateway.set_push_address(Some(&general.address)).unwrap();
    own.answer_with(StatusCode::OK, Duration::from_millis(150));
    let data = with(by("A-1", "INTERNATIONAL"), json!({ "ipnURL": own.address, "language": "vi" }));
    let id = shop.open(PAY, data).await;
    let reply = shop.form(&format!("/pay/{id}"), &card(super::support::PLAIN)).await;
    assert_eq!((own.count(), general.count()), (1, 0), "the redirect came before the notification");

    let document = shop.ipn(&own.all()[0]);
    let data = &document["responseData"];
    assert_eq!(document["responseMessage"], "Transaction is successful.");
    assert!(document["requestID"].as_str().unwrap().starts_with("0000"));
    for (name, value) in [
        ("transactionID", id.as_str()),
        ("orderID", "A-1"),
        ("orderNumber", "42"),
        ("orderAmount", "100000"),
        ("orderCurrency", "VND"),
        ("orderDateTime", "20250101070000"),
        ("orderDescription", "Thanh toán đơn hàng"),
        ("language", "vi"),
    ] {
        assert_eq!(data[name], value, "{name}");
    }
    assert!(data.get("transactionStatus").is_none() && data.get("paymentMethod").is_none());
    assert!(reply.location().starts_with("https://shop.example/ok?data="));
    let mut returned = shop.returned(reply.location());
    returned["responseDateTime"] = document["responseDateTime"].clone();
    assert_eq!(returned, document);

    let push = gateway.pushes().pop().unwrap();
    assert_eq!(push.state, PushState::Delivered);
    // Sent again, it goes where the order said, although another address is set.
    gateway.resend_push(push.id).unwrap();
    assert_eq!(own.wait_for(2).await[1].body, own.all()[0].body);
    assert_eq!(general.count(), 0);
}

#[tokio::test]
async fn version_two_says_more_and_the_date_is_a_switch() {
    let (_sandbox, shop, gateway) = start().await;
    let till = Till::open().await;
    gateway.set_push_address(Some(&till.address)).unwrap();
    gateway.set_switch("callback-transaction-date-time", "no").unwrap();
    let data = with(order("A-1"), json!({ "apiVersion": "2", "language": "vi" }));
    let id = shop.open(OPTION, data).await;
    let page = format!("/payWithOption/{id}?method=DOMESTIC");
    shop.form(&page, &card(super::support::NAPAS)).await;
    shop.form(&page, &[("otp", "otp")]).await;
    let data = shop.ipn(&till.wait_for(1).await[0])["responseData"].clone();
    assert_eq!(data["transactionStatus"], "200");
    assert_eq!(data["transactionDescription"], "Giao dịch thành công.");
    assert_eq!((&data["paymentMethod"], &data["sourceType"]), (&json!("DOMESTIC"), &json!("SAIGONBANK")));
    assert!(data.get("transactionDateTime").is_none());
}

#[tokio::test]
async fn failures_are_told_unless_the_switch_says_no() {
    let (_sandbox, shop, gateway) = start().await;
    let till = Till::open().await;
    gateway.set_push_address(Some(&till.address)).unwrap();
    shop.open(OPTION, order("A-1")).await;
    gateway.act("A-1", "cancel").unwrap();
    let document = shop.ipn(&till.wait_for(1).await[0]);
    assert_eq!(
        (&document["responseCode"], &document["responseMessage"]),
        (&json!("499"), &json!("Canceled by user"))
    );
    gateway.set_switch("ipn-on-failure", "no").unwrap();
    shop.open(OPTION, order("A-2")).await;
    gateway.act("A-2", "decline").unwrap();
    assert_eq!(gateway.payment("A-2").unwrap().pushes, [0u64; 0]);
    // Late money after it is told; the two genuine notifications contradict each other.
    gateway.act("A-1", "pay").unwrap();
    assert_eq!(shop.ipn(&till.wait_for(2).await[1])["responseCode"], "200");
}

#[tokio::test]
async fn retries_are_a_switch_and_the_replies_are_kept() {
    let (_sandbox, shop, gateway) = start().await;
    let till = Till::open().await;
    gateway.set_push_address(Some(&till.address)).unwrap();
    till.answer_with(StatusCode::BAD_GATEWAY, Duration::ZERO);
    shop.open(OPTION, order("A-1")).await;
    gateway.act("A-1", "pay").unwrap();
    eventually("it failed", || gateway.pushes()[0].state == PushState::Failed).await;
    assert_eq!(till.count(), 1);

    gateway.set_switch("ipn-retries", "3").unwrap();
    gateway.set_switch("ipn-retry-seconds", "0").unwrap();
    shop.open(OPTION, order("A-2")).await;
    gateway.act("A-2", "pay").unwrap();
    eventually("it failed", || gateway.pushes()[1].state == PushState::Failed).await;
    assert_eq!(gateway.pushes()[1].attempts.iter().filter(|attempt| attempt.status == Some(502)).count(), 4);
}

#[tokio::test]
async fn spoiled_lost_and_doubled_notifications() {
    let (_sandbox, shop, gateway) = start().await;
    let till = Till::open().await;
    gateway.set_push_address(Some(&till.address)).unwrap();
    for (at, kind) in [FaultKind::PushTamperedAmount, FaultKind::PushWrongKey].into_iter().enumerate() {
        let order_id = format!("S-{at}");
        gateway.add_fault(Fault::new(kind).for_reference(&order_id)).unwrap();
        shop.open(OPTION, order(&order_id)).await;
        gateway.act(&order_id, "pay").unwrap();
        let body = till.wait_for(at + 1).await[at].json();
        assert_ne!(body["signature"], sign(&shop.salt, body["data"].as_str().unwrap()), "{kind:?}");
        let honest =
            json!({ "data": body["data"], "signature": sign(&shop.salt, body["data"].as_str().unwrap()) });
        let amount = shop.verify(&honest)["responseData"]["orderAmount"].clone();
        assert_eq!(amount == "200000", kind == FaultKind::PushTamperedAmount);
    }
    gateway.add_fault(Fault::new(FaultKind::PushLost).for_reference("L")).unwrap();
    gateway.add_fault(Fault::new(FaultKind::PushDoubled).for_reference("D")).unwrap();
    for id in ["L", "D"] {
        shop.open(OPTION, order(id)).await;
        gateway.act(id, "pay").unwrap();
    }
    let received = till.wait_for(4).await;
    assert_eq!(received[2].body, received[3].body);
    assert_eq!(gateway.payment("L").unwrap().pushes.len(), 1);
}

#[tokio::test]
async fn the_way_back_is_by_query_or_form_and_keeps_the_merchant_s_own_query() {
    let (_sandbox, shop, gateway) = start().await;
    let app = json!({ "cancelURL": "app://payment/result?status=0" });
    let id = shop.open(OPTION, with(order("A-1"), app.clone())).await;
    let reply = shop.form(&format!("/payWithOption/{id}"), &[("action", "cancel")]).await;
    assert_eq!(reply.status, 303);
    assert!(reply.location().starts_with("app://payment/result?status=0&data="), "{}", reply.location());
    assert!(!reply.location().contains('+'), "base64 must be escaped in a query");
    assert_eq!(shop.returned(reply.location())["responseCode"], "499");

    gateway.set_switch("return-method", "post").unwrap();
    let id = shop.open(OPTION, order("A-2")).await;
    let page = shop.form(&format!("/payWithOption/{id}"), &[("action", "cancel")]).await;
    assert_eq!(page.status, 200);
    assert!(
        page.text.contains("action=\"https://shop.example/canceled\"")
            && page.text.contains("data-submit=\"now\"")
    );
    let value = |name: &str| {
        let (_, rest) = page.text.split_once(&format!("name=\"{name}\" value=\"")).unwrap();
        rest.split('"').next().unwrap().replace("&#61;", "=").replace("&#43;", "+")
    };
    let document = shop.verify(&json!({ "data": value("data"), "signature": value("signature") }));
    assert_eq!(document["responseData"]["orderID"], "A-2");
    // An app takes no form.
    let id = shop.open(OPTION, with(order("A-3"), app)).await;
    assert_eq!(shop.form(&format!("/payWithOption/{id}"), &[("action", "cancel")]).await.status, 303);
    // Without an address there is nowhere to go.
    let nowhere = json!({ "cancelURL": null });
    let id = shop.open(OPTION, with(order("A-4"), nowhere)).await;
    let page = shop.form(&format!("/payWithOption/{id}?lang=en"), &[("action", "cancel")]).await;
    assert!(
        page.text.contains("data-state=\"canceled\"") && !page.text.contains("id=\"back\""),
        "{}",
        page.text
    );
}

#[tokio::test]
async fn a_payment_link_s_notification_has_a_shape_of_its_own() {
    let (_sandbox, shop, gateway) = start().await;
    let till = Till::open().await;
    let data = json!({
        "orderID": "L-1", "orderName": "Hóa đơn 1", "orderAmount": "50000", "orderCurrency": "VND",
        "orderDescription": "Thanh toán hóa đơn", "expiryDuration": 2, "expiryUnit": "HOUR",
        "paymentMethods": ["MPGS", "MOMO", "QRPAY"], "paymentFields": ["mail", "fullname"], "ipnURL": till.address,
    });
    let made = shop.good(LINK, data).await;
    let number = made["orderNo"].as_str().unwrap().to_owned();
    assert_eq!((number.len(), &number[..4]), (25, "3235"));
    let path = made["shortLink"].as_str().unwrap().strip_prefix(&shop.base).unwrap().to_owned();
    assert!(path.starts_with("/s/"));
    let payment = gateway.payment("L-1").unwrap();
    assert_eq!(payment.expires_at.unwrap().as_millis() - payment.created_at.as_millis(), 2 * 3_600_000);

    let page = shop.get(&format!("{path}?lang=en")).await.text;
    assert!(
        page.contains("name=\"email\"")
            && page.contains("name=\"fullname\"")
            && !page.contains("name=\"phone\"")
    );
    let empty = shop.form(&path, &[("action", "contact"), ("email", "")]).await;
    assert_eq!(empty.status, 422);
    let typed = [("action", "contact"), ("email", "a@example.com"), ("fullname", "Nguyễn Văn A")];
    assert_eq!(shop.form(&path, &typed).await.status, 303);
    let page = shop.get(&format!("{path}?lang=en")).await.text;
    assert!(page.contains("MOMO") && page.contains("QRPAY") && !page.contains("ZALOPAY"));
    let done =
        shop.form(&format!("{path}?lang=en&method=WALLET&source=MOMO"), &[("action", "approve")]).await;
    assert!(done.text.contains("data-state=\"paid\""), "{}", done.text);

    let document = shop.ipn(&till.wait_for(1).await[0]);
    assert_eq!(document["responseCode"], "200");
    assert!(document["requestId"].is_string() && document.get("requestID").is_none());
    assert_eq!(
        document["responseData"],
        json!({
            "orderNo": number, "orderReference": "L-1", "orderAmount": "50000",
            "extraData": { "fullName": "Nguyễn Văn A", "email": "a@example.com" },
        })
    );
    // There is nothing to query for a link.
    shop.refused(super::support::QUERY, json!({ "transactionID": number }), "400").await;
    for (more, words) in [
        (json!({ "paymentMethods": [] }), "paymentMethods is empty"),
        (json!({ "paymentMethods": ["CASH"] }), "must be one of GALAXYPAY"),
        (json!({ "paymentFields": ["age"] }), "must be one of email"),
        (json!({ "expiryDuration": 0 }), "above zero"),
        (json!({ "expiryUnit": "WEEK" }), "DAY, HOUR or MINUTE"),
    ] {
        let data: Value = with(
            json!({
                "orderID": "L-2", "orderName": "n", "orderAmount": 1, "orderCurrency": "VND", "orderDescription": "d",
                "expiryDuration": 1, "paymentMethods": ["QRPAY"], "paymentFields": [],
            }),
            more,
        );
        let message = shop.refused(LINK, data, "400").await;
        assert!(message.contains(words), "{message}");
    }
}
