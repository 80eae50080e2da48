//! QR codes, read off a screenshot by decoders that others wrote.

use std::io::Cursor;
use std::process::{Command, Stdio};

/// The texts of all codes in a picture, by `rqrr`.
///
/// # Panics
/// When the picture is no PNG.
pub fn codes(picture: &[u8]) -> Vec<String> {
    let mut decoder = png::Decoder::new(Cursor::new(picture));
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info().expect("the picture is a PNG");
    let mut pixels = vec![0; reader.output_buffer_size().expect("it has a size")];
    let info = reader.next_frame(&mut pixels).expect("the PNG has a picture");
    let samples = info.color_type.samples();
    let (width, height) = (info.width as usize, info.height as usize);
    // Green is the most of what an eye takes for brightness.
    let grey = |x: usize, y: usize| pixels[(y * width + x) * samples + usize::from(samples > 2)];
    let mut image = rqrr::PreparedImage::prepare_from_greyscale(width, height, grey);
    let read = |code: rqrr::Grid<_>| {
        let mut bytes = Vec::new();
        code.decode_to(&mut bytes).ok().and_then(|_| String::from_utf8(bytes).ok())
    };
    image.detect_grids().into_iter().filter_map(read).collect()
}

/// The same by `zbarimg` of Debian's `zbar-tools`; `None` if it is not installed.
///
/// # Panics
/// When the picture cannot be handed to it.
pub fn codes_by_zbar(picture: &[u8]) -> Option<Vec<String>> {
    let mut file = tempfile::Builder::new().suffix(".png").tempfile().expect("a file can be made");
    std::io::Write::write_all(&mut file, picture).expect("a file can be written");
    let told = Command::new("zbarimg")
        .args(["--quiet", "--raw", "-Sdisable", "-Sqrcode.enable"])
        .arg(file.path())
        .stdin(Stdio::null())
        .output();
    let told = told.ok()?;
    Some(String::from_utf8_lossy(&told.stdout).lines().map(str::to_owned).collect())
}
