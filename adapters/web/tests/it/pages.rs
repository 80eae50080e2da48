//! What payers see and what the routes answer, without a socket: everything that the shared vectors do not say.

use std::time::Duration;

use crate::support::{ACCOUNT, BANK_CODE, CARD_TOKEN, Like, NOTIFY_KEY, Said, World, app, given};
use tulbur_core::{CardInfo, Language, NextAction, PageKind, PaymentStatus, Redirect, Url};
use tulbur_payments::Status;
use tulbur_web::WebSettings;

const STATES: [&str; 15] = [
    "open",
    "part",
    "too-much",
    "time-up",
    "paid",
    "late",
    "paid-again",
    "authorized",
    "declined",
    "canceled",
    "expired",
    "expired-at-bank",
    "setup-open",
    "setup-paid",
    "setup-declined",
];

#[tokio::test]
async fn every_state_on_every_page_is_whole_and_keeps_its_secrets() {
    for word in STATES {
        let world = World::new().await;
        let record = given(&world, word, Like::default(), Some("Татгалзсан".into())).await;
        let secret = world.secret(&record);
        let paths = ["/checkout/{}", "/checkout/{}/result", "/display/{}"];
        for path in paths.map(|path| path.replace("{}", &secret)) {
            for language in ["mn", "en", "vi"] {
                let page = world.get(&format!("{path}?lang={language}")).await;
                assert_eq!(page.status, 200, "{word}");
                assert!(page.body.contains(&format!("<html lang=\"{language}\">")), "{word}");
                for (open, close) in
                    [("<main", "</main>"), ("<h1", "</h1>"), ("<dl", "</dl>"), ("<div", "</div>")]
                {
                    let count = |what| page.body.matches(what).count();
                    assert_eq!(count(open), count(close), "{word}: {open}");
                }
                assert_eq!(page.body.matches("<h1").count(), 1, "{word}");
                assert!(page.element("title").starts_with(&page.element("h1")), "{word}");
                for hidden in [
                    CARD_TOKEN,
                    BANK_CODE,
                    "4987381234563883",
                    record.reference.merchant_ref.as_str(),
                    record.id.as_str(),
                    "customer-1",
                    "order-",
                ] {
                    assert!(!page.body.contains(hidden), "{word} shows {hidden}");
                }
            }
        }
    }
}

#[tokio::test]
async fn only_a_pending_payment_is_live() {
    for word in STATES {
        let world = World::new().await;
        let record = given(&world, word, Like::default(), None).await;
        let page = world.get(&format!("/checkout/{}", world.secret(&record))).await;
        let live = record.status == Status::Pending;
        assert_eq!(page.body.contains("data-events"), live, "{word}");
        assert_eq!(page.body.contains("http-equiv=\"refresh\""), live, "{word}");
        let acts = matches!(word, "open" | "part" | "setup-open");
        assert_eq!(page.body.contains("<form"), acts, "{word}");
        assert_eq!(page.body.contains("https://bank.example/"), acts, "{word}");
        assert_eq!(page.body.contains("role=\"timer\""), acts, "{word}");
        // The shop is offered when there is nothing left to do here.
        assert_eq!(
            page.body.contains("https://shop.example/thanks"),
            !acts && !word.starts_with("setup"),
            "{word}"
        );
    }
}

/// The payer of a part sees what has come and can pay the rest; the payer of too much is not asked for more.
#[tokio::test]
async fn money_in_parts_is_told_as_what_it_is() {
    let world = World::new().await;
    for (state, words, headline) in [
        ("part", "A part of the amount has arrived. Please pay the rest.", "Invoice"),
        ("too-much", "More than the amount has arrived. The shop has been told.", "Payment successful"),
    ] {
        let record = given(&world, state, Like { language: Language::En, ..Like::default() }, None).await;
        let page = world.get(&format!("/checkout/{}", world.secret(&record))).await;
        assert!(page.body.contains(words), "{state}: {}", page.body);
        assert_eq!(page.element("h1"), headline, "{state}");
        assert!(page.body.contains("<dt>Received</dt>"), "{state}");
    }
}

#[tokio::test]
async fn nothing_unknown_is_told_as_a_failure() {
    let world = World::new().await;
    for word in ["open", "time-up"] {
        let record = given(&world, word, Like { language: Language::En, ..Like::default() }, None).await;
        for page in ["", "/result"] {
            let page = world.get(&format!("/checkout/{}{page}", world.secret(&record))).await;
            let told = page.body.split("class=\"status\"").nth(1).unwrap().split("</div>").next().unwrap();
            for failure in ["declined", "expired", "canceled", "not saved"] {
                assert!(!told.contains(failure), "{word}: {failure}");
            }
            assert!(
                ["open", "busy"].iter().any(|tone| page.body.contains(&format!("<main class=\"{tone}\"")))
            );
        }
    }
}

#[tokio::test]
async fn text_from_outside_is_only_text() {
    let evil = "</dd><script src=//evil.example></script>\"'&<b>";
    let world = World::new().await;
    let like = Like { description: evil.into(), ..Like::default() };
    let record = world.open_like(like).await;
    let card = CardInfo::masked(Some("<i>1</i>")).with_bank(Some(evil)).with_brand(Some(evil));
    let declined = Said { status: PaymentStatus::Declined, text: Some(evil.into()), card, parts: Vec::new() };
    let record = world.settle(&record, declined).await;
    assert_eq!(record.status, Status::Declined);
    let page = world.get(&format!("/checkout/{}", world.secret(&record))).await;
    assert_eq!(page.body.matches("&#60;script src=//evil.example&#62;").count(), 4);
    for raw in ["<script src=//", "<b>", "<i>"] {
        assert!(!page.body.contains(raw), "{raw}");
    }
    let world = World::with("https://shop.example/", WebSettings::default().shop(evil)).await;
    let page = world.get("/checkout/x").await;
    assert!(page.body.contains("&#60;script") && !page.body.contains("<script src=//"));
}

#[tokio::test]
async fn a_card_number_in_a_bank_s_words_is_on_no_page() {
    for number in ["4111 1111 1111 1111", "4111-1111-1111-1111", "x4111111111111111", "٤١١١١١١١١١١١١١١١"]
    {
        let world = World::new().await;
        let record = world.open_like(Like::default()).await;
        let card = CardInfo::masked(Some(number)).with_bank(Some(number)).with_brand(Some(number));
        let declined =
            Said { status: PaymentStatus::Declined, text: Some(number.into()), card, parts: Vec::new() };
        let record = world.settle(&record, declined).await;
        let page = world.get(&format!("/checkout/{}", world.secret(&record))).await;
        assert!(!page.body.contains(number), "{number}");
        assert_eq!(page.body.matches("[hidden]").count(), 3, "{}", page.body);
    }
}

#[tokio::test]
async fn a_link_from_a_provider_opens_an_app_and_runs_nothing() {
    let world = World::new().await;
    let good = ["socialpay-payment://key=AbC+/=%zz", "https://wallet.example/pay?a=1&b=2", "most-money:x y"];
    let bad = [
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        "java\nscript:alert(1)",
        " javascript:alert(1)",
        "\u{1}javascript:alert(1)",
        "data:text/html,x",
        "vbscript:x",
        "file:///etc/passwd",
        "http://plain.example/",
        "https://bank.example@evil.example/",
        "ftp://plain.example/",
        "intent://pay#Intent;scheme=wallet;end",
        "view-source:https://plain.example/",
        "filesystem:https://plain.example/x",
        "an-app-that-nobody-named://pay",
        "//evil.example",
        "no-scheme",
        "",
    ];
    for link in good.iter().chain(&bad) {
        world.bank.next.lock().unwrap().push(app("Wallet", link));
    }
    let record = world.open().await;
    let page = world.get(&format!("/checkout/{}", world.secret(&record))).await;
    assert_eq!(page.body.matches("Wallet</a>").count(), good.len(), "{}", page.body);
    for link in good {
        let escaped = link.replace('&', "&#38;");
        assert!(page.body.contains(&format!("href=\"{escaped}\"")), "{link}");
    }
}

#[tokio::test]
async fn buttons_prefer_the_payers_language_and_keep_the_providers_order() {
    let world = World::new().await;
    let more = |url: &str, page, language| {
        NextAction::Redirect(Redirect { url: Url::parse(url).unwrap(), page, language })
    };
    world.bank.next.lock().unwrap().extend([
        more("https://bank.example/choice-vi", PageKind::Choice, Some(Language::Vi)),
        more("https://bank.example/choice", PageKind::Choice, None),
        more("https://bank.example/challenge-mn", PageKind::Challenge, Some(Language::Mn)),
        more("myapp://not-a-page", PageKind::SaveCard, None),
    ]);
    let record = world.open().await;
    let page = world.get(&format!("/checkout/{}?lang=en", world.secret(&record))).await;
    let links: Vec<&str> = page
        .body
        .split("<a class=\"button")
        .skip(1)
        .map(|link| link.split("href=\"").nth(1).unwrap().split('"').next().unwrap())
        .collect();
    let expected =
        ["en/card", "en/wallet", "choice", "challenge-mn"].map(|path| format!("https://bank.example/{path}"));
    assert_eq!(links, expected);
}

#[tokio::test]
async fn what_this_page_cannot_show_is_said() {
    let world = World::new().await;
    world.bank.next.lock().unwrap().push(NextAction::Approve);
    let record = world.open().await;
    let page = world.get(&format!("/checkout/{}?lang=en", world.secret(&record))).await;
    assert!(page.body.contains("approve the invoice on your phone"));
}

#[tokio::test]
async fn the_countdown_follows_the_injected_clock() {
    let world = World::new().await;
    let record = world.open().await;
    let path = format!("/checkout/{}", world.secret(&record));
    let left = async || {
        let page = world.get(&path).await;
        let text = page.body.split("data-seconds=\"").nth(1).unwrap();
        text.split('"').next().unwrap().parse::<u64>().unwrap()
    };
    assert!((540..=600).contains(&left().await));
    world.clock.advance(Duration::from_mins(5));
    assert!((240..=300).contains(&left().await));
}

#[tokio::test]
async fn a_page_of_no_payment_is_in_the_browsers_language() {
    let world = World::new().await;
    let html = async |accepted: &str, query: &str| {
        let page =
            world.send("GET", &format!("/checkout/x{query}"), &[("Accept-Language", accepted)], b"").await;
        assert_eq!(page.status, 404);
        page.body.split("<html lang=\"").nth(1).unwrap()[..2].to_owned()
    };
    assert_eq!(html("en-GB,en;q=0.9", "").await, "en");
    assert_eq!(html("ru, mn-MN;q=0.8", "").await, "mn");
    assert_eq!(html("de", "").await, "mn");
    for (accepted, language) in [
        ("mn;q=0.5, en;q=0.9", "en"),
        ("mn;q=0.5,vi;q=0.501,en;q=0.1", "vi"),
        ("en;q=0, vi;q=0.1", "vi"),
        ("en;q=0", "mn"),
        ("en; q=0.3, vi ; Q=0.7", "vi"),
        ("vi, en", "vi"),
        ("en;q=0.5, *;q=0.9", "en"),
        ("en;q=nonsense, vi;q=0.2", "vi"),
        ("en;q=9, vi;q=0.2", "vi"),
        ("zh-Hant;q=0.9, vi-VN;q=0.2", "vi"),
    ] {
        assert_eq!(html(accepted, "").await, language, "{accepted}");
    }
    assert_eq!(html("", "").await, "mn");
    assert_eq!(html("mn", "?lang=en").await, "en");
    assert_eq!(html("en", "?lang=xx").await, "en");
    let world = World::with("https://shop.example/", WebSettings::default().language(Language::En)).await;
    assert!(world.get("/checkout/x").await.body.contains("<html lang=\"en\">"));
}

#[tokio::test]
async fn every_answer_is_kept_out_of_caches_and_frames() {
    let world = World::new().await;
    let record = world.open().await;
    let secret = world.secret(&record);
    let reference = record.reference.merchant_ref.as_str();
    let key = ("x-fake-key", NOTIFY_KEY);
    let body = format!("{{\"reference\":\"{reference}\"}}");
    let answers = [
        world.get(&format!("/checkout/{secret}")).await,
        world.get(&format!("/checkout/{secret}/result")).await,
        world.get(&format!("/checkout/{secret}/events")).await,
        world.get(&format!("/return/{ACCOUNT}/{secret}?reference={reference}")).await,
        world.get(&format!("/return/{ACCOUNT}/{secret}?reference=other")).await,
        world.send("POST", &format!("/notify/{ACCOUNT}"), &[key], body.as_bytes()).await,
        world.send("POST", "/notify/nobody", &[], b"").await,
        world.send("DELETE", &format!("/checkout/{secret}"), &[], b"").await,
        world.send("POST", &format!("/notify/{ACCOUNT}"), &[], &vec![b' '; 65_537]).await,
        world.get("/checkout/x").await,
        world.get("/").await,
        world.send("POST", &format!("/checkout/{secret}/cancel"), &[], b"").await,
    ];
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, [200, 200, 200, 303, 400, 200, 403, 405, 413, 404, 404, 303]);
    for answer in &answers {
        let status = answer.status;
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{status}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{status}");
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{status}");
        assert_eq!(answer.header("cross-origin-resource-policy"), Some("same-origin"), "{status}");
        if answer.header("content-type") == Some("text/html; charset=utf-8") {
            let policy = answer.header("content-security-policy").unwrap();
            for part in
                ["default-src 'none'", "frame-ancestors 'none'", "form-action 'self'", "base-uri 'none'"]
            {
                assert!(policy.contains(part), "{part}");
            }
            assert!(!policy.contains("unsafe"));
            assert_eq!(answer.header("x-frame-options"), Some("DENY"));
            assert_eq!(answer.header("cross-origin-opener-policy"), Some("same-origin"));
            assert!(answer.header("permissions-policy").is_some_and(|policy| policy.contains("payment=()")));
            // Nothing inline would run, so nothing inline may be needed.
            assert!(!answer.body.contains("<script>") && !answer.body.contains("<style"));
            assert!(!answer.body.contains(" style=") && !answer.body.contains(" onclick="));
        }
        for (name, value) in &answer.headers {
            assert!(value.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{name}: {value}");
        }
    }
}

#[tokio::test]
async fn pages_load_their_own_two_files_and_nothing_else() {
    let world = World::at("https://shop.example/deep/tulbur").await;
    let record = world.open().await;
    let page = world.get(&format!("/checkout/{}", world.secret(&record))).await;
    let loaded: Vec<&str> = page
        .body
        .split(['<'])
        .filter(|tag| tag.starts_with("link") || tag.starts_with("script") || tag.starts_with("img"))
        .map(|tag| tag.split(['"']).find(|part| part.starts_with('/') || part.contains("//")).unwrap())
        .collect();
    assert_eq!(loaded.len(), 2);
    for address in loaded {
        let below = address.strip_prefix("/deep/tulbur").expect("an address below the mount");
        let file = world.get(below).await;
        assert_eq!(file.status, 200);
        assert!(file.header("cache-control").unwrap().contains("immutable"));
    }
}

#[tokio::test]
async fn debug_output_keeps_secrets() {
    let world = World::new().await;
    let record = world.open().await;
    let secret = world.secret(&record);
    let request = tulbur_web::WebRequest {
        method: "GET".into(),
        path: format!("/checkout/{secret}/cancel"),
        query: Some(format!("x={secret}")),
        headers: vec![("referer".into(), secret.clone())],
        body: secret.clone().into(),
        peer: None,
    };
    assert!(!format!("{request:?}").contains(&secret));
    let request = tulbur_web::WebRequest { method: "POST".into(), query: None, ..request };
    let response = world.web.handle(request).await;
    assert_eq!(response.status, 303);
    assert!(!format!("{response:?}").contains(&secret));
    assert!(!format!("{:?}", world.web).contains(&secret));
}

#[tokio::test]
async fn a_database_that_is_gone_is_told_and_nothing_is_called_a_success() {
    let world = World::new().await;
    let record = world.open().await;
    let secret = world.secret(&record);
    let reference = record.reference.merchant_ref.to_string();
    world.database.close().await;
    for (method, path) in [
        ("GET", format!("/checkout/{secret}?lang=en")),
        ("GET", format!("/checkout/{secret}/result?lang=en")),
        ("GET", format!("/checkout/{secret}/events?lang=en")),
        ("POST", format!("/checkout/{secret}/cancel?lang=en")),
        ("GET", format!("/return/{ACCOUNT}/{secret}?reference={reference}&lang=en")),
    ] {
        let page = world.send(method, &path, &[], b"").await;
        assert_eq!(page.status, 503, "{method} {path}");
        assert_eq!(page.header("retry-after"), Some("5"));
        assert!(page.body.contains("Nothing about your payment is lost"));
        assert!(
            !page.body.contains("database") && !page.body.contains("sql"),
            "a payer is not shown what broke"
        );
    }
    let body = format!("{{\"reference\":\"{reference}\"}}");
    let key = ("x-fake-key", NOTIFY_KEY);
    let answer = world.send("POST", &format!("/notify/{ACCOUNT}"), &[key], body.as_bytes()).await;
    assert!(answer.status >= 500, "{}", answer.status);
}

#[tokio::test]
async fn a_problem_page_has_no_link_that_would_repeat_the_request() {
    let world = World::new().await;
    let record = world.open().await;
    let page = world.get(&format!("/return/{ACCOUNT}/{}?reference=other", world.secret(&record))).await;
    assert_eq!(page.status, 400);
    assert!(!page.body.contains("href=\"?"));
    assert!(
        world.get(&format!("/checkout/{}", world.secret(&record))).await.body.contains("href=\"?lang=en\"")
    );
}
