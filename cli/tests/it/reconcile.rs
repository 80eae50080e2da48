//! `tulbur reconcile` as its own process.

use std::time::Duration;

use crate::support::{Done, WEB, World, today};
use tulbur::core::Clock as _;
use tulbur::payments::Status;
use tulbur::reqwest::TokioClock;

struct Office {
    world: World,
    day: String,
}

impl Office {
    async fn open() -> Self {
        let day = today(8).await;
        Self { world: World::open().await, day }
    }

    fn compare(&self, list: &str, more: &[&str]) -> Done {
        std::fs::write(self.world.path("list.csv"), list).unwrap();
        let always =
            ["reconcile", "--account", WEB, "--day", &self.day, "--file", "list.csv", "--offset", "+08:00"];
        self.world.run(&[&always, more].concat())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_exit_code_says_whether_there_are_differences() {
    let office = Office::open().await;
    let world = &office.world;
    let paid = world.paid(WEB, "order-1", 1500).await;
    let reference = &paid.reference.merchant_ref;
    let same = office.compare(&format!("ref,amount\n{reference},1500.00\n"), &[]);
    assert_eq!(same.code, 0, "{same:?}");
    same.says(&[
        "1 lines in the list, 1 payments paid here on that day, 1 agree, 0 differences",
        "Refunds were not compared",
        "The day is not over",
    ]);
    std::fs::write(world.path("list.csv"), "ref,amount\n").unwrap();
    let past = world.run(&["reconcile", "--account", WEB, "--day", "2024-01-01", "--file", "list.csv"]);
    assert!(past.code == 0 && !past.out.contains("not over"), "{past:?}");

    let other = office.compare(
        &format!("\u{feff}Ref;Amount\r\n{reference};\"1,500.01\"\r\nnobody;5\r\n"),
        &["--thousands", ","],
    );
    assert_eq!((other.code, other.err.as_str()), (1, ""), "{other:?}");
    other.says(&["amount", "1500.01 MNT", "1500.00 MNT", "not-known", "nobody", "order-1", "line 3"]);
    let framed =
        format!("\"Report of the day\nref,amount\n{reference},1500.00\n\u{41d}\u{438}\u{439}\u{442},1500\n");
    let skipped =
        office.compare(&framed, &["--skip", "1", "--totals", "\u{43d}\u{438}\u{438}\u{306}\u{442}"]);
    assert_eq!(skipped.code, 0, "{skipped:?}");
    let json = office.compare("ref,amount\n", &["--json"]);
    assert_eq!(json.code, 1);
    assert_eq!(json.json()["day_is_over"], false);
    assert_eq!(json.json()["differences"][0]["kind"], "not-listed");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_listed_as_paid_is_asked_about_unless_told_otherwise() {
    let office = Office::open().await;
    let world = &office.world;
    let open = world.order(WEB, "order-1", 1500).await;
    world.bank(WEB).act(open.reference.merchant_ref.as_str(), "pay").unwrap();
    let list = format!("Order,Sum,State\n{},1500,DONE\n", open.reference.merchant_ref);
    let columns = ["--columns", "ref=Order,amount=Sum,status=State"];
    let due = async || world.payments.payment(&open.id).await.unwrap().ask_at.unwrap();
    let before = due().await;

    let unnamed = office.compare(&list, &columns);
    assert_eq!(unnamed.code, 2, "{unnamed:?}");
    assert!(unnamed.err.contains("list.csv: line 2, column `State`"), "{unnamed:?}");
    let looked = office.compare(&list, &[&columns[..], &["--paid", "done", "--no-ask"]].concat());
    assert_eq!((looked.code, due().await), (1, before), "{looked:?}");
    let asked = office.compare(&list, &[&columns[..], &["--paid", "done"]].concat());
    asked.says(&["not-paid-here", "The provider is asked now", "asks about 1 of them"]);
    assert!(due().await < before);
    assert_eq!(
        world.payments.payment(&open.id).await.unwrap().status,
        Status::Pending,
        "a list proves nothing"
    );
    world.run(&["payments", "show", "order-1"]).says(&["says that it was paid; asking"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_compared_is_2_and_changes_nothing() {
    let office = Office::open().await;
    let world = &office.world;
    let open = world.order(WEB, "order-1", 1500).await;
    let before = world.payments.payment(&open.id).await.unwrap();
    let good = format!("ref,amount\n{},1500\n", open.reference.merchant_ref);
    let refused = |list: &str, more: &[&str], words: &str| {
        let done = office.compare(list, more);
        assert_eq!((done.code, done.out.as_str()), (2, ""), "{done:?}");
        assert!(done.err.contains(words), "{words}: {done:?}");
    };
    // A good line before the bad one is not applied either.
    refused(&format!("{good}x,1.234\n"), &[], "line 3, column `amount`");
    refused(&format!("{good}x,planted-signature-value\n"), &[], "line 3, column `amount`");
    refused(&format!("{good}x\n"), &[], "line 3");
    refused("a,b\n1,2\n", &[], "no column `ref`");
    for empty in ["", "\u{feff}", "\r\n"] {
        refused(empty, &[], "list.csv: line 1: the list is empty");
    }
    refused("\"x\nline 9: fine\",amount\n", &[], "`x\u{fffd}line 9: fine`");
    refused(
        &format!("ref,amount,what\n{},1500,\"x\nstranger,5,y\n", open.id),
        &[],
        "line 2: a quote opens here",
    );
    refused(&good, &["--columns", "price=x"], "--columns");
    refused(&good, &["--skip", "9"], "within the 9 lines");
    refused(&good, &["--currency", "XYZ"], "--currency");
    refused(&good, &["--thousands", "."], "cannot be the same");
    let run = |arguments: &[&str], words: &str| {
        let done = world.run(arguments);
        assert_eq!(done.code, 2, "{done:?}");
        assert!(done.err.contains(words), "{words}: {done:?}");
    };
    run(&["reconcile", "--account", WEB, "--day", "21.11.2026", "--file", "list.csv"], "2026-11-21");
    let in_two_days = TokioClock.now().after(Duration::from_hours(48)).format_at(0, "%Y-%m-%d");
    run(
        &["reconcile", "--account", WEB, "--day", &in_two_days, "--file", "list.csv"],
        &format!("the day {in_two_days} (+00:00) has not begun"),
    );
    run(
        &["reconcile", "--account", WEB, "--day", "2024-01-02", "--file", "none.csv"],
        "none.csv cannot be read",
    );
    run(
        &["reconcile", "--account", "nobody", "--day", "2024-01-02", "--file", "list.csv"],
        "is it the right one",
    );
    run(
        &["reconcile", "--account", WEB, "--day", "2024-01-02", "--file", "list.csv", "--offset", "8"],
        "offset",
    );
    assert_eq!(world.payments.payment(&open.id).await.unwrap(), before);
}
