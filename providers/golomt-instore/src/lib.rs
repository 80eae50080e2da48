//! Golomt Bank's Instore service for Tulbur: paying at the till with SocialPay, by QR, by an invoice that is sent to
//! the payer's phone, or by a link that opens the app.
//!
//! **This crate has not met the real bank.** Of this service one page of the bank's documentation could be read; the
//! rest is what public clients send and read. Each operation says how well it is known (see
//! [`ProviderInfo`](tulbur_core::ProviderInfo) and the book's page on this provider). What those sources leave open is
//! not invented here: it is refused, passed on as it came, or a labelled setting.
//!
//! ```
//! use tulbur_core::{AccountName, CreateInvoice, Currency, MerchantRef, Money, NextAction, Provider, Way};
//! use tulbur_golomt_instore::{GolomtInstore, GolomtInstoreConfig};
//!
//! # async fn pay(env: tulbur_core::BuildEnv) -> tulbur_core::Result<()> {
//! let config = GolomtInstoreConfig::new("12345678", "secret-from-the-bank".into());
//! let till = GolomtInstore::new(AccountName::parse("till-1")?, config, env.clone())?;
//!
//! let reference = MerchantRef::generate(&till.info().ref_rule, &*env.ids);
//! let mut request = CreateInvoice::new(reference, Money::from_major(1100, Currency::MNT)?, "Two coffees");
//! request.way = Way::Qr;
//! let invoice = till.qr().expect("this provider makes QR codes").create_qr(&request).await?;
//! if let Some(NextAction::ShowQr(payload)) = invoice.next.first() {
//!     // the payload, to be drawn on the customer's display
//! }
//! # Ok(())
//! # }
//! ```
//!
//! One account is one terminal; fifty tills are fifty accounts, and may share a notification address
//! (`/notify/golomt-instore`): a push names its terminal.
//!
//! # Beside the till
//!
#![cfg_attr(feature = "mini-app", doc = "* [`mini_app`]: what a mini app inside SocialPay asks the bank.")]
#![cfg_attr(
    not(feature = "mini-app"),
    doc = "* `mini_app` (feature `mini-app`): what a mini app asks the bank."
)]
#![cfg_attr(feature = "raw-card-data", doc = "* [`v2`]: Instore v2, which takes full card numbers.")]
#![cfg_attr(not(feature = "raw-card-data"), doc = "* `v2` (feature `raw-card-data`): Instore v2.")]
//!
//! # Sources
//!
//! Comments name them by these tags.
//!
//! | tag | what |
//! |---|---|
//! | D-qr | the bank's page `instore_api_invoice_qr` (`dev.golomtbank.com:7443/docs/`) |
//! | D-menu | the titles in that documentation's menu; their pages could not be read |
//! | D-v2 | the bank's page `instore_v2_api_do_transaction` |
//! | D-mini | the bank's pages `socialpay_api_mini_app` and `…_en`, up to the token check |
//! | R-erxes | erxes/erxes, its SocialPay adapter in several generations, in real use |
//! | R-fibo | Fibocloud/payment-sdks, package `socialpay`; and what descends from it: R-go, `mongolian-payment-socialpay` on PyPI, `@mongolian-payment/socialpay` on npm. They count as one |
//! | R-go | techpartners-asia/golomt-api-go, package `socialpay` |

mod cancel;
mod client;
mod config;
mod info;
mod ipn;
#[cfg(feature = "mini-app")]
pub mod mini_app;
mod payload;
mod refund;
mod settlement;
mod sign;
mod status;
#[cfg(feature = "raw-card-data")]
pub mod v2;
mod wire;

pub use client::{GolomtInstore, GolomtInstoreFactory, Transaction};
pub use config::{GolomtInstoreConfig, PRODUCTION};
pub use info::{FLOW_APP, FLOW_PHONE, FLOW_QR};
pub use settlement::Settlement;

/// The provider's id.
pub const ID: &str = "golomt-instore";
