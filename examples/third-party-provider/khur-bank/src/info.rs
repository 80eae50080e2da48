//! Describes the abilities of the provider, and how well each operation is known.

use std::time::Duration;

use tulbur_core::{
    Ability, AccountName, Alphabet, Evidence, Flow, FlowEffect, FlowInfo, FlowStart, Language, Money,
    NotifyAddress, OperationInfo, Poll, ProofBy, ProviderId, ProviderInfo, QueryBy, RefRule, RefundPart,
    RefundRule, Way,
};

use crate::ID;
use crate::sign::{CURRENCY, REFERENCE};

/// A payment on the bank's page.
pub const FLOW_PAGE: Flow = Flow::new("page");
/// How long that page lives.
pub(crate) const PAGE: Duration = Duration::from_mins(15);

pub(crate) const INVOICE: &str = "create_invoice";
pub(crate) const QUERY: &str = "query";
pub(crate) const REFUND: &str = "refund";
pub(crate) const NOTIFY: &str = "notify";
pub(crate) const RETURN: &str = "return";

pub(crate) fn describe(account: AccountName) -> ProviderInfo {
    let id = ProviderId::parse(ID).expect("the constant is an id");
    let rule = RefRule::new(Alphabet::Alphanumeric, REFERENCE..=REFERENCE);
    let mut info = ProviderInfo::new(id, account, "Khur Bank", CURRENCY, rule);
    info.countries = vec!["MN".into()];
    info.languages = vec![Language::Mn, Language::En];
    info.ways = vec![Way::Page];
    info.notify = NotifyAddress::PerAccount;
    // 1.00 to 10000000.00
    info.amounts = Some(Money::from_minor(100, CURRENCY)..=Money::from_minor(1_000_000_000, CURRENCY));
    info.refunds = Some(RefundRule { part: RefundPart::Any, repeated: true, window: None });
    let one =
        |ability, name, wire, section| OperationInfo::new(ability, name, wire, Evidence::Documented, section);
    info.operations = vec![
        one(Ability::Invoice, INVOICE, "POST /v1/invoices", "BANK.md, 1"),
        one(Ability::Query, QUERY, "POST /v1/inquiry", "BANK.md, 1"),
        one(Ability::Refund, REFUND, "POST /v1/refunds", "BANK.md, 1"),
        one(Ability::Ipn, NOTIFY, "POST to the address registered with the bank", "BANK.md, 5"),
        one(Ability::Ipn, RETURN, "GET of the return address", "BANK.md, 6"),
    ];
    // ANCHOR: flow
    let start = FlowStart::Invoice(vec![Way::Page]);
    info.flows = vec![
        FlowInfo::new(FLOW_PAGE, start, FlowEffect::Inert, QueryBy::MerchantRef)
            .proof(ProofBy::QueryOrSignedIpn)
            .lifetime(Some(PAGE))
            .poll(Poll { first: Duration::from_secs(15), every: Duration::from_secs(10) }),
    ];
    // ANCHOR_END: flow
    info
}
