//! The control API; its calls are listed in the crate's documentation.

use std::collections::BTreeMap;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::rooms::{Rooms, room};
use crate::error::SandboxError;
use crate::fault::Fault;
use crate::plugin::ActionRequest;

const BODY_LIMIT: usize = 64 * 1024;

pub(super) fn routes() -> Router<Rooms> {
    Router::new()
        .route("/healthz", get(|| async { answer(&json!({ "ok": true })) }))
        .route("/api/providers", get(providers))
        .route("/api/{provider}/payments", get(payments))
        .route("/api/{provider}/payments/{reference}", get(payment))
        .route("/api/{provider}/payments/{reference}/{action}", post(act))
        .route("/api/{provider}/push-address", get(push_address).put(set_push_address))
        .route("/api/{provider}/switches", get(switches).put(set_switches))
        .route("/api/{provider}/faults", get(faults).post(add_fault).delete(clear_faults))
        .route("/api/{provider}/faults/{id}", delete(remove_fault))
        .route("/api/{provider}/requests", get(requests))
        .route("/api/{provider}/pushes", get(pushes))
        .route("/api/{provider}/pushes/{id}/resend", post(resend))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
}

type Answer = Result<Response, SandboxError>;

impl IntoResponse for SandboxError {
    fn into_response(self) -> Response {
        let status = match &self {
            Self::UnknownProvider { .. } | Self::NotFound { .. } => StatusCode::NOT_FOUND,
            Self::Refused { .. } => StatusCode::CONFLICT,
            Self::Invalid { .. } => StatusCode::BAD_REQUEST,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        (status, error_body(&self.to_string())).into_response()
    }
}

pub(super) fn error_body(why: &str) -> impl IntoResponse + use<> {
    ([(header::CONTENT_TYPE, "application/json")], json!({ "error": why }).to_string())
}

fn answer<T: Serialize + ?Sized>(value: &T) -> Response {
    match serde_json::to_vec(value) {
        Ok(body) => ([(header::CONTENT_TYPE, "application/json")], body).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error_body(&error.to_string())).into_response(),
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, SandboxError> {
    serde_json::from_slice(body)
        .map_err(|error| SandboxError::invalid(format!("the body does not fit: {error}")))
}

/// An object whose values are texts; numbers are taken as they are written.
fn parse_texts(body: &[u8]) -> Result<BTreeMap<String, String>, SandboxError> {
    if body.trim_ascii().is_empty() {
        return Ok(BTreeMap::new());
    }
    let values: BTreeMap<String, Value> = parse(body)?;
    values
        .into_iter()
        .map(|(name, value)| match value {
            Value::String(text) => Ok((name, text)),
            Value::Number(number) => Ok((name, number.to_string())),
            _ => Err(SandboxError::invalid(format!("{name} must be a text or a number"))),
        })
        .collect()
}

async fn providers(State(rooms): State<Rooms>) -> Response {
    let described: Vec<Value> = rooms
        .values()
        .map(|room| {
            let profile = room.profile();
            let faults: BTreeMap<_, _> =
                profile.faults.iter().map(|kind| (kind.name(), kind.text())).collect();
            json!({
                "id": profile.id,
                "title": profile.title,
                "base_url": room.base_url(),
                "credentials": profile.credentials,
                "push_address": room.push_address(),
                "actions": profile.actions,
                "faults": faults,
            })
        })
        .collect();
    answer(&described)
}

async fn payments(State(rooms): State<Rooms>, Path(id): Path<String>) -> Answer {
    Ok(answer(&room(&rooms, &id)?.payments()))
}

async fn payment(State(rooms): State<Rooms>, Path((id, reference)): Path<(String, String)>) -> Answer {
    let found = room(&rooms, &id)?.payments().into_iter().find(|payment| payment.reference == reference);
    found
        .as_ref()
        .map(answer)
        .ok_or_else(|| SandboxError::not_found(format!("{id} has no payment {reference:?}")))
}

async fn act(
    State(rooms): State<Rooms>,
    Path((id, reference, action)): Path<(String, String, String)>,
    body: Bytes,
) -> Answer {
    let details = parse_texts(&body)?;
    let room = room(&rooms, &id)?;
    let done = room.act(&ActionRequest { reference: reference.clone(), action, details })?;
    let payment = room.payments().into_iter().find(|payment| payment.reference == reference);
    Ok(answer(&json!({ "done": done, "payment": payment })))
}

async fn push_address(State(rooms): State<Rooms>, Path(id): Path<String>) -> Answer {
    Ok(answer(&json!({ "address": room(&rooms, &id)?.push_address() })))
}

async fn set_push_address(State(rooms): State<Rooms>, Path(id): Path<String>, body: Bytes) -> Answer {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Body {
        address: Option<String>,
    }
    let body: Body = parse(&body)?;
    let room = room(&rooms, &id)?;
    room.set_push_address(body.address)?;
    Ok(answer(&json!({ "address": room.push_address() })))
}

async fn switches(State(rooms): State<Rooms>, Path(id): Path<String>) -> Answer {
    let room = room(&rooms, &id)?;
    Ok(answer(&json!({ "values": room.switches(), "switches": room.profile().switches })))
}

async fn set_switches(State(rooms): State<Rooms>, Path(id): Path<String>, body: Bytes) -> Answer {
    let values = parse_texts(&body)?;
    let room = room(&rooms, &id)?;
    room.set_switches(&values)?;
    Ok(answer(&json!({ "values": room.switches() })))
}

async fn faults(State(rooms): State<Rooms>, Path(id): Path<String>) -> Answer {
    Ok(answer(&room(&rooms, &id)?.faults()))
}

async fn add_fault(State(rooms): State<Rooms>, Path(id): Path<String>, body: Bytes) -> Answer {
    let fault: Fault = parse(&body)?;
    Ok((StatusCode::CREATED, answer(&room(&rooms, &id)?.add_fault(fault)?)).into_response())
}

async fn clear_faults(State(rooms): State<Rooms>, Path(id): Path<String>) -> Answer {
    room(&rooms, &id)?.remove_faults(None)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn remove_fault(State(rooms): State<Rooms>, Path((id, fault)): Path<(String, u64)>) -> Answer {
    room(&rooms, &id)?.remove_faults(Some(fault))?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn requests(State(rooms): State<Rooms>, Path(id): Path<String>) -> Answer {
    Ok(answer(&room(&rooms, &id)?.log().all()))
}

async fn pushes(State(rooms): State<Rooms>, Path(id): Path<String>) -> Answer {
    Ok(answer(&room(&rooms, &id)?.pushes()))
}

async fn resend(State(rooms): State<Rooms>, Path((id, push)): Path<(String, u64)>) -> Answer {
    let fresh = room(&rooms, &id)?.resend(push)?;
    Ok((StatusCode::CREATED, answer(&json!({ "id": fresh }))).into_response())
}
