//! Exactly what crosses the network (BANK.md, sections 1 and 5). Every value is a text.

use serde::Deserialize;

/// An answer to a 200: every one is signed, and about a reference.
pub(crate) trait Answer: serde::de::DeserializeOwned {
    /// The values that its checksum covers; the reference is the first.
    fn values(&self) -> Vec<&str>;
    fn checksum(&self) -> &str;
}

macro_rules! answer {
    ($name:ident { $($value:ident),* }) => {
        #[derive(Deserialize)]
        pub(crate) struct $name { $(pub(crate) $value: String,)* checksum: String }

        impl Answer for $name {
            fn values(&self) -> Vec<&str> {
                vec![$(&self.$value),*]
            }
            fn checksum(&self) -> &str {
                &self.checksum
            }
        }
    };
}

answer!(InvoiceAnswer { reference, invoice });
answer!(InquiryAnswer { reference, result, amount, refunded });
answer!(RefundAnswer { reference, result, amount, refund });

#[derive(Deserialize)]
pub(crate) struct Refusal {
    pub(crate) code: String,
    #[serde(default)]
    pub(crate) text: String,
}

#[derive(Deserialize)]
pub(crate) struct Notification {
    pub(crate) reference: String,
    pub(crate) result: String,
    pub(crate) amount: String,
    pub(crate) checksum: Option<String>,
}
