//! Reads the bank's push to the address that was agreed on.
//!
//! It never proves anything. That its checksum is that of a check is inferred, the formula would not cover the result,
//! and where the reference ends and the amount begins would be open. So a push, whether its checksum is right or not,
//! only says which payment to ask about.

use tulbur_core::{
    Channel, Delivery, Error, ErrorKind, FreeText, IpnEvent, IpnOutcome, IpnProvider, MerchantRef,
    PaymentStatus, Proof, Reply, Result, Subject, Voucher, wire,
};

use crate::client::GolomtInstore;
use crate::info::PUSH;
use crate::wire::TransactionResult;
use crate::{sign, status};

/// Much more than any push has.
const MOST: usize = 64 * 1024;

impl IpnProvider for GolomtInstore {
    /// Reads a push of this account's terminal.
    ///
    /// The result is always [`Proof::Hint`], by [`Voucher::Checksum`] if the checksum is the one that is inferred. A push of
    /// another terminal is refused, and that is how many tills share one address: `/notify/golomt-instore` finds the
    /// account whose terminal it names. No two accounts may have the same terminal there.
    fn verify(&self, delivery: &Delivery<'_>) -> Result<IpnEvent> {
        self.named(PUSH, self.push(delivery))
    }

    /// 200 `OK`, and 400 for what is refused, as R-erxes answers. What the bank expects is unknown.
    fn acknowledge(&self, outcome: IpnOutcome<'_>) -> Reply {
        match outcome {
            IpnOutcome::Accepted
            | IpnOutcome::Repeat { .. }
            | IpnOutcome::UnknownPayment
            | IpnOutcome::Ignored => Reply::text(200, "OK"),
            // Why it was refused stands in our log; a forger learns nothing.
            IpnOutcome::Rejected(_) => Reply::text(400, "Rejected"),
            IpnOutcome::NotStored => Reply::text(503, "Not stored"),
        }
    }
}

fn malformed(why: impl Into<String>) -> Error {
    Error::new(ErrorKind::Malformed, why)
}

/// Reads the JSON body or, where there is none, the query string: R-erxes takes either, and no document says which.
fn read<'a>(delivery: &Delivery<'a>, body: &'a str) -> Result<TransactionResult<'a>> {
    if !matches!(delivery.method, "POST" | "GET") {
        return Err(malformed("pushes come by POST, or by GET with a query string").with_field("method"));
    }
    let query = delivery.query.unwrap_or_default();
    let size = delivery.body.len() + query.len();
    if size > MOST {
        return Err(malformed(format!("it has {size} bytes; the bank's have a few hundred")));
    }
    if !body.trim().is_empty() {
        return wire::read(body.as_bytes());
    }
    TransactionResult::from_fields(&delivery.query_fields()?)
}

impl GolomtInstore {
    fn push(&self, delivery: &Delivery<'_>) -> Result<IpnEvent> {
        if delivery.channel == Channel::Return {
            let why = "this bank sends no browser back; pushes are told to the notification address";
            return Err(Error::new(ErrorKind::Unsupported, why));
        }
        let body = delivery.body_text();
        let push = read(delivery, &body)?;
        let missing = |field| malformed("it is missing").with_field(field);
        let terminal = push.terminal().ok_or_else(|| missing("terminal"))?;
        if terminal != self.config.terminal {
            let why = format!(
                "it names the terminal {}, and this account is the terminal {}; is that till configured?",
                FreeText::new(terminal).chars().take(16).collect::<String>(),
                self.config.terminal
            );
            return Err(Error::new(ErrorKind::Untrusted, why).with_field("terminal"));
        }
        let reference = push.invoice().ok_or_else(|| missing("invoice"))?;
        let reference = MerchantRef::parse(reference)
            .and_then(|reference| self.info.ref_rule.check(&reference).map(|()| reference))
            .map_err(|e| malformed(e.to_string()).with_field("invoice"))?;
        let amount = push.amount().ok().flatten();
        let is_signed = amount.is_some() && {
            let text = push.amount_text().unwrap_or_default();
            let covered = sign::invoice(terminal, reference.as_str(), text);
            self.keys.check(&covered, push.checksum()).is_ok()
        };
        let voucher = if is_signed { Voucher::Checksum } else { Voucher::None };
        let claimed = push.resp_code().map(|code| status::of_code(Some(code)));
        // A payer whose first try fails may pay with the next: that is two messages, not a contradiction.
        let message = if claimed == Some(PaymentStatus::Paid) { "paid" } else { PUSH };
        let mut event = IpnEvent::new(Subject::merchant(reference), Proof::Hint(voucher), message)
            .with_claim(claimed, amount, push.resp_code());
        event.text = push.text();
        event.card = push.card();
        Ok(event)
    }
}
