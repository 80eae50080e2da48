//! Random sequences of commands on each database and on the memory store: their answers must be the same.
//!
//! The simulator proves the engine on the memory store alone; this proves that the databases do the same. Each command
//! is made on both, and the two answers are compared; after each sequence everything that can be read is compared.
//! Where the contract leaves open what comes first, or which of several is chosen, what it promises is compared, and a
//! comment says so. Time goes on or stands still: what a lease means to a clock that goes back is not promised.
//!
//! `TULBUR_TWIN_CASES` says how many sequences; see docs/src/testing.md.

mod commands;
mod look;
mod plans;
mod records;
mod run;

use std::collections::BTreeSet;
use std::marker::PhantomData;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestError, TestRunner};
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest};
use sqlx::sqlite::SqliteConnectOptions;
use tokio::runtime::{Builder, Runtime};
use tulbur_payments::SqliteStore;
use tulbur_payments::store::StoreSettings;
use tulbur_payments::store_suite::Stores;

use commands::{Command, Step};
use run::Twins;

/// What decides which commands make sense.
#[derive(Debug, Clone, Default)]
struct Progress {
    handlers: BTreeSet<usize>,
}

impl ReferenceStateMachine for Progress {
    type State = Self;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Self> {
        Just(Self::default()).boxed()
    }

    fn transitions(state: &Self) -> BoxedStrategy<Step> {
        commands::step(!state.handlers.is_empty())
    }

    fn apply(mut state: Self, step: &Step) -> Self {
        match &step.command {
            Command::Register(handlers) => state.handlers.extend(handlers.iter().map(|(handler, _)| handler)),
            Command::Remove { handler, .. } => drop(state.handlers.remove(handler)),
            _ => {}
        }
        state
    }
}

/// A kind of database.
trait Database: 'static {
    /// Two stores on one empty database.
    async fn open() -> Stores;
}

thread_local! {
    /// What all sequences of a test run in: connections are kept from one to the next.
    static RUNTIME: Runtime = Builder::new_current_thread().enable_all().build().unwrap();
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    RUNTIME.with(|runtime| runtime.block_on(work))
}

struct Sequence<D>(PhantomData<D>);

impl<D: Database> StateMachineTest for Sequence<D> {
    type SystemUnderTest = Twins;
    type Reference = Progress;

    fn init_test(_: &Progress) -> Twins {
        Twins::new(block_on(D::open()))
    }

    fn apply(mut twins: Twins, _: &Progress, step: Step) -> Twins {
        block_on(twins.step(&step));
        twins
    }

    fn teardown(twins: Twins, _: Progress) {
        block_on(twins.compare_everything());
    }
}

/// So many sequences, each of some dozens of commands.
fn run<D: Database>(cases: u32) {
    let cases = std::env::var("TULBUR_TWIN_CASES").ok().map_or(cases, |cases| cases.parse().unwrap());
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 400, ..Config::default() };
    let mut runner = TestRunner::new(config.clone());
    let sequences = Progress::sequential_strategy(40..90);
    let ended = runner.run(&sequences, |(start, steps, seen)| {
        Sequence::<D>::test_sequential(config.clone(), start, steps, seen);
        Ok(())
    });
    match ended {
        Ok(()) => {}
        Err(TestError::Fail(why, (_, steps, _))) => panic!("{why}\n\nafter these commands: {steps:#?}"),
        Err(TestError::Abort(why)) => panic!("{why}"),
    }
}

/// A new file for each sequence.
struct Sqlite;

impl Database for Sqlite {
    async fn open() -> Stores {
        let folder = tempfile::tempdir().unwrap();
        let options =
            || SqliteConnectOptions::new().filename(folder.path().join("shop.db")).create_if_missing(true);
        let one = SqliteStore::connect(options(), &StoreSettings::default()).await.unwrap();
        let two = SqliteStore::connect(options(), &StoreSettings::default()).await.unwrap();
        Stores::new(Arc::new(one), Arc::new(two)).keeping(folder)
    }
}

#[test]
fn sqlite_answers_as_memory_does() {
    run::<Sqlite>(32);
}

#[cfg(feature = "postgres")]
mod postgres {
    use std::cell::RefCell;
    use std::sync::Arc;

    use sqlx::{Connection, PgConnection};
    use tulbur_payments::PostgresStore;
    use tulbur_payments::store_suite::{TestDatabase, postgres_for_tests};

    use super::{Database, StoreSettings, Stores};

    /// One database, emptied for each sequence: to make one takes long.
    struct Postgres;

    thread_local! {
        static OPENED: RefCell<Option<(TestDatabase, Stores)>> = const { RefCell::new(None) };
    }

    const EMPTY: &str = "
        ALTER TABLE tulbur_history DISABLE TRIGGER USER;
        DELETE FROM tulbur_history;
        ALTER TABLE tulbur_history ENABLE TRIGGER USER;
        DELETE FROM tulbur_operations;
        DELETE FROM tulbur_payments;
        DELETE FROM tulbur_orders;
        DELETE FROM tulbur_leases;
        DELETE FROM tulbur_keys;
        DELETE FROM tulbur_cards;
        DELETE FROM tulbur_events;
        DELETE FROM tulbur_deliveries;
        DELETE FROM tulbur_handled;
        DELETE FROM tulbur_attention;
        DELETE FROM tulbur_inbox;
        DELETE FROM tulbur_handlers;
        INSERT INTO tulbur_handlers (name, in_order, registered_at, seen_at) VALUES ('', 0, 0, 0);
    ";

    impl Database for Postgres {
        async fn open() -> Stores {
            let (options, stores) = OPENED.with_borrow(|opened| {
                let (database, stores) = opened.as_ref().expect("the test has opened it");
                (database.options(), stores.clone())
            });
            let mut connection = PgConnection::connect_with(&options).await.unwrap();
            sqlx::raw_sql(EMPTY).execute(&mut connection).await.unwrap();
            stores
        }
    }

    #[test]
    fn postgres_answers_as_memory_does() {
        let Some(server) = postgres_for_tests() else { return };
        let opened = super::block_on(async {
            let database = server.database().await.unwrap();
            let settings = StoreSettings::default().connections(2);
            let one = PostgresStore::connect(database.options(), &settings).await.unwrap();
            let two = PostgresStore::connect(database.options(), &settings).await.unwrap();
            (database, Stores::new(Arc::new(one), Arc::new(two)))
        });
        OPENED.set(Some(opened));
        super::run::<Postgres>(32);
        // The server ends with the last who holds it.
        OPENED.take();
    }
}
