//! Says what must hold after every step, in whatever order the steps come.

use tulbur_core::{Money, OperationState, QueryBy};

use super::may_be_charged;
use super::worlds::{Move, Rules, World, amount};
use crate::model::event::AttentionKind;
use crate::model::operation::OperationKind;
use crate::model::record::Status;

/// What must hold after every step.
pub(super) fn holds(rules: &Rules, before: &World, after: &World, path: &[(usize, Move)]) {
    let count = |world: &World, name| world.events.iter().filter(|kind| kind.name() == name).count();
    let paid: Vec<usize> =
        (0..after.payments.len()).filter(|n| after.payments[*n].status == Status::Paid).collect();
    assert_eq!(count(after, "paid"), usize::from(!paid.is_empty()), "{path:?}: {:?}", after.events);
    assert_eq!(count(after, "paid-again"), paid.len().saturating_sub(1), "{path:?}: {:?}", after.events);
    assert_eq!(after.order.paid_by.is_some(), !paid.is_empty(), "{path:?}");
    for number in paid {
        assert!(after.proven.contains(&number), "{path:?}: paid, and nothing proved it");
    }
    for (was, is) in before.payments.iter().zip(&after.payments) {
        assert!(was.status != Status::Paid || is.status == Status::Paid, "{path:?}: paid went back");
    }
    for payment in &after.payments {
        let listed = |kind| after.listed.contains(&format!("{kind}/{}", payment.id));
        let unresolved = listed(AttentionKind::UnresolvedOperation);
        let unknown = payment.operation == OperationState::Unknown;
        if payment.status.is_success() {
            assert!(!unresolved && !listed(AttentionKind::Unproven), "{path:?}: known, and still listed");
        }
        if rules.flow.query_by != QueryBy::Nothing {
            let may_be_charged = may_be_charged(&rules.flow, payment);
            assert!(
                !unresolved || unknown || may_be_charged,
                "{path:?}: listed, and the provider has told what became of it"
            );
        }
        let mismatch = format!("{}/{}", AttentionKind::AmountMismatch, payment.id);
        let is_listed = after.listed.iter().any(|key| key.starts_with(&mismatch));
        if payment.received().is_some() {
            assert!(
                !payment.status.is_failed() || is_listed,
                "{path:?}: it ended, and what came is not listed"
            );
            let over = payment.status.is_open() && payment.ask_at.is_none();
            assert!(!over || is_listed, "{path:?}: nobody asks any more, and what came is not listed");
        }
        let is_stuck = unknown && payment.status.is_open() && payment.ask_at.is_none();
        assert!(!is_stuck || unresolved, "{path:?}: it is never asked about again, and it is not listed");
    }
    if let Some(operation) = &after.operation {
        let key = format!("{}/{}", AttentionKind::UnresolvedOperation, operation.operation_ref);
        assert!(
            !after.listed.contains(&key) || operation.is_unresolved(),
            "{path:?}: listed, and it is known what became of it"
        );
        assert!(count(after, "refunded") <= 1, "{path:?}: one refund was told twice");
        let given = after.payments[0].refunded.map_or(0, Money::minor);
        assert!(given <= amount().minor(), "{path:?}: more was given back than was taken");
        let settled = operation.kind == OperationKind::Refund && operation.state == OperationState::Succeeded;
        // Somebody's word that its own request then contradicted is listed.
        let taken_back =
            after.listed.iter().any(|key| key.starts_with(AttentionKind::Contradiction.as_str()));
        assert!(
            count(after, "refunded") == usize::from(settled) || taken_back,
            "{path:?}: {operation:?}: {:?}",
            after.events
        );
    }
}
