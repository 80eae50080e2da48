//! What only a real socket shows, on actix-web.

use std::net::{SocketAddr, TcpListener};

use crate::support::{World, sockets};
use actix_web::{App, HttpServer, web};

/// The world's server, which is to be waited for, and how to stop it.
async fn start() -> (World, SocketAddr, actix_web::dev::Server) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let world = World::at(&format!("http://{address}/tulbur/")).await;
    let pages = world.web.clone();
    let app = move || {
        let mounted = web::scope("/tulbur")
            .configure(tulbur_actix::configure(pages.clone()))
            .route("/own", web::get().to(async || sockets::OWN));
        App::new().service(mounted).default_service(web::to(async || sockets::FALLBACK))
    };
    let server = HttpServer::new(app).workers(1).disable_signals().listen(listener).unwrap().run();
    (world, address, server)
}

async fn serve() -> (World, SocketAddr) {
    let (world, address, server) = start().await;
    tokio::spawn(server);
    (world, address)
}

/// An application's own handler reads whom it serves; our pages count by the same address.
#[tokio::test]
async fn a_handler_reads_the_payers_address() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let world = World::behind_a_proxy(&format!("http://{address}/tulbur/")).await;
    let pages = web::Data::new(world.web.clone());
    let own = async |payer: tulbur_actix::PayerAddress| format!("{:?}", payer.0);
    let app = move || App::new().app_data(pages.clone()).route("/own", web::get().to(own));
    let server = HttpServer::new(app).workers(1).disable_signals().listen(listener).unwrap().run();
    tokio::spawn(server);
    sockets::a_handler_reads_the_payers_address(address).await;
}

#[tokio::test]
async fn a_server_that_stops_waits_for_nobody_who_only_looks() {
    let (world, address, server) = start().await;
    let handle = server.handle();
    let server = tokio::spawn(server);
    let stop = async {
        world.web.end_streams();
        handle.stop(true).await;
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
