//! Giving a payment back.

use tulbur_core::{
    Effect, Error, ErrorKind, Refund, RefundProvider, RefundRequest, RefundStatus, Result, async_trait,
};

use crate::client::{GolomtInstore, not_listed, own_amount};
use crate::info;
use crate::status;
use crate::wire::{Said, TransactionResult, open};

#[async_trait]
impl RefundProvider for GolomtInstore {
    async fn refund(&self, request: &RefundRequest) -> Result<Refund> {
        self.named(info::REFUND, self.give_back(request).await)
    }
}

impl GolomtInstore {
    async fn give_back(&self, request: &RefundRequest) -> Result<Refund> {
        let amount = own_amount(&request.payment)?;
        if request.amount != amount {
            let why =
                format!("{} of {amount}: the bank is only known to give back the whole", request.amount);
            return Err(Error::new(ErrorKind::Unsupported, why).with_field("amount"));
        }
        let invoice = request.payment.merchant_ref.as_str();
        let path = ["pos", "payment", "cancel"];
        let response =
            self.about_invoice(info::REFUND, Effect::Write, &path, invoice, amount, request.send_by).await?;
        self.read_answer(Effect::Write, &response, &[], |body| {
            let result = match open::<TransactionResult<'_>>(body)? {
                Said::Executed(result) => result,
                Said::Failed(failure) => return Err(status::of_failure(&failure, Effect::Write)),
            };
            self.check_echo(&request.payment, &result)?;
            match result.resp_code() {
                Some("00") => Ok(Refund::new(result.amount()?.unwrap_or(amount), RefundStatus::Succeeded)),
                // A bank's code may well mean that it does not know itself.
                Some(code) => Err(not_listed(code, result.text().as_deref())),
                None => Err(Error::new(ErrorKind::Malformed, "it does not say whether money was given back")
                    .with_field("resp_code")),
            }
        })
    }
}
