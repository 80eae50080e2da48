//! Planted secrets: keys and card tokens never show.

use std::error::Error as _;
use std::fmt::Write as _;
use std::sync::Arc;

use tulbur_core::Provider;

use crate::broken::{Behaviour, Broken};
use crate::check::List;
use crate::ops::Op;
use crate::wire::Trouble;
use crate::world::{Checked, World, ensure};

pub(super) fn list(list: &mut List, provider: &dyn Provider) {
    list.add("secret::debug_shows_none", debug);
    for op in Op::offered(provider) {
        let name = op.name();
        list.add(format!("secret::errors_of_{name}_show_none"), move |world| errors(world, op));
        list.add(format!("secret::logs_of_{name}_show_none"), move |world| logs(world, op));
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
            let mut text = format!("{error} {error:?} {error:#?} {:?} {:?}", error.code(), error.text());
            let mut cause = error.source();
            while let Some(error) = cause {
                write!(text, " {error} {error:?}").expect("a string takes every text");
                cause = error.source();
            }
            hidden(&world, &format!("the error of {} after {status}", op.name()), &text)?;
        }
    }
    hidden(&world, "the log of these errors", &world.logs.text())
}

async fn logs(world: Arc<World>, op: Op) -> Checked {
    op.prepare(&world).await?.run(&world).await?;
    let text = world.logs.text();
    ensure!(text.contains("provider request"), "nothing was logged, so that nothing is shown by its absence");
    hidden(&world, &format!("the log of {}", op.name()), &text)
}
