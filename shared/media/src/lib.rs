//! Bytes in, metadata out.
//!
//! The crate reads no file and opens no socket: the caller owns all input.
//! [`Extraction`] says which byte ranges it needs, the caller fetches them (a
//! ranged GET, a `pread`, a fuzzer's slice) and hands them over, until a
//! [`Record`] is done. One code path serves S3, local files and fuzzing.
//!
//! ```
//! use mediadex_media::{Extraction, Features, HEAD_BYTES, Limits, ObjectInfo, Step};
//!
//! let object = b"GIF89a\x40\x00\x20\x00\x00\x00\x00;"; // stands for the object in S3
//! let info = ObjectInfo { size: object.len() as u64, content_type: None, name: "a.gif" };
//! let mut extraction = Extraction::new(info, Features::all(), Limits::default());
//! // The first GET, which also tells the size: bytes=0-65535.
//! extraction.supply(0, object[..object.len().min(HEAD_BYTES as usize)].to_vec());
//! let record = loop {
//!     match extraction.step() {
//!         Step::Need(ranges) => {
//!             for r in ranges {
//!                 extraction.supply(r.start, object[r.start as usize..r.end as usize].to_vec());
//!             }
//!         }
//!         Step::Done(record) => break record,
//!     }
//! };
//! assert_eq!(record.metadata.image_width, Some(64));
//! ```
//!
//! # Conventions
//!
//! - **Dimensions** are those of the *stored* picture: the coded size before any
//!   rotation, for every format (for HEIF and AVIF the primary item's `ispe`,
//!   before `clap`, `irot` and `imir`). `Orientation` (images) and
//!   `VideoStreams[].Rotate` say how to turn it for display. Of several pictures
//!   in a file (an icon's sizes, a TIFF's pages) the first stands for it. They
//!   are whole pixels: SVG's lengths are rounded to the nearest. A side of 0 is
//!   no size, and is left out.
//! - **Orientation** is EXIF's, but for HEIF and AVIF it is what `irot` and
//!   `imir` amount to where they are present, and for JPEG XL what the codestream
//!   says, since those are what a viewer applies there.
//! - **ProduceTime** is RFC 3339 and never depends on this machine's zone. An
//!   EXIF time takes `OffsetTimeOriginal`, else `OffsetTime`, else the zone that XMP
//!   names for the same local time; without any of them the offset is derived from GPS
//!   time where that is within two minutes of an offset that some zone has. EXIF's
//!   `DateTime`, the last change, is taken where nothing better is. QuickTime and MP4
//!   times are UTC, unless the file gives a local time with its offset. Where the file
//!   names no zone and its place is known (feature `geocode`), the zone is that of the
//!   nearest place within 50 km, by the rules in force at that time; `TimezoneSource`
//!   says so. Where no zone is known the local time, or UTC, is written with `+00:00`
//!   and `Timezone` is absent. Impossible dates give no `ProduceTime`.
//! - **LatLong** is `"lat,long"` with six digits, dropped when out of range or
//!   exactly 0,0.
//! - **Description** is the caption of EXIF, XMP or IPTC, else XPComment, else
//!   UserComment; what a camera writes into every picture comes last.
//! - **Several values** of Artist, Album, AlbumArtist, Composer and Performer are joined
//!   by `;` in every format; several artists are listed in Authors too.
//! - **Authors** of an ODF are its `dc:creator`, else `meta:initial-creator`.
//! - **Duration** is what the container's header states, also of a file that was
//!   cut; where it states none, what the packets held tell.
//! - **MediaType** is decided from the content. A name's extension only refines
//!   what bytes cannot tell apart: kinds of text, and containers whose head is
//!   ambiguous.
//!
//! - **Sound alone in a film's container** (MP4, Matroska, ASF, Ogg) is `audio`.
//!   That is seen by the media reader: with [`Features::media`] off such an object
//!   is named by its container.
//!
//! # Safety
//!
//! Bytes come from strangers. Every length is checked, every loop and every
//! allocation is bounded by [`Limits`], other people's parsers run behind
//! `catch_unwind`, and what cannot be read becomes a [`Problem`] while what was
//! read is kept.

// Tests build their own bytes and may trust them.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod audio;
mod bmff;
mod bytes;
mod codec;
mod ctx;
mod detect;
mod document;
mod extra;
mod extraction;
#[cfg(feature = "geocode")]
mod geocode;
mod image;
mod metadata;
pub mod sidecar;
mod source;
mod sps;
mod sync;
mod text;
mod text_file;
mod time;
mod video;
mod xml;

use ctx::Ctx;
use detect::Family;
use source::Parse;

/// The syntax of PDF, for readers of its text: objects, decryption with the empty password,
/// predictors.
pub mod pdf {
    pub use crate::document::pdf::{Crypt, Fault, Lexer, Object, unpredict};
}

pub use extra::{Boundary, Chapter, Extra, Figure};
pub use extraction::{
    Detected, Extraction, Features, Limits, ObjectInfo, Problem, ProblemKind, Record, Step,
};
pub use metadata::{
    Address, AudioStream, ExifMap, Image, MediaType, Metadata, SubtitleStream, VideoStream, exif_wire_json,
};
pub use source::{MissingRange, Reader, Source};

/// Whether this build resolves Addresses (cargo feature `geocode`). Where it does
/// not, [`Features::geocode`] has no effect, and the caller names ReGEO as lacking.
pub const GEOCODE: bool = cfg!(feature = "geocode");

#[cfg(feature = "geocode")]
pub use geocode::locate;

/// Version of what is extracted: it grows with new fields, so that records of older versions
/// can be told and made again. Records without one are of version 1.
pub const VERSION: u32 = 2;

/// Length of the first read of every object: `bytes=0-65535`.
pub const HEAD_BYTES: u64 = 64 * 1024;

/// An object up to this size is read whole as soon as its head does not do.
pub const WHOLE_BYTES: u64 = 1024 * 1024;

/// Most keywords kept of an object.
pub(crate) const MAX_KEYWORDS: usize = 256;

/// One pass: detect, then run the family's readers.
pub(crate) fn extract(ctx: &mut Ctx<'_>) -> Option<Detected> {
    if !ctx.features.reads_object() || ctx.src.held_from(0).is_empty() {
        return None;
    }
    ctx.kind = detect::detect(ctx);
    let family = ctx.kind.family;
    let what = ctx.kind.format;
    let read = ctx.guarded(what, |ctx| read_family(ctx, family));
    if let Some(Err(stop)) = read {
        ctx.stopped(what, stop);
    }
    extra::finish(ctx);
    note_cut_texts(ctx);
    #[cfg(feature = "geocode")]
    if ctx.features.geocode {
        ctx.guarded("addresses", |ctx| add_address(&mut ctx.meta, ctx.utc));
    }
    if ctx.features.mime {
        ctx.meta.content_type = Some(ctx.kind.mime.to_owned());
        ctx.meta.media_type = Some(ctx.kind.media);
    }
    Some(Detected {
        format: ctx.kind.format.to_owned(),
        content_type: ctx.kind.mime.to_owned(),
        media_type: ctx.kind.media,
    })
}

fn read_family(ctx: &mut Ctx<'_>, family: Family) -> Parse {
    match ctx.kind.media {
        // What a package is, only its directory tells.
        _ if matches!(family, Family::Zip | Family::Ole) => {
            let f = ctx.features;
            if f.mime || f.document || f.archive { document::read(ctx, family) } else { Ok(()) }
        }
        MediaType::Image if ctx.features.exif => image::read(ctx, family),
        MediaType::Video | MediaType::Audio if ctx.features.media => match family {
            Family::Mp4
            | Family::Matroska
            | Family::Avi
            | Family::MpegTs
            | Family::MpegPs
            | Family::BareVideo
            | Family::Ivf
            | Family::Dv
            | Family::Flv
            | Family::Asf
            | Family::Real => video::read(ctx, family),
            _ => audio::read(ctx, family),
        },
        MediaType::Document if ctx.features.document => document::read(ctx, family),
        _ => Ok(()),
    }
}

/// Says which texts were cut at the limit, and keeps as many keywords as are kept.
fn note_cut_texts(ctx: &mut Ctx<'_>) {
    for (what, why) in cut_texts(&mut ctx.meta, ctx.limits) {
        ctx.problem(ProblemKind::Limit, what, why);
    }
}

/// What was cut, and why.
pub(crate) fn cut_texts(m: &mut Metadata, limits: &Limits) -> Vec<(&'static str, String)> {
    let mut cut = Vec::new();
    if m.keywords.len() > MAX_KEYWORDS {
        m.keywords.truncate(MAX_KEYWORDS);
        cut.push(("Keywords", format!("the first {MAX_KEYWORDS} are kept")));
    }
    let texts = [
        ("Title", &m.title),
        ("Artist", &m.artist),
        ("Album", &m.album),
        ("Description", &m.description),
        ("Copyright", &m.copyright),
        ("Headline", &m.extra.headline),
    ];
    // A cut never leaves more than a character's bytes unused.
    let floor = limits.max_text.saturating_sub(3);
    let is_cut = |text: &Option<String>| text.as_ref().is_some_and(|text| text.len() >= floor);
    let texts = texts.into_iter().filter(|(_, text)| is_cut(text));
    cut.extend(texts.map(|(name, _)| (name, "cut at max_text".to_owned())));
    cut
}

/// Gives a place its addresses, and a time the zone of its place, where the file names
/// none. `utc`: the time is UTC, and where it was made is not known with it.
#[cfg(feature = "geocode")]
pub(crate) fn add_address(m: &mut Metadata, utc: bool) {
    let place = m.lat_long.as_deref().and_then(|t| t.split_once(','));
    let Some((Ok(lat), Ok(long))) = place.map(|(lat, long)| (lat.parse(), long.parse())) else { return };
    m.addresses = locate(lat, long).into_iter().collect();
    if m.timezone.is_some() && !utc {
        return;
    }
    let Some(mut stamp) = m.produce_time.as_deref().and_then(time::Stamp::parse) else { return };
    // `+00:00` is written for an unknown zone too.
    stamp.offset = utc.then_some(0);
    if geocode::place_in_zone(&mut stamp, lat, long) {
        m.produce_time = Some(stamp.rfc3339());
        m.timezone = stamp.offset.map(time::format_offset);
        m.timezone_source = Some("LatLong".to_owned());
    }
}
