//! The provider over real sockets, against a gateway that answers, stalls, or hangs up.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tulbur_core::{AccountName, BuildEnv, ErrorKind, ManualClock, Outcome, RandomIds};
use tulbur_galaxy_pay::GalaxyPay;
use tulbur_reqwest::ReqwestTransport;

use crate::common::*;

/// What the gateway does once it has the whole request.
#[derive(Debug, Clone)]
enum Deed {
    Answer(u16, String),
    /// Part of an answer, then the end.
    Cut,
    HangUp,
    Stall,
}

/// Longer than any machine needs for an answer that does come.
const LONG: Duration = Duration::from_secs(30);

async fn request(socket: &mut TcpStream) -> Vec<u8> {
    let (mut received, mut buffer) = (Vec::new(), [0_u8; 4096]);
    loop {
        let text = String::from_utf8_lossy(&received).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| {
                    line.to_ascii_lowercase().strip_prefix("content-length: ").map(str::to_owned)
                })
                .map_or(0, |length| length.trim().parse().unwrap());
            if body.len() >= length {
                return body.as_bytes().to_vec();
            }
        }
        let read = socket.read(&mut buffer).await.unwrap();
        assert!(read > 0, "the request ended early");
        received.extend_from_slice(&buffer[..read]);
    }
}

/// Serves one connection, with the request's own id in place of the script's.
async fn serve(listener: TcpListener, deed: Deed) -> Vec<u8> {
    let (mut socket, _) = listener.accept().await.unwrap();
    let body = request(&mut socket).await;
    let id =
        serde_json::from_slice::<serde_json::Value>(&body).unwrap()["requestID"].as_str().unwrap().to_owned();
    match deed {
        Deed::Answer(status, answer) => {
            let answer = answer.replace(&format!("{REQUEST}h"), &id).replace(&format!("{REQUEST}c"), &id);
            let answer = answer.replace(REQUEST, &id);
            let head = format!(
                "HTTP/1.1 {status} x\r\ncontent-type: application/json\r\ncontent-length: {}\r\nsignature: {}\r\nconnection: close\r\n\r\n",
                answer.len(),
                sign(&answer)
            );
            socket.write_all((head + &answer).as_bytes()).await.unwrap();
        }
        Deed::Cut => {
            socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"requestID\"").await.unwrap();
        }
        Deed::HangUp => {}
        Deed::Stall => {
            // Until the client has gone away.
            let gone = tokio::time::timeout(LONG, socket.read(&mut [0])).await.unwrap();
            assert!(!matches!(gone, Ok(1..)), "there is a second request");
        }
    }
    socket.flush().await.unwrap();
    body
}

async fn run(operation: Operation, deed: Deed) -> (Result<(), tulbur_core::Error>, Vec<u8>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut config = all();
    config.base_url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    config.response_signature = tulbur_galaxy_pay::ResponseSignature::Strict;
    let patience = if matches!(deed, Deed::Stall) { Duration::from_secs(2) } else { LONG };
    let transport = ReqwestTransport::builder().timeout(patience).build().unwrap();
    let env = BuildEnv::new(Arc::new(transport), Arc::new(ManualClock::new(NOW)), Arc::new(RandomIds));
    let gateway = GalaxyPay::new(AccountName::parse("saigon-shop").unwrap(), config, env).unwrap();
    let served = tokio::spawn(serve(listener, deed));
    let result = operation.run(&gateway).await;
    (result, served.await.unwrap())
}

#[tokio::test]
async fn every_operation_is_understood_both_ways() {
    for operation in Operation::ALL {
        let (result, body) = run(operation, Deed::Answer(200, operation.good())).await;
        result.unwrap_or_else(|error| panic!("{operation:?}: {error}"));
        assert!(serde_json::from_slice::<serde_json::Value>(&body).unwrap()["requestData"].is_object());
    }
}

#[tokio::test]
async fn what_may_have_been_carried_out_is_unknown() {
    for operation in [Operation::Option, Operation::Token, Operation::Refund, Operation::Query] {
        let lost = if operation.writes() { Outcome::Unknown } else { Outcome::NoEffect };
        for (deed, kind) in [
            (Deed::Cut, ErrorKind::Unavailable),
            (Deed::HangUp, ErrorKind::Unavailable),
            (Deed::Stall, ErrorKind::Timeout),
            (Deed::Answer(500, "{\"error\":\"oops\"}".into()), ErrorKind::Unavailable),
            (Deed::Answer(502, "<html>".into()), ErrorKind::Unavailable),
            (
                Deed::Answer(504, operation.own(&envelope("504", "time-out", &serde_json::Value::Null))),
                ErrorKind::Timeout,
            ),
            (Deed::Answer(200, "not json".into()), ErrorKind::Malformed),
        ] {
            let (result, _) = run(operation, deed.clone()).await;
            let error = result.expect_err("this is no success");
            assert_eq!((error.kind(), error.outcome()), (kind, lost), "{operation:?} {deed:?}: {error}");
        }
    }
}

#[tokio::test]
async fn what_never_left_has_no_effect() {
    // The port stays bound to the end: one that was let go could be given to the next who asks for one.
    let bound = TcpSocket::new_v4().unwrap();
    bound.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let address = bound.local_addr().unwrap();
    let mut config = all();
    config.base_url = format!("http://{address}").parse().unwrap();
    let transport = ReqwestTransport::builder().timeout(LONG).build().unwrap();
    let env = BuildEnv::new(Arc::new(transport), Arc::new(ManualClock::new(NOW)), Arc::new(RandomIds));
    let gateway = GalaxyPay::new(AccountName::parse("saigon-shop").unwrap(), config, env).unwrap();
    for operation in Operation::ALL {
        let error = operation.run(&gateway).await.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Unavailable, Outcome::NoEffect));
    }
}
