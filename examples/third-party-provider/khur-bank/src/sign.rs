//! Which values each checksum covers (BANK.md, section 2).

use tulbur_core::{
    AccountKeys, Currency, Error, ErrorKind, FieldLength, MessageShape, Proof, Reading, Result, SignedField,
};

use crate::status;

/// The bank's only currency; its wire has no field for one.
pub(crate) const CURRENCY: Currency = Currency::MNT;
/// The length of a reference.
pub(crate) const REFERENCE: usize = 20;
/// The length of a result.
const RESULT: usize = 4;
/// The most characters that an amount has: `10000000.00`.
const AMOUNT: usize = 11;
const BETWEEN: &str = "|";

/// The checksum of these values.
pub(crate) fn sign(keys: &AccountKeys, values: &[&str]) -> String {
    keys.sign(&[values.join(BETWEEN)])
}

/// Checks an answer's checksum.
pub(crate) fn check(keys: &AccountKeys, values: &[&str], checksum: &str) -> Result<()> {
    keys.check(&[values.join(BETWEEN)], Some(checksum))
}

// ANCHOR: prove
/// The shape of a notification's message. The separator says where each value begins.
static NOTIFICATION: MessageShape<3> = MessageShape::separated(
    BETWEEN,
    [
        SignedField::reference("reference", FieldLength::OfReferences),
        SignedField::result("result", FieldLength::Exactly(RESULT)),
        SignedField::amount("amount", FieldLength::UpTo(AMOUNT)),
    ],
);

/// Checks a notification, and says what it proves.
pub(crate) fn prove(keys: &AccountKeys, values: [&str; 3], checksum: Option<&str>) -> Result<Proof> {
    let reading = Reading::new(CURRENCY, &status::of_result);
    match keys.prove(&NOTIFICATION, values.map(Some), checksum, &reading)? {
        proof @ Proof::Signed(_) => Ok(proof),
        Proof::Hint(_) => Err(Error::new(
            ErrorKind::Untrusted,
            "a signed value is not of the length that the bank declares",
        )),
    }
}
// ANCHOR_END: prove
