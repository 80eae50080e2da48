//! The gateway's code words, as types that keep the ones they do not know.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

/// An enum of code words with a place for every other one.
macro_rules! codes {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(from = "String", into = "String")]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
            /// A word that is not in the documents that this crate was written from.
            Other(String),
        }

        impl $name {
            /// The word on the wire.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $word,)*
                    Self::Other(word) => word,
                }
            }
        }

        impl From<&str> for $name {
            fn from(word: &str) -> Self {
                match word {
                    $($word => Self::$variant,)*
                    other => Self::Other(other.to_owned()),
                }
            }
        }

        impl From<String> for $name {
            fn from(word: String) -> Self {
                Self::from(word.as_str())
            }
        }

        impl From<$name> for String {
            fn from(code: $name) -> Self {
                code.as_str().to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

codes! {
    /// How the payer pays: `paymentMethod` (G 2.4.1; D: api-specification/payment/pay).
    Method {
        /// A card of a Vietnamese bank.
        Domestic = "DOMESTIC",
        /// A card of an international scheme.
        International = "INTERNATIONAL",
        /// An e-wallet.
        Wallet = "WALLET",
        /// A foreign payment hub.
        Hub = "HUB",
        /// A VietQR payload in a bank's app.
        Qr = "QRPAY",
        /// Buy now, pay later.
        Bnpl = "BNPL",
    }
}

impl Method {
    /// The method of a saved card, from the brand that came with its token ([`CardInfo`](tulbur_core::CardInfo)'s
    /// `brand`): schemes are international, wallets are wallets, banks of [`BANKS`](crate::BANKS) are domestic. None
    /// for a brand that is none of these.
    pub fn of_account_brand(brand: &str) -> Option<Self> {
        let source = SourceType::new(brand.to_ascii_uppercase());
        if SourceType::SCHEMES.contains(&source) {
            Some(Self::International)
        } else if SourceType::WALLETS.contains(&source) {
            Some(Self::Wallet)
        } else {
            crate::banks::Bank::find(source.as_str()).map(|_| Self::Domestic)
        }
    }

    /// Whether a token can be of it. That wallets have tokens is observed (NET, W24); the pages speak of cards.
    pub(crate) fn can_have_tokens(&self) -> bool {
        !matches!(self, Self::Hub | Self::Qr | Self::Bnpl)
    }

    /// Whether a payment by it can save a card (D: api-specification/payment/pay-with-create-token).
    pub(crate) fn can_save_cards(&self) -> bool {
        !matches!(self, Self::Wallet | Self::Hub | Self::Qr | Self::Bnpl)
    }

    /// Whether `sourceType` may be left out (the same pages).
    pub(crate) fn stands_alone(&self) -> bool {
        matches!(self, Self::Domestic | Self::International | Self::Other(_))
    }
}

/// Who stands behind a method: `sourceType`. A bank's code ([`BANKS`](crate::BANKS)), a card scheme, a wallet, a hub.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SourceType(Cow<'static, str>);

impl SourceType {
    /// `MoMo` wallet (G 1.8).
    pub const MOMO: Self = Self(Cow::Borrowed("MOMO"));
    /// `ZaloPay` wallet (G 1.8).
    pub const ZALOPAY: Self = Self(Cow::Borrowed("ZALOPAY"));
    /// Galaxy Pay's wallet as the guide calls it (G 1.8). Which of the two names is taken today is unknown.
    pub const GPAY: Self = Self(Cow::Borrowed("GPAY"));
    /// Galaxy Pay's wallet as the web documentation calls it.
    pub const GALAXYPAY: Self = Self(Cow::Borrowed("GALAXYPAY"));
    /// VietQR (G 1.10).
    pub const QRPAY: Self = Self(Cow::Borrowed("QRPAY"));
    /// VNPAY's QR (NET).
    pub const VNPAY: Self = Self(Cow::Borrowed("VNPAY"));
    /// 2C2P, a hub (G 1.9).
    pub const C2P: Self = Self(Cow::Borrowed("2C2P"));
    /// `POLi`, a hub for Australian dollars (G 1.9).
    pub const POLI: Self = Self(Cow::Borrowed("POLI"));
    /// Paytm, a hub (NET).
    pub const PAYTM: Self = Self(Cow::Borrowed("PAYTM"));
    /// Kredivo, buy now, pay later (NET).
    pub const KREDIVO: Self = Self(Cow::Borrowed("KREDIVO"));
    /// The international card schemes (G 1.11).
    pub const SCHEMES: [Self; 4] = [
        Self(Cow::Borrowed("VISA")),
        Self(Cow::Borrowed("MASTER")),
        Self(Cow::Borrowed("JCB")),
        Self(Cow::Borrowed("AMEX")),
    ];
    /// Every name of a wallet that is known; two of them have two names each.
    pub const WALLETS: [Self; 6] = [
        Self::MOMO,
        Self::ZALOPAY,
        Self::GPAY,
        Self::GALAXYPAY,
        Self(Cow::Borrowed("VIETEL")),
        Self(Cow::Borrowed("VIETTEL")),
    ];

    /// Any code.
    pub fn new(code: impl Into<String>) -> Self {
        Self(Cow::Owned(code.into()))
    }

    /// The word on the wire.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SourceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

codes! {
    /// A provider that a payment link offers: `paymentMethods` (D: api-specification/payment/payment-link).
    LinkMethod {
        /// Galaxy Pay's wallet.
        GalaxyPay = "GALAXYPAY",
        /// International cards.
        Mpgs = "MPGS",
        /// VietQR.
        QrPay = "QRPAY",
        /// The wallet `MoMo`.
        Momo = "MOMO",
        /// The wallet `ZaloPay`.
        ZaloPay = "ZALOPAY",
        /// Domestic cards.
        Napas = "NAPAS",
    }
}

codes! {
    /// What a payment link asks the payer for: `paymentFields` (the same page).
    LinkField {
        /// E-mail address. The page's list has `email`, its sample `mail`; the list is taken.
        Email = "email",
        /// Name.
        FullName = "fullname",
        /// Phone number.
        Phone = "phone",
        /// Where the goods go.
        ShippingAddress = "shippingAddress",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_and_unknown_words_are_written_as_they_are_read() {
        for word in ["DOMESTIC", "INTERNATIONAL", "WALLET", "HUB", "QRPAY", "BNPL", "SOMETHING", "domestic"] {
            let json = format!("\"{word}\"");
            let method: Method = serde_json::from_str(&json).unwrap();
            assert_eq!(serde_json::to_string(&method).unwrap(), json);
            assert_eq!(matches!(method, Method::Other(_)), ["SOMETHING", "domestic"].contains(&word));
            let source: SourceType = serde_json::from_str(&json).unwrap();
            assert_eq!(serde_json::to_string(&source).unwrap(), json);
        }
        assert_eq!(LinkField::from("mail"), LinkField::Other("mail".into()));
        assert_eq!(LinkMethod::from("NAPAS"), LinkMethod::Napas);
    }

    #[test]
    fn a_brand_says_the_method_of_a_token_or_nothing() {
        for (brand, method) in [
            ("VISA", Some(Method::International)),
            ("Master", Some(Method::International)),
            ("MOMO", Some(Method::Wallet)),
            ("GPAY", Some(Method::Wallet)),
            ("VIETCOMBANK", Some(Method::Domestic)),
            ("Vietcombank", Some(Method::Domestic)),
            ("", None),
            ("UNIONPAY", None),
        ] {
            assert_eq!(Method::of_account_brand(brand), method, "{brand}");
        }
    }
}
