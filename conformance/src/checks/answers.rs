//! Checks answers that are nearly good: a member missing, doubled or of another type, or no checksum.

use std::sync::Arc;

use tulbur_core::{HttpResponse, Outcome, PaymentStatus, Provider};

use crate::check::List;
use crate::members::{member, members};
use crate::ops::{Op, error_of};
use crate::under_test::Member;
use crate::wire::Trouble;
use crate::world::{Checked, World, ensure, fail, ignore};

pub(super) fn list(list: &mut List, provider: &dyn Provider) {
    let opens = provider.invoices().is_some() || provider.qr().is_some();
    if opens && provider.queries().is_some() {
        list.add("answer::a_damaged_member_never_decides_a_payment", damaged_member);
        list.add("answer::a_doubled_member_never_decides_a_payment", doubled_member);
    }
    for op in Op::offered(provider) {
        let name = op.name();
        list.add(format!("answer::{name}_without_its_checksum_is_untrusted"), move |world| {
            unsigned(world, op)
        });
        list.add(format!("answer::{}_survives_every_damaged_member", op.name()), move |world| {
            survives(world, op)
        });
    }
}

/// The body with each member in turn missing, or with a value of each wrong kind, at every depth.
fn variants(body: &[u8]) -> Vec<(String, Vec<u8>)> {
    let long = format!("\"{}\"", "9".repeat(10_000));
    let values = ["null", "\"\"", "\"?\"", "\" \"", "0", "-1", "1e400", "true", "[]", "{}", "[[{}]]", &long];
    let mut variants = Vec::new();
    for member in members(body) {
        variants.push((format!("without `{}`", member.path), member.without(body)));
        for value in values {
            let shown: String = value.chars().take(12).collect();
            variants.push((format!("with `{}` as {shown}", member.path), member.with(body, value)));
        }
    }
    variants
}

/// The genuine answer of an operation, and the name under which it leaves.
pub(super) async fn sample(world: &World, op: Op) -> Checked<(&'static str, HttpResponse)> {
    let learnt = op.learn(world).await?;
    let answer = world.wire.seen().into_iter().rev().find(|seen| seen.operation == learnt.operation);
    match answer.and_then(|seen| seen.answer) {
        Some(answer) => Ok((learnt.operation, answer)),
        None => ignore("it has no answer that could be damaged"),
    }
}

/// Whatever is wrong in the answer about a payment that nobody has paid or refused: it is pending, or an error.
async fn damaged_member(world: Arc<World>) -> Checked {
    let (operation, _) = sample(&world, Op::Query).await?;
    let open = world.open().await?.payment;
    world.wire.reset();
    world.query(&open).await?;
    let Some(genuine) = world.wire.seen().into_iter().rev().find_map(|seen| seen.answer) else {
        return ignore("the query sends nothing");
    };
    let variants = variants(&genuine.body);
    if variants.is_empty() {
        return ignore("the answer is no JSON object");
    }
    for (what, body) in variants {
        play(&world, operation, &genuine, body);
        let status = world.try_query(&open).await.map_or(PaymentStatus::Pending, |payment| payment.status);
        ensure!(
            status == PaymentStatus::Pending,
            "the answer about an open payment, {what}, makes it {status}: only an explicit answer may"
        );
    }
    Ok(())
}

/// Which of two members with one name is meant must not be guessed: the answer is refused, or says what it said before.
async fn doubled_member(world: Arc<World>) -> Checked {
    let (operation, _) = sample(&world, Op::Query).await?;
    let paid = world.paid().await?;
    world.wire.reset();
    let before = world.query(&paid).await?;
    let Some(genuine) = world.wire.seen().into_iter().rev().find_map(|seen| seen.answer) else {
        return ignore("the query sends nothing");
    };
    let members = members(&genuine.body);
    if members.is_empty() {
        return ignore("the answer is no JSON object");
    }
    for member in members {
        for value in ["\"conformance\"", "\"7\"", "7", "null"] {
            for body in member.doubled(&genuine.body, value) {
                play(&world, operation, &genuine, body);
                let Ok(payment) = world.try_query(&paid).await else { continue };
                let same = (payment.status, payment.amount) == (before.status, before.amount);
                ensure!(
                    same,
                    "`{}` stands twice in the answer, once as {value}, and the payment is {} of {:?}",
                    member.path,
                    payment.status,
                    payment.amount
                );
            }
        }
    }
    Ok(())
}

/// An answer whose checksum is left out or empty is an error, after which a write is open.
async fn unsigned(world: Arc<World>, op: Op) -> Checked {
    let rules = world.under_test.answers();
    if !rules.signed {
        return ignore("answers are not signed");
    }
    let Some(checksum) = rules.checksum else {
        return ignore("say where the checksum of an answer stands: AnswerRules::checksum");
    };
    let (operation, genuine) = sample(&world, op).await?;
    let signed = match &checksum {
        Member::Json(path) => member(&genuine.body, path).is_some(),
        Member::Header(name) => genuine.header(name).is_some(),
        other => return fail(format!("an answer has no {other:?}")),
    };
    if !signed {
        return ignore("this answer is not signed");
    }
    for what in ["no checksum", "an empty checksum", "null for a checksum"] {
        let ready = op.prepare(&world).await?;
        let checksum = checksum.clone();
        let change = move |answer: HttpResponse| {
            // Where a write needs a login first, its answer may have none.
            let changed = changed_checksum(&answer, &checksum, what);
            changed.unwrap_or(answer)
        };
        world.wire.reset();
        world.wire.plan(operation, Trouble::Rewrite(Arc::new(change)), usize::MAX);
        let error = error_of(&format!("an answer with {what}"), ready.run(&world).await)?;
        let lost = !op.is_write() || error.outcome() == Outcome::Unknown;
        ensure!(lost, "an answer with {what} leaves the outcome {:?}: {error}", error.outcome());
        world.wire.heal();
    }
    Ok(())
}

/// The answer with no checksum, an empty one or `null`, or nothing where it has none.
fn changed_checksum(answer: &HttpResponse, checksum: &Member, what: &str) -> Option<HttpResponse> {
    let (mut headers, body) = (answer.headers.clone(), &answer.body);
    let body = match checksum {
        Member::Json(path) => {
            let member = member(body, path)?;
            match what {
                "no checksum" => member.without(body),
                "an empty checksum" => member.with(body, "\"\""),
                _ => member.with(body, "null"),
            }
        }
        Member::Header(name) => {
            let at = headers.iter().position(|(header, _)| header.eq_ignore_ascii_case(name))?;
            match what {
                "no checksum" => drop(headers.remove(at)),
                "an empty checksum" => headers[at].1.clear(),
                _ => headers[at].1 = "null".into(),
            }
            body.to_vec()
        }
        _ => return None,
    };
    Some(HttpResponse::new(answer.status, headers, body))
}

fn play(world: &World, operation: &'static str, genuine: &HttpResponse, body: Vec<u8>) {
    let answer = HttpResponse::new(genuine.status, genuine.headers.clone(), body);
    world.wire.reset();
    world.wire.plan(operation, Trouble::Rewrite(Arc::new(move |_| answer.clone())), usize::MAX);
}

/// No answer is so strange that the provider panics, or that a write is called refused.
async fn survives(world: Arc<World>, op: Op) -> Checked {
    let (operation, genuine) = sample(&world, op).await?;
    let ready = op.prepare(&world).await?;
    for (what, body) in variants(&genuine.body) {
        play(&world, operation, &genuine, body);
        if let Err(error) = ready.run(&world).await
            && op.is_write()
        {
            let seen = world.wire.count(operation);
            ensure!(
                error.outcome() == Outcome::Unknown || seen == 0,
                "{} with an answer {what}: the outcome is {:?}: {error}",
                op.name(),
                error.outcome()
            );
        }
    }
    Ok(())
}
