//! The extractor from outside: what it says of small files made here, how it
//! behaves on damaged ones, and what it reads of long ones.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout
)]

mod extra;
mod extract;
mod found;
mod loss;
mod mutation;
mod mutator;
mod ranges;
mod rare;
mod samples;
mod system;

use mediadex_media::{Extraction, Features, HEAD_BYTES, Limits, ObjectInfo, Record, Step};

/// Drives an extraction to its end over bytes in memory.
fn run(bytes: &[u8], name: &str, limits: Limits) -> Record {
    let info = ObjectInfo { size: bytes.len() as u64, content_type: None, name };
    let mut extraction = Extraction::new(info, Features::all(), limits);
    extraction.supply(0, bytes[..bytes.len().min(HEAD_BYTES as usize)].to_vec());
    for _ in 0..64 {
        match extraction.step() {
            Step::Done(record) => return *record,
            Step::Need(ranges) => {
                assert!(!ranges.is_empty());
                for r in ranges {
                    assert!(r.start < r.end && r.end <= bytes.len() as u64, "range {r:?} outside the object");
                    extraction.supply(r.start, bytes[r.start as usize..r.end as usize].to_vec());
                }
            }
        }
    }
    panic!("{name}: no end after 64 steps");
}
