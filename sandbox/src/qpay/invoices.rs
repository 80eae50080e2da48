//! The calls about invoices (specification, 5 and 6).

use super::answer;
use super::call::{Good, Outcome, Refusal, body_of};
use super::order::Order;
use super::shared::Bank;
use super::state::{self, Invoice, QPayState, Standing};

/// `POST /v2/invoice`.
pub(super) fn create(bank: &Bank, body: &[u8]) -> Outcome {
    let order = Order::read(&bank.account, |id| bank.desk.switch(id), &body_of(body)?)?;
    if bank.desk.switch("unique-sender-invoice-no") == "yes"
        && bank.desk.read(|state| state.references.contains_key(&order.number))
    {
        let why = "this sender_invoice_no was used before, and the switch unique-sender-invoice-no is on";
        return Err(Refusal::field("sender_invoice_no", "NOT_UNIQUE", why, why).status(409));
    }
    let invoice =
        bank.desk.update(|tx| state::open(tx, order))?.map_err(|why| Refusal::code("INVALID_AMOUNT", why))?;
    let mut note = format!("invoice {} is open", invoice.id);
    if invoice.order.callback_url.is_none() {
        note += "; it has no callback_url, so callbacks go to the push address, if one is set";
    }
    Good::with(&answer::created(bank, &invoice), note)
}

/// The invoice with this id, or 422 [TBL].
pub(super) fn find<'a>(state: &'a QPayState, id: &str) -> Result<&'a Invoice, Refusal> {
    state.invoices.get(id).ok_or_else(|| {
        let by_payment = state.payments.contains_key(id);
        let why = if by_payment {
            "this is a payment_id; an invoice_id is expected"
        } else {
            "no invoice has this id"
        };
        Refusal::code("INVOICE_NOTFOUND", why)
    })
}

/// `GET /v2/invoice/{id}`.
pub(super) fn read(bank: &Bank, id: &str) -> Outcome {
    // Switches are read from the state as well, so the state is not held meanwhile.
    let (invoice, known) = bank.desk.read(|state| {
        let invoice = find(state, id)?;
        Ok::<_, Refusal>((invoice.clone(), state.rows(invoice).cloned().collect::<Vec<_>>()))
    })?;
    let note = format!("the invoice is {}", answer::status(bank, &invoice));
    Good::with(&answer::read(bank, &known, &invoice), note)
}

/// `DELETE /v2/invoice/{id}`: only while nothing is paid.
pub(super) fn cancel(bank: &Bank, id: &str) -> Outcome {
    bank.desk.update(|tx| {
        let invoice = find(tx.state(), id)?;
        let paid = tx.state().rows(invoice).any(|row| row.status == "PAID");
        match invoice.standing {
            Standing::Canceled => {
                Err(Refusal::code("INVOICE_ALREADY_CANCELED", "the invoice was canceled before"))
            }
            _ if paid => {
                let status = tx.switch("invoice-paid-status").parse().unwrap_or(400);
                let why = "the invoice is paid, in part or in full; check it";
                Err(Refusal::code("INVOICE_PAID", why).status(status))
            }
            _ => {
                let race = invoice.on_cancel.is_some();
                state::cancel(tx, id);
                let note = if race { "canceled, and paid in the same moment" } else { "canceled" };
                Ok(Good::empty(note))
            }
        }
    })?
}
