//! What survives: the state file, restarts, and files that are no state files.

use std::time::Duration;

use serde_json::json;
use tulbur_sandbox::{Fault, FaultKind, PaymentState, PushState, Sandbox, SandboxError};

use crate::support::{BANK, Merchant, SUCCESS, Till, eventually};

#[tokio::test]
async fn everything_acknowledged_survives_a_drop_without_farewell() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sandbox.json");
    let token;
    {
        let sandbox = Sandbox::builder().state_file(&file).start().await.unwrap();
        let merchant = Merchant::of(&sandbox);
        let bank = sandbox.provider(BANK).unwrap();
        bank.set_switch("page-seconds", "300").unwrap();
        bank.add_fault(Fault::new(FaultKind::AnswerLost).on_path("/api/pay").for_reference("C-1")).unwrap();
        token = merchant.token("A-1", SUCCESS).await;
        merchant.invoice("A-2").await;
        let lost = json!({ "amount": "5", "transactionId": "C-1", "token": token });
        assert!(merchant.try_call("/api/pay", lost, crate::support::PAY).await.is_err());
        drop(sandbox);
        assert!(bank.set_switch("page-seconds", "10").is_err(), "a dropped sandbox still writes");
    }
    let sandbox = Sandbox::builder().state_file(&file).start().await.unwrap();
    let merchant = Merchant::of(&sandbox);
    let bank = sandbox.provider(BANK).unwrap();
    let states: Vec<_> = bank
        .payments()
        .into_iter()
        .map(|payment| (payment.reference, payment.state, payment.debits))
        .collect();
    assert_eq!(
        states,
        [
            ("A-1".to_owned(), PaymentState::Paid, 1),
            ("A-2".to_owned(), PaymentState::Open, 0),
            ("C-1".to_owned(), PaymentState::Paid, 1),
        ]
    );
    assert_eq!(bank.switches()["page-seconds"], "300");
    assert!(bank.faults().is_empty(), "a fault that struck is back");
    assert_eq!(merchant.inquiry("A-1").await["token"], token);
    let check = merchant.call("/api/check", json!({ "transactionId": "C-1" }), crate::support::TWICE).await;
    assert_eq!(check.json()["errorCode"], "000");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(
        !text.contains("9999990000000006") && !text.contains("9999 9900"),
        "a card number is in the file"
    );
}

#[tokio::test]
async fn a_notification_that_had_not_gone_out_goes_out_after_the_restart() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sandbox.json");
    let till = Till::open().await;
    {
        let sandbox =
            Sandbox::builder().state_file(&file).push_address(BANK, &till.address).start().await.unwrap();
        let merchant = Merchant::of(&sandbox);
        sandbox.provider(BANK).unwrap().add_fault(Fault::new(FaultKind::PushDelayed).millis(700)).unwrap();
        let invoice = merchant.invoice("A-1").await;
        merchant.pay_page(&invoice, SUCCESS).await;
    }
    tokio::time::sleep(Duration::from_millis(900)).await;
    assert_eq!(till.count(), 0, "a dropped sandbox still sends");
    let sandbox = Sandbox::builder().state_file(&file).start().await.unwrap();
    till.wait_for(1).await;
    let bank = sandbox.provider(BANK).unwrap();
    eventually("recorded", || bank.pushes()[0].state == PushState::Delivered).await;
    assert_eq!(till.count(), 1);
}

#[tokio::test]
async fn the_ports_are_free_after_a_shutdown_and_taken_ones_are_named() {
    let sandbox = Sandbox::builder().start().await.unwrap();
    let port: u16 = sandbox.base_url(BANK).unwrap().rsplit(':').next().unwrap().parse().unwrap();
    let why = Sandbox::builder().port(port).start().await.unwrap_err();
    assert!(matches!(why, SandboxError::Listen { .. }));
    let text = why.to_string();
    assert!(text.contains(&port.to_string()) && text.contains("the control page"), "{text}");
    let text = Sandbox::builder().port(port - 1).without_built_in().start().await;
    drop(text);
    let why = Sandbox::builder().port(u16::MAX).start().await.unwrap_err();
    assert!(why.to_string().contains("too high"), "{why}");
    sandbox.shutdown().await;
    Sandbox::builder().without_built_in().port(port).start().await.unwrap().shutdown().await;
}

#[tokio::test]
async fn shutdown_is_quick_also_with_an_idle_connection_open() {
    let sandbox = Sandbox::builder().start().await.unwrap();
    let merchant = Merchant::of(&sandbox);
    merchant.invoice("A-1").await;
    let idle =
        tokio::net::TcpStream::connect(sandbox.base_url(BANK).unwrap().trim_start_matches("http://")).await;
    let started = std::time::Instant::now();
    sandbox.shutdown().await;
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
    drop(idle);
}

#[tokio::test]
async fn files_that_are_no_state_files_stop_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sandbox.json");
    for (text, words) in [
        ("", "cannot be understood"),
        (
            "{\"tulbur_sandbox\":2,\"providers\":{}}\n{\"changes\":[\"golomt-ecommerce\",{\"plugin\":7}]}\n",
            "golomt-ecommerce",
        ),
        ("{\"tulbur_sandbox\":2,\"providers\":{}}\n{\"other\":1}\n", "a change in it"),
        ("nonsense", "cannot be understood"),
        ("{\"tulbur_sandbox\":99,\"providers\":{}}", "format 99"),
        ("{\"tulbur_sandbox\":2,\"providers\":{\"golomt-ecommerce\":{\"plugin\":7}}}", "golomt-ecommerce"),
    ] {
        std::fs::write(&file, text).unwrap();
        let why = Sandbox::builder().state_file(&file).start().await.unwrap_err().to_string();
        assert!(why.contains(words) && why.contains("sandbox.json"), "{why}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), text, "the file was touched");
        std::fs::remove_file(&file).unwrap();
    }
    let why =
        Sandbox::builder().state_file(folder.path().join("no/such/folder.json")).start().await.unwrap_err();
    assert!(matches!(why, SandboxError::StateFile { .. }), "{why}");

    let first = Sandbox::builder().state_file(&file).start().await.unwrap();
    let why = Sandbox::builder().state_file(&file).start().await.unwrap_err();
    assert!(matches!(why, SandboxError::StateInUse { .. }), "{why}");
    first.shutdown().await;
    Sandbox::builder().state_file(&file).start().await.unwrap();
}

#[tokio::test]
async fn a_file_that_cannot_be_written_is_a_500_and_never_an_acknowledgement() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sub").join("sandbox.json");
    std::fs::create_dir(file.parent().unwrap()).unwrap();
    let sandbox = Sandbox::builder().state_file(&file).start().await.unwrap();
    let merchant = Merchant::of(&sandbox);
    std::fs::remove_dir_all(file.parent().unwrap()).unwrap();
    let body = json!({ "transactionId": "A-1", "amount": "1", "returnType": "GET", "callback": "https://s.example" });
    let reply = merchant.call("/api/invoice", body, crate::support::INVOICE).await;
    assert_eq!((reply.status, &reply.json()["error"]), (500, &json!("Internal")));
    assert!(reply.text.contains("state file"), "{}", reply.text);
}
