//! Archives: ZIP directories, whatever they turn out to hold.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mediadex_fuzz::{is, run};

const NAMES: &[&str] = &["a.zip", "a.jar", "a.docx", "a.tar"];

fuzz_target!(|data: &[u8]| -> libfuzzer_sys::Corpus {
    run(data, NAMES, |r| is(r, "archive") || is(r, "document"))
});
