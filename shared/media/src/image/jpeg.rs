//! JPEG: segments up to the scan.

use crate::bytes::{View, be16};
use crate::ctx::Ctx;
use crate::image::{Facts, exif, iptc, xmp};
use crate::source::{Parse, Stop};
use crate::text;
use crate::time::Stamp;
use crate::{HEAD_BYTES, WHOLE_BYTES};

const XMP: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";
const PHOTOSHOP: &[u8] = b"Photoshop 3.0\0";

/// Reads a JPEG that fills `view`.
pub(crate) fn read(ctx: &mut Ctx<'_>, view: View<'_>, facts: &mut Facts) -> Parse {
    // Exiv2's files of metadata alone have a mark of their own, and no picture.
    let bare = view.get(0, 2)? == [0xff, 0x01];
    let mut at = if bare { 7 } else { 2 };
    let (mut have_exif, mut have_xmp) = (false, false);
    let mut resources: Vec<u8> = Vec::new();
    for _ in 0..2048 {
        ctx.tick()?;
        // Profiles and previews may take many segments of 64 KiB: each read behind the
        // first is as long as all that lies in front of it.
        if at >= HEAD_BYTES && ctx.src.peek(view.start + at, 4.min(view.len().saturating_sub(at))).is_none() {
            view.upto(at, at.clamp(HEAD_BYTES, WHOLE_BYTES))?;
        }
        let head = view.upto(at, 4)?;
        let (mark, code) = match *head {
            // Fill bytes may precede a marker.
            [0xff, 0xff, ..] => {
                at += 1;
                continue;
            }
            [0xff, code, _, _] => (be16(head, 2).unwrap_or(0), code),
            [0xff, 0xd9] => break,
            _ if head.len() < 4 => return end(ctx, "segments end before the picture"),
            // A wrong length field: go on at the next marker, as decoders do.
            _ => match resync(view.upto(at, 64 * 1024)?) {
                Some(skip) => {
                    at += skip;
                    continue;
                }
                None => return end(ctx, "segment without a marker"),
            },
        };
        match code {
            // Standalone markers.
            0x01 | 0xd0..=0xd8 => {
                at += 2;
                continue;
            }
            0xda | 0xd9 => break,
            _ => {}
        }
        let len = u64::from(mark);
        if len < 2 {
            return end(ctx, "segment shorter than its length field");
        }
        let body = view.sub(at + 4, len - 2);
        match code {
            0xc0..=0xcf if !matches!(code, 0xc4 | 0xc8 | 0xcc) => {
                let b = body.get(0, 5)?;
                ctx.meta.image_height = be16(b, 1).map(u32::from).filter(|h| *h > 0);
                ctx.meta.image_width = be16(b, 3).map(u32::from).filter(|w| *w > 0);
            }
            0xe1 => {
                // One read for the segment, and for what its parts point to.
                let lead = body.upto(0, 40)?;
                if lead.starts_with(b"Exif\0") && !have_exif {
                    have_exif = true;
                    ctx.part("exif", |ctx| exif::read(ctx, body.sub(6, u64::MAX), facts));
                } else if lead.starts_with(XMP) && !have_xmp {
                    have_xmp = true;
                    ctx.part("xmp", |ctx| xmp::read(ctx, body.sub(XMP.len() as u64, u64::MAX), facts));
                } else if lead.starts_with(b"QVCI\0") {
                    // Casio's own, of its cameras before EXIF.
                    let date = text::decode(text::until_nul(body.upto(0x4d, 20)?));
                    facts.other_dates.extend(Stamp::parse(&date));
                }
            }
            0xed => {
                let b = body.upto(0, body.len())?;
                // Long resources go on in the next segment.
                if let Some(part) = b.strip_prefix(PHOTOSHOP)
                    && resources.len() < 1 << 20
                {
                    resources.extend_from_slice(part);
                }
            }
            _ => {}
        }
        at += 2 + len;
    }
    if !resources.is_empty() {
        let mut copy = crate::source::Source::new(resources.len() as u64);
        copy.supply(0, resources);
        ctx.part("iptc", |ctx| iptc::read_resources(ctx, View::all(&copy), facts));
    }
    if ctx.meta.image_width.is_none() && !bare && !ctx.src.lacks() {
        return Err(Stop::Malformed("no frame header before the scan"));
    }
    Ok(())
}

/// Distance to the next marker that a header may hold.
fn resync(bytes: &[u8]) -> Option<u64> {
    let at = bytes
        .windows(2)
        .skip(1)
        .position(|w| matches!(w, [0xff, 0xc0..=0xcf | 0xda..=0xdd | 0xe0..=0xef | 0xfe]));
    at.map(|at| at as u64 + 1)
}

/// A damaged tail matters only where the frame header was not seen yet.
fn end(ctx: &Ctx<'_>, why: &'static str) -> Parse {
    if ctx.meta.image_width.is_some() { Ok(()) } else { Err(Stop::Malformed(why)) }
}
