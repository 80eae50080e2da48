//! Reads text a character at a time, also escaped ones, and says what each is to a number.

/// The part that a character can have in a written number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// A digit of any script, with its value.
    Digit(u8),
    /// Separates groups of digits, whatever their sizes: a blank, a dash, a dot.
    Separator,
    /// Separates groups of digits as well, but also things that have nothing to do with each other.
    Punctuation,
    /// Is not seen, and separates nothing.
    Unseen,
    /// Ends a number.
    Other,
}

/// The first character's part, and how many bytes it takes. The text must not be empty.
pub(crate) fn first(text: &str) -> (Part, usize) {
    let byte = text.as_bytes()[0];
    match byte {
        b'0'..=b'9' => (Part::Digit(byte - b'0'), 1),
        b'a'..=b'z' | b'A'..=b'Z' => (Part::Other, 1),
        b'%' | b'\\' | b'&' => match escaped(text) {
            Some((character, length)) if part(character) != Part::Other => (part(character), length),
            _ if byte == b'\\' => (Part::Punctuation, 1),
            _ => (Part::Other, 1),
        },
        _ => text.chars().next().map_or((Part::Other, 1), |c| (part(c), c.len_utf8())),
    }
}

fn part(character: char) -> Part {
    if let Some(value) = digit(character) {
        return Part::Digit(value);
    }
    match character {
        '/' | '\\' | '_' | ',' | ':' | ';' | '|' => Part::Punctuation,
        // Soft and Mongolian hyphens, zero widths, directions, joiners, fillers, keycaps, accents, tags.
        '\u{ad}'
        | '\u{300}'..='\u{36f}'
        | '\u{61c}'
        | '\u{115f}'
        | '\u{1160}'
        | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{20d0}'..='\u{20ff}'
        | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}'
        | '\u{ffa0}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e01ef}' => Part::Unseen,
        // Dots of any height, the blank of Braille, the dashes of Unicode (category Pd), minus signs, hyphen bullets.
        '\u{b7}'
        | '\u{387}'
        | '\u{2022}'
        | '\u{2024}'
        | '\u{2027}'
        | '\u{2219}'
        | '\u{22c5}'
        | '\u{2800}'
        | '\u{3002}'
        | '\u{30fb}'
        | '\u{fe52}'
        | '\u{ff0e}'
        | '\u{ff65}'
        | '-'
        | '.'
        | '+'
        | '\u{58a}'
        | '\u{5be}'
        | '\u{1400}'
        | '\u{1806}'
        | '\u{2010}'..='\u{2015}'
        | '\u{2043}'
        | '\u{207b}'
        | '\u{208b}'
        | '\u{2212}'
        | '\u{2e17}'
        | '\u{2e1a}'
        | '\u{2e3a}'
        | '\u{2e3b}'
        | '\u{2e40}'
        | '\u{2e5d}'
        | '\u{301c}'
        | '\u{3030}'
        | '\u{30a0}'
        | '\u{fe31}'
        | '\u{fe32}'
        | '\u{fe58}'
        | '\u{fe63}'
        | '\u{ff0d}'
        | '\u{10d6e}'
        | '\u{10ead}'
        | '\u{2d7}' => Part::Separator,
        _ if character.is_whitespace() || character.is_control() => Part::Separator,
        _ => Part::Other,
    }
}

/// The zeros of Unicode 17's decimal digits (category Nd). Each is followed by its one to nine.
const ZEROS: [u32; 77] = [
    0x0030, 0x0660, 0x06F0, 0x07C0, 0x0966, 0x09E6, 0x0A66, 0x0AE6, 0x0B66, 0x0BE6, 0x0C66, 0x0CE6, 0x0D66,
    0x0DE6, 0x0E50, 0x0ED0, 0x0F20, 0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90, 0x1B50,
    0x1BB0, 0x1C40, 0x1C50, 0xA620, 0xA8D0, 0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0, 0xFF10, 0x104A0, 0x10D30,
    0x10D40, 0x11066, 0x110F0, 0x11136, 0x111D0, 0x112F0, 0x11450, 0x114D0, 0x11650, 0x116C0, 0x116D0,
    0x116DA, 0x11730, 0x118E0, 0x11950, 0x11BF0, 0x11C50, 0x11D50, 0x11DA0, 0x11DE0, 0x11F50, 0x16130,
    0x16A60, 0x16AC0, 0x16B50, 0x16D70, 0x1CCF0, 0x1D7CE, 0x1D7D8, 0x1D7E2, 0x1D7EC, 0x1D7F6, 0x1E140,
    0x1E2F0, 0x1E4F0, 0x1E5F1, 0x1E950, 0x1FBF0,
];

/// The value of a digit of any script.
pub(crate) fn digit(character: char) -> Option<u8> {
    let code = u32::from(character);
    if code < 0x80 {
        return u8::try_from(code).ok().filter(u8::is_ascii_digit).map(|byte| byte - b'0');
    }
    let zero = ZEROS[ZEROS.partition_point(|zero| *zero <= code) - 1];
    let value = match code {
        _ if code - zero < 10 => code - zero,
        // Superscript and subscript.
        0xB2 | 0xB3 => code - 0xB0,
        0xB9 => 1,
        0x2070 | 0x2074..=0x2079 => code - 0x2070,
        0x2080..=0x2089 => code - 0x2080,
        // Circled.
        0x2460..=0x2468 => code - 0x245F,
        0x24EA | 0x24FF => 0,
        0x24F5..=0x24FD => code - 0x24F4,
        0x2776..=0x277E => code - 0x2775,
        0x2780..=0x2788 => code - 0x277F,
        0x278A..=0x2792 => code - 0x2789,
        _ => return None,
    };
    u8::try_from(value).ok()
}

/// The character that an escape at the text's beginning stands for, and the escape's length.
fn escaped(text: &str) -> Option<(char, usize)> {
    match text.as_bytes() {
        [b'%', ..] => percent(text.as_bytes()),
        [b'\\', b't' | b'n' | b'r', ..] => Some((' ', 2)),
        [b'\\', b'u', b'{', ..] => {
            let end = text.as_bytes().iter().take(10).position(|byte| *byte == b'}')?;
            Some((char::from_u32(u32::from_str_radix(text.get(3..end)?, 16).ok()?)?, end + 1))
        }
        [b'\\', b'u', ..] => json(text),
        [b'&', b'#', ..] => {
            let end = text.as_bytes().iter().take(10).position(|byte| *byte == b';')?;
            let number = text.get(2..end)?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => number.parse(),
            };
            Some((char::from_u32(code.ok()?)?, end + 1))
        }
        [b'&', ..] => ["&nbsp;", "&ensp;", "&emsp;", "&thinsp;", "&shy;", "&ndash;", "&mdash;", "&minus;"]
            .iter()
            .find(|name| text.starts_with(**name))
            .map(|name| (if *name == "&shy;" { '\u{ad}' } else { ' ' }, name.len())),
        _ => None,
    }
}

/// Reads `%C2%A0`.
fn percent(bytes: &[u8]) -> Option<(char, usize)> {
    let byte = |place: usize| match bytes.get(3 * place..3 * place + 3)? {
        [b'%', high, low] => Some(16 * hex(*high)? + hex(*low)?),
        _ => None,
    };
    let length = match byte(0)? {
        0..0x80 => 1,
        0xC2..0xE0 => 2,
        0xE0..0xF0 => 3,
        0xF0..0xF5 => 4,
        _ => return None,
    };
    let mut decoded = [0; 4];
    for (place, slot) in decoded.iter_mut().enumerate().take(length) {
        *slot = byte(place)?;
    }
    let character = std::str::from_utf8(&decoded[..length]).ok()?.chars().next()?;
    Some((character, 3 * length))
}

fn hex(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// Reads `\u00a0`, and two of them for what lies beyond the first plane.
fn json(text: &str) -> Option<(char, usize)> {
    let unit = |at: usize| {
        let hex = text.get(at..at + 6)?.strip_prefix("\\u")?;
        hex.bytes().all(|b| b.is_ascii_hexdigit()).then(|| u16::from_str_radix(hex, 16).ok())?
    };
    let high = unit(0)?;
    if !(0xD800..0xDC00).contains(&high) {
        return Some((char::from_u32(high.into())?, 6));
    }
    let character = char::decode_utf16([high, unit(6)?]).next()?.ok()?;
    Some((character, 12))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digits_of_every_script_have_their_values() {
        assert!(ZEROS.is_sorted());
        for zero in ZEROS {
            for value in 0..10 {
                let character = char::from_u32(zero + u32::from(value)).unwrap();
                assert_eq!(digit(character), Some(value), "{character:?}");
                assert!(character.is_numeric(), "{character:?}");
            }
        }
        for (text, values) in [
            ("4111", [4, 1, 1, 1]),
            ("４１１１", [4, 1, 1, 1]),
            ("٤١١١", [4, 1, 1, 1]),
            ("४१११", [4, 1, 1, 1]),
            ("᠔᠑᠑᠑", [4, 1, 1, 1]),
            ("⁴¹²³", [4, 1, 2, 3]),
            ("④①⑨⓪", [4, 1, 9, 0]),
            ("𝟜🯱₁❾", [4, 1, 1, 9]),
        ] {
            assert!(text.chars().map(digit).eq(values.map(Some)), "{text}");
        }
        for none in ['a', 'x', ' ', '½', '⑩', '〇', 'Ⅳ'] {
            assert_eq!(digit(none), None, "{none}");
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(2000))]
        /// The tables of the regular expressions' crate are Unicode's.
        #[test]
        fn no_script_s_digits_are_missing(text in r"\p{Nd}") {
            proptest::prop_assert!(text.chars().all(|character| digit(character).is_some()), "{:?}", text);
        }
    }

    #[test]
    fn an_escape_is_the_character_that_it_stands_for() {
        for (text, part, length) in [
            ("%20x", Part::Separator, 3),
            ("%C2%A0", Part::Separator, 6),
            ("%EF%BC%94", Part::Digit(4), 9),
            ("%34", Part::Digit(4), 3),
            ("%41", Part::Other, 1),
            ("%C2", Part::Other, 1),
            ("%", Part::Other, 1),
            ("%ө", Part::Other, 1),
            ("\\u00a0", Part::Separator, 6),
            ("\\u{a0}", Part::Separator, 6),
            ("\\u0034", Part::Digit(4), 6),
            ("\\ud835\\udfdc", Part::Digit(4), 12),
            ("\\ud835", Part::Punctuation, 1),
            ("\\u+034", Part::Punctuation, 1),
            ("\\n", Part::Separator, 2),
            ("\\ө", Part::Punctuation, 1),
            ("&nbsp;", Part::Separator, 6),
            ("&shy;", Part::Unseen, 5),
            ("&#160;", Part::Separator, 6),
            ("&#x34;", Part::Digit(4), 6),
            ("&#xө;", Part::Other, 1),
            ("&a=1", Part::Other, 1),
            ("\u{200b}", Part::Unseen, 3),
            ("—", Part::Separator, 3),
            ("ө", Part::Other, 2),
        ] {
            assert_eq!(first(text), (part, length), "{text}");
        }
    }
}
