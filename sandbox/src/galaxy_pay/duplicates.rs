//! Which ids of a merchant have been used: each is good for one call that changes something.

use super::call::{Message, Refusal};
use super::shared::Gateway;
use super::state::Books;

impl Gateway {
    /// Refuses a `requestID` that a call which changed something has used.
    pub(super) fn check_request_id(&self, request_id: &str) -> Result<(), Refusal> {
        let watched = matches!(self.desk.switch("duplicate-key").as_str(), "both" | "request-id");
        if watched && self.desk.read(|state| state.request_ids.contains_key(request_id)) {
            return Err(Refusal::new("409", "Duplicate transaction: this requestID has been used")
                .because(format!("requestID {request_id:?} has been used (switch duplicate-key)")));
        }
        Ok(())
    }
}

pub(super) fn used(tx: &mut Books<'_>, message: &Message) {
    tx.state_mut().request_ids.insert(message.request_id.clone(), ());
}

pub(super) fn is_used(tx: &Books<'_>, order_id: &str) -> bool {
    tx.state().orders.contains_key(order_id) || tx.state().refund_orders.contains_key(order_id)
}

pub(super) fn duplicate(order_id: &str) -> Refusal {
    Refusal::new("409", "Duplicate transaction: this orderID or requestID has been used")
        .because(format!("orderID {order_id:?} or the requestID has been used (switch duplicate-key)"))
}
