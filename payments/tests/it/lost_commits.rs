//! Commits whose answer is lost: they are stored as a whole or not at all, whoever gave them is told that it is not known,
//! and giving them again settles it. Every other error says for certain that nothing was stored.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tulbur_core::{AccountName, ManualClock, OrderRef, Timestamp, Url};
use tulbur_payments::store::{Changes, Find};
use tulbur_payments::store_suite::{TestDatabase, postgres_for_tests};
use tulbur_payments::{
    OpenPayment, PaymentRecord, Payments, PostgresStore, Status, Store, StoreError, StoreSettings,
};

use crate::cut::{Cut, Proxy};
use crate::support::{self, Bank};

/// A store whose connections can be cut, and one of another process whose cannot.
struct Broken {
    proxy: Proxy,
    cut: Arc<dyn Store>,
    whole: Arc<dyn Store>,
    payments: Payments,
    _database: TestDatabase,
}

impl Broken {
    async fn start(commits_together: usize) -> Option<Self> {
        let database = postgres_for_tests()?.database().await.unwrap();
        let proxy = Proxy::start(&database.options()).await;
        let settings =
            StoreSettings::default().wait(Duration::from_secs(5)).commits_together(commits_together);
        let through = proxy.options(database.options());
        let cut = Arc::new(PostgresStore::connect(through, &settings).await.unwrap());
        let whole = Arc::new(PostgresStore::connect(database.options(), &settings).await.unwrap());
        let clock = ManualClock::new(Timestamp::from_millis(1_800_000_000_000));
        let url = Url::parse("https://shop.example/").unwrap();
        let builder = Payments::builder(whole.clone(), Arc::new(clock), support::sealing_keys(), url);
        let payments = builder.account(Arc::new(Bank::new("bank"))).build().await.unwrap();
        Some(Self { proxy, cut, whole, payments, _database: database })
    }

    async fn opened(&self, order: &str) -> PaymentRecord {
        let (order, account) = (OrderRef::parse(order).unwrap(), AccountName::parse("bank").unwrap());
        self.payments.open(OpenPayment::new(order, account, support::mnt(1500), "Two things")).await.unwrap()
    }

    async fn stored(&self, payment: &PaymentRecord) -> PaymentRecord {
        self.whole.payment(Find::Id(&payment.id)).await.unwrap().unwrap()
    }
}

/// A commit that changes this payment.
fn canceled(payment: &PaymentRecord) -> Changes {
    let mut changed = payment.clone();
    changed.status = Status::Canceled;
    Changes { payments: vec![changed], ..Changes::default() }
}

/// With group commit and without.
const TOGETHER: [usize; 2] = [1, 64];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_answer_is_lost_may_be_stored() {
    for together in TOGETHER {
        let Some(broken) = Broken::start(together).await else { return };
        let payment = broken.opened("1").await;
        broken.proxy.cut("COMMIT", Cut::Answer);
        let error = broken.cut.commit(canceled(&payment)).await.unwrap_err();
        assert!(error.may_have_committed(), "{error:?}");
        let text = error.to_string();
        assert!(!text.contains("nothing was stored") && !text.contains("try again"), "{text}");
        let stored = broken.stored(&payment).await;
        assert_eq!(stored.status, Status::Canceled, "the server did it");
        // Given again it is a conflict, and what is stored is what was given.
        let again = broken.cut.commit(canceled(&payment)).await.unwrap_err();
        assert!(matches!(again, StoreError::Conflict), "{again:?}");
        assert_eq!(broken.stored(&payment).await, stored);
        assert_eq!(broken.proxy.cuts(), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_never_arrived_may_be_stored_and_is_not() {
    for together in TOGETHER {
        let Some(broken) = Broken::start(together).await else { return };
        let payment = broken.opened("1").await;
        broken.proxy.cut("COMMIT", Cut::Before);
        let error = broken.cut.commit(canceled(&payment)).await.unwrap_err();
        assert!(error.may_have_committed(), "{error:?}");
        assert_eq!(broken.stored(&payment).await.status, Status::Pending);
        broken.cut.commit(canceled(&payment)).await.expect("given again it is stored");
        assert_eq!(broken.stored(&payment).await.status, Status::Canceled);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_breaks_before_the_commit_is_not_stored_for_certain() {
    for (text, cut) in [("UPDATE tulbur_payments", Cut::Answer), ("UPDATE tulbur_payments", Cut::Before)] {
        let Some(broken) = Broken::start(64).await else { return };
        let payment = broken.opened("1").await;
        broken.proxy.cut(text, cut);
        let error = broken.cut.commit(canceled(&payment)).await.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
        assert!(!error.may_have_committed());
        assert_eq!(broken.proxy.cuts(), 1);
        assert_eq!(broken.stored(&payment).await.status, Status::Pending);
        broken.cut.commit(canceled(&payment)).await.expect("given again it is stored");
    }
}

/// A statement that commits itself is as a commit.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_single_statement_whose_answer_is_lost_may_be_stored() {
    let Some(broken) = Broken::start(64).await else { return };
    let payment = broken.opened("1").await;
    let until = Timestamp::from_millis(1_800_000_999_000);
    // Prepared once, so that what is cut is its execution.
    broken.cut.put_off(&payment, Timestamp::from_millis(1_800_000_100_000)).await.unwrap();
    broken.proxy.cut("\u{0}UPDATE tulbur_payments SET ask_at", Cut::Answer);
    let other = Arc::clone(&broken.cut);
    let mut error = None;
    for _ in 0..20 {
        // Each connection prepares it for itself, and only then is its text sent.
        let tries = join_all((0..10).map(|_| other.put_off(&payment, until))).await;
        error = tries.into_iter().find_map(Result::err);
        if error.is_some() {
            break;
        }
    }
    let error = error.expect("a connection was cut");
    assert!(error.may_have_committed(), "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_member_of_a_batch_is_told_and_nobody_else() {
    const MANY: usize = 40;
    for cut in [Cut::Answer, Cut::Before] {
        let Some(broken) = Broken::start(8).await else { return };
        let mut payments = Vec::new();
        for number in 0..MANY {
            payments.push(broken.opened(&format!("order-{number}")).await);
        }
        broken.proxy.cut("COMMIT", cut);
        let commits = payments.iter().map(|payment| broken.cut.commit(canceled(payment)));
        let results = join_all(commits).await;
        assert_eq!(broken.proxy.cuts(), 1);
        let told = results.iter().filter(|result| result.is_err()).count();
        assert!((1..=8).contains(&told), "the members of one batch: {told}");
        for (payment, result) in payments.iter().zip(&results) {
            let stored = broken.stored(payment).await;
            match result {
                Ok(()) => {
                    assert_eq!((stored.status, stored.version()), (Status::Canceled, payment.version() + 1));
                }
                Err(error) => {
                    assert!(error.may_have_committed(), "{error:?}");
                    let done = cut == Cut::Answer;
                    assert_eq!(
                        stored.status == Status::Canceled,
                        done,
                        "the batch as a whole, or none of it"
                    );
                    let again = broken.cut.commit(canceled(payment)).await;
                    assert_eq!(again.is_err(), done, "{again:?}");
                    assert_eq!(broken.stored(payment).await.version(), stored.version() + i64::from(!done));
                }
            }
        }
    }
}
