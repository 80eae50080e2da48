//! `tulbur payments retry|resolve|refund`: what a person decides.

use std::fmt::Write as _;

use std::io::{BufRead as _, IsTerminal as _};
use std::sync::Arc;

use clap::{ArgGroup, Args};
use serde_json::json;
use tulbur::ErrorKind;
use tulbur::core::{AmountNotation, ChargeRef, OperationRef, OperationState, QueryBy};
use tulbur::payments::store::Find;
use tulbur::payments::{
    AttentionItem, AttentionKind, Error, IdempotencyKey, OperationKind, OperationRecord, PaymentId,
    PaymentRecord, Payments, RefundPayment, Store, make_due, resolve_item, unpark,
};

use super::find::find_one;
use super::list::view;
use crate::database::{Hands, Setup};
use crate::out::{Failure, now, print, print_json, remark};

/// Reads who decides: it is written into the history.
pub(crate) fn parse_name(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > 60 || text.chars().any(char::is_control) {
        return Err("expected a name of up to 60 characters".into());
    }
    Ok(text.to_owned())
}

/// Who sits at the terminal, where nobody said it.
pub(crate) fn who(by: Option<&str>) -> String {
    let user = || std::env::var("USER").ok().and_then(|user| parse_name(&user).ok());
    by.map(str::to_owned).or_else(user).unwrap_or_else(|| "somebody".into())
}

/// The options of `tulbur payments retry`.
#[derive(Debug, Args)]
#[command(after_help = "\
If the payment's account and a sealing key are configured here, this command asks the provider itself. Else the
running application does, within seconds. Either way an answer that was lost is asked about and no request is repeated.

Examples:
  tulbur payments retry 0193f2c8a4b77c1e9d3f5a6b7c8d9e0f
  tulbur payments retry order-1042 --by Saruul
  tulbur payments retry --all-given-up --handler ship
      once a handler is repaired: all events that were given up for it")]
pub(super) struct RetryOptions {
    /// The payment, or what else it is called
    #[arg(required_unless_present = "all_given_up")]
    name: Option<String>,
    /// All events of all orders that were given up
    #[arg(long, conflicts_with = "name")]
    all_given_up: bool,
    /// Only those that this handler of the application was given up for
    #[arg(long, value_name = "HANDLER", requires = "all_given_up")]
    handler: Option<String>,
    /// Who asks for it, for the history [default: the user's name]
    #[arg(long, value_name = "NAME", value_parser = parse_name)]
    by: Option<String>,
}

pub(super) async fn retry(
    options: &RetryOptions,
    setup: &Setup,
    store: &Arc<dyn Store>,
    json: bool,
) -> Result<(), Failure> {
    let Some(name) = &options.name else {
        return deliver_all(&**store, options.handler.as_deref(), json).await;
    };
    let payment = find_one(store, name).await?;
    let by = who(options.by.as_deref());
    let (asked_here, why, due, after) = match setup.hands(store).await? {
        Hands::Here(payments, names) if names.contains(&payment.account) => {
            let (after, due) = payments.retry(&payment.id, &by).await?;
            (true, String::new(), due, after)
        }
        hands => {
            let why = match hands {
                Hands::None(why) => why,
                Hands::Here(..) => format!("account `{}` is not configured here", payment.account),
            };
            let due = make_due(&**store, &payment.id, &by, now()).await?;
            let after = store.payment(Find::Id(&payment.id)).await?.unwrap_or_else(|| payment.clone());
            (false, why, due, after)
        }
    };
    if json {
        return print_json(&json!({
            "asked_here": asked_here, "payment": view(&after), "operations": due.operations, "events": due.events,
        }));
    }
    let mut text = if asked_here {
        format!("Asked the provider: payment {} was {} and is {}.", payment.id, payment.status, after.status)
    } else {
        format!(
            "Payment {} is due now. The running application asks the provider within seconds; this process did not, \
             because {why}.",
            payment.id
        )
    };
    if due.operations > 0 {
        let verb = if asked_here { "was asked about" } else { "is asked about" };
        let _ = write!(text, "\nWhat became of {} unknown operations {verb}.", due.operations);
    }
    if due.events > 0 {
        let _ = write!(
            text,
            "\n{} events that were given up are due again; the running application delivers them.",
            due.events
        );
    }
    if asked_here {
        let history = store.payment_history(&payment.id).await?;
        if let Some(last) = history.last() {
            let _ = write!(text, "\nThe history's last line: {}", last.what);
        }
    }
    let _ = write!(text, "\ntulbur payments show {} tells the rest.", payment.id);
    Ok(print(&text)?)
}

async fn deliver_all(store: &dyn Store, handler: Option<&str>, json: bool) -> Result<(), Failure> {
    let mut count = 0;
    for parked in store.parked_deliveries(u32::MAX >> 1).await? {
        if handler.is_none_or(|handler| parked.handler == handler) {
            count += usize::from(unpark(store, &parked, now()).await?);
        }
    }
    if json {
        return print_json(&json!({ "events": count }));
    }
    Ok(print(&format!("{count} events are due again; the running application delivers them."))?)
}

/// The options of `tulbur payments resolve`.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("word").required(true).args(["happened", "never", "done"]))]
#[command(after_help = "\
Look it up at the provider first: what you say here counts, and is written into the history under your name.

Examples:
  tulbur payments resolve unresolved-operation/0193f2c8a4b77c1e9d3f5a6b7c8d9e0f --happened --by Saruul
      the charge or refund that the item names was made
  tulbur payments resolve 0193f2c8a4b77c1e9d3f5a6b7c8d9e0f --never --by Saruul
      this payment was not paid and never will be; or this refund was not made
  tulbur payments resolve paid-again/0193f2c8a4b77c1e9d3f5a6b7c8d9e0f --done --by Saruul
      resolves the item and changes nothing else")]
pub(super) struct ResolveOptions {
    /// The key of an item, an operation, or a payment
    subject: String,
    /// It happened: the payment was paid, the operation was done
    #[arg(long)]
    happened: bool,
    /// It did not happen and never will
    #[arg(long)]
    never: bool,
    /// The item is dealt with; nothing else is changed
    #[arg(long)]
    done: bool,
    /// Who says so
    #[arg(long, value_name = "NAME", value_parser = parse_name)]
    by: String,
    /// Do not ask first
    #[arg(long, short)]
    yes: bool,
}

/// What a person speaks about.
enum Subject {
    Operation(Box<OperationRecord>),
    Payment(Box<PaymentRecord>),
}

pub(super) async fn resolve(
    options: &ResolveOptions,
    setup: &Setup,
    store: &Arc<dyn Store>,
    json: bool,
) -> Result<(), Failure> {
    let items = store.attention().await?;
    let item = items.iter().find(|item| item.key == options.subject);
    if options.done {
        let item = item.ok_or_else(|| {
            Failure::new(format!(
                "there is no open item `{}`; --done resolves an item by its key, as `tulbur payments attention` lists it",
                options.subject
            ))
        })?;
        agree(
            &format!("This resolves item `{}` ({}). Nothing else changes.", item.key, item.detail),
            options.yes,
        )?;
        resolve_item(&**store, item, &options.by, now()).await.map_err(|error| match error {
            Error::Conflict { .. } => Failure::new(format!(
                "{error}: look it up at the provider, then say --happened or --never instead of --done"
            )),
            error => error.into(),
        })?;
        return told(json, &format!("Resolved: {}.", item.key), &json!({ "resolved": item.key }));
    }
    let subject = subject_of(&**store, item, &options.subject).await?;
    let account = match &subject {
        Subject::Operation(operation) => &operation.account,
        Subject::Payment(payment) => &payment.account,
    };
    let payments = setup.need_hands(store, account, "an operator's decision about a payment").await?;
    match subject {
        Subject::Operation(operation) => resolve_operation(options, &payments, &operation, json).await,
        Subject::Payment(payment) => resolve_payment(options, &payments, &payment, json).await,
    }
}

async fn resolve_operation(
    options: &ResolveOptions,
    payments: &Payments,
    operation: &OperationRecord,
    json: bool,
) -> Result<(), Failure> {
    if !matches!(operation.state, OperationState::Unknown | OperationState::Accepted) {
        return Err(Failure::new(format!(
            "operation `{}` is {}; only an unknown one needs an operator's decision",
            operation.operation_ref, operation.state
        )));
    }
    let amount = operation.amount.map(|amount| format!(" of {amount}")).unwrap_or_default();
    let (kind, reference) = (operation.kind, &operation.operation_ref);
    agree(
        &if options.happened {
            format!(
                "You say that the {kind}{amount} `{reference}` was made. It counts from now on, and the application is told."
            )
        } else {
            format!(
                "You say that the {kind}{amount} `{reference}` was not made and never will be. It can then be asked for \
                 again; if it was made after all, it happens twice."
            )
        },
        options.yes,
    )?;
    let after = payments.declare_operation(reference, options.happened, &options.by).await?;
    let text = format!("The {kind} {reference} is {} now.", after.state);
    told(json, &text, &json!({ "operation": after }))
}

async fn resolve_payment(
    options: &ResolveOptions,
    payments: &Payments,
    payment: &PaymentRecord,
    json: bool,
) -> Result<(), Failure> {
    let amount = match (payment.mismatch, payment.amount()) {
        (Some(paid), Some(asked)) => format!(" of {paid} ({asked} was asked for)"),
        (_, Some(asked)) => format!(" of {asked}"),
        (_, None) => String::new(),
    };
    let order = payment.order().map(|order| format!(" for order `{order}`")).unwrap_or_default();
    let what = format!("payment {}{amount}{order}", payment.id);
    let mut warning = if options.happened {
        format!("You say that {what} was paid. The application is told that it is, and will deliver.")
    } else {
        format!(
            "You say that {what} was not paid and never will be. The order can then be paid by another payment."
        )
    };
    let askable = can_be_asked(payments, payment);
    if askable {
        let _ = write!(
            warning,
            "\nThe provider can be asked about it, and its own word is better: tulbur payments retry {}",
            payment.id
        );
    }
    agree(&warning, options.yes)?;
    let after = payments.declare_payment(&payment.id, options.happened, &options.by).await?;
    told(
        json,
        &format!("Payment {} is {} now.", payment.id, after.status),
        &json!({ "payment": view(&after) }),
    )
}

fn can_be_asked(payments: &Payments, payment: &PaymentRecord) -> bool {
    payments.flow_of(payment).is_ok_and(|flow| match flow.query_by {
        QueryBy::Nothing => false,
        QueryBy::ProviderRef => payment.reference.provider_ref.is_some(),
        QueryBy::MerchantRef | QueryBy::MerchantRefAndAmount => true,
    })
}

async fn subject_of(store: &dyn Store, item: Option<&AttentionItem>, name: &str) -> Result<Subject, Failure> {
    // The key of an unresolved operation ends with what it is about: the operation, or the payment.
    let about = match item {
        Some(item) if item.kind == AttentionKind::UnresolvedOperation => {
            item.key.split_once('/').map_or(name, |(_, about)| about)
        }
        Some(item) if matches!(item.kind, AttentionKind::Unproven | AttentionKind::AmountMismatch) => {
            item.payment.as_ref().map_or(name, |payment| payment.as_str())
        }
        Some(item) => {
            return Err(Failure::new(format!(
                "`{}` is not a question of whether something happened; once it is dealt with, say --done",
                item.kind
            )));
        }
        None => name,
    };
    if let Ok(reference) = OperationRef::parse(about)
        && let Some(operation) = store.operation(&reference).await?
    {
        return Ok(Subject::Operation(Box::new(operation)));
    }
    match store.payment(Find::Id(&PaymentId::from_text(about))).await? {
        Some(payment) => Ok(Subject::Payment(Box::new(payment))),
        None => Err(Failure::new(format!(
            "there is no open item, operation or payment `{about}`; an item may be resolved already, and a decision needs \
             the exact id, not an order"
        ))),
    }
}

/// The options of `tulbur payments refund`.
#[derive(Debug, Args)]
#[command(after_help = "\
The payment's account and a sealing key must be configured. The same key with the same request gives money back once,
however often the command is run; so if it is cut off, run it again exactly so.

Examples:
  tulbur payments refund 0193f2c8a4b77c1e9d3f5a6b7c8d9e0f --reason \"paid twice\" --key ticket-381
  tulbur payments refund order-1042 --amount 500.00 --reason damaged --key ticket-382 --yes")]
pub(super) struct RefundOptions {
    /// The payment, or what else it is called
    name: String,
    /// How much, such as 500.00, without separated thousands [default: all that is left]
    #[arg(long)]
    amount: Option<String>,
    /// The part to give back, of a payment that came in parts [default: the only one that is left]
    #[arg(long)]
    part: Option<String>,
    /// Why, for people
    #[arg(long)]
    reason: String,
    /// Your own name of this refund: it is made once per key
    #[arg(long)]
    key: String,
    /// Do not ask first
    #[arg(long, short)]
    yes: bool,
}

pub(super) async fn refund(
    options: &RefundOptions,
    setup: &Setup,
    store: &Arc<dyn Store>,
    json: bool,
) -> Result<(), Failure> {
    let payment = find_one(store, &options.name).await?;
    let key = IdempotencyKey::parse(options.key.clone()).map_err(|error| format!("--key: {error}"))?;
    let mut request = RefundPayment::new(payment.id.clone(), options.reason.clone()).key(key);
    if let Some(text) = &options.amount {
        let whole =
            payment.amount().ok_or_else(|| Failure::new("a card set-up has no amount to give back"))?;
        let amount = AmountNotation::default()
            .parse(text, whole.currency())
            .map_err(|error| format!("--amount: {error}"))?;
        request = request.amount(amount);
    }
    if let Some(text) = &options.part {
        let part = ChargeRef::parse(text.clone()).map_err(|error| format!("--part: {error}"))?;
        request = request.part(part);
    }
    let payments = setup.need_hands(store, &payment.account, "a refund").await?;
    let paid = payment.taken().map_or_else(|| "nothing".into(), |taken| taken.to_string());
    let operations = store.operations(&payment.id).await?;
    let refunds =
        operations.iter().filter(|one| one.kind == OperationKind::Refund && one.may_have_happened());
    let left = refunds.clone().try_fold(payment.taken(), |left, one| match (left, one.amount) {
        (Some(left), Some(part)) => left.checked_sub(part).map(Some),
        (left, _) => Ok(left),
    });
    let left = left.ok().flatten().map_or_else(String::new, |left| format!(", {left},"));
    let amount = match (&request.part, request.amount) {
        (Some(part), _) => format!("part `{part}`"),
        (None, Some(amount)) => amount.to_string(),
        (None, None) => format!("all that is left{left}"),
    };
    let unknown = refunds.filter(|one| one.is_unresolved()).count();
    let order = payment.order().map(|order| format!(" of order `{order}`")).unwrap_or_default();
    let before =
        payment.refunded.map_or_else(String::new, |refunded| format!(", {refunded} of it given back before"));
    agree(
        &format!(
            "This gives {amount} of payment {}{order} back to the payer ({paid} was taken{before}).{}",
            payment.id,
            if unknown == 0 {
                ""
            } else {
                " An earlier refund may have happened too, and counts as given back."
            }
        ),
        options.yes,
    )?;
    let operation = match payments.refund(request).await {
        Ok(operation) => operation.into_record(),
        Err(tulbur::payments::Error::Provider(error)) if error.kind() == ErrorKind::Unsupported => {
            return Err(Failure::new(format!(
                "{error}; nothing was given back. Refund at the provider by hand"
            )));
        }
        Err(error) => return Err(error.into()),
    };
    let amount = operation.amount.map(|amount| format!("{amount} ")).unwrap_or_default();
    let reference = &operation.operation_ref;
    let said =
        [operation.code.as_deref(), operation.text.as_deref()].into_iter().flatten().collect::<Vec<_>>();
    let said = if said.is_empty() { String::new() } else { format!(" ({})", said.join(" ")) };
    let text = match operation.state {
        OperationState::Succeeded => format!("{amount}given back: refund {reference}{said}."),
        OperationState::Accepted => format!(
            "The provider took refund {reference}{said}, and settles it later. tulbur payments show {} tells how it ends.",
            payment.id
        ),
        OperationState::Refused => {
            format!("The provider refused refund {reference}{said}. Nothing was given back.")
        }
        OperationState::Unknown => format!(
            "Nobody knows whether {amount}was given back: the answer to refund {reference} was lost{said}. Do not refund \
             again under another key. The running application asks; or look it up at the provider, and then: tulbur \
             payments resolve {reference} --happened --by NAME, or --never"
        ),
        OperationState::Reserved | OperationState::Submitted => {
            format!("Refund {reference} is under way. tulbur payments show {} tells how it ends.", payment.id)
        }
    };
    told(json, &text, &json!({ "operation": operation }))?;
    let taken = matches!(operation.state, OperationState::Succeeded | OperationState::Accepted);
    if taken { Ok(()) } else { Err(Failure::told(1)) }
}

fn told(json: bool, text: &str, value: &serde_json::Value) -> Result<(), Failure> {
    if json { print_json(value) } else { Ok(print(text)?) }
}

/// Asks whoever sits there, unless they said yes before.
pub(super) fn agree(what: &str, yes: bool) -> Result<(), Failure> {
    remark(what);
    if yes {
        return Ok(());
    }
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return Err(Failure::new("nobody is here to agree; nothing was done. Say --yes"));
    }
    remark("Type yes to go on:");
    let mut answer = String::new();
    stdin.lock().read_line(&mut answer).map_err(|error| format!("the answer cannot be read: {error}"))?;
    if answer.trim() == "yes" { Ok(()) } else { Err(Failure::new("nothing was done")) }
}
