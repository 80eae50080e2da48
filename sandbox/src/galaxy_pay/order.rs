//! Reads the orders that a merchant sends: the fields of each kind (specification, 7).

use serde::{Deserialize, Serialize};

use super::cards::{TestCard, is_card_date};
use super::fields::{Fields, check_date, parse_amount};

/// Guide v3.6.1, 1.7.
const CURRENCIES: &[&str] = &[
    "VND", "USD", "THB", "JPY", "INR", "TWD", "MYR", "SGD", "KRW", "KHR", "MMK", "IDR", "HKD", "CNY", "AUD",
];
pub(super) const METHODS: &[&str] = &["DOMESTIC", "INTERNATIONAL", "WALLET", "HUB", "QRPAY", "BNPL"];
const LINK_METHODS: &[&str] = &["GALAXYPAY", "MPGS", "QRPAY", "MOMO", "ZALOPAY", "NAPAS"];
const LINK_FIELDS: &[&str] = &["email", "fullname", "phone", "shippingAddress"];

const URL: usize = 500;

/// Names that an order may have; the rest is tolerated and pointed out.
pub(super) const ORDER_FIELDS: &[&str] = &[
    "apiVersion",
    "apiOperation",
    "orderID",
    "orderNumber",
    "orderAmount",
    "orderCurrency",
    "orderDateTime",
    "orderDescription",
    "language",
    "successURL",
    "failureURL",
    "cancelURL",
    "ipnURL",
    "subMerchant",
    "extraData",
];
pub(super) const METHOD_FIELDS: &[&str] = &["paymentMethod", "sourceType"];
pub(super) const SOURCE_FIELDS: &[&str] = &[
    "isAutoCapture",
    "sourceOfFund",
    "cardNumber",
    "cardHolderName",
    "cardExpireDate",
    "cardVerificationValue",
    "token",
];
pub(super) const CHECKOUT_FIELDS: &[&str] =
    &["orderNetAmount", "orderFeeAmount", "orderDiscountAmount", "customerToken", "sourceOfFund"];
pub(super) const LINK_ORDER_FIELDS: &[&str] = &[
    "orderID",
    "orderName",
    "orderAmount",
    "orderCurrency",
    "orderDescription",
    "expiryDuration",
    "expiryUnit",
    "paymentMethods",
    "paymentFields",
    "ipnURL",
    "language",
    "subMerchant",
];

/// `apiOperation`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum ApiOperation {
    #[default]
    Pay,
    PayWithCreateToken,
    FastPay,
}

/// An order as the merchant sent it; amounts and dates keep their characters.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[expect(clippy::struct_field_names, reason = "the wire's own names")]
pub(super) struct Order {
    pub(super) request_id: String,
    pub(super) order_id: String,
    pub(super) order_number: Option<String>,
    pub(super) amount: String,
    pub(super) hundredths: u64,
    pub(super) currency: String,
    pub(super) date_time: String,
    pub(super) description: String,
    pub(super) language: Option<String>,
    pub(super) api_version: u8,
    pub(super) operation: ApiOperation,
    pub(super) method: Option<String>,
    pub(super) source: Option<String>,
    pub(super) auto_capture: bool,
    pub(super) success_url: Option<String>,
    pub(super) failure_url: Option<String>,
    pub(super) cancel_url: Option<String>,
    pub(super) ipn_url: Option<String>,
    pub(super) sub_merchant: Option<String>,
    /// Whose linked cards a checkout may use: a mark made from `customerToken`, never the token itself.
    pub(super) customer: Option<String>,
    pub(super) link: Option<LinkTerms>,
}

/// What only a payment link has.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct LinkTerms {
    pub(super) name: String,
    pub(super) seconds: i64,
    pub(super) methods: Vec<String>,
    pub(super) fields: Vec<String>,
}

/// What an order is to be paid with, when the merchant says so.
pub(super) enum Source {
    /// The payer chooses on the hosted page.
    Page,
    /// A card that the merchant collected.
    Card { card: &'static TestCard, holder: String },
    /// A token.
    Token(String),
}

fn one_of(name: &str, text: &str, known: &[&str]) -> Result<(), String> {
    if known.contains(&text) {
        return Ok(());
    }
    Err(format!("field {name} is {text:?}; it must be one of {}", known.join(", ")))
}

impl Order {
    /// Reads what all orders have.
    fn common(request_id: &str, fields: &Fields) -> Result<Self, String> {
        let order_id = fields.required("orderID", 50)?;
        let currency = fields.required("orderCurrency", 3)?;
        one_of("orderCurrency", currency, CURRENCIES)?;
        let amount = fields.required("orderAmount", 16)?;
        let hundredths = parse_amount("orderAmount", amount, currency)?;
        let language = fields.optional("language", 2)?;
        if let Some(language) = language {
            one_of("language", language, &["vi", "en"])?;
        }
        let ipn_url = web_address(fields, "ipnURL")?;
        let sub_merchant = match fields.object("subMerchant")? {
            None => None,
            Some(object) => Some(object.required("identifier", 50)?.to_owned()),
        };
        fields.any_object("extraData")?;
        Ok(Self {
            request_id: request_id.to_owned(),
            order_id: order_id.to_owned(),
            amount: amount.to_owned(),
            hundredths,
            currency: currency.to_owned(),
            description: fields.required("orderDescription", 250)?.to_owned(),
            language: language.map(str::to_owned),
            api_version: 1,
            auto_capture: true,
            ipn_url,
            sub_merchant,
            ..Self::default()
        })
    }

    /// Reads an order of pay, payWithOption, payWithQR or checkout; what differs is checked by the callers.
    pub(super) fn read(request_id: &str, fields: &Fields, operations: &[&str]) -> Result<Self, String> {
        let operation = match operations {
            [] => ApiOperation::Pay,
            known => {
                let text = fields.required("apiOperation", 30)?;
                one_of("apiOperation", text, known)?;
                match text {
                    "PAY_WITH_CREATE_TOKEN" => ApiOperation::PayWithCreateToken,
                    "FAST_PAY" => ApiOperation::FastPay,
                    _ => ApiOperation::Pay,
                }
            }
        };
        let date_time = fields.required("orderDateTime", 14)?;
        check_date("orderDateTime", date_time)?;
        let api_version = match fields.optional("apiVersion", 5)? {
            None | Some("1") => 1,
            Some("2") => 2,
            Some(other) => return Err(format!("field apiVersion is {other:?}; it must be 1 or 2")),
        };
        let text = |name, most| fields.optional(name, most).map(|text| text.map(str::to_owned));
        Ok(Self {
            order_number: text("orderNumber", 20)?,
            date_time: date_time.to_owned(),
            api_version,
            operation,
            success_url: way_back(fields, "successURL")?,
            failure_url: way_back(fields, "failureURL")?,
            cancel_url: way_back(fields, "cancelURL")?,
            ..Self::common(request_id, fields)?
        })
    }

    /// Reads the method, and the provider inside it that all methods but cards need.
    pub(super) fn read_method(&mut self, fields: &Fields) -> Result<(), String> {
        let method = fields.required("paymentMethod", 20)?;
        one_of("paymentMethod", method, METHODS)?;
        let source = fields.optional("sourceType", 20)?;
        if source.is_none() && !matches!(method, "DOMESTIC" | "INTERNATIONAL") {
            return Err(format!("mandatory field sourceType is missing; paymentMethod {method} needs it"));
        }
        if method == "QRPAY" && self.currency != "VND" {
            return Err("field orderCurrency must be VND for paymentMethod QRPAY".to_owned());
        }
        self.method = Some(method.to_owned());
        self.source = source.map(str::to_owned);
        Ok(())
    }

    /// Reads what pay may say beyond the method: capture, card, token.
    pub(super) fn read_source(&mut self, fields: &Fields) -> Result<Source, String> {
        let method = self.method.as_deref().unwrap_or_default();
        self.auto_capture = match fields.optional("isAutoCapture", 20)? {
            None | Some("true") => true,
            Some("false") => false,
            Some(other) => return Err(format!("field isAutoCapture is {other:?}; it must be true or false")),
        };
        if !self.auto_capture && method != "INTERNATIONAL" {
            return Err("field isAutoCapture false is for international cards only".to_owned());
        }
        let cards_only = self.operation == ApiOperation::PayWithCreateToken;
        if cards_only && !matches!(method, "DOMESTIC" | "INTERNATIONAL") {
            return Err(
                "apiOperation PAY_WITH_CREATE_TOKEN needs paymentMethod DOMESTIC or INTERNATIONAL".to_owned()
            );
        }
        if self.operation == ApiOperation::FastPay && method != "INTERNATIONAL" {
            return Err("apiOperation FAST_PAY needs paymentMethod INTERNATIONAL".to_owned());
        }
        match fields.optional("sourceOfFund", 50)? {
            Some("CARD") => {
                let (card, holder) = read_card(fields, method)?;
                Ok(Source::Card { card, holder })
            }
            Some("TOKEN") if cards_only => {
                Err("apiOperation PAY_WITH_CREATE_TOKEN takes sourceOfFund CARD only".to_owned())
            }
            Some("TOKEN") => Ok(Source::Token(fields.required("token", 50)?.to_owned())),
            Some(other) => Err(format!("field sourceOfFund is {other:?}; it must be CARD or TOKEN")),
            None if self.operation == ApiOperation::FastPay => {
                Err("mandatory field sourceOfFund is missing; FAST_PAY has no page to ask on".to_owned())
            }
            None => Ok(Source::Page),
        }
    }

    /// Reads the order of a payment link.
    pub(super) fn read_link(request_id: &str, fields: &Fields) -> Result<Self, String> {
        let name = fields.required("orderName", 250)?.to_owned();
        let duration = fields.required("expiryDuration", 9)?;
        let duration: i64 = duration
            .parse()
            .ok()
            .filter(|number| *number > 0)
            .ok_or("field expiryDuration must be a whole number above zero")?;
        let unit = match fields.optional("expiryUnit", 10)? {
            None | Some("DAY") => 86_400,
            Some("HOUR") => 3_600,
            Some("MINUTE") => 60,
            Some(other) => {
                return Err(format!("field expiryUnit is {other:?}; it must be DAY, HOUR or MINUTE"));
            }
        };
        let methods = fields.texts("paymentMethods")?;
        if methods.is_empty() {
            return Err("field paymentMethods is empty; name at least one method".to_owned());
        }
        for method in &methods {
            one_of("paymentMethods", method, LINK_METHODS)?;
        }
        let mut asked = fields.texts("paymentFields")?;
        for field in &mut asked {
            // The sample body of the documentation says mail where its list says email.
            if field == "mail" {
                "email".clone_into(field);
            }
            one_of("paymentFields", field, LINK_FIELDS)?;
        }
        let link = LinkTerms { name, seconds: duration.saturating_mul(unit), methods, fields: asked };
        Ok(Self { link: Some(link), ..Self::common(request_id, fields)? })
    }

    /// The hosted page's language: Vietnamese unless the merchant says otherwise (assumption).
    pub(super) fn language(&self) -> &str {
        self.language.as_deref().unwrap_or("vi")
    }
}

/// The card of a merchant-hosted form or of createToken. Says nothing about its digits when it is refused.
pub(super) fn read_card(fields: &Fields, method: &str) -> Result<(&'static TestCard, String), String> {
    let number = fields.required("cardNumber", 19)?;
    let holder = fields.required("cardHolderName", 19)?;
    let date = fields.required("cardExpireDate", 5)?;
    if !is_card_date(date) {
        return Err("field cardExpireDate must look like MM/YY".to_owned());
    }
    let cvv = fields.optional("cardVerificationValue", 3)?;
    match (method, cvv) {
        ("INTERNATIONAL", None) => return Err("mandatory field cardVerificationValue is missing".to_owned()),
        (_, Some(cvv)) if cvv.len() != 3 || !cvv.bytes().all(|byte| byte.is_ascii_digit()) => {
            return Err("field cardVerificationValue must be three digits".to_owned());
        }
        _ => {}
    }
    let card = TestCard::by_number(number)
        .ok_or("field cardNumber is none of the sandbox's test cards; no other card is taken here")?;
    if card.method != method {
        return Err(format!("field cardNumber is a card for paymentMethod {}", card.method));
    }
    Ok((card, holder.to_owned()))
}

/// An address that a browser or an app opens. Live clients use their own schemes.
fn way_back(fields: &Fields, name: &str) -> Result<Option<String>, String> {
    let Some((text, scheme)) = address(fields, name)? else { return Ok(None) };
    if matches!(scheme.as_str(), "javascript" | "data" | "vbscript" | "file" | "blob" | "about") {
        return Err(format!("field {name} has the scheme {scheme}, which no payer is sent to"));
    }
    Ok(Some(text))
}

fn web_address(fields: &Fields, name: &str) -> Result<Option<String>, String> {
    let Some((text, scheme)) = address(fields, name)? else { return Ok(None) };
    if !matches!(scheme.as_str(), "http" | "https") {
        return Err(format!("field {name} must start with http or https"));
    }
    Ok(Some(text))
}

fn address(fields: &Fields, name: &str) -> Result<Option<(String, String)>, String> {
    let Some(text) = fields.optional(name, URL)? else { return Ok(None) };
    let url = url::Url::parse(text).map_err(|error| format!("field {name} is not an address: {error}"))?;
    Ok(Some((text.to_owned(), url.scheme().to_owned())))
}
