//! The numbers of the elements by their names.
//!
//! From the tables of the EMV QR Code Specification for Payment Systems, Merchant-Presented Mode 1.0, section 4; 62.10 and
//! 62.11 are of 1.1.
//! The ids of sub-elements stand in modules of their own, because the same number means another thing in each template.

/// Payload Format Indicator: always the first element, always `01`.
pub const PAYLOAD_FORMAT: u8 = 0;
/// Point of Initiation Method: `11` for a code that many customers pay, `12` for a code of one payment.
pub const POINT_OF_INITIATION: u8 = 1;
/// Merchant account of UnionPay (15 and 16): in Mongolia two institutions of eight digits and a merchant of fifteen.
pub const UNION_PAY: u8 = 15;
/// First of the merchant account templates (26 to 51); the usual place of the Mongolian national account.
pub const FIRST_ACCOUNT_TEMPLATE: u8 = 26;
/// Where VietQR keeps its account.
pub const VIETQR: u8 = 38;
/// Merchant Category Code of ISO 18245: four digits.
pub const MERCHANT_CATEGORY: u8 = 52;
/// Transaction Currency: three digits of ISO 4217, such as `496` for the tögrög and `704` for the đồng.
pub const CURRENCY: u8 = 53;
/// Transaction Amount, in the currency's main unit, with a point if there are decimals.
pub const AMOUNT: u8 = 54;
/// Tip or Convenience Indicator: `01` asks for a tip, `02` a fixed fee follows, `03` a percentage follows.
pub const TIP: u8 = 55;
/// Value of the fixed convenience fee.
pub const FIXED_FEE: u8 = 56;
/// Value of the percentage convenience fee.
pub const PERCENTAGE_FEE: u8 = 57;
/// Country Code: two letters of ISO 3166-1.
pub const COUNTRY: u8 = 58;
/// Merchant Name.
pub const MERCHANT_NAME: u8 = 59;
/// Merchant City.
pub const MERCHANT_CITY: u8 = 60;
/// Postal Code.
pub const POSTAL_CODE: u8 = 61;
/// Additional Data Field Template; what is in it: [`additional`].
pub const ADDITIONAL: u8 = 62;
/// The checksum: always the last element.
pub const CRC: u8 = 63;
/// Merchant Information, Language Template: name and city in the customer's script; what is in it: [`language`].
pub const LANGUAGE: u8 = 64;
/// First of the unreserved templates (80 to 99). Mongolian issuers write it bare, as `8002` and `01`.
pub const FIRST_UNRESERVED: u8 = 80;

/// Globally unique identifier: names whose template it is; in account templates (26 to 51) and unreserved ones. It may
/// stand anywhere among the sub-elements.
pub const GLOBALLY_UNIQUE_IDENTIFIER: u8 = 0;

/// Sub-elements of the additional data ([`ADDITIONAL`]).
pub mod additional {
    /// Bill or invoice number.
    pub const BILL_NUMBER: u8 = 1;
    /// The customer's telephone number.
    pub const MOBILE_NUMBER: u8 = 2;
    /// The shop's label.
    pub const STORE: u8 = 3;
    /// Loyalty number.
    pub const LOYALTY_NUMBER: u8 = 4;
    /// Reference label.
    pub const REFERENCE: u8 = 5;
    /// Customer label.
    pub const CUSTOMER: u8 = 6;
    /// The till's label.
    pub const TERMINAL: u8 = 7;
    /// Purpose of the transaction; in VietQR the text of the transfer.
    pub const PURPOSE: u8 = 8;
    /// What the customer's app is asked to add: `A` address, `M` telephone, `E` e-mail.
    pub const CONSUMER_DATA_REQUEST: u8 = 9;
    /// The merchant's tax number.
    pub const MERCHANT_TAX_ID: u8 = 10;
    /// Three characters on the merchant's channel.
    pub const MERCHANT_CHANNEL: u8 = 11;
}

/// Sub-elements of the language template ([`LANGUAGE`]).
pub mod language {
    /// Two letters of ISO 639-1.
    pub const PREFERENCE: u8 = 0;
    /// Merchant Name in that language.
    pub const MERCHANT_NAME: u8 = 1;
    /// Merchant City in that language.
    pub const MERCHANT_CITY: u8 = 2;
}

/// Within VietQR's account ([`VIETQR`]).
pub(crate) mod vietqr {
    /// The identifier of NAPAS.
    pub(crate) const IDENTIFIER: &str = "A000000727";
    /// To whom it goes; a template with [`BIN`] and [`ACCOUNT`].
    pub(crate) const BENEFICIARY: u8 = 1;
    /// By which service.
    pub(crate) const SERVICE: u8 = 2;
    /// The bank.
    pub(crate) const BIN: u8 = 0;
    /// The account, or the card.
    pub(crate) const ACCOUNT: u8 = 1;
}

/// What an element of the root is called, for messages.
pub(crate) fn name(id: u8) -> &'static str {
    match id {
        PAYLOAD_FORMAT => "payload format indicator",
        POINT_OF_INITIATION => "point of initiation method",
        2..=51 => "merchant account",
        MERCHANT_CATEGORY => "merchant category code",
        CURRENCY => "currency",
        AMOUNT => "amount",
        TIP => "tip indicator",
        FIXED_FEE => "fixed fee",
        PERCENTAGE_FEE => "percentage fee",
        COUNTRY => "country",
        MERCHANT_NAME => "merchant name",
        MERCHANT_CITY => "merchant city",
        POSTAL_CODE => "postal code",
        ADDITIONAL => "additional data",
        CRC => "checksum",
        LANGUAGE => "merchant information in another language",
        65..=79 => "reserved by EMVCo",
        _ => "unreserved template",
    }
}
