//! Chapters in a track of texts that another track refers to.

use crate::bmff;
use crate::bytes::{View, be32, be64};
use crate::ctx::Ctx;
use crate::extra::chapters::{Chapters, sample_text};
use crate::extraction::ProblemKind;
use crate::source::{Parse, Stop};
use crate::video::mp4_track::times;

/// One more than are kept.
const MAX_SAMPLES: usize = 513;
/// Read of a sample: what is kept of a title.
const TITLE: u64 = 2 + 256;
/// Titles that lie within this are read at once.
const NEAR: u64 = 128 * 1024;

/// Reads the chapters of a movie that has none yet.
pub(super) fn read(ctx: &mut Ctx<'_>, moov: View<'_>) -> Parse {
    if !ctx.meta.extra.chapters.is_empty() {
        return Ok(());
    }
    let mut wanted = Vec::new();
    let mut tracks = Vec::new();
    bmff::walk(moov, |b| {
        if &b.kind == b"trak" && tracks.len() < 256 {
            tracks.push(b.body);
            if let Some(chap) = bmff::path(b.body, &[b"tref", b"chap"])? {
                let ids = chap.upto(0, 64)?;
                wanted.extend((0..ids.len() / 4).filter_map(|i| be32(ids, i * 4)));
            }
        }
        Ok(true)
    })?;
    for track in tracks {
        let Some(header) = bmff::child(track, b"tkhd")? else { continue };
        let h = header.body.upto(0, 24)?;
        let id = be32(h, if h.first() == Some(&1) { 20 } else { 12 });
        if !id.is_some_and(|id| wanted.contains(&id)) {
            continue;
        }
        let Some(media) = bmff::child(track, b"mdia")? else { continue };
        // A track of pictures may belong to the chapters too.
        let handler = bmff::child(media.body, b"hdlr")?.map(|b| b.body.upto(8, 4)).transpose()?;
        if matches!(handler, Some(b"text" | b"sbtl" | b"subt")) {
            return chapters(ctx, media.body);
        }
    }
    Ok(())
}

/// Numbers of a table behind its count: `unit` bytes each, the first four (or eight) taken.
fn table(stbl: View<'_>, kind: &[u8; 4], unit: u64, lead: u64) -> Parse<Vec<Vec<u64>>> {
    let Some(b) = bmff::child(stbl, kind)? else { return Ok(Vec::new()) };
    let count = u64::from(be32(b.body.upto(lead, 4)?, 0).unwrap_or(0)).min(MAX_SAMPLES as u64);
    let rows = b.body.upto(lead + 4, count * unit)?;
    let row = |r: &[u8]| match unit {
        8 if kind == b"co64" => be64(r, 0).into_iter().collect(),
        _ => (0..r.len() / 4).filter_map(|i| be32(r, i * 4)).map(u64::from).collect(),
    };
    Ok(rows.chunks_exact(unit as usize).map(row).collect())
}

fn chapters(ctx: &mut Ctx<'_>, media: View<'_>) -> Parse {
    let Some(header) = bmff::child(media, b"mdhd")? else { return Ok(()) };
    let (_, scale, _) = times(header.body)?;
    let Some(stbl) = bmff::path(media, &[b"minf", b"stbl"])? else { return Ok(()) };
    let places = places(stbl)?;
    let mut starts = Vec::new();
    let mut at = 0u64;
    for row in table(stbl, b"stts", 8, 4)? {
        let &[count, delta] = row.as_slice() else { continue };
        for _ in 0..count {
            if starts.len() >= MAX_SAMPLES {
                break;
            }
            starts.push(at);
            at = at.saturating_add(delta);
        }
    }
    let src = ctx.src;
    let missing = |&&(at, len): &&(u64, u64)| len > 0 && src.peek(at, len).is_none();
    let unread: Vec<(u64, u64)> = places.iter().filter(missing).copied().collect();
    if let (Some(first), Some(last)) =
        (unread.iter().map(|p| p.0).min(), unread.iter().map(|p| p.0.saturating_add(p.1)).max())
    {
        if last - first <= NEAR && last <= src.size() {
            if src.near(first, last - first).is_none() {
                return Err(Stop::Missing);
            }
        } else {
            ctx.problem(
                ProblemKind::Limit,
                "chapters",
                "their titles lie all over the file and are not all read",
            );
        }
    }
    let mut found = Chapters::default();
    for (i, start) in starts.iter().enumerate() {
        let bytes = places.get(i).and_then(|&(at, len)| src.peek(at, len)).unwrap_or_default();
        found.add(*start as f64 / f64::from(scale.max(1)), sample_text(bytes).as_deref());
    }
    ctx.meta.extra.chapters = found.done();
    Ok(())
}

/// Where the samples lie, and how many bytes of each are read.
fn places(stbl: View<'_>) -> Parse<Vec<(u64, u64)>> {
    let mut chunks = table(stbl, b"stco", 4, 4)?;
    if chunks.is_empty() {
        chunks = table(stbl, b"co64", 8, 4)?;
    }
    let groups = table(stbl, b"stsc", 12, 4)?;
    let same = match bmff::child(stbl, b"stsz")? {
        Some(b) => be32(b.body.upto(4, 4)?, 0).map_or(0, u64::from),
        None => 0,
    };
    let sizes = if same == 0 { table(stbl, b"stsz", 4, 8)? } else { Vec::new() };
    let mut places = Vec::new();
    for (chunk, offset) in chunks.iter().enumerate() {
        let Some(&start) = offset.first() else { continue };
        let number = chunk as u64 + 1;
        let group = groups.iter().rev().find(|g| g.first().is_some_and(|first| *first <= number));
        let count = group.and_then(|g| g.get(1)).copied().unwrap_or(1);
        let mut at = start;
        for _ in 0..count {
            if places.len() >= MAX_SAMPLES || (same == 0 && places.len() >= sizes.len()) {
                return Ok(places);
            }
            let size = sizes.get(places.len()).and_then(|s| s.first()).copied().unwrap_or(same);
            places.push((at, size.min(TITLE)));
            at = at.saturating_add(size);
        }
    }
    Ok(places)
}
