//! A bank that does not exist, its provider, and how the suite drives them.

mod provider;
mod server;

use std::sync::Arc;
use std::time::Duration;

use tulbur_conformance::{
    Acknowledgements, AnswerRules, Books, Counterpart, CounterpartError, Deed, Keys, Member,
    NotificationRules, OtherSideFault, Returned, Skill, Suite, UnderTest,
};
use tulbur_core::{BuildEnv, HttpTransport, MerchantRef, Provider, Reply, Result, Url, async_trait};
use tulbur_reqwest::ReqwestTransport;

pub(crate) use provider::Flaw;
use provider::ToyBank;
use server::Bank;

/// The key that both sides have.
const KEY: &str = "planted-key-of-the-toy-bank";

/// The suite for a provider with this flaw, against a bank of its own.
pub(crate) fn suite(flaw: Flaw) -> Suite {
    let signed = matches!(flaw, Flaw::TakesAnUnsignedAnswer | Flaw::NoneAndAnswersAreSigned);
    let rules = AnswerRules::default();
    suite_with(flaw, if signed { rules.checksum(Member::Header("x-sum")) } else { rules })
}

/// The same, where the bank's documents are said to leave this out of its answers.
pub(crate) fn suite_with(flaw: Flaw, answers: AnswerRules) -> Suite {
    let bank = Bank::start();
    Suite::new(Toy { flaw, base: bank.base.clone(), answers }, Desk(bank))
}

/// A toy bank's account, with one flaw or none.
#[derive(Debug)]
struct Toy {
    flaw: Flaw,
    base: Url,
    answers: AnswerRules,
}

impl UnderTest for Toy {
    fn build(&self, keys: Keys, env: &BuildEnv) -> Result<Arc<dyn Provider>> {
        let key = if keys == Keys::Own { KEY } else { "another-key-altogether" };
        Ok(Arc::new(ToyBank::new(self.flaw, self.base.clone(), key, env.clone())?))
    }

    fn transport(&self) -> Result<Arc<dyn HttpTransport>> {
        Ok(Arc::new(ReqwestTransport::builder().timeout(Duration::from_secs(20)).build()?))
    }

    fn secrets(&self) -> Vec<String> {
        vec![KEY.into()]
    }

    fn answers(&self) -> AnswerRules {
        self.answers.clone()
    }

    fn notifications(&self) -> Option<NotificationRules> {
        Some(NotificationRules::signed(Member::Json("sum"), ["ref", "code", "amount"].map(Member::Json)))
    }

    fn acknowledgements(&self) -> Option<Acknowledgements> {
        Some(Acknowledgements::new(
            Reply::text(200, "TAKEN"),
            Reply::text(403, "NO"),
            Reply::text(500, "AGAIN"),
        ))
    }

    fn forged_return(&self, reference: &MerchantRef) -> Option<Returned> {
        Some(Returned::get(format!("ref={reference}&code=000&amount=1500")))
    }
}

/// The bank's desk, as the suite reaches it.
#[derive(Debug)]
struct Desk(Bank);

#[async_trait]
impl Counterpart for Desk {
    fn can(&self, skill: Skill) -> bool {
        // Its answers carry no checksum, so that none can be wrong.
        !matches!(skill, Skill::Fault(OtherSideFault::WrongChecksum | OtherSideFault::TamperedAmount))
    }

    async fn act(&self, deed: Deed, reference: &MerchantRef) -> Result<(), CounterpartError> {
        let codes: &[&str] = match deed {
            Deed::Pay | Deed::SaveCard | Deed::PayWithCardThatDeclinesLater => &["000"],
            Deed::Decline | Deed::DeclineCard => &["179"],
            Deed::Cancel => &["801"],
            Deed::Expire => &["802"],
            Deed::Contradict => &["179", "000"],
            other => return Err(CounterpartError::new(format!("nobody knows how to {other:?}"))),
        };
        for code in codes {
            let declines_later = deed == Deed::PayWithCardThatDeclinesLater;
            let letter =
                self.0.settle(reference.as_str(), code, declines_later).map_err(CounterpartError::new)?;
            self.0.post(letter).await;
        }
        Ok(())
    }

    async fn notify_at(&self, address: &str) -> Result<(), CounterpartError> {
        self.0.books().notify = Some(address.to_owned());
        Ok(())
    }

    async fn books(&self, reference: &MerchantRef) -> Result<Option<Books>, CounterpartError> {
        let books = self.0.books();
        Ok(books.payments.get(reference.as_str()).map(|payment| {
            let refunds = u32::try_from(payment.refunds.len()).unwrap_or(u32::MAX);
            Books::new(payment.debits).with_amount(payment.amount.to_string()).with_refunds(refunds)
        }))
    }

    async fn received(&self, path: &str, reference: &MerchantRef) -> Result<usize, CounterpartError> {
        let books = self.0.books();
        Ok(books.received.iter().filter(|(at, about)| at == path && about == reference.as_str()).count())
    }

    async fn fault(
        &self,
        fault: OtherSideFault,
        path: &str,
        reference: &MerchantRef,
    ) -> Result<(), CounterpartError> {
        self.0.books().faults.push((fault, path.to_owned(), reference.as_str().to_owned()));
        Ok(())
    }
}
