//! The command `tulbur`, as a library so that tests can call it.

mod new_provider;
mod providers;
mod sandbox;

use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// One API over many payment providers.
#[derive(Debug, Parser)]
#[command(name = "tulbur", version, about, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Makes a crate for a new payment provider, from a template that passes the conformance suite
    NewProvider(new_provider::Options),
    /// Lists the payment providers that this command was built with; needs no credentials
    Providers(providers::Options),
    /// Plays the payment providers on this machine, without a contract and without money
    Sandbox(sandbox::Options),
}

/// Runs the command with these arguments, the first being the program's name, and says how it ended: 0 for success,
/// 1 for a failure that was told on standard error, 2 for arguments that make no sense.
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
        Command::NewProvider(options) => new_provider::run(&options),
        Command::Providers(options) => providers::run(&options),
        Command::Sandbox(options) => sandbox::run(&options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

/// Prints a command's result. A reader that left early, as `head` does, is no failure.
fn print(text: &str) -> Result<(), String> {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(format!("cannot print: {error}")),
        _ => Ok(()),
    }
}

#[expect(clippy::print_stderr, reason = "a command line tool tells its failures on standard error")]
fn complain(error: &str) {
    eprintln!("tulbur: {error}");
}
