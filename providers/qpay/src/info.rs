//! Describes the abilities of the provider, and how well each operation is known.

use std::time::Duration;

use tulbur_core::{
    Ability, AccountName, Alphabet, Asking, Currency, Evidence, Flow, FlowEffect, FlowInfo, FlowStart,
    NotifyAddress, OperationInfo, Poll, ProviderId, ProviderInfo, QueryBy, RefRule, RefundPart, RefundRule,
    TextRule, Way,
};

use crate::ID;

/// The currency of every invoice. Other currencies stand in QPay's table (TBL), and no source shows one at work.
pub(crate) const CURRENCY: Currency = Currency::MNT;

/// An invoice, whether it is paid by its QR, in an app or through its short link.
pub const FLOW_INVOICE: Flow = Flow::new("invoice");

pub(crate) const LOGIN: &str = "login";
pub(crate) const REFRESH: &str = "refresh";
pub(crate) const CREATE_INVOICE: &str = "create_invoice";
pub(crate) const CHECK: &str = "check";
pub(crate) const READ_PAYMENT: &str = "read_payment";
pub(crate) const CANCEL: &str = "cancel_invoice";
pub(crate) const REFUND: &str = "refund";
pub(crate) const CANCEL_PAYMENT: &str = "cancel_payment";
pub(crate) const CREATE_RECEIPT: &str = "create_receipt";
pub(crate) const CANCEL_RECEIPT: &str = "cancel_receipt";
pub(crate) const CREATE_OLD_RECEIPT: &str = "create_old_receipt";
pub(crate) const READ_OLD_RECEIPT: &str = "read_old_receipt";
pub(crate) const CANCEL_OLD_RECEIPT: &str = "cancel_old_receipt";
pub(crate) const CALLBACK: &str = "callback";

/// The most characters of a description and of a callback's address (OAS).
pub(crate) const LONGEST_TEXT: usize = 255;

/// The account's description.
pub(crate) fn describe(account: AccountName) -> ProviderInfo {
    let id = ProviderId::parse(ID).expect("the constant is an id");
    // `sender_invoice_no` is a text of 45 (OAS); plain characters, because it stands in QR texts and links unescaped.
    let rule = RefRule::new(Alphabet::AlphanumericHyphen, 1..=45);
    let mut info = ProviderInfo::new(id, account, "QPay", CURRENCY, rule);
    info.countries = vec!["MN".into()];
    info.ways = vec![Way::Page, Way::Qr, Way::App];
    info.notify = NotifyAddress::PerPayment;
    info.in_parts = true;
    info.description = Some(TextRule::new(LONGEST_TEXT));
    info.longest_address = Some(LONGEST_TEXT);
    // Until when a card payment can be given back is unknown.
    info.refunds = Some(RefundRule { part: RefundPart::WholePart, repeated: true, window: None });
    info.operations = operations();
    info.flows = vec![flow()];
    info
}

/// Ability, name, what goes over the wire, how well that is known, and who says so.
const OPERATIONS: [(Ability, &str, &str, Evidence, &str); 15] = {
    use Evidence::{Documented, Inferred, Observed};
    [
        (Ability::Inherent, LOGIN, "POST /v2/auth/token", Documented, "OFF, OAS"),
        (Ability::Inherent, REFRESH, "POST /v2/auth/refresh", Documented, "OFF, OAS"),
        (Ability::Invoice, CREATE_INVOICE, "POST /v2/invoice", Documented, "OFF, OAS; the short link TPA"),
        (Ability::Qr, CREATE_INVOICE, "POST /v2/invoice", Documented, "OFF, OAS"),
        (
            Ability::Query,
            CHECK,
            "POST /v2/payment/check",
            Documented,
            "OAS, XLS; then `read_payment` for each row that is money",
        ),
        (Ability::Inherent, READ_PAYMENT, "GET /v2/payment/{payment_id}", Documented, "OAS, XLS"),
        (Ability::Cancel, CANCEL, "DELETE /v2/invoice/{invoice_id}", Documented, "OAS"),
        (
            Ability::Refund,
            REFUND,
            "DELETE /v2/payment/refund/{payment_id}",
            Documented,
            "OAS; what a success answers is inferred",
        ),
        (
            Ability::Inherent,
            CANCEL_PAYMENT,
            "DELETE /v2/payment/cancel/{payment_id}",
            Inferred,
            "the path OAS; how it differs from a refund is unknown",
        ),
        (Ability::Inherent, CREATE_RECEIPT, "POST /v2/ebarimt_v3/create", Documented, "XLS"),
        (Ability::Inherent, CANCEL_RECEIPT, "DELETE /v2/ebarimt_v3/{payment_id}", Documented, "XLS, TPA"),
        (Ability::Inherent, CREATE_OLD_RECEIPT, "POST /v2/ebarimt/create", Documented, "OAS"),
        (Ability::Inherent, READ_OLD_RECEIPT, "GET /v2/ebarimt/{receipt_id}", Documented, "OAS"),
        (Ability::Inherent, CANCEL_OLD_RECEIPT, "DELETE /v2/ebarimt/{receipt_id}", Documented, "OAS"),
        (Ability::Ipn, CALLBACK, "GET (or POST) to callback_url", Observed, "DOC, WC, QPL, QG"),
    ]
};

fn operations() -> Vec<OperationInfo> {
    let describe =
        |(ability, name, wire, evidence, source)| OperationInfo::new(ability, name, wire, evidence, source);
    OPERATIONS.into_iter().map(describe).collect()
}

/// How long a payer has is unknown, and so is what a check answers about an invoice that QPay does not know.
fn flow() -> FlowInfo {
    let start = FlowStart::Invoice(vec![Way::Page, Way::Qr, Way::App]);
    FlowInfo::new(FLOW_INVOICE, start, FlowEffect::Inert, QueryBy::ProviderRef)
        .asking(Asking::OnHint)
        .poll(Poll { first: Duration::from_secs(15), every: Duration::from_secs(15) })
}
