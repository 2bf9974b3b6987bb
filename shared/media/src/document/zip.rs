//! ZIP: the central directory, read from the end, and the few parts wanted.
//!
//! Own reader: the end record alone tells the entry count, and all parts that are
//! needed can be asked for at once; the zip crate reads one at a time and loads
//! the whole directory, however long.

use std::io::Read as _;

use crate::bytes::{View, le16, le32, le64, rfind};
use crate::ctx::Ctx;
use crate::source::{Parse, Source, Stop};
use crate::text;

/// Searched for the end record: its comment may take 64 KiB.
const TAIL: u64 = 65_557;
/// Longest central directory read; that of 40,000 entries takes about this.
const MAX_DIRECTORY: u64 = 4 * 1024 * 1024;
/// Most entries kept of it.
const MAX_ENTRIES: usize = 65_536;

/// An archive.
pub(crate) struct Archive<'a> {
    src: &'a Source,
    /// Entries by the end record.
    pub(crate) count: u64,
    pub(crate) entries: Vec<Entry>,
    /// The directory was too long to be read.
    pub(crate) cut: bool,
}

/// A file in an archive.
pub(crate) struct Entry {
    pub(crate) name: String,
    method: u16,
    packed: u64,
    size: u64,
    at: u64,
    encrypted: bool,
}

impl<'a> Archive<'a> {
    /// Finds the end record and reads the directory.
    pub(crate) fn open(ctx: &Ctx<'_>, src: &'a Source) -> Parse<Self> {
        let size = src.size();
        let from = size.saturating_sub(TAIL);
        let tail = src.upto(from, size - from)?;
        let end = rfind(tail, b"PK\x05\x06").ok_or(Stop::Malformed("no end of central directory"))?;
        let record = tail.get(end..).unwrap_or_default();
        let cut = Stop::Malformed("end record is cut");
        let (Some(count), Some(len), Some(at)) = (le16(record, 10), le32(record, 12), le32(record, 16))
        else {
            return Err(cut);
        };
        let (mut count, mut len, mut at) = (u64::from(count), u64::from(len), u64::from(at));
        if (count == 0xffff || at == 0xffff_ffff)
            && let Some(locator) = end.checked_sub(20).and_then(|l| tail.get(l..end))
            && locator.starts_with(b"PK\x06\x07")
        {
            let far = src.get(le64(locator, 8).unwrap_or(0), 56)?;
            if let (Some(n), Some(l), Some(a)) = (le64(far, 32), le64(far, 40), le64(far, 48)) {
                (count, len, at) = (n, l, a);
            }
        }
        let mut archive = Archive { src, count, entries: Vec::new(), cut: false };
        if len > MAX_DIRECTORY.min(ctx.room() as u64 / 4) {
            archive.cut = true;
            return Ok(archive);
        }
        // Data in front of the archive shift everything by their length.
        let end_at = from + end as u64;
        let shift = if src.peek(at, 4).is_some_and(|b| b != b"PK\x01\x02") {
            end_at.saturating_sub(at.saturating_add(len))
        } else {
            0
        };
        let directory = src.upto(at.saturating_add(shift), len)?;
        archive.read_directory(ctx, directory, shift)?;
        Ok(archive)
    }

    fn read_directory(&mut self, ctx: &Ctx<'_>, b: &[u8], shift: u64) -> Parse {
        let mut at = 0;
        while let Some(e) = b.get(at..).filter(|e| e.starts_with(b"PK\x01\x02")) {
            if self.entries.len().is_multiple_of(256) {
                ctx.tick()?;
            }
            let field = |i: usize| le16(e, i).map_or(0, usize::from);
            let (name_len, extra_len, comment_len) = (field(28), field(30), field(32));
            let Some(name) = e.get(46..46 + name_len) else { break };
            let mut entry = Entry {
                // Some Windows programs write backslashes.
                name: text::decode(name).replace('\\', "/"),
                method: field(10) as u16,
                packed: u64::from(le32(e, 20).unwrap_or(0)),
                size: u64::from(le32(e, 24).unwrap_or(0)),
                at: u64::from(le32(e, 42).unwrap_or(0)),
                encrypted: field(8) & 1 != 0,
            };
            entry.widen(e.get(46 + name_len..46 + name_len + extra_len).unwrap_or_default());
            entry.at = entry.at.saturating_add(shift);
            if self.entries.len() >= MAX_ENTRIES {
                self.cut = true;
                break;
            }
            self.entries.push(entry);
            at += 46 + name_len + extra_len + comment_len;
        }
        Ok(())
    }

    pub(crate) fn find(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|e| e.name == name || e.name.trim_start_matches('/') == name)
    }

    pub(crate) fn has(&self, prefix: &str) -> bool {
        self.entries.iter().any(|e| e.name.starts_with(prefix))
    }

    /// Whether there is an entry that can be unpacked into that many bytes.
    pub(crate) fn fits(&self, name: &str, max: usize) -> bool {
        self.find(name).is_some_and(|e| !e.encrypted && e.size <= max as u64 && e.packed <= max as u64)
    }

    /// Whether the content of any entry is encrypted.
    pub(crate) fn is_encrypted(&self) -> bool {
        self.entries.iter().any(|e| e.encrypted)
    }

    /// Unpacks an entry of at most `max` bytes; None where there is none.
    pub(crate) fn read(&self, name: &str, max: usize) -> Parse<Option<Vec<u8>>> {
        let Some(entry) = self.find(name) else { return Ok(None) };
        if entry.encrypted {
            return Err(Stop::Unsupported("encrypted entry"));
        }
        if entry.size > max as u64 || entry.packed > max as u64 {
            return Err(Stop::Limit("entry longer than the room in max_memory"));
        }
        // The local header repeats the name; its extra field has another length.
        let guess = 30 + entry.name.len() as u64 + 64 + entry.packed;
        let head = self.src.upto(entry.at, guess)?;
        if !head.starts_with(b"PK\x03\x04") {
            return Err(Stop::Malformed("entry without a local header"));
        }
        let (Some(name_len), Some(extra_len)) = (le16(head, 26), le16(head, 28)) else {
            return Err(Stop::Malformed("local header is cut"));
        };
        let start = entry.at + 30 + u64::from(name_len) + u64::from(extra_len);
        let packed = View::all(self.src).get(start, entry.packed)?;
        let mut out = Vec::new();
        match entry.method {
            0 => out.extend_from_slice(packed),
            8 => {
                // Sizes lie: the limit holds for what really comes out.
                let read =
                    flate2::read::DeflateDecoder::new(packed).take(max as u64 + 1).read_to_end(&mut out);
                if out.len() > max {
                    return Err(Stop::Limit("entry unpacks to more than the room in max_memory"));
                }
                if read.is_err() && out.is_empty() {
                    return Err(Stop::Malformed("entry does not inflate"));
                }
            }
            _ => return Err(Stop::Unsupported("compression method")),
        }
        Ok(Some(out))
    }
}

impl Entry {
    /// Takes 64-bit fields from the extra field.
    fn widen(&mut self, mut extra: &[u8]) {
        while let (Some(id), Some(len)) = (le16(extra, 0), le16(extra, 2)) {
            let body = extra.get(4..4 + usize::from(len)).unwrap_or_default();
            if id == 1 {
                let mut at = 0;
                for field in [&mut self.size, &mut self.packed, &mut self.at] {
                    if *field == 0xffff_ffff {
                        *field = le64(body, at).unwrap_or(*field);
                        at += 8;
                    }
                }
            }
            extra = extra.get(4 + usize::from(len)..).unwrap_or_default();
        }
    }
}
