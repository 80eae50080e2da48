//! A QR that a terminal prints, drawn in a browser's monospaced letters and read off the screen.

use std::panic::{AssertUnwindSafe, resume_unwind};

use futures_util::FutureExt;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use tulbur_qr::{Payload, Picture, Terminal};
use tulbur_tests::browser::{Browser, Size};

use crate::world::{all_show, passed, screenshots, tools};

/// What [`Terminal::Ansi`] sets before each line, and puts back behind it.
const BLACK_ON_WHITE: &str = "\u{1b}[38;5;16;48;5;231m";
const AS_BEFORE: &str = "\u{1b}[0m";

/// A terminal's window with these lines, as a page: its colours, and the lines as HTML.
fn page(name: &str, colours: &str, lines: &str) -> String {
    let html = format!(
        "<!doctype html><meta charset=utf-8><title>{name}</title><style>html {{ {colours} }} \
         pre {{ margin: 24px; font: 16px/19px 'DejaVu Sans Mono'; }} \
         b {{ font-weight: normal; color: #000; background: #fff; }}</style><pre>{lines}</pre>"
    );
    format!("data:text/html;charset=utf-8,{}", utf8_percent_encode(&html, NON_ALPHANUMERIC))
}

#[tokio::test]
async fn a_terminals_qr_is_read_off_the_screen() {
    const NAME: &str = "a terminal's QR is read off the screen";
    let Some(tools) = tools(NAME) else { return };
    let folder = tempfile::tempdir().expect("a folder can be made");
    let browser = Browser::open(&tools, true, &folder.path().join("driver.log"), screenshots()).await;
    let played = AssertUnwindSafe(async {
        let file: Value = serde_json::from_str(include_str!("../../qr/tests/vectors/emv-qr.json"))
            .expect("the vectors are JSON");
        let samples = file["samples"].as_array().expect("a list of samples");
        assert_eq!(samples.len(), 6);
        for sample in samples {
            let name = sample["name"].as_str().expect("a name");
            let payload = sample["payload"].as_str().expect("a payload");
            let picture = Picture::of(&Payload::parse(payload).expect(name)).expect(name);
            let ansi = picture.to_terminal(Terminal::Ansi);
            assert!(ansi.lines().all(|line| line.starts_with(BLACK_ON_WHITE) && line.ends_with(AS_BEFORE)));
            let ansi = ansi.replace(BLACK_ON_WHITE, "<b>").replace(AS_BEFORE, "</b>");
            for (terminal, colours, lines) in [
                ("paper", "color: #000; background: #fff", picture.to_terminal(Terminal::DarkOnLight)),
                ("night", "color: #fff; background: #000", picture.to_terminal(Terminal::LightOnDark)),
                ("ansi", "color: #eee; background: #224", ansi),
            ] {
                browser.goto(&page(name, colours, &lines)).await;
                let shown = browser.look_on(&format!("terminal-{name}-{terminal}"), &[Size::TILL]).await;
                all_show(&shown, payload);
            }
        }
    });
    let played = played.catch_unwind().await;
    browser.close().await;
    if let Err(panic) = played {
        resume_unwind(panic);
    }
    passed(NAME);
}
