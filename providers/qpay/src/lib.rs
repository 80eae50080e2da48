//! QPay v2 for Tulbur: invoices that are paid by QR, in a bank's app or through a short link, in Mongolia; checks,
//! cancelling, refunds of card payments, and VAT receipts.
//!
//! **This crate has not met the real QPay.** It was written from what others quote of QPay's documents, from answers
//! that were captured from its sandbox, and from what public clients send and read; each operation says how well it is
//! known (see [`ProviderInfo`](tulbur_core::ProviderInfo) and the book's page on this provider). What those sources
//! leave open is not invented here: it is left out, refused, passed on as it came, or a labelled setting.
//!
//! ```
//! use tulbur_core::{AccountName, CallbackUrl, CreateInvoice, Currency, MerchantRef, Money, Provider, Way};
//! use tulbur_qpay::{QPay, QPayConfig};
//!
//! # async fn pay(env: tulbur_core::BuildEnv) -> tulbur_core::Result<()> {
//! let config = QPayConfig::new("name-from-qpay".into(), "password-from-qpay".into(), "MY_SHOP_INVOICE");
//! let qpay = QPay::new(AccountName::parse("qpay")?, config, env.clone())?;
//!
//! let reference = MerchantRef::generate(&qpay.info().ref_rule, &*env.ids);
//! let mut request = CreateInvoice::new(reference, Money::from_major(1100, Currency::MNT)?, "Two coffees");
//! request.way = Way::Qr;
//! // An address that only this payment has, and that nobody can guess: a callback has no signature.
//! request.notify_url = Some(CallbackUrl::parse("https://shop.mn/notify/qpay/Zs3kQ0")?);
//! let invoice = qpay.qr().expect("this provider makes QR codes").create_qr(&request).await?;
//! // invoice.next: the QR, links to the banks' apps, and a short link
//! # Ok(())
//! # }
//! ```
//!
//! Nothing that QPay sends by itself proves anything, and the answer to a check names nothing of ours. So a payment is
//! paid by the sum of its `PAID` rows, over all pages, and each of those rows is read by its id: it must name the
//! invoice that was asked about.
//!
//! # Sources
//!
//! Comments name them by these tags. OFF, OAS, XLS, TBL and ETAG are QPay's own words or answers, the last four second
//! hand.
//!
//! | tag | what |
//! |---|---|
//! | OFF | `developer.qpay.mn`, of which only the beginning was readable |
//! | OAS | Amraa1/qpay_client, `specs/openapi.json`: QPay's Postman collection, with captured answers of its sandbox (January 2026) |
//! | XLS | QPay's workbook "V2 API with Ebarimt 3.0" of March 2026, as TP, TPA and QG quote it |
//! | TBL | QPay's tables of codes, in the README of npm `@togtokh.dev/qpay` |
//! | ETAG | an answer whose body was rebuilt from the `ETag` that OAS captured |
//! | DOC | qpay-sdk/qpay-docs, a community project |
//! | QC, QG, TPA | clients in live use: PyPI `qpay-client`, mnmonherdene1234/qpaygo, techpartners-asia/qpay-go |
//! | MP, QPY, WC, QPL | PyPI `mongolian-payment-qpay`, PyPI `qpay-python`, qpay-sdk/qpay-woocommerce, biligunb/qplugin |
//! | PB, TP, GER | a merchant's set-up note, a merchant's test plan, a shop's live integration with VAT receipts |

mod client;
mod config;
mod info;
mod invoices;
mod ipn;
mod login;
mod management;
mod options;
mod payload;
mod payments;
mod receipts;
mod status;
mod wire;

pub use client::{QPay, QPayFactory};
pub use config::{PRODUCTION, QPayConfig, SANDBOX};
pub use info::FLOW_INVOICE;
pub use options::{
    Account, Address, Bound, Change, Line, Party, QPayOptions, Split, Tax, TaxCode, TaxType, Vat,
};
pub use payload::APP_SCHEMES;
pub use payments::PaymentDetails;
pub use receipts::{CreateReceipt, Receipt, ReceiptStatus, Receiver};

/// The provider's id.
pub const ID: &str = "qpay";
