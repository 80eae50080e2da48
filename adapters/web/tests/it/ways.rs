//! The ways to pay as pages draw them: QR, app links, modal, phone, and the display at a till.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::support::{Answer, Like, Said, VIETQR, World, app, modal};
use proptest::prelude::*;
use tulbur_core::{AppLink, Currency, Language, NextAction, PaymentStatus, UtcOffset};
use tulbur_payments::{PaymentRecord, Status};
use tulbur_web::WebSettings;

const SCRIPT: &str = "https://stc.bank.example/modal.js?v=1";

async fn opened(world: &World, next: &[NextAction]) -> PaymentRecord {
    world.open_like(Like { next: Some(next.to_vec()), ..Like::default() }).await
}

async fn checkout(world: &World, record: &PaymentRecord, language: &str) -> Answer {
    let page = world.get(&format!("/checkout/{}?lang={language}", world.secret(record))).await;
    assert_eq!(page.status, 200);
    page
}

async fn display(world: &World, record: &PaymentRecord, language: &str) -> Answer {
    let page = world.get(&format!("/display/{}?lang={language}", world.secret(record))).await;
    assert_eq!(page.status, 200);
    page
}

fn policy(page: &Answer) -> &str {
    page.header("content-security-policy").unwrap()
}

fn qr() -> NextAction {
    NextAction::ShowQr(VIETQR.into())
}

/// Where a text stands on a page, which must have it once.
fn at(page: &Answer, text: &str) -> usize {
    assert_eq!(page.body.matches(text).count(), 1, "{text} in {}", page.body);
    page.body.find(text).unwrap()
}

#[tokio::test]
async fn a_qr_is_drawn_in_the_page_and_can_be_read_as_text() {
    let world = World::new().await;
    let record = opened(&world, &[qr()]).await;
    for (language, caption) in
        [("mn", "QR кодыг уншуулна уу"), ("en", "Scan this QR code"), ("vi", "Quét mã QR")]
    {
        let page = checkout(&world, &record, language).await;
        at(&page, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 ");
        at(&page, &format!("<code translate=\"no\">{VIETQR}</code>"));
        at(&page, caption);
        at(&page, "role=\"img\" aria-label=\"");
        assert!(!page.body.contains("<img"), "nothing is loaded for it");
    }
}

#[tokio::test]
async fn an_app_stands_with_its_qr_and_the_order_is_the_providers() {
    let world = World::new().await;
    let card = crate::support::bank::redirect("https://bank.example/card", tulbur_core::PageKind::Card, None);
    let next = [NextAction::Approve, app("SocialPay", "socialpay-payment://q?x=1"), card, qr()];
    let record = opened(&world, &next).await;
    let page = checkout(&world, &record, "en").await;
    let order = [
        at(&page, "approve the invoice on your phone"),
        at(&page, "<figure class=\"qr\">"),
        at(&page, "href=\"socialpay-payment://q?x=1\""),
        at(&page, "https://bank.example/card"),
    ];
    assert!(order.is_sorted(), "{order:?}");
    assert_eq!(page.element("h1"), "Waiting for your payment");
}

#[tokio::test]
async fn many_apps_are_named_once_each() {
    let world = World::new().await;
    let apps = ["Khan", "Golomt", "TDB", "Xac", "Most"].map(|name| AppLink {
        name: name.into(),
        link: format!("{}://q?qPay_QRcode=0002", name.to_lowercase()),
        logo: Some(tulbur_core::Url::parse("https://cdn.example/logo.png").unwrap()),
    });
    let record = opened(&world, &[NextAction::OpenApp(apps.to_vec())]).await;
    let page = checkout(&world, &record, "vi").await;
    at(&page, "Mở ứng dụng của bạn:");
    for app in &apps {
        at(&page, &format!(">{}</a>", app.name));
    }
    assert!(!page.body.contains("cdn.example"), "no picture is loaded from elsewhere");
}

#[tokio::test]
async fn text_from_a_provider_is_only_text() {
    let evil = "\"'></code></a><script src=//evil.example></script>&amp;";
    let world = World::new().await;
    let link = format!("wallet://{evil}");
    let next = [NextAction::ShowQr(evil.into()), app(evil, &link), modal(SCRIPT, evil), modal(SCRIPT, "x")];
    let record = opened(&world, &next).await;
    let escaped = evil
        .replace('&', "&#38;")
        .replace('"', "&#34;")
        .replace('\'', "&#39;")
        .replace('<', "&#60;")
        .replace('>', "&#62;");
    for page in [checkout(&world, &record, "en").await, display(&world, &record, "en").await] {
        assert!(!page.body.contains("<script src=//"), "{}", page.body);
    }
    let page = checkout(&world, &record, "en").await;
    assert_eq!(page.body.matches(&escaped).count(), 4, "payload, link, name and value: {}", page.body);
}

#[tokio::test]
async fn a_modal_has_its_script_its_container_and_room_in_the_policy() {
    let world = World::new().await;
    let record = opened(&world, &[modal(SCRIPT, "https://pay.bank.example/p/1?a=1&b=2")]).await;
    let page = checkout(&world, &record, "en").await;
    at(&page, &format!("<script src=\"{SCRIPT}\" defer></script>"));
    at(&page, "<div id=\"fake-bank-box\"></div>");
    at(&page, "data-function=\"fakeBankPay\"");
    at(&page, "data-value=\"https://pay.bank.example/p/1?a=1&#38;b=2\"");
    // For whom there is no script, or none of the bank's, a link leads to the same place.
    at(&page, "href=\"https://pay.bank.example/p/1?a=1&#38;b=2\"");
    let secret = world.secret(&record);
    at(&page, &format!("data-result=\"/tulbur/checkout/{secret}/result?lang=en\""));
    assert_eq!(
        policy(&page),
        "default-src 'none'; style-src 'self'; script-src 'self' https://stc.bank.example; connect-src 'self'; \
         img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; \
         frame-src https://stc.bank.example https://pay.bank.example"
    );
    // Everywhere else the policy is as narrow as ever.
    let elsewhere = [
        world.get(&format!("/checkout/{secret}/result")).await,
        display(&world, &record, "en").await,
        world.get("/checkout/x").await,
        checkout(&world, &world.settle(&record, Said::status(PaymentStatus::Paid)).await, "en").await,
    ];
    for page in elsewhere {
        assert!(!policy(&page).contains("bank.example"), "{}", policy(&page));
        assert!(!page.body.contains("bank.example") && !page.body.contains("data-function"));
    }
}

#[tokio::test]
async fn a_modal_that_is_no_page_says_what_it_needs() {
    let world = World::new().await;
    let record = opened(&world, &[modal(SCRIPT, "session-1234")]).await;
    let page = checkout(&world, &record, "vi").await;
    assert!(page.body.contains("<button type=\"button\" class=\"button first\" disabled"));
    at(&page, "<noscript><p class=\"aside\">Cách thanh toán này cần bật JavaScript");
    assert!(!page.body.contains("href=\"session-1234\""));
}

#[tokio::test]
async fn without_script_a_page_comes_again_and_prints_its_time() {
    let world = World::new().await;
    let card = crate::support::bank::redirect("https://bank.example/card", tulbur_core::PageKind::Card, None);
    for (next, seconds) in [(qr(), 10), (NextAction::Approve, 10), (card, 20)] {
        let record = opened(&world, &[next]).await;
        let page = checkout(&world, &record, "en").await;
        at(&page, &format!("<noscript><meta http-equiv=\"refresh\" content=\"{seconds}\"></noscript>"));
        // 2026-11-21T12:00:00.000Z, and as clocks in Ulaanbaatar show it.
        let moment = record.expires_at.unwrap();
        at(&page, &format!("<time datetime=\"{moment}\">"));
        at(&page, &format!("{} (UTC+8)</time>", moment.format_at(8, "%H:%M")));
        at(&page, "role=\"timer\" data-seconds=\"");
        let shown = display(&world, &record, "en").await;
        at(&shown, "<noscript><meta http-equiv=\"refresh\" content=\"5\"></noscript>");
    }
}

#[tokio::test]
async fn clocks_are_those_of_the_currencys_home_or_as_set() {
    let ends = async |world: &World, currency: Currency| {
        let like = Like { currency, minor: 100_000, ..Like::default() };
        let record = world.open_like(like).await;
        let page = checkout(world, &record, "en").await;
        let shown = page.element("time");
        let zone = shown.split(" (").nth(1).unwrap().trim_end_matches(')').to_owned();
        (zone, shown.split(" (").next().unwrap().to_owned(), record.expires_at.unwrap())
    };
    let world = World::new().await;
    for (currency, zone, hours) in
        [(Currency::MNT, "UTC+8", 8), (Currency::VND, "UTC+7", 7), (Currency::USD, "UTC", 0)]
    {
        let (shown, time, moment) = ends(&world, currency).await;
        assert_eq!(shown, zone);
        assert!(time.ends_with(&moment.format_at(hours, "%H:%M")), "{time}");
    }
    for (offset, zone) in
        [("-03:00", "UTC-3"), ("-03:30", "UTC-3:30"), ("+05:45", "UTC+5:45"), ("+10:00", "UTC+10")]
    {
        let offset = UtcOffset::parse(offset).unwrap();
        let settings = WebSettings::default().utc_offset(offset);
        let world = World::with("https://shop.example/tulbur/", settings).await;
        let (shown, time, moment) = ends(&world, Currency::MNT).await;
        assert_eq!(shown, zone);
        assert!(time.ends_with(&moment.format_at(offset, "%H:%M")), "{time}");
    }
}

#[tokio::test]
async fn amounts_are_written_as_at_home_on_both_pages() {
    let world = World::new().await;
    for (currency, minor, language, text) in [
        (Currency::VND, 100_000, "vi", "100.000 ₫"),
        (Currency::VND, 100_000, "en", "100.000 ₫"),
        (Currency::USD, 1_250, "en", "$12.50"),
        (Currency::USD, 1_250, "vi", "12,50 US$"),
        (Currency::JPY, 1_500, "en", "¥1,500"),
        (Currency::MNT, 150_000, "vi", "1,500 ₮"),
    ] {
        let like = Like { currency, minor, next: Some(vec![qr()]), ..Like::default() };
        let record = world.open_like(like).await;
        at(&checkout(&world, &record, language).await, text);
        at(&display(&world, &record, language).await, text);
    }
}

#[tokio::test]
async fn a_display_shows_what_a_customer_needs_and_nothing_to_press() {
    let world = World::new().await;
    let like = Like {
        next: Some(vec![NextAction::Approve, app("SocialPay", "socialpay-payment://q"), qr()]),
        description: "for the payer only".into(),
        language: Language::Vi,
        ..Like::default()
    };
    let record = world.open_like(like).await;
    let address = world.web.display_url(&record).unwrap();
    assert_eq!(address.as_str(), format!("https://shop.example/tulbur/display/{}", world.secret(&record)));
    let page = world.get(&format!("/display/{}", world.secret(&record))).await;
    at(&page, "<html lang=\"vi\">");
    at(&page, "1,500 ₮");
    at(&page, "viewBox=\"0 0 53 53\"");
    at(&page, "role=\"timer\"");
    at(&page, "Quét mã QR");
    at(&page, &format!("data-events=\"/tulbur/checkout/{}/events\"", world.secret(&record)));
    for missing in
        ["<a ", "<form", "<button", "<details", "socialpay-payment", "for the payer only", VIETQR, "<header"]
    {
        assert!(!page.body.contains(missing), "{missing}");
    }
    for (said, tone, headline) in [
        (PaymentStatus::Declined, "bad", "Thanh toán không thành công"),
        (PaymentStatus::Paid, "good", "Thanh toán thành công"),
        (PaymentStatus::Expired, "ended", "Hóa đơn đã hết hạn"),
    ] {
        let like = Like { next: Some(vec![qr()]), language: Language::Vi, ..Like::default() };
        let record = world.open_like(like).await;
        let record = world.settle(&record, Said::status(said)).await;
        let page = world.get(&format!("/display/{}", world.secret(&record))).await;
        at(&page, &format!("<main class=\"{tone}\""));
        assert_eq!(page.element("h1"), headline);
        for missing in ["<a ", "class=\"picture\"", "data-events", "http-equiv", "role=\"timer\""] {
            assert!(!page.body.contains(missing), "{missing}");
        }
    }
}

#[tokio::test]
async fn a_display_without_a_qr_says_what_to_do() {
    let world = World::new().await;
    let card = crate::support::bank::redirect("https://bank.example/card", tulbur_core::PageKind::Card, None);
    for (next, told) in [
        (vec![card.clone(), NextAction::Approve], "approve the invoice on your phone"),
        (vec![card], "ask the cashier"),
    ] {
        let record = opened(&world, &next).await;
        at(&display(&world, &record, "en").await, told);
    }
    let record = opened(&world, &[qr()]).await;
    world.clock.advance(Duration::from_secs(601));
    let page = display(&world, &record, "en").await;
    assert_eq!(page.element("h1"), "The time to pay is over");
    assert!(!page.body.contains("class=\"picture\""), "nobody is to pay it any more");
}

#[tokio::test]
async fn a_reload_alone_is_enough_for_the_bank_to_be_asked() {
    let world = World::new().await;
    for room in ["checkout", "display"] {
        let record = opened(&world, &[qr()]).await;
        let path = format!("/{room}/{}", world.secret(&record));
        let before = world.bank.asked.load(Ordering::SeqCst);
        let began = Instant::now();
        world.bank.say(&record, Said::status(PaymentStatus::Paid));
        // No notification, no live status: the page was only loaded, and as often as somebody can press a key.
        for _ in 0..10 {
            world.get(&path).await;
        }
        assert_eq!(world.status(&record, Status::Paid).await, Status::Paid, "{room}");
        let asked = world.bank.asked.load(Ordering::SeqCst) - before;
        // At the flow's pace of 20 ms, however long the machine took for the pages.
        let most = 2 + began.elapsed().as_millis() / 20;
        assert!((1..=most).contains(&(asked as u128)), "{room}: asked {asked} times, at most {most}");
        assert!(world.get(&path).await.body.contains("<main class=\"good\""), "{room}");
    }
}

#[tokio::test]
async fn a_page_tells_its_script_when_something_else_is_shown() {
    let world = World::new().await;
    let state = |page: &Answer| {
        page.body.split("data-state=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
    };
    let first = opened(&world, &[NextAction::ShowQr("one".into())]).await;
    let second = opened(&world, &[NextAction::ShowQr("two".into())]).await;
    let shown = state(&checkout(&world, &first, "en").await);
    assert_ne!(shown, state(&checkout(&world, &second, "en").await));
    world.clock.advance(Duration::from_mins(1));
    assert_eq!(shown, state(&checkout(&world, &first, "en").await), "the clock alone is no change");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// A link is passed on byte for byte: undoing HTML's escaping gives what the provider sent.
    #[test]
    fn a_link_comes_out_as_it_went_in(rest in "[ -~а-я%&<>\"']{0,80}") {
        let link = format!("socialpay-payment://{rest}");
        let page = tokio::runtime::Runtime::new().unwrap().block_on(async {
            let world = World::new().await;
            let record = opened(&world, &[app("Wallet", &link)]).await;
            checkout(&world, &record, "en").await
        });
        let shown = page.body.split("href=\"socialpay").nth(1).unwrap().split('"').next().unwrap();
        let read = format!("socialpay{shown}")
            .replace("&#60;", "<")
            .replace("&#62;", ">")
            .replace("&#34;", "\"")
            .replace("&#39;", "'")
            .replace("&#38;", "&");
        prop_assert_eq!(read, link);
    }
}
