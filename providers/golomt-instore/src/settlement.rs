//! Settling a terminal's day: what no trait covers, because it is no payment.

use tulbur_core::wire::{Field, filled};
use tulbur_core::{Effect, Error, ErrorKind, FreeText, Money, Result};

use crate::client::GolomtInstore;
use crate::info::SETTLEMENT;
use crate::sign::{self, CURRENCY};
use crate::status;
use crate::wire::{Said, SettlementRequest, SettlementResult, open};

/// What the bank says of a settlement. None of it is signed, and of none is the exact form known.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settlement {
    /// The amount that was settled, if the bank names one.
    pub amount: Option<Money>,
    /// How many payments were settled, if the bank says so.
    pub count: Option<u64>,
    /// The bank's word for how it went. Its values are unknown; read it before relying on it.
    pub status: Option<FreeText>,
}

impl GolomtInstore {
    /// Settles the terminal under this number.
    ///
    /// What is settled, how often it must be done, and who chooses the number is **unknown**: agree on it with the bank.
    /// It is never repeated by itself.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] for a number that is none. After any other error it may have happened, unless its
    /// outcome says otherwise.
    pub async fn settle(&self, settlement_id: &str) -> Result<Settlement> {
        self.named(SETTLEMENT, self.settlement(settlement_id).await)
    }

    async fn settlement(&self, settlement_id: &str) -> Result<Settlement> {
        let fits = (1..=64).contains(&settlement_id.len())
            && settlement_id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        if !fits {
            return Err(Error::invalid(
                "settlement_id",
                "it is not 1 to 64 letters, digits, hyphens and underscores",
            ));
        }
        let terminal = self.config.terminal.as_str();
        let body = SettlementRequest {
            checksum: &self.keys.sign(&sign::settlement(terminal, settlement_id)),
            settlement_id,
            terminal,
        };
        let response = self.call(SETTLEMENT, Effect::Write, &["pos", "settlement"], &body, None).await?;
        self.read_answer(Effect::Write, &response, &[], |body| match open::<SettlementResult<'_>>(body)? {
            Said::Executed(result) => read(&result),
            Said::Failed(failure) => Err(status::of_failure(&failure, Effect::Write)),
        })
    }
}

fn read(result: &SettlementResult<'_>) -> Result<Settlement> {
    let said = |word: &Field<'_>| filled(word).map(str::to_owned);
    if said(&result.amount).is_none() && said(&result.count).is_none() && said(&result.status).is_none() {
        return Err(Error::new(ErrorKind::Malformed, "it says nothing of a settlement"));
    }
    let unfit = |field, why: String| Error::new(ErrorKind::Malformed, why).with_field(field);
    let amount = said(&result.amount)
        .map(|text| Money::parse(&text, CURRENCY).map_err(|e| unfit("amount", e.to_string())))
        .transpose()?;
    let count = said(&result.count)
        .map(|text| text.parse().map_err(|_| unfit("count", "it is no whole number".into())))
        .transpose()?;
    Ok(Settlement { amount, count, status: said(&result.status).map(FreeText::from) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tulbur_core::wire;

    fn settled(json: &str) -> Result<Settlement> {
        read(&wire::read(json.as_bytes()).unwrap())
    }

    #[test]
    fn numbers_and_texts_are_both_read() {
        for json in [
            r#"{"amount":"5000.50","count":"3","status":"X"}"#,
            r#"{"amount":5000.5,"count":3,"status":"X"}"#,
        ] {
            let settlement = settled(json).unwrap();
            assert_eq!(settlement.amount, Some(Money::from_minor(500_050, CURRENCY)));
            assert_eq!((settlement.count, settlement.status.as_deref()), (Some(3), Some("X")));
        }
        assert_eq!(settled(r#"{"count":0}"#).unwrap().amount, None);
    }

    #[test]
    fn what_cannot_be_meant_is_named() {
        for (json, field) in [
            ("{}", None),
            (r#"{"amount":"","count":null}"#, None),
            (r#"{"amount":"5,000"}"#, Some("amount")),
            (r#"{"amount":-1}"#, Some("amount")),
            (r#"{"count":1.5}"#, Some("count")),
            (r#"{"count":-1}"#, Some("count")),
        ] {
            assert_eq!(settled(json).unwrap_err().field(), field, "{json}");
        }
    }
}
