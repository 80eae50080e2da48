//! The shop on actix-web: its routes, and Tulbur's below `/tulbur`.

use std::net::TcpListener;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::{self, Next};
use actix_web::web::{self, Data, Form, Path};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, Responder, ResponseError};
use tulbur::core::Language;
use tulbur::web::Web;

use crate::counter::Counter;
use crate::pages::{self, Answer, Buy, Failure, Head, PayAgain, Shop, Told};
use crate::{Result, Stopping};

/// Serves until it is asked to stop. Answers that have begun are finished.
pub(crate) async fn serve(listener: TcpListener, shop: Shop, pages: Web, stopping: Stopping) -> Result<()> {
    let (shop, mounted) = (Data::new(shop), pages.clone());
    let app = move || {
        App::new()
            .app_data(shop.clone())
            .service(web::scope("/tulbur").configure(tulbur::actix::configure(mounted.clone())))
            .service(
                web::scope("")
                    .wrap(middleware::from_fn(own_pages_only))
                    .service(web::resource("/").get(index))
                    .service(web::resource("/buy").post(buy))
                    .service(web::resource("/cards").post(save_card))
                    .service(web::resource("/orders").get(orders))
                    .service(web::resource("/orders/{order}").get(order))
                    .service(web::resource("/orders/{order}/pay").post(pay_again))
                    .service(web::resource("/orders/{order}/counter").post(counter))
                    .service(web::resource("/api/orders/{order}").get(order_json))
                    .service(web::resource("/api/attention").get(attention_json))
                    .service(web::resource("/api/cards").get(cards_json))
                    .service(web::resource("/language/{language}").post(set_language)),
            )
    };
    // Who stops it is decided in one place, for both frameworks.
    let server = HttpServer::new(app).disable_signals().listen(listener)?.run();
    let handle = server.handle();
    actix_web::rt::spawn(async move {
        stopping.await;
        pages.end_streams();
        handle.stop(true).await;
    });
    Ok(server.await?)
}

async fn own_pages_only(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> actix_web::Result<ServiceResponse<BoxBody>> {
    let head = Head {
        method: request.method().as_str(),
        host: text(request.headers(), "host"),
        origin: text(request.headers(), "origin"),
        sec_fetch_site: text(request.headers(), "sec-fetch-site"),
    };
    if let Some(why) = head.refusal() {
        return Ok(request.into_response(HttpResponse::Forbidden().body(why)));
    }
    let mut response = next.call(request).await?.map_into_boxed_body();
    for (name, value) in pages::GUARD {
        response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    Ok(response)
}

async fn index(shop: Data<Shop>, request: HttpRequest) -> Told {
    shop.index(language(&request)).await
}

async fn buy(shop: Data<Shop>, request: HttpRequest, form: Form<Buy>) -> Told {
    shop.buy(form.into_inner(), language(&request)).await
}

async fn save_card(shop: Data<Shop>, request: HttpRequest) -> Told {
    shop.save_card(language(&request)).await
}

async fn orders(shop: Data<Shop>, request: HttpRequest) -> Told {
    shop.orders(language(&request)).await
}

async fn order(shop: Data<Shop>, order: Path<String>, request: HttpRequest) -> Told {
    shop.order(order.into_inner(), language(&request)).await
}

async fn pay_again(
    shop: Data<Shop>,
    order: Path<String>,
    request: HttpRequest,
    form: Form<PayAgain>,
) -> Told {
    shop.pay_again(order.into_inner(), form.into_inner(), language(&request)).await
}

async fn counter(shop: Data<Shop>, order: Path<String>, form: Form<Counter>) -> Told {
    shop.counter(order.into_inner(), form.into_inner()).await
}

async fn cards_json(shop: Data<Shop>) -> Told {
    shop.cards_json().await
}

async fn attention_json(shop: Data<Shop>) -> Told {
    shop.attention_json().await
}

async fn order_json(shop: Data<Shop>, order: Path<String>) -> Told {
    shop.order_json(order.into_inner()).await
}

async fn set_language(code: Path<String>, request: HttpRequest) -> Told {
    pages::set_language(&code, text(request.headers(), "referer"))
}

fn language(request: &HttpRequest) -> Language {
    pages::language(text(request.headers(), "cookie"))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

impl From<Answer> for HttpResponse {
    fn from(answer: Answer) -> Self {
        let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = Self::build(status);
        for header in answer.headers {
            response.append_header(header);
        }
        response.body(answer.body)
    }
}

impl Responder for Answer {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        self.into()
    }
}

impl ResponseError for Failure {
    fn error_response(&self) -> HttpResponse {
        self.answer().into()
    }
}
