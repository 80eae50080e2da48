//! The suite that every provider passes, against the sandbox over real sockets. The account accepts what is only
//! inferred, so that holding money, capture and void are tried too.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tulbur_conformance::{
    Acknowledgements, AnswerRules, Deed, Keys, Member, NotificationRules, Returned, SandboxCounterpart, Step,
    Suite, UnderTest,
};
use tulbur_core::{Accept, AccountName, BuildEnv, HttpTransport, MerchantRef, Provider, Reply, Result, Url};
use tulbur_galaxy_pay::{GalaxyPay, GalaxyPayConfig, Method, ResponseSignature};
use tulbur_reqwest::ReqwestTransport;
use tulbur_sandbox::Sandbox;

#[derive(Debug)]
struct Galaxy {
    base_url: Url,
    api_key: String,
    salt: String,
}

impl UnderTest for Galaxy {
    fn build(&self, keys: Keys, env: &BuildEnv) -> Result<Arc<dyn Provider>> {
        let (api_key, salt) = match keys {
            Keys::Own => (self.api_key.as_str(), self.salt.as_str()),
            Keys::Other => ("another-key", "another-salt-of-the-gateway"),
        };
        let mut config = GalaxyPayConfig::new(api_key.into(), salt.into());
        config.base_url = self.base_url.clone();
        config.accept = Accept::Inferred;
        config.token_method = Some(Method::International);
        // The sandbox signs its answers by the formula that is assumed. What follows from a wrong signature is tried
        // for every setting with a scripted gateway.
        config.response_signature = ResponseSignature::Strict;
        let account = AccountName::parse("conformance").expect("it is lower-case letters");
        Ok(Arc::new(GalaxyPay::new(account, config, env.clone())?))
    }

    fn transport(&self) -> Result<Arc<dyn HttpTransport>> {
        Ok(Arc::new(ReqwestTransport::builder().timeout(Duration::from_secs(20)).build()?))
    }

    fn secrets(&self) -> Vec<String> {
        vec![self.api_key.clone(), self.salt.clone()]
    }

    fn answers(&self) -> AnswerRules {
        AnswerRules::default()
            .checksum(Member::Header("signature"))
            .without_charge_results()
            .without_captures()
    }

    /// The signature covers the base64 text as it stands.
    fn notifications(&self) -> Option<NotificationRules> {
        Some(NotificationRules::signed(Member::Json("signature"), [Member::Json("data")]))
    }

    /// The guide's section 2.7.2.
    fn acknowledgements(&self) -> Option<Acknowledgements> {
        let said = |code: &str, words: &str| {
            Reply::json(200, format!(r#"{{"ipnStatus":"{code}","ipnDescription":"{words}"}}"#))
        };
        let mut all = Acknowledgements::new(
            said("200", "processed"),
            Reply::text(400, "Rejected"),
            Reply::text(500, "Not stored"),
        );
        all.repeat = said("200", "processed before");
        all.repeat_completed = said("409", "already completed");
        all.unknown_payment = said("404", "transaction not found");
        all.ignored = said("200", "of no interest");
        Some(all)
    }

    fn forged_return(&self, _: &MerchantRef) -> Option<Returned> {
        Some(Returned::get(format!("data=eyJyZXNwb25zZUNvZGUiOiIyMDAifQ%3D%3D&signature={}", "0".repeat(64))))
    }
}

fn main() -> ExitCode {
    let runtime = tokio::runtime::Runtime::new().expect("this machine has threads");
    let (sandbox, suite) = runtime.block_on(async {
        let sandbox = Sandbox::builder().start().await.expect("a free port on loopback");
        let gateway = sandbox.provider("galaxy-pay").expect("it is built in");
        // Of the assumptions about an unknown transaction, the one that says so.
        gateway.set_switch("unknown-transaction", "404").expect("it has this switch");
        let credentials = gateway.credentials();
        let counterpart = SandboxCounterpart::connect(sandbox.control_url(), tulbur_galaxy_pay::ID)
            .await
            .expect("the sandbox was just started")
            .with_deed(Deed::PayWithCardThatDeclinesLater, [Step::act_with("pay", "card", "token-declined")])
            // Money that comes after the payer gave up.
            .with_deed(Deed::Contradict, [Step::act("cancel"), Step::act("pay")]);
        let galaxy = Galaxy {
            base_url: gateway.base_url().parse().expect("the sandbox knows its own address"),
            api_key: credentials["api_key"].clone(),
            salt: credentials["salt"].clone(),
        };
        (sandbox, Suite::new(galaxy, counterpart))
    });
    let code = tulbur_conformance::main(&suite);
    runtime.block_on(sandbox.shutdown());
    code
}
