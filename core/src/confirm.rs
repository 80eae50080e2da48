//! Proves answers to our own questions and writes: each must be about the payment that it was asked about.

use crate::error::{Error, ErrorKind, Result};
use crate::outcome::Outcome;
use crate::proof::Verified;
use crate::provider::{
    CancelProvider, CaptureProvider, ChargeProvider, QueryProvider, TokenizeProvider, VoidProvider,
};
use crate::reference::PaymentRef;
use crate::request::{CancelRequest, CaptureRequest, CardSetupAnswer, Charge, ChargeRequest, VoidRequest};
use crate::status::Payment;

/// Asks the provider and proves its answer: it must be about the reference that was asked about.
///
/// # Errors
/// The provider's own, or [`ErrorKind::Untrusted`] when the answer is about something else.
pub async fn confirm(provider: &dyn QueryProvider, asked: &PaymentRef) -> Result<Verified<Payment>> {
    let payment = provider.query(asked).await?;
    check_same(asked, &payment.reference)?;
    Ok(Verified::new(payment))
}

/// Asks how a card set-up stands, and proves the answer as [`confirm`] does.
///
/// # Errors
/// As [`confirm`].
pub async fn confirm_card_setup(
    provider: &dyn TokenizeProvider,
    asked: &PaymentRef,
) -> Result<Verified<CardSetupAnswer>> {
    let answer = provider.read_card_setup(asked).await?;
    check_same(asked, &answer.reference)?;
    Ok(Verified::new(answer))
}

/// Charges a saved card. The provider's direct answer to our own request is proof, if it is about this request.
///
/// # Errors
/// The provider's own, or [`ErrorKind::Untrusted`] with an unknown outcome when the answer is about something
/// else.
pub async fn charge(provider: &dyn ChargeProvider, request: &ChargeRequest) -> Result<Verified<Charge>> {
    let charge = provider.charge(request).await?;
    if charge.payment.reference.merchant_ref != request.merchant_ref {
        return Err(other_payment().with_outcome(Outcome::Unknown));
    }
    Ok(Verified::new(charge))
}

/// Takes money that is held; the direct answer is proof, if it is about this payment.
///
/// # Errors
/// As [`charge`].
pub async fn capture(provider: &dyn CaptureProvider, request: &CaptureRequest) -> Result<Verified<Payment>> {
    answer_about(&request.payment, provider.capture(request).await?)
}

/// Lets go of money that is held; the direct answer is proof, if it is about this payment.
///
/// # Errors
/// As [`charge`].
pub async fn void(provider: &dyn VoidProvider, request: &VoidRequest) -> Result<Verified<Payment>> {
    answer_about(&request.payment, provider.void(request).await?)
}

/// Takes back an invoice; the direct answer is proof, if it is about this payment.
///
/// # Errors
/// As [`charge`].
pub async fn cancel(provider: &dyn CancelProvider, request: &CancelRequest) -> Result<Verified<Payment>> {
    answer_about(&request.payment, provider.cancel(request).await?)
}

/// Proves the answer to a write: what it says of another payment says nothing of this one.
fn answer_about(asked: &PaymentRef, answered: Payment) -> Result<Verified<Payment>> {
    match check_same(asked, &answered.reference) {
        Ok(()) => Ok(Verified::new(answered)),
        Err(error) => Err(error.with_outcome(Outcome::Unknown)),
    }
}

fn other_payment() -> Error {
    Error::new(ErrorKind::Untrusted, "the answer is about another payment than the one asked about")
}

fn check_same(asked: &PaymentRef, answered: &PaymentRef) -> Result<()> {
    let differs = |asked: Option<&str>, answered: Option<&str>| matches!((asked, answered), (Some(asked), Some(answered)) if asked != answered);
    let provider = |r: &PaymentRef| r.provider_ref.as_ref().map(|p| p.as_str().to_owned());
    if asked.merchant_ref != answered.merchant_ref
        || asked.flow != answered.flow
        || differs(provider(asked).as_deref(), provider(answered).as_deref())
    {
        return Err(other_payment());
    }
    Ok(())
}
