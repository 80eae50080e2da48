//! Notifications for an application that keeps its own payments.

use std::ops::Deref;

use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{FromRef, FromRequest, FromRequestParts, RawPathParams, Request};
use axum::response::{IntoResponse, Response};
use tulbur_core::IpnOutcome;
use tulbur_web::Verifier;

use crate::request::read;
use crate::response::respond;

/// A notification that its provider's rules let through; what is not is answered as the provider expects, and the
/// handler is not called.
///
/// The router's state is, or holds ([`FromRef`]), the [`Verifier`]. The account is the path's `{account}`; a path
/// without one is for a verifier of one account. See [`tulbur_web::VerifiedIpn`] for what it is worth.
#[derive(Debug, Clone)]
pub struct VerifiedIpn(tulbur_web::VerifiedIpn);

impl VerifiedIpn {
    /// The answer that the provider expects, given what became of its notification.
    pub fn acknowledge(&self, outcome: IpnOutcome<'_>) -> Response {
        respond(self.0.acknowledge(outcome))
    }
}

impl Deref for VerifiedIpn {
    type Target = tulbur_web::VerifiedIpn;
    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<S> FromRequest<S> for VerifiedIpn
where
    Verifier: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let (mut head, body) = request.into_parts();
        let account = match RawPathParams::from_request_parts(&mut head, state).await {
            Ok(parameters) => parameters
                .iter()
                .find(|(name, _)| *name == Verifier::PARAMETER)
                .map(|(_, value)| value.to_owned()),
            // The handler was called without a router.
            Err(RawPathParamsRejection::MissingPathParams(_)) => None,
            Err(invalid) => return Err(invalid.into_response()),
        };
        let request = read(Request::from_parts(head, body)).await.map_err(respond)?;
        Verifier::from_ref(state).verify(account.as_deref(), &request).map(Self).map_err(respond)
    }
}
