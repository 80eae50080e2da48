//! A counterpart that is already there: the control API of `tulbur-sandbox`, for any of its plug-ins.

use std::collections::{BTreeMap, BTreeSet};

use http_body_util::{BodyExt, Full};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tulbur_core::{Bytes, MerchantRef, Url, async_trait};

use crate::counterpart::{Books, Counterpart, CounterpartError, Deed, OtherSideFault, Skill};

/// One order to the sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// Does this to the payment, with these details.
    Act(String, BTreeMap<String, String>),
    /// Sets a switch.
    Switch(String, String),
}

impl Step {
    /// Does this to the payment.
    pub fn act(action: &str) -> Self {
        Self::Act(action.into(), BTreeMap::new())
    }

    /// Does this to the payment, with one detail, such as `card` and `decline`.
    pub fn act_with(action: &str, name: &str, value: &str) -> Self {
        Self::Act(action.into(), BTreeMap::from([(name.into(), value.into())]))
    }

    /// Sets a switch.
    pub fn switch(name: &str, value: &str) -> Self {
        Self::Switch(name.into(), value.into())
    }
}

/// One provider of a running sandbox, driven over HTTP.
#[derive(Debug, Clone)]
pub struct SandboxCounterpart {
    control: Url,
    provider: String,
    faults: BTreeSet<String>,
    deeds: Vec<(Deed, Vec<Step>)>,
}

impl SandboxCounterpart {
    /// A provider of the sandbox whose control address this is, such as `http://127.0.0.1:4000`.
    ///
    /// It pays, declines, cancels and expires payments by the actions of these names, as far as the plug-in has them;
    /// card set-ups are saved by `pay` and refused by `decline`. Everything else is said by [`Self::with_deed`].
    ///
    /// # Errors
    /// When no sandbox answers there, or it has no such provider.
    pub async fn connect(control: &str, provider: &str) -> Result<Self, CounterpartError> {
        let control = Url::parse(control)
            .map_err(|error| CounterpartError::new(format!("{control} is no address: {error}")))?;
        let mut counterpart =
            Self { control, provider: provider.into(), faults: BTreeSet::new(), deeds: Vec::new() };
        let known = counterpart.call(Method::GET, &["providers"], None).await?;
        let Some(found) = known.as_array().and_then(|all| all.iter().find(|one| one["id"] == provider))
        else {
            return Err(CounterpartError::new(format!("this sandbox has no provider `{provider}`")));
        };
        let names = found["faults"].as_object().into_iter().flatten();
        counterpart.faults = names.map(|(name, _)| name.clone()).collect();
        let text = found["actions"].to_string();
        for (deed, action) in [
            (Deed::Pay, "pay"),
            (Deed::Decline, "decline"),
            (Deed::Cancel, "cancel"),
            (Deed::Expire, "expire"),
            (Deed::SaveCard, "pay"),
            (Deed::DeclineCard, "decline"),
        ] {
            if text.contains(&format!("\"{action}\"")) {
                counterpart = counterpart.with_deed(deed, [Step::act(action)]);
            }
        }
        Ok(counterpart)
    }

    /// Does a deed by these steps.
    #[must_use]
    pub fn with_deed(mut self, deed: Deed, steps: impl IntoIterator<Item = Step>) -> Self {
        self.deeds.retain(|(other, _)| *other != deed);
        self.deeds.push((deed, steps.into_iter().collect()));
        self
    }

    fn provider_path<'a>(&'a self, rest: &[&'a str]) -> Vec<&'a str> {
        std::iter::once(self.provider.as_str()).chain(rest.iter().copied()).collect()
    }

    /// One call on a connection of its own. The answer's status decides; its body is JSON or empty.
    async fn call(
        &self,
        method: Method,
        path: &[&str],
        body: Option<Value>,
    ) -> Result<Value, CounterpartError> {
        let mut url = self.control.clone();
        url.path_segments_mut()
            .map_err(|()| CounterpartError::new("the control address has no path"))?
            .pop_if_empty()
            .push("api")
            .extend(path);
        let shown = format!("{method} {}", url.path());
        let wrong =
            |why: &dyn std::fmt::Display| CounterpartError::new(format!("the sandbox's {shown}: {why}"));
        let host = format!(
            "{}:{}",
            url.host_str().unwrap_or_default(),
            url.port_or_known_default().unwrap_or_default()
        );
        let stream = TcpStream::connect(&host).await.map_err(|error| wrong(&error))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| wrong(&error))?;
        let driving = tokio::spawn(connection);
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let request = Request::builder()
            .method(method)
            .uri(url.path())
            .header("host", &host)
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| wrong(&error))?;
        let answer = sender.send_request(request).await.map_err(|error| wrong(&error))?;
        let status = answer.status();
        let body = answer.into_body().collect().await.map_err(|error| wrong(&error))?.to_bytes();
        driving.abort();
        if status.as_u16() == 404 {
            return Ok(Value::Null);
        }
        if !status.is_success() {
            let why = format!("HTTP {status}: {}", String::from_utf8_lossy(&body));
            return Err(wrong(&why));
        }
        if body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&body).map_err(|error| wrong(&error))
    }

    fn fault_name(fault: OtherSideFault) -> &'static str {
        match fault {
            OtherSideFault::AnswerLost => "answer-lost",
            OtherSideFault::ErrorAfter => "error-after",
            OtherSideFault::WrongChecksum => "answer-wrong-checksum",
            OtherSideFault::TamperedAmount => "answer-tampered-amount",
        }
    }
}

#[async_trait]
impl Counterpart for SandboxCounterpart {
    fn can(&self, skill: Skill) -> bool {
        match skill {
            Skill::Do(deed) => self.deeds.iter().any(|(known, _)| *known == deed),
            Skill::Notify | Skill::Books | Skill::Requests => true,
            Skill::Fault(fault) => self.faults.contains(Self::fault_name(fault)),
        }
    }

    async fn act(&self, deed: Deed, reference: &MerchantRef) -> Result<(), CounterpartError> {
        let Some((_, steps)) = self.deeds.iter().find(|(known, _)| *known == deed) else {
            return Err(CounterpartError::new(format!("it was not told how to do {deed:?}")));
        };
        for step in steps {
            match step {
                Step::Act(action, details) => {
                    let path = self.provider_path(&["payments", reference.as_str(), action]);
                    let done = self.call(Method::POST, &path, Some(json!(details))).await?;
                    if done.is_null() {
                        return Err(CounterpartError::new(format!("it knows no payment {reference}")));
                    }
                }
                Step::Switch(name, value) => {
                    let path = self.provider_path(&["switches"]);
                    self.call(Method::PUT, &path, Some(json!({ name.as_str(): value }))).await?;
                }
            }
        }
        Ok(())
    }

    async fn notify_at(&self, address: &str) -> Result<(), CounterpartError> {
        let path = self.provider_path(&["push-address"]);
        self.call(Method::PUT, &path, Some(json!({ "address": address }))).await.map(drop)
    }

    async fn books(&self, reference: &MerchantRef) -> Result<Option<Books>, CounterpartError> {
        let path = self.provider_path(&["payments", reference.as_str()]);
        let payment = self.call(Method::GET, &path, None).await?;
        if payment.is_null() {
            return Ok(None);
        }
        let number = |name: &str| payment[name].as_u64().and_then(|number| u32::try_from(number).ok());
        let mut books = Books::new(number("debits").unwrap_or(0));
        books.amount = payment["amount"].as_str().map(str::to_owned);
        books.refunds = number("refunds");
        Ok(Some(books))
    }

    async fn received(&self, path: &str, reference: &MerchantRef) -> Result<usize, CounterpartError> {
        let requests = self.call(Method::GET, &self.provider_path(&["requests"]), None).await?;
        let about = |request: &&Value| {
            let target = request["target"].as_str().unwrap_or_default();
            target.split('?').next() == Some(path) && request["reference"] == reference.as_str()
        };
        Ok(requests.as_array().into_iter().flatten().filter(about).count())
    }

    async fn fault(
        &self,
        fault: OtherSideFault,
        path: &str,
        reference: &MerchantRef,
    ) -> Result<(), CounterpartError> {
        let fault = json!({
            "kind": Self::fault_name(fault),
            "path": path,
            "reference": reference.as_str(),
            "times": 1,
        });
        self.call(Method::POST, &self.provider_path(&["faults"]), Some(fault)).await.map(drop)
    }
}
