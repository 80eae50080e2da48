//! Money that is held, taken or let go; invoices that are taken back.

use std::sync::Arc;

use tulbur_core::{CancelRequest, CaptureRequest, PaymentStatus, Provider, VoidRequest};

use crate::check::List;
use crate::counterpart::Deed;
use crate::ops::{error_of, operation_ref};
use crate::world::{Checked, World, ensure, fail};

pub(super) fn list(list: &mut List, provider: &dyn Provider) {
    if provider.captures().is_some() {
        list.add("hold::captured_money_is_paid_once", captured);
    }
    if provider.voids().is_some() {
        list.add("hold::voided_money_is_not_paid", voided);
    }
    if provider.cancels().is_some() {
        list.add("cancel::an_open_invoice_is_taken_back", cancelled);
        list.add("cancel::what_was_paid_stays_paid", cancelled_too_late);
    }
}

async fn captured(world: Arc<World>) -> Checked {
    let Some(captures) = world.provider.captures() else { return fail("it captures nothing") };
    let payment = world.authorized().await?;
    let request = CaptureRequest::new(payment.clone(), operation_ref(), world.amount());
    let answer = captures.capture(&request).await?;
    ensure!(answer.status.is_paid(), "captured money is called {}", answer.status);
    let found = world.query(&payment).await?;
    let held_at_least = !world.under_test.answers().captures && found.status == PaymentStatus::Authorized;
    ensure!(found.status.is_paid() || held_at_least, "captured money is found as {}", found.status);
    if let Some(books) = world.books(&payment.merchant_ref).await? {
        ensure!(books.debits == 1, "the payer was debited {} times", books.debits);
    }
    Ok(())
}

async fn voided(world: Arc<World>) -> Checked {
    let Some(voids) = world.provider.voids() else { return fail("it voids nothing") };
    let payment = world.authorized().await?;
    let answer = voids.void(&VoidRequest::new(payment.clone(), operation_ref())).await?;
    for status in [answer.status, world.query(&payment).await?.status] {
        let gone = !matches!(status, PaymentStatus::Paid | PaymentStatus::Authorized);
        ensure!(gone, "money that was let go is called {status}");
    }
    if let Some(books) = world.books(&payment.merchant_ref).await? {
        ensure!(books.debits == 0, "the payer was debited {} times", books.debits);
    }
    Ok(())
}

async fn cancelled(world: Arc<World>) -> Checked {
    let Some(cancels) = world.provider.cancels() else { return fail("it cancels nothing") };
    let request = CancelRequest::new(world.open().await?.payment);
    let status = cancels.cancel(&request).await?.status;
    ensure!(!matches!(status, PaymentStatus::Paid | PaymentStatus::Authorized), "it is called {status}");
    Ok(())
}

/// The answer may say that it is paid, or no; it must not say that nothing was paid.
async fn cancelled_too_late(world: Arc<World>) -> Checked {
    let Some(cancels) = world.provider.cancels() else { return fail("it cancels nothing") };
    let payment = world.open().await?.payment;
    world.act(Deed::Pay, &payment.merchant_ref).await?;
    match cancels.cancel(&CancelRequest::new(payment)).await {
        Ok(answer) => {
            ensure!(answer.status.is_paid(), "it was paid, and cancelling calls it {}", answer.status);
        }
        refused => drop(error_of("cancelling what was paid", refused)?),
    }
    Ok(())
}
