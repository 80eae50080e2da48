//! Reads what the payer can do from the answer to a create: the QR, the banks' apps, the short link.

use tulbur_core::wire::filled;
use tulbur_core::{
    AppLink, Error, ErrorKind, FreeText, Language, Money, NextAction, PageKind, Redirect, Result, Url, Way,
    is_protected,
};
use tulbur_qr::Payload;

use crate::info::CURRENCY;
use crate::wire::{InvoiceAnswer, Link};

/// The schemes of the bank and wallet apps that QPay is known to link to, by their names in GER (2026): for web adapters,
/// which offer links of named apps only. Set and order come from QPay with each invoice and change, so a shop may have to
/// add to these.
pub const APP_SCHEMES: &[&str] = &[
    "qpaywallet",
    "khanbank",
    "statebankmongolia",
    "statebank",
    "xacbank",
    "tdbbank",
    "socialpay-payment",
    "most",
    "nibank",
    "ckbank",
    "capitronbank",
    "bogdbank",
    "transbank",
    "mbank",
    "ard",
    "toki",
    "arig",
    "monpay",
    "hipay",
    "tdbwallet",
];

/// Tögrög in ISO 4217's numbers.
const TOGROG: &str = "496";
/// The most characters of a bill number in a QR (EMVCo, element 62/01). Of a longer number only the beginning fits.
const LONGEST_BILL: usize = 25;
const FIELD: &str = "qr_text";

/// What was asked for, as far as a QR repeats it.
pub(crate) struct Asked<'a> {
    pub(crate) number: &'a str,
    pub(crate) amount: Money,
    pub(crate) way: Way,
    pub(crate) language: Language,
}

/// What the payer can do, the way that was asked for first.
///
/// # Errors
/// [`ErrorKind::Malformed`] when there is no QR, or its checksum is wrong; [`ErrorKind::Untrusted`] when it asks the
/// payer for other money, or is another invoice's.
pub(crate) fn next(answer: &InvoiceAnswer<'_>, asked: &Asked<'_>) -> Result<Vec<NextAction>> {
    let text = tulbur_core::wire::needed(FIELD, &answer.qr_text)?;
    check_qr(text, asked)?;
    let mut next = vec![(Way::Qr, NextAction::ShowQr(text.to_owned()))];
    let apps = apps(answer, asked.language);
    if !apps.is_empty() {
        next.push((Way::App, NextAction::OpenApp(apps)));
    }
    // The payer can do without it, so one that no browser may open is left out.
    if let Some(url) = filled(&answer.short_url).and_then(|text| Url::parse(text).ok()).filter(is_protected) {
        next.push((
            Way::Page,
            NextAction::Redirect(Redirect { url, page: PageKind::Choice, language: None }),
        ));
    }
    next.sort_by_key(|(way, _)| *way != asked.way);
    Ok(next.into_iter().map(|(_, action)| action).collect())
}

/// The answer to a create repeats nothing of ours but in its QR, so that is where a wrong answer is found.
fn check_qr(text: &str, asked: &Asked<'_>) -> Result<()> {
    let wrong = |kind, why: String| Err(Error::new(kind, why).with_field(FIELD));
    let Ok(payload) = Payload::parse(text) else {
        return wrong(ErrorKind::Malformed, "it is no EMVCo payload".into());
    };
    if payload.checksum().is_err() {
        return wrong(ErrorKind::Malformed, "its checksum is missing or wrong".into());
    }
    if payload.currency().is_some_and(|currency| currency != TOGROG) {
        return wrong(ErrorKind::Untrusted, "the QR is in another currency than tögrög (496)".into());
    }
    if let Some(said) = payload.amount()
        && Money::parse(said, CURRENCY).ok() != Some(asked.amount)
    {
        let why = format!("the QR asks the payer for another amount than the {} asked for", asked.amount);
        return wrong(ErrorKind::Untrusted, why);
    }
    if payload.bill_number().is_some_and(|bill| !is_ours(bill, asked.number)) {
        return wrong(ErrorKind::Untrusted, "the QR is of another invoice than the one asked for".into());
    }
    Ok(())
}

/// Whether a bill number is our number, or as much of it as fits.
fn is_ours(bill: &str, number: &str) -> bool {
    bill == number || (bill.len() >= LONGEST_BILL && number.starts_with(bill))
}

/// The links byte for byte, in QPay's order. `urls` wins where both lists are there (QG).
fn apps(answer: &InvoiceAnswer<'_>, language: Language) -> Vec<AppLink> {
    let lists = [&answer.urls, &answer.deeplinks].into_iter().flatten();
    let links = lists.into_iter().find(|links| !links.is_empty());
    links.into_iter().flatten().filter_map(|link| app(link, language)).collect()
}

fn app(link: &Link<'_>, language: Language) -> Option<AppLink> {
    let target = filled(&link.link)?;
    // `description` is the Mongolian name (GER).
    let (name, other) = (filled(&link.name), filled(&link.description));
    let shown = if language == Language::Mn { other.or(name) } else { name.or(other) };
    Some(AppLink {
        name: FreeText::new(shown.unwrap_or("QPay")),
        link: target.to_owned(),
        logo: filled(&link.logo).and_then(|logo| Url::parse(logo).ok()).filter(is_protected),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = "0002010102121531279404962794049600022310027138152045734530349654031005802MN5904TEST\
        6011Ulaanbaatar6244010712345670504test0721qWlrS8_zUpplFJmmfBGXc6304C66D";

    fn asked<'a>(number: &'a str, amount: &str) -> Asked<'a> {
        let amount = Money::parse(amount, CURRENCY).unwrap();
        Asked { number, amount, way: Way::Qr, language: Language::Mn }
    }

    #[test]
    fn a_qr_is_for_the_amount_and_the_number_asked_for() {
        assert!(check_qr(SAMPLE, &asked("1234567", "100")).is_ok());
        assert!(check_qr(&SAMPLE.replace("C66D", "c66d"), &asked("1234567", "100.00")).is_ok());
        for (text, number, amount, kind) in [
            (SAMPLE, "1234567", "101", ErrorKind::Untrusted),
            (SAMPLE, "1234567", "100.50", ErrorKind::Untrusted),
            (SAMPLE, "1234568", "100", ErrorKind::Untrusted),
            (SAMPLE, "12345678", "100", ErrorKind::Untrusted),
            (&SAMPLE.replace("C66D", "C66E"), "1234567", "100", ErrorKind::Malformed),
            (&SAMPLE.replace("54031005", "54031015"), "1234567", "101", ErrorKind::Malformed),
            (&SAMPLE[..40], "1234567", "100", ErrorKind::Malformed),
            ("https://qpay.mn", "1234567", "100", ErrorKind::Malformed),
        ] {
            let error = check_qr(text, &asked(number, amount)).unwrap_err();
            assert_eq!((error.kind(), error.field()), (kind, Some(FIELD)), "{number} {amount}");
        }
    }

    #[test]
    fn of_a_long_number_the_beginning_is_enough() {
        let long = "0190a1b2c3d47e5f8a9b0c1d2e3f4a5b";
        assert!(is_ours(&long[..25], long));
        assert!(is_ours(long, long));
        assert!(!is_ours(&long[..24], long));
        assert!(!is_ours(&long[1..26], long));
        assert!(!is_ours("", long));
    }
}
