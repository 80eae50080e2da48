//! Amounts and references: exact, within their limits, and the provider's own words.

use std::sync::Arc;

use tulbur_core::{
    Alphabet, AmountRange, CreateInvoice, Currency, ErrorKind, MerchantRef, Money, Options, Outcome,
    Provider, ProviderOptions, RandomIds, RefRule,
};

use crate::check::List;
use crate::counterpart::{Deed, OtherSideFault, Skill};
use crate::ops::{Op, Ready, error_of};
use crate::world::{Checked, World, ensure};

pub(super) fn list(list: &mut List, provider: &dyn Provider) {
    if provider.invoices().is_none() && provider.qr().is_none() {
        return;
    }
    if let Some(range) = provider.info().amounts.clone() {
        list.add("money::the_least_and_the_most_hold_on_both_sides", move |world| {
            limits(world, range.clone())
        });
    }
    list.add("money::nothing_less_and_other_currencies_are_refused_unsent", nonsense);
    list.add("reference::the_shortest_and_the_longest_pass_the_wire", fitting_references);
    list.add("reference::others_than_the_rule_allows_are_refused_unsent", unfit_references);
    list.add("request::options_of_another_provider_are_refused_unsent", foreign_options);
    if provider.queries().is_some() {
        list.add("money::amounts_come_back_exactly", round_trip);
        list.add("money::the_amount_is_the_one_received_not_the_one_asked_about", received_not_asked);
        list.add("money::a_tampered_amount_in_a_signed_answer_is_untrusted", tampered);
    }
}

async fn round_trip(world: Arc<World>) -> Checked {
    let amounts = world.under_test.amounts(world.info());
    ensure!(!amounts.is_empty(), "no amount is to be tried");
    for amount in amounts {
        let invoice = world.open_for(amount).await?;
        ensure!(
            invoice.payment.amount == Some(amount),
            "the invoice for {amount} says {:?}",
            invoice.payment.amount
        );
        let reference = &invoice.payment.merchant_ref;
        if let Some(sent) = world.books(reference).await?.and_then(|books| books.amount) {
            let understood = Money::parse(&sent, amount.currency());
            ensure!(understood == Ok(amount), "for {amount} the other side got `{sent}`");
        }
        world.act(Deed::Pay, reference).await?;
        let payment = world.query(&invoice.payment).await?;
        ensure!(payment.status.is_paid(), "{amount} was paid and is called {}", payment.status);
        ensure!(payment.amount == Some(amount), "{amount} was paid, and {:?} came back", payment.amount);
    }
    Ok(())
}

/// Asks about a payment of another amount than it has: what comes back must be what the provider says.
async fn received_not_asked(world: Arc<World>) -> Checked {
    let paid = world.paid().await?;
    let amount = world.amount();
    let mut asked = paid.clone();
    let other = Money::from_minor(amount.minor() * 2 + 1, amount.currency());
    asked.amount = Some(other);
    match world.try_query(&asked).await {
        Ok(payment) => {
            ensure!(
                payment.amount != Some(other),
                "{amount} was paid, and asking about {other} gave {other}: the amount must be the one in the answer"
            );
            ensure!(payment.amount.is_none_or(|said| said == amount), "{amount} became {:?}", payment.amount);
        }
        // A provider that is asked by reference and amount does not know such a payment.
        Err(error) => ensure!(
            matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Untrusted | ErrorKind::Rejected),
            "asking about another amount gave {error}"
        ),
    }
    Ok(())
}

async fn tampered(world: Arc<World>) -> Checked {
    world.need(Skill::Fault(OtherSideFault::TamperedAmount))?;
    let learnt = Op::Query.learn(&world).await?;
    let paid = world.paid().await?;
    let path = Ready::Query(paid.clone()).aim(&world, learnt.operation).await?;
    world.counterpart.fault(OtherSideFault::TamperedAmount, &path, &paid.merchant_ref).await?;
    if !world.under_test.answers().signed {
        // Nobody can prove it, so that whoever asked must get to see it.
        let payment = world.query(&paid).await?;
        ensure!(
            payment.amount.is_some_and(|said| Some(said) != paid.amount),
            "the amount in the answer was changed, and {:?} is handed over",
            payment.amount
        );
        return Ok(());
    }
    let error = error_of("a tampered amount", world.try_query(&paid).await)?;
    ensure!(error.kind() == ErrorKind::Untrusted, "it gave {error}");
    Ok(())
}

async fn limits(world: Arc<World>, range: AmountRange) -> Checked {
    for amount in [*range.start(), *range.end()] {
        world.open_for(amount).await?;
    }
    let currency = range.start().currency();
    for minor in [range.start().minor() - 1, range.end().minor() + 1] {
        refused_unsent(&world, &world.invoice_request(Money::from_minor(minor, currency))).await?;
    }
    Ok(())
}

/// Refused as an invalid request, and without a byte on the wire.
async fn refused_unsent(world: &World, request: &CreateInvoice) -> Checked {
    world.wire.reset();
    let what = format!("{} with the reference `{}`", request.amount, request.merchant_ref);
    let error = error_of(&what, world.create(request).await)?;
    ensure!(
        matches!(error.kind(), ErrorKind::InvalidRequest | ErrorKind::Unsupported),
        "{what}: it gave {error} ({:?})",
        error.kind()
    );
    ensure!(
        error.outcome() == Outcome::NoEffect,
        "{what}: nothing was sent, and the outcome is {:?}",
        error.outcome()
    );
    let sent = world.wire.seen().len();
    ensure!(sent == 0, "{what}: it was refused after {sent} requests had left");
    Ok(())
}

async fn nonsense(world: Arc<World>) -> Checked {
    for currency in world.info().currencies.clone() {
        for minor in [0, -1, i64::MIN] {
            refused_unsent(&world, &world.invoice_request(Money::from_minor(minor, currency))).await?;
        }
    }
    let known = [Currency::MNT, Currency::VND, Currency::USD, Currency::JPY];
    for other in known.into_iter().filter(|currency| !world.info().currencies.contains(currency)) {
        refused_unsent(&world, &world.invoice_request(Money::from_minor(150_000, other))).await?;
    }
    Ok(())
}

async fn fitting_references(world: Arc<World>) -> Checked {
    let rule = world.info().ref_rule.clone();
    for length in [*rule.length().start(), *rule.length().end()] {
        let exact = RefRule::new(rule.alphabet(), length..=length);
        let reference = MerchantRef::generate(&exact, &RandomIds);
        let mut request = world.invoice_request(world.amount());
        request.merchant_ref = reference.clone();
        let invoice = world.create(&request).await?;
        ensure!(invoice.payment.merchant_ref == reference, "`{reference}` became another reference");
        if world.provider.queries().is_some() {
            let payment = world.query(&invoice.payment).await?;
            ensure!(payment.reference.merchant_ref == reference, "`{reference}` cannot be asked about");
        }
    }
    Ok(())
}

async fn unfit_references(world: Arc<World>) -> Checked {
    let rule = world.info().ref_rule.clone();
    let (least, most) = (*rule.length().start(), *rule.length().end());
    let fill = |length: usize| "1".repeat(length);
    let mut unfit = Vec::new();
    if least > 1 {
        unfit.push(fill(least - 1));
    }
    if most < 255 {
        unfit.push(fill(most + 1));
    }
    let strange = match rule.alphabet() {
        Alphabet::Digits => ["a", "-", "_", " ", "ө"].as_slice(),
        Alphabet::AlphanumericHyphen => &["_", " ", "/", "ө"],
        _ => &["-", "_", " ", "ө"],
    };
    unfit.extend(strange.iter().map(|strange| format!("{}{strange}", fill(least.max(2) - 1))));
    for text in unfit {
        // A name that is no name at all cannot be asked with.
        let Ok(reference) = MerchantRef::parse(text) else { continue };
        let mut request = world.invoice_request(world.amount());
        request.merchant_ref = reference;
        refused_unsent(&world, &request).await?;
    }
    Ok(())
}

async fn foreign_options(world: Arc<World>) -> Checked {
    let mut request = world.invoice_request(world.amount());
    request.options = Some(Options::new(&Foreign)?);
    refused_unsent(&world, &request).await
}

/// Options of a provider that nobody has.
struct Foreign;

impl ProviderOptions for Foreign {
    const PROVIDER: &'static str = "conformance-no-such-provider";
}

impl serde::Serialize for Foreign {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_unit()
    }
}

impl<'de> serde::Deserialize<'de> for Foreign {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <()>::deserialize(deserializer).map(|()| Self)
    }
}
