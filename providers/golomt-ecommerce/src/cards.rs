//! Cards: saving one without a purchase, reading it back, charging it.

use tulbur_core::{
    CardSetup, CardSetupAnswer, CardSetupState, Charge, ChargeProvider, ChargeRequest, CreateCardSetup,
    Effect, Error, ErrorKind, FreeText, Language, PaymentRef, PaymentStatus, Result, SavedCard,
    TokenizeProvider, async_trait, read_options,
};

use crate::client::{AMOUNT, GolomtEcommerce};
use crate::info::{self, FLOW_CARD_SETUP, FLOW_CHARGE};
use crate::options::GolomtEcommerceOptions;
use crate::wire::{ConfirmationRequest, InvoiceAnswer, PayRequest, ResultDocument};
use crate::{pages, sign, status};

#[async_trait]
impl TokenizeProvider for GolomtEcommerce {
    /// The bank takes a small random amount from the card and gives it back one or two minutes later (page D-token).
    /// Of the options only `return_type` applies.
    async fn create_card_setup(&self, request: &CreateCardSetup) -> Result<CardSetup> {
        self.named(info::CREATE_CARD_SETUP, self.card_setup(request).await)
    }

    async fn read_card_setup(&self, setup: &PaymentRef) -> Result<CardSetupAnswer> {
        self.named(info::READ_CARD_SETUP, self.saved_card(setup).await)
    }
}

#[async_trait]
impl ChargeProvider for GolomtEcommerce {
    /// The answer is final, and no page follows. Should it be lost, ask with [`FLOW_CHARGE`].
    async fn charge(&self, request: &ChargeRequest) -> Result<Charge> {
        self.named(info::CHARGE, self.pay(request).await)
    }
}

impl GolomtEcommerce {
    async fn card_setup(&self, request: &CreateCardSetup) -> Result<CardSetup> {
        request.check(self)?;
        Self::refuse_notify_url(request.notify_url.as_ref())?;
        let options: GolomtEcommerceOptions = read_options(request.options.as_ref())?;
        let callback = pages::callback(request.return_urls.as_ref(), options.return_type)?.as_str();
        let return_type = options.return_type.as_str();
        let transaction = request.merchant_ref.as_str();
        let body = ConfirmationRequest {
            callback,
            checksum: &self.keys.sign(&sign::confirmation_request(transaction, return_type, callback)),
            return_type,
            transaction_id: transaction,
        };
        let dies = self.page_dies();
        let address = self.address(&["api", "confirmation"]);
        let response =
            self.call(info::CREATE_CARD_SETUP, Effect::Write, address, &body, None, request.send_by).await?;
        Self::read_answer(Effect::Write, &response, |body| {
            let answer = InvoiceAnswer::read(body)?;
            Self::check_transaction(transaction, &answer.transaction)?;
            self.keys
                .check(&sign::invoice_answer(&answer.invoice, transaction), answer.checksum.as_deref())?;
            let invoice = pages::invoice_ref(&answer.invoice)?;
            let next = pages::save_card(&self.config.base_url, &invoice, request.language);
            let reference = PaymentRef::new(request.merchant_ref.clone(), None, FLOW_CARD_SETUP)
                .with_provider_ref(invoice);
            let mut setup = CardSetup::new(reference, next);
            setup.expires_at = Some(dies);
            Ok(setup)
        })
    }

    async fn saved_card(&self, setup: &PaymentRef) -> Result<CardSetupAnswer> {
        if setup.flow != FLOW_CARD_SETUP {
            let why = format!("`{}` is not the flow of a card set-up", setup.flow);
            return Err(Error::new(ErrorKind::Unsupported, why).with_field("flow"));
        }
        let response = self.question(info::READ_CARD_SETUP, &["api", "get", "token"], setup).await?;
        Self::read_answer(Effect::Read, &response, |body| {
            let answer = ResultDocument::read(body)?;
            Self::check_transaction(setup.merchant_ref.as_str(), &answer.transaction)?;
            let message = answer.message();
            let covered = sign::token_answer(message.transaction, message.token);
            self.keys.check(&covered, answer.checksum.as_deref())?;
            let state = match (status::of_code(message.code), message.token) {
                (PaymentStatus::Pending, _) => CardSetupState::Pending,
                (PaymentStatus::Paid, Some(token)) => CardSetupState::Saved(SavedCard::new(
                    tulbur_core::CardToken::new(token),
                    answer.card.clone(),
                )),
                (PaymentStatus::Paid, None) => {
                    let why = "it is missing although the bank says that the card is saved";
                    return Err(Error::new(ErrorKind::Malformed, why).with_field("token"));
                }
                _ => CardSetupState::Declined,
            };
            let mut said = CardSetupAnswer::new(setup.clone(), state);
            said.code = message.code.map(FreeText::from);
            said.text = answer.text;
            Ok(said)
        })
    }

    async fn pay(&self, request: &ChargeRequest) -> Result<Charge> {
        request.check(self)?;
        Self::refuse_notify_url(request.notify_url.as_ref())?;
        // None of the options concerns a charge; they must still be this provider's and readable.
        let _: GolomtEcommerceOptions = read_options(request.options.as_ref())?;
        let token = request.token.expose();
        if !(1..=256).contains(&token.len()) || !token.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Error::invalid("token", "it is not a card token of this bank"));
        }
        let amount = AMOUNT.render(request.amount)?;
        let transaction = request.merchant_ref.as_str();
        let body = PayRequest {
            amount: &amount,
            checksum: &self.keys.sign(&sign::pay_request(amount.as_str(), transaction, token)),
            transaction_id: transaction,
            lang: if request.language == Language::En { "EN" } else { "MN" },
            token,
        };
        let address = self.address(&["api", "pay"]);
        let response = self
            .call(info::CHARGE, Effect::Write, address, &body, Some(&request.token), request.send_by)
            .await?;
        let asked = PaymentRef::new(request.merchant_ref.clone(), Some(request.amount), FLOW_CHARGE);
        Self::read_answer(Effect::Write, &response, |body| {
            self.read_payment(body, &asked, false).map(Charge::new)
        })
    }
}
