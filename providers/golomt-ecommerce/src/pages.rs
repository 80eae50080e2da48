//! The addresses that the payer's browser goes to and comes back to.

use tulbur_core::wire::below;
use tulbur_core::{
    AppLink, CallbackUrl, Error, Language, NextAction, PageKind, ProviderRef, Redirect, Result, ReturnUrls,
    Url,
};

use crate::options::{Page, ReturnType};

/// What the bank adds to the callback when the browser comes back (page D-redirect).
pub(crate) const RETURNED: [&str; 3] = ["invoice", "status_code", "desc"];

/// The one address that the bank can send the payer to, as it fits the way of returning.
pub(crate) fn callback(urls: Option<&ReturnUrls>, return_type: ReturnType) -> Result<&CallbackUrl> {
    let wrong = |why: &str| Err(Error::invalid("return_urls", why));
    let Some(urls) = urls else {
        return wrong("they are missing; the bank wants one address to send the payer back to");
    };
    let Some(url) = urls.as_one() else {
        return wrong("they differ; the bank has one address for success, failure and cancel");
    };
    if url.is_app() && return_type != ReturnType::Mobile {
        return wrong("an app's own scheme is returned to by the option `return_type` MOBILE only");
    }
    if let Ok(parsed) = Url::parse(url.as_str())
        && let Some((name, _)) = parsed.query_pairs().find(|(name, _)| RETURNED.contains(&name.as_ref()))
    {
        return wrong(&format!(
            "`{name}` is a name that the bank adds itself; call that parameter otherwise"
        ));
    }
    Ok(url)
}

/// The bank's id of an invoice, which names its pages: a UUID in every sample.
pub(crate) fn invoice_ref(text: &str) -> Result<ProviderRef> {
    let fits = (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if !fits {
        let why = "it is not the letters, digits and hyphens that name a page";
        return Err(Error::new(tulbur_core::ErrorKind::Malformed, why).with_field("invoice"));
    }
    Ok(ProviderRef::parse(text)?)
}

/// The payment pages: in the payer's language first, the preferred kind first; and the app's link, first if the
/// payer is to pay in the app.
pub(crate) fn payment(
    base: &Url,
    invoice: &ProviderRef,
    language: Language,
    page: Page,
    deeplink: Option<&str>,
    app_first: bool,
) -> Vec<NextAction> {
    let kinds = match page {
        Page::Card => [PageKind::Card, PageKind::SocialPay],
        Page::SocialPay => [PageKind::SocialPay, PageKind::Card],
    };
    let mut next: Vec<NextAction> = languages(language)
        .into_iter()
        .flat_map(|language| kinds.map(|kind| redirect(base, kind, language, invoice)))
        .collect();
    if let Some(link) = deeplink {
        let app = AppLink { name: "SocialPay".into(), link: link.into(), logo: None };
        let at = if app_first { 0 } else { next.len() };
        next.insert(at, NextAction::OpenApp(vec![app]));
    }
    next
}

/// The page that saves a card, in the payer's language first.
pub(crate) fn save_card(base: &Url, invoice: &ProviderRef, language: Language) -> Vec<NextAction> {
    languages(language).map(|language| redirect(base, PageKind::SaveCard, language, invoice)).to_vec()
}

fn languages(first: Language) -> [Language; 2] {
    if first == Language::En { [Language::En, Language::Mn] } else { [Language::Mn, Language::En] }
}

fn redirect(base: &Url, page: PageKind, language: Language, invoice: &ProviderRef) -> NextAction {
    let folder = match page {
        PageKind::SocialPay => "socialpay",
        PageKind::SaveCard => "confirmation",
        _ => "payment",
    };
    let url = below(base, &[folder, language.code(), invoice.as_str()]);
    NextAction::Redirect(Redirect { url, page, language: Some(language) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urls(text: &str) -> ReturnUrls {
        let app = text.starts_with("shop:");
        let url = if app { CallbackUrl::app("shop", text) } else { CallbackUrl::parse(text) };
        ReturnUrls::one(url.unwrap())
    }

    #[test]
    fn one_callback_that_fits_the_way_of_returning() {
        for (text, return_type) in [
            ("https://shop.mn/back?order=7", ReturnType::Get),
            ("https://shop.mn/back", ReturnType::Post),
            ("http://127.0.0.1:8080/back", ReturnType::Get),
            ("shop://back", ReturnType::Mobile),
            ("https://shop.mn/opens-the-app", ReturnType::Mobile),
        ] {
            let urls = urls(text);
            assert_eq!(callback(Some(&urls), return_type).unwrap().as_str(), text);
        }
    }

    #[test]
    fn a_callback_that_cannot_work_is_named() {
        let mut three = urls("https://shop.mn/a");
        three.cancel = CallbackUrl::parse("https://shop.mn/b").unwrap();
        for (given, return_type, word) in [
            (None, ReturnType::Get, "missing"),
            (Some(three), ReturnType::Get, "differ"),
            (Some(urls("shop://back")), ReturnType::Get, "MOBILE"),
            (Some(urls("shop://back")), ReturnType::Post, "MOBILE"),
            (Some(urls("https://shop.mn/?invoice=7")), ReturnType::Get, "`invoice`"),
            (Some(urls("https://shop.mn/?a=1&status_code=000")), ReturnType::Post, "`status_code`"),
        ] {
            let error = callback(given.as_ref(), return_type).unwrap_err();
            assert_eq!(error.field(), Some("return_urls"));
            assert!(error.to_string().contains(word), "{error}");
        }
    }

    #[test]
    fn an_invoice_that_is_no_path_segment_is_refused() {
        assert!(invoice_ref("d7fb2858-df36-469e-b40d-2815fe9215cf").is_ok());
        for bad in ["", "..", "a/b", "a?b", "a b", "төлбөр", &"a".repeat(65)] {
            assert_eq!(invoice_ref(bad).unwrap_err().field(), Some("invoice"), "{bad}");
        }
    }

    #[test]
    fn pages_stand_below_the_base_in_both_languages() {
        let invoice = invoice_ref("d7fb2858").unwrap();
        let listed = |base: &str, language, page| -> Vec<String> {
            payment(&Url::parse(base).unwrap(), &invoice, language, page, None, false)
                .into_iter()
                .map(|next| match next {
                    NextAction::Redirect(redirect) => redirect.url.into(),
                    other => panic!("{other:?}"),
                })
                .collect()
        };
        assert_eq!(
            listed("https://ecommerce.golomtbank.com", Language::Mn, Page::Card),
            [
                "https://ecommerce.golomtbank.com/payment/mn/d7fb2858",
                "https://ecommerce.golomtbank.com/socialpay/mn/d7fb2858",
                "https://ecommerce.golomtbank.com/payment/en/d7fb2858",
                "https://ecommerce.golomtbank.com/socialpay/en/d7fb2858",
            ]
        );
        assert_eq!(
            listed("http://localhost:4001/test/", Language::En, Page::SocialPay)[..2],
            [
                "http://localhost:4001/test/socialpay/en/d7fb2858",
                "http://localhost:4001/test/payment/en/d7fb2858"
            ]
        );
        let base = Url::parse("https://bank.example").unwrap();
        let saving = save_card(&base, &invoice, Language::En);
        let NextAction::Redirect(first) = &saving[0] else { panic!("{saving:?}") };
        assert_eq!((saving.len(), first.url.path()), (2, "/confirmation/en/d7fb2858"));
        let link = "socialpay-payment://key=a+b/c==";
        let next = payment(&base, &invoice, Language::Mn, Page::Card, Some(link), true);
        assert!(matches!(&next[0], NextAction::OpenApp(apps) if apps[0].link == link));
        let next = payment(&base, &invoice, Language::Mn, Page::Card, Some(link), false);
        assert!(matches!(&next[4], NextAction::OpenApp(apps) if apps[0].link == link));
    }
}
