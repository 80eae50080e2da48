//! The shop while its database is away: customers are told soon and clearly, and all goes on when it is back.

use std::time::{Duration, Instant};

use tulbur_payments::store_suite::postgres_for_tests;
use tulbur_tests::{Sandbox, Shop, eventually};

/// The shop waits five seconds for its database, and this machine may be busy.
const SOON: Duration = Duration::from_secs(18);

#[expect(clippy::print_stderr, reason = "a test that was skipped must say so")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_customer_is_told_that_the_database_is_away() {
    let Some(server) = postgres_for_tests() else { return };
    let database = server.database().await.expect("the server makes a database");
    let Some(own) = database.server() else {
        eprintln!("skipped: the server that TULBUR_TEST_POSTGRES names is not stopped");
        return;
    };
    let folder = tempfile::tempdir().expect("a folder can be made");
    let home = folder.path().join("shop");
    std::fs::create_dir(&home).expect("a folder can be made");
    let sandbox = Sandbox::start(env!("CARGO_BIN_EXE_tulbur-process"), folder.path()).await;
    let shops =
        [("axum", env!("CARGO_BIN_EXE_shop-process")), ("actix", env!("CARGO_BIN_EXE_shop-actix-process"))];
    for (name, program) in shops {
        let mut shop = Shop::new(program, &home, &sandbox).option("--database", &database.url());
        shop.start(None).await;
        let (status, _) = shop.buy(&format!("before-{name}"), "card", None).await.expect("the shop answers");
        assert_eq!(status, 303);

        own.stop_immediately().expect("the server stops");
        let order = format!("while-away-{name}");
        let form = [("order", order.as_str()), ("product", "tea"), ("way", "card")];
        let began = Instant::now();
        let (status, page) = shop.caller().post("buy", &form).await.expect("the shop answers");
        assert_eq!(status, 503, "{page}");
        assert!(page.contains("database is not available"), "{page}");
        assert!(began.elapsed() < SOON, "it took {:?}", began.elapsed());

        own.start_again().expect("the server starts again");
        eventually(Duration::from_secs(30), || async {
            match shop.caller().post("buy", &form).await {
                Some((303, _)) => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await;
        shop.kill().await;
    }
}
