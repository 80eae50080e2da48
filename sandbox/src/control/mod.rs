//! The control port: a page for people, an API for tests, and the guard in front of both.

mod api;
mod pages;
mod rooms;
mod watch;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::middleware;

pub(crate) use rooms::room;

use rooms::Rooms;
use watch::watch;

use crate::guard::Guard;
use crate::room::AnyRoom;

pub(crate) fn router(rooms: BTreeMap<String, Arc<dyn AnyRoom>>, guard: Arc<Guard>) -> Router {
    let rooms: Rooms = Arc::new(rooms);
    Router::new()
        .merge(api::routes())
        .merge(pages::routes())
        .fallback(|| async { (StatusCode::NOT_FOUND, "there is nothing here; the control page is at /") })
        .with_state(rooms)
        .layer(middleware::from_fn_with_state(guard, watch))
}
