//! Comparing a day's list, which the application supplies, with what is stored.
//!
//! The list says nothing that moves a payment: where it says paid and we do not, the provider is asked.

mod list;
mod list_error;
mod table;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::time::Duration;

use serde::Serialize;
use tulbur_core::{
    AccountName, MerchantRef, Money, OperationState, OrderRef, ProviderRef, Timestamp, UtcOffset,
};

use crate::engine::inner::Payments;
use crate::error::{Error, Result};
use crate::model::operation::{OperationKind, OperationRecord};
use crate::model::record::{PaymentId, PaymentRecord, Status};
use crate::operator::replay::hasten;
use crate::store::{Find, PaymentFilter, Store};

pub use list::{Columns, ListFormat, Listed, Words, read_list};
pub use list_error::ListError;

/// Payments that are read at once.
const PAGE: u32 = 500;
/// What became known this close to midnight may stand in a neighbouring day's list.
const EDGE: Duration = Duration::from_mins(15);

/// A day as the list counts it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Day {
    name: String,
    offset: String,
    from: Timestamp,
    until: Timestamp,
}

impl Day {
    /// A day of the calendar such as `2026-11-21`, at a fixed distance from UTC such as `+08:00`.
    ///
    /// # Errors
    /// [`ListError`] when one of them has another shape or does not exist.
    pub fn parse(day: &str, offset: &str) -> Result<Self, ListError> {
        let wrong = |why: &str| ListError::new(None, None, why);
        let date = jiff::civil::Date::strptime("%Y-%m-%d", day)
            .map_err(|_| wrong("the day is no day written like 2026-11-21"))?;
        let wrong_offset = || wrong("the offset is no distance from UTC written like +08:00");
        let offset_at = UtcOffset::parse(offset)
            .and_then(|offset| jiff::tz::Offset::from_seconds(offset.seconds()).ok())
            .ok_or_else(wrong_offset)?;
        let midnight = |date: jiff::civil::Date| {
            offset_at.to_timestamp(date.at(0, 0, 0, 0)).map(|at| Timestamp::from_millis(at.as_millisecond()))
        };
        let next = date.tomorrow().map_err(|_| wrong("the day is the last of the calendar"))?;
        match (midnight(date), midnight(next)) {
            (Ok(from), Ok(until)) => {
                Ok(Self { name: date.to_string(), offset: offset.to_owned(), from, until })
            }
            _ => Err(wrong("the day is outside of the calendar")),
        }
    }

    /// Its first moment.
    pub fn from(&self) -> Timestamp {
        self.from
    }

    /// The first moment after it.
    pub fn until(&self) -> Timestamp {
        self.until
    }

    fn has(&self, at: Timestamp) -> bool {
        self.from <= at && at < self.until
    }

    fn is_at_edge(&self, at: Timestamp) -> bool {
        at < self.from.after(EDGE) || at >= self.until.before(EDGE)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.offset)
    }
}

/// What differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum DifferenceKind {
    /// It is listed, and nothing here is called so.
    NotKnown,
    /// It is listed as paid, and not paid here.
    NotPaidHere,
    /// It is paid here, and listed as not paid.
    ListedUnpaid,
    /// It is paid here on that day, and not listed.
    NotListed,
    /// The amounts differ.
    Amount,
    /// What was given back differs.
    Refund,
    /// It is listed more than once.
    ListedTwice,
}

impl DifferenceKind {
    /// The word, as serialised.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotKnown => "not-known",
            Self::NotPaidHere => "not-paid-here",
            Self::ListedUnpaid => "listed-unpaid",
            Self::NotListed => "not-listed",
            Self::Amount => "amount",
            Self::Refund => "refund",
            Self::ListedTwice => "listed-twice",
        }
    }
}

/// One difference between the list and what is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Difference {
    /// What differs.
    pub kind: DifferenceKind,
    /// The line of the list.
    pub line: Option<u64>,
    /// The reference, as listed, or ours where it is not.
    pub reference: String,
    /// The payment here.
    pub payment: Option<PaymentId>,
    /// Its order.
    pub order: Option<OrderRef>,
    /// What the list says.
    pub listed: Option<Money>,
    /// What is stored here.
    pub here: Option<Money>,
    /// How the payment stands here.
    pub status: Option<Status>,
    /// In words, and what to do.
    pub detail: String,
}

/// What a comparison found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// The account.
    pub account: AccountName,
    /// The day.
    pub day: Day,
    /// Lines of the list.
    pub listed: usize,
    /// Payments that are paid here on that day.
    pub paid_here: usize,
    /// Payments that the list and the database agree about.
    pub agreed: usize,
    /// Whether refunds were compared: only if the list has them.
    pub refunds_compared: bool,
    /// Payments that are asked about now, because the list says that they were paid.
    pub asked: usize,
    /// What differs, in the order of the list and then of the payments.
    pub differences: Vec<Difference>,
}

/// A day's list as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayList {
    /// Its lines.
    pub lines: Vec<Listed>,
    /// Whether it tells of refunds.
    pub has_refunds: bool,
}

/// What to compare.
#[derive(Debug, Clone, Copy)]
pub struct Comparison<'a> {
    /// Whose list it is.
    pub account: &'a AccountName,
    /// The day that it is of.
    pub day: &'a Day,
    /// The list.
    pub list: &'a DayList,
    /// Whether the provider is to be asked about what is listed as paid and is not paid here. The history says so.
    pub ask: bool,
}

impl Payments {
    /// Compares a day's list with what is stored. What the list says is paid and is not paid here, the provider is
    /// asked about; nothing else is changed.
    ///
    /// # Errors
    /// The database's.
    pub async fn reconcile(&self, account: &AccountName, day: &Day, list: &DayList) -> Result<Report> {
        let comparison = Comparison { account, day, list, ask: true };
        let report = reconcile(&*self.0.store, comparison, self.now()).await?;
        self.0.wake.notify_one();
        Ok(report)
    }
}

/// As [`Payments::reconcile`], for those who have a database and no accounts.
///
/// # Errors
/// The database's.
pub async fn reconcile(store: &dyn Store, comparison: Comparison<'_>, now: Timestamp) -> Result<Report> {
    let Comparison { account, day, list, ask } = comparison;
    let mut compare = Compare { store, day, ask, now, asked: 0, differences: Vec::new() };
    let mut groups: Vec<Group<'_>> = Vec::new();
    let mut by_payment: HashMap<PaymentId, usize> = HashMap::new();
    let mut by_name: HashMap<&str, usize> = HashMap::new();
    for line in &list.lines {
        if let Some(index) = by_name.get(line.reference.as_str()) {
            groups[*index].lines.push(line);
            continue;
        }
        let payment = find(store, account, &line.reference).await?;
        // One list may call one payment by our reference here and by the provider's there.
        let index = payment.as_ref().and_then(|payment| by_payment.get(&payment.id).copied());
        let index = index.unwrap_or(groups.len());
        by_name.insert(&line.reference, index);
        if index < groups.len() {
            groups[index].lines.push(line);
            continue;
        }
        if let Some(payment) = &payment {
            by_payment.insert(payment.id.clone(), index);
        }
        groups.push(Group { payment, lines: vec![line] });
    }
    let mut agreed = 0;
    for group in &groups {
        let before = compare.differences.len();
        compare.group(group, list.has_refunds).await?;
        if before == compare.differences.len() && group.payment.is_some() {
            agreed += 1;
        }
    }
    let listed: HashSet<PaymentId> = by_payment.into_keys().collect();
    let mut filter = PaymentFilter {
        account: Some(account.clone()),
        status: Some(Status::Paid),
        paid_from: Some(day.from),
        paid_before: Some(day.until),
        limit: PAGE,
        ..PaymentFilter::default()
    };
    let mut paid_here = 0;
    loop {
        let page = store.payments(&filter).await?;
        for payment in page.iter().filter(|payment| payment.order().is_some()) {
            paid_here += 1;
            if !listed.contains(&payment.id) {
                compare.not_listed(payment);
            }
        }
        match page.last() {
            Some(last) if page.len() == PAGE as usize => filter.after = Some(last.id.clone()),
            _ => break,
        }
    }
    Ok(Report {
        account: account.clone(),
        day: day.clone(),
        listed: list.lines.len(),
        paid_here,
        agreed,
        refunds_compared: list.has_refunds,
        asked: compare.asked,
        differences: compare.differences,
    })
}

/// The list names a payment by our reference, or by the provider's.
async fn find(store: &dyn Store, account: &AccountName, reference: &str) -> Result<Option<PaymentRecord>> {
    if let Ok(ours) = MerchantRef::parse(reference)
        && let Some(found) = store.payment(Find::MerchantRef(account, &ours)).await?
    {
        return Ok(Some(found));
    }
    match ProviderRef::parse(reference) {
        Ok(theirs) => Ok(store.payment(Find::ProviderRef(account, &theirs)).await?),
        Err(_) => Ok(None),
    }
}

/// The lines about one payment.
struct Group<'a> {
    payment: Option<PaymentRecord>,
    lines: Vec<&'a Listed>,
}

struct Compare<'a> {
    store: &'a dyn Store,
    day: &'a Day,
    ask: bool,
    now: Timestamp,
    asked: usize,
    differences: Vec<Difference>,
}

impl Compare<'_> {
    async fn group(&mut self, group: &Group<'_>, has_refunds: bool) -> Result<()> {
        let payments: Vec<&Listed> = group.lines.iter().copied().filter(|line| !line.is_refund).collect();
        let paid: Vec<&Listed> = payments.iter().copied().filter(|line| line.is_paid).collect();
        let repeated = if paid.is_empty() { payments.get(1) } else { paid.get(1) };
        if let Some(second) = repeated {
            let lines: Vec<String> = payments.iter().map(|line| line.line.to_string()).collect();
            self.add(
                DifferenceKind::ListedTwice,
                Some(second),
                group.payment.as_ref(),
                format!(
                    "it stands in lines {}; ask the provider whether the payer was charged more than once",
                    lines.join(", ")
                ),
            );
        }
        let Some(payment) = group.payment.as_ref().filter(|payment| payment.order().is_some()) else {
            for line in &group.lines {
                let what = match (line.is_refund, line.is_paid) {
                    (true, _) => "a refund",
                    (false, true) => "a payment",
                    (false, false) => continue,
                };
                self.add(DifferenceKind::NotKnown, Some(line), None, format!(
                    "{what} of nothing that is stored here. Does another system use this account, or was the database \
                     restored from an old copy? If the payer's money is there, deliver or refund by hand"
                ));
            }
            return Ok(());
        };
        match (paid.first(), payments.first(), payment.status == Status::Paid) {
            (Some(line), _, false) => self.not_paid_here(line, payment).await?,
            (Some(line), _, true) => {
                if payment.taken() != Some(line.amount) {
                    self.add(DifferenceKind::Amount, Some(line), Some(payment), String::from(
                        "the amounts differ; look at the payment's history and ask the provider which is right",
                    ));
                }
            }
            (None, Some(line), true) => {
                self.add(DifferenceKind::ListedUnpaid, Some(line), Some(payment), String::from(
                    "it is paid here, by the provider's own proof, and the list says that it is not; ask the provider",
                ));
            }
            (None, _, _) => {}
        }
        if has_refunds {
            self.refunds(group, payment).await?;
        }
        Ok(())
    }

    async fn not_paid_here(&mut self, line: &Listed, payment: &PaymentRecord) -> Result<()> {
        let mut detail = format!("the list says paid; here it is {}. ", payment.status);
        if self.ask {
            let what = format!("the list of {} says that it was paid; asking", self.day);
            match hasten(self.store, &payment.id, &what, self.now).await {
                Ok(_) => {
                    self.asked += 1;
                    detail.push_str("The provider is asked now; compare again in a few minutes");
                }
                Err(Error::Conflict { reason, .. }) => {
                    detail.push_str("The provider is not asked: ");
                    detail.push_str(&reason);
                }
                Err(error) => return Err(error),
            }
        } else {
            detail.push_str("The provider was not asked, because you said so");
        }
        self.add(DifferenceKind::NotPaidHere, Some(line), Some(payment), detail);
        Ok(())
    }

    fn not_listed(&mut self, payment: &PaymentRecord) {
        let at_edge = payment.paid_at.is_some_and(|at| self.day.is_at_edge(at));
        let detail = if at_edge {
            "paid here within fifteen minutes of midnight: it may stand in the list of the day before or after"
        } else {
            "paid here on that day and not listed; ask the provider before the money is missed"
        };
        self.add(DifferenceKind::NotListed, None, Some(payment), detail.to_owned());
    }

    /// Compares what the list says was given back with the refunds here: all of them where the list tells the total,
    /// those of the day where it has a line for each.
    async fn refunds(&mut self, group: &Group<'_>, payment: &PaymentRecord) -> Result<()> {
        let mut operations = self.store.operations(&payment.id).await?;
        operations.retain(|operation| operation.kind == OperationKind::Refund);
        let total = group.lines.iter().rev().find_map(|line| line.refunded.map(|refunded| (*line, refunded)));
        let (line, listed, here) = if let Some((line, refunded)) = total {
            (Some(line), Some(refunded), sum(operations.iter().filter(|one| happened(one))))
        } else {
            let mut lines = group.lines.iter().copied().filter(|line| line.is_refund);
            let listed = lines.try_fold(None::<Money>, |sum, line| match sum {
                Some(sum) => sum.checked_add(line.amount).map(Some),
                None => Ok(Some(line.amount)),
            });
            let last = group.lines.iter().copied().rfind(|line| line.is_refund);
            let Ok(listed) = listed else {
                self.add(
                    DifferenceKind::Refund,
                    last,
                    Some(payment),
                    String::from("its refunds are listed in more than one currency; ask the provider"),
                );
                return Ok(());
            };
            let of_the_day = operations.iter().filter(|one| happened(one) && self.day.has(one.changed_at));
            (last, listed, sum(of_the_day))
        };
        let nothing = |money: Option<Money>| money.is_none_or(|money| money.minor() == 0);
        if (nothing(listed) && nothing(here)) || listed == here {
            return Ok(());
        }
        let unknown = operations.iter().find(|one| one.state == OperationState::Unknown);
        let detail = match unknown {
            Some(unknown) => format!(
                "refund `{}` is unknown here: once you are sure, say with `tulbur payments resolve` whether it happened",
                unknown.operation_ref
            ),
            None if nothing(listed) => {
                "given back here, and the list does not say so; it may come a day later".to_owned()
            }
            None => "what was given back differs; was it refunded at the provider by hand?".to_owned(),
        };
        self.differences.push(Difference {
            listed,
            here,
            ..difference(DifferenceKind::Refund, line, Some(payment), detail)
        });
        Ok(())
    }

    fn add(
        &mut self,
        kind: DifferenceKind,
        line: Option<&Listed>,
        payment: Option<&PaymentRecord>,
        detail: String,
    ) {
        self.differences.push(difference(kind, line, payment, detail));
    }
}

fn difference(
    kind: DifferenceKind,
    line: Option<&Listed>,
    payment: Option<&PaymentRecord>,
    detail: String,
) -> Difference {
    let ours = payment.map(|payment| payment.reference.merchant_ref.as_str().to_owned());
    Difference {
        kind,
        line: line.map(|line| line.line),
        reference: line.map(|line| line.reference.clone()).or(ours).unwrap_or_default(),
        payment: payment.map(|payment| payment.id.clone()),
        order: payment.and_then(|payment| payment.order().cloned()),
        listed: line.map(|line| line.amount),
        here: payment.and_then(|payment| payment.taken().or(payment.amount())),
        status: payment.map(|payment| payment.status),
        detail,
    }
}

fn happened(operation: &OperationRecord) -> bool {
    operation.state == OperationState::Succeeded
}

fn sum<'a>(operations: impl Iterator<Item = &'a OperationRecord>) -> Option<Money> {
    operations.filter_map(|operation| operation.amount).reduce(|sum, one| sum.checked_add(one).unwrap_or(sum))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_where_people_live() {
        let day = Day::parse("2026-11-21", "+08:00").unwrap();
        assert_eq!(day.from().to_string(), "2026-11-20T16:00:00.000Z");
        assert_eq!(day.until().to_string(), "2026-11-21T16:00:00.000Z");
        assert_eq!(day.to_string(), "2026-11-21 (+08:00)");
        assert_eq!(
            Day::parse("2026-02-28", "-03:30").unwrap().from().to_string(),
            "2026-02-28T03:30:00.000Z"
        );
        assert!(day.has(day.from()) && !day.has(day.until()));
        assert!(day.is_at_edge(day.from()) && !day.is_at_edge(day.from().after(EDGE)));
    }

    #[test]
    fn other_days_and_offsets_are_refused() {
        for (day, offset) in [
            ("2026-02-29", "+08:00"),
            ("21.11.2026", "+08:00"),
            ("2026-11-21 10:00", "+08:00"),
            ("", "+08:00"),
            ("2026-11-21", "8"),
            ("2026-11-21", "+8:00"),
            ("2026-11-21", "+08:60"),
            ("2026-11-21", "+16:00"),
            ("2026-11-21", "+0८:00"),
            ("2026-11-21", ""),
            ("2026-11-21", "é"),
        ] {
            assert!(Day::parse(day, offset).is_err(), "{day} {offset}");
        }
    }
}
