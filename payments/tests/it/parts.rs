//! Money that comes in parts, at a provider that signs nothing and is asked on hints alone.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tulbur_core::{
    AccountName, Channel, ChargeRef, Delivery, ErrorKind, ManualClock, OperationState, OrderRef, Reply,
    Timestamp, Way,
};
use tulbur_payments::{
    AttentionKind, Error, EventKind, NotifyTarget, OpenPayment, PaymentRecord, Payments, RefundPayment,
    Status,
};

use crate::support::wallet::{Books, Wallet, part};
use crate::support::{Told, builder, folder, mnt, settle};

struct Shop {
    payments: Payments,
    books: Arc<Mutex<Books>>,
    clock: ManualClock,
    told: Arc<Told>,
    folder: tempfile::TempDir,
}

impl Shop {
    async fn open() -> Self {
        let (folder, clock) = (folder(), ManualClock::new(Timestamp::from_millis(1_800_000_000_000)));
        let (books, told) = (Arc::default(), Arc::new(Told::default()));
        let payments = Self::process(&folder, &clock, &books, &told).await;
        Self { payments, books, clock, told, folder }
    }

    async fn process(
        folder: &tempfile::TempDir,
        clock: &ManualClock,
        books: &Arc<Mutex<Books>>,
        told: &Arc<Told>,
    ) -> Payments {
        let mut wallet = Wallet::new();
        wallet.books = Arc::clone(books);
        let builder = builder(&folder.path().join("shop.db"), clock).await;
        builder.account(Arc::new(wallet)).handler("told", told.clone()).build().await.unwrap()
    }

    /// Another process on the same database.
    async fn restart(&mut self) {
        self.payments = Self::process(&self.folder, &self.clock, &self.books, &self.told).await;
    }

    async fn invoice(&self, units: i64) -> PaymentRecord {
        let order = OrderRef::parse(format!("order of {units}")).unwrap();
        let account = AccountName::parse("wallet").unwrap();
        let request = OpenPayment::new(order, account, mnt(units), "Two things").way(Way::App);
        self.payments.open(request).await.unwrap()
    }

    fn books(&self) -> std::sync::MutexGuard<'_, Books> {
        self.books.lock().unwrap()
    }

    fn queries(&self) -> u32 {
        self.books().queries
    }

    fn pays(&self, payment: &PaymentRecord, part: tulbur_core::PaidPart) {
        let reference = payment.reference.merchant_ref.as_str();
        self.books().parts.get_mut(reference).unwrap().push(part);
    }

    /// The secret in the address that the wallet was given for a payment.
    fn secret(&self, payment: &PaymentRecord) -> String {
        let address = self.books().addresses[payment.reference.merchant_ref.as_str()].clone();
        address.rsplit('/').next().unwrap().to_owned()
    }

    async fn hint(&self, payment: &PaymentRecord, query: &str) -> Reply {
        let secret = self.secret(payment);
        let target = NotifyTarget::WithSecret { account: "wallet", secret: &secret };
        let reply = self.payments.notify(target, delivery(query)).await;
        settle(&self.payments, || self.books().queries).await;
        reply
    }

    async fn work(&self) {
        for _ in 0..200 {
            if !self.payments.work_once().await.unwrap().is_zero() {
                return;
            }
        }
        panic!("the background work never rests");
    }

    async fn now(&self, payment: &PaymentRecord) -> PaymentRecord {
        self.payments.payment(&payment.id).await.unwrap()
    }

    async fn listed(&self) -> Vec<AttentionKind> {
        self.payments.attention().await.unwrap().iter().map(|item| item.kind).collect()
    }

    fn paid(&self) -> usize {
        let told = self.told.0.lock().unwrap();
        told.iter().filter(|event| matches!(event.kind, EventKind::Paid { .. })).count()
    }
}

fn delivery(query: &str) -> Delivery<'_> {
    Delivery { channel: Channel::Notify, method: "GET", query: Some(query), headers: &[], body: b"" }
}

#[tokio::test]
async fn without_a_hint_it_is_asked_at_the_end_and_once_more() {
    let shop = Shop::open().await;
    let payment = shop.invoice(1000).await;
    for _ in 0..64 {
        shop.clock.advance(Duration::from_mins(1));
        shop.work().await;
    }
    assert_eq!(shop.books().queries, 0, "no question while the payer has time");
    shop.clock.advance(Duration::from_mins(2));
    shop.work().await;
    assert_eq!((shop.queries(), shop.now(&payment).await.status), (1, Status::Expired));
    for _ in 0..200 {
        shop.clock.advance(Duration::from_mins(20));
        shop.work().await;
    }
    assert_eq!(shop.books().queries, 2, "one late question, and no more");
}

#[tokio::test]
async fn the_last_question_is_repeated_until_it_is_answered() {
    let shop = Shop::open().await;
    let payment = shop.invoice(1000).await;
    shop.books().down = true;
    shop.clock.advance(Duration::from_mins(66));
    shop.work().await;
    assert_eq!((shop.queries(), shop.now(&payment).await.status), (1, Status::Pending));
    shop.books().down = false;
    shop.clock.advance(Duration::from_mins(20));
    shop.work().await;
    assert_eq!((shop.queries(), shop.now(&payment).await.status), (2, Status::Expired));
}

#[tokio::test]
async fn a_hint_at_its_own_address_makes_us_ask_at_once() {
    let shop = Shop::open().await;
    let payment = shop.invoice(1000).await;
    shop.pays(&payment, part("1", 1000, "P2P"));
    let reply = shop.hint(&payment, "id=1").await;
    assert_eq!((reply.status, &*reply.body), (200, &b"SUCCESS"[..]));
    assert_eq!((shop.queries(), shop.now(&payment).await.status), (1, Status::Paid));
    shop.work().await;
    assert_eq!(shop.paid(), 1);
    // Again and again: nothing follows.
    for _ in 0..5 {
        assert_eq!(shop.hint(&payment, "id=1").await.status, 200);
    }
    assert_eq!(shop.books().queries, 1);
}

#[tokio::test]
async fn a_hint_at_no_payment_s_address_does_nothing() {
    let shop = Shop::open().await;
    let payment = shop.invoice(1000).await;
    shop.pays(&payment, part("1", 1000, "P2P"));
    assert_ne!(shop.payments.notify(NotifyTarget::Name("wallet"), delivery("id=1")).await.status, 200);
    let secret = "00000000000000000000000000000000";
    let target = NotifyTarget::WithSecret { account: "wallet", secret };
    assert_eq!(shop.payments.notify(target, delivery("id=1")).await.status, 404);
    settle(&shop.payments, || shop.books().queries).await;
    assert_eq!((shop.queries(), shop.now(&payment).await.status), (0, Status::Pending));
    assert!(shop.listed().await.is_empty());
}

#[tokio::test]
async fn a_test_message_is_answered_and_forgotten() {
    let shop = Shop::open().await;
    let payment = shop.invoice(1000).await;
    for target in [
        NotifyTarget::Name("wallet"),
        NotifyTarget::WithSecret { account: "wallet", secret: &shop.secret(&payment) },
    ] {
        let reply = shop.payments.notify(target, delivery("test=1")).await;
        assert_eq!((reply.status, &*reply.body), (200, &b"TEST"[..]));
    }
    assert!(shop.payments.inbox(10).await.unwrap().is_empty() && shop.listed().await.is_empty());
    assert_eq!(shop.books().queries, 0);
}

/// A payer knows the secret of their own payment. What they send there must not make another payer's hint a repeat.
#[tokio::test]
async fn a_hint_of_another_payment_s_id_takes_nothing_from_that_payment() {
    let mut shop = Shop::open().await;
    let (mine, other) = (shop.invoice(1000).await, shop.invoice(2000).await);
    shop.pays(&other, part("7", 2000, "P2P"));
    assert_eq!(shop.hint(&mine, "id=7").await.status, 200);
    assert_eq!(
        (shop.now(&mine).await.status, shop.now(&other).await.status),
        (Status::Pending, Status::Pending)
    );
    // The wallet cannot be asked now: what was learnt must be on disk.
    shop.books().down = true;
    assert_eq!(shop.hint(&other, "id=7").await.status, 200);
    shop.restart().await;
    shop.books().down = false;
    shop.clock.advance(Duration::from_mins(1));
    shop.work().await;
    assert_eq!(shop.now(&other).await.status, Status::Paid, "its own hint outlives the process");
}

/// The provider tells before its own books know: the hint comes again, and it is asked again.
#[tokio::test]
async fn a_repeated_hint_asks_again_while_it_is_not_paid() {
    let shop = Shop::open().await;
    let payment = shop.invoice(1000).await;
    shop.hint(&payment, "id=1").await;
    assert_eq!((shop.queries(), shop.now(&payment).await.status), (1, Status::Pending));
    shop.pays(&payment, part("1", 1000, "P2P"));
    shop.hint(&payment, "id=1").await;
    assert_eq!(shop.books().queries, 1, "not faster than the provider's pace");
    shop.clock.advance(Duration::from_secs(15));
    shop.hint(&payment, "id=1").await;
    assert_eq!((shop.queries(), shop.now(&payment).await.status), (2, Status::Paid));
}

/// Neither forgotten nor asked about for ever without a word: a person looks it up.
#[tokio::test]
async fn a_hint_that_finds_no_answer_is_listed_until_there_is_one() {
    let shop = Shop::open().await;
    let payment = shop.invoice(1000).await;
    shop.clock.advance(Duration::from_mins(61));
    shop.books().down = true;
    shop.hint(&payment, "id=1").await;
    shop.work().await;
    assert!(shop.listed().await.is_empty(), "it may be a moment's trouble");
    for _ in 0..30 {
        shop.clock.advance(Duration::from_mins(1));
        shop.work().await;
    }
    assert_eq!(shop.listed().await, [AttentionKind::Unproven]);
    assert!((3..=10).contains(&shop.queries()), "it is asked ever more seldom: {}", shop.queries());
    // A further hint changes nothing about that.
    shop.hint(&payment, "id=2").await;
    assert_eq!(shop.listed().await, [AttentionKind::Unproven]);
    shop.books().down = false;
    shop.clock.advance(Duration::from_mins(20));
    shop.work().await;
    assert_eq!(shop.now(&payment).await.status, Status::Expired);
    assert!(shop.listed().await.is_empty());
}

/// What has ended can be paid late, and that must not stay unknown either.
#[tokio::test]
async fn a_late_hint_that_finds_no_answer_is_listed_too() {
    let shop = Shop::open().await;
    let payment = shop.invoice(1000).await;
    shop.payments.cancel(&payment.id).await.unwrap();
    shop.books().down = true;
    shop.clock.advance(Duration::from_mins(90));
    shop.pays(&payment, part("1", 1000, "P2P"));
    shop.hint(&payment, "id=1").await;
    for _ in 0..6 {
        shop.clock.advance(Duration::from_mins(5));
        shop.work().await;
    }
    assert_eq!(shop.listed().await, [AttentionKind::Unproven]);
    shop.books().down = false;
    shop.clock.advance(Duration::from_mins(20));
    shop.work().await;
    assert_eq!((shop.now(&payment).await.status, shop.paid()), (Status::Paid, 1));
    assert!(shop.listed().await.is_empty());
}

#[tokio::test]
async fn a_hint_of_more_for_what_is_paid_is_asked_about_until_it_is_answered() {
    let shop = Shop::open().await;
    let payment = shop.invoice(1000).await;
    shop.pays(&payment, part("1", 1000, "P2P"));
    shop.hint(&payment, "id=1").await;
    assert_eq!((shop.queries(), shop.now(&payment).await.status), (1, Status::Paid));
    shop.books().down = true;
    shop.pays(&payment, part("2", 50, "P2P"));
    shop.hint(&payment, "id=2").await;
    shop.books().down = false;
    for _ in 0..200 {
        shop.clock.advance(Duration::from_mins(20));
        shop.work().await;
    }
    assert_eq!(shop.now(&payment).await.taken(), Some(mnt(1050)));
    assert_eq!((shop.listed().await, shop.paid()), (vec![AttentionKind::Overpaid], 1));
    assert_eq!(shop.queries(), 3, "the hint, the one that failed, and the one that was answered");
}

#[tokio::test]
async fn it_is_paid_once_all_of_it_is_there() {
    let shop = Shop::open().await;
    let payment = shop.invoice(1000).await;
    shop.pays(&payment, part("1", 600, "P2P"));
    shop.hint(&payment, "id=1").await;
    let record = shop.now(&payment).await;
    assert_eq!((record.status, record.received()), (Status::Pending, Some(mnt(600))));
    assert!(shop.listed().await.is_empty(), "a part is no mismatch");
    let history = shop.payments.payment_history(&payment.id).await.unwrap();
    assert!(
        history.0.iter().any(|line| line.what.contains("600.00 MNT of 1000.00 MNT is there")),
        "{history:?}"
    );
    shop.pays(&payment, part("2", 400, "CARD"));
    shop.hint(&payment, "id=2").await;
    let record = shop.now(&payment).await;
    assert_eq!((record.status, record.taken()), (Status::Paid, Some(mnt(1000))));
    shop.work().await;
    assert_eq!((shop.paid(), shop.listed().await), (1, vec![]));
}

#[tokio::test]
async fn more_than_was_asked_for_is_paid_and_listed() {
    let shop = Shop::open().await;
    let payment = shop.invoice(1000).await;
    shop.pays(&payment, part("1", 600, "P2P"));
    shop.pays(&payment, part("2", 600, "CARD"));
    shop.hint(&payment, "id=2").await;
    let record = shop.now(&payment).await;
    assert_eq!((record.status, record.taken()), (Status::Paid, Some(mnt(1200))));
    shop.work().await;
    assert_eq!((shop.paid(), shop.listed().await), (1, vec![AttentionKind::Overpaid]));
    // And once more, after it was paid.
    shop.pays(&payment, part("3", 50, "P2P"));
    shop.clock.advance(Duration::from_secs(15));
    shop.payments.query(&payment.id).await.unwrap();
    assert_eq!(shop.now(&payment).await.taken(), Some(mnt(1250)));
    assert_eq!(shop.listed().await.len(), 2);
}

#[tokio::test]
async fn a_part_keeps_it_open_until_a_person_decides() {
    let shop = Shop::open().await;
    let payment = shop.invoice(1000).await;
    shop.pays(&payment, part("1", 600, "P2P"));
    shop.hint(&payment, "id=1").await;
    let refused = shop.payments.cancel(&payment.id).await.unwrap_err();
    assert!(refused.to_string().contains("600.00 MNT of it is there"), "{refused}");
    for _ in 0..200 {
        shop.clock.advance(Duration::from_mins(20));
        shop.work().await;
    }
    assert_eq!(shop.now(&payment).await.status, Status::Pending, "money is not given up by the clock");
    assert_eq!(shop.listed().await, [AttentionKind::AmountMismatch]);
    assert_eq!(shop.books().queries, 2, "the hint, and the end");
    let record = shop.payments.declare_payment(&payment.id, true, "S").await.unwrap();
    assert_eq!((record.status, record.taken()), (Status::Paid, Some(mnt(600))));
    assert!(shop.listed().await.is_empty());
}

/// Nobody waits for it any more: what comes is neither forgotten nor taken for all of it.
#[tokio::test]
async fn a_part_of_what_was_given_up_is_listed_and_the_rest_pays_it() {
    let shop = Shop::open().await;
    let payment = shop.invoice(1000).await;
    shop.payments.cancel(&payment.id).await.unwrap();
    shop.pays(&payment, part("1", 600, "P2P"));
    shop.hint(&payment, "id=1").await;
    assert_eq!(shop.now(&payment).await.status, Status::Canceled);
    assert_eq!(shop.listed().await, [AttentionKind::AmountMismatch]);
    shop.pays(&payment, part("2", 400, "P2P"));
    shop.hint(&payment, "id=2").await;
    shop.work().await;
    assert_eq!((shop.now(&payment).await.status, shop.paid()), (Status::Paid, 1));
}

/// Nothing of it is there any more when it is first known: no goods for it.
#[tokio::test]
async fn money_that_went_back_before_it_was_known_pays_for_nothing() {
    let shop = Shop::open().await;
    let payment = shop.invoice(1000).await;
    let mut back = part("1", 1000, "CARD");
    back.returned = true;
    shop.pays(&payment, back);
    shop.hint(&payment, "id=1").await;
    shop.work().await;
    assert_eq!((shop.now(&payment).await.status, shop.paid()), (Status::Pending, 0));
    assert_eq!(shop.listed().await, [AttentionKind::AmountMismatch]);
}

#[tokio::test]
async fn a_refund_gives_back_one_part_that_can_be_given_back() {
    let shop = Shop::open().await;
    let payment = shop.invoice(1000).await;
    shop.pays(&payment, part("1", 600, "P2P"));
    shop.pays(&payment, part("2", 400, "CARD"));
    shop.hint(&payment, "id=2").await;
    let refund = || RefundPayment::new(payment.id.clone(), "a broken cup");
    let named = |id: &str| refund().part(ChargeRef::parse(id).unwrap());
    for (request, kind, words) in [
        (refund(), ErrorKind::InvalidRequest, "name one of the 2"),
        (named("9"), ErrorKind::InvalidRequest, "no part `9`"),
        (named("1"), ErrorKind::Unsupported, "give it back by hand"),
        (named("2").amount(mnt(100)), ErrorKind::Unsupported, "whole part only: 400.00 MNT"),
    ] {
        let Err(Error::Provider(error)) = shop.payments.refund(request).await else { panic!("{words}") };
        assert!(error.kind() == kind && error.message().contains(words), "{error}");
    }
    let accepted = shop.payments.refund(named("2")).await.unwrap();
    assert!(!accepted.is_done(), "the wallet only took it");
    assert_eq!(accepted.record().amount, Some(mnt(400)));
    let again = shop.payments.refund(named("2")).await.unwrap_err();
    assert!(matches!(again, Error::Conflict { .. }), "{again}");
    // Its books say that the part went back.
    let reference = payment.reference.merchant_ref.as_str().to_owned();
    shop.books().parts.get_mut(&reference).unwrap()[1].returned = true;
    for _ in 0..40 {
        shop.clock.advance(Duration::from_mins(5));
        shop.work().await;
    }
    let operation = shop.payments.operation(&accepted.record().operation_ref).await.unwrap();
    assert_eq!(operation.state, OperationState::Succeeded);
    let record = shop.now(&payment).await;
    assert_eq!((record.refunded, record.status), (Some(mnt(400)), Status::Paid));
    assert_eq!(shop.books().refunds, ["2"]);
    assert!(shop.listed().await.is_empty());
}
