//! The shop on actix-web: `cargo run --example shop_actix`, and `-- --help` for its options.

use std::process::ExitCode;

fn main() -> ExitCode {
    tulbur_examples::main_actix(std::env::args_os())
}
