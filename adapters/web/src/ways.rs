//! Selects the ways to pay that a page offers, from the provider's alternatives. It is pure.

use tulbur_core::{AppLink, Embed, Language, NextAction, PageKind, Redirect, Url, is_protected};
use tulbur_qr::{Correction, Picture};

use crate::texts::{Texts, Words};

/// A picture of more modules on a side than this is drawn larger: a payload for payment has about fifty.
const DENSE: usize = 65;

/// One alternative, as it is drawn.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// A button to a page of the provider's.
    Page(Link),
    /// A QR, app buttons, or both: the same bill for two devices, so they stand together.
    Scan { qr: Option<Qr>, apps: Vec<Link> },
    /// A button that opens the provider's own modal.
    Modal(Modal),
    /// A word that the invoice is on the payer's phone.
    Approve,
}

/// A link to go on by.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) href: String,
    pub(crate) label: String,
    pub(crate) language: Option<Language>,
}

/// A QR code and the text that is in it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Qr {
    pub(crate) payload: String,
    pub(crate) svg: String,
    /// Whether it has so many modules that it needs all the room there is.
    pub(crate) dense: bool,
}

/// A provider's modal that this page can open.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Modal {
    pub(crate) script: String,
    pub(crate) function: String,
    pub(crate) container: String,
    pub(crate) value: String,
    /// The value, where it is a page that a browser without script can go to.
    pub(crate) href: Option<String>,
    /// Where scripts may come from.
    script_origin: String,
    /// Where frames may come from: the script's origin, and the value's where that is another.
    frame_origins: String,
}

impl Modal {
    /// Draws what the provider asks for, if its names and addresses can stand in a page and in its policy.
    fn of(embed: &Embed) -> Option<Self> {
        let script_origin = origin(&embed.script)?;
        let function = &embed.function;
        let identifier = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '$');
        let callable =
            function.chars().all(identifier) && !function.starts_with(|c: char| c.is_ascii_digit());
        let container = &embed.container;
        let findable = !container.is_empty() && !container.contains(|c: char| c.is_whitespace());
        if function.is_empty() || !callable || !findable {
            return None;
        }
        let page = Url::parse(&embed.value).ok();
        let page_origin = page.as_ref().and_then(origin);
        let frame_origins = match &page_origin {
            Some(other) if *other != script_origin => format!("{script_origin} {other}"),
            _ => script_origin.clone(),
        };
        Some(Self {
            script: embed.script.to_string(),
            function: function.clone(),
            container: container.clone(),
            value: embed.value.clone(),
            href: page_origin.is_some().then(|| embed.value.clone()),
            script_origin,
            frame_origins,
        })
    }

    /// The page's policy with room for this modal, and for nothing else.
    pub(crate) fn opens(&self, policy: &str) -> String {
        let scripts = format!("script-src 'self' {}", self.script_origin);
        format!("{}; frame-src {}", policy.replace("script-src 'self'", &scripts), self.frame_origins)
    }
}

/// The origin of a protected address, or of one on this machine, if it can stand in a policy as it is: a host may hold
/// characters that mean something there.
fn origin(url: &Url) -> Option<String> {
    let plain = url.host_str()?.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'));
    (is_protected(url) && plain).then(|| url.origin().ascii_serialization())
}

/// The schemes of the apps that this project's providers have links to: SocialPay (Golomt Bank's pages on its E-Commerce
/// deeplink).
const KNOWN_APPS: &[&str] = &["socialpay-payment"];

/// What this page can offer, in the provider's order; each kind of page once.
///
/// Pages that are not protected are left out, and links of apps that nobody named.
pub(crate) fn ways(next: &[NextAction], texts: &'static Texts, apps: &[String]) -> Vec<Way> {
    let Texts { language, words, .. } = texts;
    let redirects: Vec<&Redirect> = next
        .iter()
        .filter_map(|next| match next {
            NextAction::Redirect(redirect) if is_protected(&redirect.url) => Some(redirect),
            _ => None,
        })
        .collect();
    let mut seen = Vec::new();
    let mut ways = Vec::new();
    for action in next {
        match action {
            NextAction::Redirect(Redirect { page, .. }) if !seen.contains(page) => {
                seen.push(*page);
                let same = || redirects.iter().filter(|redirect| redirect.page == *page);
                let best = same()
                    .find(|redirect| redirect.language == Some(*language))
                    .or_else(|| same().find(|redirect| redirect.language.is_none()))
                    .or_else(|| same().next());
                ways.extend(best.map(|redirect| {
                    Way::Page(Link {
                        href: redirect.url.to_string(),
                        label: name(*page, words).to_owned(),
                        language: redirect.language,
                    })
                }));
            }
            NextAction::ShowQr(payload) => ways = with_qr(ways, payload),
            NextAction::OpenApp(offered) => ways = with_apps(ways, offered, apps),
            // The page's policy has room for one.
            NextAction::Embed(embed) if !ways.iter().any(|way| matches!(way, Way::Modal(_))) => {
                ways.extend(Modal::of(embed).map(Way::Modal));
            }
            NextAction::Approve if !ways.contains(&Way::Approve) => ways.push(Way::Approve),
            _ => {}
        }
    }
    name_apps(&mut ways, words);
    ways
}

fn with_qr(mut ways: Vec<Way>, payload: &str) -> Vec<Way> {
    // A text that is too long for any QR is no alternative.
    let picture = Picture::of_text(payload, Correction::default()).ok().filter(|_| !payload.is_empty());
    let Some(picture) = picture else { return ways };
    let drawn = Qr { payload: payload.to_owned(), svg: picture.to_svg(), dense: picture.side() > DENSE };
    let waiting = ways.iter_mut().find_map(|way| match way {
        Way::Scan { qr: qr @ None, .. } => Some(qr),
        _ => None,
    });
    match waiting {
        Some(qr) => *qr = Some(drawn),
        None => ways.push(Way::Scan { qr: Some(drawn), apps: Vec::new() }),
    }
    ways
}

fn with_apps(mut ways: Vec<Way>, offered: &[AppLink], known: &[String]) -> Vec<Way> {
    let links: Vec<Link> = offered
        .iter()
        .filter(|app| app.opens(KNOWN_APPS) || app.opens(known))
        .map(|AppLink { name, link, .. }| Link {
            href: link.clone(),
            label: name.to_string(),
            language: None,
        })
        .collect();
    if links.is_empty() {
        return ways;
    }
    let standing = ways.iter_mut().find_map(|way| match way {
        Way::Scan { apps, .. } => Some(apps),
        _ => None,
    });
    match standing {
        Some(apps) => apps.extend(links),
        None => ways.push(Way::Scan { qr: None, apps: links }),
    }
    ways
}

/// One app's button says what it does; several have it said above them.
fn name_apps(ways: &mut [Way], words: &'static Words) {
    for way in ways {
        if let Way::Scan { apps, .. } = way
            && let [only] = apps.as_mut_slice()
        {
            only.label = format!("{} {}", words.open_app, only.label);
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::texts::texts;

    fn made(next: &[NextAction]) -> Vec<Way> {
        ways(next, texts(Language::En), &["a".to_owned(), "b".to_owned()])
    }

    fn app(name: &str) -> NextAction {
        let link = AppLink { name: name.into(), link: format!("{name}://pay"), logo: None };
        NextAction::OpenApp(vec![link])
    }

    fn embed(script: &str, value: &str) -> Embed {
        Embed {
            script: Url::parse(script).unwrap(),
            function: "openPay".into(),
            container: "pay-box".into(),
            value: value.into(),
        }
    }

    /// The kinds of ways, and how many apps stand with a QR.
    fn kinds(ways: &[Way]) -> String {
        let kind = |way: &Way| match way {
            Way::Page(_) => "page".to_owned(),
            Way::Scan { qr, apps } => format!("{}+{}", if qr.is_some() { "qr" } else { "-" }, apps.len()),
            Way::Modal(_) => "modal".to_owned(),
            Way::Approve => "approve".to_owned(),
        };
        ways.iter().map(kind).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn alternatives_keep_their_order_and_a_qr_stands_with_its_apps() {
        let qr = || NextAction::ShowQr("0002".into());
        let page = || {
            let url = Url::parse("https://bank.example/").unwrap();
            NextAction::Redirect(Redirect { url, page: PageKind::Card, language: None })
        };
        for (next, expected) in [
            (vec![qr(), page(), NextAction::Approve], "qr+0 page approve"),
            (vec![app("a"), qr()], "qr+1"),
            (vec![qr(), page(), app("a"), app("b")], "qr+2 page"),
            (vec![app("a"), page(), qr()], "qr+1 page"),
            (vec![qr(), NextAction::ShowQr("another".into()), app("a")], "qr+1 qr+0"),
            (vec![NextAction::Approve, NextAction::Approve, page()], "approve page"),
            (vec![NextAction::ShowQr(String::new()), app("a")], "-+1"),
            (vec![NextAction::ShowQr("x".repeat(5000))], ""),
            (vec![NextAction::OpenApp(Vec::new())], ""),
        ] {
            assert_eq!(kinds(&made(&next)), expected);
        }
    }

    #[test]
    fn a_page_that_is_not_protected_is_not_offered() {
        let offered = |url: &str| {
            let url = Url::parse(url).unwrap();
            !made(&[NextAction::Redirect(Redirect { url, page: PageKind::Card, language: None })]).is_empty()
        };
        for good in
            ["https://bank.example/", "http://127.0.0.1:4001/", "http://localhost:4001/", "http://[::1]/"]
        {
            assert!(offered(good), "{good}");
        }
        for bad in [
            "http://bank.example/",
            "https://bank.example@evil.example/",
            "http://127.0.0.1@evil.example/",
            "ftp://bank.example/",
            "intent://pay#Intent;end",
            "javascript:alert(1)",
            "data:text/html,x",
        ] {
            assert!(!offered(bad), "{bad}");
        }
    }

    #[test]
    fn one_app_says_what_its_button_does_and_several_are_names() {
        let labels = |next: &[NextAction]| match made(next).pop() {
            Some(Way::Scan { apps, .. }) => apps.into_iter().map(|app| app.label).collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        };
        assert_eq!(labels(&[app("a")]), ["Open the app: a"]);
        assert_eq!(labels(&[app("a"), app("b")]), ["a", "b"]);
    }

    #[test]
    fn a_modal_opens_the_policy_for_its_origins_alone() {
        let opened = |script, value| match made(&[NextAction::Embed(embed(script, value))]).pop() {
            Some(Way::Modal(modal)) => Some((modal.opens("a; script-src 'self'; b"), modal.href)),
            _ => None,
        };
        assert_eq!(
            opened("https://stc.example/a/modal.js?v=1", "https://stc.example/p/1?a=1&b=2"),
            Some((
                "a; script-src 'self' https://stc.example; b; frame-src https://stc.example".into(),
                Some("https://stc.example/p/1?a=1&b=2".into())
            ))
        );
        assert_eq!(
            opened("http://127.0.0.1:4003/modal.js", "https://pay.example:8443/p"),
            Some((
                "a; script-src 'self' http://127.0.0.1:4003; b; frame-src http://127.0.0.1:4003 \
                 https://pay.example:8443"
                    .into(),
                Some("https://pay.example:8443/p".into())
            ))
        );
        for value in ["not an address", "javascript:alert(1)", "data:text/html,x", "http://plain.example/"] {
            let (policy, href) = opened("https://stc.example/modal.js", value).unwrap();
            assert_eq!(href, None, "{value}");
            assert!(policy.ends_with("frame-src https://stc.example"), "{policy}");
        }
        for script in [
            "http://stc.example/modal.js",
            "data:text/javascript,x",
            "https://a;sandbox/modal.js",
            "https://a,b/modal.js",
            "https://*.example/modal.js",
            "https://[::1]/modal.js",
        ] {
            assert_eq!(opened(script, "https://pay.example/"), None, "{script}");
        }
    }

    #[test]
    fn a_modal_with_names_that_cannot_stand_is_not_offered() {
        for (function, container) in
            [("", "box"), ("a.b", "box"), ("1a", "box"), ("f()", "box"), ("f", ""), ("f", "a b")]
        {
            let mut one = embed("https://stc.example/modal.js", "x");
            (one.function, one.container) = (function.into(), container.into());
            assert_eq!(made(&[NextAction::Embed(one)]), [], "{function} {container}");
        }
        let two = || NextAction::Embed(embed("https://stc.example/modal.js", "x"));
        assert_eq!(kinds(&made(&[two(), two()])), "modal");
    }
}
