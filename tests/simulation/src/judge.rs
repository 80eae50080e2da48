//! The judge: compares what the bank's books say with what is stored, heard and listed.

mod books;
mod case;
mod expects;
mod promises;
mod reasons;
#[cfg(test)]
mod tests;

use crate::outcome::Outcome;
use crate::story::Story;

use self::case::Case;

pub use case::Complaint;
pub use expects::expectations;
pub use promises::BOUND;

/// Everything that is wrong with an outcome, whatever the story.
pub fn judge(outcome: &Outcome) -> Vec<Complaint> {
    let mut case = Case::new(outcome);
    books::nothing_twice(&mut case);
    books::refunds(&mut case);
    books::agreement(&mut case);
    promises::orders(&mut case);
    promises::deliveries(&mut case);
    promises::ends(&mut case);
    promises::calls(&mut case);
    reasons::sums(&mut case);
    reasons::alarms(&mut case);
    reasons::listed_again(&mut case);
    reasons::answers(&mut case);
    reasons::one_result(&mut case);
    reasons::order(&mut case);
    case.into_complaints()
}

/// Everything that is wrong with an outcome of this story.
pub fn judge_story(story: &Story, outcome: &Outcome) -> Vec<Complaint> {
    let mut complaints = judge(outcome);
    complaints.extend(reasons::by_story(story, outcome));
    complaints.extend(expectations(story, outcome));
    complaints
}
