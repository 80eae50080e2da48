//! Reads the payment, the order and the earlier delivery of notifications, many notifications in one statement.

use sqlx::Row as _;
use tulbur_core::AccountName;

use super::dialect::{Pool, Row, store_error};
use super::rows::{inbox_of, known_order_of, payment_of};
use super::statement::{Statement, statement};
use super::value::{Value, text};
use crate::error::StoreError;
use crate::store::{Find, Known};

/// What one notification is about.
pub(crate) struct Sought {
    account: String,
    /// By which name its payment is found.
    by: &'static Statement,
    name: String,
    repeat_key: String,
}

impl Sought {
    pub(super) fn new(account: &AccountName, payment: Find<'_>, repeat_key: &str) -> Self {
        let (by, name) = match payment {
            Find::Id(id) => (&BY_ID, id.as_str()),
            Find::MerchantRef(_, reference) => (&BY_MERCHANT_REF, reference.as_str()),
            Find::ProviderRef(_, reference) => (&BY_PROVIDER_REF, reference.as_str()),
            Find::SecretHash(hash) => (&BY_SECRET_HASH, hash),
        };
        Self {
            account: account.as_str().to_owned(),
            by,
            name: name.to_owned(),
            repeat_key: repeat_key.to_owned(),
        }
    }
}

/// The statement that finds payments by one of their names.
macro_rules! known_by {
    ($name:ident $column:literal) => {
        statement! { $name (number: Number, account: Text, name: Text, repeat_key: Text)
            concat!(
                "SELECT new.number, payment.version, payment.format, payment.ask_at, payment.lease_until, payment.body, \
                 known.version AS order_version, known.format AS order_format, known.body AS order_body, \
                 inbox.id, inbox.account, inbox.channel, inbox.at, inbox.repeat_key, \
                 inbox.meaning, inbox.verdict, inbox.note, inbox.payment, inbox.provider_ref, \
                 inbox.due_at, inbox.sealed, inbox.times FROM {new} \
                 LEFT JOIN tulbur_payments AS payment ON payment.account = new.account AND payment.",
                $column,
                " = new.name LEFT JOIN tulbur_orders AS known ON known.order_ref = payment.order_ref \
                 LEFT JOIN tulbur_inbox AS inbox ON inbox.id = (SELECT earlier.id FROM tulbur_inbox AS earlier \
                 WHERE earlier.account = new.account AND earlier.repeat_key = new.repeat_key \
                 AND earlier.verdict IN ('accepted', 'contradiction') ORDER BY earlier.at, earlier.id LIMIT 1)"
            )
        }
    };
}

known_by! { BY_ID "id" }
known_by! { BY_MERCHANT_REF "merchant_ref" }
known_by! { BY_PROVIDER_REF "provider_ref" }
known_by! { BY_SECRET_HASH "secret_hash" }

/// What is known about each, in the same order; one statement for each kind of name.
pub(super) async fn known(pool: &Pool, sought: Vec<Sought>) -> Vec<Result<Known, StoreError>> {
    let mut answers: Vec<Option<Result<Known, StoreError>>> = sought.iter().map(|_| None).collect();
    for by in [&BY_ID, &BY_MERCHANT_REF, &BY_PROVIDER_REF, &BY_SECRET_HASH] {
        let mine: Vec<(usize, &Sought)> =
            sought.iter().enumerate().filter(|(_, one)| std::ptr::eq(one.by, by)).collect();
        match read(pool, by, &mine).await {
            Ok(rows) => {
                for (number, known) in rows {
                    answers[number] = Some(known);
                }
            }
            Err(error) => {
                for (number, _) in mine {
                    answers[number] = Some(Err(error.clone()));
                }
            }
        }
    }
    answers.into_iter().map(|answer| answer.unwrap_or_else(|| Ok(Known::default()))).collect()
}

async fn read(
    pool: &Pool,
    by: &'static Statement,
    sought: &[(usize, &Sought)],
) -> Result<Vec<(usize, Result<Known, StoreError>)>, StoreError> {
    if sought.is_empty() {
        return Ok(Vec::new());
    }
    let mut rows = Vec::with_capacity(sought.len());
    for (number, one) in sought {
        let number = i64::try_from(*number).map_err(|e| StoreError::Unreadable(e.to_string()))?;
        rows.push([Value::Number(number), text(&one.account), text(&one.name), text(&one.repeat_key)]);
    }
    let mut connection = pool.acquire().await.map_err(store_error)?;
    let rows = by.run(&mut connection, rows).await?;
    rows.iter()
        .map(|row| {
            let number: i64 = row.try_get("number").map_err(store_error)?;
            let number = usize::try_from(number).map_err(|e| StoreError::Unreadable(e.to_string()))?;
            Ok((number, known_of(row)))
        })
        .collect()
}

fn known_of(row: &Row) -> Result<Known, StoreError> {
    let is_there = |column: &str| {
        row.try_get::<Option<i64>, _>(column).map(|found| found.is_some()).map_err(store_error)
    };
    Ok(Known {
        payment: is_there("version")?.then(|| payment_of(row)).transpose()?,
        order: is_there("order_version")?.then(|| known_order_of(row)).transpose()?,
        earlier: is_there("times")?.then(|| inbox_of(row)).transpose()?.map(|(entry, _)| entry),
    })
}
