//! Reads a story from text.

use std::fmt;

use super::{Action, Call, Count, Database, Expect, Note, Process, Story};
use crate::fault::{Fault, Moment, Point, Rule};
use crate::units::{DAY, HOUR, MINUTE, Micros, SECOND};

/// A line that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoryError {
    /// The line's number, from 1.
    pub line: usize,
    /// Why.
    pub why: String,
}

impl fmt::Display for StoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.why)
    }
}

impl std::error::Error for StoryError {}

/// Reads a time such as `1h30m` or `250ms`.
pub fn time(text: &str) -> Option<Micros> {
    let units = [("us", 1), ("ms", 1000), ("d", DAY), ("h", HOUR), ("m", MINUTE), ("s", SECOND)];
    let mut total: Micros = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let number: Micros = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let (name, unit) = units.into_iter().find(|(name, _)| rest.starts_with(name))?;
        rest = &rest[name.len()..];
        total = total.checked_add(number.checked_mul(unit)?)?;
    }
    (!text.is_empty()).then_some(total)
}

/// The words of one line, taken one by one.
struct Words<'a> {
    words: std::iter::Peekable<std::vec::IntoIter<&'a str>>,
    processes: &'a [Process],
}

type Read<T> = Result<T, String>;

impl<'a> Words<'a> {
    fn next(&mut self, what: &str) -> Read<&'a str> {
        self.words.next().ok_or_else(|| format!("{what} is missing"))
    }

    fn text(&mut self, what: &str) -> Read<String> {
        self.next(what).map(str::to_owned)
    }

    fn keyword(&mut self, word: &str) -> Read<()> {
        let found = self.next(word)?;
        if found == word { Ok(()) } else { Err(format!("`{word}` is expected, not `{found}`")) }
    }

    /// Takes this word if it comes next.
    fn takes(&mut self, word: &str) -> bool {
        let comes = self.words.peek() == Some(&word);
        if comes {
            self.words.next();
        }
        comes
    }

    fn number<T: std::str::FromStr>(&mut self, what: &str) -> Read<T> {
        let word = self.next(what)?;
        word.parse().map_err(|_| format!("`{word}` is no {what}"))
    }

    /// A number, if one comes next.
    fn maybe_number(&mut self) -> Option<i64> {
        let number = self.words.peek()?.parse().ok()?;
        self.words.next();
        Some(number)
    }

    fn time(&mut self) -> Read<Micros> {
        let word = self.next("a time")?;
        time(word).ok_or_else(|| format!("`{word}` is no time such as 1h30m"))
    }

    fn process(&mut self) -> Read<usize> {
        let word = self.next("a process")?;
        self.process_of(word)
    }

    fn process_of(&self, word: &str) -> Read<usize> {
        let found = self.processes.iter().position(|process| process.name == word);
        found.ok_or_else(|| format!("there is no process `{word}`"))
    }

    fn rest(&mut self) -> Vec<String> {
        self.words.by_ref().map(str::to_owned).collect()
    }

    fn label(&mut self) -> Read<String> {
        self.keyword("as")?;
        self.text("a label")
    }

    fn action(&mut self) -> Read<Action> {
        let first = self.next("what happens")?;
        Ok(match first {
            "payer" => match self.next("what the payer does")? {
                "pays" => Action::Pay(self.text("a payment")?, self.maybe_number()),
                "declines" => Action::Decline(self.text("a payment")?),
                other => return Err(format!("payers do not `{other}`")),
            },
            "bank" => {
                self.keyword("notifies")?;
                Action::Notify(self.notification()?)
            }
            "garbage" => Action::Garbage(self.number("a number")?),
            "pause" => Action::Pause(self.process()?, self.time()?),
            "crash" => Action::Crash(self.process()?, self.time()?),
            "stop" => Action::Stop(self.process()?, self.time()?),
            "start" => Action::Start(self.process()?, self.rest()),
            "clock" => {
                let process = self.process()?;
                let word = self.next("how far off")?;
                let (sign, rest) = match word.split_at_checked(1) {
                    Some(("+", rest)) => (1, rest),
                    Some(("-", rest)) => (-1, rest),
                    _ => return Err("a distance begins with + or -".into()),
                };
                let off = time(rest).ok_or_else(|| format!("`{word}` is no distance"))?;
                Action::Clock(process, sign * i64::try_from(off / 1000).unwrap_or(i64::MAX))
            }
            "away" => Action::Away(self.time()?),
            name => Action::Call(self.process_of(name)?, self.call()?),
        })
    }

    fn notification(&mut self) -> Read<Note> {
        let mut note = Note {
            payment: self.text("a payment")?,
            status: self.text("a status")?,
            amount: self.maybe_number(),
            address: None,
            genuine: true,
            event: None,
            to: None,
        };
        while let Some(word) = self.words.next() {
            match word {
                "event" => note.event = Some(self.number("an event's number")?),
                "at" => note.address = Some(self.text("a payment")?),
                "to" => note.to = Some(self.process()?),
                "forged" => note.genuine = false,
                other => return Err(format!("`{other}` says nothing of a notification")),
            }
        }
        Ok(note)
    }

    fn call(&mut self) -> Read<Call> {
        let what = self.next("a call")?;
        if matches!(what, "open" | "charge") {
            let order = self.text("an order")?;
            let by = self.text("a flow or account")?;
            let amount = self.number("an amount")?;
            let label = self.label()?;
            let keyed = self.takes("keyed");
            return Ok(if what == "open" {
                Call::Open { order, flow: by, amount, label, keyed }
            } else {
                Call::Charge { order, account: by, amount, label, keyed }
            });
        }
        let payment = self.text("a payment")?;
        Ok(match what {
            "capture" => Call::Capture { payment, amount: self.maybe_number(), label: self.label()? },
            "void" => Call::Void { payment, label: self.label()? },
            "refund" => Call::Refund { payment, amount: self.maybe_number(), label: self.label()? },
            "cancel" => Call::Cancel { payment },
            "query" => Call::Query { payment },
            "declare" => match self.next("what is declared")? {
                "paid" => Call::DeclarePayment { payment, paid: true },
                "not-paid" => Call::DeclarePayment { payment, paid: false },
                "happened" => Call::DeclareOperations { payment, happened: true },
                "not-happened" => Call::DeclareOperations { payment, happened: false },
                other => return Err(format!("`{other}` cannot be declared")),
            },
            "resolve" => Call::Resolve { payment },
            "replay" => Call::Replay { payment },
            "retry" => Call::Retry { payment },
            other => return Err(format!("there is no call `{other}`")),
        })
    }

    fn rule(&mut self) -> Read<Rule> {
        let who = match self.next("a process")? {
            "any" => None,
            name => Some(self.process_of(name)?),
        };
        let point = match self.next("a point")? {
            "commit" => Point::Commit,
            "claim" => Point::Claim,
            "send" => Point::Send,
            "bank" => Point::Bank,
            "handler" => Point::Handler,
            "note" => Point::Note,
            other => return Err(format!("there is no point `{other}`")),
        };
        let mut words = Vec::new();
        let mut nth = 1;
        loop {
            let word = self.next("a colon")?;
            let (word, ends) = word.strip_suffix(':').map_or((word, false), |word| (word, true));
            if let Some(number) = word.strip_prefix('#') {
                nth = number.parse().map_err(|_| format!("`#{number}` is no number"))?;
            } else {
                words.push(word);
            }
            if ends {
                break;
            }
        }
        let known =
            |index: usize| words.get(index).filter(|word| **word != "any").map(|word| (*word).to_owned());
        let (label, subject) = (known(0), known(1));
        Ok(Rule { who, point, label, subject, nth, fault: self.fault()? })
    }

    fn moment(&mut self) -> Read<Moment> {
        Ok(match self.next("before, after or inside")? {
            "before" => Moment::Before,
            "after" => Moment::After,
            "inside" => Moment::Inside,
            other => return Err(format!("`{other}` is no moment")),
        })
    }

    fn fault(&mut self) -> Read<Fault> {
        Ok(match self.next("a fault")? {
            "pause" => Fault::Pause(self.time()?, self.moment()?),
            "crash" => Fault::Crash(self.time()?, self.moment()?),
            "refuse" => Fault::Refuse,
            "lose" => Fault::Lose,
            "later" => Fault::Later(self.time()?),
            "never-sent" => Fault::NeverSent,
            "lose-request" => Fault::LoseRequest,
            "late" => Fault::Late(self.time()?),
            "cut" => Fault::Cut,
            "amount" => Fault::Amount(self.number("an amount")?),
            "say" => Fault::Say(self.text("a word")?),
            "not-final" => Fault::NotFinal(self.time()?),
            "arrive-late" => Fault::ArriveLate(self.time()?),
            "down" => Fault::Down,
            "drop" => Fault::Drop,
            "delay" => Fault::Delay(self.time()?),
            "repeat" => Fault::Repeat(self.number("a number")?),
            "contradict" => Fault::Contradict,
            "misdirect" => Fault::Misdirect(self.text("a payment")?),
            "early" => Fault::Early,
            "fail" => Fault::Fail,
            "hang" => Fault::Hang,
            "panic" => Fault::Panic,
            other => return Err(format!("there is no fault `{other}`")),
        })
    }

    fn by(&mut self) -> Read<Micros> {
        if self.takes("by") { self.time() } else { Ok(Micros::MAX) }
    }

    fn expectation(&mut self) -> Read<Expect> {
        let what = self.next("an expectation")?;
        if let Some(count) = Count::parse(what) {
            let subject = self.text("an order or payment")?;
            let (relation, number) = (self.next("=, <= or >=")?, self.number("a number")?);
            let (least, most) = match relation {
                "=" => (number, number),
                "<=" => (0, number),
                ">=" => (number, i64::MAX),
                other => return Err(format!("`{other}` is no relation")),
            };
            return Ok(Expect::Between(count, subject, least, most));
        }
        Ok(match what {
            "events" => Expect::Events(self.text("an order")?, self.rest()),
            "status" => Expect::Status(self.text("a payment")?, self.text("a status")?),
            "stored-taken" => Expect::StoredTaken(self.text("a payment")?, self.number("an amount")?),
            "listed" => {
                let payment = self.text("a payment")?;
                let kind = self.words.next().filter(|kind| *kind != "any").map(str::to_owned);
                Expect::Listed(payment, kind)
            }
            "not-listed" => Expect::NotListed(self.text("a payment")?),
            "heard" => Expect::Heard(
                self.text("a handler")?,
                self.text("an order")?,
                self.text("a kind")?,
                self.by()?,
            ),
            "not-heard" => {
                Expect::NotHeard(self.text("a handler")?, self.text("an order")?, self.text("a kind")?)
            }
            "call" => Expect::Call(self.text("a label")?, self.rest()),
            "stopped" => Expect::Stopped(self.process()?, self.by()?),
            "event-amount" => {
                Expect::EventAmount(self.text("an order")?, self.text("a kind")?, self.number("an amount")?)
            }
            "complaint" => Expect::Complaint(self.text("a word")?),
            other => return Err(format!("there is no expectation `{other}`")),
        })
    }
}

/// Reads a story.
///
/// # Errors
/// The first line that cannot be read, and why.
pub fn parse(text: &str) -> Result<Story, StoryError> {
    let mut story = Story {
        title: Vec::new(),
        schedule: None,
        database: Database::default(),
        processes: Vec::new(),
        calm_at: 0,
        ends_at: 0,
        actions: Vec::new(),
        rules: Vec::new(),
        expects: Vec::new(),
    };
    for (index, line) in text.lines().enumerate() {
        let error = |why: String| StoryError { line: index + 1, why };
        let line = line.trim();
        if let Some(title) = line.strip_prefix('#') {
            story.title.push(title.trim().to_owned());
            continue;
        }
        if line.is_empty() {
            continue;
        }
        let processes = story.processes.clone();
        let words: Vec<&str> = line.split_whitespace().collect();
        let mut words = Words { words: words.into_iter().peekable(), processes: &processes };
        read_line(&mut story, &mut words).map_err(error)?;
        if let Some(word) = words.words.next() {
            return Err(error(format!("`{word}` is too much")));
        }
    }
    if story.processes.is_empty() {
        return Err(StoryError { line: 1, why: "there is no process".into() });
    }
    let last = story.actions.iter().map(|(at, _)| *at).max().unwrap_or(0);
    if story.calm_at == 0 {
        story.calm_at = last + MINUTE;
    }
    if story.ends_at == 0 {
        story.ends_at = story.calm_at + 3 * DAY;
    }
    Ok(story)
}

fn read_line(story: &mut Story, words: &mut Words<'_>) -> Read<()> {
    match words.next("a word")? {
        "schedule" => {
            let word = words.next("a seed or `even`")?;
            story.schedule = match word {
                "even" => None,
                seed => Some(seed.parse().map_err(|_| format!("`{seed}` is no seed"))?),
            };
        }
        "database" => {
            story.database = match words.next("a database")? {
                "sqlite" => Database::Sqlite,
                "postgres" => Database::Postgres,
                other => return Err(format!("there is no database `{other}`")),
            };
        }
        "process" => {
            let name = words.text("a name")?;
            let handlers = words.rest();
            story.processes.push(Process { name, handlers });
        }
        "calm" => {
            words.keyword("at")?;
            story.calm_at = words.time()?;
        }
        "end" => {
            words.keyword("at")?;
            story.ends_at = words.time()?;
        }
        "at" => {
            let at = words.time()?;
            let action = words.action()?;
            story.actions.push((at, action));
        }
        "on" => story.rules.push(words.rule()?),
        "expect" => story.expects.push(words.expectation()?),
        other => return Err(format!("no line begins with `{other}`")),
    }
    Ok(())
}
