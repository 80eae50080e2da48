//! Every picture is read back by somebody else's decoder: rqrr, and resvg draws the SVG for it.

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg;
use tulbur_qr::{Correction, Payload, Picture, Terminal, TooMuch};

/// Grey values, row by row.
struct Image {
    width: usize,
    grey: Vec<u8>,
}

impl Image {
    /// The text of the one code in the image.
    fn read(&self) -> String {
        let height = self.grey.len() / self.width;
        let mut image = rqrr::PreparedImage::prepare_from_greyscale(self.width, height, |x, y| {
            self.grey[y * self.width + x]
        });
        let codes = image.detect_grids();
        assert_eq!(codes.len(), 1, "one code in the image");
        let mut bytes = Vec::new();
        codes[0].decode_to(&mut bytes).expect("the code is whole");
        String::from_utf8(bytes).expect("the code holds UTF-8")
    }
}

fn from_svg(svg: &str) -> Image {
    let tree = usvg::Tree::from_str(svg, &usvg::Options::default()).expect("the SVG is one");
    let size = tree.size().to_int_size();
    let scale: u16 = 5;
    let (width, height) = (size.width() * u32::from(scale), size.height() * u32::from(scale));
    let mut pixels = Pixmap::new(width, height).expect("it has a size");
    resvg::render(&tree, Transform::from_scale(scale.into(), scale.into()), &mut pixels.as_mut());
    assert!(pixels.pixels().iter().all(|pixel| pixel.alpha() == 255), "the ground is its own");
    Image { width: width as usize, grey: pixels.pixels().iter().map(|pixel| pixel.green()).collect() }
}

fn from_png(file: &[u8]) -> Image {
    let mut decoder = png::Decoder::new(std::io::Cursor::new(file));
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info().expect("the PNG is one");
    let mut grey = vec![0; reader.output_buffer_size().expect("it has a size")];
    let info = reader.next_frame(&mut grey).expect("the PNG has a picture");
    assert_eq!((info.color_type, info.bit_depth), (png::ColorType::Grayscale, png::BitDepth::Eight));
    assert_eq!(info.width, info.height);
    Image { width: info.width as usize, grey }
}

/// Draws the characters as a terminal would: every cell three pixels wide and six high.
fn from_terminal(text: &str, terminal: Terminal) -> Image {
    let (ink, ground) = if terminal == Terminal::LightOnDark { (255, 0) } else { (0, 255) };
    let mut grey = Vec::new();
    let mut width = 0;
    for line in text.lines() {
        let line = match terminal {
            Terminal::Ansi => line
                .strip_prefix("\x1b[38;5;16;48;5;231m")
                .and_then(|line| line.strip_suffix("\x1b[0m"))
                .expect("every line sets its colours and puts them back"),
            _ => line,
        };
        let draw = |inked: [char; 2]| -> Vec<u8> {
            let pixel = |character| if inked.contains(&character) { ink } else { ground };
            line.chars().flat_map(|character| [pixel(character); 3]).collect()
        };
        assert!(line.chars().all(|character| " ▀▄█".contains(character)));
        let (upper, lower) = (draw(['▀', '█']), draw(['▄', '█']));
        assert!(width == 0 || width == upper.len(), "every line is as long");
        width = upper.len();
        for half in [upper, lower] {
            (0..3).for_each(|_| grey.extend_from_slice(&half));
        }
    }
    Image { width, grey }
}

fn reads_back_in_every_form(text: &str, picture: &Picture) {
    assert_eq!(from_svg(&picture.to_svg()).read(), text, "SVG");
    for pixels in [2, 5] {
        let image = from_png(&picture.to_png(pixels));
        assert_eq!(image.width, picture.side() * usize::from(pixels));
        assert_eq!(image.read(), text, "PNG of {pixels} pixels to a module");
    }
    for terminal in [Terminal::Ansi, Terminal::LightOnDark, Terminal::DarkOnLight] {
        let drawn = picture.to_terminal(terminal);
        assert_eq!(drawn.lines().count(), picture.side().div_ceil(2), "two rows to a line");
        assert_eq!(from_terminal(&drawn, terminal).read(), text, "{terminal:?}");
    }
}

#[test]
fn every_sample_is_read_back_from_every_picture() {
    for sample in crate::support::mongolian().into_iter().chain(crate::support::others()) {
        let payload = Payload::parse(&sample.payload).expect(&sample.name);
        reads_back_in_every_form(&sample.payload, &Picture::of(&payload).expect(&sample.name));
    }
}

#[test]
fn text_in_any_script_is_read_back() {
    for text in [
        "socialpay-payment://key=abc",
        "Энхсүлд ХХК, Улаанбаатар",
        "最佳运输",
        "đồng",
        "0123456789",
        "💳",
        "A",
    ] {
        for correction in [Correction::Low, Correction::High] {
            let picture = Picture::of_text(text, correction).expect(text);
            reads_back_in_every_form(text, &picture);
        }
    }
}

#[test]
fn text_in_utf_8_is_never_taken_for_japanese() {
    // Every two bytes of it are a character of Shift JIS. Written as such, a reader prints 60 characters of Japanese;
    // rqrr does not show the difference, because it hands out the bytes. But the size does: 120 bytes need version 7
    // at level M (122 bytes), 60 characters of Japanese only version 6 (65 of them; ISO/IEC 18004, table 7).
    let picture = Picture::of_text(&"\u{6701}".repeat(40), Correction::Medium).expect("it fits");
    assert_eq!(picture.side(), 45 + 8);
}

#[test]
fn there_are_four_modules_of_light_around_the_code() {
    let picture = Picture::of_text("0123", Correction::default()).expect("it fits");
    assert_eq!(picture.side(), 21 + 8);
    let image = from_png(&picture.to_png(1));
    for (at, grey) in image.grey.iter().enumerate() {
        let (x, y) = (at % image.width, at / image.width);
        let outside = |place: usize| !(4..25).contains(&place);
        assert!(*grey == 255 || !(outside(x) || outside(y)), "dark at {x}, {y}");
    }
    assert_eq!(image.grey[4 * image.width + 4], 0, "and there the code begins");
}

#[test]
fn a_code_keeps_its_text_when_a_seventh_of_it_is_gone() {
    let sample = crate::support::named("golomt-instore-doc");
    let picture = Picture::of(&Payload::parse(&sample).expect("it reads")).expect("it fits");
    let mut image = from_png(&picture.to_png(4));
    // A reflection of light over the middle, 10 modules square: 100 of 53 times 53 modules, in one place.
    let side = picture.side();
    for y in (side / 2 - 5) * 4..(side / 2 + 5) * 4 {
        for x in (side / 2 - 5) * 4..(side / 2 + 5) * 4 {
            image.grey[y * image.width + x] = 255;
        }
    }
    assert_eq!(image.read(), sample);
}

#[test]
fn there_is_more_correction_where_it_costs_no_space() {
    let level = |text: &str| {
        let image = from_png(&Picture::of_text(text, Correction::Medium).expect("it fits").to_png(4));
        let height = image.grey.len() / image.width;
        let mut prepared = rqrr::PreparedImage::prepare_from_greyscale(image.width, height, |x, y| {
            image.grey[y * image.width + x]
        });
        prepared.detect_grids()[0].decode().expect("the code is whole").0
    };
    // The two bits of a code's format: 0 is M, 1 is L, 2 is H, 3 is Q. Version 1 holds 34 digits with M, 17 with H.
    for (digits, bits) in [(17, 2), (18, 3), (27, 3), (28, 0), (34, 0)] {
        let found = level(&"7".repeat(digits));
        assert_eq!((found.version.0, found.ecc_level), (1, bits), "{digits} digits");
    }
}

#[test]
fn below_the_last_row_is_light() {
    let picture = Picture::of_text("1", Correction::default()).expect("it fits");
    let last = |terminal| picture.to_terminal(terminal).lines().last().map(str::to_owned);
    assert_eq!(last(Terminal::DarkOnLight), Some(" ".repeat(picture.side())));
    assert_eq!(last(Terminal::LightOnDark), Some("█".repeat(picture.side())));
}

#[test]
fn the_size_of_a_png_has_bounds() {
    let picture = Picture::of_text("1", Correction::default()).expect("it fits");
    for (asked, given) in [(0, 1), (1, 1), (64, 64), (255, 64)] {
        assert_eq!(from_png(&picture.to_png(asked)).width, picture.side() * given);
    }
}

#[test]
fn a_text_that_is_too_long_is_refused() {
    let text = "x".repeat(2953);
    assert!(Picture::of_text(&text, Correction::Low).is_ok());
    let error = Picture::of_text(&text, Correction::Medium).expect_err("medium holds 2331");
    assert_eq!(error.length, 2953);
    let _: TooMuch = Picture::of_text(&"я".repeat(1477), Correction::Low).expect_err("2954 bytes");
}

#[test]
fn no_form_has_anything_that_a_strict_page_would_refuse() {
    let svg = Picture::of_text("1", Correction::default()).expect("it fits").to_svg();
    for forbidden in ["style", "script", "href", "url(", "<!", "<?"] {
        assert!(!svg.contains(forbidden), "{forbidden}");
    }
}
