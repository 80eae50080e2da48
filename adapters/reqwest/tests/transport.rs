//! The transport against servers that misbehave, each a bare socket.

use std::error::Error as _;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tulbur_core::{
    Effect, HttpRequest, HttpResponse, HttpTransport, Phase, TransportError, TransportFault, Url,
};
use tulbur_reqwest::ReqwestTransport;
use wiremock::matchers::{body_string, header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

const SECRET: &str = "planted-secret";

/// Longer than any machine needs for an answer that does come.
const LONG: Duration = Duration::from_secs(30);

fn transport() -> ReqwestTransport {
    patient(LONG)
}

fn patient(timeout: Duration) -> ReqwestTransport {
    ReqwestTransport::builder().connect_timeout(LONG).timeout(timeout).body_limit(1000).build().unwrap()
}

/// A write with a secret wherever one can be.
fn write_to(base: &str, body: &str) -> HttpRequest {
    let url = Url::parse(&format!("{base}/path-{SECRET}?query={SECRET}")).unwrap();
    HttpRequest::post_json("charge", Effect::Write, url, body.to_owned())
        .with_header("authorization", format!("Bearer {SECRET}"))
}

fn base(address: SocketAddr) -> String {
    format!("http://{address}")
}

/// Reads one request with its body; nothing at the connection's end.
fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut received = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&received).to_lowercase();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return Some(String::from_utf8(received).unwrap());
            }
        }
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return None,
            Ok(count) => received.extend_from_slice(&buffer[..count]),
        }
    }
}

/// A server that gives each connection to `serve`, in a thread of its own.
fn server(serve: impl Fn(usize, TcpStream) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serve = Arc::new(serve);
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let serve = serve.clone();
            std::thread::spawn(move || serve(number, stream.unwrap()));
        }
    });
    address
}

/// A server that reads a request, writes this, and closes.
fn answers(bytes: impl Into<Vec<u8>>) -> SocketAddr {
    let bytes = bytes.into();
    server(move |_, mut stream| {
        read_request(&mut stream);
        drop(stream.write_all(&bytes));
    })
}

/// Everything that an error would print anywhere.
fn printed(error: &TransportError) -> String {
    let mut text = format!("{error} {error:?}");
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text} {cause} {cause:?}");
        source = cause.source();
    }
    text
}

fn assert_failed(result: Result<HttpResponse, TransportError>, phase: Phase, fault: TransportFault) {
    let error = result.expect_err("there is no whole answer");
    assert_eq!((error.phase(), error.fault()), (phase, fault), "{}", printed(&error));
    assert!(!printed(&error).contains(SECRET), "{}", printed(&error));
}

#[tokio::test]
async fn a_request_arrives_as_built_and_the_answer_as_sent() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path(format!("/path-{SECRET}")))
        .and(header("authorization", format!("Bearer {SECRET}").as_str()))
        .and(header("content-type", "application/json"))
        .and(body_string("{\"a\":1}"))
        .respond_with(ResponseTemplate::new(418).insert_header("x-one", "two").set_body_string("short"))
        .expect(1)
        .mount(&server)
        .await;
    let answer = transport().send(write_to(&server.uri(), "{\"a\":1}")).await.unwrap();
    assert_eq!((answer.status, answer.header("x-one")), (418, Some("two")));
    assert_eq!(&answer.body[..], b"short");
}

#[tokio::test]
async fn nothing_is_sent_where_nobody_listens() {
    // The port stays bound to the end: one that was let go could be given to the next who asks for one.
    let bound = tokio::net::TcpSocket::new_v4().unwrap();
    bound.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let result = transport().send(write_to(&base(bound.local_addr().unwrap()), "{}")).await;
    assert_failed(result, Phase::NeverSent, TransportFault::Connect);
    let result = transport().send(write_to("https://no-such-name.invalid", "{}")).await;
    assert_failed(result, Phase::NeverSent, TransportFault::Connect);
}

#[tokio::test]
async fn plain_http_is_for_this_machine_only() {
    for base in
        ["http://192.0.2.1", "http://bank.example", "http://localhost.bank.example", "ftp://127.0.0.1"]
    {
        let result = transport().send(write_to(base, "{}")).await;
        assert_failed(result, Phase::NeverSent, TransportFault::Refused);
    }
    let port = answers("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").port();
    let answer = transport().send(write_to(&format!("http://localhost:{port}"), "{}")).await.unwrap();
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn a_header_that_would_break_out_of_its_line_is_refused() {
    let request = write_to("http://127.0.0.1:9", "{}").with_header("x-note", format!("{SECRET}\r\nx: y"));
    assert_failed(transport().send(request).await, Phase::NeverSent, TransportFault::Refused);
}

#[tokio::test]
async fn a_cut_after_the_request_may_have_been_sent() {
    for bytes in [
        "",
        "HTTP/1.1 200 OK\r\ncontent-le",
        "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nshort\r\n",
        "this is not HTTP\r\n\r\n",
    ] {
        let result = transport().send(write_to(&base(answers(bytes)), "{}")).await;
        assert_failed(result, Phase::MayHaveBeenSent, TransportFault::Cut);
    }
}

#[tokio::test]
async fn slowness_ends_before_the_head_and_within_the_body() {
    let silent = server(|_, mut stream| {
        read_request(&mut stream);
        std::thread::sleep(LONG);
    });
    let hurried = patient(Duration::from_secs(2));
    let result = hurried.send(write_to(&base(silent), "{}")).await;
    assert_failed(result, Phase::MayHaveBeenSent, TransportFault::Timeout);
    let dripping = server(|_, mut stream| {
        read_request(&mut stream);
        drop(stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n"));
        while stream.write_all(b".").is_ok() {
            std::thread::sleep(Duration::from_millis(200));
        }
    });
    let result = hurried.send(write_to(&base(dripping), "{}")).await;
    assert_failed(result, Phase::MayHaveBeenSent, TransportFault::Timeout);
}

#[tokio::test]
async fn a_huge_answer_is_not_read_to_its_end() {
    let announced = answers("HTTP/1.1 200 OK\r\ncontent-length: 1001\r\n\r\n");
    let result = transport().send(write_to(&base(announced), "{}")).await;
    assert_failed(result, Phase::MayHaveBeenSent, TransportFault::TooLarge);

    let (ended, end) = std::sync::mpsc::channel();
    let endless = server(move |_, mut stream| {
        read_request(&mut stream);
        drop(stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"));
        let chunk = format!("1000\r\n{}\r\n", "x".repeat(0x1000));
        while stream.write_all(chunk.as_bytes()).is_ok() {}
        let _ = ended.send(());
    });
    let result = transport().send(write_to(&base(endless), "{}")).await;
    assert_failed(result, Phase::MayHaveBeenSent, TransportFault::TooLarge);
    let closed = tokio::task::spawn_blocking(move || end.recv_timeout(LONG)).await.unwrap();
    assert!(closed.is_ok(), "the connection is still being read");

    let exact = format!("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{}", "x".repeat(1000));
    let answer = transport().send(write_to(&base(answers(exact)), "{}")).await.unwrap();
    assert_eq!(answer.body.len(), 1000);
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_a_cookie_is_forgotten() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .respond_with(
            ResponseTemplate::new(307)
                .insert_header("location", "/elsewhere")
                .insert_header("set-cookie", "session=1"),
        )
        .mount(&server)
        .await;
    let transport = transport();
    for _ in 0..2 {
        assert_eq!(transport.send(write_to(&server.uri(), "{}")).await.unwrap().status, 307);
    }
    let received = server.received_requests().await.unwrap();
    assert_eq!(received.len(), 2);
    for request in received {
        assert!(request.headers.get("cookie").is_none() && request.headers.get("referer").is_none());
        assert!(!request.url.path().contains("elsewhere"));
    }
}

/// The server answers a first request, then takes a second one whole on the same connection and hangs up: the card
/// may have been charged. Nobody may send it again.
#[tokio::test]
async fn a_write_taken_by_a_dying_pooled_connection_is_not_sent_again() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = seen.clone();
    let address = server(move |connection, mut stream| {
        while let Some(request) = read_request(&mut stream) {
            let last = request.contains("\"second\"");
            log.lock().unwrap().push((connection, last));
            if last {
                return;
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").unwrap();
        }
    });
    let transport = transport();
    transport.send(write_to(&base(address), "\"first\"")).await.unwrap();
    let result = transport.send(write_to(&base(address), "\"second\"")).await;
    assert_failed(result, Phase::MayHaveBeenSent, TransportFault::Cut);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(*seen.lock().unwrap(), [(0, false), (0, true)], "one connection, each request once");
}

/// The server hangs up after each answer, without saying so: some requests meet a connection that is dying. However
/// that race ends, each arrives once at most, and one that is said to have no effect did not arrive.
#[tokio::test]
async fn requests_that_race_with_a_hang_up_arrive_once_at_most() {
    let seen = Arc::new(Mutex::new(Vec::<String>::new()));
    let log = seen.clone();
    let address = server(move |connection, mut stream| {
        if let Some(request) = read_request(&mut stream) {
            log.lock().unwrap().push(request.rsplit("\r\n\r\n").next().unwrap().to_owned());
            drop(stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"));
            std::thread::sleep(Duration::from_micros(200 * (connection as u64 % 5)));
        }
    });
    let transport = transport();
    let mut answered = 0;
    for number in 0..300 {
        let body = format!("\"request-{number}\"");
        let result = transport.send(write_to(&base(address), &body)).await;
        answered += usize::from(result.is_ok());
        let arrived = seen.lock().unwrap().iter().filter(|one| **one == body).count();
        assert!(arrived <= 1, "{body} arrived {arrived} times");
        if let Err(error) = result {
            assert!(error.phase() == Phase::MayHaveBeenSent || arrived == 0, "{}", printed(&error));
        }
    }
    assert!(answered > 0);
    let mut all = seen.lock().unwrap().clone();
    let count = all.len();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), count, "a request arrived twice");
}

#[tokio::test]
async fn a_proxy_that_says_no_was_given_no_request() {
    let heard = Arc::new(Mutex::new(String::new()));
    let log = heard.clone();
    let proxy = server(move |_, mut stream| {
        *log.lock().unwrap() = read_request(&mut stream).unwrap();
        drop(stream.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n"));
    });
    let proxied = ReqwestTransport::builder().proxy(Url::parse(&base(proxy)).unwrap()).build().unwrap();
    let result = proxied.send(write_to("https://bank.example", "{}")).await;
    assert_failed(result, Phase::NeverSent, TransportFault::Connect);
    let heard = heard.lock().unwrap().clone();
    assert!(heard.starts_with("CONNECT bank.example:443") && !heard.contains(SECRET), "{heard}");
}

#[test]
fn limits_of_nothing_are_refused() {
    for (builder, field) in [
        (ReqwestTransport::builder().timeout(Duration::ZERO), "timeout"),
        (ReqwestTransport::builder().connect_timeout(Duration::ZERO), "connect_timeout"),
        (ReqwestTransport::builder().body_limit(0), "body_limit"),
    ] {
        assert_eq!(builder.build().unwrap_err().field(), Some(field));
    }
    assert_eq!(
        ReqwestTransport::builder().root_certificates(b"no PEM").unwrap_err().field(),
        Some("root_certificates")
    );
}

#[tokio::test]
async fn the_standard_ports_work_together() {
    let env = tulbur_reqwest::standard_env().unwrap();
    let address = answers("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    let answer = env.transport.send(write_to(&base(address), "{}")).await.unwrap();
    assert_eq!(&answer.body[..], b"ok");
    assert_ne!(env.ids.uuid_v7(), env.ids.uuid_v7());
    assert!(env.clock.now().as_millis() > 1_700_000_000_000);
}

#[tokio::test]
async fn a_write_whose_time_is_over_does_not_leave() {
    let env = tulbur_reqwest::standard_env().unwrap();
    let address = answers("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    let late = write_to(&base(address), "{}").send_by(Some(env.clock.monotonic()));
    assert_failed(env.transport.send(late).await, Phase::NeverSent, TransportFault::TooLate);
    // The one connection that the other side takes is still to be had.
    let in_time = env.clock.monotonic().after(Duration::from_secs(30));
    let answer = env.transport.send(write_to(&base(address), "{}").send_by(Some(in_time))).await.unwrap();
    assert_eq!(&answer.body[..], b"ok");
}
