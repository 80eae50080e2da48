//! Puts off what is due and cannot be read, so that it stops nothing else, and lists it after a while.

use std::time::Duration;

use tulbur_core::OperationRef;

use crate::engine::inner::Inner;
use crate::error::{Error, Result, StoreError};
use crate::model::event::{AttentionItem, AttentionKind, Event, EventKind};
use crate::model::operation::OperationRecord;
use crate::model::record::{EventId, PaymentId, PaymentRecord};
use crate::store::{Changes, Unread};

/// How soon it is looked at again.
const AGAIN: Duration = Duration::from_mins(5);
/// How long it may stay so before it is listed: as long as two releases may run side by side without a word.
const LISTED_AFTER: Duration = Duration::from_hours(1);

impl Inner {
    /// Reads a payment that is due. None if it cannot be read: it is put off then.
    pub(crate) async fn load_due(&self, id: &PaymentId) -> Result<Option<PaymentRecord>> {
        match self.load(id).await {
            Err(Error::Store(StoreError::Unreadable(why))) => {
                self.put_off_unread(Unread::Payment(id), &why).await?;
                Ok(None)
            }
            read => read.map(Some),
        }
    }

    /// As [`Inner::load_due`], for an operation.
    pub(crate) async fn load_due_operation(
        &self,
        operation: &OperationRef,
    ) -> Result<Option<OperationRecord>> {
        match self.store.operation(operation).await {
            Err(StoreError::Unreadable(why)) => {
                self.put_off_unread(Unread::Operation(operation), &why).await?;
                Ok(None)
            }
            read => Ok(read?),
        }
    }

    async fn put_off_unread(&self, what: Unread<'_>, why: &str) -> Result<()> {
        let now = self.now();
        let name = match what {
            Unread::Payment(id) => format!("payment `{id}`"),
            Unread::Operation(operation) => format!("operation `{operation}`"),
        };
        let Some(unread) = self.store.put_off_unread(what, now, now.after(AGAIN)).await? else {
            return Ok(());
        };
        let age = now.since(unread.since);
        tracing::error!(name, why, minutes = age.as_secs() / 60, "what is due cannot be read; it is put off");
        if age < LISTED_AFTER {
            return Ok(());
        }
        let detail = format!(
            "{name} is due and cannot be read by this release: {why}. Nothing is asked or changed about it until it can; \
             resolve this item then"
        );
        let key = match what {
            Unread::Payment(id) => format!("{}/{id}", AttentionKind::Unreadable),
            Unread::Operation(operation) => format!("{}/{operation}", AttentionKind::Unreadable),
        };
        let event = Event {
            id: EventId::from_text(self.ids.uuid_v7()),
            at: now,
            order: unread.order.clone(),
            payment: Some(unread.payment.clone()),
            kind: EventKind::Attention { reason: AttentionKind::Unreadable, detail: detail.clone() },
        };
        let item = AttentionItem {
            key,
            at: now,
            kind: AttentionKind::Unreadable,
            account: Some(unread.account),
            order: unread.order,
            payment: Some(unread.payment),
            detail,
        };
        self.commit(Changes { attention: vec![(item, event)], ..Changes::default() }).await?;
        self.wake.notify_one();
        Ok(())
    }
}
