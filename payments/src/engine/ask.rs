//! Asking the provider: coalesced, spaced, and watched by whoever looks.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::sync::{MutexGuard, broadcast};
use tracing::Instrument;
use tulbur_core::{
    AccountName, CardSetupState, Error as CoreError, ErrorKind, Monotonic, SavedCard, Timestamp, confirm,
    confirm_card_setup,
};

use crate::decide::Fact;
use crate::decide::asking::overdue;
use crate::decide::can_be_asked;
use crate::decide::proven::Proven;
use crate::engine::apply::Patience;
use crate::engine::inner::{Inner, Payments};
use crate::engine::spacing::{AskSlot, Asked, Reason};
use crate::engine::throttle::{Gate, Permit};
use crate::error::{Error, Result};
use crate::metrics;
use crate::model::record::{Card, CardId, CardRecord, PaymentId, PaymentRecord, Purpose};
use crate::model::schedule::waits_for_a_hint;
use crate::store::seal::Place;

impl Payments {
    /// Asks the provider how a payment stands, and applies what it proves.
    ///
    /// Questions about one payment are spaced at the provider's own pace, and those to one account at the account's
    /// ([`Pace`](crate::Pace)): if it was asked just now, or is left in peace because it does not answer, what is stored
    /// is returned.
    ///
    /// # Errors
    /// [`Error::NotFound`](crate::Error::NotFound), or the database's. That the provider cannot be asked is no error here: the payment
    /// stays as it is, and is asked about again.
    pub async fn query(&self, id: &PaymentId) -> Result<PaymentRecord> {
        self.0.ask_spaced(id, Reason::Looking).await
    }

    /// Watches a payment: while this lives, the provider is polled at its own pace, because a notification may not
    /// come.
    pub fn watch(&self, id: &PaymentId) -> Watch {
        Watch {
            payments: self.clone(),
            id: id.clone(),
            seen: None,
            changed: self.0.changed.subscribe(),
            wait: Duration::ZERO,
        }
    }
}

/// Somebody who looks at a payment.
#[derive(Debug)]
pub struct Watch {
    payments: Payments,
    id: PaymentId,
    seen: Option<PaymentRecord>,
    changed: broadcast::Receiver<PaymentId>,
    wait: Duration,
}

impl Watch {
    /// Polling slows down to this.
    const SLOWEST: Duration = Duration::from_secs(15);

    /// The payment once it differs from what was returned last; at once the first time.
    ///
    /// # Errors
    /// [`Error::NotFound`](crate::Error::NotFound), or the database's.
    pub async fn changed(&mut self) -> Result<PaymentRecord> {
        loop {
            let record = self.payments.0.load(&self.id).await?;
            let differs = self.seen.as_ref().is_none_or(|seen| {
                (seen.status, seen.operation, &seen.next, seen.expires_at, &seen.parts)
                    != (record.status, record.operation, &record.next, record.expires_at, &record.parts)
            });
            if differs {
                self.seen = Some(record.clone());
                return Ok(record);
            }
            let every = self.payments.0.schedule.poll(self.payments.0.flow(&record)?).every;
            self.wait = (self.wait + self.wait / 4).clamp(every, Self::SLOWEST.max(every));
            let asks = record.status.is_open();
            let (payments, wait) = (self.payments.clone(), self.wait);
            let timed_out = tokio::select! {
                biased;
                () = self.notified() => false,
                () = payments.0.sleep(wait) => true,
            };
            if asks && timed_out {
                self.payments.0.ask_spaced(&self.id, Reason::Looking).await?;
            }
        }
    }

    async fn notified(&mut self) {
        loop {
            match self.changed.recv().await {
                Ok(id) if id == self.id => return,
                Ok(_) => {}
                Err(broadcast::error::RecvError::Lagged(_)) => return,
                Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
            }
        }
    }
}

impl Inner {
    /// Asks, unless it was asked just now; whoever comes while it is asked waits for that answer.
    pub(crate) async fn ask_spaced(&self, id: &PaymentId, reason: Reason) -> Result<PaymentRecord> {
        let slot = self.slot(id);
        let asked = slot.0.lock().await;
        let record = self.load(id).await?;
        self.ask_in_turn(asked, record, reason).await
    }

    /// As [`Inner::ask_spaced`], about a payment that was read just now.
    pub(crate) async fn ask_about(&self, record: PaymentRecord, reason: Reason) -> Result<PaymentRecord> {
        let slot = self.slot(&record.id);
        if let Ok(asked) = slot.0.try_lock() {
            return self.ask_in_turn(asked, record, reason).await;
        }
        // Who asks now may change it.
        self.ask_spaced(&record.id, reason).await
    }

    fn slot(&self, id: &PaymentId) -> Arc<AskSlot> {
        let mut asks = self.asks.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(asks.entry(id.clone()).or_default())
    }

    async fn ask_in_turn(
        &self,
        mut asked: MutexGuard<'_, Asked>,
        record: PaymentRecord,
        reason: Reason,
    ) -> Result<PaymentRecord> {
        if reason == Reason::Due
            && let Some(until) = waits_for_a_hint(&record, self.flow(&record)?, &self.schedule, self.now())
        {
            return self.put_off(record, until).await;
        }
        let every = self.schedule.poll(self.flow(&record)?).every;
        let gap = match reason {
            Reason::Told => Duration::ZERO,
            Reason::Due | Reason::Looking => every,
            Reason::Unproven => every.saturating_mul(1 << asked.unproven.min(8)),
        };
        let now = self.clock.monotonic();
        // What is stored is by the time that all processes share; how long to wait is by this one's.
        let later = |until: Monotonic| self.now().after(until.since(now));
        if let Some(last) = asked.last.filter(|last| now.since(*last) < gap) {
            if reason == Reason::Due {
                return self.put_off(record, later(last.after(gap))).await;
            }
            return Ok(record);
        }
        let permit = match self.can_be_asked(&record).then(|| self.gate(&record.account)).transpose()? {
            None => None,
            Some(gate) => match gate.enter(now) {
                Ok(permit) => Some(permit),
                Err(wait) => {
                    metrics::put_off(&record.account, wait.why);
                    // It was not asked: nothing is counted, and nothing expires.
                    if reason == Reason::Due {
                        return self.put_off(record, later(wait.until)).await;
                    }
                    return Ok(record);
                }
            },
        };
        asked.last = Some(now);
        if reason == Reason::Unproven {
            asked.unproven += 1;
        }
        self.ask_with(&record, permit).await
    }

    /// Moves a question that cannot be asked now. What waits too long meanwhile is listed all the same.
    async fn put_off(&self, mut record: PaymentRecord, until: Timestamp) -> Result<PaymentRecord> {
        let overdue = overdue(&record, self.flow(&record)?, &self.schedule, self.now());
        if overdue.is_some() && !record.overdue {
            record = self.decide(record.into(), None, &Fact::Overdue, None, Patience::Short).await?.payment;
        }
        self.store.put_off(&record, until).await?;
        self.wake.notify_one();
        Ok(record)
    }

    fn gate(&self, account: &AccountName) -> Result<&Gate> {
        self.gates.get(account).ok_or_else(|| Error::NotFound(format!("account `{account}`")))
    }

    /// Asks an account something else about a payment, at its pace; none if it has to wait.
    pub(crate) async fn at_pace<T>(
        &self,
        account: &AccountName,
        about: &PaymentId,
        question: impl Future<Output = tulbur_core::Result<T>>,
    ) -> Result<Option<tulbur_core::Result<T>>> {
        match self.gate(account)?.enter(self.clock.monotonic()) {
            Ok(permit) => {
                let result = question.await;
                self.note(account, about, permit, &result);
                Ok(Some(result))
            }
            Err(wait) => {
                metrics::put_off(account, wait.why);
                Ok(None)
            }
        }
    }

    fn note<T>(
        &self,
        account: &AccountName,
        about: &PaymentId,
        permit: Permit<'_>,
        result: &tulbur_core::Result<T>,
    ) {
        let failure = result.as_ref().err().map(CoreError::kind);
        metrics::question(account, failure);
        permit.ended(self.clock.monotonic(), about.as_str(), failure);
    }

    /// Forgets when payments were asked about that nobody has asked about for a while: soon, except where somebody
    /// unproven makes us ask, who is asked for ever more seldom.
    pub(crate) fn forget_old_asks(&self) {
        let now = self.clock.monotonic();
        let mut asks = self.asks.lock().unwrap_or_else(PoisonError::into_inner);
        asks.retain(|_, slot| {
            Arc::strong_count(slot) > 1
                || slot.0.try_lock().is_ok_and(|asked| {
                    let keep = Duration::from_mins(if asked.unproven == 0 { 5 } else { 60 });
                    asked.last.is_some_and(|last| now.since(last) < keep)
                })
        });
    }

    /// Asks the provider now, whatever the pace, and applies what it proves.
    pub(crate) async fn ask(&self, id: &PaymentId) -> Result<PaymentRecord> {
        let record = self.load(id).await?;
        let gate = self.can_be_asked(&record).then(|| self.gate(&record.account)).transpose()?;
        let permit = gate.map(|gate| gate.enter_anyway(self.clock.monotonic()));
        self.ask_with(&record, permit).await
    }

    async fn ask_with(&self, record: &PaymentRecord, permit: Option<Permit<'_>>) -> Result<PaymentRecord> {
        let id = &record.id;
        let span = tracing::info_span!("question", account = record.account.as_str(), payment = id.as_str());
        let answer = self.question(record).instrument(span).await;
        if let Some(permit) = permit {
            self.note(&record.account, id, permit, &answer);
        }
        let fact = match answer {
            Ok(fact) => fact,
            Err(error) if error.kind() == ErrorKind::NotFound => Fact::NotFound { asked_on: record.revision },
            Err(error) => {
                tracing::warn!(payment = %id, %error, "the provider could not be asked");
                Fact::AskFailed { why: error.message().to_owned(), kind: error.kind() }
            }
        };
        Ok(self.decide(record.clone().into(), None, &fact, None, Patience::Short).await?.payment)
    }

    /// Whether there is a question that the provider would answer.
    fn can_be_asked(&self, record: &PaymentRecord) -> bool {
        let (Ok(provider), Ok(flow)) = (self.provider(&record.account), self.flow(record)) else {
            return false;
        };
        let offered = match &record.purpose {
            Purpose::Payment { .. } => provider.queries().is_some(),
            Purpose::CardSetup { .. } => provider.tokenize().is_some(),
        };
        offered && can_be_asked(flow, record)
    }

    async fn question(&self, record: &PaymentRecord) -> tulbur_core::Result<Fact> {
        let unsupported = || CoreError::new(ErrorKind::NotFound, "this account offers no way to ask");
        if !self.can_be_asked(record) {
            return Err(unsupported());
        }
        let provider = self.provider(&record.account).map_err(|_| unsupported())?;
        match &record.purpose {
            Purpose::Payment { .. } => {
                let queries = provider.queries().ok_or_else(unsupported)?;
                let payment = confirm(queries, &record.reference).await?;
                let card = payment.saved_card.as_ref().and_then(|saved| self.seal_card(record, saved));
                Ok(Fact::Proven(Box::new(Proven::by_query(payment).asked_on(record.revision)), card))
            }
            Purpose::CardSetup { .. } => {
                let tokenize = provider.tokenize().ok_or_else(unsupported)?;
                let answer = confirm_card_setup(tokenize, &record.reference).await?;
                let card = match &answer.state {
                    CardSetupState::Saved(saved) => self.seal_card(record, saved),
                    CardSetupState::Pending | CardSetupState::Declined => None,
                };
                Ok(Fact::Proven(Box::new(Proven::by_setup_query(answer).asked_on(record.revision)), card))
            }
        }
    }

    /// Seals a card for the customer who asked to save it; a token that nobody asked for is dropped.
    pub(crate) fn seal_card(&self, record: &PaymentRecord, saved: &SavedCard) -> Option<CardRecord> {
        let customer = match &record.purpose {
            Purpose::Payment { save_card_for, .. } => save_card_for.clone()?,
            Purpose::CardSetup { customer } => customer.clone(),
        };
        if record.saved_card.is_some() {
            return None;
        }
        let id = CardId::from_text(self.ids.uuid_v7());
        let card = Card {
            id,
            customer,
            account: record.account.clone(),
            info: saved.card.clone(),
            created_at: self.now(),
        };
        let sealed_token =
            self.keys.seal(&*self.ids, &Place::of_card(&card), saved.token.expose().as_bytes());
        Some(CardRecord { card, sealed_token })
    }
}
