//! Mounts Tulbur's web handlers on actix-web.
//!
//! ```no_run
//! # async fn mount(payments: tulbur_payments::Payments) -> std::io::Result<()> {
//! use actix_web::{App, HttpServer, web};
//! use tulbur_web::{Web, WebSettings};
//!
//! // `payments` was given the public address `https://shop.mn/tulbur/`.
//! let pages = Web::new(payments, WebSettings::default().shop("Shop"));
//! let mounted = pages.clone();
//! let server = HttpServer::new(move || {
//!     App::new().service(web::scope("/tulbur").configure(tulbur_actix::configure(mounted.clone())))
//! })
//! .bind("127.0.0.1:8080")?
//! .disable_signals()
//! .run();
//!
//! let handle = server.handle();
//! actix_web::rt::spawn(async move {
//!     actix_web::rt::signal::ctrl_c().await.ok();
//!     // Otherwise the server waits until everybody has closed their page.
//!     pages.end_streams();
//!     handle.stop(true).await;
//! });
//! server.await
//! # }
//! ```
//!
//! An application that keeps its own payments and wants notifications checked takes [`VerifiedIpn`] instead:
//!
//! ```no_run
//! use actix_web::{App, HttpResponse, HttpServer, web};
//! use tulbur_actix::VerifiedIpn;
//! use tulbur_core::{IpnOutcome, Result};
//! use tulbur_web::Verifier;
//!
//! # async fn store(_: &str, _: &tulbur_core::IpnEvent) -> Result<()> { Ok(()) }
//! async fn notified(ipn: VerifiedIpn) -> HttpResponse {
//!     // Told apart from a repeat by its key, and stored before it is answered. `ipn.facts()` is what it proves; if
//!     // that is nothing, ask the provider.
//!     match store(ipn.event().repeat_key(), ipn.event()).await {
//!         Ok(()) => ipn.acknowledge(IpnOutcome::Accepted),
//!         Err(_) => ipn.acknowledge(IpnOutcome::NotStored),
//!     }
//! }
//!
//! # type Failure = Box<dyn std::error::Error>;
//! # async fn serve(golomt: std::sync::Arc<dyn tulbur_core::Provider>) -> std::result::Result<(), Failure> {
//! let verifier = web::Data::new(Verifier::new([golomt])?);
//! let app = move || App::new().app_data(verifier.clone()).route("/notify/{account}", web::post().to(notified));
//! HttpServer::new(app).bind("127.0.0.1:8080")?.run().await?;
//! # Ok(())
//! # }
//! ```

use actix_web::web::{self, Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use tulbur_web::Web;

use request::read;
use response::respond;

pub use ipn::VerifiedIpn;
pub use payer::PayerAddress;

mod ipn;
mod payer;
mod request;
mod response;
mod unread;

/// The payers' pages and the providers' routes, for a scope where the public address points, or for the application
/// itself if that is the root.
///
/// It has routes for [`Web::ROOMS`] and no default: what else lies below the mount stays the application's. The body
/// limit is its own; actix's `PayloadConfig` does not matter.
pub fn configure(web: Web) -> impl FnOnce(&mut ServiceConfig) {
    move |config| {
        for room in Web::ROOMS {
            // Joined to a mount that ends with a slash, an address begins with two.
            for slash in ["/", "//"] {
                let web = web.clone();
                let handler = move |request, payload| handle(web.clone(), request, payload);
                config.service(web::resource(format!("{slash}{room}/{{{REST}:.+}}")).to(handler));
            }
        }
    }
}

/// What the path has after its room.
const REST: &str = "tulbur_rest";

async fn handle(web: Web, request: HttpRequest, payload: Payload) -> HttpResponse {
    let below = request.match_info().get(REST).map_or("", |rest| below_the_mount(request.uri().path(), rest));
    match read(&request, below, payload).await {
        Ok(request) => respond(web.handle(request).await),
        Err(unread) => unread.respond(),
    }
}

/// The part of a path that begins with its room, as it was sent.
///
/// What actix matched is partly decoded, and addresses are not to be: one payment has one address. But it never
/// decodes a slash, so that counting them finds the same place.
fn below_the_mount<'a>(path: &'a str, rest: &str) -> &'a str {
    let room = rest.matches('/').count() + 1;
    path.rmatch_indices('/').nth(room).map_or(path, |(start, _)| &path[start..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_below_the_mount_is_as_it_was_sent() {
        for (path, rest, below) in [
            ("/tulbur/checkout/abc", "abc", "/checkout/abc"),
            ("/checkout/abc/result", "abc/result", "/checkout/abc/result"),
            ("/a/b/checkout/abc/", "abc/", "/checkout/abc/"),
            ("/pay/checkout/%61bc", "abc", "/checkout/%61bc"),
            ("/p%61y/checkout/a%2Fb", "a%2Fb", "/checkout/a%2Fb"),
            ("/pay/notify/notify/x", "notify/x", "/notify/notify/x"),
        ] {
            assert_eq!(below_the_mount(path, rest), below, "{path}");
        }
    }
}
