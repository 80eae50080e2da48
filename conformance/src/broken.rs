//! Servers that do one thing wrong each, on real sockets.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;

/// What such a server does once it has read a whole request.
#[derive(Debug, Clone)]
pub(crate) enum Behaviour {
    /// Ends the connection without a byte.
    Cut,
    /// Says nothing and holds the connection.
    Silent,
    /// Answers so.
    Answer { status: u16, content_type: &'static str, body: Vec<u8> },
    /// Announces more bytes than it sends, then ends the connection.
    Truncated { body: Vec<u8> },
    /// Sends bytes until nobody listens any more; at most 64 MiB.
    Endless,
    /// Sends what is no HTTP.
    Noise,
    /// Answers with an error that repeats all that was sent, headers too.
    Echo { status: u16 },
}

impl Behaviour {
    pub(crate) fn json(status: u16, body: &str) -> Self {
        Self::Answer { status, content_type: "application/json", body: body.into() }
    }

    pub(crate) fn html(status: u16) -> Self {
        let body = b"<!doctype html><title>Gateway</title><p>Something went wrong".to_vec();
        Self::Answer { status, content_type: "text/html", body }
    }
}

/// A server on a loopback port of its own; it ends when dropped.
#[derive(Debug)]
pub(crate) struct Broken {
    pub(crate) address: SocketAddr,
    serving: JoinHandle<()>,
}

impl Drop for Broken {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Broken {
    pub(crate) async fn start(behaviour: Behaviour) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // A client that goes away is what these servers are for.
                tokio::spawn(serve(stream, behaviour.clone()));
            }
        });
        Ok(Self { address, serving })
    }
}

/// A port at which nobody listens. It is bound while this lives: a port that was let go could be given to the next who
/// asks for one.
#[derive(Debug)]
pub(crate) struct Nobody {
    pub(crate) address: SocketAddr,
    _bound: TcpSocket,
}

impl Nobody {
    pub(crate) fn here() -> std::io::Result<Self> {
        let bound = TcpSocket::new_v4()?;
        bound.bind((Ipv4Addr::LOCALHOST, 0).into())?;
        Ok(Self { address: bound.local_addr()?, _bound: bound })
    }
}

async fn serve(mut stream: TcpStream, behaviour: Behaviour) {
    let Some(request) = read_request(&mut stream).await else { return };
    match behaviour {
        Behaviour::Cut => {}
        Behaviour::Silent => tokio::time::sleep(Duration::from_mins(1)).await,
        Behaviour::Answer { status, content_type, body } => {
            send(&mut stream, status, content_type, &body).await;
        }
        Behaviour::Truncated { body } => {
            let head = head(200, "application/json", body.len().max(2));
            drop(stream.write_all(head.as_bytes()).await);
            drop(stream.write_all(&body[..body.len() / 2]).await);
        }
        Behaviour::Endless => {
            drop(stream.write_all(head(200, "application/json", 64 * 1024 * 1024).as_bytes()).await);
            let blanks = vec![b' '; 64 * 1024];
            for _ in 0..1024 {
                if stream.write_all(&blanks).await.is_err() {
                    return;
                }
            }
        }
        Behaviour::Noise => drop(stream.write_all(b"\x16\x03\x01 no HTTP\r\n\r\n").await),
        Behaviour::Echo { status } => {
            let heard = String::from_utf8_lossy(&request);
            let body =
                serde_json::json!({ "error": &heard, "message": &heard, "code": status, "status": status });
            send(&mut stream, status, "application/json", body.to_string().as_bytes()).await;
        }
    }
}

fn head(status: u16, content_type: &str, length: usize) -> String {
    format!(
        "HTTP/1.1 {status} X\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
    )
}

async fn send(stream: &mut TcpStream, status: u16, content_type: &str, body: &[u8]) {
    drop(stream.write_all(head(status, content_type, body.len()).as_bytes()).await);
    drop(stream.write_all(body).await);
}

/// The whole request, so that the client has written all of it when the fault strikes.
pub(crate) async fn read_request(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut request = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let read = stream.read(&mut chunk).await.ok()?;
        if read == 0 {
            return None;
        }
        request.extend_from_slice(&chunk[..read]);
        if let Some(end) = request.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&request[..end]).to_ascii_lowercase();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length:"))
                .and_then(|length| length.trim().parse::<usize>().ok())
                .unwrap_or(0);
            if request.len() >= end + 4 + length {
                return Some(request);
            }
        }
        if request.len() > 1024 * 1024 {
            return None;
        }
    }
}
