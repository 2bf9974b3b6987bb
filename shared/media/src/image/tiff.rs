//! TIFF and the raw formats built on it: dimensions of the full picture, EXIF.

use ::exif::Context;

use crate::bytes::{View, be16, be32};
use crate::ctx::Ctx;
use crate::image::exif::{self, Entry, Tiff};
use crate::image::{Facts, iptc, jpeg, xmp};
use crate::source::{Parse, Stop};

/// Reads a TIFF-like file. Only the first directory and its sub-directories
/// count: later ones are further pages or thumbnails.
pub(crate) fn read(ctx: &mut Ctx<'_>, facts: &mut Facts) -> Parse {
    let (tiff, first) = Tiff::open(View::all(ctx.src))?;
    let (entries, _) = tiff.directory(first)?;
    let mut done = Ok(());
    let main = size_of(tiff, &entries)?;
    let mut best = main;
    for e in entries.iter().filter(|e| e.tag == 0x014a) {
        for at in tiff.offsets(e, 8)? {
            let sub = tiff.directory(at).and_then(|(entries, _)| size_of(tiff, &entries));
            match sub {
                // The first directory of a raw file is often a preview of the full
                // picture, which a sub-directory then describes.
                Ok(size) if size.full && (!best.full || size.area() > best.area()) => best = size,
                Ok(_) => {}
                Err(stop) => done = Err(stop),
            }
        }
    }
    ctx.meta.image_width = best.width;
    ctx.meta.image_height = best.height;
    for e in &entries {
        match e.tag {
            0x02bc => ctx.part("xmp", |ctx| xmp::read(ctx, tiff.part(e), facts)),
            0x83bb => ctx.part("iptc", |ctx| iptc::read(ctx, tiff.part(e), facts)),
            _ => {}
        }
    }
    exif::read_directory(ctx, tiff, &entries, Context::Tiff, facts)?;
    match done {
        // Damage outside the first directory costs nothing that was found.
        Err(Stop::Missing) => done,
        _ => Ok(()),
    }
}

#[derive(Clone, Copy)]
pub(super) struct Size {
    pub(super) width: Option<u32>,
    pub(super) height: Option<u32>,
    full: bool,
}

impl Size {
    fn area(self) -> u64 {
        u64::from(self.width.unwrap_or(0)) * u64::from(self.height.unwrap_or(0))
    }
}

pub(super) fn size_of(tiff: Tiff<'_>, entries: &[Entry]) -> Parse<Size> {
    let get = |tag: u16| match entries.iter().find(|e| e.tag == tag) {
        Some(e) => tiff.integer(e),
        None => Ok(None),
    };
    let full = get(0x00fe)?.is_none_or(|kind| kind & 1 == 0);
    Ok(Size { width: get(0x0100)?, height: get(0x0101)?, full })
}

/// Panasonic RW2: a TIFF with another mark; the sensor's borders give the size.
pub(crate) fn read_rw2(ctx: &mut Ctx<'_>, facts: &mut Facts) -> Parse {
    let (tiff, first) = Tiff::open(View::all(ctx.src))?;
    let (entries, _) = tiff.directory(first)?;
    let get = |tag: u16| entries.iter().find(|e| e.tag == tag).and_then(|e| tiff.integer(e).ok().flatten());
    if let (Some(top), Some(left), Some(bottom), Some(right)) = (get(4), get(5), get(6), get(7)) {
        ctx.meta.image_width = right.checked_sub(left);
        ctx.meta.image_height = bottom.checked_sub(top);
    }
    exif::read_directory(ctx, tiff, &entries, Context::Tiff, facts)
}

/// Fujifilm RAF: a JPEG inside carries the EXIF, a directory the sensor's size.
pub(crate) fn read_raf(ctx: &mut Ctx<'_>, facts: &mut Facts) -> Parse {
    let view = View::all(ctx.src);
    let head = view.get(84, 16)?;
    let (at, len) = (be32(head, 0).unwrap_or(0), be32(head, 4).unwrap_or(0));
    let (dir, dir_len) = (be32(head, 8).unwrap_or(0), be32(head, 12).unwrap_or(0));
    ctx.part("preview", |ctx| jpeg::read(ctx, view.sub(u64::from(at), u64::from(len)), facts));
    let dir = view.sub(u64::from(dir), u64::from(dir_len));
    let count = be32(dir.get(0, 4)?, 0).unwrap_or(0).min(256);
    let mut at = 4;
    for _ in 0..count {
        let b = dir.get(at, 4)?;
        let (tag, len) = (be16(b, 0), u64::from(be16(b, 2).unwrap_or(0)));
        if tag == Some(0x0100) && len >= 4 {
            let b = dir.get(at + 4, 4)?;
            ctx.meta.image_height = be16(b, 0).map(u32::from);
            ctx.meta.image_width = be16(b, 2).map(u32::from);
        }
        at += 4 + len;
    }
    Ok(())
}
