//! Measures the text of an EMV QR code, whose merchant accounts look like card numbers and are none of a payer's.

/// The longest text of a QR code (EMVCo merchant-presented mode, version 1.1, section 3.6).
const LONGEST: usize = 512;

/// How many bytes of this are the text of a QR code: objects of a two-digit tag, a two-digit length in characters and
/// a value, from `000201` to the checksum under tag 63. None if it is no whole one.
pub(crate) fn length(text: &str) -> Option<usize> {
    if !text.starts_with("000201") {
        return None;
    }
    let mut at = 0;
    while at < LONGEST {
        let rest = &text[at..];
        let number = |from| -> Option<usize> {
            let digits = rest.get(from..from + 2)?;
            digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
        };
        let (tag, count) = (number(0)?, number(2)?);
        let value = &rest[4..];
        let bytes = match value.char_indices().nth(count) {
            Some((end, _)) => end,
            None if value.chars().count() == count => value.len(),
            None => return None,
        };
        at += 4 + bytes;
        if tag == 63 {
            let checksum = &value[..bytes];
            return (count == 4 && checksum.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(at);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_code_has_a_length() {
        let code = "00020101021115164111111111111111520400005303496\
                    5802MN5902Дэ6002UB6304ABCD";
        assert_eq!(length(code), Some(code.len()));
        assert_eq!(length(&format!("{code} paid")), Some(code.len()));
        for none in [
            "",
            "000201",
            &code[6..],
            &code[..code.len() - 1],
            &code.replace("6304", "6404"),
            &code.replace("ABCD", "WXYZ"),
            "00020115990000",
            "0002014111111111111111",
        ] {
            assert_eq!(length(none), None, "{none}");
        }
    }
}
