//! Ogg: Vorbis, Opus, Speex, FLAC, Theora, VP8. Headers in front, duration from
//! the last page.

use crate::audio::{flac, vorbis};
use crate::bytes::{be16, be32, le16, le32, le64};
use crate::codec::{self, fraction};
use crate::ctx::Ctx;
use crate::metadata::{AudioStream, MediaType, VideoStream};
use crate::source::{Parse, Stop};

/// Searched at the end for the last page.
const TAIL: u64 = 64 * 1024;
/// Header packets longer than this (pictures in comments) are cut.
const MAX_PACKET: usize = 2 * 1024 * 1024;

#[derive(Default)]
struct Logical {
    serial: u32,
    packets: Vec<Vec<u8>>,
    open: Vec<u8>,
    /// Packets that make the headers, by codec.
    wanted: usize,
    codec: &'static str,
    /// Position of the first page behind the headers, and packets that end in it.
    first_granule: Option<(u64, u64)>,
    last_granule: Option<u64>,
    ended: bool,
}

struct Page<'a> {
    flags: u8,
    granule: u64,
    serial: u32,
    lacing: &'a [u8],
    body: &'a [u8],
    len: usize,
}

fn page(b: &[u8]) -> Option<Page<'_>> {
    if !b.starts_with(b"OggS") {
        return None;
    }
    let segments = usize::from(*b.get(26)?);
    let lacing = b.get(27..27 + segments)?;
    let body_len: usize = lacing.iter().map(|l| usize::from(*l)).sum();
    let body = b.get(27 + segments..)?;
    Some(Page {
        flags: *b.get(5)?,
        granule: le64(b, 6)?,
        serial: le32(b, 14)?,
        lacing,
        body: body.get(..body_len.min(body.len()))?,
        len: 27 + segments + body_len,
    })
}

/// Most streams kept.
const MAX_STREAMS: usize = 32;

pub(crate) fn read(ctx: &mut Ctx<'_>) -> Parse {
    let src = ctx.src;
    let size = src.size();
    let held = src.held_from(0);
    let mut streams: Vec<Logical> = Vec::new();
    let mut at = 0;
    let mut stopped = false;
    while let Some(p) = held.get(at..).and_then(page) {
        ctx.tick()?;
        let whole = at + p.len <= held.len();
        let begins = p.flags & 2 != 0 && !streams.iter().any(|s| s.serial == p.serial);
        if begins && streams.len() >= MAX_STREAMS {
            ctx.stopped("streams", Stop::Limit("more than are kept"));
        } else if begins {
            streams.push(Logical { serial: p.serial, ..Logical::default() });
        }
        if let Some(stream) = streams.iter_mut().find(|s| s.serial == p.serial) {
            stream.take(&p);
        }
        at += p.len;
        // All streams begin before the first goes on.
        if p.flags & 2 == 0 && streams.iter().all(Logical::complete) {
            break;
        }
        if !whole {
            stopped = true;
            break;
        }
    }
    // Headers beyond the head (pictures in comments): read on, a little at a time.
    // A page's header takes up to 282 bytes: a shorter rest may be one that is not whole.
    if (stopped || at + 282 > held.len())
        && !streams.iter().all(Logical::complete)
        && (held.len() as u64) < size
    {
        let from = held.len() as u64;
        if from < MAX_PACKET as u64 {
            src.note_missing(from..(from + from.clamp(256 * 1024, 1024 * 1024)).min(size));
        } else {
            ctx.stopped("comments", Stop::Limit("longer than is read of a header"));
        }
    }
    let tail_at = size.saturating_sub(TAIL);
    let tail = src.upto(tail_at, size - tail_at);
    if let Ok(tail) = tail {
        last_granules(tail, &mut streams);
    }
    // Starts later than zero matter for cut streams; the next pages tell.
    first_granules(held.get(at..).unwrap_or_default(), &mut streams);
    if streams.is_empty() {
        return Err(Stop::Malformed("no Ogg stream"));
    }
    write(ctx, &streams);
    tail.map(|_| ())
}

impl Logical {
    fn complete(&self) -> bool {
        self.ended || (self.wanted > 0 && self.packets.len() >= self.wanted)
    }

    /// Adds a page's packets while headers are wanted.
    fn take(&mut self, p: &Page<'_>) {
        if self.complete() {
            return;
        }
        let mut at = 0;
        for lace in p.lacing {
            let len = usize::from(*lace);
            let Some(part) = p.body.get(at..(at + len).min(p.body.len())) else { break };
            if self.open.len() < MAX_PACKET {
                self.open.extend_from_slice(part);
            }
            at += len;
            if len < 255 {
                let packet = std::mem::take(&mut self.open);
                if self.packets.is_empty() {
                    (self.codec, self.wanted) = identify(&packet);
                }
                self.packets.push(packet);
                if self.complete() {
                    return;
                }
            }
        }
        // A comment packet that is cut is still worth reading.
    }
}

/// Codec and number of packets that hold its parameters and comments.
fn identify(packet: &[u8]) -> (&'static str, usize) {
    match packet {
        [1, b'v', b'o', b'r', b'b', b'i', b's', ..] => ("vorbis", 2),
        [b'O', b'p', b'u', b's', b'H', b'e', b'a', b'd', ..] => ("opus", 2),
        [b'S', b'p', b'e', b'e', b'x', b' ', ..] => ("speex", 2),
        [0x7f, b'F', b'L', b'A', b'C', ..] => ("flac", 2),
        [0x80, b't', b'h', b'e', b'o', b'r', b'a', ..] => ("theora", 2),
        [b'O', b'V', b'P', b'8', b'0', ..] => ("vp8", 2),
        _ => ("", 1),
    }
}

/// The last page with a position, for each stream.
fn last_granules(tail: &[u8], streams: &mut [Logical]) {
    let mut at = 0;
    while let Some(hit) = tail.get(at..).and_then(|t| crate::bytes::find(t, b"OggS")) {
        at += hit;
        if let Some(p) = tail.get(at..).and_then(page)
            && p.granule != u64::MAX
            && let Some(s) = streams.iter_mut().find(|s| s.serial == p.serial)
        {
            s.last_granule = s.last_granule.max(Some(p.granule));
        }
        at += 4;
    }
}

/// Position at the start of the sound, where the first page says it is not zero.
fn first_granules(mut rest: &[u8], streams: &mut [Logical]) {
    for _ in 0..64 {
        let Some(p) = page(rest) else { break };
        if let Some(s) = streams.iter_mut().find(|s| s.serial == p.serial)
            && s.first_granule.is_none()
            && p.granule != u64::MAX
            && p.granule > 0
        {
            s.first_granule = Some((p.granule, p.lacing.iter().filter(|l| **l < 255).count() as u64));
        }
        rest = rest.get(p.len..).unwrap_or_default();
    }
}

fn write(ctx: &mut Ctx<'_>, streams: &[Logical]) {
    let mut longest = 0.0f64;
    for (index, s) in streams.iter().enumerate() {
        let head = s.packets.first().map(Vec::as_slice).unwrap_or_default();
        let seconds = match s.codec {
            "theora" | "vp8" => video(ctx, s, head, index as u32),
            _ => sound(ctx, s, head, index as u32),
        };
        longest = longest.max(seconds.unwrap_or(0.0));
        let comments = s.packets.get(1).unwrap_or(&s.open);
        let skip = match s.codec {
            "vorbis" | "theora" => 7,
            "opus" => 8,
            "flac" => 4,
            "vp8" => 7,
            _ => 0,
        };
        if !s.codec.is_empty() {
            vorbis::comments(ctx, comments.get(skip..).unwrap_or_default());
        }
    }
    ctx.meta.format_name = Some("ogg".into());
    ctx.meta.format_long_name = Some("Ogg".into());
    ctx.meta.stream_count = Some(streams.len() as u32);
    ctx.meta.duration = codec::seconds(longest);
    ctx.meta.bitrate = ctx.meta.duration.and_then(|d| codec::bitrate(ctx.src.size(), d));
    if let Some(v) = ctx.meta.video_streams.first() {
        ctx.meta.video_width = v.width;
        ctx.meta.video_height = v.height;
        ctx.kind.media = MediaType::Video;
        ctx.refine("ogv", "video/ogg");
    } else if ctx.meta.audio_streams.first().is_some_and(|a| a.codec_name.as_deref() == Some("opus")) {
        ctx.refine("ogg", "audio/ogg");
    }
}

fn sound(ctx: &mut Ctx<'_>, s: &Logical, head: &[u8], index: u32) -> Option<f64> {
    let (rate, channels, clock, skip) = match s.codec {
        "vorbis" => {
            let rate = le32(head, 12)?;
            (rate, u32::from(*head.get(11)?), rate, 0)
        }
        "opus" => (48_000, u32::from(*head.get(9)?), 48_000, u64::from(le16(head, 10)?)),
        "speex" => {
            let rate = le32(head, 36)?;
            (rate, le32(head, 48)?, rate, 0)
        }
        "flac" => {
            let (stream, _) = flac::info(head.get(17..)?)?;
            let rate = stream.sample_rate?;
            (rate, stream.channels?, rate, 0)
        }
        _ => return None,
    };
    let mut stream = AudioStream::of(s.codec).shaped(rate, channels);
    let seconds =
        s.last_granule.filter(|_| clock > 0).map(|g| g.saturating_sub(skip) as f64 / f64::from(clock));
    stream.index = Some(index);
    stream.duration = seconds.and_then(codec::seconds);
    stream.time_base = fraction(1, u64::from(clock));
    stream.sample_format = Some(if s.codec == "flac" { "s16" } else { "fltp" }.into());
    if s.codec == "vorbis" {
        stream.bitrate = le32(head, 20).filter(|b| (1..10_000_000).contains(b)).map(u64::from);
    }
    ctx.meta.audio_streams.push(stream);
    seconds
}

fn video(ctx: &mut Ctx<'_>, s: &Logical, head: &[u8], index: u32) -> Option<f64> {
    let mut stream = VideoStream::of(s.codec);
    let (frames_n, frames_d, frames);
    if s.codec == "theora" {
        stream.width = crate::bytes::be24(head, 14);
        stream.height = crate::bytes::be24(head, 17);
        (frames_n, frames_d) = (be32(head, 22)?, be32(head, 26)?);
        // The position is key frame number and frames since, split by a shift.
        let shift = u32::from(be16(head, 40)? >> 5 & 31);
        let count = |g: u64| (g >> shift) + (g & ((1 << shift) - 1));
        // A part of a longer film goes on counting.
        let before = s.first_granule.map_or(0, |(g, packets)| count(g).saturating_sub(packets));
        frames = s.last_granule.map(|g| count(g).saturating_sub(before));
        stream.pixel_format = match head.get(41).map(|b| b >> 3 & 3) {
            Some(2) => Some("yuv422p".into()),
            Some(3) => Some("yuv444p".into()),
            _ => Some("yuv420p".into()),
        };
    } else {
        stream.width = be16(head, 8).map(u32::from);
        stream.height = be16(head, 10).map(u32::from);
        (frames_n, frames_d) = (be32(head, 18)?, be32(head, 22)?);
        frames = s.last_granule.map(|g| g >> 32);
        stream.pixel_format = Some("yuv420p".into());
    }
    let seconds =
        frames.filter(|_| frames_n > 0).map(|f| f as f64 * f64::from(frames_d) / f64::from(frames_n));
    stream.index = Some(index);
    stream.frame_rate = fraction(u64::from(frames_n), u64::from(frames_d));
    stream.average_frame_rate = stream.frame_rate.clone();
    stream.time_base = fraction(u64::from(frames_d), u64::from(frames_n));
    stream.duration = seconds.and_then(codec::seconds);
    if let (Some(w), Some(h)) = (stream.width, stream.height) {
        stream.display_aspect_ratio = codec::display_aspect(w, h, (1, 1));
    }
    ctx.meta.video_streams.push(stream);
    seconds
}
