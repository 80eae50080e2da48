//! The providers' own side of the wire, for people and tests without a contract: same paths, headers, checksums,
//! error bodies and pages as the providers' documents describe, with faults on order and refusals in plain words.
//!
//! It is written from those documents alone and shares no code with Tulbur's provider crates, so that the two can
//! disagree. What the documents leave open is a [switch](plugin::Switch), labelled as an assumption.
//!
//! ```
//! use tulbur_sandbox::{Fault, FaultKind, Sandbox};
//!
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! let sandbox = Sandbox::builder().start().await?;
//! let bank = sandbox.provider("golomt-ecommerce")?;
//! println!("call {} with {:?}", bank.base_url(), bank.credentials());
//!
//! bank.set_push_address(Some("http://127.0.0.1:8080/notify/golomt-ecommerce"))?;
//! bank.add_fault(Fault::new(FaultKind::AnswerLost).on_path("/api/pay"))?;
//! assert!(bank.payments().is_empty());
//! sandbox.shutdown().await;
//! # Ok::<(), tulbur_sandbox::SandboxError>(()) }).unwrap();
//! ```
//!
//! # Control API
//!
//! JSON on the control port, which also serves the control page. Like the providers' ports it answers only to loopback
//! names (and those given to [`SandboxBuilder::allow_host`]) and refuses what another site's page sends, so that no web
//! page a developer visits can reach it. Errors are `{"error": "..."}`.
//!
//! | call | does |
//! |---|---|
//! | `GET /healthz` | `{"ok":true}` |
//! | `GET /api/providers` | each provider: id, title, base address, credentials, actions, faults it can do |
//! | `GET /api/{provider}/payments` | all payments; `debits` and `debited_at` are what was really paid |
//! | `GET /api/{provider}/payments/{reference}` | one payment |
//! | `POST /api/{provider}/payments/{reference}/{action}` | does something to it; body `{}` or details such as `{"card":"decline"}` |
//! | `GET`, `PUT /api/{provider}/push-address` | `{"address":"http://..."}`, `null` for none |
//! | `GET`, `PUT /api/{provider}/switches` | values by name; `GET` also explains each |
//! | `GET`, `POST`, `DELETE /api/{provider}/faults` | lists, orders ([`Fault`] as JSON), clears; `DELETE .../faults/{id}` takes one away |
//! | `GET /api/{provider}/requests` | the request log, with verdict and explanation |
//! | `GET /api/{provider}/pushes` | notifications with each attempt and the merchant's reply |
//! | `POST /api/{provider}/pushes/{id}/resend` | sends the same bytes again |

mod builder;
mod clock;
mod control;
mod delivery;
mod desk;
mod error;
mod fault;
pub mod galaxy_pay;
pub mod golomt_ecommerce;
pub mod golomt_instore;
pub mod golomt_mini_app;
mod guard;
mod intake;
mod lock;
mod log;
pub mod plugin;
mod profile;
mod provider;
mod push;
pub mod qpay;
mod records;
mod room;
mod serve;
mod switch;
mod vault;

pub use axum;

pub use builder::{Sandbox, SandboxBuilder};
pub use error::SandboxError;
pub use fault::{Fault, FaultKind};
pub use galaxy_pay::GalaxyPay;
pub use golomt_ecommerce::GolomtEcommerce;
pub use golomt_instore::GolomtInstore;
pub use golomt_mini_app::GolomtMiniApp;
pub use log::{LoggedRequest, Verdict};
pub use plugin::{PaymentRecord, PaymentState, Plugin};
pub use provider::Provider;
pub use push::{Attempt, Push, PushState};
pub use qpay::QPay;
