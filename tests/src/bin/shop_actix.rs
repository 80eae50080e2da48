//! The shop of the examples on actix-web, as a process of its own.

use std::process::ExitCode;

fn main() -> ExitCode {
    tulbur_examples::main_actix(std::env::args_os())
}
