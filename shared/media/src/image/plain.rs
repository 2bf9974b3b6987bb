//! Pictures of which only the size is read, from fixed places: PCX, GIMP, DPX,
//! FLIF, PGF, and the PNM family's text header.

use crate::bytes::{be32, le16, le32};
use crate::ctx::Ctx;
use crate::source::{Parse, Stop};

pub(crate) fn read(ctx: &mut Ctx<'_>) -> Parse {
    let head = ctx.src.upto(0, 1024)?;
    let side = match ctx.kind.format {
        "pcx" => pcx(head),
        "xcf" => be32(head, 14).zip(be32(head, 18)),
        "pgf" => le32(head, 8).zip(le32(head, 12)),
        "dpx" if head.starts_with(b"SDPX") => be32(head, 772).zip(be32(head, 776)),
        "dpx" => le32(head, 772).zip(le32(head, 776)),
        "flif" => flif(head),
        _ => pnm(head),
    };
    let (w, h) = side.filter(|(w, h)| *w > 0 && *h > 0).ok_or(Stop::Malformed("no size in the header"))?;
    (ctx.meta.image_width, ctx.meta.image_height) = (Some(w), Some(h));
    Ok(())
}

/// First and last column and row.
fn pcx(b: &[u8]) -> Option<(u32, u32)> {
    let span = |from: usize, to: usize| Some(u32::from(le16(b, to)?.checked_sub(le16(b, from)?)?) + 1);
    Some((span(4, 8)?, span(6, 10)?))
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
        assert_eq!(flif(b"FLIF31\x81\x00\x0f"), Some((129, 16)));
        assert_eq!(pnm(b"P6\n# by hand\n640 480\n255\n"), Some((640, 480)));
        assert_eq!(pnm(b"P7\nWIDTH 3\nHEIGHT 2\nDEPTH 1\nENDHDR\n"), Some((3, 2)));
        assert_eq!(pnm(b"P5 x"), None);
    }
}
