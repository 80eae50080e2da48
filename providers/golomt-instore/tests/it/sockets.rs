//! The provider through the real transport and over real sockets, against a bank that breaks in one way at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tulbur_core::{
    AccountName, CancelRequest, CreateInvoice, Currency, Error, ErrorKind, MerchantRef, Money, OperationRef,
    Outcome, PaymentRef, PaymentStatus, Provider, RefundRequest, Way, confirm,
};
use tulbur_golomt_instore::{FLOW_PHONE, FLOW_QR, GolomtInstore, GolomtInstoreConfig};
use tulbur_reqwest::ReqwestTransport;

const REFERENCE: &str = "0190a1b2c3d47e5f8a9b0c1d2e3f4a5b";

/// What the bank does with a request that it has read whole.
#[derive(Debug, Clone)]
enum Bank {
    /// Ends the connection without a byte.
    Cut,
    /// Says nothing for longer than the caller waits.
    Slow,
    /// Answers with this status and body.
    Answer(u16, String),
    /// Announces more than it sends.
    Truncated,
    /// Sends what is no HTTP.
    Noise,
    /// Sends without end.
    Endless,
    /// Cuts the first request, and answers the others.
    CutOnce(String),
}

/// A bank on a loopback port, and how many requests it has read.
struct Running {
    address: String,
    requests: Arc<AtomicUsize>,
    /// How long a till waits for its answers.
    patience: Duration,
}

/// Longer than any machine needs for an answer that does come.
const LONG: Duration = Duration::from_secs(30);

impl Running {
    async fn start(bank: Bank) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(AtomicUsize::new(0));
        let patience = if matches!(bank, Bank::Slow) { Duration::from_secs(2) } else { LONG };
        let count = Arc::clone(&requests);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, bank.clone(), Arc::clone(&count)));
            }
        });
        Self { address, requests, patience }
    }

    fn till(&self) -> GolomtInstore {
        let mut config = GolomtInstoreConfig::new("13161272", "planted-secret".into());
        config.base_url = self.address.parse().unwrap();
        let transport = ReqwestTransport::builder().timeout(self.patience).build().unwrap();
        let env = tulbur_reqwest::env_with(transport);
        GolomtInstore::new(AccountName::parse("till-1").unwrap(), config, env).unwrap()
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    /// Waits until the bank has read so many requests: a caller that gave up may be ahead of it.
    async fn has_read(&self, count: usize) {
        let ends = tokio::time::Instant::now() + LONG;
        while self.requests() < count {
            assert!(tokio::time::Instant::now() < ends, "{} of {count} were sent", self.requests());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Reads one request to its end.
async fn read_request(stream: &mut TcpStream) -> Option<()> {
    let mut read = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&read).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
            })?;
            if body.len() >= length {
                return Some(());
            }
        }
        match stream.read(&mut buffer).await {
            Ok(count) if count > 0 => read.extend_from_slice(&buffer[..count]),
            _ => return None,
        }
    }
}

async fn serve(mut stream: TcpStream, bank: Bank, count: Arc<AtomicUsize>) {
    if read_request(&mut stream).await.is_none() {
        return;
    }
    let number = count.fetch_add(1, Ordering::SeqCst);
    let head = |status: u16, length: usize| {
        format!(
            "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
        )
    };
    let answer = match bank {
        Bank::Cut => return,
        Bank::Slow => return tokio::time::sleep(Duration::from_secs(20)).await,
        Bank::Answer(status, body) => head(status, body.len()) + &body,
        Bank::Truncated => head(200, 500) + r#"{"header":{"code":200,"status":"success"},"body":{"#,
        Bank::Noise => "\u{1}\u{2}\u{3} no HTTP at all\r\n\r\n".to_owned(),
        Bank::Endless => {
            drop(stream.write_all(head(200, 1 << 40).as_bytes()).await);
            while stream.write_all(&[b'x'; 8192]).await.is_ok() {}
            return;
        }
        Bank::CutOnce(_) if number == 0 => return,
        Bank::CutOnce(body) => head(200, body.len()) + &body,
    };
    drop(stream.write_all(answer.as_bytes()).await);
    drop(stream.shutdown().await);
}

fn good(response: &str) -> String {
    format!(r#"{{"header":{{"code":200,"status":"success"}},"body":{{"response":{response}}}}}"#)
}

fn money() -> Money {
    Money::from_major(1100, Currency::MNT).unwrap()
}

fn payment(flow: tulbur_core::Flow) -> PaymentRef {
    PaymentRef::new(MerchantRef::parse(REFERENCE).unwrap(), Some(money()), flow)
}

/// Runs each write, and says how each failed.
async fn writes(till: &GolomtInstore) -> Vec<(&'static str, Error)> {
    let mut request = CreateInvoice::new(MerchantRef::parse(REFERENCE).unwrap(), money(), "Two coffees");
    request.payer.phone = Some("99112233".into());
    let mut failed = Vec::new();
    for way in [Way::Qr, Way::App, Way::Phone] {
        request.way = way;
        let made = till.invoices().unwrap().create_invoice(&request).await;
        failed.push(("invoice", made.unwrap_err()));
    }
    let canceled = till.cancels().unwrap().cancel(&CancelRequest::new(payment(FLOW_PHONE))).await;
    failed.push(("cancel", canceled.unwrap_err()));
    let operation = OperationRef::parse("refund-1").unwrap();
    let refund = RefundRequest::new(payment(FLOW_QR), operation, money(), "sent back");
    failed.push(("refund", till.refunds().unwrap().refund(&refund).await.unwrap_err()));
    failed.push(("settle", till.settle("1").await.unwrap_err()));
    failed
}

fn broken() -> Vec<(Bank, ErrorKind)> {
    let answer = |status, body: &str| Bank::Answer(status, body.to_owned());
    vec![
        (Bank::Cut, ErrorKind::Unavailable),
        (Bank::Slow, ErrorKind::Timeout),
        (Bank::Truncated, ErrorKind::Unavailable),
        (Bank::Noise, ErrorKind::Unavailable),
        (Bank::Endless, ErrorKind::Malformed),
        (answer(500, ""), ErrorKind::Unavailable),
        (answer(503, &good(r#"{"resp_code":"00","status":"SUCCESS"}"#)), ErrorKind::Unavailable),
        (answer(302, ""), ErrorKind::Unavailable),
        (answer(200, ""), ErrorKind::Malformed),
        (answer(200, "<html>"), ErrorKind::Malformed),
        (answer(200, "{}"), ErrorKind::Malformed),
    ]
}

#[tokio::test]
async fn a_write_without_a_good_answer_is_unknown_and_leaves_once() {
    for (bank, kind) in broken() {
        let running = Running::start(bank.clone()).await;
        let till = running.till();
        for (what, error) in writes(&till).await {
            assert_eq!((error.kind(), error.outcome()), (kind, Outcome::Unknown), "{what} {bank:?}: {error}");
            assert!(!format!("{error:?}").contains("99112233"));
        }
        running.has_read(6).await;
        assert_eq!(running.requests(), 6, "{bank:?}: each of six was sent once");
    }
}

#[tokio::test]
async fn a_check_without_a_good_answer_changes_nothing() {
    for (bank, kind) in broken() {
        let running = Running::start(bank.clone()).await;
        let till = running.till();
        let error = confirm(till.queries().unwrap(), &payment(FLOW_QR)).await.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (kind, Outcome::NoEffect), "{bank:?}: {error}");
    }
}

#[tokio::test]
async fn a_check_that_was_cut_is_asked_again() {
    let running = Running::start(Bank::CutOnce(good(r#"{"resp_code":"00","amount":"1100"}"#))).await;
    let till = running.till();
    let paid = confirm(till.queries().unwrap(), &payment(FLOW_QR)).await.unwrap();
    assert_eq!((paid.status, paid.amount), (PaymentStatus::Paid, Some(money())));
    assert_eq!(running.requests(), 2);
}

#[tokio::test]
async fn where_nobody_listens_nothing_has_happened() {
    // The port stays bound to the end: one that was let go could be given to the next who asks for one.
    let bound = TcpSocket::new_v4().unwrap();
    bound.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let address = format!("http://{}", bound.local_addr().unwrap());
    let running = Running { address, requests: Arc::default(), patience: LONG };
    let till = running.till();
    for (what, error) in writes(&till).await {
        assert_eq!(
            (error.kind(), error.outcome()),
            (ErrorKind::Unavailable, Outcome::NoEffect),
            "{what}: {error}"
        );
    }
}
