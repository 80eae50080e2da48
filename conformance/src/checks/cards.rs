//! Saved cards: saved, charged, declined, deleted.

use std::sync::Arc;

use tulbur_core::{CardInfo, CardSetupState, NotifyAddress, Outcome, PaymentStatus, Provider};

use crate::check::List;
use crate::counterpart::{Deed, Skill};
use crate::ops::error_of;
use crate::world::{Checked, World, ensure, fail};

pub(super) fn list(list: &mut List, provider: &dyn Provider) {
    if provider.tokenize().is_some() {
        list.add("card::a_setup_waits_and_then_has_a_card", saved);
        list.add("card::a_refused_setup_is_an_answer", refused);
    }
    if provider.info().saves_card_with_payment {
        list.add("card::one_that_was_to_be_saved_with_a_payment_comes_back", |world| {
            with_payment(world, true)
        });
        list.add("card::one_that_was_not_to_be_saved_does_not_come_back", |world| with_payment(world, false));
    }
    if provider.charges().is_some() {
        list.add("card::a_charge_debits_once_and_can_be_found", charged);
        list.add("card::a_declined_charge_is_an_answer", charge_declined);
        list.add("card::a_charge_outside_the_limits_is_refused_unsent", charge_limits);
    }
    if provider.vault().is_some() {
        list.add("card::a_deleted_one_cannot_be_charged", deleted);
    }
}

fn masked(card: &CardInfo) -> Checked {
    if let Some(number) = &card.masked_number {
        let digits = number.chars().filter(|c| c.is_numeric()).count();
        ensure!(digits <= 10, "{digits} digits of the card's number are shown");
    }
    Ok(())
}

async fn saved(world: Arc<World>) -> Checked {
    let Some(cards) = world.provider.tokenize() else { return fail("it saves no cards") };
    let request = world.setup_request();
    let setup = cards.create_card_setup(&request).await?;
    ensure!(!setup.next.is_empty(), "there is nothing to show to the payer");
    ensure!(setup.reference.merchant_ref == request.merchant_ref, "the set-up is about another reference");
    let state = cards.read_card_setup(&setup.reference).await?.state;
    ensure!(state == CardSetupState::Pending, "nobody typed a card, and it reads as {state:?}");
    world.act(Deed::SaveCard, &request.merchant_ref).await?;
    let answer = tulbur_core::confirm_card_setup(cards, &setup.reference).await?;
    let CardSetupState::Saved(card) = &answer.state else {
        return fail(format!("a card was saved, and it reads as {:?}", answer.state));
    };
    ensure!(!card.token.expose().is_empty(), "the token is empty");
    masked(&card.card)
}

async fn refused(world: Arc<World>) -> Checked {
    let Some(cards) = world.provider.tokenize() else { return fail("it saves no cards") };
    let request = world.setup_request();
    let setup = cards.create_card_setup(&request).await?;
    world.act(Deed::DeclineCard, &request.merchant_ref).await?;
    let state = cards.read_card_setup(&setup.reference).await?.state;
    ensure!(state == CardSetupState::Declined, "the card was refused, and it reads as {state:?}");
    Ok(())
}

async fn with_payment(world: Arc<World>, wanted: bool) -> Checked {
    let mut request = world.invoice_request(world.amount());
    request.save_card = wanted;
    let invoice = world.create(&request).await?;
    world.act(Deed::Pay, &request.merchant_ref).await?;
    masked(&world.query(&invoice.payment).await?.card)?;
    if !wanted && world.info().notify != NotifyAddress::None && world.counterpart.can(Skill::Notify) {
        world.letters(&invoice.payment, 1).await?;
    }
    let saved = world.saved_card(&invoice.payment, wanted).await?;
    ensure!(saved.is_some() == wanted, "asked for: {wanted}; came back: {saved:?}");
    if let Some(saved) = saved {
        masked(&saved.card)?;
    }
    Ok(())
}

async fn charged(world: Arc<World>) -> Checked {
    let token = world.card(Deed::Pay).await?;
    let Some(charges) = world.provider.charges() else { return fail("it charges no cards") };
    for amount in world.under_test.amounts(world.info()) {
        let request = world.charge_request(amount, token.clone());
        let charge = tulbur_core::charge(charges, &request).await?;
        masked(&charge.payment.card)?;
        let ended = world.charge_end(&charge).await?;
        ensure!(ended.status.is_paid(), "a good card is {}", ended.status);
        ensure!(ended.amount == Some(amount), "{amount} became {:?}", ended.amount);
        if let Some(books) = world.books(&request.merchant_ref).await? {
            ensure!(books.debits == 1, "the card was debited {} times", books.debits);
        }
        if world.provider.queries().is_some() {
            let found = world.query(&charge.payment.reference).await?;
            ensure!(found.status.is_paid() && found.amount == Some(amount), "it is found as {found:?}");
        }
    }
    Ok(())
}

async fn charge_declined(world: Arc<World>) -> Checked {
    let token = world.card(Deed::PayWithCardThatDeclinesLater).await?;
    let Some(charges) = world.provider.charges() else { return fail("it charges no cards") };
    let request = world.charge_request(world.amount(), token);
    let charge = match charges.charge(&request).await {
        Ok(charge) => charge,
        Err(error) => return fail(format!("a decline is an answer and no error: {error}")),
    };
    let status = world.charge_end(&charge).await?.status;
    ensure!(status == PaymentStatus::Declined, "a declined charge is {status}");
    if let Some(books) = world.books(&request.merchant_ref).await? {
        ensure!(books.debits == 0, "a declined card was debited {} times", books.debits);
    }
    Ok(())
}

async fn charge_limits(world: Arc<World>) -> Checked {
    let token = world.card(Deed::Pay).await?;
    let Some(charges) = world.provider.charges() else { return fail("it charges no cards") };
    world.wire.reset();
    let currency = world.amount().currency();
    for minor in [0, -1, i64::MIN] {
        let request = world.charge_request(tulbur_core::Money::from_minor(minor, currency), token.clone());
        let error = error_of("an amount that is none", charges.charge(&request).await)?;
        ensure!(error.outcome() == Outcome::NoEffect, "{minor}: the outcome is {:?}", error.outcome());
    }
    let sent = world.wire.seen().len();
    ensure!(sent == 0, "{sent} requests left for amounts that are none");
    Ok(())
}

async fn deleted(world: Arc<World>) -> Checked {
    let token = world.card(Deed::Pay).await?;
    let Some(vault) = world.provider.vault() else { return fail("it deletes no cards") };
    vault.delete_card(&token).await?;
    if let Some(charges) = world.provider.charges()
        && let Ok(charge) = charges.charge(&world.charge_request(world.amount(), token)).await
    {
        let status = world.charge_end(&charge).await?.status;
        ensure!(!status.is_paid(), "a deleted card was charged");
    }
    Ok(())
}
