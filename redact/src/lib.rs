//! Hides card numbers, tokens and known secrets in free text: one redaction for all of Tulbur.
//!
//! For text that somebody else wrote and that people will read: a bank's `errorDesc`, the name of a bank, the body in
//! a sandbox's log. References have types of their own and are never given to this crate.
//!
//! | function | hides | leaves |
//! |---|---|---|
//! | [`card_numbers`] | card numbers in every writing | everything else |
//! | [`card_numbers_except`] | the same | references that the caller knows |
//! | [`free_text`] | card numbers, and runs of more than 32 letters and digits: tokens, checksums | everything else |
//! | [`without`] | the secrets that the caller names | everything else |
//! | [`masked_number`] | all but the first six and the last four digits of a field that holds a card number | |
//!
//! A *card number* is 13 to 19 digits that begin as an issuer's numbers do, have a length of that issuer's, and pass the
//! check digit rule of ISO/IEC 7812-1 (Luhn). It may be written
//!
//! * with digits of any script, and with superscript, subscript and circled ones;
//! * in groups of any size, with blanks, dots, plus signs and dashes of any kind between them, up to four in a row;
//! * in the groups of a printed card, with `/ \ _ , : ; |` between them;
//! * with characters inside that are not seen, such as a zero-width space;
//! * with letters directly before or after it;
//! * with any of these characters percent-encoded, as a JSON or Rust escape, or as an HTML entity.
//!
//! It is *not* found where further digits are glued to it (`00` and then the number, without anything between), where
//! letters stand between its digits, in base64, inside a digest (32, 40, 64, 96 or 128 hexadecimal characters), and
//! inside the text of an EMV QR code, whose merchant accounts look like card numbers and are public. A number that no
//! issuer's rule fits stays; one number in ten of the right beginning and length is hidden and is none.
//!
//! All functions take one pass and allocate nothing for a text in which there is nothing to hide.
//!
//! ```
//! use tulbur_redact::free_text;
//!
//! assert_eq!(free_text("card 4111 1111 1111 1111 is blocked"), "card [hidden] is blocked");
//! assert_eq!(free_text("paid at 20261130101500"), "paid at 20261130101500");
//! ```

mod characters;
mod emv;
mod field;
mod issuers;
mod scan;

pub use field::{masked_number, without};
pub use scan::{card_numbers, card_numbers_except, free_text};

/// The text that stands where something was hidden.
pub const HIDDEN: &str = "[hidden]";
