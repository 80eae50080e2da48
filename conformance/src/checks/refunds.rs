//! Refunds, as the account's limits declare them.

use std::sync::Arc;

use tulbur_core::{Money, Outcome, PaymentRef, Provider, RefundPart, RefundStatus};

use crate::check::List;
use crate::ops::{error_of, refund_request};
use crate::world::{Checked, World, ensure, fail};

pub(super) fn list(list: &mut List, provider: &dyn Provider) {
    if provider.refunds().is_none() {
        return;
    }
    list.add("refund::the_whole_amount_comes_back_once", whole);
    list.add("refund::a_part_as_the_limits_declare", partial);
    list.add("refund::again_as_the_limits_declare", repeated);
    list.add("refund::more_than_was_paid_is_refused", too_much);
    list.add("refund::what_was_not_paid_is_refused", unpaid);
}

fn half(amount: Money) -> Money {
    Money::from_minor(amount.minor() / 2, amount.currency())
}

async fn refund(world: &World, payment: &PaymentRef, amount: Money) -> Checked<tulbur_core::Result<()>> {
    let Some(refunds) = world.provider.refunds() else { return fail("it refunds nothing") };
    let request = refund_request(world, payment.clone(), amount).await?;
    let result = refunds.refund(&request).await;
    if let Ok(refund) = &result {
        ensure!(refund.amount == amount, "{amount} was asked back, and {} is said to come", refund.amount);
        ensure!(refund.status != RefundStatus::Failed, "a good refund failed");
    }
    Ok(result.map(drop))
}

/// A refusal that says no: nothing is left open by it.
fn said_no(what: &str, result: tulbur_core::Result<()>) -> Checked {
    let error = error_of(what, result)?;
    ensure!(
        error.outcome() != Outcome::Unknown,
        "{what}: the answer is no, and the outcome is left open: {error}"
    );
    Ok(())
}

async fn counted(world: &World, payment: &PaymentRef, times: u32) -> Checked {
    if let Some(refunds) = world.books(&payment.merchant_ref).await?.and_then(|books| books.refunds) {
        ensure!(refunds == times, "the other side gave money back {refunds} times, not {times}");
    }
    Ok(())
}

async fn whole(world: Arc<World>) -> Checked {
    let payment = world.paid().await?;
    refund(&world, &payment, world.amount()).await??;
    counted(&world, &payment, 1).await?;
    if world.provider.queries().is_some() {
        let after = world.query(&payment).await?;
        ensure!(after.status.is_paid(), "refunded money was paid, and is called {}", after.status);
        ensure!(after.refunded.is_none_or(|back| back == world.amount()), "{:?} came back", after.refunded);
    }
    Ok(())
}

async fn partial(world: Arc<World>) -> Checked {
    let payment = world.paid().await?;
    let result = refund(&world, &payment, half(world.amount())).await?;
    if world.info().refunds.as_ref().is_some_and(|rule| rule.part == RefundPart::Any) {
        result?;
        counted(&world, &payment, 1).await
    } else {
        said_no("a part, where only the whole can be refunded", result)?;
        counted(&world, &payment, 0).await
    }
}

async fn repeated(world: Arc<World>) -> Checked {
    let rule = world.info().refunds.clone();
    let payment = world.paid().await?;
    let part = if rule.as_ref().is_some_and(|rule| rule.part == RefundPart::Any) {
        half(world.amount())
    } else {
        world.amount()
    };
    refund(&world, &payment, part).await??;
    let second = refund(&world, &payment, part).await?;
    if rule.is_some_and(|rule| rule.repeated && rule.part == RefundPart::Any) {
        second?;
        counted(&world, &payment, 2).await
    } else {
        // "Seen before" leaves open whether this one was, so that both answers are honest here.
        error_of("a second refund, where only one can be made", second)?;
        counted(&world, &payment, 1).await
    }
}

async fn too_much(world: Arc<World>) -> Checked {
    let payment = world.paid().await?;
    let amount = Money::from_minor(world.amount().minor() + 1, world.amount().currency());
    said_no("more than was paid", refund(&world, &payment, amount).await?)?;
    counted(&world, &payment, 0).await
}

async fn unpaid(world: Arc<World>) -> Checked {
    let payment = world.open().await?.payment;
    let result = refund(&world, &payment, world.amount()).await?;
    if world.under_test.answers().refusals {
        said_no("what was not paid", result)?;
    } else {
        error_of("what was not paid", result)?;
    }
    counted(&world, &payment, 0).await
}
