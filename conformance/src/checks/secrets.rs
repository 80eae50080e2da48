//! Planted secrets: keys and card tokens never show.

use std::error::Error as _;
use std::fmt::Write as _;
use std::sync::Arc;

use tulbur_core::{Error, HttpResponse, Provider};

use super::answers::sample;
use crate::broken::{Behaviour, Broken};
use crate::check::List;
use crate::members::{member, members};
use crate::ops::{Op, Ready};
use crate::wire::Trouble;
use crate::world::{Checked, World, ensure};
use crate::writings::CARD_WRITINGS;

pub(super) fn list(list: &mut List, provider: &dyn Provider) {
    list.add("secret::debug_shows_none", debug);
    for op in Op::offered(provider) {
        let name = op.name();
        list.add(format!("secret::errors_of_{name}_show_none"), move |world| errors(world, op));
        list.add(format!("secret::logs_of_{name}_show_none"), move |world| logs(world, op));
        list.add(format!("secret::a_card_number_in_the_answer_of_{name}_is_not_shown"), move |world| {
            card_number(world, op)
        });
    }
}

/// The forms in which a secret may slip out.
fn forms(secret: &str) -> Vec<String> {
    let bytes = secret.as_bytes();
    let list: Vec<String> = bytes.iter().map(u8::to_string).collect();
    let hex = bytes.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("a string takes every text");
        hex
    });
    vec![secret.to_owned(), hex.to_uppercase(), hex, list.join(", ")]
}

fn hidden(world: &World, what: &str, text: &str) -> Checked {
    let secrets = world.secrets();
    ensure!(!world.under_test.secrets().is_empty(), "no secret is named: UnderTest::secrets");
    // Pretty printing puts every number of a list on a line of its own.
    let flat: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for (number, secret) in secrets.iter().enumerate() {
        let shown = forms(secret).iter().any(|form| text.contains(form) || flat.contains(form));
        // The secret itself must not be printed here either.
        ensure!(!shown, "{what} shows secret number {} of {}", number + 1, secrets.len());
    }
    Ok(())
}

async fn debug(world: Arc<World>) -> Checked {
    let provider = &world.provider;
    hidden(&world, "Debug of the provider", &format!("{provider:?}"))?;
    hidden(&world, "pretty Debug of the provider", &format!("{provider:#?}"))?;
    hidden(&world, "its description", &format!("{:?}", provider.info()))?;
    let described = serde_json::to_string(provider.info()).unwrap_or_default();
    hidden(&world, "its description as JSON", &described)?;
    for op in Op::offered(&**provider) {
        let ready = op.prepare(&world).await?;
        hidden(&world, op.name(), &format!("{ready:?} {ready:#?}"))?;
    }
    Ok(())
}

/// The other side repeats all that it was sent, in an error.
async fn errors(world: Arc<World>, op: Op) -> Checked {
    let learnt = op.learn(&world).await?;
    for status in [400, 401, 403, 404, 409, 422, 500, 200] {
        let ready = op.prepare(&world).await?;
        let broken = Broken::start(Behaviour::Echo { status }).await?;
        world.wire.plan(learnt.operation, Trouble::Divert(broken.address), usize::MAX);
        let result = ready.run(&world).await;
        world.wire.heal();
        if let Err(error) = result {
            hidden(&world, &format!("the error of {} after {status}", op.name()), &printed(&error))?;
        }
    }
    hidden(&world, "the log of these errors", &world.logs.text())
}

/// The other side's words hold a card number: in each text of an answer in turn. It is in no error, and in nothing of a
/// payment that people read.
async fn card_number(world: Arc<World>, op: Op) -> Checked {
    let (operation, genuine) = sample(&world, op).await?;
    let texts =
        members(&genuine.body).into_iter().filter(|member| member.value(&genuine.body).starts_with(b"\""));
    for path in texts.map(|member| member.path).collect::<Vec<_>>() {
        let ready = op.prepare(&world).await?;
        let at = path.clone();
        let change = move |answer: HttpResponse| {
            let text = format!("\"card {}, x{}\"", CARD_WRITINGS[1], CARD_WRITINGS[0]);
            match member(&answer.body, &at) {
                Some(member) => {
                    HttpResponse::new(answer.status, answer.headers.clone(), member.with(&answer.body, &text))
                }
                None => answer,
            }
        };
        world.wire.reset();
        world.wire.plan(operation, Trouble::Rewrite(Arc::new(change)), usize::MAX);
        let shown = if let Ready::Query(payment) = &ready {
            world
                .try_query(payment)
                .await
                .map(|payment| format!("{:?} {:?} {:?}", payment.code, payment.text, payment.card))
        } else {
            ready.run(&world).await.map(|_| String::new())
        };
        world.wire.heal();
        let shown = shown.unwrap_or_else(|error| printed(&error));
        ensure!(
            !CARD_WRITINGS.iter().any(|card| shown.contains(card)),
            "a card number in `{path}` of the answer of {} is shown",
            op.name()
        );
    }
    Ok(())
}

/// Everything that an error shows anywhere.
fn printed(error: &Error) -> String {
    let mut text = format!("{error} {error:?} {error:#?} {:?} {:?}", error.code(), error.text());
    let mut cause = error.source();
    while let Some(error) = cause {
        write!(text, " {error} {error:?}").expect("a string takes every text");
        cause = error.source();
    }
    text
}

async fn logs(world: Arc<World>, op: Op) -> Checked {
    op.prepare(&world).await?.run(&world).await?;
    let text = world.logs.text();
    ensure!(text.contains("provider request"), "nothing was logged, so that nothing is shown by its absence");
    hidden(&world, &format!("the log of {}", op.name()), &text)
}
