//! Cards that the merchant collects itself (cargo feature `raw-card-data`).
//!
//! The gateway documents no encryption of them beside TLS (G 2.4.1). Whoever uses this is in the scope of PCI DSS.

use std::fmt;

use tulbur_core::wire::{needed, read};
use tulbur_core::{
    CardToken, Charge, CreateInvoice, Error, ExposeSecret, PaymentRef, Result, SavedCard, SecretString,
    read_options,
};

use crate::client::{GalaxyPay, Operation};
use crate::codes::Method;
use crate::info::{self, FLOW_CARD, FLOW_FAST};
use crate::options::GalaxyPayOptions;
use crate::orders::fit;
use crate::status::Call;
use crate::tokens::card_info;
use crate::wire::{Account, CardFields, CreateTokenData};

const CREATE_TOKEN: Operation = Operation::new(info::CREATE_TOKEN, "tokenization/createToken", Call::Change);

/// A card in clear. Its memory is wiped, and `Debug` shows nothing of it.
#[derive(Clone)]
pub struct RawCard {
    number: SecretString,
    holder: SecretString,
    date: SecretString,
    verification: Option<SecretString>,
}

impl RawCard {
    /// Takes a card: 12 to 19 digits, the holder as printed (at most 19 characters), `MM/YY`, and for international
    /// cards the verification value of three digits (four on American Express, which the field's table does not have).
    ///
    /// For domestic cards the date may be the one of issue, as printed (NET).
    ///
    /// # Errors
    /// When one of them has another shape; none is quoted.
    pub fn parse(
        number: SecretString,
        holder: SecretString,
        date: SecretString,
        verification: Option<SecretString>,
    ) -> Result<Self> {
        let digits = |text: &str, lengths: std::ops::RangeInclusive<usize>| {
            lengths.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
        };
        if !digits(number.expose_secret(), 12..=19) {
            return Err(Error::invalid("card_number", "it is not 12 to 19 digits"));
        }
        let name = holder.expose_secret();
        if name.trim().is_empty() || name.chars().any(char::is_control) {
            return Err(Error::invalid("card_holder_name", "it is empty or has a control character"));
        }
        fit("card_holder_name", name, 19)?;
        let month = date.expose_secret().split_once('/').filter(|(month, year)| {
            digits(month, 2..=2) && digits(year, 2..=2) && ("01"..="12").contains(month)
        });
        if month.is_none() {
            return Err(Error::invalid("card_expire_date", "it is not a month and a year as MM/YY"));
        }
        if verification.as_ref().is_some_and(|value| !digits(value.expose_secret(), 3..=4)) {
            return Err(Error::invalid("card_verification_value", "it is not three or four digits"));
        }
        Ok(Self { number, holder, date, verification })
    }

    fn fields(&self) -> CardFields<'_> {
        CardFields {
            card_number: self.number.expose_secret(),
            card_holder_name: self.holder.expose_secret(),
            card_expire_date: self.date.expose_secret(),
            card_verification_value: self.verification.as_ref().map(ExposeSecret::expose_secret),
        }
    }

    /// International cards need their verification value (G 2.4.1).
    fn check(&self, method: &Method) -> Result<()> {
        if !method.can_save_cards() {
            return Err(Error::invalid("options", "cards are DOMESTIC or INTERNATIONAL"));
        }
        if *method == Method::International && self.verification.is_none() {
            return Err(Error::invalid("card_verification_value", "international cards need it"));
        }
        Ok(())
    }
}

impl fmt::Debug for RawCard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RawCard([redacted])")
    }
}

impl GalaxyPay {
    /// Pays with a card that the merchant collected: the flow [`FLOW_CARD`], or [`FLOW_FAST`] with the option
    /// `fast_pay`. The options must have a `method`.
    ///
    /// The payment is pending; `next` is the page on which the card's bank wants to see the payer, if there is one. It
    /// may have taken money even if no page was ever opened.
    ///
    /// # Errors
    /// As [`ChargeProvider::charge`](tulbur_core::ChargeProvider::charge).
    pub async fn pay_with_card(&self, request: &CreateInvoice, card: &RawCard) -> Result<Charge> {
        self.named(info::PAY_WITH_CARD, self.pay_with(request, card).await)
    }

    async fn pay_with(&self, request: &CreateInvoice, card: &RawCard) -> Result<Charge> {
        request.check(self)?;
        let options: GalaxyPayOptions = read_options(request.options.as_ref())?;
        let page = options.checkout.is_none() && options.payment_link.is_none();
        if !page || request.way != tulbur_core::Way::Page || request.capture != tulbur_core::Capture::Now {
            return Err(Error::invalid(
                "options",
                "a collected card is charged at once, and shown nothing else",
            ));
        }
        let fast = options.fast_pay;
        let method = options.method.clone().or(fast.then_some(Method::International));
        let method =
            method.ok_or_else(|| Error::invalid("options", "a collected card needs the option `method`"))?;
        if fast && (method != Method::International || request.save_card) {
            return Err(Error::invalid("options", "`fast_pay` charges INTERNATIONAL cards and saves none"));
        }
        card.check(&method)?;
        let reference = request.merchant_ref.as_str();
        let number = options.order_number.as_deref();
        let order = self.order(reference, request.amount, &request.description, number)?;
        let (urls, notify) = (request.return_urls.as_ref(), request.notify_url.as_ref());
        let mut data = Self::pay_data(order, request.language, urls, notify, &options, None)?;
        data.payment_method = Some(method.as_str());
        if request.save_card {
            data.api_operation = Some("PAY_WITH_CREATE_TOKEN");
        }
        (data.source_of_fund, data.card) = (Some("CARD"), Some(card.fields()));
        let flow = if fast { FLOW_FAST } else { FLOW_CARD };
        let asked = PaymentRef::new(request.merchant_ref.clone(), Some(request.amount), flow);
        self.pay_directly(data, asked, card.number.expose_secret(), request.send_by).await
    }

    /// Saves a card that the merchant collected, for merchants with fast pay. That the answer calls the token `token`
    /// is **inferred** from the notification's `tokenization`; without it the outcome is unknown.
    ///
    /// # Errors
    /// [`Outcome::Unknown`](tulbur_core::Outcome::Unknown) when a token may exist that nobody knows.
    pub async fn create_token(&self, card: &RawCard, method: &Method) -> Result<SavedCard> {
        let create = async {
            card.check(method)?;
            let data = CreateTokenData { payment_method: method.as_str(), card: card.fields() };
            self.call(CREATE_TOKEN, &data, &[card.number.expose_secret()], |answer| {
                let account: Account<'_> = read(answer)?;
                let token = CardToken::new(needed("token", &account.token)?);
                Ok(SavedCard::new(token, card_info(&account)))
            })
            .await
        };
        self.named(info::CREATE_TOKEN, create.await)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_of_another_shape_is_refused_and_never_quoted() {
        let parse = |number: &str, holder: &str, date: &str, value: Option<&str>| {
            RawCard::parse(number.into(), holder.into(), date.into(), value.map(Into::into))
        };
        let card = parse("4012000033330026", "NGUYEN VAN A", "01/39", Some("100")).unwrap();
        assert_eq!(format!("{card:?}"), "RawCard([redacted])");
        assert!(parse("9704000000000018", "Nguyen Van A", "03/07", None).is_ok());
        for (number, holder, date, value, field) in [
            ("40120000333", "A", "01/39", None, "card_number"),
            ("4012 0000 3333 0026", "A", "01/39", None, "card_number"),
            ("4012000033330026", " ", "01/39", None, "card_holder_name"),
            ("4012000033330026", "PLANTED WITH TWENTY!", "01/39", None, "card_holder_name"),
            ("4012000033330026", "A", "13/39", None, "card_expire_date"),
            ("4012000033330026", "A", "00/39", None, "card_expire_date"),
            ("4012000033330026", "A", "1/39", None, "card_expire_date"),
            ("4012000033330026", "A", "01/2039", None, "card_expire_date"),
            ("4012000033330026", "A", "01/39", Some("10"), "card_verification_value"),
            ("4012000033330026", "A", "01/39", Some("12a"), "card_verification_value"),
        ] {
            let error = parse(number, holder, date, value).unwrap_err();
            assert_eq!(error.field(), Some(field), "{number} {holder} {date}");
            assert!(!error.to_string().contains("4012") && !error.to_string().contains("PLANTED"));
        }
    }
}
