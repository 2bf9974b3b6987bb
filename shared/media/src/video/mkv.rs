//! Matroska and WebM.
//!
//! Own walk over EBML: matroska-demuxer follows the seek head to the cues at the
//! end of the file, which costs a read for nothing that is wanted here. Elements
//! in front of the first cluster are read, tags behind it where the seek head
//! points to them and they are held already.

use crate::bytes::View;
use crate::codec;
use crate::ctx::Ctx;
use crate::metadata::{AudioStream, MediaType, SubtitleStream, VideoStream};
use crate::source::{Parse, Stop};
use crate::text;
use crate::time::Stamp;

/// Largest element of headers taken into memory.
const MAX_ELEMENT: u64 = 4 * 1024 * 1024;

struct Element<'a> {
    id: u32,
    body: View<'a>,
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
fn children<'a>(parent: View<'a>, mut each: impl FnMut(Element<'a>) -> Parse<bool>) -> Parse {
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
    fn uint(&self) -> Parse<u64> {
        let b = self.body.upto(0, self.body.len().min(8))?;
        Ok(b.iter().fold(0u64, |n, b| n << 8 | u64::from(*b)))
    }

    fn float(&self) -> Parse<f64> {
        let b = self.body.upto(0, 8)?;
        Ok(match b {
            [a, b, c, d] => f64::from(f32::from_be_bytes([*a, *b, *c, *d])),
            [a, b, c, d, e, f, g, h] => f64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]),
            _ => 0.0,
        })
    }

    fn text(&self) -> Parse<String> {
        let b = self.body.upto(0, self.body.len().min(64 * 1024))?;
        Ok(text::decode(text::until_nul(b)))
    }
}

#[derive(Default)]
struct Track {
    number: u64,
    kind: u64,
    codec: String,
    private: Vec<u8>,
    language: Option<String>,
    default_duration: u64,
    width: u64,
    height: u64,
    rate: f64,
    output_rate: f64,
    channels: u64,
    bits: u64,
    uid: u64,
    duration: Option<f64>,
}

#[derive(Default)]
struct Movie {
    scale: u64,
    duration: f64,
    date: Option<i64>,
    title: Option<String>,
    tracks: Vec<Track>,
    tags_at: Option<u64>,
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
    if let Some(at) = movie.tags_at.take()
        && segment.src.peek(segment.start.saturating_add(at), 12).is_some()
    {
        ctx.part("tags", |ctx| movie.segment(ctx, segment, at, false));
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
                0x1941_a469 => self.attachments(ctx, e.body),
                0x1f43_b675 => {
                    clusters += 1;
                    self.cluster(e.body);
                }
                _ => {}
            }
            if !all {
                return Ok(());
            }
            at = e.next;
        }
        Ok(())
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
            match id {
                0x1254_c367 => self.tags_at = Some(at),
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
            if entry.id == 0xae && self.tracks.len() < 256 {
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
            let mut target = 0;
            let mut level = 50;
            let mut simple = Vec::new();
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
                Ok(simple.len() < 512)
            })?;
            for (name, value) in simple {
                self.tag(ctx, target, level, &name, &value);
            }
            Ok(true)
        })
    }

    fn tag(&mut self, ctx: &mut Ctx<'_>, target: u64, level: u64, name: &str, value: &str) {
        if name == "DURATION" && target != 0 {
            if let Some(track) = self.tracks.iter_mut().find(|t| t.uid == target) {
                track.duration = clock(value);
            }
            return;
        }
        let Some(value) = text::clean(value, ctx.limits.max_text) else { return };
        let m = &mut ctx.meta;
        let slot = match name {
            // Level 50 is the album or film, 30 the piece.
            "TITLE" if level == 50 && m.audio_streams.is_empty() && target == 0 => &mut m.title,
            "TITLE" => &mut m.title,
            "ARTIST" | "LEAD_PERFORMER" => &mut m.artist,
            "ALBUM" => &mut m.album,
            "ALBUM_ARTIST" => &mut m.album_artist,
            "COMPOSER" => &mut m.composer,
            "PERFORMER" => &mut m.performer,
            "COPYRIGHT" => &mut m.copyright,
            "DESCRIPTION" | "SYNOPSIS" | "SUMMARY" | "COMMENT" => &mut m.description,
            "DATE_RECORDED" => {
                if m.produce_time.is_none() && value.len() >= 10 {
                    m.produce_time = Stamp::parse(&value).map(|s| s.rfc3339());
                }
                return;
            }
            _ => return,
        };
        slot.get_or_insert(value);
    }

    fn attachments(&mut self, ctx: &mut Ctx<'_>, view: View<'_>) {
        // Covers are worth nothing that would have to be fetched.
        let _ = children(view, |file| {
            if file.id != 0x61a7 || view.src.peek(file.body.start, file.body.len().min(4096)).is_none() {
                return Ok(false);
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
                ctx.meta.audio_covers.push(crate::audio::cover(held).unwrap_or_default());
            }
            Ok(ctx.meta.audio_covers.len() < 8)
        });
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
                    && let Some(data) = b.src.peek(b.start + 4, 16.min(b.len().saturating_sub(4)))
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

impl Track {
    fn read(&mut self, view: View<'_>) -> Parse {
        children(view, |e| {
            match e.id {
                0xd7 => self.number = e.uint()?,
                0x83 => self.kind = e.uint()?,
                0x73c5 => self.uid = e.uint()?,
                0x86 => self.codec = e.text()?,
                0x63a2 => {
                    self.private = e.body.upto(0, e.body.len().min(64 * 1024))?.to_vec();
                }
                0x22_b59c => self.language = Some(e.text()?),
                0x22_b59d => self.language = Some(e.text()?),
                0x23_e383 => self.default_duration = e.uint()?,
                0xe0 => children(e.body, |v| {
                    match v.id {
                        0xb0 => self.width = v.uint()?,
                        0xba => self.height = v.uint()?,
                        _ => {}
                    }
                    Ok(true)
                })?,
                0xe1 => children(e.body, |a| {
                    match a.id {
                        0xb5 => self.rate = a.float()?,
                        0x78b5 => self.output_rate = a.float()?,
                        0x9f => self.channels = a.uint()?,
                        0x6264 => self.bits = a.uint()?,
                        _ => {}
                    }
                    Ok(true)
                })?,
                _ => {}
            }
            Ok(true)
        })
    }

    fn name(&self) -> &'static str {
        match self.codec.as_str() {
            "V_MPEG4/ISO/AVC" => "h264",
            "V_MPEGH/ISO/HEVC" => "hevc",
            "V_AV1" => "av1",
            "V_VP8" => "vp8",
            "V_VP9" => "vp9",
            "V_THEORA" => "theora",
            "V_MPEG1" => "mpeg1video",
            "V_MPEG2" => "mpeg2video",
            "V_MPEG4/ISO/SP" | "V_MPEG4/ISO/ASP" | "V_MPEG4/ISO/AP" => "mpeg4",
            "V_MPEG4/MS/V3" => "msmpeg4v3",
            "V_MJPEG" => "mjpeg",
            "V_PRORES" => "prores",
            "V_FFV1" => "ffv1",
            "V_MS/VFW/FOURCC" => self.private.get(16..20).map_or("", super::avi::fourcc_codec),
            "A_OPUS" => "opus",
            "A_VORBIS" => "vorbis",
            "A_FLAC" => "flac",
            "A_ALAC" => "alac",
            "A_MPEG/L3" => "mp3",
            "A_MPEG/L2" => "mp2",
            "A_MPEG/L1" => "mp1",
            "A_TRUEHD" => "truehd",
            "A_EAC3" => "eac3",
            "A_PCM/INT/LIT" => match self.bits {
                8 => "pcm_u8",
                24 => "pcm_s24le",
                32 => "pcm_s32le",
                _ => "pcm_s16le",
            },
            "A_PCM/INT/BIG" => match self.bits {
                24 => "pcm_s24be",
                32 => "pcm_s32be",
                _ => "pcm_s16be",
            },
            "A_PCM/FLOAT/IEEE" => "pcm_f32le",
            "A_WAVPACK4" => "wavpack",
            "A_MS/ACM" => crate::bytes::le16(&self.private, 0)
                .map_or("", |tag| crate::audio::riff::wave_codec(tag, self.bits as u16)),
            "S_TEXT/UTF8" | "S_TEXT/ASCII" => "subrip",
            "S_TEXT/ASS" | "S_TEXT/SSA" | "S_ASS" | "S_SSA" => "ass",
            "S_TEXT/WEBVTT" | "D_WEBVTT/SUBTITLES" => "webvtt",
            "S_HDMV/PGS" => "hdmv_pgs_subtitle",
            "S_VOBSUB" => "dvd_subtitle",
            "S_DVBSUB" => "dvb_subtitle",
            other if other.starts_with("A_AAC") => "aac",
            other if other.starts_with("A_AC3") => "ac3",
            other if other.starts_with("A_DTS") => "dts",
            _ => "",
        }
    }

    fn write(self, ctx: &mut Ctx<'_>, index: u32, frame: &[u8]) {
        let name = self.name();
        let total = self.duration.or(ctx.meta.duration);
        let language = self.language.clone().filter(|l| l != "und" && !l.is_empty());
        let side = |n: u64| u32::try_from(n).ok().filter(|n| *n > 0);
        match self.kind {
            1 => {
                let mut v = if name.is_empty() { VideoStream::default() } else { VideoStream::of(name) };
                match name {
                    "h264" => codec::avcc(&mut v, &self.private),
                    "hevc" => codec::hvcc(&mut v, &self.private),
                    "av1" => codec::av1c(&mut v, &self.private),
                    "vp8" | "theora" | "mpeg4" => v.pixel_format = Some("yuv420p".into()),
                    "vp9" => vp9_private(&mut v, &self.private, frame),
                    _ => {}
                }
                v.index = Some(index);
                v.width = side(self.width).or(v.width);
                v.height = side(self.height).or(v.height);
                if let (Some(w), Some(h)) = (v.width, v.height) {
                    v.display_aspect_ratio = codec::display_aspect(w, h, (1, 1));
                }
                v.frame_rate = frame_rate(self.default_duration);
                v.average_frame_rate = v.frame_rate.clone();
                v.time_base = Some("1/1000".into());
                v.duration = total;
                v.language = language;
                ctx.meta.video_streams.push(v);
            }
            2 => {
                let mut rate = if self.output_rate > 0.0 { self.output_rate } else { self.rate };
                let mut channels = self.channels as u32;
                if name == "aac"
                    && let Some((r, c, _)) = codec::aac_config(&self.private)
                {
                    rate = f64::from(r);
                    channels = if c > 0 { c } else { channels };
                }
                let rate = if name == "opus" { 48_000 } else { rate.clamp(0.0, 1e7) as u32 };
                let a = if name.is_empty() { AudioStream::default() } else { AudioStream::of(name) };
                let mut a = a.shaped(rate, channels);
                a.index = Some(index);
                a.time_base = Some("1/1000".into());
                a.duration = total;
                a.language = language;
                ctx.meta.audio_streams.push(a);
            }
            0x11 => {
                let mut s =
                    if name.is_empty() { SubtitleStream::default() } else { SubtitleStream::of(name) };
                s.index = Some(index);
                s.duration = total;
                s.language = language;
                ctx.meta.subtitles.push(s);
            }
            _ => {}
        }
    }
}

/// Nanoseconds a frame as a rate; the usual rates in their usual form.
fn frame_rate(nanoseconds: u64) -> Option<String> {
    if nanoseconds == 0 {
        return None;
    }
    let rate = 1e9 / nanoseconds as f64;
    for (n, d) in
        [(24_000u64, 1001u64), (24, 1), (25, 1), (30_000, 1001), (30, 1), (50, 1), (60_000, 1001), (60, 1)]
    {
        if (rate - n as f64 / d as f64).abs() < 1e-3 {
            return Some(format!("{n}/{d}"));
        }
    }
    codec::fraction(1_000_000_000, nanoseconds)
}

/// VP9 features: identifier, length, value.
fn vp9_private(v: &mut VideoStream, b: &[u8], frame: &[u8]) {
    let (mut depth, mut chroma) = vp9_frame(frame).unwrap_or((8, 1));
    for f in b.chunks_exact(3) {
        match *f {
            [1, 1, profile] => v.profile = Some(format!("Profile {profile}")),
            [2, 1, level] => v.level = Some(i32::from(level)),
            [3, 1, bits] => depth = u32::from(bits),
            [4, 1, c] => chroma = if c < 2 { 1 } else { u32::from(c) },
            _ => {}
        }
    }
    v.pixel_format = codec::pixel_format(chroma, depth, false);
}

/// Depth and chroma of a VP9 key frame's header.
fn vp9_frame(b: &[u8]) -> Option<(u32, u32)> {
    let mut r = codec::BitReader::new(b);
    (r.bits(2)? == 2).then_some(())?;
    let profile = r.bits(1)? | r.bits(1)? << 1;
    if profile == 3 {
        r.bits(1)?;
    }
    // Not a repeated frame, and a key frame.
    (r.bits(2)? == 0).then_some(())?;
    r.bits(2)?;
    (r.bits(24)? == 0x49_8342).then_some(())?;
    let depth = match profile {
        0 | 1 => 8,
        _ if r.bits(1)? == 1 => 12,
        _ => 10,
    };
    // Profiles 0 and 2 are 4:2:0.
    (profile & 1 == 0).then_some((depth, 1))
}
