//! What arrives by itself: notifications, and payers' browsers.

use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tracing::Instrument;
use tulbur_core::{
    AccountName, Channel, Delivery, Error as CoreError, ErrorKind, IpnEvent, IpnOutcome, IpnProvider, Proof,
    Provider, Reply,
};

use crate::ask::Reason;
use crate::error::{Error, Result};
use crate::event::{AttentionItem, AttentionKind, Event, EventKind, Source};
use crate::observe;
use crate::payments::{AsRead, Inner, Payments};
use crate::probe::Point;
use crate::proven::Proven;
use crate::record::{EventId, PageSecret, PaymentRecord};
use crate::store::{Changes, Find, InboxEntry, Known, Verdict};
use crate::transition::Fact;

/// How the address of a notification names its account.
#[derive(Debug, Clone, Copy)]
pub enum NotifyTarget<'a> {
    /// `/notify/{account}`, or `/notify/{provider}`, where the account is the one whose key verifies.
    Name(&'a str),
    /// `/notify/{account}/{secret}`: the address was made for one payment.
    WithSecret {
        /// The account.
        account: &'a str,
        /// The payment's page secret.
        secret: &'a str,
    },
}

/// Refused deliveries that are kept, per account.
const REFUSED_KEPT: u32 = 200;
/// How much of a refused delivery's body is kept.
const REFUSED_BODY: usize = 4096;

/// A delivery that was read by the account that it belongs to.
struct Read<'a> {
    provider: &'a dyn Provider,
    ipn: &'a dyn IpnProvider,
    event: IpnEvent,
    bound_to: Option<PaymentRecord>,
}

/// What was done with a delivery.
struct Taken {
    outcome: OutcomeWord,
    ask: Option<(PaymentRecord, Reason)>,
}

enum OutcomeWord {
    Accepted,
    Repeat { completed: bool },
    UnknownPayment,
}

impl Payments {
    /// Takes a notification, and says what to answer.
    ///
    /// The answer is made after the notification is on disk, and does not wait for anything else: the confirming
    /// question is asked afterwards. If it could not be stored, the answer is never a success.
    pub async fn notify(&self, target: NotifyTarget<'_>, delivery: Delivery<'_>) -> Reply {
        let reply =
            self.take_notification(target, delivery).instrument(tracing::info_span!("notification")).await;
        self.0.reached(Point::Acknowledged);
        reply
    }

    async fn take_notification(&self, target: NotifyTarget<'_>, delivery: Delivery<'_>) -> Reply {
        let began = Instant::now();
        let read = match self.0.read(target, &delivery).await {
            Ok(read) => read,
            Err(Refusal::NoSuchAddress) => return Reply::text(404, "no such notification address"),
            Err(Refusal::Store(error)) => {
                tracing::error!(%error, "a notification could not be checked; the provider is told to come again");
                observe::notification("not_stored", began);
                return Reply::text(503, "not stored");
            }
            Err(Refusal::Refused { account, reply, error }) => {
                tracing::warn!(%account, %error, "notification refused");
                if let Err(error) = self.0.keep_refused(&account, &delivery, &error).await {
                    tracing::error!(%account, %error, "a refused notification could not be kept");
                }
                observe::notification("refused", began);
                return reply;
            }
        };
        let account = read.provider.info().account.clone();
        match self.0.take(&account, &read, &delivery).await {
            Ok(taken) => {
                self.0.reached(Point::BeforeAcknowledgement);
                if let Some((payment, reason)) = taken.ask {
                    self.ask_soon(payment, reason);
                }
                let (word, outcome) = match taken.outcome {
                    OutcomeWord::Accepted => ("accepted", IpnOutcome::Accepted),
                    OutcomeWord::Repeat { completed } => ("repeat", IpnOutcome::Repeat { completed }),
                    OutcomeWord::UnknownPayment => ("unknown", IpnOutcome::UnknownPayment),
                };
                observe::notification(word, began);
                read.ipn.acknowledge(outcome)
            }
            Err(error) => {
                tracing::error!(%account, %error, "a notification could not be stored; the provider is told so");
                observe::notification("not_stored", began);
                read.ipn.acknowledge(IpnOutcome::NotStored)
            }
        }
    }

    /// Takes a payer's browser that came back, and returns the payment whose result page it is to see.
    ///
    /// What the browser says is never proof: it makes us ask, and not more often than the provider's pace allows.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an address that was not made here; [`Error::Provider`] when the fields cannot be read
    /// or are about another payment. Nothing is changed then.
    pub async fn returned(
        &self,
        account: &str,
        secret: &PageSecret,
        delivery: Delivery<'_>,
    ) -> Result<PaymentRecord> {
        let missing = || Error::NotFound("payment behind this address".into());
        let record =
            self.page(secret).await?.filter(|record| record.account == *account).ok_or_else(missing)?;
        let provider = self.0.provider(&record.account)?;
        let ipn = provider.ipn().ok_or_else(missing)?;
        let event = ipn.verify(&delivery).and_then(|event| {
            if is_about(&event, &record) {
                return Ok(event);
            }
            Err(CoreError::new(ErrorKind::Untrusted, "the fields are about another payment than the address")
                .with_field("reference"))
        });
        let event = match event {
            Ok(event) => event,
            Err(error) => {
                self.0.keep_refused(&record.account, &delivery, &error).await?;
                return Err(error.into());
            }
        };
        let read = Read { provider, ipn, event, bound_to: Some(record.clone()) };
        let account = record.account.clone();
        let taken = self.0.take(&account, &read, &delivery).await?;
        if let Some((payment, reason)) = taken.ask {
            self.ask_soon(payment, reason);
        }
        self.0.load(&record.id).await
    }

    fn ask_soon(&self, payment: PaymentRecord, reason: Reason) {
        let this = self.clone();
        tokio::spawn(async move {
            let id = payment.id.clone();
            if let Err(error) = this.0.ask_about(payment, reason).await {
                // It is due in the database too, so the worker asks again.
                tracing::warn!(payment = %id, %error, "could not ask after a delivery");
            }
        });
    }
}

enum Refusal {
    NoSuchAddress,
    Store(Error),
    Refused { account: AccountName, reply: Reply, error: CoreError },
}

pub(crate) fn is_about(event: &IpnEvent, record: &PaymentRecord) -> bool {
    let subject = &event.subject;
    let merchant = subject.merchant_ref.as_ref().is_none_or(|named| *named == record.reference.merchant_ref);
    let provider = match (&subject.provider_ref, &record.reference.provider_ref) {
        (Some(named), Some(known)) => named == known,
        _ => true,
    };
    merchant && provider && (subject.merchant_ref.is_some() || subject.provider_ref.is_some())
}

impl Inner {
    /// Finds the account whose provider can read the delivery.
    async fn read<'a>(
        &'a self,
        target: NotifyTarget<'_>,
        delivery: &Delivery<'_>,
    ) -> std::result::Result<Read<'a>, Refusal> {
        let (name, bound_to) = match target {
            NotifyTarget::Name(name) => (name, None),
            NotifyTarget::WithSecret { account, secret } => {
                let secret = PageSecret::parse(secret).ok_or(Refusal::NoSuchAddress)?;
                let hash = crate::payments::secret_hash(&secret);
                let found = self
                    .store
                    .payment(Find::SecretHash(&hash))
                    .await
                    .map_err(|e| Refusal::Store(e.into()))?;
                let record =
                    found.filter(|record| record.account == *account).ok_or(Refusal::NoSuchAddress)?;
                (account, Some(record))
            }
        };
        let by_name = self.accounts.iter().find(|(account, _)| **account == *name);
        let candidates: Vec<_> = match by_name {
            Some(found) => vec![found],
            None => self.accounts.iter().filter(|(_, provider)| provider.info().id == *name).collect(),
        };
        let mut refused = None;
        for (account, provider) in candidates {
            let Some(ipn) = provider.ipn() else { continue };
            let checked = ipn.verify(delivery).and_then(|event| match &bound_to {
                Some(record) if !is_about(&event, record) => {
                    Err(CoreError::new(ErrorKind::Untrusted, "it is about another payment than its address")
                        .with_field("reference"))
                }
                _ => Ok(event),
            });
            match checked {
                Ok(event) => return Ok(Read { provider: &**provider, ipn, event, bound_to }),
                Err(error) => {
                    let reply = ipn.acknowledge(IpnOutcome::Rejected(&error));
                    refused = Some(Refusal::Refused { account: account.clone(), reply, error });
                }
            }
        }
        Err(refused.unwrap_or(Refusal::NoSuchAddress))
    }

    /// Stores a delivery with what follows from it, in one commit.
    async fn take(&self, account: &AccountName, read: &Read<'_>, delivery: &Delivery<'_>) -> Result<Taken> {
        let event = &read.event;
        let anybody = is_anybodys(event);
        let key = repeat_key(delivery.channel, event);
        let known = self.known(account, read, &key).await?;
        // What anybody can send makes us ask no faster than the provider's pace allows.
        let reason = if anybody { Reason::Unproven } else { Reason::Told };
        let Some(record) = known.payment else {
            return self.take_unknown(account, event, delivery, anybody).await;
        };
        let as_read = || AsRead { payment: record.clone(), order: known.order.clone() };
        if !anybody && !is_about(event, &record) {
            let meaning = event.meaning().to_hex();
            let mut entry = self.inbox_entry(account, event, &meaning, delivery);
            entry.payment = Some(record.id.clone());
            entry.verdict = Verdict::Contradiction;
            entry.note =
                format!("{}, about our reference together with another one of the provider's", entry.note);
            let detail = format!(
                "a genuine notification ({}) is about another one of the provider's payments",
                claim_of(event)
            );
            let payment = self.decide(as_read(), None, &Fact::Contradicted { detail }, Some(&entry)).await?;
            return Ok(Taken { outcome: OutcomeWord::Accepted, ask: Some((payment, reason)) });
        }
        // What anybody can send has one row, however much it varies.
        let meaning = if anybody { "-".to_owned() } else { event.meaning().to_hex() };
        let mut entry = self.inbox_entry(account, event, &meaning, delivery);
        entry.payment = Some(record.id.clone());
        if let Some(earlier) = known.earlier {
            if earlier.meaning == meaning {
                let commit = Changes { inbox: vec![entry], ..Changes::default() };
                self.commit(commit).await?;
                let completed = record.status.is_success();
                let ask = (anybody && !completed).then(|| (record.clone(), reason));
                return Ok(Taken { outcome: OutcomeWord::Repeat { completed }, ask });
            }
            entry.verdict = Verdict::Contradiction;
            entry.note = format!("{}, and an earlier delivery of the same event said otherwise", entry.note);
            let detail = format!(
                "two genuine notifications of one event differ: now {}; the provider is asked which is right",
                claim_of(event)
            );
            let payment = self.decide(as_read(), None, &Fact::Contradicted { detail }, Some(&entry)).await?;
            return Ok(Taken { outcome: OutcomeWord::Accepted, ask: Some((payment, reason)) });
        }
        let fact = match &event.proof {
            Proof::Signed(facts) => {
                let card = event.saved_card.as_ref().and_then(|saved| self.seal_card(&record, saved));
                Fact::Proven(Box::new(Proven::by_notification(facts.clone(), event, &record.reference)), card)
            }
            Proof::Hint { .. } => {
                let (source, who) = match delivery.channel {
                    Channel::Notify => (Source::Notification, "a notification"),
                    Channel::Return => (Source::Return, "the payer's browser"),
                };
                let unsigned =
                    if anybody && delivery.channel == Channel::Notify { " that is not signed" } else { "" };
                Fact::Hinted { source, what: format!("{who}{unsigned} says {}; asking", claim_of(event)) }
            }
        };
        let record = self.decide(as_read(), None, &fact, Some(&entry)).await?;
        let ask = (!anybody || !record.status.is_success()).then_some((record, reason));
        Ok(Taken { outcome: OutcomeWord::Accepted, ask })
    }

    async fn known(&self, account: &AccountName, read: &Read<'_>, repeat_key: &str) -> Result<Known> {
        let subject = &read.event.subject;
        let payment = match (&read.bound_to, &subject.merchant_ref, &subject.provider_ref) {
            (Some(record), _, _) => Find::Id(&record.id),
            (None, Some(reference), _) => Find::MerchantRef(account, reference),
            (None, None, Some(reference)) => Find::ProviderRef(account, reference),
            (None, None, None) => return Ok(Known::default()),
        };
        Ok(self.store.known(account, payment, repeat_key).await?)
    }

    async fn take_unknown(
        &self,
        account: &AccountName,
        event: &IpnEvent,
        delivery: &Delivery<'_>,
        anybody: bool,
    ) -> Result<Taken> {
        let meaning = if anybody { "-".to_owned() } else { event.meaning().to_hex() };
        let mut entry = self.inbox_entry(account, event, &meaning, delivery);
        entry.verdict = Verdict::UnknownPayment;
        if anybody {
            entry.verdict = Verdict::Refused;
            "about no payment of ours, and not signed".clone_into(&mut entry.note);
            self.store.keep_refused(entry, REFUSED_KEPT).await?;
            return Ok(Taken { outcome: OutcomeWord::UnknownPayment, ask: None });
        }
        "about no payment of ours".clone_into(&mut entry.note);
        let now = self.clock.now();
        let detail = format!(
            "a genuine notification ({}) names `{}`, which is no payment of ours; does another system share this \
             account, or was the database restored from an old copy?",
            claim_of(event),
            event.repeat_key()
        );
        let item = AttentionItem {
            key: format!("{}/{account}/{}", AttentionKind::UnknownPayment, event.repeat_key()),
            at: now,
            kind: AttentionKind::UnknownPayment,
            account: account.clone(),
            order: None,
            payment: None,
            detail: detail.clone(),
        };
        let told = Event {
            id: EventId::from_text(self.ids.uuid_v7()),
            at: now,
            order: None,
            payment: None,
            kind: EventKind::Attention { reason: AttentionKind::UnknownPayment, detail },
        };
        self.commit(Changes { attention: vec![(item, told)], inbox: vec![entry], ..Changes::default() })
            .await?;
        self.wake.notify_one();
        Ok(Taken { outcome: OutcomeWord::UnknownPayment, ask: None })
    }

    fn inbox_entry(
        &self,
        account: &AccountName,
        event: &IpnEvent,
        meaning: &str,
        delivery: &Delivery<'_>,
    ) -> InboxEntry {
        let id = self.ids.uuid_v7();
        InboxEntry {
            sealed: self.seal_delivery(&id, delivery, usize::MAX),
            id,
            account: account.clone(),
            channel: delivery.channel,
            at: self.clock.now(),
            repeat_key: repeat_key(delivery.channel, event),
            meaning: meaning.to_owned(),
            verdict: Verdict::Accepted,
            note: said_by(event),
            payment: None,
        }
    }

    async fn keep_refused(
        &self,
        account: &AccountName,
        delivery: &Delivery<'_>,
        error: &CoreError,
    ) -> Result<()> {
        let id = self.ids.uuid_v7();
        let entry = InboxEntry {
            sealed: self.seal_delivery(&id, delivery, REFUSED_BODY),
            repeat_key: id.clone(),
            id,
            account: account.clone(),
            channel: delivery.channel,
            at: self.clock.now(),
            meaning: "-".into(),
            verdict: Verdict::Refused,
            note: error.to_string().chars().take(300).collect(),
            payment: None,
        };
        Ok(self.store.keep_refused(entry, REFUSED_KEPT).await?)
    }

    fn seal_delivery(&self, id: &str, delivery: &Delivery<'_>, most: usize) -> String {
        let body = &delivery.body[..delivery.body.len().min(most)];
        let raw = serde_json::json!({
            "method": delivery.method,
            "query": delivery.query.map(|query| query.chars().take(most.min(8192)).collect::<String>()),
            "headers": delivery.headers.iter().take(64).collect::<Vec<_>>(),
            "body": STANDARD.encode(body),
            "bytes": delivery.body.len(),
        });
        self.keys.seal(&*self.ids, &format!("inbox/{id}"), raw.to_string().as_bytes())
    }
}

/// Whether anybody could have sent it.
pub(crate) fn is_anybodys(event: &IpnEvent) -> bool {
    matches!(event.proof, Proof::Hint { checked: false })
}

/// By what a repeat is recognised. What anybody can send never meets what is genuine, and has one row for each payment
/// that it names, however it varies.
fn repeat_key(channel: Channel, event: &IpnEvent) -> String {
    if !is_anybodys(event) {
        return event.repeat_key().to_owned();
    }
    let named = match (&event.subject.merchant_ref, &event.subject.provider_ref) {
        (Some(reference), _) => reference.as_str(),
        (None, Some(reference)) => reference.as_str(),
        (None, None) => event.repeat_key(),
    };
    match channel {
        Channel::Notify => format!("unproven/notify/{named}"),
        Channel::Return => format!("unproven/return/{named}"),
    }
}

/// What a delivery says, and whether that is worth anything, for a person.
fn said_by(event: &IpnEvent) -> String {
    match &event.proof {
        Proof::Signed(_) => format!("signed, says {}", claim_of(event)),
        Proof::Hint { checked: true } => format!("says {}", claim_of(event)),
        Proof::Hint { checked: false } => format!("not signed, says {}", claim_of(event)),
    }
}

/// What an event claims, for a person.
pub(crate) fn claim_of(event: &IpnEvent) -> String {
    let status = event.claimed.map_or("something", tulbur_core::PaymentStatus::as_str);
    match (&event.amount, &event.code) {
        (Some(amount), Some(code)) => format!("{status}, {amount}, code {code}"),
        (Some(amount), None) => format!("{status}, {amount}"),
        (None, Some(code)) => format!("{status}, code {code}"),
        (None, None) => status.to_owned(),
    }
}
