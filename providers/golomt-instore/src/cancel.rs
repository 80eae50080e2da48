//! Taking an invoice back that nobody has paid.

use tulbur_core::{
    CancelProvider, CancelRequest, Effect, Error, ErrorKind, FreeText, Payment, PaymentStatus, Result,
    async_trait,
};

use crate::client::{GolomtInstore, failed, not_listed, own_amount};
use crate::info;
use crate::status;
use crate::wire::{Said, SimpleResult, open};

#[async_trait]
impl CancelProvider for GolomtInstore {
    async fn cancel(&self, request: &CancelRequest) -> Result<Payment> {
        self.named(info::CANCEL, self.take_back(request).await)
    }
}

impl GolomtInstore {
    async fn take_back(&self, request: &CancelRequest) -> Result<Payment> {
        let payment = &request.payment;
        let amount = own_amount(payment)?;
        let invoice = payment.merchant_ref.as_str();
        let path = ["pos", "invoice", "cancel"];
        let response =
            self.about_invoice(info::CANCEL, Effect::Write, &path, invoice, amount, request.send_by).await?;
        self.read_answer(Effect::Write, &response, &[], |body| {
            let result = canceled(body)?;
            let mut said = Payment::new(payment.clone(), PaymentStatus::Canceled);
            said.code = result.status().or_else(|| result.resp_code()).map(FreeText::new);
            said.text = result.text();
            Ok(said)
        })
    }
}

/// The result of a cancellation: `status` as most clients and the documentation's style have it, or `resp_code` as the
/// newest R-erxes has it. Where both stand there, both must say yes.
fn canceled(body: &[u8]) -> Result<SimpleResult<'_>> {
    let result = match open::<SimpleResult<'_>>(body)? {
        Said::Executed(result) => result,
        Said::Failed(failure) => return Err(status::of_failure(&failure, Effect::Write)),
    };
    match (result.status(), result.resp_code()) {
        (Some("SUCCESS"), None | Some("00")) | (None, Some("00")) => Ok(result),
        (Some("FAILED"), None) => Err(failed(&result)),
        (None, None) => Err(Error::new(ErrorKind::Malformed, "it is missing").with_field("status")),
        (word, code) => Err(not_listed(
            code.filter(|code| *code != "00").or(word).unwrap_or_default(),
            result.text().as_deref(),
        )),
    }
}
