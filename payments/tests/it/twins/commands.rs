//! The commands: what is called, with small numbers instead of names, so that they meet and can be shrunk.

use proptest::collection::vec;
use proptest::prelude::*;
use tulbur_core::OperationState;
use tulbur_payments::Status;
use tulbur_payments::store::Verdict;

/// How many there are of each: few, so that commands meet.
pub(super) const ORDERS: usize = 4;
pub(super) const PAYMENTS: usize = 7;
pub(super) const OPERATIONS: usize = 5;
pub(super) const KEYS: usize = 4;
pub(super) const CARDS: usize = 4;
pub(super) const ITEMS: usize = 4;
pub(super) const HANDLERS: usize = 3;
pub(super) const ACCOUNTS: usize = 2;
pub(super) const PROVIDER_REFS: usize = 3;
pub(super) const REPEAT_KEYS: usize = 3;
pub(super) const MEANINGS: usize = 2;

/// One call, made by one of two processes after some time.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) second_process: bool,
    /// Milliseconds since the last one.
    pub(super) wait: i64,
    /// It is made at the very moment at which something is due next, if that is soon.
    pub(super) when_due: bool,
    pub(super) command: Command,
}

#[derive(Debug, Clone)]
pub(super) enum Command {
    Commit(Box<Plan>),
    /// Commits that one process makes at the same moment.
    Together(Vec<Plan>),
    TakeDue {
        lease: i64,
        limit: u32,
    },
    PutOff {
        payment: usize,
        version: Version,
        until: i64,
    },
    PutOffUnread {
        of: Unread,
        until: i64,
    },
    TakeOperations {
        lease: i64,
        limit: u32,
    },
    TakeKept {
        again: i64,
        limit: u32,
    },
    MakeAllDue,
    Clamp,
    Register(Vec<(usize, bool)>),
    See(Vec<usize>),
    Remove {
        handler: usize,
        heir: Option<usize>,
    },
    Backfill {
        handler: usize,
        from: i64,
    },
    Claim {
        wanted: Vec<(usize, u32)>,
        lease: i64,
    },
    Renew {
        claim: usize,
        lease: i64,
    },
    /// Settles claims at the same moment.
    Settle(Vec<(usize, How)>),
    Unpark {
        handler: usize,
        event: usize,
        at: i64,
    },
    Resolve(usize),
    ResealCard {
        card: usize,
        right: bool,
    },
    ResealInbox {
        entry: usize,
        right: bool,
    },
    Look(Look),
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Unread {
    Payment(usize),
    Operation(usize),
}

/// On which version something was decided, beside the stored one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Version {
    Current,
    Older,
    Newer,
}

/// What one commit changes.
#[derive(Debug, Clone, Default)]
pub(super) struct Plan {
    pub(super) orders: Vec<OrderChange>,
    pub(super) payments: Vec<PaymentChange>,
    pub(super) operations: Vec<OperationChange>,
    pub(super) keys: Vec<(usize, Subject)>,
    pub(super) freed: Vec<Subject>,
    pub(super) cards: Vec<usize>,
    pub(super) events: Vec<EventPlan>,
    pub(super) history: Vec<(Option<usize>, usize)>,
    pub(super) attention: Vec<(usize, EventPlan)>,
    pub(super) resolved: Vec<usize>,
    pub(super) inbox: Vec<Arrival>,
    pub(super) settled: Option<(usize, Verdict)>,
    pub(super) refused: Vec<(usize, i64)>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct OrderChange {
    pub(super) order: usize,
    pub(super) version: Version,
    pub(super) paid_by: Option<usize>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct PaymentChange {
    pub(super) payment: usize,
    pub(super) version: Version,
    /// Another state; none where only the next question is moved.
    pub(super) moved: Option<(Status, OperationState)>,
    pub(super) ask_in: Option<i64>,
    pub(super) lease: Lease,
    pub(super) provider_ref: Option<usize>,
    pub(super) paid: bool,
}

/// When a write is taken for abandoned, and when its lease ended.
#[derive(Debug, Clone, Copy)]
pub(super) enum Lease {
    None,
    Runs(i64),
    /// There is none any more, and when it ended is kept.
    Ended(i64),
}

#[derive(Debug, Clone, Copy)]
pub(super) struct OperationChange {
    pub(super) operation: usize,
    pub(super) version: Version,
    pub(super) state: OperationState,
    pub(super) due_in: Option<i64>,
    pub(super) lease: Lease,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Subject {
    Payment(usize),
    Operation(usize),
}

#[derive(Debug, Clone, Copy)]
pub(super) struct EventPlan {
    /// An event of this number is sent again; else it is a new one.
    pub(super) repeated: Option<usize>,
    pub(super) order: Option<usize>,
    pub(super) payment: Option<usize>,
    pub(super) paid: bool,
    pub(super) at: i64,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Arrival {
    pub(super) id: ArrivalId,
    pub(super) account: usize,
    pub(super) repeat_key: usize,
    pub(super) meaning: usize,
    pub(super) verdict: Verdict,
    pub(super) payment: Option<usize>,
    pub(super) provider_ref: usize,
    pub(super) due_in: i64,
    pub(super) at: i64,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum ArrivalId {
    Fresh,
    /// The very entry of this number comes once more, as when a commit is made again.
    Again(usize),
    /// Another delivery under an id that is already used: an error of the id source.
    Clash(usize),
}

#[derive(Debug, Clone, Copy)]
pub(super) enum How {
    Done,
    Again(i64),
    Parked,
    Released(i64),
    SetAside(i64, bool),
}

/// By what a payment is looked for.
#[derive(Debug, Clone, Copy)]
pub(super) enum By {
    Id,
    MerchantRef,
    SecretHash,
    ProviderRef(usize),
}

/// What is read.
#[derive(Debug, Clone)]
pub(super) enum Look {
    Order(usize),
    Orders(u32),
    Payment(usize, By),
    Payments {
        account: Option<usize>,
        status: Option<Status>,
        operation: Option<OperationState>,
        from: Option<i64>,
        before: Option<i64>,
        after: Option<usize>,
        limit: u32,
    },
    Operations(usize),
    Operation(usize),
    UnknownOperations(u32),
    Named(usize, By, u32),
    Key(usize),
    NextDue,
    Known {
        payment: usize,
        by: By,
        repeat_key: usize,
    },
    KeptFor {
        account: usize,
        provider_ref: usize,
    },
    Inbox(u32),
    InboxEntry(usize),
    History(usize),
    PaymentHistory(usize),
    Events(usize),
    Attention,
    Cards(usize),
    Card(usize),
    SealedCards(Option<usize>, u32),
    SealedInbox(Option<usize>, u32),
    WatchedAccounts,
    Stats,
    Handlers,
    NextDelivery(Vec<usize>),
    Deliveries(Option<usize>, usize),
    Parked(u32),
}

const STATES: [OperationState; 6] = [
    OperationState::Reserved,
    OperationState::Submitted,
    OperationState::Accepted,
    OperationState::Succeeded,
    OperationState::Refused,
    OperationState::Unknown,
];

fn status() -> impl Strategy<Value = Status> {
    prop_oneof![2 => Just(Status::Pending), 3 => proptest::sample::select(&Status::ALL[..])]
}

fn state() -> impl Strategy<Value = OperationState> {
    proptest::sample::select(&STATES[..])
}

fn version() -> impl Strategy<Value = Version> {
    prop_oneof![24 => Just(Version::Current), 1 => Just(Version::Older), 1 => Just(Version::Newer)]
}

/// Seconds from now, in milliseconds: few and whole ones, so that times meet; some far ahead, as by a wrong clock.
fn soon() -> impl Strategy<Value = i64> {
    prop_oneof![
        6 => proptest::sample::select(&[-1000, 0, 1000, 2000, 5000][..]),
        6 => (-5_i64..40).prop_map(|s| s * 1000),
        1 => (100_000_i64..400_000).prop_map(|s| s * 1000),
    ]
}

fn maybe<T: std::fmt::Debug + Clone>(one: impl Strategy<Value = T>) -> impl Strategy<Value = Option<T>> {
    proptest::option::of(one)
}

/// Often none, seldom several.
fn few<T: std::fmt::Debug + Clone + 'static>(
    one: impl Strategy<Value = T> + 'static,
) -> impl Strategy<Value = Vec<T>> {
    let one = one.boxed();
    prop_oneof![3 => Just(Vec::new()), 2 => vec(one, 1..4)]
}

fn lease() -> impl Strategy<Value = Lease> {
    prop_oneof![2 => Just(Lease::None), 2 => soon().prop_map(Lease::Runs), 1 => soon().prop_map(Lease::Ended)]
}

fn subject() -> impl Strategy<Value = Subject> {
    prop_oneof![(0..3_usize).prop_map(Subject::Payment), (0..2_usize).prop_map(Subject::Operation)]
}

fn verdict() -> impl Strategy<Value = Verdict> {
    prop_oneof![
        2 => Just(Verdict::Accepted),
        3 => Just(Verdict::Waiting),
        1 => Just(Verdict::UnknownPayment),
        1 => Just(Verdict::Contradiction),
    ]
}

fn event() -> impl Strategy<Value = EventPlan> {
    let again = prop_oneof![20 => Just(None), 1 => (0..20_usize).prop_map(Some)];
    let order = prop_oneof![3 => (0..ORDERS).prop_map(Some), 1 => Just(None)];
    (again, order, maybe(0..PAYMENTS), proptest::bool::weighted(0.2), 0..3_i64).prop_map(
        |(repeated, order, payment, paid, at)| EventPlan { repeated, order, payment, paid, at: at * 1000 },
    )
}

fn arrival() -> impl Strategy<Value = Arrival> {
    let id = prop_oneof![
        16 => Just(ArrivalId::Fresh),
        3 => (0..20_usize).prop_map(ArrivalId::Again),
        1 => (0..20_usize).prop_map(ArrivalId::Clash),
    ];
    let named = (0..ACCOUNTS, 0..REPEAT_KEYS, 0..MEANINGS, maybe(0..PAYMENTS), 0..PROVIDER_REFS);
    (id, named, verdict(), soon(), 0..3_i64).prop_map(|(id, named, verdict, due_in, at)| {
        let (account, repeat_key, meaning, payment, provider_ref) = named;
        let at = at * 1000;
        Arrival { id, account, repeat_key, meaning, verdict, payment, provider_ref, due_in, at }
    })
}

fn orders() -> impl Strategy<Value = Vec<OrderChange>> {
    few((0..ORDERS, version(), maybe(0..PAYMENTS)).prop_map(|(order, version, paid_by)| OrderChange {
        order,
        version,
        paid_by,
    }))
}

fn payments() -> impl Strategy<Value = Vec<PaymentChange>> {
    let moved = maybe((status(), state()));
    let provider_ref = maybe(0..PROVIDER_REFS);
    let change = (0..PAYMENTS, version(), moved, maybe(soon()), lease(), provider_ref, any::<bool>());
    few(change.prop_map(|(payment, version, moved, ask_in, lease, provider_ref, paid)| PaymentChange {
        payment,
        version,
        moved,
        ask_in,
        lease,
        provider_ref,
        paid,
    }))
}

fn operations() -> impl Strategy<Value = Vec<OperationChange>> {
    few((0..OPERATIONS, version(), state(), maybe(soon()), lease()).prop_map(
        |(operation, version, state, due_in, lease)| OperationChange {
            operation,
            version,
            state,
            due_in,
            lease,
        },
    ))
}

fn plan() -> impl Strategy<Value = Plan> {
    let records = (orders(), payments(), operations());
    let keys = (few((0..KEYS, subject())), few(subject()), few(0..CARDS));
    let told = (few(event()), few((maybe(0..ORDERS), 0..PAYMENTS)));
    let listed = (few((0..ITEMS, event())), few(0..ITEMS));
    let arrived = (few(arrival()), maybe((0..20_usize, verdict())), few((0..ACCOUNTS, -3..3_i64)));
    // Each part is there or not, so that a conflict in one does not stand in the way of all others.
    let parts = proptest::collection::vec(proptest::bool::weighted(0.4), 5);
    (records, keys, told, listed, arrived, parts).prop_map(|(records, keys, told, listed, arrived, parts)| {
        let mut plan = Plan::default();
        if parts[0] {
            (plan.orders, plan.payments, plan.operations) = records;
        }
        if parts[1] {
            (plan.keys, plan.freed, plan.cards) = keys;
        }
        if parts[2] {
            (plan.events, plan.history) = told;
        }
        if parts[3] {
            (plan.attention, plan.resolved) = listed;
        }
        if parts[4] {
            (plan.inbox, plan.settled, plan.refused) = arrived;
        }
        plan
    })
}

/// What may share a transaction without saying whose turn it is: see `Twins::together`.
fn independent() -> impl Strategy<Value = Plan> {
    (orders(), payments(), few(arrival()), few((0..ACCOUNTS, -3..3_i64))).prop_map(
        |(orders, payments, inbox, refused)| Plan { orders, payments, inbox, refused, ..Plan::default() },
    )
}

fn how() -> impl Strategy<Value = How> {
    prop_oneof![
        3 => Just(How::Done),
        2 => soon().prop_map(How::Again),
        2 => Just(How::Parked),
        1 => soon().prop_map(How::Released),
        1 => (soon(), any::<bool>()).prop_map(|(until, alone)| How::SetAside(until, alone)),
    ]
}

fn by() -> impl Strategy<Value = By> {
    prop_oneof![
        Just(By::Id),
        Just(By::MerchantRef),
        Just(By::SecretHash),
        (0..PROVIDER_REFS).prop_map(By::ProviderRef)
    ]
}

fn look() -> impl Strategy<Value = Look> {
    let limit = || prop_oneof![3 => 0..4_u32, 1 => Just(100)];
    let filter = (maybe(0..ACCOUNTS), maybe(status()), maybe(state()), maybe(soon()), maybe(soon()));
    let filtered = (filter, maybe(0..PAYMENTS), limit()).prop_map(|(filter, after, limit)| {
        let (account, status, operation, from, before) = filter;
        Look::Payments { account, status, operation, from, before, after, limit }
    });
    let records = prop_oneof![
        1 => (0..ORDERS).prop_map(Look::Order),
        1 => limit().prop_map(Look::Orders),
        1 => (0..PAYMENTS, by()).prop_map(|(payment, by)| Look::Payment(payment, by)),
        4 => filtered,
        1 => (0..PAYMENTS).prop_map(Look::Operations),
        1 => (0..OPERATIONS).prop_map(Look::Operation),
        1 => limit().prop_map(Look::UnknownOperations),
        1 => (0..PAYMENTS, by(), limit()).prop_map(|(payment, by, limit)| Look::Named(payment, by, limit)),
        1 => (0..KEYS).prop_map(Look::Key),
        2 => Just(Look::NextDue),
        1 => Just(Look::WatchedAccounts),
        2 => Just(Look::Stats),
        1 => (0..2_usize).prop_map(Look::Cards),
        1 => (0..CARDS).prop_map(Look::Card),
        1 => (maybe(0..CARDS), limit()).prop_map(|(after, limit)| Look::SealedCards(after, limit)),
    ];
    let arrived = prop_oneof![
        2 => (0..PAYMENTS, by(), 0..REPEAT_KEYS)
            .prop_map(|(payment, by, repeat_key)| Look::Known { payment, by, repeat_key }),
        1 => (0..ACCOUNTS, 0..PROVIDER_REFS)
            .prop_map(|(account, provider_ref)| Look::KeptFor { account, provider_ref }),
        1 => limit().prop_map(Look::Inbox),
        1 => (0..20_usize).prop_map(Look::InboxEntry),
        1 => (maybe(0..20_usize), limit()).prop_map(|(after, limit)| Look::SealedInbox(after, limit)),
    ];
    let told = prop_oneof![
        (0..ORDERS).prop_map(Look::History),
        (0..PAYMENTS).prop_map(Look::PaymentHistory),
        (0..ORDERS).prop_map(Look::Events),
        Just(Look::Attention),
        Just(Look::Handlers),
        vec(0..HANDLERS, 0..4).prop_map(Look::NextDelivery),
        (maybe(0..ORDERS), 0..PAYMENTS).prop_map(|(order, payment)| Look::Deliveries(order, payment)),
        limit().prop_map(Look::Parked),
    ];
    prop_oneof![2 => records, 1 => arrived, 1 => told]
}

fn ahead() -> impl Strategy<Value = i64> {
    prop_oneof![1 => proptest::sample::select(&[1000, 2000, 5000][..]), 1 => (1..30_i64).prop_map(|s| s * 1000)]
}

fn limit() -> impl Strategy<Value = u32> {
    prop_oneof![1 => 1..3_u32, 1 => Just(50)]
}

/// Any command; those of claims only where something can be claimed.
pub(super) fn step(has_handlers: bool) -> BoxedStrategy<Step> {
    let writes = prop_oneof![
        30 => plan().prop_map(|plan| Command::Commit(Box::new(plan))),
        4 => vec(independent(), 2..5).prop_map(Command::Together),
        1 => (0..ITEMS).prop_map(Command::Resolve),
        1 => (0..CARDS, any::<bool>()).prop_map(|(card, right)| Command::ResealCard { card, right }),
        1 => (0..20_usize, any::<bool>()).prop_map(|(entry, right)| Command::ResealInbox { entry, right }),
    ];
    let due = prop_oneof![
        6 => (ahead(), limit()).prop_map(|(lease, limit)| Command::TakeDue { lease, limit }),
        1 => (0..PAYMENTS, version(), soon())
            .prop_map(|(payment, version, until)| Command::PutOff { payment, version, until }),
        1 => ((0..PAYMENTS).prop_map(Unread::Payment), soon())
            .prop_map(|(of, until)| Command::PutOffUnread { of, until }),
        1 => ((0..OPERATIONS).prop_map(Unread::Operation), soon())
            .prop_map(|(of, until)| Command::PutOffUnread { of, until }),
        2 => (ahead(), limit()).prop_map(|(lease, limit)| Command::TakeOperations { lease, limit }),
        2 => (ahead(), limit()).prop_map(|(again, limit)| Command::TakeKept { again, limit }),
        1 => Just(Command::MakeAllDue),
        1 => Just(Command::Clamp),
    ];
    let register = vec((0..HANDLERS, proptest::bool::weighted(0.7)), 1..3).prop_map(Command::Register);
    let handlers = prop_oneof![
        2 => register,
        1 => vec(0..HANDLERS, 0..3).prop_map(Command::See),
        1 => (0..HANDLERS, maybe(0..HANDLERS)).prop_map(|(handler, heir)| Command::Remove { handler, heir }),
        1 => (0..HANDLERS, -60..1_i64)
            .prop_map(|(handler, from)| Command::Backfill { handler, from: from * 1000 }),
    ];
    let claims = prop_oneof![
        4 => (vec((0..HANDLERS, 1..4_u32), 1..4), ahead())
            .prop_map(|(wanted, lease)| Command::Claim { wanted, lease }),
        2 => (0..20_usize, soon()).prop_map(|(claim, lease)| Command::Renew { claim, lease }),
        4 => vec((0..20_usize, how()), 1..4).prop_map(Command::Settle),
        2 => (0..HANDLERS, 0..20_usize, soon())
            .prop_map(|(handler, event, at)| Command::Unpark { handler, event, at }),
    ];
    let command = if has_handlers {
        prop_oneof![10 => writes, 7 => due, 2 => handlers, 9 => claims, 9 => look().prop_map(Command::Look)]
            .boxed()
    } else {
        prop_oneof![10 => writes, 5 => due, 4 => handlers, 1 => claims, 5 => look().prop_map(Command::Look)]
            .boxed()
    };
    let wait = prop_oneof![
        4 => Just(0_i64),
        6 => proptest::sample::select(&[1000, 2000, 5000][..]),
        1 => (0..60_i64).prop_map(|s| s * 1000),
    ];
    (any::<bool>(), wait, proptest::bool::weighted(0.25), command)
        .prop_map(|(second_process, wait, when_due, command)| Step {
            second_process,
            wait,
            when_due,
            command,
        })
        .boxed()
}
