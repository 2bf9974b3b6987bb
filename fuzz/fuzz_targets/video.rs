//! Films: MP4 and its kin, Matroska, AVI, ASF, FLV, transport streams.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mediadex_fuzz::{is, run};

const NAMES: &[&str] = &["a.mp4", "a.mov", "a.mkv", "a.ts", "a.avi"];

fuzz_target!(|data: &[u8]| -> libfuzzer_sys::Corpus { run(data, NAMES, |r| is(r, "video")) });
