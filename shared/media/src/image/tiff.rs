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
    let mut raw = is_raw(tiff, &entries);
    for e in entries.iter().filter(|e| e.tag == 0x014a) {
        for at in tiff.offsets(e, 8)? {
            let sub = tiff.directory(at).and_then(|(entries, _)| {
                raw |= is_raw(tiff, &entries);
                size_of(tiff, &entries)
            });
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
            0x8649 => ctx.part("image resources", |ctx| iptc::read_resources(ctx, tiff.part(e), facts)),
            _ => {}
        }
    }
    facts.directories.clear();
    let read = exif::read_directory(ctx, tiff, &entries, Context::Tiff, facts);
    name_raw(ctx, &entries, raw, facts);
    // The first directory of a CR2 is a preview; EXIF has the picture's own size.
    let side = |name: &str| facts.exif.get(name).and_then(|v| v.parse::<u32>().ok()).filter(|n| *n > 0);
    if ctx.kind.format == "cr2"
        && let (Some(w), Some(h)) = (side("PixelXDimension"), side("PixelYDimension"))
    {
        (ctx.meta.image_width, ctx.meta.image_height) = (Some(w), Some(h));
    }
    read?;
    match done {
        // Damage outside the first directory costs nothing that was found.
        Err(Stop::Missing) => done,
        _ => Ok(()),
    }
}

/// Whether a directory holds what a sensor saw: a mosaic of colours, or a packing that
/// only cameras write.
fn is_raw(tiff: Tiff<'_>, entries: &[Entry]) -> bool {
    let get = |tag: u16| entries.iter().find(|e| e.tag == tag).and_then(|e| tiff.integer(e).ok().flatten());
    matches!(get(0x0106), Some(32_803 | 34_892))
        || matches!(get(0x0103), Some(32_767 | 32_770 | 34_713 | 65_000 | 65_535))
}

/// Names the format of a raw file, which its maker and a mark of its own tell.
fn name_raw(ctx: &mut Ctx<'_>, entries: &[Entry], raw: bool, facts: &Facts) {
    const MAKERS: &[(&str, &str, &str, &str)] = &[
        ("nikon", "nef", "nef", "image/x-nikon-nef"),
        ("nikon", "nrw", "nrw", "image/x-nikon-nrw"),
        ("sony", "arw", "arw", "image/x-sony-arw"),
        ("sony", "sr2", "sr2", "image/x-sony-sr2"),
        ("sony", "srf", "srf", "image/x-sony-srf"),
        ("pentax", "pef", "pef", "image/x-pentax-pef"),
        ("ricoh", "pef", "pef", "image/x-pentax-pef"),
        ("samsung", "srw", "srw", "image/x-samsung-srw"),
        ("epson", "erf", "erf", "image/x-epson-erf"),
        ("seiko", "erf", "erf", "image/x-epson-erf"),
        ("hasselblad", "3fr", "3fr", "image/x-hasselblad-3fr"),
        ("hasselblad", "fff", "fff", "image/x-hasselblad-fff"),
        ("phase one", "iiq", "iiq", "image/x-phaseone-iiq"),
        ("leaf", "mos", "mos", "image/x-leaf-mos"),
        ("mamiya", "mef", "mef", "image/x-mamiya-mef"),
        ("kodak", "dcr", "dcr", "image/x-kodak-dcr"),
        ("eastman", "dcr", "dcr", "image/x-kodak-dcr"),
        ("kodak", "kdc", "kdc", "image/x-kodak-kdc"),
        ("eastman", "kdc", "kdc", "image/x-kodak-kdc"),
        ("leica", "rwl", "rwl", "image/x-panasonic-rw2"),
    ];
    if ctx.kind.format != "tiff" {
        return;
    }
    if entries.iter().any(|e| e.tag == 0xc612) {
        ctx.refine("dng", "image/x-adobe-dng");
        return;
    }
    let make = facts.exif.get("Make").map(|m| m.to_lowercase()).unwrap_or_default();
    let extension = ctx.name.rsplit_once('.').map(|(_, e)| e.to_ascii_lowercase()).unwrap_or_default();
    let mine = || MAKERS.iter().filter(|(maker, ..)| make.starts_with(maker));
    // A maker has several, which the name tells apart; without one the first is meant.
    let named = mine().find(|(_, end, ..)| *end == extension);
    if let Some((_, _, format, mime)) = named.or_else(|| mine().next().filter(|_| raw)) {
        ctx.refine(format, mime);
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
    // JPEG XR has tags of its own.
    let (width, height) = (get(0x0100)?.or(get(0xbc80)?), get(0x0101)?.or(get(0xbc81)?));
    Ok(Size { width, height, full })
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
    let read = exif::read_directory(ctx, tiff, &entries, Context::Tiff, facts);
    // Its own tag, where EXIF has none.
    if let Some(iso) = get(0x17).filter(|iso| *iso > 0) {
        facts.exif.entry("ISOSpeedRatings".to_owned()).or_insert_with(|| iso.to_string());
    }
    read
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
