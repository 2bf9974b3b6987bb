//! The minimised header of HEIF and AVIF (brand `mif3`): one `mini` box of bit fields in the
//! place of `meta`.

use crate::bytes::{View, be32};
use crate::codec::BitReader;
use crate::ctx::Ctx;
use crate::image::{Facts, exif, xmp};
use crate::source::{Parse, Stop};

/// Longest box taken into memory in one read: its fields stand in front.
const HEAD: u64 = 64;

/// What the fields say.
#[derive(Debug, Default, PartialEq, Eq)]
struct Header {
    width: u32,
    height: u32,
    orientation: u32,
    /// Lengths of EXIF and XMP, which end the box in this order; none where fields of HDR
    /// stand in front of them.
    exif: u64,
    xmp: u64,
    unread: bool,
}

/// Reads the picture of a `mini` box.
pub(super) fn read(ctx: &mut Ctx<'_>, view: View<'_>, facts: &mut Facts) -> Parse {
    let header = header(view.upto(0, HEAD)?).ok_or(Stop::Malformed("mini box is cut"))?;
    ctx.meta.image_width = Some(header.width);
    ctx.meta.image_height = Some(header.height);
    // As with `irot` and `imir`, this is what viewers apply.
    ctx.meta.orientation = Some(header.orientation);
    if header.unread {
        return Err(Stop::Unsupported("EXIF and XMP of a minimised header with HDR"));
    }
    let len = view.len();
    if header.exif > 0 {
        let at = len.checked_sub(header.exif.saturating_add(header.xmp));
        let at = at.ok_or(Stop::Malformed("mini box is cut"))?;
        let item = view.sub(at, header.exif);
        ctx.part("exif", |ctx| {
            // Some writers put the four bytes of an EXIF item in front.
            let tiff = match be32(item.get(0, 4)?, 0) {
                Some(skip) if skip < 16 => item.sub(4 + u64::from(skip), u64::MAX),
                _ => item,
            };
            exif::read(ctx, tiff, facts)
        });
    }
    if header.xmp > 0 {
        let at = len.checked_sub(header.xmp).ok_or(Stop::Malformed("mini box is cut"))?;
        ctx.part("xmp", |ctx| xmp::read(ctx, view.sub(at, header.xmp), facts));
    }
    Ok(())
}

/// The bit fields in front.
fn header(b: &[u8]) -> Option<Header> {
    let mut r = BitReader::new(b);
    let version = r.bits(2)?;
    let mut flag = || Some(r.bits(1)? == 1);
    let (codecs, float, _full, alpha) = (flag()?, flag()?, flag()?, flag()?);
    let (cicp, hdr, icc, has_exif, has_xmp) = (flag()?, flag()?, flag()?, flag()?, flag()?);
    if version != 0 {
        return None;
    }
    let chroma = r.bits(2)?;
    let orientation = r.bits(3)? + 1;
    let sides = if r.bits(1)? == 1 { 7 } else { 15 };
    let (width, height) = (r.bits(sides)? + 1, r.bits(sides)? + 1);
    let mut found = Header { width, height, orientation, ..Header::default() };
    if hdr && (has_exif || has_xmp) {
        found.unread = true;
        return Some(found);
    }
    if hdr || !(has_exif || has_xmp) {
        return Some(found);
    }
    // Where the samples of color lie.
    r.bits(match chroma {
        1 => 2,
        2 => 1,
        _ => 0,
    })?;
    if float {
        r.bits(2)?;
    } else if r.bits(1)? == 1 {
        r.bits(3)?;
    }
    if alpha {
        r.bits(1)?;
    }
    if cicp {
        r.bits(if chroma == 0 { 16 } else { 24 })?;
    }
    if codecs {
        r.bits(32)?;
        r.bits(32)?;
    }
    let metadata = if r.bits(1)? == 1 { 10 } else { 20 };
    let config = if r.bits(1)? == 1 { 3 } else { 12 };
    let data = if r.bits(1)? == 1 { 15 } else { 28 };
    if icc {
        r.bits(metadata)?;
    }
    r.bits(config)?;
    r.bits(data)?;
    if alpha && r.bits(data)? > 0 {
        r.bits(config)?;
    }
    if has_exif {
        found.exif = u64::from(r.bits(metadata)?) + 1;
    }
    if has_xmp {
        found.xmp = u64::from(r.bits(metadata)?) + 1;
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fields of a value and a number of bits, one behind the other.
    fn packed(fields: &[(u32, u32)]) -> Vec<u8> {
        let bits: Vec<u8> =
            fields.iter().flat_map(|(v, n)| (0..*n).rev().map(move |i| (v >> i & 1) as u8)).collect();
        bits.chunks(8).map(|c| c.iter().enumerate().fold(0, |n, (i, b)| n | b << (7 - i))).collect()
    }

    #[test]
    fn fields_in_front() {
        // Version, nine flags, chroma, orientation, the sides.
        let lead = |flags: u32, w: u32, h: u32| {
            vec![(0, 2), (flags, 9), (1, 2), (5, 3), (0, 1), (w - 1, 15), (h - 1, 15)]
        };
        let plain = Header { width: 4000, height: 3000, orientation: 6, ..Header::default() };
        assert_eq!(header(&packed(&lead(0, 4000, 3000))), Some(plain));
        // EXIF and XMP: chroma's place, depth, three kinds of lengths, lengths.
        let mut fields = lead(0b11, 300, 200);
        fields.extend([(0, 2), (0, 1), (1, 1), (1, 1), (0, 1), (4, 3), (5000, 28), (99, 10), (499, 10)]);
        let found = header(&packed(&fields)).unwrap();
        assert_eq!((found.width, found.exif, found.xmp, found.unread), (300, 100, 500, false));
        // An alpha plane of its own, codecs, color named.
        let mut fields = lead(0b100_110_011, 300, 200);
        fields.extend([(0, 2), (0, 1), (0, 1), (1, 8), (13, 8), (6, 8), (0, 32), (0, 32), (0, 1), (0, 1)]);
        fields.extend([(1, 1), (4, 12), (700, 15), (60, 15), (4, 12), (99, 20), (499, 20)]);
        let found = header(&packed(&fields)).unwrap();
        assert_eq!((found.exif, found.xmp), (100, 500));
        // HDR.
        assert!(header(&packed(&lead(0b1011, 300, 200))).unwrap().unread);
        assert_eq!(header(&[0; 3]), None);
    }
}
