//! Describes the abilities of the provider, and how well each operation is known.

use std::time::Duration;

use tulbur_core::{
    Ability, AccountName, Alphabet, Evidence, Flow, FlowEffect, FlowInfo, FlowStart, Language, NotifyAddress,
    OperationInfo, Poll, ProofBy, ProviderId, ProviderInfo, QueryBy, RefRule, Way,
};

use crate::ID;
use crate::config::GolomtEcommerceConfig;
use crate::sign::CURRENCY;

/// A payment on one of the bank's pages.
pub const FLOW_PAGE: Flow = Flow::new("page");
/// Saving a card on the bank's page, without buying anything.
pub const FLOW_CARD_SETUP: Flow = Flow::new("card-setup");
/// Charging a saved card.
pub const FLOW_CHARGE: Flow = Flow::new("charge");

pub(crate) const CREATE_INVOICE: &str = "create_invoice";
pub(crate) const QUERY_PAGE: &str = "query";
pub(crate) const QUERY_CHARGE: &str = "query_charge";
pub(crate) const CREATE_CARD_SETUP: &str = "create_card_setup";
pub(crate) const READ_CARD_SETUP: &str = "read_card_setup";
pub(crate) const CHARGE: &str = "charge";
pub(crate) const SETTLEMENTS: &str = "settlements";
pub(crate) const PUSH: &str = "push";
pub(crate) const RETURN: &str = "return";

/// The account's description.
pub(crate) fn describe(account: AccountName, config: &GolomtEcommerceConfig) -> ProviderInfo {
    let id = ProviderId::parse(ID).expect("the constant is an id");
    let length = config.reference_length;
    let rule = RefRule::new(Alphabet::Alphanumeric, length..=length);
    let mut info = ProviderInfo::new(id, account, "Golomt Bank E-Commerce", CURRENCY, rule);
    info.countries = vec!["MN".into()];
    info.languages = vec![Language::Mn, Language::En];
    info.ways = vec![Way::Page, Way::App];
    info.notify = NotifyAddress::PerAccount;
    info.saves_card_with_payment = true;
    info.operations = operations();
    info.flows = flows(config.page_lifetime());
    info
}

fn operations() -> Vec<OperationInfo> {
    use Evidence::{Documented, Observed};
    let one = OperationInfo::new;
    vec![
        one(Ability::Invoice, CREATE_INVOICE, "POST /api/invoice", Documented, "D-invoice, D-sp"),
        one(Ability::Query, QUERY_PAGE, "POST /api/inquiry", Documented, "D-check"),
        one(Ability::Query, QUERY_CHARGE, "POST /api/check", Documented, "D-checktoken"),
        one(
            Ability::Tokenize,
            CREATE_CARD_SETUP,
            "POST /api/confirmation",
            Observed,
            "D-token; checksum as R-go2 and R-node have it",
        ),
        one(Ability::Tokenize, READ_CARD_SETUP, "POST /api/get/token", Observed, "R-mnpay, R-go2"),
        one(Ability::Charge, CHARGE, "POST /api/pay", Documented, "D-pay"),
        one(
            Ability::Inherent,
            SETTLEMENTS,
            "POST /api/getSettlementDetails",
            Documented,
            "D-settle; that it lists one card's payments is inferred",
        ),
        one(Ability::Ipn, PUSH, "POST to the address registered with the bank", Documented, "D-push"),
        one(Ability::Ipn, RETURN, "GET or POST to the callback", Documented, "D-redirect"),
    ]
}

fn flows(page: Duration) -> Vec<FlowInfo> {
    let flow = |flow, start, effect, first| {
        FlowInfo::new(flow, start, effect, QueryBy::MerchantRef)
            .poll(Poll { first: Duration::from_secs(first), every: Duration::from_secs(10) })
    };
    vec![
        flow(FLOW_PAGE, FlowStart::Invoice(vec![Way::Page, Way::App]), FlowEffect::Inert, 20)
            .proof(ProofBy::QueryOrSignedIpn)
            .lifetime(Some(page)),
        flow(FLOW_CARD_SETUP, FlowStart::CardSetup, FlowEffect::Inert, 20).lifetime(Some(page)),
        flow(FLOW_CHARGE, FlowStart::Charge, FlowEffect::MovesMoney, 5),
    ]
}
