//! The calls that a till makes.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Extension, State};
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use axum::routing::post;

use super::answer::{self, Asked, Refusal, Shape};
use super::settings::DEFAULT_TERMINAL;
use super::shared::Bank;
use super::state::{self, Channel, Invoice, Opened, Opening};
use crate::golomt_ecommerce::checksum::{Covered, checksum, explain, exponent};
use crate::golomt_ecommerce::request::{Fields, amount_in_form, check_amount};
use crate::plugin::{Call, Note, PaymentState};

/// The longest invoice number, by the bank's page.
const INVOICE_SIZE: usize = 32;
/// A number that no SocialPay user has, for the switch `unknown-phone`.
pub(super) const NOBODY: &str = "00000000";

pub(super) fn routes() -> Router<Bank> {
    Router::new()
        .route(Operation::Phone.path(), post(phone))
        .route(Operation::Qr.path(), post(qr))
        .route(Operation::Deeplink.path(), post(deeplink))
        .route(Operation::Cancel.path(), post(cancel))
        .route(Operation::Check.path(), post(check))
        .route(Operation::Refund.path(), post(refund))
        .route(Operation::Settlement.path(), post(settlement))
}

/// The bank's calls, each with what its checksum covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Phone,
    Qr,
    Deeplink,
    Cancel,
    Check,
    Refund,
    Settlement,
}

impl Operation {
    const fn path(self) -> &'static str {
        match self {
            Self::Phone => "/pos/invoice/phone",
            Self::Qr => "/pos/invoice/qr",
            Self::Deeplink => "/pos/invoice/qr/deeplink",
            Self::Cancel => "/pos/invoice/cancel",
            Self::Check => "/pos/invoice/check",
            Self::Refund => "/pos/payment/cancel",
            Self::Settlement => "/pos/settlement",
        }
    }

    /// The fields that the checksum joins, in order. All of them are required.
    fn covered(self) -> &'static [&'static str] {
        match self {
            Self::Phone => &["terminal", "invoice", "amount", "phone"],
            Self::Settlement => &["terminal", "settlementId"],
            _ => &["terminal", "invoice", "amount"],
        }
    }
}

/// A request whose terminal is known and whose checksum is right.
struct Admitted<'a> {
    fields: Fields,
    secret: &'a str,
    /// Beside what was done, for the log.
    remarks: Vec<String>,
}

impl Admitted<'_> {
    fn text(&self, name: &str) -> &str {
        // Admission has read every covered field.
        self.fields.required(name, name == "amount").unwrap_or_default()
    }

    fn accepted(&self, mut response: Response, what: String) -> Response {
        let mut text = what;
        for remark in &self.remarks {
            text.push_str("; ");
            text.push_str(remark);
        }
        response.extensions_mut().insert(Note::accepted(text));
        response
    }
}

impl Bank {
    /// Checks the terminal, that every field is there, and the checksum over the characters as they came.
    fn admit(&self, operation: Operation, body: &[u8]) -> Result<Admitted<'_>, Refusal> {
        let fields = Fields::parse(body).map_err(Refusal::invalid)?;
        let terminal = fields.required("terminal", false).map_err(Refusal::invalid)?;
        let secret = self.secret_of(terminal).ok_or_else(|| {
            Refusal::terminal(format!(
                "terminal {terminal:?} is not one of this bank's; the switch terminals sets how many stand in a row from {DEFAULT_TERMINAL}"
            ))
        })?;
        let mut covered = Covered { fields: Vec::new() };
        for name in operation.covered() {
            let text = fields.required(name, *name == "amount").map_err(Refusal::invalid)?;
            covered.fields.push((name, text));
        }
        let given = fields.required("checksum", false).map_err(Refusal::invalid)?;
        let mut remarks = Vec::new();
        if given != covered.checksum(secret) {
            let Some(form) = self.leniently(&covered, secret, given) else {
                let others: Vec<_> = fields.texts().collect();
                return Err(Refusal::checksum(explain(&covered, secret, None, given, &others)));
            };
            remarks.push(format!(
                "the checksum is over the amount {form:?}, which is not what was sent; the switch lenient-amount lets it pass"
            ));
        }
        let mut known = operation.covered().to_vec();
        known.push("checksum");
        let unknown = fields.unknown(&known).join(", ");
        if !unknown.is_empty() {
            remarks.push(format!("ignored, because this call does not know them: {unknown}"));
        }
        if known.contains(&"amount") {
            if fields.required("amount", false).is_err() {
                remarks.push("amount is a JSON number; the bank's page has a text".to_owned());
            }
            let amount = fields.required("amount", true).map_err(Refusal::invalid)?;
            check_amount(amount).map_err(Refusal::invalid)?;
        }
        if let Ok(invoice) = fields.required("invoice", false)
            && invoice.chars().count() > INVOICE_SIZE
        {
            return Err(Refusal::invalid(format!("invoice is longer than {INVOICE_SIZE} characters")));
        }
        Ok(Admitted { fields, secret, remarks })
    }

    /// The form of the amount that the sender hashed, if the switch lets that pass.
    fn leniently(&self, covered: &Covered<'_>, secret: &str, given: &str) -> Option<String> {
        if !self.is_on("lenient-amount") {
            return None;
        }
        let at = covered.fields.iter().position(|(name, _)| *name == "amount")?;
        let amount = covered.fields[at].1;
        check_amount(amount).ok()?;
        let short = amount_in_form(amount, "shortest");
        let mut forms = vec![amount_in_form(amount, "two-decimals"), format!("{short}.0")];
        forms.extend(exponent(&short));
        forms.push(short);
        forms.into_iter().find(|form| {
            let mut values: Vec<&str> = covered.fields.iter().map(|(_, value)| *value).collect();
            values[at] = form;
            checksum(secret, &values) == given
        })
    }

    /// The invoice that a call names. The amount is part of the name, unless a switch says otherwise.
    fn find(&self, call: &Admitted<'_>, partial: bool) -> Result<Invoice, Refusal> {
        let (terminal, number) = (call.text("terminal"), call.text("invoice"));
        let found = self
            .desk
            .read(|state| state.find(terminal, number).cloned())
            .ok_or_else(|| Refusal::not_found(format!("terminal {terminal} has no invoice {number:?}")))?;
        let amount = call.text("amount");
        if !partial && self.is_on("amount-must-match") && !found.is_about(amount) {
            return Err(Refusal::not_found(format!(
                "invoice {number:?} of terminal {terminal} is about {}, not about {amount}",
                found.amount
            )));
        }
        Ok(found)
    }

    fn open(&self, call: &Admitted<'_>, channel: Channel) -> Result<(Invoice, String), Refusal> {
        let opening = Opening {
            terminal: call.text("terminal"),
            invoice: call.text("invoice"),
            amount: call.text("amount"),
            channel,
        };
        let kind = opening.channel.name();
        match self.desk.update(|tx| state::open(tx, &opening))? {
            Opened::Fresh(invoice) => Ok((invoice, format!("{kind} invoice over {} opened", opening.amount))),
            Opened::Again(invoice) => Ok((invoice, "the open invoice of this number, once more".to_owned())),
            Opened::Replaced(invoice) => {
                Ok((invoice, format!("the invoice of this number is about {} now", opening.amount)))
            }
            Opened::Taken(state) => Err(Refusal::duplicate(format!(
                "invoice {:?} of terminal {} has been used, and is {}; see the switch duplicate-invoice",
                opening.invoice,
                opening.terminal,
                state.name()
            ))),
            Opened::DoesNotFit(why) => Err(Refusal::invalid(why)),
        }
    }
}

async fn phone(State(bank): State<Bank>, body: Bytes) -> Response {
    let outcome = (|| {
        let call = bank.admit(Operation::Phone, &body)?;
        let number = call.text("phone").to_owned();
        if number == NOBODY && bank.desk.switch("unknown-phone") == "failed" {
            let response = answer::simple("SocialPay хэрэглэгч олдсонгүй", false);
            return Ok(call.accepted(response, format!("nobody with SocialPay has the number {NOBODY}")));
        }
        let (_, what) = bank.open(&call, Channel::Phone(number))?;
        Ok(call.accepted(answer::simple("success", true), what))
    })();
    outcome.unwrap_or_else(|refusal| bank.refuse(refusal))
}

async fn qr(State(bank): State<Bank>, body: Bytes) -> Response {
    scannable(&bank, Operation::Qr, Channel::Qr, &body)
}

async fn deeplink(State(bank): State<Bank>, body: Bytes) -> Response {
    scannable(&bank, Operation::Deeplink, Channel::Deeplink, &body)
}

fn scannable(bank: &Bank, operation: Operation, channel: Channel, body: &[u8]) -> Response {
    let outcome = (|| {
        let call = bank.admit(operation, body)?;
        let (invoice, what) = bank.open(&call, channel)?;
        let desc = invoice.link.or(invoice.payload).unwrap_or_default();
        Ok(call.accepted(answer::simple(&desc, true), what))
    })();
    outcome.unwrap_or_else(|refusal| bank.refuse(refusal))
}

async fn cancel(State(bank): State<Bank>, body: Bytes) -> Response {
    let outcome = (|| {
        let call = bank.admit(Operation::Cancel, &body)?;
        let invoice = bank.find(&call, false)?;
        let reference = invoice.reference.as_str();
        // Decided again inside the change: a customer may pay in between.
        let outcomes = (bank.desk.switch("cancel-paid"), bank.desk.switch("cancel-ended"));
        let (done, text) = bank.desk.update(|tx| {
            state::run_clock(tx);
            let Some(invoice) = tx.state().invoices.get(reference).cloned() else { return (false, "gone") };
            match invoice.state {
                PaymentState::Open => {
                    state::end(tx, reference, PaymentState::Canceled);
                    (true, "canceled")
                }
                PaymentState::Paid => match outcomes.0.as_str() {
                    "nothing" => (true, "it is paid and stays so, although the answer says success"),
                    "refunds" => {
                        state::give_back(tx, reference, invoice.kept());
                        (true, "it was paid, and the money was given back")
                    }
                    _ => (false, "it is paid"),
                },
                _ => (outcomes.1 == "success", "it had ended already"),
            }
        })?;
        let desc = if done { "success" } else { "Нэхэмжлэх цуцлах боломжгүй" };
        let shape = Shape::of(&bank.desk);
        let response = match bank.desk.switch("cancel-shape").as_str() {
            "resp-code" => answer::canceled_by_code(desc, if done { "00" } else { &shape.unpaid_code }),
            _ => answer::simple(desc, done),
        };
        Ok(call.accepted(response, format!("invoice {:?}: {text}", invoice.invoice)))
    })();
    outcome.unwrap_or_else(|refusal| bank.refuse(refusal))
}

async fn check(State(bank): State<Bank>, Extension(wrong): Extension<Call>, body: Bytes) -> Response {
    let outcome = (|| {
        let call = bank.admit(Operation::Check, &body)?;
        let shape = Shape::of(&bank.desk);
        let asked = Asked { secret: call.secret, shape: &shape, tamper: wrong.tamper };
        let invoice = match bank.find(&call, false) {
            Ok(invoice) => invoice,
            Err(refusal) => {
                if bank.desk.switch("unknown-check") == "error" {
                    return Err(refusal);
                }
                let response =
                    asked.unknown(call.text("terminal"), call.text("invoice"), call.text("amount"));
                return Ok(call.accepted(response, refusal.why));
            }
        };
        let state = invoice.state.name();
        if !invoice.is_paid() {
            let why = format!("invoice {:?} is {state}; the switch unpaid-check says how", invoice.invoice);
            match bank.desk.switch("unpaid-check").as_str() {
                "error" => return Err(Refusal::unpaid(why)),
                "error-inside" => return Ok(answer::refuse_inside(Refusal::unpaid(why))),
                _ => {}
            }
        }
        Ok(call.accepted(asked.standing(&invoice), format!("the invoice is {state}")))
    })();
    outcome.unwrap_or_else(|refusal| bank.refuse(refusal))
}

async fn refund(State(bank): State<Bank>, Extension(wrong): Extension<Call>, body: Bytes) -> Response {
    let outcome = (|| {
        let call = bank.admit(Operation::Refund, &body)?;
        let invoice = bank.find(&call, bank.is_on("partial-refund"))?;
        let amount = call.text("amount");
        let wanted = state::hundredths(amount);
        let again = bank.desk.switch("double-refund");
        let settled_too = bank.is_on("refund-after-settlement");
        let (invoice, done, text) = bank.desk.update(|tx| {
            let Some(now) = tx.state().invoices.get(&invoice.reference).cloned() else {
                return (invoice.clone(), false, "gone");
            };
            if !now.is_paid() {
                return (now, false, "it is not paid");
            }
            if now.settled_by.is_some() && !settled_too {
                return (now, false, "it has been settled");
            }
            if now.kept() < wanted {
                return match again.as_str() {
                    "success" => (now, true, "nothing more is given back, although the answer says success"),
                    _ => (now, false, "more than is left of it"),
                };
            }
            let after = state::give_back(tx, &now.reference, wanted).unwrap_or(now);
            (after, true, "given back")
        })?;
        let shape = Shape::of(&bank.desk);
        if !done && bank.desk.switch("refused-refund") == "error" {
            return Err(Refusal::invalid(format!("invoice {:?}: {text}", invoice.invoice)));
        }
        let asked = Asked { secret: call.secret, shape: &shape, tamper: wrong.tamper };
        let words = if done { "Амжилттай" } else { "Буцаалт хийх боломжгүй" };
        let response = asked.refunded(&invoice, amount, done, words);
        Ok(call.accepted(response, format!("invoice {:?}: {text}", invoice.invoice)))
    })();
    outcome.unwrap_or_else(|refusal| bank.refuse(refusal))
}

async fn settlement(State(bank): State<Bank>, body: Bytes) -> Response {
    let outcome = (|| {
        let call = bank.admit(Operation::Settlement, &body)?;
        let (terminal, id) = (call.text("terminal"), call.text("settlementId"));
        let settlement = bank.desk.update(|tx| state::settle(tx, terminal, id))?;
        let amount = amount_in_form(&state::written(settlement.amount), "shortest");
        let what = format!("{} payments of terminal {terminal} settled, {amount} in all", settlement.count);
        let count_is_number = bank.desk.switch("settlement-count") == "number";
        let response = answer::settled(&amount, settlement.count, count_is_number, &Shape::of(&bank.desk));
        Ok(call.accepted(response, what))
    })();
    outcome.unwrap_or_else(|refusal| bank.refuse(refusal))
}

/// An address that the bank does not have.
pub(super) async fn nothing_here(uri: Uri) -> Response {
    let why = format!("there is nothing at {}; the page that plays the phone is /-/phone", uri.path());
    noted(answer::trouble(StatusCode::NOT_FOUND, "error.notfound.path"), &why)
}

/// The API takes POST only, also for what looks like reading.
pub(super) async fn wrong_method() -> Response {
    let why = "this address does not take this method; the API takes POST only";
    noted(answer::trouble(StatusCode::METHOD_NOT_ALLOWED, "error.invalid.method"), why)
}

fn noted(mut response: Response, why: &str) -> Response {
    response.extensions_mut().insert(Note::refused(why));
    response
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use serde_json::json;

    use super::super::{DEFAULT_SECRET, DEFAULT_TERMINAL, GolomtInstore};
    use super::*;
    use crate::room::Room;
    use crate::vault::Vault;

    const ALL: [Operation; 7] = [
        Operation::Phone,
        Operation::Qr,
        Operation::Deeplink,
        Operation::Cancel,
        Operation::Check,
        Operation::Refund,
        Operation::Settlement,
    ];

    fn bank() -> Bank {
        let plugin = GolomtInstore::new();
        let vault = Arc::new(Vault::in_memory());
        let desk = Room::open(Arc::new(plugin.clone()), "http://bank".into(), vault).unwrap().desk();
        Bank { plugin, desk }
    }

    fn signed(invoice: &str, amount: &str) -> serde_json::Value {
        let sum = checksum(DEFAULT_SECRET, &[DEFAULT_TERMINAL, invoice, amount]);
        json!({ "terminal": DEFAULT_TERMINAL, "invoice": invoice, "amount": amount, "checksum": sum })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_bytes_are_refused_in_words(body in any::<Vec<u8>>()) {
            let bank = bank();
            for operation in ALL {
                let refusal = bank.admit(operation, &body).err().expect("no bytes sign themselves");
                prop_assert!(!refusal.why.is_empty());
            }
        }

        #[test]
        fn near_requests_are_refused_in_words(
            body in r#"\{("(terminal|invoice|amount|checksum|phone)":("13161272"|"[a-f0-9]{0,64}"|[0-9.e+-]{1,6}|null|\[\]),?){0,5}\}"#,
        ) {
            let bank = bank();
            for operation in ALL {
                let refusal = bank.admit(operation, body.as_bytes()).err().expect("nobody guesses a checksum");
                prop_assert!(!refusal.why.contains(DEFAULT_SECRET));
            }
        }

        /// What is signed passes whatever its characters are, and no other amount passes for it.
        #[test]
        fn a_signed_request_passes_and_another_amount_does_not(
            invoice in "\\PC{1,32}",
            whole in 1u64..10_000_000_000,
            cents in proptest::option::of(0u64..100),
            other in "[0-9]{1,9}(\\.[0-9]{1,2})?",
        ) {
            let bank = bank();
            let amount = cents.map_or_else(|| whole.to_string(), |cents| format!("{whole}.{cents:02}"));
            let mut body = signed(&invoice, &amount);
            let admitted = bank.admit(Operation::Qr, body.to_string().as_bytes());
            prop_assert_eq!(admitted.map(|call| call.text("amount").to_owned()).map_err(|no| no.why), Ok(amount.clone()));
            prop_assume!(other != amount);
            body["amount"] = other.into();
            let refused = bank.admit(Operation::Qr, body.to_string().as_bytes()).err();
            prop_assert!(refused.is_some_and(|refusal| refusal.why.contains("checksum does not match")));
        }
    }
}
