//! What the fuzz targets share: an object made of the fuzzer's bytes, and the
//! loop that feeds it to an extraction as a caller with ranged GETs would.

use std::ops::Range;

use libfuzzer_sys::Corpus;
use mediadex_media::{Extraction, Features, HEAD_BYTES, Limits, ObjectInfo, ProblemKind, Record, Step};

/// Steps after which an extraction is taken to be endless. Each one but the last
/// is a GET at least, and [`Limits::max_gets`] is 8.
const MAX_STEPS: usize = 16;

/// Zeros between the halves of a stretched object: enough that it is not read
/// whole but by the ranges that its format asks for.
const STRETCH: u64 = 4 * 1024 * 1024;

/// The object: the input as it is, or its halves with a gap between them.
struct Object<'a> {
    head: &'a [u8],
    tail: &'a [u8],
    gap: u64,
}

impl<'a> Object<'a> {
    fn new(data: &'a [u8], stretched: bool) -> Self {
        let (head, tail) = data.split_at(if stretched { data.len() / 2 } else { data.len() });
        Object { head, tail, gap: if stretched { STRETCH } else { 0 } }
    }

    fn size(&self) -> u64 {
        self.head.len() as u64 + self.gap + self.tail.len() as u64
    }

    fn read(&self, range: Range<u64>) -> Vec<u8> {
        let tail_at = self.head.len() as u64 + self.gap;
        let mut bytes = vec![0; (range.end - range.start) as usize];
        for (start, part) in [(0, self.head), (tail_at, self.tail)] {
            let from = range.start.max(start);
            let to = range.end.min(start + part.len() as u64);
            if from < to {
                let part = &part[(from - start) as usize..(to - start) as usize];
                bytes[(from - range.start) as usize..][..part.len()].copy_from_slice(part);
            }
        }
        bytes
    }
}

/// Runs one input under a name of the family. It is kept for further mutation only
/// where `keep` says that it was still taken for that family, so that a target
/// does not wander off into the others.
pub fn run(data: &[u8], names: &[&str], keep: impl Fn(&Record) -> bool) -> Corpus {
    // The last byte chooses, and stays part of the object: seeds are plain files.
    let choice = usize::from(data.last().copied().unwrap_or(0));
    let name = names.get(choice % names.len().max(1)).copied().unwrap_or("a");
    let record = drive(&Object::new(data, choice >= 0xc0), name);
    if keep(&record) { Corpus::Keep } else { Corpus::Reject }
}

fn drive(object: &Object<'_>, name: &str) -> Record {
    let size = object.size();
    let info = ObjectInfo { size, content_type: None, name };
    let mut extraction = Extraction::new(info, Features::all(), Limits::default());
    if size > 0 {
        extraction.supply(0, object.read(0..size.min(HEAD_BYTES)));
    }
    for _ in 0..MAX_STEPS {
        match extraction.step() {
            Step::Done(record) => {
                let panics: Vec<_> =
                    record.problems.iter().filter(|p| p.kind == ProblemKind::Panic).collect();
                assert!(panics.is_empty(), "a parser panicked: {panics:?}");
                return *record;
            }
            Step::Need(ranges) => {
                assert!(!ranges.is_empty(), "nothing is asked for, and the record is not done");
                for r in ranges {
                    assert!(
                        r.start < r.end && r.end <= size,
                        "range {r:?} outside an object of {size} bytes"
                    );
                    extraction.supply(r.start, object.read(r));
                }
            }
        }
    }
    panic!("no end after {MAX_STEPS} steps");
}

/// Whether the record is of this media type (on the wire: `image`, `video` ...).
pub fn is(record: &Record, media: &str) -> bool {
    record.detected.as_ref().is_some_and(|d| d.media_type.as_str() == media)
}
