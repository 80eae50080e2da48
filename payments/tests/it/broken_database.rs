//! A database that is locked, full or read-only gives a clear error, changes nothing, and is never answered with
//! success.

use std::sync::Arc;

use crate::child::{Part, say};
use crate::support;
use crate::support::{Passing, Shop};
use sqlx::Connection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use tulbur_core::{MerchantRef, OperationState};
use tulbur_payments::{Error, Lists, SqliteStore, Status, StoreError};

/// Another process's connection to the same file.
async fn connect(shop: &Shop) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(shop.folder.path().join("shop.db"));
    SqliteConnection::connect_with(&options).await.unwrap()
}

async fn fails_clearly(shop: &Shop, reference: &MerchantRef, expected: fn(&StoreError) -> bool) {
    let error = shop.payments.open(shop.request("2", 1500)).await.unwrap_err();
    match &error {
        Error::Store(store) => assert!(expected(store), "{error:?}"),
        other => panic!("{other:?}"),
    }
    let reply = shop.notify(&Shop::body(reference, "000", "1500.00")).await;
    assert_eq!((reply.status, &reply.body[..]), (503, &b"not stored"[..]));
    assert_eq!(shop.bank.lock().unwrap().creates, 1, "nothing is sent before it is written");
}

async fn recovers(shop: &Shop, reference: &MerchantRef) {
    // A disk may fill up between the intent and the next commit; what was not sent has not happened.
    let order = shop.payments.order(&shop.order("2")).await.unwrap();
    let payments = order.map(|order| order.payments).unwrap_or_default();
    assert!(payments.iter().all(|record| record.operation == OperationState::Reserved), "{payments:?}");
    assert_eq!(shop.notify(&Shop::body(reference, "000", "1500.00")).await.status, 200);
    let order = shop.payments.order(&shop.order("1")).await.unwrap().unwrap();
    assert_eq!(order.payments[0].status, Status::Paid);
    assert_eq!(shop.kinds("1").await, ["paid"]);
}

#[tokio::test]
async fn locked_by_another_process() {
    let shop = Shop::open().await;
    let payment = shop.payments.open(shop.request("1", 1500)).await.unwrap();
    let reference = payment.reference.merchant_ref.clone();
    let mut other = connect(&shop).await;
    sqlx::query("BEGIN EXCLUSIVE").execute(&mut other).await.unwrap();
    fails_clearly(&shop, &reference, |error| matches!(error, StoreError::Locked)).await;
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    recovers(&shop, &reference).await;
}

#[tokio::test]
async fn full() {
    let mut shop = Shop::open().await;
    let payment = shop.payments.open(shop.request("1", 1500)).await.unwrap();
    let reference = payment.reference.merchant_ref.clone();
    // Not one page more than there are: as on a full disk.
    shop.restart_with(|options| options.pragma("max_page_count", "1")).await;
    // What fits the pages that are there still goes; so they are filled first.
    let mut other = connect(&shop).await;
    sqlx::query("VACUUM").execute(&mut other).await.unwrap();
    fails_clearly(&shop, &reference, |error| matches!(error, StoreError::Full)).await;
    shop.restart().await;
    recovers(&shop, &reference).await;
}

/// A real file system without room: its last pages are taken by somebody else.
#[tokio::test]
async fn full_disk() {
    let Some(disk) = SmallDisk::mount() else { return };
    let mut shop = Shop::open().await;
    shop.folder = tempfile::tempdir_in(disk.path()).unwrap();
    shop.restart().await;
    let _passing = Passing::on(&shop.clock);
    let payment = shop.payments.open(shop.request("1", 1500)).await.unwrap();
    let reference = payment.reference.merchant_ref.clone();
    let filler = disk.path().join("filler");
    // Down to the last page, so that no write-ahead log can grow.
    for size in [65_536, 4096, 512, 1] {
        let mut file = std::fs::File::options().create(true).append(true).open(&filler).unwrap();
        while std::io::Write::write_all(&mut file, &vec![0; size]).is_ok() {}
    }
    let error = loop {
        // The log has room for a little; then there is none.
        let number = shop.bank.lock().unwrap().creates;
        match shop.payments.open(shop.request(&format!("fill-{number}"), 1500)).await {
            Ok(_) => assert!(number < 1000, "the disk is never full"),
            Err(error) => break error,
        }
    };
    assert!(matches!(&error, Error::Store(StoreError::Full)), "{error:?}");
    let reply = shop.notify(&Shop::body(&reference, "000", "1500.00")).await;
    assert_eq!(reply.status, 503, "what cannot be stored is not answered with success");
    std::fs::remove_file(&filler).unwrap();
    assert_eq!(shop.notify(&Shop::body(&reference, "000", "1500.00")).await.status, 200);
    assert_eq!(shop.kinds("1").await, ["paid"]);
    shop.payments.open(shop.request("after", 1500)).await.unwrap();
}

/// A file system in memory of eight megabytes, where this process may mount one.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    #[expect(clippy::print_stderr, reason = "a test that was left out must say so")]
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = std::process::Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=8m", "tmpfs"]).arg(folder.path());
        if mount.output().is_ok_and(|done| done.status.success()) {
            return Some(Self(folder));
        }
        assert!(
            std::env::var("TULBUR_REQUIRE_MOUNT").is_err(),
            "TULBUR_REQUIRE_MOUNT is set, and no file system can be mounted here"
        );
        eprintln!("left out: no file system can be mounted here, so no disk can be filled");
        None
    }

    fn path(&self) -> &std::path::Path {
        self.0.path()
    }

    /// Allows writing or forbids it. Nothing may be open for writing.
    fn remount(&self, how: &str) {
        let option = format!("remount,{how}");
        let done =
            std::process::Command::new("mount").args(["-o", &option]).arg(self.path()).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Files that are still open keep it busy; it goes with the last of them.
        drop(std::process::Command::new("umount").arg("--lazy").arg(self.0.path()).status());
    }
}

/// After an error of the disk in COMMIT, what was to be stored may stand in the log.
#[tokio::test]
async fn a_commit_that_the_disk_breaks_may_be_stored() {
    let folder = support::folder();
    let path = folder.path().join("shop.db");
    let about = [("TULBUR_TEST_FILE", path.to_str().unwrap())];
    // Files of a megabyte at most, where one more byte is an error and no signal: as a disk that breaks.
    let part = Part::start("broken_database::fills_a_file", "trap '' XFSZ; ulimit -f 2048;", &about);
    assert_eq!(part.hear(), "MaybeCommitted");
    let store = SqliteStore::open(&path).await.unwrap();
    assert!(!store.orders(u32::MAX).await.unwrap().is_empty(), "what was stored before is there");
}

#[tokio::test]
#[ignore = "the part of another process"]
async fn fills_a_file() {
    let Some(path) = std::env::var_os("TULBUR_TEST_FILE") else { return };
    let store = Arc::new(SqliteStore::open(&path).await.unwrap());
    let url = tulbur_core::Url::parse("https://shop.example/").unwrap();
    // Time passes by itself here: what may be stored is tried again for a while.
    let clock = Arc::new(tulbur_reqwest::TokioClock);
    let builder = tulbur_payments::Payments::builder(store, clock, support::sealing_keys(), url);
    let payments = builder.account(Arc::new(support::Bank::new("bank"))).build().await.unwrap();
    for number in 0..100_000 {
        let order = tulbur_core::OrderRef::parse(format!("order-{number}")).unwrap();
        let account = tulbur_core::AccountName::parse("bank").unwrap();
        let request = tulbur_payments::OpenPayment::new(order, account, support::mnt(1500), "Two things");
        if let Err(Error::Store(error)) = payments.open(request).await {
            say(if error.may_have_committed() { "MaybeCommitted" } else { "not committed" });
            return;
        }
    }
}

#[tokio::test]
async fn read_only() {
    let mut shop = Shop::open().await;
    let payment = shop.payments.open(shop.request("1", 1500)).await.unwrap();
    let reference = payment.reference.merchant_ref.clone();
    shop.restart_with(|options| options.pragma("query_only", "1")).await;
    fails_clearly(&shop, &reference, |error| matches!(error, StoreError::ReadOnly)).await;
    shop.restart().await;
    recovers(&shop, &reference).await;
}

/// The file is opened for reading only, as `?mode=ro` in its address does.
#[tokio::test]
async fn opened_for_reading() {
    let mut shop = Shop::open().await;
    let payment = shop.payments.open(shop.request("1", 1500)).await.unwrap();
    let reference = payment.reference.merchant_ref.clone();
    shop.restart_with(|options| options.create_if_missing(false).read_only(true)).await;
    assert_eq!(
        shop.payments.payment(&payment.id).await.unwrap().status,
        Status::Pending,
        "it can be looked at"
    );
    fails_clearly(&shop, &reference, |error| matches!(error, StoreError::ReadOnly)).await;
    shop.restart().await;
    recovers(&shop, &reference).await;
}

/// A real file system that nobody may write to, whoever they are.
#[tokio::test]
async fn read_only_disk() {
    let Some(disk) = SmallDisk::mount() else { return };
    let path = disk.path().join("shop.db");
    SqliteStore::open(&path).await.unwrap().close().await;
    disk.remount("ro");
    for name in ["shop.db", "new.db"] {
        let error = SqliteStore::open(disk.path().join(name)).await.unwrap_err();
        // Even what is there cannot be looked at: the write-ahead log has to stand beside it.
        assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
        assert!(error.to_string().contains("may it be written to?"), "{error}");
    }
    disk.remount("rw");
    SqliteStore::open(&path).await.unwrap().close().await;
}

#[tokio::test]
async fn not_a_database() {
    let folder = support::folder();
    let path = folder.path().join("shop.db");
    std::fs::write(&path, "this is no database, and long enough to be looked at as one".repeat(20)).unwrap();
    let error = SqliteStore::open(&path).await.unwrap_err();
    assert!(matches!(error, StoreError::Unreadable(_)), "{error:?}");
    let missing = SqliteStore::open(folder.path().join("no/such/folder/shop.db")).await.unwrap_err();
    assert!(missing.to_string().contains("folder"), "{missing}");
}
