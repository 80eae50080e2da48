//! The shop, the sandbox, and the shop's server that the gateway notifies.

use std::collections::BTreeMap;
use std::time::Duration;
use tulbur_core::{
    Accept, AccountName, BuildEnv, CallbackUrl, Channel, ChargeRequest, CreateInvoice, Currency, Delivery,
    Invoice, IpnEvent, Language, MerchantRef, Money, OperationRef, Options, Payment, PaymentRef,
    PaymentStatus, Proof, Provider, RandomIds, ReturnUrls, SavedCard, confirm,
};
use tulbur_galaxy_pay::{
    GalaxyPay, GalaxyPayConfig, GalaxyPayOptions, Method, ResponseSignature, UAT_CHECKOUT_SCRIPT,
};
use tulbur_reqwest::ReqwestTransport;
use tulbur_sandbox::Sandbox;
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, ResponseTemplate};

/// The shop, the sandbox, and the shop's server that the gateway notifies.
pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    pub(crate) merchant: MockServer,
    pub(crate) env: BuildEnv,
    pub(crate) shop: GalaxyPay,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut GalaxyPayConfig)) -> Self {
        let sandbox = Sandbox::builder().start().await.unwrap();
        let merchant = MockServer::start().await;
        Mock::given(method("POST"))
            .respond_with(ResponseTemplate::new(200).set_body_string(r#"{"ipnStatus":"200"}"#))
            .mount(&merchant)
            .await;
        let transport = ReqwestTransport::builder().timeout(Duration::from_secs(30)).build().unwrap();
        let env = tulbur_reqwest::env_with(transport);
        let gateway = sandbox.provider("galaxy-pay").unwrap();
        let credentials = gateway.credentials();
        let mut config =
            GalaxyPayConfig::new(credentials["api_key"].as_str().into(), credentials["salt"].as_str().into());
        config.base_url = gateway.base_url().parse().unwrap();
        config.accept = Accept::Inferred;
        config.token_method = Some(Method::International);
        config.checkout_script = Some(UAT_CHECKOUT_SCRIPT.parse().unwrap());
        config.response_signature = ResponseSignature::Strict;
        change(&mut config);
        let shop = GalaxyPay::new(AccountName::parse("saigon-shop").unwrap(), config, env.clone()).unwrap();
        Self { sandbox, merchant, env, shop }
    }

    pub(crate) fn gateway(&self) -> tulbur_sandbox::Provider {
        self.sandbox.provider("galaxy-pay").unwrap()
    }

    pub(crate) fn switch(&self, name: &str, value: &str) {
        self.gateway().set_switch(name, value).unwrap();
    }

    pub(crate) fn reference(&self) -> MerchantRef {
        MerchantRef::generate(&self.shop.info().ref_rule, &RandomIds)
    }

    pub(crate) fn request(&self, change: impl FnOnce(&mut GalaxyPayOptions)) -> CreateInvoice {
        let mut options = GalaxyPayOptions::default();
        change(&mut options);
        let mut request = CreateInvoice::new(self.reference(), vnd(100_000), "Thanh toán đơn hàng số 7");
        request.language = Language::Vi;
        request.notify_url = Some(CallbackUrl::parse(format!("{}/notify", self.merchant.uri())).unwrap());
        request.return_urls =
            Some(ReturnUrls::one(CallbackUrl::parse("http://127.0.0.1:9/back?order=7").unwrap()));
        request.options = Some(Options::new(&options).unwrap());
        request
    }

    pub(crate) async fn create(&self, request: &CreateInvoice) -> Invoice {
        self.shop.invoices().unwrap().create_invoice(request).await.unwrap()
    }

    pub(crate) async fn query(&self, payment: &PaymentRef) -> Payment {
        confirm(self.shop.queries().unwrap(), payment).await.unwrap().into_inner()
    }

    pub(crate) fn act(&self, reference: &MerchantRef, action: &str, details: &[(&str, &str)]) {
        let details: BTreeMap<String, String> =
            details.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.gateway().act_with(reference.as_str(), action, details).unwrap();
    }

    pub(crate) fn debits(&self, reference: &MerchantRef) -> u32 {
        self.gateway().payment(reference.as_str()).unwrap().debits
    }

    /// What the gateway notified, once there are this many.
    pub(crate) async fn notified(&self, count: usize) -> Vec<IpnEvent> {
        let mut bodies = Vec::new();
        for _ in 0..2000 {
            bodies = self.merchant.received_requests().await.unwrap();
            if bodies.len() >= count {
                break;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        assert_eq!(bodies.len(), count, "so many notifications came");
        bodies.iter().map(|request| self.verify(Channel::Notify, "POST", None, &request.body)).collect()
    }

    pub(crate) fn verify(
        &self,
        channel: Channel,
        method: &str,
        query: Option<&str>,
        body: &[u8],
    ) -> IpnEvent {
        let headers = match channel {
            Channel::Notify => vec![("content-type".to_owned(), "application/json".to_owned())],
            Channel::Return => vec![],
        };
        let delivery = Delivery { channel, method, query, headers: &headers, body };
        self.shop.ipn().unwrap().verify(&delivery).unwrap()
    }

    pub(crate) async fn saved_card(&self, card: &str) -> SavedCard {
        let before = self.merchant.received_requests().await.unwrap().len();
        let mut request = self.request(|options| options.method = Some(Method::International));
        request.save_card = true;
        let invoice = self.create(&request).await;
        self.act(&request.merchant_ref, "pay", &[("card", card)]);
        assert_eq!(self.query(&invoice.payment).await.saved_card, None, "a query brings no token");
        let event = self.notified(before + 1).await.pop().unwrap();
        assert_eq!(proven(&event), Some(PaymentStatus::Paid));
        event.saved_card.expect("the notification brings the token")
    }

    pub(crate) async fn charge(&self, card: &SavedCard, fast: bool) -> (MerchantRef, tulbur_core::Charge) {
        let mut request = ChargeRequest::new(self.reference(), vnd(50_000), card.token.clone());
        request.language = Language::Vi;
        let mut options = GalaxyPayOptions::default();
        options.fast_pay = fast;
        request.options = Some(Options::new(&options).unwrap());
        let charge = self.shop.charges().unwrap().charge(&request).await.unwrap();
        (request.merchant_ref, charge)
    }
}

pub(crate) fn vnd(units: i64) -> Money {
    Money::from_major(units, Currency::VND).unwrap()
}

pub(crate) fn operation() -> OperationRef {
    OperationRef::parse(tulbur_core::IdSource::uuid_v7(&RandomIds)).unwrap()
}

pub(crate) fn proven(event: &IpnEvent) -> Option<PaymentStatus> {
    match &event.proof {
        Proof::Signed(facts) => Some(facts.status),
        Proof::Hint(_) => None,
    }
}
