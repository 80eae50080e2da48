//! The sandbox: in this process, or running elsewhere.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use tulbur::core::Url;
use tulbur_sandbox::Sandbox;

use crate::Result;

/// The providers' side, played by the sandbox.
#[derive(Debug)]
pub(crate) struct Banks {
    control: Url,
    providers: Vec<Bank>,
    own: Option<Sandbox>,
}

/// One provider's side.
#[derive(Debug, Deserialize)]
pub(crate) struct Bank {
    id: String,
    base_url: String,
    credentials: BTreeMap<String, String>,
}

impl Banks {
    /// Starts a sandbox in this process. Its state goes on from the file.
    pub(crate) async fn start(port: u16, state: &Path) -> Result<Self> {
        let sandbox = Sandbox::builder().port(port).state_file(state).start().await.map_err(|e| {
            format!("the sandbox cannot start: {e}; another port is chosen with --sandbox-port")
        })?;
        let mut providers = Vec::new();
        for id in sandbox.provider_ids() {
            let provider = sandbox.provider(id)?;
            providers.push(Bank {
                id: id.to_owned(),
                base_url: provider.base_url().to_owned(),
                credentials: provider.credentials().clone(),
            });
        }
        Ok(Self { control: Url::parse(sandbox.control_url())?, providers, own: Some(sandbox) })
    }

    /// Reaches a sandbox that runs elsewhere, by its control address.
    pub(crate) async fn attach(control: &Url) -> Result<Self> {
        let providers: Vec<Bank> = reqwest::get(control.join("api/providers")?)
            .await
            .and_then(reqwest::Response::error_for_status)
            .map_err(|e| format!("no sandbox answers at {control}: {e}; start one with `tulbur sandbox`"))?
            .json()
            .await?;
        Ok(Self { control: control.clone(), providers, own: None })
    }

    /// One provider's side.
    pub(crate) fn of(&self, provider: &str) -> Result<&Bank> {
        let found = self.providers.iter().find(|bank| bank.id == provider);
        found.ok_or_else(|| format!("the sandbox at {} has no {provider}", self.control).into())
    }

    /// Tells a provider where to send its notifications, as a merchant does once in a contract.
    pub(crate) async fn notify_to(&self, provider: &str, address: Url) -> Result<()> {
        if let Some(sandbox) = &self.own {
            return Ok(sandbox.provider(provider)?.set_push_address(Some(address.as_str()))?);
        }
        reqwest::Client::new()
            .put(self.control.join(&format!("api/{provider}/push-address"))?)
            .json(&serde_json::json!({ "address": address }))
            .send()
            .await?
            .error_for_status()?;
        Ok(())
    }

    pub(crate) fn control_url(&self) -> &Url {
        &self.control
    }

    pub(crate) async fn shutdown(self) {
        if let Some(sandbox) = self.own {
            sandbox.shutdown().await;
        }
    }
}

impl Bank {
    pub(crate) fn base_url(&self) -> &str {
        &self.base_url
    }

    pub(crate) fn credential(&self, name: &str) -> Result<&str> {
        let credential = self.credentials.get(name).map(String::as_str);
        credential.ok_or_else(|| format!("the sandbox's {} gives no credential `{name}`", self.id).into())
    }
}
