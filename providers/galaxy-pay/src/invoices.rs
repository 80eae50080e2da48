//! Creates invoices: a page, a QR, the modal checkout, a payment link.

use std::time::Duration;

use tulbur_core::wire::{filled, needed, read};
use tulbur_core::{
    Capture, CreateInvoice, Currency, Embed, Error, ErrorKind, ExposeSecret, Flow, Invoice, InvoiceProvider,
    Money, NextAction, PageKind, PaymentRef, QrProvider, Redirect, Result, SecretString, Way, async_trait,
    read_options,
};

use crate::client::{GalaxyPay, Mark, Operation};
use crate::codes::Method;
use crate::info::{self, FLOW_AUTHORIZE, FLOW_CHECKOUT, FLOW_LINK, FLOW_OPTION, FLOW_PAY, FLOW_QR};
use crate::options::{Checkout, GalaxyPayOptions, PaymentLink};
use crate::orders::{amount, fit, fit_url, language, page_url, payer_data, provider_ref, redirect};
use crate::status::Call;
use crate::wire::{Created, LinkData, Parts, SubMerchant};

pub(crate) const PAY: Operation = Operation::new(info::PAY, "transaction/pay", Call::Create);
const OPTION: Operation = Operation::new(info::PAY_WITH_OPTION, "transaction/payWithOption", Call::Create);
const QR: Operation = Operation::new(info::PAY_WITH_QR, "transaction/payWithQR", Call::Create);
const CHECKOUT: Operation = Operation::new(info::CHECKOUT, "transaction/checkout", Call::Create);
const LINK: Operation = Operation::new(info::CREATE_LINK, "transaction/createPaymentLink", Call::Create);

/// The modal's function and the element that it looks for, as the one public client has them (DOC).
const MODAL_FUNCTION: &str = "galaxyPaySubmitPayment";
const MODAL_CONTAINER: &str = "galaxy-pay-sdk";

/// The most that a QR of the largest size and the least correction holds, in bytes.
const LARGEST_QR: usize = 2953;

fn invalid(why: impl Into<String>) -> Error {
    Error::invalid("options", why)
}

impl GalaxyPayOptions {
    /// Refuses what a flow has no field for: what is asked for must not be lost silently.
    fn only(&self, flow: &Flow, fields: &[&str]) -> Result<()> {
        let set = [
            ("method", self.method.is_some()),
            ("source_type", self.source_type.is_some()),
            ("order_number", self.order_number.is_some()),
            ("sub_merchant", self.sub_merchant.is_some()),
            ("extra_data", self.extra_data.is_some()),
            ("fast_pay", self.fast_pay),
        ];
        match set.iter().find(|(name, set)| *set && !fields.contains(name)) {
            Some((name, _)) => Err(Error::new(
                ErrorKind::Unsupported,
                format!("`{name}` has no place in the flow `{flow}`; leave it out, or choose another flow"),
            )
            .with_field("options")),
            None => Ok(()),
        }
    }
}

impl GalaxyPay {
    /// The flow that an invoice begins.
    pub(crate) fn flow_of(request: &CreateInvoice) -> Result<Flow> {
        let options: GalaxyPayOptions = read_options(request.options.as_ref())?;
        Self::choose(request, &options)
    }

    fn choose(request: &CreateInvoice, options: &GalaxyPayOptions) -> Result<Flow> {
        let special = options.checkout.is_some() || options.payment_link.is_some();
        let flow = match (&options.payment_link, &options.checkout, request.way, request.capture) {
            (Some(_), Some(_), ..) => return Err(invalid("a payment is a link or a modal, not both")),
            (Some(_), None, Way::Page, Capture::Now) => FLOW_LINK,
            (None, Some(_), Way::Page, Capture::Now) => FLOW_CHECKOUT,
            (None, None, Way::Qr, Capture::Now) => FLOW_QR,
            (None, None, _, Capture::Later) if request.way == Way::Page => FLOW_AUTHORIZE,
            (None, None, ..) if options.method.is_some() || options.source_type.is_some() => FLOW_PAY,
            (None, None, ..) => FLOW_OPTION,
            _ => return Err(invalid("a link or a modal is a page that is paid at once")),
        };
        let card_flow = [FLOW_OPTION, FLOW_PAY, FLOW_AUTHORIZE].contains(&flow);
        if request.capture == Capture::Later && flow != FLOW_AUTHORIZE {
            return Err(Error::invalid(
                "capture",
                "only an international card's money can be held, on a page",
            ));
        }
        if request.save_card && (special || !card_flow) {
            return Err(Error::invalid("save_card", format!("the flow `{flow}` saves no card")));
        }
        Ok(flow)
    }

    async fn invoice(&self, request: &CreateInvoice) -> Result<Invoice> {
        request.check(self)?;
        let options: GalaxyPayOptions = read_options(request.options.as_ref())?;
        let flow = Self::choose(request, &options)?;
        match (&options.payment_link, &options.checkout) {
            (Some(link), _) => self.link(request, &options, link).await,
            (_, Some(checkout)) => self.checkout(request, &options, checkout, None).await,
            _ if flow == FLOW_QR => self.qr_invoice(request, &options).await,
            _ => self.page(request, &options, flow).await,
        }
    }

    async fn page(&self, request: &CreateInvoice, options: &GalaxyPayOptions, flow: Flow) -> Result<Invoice> {
        let payer = payer_data(request).filter(|_| options.extra_data.is_none());
        let reference = request.merchant_ref.as_str();
        let number = options.order_number.as_deref();
        let order = self.order(reference, request.amount, &request.description, number)?;
        let (urls, notify) = (request.return_urls.as_ref(), request.notify_url.as_ref());
        let mut data = Self::pay_data(order, request.language, urls, notify, options, payer.as_ref())?;
        data.api_version = self.api_version();
        if request.save_card {
            data.api_operation = Some("PAY_WITH_CREATE_TOKEN");
        }
        let operation = if flow == FLOW_OPTION {
            options.only(&flow, &["order_number", "extra_data"])?;
            OPTION
        } else {
            options.only(&flow, &["method", "source_type", "order_number", "sub_merchant", "extra_data"])?;
            let method = options.method.as_ref().unwrap_or(&Method::International);
            if flow == FLOW_AUTHORIZE {
                // Only their money can be held (D: api-specification/payment/pay).
                if *method != Method::International {
                    return Err(invalid("only the money of INTERNATIONAL cards can be held"));
                }
                (data.payment_method, data.is_auto_capture) = (Some(method.as_str()), Some("false"));
            } else if data.payment_method.is_none() {
                return Err(invalid("`source_type` needs the `method` that it belongs to"));
            }
            if request.save_card && !method.can_save_cards() {
                return Err(invalid("only DOMESTIC and INTERNATIONAL cards can be saved"));
            }
            Self::check_source(&data)?;
            PAY.marked(if flow == FLOW_AUTHORIZE { Mark::Held } else { Mark::Plain })
        };
        let page = match (flow == FLOW_OPTION, data.payment_method) {
            (false, Some("DOMESTIC" | "INTERNATIONAL")) => PageKind::Card,
            _ => PageKind::Choice,
        };
        self.call(operation.send_by(request.send_by), &data, &[], |answer| {
            let created: Created<'_> = read(answer)?;
            let id = needed("transactionID", &created.transaction_id)?;
            let next = vec![redirect(needed("endpoint", &created.endpoint)?, page)?];
            Ok(Invoice::new(Self::reference(request, flow, "transactionID", id)?, next))
        })
        .await
    }

    async fn qr_invoice(&self, request: &CreateInvoice, options: &GalaxyPayOptions) -> Result<Invoice> {
        if request.amount.currency() != Currency::VND {
            return Err(Error::invalid("amount", "a QR is paid in VND only"));
        }
        options.only(&FLOW_QR, &["method", "source_type", "order_number", "sub_merchant", "extra_data"])?;
        let payer = payer_data(request).filter(|_| options.extra_data.is_none());
        let number = options.order_number.as_deref();
        let reference = request.merchant_ref.as_str();
        let order = self.order(reference, request.amount, &request.description, number)?;
        let (urls, notify) = (request.return_urls.as_ref(), request.notify_url.as_ref());
        let mut data = Self::pay_data(order, request.language, urls, notify, options, payer.as_ref())?;
        match options.method {
            None | Some(Method::Qr) => {
                data.payment_method = Some("QRPAY");
                data.source_type = data.source_type.or(Some("QRPAY"));
            }
            Some(Method::Wallet | Method::Other(_)) => {}
            _ => return Err(invalid("a QR is of the method QRPAY or WALLET")),
        }
        Self::check_source(&data)?;
        self.call(QR.send_by(request.send_by), &data, &[], |answer| {
            let created: Created<'_> = read(answer)?;
            let id = needed("transactionID", &created.transaction_id)?;
            let qr = needed("qrCode", &created.qr_code)?;
            if qr.len() > LARGEST_QR {
                let why = format!("it has {} bytes, which is more than a QR holds", qr.len());
                return Err(Error::new(ErrorKind::Malformed, why).with_field("qrCode"));
            }
            let mut next = vec![NextAction::ShowQr(qr.to_owned())];
            if let Some(endpoint) = filled(&created.endpoint) {
                next.push(redirect(endpoint, PageKind::Choice)?);
            }
            Ok(Invoice::new(Self::reference(request, FLOW_QR, "transactionID", id)?, next))
        })
        .await
    }

    /// Opens the modal checkout for a customer whom the gateway knows, so that linked cards are offered
    /// (`customerToken`, D: api-specification/payment/checkout-for-modal-checkout).
    ///
    /// The token is no option of an invoice, because it is a secret and options are not. The request's options must
    /// have `checkout`; the answer's flow is [`FLOW_CHECKOUT`].
    ///
    /// # Errors
    /// As [`InvoiceProvider::create_invoice`].
    pub async fn checkout_for_customer(
        &self,
        request: &CreateInvoice,
        customer_token: &SecretString,
    ) -> Result<Invoice> {
        let create = async {
            request.check(self)?;
            let options: GalaxyPayOptions = read_options(request.options.as_ref())?;
            Self::choose(request, &options)?;
            let checkout = options.checkout.as_ref().ok_or_else(|| invalid("they must have `checkout`"))?;
            self.checkout(request, &options, checkout, Some(customer_token)).await
        };
        self.named(info::CHECKOUT, create.await)
    }

    async fn checkout(
        &self,
        request: &CreateInvoice,
        options: &GalaxyPayOptions,
        checkout: &Checkout,
        customer: Option<&SecretString>,
    ) -> Result<Invoice> {
        let Some(script) = &self.config.checkout_script else {
            let why = "the modal's script is not known; set `checkout_script`";
            return Err(Error::new(ErrorKind::Unsupported, why).with_field("checkout_script"));
        };
        options.only(&FLOW_CHECKOUT, &["method", "source_type", "order_number", "extra_data"])?;
        if options.method.is_none() {
            return Err(invalid("the modal needs a `method`"));
        }
        let currency = request.amount.currency();
        let part = |part: Option<Money>, usual: Money| {
            let part = part.unwrap_or(usual);
            if part.currency() != currency || part.minor() < 0 {
                return Err(invalid("the parts of a checkout are of the amount's currency and not negative"));
            }
            amount(part)
        };
        let nothing = Money::from_minor(0, currency);
        let parts = Parts {
            order_net_amount: part(checkout.net, request.amount)?,
            order_fee_amount: part(checkout.fee, nothing)?,
            order_discount_amount: part(checkout.discount, nothing)?,
        };
        let payer = payer_data(request).filter(|_| options.extra_data.is_none());
        let number = options.order_number.as_deref();
        let reference = request.merchant_ref.as_str();
        let mut order = self.order(reference, request.amount, &request.description, number)?;
        order.parts = Some(parts);
        // Its table has neither addresses nor an operation.
        let mut data = Self::pay_data(order, request.language, None, None, options, payer.as_ref())?;
        data.api_operation = None;
        data.customer_token = customer.map(ExposeSecret::expose_secret);
        Self::check_source(&data)?;
        let hidden = data.customer_token.unwrap_or_default();
        self.call(CHECKOUT.send_by(request.send_by), &data, &[hidden], |answer| {
            let created: Created<'_> = read(answer)?;
            let id = needed("transactionID", &created.transaction_id)?;
            let endpoint = page_url("endpoint", needed("endpoint", &created.endpoint)?)?;
            let embed = Embed {
                script: script.clone(),
                function: MODAL_FUNCTION.into(),
                container: MODAL_CONTAINER.into(),
                value: endpoint.into(),
            };
            let reference = Self::reference(request, FLOW_CHECKOUT, "transactionID", id)?;
            Ok(Invoice::new(reference, vec![NextAction::Embed(embed)]))
        })
        .await
    }

    async fn link(
        &self,
        request: &CreateInvoice,
        options: &GalaxyPayOptions,
        link: &PaymentLink,
    ) -> Result<Invoice> {
        options.only(&FLOW_LINK, &["sub_merchant"])?;
        let first = self.info.currencies[0];
        if request.amount.currency() != first {
            let why = format!("a link's notification names no currency, so that links are in {first} only");
            return Err(Error::invalid("amount", why));
        }
        if link.methods.is_empty() {
            return Err(invalid("a payment link needs at least one of `methods`"));
        }
        if link.expires_after == 0 {
            return Err(invalid("a payment link must live for some time: `expires_after`"));
        }
        let reference = request.merchant_ref.as_str();
        let description = if request.description.is_empty() { reference } else { &request.description };
        let sub_merchant = options.sub_merchant.as_deref();
        let data = LinkData {
            order_id: reference,
            order_name: fit("options", &link.name, 250)?,
            order_amount: amount(request.amount)?,
            order_currency: request.amount.currency().code(),
            order_description: fit("description", description, 250)?,
            expiry_duration: link.expires_after,
            expiry_unit: link.expires_unit,
            payment_methods: &link.methods,
            payment_fields: &link.fields,
            ipn_url: fit_url("notify_url", request.notify_url.as_ref())?,
            language: language(request.language),
            sub_merchant: sub_merchant
                .map(|name| fit("sub_merchant", name, 50).map(|identifier| SubMerchant { identifier }))
                .transpose()?,
        };
        let lives = Duration::from_secs(u64::from(link.expires_after) * link.expires_unit.seconds());
        let dies = self.now().after(lives);
        self.call(LINK.send_by(request.send_by), &data, &[], |answer| {
            let created: Created<'_> = read(answer)?;
            let number = needed("orderNo", &created.order_no)?;
            let url = page_url("shortLink", needed("shortLink", &created.short_link)?)?;
            let next = vec![NextAction::Redirect(Redirect { url, page: PageKind::Choice, language: None })];
            let mut invoice = Invoice::new(Self::reference(request, FLOW_LINK, "orderNo", number)?, next);
            invoice.expires_at = Some(dies);
            Ok(invoice)
        })
        .await
    }

    fn reference(request: &CreateInvoice, flow: Flow, name: &'static str, id: &str) -> Result<PaymentRef> {
        Ok(PaymentRef::new(request.merchant_ref.clone(), Some(request.amount), flow)
            .with_provider_ref(provider_ref(name, id)?))
    }
}

#[async_trait]
impl InvoiceProvider for GalaxyPay {
    /// A page on which the payer chooses; with a `method` in the options that method's page; with `checkout` the modal;
    /// with `payment_link` a link. Money is held on a page of international cards.
    async fn create_invoice(&self, request: &CreateInvoice) -> Result<Invoice> {
        let operation = match Self::flow_of(request) {
            Ok(flow) if flow == FLOW_OPTION => info::PAY_WITH_OPTION,
            Ok(flow) if flow == FLOW_QR => info::PAY_WITH_QR,
            Ok(flow) if flow == FLOW_CHECKOUT => info::CHECKOUT,
            Ok(flow) if flow == FLOW_LINK => info::CREATE_LINK,
            _ => info::PAY,
        };
        self.named(operation, self.invoice(request).await)
    }
}

#[async_trait]
impl QrProvider for GalaxyPay {
    /// A VietQR payload as a rule; with WALLET and a `source_type` in the options that wallet's. What a wallet's
    /// payload holds is unknown; it is passed on as it came.
    async fn create_qr(&self, request: &CreateInvoice) -> Result<Invoice> {
        let mut request = request.clone();
        request.way = Way::Qr;
        self.create_invoice(&request).await
    }
}
