//! A connection to PostgreSQL that is cut around one statement: on its way there, or on the way of its answer.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use sqlx::postgres::PgConnectOptions;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Where a connection is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// The statement never arrives.
    Before,
    /// The server does it, and its answer is lost.
    Answer,
}

/// A way to the server that can be cut.
pub(crate) struct Proxy {
    port: u16,
    /// What is cut next, once.
    plan: Arc<Mutex<Option<(&'static str, Cut)>>>,
    cuts: Arc<AtomicU32>,
}

impl Proxy {
    /// A way to this server.
    pub(crate) async fn start(server: &PgConnectOptions) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (plan, cuts) = (Arc::new(Mutex::new(None)), Arc::new(AtomicU32::new(0)));
        let to = (server.get_host().to_owned(), server.get_port());
        let shared = (Arc::clone(&plan), Arc::clone(&cuts));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect((to.0.as_str(), to.1)).await.unwrap();
                let (plan, cuts) = (Arc::clone(&shared.0), Arc::clone(&shared.1));
                tokio::spawn(carry(client, server, plan, cuts));
            }
        });
        Self { port, plan, cuts }
    }

    /// How to connect through it.
    pub(crate) fn options(&self, server: PgConnectOptions) -> PgConnectOptions {
        server.host("127.0.0.1").port(self.port)
    }

    /// Cuts the connection that next sends a statement with this text.
    pub(crate) fn cut(&self, text: &'static str, cut: Cut) {
        *self.plan.lock().unwrap() = Some((text, cut));
    }

    /// How often a connection was cut.
    pub(crate) fn cuts(&self) -> u32 {
        self.cuts.load(Ordering::SeqCst)
    }
}

/// Carries bytes both ways until one side ends, or the plan says to cut.
async fn carry(
    client: TcpStream,
    server: TcpStream,
    plan: Arc<Mutex<Option<(&'static str, Cut)>>>,
    cuts: Arc<AtomicU32>,
) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    // Once set, the next answer is swallowed.
    let swallow = Arc::new(AtomicBool::new(false));
    let swallows = Arc::clone(&swallow);
    let up = async move {
        let mut bytes = vec![0; 65_536];
        loop {
            let Ok(count @ 1..) = from_client.read(&mut bytes).await else { return };
            let planned = {
                let mut plan = plan.lock().unwrap();
                let is_it = |(text, _): &(&str, Cut)| {
                    bytes[..count].windows(text.len()).any(|window| window == text.as_bytes())
                };
                if plan.as_ref().is_some_and(is_it) { plan.take() } else { None }
            };
            if let Some((_, cut)) = planned {
                cuts.fetch_add(1, Ordering::SeqCst);
                if cut == Cut::Before {
                    return;
                }
                swallow.store(true, Ordering::SeqCst);
            }
            if to_server.write_all(&bytes[..count]).await.is_err() {
                return;
            }
        }
    };
    let down = async move {
        let mut bytes = vec![0; 65_536];
        loop {
            let Ok(count @ 1..) = from_server.read(&mut bytes).await else { return };
            if swallows.load(Ordering::SeqCst) || to_client.write_all(&bytes[..count]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = up => {}
        () = down => {}
    }
}
