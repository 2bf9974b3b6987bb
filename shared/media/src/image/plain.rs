//! Pictures of which only the size is read, from fixed places: PCX, TGA, GIMP, DPX,
//! FLIF, PGF, QuickDraw, and the text headers of PNM's family, Radiance and FITS.

use crate::bytes::{be16, be32, le16, le32};
use crate::ctx::Ctx;
use crate::source::{Parse, Stop};

pub(crate) fn read(ctx: &mut Ctx<'_>) -> Parse {
    let head = ctx.src.upto(0, 1024)?;
    let side = match ctx.kind.format {
        "pcx" => pcx(head),
        "tga" => tga(head),
        "hdr" => radiance(head),
        "xcf" => be32(head, 14).zip(be32(head, 18)),
        "pgf" => le32(head, 8).zip(le32(head, 12)),
        "dpx" if head.starts_with(b"SDPX") => be32(head, 772).zip(be32(head, 776)),
        "dpx" => le32(head, 772).zip(le32(head, 776)),
        "pict" => pict(head),
        "fits" => fits(ctx.src.upto(0, 16 * 1024)?),
        "flif" => flif(head),
        _ => pnm(head).or_else(|| pnm(ctx.src.held_from(0))),
    };
    let (w, h) = side.filter(|(w, h)| *w > 0 && *h > 0).ok_or(Stop::Malformed("no size in the header"))?;
    (ctx.meta.image_width, ctx.meta.image_height) = (Some(w), Some(h));
    Ok(())
}

/// Fields at fixed places.
fn tga(b: &[u8]) -> Option<(u32, u32)> {
    Some((le16(b, 12)?.into(), le16(b, 14)?.into()))
}

/// Lines of text, an empty one, then both sides with the direction that each grows in.
fn radiance(b: &[u8]) -> Option<(u32, u32)> {
    let text = String::from_utf8_lossy(b);
    let line = text.lines().skip_while(|l| !l.trim().is_empty()).find(|l| !l.trim().is_empty())?;
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let after = |axis: char| {
        let at = words.iter().position(|w| w.ends_with(axis) && w.len() == 2)?;
        words.get(at + 1)?.parse().ok()
    };
    Some((after('X')?, after('Y')?))
}

/// First and last column and row.
fn pcx(b: &[u8]) -> Option<(u32, u32)> {
    let span = |from: usize, to: usize| Some(u32::from(le16(b, to)?.checked_sub(le16(b, from)?)?) + 1);
    Some((span(4, 8)?, span(6, 10)?))
}

/// The frame: top, left, bottom, right, in 72 parts an inch. The extended version also
/// tells how many pixels an inch has.
fn pict(b: &[u8]) -> Option<(u32, u32)> {
    let b = if is_pict(b) { b } else { b.get(512..)? };
    let extended = b.get(14..18) == Some(&[0x0c, 0, 0xff, 0xfe]);
    let side = |near: usize, far: usize, scale: usize| {
        let (near, far) = (be16(b, near)? as i16, be16(b, far)? as i16);
        let points = f64::from(far) - f64::from(near);
        // Numbers of 16 bits and as many behind the point.
        let per_inch =
            be32(b, scale).filter(|n| extended && *n > 0).map_or(72.0, |n| f64::from(n) / 65_536.0);
        Some((points * per_inch / 72.0).round() as u32)
    };
    Some((side(4, 8, 20)?, side(2, 6, 24)?))
}

/// QuickDraw: a length, the frame, and the version's mark; in files behind 512 bytes
/// that are the application's, which some leave out.
pub(crate) fn is_pict(b: &[u8]) -> bool {
    let ordered =
        |near: usize, far: usize| be16(b, near).zip(be16(b, far)).is_some_and(|(n, f)| (n as i16) < f as i16);
    matches!(b.get(10..14), Some([0, 0x11, 2, 0xff] | [0x11, 1, _, _])) && ordered(2, 6) && ordered(4, 8)
}

/// Cards of 80 letters up to `END`; the axes are named in them.
fn fits(b: &[u8]) -> Option<(u32, u32)> {
    let axis = |name: &str| {
        let card = b
            .chunks_exact(80)
            .take_while(|c| !c.starts_with(b"END "))
            .find(|c| c.strip_prefix(name.as_bytes()).is_some_and(|rest| rest.starts_with(b" ")))?;
        let value = String::from_utf8_lossy(card.get(10..)?).into_owned();
        value.split('/').next()?.trim().parse().ok()
    };
    Some((axis("NAXIS1")?, axis("NAXIS2")?))
}

/// Numbers of seven bits a byte, less one.
fn flif(b: &[u8]) -> Option<(u32, u32)> {
    let mut rest = b.get(6..)?;
    let mut number = || {
        let mut value = 0u32;
        for _ in 0..4 {
            let (byte, tail) = rest.split_first()?;
            rest = tail;
            value = value << 7 | u32::from(byte & 0x7f);
            if byte & 0x80 == 0 {
                return value.checked_add(1);
            }
        }
        None
    };
    Some((number()?, number()?))
}

/// Numbers in text, with comments up to the end of a line; PAM has a word for each.
fn pnm(b: &[u8]) -> Option<(u32, u32)> {
    let text = String::from_utf8_lossy(b);
    let words: Vec<&str> = text
        .lines()
        .flat_map(|l| l.split('#').next().unwrap_or_default().split_ascii_whitespace())
        .take(16)
        .collect();
    let after = |name: &str| {
        let at = words.iter().position(|w| *w == name)?;
        words.get(at + 1)?.parse().ok()
    };
    if b.starts_with(b"P7") {
        return Some((after("WIDTH")?, after("HEIGHT")?));
    }
    Some((words.get(1)?.parse().ok()?, words.get(2)?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_in_headers() {
        assert_eq!(pcx(&[10, 5, 1, 8, 0, 0, 0, 0, 63, 0, 31, 0]), Some((64, 32)));
        assert_eq!(pcx(&[10, 5, 1, 8, 9, 0, 0, 0, 3, 0, 31, 0]), None);
        let frame = [&[0; 2][..], &[0, 2, 0, 1, 0, 48, 0, 71], &[0x11, 1, 0, 0]].concat();
        assert_eq!(pict(&frame), Some((70, 46)));
        assert_eq!(pict(&[&[0; 512][..], &frame].concat()), Some((70, 46)));
        let version = [&[0, 0x11, 2, 0xff, 0x0c, 0, 0xff, 0xfe][..], &[0, 0, 0, 144, 0, 0, 0, 72, 0, 0]];
        let extended = [&frame[..10], &version.concat()].concat();
        assert_eq!(pict(&extended), Some((140, 46)));
        let comment = format!("P5\n#{}\n24 7\n15\n", "x".repeat(2000));
        assert_eq!(pnm(comment.as_bytes()), Some((24, 7)));
        let cards = ["SIMPLE  = T", "NAXIS   = 2", "NAXIS1  =   70 / across", "NAXIS2  = 46", "END"];
        let cards: String = cards.iter().map(|c| format!("{c:80}")).collect();
        assert_eq!(fits(cards.as_bytes()), Some((70, 46)));
        assert_eq!(radiance(b"#?RGBE\nFORMAT=x\n\n-Y 2 +X 4\n"), Some((4, 2)));
        assert_eq!(pnm(b"P2\r\n4 2\r\n15\r\n"), Some((4, 2)));
        assert_eq!(flif(b"FLIF31\x81\x00\x0f"), Some((129, 16)));
        assert_eq!(pnm(b"P6\n# by hand\n640 480\n255\n"), Some((640, 480)));
        assert_eq!(pnm(b"P7\nWIDTH 3\nHEIGHT 2\nDEPTH 1\nENDHDR\n"), Some((3, 2)));
        assert_eq!(pnm(b"P5 x"), None);
    }
}
