//! What each operation sends, and what it makes of a good answer.

use crate::common::*;
use tulbur_core::{
    CallbackUrl, CardSetupState, Effect, Language, Method, NextAction, Options, PageKind, PaymentStatus,
    Provider, ReturnUrls, Way, abilities, charge, confirm, confirm_card_setup,
};
use tulbur_golomt_ecommerce::{GenToken, GolomtEcommerceOptions, Page, ReturnType};

fn body(request: &tulbur_core::HttpRequest) -> String {
    String::from_utf8(request.body.to_vec()).unwrap()
}

fn pages(next: &[NextAction]) -> Vec<(PageKind, Option<Language>, &str)> {
    next.iter()
        .filter_map(|next| match next {
            NextAction::Redirect(redirect) => Some((redirect.page, redirect.language, redirect.url.path())),
            _ => None,
        })
        .collect()
}

#[tokio::test]
async fn an_invoice() {
    let (bank, script) = bank();
    script.then(http(200, invoice_answer(REFERENCE)));
    let invoice = bank.invoices().unwrap().create_invoice(&invoice_request()).await.unwrap();

    let [sent] = &script.sent()[..] else { panic!("one request") };
    assert_eq!((sent.method, sent.effect), (Method::Post, Effect::Write));
    assert_eq!(sent.url.as_str(), "https://ecommerce.golomtbank.com/api/invoice");
    let headers: Vec<(&str, &str)> =
        sent.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(
        headers,
        [("content-type", "application/json"), ("authorization", "Bearer planted-merchant-token")]
    );
    let checksum = sign(&format!("{REFERENCE}1500.00GEThttps://shop.mn/back?order=7"));
    assert_eq!(
        body(sent),
        format!(
            r#"{{"amount":"1500.00","callback":"https://shop.mn/back?order=7","checksum":"{checksum}","genToken":"N","returnType":"GET","transactionId":"{REFERENCE}","socialDeeplink":"N"}}"#
        )
    );

    assert_eq!(invoice.status, PaymentStatus::Pending);
    assert_eq!(invoice.payment.merchant_ref.as_str(), REFERENCE);
    assert_eq!(invoice.payment.amount, Some(money("1500")));
    assert_eq!(invoice.payment.provider_ref.as_ref().unwrap().as_str(), INVOICE);
    assert_eq!(invoice.expires_at, Some(NOW.after(std::time::Duration::from_mins(10))));
    let (mn, en) = (Some(Language::Mn), Some(Language::En));
    let path = |folder: &str| format!("/{folder}/{INVOICE}");
    assert_eq!(
        pages(&invoice.next),
        [
            (PageKind::Card, mn, path("payment/mn").as_str()),
            (PageKind::SocialPay, mn, &path("socialpay/mn")),
            (PageKind::Card, en, &path("payment/en")),
            (PageKind::SocialPay, en, &path("socialpay/en")),
        ]
    );
}

#[tokio::test]
async fn an_invoice_with_everything_that_can_be_chosen() {
    let mut config = config();
    config.page = Page::SocialPay;
    config.page_minutes = 5;
    let (bank, script) = bank_with(config);
    let mut options = GolomtEcommerceOptions::default();
    options.return_type = ReturnType::Mobile;
    options.social_deeplink = true;
    options.email = Some("test@gmail.com".into());
    let mut request = invoice_request();
    request.language = Language::En;
    request.save_card = true;
    request.return_urls = Some(ReturnUrls::one(CallbackUrl::app("shop", "shop://back").unwrap()));
    request.options = Some(Options::new(&options).unwrap());
    let link = "socialpay-payment://key=YWJj+/==&x=1";
    let answer = invoice_answer(REFERENCE).replace('}', &format!(r#","socialDeeplink":"{link}"}}"#));
    script.then(http(200, answer));
    let invoice = bank.invoices().unwrap().create_invoice(&request).await.unwrap();

    let sent = body(&script.sent()[0]);
    let checksum = sign(&format!("{REFERENCE}1500.00MOBILEshop://back"));
    for part in [
        r#""returnType":"MOBILE""#,
        r#""genToken":"Y""#,
        r#""socialDeeplink":"Y""#,
        r#""email":"test@gmail.com""#,
        r#""callback":"shop://back""#,
        &checksum,
    ] {
        assert!(sent.contains(part), "{part} in {sent}");
    }
    assert_eq!(invoice.expires_at, Some(NOW.after(std::time::Duration::from_mins(5))));
    let kinds: Vec<_> =
        pages(&invoice.next).into_iter().map(|(kind, language, _)| (kind, language)).collect();
    assert_eq!(kinds[0], (PageKind::SocialPay, Some(Language::En)));
    assert_eq!(kinds[1], (PageKind::Card, Some(Language::En)));
    assert!(matches!(&invoice.next[4], NextAction::OpenApp(apps) if apps[0].link == link));
}

#[tokio::test]
async fn the_app_is_first_for_whoever_asks_for_the_app() {
    let (bank, script) = bank();
    let mut request = invoice_request();
    request.way = Way::App;
    let answer = invoice_answer(REFERENCE).replace('}', r#","socialDeeplink":"socialpay-payment://key=a"}"#);
    script.then(http(200, answer)).then(http(200, invoice_answer(REFERENCE)));
    let invoice = bank.invoices().unwrap().create_invoice(&request).await.unwrap();
    assert!(body(&script.sent()[0]).contains(r#""socialDeeplink":"Y""#));
    assert!(matches!(&invoice.next[0], NextAction::OpenApp(_)));
    // Should the bank leave the link out, the pages still are a way.
    let invoice = bank.invoices().unwrap().create_invoice(&request).await.unwrap();
    assert_eq!(pages(&invoice.next).len(), invoice.next.len());
}

#[tokio::test]
async fn a_card_token_is_asked_for_when_saving_or_always() {
    for (policy, save_card, flag) in [
        (GenToken::WhenSaving, false, "N"),
        (GenToken::WhenSaving, true, "Y"),
        (GenToken::Always, false, "Y"),
    ] {
        let mut config = config();
        config.gen_token = policy;
        let (bank, script) = bank_with(config);
        let mut request = invoice_request();
        request.save_card = save_card;
        script.then(http(200, invoice_answer(REFERENCE)));
        bank.invoices().unwrap().create_invoice(&request).await.unwrap();
        assert!(body(&script.sent()[0]).contains(&format!(r#""genToken":"{flag}""#)));
    }
}

#[tokio::test]
async fn an_inquiry_for_every_state_of_a_page() {
    use PaymentStatus::{Declined, Paid, Pending};
    let (bank, script) = bank();
    for (answer, status, code) in [
        (result(REFERENCE, Some("000"), "1500.00", None), Paid, Some("000")),
        (result(REFERENCE, Some("000"), "1500", None), Paid, Some("000")),
        (result(REFERENCE, Some("000"), "1500.0", Some(CARD)), Paid, Some("000")),
        // `SENT` is not paid.
        (result(REFERENCE, None, "1500.00", None), Pending, None),
        (result(REFERENCE, None, "1500.00", None).replace(r#""errorCode":null,"#, ""), Pending, None),
        (result(REFERENCE, None, "1500.00", None).replace(r#""token":null,"#, ""), Pending, None),
        (result(REFERENCE, Some("300"), "1500.00", None), Declined, Some("300")),
        (result(REFERENCE, Some("179"), "1500.00", None), Declined, Some("179")),
        (result(REFERENCE, Some("X9z"), "1500.00", None), Declined, Some("X9z")),
    ] {
        script.then(http(200, answer.clone()));
        let payment = confirm(bank.queries().unwrap(), &page_ref()).await.unwrap();
        assert_eq!((payment.status, payment.code.as_deref()), (status, code), "{answer}");
        assert_eq!(payment.amount, Some(money("1500")));
        assert_eq!(payment.card.masked_number.as_deref(), Some("949625******0003"));
        assert_eq!(payment.card.bank.as_deref(), Some("Голомт банк"));
        assert_eq!(payment.text.as_deref(), Some("Амжилттай"));
        let token = payment.saved_card.as_ref().map(|saved| saved.token.expose().to_owned());
        assert_eq!(token.as_deref(), answer.contains(CARD).then_some(CARD));

        let [sent] = &script.sent()[..] else { panic!("one request") };
        assert_eq!(sent.effect, Effect::Read);
        assert_eq!(sent.url.as_str(), "https://ecommerce.golomtbank.com/api/inquiry");
        let checksum = sign(&format!("{REFERENCE}{REFERENCE}"));
        assert_eq!(body(sent), format!(r#"{{"checksum":"{checksum}","transactionId":"{REFERENCE}"}}"#));
    }
}

#[tokio::test]
async fn the_amount_of_an_answer_is_the_banks_and_not_ours() {
    let (bank, script) = bank();
    script.then(http(200, result(REFERENCE, Some("000"), "1.00", None)));
    let payment = bank.queries().unwrap().query(&page_ref()).await.unwrap();
    assert_eq!(payment.amount, Some(money("1")));
}

#[tokio::test]
async fn a_charge_and_its_check() {
    let (bank, script) = bank();
    for (code, status) in [("000", PaymentStatus::Paid), ("300", PaymentStatus::Declined)] {
        for (language, word) in [(Language::Mn, "MN"), (Language::En, "EN")] {
            let mut request = charge_request();
            request.language = language;
            script.then(http(200, result(REFERENCE, Some(code), "1500.00", None)));
            let charged = charge(bank.charges().unwrap(), &request).await.unwrap();
            assert_eq!((charged.payment.status, charged.payment.amount), (status, Some(money("1500"))));
            assert!(charged.next.is_empty() && charged.payment.saved_card.is_none());
            let [sent] = &script.sent()[..] else { panic!("one request") };
            assert_eq!(sent.effect, Effect::Write);
            assert_eq!(sent.url.path(), "/api/pay");
            let checksum = sign(&format!("1500.00{REFERENCE}{CARD}"));
            assert_eq!(
                body(sent),
                format!(
                    r#"{{"amount":"1500.00","checksum":"{checksum}","transactionId":"{REFERENCE}","lang":"{word}","token":"{CARD}"}}"#
                )
            );
        }
    }
    // The check's checksum covers the token, which is the charged card's and saves nothing anew.
    script.then(http(200, result(REFERENCE, Some("000"), "1500.00", Some(CARD))));
    let payment = confirm(bank.queries().unwrap(), &charge_ref()).await.unwrap();
    assert_eq!((payment.status, payment.saved_card.as_ref()), (PaymentStatus::Paid, None));
    assert_eq!(script.sent()[0].url.path(), "/api/check");
}

#[tokio::test]
async fn a_card_is_saved_and_read_back() {
    let (bank, script) = bank();
    script.then(http(200, invoice_answer(REFERENCE)));
    let setup = bank.tokenize().unwrap().create_card_setup(&setup_request()).await.unwrap();
    let sent = script.sent();
    assert_eq!((sent[0].url.path(), sent[0].effect), ("/api/confirmation", Effect::Write));
    let checksum = sign(&format!("{REFERENCE}GEThttps://shop.mn/back?order=7"));
    assert_eq!(
        body(&sent[0]),
        format!(
            r#"{{"callback":"https://shop.mn/back?order=7","checksum":"{checksum}","returnType":"GET","transactionId":"{REFERENCE}"}}"#
        )
    );
    assert_eq!(setup.reference.amount, None);
    assert_eq!(
        pages(&setup.next),
        [
            (PageKind::SaveCard, Some(Language::Mn), format!("/confirmation/mn/{INVOICE}").as_str()),
            (PageKind::SaveCard, Some(Language::En), &format!("/confirmation/en/{INVOICE}")),
        ]
    );

    for (answer, saved) in [
        (token_answer(None, None), Some(CardSetupState::Pending)),
        // Not explicit: a token, but no result.
        (token_answer(None, Some(CARD)), Some(CardSetupState::Pending)),
        (token_answer(Some("300"), None), Some(CardSetupState::Declined)),
        (token_answer(Some("000"), Some(CARD)), None),
    ] {
        script.then(http(200, answer));
        let said = confirm_card_setup(bank.tokenize().unwrap(), &setup.reference).await.unwrap();
        match (&said.state, saved) {
            (CardSetupState::Saved(card), None) => {
                assert_eq!(card.token.expose(), CARD);
                assert_eq!(card.card.masked_number.as_deref(), Some("949625******0003"));
            }
            (state, Some(expected)) => assert_eq!(*state, expected),
            other => panic!("{other:?}"),
        }
        let sent = script.sent();
        assert_eq!((sent[0].url.path(), sent[0].effect), ("/api/get/token", Effect::Read));
    }
}

#[tokio::test]
async fn the_settlement_list_page_by_page() {
    let (bank, script) = bank();
    script.then(http(200, settlement_answer(false))).then(http(200, settlement_answer(false)));
    let mut pages = bank.settlement_pages(settlement_query());
    let mut count = 0;
    while let Some(page) = pages.next().await.unwrap() {
        count += page.settlements.len();
    }
    // The second page does not call itself the last; that it is the last of two is enough.
    assert_eq!(count, 2);
    let sent = script.sent();
    let checksum = sign(&format!("000000000087050{CARD}"));
    for (number, request) in sent.iter().enumerate() {
        assert_eq!(
            request.url.as_str(),
            format!(
                "https://ecommerce.golomtbank.com/api/getSettlementDetails?page={number}&size=50&start=2020-07-29&end=2022-08-31"
            )
        );
        assert_eq!(request.effect, Effect::Read);
        assert_eq!(
            body(request),
            format!(r#"{{"checksum":"{checksum}","token":"{CARD}","merchantId":"000000000087050"}}"#)
        );
    }
    assert_eq!(sent.len(), 2);
}

/// A list that never calls a page its last, and counts more pages than it has.
#[tokio::test]
async fn a_settlement_list_that_never_ends_ends_at_its_first_empty_page() {
    let (bank, script) = bank();
    let page = settlement_answer(false).replace("\"totalPages\":2", "\"totalPages\":999");
    let start = page.find("[{").unwrap();
    let end = page.find("}],").unwrap();
    let empty = format!("{}[{}", &page[..start], &page[end + 1..]);
    script.then(http(200, page)).then(http(200, empty));
    let mut pages = bank.settlement_pages(settlement_query());
    assert_eq!(pages.next().await.unwrap().unwrap().settlements.len(), 1);
    assert_eq!(pages.next().await.unwrap().unwrap().settlements.len(), 0);
    assert_eq!(pages.next().await.unwrap(), None);
    assert_eq!(script.sent().len(), 2);
}

#[tokio::test]
async fn answers_may_be_signed_with_a_second_secret_while_the_bank_changes_over() {
    let mut config = config();
    config.verification_secrets = vec!["the-other-secret".into()];
    let (bank, script) = bank_with(config);
    let checksum = sign_with("the-other-secret", &format!("{REFERENCE}0001500.00"));
    script.then(http(200, result_signed(REFERENCE, Some("000"), "1500.00", None, &checksum)));
    assert!(bank.queries().unwrap().query(&page_ref()).await.unwrap().status.is_paid());
    let checksum = sign_with("a-third-secret", &format!("{REFERENCE}0001500.00"));
    script.then(http(200, result_signed(REFERENCE, Some("000"), "1500.00", None, &checksum)));
    assert!(bank.queries().unwrap().query(&page_ref()).await.is_err());
}

#[test]
fn what_it_says_of_itself_is_what_it_has() {
    let (bank, _) = bank();
    let info = bank.info();
    let operations: std::collections::BTreeSet<_> = info
        .operations
        .iter()
        .map(|operation| operation.ability)
        .filter(|ability| *ability != tulbur_core::Ability::Inherent)
        .collect();
    assert_eq!(abilities(&bank), operations.into_iter().collect::<Vec<_>>());
    assert!(bank.voids().is_none() && bank.refunds().is_none() && bank.vault().is_none());
    assert_eq!(info.account.as_str(), "web-shop");
    assert_eq!(info.flows.len(), 3);
    assert!(info.invoice_flow(Way::Page).is_some() && info.invoice_flow(Way::Qr).is_none());
}

/// A write without it could leave after its owner has lost it.
#[tokio::test]
async fn every_write_is_sent_with_its_deadline() {
    for operation in Operation::ALL {
        let (bank, script) = bank();
        script.then(http(200, operation.good()));
        operation.run(&bank).await.unwrap();
        let [sent] = &script.sent()[..] else { panic!("one request") };
        let wanted = if operation.has_deadline() { SEND_BY } else { None };
        assert_eq!(sent.send_by, wanted, "{operation:?}");
    }
}
