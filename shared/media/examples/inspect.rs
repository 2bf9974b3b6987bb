//! Prints what the extraction says of files, one JSON object a line: for work on this
//! crate alone, without the rest of mediadex.
#![allow(clippy::print_stdout, reason = "an example")]

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};

use mediadex_media::{Extraction, Features, HEAD_BYTES, Limits, ObjectInfo, Step};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for path in std::env::args().skip(1) {
        let mut file = File::open(&path)?;
        let size = file.metadata()?.len();
        let name = path.rsplit('/').next().unwrap_or(&path);
        let info = ObjectInfo { size, content_type: None, name };
        let mut extraction = Extraction::new(info, Features::all(), Limits::default());
        let mut read = |range: std::ops::Range<u64>| -> std::io::Result<Vec<u8>> {
            file.seek(SeekFrom::Start(range.start))?;
            let mut bytes = Vec::new();
            (&mut file).take(range.end - range.start).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        extraction.supply(0, read(0..size.min(HEAD_BYTES))?);
        let record = loop {
            match extraction.step() {
                Step::Done(record) => break record,
                Step::Need(ranges) => {
                    for range in ranges {
                        extraction.supply(range.start, read(range)?);
                    }
                }
            }
        };
        let mut line = serde_json::to_value(&record.metadata)?;
        if let Some(line) = line.as_object_mut() {
            let status = if record.is_partial() { "Partial" } else { "Indexed" };
            line.insert("ObjectStatus".into(), status.into());
            line.extend(record.reason().map(|reason| ("Reason".to_owned(), reason.into())));
            line.insert("path".into(), path.into());
            line.insert("gets".into(), record.gets().into());
            line.insert("bytes".into(), record.bytes_read.into());
            line.insert("ms".into(), (record.cpu.as_secs_f64() * 1e3).into());
        }
        println!("{line}");
    }
    Ok(())
}
