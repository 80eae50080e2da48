//! Invoices with all that their options have, and what of it is refused.

use serde_json::{Value, json};
use tulbur_core::{Currency, ErrorKind, ManualClock, Money, Options, Outcome};
use tulbur_qpay::{
    Account, Address, Bound, Change, Line, Party, QPayOptions, Split, Tax, TaxCode, TaxType, Vat,
};

use crate::common::*;

async fn sent_with(options: &QPayOptions) -> String {
    let (qpay, script) = qpay();
    script.then(ok(&created()));
    let mut request = invoice_request();
    request.options = Some(Options::new(options).unwrap());
    create(&qpay, &request).await.unwrap();
    body(&script.one()).to_owned()
}

fn party() -> Party {
    let mut party = Party::default();
    party.register = Some("УК12345678".into());
    party.name = Some("Planted Name".into());
    party.email = Some("planted@example.mn".into());
    party.phone = Some("88001122".into());
    let mut address = Address::default();
    address.city = Some("Ulaanbaatar".into());
    address.zipcode = Some("14200".into());
    party.address = Some(address);
    party
}

fn full_line() -> Line {
    let mut line = Line::new("Ном", "2.00", mnt("15000"));
    line.product_code = Some("P1".into());
    line.tax_product_code = Some("T1".into());
    line.classification_code = Some("2391000".into());
    line.barcode = Some("4601".into());
    line.note = Some("-".into());
    let mut discount = Change::new("off", mnt("500.5"));
    discount.code = Some("D1".into());
    line.discounts = vec![discount];
    line.surcharges = vec![Change::new("on", mnt("1"))];
    let mut tax = Tax::new(TaxCode::Vat, "НӨАТ", "89.2857");
    tax.city_tax = Some("17.8571".into());
    line.taxes = vec![tax, Tax::new(TaxCode::CityTax, "НХАТ", "17.8571")];
    line
}

#[tokio::test]
async fn a_full_invoice_is_written_in_its_order() {
    let mut options = QPayOptions::default();
    options.branch_code = Some("SALBAR1".into());
    options.branch = Some(party());
    options.staff_code = Some("online".into());
    options.terminal_code = Some("TERM1".into());
    options.receiver_code = Some("83".into());
    options.receiver = Some(party());
    options.note = Some("note".into());
    let mut vat = Vat::new(TaxType::Taxed, "3505");
    vat.customer_code = Some("37900846788".into());
    vat.line_tax_code = Some("83051".into());
    options.vat = Some(vat);
    options.allow_partial = Some(Bound::of(mnt("50")));
    options.allow_exceed = Some(Bound::any());
    options.lines = vec![full_line()];
    let mut account = Account::new("050000", "5000000000", "A");
    account.is_default = true;
    options.split = vec![Split::new("t", mnt("100"), account)];
    let data = r#"{"register":"УК12345678","name":"Planted Name","email":"planted@example.mn","phone":"88001122","address":{"city":"Ulaanbaatar","zipcode":"14200"}}"#;
    let expected = [
        r#"{"invoice_code":"TEST_VAT","sender_invoice_no":"1234567","sender_branch_code":"SALBAR1","sender_branch_data":"#,
        data,
        r#","sender_staff_code":"online","sender_terminal_code":"TERM1","invoice_receiver_code":"83","invoice_receiver_data":"#,
        data,
        r#","invoice_description":"test","calculate_vat":true,"tax_type":"1","district_code":"3505","#,
        r#""tax_customer_code":"37900846788","line_tax_code":"83051","allow_partial":true,"minimum_amount":50,"#,
        r#""allow_exceed":true,"amount":100,"callback_url":"https://example.com/cb?o=1","note":"note","#,
        r#""lines":[{"sender_product_code":"P1","tax_product_code":"T1","classification_code":"2391000","barcode":"4601","#,
        r#""line_description":"Ном","line_quantity":"2.00","line_unit_price":"15000.00","note":"-","#,
        r#""discounts":[{"discount_code":"D1","description":"off","amount":500.5}],"#,
        r#""surcharges":[{"description":"on","amount":1}],"#,
        r#""taxes":[{"tax_code":"VAT","description":"НӨАТ","amount":89.2857,"city_tax":17.8571},"#,
        r#"{"tax_code":"CITY_TAX","description":"НХАТ","amount":17.8571}]}],"#,
        r#""transactions":[{"description":"t","amount":"100.00","accounts":[{"account_bank_code":"050000","#,
        r#""account_number":"5000000000","account_name":"A","account_currency":"MNT","is_default":true}]}]}"#,
    ]
    .concat();
    assert_eq!(sent_with(&options).await, expected);
}

/// What a published client sends for the same invoice, as far as it is known alike: its lines and its split.
#[tokio::test]
async fn lines_and_split_are_those_of_a_published_client() {
    let vectors: Value = serde_json::from_str(include_str!("../vectors/qpay.json")).unwrap();
    let client = vectors["client_requests"].as_array().unwrap().iter().find(|one| one["client"] == "qpay-js");
    let requests = client.unwrap()["requests"].as_array().unwrap();
    let theirs: Value = requests
        .iter()
        .filter_map(|one| serde_json::from_str(one["body"].as_str()?).ok())
        .find(|body: &Value| body.get("lines").is_some())
        .unwrap();
    let mut options = QPayOptions::default();
    let mut line = Line::new("x", "1", mnt("100.50"));
    line.taxes = vec![Tax::new(TaxCode::Vat, "v", "9.13")];
    options.lines = vec![line];
    let mut account = Account::new("050000", "5000000000", "A");
    account.is_default = true;
    account.iban = Some(String::new());
    options.split = vec![Split::new("t", mnt("100.50"), account)];
    let ours: Value = serde_json::from_str(&sent_with(&options).await).unwrap();
    for name in ["lines", "transactions"] {
        assert_eq!(ours[name], theirs[name], "{name}");
    }
}

#[tokio::test]
async fn vat_chooses_its_code_and_its_kind() {
    for (kind, calculate, digit) in
        [(TaxType::Taxed, true, "1"), (TaxType::Untaxed, false, "2"), (TaxType::Exempt, false, "3")]
    {
        let mut options = QPayOptions::default();
        options.vat = Some(Vat::new(kind, "0101"));
        let sent: Value = serde_json::from_str(&sent_with(&options).await).unwrap();
        assert_eq!((&sent["calculate_vat"], &sent["tax_type"]), (&json!(calculate), &json!(digit)));
        assert_eq!(sent["invoice_code"], "TEST_VAT");
        // With one code only, that is sent.
        let (qpay, script) = qpay_at(config(), &ManualClock::new(NOW));
        script.then(ok(&created()));
        let mut request = invoice_request();
        request.options = Some(Options::new(&options).unwrap());
        create(&qpay, &request).await.unwrap();
        assert!(body(&script.one()).starts_with(r#"{"invoice_code":"TEST_INVOICE","#));
    }
}

/// The switches that change what an invoice takes are never on by themselves.
#[tokio::test]
async fn without_options_there_is_the_least() {
    assert_eq!(
        sent_with(&QPayOptions::default()).await,
        r#"{"invoice_code":"TEST_INVOICE","sender_invoice_no":"1234567","invoice_receiver_code":"terminal","invoice_description":"test","amount":100,"callback_url":"https://example.com/cb?o=1"}"#
    );
}

#[tokio::test]
async fn what_does_not_fit_is_refused_by_name() {
    let mut line = full_line();
    let mut cases: Vec<(&str, QPayOptions)> = Vec::new();
    let mut add = |name, change: &dyn Fn(&mut QPayOptions)| {
        let mut options = QPayOptions::default();
        change(&mut options);
        cases.push((name, options));
    };
    let account = || Account::new("050000", "5000000000", "A");
    let usd = Money::from_major(1, Currency::USD).unwrap();
    add("branch_code", &|o| o.branch_code = Some("x".repeat(46)));
    add("branch_code", &|o| o.branch_code = Some(String::new()));
    add("staff_code", &|o| o.staff_code = Some("x".repeat(101)));
    add("terminal_code", &|o| o.terminal_code = Some("x".repeat(46)));
    add("receiver_code", &|o| o.receiver_code = Some("x".repeat(46)));
    add("note", &|o| o.note = Some("x".repeat(1001)));
    add("district_code", &|o| o.vat = Some(Vat::new(TaxType::Taxed, "34")));
    add("allow_partial", &|o| o.allow_partial = Some(Bound::of(usd)));
    add("allow_exceed", &|o| o.allow_exceed = Some(Bound::of(Money::from_minor(-1, Currency::MNT))));
    add("quantity", &|o| o.lines = vec![Line::new("x", "0.00", mnt("1"))]);
    add("quantity", &|o| o.lines = vec![Line::new("x", "-1", mnt("1"))]);
    add("quantity", &|o| o.lines = vec![Line::new("x", "1e3", mnt("1"))]);
    add("quantity", &|o| o.lines = vec![Line::new("x", "01", mnt("1"))]);
    add("quantity", &|o| o.lines = vec![Line::new("x", "1.", mnt("1"))]);
    add("description", &|o| o.lines = vec![Line::new("", "1", mnt("1"))]);
    add("description", &|o| o.lines = vec![Line::new("x".repeat(256), "1", mnt("1"))]);
    add("unit_price", &|o| o.lines = vec![Line::new("x", "1", usd)]);
    add("bank_code", &|o| o.split = vec![Split::new("t", mnt("1"), Account::new("05", "1", "A"))]);
    add("number", &|o| o.split = vec![Split::new("t", mnt("1"), Account::new("050000", "", "A"))]);
    add("amount", &|o| o.split = vec![Split::new("t", usd, account())]);
    add("phone", &|o| {
        let mut party = party();
        party.phone = Some("1".repeat(21));
        o.receiver = Some(party);
    });
    line.classification_code = Some("239".into());
    cases.push(("classification_code", {
        let mut options = QPayOptions::default();
        options.lines = vec![line];
        options
    }));
    let mut taxed = full_line();
    taxed.taxes = vec![Tax::new(TaxCode::Vat, "v", "9,13")];
    cases.push(("amount", {
        let mut options = QPayOptions::default();
        options.lines = vec![taxed];
        options
    }));
    for (name, options) in cases {
        let (qpay, script) = qpay();
        let mut request = invoice_request();
        request.options = Some(Options::new(&options).unwrap());
        let error = create(&qpay, &request).await.unwrap_err();
        assert_eq!((error.kind(), error.field()), (ErrorKind::InvalidRequest, Some("options")), "{name}");
        assert_eq!(error.outcome(), Outcome::NoEffect);
        assert!(error.message().contains(&format!("`{name}`")), "{name}: {error}");
        assert!(script.sent().is_empty() && script.logins().is_empty());
    }
}

#[test]
fn options_come_back_as_they_were_and_print_nobody() {
    let mut options = QPayOptions::default();
    options.receiver = Some(party());
    options.lines = vec![full_line()];
    options.allow_partial = Some(Bound::of(mnt("50")));
    options.split = vec![Split::new("t", mnt("100"), Account::new("050000", "planted-account", "Planted"))];
    let erased = Options::new(&options).unwrap();
    assert_eq!(erased.read::<QPayOptions>().unwrap(), options);
    let printed = format!("{options:?} {erased:?}").to_lowercase();
    assert!(!printed.contains("planted") && !printed.contains("88001122"), "{printed}");
}
