//! A small bank with a page, a query, refunds, charges and signed notifications, in order: every check passes.

#[expect(dead_code, reason = "the flaws are for the mutants")]
mod bank;

fn main() -> std::process::ExitCode {
    tulbur_conformance::main(&bank::suite(bank::Flaw::None))
}
