//! Documents that are packed or binary: PDF, OOXML, ODF, EPUB, OLE.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mediadex_fuzz::{is, run};

const NAMES: &[&str] = &["a.pdf", "a.docx", "a.odt", "a.epub", "a.doc"];

fuzz_target!(|data: &[u8]| -> libfuzzer_sys::Corpus { run(data, NAMES, |r| is(r, "document")) });
