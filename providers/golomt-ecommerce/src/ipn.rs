//! Reads the bank's push to the registered address, and the return of the payer's browser.

use tulbur_core::wire::Fields;
use tulbur_core::{
    Channel, Delivery, Error, ErrorKind, FreeText, IpnEvent, IpnOutcome, IpnProvider, MerchantRef, Proof,
    Reply, Result, SavedCard, Subject, Voucher,
};

use crate::client::GolomtEcommerce;
use crate::info::{PUSH, RETURN};
use crate::status;
use crate::wire::ResultDocument;

/// Much more than any delivery of the bank has.
const MOST: usize = 64 * 1024;

impl IpnProvider for GolomtEcommerce {
    /// A push is proof if its checksum is right and every field stands in its place. A browser return has no checksum,
    /// so that it only says where to look.
    fn verify(&self, delivery: &Delivery<'_>) -> Result<IpnEvent> {
        match delivery.channel {
            Channel::Notify => self.named(PUSH, self.push(delivery)),
            Channel::Return => self.named(RETURN, come_back(delivery)),
        }
    }

    /// What the bank expects is not documented; live clients answer 200 with a short text.
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

fn check_size(bytes: usize) -> Result<()> {
    if bytes > MOST {
        return Err(malformed(format!("it has {bytes} bytes; the bank's have a few hundred")));
    }
    Ok(())
}

impl GolomtEcommerce {
    fn push(&self, delivery: &Delivery<'_>) -> Result<IpnEvent> {
        if delivery.method != "POST" {
            return Err(malformed("the bank pushes by POST only").with_field("method"));
        }
        if !delivery.may_be_json() {
            return Err(malformed("the bank pushes application/json only").with_field("content-type"));
        }
        check_size(delivery.body.len())?;
        let body = delivery.body_text();
        let push = ResultDocument::read(body.as_bytes())?;
        let message = push.message();
        // The checksum first: who does not know the secret learns nothing else.
        let proof = message.prove(&self.keys, push.checksum.as_deref())?;
        let reference = MerchantRef::parse(message.transaction)
            .and_then(|reference| self.info.ref_rule.check(&reference).map(|()| reference))
            .map_err(|e| {
                let why = format!(
                    "{e}; it may hold parts of its neighbours, or be of a time before `reference_length`"
                );
                Error::new(ErrorKind::Untrusted, why).with_field("transactionId")
            })?;
        if message.code.is_none() {
            let why = "it is missing; the bank pushes results only";
            return Err(Error::new(ErrorKind::Untrusted, why).with_field("errorCode"));
        }
        let values = message.read()?;
        let saved_card = match (&proof, values.token) {
            (Proof::Signed(_), Some(token)) => Some(SavedCard::new(token, push.card.clone())),
            _ => None,
        };
        let mut event = IpnEvent::new(Subject::merchant(reference), proof, PUSH).with_claim(
            Some(values.status),
            values.amount,
            message.code,
        );
        event.saved_card = saved_card;
        event.text = push.text;
        event.card = push.card;
        Ok(event)
    }
}

/// The payer's browser: everything in it may have been changed or made up on the way.
fn come_back(delivery: &Delivery<'_>) -> Result<IpnEvent> {
    let encoded = match delivery.method {
        "POST" => delivery.body,
        "GET" => delivery.query.unwrap_or_default().as_bytes(),
        _ => return Err(malformed("payers come back by GET or POST").with_field("method")),
    };
    check_size(encoded.len())?;
    let fields = Fields::parse(encoded)?;
    if fields.get("invoice")?.is_some() {
        return read_return(&fields);
    }
    // How the bank joins its parameters to a callback that has some already is not documented. With a second `?` they
    // hang on the last value of the first ones.
    let joined: Vec<u8> = encoded.iter().map(|&b| if b == b'?' { b'&' } else { b }).collect();
    read_return(&Fields::parse(&joined)?)
}

fn read_return(fields: &Fields<'_>) -> Result<IpnEvent> {
    let filled = |name| fields.get(name).map(|value| value.filter(|value| !value.is_empty()));
    let reference = filled("invoice")?.ok_or_else(|| malformed("it is missing").with_field("invoice"))?;
    let reference = MerchantRef::parse(reference).map_err(|e| Error::from(e).with_field("invoice"))?;
    let code = filled("status_code")?.map(FreeText::from);
    let text = filled("desc")?.map(FreeText::from);
    let claimed = code.as_deref().map(|code| status::of_code(Some(code)));
    let proof = Proof::Hint(Voucher::None);
    let mut event =
        IpnEvent::new(Subject::merchant(reference), proof, RETURN).with_claim(claimed, None, code.as_deref());
    event.text = text;
    Ok(event)
}
