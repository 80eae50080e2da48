//! Describes a provider and its settings, as its plug-in declares them.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::fault::FaultKind;
use crate::switch::Switch;

/// Who a plug-in is and what can be set; see [`Plugin::profile`](crate::Plugin::profile).
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Profile {
    /// The id in addresses: lower-case letters, digits, hyphens.
    pub id: String,
    /// The name that people read.
    pub title: String,
    /// What a merchant of this sandbox signs in and signs with, by name. Fixed, public, worthless anywhere else.
    pub credentials: BTreeMap<String, String>,
    /// Where the API lives; a fault without a path strikes only there.
    pub api_prefix: String,
    /// The switches.
    pub switches: Vec<Switch>,
    /// What can be done to a payment from outside, in the order of the buttons.
    pub actions: Vec<Action>,
    /// The faults that it supports.
    pub faults: Vec<FaultKind>,
    /// Names of fields and headers whose values the request log does not show.
    pub sealed_fields: Vec<String>,
    /// Lines for the control page: test cards, readings of unclear documents.
    pub notes: Vec<(String, String)>,
}

impl Profile {
    /// A provider with the faults that the host carries out by itself, an API under `/` and nothing to set.
    pub fn new(id: &str, title: &str) -> Self {
        Self {
            id: id.into(),
            title: title.into(),
            credentials: BTreeMap::new(),
            api_prefix: "/".into(),
            switches: Vec::new(),
            actions: Vec::new(),
            faults: [FaultKind::WIRE, FaultKind::TIMING].concat(),
            sealed_fields: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Adds a credential.
    #[must_use]
    pub fn credential(mut self, name: &str, value: &str) -> Self {
        self.credentials.insert(name.into(), value.into());
        self
    }

    /// Says where the API lives.
    #[must_use]
    pub fn api_prefix(mut self, prefix: &str) -> Self {
        self.api_prefix = prefix.into();
        self
    }

    /// Adds a switch.
    #[must_use]
    pub fn switch(mut self, switch: Switch) -> Self {
        self.switches.push(switch);
        self
    }

    /// Adds an action, with what it does in a few words.
    #[must_use]
    pub fn action(mut self, name: &str, text: &str) -> Self {
        self.actions.push(Action { name: name.into(), text: text.into() });
        self
    }

    /// Adds a fault of [`FaultKind::CONTENT`] that this plug-in can make, or one of [`FaultKind::ENTRANCE`].
    #[must_use]
    pub fn fault(mut self, kind: FaultKind) -> Self {
        self.faults.push(kind);
        self
    }

    /// Keeps the values of a field or header out of the request log.
    #[must_use]
    pub fn sealed_field(mut self, name: &str) -> Self {
        self.sealed_fields.push(name.into());
        self
    }

    /// Adds a line for the control page.
    #[must_use]
    pub fn note(mut self, name: &str, text: &str) -> Self {
        self.notes.push((name.into(), text.into()));
        self
    }
}

/// One thing that can be done to a payment.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Action {
    /// The name in addresses: `pay`, `decline`, `cancel`, `expire`.
    pub name: String,
    /// What it does.
    pub text: String,
}
