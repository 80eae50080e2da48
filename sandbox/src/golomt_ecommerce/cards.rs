//! The test cards. There is no other way to pay here, so that no real card number ever gets in.

/// What becomes of a payment with a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CardOutcome {
    /// The payer is debited.
    Approve,
    /// The bank refuses, with this code.
    Decline(&'static str),
    /// The payment data is sent and no result comes until somebody gives one on the control page.
    Pending,
}

/// A card that the hosted pages take.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct TestCard {
    /// The name in the control API.
    pub id: &'static str,
    /// The number. Its first digits belong to no country and no bank.
    pub number: &'static str,
    /// What happens on the hosted pages.
    pub page: CardOutcome,
    /// What happens when its token is charged.
    pub charge: CardOutcome,
    pub(super) text_en: &'static str,
    pub(super) text_mn: &'static str,
}

/// Every test card; expiry date, CVC and name may be anything of the right shape.
pub const TEST_CARDS: &[TestCard] = &[
    TestCard {
        id: "success",
        number: "9999990000000006",
        page: CardOutcome::Approve,
        charge: CardOutcome::Approve,
        text_en: "paid",
        text_mn: "амжилттай",
    },
    TestCard {
        id: "decline",
        number: "9999990000000014",
        page: CardOutcome::Decline("179"),
        charge: CardOutcome::Decline("179"),
        text_en: "declined by the issuer (179)",
        text_mn: "банк татгалзана (179)",
    },
    TestCard {
        id: "expired",
        number: "9999990000000022",
        page: CardOutcome::Decline("300"),
        charge: CardOutcome::Decline("300"),
        text_en: "card expired (300)",
        text_mn: "картын хугацаа дууссан (300)",
    },
    TestCard {
        id: "pending",
        number: "9999990000000030",
        page: CardOutcome::Pending,
        charge: CardOutcome::Approve,
        text_en: "no result until you give one on the control page",
        text_mn: "удирдлагын хуудаснаас хариу өгтөл хүлээнэ",
    },
    TestCard {
        id: "token-declined",
        number: "9999990000000048",
        page: CardOutcome::Approve,
        charge: CardOutcome::Decline("179"),
        text_en: "paid here, declined when its token is charged",
        text_mn: "энд амжилттай, токеноор татахад татгалзана",
    },
];

impl TestCard {
    /// The card with this name.
    pub fn by_id(id: &str) -> Option<&'static Self> {
        TEST_CARDS.iter().find(|card| card.id == id)
    }

    /// The card with this number, blanks and hyphens ignored.
    pub(crate) fn by_number(number: &str) -> Option<&'static Self> {
        let digits: String = number.chars().filter(|character| !matches!(character, ' ' | '-')).collect();
        TEST_CARDS.iter().find(|card| card.number == digits)
    }

    /// The number as every answer shows it: six digits, stars, four digits.
    pub fn masked(&self) -> String {
        format!("{}******{}", &self.number[..6], &self.number[self.number.len() - 4..])
    }

    /// The number in groups of four, as a card shows it.
    pub(super) fn grouped(&self) -> String {
        let digits: Vec<char> = self.number.chars().collect();
        digits.chunks(4).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join(" ")
    }
}

/// The bank's text for a result code; the two known to have an English form have one.
///
/// `000` and `300` stand in the bank's pages in Mongolian, `179` was seen live in English. The English forms of the
/// first two are ours (assumption): the documents only say that the language follows the request.
pub(super) fn code_text(code: &str, mongolian: bool) -> &'static str {
    match (code, mongolian) {
        ("000", true) => "Амжилттай",
        ("000", false) => "Success",
        ("300", true) => "Картын хугацаа дууссан",
        ("300", false) => "Card expired",
        ("179", _) => "Acquirer / Issuer Host Declined",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cards_look_like_cards_and_are_told_apart() {
        for card in TEST_CARDS {
            assert_eq!(card.number.len(), 16);
            assert_eq!(tulbur_redact::card_numbers(card.number), tulbur_redact::HIDDEN, "{}", card.id);
            assert_eq!(TestCard::by_number(&card.grouped()).map(|found| found.id), Some(card.id));
            assert_eq!(TestCard::by_id(card.id).map(|found| found.number), Some(card.number));
        }
        assert_eq!(TEST_CARDS[0].masked(), "999999******0006");
        assert!(TestCard::by_number("4111111111111111").is_none());
    }
}
