//! The saved cards that every run begins with, saved once by the engine itself.

use std::cell::OnceCell;
use tulbur_core::CustomerRef;

use tulbur_core::AccountName;
use tulbur_payments::{CardRecord, OpenCardSetup, Records};

use crate::bank::ACCOUNTS;
use crate::calls::CUSTOMER;
use crate::runner::with_bare_runner;
use crate::story::parse;

thread_local! {
    /// The saved cards of every run, as the engine once stored them.
    static CARDS: OnceCell<Vec<CardRecord>> = const { OnceCell::new() };
}

/// The saved cards of every run.
pub(crate) fn saved() -> Vec<CardRecord> {
    CARDS.with(|cards| cards.get_or_init(save).clone())
}

/// Saves one card at each account, in a world of their own.
fn save() -> Vec<CardRecord> {
    let story = parse("process A\nend at 1h\n").expect("it is a story");
    with_bare_runner(&story, |payments, store| {
        Box::pin(async move {
            let customer = CustomerRef::parse(CUSTOMER).expect("a customer's name");
            let mut cards = Vec::new();
            for account in ACCOUNTS {
                let account = AccountName::parse(account).expect("an account's name");
                let setup = payments.save_card(OpenCardSetup::new(customer.clone(), account)).await;
                let setup = setup.expect("the bank makes the page");
                let saved = payments.query(&setup.id).await.expect("the bank is asked");
                let card = saved.saved_card.expect("the card is saved");
                cards.extend(store.card(&card).await.expect("the memory store answers"));
            }
            cards
        })
    })
}
