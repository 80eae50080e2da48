// Only with all features does everything exist that the README's code and links name.
#![cfg_attr(
    all(feature = "golomt-ecommerce", feature = "reqwest", feature = "axum", feature = "sqlite"),
    doc = include_str!("../README.md")
)]
#![cfg_attr(
    not(all(feature = "golomt-ecommerce", feature = "reqwest", feature = "axum", feature = "sqlite")),
    doc = "One API over many payment providers that never loses a payment or ships twice.",
    doc = "",
    doc = "The documentation with all features shows how the parts go together."
)]

pub use tulbur_core as core;

#[doc(inline)]
pub use tulbur_core::{
    AccountConfig, AccountName, BuildEnv, CallbackUrl, Currency, CustomerRef, Error, ErrorKind, ExposeSecret,
    Language, MerchantRef, Money, NextAction, Options, OrderRef, Outcome, Payer, Provider, ProviderId,
    Registry, SecretString, Timestamp, Url, Way, accounts_from, async_trait,
};

/// Durable payments, and their stores: in memory, on SQLite, on PostgreSQL.
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "axum", feature = "actix"))]
pub use tulbur_payments as payments;

/// Golomt Bank's E-Commerce service.
#[cfg(feature = "golomt-ecommerce")]
pub use tulbur_golomt_ecommerce as golomt_ecommerce;

/// Golomt Bank's Instore service: SocialPay at the till.
#[cfg(feature = "golomt-instore")]
pub use tulbur_golomt_instore as golomt_instore;

/// Galaxy Pay's payment gateway.
#[cfg(feature = "galaxy-pay")]
pub use tulbur_galaxy_pay as galaxy_pay;

/// QPay.
#[cfg(feature = "qpay")]
pub use tulbur_qpay as qpay;

/// The network and the clock that providers are given.
#[cfg(feature = "reqwest")]
pub use tulbur_reqwest as reqwest;

/// The payers' pages and the routes that providers call, free of any web framework.
#[cfg(any(feature = "axum", feature = "actix"))]
pub use tulbur_web as web;

/// Mounts [`web`] on axum.
#[cfg(feature = "axum")]
pub use tulbur_axum as axum;

/// Mounts [`web`] on actix-web.
#[cfg(feature = "actix")]
pub use tulbur_actix as actix;

/// The pages of the book that show code, so that it compiles.
#[cfg(all(doctest, feature = "golomt-ecommerce", feature = "reqwest", feature = "axum", feature = "sqlite"))]
mod book {
    #[doc = include_str!("../docs/src/payments.md")]
    struct Payments;
    #[doc = include_str!("../docs/src/money.md")]
    struct Money;
    #[doc = include_str!("../docs/src/errors-and-outcomes.md")]
    struct ErrorsAndOutcomes;
    #[doc = include_str!("../docs/src/operating.md")]
    struct Operating;
    #[doc = include_str!("../docs/src/testing.md")]
    struct Testing;
    #[doc = include_str!("../docs/src/webhooks.md")]
    struct Webhooks;
    #[doc = include_str!("../docs/src/observability.md")]
    struct Observability;
    #[cfg(feature = "actix")]
    #[doc = include_str!("../docs/src/web.md")]
    struct Web;
}
