//! Describes the abilities of the provider, and how well each operation is known.

use std::time::Duration;

use tulbur_core::{
    Ability, AccountName, Alphabet, CaptureRule, Evidence, Flow, FlowEffect, FlowInfo, FlowStart, Language,
    NotifyAddress, OperationInfo, Poll, ProofBy, ProviderId, ProviderInfo, QueryBy, RefRule, RefundPart,
    RefundRule, Way,
};

use crate::ID;
use crate::config::GalaxyPayConfig;

/// A page on which the payer chooses how to pay.
pub const FLOW_OPTION: Flow = Flow::new("option");
/// A page of one method.
pub const FLOW_PAY: Flow = Flow::new("pay");
/// An international card whose money is held. A query cannot tell held money from taken money, so that it says
/// [`Authorized`](tulbur_core::PaymentStatus::Authorized) even after a capture: the capture's own answer proves that.
pub const FLOW_AUTHORIZE: Flow = Flow::new("authorize");
/// A QR.
pub const FLOW_QR: Flow = Flow::new("qr");
/// The modal checkout.
pub const FLOW_CHECKOUT: Flow = Flow::new("checkout");
/// A payment link.
pub const FLOW_LINK: Flow = Flow::new("link");
/// Charging a saved card, after which a page may follow.
pub const FLOW_TOKEN: Flow = Flow::new("token");
/// Charging a card without a page.
pub const FLOW_FAST: Flow = Flow::new("fast");
/// A card that the merchant collected (cargo feature `raw-card-data`).
pub const FLOW_CARD: Flow = Flow::new("card");

pub(crate) const PAY_WITH_OPTION: &str = "pay_with_option";
pub(crate) const PAY: &str = "pay";
pub(crate) const PAY_WITH_QR: &str = "pay_with_qr";
pub(crate) const CHECKOUT: &str = "checkout";
pub(crate) const CREATE_LINK: &str = "create_payment_link";
pub(crate) const QUERY: &str = "query";
pub(crate) const PAY_WITH_TOKEN: &str = "pay_with_token";
pub(crate) const FAST_PAY: &str = "fast_pay";
pub(crate) const REFUND: &str = "refund";
pub(crate) const CAPTURE: &str = "capture";
pub(crate) const VOID: &str = "void";
pub(crate) const DELETE_TOKEN: &str = "delete_token";
pub(crate) const QUERY_TOKENS: &str = "query_tokens";
pub(crate) const REMOVE_TOKEN: &str = "remove_token";
pub(crate) const CREATE_TOKEN: &str = "create_token";
pub(crate) const PAY_WITH_CARD: &str = "pay_with_card";
pub(crate) const IPN: &str = "ipn";
pub(crate) const RETURN: &str = "return";
pub(crate) const LINK_IPN: &str = "payment_link_ipn";

/// Refunds are made within a year (D: api-specification/management/refund-transaction).
const REFUND_WINDOW: Duration = Duration::from_hours(365 * 24);

/// The account's description.
pub(crate) fn describe(account: AccountName, config: &GalaxyPayConfig) -> ProviderInfo {
    let id = ProviderId::parse(ID).expect("the constant is an id");
    let rule = RefRule::new(Alphabet::Alphanumeric, 1..=50);
    let first = config.currencies.first().copied().unwrap_or(tulbur_core::Currency::VND);
    let mut info = ProviderInfo::new(id, account, "Galaxy Pay", first, rule);
    info.currencies.clone_from(&config.currencies);
    info.countries = vec!["VN".into()];
    info.languages = vec![Language::Vi, Language::En];
    info.ways = vec![Way::Page, Way::Qr];
    info.notify = NotifyAddress::PerPayment;
    info.saves_card_with_payment = true;
    info.refunds = Some(RefundRule { part: RefundPart::Any, repeated: true, window: Some(REFUND_WINDOW) });
    // Whether a part can be captured is unknown, and so is how long money is held.
    info.captures = config.accepts_inferred().then_some(CaptureRule { partial: false, window: None });
    info.operations = operations();
    info.flows = flows(config);
    info
}

/// Ability, name, what goes over the wire, how well that is known, and who says so.
const OPERATIONS: [(Ability, &str, &str, Evidence, &str); 19] = {
    use Evidence::{Documented, Inferred};
    [
        (
            Ability::Invoice,
            PAY_WITH_OPTION,
            "POST /api/v1/transaction/payWithOption",
            Documented,
            "G 2.5; D pay-with-option",
        ),
        (Ability::Invoice, PAY, "POST /api/v1/transaction/pay", Documented, "G 2.4; D pay"),
        (
            Ability::Invoice,
            CHECKOUT,
            "POST /api/v1/transaction/checkout",
            Documented,
            "D checkout-for-modal-checkout; the browser's side DOC",
        ),
        (
            Ability::Invoice,
            CREATE_LINK,
            "POST /api/v1/transaction/createPaymentLink",
            Documented,
            "D payment-link",
        ),
        (
            Ability::Qr,
            PAY_WITH_QR,
            "POST /api/v1/transaction/payWithQR",
            Documented,
            "D pay-with-qr; the answer's qrCode HPI, W24",
        ),
        (Ability::Query, QUERY, "POST /api/v1/transaction/query", Documented, "G 2.3; D query-transaction"),
        (Ability::Charge, PAY_WITH_TOKEN, "POST /api/v1/transaction/pay", Documented, "D pay-with-token"),
        (
            Ability::Charge,
            FAST_PAY,
            "POST /api/v1/transaction/pay",
            Documented,
            "D fast-pay; its answer is unknown",
        ),
        (Ability::Refund, REFUND, "POST /api/v1/transaction/refund", Documented, "D refund-transaction"),
        (
            Ability::Capture,
            CAPTURE,
            "POST /api/v1/transaction/capture",
            Inferred,
            "the path D capture-transaction; the fields are those of refund",
        ),
        (
            Ability::Void,
            VOID,
            "POST /api/v1/transaction/void",
            Inferred,
            "that it exists D management; path and fields are by analogy with refund",
        ),
        (
            Ability::Vault,
            DELETE_TOKEN,
            "POST /api/v1/tokenization/deleteToken",
            Documented,
            "D delete-token; W24",
        ),
        (
            Ability::Inherent,
            QUERY_TOKENS,
            "POST /api/v1/tokenization/queryTokens",
            Documented,
            "D query-tokens",
        ),
        (
            Ability::Inherent,
            REMOVE_TOKEN,
            "POST /api/v1/tokenization/removeToken",
            Inferred,
            "that it exists D, navigation; path and fields by analogy",
        ),
        (
            Ability::Inherent,
            CREATE_TOKEN,
            "POST /api/v1/tokenization/createToken",
            Documented,
            "D create-token; that the answer has `token` is inferred",
        ),
        (Ability::Inherent, PAY_WITH_CARD, "POST /api/v1/transaction/pay", Documented, "G 2.4.1; D pay"),
        (Ability::Ipn, IPN, "POST to ipnURL", Documented, "G 2.7; D result-and-ipn-callback"),
        (
            Ability::Ipn,
            RETURN,
            "GET or POST to successURL, failureURL or cancelURL",
            Documented,
            "G 2.6, 2.7",
        ),
        (
            Ability::Ipn,
            LINK_IPN,
            "POST to ipnURL",
            Documented,
            "D payment-link/ipn-callback; that it is signed like the other is inferred",
        ),
    ]
};

fn operations() -> Vec<OperationInfo> {
    let describe =
        |(ability, name, wire, evidence, source)| OperationInfo::new(ability, name, wire, evidence, source);
    OPERATIONS.into_iter().map(describe).collect()
}

fn flows(config: &GalaxyPayConfig) -> Vec<FlowInfo> {
    let page = Poll { first: Duration::from_secs(20), every: Duration::from_secs(10) };
    let direct = Poll { first: Duration::from_secs(5), every: Duration::from_secs(10) };
    // Asked by the gateway's own id only (G 2.3); what it answers about one that it does not know is unknown, and so
    // is how long a payer has.
    let asked = |flow, start, effect| {
        // Its signature is a hash that anybody can try salts against.
        FlowInfo::new(flow, start, effect, QueryBy::ProviderRef)
            .proof(ProofBy::QueryOrSignedIpn)
            .confirm_before_paid(config.confirm_before_paid)
    };
    let inert = |flow, start| asked(flow, start, FlowEffect::Inert).poll(page);
    let moving = |flow, start| asked(flow, start, FlowEffect::MovesMoney).poll(direct);
    let mut flows = vec![
        inert(FLOW_OPTION, FlowStart::Invoice(vec![Way::Page])),
        inert(FLOW_QR, FlowStart::Invoice(vec![Way::Qr])),
        inert(FLOW_PAY, FlowStart::Options),
    ];
    if config.accepts_inferred() {
        flows.push(inert(FLOW_AUTHORIZE, FlowStart::Options));
    }
    flows.extend([
        inert(FLOW_CHECKOUT, FlowStart::Options),
        FlowInfo::new(FLOW_LINK, FlowStart::Options, FlowEffect::Inert, QueryBy::Nothing)
            .proof(ProofBy::SignedIpn)
            .poll(page),
        moving(FLOW_TOKEN, FlowStart::Charge),
        moving(FLOW_FAST, FlowStart::Options),
        moving(FLOW_CARD, FlowStart::Options),
    ]);
    flows
}
