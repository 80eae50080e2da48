//! Sealing at rest: card tokens, page secrets and raw deliveries are never in the database in clear.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use tulbur_core::{AccountName, Channel, CustomerRef, ErrorKind, IdSource, OrderRef};

use crate::error::{Error, Result};
use crate::model::changes::InboxEntry;
use crate::model::record::{Card, CardId, PaymentId, PaymentRecord, Purpose};

/// Where a sealed value stands and whose it is: it opens nowhere else, and for nobody else.
///
/// All of it is authenticated with the value (`AAD`). So a value that is copied into another row does not open, and
/// neither does one whose row was given another account, order or customer.
#[derive(Debug, Clone, Copy, Serialize)]
#[cfg_attr(test, derive(PartialEq))]
pub(crate) enum Place<'a> {
    /// A saved card's token.
    Card { id: &'a CardId, customer: &'a CustomerRef, account: &'a AccountName },
    /// The secret of a payment's page. A card set-up has a customer and no order.
    Page {
        id: &'a PaymentId,
        account: &'a AccountName,
        order: Option<&'a OrderRef>,
        customer: Option<&'a CustomerRef>,
    },
    /// A delivery as it came.
    Delivery { id: &'a str, account: &'a AccountName, channel: Channel },
}

impl<'a> Place<'a> {
    pub(crate) fn of_card(card: &'a Card) -> Self {
        Self::Card { id: &card.id, customer: &card.customer, account: &card.account }
    }

    pub(crate) fn of_page(id: &'a PaymentId, account: &'a AccountName, purpose: &'a Purpose) -> Self {
        let (order, customer) = match purpose {
            Purpose::Payment { order, save_card_for, .. } => (Some(order), save_card_for.as_ref()),
            Purpose::CardSetup { customer } => (None, Some(customer)),
        };
        Self::Page { id, account, order, customer }
    }

    pub(crate) fn of_payment(record: &'a PaymentRecord) -> Self {
        Self::of_page(&record.id, &record.account, &record.purpose)
    }

    pub(crate) fn of_entry(entry: &'a InboxEntry) -> Self {
        Self::Delivery { id: &entry.id, account: &entry.account, channel: entry.channel }
    }

    /// As bytes that no other place has.
    fn aad(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("texts and names are always JSON")
    }
}

/// The keys that seal what is stored. The first seals; all of them open, so that a key can be changed.
///
/// To change it: put the new key first and keep the old one behind it, in **every** process; only then seal anew what the
/// old one sealed ([`Payments::reseal`](crate::Payments::reseal)), until nothing is left; then take the old one out. A
/// process that knows only the old key cannot open what the new one sealed. Copies of the database from before still
/// need the old key: keep it with them.
///
/// `Debug` shows their ids.
#[derive(Clone)]
pub struct SealingKeys(Vec<(String, XChaCha20Poly1305)>);

impl SealingKeys {
    /// Takes keys by their ids. A key is 32 random bytes in base64, as `openssl rand -base64 32` prints them.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`] when there is none, a key has another length, or an id is used twice or has
    /// characters other than letters, digits and `-`.
    pub fn new<'a>(keys: impl IntoIterator<Item = (&'a str, &'a SecretString)>) -> Result<Self> {
        let refuse = |why: String| {
            Error::Provider(tulbur_core::Error::new(ErrorKind::Configuration, why).with_field("sealing_key"))
        };
        let mut ciphers: Vec<(String, XChaCha20Poly1305)> = Vec::new();
        // By their places: an id may be a key, in the wrong place.
        for (place, (id, key)) in (1..).zip(keys) {
            if id.is_empty() || !id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
                return Err(refuse("a key's id must be letters, digits and hyphens".into()));
            }
            if ciphers.iter().any(|(taken, _)| taken == id) {
                return Err(refuse(format!("the id of key {place} stands twice")));
            }
            let bytes = STANDARD
                .decode(key.expose_secret().trim())
                .ok()
                .and_then(|bytes| Key::try_from(bytes.as_slice()).ok())
                .ok_or_else(|| {
                    refuse(format!(
                        "key {place} must be 32 bytes in base64; make one with `openssl rand -base64 32`"
                    ))
                })?;
            ciphers.push((id.to_owned(), XChaCha20Poly1305::new(&bytes)));
        }
        if ciphers.is_empty() {
            return Err(refuse("there is none; make one with `openssl rand -base64 32`".into()));
        }
        Ok(Self(ciphers))
    }

    /// The id of the key that seals.
    pub(crate) fn newest(&self) -> &str {
        &self.0[0].0
    }

    /// Seals a text for one place: it opens nowhere else.
    pub(crate) fn seal(&self, ids: &dyn IdSource, place: &Place<'_>, clear: &[u8]) -> String {
        let (id, cipher) = &self.0[0];
        let mut nonce = [0_u8; 24];
        ids.fill(&mut nonce);
        let payload = Payload { msg: clear, aad: &place.aad() };
        let sealed = cipher
            .encrypt(&XNonce::from(nonce), payload)
            .expect("a text that fits memory is shorter than the cipher's limit");
        format!("{id}.{}", STANDARD.encode([nonce.as_slice(), sealed.as_slice()].concat()))
    }

    /// Opens what [`SealingKeys::seal`] sealed for the same place.
    pub(crate) fn open(&self, place: &Place<'_>, sealed: &str) -> Result<Vec<u8>> {
        let fail = |why: &str| Error::Sealed(why.to_owned());
        let (id, text) = sealed.split_once('.').ok_or_else(|| fail("it has no key id"))?;
        let (_, cipher) = self.0.iter().find(|(known, _)| known == id).ok_or_else(|| {
            Error::Sealed(format!("key `{id}` is not configured; configure it beside the new one"))
        })?;
        let bytes = STANDARD.decode(text).map_err(|_| fail("it is not base64"))?;
        let (nonce, sealed) = bytes.split_at_checked(24).ok_or_else(|| fail("it is too short"))?;
        let nonce = XNonce::try_from(nonce).map_err(|_| fail("it is too short"))?;
        cipher
            .decrypt(&nonce, Payload { msg: sealed, aad: &place.aad() })
            .map_err(|_| fail("it was changed, or sealed for another place"))
    }

    pub(crate) fn open_text(&self, place: &Place<'_>, sealed: &str) -> Result<String> {
        String::from_utf8(self.open(place, sealed)?).map_err(|_| Error::Sealed("it is not text".into()))
    }
}

impl fmt::Debug for SealingKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(id, _)| id)).finish()
    }
}

#[cfg(test)]
mod tests {
    use tulbur_core::RandomIds;

    use super::*;

    fn key(byte: u8) -> SecretString {
        SecretString::from(STANDARD.encode([byte; 32]))
    }

    fn account(name: &str) -> AccountName {
        AccountName::parse(name).unwrap()
    }

    #[test]
    fn what_is_sealed_opens_in_its_place_only() {
        let keys = SealingKeys::new([("a", &key(1))]).unwrap();
        let (one, two) = (account("one"), account("two"));
        let (bat, dorj) = (CustomerRef::parse("bat").unwrap(), CustomerRef::parse("dorj").unwrap());
        let (card, other_card) = (CardId::from_text("1"), CardId::from_text("2"));
        let (payment, other_payment) = (PaymentId::from_text("1"), PaymentId::from_text("2"));
        let (order, other_order) = (OrderRef::parse("1").unwrap(), OrderRef::parse("2").unwrap());
        let a_card = Place::Card { id: &card, customer: &bat, account: &one };
        let a_page = Place::Page { id: &payment, account: &one, order: Some(&order), customer: Some(&bat) };
        let a_delivery = Place::Delivery { id: "1", account: &one, channel: Channel::Notify };
        let places = [
            a_card,
            Place::Card { id: &other_card, customer: &bat, account: &one },
            Place::Card { id: &card, customer: &dorj, account: &one },
            Place::Card { id: &card, customer: &bat, account: &two },
            a_page,
            Place::Page { id: &other_payment, account: &one, order: Some(&order), customer: Some(&bat) },
            Place::Page { id: &payment, account: &two, order: Some(&order), customer: Some(&bat) },
            Place::Page { id: &payment, account: &one, order: Some(&other_order), customer: Some(&bat) },
            Place::Page { id: &payment, account: &one, order: Some(&order), customer: Some(&dorj) },
            Place::Page { id: &payment, account: &one, order: None, customer: Some(&bat) },
            a_delivery,
            Place::Delivery { id: "2", account: &one, channel: Channel::Notify },
            Place::Delivery { id: "1", account: &two, channel: Channel::Notify },
            Place::Delivery { id: "1", account: &one, channel: Channel::Return },
        ];
        for mine in [a_card, a_page, a_delivery] {
            let sealed = keys.seal(&RandomIds, &mine, b"planted");
            assert!(!sealed.contains("planted"));
            assert_ne!(sealed, keys.seal(&RandomIds, &mine, b"planted"));
            assert_eq!(keys.open_text(&mine, &sealed).unwrap(), "planted");
            for place in places {
                assert_eq!(keys.open(&place, &sealed).is_ok(), place == mine, "{mine:?} opened as {place:?}");
            }
            let mut changed = sealed.clone();
            let last = changed.pop().unwrap();
            changed.push(if last == 'A' { 'B' } else { 'A' });
            assert!(keys.open(&mine, &changed).is_err());
        }
        for broken in ["", "a.", "a.AAAA", "a.*", "b.AAAA"] {
            assert!(keys.open(&a_card, broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn an_old_key_still_opens_after_a_new_one_seals() {
        let one = account("one");
        let place = Place::Delivery { id: "1", account: &one, channel: Channel::Notify };
        let old = SealingKeys::new([("old", &key(1))]).unwrap();
        let sealed = old.seal(&RandomIds, &place, b"text");
        let both = SealingKeys::new([("new", &key(2)), ("old", &key(1))]).unwrap();
        assert_eq!(both.open(&place, &sealed).unwrap(), b"text");
        assert!(both.seal(&RandomIds, &place, b"text").starts_with("new."));
        let only_new = SealingKeys::new([("new", &key(2))]).unwrap();
        assert!(only_new.open(&place, &sealed).unwrap_err().to_string().contains("`old` is not configured"));
    }

    #[test]
    fn keys_are_checked_and_not_printed() {
        assert!(SealingKeys::new([]).is_err());
        let (key_1, planted) = (key(1), SecretString::from("planted"));
        for wrong in [
            vec![("planted", &planted)],
            vec![("planted.b", &key_1)],
            vec![("", &key_1)],
            vec![("planted", &key_1), ("planted", &key_1)],
        ] {
            let error = SealingKeys::new(wrong).unwrap_err().to_string();
            assert!(!error.contains("planted"), "{error}");
        }
        assert_eq!(format!("{:?}", SealingKeys::new([("a", &key(1))]).unwrap()), "[\"a\"]");
    }
}
