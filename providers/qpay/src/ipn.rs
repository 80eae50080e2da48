//! Reads QPay's callback, and says what it is answered.
//!
//! A callback is signed by nobody and names neither a status nor an amount. It is a hint: the address that it came to
//! belongs to one payment and has a secret, and a question decides. Judged from its sources it is a GET; POST is taken
//! too, and the id is read from the query in both cases.

use tulbur_core::{
    Channel, Delivery, Error, ErrorKind, IpnEvent, IpnOutcome, IpnProvider, Proof, Reply, Result, Subject,
    Voucher,
};

use crate::client::{QPay, is_id};
use crate::info;

/// The only parameter that is QPay's (DOC, WC, QPL, QG). A `payment_id` beside it is the merchant's own.
pub(crate) const PARAMETER: &str = "qpay_payment_id";

/// The only answer that QPay takes as a receipt (XLS via QG, TP, QC, TPA).
const SUCCESS: &str = "SUCCESS";

impl IpnProvider for QPay {
    /// A hint with an event of its own for each payment id, so that a second payment for one invoice is no repeat of
    /// the first. The body is not read.
    fn verify(&self, delivery: &Delivery<'_>) -> Result<IpnEvent> {
        self.named(info::CALLBACK, read(delivery))
    }

    /// `SUCCESS` only where nothing is lost by it. For all else QPay may call again; whether it does is unknown.
    fn acknowledge(&self, outcome: IpnOutcome<'_>) -> Reply {
        match outcome {
            IpnOutcome::Accepted | IpnOutcome::Repeat { .. } | IpnOutcome::Ignored => {
                Reply::text(200, SUCCESS)
            }
            IpnOutcome::UnknownPayment => Reply::text(404, "Unknown payment"),
            IpnOutcome::Rejected(_) => Reply::text(400, "Rejected"),
            IpnOutcome::NotStored => Reply::text(503, "Not stored"),
        }
    }
}

fn read(delivery: &Delivery<'_>) -> Result<IpnEvent> {
    let malformed = |field, why: &str| Error::new(ErrorKind::Malformed, why).with_field(field);
    if delivery.channel != Channel::Notify {
        let why = "QPay sends no payer back; callbacks go to the notification address";
        return Err(Error::new(ErrorKind::Unsupported, why));
    }
    if !matches!(delivery.method, "GET" | "POST") {
        return Err(malformed("method", "QPay calls by GET, or by POST"));
    }
    let fields = delivery.query_fields()?;
    let id = fields.needed(PARAMETER)?;
    if !is_id(id) {
        return Err(malformed(PARAMETER, "it is no id of a payment"));
    }
    Ok(IpnEvent::new(Subject::default(), Proof::Hint(Voucher::Address), id))
}
