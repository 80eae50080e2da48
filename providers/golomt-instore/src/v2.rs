//! Instore v2: a card payment from a card's number and expiry.
//!
//! **Of this service one page could be read**, and it leaves most open: the host, what stands before the path, how the
//! caller proves who it is, the form of expiry and amount, and what a good answer's code is. So everything of that is
//! a setting without a default, the caller must accept inferred operations, and the answer is handed over as it came:
//! nothing here says that money was taken.
//!
//! There is no reference of ours in it, so a lost answer cannot be asked about. Whoever uses this handles full card
//! numbers and is in the scope of PCI DSS; prefer a page of the bank's.
//!
//! ```
//! use tulbur_core::{Accept, Currency, Money, Url};
//! use tulbur_golomt_instore::v2::{Card, InstoreV2, InstoreV2Config, V2Amount};
//!
//! # async fn pay(env: tulbur_core::BuildEnv, number: &str, expiry: &str) -> Result<(), Box<dyn std::error::Error>> {
//! let base_url = Url::parse("https://bank.example/what/the/bank/says")?;
//! let mut config = InstoreV2Config::new("12345678", base_url, V2Amount::Shortest);
//! config.accept = Accept::Inferred;
//! let bank = InstoreV2::new(config, env)?;
//! let card = Card::new(number.to_owned().into(), expiry.to_owned().into())?;
//! let said = bank.pay(&card, Money::from_major(1100, Currency::MNT)?).await?;
//! println!("the bank answers {:?}", said.response_code);
//! # Ok(())
//! # }
//! ```

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tulbur_core::wire::{Field, below, check_base, filled, object, read};
use tulbur_core::{
    Ability, Accept, AmountFormat, BuildEnv, Bytes, Effect, Error, ErrorKind, Evidence, ExposeSecret,
    FreeText, HttpRequest, HttpResponse, Money, OperationInfo, Outcome, Result, SecretString, Url,
    check_credential,
};
use zeroize::Zeroizing;

use crate::sign::CURRENCY;

const PAY: &str = "v2_transaction";

/// How the amount is written. The page says neither unit nor decimals: ask the bank.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum V2Amount {
    /// No decimal that is not needed: `1100`, `1100.5`.
    Shortest,
    /// Always two: `1100.00`.
    TwoDecimals,
}

/// The settings of an account at Instore v2. `Debug` shows no secret.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct InstoreV2Config {
    /// The terminal's number.
    pub terminal: String,
    /// Where the bank answers, with all that stands before `/transaction/v1.0`: unknown, so it has no default.
    pub base_url: Url,
    /// How the amount is written: unknown, so it has no default.
    pub amount: V2Amount,
    /// The whole value of a header `authorization`, if the bank wants one. **An assumption**: the page has no headers.
    #[serde(default)]
    pub authorization: Option<SecretString>,
    /// Must be [`Accept::Inferred`].
    #[serde(default)]
    pub accept: Accept,
}

impl InstoreV2Config {
    /// What the bank must be asked for. `accept` is still to be set.
    pub fn new(terminal: impl Into<String>, base_url: Url, amount: V2Amount) -> Self {
        Self { terminal: terminal.into(), base_url, amount, authorization: None, accept: Accept::default() }
    }

    fn check(&self) -> Result<()> {
        let wrong = |field, why: &str| Err(Error::new(ErrorKind::Configuration, why).with_field(field));
        if !self.accept.allows(Evidence::Inferred) {
            return wrong(
                "accept",
                "most of this service is inferred; use it only with accept = \"inferred\"",
            );
        }
        if !(1..=32).contains(&self.terminal.len())
            || !self.terminal.bytes().all(|b| b.is_ascii_alphanumeric())
        {
            return wrong("terminal", "it is not 1 to 32 letters and digits");
        }
        if let Some(authorization) = &self.authorization {
            check_credential("authorization", authorization)?;
            if !authorization.expose_secret().bytes().all(|b| b.is_ascii_graphic() || b == b' ') {
                return wrong("authorization", "it has characters that cannot stand in a header");
            }
        }
        check_base("base_url", &self.base_url)
    }
}

/// A card's number and expiry. Wiped from memory when dropped, and never printed.
pub struct Card {
    number: SecretString,
    expiry: SecretString,
}

impl Card {
    /// Takes a card's number, and its expiry as the bank wants it: whether that is `MMYY` or `YYMM` is unknown, so the
    /// text is sent as given.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] when the number is not 12 to 19 digits, or the expiry has others than digits and `/`.
    pub fn new(number: SecretString, expiry: SecretString) -> Result<Self> {
        let digits = number.expose_secret();
        if !(12..=19).contains(&digits.len()) || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(Error::invalid("card", "it is not 12 to 19 digits without blanks"));
        }
        let date = expiry.expose_secret();
        if !(4..=7).contains(&date.len()) || !date.bytes().all(|b| b.is_ascii_digit() || b == b'/') {
            return Err(Error::invalid("expiry", "it is not 4 to 7 digits and `/`"));
        }
        Ok(Self { number, expiry })
    }
}

impl fmt::Debug for Card {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Card([redacted])")
    }
}

/// What the bank says of a card payment, as it came: the page explains few of these, and no value that means success.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CardTransaction {
    /// `id`; not explained.
    pub id: Option<String>,
    /// `amount`, its characters.
    pub amount: Option<String>,
    /// `amountISO`; not explained.
    pub amount_iso: Option<String>,
    /// `batchNumber`.
    pub batch_number: Option<String>,
    /// `transactionNumber`; not explained.
    pub transaction_number: Option<String>,
    /// `referenceNumber`: a JSON number in the page's sample, so leading zeros are lost.
    pub reference_number: Option<String>,
    /// `responseCode`. Which value means that the money was taken is **unknown** (version 1 has `00`): ask the bank.
    pub response_code: Option<String>,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct Answer<'a> {
    header: Option<&'a RawValue>,
    body: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct Header<'a> {
    code: Field<'a>,
    status: Field<'a>,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct Body<'a> {
    user: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
#[serde(rename_all = "camelCase")]
struct User<'a> {
    id: Field<'a>,
    amount: Field<'a>,
    #[serde(rename = "amountISO")]
    amount_iso: Field<'a>,
    batch_number: Field<'a>,
    transaction_number: Field<'a>,
    reference_number: Field<'a>,
    response_code: Field<'a>,
}

#[derive(Serialize)]
struct Request<'a> {
    card: &'a str,
    expiry: &'a str,
    amount: &'a str,
    terminal: &'a str,
}

/// An account at Instore v2. `Debug` shows terminal and host.
pub struct InstoreV2 {
    config: InstoreV2Config,
    env: BuildEnv,
}

impl fmt::Debug for InstoreV2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InstoreV2")
            .field("terminal", &self.config.terminal)
            .field("host", &self.config.base_url.host_str())
            .finish_non_exhaustive()
    }
}

impl InstoreV2 {
    /// An account with these settings, on the transport that providers use.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`], naming the setting; also unless the settings accept inferred operations.
    pub fn new(config: InstoreV2Config, env: BuildEnv) -> Result<Self> {
        config.check()?;
        Ok(Self { config, env })
    }

    /// How well its operation is known: path and body stand on a page; host, authentication and values do not.
    pub fn operations() -> Vec<OperationInfo> {
        let source = "D-v2 for path and members; host, authentication and the forms of values are unknown";
        vec![OperationInfo::new(
            Ability::Inherent,
            PAY,
            "POST …/transaction/v1.0",
            Evidence::Inferred,
            source,
        )]
    }

    /// Asks the bank to take this amount from the card, once.
    ///
    /// An answer here means that the bank carried the call out; **whether money was taken stands in
    /// [`CardTransaction::response_code`]**, whose values the bank must explain.
    ///
    /// # Errors
    /// After every error but one before sending, the card may have been debited, and there is no way to ask: look it up
    /// with the bank, and do not repeat it.
    pub async fn pay(&self, card: &Card, amount: Money) -> Result<CardTransaction> {
        if amount.currency() != CURRENCY || !amount.is_positive() {
            return Err(Error::invalid("amount", format!("{amount} is no amount in tögrög")));
        }
        let format = match self.config.amount {
            V2Amount::Shortest => AmountFormat::Shortest,
            V2Amount::TwoDecimals => AmountFormat::Fixed(2),
        };
        let amount = format.render(amount)?;
        let body = Request {
            card: card.number.expose_secret(),
            expiry: card.expiry.expose_secret(),
            amount: amount.as_str(),
            terminal: &self.config.terminal,
        };
        let url = below(&self.config.base_url, &["transaction", "v1.0"]);
        let mut request = HttpRequest::post_json(PAY, Effect::Write, url, wiped(&body)?);
        if let Some(authorization) = &self.config.authorization {
            request = request.with_header("authorization", authorization.expose_secret());
        }
        let response = self
            .env
            .transport
            .send(request)
            .await
            .map_err(|error| Error::from_transport(error, Effect::Write))?;
        answer(&response)
    }
}

/// The body, in memory that is wiped when the transport lets go of it.
fn wiped(body: &Request<'_>) -> Result<Bytes> {
    // Room for all of it at once: a buffer that grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(512));
    serde_json::to_writer(&mut *bytes, body)
        .map_err(|_| Error::new(ErrorKind::InvalidRequest, "it cannot be written as JSON"))?;
    Ok(Bytes::from_owner(bytes))
}

fn answer(response: &HttpResponse) -> Result<CardTransaction> {
    let unknown = |kind, why: String| Error::new(kind, why).with_outcome(Outcome::Unknown);
    if response.status != 200 {
        let kind = if matches!(response.status, 401 | 403) {
            ErrorKind::Unauthorized
        } else {
            ErrorKind::Unavailable
        };
        return Err(unknown(kind, format!("HTTP {}, which the bank does not document", response.status)));
    }
    let unreadable = |error: Error| error.in_answer(Effect::Write, response);
    let answer: Answer<'_> = read(&response.body).map_err(unreadable)?;
    let header: Option<Header<'_>> = object(answer.header).map_err(unreadable)?;
    let code = header.as_ref().and_then(|header| filled(&header.code));
    let status = header.as_ref().and_then(|header| filled(&header.status));
    if code != Some("200") || !status.is_some_and(|status| status.eq_ignore_ascii_case("success")) {
        return Err(unknown(ErrorKind::Rejected, "the bank's header is not 200 and success".into())
            .with_answer(code, status));
    }
    let body: Option<Body<'_>> = object(answer.body).map_err(unreadable)?;
    let user: Option<User<'_>> = object(body.and_then(|body| body.user)).map_err(unreadable)?;
    let user = user.ok_or_else(|| {
        unknown(ErrorKind::Malformed, "it is missing, so nothing is said of the payment".into())
            .with_field("body.user")
    })?;
    let text = |word: &Field<'_>| filled(word).map(|text| FreeText::new(text).into());
    Ok(CardTransaction {
        id: text(&user.id),
        amount: text(&user.amount),
        amount_iso: text(&user.amount_iso),
        batch_number: text(&user.batch_number),
        transaction_number: text(&user.transaction_number),
        reference_number: text(&user.reference_number),
        response_code: text(&user.response_code),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> InstoreV2Config {
        let base_url = Url::parse("https://bank.example/prefix").unwrap();
        InstoreV2Config {
            accept: Accept::Inferred,
            ..InstoreV2Config::new("12345678", base_url, V2Amount::Shortest)
        }
    }

    #[test]
    fn it_is_offered_only_to_those_who_accept_what_is_inferred() {
        assert!(config().check().is_ok());
        let error = InstoreV2Config { accept: Accept::Observed, ..config() }.check().unwrap_err();
        assert_eq!((error.kind(), error.field()), (ErrorKind::Configuration, Some("accept")));
    }

    #[test]
    fn bad_settings_are_named() {
        for (config, field) in [
            (InstoreV2Config { terminal: String::new(), ..config() }, "terminal"),
            (
                InstoreV2Config { base_url: Url::parse("http://bank.example").unwrap(), ..config() },
                "base_url",
            ),
            (InstoreV2Config { authorization: Some("planted\n".into()), ..config() }, "authorization"),
            (InstoreV2Config { authorization: Some("plantedө".into()), ..config() }, "authorization"),
        ] {
            let error = config.check().unwrap_err();
            assert_eq!(error.field(), Some(field));
            assert!(!format!("{error:?} {config:?}").contains("planted"));
        }
    }

    #[test]
    fn a_card_is_checked_and_never_printed() {
        let card = Card::new("9999990000000006".into(), "12/30".into()).unwrap();
        assert_eq!(format!("{card:?} {card:#?}"), "Card([redacted]) Card([redacted])");
        for (number, expiry, field) in [
            ("", "1230", "card"),
            ("9999 9900 0000 0006", "1230", "card"),
            ("99999900000", "1230", "card"),
            ("99999900000000061234", "1230", "card"),
            ("9999990000000006", "", "expiry"),
            ("9999990000000006", "12-30", "expiry"),
            ("9999990000000006", "12/20300", "expiry"),
        ] {
            let error = Card::new(number.to_owned().into(), expiry.to_owned().into()).unwrap_err();
            assert_eq!(error.field(), Some(field));
            assert!(!error.to_string().contains("9999"));
        }
    }

    #[test]
    fn the_body_is_written_in_one_piece() {
        let (card, terminal) = ("9".repeat(19), "1".repeat(32));
        let body =
            Request { card: &card, expiry: "12/2030", amount: "92233720368547758.07", terminal: &terminal };
        let capacity = serde_json::to_vec(&body).unwrap().len();
        assert!(capacity < 512, "the longest body has {capacity} bytes");
    }
}
