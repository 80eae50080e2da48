#![cfg_attr(feature = "picture", doc = include_str!("../README.md"))]
#![cfg_attr(
    not(feature = "picture"),
    doc = "EMVCo payloads, read and written; see the README. Pictures are a feature."
)]

mod builder;
mod checksum;
mod element;
pub mod id;
mod mongolia;
mod payload;
#[cfg(feature = "picture")]
mod picture;
mod rules;
mod vietqr;

pub use builder::{BuildError, Builder};
pub use checksum::{Checksum, ChecksumError, HexCase, Verified};
pub use element::{Element, ElementError, Lengths, ParseError, ParseErrorKind};
pub use mongolia::{NATIONAL_IDENTIFIER, NationalAccount, UnionPay};
pub use payload::{Initiation, Payload};
#[cfg(feature = "picture")]
pub use picture::{Correction, Picture, Terminal, TooMuch};
pub use rules::{Invalid, Problem, ProblemKind, Rules};
pub use vietqr::{VietQr, VietQrService};
