//! Defines the settings of a store: connections, limits, and the clock.

use std::time::Duration;

/// How a store uses its database.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreSettings {
    /// At most so many connections; `None` is the store's own default: 4 readers and a writer on SQLite, 10 on
    /// PostgreSQL. PostgreSQL has one more, for listening.
    pub connections: Option<u32>,
    /// How many commits that arrive at once are put into one transaction. 1 gives each its own.
    pub commits_together: usize,
    /// How long a call waits for a free connection.
    pub wait: Duration,
    /// Whose clock says when leases end and things are due.
    pub clock: StoreClock,
    /// How long PostgreSQL lets a process stand still inside a transaction. Then it undoes the transaction, and others
    /// get what it held. SQLite has no such limit.
    pub idle_in_transaction: Duration,
    /// How long PostgreSQL lets a statement wait for what another transaction holds: longer than the limit above, so that
    /// it gets it, and shorter than any lease.
    pub lock_wait: Duration,
}

/// Whose clock says when leases end and things are due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum StoreClock {
    /// The database's, where it has one that all its processes share, as PostgreSQL has; else the process's.
    #[default]
    Database,
    /// Each process's own. For tests that move the time.
    Process,
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self {
            connections: None,
            commits_together: 128,
            wait: Duration::from_secs(5),
            clock: StoreClock::default(),
            idle_in_transaction: Duration::from_secs(5),
            lock_wait: Duration::from_secs(15),
        }
    }
}

impl StoreSettings {
    /// With at most so many connections.
    #[must_use]
    pub fn connections(mut self, connections: u32) -> Self {
        self.connections = Some(connections.max(1));
        self
    }

    /// With at most so many commits in one transaction.
    #[must_use]
    pub fn commits_together(mut self, commits: usize) -> Self {
        self.commits_together = commits.max(1);
        self
    }

    /// With another time to wait for a free connection.
    #[must_use]
    pub fn wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// With another limit of standing still inside a transaction.
    #[must_use]
    pub fn idle_in_transaction(mut self, limit: Duration) -> Self {
        self.idle_in_transaction = limit;
        self
    }

    /// With another limit of waiting for what another transaction holds.
    #[must_use]
    pub fn lock_wait(mut self, limit: Duration) -> Self {
        self.lock_wait = limit;
        self
    }

    /// With another clock.
    #[must_use]
    pub fn clock(mut self, clock: StoreClock) -> Self {
        self.clock = clock;
        self
    }
}
