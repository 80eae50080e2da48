//! Turns verified answers and notifications of a provider into the facts that move a payment.

use tulbur_core::{
    CardInfo, CardSetupAnswer, CardSetupState, Charge, FreeText, IpnEvent, IpnFacts, Money, NextAction,
    PaidPart, Payment, PaymentRef, Verified,
};

use crate::model::event::Source;
use crate::model::record::Status;

/// Something that the provider has proven. It can only be made from a [`Verified`].
#[derive(Debug, Clone)]
pub(crate) struct Proven {
    pub(crate) source: Source,
    pub(crate) status: Status,
    pub(crate) amount: Option<Money>,
    /// What was taken, where the provider says that it is not the amount.
    pub(crate) captured: Option<Money>,
    pub(crate) refunded: Option<Money>,
    /// The movements of money, where a payer can pay in several.
    pub(crate) parts: Vec<PaidPart>,
    pub(crate) reference: Option<PaymentRef>,
    pub(crate) code: Option<FreeText>,
    pub(crate) text: Option<FreeText>,
    pub(crate) card: CardInfo,
    pub(crate) next: Vec<NextAction>,
    /// The revision of the payment at which the question was asked, if it is the answer to one.
    pub(crate) asked_on: Option<u32>,
}

impl Proven {
    pub(crate) fn by_query(payment: Verified<Payment>) -> Self {
        Self::of_payment(Source::Query, payment.into_inner(), Vec::new())
    }

    /// By the direct answer to a capture, void or cancel.
    pub(crate) fn by_answer(payment: Verified<Payment>) -> Self {
        Self::of_payment(Source::Answer, payment.into_inner(), Vec::new())
    }

    pub(crate) fn by_charge(charge: Verified<Charge>) -> Self {
        let charge = charge.into_inner();
        Self::of_payment(Source::Answer, charge.payment, charge.next)
    }

    fn of_payment(source: Source, payment: Payment, next: Vec<NextAction>) -> Self {
        Self {
            source,
            status: payment.status.into(),
            amount: payment.amount,
            captured: payment.captured,
            refunded: payment.refunded,
            parts: payment.parts,
            reference: Some(payment.reference),
            code: payment.code,
            text: payment.text,
            card: payment.card,
            next,
            asked_on: None,
        }
    }

    /// As the answer to a question that was asked when the payment was at this revision.
    pub(crate) fn asked_on(mut self, revision: u32) -> Self {
        self.asked_on = Some(revision);
        self
    }

    pub(crate) fn by_setup_query(answer: Verified<CardSetupAnswer>) -> Self {
        let answer = answer.into_inner();
        let (status, card) = match answer.state {
            CardSetupState::Pending => (Status::Pending, CardInfo::default()),
            CardSetupState::Saved(saved) => (Status::Saved, saved.card),
            CardSetupState::Declined => (Status::Declined, CardInfo::default()),
        };
        Self {
            source: Source::Query,
            status,
            amount: None,
            captured: None,
            refunded: None,
            parts: Vec::new(),
            reference: Some(answer.reference),
            code: answer.code,
            text: answer.text,
            card,
            next: Vec::new(),
            asked_on: None,
        }
    }

    /// By a notification about the payment with this reference. It may be the first to name the provider's own.
    pub(crate) fn by_notification(facts: Verified<IpnFacts>, event: &IpnEvent, about: &PaymentRef) -> Self {
        let facts = facts.into_inner();
        let mut reference = about.clone();
        if reference.provider_ref.is_none() {
            reference.provider_ref = facts.provider_ref;
        }
        Self {
            source: Source::Notification,
            status: facts.status.into(),
            amount: Some(facts.amount),
            captured: None,
            refunded: None,
            parts: Vec::new(),
            reference: Some(reference),
            code: event.code.clone(),
            text: event.text.clone(),
            card: event.card.clone(),
            next: Vec::new(),
            asked_on: None,
        }
    }
}
