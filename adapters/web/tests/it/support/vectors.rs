//! Runs `tests/vectors/http.json` against a server, whichever framework it is on.

use std::net::SocketAddr;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tulbur_core::{Currency, Language, NextAction};
use tulbur_payments::Status;

use super::{Answer, Like, World, given};

const VECTORS: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors/http.json"));

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    about: String,
    every_page: Vec<(String, String)>,
    cases: Vec<Case>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    #[serde(default)]
    given: Given,
    request: Request,
    /// How often the request is sent; each time is answered the same.
    #[serde(default = "once")]
    times: usize,
    response: Response,
    effect: Option<Effect>,
}

fn once() -> usize {
    1
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Given {
    payment: Option<String>,
    language: Option<String>,
    description: Option<String>,
    bank_text: Option<String>,
    /// What the payer can do, instead of the bank's own pages.
    next: Option<Vec<NextAction>>,
    /// The amount in the currency's smallest unit, and the currency.
    amount: Option<(i64, String)>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    method: String,
    path: String,
    #[serde(default)]
    headers: Vec<(String, String)>,
    #[serde(default)]
    body: String,
    /// Repeats the body so often.
    #[serde(default = "once")]
    body_times: usize,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Response {
    status: u16,
    #[serde(default)]
    headers: Vec<(String, String)>,
    /// Whether it has the headers of `every_page`.
    #[serde(default)]
    page: bool,
    body: Option<String>,
    #[serde(default)]
    contains: Vec<String>,
    #[serde(default)]
    lacks: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Effect {
    status: Option<String>,
    /// The most questions that the bank may have been asked.
    asked_at_most: Option<usize>,
}

/// Where a server of the framework under test listens, and what ends it.
pub struct Served {
    pub address: SocketAddr,
    /// The path that it is mounted at, with its slashes.
    pub mount: &'static str,
}

/// Runs every case against a server of its own.
///
/// `bind` gives an address that is free; `serve` serves the world there. They are two, because the public address is
/// known to the payments before there is a server.
pub async fn run<L, B, S>(mount: &'static str, bind: B, serve: S)
where
    B: AsyncFn() -> (L, SocketAddr),
    S: AsyncFn(L, &World),
{
    let file: File = serde_json::from_str(VECTORS).expect("the vectors have the shape that is read here");
    assert!(!file.about.is_empty() && file.cases.len() > 30, "the vectors are there");
    let mut failures = Vec::new();
    for case in &file.cases {
        let (listener, address) = bind().await;
        let world = World::at(&format!("http://{address}{mount}")).await;
        serve(listener, &world).await;
        let served = Served { address, mount };
        failures.extend(Box::pin(check(case, &file.every_page, &world, &served)).await);
    }
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}

async fn check(case: &Case, every_page: &[(String, String)], world: &World, served: &Served) -> Vec<String> {
    let mut failures = Vec::new();
    let mut fail = |what: String| failures.push(format!("{}: {what}", case.name));
    let record = match &case.given.payment {
        Some(state) => {
            let mut like = Like::default();
            if let Some(language) = &case.given.language {
                like.language = Language::parse(language).unwrap();
            }
            if let Some(description) = &case.given.description {
                like.description.clone_from(description);
            }
            like.next.clone_from(&case.given.next);
            if let Some((minor, currency)) = &case.given.amount {
                like.minor = *minor;
                like.currency = Currency::parse(currency).unwrap();
            }
            Some(Box::pin(given(world, state, like, case.given.bank_text.clone())).await)
        }
        None => None,
    };
    let asked_before = world.bank.asked.load(std::sync::atomic::Ordering::SeqCst);
    let filled = |text: &str| {
        let text = text.replace("{mount}", served.mount).replace("{host}", &served.address.to_string());
        match &record {
            Some(record) => text
                .replace("{secret}", &world.secret(record))
                .replace("{reference}", record.reference.merchant_ref.as_str()),
            None => text,
        }
    };
    let body = filled(&case.request.body).repeat(case.request.body_times);
    for _ in 0..case.times {
        let path = filled(&case.request.path);
        let headers: Vec<(String, String)> =
            case.request.headers.iter().map(|(name, value)| (name.clone(), filled(value))).collect();
        let answer = exchange(served.address, &case.request.method, &path, &headers, body.as_bytes()).await;
        if answer.status != case.response.status {
            fail(format!("status {} instead of {}: {}", answer.status, case.response.status, answer.body));
        }
        let page = if case.response.page { every_page } else { &[] };
        for (name, value) in case.response.headers.iter().chain(page) {
            if answer.header(name) != Some(&filled(value)) {
                fail(format!("{name}: {:?} instead of {value:?}", answer.header(name)));
            }
        }
        if let Some(exact) = &case.response.body
            && answer.body != filled(exact)
        {
            fail(format!("body {:?} instead of {exact:?}", answer.body));
        }
        for wanted in case.response.contains.iter().filter(|text| !answer.body.contains(&filled(text))) {
            fail(format!("the body has no {wanted:?}: {}", answer.body));
        }
        for unwanted in case.response.lacks.iter().filter(|text| answer.body.contains(&filled(text))) {
            fail(format!("the body has {unwanted:?}: {}", answer.body));
        }
    }
    if let (Some(effect), Some(record)) = (&case.effect, &record) {
        if let Some(status) = &effect.status {
            let all = [Status::Pending, Status::Paid, Status::Declined, Status::Canceled, Status::Saved];
            let expected = *all.iter().find(|one| one.as_str() == status).expect("a status that is checked");
            let found = world.status(record, expected).await;
            if found != expected {
                fail(format!("the payment is {found} instead of {expected}"));
            }
        }
        if let Some(most) = effect.asked_at_most {
            // What was to be asked at once has been asked by then.
            tokio::time::sleep(Duration::from_millis(100)).await;
            let asked = world.bank.asked.load(std::sync::atomic::Ordering::SeqCst) - asked_before;
            if asked > most {
                fail(format!("the bank was asked {asked} times, at most {most} were expected"));
            }
        }
    }
    failures
}

/// One request on a connection of its own, byte for byte as given.
pub async fn exchange(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(String, String)],
    body: &[u8],
) -> Answer {
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n");
    for (name, value) in headers {
        head.extend([name, ": ", value, "\r\n"]);
    }
    if !body.is_empty() {
        head.extend(["content-length: ", &body.len().to_string(), "\r\n"]);
    }
    head.push_str("\r\n");
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    // Whoever refuses a body may stop reading it; what it answered is still to be read.
    let _ = stream.write_all(body).await;
    let mut received = Vec::new();
    let reading = stream.read_to_end(&mut received);
    tokio::time::timeout(Duration::from_secs(30), reading).await.expect("an answer in time").unwrap();
    parse(&received)
}

/// Reads an answer that was received to its end.
fn parse(received: &[u8]) -> Answer {
    let end = received.windows(4).position(|four| four == b"\r\n\r\n").expect("an answer has a head");
    let head = std::str::from_utf8(&received[..end]).unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers: Vec<(String, String)> = lines
        .map(|line| line.split_once(':').unwrap())
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let mut body = received[end + 4..].to_vec();
    if headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked") {
        body = dechunk(&body);
    }
    Answer { status, headers, body: String::from_utf8(body).unwrap() }
}

fn dechunk(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap(), 16).unwrap();
        if size == 0 {
            break;
        }
        body.extend_from_slice(&rest[end + 2..end + 2 + size]);
        rest = &rest[end + 2 + size + 2..];
    }
    body
}
