//! JPEG: segments up to the scan.

use crate::HEAD_BYTES;
use crate::bytes::{View, be16, be32};
use crate::ctx::Ctx;
use crate::extra::{icc, motion};
use crate::image::{Facts, exif, iptc, xmp};
use crate::source::{Parse, Stop};
use crate::text;
use crate::time::Stamp;

const XMP: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";
const EXTENDED_XMP: &[u8] = b"http://ns.adobe.com/xmp/extension/\0";
/// Longest piece read of what lies in front of the picture.
const MAX_PIECE: u64 = 8 * 1024 * 1024;
/// Longest extended packet put together.
const MAX_EXTENDED: usize = 1024 * 1024;
/// Longest run of image resources.
const MAX_RESOURCES: usize = 1024 * 1024;
const PHOTOSHOP: &[u8] = b"Photoshop 3.0\0";

/// Reads a JPEG that fills `view`.
pub(crate) fn read(ctx: &mut Ctx<'_>, view: View<'_>, facts: &mut Facts) -> Parse {
    // Exiv2's files of metadata alone have a mark of their own, and no picture.
    let bare = view.get(0, 2)? == [0xff, 0x01];
    let mut at = if bare { 7 } else { 2 };
    let (mut have_exif, mut have_xmp) = (false, false);
    let mut resources: Vec<u8> = Vec::new();
    let mut extended = Extended::default();
    for _ in 0..2048 {
        ctx.tick()?;
        // Profiles and previews may take many segments of 64 KiB: each read behind the
        // first is as long as all that lies in front of it.
        if at >= HEAD_BYTES && ctx.src.peek(view.start + at, 4.min(view.len().saturating_sub(at))).is_none() {
            view.upto(at, at.clamp(HEAD_BYTES, MAX_PIECE))?;
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
                    let packet = body.sub(XMP.len() as u64, u64::MAX);
                    ctx.part("xmp", |ctx| xmp::read(ctx, packet, facts));
                    extended.wanted = packet.upto(0, packet.len()).ok().and_then(xmp::extension_id);
                } else if lead.starts_with(EXTENDED_XMP) {
                    // A part of what did not fit: an identifier, the whole length, its place.
                    let b = body.upto(EXTENDED_XMP.len() as u64, body.len())?;
                    if let (Some(id), Some(place), Some(part)) = (b.get(..32), be32(b, 36), b.get(40..)) {
                        extended.add(id, place as usize, part);
                    }
                } else if lead.starts_with(b"QVCI\0") {
                    // Casio's own, of its cameras before EXIF.
                    if let Ok(date) = body.upto(0x4d, 20) {
                        facts.other_dates.extend(Stamp::parse(&text::decode(text::until_nul(date))));
                    }
                }
            }
            0xe2 => {
                // What is held of a profile tells its name: it is worth no read.
                let start = body.start.min(view.end);
                let held = ctx.src.held_from(start);
                let part = held.get(..held.len().min(len as usize - 2)).unwrap_or_default();
                if let Some((_, part)) = icc::jpeg_part(part)
                    && facts.profile.len() < icc::MAX_PROFILE
                {
                    facts.profile.extend_from_slice(part);
                } else if motion::gain_map_segment(part) {
                    facts.more.has_gain_map("iso21496");
                }
            }
            0xed => {
                let b = body.upto(0, body.len())?;
                // Long resources go on in the next segment.
                match b.strip_prefix(PHOTOSHOP) {
                    Some(part) if resources.len() < MAX_RESOURCES => resources.extend_from_slice(part),
                    Some(_) => ctx.stopped("image resources", Stop::Limit("longer than is read of them")),
                    None => {}
                }
            }
            _ => {}
        }
        at += 2 + len;
    }
    extended.read(ctx, facts);
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

/// An XMP packet in parts.
#[derive(Default)]
struct Extended {
    /// The identifier that the main packet names.
    wanted: Option<String>,
    parts: Vec<(Vec<u8>, usize, Vec<u8>)>,
    len: usize,
    cut: bool,
}

impl Extended {
    fn add(&mut self, id: &[u8], place: usize, part: &[u8]) {
        if self.len + part.len() > MAX_EXTENDED {
            self.cut = true;
            return;
        }
        self.len += part.len();
        self.parts.push((id.to_vec(), place, part.to_vec()));
    }

    fn read(mut self, ctx: &mut Ctx<'_>, facts: &mut Facts) {
        let Some(wanted) = self.wanted.take() else { return };
        self.parts.retain(|(id, ..)| id.eq_ignore_ascii_case(wanted.as_bytes()));
        self.parts.sort_by_key(|(_, place, _)| *place);
        let bytes: Vec<u8> = self.parts.into_iter().flat_map(|(_, _, part)| part).collect();
        if self.cut {
            ctx.stopped("extended xmp", Stop::Limit("longer than is read of it"));
        }
        let mut copy = crate::source::Source::new(bytes.len() as u64);
        copy.supply(0, bytes);
        if copy.size() > 0 {
            ctx.part("extended xmp", |ctx| xmp::read(ctx, View::all(&copy), facts));
        }
    }
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
