//! Certificates: who is trusted, and that nothing leaves before that is known.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tulbur_core::{Effect, HttpRequest, HttpTransport, Phase, TransportFault, Url};
use tulbur_reqwest::ReqwestTransport;

/// An https server on this machine with a certificate of its own; its address, its PEM, and a count of the bytes
/// that arrived inside TLS.
async fn https_server() -> (Url, String, Arc<AtomicUsize>) {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("https://localhost:{}/", listener.local_addr().unwrap().port())).unwrap();
    let received = Arc::new(AtomicUsize::new(0));
    let count = received.clone();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (acceptor, count) = (acceptor.clone(), count.clone());
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut buffer = [0; 4096];
                let length = stream.read(&mut buffer).await.unwrap_or(0);
                count.fetch_add(length, Ordering::SeqCst);
                drop(stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await);
                drop(stream.shutdown().await);
            });
        }
    });
    (url, certified.cert.pem(), received)
}

fn write_to(url: Url) -> HttpRequest {
    HttpRequest::post_json("charge", Effect::Write, url, "{}")
}

#[tokio::test]
async fn a_certificate_of_nobody_ends_it_before_anything_is_sent() {
    let (url, _, received) = https_server().await;
    let error = ReqwestTransport::builder().build().unwrap().send(write_to(url)).await.unwrap_err();
    assert_eq!((error.phase(), error.fault()), (Phase::NeverSent, TransportFault::Connect), "{error:?}");
    assert_eq!(received.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_root_that_was_given_is_trusted_for_its_name_only() {
    let (url, pem, received) = https_server().await;
    let transport = ReqwestTransport::builder().root_certificates(pem.as_bytes()).unwrap().build().unwrap();
    assert_eq!(transport.send(write_to(url.clone())).await.unwrap().status, 200);
    assert!(received.load(Ordering::SeqCst) > 0);
    let mut other_name = url;
    other_name.set_host(Some("127.0.0.1")).unwrap();
    let error = transport.send(write_to(other_name)).await.unwrap_err();
    assert_eq!((error.phase(), error.fault()), (Phase::NeverSent, TransportFault::Connect));
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_was_sent_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("https://{}/", listener.local_addr().unwrap())).unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        drop(stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await);
    });
    let error = ReqwestTransport::builder().build().unwrap().send(write_to(url)).await.unwrap_err();
    assert_eq!((error.phase(), error.fault()), (Phase::NeverSent, TransportFault::Connect), "{error:?}");
}

/// A small container often has no root certificates. The test runs itself again in such a surrounding.
#[tokio::test]
async fn a_machine_without_roots_still_reaches_itself_and_says_what_is_missing() {
    const MARK: &str = "TULBUR_TEST_WITHOUT_ROOTS";
    if std::env::var_os(MARK).is_none() {
        let status = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "a_machine_without_roots_still_reaches_itself_and_says_what_is_missing"])
            .env(MARK, "1")
            .env("SSL_CERT_FILE", "/dev/null")
            .env("SSL_CERT_DIR", "/nonexistent")
            .status()
            .unwrap();
        assert!(status.success());
        return;
    }
    let transport = ReqwestTransport::builder().build().unwrap();
    let error = transport.send(write_to(Url::parse("https://bank.example/").unwrap())).await.unwrap_err();
    assert_eq!((error.phase(), error.fault()), (Phase::NeverSent, TransportFault::Refused), "{error:?}");
    assert!(error.to_string().contains("ca-certificates"), "{error}");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        drop(stream.read(&mut [0; 4096]).await);
        drop(stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await);
    });
    assert_eq!(transport.send(write_to(url)).await.unwrap().status, 204);
}
