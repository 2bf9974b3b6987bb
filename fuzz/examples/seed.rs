//! Copies real files into `corpus/<target>`, which is where the fuzzer starts from.
//!
//! `cargo run --example seed [DIR]`, where DIR holds media files (default: the corpus
//! beside the checkout, `../shared/corpus/files`). Long files are left out: the
//! fuzzer learns little from them and slows down.

#[path = "../../shared/media/tests/bombs/made.rs"]
mod made;
#[path = "../../shared/text/tests/it/made.rs"]
#[allow(dead_code)]
mod documents;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use mediadex_media::{Extraction, Features, Limits, ObjectInfo, Step};

const MAX_BYTES: u64 = 256 * 1024;

/// Formats that are read as text, of all that are documents.
const TEXT: &[&str] = &["html", "rtf", "text", "markdown", "csv", "srt", "vtt", "xml", "json", "txt"];

/// In the order of the target `extract`.
const EXTRACTED: &[&str] = &["txt", "html", "rtf", "docx", "pptx", "xlsx", "odt", "epub", "pdf", "xls", "xlsb"];

fn main() -> std::io::Result<()> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let from = std::env::args_os().nth(1).map(PathBuf::from);
    let from = from.unwrap_or_else(|| here.join("../../shared/corpus/files"));
    let mut counts = BTreeMap::<&str, u32>::new();
    let mut open = vec![from.clone()];
    // Mutation of plain files finds no streams that unpack to much and no counts that lie.
    for (name, bytes) in made::all().into_iter().filter(|(_, bytes)| bytes.len() as u64 <= MAX_BYTES) {
        for target in targets(&bytes, &name) {
            let to = here.join("corpus").join(target);
            std::fs::create_dir_all(&to)?;
            std::fs::write(to.join(format!("made-{name}")), &bytes)?;
        }
    }
    // Of the formats whose text is extracted, with the byte that chooses them in front.
    let to = here.join("corpus/extract");
    std::fs::create_dir_all(&to)?;
    for (number, (extension, bytes)) in documents::all().into_iter().enumerate() {
        let choice = EXTRACTED.iter().position(|known| *known == extension).unwrap_or(0) as u8;
        std::fs::write(to.join(format!("made-{number}")), [&[choice], bytes.as_slice()].concat())?;
    }
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(&dir)? {
            let path = entry?.path();
            if path.is_dir() {
                open.push(path);
                continue;
            }
            if std::fs::metadata(&path)?.len() > MAX_BYTES {
                continue;
            }
            let bytes = std::fs::read(&path)?;
            for target in targets(&bytes, &path.to_string_lossy()) {
                let to = here.join("corpus").join(target);
                std::fs::create_dir_all(&to)?;
                let count = counts.entry(target).or_default();
                *count += 1;
                std::fs::write(to.join(format!("seed-{count:04}")), &bytes)?;
            }
        }
    }
    if counts.is_empty() {
        eprintln!("no files under {}: nothing to start from", from.display());
    }
    eprintln!("{counts:?}");
    Ok(())
}

/// The targets that a file is of use to.
fn targets(bytes: &[u8], name: &str) -> Vec<&'static str> {
    let info = ObjectInfo { size: bytes.len() as u64, content_type: None, name };
    let mut extraction = Extraction::new(info, Features::all(), Limits::default());
    extraction.supply(0, bytes);
    let Step::Done(record) = extraction.step() else { return Vec::new() };
    let Some(detected) = record.detected else { return Vec::new() };
    match detected.media_type.as_str() {
        "image" => vec!["image"],
        "video" => vec!["video"],
        "audio" => vec!["audio"],
        "document" if TEXT.contains(&detected.format.as_str()) => vec!["text"],
        // Packages are what an archive's directory turns out to hold.
        "document" if bytes.starts_with(b"PK") => vec!["document", "archive"],
        "document" => vec!["document"],
        "archive" => vec!["archive"],
        _ => Vec::new(),
    }
}
