//! The shared HTTP vectors, on actix-web over a real socket.

use std::net::{SocketAddr, TcpListener};

use actix_web::{App, HttpServer, web};

async fn bind() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

#[tokio::test]
async fn in_a_scope() {
    crate::support::vectors::run("/pay/tulbur/", bind, async |listener, world| {
        let pages = world.web.clone();
        let app = move || {
            App::new().service(web::scope("/pay/tulbur").configure(tulbur_actix::configure(pages.clone())))
        };
        tokio::spawn(HttpServer::new(app).workers(1).disable_signals().listen(listener).unwrap().run());
    })
    .await;
}

#[tokio::test]
async fn at_the_root() {
    crate::support::vectors::run("/", bind, async |listener, world| {
        let pages = world.web.clone();
        let app = move || App::new().configure(tulbur_actix::configure(pages.clone()));
        tokio::spawn(HttpServer::new(app).workers(1).disable_signals().listen(listener).unwrap().run());
    })
    .await;
}
