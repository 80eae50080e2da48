//! Answers that are nearly good: one member missing, or of another type.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::value::RawValue;
use tulbur_core::{HttpResponse, PaymentStatus, Provider};

use crate::check::List;
use crate::ops::Op;
use crate::wire::Trouble;
use crate::world::{Checked, World, ensure, ignore};

pub(super) fn list(list: &mut List, provider: &dyn Provider) {
    let opens = provider.invoices().is_some() || provider.qr().is_some();
    if opens && provider.queries().is_some() {
        list.add("answer::a_damaged_member_never_decides_a_payment", damaged_member);
    }
    for op in Op::offered(provider) {
        list.add(format!("answer::{}_survives_every_damaged_member", op.name()), move |world| {
            survives(world, op)
        });
    }
}

/// The body with each member in turn missing, or with a value of each wrong kind.
fn variants(body: &[u8]) -> Vec<(String, Vec<u8>)> {
    let Ok(members) = serde_json::from_slice::<BTreeMap<String, &RawValue>>(body) else { return Vec::new() };
    let long = format!("\"{}\"", "9".repeat(10_000));
    let values = ["null", "\"\"", "\"?\"", "\" \"", "0", "-1", "1e400", "true", "[]", "{}", "[[{}]]", &long];
    let mut variants = Vec::new();
    for name in members.keys() {
        let others = members.iter().filter(|(other, _)| *other != name);
        let kept: Vec<String> =
            others.map(|(other, raw)| format!("{}:{raw}", serde_json::Value::from(other.as_str()))).collect();
        variants.push((format!("without `{name}`"), format!("{{{}}}", kept.join(",")).into_bytes()));
        for value in values {
            let mut all = kept.clone();
            all.push(format!("{}:{value}", serde_json::Value::from(name.as_str())));
            let shown: String = value.chars().take(12).collect();
            variants
                .push((format!("with `{name}` as {shown}"), format!("{{{}}}", all.join(",")).into_bytes()));
        }
    }
    variants
}

/// The genuine answer of an operation, and the name under which it leaves.
async fn sample(world: &World, op: Op) -> Checked<(&'static str, HttpResponse)> {
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
                error.outcome() == tulbur_core::Outcome::Unknown || seen == 0,
                "{} with an answer {what}: the outcome is {:?}: {error}",
                op.name(),
                error.outcome()
            );
        }
    }
    Ok(())
}
