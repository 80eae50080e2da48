//! `tulbur payments` as its own process, on a database that real payments filled.

use crate::support::{Done, TILL, WEB, World, mnt, run};
use serde_json::Value;
use tulbur::core::OperationState;
use tulbur::payments::{Outbox as _, RefundPayment, Status};
use tulbur_sandbox::{Fault, FaultKind};

const SECRET: &str = "sandbox-golomt-secret";

fn ids(done: &Done) -> Vec<String> {
    let json = done.json();
    json["payments"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn list_shows_what_is_asked_for() {
    let world = World::open().await;
    let paid = world.paid(WEB, "order-1", 1500).await;
    let open = world.order(WEB, "order-2", 20).await;
    let till = world.order(TILL, "order-3", 7).await;
    let done = world.run(&["payments", "list", "--offset", "+08:00"]);
    assert_eq!(done.code, 0, "{done:?}");
    done.says(&["order-1", "1500.00 MNT", "paid", "pending", "UTC+08:00", "2 open", "0 items for a person"]);
    let lines: Vec<&str> = done.out.lines().collect();
    assert!(lines[1].starts_with(till.id.as_str()) && lines[3].starts_with(paid.id.as_str()), "newest first");

    let list = |more: &[&str]| ids(&world.run(&[&["payments", "list", "--json"], more].concat()));
    assert_eq!(list(&[]), [till.id.as_str(), open.id.as_str(), paid.id.as_str()]);
    assert_eq!(list(&["--status", "paid"]), [paid.id.as_str()]);
    assert_eq!(list(&["--account", WEB]), [open.id.as_str(), paid.id.as_str()]);
    assert_eq!(list(&["--limit", "1", "--after", till.id.as_str()]), [open.id.as_str()]);
    assert!(list(&["--unknown"]).is_empty());
    assert_eq!(world.run(&["payments", "list", "--status", "odd"]).code, 2);
    assert_eq!(world.run(&["payments", "list", "--limit", "0"]).code, 2);
    world.run(&["payments", "list", "--status", "declined"]).says(&["No payment is like that."]);
}

#[tokio::test(flavor = "multi_thread")]
async fn show_tells_the_whole_story_under_any_name() {
    let world = World::open().await;
    let paid = world.paid(WEB, "order-1", 1500).await;
    let reference = &paid.reference;
    for name in [
        "order-1",
        paid.id.as_str(),
        reference.merchant_ref.as_str(),
        reference.provider_ref.as_ref().unwrap().as_str(),
    ] {
        let done = world.run(&["payments", "show", name]);
        assert_eq!(done.code, 0, "{done:?}");
        done.says(&[
            "Order order-1: 1500.00 MNT, paid by payment",
            "It is paid, and the provider's answer or an operator's decision has confirmed it.",
            reference.merchant_ref.as_str(),
            "Three things",
            "the test asks to look again",
            "pending → paid",
            "Events for the application",
        ]);
    }
    let json = world.run(&["payments", "show", "order-1", "--json"]).json();
    assert_eq!(json["payments"][0]["status"], "paid");
    assert_eq!(json["events"][0]["kind"], "paid", "{json}");
    assert!(json["events"][0]["handlers"].is_array(), "{json}");
    assert!(json["history"].as_array().unwrap().len() >= 4, "{json}");
    let missing = world.run(&["payments", "show", "nobody"]);
    assert_eq!(missing.code, 1);
    assert!(missing.err.contains("no order, payment or reference `nobody`"), "{missing:?}");
}

/// A payer's page, its secret, and what opens it are nobody's business at a terminal.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_opens_a_page_is_printed() {
    let world = World::open().await;
    let open = world.order(WEB, "order-1", 1500).await;
    let secret = world.payments.page_secret(&open).unwrap();
    for arguments in [
        &["payments", "show", "order-1"][..],
        &["payments", "show", "order-1", "--json"],
        &["payments", "list", "--json"],
    ] {
        let done = world.run(arguments);
        assert!(!done.out.contains(secret.expose()) && !done.out.contains("/payment/"), "{done:?}");
        assert!(!done.out.contains("sealed") && !done.out.contains("secret_hash"), "{done:?}");
    }
    world
        .run(&["payments", "show", "order-1"])
        .says(&["It waits for the payer, until", "go to the provider's page"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn attention_says_what_to_do_and_resolve_resolves() {
    let world = World::open().await;
    world.paid_twice("order-1").await;
    assert_eq!(world.push(&"0".repeat(32), "000", "7.00", SECRET).await, 200);
    let done = world.run(&["payments", "attention"]);
    done.says(&["paid-again", "unknown-payment", "order-1", "To do:", "--done --by NAME"]);
    world.run(&["payments", "show", "order-1"]).says(&["paid-again", "--done --by NAME"]);
    world.run(&["payments", "list"]).says(&["2 items for a person", "`tulbur payments attention`"]);

    let items = world.run(&["payments", "attention", "--json"]).json();
    let key = |kind: &str| -> String {
        let items = items["items"].as_array().unwrap();
        let found = items.iter().find(|one| one["item"]["kind"] == kind).unwrap();
        found["item"]["key"].as_str().unwrap().to_owned()
    };
    let paid_again = key("paid-again");
    let resolve = |more: &[&str]| world.run(&[&["payments", "resolve", &paid_again], more].concat());
    // Nobody is there to agree; it is no question of happening; a name is needed; one word only.
    let silent = resolve(&["--done", "--by", "Saruul"]);
    assert!(silent.code == 1 && silent.err.contains("Say --yes"), "{silent:?}");
    let wrong = resolve(&["--happened", "--by", "Saruul", "--yes"]);
    assert!(wrong.code == 1 && wrong.err.contains("say --done"), "{wrong:?}");
    assert_eq!(resolve(&["--done", "--yes"]).code, 2);
    assert_eq!(resolve(&["--done", "--never", "--by", "S", "--yes"]).code, 2);
    assert_eq!(world.payments.attention().await.unwrap().len(), 2);

    resolve(&["--done", "--by", "Saruul", "--yes"]).says(&["Resolved"]);
    assert_eq!(world.payments.attention().await.unwrap().len(), 1);
    world.run(&["payments", "show", "order-1"]).says(&["Saruul resolved `paid-again`"]);
    let again = resolve(&["--done", "--by", "Saruul", "--yes"]);
    assert!(again.code == 1 && again.err.contains("no open item"), "{again:?}");
    let stranger = key("unknown-payment");
    world.run(&["payments", "resolve", &stranger, "--done", "--by", "S", "-y"]).says(&["Resolved"]);
    world.run(&["payments", "attention"]).says(&["Nothing waits for a person."]);
}

#[tokio::test(flavor = "multi_thread")]
async fn retry_asks_here_or_leaves_it_to_the_application() {
    let world = World::open().await;
    let open = world.order(WEB, "order-1", 1500).await;
    world.bank(WEB).act(open.reference.merchant_ref.as_str(), "pay").unwrap();
    let left = world.run(&["payments", "retry", "order-1"]);
    left.says(&["is due now", "no account is configured here"]);
    let record = world.payments.payment(&open.id).await.unwrap();
    assert_eq!(record.status, Status::Pending);
    assert!(record.ask_at.unwrap() <= tulbur::core::Clock::now(&tulbur::reqwest::TokioClock));

    world.acting(&["payments", "retry", "order-1"]).says(&["Asked the provider", "was pending and is paid"]);
    assert_eq!(world.payments.payment(&open.id).await.unwrap().status, Status::Paid);
    let history = world.payments.payment_history(&open.id).await.unwrap().to_string();
    assert!(history.contains("oyuna asks to look again"), "{history}");

    // Events that were given up come again; one at a time, or all.
    assert_eq!(world.park_everything().await, 1);
    world.run(&["payments", "attention"]).says(&["event given up", "Repair the application's handler"]);
    world.run(&["payments", "show", "order-1"]).says(&["parked", "were given up"]);
    world.run(&["payments", "retry", "order-1"]).says(&["1 events that were given up are due again"]);
    assert!(world.store.parked_deliveries(10).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_was_given_up_comes_again() {
    let world = World::open().await;
    world.paid(WEB, "order-1", 1500).await;
    world.paid(WEB, "order-2", 1500).await;
    assert_eq!(world.park_everything().await, 2);
    world.run(&["payments", "retry", "--all-given-up"]).says(&["2 events are due again"]);
    assert!(world.store.parked_deliveries(10).await.unwrap().is_empty());
    assert_eq!(world.run(&["payments", "retry"]).code, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_is_made_once_per_key_and_an_unknown_one_is_settled_by_a_person() {
    let world = World::open().await;
    let paid = world.paid(TILL, "order-1", 1500).await;
    let refund = ["payments", "refund", "order-1", "--reason", "broken", "--key", "ticket-1"];
    let nobody = world.run(&[&refund[..], &["--yes"]].concat());
    assert!(nobody.code == 1 && nobody.err.contains("nothing was done"), "{nobody:?}");
    let silent = world.acting(&refund);
    assert!(silent.code == 1 && silent.err.contains("Say --yes"), "{silent:?}");
    assert!(world.payments.operations(&paid.id).await.unwrap().is_empty());
    let wrong = world.acting(&[&refund[..], &["--amount", "1,500", "--yes"]].concat());
    assert!(wrong.code == 1 && wrong.err.contains("--amount"), "{wrong:?}");
    let unclear = world.acting(&[&refund[..], &["--amount", "1.500", "--yes"]].concat());
    assert!(unclear.code == 1 && unclear.err.contains("can mean 1.5 or 1500"), "{unclear:?}");
    assert!(world.payments.operations(&paid.id).await.unwrap().is_empty());

    for _ in 0..2 {
        let done = world.acting(&[&refund[..], &["--yes"]].concat());
        assert_eq!(done.code, 0, "{done:?}");
        done.says(&["1500.00 MNT given back"]);
        assert!(done.err.contains("of order `order-1`"), "{done:?}");
    }
    assert_eq!(world.payments.operations(&paid.id).await.unwrap().len(), 1);
    world.run(&["payments", "show", "order-1"]).says(&["refund", "succeeded", "given back", "broken"]);

    let lost = world.paid(TILL, "order-2", 20).await;
    world.bank(TILL).add_fault(Fault::new(FaultKind::AnswerLost).on_path("/pos/payment/cancel")).unwrap();
    let done = world.acting(&["payments", "refund", "order-2", "--reason", "b", "--key", "t-2", "--yes"]);
    assert_eq!(done.code, 1, "{done:?}");
    done.says(&["Nobody knows whether 20.00 MNT was given back", "Do not refund again"]);
    let operation = world.payments.operations(&lost.id).await.unwrap().remove(0);
    assert_eq!(operation.state, OperationState::Unknown);
    assert_eq!(ids(&world.run(&["payments", "list", "--unknown", "--json"])), [lost.id.as_str()]);
    world.run(&["payments", "list", "--unknown"]).says(&["the refund of 20.00 MNT may have happened"]);
    let reference = operation.operation_ref.as_str();
    world.run(&["payments", "show", "order-2"]).says(&["may have happened", reference]);

    let declare = ["payments", "resolve", reference, "--happened", "--by", "Saruul", "--yes"];
    let nobody = world.run(&declare);
    assert!(nobody.code == 1 && nobody.err.contains("nothing was done"), "{nobody:?}");
    let done = world.acting(&declare);
    done.says(&["is succeeded now"]);
    assert!(done.err.contains("You say that the refund of 20.00 MNT"), "{done:?}");
    assert_eq!(world.payments.payment(&lost.id).await.unwrap().refunded, Some(mnt(20)));
    let again = world.acting(&declare);
    assert!(again.code == 1 && again.err.contains("only an unknown one"), "{again:?}");
    world.run(&["payments", "show", "order-2"]).says(&["Saruul says that it happened"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_the_provider_does_not_offer_says_so() {
    let world = World::open().await;
    let paid = world.paid(WEB, "order-1", 1500).await;
    let done = world.acting(&["payments", "refund", "order-1", "--reason", "b", "--key", "t", "--yes"]);
    assert!(done.code == 1 && done.err.contains("Refund at the provider by hand"), "{done:?}");
    let direct = world.payments.refund(RefundPayment::new(paid.id.clone(), "b")).await;
    assert!(direct.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operators_decision_does_not_replace_the_providers_word() {
    let world = World::open().await;
    let open = world.order(WEB, "order-1", 1500).await;
    let refused = world.acting(&["payments", "resolve", "order-1", "--never", "--by", "Saruul", "--yes"]);
    assert!(refused.code == 1 && refused.err.contains("exact id"), "{refused:?}");
    let done = world.acting(&["payments", "resolve", open.id.as_str(), "--never", "--by", "Saruul", "--yes"]);
    assert!(done.code == 1 && done.err.contains("only its word moves it"), "{done:?}");
    let shown = world.run(&["payments", "show", "order-1"]);
    assert!(!shown.out.contains("Saruul"), "nothing was changed: {shown:?}");
}

#[test]
fn a_wrong_database_is_told_and_never_made() {
    let folder = tempfile::tempdir().unwrap();
    let list = |url: &str| {
        let done = run(&["payments", "list"], &[("TULBUR_DATABASE", url)], folder.path());
        assert_eq!((done.code, done.out.as_str()), (1, ""), "{done:?}");
        done.err
    };
    assert!(list("sqlite:none.db").contains("there is no database none.db; none was made"));
    assert!(list("sqlite:none.db?mode=rwc").contains("none was made"));
    std::fs::write(folder.path().join("text.db"), "no database at all, but long enough to look like a file")
        .unwrap();
    assert!(list("sqlite:text.db").contains("no database of Tulbur's"));
    std::fs::write(folder.path().join("empty.db"), "").unwrap();
    assert!(list("sqlite:empty.db").contains("no database of Tulbur's"));
    for url in [
        "mysql://u:planted@h/d",
        "planted",
        "postgres://u:planted@127.0.0.1:1/shop",
        "postgres://u:planted@[/x",
    ] {
        let err = list(url);
        assert!(!err.contains("planted"), "{err}");
    }
    let files: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(files.len(), 2, "{files:?}");
    assert_eq!(std::fs::metadata(folder.path().join("empty.db")).unwrap().len(), 0);
    let none = run(&["payments", "list"], &[], folder.path());
    assert!(none.code == 1 && none.err.contains("--database"), "{none:?}");
}

/// A damaged database is not taken for somebody else's.
#[tokio::test]
async fn a_damaged_database_is_told_apart() {
    use sqlx::Connection;
    use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("damaged.db");
    let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let mut made = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::query("CREATE TABLE tulbur_migrations (version INTEGER)").execute(&mut made).await.unwrap();
    made.close().await.unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    assert!(bytes.len() > 4096, "the table has a page of its own");
    bytes[4096..].fill(0xa5);
    std::fs::write(&path, bytes).unwrap();
    let done = run(&["payments", "list", "--database", "sqlite:damaged.db"], &[], folder.path());
    assert!(done.code == 1 && done.err.contains("damaged.db cannot be read"), "{done:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn configuration_that_is_wrong_is_told_without_its_values() {
    let world = World::open().await;
    world.order(WEB, "order-1", 1500).await;
    let config = world.path("wrong.toml");
    let list = |text: &str, arguments: &[&str], environment: &[(&str, &str)]| {
        std::fs::write(&config, text).unwrap();
        let arguments = [arguments, &["--config", "wrong.toml"]].concat();
        let done = world.run_with(&arguments, environment);
        assert_eq!(done.code, 1, "{done:?}");
        assert!(!done.err.contains("planted"), "{done:?}");
        done.err
    };
    assert!(list("a = 1\ndatabase = planted", &["payments", "list"], &[]).contains("line 2"));
    let database = format!("database = \"{}\"\n", world.url());
    let keyed = format!("{database}sealing_keys = [{{ id = \"2027\", env = \"NO_SUCH\" }}]\n");
    let account = format!("{keyed}[accounts.{WEB}]\ntoken = \"planted\"\n");
    let retry = ["payments", "retry", "order-1"];
    assert!(list(&account, &retry, &[]).contains("for sealing key 1 is not set"));
    assert!(list(&account, &retry, &[("NO_SUCH", "planted")]).contains("32 bytes in base64"));
    assert!(list(&account, &retry, &[("NO_SUCH", crate::support::KEY)]).contains("secret"));
    assert!(world.run_with(&["payments", "list", "--config", "none.toml"], &[]).err.contains("none.toml"));
    // A file of the usual name is found by itself.
    std::fs::write(world.path("tulbur.toml"), database).unwrap();
    assert_eq!(world.run_with(&["payments", "list"], &[]).code, 0);
}

/// Whoever looks while the application works disturbs nothing and is not disturbed.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_in_use_is_read() {
    let world = World::open().await;
    let open = world.order(WEB, "order-1", 1500).await;
    let before = serde_json::to_value(world.payments.payment(&open.id).await.unwrap()).unwrap();
    for arguments in [
        &["payments", "list"][..],
        &["payments", "show", "order-1"],
        &["payments", "attention"],
        &["inbox", "list"],
    ] {
        assert_eq!(world.run(arguments).code, 0);
    }
    let after: Value = serde_json::to_value(world.payments.payment(&open.id).await.unwrap()).unwrap();
    assert_eq!(before, after);
    world.order(WEB, "order-2", 5).await;
    assert_eq!(ids(&world.run(&["payments", "list", "--json"])).len(), 2);
}

#[test]
fn help_has_examples_and_what_makes_no_sense_is_2() {
    let folder = tempfile::tempdir().unwrap();
    for command in [
        &["payments"][..],
        &["payments", "list"],
        &["payments", "show"],
        &["payments", "retry"],
        &["payments", "resolve"],
        &["payments", "refund"],
        &["inbox"],
        &["reconcile"],
    ] {
        let done = run(&[command, &["--help"]].concat(), &[], folder.path());
        assert!(done.code == 0 && done.out.contains("Examples:"), "{done:?}");
        assert!(done.out.contains("--database"), "{done:?}");
    }
    assert_eq!(run(&["payments"], &[], folder.path()).code, 2);
    assert_eq!(run(&["payments", "resolve", "x", "--by", "S"], &[], folder.path()).code, 2);
    assert_eq!(run(&["payments", "refund", "x", "--reason", "r"], &[], folder.path()).code, 2);
}
