//! The provider's operations, each made ready so that only the operation itself is left to run.

use tulbur_core::{
    CancelRequest, CaptureRequest, CardToken, ChargeRequest, CreateCardSetup, CreateInvoice, Effect,
    MerchantRef, Money, Monotonic, OperationRef, PaymentRef, PaymentStatus, Provider, RandomIds, RefundPart,
    RefundRequest, VoidRequest, Way,
};

use crate::broken::Nobody;
use crate::counterpart::Deed;
use crate::wire::Trouble;
use crate::world::{Checked, Stop, World, create, ensure, fail};

/// An operation that the suite tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    CreateInvoice,
    CreateQr,
    CreateCardSetup,
    Charge,
    Refund,
    Cancel,
    Capture,
    Void,
    DeleteCard,
    Query,
    QueryCharge,
    ReadCardSetup,
}

impl Op {
    const ALL: [Self; 12] = [
        Self::CreateInvoice,
        Self::CreateQr,
        Self::CreateCardSetup,
        Self::Charge,
        Self::Refund,
        Self::Cancel,
        Self::Capture,
        Self::Void,
        Self::DeleteCard,
        Self::Query,
        Self::QueryCharge,
        Self::ReadCardSetup,
    ];

    /// Those that the provider offers.
    pub(crate) fn offered(provider: &dyn Provider) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|op| match op {
            Self::CreateInvoice => provider.invoices().is_some(),
            Self::CreateQr => provider.qr().is_some(),
            Self::CreateCardSetup | Self::ReadCardSetup => provider.tokenize().is_some(),
            Self::Charge => provider.charges().is_some(),
            Self::Refund => provider.refunds().is_some(),
            Self::Cancel => provider.cancels().is_some(),
            Self::Capture => provider.captures().is_some(),
            Self::Void => provider.voids().is_some(),
            Self::DeleteCard => provider.vault().is_some(),
            Self::Query => provider.queries().is_some(),
            Self::QueryCharge => provider.queries().is_some() && provider.charges().is_some(),
        })
    }

    pub(crate) fn is_write(self) -> bool {
        !matches!(self, Self::Query | Self::QueryCharge | Self::ReadCardSetup)
    }

    /// Whether its request carries the moment before which it must be on its way.
    pub(crate) fn has_deadline(self) -> bool {
        self.is_write() && self != Self::DeleteCard
    }

    /// As the names of checks have it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::CreateInvoice => "create_invoice",
            Self::CreateQr => "create_qr",
            Self::CreateCardSetup => "create_card_setup",
            Self::Charge => "charge",
            Self::Refund => "refund",
            Self::Cancel => "cancel",
            Self::Capture => "capture",
            Self::Void => "void",
            Self::DeleteCard => "delete_card",
            Self::Query => "query",
            Self::QueryCharge => "query_charge",
            Self::ReadCardSetup => "read_card_setup",
        }
    }

    /// Does all that comes before the operation.
    pub(crate) async fn prepare(self, world: &World) -> Checked<Ready> {
        Ok(match self {
            Self::CreateInvoice | Self::CreateQr => {
                let mut request = world.invoice_request(world.amount());
                if self == Self::CreateQr {
                    request.way = Way::Qr;
                } else if request.way == Way::Qr
                    && world.provider.qr().is_some()
                    && let Some(way) = world.info().ways.iter().find(|way| **way != Way::Qr)
                {
                    request.way = *way;
                }
                Ready::Invoice(request)
            }
            Self::CreateCardSetup => Ready::Setup(world.setup_request()),
            Self::Charge => {
                let token = world.card(Deed::Pay).await?;
                Ready::Charge(world.charge_request(world.amount(), token))
            }
            Self::Refund => {
                let payment = world.paid().await?;
                Ready::Refund(refund_request(world, payment, world.amount()).await?)
            }
            Self::Cancel => Ready::Cancel(CancelRequest::new(world.open().await?.payment)),
            Self::Capture => {
                let payment = world.authorized().await?;
                Ready::Capture(CaptureRequest::new(payment, operation_ref(), world.amount()))
            }
            Self::Void => Ready::Void(VoidRequest::new(world.authorized().await?, operation_ref())),
            Self::DeleteCard => Ready::Delete(world.card(Deed::Pay).await?),
            Self::Query => Ready::Query(world.paid().await?),
            Self::QueryCharge => {
                let token = world.card(Deed::Pay).await?;
                let request = world.charge_request(world.amount(), token);
                let Some(charges) = world.provider.charges() else { return fail("it cannot charge") };
                Ready::Query(charges.charge(&request).await?.payment.reference)
            }
            Self::ReadCardSetup => {
                let Some(cards) = world.provider.tokenize() else { return fail("it cannot save cards") };
                let setup = cards.create_card_setup(&world.setup_request()).await?;
                Ready::Read(setup.reference)
            }
        })
    }

    /// Prepares it, and finds the name under which its own request (not a login before it) leaves.
    pub(crate) async fn learn(self, world: &World) -> Checked<Learnt> {
        let ready = self.prepare(world).await?;
        world.wire.reset();
        ready.run(world).await?;
        let seen = world.wire.seen();
        let changing = seen.iter().rev().find(|seen| seen.effect.is_write());
        let one = if self.is_write() { changing.or(seen.last()) } else { seen.last() };
        match one {
            Some(seen) => Ok(Learnt { operation: seen.operation, effect: seen.effect }),
            None => fail(format!("{} succeeded without sending anything", self.name())),
        }
    }
}

/// The request of an operation, as it leaves.
#[derive(Debug, Clone)]
pub(crate) struct Learnt {
    pub(crate) operation: &'static str,
    pub(crate) effect: Effect,
}

pub(crate) fn operation_ref() -> OperationRef {
    let id = tulbur_core::IdSource::uuid_v7(&RandomIds);
    OperationRef::parse(id).expect("32 hexadecimal characters are a name")
}

/// A refund; of the first part, where a provider gives back whole parts.
pub(crate) async fn refund_request(
    world: &World,
    payment: PaymentRef,
    amount: Money,
) -> Checked<RefundRequest> {
    let by_part = world.info().refunds.as_ref().is_some_and(|rule| rule.part == RefundPart::WholePart);
    let parts = if by_part { world.query(&payment).await?.parts } else { Vec::new() };
    let mut request = RefundRequest::new(payment, operation_ref(), amount, "sent back");
    request.taken = Some(world.amount());
    request.part = parts.into_iter().next().map(|part| part.charge_ref);
    Ok(request)
}

/// An operation of which everything but itself is done.
#[derive(Debug, Clone)]
pub(crate) enum Ready {
    Invoice(CreateInvoice),
    Setup(CreateCardSetup),
    Charge(ChargeRequest),
    Refund(RefundRequest),
    Cancel(CancelRequest),
    Capture(CaptureRequest),
    Void(VoidRequest),
    Delete(CardToken),
    Query(PaymentRef),
    Read(PaymentRef),
}

impl Ready {
    /// The same, to be on its way before this moment.
    pub(crate) fn send_by(self, moment: Monotonic) -> Self {
        let moment = Some(moment);
        match self {
            Self::Invoice(request) => Self::Invoice(request.send_by(moment)),
            Self::Setup(request) => Self::Setup(request.send_by(moment)),
            Self::Charge(request) => Self::Charge(request.send_by(moment)),
            Self::Refund(request) => Self::Refund(request.send_by(moment)),
            Self::Cancel(request) => Self::Cancel(request.send_by(moment)),
            Self::Capture(request) => Self::Capture(request.send_by(moment)),
            Self::Void(request) => Self::Void(request.send_by(moment)),
            other @ (Self::Delete(_) | Self::Query(_) | Self::Read(_)) => other,
        }
    }

    pub(crate) async fn run(&self, world: &World) -> tulbur_core::Result<Option<PaymentStatus>> {
        self.run_by(&*world.provider).await
    }

    /// Runs it, and says how the payment then stands, where the answer says so.
    pub(crate) async fn run_by(&self, provider: &dyn Provider) -> tulbur_core::Result<Option<PaymentStatus>> {
        let absent = || tulbur_core::Error::new(tulbur_core::ErrorKind::Unsupported, "the ability is absent");
        Ok(match self {
            Self::Invoice(request) => Some(create(provider, request).await?.status),
            Self::Setup(request) => {
                provider.tokenize().ok_or_else(absent)?.create_card_setup(request).await?;
                None
            }
            Self::Charge(request) => {
                let charges = provider.charges().ok_or_else(absent)?;
                Some(tulbur_core::charge(charges, request).await?.payment.status)
            }
            Self::Refund(request) => {
                provider.refunds().ok_or_else(absent)?.refund(request).await?;
                None
            }
            Self::Cancel(request) => {
                Some(provider.cancels().ok_or_else(absent)?.cancel(request).await?.status)
            }
            Self::Capture(request) => {
                Some(provider.captures().ok_or_else(absent)?.capture(request).await?.status)
            }
            Self::Void(request) => Some(provider.voids().ok_or_else(absent)?.void(request).await?.status),
            Self::Delete(token) => {
                provider.vault().ok_or_else(absent)?.delete_card(token).await?;
                None
            }
            Self::Query(payment) => {
                let queries = provider.queries().ok_or_else(absent)?;
                Some(tulbur_core::confirm(queries, payment).await?.status)
            }
            Self::Read(setup) => {
                let cards = provider.tokenize().ok_or_else(absent)?;
                tulbur_core::confirm_card_setup(cards, setup).await?;
                None
            }
        })
    }

    /// The path on which this very request leaves: it may carry an id of the payment. Nothing arrives anywhere.
    pub(crate) async fn aim(&self, world: &World, operation: &'static str) -> Checked<String> {
        let nobody = Nobody::here()?;
        world.wire.reset();
        world.wire.plan(operation, Trouble::Divert(nobody.address), usize::MAX);
        let result = self.run(world).await;
        let seen = world.wire.seen();
        world.wire.reset();
        ensure!(result.is_err(), "it succeeded, although nobody could be reached");
        match seen.into_iter().rev().find(|seen| seen.operation == operation) {
            Some(seen) => Ok(seen.path),
            None => fail(format!("{operation} was learnt, and is not what leaves now")),
        }
    }

    /// The reference that the counterpart knows it by.
    pub(crate) fn reference(&self) -> Option<&MerchantRef> {
        match self {
            Self::Invoice(request) => Some(&request.merchant_ref),
            Self::Setup(request) => Some(&request.merchant_ref),
            Self::Charge(request) => Some(&request.merchant_ref),
            Self::Refund(request) => Some(&request.payment.merchant_ref),
            Self::Capture(request) => Some(&request.payment.merchant_ref),
            Self::Void(request) => Some(&request.payment.merchant_ref),
            Self::Cancel(request) => Some(&request.payment.merchant_ref),
            Self::Query(payment) | Self::Read(payment) => Some(&payment.merchant_ref),
            Self::Delete(_) => None,
        }
    }
}

/// The error of an operation that should not have succeeded.
pub(crate) fn error_of<T: std::fmt::Debug>(
    what: &str,
    result: tulbur_core::Result<T>,
) -> Result<tulbur_core::Error, Stop> {
    match result {
        Err(error) => Ok(error),
        Ok(value) => Err(Stop::Failed(format!("{what}: it was taken as a success: {value:?}"))),
    }
}
