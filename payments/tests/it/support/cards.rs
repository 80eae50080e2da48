//! A customer with a saved card, and the request that charges it.

use tulbur_core::AccountName;
use tulbur_core::CustomerRef;
use tulbur_payments::{CardId, ChargeCard, OpenCardSetup, Status};

use super::{Shop, mnt};

pub(crate) async fn saved_card(shop: &Shop) -> (CustomerRef, CardId) {
    let customer = CustomerRef::parse("customer").unwrap();
    let setup = OpenCardSetup::new(customer.clone(), AccountName::parse("bank").unwrap());
    let setup = shop.payments.save_card(setup).await.unwrap();
    assert_eq!(setup.order(), None, "saving a card is no payment");
    shop.pay(&setup.reference.merchant_ref);
    let saved = shop.payments.query(&setup.id).await.unwrap();
    assert_eq!(saved.status, Status::Saved);
    let cards = shop.payments.cards(&customer).await.unwrap();
    assert_eq!(cards.len(), 1);
    assert_eq!(cards[0].info.masked_number.as_deref(), Some("949625******0003"));
    (customer, cards[0].id.clone())
}

pub(crate) fn charge(shop: &Shop, order: &str, customer: &CustomerRef, card: &CardId) -> ChargeCard {
    ChargeCard::new(shop.order(order), customer.clone(), card.clone(), mnt(1500), "Two things")
}
