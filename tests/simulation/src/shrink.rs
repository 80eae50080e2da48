//! Makes a failing story shorter, for as long as it still fails in the same way.

use crate::judge::{Complaint, judge_story};
use crate::run::run;
use crate::story::Story;

/// The most runs that are spent on one story.
const MOST_RUNS: u32 = 1500;

struct Shrinker {
    word: &'static str,
    runs: u32,
}

impl Shrinker {
    /// Whether the story still fails in that way.
    fn fails(&mut self, story: &Story) -> bool {
        if self.runs >= MOST_RUNS {
            return false;
        }
        self.runs += 1;
        let outcome = run(story, false);
        judge_story(story, &outcome).iter().any(|complaint| complaint.word == self.word)
    }

    /// Drops what can be dropped from a list: halves first, then ever smaller pieces.
    fn drop_from<T: Clone>(&mut self, story: &mut Story, list: fn(&mut Story) -> &mut Vec<T>) {
        let mut piece = list(story).len().div_ceil(2).max(1);
        loop {
            let mut index = 0;
            while index < list(story).len() {
                let mut shorter = story.clone();
                let end = (index + piece).min(list(&mut shorter).len());
                list(&mut shorter).drain(index..end);
                if self.fails(&shorter) {
                    *story = shorter;
                } else {
                    index += piece;
                }
            }
            if piece == 1 {
                return;
            }
            piece = piece.div_ceil(2);
        }
    }

    fn try_change(&mut self, story: &mut Story, change: impl FnOnce(&mut Story)) {
        let mut changed = story.clone();
        change(&mut changed);
        if changed != *story && self.fails(&changed) {
            *story = changed;
        }
    }
}

/// A shorter story that fails in the same way as this one.
pub fn shrink(story: &Story, complaint: &Complaint) -> Story {
    let mut shrinker = Shrinker { word: complaint.word, runs: 0 };
    let mut story = story.clone();
    story.title.push(complaint.to_string());
    shrinker.try_change(&mut story, |story| story.schedule = None);
    for _ in 0..2 {
        shrinker.drop_from(&mut story, |story| &mut story.rules);
        shrinker.drop_from(&mut story, |story| &mut story.actions);
    }
    shrinker.try_change(&mut story, |story| story.schedule = None);
    for index in 0..story.rules.len() {
        shrinker.try_change(&mut story, |story| story.rules[index].nth = 1);
    }
    shrinker.drop_from(&mut story, |story| &mut story.rules);
    shrinker.drop_from(&mut story, |story| &mut story.actions);
    story
}
