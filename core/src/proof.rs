//! Makes proof a type: only this crate makes a [`Verified`], and only a `Verified` fulfils an order.
//!
//! A notification is proven here, by a signature under the keys of the account. Answers to our own questions are proven
//! by [`confirm`](crate::confirm).

use std::fmt;
use std::ops::Deref;

use secrecy::SecretString;

use crate::error::{Error, Result};
use crate::keys::{Scheme, SigningKeys};
use crate::money::{Currency, Money};
use crate::reference::{MerchantRef, ProviderRef, RefRule};
use crate::shape::{FieldLength, MessageShape, PairShape, Role, SignedPairs};
use crate::status::PaymentStatus;
use crate::wire::Fields;

/// Something that the provider has proven: by a checksum that covers it, or by answering our own question.
///
/// It cannot be made outside this crate, deserialised or read back from a disk. A replay asks again.
///
/// ```compile_fail
/// let forged = tulbur_core::Verified("paid");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified<T>(T);

impl<T> Verified<T> {
    /// What was proven. Only this module and the proofs of answers call it.
    pub(crate) fn new(proven: T) -> Self {
        Self(proven)
    }

    /// The proven value, which is proven no longer once it is out.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for Verified<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

/// What a notification's checksum covers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct IpnFacts {
    /// Our reference.
    pub merchant_ref: Option<MerchantRef>,
    /// The provider's reference.
    pub provider_ref: Option<ProviderRef>,
    /// How the payment stands.
    pub status: PaymentStatus,
    /// The amount.
    pub amount: Money,
}

impl IpnFacts {
    /// Facts about a payment named by our reference.
    pub fn new(merchant_ref: MerchantRef, status: PaymentStatus, amount: Money) -> Self {
        Self { merchant_ref: Some(merchant_ref), provider_ref: None, status, amount }
    }

    /// Facts about a payment named by the provider's reference alone.
    pub fn of_provider_ref(provider_ref: ProviderRef, status: PaymentStatus, amount: Money) -> Self {
        Self { merchant_ref: None, provider_ref: Some(provider_ref), status, amount }
    }

    /// Named by the provider's reference too.
    #[must_use]
    pub fn with_provider_ref(mut self, provider_ref: ProviderRef) -> Self {
        self.provider_ref = Some(provider_ref);
        self
    }
}

/// What a delivery proves.
#[derive(Debug, Clone)]
pub enum Proof {
    /// Its checksum covers reference, amount and result, unambiguously. This may move a payment.
    Signed(Verified<IpnFacts>),
    /// It says that something happened; only a query can prove what.
    Hint(Voucher),
}

/// The reason to believe a message that proves nothing. It decides how soon the engine asks, and whether a message about an
/// unknown payment is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Voucher {
    /// A checksum was right, although it does not cover everything.
    Checksum,
    /// The secret in the address that it came to, which one payment has: for providers that sign nothing. It says so
    /// only where the notification came to such an address; elsewhere it is [`None`](Self::None).
    Address,
    /// Nothing vouches for it: anybody can have sent it.
    None,
}

/// A function that reads one text of a message.
type Reader<'a, T> = &'a dyn Fn(&str) -> Result<T>;

/// Turns the texts of a signed message into facts.
///
/// Without a setter, the reference on the wire is ours as it stands, and the amount is a decimal number.
pub struct Reading<'a> {
    currency: Currency,
    status: &'a dyn Fn(&str) -> PaymentStatus,
    reference: Option<Reader<'a, MerchantRef>>,
    amount: Option<Reader<'a, Money>>,
}

impl<'a> Reading<'a> {
    /// Amounts are in `currency`, and `status` says what a result code means.
    pub fn new(currency: Currency, status: &'a dyn Fn(&str) -> PaymentStatus) -> Self {
        Self { currency, status, reference: None, amount: None }
    }

    /// With our reference found from the text that stands on the wire, where that is another one.
    #[must_use]
    pub fn with_reference(mut self, reference: &'a dyn Fn(&str) -> Result<MerchantRef>) -> Self {
        self.reference = Some(reference);
        self
    }

    /// With an amount that is not written as a decimal number of units.
    #[must_use]
    pub fn with_amount(mut self, amount: &'a dyn Fn(&str) -> Result<Money>) -> Self {
        self.amount = Some(amount);
        self
    }

    fn reference(&self, text: &str) -> Result<MerchantRef> {
        self.reference.map_or_else(|| Ok(MerchantRef::parse(text)?), |read| read(text))
    }

    fn amount(&self, text: &str) -> Result<Money> {
        let decimal = || Money::parse(text, self.currency).map_err(Error::from);
        self.amount.map_or_else(decimal, |read| read(text))
    }
}

impl fmt::Debug for Reading<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reading").field("currency", &self.currency).finish_non_exhaustive()
    }
}

/// The keys of one account. Only these prove what a notification says.
///
/// [`BuildEnv::keys`](crate::BuildEnv::keys) makes them while a provider is built, and takes no secret that is not one
/// of the account's settings. They sign and check as [`SigningKeys`] do.
///
/// ```compile_fail
/// let keys = tulbur_core::SigningKeys::new(tulbur_core::Scheme::HmacSha256, [&"my own".into()])?;
/// let facts = keys.prove_document(b"paid", None, |_| unreachable!())?;
/// # Ok::<(), tulbur_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct AccountKeys {
    keys: SigningKeys,
    references: Option<usize>,
}

impl AccountKeys {
    /// Prepares the keys. `rule` says whether all references of the account have one length.
    pub(crate) fn new(scheme: Scheme, secrets: &[&SecretString], rule: &RefRule) -> Result<Self> {
        let length = rule.length();
        let references = (length.start() == length.end()).then(|| *length.start());
        Ok(Self { keys: SigningKeys::new(scheme, secrets.iter().copied())?, references })
    }

    /// Takes signatures in upper case too.
    #[must_use]
    pub fn in_either_case(mut self) -> Self {
        self.keys = self.keys.in_either_case();
        self
    }

    /// Names the field that carries the signature on the wire, for errors. It is `signature` if not set.
    #[must_use]
    pub fn in_field(mut self, name: &'static str) -> Self {
        self.keys = self.keys.in_field(name);
        self
    }

    /// Checks the signature of a message with fields in a fixed order, and says what it proves.
    ///
    /// The result is [`Proof::Signed`] only if reference, result and amount are all covered, every value stands in its
    /// place, and the text can be read in one way only. Otherwise it is a hint.
    ///
    /// The shape is a constant, so that no length in it comes from the message:
    ///
    /// ```compile_fail
    /// # use tulbur_core::{AccountKeys, Currency, FieldLength, MessageShape, PaymentStatus, Reading, SignedField};
    /// # fn prove(keys: &AccountKeys, values: [Option<&str>; 1], reading: &Reading<'_>) {
    /// let length = FieldLength::Exactly(values[0].unwrap_or_default().len());
    /// let shape = MessageShape::joined([SignedField::reference("ref", length)]);
    /// keys.prove(&shape, values, None, reading);
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Untrusted`](crate::ErrorKind::Untrusted), as [`SigningKeys::check`].
    pub fn prove<const N: usize>(
        &self,
        shape: &'static MessageShape<N>,
        values: [Option<&str>; N],
        received: Option<&str>,
        reading: &Reading<'_>,
    ) -> Result<Proof> {
        shape.check(&self.keys, values, received)?;
        let hint = Proof::Hint(Voucher::Checksum);
        if !shape.reads_in_one_way(&values, self.references) {
            return Ok(hint);
        }
        let find = |role| {
            let mut found = shape.fields.iter().zip(values).filter(|(field, _)| field.role == role);
            match (found.next(), found.next()) {
                (Some((field, Some(text))), None) => Some((field.length, text)),
                _ => None,
            }
        };
        let (Some((_, reference)), Some((length, result)), Some((_, amount))) =
            (find(Role::Reference), find(Role::Result), find(Role::Amount))
        else {
            return Ok(hint);
        };
        let status = (reading.status)(result);
        if let FieldLength::Code { success, .. } = length
            && result != success
            && !matches!(status, PaymentStatus::Declined | PaymentStatus::Canceled | PaymentStatus::Expired)
        {
            return Ok(hint);
        }
        let (Ok(reference), Ok(amount)) = (reading.reference(reference), reading.amount(amount)) else {
            return Ok(hint);
        };
        Ok(Proof::Signed(Verified(IpnFacts::new(reference, status, amount))))
    }

    /// Checks the signature of a whole document, and proves what `read` finds in that very document.
    ///
    /// # Errors
    /// [`ErrorKind::Untrusted`](crate::ErrorKind::Untrusted), as [`SigningKeys::check`], or the error of `read`.
    pub fn prove_document(
        &self,
        document: &[u8],
        received: Option<&str>,
        read: impl FnOnce(&[u8]) -> Result<IpnFacts>,
    ) -> Result<Verified<IpnFacts>> {
        self.keys.check(&[document], received)?;
        read(document).map(Verified)
    }

    /// Checks the signature of `name=value` pairs, and proves what `read` finds in the pairs that are signed.
    ///
    /// The text is hashed as it was received, still encoded. `read` sees the signed fields and no others.
    ///
    /// # Errors
    /// [`ErrorKind::Malformed`](crate::ErrorKind::Malformed) for a doubled name, [`ErrorKind::Untrusted`](crate::ErrorKind::Untrusted) as [`SigningKeys::check`], or the error of `read`.
    pub fn prove_pairs(
        &self,
        shape: &'static PairShape,
        fields: &Fields<'_>,
        received: Option<&str>,
        read: impl FnOnce(&SignedPairs<'_>) -> Result<IpnFacts>,
    ) -> Result<Verified<IpnFacts>> {
        let signed = shape.signed(fields)?;
        self.keys.check(&[signed.text()], received)?;
        read(&signed).map(Verified)
    }
}

impl Deref for AccountKeys {
    type Target = SigningKeys;
    fn deref(&self) -> &SigningKeys {
        &self.keys
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secrecy::SecretString;

    use super::*;
    use crate::error::ErrorKind;
    use crate::reference::Alphabet;
    use crate::shape::{PairOrder, SignedField};

    fn rule(length: usize) -> RefRule {
        RefRule::new(Alphabet::Alphanumeric, length..=length)
    }

    fn keys(scheme: Scheme) -> AccountKeys {
        AccountKeys::new(scheme, &[&SecretString::from("k")], &rule(8)).unwrap()
    }

    static FIXED: MessageShape<4> = MessageShape::joined([
        SignedField::reference("ref", FieldLength::OfReferences),
        SignedField::result("code", FieldLength::Exactly(3)),
        SignedField::amount("amount", FieldLength::UpTo(20)),
        SignedField::other("other", FieldLength::NoneOr(64)),
    ]);
    static OPEN_CODE: MessageShape<4> = MessageShape::joined([
        SignedField::reference("ref", FieldLength::OfReferences),
        SignedField::result("code", FieldLength::Code { success: "000", most: 16 }),
        SignedField::amount("amount", FieldLength::UpTo(20)),
        SignedField::other("other", FieldLength::NoneOr(64)),
    ]);

    fn status(code: &str) -> PaymentStatus {
        if code == "000" { PaymentStatus::Paid } else { PaymentStatus::Declined }
    }

    fn prove_with<const N: usize>(
        keys: &AccountKeys,
        shape: &'static MessageShape<N>,
        values: [Option<&str>; N],
    ) -> Proof {
        let signature = keys.sign(&[shape.text(values)]);
        keys.prove(shape, values, Some(&signature), &Reading::new(Currency::MNT, &status)).unwrap()
    }

    fn prove(values: [Option<&str>; 4]) -> Proof {
        prove_with(&keys(Scheme::HmacSha256), &FIXED, values)
    }

    fn is_hint(proof: &Proof) -> bool {
        matches!(proof, Proof::Hint(Voucher::Checksum))
    }

    #[test]
    fn fields_in_fixed_places_are_signed_and_others_are_hints() {
        let token = "a".repeat(64);
        let signed = |values| matches!(prove(values), Proof::Signed(_));
        assert!(signed([Some("abcd1234"), Some("000"), Some("1500.00"), None]));
        assert!(signed([Some("abcd1234"), Some("000"), Some("1500.00"), Some(&token)]));
        // One character moved across each border hashes alike and must prove nothing.
        assert!(!signed([Some("abcd123"), Some("400"), Some("01500.00"), None]));
        assert!(!signed([Some("abcd1234"), Some("00"), Some("01500.00"), None]));
        assert!(!signed([Some("abcd1234"), Some("0001"), Some("500.00"), None]));
        assert!(!signed([Some("abcd1234"), Some("000"), Some("1500.00a"), Some(&token[1..])]));
        assert!(!signed([Some("abcd1234"), Some("000"), None, None]));
        assert!(!signed([None, Some("000"), Some("1500.00"), None]));
    }

    #[test]
    fn references_of_several_lengths_prove_nothing_without_separators() {
        let rule = RefRule::new(Alphabet::Alphanumeric, 7..=8);
        let keys = AccountKeys::new(Scheme::HmacSha256, &[&SecretString::from("k")], &rule).unwrap();
        assert!(is_hint(&prove_with(&keys, &FIXED, [Some("abcd1234"), Some("000"), Some("1"), None])));
    }

    #[test]
    fn a_shape_that_reads_in_two_ways_is_never_signed() {
        static TWO_OPEN: MessageShape<3> = MessageShape::joined([
            SignedField::reference("ref", FieldLength::UpTo(20)),
            SignedField::result("code", FieldLength::Exactly(3)),
            SignedField::amount("amount", FieldLength::UpTo(20)),
        ]);
        static SHORT_TOKEN: MessageShape<4> = MessageShape::joined([
            SignedField::reference("ref", FieldLength::OfReferences),
            SignedField::result("code", FieldLength::Exactly(3)),
            SignedField::amount("amount", FieldLength::UpTo(20)),
            SignedField::other("other", FieldLength::NoneOr(4)),
        ]);
        static CODE_APART: MessageShape<3> = MessageShape::joined([
            SignedField::result("code", FieldLength::Code { success: "000", most: 6 }),
            SignedField::reference("ref", FieldLength::OfReferences),
            SignedField::amount("amount", FieldLength::UpTo(20)),
        ]);
        let keys = keys(Scheme::HmacSha256);
        assert!(is_hint(&prove_with(&keys, &TWO_OPEN, [Some("abcd1234"), Some("000"), Some("1")])));
        assert!(is_hint(&prove_with(&keys, &SHORT_TOKEN, [Some("abcd1234"), Some("000"), Some("1"), None])));
        assert!(is_hint(&prove_with(&keys, &CODE_APART, [Some("000"), Some("abcd1234"), Some("1")])));
    }

    #[test]
    fn a_code_of_any_length_is_a_refusal_unless_it_hides_a_success() {
        let keys = keys(Scheme::HmacSha256);
        let prove = |code, amount| prove_with(&keys, &OPEN_CODE, [Some("abcd1234"), code, amount, None]);
        for code in ["300", "300-51", "1", "ABCDEFGHIJKLMNOP"] {
            let Proof::Signed(facts) = prove(Some(code), Some("1500.00")) else { panic!("{code}") };
            assert_eq!(facts.status, PaymentStatus::Declined);
        }
        let Proof::Signed(facts) = prove(Some("000"), Some("1500.00")) else { panic!("success") };
        assert_eq!(facts.status, PaymentStatus::Paid);
        for (code, amount) in [
            (Some("0001"), Some("500.00")),
            (Some("000-54"), Some("1500.00")),
            (Some("0011."), Some("0")),
            (Some("00"), Some("01500.00")),
            (None, Some("0001500.00")),
            (Some("000"), Some("01500.00")),
            (Some("ABCDEFGHIJKLMNOPQ"), Some("1500.00")),
        ] {
            assert!(is_hint(&prove(code, amount)), "{code:?} {amount:?}");
        }
        // A provider for which another code means success gets no proof of it.
        let all_paid = |_: &str| PaymentStatus::Paid;
        let values = [Some("abcd1234"), Some("300"), Some("1500.00"), None];
        let signature = keys.sign(&[OPEN_CODE.text(values)]);
        let reading = Reading::new(Currency::MNT, &all_paid);
        assert!(is_hint(&keys.prove(&OPEN_CODE, values, Some(&signature), &reading).unwrap()));
    }

    #[test]
    fn values_with_a_separator_inside_prove_nothing() {
        static SEPARATED: MessageShape<3> = MessageShape::separated(
            "|",
            [
                SignedField::reference("ref", FieldLength::UpTo(20)),
                SignedField::result("code", FieldLength::UpTo(4)),
                SignedField::amount("amount", FieldLength::UpTo(20)),
            ],
        );
        let keys = keys(Scheme::HmacSha256);
        let signed = |values| matches!(prove_with(&keys, &SEPARATED, values), Proof::Signed(_));
        assert_eq!(SEPARATED.text([Some("a"), None, Some("1")]), "a||1");
        assert!(signed([Some("abc"), Some("000"), Some("1500.00")]));
        assert!(!signed([Some("abc"), Some("0|00"), Some("1500.00")]));
        assert!(!signed([Some("abc"), None, Some("1500.00")]));
    }

    #[test]
    fn references_and_amounts_on_the_wire_may_be_written_otherwise() {
        let keys = keys(Scheme::HmacSha256);
        let values = [Some("abcd1234"), Some("000"), Some("150000"), None];
        let reference = |text: &str| Ok(MerchantRef::parse(text.to_uppercase())?);
        let amount = |text: &str| {
            let minor = text.parse().map_err(|_| Error::new(ErrorKind::Malformed, "no number"))?;
            Ok(Money::from_minor(minor, Currency::MNT))
        };
        let reading = Reading::new(Currency::MNT, &status).with_reference(&reference).with_amount(&amount);
        let signature = keys.sign(&[FIXED.text(values)]);
        let Proof::Signed(facts) = keys.prove(&FIXED, values, Some(&signature), &reading).unwrap() else {
            panic!("it is signed")
        };
        assert_eq!(facts.merchant_ref.as_ref().unwrap().as_str(), "ABCD1234");
        assert_eq!(facts.amount, Money::from_minor(150_000, Currency::MNT));
    }

    #[test]
    fn a_document_is_proven_whole_under_every_scheme() {
        let amount = Money::from_minor(1, Currency::VND);
        let read = |_: &[u8]| Ok(IpnFacts::new(MerchantRef::parse("a")?, PaymentStatus::Paid, amount));
        for scheme in [Scheme::HmacSha256, Scheme::HmacSha512, Scheme::SaltedSha256] {
            let keys = keys(scheme);
            let signature = keys.sign(&[b"document"]);
            assert_eq!(keys.prove_document(b"document", Some(&signature), read).unwrap().amount, amount);
            assert!(keys.prove_document(b"documenT", Some(&signature), read).is_err());
            assert!(keys.prove_document(b"document", None, read).is_err());
        }
    }

    #[test]
    fn pairs_are_proven_as_received_and_unsigned_ones_are_not_seen() {
        static SORTED: PairShape = PairShape::new(PairOrder::Sorted).with_prefix("v_").without(&["v_hash"]);
        let keys = keys(Scheme::HmacSha512).in_either_case();
        let signature = keys.sign(&["v_a=1&v_b=x+%2f"]).to_uppercase();
        let prove = |query: &str| {
            let fields = Fields::parse(query.as_bytes())?;
            keys.prove_pairs(&SORTED, &fields, Some(&signature), |signed| {
                assert_eq!(signed.fields().get("amount")?, None, "it is not signed");
                assert_eq!(signed.fields().get("v_b")?, Some("x /"));
                let amount = Money::parse(signed.fields().needed("v_a")?, Currency::VND)?;
                Ok(IpnFacts::new(MerchantRef::parse("a")?, PaymentStatus::Paid, amount))
            })
        };
        assert!(prove("v_b=x+%2f&amount=9&v_hash=ignored&v_a=1").is_ok());
        for (query, kind) in [
            ("v_b=x+%2f&v_a=1&v_a=1", ErrorKind::Malformed),
            ("v_b=x+%2f&v_a=1&v%5Fa=2", ErrorKind::Malformed),
            ("v_b=x+%2f&v_a=1=", ErrorKind::Malformed),
            ("v_b=x+%2F&v_a=1", ErrorKind::Untrusted),
            ("v_b=x+%2f&v_a=1&v_c=", ErrorKind::Untrusted),
            ("v_b=x+%2f", ErrorKind::Untrusted),
        ] {
            assert_eq!(prove(query).unwrap_err().kind(), kind, "{query}");
        }
        assert_eq!(SORTED.text(&[("v_b", "x /"), ("v_a", "1"), ("v_hash", "-")]).unwrap(), "v_a=1&v_b=x+%2F");
        assert!(SORTED.text(&[("v_a", "1"), ("v_a", "2")]).is_err());
    }

    proptest! {
        /// Whatever split of a signed message is offered, at most one is proven.
        #[test]
        fn one_message_proves_one_thing(cut_a in 1_usize..14, cut_b in 1_usize..14) {
            let message = "abcd12340001500.00";
            let (a, b) = (cut_a.min(cut_b), cut_a.max(cut_b));
            prop_assume!(a != b && b < message.len());
            let proof = prove([Some(&message[..a]), Some(&message[a..b]), Some(&message[b..]), None]);
            prop_assert_eq!(matches!(proof, Proof::Signed(_)), (a, b) == (8, 11));
        }

        /// However a text is cut, it is not proven both as a success and as something else.
        #[test]
        fn no_text_is_a_success_and_a_failure(text in "[0-3]{3,8}[0-9]{0,4}(\\.[0-9]{1,2})?(a{64})?") {
            let mut seen = Vec::new();
            for code in 1..text.len() {
                for amount in code + 1..=text.len() {
                    let token = Some(&text[amount..]).filter(|token| !token.is_empty());
                    let values = [Some("abcd1234"), Some(&text[..code]), Some(&text[code..amount]), token];
                    if OPEN_CODE.reads_in_one_way(&values, Some(8))
                        && let Ok(amount) = Money::parse(&text[code..amount], Currency::MNT)
                    {
                        seen.push((status(&text[..code]), amount));
                    }
                }
            }
            let paid: Vec<_> = seen.iter().filter(|(status, _)| *status == PaymentStatus::Paid).collect();
            prop_assert!(paid.is_empty() || (paid.len() == 1 && seen.len() == 1), "{:?}", seen);
        }
    }
}
