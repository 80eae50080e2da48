//! Reads the payload for the payer: the bank puts a QR payload or an app's link into one and the same field.

use tulbur_core::{AppLink, Error, ErrorKind, Money, NextAction, Result, Way};
use tulbur_qr::Payload;

use crate::sign::CURRENCY;

/// How every EMVCo payload begins: element 00, two characters, version 01.
const EMVCO: &str = "000201";
/// Tögrög in ISO 4217's numbers.
const TOGROG: &str = "496";
/// Schemes that a browser would act on by itself. No app has them.
const NOT_APPS: [&str; 7] = ["javascript", "data", "vbscript", "file", "blob", "about", "view-source"];
/// Much more than any link has; a QR holds 2953 bytes.
const LONGEST: usize = 2953;

/// Decides by what `desc` is, whichever operation gave it: page D-qr says an EMVCo payload, R-erxes has read a link
/// from both operations (contradiction C1 in the book's page). Either is passed on byte for byte.
///
/// # Errors
/// [`ErrorKind::Malformed`] when it is neither; [`ErrorKind::Untrusted`] when a payload asks for another amount than
/// was asked for, so that the payer would pay that one.
pub(crate) fn next(desc: &str, way: Way, amount: Money) -> Result<Vec<NextAction>> {
    if desc.starts_with(EMVCO) {
        check_payload(desc, amount)?;
        return Ok(vec![NextAction::ShowQr(desc.to_owned())]);
    }
    if !is_link(desc) {
        let why = "it is neither an EMVCo payload nor a link that opens an app";
        return Err(Error::new(ErrorKind::Malformed, why).with_field("desc"));
    }
    // This form of link carries another issuer's QR.
    if let Some((_, payload)) = desc.split_once("qPay_QRcode=")
        && payload.starts_with(EMVCO)
    {
        check_payload(payload, amount)?;
    }
    let link = AppLink { name: "SocialPay".into(), link: desc.to_owned(), logo: None };
    // R-erxes draws a QR of the link as well: a phone's camera opens the app from it.
    let next = [NextAction::OpenApp(vec![link]), NextAction::ShowQr(desc.to_owned())];
    Ok(if way == Way::App { next.to_vec() } else { next.into_iter().rev().collect() })
}

/// A payload that our own reader cannot read may still be one that SocialPay can, so only what is surely wrong is
/// refused. The checksum is not judged: the bank's own sample has another than EMVCo's.
fn check_payload(text: &str, asked: Money) -> Result<()> {
    let refuse = |kind, why: String| Err(Error::new(kind, why).with_field("desc"));
    if text.len() > LONGEST || text.chars().any(char::is_control) {
        return refuse(
            ErrorKind::Malformed,
            "it is longer than a QR can be, or has control characters".into(),
        );
    }
    let Ok(payload) = Payload::parse(text) else { return Ok(()) };
    if let Some(currency) = payload.currency().filter(|currency| *currency != TOGROG) {
        let shown: String = currency.chars().take(3).collect();
        return refuse(ErrorKind::Untrusted, format!("the QR is in currency {shown}, not tögrög (496)"));
    }
    match payload.amount().map(|amount| Money::parse(amount, CURRENCY)) {
        Some(Ok(said)) if said != asked => {
            refuse(ErrorKind::Untrusted, format!("the QR asks the payer for {said}; {asked} was asked for"))
        }
        _ => Ok(()),
    }
}

/// A link that an app may own. Its exact form is unknown, so any scheme but a browser's own is taken; and blanks, because
/// a link that carries a QR's payload may have the merchant's name as it is.
fn is_link(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else { return false };
    let named = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
    named
        && !rest.is_empty()
        && text.len() <= LONGEST
        && !NOT_APPS.iter().any(|known| scheme.eq_ignore_ascii_case(known))
        && text.trim() == text
        && !text.chars().any(|c| c.is_control() || (c.is_whitespace() && c != ' '))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The answer printed on page D-qr.
    const SAMPLE: &str = "00020101021215312662049626620496002303100000147520460105303496540411005802MN\
        5908kub-test6011ULAANBAATAR62440121000008191937071002124031500000000003430080020163045aea";
    const LINK: &str = "socialpay-payment://key=Tm90L2Ega2V5+YXQ/YWxsAA==";

    fn money(text: &str) -> Money {
        Money::parse(text, CURRENCY).unwrap()
    }

    #[test]
    fn a_payload_is_shown_as_it_came_from_either_operation() {
        for way in [Way::Qr, Way::App] {
            assert_eq!(next(SAMPLE, way, money("1100")).unwrap(), [NextAction::ShowQr(SAMPLE.into())]);
        }
    }

    #[test]
    fn a_link_opens_the_app_and_is_shown_from_either_operation() {
        for link in [
            LINK,
            "socialpay-payment://q?qPay_QRcode=0002010102",
            "socialpay-payment://q?qPay_QRcode=00020101021254041100590851 b-test",
            "https://pay.example/socialpay-payment?a=b",
        ] {
            let in_app = next(link, Way::App, money("1100")).unwrap();
            let [NextAction::OpenApp(apps), NextAction::ShowQr(shown)] = &in_app[..] else {
                panic!("{in_app:?}")
            };
            assert_eq!((apps[0].link.as_str(), shown.as_str()), (link, link), "byte for byte");
            let by_qr = next(link, Way::Qr, money("1100")).unwrap();
            assert!(
                matches!(&by_qr[..], [NextAction::ShowQr(shown), NextAction::OpenApp(_)] if shown == link)
            );
        }
    }

    #[test]
    fn a_qr_that_asks_for_other_money_is_not_shown() {
        let error = next(SAMPLE, Way::Qr, money("1100.01")).unwrap_err();
        assert_eq!((error.kind(), error.field()), (ErrorKind::Untrusted, Some("desc")));
        let link = format!("socialpay-payment://q?qPay_QRcode={SAMPLE}");
        assert!(next(&link, Way::App, money("1100")).is_ok());
        assert_eq!(next(&link, Way::App, money("1")).unwrap_err().kind(), ErrorKind::Untrusted);
        let dollars = SAMPLE.replace("5303496", "5303840");
        assert_eq!(next(&dollars, Way::Qr, money("1100")).unwrap_err().kind(), ErrorKind::Untrusted);
    }

    #[test]
    fn a_payload_that_only_the_bank_can_read_is_passed_on() {
        for text in [&SAMPLE[..SAMPLE.len() - 4], &format!("{SAMPLE}ff"), "00020199zz"] {
            assert_eq!(next(text, Way::Qr, money("1")).unwrap(), [NextAction::ShowQr(text.into())], "{text}");
        }
        // Without an amount the payer types one; the check finds out which.
        let open = "0002010102115303496";
        assert!(next(open, Way::Qr, money("1")).is_ok());
    }

    #[test]
    fn what_is_neither_is_refused() {
        for text in [
            "Амжилттай",
            "success",
            "://x",
            "socialpay-payment://",
            "javascript://%0aalert(1)",
            "JavaScript://x",
            "data://text/html,x",
            "socialpay payment://key=a",
            "socialpay-payment://key=a ",
            "socialpay-payment://key=a\u{a0}b",
            "socialpay-payment://key=a\n",
            "1a://x",
            "000201\u{0}",
            "00020",
        ] {
            let error = next(text, Way::App, money("1100")).unwrap_err();
            assert_eq!((error.kind(), error.field()), (ErrorKind::Malformed, Some("desc")), "{text:?}");
        }
        assert!(next(&format!("a://{}", "b".repeat(LONGEST)), Way::App, money("1")).is_err());
    }

    proptest! {
        #[test]
        fn no_text_panics_and_what_is_shown_is_what_came(text in ".{0,200}", emv in any::<bool>()) {
            let text = if emv { format!("{EMVCO}{text}") } else { text };
            if let Ok(next) = next(&text, Way::Qr, money("1")) {
                prop_assert!(matches!(&next[0], NextAction::ShowQr(shown) if *shown == text));
            }
        }
    }
}
