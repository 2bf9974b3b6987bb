//! Pictures: JPEG, PNG, TIFF and raw files, HEIF, WebP, JPEG XL, PSD, SVG ...
#![no_main]

use libfuzzer_sys::fuzz_target;
use mediadex_fuzz::{is, run};

const NAMES: &[&str] = &["a.jpg", "a.tif", "a.nef", "a.png", "a.heic", "a.svg"];

fuzz_target!(|data: &[u8]| -> libfuzzer_sys::Corpus { run(data, NAMES, |r| is(r, "image")) });
