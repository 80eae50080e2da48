//! Resolves items of the list of what waits for a person.

use tulbur_core::{OperationRef, Timestamp};

use super::replay::person_line;
use crate::decide::awaits_decision;
use crate::engine::inner::Payments;
use crate::error::{Error, Result};
use crate::model::event::AttentionItem;
use crate::store::{Changes, Find, Store};

impl Payments {
    /// Resolves an item, by its key, once an operator has dealt with it. Who did is written into its payment's history.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it is not on the list; [`Error::Conflict`] as for [`resolve_item`].
    pub async fn resolve(&self, key: &str, by: &str) -> Result<()> {
        let items = self.0.store.attention().await?;
        let Some(item) = items.iter().find(|item| item.key == key) else {
            return Err(not_listed(key));
        };
        resolve_item(&*self.0.store, item, by, self.now()).await
    }
}

/// Resolves an item, and writes into its payment's history who did.
///
/// # Errors
/// [`Error::NotFound`] when it is not on the list. [`Error::Conflict`] when nobody knows yet whether money moved: such an
/// item ends with an operator's decision ([`Payments::declare_payment`], [`Payments::declare_operation`]) or with the
/// provider's word. Without it nobody would be told of that money again. Else the database's.
pub async fn resolve_item(store: &dyn Store, item: &AttentionItem, by: &str, now: Timestamp) -> Result<()> {
    refuse_what_is_open(store, item).await?;
    if !store.resolve_attention(&item.key, now).await? {
        return Err(not_listed(&item.key));
    }
    if let Some(payment) = &item.payment {
        let what = format!("{by} resolved `{}`", item.kind);
        let line = person_line(now, item.order.clone(), payment.clone(), what);
        store.commit(Changes { history: vec![line], ..Changes::default() }).await?;
    }
    Ok(())
}

fn not_listed(key: &str) -> Error {
    Error::NotFound(format!("open item `{key}`"))
}

async fn refuse_what_is_open(store: &dyn Store, item: &AttentionItem) -> Result<()> {
    let Some(id) = &item.payment else { return Ok(()) };
    let Some(payment) = store.payment(Find::Id(id)).await? else { return Ok(()) };
    // The key of an unresolved operation ends with what it is about: the operation, or the payment.
    let about = item.key.rsplit('/').next().unwrap_or_default();
    let operation = match OperationRef::parse(about) {
        Ok(operation) if about != id.as_str() => store.operation(&operation).await?,
        _ => None,
    };
    if awaits_decision(item.kind, &payment, operation.as_ref()) {
        return Err(Error::conflict(
            format!("item `{}`", item.key),
            "nobody knows yet whether money moved; an operator's decision about what happened resolves it",
        ));
    }
    Ok(())
}
