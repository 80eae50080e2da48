//! The suite that every provider passes, against the sandbox over real sockets.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tulbur_conformance::{
    Acknowledgements, AnswerRules, Deed, Keys, NotificationRules, Returned, SandboxCounterpart, Step, Suite,
    UnderTest,
};
use tulbur_core::{AccountName, BuildEnv, HttpTransport, MerchantRef, Provider, Reply, Result, Url};
use tulbur_qpay::{QPay, QPayConfig};
use tulbur_reqwest::ReqwestTransport;
use tulbur_sandbox::Sandbox;

#[derive(Debug)]
struct Merchant {
    base_url: Url,
    username: String,
    password: String,
    invoice_code: String,
}

impl UnderTest for Merchant {
    fn build(&self, keys: Keys, env: &BuildEnv) -> Result<Arc<dyn Provider>> {
        let password = match keys {
            Keys::Own => self.password.as_str(),
            Keys::Other => "another-password",
        };
        let mut config =
            QPayConfig::new(self.username.as_str().into(), password.into(), self.invoice_code.as_str());
        config.base_url = self.base_url.clone();
        let account = AccountName::parse("conformance").expect("it is lower-case letters");
        Ok(Arc::new(QPay::new(account, config, env.clone())?))
    }

    fn transport(&self) -> Result<Arc<dyn HttpTransport>> {
        Ok(Arc::new(ReqwestTransport::builder().timeout(Duration::from_secs(20)).build()?))
    }

    fn secrets(&self) -> Vec<String> {
        vec![self.username.clone(), self.password.clone()]
    }

    /// QPay signs nothing, and an invoice stays open after a try that failed.
    fn answers(&self) -> AnswerRules {
        AnswerRules::default().unsigned().without_declines()
    }

    fn notifications(&self) -> Option<NotificationRules> {
        // Whether a try that failed is told is unknown.
        Some(NotificationRules::unsigned().silent_about(Deed::Decline))
    }

    fn acknowledgements(&self) -> Option<Acknowledgements> {
        let (taken, rejected) = (Reply::text(200, "SUCCESS"), Reply::text(400, "Rejected"));
        let mut all = Acknowledgements::new(taken, rejected, Reply::text(503, "Not stored"));
        all.unknown_payment = Reply::text(404, "Unknown payment");
        Some(all)
    }

    /// QPay sends no browser back; such an address was typed by somebody, and proves nothing.
    fn forged_return(&self, reference: &MerchantRef) -> Option<Returned> {
        Some(Returned::get(format!("qpay_payment_id={reference}")))
    }
}

fn main() -> ExitCode {
    let runtime = tokio::runtime::Runtime::new().expect("this machine has threads");
    let (sandbox, suite) = runtime.block_on(async {
        let sandbox = Sandbox::builder().start().await.expect("a free port on loopback");
        let qpay = sandbox.provider(tulbur_qpay::ID).expect("it is built in");
        let credentials = qpay.credentials();
        // By card, because that is what can be given back. The suite's usual amount is 1500.
        let counterpart = SandboxCounterpart::connect(sandbox.control_url(), tulbur_qpay::ID)
            .await
            .expect("the sandbox was just started")
            .with_deed(Deed::Pay, [Step::act("pay-by-card")])
            .with_deed(Deed::PayMore, [Step::act("pay-by-card")])
            .with_deed(Deed::PayPart, [Step::act_with("pay-by-card", "amount", "500")])
            .with_deed(Deed::FailOnce, [Step::act("fail")])
            .with_deed(Deed::Decline, [Step::act("fail")])
            .with_deed(Deed::GiveBack, [Step::act("refund")]);
        let merchant = Merchant {
            base_url: qpay.base_url().parse().expect("the sandbox knows its own address"),
            username: credentials["username"].clone(),
            password: credentials["password"].clone(),
            invoice_code: credentials["invoice_code"].clone(),
        };
        (sandbox, Suite::new(merchant, counterpart))
    });
    let code = tulbur_conformance::main(&suite);
    runtime.block_on(sandbox.shutdown());
    code
}
