//! The command `tulbur`.

use std::process::ExitCode;

fn main() -> ExitCode {
    tulbur_cli::run(std::env::args_os())
}
