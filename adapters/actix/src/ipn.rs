//! Notifications for an application that keeps its own payments.

use std::ops::Deref;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::error::InternalError;
use actix_web::web::{self, Data};
use actix_web::{FromRequest, HttpRequest, HttpResponse};
use tulbur_core::IpnOutcome;
use tulbur_web::Verifier;

use crate::request::read;
use crate::response::respond;

/// A notification that its provider's rules let through; what is not is answered as the provider expects, and the
/// handler is not called.
///
/// The application's data has the [`Verifier`] as `web::Data<Verifier>`. The account is the path's `{account}`; a path
/// without one is for a verifier of one account. See [`tulbur_web::VerifiedIpn`] for what it is worth.
#[derive(Debug, Clone)]
pub struct VerifiedIpn(tulbur_web::VerifiedIpn);

impl VerifiedIpn {
    /// The answer that the provider expects, given what became of its notification.
    pub fn acknowledge(&self, outcome: IpnOutcome<'_>) -> HttpResponse {
        respond(self.0.acknowledge(outcome))
    }
}

impl Deref for VerifiedIpn {
    type Target = tulbur_web::VerifiedIpn;
    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl FromRequest for VerifiedIpn {
    type Error = actix_web::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Self::Error>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, mut payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let Some(verifier) = request.app_data::<Data<Verifier>>() else {
                let why = "VerifiedIpn needs a verifier: App::new().app_data(web::Data::new(verifier))";
                return Err(actix_web::error::ErrorInternalServerError(why));
            };
            let account = request.match_info().get(Verifier::PARAMETER);
            let payload = web::Payload::from_request(&request, &mut payload).await?;
            let delivery = read(&request, request.path(), payload).await;
            let delivery = delivery.map_err(|unread| refused(unread.respond()))?;
            verifier.verify(account, &delivery).map(Self).map_err(|answer| refused(respond(answer)))
        })
    }
}

fn refused(answer: HttpResponse) -> actix_web::Error {
    InternalError::from_response("notification refused", answer).into()
}
