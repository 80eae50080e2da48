//! The life of a payment, as a payer and a shop see it.

use std::sync::Arc;

use tulbur_core::{ErrorKind, HttpResponse, NextAction, Outcome, PaymentRef, PaymentStatus, Provider, Way};

use crate::check::List;
use crate::counterpart::Deed;
use crate::logs::Logs;
use crate::ops::error_of;
use crate::world::{Checked, Stop, World, ensure, ignore};

pub(super) fn list(list: &mut List, provider: &dyn Provider) {
    if provider.invoices().is_none() && provider.qr().is_none() {
        return;
    }
    list.add("payment::every_way_to_pay_shows_the_payer_something", ways);
    if provider.queries().is_none() {
        return;
    }
    list.add("payment::what_nobody_has_paid_is_pending", pending);
    list.add("payment::what_was_paid_is_paid", paid);
    list.add("payment::a_decline_is_an_answer_and_not_an_error", declined);
    list.add("payment::what_was_cancelled_is_not_paid", |world| ended(world, Deed::Cancel));
    list.add("payment::what_expired_is_not_paid", |world| ended(world, Deed::Expire));
    list.add("payment::an_unknown_payment_is_not_found", unknown);
    list.add("payment::the_answer_about_another_payment_is_not_taken", other_answer);
    list.add("payment::one_provider_serves_many_tasks_and_mixes_nothing_up", concurrent);
}

async fn ways(world: Arc<World>) -> Checked {
    for way in world.info().ways.clone() {
        let mut request = world.invoice_request(world.amount());
        request.way = way;
        let invoice = world.create(&request).await?;
        ensure!(
            invoice.payment.merchant_ref == request.merchant_ref,
            "{way:?}: the invoice is about another reference"
        );
        let shown = |wanted: fn(&NextAction) -> bool| invoice.next.iter().any(wanted);
        let right = match way {
            Way::Page => shown(|next| matches!(next, NextAction::Redirect(_) | NextAction::Embed(_))),
            Way::Qr => shown(|next| matches!(next, NextAction::ShowQr(_))),
            Way::App => shown(|next| matches!(next, NextAction::OpenApp(_))),
            Way::Phone => shown(|next| matches!(next, NextAction::Approve)),
        };
        ensure!(right, "{way:?}: there is nothing for that way in {:?}", invoice.next);
        let flow = world.provider.flow_of_invoice(&request).map(|info| &info.flow);
        ensure!(
            flow == Some(&invoice.payment.flow),
            "{way:?}: the flow is {:?}, not {flow:?}",
            invoice.payment.flow
        );
    }
    Ok(())
}

async fn pending(world: Arc<World>) -> Checked {
    let invoice = world.open().await?;
    ensure!(invoice.status == PaymentStatus::Pending, "a fresh invoice is called {}", invoice.status);
    let payment = world.query(&invoice.payment).await?;
    ensure!(
        payment.status == PaymentStatus::Pending,
        "nobody has paid or refused, and it is called {}: what the provider does not say is pending",
        payment.status
    );
    Ok(())
}

async fn paid(world: Arc<World>) -> Checked {
    let invoice = world.open().await?;
    world.act(Deed::Pay, &invoice.payment.merchant_ref).await?;
    for _ in 0..2 {
        let payment = world.query(&invoice.payment).await?;
        ensure!(payment.status.is_paid(), "it was paid and is called {}", payment.status);
        ensure!(payment.amount == invoice.payment.amount, "{:?} was paid", payment.amount);
    }
    if let Some(books) = world.books(&invoice.payment.merchant_ref).await? {
        ensure!(books.debits == 1, "the payer was debited {} times", books.debits);
    }
    Ok(())
}

async fn declined(world: Arc<World>) -> Checked {
    let invoice = world.open().await?;
    world.act(Deed::Decline, &invoice.payment.merchant_ref).await?;
    let payment = match world.try_query(&invoice.payment).await {
        Ok(payment) => payment,
        Err(error) => return Err(Stop::Failed(format!("a decline is no failure of the question: {error}"))),
    };
    // Where no code says so, nobody knows but the payer.
    let wanted =
        if world.under_test.answers().declines { PaymentStatus::Declined } else { PaymentStatus::Pending };
    ensure!(payment.status == wanted, "it was declined, must be {wanted}, and is called {}", payment.status);
    Ok(())
}

async fn ended(world: Arc<World>, deed: Deed) -> Checked {
    let invoice = world.open().await?;
    world.act(deed, &invoice.payment.merchant_ref).await?;
    let status = world.query(&invoice.payment).await?.status;
    ensure!(
        !matches!(status, PaymentStatus::Paid | PaymentStatus::Authorized),
        "after {deed:?} it is called {status}"
    );
    Ok(())
}

async fn unknown(world: Arc<World>) -> Checked {
    // Found through a real one, so that a provider's own reference has the right shape.
    let invoice = world.open().await?;
    let flow = invoice.payment.flow.clone();
    let mut asked = PaymentRef::new(world.reference(), Some(world.amount()), flow);
    if invoice.payment.provider_ref.is_some()
        && world
            .info()
            .flow(&asked.flow)
            .is_some_and(|info| info.query_by == tulbur_core::QueryBy::ProviderRef)
    {
        let strange = tulbur_core::ProviderRef::parse(asked.merchant_ref.as_str());
        asked.provider_ref = strange.ok();
    }
    let error = error_of("a payment that never was", world.try_query(&asked).await)?;
    ensure!(error.kind() == ErrorKind::NotFound, "it gave {error} ({:?})", error.kind());
    ensure!(
        error.outcome() == Outcome::NoEffect,
        "a question has no effect, and this one's is {:?}",
        error.outcome()
    );
    Ok(())
}

/// The answers about a paid payment, played back as the answers about one that is not: each of the question's calls alone,
/// and all of them.
async fn other_answer(world: Arc<World>) -> Checked {
    let paid = world.paid().await?;
    world.wire.reset();
    world.query(&paid).await?;
    let mut recorded: Vec<(&'static str, HttpResponse)> = Vec::new();
    for seen in world.wire.seen() {
        if let Some(answer) = seen.answer {
            recorded.retain(|(operation, _)| *operation != seen.operation);
            recorded.push((seen.operation, answer));
        }
    }
    if recorded.is_empty() {
        return ignore("the query sends nothing");
    }
    let alone = recorded.iter().map(|one| vec![one.clone()]);
    for played in alone.chain([recorded.clone()]).collect::<Vec<_>>() {
        let is_all = played.len() == recorded.len();
        let names: Vec<&str> = played.iter().map(|(operation, _)| *operation).collect();
        let open = world.open().await?.payment;
        world.wire.play(played);
        let answer = world.try_query(&open).await;
        world.wire.heal();
        let Ok(answer) = answer else { continue };
        // A call that is not made for an open payment has nothing to mix up.
        ensure!(
            !is_all && answer.status == PaymentStatus::Pending,
            "the answers to {names:?} about {} were taken for {}, which is now called {}",
            paid.merchant_ref,
            open.merchant_ref,
            answer.status
        );
    }
    Ok(())
}

/// On threads of its own: several tasks truly at once.
async fn concurrent(world: Arc<World>) -> Checked {
    let (under_test, counterpart) = (Arc::clone(&world.under_test), Arc::clone(&world.counterpart));
    let threads = move || -> Checked {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build()?;
        runtime.block_on(async move {
            let world = Arc::new(World::new(under_test, counterpart, Logs::default()).await?);
            let amounts = world.under_test.amounts(world.info());
            let tasks: Vec<_> = (0..24)
                .map(|number: usize| {
                    let (world, amount) = (Arc::clone(&world), amounts[number % amounts.len()]);
                    tokio::spawn(async move { one_of_many(&world, amount, number.is_multiple_of(2)).await })
                })
                .collect();
            for task in tasks {
                task.await.map_err(|error| Stop::Failed(format!("a task ended badly: {error}")))??;
            }
            Ok(())
        })
    };
    tokio::task::spawn_blocking(threads).await.map_err(|error| Stop::Failed(error.to_string()))?
}

async fn one_of_many(world: &World, amount: tulbur_core::Money, pay: bool) -> Checked {
    let invoice = world.open_for(amount).await?;
    if pay {
        world.act(Deed::Pay, &invoice.payment.merchant_ref).await?;
    }
    let payment = world.query(&invoice.payment).await?;
    let wanted = if pay { PaymentStatus::Paid } else { PaymentStatus::Pending };
    ensure!(payment.status == wanted, "among others, {wanted} was called {}", payment.status);
    ensure!(
        payment.amount.is_none_or(|said| said == amount),
        "among others, {amount} became {:?}",
        payment.amount
    );
    Ok(())
}
