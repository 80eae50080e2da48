//! A day's list against what is stored.

use std::time::Duration;

use crate::support;
use crate::support::{Shop, Write, mnt};
use tulbur_core::{AccountName, Currency, Timestamp};
use tulbur_payments::reconcile::{
    Columns, Comparison, Day, DayList, DifferenceKind, ListFormat, Report, read_list, reconcile,
};
use tulbur_payments::{PaymentRecord, RefundPayment, SqliteStore, Status};

const COLUMNS: &str = "ref=ref,amount=amount,status=status";

/// The day in which the test's clock stands: 2027-01-15, 16:00 in Ulaanbaatar.
fn today() -> Day {
    Day::parse("2027-01-15", "+08:00").unwrap()
}

fn list(text: &str, columns: &str) -> DayList {
    let mut format = ListFormat::new(Columns::parse(columns).unwrap(), Currency::MNT);
    format.words.refund = vec!["refund".into()];
    read_list(text.as_bytes(), &format).unwrap()
}

async fn compare(shop: &Shop, text: &str, columns: &str) -> Report {
    let account = AccountName::parse("bank").unwrap();
    shop.payments.reconcile(&account, &today(), &list(text, columns)).await.unwrap()
}

fn kinds(report: &Report) -> Vec<(DifferenceKind, Option<u64>)> {
    report.differences.iter().map(|difference| (difference.kind, difference.line)).collect()
}

async fn paid(shop: &Shop, order: &str, units: i64) -> PaymentRecord {
    let opened = shop.payments.open(shop.request(order, units)).await.unwrap();
    shop.pay(&opened.reference.merchant_ref);
    let paid = shop.payments.retry(&opened.id, "test").await.unwrap().0;
    assert_eq!(paid.status, Status::Paid);
    paid
}

#[tokio::test]
async fn the_clock_stands_in_that_day() {
    let shop = Shop::open().await;
    let now = shop.payments.now();
    assert!(today().from() <= now && now < today().until(), "{now}");
}

#[tokio::test]
async fn a_list_that_agrees_has_no_differences() {
    let shop = Shop::open().await;
    let (one, two) = (paid(&shop, "A", 1500).await, paid(&shop, "B", 20).await);
    let open = shop.payments.open(shop.request("C", 7)).await.unwrap();
    // By our reference, by the provider's, and one that is open on both sides.
    let text = format!(
        "ref,amount,status\n{},1500,paid\n{},20.00,PAID\n{},7,pending\n",
        one.reference.merchant_ref,
        two.reference.provider_ref.unwrap(),
        open.reference.merchant_ref
    );
    let report = compare(&shop, &text, COLUMNS).await;
    assert_eq!(kinds(&report), []);
    assert_eq!((report.listed, report.paid_here, report.agreed, report.asked), (3, 2, 3, 0));
}

#[tokio::test]
async fn each_difference_is_found_by_its_line() {
    let shop = Shop::open().await;
    let amount = paid(&shop, "amount", 100).await.reference.merchant_ref;
    let unlisted = paid(&shop, "unlisted", 100).await;
    let unpaid = paid(&shop, "unpaid", 100).await.reference.merchant_ref;
    let twice = paid(&shop, "twice", 100).await.reference;
    let open = shop.payments.open(shop.request("open", 100)).await.unwrap();
    let text = format!(
        "ref,amount,status\n{amount},100.01,paid\nnobody,5,paid\n{unpaid},100,declined\n{},100,paid\n{},100,paid\n\
         {},100,paid\nstranger,1,declined\n",
        twice.merchant_ref,
        twice.provider_ref.unwrap(),
        open.reference.merchant_ref
    );
    let report = compare(&shop, &text, COLUMNS).await;
    assert_eq!(
        kinds(&report),
        [
            (DifferenceKind::Amount, Some(2)),
            (DifferenceKind::NotKnown, Some(3)),
            (DifferenceKind::ListedUnpaid, Some(4)),
            (DifferenceKind::ListedTwice, Some(6)),
            (DifferenceKind::NotPaidHere, Some(7)),
            (DifferenceKind::NotListed, None),
        ]
    );
    let last = report.differences.last().unwrap();
    assert_eq!(last.reference, unlisted.reference.merchant_ref.as_str());
    assert_eq!((last.listed, last.here), (None, Some(mnt(100))));
    let first = &report.differences[0];
    let listed = first.listed.map(|money| money.to_string());
    assert_eq!((listed.as_deref(), first.here), (Some("100.01 MNT"), Some(mnt(100))));
}

/// The list moves nothing; it makes us ask.
#[tokio::test]
async fn what_is_listed_as_paid_is_asked_about_and_not_believed() {
    let shop = Shop::open().await;
    let liar = shop.payments.open(shop.request("liar", 100)).await.unwrap();
    let late = shop.payments.open(shop.request("late", 100)).await.unwrap();
    shop.pay(&late.reference.merchant_ref);
    let text = format!(
        "ref,amount,status\n{},100,paid\n{},100,paid\n",
        liar.reference.merchant_ref, late.reference.merchant_ref
    );
    let store = SqliteStore::open_with(support::options(&shop.folder.path().join("shop.db"))).await.unwrap();
    let account = AccountName::parse("bank").unwrap();
    let (day, list) = (today(), list(&text, COLUMNS));
    let comparison = Comparison { account: &account, day: &day, list: &list, ask: false };
    let looked = reconcile(&store, comparison, shop.payments.now()).await.unwrap();
    assert_eq!((looked.asked, looked.differences.len()), (0, 2));
    shop.work().await;
    assert_eq!(shop.payments.payment(&late.id).await.unwrap().status, Status::Pending, "only looked");

    let report = compare(&shop, &text, COLUMNS).await;
    assert_eq!((report.asked, report.differences.len()), (2, 2));
    assert_eq!(shop.payments.payment(&late.id).await.unwrap().status, Status::Pending, "not by the list");
    shop.work().await;
    assert_eq!(shop.payments.payment(&late.id).await.unwrap().status, Status::Paid);
    assert_eq!(shop.payments.payment(&liar.id).await.unwrap().status, Status::Pending);
    let history = shop.payments.payment_history(&liar.id).await.unwrap().to_string();
    assert!(history.contains("the list of 2027-01-15 (+08:00) says that it was paid"), "{history}");
    let again = compare(&shop, &text, COLUMNS).await;
    assert_eq!(kinds(&again), [(DifferenceKind::NotPaidHere, Some(2))]);
}

#[tokio::test]
async fn what_the_provider_never_made_is_told_and_not_asked() {
    let shop = Shop::open().await;
    shop.bank.lock().unwrap().write = Write::Refuse;
    let _ = shop.payments.open(shop.request("A", 100)).await;
    let never = shop.payments.order(&shop.order("A")).await.unwrap().unwrap().payments.remove(0);
    let text = format!("ref,amount\n{},100\n", never.reference.merchant_ref);
    let report = compare(&shop, &text, "").await;
    assert_eq!((kinds(&report), report.asked), (vec![(DifferenceKind::NotPaidHere, Some(2))], 0));
    assert!(report.differences[0].detail.contains("never made it"), "{report:?}");
}

#[tokio::test]
async fn only_payments_of_that_day_and_account_are_missed() {
    let mut shop = Shop::open().await;
    paid(&shop, "yesterday", 1).await;
    shop.clock.advance(Duration::from_hours(24));
    paid(&shop, "tomorrow", 2).await;
    shop.restart().await;
    let empty = DayList { lines: Vec::new(), has_refunds: false };
    let account = AccountName::parse("bank").unwrap();
    let day = |name: &str| Day::parse(name, "+08:00").unwrap();
    for (name, missed) in [("2027-01-15", 1), ("2027-01-16", 1), ("2027-01-17", 0)] {
        let report = shop.payments.reconcile(&account, &day(name), &empty).await.unwrap();
        assert_eq!((report.paid_here, report.differences.len()), (missed, missed), "{name}");
    }
    let other = AccountName::parse("other").unwrap();
    let report = shop.payments.reconcile(&other, &day("2027-01-15"), &empty).await.unwrap();
    assert_eq!(report.paid_here, 0);
}

#[tokio::test]
async fn a_payment_at_midnight_may_stand_in_the_next_list() {
    let shop = Shop::open().await;
    let midnight = today().until();
    shop.clock.advance(midnight.since(shop.payments.now()).saturating_sub(Duration::from_secs(5)));
    paid(&shop, "A", 1).await;
    let report = compare(&shop, "ref,amount\n", "").await;
    assert_eq!(kinds(&report), [(DifferenceKind::NotListed, None)]);
    assert!(report.differences[0].detail.contains("midnight"), "{report:?}");
    assert!(Timestamp::from_millis(0) < midnight);
}

/// More payments than are read at once.
#[tokio::test]
async fn a_long_day_is_read_to_its_end() {
    let shop = Shop::open().await;
    let mut text = String::from("ref,amount\n");
    let mut first = None;
    for number in 0..510 {
        let opened = shop.payments.open(shop.request(&format!("o{number}"), 1)).await.unwrap();
        shop.pay(&opened.reference.merchant_ref);
        // The account's pace allows so many questions.
        shop.clock.advance(Duration::from_secs(1));
        shop.payments.query(&opened.id).await.unwrap();
        if first.is_none() {
            first = Some(opened.id.clone());
        } else {
            text.extend([
                opened.reference.merchant_ref.as_str(),
                ",1
",
            ]);
        }
    }
    let report = compare(&shop, &text, "").await;
    assert_eq!((report.paid_here, report.agreed, report.differences.len()), (510, 509, 1));
    assert_eq!(report.differences[0].payment, first);
}

#[tokio::test]
async fn refunds_are_compared_where_the_list_has_them() {
    let shop = Shop::open().await;
    let payment = paid(&shop, "A", 1000).await;
    let reference = payment.reference.merchant_ref.clone();
    let refund = |units| RefundPayment::new(payment.id.clone(), "broken").amount(mnt(units));
    shop.payments.refund(refund(300)).await.unwrap();
    shop.payments.refund(refund(100)).await.unwrap();
    let back = "refunded=back";
    let found = async |text: String, columns: &str| {
        let report = compare(&shop, &text, columns).await;
        let first = report.differences.first();
        (kinds(&report), first.and_then(|one| one.listed), first.and_then(|one| one.here))
    };
    let nothing = (vec![], None, None);
    // No column: not compared. The total: compared. A line for each: compared.
    assert_eq!(found(format!("ref,amount\n{reference},1000\n"), "").await, nothing);
    assert_eq!(found(format!("ref,amount,back\n{reference},1000,400\n"), back).await, nothing);
    let (kinds, listed, here) = found(format!("ref,amount,back\n{reference},1000,300\n"), back).await;
    assert_eq!(kinds, [(DifferenceKind::Refund, Some(2))]);
    assert_eq!((listed, here), (Some(mnt(300)), Some(mnt(400))));
    let lines = "ref,amount,status\n";
    let each = format!("{lines}{reference},1000,paid\n{reference},300,refund\n{reference},100,refund\n");
    assert_eq!(found(each, COLUMNS).await, nothing);
    let one = format!("{lines}{reference},1000,paid\n{reference},300,refund\n");
    let (kinds, listed, here) = found(one, COLUMNS).await;
    assert_eq!(kinds, [(DifferenceKind::Refund, Some(3))]);
    assert_eq!((listed, here), (Some(mnt(300)), Some(mnt(400))));
    let none = found(format!("{lines}{reference},1000,paid\n"), COLUMNS).await;
    assert_eq!((none.1, none.2), (None, Some(mnt(400))));
    let unknown = found(format!("{lines}{reference},1000,paid\nnobody,5,refund\n"), COLUMNS).await;
    assert!(unknown.0.contains(&(DifferenceKind::NotKnown, Some(3))), "{unknown:?}");
}

#[tokio::test]
async fn an_unknown_refund_is_named_where_refunds_differ() {
    let shop = Shop::open().await;
    let payment = paid(&shop, "A", 1000).await;
    shop.bank.lock().unwrap().operation = Write::AnswerLost;
    let refund =
        shop.payments.refund(RefundPayment::new(payment.id.clone(), "broken")).await.unwrap().into_record();
    let text = format!("ref,amount,back\n{},1000,1000\n", payment.reference.merchant_ref);
    let report = compare(&shop, &text, "refunded=back").await;
    assert_eq!(kinds(&report), [(DifferenceKind::Refund, Some(2))]);
    assert!(report.differences[0].detail.contains(refund.operation_ref.as_str()), "{report:?}");
}

#[tokio::test]
async fn a_card_set_up_is_no_payment() {
    let shop = Shop::open().await;
    let customer = tulbur_core::CustomerRef::parse("c").unwrap();
    let request = tulbur_payments::OpenCardSetup::new(customer, AccountName::parse("bank").unwrap());
    let setup = shop.payments.save_card(request).await.unwrap();
    let text = format!("ref,amount\n{},1\n", setup.reference.merchant_ref);
    assert_eq!(kinds(&compare(&shop, &text, "").await), [(DifferenceKind::NotKnown, Some(2))]);
}
