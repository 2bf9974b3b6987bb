//! Damaged documents: no panic, no endless loop.

use std::time::Instant;

use mediadex_text::{Limits, content_type_of_extension, extract};

use crate::made;

#[path = "../../../media/tests/it/mutator.rs"]
mod mutator;

const TIMES: u64 = 20_000;

#[test]
fn damaged_documents_are_read_or_refused() {
    let start = Instant::now();
    let limits = Limits { memory: 1 << 20, text: 10_000, deadline: None };
    for (extension, bytes) in made::all() {
        let content_type = content_type_of_extension(extension).unwrap();
        for n in 0..TIMES {
            let mut damaged = bytes.clone();
            mutator::mutate(&mut damaged, &mut mutator::Random::of(n));
            // A panic ends the test; the number makes the input again.
            let read = std::panic::catch_unwind(|| extract(&damaged, content_type, &limits));
            assert!(read.is_ok(), "{extension} {n}");
        }
    }
    println!("{:?}", start.elapsed());
}
