//! The vocabulary, the provider traits and the ports of Tulbur.
//!
//! This crate is what a provider crate and everything above it share. It has no HTTP client, no web framework, no
//! database and no runtime: network and time are ports ([`HttpTransport`], [`Clock`]) that an application fills.
//!
//! * **Money** is exact ([`Money`]); the text on a provider's wire is rendered once ([`AmountFormat`]) and is what is
//!   both hashed and sent ([`AmountText`]).
//! * **A provider** is one struct behind [`Provider`], with one trait per ability.
//! * **An [`Error`]** first says what may have happened ([`Outcome`]): nothing, a refusal, or unknown.
//! * **Proof is a type**: only [`Verified`] facts move a payment, and only this crate makes them.

mod check;
mod clock;
mod config;
mod confirm;
mod error;
mod evidence;
mod http;
mod ids;
mod info;
mod ipn;
mod keys;
pub mod layers;
mod money;
mod next;
mod options;
mod outcome;
mod proof;
mod provider;
mod redacted;
mod reference;
mod registry;
mod request;
mod secret;
mod session;
mod shape;
mod status;
pub mod wire;
mod written;

pub use async_trait::async_trait;
pub use bytes::Bytes;
pub use secrecy::{ExposeSecret, SecretString};
pub use url::Url;

pub use check::check_amount;
pub use clock::{Clock, ManualClock, Monotonic, Timestamp, UtcOffset, system_monotonic, system_now};
pub use config::{AccountConfig, accounts_from};
pub use confirm::{cancel, capture, charge, confirm, confirm_card_setup, void};
pub use error::{Error, ErrorKind, Result};
pub use evidence::{Accept, Evidence};
pub use http::{
    HttpRequest, HttpResponse, HttpTransport, Method, NoNetwork, Phase, TransportError, TransportFault,
};
pub use ids::{IdSource, RandomIds, SequenceIds};
pub use info::{
    Ability, AmountRange, Asking, CaptureRule, FlowEffect, FlowInfo, FlowStart, NotFound, NotifyAddress,
    OperationInfo, Poll, ProofBy, ProviderInfo, QueryBy, RefundPart, RefundRule, TextRule, Way,
};
pub use ipn::{Channel, Delivery, IpnEvent, IpnOutcome, Meaning, Reply, Subject};
pub use keys::{Scheme, SigningKeys};
pub use money::{AmountFormat, AmountText, Currency, Money, MoneyError};
pub use next::{
    AppLink, CallbackUrl, Embed, Language, NextAction, PageKind, Redirect, is_loopback, is_protected,
};
pub use options::{Options, ProviderOptions, read_options};
pub use outcome::{Effect, Outcome};
pub use proof::{AccountKeys, IpnFacts, Proof, Reading, Verified, Voucher};
pub use provider::{
    CancelProvider, CaptureProvider, ChargeProvider, InvoiceProvider, IpnProvider, Provider, QrProvider,
    QueryProvider, RefundProvider, TokenVaultProvider, TokenizeProvider, VoidProvider, abilities,
};
pub use redacted::{FreeText, MaskedNumber};
pub use reference::{
    AccountName, Alphabet, ChargeRef, CustomerRef, Flow, MerchantRef, OperationRef, OrderRef, PaymentRef,
    ProviderId, ProviderRef, RefRule, ReferenceError,
};
pub use registry::{BuildEnv, ProviderFactory, Registration, Registry};
pub use request::{
    CancelRequest, Capture, CaptureRequest, CardSetup, CardSetupAnswer, CardSetupState, Charge,
    ChargeRequest, CreateCardSetup, CreateInvoice, Invoice, Payer, Refund, RefundRequest, RefundStatus,
    ReturnUrls, VoidRequest,
};
pub use secret::{CardToken, check_credential};
pub use session::{Login, Session, Ticket};
pub use shape::{FieldLength, MessageShape, PairOrder, PairShape, SignedField, SignedPairs};
pub use status::{CardInfo, OperationState, PaidPart, Payment, PaymentStatus, SavedCard};
pub use written::AmountNotation;

#[doc(hidden)]
pub use inventory as __inventory;
