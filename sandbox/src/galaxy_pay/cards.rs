//! The test cards. There is no other way to pay by card here, so that no real card number ever gets in.

/// What a card asks of its holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Challenge {
    /// Nothing.
    None,
    /// A page of the card's bank (3-D Secure).
    ThreeDSecure,
    /// A password that the domestic bank sends.
    Otp,
}

/// What becomes of a payment with a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CardOutcome {
    /// The payer is debited.
    Approve,
    /// The issuer refuses; with which code is a switch.
    Decline,
    /// No result comes until somebody gives one on the control page.
    Pending,
}

/// A card that the sandbox takes.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct TestCard {
    /// The name in the control API.
    pub id: &'static str,
    /// The number.
    pub number: &'static str,
    /// What it asks of its holder when a page or a token payment is made with it.
    pub challenge: Challenge,
    /// What happens on the hosted pages.
    pub page: CardOutcome,
    /// What happens when its token is charged.
    pub charge: CardOutcome,
    pub(super) holder: &'static str,
    pub(super) date: &'static str,
    pub(super) cvv: &'static str,
    pub(super) method: &'static str,
    /// Scheme or bank code, where one is known.
    pub(super) source: Option<&'static str>,
    pub(super) text: &'static str,
}

const fn international(
    id: &'static str,
    number: &'static str,
    source: &'static str,
    challenge: Challenge,
    text: &'static str,
) -> TestCard {
    TestCard {
        id,
        number,
        challenge,
        page: CardOutcome::Approve,
        charge: CardOutcome::Approve,
        holder: "NGUYEN VAN A",
        date: "01/39",
        cvv: "100",
        method: "INTERNATIONAL",
        source: Some(source),
        text,
    }
}

const fn cybersource(mut card: TestCard) -> TestCard {
    card.date = "12/30";
    card.cvv = "111";
    card
}

const fn domestic(id: &'static str, number: &'static str, source: Option<&'static str>) -> TestCard {
    TestCard {
        id,
        number,
        challenge: Challenge::Otp,
        page: CardOutcome::Approve,
        charge: CardOutcome::Approve,
        holder: "NGUYEN VAN A",
        date: "03/07",
        cvv: "",
        method: "DOMESTIC",
        source,
        text: "domestic, asks for the OTP, which is otp",
    }
}

const fn outcomes(mut card: TestCard, page: CardOutcome, charge: CardOutcome) -> TestCard {
    card.page = page;
    card.charge = charge;
    card
}

use CardOutcome::{Approve, Decline, Pending};
use Challenge::{None as Nothing, ThreeDSecure};

/// Every test card: those of the gateway's guides, whose outcomes are all good, and behind them the sandbox's own with
/// numbers that belong to no country and no bank. Dates and CVV may be anything of the right shape.
pub const TEST_CARDS: &[TestCard] = &[
    international("mpgs", "4012000033330026", "VISA", Nothing, "paid at once"),
    international("mpgs-3ds", "5506920809243667", "MASTER", ThreeDSecure, "paid after 3-D Secure"),
    cybersource(international("cybersource", "4456530000000064", "VISA", Nothing, "paid at once")),
    cybersource(international(
        "cybersource-3ds",
        "4456530000001096",
        "VISA",
        ThreeDSecure,
        "paid after 3-D Secure",
    )),
    domestic("napas", "9704000000000018", Some("SAIGONBANK")),
    domestic("napas-2022", "9704020000000016", None),
    international(
        "sample-form",
        "5506922400634930",
        "MASTER",
        ThreeDSecure,
        "the samples' card; whether it has 3-D Secure is not known (assumption: yes)",
    ),
    international("mpgs-2022-3ds-1", "5123450000000008", "MASTER", ThreeDSecure, "of guides v3.0 to v3.3"),
    international("mpgs-2022-3ds-2", "2223000000000007", "MASTER", ThreeDSecure, "of guides v3.0 to v3.3"),
    international("mpgs-2022-3ds-3", "4508750015741019", "VISA", ThreeDSecure, "of guides v3.0 to v3.3"),
    international("mpgs-2022-1", "5111111111111118", "MASTER", Nothing, "of guides v3.0 to v3.3"),
    international("mpgs-2022-2", "2223000000000023", "MASTER", Nothing, "of guides v3.0 to v3.3"),
    outcomes(
        international("decline", "9999990000000014", "VISA", Nothing, "the sandbox's own: declined"),
        Decline,
        Decline,
    ),
    outcomes(
        international(
            "pending",
            "9999990000000030",
            "VISA",
            Nothing,
            "the sandbox's own: no result until you give one on the control page",
        ),
        Pending,
        Approve,
    ),
    outcomes(
        international(
            "token-declined",
            "9999990000000048",
            "VISA",
            Nothing,
            "the sandbox's own: paid here, declined when its token is charged",
        ),
        Approve,
        Decline,
    ),
];

impl TestCard {
    /// The card with this name.
    pub fn by_id(id: &str) -> Option<&'static Self> {
        TEST_CARDS.iter().find(|card| card.id == id)
    }

    /// The card with this number, blanks and hyphens ignored.
    pub(super) fn by_number(number: &str) -> Option<&'static Self> {
        let digits: String = number.chars().filter(|character| !matches!(character, ' ' | '-')).collect();
        TEST_CARDS.iter().find(|card| card.number == digits)
    }

    /// The number as callbacks show it. Which digits the gateway shows is not known (assumption).
    pub fn masked(&self) -> String {
        format!("{}******{}", &self.number[..6], &self.number[self.number.len() - 4..])
    }

    /// The number in groups of four, as a card shows it.
    pub(super) fn grouped(&self) -> String {
        let digits: Vec<char> = self.number.chars().collect();
        digits.chunks(4).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join(" ")
    }

    pub(super) fn is_domestic(&self) -> bool {
        self.method == "DOMESTIC"
    }

    /// `accountBrand` of its token: the scheme; for a domestic card `NAPAS` (assumption).
    pub(super) fn brand(&self) -> &'static str {
        if self.is_domestic() { "NAPAS" } else { self.source.unwrap_or("VISA") }
    }

    /// `accountSource` of its token: the issuer's bank code, where one is known.
    pub(super) fn issuer(&self) -> Option<&'static str> {
        if self.is_domestic() { self.source } else { Some("SANDBOX BANK") }
    }
}

/// Whether a text looks like a card's date.
pub(super) fn is_card_date(text: &str) -> bool {
    let Some((month, year)) = text.split_once('/') else { return false };
    let digits = |part: &str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
    digits(month) && digits(year) && month.parse().is_ok_and(|month: u8| (1..=12).contains(&month))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cards_look_like_cards_and_are_told_apart() {
        for card in TEST_CARDS {
            assert_eq!(tulbur_redact::card_numbers(card.number), tulbur_redact::HIDDEN, "{}", card.id);
            assert!(is_card_date(card.date), "{}", card.id);
            assert_eq!(TestCard::by_number(&card.grouped()).map(|found| found.id), Some(card.id));
            assert_eq!(TestCard::by_id(card.id).map(|found| found.number), Some(card.number));
        }
        assert_eq!(TEST_CARDS[0].masked(), "401200******0026");
        assert!(TestCard::by_number("4111111111111111").is_none());
        assert!(!is_card_date("13/30") && !is_card_date("0/30") && !is_card_date("1230"));
    }
}
