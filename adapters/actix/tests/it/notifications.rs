//! The extractor, on actix-web over a real socket.

use std::net::{SocketAddr, TcpListener};

use crate::notification_checks;
use crate::support::sockets;
use crate::support::vectors::exchange;
use actix_web::{App, HttpResponse, HttpServer, web};
use tulbur_actix::VerifiedIpn;

async fn notified(ipn: VerifiedIpn) -> HttpResponse {
    ipn.acknowledge(notification_checks::outcome(&ipn))
}

fn serve() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let verifier = web::Data::new(notification_checks::verifier());
    let single = web::Data::new(notification_checks::single());
    let app = move || {
        App::new()
            .app_data(verifier.clone())
            .service(web::resource("/bank").app_data(single.clone()).to(notified))
            .route("/notify/{account}", web::to(notified))
            .route("/nobody", web::to(notified))
    };
    tokio::spawn(HttpServer::new(app).workers(1).disable_signals().listen(listener).unwrap().run());
    address
}

#[tokio::test]
async fn the_genuine_reach_the_handler() {
    notification_checks::the_genuine_reach_the_handler(serve()).await;
}

#[tokio::test]
async fn the_forged_are_answered_as_the_bank_expects() {
    notification_checks::the_forged_are_answered_as_the_bank_expects(serve()).await;
}

#[tokio::test]
async fn what_no_bank_sends_is_refused() {
    notification_checks::what_no_bank_sends_is_refused(serve()).await;
}

#[tokio::test]
async fn an_address_that_names_nobody_is_our_mistake() {
    notification_checks::an_address_that_names_nobody_is_our_mistake(serve(), "/nobody").await;
}

#[tokio::test]
async fn a_body_without_end_is_not_waited_for() {
    sockets::a_body_without_end_is_cut_off_at(serve(), "/notify/till-1").await;
}

#[tokio::test]
async fn an_application_without_a_verifier_is_told_so() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let app = || App::new().route("/notify/{account}", web::to(notified));
    tokio::spawn(HttpServer::new(app).workers(1).disable_signals().listen(listener).unwrap().run());
    let answer = exchange(address, "POST", "/notify/till-1", &[], b"{}").await;
    assert_eq!(answer.status, 500);
    assert!(answer.body.contains("app_data"), "{}", answer.body);
}
