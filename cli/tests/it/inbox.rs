//! `tulbur inbox` as its own process.

use crate::support::{KEY, WEB, World, run};
use tulbur::payments::Status;

const SECRET: &str = "sandbox-golomt-secret";

#[tokio::test(flavor = "multi_thread")]
async fn list_says_what_became_of_each() {
    let world = World::open().await;
    world.run(&["inbox", "list"]).says(&["Nothing is in the inbox"]);
    let open = world.order(WEB, "order-1", 1500).await;
    world.push(open.reference.merchant_ref.as_str(), "000", "1500.00", SECRET).await;
    world.push(open.reference.merchant_ref.as_str(), "000", "1500.00", SECRET).await;
    world.push(open.reference.merchant_ref.as_str(), "000", "1500.00", "wrong").await;
    let done = world.run(&["inbox", "list"]);
    done.says(&["accepted", "refused", "notification", open.id.as_str(), WEB]);
    let all = world.run(&["inbox", "list", "--json"]).json();
    let of = |verdict: &str| {
        all.as_array().unwrap().iter().find(|one| one["verdict"] == verdict).cloned().unwrap()
    };
    assert_eq!(
        (of("accepted")["times"].clone(), of("accepted")["sealed_with"].clone()),
        (2.into(), "2027".into())
    );
    let refused = world.run(&["inbox", "list", "--refused", "--json"]).json();
    assert_eq!(refused.as_array().unwrap().len(), 1);
    assert!(
        world.run(&["inbox", "list", "--account", "other", "--json"]).json().as_array().unwrap().is_empty()
    );
    assert_eq!(world.run(&["inbox", "list", "--limit", "1", "--json"]).json().as_array().unwrap().len(), 1);
}

/// Amounts, codes and references are shown; what else arrived is described. `World` searches all that is printed for
/// what was planted.
#[tokio::test(flavor = "multi_thread")]
async fn show_hides_what_is_secret_or_personal() {
    let world = World::open().await;
    let open = world.order(WEB, "order-1", 1500).await;
    let reference = open.reference.merchant_ref.as_str();
    world.push(reference, "000", "1500.00", SECRET).await;
    let id = world.inbox().await.remove(0);
    let shown = world.acting(&["inbox", "show", &id]);
    assert_eq!(shown.code, 0, "{shown:?}");
    shown.says(&[
        "amount",
        "1500.00",
        "errorCode",
        "000",
        reference,
        "[not shown: ",
        "cardHolder",
        "x-signature",
    ]);
    assert!(!shown.out.contains("949625"), "{shown:?}");
    let json = world.acting(&["inbox", "show", &id, "--json"]).json();
    assert_eq!(json["delivery"]["form"], "json");

    world.deliver(b"planted-token-000111222333|PLANTED HOLDER|4111111111111111").await;
    let odd = world.inbox().await.into_iter().find(|one| *one != id).unwrap();
    world.acting(&["inbox", "show", &odd]).says(&["neither JSON nor a form"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_key_a_delivery_stays_shut_and_the_key_is_named() {
    let world = World::open().await;
    world.deliver(b"{}").await;
    let id = world.inbox().await.remove(0);
    let none = world.run(&["inbox", "show", &id]);
    assert!(none.code == 1 && none.err.contains("--sealing-key 2027=VARIABLE"), "{none:?}");
    let database = world.url();
    let show = |key: &str, value: &str| {
        let arguments = ["inbox", "show", &id, "--sealing-key", key];
        world.run_with(&arguments, &[("TULBUR_DATABASE", &database), ("K", value)])
    };
    assert_eq!(show("2027=K", KEY).code, 0);
    let other = show("2026=K", KEY);
    assert!(other.code == 1 && other.err.contains("`2027` is not configured"), "{other:?}");
    let wrong = show("2027=K", "cGxhbnRlZC1zZWFsaW5nLWtleS0wMTIzNDU2Nzg5QUM=");
    assert!(wrong.code == 1 && wrong.err.contains("cannot be opened"), "{wrong:?}");
    let nothing = world.acting(&["inbox", "show", "nothing"]);
    assert!(nothing.code == 1 && nothing.err.contains("no delivery `nothing`"), "{nothing:?}");
    assert_eq!(run(&["inbox", "show", "x", "--sealing-key", KEY], &[], world.folder.path()).code, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn replay_asks_the_provider_and_believes_nothing_else() {
    let world = World::open().await;
    let open = world.order(WEB, "order-1", 1500).await;
    let reference = open.reference.merchant_ref.as_str();
    world.push(reference, "000", "1500.00", SECRET).await;
    world.push(reference, "000", "1500.00", "wrong").await;
    let json = world.run(&["inbox", "list", "--json"]).json();
    let of = |verdict: &str| {
        let all = json.as_array().unwrap();
        all.iter().find(|one| one["verdict"] == verdict).unwrap()["id"].as_str().unwrap().to_owned()
    };
    let (accepted, refused) = (of("accepted"), of("refused"));
    let nobody = world.run(&["inbox", "replay", &accepted]);
    assert!(nobody.code == 1 && nobody.err.contains("nothing was done"), "{nobody:?}");

    let unpaid = world.acting(&["inbox", "replay", &accepted, "--by", "Saruul"]);
    unpaid.says(&["It is genuine", "The provider was asked"]);
    world.bank(WEB).act(reference, "pay").unwrap();
    world.acting(&["inbox", "replay", &accepted, "--by", "Saruul"]).says(&["is paid"]);
    assert_eq!(world.payments.payment(&open.id).await.unwrap().status, Status::Paid);
    world.run(&["payments", "show", "order-1"]).says(&["Saruul replayed delivery", &accepted]);

    let forged = world.acting(&["inbox", "replay", &refused]);
    assert_eq!(forged.code, 1);
    forged.says(&["It is refused", "Nothing was changed."]);
    let json = world.acting(&["inbox", "replay", &refused, "--json"]);
    assert_eq!((json.code, json.json()["outcome"].as_str()), (1, Some("refused")));
}
