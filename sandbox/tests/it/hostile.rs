//! Bodies that no merchant sends on purpose: each gets a clear refusal, and the next request works.

use serde_json::json;

use crate::support::start;

#[tokio::test]
async fn broken_bodies_are_refused_with_the_cause() {
    let (_sandbox, merchant, bank) = start().await;
    let deep = format!("{{\"transactionId\":\"A\",\"extra\":{}{}}}", "[".repeat(60_000), "]".repeat(60_000));
    let deep_objects = format!("{}1{}", "{\"a\":".repeat(30_000), "}".repeat(30_000));
    let large = json!({ "transactionId": "A", "extra": "x".repeat(1024 * 1024) }).to_string();
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (b"".to_vec(), "empty"),
        (b"   ".to_vec(), "empty"),
        (b"null".to_vec(), "not a JSON object"),
        (b"[1]".to_vec(), "not a JSON object"),
        (b"\"text\"".to_vec(), "not a JSON object"),
        (b"{\"transactionId\":".to_vec(), "not JSON"),
        (b"{} {}".to_vec(), "not JSON"),
        (b"{\"transactionId\":\"\xff\xfe\"}".to_vec(), "not UTF-8"),
        (b"{\"transactionId\":\"\\ud800\"}".to_vec(), "not JSON"),
        (b"\x00\x01\x02".to_vec(), "not JSON"),
        (br#"{"transactionId":"A","checksum":"x","checksum":"y"}"#.to_vec(), "checksum occurs twice"),
        (
            br#"{"transactionId":"A","transactionId":"B","checksum":"y"}"#.to_vec(),
            "transactionId occurs twice",
        ),
        (deep.into_bytes(), "not JSON: recursion limit"),
        (deep_objects.into_bytes(), "not JSON: recursion limit"),
        (large.into_bytes(), "larger than 262144 bytes"),
        (b"transactionId=A&checksum=B".to_vec(), "not JSON"),
    ];
    for path in ["/api/inquiry", "/api/invoice", "/api/pay"] {
        for (body, words) in &cases {
            let reply = merchant.send(path, body.clone()).await.unwrap();
            assert_eq!(reply.status, 400, "{words}");
            let error = reply.json();
            assert!(error["message"].as_str().unwrap().contains(words), "{words}: {error}");
            assert_eq!(error["path"], path);
            assert!(bank.requests().pop().unwrap().explanation.contains(words), "{words}");
        }
    }
    merchant.invoice("A-1").await;
    assert_eq!(bank.payments().len(), 1);
}

#[tokio::test]
async fn text_from_outside_is_escaped_on_every_page() {
    let (sandbox, merchant, _bank) = start().await;
    let evil = "<script>alert('x')</script>\"&";
    let invoice = merchant
        .invoice_with(
            evil,
            json!({ "callback": "https://shop.example/?q=\"><script>alert(2)</script>", "extra": evil }),
        )
        .await;
    let mut fields = crate::support::card_form(crate::support::SUCCESS);
    fields[4].1 = evil;
    for page in [
        merchant.get(&format!("/payment/en/{invoice}")).await.text,
        merchant.form(&format!("/payment/en/{invoice}"), &fields).await.text,
        merchant.get(&format!("/payment/en/{invoice}")).await.text,
        reqwest::get(format!("{}/p/golomt-ecommerce", sandbox.control_url()))
            .await
            .unwrap()
            .text()
            .await
            .unwrap(),
    ] {
        assert!(!page.contains("<script>alert"), "{page}");
    }
}

#[tokio::test]
async fn card_numbers_are_never_kept() {
    let (sandbox, merchant, bank) = start().await;
    let invoice = merchant.invoice("A-1").await;
    let page = format!("/payment/en/{invoice}");
    // A number that could be somebody's is not even shown back.
    let refused = merchant.form(&page, &crate::support::card_form("4111 1111 1111 1111")).await;
    assert_eq!(refused.status, 422);
    // The page holds the invoice's random id, so four digits alone could be found there.
    assert!(["4111 1111", "41111111"].iter().all(|digits| !refused.text.contains(digits)));
    merchant.form(&page, &crate::support::card_form("9999990000000006")).await;

    let control = reqwest::get(format!("{}/p/golomt-ecommerce", sandbox.control_url()));
    let control = control.await.unwrap().text().await.unwrap();
    let everything = format!("{:?}{:?}{:?}{control}", bank.requests(), bank.payments(), bank.pushes());
    // Wherever it stands, and in whatever writing: in a form, in JSON, in the address, in a header.
    let writings = [
        "4111111111111111",
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "4111\u{a0}1111\u{a0}1111\u{a0}1111",
        "x4111111111111111",
        "٤١١١١١١١١١١١١١١١",
        "４１１１１１１１１１１１１１１１",
    ];
    for number in writings {
        let address = format!("/api/inquiry?note={number}");
        merchant.form(&address, &[("note", number)]).await;
        merchant.form(&page, &crate::support::card_form(number)).await;
    }
    let requests = format!("{:?}", bank.requests());
    for number in writings {
        let shown = [
            number.to_owned(),
            percent_encoding::utf8_percent_encode(number, percent_encoding::NON_ALPHANUMERIC).to_string(),
        ];
        assert!(shown.iter().all(|number| !requests.contains(number)), "{number} in {requests}");
    }
    assert!(requests.contains("[hidden]"));
    for digits in ["4111111111111111", "4111 1111", "4111+1111", "9999990000000006", "9999 9900 0000 0006\""]
    {
        assert!(!everything.contains(digits), "{digits}");
    }
}
