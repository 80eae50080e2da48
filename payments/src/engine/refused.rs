//! Keeps refused notifications, within limits: anybody can send them, as many as they like.

use tulbur_core::{AccountName, Delivery, Error as CoreError, FreeText};

use crate::engine::inner::Inner;
use crate::engine::refusals::say;
use crate::metrics;
use crate::store::{Changes, InboxEntry, Verdict};

/// Refused deliveries that are kept, per account.
const KEPT: u32 = 200;
/// How much of a refused delivery's body is kept.
const BODY: usize = 4096;

impl Inner {
    /// Notes that a notification came to an address with a name that no account has: a typing error at the provider's
    /// side is not seen otherwise. Nothing is stored; the log has a few lines a second at most.
    pub(crate) fn note_stranger(&self, name: &str) {
        let (write, left_out) = self.refusals.line(self.clock.monotonic());
        say(left_out);
        if write {
            // What stands in its place may be a secret.
            let has_no_secret =
                name.len() < 32 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
            let name = if has_no_secret { FreeText::from(name) } else { FreeText::from("[not shown]") };
            tracing::warn!(
                name = %&*name,
                "a notification came to an address that names no account or provider here; is the address right that \
                 the provider was given?"
            );
        }
    }

    /// Notes that a notification was refused: in the log, and in the inbox if there is room. Nobody is told if it could
    /// not be stored: it is worth nothing.
    pub(crate) async fn refuse(&self, account: &AccountName, delivery: &Delivery<'_>, error: &CoreError) {
        let (write, left_out) = self.refusals.line(self.clock.monotonic());
        say(left_out);
        if write {
            tracing::warn!(%account, %error, "notification refused");
        }
        let Ok(_room) = self.refusals.room.try_acquire() else {
            metrics::refused_not_kept();
            self.refusals.slow_down(&*self.clock).await;
            return;
        };
        let id = self.ids.uuid_v7();
        self.store_refused(InboxEntry {
            sealed: self.seal_delivery(&id, account, delivery, BODY),
            repeat_key: id.clone(),
            id,
            account: account.clone(),
            channel: delivery.channel,
            at: self.now(),
            meaning: "-".into(),
            verdict: Verdict::Refused,
            note: error.to_string().chars().take(300).collect(),
            payment: None,
            provider_ref: None,
            due_at: None,
        })
        .await;
    }

    /// As [`Inner::refuse`], for what can be read and is about nothing of ours.
    pub(crate) async fn keep_unsigned(&self, entry: InboxEntry) {
        let Ok(_room) = self.refusals.room.try_acquire() else {
            metrics::refused_not_kept();
            self.refusals.slow_down(&*self.clock).await;
            return;
        };
        self.store_refused(entry).await;
    }

    async fn store_refused(&self, entry: InboxEntry) {
        let account = entry.account.clone();
        let changes = Changes { refused: vec![(entry, KEPT)], ..Changes::default() };
        if let Err(error) = self.commit(changes).await {
            metrics::refused_not_kept();
            let (write, left_out) = self.refusals.line(self.clock.monotonic());
            say(left_out);
            if write {
                tracing::error!(%account, %error, "a refused notification could not be kept");
            }
        }
    }
}
