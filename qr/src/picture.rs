//! A text as a QR code: SVG, PNG, and characters for a terminal.

use qrcode::bits::Bits;
use qrcode::types::{Color, QrError};
use qrcode::{EcLevel, QrCode, Version};

use crate::payload::Payload;

/// How many modules of light surround the code: four, as ISO/IEC 18004 has it.
const QUIET_ZONE: usize = 4;

/// How much of a code may be unreadable and still be restored (ISO/IEC 18004). More makes the code larger, and its
/// modules smaller on the same screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Correction {
    /// About 7 %: for a very long payload on a small screen.
    Low,
    /// About 15 %. A screen has no dirt and no torn corner, but it has reflections and scratches, and the camera that
    /// reads it stands at an angle.
    #[default]
    Medium,
    /// About 25 %.
    Quartile,
    /// About 30 %: for paper, or if something is put over the middle.
    High,
}

impl Correction {
    const RISING: [EcLevel; 4] = [EcLevel::L, EcLevel::M, EcLevel::Q, EcLevel::H];

    /// The levels from this one upwards.
    fn and_above(self) -> &'static [EcLevel] {
        &Self::RISING[match self {
            Self::Low => 0,
            Self::Medium => 1,
            Self::Quartile => 2,
            Self::High => 3,
        }..]
    }
}

/// Why there is no picture.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{length} bytes do not fit a QR code with this error correction; shorten the text or correct less")]
#[non_exhaustive]
pub struct TooMuch {
    /// The length of the text in bytes.
    pub length: usize,
}

/// For whom the characters of [`Picture::to_terminal`] are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Terminal {
    /// A terminal that knows colours by escape sequences, whatever its own colours are: black on white.
    Ansi,
    /// Light letters on a dark ground, without escape sequences: what is light in the code is drawn.
    LightOnDark,
    /// Dark letters on a light ground, without escape sequences, such as a page or a printer: what is dark is drawn.
    DarkOnLight,
}

/// A QR code, ready to be drawn.
///
/// It has a quiet zone of four modules, and at least [`Correction::Medium`]; where a higher correction makes the code
/// no larger, it has that.
///
/// Any text can be drawn, so that a link to an app can be too. Text beyond ASCII is written as bytes of UTF-8.
///
/// ```
/// use tulbur_qr::{Payload, Picture, Terminal};
///
/// let payload = Payload::parse("00020101021238540010A00000072701240006970437011012345678900208QRIBFTTA\
///     53037045405100005802VN62170813TT DON HANG 16304FFE7")?;
/// let picture = Picture::of(&payload)?;
///
/// assert!(picture.to_svg().starts_with("<svg"));
/// assert!(picture.to_png(8).starts_with(b"\x89PNG"));
/// println!("{}", picture.to_terminal(Terminal::Ansi));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    /// The modules on one side, the quiet zone included.
    side: usize,
    /// Row by row; `true` is dark.
    modules: Vec<bool>,
}

impl std::fmt::Debug for Picture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Picture").field("side", &self.side).finish_non_exhaustive()
    }
}

impl Picture {
    /// A payload as a picture.
    ///
    /// # Errors
    ///
    /// [`TooMuch`] if it does not fit.
    pub fn of(payload: &Payload) -> Result<Self, TooMuch> {
        Self::of_text(&payload.to_string(), Correction::default())
    }

    /// Any text as a picture, with at least this correction.
    ///
    /// # Errors
    ///
    /// [`TooMuch`] if it does not fit.
    pub fn of_text(text: &str, correction: Correction) -> Result<Self, TooMuch> {
        let code = encode(text, correction).ok_or(TooMuch { length: text.len() })?;
        let inner = code.width();
        let side = inner + 2 * QUIET_ZONE;
        let mut modules = vec![false; side * side];
        for (row, colors) in code.to_colors().chunks(inner).enumerate() {
            let start = (row + QUIET_ZONE) * side + QUIET_ZONE;
            for (module, color) in modules[start..].iter_mut().zip(colors) {
                *module = *color == Color::Dark;
            }
        }
        Ok(Self { side, modules })
    }

    /// The modules on one side, the quiet zone included.
    pub fn side(&self) -> usize {
        self.side
    }

    fn rows(&self) -> impl Iterator<Item = &[bool]> {
        self.modules.chunks(self.side)
    }

    /// An SVG that is as large as the place it is put in.
    ///
    /// It is black on a white ground of its own, so that a page in dark colours does not turn it round. It has no
    /// script, no style and no reference, so a strict content security policy lets it stand in a page. Give it a name
    /// for those who do not see it where you put it in.
    pub fn to_svg(&self) -> String {
        use std::fmt::Write;
        let side = self.side;
        let mut path = String::new();
        for (y, row) in self.rows().enumerate() {
            let mut x = 0;
            for run in row.chunk_by(|a, b| a == b) {
                if run[0] {
                    write!(path, "M{x} {y}h{0}v1h-{0}z", run.len())
                        .expect("writing to a String does not fail");
                }
                x += run.len();
            }
        }
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\" \
             shape-rendering=\"crispEdges\"><rect width=\"{side}\" height=\"{side}\" fill=\"#fff\"/>\
             <path d=\"{path}\" fill=\"#000\"/></svg>"
        )
    }

    /// A PNG in black and white. Each module is a square of so many pixels: 1 to 64, and what is outside is taken as
    /// the nearest of these. Eight is right for most screens.
    pub fn to_png(&self, pixels_per_module: u8) -> Vec<u8> {
        let scale = usize::from(pixels_per_module.clamp(1, 64));
        let pixels = self.side * scale;
        let mut image = Vec::with_capacity(pixels.div_ceil(8) * pixels);
        for row in self.rows() {
            let line: Vec<bool> = row.iter().flat_map(|dark| std::iter::repeat_n(*dark, scale)).collect();
            let packed: Vec<u8> = line
                .chunks(8)
                .map(|bits| {
                    bits.iter().enumerate().fold(0, |byte, (i, dark)| byte | (u8::from(!dark) << (7 - i)))
                })
                .collect();
            for _ in 0..scale {
                image.extend_from_slice(&packed);
            }
        }
        let mut file = Vec::new();
        let pixels = u32::try_from(pixels).expect("185 modules of 64 pixels are few");
        let mut encoder = png::Encoder::new(&mut file, pixels, pixels);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.set_depth(png::BitDepth::One);
        encoder
            .write_header()
            .and_then(|mut writer| {
                writer.write_image_data(&image)?;
                writer.finish()
            })
            .expect("the image has the size that was announced, and memory takes it");
        file
    }

    /// Lines of half blocks, two rows of modules in each, every line with its end.
    ///
    /// A character is about twice as high as wide, so the modules come out square; the font must be monospaced, and the
    /// lines must touch.
    pub fn to_terminal(&self, terminal: Terminal) -> String {
        let drawn_is_dark = terminal != Terminal::LightOnDark;
        let mut text = String::new();
        for pair in self.modules.chunks(2 * self.side) {
            let (upper, lower) = pair.split_at(self.side);
            if terminal == Terminal::Ansi {
                // By their numbers in the cube of 256 colours, which themes leave alone.
                text.push_str("\x1b[38;5;16;48;5;231m");
            }
            for (x, upper) in upper.iter().enumerate() {
                // Below the last row, which has no partner because the side is odd, is light.
                let lower = lower.get(x).copied().unwrap_or(false);
                text.push(match (*upper == drawn_is_dark, lower == drawn_is_dark) {
                    (true, true) => '█',
                    (true, false) => '▀',
                    (false, true) => '▄',
                    (false, false) => ' ',
                });
            }
            if terminal == Terminal::Ansi {
                text.push_str("\x1b[0m");
            }
            text.push('\n');
        }
        text
    }
}

/// How a payload begins.
const PAYLOAD: &str = "000201";
/// The designator of UTF-8.
const UTF_8: u32 = 26;

/// The smallest code that holds the text with this correction, with the highest correction that it has room for.
fn encode(text: &str, correction: Correction) -> Option<QrCode> {
    let (least, above) = correction.and_above().split_first()?;
    let (version, code) = (1..=40)
        .map(Version::Normal)
        .find_map(|version| Some((version, encode_as(text, version, *least).ok()?)))?;
    let higher = above.iter().rev().find_map(|level| encode_as(text, version, *level).ok());
    Some(higher.unwrap_or(code))
}

fn encode_as(text: &str, version: Version, level: EcLevel) -> Result<QrCode, QrError> {
    let mut bits = segments(text, version)?;
    bits.push_terminator(level)?;
    QrCode::with_bits(bits, level)
}

/// How a text stands in a code. EMVCo has payloads in byte mode only, and a designator of UTF-8 where they are not ASCII
/// (MPM 1.0, 4.12.1). Other ASCII may be packed.
fn segments(text: &str, version: Version) -> Result<Bits, QrError> {
    let mut bits = Bits::new(version);
    if !text.is_ascii() {
        // The optimiser takes bytes of UTF-8 that look like Shift JIS for Japanese, and a reader would print that.
        bits.push_eci_designator(UTF_8)?;
        bits.push_byte_data(text.as_bytes())?;
    } else if text.starts_with(PAYLOAD) {
        bits.push_byte_data(text.as_bytes())?;
    } else {
        bits.push_optimal_data(text.as_bytes())?;
    }
    Ok(bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first four bits say which mode follows: 0100 bytes, 0111 a designator, 0001 digits.
    #[test]
    fn payloads_are_bytes_and_text_that_is_not_ascii_says_that_it_is_utf_8() {
        let first = |text: &str| segments(text, Version::Normal(20)).unwrap().into_bytes();
        let mode = |text: &str| first(text)[0] >> 4;
        assert_eq!(mode("00020101021253034965802MN63041234"), 0b0100);
        assert_eq!(mode("1234567890"), 0b0001, "no payload");
        for text in ["0002015904\u{414}\u{44d}\u{43b}\u{433}63041234", "\u{6701}"] {
            // The designator 26 in eight bits, then bytes.
            let bits = first(text);
            assert_eq!(u32::from_be_bytes([bits[0], bits[1], bits[2], bits[3]]) >> 16, 0b0111_0001_1010_0100);
        }
        // All of it in one segment: the mode, sixteen bits of length, and the bytes.
        let golomt = "00020101021226400014A000000843000101040095021061283285155204541153034965802MN63041234";
        assert_eq!(segments(golomt, Version::Normal(20)).unwrap().len(), 4 + 16 + 8 * golomt.len());
    }
}
