//! The status of a payment as it changes, as server-sent events.

use std::pin::Pin;
use std::time::Duration;

use futures_util::stream;
use tokio::sync::watch;
use tulbur_core::Bytes;
use tulbur_payments::{PaymentRecord, Result, Status, Watch};

use crate::http::BodyStream;
use crate::places::Place;

/// How long a browser waits before it connects again, in milliseconds.
const RETRY: u32 = 3000;

/// Waits for the next change and gives the watch back. It is one future across heartbeats, so that nothing is lost
/// however the wait is made.
type Waiting = Pin<Box<dyn Future<Output = (Watch, Result<Box<PaymentRecord>>)> + Send>>;

struct Live {
    waiting: Option<Waiting>,
    last: Option<String>,
    heartbeat: Duration,
    stop: watch::Receiver<bool>,
    /// A place among the streams that are open at the same time.
    _place: Place,
}

fn wait(mut watch: Watch) -> Waiting {
    Box::pin(async move {
        let changed = watch.changed().await.map(Box::new);
        (watch, changed)
    })
}

/// One `status` event at once and one for each change, comments in between so that nobody takes the connection for
/// dead, and an end when nothing more will come.
pub(crate) fn stream(
    watch: Watch,
    heartbeat: Duration,
    stop: watch::Receiver<bool>,
    place: Place,
) -> BodyStream {
    let live = Live { waiting: Some(wait(watch)), last: None, heartbeat, stop, _place: place };
    Box::pin(stream::unfold(live, next))
}

/// What ended one wait.
enum Sign {
    Changed(Box<Watch>, Result<Box<PaymentRecord>>),
    Quiet,
    Stop,
}

async fn next(mut live: Live) -> Option<(Bytes, Live)> {
    loop {
        let waiting = live.waiting.as_mut()?;
        let stopped = async { live.stop.wait_for(|stop| *stop).await.map(|_| ()) };
        let sign = tokio::select! {
            (watch, changed) = waiting => Sign::Changed(Box::new(watch), changed),
            () = tokio::time::sleep(live.heartbeat) => Sign::Quiet,
            // An error says that the object that could stop it is gone.
            _ = stopped => Sign::Stop,
        };
        let (watch, record) = match sign {
            Sign::Changed(watch, Ok(record)) => (watch, record),
            // The browser connects again and sees what there is then.
            Sign::Changed(_, Err(error)) => {
                tracing::warn!(%error, "a live status ended early");
                return None;
            }
            Sign::Quiet => return Some((Bytes::from_static(b":\n\n"), live)),
            Sign::Stop => return None,
        };
        live.waiting = (record.status == Status::Pending).then(|| wait(*watch));
        let event = event(&record);
        if live.last.as_ref() == Some(&event) {
            continue;
        }
        let text = if live.last.is_none() { format!("retry: {RETRY}\n{event}") } else { event.clone() };
        live.last = Some(event);
        return Some((Bytes::from(text), live));
    }
}

/// What a page needs to know whether it is still true, and nothing about the payment that the page does not show.
fn event(record: &PaymentRecord) -> String {
    let ready = !record.next.is_empty();
    let fixed = record.status != Status::Pending;
    format!(
        "event: status\ndata: {{\"status\":\"{}\",\"ready\":{ready},\"final\":{fixed}}}\n\n",
        record.status
    )
}
