//! The published vectors: recorded answers by their bytes, and the shapes of QPay's own examples.

use serde_json::{Value, json};

use super::support::{INVOICE, act, basic, payment_id, simple, start, with};

pub(crate) fn file() -> Value {
    serde_json::from_str(include_str!("../../vectors/qpay.json")).unwrap()
}

fn named(list: &str, name: &str) -> Value {
    let file = file();
    let all = file[list].as_array().unwrap();
    all.iter().find(|one| one["name"] == name).unwrap_or_else(|| panic!("{name}")).clone()
}

#[test]
fn the_vectors_hold_no_credentials_and_name_their_sources() {
    let text = include_str!("../../vectors/qpay.json");
    for word in ["Bearer ", "Basic ", "eyJ", "client_secret"] {
        assert!(!text.contains(word), "{word}");
    }
    for list in ["qr_payloads", "answers_reproduced_from_etags", "samples"] {
        for one in file()[list].as_array().unwrap() {
            assert!(one["source"].is_string(), "{one}");
        }
    }
}

/// Each of these is made by the sandbox, byte for byte; the vectors say how the bodies were proved.
#[tokio::test]
async fn every_recorded_answer_is_given_byte_for_byte() {
    let (_sandbox, shop, qpay) = start().await;
    let none = json!({});
    let id = shop.invoice("A-1").await;
    act(&qpay, "A-1", "fail", &[]);
    let failed = payment_id(&qpay, "A-1");
    shop.invoice("A-2").await;
    act(&qpay, "A-2", "pay", &[]);
    let transfer = payment_id(&qpay, "A-2");
    let receipt = |payment: &str| json!({ "payment_id": payment, "ebarimt_receiver_type": "CITIZEN" });
    let cancel = format!("/v2/invoice/{id}");
    let wrong = basic("sandbox-qpay-user", "wrong");
    let mut seen = Vec::new();
    let mut add = |name: &str, reply: crate::support::Reply| seen.push((name.to_owned(), reply));

    add("auth_token_wrong_password", shop.send("POST", "/v2/auth/token", Some(&wrong), None).await);
    add("refresh_with_bad_token", shop.send("POST", "/v2/auth/refresh", Some("Bearer x"), None).await);
    add("cancel_invoice_ok", shop.raw("DELETE", &cancel, "").await);
    add("cancel_invoice_twice", shop.raw("DELETE", &cancel, "").await);
    for path in ["cancel", "refund"] {
        let path = format!("/v2/payment/{path}/{transfer}");
        add("cancel_or_refund_of_p2p", shop.call("DELETE", &path, &none).await);
    }
    add("ebarimt_of_unpaid", shop.call("POST", "/v2/ebarimt/create", &receipt(&failed)).await);
    for (name, value) in [("ebarimt_broken", "system-busy"), ("ebarimt_v2_empty_ok", "empty")] {
        qpay.set_switch("old-receipt-answer", value).unwrap();
        add(name, shop.call("POST", "/v2/ebarimt/create", &receipt(&transfer)).await);
    }
    qpay.set_switch("answer-code", "SYSTEM_BUSY").unwrap();
    add("payment_list_broken", shop.call("POST", "/v2/payment/list", &none).await);
    qpay.set_switch("answer-code", "normal").unwrap();
    let page = json!({ "object_type": "INVOICE", "object_id": id, "offset": { "page_limit": 0 } });
    add("validation_object_shape", shop.call("POST", "/v2/payment/check", &page).await);

    for (name, reply) in &seen {
        let vector = named("answers_reproduced_from_etags", name);
        assert_eq!(reply.text, vector["body"].as_str().unwrap(), "{name}");
        assert_eq!(u64::from(reply.status), vector["status"].as_u64().unwrap(), "{name}");
        if let Some(etag) = vector["etag"].as_str() {
            let length = etag.strip_prefix("W/\"").unwrap().split('-').next().unwrap();
            assert_eq!(format!("{:x}", reply.text.len()), length, "{name}");
        }
    }
    let proved = file()["answers_reproduced_from_etags"].clone();
    let known: Vec<_> = proved.as_array().unwrap().iter().filter(|one| !one["body"].is_null()).collect();
    assert!(known.iter().all(|one| seen.iter().any(|(name, _)| one["name"] == name.as_str())));
}

/// The JSON type of each member, recursively; a null fits anything.
fn same_types(theirs: &Value, ours: &Value, at: &str) {
    match (theirs, ours) {
        (Value::Null, _) => {}
        (Value::Object(theirs), Value::Object(ours)) => {
            for (name, value) in theirs {
                let ours = ours.get(name).unwrap_or_else(|| panic!("{at}.{name} is missing"));
                same_types(value, ours, &format!("{at}.{name}"));
            }
        }
        (Value::Array(theirs), Value::Array(ours)) => {
            for (theirs, ours) in theirs.iter().zip(ours) {
                same_types(theirs, ours, at);
            }
            assert!(theirs.is_empty() || !ours.is_empty(), "{at}");
        }
        (theirs, ours) => {
            assert_eq!(std::mem::discriminant(theirs), std::mem::discriminant(ours), "{at}: {ours}");
        }
    }
}

#[tokio::test]
async fn answers_have_the_members_and_types_of_qpay_s_examples() {
    let (_sandbox, mut shop, qpay) = start().await;
    let sample = |name: &str| named("samples", name)["body"].clone();
    let tokens = shop.log_in(&qpay).await;
    same_types(&sample("token"), &tokens, "token");
    let created = shop
        .good(
            "POST",
            INVOICE,
            &with(
                simple("A-1"),
                json!({
                    "sender_branch_code": "B", "sender_staff_code": "online", "district_code": "3505",
                }),
            ),
        )
        .await;
    same_types(&sample("invoice_created"), &created, "invoice_created");
    let id = created["invoice_id"].as_str().unwrap();
    same_types(&sample("check_none"), &shop.check(id).await, "check_none");
    same_types(&sample("invoice_open"), &shop.read(id).await, "invoice_open");

    act(&qpay, "A-1", "pay", &[]);
    let payment = payment_id(&qpay, "A-1");
    let read = shop.good("GET", &format!("/v2/payment/{payment}"), &json!({})).await;
    same_types(&sample("payment_p2p"), &read, "payment_p2p");
    // 100.00 paid, a fee of 1.00, 99.00 transferred.
    let theirs = sample("payment_p2p");
    for name in ["payment_fee", "payment_amount", "payment_status", "transaction_type", "object_type"] {
        assert_eq!(read[name], theirs[name], "{name}");
    }
    assert_eq!(read["p2p_transactions"][0]["amount"], theirs["p2p_transactions"][0]["amount"]);
    let body =
        json!({ "payment_id": payment, "ebarimt_receiver_type": "CITIZEN", "ebarimt_receiver": "88000000" });
    let receipt = shop.good("POST", "/v2/ebarimt_v3/create", &body).await;
    same_types(&sample("ebarimt_v3_created"), &receipt, "ebarimt_v3_created");
    let canceled = shop.good("DELETE", &format!("/v2/ebarimt_v3/{payment}"), &json!({})).await;
    same_types(&sample("ebarimt_v3_canceled"), &canceled, "ebarimt_v3_canceled");

    let card = shop.invoice("A-2").await;
    act(&qpay, "A-2", "pay-by-card", &[]);
    let check = shop.check(&card).await;
    same_types(&sample("check_card"), &check, "check_card");
    let names = |value: &Value| {
        super::support::names(&value["rows"][0]).iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(&check), names(&sample("check_card")));
}
