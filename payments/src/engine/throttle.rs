//! Limits how fast one account is asked, and stops asking while the account fails.
//!
//! Every question to a provider passes the [`Gate`] of its account. Nothing else does: opening, charging and refunding
//! are the application's decision and are never held back here.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tulbur_core::{AccountName, ErrorKind, Monotonic, Timestamp};

use crate::metrics;

/// How many questions this process asks one account, and when it stops asking.
///
/// No provider's documents state a limit, so the defaults are our own: far above what a shop needs, and far below what
/// would look like an attack. Several processes on one database each have this pace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pace {
    /// Questions in a second, on average.
    pub per_second: u32,
    /// Questions that may follow each other without a pause, after a quiet time.
    pub burst: u32,
    /// Questions whose answers are waited for at one time.
    pub at_once: u32,
    /// After so many failures in a row the account is left in peace. A failure is no answer, or one that says that the
    /// provider is broken or was asked too often; several about one payment count once.
    pub failures: u32,
    /// How long it is left in peace the first time. Then one question is asked; if that fails too, twice as long.
    pub first_rest: Duration,
    /// The longest such time.
    pub longest_rest: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            per_second: 20,
            burst: 60,
            at_once: 16,
            failures: 5,
            first_rest: Duration::from_secs(5),
            longest_rest: Duration::from_mins(1),
        }
    }
}

impl Pace {
    /// With this many questions in a second, and three times as many after a quiet time.
    #[must_use]
    pub fn per_second(mut self, questions: u32) -> Self {
        self.per_second = questions.max(1);
        self.burst = self.per_second.saturating_mul(3);
        self
    }

    /// With this many answers waited for at one time.
    #[must_use]
    pub fn at_once(mut self, questions: u32) -> Self {
        self.at_once = questions.max(1);
        self
    }

    /// Left in peace after so many failures, for this long at first and at most.
    #[must_use]
    pub fn rest(mut self, failures: u32, first: Duration, longest: Duration) -> Self {
        (self.failures, self.first_rest, self.longest_rest) = (failures.max(1), first, longest.max(first));
        self
    }

    /// Microseconds between two questions.
    fn interval(&self) -> i64 {
        1_000_000 / i64::from(self.per_second.max(1))
    }
}

/// Whether an account is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CircuitState {
    /// It is.
    Closed,
    /// It failed too often and is left in peace until then.
    Open {
        /// When one question is tried again.
        until: Timestamp,
    },
    /// One question is tried.
    Probing,
}

impl CircuitState {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open { .. } => "open",
            Self::Probing => "probing",
        }
    }
}

/// How this process gets on with one account.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AccountState {
    /// The account.
    pub account: AccountName,
    /// Whether it is asked.
    pub circuit: CircuitState,
    /// Failures since the last answer.
    pub failures: u32,
    /// Questions whose answers are waited for.
    pub asking: u32,
    /// The last failure, and when.
    pub last_failure: Option<(Timestamp, ErrorKind)>,
    /// Its pace.
    pub pace: Pace,
}

/// Makes a gate for each account.
pub(crate) fn gates<'a>(
    accounts: impl Iterator<Item = &'a AccountName>,
    pace: Pace,
    own: &BTreeMap<AccountName, Pace>,
) -> BTreeMap<AccountName, Gate> {
    accounts
        .map(|account| {
            let pace = own.get(account).copied().unwrap_or(pace);
            metrics::circuit(account.as_str(), false);
            (account.clone(), Gate::new(account.as_str(), pace))
        })
        .collect()
}

/// Lets questions through, or says when to come again.
#[derive(Debug)]
pub(crate) struct Gate {
    name: String,
    pace: Pace,
    state: Mutex<State>,
}

/// [`CircuitState`], by this process's own time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Circuit {
    Closed,
    Open { until: Monotonic },
    Probing,
}

#[derive(Debug)]
struct State {
    circuit: Circuit,
    rest: Duration,
    failures: u32,
    /// What the last failure was about.
    failed: Option<String>,
    last_failure: Option<(Monotonic, ErrorKind)>,
    asking: u32,
    /// When the next question would be due at a steady pace, in microseconds.
    due: i64,
    /// When the last of those who were put off comes again, in microseconds.
    queue: i64,
}

/// Why a question has to wait, and until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PutOff {
    pub(crate) why: &'static str,
    pub(crate) until: Monotonic,
}

/// Leave to ask one question. What came of it is said by [`Permit::answered`] or [`Permit::failed`]; a permit that is
/// dropped without a word was not used.
#[derive(Debug)]
pub(crate) struct Permit<'a> {
    gate: &'a Gate,
    probe: bool,
    done: bool,
}

impl Gate {
    pub(crate) fn new(name: &str, pace: Pace) -> Self {
        let state = State {
            circuit: Circuit::Closed,
            rest: pace.first_rest,
            failures: 0,
            failed: None,
            last_failure: None,
            asking: 0,
            due: i64::MIN,
            queue: i64::MIN,
        };
        Self { name: name.to_owned(), pace, state: Mutex::new(state) }
    }

    /// Leave to ask now, or when to come again. Those who are put off are given different times, in turn.
    pub(crate) fn enter(&self, now: Monotonic) -> Result<Permit<'_>, PutOff> {
        let mut state = self.lock();
        let micros = micros(now);
        let probe = match state.circuit {
            Circuit::Open { until } if now < until => {
                return Err(state.put_off(
                    "circuit",
                    self.pace.interval(),
                    crate::engine::throttle::micros(until),
                ));
            }
            Circuit::Probing => {
                let later = micros.saturating_add(1_000_000);
                return Err(state.put_off("circuit", self.pace.interval(), later));
            }
            Circuit::Open { .. } => true,
            Circuit::Closed => false,
        };
        if state.asking >= self.pace.at_once {
            return Err(state.put_off("concurrency", self.pace.interval(), micros));
        }
        let credit = self.pace.interval().saturating_mul(i64::from(self.pace.burst.saturating_sub(1)));
        let free = state.due.saturating_sub(credit);
        if micros < free {
            return Err(state.put_off("rate", self.pace.interval(), free));
        }
        if probe {
            state.circuit = Circuit::Probing;
        }
        Ok(self.let_in(&mut state, micros, probe))
    }

    /// Leave to ask now, whatever the pace: a person or the application insists. It counts all the same.
    pub(crate) fn enter_anyway(&self, now: Monotonic) -> Permit<'_> {
        let mut state = self.lock();
        self.let_in(&mut state, micros(now), false)
    }

    fn let_in(&self, state: &mut State, micros: i64, probe: bool) -> Permit<'_> {
        state.due = state.due.max(micros).saturating_add(self.pace.interval());
        state.asking += 1;
        Permit { gate: self, probe, done: false }
    }

    /// For a person: `reading` and `now` are the same moment, by this process's time and by the time that counts.
    pub(crate) fn state_of(&self, account: &AccountName, reading: Monotonic, now: Timestamp) -> AccountState {
        let state = self.lock();
        let circuit = match state.circuit {
            Circuit::Closed => CircuitState::Closed,
            Circuit::Open { until } => CircuitState::Open { until: now.after(until.since(reading)) },
            Circuit::Probing => CircuitState::Probing,
        };
        AccountState {
            account: account.clone(),
            circuit,
            failures: state.failures,
            asking: state.asking,
            last_failure: state.last_failure.map(|(at, kind)| (now.before(reading.since(at)), kind)),
            pace: self.pace,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn put_off(&mut self, why: &'static str, interval: i64, not_before: i64) -> PutOff {
        self.queue = self.queue.max(not_before).saturating_add(interval);
        PutOff {
            why,
            until: Monotonic::from_millis(u64::try_from(self.queue.saturating_add(999) / 1000).unwrap_or(0)),
        }
    }

    fn open(&mut self, until: Monotonic) {
        self.circuit = Circuit::Open { until };
        // Who comes while it is open is spread over the time after it, not behind all who came before.
        self.queue = micros(until);
    }
}

impl Permit<'_> {
    /// The provider answered, whatever it said.
    pub(crate) fn answered(mut self) {
        self.done = true;
        let mut state = self.gate.lock();
        (state.failures, state.failed, state.rest) = (0, None, self.gate.pace.first_rest);
        if state.circuit != Circuit::Closed {
            state.circuit = Circuit::Closed;
            drop(state);
            metrics::circuit(&self.gate.name, false);
            tracing::info!(account = self.gate.name, "it answers again; the circuit is closed");
        }
    }

    /// There was no answer, or one that says that the provider cannot answer now.
    pub(crate) fn failed(mut self, now: Monotonic, about: &str, kind: ErrorKind) {
        self.done = true;
        let pace = self.gate.pace;
        let mut state = self.gate.lock();
        state.last_failure = Some((now, kind));
        // One payment that the provider cannot tell about is no reason to stop asking about the others.
        if state.failed.as_deref() != Some(about) {
            state.failures = state.failures.saturating_add(1);
            state.failed = Some(about.to_owned());
        }
        let opens = self.probe || (state.circuit == Circuit::Closed && state.failures >= pace.failures);
        if !opens {
            return;
        }
        let rest = state.rest;
        state.open(now.after(rest));
        state.rest = rest.saturating_mul(2).min(pace.longest_rest);
        drop(state);
        metrics::circuit(&self.gate.name, true);
        tracing::warn!(
            account = self.gate.name,
            %kind,
            rest_seconds = rest.as_secs(),
            "it does not answer; the circuit is open and what is for it waits"
        );
    }

    /// As the error says: some are answers.
    pub(crate) fn ended(self, now: Monotonic, about: &str, failure: Option<ErrorKind>) {
        match failure {
            Some(kind @ (ErrorKind::Unavailable | ErrorKind::Timeout | ErrorKind::RateLimited)) => {
                self.failed(now, about, kind);
            }
            _ => self.answered(),
        }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let mut state = self.gate.lock();
        state.asking = state.asking.saturating_sub(1);
        if self.probe && !self.done && state.circuit == Circuit::Probing {
            // Nobody learnt anything: the next one tries.
            state.circuit = Circuit::Open { until: Monotonic::from_millis(0) };
        }
    }
}

fn micros(at: Monotonic) -> i64 {
    i64::try_from(at.as_millis()).unwrap_or(i64::MAX).saturating_mul(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Monotonic {
        Monotonic::from_millis(1_800_000_000 + millis)
    }

    fn gate(pace: Pace) -> Gate {
        Gate::new("bank", pace)
    }

    fn fail(gate: &Gate, now: Monotonic, about: &str) {
        gate.enter(now).unwrap().failed(now, about, ErrorKind::Timeout);
    }

    fn put_off(gate: &Gate, now: Monotonic) -> PutOff {
        gate.enter(now).map(|_| ()).expect_err("it is put off")
    }

    fn circuit(gate: &Gate) -> Circuit {
        gate.lock().circuit
    }

    #[test]
    fn a_burst_and_then_a_steady_pace() {
        let gate = gate(Pace::default().per_second(10));
        for _ in 0..30 {
            gate.enter(at(0)).unwrap().answered();
        }
        let late: Vec<_> = (0..3).map(|_| put_off(&gate, at(0))).collect();
        assert_eq!(late.iter().map(|late| late.until).collect::<Vec<_>>(), [at(200), at(300), at(400)]);
        assert!(late.iter().all(|late| late.why == "rate"));
        assert!(gate.enter(at(99)).is_err());
        let mut asked = 0;
        for millis in 100..10_100 {
            if let Ok(permit) = gate.enter(at(millis)) {
                permit.answered();
                asked += 1;
            }
        }
        assert_eq!(asked, 100, "ten a second");
    }

    #[test]
    fn who_is_put_off_comes_at_the_pace() {
        let gate = gate(Pace::default().per_second(10));
        let mut due: Vec<Monotonic> = vec![at(0); 500];
        let mut asked = Vec::new();
        for millis in 0..60_000 {
            for payment in &mut due {
                if *payment == at(millis) {
                    match gate.enter(at(millis)) {
                        Ok(permit) => {
                            permit.answered();
                            asked.push(millis);
                        }
                        Err(late) => *payment = late.until,
                    }
                }
            }
        }
        assert_eq!(asked.len(), 500, "everybody was asked about");
        assert!(*asked.last().unwrap() <= 50_000, "and nobody waited longer than the pace asks for");
    }

    #[test]
    fn so_many_at_once() {
        let gate = gate(Pace::default().at_once(2));
        let first = gate.enter(at(0)).unwrap();
        let second = gate.enter(at(0)).unwrap();
        assert_eq!(put_off(&gate, at(0)).why, "concurrency");
        drop(first);
        let third = gate.enter(at(0)).unwrap();
        assert!(gate.enter(at(0)).is_err());
        second.answered();
        third.answered();
        assert_eq!(gate.lock().asking, 0);
    }

    #[test]
    fn the_circuit_opens_rests_probes_and_closes() {
        let second = Duration::from_secs(1);
        let gate = gate(Pace::default().rest(3, 5 * second, 12 * second));
        for about in ["a", "b"] {
            fail(&gate, at(0), about);
        }
        gate.enter(at(0)).unwrap().answered();
        for about in ["a", "b"] {
            fail(&gate, at(0), about);
        }
        assert_eq!(circuit(&gate), Circuit::Closed, "an answer begins the count anew");
        fail(&gate, at(0), "c");
        assert_eq!(circuit(&gate), Circuit::Open { until: at(5000) });
        assert_eq!(put_off(&gate, at(4999)).why, "circuit");
        assert!(put_off(&gate, at(4999)).until > at(5000));

        let probe = gate.enter(at(5000)).unwrap();
        assert_eq!(circuit(&gate), Circuit::Probing);
        assert_eq!(put_off(&gate, at(5000)).why, "circuit");
        probe.failed(at(5000), "a", ErrorKind::Unavailable);
        assert_eq!(circuit(&gate), Circuit::Open { until: at(15_000) }, "twice as long");
        fail(&gate, at(15_000), "b");
        assert_eq!(circuit(&gate), Circuit::Open { until: at(27_000) }, "and then the longest");

        drop(gate.enter(at(27_000)).unwrap());
        let probe = gate.enter(at(27_000)).expect("a probe that was given up leaves its place to another");
        probe.answered();
        assert_eq!(circuit(&gate), Circuit::Closed);
        for about in ["a", "b", "c"] {
            fail(&gate, at(27_000), about);
        }
        assert_eq!(circuit(&gate), Circuit::Open { until: at(32_000) }, "the first rest again");
    }

    #[test]
    fn one_payment_alone_opens_nothing_and_what_is_an_answer_closes() {
        let gate = gate(Pace::default());
        for _ in 0..50 {
            gate.enter_anyway(at(0)).failed(at(0), "poison", ErrorKind::Timeout);
        }
        assert_eq!(circuit(&gate), Circuit::Closed);
        for kind in [ErrorKind::NotFound, ErrorKind::Untrusted, ErrorKind::Malformed, ErrorKind::Rejected] {
            gate.enter_anyway(at(0)).ended(at(0), "a", Some(ErrorKind::Timeout));
            gate.enter_anyway(at(0)).ended(at(0), "b", Some(kind));
            assert_eq!(gate.lock().failures, 0);
        }
        for kind in [ErrorKind::Unavailable, ErrorKind::Timeout, ErrorKind::RateLimited] {
            gate.enter_anyway(at(0)).ended(at(0), kind.to_string().as_str(), Some(kind));
        }
        assert_eq!(gate.lock().failures, 3);
    }
}
