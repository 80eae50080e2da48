//! Says what is in a payload, what is wrong with it, and shows it:
//!
//! ```sh
//! cargo run -p tulbur-qr --example inspect -- '000201…6304ABCD'
//! cargo run -p tulbur-qr --example inspect -- '000201…6304ABCD' code.svg code.png code.txt
//! ```
//!
//! With files it writes the pictures there, by their endings, instead of showing one. A `.txt` is for dark letters on a
//! light ground.

#![expect(clippy::print_stdout, reason = "it is what this is for")]

use std::error::Error;

use tulbur_qr::{Element, Payload, Picture, Rules, Terminal};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let payload = Payload::parse(&arguments.next().ok_or("give a payload in quotes")?)?;
    show(payload.elements(), 0);
    match payload.checksum() {
        Ok(right) => println!("checksum: {}, {:?} case", right.checksum, right.case),
        Err(wrong) => println!("checksum: {wrong}"),
    }
    for rules in [Rules::Emvco, Rules::Mongolia, Rules::VietQr] {
        match payload.validate(rules) {
            Ok(()) => println!("{rules:?}: right"),
            Err(invalid) => println!("{rules:?}: {invalid}"),
        }
    }

    let picture = Picture::of(&payload)?;
    let files: Vec<String> = arguments.collect();
    if files.is_empty() {
        print!("{}", picture.to_terminal(Terminal::Ansi));
    }
    for file in files {
        let bytes = match file.rsplit('.').next() {
            Some("svg") => picture.to_svg().into_bytes(),
            Some("png") => picture.to_png(8),
            Some("txt") => picture.to_terminal(Terminal::DarkOnLight).into_bytes(),
            _ => return Err(format!("{file} should end with .svg, .png or .txt").into()),
        };
        std::fs::write(file, bytes)?;
    }
    Ok(())
}

fn show(elements: &[Element], depth: usize) {
    for element in elements {
        let value = if element.elements().is_empty() { element.value() } else { "" };
        println!("{:1$}{2:02}  {value}", "", depth * 4, element.id());
        show(element.elements(), depth + 1);
    }
}
