//! Hostile files cost neither memory nor time: each is read within what the limits say,
//! measured by an allocator that counts. One test, so that nothing else allocates.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout
)]

mod made;

use std::time::Duration;

use mediadex_media::{Extraction, Features, HEAD_BYTES, Limits, ObjectInfo, Record, Step};

#[global_allocator]
static HEAP: peak_alloc::PeakAlloc = peak_alloc::PeakAlloc;

/// What may be used on top of the limit of memory: the limit is on what is read and on the
/// largest buffer made of it, and a second one stands beside it while a stream in a stream
/// is unpacked.
const BESIDE: usize = 24 * 1024 * 1024;
/// Far below the limit of CPU time, and far above what any of these needs in a test's build.
const TIME: Duration = Duration::from_millis(1500);

fn run(bytes: &dyn Fn(std::ops::Range<u64>) -> Vec<u8>, size: u64, name: &str) -> Record {
    let info = ObjectInfo { size, content_type: None, name };
    let mut extraction = Extraction::new(info, Features::all(), Limits::default());
    extraction.supply(0, bytes(0..size.min(HEAD_BYTES)));
    for _ in 0..16 {
        match extraction.step() {
            Step::Done(record) => return *record,
            Step::Need(ranges) => {
                for range in ranges {
                    extraction.supply(range.start, bytes(range));
                }
            }
        }
    }
    panic!("{name}: no end");
}

#[test]
fn bombs_cost_nothing() {
    let limit = Limits::default().max_memory + BESIDE;
    let mut most = (0, String::new());
    let mut measure = |name: &str, read: &dyn Fn() -> Record| {
        let before = HEAP.current_usage();
        HEAP.reset_peak_usage();
        let record = read();
        let (took, used) = (record.cpu, HEAP.peak_usage().saturating_sub(before));
        assert!(used <= limit, "{name}: {used} bytes at a time, of {limit}");
        assert!(took <= TIME, "{name}: {took:?}");
        if used > most.0 {
            most = (used, name.to_owned());
        }
        record
    };
    for (name, bytes) in made::all() {
        let read = |range: std::ops::Range<u64>| bytes[range.start as usize..range.end as usize].to_vec();
        let record = measure(&name, &|| run(&read, bytes.len() as u64, &name));
        // A bomb in a picture leaves its size standing.
        if name.ends_with(".jpg") || name.ends_with(".png") {
            assert_eq!(record.metadata.image_width, Some(64), "{name}: {:?}", record.reason());
        }
    }
    // A picture of 200 MB in a tag: the title behind it is read, the picture is not.
    let (before, after) = tag_around(200 << 20);
    let size = before.len() as u64 + (200 << 20) + after.len() as u64;
    let read = |range: std::ops::Range<u64>| {
        let behind = size - after.len() as u64;
        range
            .map(|at| match at {
                at if at < before.len() as u64 => before[at as usize],
                at if at >= behind => after[(at - behind) as usize],
                _ => 0,
            })
            .collect()
    };
    let record = measure("picture.mp3", &|| run(&read, size, "picture.mp3"));
    assert_eq!(record.metadata.title.as_deref(), Some("Late"), "{:?}", record.reason());
    println!("most: {} bytes for {}", most.0, most.1);
}

/// The parts of an MP3 in front of a picture's data of `len` bytes and behind them.
fn tag_around(len: usize) -> (Vec<u8>, Vec<u8>) {
    let safe = |n: usize| [(n >> 21) as u8 & 127, (n >> 14) as u8 & 127, (n >> 7) as u8 & 127, n as u8 & 127];
    let head = b"\0image/png\0\x03\0";
    let title = [&b"TIT2"[..], &safe(5), &[0, 0], b"\0Late"].concat();
    let tag = 10 + head.len() + len + title.len();
    let picture = [&b"APIC"[..], &safe(head.len() + len), &[0, 0], head].concat();
    let before = [&b"ID3\x04\0\0"[..], &safe(tag), &picture].concat();
    let mut after = title;
    for _ in 0..8 {
        after.extend([0xff, 0xfb, 0x90, 0x64]);
        after.extend([0; 413]);
    }
    (before, after)
}
