//! Reads the bank's notifications (BANK.md, section 5), and the return of the payer's browser (6).

use tulbur_core::wire::read;
use tulbur_core::{
    Channel, Delivery, Error, ErrorKind, IpnEvent, IpnOutcome, IpnProvider, MerchantRef, Proof, Reply,
    Result, Subject, Voucher,
};

use crate::client::KhurBank;
use crate::info::{NOTIFY, RETURN};
use crate::wire::Notification;
use crate::{sign, status};

/// Much more than any delivery of the bank has.
const MOST: usize = 16 * 1024;

impl IpnProvider for KhurBank {
    /// A notification is proof; a browser's return is not signed and only says where to look.
    fn verify(&self, delivery: &Delivery<'_>) -> Result<IpnEvent> {
        match delivery.channel {
            Channel::Notify => self.named(NOTIFY, self.notified(delivery)),
            Channel::Return => self.named(RETURN, returned(delivery)),
        }
    }

    fn acknowledge(&self, outcome: IpnOutcome<'_>) -> Reply {
        match outcome {
            IpnOutcome::Accepted
            | IpnOutcome::Repeat { .. }
            | IpnOutcome::UnknownPayment
            | IpnOutcome::Ignored => Reply::json(200, r#"{"received":true}"#),
            // Why stands in our log; a forger learns nothing.
            IpnOutcome::Rejected(_) => Reply::json(400, r#"{"received":false}"#),
            IpnOutcome::NotStored => Reply::json(503, r#"{"received":false}"#),
        }
    }
}

fn malformed(why: &str) -> Error {
    Error::new(ErrorKind::Malformed, why)
}

impl KhurBank {
    fn notified(&self, delivery: &Delivery<'_>) -> Result<IpnEvent> {
        if delivery.method != "POST" || delivery.body.len() > MOST {
            return Err(malformed("the bank notifies by POST, with a few hundred bytes"));
        }
        let sent: Notification = read(delivery.body)?;
        let values = [sent.reference.as_str(), &sent.result, &sent.amount];
        let proof = sign::prove(&self.keys, values, sent.checksum.as_deref())?;
        let (status, amount) = match &proof {
            Proof::Signed(facts) => (Some(facts.status), Some(facts.amount)),
            Proof::Hint(_) => (None, None),
        };
        let subject = Subject::merchant(MerchantRef::parse(sent.reference)?);
        Ok(IpnEvent::new(subject, proof, NOTIFY).with_claim(status, amount, Some(&sent.result)))
    }
}

fn returned(delivery: &Delivery<'_>) -> Result<IpnEvent> {
    if delivery.method != "GET" || delivery.query.is_some_and(|query| query.len() > MOST) {
        return Err(malformed("payers come back by GET"));
    }
    let fields = delivery.fields()?;
    let reference =
        fields.get("reference")?.ok_or_else(|| malformed("it is missing").with_field("reference"))?;
    let subject = Subject::merchant(MerchantRef::parse(reference)?);
    let result = fields.get("result")?.filter(|result| result.len() == 4);
    let event = IpnEvent::new(subject, Proof::Hint(Voucher::None), RETURN);
    Ok(event.with_claim(result.map(status::of_result), None, result))
}
