//! The payer's address, for an application's own handlers.

use std::future::{Ready, ready};
use std::net::IpAddr;

use actix_web::dev::Payload;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};
use tulbur_web::Web;

use crate::request::texts;

/// The address of the one who sent a request, as [`Web::payer_address`] has it. `None` when it is not known: a trusted
/// proxy does not say it.
///
/// The application's data has the [`Web`] as `web::Data<Web>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PayerAddress(pub Option<IpAddr>);

impl FromRequest for PayerAddress {
    type Error = actix_web::Error;
    type Future = Ready<Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let Some(web) = request.app_data::<Data<Web>>() else {
            let why = "PayerAddress needs the pages: App::new().app_data(web::Data::new(pages))";
            return ready(Err(actix_web::error::ErrorInternalServerError(why)));
        };
        let peer = request.peer_addr().map(|peer| peer.ip());
        ready(Ok(Self(web.payer_address(peer, &texts(request.headers())))))
    }
}
