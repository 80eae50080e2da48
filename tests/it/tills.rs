//! Fifty tills with one secret and one push address, as a chain of shops has them: each push finds its till.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use tulbur::core::{
    AccountConfig, AccountName, Currency, Money, OrderRef, ProviderId, SecretString, Url, Way,
};
use tulbur::payments::{MemoryStore, OpenPayment, Payments, Schedule, SealingKeys, Status};
use tulbur::web::{Web, WebSettings};
use tulbur_sandbox::Sandbox;
use tulbur_tests::eventually;

const PROVIDER: &str = "golomt-instore";
const TILLS: u32 = 50;
const FIRST_TERMINAL: u32 = 13_161_272;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_push_address_serves_fifty_tills() {
    let sandbox = Sandbox::builder().start().await.expect("the sandbox starts");
    let bank = sandbox.provider(PROVIDER).expect("it plays the bank");
    bank.set_switch("terminals", &TILLS.to_string()).expect("it has so many terminals");
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port is free");
    let home =
        Url::parse(&format!("http://{}/", listener.local_addr().expect("it is bound"))).expect("an address");
    let push = home.join(&format!("pay/notify/{PROVIDER}")).expect("an address");
    bank.set_push_address(Some(push.as_str())).expect("it takes the address");

    let env = tulbur::reqwest::standard_env().expect("an environment");
    let registry = tulbur::Registry::linked().expect("the provider is linked");
    let key = SecretString::from("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=");
    let keys = SealingKeys::new([("1", &key)]).expect("a key");
    let mut schedule = Schedule::default();
    // Nobody asks of its own accord: what is paid here was found by its push.
    schedule.longest_wait = Duration::from_hours(1);
    schedule.pace =
        Some(tulbur::core::Poll { first: Duration::from_hours(1), every: Duration::from_millis(100) });
    let public_url = home.join("pay/").expect("an address");
    let mut builder = Payments::builder(Arc::new(MemoryStore::new()), env.clock.clone(), keys, public_url)
        .schedule(schedule);
    for number in 0..TILLS {
        let account = AccountConfig::new(till(number), ProviderId::parse(PROVIDER).expect("an id"))
            .with("base_url", bank.base_url())
            .with("terminal", (FIRST_TERMINAL + number).to_string())
            .with("secret", bank.credentials()["secret"].as_str());
        builder = builder.account(registry.build(&account, &env).expect("the account is right"));
    }
    let payments = builder.build().await.expect("payments start");
    let pages = tulbur::axum::router(Web::new(payments.clone(), WebSettings::default()));
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().nest("/pay", pages)).await });

    let mut opened = Vec::new();
    for number in 0..TILLS {
        let order = OrderRef::parse(format!("receipt-{number}")).expect("a name");
        let price = Money::from_major(1100 + i64::from(number), Currency::MNT).expect("a price");
        let request = OpenPayment::new(order, till(number), price, "a receipt").way(Way::Qr);
        opened.push(payments.open(request).await.expect("the bank makes it"));
    }
    // The last half stays unpaid.
    for payment in &opened[..25] {
        bank.act(payment.reference.merchant_ref.as_str(), "pay").expect("the customer pays");
    }
    eventually(Duration::from_secs(30), || async {
        for (number, payment) in opened.iter().enumerate() {
            let record = payments.payment(&payment.id).await.expect("it is stored");
            let expected = if number < 25 { Status::Paid } else { Status::Pending };
            if record.status != expected || record.account != till(u32::try_from(number).expect("small")) {
                return Err(format!("till {number}: {} at {}", record.status, record.account));
            }
        }
        Ok(())
    })
    .await;
    assert!(payments.attention().await.expect("the store answers").is_empty());
    for push in bank.pushes() {
        let answers: Vec<_> = push.attempts.iter().map(|attempt| attempt.status).collect();
        assert!(answers.iter().all(|status| *status == Some(200)), "{answers:?}");
    }
    sandbox.shutdown().await;
}

fn till(number: u32) -> AccountName {
    AccountName::parse(format!("till-{number}")).expect("a name")
}
