//! The shared HTTP vectors, on axum over a real socket.

use axum::Router;
use tokio::net::TcpListener;

async fn bind() -> (TcpListener, std::net::SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

#[tokio::test]
async fn nested_below_a_path() {
    crate::support::vectors::run("/pay/tulbur/", bind, async |listener, world| {
        let app = Router::new().nest("/pay/tulbur", tulbur_axum::router(world.web.clone()));
        tokio::spawn(async move { axum::serve(listener, app).await });
    })
    .await;
}

#[tokio::test]
async fn merged_at_the_root() {
    crate::support::vectors::run("/", bind, async |listener, world| {
        let app = Router::new().merge(tulbur_axum::router(world.web.clone()));
        tokio::spawn(async move { axum::serve(listener, app).await });
    })
    .await;
}
