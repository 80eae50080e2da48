//! The command `tulbur`, as a process of its own.

use std::process::ExitCode;

fn main() -> ExitCode {
    tulbur_cli::run(std::env::args_os())
}
