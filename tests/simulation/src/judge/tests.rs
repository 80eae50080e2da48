//! The judge is judged: by outcomes made by hand.

use super::judge;
use crate::bank::{Entry, Move, Request, Standing};
use crate::fault::Kind;
use crate::notes::{Answer, CallNote, EventNote, Heard, Listed, Said};
use crate::outcome::{OperationSeen, Outcome, PaymentSeen};

/// An order that was paid once, told and shipped.
fn good() -> Outcome {
    let mut outcome = Outcome::default();
    add_payment(&mut outcome, "p1", "o1");
    outcome.notes.handlers.insert("ship".into(), 0);
    event(&mut outcome, "paid", "p1", 1000);
    outcome
}

fn add_payment(outcome: &mut Outcome, label: &str, order: &str) {
    outcome.payments.push(PaymentSeen {
        id: format!("id-{label}"),
        label: label.into(),
        order: order.into(),
        account: "north".into(),
        merchant_ref: format!("ref-{label}"),
        provider_ref: Some(format!("bank-{label}")),
        status: "paid".into(),
        operation: "succeeded".into(),
        confirmed: true,
        askable: true,
        taken: 1000,
        refunded: 0,
        history: 3,
    });
    let at = u64::try_from(outcome.payments.len()).unwrap() * 100;
    outcome.bank.push(Entry {
        account: "north".into(),
        flow: "page".into(),
        merchant_ref: format!("ref-{label}"),
        provider_ref: format!("bank-{label}"),
        label: label.into(),
        amount: 1000,
        notify_url: None,
        later: false,
        standing: Standing::Paid,
        not_final_until: 0,
        debits: vec![Move { at: at + 10, amount: 1000, by: "payer".into(), by_shop: false }],
        refunds: Vec::new(),
        requests: Vec::new(),
        questions: 3,
        made_at: at,
        shown: true,
        lied: false,
        twisted: false,
        notified: 1,
    });
}

/// An event that every handler heard.
fn event(outcome: &mut Outcome, kind: &str, label: &str, amount: i64) {
    let id = format!("event-{}", outcome.notes.events.len());
    let order = outcome.labelled(label).unwrap().order.clone();
    outcome.notes.events.push(EventNote {
        id: id.clone(),
        at: 5,
        kind: kind.into(),
        order: Some(order),
        payment: Some(format!("id-{label}")),
        amount: Some(amount),
    });
    outcome.notes.heard.push(Heard { handler: "ship".into(), event: id, at: 6 });
}

fn list(outcome: &mut Outcome, kind: &str, label: &str) {
    let key = format!("{kind}/id-{label}");
    let item = Listed {
        key: key.clone(),
        kind: kind.into(),
        payment: Some(format!("id-{label}")),
        order: None,
        detail: String::new(),
        at: 7,
        open: true,
        by_person: false,
    };
    outcome.notes.listed.insert(key, item);
}

fn moved(at: u64, amount: i64, by: &str) -> Move {
    Move { at, amount, by: by.into(), by_shop: true }
}

#[track_caller]
fn complains(outcome: &Outcome, word: &str) {
    let found: Vec<&str> = judge(outcome).iter().map(|complaint| complaint.word).collect();
    assert!(found.contains(&word), "{word} is expected, found {found:?}");
}

#[track_caller]
fn is_silent(outcome: &Outcome) {
    let found: Vec<String> = judge(outcome).iter().map(ToString::to_string).collect();
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn a_good_outcome_is_good() {
    is_silent(&good());
}

#[test]
fn a_write_that_was_sent_twice_is_found() {
    let mut outcome = good();
    let request = Request { what: "refund".into(), operation: "r1".into(), at: 1 };
    outcome.bank[0].requests = vec![request.clone(), request];
    complains(&outcome, "sent-twice");
}

#[test]
fn more_given_back_than_taken_must_be_listed() {
    let mut outcome = good();
    outcome.bank[0].refunds = vec![moved(1, 1000, "r1"), moved(2, 500, "r2")];
    outcome.payments[0].refunded = 1500;
    complains(&outcome, "over-refunded");
    list(&mut outcome, "amount-mismatch", "p1");
    complains(&outcome, "over-refunded");
    outcome.bank[0].twisted = true;
    is_silent(&outcome);
    outcome.notes.listed.clear();
    complains(&outcome, "over-refunded");
    outcome.notes.said.push(Said { payment: "id-p1".into(), operation: Some("r1".into()), happened: true });
    is_silent(&outcome);
}

#[test]
fn two_debits_by_the_shop_are_found_and_a_payer_s_second_must_be_told() {
    let mut outcome = good();
    add_payment(&mut outcome, "p2", "o1");
    complains(&outcome, "not-reported");
    event(&mut outcome, "paid-again", "p2", 1000);
    is_silent(&outcome);
    outcome.bank[0].debits = vec![moved(110, 1000, "p1")];
    complains(&outcome, "double-debit");
    outcome.bank[0].lied = true;
    is_silent(&outcome);
}

#[test]
fn an_order_is_paid_once_and_not_without_a_debit() {
    let mut outcome = good();
    event(&mut outcome, "paid", "p1", 1000);
    complains(&outcome, "paid-twice");

    let mut outcome = good();
    outcome.bank[0].debits.clear();
    outcome.payments[0].taken = 0;
    complains(&outcome, "paid-without-debit");
    outcome.notes.said.push(Said { payment: "id-p1".into(), operation: None, happened: true });
    is_silent(&outcome);
}

#[test]
fn a_debit_without_paid_must_be_listed() {
    let mut outcome = good();
    outcome.notes.events.clear();
    complains(&outcome, "no-paid");
    list(&mut outcome, "unproven", "p1");
    is_silent(&outcome);
}

#[test]
fn what_is_stored_must_be_what_the_books_say() {
    let mut outcome = good();
    outcome.payments[0].taken = 600;
    complains(&outcome, "differs");
    list(&mut outcome, "paid-again", "p1");
    complains(&outcome, "differs");
    list(&mut outcome, "amount-mismatch", "p1");
    complains(&outcome, "false-alarm");
    outcome.bank[0].twisted = true;
    is_silent(&outcome);
    for item in outcome.notes.listed.values_mut() {
        item.open = false;
    }
    complains(&outcome, "differs");
    for item in outcome.notes.listed.values_mut() {
        item.by_person = true;
    }
    is_silent(&outcome);
}

#[test]
fn the_amount_that_is_told_must_be_what_was_taken() {
    let mut outcome = good();
    outcome.notes.events[0].amount = Some(600);
    complains(&outcome, "differs");
}

#[test]
fn no_payment_counts_for_more_than_was_taken_and_no_more_is_taken_than_is_held() {
    let mut outcome = good();
    outcome.notes.events[0].amount = Some(1500);
    list(&mut outcome, "amount-mismatch", "p1");
    complains(&outcome, "paid-short");

    let mut outcome = good();
    outcome.bank[0].later = true;
    is_silent(&outcome);
    outcome.bank[0].amount = 900;
    complains(&outcome, "over-captured");
}

#[test]
fn one_key_is_one_refund_and_free_while_nothing_was_sent() {
    let mut outcome = good();
    outcome.bank[0].refunds = vec![moved(2, 300, "r1"), moved(3, 300, "r1")];
    outcome.payments[0].refunded = 600;
    complains(&outcome, "key-twice");

    let call = |at: u64, answer| CallNote {
        label: "r1".into(),
        what: "refund",
        process: 0,
        at,
        answer: Some((at + 1, answer)),
        lost: false,
    };
    let mut outcome = good();
    outcome.notes.calls = vec![call(1, Answer::Nothing("not sent".into())), call(5, Answer::Refused)];
    complains(&outcome, "burnt-key");
    outcome.notes.calls.remove(0);
    is_silent(&outcome);
}

#[test]
fn what_is_settled_is_not_listed_as_unresolved() {
    let mut outcome = good();
    list(&mut outcome, "unresolved-operation", "p1");
    complains(&outcome, "false-alarm");
    outcome.bank[0].lied = true;
    is_silent(&outcome);
}

#[test]
fn what_a_person_took_off_and_is_open_is_listed_again() {
    let mut outcome = good();
    outcome.operations.push(OperationSeen {
        reference: "r1".into(),
        kind: "refund".into(),
        payment: "id-p1".into(),
        amount: Some(100),
        state: "unknown".into(),
    });
    list(&mut outcome, "unresolved-operation", "p1");
    for item in outcome.notes.listed.values_mut() {
        (item.key, item.open, item.by_person) = ("unresolved-operation/r1".into(), false, true);
    }
    complains(&outcome, "not-relisted");
    for item in outcome.notes.listed.values_mut() {
        item.open = true;
    }
    is_silent(&outcome);
}

#[test]
fn paid_does_not_go_back_and_events_keep_their_order() {
    let mut outcome = good();
    outcome.payments[0].status = "canceled".into();
    complains(&outcome, "went-back");

    let mut outcome = good();
    event(&mut outcome, "refunded", "p1", 0);
    is_silent(&outcome);
    outcome.notes.heard.reverse();
    complains(&outcome, "out-of-order");
}

#[test]
fn who_opens_a_page_can_show_it() {
    let mut outcome = good();
    let page = |has_next| {
        let (status, operation) = ("pending".into(), "succeeded".into());
        let answer = Some((2, Answer::Payment { status, operation, has_next }));
        CallNote { label: "p1".into(), what: "open", process: 0, at: 1, answer, lost: false }
    };
    outcome.notes.calls = vec![page(true)];
    is_silent(&outcome);
    outcome.notes.calls = vec![page(false)];
    complains(&outcome, "no-next");
}

#[test]
fn what_was_never_sent_is_not_unknown() {
    let mut outcome = good();
    add_payment(&mut outcome, "p2", "o2");
    outcome.bank.pop();
    let unsent = &mut outcome.payments[1];
    (unsent.status, unsent.operation, unsent.taken) = ("pending".into(), "unknown".into(), 0);
    list(&mut outcome, "unresolved-operation", "p2");
    complains(&outcome, "unsent-unknown");
    outcome.fault_counts.add(Kind::RequestLost);
    is_silent(&outcome);
}

#[test]
fn two_payments_share_no_reference() {
    let mut outcome = good();
    add_payment(&mut outcome, "p2", "o2");
    event(&mut outcome, "paid", "p2", 1000);
    is_silent(&outcome);
    outcome.payments[1].provider_ref = outcome.payments[0].provider_ref.clone();
    complains(&outcome, "shared-reference");
}

#[test]
fn every_handler_hears_everything_since_it_is_there() {
    let mut outcome = good();
    outcome.notes.handlers.insert("mail".into(), 6);
    is_silent(&outcome);
    outcome.notes.handlers.insert("mail".into(), 5);
    complains(&outcome, "unheard");
}

#[test]
fn everything_ends_or_is_listed() {
    let mut outcome = good();
    outcome.payments[0].confirmed = false;
    complains(&outcome, "unconfirmed");

    let mut outcome = good();
    add_payment(&mut outcome, "p2", "o2");
    outcome.bank[1].debits.clear();
    outcome.bank[1].standing = Standing::Open;
    (outcome.payments[1].status, outcome.payments[1].taken) = ("pending".into(), 0);
    complains(&outcome, "unfinished");
    list(&mut outcome, "unresolved-operation", "p2");
    is_silent(&outcome);

    let mut outcome = good();
    outcome.operations.push(OperationSeen {
        reference: "r1".into(),
        kind: "refund".into(),
        payment: "id-p1".into(),
        amount: Some(100),
        state: "unknown".into(),
    });
    complains(&outcome, "unlisted");
    list(&mut outcome, "unresolved-operation", "p1");
    complains(&outcome, "unlisted");
    for item in outcome.notes.listed.values_mut() {
        item.key = "unresolved-operation/r1".into();
    }
    is_silent(&outcome);
    outcome.operations[0].state = "submitted".into();
    complains(&outcome, "unfinished");
}

#[test]
fn questions_and_history_are_bounded() {
    let mut outcome = good();
    outcome.bank[0].questions = 10_000;
    complains(&outcome, "questions");
    let mut outcome = good();
    outcome.payments[0].history = 10_000;
    complains(&outcome, "history");
}

#[test]
fn a_call_ends_and_tells_the_truth() {
    let mut outcome = good();
    let call =
        |answer, lost| CallNote { label: "r1".into(), what: "refund", process: 0, at: 1, answer, lost };
    outcome.notes.calls = vec![call(None, true)];
    is_silent(&outcome);
    outcome.notes.calls = vec![call(None, false)];
    complains(&outcome, "call-hangs");
    outcome.bank[0].refunds = vec![moved(2, 300, "r1")];
    outcome.payments[0].refunded = 300;
    outcome.notes.calls = vec![call(Some((3, Answer::Nothing("locked".into()))), false)];
    complains(&outcome, "told-nothing");
    let unknown = Answer::Operation { reference: "x".into(), state: "unknown".into() };
    outcome.notes.calls = vec![call(Some((3, unknown)), false)];
    is_silent(&outcome);
}
