//! Every text of the hosted pages, in the two languages that the bank has, so that one table can be corrected.

/// A page's language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    Mongolian,
    English,
}

impl Language {
    /// The language of a page's address, in whatever case.
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "mn" => Some(Self::Mongolian),
            "en" => Some(Self::English),
            _ => None,
        }
    }

    pub(super) fn is_mongolian(self) -> bool {
        self == Self::Mongolian
    }

    pub(super) fn texts(self) -> &'static Texts {
        match self {
            Self::Mongolian => &MONGOLIAN,
            Self::English => &ENGLISH,
        }
    }
}

/// The texts of the pages in one language.
#[derive(Debug)]
pub(super) struct Texts {
    pub(super) code: &'static str,
    pub(super) sandbox: &'static str,
    pub(super) pay_title: &'static str,
    pub(super) save_title: &'static str,
    pub(super) save_hint: &'static str,
    pub(super) socialpay_title: &'static str,
    pub(super) amount: &'static str,
    pub(super) order: &'static str,
    pub(super) time_left: &'static str,
    pub(super) number: &'static str,
    pub(super) expiry: &'static str,
    pub(super) holder: &'static str,
    pub(super) phone: &'static str,
    pub(super) pay: &'static str,
    pub(super) save: &'static str,
    pub(super) refuse: &'static str,
    pub(super) cancel: &'static str,
    pub(super) test_cards: &'static str,
    pub(super) back: &'static str,
    pub(super) going_back: &'static str,
    pub(super) sent: &'static str,
    pub(super) paid: &'static str,
    pub(super) declined: &'static str,
    pub(super) canceled: &'static str,
    pub(super) expired: &'static str,
    pub(super) not_found: &'static str,
    pub(super) bad_number: &'static str,
    pub(super) bad_expiry: &'static str,
    pub(super) bad_cvc: &'static str,
    pub(super) bad_holder: &'static str,
    pub(super) bad_phone: &'static str,
}

static MONGOLIAN: Texts = Texts {
    code: "mn",
    sandbox: "Туршилтын орчин. Бодит мөнгө шилжихгүй.",
    pay_title: "Картаар төлөх",
    save_title: "Карт бүртгэх",
    save_hint: "Картыг шалгахын тулд бага хэмжээний дүн татаад буцаана.",
    socialpay_title: "SocialPay-ээр төлөх",
    amount: "Төлөх дүн",
    order: "Гүйлгээний дугаар",
    time_left: "Үлдсэн хугацаа",
    number: "Картын дугаар",
    expiry: "Дуусах хугацаа (сар/жил)",
    holder: "Карт эзэмшигчийн нэр",
    phone: "Утасны дугаар",
    pay: "Төлөх",
    save: "Бүртгэх",
    refuse: "Татгалзах",
    cancel: "Цуцлах",
    test_cards: "Туршилтын картууд",
    back: "Дэлгүүр рүү буцах",
    going_back: "Дэлгүүр рүү буцаж байна…",
    sent: "Гүйлгээ хийгдэж байна",
    paid: "Гүйлгээ амжилттай",
    declined: "Гүйлгээ амжилтгүй",
    canceled: "Гүйлгээг цуцалсан",
    expired: "Гүйлгээний хугацаа дууссан",
    not_found: "Нэхэмжлэх олдсонгүй",
    bad_number: "Энэ орчинд зөвхөн доорх туршилтын картууд ажиллана.",
    bad_expiry: "Дуусах хугацааг 12/30 хэлбэрээр оруулна уу.",
    bad_cvc: "CVC гурван оронтой тоо байна.",
    bad_holder: "Нэрийг 60 тэмдэгтээс хэтрүүлэхгүй оруулна уу.",
    bad_phone: "Утасны дугаар найман оронтой тоо байна.",
};

static ENGLISH: Texts = Texts {
    code: "en",
    sandbox: "Sandbox. No money moves.",
    pay_title: "Pay by card",
    save_title: "Save a card",
    save_hint: "A small amount is charged to check the card, and given back.",
    socialpay_title: "Pay with SocialPay",
    amount: "Amount",
    order: "Transaction",
    time_left: "Time left",
    number: "Card number",
    expiry: "Expiry (month/year)",
    holder: "Name on the card",
    phone: "Phone number",
    pay: "Pay",
    save: "Save",
    refuse: "Refuse",
    cancel: "Cancel",
    test_cards: "Test cards",
    back: "Back to the shop",
    going_back: "Going back to the shop…",
    sent: "The payment is being processed",
    paid: "Paid",
    declined: "The payment was declined",
    canceled: "The payment was cancelled",
    expired: "The time for this payment is over",
    not_found: "There is no such invoice",
    bad_number: "Only the test cards below work here.",
    bad_expiry: "The expiry date looks like 12/30.",
    bad_cvc: "The CVC is three digits.",
    bad_holder: "The name is 1 to 60 characters.",
    bad_phone: "The phone number is eight digits.",
};
