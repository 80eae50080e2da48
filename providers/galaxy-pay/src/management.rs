//! Queries, refunds, captures and voids a payment that exists.

use tulbur_core::wire::{filled, needed, read};
use tulbur_core::{
    CaptureProvider, CaptureRequest, Currency, Error, ErrorKind, FreeText, MerchantRef, Money, OperationRef,
    Payment, PaymentRef, PaymentStatus, QueryProvider, Refund, RefundProvider, RefundRequest, RefundStatus,
    Result, VoidProvider, VoidRequest, async_trait,
};

use crate::client::{GalaxyPay, Mark, Operation};
use crate::info::{self, FLOW_AUTHORIZE, FLOW_LINK};
use crate::status::{self, Call};
use crate::wire::{ChangeData, QueryData, Transaction};

const QUERY: Operation = Operation::new(info::QUERY, "transaction/query", Call::Read);
const REFUND: Operation =
    Operation::new(info::REFUND, "transaction/refund", Call::Change).marked(Mark::Change);
const CAPTURE: Operation =
    Operation::new(info::CAPTURE, "transaction/capture", Call::Change).marked(Mark::Change);
const VOID: Operation = Operation::new(info::VOID, "transaction/void", Call::Change).marked(Mark::Change);

/// The gateway's id of a payment, by which alone it can be found.
fn transaction(payment: &PaymentRef) -> Result<&str> {
    if payment.flow == FLOW_LINK {
        let why = "the gateway has nothing to ask or change about a payment link; its notification tells";
        return Err(Error::new(ErrorKind::Unsupported, why).with_field("flow"));
    }
    payment.provider_ref.as_ref().map(tulbur_core::ProviderRef::as_str).ok_or_else(|| {
        let why = "it is not known, because the answer that names it was lost; the gateway finds a payment by \
                   nothing else, so wait for its notification";
        Error::new(ErrorKind::Unsupported, why).with_field("provider_ref")
    })
}

/// The amount that the gateway names, with the currency that it names.
pub(crate) fn money(data: &Transaction<'_>) -> Result<Option<Money>> {
    let (Some(text), Some(code)) = (filled(&data.order_amount), filled(&data.order_currency)) else {
        return Ok(None);
    };
    let unfit = |field, why: tulbur_core::MoneyError| {
        Error::new(ErrorKind::Malformed, why.to_string()).with_field(field)
    };
    let currency = Currency::parse(code).map_err(|e| unfit("orderCurrency", e))?;
    Money::parse(text, currency).map(Some).map_err(|e| unfit("orderAmount", e))
}

impl GalaxyPay {
    async fn ask(&self, payment: &PaymentRef) -> Result<Payment> {
        let id = transaction(payment)?;
        let read_payment = |answer: &[u8]| {
            let data: Transaction<'_> = read(answer)?;
            let other = |field| {
                let why = "the answer is about another payment than the one asked about";
                Err(Error::new(ErrorKind::Untrusted, why).with_field(field))
            };
            if needed("transactionID", &data.transaction_id)? != id {
                return other("transactionID");
            }
            if needed("orderID", &data.order_id)? != payment.merchant_ref.as_str() {
                return other("orderID");
            }
            let code = filled(&data.transaction_status);
            let stage = filled(&data.transaction_stage);
            let status = status::of_query(code, stage, payment.flow == FLOW_AUTHORIZE);
            let mut said = Payment::new(payment.clone(), status);
            said.amount = money(&data)?;
            said.code = code.map(FreeText::new);
            said.text = filled(&data.transaction_description).map(FreeText::new);
            Ok(said)
        };
        self.call(QUERY, &QueryData { transaction_id: id }, &[], read_payment).await
    }

    /// Sends a refund, a capture or a void; all three with the fields of a refund.
    async fn change(
        &self,
        operation: Operation,
        payment: &PaymentRef,
        operation_ref: &OperationRef,
        money: Money,
        reason: &str,
    ) -> Result<()> {
        let id = transaction(payment)?;
        let order_id = MerchantRef::parse(operation_ref.as_str())
            .and_then(|reference| self.info.ref_rule.check(&reference))
            .map_err(|e| Error::from(e).with_field("operation_ref"));
        order_id?;
        tulbur_core::check_amount(money, &self.info)?;
        if let Some(whole) = payment.amount
            && (money.currency() != whole.currency() || money.minor() > whole.minor())
        {
            return Err(Error::invalid("amount", format!("{money} is more than the payment's {whole}")));
        }
        let order = self.order(operation_ref.as_str(), money, reason, None)?;
        // The answer is its envelope; no data is documented.
        self.call(operation, &ChangeData { transaction_id: id, order }, &[], |_| Ok(())).await
    }

    /// The whole of what is held: whether a part can be taken is unknown.
    fn held(payment: &PaymentRef) -> Result<Money> {
        if payment.flow != FLOW_AUTHORIZE {
            let why =
                format!("money is held in the flow `{FLOW_AUTHORIZE}` only, and this is `{}`", payment.flow);
            return Err(Error::new(ErrorKind::Unsupported, why).with_field("flow"));
        }
        payment.amount.ok_or_else(|| Error::invalid("amount", "the payment's amount is not known"))
    }

    async fn refund_payment(&self, request: &RefundRequest) -> Result<Refund> {
        self.change(
            REFUND.send_by(request.send_by),
            &request.payment,
            &request.operation_ref,
            request.amount,
            &request.reason,
        )
        .await?;
        Ok(Refund::new(request.amount, RefundStatus::Succeeded))
    }

    async fn capture_payment(&self, request: &CaptureRequest) -> Result<Payment> {
        let held = Self::held(&request.payment)?;
        if request.amount != held {
            let why = format!(
                "{} is not the {held} that is held, and whether a part can be taken is unknown",
                request.amount
            );
            return Err(Error::invalid("amount", why));
        }
        self.change(CAPTURE.send_by(request.send_by), &request.payment, &request.operation_ref, held, "")
            .await?;
        Ok(Payment::new(request.payment.clone(), PaymentStatus::Paid))
    }

    async fn void_payment(&self, request: &VoidRequest) -> Result<Payment> {
        let held = Self::held(&request.payment)?;
        self.change(VOID.send_by(request.send_by), &request.payment, &request.operation_ref, held, "")
            .await?;
        Ok(Payment::new(request.payment.clone(), PaymentStatus::Canceled))
    }
}

#[async_trait]
impl QueryProvider for GalaxyPay {
    /// Asks by the gateway's own id, which the answer to the create brought.
    async fn query(&self, payment: &PaymentRef) -> Result<Payment> {
        self.named(info::QUERY, self.ask(payment).await)
    }
}

#[async_trait]
impl RefundProvider for GalaxyPay {
    /// A part or the whole, within a year, as often as the total allows. The answer is final (appendix of the
    /// documents, response codes); nothing tells later how a refund went.
    async fn refund(&self, request: &RefundRequest) -> Result<Refund> {
        self.named(info::REFUND, self.refund_payment(request).await)
    }
}

#[async_trait]
impl CaptureProvider for GalaxyPay {
    /// Takes all that is held. Its fields are inferred.
    async fn capture(&self, request: &CaptureRequest) -> Result<Payment> {
        self.named(info::CAPTURE, self.capture_payment(request).await)
    }
}

#[async_trait]
impl VoidProvider for GalaxyPay {
    /// Lets go of all that is held. Its path and fields are inferred.
    async fn void(&self, request: &VoidRequest) -> Result<Payment> {
        self.named(info::VOID, self.void_payment(request).await)
    }
}
