//! Every word that a payer reads, once, each with its translations beside it.
//!
//! To correct a text, change it in the table. To add a language, add its column: a row without it does not compile.

use tulbur_core::Language;

/// The words of one language.
#[derive(Debug)]
pub(crate) struct Texts {
    /// The language that these words are in.
    pub(crate) language: Language,
    /// Its name in itself, for the link that chooses it.
    pub(crate) name: &'static str,
    pub(crate) words: Words,
}

macro_rules! table {
    ($($key:ident { mn: $mn:literal, en: $en:literal, vi: $vi:literal $(,)? })+) => {
        /// One field for each row of the table.
        #[derive(Debug)]
        pub(crate) struct Words {
            $(pub(crate) $key: &'static str,)+
        }

        const fn words(language: Language) -> Words {
            match language {
                Language::Mn => Words { $($key: $mn,)+ },
                Language::En => Words { $($key: $en,)+ },
                Language::Vi => Words { $($key: $vi,)+ },
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

static MN: Texts = Texts { language: Language::Mn, name: "Монгол", words: words(Language::Mn) };
static EN: Texts = Texts { language: Language::En, name: "English", words: words(Language::En) };
static VI: Texts = Texts { language: Language::Vi, name: "Tiếng Việt", words: words(Language::Vi) };

/// The languages that a payer can choose, in the order in which they are offered.
pub(crate) static OFFERED: [&Texts; 3] = [&MN, &EN, &VI];

/// The words for a language.
pub(crate) fn texts(language: Language) -> &'static Texts {
    match language {
        Language::Mn => &MN,
        Language::En => &EN,
        Language::Vi => &VI,
    }
}

table! {
    // The invoice.
    invoice { mn: "Нэхэмжлэх", en: "Invoice", vi: "Hóa đơn" }
    save_a_card { mn: "Карт хадгалах", en: "Save a card", vi: "Lưu thẻ" }
    amount { mn: "Дүн", en: "Amount", vi: "Số tiền" }
    received { mn: "Хүлээн авсан", en: "Received", vi: "Đã nhận" }
    description { mn: "Гүйлгээний утга", en: "For", vi: "Nội dung" }
    card { mn: "Карт", en: "Card", vi: "Thẻ" }
    bank { mn: "Банк", en: "Bank", vi: "Ngân hàng" }
    time_left { mn: "Үлдсэн хугацаа", en: "Time left", vi: "Thời gian còn lại" }
    open_until { mn: "Дуусах цаг", en: "Open until", vi: "Hiệu lực đến" }

    // What the payer can do.
    choose { mn: "Төлбөрийн хэлбэрээ сонгоно уу", en: "Choose how to pay", vi: "Chọn cách thanh toán" }
    pay_by_card { mn: "Картаар төлөх", en: "Pay by card", vi: "Thanh toán bằng thẻ" }
    pay_by_socialpay { mn: "SocialPay-ээр төлөх", en: "Pay with SocialPay", vi: "Thanh toán bằng SocialPay" }
    pay { mn: "Төлбөр төлөх", en: "Go on to payment", vi: "Tiếp tục thanh toán" }
    enter_card { mn: "Картаа бүртгүүлэх", en: "Enter your card", vi: "Nhập thông tin thẻ" }
    challenge {
        mn: "Банкны баталгаажуулалт хийх",
        en: "Confirm with your bank",
        vi: "Xác thực với ngân hàng",
    }
    open_app { mn: "Апп нээх:", en: "Open the app:", vi: "Mở ứng dụng:" }
    open_one_of { mn: "Банкны аппаа сонгоно уу:", en: "Open your app:", vi: "Mở ứng dụng của bạn:" }
    qr_code { mn: "QR код", en: "QR code", vi: "Mã QR" }
    scan {
        mn: "Банк эсвэл хэтэвчийн аппаараа QR кодыг уншуулна уу",
        en: "Scan this QR code with your bank or wallet app",
        vi: "Quét mã QR bằng ứng dụng ngân hàng hoặc ví điện tử",
    }
    qr_text { mn: "QR кодын текст", en: "The QR code as text", vi: "Nội dung mã QR" }
    needs_script {
        mn: "Ингэж төлөхөд хөтчийн JavaScript хэрэгтэй.",
        en: "This way to pay needs JavaScript in your browser.",
        vi: "Cách thanh toán này cần bật JavaScript trong trình duyệt.",
    }
    approve {
        mn: "Гар утсандаа ирсэн нэхэмжлэхийг баталгаажуулна уу.",
        en: "Please approve the invoice on your phone.",
        vi: "Vui lòng xác nhận hóa đơn trên điện thoại của bạn.",
    }
    no_way {
        mn: "Энэ нэхэмжлэхийг энэ хуудаснаас төлөх боломжгүй байна. Дэлгүүрээс дахин нээнэ үү.",
        en: "This invoice cannot be paid on this page. Please open it again from the shop.",
        vi: "Không thể thanh toán hóa đơn này trên trang này. Vui lòng mở lại từ cửa hàng.",
    }
    ask_the_cashier {
        mn: "Кассчаас лавлана уу.",
        en: "Please ask the cashier.",
        vi: "Vui lòng hỏi nhân viên thu ngân.",
    }
    cancel { mn: "Төлбөрийг цуцлах", en: "Cancel this payment", vi: "Hủy thanh toán" }
    cancel_explained {
        mn: "Цуцалсан нэхэмжлэхийг дахин төлөх боломжгүй. Дэлгүүрээс шинээр эхлүүлж болно.",
        en: "A canceled invoice cannot be paid any more. You can start again from the shop.",
        vi: "Hóa đơn đã hủy thì không thanh toán được nữa. Bạn có thể bắt đầu lại từ cửa hàng.",
    }
    cancel_confirmed { mn: "Тийм, цуцлах", en: "Yes, cancel it", vi: "Có, hủy thanh toán" }
    to_shop { mn: "Дэлгүүр рүү буцах", en: "Back to the shop", vi: "Quay lại cửa hàng" }
    go_on { mn: "Үргэлжлүүлэх", en: "Continue", vi: "Tiếp tục" }
    to_payment {
        mn: "Төлбөрийн хуудас руу буцах",
        en: "Back to the payment page",
        vi: "Quay lại trang thanh toán",
    }
    choose_language { mn: "Хэл сонгох", en: "Language", vi: "Ngôn ngữ" }

    // How it stands.
    paid_in_part {
        mn: "Төлбөрийн нэг хэсэг орж ирлээ. Үлдсэн дүнг төлнө үү.",
        en: "A part of the amount has arrived. Please pay the rest.",
        vi: "Đã nhận được một phần số tiền. Vui lòng thanh toán phần còn lại.",
    }
    paid_too_much {
        mn: "Нэхэмжилсэн дүнгээс илүү орж ирлээ. Дэлгүүрт мэдэгдсэн.",
        en: "More than the amount has arrived. The shop has been told.",
        vi: "Số tiền nhận được nhiều hơn số tiền của hóa đơn. Cửa hàng đã được báo.",
    }
    waiting { mn: "Төлбөр хүлээгдэж байна", en: "Waiting for your payment", vi: "Đang chờ thanh toán" }
    asking {
        mn: "Банкнаас гүйлгээг лавлаж байна",
        en: "We are asking the bank",
        vi: "Chúng tôi đang kiểm tra với ngân hàng",
    }
    asking_explained {
        mn: "Гүйлгээний хариу хараахан ирээгүй байна. Хариу ирмэгц энэ хуудас өөрчлөгдөнө. Төлсөн бол дахин бүү төлнө үү.",
        en: "The result of your transaction is not here yet. This page changes when it comes. If you have paid, do not pay again.",
        vi: "Chưa có kết quả giao dịch. Trang này sẽ thay đổi khi có kết quả. Nếu đã thanh toán, bạn đừng thanh toán lại.",
    }
    not_paid_yet {
        mn: "Хэрэв та төлөөгүй бол:",
        en: "If you have not paid yet:",
        vi: "Nếu bạn chưa thanh toán:",
    }
    time_up { mn: "Төлөх хугацаа дууслаа", en: "The time to pay is over", vi: "Đã hết thời gian thanh toán" }
    time_up_explained {
        mn: "Банкнаас гүйлгээний эцсийн хариуг лавлаж байна. Төлсөн бол дахин бүү төлнө үү.",
        en: "We are asking the bank once more how your transaction ended. If you have paid, do not pay again.",
        vi: "Chúng tôi đang kiểm tra kết quả cuối cùng với ngân hàng. Nếu đã thanh toán, bạn đừng thanh toán lại.",
    }
    paid { mn: "Төлбөр амжилттай", en: "Payment successful", vi: "Thanh toán thành công" }
    paid_explained {
        mn: "Гүйлгээ баталгаажлаа. Баярлалаа.",
        en: "The bank has confirmed your transaction. Thank you.",
        vi: "Ngân hàng đã xác nhận giao dịch. Cảm ơn bạn.",
    }
    paid_late_explained {
        mn: "Гүйлгээ төлөх хугацаанаас хойш баталгаажсан. Захиалгынхаа талаар дэлгүүрээс лавлана уу.",
        en: "Your transaction was confirmed after the invoice had ended. Please ask the shop about your order.",
        vi: "Giao dịch được xác nhận sau khi hóa đơn đã kết thúc. Vui lòng hỏi cửa hàng về đơn hàng của bạn.",
    }
    paid_again {
        mn: "Энэ захиалга өөр гүйлгээгээр төлөгдсөн байна. Энэ гүйлгээний буцаалтын талаар дэлгүүрээс лавлана уу.",
        en: "This order had already been paid by another transaction. Please ask the shop for the refund of this one.",
        vi: "Đơn hàng này đã được thanh toán bằng một giao dịch khác. Vui lòng hỏi cửa hàng về việc hoàn tiền cho giao dịch này.",
    }
    authorized { mn: "Гүйлгээ зөвшөөрөгдлөө", en: "Payment approved", vi: "Giao dịch đã được chấp thuận" }
    authorized_explained {
        mn: "Дүнг таны картад түр барьсан. Дэлгүүр захиалгыг баталгаажуулмагц төлбөр хийгдэнэ.",
        en: "The amount is held on your card. It is taken when the shop confirms your order.",
        vi: "Số tiền đang được tạm giữ trên thẻ của bạn và sẽ được thu khi cửa hàng xác nhận đơn hàng.",
    }
    saved { mn: "Карт хадгалагдлаа", en: "Card saved", vi: "Đã lưu thẻ" }
    saved_explained {
        mn: "Дараагийн удаа энэ картаар төлөх боломжтой.",
        en: "You can pay with this card next time.",
        vi: "Lần sau bạn có thể thanh toán bằng thẻ này.",
    }
    declined { mn: "Төлбөр амжилтгүй боллоо", en: "Payment declined", vi: "Thanh toán không thành công" }
    declined_explained {
        mn: "Банк гүйлгээг зөвшөөрсөнгүй. Дэлгүүрээс дахин оролдож болно.",
        en: "The bank did not approve the transaction. You can try again from the shop.",
        vi: "Ngân hàng không chấp thuận giao dịch. Bạn có thể thử lại từ cửa hàng.",
    }
    card_declined { mn: "Карт хадгалагдсангүй", en: "Card not saved", vi: "Chưa lưu được thẻ" }
    card_declined_explained {
        mn: "Банк картыг зөвшөөрсөнгүй. Дэлгүүрээс дахин оролдож болно.",
        en: "The bank did not accept the card. You can try again from the shop.",
        vi: "Ngân hàng không chấp nhận thẻ này. Bạn có thể thử lại từ cửa hàng.",
    }
    bank_says { mn: "Банкны тайлбар", en: "The bank says", vi: "Ngân hàng cho biết" }
    canceled { mn: "Нэхэмжлэх цуцлагдсан", en: "Invoice canceled", vi: "Hóa đơn đã bị hủy" }
    card_canceled {
        mn: "Карт хадгалахыг цуцалсан",
        en: "Saving the card was canceled",
        vi: "Đã hủy việc lưu thẻ",
    }
    canceled_explained {
        mn: "Энэ нэхэмжлэхийг дахин төлөх боломжгүй. Дэлгүүрээс шинээр эхлүүлж болно.",
        en: "This invoice cannot be paid any more. You can start again from the shop.",
        vi: "Hóa đơn này không thanh toán được nữa. Bạn có thể bắt đầu lại từ cửa hàng.",
    }
    expired { mn: "Нэхэмжлэхийн хугацаа дууссан", en: "The invoice has expired", vi: "Hóa đơn đã hết hạn" }
    card_expired {
        mn: "Карт хадгалах хугацаа дууссан",
        en: "The time to save the card is over",
        vi: "Đã hết thời gian lưu thẻ",
    }
    expired_explained {
        mn: "Гүйлгээ хийгдээгүй байна. Дэлгүүрээс шинээр эхлүүлж болно.",
        en: "No transaction was made. You can start again from the shop.",
        vi: "Không có giao dịch nào được thực hiện. Bạn có thể bắt đầu lại từ cửa hàng.",
    }
    ended_by_us {
        mn: "Хэрэв таны данснаас мөнгө хасагдсан бол дахин бүү төлнө үү: банк гүйлгээг баталгаажуулмагц дэлгүүрт мэдэгдэнэ.",
        en: "If money has left your account nevertheless, do not pay again: the shop will be told as soon as the bank confirms it.",
        vi: "Nếu tài khoản của bạn vẫn bị trừ tiền, bạn đừng thanh toán lại: cửa hàng sẽ được báo ngay khi ngân hàng xác nhận giao dịch.",
    }

    // What went wrong.
    not_found { mn: "Хуудас олдсонгүй", en: "Page not found", vi: "Không tìm thấy trang" }
    not_found_explained {
        mn: "Холбоос буруу эсвэл дутуу байна. Төлбөрийн хуудсыг дэлгүүрээс дахин нээнэ үү.",
        en: "The link is wrong or incomplete. Please open the payment page again from the shop.",
        vi: "Đường dẫn sai hoặc thiếu. Vui lòng mở lại trang thanh toán từ cửa hàng.",
    }
    return_refused {
        mn: "Буцах хүсэлтийг уншиж чадсангүй",
        en: "This way back could not be read",
        vi: "Không đọc được yêu cầu quay lại",
    }
    return_refused_explained {
        mn: "Хүсэлт энэ нэхэмжлэхэд хамаарахгүй эсвэл гэмтсэн байна. Төлбөрт юу ч өөрчлөгдөөгүй.",
        en: "The request does not belong to this invoice or is damaged. Nothing about the payment was changed.",
        vi: "Yêu cầu không thuộc hóa đơn này hoặc bị hỏng. Việc thanh toán không có gì thay đổi.",
    }
    unavailable { mn: "Түр хүлээнэ үү", en: "Please wait a moment", vi: "Vui lòng chờ một chút" }
    unavailable_explained {
        mn: "Мэдээллийг одоо авах боломжгүй байна. Төлбөрийн мэдээлэл алдагдаагүй. Хэсэг хугацааны дараа дахин ачаална уу.",
        en: "The information is out of reach right now. Nothing about your payment is lost. Please load this page again in a moment.",
        vi: "Hiện chưa lấy được thông tin. Dữ liệu thanh toán của bạn không bị mất. Vui lòng tải lại trang sau giây lát.",
    }
    cancel_refused { mn: "Цуцалж чадсангүй", en: "It could not be canceled", vi: "Không hủy được" }
    cancel_refused_explained {
        mn: "Нэхэмжлэх хэвээр байна. Төлбөрийн хуудаснаас гүйлгээний төлөвийг харна уу.",
        en: "The invoice stands as it was. The payment page shows how the transaction stands.",
        vi: "Hóa đơn vẫn giữ nguyên. Trang thanh toán cho biết tình trạng giao dịch.",
    }
    details { mn: "Дэлгэрэнгүй", en: "Details", vi: "Chi tiết" }
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
        let cyrillic = |text: &str| text.chars().any(|c| ('\u{400}'..='\u{4ff}').contains(&c));
        for (((key, mongolian), (_, english)), (_, vietnamese)) in
            MN.words.rows().into_iter().zip(EN.words.rows()).zip(VI.words.rows())
        {
            assert!(cyrillic(mongolian), "{key} is not Mongolian: {mongolian}");
            assert!(english.is_ascii(), "{key} is not English: {english}");
            assert!(!vietnamese.is_ascii() && !cyrillic(vietnamese), "{key} is not Vietnamese: {vietnamese}");
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
    fn every_language_that_core_knows_has_words_of_its_own() {
        for texts_of in OFFERED {
            assert_eq!(texts(texts_of.language).name, texts_of.name);
            assert_eq!(Language::parse(texts_of.language.code()), Ok(texts_of.language));
        }
    }

    #[test]
    fn vietnamese_uses_one_word_for_one_thing() {
        let all: String = VI.words.rows().into_iter().map(|(_, text)| text.to_lowercase() + " ").collect();
        for term in ["hóa đơn", "giao dịch", "hoàn tiền", "thanh toán thành công", "ngân hàng"] {
            assert!(all.contains(term), "{term}");
        }
        // Both spellings are right; one text has one.
        assert!(!all.contains("hoá") && !all.contains("huỷ"));
        // Composed letters, as fonts draw them best.
        assert!(!all.chars().any(|c| ('\u{300}'..='\u{36f}').contains(&c)));
    }
}
