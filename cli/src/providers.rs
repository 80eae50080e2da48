//! `tulbur providers`.

use std::fmt::Write as _;

use clap::Args;
use comfy_table::{Table, presets};
use serde::Serialize;
use tulbur::Registry;
use tulbur::core::{Asking, NotifyAddress, ProviderInfo, RefundPart};

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
        for rule in rules(info) {
            let _ = write!(text, "\n* {rule}");
        }
    }
    text
}

/// What an account of this provider is bound to, one rule a line.
fn rules(info: &ProviderInfo) -> Vec<String> {
    let mut rules = Vec::new();
    rules.push(format!(
        "references: {} to {} {}",
        info.ref_rule.length().start(),
        info.ref_rule.length().end(),
        info.ref_rule.alphabet()
    ));
    if let Some(range) = &info.amounts {
        rules.push(format!("amounts: {} to {}", range.start(), range.end()));
    }
    if let Some(rule) = info.description {
        let ascii = if rule.ascii { ", ASCII only" } else { "" };
        rules.push(format!("descriptions: at most {} characters{ascii}", rule.most));
    }
    if info.in_parts {
        rules.push("a payer can pay one invoice in parts, and too much".to_owned());
    }
    if let Some(rule) = &info.refunds {
        let part = match rule.part {
            RefundPart::Any => "any amount",
            RefundPart::Whole => "the whole payment",
            RefundPart::WholePart => "one whole part of a payment",
        };
        let times = if rule.repeated { "several times" } else { "once" };
        let window = rule
            .window
            .map_or_else(String::new, |window| format!(", for {} days", window.as_secs() / 86_400));
        rules.push(format!("refunds: {part}, {times}{window}"));
    }
    if let Some(rule) = &info.captures {
        rules.push(format!(
            "captures: {}",
            if rule.partial { "any amount that is held" } else { "all that is held" }
        ));
    }
    rules.push(match info.notify {
        NotifyAddress::None => "notifications: none".to_owned(),
        NotifyAddress::PerAccount => {
            "notifications: to one address that is registered with the provider".to_owned()
        }
        NotifyAddress::PerPayment => "notifications: to an address of each payment".to_owned(),
    });
    if info.flows.iter().any(|flow| flow.asking == Asking::OnHint) {
        rules.push("asked on a hint, while somebody looks, and at the end, never by a schedule".to_owned());
    }
    rules
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
        assert!(text.contains("* references: 1 to 36 letters A-Z a-z, digits and hyphens"), "{text}");
    }
}
