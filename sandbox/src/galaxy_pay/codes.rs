//! The gateway's response codes (specification, 11) with their texts.

/// Every code of the table, with the meaning that it has there.
pub(super) const CODES: &[(&str, &str)] = &[
    ("200", "success"),
    ("400", "bad request"),
    ("401", "invalid API key or signature"),
    ("408", "transaction expired"),
    ("409", "duplicate transaction"),
    ("499", "cancelled by the customer"),
    ("502", "cannot connect to the service provider"),
    ("503", "cannot send the request to the service provider"),
    ("504", "request time-out"),
    ("505", "3-D Secure authentication failed, or not supported"),
];

/// The code as a constant of the table.
pub(super) fn known(code: &str) -> Option<&'static str> {
    CODES.iter().map(|(known, _)| *known).find(|known| *known == code)
}

/// The text of a result. Those of 200 and 499 stand in the guide's callback samples; the others are ours.
pub(super) fn result_text(code: &str, vietnamese: bool) -> &'static str {
    match (code, vietnamese) {
        ("200", false) => "Transaction is successful.",
        ("200", true) => "Giao dịch thành công.",
        ("408", false) => "Transaction expired",
        ("408", true) => "Giao dịch đã hết hạn",
        ("499", false) => "Canceled by user",
        ("499", true) => "Khách hàng đã hủy giao dịch",
        ("502" | "503", false) => "The service provider could not be reached",
        ("502" | "503", true) => "Không kết nối được nhà cung cấp dịch vụ",
        ("504", false) => "Request timeout",
        ("504", true) => "Hết thời gian chờ xử lý",
        ("505", false) => "Authentication failed",
        ("505", true) => "Xác thực không thành công",
        (_, false) => "Transaction failed",
        (_, true) => "Giao dịch không thành công",
    }
}
