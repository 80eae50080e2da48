//! The payer's address, for an application's own handlers.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, FromRef, FromRequestParts};
use axum::http::request::Parts;
use tulbur_web::Web;

use crate::request::texts;

/// The address of the one who sent a request, as [`Web::payer_address`] has it. `None` when it is not known: the server
/// was not started with `into_make_service_with_connect_info::<SocketAddr>()`, or a trusted proxy does not say it.
///
/// The router's state is, or holds ([`FromRef`]), the [`Web`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PayerAddress(pub Option<IpAddr>);

impl<S> FromRequestParts<S> for PayerAddress
where
    Web: FromRef<S>,
    S: Sync,
{
    type Rejection = Infallible;

    async fn from_request_parts(head: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let peer = head.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
        Ok(Self(Web::from_ref(state).payer_address(peer, &texts(&head.headers))))
    }
}
