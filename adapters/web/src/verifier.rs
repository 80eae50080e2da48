//! Checking notifications for an application that keeps its own payments: no store, no pages.

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use tulbur_core::{
    AccountName, Channel, Error, ErrorKind, IpnEvent, IpnFacts, IpnOutcome, IpnProvider, Proof, Provider,
    Reply, Result, Verified,
};

use crate::http::{BODY_LIMIT, WebRequest, WebResponse};

/// Checks what arrives at notification addresses, for an application that only wants that. Cheap to clone.
///
/// It stores nothing, so it cannot tell a repeat from a first message, asks nobody, and ships nothing: that is the
/// application's. [`Web`](crate::Web) with [`Payments`](tulbur_payments::Payments) does all of it.
#[derive(Clone)]
pub struct Verifier {
    accounts: Arc<[Arc<dyn Provider>]>,
    strangers: RandomState,
}

impl Verifier {
    /// The name of the path parameter by which a route says which account it is for, as in `/notify/{account}`.
    pub const PARAMETER: &str = "account";

    /// For these accounts.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`] when there is none, when two have one name, or when a provider sends no
    /// notifications.
    pub fn new(accounts: impl IntoIterator<Item = Arc<dyn Provider>>) -> Result<Self> {
        let wrong = |why: String| Err(Error::new(ErrorKind::Configuration, why));
        let accounts: Vec<_> = accounts.into_iter().collect();
        if accounts.is_empty() {
            return wrong("a verifier needs at least one account".into());
        }
        for (nth, account) in accounts.iter().enumerate() {
            let info = account.info();
            if account.ipn().is_none() {
                let why = format!("{} sends no notifications; leave account {} out", info.id, info.account);
                return wrong(why);
            }
            if accounts[..nth].iter().any(|earlier| earlier.info().account == info.account) {
                return wrong(format!("two accounts are named {}; give one another name", info.account));
            }
        }
        Ok(Self { accounts: accounts.into(), strangers: RandomState::new() })
    }

    /// Checks a request to a notification address.
    ///
    /// `name` is the account, or a provider, whose account is then the one whose key verifies. Without a name there
    /// must be one account only. The request's path does not matter.
    ///
    /// # Errors
    /// The answer that the sender is to get: the provider's own for what is not genuine or cannot be read; one of those for a
    /// name that is not known as well, so that the answer does not tell which accounts there are; `405` and `413` for what no provider sends.
    pub fn verify(&self, name: Option<&str>, request: &WebRequest) -> Result<VerifiedIpn, WebResponse> {
        if !["GET", "POST"].contains(&request.method.as_str()) {
            return Err(WebResponse::method_not_allowed(&["GET", "POST"]));
        }
        if request.body.len() > BODY_LIMIT {
            return Err(WebResponse::body_too_large());
        }
        let delivery = request.delivery(Channel::Notify);
        let mut refused = None;
        for provider in self.candidates(name)? {
            let ipn = ipn(&**provider);
            match ipn.verify(&delivery) {
                Ok(event) => return Ok(VerifiedIpn { provider: Arc::clone(provider), event }),
                Err(error) => {
                    tracing::warn!(account = %provider.info().account, %error, "notification refused");
                    refused = Some(WebResponse::reply(ipn.acknowledge(IpnOutcome::Rejected(&error))));
                }
            }
        }
        Err(refused.unwrap_or_else(|| self.stranger(name.unwrap_or_default())))
    }

    /// The answer at a name that no account has.
    fn stranger(&self, name: &str) -> WebResponse {
        tracing::warn!(
            "a notification came to an address that names no account or provider here; is the address right that the \
             provider was given?"
        );
        let error = Error::new(ErrorKind::Untrusted, "no account is called so");
        let place =
            self.strangers.hash_one(name) % u64::try_from(self.accounts.len()).unwrap_or(u64::MAX).max(1);
        let account = usize::try_from(place).ok().and_then(|place| self.accounts.get(place));
        WebResponse::reply(account.map_or_else(
            || Reply::text(404, "no such notification address"),
            |account| ipn(&**account).acknowledge(IpnOutcome::Rejected(&error)),
        ))
    }

    /// The accounts that a name may mean.
    fn candidates(&self, name: Option<&str>) -> Result<Vec<&Arc<dyn Provider>>, WebResponse> {
        let Some(name) = name else {
            if self.accounts.len() > 1 {
                tracing::error!(
                    "the route of a notification does not say which of {} accounts it is for; \
                     put {{account}} in its path",
                    self.accounts.len()
                );
                return Err(WebResponse::text(500, "This address is not set up to its end."));
            }
            return Ok(self.accounts.iter().collect());
        };
        if let Some(found) = self.accounts.iter().find(|provider| provider.info().account == *name) {
            return Ok(vec![found]);
        }
        Ok(self.accounts.iter().filter(|provider| provider.info().id == *name).collect())
    }
}

/// The notifications of an account that a verifier holds.
fn ipn(provider: &dyn Provider) -> &dyn IpnProvider {
    provider.ipn().expect("a verifier takes only accounts that have notifications")
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.accounts.iter().map(|provider| provider.info().account.as_str());
        f.debug_tuple("Verifier").field(&names.collect::<Vec<_>>()).finish()
    }
}

/// A notification that its provider's rules let through.
///
/// [`IpnEvent::proof`] says what it is worth: a [`Proof::Hint`] is a reason to ask the provider
/// ([`confirm`](tulbur_core::confirm)), never a reason to ship. The same one may come again; tell repeats by
/// [`IpnEvent::repeat_key`]. Answer with [`acknowledge`](Self::acknowledge) after it is stored.
#[derive(Clone)]
pub struct VerifiedIpn {
    provider: Arc<dyn Provider>,
    event: IpnEvent,
}

impl VerifiedIpn {
    /// The account that it came to.
    pub fn account(&self) -> &AccountName {
        &self.provider.info().account
    }

    /// The account's provider, to ask it.
    pub fn provider(&self) -> &Arc<dyn Provider> {
        &self.provider
    }

    /// What was sent.
    pub fn event(&self) -> &IpnEvent {
        &self.event
    }

    /// What the provider has proven with it; `None` where only a question can prove anything.
    pub fn facts(&self) -> Option<&Verified<IpnFacts>> {
        match &self.event.proof {
            Proof::Signed(facts) => Some(facts),
            Proof::Hint(_) => None,
        }
    }

    /// The answer that the provider expects, given what became of its notification.
    pub fn acknowledge(&self, outcome: IpnOutcome<'_>) -> WebResponse {
        WebResponse::reply(ipn(&*self.provider).acknowledge(outcome))
    }
}

impl fmt::Debug for VerifiedIpn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedIpn")
            .field("account", self.account())
            .field("event", &self.event)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use tulbur_core::{Currency, ProviderId, ProviderInfo, RefRule, Voucher};

    use super::*;

    /// An account whose notifications are all taken, if it has any.
    #[derive(Debug)]
    struct Fake {
        info: ProviderInfo,
        notifies: bool,
    }

    impl Provider for Fake {
        fn info(&self) -> &ProviderInfo {
            &self.info
        }
        fn ipn(&self) -> Option<&dyn IpnProvider> {
            self.notifies.then_some(self)
        }
    }

    impl IpnProvider for Fake {
        fn verify(&self, _: &tulbur_core::Delivery<'_>) -> Result<IpnEvent> {
            let subject = tulbur_core::Subject::provider(tulbur_core::ProviderRef::parse("p-1")?);
            Ok(IpnEvent::new(subject, Proof::Hint(Voucher::None), "result"))
        }
        fn acknowledge(&self, outcome: IpnOutcome<'_>) -> Reply {
            match outcome {
                IpnOutcome::Rejected(_) => Reply::text(403, "no"),
                _ => Reply::text(200, "OK"),
            }
        }
    }

    fn account(provider: &str, name: &str, notifies: bool) -> Arc<dyn Provider> {
        let rule = RefRule::new(tulbur_core::Alphabet::AlphanumericHyphen, 1..=64);
        let (id, name) = (ProviderId::parse(provider).unwrap(), AccountName::parse(name).unwrap());
        Arc::new(Fake { info: ProviderInfo::new(id, name, "Fake", Currency::MNT, rule), notifies })
    }

    fn request(method: &str, body: usize) -> WebRequest {
        WebRequest {
            method: method.into(),
            path: "/anywhere".into(),
            query: None,
            headers: Vec::new(),
            body: vec![b'x'; body].into(),
            peer: None,
        }
    }

    fn status(verifier: &Verifier, name: Option<&str>, request: &WebRequest) -> Result<String, u16> {
        verifier.verify(name, request).map(|ipn| ipn.account().to_string()).map_err(|answer| answer.status)
    }

    #[test]
    fn what_cannot_work_is_refused_at_the_start() {
        for (accounts, why) in [
            (vec![], "at least one"),
            (vec![account("a", "x", true), account("b", "x", true)], "two accounts are named x"),
            (vec![account("a", "x", true), account("b", "y", false)], "leave account y out"),
        ] {
            let error = Verifier::new(accounts).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Configuration);
            assert!(error.to_string().contains(why), "{error}");
        }
    }

    #[test]
    fn a_name_is_an_account_before_it_is_a_provider() {
        let verifier = Verifier::new([account("a", "b", true), account("b", "c", true)]).unwrap();
        let request = request("POST", 2);
        assert_eq!(status(&verifier, Some("b"), &request), Ok("b".into()));
        assert_eq!(status(&verifier, Some("a"), &request), Ok("b".into()));
        assert_eq!(status(&verifier, Some("c"), &request), Ok("c".into()));
        assert_eq!(status(&verifier, Some("d"), &request), Err(403), "as what is not genuine");
        assert_eq!(status(&verifier, None, &request), Err(500));
        assert_eq!(format!("{verifier:?}"), r#"Verifier(["b", "c"])"#);
    }

    #[test]
    fn a_hint_is_let_through_and_proves_nothing() {
        let verifier = Verifier::new([account("a", "a", true)]).unwrap();
        let ipn = verifier.verify(None, &request("GET", 0)).unwrap();
        assert!(ipn.facts().is_none());
        assert_eq!(ipn.acknowledge(IpnOutcome::Accepted).status, 200);
    }

    #[test]
    fn methods_and_sizes_that_nobody_sends_do_not_reach_the_provider() {
        let verifier = Verifier::new([account("a", "a", true)]).unwrap();
        assert_eq!(status(&verifier, None, &request("HEAD", 0)), Err(405));
        assert_eq!(status(&verifier, None, &request("DELETE", 0)), Err(405));
        assert_eq!(status(&verifier, None, &request("POST", BODY_LIMIT)), Ok("a".into()));
        assert_eq!(status(&verifier, None, &request("POST", BODY_LIMIT + 1)), Err(413));
    }
}
