//! Text and markup: HTML, RTF, Markdown, subtitles, CSV, XML.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mediadex_fuzz::{is, run};

const NAMES: &[&str] = &["a.txt", "a.html", "a.rtf", "a.md", "a.srt", "a.csv", "a.xml", "a.vtt"];

fuzz_target!(|data: &[u8]| -> libfuzzer_sys::Corpus { run(data, NAMES, |r| is(r, "document")) });
