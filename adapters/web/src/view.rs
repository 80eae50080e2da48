//! What a page shows of a payment: pure, so that every state can be looked at.

use tulbur_core::{AppLink, Language, NextAction, PageKind, Redirect, Timestamp};
use tulbur_payments::{EndedBy, PaymentRecord, Purpose, Status};

use crate::amount::format_amount;
use crate::route::Page;
use crate::texts::{Texts, Words};

/// How long a page without script waits before it loads itself again, where the payer reads and chooses.
const RELOAD_CHOOSING: u64 = 20;
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

/// A way to go on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct WayLink {
    pub(crate) href: String,
    pub(crate) label: String,
    pub(crate) language: Option<Language>,
}

/// How long the payer still has.
#[derive(Debug)]
pub(crate) struct TimeLeft {
    pub(crate) seconds: u64,
    pub(crate) text: String,
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
    pub(crate) facts: Vec<(&'static str, &'a str)>,
    pub(crate) time_left: Option<TimeLeft>,
    pub(crate) ways: Vec<WayLink>,
    pub(crate) cancel: Option<String>,
    pub(crate) to_payment: Option<String>,
    pub(crate) onward: Option<Onward<'a>>,
    pub(crate) events: Option<String>,
    pub(crate) reload: Option<u64>,
}

/// The addresses that a page links to.
#[derive(Debug)]
pub(crate) struct Addresses {
    pub(crate) checkout: String,
    pub(crate) cancel: String,
    pub(crate) events: String,
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
    fn of(record: &PaymentRecord, page: Page, now: Timestamp, ways: &[WayLink]) -> Self {
        if record.status != Status::Pending {
            return Self::Ended(record.status);
        }
        if record.expires_at.is_some_and(|end| end <= now) {
            return Self::TimeUp;
        }
        match page {
            Page::Checkout if record.next.iter().any(|next| matches!(next, NextAction::Approve)) => {
                Self::Approve
            }
            // What this page cannot show is still something to do elsewhere.
            Page::Checkout if !ways.is_empty() || !record.next.is_empty() => Self::Open,
            Page::Checkout | Page::Result => Self::Asking,
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
        language: Language,
        texts: &'static Texts,
        circumstances: Circumstances,
        addresses: Addresses,
    ) -> Self {
        let words = &texts.words;
        let mut ways = ways(&record.next, language, words);
        let phase = Phase::of(record, page, now, &ways);
        let live = record.status == Status::Pending;
        let can_act = matches!(phase, Phase::Open | Phase::Approve);
        if !can_act {
            ways.clear();
        }
        let (tone, headline, mut paragraphs) = message(record, phase, circumstances, words);
        if phase == Phase::Open && ways.is_empty() {
            paragraphs.push(words.no_way);
        }

        let mut facts = Vec::new();
        if !record.description.is_empty() {
            facts.push((words.description, record.description.as_str()));
        }
        let shown = |text: &'a Option<String>| text.as_deref().filter(|text| !text.trim().is_empty());
        facts.extend(shown(&record.card.brand).map(|brand| (words.card, brand)));
        facts.extend(shown(&record.card.masked_number).map(|number| (words.card, number)));
        facts.extend(shown(&record.card.bank).map(|bank| (words.bank, bank)));
        if record.status == Status::Declined {
            facts.extend(shown(&record.text).map(|text| (words.bank_says, text)));
        }

        let left = record.expires_at.filter(|_| can_act).map(|end| end.since(now).as_secs());
        let back = live && page == Page::Result && phase == Phase::Asking && !record.next.is_empty();
        let onward = record.continue_to.as_ref().filter(|_| !can_act).map(|url| Onward {
            href: url.as_str(),
            label: if record.status.is_success() { words.go_on } else { words.to_shop },
            first: !live,
        });
        Self {
            tone,
            state: format!("{}/{}/{}", record.status, phase.word(), ways.len()),
            headline,
            paragraphs,
            amount: record.amount().map(|amount| format_amount(amount, texts.language)),
            facts,
            time_left: left.map(|seconds| TimeLeft { seconds, text: clock(seconds) }),
            ways,
            cancel: can_act.then_some(addresses.cancel),
            to_payment: back.then_some(addresses.checkout),
            onward,
            events: live.then_some(addresses.events),
            reload: live.then_some(if can_act { RELOAD_CHOOSING } else { RELOAD_WAITING }),
        }
    }
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
        Phase::Approve => ("open", words.waiting, vec![words.approve]),
        // `Phase::of` makes no ended phase that is pending; were there one, nothing would be known.
        Phase::Asking | Phase::Ended(Status::Pending) => ("busy", words.asking, vec![words.asking_explained]),
        Phase::TimeUp => ("busy", words.time_up, vec![words.time_up_explained]),
        Phase::Ended(Status::Paid) if circumstances.paid_again => {
            ("good", words.paid, vec![words.paid_again])
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

/// The buttons: what this page can offer, in the provider's order, each kind of page once.
fn ways(next: &[NextAction], language: Language, words: &'static Words) -> Vec<WayLink> {
    let redirects: Vec<&Redirect> = next
        .iter()
        .filter_map(|next| match next {
            NextAction::Redirect(redirect) if matches!(redirect.url.scheme(), "https" | "http") => {
                Some(redirect)
            }
            _ => None,
        })
        .collect();
    let mut seen = Vec::new();
    let mut links = Vec::new();
    for action in next {
        match action {
            NextAction::Redirect(Redirect { page, .. }) if !seen.contains(page) => {
                seen.push(*page);
                let same = || redirects.iter().filter(|redirect| redirect.page == *page);
                let best = same()
                    .find(|redirect| redirect.language == Some(language))
                    .or_else(|| same().find(|redirect| redirect.language.is_none()))
                    .or_else(|| same().next());
                links.extend(best.map(|redirect| WayLink {
                    href: redirect.url.to_string(),
                    label: name(*page, words).to_owned(),
                    language: redirect.language,
                }));
            }
            NextAction::OpenApp(apps) => links.extend(apps.iter().filter(|app| opens_an_app(&app.link)).map(
                |AppLink { name, link, .. }| WayLink {
                    href: link.clone(),
                    label: format!("{} {name}", words.open_app),
                    language: None,
                },
            )),
            _ => {}
        }
    }
    links
}

fn name(page: PageKind, words: &'static Words) -> &'static str {
    match page {
        PageKind::Card => words.pay_by_card,
        PageKind::SocialPay => words.pay_by_socialpay,
        PageKind::SaveCard => words.enter_card,
        PageKind::Challenge => words.challenge,
        _ => words.pay,
    }
}

/// Whether a link opens an app or a page, and runs nothing here.
///
/// It is passed on byte for byte, so this reads it as a browser would: a scheme at its very start, nothing that a
/// browser leaves out while it reads.
fn opens_an_app(link: &str) -> bool {
    let Some((scheme, _)) = link.split_once(':') else { return false };
    let scheme = scheme.to_ascii_lowercase();
    !link.chars().any(char::is_control)
        && scheme.starts_with(|c: char| c.is_ascii_lowercase())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
        && !matches!(scheme.as_str(), "javascript" | "data" | "vbscript" | "file" | "blob" | "about" | "http")
}

fn clock(seconds: u64) -> String {
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}
