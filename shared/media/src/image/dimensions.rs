//! Formats of which little more than the size is known: GIF, BMP, ICO, PSD, WebP,
//! JPEG 2000, JPEG XL, SVG and what imagesize knows besides.

use std::io::BufReader;

use crate::bmff;
use crate::bytes::{View, be32, find, le16, le32};
use crate::ctx::Ctx;
use crate::image::{Facts, exif, iptc, xmp};
use crate::source::{Parse, Stop};
use crate::text;

fn size(ctx: &mut Ctx<'_>, width: Option<u32>, height: Option<u32>) {
    ctx.meta.image_width = width.filter(|w| *w > 0);
    ctx.meta.image_height = height.filter(|h| *h > 0);
}

pub(crate) fn gif(ctx: &mut Ctx<'_>, facts: &mut Facts) -> Parse {
    // The logical screen, also where a frame is larger.
    let b = ctx.src.get(0, 10)?;
    size(ctx, le16(b, 6).map(u32::from), le16(b, 8).map(u32::from));
    // An XMP block may stand anywhere; it is taken where it is held.
    let held = ctx.src.held_from(0);
    if let Some(at) = find(held, b"XMP DataXMP") {
        let start = at + 11;
        let rest = held.get(start..).unwrap_or_default();
        if let Some(len) = find(rest, b"<?xpacket end") {
            let view = View::all(ctx.src).sub(start as u64, len as u64);
            ctx.part("xmp", |ctx| xmp::read(ctx, view, facts));
        }
    }
    Ok(())
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
    for _ in 0..4096 {
        ctx.tick()?;
        if at + 8 > view.len() {
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
                wanted = u32::from(flags & 8 != 0) + u32::from(flags & 4 != 0);
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
        // EXIF and XMP stand behind the picture; the flags say whether to look.
        if ctx.meta.image_width.is_some() && wanted == 0 {
            break;
        }
        at += 8 + len + len % 2;
    }
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

/// Bits of a JPEG XL codestream, least significant first.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, n: usize) -> Option<u32> {
        let mut value = 0;
        for i in 0..n {
            let bit = *self.bytes.get(self.at / 8)? >> (self.at % 8) & 1;
            value |= u32::from(bit) << i;
            self.at += 1;
        }
        Some(value)
    }

    /// One side of the picture: a selector, then 9, 13, 18 or 30 bits.
    fn side(&mut self) -> Option<u32> {
        let n = match self.take(2)? {
            0 => 9,
            1 => 13,
            2 => 18,
            _ => 30,
        };
        self.take(n).map(|v| v + 1)
    }
}

/// Size header, and the orientation of the metadata behind it.
fn jxl_codestream(ctx: &mut Ctx<'_>, bytes: &[u8]) -> Option<()> {
    let mut bits = Bits { bytes: bytes.strip_prefix(&[0xff, 0x0a])?, at: 0 };
    let small = bits.take(1)? == 1;
    let height = if small { (bits.take(5)? + 1) * 8 } else { bits.side()? };
    let scaled = |n: u64, d: u64| u32::try_from(u64::from(height) * n / d).ok();
    let width = match bits.take(3)? {
        0 if small => Some((bits.take(5)? + 1) * 8),
        0 => bits.side(),
        1 => Some(height),
        2 => scaled(12, 10),
        3 => scaled(4, 3),
        4 => scaled(3, 2),
        5 => scaled(16, 9),
        6 => scaled(5, 4),
        _ => scaled(2, 1),
    };
    size(ctx, width, Some(height));
    let all_default = bits.take(1)? == 1;
    if !all_default && bits.take(1)? == 1 {
        // What viewers apply; the EXIF tag must not be applied on top.
        ctx.meta.orientation = bits.take(3).map(|o| o + 1);
    }
    Some(())
}

pub(crate) fn jxl(ctx: &mut Ctx<'_>, facts: &mut Facts) -> Parse {
    const NONE: Stop = Stop::Malformed("codestream without a size");
    let src = ctx.src;
    if src.get(0, 2)? == [0xff, 0x0a] {
        return jxl_codestream(ctx, src.upto(0, 32)?).ok_or(NONE);
    }
    let mut boxes = Vec::new();
    let walked = bmff::walk(View::all(ctx.src), |b| {
        boxes.push(b);
        Ok(boxes.len() < 256)
    });
    for b in boxes {
        match &b.kind {
            b"jxlc" => jxl_codestream(ctx, b.body.upto(0, 32)?).ok_or(NONE)?,
            b"jxlp" if ctx.meta.image_width.is_none() => {
                // Parts are numbered in front.
                jxl_codestream(ctx, b.body.sub(4, u64::MAX).upto(0, 32)?).ok_or(NONE)?;
            }
            b"Exif" => ctx.part("exif", |ctx| {
                let skip = u64::from(be32(b.body.get(0, 4)?, 0).unwrap_or(0));
                exif::read(ctx, b.body.sub(4 + skip, u64::MAX), facts)
            }),
            b"xml " => ctx.part("xmp", |ctx| xmp::read(ctx, b.body, facts)),
            b"brob" => ctx.part("exif", |_| Err(Stop::Unsupported("metadata packed with Brotli"))),
            _ => {}
        }
    }
    match walked {
        Err(Stop::Missing) => walked,
        _ => Ok(()),
    }
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

/// SVG: size of the root element in user units, else that of its view box.
pub(crate) fn svg(ctx: &mut Ctx<'_>) -> Parse {
    let head = text::decode_bom(ctx.src.upto(0, 64 * 1024)?);
    let at = head.find("<svg").ok_or(Stop::Malformed("no svg element in the head"))?;
    let tag = head.get(at..).unwrap_or_default();
    let tag = tag.split('>').next().unwrap_or_default();
    let attribute = |name: &str| -> Option<&str> {
        let mut rest = tag;
        loop {
            let at = rest.find(name)?;
            let before = rest.get(..at)?.chars().next_back();
            rest = rest.get(at + name.len()..)?;
            let value = rest.trim_start().strip_prefix('=').map(str::trim_start);
            if let (Some(c), Some(value)) = (before, value)
                && c.is_whitespace()
            {
                let quote = value.chars().next().filter(|q| matches!(q, '"' | '\''))?;
                return value.get(1..)?.split(quote).next();
            }
        }
    };
    let length = |text: &str| -> Option<f64> {
        let text = text.trim();
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit = text.get(digits.len()..)?;
        let value: f64 = digits.trim().parse().ok()?;
        let scale = match unit {
            "" | "px" => 1.0,
            "pt" => 96.0 / 72.0,
            "pc" => 16.0,
            "in" => 96.0,
            "cm" => 96.0 / 2.54,
            "mm" => 96.0 / 25.4,
            _ => return None,
        };
        Some(value * scale).filter(|v| v.is_finite() && *v > 0.0 && *v < 1e9)
    };
    let view_box: Vec<f64> = attribute("viewBox")
        .map(|v| v.split([' ', ',', '\n', '\t']).filter_map(|n| n.parse().ok()).collect())
        .unwrap_or_default();
    let pick = |name: &str, i: usize| {
        attribute(name).and_then(length).or_else(|| view_box.get(i).copied().filter(|v| *v > 0.0 && *v < 1e9))
    };
    let (w, h) = (pick("width", 2), pick("height", 3));
    size(ctx, w.map(|w| w.round() as u32), h.map(|h| h.round() as u32));
    if let Some(at) = head.find("<title") {
        let inner = head.get(at..).and_then(|t| t.split_once('>')).and_then(|(_, t)| t.split('<').next());
        ctx.meta.title = inner.and_then(|t| text::clean(&text::unescape_xml(t), ctx.limits.max_text));
    }
    Ok(())
}
