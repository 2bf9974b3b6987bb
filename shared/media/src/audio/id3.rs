//! ID3v2: its length, the pictures in it, its main texts. lofty reads the rest of
//! the tag; this walk finds the pictures, so that their bytes need not be fetched,
//! and where a text stands twice keeps the first, as players do.

use crate::bytes::{be24, be32};
use crate::ctx::Ctx;
use crate::metadata::Image;
use crate::source::Source;
use crate::text;

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

/// A frame: its name (three letters before version 3), and where its content lies.
struct Frame {
    id: [u8; 4],
    at: u64,
    len: u64,
}

/// Frames of the tag of `len` bytes at the start. Headers that are not held are noted.
fn frames(src: &Source, len: u64) -> Vec<Frame> {
    let mut found = Vec::new();
    let Some(head) = src.peek(0, 10) else { return found };
    let (version, flags) = (head.get(3).copied().unwrap_or(0), head.get(5).copied().unwrap_or(0));
    // Unsynchronised or extended tags are rare and short walks are not worth their care.
    if flags & 0xc0 != 0 || !(2..=4).contains(&version) {
        return found;
    }
    let header: u64 = if version == 2 { 6 } else { 10 };
    let mut at = 10;
    while at + header <= len && found.len() < 1024 {
        let Ok(h) = src.get(at, header) else { break };
        let (id, size) = match (version, h) {
            (2, &[a, b, c, ..]) => ([a, b, c, 0], be24(h, 3)),
            (3, &[a, b, c, d, ..]) => ([a, b, c, d], be32(h, 4)),
            (_, &[a, b, c, d, ..]) => ([a, b, c, d], h.get(4..8).and_then(syncsafe)),
            _ => break,
        };
        let Some(size) = size.map(u64::from).filter(|_| id.first() != Some(&0)) else { break };
        // Packed or encrypted frames are lofty's.
        if version == 2 || h.get(9) == Some(&0) {
            found.push(Frame { id, at: at + header, len: size });
        }
        at += header + size;
    }
    found
}

/// Pictures of the tag of `len` bytes: dimensions from their heads, and their
/// bulk marked as not needed.
pub(crate) fn pictures(src: &Source, len: u64) -> Vec<Image> {
    let mut found = Vec::new();
    for frame in frames(src, len).iter().filter(|f| matches!(&f.id, b"APIC" | b"PIC\0")) {
        let body = src.held_from(frame.at);
        let body = body.get(..body.len().min(frame.len as usize)).unwrap_or_default();
        found.push(picture(body).unwrap_or_default());
        if frame.len > SHORT {
            src.blank(frame.at + SHORT..frame.at + frame.len);
        }
    }
    found
}

/// Title, artist and album of the tag of `len` bytes, where they are held.
pub(crate) fn texts(ctx: &mut Ctx<'_>, src: &Source, len: u64) {
    for frame in frames(src, len).iter().filter(|f| f.len <= 64 * 1024) {
        let m = &mut ctx.meta;
        let slot = match &frame.id {
            b"TIT2" | b"TT2\0" => &mut m.title,
            b"TPE1" | b"TP1\0" => &mut m.artist,
            b"TALB" | b"TAL\0" => &mut m.album,
            _ => continue,
        };
        if slot.is_none() {
            *slot = src.peek(frame.at, frame.len).and_then(|b| first_value(b, ctx.limits.max_text));
        }
    }
}

/// The first of a text frame's values: an encoding, then texts parted by NULs.
fn first_value(b: &[u8], max: usize) -> Option<String> {
    let (encoding, body) = b.split_first()?;
    let value = match encoding {
        0 => text::decode(text::until_nul(body)),
        1 if body.starts_with(&[0xfe, 0xff]) => text::utf16(body.get(2..)?, true),
        1 => text::utf16(body.strip_prefix(&[0xff, 0xfe]).unwrap_or(body), false),
        2 => text::utf16(body, true),
        _ => String::from_utf8_lossy(text::until_nul(body)).into_owned(),
    };
    text::clean(&value, max)
}

/// The picture's data begin somewhere behind its type and description.
fn picture(body: &[u8]) -> Option<Image> {
    let lead = body.get(..body.len().min(512))?;
    let marks: [&[u8]; 5] = [b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"RIFF", b"BM"];
    let at = marks.iter().filter_map(|m| crate::bytes::find(lead, m)).min()?;
    crate::audio::cover(body.get(at..)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_text_frames() {
        let table: &[(&[u8], Option<&str>)] = &[
            (b"\0caf\xe9", Some("café")),
            (b"\x01\xff\xfea\0b\0\0\0c\0", Some("ab")),
            (b"\x01\xfe\xff\0a", Some("a")),
            (b"\x02\0a\0b", Some("ab")),
            (b"\x03one\0two", Some("one")),
            (b"\x03", None),
            (b"", None),
        ];
        for (frame, want) in table {
            assert_eq!(first_value(frame, 100).as_deref(), *want);
        }
    }
}
