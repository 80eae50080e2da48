//! Describes signed messages: which fields they have, how long each may be, and in how many ways the text can be read.
//!
//! A checksum covers a text, not its fields. If two readings of one text are possible, a message that was signed once
//! can be sent again with its borders moved: `300` + `1500.00` is letter for letter `3001` + `500.00`. A shape is
//! written once, as a constant, so that no length in it can come from the message.

use crate::error::{Error, ErrorKind, Result};
use crate::keys::SigningKeys;
use crate::wire::Fields;

/// The meaning of a field of a signed message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Reference,
    Result,
    Amount,
    Other,
}

/// The length of a field of a signed message, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldLength {
    /// Always this many bytes.
    Exactly(usize),
    /// Absent, or this many bytes.
    NoneOr(usize),
    /// One byte to this many.
    UpTo(usize),
    /// The one length that all references of the account have, by its [`RefRule`](crate::RefRule). Where the rule
    /// allows several lengths, a message without separators proves nothing.
    OfReferences,
    /// A result code of one byte to `most`, directly before the amount, where exactly one code means success. Its
    /// characters are letters, digits and hyphens.
    ///
    /// A text that begins with `success` is read as a success and as nothing else, so that no failure can be turned
    /// into a success by moving borders. Which failure it is may not be certain.
    Code {
        /// The only code that means success.
        success: &'static str,
        /// The length of the longest code.
        most: usize,
    },
}

/// One field of a signed message: its name on the wire, for errors, its meaning and its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignedField {
    pub(crate) name: &'static str,
    pub(crate) role: Role,
    pub(crate) length: FieldLength,
}

impl SignedField {
    /// The merchant's reference of the payment.
    pub const fn reference(name: &'static str, length: FieldLength) -> Self {
        Self { name, role: Role::Reference, length }
    }

    /// The result code.
    pub const fn result(name: &'static str, length: FieldLength) -> Self {
        Self { name, role: Role::Result, length }
    }

    /// The amount.
    pub const fn amount(name: &'static str, length: FieldLength) -> Self {
        Self { name, role: Role::Amount, length }
    }

    /// Any other field.
    pub const fn other(name: &'static str, length: FieldLength) -> Self {
        Self { name, role: Role::Other, length }
    }
}

/// The shape of a signed message with `N` fields in a fixed order.
///
/// ```
/// use tulbur_core::{FieldLength, MessageShape, SignedField};
///
/// static NOTIFICATION: MessageShape<3> = MessageShape::joined([
///     SignedField::reference("ref", FieldLength::OfReferences),
///     SignedField::result("code", FieldLength::Exactly(3)),
///     SignedField::amount("amount", FieldLength::UpTo(20)),
/// ]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageShape<const N: usize> {
    separator: &'static str,
    pub(crate) fields: [SignedField; N],
}

impl<const N: usize> MessageShape<N> {
    /// Values that are joined without separators. An absent value contributes nothing.
    pub const fn joined(fields: [SignedField; N]) -> Self {
        Self { separator: "", fields }
    }

    /// Values with a separator between them. An absent value leaves its place empty. A value that holds the separator
    /// makes the message prove nothing.
    pub const fn separated(separator: &'static str, fields: [SignedField; N]) -> Self {
        Self { separator, fields }
    }

    /// The text that is hashed.
    pub fn text(&self, values: [Option<&str>; N]) -> String {
        values.map(Option::unwrap_or_default).join(self.separator)
    }

    /// The signature of a message with these values.
    pub fn sign(&self, keys: &SigningKeys, values: [Option<&str>; N]) -> String {
        keys.sign(&[self.text(values)])
    }

    /// Checks the signature of a message with these values. A right one proves no facts: see
    /// [`AccountKeys::prove`](crate::AccountKeys::prove).
    ///
    /// # Errors
    /// [`ErrorKind::Untrusted`], as [`SigningKeys::check`].
    pub fn check(&self, keys: &SigningKeys, values: [Option<&str>; N], received: Option<&str>) -> Result<()> {
        if self.separator.is_empty() {
            keys.check(&values.map(Option::unwrap_or_default), received)
        } else {
            keys.check(&[self.text(values)], received)
        }
    }

    /// Checks result and amount in the answer to our own question, whose reference is known from the question. An
    /// answer about an open payment may lack both.
    ///
    /// Characters that wandered into a neighbour leave a checksum right and the meaning wrong: each value must stand
    /// in its place, and no failure may hide a success. Other fields are left to the caller.
    ///
    /// # Errors
    /// [`ErrorKind::Untrusted`], with the field that is out of its place.
    pub fn check_answer(&self, values: [Option<&str>; N]) -> Result<()> {
        for (at, field) in self.fields.iter().enumerate() {
            if matches!(field.role, Role::Result | Role::Amount)
                && let Some(value) = values[at]
            {
                in_place(*field, value)?;
            }
            no_hidden_success(&self.fields[at..], &values[at..])?;
        }
        Ok(())
    }

    /// Whether these values stand in their places, and their text can be read in one way only.
    pub(crate) fn reads_in_one_way(&self, values: &[Option<&str>; N], references: Option<usize>) -> bool {
        let fields = || self.fields.iter().map(|field| resolve(*field, references));
        if !fields().zip(values).all(|(field, value)| field.is_some_and(|field| fits(field, *value))) {
            return false;
        }
        if !self.separator.is_empty() {
            return !values.iter().flatten().any(|value| value.contains(self.separator));
        }
        let fields: Vec<SignedField> = fields().flatten().collect();
        borders_are_known(&fields) && (0..N).all(|at| no_hidden_success(&fields[at..], &values[at..]).is_ok())
    }
}

/// The field with the length of the account's references filled in, or nothing where they have several lengths.
fn resolve(field: SignedField, references: Option<usize>) -> Option<SignedField> {
    match field.length {
        FieldLength::OfReferences => {
            references.map(|length| SignedField { length: FieldLength::Exactly(length), ..field })
        }
        _ => Some(field),
    }
}

fn fits(field: SignedField, value: Option<&str>) -> bool {
    match value {
        Some(value) => in_place(field, value).is_ok(),
        None => matches!(field.length, FieldLength::NoneOr(_)),
    }
}

/// Checks that a value stands in its place, as far as the value alone can say.
fn in_place(field: SignedField, value: &str) -> Result<()> {
    let given = value.len();
    let fits = match field.length {
        FieldLength::Exactly(length) | FieldLength::NoneOr(length) => given == length,
        FieldLength::UpTo(most) => (1..=most).contains(&given),
        FieldLength::Code { most, .. } => {
            (1..=most).contains(&given) && value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        }
        FieldLength::OfReferences => false,
    };
    if fits {
        Ok(())
    } else {
        Err(out_of_place(
            field,
            "its length or its characters are not a value's, and it may hold parts of others",
        ))
    }
}

fn out_of_place(field: SignedField, why: &'static str) -> Error {
    Error::new(ErrorKind::Untrusted, why).with_field(field.name)
}

/// Whether the fields' lengths say where each begins.
///
/// One field may be of any length. One more may be absent, if it is longer than the open part can be. A code of any
/// length stands directly before the open amount and counts as part of it; [`no_hidden_success`] does the rest.
fn borders_are_known(fields: &[SignedField]) -> bool {
    let mut open = Vec::new();
    let mut optional = Vec::new();
    let mut code = 0;
    for (at, field) in fields.iter().enumerate() {
        match field.length {
            FieldLength::UpTo(most) => open.push(most),
            FieldLength::NoneOr(length) => optional.push(length),
            FieldLength::Code { most, .. } => {
                let next = fields.get(at + 1);
                let before_amount = next.is_some_and(|next| {
                    next.role == Role::Amount && matches!(next.length, FieldLength::UpTo(_))
                });
                if field.role != Role::Result || !before_amount {
                    return false;
                }
                code = most;
            }
            FieldLength::Exactly(_) => {}
            FieldLength::OfReferences => return false,
        }
    }
    match (open.as_slice(), optional.as_slice()) {
        ([] | [_], []) | ([], [_]) => true,
        // Code and amount are one open part, as long as both together.
        ([most], [length]) => *length >= most + code,
        _ => false,
    }
}

/// Checks that what begins with a code of open length cannot be read as a success although the code says something
/// else. Fields and values begin with the code's; the amount is the next.
fn no_hidden_success(fields: &[SignedField], values: &[Option<&str>]) -> Result<()> {
    let [code, behind @ ..] = fields else { return Ok(()) };
    let FieldLength::Code { success, .. } = code.length else { return Ok(()) };
    let rest = values.iter().copied().flatten().collect::<Vec<_>>().concat();
    if values.first().copied().flatten() != Some(success) && rest.starts_with(success) {
        return Err(out_of_place(
            *code,
            "with the values after it, it may be a payment whose borders were moved",
        ));
    }
    let amount = values.get(1).copied().flatten().unwrap_or_default();
    if amount.len() > 1 && amount.starts_with('0') && !amount.starts_with("0.") {
        let field = behind.first().copied().unwrap_or(*code);
        return Err(out_of_place(field, "it begins with zeros, and may hold parts of the code before it"));
    }
    Ok(())
}

/// The order in which pairs are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PairOrder {
    /// By name, ascending by byte.
    Sorted,
    /// As they were received or are given.
    AsGiven,
}

/// The shape of a message that is signed as `name=value` pairs joined by `&`.
///
/// What is signed is the *encoded* text (`application/x-www-form-urlencoded`), as it stands in the address or the
/// form. So no name and no value can hold a separator, and the text has one reading.
///
/// ```
/// use tulbur_core::{PairOrder, PairShape};
///
/// static RETURN: PairShape =
///     PairShape::new(PairOrder::Sorted).with_prefix("vnp_").without(&["vnp_SecureHash", "vnp_SecureHashType"]);
///
/// assert_eq!(RETURN.text(&[("vnp_TxnRef", "A 1"), ("vnp_Amount", "100")])?, "vnp_Amount=100&vnp_TxnRef=A+1");
/// # Ok::<(), tulbur_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PairShape {
    order: PairOrder,
    prefix: &'static str,
    without: &'static [&'static str],
}

impl PairShape {
    /// All pairs, in this order.
    pub const fn new(order: PairOrder) -> Self {
        Self { order, prefix: "", without: &[] }
    }

    /// Only pairs whose name begins so. What is not signed is not read: [`PairShape::signed`] leaves the others out.
    #[must_use]
    pub const fn with_prefix(mut self, prefix: &'static str) -> Self {
        self.prefix = prefix;
        self
    }

    /// Without these names: the signature's own field.
    #[must_use]
    pub const fn without(mut self, names: &'static [&'static str]) -> Self {
        self.without = names;
        self
    }

    /// The text that is signed and sent for these pairs, which are encoded here.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] when a name stands twice.
    pub fn text(&self, pairs: &[(&str, &str)]) -> Result<String> {
        let encoded = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        let fields = Fields::parse(encoded.as_bytes())?;
        self.signed(&fields)
            .map(|signed| signed.text().to_owned())
            .map_err(|error| Error::new(ErrorKind::InvalidRequest, error.message().to_owned()))
    }

    /// The pairs that are signed of those received, with the text that is hashed: as received, still encoded.
    ///
    /// # Errors
    /// [`ErrorKind::Malformed`] when a name stands twice, or a value holds a separator that nobody encoded.
    pub fn signed<'a>(&self, received: &Fields<'a>) -> Result<SignedPairs<'a>> {
        let malformed = |why: &str| Error::new(ErrorKind::Malformed, why);
        let mut pairs: Vec<_> = received
            .pairs()
            .filter(|pair| pair.name.starts_with(self.prefix) && !self.without.contains(&pair.name.as_ref()))
            .collect();
        if self.order == PairOrder::Sorted {
            pairs.sort_by(|a, b| a.raw_name().cmp(b.raw_name()));
        }
        let mut text = String::new();
        for pair in &pairs {
            if pair.raw_value().contains('=') {
                return Err(malformed("a value holds `=`, which must be encoded as %3D"));
            }
            if pairs.iter().filter(|other| other.name == pair.name).count() > 1 {
                return Err(malformed("a signed field stands more than once"));
            }
            if !text.is_empty() {
                text.push('&');
            }
            text.push_str(pair.raw);
        }
        Ok(SignedPairs { fields: Fields::of(pairs.into_iter().cloned().collect()), text })
    }
}

/// The pairs that a signature covers, and the text of which it is the signature.
#[derive(Debug, Clone)]
pub struct SignedPairs<'a> {
    fields: Fields<'a>,
    text: String,
}

impl<'a> SignedPairs<'a> {
    /// The text that is hashed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The fields that are signed, and no others.
    pub fn fields(&self) -> &Fields<'a> {
        &self.fields
    }
}
