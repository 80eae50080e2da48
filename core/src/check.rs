//! Checks a request against the limits of its provider before it is sent. The checks are the same for all providers.

use crate::error::{Error, ErrorKind, Result};
use crate::info::ProviderInfo;
use crate::money::{Currency, Money};
use crate::next::{CallbackUrl, Language};
use crate::options::Options;
use crate::provider::Provider;
use crate::request::{Capture, ChargeRequest, CreateCardSetup, CreateInvoice, ReturnUrls};

impl CreateInvoice {
    /// Checks what every provider checks: amount, currency, range, reference, way, and the options' owner.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] or [`ErrorKind::Unsupported`], naming the field.
    pub fn check(&self, provider: &dyn Provider) -> Result<()> {
        let info = provider.info();
        check_amount(self.amount, info)?;
        info.ref_rule.check(&self.merchant_ref).map_err(|e| Error::from(e).with_field("merchant_ref"))?;
        if !info.ways.contains(&self.way) {
            return Err(unsupported("way", format!("{} does not offer this way to pay", info.name)));
        }
        if self.save_card && !info.saves_card_with_payment {
            return Err(unsupported("save_card", format!("{} cannot save a card with a payment", info.name)));
        }
        if self.capture == Capture::Later && provider.captures().is_none() {
            return Err(unsupported("capture", format!("{} takes the money at once", info.name)));
        }
        check_language(self.language, info)?;
        check_description(&self.description, info)?;
        check_addresses(self.return_urls.as_ref(), self.notify_url.as_ref(), info)?;
        check_owner(self.options.as_ref(), info)
    }
}

impl CreateCardSetup {
    /// Checks what every provider checks.
    ///
    /// # Errors
    /// As [`CreateInvoice::check`].
    pub fn check(&self, provider: &dyn Provider) -> Result<()> {
        let info = provider.info();
        info.ref_rule.check(&self.merchant_ref).map_err(|e| Error::from(e).with_field("merchant_ref"))?;
        check_language(self.language, info)?;
        check_addresses(self.return_urls.as_ref(), self.notify_url.as_ref(), info)?;
        check_owner(self.options.as_ref(), info)
    }
}

impl ChargeRequest {
    /// Checks what every provider checks.
    ///
    /// # Errors
    /// As [`CreateInvoice::check`].
    pub fn check(&self, provider: &dyn Provider) -> Result<()> {
        let info = provider.info();
        check_amount(self.amount, info)?;
        info.ref_rule.check(&self.merchant_ref).map_err(|e| Error::from(e).with_field("merchant_ref"))?;
        check_language(self.language, info)?;
        check_description(&self.description, info)?;
        check_addresses(self.return_urls.as_ref(), self.notify_url.as_ref(), info)?;
        check_owner(self.options.as_ref(), info)
    }
}

fn unsupported(field: &'static str, message: String) -> Error {
    Error::new(ErrorKind::Unsupported, message).with_field(field)
}

/// Checks an amount against what a provider takes.
///
/// # Errors
/// [`ErrorKind::InvalidRequest`] for nothing or less, another currency, or an amount outside the known range.
pub fn check_amount(amount: Money, info: &ProviderInfo) -> Result<()> {
    if !amount.is_positive() {
        return Err(Error::invalid("amount", format!("{amount} is not more than nothing")));
    }
    if !info.currencies.contains(&amount.currency()) {
        let taken: Vec<&str> = info.currencies.iter().map(|c| Currency::code(*c)).collect();
        return Err(Error::invalid(
            "amount",
            format!("{} is not taken; {} takes {}", amount.currency(), info.name, taken.join(", ")),
        ));
    }
    if let Some(range) = &info.amounts
        && range.start().currency() == amount.currency()
        && !(range.start().minor()..=range.end().minor()).contains(&amount.minor())
    {
        return Err(Error::invalid(
            "amount",
            format!("{amount} is outside what {} takes: {} to {}", info.name, range.start(), range.end()),
        ));
    }
    Ok(())
}

fn check_description(text: &str, info: &ProviderInfo) -> Result<()> {
    let Some(rule) = info.description else { return Ok(()) };
    let invalid = |why: String| Err(Error::invalid("description", why));
    let length = text.chars().count();
    if length > rule.most {
        return invalid(format!("it has {length} characters; {} takes at most {}", info.name, rule.most));
    }
    if let Some(bad) = text.chars().find(|c| c.is_control() || rule.ascii && !c.is_ascii()) {
        let takes =
            if rule.ascii { "ASCII text without control characters" } else { "no control characters" };
        return invalid(format!("`{}` is not taken; {} takes {takes}", bad.escape_debug(), info.name));
    }
    Ok(())
}

fn check_addresses(
    returns: Option<&ReturnUrls>,
    notify: Option<&CallbackUrl>,
    info: &ProviderInfo,
) -> Result<()> {
    let Some(most) = info.longest_address else { return Ok(()) };
    let returns = returns.map(|urls| [&urls.success, &urls.failure, &urls.cancel]).into_iter().flatten();
    let named = returns.map(|url| ("return_urls", url)).chain(notify.map(|url| ("notify_url", url)));
    for (field, url) in named {
        let length = url.as_str().chars().count();
        if length > most {
            let why = format!("it has {length} characters; {} takes at most {most}", info.name);
            return Err(Error::invalid(field, why));
        }
    }
    Ok(())
}

fn check_language(language: Language, info: &ProviderInfo) -> Result<()> {
    if info.languages.is_empty() || info.languages.contains(&language) {
        return Ok(());
    }
    let known: Vec<&str> = info.languages.iter().map(|l| l.code()).collect();
    Err(Error::invalid("language", format!("{} has {}, not {language}", info.name, known.join(", "))))
}

fn check_owner(options: Option<&Options>, info: &ProviderInfo) -> Result<()> {
    match options {
        Some(options) if info.id != *options.provider() => Err(unsupported(
            "options",
            format!("these are options of `{}`, and the account is of `{}`", options.provider(), info.id),
        )),
        _ => Ok(()),
    }
}
