//! Describes the abilities of the provider, and how well each operation is known.

use std::time::Duration;

use tulbur_core::{
    Ability, AccountName, Alphabet, Evidence, Flow, FlowEffect, FlowInfo, FlowStart, NotifyAddress,
    OperationInfo, Poll, ProofBy, ProviderId, ProviderInfo, QueryBy, RefRule, RefundPart, RefundRule, Way,
};

use crate::ID;
use crate::config::GolomtInstoreConfig;
use crate::sign::CURRENCY;

/// An invoice that is sent to the payer's phone.
pub const FLOW_PHONE: Flow = Flow::new("phone");
/// A QR that the payer scans with SocialPay.
pub const FLOW_QR: Flow = Flow::new("qr");
/// A link that opens SocialPay on the payer's phone.
pub const FLOW_APP: Flow = Flow::new("app");

pub(crate) const PHONE: &str = "phone_invoice";
pub(crate) const QR: &str = "qr";
pub(crate) const DEEPLINK: &str = "qr_deeplink";
pub(crate) const CANCEL: &str = "cancel";
pub(crate) const CHECK: &str = "check";
pub(crate) const REFUND: &str = "refund";
pub(crate) const SETTLEMENT: &str = "settlement";
pub(crate) const PUSH: &str = "push";

/// The longest invoice number (page D-qr). Which characters it may have is unknown; letters and digits are what
/// R-erxes sends.
const LONGEST_REFERENCE: usize = 32;

/// The account's description.
pub(crate) fn describe(account: AccountName, config: &GolomtInstoreConfig) -> ProviderInfo {
    let id = ProviderId::parse(ID).expect("the constant is an id");
    let rule = RefRule::new(Alphabet::Alphanumeric, 1..=LONGEST_REFERENCE);
    let mut info = ProviderInfo::new(id, account, "Golomt Bank Instore (SocialPay)", CURRENCY, rule);
    info.countries = vec!["MN".into()];
    info.ways = vec![Way::Qr, Way::Phone, Way::App];
    info.notify = NotifyAddress::PerAccount;
    // Whether a part can be given back is unknown, and so is until when; so only what is sure to be meant is asked.
    info.refunds = Some(RefundRule { part: RefundPart::Whole, repeated: false, window: None });
    info.operations = operations();
    info.flows = flows(config.wait());
    info
}

fn operations() -> Vec<OperationInfo> {
    use Evidence::{Documented, Observed};
    let one = OperationInfo::new;
    vec![
        one(
            Ability::Invoice,
            PHONE,
            "POST /pos/invoice/phone",
            Observed,
            "R-erxes, R-fibo; a title in D-menu",
        ),
        one(
            Ability::Invoice,
            DEEPLINK,
            "POST /pos/invoice/qr/deeplink",
            Observed,
            "R-erxes; a title in D-menu",
        ),
        one(Ability::Qr, QR, "POST /pos/invoice/qr", Documented, "D-qr"),
        one(
            Ability::Cancel,
            CANCEL,
            "POST /pos/invoice/cancel",
            Observed,
            "R-erxes, R-fibo; a title in D-menu",
        ),
        one(Ability::Query, CHECK, "POST /pos/invoice/check", Observed, "R-erxes, R-fibo; a title in D-menu"),
        one(
            Ability::Refund,
            REFUND,
            "POST /pos/payment/cancel",
            Observed,
            "R-fibo, an old R-erxes, which signs in another order; a title in D-menu",
        ),
        one(
            Ability::Inherent,
            SETTLEMENT,
            "POST /pos/settlement",
            Observed,
            "R-fibo, which cannot have read its answer; a title in D-menu",
        ),
        one(
            Ability::Ipn,
            PUSH,
            "POST to the address agreed with the bank",
            Observed,
            "R-erxes; that its checksum is the check's is inferred; a title in D-menu",
        ),
    ]
}

fn flows(lifetime: Option<Duration>) -> Vec<FlowInfo> {
    let flow = |flow, way, effect| {
        FlowInfo::new(flow, FlowStart::Invoice(vec![way]), effect, QueryBy::MerchantRefAndAmount)
            // The push's checksum is inferred, and would not cover the result.
            .proof(ProofBy::Query)
            .lifetime(lifetime)
            // The bank's pace is unknown. A payer at the till looks at the display, so it is asked often, and less so
            // later.
            .poll(Poll { first: Duration::from_secs(5), every: Duration::from_secs(3) })
    };
    vec![
        flow(FLOW_QR, Way::Qr, FlowEffect::Inert),
        flow(FLOW_APP, Way::App, FlowEffect::Inert),
        // It is on the payer's phone whether or not its answer came.
        flow(FLOW_PHONE, Way::Phone, FlowEffect::MovesMoney),
    ]
}
