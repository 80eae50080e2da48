//! The banks of domestic cards.

/// A bank whose cards are taken, and its code as `sourceType` of a domestic payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Bank {
    /// The code on the wire.
    pub code: &'static str,
    /// The bank's Vietnamese name.
    pub name: &'static str,
    /// The numbers with which the bank's cards begin, which were its codes before November 2022. Still of use to
    /// recognise a card.
    pub bins: &'static [&'static str],
}

impl Bank {
    const fn new(code: &'static str, name: &'static str, bins: &'static [&'static str]) -> Self {
        Self { code, name, bins }
    }

    /// The bank with this code.
    pub fn find(code: &str) -> Option<&'static Self> {
        BANKS.iter().find(|bank| bank.code == code)
    }
}

/// The banks of the guide (G 1.12, complete there; newer codes may exist and can be sent too). The numbers are those of
/// the guide v3.3.
pub const BANKS: [Bank; 44] = [
    Bank::new("SAIGONBANK", "Sài Gòn Công Thương", &["970400"]),
    Bank::new("SACOMBANK", "Sài Gòn Thương Tín", &["970403"]),
    Bank::new("AGRIBANK", "Nông nghiệp và Phát triển Nông thôn", &["970405"]),
    Bank::new("DONGABANK", "Đông Á", &["970406"]),
    Bank::new("TECHCOMBANK", "Kỹ Thương", &["970407"]),
    Bank::new("GPBANK", "Dầu Khí Toàn Cầu", &["970408"]),
    Bank::new("BACABANK", "Bắc Á", &["970409"]),
    Bank::new("PVCOMBANK", "Đại Chúng", &["970412"]),
    Bank::new("OCEANBANK", "Đại Dương", &["970414"]),
    Bank::new("VIETINBANK", "Công Thương Việt Nam", &["970415"]),
    Bank::new("ACB", "Á Châu", &["970416"]),
    Bank::new("BIDV", "Đầu tư và Phát triển", &["970418"]),
    Bank::new("NCB", "Quốc Dân", &["970419"]),
    Bank::new("VRB", "Liên doanh Việt Nga", &["970421"]),
    Bank::new("MB", "Quân Đội", &["970422"]),
    Bank::new("TPBANK", "Tiên Phong", &["970423"]),
    Bank::new("SHINHANBANK", "Shinhan Việt Nam", &["970424"]),
    Bank::new("ABBANK", "An Bình", &["970425"]),
    Bank::new("MSB", "Hàng Hải", &["970426"]),
    Bank::new("VIETABANK", "Việt Á", &["970427"]),
    Bank::new("NAMABANK", "Nam Á", &["970428"]),
    Bank::new("SCB", "Sài Gòn", &["970429"]),
    Bank::new("PGBANK", "Xăng dầu Petrolimex", &["970430"]),
    Bank::new("EXIMBANK", "Xuất Nhập khẩu", &["970431"]),
    Bank::new("VPBANK", "Việt Nam Thịnh Vượng", &["970432"]),
    Bank::new("VIETBANK", "Việt Nam Thương Tín", &["970433"]),
    Bank::new("IVB", "Indovina", &["970434"]),
    Bank::new("VIETCOMBANK", "Ngoại thương", &["970436"]),
    Bank::new("HDBANK", "Phát Triển TP. Hồ Chí Minh", &["970437"]),
    Bank::new("BAOVIETBANK", "Bảo Việt", &["970438"]),
    Bank::new("PUBLICBANK", "Public Việt Nam", &["970439"]),
    Bank::new("SEABANK", "Đông Nam Á", &["970440"]),
    Bank::new("VIB", "Quốc Tế", &["970441"]),
    Bank::new("HONGLEONGBANK", "Hong Leong Việt Nam", &["970442"]),
    Bank::new("SHB", "Sài Gòn - Hà Nội", &["970443"]),
    Bank::new("OCB", "Phương Đông", &["970448"]),
    Bank::new("LIENVIETPOSTBANK", "Bưu Điện Liên Việt", &["970449"]),
    Bank::new("KIENLONGBANK", "Kiên Long", &["970452"]),
    Bank::new("VIETCAPITALBANK", "Bản Việt", &["970454"]),
    Bank::new("WOORIBANK", "Woori Việt Nam", &["970457"]),
    Bank::new("UOB", "UOB Việt Nam", &["970458"]),
    Bank::new("VIETCREDIT", "Tín Việt", &["970460"]),
    Bank::new("KEBHANA", "Hana", &["970466", "970467"]),
    Bank::new("MAFC", "Mirae Asset", &[]),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_and_numbers_are_each_one_bank() {
        let codes: BTreeSet<&str> = BANKS.iter().map(|bank| bank.code).collect();
        let bins: Vec<&str> = BANKS.iter().flat_map(|bank| bank.bins.iter().copied()).collect();
        assert_eq!(codes.len(), 44);
        assert_eq!(bins.iter().collect::<BTreeSet<_>>().len(), bins.len());
        assert!(bins.iter().all(|bin| bin.len() == 6 && bin.starts_with("970")));
        assert!(codes.iter().all(|code| code.len() <= 20), "sourceType has 20 characters");
        assert_eq!(Bank::find("VIETCOMBANK").unwrap().bins, ["970436"]);
        assert_eq!(Bank::find("970436"), None);
    }
}
