//! An outside provider brings its own side and gets pages, faults, log, notifications and the state file for nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use tulbur_sandbox::plugin::{
    ActionRequest, Desk, Note, Notification, PaymentRecord, PaymentState, Plugin, Profile, RequestHead,
    Switch, Tamper, Timestamp, Transaction,
};
use tulbur_sandbox::{Fault, FaultKind, Sandbox, SandboxError};

use crate::support::{BANK, Till, eventually, http};

struct Kiosk;

#[derive(Default, Serialize, Deserialize)]
struct Books {
    sales: BTreeMap<String, Sale>,
}

#[derive(Serialize, Deserialize)]
struct Sale {
    at: Timestamp,
    paid_at: Option<Timestamp>,
}

impl Plugin for Kiosk {
    type State = Books;

    fn profile(&self) -> Profile {
        Profile::new("kiosk", "Kiosk")
            .credential("key", "kiosk-key")
            .action("pay", "pays")
            .switch(Switch::one_of("mood", "how it answers", &[("kind", "kindly"), ("curt", "curtly")]))
    }

    fn routes(&self, desk: Desk<Books>) -> Router {
        Router::new().route("/sales/{id}", post(open)).route("/sales/{id}", get(look)).with_state(desk)
    }

    fn payments(&self, books: &Books) -> Vec<PaymentRecord> {
        let record = |(id, sale): (&String, &Sale)| {
            let mut record = PaymentRecord::new(id, id, "sale", "10", sale.at);
            record.pages.insert("sale".into(), format!("/sales/{id}"));
            if let Some(at) = sale.paid_at {
                record.state = PaymentState::Paid;
                record.debits = 1;
                record.debited_at = Some(at);
            } else {
                record.actions = vec!["pay".into()];
            }
            record
        };
        books.sales.iter().map(record).collect()
    }

    fn act(&self, tx: &mut Transaction<'_, Books>, action: &ActionRequest) -> Result<String, SandboxError> {
        let now = tx.now();
        let Some(sale) = tx.state_mut().sales.get_mut(&action.reference) else {
            return Err(SandboxError::NotFound { what: "no such sale".into() });
        };
        sale.paid_at = Some(now);
        let _ = tx.push(&action.reference);
        Ok("paid".into())
    }

    fn notification(&self, tx: &Transaction<'_, Books>, reference: &str, _: Tamper) -> Option<Notification> {
        let paid = tx.state().sales.get(reference)?.paid_at.is_some();
        Some(
            Notification::json(format!("{{\"sale\":\"{reference}\",\"paid\":{paid}}}"))
                .header("x-kiosk", "1"),
        )
    }

    fn subject(&self, _: &Books, request: &RequestHead<'_>) -> Option<String> {
        request.path.strip_prefix("/sales/").map(str::to_owned)
    }
}

async fn open(State(desk): State<Desk<Books>>, Path(id): Path<String>) -> Response {
    let opened = desk.update(|tx| {
        let at = tx.now();
        tx.state_mut().sales.insert(id.clone(), Sale { at, paid_at: None });
    });
    let mut response = match opened {
        Ok(()) => desk.switch("mood").into_response(),
        Err(error) => error.into_response(),
    };
    response.extensions_mut().insert(Note::accepted("sold"));
    response
}

async fn look(State(desk): State<Desk<Books>>, Path(id): Path<String>) -> String {
    desk.read(|books| books.sales.get(&id).map(|sale| sale.paid_at.is_some()))
        .map_or("none".into(), |paid| paid.to_string())
}

#[tokio::test]
async fn an_outside_provider_stands_beside_the_built_in_one() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state.json");
    let till = Till::open().await;
    let sandbox = Sandbox::builder().plugin(Kiosk).state_file(&file).start().await.unwrap();
    assert_eq!(
        sandbox.provider_ids(),
        ["galaxy-pay", BANK, "golomt-instore", "golomt-mini-app", "kiosk", "qpay"]
    );
    let kiosk = sandbox.provider("kiosk").unwrap();
    kiosk.set_push_address(Some(&till.address)).unwrap();
    let url = format!("{}/sales/S-1", kiosk.base_url());

    kiosk.set_switch("mood", "curt").unwrap();
    kiosk.add_fault(Fault::new(FaultKind::CutBefore).for_reference("S-1")).unwrap();
    assert!(http().post(&url).send().await.is_err());
    assert_eq!(http().post(&url).send().await.unwrap().text().await.unwrap(), "curt");
    assert_eq!(kiosk.requests()[1].explanation, "sold");
    assert_eq!(kiosk.payment("S-1").unwrap().pages["sale"], url);
    assert!(
        kiosk
            .add_fault(Fault::new(FaultKind::PushWrongKey))
            .unwrap_err()
            .to_string()
            .contains("kiosk cannot do")
    );

    kiosk.add_fault(Fault::new(FaultKind::PushDoubled)).unwrap();
    let order = format!("{}/api/kiosk/payments/S-1/pay", sandbox.control_url());
    assert_eq!(http().post(order).send().await.unwrap().status(), 200);
    let received = till.wait_for(2).await;
    assert_eq!(received[0].headers["x-kiosk"], "1");
    assert_eq!(received[0].json()["paid"], true);
    eventually("both recorded", || kiosk.pushes().iter().all(|push| push.attempts.len() == 1)).await;

    let nowhere = http().get(format!("{}/nowhere", kiosk.base_url())).send().await.unwrap();
    assert_eq!(nowhere.status(), 404);
    sandbox.shutdown().await;

    let sandbox =
        Sandbox::builder().without_built_in().plugin(Kiosk).state_file(&file).start().await.unwrap();
    assert_eq!(sandbox.provider_ids(), ["kiosk"]);
    assert_eq!(sandbox.provider("kiosk").unwrap().payment("S-1").unwrap().debits, 1);
    let why = sandbox.provider(BANK).unwrap_err().to_string();
    assert!(why.contains("it has: kiosk"), "{why}");
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(till.count(), 2, "a delivered notification was sent again");
}

/// One code of sixteen digits in ten passes the check of card numbers, and must be found in the log all the same.
#[tokio::test]
async fn a_reference_that_looks_like_a_card_number_is_never_hidden() {
    let sandbox = Sandbox::builder().without_built_in().plugin(Kiosk).start().await.unwrap();
    let kiosk = sandbox.provider("kiosk").unwrap();
    let url = format!("{}/sales/4111111111111111?card=5555555555554444", kiosk.base_url());
    assert_eq!(http().post(&url).send().await.unwrap().status(), 200);
    assert_eq!(kiosk.requests()[0].target, "/sales/4111111111111111?card=[hidden]");
}

#[tokio::test]
async fn plug_ins_that_clash_are_refused() {
    let why = Sandbox::builder().plugin(Kiosk).plugin(Kiosk).start().await.unwrap_err();
    assert!(matches!(why, SandboxError::DuplicatePlugin { .. }), "{why}");
    let why = Sandbox::builder().push_address("nobody", "http://127.0.0.1:9").start().await.unwrap_err();
    assert!(matches!(why, SandboxError::UnknownProvider { .. }), "{why}");
}
