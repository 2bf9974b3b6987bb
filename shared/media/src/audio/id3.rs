//! ID3: version 2 in front of the sound, version 1 behind it. Only the frames that are
//! wanted are read; of pictures the heads, however long they are.

use std::io::Read as _;

use crate::audio::tags::{Field, Texts};
use crate::bytes::{be24, be32};
use crate::ctx::Ctx;
use crate::extra::tags;
use crate::metadata::Image;
use crate::source::{Parse, Source, Stop};
use crate::text;

/// Of a picture's frame this much tells its size.
const PICTURE: u64 = 8 * 1024;
/// Longest text frame read, and longest tag that has to be rewritten to be read.
const MAX_TEXT_FRAME: u64 = 64 * 1024;
const MAX_COPY: u64 = 1024 * 1024;
const MAX_FRAMES: usize = 1024;

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

/// A frame: its name (three letters before version 3), where its content lies, and how it
/// is packed.
struct Frame {
    id: [u8; 4],
    at: u64,
    len: u64,
    flags: u8,
}

/// Reads the tag of `len` bytes at `start`. Missing bytes are noted, and what could be read
/// is kept.
pub(crate) fn read(ctx: &mut Ctx<'_>, src: &Source, start: u64, len: u64) -> Parse<Texts> {
    let head = src.get(start, 10)?;
    let (version, flags) = (head.get(3).copied().unwrap_or(0), head.get(5).copied().unwrap_or(0));
    let mut texts = Texts::default();
    if !(2..=4).contains(&version) || (version == 2 && flags & 0x40 != 0) {
        return Err(Stop::Unsupported("this version of ID3 is not read"));
    }
    // Before version 4 zeros were put in between all over the tag.
    if flags & 0x80 != 0 && version < 4 {
        if len > MAX_COPY {
            crate::audio::tags::long(ctx, "id3");
        }
        let mut plain = src.upto(start, 10)?.to_vec();
        if let Some(flags) = plain.get_mut(5) {
            *flags &= 0x7f;
        }
        plain.extend(joined(src.upto(start + 10, len.min(MAX_COPY).saturating_sub(10))?));
        let len = plain.len() as u64;
        let mut copy = Source::new(len);
        copy.supply(0, plain);
        frames(ctx, &copy, (0, len), version, flags & 0x7f, &mut texts)?;
        return Ok(texts);
    }
    frames(ctx, src, (start, len), version, flags, &mut texts)?;
    Ok(texts)
}

/// Bytes without the zeros that keep syncwords away.
fn joined(b: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(b.len());
    let mut before = 0;
    for byte in b {
        if !(before == 0xff && *byte == 0) {
            out.push(*byte);
        }
        before = *byte;
    }
    out
}

fn frames(
    ctx: &mut Ctx<'_>,
    src: &Source,
    (start, len): (u64, u64),
    version: u8,
    flags: u8,
    texts: &mut Texts,
) -> Parse {
    let end = start.saturating_add(len).min(src.size());
    let header: u64 = if version == 2 { 6 } else { 10 };
    let mut at = start + 10;
    if flags & 0x40 != 0 {
        let size = src.get(at, 4)?;
        // Version 4 counts the four bytes of the size too.
        at += match version {
            4 => syncsafe(size).map_or(0, u64::from),
            _ => 4 + u64::from(be32(size, 0).unwrap_or(0)),
        };
    }
    let mut missing = false;
    for _ in 0..MAX_FRAMES {
        ctx.tick()?;
        if at.saturating_add(header) > end {
            break;
        }
        let h = match src.get(at, header) {
            Ok(h) => h,
            Err(Stop::Missing) => return Err(Stop::Missing),
            Err(_) => break,
        };
        let (id, size) = match (version, h) {
            (2, &[a, b, c, ..]) => ([a, b, c, 0], be24(h, 3)),
            (3, &[a, b, c, d, ..]) => ([a, b, c, d], be32(h, 4)),
            (_, &[a, b, c, d, ..]) => ([a, b, c, d], version_4_size(src, at, end, h)),
            _ => break,
        };
        let Some(size) = size.map(u64::from).filter(|_| id.first() != Some(&0)) else { break };
        let frame = Frame {
            id,
            at: at + header,
            len: size,
            flags: h.get(9).copied().filter(|_| version > 2).unwrap_or(0),
        };
        at = frame.at.saturating_add(size);
        // A frame longer than its tag is damage, and what it would hold is anything.
        if at > end {
            if id.iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()) {
                ctx.stopped("id3", Stop::Malformed("a frame is longer than its tag"));
            }
            break;
        }
        match take(src, &frame, version, texts) {
            Err(Stop::Missing) => missing = true,
            Err(stop) => ctx.stopped("id3", stop),
            Ok(()) => {}
        }
    }
    if missing { Err(Stop::Missing) } else { Ok(()) }
}

/// A size of version 4 has seven bits a byte; some programs write it plainly. The one that
/// a further frame, or the end, follows is right.
fn version_4_size(src: &Source, at: u64, end: u64, h: &[u8]) -> Option<u32> {
    let (safe, plain) = (h.get(4..8).and_then(syncsafe), be32(h, 4));
    if safe == plain || safe.is_none() {
        return plain;
    }
    let follows = |size: Option<u32>| {
        let next = at + 10 + u64::from(size.unwrap_or(0));
        next == end
            || src.peek(next, 4).is_some_and(|id| {
                id.iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()) || id == [0; 4]
            })
    };
    if !follows(safe) && follows(plain) { plain } else { safe }
}

fn take(src: &Source, frame: &Frame, version: u8, texts: &mut Texts) -> Parse {
    let field = match &frame.id {
        b"APIC" | b"PIC\0" => {
            // What is held is enough in nearly all files.
            let held = src.held_from(frame.at);
            let body = held.get(..held.len().min(frame.len as usize)).unwrap_or_default();
            let body = if body.is_empty() { src.upto(frame.at, frame.len.min(PICTURE))? } else { body };
            texts.add_cover(|| picture(body));
            return Ok(());
        }
        b"TIT2" | b"TT2\0" => Field::Title,
        b"TPE1" | b"TP1\0" => Field::Artist,
        b"TALB" | b"TAL\0" => Field::Album,
        b"TPE2" | b"TP2\0" => Field::AlbumArtist,
        b"TCOM" | b"TCM\0" => Field::Composer,
        b"TLAN" | b"TLA\0" => Field::Language,
        b"TCOP" | b"TCR\0" => Field::Copyright,
        b"COMM" | b"COM\0" => Field::Comment,
        b"TXXX" | b"TXX\0" => Field::Performer,
        id if tags::wants_frame(id) => {
            // Those that are longer hold pictures; of lyrics the beginning is kept.
            let len = frame.len.min(MAX_TEXT_FRAME);
            let raw = src.get(frame.at, len)?;
            let raw = if len < frame.len { raw.to_vec() } else { unpacked(raw, frame.flags, version)? };
            tags::frame(&mut texts.more, id, &raw, version, decoded);
            return Ok(());
        }
        _ => return Ok(()),
    };
    // Where a text stands twice the first counts, as for players. Those of users have names.
    if texts.has(field) && field != Field::Performer {
        return Ok(());
    }
    if frame.len > MAX_TEXT_FRAME {
        return Err(Stop::Limit("text over the limit"));
    }
    let raw = unpacked(src.get(frame.at, frame.len)?, frame.flags, version)?;
    let Some((encoding, body)) = raw.split_first() else { return Ok(()) };
    match field {
        Field::Comment => {
            // A language, a description, the text; programs keep notes of their own here.
            let (description, text) = described(*encoding, body.get(3..).unwrap_or_default());
            if description.is_empty() || description.eq_ignore_ascii_case("ID3v1 Comment") {
                texts.add_all(field, &text);
            }
        }
        Field::Performer => {
            let (description, text) = described(*encoding, body);
            if description.eq_ignore_ascii_case("performer") {
                if texts.has(field) {
                    return Ok(());
                }
                texts.add_all(field, &text);
            } else {
                text.split('\0').for_each(|value| texts.more.named(&description, value));
            }
        }
        _ => texts.add_all(field, &decoded(*encoding, body)),
    }
    Ok(())
}

/// Undoes a frame's own packing.
fn unpacked(raw: &[u8], flags: u8, version: u8) -> Parse<Vec<u8>> {
    // Group, encryption, compression, zeros in between, a length: version 3 and 4 differ.
    let (grouped, encrypted, packed, zeros, sized) = match version {
        4 => (flags & 0x40 != 0, flags & 4 != 0, flags & 8 != 0, flags & 2 != 0, flags & 1 != 0),
        _ => (flags & 0x20 != 0, flags & 0x40 != 0, flags & 0x80 != 0, false, flags & 0x80 != 0),
    };
    if encrypted {
        return Err(Stop::Unsupported("encrypted frame"));
    }
    let skip = usize::from(grouped) + if sized { 4 } else { 0 };
    let body = raw.get(skip..).unwrap_or_default();
    let body = if zeros { joined(body) } else { body.to_vec() };
    if !packed {
        return Ok(body);
    }
    let mut out = Vec::new();
    let read = flate2::read::ZlibDecoder::new(body.as_slice()).take(MAX_TEXT_FRAME).read_to_end(&mut out);
    if read.is_err() && out.is_empty() { Err(Stop::Malformed("frame does not inflate")) } else { Ok(out) }
}

/// Text in one of four encodings, its NULs kept: they part values.
fn decoded(encoding: u8, b: &[u8]) -> String {
    let wide = |b: &[u8], big: bool| {
        let units = b.chunks_exact(2).map(|p| match *p {
            [a, b] if big => u16::from_be_bytes([a, b]),
            [a, b] => u16::from_le_bytes([a, b]),
            _ => 0,
        });
        // Each value may have a mark of its own.
        let units = units.filter(|u| *u != 0xfeff);
        char::decode_utf16(units).map(|c| c.unwrap_or('\u{fffd}')).collect::<String>()
    };
    match (encoding, b) {
        (1, [0xfe, 0xff, rest @ ..]) => wide(rest, true),
        (1, [0xff, 0xfe, rest @ ..]) => wide(rest, false),
        (1, _) => wide(b, false),
        (2, _) => wide(b, true),
        (3, _) => String::from_utf8_lossy(b).into_owned(),
        _ => text::decode(b),
    }
}

/// A description and the text behind its end.
fn described(encoding: u8, b: &[u8]) -> (String, String) {
    let whole = decoded(encoding, b);
    match whole.split_once('\0') {
        Some((description, text)) => (description.to_owned(), text.to_owned()),
        None => (String::new(), whole),
    }
}

/// The picture's data begin somewhere behind its type and description.
fn picture(body: &[u8]) -> Option<Image> {
    let lead = body.get(..body.len().min(512))?;
    let marks: [&[u8]; 5] = [b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"RIFF", b"BM"];
    let at = marks.iter().filter_map(|m| crate::bytes::find(lead, m)).min()?;
    crate::audio::cover(body.get(at..)?)
}

/// Version 1: fixed fields in the last 128 bytes.
pub(crate) fn old(b: &[u8]) -> Option<Texts> {
    let b = b.strip_prefix(b"TAG")?;
    let mut texts = Texts::default();
    // The last two bytes of a comment may be a track's number.
    let comment = if b.get(122) == Some(&0) { 94..122 } else { 94..124 };
    for (field, range) in
        [(Field::Title, 0..30), (Field::Artist, 30..60), (Field::Album, 60..90), (Field::Comment, comment)]
    {
        let value = text::decode(text::until_nul(b.get(range)?));
        if !value.trim().is_empty() {
            texts.add(field, value.trim_end());
        }
    }
    tags::version_1(&mut texts.more, b);
    Some(texts)
}

/// A tag that is a block of another container.
pub(crate) fn block(ctx: &mut Ctx<'_>, bytes: &[u8]) {
    let Some(len) = tag_len(bytes) else {
        ctx.stopped("id3", Stop::Malformed("no ID3 mark"));
        return;
    };
    let mut copy = Source::new(bytes.len() as u64);
    copy.supply(0, bytes.to_vec());
    match read(ctx, &copy, 0, len) {
        Ok(texts) => texts.write(ctx),
        Err(stop) => ctx.stopped("id3", stop),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(encoding: u8, b: &[u8]) -> Vec<String> {
        decoded(encoding, b).split('\0').filter(|v| !v.is_empty()).map(str::to_owned).collect()
    }

    #[test]
    fn values_of_text_frames() {
        let table: &[(u8, &[u8], &[&str])] = &[
            (0, b"caf\xe9", &["café"]),
            (1, b"\xff\xfea\0b\0\0\0\xff\xfec\0", &["ab", "c"]),
            (1, b"\xfe\xff\0a", &["a"]),
            (2, b"\0a\0b", &["ab"]),
            (3, b"one\0two", &["one", "two"]),
            (3, b"", &[]),
        ];
        for (encoding, bytes, want) in table {
            assert_eq!(values(*encoding, bytes), *want);
        }
        assert_eq!(described(0, b"iTunNORM\0 0001"), ("iTunNORM".to_owned(), " 0001".to_owned()));
        assert_eq!(joined(b"\xff\0\xe0\0\xff\0\0"), b"\xff\xe0\0\xff\0");
        let packed = {
            use std::io::Write as _;
            let mut out = flate2::write::ZlibEncoder::new(vec![0, 0, 0, 2], flate2::Compression::fast());
            out.write_all(b"\0x").unwrap();
            out.finish().unwrap()
        };
        assert_eq!(unpacked(&packed, 0x80, 3), Ok(b"\0x".to_vec()));
        assert_eq!(unpacked(&packed, 0x09, 4), Ok(b"\0x".to_vec()));
    }

    #[test]
    fn version_1() {
        let mut tag = b"TAGSong".to_vec();
        tag.resize(33, 0);
        tag.extend(b"Band");
        tag.resize(128, 0);
        assert!(old(&tag).is_some());
        assert!(old(b"TAG").is_none() && old(b"").is_none());
    }
}
