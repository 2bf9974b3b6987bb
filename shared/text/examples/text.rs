//! Prints the text of documents: `cargo run --release --example text FILE...`
#![allow(clippy::print_stdout)]

use mediadex_text::{Limits, content_type_of_extension, extract};

fn main() {
    for path in std::env::args().skip(1) {
        let extension = path.rsplit('.').next().unwrap_or_default().to_owned();
        let content_type = content_type_of_extension(&extension).unwrap_or("text/plain");
        let content = match std::fs::read(&path) {
            Ok(content) => content,
            Err(error) => {
                eprintln!("{path}: {error}");
                continue;
            }
        };
        match extract(&content, content_type, &Limits::default()) {
            Ok(text) => {
                println!("{}", text.text);
                text.notes.iter().for_each(|note| eprintln!("{path}: {note}"));
            }
            Err(error) => eprintln!("{path}: {error}"),
        }
    }
}
