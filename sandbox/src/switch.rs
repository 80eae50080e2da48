//! Switches: what a provider's documents leave open, and what a merchant's contract decides.

use serde::Serialize;

use crate::error::SandboxError;

/// One setting of a provider's side, with the values that it takes.
///
/// A switch that stands for something the documents do not say carries [`assumption`](Self::assumption), and the
/// control page prints that word beside it: its default is our reading, not a fact.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Switch {
    /// The name in addresses and JSON, such as `amount-echo`.
    pub id: String,
    /// What it decides, in one sentence.
    pub text: String,
    /// What is not known and why the default was chosen; `None` where the documents leave the choice to a contract.
    pub assumption: Option<String>,
    /// Which values it takes.
    pub values: SwitchValues,
    /// The value that holds until somebody sets another.
    pub default: String,
}

/// The values that a [`Switch`] takes. Every value is a text, also a number.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum SwitchValues {
    /// One of these: the value, and what it means.
    OneOf(Vec<(String, String)>),
    /// A whole number between two bounds, both allowed.
    Number {
        /// The smallest value.
        least: u64,
        /// The largest value.
        most: u64,
    },
}

impl Switch {
    /// A switch with named values, each with its meaning. The first one is the default.
    pub fn one_of(id: &str, text: &str, values: &[(&str, &str)]) -> Self {
        let default = values.first().map_or_else(String::new, |(value, _)| (*value).to_owned());
        let values =
            values.iter().map(|(value, meaning)| ((*value).to_owned(), (*meaning).to_owned())).collect();
        Self {
            id: id.into(),
            text: text.into(),
            assumption: None,
            values: SwitchValues::OneOf(values),
            default,
        }
    }

    /// A switch that is a whole number.
    pub fn number(id: &str, text: &str, least: u64, most: u64, default: u64) -> Self {
        let values = SwitchValues::Number { least, most };
        Self { id: id.into(), text: text.into(), assumption: None, values, default: default.to_string() }
    }

    /// Marks the switch as our reading of something that the documents do not say.
    #[must_use]
    pub fn assumed(mut self, why: &str) -> Self {
        self.assumption = Some(why.into());
        self
    }

    /// Checks a value and gives it back in the one form in which it is stored.
    pub(crate) fn parse(&self, value: &str) -> Result<String, SandboxError> {
        let value = value.trim();
        match &self.values {
            SwitchValues::OneOf(values) => {
                if values.iter().any(|(known, _)| known == value) {
                    return Ok(value.to_owned());
                }
                let known: Vec<_> = values.iter().map(|(known, _)| known.as_str()).collect();
                Err(SandboxError::invalid(format!(
                    "switch {}: {value:?} is not one of {}",
                    self.id,
                    known.join(", ")
                )))
            }
            SwitchValues::Number { least, most } => match value.parse::<u64>() {
                Ok(number) if (*least..=*most).contains(&number) => Ok(number.to_string()),
                _ => Err(SandboxError::invalid(format!(
                    "switch {}: {value:?} is not a whole number from {least} to {most}",
                    self.id
                ))),
            },
        }
    }
}
