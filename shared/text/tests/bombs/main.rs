//! Hostile documents cost neither memory nor time, measured by an allocator that counts. One
//! test, so that nothing else allocates.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout)]

#[path = "../it/made.rs"]
#[allow(dead_code)]
mod made;

use std::time::{Duration, Instant};

use mediadex_text::{Limits, content_type_of_extension, extract};

#[global_allocator]
static HEAP: peak_alloc::PeakAlloc = peak_alloc::PeakAlloc;

/// Far above what any of these needs in a test's build.
const TIME: Duration = Duration::from_secs(120);
/// What parsing takes on top of what is unpacked.
const BESIDE: usize = 8 << 20;

#[test]
fn bombs_cost_no_more_than_the_limit() {
    let blank = " ".repeat(200 << 20);
    let bombs = [
        ("docx", made::docx(&blank)),
        ("docx", made::docx(&"<a>".repeat(30 << 20))),
        ("epub", made::zip(&[("META-INF/container.xml", &blank)])),
        ("odt", made::zip(&[("content.xml", &blank)])),
        ("pdf", made::pdf(&blank, true)),
        ("pdf", made::pdf(&"[0]".repeat(30 << 20), true)),
        ("pdf", made::pdf(&"q ".repeat(30 << 20), true)),
    ];
    drop(blank);
    let limits = Limits { memory: 16 << 20, ..Limits::default() };
    for (extension, bytes) in bombs {
        let before = HEAP.current_usage();
        HEAP.reset_peak_usage();
        let start = Instant::now();
        let read = extract(&bytes, content_type_of_extension(extension).unwrap(), &limits);
        let used = HEAP.peak_usage().saturating_sub(before);
        println!("{extension}: {} bytes, {used} held, {:?}", bytes.len(), start.elapsed());
        assert!(used <= limits.memory as usize + BESIDE, "{extension}: {used} bytes");
        assert!(start.elapsed() < TIME, "{extension}: {:?}", start.elapsed());
        drop(read);
    }
}
