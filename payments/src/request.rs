//! What an application asks for: a payment, a charge, a card set-up.

use sha2::{Digest, Sha256};
use tulbur_core::{
    AccountName, CallbackUrl, Error as CoreError, Language, MerchantRef, Money, Options, OrderRef, Payer,
    ReturnUrls, Way,
};

use crate::error::Result;
use crate::record::{CardId, CustomerRef};

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
    /// Save the card on the way, for this customer.
    pub save_card_for: Option<CustomerRef>,
    /// Where the payer goes on after the result page.
    pub continue_to: Option<CallbackUrl>,
    /// Where the provider sends the payer, instead of to the web adapter: for an app that takes returns itself.
    pub return_urls: Option<ReturnUrls>,
    /// A reference of the application's own; by default one is made.
    pub merchant_ref: Option<MerchantRef>,
    /// The provider's own options.
    pub options: Option<Options>,
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
            save_card_for: None,
            continue_to: None,
            return_urls: None,
            merchant_ref: None,
            options: None,
        }
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
            "payer": self.payer, "save_card_for": self.save_card_for, "merchant_ref": self.merchant_ref,
            "options": self.options,
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
        Self { order, customer, card, amount, description, language: Language::default(), continue_to: None }
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
}

impl OpenCardSetup {
    /// A card set-up.
    pub fn new(customer: CustomerRef, account: AccountName) -> Self {
        Self { customer, account, language: Language::default(), continue_to: None, options: None }
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

fn digest(content: &serde_json::Value) -> Result<String> {
    let text = serde_json::to_vec(content)
        .map_err(|e| CoreError::invalid("options", "the request cannot be written as JSON").with_source(e))?;
    Ok(hex::encode(Sha256::digest(&text)))
}
