//! Builds the part that every payment request has: the order, the money, the addresses.

use tulbur_core::{
    AmountFormat, CallbackUrl, CreateInvoice, Error, ErrorKind, Language, Money, NextAction, PageKind,
    ProviderRef, Redirect, Result, ReturnUrls, Url, is_loopback,
};

use crate::client::GalaxyPay;
use crate::codes::{Method, SourceType};
use crate::extra::{Customer, ExtraData, ExtraGroups};
use crate::options::GalaxyPayOptions;
use crate::wire::{Number, Order, PayData, SubMerchant};

/// What the gateway adds to the address that a browser returns to.
const RETURNED: [&str; 2] = ["data", "signature"];

/// A text that fits its field.
pub(crate) fn fit<'t>(field: &'static str, text: &'t str, most: usize) -> Result<&'t str> {
    let length = text.chars().count();
    if length > most {
        return Err(Error::invalid(field, format!("it has {length} characters; the gateway takes {most}")));
    }
    Ok(text)
}

pub(crate) fn fit_url<'u>(field: &'static str, url: Option<&'u CallbackUrl>) -> Result<Option<&'u str>> {
    url.map(|url| fit(field, url.as_str(), 500)).transpose()
}

fn return_url(url: Option<&CallbackUrl>) -> Result<Option<&str>> {
    if let Some(parsed) = url.and_then(|url| Url::parse(url.as_str()).ok())
        && let Some((name, _)) = parsed.query_pairs().find(|(name, _)| RETURNED.contains(&name.as_ref()))
    {
        let why = format!("`{name}` is a name that the gateway adds itself; call that parameter otherwise");
        return Err(Error::invalid("return_urls", why));
    }
    fit_url("return_urls", url)
}

/// The gateway's amount: whole dong. For other currencies the decimals of ISO 4217, which is an assumption.
pub(crate) fn amount(money: Money) -> Result<Number> {
    Ok(AmountFormat::Fixed(money.currency().decimals()).render(money)?.to_json_number()?)
}

pub(crate) fn language(language: Language) -> &'static str {
    if language == Language::Vi { "vi" } else { "en" }
}

/// An address that a browser may be sent to.
pub(crate) fn page_url(name: &'static str, text: &str) -> Result<Url> {
    let unfit = || Error::new(ErrorKind::Malformed, "it is no address for a browser").with_field(name);
    let url = Url::parse(text).map_err(|_| unfit())?;
    let safe = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url));
    if safe && url.username().is_empty() { Ok(url) } else { Err(unfit()) }
}

pub(crate) fn redirect(text: &str, page: PageKind) -> Result<NextAction> {
    Ok(NextAction::Redirect(Redirect { url: page_url("endpoint", text)?, page, language: None }))
}

pub(crate) fn provider_ref(name: &'static str, text: &str) -> Result<ProviderRef> {
    ProviderRef::parse(text).map_err(|e| Error::new(ErrorKind::Malformed, e.to_string()).with_field(name))
}

/// What a request without data of its own tells: who pays, as far as it says.
pub(crate) fn payer_data(request: &CreateInvoice) -> Option<ExtraData> {
    let payer = &request.payer;
    let customer =
        Customer { email: payer.email.clone(), phone_number: payer.phone.clone(), ..Customer::default() };
    let known = customer.email.is_some() || customer.phone_number.is_some();
    known.then(|| ExtraGroups { customer: Some(customer), ..ExtraGroups::default() }.into())
}

impl GalaxyPay {
    /// What names the order in every operation. A description is mandatory there; without one the reference stands in.
    pub(crate) fn order<'a>(
        &self,
        order_id: &'a str,
        money: Money,
        description: &'a str,
        order_number: Option<&'a str>,
    ) -> Result<Order<'a>> {
        let description = if description.is_empty() { order_id } else { description };
        Ok(Order {
            order_id,
            order_number: order_number.map(|number| fit("order_number", number, 20)).transpose()?,
            order_amount: amount(money)?,
            parts: None,
            order_currency: money.currency().code(),
            order_date_time: self.date()?,
            order_description: fit("description", description, 250)?,
        })
    }

    /// What all four kinds of payments share.
    pub(crate) fn pay_data<'a>(
        order: Order<'a>,
        language: Language,
        urls: Option<&'a ReturnUrls>,
        notify_url: Option<&'a CallbackUrl>,
        options: &'a GalaxyPayOptions,
        extra: Option<&'a ExtraData>,
    ) -> Result<PayData<'a>> {
        let sub_merchant = options.sub_merchant.as_deref();
        Ok(PayData {
            api_version: None,
            api_operation: Some("PAY"),
            order,
            payment_method: options.method.as_ref().map(Method::as_str),
            source_type: options.source_type.as_ref().map(SourceType::as_str),
            is_auto_capture: None,
            source_of_fund: None,
            token: None,
            card: None,
            customer_token: None,
            language: self::language(language),
            success_url: return_url(urls.map(|urls| &urls.success))?,
            failure_url: return_url(urls.map(|urls| &urls.failure))?,
            cancel_url: return_url(urls.map(|urls| &urls.cancel))?,
            ipn_url: fit_url("notify_url", notify_url)?,
            sub_merchant: sub_merchant
                .map(|name| fit("sub_merchant", name, 50).map(|identifier| SubMerchant { identifier }))
                .transpose()?,
            extra_data: extra.or(options.extra_data.as_ref()),
        })
    }

    /// The version of notifications that is asked for. Without the field it is 1.
    pub(crate) fn api_version(&self) -> Option<u8> {
        (self.config.api_version != 1).then_some(self.config.api_version)
    }

    /// Checks that method and source fit each other (D: api-specification/payment/pay).
    pub(crate) fn check_source(data: &PayData<'_>) -> Result<()> {
        let method = data.payment_method.map(Method::from);
        if method.is_some_and(|method| !method.stands_alone()) && data.source_type.is_none() {
            return Err(Error::invalid(
                "options",
                "this method needs a `source_type`: which wallet, hub, QR or lender",
            ));
        }
        Ok(())
    }
}
