//! The checks that every provider of Tulbur passes, ours and yours.
//!
//! A provider's author says how the provider is built ([`UnderTest`]) and how its other side is driven
//! ([`Counterpart`]; [`SandboxCounterpart`] is a ready one). The suite looks at the provider's traits, flows and limits,
//! chooses the checks that follow from them, and runs each against real sockets, offline:
//!
//! ```
//! use tulbur_conformance::{Counterpart, Suite, UnderTest};
//!
//! /// What `main` of `tests/conformance.rs` ends with, where Cargo.toml has `harness = false` for it.
//! fn try_all(my_bank: impl UnderTest, its_other_side: impl Counterpart) -> std::process::ExitCode {
//!     tulbur_conformance::main(&Suite::new(my_bank, its_other_side))
//! }
//! ```
//!
//! `cargo test` then shows each check by name. A check fails when the provider breaks the promise that is its name; what
//! the counterpart cannot do is shown as ignored, with the reason. An ability that is present but refuses is a failure.
//!
//! For a provider's own tests there is a [`Script`]: a transport whose answers the test gives, and the writings of a card
//! number ([`CARD_WRITINGS`]).

mod book;
mod broken;
mod check;
mod checks;
mod counterpart;
mod logs;
mod mailbox;
mod members;
mod money;
mod ops;
#[cfg(feature = "sandbox-control")]
mod sandbox;
mod script;
mod spots;
mod suite;
mod unanswered;
mod under_test;
mod wire;
mod world;
mod writings;

pub use book::BookPage;
pub use check::{Check, Verdict};
pub use counterpart::{Books, Counterpart, CounterpartError, Deed, OtherSideFault, Skill};
#[cfg(feature = "sandbox-control")]
pub use sandbox::{SandboxCounterpart, Step};
pub use script::{Script, Scripted, printed};
pub use suite::{Report, Suite, main};
pub use unanswered::UNANSWERED;
pub use under_test::{Acknowledgements, AnswerRules, Keys, Member, NotificationRules, Returned, UnderTest};
pub use writings::CARD_WRITINGS;
