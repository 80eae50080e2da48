//! Sealing anew, so that an old key can be taken out.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::engine::inner::{Inner, Payments};
use crate::error::{Error, Result, StoreError};
use crate::model::record::{CardId, PaymentId, PaymentRecord};
use crate::store::seal::{Place, SealingKeys};
use crate::store::{Changes, Find, PaymentFilter};

/// Where to go on with [`Payments::reseal`]. The default is the beginning.
///
/// It prints as a text that can be kept and parsed again.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ResealFrom {
    /// With the first card.
    #[default]
    Start,
    /// With the cards after this one.
    Card(CardId),
    /// With the newest payment.
    Payments,
    /// With the payments that are older than this one.
    Payment(PaymentId),
    /// With the first delivery.
    Inbox,
    /// With the deliveries after this one.
    Delivery(String),
}

impl fmt::Display for ResealFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start => f.write_str("start"),
            Self::Card(id) => write!(f, "card/{id}"),
            Self::Payments => f.write_str("payments"),
            Self::Payment(id) => write!(f, "payment/{id}"),
            Self::Inbox => f.write_str("inbox"),
            Self::Delivery(id) => write!(f, "delivery/{id}"),
        }
    }
}

impl FromStr for ResealFrom {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        Ok(match text.split_once('/') {
            None if text == "start" => Self::Start,
            None if text == "payments" => Self::Payments,
            None if text == "inbox" => Self::Inbox,
            Some(("card", id)) => Self::Card(CardId::from_text(id)),
            Some(("payment", id)) => Self::Payment(PaymentId::from_text(id)),
            Some(("delivery", id)) => Self::Delivery(id.to_owned()),
            _ => return Err(Error::NotFound(format!("place `{text}` to seal anew from"))),
        })
    }
}

/// What one step of [`Payments::reseal`] did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Resealed {
    /// How many sealed values were looked at.
    pub seen: u64,
    /// How many of them were sealed anew.
    pub resealed: u64,
    /// How many are left that need another key than the newest, by that key's id: it is not configured, or the value
    /// cannot be opened with it.
    pub left: BTreeMap<String, u64>,
    /// Where the next step goes on; none after the last.
    pub next: Option<ResealFrom>,
}

impl Resealed {
    /// Adds what a later step did, and goes on from there.
    pub fn add(&mut self, step: Self) {
        self.seen += step.seen;
        self.resealed += step.resealed;
        for (key, count) in step.left {
            *self.left.entry(key).or_default() += count;
        }
        self.next = step.next;
    }

    fn count(&mut self, done: &Anew) {
        self.seen += 1;
        if let Anew::Not(key) = done {
            *self.left.entry(key.clone()).or_default() += 1;
        }
    }
}

/// What there is to do about one sealed value.
enum Anew {
    /// It is sealed with the newest key.
    Newest,
    /// It is to be replaced by this.
    With(String),
    /// It cannot be opened; it needs this key.
    Not(String),
}

impl Payments {
    /// Seals what is stored with the newest key, at most `batch` values of it: cards' tokens, page secrets and kept
    /// deliveries. Call it again with [`Resealed::next`] until that is none; then begin again from the start, and if
    /// nothing was sealed anew and [`Resealed::left`] is empty, the old key is needed no more.
    ///
    /// It may run while payments do, in several processes, be stopped at any point and begun again: what is sealed with
    /// the newest key is left as it is. A value changes in one commit, and only if it is still the one that was read.
    ///
    /// # Errors
    /// The database's. What was sealed anew before it stays so.
    pub async fn reseal(&self, from: &ResealFrom, batch: u32) -> Result<Resealed> {
        let batch = batch.max(1);
        let mut done = Resealed::default();
        match from {
            ResealFrom::Start => self.0.reseal_cards(None, batch, &mut done).await?,
            ResealFrom::Card(after) => self.0.reseal_cards(Some(after), batch, &mut done).await?,
            ResealFrom::Payments => self.0.reseal_payments(None, batch, &mut done).await?,
            ResealFrom::Payment(after) => self.0.reseal_payments(Some(after), batch, &mut done).await?,
            ResealFrom::Inbox => self.0.reseal_inbox(None, batch, &mut done).await?,
            ResealFrom::Delivery(after) => self.0.reseal_inbox(Some(after), batch, &mut done).await?,
        }
        Ok(done)
    }
}

impl SealingKeys {
    /// Whether a value is sealed with another key than the one that seals now.
    fn is_old(&self, sealed: &str) -> bool {
        key_of(sealed) != self.newest()
    }
}

fn key_of(sealed: &str) -> &str {
    sealed.split_once('.').map_or("", |(id, _)| id)
}

impl Inner {
    fn anew(&self, place: &Place<'_>, sealed: &str) -> Anew {
        if !self.keys.is_old(sealed) {
            return Anew::Newest;
        }
        match self.keys.open(place, sealed) {
            Ok(clear) => Anew::With(self.keys.seal(&*self.ids, place, &clear)),
            Err(_) => Anew::Not(key_of(sealed).to_owned()),
        }
    }

    async fn reseal_cards(&self, after: Option<&CardId>, batch: u32, done: &mut Resealed) -> Result<()> {
        let cards = self.store.sealed_cards(after, batch).await?;
        for card in &cards {
            let anew = self.anew(&Place::of_card(&card.card), &card.sealed_token);
            done.count(&anew);
            if let Anew::With(sealed) = &anew {
                let put = self.store.reseal_card(&card.card.id, &card.sealed_token, sealed).await?;
                done.resealed += u64::from(put);
            }
        }
        let full = cards.len() >= batch as usize;
        let last = cards.last().filter(|_| full).map(|card| ResealFrom::Card(card.card.id.clone()));
        done.next = Some(last.unwrap_or(ResealFrom::Payments));
        Ok(())
    }

    async fn reseal_inbox(&self, after: Option<&str>, batch: u32, done: &mut Resealed) -> Result<()> {
        let entries = self.store.sealed_inbox(after, batch).await?;
        for entry in &entries {
            let anew = self.anew(&Place::of_entry(entry), &entry.sealed);
            done.count(&anew);
            if let Anew::With(sealed) = &anew {
                let put = self.store.reseal_inbox(&entry.id, &entry.sealed, sealed).await?;
                done.resealed += u64::from(put);
            }
        }
        let full = entries.len() >= batch as usize;
        done.next = entries.last().filter(|_| full).map(|entry| ResealFrom::Delivery(entry.id.clone()));
        Ok(())
    }

    async fn reseal_payments(
        &self,
        after: Option<&PaymentId>,
        batch: u32,
        done: &mut Resealed,
    ) -> Result<()> {
        let filter = PaymentFilter { after: after.cloned(), limit: batch, ..PaymentFilter::default() };
        let payments = self.store.payments(&filter).await?;
        for payment in &payments {
            let anew = self.reseal_payment(payment).await?;
            done.count(&anew);
            done.resealed += u64::from(matches!(anew, Anew::With(_)));
        }
        let full = payments.len() >= batch as usize;
        let last = payments.last().filter(|_| full).map(|payment| ResealFrom::Payment(payment.id.clone()));
        done.next = Some(last.unwrap_or(ResealFrom::Inbox));
        Ok(())
    }

    /// Writes the record as it was read, with another sealing of the same secret. Whoever changed it meanwhile wins,
    /// and it is read again; whoever decides on what was read before decides anew.
    async fn reseal_payment(&self, payment: &PaymentRecord) -> Result<Anew> {
        const TRIES: usize = 20;
        let mut payment = payment.clone();
        for _ in 0..TRIES {
            let anew = self.anew(&Place::of_payment(&payment), &payment.sealed_secret);
            let Anew::With(sealed) = &anew else { return Ok(anew) };
            let id = payment.id.clone();
            let sealed = PaymentRecord { sealed_secret: sealed.clone(), ..payment };
            match self.commit(Changes { payments: vec![sealed], ..Changes::default() }).await {
                Ok(()) => return Ok(anew),
                Err(StoreError::Conflict) => {
                    let Some(read) = self.store.payment(Find::Id(&id)).await? else {
                        return Ok(Anew::Newest);
                    };
                    payment = read;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Conflict.into())
    }
}
