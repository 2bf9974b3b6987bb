//! OpenEXR: named attributes of the first part.

use crate::bytes::le32;
use crate::ctx::Ctx;
use crate::image::Facts;
use crate::source::{Parse, Stop};
use crate::text;
use crate::time::Stamp;

/// Headers are mostly short; long ones hold previews and histories.
const MAX_HEADER: u64 = 1024 * 1024;

pub(crate) fn read(ctx: &mut Ctx<'_>, facts: &mut Facts) -> Parse {
    let mut at = 8u64;
    for _ in 0..512 {
        ctx.tick()?;
        // A name and a type of at most 255 letters, each with a NUL, and a length.
        let head = ctx.src.upto(at, 516)?;
        let mut words = head.split(|b| *b == 0);
        let (name, kind) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        // An empty name ends the header.
        if name.is_empty() {
            break;
        }
        let lead = name.len() + kind.len() + 2;
        let len = u64::from(le32(head, lead).ok_or(Stop::Malformed("attribute is cut"))?);
        let value_at = at + lead as u64 + 4;
        at = value_at + len;
        if at > MAX_HEADER {
            return Err(Stop::Limit("header over 1 MiB"));
        }
        let value = || ctx.src.upto(value_at, len.min(4096));
        match (name, kind) {
            (b"dataWindow", b"box2i") => {
                let b = value()?;
                let side = |near: usize, far: usize| {
                    let (near, far) = (le32(b, near)? as i32, le32(b, far)? as i32);
                    u32::try_from(i64::from(far) - i64::from(near) + 1).ok().filter(|n| *n > 0)
                };
                (ctx.meta.image_width, ctx.meta.image_height) = (side(0, 8), side(4, 12));
            }
            (b"capDate", b"string") => facts.other_dates.extend(Stamp::parse(&text::decode(value()?))),
            (b"Orientation", b"int") => facts.orientation = le32(value()?, 0).filter(|o| (1..=8).contains(o)),
            (b"Make" | b"Model", b"string") => {
                let text = text::clean(&text::decode(value()?), ctx.limits.max_exif_value);
                let name = text::decode(name);
                facts.exif.extend(text.map(|t| (name, t)));
            }
            _ => {}
        }
    }
    let size = ctx.meta.image_width.zip(ctx.meta.image_height);
    size.map(|_| ()).ok_or(Stop::Malformed("no data window"))
}
