//! Notifications: one address for all tills, signed as a check is, spoiled on order.

use std::collections::BTreeSet;

use serde_json::Value;
use tulbur_sandbox::{Fault, FaultKind, PushState};

use super::support::{INVOICE, SECRET, Till as Register, start};
use crate::support::{Till, joined, sign};

fn names(body: &Value) -> BTreeSet<&str> {
    body.as_object().unwrap().keys().map(String::as_str).collect()
}

#[tokio::test]
async fn all_tills_are_told_at_one_address() {
    let (_sandbox, _, bank) = start().await;
    let shop = Till::open().await;
    bank.set_push_address(Some(&shop.address)).unwrap();
    bank.set_switch("terminals", "3").unwrap();
    for terminal in ["13161272", "13161273", "13161274"] {
        let register = Register::at(bank.base_url(), terminal, SECRET);
        let number = format!("INV-{terminal}");
        register.phone(&number, "1100.50").await;
        bank.act(&number, "pay").unwrap();
    }
    let received = shop.wait_for(3).await;
    let terminals: BTreeSet<String> =
        received.iter().map(|one| one.json()["terminal"].as_str().unwrap().to_owned()).collect();
    assert_eq!(terminals.len(), 3);
    for one in &received {
        assert_eq!(
            (one.method.as_str(), one.headers["content-type"].as_bytes()),
            ("POST", &b"application/json"[..])
        );
        let body = one.json();
        let six = ["amount", "checksum", "invoice", "resp_code", "resp_desc", "terminal"];
        assert_eq!(names(&body), six.into());
        assert_eq!(body["checksum"], sign(SECRET, &joined(&body, INVOICE)));
        assert_eq!((&body["resp_code"], &body["amount"]), (&"00".into(), &"1100.50".into()));
    }
}

#[tokio::test]
async fn switches_change_what_a_notification_is() {
    let (_sandbox, register, bank) = start().await;
    let shop = Till::open().await;
    bank.set_push_address(Some(&format!("{}?shop=1", shop.address))).unwrap();
    bank.set_switch("push-fields", "eight").unwrap();
    bank.set_switch("amount-type", "number").unwrap();
    register.phone("A", "1100.50").await;
    bank.act("A", "pay").unwrap();
    let body = shop.wait_for(1).await[0].clone();
    assert!(String::from_utf8_lossy(&body.body).contains("\"amount\":1100.50"), "{:?}", body.body);
    let body = body.json();
    assert!(names(&body).contains("approval_code") && names(&body).contains("card_number"));

    bank.set_switch("push-format", "query").unwrap();
    register.phone("B", "1100.50").await;
    bank.act("B", "pay").unwrap();
    assert!(shop.wait_for(2).await[1].body.is_empty());
    let tried = || bank.pushes().pop().unwrap().attempts.first().map(|attempt| attempt.address.clone());
    crate::support::eventually("recorded", || tried().is_some()).await;
    let sent = tried().unwrap();
    assert!(
        sent.contains("?shop=1&") && sent.contains("amount=1100.50") && sent.contains("resp_code=00"),
        "{sent}"
    );

    bank.set_switch("push-format", "json").unwrap();
    register.phone("C", "5").await;
    bank.act("C", "decline").unwrap();
    assert!(bank.payment("C").unwrap().pushes.is_empty());
    bank.set_switch("push-unpaid", "yes").unwrap();
    register.phone("D", "5").await;
    bank.act("D", "decline").unwrap();
    let body = shop.wait_for(3).await[2].json();
    assert_eq!((&body["invoice"], &body["resp_code"]), (&"D".into(), &"01".into()));
}

#[tokio::test]
async fn spoiled_lost_and_doubled() {
    let (_sandbox, register, bank) = start().await;
    let shop = Till::open().await;
    bank.set_push_address(Some(&shop.address)).unwrap();
    for (at, kind) in [FaultKind::PushTamperedAmount, FaultKind::PushWrongKey].into_iter().enumerate() {
        bank.add_fault(Fault::new(kind)).unwrap();
        let number = format!("A-{at}");
        register.phone(&number, "1500").await;
        bank.act(&number, "pay").unwrap();
        let body = shop.wait_for(at + 1).await[at].json();
        assert_ne!(body["checksum"], sign(SECRET, &joined(&body, INVOICE)), "{kind:?}");
        assert_eq!(body["amount"] == "2500", kind == FaultKind::PushTamperedAmount);
    }
    bank.add_fault(Fault::new(FaultKind::PushLost).for_reference("L")).unwrap();
    bank.add_fault(Fault::new(FaultKind::PushDoubled).for_reference("D")).unwrap();
    for number in ["L", "D"] {
        register.phone(number, "5").await;
        bank.act(number, "pay").unwrap();
    }
    let received = shop.wait_for(4).await;
    assert_eq!(received[2].body, received[3].body);
    let lost = bank.payment("L").unwrap().pushes[0];
    assert_eq!(bank.pushes().iter().find(|push| push.id == lost).unwrap().state, PushState::Lost);
}
