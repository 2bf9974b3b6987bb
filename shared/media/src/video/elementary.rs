//! The elementary streams of a multiplex (transport or program stream): what their
//! first packets and their clocks say.

use std::collections::BTreeMap;

use crate::audio::mpeg::Frame;
use crate::bytes::{be16, be24};
use crate::codec;
use crate::ctx::Ctx;
use crate::extra::film;
use crate::metadata::{AudioStream, MediaType, VideoStream};

/// Clock ticks a second of the times in packets.
const CLOCK: f64 = 90_000.0;

#[derive(Default)]
pub(super) struct Elementary {
    /// Stream type of the program map.
    pub(super) kind: u8,
    /// First bytes of the stream itself.
    head: Vec<u8>,
    started: bool,
    /// Whether the head begins with the parameters of the pictures.
    whole: bool,
    first: Option<u64>,
    last: Option<u64>,
    /// Time of the packet before.
    before: Option<u64>,
    /// Smallest distance of two times: a frame.
    step: Option<u64>,
    language: Option<String>,
    registration: [u8; 4],
}

/// All streams of a multiplex, by their number in it.
#[derive(Default)]
pub(super) struct Multiplex {
    pub(super) streams: BTreeMap<u16, Elementary>,
    pub(super) programs: u32,
    /// More streams or programs than are kept.
    pub(super) limited: bool,
}

/// Streams and programs that are kept. Broadcasts have some forty.
pub(super) const MAX_STREAMS: usize = 64;

impl Elementary {
    pub(super) fn of(kind: u8) -> Self {
        Elementary { kind, ..Elementary::default() }
    }

    /// With what the program map says of it.
    pub(super) fn described(kind: u8, language: Option<String>, registration: [u8; 4]) -> Self {
        Elementary { kind, language, registration, ..Elementary::default() }
    }

    /// The first bytes of the stream itself.
    pub(super) fn head(&self) -> &[u8] {
        &self.head
    }

    /// Takes a transport packet's content, which begins a PES packet or goes on in it.
    pub(super) fn packet(&mut self, payload: &[u8], begins: bool) {
        if !begins {
            self.content(payload);
        } else if be24(payload, 0) == Some(1)
            && let Some((time, body)) = pes(payload)
        {
            self.timed(time, body);
        }
    }

    /// Takes the content of a PES packet and its time.
    pub(super) fn timed(&mut self, time: Option<u64>, body: &[u8]) {
        self.started = true;
        // A stream that was cut begins with pictures that cannot be shown; what tells
        // of them comes with the next key frame.
        if !self.whole && begins_sequence(self.kind, body) {
            self.whole = true;
            self.head.clear();
        }
        self.content(body);
        let Some(time) = time else { return };
        // Packets come in decoding order: a frame is the least distance either way.
        if let Some(step) = self.before.map(|b| b.abs_diff(time)).filter(|s| *s > 0) {
            self.step = Some(self.step.map_or(step, |s| s.min(step)));
        }
        self.before = Some(time);
        self.first = Some(self.first.map_or(time, |f| f.min(time)));
        self.last = Some(self.last.map_or(time, |l| l.max(time)));
    }

    fn content(&mut self, body: &[u8]) {
        if self.started && self.head.len() < 4096 {
            self.head.extend_from_slice(body);
        }
    }

    /// Frames a second by the distance of two, where that is a usual rate.
    fn rate(&self) -> Option<String> {
        const RATES: [(u64, u64); 8] =
            [(24_000, 1001), (24, 1), (25, 1), (30_000, 1001), (30, 1), (50, 1), (60_000, 1001), (60, 1)];
        let rate = CLOCK / self.step? as f64;
        let near = |n: u64, d: u64| (rate * d as f64 / n as f64 - 1.0).abs() < 0.0008;
        let (n, d) = RATES.into_iter().find(|(n, d)| near(*n, *d))?;
        codec::fraction(n, d)
    }
}

/// Presentation time (90 kHz) and content of a PES packet.
pub(super) fn pes(b: &[u8]) -> Option<(Option<u64>, &[u8])> {
    let flags = *b.get(7)?;
    let skip = 9 + usize::from(*b.get(8)?);
    let time = if flags & 0x80 != 0 { b.get(9..14).and_then(clock) } else { None };
    Some((time, b.get(skip..)?))
}

/// A time stamp of five bytes.
pub(super) fn clock(b: &[u8]) -> Option<u64> {
    match *b {
        [a, b, c, d, e] => Some(
            u64::from(a >> 1 & 7) << 30
                | u64::from(b) << 22
                | u64::from(c >> 1) << 15
                | u64::from(d) << 7
                | u64::from(e >> 1),
        ),
        _ => None,
    }
}

enum Kind {
    Video(&'static str),
    Audio(&'static str),
    Other,
}

/// Whether a packet has a sequence's header (MPEG-1 and 2) or parameter set (H.264, HEVC).
fn begins_sequence(kind: u8, body: &[u8]) -> bool {
    body.windows(4).any(|w| match (kind, w) {
        (1 | 2, [0, 0, 1, code]) => *code == 0xb3,
        (0x1b, [0, 0, 1, code]) => code & 31 == 7,
        (0x24, [0, 0, 1, code]) => code >> 1 & 63 == 33,
        _ => false,
    })
}

fn kind_of(e: &Elementary) -> Kind {
    match e.kind {
        0x01 => Kind::Video("mpeg1video"),
        0x02 => Kind::Video("mpeg2video"),
        0x10 => Kind::Video("mpeg4"),
        0x1b => Kind::Video("h264"),
        0x24 => Kind::Video("hevc"),
        0x33 => Kind::Video("vvc"),
        0xea => Kind::Video("vc1"),
        0x03 | 0x04 => Kind::Audio("mp3"),
        0x0f => Kind::Audio("aac"),
        0x11 => Kind::Audio("aac_latm"),
        0x83 => Kind::Audio("truehd"),
        0x81 => Kind::Audio("ac3"),
        0x84 | 0x87 | 0xc2 => Kind::Audio("eac3"),
        // 0x86 is splice information, but for Blu-ray.
        0x82 | 0x85 | 0x8a => Kind::Audio("dts"),
        0x86 if &e.registration == b"DTS1" || &e.registration == b"HDMV" => Kind::Audio("dts"),
        0x06 => match &e.registration {
            b"AC-3" => Kind::Audio("ac3"),
            b"EAC3" => Kind::Audio("eac3"),
            b"Opus" => Kind::Audio("opus"),
            b"HEVC" => Kind::Video("hevc"),
            _ => Kind::Other,
        },
        _ => Kind::Other,
    }
}

/// Fills the record from all streams.
pub(super) fn write(ctx: &mut Ctx<'_>, p: Multiplex, format: (&str, &str)) {
    let mut first = u64::MAX;
    let mut last = 0;
    for (index, e) in p.streams.values().enumerate() {
        let index = index as u32;
        let kind = kind_of(e);
        if matches!(kind, Kind::Other) {
            continue;
        }
        if let (Some(f), Some(l)) = (e.first, e.last) {
            first = first.min(f);
            // A packet of sound holds several frames, and how many of the last one is not known.
            let frame = e.step.filter(|s| *s < 90_000 && matches!(kind, Kind::Video(_)));
            last = last.max(l + frame.unwrap_or(0));
        }
        match kind {
            Kind::Video(name) => {
                let mut v = video_stream(name, &e.head);
                if name == "h264" {
                    film::camcorder(ctx, &e.head);
                } else if film::is_hdr10_plus(&e.head) {
                    ctx.meta.extra.hdr_format.push("HDR10+".into());
                }
                v.index = Some(index);
                if v.average_frame_rate.is_none() {
                    v.average_frame_rate = e.rate();
                    v.frame_rate = v.frame_rate.or_else(|| v.average_frame_rate.clone());
                }
                v.codec_tag = Some(format!("0x{:04x}", e.kind));
                v.time_base = Some("1/90000".into());
                v.language.clone_from(&e.language);
                ctx.meta.video_streams.push(v);
            }
            Kind::Audio(name) => {
                let mut a = audio_stream(name, &e.head);
                a.index = Some(index);
                a.codec_tag = Some(format!("0x{:04x}", e.kind));
                a.time_base = Some("1/90000".into());
                a.language.clone_from(&e.language);
                ctx.meta.audio_streams.push(a);
            }
            Kind::Other => {}
        }
    }
    // The clock wraps after 26 hours.
    let span = last.checked_sub(first).filter(|_| first != u64::MAX).unwrap_or(0);
    let seconds = span as f64 / 90_000.0;
    ctx.meta.format_name = Some(format.0.into());
    ctx.meta.format_long_name = Some(format.1.into());
    ctx.meta.duration = codec::seconds(seconds);
    ctx.meta.start_time = (first != u64::MAX).then(|| first as f64 / 90_000.0);
    ctx.meta.bitrate = codec::bitrate(ctx.src.size(), seconds);
    ctx.meta.stream_count = Some(p.streams.len() as u32);
    ctx.meta.program_count = Some(p.programs).filter(|n| *n > 0);
    if p.limited {
        super::note_streams(ctx, MAX_STREAMS);
    }
    match ctx.meta.video_streams.first().map(|v| (v.width, v.height)) {
        Some((w, h)) => {
            ctx.meta.video_width = w;
            ctx.meta.video_height = h;
        }
        // Sound alone is still a transport stream, but nothing to look at.
        None if !ctx.meta.audio_streams.is_empty() => ctx.kind.media = MediaType::Audio,
        None => {}
    }
}

/// Finds parameters in the head of a video stream.
pub(super) fn video_stream(name: &str, head: &[u8]) -> VideoStream {
    let mut v = VideoStream::of(name);
    let mut at = 0;
    while let Some(hit) = head.get(at..).and_then(|h| crate::bytes::find(h, &[0, 0, 1])) {
        at += hit + 3;
        let Some(nal) = head.get(at..) else { break };
        match (name, nal.first()) {
            ("h264", Some(b)) if b & 31 == 7 => {
                if let Some(sps) = crate::sps::h264_sps(nal) {
                    v.with_sps(&sps);
                    v.frame_rate = sps.rate.and_then(|(n, d)| codec::fraction(n, d));
                    v.average_frame_rate = v.frame_rate.clone();
                    break;
                }
            }
            ("mpeg2video" | "mpeg1video", Some(0xb3)) => {
                if let Some(size) = be24(nal, 1) {
                    v.width = Some(size >> 12);
                    v.height = Some(size & 0xfff);
                    // Behind it an extension may name another chroma.
                    let chroma = crate::sps::mpeg2_chroma(nal.get(..nal.len().min(512)).unwrap_or_default());
                    v.pixel_format = codec::pixel_format(chroma.unwrap_or(1), 8, false);
                }
                let rates = [
                    (0, 1),
                    (24_000, 1001),
                    (24, 1),
                    (25, 1),
                    (30_000, 1001),
                    (30, 1),
                    (50, 1),
                    (60_000, 1001),
                    (60, 1),
                ];
                let rate = nal.get(4).and_then(|b| rates.get(usize::from(b & 15)));
                v.frame_rate = rate.and_then(|(n, d)| codec::fraction(*n, *d));
                v.average_frame_rate = v.frame_rate.clone();
                break;
            }
            ("mpeg4", Some(0x20..=0x2f)) => {
                if let Some((w, h)) = mpeg4_size(nal.get(1..).unwrap_or_default()) {
                    (v.width, v.height) = (Some(w), Some(h));
                }
                v.pixel_format = Some("yuv420p".into());
                break;
            }
            ("hevc", Some(b)) if b >> 1 & 63 == 33 => {
                if let Some(sps) = crate::sps::hevc_sps(nal) {
                    (v.width, v.height) = (Some(sps.width), Some(sps.height));
                    v.with_hevc_sps(&sps);
                }
                break;
            }
            _ => {}
        }
    }
    if let (Some(w), Some(h)) = (v.width, v.height) {
        v.display_aspect_ratio = codec::display_aspect(w, h, (1, 1));
    }
    v
}

/// Size in an MPEG-4 video object layer.
fn mpeg4_size(b: &[u8]) -> Option<(u32, u32)> {
    let mut r = codec::BitReader::new(b);
    r.bits(9)?;
    let version = if r.bits(1)? == 1 {
        let v = r.bits(4)?;
        r.bits(3)?;
        v
    } else {
        1
    };
    if r.bits(4)? == 15 {
        r.bits(16)?;
    }
    if r.bits(1)? == 1 {
        r.bits(3)?;
        if r.bits(1)? == 1 {
            r.bits(32)?;
            r.bits(32)?;
            r.bits(15)?;
        }
    }
    let shape = r.bits(2)?;
    if shape == 3 && version != 1 {
        r.bits(4)?;
    }
    r.bits(1)?;
    let resolution = r.bits(16)?;
    r.bits(1)?;
    if r.bits(1)? == 1 {
        let bits = 32 - resolution.saturating_sub(1).leading_zeros();
        r.bits(bits.max(1) as usize)?;
    }
    if shape != 0 {
        return None;
    }
    r.bits(1)?;
    let width = r.bits(13)?;
    r.bits(1)?;
    Some((width, r.bits(13)?))
}

fn audio_stream(name: &'static str, head: &[u8]) -> AudioStream {
    match name {
        "mp3" => {
            let frame = (0..head.len().min(2048)).find_map(|i| head.get(i..).and_then(Frame::parse));
            let Some(f) = frame else { return AudioStream::of("mp2") };
            let name = match f.layer {
                1 => "mp1",
                2 => "mp2",
                _ => "mp3",
            };
            let mut a = AudioStream::of(name).shaped(f.sample_rate, f.channels);
            a.bitrate = Some(u64::from(f.bitrate));
            a
        }
        "aac" => {
            let found = (0..head.len().min(2048)).find_map(|i| {
                let b = head.get(i..i + 4)?;
                (be16(b, 0)? & 0xfff6 == 0xfff0).then_some(())?;
                let rate = codec::aac_rate(u32::from(*b.get(2)? >> 2 & 15))?;
                Some((rate, u32::from(b.get(2)? & 1) << 2 | u32::from(*b.get(3)? >> 6)))
            });
            let (rate, channels) = found.unwrap_or((0, 0));
            AudioStream::of("aac").shaped(rate, if channels == 7 { 8 } else { channels })
        }
        "ac3" | "eac3" => {
            let found = (0..head.len().min(2048)).find_map(|i| crate::audio::ac3_frame(head.get(i..)?));
            let Some((found, rate, channels, bits)) = found else { return AudioStream::of(name) };
            let mut a = AudioStream::of(found).shaped(rate, channels);
            a.bitrate = Some(bits);
            a
        }
        "aac_latm" => {
            let found = (0..head.len().min(2048)).find_map(|i| {
                let b = head.get(i..)?;
                (be24(b, 0)? >> 13 == 0x2b7).then_some(())?;
                crate::audio::latm_config(b.get(3..)?)
            });
            found.map_or_else(|| AudioStream::of(name), |(rate, n)| AudioStream::of(name).shaped(rate, n))
        }
        "dts" => {
            let found = (0..head.len().min(4096)).find_map(|i| crate::audio::dts_frame(head.get(i..)?));
            found.map_or_else(|| AudioStream::of(name), |(rate, n, ..)| AudioStream::of(name).shaped(rate, n))
        }
        "truehd" => {
            let found = (0..head.len().min(4096)).find_map(|i| truehd_sync(head.get(i..)?));
            found.map_or_else(|| AudioStream::of(name), |(rate, n)| AudioStream::of(name).shaped(rate, n))
        }
        _ => AudioStream::of(name),
    }
}

/// Rate and channels of TrueHD's major sync.
pub(super) fn truehd_sync(b: &[u8]) -> Option<(u32, u32)> {
    // Channels that each bit of the assignment stands for.
    const SIX: [u32; 5] = [2, 1, 1, 2, 2];
    const ALL: [u32; 13] = [2, 1, 1, 2, 2, 2, 2, 1, 1, 2, 2, 1, 1];
    let rest = b.strip_prefix(&[0xf8, 0x72, 0x6f, 0xba])?;
    let word = crate::bytes::be32(rest, 0)?;
    let code = word >> 28;
    let base = if code & 8 != 0 { 44_100 } else { 48_000 };
    let rate = if code == 15 { return None } else { base << (code & 7) };
    let count = |bits: u32, names: &[u32]| -> u32 {
        names.iter().enumerate().filter(|(i, _)| bits >> i & 1 == 1).map(|(_, n)| *n).sum()
    };
    let (six, all) = (count(word >> 15 & 0x1f, &SIX), count(word & 0x1fff, &ALL));
    Some((rate, if all > 0 { all } else { six })).filter(|(rate, n)| *rate <= 192_000 && *n > 0)
}
