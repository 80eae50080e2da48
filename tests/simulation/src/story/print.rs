//! Writes a story as text.

use std::fmt::{self, Display, Write as _};

use super::{Action, Call, Database, Expect, Note, Story};
use crate::fault::{Fault, Moment, Point, Rule};
use crate::units::time_text;

/// A signed distance of clocks, given in milliseconds.
fn off_text(millis: i64) -> String {
    let sign = if millis < 0 { "-" } else { "+" };
    format!("{sign}{}", time_text(millis.unsigned_abs().saturating_mul(1000)))
}

struct Sum(Option<i64>);

impl Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |amount| write!(f, " {amount}"))
    }
}

impl Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = |keyed: &bool| if *keyed { " keyed" } else { "" };
        match self {
            Self::Open { order, flow, amount, label, keyed } => {
                write!(f, "open {order} {flow} {amount} as {label}{}", key(keyed))
            }
            Self::Charge { order, account, amount, label, keyed } => {
                write!(f, "charge {order} {account} {amount} as {label}{}", key(keyed))
            }
            Self::Capture { payment, amount, label } => {
                write!(f, "capture {payment}{} as {label}", Sum(*amount))
            }
            Self::Void { payment, label } => write!(f, "void {payment} as {label}"),
            Self::Refund { payment, amount, label } => {
                write!(f, "refund {payment}{} as {label}", Sum(*amount))
            }
            Self::Cancel { payment } => write!(f, "cancel {payment}"),
            Self::Query { payment } => write!(f, "query {payment}"),
            Self::DeclarePayment { payment, paid } => {
                write!(f, "declare {payment} {}", if *paid { "paid" } else { "not-paid" })
            }
            Self::DeclareOperations { payment, happened } => {
                write!(f, "declare {payment} {}", if *happened { "happened" } else { "not-happened" })
            }
            Self::Resolve { payment } => write!(f, "resolve {payment}"),
            Self::Replay { payment } => write!(f, "replay {payment}"),
            Self::Retry { payment } => write!(f, "retry {payment}"),
        }
    }
}

impl Story {
    fn name(&self, process: usize) -> &str {
        self.processes.get(process).map_or("?", |process| &process.name)
    }

    fn action(&self, action: &Action) -> String {
        match action {
            Action::Call(process, call) => format!("{} {call}", self.name(*process)),
            Action::Pay(payment, amount) => format!("payer pays {payment}{}", Sum(*amount)),
            Action::Decline(payment) => format!("payer declines {payment}"),
            Action::Notify(note) => self.notification(note),
            Action::Garbage(count) => format!("garbage {count}"),
            Action::Pause(process, wait) => format!("pause {} {}", self.name(*process), time_text(*wait)),
            Action::Crash(process, down) => format!("crash {} {}", self.name(*process), time_text(*down)),
            Action::Stop(process, wait) => format!("stop {} {}", self.name(*process), time_text(*wait)),
            Action::Start(process, handlers) => {
                format!("start {} {}", self.name(*process), handlers.join(" "))
            }
            Action::Clock(process, off) => format!("clock {} {}", self.name(*process), off_text(*off)),
            Action::Away(wait) => format!("away {}", time_text(*wait)),
        }
    }

    fn notification(&self, note: &Note) -> String {
        let mut text = format!("bank notifies {} {}{}", note.payment, note.status, Sum(note.amount));
        if let Some(event) = note.event {
            let _ = write!(text, " event {event}");
        }
        if let Some(address) = &note.address {
            let _ = write!(text, " at {address}");
        }
        if let Some(to) = note.to {
            let _ = write!(text, " to {}", self.name(to));
        }
        if !note.genuine {
            text.push_str(" forged");
        }
        text
    }

    fn rule(&self, rule: &Rule) -> String {
        let point = match rule.point {
            Point::Commit => "commit",
            Point::Claim => "claim",
            Point::Send => "send",
            Point::Bank => "bank",
            Point::Handler => "handler",
            Point::Note => "note",
        };
        let who = rule.who.map_or("any", |process| self.name(process));
        let label = rule.label.as_deref().unwrap_or("any");
        let subject = rule.subject.as_ref().map_or(String::new(), |subject| format!(" {subject}"));
        format!("on {who} {point} {label}{subject} #{}: {}", rule.nth, fault(&rule.fault))
    }
}

fn fault(fault: &Fault) -> String {
    let moment = |moment: &Moment| match moment {
        Moment::Before => "before",
        Moment::After => "after",
        Moment::Inside => "inside",
    };
    match fault {
        Fault::Pause(wait, when) => format!("pause {} {}", time_text(*wait), moment(when)),
        Fault::Crash(down, when) => format!("crash {} {}", time_text(*down), moment(when)),
        Fault::Refuse => "refuse".into(),
        Fault::Lose => "lose".into(),
        Fault::Later(wait) => format!("later {}", time_text(*wait)),
        Fault::NeverSent => "never-sent".into(),
        Fault::LoseRequest => "lose-request".into(),
        Fault::Late(wait) => format!("late {}", time_text(*wait)),
        Fault::Cut => "cut".into(),
        Fault::Amount(amount) => format!("amount {amount}"),
        Fault::Say(word) => format!("say {word}"),
        Fault::NotFinal(wait) => format!("not-final {}", time_text(*wait)),
        Fault::ArriveLate(wait) => format!("arrive-late {}", time_text(*wait)),
        Fault::Down => "down".into(),
        Fault::Drop => "drop".into(),
        Fault::Delay(wait) => format!("delay {}", time_text(*wait)),
        Fault::Repeat(times) => format!("repeat {times}"),
        Fault::Contradict => "contradict".into(),
        Fault::Misdirect(payment) => format!("misdirect {payment}"),
        Fault::Early => "early".into(),
        Fault::Fail => "fail".into(),
        Fault::Hang => "hang".into(),
        Fault::Panic => "panic".into(),
    }
}

impl Story {
    fn expectation(&self, expect: &Expect) -> String {
        match expect {
            Expect::Between(count, subject, least, most) if *most == i64::MAX => {
                format!("{} {subject} >= {least}", count.as_str())
            }
            Expect::Between(count, subject, least, most) if least == most => {
                format!("{} {subject} = {least}", count.as_str())
            }
            Expect::Between(count, subject, _, most) => format!("{} {subject} <= {most}", count.as_str()),
            Expect::Events(order, kinds) => format!("events {order} {}", kinds.join(" ")),
            Expect::Status(payment, status) => format!("status {payment} {status}"),
            Expect::StoredTaken(payment, amount) => format!("stored-taken {payment} {amount}"),
            Expect::Listed(payment, kind) => {
                format!("listed {payment} {}", kind.as_deref().unwrap_or("any"))
            }
            Expect::NotListed(payment) => format!("not-listed {payment}"),
            Expect::Heard(handler, order, kind, by) => {
                format!("heard {handler} {order} {kind} by {}", time_text(*by))
            }
            Expect::NotHeard(handler, order, kind) => format!("not-heard {handler} {order} {kind}"),
            Expect::Call(label, words) => format!("call {label} {}", words.join(" ")),
            Expect::Stopped(process, by) => {
                format!("stopped {} by {}", self.name(*process), time_text(*by))
            }
            Expect::EventAmount(order, kind, amount) => format!("event-amount {order} {kind} {amount}"),
            Expect::Complaint(word) => format!("complaint {word}"),
        }
    }
}

impl Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.title {
            writeln!(f, "# {line}")?;
        }
        match self.schedule {
            Some(seed) => writeln!(f, "schedule {seed}")?,
            None => writeln!(f, "schedule even")?,
        }
        let database = if self.database == Database::Sqlite { "sqlite" } else { "postgres" };
        writeln!(f, "database {database}")?;
        for process in &self.processes {
            writeln!(f, "process {} {}", process.name, process.handlers.join(" "))?;
        }
        writeln!(f, "calm at {}", time_text(self.calm_at))?;
        writeln!(f, "end at {}", time_text(self.ends_at))?;
        for (at, action) in &self.actions {
            writeln!(f, "at {} {}", time_text(*at), self.action(action))?;
        }
        for rule in &self.rules {
            writeln!(f, "{}", self.rule(rule))?;
        }
        for expect in &self.expects {
            writeln!(f, "expect {}", self.expectation(expect))?;
        }
        Ok(())
    }
}
