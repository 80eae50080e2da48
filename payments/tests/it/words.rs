//! Lets the bank say a card number in every way that a text takes, and looks for it wherever texts go.

use std::fmt::Write as _;

use tulbur_core::PaymentStatus;
use tulbur_payments::Status;

use crate::support::{Shop, Write};

/// The writings of one number.
pub(crate) const WRITINGS: [&str; 7] = [
    "4111111111111111",
    "4111 1111 1111 1111",
    "4111-1111-1111-1111",
    "4111\u{a0}1111\u{a0}1111\u{a0}1111",
    "x4111111111111111",
    "٤١١١١١١١١١١١١١١١",
    "４１１１　１１１１　１１１１　１１１１",
];

/// What of them must be found nowhere: parts that no id has by chance.
pub(crate) fn parts(number: &str) -> [&str; 2] {
    let middle = number.char_indices().nth(2).map_or(0, |(at, _)| at);
    [number, &number[middle..]]
}

#[tokio::test]
async fn a_card_number_in_a_bank_s_words_is_stored_and_printed_nowhere() {
    for number in WRITINGS {
        let shop = Shop::open().await;
        shop.bank.lock().unwrap().says = Some(format!("no card {number} here"));
        // By the answer to a question.
        let asked = shop.payments.open(shop.request("asked", 1500)).await.unwrap();
        shop.entry(&asked.reference.merchant_ref, |entry| {
            (entry.status, entry.code) = (PaymentStatus::Declined, Some(number.to_owned()));
        });
        shop.settle().await;
        shop.work_for_days().await;
        // By a notification.
        let told = shop.payments.open(shop.request("told", 1500)).await.unwrap();
        shop.notify(&Shop::body(&told.reference.merchant_ref, "300", "1500.00")).await;
        // By the error of a write.
        shop.bank.lock().unwrap().write = Write::Refuse;
        let error = shop.payments.open(shop.request("refused", 1500)).await.unwrap_err();
        shop.work().await;

        let asked = shop.payments.payment(&asked.id).await.unwrap();
        assert_eq!(asked.status, Status::Declined);
        assert!(asked.text.as_deref().is_some_and(|text| text.starts_with("no card ")), "{asked:?}");
        assert!(asked.card.bank.is_some() && asked.code.is_some());
        let mut printed = format!("{error} {error:?} {asked:?} {:?}", serde_json::to_string(&asked));
        for order in ["asked", "told", "refused"] {
            let order = shop.order(order);
            let (payments, events) = (shop.payments.order(&order).await, shop.payments.events(&order).await);
            write!(printed, "{:?} {:?}", payments.unwrap(), events.unwrap()).unwrap();
        }
        write!(printed, "{:?}", shop.payments.attention().await.unwrap()).unwrap();
        let mut files = Vec::new();
        for entry in std::fs::read_dir(shop.folder.path()).unwrap() {
            files.extend(std::fs::read(entry.unwrap().path()).unwrap());
        }
        let has = |part: &str| files.windows(part.len()).any(|window| window == part.as_bytes());
        assert!(has("[hidden]") && printed.contains("[hidden]"), "the search itself works");
        for part in parts(number) {
            assert!(!printed.contains(part), "printed: {part} in {printed}");
            assert!(!has(part), "in the database: {part}");
        }
    }
}
