//! The suite that every provider passes, against the sandbox over real sockets.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tulbur_conformance::{
    Acknowledgements, AnswerRules, Deed, Keys, Member, NotificationRules, Returned, SandboxCounterpart, Step,
    Suite, UnderTest,
};
use tulbur_core::{AccountName, BuildEnv, HttpTransport, MerchantRef, Provider, Reply, Result, Url};
use tulbur_golomt_ecommerce::{GolomtEcommerce, GolomtEcommerceConfig};
use tulbur_reqwest::ReqwestTransport;
use tulbur_sandbox::Sandbox;

#[derive(Debug)]
struct Golomt {
    base_url: Url,
    token: String,
    secret: String,
}

impl UnderTest for Golomt {
    fn build(&self, keys: Keys, env: &BuildEnv) -> Result<Arc<dyn Provider>> {
        let (token, secret) = match keys {
            Keys::Own => (self.token.as_str(), self.secret.as_str()),
            Keys::Other => ("another-token", "another-secret"),
        };
        let mut config = GolomtEcommerceConfig::new(token.into(), secret.into());
        config.base_url = self.base_url.clone();
        let account = AccountName::parse("conformance").expect("it is lower-case letters");
        Ok(Arc::new(GolomtEcommerce::new(account, config, env.clone())?))
    }

    fn transport(&self) -> Result<Arc<dyn HttpTransport>> {
        Ok(Arc::new(ReqwestTransport::builder().timeout(Duration::from_secs(20)).build()?))
    }

    fn secrets(&self) -> Vec<String> {
        vec![self.token.clone(), self.secret.clone()]
    }

    fn answers(&self) -> AnswerRules {
        AnswerRules::default().checksum(Member::Json("checksum"))
    }

    /// The bank's page D-push: the checksum covers the reference, the code, the amount and the token, if there is one.
    fn notifications(&self) -> Option<NotificationRules> {
        let signed = ["transactionId", "errorCode", "amount", "token"].map(Member::Json);
        Some(NotificationRules::signed(Member::Json("checksum"), signed))
    }

    /// Not documented; live clients answer 200 with a short text.
    fn acknowledgements(&self) -> Option<Acknowledgements> {
        Some(Acknowledgements::new(
            Reply::text(200, "OK"),
            Reply::text(400, "Rejected"),
            Reply::text(503, "Not stored"),
        ))
    }

    fn forged_return(&self, reference: &MerchantRef) -> Option<Returned> {
        Some(Returned::get(format!("invoice={reference}&status_code=000&desc=OK")))
    }
}

fn main() -> ExitCode {
    let runtime = tokio::runtime::Runtime::new().expect("this machine has threads");
    let (sandbox, suite) = runtime.block_on(async {
        let sandbox = Sandbox::builder().start().await.expect("a free port on loopback");
        let bank = sandbox.provider("golomt-ecommerce").expect("it is built in");
        let credentials = bank.credentials();
        let counterpart = SandboxCounterpart::connect(sandbox.control_url(), tulbur_golomt_ecommerce::ID)
            .await
            .expect("the sandbox was just started")
            .with_deed(Deed::PayWithCardThatDeclinesLater, [Step::act_with("pay", "card", "token-declined")])
            // Money that comes after the page said that it was cancelled.
            .with_deed(
                Deed::Contradict,
                [
                    Step::switch("canceled-code", "179"),
                    Step::act("cancel"),
                    Step::switch("canceled-code", "none"),
                    Step::act("pay"),
                ],
            );
        let golomt = Golomt {
            base_url: bank.base_url().parse().expect("the sandbox knows its own address"),
            token: credentials["token"].clone(),
            secret: credentials["secret"].clone(),
        };
        (sandbox, Suite::new(golomt, counterpart))
    });
    let code = tulbur_conformance::main(&suite);
    runtime.block_on(sandbox.shutdown());
    code
}
