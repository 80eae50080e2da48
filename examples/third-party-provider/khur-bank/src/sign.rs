//! Which values each checksum covers (BANK.md, section 2).

use tulbur_core::{Currency, Error, ErrorKind, HmacHexKeys, Place, Proof, Result, Role, SignedField};

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
pub(crate) fn sign(keys: &HmacHexKeys, values: &[&str]) -> String {
    keys.sign(&[&values.join(BETWEEN)])
}

/// Checks an answer's checksum.
pub(crate) fn check(keys: &HmacHexKeys, values: &[&str], checksum: &str) -> Result<()> {
    keys.check(&[&values.join(BETWEEN)], Some(checksum))
}

// ANCHOR: prove
/// What a notification proves. Reference and result have fixed lengths and the rest is the amount, so the message can
/// be read in one way only.
pub(crate) fn prove(
    keys: &HmacHexKeys,
    [reference, result, amount]: [&str; 3],
    checksum: Option<&str>,
) -> Result<Proof> {
    let between = SignedField::new(Role::Other, Place::Exactly(BETWEEN.len()), Some(BETWEEN));
    let fields = [
        SignedField::new(Role::Reference, Place::Exactly(REFERENCE), Some(reference)),
        between,
        SignedField::new(Role::Result, Place::Exactly(RESULT), Some(result)),
        between,
        SignedField::new(Role::Amount, Place::UpTo(AMOUNT), Some(amount)),
    ];
    match keys.prove(&fields, checksum, CURRENCY, status::of_result)? {
        proof @ Proof::Signed(_) => Ok(proof),
        Proof::Hint { .. } => Err(Error::new(
            ErrorKind::Untrusted,
            "a signed value is not of the length that the bank declares",
        )),
    }
}
// ANCHOR_END: prove
