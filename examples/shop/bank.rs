//! The sandbox: in this process, or running elsewhere.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use tulbur::core::Url;
use tulbur_sandbox::Sandbox;

use crate::{ACCOUNT, Result};

/// The bank's side, played by the sandbox.
#[derive(Debug)]
pub(crate) struct Bank {
    control: Url,
    base_url: String,
    credentials: BTreeMap<String, String>,
    own: Option<Sandbox>,
}

#[derive(Deserialize)]
struct Described {
    id: String,
    base_url: String,
    credentials: BTreeMap<String, String>,
}

impl Bank {
    /// Starts a sandbox in this process. Its state goes on from the file.
    pub(crate) async fn start(port: u16, state: &Path) -> Result<Self> {
        let sandbox = Sandbox::builder().port(port).state_file(state).start().await.map_err(|e| {
            format!("the sandbox cannot start: {e}; another port is chosen with --sandbox-port")
        })?;
        let bank = sandbox.provider(ACCOUNT)?;
        Ok(Self {
            control: Url::parse(sandbox.control_url())?,
            base_url: bank.base_url().to_owned(),
            credentials: bank.credentials().clone(),
            own: Some(sandbox),
        })
    }

    /// Reaches a sandbox that runs elsewhere, by its control address.
    pub(crate) async fn attach(control: &Url) -> Result<Self> {
        let providers: Vec<Described> = reqwest::get(control.join("api/providers")?)
            .await
            .and_then(reqwest::Response::error_for_status)
            .map_err(|e| format!("no sandbox answers at {control}: {e}; start one with `tulbur sandbox`"))?
            .json()
            .await?;
        let bank = providers
            .into_iter()
            .find(|provider| provider.id == ACCOUNT)
            .ok_or_else(|| format!("the sandbox at {control} has no {ACCOUNT}"))?;
        Ok(Self {
            control: control.clone(),
            base_url: bank.base_url,
            credentials: bank.credentials,
            own: None,
        })
    }

    /// Tells the bank where to send its notifications, as a merchant does once in a contract.
    pub(crate) async fn notify_to(&self, address: Url) -> Result<()> {
        if let Some(sandbox) = &self.own {
            return Ok(sandbox.provider(ACCOUNT)?.set_push_address(Some(address.as_str()))?);
        }
        reqwest::Client::new()
            .put(self.control.join(&format!("api/{ACCOUNT}/push-address"))?)
            .json(&serde_json::json!({ "address": address }))
            .send()
            .await?
            .error_for_status()?;
        Ok(())
    }

    pub(crate) fn control_url(&self) -> &Url {
        &self.control
    }

    pub(crate) fn base_url(&self) -> &str {
        &self.base_url
    }

    pub(crate) fn credential(&self, name: &str) -> Result<&str> {
        let credential = self.credentials.get(name).map(String::as_str);
        credential.ok_or_else(|| format!("the sandbox gives no credential `{name}`").into())
    }

    pub(crate) async fn shutdown(self) {
        if let Some(sandbox) = self.own {
            sandbox.shutdown().await;
        }
    }
}
