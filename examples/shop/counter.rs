//! What the shop does with an order that exists: gives money back, takes what is held, lets it go.

use serde::Deserialize;
use tulbur::core::{ChargeRef, Language, Money, OperationState, OrderRef, PaidPart, RefundPart, RefundRule};
use tulbur::payments::{
    CapturePayment, IdempotencyKey, OperationRecord, PaymentId, PaymentRecord, RefundPayment, VoidPayment,
};
use tulbur::web::format_amount;

use crate::Result;
use crate::pages::{Answer, Failure, Shop, Told};

/// A form of the order's page.
#[derive(Debug, Deserialize)]
pub(crate) struct Counter {
    payment: String,
    /// `refund-half`, `refund-rest`, `refund-part` and the part, `capture` or `void`.
    action: String,
    /// Made with the page: a form that is sent twice does its work once.
    key: Option<String>,
}

/// One line of the order's page.
pub(crate) struct Done {
    pub(crate) kind: &'static str,
    pub(crate) amount: Option<String>,
    pub(crate) state: OperationState,
    pub(crate) text: String,
}

pub(crate) fn done(operations: &[OperationRecord], language: Language) -> Vec<Done> {
    let line = |operation: &OperationRecord| Done {
        kind: operation.kind.as_str(),
        amount: operation.amount.map(|amount| format_amount(amount, language)),
        state: operation.state,
        text: operation.text.as_deref().unwrap_or_default().to_owned(),
    };
    operations.iter().map(line).collect()
}

/// Before the part that it gives back.
const REFUND_PART: &str = "refund-part/";

/// The refunds that the provider can make of a payment: the button's action, and its words.
pub(crate) fn refunds(
    payment: &PaymentRecord,
    rule: &RefundRule,
    language: Language,
) -> Vec<(String, String)> {
    let left = payment.taken().map_or(0, |taken| taken.minor() - payment.refunded.map_or(0, Money::minor));
    if rule.part == RefundPart::WholePart {
        let parts = payment.parts.iter().filter(|part| part.refundable && !part.returned);
        let button = |part: &PaidPart| {
            (
                format!("{REFUND_PART}{}", part.charge_ref),
                format!("Refund {}", format_amount(part.amount, language)),
            )
        };
        return parts.map(button).collect();
    }
    let half =
        (left > 0 && rule.part == RefundPart::Any).then(|| ("refund-half".into(), "Refund half".into()));
    let rest = (left > 0).then(|| ("refund-rest".into(), "Refund the rest".into()));
    half.into_iter().chain(rest).collect()
}

impl Shop {
    pub(crate) async fn counter(&self, order: String, form: Counter) -> Told {
        let order = OrderRef::parse(order)?;
        let id = PaymentId::from_text(form.payment);
        let payment = self.payments.payment(&id).await?;
        if payment.order() != Some(&order) {
            return Err(Failure::missing());
        }
        let key = form.key.filter(|key| !key.is_empty()).map(IdempotencyKey::parse).transpose()?;
        self.act(&payment, &form.action, key).await?;
        Ok(Answer::see_other(&format!("/orders/{order}")))
    }

    async fn act(&self, payment: &PaymentRecord, action: &str, key: Option<IdempotencyKey>) -> Result<()> {
        let id = payment.id.clone();
        // The order's page shows how each stands: one that is only accepted is settled later.
        let operation = match action {
            "refund-half" | "refund-rest" => {
                let mut refund = RefundPayment::new(id, "the customer brought it back");
                refund.key = key;
                if action == "refund-half" {
                    let taken = payment.taken().ok_or("nothing was taken")?;
                    refund = refund.amount(Money::from_minor(taken.minor() / 2, taken.currency()));
                }
                self.payments.refund(refund).await?
            }
            _ if action.starts_with(REFUND_PART) => {
                let part = ChargeRef::parse(&action[REFUND_PART.len()..])?;
                let mut refund = RefundPayment::new(id, "the customer brought it back").part(part);
                refund.key = key;
                self.payments.refund(refund).await?
            }
            "capture" => {
                let mut capture = CapturePayment::new(id);
                capture.key = key;
                self.payments.capture(capture).await?
            }
            "void" => {
                let mut void = VoidPayment::new(id, "sold out");
                void.key = key;
                self.payments.void(void).await?
            }
            _ => return Err("the actions are refund-half, refund-rest, refund-part, capture and void".into()),
        };
        if !operation.is_done() {
            tracing::info!(operation = %operation.record().operation_ref, "accepted, and settled later");
        }
        Ok(())
    }
}
