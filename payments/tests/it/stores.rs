//! Every store passes the suite; a store that forgets one thing fails the check that names it.

use std::sync::Arc;

use tulbur_payments::MemoryStore;
use tulbur_payments::store::StoreSettings;
use tulbur_payments::store_suite::{self, Stores};

/// With group commit and without.
fn settings() -> [StoreSettings; 2] {
    [StoreSettings::default(), StoreSettings::default().commits_together(1)]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory() {
    let report = store_suite::run(|| async {
        let store = Arc::new(MemoryStore::new());
        Stores::new(store.clone(), store)
    })
    .await;
    report.assert_passed();
}

#[cfg(feature = "sqlite")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite() {
    use sqlx::sqlite::SqliteConnectOptions;
    use tulbur_payments::SqliteStore;

    for settings in settings() {
        let report = store_suite::run(|| async {
            let folder = tempfile::tempdir().unwrap();
            let options = || {
                SqliteConnectOptions::new().filename(folder.path().join("shop.db")).create_if_missing(true)
            };
            let one = SqliteStore::connect(options(), &settings).await.unwrap();
            let two = SqliteStore::connect(options(), &settings).await.unwrap();
            Stores::new(Arc::new(one), Arc::new(two)).keeping(folder)
        })
        .await;
        report.assert_passed();
    }
}

/// Whatever the umask: this process has a usual one, which would let everybody read.
#[cfg(all(feature = "sqlite", unix))]
#[tokio::test]
async fn a_new_file_and_those_beside_it_are_its_owner_s_only() {
    use std::os::unix::fs::PermissionsExt as _;

    use tulbur_payments::{SqliteStore, open_store};

    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let opened = SqliteStore::open(path("opened.db")).await.unwrap();
    let addressed = open_store(&format!("sqlite:{}", path("addressed.db").display())).await.unwrap();
    let mut modes: Vec<(String, u32)> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|file| {
            let file = file.unwrap();
            let mode = file.metadata().unwrap().permissions().mode() & 0o777;
            (file.file_name().into_string().unwrap(), mode)
        })
        .collect();
    modes.sort();
    let names = [
        "addressed.db",
        "addressed.db-shm",
        "addressed.db-wal",
        "opened.db",
        "opened.db-shm",
        "opened.db-wal",
    ];
    assert_eq!(modes, names.map(|name| (name.to_owned(), 0o600)));
    drop((opened, addressed));

    // What somebody else made is theirs to decide on, and a file that must exist is not made.
    std::fs::write(path("shared.db"), b"").unwrap();
    std::fs::set_permissions(path("shared.db"), std::fs::Permissions::from_mode(0o660)).unwrap();
    drop(SqliteStore::open(path("shared.db")).await.unwrap());
    assert_eq!(std::fs::metadata(path("shared.db")).unwrap().permissions().mode() & 0o777, 0o660);
    assert!(open_store(&format!("sqlite:{}?mode=rw", path("missing.db").display())).await.is_err());
    assert!(!path("missing.db").exists());
}

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres() {
    use tulbur_payments::PostgresStore;

    let Some(server) = store_suite::postgres_for_tests() else { return };
    for settings in settings() {
        let report = store_suite::run(|| async {
            let database = server.database().await.unwrap();
            // Both at once, as when two processes are started together on an empty database.
            let open = || PostgresStore::connect(database.options(), &settings);
            let (one, two) = tokio::join!(open(), open());
            Stores::new(Arc::new(one.unwrap()), Arc::new(two.unwrap())).keeping(database)
        })
        .await;
        report.assert_passed();
    }
}

#[tokio::test]
async fn a_store_is_chosen_by_its_address() {
    use tulbur_payments::store::open_store;

    assert_eq!(format!("{:?}", open_store("memory:").await.unwrap()), "MemoryStore");
    let secret = "planted-password";
    for address in [
        "shop.db".to_owned(),
        format!("mysql://user:{secret}@127.0.0.1/shop"),
        format!("postgres://user:{secret}@127.0.0.1:notaport/shop"),
        // Nobody listens there.
        format!("postgres://user:{secret}@127.0.0.1:9/shop"),
        "sqlite::memory:".to_owned(),
        "sqlite:".to_owned(),
    ] {
        let settings = StoreSettings::default().wait(std::time::Duration::from_millis(200));
        let error =
            tulbur_payments::store::open_store_with(&address, &settings).await.unwrap_err().to_string();
        assert!(!error.contains(secret), "{error}");
    }
    #[cfg(feature = "sqlite")]
    {
        let folder = tempfile::tempdir().unwrap();
        for (name, form) in [("a.db", "sqlite:"), ("b.db", "sqlite://")] {
            let path = folder.path().join(name);
            let store = open_store(&format!("{form}{}", path.display())).await.unwrap();
            assert!(format!("{store:?}").contains("SqliteStore"), "{store:?}");
            assert!(path.is_file());
        }
        let missing = format!("sqlite:{}?mode=rw", folder.path().join("none.db").display());
        assert!(open_store(&missing).await.is_err(), "a file is made although the address says not to");
    }
    #[cfg(not(feature = "sqlite"))]
    assert!(open_store("sqlite:shop.db").await.unwrap_err().to_string().contains("`sqlite`"));
}

#[cfg(feature = "postgres")]
#[tokio::test]
async fn a_postgres_store_is_chosen_by_its_address() {
    let Some(server) = store_suite::postgres_for_tests() else { return };
    let database = server.database().await.unwrap();
    for scheme in ["postgres", "postgresql"] {
        let address = database.url().replacen("postgres", scheme, 1);
        let store = tulbur_payments::store::open_store(&address).await.unwrap();
        assert!(format!("{store:?}").contains("PostgresStore"), "{store:?}");
    }
    let other = database.url().replace("tulbur_test", "no_such_database");
    let error = tulbur_payments::store::open_store(&other).await.unwrap_err().to_string();
    assert!(error.contains("no such database"), "{error}");
}

/// What the database itself refuses, whoever writes to it.
#[cfg(feature = "postgres")]
#[tokio::test]
async fn postgres_history_is_append_only() {
    use sqlx::{Connection, PgConnection};

    let Some(server) = store_suite::postgres_for_tests() else { return };
    let database = server.database().await.unwrap();
    tulbur_payments::PostgresStore::open(&database.url()).await.unwrap();
    let mut connection = PgConnection::connect_with(&database.options()).await.unwrap();
    let line = "INSERT INTO tulbur_history (payment, at, body) VALUES ('p', 0, '{}')";
    sqlx::query(line).execute(&mut connection).await.unwrap();
    for statement in
        ["UPDATE tulbur_history SET at = 1", "DELETE FROM tulbur_history", "TRUNCATE tulbur_history"]
    {
        let error = sqlx::query(statement).execute(&mut connection).await.unwrap_err().to_string();
        assert!(error.contains("history is append-only"), "{statement}: {error}");
    }
}

/// A claim is there once, and goes with the transaction that made it.
#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_claims_are_made_once() {
    use sqlx::PgPool;
    use tulbur_payments::EventId;
    use tulbur_payments::postgres::{claim_in, create_claims_table};

    let Some(server) = store_suite::postgres_for_tests() else { return };
    let database = server.database().await.unwrap();
    let pool = PgPool::connect_with(database.options()).await.unwrap();
    let making = (0..8).map(|_| {
        let pool = pool.clone();
        tokio::spawn(async move { create_claims_table(&mut pool.acquire().await.unwrap()).await })
    });
    for made in futures_util::future::join_all(making).await {
        made.unwrap().unwrap();
    }
    let event = EventId::from_text("event-1");
    let mut undone = pool.begin().await.unwrap();
    assert!(claim_in(&mut undone, "ship", &event).await.unwrap());
    undone.rollback().await.unwrap();
    let claiming = (0..16).map(|_| {
        let (pool, event) = (pool.clone(), event.clone());
        tokio::spawn(async move {
            let mut tx = pool.begin().await.unwrap();
            let claimed = claim_in(&mut tx, "ship", &event).await.unwrap();
            tx.commit().await.unwrap();
            claimed
        })
    });
    let claimed = futures_util::future::join_all(claiming).await;
    assert_eq!(claimed.into_iter().filter(|claimed| *claimed.as_ref().unwrap()).count(), 1);
    let mut tx = pool.begin().await.unwrap();
    assert!(claim_in(&mut tx, "mail", &event).await.unwrap(), "another handler has a claim of its own");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_processes_open_a_new_file_together() {
    for round in 0..20 {
        let folder = crate::support::folder();
        let address = format!("sqlite:{}", folder.path().join("shop.db").display());
        let opened = (0..6).map(|_| {
            let address = address.clone();
            tokio::spawn(async move { tulbur_payments::open_store(&address).await.map(drop) })
        });
        for one in futures_util::future::join_all(opened).await {
            one.unwrap().unwrap_or_else(|error| panic!("round {round}: {error}"));
        }
    }
}
