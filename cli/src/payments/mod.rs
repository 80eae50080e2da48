//! `tulbur payments`.

mod act;
mod advice;
mod attention;
mod find;
mod handlers;
mod list;
mod show;

pub(crate) use act::{parse_name, who};
pub(crate) use list::view;

use clap::{Args, Subcommand};

use crate::database::{DatabaseOptions, Setup};
use crate::out::Failure;

/// The options of `tulbur payments`.
#[derive(Debug, Args)]
#[command(after_help = "\
The database of a running application is read without disturbing it. What moves money, and what is declared, asks first.

Examples:
  export TULBUR_DATABASE=sqlite:shop.db
  tulbur payments list --unknown
  tulbur payments show order-1042
  tulbur payments attention")]
pub(crate) struct Options {
    #[command(flatten)]
    database: DatabaseOptions,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists payments, newest first
    List(list::Options),
    /// Tells everything of a payment or order: what happened, what is waited for, what to do
    Show(show::Options),
    /// Lists what waits for a person, and what to do about each
    Attention,
    /// Lists the application's handlers of events, and how much waits for each
    Handlers,
    /// Removes a handler that the application has no more, and what waits for it
    RemoveHandler(handlers::RemoveOptions),
    /// Makes a payment due to be asked about now, and its given-up events due to be delivered
    Retry(act::RetryOptions),
    /// Resolves an item, or records an operator's decision about a payment or an operation
    Resolve(act::ResolveOptions),
    /// Gives money back
    Refund(act::RefundOptions),
}

pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let setup = Setup::read(&options.database)?;
    let json = options.database.json;
    let runtime = tokio::runtime::Runtime::new().map_err(|error| format!("cannot start: {error}"))?;
    runtime.block_on(async {
        let store = setup.store().await?;
        match &options.command {
            Command::List(list) => list::run(list, &*store, setup.wall, json).await,
            Command::Show(show) => show::run(show, &*store, setup.wall, json).await,
            Command::Attention => attention::run(&*store, setup.wall, json).await,
            Command::Handlers => handlers::list(&*store, setup.wall, json).await,
            Command::RemoveHandler(remove) => handlers::remove(remove, &*store, json).await,
            Command::Retry(retry) => act::retry(retry, &setup, &store, json).await,
            Command::Resolve(resolve) => act::resolve(resolve, &setup, &store, json).await,
            Command::Refund(refund) => act::refund(refund, &setup, &store, json).await,
        }
    })
}
