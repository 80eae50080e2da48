//! Golomt Bank's E-Commerce service for Tulbur: the hosted card page, the SocialPay page, card tokens and the
//! settlement list.
//!
//! **This crate has not met the real bank.** It was written from the bank's public documentation and from what public
//! clients send and read; each operation says how well it is known (see [`ProviderInfo`](tulbur_core::ProviderInfo)
//! and the book's page on this provider). What those sources leave open is not invented here: it is refused, passed on
//! as it came, or a labelled setting.
//!
//! ```
//! use tulbur_core::{AccountName, CallbackUrl, CreateInvoice, Currency, MerchantRef, Money, Provider, ReturnUrls};
//! use tulbur_golomt_ecommerce::{GolomtEcommerce, GolomtEcommerceConfig};
//!
//! # async fn pay(env: tulbur_core::BuildEnv) -> tulbur_core::Result<()> {
//! let config = GolomtEcommerceConfig::new("token-from-the-bank".into(), "secret-from-the-bank".into());
//! let bank = GolomtEcommerce::new(AccountName::parse("web-shop")?, config, env.clone())?;
//!
//! let reference = MerchantRef::generate(&bank.info().ref_rule, &*env.ids);
//! let mut request = CreateInvoice::new(reference, Money::from_major(1500, Currency::MNT)?, "Two books");
//! request.return_urls = Some(ReturnUrls::one(CallbackUrl::parse("https://shop.mn/back")?));
//! let invoices = bank.invoices().expect("this provider makes invoices");
//! let invoice = invoices.create_invoice(&request).await?;
//! // invoice.next: the card page and the SocialPay page, in both languages
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
//! | D-auth, D-invoice, D-check, D-checktoken, D-pay, D-token, D-push, D-redirect, D-settle, D-flow, D-sum, D-sp | the bank's pages `ecommerce_api_auth_en`, `…_invoice_en`, `…_check_en`, `…_check_token_en`, `…_pay_en`, `…_token_en`, `…_push_en`, `…_redirect_en`, `…_settlement_inquiry_en`, `ecommerce_workflow_en`, `ecommerce_checksum_intro_en`, `socialpay_api_ecommerce_en` on `dev.golomtbank.com:7443/docs/` (2024) |
//! | R-go2 | techpartners-asia/golomt-api-go |
//! | R-me | unread-llc/meform, in live use in 2026 |
//! | R-mnpay | mnpay/mn-payment-platforms |
//! | R-mot | motforex/motforex-payment-external-monorepo |
//! | R-node | a public Node client of `/api/confirmation` |
//! | R-simple | myagmarsurensedjav/simple-payment |

mod cards;
mod client;
mod config;
mod info;
mod ipn;
mod options;
mod pages;
mod settlement;
mod sign;
mod status;
mod wire;

pub use client::{GolomtEcommerce, GolomtEcommerceFactory};
pub use config::{GenToken, GolomtEcommerceConfig, PRODUCTION};
pub use info::{FLOW_CARD_SETUP, FLOW_CHARGE, FLOW_PAGE};
pub use options::{GolomtEcommerceOptions, Page, ReturnType};
pub use settlement::{Date, Settlement, SettlementPage, SettlementPages, SettlementQuery};

/// The provider's id.
pub const ID: &str = "golomt-ecommerce";
