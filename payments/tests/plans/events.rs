//! Plans of the event search: the next delivery is found without reading finished ones.

use sqlx::{AssertSqlSafe, Connection};
use tulbur_core::Timestamp;
use tulbur_payments::store::{Changes, HandlerSpec, Outbox, Settle};
use tulbur_payments::{EventId, SqliteStore, Store};

use crate::recorder::{NOW, TURN, in_sqlite, listen, sent};
use crate::support;

/// Many events that were handled, and a few that wait: what a shop has after a year.
const FILL_EVENTS: &str = "INSERT INTO tulbur_events (id, stream, order_ref, kind, at, format, body) \
    SELECT 'event-' || n, 'order-' || (n / 2), 'order-' || (n / 2), 'canceled', 1799000000000 + n, 1, \
    '{\"id\":\"event-' || n || '\",\"at\":1799000000000,\"order\":null,\"payment\":null,\"kind\":\"canceled\"}' \
    FROM numbers";
const FILL_HANDLED: &str = "INSERT INTO tulbur_handled (seq, handler, at) SELECT n, 'ship', 1799000000000 FROM numbers \
    WHERE n > 200";
const FILL_DELIVERIES: &str = "INSERT INTO tulbur_deliveries (handler, seq, stream, due_at) SELECT 'ship', n, \
    'order-' || (n / 2), CASE WHEN n % 2 = 0 THEN 1799000000000 + n END FROM numbers WHERE n <= 200";

/// Does everything once that is done with events all the time, and returns the statements that were sent for it.
async fn of_events(store: &dyn Store) -> Vec<String> {
    let now = Timestamp::from_millis(NOW);
    let names = ["ship".to_owned(), "mail".to_owned()];
    store.register_handlers(&names.clone().map(|name| HandlerSpec::new(name, true)), now).await.unwrap();
    listen();
    let stored = store.deliveries(None, &tulbur_payments::PaymentId::from_text("none")).await.unwrap();
    assert!(stored.is_empty());
    let order = tulbur_core::OrderRef::parse("order-1").unwrap();
    let payment = tulbur_payments::PaymentId::from_text("none");
    let template = store.deliveries(Some(&order), &payment).await.unwrap().remove(0).event.read.unwrap();
    let mut event = template.clone();
    (event.id, event.order) = (EventId::from_text("new"), Some(order));
    store.commit(Changes { events: vec![event], ..Changes::default() }).await.unwrap();
    let wanted = names.clone().map(|name| (name, 4));
    store.next_delivery(&names).await.unwrap();
    let claimed =
        store.claim_deliveries(&wanted, "test", now, Timestamp::from_millis(NOW + 60_000)).await.unwrap();
    assert_eq!(claimed.len(), 5, "four, and the one that is new to the other handler");
    for (one, settle) in
        claimed.iter().zip([Settle::Done, Settle::Parked, Settle::Again(now), Settle::Released(now)])
    {
        assert!(store.renew_delivery(&one.claim, Timestamp::from_millis(NOW + 90_000)).await.unwrap());
        assert!(store.settle_delivery(&one.claim, settle, now).await.unwrap());
    }
    store.see_handlers(&names, now).await.unwrap();
    let parked = store.parked_deliveries(10).await.unwrap();
    assert!(store.unpark_delivery("ship", &parked[0].event.id, now).await.unwrap());
    // Reads the backlog, and no more.
    assert_eq!(store.handlers().await.unwrap().len(), 2);
    let about = ["tulbur_events", "tulbur_deliveries", "tulbur_handled", "tulbur_handlers"];
    let found: Vec<String> =
        sent().into_iter().filter(|sent| about.iter().any(|table| sent.contains(table))).collect();
    assert!(found.len() >= 16, "{found:#?}");
    found
}

#[tokio::test]
async fn sqlite_delivers_events_without_reading_what_was_delivered() {
    use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

    let _turn = TURN.lock().await;
    let folder = support::folder();
    let path = folder.path().join("events.db");
    let store = SqliteStore::open(&path).await.unwrap();
    store.register_handlers(&[HandlerSpec::new("ship", true)], Timestamp::from_millis(0)).await.unwrap();
    let mut connection =
        SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(&path)).await.unwrap();
    let numbers =
        "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 20000)";
    for fill in [FILL_EVENTS, FILL_HANDLED, FILL_DELIVERIES] {
        sqlx::query(AssertSqlSafe(format!("{numbers} {fill}"))).execute(&mut connection).await.unwrap();
    }
    for statement in of_events(&store).await {
        let plan = in_sqlite(&mut connection, &statement).await;
        for step in &plan {
            // The rows of the statement itself, and the few handlers, are read whole.
            let may_be_read =
                ["SCAN json_each", "SCAN handler", "SCAN tulbur_handlers", "SCAN known", "SCAN new"];
            let is_read_whole = step.starts_with("SCAN ")
                && !may_be_read.iter().any(|known| step.starts_with(known))
                && !step.contains("USING INDEX tulbur_deliveries_parked")
                && !step.contains("CONSTANT ROW");
            assert!(!is_read_whole, "{statement}\n{plan:#?}");
            assert!(!step.contains("AUTOMATIC"), "an index is missing: {statement}\n{plan:#?}");
        }
        let begins = |words: &str| statement.trim_start().starts_with(words);
        let uses = |index: &str| plan.iter().any(|step| step.contains(index));
        if begins("UPDATE tulbur_deliveries SET due_at = $1, owner") {
            assert!(uses("INDEX tulbur_deliveries_due (handler=? AND due_at<?)"), "{plan:#?}");
            assert!(!uses("TEMP B-TREE"), "nothing is sorted: {plan:#?}");
        }
        if begins("UPDATE tulbur_deliveries AS this SET due_at = new.now") {
            assert!(uses("INDEX tulbur_deliveries_stream (handler=? AND stream=?)"), "{plan:#?}");
        }
    }
}

#[cfg(feature = "postgres")]
#[tokio::test]
async fn postgres_delivers_events_without_reading_what_was_delivered() {
    use sqlx::PgConnection;
    use tulbur_payments::PostgresStore;
    use tulbur_payments::store_suite::postgres_for_tests;

    use crate::recorder::in_postgres;

    let Some(server) = postgres_for_tests() else { return };
    let _turn = TURN.lock().await;
    let database = server.database().await.unwrap();
    let store = PostgresStore::open(&database.url()).await.unwrap();
    store.register_handlers(&[HandlerSpec::new("ship", true)], Timestamp::from_millis(0)).await.unwrap();
    let mut connection = PgConnection::connect_with(&database.options()).await.unwrap();
    let numbers = "WITH numbers AS (SELECT n FROM generate_series(1, 20000) AS n)";
    for fill in [FILL_EVENTS, FILL_HANDLED, FILL_DELIVERIES] {
        sqlx::query(AssertSqlSafe(format!("{numbers} {fill}"))).execute(&mut connection).await.unwrap();
    }
    sqlx::raw_sql("VACUUM ANALYZE").execute(&mut connection).await.unwrap();
    for statement in of_events(&store).await {
        let plan = in_postgres(&mut connection, &statement).await;
        // A few hundred rows wait: what a person looks at may read them all.
        let is_view = ["SELECT handler, 'done'", "SELECT name, in_order"]
            .iter()
            .any(|view| statement.starts_with(view));
        let whole = |step: &String| step.contains("Seq Scan on tulbur_") && !step.contains("tulbur_handlers");
        assert!(is_view || !plan.iter().any(whole), "{statement}\n{plan:#?}");
        // Each table is found by a condition, but for the few handlers and what is parked.
        for (place, step) in plan.iter().enumerate() {
            let by_index = step.contains("Index Scan using") || step.contains("Index Only Scan using");
            let few = step.contains("on tulbur_handlers") || step.contains("tulbur_deliveries_parked");
            let condition = plan.get(place + 1).is_some_and(|next| next.contains("Index Cond"));
            assert!(!by_index || few || condition, "{statement}\n{plan:#?}");
        }
        let uses = |index: &str| plan.iter().any(|step| step.contains(index));
        if statement.contains("FOR UPDATE SKIP LOCKED") {
            assert!(uses("using tulbur_deliveries_due"), "{plan:#?}");
            assert!(!uses("Sort"), "nothing is sorted: {plan:#?}");
        }
    }
}
