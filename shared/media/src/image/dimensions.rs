//! Formats of which little more than the size is known: GIF, BMP, ICO, PSD, WebP,
//! JPEG 2000 and what imagesize knows besides.

use std::io::BufReader;

use crate::bmff;
use crate::bytes::{View, be32, find, le16, le32};
use crate::ctx::Ctx;
use crate::image::{Facts, animation, exif, iptc, xmp};
use crate::source::{Parse, Stop};

pub(super) fn size(ctx: &mut Ctx<'_>, width: Option<u32>, height: Option<u32>) {
    ctx.meta.image_width = width.filter(|w| *w > 0);
    ctx.meta.image_height = height.filter(|h| *h > 0);
}

pub(crate) fn gif(ctx: &mut Ctx<'_>, facts: &mut Facts) -> Parse {
    // The logical screen, also where a frame is larger.
    let b = ctx.src.get(0, 10)?;
    size(ctx, le16(b, 6).map(u32::from), le16(b, 8).map(u32::from));
    // An XMP block may stand anywhere: where it is held, and in the last bytes of a file
    // of which more is not.
    let held = ctx.src.held_from(0);
    animation::gif(ctx, facts)?;
    if !gif_xmp(ctx, held, 0, facts) && (held.len() as u64) < ctx.src.size() {
        let size = ctx.src.size();
        let from = size.saturating_sub(GIF_TAIL).max(held.len() as u64);
        if let Some(tail) = ctx.src.near(from, size - from) {
            // A packet that began before is read too.
            if !gif_xmp(ctx, tail, from, facts)
                && find(tail, b"<?xpacket end").is_some()
                && let Some(more) = ctx.src.near(size.saturating_sub(GIF_LONG_TAIL), GIF_LONG_TAIL)
                && !gif_xmp(ctx, more, size.saturating_sub(GIF_LONG_TAIL), facts)
            {
                return Err(Stop::Limit("an xmp packet longer than is looked for"));
            }
        }
    }
    Ok(())
}

/// Searched for XMP at the end of a GIF, and where the end of a packet is seen there.
const GIF_TAIL: u64 = 16 * 1024;
const GIF_LONG_TAIL: u64 = 512 * 1024;

/// Reads the XMP of an application extension in `bytes`, which begin at `start`.
fn gif_xmp(ctx: &mut Ctx<'_>, bytes: &[u8], start: u64, facts: &mut Facts) -> bool {
    let Some(at) = find(bytes, b"XMP DataXMP").map(|at| at + 11) else { return false };
    let rest = bytes.get(at..).unwrap_or_default();
    // Behind the packet every byte leads to the end: 01 ff fe fd and so on.
    let len = find(rest, b"<?xpacket end").or_else(|| find(rest, &[1, 0xff, 0xfe, 0xfd]));
    let view = View::all(ctx.src).sub(start + at as u64, len.unwrap_or(rest.len()) as u64);
    ctx.part("xmp", |ctx| xmp::read(ctx, view, facts));
    true
}

pub(crate) fn bmp(ctx: &mut Ctx<'_>) -> Parse {
    let b = ctx.src.upto(0, 26)?;
    match le32(b, 14) {
        // OS/2: 16-bit sizes.
        Some(12) => size(ctx, le16(b, 18).map(u32::from), le16(b, 20).map(u32::from)),
        // A negative height means rows from the top down.
        Some(16..) => size(
            ctx,
            le32(b, 18).map(|w| (w as i32).unsigned_abs()),
            le32(b, 22).map(|h| (h as i32).unsigned_abs()),
        ),
        _ => return Err(Stop::Malformed("unknown bitmap header")),
    }
    Ok(())
}

pub(crate) fn ico(ctx: &mut Ctx<'_>) -> Parse {
    let b = ctx.src.get(0, 6)?;
    let count = u64::from(le16(b, 4).unwrap_or(0)).min(256);
    let dir = ctx.src.upto(6, count * 16)?;
    let full = |n: Option<&u8>| n.map(|n| if *n == 0 { 256 } else { u32::from(*n) });
    // The first picture stands for the file, as the first page of a TIFF does.
    let first = dir.chunks_exact(16).find_map(|e| Some((full(e.first())?, full(e.get(1))?)));
    let (w, h) = first.ok_or(Stop::Malformed("icon without pictures"))?;
    size(ctx, Some(w), Some(h));
    Ok(())
}

pub(crate) fn psd(ctx: &mut Ctx<'_>, facts: &mut Facts) -> Parse {
    let b = ctx.src.get(0, 30)?;
    size(ctx, be32(b, 18), be32(b, 14));
    let view = View::all(ctx.src);
    let colors = u64::from(be32(b, 26).unwrap_or(0));
    let at = 30 + colors;
    let len = u64::from(be32(view.get(at, 4)?, 0).unwrap_or(0));
    ctx.part("image resources", |ctx| iptc::read_resources(ctx, view.sub(at + 4, len), facts));
    Ok(())
}

pub(crate) fn webp(ctx: &mut Ctx<'_>, facts: &mut Facts) -> Parse {
    let view = View::all(ctx.src);
    let mut at = 12;
    let mut wanted = 0u32;
    let mut behind = false;
    let (mut frames, mut counted, mut animated) = (0, false, false);
    for _ in 0..16_384 {
        ctx.tick()?;
        if at + 8 > view.len() {
            counted = true;
            break;
        }
        let head = view.get(at, 8)?;
        let len = u64::from(le32(head, 4).unwrap_or(0));
        let body = view.sub(at + 8, len);
        let le24 = |b: &[u8], at: usize| {
            Some(u32::from(*b.get(at)?) | u32::from(*b.get(at + 1)?) << 8 | u32::from(*b.get(at + 2)?) << 16)
        };
        match head.get(..4) {
            Some(b"VP8X") => {
                let b = body.get(0, 10)?;
                size(ctx, le24(b, 4).map(|w| w + 1), le24(b, 7).map(|h| h + 1));
                let flags = b.first().copied().unwrap_or(0);
                wanted = [8, 4, 0x20].map(|flag| u32::from(flags & flag != 0)).iter().sum();
                // All frames of a short animation are counted, and of a long one none.
                animated = flags & 2 != 0 && view.len() <= crate::WHOLE_BYTES;
            }
            Some(b"VP8 ") if ctx.meta.image_width.is_none() => {
                let b = body.get(0, 10)?;
                size(
                    ctx,
                    le16(b, 6).map(|w| u32::from(w & 0x3fff)),
                    le16(b, 8).map(|h| u32::from(h & 0x3fff)),
                );
            }
            Some(b"VP8L") if ctx.meta.image_width.is_none() => {
                let bits = le32(body.get(0, 5)?, 1).unwrap_or(0);
                size(ctx, Some((bits & 0x3fff) + 1), Some((bits >> 14 & 0x3fff) + 1));
            }
            Some(b"ICCP") if facts.profile.is_empty() => {
                wanted = wanted.saturating_sub(1);
                let len = body.len().min(crate::extra::icc::MAX_PROFILE as u64);
                facts.profile = body.upto(0, len)?.to_vec();
            }
            Some(b"ANMF") => frames += 1,
            Some(b"EXIF") => {
                wanted = wanted.saturating_sub(1);
                ctx.part("exif", |ctx| {
                    let tiff = if body.get(0, 6)? == b"Exif\0\0" { body.sub(6, u64::MAX) } else { body };
                    exif::read(ctx, tiff, facts)
                });
            }
            Some(b"XMP ") => {
                wanted = wanted.saturating_sub(1);
                ctx.part("xmp", |ctx| xmp::read(ctx, body, facts));
            }
            _ => {}
        }
        // EXIF and XMP stand behind the picture. The flags say whether to look, and are
        // wrong in some files: what is held, or lies behind the one picture, is looked at.
        let picture = matches!(head.get(..4), Some(b"VP8 " | b"VP8L"));
        let frame = head.get(..4) == Some(b"ANMF");
        at += 8 + len + len % 2;
        let left = view.len().saturating_sub(at);
        if animated && left >= 8 {
            continue;
        }
        if ctx.meta.image_width.is_some() && wanted == 0 && ctx.src.peek(at, left).is_none() {
            if frame || left < 8 || !(picture || behind) {
                counted = left < 8;
                break;
            }
            behind = true;
            if ctx.src.near(at, left.min(64 * 1024)).is_none() {
                return Err(Stop::Missing);
            }
        }
    }
    ctx.meta.extra.frame_count = Some(frames).filter(|n| *n > 1 && counted);
    Ok(())
}

pub(crate) fn jp2_codestream(ctx: &mut Ctx<'_>, view: View<'_>) -> Parse {
    // SOC, then SIZ: length, capabilities, grid size, offset of the picture in it.
    let b = view.get(0, 24)?;
    if b.get(..4) != Some(&[0xff, 0x4f, 0xff, 0x51]) {
        return Err(Stop::Malformed("codestream without SIZ"));
    }
    let span = |far: usize, near: usize| be32(b, far)?.checked_sub(be32(b, near)?);
    size(ctx, span(8, 16), span(12, 20));
    Ok(())
}

pub(crate) fn jp2(ctx: &mut Ctx<'_>, facts: &mut Facts) -> Parse {
    let all = View::all(ctx.src);
    let mut boxes = Vec::new();
    let walked = bmff::walk(all, |b| {
        boxes.push(b);
        // The codestream ends what is worth a read.
        Ok(&b.kind != b"jp2c" && boxes.len() < 256)
    });
    for b in boxes {
        match &b.kind {
            b"jp2h" => {
                if let Some(ihdr) = bmff::child(b.body, b"ihdr")? {
                    let b = ihdr.body.get(0, 8)?;
                    size(ctx, be32(b, 4), be32(b, 0));
                }
                if let Some(colr) = bmff::child(b.body, b"colr")?
                    && matches!(colr.body.upto(0, 1)?, [2 | 3])
                {
                    // Method, precedence, approximation, the profile.
                    let len = colr.body.len().min(crate::extra::icc::MAX_PROFILE as u64);
                    facts.profile = colr.body.upto(3, len.saturating_sub(3))?.to_vec();
                }
            }
            b"jp2c" if ctx.meta.image_width.is_none() => jp2_codestream(ctx, b.body)?,
            b"uuid" => {
                let id = b.body.upto(0, 16)?;
                let rest = b.body.sub(16, u64::MAX);
                match id {
                    b"JpgTiffExif->JP2" => ctx.part("exif", |ctx| exif::read(ctx, rest, facts)),
                    [0xbe, 0x7a, 0xcf, 0xcb, ..] => ctx.part("xmp", |ctx| xmp::read(ctx, rest, facts)),
                    _ => {}
                }
            }
            _ => {}
        }
    }
    walked
}

/// The size by the imagesize crate, which reads over the sparse source.
pub(crate) fn by_imagesize(ctx: &mut Ctx<'_>) -> Parse {
    let found = ctx.guarded("dimensions", |ctx| {
        let reader = BufReader::with_capacity(4096, ctx.src.reader());
        imagesize::reader_size(reader).ok()
    });
    match found.flatten() {
        Some(found) => {
            // What was missing on the way no longer matters.
            size(ctx, u32::try_from(found.width).ok(), u32::try_from(found.height).ok());
            Ok(())
        }
        None if ctx.src.lacks() => Err(Stop::Missing),
        None => Err(Stop::Malformed("no size found")),
    }
}
