//! The way of a request to a provider: read, logged, struck by faults, handled, logged again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{Request, Response, StatusCode, header};
use axum::response::IntoResponse as _;
use futures_util::StreamExt as _;
use tower::ServiceExt as _;

use crate::clock::Timestamp;
use crate::fault::{Fault, FaultKind};
use crate::guard::Guard;
use crate::log::{LoggedRequest, Note, Verdict, redact_headers, redact_text, redact_words};
use crate::plugin::{Call, RequestHead, Tamper};
use crate::room::AnyRoom;
use crate::serve::Cut;

/// The largest body that a provider here reads.
const BODY_LIMIT: usize = 256 * 1024;
/// Addresses that are the sandbox's own and no provider's: neither logged nor struck by faults.
const OWN: &str = "/-/";
/// How much more is read and thrown away, so that a sender hears why instead of meeting a closed connection.
const BODY_DRAINED: usize = 16 * 1024 * 1024;
/// How much of an answer the host reads, for the log and for the faults that spoil it.
const ANSWER_LIMIT: usize = 16 * 1024 * 1024;

/// Handles one request to one provider.
pub(crate) async fn handle(
    room: Arc<dyn AnyRoom>,
    guard: Arc<Guard>,
    routes: Router,
    request: Request<Body>,
) -> Result<Response<Body>, Cut> {
    let allowed = guard.check(request.method(), request.headers());
    if request.uri().path().starts_with(OWN) || request.uri().path() == "/favicon.ico" {
        return match allowed {
            Ok(()) => Ok(routes.oneshot(request).await?),
            Err(why) => Ok((StatusCode::FORBIDDEN, why).into_response()),
        };
    }
    let started = Instant::now();
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    let body = read(body).await;
    let seen = body.as_ref().map_or(&b""[..], |bytes| bytes);
    let head = RequestHead { method: &parts.method, path: &path, query: parts.uri.query(), body: seen };
    let reference = room.subject(&head);
    let sealed = room.profile().sealed_fields.clone();
    let id = room.log().enter(LoggedRequest {
        id: 0,
        at: Timestamp::now(),
        method: parts.method.to_string(),
        target: redact_text(
            parts.uri.path_and_query().map_or("/", |target| target.as_str()).as_bytes(),
            &sealed,
            reference.as_deref(),
        ),
        reference: reference.clone(),
        headers: redact_headers(&parts.headers, &sealed, reference.as_deref()),
        body: redact_text(seen, &sealed, reference.as_deref()),
        status: None,
        answer: String::new(),
        verdict: None,
        explanation: "not answered: the sender left, or it is still being worked on".to_owned(),
        faults: Vec::new(),
        millis: None,
    });
    let millis = || u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);

    let body = match allowed {
        Ok(()) => body.map_err(|why| (StatusCode::BAD_REQUEST, why)),
        Err(why) => Err((StatusCode::FORBIDDEN, why)),
    };
    let (outcome, faults) = match body {
        Err((status, why)) => (Ok(refuse(&*room, status, &path, &why)), Vec::new()),
        Ok(body) => match room.take_faults(&path, reference.as_deref()) {
            Err(error) => {
                let status = StatusCode::INTERNAL_SERVER_ERROR;
                (Ok(refuse(&*room, status, &path, &error.to_string())), Vec::new())
            }
            Ok(faults) => {
                let request = Request::from_parts(parts, Body::from(body));
                (with_faults(&*room, routes, request, &path, &faults).await, faults)
            }
        },
    };
    let faults: Vec<_> = faults.iter().map(|fault| fault.kind.text().to_owned()).collect();

    match outcome {
        Err((cut, note)) => {
            room.log().complete(id, |entry| {
                entry.faults = faults;
                entry.verdict = note.as_ref().map(|note| note.verdict);
                entry.explanation =
                    note.map_or_else(String::new, |note| redact_words(&note.text, reference.as_deref()));
                entry.millis = Some(millis());
            });
            Err(cut)
        }
        Ok(response) => {
            let (mut parts, body) = response.into_parts();
            let note = parts.extensions.remove::<Note>();
            let broken = parts.extensions.remove::<Broken>().is_some();
            let (body, shown) = if broken {
                (body, "(cut half way)".to_owned())
            } else {
                let bytes = axum::body::to_bytes(body, ANSWER_LIMIT).await.unwrap_or_default();
                let html = parts
                    .headers
                    .get(header::CONTENT_TYPE)
                    .is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
                let shown = if html {
                    "(a page)".to_owned()
                } else {
                    redact_text(&bytes, &sealed, reference.as_deref())
                };
                (Body::from(bytes), shown)
            };
            room.log().complete(id, |entry| {
                entry.faults = faults;
                entry.status = Some(parts.status.as_u16());
                entry.answer = shown;
                let refused = parts.status.is_client_error() || parts.status.is_server_error();
                let plain = if refused { Verdict::Refused } else { Verdict::Accepted };
                entry.verdict = Some(note.as_ref().map_or(plain, |note| note.verdict));
                entry.explanation =
                    note.map_or_else(String::new, |note| redact_words(&note.text, reference.as_deref()));
                entry.millis = Some(millis());
            });
            Ok(Response::from_parts(parts, body))
        }
    }
}

/// The host's own refusal, in the provider's error format and explained in the log.
fn refuse(room: &dyn AnyRoom, status: StatusCode, path: &str, why: &str) -> Response<Body> {
    let mut response = room.trouble(status, path, why);
    response.extensions_mut().insert(Note::refused(why));
    response
}

/// Marks an answer whose body breaks off on purpose, so that nobody reads it before the client does.
#[derive(Clone, Copy, Debug)]
struct Broken;

async fn with_faults(
    room: &dyn AnyRoom,
    routes: Router,
    mut request: Request<Body>,
    path: &str,
    faults: &[Fault],
) -> Result<Response<Body>, (Cut, Option<Note>)> {
    let find = |kind| faults.iter().find(|fault| fault.kind == kind);
    if find(FaultKind::CutBefore).is_some() {
        return Err((Cut, None));
    }
    if find(FaultKind::ErrorBefore).is_some() {
        return Ok(refuse(room, StatusCode::INTERNAL_SERVER_ERROR, path, "ordered fault: nothing was done"));
    }
    if find(FaultKind::TokenRefused).is_some() {
        return Ok(refuse(room, StatusCode::UNAUTHORIZED, path, "ordered fault: nothing was done"));
    }
    let tamper = if find(FaultKind::AnswerWrongChecksum).is_some() {
        Tamper::Key
    } else if find(FaultKind::AnswerTamperedAmount).is_some() {
        Tamper::Amount
    } else {
        Tamper::None
    };
    request.extensions_mut().insert(Call { tamper });

    let mut response = match routes.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    if let Some(slow) = find(FaultKind::Slow) {
        tokio::time::sleep(Duration::from_millis(slow.ms.unwrap_or(1000))).await;
    }
    let note = response.extensions().get::<Note>().cloned();
    if find(FaultKind::AnswerLost).is_some() {
        return Err((Cut, note));
    }
    if find(FaultKind::ErrorAfter).is_some() {
        response = room.trouble(StatusCode::INTERNAL_SERVER_ERROR, path, "ordered fault: it was carried out");
    } else if find(FaultKind::NotJson).is_some() {
        response = html(StatusCode::OK, "<html><body><h1>Service temporarily unavailable</h1></body></html>");
    } else if find(FaultKind::BadGateway).is_some() {
        response = html(StatusCode::BAD_GATEWAY, "<html><body><h1>502 Bad Gateway</h1></body></html>");
    } else if find(FaultKind::Truncated).is_some() {
        response = truncate(response).await;
    }
    if let Some(note) = note {
        response.extensions_mut().insert(note);
    }
    Ok(response)
}

fn html(status: StatusCode, page: &'static str) -> Response<Body> {
    (status, [(header::CONTENT_TYPE, "text/html")], page).into_response()
}

/// Announces the whole length and gives half of it, then breaks the connection.
async fn truncate(response: Response<Body>) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, ANSWER_LIMIT).await.unwrap_or_default();
    let half = bytes.slice(..bytes.len() / 2);
    parts.headers.insert(header::CONTENT_LENGTH, header::HeaderValue::from(bytes.len()));
    parts.extensions.insert(Broken);
    let pieces = futures_util::stream::iter([Ok(half), Err(Cut)]).then(|piece| async move {
        if piece.is_err() {
            // The first half must have left before the connection breaks, or the client sees nothing at all.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        piece
    });
    Response::from_parts(parts, Body::from_stream(pieces))
}

async fn read(body: Body) -> Result<Bytes, String> {
    let mut stream = body.into_data_stream();
    let mut bytes = Vec::new();
    let mut total = 0;
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|error| format!("the request's body could not be read: {error}"))?;
        total += chunk.len();
        if total <= BODY_LIMIT {
            bytes.extend_from_slice(&chunk);
        } else if total > BODY_DRAINED {
            break;
        }
    }
    if total > BODY_LIMIT {
        return Err(format!("the request's body is larger than {BODY_LIMIT} bytes"));
    }
    Ok(bytes.into())
}
