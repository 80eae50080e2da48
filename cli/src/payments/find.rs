//! Finds the payments that a person names on the command line.

use std::sync::Arc;

use tulbur::OrderRef;
use tulbur::payments::{PaymentRecord, Store};

use crate::out::Failure;

/// How many payments a name may mean before a person has to be more exact.
const MOST_NAMED: u32 = 10;

/// The payments that a name means: of an order all of them, else the one that is called so.
pub(super) async fn find(store: &dyn Store, name: &str) -> Result<Vec<PaymentRecord>, Failure> {
    if let Ok(order) = OrderRef::parse(name)
        && let Some(order) = store.order(&order).await?
    {
        return Ok(order.payments);
    }
    let found = store.named(name, MOST_NAMED).await?;
    if found.is_empty() {
        return Err(Failure::new(format!(
            "there is no order, payment or reference `{name}` in this database; `tulbur payments list` shows the newest"
        )));
    }
    Ok(found)
}

/// The one payment that a name means.
pub(super) async fn find_one(store: &Arc<dyn Store>, name: &str) -> Result<PaymentRecord, Failure> {
    let mut found = find(&**store, name).await?;
    if found.len() > 1 {
        let ids: Vec<String> =
            found.iter().map(|payment| format!("{} ({})", payment.id, payment.status)).collect();
        return Err(Failure::new(format!(
            "`{name}` means {} payments; name one: {}",
            ids.len(),
            ids.join(", ")
        )));
    }
    found.pop().ok_or_else(|| Failure::new(format!("order `{name}` has no payment")))
}
