//! The shop on axum: its routes, and Tulbur's below `/tulbur`.

use std::net::TcpListener;

use axum::Router;
use axum::body::Body;
use axum::extract::{Form, Path, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tulbur::web::Web;

use crate::counter::Counter;
use crate::pages::{self, Answer, Buy, Failure, Head, PayAgain, Shop, Told};
use crate::{Result, Stopping, serving};

/// Serves until it is asked to stop. Answers that have begun are finished.
pub(crate) async fn serve(listener: TcpListener, shop: Shop, web: Web, stopping: Stopping) -> Result<()> {
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let app = router(shop).nest("/tulbur", tulbur::axum::router(web.clone()));
    let stopping = async move {
        stopping.await;
        web.end_streams();
    };
    serving::serve(listener, app, stopping).await;
    Ok(())
}

fn router(shop: Shop) -> Router {
    Router::new()
        .route("/", get(index))
        .route("/buy", post(buy))
        .route("/cards", post(save_card))
        .route("/orders", get(orders))
        .route("/orders/{order}", get(order))
        .route("/orders/{order}/pay", post(pay_again))
        .route("/orders/{order}/counter", post(counter))
        .route("/api/orders/{order}", get(order_json))
        .route("/api/attention", get(attention_json))
        .route("/api/cards", get(cards_json))
        .route("/language/{language}", post(set_language))
        .layer(middleware::from_fn(own_pages_only))
        .with_state(shop)
}

async fn own_pages_only(request: Request, next: Next) -> Response {
    let head = Head {
        method: request.method().as_str(),
        host: text(request.headers(), "host"),
        origin: text(request.headers(), "origin"),
        sec_fetch_site: text(request.headers(), "sec-fetch-site"),
    };
    if let Some(why) = head.refusal() {
        return (StatusCode::FORBIDDEN, why).into_response();
    }
    let mut response = next.run(request).await;
    for (name, value) in pages::GUARD {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

async fn index(State(shop): State<Shop>, headers: HeaderMap) -> Told {
    shop.index(pages::language(text(&headers, "cookie"))).await
}

async fn buy(State(shop): State<Shop>, headers: HeaderMap, Form(form): Form<Buy>) -> Told {
    shop.buy(form, pages::language(text(&headers, "cookie"))).await
}

async fn save_card(State(shop): State<Shop>, headers: HeaderMap) -> Told {
    shop.save_card(pages::language(text(&headers, "cookie"))).await
}

async fn orders(State(shop): State<Shop>, headers: HeaderMap) -> Told {
    shop.orders(pages::language(text(&headers, "cookie"))).await
}

async fn order(State(shop): State<Shop>, Path(order): Path<String>, headers: HeaderMap) -> Told {
    shop.order(order, pages::language(text(&headers, "cookie"))).await
}

async fn pay_again(
    State(shop): State<Shop>,
    Path(order): Path<String>,
    headers: HeaderMap,
    Form(form): Form<PayAgain>,
) -> Told {
    shop.pay_again(order, form, pages::language(text(&headers, "cookie"))).await
}

async fn counter(State(shop): State<Shop>, Path(order): Path<String>, Form(form): Form<Counter>) -> Told {
    shop.counter(order, form).await
}

async fn cards_json(State(shop): State<Shop>) -> Told {
    shop.cards_json().await
}

async fn attention_json(State(shop): State<Shop>) -> Told {
    shop.attention_json().await
}

async fn order_json(State(shop): State<Shop>, Path(order): Path<String>) -> Told {
    shop.order_json(order).await
}

async fn set_language(Path(code): Path<String>, headers: HeaderMap) -> Told {
    pages::set_language(&code, text(&headers, "referer"))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        for (name, value) in self.headers {
            match HeaderValue::from_str(&value) {
                Ok(value) => response.headers_mut().append(HeaderName::from_static(name), value),
                Err(error) => return (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
            };
        }
        response
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        self.answer().into_response()
    }
}
