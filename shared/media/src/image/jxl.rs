//! JPEG XL: size and turning of the codestream, EXIF and XMP in boxes, packed or not.

use std::io::Read as _;

use crate::bmff;
use crate::bytes::{View, be32};
use crate::ctx::Ctx;
use crate::image::dimensions::size;
use crate::image::{Facts, exif, xmp};
use crate::source::{Parse, Source, Stop};

/// Longest packed metadata read, and what it may unpack to.
const MAX_PACKED: u64 = 1024 * 1024;
const MAX_UNPACKED: u64 = 2 * 1024 * 1024;

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
    // What viewers apply, upright by default; the EXIF tag must not be applied on top.
    ctx.meta.orientation = Some(1);
    let all_default = bits.take(1)? == 1;
    if !all_default && bits.take(1)? == 1 {
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
            b"Exif" => ctx.part("exif", |ctx| exif_box(ctx, b.body, facts)),
            b"xml " => ctx.part("xmp", |ctx| xmp::read(ctx, b.body, facts)),
            b"brob" => ctx.part("compressed metadata", |ctx| packed_box(ctx, b.body, facts)),
            _ => {}
        }
    }
    match walked {
        Err(Stop::Missing) => walked,
        _ => Ok(()),
    }
}

fn exif_box(ctx: &mut Ctx<'_>, body: View<'_>, facts: &mut Facts) -> Parse {
    let skip = u64::from(be32(body.get(0, 4)?, 0).unwrap_or(0));
    exif::read(ctx, body.sub(4 + skip, u64::MAX), facts)
}

/// A box of the kind that its first four bytes name, packed with Brotli.
fn packed_box(ctx: &mut Ctx<'_>, body: View<'_>, facts: &mut Facts) -> Parse {
    ctx.tick()?;
    let kind = body.get(0, 4)?;
    if !matches!(kind, b"Exif" | b"xml ") {
        return Ok(());
    }
    let packed = body.upto(4, body.len().saturating_sub(4).min(MAX_PACKED))?;
    // The form with windows of up to a gigabyte, which no metadata needs.
    if packed.first().is_some_and(|b| b & 0x7f == 0x11) {
        return Err(Stop::Unsupported("a window larger than metadata needs"));
    }
    let most = MAX_UNPACKED.min(ctx.room() as u64);
    let mut bytes = Vec::new();
    let read = ctx.guarded("compressed metadata", |_| {
        brotli_decompressor::Decompressor::new(packed, 4096).take(most + 1).read_to_end(&mut bytes)
    });
    if bytes.len() as u64 > most {
        return Err(Stop::Limit("unpacks to more than is read of metadata"));
    }
    if !matches!(read, Some(Ok(_))) && bytes.is_empty() {
        return Err(Stop::Malformed("does not unpack"));
    }
    let mut copy = Source::new(bytes.len() as u64);
    copy.supply(0, bytes);
    let view = View::all(&copy);
    if kind == b"Exif" { exif_box(ctx, view, facts) } else { xmp::read(ctx, view, facts) }
}

/// Whether a bare codestream begins here: its size header is one that an encoder writes.
pub(crate) fn is_jxl_codestream(head: &[u8]) -> bool {
    let mut bits = Bits { bytes: head.get(2..).unwrap_or_default(), at: 0 };
    let sides = |bits: &mut Bits<'_>| {
        let small = bits.take(1)? == 1;
        let height = if small { (bits.take(5)? + 1) * 8 } else { bits.side()? };
        let width = match bits.take(3)? {
            0 if small => (bits.take(5)? + 1) * 8,
            0 => bits.side()?,
            _ => height,
        };
        Some((width, height))
    };
    // The standard's levels end at 2^18 a side of common pictures.
    sides(&mut bits).is_some_and(|(w, h)| w <= 1 << 18 && h <= 1 << 18)
}
