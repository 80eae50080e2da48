//! Selects the content of a payment's page. It is pure, so that a test can look at every state.

use std::borrow::Cow;

use tulbur_core::{Currency, Money, Timestamp, UtcOffset};
use tulbur_payments::{EndedBy, PaymentRecord, Purpose, Status};

use crate::amount::format_amount;
use crate::assets::fingerprint;
use crate::route::Page;
use crate::texts::{Texts, Words};
use crate::ways::{Modal, Way, ways};

/// How long a page without script waits before it loads itself again, where the payer reads and chooses.
const RELOAD_CHOOSING: u64 = 20;
/// The same, where the payer pays elsewhere and this page only has to hear of it.
const RELOAD_SHOWING: u64 = 10;
/// The same, where the payer only waits.
const RELOAD_WAITING: u64 = 5;

/// What is known beyond the payment itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Circumstances {
    /// Its order was paid by another payment.
    pub(crate) paid_again: bool,
    /// The money came after it had ended.
    pub(crate) late: bool,
}

/// For whom a page is written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a> {
    pub(crate) texts: &'static Texts,
    /// How far from UTC the clocks on the wall are; none for the currency's home.
    pub(crate) offset: Option<UtcOffset>,
    /// The schemes of the apps whose links are offered, besides those of this project's providers.
    pub(crate) apps: &'a [String],
}

/// How long the payer still has.
#[derive(Debug)]
pub(crate) struct TimeLeft {
    pub(crate) seconds: u64,
    pub(crate) text: String,
    /// When it ends, as a clock on the wall shows it, with its distance from UTC.
    pub(crate) until: String,
    /// The same for machines.
    pub(crate) moment: String,
}

/// The link to the shop.
#[derive(Debug)]
pub(crate) struct Onward<'a> {
    pub(crate) href: &'a str,
    pub(crate) label: &'static str,
    /// Whether it is what the payer most likely wants.
    pub(crate) first: bool,
}

/// Everything on a page.
#[derive(Debug)]
pub(crate) struct View<'a> {
    /// The class that colours the page: `open`, `busy`, `good`, `bad` or `ended`.
    pub(crate) tone: &'static str,
    /// Differs whenever something else is shown, but for the clock.
    pub(crate) state: String,
    pub(crate) headline: &'static str,
    pub(crate) paragraphs: Vec<&'static str>,
    pub(crate) amount: Option<String>,
    pub(crate) facts: Vec<(&'static str, Cow<'a, str>)>,
    pub(crate) time_left: Option<TimeLeft>,
    pub(crate) ways: Vec<Way>,
    pub(crate) cancel: Option<String>,
    pub(crate) to_payment: Option<String>,
    pub(crate) onward: Option<Onward<'a>>,
    pub(crate) events: Option<String>,
    pub(crate) reload: Option<u64>,
    /// Where the payer is once a modal says that it is done.
    pub(crate) result: String,
}

/// The addresses that a page links to.
#[derive(Debug)]
pub(crate) struct Addresses {
    pub(crate) checkout: String,
    pub(crate) cancel: String,
    pub(crate) events: String,
    pub(crate) result: String,
}

/// How a payment stands, as the payer sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The payer can do something.
    Open,
    /// The payer approves on the phone.
    Approve,
    /// The payer cannot do anything here, and nothing is known yet.
    Asking,
    /// As asking, because time ran out.
    TimeUp,
    Ended(Status),
}

impl Phase {
    fn of(record: &PaymentRecord, page: Page, now: Timestamp, ways: &[Way]) -> Self {
        if record.status != Status::Pending {
            return Self::Ended(record.status);
        }
        if record.expires_at.is_some_and(|end| end <= now) {
            return Self::TimeUp;
        }
        match page {
            Page::Result => Self::Asking,
            _ if ways.first() == Some(&Way::Approve) => Self::Approve,
            // What this page cannot show is still something to do elsewhere.
            _ if !ways.is_empty() || !record.next.is_empty() => Self::Open,
            _ => Self::Asking,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Approve => "approve",
            Self::Asking => "asking",
            Self::TimeUp => "time-up",
            Self::Ended(status) => status.as_str(),
        }
    }
}

impl<'a> View<'a> {
    pub(crate) fn of(
        record: &'a PaymentRecord,
        page: Page,
        now: Timestamp,
        reader: Reader<'_>,
        circumstances: Circumstances,
        addresses: Addresses,
    ) -> Self {
        let words = &reader.texts.words;
        let mut ways = ways(&record.next, reader.texts, reader.apps);
        if page == Page::Display {
            ways = for_display(ways);
        }
        let phase = Phase::of(record, page, now, &ways);
        let live = record.status == Status::Pending;
        let can_act = matches!(phase, Phase::Open | Phase::Approve);
        if !can_act {
            ways.clear();
        }
        let (tone, headline, mut paragraphs) = message(record, phase, circumstances, words);
        if is_paid_in_part(record) {
            paragraphs.push(words.paid_in_part);
        }
        if phase == Phase::Open && ways.is_empty() {
            paragraphs.push(if page == Page::Display { words.ask_the_cashier } else { words.no_way });
        }

        let mut facts = Vec::new();
        if !record.description.is_empty() {
            facts.push((words.description, record.description.as_str().into()));
        }
        if let Some(received) = record.received().filter(|received| Some(*received) != record.amount()) {
            facts.push((words.received, format_amount(received, reader.texts.language).into()));
        }
        let shown = |text: Option<&'a str>| text.filter(|text| !text.trim().is_empty()).map(Cow::from);
        let card = &record.card;
        facts.extend(shown(card.brand.as_deref()).map(|brand| (words.card, brand)));
        facts.extend(shown(card.masked_number.as_deref()).map(|number| (words.card, number)));
        facts.extend(shown(card.bank.as_deref()).map(|bank| (words.bank, bank)));
        if record.status == Status::Declined {
            facts.extend(shown(record.text.as_deref()).map(|text| (words.bank_says, text)));
        }

        let time_left =
            record.expires_at.filter(|_| can_act).map(|end| TimeLeft::until(end, now, record, reader));
        let back = live && page == Page::Result && phase == Phase::Asking && !record.next.is_empty();
        let onward = record.continue_to.as_ref().filter(|_| !can_act).map(|url| Onward {
            href: url.as_str(),
            label: if record.status.is_success() { words.go_on } else { words.to_shop },
            first: !live,
        });
        Self {
            tone,
            state: format!(
                "{}/{}/{:x}",
                record.status,
                phase.word(),
                fingerprint(format!("{ways:?}{:?}", record.received()).as_bytes())
            ),
            headline,
            paragraphs,
            amount: record.amount().map(|amount| format_amount(amount, reader.texts.language)),
            facts,
            time_left,
            cancel: can_act.then_some(addresses.cancel),
            to_payment: back.then_some(addresses.checkout),
            onward,
            events: live.then_some(addresses.events),
            reload: live.then_some(match page {
                _ if !can_act => RELOAD_WAITING,
                Page::Display => RELOAD_WAITING,
                _ if ways.iter().any(|way| matches!(way, Way::Scan { .. } | Way::Approve)) => RELOAD_SHOWING,
                _ => RELOAD_CHOOSING,
            }),
            result: addresses.result,
            ways,
        }
    }
}

impl TimeLeft {
    fn until(end: Timestamp, now: Timestamp, record: &PaymentRecord, reader: Reader<'_>) -> Self {
        let home = match record.amount().map(Money::currency) {
            Some(Currency::MNT) => 8,
            Some(Currency::VND) => 7,
            _ => 0,
        };
        let offset = reader.offset.unwrap_or_else(|| UtcOffset::from(home));
        let day = |moment: Timestamp| moment.format_at(offset, "%Y-%m-%d");
        let pattern = if day(end) == day(now) { "%H:%M" } else { "%Y-%m-%d %H:%M" };
        // `UTC+8`, `UTC-3:30`: without zeros that say nothing.
        let text = offset.to_string();
        let (sign, rest) = text.split_at(1);
        let rest = rest.strip_suffix(":00").unwrap_or(rest);
        let zone = match rest.strip_prefix('0').unwrap_or(rest) {
            "0" => "UTC".to_owned(),
            rest => format!("UTC{sign}{rest}"),
        };
        let seconds = end.since(now).as_secs();
        Self {
            seconds,
            text: clock(seconds),
            until: format!("{} ({zone})", end.format_at(offset, pattern)),
            moment: end.to_string(),
        }
    }
}

impl View<'_> {
    /// Whether the alternatives need a headline of their own: a QR or a word about the phone says it by itself.
    pub(crate) fn is_choice(&self) -> bool {
        match self.ways.as_slice() {
            [Way::Scan { qr: Some(_), .. } | Way::Approve] => false,
            ways => !ways.is_empty(),
        }
    }

    /// The modal among the ways.
    pub(crate) fn modal(&self) -> Option<&Modal> {
        self.ways.iter().find_map(|way| match way {
            Way::Modal(modal) => Some(modal),
            _ => None,
        })
    }

    /// What a display says largest beside the amount: what to do, or how it stands.
    pub(crate) fn display_headline(&self, words: &'static Words) -> &'static str {
        match self.ways.first() {
            Some(Way::Scan { .. }) => words.scan,
            Some(Way::Approve) => words.approve,
            _ => self.headline,
        }
    }

    /// Whether the amount needs small letters on a display.
    pub(crate) fn is_long_amount(&self) -> bool {
        self.amount.as_ref().is_some_and(|amount| amount.chars().count() > 10)
    }
}

/// The one thing that a display shows: whoever stands before it cannot press anything, and chooses nothing.
fn for_display(ways: Vec<Way>) -> Vec<Way> {
    let (codes, others): (Vec<Way>, Vec<Way>) =
        ways.into_iter().partition(|way| matches!(way, Way::Scan { qr: Some(_), .. }));
    codes.into_iter().chain(others.into_iter().filter(|way| *way == Way::Approve)).take(1).collect()
}

/// Tone, headline and explanation. What is not known is never told as a failure.
fn message(
    record: &PaymentRecord,
    phase: Phase,
    circumstances: Circumstances,
    words: &'static Words,
) -> (&'static str, &'static str, Vec<&'static str>) {
    let card_only = matches!(record.purpose, Purpose::CardSetup { .. });
    let choose = |payment, card| if card_only { card } else { payment };
    match phase {
        Phase::Open => ("open", choose(words.invoice, words.save_a_card), Vec::new()),
        Phase::Approve => ("open", words.waiting, Vec::new()),
        // `Phase::of` makes no ended phase that is pending; were there one, nothing would be known.
        Phase::Asking | Phase::Ended(Status::Pending) => ("busy", words.asking, vec![words.asking_explained]),
        Phase::TimeUp => ("busy", words.time_up, vec![words.time_up_explained]),
        Phase::Ended(Status::Paid) if circumstances.paid_again => {
            ("good", words.paid, vec![words.paid_again])
        }
        Phase::Ended(Status::Paid) if is_paid_too_much(record) => {
            ("good", words.paid, vec![words.paid_explained, words.paid_too_much])
        }
        Phase::Ended(Status::Paid) if circumstances.late => {
            ("good", words.paid, vec![words.paid_late_explained])
        }
        Phase::Ended(Status::Paid) => ("good", words.paid, vec![words.paid_explained]),
        Phase::Ended(Status::Saved) => ("good", words.saved, vec![words.saved_explained]),
        Phase::Ended(Status::Authorized) => ("good", words.authorized, vec![words.authorized_explained]),
        Phase::Ended(Status::Declined) => (
            "bad",
            choose(words.declined, words.card_declined),
            vec![choose(words.declined_explained, words.card_declined_explained)],
        ),
        Phase::Ended(Status::Canceled) => {
            let mut told = vec![words.canceled_explained];
            told.extend((record.ended_by == Some(EndedBy::Us) && !card_only).then_some(words.ended_by_us));
            ("ended", choose(words.canceled, words.card_canceled), told)
        }
        Phase::Ended(Status::Expired) => {
            let by_us = record.ended_by != Some(EndedBy::Provider) && !card_only;
            let told = if by_us { words.ended_by_us } else { words.expired_explained };
            ("ended", choose(words.expired, words.card_expired), vec![told])
        }
    }
}

/// Whether a part has come, and the rest is still to be paid.
fn is_paid_in_part(record: &PaymentRecord) -> bool {
    record.status == Status::Pending && record.received().is_some()
}

/// Whether more is there than was asked for.
fn is_paid_too_much(record: &PaymentRecord) -> bool {
    let sums = record.received().zip(record.amount());
    record.status == Status::Paid && sums.is_some_and(|(received, asked)| received.minor() > asked.minor())
}

fn clock(seconds: u64) -> String {
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}
