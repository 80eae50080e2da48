//! The control port: a page for people, an API for tests, and the guard in front of both.

mod api;
mod guard;
mod pages;
mod rooms;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::middleware;

pub(crate) use guard::Guard;
pub(crate) use rooms::room;

use guard::watch;
use rooms::Rooms;

use crate::room::AnyRoom;

pub(crate) fn router(rooms: BTreeMap<String, Arc<dyn AnyRoom>>, guard: Guard) -> Router {
    let rooms: Rooms = Arc::new(rooms);
    Router::new()
        .merge(api::routes())
        .merge(pages::routes())
        .fallback(|| async { (StatusCode::NOT_FOUND, "there is nothing here; the control page is at /") })
        .with_state(rooms)
        .layer(middleware::from_fn_with_state(Arc::new(guard), watch))
}
