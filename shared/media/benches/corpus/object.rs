//! Objects as a caller with ranged GETs sees them.

use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use mediadex_media::{Extraction, Features, HEAD_BYTES, Limits, ObjectInfo, Record, Step};

/// Steps after which an extraction is taken to be endless.
const MAX_STEPS: usize = 64;

/// Extracts from a file, of which only the ranges asked for are read.
pub(crate) fn extract_file(path: &Path, name: &str) -> io::Result<Record> {
    let file = std::fs::File::open(path)?;
    let size = file.metadata()?.len();
    extract(size, name, |start, end| {
        let mut bytes = vec![0; (end - start) as usize];
        file.read_exact_at(&mut bytes, start).map(|()| bytes)
    })
}

/// Extracts from bytes in memory.
pub(crate) fn extract_bytes(bytes: &[u8], name: &str) -> io::Result<Record> {
    extract(bytes.len() as u64, name, |start, end| Ok(bytes[start as usize..end as usize].to_vec()))
}

fn extract(size: u64, name: &str, read: impl Fn(u64, u64) -> io::Result<Vec<u8>>) -> io::Result<Record> {
    let info = ObjectInfo { size, content_type: None, name };
    let mut extraction = Extraction::new(info, Features::all(), Limits::default());
    extraction.supply(0, read(0, size.min(HEAD_BYTES))?);
    for _ in 0..MAX_STEPS {
        match extraction.step() {
            Step::Done(record) => return Ok(*record),
            Step::Need(ranges) => {
                for r in ranges {
                    if r.start >= r.end || r.end > size {
                        return Err(io::Error::other(format!("range {r:?} outside the object")));
                    }
                    extraction.supply(r.start, read(r.start, r.end)?);
                }
            }
        }
    }
    Err(io::Error::other("no end"))
}
