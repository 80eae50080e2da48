//! Lists the ways in which one card number is written.

/// The same card number in the ways in which people and systems write it, for tests of what is shown of a provider's
/// text. It is a test number of Visa.
pub const CARD_WRITINGS: [&str; 8] = [
    "4111111111111111",
    "4111 1111 1111 1111",
    "4111-1111-1111-1111",
    "4111.1111.1111.1111",
    "4111\u{a0}1111\u{a0}1111\u{a0}1111",
    "x4111111111111111",
    "٤١١١١١١١١١١١١١١١",
    "４１１１１１１１１１１１１１１１",
];
