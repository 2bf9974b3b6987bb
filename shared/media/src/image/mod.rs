//! Still images: one reader a container, one walker for EXIF, XMP, IPTC.

mod animation;
pub(crate) mod dimensions;
pub(crate) mod exif;
mod exr;
mod facts;
mod heif;
mod iptc;
pub(crate) mod jpeg;
mod jxl;
mod mini;
mod plain;
mod png;
mod raw;
mod svg;
mod tiff;
pub(crate) mod xmp;

pub(crate) use facts::{Facts, best_date, is_default_caption, lat_long_text};
pub(crate) use jxl::is_jxl_codestream;
pub(crate) use plain::is_pict;
pub(crate) use svg::svg_root;

use crate::bytes::View;
use crate::ctx::Ctx;
use crate::detect::Family;
use crate::extra::motion;
use crate::source::Parse;

/// Reads an image of a known family.
pub(crate) fn read(ctx: &mut Ctx<'_>, family: Family) -> Parse {
    let mut facts = Facts::default();
    let mut samsung = false;
    let read = match family {
        Family::Jpeg => {
            let read = jpeg::read(ctx, View::all(ctx.src), &mut facts);
            samsung = facts.exif.get("Make").is_some_and(|make| make.to_lowercase().starts_with("samsung"));
            read
        }
        Family::Png => png::read(ctx, &mut facts),
        Family::Gif => dimensions::gif(ctx, &mut facts),
        Family::Webp => dimensions::webp(ctx, &mut facts),
        Family::Bmp => dimensions::bmp(ctx),
        Family::Ico => dimensions::ico(ctx),
        Family::Psd => dimensions::psd(ctx, &mut facts),
        Family::Tiff => tiff::read(ctx, &mut facts),
        Family::Rw2 => tiff::read_rw2(ctx, &mut facts),
        Family::Raf => tiff::read_raf(ctx, &mut facts),
        Family::Cr3 => raw::cr3(ctx, &mut facts),
        Family::Mrw => raw::mrw(ctx, &mut facts),
        Family::Crw => raw::crw(ctx, &mut facts),
        Family::X3f => raw::x3f(ctx, &mut facts),
        Family::PlainImage => plain::read(ctx),
        Family::Heif => heif::read(ctx, &mut facts),
        Family::Jp2 => dimensions::jp2(ctx, &mut facts),
        Family::J2k => dimensions::jp2_codestream(ctx, View::all(ctx.src)),
        Family::Jxl => jxl::jxl(ctx, &mut facts),
        Family::Exr => exr::read(ctx, &mut facts),
        Family::Svg => svg::read(ctx),
        _ => dimensions::by_imagesize(ctx),
    };
    facts.write(ctx);
    // Older phones tell of the film in a trailer of their own alone.
    if samsung && ctx.meta.extra.motion_photo_offset.is_none() {
        return read.and(motion::samsung(ctx));
    }
    read
}
