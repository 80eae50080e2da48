//! Tests of durable payments against a made-up bank whose every answer the test decides.

mod support;

mod broken;
mod broken_database;
#[cfg(feature = "postgres")]
mod broken_postgres;
mod cancels;
mod charges;
mod child;
mod clocks;
#[cfg(feature = "postgres")]
mod cut;
mod deliveries;
#[cfg(feature = "postgres")]
mod lost_commits;
mod metrics;
mod model;
mod operations;
mod outbox;
mod pace;
mod parts;
mod promises;
mod reconcile;
mod references;
mod refunds;
mod replay;
mod reseal;
mod rotation;
mod stopped;
mod stores;
mod twins;
mod unproven;
mod unread;
mod upgrade;
mod webhook;
mod words;
