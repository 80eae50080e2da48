//! A small server that takes a provider's notifications and keeps them as they came.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tulbur_core::{Channel, Delivery, MerchantRef};

use crate::broken::read_request;

/// A notification as it came.
#[derive(Debug, Clone)]
pub(crate) struct Letter {
    pub(crate) method: String,
    /// Where it was sent; each payment has a path of its own, if the provider is told one with each request.
    pub(crate) path: String,
    pub(crate) query: Option<String>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Letter {
    pub(crate) fn delivery(&self, channel: Channel) -> Delivery<'_> {
        Delivery {
            channel,
            method: &self.method,
            query: self.query.as_deref(),
            headers: &self.headers,
            body: &self.body,
        }
    }

    fn parse(request: &[u8]) -> Option<Self> {
        let end = request.windows(4).position(|four| four == b"\r\n\r\n")?;
        let head = std::str::from_utf8(&request[..end]).ok()?;
        let mut lines = head.split("\r\n");
        let mut first = lines.next()?.split(' ');
        let method = first.next()?.to_owned();
        let target = first.next()?;
        let (path, query) =
            target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
        let (path, query) = (path.to_owned(), query.map(str::to_owned));
        let headers = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        Some(Self { method, path, query, headers, body: request[end + 4..].to_vec() })
    }

    fn mentions(&self, text: &str) -> bool {
        String::from_utf8_lossy(&self.body).contains(text)
            || self.query.as_deref().is_some_and(|query| query.contains(text))
            || self.headers.iter().any(|(_, value)| value.contains(text))
            || self.path.contains(text)
    }
}

/// The address, and what arrived there. It answers 200 to all.
#[derive(Debug)]
pub(crate) struct Mailbox {
    pub(crate) url: String,
    letters: Arc<Mutex<Vec<Letter>>>,
    serving: JoinHandle<()>,
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Mailbox {
    pub(crate) async fn open() -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("http://{}/notify", listener.local_addr()?);
        let letters = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&letters);
        let serving = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let kept = Arc::clone(&kept);
                tokio::spawn(async move {
                    let Some(request) = read_request(&mut stream).await else { return };
                    if let Some(letter) = Letter::parse(&request) {
                        kept.lock().unwrap_or_else(PoisonError::into_inner).push(letter);
                    }
                    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nOK";
                    drop(stream.write_all(answer.as_bytes()).await);
                });
            }
        });
        Ok(Self { url, letters, serving })
    }

    /// The first letters that name this payment, once there are so many; after ten seconds, those that there are.
    ///
    /// `also` is the provider's name of it, for notifications that do not carry ours.
    pub(crate) async fn about(
        &self,
        reference: &MerchantRef,
        also: Option<&str>,
        count: usize,
    ) -> Vec<Letter> {
        let mut found = Vec::new();
        for _ in 0..400 {
            found = self
                .letters
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .iter()
                .filter(|letter| {
                    letter.mentions(reference.as_str()) || also.is_some_and(|name| letter.mentions(name))
                })
                .cloned()
                .collect();
            if found.len() >= count {
                break;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        found
    }
}
