//! Matroska and WebM.
//!
//! Own walk over EBML: matroska-demuxer follows the seek head to the cues at the
//! end of the file, which costs a read for nothing that is wanted here. Elements
//! in front of the first cluster are read, and tags and covers behind it where the seek
//! head points to them.

use std::collections::BTreeSet;

use crate::audio::tags::{Field, Texts, add_cover};
use crate::bytes::View;
use crate::codec;
use crate::ctx::Ctx;
use crate::extraction::ProblemKind;
use crate::metadata::MediaType;
use crate::source::{Parse, Stop};
use crate::text;
use crate::time::{Stamp, format_offset};
use crate::video::mkv_track::Track;
use crate::video::mp4_tags;

/// Largest element of headers taken into memory.
const MAX_ELEMENT: u64 = 4 * 1024 * 1024;
/// Kept of a track's first frame.
const FRAME_HEAD: u64 = 1024;
/// Read of tags and of attachments where they stand behind the clusters; longer ones are
/// read on.
const LATE: u64 = 16 * 1024;
/// Read of an attachment that is not held: its name, its type, the start of its data.
const ATTACHMENT_HEAD: u64 = 4096;
/// Most elements that seek heads name, and most attachments that are fetched to be looked at.
const MAX_NAMED: usize = 32;
const MAX_FETCHED: usize = 4;
/// Most tracks, and most texts of one tag.
const MAX_TRACKS: usize = 256;
const MAX_SIMPLE: usize = 512;

pub(super) struct Element<'a> {
    pub(super) id: u32,
    pub(super) body: View<'a>,
    next: u64,
}

/// Element at `at`; None at the end. An unknown size reaches to the end.
fn element(parent: View<'_>, at: u64) -> Parse<Option<Element<'_>>> {
    let left = parent.len().saturating_sub(at);
    if left < 2 {
        return Ok(None);
    }
    let h = parent.get(at, left.min(12))?;
    let bad = Stop::Malformed("EBML element header");
    let first = *h.first().ok_or(bad.clone())?;
    let id_len = first.leading_zeros() as usize + 1;
    let id = match (id_len, h.get(..id_len)) {
        (1..=4, Some(b)) => b.iter().fold(0u32, |n, b| n << 8 | u32::from(*b)),
        _ => return Err(bad),
    };
    let first = *h.get(id_len).ok_or(bad.clone())?;
    let size_len = first.leading_zeros() as usize + 1;
    let raw = h.get(id_len..id_len + size_len).filter(|_| size_len <= 8).ok_or(bad)?;
    let mask = if size_len == 8 { 0 } else { 0xffu64 >> size_len };
    let size = raw.iter().skip(1).fold(u64::from(first) & mask, |n, b| n << 8 | u64::from(*b));
    let unknown = size == (1u64 << (7 * size_len)) - 1;
    let start = at + (id_len + size_len) as u64;
    let len = if unknown { parent.len().saturating_sub(start) } else { size };
    Ok(Some(Element { id, body: parent.sub(start, len), next: start.saturating_add(len) }))
}

/// Calls `each` for the children of `parent`.
pub(super) fn children<'a>(parent: View<'a>, mut each: impl FnMut(Element<'a>) -> Parse<bool>) -> Parse {
    let mut at = 0;
    for _ in 0..10_000 {
        let e = match element(parent, at) {
            Ok(Some(e)) => e,
            // Junk behind the last child costs nothing that was read.
            Ok(None) | Err(Stop::Malformed(_)) => return Ok(()),
            Err(stop) => return Err(stop),
        };
        at = e.next;
        if !each(e)? {
            return Ok(());
        }
    }
    Err(Stop::Limit("too many elements"))
}

impl Element<'_> {
    pub(super) fn uint(&self) -> Parse<u64> {
        let b = self.body.upto(0, self.body.len().min(8))?;
        Ok(b.iter().fold(0u64, |n, b| n << 8 | u64::from(*b)))
    }

    pub(super) fn float(&self) -> Parse<f64> {
        let b = self.body.upto(0, 8)?;
        Ok(match b {
            [a, b, c, d] => f64::from(f32::from_be_bytes([*a, *b, *c, *d])),
            [a, b, c, d, e, f, g, h] => f64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]),
            _ => 0.0,
        })
    }

    pub(super) fn text(&self) -> Parse<String> {
        let b = self.body.upto(0, self.body.len().min(64 * 1024))?;
        Ok(text::decode(text::until_nul(b)))
    }
}

#[derive(Default)]
struct Movie {
    scale: u64,
    duration: f64,
    date: Option<i64>,
    title: Option<String>,
    tracks: Vec<Track>,
    tags_at: Option<u64>,
    attachments_at: Option<u64>,
    chapters_at: Option<u64>,
    /// Where seek heads name tags, chapters, attachments and further seek heads, and which
    /// elements were read.
    named: Vec<u64>,
    read_at: BTreeSet<u64>,
    texts: Texts,
    made: Option<String>,
    info_at: Option<u64>,
    tracks_at: Option<u64>,
    webm: bool,
    /// Largest timestamp seen in clusters, in timestamp units.
    last: u64,
    first_frame: Vec<(u64, Vec<u8>)>,
}

pub(crate) fn read(ctx: &mut Ctx<'_>) -> Parse {
    let all = View::all(ctx.src);
    let mut movie = Movie { scale: 1_000_000, ..Movie::default() };
    let head = element(all, 0)?.ok_or(Stop::Malformed("no EBML header"))?;
    children(head.body.sub(0, 4096), |e| {
        if e.id == 0x4282 {
            movie.webm = e.text()? == "webm";
        }
        Ok(true)
    })?;
    let segment = element(all, head.next)?.filter(|s| s.id == 0x1853_8067);
    let segment = segment.ok_or(Stop::Malformed("no segment"))?.body;
    let mut stopped = movie.segment(ctx, segment, 0, true);
    // Headers behind the clusters, by the seek head.
    if movie.tracks.is_empty()
        && let Some(at) = movie.tracks_at.take()
    {
        stopped = movie.segment(ctx, segment, at, false);
    }
    if movie.duration == 0.0
        && let Some(at) = movie.info_at.take()
    {
        let more = movie.segment(ctx, segment, at, false);
        stopped = stopped.and(more);
    }
    // All are asked for at once; what is worth a read is not worth one of the whole file.
    let late = [movie.attachments_at.take(), movie.chapters_at.take(), movie.tags_at.take()];
    let missing = late.into_iter().flatten().map(|at| {
        let start = segment.start.saturating_add(at);
        match ctx.src.near(start, LATE) {
            Some(_) => {
                movie.read_at.insert(at);
                ctx.part("tags", |ctx| movie.segment(ctx, segment, at, false));
                false
            }
            None => start < segment.end,
        }
    });
    if missing.fold(false, |any, one| any | one) {
        stopped = stopped.and(Err(Stop::Missing));
    }
    // Tags may stand in several places, and a seek head may name a second one.
    for _ in 0..MAX_NAMED {
        let Some(at) = movie.named.iter().copied().find(|at| !movie.read_at.contains(at)) else { break };
        movie.read_at.insert(at);
        let start = segment.start.saturating_add(at);
        if start >= segment.end {
            continue;
        }
        match ctx.src.near(start, LATE) {
            Some(_) => ctx.part("tags", |ctx| movie.segment(ctx, segment, at, false)),
            None => stopped = stopped.and(Err(Stop::Missing)),
        }
    }
    if movie.tracks.is_empty() {
        return stopped.and(Err(Stop::Malformed("no tracks")));
    }
    if let Err(stop) = stopped {
        ctx.stopped("segment", stop);
    }
    movie.write(ctx);
    Ok(())
}

impl Movie {
    /// Walks segment children from `at`: to the first cluster whose successor is
    /// not held, or just one element where `all` is false.
    fn segment(&mut self, ctx: &mut Ctx<'_>, segment: View<'_>, at: u64, all: bool) -> Parse {
        let mut at = at;
        let mut clusters = 0;
        for _ in 0..10_000 {
            ctx.tick()?;
            if clusters > 0
                && segment.src.peek(segment.start + at, 12.min(segment.len().saturating_sub(at))).is_none()
            {
                return Ok(());
            }
            let e = match element(segment, at) {
                Ok(Some(e)) => e,
                Ok(None) => return Ok(()),
                Err(_) if clusters > 0 => return Ok(()),
                Err(stop) => return Err(stop),
            };
            match e.id {
                // SeekHead, Info, Tracks, Tags, Attachments
                0x114d_9b74 => self.seek_head(e.body)?,
                0x1549_a966 => self.info(e.body)?,
                0x1654_ae6b => self.tracks(e.body)?,
                0x1254_c367 => self.tags(ctx, e.body)?,
                0x1043_a770 => self.chapters(e.body)?,
                0x1941_a469 => {
                    self.attachments_at = None;
                    self.attachments(ctx, e.body);
                }
                0x1f43_b675 => {
                    clusters += 1;
                    self.cluster(e.body);
                }
                _ => {}
            }
            self.read_at.insert(at);
            if !all {
                return Ok(());
            }
            at = e.next;
        }
        Err(Stop::Limit("more elements than are looked at"))
    }

    fn seek_head(&mut self, view: View<'_>) -> Parse {
        children(view, |seek| {
            let (mut id, mut at) = (0, 0);
            children(seek.body, |e| {
                match e.id {
                    0x53ab => id = e.uint()?,
                    0x53ac => at = e.uint()?,
                    _ => {}
                }
                Ok(true)
            })?;
            let wanted = matches!(id, 0x1254_c367 | 0x1941_a469 | 0x1043_a770 | 0x114d_9b74);
            if wanted && self.named.len() < MAX_NAMED {
                self.named.push(at);
            }
            match id {
                0x1254_c367 => self.tags_at = Some(at),
                0x1941_a469 => self.attachments_at = Some(at),
                0x1043_a770 => self.chapters_at = Some(at),
                0x1549_a966 => self.info_at = Some(at),
                0x1654_ae6b => self.tracks_at = Some(at),
                _ => {}
            }
            Ok(true)
        })
    }

    fn info(&mut self, view: View<'_>) -> Parse {
        self.info_at = None;
        view.upto(0, view.len().min(MAX_ELEMENT))?;
        children(view, |e| {
            match e.id {
                0x2a_d7b1 => self.scale = e.uint()?.max(1),
                0x4489 => self.duration = e.float()?,
                0x4461 => self.date = Some(e.uint()? as i64),
                0x7ba9 => self.title = Some(e.text()?),
                _ => {}
            }
            Ok(true)
        })
    }

    fn tracks(&mut self, view: View<'_>) -> Parse {
        view.upto(0, view.len().min(MAX_ELEMENT))?;
        children(view, |entry| {
            if entry.id == 0xae && self.tracks.len() >= MAX_TRACKS {
                return Err(Stop::Limit("more tracks than are kept"));
            }
            if entry.id == 0xae {
                let mut track =
                    Track { language: Some("eng".into()), channels: 1, rate: 8000.0, ..Track::default() };
                let read = track.read(entry.body);
                self.tracks.push(track);
                read?;
            }
            Ok(true)
        })
    }

    fn tags(&mut self, ctx: &mut Ctx<'_>, view: View<'_>) -> Parse {
        self.tags_at = None;
        view.upto(0, view.len().min(MAX_ELEMENT))?;
        children(view, |tag| {
            let (mut target, mut level) = (0, 50);
            let mut simple = Vec::new();
            let mut many = false;
            children(tag.body, |e| {
                match e.id {
                    0x63c0 => children(e.body, |t| {
                        match t.id {
                            0x63c5 => target = t.uint()?,
                            0x68ca => level = t.uint()?,
                            _ => {}
                        }
                        Ok(true)
                    })?,
                    0x67c8 => {
                        let (mut name, mut value) = (String::new(), String::new());
                        children(e.body, |s| {
                            match s.id {
                                0x45a3 => name = s.text()?,
                                0x4487 => value = s.text()?,
                                _ => {}
                            }
                            Ok(true)
                        })?;
                        simple.push((name.to_ascii_uppercase(), value));
                    }
                    _ => {}
                }
                many = simple.len() >= MAX_SIMPLE;
                Ok(!many)
            })?;
            if many {
                crate::audio::tags::long(ctx, "tags");
            }
            for (name, value) in simple {
                self.texts.more.matroska(level, &name, &value);
                self.tag(ctx, target, &name, &value);
            }
            Ok(true)
        })
    }

    fn tag(&mut self, ctx: &mut Ctx<'_>, target: u64, name: &str, value: &str) {
        if name == "DURATION" && target != 0 {
            if let Some(track) = self.tracks.iter_mut().find(|t| t.uid == target) {
                track.duration = clock(value);
            }
            return;
        }
        let field = match name {
            // Level 50 is the album or film, 30 the piece.
            "TITLE" => Field::Title,
            "ARTIST" | "LEAD_PERFORMER" => Field::Artist,
            "ALBUM" => Field::Album,
            "ALBUM_ARTIST" => Field::AlbumArtist,
            "COMPOSER" => Field::Composer,
            "PERFORMER" => Field::Performer,
            "COPYRIGHT" => Field::Copyright,
            "DESCRIPTION" | "SYNOPSIS" | "SUMMARY" | "COMMENT" => Field::Comment,
            // The file's own; a track's is that of its muxing.
            "DATE_RECORDED" | "CREATION_TIME" | "COM.APPLE.QUICKTIME.CREATIONDATE" if target == 0 => {
                if self.made.is_none() && value.len() >= 10 {
                    self.made = Some(value.to_owned());
                }
                return;
            }
            "LOCATION" | "COM.APPLE.QUICKTIME.LOCATION.ISO6709" => {
                mp4_tags::location(ctx, value);
                return;
            }
            _ => return,
        };
        if !value.trim().is_empty() {
            self.texts.add(field, value);
        }
    }

    /// The chapters of the first edition.
    fn chapters(&mut self, view: View<'_>) -> Parse {
        self.chapters_at = None;
        view.upto(0, view.len().min(MAX_ELEMENT))?;
        let found = &mut self.texts.more.chapters;
        children(view, |edition| {
            if edition.id != 0x45b9 {
                return Ok(true);
            }
            children(edition.body, |atom| {
                if atom.id != 0xb6 {
                    return Ok(true);
                }
                let (mut start, mut title, mut hidden) = (None, None, false);
                children(atom.body, |e| {
                    match e.id {
                        0x91 => start = Some(e.uint()? as f64 / 1e9),
                        0x98 => hidden = e.uint()? == 1,
                        0x80 if title.is_none() => children(e.body, |d| {
                            if d.id == 0x85 {
                                title = Some(d.text()?);
                            }
                            Ok(true)
                        })?,
                        _ => {}
                    }
                    Ok(true)
                })?;
                if let Some(start) = start.filter(|_| !hidden) {
                    found.add(start, title.as_deref());
                }
                Ok(true)
            })?;
            Ok(false)
        })
    }

    fn attachments(&mut self, ctx: &mut Ctx<'_>, view: View<'_>) {
        let mut fetched = 0;
        let read = children(view, |file| {
            if file.id != 0x61a7 {
                return Ok(true);
            }
            // What an attachment is stands in front of its data. Fonts may be many, and are
            // long: each one that is passed over costs a read.
            let len = file.body.len();
            if view.src.peek(file.body.start, len).is_none() {
                fetched += 1;
                if fetched > MAX_FETCHED {
                    ctx.problem(
                        ProblemKind::Limit,
                        "attachments",
                        format!("those behind the first {MAX_FETCHED} long ones are not looked at"),
                    );
                    return Ok(false);
                }
                if view.src.near(file.body.start, len.min(ATTACHMENT_HEAD)).is_none() {
                    return Err(Stop::Missing);
                }
            }
            let (mut mime, mut data) = (String::new(), None);
            children(file.body, |e| {
                match e.id {
                    0x4660 => mime = e.text()?,
                    0x465c => data = Some(e.body),
                    _ => {}
                }
                Ok(data.is_none() || mime.is_empty())
            })?;
            if let Some(data) = data.filter(|_| mime.starts_with("image/")) {
                let held = data.src.held_from(data.start);
                let held = held.get(..held.len().min(data.len() as usize)).unwrap_or_default();
                add_cover(ctx, crate::audio::cover(held));
            }
            Ok(true)
        });
        if let Err(stop) = read {
            ctx.stopped("attachments", stop);
        }
    }

    /// Timestamps of a cluster, as far as held: live recordings state no duration.
    fn cluster(&mut self, view: View<'_>) {
        let mut base = 0;
        let mut at = 0;
        for _ in 0..100_000 {
            if view.src.peek(view.start + at, 12.min(view.len().saturating_sub(at))).is_none() {
                return;
            }
            let Ok(Some(e)) = element(view, at) else { return };
            let block = match e.id {
                0xe7 => {
                    base = e
                        .body
                        .src
                        .peek(e.body.start, e.body.len().min(8))
                        .map_or(0, |b| b.iter().fold(0u64, |n, b| n << 8 | u64::from(*b)));
                    None
                }
                0xa3 => Some(e.body),
                0xa0 => element(e.body, 0).ok().flatten().filter(|b| b.id == 0xa1).map(|b| b.body),
                // A sibling of the cluster, where its size was unknown.
                0x1f43_b675 | 0x1c53_bb6b | 0x1254_c367 => return,
                _ => None,
            };
            if let Some(b) = block
                && let Some(&[track, x, y]) = b.src.peek(b.start, 3)
            {
                let offset = i64::from(i16::from_be_bytes([x, y]));
                let time = base.saturating_add_signed(offset);
                self.last = self.last.max(time);
                let number = u64::from(track & 0x7f);
                if !self.first_frame.iter().any(|(n, _)| *n == number)
                    && let Some(data) = b.src.peek(b.start + 4, FRAME_HEAD.min(b.len().saturating_sub(4)))
                {
                    self.first_frame.push((number, data.to_vec()));
                }
            }
            at = e.next;
        }
    }

    fn write(mut self, ctx: &mut Ctx<'_>) {
        let unit = self.scale as f64 / 1e9;
        let mut seconds = self.duration * unit;
        if seconds == 0.0 {
            // All clusters held: the last timestamp is nearly the end.
            let whole = ctx.src.held() == ctx.src.size();
            seconds = if whole { self.last as f64 * unit } else { 0.0 };
        }
        ctx.meta.format_name = Some("matroska,webm".into());
        ctx.meta.format_long_name = Some("Matroska / WebM".into());
        ctx.meta.duration = codec::seconds(seconds);
        ctx.meta.bitrate = ctx.meta.duration.and_then(|d| codec::bitrate(ctx.src.size(), d));
        ctx.meta.stream_count = Some(self.tracks.len() as u32);
        if let Some(title) = self.title.take().and_then(|t| text::clean(&t, ctx.limits.max_text)) {
            ctx.meta.title = Some(title);
        }
        if let Some(date) = self.date {
            // Nanoseconds since 2001.
            let unix = date / 1_000_000_000 + 978_307_200;
            ctx.meta.produce_time = Stamp::from_unix(unix).map(|s| s.rfc3339());
            ctx.utc = true;
        }
        std::mem::take(&mut self.texts).write(ctx);
        if let Some(stamp) = self.made.as_deref().and_then(Stamp::parse) {
            // UTC without an offset: ffmpeg and phones write it so.
            ctx.meta.timezone = stamp.offset.filter(|o| *o != 0).map(format_offset);
            ctx.utc = ctx.meta.timezone.is_none();
            ctx.meta.produce_time = Some(stamp.rfc3339());
        }
        for (index, track) in self.tracks.into_iter().enumerate() {
            let frame = self.first_frame.iter().find(|(n, _)| *n == track.number).map(|(_, b)| b.as_slice());
            track.write(ctx, index as u32, frame.unwrap_or_default());
        }
        let size = ctx.meta.video_streams.first().map(|v| (v.width, v.height));
        match size {
            Some((w, h)) => {
                ctx.meta.video_width = w;
                ctx.meta.video_height = h;
                if self.webm {
                    ctx.refine("webm", "video/webm");
                }
            }
            None if !ctx.meta.audio_streams.is_empty() => {
                ctx.kind.media = MediaType::Audio;
                if self.webm {
                    ctx.refine("webm", "audio/webm");
                } else {
                    ctx.refine("matroska", "audio/x-matroska");
                }
            }
            None => {}
        }
    }
}

/// `hh:mm:ss.nnn`
fn clock(text: &str) -> Option<f64> {
    let mut seconds = 0.0;
    for part in text.trim_matches(['\0', ' ']).split(':').take(3) {
        seconds = seconds * 60.0 + part.parse::<f64>().ok()?;
    }
    codec::seconds(seconds)
}
