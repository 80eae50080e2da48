//! The two calls that a mini app's server makes.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde::Serialize;

use super::customers::Customer;
use super::shared::SocialPay;
use super::signature;
use super::state::{self, Message};
use crate::error::SandboxError;
use crate::golomt_ecommerce::request::Fields;
use crate::plugin::Note;

const CERT_ID: &str = "x-golomt-cert-id";
const SIGNATURE: &str = "x-golomt-signature";
/// What one early client sent instead.
const OLD_CERT_ID: &str = "x-golomt-client-id";
/// The word of success in the answer to a message.
const DONE: &str = "Амжилттай";

pub(super) fn routes() -> Router<SocialPay> {
    Router::new()
        .route("/api/utility/miniapp/token/check", post(token_check))
        .route("/api/utility/notification/push", post(notification_push))
}

/// A call that SocialPay refuses: what the answer says, and why, for the request log.
#[derive(Debug)]
struct Refusal {
    message: &'static str,
    why: String,
}

impl Refusal {
    fn invalid(why: impl Into<String>) -> Self {
        Self { message: "Хүсэлт буруу байна", why: why.into() }
    }

    fn untrusted(why: impl Into<String>) -> Self {
        Self { message: "Гарын үсэг буруу байна", why: why.into() }
    }

    fn unknown(why: impl Into<String>) -> Self {
        Self { message: "Хэрэглэгч олдсонгүй", why: why.into() }
    }
}

impl From<SandboxError> for Refusal {
    fn from(error: SandboxError) -> Self {
        Self { message: "Алдаа гарлаа", why: error.to_string() }
    }
}

/// A body with nothing but a message.
pub(super) fn message(status: StatusCode, message: &str) -> Response {
    #[derive(Serialize)]
    struct Body<'a> {
        message: &'a str,
    }

    json(status, &Body { message })
}

fn json(status: StatusCode, body: &impl Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(body) => (status, [(header::CONTENT_TYPE, "application/json")], body).into_response(),
        Err(error) => {
            tracing::error!(%error, "an answer could not be written as JSON");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

fn noted(mut response: Response, note: Note) -> Response {
    response.extensions_mut().insert(note);
    response
}

impl SocialPay {
    fn refuse(&self, refusal: Refusal) -> Response {
        let status = match self.desk.switch("error-http-status").as_str() {
            "200" => StatusCode::OK,
            "401" => StatusCode::UNAUTHORIZED,
            _ => StatusCode::BAD_REQUEST,
        };
        noted(message(status, refusal.message), Note::refused(refusal.why))
    }

    /// Checks who calls, and that the body came as it was sent.
    fn admit(&self, headers: &HeaderMap, query: Option<&str>, body: &[u8]) -> Result<Fields, Refusal> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        match text(CERT_ID) {
            None if headers.contains_key(OLD_CERT_ID) => {
                return Err(Refusal::untrusted(
                    "the header is called X-Golomt-Cert-Id, not X-Golomt-Client-Id",
                ));
            }
            None => return Err(Refusal::untrusted("the header X-Golomt-Cert-Id is missing")),
            Some(id) if id != self.cert_id => {
                return Err(Refusal::untrusted(format!(
                    "X-Golomt-Cert-Id is {id:?}, which SocialPay gave to nobody"
                )));
            }
            Some(_) => {}
        }
        let given =
            text(SIGNATURE).ok_or_else(|| Refusal::untrusted("the header X-Golomt-Signature is missing"))?;
        signature::check(given, body).map_err(Refusal::untrusted)?;
        let pairs: Vec<(String, String)> =
            serde_urlencoded::from_str(query.unwrap_or_default()).unwrap_or_default();
        match pairs.iter().find(|(name, _)| name == "language") {
            Some((_, value)) if matches!(value.as_str(), "mn" | "en") => {}
            other => {
                let found = other.map_or("missing".to_owned(), |(_, value)| format!("{value:?}"));
                return Err(Refusal::invalid(format!(
                    "the query's language is {found}; the documents call with language=mn"
                )));
            }
        }
        Fields::parse(body).map_err(Refusal::invalid)
    }
}

/// What SocialPay says of a customer.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CustomerData<'a> {
    individual_id: serde_json::Value,
    register_number: &'a str,
    last_name: &'a str,
    first_name: &'a str,
    account: &'a str,
    mobile_number: &'a str,
    email: &'a str,
    img_url: &'a str,
}

async fn token_check(
    State(socialpay): State<SocialPay>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let outcome = (|| {
        let fields = socialpay.admit(&headers, query.as_deref(), &body)?;
        let token = fields.required("token", false).map_err(Refusal::invalid)?;
        let customer =
            socialpay.desk.update(|tx| state::redeem(tx, token))?.map_err(|why| {
                let doubled = if token.starts_with('?') {
                    ". It begins with a question mark: the address was registered with its parameter, and the parameter was joined twice"
                } else {
                    ""
                };
                Refusal::unknown(format!("{why}{doubled}"))
            })?;
        let as_text = socialpay.desk.switch("individual-id") == "text";
        let data = CustomerData {
            individual_id: if as_text { customer.id.to_string().into() } else { customer.id.into() },
            register_number: customer.register_number,
            last_name: customer.last_name,
            first_name: customer.first_name,
            account: customer.account,
            mobile_number: customer.mobile_number,
            email: customer.email,
            img_url: customer.image,
        };
        let what = format!("the token was {}'s and is used up now", customer.name);
        Ok(noted(json(StatusCode::OK, &data), Note::accepted(what)))
    })();
    outcome.unwrap_or_else(|refusal| socialpay.refuse(refusal))
}

async fn notification_push(
    State(socialpay): State<SocialPay>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let outcome = (|| {
        let fields = socialpay.admit(&headers, query.as_deref(), &body)?;
        let text = |name| fields.required(name, false).map(str::to_owned).map_err(Refusal::invalid);
        let id = fields.required("individualId", true).map_err(Refusal::invalid)?;
        let customer = Customer::by_id(id)
            .ok_or_else(|| Refusal::unknown(format!("no customer has the individualId {id:?}")))?;
        let (title, words) = (text("messageTitle")?, text("messageText")?);
        let (view, url) = (text("VIEW_ID")?, text("MINIAPP_URL")?);
        socialpay.desk.update(|tx| {
            let message =
                Message { customer: customer.name.to_owned(), at: tx.now(), title, text: words, view, url };
            tx.state_mut().messages.push(message);
        })?;
        let remark = if fields.required("individualId", false).is_err() {
            "; individualId is a JSON number, and the one known client sends a text"
        } else {
            ""
        };
        let what = format!("a message to {}{remark}", customer.name);
        Ok(noted(message(StatusCode::OK, DONE), Note::accepted(what)))
    })();
    outcome.unwrap_or_else(|refusal| socialpay.refuse(refusal))
}

/// An address that SocialPay does not have.
pub(super) async fn nothing_here(uri: Uri) -> Response {
    let why = format!(
        "there is nothing at {}; the base address ends in /api, and the page that plays the phone is /-/phone",
        uri.path()
    );
    noted(message(StatusCode::NOT_FOUND, "Not found"), Note::refused(why))
}

/// The API takes POST only.
pub(super) async fn wrong_method() -> Response {
    let why = "this address does not take this method; the API takes POST only";
    noted(message(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed"), Note::refused(why))
}
