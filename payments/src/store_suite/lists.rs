//! Lists, pages, numbers, cards.

use tulbur_core::OperationState;

use super::check::{Found, Stores, ensure, ensure_eq, failed, named_checks};
use super::samples::{
    account, at, attention, card, customer, event, history, opened, operation, order, order_ref, payment,
    payment_id,
};
use crate::model::operation::OperationKind;
use crate::model::record::{CardId, Status};
use crate::store::{Changes, PaymentFilter, StoreStats};

named_checks! {
    orders_are_newest_first: "the newest orders come first, their payments oldest first, no more than asked for",
    payments_are_filtered: "each filter of the list of payments leaves out the others, and filters add up",
    payments_come_in_pages: "page after page gives each payment once, newest first, also where many are of one moment",
    history_is_in_order: "lines of history stay in the order of their commits, each as often as it was written",
    operations_are_oldest_first: "a payment's operations come oldest first, and only its own",
    unknown_operations_are_listed: "operations of which nobody knows are listed, oldest first, and no others",
    a_payment_is_found_by_any_name: "a payment is found by our id, our reference or the provider's, at any account",
    cards_are_the_customers: "a customer sees their own cards, newest first",
    a_card_is_sealed_anew: "sealed cards come in pages, and a token is replaced only by who knows the one that is there",
    numbers_are_right: "the numbers count what is open, unknown, unheard and listed",
}

async fn orders_are_newest_first(stores: Stores) -> Found {
    for (name, seconds) in [("b", 2), ("c", 3), ("a", 1)] {
        let mut changes = opened(name);
        changes.orders[0].created_at = at(seconds);
        stores.one.commit(changes).await.map_err(failed)?;
    }
    let mut second = payment("b2", "b");
    second.created_at = at(9);
    let mut third = payment("b1", "b");
    third.created_at = at(8);
    stores
        .one
        .commit(Changes { payments: vec![second, third], ..Changes::default() })
        .await
        .map_err(failed)?;
    let found = stores.two.orders(2).await.map_err(failed)?;
    let names: Vec<&str> = found.iter().map(|order| order.record.order.as_str()).collect();
    ensure_eq!(names, ["c", "b"], "the two newest orders");
    let payments: Vec<&str> = found[1].payments.iter().map(|payment| payment.id.as_str()).collect();
    ensure_eq!(payments, ["payment-b", "payment-b1", "payment-b2"], "the payments of an order");
    Ok(())
}

async fn payments_are_filtered(stores: Stores) -> Found {
    let mut changes = Changes { orders: vec![order("1")], ..Changes::default() };
    let cases = [
        ("a", "bank", OperationState::Succeeded, Status::Paid, Some(at(10))),
        ("b", "bank", OperationState::Succeeded, Status::Paid, Some(at(20))),
        ("c", "other", OperationState::Succeeded, Status::Paid, Some(at(20))),
        ("d", "bank", OperationState::Unknown, Status::Pending, None),
        ("e", "bank", OperationState::Refused, Status::Declined, None),
    ];
    for (name, account_name, operation, status, paid_at) in cases {
        let mut record = payment(name, "1");
        (record.operation, record.status, record.paid_at) = (operation, status, paid_at);
        record.account = account(account_name);
        changes.payments.push(record);
    }
    stores.one.commit(changes).await.map_err(failed)?;
    let all = PaymentFilter { limit: 100, ..PaymentFilter::default() };
    let bank = Some(account("bank"));
    let wanted: [(PaymentFilter, &[&str]); 9] = [
        (all.clone(), &["e", "d", "c", "b", "a"]),
        (PaymentFilter { account: bank.clone(), ..all.clone() }, &["e", "d", "b", "a"]),
        (PaymentFilter { account: Some(account("none")), ..all.clone() }, &[]),
        (PaymentFilter { status: Some(Status::Paid), ..all.clone() }, &["c", "b", "a"]),
        (PaymentFilter { operation: Some(OperationState::Unknown), ..all.clone() }, &["d"]),
        (PaymentFilter { paid_from: Some(at(20)), ..all.clone() }, &["c", "b"]),
        (PaymentFilter { paid_before: Some(at(20)), ..all.clone() }, &["a"]),
        (
            PaymentFilter {
                account: bank,
                paid_from: Some(at(10)),
                paid_before: Some(at(21)),
                ..all.clone()
            },
            &["b", "a"],
        ),
        (PaymentFilter { limit: 2, ..all }, &["e", "d"]),
    ];
    for (filter, names) in wanted {
        let found = stores.two.payments(&filter).await.map_err(failed)?;
        let found: Vec<&str> = found.iter().map(|record| record.id.as_str()).collect();
        let names: Vec<String> = names.iter().map(|name| format!("payment-{name}")).collect();
        ensure_eq!(found, names, "{filter:?}");
    }
    Ok(())
}

async fn payments_come_in_pages(stores: Stores) -> Found {
    let mut changes = Changes { orders: vec![order("1")], ..Changes::default() };
    for number in 0..23_i64 {
        let mut record = payment(&format!("{number:02}"), "1");
        record.created_at = at(number / 5);
        changes.payments.push(record);
    }
    stores.one.commit(changes).await.map_err(failed)?;
    let mut filter = PaymentFilter { limit: 4, ..PaymentFilter::default() };
    let mut found = Vec::new();
    for _ in 0..10 {
        let page = stores.two.payments(&filter).await.map_err(failed)?;
        ensure!(page.len() <= 4, "a page has {} payments and not 4", page.len());
        let Some(last) = page.last() else { break };
        filter.after = Some(last.id.clone());
        found.extend(page.into_iter().map(|record| record.id.as_str().to_owned()));
    }
    let wanted: Vec<String> = (0..23).rev().map(|number| format!("payment-{number:02}")).collect();
    ensure_eq!(found, wanted, "all pages");
    Ok(())
}

async fn history_is_in_order(stores: Stores) -> Found {
    for what in ["one", "two", "two", "three"] {
        let lines = vec![history("1", what), history("2", what)];
        stores.one.commit(Changes { history: lines, ..Changes::default() }).await.map_err(failed)?;
    }
    let words = |lines: Vec<crate::model::event::HistoryEntry>| -> Vec<String> {
        lines.into_iter().map(|line| line.what).collect()
    };
    let wanted = ["one", "two", "two", "three"];
    ensure_eq!(
        words(stores.two.history(&order_ref("1")).await.map_err(failed)?),
        wanted,
        "an order's history"
    );
    let of_payment = stores.two.payment_history(&payment_id("2")).await.map_err(failed)?;
    ensure_eq!(words(of_payment), wanted, "a payment's history");
    Ok(())
}

async fn operations_are_oldest_first(stores: Stores) -> Found {
    stores.one.commit(opened("1")).await.map_err(failed)?;
    stores.one.commit(opened("2")).await.map_err(failed)?;
    for (name, of, seconds) in [("b", "1", 2), ("a", "1", 3), ("c", "1", 1), ("d", "2", 0)] {
        let mut record = operation(name, of);
        record.created_at = at(seconds);
        stores
            .one
            .commit(Changes { operations: vec![record], ..Changes::default() })
            .await
            .map_err(failed)?;
    }
    let found = stores.two.operations(&payment_id("1")).await.map_err(failed)?;
    let found: Vec<&str> = found.iter().map(|record| record.operation_ref.as_str()).collect();
    ensure_eq!(found, ["operation-c", "operation-b", "operation-a"], "a payment's operations");
    Ok(())
}

async fn unknown_operations_are_listed(stores: Stores) -> Found {
    let mut changes = opened("1");
    let states =
        [("b", OperationState::Unknown), ("a", OperationState::Unknown), ("c", OperationState::Refused)];
    for (seconds, (name, state)) in (0_i64..).zip(states) {
        let mut record = operation(name, "1");
        (record.state, record.created_at) = (state, at(seconds));
        changes.operations.push(record);
    }
    stores.one.commit(changes).await.map_err(failed)?;
    for (limit, wanted) in [(10, &["operation-b", "operation-a"][..]), (1, &["operation-b"])] {
        let found = stores.two.unknown_operations(limit).await.map_err(failed)?;
        let found: Vec<&str> = found.iter().map(|record| record.operation_ref.as_str()).collect();
        ensure_eq!(found, wanted, "the first {limit} unknown operations");
    }
    Ok(())
}

async fn a_payment_is_found_by_any_name(stores: Stores) -> Found {
    let mut elsewhere = opened("2");
    elsewhere.payments[0].account = account("other");
    elsewhere.payments[0].reference = payment("1", "1").reference;
    elsewhere.payments[0].created_at = at(1);
    stores.one.commit(opened("1")).await.map_err(failed)?;
    stores.one.commit(elsewhere).await.map_err(failed)?;
    let cases: [(&str, &[&str]); 4] = [
        ("payment-1", &["payment-1"]),
        ("merchant1", &["payment-1", "payment-2"]),
        ("provider-1", &["payment-1", "payment-2"]),
        ("hash-1", &[]),
    ];
    for (name, wanted) in cases {
        let found = stores.two.named(name, 10).await.map_err(failed)?;
        let found: Vec<&str> = found.iter().map(|record| record.id.as_str()).collect();
        ensure_eq!(found, wanted, "payments called `{name}`");
    }
    Ok(())
}

async fn cards_are_the_customers(stores: Stores) -> Found {
    let cards = vec![card("1", "bat", 1), card("2", "bat", 3), card("3", "dorj", 9), card("4", "bat", 2)];
    stores.one.commit(Changes { cards, ..Changes::default() }).await.map_err(failed)?;
    let found = stores.two.cards(&customer("bat")).await.map_err(failed)?;
    let found: Vec<&str> = found.iter().map(|card| card.id.as_str()).collect();
    ensure_eq!(found, ["card-2", "card-4", "card-1"], "a customer's cards");
    ensure!(stores.two.cards(&customer("nobody")).await.map_err(failed)?.is_empty(), "a stranger has cards");
    Ok(())
}

async fn a_card_is_sealed_anew(stores: Stores) -> Found {
    let cards = ["1", "2", "3", "4", "5"].map(|name| card(name, "bat", 1)).to_vec();
    stores.one.commit(Changes { cards: cards.clone(), ..Changes::default() }).await.map_err(failed)?;
    let (mut after, mut found) = (None, Vec::new());
    loop {
        let page = stores.two.sealed_cards(after.as_ref(), 2).await.map_err(failed)?;
        let Some(last) = page.last() else { break };
        after = Some(last.card.id.clone());
        found.extend(page);
        ensure!(found.len() <= cards.len(), "the pages do not end");
    }
    ensure_eq!(found, cards, "all cards with their tokens");
    let id = CardId::from_text("card-3");
    ensure!(
        !stores.one.reseal_card(&id, "another", "new").await.map_err(failed)?,
        "a token is replaced that was another"
    );
    ensure!(stores.one.reseal_card(&id, "sealed 3", "new").await.map_err(failed)?, "a token is not replaced");
    ensure!(
        !stores.two.reseal_card(&id, "sealed 3", "newer").await.map_err(failed)?,
        "a token is replaced twice"
    );
    let kept = stores.two.card(&id).await.map_err(failed)?.ok_or("the card is missing")?;
    ensure_eq!(kept.sealed_token, "new", "the token that is there");
    ensure_eq!(kept.card, cards[2].card, "the rest of the card");
    Ok(())
}

async fn numbers_are_right(stores: Stores) -> Found {
    ensure_eq!(stores.one.stats().await.map_err(failed)?, StoreStats::default(), "of nothing");
    let states = [
        (Status::Pending, OperationState::Succeeded),
        (Status::Authorized, OperationState::Succeeded),
        (Status::Pending, OperationState::Unknown),
        (Status::Canceled, OperationState::Unknown),
        (Status::Paid, OperationState::Succeeded),
    ];
    for (number, (status, operation_state)) in (0_i64..).zip(states) {
        let mut changes = opened(&number.to_string());
        let record = &mut changes.payments[0];
        (record.status, record.operation, record.created_at) = (status, operation_state, at(100 - number));
        stores.one.commit(changes).await.map_err(failed)?;
    }
    let mut refund = operation("1", "4");
    refund.state = OperationState::Unknown;
    // A cancel moves no money, whatever became of it.
    let mut cancel = operation("3", "0");
    (cancel.kind, cancel.state) = (OperationKind::Cancel, OperationState::Unknown);
    let operations = vec![refund, operation("2", "4"), cancel];
    let events = vec![event("a", "a"), event("b", "b"), event("c", "c"), event("d", "d")];
    let listed = vec![attention("1", "e"), attention("2", "f"), attention("3", "g")];
    let changes = Changes { operations, events, attention: listed, ..Changes::default() };
    stores.one.commit(changes).await.map_err(failed)?;
    stores.one.resolve_attention("2", at(5)).await.map_err(failed)?;
    let wanted =
        StoreStats { open: 3, oldest_open: Some(at(98)), unknown: 2, events_unheard: 7, attention: 2 };
    ensure_eq!(stores.two.stats().await.map_err(failed)?, wanted, "the numbers");
    Ok(())
}
