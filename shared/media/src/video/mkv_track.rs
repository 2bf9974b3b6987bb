//! One track of a Matroska file: its codec and what describes its stream.

use crate::bytes::View;
use crate::codec;
use crate::ctx::Ctx;
use crate::extra::film;
use crate::metadata::{AudioStream, SubtitleStream, VideoStream};
use crate::source::Parse;
use crate::video::mkv::children;

#[derive(Default)]
pub(super) struct Track {
    pub(super) number: u64,
    pub(super) kind: u64,
    pub(super) codec: String,
    pub(super) private: Vec<u8>,
    pub(super) language: Option<String>,
    pub(super) default_duration: u64,
    pub(super) width: u64,
    pub(super) height: u64,
    pub(super) rate: f64,
    pub(super) output_rate: f64,
    pub(super) channels: u64,
    pub(super) bits: u64,
    pub(super) uid: u64,
    pub(super) duration: Option<f64>,
    pub(super) colour: Option<codec::Colour>,
    pub(super) dolby_vision: Vec<u8>,
}

impl Track {
    pub(super) fn read(&mut self, view: View<'_>) -> Parse {
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
                // What is added to each block: Dolby Vision's configuration.
                0x41e4 => {
                    let (mut kind, mut data) = (0, Vec::new());
                    children(e.body, |b| {
                        match b.id {
                            0x41e7 => kind = b.uint()?,
                            0x41ed => data = b.body.upto(0, b.body.len().min(64))?.to_vec(),
                            _ => {}
                        }
                        Ok(true)
                    })?;
                    // `dvcC`, `dvvC`, `dvwC`
                    if matches!(kind, 0x6476_6343 | 0x6476_7643 | 0x6476_7743) {
                        self.dolby_vision = data;
                    }
                }
                0x23_e383 => self.default_duration = e.uint()?,
                0xe0 => children(e.body, |v| {
                    match v.id {
                        0xb0 => self.width = v.uint()?,
                        0xba => self.height = v.uint()?,
                        0x55b0 => {
                            let mut colour = codec::Colour::UNKNOWN;
                            children(v.body, |c| {
                                match c.id {
                                    0x55b1 => colour.matrix = c.uint()? as u32,
                                    0x55b9 => {
                                        colour.full = Some(c.uint()?).filter(|n| *n > 0).map(|n| n == 2)
                                    }
                                    0x55ba => colour.transfer = c.uint()? as u32,
                                    0x55bb => colour.primaries = c.uint()? as u32,
                                    _ => {}
                                }
                                Ok(true)
                            })?;
                            self.colour = Some(colour);
                        }
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
            "A_PCM/FLOAT/IEEE" if self.bits == 64 => "pcm_f64le",
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

    pub(super) fn write(self, ctx: &mut Ctx<'_>, index: u32, frame: &[u8]) {
        let name = self.name();
        let total = self.duration.or(ctx.meta.duration);
        let language = self.language.clone().filter(|l| l != "und" && !l.is_empty());
        let side = |n: u64| u32::try_from(n).ok().filter(|n| *n > 0);
        match self.kind {
            1 => {
                let mut v = if name.is_empty() { VideoStream::default() } else { VideoStream::of(name) };
                match name {
                    "h264" => crate::sps::avcc(&mut v, &self.private),
                    "hevc" => crate::sps::hvcc(&mut v, &self.private),
                    "av1" => codec::av1c(&mut v, &self.private),
                    "vp8" | "theora" | "mpeg4" => v.pixel_format = Some("yuv420p".into()),
                    "mjpeg" => v.pixel_format = crate::sps::jpeg_pixel_format(frame).map(str::to_owned),
                    "vp9" => vp9_private(&mut v, &self.private, frame),
                    _ => {}
                }
                if let Some(colour) = self.colour {
                    v.with_colour(colour);
                }
                film::dolby_vision(&mut v, &self.dolby_vision);
                if film::is_hdr10_plus(frame) {
                    ctx.meta.extra.hdr_format.push("HDR10+".into());
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
                if name == "truehd"
                    && let Some((r, n)) =
                        (0..frame.len().min(64)).find_map(|i| super::elementary::truehd_sync(frame.get(i..)?))
                {
                    (rate, channels) = (f64::from(r), n);
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
