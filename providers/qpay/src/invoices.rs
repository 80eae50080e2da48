//! Creates invoices: the least that QPay wants, or all that the options have.

use serde_json::value::RawValue;
use tulbur_core::wire::{needed, read};
use tulbur_core::{
    AmountFormat, CreateInvoice, Effect, Error, ErrorKind, Invoice, InvoiceProvider, Method, Money,
    PaymentRef, ProviderRef, QrProvider, Result, Url, Way, async_trait, read_options,
};

use crate::client::{Operation, QPay, body, is_id};
use crate::info::{self, CURRENCY, FLOW_INVOICE, LONGEST_TEXT};
use crate::ipn::PARAMETER;
use crate::options::{Account, Address, Bound, Change, Line, Party, QPayOptions, Split, Tax, Vat};
use crate::payload::{self, Asked};
use crate::wire::{
    AccountFields, ChangeFields, InvoiceAnswer, InvoiceRequest, LineFields, Number, SplitFields, TaxFields,
    VatFields,
};

/// Anyone may pay.
const ANYONE: &str = "terminal";
/// The most characters of most codes (OAS).
const CODE: usize = 45;

fn wrong(why: impl Into<String>) -> Error {
    Error::invalid("options", why)
}

/// A text of the options that fits its field.
fn fit<'t>(name: &str, text: &'t str, most: usize) -> Result<&'t str> {
    let length = text.chars().count();
    if length == 0 || length > most {
        return Err(wrong(format!("`{name}` has {length} characters; QPay takes 1 to {most}")));
    }
    Ok(text)
}

fn fit_optional<'t>(name: &str, text: Option<&'t String>, most: usize) -> Result<Option<&'t str>> {
    text.map(|text| fit(name, text, most)).transpose()
}

/// A code of exactly so many digits.
fn digits<'t>(name: &str, text: &'t str, count: usize) -> Result<&'t str> {
    if text.len() != count || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(wrong(format!("`{name}` is not {count} digits")));
    }
    Ok(text)
}

/// A decimal number as it is written, such as `89.2857`. Its characters are what is sent.
fn decimal<'t>(name: &str, text: &'t str) -> Result<&'t str> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let zeros = whole.len() > 1 && whole.starts_with('0');
    if text.len() > 20 || zeros || !all_digits(whole) || !all_digits(fraction) {
        return Err(wrong(format!("`{name}` is no decimal number such as 1.00")));
    }
    Ok(text)
}

fn tax_amount(name: &str, text: &str) -> Result<Number> {
    RawValue::from_string(decimal(name, text)?.to_owned())
        .map_err(|e| wrong(format!("`{name}` is no decimal number")).with_source(e))
}

/// Money in tögrög; less than nothing is refused.
fn togrog(name: &str, amount: Money) -> Result<Money> {
    if amount.currency() != CURRENCY || amount.minor() < 0 {
        return Err(wrong(format!("`{name}` is not an amount in tögrög")));
    }
    Ok(amount)
}

/// An amount as a JSON number, with no decimal that is not needed.
fn number(amount: Money) -> Result<Number> {
    Ok(AmountFormat::Shortest.render(amount)?.to_json_number()?)
}

/// An amount as a text of two decimals, as in QPay's examples of lines.
fn two_decimals(amount: Money) -> Result<tulbur_core::AmountText> {
    Ok(AmountFormat::Fixed(2).render(amount)?)
}

impl Party {
    fn check(&self) -> Result<()> {
        for (name, text, most) in [
            ("register", &self.register, 20),
            ("name", &self.name, 100),
            ("email", &self.email, 255),
            ("phone", &self.phone, 20),
        ] {
            fit_optional(name, text.as_ref(), most)?;
        }
        self.address.as_ref().map_or(Ok(()), Address::check)
    }
}

impl Address {
    fn check(&self) -> Result<()> {
        for (name, text, most) in [
            ("city", &self.city, 100),
            ("district", &self.district, 100),
            ("street", &self.street, 100),
            ("building", &self.building, 100),
            ("address", &self.address, 100),
            ("zipcode", &self.zipcode, 20),
            ("longitude", &self.longitude, 20),
            ("latitude", &self.latitude, 20),
        ] {
            fit_optional(name, text.as_ref(), most)?;
        }
        Ok(())
    }
}

fn vat(vat: &Vat) -> Result<VatFields<'_>> {
    Ok(VatFields {
        calculate_vat: vat.tax_type == crate::TaxType::Taxed,
        tax_type: vat.tax_type.as_str(),
        district_code: digits("district_code", &vat.district_code, 4)?,
        tax_customer_code: vat.customer_code.as_deref(),
        line_tax_code: vat.line_tax_code.as_deref(),
    })
}

fn line(line: &Line) -> Result<LineFields<'_>> {
    let quantity = decimal("quantity", &line.quantity)?;
    if !quantity.bytes().any(|b| matches!(b, b'1'..=b'9')) {
        return Err(wrong("`quantity` is nothing"));
    }
    let class = line.classification_code.as_deref();
    Ok(LineFields {
        sender_product_code: fit_optional("product_code", line.product_code.as_ref(), CODE)?,
        tax_product_code: fit_optional("tax_product_code", line.tax_product_code.as_ref(), CODE)?,
        classification_code: class.map(|code| digits("classification_code", code, 7)).transpose()?,
        barcode: line.barcode.as_deref(),
        line_description: fit("description", &line.description, LONGEST_TEXT)?,
        line_quantity: quantity,
        line_unit_price: two_decimals(togrog("unit_price", line.unit_price)?)?,
        note: fit_optional("note", line.note.as_ref(), 100)?,
        discounts: line.discounts.iter().map(|one| change(one, true)).collect::<Result<_>>()?,
        surcharges: line.surcharges.iter().map(|one| change(one, false)).collect::<Result<_>>()?,
        taxes: line.taxes.iter().map(tax).collect::<Result<_>>()?,
    })
}

fn change(change: &Change, discount: bool) -> Result<ChangeFields<'_>> {
    let code = change.code.as_deref();
    Ok(ChangeFields {
        discount_code: code.filter(|_| discount),
        surcharge_code: code.filter(|_| !discount),
        description: fit("description", &change.description, 100)?,
        amount: number(togrog("amount", change.amount)?)?,
    })
}

fn tax(tax: &Tax) -> Result<TaxFields<'_>> {
    let city_tax = tax.city_tax.as_deref();
    Ok(TaxFields {
        tax_code: tax.code,
        description: fit("description", &tax.description, 100)?,
        amount: tax_amount("amount", &tax.amount)?,
        city_tax: city_tax.map(|text| tax_amount("city_tax", text)).transpose()?,
    })
}

fn split(split: &Split) -> Result<SplitFields<'_>> {
    if split.accounts.is_empty() {
        return Err(wrong("a part of `split` needs at least one account"));
    }
    Ok(SplitFields {
        description: fit("description", &split.description, 100)?,
        amount: two_decimals(togrog("amount", split.amount)?)?,
        accounts: split.accounts.iter().map(account).collect::<Result<_>>()?,
    })
}

fn account(account: &Account) -> Result<AccountFields<'_>> {
    Ok(AccountFields {
        account_bank_code: digits("bank_code", &account.bank_code, 6)?,
        account_number: fit("number", &account.number, 100)?,
        iban_number: account.iban.as_deref(),
        account_name: fit("name", &account.name, 100)?,
        account_currency: CURRENCY.code(),
        is_default: account.is_default,
    })
}

fn bound(name: &str, bound: Option<Bound>) -> Result<Option<Number>> {
    let amount = bound.and_then(|bound| bound.amount);
    amount.map(|amount| togrog(name, amount).and_then(number)).transpose()
}

/// Who pays, as far as the request says.
fn payer(request: &CreateInvoice) -> Result<Option<Party>> {
    let known = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let payer = &request.payer;
    let party = Party {
        name: known(&payer.name),
        email: known(&payer.email),
        phone: known(&payer.phone),
        ..Party::default()
    };
    party.check().map_err(|error| error.with_field("payer"))?;
    Ok((party != Party::default()).then_some(party))
}

/// The callback's address. QPay adds a parameter to it, which must not be there twice.
fn callback(request: &CreateInvoice) -> Result<Option<&str>> {
    let Some(url) = &request.notify_url else { return Ok(None) };
    let parsed = Url::parse(url.as_str()).ok();
    if parsed.is_some_and(|url| url.query_pairs().any(|(name, _)| name == PARAMETER)) {
        let why = format!("`{PARAMETER}` is a name that QPay adds itself; call that parameter otherwise");
        return Err(Error::invalid("notify_url", why));
    }
    Ok(Some(url.as_str()))
}

impl QPay {
    fn receiver<'a>(request: &'a CreateInvoice, options: &'a QPayOptions) -> Result<&'a str> {
        if let Some(code) = &options.receiver_code {
            return fit("receiver_code", code, CODE);
        }
        let customer = request.customer.as_ref().map(tulbur_core::CustomerRef::as_str);
        Ok(customer.filter(|key| key.chars().count() <= CODE).unwrap_or(ANYONE))
    }

    fn request<'a>(
        &'a self,
        request: &'a CreateInvoice,
        options: &'a QPayOptions,
        receiver_data: Option<&'a Party>,
    ) -> Result<InvoiceRequest<'a>> {
        for party in [options.branch.as_ref(), receiver_data].into_iter().flatten() {
            party.check()?;
        }
        let reference = request.merchant_ref.as_str();
        let vat_code = options.vat.as_ref().and(self.config.vat_invoice_code.as_ref());
        Ok(InvoiceRequest {
            invoice_code: vat_code.unwrap_or(&self.config.invoice_code),
            sender_invoice_no: reference,
            sender_branch_code: fit_optional("branch_code", options.branch_code.as_ref(), CODE)?,
            sender_branch_data: options.branch.as_ref(),
            sender_staff_code: fit_optional("staff_code", options.staff_code.as_ref(), 100)?,
            sender_terminal_code: fit_optional("terminal_code", options.terminal_code.as_ref(), CODE)?,
            invoice_receiver_code: Self::receiver(request, options)?,
            invoice_receiver_data: receiver_data,
            // It is mandatory; without one the number stands in.
            invoice_description: if request.description.is_empty() {
                reference
            } else {
                &request.description
            },
            vat: options.vat.as_ref().map(vat).transpose()?,
            allow_partial: options.allow_partial.map(|_| true),
            minimum_amount: bound("allow_partial", options.allow_partial)?,
            allow_exceed: options.allow_exceed.map(|_| true),
            maximum_amount: bound("allow_exceed", options.allow_exceed)?,
            amount: number(request.amount)?,
            callback_url: callback(request)?,
            note: fit_optional("note", options.note.as_ref(), 1000)?,
            lines: options.lines.iter().map(line).collect::<Result<_>>()?,
            transactions: options.split.iter().map(split).collect::<Result<_>>()?,
        })
    }

    async fn invoice(&self, request: &CreateInvoice) -> Result<Invoice> {
        request.check(self)?;
        let options: QPayOptions = read_options(request.options.as_ref())?;
        let receiver = match &options.receiver {
            Some(receiver) => Some(receiver.clone()),
            None => payer(request)?,
        };
        let content = body(&self.request(request, &options, receiver.as_ref())?)?;
        let operation =
            Operation::new(info::CREATE_INVOICE, Method::Post, &["invoice"]).send_by(request.send_by);
        let asked = Asked {
            number: request.merchant_ref.as_str(),
            amount: request.amount,
            way: request.way,
            language: request.language,
        };
        self.call(operation, Effect::Write, Some(content), |answer| {
            let answer: InvoiceAnswer<'_> = read(answer)?;
            let id = needed("invoice_id", &answer.invoice_id)?;
            let unfit = || Error::new(ErrorKind::Malformed, "it is no id").with_field("invoice_id");
            let id = ProviderRef::parse(id).ok().filter(|id| is_id(id.as_str())).ok_or_else(unfit)?;
            let next = payload::next(&answer, &asked)?;
            let payment = PaymentRef::new(request.merchant_ref.clone(), Some(request.amount), FLOW_INVOICE);
            Ok(Invoice::new(payment.with_provider_ref(id), next))
        })
        .await
    }
}

#[async_trait]
impl InvoiceProvider for QPay {
    /// Creates an invoice. An answer that is lost leaves one behind at QPay that nobody can pay, because nobody has seen
    /// its QR, and that nothing can find: a new one is made with a new number.
    ///
    /// QPay sends no payer back, so that `return_urls` are not sent; and it is told no end, because what its fields for
    /// that mean is contradictory.
    async fn create_invoice(&self, request: &CreateInvoice) -> Result<Invoice> {
        self.named(info::CREATE_INVOICE, self.invoice(request).await)
    }
}

#[async_trait]
impl QrProvider for QPay {
    /// The same invoice; its QR is named first.
    async fn create_qr(&self, request: &CreateInvoice) -> Result<Invoice> {
        let mut request = request.clone();
        request.way = Way::Qr;
        self.create_invoice(&request).await
    }
}
