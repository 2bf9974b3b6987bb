//! Text of documents; the first byte chooses the format.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mediadex_text::{Limits, content_type_of_extension, extract};

const EXTENSIONS: &[&str] = &["txt", "html", "rtf", "docx", "pptx", "xlsx", "odt", "epub", "pdf", "xls", "xlsb"];

fuzz_target!(|data: &[u8]| {
    let Some((choice, content)) = data.split_first() else { return };
    let extension = EXTENSIONS.get(usize::from(*choice) % EXTENSIONS.len()).copied().unwrap_or("txt");
    let content_type = content_type_of_extension(extension).unwrap_or("text/plain");
    let limits = Limits { memory: 16 << 20, text: 100_000, deadline: None };
    if let Ok(text) = extract(content, content_type, &limits) {
        assert!(text.text.len() <= limits.text, "the text is longer than its limit");
    }
});
