//! Tests of single decisions that were wrong once.

use std::time::Duration;

use tulbur_core::{FlowEffect, OperationState, QueryBy};

use super::worlds::{Move, Rules, Told, World, amount, rules, says, step, world};
use super::{Fact, Situation, decide, lease_is_over, write_lease};
use crate::model::event::Source;
use crate::model::operation::OperationKind;
use crate::model::record::Status;
use crate::model::schedule::next_question;

const YEAR: Duration = Duration::from_hours(365 * 24);

/// An unknown refund that was asked about so often, a year ago by this clock.
fn old_refund(asked: u32) -> World {
    let mut world = world(1, Some(OperationKind::Refund));
    let operation = world.operation.as_mut().unwrap();
    (operation.state, operation.asked) = (OperationState::Unknown, asked);
    world.now = world.now.after(YEAR);
    world
}

#[test]
fn an_operation_that_seems_old_is_asked_about_again() {
    let rules = rules(FlowEffect::Inert, QueryBy::MerchantRef);
    let asked_again = |asked| {
        let after = step(&rules, &old_refund(asked), 0, Move::Operation(Told::CannotAsk)).unwrap();
        after.operation.unwrap().lease_until.is_some()
    };
    assert!(asked_again(3), "only three questions");
    assert!(!asked_again(200), "two hundred questions");
}

#[test]
fn a_payment_that_seems_old_is_asked_about_again() {
    let Rules { flow, schedule } = rules(FlowEffect::MovesMoney, QueryBy::MerchantRef);
    let mut payment = world(1, None).payments.remove(0);
    let now = payment.created_at.after(YEAR);
    payment.operation = OperationState::Unknown;
    for (asked, again) in [(0, true), (9, true), (10, false)] {
        payment.asked = asked;
        assert_eq!(next_question(&payment, &flow, &schedule, now).is_some(), again, "{asked} questions");
    }
}

#[test]
fn a_pending_answer_may_name_the_part_that_is_captured() {
    let Rules { flow, schedule } = rules(FlowEffect::Inert, QueryBy::MerchantRef);
    let mut world = world(1, Some(OperationKind::Capture));
    let part = tulbur_core::Money::from_minor(amount().minor() / 2, amount().currency());
    world.payments[0].capturing = Some(part);
    let payment = &world.payments[0];
    let situation = Situation {
        order: None,
        payment,
        operation: None,
        flow: &flow,
        schedule: &schedule,
        confirm_first: false,
        taken: None,
        now: world.now,
        new_id: &|| String::from("id"),
    };
    let listed = |status, amount| {
        let proven = says(Source::Query, status, amount, &payment.reference);
        decide(&situation, Fact::Proven(Box::new(proven), None)).attention.len()
    };
    assert_eq!(listed(Status::Pending, part), 0, "the part that was asked for");
    let other = tulbur_core::Money::from_minor(1, amount().currency());
    assert_eq!(listed(Status::Pending, other), 1, "another part");
}

#[test]
fn a_lease_is_half_as_long_again_as_its_write_and_never_shorter_than_the_schedule_says() {
    let Rules { mut flow, schedule } = rules(FlowEffect::Inert, QueryBy::MerchantRef);
    for (write, lease) in [(1, schedule.operation_lease.as_secs()), (600, 900)] {
        flow.write_within = Duration::from_secs(write);
        assert_eq!(write_lease(&flow, &schedule), Duration::from_secs(lease), "a write of {write} s");
    }
}

#[test]
fn a_lease_is_over_at_its_time_and_when_it_lies_further_ahead_than_any_lease() {
    let Rules { flow, schedule } = rules(FlowEffect::Inert, QueryBy::MerchantRef);
    let now = world(1, None).now;
    let longest = write_lease(&flow, &schedule).saturating_add(Duration::from_mins(1));
    let millisecond = Duration::from_millis(1);
    assert!(lease_is_over(None, &flow, &schedule, now), "there is none");
    for (until, over) in [
        (now, true),
        (now.after(millisecond), false),
        (now.after(longest), false),
        (now.after(longest).after(millisecond), true),
        (now.after(YEAR), true),
    ] {
        assert_eq!(lease_is_over(Some(until), &flow, &schedule, now), over, "until {until}, now {now}");
    }
}
