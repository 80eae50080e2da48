//! The payer's page, and what the sandbox's host adds to a plug-in: control page, request log, explanations.

use std::sync::Arc;

use khur_bank::{ID, KhurBank, KhurBankConfig};
use khur_bank_sandbox::{MERCHANT, SECRET};
use tulbur_core::{
    AccountName, CallbackUrl, Channel, CreateInvoice, Currency, Delivery, ErrorKind, Language, MerchantRef,
    Money, NextAction, Outcome, PaymentStatus, Proof, Provider, ProviderFactory, RandomIds, ReturnUrls, Url,
    Voucher,
};
use tulbur_sandbox::Sandbox;

fn account(sandbox: &Sandbox, secret: &str) -> Arc<dyn Provider> {
    let mut config = KhurBankConfig::new(MERCHANT, secret.into());
    config.base_url = Url::parse(sandbox.base_url(ID).unwrap()).unwrap();
    let env = tulbur_reqwest::standard_env().unwrap();
    KhurBank::build(&AccountName::parse("shop").unwrap(), config, &env).unwrap()
}

fn request(provider: &dyn Provider) -> CreateInvoice {
    let reference = MerchantRef::generate(&provider.info().ref_rule, &RandomIds);
    let price = Money::from_minor(150_050, Currency::MNT);
    let mut request = CreateInvoice::new(reference, price, "<b>Ном</b> & \"more\"");
    let back = CallbackUrl::parse("http://127.0.0.1:9/буцах?a=1#end").unwrap();
    request.return_urls = Some(ReturnUrls::one(back));
    request.language = Language::En;
    request
}

fn browser() -> reqwest::Client {
    reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap()
}

#[tokio::test]
async fn a_payer_pays_on_the_page_and_comes_back_with_a_hint() {
    let sandbox =
        Sandbox::builder().without_built_in().plugin(khur_bank_sandbox::KhurBank).start().await.unwrap();
    let provider = account(&sandbox, SECRET);
    let request = request(&*provider);
    let invoice = provider.invoices().unwrap().create_invoice(&request).await.unwrap();
    let NextAction::Redirect(page) = &invoice.next[0] else { panic!("{invoice:?}") };

    let html = browser().get(page.url.clone()).send().await.unwrap().text().await.unwrap();
    assert!(html.contains("1500.50") && html.contains("lang=en"), "{html}");
    assert!(html.contains("&lt;b&gt;Ном&lt;/b&gt; &amp; &quot;more&quot;"), "{html}");

    let pressed = |choice: &'static str| {
        let post = browser()
            .post(page.url.clone())
            .header("content-type", "application/x-www-form-urlencoded")
            .body(format!("choice={choice}"));
        async move { post.send().await.unwrap() }
    };
    assert_eq!(pressed("OPEN").await.status(), 400);
    let answer = pressed("PAID").await;
    assert_eq!(answer.status(), 303);
    let back = Url::parse(answer.headers()["location"].to_str().unwrap()).unwrap();
    assert_eq!(back.fragment(), Some("end"));
    let query = back.query().unwrap();
    assert!(query.starts_with("a=1&reference="), "{query}");
    // Whoever presses the other button afterwards changes nothing.
    assert_eq!(pressed("FAIL").await.headers()["location"].to_str().unwrap(), back.as_str());
    assert!(browser().get(page.url.clone()).send().await.unwrap().text().await.unwrap().contains("done"));

    let delivery =
        Delivery { channel: Channel::Return, method: "GET", query: Some(query), headers: &[], body: b"" };
    let event = provider.ipn().unwrap().verify(&delivery).unwrap();
    assert_eq!(event.subject.merchant_ref, Some(request.merchant_ref.clone()));
    assert!(matches!(event.proof, Proof::Hint(Voucher::None)));
    let payment = provider.queries().unwrap().query(&invoice.payment).await.unwrap();
    assert_eq!((payment.status, payment.amount), (PaymentStatus::Paid, Some(request.amount)));
    assert_eq!(sandbox.provider(ID).unwrap().payment(request.merchant_ref.as_str()).unwrap().debits, 1);
}

#[tokio::test]
async fn the_log_says_which_characters_were_hashed() {
    let sandbox =
        Sandbox::builder().without_built_in().plugin(khur_bank_sandbox::KhurBank).start().await.unwrap();
    let provider = account(&sandbox, "a-wrong-secret");
    let request = request(&*provider);
    let error = provider.invoices().unwrap().create_invoice(&request).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Unauthorized, Outcome::Refused));
    let log = sandbox.provider(ID).unwrap().requests();
    let why = &log[0].explanation;
    let hashed = format!("{MERCHANT}|{}|1500.50|", request.merchant_ref);
    assert!(why.contains(&hashed) && why.contains("expected the checksum"), "{why}");
    assert!(!log[0].answer.contains("expected"), "a bank does not tell forgers: {}", log[0].answer);

    let control = browser().get(sandbox.control_url()).send().await.unwrap();
    assert!(control.text().await.unwrap().contains("Khur Bank"));
}
