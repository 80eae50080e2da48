//! The mini app, through the real transport and over real sockets, against a bank that was written without it.

use std::collections::BTreeMap;
use std::time::Duration;

use tulbur_core::{Outcome, Url};
use tulbur_golomt_instore::mini_app::{Customer, MiniApp, MiniAppConfig, Notification, WebToken};
use tulbur_reqwest::ReqwestTransport;
use tulbur_sandbox::{Fault, FaultKind, Sandbox};

struct World {
    sandbox: Sandbox,
    app: MiniApp,
}

impl World {
    async fn new() -> Self {
        let sandbox = Sandbox::builder().start().await.unwrap();
        let bank = sandbox.provider("golomt-mini-app").unwrap();
        let app = app(&bank, &bank.credentials()["cert_id"]);
        Self { sandbox, app }
    }

    fn bank(&self) -> tulbur_sandbox::Provider {
        self.sandbox.provider("golomt-mini-app").unwrap()
    }

    /// The customer opens the mini app: the token that SocialPay puts into its address.
    fn opened(&self, customer: &str) -> WebToken {
        let address = BTreeMap::from([("url".to_owned(), "https://shop.example/app".to_owned())]);
        let address = Url::parse(&self.bank().act_with(customer, "open", address).unwrap()).unwrap();
        let (_, token) = address.query_pairs().find(|(name, _)| name == "token").expect("there is a token");
        WebToken::parse(&token).unwrap()
    }

    async fn customer(&self, token: &WebToken) -> Customer {
        self.app.check_token(token).await.unwrap()
    }
}

fn app(bank: &tulbur_sandbox::Provider, cert_id: &str) -> MiniApp {
    let transport = ReqwestTransport::builder().timeout(Duration::from_secs(30)).build().unwrap();
    let mut config = MiniAppConfig::new(cert_id.into(), bank.credentials()["public_key"].as_str());
    config.base_url = format!("{}/api", bank.base_url().trim_end_matches("/api")).parse().unwrap();
    MiniApp::new(config, tulbur_reqwest::env_with(transport)).unwrap()
}

#[tokio::test]
async fn a_token_is_exchanged_once_and_the_customer_gets_a_message() {
    let world = World::new().await;
    for form in ["number", "text"] {
        world.bank().set_switch("individual-id", form).unwrap();
        let token = world.opened("bat");
        let customer = world.customer(&token).await;
        assert!(customer.register_number.is_some() && customer.first_name.is_some(), "{form}: {customer:?}");
        let error = world.app.check_token(&token).await.unwrap_err();
        assert_eq!(error.outcome(), Outcome::NoEffect, "a token works once: {error}");

        let id = customer.individual_id;
        let message =
            Notification::new(id, "Захиалга", "Таны захиалга бэлэн", "view", "https://shop.example/app");
        world.app.notify(&message).await.unwrap();
    }
    assert_ne!(
        world.customer(&world.opened("bat")).await.individual_id,
        world.customer(&world.opened("tuya")).await.individual_id
    );
}

#[tokio::test]
async fn a_doubled_prefix_in_the_address_does_no_harm() {
    let world = World::new().await;
    world.bank().set_switch("token-address", "appended").unwrap();
    let address = BTreeMap::from([("url".to_owned(), "https://shop.example/app?token=".to_owned())]);
    let address = Url::parse(&world.bank().act_with("bat", "open", address).unwrap()).unwrap();
    let (_, value) = address.query_pairs().find(|(name, _)| name == "token").expect("there is a token");
    assert!(value.starts_with("?token="), "this is the doubled form: {value}");
    world.customer(&WebToken::parse(&value).unwrap()).await;
}

#[tokio::test]
async fn who_the_bank_does_not_know_learns_nothing() {
    let world = World::new().await;
    for status in ["400", "401", "200"] {
        world.bank().set_switch("error-http-status", status).unwrap();
        let stranger = app(&world.bank(), "another-cert-id");
        let error = stranger.check_token(&world.opened("bat")).await.unwrap_err();
        assert_eq!(error.outcome(), Outcome::NoEffect, "{status}: {error}");
        assert!(error.text().is_some(), "the bank's words are passed on: {error}");
        let made_up = WebToken::parse("made-up").unwrap();
        assert_eq!(
            world.app.check_token(&made_up).await.unwrap_err().outcome(),
            Outcome::NoEffect,
            "{status}"
        );
        let nobody = Notification::new("0", "a", "b", "c", "https://shop.example/app");
        assert_eq!(world.app.notify(&nobody).await.unwrap_err().outcome(), Outcome::Unknown, "{status}");
    }
}

/// A one-time token is not sent again by itself, although asking changes no money.
#[tokio::test]
async fn a_lost_answer_is_not_asked_for_again() {
    let world = World::new().await;
    let path = "/api/utility/miniapp/token/check";
    world.bank().add_fault(Fault::new(FaultKind::AnswerLost).on_path(path)).unwrap();
    let error = world.app.check_token(&world.opened("bat")).await.unwrap_err();
    assert_eq!(error.outcome(), Outcome::NoEffect, "{error}");
    let calls = world.bank().requests().iter().filter(|request| request.target.starts_with(path)).count();
    assert_eq!(calls, 1);
}
