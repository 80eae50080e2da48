//! What only a real socket shows, on axum.

use std::net::SocketAddr;

use crate::support::{World, sockets};
use axum::Router;
use axum::routing::get;
use tokio::net::TcpListener;

async fn serve() -> (World, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let world = World::at(&format!("http://{address}/tulbur/")).await;
    let app = Router::new()
        .nest("/tulbur", tulbur_axum::router(world.web.clone()))
        .route("/tulbur/own", get(|| async { sockets::OWN }))
        .fallback(|| async { sockets::FALLBACK });
    tokio::spawn(async move { axum::serve(listener, app).await });
    (world, address)
}

/// An application's own handler reads whom it serves; our pages count by the same address.
#[tokio::test]
async fn a_handler_reads_the_payers_address() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let world = World::behind_a_proxy(&format!("http://{address}/tulbur/")).await;
    let own = async |tulbur_axum::PayerAddress(payer): tulbur_axum::PayerAddress| format!("{payer:?}");
    let app = Router::new().route("/own", get(own)).with_state(world.web.clone());
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, app).await });
    sockets::a_handler_reads_the_payers_address(address).await;
}

#[tokio::test]
async fn a_server_that_stops_waits_for_nobody_who_only_looks() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let world = World::at(&format!("http://{address}/tulbur/")).await;
    let app = Router::new().nest("/tulbur", tulbur_axum::router(world.web.clone()));
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let web = world.web.clone();
    let server = tokio::spawn(async move {
        let stopping = async move {
            stopped.await.ok();
            web.end_streams();
        };
        axum::serve(listener, app).with_graceful_shutdown(stopping).await
    });
    let stop = async {
        stop.send(()).unwrap();
        server.await.unwrap().unwrap();
    };
    sockets::a_server_that_stops_waits_for_nobody_who_only_looks(&world, address, stop).await;
}

#[tokio::test]
async fn the_live_status_flows_while_it_happens() {
    let (world, address) = serve().await;
    sockets::the_live_status_flows_while_it_happens(&world, address).await;
}

#[tokio::test]
async fn what_is_not_ours_stays_the_applications() {
    let (_world, address) = serve().await;
    sockets::what_is_not_ours_stays_the_applications(address).await;
}

#[tokio::test]
async fn a_body_that_is_cut_off_is_not_taken() {
    let (world, address) = serve().await;
    sockets::a_body_that_is_cut_off_is_not_taken(&world, address).await;
}

#[tokio::test]
async fn a_chunked_body_keeps_the_limit_too() {
    let (world, address) = serve().await;
    sockets::a_chunked_body_keeps_the_limit_too(&world, address).await;
}

#[tokio::test]
async fn a_body_without_end_is_not_waited_for() {
    let (_world, address) = serve().await;
    sockets::a_body_without_end_is_not_waited_for(address).await;
}
