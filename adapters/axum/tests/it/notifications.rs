//! The extractor, on axum over a real socket.

use std::net::SocketAddr;

use crate::notification_checks;
use crate::support::sockets;
use axum::Router;
use axum::extract::FromRef;
use axum::response::Response;
use axum::routing::any;
use tokio::net::TcpListener;
use tulbur_axum::VerifiedIpn;
use tulbur_web::Verifier;

/// An application's state, of which the verifier is a part.
#[derive(Clone)]
struct Application {
    verifier: Verifier,
}

impl FromRef<Application> for Verifier {
    fn from_ref(application: &Application) -> Self {
        application.verifier.clone()
    }
}

async fn notified(ipn: VerifiedIpn) -> Response {
    ipn.acknowledge(notification_checks::outcome(&ipn))
}

async fn serve() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let single = Router::new().route("/bank", any(notified)).with_state(notification_checks::single());
    let app = Router::new()
        .route("/notify/{account}", any(notified))
        .route("/nobody", any(notified))
        .with_state(Application { verifier: notification_checks::verifier() })
        .merge(single);
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

#[tokio::test]
async fn the_genuine_reach_the_handler() {
    notification_checks::the_genuine_reach_the_handler(serve().await).await;
}

#[tokio::test]
async fn the_forged_are_answered_as_the_bank_expects() {
    notification_checks::the_forged_are_answered_as_the_bank_expects(serve().await).await;
}

#[tokio::test]
async fn what_no_bank_sends_is_refused() {
    notification_checks::what_no_bank_sends_is_refused(serve().await).await;
}

#[tokio::test]
async fn an_address_that_names_nobody_is_our_mistake() {
    notification_checks::an_address_that_names_nobody_is_our_mistake(serve().await, "/nobody").await;
}

#[tokio::test]
async fn a_body_without_end_is_not_waited_for() {
    sockets::a_body_without_end_is_cut_off_at(serve().await, "/notify/till-1").await;
}
