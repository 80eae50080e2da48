//! Requests of the application: a payment, a charge, a card set-up.

use sha2::{Digest, Sha256};
use tulbur_core::{
    AccountName, CallbackUrl, Capture, ChargeRef, CustomerRef, Error as CoreError, Language, MerchantRef,
    Money, Options, OrderRef, Payer, ReturnUrls, Way,
};

use crate::error::Result;
use crate::model::operation::IdempotencyKey;
use crate::model::record::{CardId, PaymentId};

/// Asks for a payment of an order.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct OpenPayment {
    /// The order.
    pub order: OrderRef,
    /// The account to pay through.
    pub account: AccountName,
    /// What the order costs.
    pub amount: Money,
    /// What the payer reads.
    pub description: String,
    /// The payer's language.
    pub language: Language,
    /// How to pay.
    pub way: Way,
    /// Who pays.
    pub payer: Payer,
    /// The shop's key of the customer, for providers that want one.
    pub customer: Option<CustomerRef>,
    /// Save the card on the way, for this customer.
    pub save_card_for: Option<CustomerRef>,
    /// Where the payer goes on after the result page.
    pub continue_to: Option<CallbackUrl>,
    /// Where the provider sends the payer, instead of to the web adapter: for an app that takes returns itself.
    pub return_urls: Option<ReturnUrls>,
    /// A reference of the application's own; by default one is made.
    pub merchant_ref: Option<MerchantRef>,
    /// Whether the money is taken at once, or held until it is captured.
    pub capture: Capture,
    /// The provider's own options.
    pub options: Option<Options>,
    /// The caller's own name of this request.
    pub key: Option<IdempotencyKey>,
}

impl OpenPayment {
    /// A payment on the provider's page.
    pub fn new(order: OrderRef, account: AccountName, amount: Money, description: impl Into<String>) -> Self {
        Self {
            order,
            account,
            amount,
            description: description.into(),
            language: Language::default(),
            way: Way::default(),
            payer: Payer::default(),
            customer: None,
            save_card_for: None,
            continue_to: None,
            return_urls: None,
            merchant_ref: None,
            capture: Capture::Now,
            options: None,
            key: None,
        }
    }

    /// Holding the money until it is captured.
    #[must_use]
    pub fn capture_later(mut self) -> Self {
        self.capture = Capture::Later;
        self
    }

    /// Who pays.
    #[must_use]
    pub fn payer(mut self, payer: Payer) -> Self {
        self.payer = payer;
        self
    }

    /// For this customer of the shop.
    #[must_use]
    pub fn customer(mut self, customer: CustomerRef) -> Self {
        self.customer = Some(customer);
        self
    }

    /// Under a name of the caller's: asked for again with the same content, it gives the first payment, even one that
    /// has ended.
    #[must_use]
    pub fn key(mut self, key: IdempotencyKey) -> Self {
        self.key = Some(key);
        self
    }

    /// In another language than Mongolian.
    #[must_use]
    pub fn language(mut self, language: Language) -> Self {
        self.language = language;
        self
    }

    /// In another way than on the provider's page.
    #[must_use]
    pub fn way(mut self, way: Way) -> Self {
        self.way = way;
        self
    }

    /// Saving the card for this customer.
    #[must_use]
    pub fn save_card_for(mut self, customer: CustomerRef) -> Self {
        self.save_card_for = Some(customer);
        self
    }

    /// With a page of the shop's to go on to after the result.
    #[must_use]
    pub fn continue_to(mut self, url: CallbackUrl) -> Self {
        self.continue_to = Some(url);
        self
    }

    /// With a reference of the application's own.
    #[must_use]
    pub fn merchant_ref(mut self, merchant_ref: MerchantRef) -> Self {
        self.merchant_ref = Some(merchant_ref);
        self
    }

    /// With the provider's own options.
    #[must_use]
    pub fn options(mut self, options: Options) -> Self {
        self.options = Some(options);
        self
    }

    /// Returning to these addresses instead of to the web adapter.
    #[must_use]
    pub fn return_urls(mut self, urls: ReturnUrls) -> Self {
        self.return_urls = Some(urls);
        self
    }

    /// What tells this request from another: language and addresses do not.
    pub(crate) fn content(&self) -> Result<String> {
        digest(&serde_json::json!({
            "account": self.account, "amount": self.amount, "description": self.description, "way": self.way,
            "payer": self.payer, "customer": self.customer, "save_card_for": self.save_card_for, "merchant_ref": self.merchant_ref,
            "capture": self.capture, "options": self.options,
        }))
    }
}

/// Asks to charge a saved card for an order.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ChargeCard {
    /// The order.
    pub order: OrderRef,
    /// The customer, to whom the card must belong.
    pub customer: CustomerRef,
    /// The card.
    pub card: CardId,
    /// What the order costs.
    pub amount: Money,
    /// What the payer reads.
    pub description: String,
    /// The payer's language.
    pub language: Language,
    /// Where the payer goes on after the result page.
    pub continue_to: Option<CallbackUrl>,
    /// The provider's own options.
    pub options: Option<Options>,
    /// The caller's own name of this request.
    pub key: Option<IdempotencyKey>,
}

impl ChargeCard {
    /// A charge.
    pub fn new(
        order: OrderRef,
        customer: CustomerRef,
        card: CardId,
        amount: Money,
        description: impl Into<String>,
    ) -> Self {
        let description = description.into();
        Self {
            order,
            customer,
            card,
            amount,
            description,
            language: Language::default(),
            continue_to: None,
            options: None,
            key: None,
        }
    }

    /// With the provider's own options.
    #[must_use]
    pub fn options(mut self, options: Options) -> Self {
        self.options = Some(options);
        self
    }

    /// Under a name of the caller's, as [`OpenPayment::key`].
    #[must_use]
    pub fn key(mut self, key: IdempotencyKey) -> Self {
        self.key = Some(key);
        self
    }

    /// In another language than Mongolian.
    #[must_use]
    pub fn language(mut self, language: Language) -> Self {
        self.language = language;
        self
    }

    /// With a page of the shop's to go on to after the result.
    #[must_use]
    pub fn continue_to(mut self, url: CallbackUrl) -> Self {
        self.continue_to = Some(url);
        self
    }

    pub(crate) fn content(&self) -> Result<String> {
        digest(&serde_json::json!({
            "card": self.card, "amount": self.amount, "description": self.description, "customer": self.customer,
            "options": self.options,
        }))
    }
}

/// Asks for a page on which a customer saves a card.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct OpenCardSetup {
    /// To whom the card will belong.
    pub customer: CustomerRef,
    /// The account.
    pub account: AccountName,
    /// The payer's language.
    pub language: Language,
    /// Where the payer goes on after the result page.
    pub continue_to: Option<CallbackUrl>,
    /// The provider's own options.
    pub options: Option<Options>,
    /// The caller's own name of this request.
    pub key: Option<IdempotencyKey>,
}

impl OpenCardSetup {
    /// A card set-up.
    pub fn new(customer: CustomerRef, account: AccountName) -> Self {
        Self { customer, account, language: Language::default(), continue_to: None, options: None, key: None }
    }

    /// Under a name of the caller's, as [`OpenPayment::key`].
    #[must_use]
    pub fn key(mut self, key: IdempotencyKey) -> Self {
        self.key = Some(key);
        self
    }

    /// In another language than Mongolian.
    #[must_use]
    pub fn language(mut self, language: Language) -> Self {
        self.language = language;
        self
    }

    /// With a page of the shop's to go on to after the result.
    #[must_use]
    pub fn continue_to(mut self, url: CallbackUrl) -> Self {
        self.continue_to = Some(url);
        self
    }
}

/// Asks to give money back.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RefundPayment {
    /// The payment.
    pub payment: PaymentId,
    /// How much; by default all that is left.
    pub amount: Option<Money>,
    /// The part to give back, of a payment that came in parts; by default the only one that is left.
    pub part: Option<ChargeRef>,
    /// Why, for people.
    pub reason: String,
    /// Who asks for it, for the provider's books.
    pub by: Option<String>,
    /// The caller's own name of this request.
    pub key: Option<IdempotencyKey>,
}

impl RefundPayment {
    /// A refund of all that is left.
    pub fn new(payment: PaymentId, reason: impl Into<String>) -> Self {
        Self { payment, amount: None, part: None, reason: reason.into(), by: None, key: None }
    }

    /// Of one part of a payment that came in parts.
    #[must_use]
    pub fn part(mut self, part: ChargeRef) -> Self {
        self.part = Some(part);
        self
    }

    /// In the name of this person or system.
    #[must_use]
    pub fn by(mut self, who: impl Into<String>) -> Self {
        self.by = Some(who.into());
        self
    }

    /// Of this much.
    #[must_use]
    pub fn amount(mut self, amount: Money) -> Self {
        self.amount = Some(amount);
        self
    }

    /// Under a name of the caller's: asked for again with the same content, it gives the first refund.
    #[must_use]
    pub fn key(mut self, key: IdempotencyKey) -> Self {
        self.key = Some(key);
        self
    }
}

/// Asks to take money that is held.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CapturePayment {
    /// The payment.
    pub payment: PaymentId,
    /// How much; by default all of it.
    pub amount: Option<Money>,
    /// The caller's own name of this request.
    pub key: Option<IdempotencyKey>,
}

impl CapturePayment {
    /// A capture of the whole amount.
    pub fn new(payment: PaymentId) -> Self {
        Self { payment, amount: None, key: None }
    }

    /// Of this much.
    #[must_use]
    pub fn amount(mut self, amount: Money) -> Self {
        self.amount = Some(amount);
        self
    }

    /// Under a name of the caller's, as [`RefundPayment::key`].
    #[must_use]
    pub fn key(mut self, key: IdempotencyKey) -> Self {
        self.key = Some(key);
        self
    }
}

/// Asks to let go of money that is held.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct VoidPayment {
    /// The payment.
    pub payment: PaymentId,
    /// Why, for people.
    pub reason: String,
    /// The caller's own name of this request.
    pub key: Option<IdempotencyKey>,
}

impl VoidPayment {
    /// A void.
    pub fn new(payment: PaymentId, reason: impl Into<String>) -> Self {
        Self { payment, reason: reason.into(), key: None }
    }

    /// Under a name of the caller's, as [`RefundPayment::key`].
    #[must_use]
    pub fn key(mut self, key: IdempotencyKey) -> Self {
        self.key = Some(key);
        self
    }
}

pub(crate) fn digest(content: &serde_json::Value) -> Result<String> {
    let text = serde_json::to_vec(content)
        .map_err(|e| CoreError::invalid("options", "the request cannot be written as JSON").with_source(e))?;
    Ok(hex::encode(Sha256::digest(&text)))
}
