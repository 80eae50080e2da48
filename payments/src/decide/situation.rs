//! Defines the input of a decision, and the rules that follow from the flow alone.

use std::time::Duration;

use tulbur_core::{FlowEffect, FlowInfo, OperationState, ProviderRef, QueryBy, Timestamp};

use crate::model::operation::OperationRecord;
use crate::model::record::{OrderRecord, PaymentRecord, Status};
use crate::model::schedule::Schedule;

/// What a decision is made on.
pub(crate) struct Situation<'a> {
    pub(crate) order: Option<&'a OrderRecord>,
    pub(crate) payment: &'a PaymentRecord,
    /// The operation that the fact is about, if it is about one.
    pub(crate) operation: Option<&'a OperationRecord>,
    pub(crate) flow: &'a FlowInfo,
    pub(crate) schedule: &'a Schedule,
    /// Whether a notification counts only once a query has confirmed it.
    pub(crate) confirm_first: bool,
    /// A reference of the provider's that another payment of the account has.
    pub(crate) taken: Option<&'a ProviderRef>,
    pub(crate) now: Timestamp,
    pub(crate) new_id: &'a dyn Fn() -> String,
}

/// How long the lease of a write is good for: longer than the write may take.
pub(crate) fn write_lease(flow: &FlowInfo, schedule: &Schedule) -> Duration {
    let within = schedule.write_within(flow);
    schedule.operation_lease.max(within.saturating_add(within / 2))
}

/// Whether a lease is over. One that lies further ahead than any lease is good for was written by a wrong clock.
pub(crate) fn lease_is_over(
    until: Option<Timestamp>,
    flow: &FlowInfo,
    schedule: &Schedule,
    now: Timestamp,
) -> bool {
    until
        .is_none_or(|until| until <= now || until > now.after(write_lease(flow, schedule)).after(LEASE_SLACK))
}

/// By how much the clocks that leases are written by may differ.
const LEASE_SLACK: Duration = Duration::from_mins(1);

/// Whether a write of this flow can take money without the payer doing anything more.
pub(crate) fn moves_money(flow: &FlowInfo) -> bool {
    flow.effect == FlowEffect::MovesMoney
}

/// Whether a payment of this flow can be asked about at all.
pub(crate) fn can_be_asked(flow: &FlowInfo, payment: &PaymentRecord) -> bool {
    match flow.query_by {
        QueryBy::Nothing => false,
        QueryBy::ProviderRef => payment.reference.provider_ref.is_some(),
        QueryBy::MerchantRef | QueryBy::MerchantRefAndAmount => true,
    }
}

/// Whether money may be moving that nobody has told us of: the charge was sent, it is not final, and the payer has
/// nothing left to do.
pub(crate) fn may_be_charged(flow: &FlowInfo, payment: &PaymentRecord) -> bool {
    moves_money(flow)
        && payment.status == Status::Pending
        && !matches!(payment.operation, OperationState::Reserved | OperationState::Refused)
        && payment.next.is_empty()
}
