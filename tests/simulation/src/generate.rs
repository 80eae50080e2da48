//! Makes a story from a seed: some twenty orders, and a random subset of the faults.

use crate::fault::{Fault, Moment, Point, Rule};
use crate::random::Random;
use crate::story::{Action, Call, Database, Note, Process, Story};
use crate::units::{DAY, HOUR, MINUTE, Micros, SECOND};

mod plots;

/// Handlers of a complete process. The one with a tilde keeps no order.
const HANDLERS: [&str; 2] = ["ship", "mail~"];

struct Maker {
    random: Random,
    processes: usize,
    actions: Vec<(Micros, Action)>,
    rules: Vec<Rule>,
    payments: usize,
    operations: usize,
    /// Labels of payments, with whether South has them.
    labels: Vec<(String, bool, Micros)>,
}

/// The story of a seed.
pub fn generate(seed: u64) -> Story {
    let mut random = Random::new(seed);
    let processes = if random.percent(20) { 4 } else { 3 };
    let database = if random.percent(50) { Database::Sqlite } else { Database::Postgres };
    let mut maker = Maker {
        random,
        processes,
        actions: Vec::new(),
        rules: Vec::new(),
        payments: 0,
        operations: 0,
        labels: Vec::new(),
    };
    maker.plots(database);
    let mut order = 0;
    while maker.payments < 24 {
        order += 1;
        maker.order(&format!("o{order}"));
    }
    maker.process_faults();
    maker.database_faults();
    maker.bank_faults();
    maker.notification_faults();
    maker.handler_faults();
    maker.people();
    maker.actions.sort_by_key(|(at, _)| *at);
    let calm_at = 75 * MINUTE;
    let last = maker.actions.last().map_or(0, |(at, _)| *at);
    let handlers: Vec<String> = HANDLERS.iter().map(|name| (*name).to_owned()).collect();
    let names = ["A", "B", "C", "D"];
    Story {
        title: vec![format!("seed {seed}")],
        schedule: Some(seed),
        database,
        processes: names[..processes]
            .iter()
            .map(|name| Process { name: (*name).to_owned(), handlers: handlers.clone() })
            .collect(),
        calm_at,
        ends_at: last.max(calm_at) + DAY + 6 * HOUR,
        actions: maker.actions,
        rules: maker.rules,
        expects: Vec::new(),
    }
}

impl Maker {
    fn process(&mut self) -> usize {
        let count = u64::try_from(self.processes).unwrap_or(3);
        usize::try_from(self.random.below(count)).unwrap_or(0)
    }

    fn at(&mut self, at: Micros, action: Action) {
        self.actions.push((at, action));
    }

    /// A call at some process; now and then the caller calls again elsewhere.
    fn call(&mut self, at: Micros, call: &Call) {
        let process = self.process();
        self.at(at, Action::Call(process, call.clone()));
        if self.random.percent(12) {
            // As a customer who presses twice does, or one whose page did not come.
            let wait = if self.random.percent(40) { (0, SECOND / 20) } else { (SECOND / 10, 4 * MINUTE) };
            let (process, wait) = (self.process(), self.random.between(wait.0, wait.1));
            self.at(at + wait, Action::Call(process, call.clone()));
        }
    }

    fn soon(&mut self) -> Micros {
        self.random.between(5 * SECOND, 4 * MINUTE)
    }

    fn open(&mut self, at: Micros, order: &str, flow: &str, amount: i64) -> String {
        self.payments += 1;
        let label = format!("p{}", self.payments);
        self.labels.push((label.clone(), flow.starts_with('s'), at));
        let keyed = self.random.percent(50);
        let call = Call::Open { order: order.into(), flow: flow.into(), amount, label: label.clone(), keyed };
        self.call(at, &call);
        label
    }

    fn charge(&mut self, at: Micros, order: &str, amount: i64) -> String {
        self.payments += 1;
        let label = format!("p{}", self.payments);
        let account = *self.random.pick(&["north", "north", "south", "west"]);
        self.labels.push((label.clone(), account == "south", at));
        if self.random.percent(8) {
            self.at(at.saturating_sub(1), Action::Decline(label.clone()));
        }
        let keyed = self.random.percent(70);
        let call = Call::Charge {
            order: order.into(),
            account: account.into(),
            amount,
            label: label.clone(),
            keyed,
        };
        self.call(at, &call);
        label
    }

    fn operation(&mut self) -> String {
        self.operations += 1;
        format!("x{}", self.operations)
    }

    fn pay(&mut self, at: Micros, label: &str) {
        if self.random.percent(5) {
            self.at(at, Action::Decline(label.into()));
            if self.random.percent(50) {
                let again = at + self.soon();
                self.at(again, Action::Pay(label.into(), None));
            }
        }
        self.at(at, Action::Pay(label.into(), None));
    }

    /// Refunds of a payment: one or several, which together may ask for more than there is.
    fn refunds(&mut self, at: Micros, label: &str, amount: i64) {
        let mut at = at;
        for _ in 0..self.random.between(1, 4) {
            let part = match self.random.below(3) {
                0 => None,
                1 => Some(amount),
                _ => Some(amount / 2),
            };
            let name = self.operation();
            self.call(at, &Call::Refund { payment: label.into(), amount: part, label: name });
            at += self.random.between(SECOND / 100, 3 * MINUTE);
        }
    }

    fn held(&mut self, at: Micros, label: &str, amount: i64) {
        let name = self.operation();
        let part = match self.random.below(20) {
            0..=7 => Some(amount / 2),
            // More than is held.
            8 => Some(amount * 2),
            _ => None,
        };
        let call = if self.random.percent(80) {
            Call::Capture { payment: label.into(), amount: part, label: name }
        } else {
            Call::Void { payment: label.into(), label: name }
        };
        self.call(at, &call);
        if self.random.percent(15) {
            let name = self.operation();
            self.call(at + SECOND, &Call::Void { payment: label.into(), label: name });
        }
    }

    fn order(&mut self, order: &str) {
        let begin = self.random.between(SECOND, 30 * MINUTE);
        let amount = i64::try_from(self.random.between(1, 40)).unwrap_or(1) * 100;
        let (soon, later) = (self.soon(), self.soon());
        match self.random.below(12) {
            0..=2 => {
                let flow = *self.random.pick(&["page", "page", "spage", "wpage"]);
                let label = self.open(begin, order, flow, amount);
                self.pay(begin + soon, &label);
                if self.random.percent(70) {
                    self.refunds(begin + soon + later, &label, amount);
                }
            }
            3 => {
                let label = self.open(begin, order, "link", amount);
                if self.random.percent(70) {
                    self.pay(begin + soon, &label);
                }
            }
            4 => {
                let flow = *self.random.pick(&["hold", "shold", "whold"]);
                let label = self.open(begin, order, flow, amount);
                self.pay(begin + soon, &label);
                self.held(begin + soon + later, &label, amount);
                if self.random.percent(40) {
                    self.refunds(begin + soon + 2 * later, &label, amount / 2);
                }
            }
            5 | 6 => {
                let label = self.charge(begin, order, amount);
                if self.random.percent(60) {
                    self.refunds(begin + soon, &label, amount);
                }
            }
            7 => self.changes_their_mind(begin, order, amount),
            8 => {
                // Late money: nobody pays in time.
                let label = self.open(begin, order, "page", amount);
                let late = self.random.between(16 * MINUTE, 40 * MINUTE);
                self.pay(begin + late, &label);
            }
            9 => self.two_holds(begin, order, amount),
            10 => {
                // The first is charged, and then another way is tried.
                let first = self.charge(begin, order, amount);
                if self.random.percent(50) {
                    self.call(begin + soon / 2, &Call::Cancel { payment: first });
                }
                let second = self.open(begin + soon, order, "page", amount);
                self.pay(begin + soon + later, &second);
            }
            _ => {
                let label = self.open(begin, order, "spage", amount);
                let process = self.process();
                self.at(begin + soon, Action::Call(process, Call::Query { payment: label }));
            }
        }
    }

    /// A payment is cancelled, another is opened, and the payer may pay both.
    fn changes_their_mind(&mut self, begin: Micros, order: &str, amount: i64) {
        let flow = *self.random.pick(&["page", "spage", "page"]);
        let first = self.open(begin, order, flow, amount);
        let soon = self.soon();
        self.call(begin + soon, &Call::Cancel { payment: first.clone() });
        if self.random.percent(50) {
            let wait = self.soon();
            self.pay(begin + soon + wait, &first);
        }
        let again = begin + soon + self.random.between(SECOND, MINUTE);
        if self.random.percent(50) {
            let second = self.open(again, order, "page", amount);
            let wait = self.soon();
            self.pay(again + wait, &second);
        } else {
            self.charge(again, order, amount);
        }
    }

    /// Two attempts of one order hold money, and both are captured.
    fn two_holds(&mut self, begin: Micros, order: &str, amount: i64) {
        let first = self.open(begin, order, "hold", amount);
        let soon = self.soon();
        self.call(begin + soon, &Call::Cancel { payment: first.clone() });
        let second = self.open(begin + soon + MINUTE, order, "hold", amount);
        let wait = self.soon();
        self.pay(begin + soon + MINUTE + wait, &second);
        self.pay(begin + soon + MINUTE + wait / 2, &first);
        let capture = begin + soon + 2 * MINUTE + wait + MINUTE;
        let apart = if self.random.percent(70) { SECOND / 50 } else { 2 * MINUTE };
        for label in [first, second] {
            let (process, name) = (self.process(), self.operation());
            let shift = self.random.between(0, apart);
            let call = Call::Capture { payment: label, amount: None, label: name };
            self.at(capture + shift, Action::Call(process, call));
        }
    }

    fn rule(&mut self, point: Point, label: Option<&str>, most: u64, fault: Fault) {
        let nth = u32::try_from(self.random.between(1, most + 1)).unwrap_or(1);
        let label = label.map(str::to_owned);
        self.rules.push(Rule { who: None, point, label, subject: None, nth, fault });
    }

    /// A pause: mostly longer than every lease.
    fn pause_time(&mut self) -> Micros {
        match self.random.below(4) {
            0 => self.random.between(SECOND, MINUTE),
            1 => self.random.between(MINUTE, 5 * MINUTE),
            _ => self.random.between(3 * MINUTE, 20 * MINUTE),
        }
    }

    fn process_faults(&mut self) {
        let steps = [
            "reserve",
            "submit",
            "reserve-refund",
            "submit-refund",
            "reserve-capture",
            "submit-capture",
            "answer",
            "answer-refund",
            "notification",
        ];
        if self.random.percent(35) {
            for _ in 0..self.random.between(1, 4) {
                let (step, wait) = (*self.random.pick(&steps), self.pause_time());
                let when = if self.random.percent(70) { Moment::After } else { Moment::Before };
                self.rule(Point::Commit, Some(step), 8, Fault::Pause(wait, when));
            }
        }
        if self.random.percent(25) {
            for _ in 0..self.random.between(1, 3) {
                let (what, wait) =
                    (*self.random.pick(&["refund", "charge", "capture", "create"]), self.pause_time());
                self.rule(Point::Send, Some(what), 4, Fault::Pause(wait, Moment::Before));
            }
        }
        if self.random.percent(20) {
            let (what, wait) = (*self.random.pick(&["refund", "charge", "capture"]), self.pause_time());
            self.rule(Point::Bank, Some(what), 4, Fault::Pause(wait, Moment::After));
        }
        if self.random.percent(35) {
            for _ in 0..self.random.between(1, 4) {
                let step = *self.random.pick(&steps);
                let down = self.random.between(SECOND, 5 * MINUTE);
                self.rule(Point::Commit, Some(step), 8, Fault::Crash(down, Moment::After));
            }
        }
        if self.random.percent(20) {
            let claim =
                *self.random.pick(&["take-due", "claim-deliveries", "take-operations", "settle", "renew"]);
            let wait = self.pause_time();
            self.rule(Point::Claim, Some(claim), 60, Fault::Pause(wait, Moment::After));
        }
        self.deployments();
        self.clocks();
    }

    fn deployments(&mut self) {
        for (percent, handlers) in [(15, vec!["mail~"]), (12, vec!["ship2", "mail~"])] {
            if self.random.percent(percent) {
                let (process, at) = (self.process(), self.random.between(MINUTE, 20 * MINUTE));
                let handlers = handlers.iter().map(|name| (*name).to_owned()).collect();
                self.at(at, Action::Stop(process, 10 * SECOND));
                self.at(at + 11 * SECOND, Action::Start(process, handlers));
            }
        }
    }

    fn clocks(&mut self) {
        for sign in [1_i64, -1] {
            if self.random.percent(22) {
                let process = self.process();
                let off = match self.random.below(3) {
                    0 => self.random.between(2_000, 30_000),
                    1 => self.random.between(120_000, 400_000),
                    _ => self.random.between(3_600_000, 36_000_000),
                };
                let at = self.random.between(0, 15 * MINUTE);
                self.at(at, Action::Clock(process, sign * i64::try_from(off).unwrap_or(0)));
                if self.random.percent(60) {
                    let back = at + self.random.between(MINUTE, 20 * MINUTE);
                    self.at(back, Action::Clock(process, 0));
                }
            }
        }
        if self.random.percent(25) {
            // Often enough that some process waits for an answer just then.
            for _ in 0..60 {
                let (process, at) = (self.process(), self.random.between(0, 35 * MINUTE));
                let off = i64::try_from(self.random.between(0, 240_000)).unwrap_or(0) - 120_000;
                self.at(at, Action::Clock(process, off));
            }
        }
    }

    fn database_faults(&mut self) {
        let later = self.random.between(SECOND, 4 * MINUTE);
        let inside = self.random.between(2 * SECOND, 4 * MINUTE);
        for (percent, times, fault) in [
            (25, 4, Fault::Refuse),
            (25, 4, Fault::Lose),
            (20, 3, Fault::Later(later)),
            (15, 1, Fault::Pause(inside, Moment::Inside)),
        ] {
            if self.random.percent(percent) {
                for _ in 0..self.random.between(1, times + 1) {
                    self.rule(Point::Commit, None, 150, fault.clone());
                }
            }
        }
        if self.random.percent(20) {
            for _ in 0..3 {
                self.rule(Point::Claim, None, 300, Fault::Lose);
            }
        }
        if self.random.percent(15) {
            let (at, wait) =
                (self.random.between(MINUTE, 30 * MINUTE), self.random.between(SECOND, 3 * MINUTE));
            self.at(at, Action::Away(wait));
        }
    }

    fn bank_faults(&mut self) {
        let writes = ["create", "charge", "refund", "refund", "capture"];
        let late = self.random.between(2 * SECOND, 50 * SECOND);
        let arrive = self.random.between(31 * SECOND, 10 * MINUTE);
        let open = self.random.between(MINUTE, 40 * MINUTE);
        for (percent, fault) in [
            (20, Fault::NeverSent),
            (20, Fault::LoseRequest),
            (25, Fault::Lose),
            (15, Fault::Late(late)),
            (20, Fault::Cut),
            (15, Fault::ArriveLate(arrive)),
            (15, Fault::Refuse),
        ] {
            if self.random.percent(percent) {
                for _ in 0..self.random.between(1, 4) {
                    let what = *self.random.pick(&writes);
                    let point = if fault == Fault::NeverSent { Point::Send } else { Point::Bank };
                    self.rule(point, Some(what), 6, fault.clone());
                }
            }
        }
        if self.random.percent(20) {
            for _ in 0..2 {
                let what = *self.random.pick(&["charge", "charge", "capture"]);
                self.rule(Point::Bank, Some(what), 2, Fault::NotFinal(open));
            }
        }
        if self.random.percent(15) {
            let amount = i64::try_from(self.random.between(1, 40)).unwrap_or(1) * 100;
            let what = *self.random.pick(&["refund", "capture", "charge", "refund"]);
            self.rule(Point::Bank, Some(what), 3, Fault::Amount(amount));
        }
        if self.random.percent(15) {
            let (what, word) = *self.random.pick(&[
                ("query", "pending"),
                ("query", "notfound"),
                ("query", "declined"),
                ("charge", "declined"),
                ("refund", "pending"),
                ("capture", "pending"),
            ]);
            self.rule(Point::Bank, Some(what), 3, Fault::Say(word.into()));
        }
        if self.random.percent(20) {
            for _ in 0..6 {
                self.rule(Point::Bank, Some("query"), 20, Fault::Down);
            }
        }
        if self.random.percent(12) {
            self.rule(Point::Bank, Some("charge"), 2, Fault::Early);
        }
    }

    fn notification_faults(&mut self) {
        let late = self.random.between(MINUTE, 50 * MINUTE);
        let times = u32::try_from(self.random.between(2, 6)).unwrap_or(2);
        for (percent, count, fault) in [
            (25, 4, Fault::Drop),
            (20, 2, Fault::Delay(late)),
            (20, 2, Fault::Repeat(times)),
            (12, 1, Fault::Contradict),
        ] {
            if self.random.percent(percent) {
                for _ in 0..count {
                    self.rule(Point::Note, None, 10, fault.clone());
                }
            }
        }
        if self.random.percent(35) {
            self.rule(Point::Note, Some("hold"), 1, Fault::Delay(late));
        }
        if self.random.percent(20) {
            let south: Vec<String> =
                self.labels.iter().filter(|(_, south, _)| *south).map(|(label, ..)| label.clone()).collect();
            for flow in ["spage", "shold", "scharge", "wpage", "wcharge"] {
                if !south.is_empty() {
                    let other = self.random.pick(&south).clone();
                    self.rule(Point::Note, Some(flow), 1, Fault::Misdirect(other));
                }
            }
        }
        if self.random.percent(15) {
            for _ in 0..3 {
                let (label, _, at) = self.random.pick(&self.labels).clone();
                let note = Note {
                    payment: label,
                    status: "paid".into(),
                    amount: None,
                    address: None,
                    genuine: false,
                    event: None,
                    to: None,
                };
                let wait = self.soon();
                self.at(at + wait, Action::Notify(note));
            }
        }
        if self.random.percent(10) {
            let (at, count) = (self.random.between(MINUTE, 30 * MINUTE), self.random.between(10, 60));
            self.at(at, Action::Garbage(count));
        }
    }

    fn handler_faults(&mut self) {
        for (percent, count, fault) in [(20, 6, Fault::Fail), (16, 2, Fault::Hang), (12, 3, Fault::Panic)] {
            if self.random.percent(percent) {
                for _ in 0..count {
                    self.rule(Point::Handler, None, 40, fault.clone());
                }
            }
        }
    }

    fn people(&mut self) {
        if self.random.percent(20) {
            for _ in 0..4 {
                let (label, _, at) = self.random.pick(&self.labels).clone();
                let (process, wait) = (self.process(), self.random.between(5 * MINUTE, 40 * MINUTE));
                let yes = self.random.percent(50);
                let call = match self.random.below(4) {
                    0 => Call::DeclarePayment { payment: label, paid: yes },
                    1 => Call::DeclareOperations { payment: label, happened: yes },
                    2 => Call::Replay { payment: label },
                    _ => Call::Retry { payment: label },
                };
                self.at(at + wait, Action::Call(process, call));
            }
        }
        if self.random.percent(15) {
            // While it is still asked about, or when the questions have ended.
            let (from, until) =
                if self.random.percent(50) { (40 * MINUTE, 70 * MINUTE) } else { (8 * DAY, 9 * DAY) };
            for index in 0..self.labels.len() {
                let label = self.labels[index].0.clone();
                let (process, at) = (self.process(), self.random.between(from, until));
                self.at(at, Action::Call(process, Call::Resolve { payment: label }));
            }
        }
        if self.random.percent(30) {
            // Declarations about everything that is unknown: some of them are wrong.
            for index in 0..self.labels.len() {
                let label = self.labels[index].0.clone();
                let (process, at) = (self.process(), self.random.between(20 * MINUTE, 70 * MINUTE));
                let happened = self.random.percent(50);
                let call = if self.random.percent(50) {
                    Call::DeclareOperations { payment: label, happened }
                } else {
                    Call::DeclarePayment { payment: label, paid: happened }
                };
                self.at(at, Action::Call(process, call));
            }
        }
    }
}
