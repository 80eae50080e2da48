//! Builds the parts that all pages of the bank have: headers, style, a page with one message, amounts as text.

use askama::Template;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

use super::texts::{Language, Texts};

#[derive(Template)]
#[template(path = "golomt-ecommerce/message.html")]
struct MessagePage {
    t: &'static Texts,
    message: String,
}

/// Renders a page of the bank with the headers that all of them have. Framing stays allowed: a live shop shows the
/// bank's page in a frame.
pub(crate) fn render<T: Template>(status: StatusCode, template: &T) -> Response {
    let html = match template.render() {
        Ok(html) => html,
        Err(error) => return (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    };
    let mut response = (status, Html(html)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; style-src 'self'; script-src 'self'; base-uri 'none'"),
    );
    response
}

pub(crate) fn asset(kind: &'static str, text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache")], text).into_response()
}

pub(super) fn message(status: StatusCode, language: Language, message: impl Into<String>) -> Response {
    render(status, &MessagePage { t: language.texts(), message: message.into() })
}

/// An amount as people write it: `1,500.00 ₮`.
pub(crate) fn written_amount(text: &str) -> String {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let whole = whole.trim_start_matches('0');
    let mut grouped = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if grouped.is_empty() {
        grouped.push('0');
    }
    format!("{grouped}.{decimals:0<2} ₮")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_as_people_write_them() {
        for (text, written) in [
            ("1500", "1,500.00 ₮"),
            ("1", "1.00 ₮"),
            ("0.5", "0.50 ₮"),
            ("1234567.89", "1,234,567.89 ₮"),
            ("007", "7.00 ₮"),
        ] {
            assert_eq!(written_amount(text), written);
        }
    }
}
