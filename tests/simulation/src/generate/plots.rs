//! Plots: circumstances that are too seldom where everything is left to chance, each with orders of its own.

use super::Maker;
use crate::fault::{Fault, Moment, Point, Rule};
use crate::story::{Action, Call, Database, Note};
use crate::units::{HOUR, MINUTE, Micros, SECOND};

/// What is made of an order with this label and amount, from this time on.
type Plot = fn(&mut Maker, Micros, &str, i64);

impl Maker {
    /// Some of the plots.
    pub(super) fn plots(&mut self, database: Database) {
        let plots: [(u64, Plot); 12] = [
            (12, Self::cancelled_before_it_is_sent),
            (12, Self::looked_at_while_it_is_under_way),
            (10, Self::never_sent_and_asked_for_again),
            (10, Self::asked_about_between_two_cards),
            (6, Self::paid_otherwise),
            (8, Self::said_to_be_paid),
            (10, Self::told_at_another_address),
            (12, Self::charged_again_by_its_key),
            (6, Self::declined_by_mistake),
            (6, Self::answered_after_it_was_taken_over),
            (6, Self::asked_for_again_after_a_try_that_died),
            (6, Self::refuses_a_card_and_takes_another),
        ];
        for (number, (percent, plot)) in plots.into_iter().enumerate() {
            if self.random.percent(percent) {
                let begin = self.random.between(SECOND, 25 * MINUTE);
                let amount = i64::try_from(self.random.between(2, 40)).unwrap_or(2) * 100;
                plot(self, begin, &format!("q{number}"), amount);
            }
        }
        if self.random.percent(20) {
            match database {
                Database::Postgres => self.clock_ahead_of_a_write(),
                Database::Sqlite => self.clock_was_ahead(),
            }
        }
    }

    /// A fault that occurs the first time that something is done about this payment.
    fn add_fault(&mut self, point: Point, label: &str, subject: &str, fault: Fault) {
        let (label, subject) = (Some(label.to_owned()), Some(subject.to_owned()));
        self.rules.push(Rule { who: None, point, label, subject, nth: 1, fault });
    }

    /// A process, and another one.
    fn two_processes(&mut self) -> (usize, usize) {
        let one = self.process();
        (one, (one + 1) % self.processes)
    }

    fn opened(&mut self, at: Micros, process: usize, order: &str, flow: &str, amount: i64) -> (String, Call) {
        let (label, keyed) = (self.label(flow.starts_with('s'), at), self.random.percent(50));
        let (order, flow) = (order.to_owned(), flow.to_owned());
        let call = Call::Open { order, flow, amount, label: label.clone(), keyed };
        self.at(at, Action::Call(process, call.clone()));
        (label, call)
    }

    fn charged(&mut self, at: Micros, process: usize, order: &str, amount: i64) -> (String, Call) {
        let label = self.label(false, at);
        let (order, account) = (order.to_owned(), "north".to_owned());
        let call = Call::Charge { order, account, amount, label: label.clone(), keyed: true };
        self.at(at, Action::Call(process, call.clone()));
        (label, call)
    }

    fn label(&mut self, south: bool, at: Micros) -> String {
        self.payments += 1;
        let label = format!("p{}", self.payments);
        self.labels.push((label.clone(), south, at));
        label
    }

    /// A charge is given up between its reservation and its submission, and the order is charged anew.
    fn cancelled_before_it_is_sent(&mut self, begin: Micros, order: &str, amount: i64) {
        let (one, other) = self.two_processes();
        let (label, _) = self.charged(begin, one, order, amount);
        let pause = self.random.between(20 * SECOND, 110 * SECOND);
        self.add_fault(Point::Commit, "reserve", &label, Fault::Pause(pause, Moment::After));
        let cancel = begin + self.random.between(SECOND, 10 * SECOND);
        self.at(cancel, Action::Call(other, Call::Cancel { payment: label }));
        self.charged(cancel + 5 * SECOND, other, order, amount);
    }

    /// The answer to an opening is late; others look at the payment, and open the same.
    fn looked_at_while_it_is_under_way(&mut self, begin: Micros, order: &str, amount: i64) {
        let (one, other) = self.two_processes();
        let (label, again) = self.opened(begin, one, order, "page", amount);
        let late = self.random.between(12 * SECOND, 29 * SECOND);
        self.add_fault(Point::Bank, "create", &label, Fault::Late(late));
        for _ in 0..2 {
            let look = begin + self.random.between(2 * SECOND, 10 * SECOND);
            self.at(look, Action::Call(other, Call::Query { payment: label.clone() }));
        }
        self.at(begin + 3 * SECOND, Action::Call(other, again));
    }

    /// A refund is never sent, and is asked for again with its key.
    fn never_sent_and_asked_for_again(&mut self, begin: Micros, order: &str, amount: i64) {
        let (one, other) = self.two_processes();
        let (label, _) = self.opened(begin, one, order, "page", amount);
        self.at(begin + MINUTE, Action::Pay(label.clone(), None));
        // As often as it is tried.
        for _ in 0..3 {
            self.add_fault(Point::Send, "refund", &label, Fault::NeverSent);
        }
        let refund = Call::Refund { payment: label, amount: None, label: self.operation() };
        for (process, at) in [(one, begin + 4 * MINUTE), (other, begin + 7 * MINUTE)] {
            self.at(at, Action::Call(process, refund.clone()));
        }
    }

    /// One card is refused and another one pays, and an answer that was given in between comes after both.
    fn asked_about_between_two_cards(&mut self, begin: Micros, order: &str, amount: i64) {
        let (one, other) = self.two_processes();
        let (label, _) = self.opened(begin, one, order, "page", amount);
        let first = begin + self.random.between(20 * SECOND, 2 * MINUTE);
        self.at(first, Action::Decline(label.clone()));
        self.at(first, Action::Pay(label.clone(), None));
        self.at(first + 29 * SECOND, Action::Call(other, Call::Query { payment: label.clone() }));
        let query = Some("query".to_owned());
        // It is asked about once when its notification came.
        for nth in [1, 2] {
            let (label, subject) = (query.clone(), Some(label.clone()));
            let fault = if nth == 1 { Fault::Late(SECOND / 10) } else { Fault::Late(20 * SECOND) };
            self.rules.push(Rule { who: None, point: Point::Bank, label, subject, nth: 1, fault });
        }
        self.at(first + 30 * SECOND, Action::Pay(label, None));
    }

    /// The payer pays another amount.
    fn paid_otherwise(&mut self, begin: Micros, order: &str, amount: i64) {
        let (one, _) = self.two_processes();
        let flow = *self.random.pick(&["page", "spage"]);
        let (label, _) = self.opened(begin, one, order, flow, amount);
        let soon = self.soon();
        let paid = if self.random.percent(80) { amount / 2 } else { amount * 2 };
        self.at(begin + soon, Action::Pay(label, Some(paid)));
    }

    /// The bank says of an unpaid payment that it is paid, and signs it.
    fn said_to_be_paid(&mut self, begin: Micros, order: &str, amount: i64) {
        let (one, _) = self.two_processes();
        let (label, _) = self.opened(begin, one, order, "page", amount);
        let soon = self.soon();
        let (status, payment) = ("paid".to_owned(), label);
        let note =
            Note { payment, status, amount: None, address: None, genuine: true, event: None, to: None };
        self.at(begin + soon, Action::Notify(note));
    }

    /// A message about one payment comes to the address of another one, which does not know its own reference yet.
    fn told_at_another_address(&mut self, begin: Micros, order: &str, amount: i64) {
        let (one, other) = self.two_processes();
        let (label, _) = self.opened(begin, one, order, "spage", amount);
        let (second, _) = self.opened(begin + 30 * SECOND, other, &format!("{order}-other"), "spage", amount);
        self.add_fault(Point::Bank, "create", &second, Fault::Late(25 * SECOND));
        self.add_any_fault(Point::Note, &label, Fault::Drop);
        self.at(begin + 20 * SECOND, Action::Pay(label.clone(), None));
        let note = Note {
            payment: label,
            status: "paid".into(),
            amount: None,
            address: Some(second),
            genuine: true,
            event: None,
            to: None,
        };
        self.at(begin + 40 * SECOND, Action::Notify(note));
    }

    fn add_any_fault(&mut self, point: Point, subject: &str, fault: Fault) {
        let subject = Some(subject.to_owned());
        self.rules.push(Rule { who: None, point, label: None, subject, nth: 1, fault });
    }

    /// What became of a charge is lost on its way, and the caller asks again with the same key.
    fn charged_again_by_its_key(&mut self, begin: Micros, order: &str, amount: i64) {
        let (one, other) = self.two_processes();
        let (label, call) = self.charged(begin, one, order, amount);
        let mut again = begin + self.random.between(30 * SECOND, 5 * MINUTE);
        let pause = self.random.between(2 * MINUTE, 6 * MINUTE);
        let (step, fault) = match self.random.below(6) {
            0 => ("reserve", Fault::Lose),
            1 => ("reserve", Fault::Pause(pause, Moment::After)),
            2 => ("submit", Fault::Pause(pause, Moment::After)),
            3 => ("answer", Fault::Pause(pause, Moment::Before)),
            _ => {
                // The first wakes up while the second, which took the charge over, waits for the answer.
                self.add_fault(Point::Bank, "charge", &label, Fault::Late(25 * SECOND));
                again = begin + self.random.between(30 * SECOND, 110 * SECOND);
                let pause = self.random.between(125 * SECOND, 140 * SECOND);
                ("reserve", Fault::Pause(pause, Moment::After))
            }
        };
        self.add_fault(Point::Commit, step, &label, fault);
        self.at(again, Action::Call(other, call));
    }

    /// A charge is debited and not final yet. One question about it is answered with "declined", and no notification comes.
    fn declined_by_mistake(&mut self, begin: Micros, order: &str, amount: i64) {
        let process = self.process();
        let (label, _) = self.charged(begin, process, order, amount);
        let final_after = self.random.between(2 * MINUTE, 8 * MINUTE);
        self.add_fault(Point::Bank, "charge", &label, Fault::NotFinal(final_after));
        self.add_fault(Point::Bank, "query", &label, Fault::Say("declined".into()));
        let subject = Some(label);
        self.rules.push(Rule {
            who: None,
            point: Point::Note,
            label: None,
            subject,
            nth: 0,
            fault: Fault::Drop,
        });
    }

    /// The process of a refund is paused when it has the answer. Another process takes the refund over meanwhile, and the
    /// bank's answers to questions do not name refunds.
    fn answered_after_it_was_taken_over(&mut self, begin: Micros, order: &str, amount: i64) {
        let (one, _) = self.two_processes();
        let (label, _) = self.opened(begin, one, order, "spage", amount);
        self.at(begin + MINUTE, Action::Pay(label.clone(), None));
        let refund = Call::Refund { payment: label.clone(), amount: None, label: self.operation() };
        self.at(begin + 4 * MINUTE, Action::Call(one, refund));
        let pause = self.random.between(4 * MINUTE, 12 * MINUTE);
        self.add_fault(Point::Commit, "answer-refund", &label, Fault::Pause(pause, Moment::Before));
    }

    /// The process of a refund ends before it sends it. The same call comes at another process while the lease lasts.
    fn asked_for_again_after_a_try_that_died(&mut self, begin: Micros, order: &str, amount: i64) {
        let (one, other) = self.two_processes();
        let (label, _) = self.opened(begin, one, order, "page", amount);
        self.at(begin + MINUTE, Action::Pay(label.clone(), None));
        let refund = Call::Refund { payment: label.clone(), amount: None, label: self.operation() };
        self.at(begin + 4 * MINUTE, Action::Call(one, refund.clone()));
        let (down, wait) =
            (self.random.between(10 * MINUTE, 30 * MINUTE), self.random.between(5 * SECOND, 90 * SECOND));
        self.at(begin + 4 * MINUTE + wait, Action::Call(other, refund));
        self.add_fault(Point::Commit, "reserve-refund", &label, Fault::Crash(down, Moment::After));
    }

    /// A link that nobody can be asked about refuses a card and takes another, and only the first is notified.
    fn refuses_a_card_and_takes_another(&mut self, begin: Micros, order: &str, amount: i64) {
        let (one, _) = self.two_processes();
        let (label, _) = self.opened(begin, one, order, "link", amount);
        self.at(begin + 2 * MINUTE - 1, Action::Decline(label.clone()));
        self.at(begin + 2 * MINUTE, Action::Pay(label.clone(), None));
        self.at(begin + 3 * MINUTE, Action::Pay(label.clone(), None));
        let subject = Some(label);
        self.rules.push(Rule {
            who: None,
            point: Point::Note,
            label: None,
            subject,
            nth: 2,
            fault: Fault::Drop,
        });
    }

    /// One process's clock is ahead by more than a lease while another one is about to send.
    fn clock_ahead_of_a_write(&mut self) {
        let begin = self.random.between(SECOND, 20 * MINUTE);
        let (one, other) = self.two_processes();
        let (label, _) = self.opened(begin, one, "q-clock", "page", 1000);
        self.at(begin + MINUTE, Action::Pay(label.clone(), None));
        let ahead = i64::try_from(self.random.between(125_000, 600_000)).unwrap_or(0);
        self.at(begin + 2 * MINUTE, Action::Clock(other, ahead));
        let pause = self.random.between(8 * SECOND, MINUTE);
        self.add_fault(Point::Commit, "submit-refund", &label, Fault::Pause(pause, Moment::Before));
        let refund = Call::Refund { payment: label, amount: None, label: self.operation() };
        self.at(begin + 4 * MINUTE, Action::Call(one, refund));
    }

    /// A payment is opened while the clock of the machine is hours ahead. It is paid later, and no notification comes.
    fn clock_was_ahead(&mut self) {
        let begin = self.random.between(SECOND, 25 * MINUTE);
        let (one, _) = self.two_processes();
        let ahead = i64::try_from(self.random.between(6 * HOUR, 9 * HOUR) / 1000).unwrap_or(0);
        self.at(begin, Action::Clock(one, ahead));
        let (label, _) = self.opened(begin + MINUTE, one, "q-clock", "page", 1000);
        self.at(begin + 3 * MINUTE, Action::Clock(one, 0));
        self.add_any_fault(Point::Note, &label, Fault::Drop);
        self.at(begin + 4 * MINUTE, Action::Pay(label, None));
    }
}
