//! The command `tulbur`, as a library so that tests can call it.

mod sandbox;

use std::ffi::OsString;
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

#[expect(clippy::print_stderr, reason = "a command line tool tells its failures on standard error")]
fn complain(error: &str) {
    eprintln!("tulbur: {error}");
}
