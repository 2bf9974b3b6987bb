//! ID3v2: its length, and the pictures in it. lofty reads the tag itself; this
//! walk only finds the pictures, so that their bytes need not be fetched.

use crate::bytes::{be24, be32};
use crate::metadata::Image;
use crate::source::Source;

/// Pictures up to this length are read like the rest of the tag.
const SHORT: u64 = 8 * 1024;

/// Length of the tag with its header and footer, where `head` begins with one.
pub(crate) fn tag_len(head: &[u8]) -> Option<u64> {
    let b = head.get(..10)?;
    if !b.starts_with(b"ID3") {
        return None;
    }
    let size = syncsafe(b.get(6..10)?)?;
    let footer = if b.get(5).is_some_and(|f| f & 0x10 != 0) { 10 } else { 0 };
    Some(10 + u64::from(size) + footer)
}

/// Four bytes of seven bits.
fn syncsafe(b: &[u8]) -> Option<u32> {
    match *b {
        [a, b, c, d] if (a | b | c | d) & 0x80 == 0 => {
            Some(u32::from(a) << 21 | u32::from(b) << 14 | u32::from(c) << 7 | u32::from(d))
        }
        _ => None,
    }
}

/// Pictures of the tag of `len` bytes: dimensions from their heads, and their
/// bulk marked as not needed. Frame headers that are not held are noted.
pub(crate) fn pictures(src: &Source, len: u64) -> Vec<Image> {
    let mut found = Vec::new();
    let Some(head) = src.peek(0, 10) else { return found };
    let (version, flags) = (head.get(3).copied().unwrap_or(0), head.get(5).copied().unwrap_or(0));
    // Unsynchronised or extended tags are rare and short walks are not worth their care.
    if flags & 0xc0 != 0 || !(2..=4).contains(&version) {
        return found;
    }
    let header: u64 = if version == 2 { 6 } else { 10 };
    let mut at = 10;
    for _ in 0..1024 {
        if at + header > len {
            break;
        }
        let Ok(h) = src.get(at, header) else { break };
        let (id, size) = match version {
            2 => (h.get(..3), be24(h, 3)),
            3 => (h.get(..4), be32(h, 4)),
            _ => (h.get(..4), h.get(4..8).and_then(syncsafe)),
        };
        let (Some(id), Some(size)) = (id, size.map(u64::from)) else { break };
        if id.first() == Some(&0) {
            break;
        }
        if matches!(id, b"APIC" | b"PIC") {
            let body = src.held_from(at + header);
            let body = body.get(..body.len().min(size as usize)).unwrap_or_default();
            found.push(picture(body).unwrap_or_default());
            if size > SHORT {
                src.blank(at + header + SHORT..at + header + size);
            }
        }
        at += header + size;
    }
    found
}

/// The picture's data begin somewhere behind its type and description.
fn picture(body: &[u8]) -> Option<Image> {
    let lead = body.get(..body.len().min(512))?;
    let marks: [&[u8]; 5] = [b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"RIFF", b"BM"];
    let at = marks.iter().filter_map(|m| crate::bytes::find(lead, m)).min()?;
    crate::audio::cover(body.get(at..)?)
}
