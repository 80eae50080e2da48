//! Galaxy Pay's payment gateway ("UPC") for Tulbur: hosted pages, QR, the modal checkout, payment links, saved cards,
//! refund, and for accounts that accept inferred operations capture and void.
//!
//! **This crate has not met the real gateway.** It was written from Galaxy Pay's guides and web documentation and from
//! what public clients send and read; each operation says how well it is known (see
//! [`ProviderInfo`](tulbur_core::ProviderInfo) and the book's page on this provider). What those sources leave open is
//! not invented here: it is refused, passed on as it came, or a labelled setting.
//!
//! ```
//! use tulbur_core::{AccountName, CallbackUrl, CreateInvoice, Currency, Language, MerchantRef, Money, Provider, ReturnUrls};
//! use tulbur_galaxy_pay::{GalaxyPay, GalaxyPayConfig};
//!
//! # async fn pay(env: tulbur_core::BuildEnv) -> tulbur_core::Result<()> {
//! let config = GalaxyPayConfig::new("key-from-galaxy-pay".into(), "salt-from-galaxy-pay".into());
//! let gateway = GalaxyPay::new(AccountName::parse("saigon-shop")?, config, env.clone())?;
//!
//! let reference = MerchantRef::generate(&gateway.info().ref_rule, &*env.ids);
//! let mut request = CreateInvoice::new(reference, Money::from_major(100_000, Currency::VND)?, "Hai quyển sách");
//! request.language = Language::Vi;
//! request.return_urls = Some(ReturnUrls::one(CallbackUrl::parse("https://shop.vn/back")?));
//! let invoices = gateway.invoices().expect("this provider makes invoices");
//! let invoice = invoices.create_invoice(&request).await?;
//! // invoice.next: the page on which the payer chooses how to pay
//! # Ok(())
//! # }
//! ```
//!
//! # Sources
//!
//! Comments name them by these tags.
//!
//! | tag | what |
//! |---|---|
//! | G | Integration Guide v3.6.1 (3 February 2023), in the repository galaxypayvn/sample-upc-dotnet; with a section number |
//! | D | the web documentation below `docs.galaxypay.vn/upc/payment-gateway/` (2023 to 2025); with a page |
//! | NET | the official sample galaxypayvn/sample-upc-dotnet |
//! | NODE | the official sample galaxypayvn/sample-upc-nodejs |
//! | HPI | namnguyenthgit/HPINEXT, a merchant's client of 2025 |
//! | W24, TIX, DOC | public merchants' clients: a car wash (class `W24Error`), a ticket shop (`GpayService`), a doctor-booking site (modal checkout) |

mod banks;
#[cfg(feature = "raw-card-data")]
mod card;
mod client;
mod codes;
mod config;
mod extra;
mod flight;
mod group;
mod info;
mod invoices;
mod ipn;
mod management;
mod options;
mod orders;
mod status;
mod tokens;
mod wire;

pub use banks::{BANKS, Bank};
#[cfg(feature = "raw-card-data")]
pub use card::RawCard;
pub use client::{GalaxyPay, GalaxyPayFactory};
pub use codes::{LinkField, LinkMethod, Method, SourceType};
pub use config::{GalaxyPayConfig, IpnStatusType, PRODUCTION, ResponseSignature, UAT, UAT_CHECKOUT_SCRIPT};
pub use extra::{
    Airline, Application, Billing, Customer, Device, ExtraData, ExtraGroups, Flight, Passenger, Service,
    Shipping,
};
pub use flight::{DataFlight, FlightPassenger, FlightPayment};
pub use info::{
    FLOW_AUTHORIZE, FLOW_CARD, FLOW_CHECKOUT, FLOW_FAST, FLOW_LINK, FLOW_OPTION, FLOW_PAY, FLOW_QR,
    FLOW_TOKEN,
};
pub use options::{Checkout, ExpiryUnit, GalaxyPayOptions, PaymentLink};
pub use tokens::{CustomerToken, CustomerTokens};

/// The provider's id.
pub const ID: &str = "galaxy-pay";
