//! Raw pictures in containers of their own: Minolta MRW, Canon CRW, Sigma X3F.

use ::exif::Context;

use crate::bytes::{View, be16, be32, le16, le32};
use crate::ctx::Ctx;
use crate::image::exif::{self, Tiff};
use crate::image::{Facts, jpeg, tiff, xmp};
use crate::source::{Parse, Stop};
use crate::text;
use crate::time::Stamp;

/// MRW: blocks in front of the sensor's data, one of them a TIFF.
pub(crate) fn mrw(ctx: &mut Ctx<'_>, facts: &mut Facts) -> Parse {
    let view = View::all(ctx.src);
    let end = 8 + u64::from(be32(view.get(4, 4)?, 0).unwrap_or(0));
    let mut at = 8;
    while at + 8 <= end.min(view.len()) {
        ctx.tick()?;
        let h = view.get(at, 8)?;
        let len = u64::from(be32(h, 4).unwrap_or(0));
        let body = view.sub(at + 8, len);
        match h.get(..4) {
            Some(b"\0PRD") => {
                let b = body.get(0, 16)?;
                ctx.meta.image_height = be16(b, 12).map(u32::from);
                ctx.meta.image_width = be16(b, 14).map(u32::from);
            }
            Some(b"\0TTW") => ctx.part("exif", |ctx| exif::read(ctx, body, facts)),
            _ => {}
        }
        at += 8 + len;
    }
    Ok(())
}

/// CRW: a heap with its directory behind it, and heaps in it.
pub(crate) fn crw(ctx: &mut Ctx<'_>, facts: &mut Facts) -> Parse {
    let all = View::all(ctx.src);
    let start = u64::from(le32(all.get(2, 4)?, 0).unwrap_or(26));
    heap(ctx, all.sub(start, u64::MAX), facts, 0)
}

fn heap(ctx: &mut Ctx<'_>, heap: View<'_>, facts: &mut Facts, depth: u32) -> Parse {
    ctx.tick()?;
    let last = heap.len().checked_sub(4).ok_or(Stop::Malformed("heap without a directory"))?;
    let at = u64::from(le32(heap.get(last, 4)?, 0).unwrap_or(0));
    let count = u64::from(le16(heap.get(at, 2)?, 0).unwrap_or(0)).min(256);
    let entries = heap.get(at + 2, count * 10)?;
    for e in entries.chunks_exact(10) {
        let (Some(tag), Some(len), Some(offset)) = (le16(e, 0), le32(e, 2), le32(e, 6)) else { continue };
        let body = heap.sub(u64::from(offset), u64::from(len));
        match tag {
            0x080a => {
                let b = body.upto(0, 128)?;
                let mut names = b.split(|c| *c == 0).map(text::decode);
                for name in ["Make", "Model"] {
                    let value = names.next().and_then(|v| text::clean(&v, 128));
                    facts.exif.extend(value.map(|v| (name.to_owned(), v)));
                }
            }
            0x180e => {
                let local = le32(body.get(0, 4)?, 0).unwrap_or(0);
                // Counted from 1970 in the camera's own zone.
                facts.taken = Stamp::from_unix(i64::from(local)).map(|mut stamp| {
                    stamp.offset = None;
                    stamp
                });
            }
            0x1810 => {
                let b = body.get(0, 16)?;
                ctx.meta.image_width = le32(b, 0).filter(|w| *w > 0);
                ctx.meta.image_height = le32(b, 4).filter(|h| *h > 0);
                facts.orientation = match le32(b, 12) {
                    Some(0) => Some(1),
                    Some(90) => Some(6),
                    Some(180) => Some(3),
                    Some(270) => Some(8),
                    _ => None,
                };
            }
            // A heap in the heap.
            _ if matches!(tag & 0xf800, 0x2800 | 0x3000) && depth < 4 => {
                self::heap(ctx, body, facts, depth + 1)?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// X3F: the size and the turning stand in the header; the camera and the moment in a
/// list of properties or in the EXIF of a preview, found by a directory at the end.
pub(crate) fn x3f(ctx: &mut Ctx<'_>, facts: &mut Facts) -> Parse {
    let b = ctx.src.get(0, 40)?;
    ctx.meta.image_width = le32(b, 28).filter(|w| (1..65_536).contains(w));
    ctx.meta.image_height = le32(b, 32).filter(|h| (1..65_536).contains(h));
    facts.orientation = match le32(b, 36) {
        Some(0) => Some(1),
        Some(90) => Some(6),
        Some(180) => Some(3),
        Some(270) => Some(8),
        _ => None,
    };
    ctx.part("directory", |ctx| x3f_sections(ctx, facts));
    Ok(())
}

fn x3f_sections(ctx: &mut Ctx<'_>, facts: &mut Facts) -> Parse {
    let all = View::all(ctx.src);
    // A file of the header alone has none.
    let Some(last) = all.len().checked_sub(4).filter(|at| *at >= 44) else { return Ok(()) };
    // The directory ends where its own place is told: one read for both.
    all.upto(last.saturating_sub(1020), 1024)?;
    let at = u64::from(le32(all.get(last, 4)?, 0).unwrap_or(0));
    let head = all.get(at, 12)?;
    if !head.starts_with(b"SECd") {
        return Err(Stop::Malformed("no directory at the end"));
    }
    let count = u64::from(le32(head, 8).unwrap_or(0)).min(64);
    let mut missing = Ok(());
    for e in all.get(at + 12, count * 12)?.chunks_exact(12) {
        ctx.tick()?;
        let (Some(from), Some(len)) = (le32(e, 0), le32(e, 4)) else { continue };
        let section = all.sub(u64::from(from), u64::from(len));
        let read = match e.get(8..) {
            Some(b"PROP") => x3f_properties(ctx, section, facts),
            // A JPEG has EXIF, the other kinds are bare pictures.
            Some(b"IMA2" | b"IMAG") if facts.exif.is_empty() => x3f_preview(ctx, section, facts),
            _ => Ok(()),
        };
        if read == Err(Stop::Missing) {
            missing = read;
        }
    }
    missing
}

/// Offsets of names and values, in letters of two bytes, and the letters.
fn x3f_properties(ctx: &Ctx<'_>, section: View<'_>, facts: &mut Facts) -> Parse {
    let b = section.upto(0, section.len().min(64 * 1024))?;
    let count = le32(b, 8).unwrap_or(0).min(256) as usize;
    let letters = b.get(24 + count * 8..).unwrap_or_default();
    let word = |at: usize| {
        let from = le32(b, at)? as usize;
        text::clean(&text::utf16(letters.get(from.checked_mul(2)?..)?, false), ctx.limits.max_exif_value)
    };
    for i in 0..count {
        let (Some(name), Some(value)) = (word(24 + i * 8), word(28 + i * 8)) else { continue };
        match name.as_str() {
            "CAMMANUF" => drop(facts.exif.entry("Make".into()).or_insert(value)),
            "CAMMODEL" => drop(facts.exif.entry("Model".into()).or_insert(value)),
            "TIME" => facts.other_dates.extend(value.parse().ok().and_then(Stamp::from_unix).map(|mut s| {
                // Counted from 1970 in the camera's own zone.
                s.offset = None;
                s
            })),
            _ => {}
        }
    }
    Ok(())
}

fn x3f_preview(ctx: &mut Ctx<'_>, section: View<'_>, facts: &mut Facts) -> Parse {
    if le32(section.get(0, 28)?, 12) != Some(0x12) {
        return Ok(());
    }
    // The preview's size is not the picture's.
    let size = (ctx.meta.image_width, ctx.meta.image_height);
    let read = jpeg::read(ctx, section.sub(28, u64::MAX), facts);
    (ctx.meta.image_width, ctx.meta.image_height) = size;
    read
}

/// Canon CR3: TIFF blocks in boxes of the movie header.
pub(crate) fn cr3(ctx: &mut Ctx<'_>, facts: &mut Facts) -> Parse {
    use crate::bmff;
    let moov = bmff::child(View::all(ctx.src), b"moov")?.ok_or(Stop::Malformed("no moov box"))?;
    moov.body.upto(0, moov.body.len().min(1 << 20))?;
    let mut blocks = Vec::new();
    let walked = bmff::walk(moov.body, |b| {
        if &b.kind == b"uuid" {
            // Canon's identifier takes 16 bytes.
            bmff::walk(b.body.sub(16, u64::MAX), |inner| {
                if matches!(&inner.kind, b"CMT1" | b"CMT2" | b"CMT4") {
                    blocks.push(inner);
                }
                Ok(true)
            })?;
        }
        Ok(true)
    });
    for block in blocks {
        let context = match &block.kind {
            b"CMT2" => Context::Exif,
            b"CMT4" => Context::Gps,
            _ => Context::Tiff,
        };
        ctx.part("exif", |ctx| {
            let (tiff, first) = Tiff::open(block.body)?;
            let (entries, _) = tiff.directory(first)?;
            if context == Context::Tiff {
                let size = tiff::size_of(tiff, &entries)?;
                ctx.meta.image_width = size.width;
                ctx.meta.image_height = size.height;
            }
            exif::read_directory(ctx, tiff, &entries, context, facts)
        });
    }
    // XMP stands behind the header, in a box of its own.
    if let Some(next) = Some(moov.next).filter(|at| *at < ctx.src.size())
        && let Some(b) = bmff::box_at(View::all(ctx.src), next)?
        && &b.kind == b"uuid"
        && b.body.upto(0, 4)? == [0xbe, 0x7a, 0xcf, 0xcb]
    {
        ctx.part("xmp", |ctx| xmp::read(ctx, b.body.sub(16, u64::MAX), facts));
    }
    match walked {
        Err(Stop::Missing) => walked,
        _ => Ok(()),
    }
}
