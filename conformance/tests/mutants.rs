//! The suite, tried itself: providers that are wrong in one way each fail by a check that says what is wrong.
//!
//! Most of the time goes into answers that are broken on purpose. Those checks are run on the mutants that they concern,
//! and on all of them with `TULBUR_MUTANTS=whole`.

mod bank;

use std::collections::{BTreeMap, BTreeSet};
use std::thread;

use bank::Flaw;
use tulbur_conformance::{AnswerRules, Check, Verdict};

/// A flaw, the check that must tell it, and what else may fail because of it: names, or beginnings of names.
struct Mutant {
    flaw: Flaw,
    told_by: &'static [&'static str],
    also: &'static [&'static str],
}

const fn mutant(flaw: Flaw, told_by: &'static [&'static str], also: &'static [&'static str]) -> Mutant {
    Mutant { flaw, told_by, also }
}

const MUTANTS: &[Mutant] = &[
    mutant(
        Flaw::AcceptsAnyChecksum,
        &[
            "checksum::every_changed_bit_of_it_is_refused",
            "checksum::every_changed_bit_of_what_it_covers_is_refused",
            "checksum::a_missing_one_is_refused",
            "checksum::an_empty_one_is_refused",
            "checksum::one_of_another_payment_is_refused",
            "checksum::one_by_another_key_is_refused",
        ],
        &["checksum::"],
    ),
    mutant(
        Flaw::ChecksumInAnyCase,
        &[
            "checksum::one_in_upper_case_or_with_blanks_is_refused",
            "checksum::every_changed_bit_of_it_is_refused",
        ],
        &[],
    ),
    mutant(Flaw::KnowsNoOtherKey, &["checksum::one_by_another_key_is_refused"], &[]),
    mutant(
        Flaw::Calls500ARefusal,
        &[
            "outcome::create_invoice_answered_with_5xx_is_unknown",
            "outcome::create_qr_answered_with_5xx_is_unknown",
            "outcome::charge_answered_with_5xx_is_unknown",
            "outcome::refund_answered_with_5xx_is_unknown",
            "outcome::cancel_answered_with_5xx_is_unknown",
            "outcome::capture_answered_with_5xx_is_unknown",
            "outcome::void_answered_with_5xx_is_unknown",
            "outcome::delete_card_answered_with_5xx_is_unknown",
        ],
        &["write::"],
    ),
    mutant(
        Flaw::CallsACutNoEffect,
        &[
            "outcome::create_invoice_cut_after_sending_is_unknown",
            "outcome::charge_cut_after_sending_is_unknown",
            "outcome::refund_cut_after_sending_is_unknown",
            "outcome::charge_without_an_answer_in_time_is_unknown",
        ],
        &["outcome::", "write::"],
    ),
    mutant(
        Flaw::RepeatsAWrite,
        &[
            "write::create_invoice_is_sent_once_whatever_comes_back",
            "write::charge_is_sent_once_whatever_comes_back",
            "write::refund_is_sent_once_whatever_comes_back",
            "write::charge_whose_answer_is_lost_was_done_once",
        ],
        &["write::"],
    ),
    mutant(
        Flaw::DeclaresAWriteAsARead,
        &[
            "write::create_invoice_is_sent_once_whatever_comes_back",
            "write::charge_is_sent_once_whatever_comes_back",
            "write::refund_is_sent_once_whatever_comes_back",
        ],
        &["write::"],
    ),
    mutant(
        Flaw::EchoesTheAmountAsked,
        &["money::the_amount_is_the_one_received_not_the_one_asked_about"],
        &[],
    ),
    mutant(Flaw::PrintsItsKey, &["secret::debug_shows_none"], &[]),
    mutant(
        Flaw::LogsItsKey,
        &["secret::logs_of_create_invoice_show_none", "secret::logs_of_charge_show_none"],
        &["secret::logs_of_", "secret::errors_of_"],
    ),
    mutant(Flaw::QuotesTheBank, &["secret::errors_of_charge_show_none"], &["secret::errors_of_"]),
    mutant(
        Flaw::ClaimsRefundsAndRefusesThem,
        &["ability::refund_is_there_and_works"],
        &[
            "refund::",
            "outcome::refund_",
            "write::refund_",
            "answer::refund_",
            "secret::errors_of_refund",
            "secret::logs_of_refund",
        ],
    ),
    mutant(Flaw::TrustsTheBrowser, &["return::a_typed_address_is_never_proof"], &[]),
    mutant(
        Flaw::TakesNullForADecline,
        &["payment::what_nobody_has_paid_is_pending"],
        &["payment::one_provider_serves_many_tasks", "answer::a_damaged_member_never_decides_a_payment"],
    ),
    mutant(Flaw::TakesEveryCodeForPaid, &["answer::a_damaged_member_never_decides_a_payment"], &[]),
    mutant(Flaw::AnswersAnotherWord, &["acknowledgement::every_outcome_is_answered_as_declared"], &[]),
    mutant(
        Flaw::AnswersSuccessWhenNotStored,
        &["acknowledgement::what_could_not_be_stored_is_never_success"],
        &["acknowledgement::every_outcome_is_answered_as_declared"],
    ),
    mutant(Flaw::SendsAnyReference, &["reference::others_than_the_rule_allows_are_refused_unsent"], &[]),
    mutant(
        Flaw::SendsAnyAmount,
        &[
            "money::the_least_and_the_most_hold_on_both_sides",
            "money::nothing_less_and_other_currencies_are_refused_unsent",
        ],
        &[],
    ),
    mutant(Flaw::TakesAnAnswerAboutAnother, &["payment::the_answer_about_another_payment_is_not_taken"], &[]),
    mutant(
        Flaw::PanicsOnAStrangeAnswer,
        &["answer::query_survives_every_damaged_member", "outcome::query_with_an_empty_answer_is_no_effect"],
        &[
            "answer::",
            "outcome::",
            "write::",
            "secret::errors_of_",
            "payment::the_answer_about_another_payment",
        ],
    ),
    mutant(Flaw::MakesAQrThatDoesNotScan, &["qr::the_payload_parses_and_its_checksum_is_right"], &[]),
    mutant(
        Flaw::CallsHeldMoneyPaid,
        &[
            "hold::captured_money_is_paid_once",
            "hold::voided_money_is_not_paid",
            "ability::capture_is_there_and_works",
        ],
        &[
            "ability::void_",
            "outcome::capture_",
            "outcome::void_",
            "write::capture_",
            "write::void_",
            "answer::capture_",
            "answer::void_",
            "secret::",
        ],
    ),
    mutant(
        Flaw::IgnoresItsSendBy,
        &[
            "write::create_invoice_past_its_send_by_is_never_sent",
            "write::create_qr_past_its_send_by_is_never_sent",
            "write::charge_past_its_send_by_is_never_sent",
            "write::refund_past_its_send_by_is_never_sent",
            "write::cancel_past_its_send_by_is_never_sent",
            "write::capture_past_its_send_by_is_never_sent",
            "write::void_past_its_send_by_is_never_sent",
        ],
        &[],
    ),
    mutant(Flaw::WaitsForAConfirmationThatCannotCome, &["info::every_flow_is_described"], &[]),
    mutant(
        Flaw::TakesEveryNotificationForTheLastInvoice,
        &["notification::what_it_is_about_stands_in_it"],
        &[],
    ),
    mutant(
        Flaw::TakesTheLastOfTwoMembers,
        &["answer::a_doubled_member_never_decides_a_payment"],
        // It does not look whom the answer is about either.
        &["payment::the_answer_about_another_payment_is_not_taken"],
    ),
    mutant(
        Flaw::PrintsTheBanksWords,
        &["secret::a_card_number_in_the_answer_of_query_is_not_shown"],
        &["secret::a_card_number_in_the_answer_of_"],
    ),
    mutant(
        Flaw::TakesAnUnsignedAnswer,
        &[
            "answer::query_without_its_checksum_is_untrusted",
            "answer::refund_without_its_checksum_is_untrusted",
        ],
        &["answer::"],
    ),
    mutant(Flaw::RefundsInPartsAgainstItsRule, &["refund::a_part_as_the_limits_declare"], &[]),
];

/// The groups of checks that take long.
const LONG: [&str; 6] =
    ["outcome::", "write::", "read::", "answer::", "secret::errors_of_", "secret::a_card_number_"];

/// Whether a check is run on a mutant.
fn concerns(mutant: &Mutant, check: &str) -> bool {
    let named = |group: &str| mutant.told_by.iter().chain(mutant.also).any(|name| name.starts_with(group));
    LONG.iter().find(|group| check.starts_with(**group)).is_none_or(|group| named(group))
        || std::env::var("TULBUR_MUTANTS").is_ok_and(|value| value == "whole")
}

/// Runs the suite on a mutant and says what is wrong with the suite, if anything.
fn judge(mutant: &Mutant) -> Option<String> {
    let suite = bank::suite(mutant.flaw);
    let checks = suite.checks();
    let names: BTreeSet<&str> = checks.iter().map(Check::name).collect();
    let unknown: Vec<_> = mutant.told_by.iter().filter(|name| !names.contains(**name)).collect();
    if !unknown.is_empty() {
        return Some(format!("{:?}: there are no such checks: {unknown:?}", mutant.flaw));
    }
    let failed: BTreeMap<&str, String> = checks
        .iter()
        .filter(|check| concerns(mutant, check.name()))
        .filter_map(|check| match check.run() {
            Verdict::Failed(why) => Some((check.name(), why)),
            Verdict::Passed | Verdict::Ignored(_) => None,
        })
        .collect();
    let silent: Vec<_> = mutant.told_by.iter().filter(|name| !failed.contains_key(**name)).collect();
    let excused = |name: &str| {
        mutant.told_by.contains(&name) || mutant.also.iter().any(|beginning| name.starts_with(beginning))
    };
    let false_alarms: Vec<_> = failed.iter().filter(|(name, _)| !excused(name)).collect();
    (!silent.is_empty() || !false_alarms.is_empty())
        .then(|| format!("{:?}: not told by {silent:?}; false alarms: {false_alarms:?}", mutant.flaw))
}

#[test]
fn every_wrong_provider_fails_by_a_check_that_says_what_is_wrong() {
    // Most of it is waiting for answers that never come.
    let workers = 8;
    let wrong: Vec<String> = thread::scope(|scope| {
        let running: Vec<_> = (0..workers)
            .map(|first| {
                scope.spawn(move || {
                    MUTANTS.iter().skip(first).step_by(workers).filter_map(judge).collect::<Vec<_>>()
                })
            })
            .collect();
        running.into_iter().flat_map(|worker| worker.join().expect("a judge does not panic")).collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_provider_without_a_flaw_passes_every_check() {
    let report = bank::suite(Flaw::None).run();
    assert!(report.failed().is_empty(), "{report}");
    assert!(report.passed().len() > 220, "{report}");
}

/// And where its answers are signed, each of them is found to be.
#[test]
fn a_provider_that_checks_its_answers_passes_too() {
    let suite = bank::suite(Flaw::NoneAndAnswersAreSigned);
    let checks = suite.checks();
    let mut passed = 0;
    for check in checks.iter().filter(|check| check.name().ends_with("without_its_checksum_is_untrusted")) {
        let verdict = check.run();
        assert!(matches!(verdict, Verdict::Passed), "{}: {verdict:?}", check.name());
        passed += 1;
    }
    assert!(passed >= 8, "only {passed} operations");
}

/// A provider may not both say that its bank has no word for something and report it.
#[test]
fn a_decline_that_no_document_has_must_not_be_made_up() {
    let suite = bank::suite_with(Flaw::None, AnswerRules::default().without_declines());
    let name = "payment::a_decline_is_an_answer_and_not_an_error";
    let checks = suite.checks();
    let check = checks.iter().find(|check| check.name() == name).expect("there is such a check");
    assert!(matches!(check.run(), Verdict::Failed(why) if why.contains("must be pending")));
}
