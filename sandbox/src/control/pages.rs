//! The control page. It works without a script; everything that came from outside is escaped by the templates.

use std::collections::BTreeMap;

use askama::Template;
use axum::Router;
use axum::extract::{Form, Path, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::rooms::{Rooms, room};
use crate::error::SandboxError;
use crate::fault::{Fault, FaultKind};
use crate::log::{LoggedRequest, redact_text};
use crate::plugin::{ActionRequest, PaymentRecord, Profile};
use crate::push::Push;
use crate::room::AnyRoom;
use crate::switch::{Switch, SwitchValues};

const SHOWN: usize = 100;

pub(super) fn routes() -> Router<Rooms> {
    Router::new()
        .route("/", get(index))
        .route("/control.css", get(style))
        .route("/p/{provider}", get(provider))
        .route("/p/{provider}/payments/{reference}/{action}", post(act))
        .route("/p/{provider}/push-address", post(set_push_address))
        .route("/p/{provider}/switches", post(set_switches))
        .route("/p/{provider}/faults", post(add_fault))
        .route("/p/{provider}/faults/clear", post(clear_faults))
        .route("/p/{provider}/faults/{id}/remove", post(remove_fault))
        .route("/p/{provider}/pushes/{id}/resend", post(resend))
}

#[derive(Template)]
#[template(path = "control/index.html")]
struct Index<'a> {
    rooms: Vec<IndexRow<'a>>,
}

struct IndexRow<'a> {
    profile: &'a Profile,
    base_url: &'a str,
    push_address: Option<String>,
    payments: usize,
    faults: usize,
}

#[derive(Template)]
#[template(path = "control/provider.html")]
struct ProviderPage<'a> {
    profile: &'a Profile,
    base_url: &'a str,
    push_address: String,
    payments: Vec<PaymentRow>,
    pushes: Vec<PushRow>,
    requests: Vec<LoggedRequest>,
    faults: Vec<Fault>,
    switches: Vec<SwitchRow<'a>>,
}

struct PaymentRow {
    payment: PaymentRecord,
    details: Vec<(String, String)>,
    actions: Vec<(String, String)>,
}

struct PushRow {
    push: Push,
    body: String,
}

struct SwitchRow<'a> {
    switch: &'a Switch,
    value: String,
}

impl SwitchRow<'_> {
    fn choices(&self) -> &[(String, String)] {
        match &self.switch.values {
            SwitchValues::OneOf(values) => values,
            SwitchValues::Number { .. } => &[],
        }
    }

    fn bounds(&self) -> (u64, u64) {
        match self.switch.values {
            SwitchValues::Number { least, most } => (least, most),
            SwitchValues::OneOf(_) => (0, 0),
        }
    }
}

#[derive(Template)]
#[template(path = "control/trouble.html")]
struct Trouble {
    why: String,
    back: String,
}

/// A failed order, told on a page with a way back.
struct Failed(SandboxError, String);

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        let why = self.0.to_string();
        let status = self.0.into_response().status();
        (status, page(&Trouble { why, back: self.1 })).into_response()
    }
}

fn page<T: Template>(template: &T) -> Response {
    match template.render() {
        Ok(html) => Html(html).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn style() -> Response {
    ([(header::CONTENT_TYPE, "text/css")], include_str!("../../templates/control/control.css"))
        .into_response()
}

async fn index(State(rooms): State<Rooms>) -> Response {
    let rooms = rooms
        .values()
        .map(|room| IndexRow {
            profile: room.profile(),
            base_url: room.base_url(),
            push_address: room.push_address(),
            payments: room.payments().len(),
            faults: room.faults().len(),
        })
        .collect();
    page(&Index { rooms })
}

async fn provider(State(rooms): State<Rooms>, Path(id): Path<String>) -> Result<Response, Failed> {
    let room = room(&rooms, &id).map_err(|error| Failed(error, "/".to_owned()))?;
    let profile = room.profile();
    let values = room.switches();
    let html = page(&ProviderPage {
        profile,
        base_url: room.base_url(),
        push_address: room.push_address().unwrap_or_default(),
        payments: newest(room.payments()).into_iter().map(|payment| payment_row(profile, payment)).collect(),
        pushes: newest(room.pushes())
            .into_iter()
            .map(|push| PushRow {
                body: redact_text(
                    push.notification.body.as_bytes(),
                    &profile.sealed_fields,
                    Some(&push.reference),
                ),
                push,
            })
            .collect(),
        requests: newest(room.log().all()),
        faults: room.faults(),
        switches: profile
            .switches
            .iter()
            .map(|switch| SwitchRow { switch, value: values.get(&switch.id).cloned().unwrap_or_default() })
            .collect(),
    });
    Ok(html)
}

fn newest<T>(mut list: Vec<T>) -> Vec<T> {
    list.reverse();
    list.truncate(SHOWN);
    list
}

fn payment_row(profile: &Profile, payment: PaymentRecord) -> PaymentRow {
    let at =
        format!("/p/{}/payments/{}", profile.id, utf8_percent_encode(&payment.reference, NON_ALPHANUMERIC));
    let actions = payment.actions.iter().map(|action| (action.clone(), format!("{at}/{action}"))).collect();
    let details = payment
        .details
        .iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| (name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
        .collect();
    PaymentRow { payment, details, actions }
}

type Done = Result<Redirect, Failed>;

/// Does something in a provider's room and goes back to a section of its page.
fn order(
    rooms: &Rooms,
    id: &str,
    section: &str,
    does: impl FnOnce(&dyn AnyRoom) -> Result<(), SandboxError>,
) -> Done {
    let back = format!("/p/{id}#{section}");
    room(rooms, id)
        .and_then(|room| does(&*room))
        .map(|()| Redirect::to(&back))
        .map_err(|error| Failed(error, format!("/p/{}", utf8_percent_encode(id, NON_ALPHANUMERIC))))
}

type Fields = Form<BTreeMap<String, String>>;

async fn act(
    State(rooms): State<Rooms>,
    Path((id, reference, action)): Path<(String, String, String)>,
    Form(details): Fields,
) -> Done {
    let request = ActionRequest { reference, action, details };
    order(&rooms, &id, "payments", |room| room.act(&request).map(drop))
}

async fn set_push_address(State(rooms): State<Rooms>, Path(id): Path<String>, Form(fields): Fields) -> Done {
    order(&rooms, &id, "pushes", |room| room.set_push_address(fields.get("address").cloned()))
}

async fn set_switches(State(rooms): State<Rooms>, Path(id): Path<String>, Form(fields): Fields) -> Done {
    order(&rooms, &id, "switches", |room| room.set_switches(&fields))
}

async fn add_fault(State(rooms): State<Rooms>, Path(id): Path<String>, Form(fields): Fields) -> Done {
    order(&rooms, &id, "faults", |room| {
        let field = |name: &str| fields.get(name).map(|text| text.trim()).filter(|text| !text.is_empty());
        let kind: FaultKind = serde_json::from_value(field("kind").unwrap_or_default().into())
            .map_err(|_| SandboxError::invalid("choose what is to go wrong"))?;
        let number = |name: &str| {
            field(name)
                .map(str::parse::<u32>)
                .transpose()
                .map_err(|_| SandboxError::invalid(format!("{name} must be a whole number")))
        };
        let mut fault = Fault::new(kind);
        fault.times = match field("times") {
            Some("always") => None,
            _ => Some(number("times")?.unwrap_or(1)),
        };
        fault.path = field("path").map(str::to_owned);
        fault.reference = field("reference").map(str::to_owned);
        fault.ms = number("ms")?.map(u64::from);
        room.add_fault(fault).map(drop)
    })
}

async fn clear_faults(State(rooms): State<Rooms>, Path(id): Path<String>) -> Done {
    order(&rooms, &id, "faults", |room| room.remove_faults(None))
}

async fn remove_fault(State(rooms): State<Rooms>, Path((id, fault)): Path<(String, u64)>) -> Done {
    order(&rooms, &id, "faults", |room| room.remove_faults(Some(fault)))
}

async fn resend(State(rooms): State<Rooms>, Path((id, push)): Path<(String, u64)>) -> Done {
    order(&rooms, &id, "pushes", |room| room.resend(push).map(drop))
}
