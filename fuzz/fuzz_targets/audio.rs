//! Sound: MPEG, AAC, Ogg, FLAC, RIFF, AIFF, and films' containers with sound alone.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mediadex_fuzz::{is, run};

const NAMES: &[&str] = &["a.mp3", "a.aac", "a.ogg", "a.flac", "a.wav", "a.m4a"];

fuzz_target!(|data: &[u8]| -> libfuzzer_sys::Corpus { run(data, NAMES, |r| is(r, "audio")) });
