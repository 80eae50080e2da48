//! Reads everything that a store can return, as text that two stores must agree on.

use std::fmt::Debug;

use tulbur_core::Timestamp;
use tulbur_payments::store::{Find, PaymentFilter};
use tulbur_payments::{PaymentRecord, Store, StoreError};

use super::commands::{
    ACCOUNTS, By, CARDS, HANDLERS, KEYS, Look, OPERATIONS, ORDERS, PAYMENTS, PROVIDER_REFS, REPEAT_KEYS,
};
use super::records;

/// An answer as text.
pub(super) fn text(answer: Result<impl Debug, StoreError>) -> String {
    match answer {
        Ok(answer) => format!("{answer:#?}"),
        Err(error) => format!("error: {error:?}"),
    }
}

/// Of several payments that the provider calls the same, any may be found: then only that it is one of them.
fn found(payment: Option<PaymentRecord>, by: By) -> String {
    match (payment, by) {
        (Some(payment), By::ProviderRef(_)) => {
            format!("{} {:?}", payment.account, payment.reference.provider_ref)
        }
        (payment, _) => format!("{payment:#?}"),
    }
}

/// Everything that can be read, given how many deliveries came.
pub(super) fn everything(entries: usize) -> Vec<Look> {
    let mut all = vec![
        Look::Orders(100),
        Look::Payments {
            account: None,
            status: None,
            operation: None,
            from: None,
            before: None,
            after: None,
            limit: 100,
        },
        Look::UnknownOperations(100),
        Look::NextDue,
        Look::Inbox(1000),
        Look::Attention,
        Look::SealedCards(None, 100),
        Look::SealedInbox(None, 1000),
        Look::WatchedAccounts,
        Look::Stats,
        Look::Handlers,
        Look::NextDelivery((0..HANDLERS).collect()),
        Look::Parked(100),
        Look::Cards(0),
        Look::Cards(1),
    ];
    for order in 0..ORDERS {
        all.extend([Look::Order(order), Look::History(order), Look::Events(order)]);
        all.push(Look::Deliveries(Some(order), 0));
    }
    for payment in 0..PAYMENTS {
        all.extend([
            Look::Payment(payment, By::Id),
            Look::Operations(payment),
            Look::PaymentHistory(payment),
        ]);
        all.push(Look::Deliveries(None, payment));
    }
    all.extend((0..OPERATIONS).map(Look::Operation));
    all.extend((0..KEYS).map(Look::Key));
    all.extend((0..CARDS).map(Look::Card));
    all.extend((0..entries).map(Look::InboxEntry));
    for repeat_key in 0..REPEAT_KEYS {
        all.extend((0..2).map(|payment| Look::Known { payment, by: By::Id, repeat_key }));
    }
    for account in 0..ACCOUNTS {
        all.extend((0..PROVIDER_REFS).map(|provider_ref| Look::KeptFor { account, provider_ref }));
    }
    all
}

/// Reads, from where `now` is.
pub(super) async fn look(store: &dyn Store, look: &Look, now: i64) -> String {
    match look {
        Look::Payments { .. } => text(store.payments(&filter(look, now)).await),
        Look::Payment(payment, by) => {
            with_find(*payment, *by, async |find| {
                store.payment(find).await.map(|payment| found(payment, *by))
            })
            .await
        }
        Look::Known { payment, by, repeat_key } => {
            let (account, repeat_key) = (records::account_of(*payment), records::repeat_key(*repeat_key));
            with_find(*payment, *by, async |find| {
                let known = store.known(&account, find, &repeat_key).await?;
                let order = known.order.filter(|_| !matches!(by, By::ProviderRef(_)));
                Ok(format!("{} {order:#?} {:#?}", found(known.payment, *by), known.earlier))
            })
            .await
        }
        Look::Order(_)
        | Look::Orders(_)
        | Look::Operations(_)
        | Look::Operation(_)
        | Look::UnknownOperations(_)
        | Look::Named(..)
        | Look::Key(_)
        | Look::NextDue
        | Look::WatchedAccounts
        | Look::Stats => records_of(store, look).await,
        Look::KeptFor { .. }
        | Look::Inbox(_)
        | Look::InboxEntry(_)
        | Look::SealedInbox(..)
        | Look::Cards(_)
        | Look::Card(_)
        | Look::SealedCards(..) => sealed(store, look).await,
        Look::History(_)
        | Look::PaymentHistory(_)
        | Look::Events(_)
        | Look::Attention
        | Look::Handlers
        | Look::NextDelivery(_)
        | Look::Deliveries(..)
        | Look::Parked(_) => told(store, look).await,
    }
}

async fn records_of(store: &dyn Store, look: &Look) -> String {
    match look {
        Look::Order(order) => {
            let order = records::order_ref(*order);
            format!("{} {}", text(store.order(&order).await), text(store.order_record(&order).await))
        }
        Look::Orders(limit) => text(store.orders(*limit).await),
        Look::Operations(payment) => text(store.operations(&records::payment_id(*payment)).await),
        Look::Operation(operation) => text(store.operation(&records::operation_ref(*operation)).await),
        Look::UnknownOperations(limit) => text(store.unknown_operations(*limit).await),
        Look::Named(payment, by, limit) => {
            let name = match by {
                By::Id | By::SecretHash => records::payment_id(*payment).as_str().to_owned(),
                By::MerchantRef => records::merchant_ref(*payment).as_str().to_owned(),
                By::ProviderRef(number) => records::provider_ref(*number).as_str().to_owned(),
            };
            text(store.named(&name, *limit).await)
        }
        Look::Key(key) => text(store.key(&records::key(*key)).await),
        Look::NextDue => text(store.next_due().await),
        Look::WatchedAccounts => text(store.watched_accounts().await),
        _ => text(store.stats().await),
    }
}

async fn sealed(store: &dyn Store, look: &Look) -> String {
    match look {
        Look::KeptFor { account, provider_ref } => {
            let (account, reference) = (records::account(*account), records::provider_ref(*provider_ref));
            text(store.kept_for(&account, &reference).await)
        }
        Look::Inbox(limit) => text(store.inbox(*limit).await),
        Look::InboxEntry(entry) => text(store.inbox_entry(&records::entry_id(*entry)).await),
        Look::SealedInbox(after, limit) => {
            let after = after.map(records::entry_id);
            text(store.sealed_inbox(after.as_deref(), *limit).await)
        }
        Look::Cards(customer) => text(store.cards(&records::customer(*customer)).await),
        // `Debug` of a card with its token, as of no other record, could be made to hide it.
        Look::Card(card) => {
            let card = store.card(&records::card_id(*card)).await;
            text(card.map(|card| card.map(|card| (card.card, card.sealed_token))))
        }
        Look::SealedCards(after, limit) => {
            text(store.sealed_cards(after.map(records::card_id).as_ref(), *limit).await)
        }
        _ => unreachable!("the caller knows which these are"),
    }
}

async fn told(store: &dyn Store, look: &Look) -> String {
    match look {
        Look::History(order) => text(store.history(&records::order_ref(*order)).await),
        Look::PaymentHistory(payment) => text(store.payment_history(&records::payment_id(*payment)).await),
        Look::Events(order) => text(store.events(&records::order_ref(*order)).await),
        Look::Attention => text(store.attention().await),
        Look::Handlers => text(store.handlers().await),
        Look::NextDelivery(handlers) => {
            let handlers: Vec<String> = handlers.iter().map(|number| records::handler(*number)).collect();
            text(store.next_delivery(&handlers).await)
        }
        Look::Deliveries(order, payment) => {
            let order = order.map(records::order_ref);
            text(store.deliveries(order.as_ref(), &records::payment_id(*payment)).await)
        }
        Look::Parked(limit) => text(store.parked_deliveries(*limit).await),
        _ => unreachable!("the caller knows which these are"),
    }
}

async fn with_find(
    payment: usize,
    by: By,
    ask: impl AsyncFnOnce(Find<'_>) -> Result<String, StoreError>,
) -> String {
    let (id, account) = (records::payment_id(payment), records::account_of(payment));
    let (merchant_ref, hash) = (records::merchant_ref(payment), records::secret_hash(payment));
    let answer = match by {
        By::Id => ask(Find::Id(&id)).await,
        By::MerchantRef => ask(Find::MerchantRef(&account, &merchant_ref)).await,
        By::SecretHash => ask(Find::SecretHash(&hash)).await,
        By::ProviderRef(number) => ask(Find::ProviderRef(&account, &records::provider_ref(number))).await,
    };
    answer.unwrap_or_else(|error| format!("error: {error:?}"))
}

fn filter(look: &Look, now: i64) -> PaymentFilter {
    let mut filter = PaymentFilter::default();
    if let Look::Payments { account, status, operation, from, before, after, limit } = look {
        filter.account = account.map(records::account);
        filter.status = *status;
        filter.operation = *operation;
        // Where money was first known of, which is the past.
        let time = |ahead: i64| Timestamp::from_millis(now - ahead);
        (filter.paid_from, filter.paid_before) = (from.map(time), before.map(time));
        filter.after = after.map(records::payment_id);
        filter.limit = *limit;
    }
    filter
}
