//! How an invoice stands, by the rows of a check and the payments behind them.

use proptest::prelude::*;
use serde_json::{Value, json};
use tulbur_core::{ErrorKind, Method, Money, Payment, PaymentStatus, Provider, confirm};

use crate::common::*;

const A: &str = "000000000000001";
const B: &str = "000000000000002";
const C: &str = "000000000000003";

async fn of_rows(rows: &[(&str, &str, &str)]) -> Payment {
    let (qpay, script) = qpay();
    script_check(&script, rows);
    let said = query(&qpay).await.unwrap();
    assert_eq!(said.reference, payment());
    assert_eq!(script.sent().len(), 1 + said.parts.len(), "each row that is money is read once");
    said
}

/// Amount and refunded of what was said.
fn sums(said: &Payment) -> (Option<String>, Option<String>) {
    let text = |money: Option<Money>| money.map(Money::to_decimal_text);
    (text(said.amount), text(said.refunded))
}

#[tokio::test]
async fn only_paid_rows_are_money_and_their_sum_is_compared() {
    use PaymentStatus::{Paid, Pending};
    for (rows, status, amount, refunded) in [
        (&[][..], Pending, None, None),
        (&[(A, "PAID", "100.00")][..], Paid, Some("100.00"), None),
        (&[(A, "PAID", "60.00"), (B, "PAID", "40.00")], Paid, Some("100.00"), None),
        (&[(A, "PAID", "99.99")], Pending, Some("99.99"), None),
        (&[(A, "PAID", "60.00"), (B, "PAID", "39.99")], Pending, Some("99.99"), None),
        (&[(A, "PAID", "150.00")], Paid, Some("150.00"), None),
        (&[(A, "PAID", "100.00"), (B, "PAID", "100.00")], Paid, Some("200.00"), None),
        (&[(A, "FAILED", "100.00"), (B, "PAID", "100.00")], Paid, Some("100.00"), None),
        (&[(A, "FAILED", "100.00")], Pending, None, None),
        (&[(A, "NEW", "100.00")], Pending, None, None),
        (&[(A, "PENDING", "100.00")], Pending, None, None),
        (&[(A, "PARTIAL", "100.00")], Pending, None, None),
        (&[(A, "PARTIAL", "40.00"), (B, "PAID", "60.00")], Pending, Some("60.00"), None),
        (&[(A, "CLOSED", "100.00")], Pending, None, None),
        (&[(A, "paid", "100.00")], Pending, None, None),
        (&[(A, "CANCELLED", "100.00")], Pending, None, None),
        (&[(A, "REFUNDED", "100.00")], Paid, Some("100.00"), Some("100.00")),
        (&[(A, "REFUND", "100.00")], Paid, Some("100.00"), Some("100.00")),
        (&[(A, "PAID", "100.00"), (B, "REFUNDED", "100.00")], Paid, Some("200.00"), Some("100.00")),
        (&[(A, "FAILED", "100.00"), (B, "FAILED", "100.00"), (C, "PAID", "100")], Paid, Some("100.00"), None),
    ] {
        let said = of_rows(rows).await;
        let expected = (amount.map(str::to_owned), refunded.map(str::to_owned));
        assert_eq!((said.status, sums(&said)), (status, expected), "{rows:?}");
    }
}

/// `paid_amount` and `count` are QPay's, and what they count is unknown.
#[tokio::test]
async fn a_sum_or_a_count_of_qpays_pays_nothing() {
    for answer in [
        json!({ "count": 1, "paid_amount": 100, "rows": [row(A, "NEW", "100.00")] }),
        json!({ "count": 0, "paid_amount": 100, "rows": [] }),
        json!({ "paid_amount": "100.00", "rows": [] }),
        json!({ "count": 1, "rows": [row(A, "FAILED", "100.00")], "invoice_status": "CLOSED" }),
    ] {
        let (qpay, script) = qpay();
        script.then(ok(&answer));
        let said = query(&qpay).await.unwrap();
        assert_eq!((said.status, said.amount), (PaymentStatus::Pending, None), "{answer}");
    }
}

#[tokio::test]
async fn parts_say_what_can_be_given_back() {
    let said =
        of_rows(&[(TRANSFER, "PAID", "60.00"), (CARD, "PAID", "40.00"), (C, "REFUNDED", "5.00")]).await;
    let parts: Vec<_> = said
        .parts
        .iter()
        .map(|part| {
            let method = part.method.as_deref().unwrap();
            (part.charge_ref.as_str(), part.amount, method, part.refundable, part.returned)
        })
        .collect();
    assert_eq!(
        parts,
        [
            (TRANSFER, mnt("60"), "P2P", false, false),
            (CARD, mnt("40"), "CARD", true, false),
            (C, mnt("5"), "P2P", false, true),
        ]
    );
    assert!(said.parts[0].charge_ref.as_str().starts_with('0'), "leading zeros stay");
}

#[tokio::test]
async fn a_word_that_is_not_listed_is_said() {
    let said = of_rows(&[(A, "ЗАВСАР", "100.00")]).await;
    assert_eq!((said.status, said.code.as_deref()), (PaymentStatus::Pending, Some("ЗАВСАР")));
    let said = of_rows(&[(A, "SETTLING", "1.00"), (B, "PAID", "100.00")]).await;
    assert_eq!((said.status, said.code.as_deref()), (PaymentStatus::Paid, Some("SETTLING")));
    let said = of_rows(&[(A, "FAILED", "100.00")]).await;
    assert_eq!((said.status, said.code.as_deref()), (PaymentStatus::Pending, Some("FAILED")));
    assert_eq!(of_rows(&[(A, "FAILED", "100.00"), (B, "PAID", "100.00")]).await.code, None);
}

#[tokio::test]
async fn amounts_are_texts_or_numbers() {
    for (listed, read) in [(json!("100.00"), json!(100)), (json!(100.5), json!("100.50"))] {
        let (qpay, script) = qpay();
        let (mut in_check, mut in_read) = (row(A, "PAID", "0"), self::read(A, "PAID", "0"));
        (in_check["payment_amount"], in_read["payment_amount"]) = (listed, read);
        script.then(ok(&checked(&[in_check]))).then(ok(&in_read));
        assert_eq!(query(&qpay).await.unwrap().status, PaymentStatus::Paid);
    }
}

#[tokio::test]
async fn money_of_another_currency_is_never_passed_over() {
    for currency in ["USD", "CNY", "mnt", ""] {
        let (qpay, script) = qpay();
        let mut dollars = row(B, "PAID", "100.00");
        dollars["payment_currency"] = currency.into();
        script.then(ok(&checked(&[row(A, "PAID", "100.00"), dollars])));
        let error = query(&qpay).await.unwrap_err();
        let kind = if currency.is_empty() { ErrorKind::Malformed } else { ErrorKind::Untrusted };
        assert_eq!((error.kind(), error.field()), (kind, Some("payment_currency")), "{currency}: {error}");
    }
    // What is no money may be in any currency.
    let (qpay, script) = qpay();
    let mut dollars = row(A, "FAILED", "nonsense");
    dollars["payment_currency"] = "USD".into();
    script.then(ok(&checked(&[dollars])));
    assert_eq!(query(&qpay).await.unwrap().status, PaymentStatus::Pending);
}

/// Rows for a page, none of which is money.
fn failed(numbers: std::ops::Range<usize>) -> Vec<Value> {
    numbers.map(|number| row(&format!("{number:015}"), "FAILED", "100.00")).collect()
}

fn page(count: &Value, rows: &[Value]) -> Value {
    json!({ "count": count, "rows": rows })
}

#[tokio::test]
async fn all_pages_are_read() {
    // A full page, a short page of a server that has a smaller limit, and a count that is missing.
    for (count, first) in [
        (json!(101), failed(0..100)),
        (json!(2), failed(0..1)),
        (json!("2"), failed(0..1)),
        (Value::Null, failed(0..100)),
        // Should it count the page and not the whole.
        (json!(100), failed(0..100)),
    ] {
        let (qpay, script) = qpay();
        let paid = row(CARD, "PAID", "100.00");
        script
            .then(ok(&page(&count, &first)))
            .then(ok(&page(&count, &[paid])))
            .then(ok(&read(CARD, "PAID", "100.00")));
        assert_eq!(query(&qpay).await.unwrap().status, PaymentStatus::Paid, "{count}");
        let sent = script.sent();
        assert!(body(&sent[0]).ends_with(r#""offset":{"page_number":1,"page_limit":100}}"#));
        assert!(body(&sent[1]).ends_with(r#""offset":{"page_number":2,"page_limit":100}}"#));
        assert_eq!(
            (sent[2].method, sent[2].url.path()),
            (Method::Get, format!("/v2/payment/{CARD}").as_str())
        );
    }
}

#[tokio::test]
async fn a_list_that_is_not_whole_decides_nothing() {
    let paid = || row(A, "PAID", "100.00");
    for pages in [
        vec![page(&json!(2), &[paid()]), page(&json!(2), &[])],
        vec![page(&json!(2), &[paid()]), page(&json!(2), &[paid()])],
        vec![page(&json!(2), &[paid(), paid()])],
        vec![json!({ "count": 1 })],
        vec![json!({ "count": 1, "rows": null })],
        vec![json!({ "count": -1, "rows": [] })],
        vec![json!({ "count": "many", "rows": [] })],
        (0..20).map(|number| page(&json!(9999), &failed(number * 100..number * 100 + 100))).collect(),
    ] {
        let (qpay, script) = qpay();
        for page in &pages {
            script.then(ok(page));
        }
        let error = query(&qpay).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed, "{error}");
        assert_eq!(script.sent().len(), pages.len());
    }
}

/// QPay's answer to a check names neither the invoice nor anything of ours.
#[tokio::test]
async fn answers_of_two_invoices_that_are_swapped_are_found() {
    let (qpay, script) = qpay();
    let other = payment_of(OTHER_INVOICE);
    // Each is asked about, and each gets the other's answer.
    script.then(ok(&checked(&[row(A, "PAID", "100.00")]))).then(ok(&read_of(
        OTHER_INVOICE,
        A,
        "PAID",
        "100.00",
    )));
    let error = confirm(qpay.queries().unwrap(), &payment()).await.unwrap_err();
    assert_eq!((error.kind(), error.field()), (ErrorKind::Untrusted, Some("object_id")));
    script.then(ok(&checked(&[row(B, "PAID", "100.00")]))).then(ok(&read(B, "PAID", "100.00")));
    let error = confirm(qpay.queries().unwrap(), &other).await.unwrap_err();
    assert_eq!((error.kind(), error.field()), (ErrorKind::Untrusted, Some("object_id")));
    // Not swapped, both are paid.
    script.then(ok(&checked(&[row(A, "PAID", "100.00")]))).then(ok(&read_of(
        OTHER_INVOICE,
        A,
        "PAID",
        "100.00",
    )));
    assert!(confirm(qpay.queries().unwrap(), &other).await.unwrap().status.is_paid());
}

#[tokio::test]
async fn one_foreign_row_makes_the_whole_answer_untrusted() {
    let (qpay, script) = qpay();
    script
        .then(ok(&checked(&[row(A, "PAID", "100.00"), row(B, "PAID", "1.00")])))
        .then(ok(&read(A, "PAID", "100.00")))
        .then(ok(&read_of(OTHER_INVOICE, B, "PAID", "1.00")));
    assert_eq!(query(&qpay).await.unwrap_err().kind(), ErrorKind::Untrusted);
}

#[tokio::test]
async fn a_check_and_its_payment_say_the_same() {
    let change = |name: &str, value: Value| {
        let mut read = read(A, "PAID", "100.00");
        read[name] = value;
        read
    };
    for (answer, kind, field) in [
        (change("payment_amount", "1.00".into()), ErrorKind::Untrusted, "payment_amount"),
        (change("payment_status", "NEW".into()), ErrorKind::Untrusted, "payment_status"),
        (change("payment_status", "REFUNDED".into()), ErrorKind::Untrusted, "payment_status"),
        (change("transaction_type", "CARD".into()), ErrorKind::Untrusted, "payment_type"),
        (change("payment_id", B.into()), ErrorKind::Untrusted, "payment_id"),
        (change("payment_id", "1".into()), ErrorKind::Untrusted, "payment_id"),
        (change("payment_currency", "USD".into()), ErrorKind::Untrusted, "payment_currency"),
        (change("object_type", "QR".into()), ErrorKind::Untrusted, "object_id"),
        (change("object_id", CODE.into()), ErrorKind::Untrusted, "object_id"),
        (change("object_id", INVOICE.to_uppercase().into()), ErrorKind::Untrusted, "object_id"),
        (change("object_id", Value::Null), ErrorKind::Malformed, "object_id"),
        (change("payment_id", json!(1)), ErrorKind::Malformed, "payment_id"),
        (json!({}), ErrorKind::Malformed, "payment_id"),
    ] {
        let (qpay, script) = qpay();
        script.then(ok(&checked(&[row(A, "PAID", "100.00")]))).then(ok(&answer));
        let error = query(&qpay).await.unwrap_err();
        assert_eq!((error.kind(), error.field()), (kind, Some(field)), "{answer}");
    }
}

/// "Not found" about a listed payment is not "not found" about the invoice.
#[tokio::test]
async fn a_listed_payment_that_is_not_known_is_untrusted() {
    let (qpay, script) = qpay();
    script.then(ok(&checked(&[row(A, "PAID", "100.00")]))).then(http(422, failure("PAYMENT_NOTFOUND")));
    assert_eq!(query(&qpay).await.unwrap_err().kind(), ErrorKind::Untrusted);
    script.then(http(422, failure("INVOICE_NOTFOUND")));
    assert_eq!(query(&qpay).await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn rows_that_cannot_be_read_decide_nothing() {
    for (name, value) in [
        ("payment_id", json!(89_741_882_240_445_u64)),
        ("payment_id", json!("../invoice")),
        ("payment_id", json!("a b")),
        ("payment_id", Value::Null),
        ("payment_status", Value::Null),
        ("payment_amount", json!("1e2")),
        ("payment_amount", json!("-100.00")),
        ("payment_amount", json!("0")),
        ("payment_amount", json!("100.001")),
        ("payment_amount", Value::Null),
        ("payment_currency", Value::Null),
        ("payment_status", json!(["PAID"])),
    ] {
        let (qpay, script) = qpay();
        let mut odd = row(A, "PAID", "100.00");
        odd[name] = value.clone();
        script.then(ok(&checked(&[odd])));
        let error = query(&qpay).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed, "{name} {value}: {error}");
        assert_eq!(script.sent().len(), 1);
    }
}

#[tokio::test]
async fn without_the_invoices_id_or_the_amount_nothing_is_sent() {
    let (qpay, script) = qpay();
    let mut unknown = payment();
    unknown.provider_ref = None;
    let error = qpay.queries().unwrap().query(&unknown).await.unwrap_err();
    assert_eq!((error.kind(), error.field()), (ErrorKind::Unsupported, Some("provider_ref")));
    for bad in ["../payment/refund/1", "a/b", "a?b", "a b", &"1".repeat(51)] {
        let error = qpay.queries().unwrap().query(&payment_of(bad)).await.unwrap_err();
        assert_eq!((error.kind(), error.field()), (ErrorKind::InvalidRequest, Some("provider_ref")), "{bad}");
    }
    let mut unasked = payment();
    unasked.amount = None;
    let error = qpay.queries().unwrap().query(&unasked).await.unwrap_err();
    assert_eq!((error.kind(), error.field()), (ErrorKind::InvalidRequest, Some("amount")));
    assert!(script.sent().is_empty() && script.logins().is_empty());
}

#[tokio::test]
async fn a_payment_is_read_whole_and_only_for_its_invoice() {
    let (qpay, script) = qpay();
    let mut answer = read(CARD, "PAID", "100.00");
    answer["card_transactions"] = json!([{ "card_type": "UNIONPAY", "card_number": "621234******0003" }]);
    script.then(ok(&answer));
    let read = qpay.read_payment(&payment(), &charge(CARD)).await.unwrap();
    assert_eq!((read.id.as_str(), read.amount, read.fee), (CARD, mnt("100"), Some(mnt("1"))));
    assert_eq!((read.status.as_str(), read.method.as_deref()), ("PAID", Some("CARD")));
    assert_eq!(read.date.as_deref(), Some("2022-03-11T05:57:47.336Z"));
    assert_eq!(read.card.masked_number.as_deref(), Some("621234******0003"));
    assert_eq!(read.card.brand.as_deref(), Some("UNIONPAY"));
    assert!(read.is_there() && !read.is_returned());
    script.then(ok(&read_of(OTHER_INVOICE, CARD, "PAID", "100.00")));
    let error = qpay.read_payment(&payment(), &charge(CARD)).await.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Untrusted, Some("read_payment")));
    for bad in ["../x", "1/2", "1?2"] {
        let error = qpay.read_payment(&payment(), &charge(bad)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{bad}");
    }
}

#[tokio::test]
async fn a_fee_hides_no_payment() {
    for fee in [json!("0.8333"), json!(null), json!(""), json!("free"), json!(1.5)] {
        let (qpay, script) = qpay();
        let mut answer = read(CARD, "PAID", "100.00");
        answer["payment_fee"] = fee.clone();
        script.then(ok(&checked(&[row(CARD, "PAID", "100.00")]))).then(ok(&answer)).then(ok(&answer));
        assert!(query(&qpay).await.unwrap().status.is_paid(), "{fee}");
        let read = qpay.read_payment(&payment(), &charge(CARD)).await.unwrap();
        assert_eq!(read.fee, (fee == json!(1.5)).then(|| mnt("1.50")));
    }
}

#[tokio::test]
async fn a_misspelt_list_of_cards_is_read_too() {
    let (qpay, script) = qpay();
    let mut answer = read(CARD, "PAID", "100.00");
    answer["card_tansactions"] = json!([{ "card_type": "VISA" }]);
    script.then(ok(&checked(&[row(CARD, "PAID", "100.00")]))).then(ok(&answer));
    assert_eq!(query(&qpay).await.unwrap().card.brand.as_deref(), Some("VISA"));
}

proptest! {
    /// Whatever rows there are, paid is what reaches the amount by rows `PAID` and what was given back of them.
    #[test]
    fn paid_is_the_sum_and_nothing_else(
        rows in prop::collection::vec((0_usize..6, 1_i64..20_000), 0..6)
    ) {
        let words = ["PAID", "REFUNDED", "FAILED", "NEW", "PARTIAL", "ODD"];
        let rows: Vec<(String, &str, String)> = rows
            .iter()
            .enumerate()
            .map(|(at, (word, minor))| {
                (format!("{at:015}"), words[*word], format!("{}.{:02}", minor / 100, minor % 100))
            })
            .collect();
        let sum = |word: &str| -> i64 {
            rows.iter().filter(|row| row.1 == word).map(|row| mnt(&row.2).minor()).sum()
        };
        let (there, back) = (sum("PAID"), sum("REFUNDED"));
        let (qpay, script) = qpay();
        let borrowed: Vec<(&str, &str, &str)> =
            rows.iter().map(|(id, word, amount)| (id.as_str(), *word, amount.as_str())).collect();
        script_check(&script, &borrowed);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let said = runtime.block_on(query(&qpay)).unwrap();
        prop_assert_eq!(said.status.is_paid(), there + back >= 10_000);
        prop_assert_eq!(said.amount.map_or(0, Money::minor), there + back);
        prop_assert_eq!(said.refunded.map_or(0, Money::minor), back);
    }
}
