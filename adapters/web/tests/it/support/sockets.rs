//! What only a real socket shows, for every adapter: bodies that do not end, live status as it flows, a server that
//! stops. An adapter's test serves the world below `/tulbur/`, with `/tulbur/own` and a fallback of its own.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tulbur_core::PaymentStatus;
use tulbur_payments::Status;

use super::vectors::exchange;
use super::{ACCOUNT, NOTIFY_KEY, Said, World};

/// What the application itself answers at `/tulbur/own`, and where it has nothing.
pub const OWN: &str = "the application's";
pub const FALLBACK: &str = "the application's fallback";

async fn line(reader: &mut BufReader<TcpStream>) -> String {
    let mut line = String::new();
    let reading = reader.read_line(&mut line);
    tokio::time::timeout(Duration::from_secs(30), reading).await.expect("a line in time").unwrap();
    line
}

async fn line_with(reader: &mut BufReader<TcpStream>, wanted: &str) -> String {
    loop {
        let line = line(reader).await;
        assert!(!line.is_empty(), "the connection ended before `{wanted}` came");
        if line.contains(wanted) {
            return line;
        }
    }
}

async fn listen(address: SocketAddr, secret: &str) -> BufReader<TcpStream> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET /tulbur/checkout/{secret}/events HTTP/1.1\r\nhost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut reader = BufReader::new(stream);
    assert!(line(&mut reader).await.starts_with("HTTP/1.1 200"));
    reader
}

pub async fn the_live_status_flows_while_it_happens(world: &World, address: SocketAddr) {
    let record = world.open().await;
    let mut reader = listen(address, &world.secret(&record)).await;
    line_with(&mut reader, "content-type: text/event-stream").await;
    line_with(&mut reader, "\"status\":\"pending\"").await;
    // A heartbeat arrives by itself, so nothing on the way collects what is small.
    line_with(&mut reader, ":\n").await;
    world.bank.say(&record, Said::status(PaymentStatus::Paid));
    let body = format!("{{\"reference\":\"{}\"}}", record.reference.merchant_ref);
    let key = [("x-fake-key".to_owned(), NOTIFY_KEY.to_owned())];
    let answer = exchange(address, "POST", &format!("/tulbur/notify/{ACCOUNT}"), &key, body.as_bytes()).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "OK"));
    line_with(&mut reader, "\"status\":\"paid\"").await;
    // The last chunk of a body without a length.
    line_with(&mut reader, "0\r\n").await;
}

/// `stop` ends the server as an application does, and returns once it has ended.
pub async fn a_server_that_stops_waits_for_nobody_who_only_looks(
    world: &World,
    address: SocketAddr,
    stop: impl Future<Output = ()>,
) {
    let record = world.open().await;
    let mut reader = listen(address, &world.secret(&record)).await;
    line_with(&mut reader, "pending").await;
    tokio::time::timeout(Duration::from_secs(30), stop).await.expect("it stops");
}

/// `/own` prints it, behind a proxy on this machine.
pub async fn a_handler_reads_the_payers_address(address: SocketAddr) {
    let asked = async |headers: &[(&str, &str)]| {
        let headers: Vec<_> =
            headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        exchange(address, "GET", "/own", &headers, b"").await.body
    };
    assert_eq!(asked(&[("x-forwarded-for", "1.1.1.1, 203.0.113.9")]).await, "Some(203.0.113.9)");
    assert_eq!(asked(&[("forwarded", "for=1.1.1.1")]).await, "None");
}

pub async fn what_is_not_ours_stays_the_applications(address: SocketAddr) {
    let own = exchange(address, "GET", "/tulbur/own", &[], b"").await;
    assert_eq!(own.body, OWN);
    for path in ["/tulbur/other", "/tulbur/", "/tulbur", "/", "/tulbur/notify", "/checkout/x"] {
        let answer = exchange(address, "GET", path, &[], b"").await;
        assert_eq!(answer.body, FALLBACK, "{path}");
    }
}

pub async fn a_body_that_is_cut_off_is_not_taken(world: &World, address: SocketAddr) {
    let record = world.open().await;
    world.bank.say(&record, Said::status(PaymentStatus::Paid));
    let body = format!("{{\"reference\":\"{}\"}}", record.reference.merchant_ref);
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /tulbur/notify/{ACCOUNT} HTTP/1.1\r\nhost: {address}\r\nx-fake-key: {NOTIFY_KEY}\r\ncontent-length: {}\r\n\r\n",
        body.len() + 1
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert_eq!(world.payments.payment(&record.id).await.unwrap().status, Status::Pending);
    assert_eq!(world.bank.asked.load(std::sync::atomic::Ordering::SeqCst), 0);
}

pub async fn a_chunked_body_keeps_the_limit_too(world: &World, address: SocketAddr) {
    let record = world.open().await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /tulbur/notify/{ACCOUNT} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let chunk = format!("4000\r\n{}\r\n", "x".repeat(0x4000));
    for _ in 0..64 {
        stream.write_all(chunk.as_bytes()).await.unwrap();
    }
    stream.write_all(b"0\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert_eq!(world.payments.payment(&record.id).await.unwrap().status, Status::Pending);
}

pub async fn a_body_without_end_is_not_waited_for(address: SocketAddr) {
    a_body_without_end_is_cut_off_at(address, &format!("/tulbur/notify/{ACCOUNT}")).await;
}

/// More than is thrown away: the connection may be cut, but the sender is not listened to for ever.
pub async fn a_body_without_end_is_cut_off_at(address: SocketAddr, path: &str) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!("POST {path} HTTP/1.1\r\nhost: {address}\r\ntransfer-encoding: chunked\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    let sending = async { while stream.write_all(chunk.as_bytes()).await.is_ok() {} };
    tokio::time::timeout(Duration::from_secs(30), sending).await.expect("it is cut off");
}
