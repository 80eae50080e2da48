//! Describes the bank on the control page: credentials, switches, test cards, payments.

use super::cards::TEST_CARDS;
use super::settings::PROVIDER_ID;
use super::state::{BankPayment, BankState, actions};
use crate::fault::FaultKind;
use crate::plugin::{PaymentRecord, Profile, Switch};

pub(super) fn profile(token: &str, secret: &str) -> Profile {
    let mut profile = Profile::new(PROVIDER_ID, "Golomt Bank E-Commerce")
        .credential("token", token)
        .credential("secret", secret)
        .api_prefix("/api/")
        .action(
            "pay",
            "debits the payer; also after the end of the page, as money that comes late (detail: card)",
        )
        .action("decline", "refuses (details: card, code)")
        .action("send", "sends the payment data and gives no result yet (detail: card)")
        .action("cancel", "the payer gives up")
        .action("expire", "the page's time runs out now")
        .fault(FaultKind::AnswerWrongChecksum)
        .fault(FaultKind::AnswerTamperedAmount)
        .fault(FaultKind::PushTamperedAmount)
        .fault(FaultKind::PushWrongKey)
        .sealed_field("token")
        .sealed_field("number")
        .sealed_field("cvc");
    profile.switches = switches();
    for card in TEST_CARDS {
        profile =
            profile.note(&format!("card {}", card.grouped()), &format!("{}: {}", card.id, card.text_en));
    }
    profile
        .note("expiry, CVC, name", "anything of the right shape")
        .note("after a decline", "the payment is final and a new try needs a new invoice (assumption)")
        .note("SocialPay", "pays as the card \"success\" does, and leaves its token if one was asked for (assumption)")
        .note(
            "wording",
            "of the bank's refusals only \"Payment not found.\" and a text with \"duplicated\" are known; the rest are the sandbox's own words",
        )
        .note("unknown token in /api/pay", "refused with status 400 and no payment (assumption)")
        .note("merchantId in the settlement list", "any is taken and given back (assumption)")
        .note("settlement", "a payment is settled as soon as it is paid (assumption)")
}

fn switches() -> Vec<Switch> {
    let no_yes = |id: &str, text: &str| Switch::one_of(id, text, &[("no", "no"), ("yes", "yes")]);
    let yes_no = |id: &str, text: &str| Switch::one_of(id, text, &[("yes", "yes"), ("no", "no")]);
    vec![
        Switch::number(
            "page-seconds",
            "how long a hosted page lives; the bank sets 2 to 10 minutes per merchant",
            1,
            3600,
            600,
        ),
        Switch::number(
            "card-refund-seconds",
            "when the small amount of a card set-up goes back; the documents say 1 to 2 minutes",
            0,
            600,
            90,
        ),
        Switch::one_of("token-charge-outcome", "what happens when a token is charged", &[
            ("by-card", "as its test card says"),
            ("decline-179", "declined by the issuer"),
            ("decline-300", "card expired"),
        ]),
        Switch::one_of(
            "page-without-token",
            "the hosted page of an invoice with genToken N",
            &[("works", "works as any other"), ("times-out", "says that the time is over, as one live merchant met it")],
        )
        .assumed("the documents present N as normal; a field note of 2026 says that the page then failed to load"),
        Switch::one_of("amount-echo", "how an amount looks in answers and notifications", &[
            ("as-sent", "the characters that the merchant sent"),
            ("two-decimals", "always two decimals"),
            ("shortest", "without needless zeros"),
        ])
        .assumed("the documents do not say in which form an amount comes back"),
        Switch::one_of("transaction-id", "which transactionId is taken", &[
            ("lenient", "up to 256 characters"),
            ("strict", "letters and digits, fewer than 16"),
        ])
        .assumed("the documents say under 16 in one place and 256 in another; live merchants send over 40 with hyphens"),
        Switch::one_of("callback-query", "how the result is joined to a callback that has a query", &[
            ("ampersand", "with &"),
            ("second-question-mark", "with a second ?"),
        ])
        .assumed("not documented; live merchants cope with both"),
        Switch::one_of("mobile-parameters", "what a MOBILE callback carries", &[
            ("like-get", "the same parameters as GET"),
            ("none", "nothing"),
        ])
        .assumed("the documents only say that the deep link is called"),
        Switch::one_of("canceled-code", "the result code of a payment that was cancelled or ran out", &[
            ("none", "none: an inquiry goes on saying null, the way back carries an empty code"),
            ("179", "179, and the merchant is notified"),
        ])
        .assumed("no code for a cancelled payment is known; 179 is borrowed from declines"),
        no_yes("inquiry-knows-token-payments", "whether /api/inquiry finds payments made by /api/pay")
            .assumed("not documented"),
        no_yes("check-knows-page-payments", "whether /api/check finds payments made on a page")
            .assumed("not documented"),
        no_yes("get-token-knows-page-payments", "whether /api/get/token finds payments made with genToken Y")
            .assumed("not documented"),
        Switch::one_of("token-when-none", "the field token of an answer when there is no token", &[
            ("null", "null"),
            ("absent", "left out"),
        ])
        .assumed("clients have met both"),
        no_yes("push-status-field", "whether a notification has the field status")
            .assumed("the documents do not list it; one live client expects it"),
        yes_no("push-token-payments", "whether a charge of a token is notified too")
            .assumed("the documents say that a notification follows a transaction, and name no exception"),
        no_yes("push-card-setups", "whether a saved card is notified too").assumed("not documented"),
        Switch::number("push-retries", "how often a notification is tried again, a second apart", 0, 10, 0)
            .assumed("nothing is documented about retries"),
    ]
}

pub(super) fn records(state: &BankState) -> Vec<PaymentRecord> {
    let mut payments: Vec<&BankPayment> = state.payments.values().collect();
    payments.sort_by_key(|payment| payment.number);
    payments.into_iter().map(record).collect()
}

fn record(payment: &BankPayment) -> PaymentRecord {
    let invoice = payment.page.as_ref().map(|page| page.invoice.as_str());
    let id = invoice.map_or_else(|| payment.number.to_string(), str::to_owned);
    let mut record = PaymentRecord::new(
        &id,
        &payment.transaction_id,
        payment.kind.name(),
        &payment.amount,
        payment.created_at,
    )
    .detail("transactionId", payment.transaction_id.as_str())
    .detail("invoice", invoice)
    .detail("card", payment.card.as_deref())
    .detail("cardNumber", payment.masked_card())
    .detail("hasToken", payment.token.is_some())
    .detail("submittedAt", payment.submitted_at.map(|at| at.to_string()))
    .detail("refundedAt", payment.refunded_at.map(|at| at.to_string()));
    record.state = payment.state;
    record.code.clone_from(&payment.code);
    record.debited_at = payment.debits.first().copied();
    record.debits = u32::try_from(payment.debits.len()).unwrap_or(u32::MAX);
    record.actions = actions(payment).iter().map(|action| (*action).to_owned()).collect();
    if let Some(page) = &payment.page {
        record.expires_at = Some(page.expires_at);
        let rooms: &[&str] = match payment.kind {
            super::state::Kind::CardSetup => &["confirmation"],
            _ => &["payment", "socialpay"],
        };
        for room in rooms {
            for language in ["mn", "en"] {
                record
                    .pages
                    .insert(format!("{room} {language}"), format!("/{room}/{language}/{}", page.invoice));
            }
        }
        if let Some(key) = &page.deeplink {
            let key = percent_encoding::utf8_percent_encode(key, percent_encoding::NON_ALPHANUMERIC);
            record.pages.insert("SocialPay app".to_owned(), format!("/-/socialpay-app?key={key}"));
            record.details.insert(
                "socialDeeplink".to_owned(),
                super::socialpay::deeplink(page.deeplink.as_deref()).into(),
            );
        }
    }
    record
}
