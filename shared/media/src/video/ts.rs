//! MPEG transport and program streams: tables and first packets in front, clocks
//! at both ends.

use std::collections::BTreeMap;

use crate::audio::mpeg::Frame;
use crate::bytes::{be16, be24};
use crate::codec;
use crate::ctx::Ctx;
use crate::metadata::{AudioStream, MediaType, VideoStream};
use crate::source::{Parse, Stop};

/// Read at the end for the last clock.
const TAIL: u64 = 64 * 1024;

#[derive(Default)]
struct Elementary {
    kind: u8,
    /// First bytes of the stream itself.
    head: Vec<u8>,
    started: bool,
    first: Option<u64>,
    last: Option<u64>,
    /// Smallest distance of two times: a frame.
    step: Option<u64>,
    language: Option<String>,
    registration: [u8; 4],
}

#[derive(Default)]
struct Programs {
    maps: Vec<u16>,
    streams: BTreeMap<u16, Elementary>,
    programs: u32,
}

pub(crate) fn read(ctx: &mut Ctx<'_>) -> Parse {
    let src = ctx.src;
    let size = src.size();
    let head = src.held_from(0);
    let (start, step) = if head.first() == Some(&0x47) { (0, 188) } else { (4, 192) };
    let mut p = Programs::default();
    p.scan(head, start, step);
    // Aligned on a packet, so that the tail starts with one.
    let tail_at = size.saturating_sub(TAIL) / step as u64 * step as u64;
    let tail = src.upto(tail_at, size - tail_at)?;
    if head.len() as u64 <= tail_at {
        p.scan(tail, start, step);
    } else if (head.len() as u64) < size {
        p.scan(src.held_from((head.len() / step * step) as u64), start, step);
    }
    if p.streams.is_empty() {
        return Err(Stop::Malformed("no program map in the head"));
    }
    write(ctx, p, ("mpegts", "MPEG-TS (MPEG-2 Transport Stream)"));
    Ok(())
}

impl Programs {
    fn scan(&mut self, bytes: &[u8], start: usize, step: usize) {
        let mut at = start;
        while let Some(packet) = bytes.get(at..at + 188) {
            at += step;
            let (Some(&0x47), Some(pid)) = (packet.first(), be16(packet, 1)) else {
                // Lost: find the next place where two packets begin.
                let rest = bytes.get(at - step + 1..).unwrap_or_default();
                match rest.windows(step + 1).position(|w| w.first() == Some(&0x47) && w.last() == Some(&0x47))
                {
                    Some(skip) => at = at - step + 1 + skip,
                    None => return,
                }
                continue;
            };
            let begins = pid & 0x4000 != 0;
            let pid = pid & 0x1fff;
            let control = packet.get(3).map_or(0, |c| c >> 4 & 3);
            let skip =
                if control & 2 != 0 { 5 + usize::from(packet.get(4).copied().unwrap_or(0)) } else { 4 };
            let Some(payload) = packet.get(skip..).filter(|_| control & 1 != 0) else { continue };
            if pid == 0 && begins {
                self.association(payload);
            } else if self.maps.contains(&pid) && begins {
                self.map(payload);
            } else if let Some(stream) = self.streams.get_mut(&pid) {
                stream.packet(payload, begins);
            }
        }
    }

    fn association(&mut self, payload: &[u8]) {
        let Some(table) = section(payload, 0) else { return };
        let entries = table.get(5..table.len().saturating_sub(4)).unwrap_or_default();
        for e in entries.chunks_exact(4) {
            if let (Some(program), Some(pid)) = (be16(e, 0), be16(e, 2))
                && program != 0
                && !self.maps.contains(&(pid & 0x1fff))
                && self.maps.len() < 64
            {
                self.maps.push(pid & 0x1fff);
                self.programs += 1;
            }
        }
    }

    fn map(&mut self, payload: &[u8]) {
        let Some(table) = section(payload, 2) else { return };
        let Some(info) = be16(table, 7) else { return };
        let end = table.len().saturating_sub(4);
        let mut at = 9 + usize::from(info & 0xfff);
        while let Some(e) = table.get(at..end).filter(|e| e.len() >= 5) {
            let (Some(&kind), Some(pid), Some(len)) = (e.first(), be16(e, 1), be16(e, 3)) else { break };
            let len = usize::from(len & 0xfff);
            let pid = pid & 0x1fff;
            let mut kind = kind;
            let (mut language, mut registration) = (None, [0; 4]);
            let mut rest = e.get(5..(5 + len).min(e.len())).unwrap_or_default();
            while let [tag, n, tail @ ..] = rest {
                let body = tail.get(..usize::from(*n).min(tail.len())).unwrap_or_default();
                match tag {
                    0x0a => language = body.get(..3).map(|l| String::from_utf8_lossy(l).into_owned()),
                    0x05 => {
                        if let Some(&[a, b, c, d]) = body.get(..4) {
                            registration = [a, b, c, d];
                        }
                    }
                    0x6a => kind = 0x81,
                    0x7a => kind = 0x87,
                    0x7b => kind = 0x82,
                    _ => {}
                }
                rest = tail.get(usize::from(*n)..).unwrap_or_default();
            }
            if self.streams.len() < 64 {
                self.streams.entry(pid).or_insert_with(|| Elementary {
                    kind,
                    language,
                    registration,
                    ..Elementary::default()
                });
            }
            at += 5 + len;
        }
    }
}

/// A table that fits its first packet.
fn section(payload: &[u8], id: u8) -> Option<&[u8]> {
    let b = payload.get(1 + usize::from(*payload.first()?)..)?;
    if *b.first()? != id {
        return None;
    }
    let len = usize::from(be16(b, 1)? & 0xfff);
    b.get(3..(3 + len).min(b.len()))
}

impl Elementary {
    fn packet(&mut self, payload: &[u8], begins: bool) {
        let mut body = payload;
        if begins {
            if be24(payload, 0) != Some(1) {
                return;
            }
            if let Some((time, rest)) = pes(payload) {
                if let Some(time) = time {
                    if let Some(last) = self.last
                        && time > last
                    {
                        let step = time - last;
                        self.step = Some(self.step.map_or(step, |s| s.min(step)));
                    }
                    self.first = Some(self.first.map_or(time, |f| f.min(time)));
                    self.last = Some(self.last.map_or(time, |l| l.max(time)));
                }
                body = rest;
            }
            self.started = true;
        }
        if self.started && self.head.len() < 4096 {
            self.head.extend_from_slice(body);
        }
    }
}

/// Presentation time (90 kHz) and content of a PES packet.
fn pes(b: &[u8]) -> Option<(Option<u64>, &[u8])> {
    let flags = *b.get(7)?;
    let skip = 9 + usize::from(*b.get(8)?);
    let time = if flags & 0x80 != 0 { b.get(9..14).and_then(clock) } else { None };
    Some((time, b.get(skip..)?))
}

fn clock(b: &[u8]) -> Option<u64> {
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
        0x0f | 0x11 => Kind::Audio("aac"),
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

fn write(ctx: &mut Ctx<'_>, p: Programs, format: (&str, &str)) {
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
            last = last.max(l + e.step.filter(|s| *s < 90_000).unwrap_or(0));
        }
        match kind {
            Kind::Video(name) => {
                let mut v = video_stream(name, &e.head);
                v.index = Some(index);
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
fn video_stream(name: &str, head: &[u8]) -> VideoStream {
    let mut v = VideoStream::of(name);
    let mut at = 0;
    while let Some(hit) = head.get(at..).and_then(|h| crate::bytes::find(h, &[0, 0, 1])) {
        at += hit + 3;
        let Some(nal) = head.get(at..) else { break };
        match (name, nal.first()) {
            ("h264", Some(b)) if b & 31 == 7 => {
                if let Some(sps) = codec::h264_sps(nal) {
                    v.with_sps(&sps);
                    break;
                }
            }
            ("mpeg2video" | "mpeg1video", Some(0xb3)) => {
                if let Some(size) = be24(nal, 1) {
                    v.width = Some(size >> 12);
                    v.height = Some(size & 0xfff);
                    v.pixel_format = Some("yuv420p".into());
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
                if let Some((w, h)) = hevc_size(nal) {
                    (v.width, v.height) = (Some(w), Some(h));
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

/// Size in an HEVC sequence parameter set.
fn hevc_size(nal: &[u8]) -> Option<(u32, u32)> {
    let mut raw = Vec::with_capacity(nal.len().min(256));
    for (i, b) in nal.iter().enumerate().take(256).skip(2) {
        if !(*b == 3 && nal.get(i - 2..i) == Some(&[0, 0])) {
            raw.push(*b);
        }
    }
    let mut r = codec::BitReader::new(&raw);
    r.bits(4)?;
    let layers = r.bits(3)?;
    r.bits(1)?;
    for _ in 0..11 {
        r.bits(8)?;
    }
    r.bits(8)?;
    let mut present = Vec::new();
    for _ in 0..layers {
        present.push((r.bits(1)?, r.bits(1)?));
    }
    if layers > 0 {
        for _ in layers..8 {
            r.bits(2)?;
        }
    }
    for (profile, level) in present {
        for _ in 0..(profile * 11 + level) {
            r.bits(8)?;
        }
    }
    r.golomb()?;
    let chroma = r.golomb()?;
    if chroma == 3 {
        r.bits(1)?;
    }
    let (mut w, mut h) = (r.golomb()?, r.golomb()?);
    if r.bits(1)? == 1 {
        let (left, right, top, bottom) = (r.golomb()?, r.golomb()?, r.golomb()?, r.golomb()?);
        let x = if matches!(chroma, 1 | 2) { 2 } else { 1 };
        let y = if chroma == 1 { 2 } else { 1 };
        w = w.checked_sub(left.checked_add(right)?.checked_mul(x)?)?;
        h = h.checked_sub(top.checked_add(bottom)?.checked_mul(y)?)?;
    }
    Some((w, h)).filter(|(w, h)| (1..=16_384).contains(w) && (1..=16_384).contains(h))
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
        _ => AudioStream::of(name),
    }
}

/// Program streams: packs and PES packets with start codes.
pub(crate) fn program(ctx: &mut Ctx<'_>) -> Parse {
    let src = ctx.src;
    let size = src.size();
    let head = src.held_from(0);
    let mut p = Programs::default();
    if head.starts_with(&[0, 0, 1, 0xb3]) {
        // A bare video stream.
        let mut v = video_stream("mpeg2video", head);
        let extended =
            crate::bytes::find(head.get(..4096.min(head.len())).unwrap_or_default(), &[0, 0, 1, 0xb5]);
        if extended.is_none() {
            v = VideoStream { codec_name: Some("mpeg1video".into()), ..v };
        }
        v.index = Some(0);
        (ctx.meta.video_width, ctx.meta.video_height) = (v.width, v.height);
        ctx.meta.video_streams.push(v);
        ctx.meta.format_name = Some("mpegvideo".into());
        ctx.meta.format_long_name = Some("raw MPEG video".into());
        return Ok(());
    }
    p.packs(head);
    let tail_at = size.saturating_sub(TAIL);
    let tail = src.upto(tail_at, size - tail_at)?;
    if head.len() as u64 <= tail_at {
        p.packs(tail);
    }
    if p.streams.is_empty() {
        return Err(Stop::Malformed("no packets in the head"));
    }
    write(ctx, p, ("mpeg", "MPEG-PS (MPEG-2 Program Stream)"));
    Ok(())
}

impl Programs {
    fn packs(&mut self, bytes: &[u8]) {
        let mut at = 0;
        while let Some(hit) = bytes.get(at..).and_then(|b| crate::bytes::find(b, &[0, 0, 1])) {
            at += hit;
            let Some(packet) = bytes.get(at..) else { break };
            let id = packet.get(3).copied().unwrap_or(0);
            at += 4;
            let kind = match id {
                0xe0..=0xef => 0x02,
                0xc0..=0xdf => 0x03,
                0xbd => 0x81,
                _ => continue,
            };
            let len = be16(packet, 4).map_or(0, usize::from);
            let packet = packet.get(..(6 + len).min(packet.len())).unwrap_or_default();
            // MPEG-1 packets have another header; MPEG-2 ones begin with 10.
            if packet.get(6).is_none_or(|b| b >> 6 != 2) {
                continue;
            }
            let stream = self
                .streams
                .entry(u16::from(id))
                .or_insert_with(|| Elementary { kind, ..Elementary::default() });
            stream.packet(packet, true);
            at += len.max(2);
        }
    }
}
