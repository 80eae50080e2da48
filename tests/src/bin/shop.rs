//! The shop of the examples, as a process of its own.

use std::process::ExitCode;

fn main() -> ExitCode {
    tulbur_examples::main(std::env::args_os())
}
