//! The judge is judged: it finds nothing in a street where all is well, and every way in which something is not.

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};

use super::{Evidence, Look, compare};

/// What the providers wrote down, what the shop lists, and what its order says.
struct Case {
    books: Vec<(&'static str, &'static str, Value)>,
    listed: Vec<&'static str>,
    order: Value,
}

impl Case {
    fn judged(&self) -> Look {
        let entry = |(provider, reference, entry): &(&str, &str, Value)| {
            (((*provider).to_owned(), (*reference).to_owned()), entry.clone())
        };
        let evidence = Evidence {
            books: self.books.iter().map(entry).collect::<HashMap<_, _>>(),
            listed: self.listed.iter().map(|key| (*key).to_owned()).collect::<HashSet<_>>(),
            refunds_asked: HashMap::from([("a".to_owned(), 1)]),
        };
        compare(&evidence, std::slice::from_ref(&self.order))
    }

    fn payment(&mut self, number: usize) -> &mut Value {
        &mut self.order["payments"][number]
    }

    fn says(mut self, number: usize, name: &str, value: &str) -> Self {
        self.payment(number)[name] = value.into();
        self
    }

    fn debited(mut self, number: usize, debits: u64) -> Self {
        self.books[number].2["debits"] = debits.into();
        self
    }

    fn counts(mut self, paid: u64, shipped: u64, again: u64) -> Self {
        self.order["paid_events"] = paid.into();
        self.order["shipped"] = shipped.into();
        self.order["paid_again_events"] = again.into();
        self
    }

    fn lists(mut self, key: &'static str) -> Self {
        self.listed.push(key);
        self
    }

    fn operation(mut self, kind: &str, state: &str, amount: &str) -> Self {
        let operation = json!({ "kind": kind, "state": state, "amount": amount, "reference": "operation" });
        self.payment(0)["operations"].as_array_mut().expect("it is a list").push(operation);
        self
    }
}

fn payment(id: &str, account: &str, status: &str) -> Value {
    json!({
        "id": id, "account": account, "reference": format!("ref-{id}"), "status": status, "operation": "succeeded",
        "provider_reference": "theirs", "refunded": null, "operations": [],
    })
}

/// An order that was paid once at the gateway, after a first try with SocialPay that nobody paid.
fn well() -> Case {
    Case {
        books: vec![
            ("galaxy-pay", "ref-a", json!({ "kind": "redirect", "amount": "900", "debits": 1 })),
            ("golomt-instore", "ref-b", json!({ "kind": "qr", "debits": 0 })),
        ],
        listed: Vec::new(),
        order: json!({
            "order": "order-1", "paid_events": 1, "shipped": 1, "paid_again_events": 0,
            "payments": [payment("a", "galaxy-pay", "paid"), payment("b", "golomt-instore", "expired")],
        }),
    }
}

fn unpaid(status: &str) -> Case {
    well().says(0, "status", status).debited(0, 0).counts(0, 0, 0)
}

/// 500 were given back, and the bank's answer told of 1500.
fn told_of_too_much() -> Case {
    let mut told = well().says(0, "account", "golomt-instore").says(0, "reference", "ref-c");
    told.books[0] =
        ("golomt-instore", "ref-c", json!({ "amount": "900", "debits": 1, "refunds": 1, "refunded": "500" }));
    told.operation("refund", "succeeded", "1500 MNT").says(0, "refunded", "1500 MNT")
}

#[test]
fn the_judge_is_content_with_what_is_well() {
    let mut refunded = well().operation("refund", "succeeded", "500.00 VND").says(0, "refunded", "500 VND");
    refunded.books[0].2["refunds"] = 1.into();
    refunded.books[0].2["refundOrders"] = json!({ "operation": "500" });
    let mut by_sum = well().says(0, "account", "golomt-instore").says(0, "reference", "ref-c");
    by_sum.books[0] =
        ("golomt-instore", "ref-c", json!({ "amount": "900", "debits": 1, "refunds": 1, "refunded": "500" }));
    let by_sum = by_sum.operation("refund", "unknown", "500 MNT").lists("unresolved-operation/operation");
    let told_too_much = told_of_too_much().lists("over-refunded/a");
    let cases = [
        ("paid once", well()),
        ("not paid", unpaid("declined")),
        ("paid twice", well().says(1, "status", "paid").debited(1, 1).counts(1, 1, 1)),
        ("a refund", refunded),
        ("an unknown refund that happened", by_sum),
        ("a refund of which the answer told too much", told_too_much),
        ("unknown, and listed", unpaid("pending").lists("unresolved-operation/a")),
        ("a cancel that nobody answered", unpaid("canceled").operation("cancel", "unknown", "")),
    ];
    for (name, case) in cases {
        assert_eq!(case.judged().complaints, [""; 0], "{name}");
    }
}

#[test]
fn the_judge_lets_money_be_unknown_only_where_nobody_can_ask() {
    let mut link = unpaid("expired").debited(0, 1).lists("unproven/a");
    link.books[0].2["kind"] = "payment-link".into();
    let mut charge =
        unpaid("pending").debited(0, 1).lists("unresolved-operation/a").says(0, "operation", "unknown");
    charge.payment(0)["provider_reference"] = Value::Null;
    let capture = unpaid("authorized").debited(0, 1).operation("capture", "unknown", "");
    let capture = capture.lists("unresolved-operation/operation");
    for (case, counts) in [(link, (1, 0, 0)), (charge, (0, 1, 0)), (capture, (0, 0, 1))] {
        let Look { verdict, complaints, .. } = case.judged();
        assert_eq!(complaints, [""; 0]);
        assert_eq!((verdict.links_unproven, verdict.charges_unnamed, verdict.captures_untold), counts);

        let mut silent = case;
        silent.listed.clear();
        assert_ne!(silent.judged().complaints, [""; 0], "money is in no list");
        let mut askable = silent
            .lists("unresolved-operation/a")
            .lists("unproven/a")
            .lists("unresolved-operation/operation");
        askable.order["payments"][0]["account"] = "golomt-ecommerce".into();
        askable.books[0].0 = "golomt-ecommerce";
        assert_ne!(askable.judged().complaints, [""; 0], "the bank can be asked");
    }
}

#[test]
fn the_judge_finds_what_is_wrong() {
    let mut unknown_to_us = well();
    unknown_to_us.books.push(("galaxy-pay", "ref-x", json!({ "kind": "redirect", "debits": 1 })));
    let mut refunded_twice =
        well().operation("refund", "succeeded", "500 VND").says(0, "refunded", "500 VND");
    refunded_twice.books[0].2["refunds"] = 2.into();
    refunded_twice.books[0].2["refundOrders"] = json!({ "operation": "500", "another": "500" });
    let mut refund_elsewhere =
        well().operation("refund", "succeeded", "500 VND").says(0, "refunded", "500 VND");
    refund_elsewhere.books[0].2["refunds"] = 0.into();
    refund_elsewhere.books[0].2["refundOrders"] = json!({});
    let refund = |amount: &str| {
        let amount_in_vnd = format!("{amount} VND");
        let mut refunded =
            well().operation("refund", "succeeded", &amount_in_vnd).says(0, "refunded", &amount_in_vnd);
        refunded.books[0].2["refunds"] = 1.into();
        refunded.books[0].2["refundOrders"] = json!({ "operation": amount });
        refunded
    };
    let mut sent_twice =
        refund("300").operation("refund", "succeeded", "300 VND").says(0, "refunded", "600 VND");
    sent_twice.payment(0)["operations"][1]["reference"] = "another".into();
    sent_twice.books[0].2["refunds"] = 2.into();
    sent_twice.books[0].2["refundOrders"] = json!({ "operation": "300", "another": "300" });
    let refund_uncounted = well().operation("refund", "succeeded", "500 VND");
    let held = unpaid("authorized");
    let cases = [
        ("no paid event", well().counts(0, 1, 0), "is (0, 1, 0)"),
        ("two paid events", well().counts(2, 1, 0), "is (2, 1, 0)"),
        ("shipped twice", well().counts(1, 2, 0), "is (1, 2, 0)"),
        ("not shipped", well().counts(1, 0, 0), "is (1, 0, 0)"),
        ("shipped without money", unpaid("declined").counts(1, 1, 0), "0 payments were paid"),
        ("paid again untold", well().says(1, "status", "paid").debited(1, 1), "2 payments were paid"),
        ("paid again without a second payment", well().counts(1, 1, 1), "is (1, 1, 1)"),
        ("charged twice", well().debited(0, 2), "was debited 2 times"),
        ("paid and nobody was debited", well().debited(0, 0), "nobody was debited"),
        ("debited and declined", unpaid("declined").debited(0, 1), "was debited and is declined"),
        ("stuck", unpaid("pending"), "is stuck"),
        ("known, and listed", well().lists("unresolved-operation/a"), "as if nobody knew"),
        ("known, and listed as unproven", well().lists("unproven/a"), "as if nobody knew"),
        ("money of no order", unknown_to_us, "which no order knows"),
        ("held for ever", held, "money is held"),
        ("an operation is stuck", well().operation("refund", "submitted", "1 VND"), "stuck and not listed"),
        (
            "an unknown refund is not listed",
            well().operation("refund", "unknown", "1 VND"),
            "stuck and not listed",
        ),
        (
            "an operation is over, and listed",
            well().operation("void", "refused", "").lists("unresolved-operation/operation"),
            "as if nobody knew",
        ),
        ("refunded twice", refunded_twice, "here are others"),
        ("a refund of another sum, and not listed", told_of_too_much(), "here are others"),
        ("one request made two refunds", sent_twice, "1 refunds were asked for, and 2"),
        ("more was given back than taken", refund("901"), "more was given back"),
        ("a refund that never was", refund_elsewhere, "here are others"),
        ("a refund that was not counted", refund_uncounted, "not the sum of its refunds"),
    ];
    for (name, case, words) in cases {
        let complaints = case.judged().complaints;
        assert!(complaints.iter().any(|complaint| complaint.contains(words)), "{name}: {complaints:?}");
    }
}
