//! The suite that every provider passes, against the sandbox over real sockets.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tulbur_conformance::{
    Acknowledgements, AnswerRules, Keys, NotificationRules, Returned, SandboxCounterpart, Suite, UnderTest,
};
use tulbur_core::{AccountName, BuildEnv, HttpTransport, MerchantRef, Payer, Provider, Reply, Result, Url};
use tulbur_golomt_instore::{GolomtInstore, GolomtInstoreConfig};
use tulbur_reqwest::ReqwestTransport;
use tulbur_sandbox::Sandbox;

#[derive(Debug)]
struct Instore {
    base_url: Url,
    terminal: String,
    secret: String,
}

impl UnderTest for Instore {
    fn build(&self, keys: Keys, env: &BuildEnv) -> Result<Arc<dyn Provider>> {
        let secret = match keys {
            Keys::Own => self.secret.as_str(),
            Keys::Other => "another-secret",
        };
        let mut config = GolomtInstoreConfig::new(self.terminal.as_str(), secret.into());
        config.base_url = self.base_url.clone();
        let account = AccountName::parse("conformance").expect("it is lower-case letters");
        Ok(Arc::new(GolomtInstore::new(account, config, env.clone())?))
    }

    fn transport(&self) -> Result<Arc<dyn HttpTransport>> {
        Ok(Arc::new(ReqwestTransport::builder().timeout(Duration::from_secs(20)).build()?))
    }

    fn secrets(&self) -> Vec<String> {
        vec![self.secret.clone()]
    }

    fn payer(&self) -> Payer {
        Payer { phone: Some("99112233".into()), ..Payer::default() }
    }

    /// The formula of an answer's checksum, a code for a decline and the errors of this service stand in no document.
    fn answers(&self) -> AnswerRules {
        AnswerRules::default().unsigned().without_declines().without_refusals()
    }

    /// Its checksum is inferred, so that a push is a hint with it and without it.
    fn notifications(&self) -> Option<NotificationRules> {
        Some(NotificationRules::unsigned())
    }

    /// As R-erxes answers; what the bank expects is unknown.
    fn acknowledgements(&self) -> Option<Acknowledgements> {
        Some(Acknowledgements::new(
            Reply::text(200, "OK"),
            Reply::text(400, "Rejected"),
            Reply::text(503, "Not stored"),
        ))
    }

    /// The bank sends no browser back; such an address was typed by somebody, and proves nothing.
    fn forged_return(&self, reference: &MerchantRef) -> Option<Returned> {
        let terminal = &self.terminal;
        Some(Returned::get(format!("invoice={reference}&terminal={terminal}&resp_code=00&amount=1500")))
    }
}

fn main() -> ExitCode {
    let runtime = tokio::runtime::Runtime::new().expect("this machine has threads");
    let (sandbox, suite) = runtime.block_on(async {
        let sandbox = Sandbox::builder().start().await.expect("a free port on loopback");
        let bank = sandbox.provider(tulbur_golomt_instore::ID).expect("it is built in");
        // Whether the bank tells of an invoice that ends without money is unknown; here it does, so that it is tried.
        bank.set_switch("push-unpaid", "yes").expect("the sandbox has this switch");
        let credentials = bank.credentials();
        let counterpart = SandboxCounterpart::connect(sandbox.control_url(), tulbur_golomt_instore::ID)
            .await
            .expect("the sandbox was just started");
        let till = Instore {
            base_url: bank.base_url().parse().expect("the sandbox knows its own address"),
            terminal: credentials["terminal"].clone(),
            secret: credentials["secret"].clone(),
        };
        (sandbox, Suite::new(till, counterpart))
    });
    let code = tulbur_conformance::main(&suite);
    runtime.block_on(sandbox.shutdown());
    code
}
