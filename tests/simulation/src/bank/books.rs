//! The bank's books: what was asked for, and what money moved. They are what the judge believes.

use std::collections::BTreeMap;

use crate::units::{DAY, HOUR, MINUTE, Micros};

/// How an entry stands at the bank.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The payer can pay.
    Open,
    /// The money is held.
    Held,
    /// The money was taken.
    Paid,
    /// The bank said no.
    Declined,
    /// It was taken back.
    Canceled,
}

impl Standing {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "pending",
            Self::Held => "authorized",
            Self::Paid => "paid",
            Self::Declined => "declined",
            Self::Canceled => "canceled",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Open, Self::Held, Self::Paid, Self::Declined, Self::Canceled]
            .into_iter()
            .find(|standing| standing.as_str() == word)
    }
}

/// Money that moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// When.
    pub at: Micros,
    /// How much, in minor units.
    pub amount: i64,
    /// Who made it move: the payer, or the label of the shop's operation.
    pub by: String,
    /// Whether the shop made it move, and not the payer.
    pub by_shop: bool,
}

/// A write that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What it asks for, in one word.
    pub what: String,
    /// The shop's id of it.
    pub operation: String,
    /// When it arrived.
    pub at: Micros,
}

/// One payment in the books.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, and all of them may hold")]
pub struct Entry {
    /// The account.
    pub account: String,
    /// The flow.
    pub flow: String,
    /// The shop's reference.
    pub merchant_ref: String,
    /// The bank's reference.
    pub provider_ref: String,
    /// The label by which the story knows it.
    pub label: String,
    /// What was asked for, in minor units.
    pub amount: i64,
    /// Where the shop wants to be notified.
    pub notify_url: Option<String>,
    /// Whether the money is held first.
    pub later: bool,
    /// How it stands.
    pub standing: Standing,
    /// Until then the bank says that nothing is final.
    pub not_final_until: Micros,
    /// Money taken from the payer.
    pub debits: Vec<Move>,
    /// Money given back.
    pub refunds: Vec<Move>,
    /// Writes that arrived.
    pub requests: Vec<Request>,
    /// Questions that arrived.
    pub questions: u32,
    /// When it was made.
    pub made_at: Micros,
    /// Whether the shop has its address, so that a payer can see the page.
    pub shown: bool,
    /// Whether the bank told something untrue about it.
    pub lied: bool,
    /// Whether the bank moved another amount than it was asked for.
    pub twisted: bool,
    /// Notifications that were sent about it.
    pub notified: u32,
}

impl Entry {
    /// What was taken, in minor units.
    pub fn taken(&self) -> i64 {
        self.debits.iter().map(|one| one.amount).sum()
    }

    /// What was given back, in minor units.
    pub fn given_back(&self) -> i64 {
        self.refunds.iter().map(|one| one.amount).sum()
    }

    /// Whether the bank knows and names only its own reference.
    pub fn names_its_own(&self) -> bool {
        self.account != "north"
    }

    /// How long the payer can pay it.
    fn closes_at(&self) -> Micros {
        let open = match self.flow.as_str() {
            "spage" | "shold" | "wpage" | "whold" => HOUR,
            _ => 2 * DAY,
        };
        self.made_at + open
    }
}

/// A request as it arrived, taken apart.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) account: &'a str,
    pub(crate) fields: &'a [&'a str],
}

/// What else the bank does with a request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Twist {
    /// It refuses.
    pub(crate) refuse: bool,
    /// It moves this amount.
    pub(crate) amount: Option<i64>,
    /// It answers this word.
    pub(crate) say: Option<String>,
    /// It says for so long that nothing is final.
    pub(crate) not_final: Option<Micros>,
}

/// What the bank answers, and what it wants to tell by itself.
#[derive(Debug, Clone)]
pub(crate) struct Answered {
    pub(crate) text: String,
    /// Whether money moved, or an entry was made.
    pub(crate) done: bool,
    /// The entry that the shop is to be notified about.
    pub(crate) tell: Option<String>,
}

impl Answered {
    fn of(text: String) -> Self {
        Self { text, done: false, tell: None }
    }
}

/// All entries.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    /// By the shop's reference.
    pub entries: BTreeMap<String, Entry>,
    /// Declines the next payer, or charge, of these labels.
    pub declines: std::collections::BTreeSet<String>,
    by_provider: BTreeMap<String, String>,
}

impl Ledger {
    /// The newest entry with this label.
    pub fn newest(&self, label: &str) -> Option<&Entry> {
        self.entries.values().filter(|entry| entry.label == label).max_by_key(|entry| entry.made_at)
    }

    /// The shop has the address of a page, and shows it to the payer.
    pub(crate) fn show(&mut self, label: &str) {
        let of_label = self.entries.values_mut().filter(|entry| entry.label == label);
        if let Some(entry) = of_label.max_by_key(|entry| entry.made_at) {
            entry.shown = true;
        }
    }

    /// The entry with the bank's own reference.
    pub fn by_provider_ref(&self, reference: &str) -> Option<&Entry> {
        self.by_provider.get(reference).and_then(|name| self.entries.get(name))
    }

    fn make(&mut self, now: Micros, asked: Asked<'_>, flow: &str, label: &str, later: bool) -> &mut Entry {
        let [_, reference, amount, ..] = asked.fields else { unreachable!("the provider sends them") };
        let provider_ref = format!("{}{:06}", &asked.account[..1], self.entries.len() + 1);
        let notify = asked.fields.get(4).copied().unwrap_or("-");
        let entry = self.entries.entry((*reference).to_owned()).or_insert_with(|| Entry {
            account: asked.account.to_owned(),
            flow: flow.to_owned(),
            merchant_ref: (*reference).to_owned(),
            provider_ref,
            label: label.to_owned(),
            amount: amount.parse().unwrap_or(0),
            notify_url: (notify != "-").then(|| notify.to_owned()),
            later,
            standing: Standing::Open,
            not_final_until: 0,
            debits: Vec::new(),
            refunds: Vec::new(),
            requests: Vec::new(),
            questions: 0,
            made_at: now,
            shown: false,
            lied: false,
            twisted: false,
            notified: 0,
        });
        self.by_provider.insert(entry.provider_ref.clone(), entry.merchant_ref.clone());
        entry
    }

    fn find(&mut self, fields: &[&str]) -> Option<&mut Entry> {
        let ours = fields.get(1).filter(|name| **name != "-").map(|name| (*name).to_owned());
        let name = ours.or_else(|| self.by_provider.get(*fields.get(2)?).cloned())?;
        self.entries.get_mut(&name)
    }

    /// Does what a request asks for.
    pub(crate) fn handle(&mut self, now: Micros, asked: Asked<'_>, twist: &Twist) -> Answered {
        let fields = asked.fields;
        let word = |standing: Standing| twist.say.clone().unwrap_or_else(|| standing.as_str().to_owned());
        if twist.refuse {
            return Answered::of("refused|51|.".into());
        }
        match fields[0] {
            "create" => {
                let (flow, later, label) = (fields[3], fields[5] == "1", fields[6]);
                let entry = self.make(now, asked, flow, label, later);
                entry.requests.push(Request { what: "create".into(), operation: label.into(), at: now });
                let text = format!("ok|{}|.", entry.provider_ref);
                Answered { text, done: true, tell: None }
            }
            "setup" => Answered { text: format!("ok|card-{}|.", fields[1]), done: true, tell: None },
            "read-setup" => Answered::of("ok|saved|.".into()),
            "charge" => self.charge(now, asked, twist, &word),
            "query" => self.query(now, fields, twist),
            "capture" | "void" | "cancel" | "refund" => self.operate(now, fields, twist, &word),
            other => Answered::of(format!("what|{other}|.")),
        }
    }

    fn charge(
        &mut self,
        now: Micros,
        asked: Asked<'_>,
        twist: &Twist,
        word: &dyn Fn(Standing) -> String,
    ) -> Answered {
        let (flow, label) = (asked.fields[3], asked.fields[5]);
        let declined = self.declines.remove(label);
        let entry = self.make(now, asked, flow, label, false);
        entry.requests.push(Request { what: "charge".into(), operation: label.into(), at: now });
        entry.shown = true;
        if declined {
            entry.standing = Standing::Declined;
        } else {
            let amount = twist.amount.unwrap_or(entry.amount);
            entry.standing = Standing::Paid;
            entry.debits.push(Move { at: now, amount, by: label.to_owned(), by_shop: true });
        }
        if let Some(wait) = twist.not_final {
            entry.not_final_until = now + wait;
        }
        entry.lied |= twist.say.is_some();
        entry.twisted |= twist.amount.is_some();
        let standing = if entry.not_final_until > now { Standing::Open } else { entry.standing };
        let amount = if declined { entry.amount } else { entry.taken() };
        let text = format!("ok|{}|{amount}|{}|.", word(standing), entry.provider_ref);
        Answered { text, done: true, tell: Some(entry.merchant_ref.clone()) }
    }

    fn query(&mut self, now: Micros, fields: &[&str], twist: &Twist) -> Answered {
        let Some(entry) = self.find(fields) else { return Answered::of("notfound|.".into()) };
        entry.questions += 1;
        if twist.say.as_deref() == Some("notfound") {
            return Answered::of("notfound|.".into());
        }
        let standing = if entry.not_final_until > now { Standing::Open } else { entry.standing };
        let said = twist.say.clone().unwrap_or_else(|| standing.as_str().to_owned());
        // After a "declined" the customer may pay another way.
        entry.lied |= said == Standing::Declined.as_str() && entry.taken() > 0;
        let south = entry.names_its_own();
        let taken = entry.taken();
        // North names what was asked for and what was captured; South only what was taken.
        let amount = twist.amount.unwrap_or(if entry.standing == Standing::Paid && (south || !entry.later) {
            taken
        } else {
            entry.amount
        });
        let captured = if entry.later && entry.standing == Standing::Paid && !south {
            taken.to_string()
        } else {
            "-".into()
        };
        let refunded = if south { "-".to_owned() } else { entry.given_back().to_string() };
        Answered::of(format!(
            "ok|{said}|{amount}|{captured}|{refunded}|{}|{}|.",
            entry.merchant_ref, entry.provider_ref
        ))
    }

    fn operate(
        &mut self,
        now: Micros,
        fields: &[&str],
        twist: &Twist,
        word: &dyn Fn(Standing) -> String,
    ) -> Answered {
        let what = fields[0];
        let (amount, operation, reason) = (fields[3], fields[4], fields[5]);
        let Some(entry) = self.find(fields) else { return Answered::of("refused|14|.".into()) };
        entry.requests.push(Request { what: what.into(), operation: operation.into(), at: now });
        let amount = twist.amount.unwrap_or_else(|| amount.parse().unwrap_or(0));
        entry.lied |= twist.say.is_some();
        entry.twisted |= twist.amount.is_some();
        let text = match what {
            "refund" => {
                if entry.standing != Standing::Paid {
                    return Answered::of("refused|15|.".into());
                }
                // The bank does not count: it is the shop that must not give back more than it took.
                entry.refunds.push(Move { at: now, amount, by: reason.to_owned(), by_shop: true });
                let status = twist.say.clone().unwrap_or_else(|| "succeeded".into());
                let reference = format!("{}-r{}", entry.provider_ref, entry.refunds.len());
                return Answered {
                    text: format!("ok|{status}|{amount}|{reference}|."),
                    done: true,
                    tell: None,
                };
            }
            "capture" if entry.standing == Standing::Held => {
                entry.standing = Standing::Paid;
                entry.debits.push(Move { at: now, amount, by: operation.to_owned(), by_shop: true });
                if let Some(wait) = twist.not_final {
                    entry.not_final_until = now + wait;
                }
                let standing = if entry.not_final_until > now { Standing::Open } else { Standing::Paid };
                format!("ok|{}|{amount}|.", word(standing))
            }
            "void" if entry.standing == Standing::Held => {
                entry.standing = Standing::Canceled;
                format!("ok|{}|{}|.", word(Standing::Canceled), entry.amount)
            }
            "cancel" => {
                if entry.standing == Standing::Open {
                    entry.standing = Standing::Canceled;
                }
                format!("ok|{}|{}|.", word(entry.standing), entry.amount)
            }
            _ => return Answered::of(format!("refused|{}|.", entry.standing.as_str())),
        };
        let tell = (what == "capture").then(|| entry.merchant_ref.clone());
        Answered { text, done: true, tell }
    }

    /// The payer pays, or is declined. None if the page is closed to them.
    pub(crate) fn pay(&mut self, now: Micros, reference: &str, amount: Option<i64>) -> bool {
        let Some(entry) = self.entries.get_mut(reference) else { return false };
        let again = entry.standing == Standing::Declined && !entry.flow.ends_with("charge");
        let open = entry.standing == Standing::Open || again;
        if !entry.shown || !open || now > entry.closes_at() + MINUTE {
            return false;
        }
        if self.declines.remove(&entry.label) {
            entry.standing = Standing::Declined;
            return true;
        }
        let amount = amount.unwrap_or(entry.amount);
        if entry.later {
            entry.standing = Standing::Held;
        } else {
            entry.standing = Standing::Paid;
            entry.debits.push(Move { at: now, amount, by: "payer".into(), by_shop: false });
        }
        true
    }
}
