//! Decides what may be sent: whether an opening or an operation may be reserved, and what that commits.

use tulbur_core::{
    AccountName, CallbackUrl, Capture, CardInfo, ChargeRef, Error as CoreError, ErrorKind, FlowInfo,
    Language, Money, OperationRef, OperationState, Outcome, PaymentRef, ProviderInfo, RefundPart, Timestamp,
};

use super::parts::part_to_refund;
use super::{lease_is_over, may_be_charged, moves_money, write_lease};
use crate::error::{Error, Result};
use crate::model::changes::Changes;
use crate::model::event::{HistoryEntry, Source};
use crate::model::operation::{IdempotencyKey, KeyRecord, KeySubject, OperationKind, OperationRecord};
use crate::model::record::{Order, OrderRecord, PaymentId, PaymentRecord, Purpose, Status};
use crate::model::schedule::Schedule;

/// What an application wants to open: a payment, a charge or a card set-up.
#[derive(Debug, Clone)]
pub(crate) struct Opening {
    pub(crate) account: AccountName,
    pub(crate) purpose: Purpose,
    pub(crate) description: String,
    pub(crate) language: Language,
    pub(crate) continue_to: Option<CallbackUrl>,
    pub(crate) capture: Capture,
    /// What tells this request from another of the same order.
    pub(crate) content: String,
    pub(crate) key: Option<IdempotencyKey>,
}

/// What a new payment is called.
#[derive(Debug, Clone)]
pub(crate) struct Named {
    pub(crate) id: PaymentId,
    pub(crate) reference: PaymentRef,
    pub(crate) secret_hash: String,
    pub(crate) sealed_secret: String,
    pub(crate) owner: String,
    pub(crate) commit: String,
}

/// What an opening is decided on.
pub(crate) struct OpeningSituation<'a> {
    pub(crate) order: Option<&'a Order>,
    pub(crate) flow: &'a FlowInfo,
    pub(crate) schedule: &'a Schedule,
    pub(crate) now: Timestamp,
}

/// What follows from an intent.
#[derive(Debug)]
pub(crate) enum Reserve<T> {
    /// It is new: these changes reserve it.
    New(Box<T>, Box<Changes>),
    /// The same was asked for before.
    Known(Box<T>),
}

/// Whether a key that was used before was used for this request.
pub(crate) fn same_request<'a>(used: &'a KeyRecord, content: &str) -> Result<&'a KeySubject> {
    if used.content == content { Ok(&used.subject) } else { Err(key_conflict(&used.key)) }
}

pub(crate) fn key_conflict(key: &IdempotencyKey) -> Error {
    Error::conflict(
        format!("idempotency key `{}`", key.as_str()),
        "it was used for another request; a new request needs a new key",
    )
}

/// Reserves a payment or card set-up, or finds the one that is open already.
pub(crate) fn reserve_opening(
    situation: &OpeningSituation<'_>,
    opening: &Opening,
    key: Option<(&IdempotencyKey, &str)>,
    named: &Named,
) -> Result<Reserve<PaymentRecord>> {
    if let Some(order) = situation.order
        && let Some(live) = live_or_refused(order, opening, situation.flow)?
    {
        return Ok(Reserve::Known(Box::new(live.clone())));
    }
    let now = situation.now;
    let record = new_record(situation, opening, named);
    let mut changes = Changes::default();
    if let Purpose::Payment { order: name, amount, .. } = &opening.purpose {
        let mut order = situation.order.map_or_else(
            || OrderRecord {
                order: name.clone(),
                amount: *amount,
                paid_by: None,
                taking: None,
                created_at: now,
                version: 0,
            },
            |order| order.record.clone(),
        );
        if moves_money(situation.flow) {
            order.taking = Some(record.id.clone());
        }
        // Written also where nothing of it changes: its version keeps two openings apart.
        changes.orders.push(order);
    }
    changes.history.push(HistoryEntry {
        at: now,
        order: record.order().cloned(),
        payment: record.id.clone(),
        source: Source::Application,
        change: None,
        what: match &record.purpose {
            Purpose::Payment { amount, charged_card: None, .. } => {
                format!("asked for {amount} through {}", record.account)
            }
            Purpose::Payment { amount, charged_card: Some(card), .. } => {
                format!("asked to charge {amount} to card {card} through {}", record.account)
            }
            Purpose::CardSetup { customer } => {
                format!("asked to save a card of {customer} through {}", record.account)
            }
        },
    });
    changes.payments.push(record.clone());
    changes.keys.extend(key.map(|(key, content)| KeyRecord {
        key: key.clone(),
        content: content.to_owned(),
        subject: KeySubject::Payment(record.id.clone()),
        at: now,
    }));
    Ok(Reserve::New(Box::new(record), Box::new(changes)))
}

/// A request that was reserved and never sent is taken over by whoever asks for the same again: a new owner, who may
/// send it. The old owner cannot any more.
pub(crate) fn resume(
    record: &PaymentRecord,
    flow: &FlowInfo,
    schedule: &Schedule,
    owner: &str,
    now: Timestamp,
) -> Option<Changes> {
    let free = lease_is_over(record.lease_until, flow, schedule, now);
    if record.operation != OperationState::Reserved || record.status != Status::Pending || !free {
        return None;
    }
    let until = now.after(write_lease(flow, schedule));
    let mut resumed = record.clone();
    resumed.owner = Some(owner.to_owned());
    owner.clone_into(&mut resumed.commit);
    resumed.lease_until = Some(until);
    resumed.ask_at = Some(until);
    let history = HistoryEntry {
        at: now,
        order: record.order().cloned(),
        payment: record.id.clone(),
        source: Source::Application,
        change: None,
        what: "asked for again, and taken over: nothing had been sent".to_owned(),
    };
    Some(Changes { payments: vec![resumed], history: vec![history], ..Changes::default() })
}

fn new_record(situation: &OpeningSituation<'_>, opening: &Opening, named: &Named) -> PaymentRecord {
    let now = situation.now;
    let until = now.after(write_lease(situation.flow, situation.schedule));
    PaymentRecord {
        id: named.id.clone(),
        purpose: opening.purpose.clone(),
        account: opening.account.clone(),
        reference: named.reference.clone(),
        description: opening.description.clone(),
        language: opening.language,
        continue_to: opening.continue_to.clone(),
        operation: OperationState::Reserved,
        lease_until: Some(until),
        status: Status::Pending,
        ended_by: None,
        next: Vec::new(),
        code: None,
        text: None,
        card: CardInfo::default(),
        saved_card: None,
        capture: opening.capture,
        captured: None,
        capturing: None,
        mismatch: None,
        refunded: None,
        paid_at: None,
        created_at: now,
        changed_at: now,
        expires_at: None,
        ask_at: Some(until),
        asked: 0,
        confirmed: false,
        said_paid: false,
        parts: Vec::new(),
        hints: 0,
        waiting_card: None,
        was_held: false,
        overdue: false,
        owner: Some(named.owner.clone()),
        write_ends: None,
        revision: 0,
        commit: named.commit.clone(),
        content: opening.content.clone(),
        secret_hash: named.secret_hash.clone(),
        sealed_secret: named.sealed_secret.clone(),
        version: 0,
    }
}

/// The payment that is open already, if it is for the same; none if a new one may be made.
fn live_or_refused<'a>(
    order: &'a Order,
    opening: &Opening,
    flow: &FlowInfo,
) -> Result<Option<&'a PaymentRecord>> {
    let name = format!("order `{}`", order.record.order);
    let Purpose::Payment { amount, .. } = &opening.purpose else { return Ok(None) };
    if let Some(paid) = &order.record.paid_by {
        return Err(Error::conflict(name, format!("it is paid already, by payment `{paid}`")));
    }
    if order.record.amount != *amount {
        return Err(Error::conflict(
            name,
            format!("it was opened for {}; {amount} needs an order of its own", order.record.amount),
        ));
    }
    match order.live() {
        Some(live) if live.content == opening.content => return Ok(Some(live)),
        Some(live) => {
            return Err(Error::conflict(
                name,
                format!("payment `{}` of it is open and asks for something else; cancel it first", live.id),
            ));
        }
        None => {}
    }
    match &order.record.taking {
        Some(taking) if moves_money(flow) => Err(Error::conflict(
            name,
            format!(
                "payment `{taking}` of it may be taking the money; wait until it is known what became of it"
            ),
        )),
        _ => Ok(None),
    }
}

/// An operation that an application asks for.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) kind: OperationKind,
    pub(crate) payment: PaymentId,
    pub(crate) amount: Option<Money>,
    /// The part to give back, where a payment came in parts.
    pub(crate) part: Option<ChargeRef>,
    pub(crate) reason: String,
    /// Who asks for it, for the provider's books.
    pub(crate) by: Option<String>,
    pub(crate) key: Option<IdempotencyKey>,
}

impl Ask {
    /// An operation on the whole payment.
    pub(crate) fn new(kind: OperationKind, payment: PaymentId) -> Self {
        Self { kind, payment, amount: None, part: None, reason: String::new(), by: None, key: None }
    }
}

/// What may be reserved.
struct Checked {
    amount: Option<Money>,
    part: Option<ChargeRef>,
}

/// What an operation is decided on.
pub(crate) struct OperationSituation<'a> {
    pub(crate) payment: &'a PaymentRecord,
    pub(crate) order: Option<&'a Order>,
    /// The payment's operations so far.
    pub(crate) earlier: &'a [OperationRecord],
    pub(crate) info: &'a ProviderInfo,
    pub(crate) flow: &'a FlowInfo,
    /// Whether the flow of another payment of the order moves money by itself.
    pub(crate) moves_money: &'a (dyn Fn(&PaymentRecord) -> bool + Sync),
    pub(crate) schedule: &'a Schedule,
    pub(crate) now: Timestamp,
}

/// Whether the payment is in the state that an operation of this kind needs.
pub(crate) fn stands_as_needed(kind: OperationKind, payment: &PaymentRecord) -> bool {
    match kind {
        OperationKind::Capture | OperationKind::Void => payment.status == Status::Authorized,
        OperationKind::Refund => payment.status == Status::Paid || payment.received().is_some(),
        // What was given up here can still be taken back there, so that nobody pays it.
        OperationKind::Cancel => {
            payment.status == Status::Pending
                || payment.status.is_failed()
                    && payment.ended_by == Some(crate::model::record::EndedBy::Us)
                    && payment.operation == OperationState::Succeeded
        }
    }
}

/// Reserves an operation.
pub(crate) fn reserve_operation(
    situation: &OperationSituation<'_>,
    ask: &Ask,
    content: &str,
    operation_ref: OperationRef,
    owner: &str,
) -> Result<Reserve<OperationRecord>> {
    let Checked { amount, part } = check(situation, ask)?;
    let (payment, now) = (situation.payment, situation.now);
    let until = now.after(write_lease(situation.flow, situation.schedule));
    let record = OperationRecord {
        operation_ref,
        kind: ask.kind,
        payment: payment.id.clone(),
        account: payment.account.clone(),
        order: payment.order().cloned(),
        amount,
        part,
        reason: ask.reason.clone(),
        by: ask.by.clone(),
        state: OperationState::Reserved,
        provider_ref: None,
        code: None,
        text: None,
        created_at: now,
        changed_at: now,
        lease_until: Some(until),
        write_ends: Some(until),
        asked: 0,
        owner: Some(owner.to_owned()),
        version: 0,
    };
    let history = HistoryEntry {
        at: now,
        order: record.order.clone(),
        payment: record.payment.clone(),
        source: Source::Application,
        change: None,
        what: match amount {
            Some(amount) => format!("asked for a {} of {amount}", ask.kind),
            None => format!("asked for a {}", ask.kind),
        },
    };
    let keys = ask.key.iter().map(|key| KeyRecord {
        key: key.clone(),
        content: content.to_owned(),
        subject: KeySubject::Operation(record.operation_ref.clone()),
        at: now,
    });
    // The versions of the payment and of its order keep apart what may not happen at once.
    let mut payment = payment.clone();
    owner.clone_into(&mut payment.commit);
    let mut order = situation.order.map(|order| order.record.clone());
    if ask.kind == OperationKind::Capture {
        payment.capturing = amount;
        if let Some(order) = &mut order {
            order.taking = Some(payment.id.clone());
        }
    }
    let changes = Changes {
        payments: vec![payment],
        orders: order.into_iter().collect(),
        operations: vec![record.clone()],
        keys: keys.collect(),
        history: vec![history],
        ..Changes::default()
    };
    Ok(Reserve::New(Box::new(record), Box::new(changes)))
}

/// Whether the operation may be reserved, for how much, and for which part.
fn check(situation: &OperationSituation<'_>, ask: &Ask) -> Result<Checked> {
    let payment = situation.payment;
    let name = || format!("payment `{}`", payment.id);
    if !stands_as_needed(ask.kind, payment) {
        let wanted = match ask.kind {
            OperationKind::Capture | OperationKind::Void => Status::Authorized,
            OperationKind::Refund => Status::Paid,
            OperationKind::Cancel => Status::Pending,
        };
        return Err(Error::conflict(
            name(),
            format!("it is {}; a {} is for one that is {wanted}", payment.status, ask.kind),
        ));
    }
    if ask.kind != OperationKind::Refund {
        // Of these a payment sees one: while it may have happened, nothing that conflicts with it is sent.
        let other = situation
            .earlier
            .iter()
            .find(|other| other.kind != OperationKind::Refund && other.may_have_happened());
        if let Some(other) = other {
            return Err(Error::conflict(
                name(),
                format!("its {} `{}` is {}", other.kind, other.operation_ref, other.state),
            ));
        }
    }
    match ask.kind {
        OperationKind::Void | OperationKind::Cancel => Ok(Checked { amount: None, part: None }),
        OperationKind::Capture => Ok(Checked { amount: Some(check_capture(situation, ask)?), part: None }),
        OperationKind::Refund => {
            check_refund_window(situation)?;
            if situation.info.refunds.as_ref().is_some_and(|rule| rule.part == RefundPart::WholePart) {
                let (payment, info) = (situation.payment, situation.info);
                let part = part_to_refund(payment, info, situation.earlier, ask.part.as_ref(), ask.amount)?;
                return Ok(Checked { amount: Some(part.amount), part: Some(part.charge_ref) });
            }
            if ask.part.is_some() {
                let why = format!("{} gives back an amount, not a part", situation.info.name);
                return Err(CoreError::invalid("part", why).into());
            }
            Ok(Checked { amount: Some(check_refund(situation, ask)?), part: None })
        }
    }
}

fn check_capture(situation: &OperationSituation<'_>, ask: &Ask) -> Result<Money> {
    let payment = situation.payment;
    let name = || format!("payment `{}`", payment.id);
    if let Some(order) = situation.order {
        if let Some(paid) = &order.record.paid_by {
            return Err(Error::conflict(
                name(),
                format!("its order is paid by payment `{paid}`; void this one"),
            ));
        }
        let others = order.payments.iter().filter(|other| other.id != payment.id);
        let taking = order.record.taking.iter().find(|taking| **taking != payment.id);
        let charging = others
            .filter(|other| other.status == Status::Pending && (situation.moves_money)(other))
            .map(|other| &other.id);
        if let Some(other) = taking.into_iter().chain(charging).next() {
            return Err(Error::conflict(
                name(),
                format!(
                    "payment `{other}` of its order may be taking the money; wait until it is known what became of it"
                ),
            ));
        }
    }
    let held = payment.amount().ok_or_else(|| Error::conflict(name(), "it has no amount"))?;
    let amount = ask.amount.unwrap_or(held);
    check_part(amount, held, "held")?;
    let partial = situation.info.captures.as_ref().is_some_and(|rule| rule.partial);
    if amount != held && !partial {
        return Err(whole_only(&situation.info.name, "captures", held));
    }
    Ok(amount)
}

fn check_refund(situation: &OperationSituation<'_>, ask: &Ask) -> Result<Money> {
    let (payment, info) = (situation.payment, situation.info);
    let name = || format!("payment `{}`", payment.id);
    let taken = payment.taken().ok_or_else(|| Error::conflict(name(), "nothing was taken"))?;
    let rule = info.refunds.as_ref();
    // What was given back for certain, and what may have been: of each refund the sum that is known of it.
    let mut left = taken;
    let earlier = situation
        .earlier
        .iter()
        .filter(|other| other.kind == OperationKind::Refund && other.may_have_happened());
    for other in earlier {
        if rule.is_some_and(|rule| !rule.repeated) {
            return Err(Error::conflict(
                name(),
                format!(
                    "{} refunds a payment once, and refund `{}` is {}",
                    info.name, other.operation_ref, other.state
                ),
            ));
        }
        left = left.checked_sub(other.amount.unwrap_or(taken)).map_err(CoreError::from)?;
    }
    if !left.is_positive() {
        return Err(Error::conflict(name(), "all of it is refunded, or may be"));
    }
    let amount = ask.amount.unwrap_or(left);
    check_part(amount, left, "left to refund")?;
    if amount != taken && rule.is_some_and(|rule| rule.part != RefundPart::Any) {
        return Err(whole_only(&info.name, "refunds", taken));
    }
    Ok(amount)
}

fn check_refund_window(situation: &OperationSituation<'_>) -> Result<()> {
    let (payment, info) = (situation.payment, situation.info);
    let window = info.refunds.as_ref().and_then(|rule| rule.window);
    if let (Some(window), Some(paid_at)) = (window, payment.paid_at)
        && situation.now.since(paid_at) > window
    {
        return Err(Error::conflict(
            format!("payment `{}`", payment.id),
            format!("{} refunds for {} days after the payment", info.name, window.as_secs() / 86_400),
        ));
    }
    Ok(())
}

/// Whether the application may give a payment up that the provider was not told of, and if not, why.
pub(crate) fn may_be_given_up(payment: &PaymentRecord, flow: &FlowInfo) -> Result<()> {
    let name = || format!("payment `{}`", payment.id);
    if payment.status == Status::Authorized {
        return Err(Error::conflict(name(), "its money is held; void it"));
    }
    if payment.operation == OperationState::Reserved {
        // Nothing was sent, and nothing can be sent once it is given up.
        return Ok(());
    }
    let unanswered = moves_money(flow) && payment.operation != OperationState::Succeeded;
    if let Some(received) = payment.received() {
        return Err(Error::conflict(name(), format!("{received} of it is there; give it back first")));
    }
    if unanswered || may_be_charged(flow, payment) || payment.mismatch.is_some() {
        return Err(Error::conflict(
            name(),
            "it may have been charged; wait until the provider has said what became of it",
        ));
    }
    Ok(())
}

/// The error for a request whose key names one that the provider refused.
pub(crate) fn refused_before(code: Option<&str>, text: Option<&str>) -> Error {
    let why = text.unwrap_or("the provider refused it");
    CoreError::new(ErrorKind::Rejected, format!("this request was refused before: {why}"))
        .with_outcome(Outcome::Refused)
        .with_answer(code, text)
        .into()
}

fn check_part(amount: Money, whole: Money, what: &str) -> Result<()> {
    if amount.currency() != whole.currency() || !amount.is_positive() {
        return Err(CoreError::invalid("amount", format!("{amount} is no part of {whole}")).into());
    }
    if amount.minor() > whole.minor() {
        return Err(Error::conflict(format!("amount {amount}"), format!("only {whole} is {what}")));
    }
    Ok(())
}

fn whole_only(provider: &str, what: &str, whole: Money) -> Error {
    CoreError::new(ErrorKind::Unsupported, format!("{provider} {what} the whole amount only: {whole}"))
        .with_field("amount")
        .into()
}
