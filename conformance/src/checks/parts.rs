//! Money that comes in several movements: a part, the rest, more than was asked for, and what went back.

use std::collections::HashSet;
use std::sync::Arc;

use tulbur_core::{Money, Payment, PaymentStatus, Provider};

use crate::check::List;
use crate::counterpart::Deed;
use crate::world::{Checked, World, ensure};

pub(super) fn list(list: &mut List, provider: &dyn Provider) {
    if !provider.info().in_parts || provider.queries().is_none() {
        return;
    }
    list.add("parts::a_part_is_pending_and_told", a_part);
    list.add("parts::the_rest_makes_it_paid", the_rest);
    list.add("parts::more_is_paid_and_told_as_it_is", more);
    list.add("parts::a_try_that_failed_is_no_money", failed);
    list.add("parts::what_went_back_is_told", given_back);
}

/// What the provider says came, with a name of its own for each movement.
fn sum(payment: &Payment) -> Checked<i64> {
    let names: HashSet<_> = payment.parts.iter().map(|part| part.charge_ref.as_str()).collect();
    ensure!(names.len() == payment.parts.len(), "two movements have one name: {:?}", payment.parts);
    Ok(payment.parts.iter().map(|part| part.amount.minor()).sum())
}

fn is_paid(payment: &Payment, amount: i64) -> Checked {
    ensure!(payment.status.is_paid(), "all of it is there, and it is called {}", payment.status);
    ensure!(payment.amount.map(Money::minor) == Some(amount), "{:?} is said to have come", payment.amount);
    Ok(())
}

async fn a_part(world: Arc<World>) -> Checked {
    let payment = world.open().await?.payment;
    world.act(Deed::PayPart, &payment.merchant_ref).await?;
    let answer = world.query(&payment).await?;
    ensure!(answer.status == PaymentStatus::Pending, "a part came, and it is called {}", answer.status);
    let came = sum(&answer)?;
    ensure!(
        (1..world.amount().minor()).contains(&came),
        "a part of {} came, and the movements come to {came} of its smallest units",
        world.amount()
    );
    ensure!(answer.amount.map(Money::minor) == Some(came), "{:?} is said to have come", answer.amount);
    Ok(())
}

async fn the_rest(world: Arc<World>) -> Checked {
    let payment = world.open().await?.payment;
    world.act(Deed::PayPart, &payment.merchant_ref).await?;
    world.act(Deed::Pay, &payment.merchant_ref).await?;
    let answer = world.query(&payment).await?;
    ensure!(answer.parts.len() >= 2, "it came in two movements, and these are told: {:?}", answer.parts);
    is_paid(&answer, world.amount().minor())?;
    ensure!(sum(&answer)? == world.amount().minor(), "the movements come to {}", sum(&answer)?);
    Ok(())
}

async fn more(world: Arc<World>) -> Checked {
    let payment = world.open().await?.payment;
    world.act(Deed::Pay, &payment.merchant_ref).await?;
    world.act(Deed::PayMore, &payment.merchant_ref).await?;
    let answer = world.query(&payment).await?;
    let came = sum(&answer)?;
    ensure!(came > world.amount().minor(), "more than {} came, and the answer says {came}", world.amount());
    is_paid(&answer, came)
}

async fn failed(world: Arc<World>) -> Checked {
    let payment = world.open().await?.payment;
    world.act(Deed::FailOnce, &payment.merchant_ref).await?;
    let answer = world.query(&payment).await?;
    ensure!(
        answer.status == PaymentStatus::Pending && answer.parts.is_empty(),
        "one try failed and the invoice is open; it is called {}, with {:?}",
        answer.status,
        answer.parts
    );
    world.act(Deed::Pay, &payment.merchant_ref).await?;
    is_paid(&world.query(&payment).await?, world.amount().minor())
}

async fn given_back(world: Arc<World>) -> Checked {
    let payment = world.paid().await?;
    world.act(Deed::GiveBack, &payment.merchant_ref).await?;
    let answer = world.query(&payment).await?;
    is_paid(&answer, world.amount().minor())?;
    ensure!(
        answer.refunded == Some(world.amount()),
        "all of it went back, and {:?} is told",
        answer.refunded
    );
    ensure!(
        answer.parts.iter().all(|part| part.returned),
        "a movement that went back is told as if it were there: {:?}",
        answer.parts
    );
    Ok(())
}
