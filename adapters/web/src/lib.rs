//! Serves the payers' pages of Tulbur and the routes that providers call, free of any web framework.
//!
//! [`Web`] is given [`Payments`](tulbur_payments::Payments) and answers [`WebRequest`]s with [`WebResponse`]s. An
//! adapter turns its framework's requests into these and back: `tulbur-axum` and `tulbur-actix`. Below the mount there
//! are:
//!
//! | address | who calls | what it does |
//! |---|---|---|
//! | `/notify/{account or provider}` | a provider's server | stores the notification, then acknowledges it |
//! | `/notify/{account}/{secret}` | the same, where each payment has its own address | the same |
//! | `/return/{account}/{secret}` | the payer's browser, coming back | notes it, asks the provider, goes on to the result |
//! | `/checkout/{secret}` | the payer | amount, ways to pay, countdown, cancel; the result once there is one |
//! | `/checkout/{secret}/result` | the payer | how it stands |
//! | `/checkout/{secret}/events` | the page | the status as it changes (server-sent events) |
//! | `/checkout/{secret}/cancel` | the page | gives it up |
//! | `/display/{secret}` | the display at a till | amount, QR, countdown, how it stands: full-screen |
//! | `/assets/…` | the page | style and script; nothing is loaded from elsewhere |
//!
//! [`Verifier`] is for applications that keep their own payments and want only notifications checked.
//!
//! The book's page on the web has the rest: headers, languages, what each state shows.

mod amount;
mod assets;
mod body;
mod events;
mod http;
mod pages;
mod peer;
mod places;
mod route;
mod texts;
mod verifier;
mod view;
mod ways;
mod web;

pub use amount::format_amount;
pub use body::read_body;
pub use http::{Body, BodyStream, WebRequest, WebResponse};
pub use peer::{ForwardedHeader, TrustedProxies};
pub use verifier::{VerifiedIpn, Verifier};
pub use web::{Web, WebSettings};
