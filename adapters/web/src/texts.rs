//! Every word that a payer reads, once, each with its translations beside it.
//!
//! To correct a text, change it in the table. To add a language, add its column here: a row without it shows
//! English, so a translation can grow row by row.

use tulbur_core::Language;

/// The words of one language.
#[derive(Debug)]
pub(crate) struct Texts {
    /// The language that these words are in, which is not the one asked for where there is no translation.
    pub(crate) language: Language,
    /// Its name in itself, for the link that chooses it.
    pub(crate) name: &'static str,
    pub(crate) words: Words,
}

macro_rules! table {
    ($($key:ident { $($code:ident: $text:literal),+ $(,)? })+) => {
        /// One field for each row of the table.
        #[derive(Debug)]
        pub(crate) struct Words {
            $(pub(crate) $key: &'static str,)+
        }

        const fn words(language: Language) -> Words {
            Words {
                $($key: pick(language, &[$((column(stringify!($code)), $text)),+]),)+
            }
        }

        #[cfg(test)]
        impl Words {
            /// The rows with their keys.
            fn rows(&self) -> Vec<(&'static str, &'static str)> {
                vec![$((stringify!($key), self.$key)),+]
            }
        }
    };
}

/// The language of a column. A column of another name does not compile.
const fn column(code: &str) -> Language {
    match code.as_bytes() {
        b"mn" => Language::Mn,
        b"en" => Language::En,
        b"vi" => Language::Vi,
        _ => panic!("a column must be mn, en or vi"),
    }
}

/// The text in a language, else in English. A row without English does not compile.
const fn pick(language: Language, row: &[(Language, &'static str)]) -> &'static str {
    let mut english = None;
    let mut at = 0;
    while at < row.len() {
        if row[at].0 as u8 == language as u8 {
            return row[at].1;
        }
        if row[at].0 as u8 == Language::En as u8 {
            english = Some(row[at].1);
        }
        at += 1;
    }
    english.expect("a row must have English")
}

static MN: Texts = Texts { language: Language::Mn, name: "Монгол", words: words(Language::Mn) };
static EN: Texts = Texts { language: Language::En, name: "English", words: words(Language::En) };

/// The languages that a payer can choose, in the order in which they are offered.
pub(crate) static OFFERED: [&Texts; 2] = [&MN, &EN];

/// The words for a language; English for one that has none yet.
pub(crate) fn texts(language: Language) -> &'static Texts {
    OFFERED.into_iter().find(|texts| texts.language == language).unwrap_or(&EN)
}

table! {
    // The invoice.
    invoice { mn: "Нэхэмжлэх", en: "Invoice" }
    save_a_card { mn: "Карт хадгалах", en: "Save a card" }
    amount { mn: "Дүн", en: "Amount" }
    description { mn: "Гүйлгээний утга", en: "For" }
    card { mn: "Карт", en: "Card" }
    bank { mn: "Банк", en: "Bank" }
    time_left { mn: "Үлдсэн хугацаа", en: "Time left" }

    // What the payer can do.
    choose { mn: "Төлбөрийн хэлбэрээ сонгоно уу", en: "Choose how to pay" }
    pay_by_card { mn: "Картаар төлөх", en: "Pay by card" }
    pay_by_socialpay { mn: "SocialPay-ээр төлөх", en: "Pay with SocialPay" }
    pay { mn: "Төлбөр төлөх", en: "Go on to payment" }
    enter_card { mn: "Картаа бүртгүүлэх", en: "Enter your card" }
    challenge { mn: "Банкны баталгаажуулалт хийх", en: "Confirm with your bank" }
    open_app { mn: "Апп нээх:", en: "Open the app:" }
    approve { mn: "Гар утсандаа ирсэн нэхэмжлэхийг баталгаажуулна уу.", en: "Please approve the invoice on your phone." }
    no_way {
        mn: "Энэ нэхэмжлэхийг энэ хуудаснаас төлөх боломжгүй байна. Дэлгүүрээс дахин нээнэ үү.",
        en: "This invoice cannot be paid on this page. Please open it again from the shop.",
    }
    cancel { mn: "Төлбөрийг цуцлах", en: "Cancel this payment" }
    cancel_explained {
        mn: "Цуцалсан нэхэмжлэхийг дахин төлөх боломжгүй. Дэлгүүрээс шинээр эхлүүлж болно.",
        en: "A canceled invoice cannot be paid any more. You can start again from the shop.",
    }
    cancel_confirmed { mn: "Тийм, цуцлах", en: "Yes, cancel it" }
    to_shop { mn: "Дэлгүүр рүү буцах", en: "Back to the shop" }
    go_on { mn: "Үргэлжлүүлэх", en: "Continue" }
    to_payment { mn: "Төлбөрийн хуудас руу буцах", en: "Back to the payment page" }
    choose_language { mn: "Хэл сонгох", en: "Language" }

    // How it stands.
    waiting { mn: "Төлбөр хүлээгдэж байна", en: "Waiting for your payment" }
    asking { mn: "Банкнаас гүйлгээг лавлаж байна", en: "We are asking the bank" }
    asking_explained {
        mn: "Гүйлгээний хариу хараахан ирээгүй байна. Хариу ирмэгц энэ хуудас өөрчлөгдөнө. Төлсөн бол дахин бүү төлнө үү.",
        en: "The result of your transaction is not here yet. This page changes when it comes. If you have paid, do not pay again.",
    }
    not_paid_yet { mn: "Хэрэв та төлөөгүй бол:", en: "If you have not paid yet:" }
    time_up { mn: "Төлөх хугацаа дууслаа", en: "The time to pay is over" }
    time_up_explained {
        mn: "Банкнаас гүйлгээний эцсийн хариуг лавлаж байна. Төлсөн бол дахин бүү төлнө үү.",
        en: "We are asking the bank once more how your transaction ended. If you have paid, do not pay again.",
    }
    paid { mn: "Төлбөр амжилттай", en: "Payment successful" }
    paid_explained { mn: "Гүйлгээ баталгаажлаа. Баярлалаа.", en: "The bank has confirmed your transaction. Thank you." }
    paid_late_explained {
        mn: "Гүйлгээ төлөх хугацаанаас хойш баталгаажсан. Захиалгынхаа талаар дэлгүүрээс лавлана уу.",
        en: "Your transaction was confirmed after the invoice had ended. Please ask the shop about your order.",
    }
    paid_again {
        mn: "Энэ захиалга өөр гүйлгээгээр төлөгдсөн байна. Энэ гүйлгээний буцаалтын талаар дэлгүүрээс лавлана уу.",
        en: "This order had already been paid by another transaction. Please ask the shop for the refund of this one.",
    }
    authorized { mn: "Гүйлгээ зөвшөөрөгдлөө", en: "Payment approved" }
    authorized_explained {
        mn: "Дүнг таны картад түр барьсан. Дэлгүүр захиалгыг баталгаажуулмагц төлбөр хийгдэнэ.",
        en: "The amount is held on your card. It is taken when the shop confirms your order.",
    }
    saved { mn: "Карт хадгалагдлаа", en: "Card saved" }
    saved_explained { mn: "Дараагийн удаа энэ картаар төлөх боломжтой.", en: "You can pay with this card next time." }
    declined { mn: "Төлбөр амжилтгүй боллоо", en: "Payment declined" }
    declined_explained {
        mn: "Банк гүйлгээг зөвшөөрсөнгүй. Дэлгүүрээс дахин оролдож болно.",
        en: "The bank did not approve the transaction. You can try again from the shop.",
    }
    card_declined { mn: "Карт хадгалагдсангүй", en: "Card not saved" }
    card_declined_explained {
        mn: "Банк картыг зөвшөөрсөнгүй. Дэлгүүрээс дахин оролдож болно.",
        en: "The bank did not accept the card. You can try again from the shop.",
    }
    bank_says { mn: "Банкны тайлбар", en: "The bank says" }
    canceled { mn: "Нэхэмжлэх цуцлагдсан", en: "Invoice canceled" }
    card_canceled { mn: "Карт хадгалахыг цуцалсан", en: "Saving the card was canceled" }
    canceled_explained {
        mn: "Энэ нэхэмжлэхийг дахин төлөх боломжгүй. Дэлгүүрээс шинээр эхлүүлж болно.",
        en: "This invoice cannot be paid any more. You can start again from the shop.",
    }
    expired { mn: "Нэхэмжлэхийн хугацаа дууссан", en: "The invoice has expired" }
    card_expired { mn: "Карт хадгалах хугацаа дууссан", en: "The time to save the card is over" }
    expired_explained {
        mn: "Гүйлгээ хийгдээгүй байна. Дэлгүүрээс шинээр эхлүүлж болно.",
        en: "No transaction was made. You can start again from the shop.",
    }
    ended_by_us {
        mn: "Хэрэв таны данснаас мөнгө хасагдсан бол дахин бүү төлнө үү: банк гүйлгээг баталгаажуулмагц дэлгүүрт мэдэгдэнэ.",
        en: "If money has left your account nevertheless, do not pay again: the shop will be told as soon as the bank confirms it.",
    }

    // What went wrong.
    not_found { mn: "Хуудас олдсонгүй", en: "Page not found" }
    not_found_explained {
        mn: "Холбоос буруу эсвэл дутуу байна. Төлбөрийн хуудсыг дэлгүүрээс дахин нээнэ үү.",
        en: "The link is wrong or incomplete. Please open the payment page again from the shop.",
    }
    return_refused { mn: "Буцах хүсэлтийг уншиж чадсангүй", en: "This way back could not be read" }
    return_refused_explained {
        mn: "Хүсэлт энэ нэхэмжлэхэд хамаарахгүй эсвэл гэмтсэн байна. Төлбөрт юу ч өөрчлөгдөөгүй.",
        en: "The request does not belong to this invoice or is damaged. Nothing about the payment was changed.",
    }
    unavailable { mn: "Түр хүлээнэ үү", en: "Please wait a moment" }
    unavailable_explained {
        mn: "Мэдээллийг одоо авах боломжгүй байна. Төлбөрийн мэдээлэл алдагдаагүй. Хэсэг хугацааны дараа дахин ачаална уу.",
        en: "The information is out of reach right now. Nothing about your payment is lost. Please load this page again in a moment.",
    }
    cancel_refused { mn: "Цуцалж чадсангүй", en: "It could not be canceled" }
    cancel_refused_explained {
        mn: "Нэхэмжлэх хэвээр байна. Төлбөрийн хуудаснаас гүйлгээний төлөвийг харна уу.",
        en: "The invoice stands as it was. The payment page shows how the transaction stands.",
    }
    details { mn: "Дэлгэрэнгүй", en: "Details" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_is_in_every_language() {
        for texts in OFFERED {
            for (key, text) in texts.words.rows() {
                assert!(!text.trim().is_empty(), "{key} is empty in {}", texts.name);
                assert_eq!(text.trim(), text, "{key} has white space around it in {}", texts.name);
            }
        }
        for ((key, mongolian), (_, english)) in MN.words.rows().into_iter().zip(EN.words.rows()) {
            assert_ne!(mongolian, english, "{key} is not translated");
            let cyrillic = |text: &str| text.chars().any(|c| ('\u{400}'..='\u{4ff}').contains(&c));
            assert!(cyrillic(mongolian), "{key} is not Mongolian: {mongolian}");
            assert!(!cyrillic(english), "{key} is not English: {english}");
        }
    }

    #[test]
    fn mongolian_uses_the_banks_own_terms() {
        let all: String = MN.words.rows().into_iter().map(|(_, text)| text.to_lowercase()).collect();
        for term in ["нэхэмжлэх", "гүйлгээ", "буцаалт", "төлбөр амжилттай"]
        {
            assert!(all.contains(term), "{term}");
        }
    }

    #[test]
    fn a_language_without_words_falls_back_to_english() {
        assert_eq!(texts(Language::Vi).language, Language::En);
        assert_eq!(texts(Language::Mn).language, Language::Mn);
        assert_eq!(pick(Language::Vi, &[(Language::Mn, "a"), (Language::En, "b")]), "b");
        assert_eq!(pick(Language::Vi, &[(Language::En, "b"), (Language::Vi, "c")]), "c");
    }
}
