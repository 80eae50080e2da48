//! Runs a story to its end.

use crate::cards;
use crate::outcome::Outcome;
use crate::runner::Runner;
use crate::story::Story;

/// Runs a story to its end.
pub fn run(story: &Story, loud: bool) -> Outcome {
    let cards = cards::saved();
    let mut runner = Runner::new(story, loud).with_cards(cards);
    runner.play();
    let outcome = runner.outcome();
    runner.end();
    outcome
}
