//! Settles deliveries, many at once: what was called at the same time ends at the same time.

use std::collections::HashSet;

use sqlx::Row as _;
use tulbur_core::Timestamp;

use super::dialect::{self, Connection, Pool, Row, store_error};
use super::statement::statement;
use super::value::{Value, maybe, text, time};
use crate::error::StoreError;
use crate::store::{Claim, Settle};

/// One claimed delivery, and how it ended.
#[derive(Debug, Clone)]
pub(crate) struct Settling {
    pub(crate) claim: Claim,
    pub(crate) settle: Settle,
    pub(crate) now: Timestamp,
}

statement! { DELETE_DONE (name: Text, number: Number, token: Text)
    super::dialect::DELETE_DONE
}

statement! { INSERT_HANDLED (number: Number, name: Text, at: Number)
    "INSERT INTO tulbur_handled (seq, handler, at) SELECT number, name, at FROM {new} WHERE true ON CONFLICT DO NOTHING"
}

statement! { MOVE_DELIVERIES (name: Text, number: Number, token: Text, due: Number, parked: Number, aside: Number,
        back: Number, leaves: Number)
    "UPDATE tulbur_deliveries AS this SET owner = NULL, due_at = new.due, parked_at = new.parked, \
     aside_at = coalesce(this.aside_at, new.aside), attempts = this.attempts - new.back, \
     first_at = CASE WHEN this.attempts > new.back THEN this.first_at END, \
     stream = CASE WHEN new.leaves = 0 THEN this.stream END FROM {new} \
     WHERE this.handler = new.name AND this.seq = new.number AND this.owner = new.token RETURNING handler, seq"
}

statement! { NEXT_DUE (name: Text, lane: Text, now: Number)
    "UPDATE tulbur_deliveries AS this SET due_at = new.now FROM {new} WHERE this.handler = new.name \
     AND this.due_at IS NULL AND this.parked_at IS NULL AND this.seq = (SELECT earliest.seq \
     FROM tulbur_deliveries AS earliest WHERE earliest.handler = new.name AND earliest.stream = new.lane \
     ORDER BY earliest.seq LIMIT 1) AND NOT EXISTS (SELECT 1 FROM tulbur_deliveries AS other \
     WHERE other.handler = new.name AND other.stream = new.lane AND other.due_at IS NOT NULL)"
}

/// Settles each of the batch, and answers for each in the same order whether its claim still held. If it fails, it fails
/// for all: each stays claimed, and comes again.
pub(super) async fn settle_batch(pool: &Pool, batch: Vec<Settling>) -> Vec<Result<bool, StoreError>> {
    match settle_together(pool, &batch).await {
        Ok(held) => held.into_iter().map(Ok).collect(),
        Err(error) => batch.iter().map(|_| Err(error.clone())).collect(),
    }
}

async fn settle_together(pool: &Pool, batch: &[Settling]) -> Result<Vec<bool>, StoreError> {
    let mut tx = dialect::begin(pool).await?;
    match settle_in(&mut tx, batch).await {
        Ok(held) => {
            dialect::commit(tx).await?;
            Ok(held)
        }
        Err(error) => {
            drop(tx.rollback().await);
            Err(error)
        }
    }
}

/// Says of each whether its claim still held. Two claims of one delivery, of which at most one holds, are settled one
/// after the other: what the statements return says which deliveries were settled, and not by whom.
async fn settle_in(tx: &mut Connection, batch: &[Settling]) -> Result<Vec<bool>, StoreError> {
    dialect::hold(tx, batch.iter().map(|one| one.claim.stream.as_str()).collect()).await?;
    let mut held = vec![false; batch.len()];
    let mut rest: Vec<usize> = (0..batch.len()).collect();
    while !rest.is_empty() {
        let mut deliveries = HashSet::new();
        let (round, later): (Vec<usize>, Vec<usize>) = rest.into_iter().partition(|place| {
            let Claim { handler, seq, .. } = &batch[*place].claim;
            deliveries.insert((handler, *seq))
        });
        let settled = settle_each(tx, &round.iter().map(|place| &batch[*place]).collect::<Vec<_>>()).await?;
        for place in round {
            let Claim { handler, seq, .. } = &batch[place].claim;
            held[place] = settled.contains(&(handler.clone(), *seq));
        }
        rest = later;
    }
    Ok(held)
}

/// Settles claims of different deliveries, and returns those that still held.
async fn settle_each(tx: &mut Connection, batch: &[&Settling]) -> Result<HashSet<(String, i64)>, StoreError> {
    let (done, moved): (Vec<&Settling>, Vec<&Settling>) =
        batch.iter().copied().partition(|one| one.settle == Settle::Done);
    let rows = done.iter().map(|one| by_token(&one.claim)).collect();
    let mut held = settled(&DELETE_DONE.run(tx, rows).await?)?;
    let still_claimed = done.iter().filter(|one| held.contains(&(one.claim.handler.clone(), one.claim.seq)));
    let rows = still_claimed
        .map(|one| [Value::Number(one.claim.seq), text(&one.claim.handler), time(one.now)])
        .collect();
    INSERT_HANDLED.run(tx, rows).await?;
    held.extend(settled(&MOVE_DELIVERIES.run(tx, moved.iter().map(|one| moving(one)).collect()).await?)?);
    // What stays in its place lets nobody go before it.
    let mut lanes = HashSet::new();
    let freed = batch.iter().filter(|one| {
        let stays = matches!(
            one.settle,
            Settle::Again(_) | Settle::Released(_) | Settle::SetAside { alone: false, .. }
        );
        !stays && lanes.insert((&one.claim.handler, &one.claim.stream))
    });
    let rows = freed.map(|one| [text(&one.claim.handler), text(&one.claim.stream), time(one.now)]).collect();
    NEXT_DUE.run(tx, rows).await?;
    Ok(held)
}

fn by_token(claim: &Claim) -> [Value<'_>; 3] {
    [text(&claim.handler), Value::Number(claim.seq), text(&claim.owner)]
}

fn moving(one: &Settling) -> [Value<'_>; 8] {
    let [name, number, token] = by_token(&one.claim);
    let (due, parked, aside, back, leaves) = match one.settle {
        Settle::Again(at) => (Some(at), None, None, 0, 0),
        Settle::Released(at) => (Some(at), None, None, 1, 0),
        Settle::SetAside { until, alone } => (Some(until), None, Some(one.now), 1, i64::from(alone)),
        Settle::Parked | Settle::Done => (None, Some(one.now), None, 0, 1),
    };
    [
        name,
        number,
        token,
        maybe(due, time),
        maybe(parked, time),
        maybe(aside, time),
        Value::Number(back),
        Value::Number(leaves),
    ]
}

fn settled(rows: &[Row]) -> Result<HashSet<(String, i64)>, StoreError> {
    rows.iter()
        .map(|row| Ok((row.try_get(0).map_err(store_error)?, row.try_get(1).map_err(store_error)?)))
        .collect()
}
