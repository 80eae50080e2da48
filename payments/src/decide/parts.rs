//! Decides about money that comes in parts: less than was asked for, more than was asked for, and which part a refund
//! gives back.

use tulbur_core::{ChargeRef, Error as CoreError, ErrorKind, Money, PaidPart, ProviderInfo};

use super::step::Step;
use crate::decide::proven::Proven;
use crate::error::{Error, Result};
use crate::model::event::AttentionKind;
use crate::model::operation::{OperationKind, OperationRecord};
use crate::model::record::{PaymentRecord, Status};

impl Step<'_> {
    /// Takes over the parts that the provider tells of, and says in the history what came.
    pub(super) fn note_parts(&mut self, proven: &Proven) {
        if proven.parts.is_empty() || proven.parts == self.payment.parts {
            return;
        }
        let before = self.payment.received();
        self.payment.parts.clone_from(&proven.parts);
        self.touched = true;
        let received = self.payment.received();
        if let (Some(received), Some(asked)) = (received, self.payment.amount())
            && before != Some(received)
            && proven.status == Status::Pending
        {
            self.write(proven.source, &format!("{received} of {asked} is there"));
        }
    }

    /// Whether the sum of the parts may be believed. `amount` is all that came, `expected` what was asked for.
    pub(super) fn parts_fit(&mut self, proven: &Proven, amount: Money, expected: Money) -> bool {
        if proven.status != Status::Paid {
            return self.still_covers(proven, amount);
        }
        if amount == expected || self.payment.taken() == Some(amount) {
            return true;
        }
        let there = proven.refunded.map_or(Ok(amount), |back| amount.checked_sub(back));
        if there.is_ok_and(|there| there.minor() > expected.minor()) {
            self.attention(
                AttentionKind::Overpaid,
                &format!(
                    "{amount} came, and {expected} was asked for; give the rest back, or agree with the payer"
                ),
            );
        }
        self.payment.captured = Some(amount);
        true
    }

    /// A paid payment whose parts no longer come to what was asked for.
    fn still_covers(&mut self, proven: &Proven, amount: Money) -> bool {
        if !self.payment.status.is_success() {
            return true;
        }
        let detail = format!("it was paid, and the provider now tells of {amount} only");
        self.attention(AttentionKind::Reversed, &detail);
        self.write(proven.source, &format!("not applied: {detail}"));
        self.ask_again();
        false
    }

    /// Keeps a payment open whose time is over and of which a part is there: only a person can say what becomes of it.
    /// Says whether it is one.
    pub(super) fn is_held_up_by_a_part(&mut self) -> bool {
        let Some((received, asked)) = self.payment.received().zip(self.payment.amount()) else {
            return false;
        };
        self.attention(
            AttentionKind::AmountMismatch,
            &format!(
                "its time is over, and {received} of {asked} is there; take that as paid, or give it back and say that it \
                 will never be paid"
            ),
        );
        self.payment.mismatch = Some(received);
        true
    }
}

impl Step<'_> {
    /// Lists money that is there for a payment that has ended without success: it is to be given back, or taken as paid.
    pub(super) fn list_money_of_what_ended(&mut self) {
        let before = self.situation.payment;
        let Some(received) = self.payment.received().filter(|_| self.payment.status.is_failed()) else {
            return;
        };
        if before.status == self.payment.status && before.received() == Some(received) {
            return;
        }
        self.payment.mismatch = Some(received);
        self.attention(
            AttentionKind::AmountMismatch,
            &format!(
                "it is {}, and {received} came for it; give it back, or take that as paid",
                self.payment.status
            ),
        );
    }
}

/// The part that a refund gives back, and how much that is.
pub(super) fn part_to_refund(
    payment: &PaymentRecord,
    info: &ProviderInfo,
    earlier: &[OperationRecord],
    named: Option<&ChargeRef>,
    amount: Option<Money>,
) -> Result<PaidPart> {
    let name = || format!("payment `{}`", payment.id);
    let is_given_back = |part: &PaidPart| {
        part.returned
            || earlier.iter().any(|other| {
                other.kind == OperationKind::Refund
                    && other.may_have_happened()
                    && other.part.as_ref() == Some(&part.charge_ref)
            })
    };
    let part = if let Some(named) = named {
        let found = payment.parts.iter().find(|part| part.charge_ref == *named);
        found.ok_or_else(|| {
            CoreError::invalid("part", format!("payment `{}` has no part `{named}`", payment.id))
        })?
    } else {
        let left: Vec<&PaidPart> = payment.parts.iter().filter(|part| !is_given_back(part)).collect();
        match left.as_slice() {
            [only] => *only,
            [] if payment.parts.is_empty() => {
                return Err(Error::conflict(
                    name(),
                    "the provider has told of no part that came; ask it first",
                ));
            }
            [] => return Err(Error::conflict(name(), "all of it is refunded, or may be")),
            _ => {
                let why = format!(
                    "{} gives back one part at a time; name one of the {} that came",
                    info.name,
                    left.len()
                );
                return Err(CoreError::invalid("part", why).into());
            }
        }
    };
    if is_given_back(part) {
        return Err(Error::conflict(name(), format!("part `{}` is refunded, or may be", part.charge_ref)));
    }
    if !part.refundable {
        let by = part.method.as_ref().map_or_else(String::new, |method| format!(" by {method}"));
        let why = format!(
            "{} came{by}, and {} cannot give that back; give it back by hand",
            part.amount, info.name
        );
        return Err(CoreError::new(ErrorKind::Unsupported, why).with_field("part").into());
    }
    if amount.is_some_and(|amount| amount != part.amount) {
        let why = format!("{} gives back a whole part only: {}", info.name, part.amount);
        return Err(CoreError::new(ErrorKind::Unsupported, why).with_field("amount").into());
    }
    Ok(part.clone())
}
