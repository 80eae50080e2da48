//! Mounts Tulbur's web handlers on axum.
//!
//! ```no_run
//! # async fn mount(payments: tulbur_payments::Payments) -> std::io::Result<()> {
//! use tulbur_web::{Web, WebSettings};
//!
//! // `payments` was given the public address `https://shop.mn/tulbur/`.
//! let web = Web::new(payments, WebSettings::default().shop("Shop"));
//! let app = axum::Router::new().nest("/tulbur", tulbur_axum::router(web.clone()));
//!
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
//! // With this, the address of each connection is known.
//! let app = app.into_make_service_with_connect_info::<std::net::SocketAddr>();
//! axum::serve(listener, app)
//!     .with_graceful_shutdown(async move {
//!         tokio::signal::ctrl_c().await.ok();
//!         // Otherwise the server waits until everybody has closed their page.
//!         web.end_streams();
//!     })
//!     .await
//! # }
//! ```
//!
//! An application that keeps its own payments and wants notifications checked takes [`VerifiedIpn`] instead:
//!
//! ```no_run
//! use axum::response::Response;
//! use axum::routing::post;
//! use tulbur_axum::VerifiedIpn;
//! use tulbur_core::{IpnOutcome, Result};
//! use tulbur_web::Verifier;
//!
//! # async fn store(_: &str, _: &tulbur_core::IpnEvent) -> Result<()> { Ok(()) }
//! async fn notified(ipn: VerifiedIpn) -> Response {
//!     // Told apart from a repeat by its key, and stored before it is answered. `ipn.facts()` is what it proves; if
//!     // that is nothing, ask the provider.
//!     match store(ipn.event().repeat_key(), ipn.event()).await {
//!         Ok(()) => ipn.acknowledge(IpnOutcome::Accepted),
//!         Err(_) => ipn.acknowledge(IpnOutcome::NotStored),
//!     }
//! }
//!
//! # fn app(golomt: std::sync::Arc<dyn tulbur_core::Provider>) -> Result<axum::Router> {
//! let verifier = Verifier::new([golomt])?;
//! Ok(axum::Router::new().route("/notify/{account}", post(notified)).with_state(verifier))
//! # }
//! ```

mod ipn;
mod payer;
mod request;
mod response;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::any;
use tulbur_web::Web;

pub use ipn::VerifiedIpn;
pub use payer::PayerAddress;
use request::read;
use response::respond;

/// The payers' pages and the providers' routes, to be nested where the public address points, or merged if that is
/// the root.
///
/// It has routes for [`Web::ROOMS`] and no fallback: what else lies below the mount stays the application's.
/// The body limit is its own; axum's default limit does not matter.
pub fn router(web: Web) -> Router {
    let routes = Web::ROOMS.iter().fold(Router::new(), |router, room| {
        // Joined to a mount that ends with a slash, an address begins with two.
        router
            .route(&format!("/{room}/{{*rest}}"), any(handle))
            .route(&format!("//{room}/{{*rest}}"), any(handle))
    });
    routes.with_state(web)
}

async fn handle(State(web): State<Web>, request: Request) -> Response {
    respond(match read(request).await {
        Ok(request) => web.handle(request).await,
        Err(answer) => answer,
    })
}
