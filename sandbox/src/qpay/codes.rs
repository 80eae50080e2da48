//! Lists QPay's error codes with their HTTP statuses.
//!
//! The codes are those of QPay's own table [TBL] and five more; the misspellings are QPay's. The statuses of the codes
//! marked `v` are proved by recorded answers [ETAG], `l` is observed live [QG], `t` follows from the class table [TBL].

/// A code, its HTTP status, and how the status is known.
pub(super) struct Code {
    pub(super) name: &'static str,
    pub(super) status: u16,
    /// `v`, `l` or `t`; see the module.
    evidence: char,
}

impl Code {
    /// What the switch says of it.
    pub(super) fn meaning(&self) -> &'static str {
        match self.evidence {
            'v' => "every call is answered so; the status is proved by a recorded answer",
            'l' => "every call is answered so; the status was observed live",
            _ => "every call is answered so; the status is inferred from its class",
        }
    }
}

const fn code(name: &'static str, status: u16, evidence: char) -> Code {
    Code { name, status, evidence }
}

pub(super) static CODES: &[Code] = &[
    code("AUTHENTICATION_FAILED", 401, 'v'),
    code("NO_CREDENTIALS", 401, 'v'),
    code("NO_CREDENDIALS", 401, 't'),
    code("PERMISSION_DENIED", 403, 't'),
    code("MERCHANT_INACTIVE", 403, 't'),
    code("QRACCOUNT_INACTIVE", 403, 't'),
    code("INVOICE_NOTFOUND", 422, 't'),
    code("PAYMENT_NOTFOUND", 422, 't'),
    code("MERCHANT_NOTFOUND", 422, 't'),
    code("CUSTOMER_NOTFOUND", 422, 't'),
    code("CLIENT_NOTFOUND", 422, 't'),
    code("BANK_ACCOUNT_NOTFOUND", 422, 't'),
    code("CARD_TERMINAL_NOTFOUND", 422, 't'),
    code("P2P_TERMINAL_NOTFOUND", 422, 't'),
    code("QRCODE_NOTFOUND", 422, 't'),
    code("QRACCOUNT_NOTFOUND", 422, 't'),
    code("INPUT_NOTFOUND", 422, 't'),
    code("INFORM_NOTFOUND", 422, 't'),
    code("MCC_NOTFOUND", 422, 't'),
    code("BANK_MCC_NOT_FOUND", 422, 't'),
    code("BARIMT_NOT_FOUND", 422, 'l'),
    code("ACCOUNT_BANK_DUPLICATED", 409, 't'),
    code("BANK_MCC_ALREADY_ADDED", 409, 't'),
    code("CLIENT_USERNAME_DUPLICATED", 409, 't'),
    code("CUSTOMER_DUPLICATE", 409, 't'),
    code("INPUT_CODE_REGISTERED", 409, 't'),
    code("INVOICE_CODE_REGISTERED", 409, 't'),
    code("MERCHANT_ALREADY_REGISTERED", 409, 't'),
    code("INVOICE_ALREADY_CANCELED", 400, 'v'),
    code("PAYMENT_NOT_PAID", 400, 'v'),
    code("PAYMENT_SETTLED", 400, 'v'),
    code("INVOICE_PAID", 400, 't'),
    code("PAYMENT_ALREADY_CANCELED", 400, 't'),
    code("QRCODE_USED", 400, 't'),
    code("INVALID_AMOUNT", 400, 't'),
    code("MIN_AMOUNT_ERR", 400, 't'),
    code("MAX_AMOUNT_ERR", 400, 't'),
    code("TRANSACTION_NOT_APPROVED", 400, 't'),
    code("ACCOUNT_SELECTION_INVALID", 400, 't'),
    code("CUSTOMER_REGISTER_INVALID", 400, 't'),
    code("EBARIMT_CANCEL_NOTSUPPERDED", 400, 't'),
    code("EBARIMT_NOT_REGISTERED", 400, 't'),
    code("EBARIMT_QR_CODE_INVALID", 400, 't'),
    code("INVALID_OBJECT_TYPE", 400, 't'),
    code("INVOICE_CODE_INVALID", 400, 't'),
    code("INVOICE_LINE_REQUIRED", 400, 't'),
    code("INVOICE_RECEIVER_DATA_REQUIRED", 400, 't'),
    code("INVOICE_RECEIVER_DATA_ADDRESS_REQUIRED", 400, 't'),
    code("INVOICE_RECEIVER_DATA_EMAIL_REQUIRED", 400, 't'),
    code("INVOICE_RECEIVER_DATA_PHONE_REQUIRED", 400, 't'),
    code("OBJECT_DATA_ERROR", 400, 't'),
    code("SENDER_BRANCH_DATA_REQUIRED", 400, 't'),
    code("TAX_LINE_REQUIRED", 400, 't'),
    code("TAX_PRODUCT_CODE_REQUIRED", 400, 't'),
    code("TRANSACTION_REQUIRED", 400, 't'),
    code("SYSTEM_BUSY", 500, 'v'),
    code("TypeError", 500, 'l'),
];

/// The HTTP status of a code; 400 for what is in no table.
pub(super) fn status_of(name: &str) -> u16 {
    CODES.iter().find(|code| code.name == name).map_or(400, |code| code.status)
}

/// The text beside a code: Mongolian where it was recorded, else the code again, which QPay sends too [ETAG].
pub(super) fn message_of(name: &str) -> &str {
    match name {
        "AUTHENTICATION_FAILED" => "Нэвтрэх нэр, нууц үг буруу",
        "INVOICE_ALREADY_CANCELED" => "Нэхэмжлэл цуцлагдсан байна",
        "PAYMENT_NOT_PAID" => "Төлбөр төлөлт хийгдээгүй байна",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_stands_once_and_has_the_status_of_its_class() {
        for (at, code) in CODES.iter().enumerate() {
            assert!(CODES.iter().skip(at + 1).all(|other| other.name != code.name), "{}", code.name);
            assert!(matches!(code.evidence, 'v' | 'l' | 't'));
            assert_eq!(status_of(code.name), code.status);
            if code.name.contains("NOTFOUND") || code.name.contains("NOT_FOUND") {
                assert_eq!(code.status, 422, "{}", code.name);
            }
        }
        // QPay's table has 52; NO_CREDENTIALS, PAYMENT_SETTLED, SYSTEM_BUSY, BARIMT_NOT_FOUND and TypeError are added.
        assert_eq!(CODES.len(), 57);
    }
}
