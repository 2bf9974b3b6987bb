//! HEIF and AVIF: the primary item's size, how it is turned, its EXIF and XMP.

use crate::bmff::{self, Box4};
use crate::bytes::{View, be16, be32, be64};
use crate::ctx::Ctx;
use crate::extra::icc;
use crate::image::{Facts, animation, exif, xmp};
use crate::source::{Parse, Source, Stop};

/// Largest `meta` box taken; tiled pictures of 100 megapixels have some 100 KiB.
const MAX_META: u64 = 4 * 1024 * 1024;

/// Most items and properties looked at.
const MAX_ITEMS: u32 = 65_536;

/// Most pieces of one item.
const MAX_EXTENTS: usize = 64;

struct Item {
    id: u32,
    kind: [u8; 4],
    mime: Vec<u8>,
}

/// Where an item's bytes lie: construction method, base, extents.
struct Place {
    id: u32,
    method: u16,
    extents: Vec<(u64, u64)>,
}

/// Reads the picture from the file's top-level `meta`.
pub(crate) fn read(ctx: &mut Ctx<'_>, facts: &mut Facts) -> Parse {
    let all = View::all(ctx.src);
    let mut meta = None;
    let mut movie = None;
    let mut mini = None;
    bmff::walk(all, |b| {
        match &b.kind {
            b"meta" => meta = Some(b),
            b"moov" => movie = Some(b),
            b"mini" => mini = Some(b),
            _ => {}
        }
        // Media data follows; walking over it would cost a read. Of a sequence the track
        // behind a `meta` without pictures has the size.
        let next = ctx.src.peek(b.next.saturating_add(4), 4);
        Ok(mini.is_none()
            && (meta.is_none() || next == Some(b"moov"))
            && !(movie.is_some() && &b.kind == b"mdat"))
    })?;
    if let (Some(mini), None) = (mini, meta) {
        return super::mini::read(ctx, mini.body, facts);
    }
    match (meta, movie) {
        (Some(meta), movie) => {
            let read = read_meta(ctx, meta, facts);
            match movie {
                Some(movie) if ctx.meta.image_width.is_none() => read.and(sequence_size(ctx, movie.body)),
                Some(movie) => read.and(animation::track(ctx, movie.body)),
                _ => read,
            }
        }
        // An image sequence without a still.
        (None, Some(movie)) => sequence_size(ctx, movie.body),
        (None, None) => Err(Stop::Malformed("no meta box")),
    }
}

fn sequence_size(ctx: &mut Ctx<'_>, movie: View<'_>) -> Parse {
    animation::track(ctx, movie)?;
    if let Some(track) = bmff::path(movie, &[b"trak", b"tkhd"])? {
        let len = track.len();
        if len >= 8 {
            let b = track.get(len - 8, 8)?;
            ctx.meta.image_width = be32(b, 0).map(|w| w >> 16).filter(|w| *w > 0);
            ctx.meta.image_height = be32(b, 4).map(|h| h >> 16).filter(|h| *h > 0);
        }
    }
    Ok(())
}

fn read_meta(ctx: &mut Ctx<'_>, meta: Box4<'_>, facts: &mut Facts) -> Parse {
    if meta.body.len() > MAX_META {
        return Err(Stop::Limit("meta box over 4 MiB"));
    }
    // One read for the whole box, not one for each of its parts.
    meta.body.upto(0, MAX_META)?;
    let body = meta.body.sub(4, u64::MAX);
    let mut primary = None;
    let mut items = Vec::new();
    let mut places = Vec::new();
    let mut properties: Option<View<'_>> = None;
    let mut data: Option<View<'_>> = None;
    let walked = bmff::walk(body, |b| {
        match &b.kind {
            b"pitm" => primary = primary_id(b.body)?,
            b"iinf" => items = item_infos(b.body)?,
            b"iloc" => places = item_places(b.body)?,
            b"iprp" => properties = Some(b.body),
            b"idat" => data = Some(b.body),
            _ => {}
        }
        Ok(true)
    });
    if let Some(properties) = properties {
        ctx.part("iprp", |ctx| read_properties(ctx, properties, primary, facts));
    }
    // A picture that tone maps another one.
    if items.iter().any(|item| &item.kind == b"tmap") {
        facts.more.has_gain_map("iso21496");
    }
    let src = ctx.src;
    for item in &items {
        let is_xmp = &item.kind == b"mime" && item.mime.starts_with(b"application/rdf+xml");
        if &item.kind != b"Exif" && !is_xmp {
            continue;
        }
        let Some(place) = places.iter().find(|p| p.id == item.id) else { continue };
        if is_xmp {
            ctx.part("xmp", |ctx| with_item(src, place, data, |view| xmp::read(ctx, view, facts)));
        } else {
            ctx.part("exif", |ctx| {
                with_item(src, place, data, |view| {
                    // Four bytes say where the TIFF header begins behind them.
                    let skip = u64::from(be32(view.get(0, 4)?, 0).unwrap_or(0));
                    let tiff =
                        if skip < view.len() { view.sub(4 + skip, u64::MAX) } else { view.sub(4, u64::MAX) };
                    let tiff = match tiff.get(0, 6) {
                        Ok(b"Exif\0\0") => tiff.sub(6, u64::MAX),
                        _ => tiff,
                    };
                    exif::read(ctx, tiff, facts)
                })
            });
        }
    }
    walked
}

/// Runs `read` on an item's bytes: in place where they are one piece, else on a copy.
fn with_item(
    src: &Source,
    place: &Place,
    data: Option<View<'_>>,
    read: impl FnOnce(View<'_>) -> Parse,
) -> Parse {
    let base = match place.method {
        0 => View::all(src),
        1 => data.ok_or(Stop::Malformed("item in an idat box that is not there"))?,
        _ => return Err(Stop::Unsupported("item built from other items")),
    };
    let views: Vec<View<'_>> =
        place.extents.iter().map(|&(at, len)| base.sub(at, if len == 0 { u64::MAX } else { len })).collect();
    match views.as_slice() {
        [] => Err(Stop::Malformed("item without extents")),
        [one] => {
            one.upto(0, one.len().min(MAX_META))?;
            read(*one)
        }
        many => {
            let mut bytes = Vec::new();
            if many.len() > MAX_EXTENTS {
                return Err(Stop::Limit("item in more pieces than are read"));
            }
            for view in many {
                if bytes.len() as u64 + view.len() > MAX_META {
                    return Err(Stop::Limit("item over 4 MiB"));
                }
                bytes.extend_from_slice(view.upto(0, view.len())?);
            }
            let mut copy = Source::new(bytes.len() as u64);
            copy.supply(0, bytes);
            read(View::all(&copy))
        }
    }
}

fn primary_id(view: View<'_>) -> Parse<Option<u32>> {
    let b = view.upto(0, 8)?;
    Ok(if b.first() == Some(&0) { be16(b, 4).map(u32::from) } else { be32(b, 4) })
}

fn item_infos(view: View<'_>) -> Parse<Vec<Item>> {
    let b = view.upto(0, 8)?;
    let skip = if b.first() == Some(&0) { 6 } else { 8 };
    let mut items = Vec::new();
    bmff::walk(view.sub(skip, u64::MAX), |infe| {
        if &infe.kind != b"infe" {
            return Ok(true);
        }
        let b = infe.body.upto(0, 256)?;
        let version = b.first().copied().unwrap_or(0);
        let (id, kind_at) = match version {
            2 => (be16(b, 4).map(u32::from), 8),
            3 => (be32(b, 4), 10),
            _ => return Ok(true),
        };
        if let (Some(id), Some(&[x, y, z, w])) = (id, b.get(kind_at..kind_at + 4)) {
            // Behind the type: a name, then the content type, both ended by NUL.
            let mime = b.get(kind_at + 4..).unwrap_or_default().split(|c| *c == 0).nth(1).unwrap_or_default();
            items.push(Item { id, kind: [x, y, z, w], mime: mime.to_vec() });
        }
        Ok(items.len() < MAX_ITEMS as usize)
    })?;
    Ok(items)
}

fn item_places(view: View<'_>) -> Parse<Vec<Place>> {
    let b = view.upto(0, MAX_META)?;
    let version = b.first().copied().unwrap_or(0);
    let sizes = be16(b, 4).unwrap_or(0);
    let (offset_size, length_size) = ((sizes >> 12) as usize, (sizes >> 8 & 15) as usize);
    let (base_size, index_size) =
        ((sizes >> 4 & 15) as usize, if version > 0 { (sizes & 15) as usize } else { 0 });
    let mut at = 6;
    let mut number = |size: usize| -> Option<u64> {
        let value = match size {
            0 => Some(0),
            2 => be16(b, at).map(u64::from),
            4 => be32(b, at).map(u64::from),
            8 => be64(b, at),
            _ => None,
        };
        at += size;
        value
    };
    let mut places = Vec::new();
    let wide = if version < 2 { 2 } else { 4 };
    let count = number(wide).unwrap_or(0).min(u64::from(MAX_ITEMS));
    for _ in 0..count {
        let mut one = || -> Option<Place> {
            let id = number(wide)? as u32;
            let method = if version > 0 { number(2)? as u16 & 15 } else { 0 };
            let _reference = number(2)?;
            let base = number(base_size)?;
            let extents = number(2)?;
            let mut place = Place { id, method, extents: Vec::new() };
            // Without sizes an extent names no bytes, and its entry takes none.
            if offset_size + length_size + index_size == 0 {
                let whole = (extents > 0).then_some((base, 0));
                place.extents.extend(whole);
                return Some(place);
            }
            for _ in 0..extents {
                let _index = number(index_size)?;
                let offset = number(offset_size)?;
                let length = number(length_size)?;
                // More than are read need not be kept.
                if place.extents.len() <= MAX_EXTENTS {
                    place.extents.push((base.checked_add(offset)?, length));
                }
            }
            Some(place)
        };
        match one() {
            Some(place) => places.push(place),
            None => break,
        }
    }
    Ok(places)
}

/// Size and turning of the primary item, through the property associations.
fn read_properties(ctx: &mut Ctx<'_>, view: View<'_>, primary: Option<u32>, facts: &mut Facts) -> Parse {
    let mut list: Vec<Box4<'_>> = Vec::new();
    let mut own: Vec<usize> = Vec::new();
    bmff::walk(view, |b| {
        match &b.kind {
            b"ipco" => bmff::walk(b.body, |p| {
                list.push(p);
                Ok(true)
            })?,
            b"ipma" => own.extend(associations(b.body, primary)?),
            _ => {}
        }
        Ok(true)
    })?;
    let size_of = |p: &Box4<'_>| -> Option<(u32, u32)> {
        let b = p.body.get(0, 12).ok()?;
        Some((be32(b, 4)?, be32(b, 8)?)).filter(|(w, h)| *w > 0 && *h > 0)
    };
    let mine: Vec<&Box4<'_>> = own.iter().filter_map(|i| list.get(i.checked_sub(1)?)).collect();
    let first_size = |boxes: &mut dyn Iterator<Item = &Box4<'_>>| {
        boxes
            .filter(|p| &p.kind == b"ispe")
            .filter_map(size_of)
            .max_by_key(|(w, h)| u64::from(*w) * u64::from(*h))
    };
    // A depiction of its own says how the picture is brightened.
    let urn = |p: &Box4<'_>| p.body.upto(4, 64).is_ok_and(|urn| urn.windows(10).any(|w| w == b"hdrgainmap"));
    if list.iter().any(|p| &p.kind == b"auxC" && urn(p)) {
        facts.more.has_gain_map("apple");
    }
    // Where the parts of a picture have the profile, the whole has none of its own.
    if let Some(colr) = mine
        .iter()
        .copied()
        .chain(&list)
        .find(|p| &p.kind == b"colr" && matches!(p.body.upto(0, 4), Ok(b"prof" | b"rICC")))
    {
        let len = colr.body.len().saturating_sub(4).min(icc::MAX_PROFILE as u64);
        facts.profile = colr.body.upto(4, len)?.to_vec();
    }
    // Without associations the largest size is the whole picture, the others tiles.
    if let Some((w, h)) = first_size(&mut mine.iter().copied()).or_else(|| first_size(&mut list.iter())) {
        ctx.meta.image_width = Some(w);
        ctx.meta.image_height = Some(h);
    }
    let byte = |p: &Box4<'_>| p.body.get(0, 1).ok().and_then(|b| b.first().copied());
    let mut turned = None;
    let (mut quarter_turns, mut mirrored) = (0u32, false);
    for p in mine {
        match (&p.kind, byte(p)) {
            (b"irot", Some(b)) => {
                // Counter-clockwise; a mirror before it turns the sense round.
                let quarters = u32::from(b & 3);
                quarter_turns += if mirrored { 4 - quarters } else { quarters };
                turned = Some(());
            }
            (b"imir", Some(b)) => {
                // Axis 0: top and bottom swap, which is left-right plus a half turn.
                mirrored = !mirrored;
                if b & 1 == 0 {
                    quarter_turns += 2;
                }
                turned = Some(());
            }
            _ => {}
        }
    }
    if turned.is_some() {
        // These are what viewers apply; the EXIF tag must not be applied on top
        // (semantics.md F.3), so what they say is kept and EXIF only fills a gap.
        // EXIF numbering: turn counter-clockwise by quarters, then mirror left-right.
        let value = match (mirrored, quarter_turns % 4) {
            (false, 0) => 1,
            (false, 1) => 8,
            (false, 2) => 3,
            (false, _) => 6,
            (true, 0) => 2,
            (true, 1) => 7,
            (true, 2) => 4,
            (true, _) => 5,
        };
        ctx.meta.orientation = Some(value);
    }
    Ok(())
}

/// One-based indices of the primary item's properties.
fn associations(view: View<'_>, primary: Option<u32>) -> Parse<Vec<usize>> {
    let b = view.upto(0, MAX_META)?;
    let version = b.first().copied().unwrap_or(0);
    let wide_index = b.get(3).is_some_and(|f| f & 1 == 1);
    let count = be32(b, 4).unwrap_or(0).min(MAX_ITEMS);
    let mut at = 8;
    let mut found = Vec::new();
    for _ in 0..count {
        let id = if version < 1 { be16(b, at).map(u32::from) } else { be32(b, at) };
        at += if version < 1 { 2 } else { 4 };
        let (Some(id), Some(&n)) = (id, b.get(at)) else { break };
        at += 1;
        for _ in 0..n {
            let index = if wide_index {
                be16(b, at).map(|i| i & 0x7fff)
            } else {
                b.get(at).map(|i| u16::from(i & 0x7f))
            };
            at += if wide_index { 2 } else { 1 };
            if Some(id) == primary
                && let Some(index) = index
            {
                found.push(usize::from(index));
            }
        }
    }
    Ok(found)
}
