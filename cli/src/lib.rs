//! The command `tulbur`, as a library, so that tests can call it and an application can build it with providers of
//! its own: `use my_provider as _;` and [`run`].

mod database;
mod inbox;
mod new_provider;
mod out;
mod payments;
mod providers;
mod reconcile;
mod sandbox;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use out::{Failure, complain, print};

/// One API over many payment providers.
#[derive(Debug, Parser)]
#[command(name = "tulbur", version, about, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Shows what providers and payers' browsers delivered, and gives it to the provider again
    Inbox(inbox::Options),
    /// Makes a crate for a new payment provider, from a template that passes the conformance suite
    NewProvider(new_provider::Options),
    /// Shows payments and what is waited for, and does what a person decides
    Payments(payments::Options),
    /// Lists the payment providers that this command was built with; needs no credentials
    Providers(providers::Options),
    /// Compares a day's list of a provider with what is stored
    Reconcile(reconcile::Options),
    /// Plays the payment providers on this machine, without a contract and without money
    Sandbox(sandbox::Options),
}

/// Runs the command with these arguments, the first being the program's name, and says how it ended: 0 for success,
/// 1 for a failure that was told on standard error, 2 for arguments that make no sense. `reconcile` ends with 1 for
/// differences and 2 for failures.
pub fn run<A>(arguments: A) -> ExitCode
where
    A: IntoIterator,
    A::Item: Into<OsString> + Clone,
{
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Nothing better can be done when even the message cannot be printed.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let result = match arguments.command {
        Command::Inbox(options) => inbox::run(&options),
        Command::NewProvider(options) => new_provider::run(&options).map_err(Failure::from),
        Command::Payments(options) => payments::run(&options),
        Command::Providers(options) => providers::run(&options).map_err(Failure::from),
        Command::Reconcile(options) => reconcile::run(&options),
        Command::Sandbox(options) => sandbox::run(&options).map_err(Failure::from),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            complain(&failure.text);
            ExitCode::from(failure.code)
        }
    }
}
