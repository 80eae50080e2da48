//! Tulbur's conformance suite against Khur Bank's own side, over real sockets: `cargo test --test conformance`.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use khur_bank::{ID, KhurBankConfig};
use khur_bank_sandbox::{KhurBank, MERCHANT, SECRET};
use tulbur_conformance::{
    Acknowledgements, AnswerRules, Deed, Keys, Member, NotificationRules, Returned, SandboxCounterpart, Step,
    Suite, UnderTest,
};
use tulbur_core::{
    AccountName, BuildEnv, HttpTransport, MerchantRef, Provider, ProviderFactory, Reply, Result, Url,
};
use tulbur_reqwest::ReqwestTransport;
use tulbur_sandbox::Sandbox;

// ANCHOR: under_test
#[derive(Debug)]
struct Account {
    base_url: Url,
}

impl UnderTest for Account {
    fn build(&self, keys: Keys, env: &BuildEnv) -> Result<Arc<dyn Provider>> {
        let secret = if keys == Keys::Own { SECRET } else { "a-secret-that-the-bank-does-not-know" };
        let mut config = KhurBankConfig::new(MERCHANT, secret.into());
        config.base_url = self.base_url.clone();
        khur_bank::KhurBank::build(&AccountName::parse(ID)?, config, env)
    }

    fn transport(&self) -> Result<Arc<dyn HttpTransport>> {
        Ok(Arc::new(ReqwestTransport::builder().timeout(Duration::from_secs(5)).build()?))
    }

    fn secrets(&self) -> Vec<String> {
        vec![SECRET.into()]
    }

    /// BANK.md, sections 2 and 5.
    /// BANK.md, section 2.
    fn answers(&self) -> AnswerRules {
        AnswerRules::default().checksum(Member::Json("checksum"))
    }

    fn notifications(&self) -> Option<NotificationRules> {
        let signed = ["reference", "result", "amount"].map(Member::Json);
        Some(NotificationRules::signed(Member::Json("checksum"), signed))
    }

    /// BANK.md, section 5.
    fn acknowledgements(&self) -> Option<Acknowledgements> {
        Some(Acknowledgements::new(
            Reply::json(200, r#"{"received":true}"#),
            Reply::json(400, r#"{"received":false}"#),
            Reply::json(503, r#"{"received":false}"#),
        ))
    }

    fn forged_return(&self, reference: &MerchantRef) -> Option<Returned> {
        Some(Returned::get(format!("reference={reference}&result=PAID")))
    }
}
// ANCHOR_END: under_test

// ANCHOR: main
fn main() -> ExitCode {
    let runtime = tokio::runtime::Runtime::new().expect("threads can be started");
    let sandbox = runtime
        .block_on(Sandbox::builder().without_built_in().plugin(KhurBank).start())
        .expect("loopback has free ports");
    let counterpart = runtime
        .block_on(SandboxCounterpart::connect(sandbox.control_url(), ID))
        .expect("the sandbox plays Khur Bank")
        .with_deed(Deed::Contradict, [Step::act("contradict")]);
    let base_url =
        sandbox.base_url(ID).and_then(|url| Url::parse(url).ok()).expect("the sandbox has an address");
    tulbur_conformance::main(&Suite::new(Account { base_url }, counterpart))
}
// ANCHOR_END: main
