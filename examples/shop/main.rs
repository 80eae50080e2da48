//! A shop that takes payments: `cargo run --example shop`, and `-- --help` for its options.

use std::process::ExitCode;

fn main() -> ExitCode {
    tulbur_examples::main(std::env::args_os())
}
