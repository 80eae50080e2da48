//! Applies deliveries: commits each one together with the changes that follow from it, whether its payment is known or not.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tulbur_core::{AccountName, Channel, Delivery, IpnEvent, Proof, Voucher};

use crate::decide::Fact;
use crate::decide::proven::Proven;
use crate::engine::apply::{AsRead, Patience};
use crate::engine::arrival::{Arrival, contradiction};
use crate::engine::inner::Inner;
use crate::engine::kept::RawDelivery;
use crate::engine::notify::{Binding, OutcomeWord, Read, Taken, binding, misdirected, names};
use crate::engine::spacing::Reason;
use crate::error::Result;
use crate::model::event::{AttentionItem, AttentionKind, Event, EventKind, Source};
use crate::model::record::{EventId, PaymentRecord};
use crate::store::seal::Place;
use crate::store::{Changes, Find, InboxEntry, Known, Verdict};

/// How soon a notification that came before its payment was known is tried again.
const EARLY_AGAIN: Duration = Duration::from_secs(2);

impl Inner {
    /// Stores a delivery with what follows from it, in one commit.
    pub(crate) async fn take(
        &self,
        account: &AccountName,
        read: &Read<'_>,
        delivery: &Delivery<'_>,
    ) -> Result<Taken> {
        let event = &read.event;
        let anybody = is_anybodys(event);
        let key = repeat_key(delivery.channel, event, read.address_of.as_ref());
        let known = self.known(account, read, &key).await?;
        let elsewhere = known
            .payment
            .as_ref()
            .zip(read.address_of.as_ref())
            .is_some_and(|(found, address_of)| found.id != address_of.id);
        if elsewhere {
            self.refuse(account, delivery, &misdirected()).await;
            return Ok(Taken { outcome: OutcomeWord::Misdirected, ask: None });
        }
        let Some(record) = known.payment else {
            return self.take_unknown(account, event, delivery, anybody).await;
        };
        // What anybody can send has one row, however much it varies.
        let meaning = if anybody { "-".to_owned() } else { event.meaning().to_hex() };
        let entry = InboxEntry { repeat_key: key, ..self.inbox_entry(account, event, &meaning, delivery) };
        let as_read = AsRead { payment: record, order: known.order };
        self.take_known(as_read, known.earlier, event, Arrival::New(&entry)).await
    }

    /// Applies a delivery about a payment that is known.
    async fn take_known(
        &self,
        as_read: AsRead,
        earlier: Option<InboxEntry>,
        event: &IpnEvent,
        arrival: Arrival<'_>,
    ) -> Result<Taken> {
        let anybody = is_anybodys(event);
        // What anybody can send makes us ask no faster than the provider's pace allows.
        let reason = if anybody { Reason::Unproven } else { Reason::Told };
        let mut entry = arrival.entry().clone();
        let record = &as_read.payment;
        entry.payment = Some(record.id.clone());
        entry.verdict = Verdict::Accepted;
        if !anybody && binding(event, record) == Binding::Contradicts {
            entry.verdict = Verdict::Contradiction;
            entry.note =
                format!("{}, about our reference together with another one of the provider's", entry.note);
            let detail = format!(
                "a genuine notification ({}) is about another one of the provider's payments",
                claim_of(event)
            );
            let fact = Fact::Contradicted { detail };
            let payment = self.contradicted(as_read, fact, arrival.with(&entry)).await?;
            return Ok(Taken { outcome: OutcomeWord::Accepted, ask: Some((payment, reason)) });
        }
        if let Some(earlier) = earlier {
            if earlier.meaning == entry.meaning {
                let completed = record.status.is_success();
                // A hint is repeated where the provider's own books were not ready for the first question.
                let again = match &event.proof {
                    Proof::Signed(_) => None,
                    Proof::Hint(Voucher::None) => Some(reason),
                    Proof::Hint(_) => Some(Reason::Looking),
                };
                let ask = again.filter(|_| !completed).map(|reason| (record.clone(), reason));
                let changes = match arrival {
                    Arrival::New(_) => Changes { inbox: vec![entry], ..Changes::default() },
                    Arrival::Kept(_) => Changes { settled: vec![entry], ..Changes::default() },
                };
                self.commit_known(&changes, Patience::Short).await?;
                return Ok(Taken { outcome: OutcomeWord::Repeat { completed }, ask });
            }
            let (entry, fact) = contradiction(&entry);
            let payment = self.contradicted(as_read, fact, arrival.with(&entry)).await?;
            return Ok(Taken { outcome: OutcomeWord::Accepted, ask: Some((payment, reason)) });
        }
        let fact = match &event.proof {
            Proof::Signed(facts) => {
                let card = event.saved_card.as_ref().and_then(|saved| self.seal_card(record, saved));
                Fact::Proven(Box::new(Proven::by_notification(facts.clone(), event, &record.reference)), card)
            }
            Proof::Hint(voucher) => {
                let (source, who) = match entry.channel {
                    Channel::Notify => (Source::Notification, "a notification"),
                    Channel::Return => (Source::Return, "the payer's browser"),
                };
                let unsigned =
                    if anybody && entry.channel == Channel::Notify { " that is not signed" } else { "" };
                let says = match (voucher, event.claimed) {
                    (Voucher::Address, None) => "came to its own address".to_owned(),
                    _ => format!("says {}", claim_of(event)),
                };
                Fact::Hinted { source, what: format!("{who}{unsigned} {says}; asking") }
            }
        };
        let decided = self.decide(as_read, None, &fact, Some(arrival.with(&entry)), Patience::Short).await?;
        let record = decided.payment;
        let ask = (!anybody || !record.status.is_success()).then_some((record, reason));
        Ok(Taken { outcome: OutcomeWord::Accepted, ask })
    }

    async fn contradicted(&self, as_read: AsRead, fact: Fact, arrival: Arrival<'_>) -> Result<PaymentRecord> {
        Ok(self.decide(as_read, None, &fact, Some(arrival), Patience::Short).await?.payment)
    }

    /// Finds the payment that a delivery is about. A fact is bound by what it names; its address alone binds a hint.
    async fn known(&self, account: &AccountName, read: &Read<'_>, repeat_key: &str) -> Result<Known> {
        let event = &read.event;
        let (merchant, provider) = names(event);
        let by_address = read.address_of.as_ref().filter(|record| {
            binding(event, record) == Binding::Matches || matches!(event.proof, Proof::Hint(_))
        });
        let payment = match (by_address, merchant, provider) {
            (Some(record), _, _) => Find::Id(&record.id),
            (None, Some(reference), _) => Find::MerchantRef(account, reference),
            (None, None, Some(reference)) => Find::ProviderRef(account, reference),
            (None, None, None) => return Ok(Known::default()),
        };
        Ok(self.store.known(account, payment, repeat_key).await?)
    }

    /// Tries a delivery again that came before its payment was known.
    pub(crate) async fn try_kept(&self, kept: &InboxEntry) -> Result<()> {
        let Some(ipn) = self.provider(&kept.account)?.ipn() else { return Ok(()) };
        let raw = RawDelivery::open(&self.keys, kept)?;
        let body = raw.body()?;
        let event = match ipn.verify(&raw.delivery(kept.channel, &body)) {
            Ok(event) => event,
            Err(error) => {
                // Its key was taken away meanwhile.
                let note = format!("{}; {error}", kept.note);
                let refused = InboxEntry { verdict: Verdict::Refused, note, ..kept.clone() };
                self.commit_known(&Changes { settled: vec![refused], ..Changes::default() }, Patience::Short)
                    .await?;
                return Ok(());
            }
        };
        let Some(reference) = names(&event).1 else { return Ok(()) };
        let key = repeat_key(kept.channel, &event, None);
        let known =
            self.store.known(&kept.account, Find::ProviderRef(&kept.account, reference), &key).await?;
        if let Some(payment) = known.payment {
            let as_read = AsRead { payment, order: known.order };
            let taken = self.take_known(as_read, known.earlier, &event, Arrival::Kept(kept)).await?;
            if let Some((payment, reason)) = taken.ask {
                self.ask_after_delivery(payment, reason).await;
            }
            return Ok(());
        }
        if self.now().since(kept.at) < self.schedule.early_for {
            return Ok(());
        }
        let unknown = InboxEntry {
            verdict: Verdict::UnknownPayment,
            note: "about no payment of ours".to_owned(),
            ..kept.clone()
        };
        let changes = Changes { settled: vec![unknown], ..self.list_unknown(&kept.account, &event) };
        self.commit_known(&changes, Patience::Short).await?;
        self.wake.notify_one();
        Ok(())
    }

    /// An answer was stored: notifications that came before it and name the same reference are tried again.
    pub(crate) async fn try_kept_for(&self, payment: &PaymentRecord) {
        let Some(reference) = &payment.reference.provider_ref else { return };
        let kept = match self.store.kept_for(&payment.account, reference).await {
            Ok(kept) => kept,
            Err(error) => {
                // They are due in the database too.
                tracing::warn!(payment = %payment.id, %error, "early notifications could not be looked for");
                return;
            }
        };
        for entry in kept {
            if let Err(error) = self.try_kept(&entry).await {
                tracing::warn!(payment = %payment.id, %error, "an early notification could not be applied");
            }
        }
    }

    pub(crate) async fn ask_after_delivery(&self, payment: PaymentRecord, reason: Reason) {
        let id = payment.id.clone();
        if let Err(error) = self.ask_about(payment, reason).await {
            // It is due in the database too, so the worker asks again.
            tracing::warn!(payment = %id, %error, "could not ask after a delivery");
        }
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
            self.keep_unsigned(entry).await;
            return Ok(Taken { outcome: OutcomeWord::UnknownPayment, ask: None });
        }
        if let (None, Some(reference)) = names(event) {
            // The answer that brings this reference may be on its way: it is kept, and tried again until it is known
            // what it is about.
            entry.verdict = Verdict::Waiting;
            entry.provider_ref = Some(reference.clone());
            entry.due_at = Some(entry.at.after(EARLY_AGAIN));
            self.commit_known(&Changes { inbox: vec![entry.clone()], ..Changes::default() }, Patience::Short)
                .await?;
            // Both sides look after their own commit: one of them sees the other's.
            if let Some(payment) = self.store.payment(Find::ProviderRef(account, reference)).await? {
                Box::pin(self.try_kept_for(&payment)).await;
                return Ok(Taken { outcome: OutcomeWord::Accepted, ask: None });
            }
            self.wake.notify_one();
            return Ok(Taken { outcome: OutcomeWord::UnknownPayment, ask: None });
        }
        "about no payment of ours".clone_into(&mut entry.note);
        let changes = Changes { inbox: vec![entry], ..self.list_unknown(account, event) };
        self.commit_known(&changes, Patience::Short).await?;
        self.wake.notify_one();
        Ok(Taken { outcome: OutcomeWord::UnknownPayment, ask: None })
    }

    /// Lists a notification about a payment that is not ours.
    fn list_unknown(&self, account: &AccountName, event: &IpnEvent) -> Changes {
        let now = self.now();
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
            account: Some(account.clone()),
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
        Changes { attention: vec![(item, told)], ..Changes::default() }
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
            sealed: self.seal_delivery(&id, account, delivery, usize::MAX),
            id,
            account: account.clone(),
            channel: delivery.channel,
            at: self.now(),
            repeat_key: repeat_key(delivery.channel, event, None),
            meaning: meaning.to_owned(),
            verdict: Verdict::Accepted,
            note: said_by(event),
            payment: None,
            provider_ref: None,
            due_at: None,
        }
    }

    pub(crate) fn seal_delivery(
        &self,
        id: &str,
        account: &AccountName,
        delivery: &Delivery<'_>,
        most: usize,
    ) -> String {
        let body = &delivery.body[..delivery.body.len().min(most)];
        let raw = serde_json::json!({
            "method": delivery.method,
            "query": delivery.query.map(|query| query.chars().take(most.min(8192)).collect::<String>()),
            "headers": delivery.headers.iter().take(64).collect::<Vec<_>>(),
            "body": STANDARD.encode(body),
            "bytes": delivery.body.len(),
        });
        let place = Place::Delivery { id, account, channel: delivery.channel };
        self.keys.seal(&*self.ids, &place, raw.to_string().as_bytes())
    }
}

/// Whether anybody could have sent it.
pub(crate) fn is_anybodys(event: &IpnEvent) -> bool {
    matches!(event.proof, Proof::Hint(Voucher::None))
}

/// By what a repeat is recognised. What anybody can send never meets what is genuine, and has one row for each payment
/// that it names, however it varies.
fn repeat_key(channel: Channel, event: &IpnEvent, address_of: Option<&PaymentRecord>) -> String {
    if let (Proof::Hint(Voucher::Address), Some(payment)) = (&event.proof, address_of) {
        // It is about the payment of its address, whatever else it names.
        return format!("address/{}/{}", payment.id, event.repeat_key());
    }
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
        Proof::Hint(Voucher::Checksum) => format!("says {}", claim_of(event)),
        Proof::Hint(Voucher::Address) => format!("came to a payment's own address, says {}", claim_of(event)),
        Proof::Hint(Voucher::None) => format!("not signed, says {}", claim_of(event)),
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
