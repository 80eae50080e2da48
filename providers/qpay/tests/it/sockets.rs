//! The provider over real sockets: a body on a DELETE arrives, and what is cut off is unknown and sent once.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tulbur_core::{
    AccountName, BuildEnv, CancelRequest, ManualClock, Outcome, PaymentStatus, Provider, RandomIds,
};
use tulbur_qpay::QPay;
use tulbur_reqwest::ReqwestTransport;

use crate::common::*;

/// A request without its body, and its body.
async fn request(socket: &mut TcpStream) -> (String, String) {
    let (mut received, mut buffer) = (Vec::new(), [0_u8; 4096]);
    loop {
        let text = String::from_utf8_lossy(&received).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let lower = head.to_ascii_lowercase();
            let length = lower.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.trim().parse().unwrap()) {
                return (head.to_owned(), body.to_owned());
            }
        }
        let read = socket.read(&mut buffer).await.unwrap();
        assert!(read > 0, "the request ended early");
        received.extend_from_slice(&buffer[..read]);
    }
}

/// Answers one request for each connection; without an answer it hangs up. Gives the first line and the body of each.
async fn serve(listener: TcpListener, answers: Vec<Option<Value>>) -> Vec<(String, String)> {
    let mut seen = Vec::new();
    for answer in answers {
        let (mut socket, _) = listener.accept().await.unwrap();
        let (head, body) = request(&mut socket).await;
        let first = head.lines().next().unwrap_or_default().trim_end_matches(" HTTP/1.1").to_owned();
        seen.push((first, body));
        if let Some(answer) = answer.map(|answer| answer.to_string()) {
            let length = answer.len();
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json; charset=utf-8\r\n\
                 content-length: {length}\r\nconnection: close\r\n\r\n"
            );
            socket.write_all((head + &answer).as_bytes()).await.unwrap();
            socket.flush().await.unwrap();
        }
    }
    // Nothing is sent once more.
    let more = tokio::time::timeout(Duration::from_millis(200), listener.accept()).await;
    assert!(more.is_err(), "there is a further request after {seen:?}");
    seen
}

async fn against(answers: Vec<Option<Value>>) -> (QPay, tokio::task::JoinHandle<Vec<(String, String)>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut config = all();
    config.base_url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let transport = Arc::new(ReqwestTransport::builder().build().unwrap());
    let env = BuildEnv::new(transport, Arc::new(ManualClock::new(NOW)), Arc::new(RandomIds));
    let qpay = QPay::new(AccountName::parse("qpay-shop").unwrap(), config, env).unwrap();
    (qpay, tokio::spawn(serve(listener, answers)))
}

fn login() -> Value {
    token(1, &json!(1_769_756_525_u64))
}

fn sent(method: &str, path: &str, body: &str) -> (String, String) {
    (format!("{method} /v2/{path}"), body.to_owned())
}

#[tokio::test]
async fn a_refund_is_a_delete_with_a_body() {
    let (qpay, side) =
        against(vec![Some(login()), Some(read(CARD, "PAID", "100.00")), Some(json!({}))]).await;
    qpay.refunds().unwrap().refund(&refund_request(CARD, "100").send_by(None)).await.unwrap();
    assert_eq!(
        side.await.unwrap(),
        [
            sent("POST", "auth/token", ""),
            sent("GET", &format!("payment/{CARD}"), ""),
            sent("DELETE", &format!("payment/refund/{CARD}"), r#"{"note":"n"}"#),
        ]
    );
}

#[tokio::test]
async fn a_refund_that_is_cut_off_is_unknown_and_sent_once() {
    let (qpay, side) = against(vec![Some(login()), Some(read(CARD, "PAID", "100.00")), None]).await;
    let error = qpay.refunds().unwrap().refund(&refund_request(CARD, "100").send_by(None)).await.unwrap_err();
    assert_eq!(error.outcome(), Outcome::Unknown, "{error}");
    assert_eq!(side.await.unwrap().len(), 3);
}

#[tokio::test]
async fn an_invoice_is_made_checked_and_cancelled() {
    let answers = vec![
        Some(login()),
        Some(created()),
        Some(checked(&[row(TRANSFER, "PAID", "100.00")])),
        Some(read(TRANSFER, "PAID", "100.00")),
        Some(json!({})),
        Some(checked(&[])),
    ];
    let (qpay, side) = against(answers).await;
    let request = invoice_request().send_by(None);
    let invoice = create(&qpay, &request).await.unwrap();
    assert!(qpay.queries().unwrap().query(&invoice.payment).await.unwrap().status.is_paid());
    let canceled = qpay.cancels().unwrap().cancel(&CancelRequest::new(invoice.payment)).await.unwrap();
    assert_eq!(canceled.status, PaymentStatus::Canceled);
    let seen = side.await.unwrap();
    assert_eq!(seen[4], sent("DELETE", &format!("invoice/{INVOICE}"), ""));
    assert_eq!(seen[2], seen[5]);
}
