//! Checks the outcome that an operation's error reports, for each failure on the way.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tulbur_core::{Effect, Error, ErrorKind, Outcome, Provider, QueryBy};

use crate::broken::{Behaviour, Broken, Nobody};
use crate::check::List;
use crate::counterpart::{OtherSideFault, Skill};
use crate::ops::{Learnt, Op, error_of};
use crate::wire::Trouble;
use crate::world::{Checked, World, ensure, ignore};

/// Everything that can come back instead of a good answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Damage {
    Cut,
    ServerError,
    Truncated,
    Empty,
    NotJson,
    Meaningless,
    Huge,
    Silence,
    NoHttp,
    UnlistedStatus,
}

impl Damage {
    const ALL: [Self; 10] = [
        Self::Cut,
        Self::ServerError,
        Self::Truncated,
        Self::Empty,
        Self::NotJson,
        Self::Meaningless,
        Self::Huge,
        Self::Silence,
        Self::NoHttp,
        Self::UnlistedStatus,
    ];

    /// As names of checks have it.
    fn name(self) -> &'static str {
        match self {
            Self::Cut => "cut_after_sending",
            Self::ServerError => "answered_with_5xx",
            Self::Truncated => "with_a_truncated_answer",
            Self::Empty => "with_an_empty_answer",
            Self::NotJson => "with_html_for_an_answer",
            Self::Meaningless => "with_a_meaningless_answer",
            Self::Huge => "with_an_endless_answer",
            Self::Silence => "without_an_answer_in_time",
            Self::NoHttp => "with_noise_for_an_answer",
            Self::UnlistedStatus => "with_an_unlisted_status",
        }
    }

    fn behaviours(self) -> Vec<Behaviour> {
        match self {
            Self::Cut => vec![Behaviour::Cut],
            Self::ServerError => [500, 502, 503, 504]
                .into_iter()
                .flat_map(|status| {
                    [
                        Behaviour::json(status, ""),
                        Behaviour::html(status),
                        Behaviour::json(status, r#"{"error":"Internal","message":"oops","code":"1"}"#),
                    ]
                })
                .collect(),
            Self::Truncated => {
                vec![Behaviour::Truncated { body: br#"{"status":"ok","amount":"1500.00"}"#.to_vec() }]
            }
            Self::Empty => vec![Behaviour::json(200, ""), Behaviour::json(200, "   ")],
            Self::NotJson => vec![Behaviour::html(200)],
            Self::Meaningless => {
                ["[]", "null", "0", "\"ok\"", r#"{"a":"#].map(|body| Behaviour::json(200, body)).to_vec()
            }
            Self::Huge => vec![Behaviour::Endless],
            Self::Silence => vec![Behaviour::Silent],
            Self::NoHttp => vec![Behaviour::Noise],
            Self::UnlistedStatus => {
                vec![Behaviour::json(302, ""), Behaviour::html(418), Behaviour::json(299, "{}")]
            }
        }
    }

    /// The kinds of error that fit; any, if none is named.
    fn kinds(self) -> &'static [ErrorKind] {
        match self {
            Self::Silence => &[ErrorKind::Timeout],
            Self::Huge | Self::Empty | Self::NotJson | Self::Meaningless => &[ErrorKind::Malformed],
            Self::Cut | Self::Truncated | Self::NoHttp => {
                &[ErrorKind::Unavailable, ErrorKind::Malformed, ErrorKind::Timeout]
            }
            Self::ServerError | Self::UnlistedStatus => &[],
        }
    }

    fn trouble(self, at: SocketAddr) -> Trouble {
        if self == Self::Silence { Trouble::Slow(at) } else { Trouble::Divert(at) }
    }
}

pub(super) fn list(list: &mut List, provider: &dyn Provider) {
    for op in Op::offered(provider) {
        let name = op.name();
        let verdict = if op.is_write() { "unknown" } else { "no_effect" };
        list.add(format!("outcome::{name}_that_finds_nobody_is_no_effect"), move |world| {
            nobody_there(world, op)
        });
        for damage in Damage::ALL {
            // Deleting a card may well be answered by nothing at all.
            if op == Op::DeleteCard && matches!(damage, Damage::Empty | Damage::NotJson | Damage::Meaningless)
            {
                continue;
            }
            list.add(format!("outcome::{name}_{}_is_{verdict}", damage.name()), move |world| {
                damaged(world, op, damage)
            });
        }
        list.add(format!("outcome::{name}_with_a_wrongly_signed_answer_is_{verdict}"), move |world| {
            wrongly_signed(world, op)
        });
        if op.is_write() {
            list.add(format!("outcome::{name}_with_keys_that_nobody_knows_is_refused"), move |world| {
                refused(world, op)
            });
            list.add(format!("write::{name}_is_sent_once_whatever_comes_back"), move |world| {
                sent_once(world, op)
            });
            if op.has_deadline() {
                list.add(format!("write::{name}_past_its_send_by_is_never_sent"), move |world| {
                    too_late(world, op)
                });
            }
            list.add(format!("write::{name}_whose_answer_is_lost_was_done_once"), move |world| {
                done_once(world, op, OtherSideFault::AnswerLost)
            });
            list.add(format!("write::{name}_answered_with_500_was_done_once"), move |world| {
                done_once(world, op, OtherSideFault::ErrorAfter)
            });
        } else {
            list.add(format!("read::{name}_is_asked_again_after_a_cut"), move |world| asked_again(world, op));
        }
        if matches!(op, Op::CreateInvoice | Op::CreateQr | Op::CreateCardSetup | Op::Charge) {
            list.add(format!("outcome::{name}_of_a_reference_used_before_is_unknown"), move |world| {
                duplicate(world, op)
            });
        }
    }
}

fn lost(op: Op) -> Outcome {
    if op.is_write() { Outcome::Unknown } else { Outcome::NoEffect }
}

fn check_outcome(op: Op, what: &str, error: &Error, wanted: Outcome) -> Checked {
    ensure!(
        error.outcome() == wanted,
        "{} {what}: the outcome must be {wanted:?}, and is {:?}: {error}",
        op.name(),
        error.outcome()
    );
    Ok(())
}

async fn nobody_there(world: Arc<World>, op: Op) -> Checked {
    let learnt = op.learn(&world).await?;
    let ready = op.prepare(&world).await?;
    let nobody = Nobody::here()?;
    world.wire.plan(learnt.operation, Trouble::Divert(nobody.address), usize::MAX);
    let error = error_of("nobody listens", ready.run(&world).await)?;
    check_outcome(op, "that finds nobody", &error, Outcome::NoEffect)?;
    ensure!(error.kind() == ErrorKind::Unavailable, "the kind is {:?}: {error}", error.kind());
    Ok(())
}

/// Runs the operation against a broken server, and gives its error and how often it was sent.
async fn strike(
    world: &World,
    op: Op,
    learnt: &Learnt,
    damage: Damage,
    behaviour: Behaviour,
) -> Checked<(Error, usize)> {
    let what = format!("{} {}: {behaviour:?}", op.name(), damage.name());
    let ready = op.prepare(world).await?;
    let broken = Broken::start(behaviour).await?;
    world.wire.reset();
    world.wire.plan(learnt.operation, damage.trouble(broken.address), usize::MAX);
    let result = ready.run(world).await;
    let sent = world.wire.count(learnt.operation);
    world.wire.heal();
    Ok((error_of(&what, result)?, sent))
}

async fn damaged(world: Arc<World>, op: Op, damage: Damage) -> Checked {
    let learnt = op.learn(&world).await?;
    for behaviour in damage.behaviours() {
        let what = format!("{} ({behaviour:?})", damage.name());
        let (error, sent) = strike(&world, op, &learnt, damage, behaviour).await?;
        ensure!(sent > 0, "{} {what}: nothing was sent, and it gave {error}", op.name());
        check_outcome(op, &what, &error, lost(op))?;
        let kinds = damage.kinds();
        ensure!(
            kinds.is_empty() || kinds.contains(&error.kind()),
            "{} {what}: the kind is {:?}, not one of {kinds:?}: {error}",
            op.name(),
            error.kind()
        );
    }
    Ok(())
}

async fn sent_once(world: Arc<World>, op: Op) -> Checked {
    let learnt = op.learn(&world).await?;
    if learnt.effect == Effect::Keyed {
        return ignore("the provider declares that the same bytes are safe to send again");
    }
    for damage in Damage::ALL {
        for behaviour in damage.behaviours().into_iter().take(3) {
            let ready = op.prepare(&world).await?;
            let broken = Broken::start(behaviour.clone()).await?;
            world.wire.reset();
            world.wire.plan(learnt.operation, damage.trouble(broken.address), usize::MAX);
            drop(ready.run(&world).await);
            let sent = world.wire.count(learnt.operation);
            world.wire.heal();
            ensure!(sent == 1, "{} {} ({behaviour:?}) left {sent} times", op.name(), damage.name());
        }
    }
    Ok(())
}

/// The time in which it could be sent is over before it begins. Nothing arrives, and the same request is good later.
async fn too_late(world: Arc<World>, op: Op) -> Checked {
    let learnt = op.learn(&world).await?;
    let ready = op.prepare(&world).await?;
    let path = ready.aim(&world, learnt.operation).await?;
    let reference = ready.reference().filter(|_| world.counterpart.can(Skill::Requests)).cloned();
    let arrived = async || match &reference {
        Some(reference) => world.counterpart.received(&path, reference).await,
        None => Ok(0),
    };
    let before = arrived().await?;
    world.wire.reset();
    let now = world.env.clock.monotonic();
    let result = ready.clone().send_by(now).run(&world).await;
    let wrote = world.wire.count(learnt.operation)
        + world.wire.seen().iter().filter(|seen| seen.effect.is_write()).count();
    ensure!(wrote == 0, "it was sent although its time was over: hand `send_by` to the HttpRequest");
    let error = error_of("a write whose time was over", result)?;
    check_outcome(op, "past its send_by", &error, Outcome::NoEffect)?;
    ensure!(arrived().await? == before, "the other side received it although its time was over");
    ready.send_by(now.after(Duration::from_mins(1))).run(&world).await?;
    Ok(())
}

async fn asked_again(world: Arc<World>, op: Op) -> Checked {
    let learnt = op.learn(&world).await?;
    let ready = op.prepare(&world).await?;
    let broken = Broken::start(Behaviour::Cut).await?;
    world.wire.reset();
    world.wire.plan(learnt.operation, Trouble::Divert(broken.address), 1);
    let result = ready.run(&world).await;
    let sent = world.wire.count(learnt.operation);
    match (result, learnt.effect) {
        (Ok(_), _) => ensure!(sent == 2, "it succeeded after {sent} requests"),
        // Its bytes hold a nonce, so that the caller asks anew.
        (Err(error), Effect::ReadOnce) => check_outcome(op, "after a cut", &error, Outcome::NoEffect)?,
        (Err(error), effect) => {
            ensure!(false, "a question ({effect:?}) was not asked again after a cut: {error}");
        }
    }
    Ok(())
}

/// At the other side: its answer is lost, or is an error, although it was done.
async fn done_once(world: Arc<World>, op: Op, fault: OtherSideFault) -> Checked {
    world.need(Skill::Fault(fault))?;
    world.need(Skill::Requests)?;
    let learnt = op.learn(&world).await?;
    let ready = op.prepare(&world).await?;
    let Some(reference) = ready.reference().cloned() else {
        return ignore("the other side does not know which payment this is about");
    };
    let path = ready.aim(&world, learnt.operation).await?;
    let before = world.counterpart.received(&path, &reference).await?;
    world.counterpart.fault(fault, &path, &reference).await?;
    let result = ready.run(&world).await;
    let received = world.counterpart.received(&path, &reference).await? - before;
    ensure!(
        received >= 1,
        "the fault was ordered and did not happen: no request about {reference} arrived at {path}"
    );
    if learnt.effect != Effect::Keyed {
        ensure!(received == 1, "the other side received it {received} times");
        let error = error_of("an answer that was lost", result)?;
        check_outcome(op, "whose answer was lost", &error, Outcome::Unknown)?;
    }
    let Some(books) = world.books(&reference).await? else { return Ok(()) };
    match op {
        Op::Charge => ensure!(books.debits == 1, "the card was debited {} times", books.debits),
        Op::CreateInvoice | Op::CreateQr => ensure!(books.debits == 0, "{} debits", books.debits),
        Op::Refund => ensure!(books.refunds.is_none_or(|times| times == 1), "refunds: {:?}", books.refunds),
        _ => {}
    }
    if op == Op::Charge
        && let crate::ops::Ready::Charge(request) = &ready
        && world.provider.queries().is_some()
        && let Some(asked) = world.charge_ref(request)
        // A provider that is asked by its own reference only cannot be asked: the answer that names it was lost.
        && world.info().flow(&asked.flow).is_none_or(|flow| flow.query_by != QueryBy::ProviderRef)
    {
        let payment = world.query(&asked).await?;
        ensure!(payment.status.is_paid(), "asking about the lost charge gives {}", payment.status);
        ensure!(payment.amount == Some(request.amount), "asking about it gives {:?}", payment.amount);
    }
    Ok(())
}

async fn wrongly_signed(world: Arc<World>, op: Op) -> Checked {
    world.need(Skill::Fault(OtherSideFault::WrongChecksum))?;
    if !world.under_test.answers().signed {
        return ignore("answers have no checksum that anybody could check: UnderTest::answers");
    }
    let learnt = op.learn(&world).await?;
    let ready = op.prepare(&world).await?;
    let Some(reference) = ready.reference() else {
        return ignore("the other side does not know which payment this is about");
    };
    let path = ready.aim(&world, learnt.operation).await?;
    world.counterpart.fault(OtherSideFault::WrongChecksum, &path, reference).await?;
    let result = ready.run(&world).await;
    if world.counterpart.can(Skill::Requests) {
        let received = world.counterpart.received(&path, reference).await?;
        ensure!(
            received >= 1,
            "the fault was ordered and did not happen: no request about {reference} arrived at {path}"
        );
    }
    let error = error_of("a wrongly signed answer", result)?;
    check_outcome(op, "with a wrongly signed answer", &error, lost(op))?;
    ensure!(error.kind() == ErrorKind::Untrusted, "the kind is {:?}: {error}", error.kind());
    Ok(())
}

async fn refused(world: Arc<World>, op: Op) -> Checked {
    let stranger = world.stranger()?;
    let ready = op.prepare(&world).await?;
    world.wire.reset();
    let error = error_of("keys that nobody knows", ready.run_by(&*stranger).await)?;
    // Where a login comes first, the write itself never left.
    let wrote = world.wire.seen().iter().any(|seen| seen.effect.is_write());
    let fits = error.outcome() == Outcome::Refused
        || (!wrote && error.outcome() == Outcome::NoEffect)
        || (!world.under_test.answers().refusals && error.outcome() == Outcome::Unknown);
    ensure!(
        fits,
        "a refusal in the provider's own words must be Refused, and is {:?}: {error}",
        error.outcome()
    );
    Ok(())
}

async fn duplicate(world: Arc<World>, op: Op) -> Checked {
    let ready = op.prepare(&world).await?;
    ready.run(&world).await?;
    // A provider may answer the same again; what it must not do is call the first one refused.
    if let Err(error) = ready.run(&world).await {
        check_outcome(op, "of a reference used before", &error, Outcome::Unknown)?;
    }
    if op == Op::Charge
        && let Some(reference) = ready.reference()
        && let Some(books) = world.books(reference).await?
    {
        ensure!(books.debits == 1, "the card was debited {} times", books.debits);
    }
    Ok(())
}
