//! `tulbur providers`.

use std::fmt::Write as _;

use clap::Args;
use comfy_table::{Table, presets};
use serde::Serialize;
use tulbur::Registry;
use tulbur::core::ProviderInfo;

/// The options of `tulbur providers`.
#[derive(Debug, Args)]
#[command(after_help = "\
Evidence says how well an operation is known: documented by the provider, observed in real clients, or inferred.

Examples:
  tulbur providers
  tulbur providers --json | jq '.[].operations[] | select(.evidence == \"inferred\")'")]
pub(crate) struct Options {
    /// Print everything that is known as one line of JSON: a list of providers
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(options: &Options) -> Result<(), String> {
    let providers = Registry::linked().map_err(|error| error.to_string())?.describe();
    let text = if options.json {
        serde_json::to_string(&providers).map_err(|error| error.to_string())?
    } else {
        described(&providers)
    };
    crate::print(&text)
}

fn described(providers: &[ProviderInfo]) -> String {
    if providers.is_empty() {
        return "No provider is linked.".to_owned();
    }
    let mut overview = Table::new();
    overview.load_style(presets::NOTHING);
    overview.set_header(["provider", "name", "countries", "currencies", "ways to pay", "abilities"]);
    for info in providers {
        let mut abilities: Vec<_> = info.operations.iter().map(|operation| operation.ability).collect();
        abilities.sort_unstable();
        abilities.dedup();
        overview.add_row([
            info.id.to_string(),
            info.name.clone(),
            info.countries.join(", "),
            words(&info.currencies),
            words(&info.ways),
            words(&abilities),
        ]);
    }
    let mut text = trimmed(&overview);
    for info in providers {
        let mut operations = Table::new();
        operations.load_style(presets::NOTHING);
        operations.set_header(["ability", "operation", "on the wire", "evidence", "source"]);
        for operation in &info.operations {
            operations.add_row([
                operation.ability.as_str(),
                &operation.name,
                &operation.wire,
                &operation.evidence.to_string(),
                &operation.source,
            ]);
        }
        // Writing to a text cannot fail.
        let _ = write!(text, "\n\n{} ({})\n{}", info.name, info.id, trimmed(&operations));
    }
    text
}

/// A table without the blanks that fill its lines.
fn trimmed(table: &Table) -> String {
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

/// The words that configuration and JSON have for these values.
fn words<T: Serialize>(values: &[T]) -> String {
    let word = |value: &T| match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        Ok(other) => other.to_string(),
        Err(error) => error.to_string(),
    };
    values.iter().map(word).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use tulbur::AccountName;
    use tulbur::core::{Ability, Alphabet, Evidence, OperationInfo, RefRule};
    use tulbur::{Currency, ProviderId};

    use super::*;

    #[test]
    fn every_operation_stands_in_the_table_with_its_evidence() {
        assert_eq!(described(&[]), "No provider is linked.");
        let mut info = ProviderInfo::new(
            ProviderId::parse("khur").unwrap(),
            AccountName::parse("khur").unwrap(),
            "Khur Bank",
            Currency::MNT,
            RefRule::new(Alphabet::AlphanumericHyphen, 1..=36),
        );
        info.operations = vec![
            OperationInfo::new(Ability::Query, "query", "POST /q", Evidence::Documented, "page 1"),
            OperationInfo::new(Ability::Ipn, "notify", "push", Evidence::Inferred, "nobody"),
        ];
        let text = described(&[info]);
        for words in ["Khur Bank (khur)", "MNT", "POST /q", "documented", "inferred", "nobody", "query, ipn"]
        {
            assert!(text.contains(words), "{words}: {text}");
        }
        assert!(text.lines().all(|line| line == line.trim_end()));
    }
}
