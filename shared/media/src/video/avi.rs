//! AVI: the header list in front.

use crate::audio::riff;
use crate::bytes::{View, le32};
use crate::codec;
use crate::ctx::Ctx;
use crate::metadata::VideoStream;
use crate::source::{Parse, Stop};
use crate::text;
use crate::time::{Stamp, format_offset};
use crate::video::elementary::MAX_STREAMS;

/// Codec of a four-letter code, as AVI and Matroska's VFW tracks use them.
pub(crate) fn fourcc_codec(code: &[u8]) -> &'static str {
    let upper: Vec<u8> = code.iter().map(u8::to_ascii_uppercase).collect();
    match upper.as_slice() {
        b"H264" | b"X264" | b"AVC1" | b"DAVC" => "h264",
        b"HEVC" | b"H265" | b"HVC1" => "hevc",
        b"XVID" | b"DIVX" | b"DX50" | b"MP4V" | b"FMP4" | b"MP4S" | b"M4S2" | b"3IV2" => "mpeg4",
        b"DIV3" | b"DIV4" | b"MP43" | b"MPG3" => "msmpeg4v3",
        b"MP42" | b"DIV2" => "msmpeg4v2",
        b"MP41" | b"MPG4" => "msmpeg4v1",
        b"MJPG" | b"JPEG" | b"AVRN" => "mjpeg",
        b"WMV1" => "wmv1",
        b"WMV2" => "wmv2",
        b"WMV3" => "wmv3",
        b"WVC1" | b"WMVA" => "vc1",
        b"WVP2" => "vc1image",
        b"WMVP" => "wmv3image",
        b"MSS1" => "mss1",
        b"MSS2" => "mss2",
        b"MTS2" => "mts2",
        b"SVQ1" => "svq1",
        b"SVQ3" => "svq3",
        b"RV20" => "rv20",
        b"RV30" => "rv30",
        b"RV40" => "rv40",
        b"FLV1" => "flv1",
        b"VP50" => "vp5",
        b"VP60" | b"VP61" | b"VP62" => "vp6",
        b"VP6F" => "vp6f",
        b"SNOW" => "snow",
        b"THEO" => "theora",
        b"ZLIB" => "zlib",
        b"LAGS" => "lagarith",
        b"CSCD" => "cscd",
        b"ULY0" | b"ULY2" | b"ULRG" | b"ULRA" => "utvideo",
        b"ASV1" => "asv1",
        b"ASV2" => "asv2",
        b"APCN" | b"APCH" | b"APCS" | b"APCO" | b"AP4H" => "prores",
        b"VP80" => "vp8",
        b"VP90" => "vp9",
        b"AV01" => "av1",
        b"MPG1" => "mpeg1video",
        b"MPG2" | b"MPEG" => "mpeg2video",
        b"H263" | b"S263" => "h263",
        b"CVID" => "cinepak",
        b"IV31" | b"IV32" => "indeo3",
        b"IV41" => "indeo4",
        b"IV50" => "indeo5",
        b"MRLE" | [1, 0, 0, 0] => "msrle",
        b"DVSD" | b"DV25" => "dvvideo",
        b"HFYU" => "huffyuv",
        b"FFV1" => "ffv1",
        b"TSCC" => "tscc",
        [0, 0, 0, 0] | b"DIB " | b"YUY2" | b"UYVY" | b"I420" | b"YV12" => "rawvideo",
        _ => "",
    }
}

#[derive(Default)]
struct Stream {
    kind: [u8; 4],
    scale: u32,
    rate: u32,
    start: u32,
    length: u32,
    sample_size: u32,
    format: Vec<u8>,
}

pub(crate) fn read(ctx: &mut Ctx<'_>) -> Parse {
    let all = View::all(ctx.src);
    let mut streams: Vec<Stream> = Vec::new();
    let mut micros = 0;
    let mut frames = 0;
    // Of the first picture, where it is a JPEG.
    let mut sampling = None;
    chunks(all.sub(12, u64::MAX), &mut |kind, list, body| {
        match (kind, list) {
            (b"LIST", Some(b"hdrl")) => {
                chunks(body, &mut |kind, list, body| {
                    match (kind, list) {
                        (b"avih", _) => {
                            let b = body.upto(0, 56)?;
                            micros = le32(b, 0).unwrap_or(0);
                            frames = le32(b, 16).unwrap_or(0);
                        }
                        (b"IDIT", _) => date(ctx, body)?,
                        (b"LIST", Some(b"strl")) if streams.len() >= MAX_STREAMS => {
                            super::note_streams(ctx, MAX_STREAMS);
                            return Ok(false);
                        }
                        (b"LIST", Some(b"strl")) => {
                            let mut s = Stream::default();
                            let read = stream(&mut s, body);
                            streams.push(s);
                            read?;
                        }
                        _ => {}
                    }
                    Ok(true)
                })?;
            }
            (b"LIST", Some(b"INFO")) => ctx.part("INFO", |ctx| {
                // The list's own mark is part of what the reader expects.
                let all = View { start: body.start.saturating_sub(4), ..body };
                riff::info_list(ctx, all.upto(0, all.len().min(1 << 20))?)
            }),
            (b"IDIT", _) => date(ctx, body)?,
            // Behind the pictures there is only the index.
            (b"LIST", Some(b"movi")) => {
                let held = body.src.held_from(body.start);
                sampling =
                    crate::sps::jpeg_pixel_format(held.get(..held.len().min(4096)).unwrap_or_default());
                return Ok(false);
            }
            _ => {}
        }
        Ok(true)
    })?;
    if streams.is_empty() {
        return Err(Stop::Malformed("no stream headers"));
    }
    write(ctx, &streams, micros, frames);
    for v in &mut ctx.meta.video_streams {
        if v.codec_name.as_deref() == Some("mjpeg") {
            v.pixel_format = sampling.map(str::to_owned).or(v.pixel_format.take());
        }
    }
    Ok(())
}

/// When it was recorded, in the camera's own zone.
fn date(ctx: &mut Ctx<'_>, body: View<'_>) -> Parse {
    let written = text::decode(text::until_nul(body.upto(0, body.len().min(64))?));
    if let Some(stamp) = Stamp::parse(&written) {
        ctx.meta.timezone = stamp.offset.map(format_offset);
        ctx.meta.produce_time = Some(stamp.rfc3339());
    }
    Ok(())
}

fn stream(s: &mut Stream, body: View<'_>) -> Parse {
    chunks(body, &mut |kind, _, body| {
        match kind {
            b"strh" => {
                let b = body.upto(0, 48)?;
                if let Some(&[x, y, z, w]) = b.get(..4) {
                    s.kind = [x, y, z, w];
                }
                let field = |at| le32(b, at).unwrap_or(0);
                (s.scale, s.rate, s.start, s.length, s.sample_size) =
                    (field(20), field(24), field(28), field(32), field(44));
            }
            b"strf" => s.format = body.upto(0, body.len().min(1024))?.to_vec(),
            _ => {}
        }
        Ok(true)
    })
}

/// Takes a chunk's kind, list type and content; false ends the walk.
type Visitor<'f, 'a> = dyn FnMut(&[u8], Option<&[u8; 4]>, View<'a>) -> Parse<bool> + 'f;

/// Calls `each` with kind, list type and content of the chunks of `parent`.
fn chunks<'a>(parent: View<'a>, each: &mut Visitor<'_, 'a>) -> Parse {
    let mut at = 0;
    for _ in 0..1024 {
        if at + 8 > parent.len() {
            return Ok(());
        }
        let h = parent.get(at, 12.min(parent.len() - at))?;
        let Some(len) = le32(h, 4).map(u64::from) else { return Ok(()) };
        let kind = h.get(..4).unwrap_or_default();
        let is_list = kind == b"LIST" || kind == b"RIFF";
        let list: Option<&[u8; 4]> = h.get(8..12).filter(|_| is_list).and_then(|l| l.try_into().ok());
        let skip = if is_list { 4 } else { 0 };
        let body = parent.sub(at + 8 + skip, len.saturating_sub(skip));
        if !each(kind, list, body)? {
            return Ok(());
        }
        at += 8 + len + len % 2;
    }
    Err(Stop::Limit("too many chunks"))
}

fn write(ctx: &mut Ctx<'_>, streams: &[Stream], micros: u32, frames: u32) {
    let mut longest = 0.0f64;
    for (index, s) in streams.iter().enumerate() {
        let per_second = if s.scale > 0 { f64::from(s.rate) / f64::from(s.scale) } else { 0.0 };
        let seconds = if per_second > 0.0 { f64::from(s.length) / per_second } else { 0.0 };
        let duration = codec::seconds(seconds);
        match &s.kind {
            b"vids" => {
                let b = s.format.as_slice();
                let name = b.get(16..20).map_or("", fourcc_codec);
                let mut v = if name.is_empty() { VideoStream::default() } else { VideoStream::of(name) };
                v.index = Some(index as u32);
                v.width = le32(b, 4).filter(|w| (1..65_536).contains(w));
                v.height = le32(b, 8).map(|h| (h as i32).unsigned_abs()).filter(|h| (1..65_536).contains(h));
                if let (Some(w), Some(h)) = (v.width, v.height) {
                    v.display_aspect_ratio = codec::display_aspect(w, h, (1, 1));
                }
                v.frame_rate = codec::fraction(u64::from(s.rate), u64::from(s.scale));
                v.average_frame_rate = v.frame_rate.clone();
                v.time_base = codec::fraction(u64::from(s.scale), u64::from(s.rate));
                v.frame_count = Some(u64::from(s.length));
                v.duration = duration;
                v.pixel_format = match name {
                    "mpeg4" | "msmpeg4v2" | "msmpeg4v3" | "h263" | "wmv1" | "wmv2" | "wmv3" | "h264" => {
                        Some("yuv420p".into())
                    }
                    "mjpeg" => Some("yuvj420p".into()),
                    _ => None,
                };
                if let Some(tag) = b.get(16..20) {
                    v.codec_tag_string =
                        Some(String::from_utf8_lossy(tag).into_owned()).filter(|t| !t.contains('\0'));
                }
                ctx.meta.video_streams.push(v);
            }
            b"auds" => {
                if let Some((mut a, _, _, _)) = riff::wave_format(&s.format) {
                    a.index = Some(index as u32);
                    a.duration = duration;
                    ctx.meta.audio_streams.push(a);
                }
            }
            _ => {}
        }
        longest = longest.max(seconds);
    }
    if longest == 0.0 {
        longest = f64::from(micros) * f64::from(frames) / 1e6;
    }
    ctx.meta.format_name = Some("avi".into());
    ctx.meta.format_long_name = Some("AVI (Audio Video Interleaved)".into());
    ctx.meta.duration = codec::seconds(longest);
    ctx.meta.bitrate = ctx.meta.duration.and_then(|d| codec::bitrate(ctx.src.size(), d));
    ctx.meta.stream_count = Some(streams.len() as u32);
    if let Some(v) = ctx.meta.video_streams.first() {
        ctx.meta.video_width = v.width;
        ctx.meta.video_height = v.height;
    }
}
