//! Saved cards: charging, deleting, listing; and what a customer linked at the gateway.

use tulbur_core::wire::{filled, needed, read};
use tulbur_core::{
    CardInfo, CardToken, Charge, ChargeProvider, ChargeRequest, Error, ErrorKind, ExposeSecret, Flow,
    FreeText, Monotonic, PageKind, Payment, PaymentRef, PaymentStatus, Result, SecretString,
    TokenVaultProvider, async_trait, read_options,
};

use crate::client::{GalaxyPay, Operation};
use crate::codes::Method;
use crate::info::{self, FLOW_FAST, FLOW_TOKEN};
use crate::invoices::PAY;
use crate::options::GalaxyPayOptions;
use crate::orders::{provider_ref, redirect};
use crate::status::{self, Call};
use crate::wire::{Account, Created, CustomerAnswer, CustomerData, PayData, TokenData};

const DELETE: Operation = Operation::new(info::DELETE_TOKEN, "tokenization/deleteToken", Call::Change);
const QUERY_TOKENS: Operation = Operation::new(info::QUERY_TOKENS, "tokenization/queryTokens", Call::Read);
const REMOVE: Operation = Operation::new(info::REMOVE_TOKEN, "tokenization/removeToken", Call::Change);

/// A token has 1 to 50 characters (G 2.4.1); more than that is none of this gateway's.
fn check_token(token: &CardToken) -> Result<&str> {
    let text = token.expose();
    if !(1..=50).contains(&text.len()) || !text.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(Error::invalid("token", "it is not a card token of this gateway"));
    }
    Ok(text)
}

/// What may be shown of a saved card.
pub(crate) fn card_info(account: &Account<'_>) -> CardInfo {
    CardInfo::masked(filled(&account.account_number))
        .with_brand(filled(&account.account_brand))
        .with_bank(filled(&account.account_source))
}

/// The cards that a customer linked at the gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CustomerTokens {
    /// The gateway's number of the customer.
    pub customer_id: Option<String>,
    /// The cards.
    pub tokens: Vec<CustomerToken>,
}

/// One linked card. Its id is no token: it charges nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CustomerToken {
    /// The gateway's id of the link.
    pub id: String,
    /// What may be shown of the card.
    pub card: CardInfo,
}

impl GalaxyPay {
    /// The flow that a charge begins.
    pub(crate) fn charge_flow(request: &ChargeRequest) -> Result<Flow> {
        let options: GalaxyPayOptions = read_options(request.options.as_ref())?;
        Ok(if options.fast_pay { FLOW_FAST } else { FLOW_TOKEN })
    }

    async fn charge_token(&self, request: &ChargeRequest) -> Result<Charge> {
        request.check(self)?;
        let options: GalaxyPayOptions = read_options(request.options.as_ref())?;
        if options.checkout.is_some() || options.payment_link.is_some() {
            return Err(Error::invalid("options", "a charge has no modal and no link"));
        }
        let token = check_token(&request.token)?;
        let flow = if options.fast_pay { FLOW_FAST } else { FLOW_TOKEN };
        let reference = request.merchant_ref.as_str();
        let number = options.order_number.as_deref();
        let order = self.order(reference, request.amount, &request.description, number)?;
        let (urls, notify) = (request.return_urls.as_ref(), request.notify_url.as_ref());
        let mut data = Self::pay_data(order, request.language, urls, notify, &options, None)?;
        let method = self.token_method(&options)?;
        data.payment_method = Some(method.as_str());
        (data.source_of_fund, data.token) = (Some("TOKEN"), Some(token));
        let asked = PaymentRef::new(request.merchant_ref.clone(), Some(request.amount), flow);
        self.pay_directly(data, asked, token, request.send_by).await
    }

    /// The kind of the card behind a token. The gateway wants to be told, and a token does not tell.
    fn token_method<'a>(&'a self, options: &'a GalaxyPayOptions) -> Result<&'a Method> {
        if options.fast_pay {
            // Only international cards can be charged so (D: api-specification/payment/fast-pay).
            return match &options.method {
                None | Some(Method::International) => Ok(&Method::International),
                Some(_) => Err(Error::invalid("options", "`fast_pay` is for INTERNATIONAL cards only")),
            };
        }
        let method = options.method.as_ref().or(self.config.token_method.as_ref()).ok_or_else(|| {
            let why = "the gateway must be told whether the card is DOMESTIC, INTERNATIONAL or of a WALLET: set the \
                       option `method` (Method::of_account_brand reads it from the saved card's brand), or the \
                       account's setting `token_method`";
            Error::invalid("options", why)
        })?;
        if !method.can_have_tokens() {
            return Err(Error::invalid("options", "saved cards are DOMESTIC, INTERNATIONAL or WALLET"));
        }
        Ok(method)
    }

    /// Pays with something that can take money at once.
    ///
    /// Whatever the answer says of success is a claim to be confirmed: what fast pay answers is unknown, and a page may
    /// follow. Only the table's final failures end the payment here.
    pub(crate) async fn pay_directly(
        &self,
        mut data: PayData<'_>,
        asked: PaymentRef,
        secret: &str,
        send_by: Option<Monotonic>,
    ) -> Result<Charge> {
        let fast = asked.flow == FLOW_FAST;
        data.api_version = self.api_version();
        if fast {
            data.api_operation = Some("FAST_PAY");
        }
        let name = if fast {
            info::FAST_PAY
        } else if data.token.is_some() {
            info::PAY_WITH_TOKEN
        } else {
            info::PAY_WITH_CARD
        };
        Self::check_source_of_cards(&data)?;
        let operation = Operation { name, ..PAY }.send_by(send_by);
        let answered = self
            .call(operation, &data, &[secret], |answer| {
                let created: Created<'_> = read(answer)?;
                let id = needed("transactionID", &created.transaction_id)?;
                let known = asked.clone().with_provider_ref(provider_ref("transactionID", id)?);
                let mut payment = Payment::new(known, PaymentStatus::Pending);
                payment.code = filled(&created.transaction_status).map(FreeText::new);
                let mut charge = Charge::new(payment);
                if let Some(endpoint) = filled(&created.endpoint) {
                    charge.next = vec![redirect(endpoint, PageKind::Challenge)?];
                }
                Ok(charge)
            })
            .await;
        match answered {
            // The card's decline is an answer and no error.
            Err(error) if error.outcome() == tulbur_core::Outcome::Refused => {
                let status = error.code().map_or(PaymentStatus::Pending, status::of_code);
                if !status.is_failed() {
                    return Err(error);
                }
                let mut payment = Payment::new(asked, status);
                payment.code = error.code().map(FreeText::from);
                payment.text = error.text().map(FreeText::from);
                Ok(Charge::new(payment))
            }
            other => other,
        }
    }

    /// A wallet's token needs the wallet's name.
    fn check_source_of_cards(data: &PayData<'_>) -> Result<()> {
        if data.payment_method == Some("WALLET") { Self::check_source(data) } else { Ok(()) }
    }

    async fn delete(&self, token: &CardToken) -> Result<()> {
        let token = check_token(token)?;
        self.call(DELETE, &TokenData { token }, &[token], |_| Ok(())).await
    }

    /// The cards that a customer linked at the gateway, named by the customer's token (a signed one of the gateway's
    /// own identity service, valid for days).
    ///
    /// # Errors
    /// As every question: nothing has happened.
    pub async fn query_tokens(&self, customer_token: &SecretString) -> Result<CustomerTokens> {
        let token = customer_token.expose_secret();
        let ask = async {
            if token.is_empty() {
                return Err(Error::invalid("customer_token", "it is empty"));
            }
            let data = CustomerData { customer_token: token, token_id: None };
            self.call(QUERY_TOKENS, &data, &[token], |answer| {
                let answer: CustomerAnswer<'_> = read(answer)?;
                let link = |account: &Account<'_>| {
                    let id = needed("tokenID", &account.token_id)?.to_owned();
                    Ok(CustomerToken { id, card: card_info(account) })
                };
                let tokens = answer.tokens.iter().map(link).collect::<Result<_>>()?;
                Ok(CustomerTokens { customer_id: filled(&answer.customer_id).map(str::to_owned), tokens })
            })
            .await
        };
        self.named(info::QUERY_TOKENS, ask.await)
    }

    /// Removes a card that a customer linked. Path and fields are **inferred**: only for accounts with
    /// `accept = "inferred"`.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] for other accounts; [`Outcome::Unknown`](tulbur_core::Outcome::Unknown) when it may
    /// have been removed.
    pub async fn remove_token(&self, customer_token: &SecretString, id: &str) -> Result<()> {
        let token = customer_token.expose_secret();
        let remove = async {
            if !self.config.accepts_inferred() {
                let why = "how a linked card is removed is only inferred; such an account sets `accept` to `inferred`";
                return Err(Error::new(ErrorKind::Unsupported, why).with_field("accept"));
            }
            if token.is_empty() || id.is_empty() {
                return Err(Error::invalid("customer_token", "it and the link's id must not be empty"));
            }
            let data = CustomerData { customer_token: token, token_id: Some(id) };
            self.call(REMOVE, &data, &[token], |_| Ok(())).await
        };
        self.named(info::REMOVE_TOKEN, remove.await)
    }
}

#[async_trait]
impl ChargeProvider for GalaxyPay {
    /// The payment is pending until a query or a notification says more; `next` has a page if the card's bank wants to
    /// see the payer. A charge whose answer was lost cannot be asked about: only its notification tells.
    async fn charge(&self, request: &ChargeRequest) -> Result<Charge> {
        let fast = Self::charge_flow(request).is_ok_and(|flow| flow == FLOW_FAST);
        let operation = if fast { info::FAST_PAY } else { info::PAY_WITH_TOKEN };
        self.named(operation, self.charge_token(request).await)
    }
}

#[async_trait]
impl TokenVaultProvider for GalaxyPay {
    async fn delete_card(&self, token: &CardToken) -> Result<()> {
        self.named(info::DELETE_TOKEN, self.delete(token).await)
    }
}
