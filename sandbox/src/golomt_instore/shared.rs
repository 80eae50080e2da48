//! Holds the terminals and the desk that the bank's handlers share.

use super::settings::{GolomtInstore, terminal_count};
use super::state::InstoreState;
use crate::plugin::Desk;

/// The bank as its handlers share it.
#[derive(Clone)]
pub(super) struct Bank {
    pub(super) plugin: GolomtInstore,
    pub(super) desk: Desk<InstoreState>,
}

impl Bank {
    pub(super) fn secret_of(&self, terminal: &str) -> Option<&str> {
        self.plugin.secret_of(terminal, terminal_count(&self.desk.switch("terminals")))
    }

    pub(super) fn is_on(&self, switch: &str) -> bool {
        self.desk.switch(switch) == "yes"
    }
}
