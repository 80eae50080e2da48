//! Describes the abilities and limits of a provider, which are known before there is a payment.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::evidence::Evidence;
use crate::money::{Currency, Money};
use crate::next::Language;
use crate::reference::{AccountName, Flow, ProviderId, RefRule};

/// An ability that a provider may have; each is a trait of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Ability {
    /// [`InvoiceProvider`](crate::InvoiceProvider).
    Invoice,
    /// [`QrProvider`](crate::QrProvider).
    Qr,
    /// [`QueryProvider`](crate::QueryProvider).
    Query,
    /// [`CancelProvider`](crate::CancelProvider).
    Cancel,
    /// [`CaptureProvider`](crate::CaptureProvider).
    Capture,
    /// [`VoidProvider`](crate::VoidProvider).
    Void,
    /// [`RefundProvider`](crate::RefundProvider).
    Refund,
    /// [`TokenizeProvider`](crate::TokenizeProvider).
    Tokenize,
    /// [`ChargeProvider`](crate::ChargeProvider).
    Charge,
    /// [`TokenVaultProvider`](crate::TokenVaultProvider).
    Vault,
    /// [`IpnProvider`](crate::IpnProvider).
    Ipn,
    /// An inherent method of the provider's own type: what is no payment, or only this provider has.
    Inherent,
}

impl Ability {
    /// The word that tables print.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Invoice => "invoice",
            Self::Qr => "qr",
            Self::Query => "query",
            Self::Cancel => "cancel",
            Self::Capture => "capture",
            Self::Void => "void",
            Self::Refund => "refund",
            Self::Tokenize => "tokenize",
            Self::Charge => "charge",
            Self::Vault => "vault",
            Self::Ipn => "ipn",
            Self::Inherent => "inherent",
        }
    }
}

/// One operation on the provider's wire, and how well it is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationInfo {
    /// The trait through which it is offered.
    pub ability: Ability,
    /// Its name, as errors, logs and metrics have it.
    pub name: String,
    /// Method and path, or how a message arrives.
    pub wire: String,
    /// How well path and required fields are known.
    pub evidence: Evidence,
    /// The document page or client that says so.
    pub source: String,
}

impl OperationInfo {
    /// Describes one operation.
    pub fn new(ability: Ability, name: &str, wire: &str, evidence: Evidence, source: &str) -> Self {
        Self { ability, name: name.into(), wire: wire.into(), evidence, source: source.into() }
    }
}

/// Whether starting this flow can take money by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FlowEffect {
    /// A page or QR that nobody has seen takes no money: if its answer is lost, a new one may be made.
    Inert,
    /// It may take money although its answer was lost.
    MovesMoney,
}

/// What a payment of this flow can be asked by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum QueryBy {
    /// Our own reference: askable even if the first answer was lost.
    MerchantRef,
    /// Our own reference together with the amount.
    MerchantRefAndAmount,
    /// The provider's reference: not askable if the first answer was lost.
    ProviderRef,
    /// Nothing: the provider offers no query for it.
    Nothing,
}

/// What it means that the provider does not know a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NotFound {
    /// No conclusion: it may still appear.
    ProvesNothing,
    /// After this long it never happened.
    ProvesAfter(Duration),
}

/// What proves that a payment of this flow was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProofBy {
    /// The answer to a query.
    Query,
    /// The answer to a query, or a notification whose checksum covers everything that matters.
    QueryOrSignedIpn,
    /// A notification alone; there is nothing to ask.
    SignedIpn,
}

/// When a payment of this flow is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Asking {
    /// By a schedule, from opening on.
    #[default]
    BySchedule,
    /// Not by a schedule, because the provider forbids it: when a hint comes, while somebody looks, and once when the
    /// payer's time is over.
    OnHint,
}

/// How often it makes sense to ask while somebody waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Poll {
    /// How long after opening the first question is worth asking.
    pub first: Duration,
    /// The least time between two questions about one payment.
    pub every: Duration,
}

/// How the payer pays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// On the provider's page.
    #[default]
    Page,
    /// By scanning a QR.
    Qr,
    /// By opening an app from a link.
    App,
    /// By approving on the phone whose number is given.
    Phone,
}

/// With which request a flow begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FlowStart {
    /// An invoice paid in one of these ways.
    Invoice(Vec<Way>),
    /// A card set-up.
    CardSetup,
    /// The charge of a saved card.
    Charge,
    /// A request whose options ask for it; the provider says which by
    /// [`flow_of_invoice`](crate::Provider::flow_of_invoice) and
    /// [`flow_of_charge`](crate::Provider::flow_of_charge).
    Options,
}

/// What is known of one flow before there is a payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FlowInfo {
    /// The flow.
    pub flow: Flow,
    /// With which request it begins. A payment is stored under its flow before the provider has answered.
    pub start: FlowStart,
    /// Whether starting it can take money by itself.
    pub effect: FlowEffect,
    /// What it can be asked by.
    pub query_by: QueryBy,
    /// What an unknown reference means.
    pub not_found: NotFound,
    /// What proves it.
    pub proof: ProofBy,
    /// How long a payer has; none if unknown.
    pub lifetime: Option<Duration>,
    /// When to ask.
    pub asking: Asking,
    /// How often to ask.
    pub poll: Poll,
    /// How long the write that starts it may take, with a login before it and every repeat. After that,
    /// the process that began it is taken for gone.
    pub write_within: Duration,
    /// How long after a notification said "paid" a query must have confirmed it. After that, a person looks.
    pub confirm_within: Duration,
    /// Whether "paid" by a notification counts only once a query has confirmed it: for schemes whose key somebody
    /// could guess. It makes no sense where nothing can be asked.
    pub confirm_before_paid: bool,
}

impl FlowInfo {
    /// How long a write may take if its flow says nothing else.
    pub const WRITE_WITHIN: Duration = Duration::from_mins(1);
    /// How long a confirmation may take if its flow says nothing else.
    pub const CONFIRM_WITHIN: Duration = Duration::from_hours(1);

    /// A flow of which only the least is known.
    ///
    /// An unknown reference proves nothing, a query is the only proof (or a signed notification, where nothing can be
    /// asked), it is asked about by a schedule, how long a payer has is unknown, the first question is worth asking after 15 seconds and the next ones
    /// every 10, a write may take [`WRITE_WITHIN`](Self::WRITE_WITHIN) and a confirmation
    /// [`CONFIRM_WITHIN`](Self::CONFIRM_WITHIN). Each of these has a setter.
    pub fn new(flow: Flow, start: FlowStart, effect: FlowEffect, query_by: QueryBy) -> Self {
        let proof = if query_by == QueryBy::Nothing { ProofBy::SignedIpn } else { ProofBy::Query };
        Self {
            flow,
            start,
            effect,
            query_by,
            not_found: NotFound::ProvesNothing,
            proof,
            lifetime: None,
            asking: Asking::BySchedule,
            poll: Poll { first: Duration::from_secs(15), every: Duration::from_secs(10) },
            write_within: Self::WRITE_WITHIN,
            confirm_within: Self::CONFIRM_WITHIN,
            confirm_before_paid: false,
        }
    }

    /// With what an unknown reference means.
    #[must_use]
    pub fn not_found(mut self, meaning: NotFound) -> Self {
        self.not_found = meaning;
        self
    }

    /// With what proves it.
    #[must_use]
    pub fn proof(mut self, proof: ProofBy) -> Self {
        self.proof = proof;
        self
    }

    /// With how long a payer has; none if unknown.
    #[must_use]
    pub fn lifetime(mut self, lifetime: Option<Duration>) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// With when to ask.
    #[must_use]
    pub fn asking(mut self, asking: Asking) -> Self {
        self.asking = asking;
        self
    }

    /// With how often to ask.
    #[must_use]
    pub fn poll(mut self, poll: Poll) -> Self {
        self.poll = poll;
        self
    }

    /// With how long the write that starts it may take.
    #[must_use]
    pub fn write_within(mut self, limit: Duration) -> Self {
        self.write_within = limit;
        self
    }

    /// With how long after a notification said "paid" a query must have confirmed it.
    #[must_use]
    pub fn confirm_within(mut self, limit: Duration) -> Self {
        self.confirm_within = limit;
        self
    }

    /// With whether "paid" by a notification counts only once a query has confirmed it.
    #[must_use]
    pub fn confirm_before_paid(mut self, wanted: bool) -> Self {
        self.confirm_before_paid = wanted;
        self
    }
}

/// What of a payment one refund can give back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RefundPart {
    /// Any amount up to what is left.
    Any,
    /// The whole payment.
    Whole,
    /// One whole part of a payment that came in parts ([`PaidPart`](crate::PaidPart)), where that part can be given back.
    WholePart,
}

/// Which text a provider takes as a description.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TextRule {
    /// The most characters.
    pub most: usize,
    /// Whether only ASCII is taken.
    pub ascii: bool,
}

impl TextRule {
    /// Any text of at most so many characters.
    pub fn new(most: usize) -> Self {
        Self { most, ascii: false }
    }

    /// Of ASCII characters only.
    #[must_use]
    pub fn ascii(mut self) -> Self {
        self.ascii = true;
        self
    }
}

/// What refunds an account can make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefundRule {
    /// What of a payment can be refunded at a time.
    pub part: RefundPart,
    /// Whether one payment can be refunded several times.
    pub repeated: bool,
    /// How long after the payment; none if unknown.
    pub window: Option<Duration>,
}

/// What captures an account can make of money that is held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaptureRule {
    /// Whether less than what is held can be taken.
    pub partial: bool,
    /// How long the money is held; none if unknown.
    pub window: Option<Duration>,
}

/// Where the provider learns the address of its notifications.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NotifyAddress {
    /// It sends none.
    None,
    /// One address is registered with the provider for the account.
    PerAccount,
    /// Each request names its own.
    PerPayment,
}

/// The least and the most that one payment may be.
pub type AmountRange = RangeInclusive<Money>;

/// What one account's provider is and can do.
///
/// Presence of an ability is not here: it is computed from the traits, so it cannot lie.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ProviderInfo {
    /// The provider's id.
    pub id: ProviderId,
    /// The account that it is configured under; the provider's id when it is only described.
    pub account: AccountName,
    /// The provider's name, for people.
    pub name: String,
    /// ISO 3166 codes of the countries it works in.
    pub countries: Vec<String>,
    /// The currencies it takes. A wire without a currency has the first.
    pub currencies: Vec<Currency>,
    /// The languages its pages have.
    pub languages: Vec<Language>,
    /// The ways to pay that it offers.
    pub ways: Vec<Way>,
    /// Its operations with their evidence.
    pub operations: Vec<OperationInfo>,
    /// Its flows.
    pub flows: Vec<FlowInfo>,
    /// Which references it takes.
    pub ref_rule: RefRule,
    /// The least and the most that one payment may be, where known.
    pub amounts: Option<AmountRange>,
    /// Which descriptions it takes, where known. A control character is never taken.
    pub description: Option<TextRule>,
    /// The most characters of a return or notification address, where known.
    pub longest_address: Option<usize>,
    /// What refunds it makes, if any.
    pub refunds: Option<RefundRule>,
    /// What captures it makes, if any.
    pub captures: Option<CaptureRule>,
    /// Where it learns the notification address.
    pub notify: NotifyAddress,
    /// Whether a payment can save the card on the way.
    pub saves_card_with_payment: bool,
    /// Whether a payer can pay one invoice in several movements of money ([`PaidPart`](crate::PaidPart)): then less than
    /// was asked for, and more, are things that happen.
    pub in_parts: bool,
}

impl ProviderInfo {
    /// The least that every provider says; the rest starts empty and is set by field.
    pub fn new(
        id: ProviderId,
        account: AccountName,
        name: &str,
        currency: Currency,
        ref_rule: RefRule,
    ) -> Self {
        Self {
            id,
            account,
            name: name.into(),
            countries: Vec::new(),
            currencies: vec![currency],
            languages: Vec::new(),
            ways: Vec::new(),
            operations: Vec::new(),
            flows: Vec::new(),
            ref_rule,
            amounts: None,
            description: None,
            longest_address: None,
            refunds: None,
            captures: None,
            notify: NotifyAddress::None,
            saves_card_with_payment: false,
            in_parts: false,
        }
    }

    /// The flow of invoices that are paid in this way.
    pub fn invoice_flow(&self, way: Way) -> Option<&FlowInfo> {
        self.flows.iter().find(|info| matches!(&info.start, FlowStart::Invoice(ways) if ways.contains(&way)))
    }

    /// The flow that begins so.
    pub fn flow_of(&self, start: &FlowStart) -> Option<&FlowInfo> {
        self.flows.iter().find(|info| info.start == *start)
    }

    /// What is known of a flow.
    pub fn flow(&self, flow: &Flow) -> Option<&FlowInfo> {
        self.flows.iter().find(|info| info.flow == *flow)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flow_begins_with_careful_defaults() {
        let flow =
            |query_by| FlowInfo::new(Flow::new("page"), FlowStart::Charge, FlowEffect::MovesMoney, query_by);
        let asked = flow(QueryBy::MerchantRef);
        assert_eq!((asked.proof, asked.not_found), (ProofBy::Query, NotFound::ProvesNothing));
        assert_eq!(
            (asked.write_within, asked.confirm_within),
            (FlowInfo::WRITE_WITHIN, FlowInfo::CONFIRM_WITHIN)
        );
        assert!(!asked.confirm_before_paid && asked.lifetime.is_none());
        assert_eq!(flow(QueryBy::Nothing).proof, ProofBy::SignedIpn);

        let seconds = Duration::from_secs;
        let set = asked
            .not_found(NotFound::ProvesAfter(seconds(1)))
            .proof(ProofBy::QueryOrSignedIpn)
            .lifetime(Some(seconds(2)))
            .poll(Poll { first: seconds(3), every: seconds(4) })
            .write_within(seconds(5))
            .confirm_within(seconds(6))
            .confirm_before_paid(true);
        assert_eq!(set.not_found, NotFound::ProvesAfter(seconds(1)));
        assert_eq!((set.proof, set.lifetime), (ProofBy::QueryOrSignedIpn, Some(seconds(2))));
        assert_eq!((set.poll.first, set.poll.every), (seconds(3), seconds(4)));
        assert_eq!((set.write_within, set.confirm_within), (seconds(5), seconds(6)));
        assert!(set.confirm_before_paid);
    }
}
