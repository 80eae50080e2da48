//! Every order of facts up to length six, on one payment and on two of one order: the promises hold after each.
//!
//! States that differ in nothing that a decision looks at are visited once.

use std::collections::HashSet;

use tulbur_core::{Asking, FlowEffect, QueryBy};

use super::must_hold::holds;
use super::worlds::{Move, Rules, TOLD, World, key, moves, rules, step, world};
use crate::model::event::Source;
use crate::model::operation::OperationKind;
use crate::model::record::Status;

const LENGTH: usize = 6;

fn explore(rules: &Rules, start: World, moves: &[Move]) -> usize {
    let mut visited = 0;
    let mut layer = vec![(start, Vec::new())];
    // What was reached by a shorter way has been gone on from, for longer.
    let mut seen = HashSet::new();
    for _ in 0..LENGTH {
        let mut next_layer = Vec::new();
        for (world, path) in &layer {
            for which in 0..world.payments.len() {
                for next in moves {
                    let Some(after) = step(rules, world, which, *next) else { continue };
                    let mut path: Vec<(usize, Move)> = path.clone();
                    path.push((which, *next));
                    holds(rules, world, &after, &path);
                    visited += 1;
                    if path.len() < LENGTH && seen.insert(key(&after)) {
                        next_layer.push((after, path));
                    }
                }
            }
        }
        layer = next_layer;
    }
    visited
}

#[test]
fn one_payment() {
    for (effect, query_by) in [
        (FlowEffect::Inert, QueryBy::MerchantRef),
        (FlowEffect::MovesMoney, QueryBy::MerchantRef),
        (FlowEffect::Inert, QueryBy::Nothing),
    ] {
        let visited = explore(&rules(effect, query_by), world(1, None), &moves());
        assert!(visited > 10_000, "only {visited} steps");
    }
}

/// A part, all of it, too much, and money that went back, however they are mixed with the rest.
#[test]
fn money_in_parts() {
    let all = [
        Move::Opened,
        Move::Lost,
        Move::Came(&[]),
        Move::Came(&[(60, false)]),
        Move::Came(&[(60, false), (40, false)]),
        Move::Came(&[(60, false), (70, false)]),
        Move::Came(&[(60, true)]),
        Move::Came(&[(100, true)]),
        Move::Came(&[(60, true), (100, false)]),
        Move::Says(Source::Query, Status::Canceled),
        Move::NotFound,
        Move::CannotAsk,
        Move::GivenUp,
        Move::Hinted,
        Move::Later,
        Move::PersonSaysPaid,
        Move::PersonSaysNot,
    ];
    for asking in [Asking::BySchedule, Asking::OnHint] {
        let mut rules = rules(FlowEffect::Inert, QueryBy::ProviderRef);
        rules.flow = rules.flow.asking(asking);
        let visited = explore(&rules, world(1, None), &all);
        assert!(visited > 10_000, "only {visited} steps");
    }
}

#[test]
fn two_payments_of_one_order() {
    let few = [
        Move::Opened,
        Move::Lost,
        Move::Says(Source::Query, Status::Paid),
        Move::Says(Source::Notification, Status::Paid),
        Move::Says(Source::Query, Status::Declined),
        Move::GivenUp,
        Move::Later,
    ];
    let visited = explore(&rules(FlowEffect::Inert, QueryBy::MerchantRef), world(2, None), &few);
    assert!(visited > 5_000, "only {visited} steps");
}

#[test]
fn an_operation() {
    for kind in [OperationKind::Refund, OperationKind::Capture, OperationKind::Void, OperationKind::Cancel] {
        let mut all: Vec<Move> = TOLD.into_iter().map(Move::Operation).collect();
        all.extend([
            Move::Later,
            Move::Says(Source::Query, Status::Paid),
            Move::Says(Source::Query, Status::Authorized),
            Move::Says(Source::Query, Status::Canceled),
        ]);
        let visited = explore(&rules(FlowEffect::Inert, QueryBy::MerchantRef), world(1, Some(kind)), &all);
        assert!(visited > 1_000, "{kind}: only {visited} steps");
    }
}
