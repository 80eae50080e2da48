//! Cancels invoices, and gives card payments back.

use serde::Deserialize;
use tulbur_core::wire::read;
use tulbur_core::{
    Accept, CancelProvider, CancelRequest, Effect, Error, ErrorKind, Method, Payment, PaymentStatus, Refund,
    RefundProvider, RefundRequest, RefundStatus, Result, async_trait,
};

use crate::client::{Operation, QPay, body};
use crate::info;
use crate::payments::PaymentDetails;
use crate::status::{ALREADY_CANCELED, INVOICE_PAID};
use crate::wire::NoteRequest;

/// A success has nothing in it: `{}` (ETAG). No body at all (DOC) may also be an answer that was lost on the way: what
/// happened is then asked for.
pub(crate) fn nothing(answer: &[u8]) -> Result<()> {
    #[derive(Deserialize)]
    struct Nothing {}
    read::<Nothing>(answer).map(drop)
}

/// Refuses what QPay would not give back, before anything is sent.
fn check_part(part: &PaymentDetails, request: &RefundRequest) -> Result<()> {
    if part.is_returned() {
        return Err(Error::new(ErrorKind::Duplicate, "it was given back before").with_field("part"));
    }
    if !part.is_there() {
        return Err(Error::new(ErrorKind::Rejected, "it was not paid").with_field("part"));
    }
    if part.is_transfer() {
        let why =
            "it was paid by bank transfer, and QPay gives back card payments only; give it back by hand";
        return Err(Error::new(ErrorKind::Unsupported, why).with_field("part"));
    }
    if part.amount != request.amount {
        let why = format!("QPay gives back the whole payment of {} and no part of it", part.amount);
        return Err(Error::invalid("amount", why));
    }
    Ok(())
}

impl QPay {
    async fn take_back(&self, request: &CancelRequest) -> Result<Payment> {
        let payment = &request.payment;
        let path = ["invoice", Self::invoice_id(payment)?];
        let operation = Operation::new(info::CANCEL, Method::Delete, &path).send_by(request.send_by);
        match self.call(operation, Effect::Write, None, nothing).await {
            Ok(()) => {}
            Err(error) if error.code() == Some(ALREADY_CANCELED) => {}
            // News, and no failure. If it cannot be had, the refusal stands.
            Err(error) if error.code() == Some(INVOICE_PAID) => {
                return self.ask(payment).await.map_err(|_| error);
            }
            Err(error) => return Err(error),
        }
        // Whether a payment that was under way can still land is unknown, so it is asked about once more.
        let mut said = match self.ask(payment).await {
            Ok(said) if said.status.is_paid() => return Ok(said),
            Ok(said) => said,
            // The invoice is cancelled all the same.
            Err(_) => Payment::new(payment.clone(), PaymentStatus::Canceled),
        };
        said.status = PaymentStatus::Canceled;
        Ok(said)
    }

    async fn give_back(&self, name: &'static str, word: &str, request: &RefundRequest) -> Result<Refund> {
        let invoice = Self::invoice_id(&request.payment)?;
        let part = request.part.as_ref().ok_or_else(|| {
            let why = "QPay gives back one payment of an invoice; name its id, which a query has in `parts`";
            Error::invalid("part", why)
        })?;
        // Whose it is, how it was paid and how much it was: an id alone would give back another invoice's money.
        check_part(&self.details(invoice, part).await?, request)?;
        let path = ["payment", word, part.as_str()];
        let operation = Operation::new(name, Method::Delete, &path).send_by(request.send_by);
        let content = body(&NoteRequest { note: &request.reason })?;
        self.call(operation, Effect::Write, Some(content), nothing).await?;
        Ok(Refund::new(request.amount, RefundStatus::Pending))
    }

    /// Cancels a card payment (`DELETE /v2/payment/cancel/{payment_id}`): only for accounts with `accept = "inferred"`.
    ///
    /// Its path and its refusal for bank transfers are known (OAS, ETAG). How it differs from a refund is **unknown**;
    /// one source guesses that it is for the same day (TP). It is checked, sent and answered as a
    /// [refund](RefundProvider::refund) is. No callback is asked for.
    ///
    /// # Errors
    /// As [`RefundProvider::refund`].
    pub async fn cancel_payment(&self, request: &RefundRequest) -> Result<Refund> {
        let cancel = async {
            if self.config.accept != Accept::Inferred {
                let why = "what cancelling a payment does is only inferred; such an account sets `accept` to \
                           `inferred`";
                return Err(Error::new(ErrorKind::Unsupported, why).with_field("accept"));
            }
            self.give_back(info::CANCEL_PAYMENT, "cancel", request).await
        };
        self.named(info::CANCEL_PAYMENT, cancel.await)
    }
}

#[async_trait]
impl CancelProvider for QPay {
    /// Cancels an invoice that nobody has paid, and asks once more. Cancelled before is cancelled too; one that was paid
    /// meanwhile is answered as `Paid`.
    async fn cancel(&self, request: &CancelRequest) -> Result<Payment> {
        self.named(info::CANCEL, self.take_back(request).await)
    }
}

#[async_trait]
impl RefundProvider for QPay {
    /// Gives one card payment back, whole: the one that `part` names. It is read first: it must belong to the invoice, be
    /// paid by card and be of this amount. Money of bank transfers is given back by hand.
    ///
    /// The answer is always [`RefundStatus::Pending`]: that QPay answers `{}` is inferred, and nobody says that the money
    /// is on its way by then. A later query proves it, when the part is [`returned`](tulbur_core::PaidPart::returned).
    async fn refund(&self, request: &RefundRequest) -> Result<Refund> {
        self.named(info::REFUND, self.give_back(info::REFUND, "refund", request).await)
    }
}
