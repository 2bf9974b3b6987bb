//! FLV: script data and the first packets.

use crate::bytes::{View, be16, be24, be32, be64};
use crate::codec;
use crate::ctx::Ctx;
use crate::metadata::{AudioStream, MediaType, VideoStream};
use crate::source::Parse;
use crate::text;

/// Numbers of `onMetaData` that the streams themselves do not tell.
#[derive(Default)]
struct Script {
    duration: f64,
    width: f64,
    height: f64,
    frame_rate: f64,
}

pub(crate) fn read(ctx: &mut Ctx<'_>) -> Parse {
    let all = View::all(ctx.src);
    let start = u64::from(be32(all.get(0, 9)?, 5).unwrap_or(9)).max(9);
    let mut script = Script::default();
    let (mut video, mut audio): (Option<VideoStream>, Option<AudioStream>) = (None, None);
    let mut at = start + 4;
    let mut last = 0u32;
    // Few packets tell the codecs; further ones only where they are held.
    for n in 0..20_000 {
        ctx.tick()?;
        let need = 11.min(all.len().saturating_sub(at));
        if need < 11 || (n >= 16 && ctx.src.peek(at, need).is_none()) {
            break;
        }
        let h = all.get(at, 11)?;
        let (Some(len), Some(low)) = (be24(h, 1).map(u64::from), be24(h, 4)) else { break };
        let time = low | u32::from(h.get(7).copied().unwrap_or(0)) << 24;
        let body = all.sub(at + 11, len);
        match h.first().map(|k| k & 31) {
            Some(18) => {
                let b = body.upto(0, len.min(1 << 20))?;
                read_script(b, &mut script);
            }
            Some(8) => {
                last = last.max(time);
                if audio.is_none() {
                    audio = read_audio(body.upto(0, 16)?);
                }
            }
            Some(9) => {
                last = last.max(time);
                if video.is_none() {
                    video = read_video(body.upto(0, 256)?);
                }
            }
            _ => break,
        }
        if video.is_some() && audio.is_some() && n >= 16 && script.duration > 0.0 {
            break;
        }
        at += 11 + len + 4;
    }
    let whole = ctx.src.held() == ctx.src.size();
    let seconds = if script.duration > 0.0 {
        script.duration
    } else if whole {
        f64::from(last) / 1000.0
    } else {
        0.0
    };
    let side = |n: f64| (1.0..65_536.0).contains(&n).then_some(n as u32);
    if let Some(v) = &mut video {
        v.width = v.width.or(side(script.width));
        v.height = v.height.or(side(script.height));
        if script.frame_rate > 0.0 && script.frame_rate < 1000.0 {
            v.frame_rate = codec::fraction((script.frame_rate * 1000.0).round() as u64, 1000);
            v.average_frame_rate = v.frame_rate.clone();
        }
        v.time_base = Some("1/1000".into());
        v.duration = codec::seconds(seconds);
        ctx.meta.video_width = v.width;
        ctx.meta.video_height = v.height;
    }
    let mut index = 0;
    if let Some(stream) = video {
        ctx.meta.video_streams.push(VideoStream { index: Some(index), ..stream });
        index += 1;
    }
    if let Some(stream) = audio {
        ctx.meta.audio_streams.push(AudioStream { index: Some(index), ..stream });
        index += 1;
    }
    ctx.meta.format_name = Some("flv".into());
    ctx.meta.format_long_name = Some("FLV (Flash Video)".into());
    ctx.meta.duration = codec::seconds(seconds);
    ctx.meta.bitrate = codec::bitrate(ctx.src.size(), seconds);
    ctx.meta.stream_count = Some(index);
    if ctx.meta.video_streams.is_empty() && !ctx.meta.audio_streams.is_empty() {
        ctx.kind.media = MediaType::Audio;
    }
    Ok(())
}

fn read_video(b: &[u8]) -> Option<VideoStream> {
    let name = match b.first()? & 15 {
        2 => "flv1",
        3 => "flashsv",
        4 => "vp6f",
        5 => "vp6a",
        7 => "h264",
        12 => "hevc",
        _ => "",
    };
    let mut v = if name.is_empty() { VideoStream::default() } else { VideoStream::of(name) };
    v.pixel_format = Some(if name == "flashsv" { "bgr24" } else { "yuv420p" }.into());
    if name == "h264" && b.get(1) == Some(&0) {
        crate::sps::avcc(&mut v, b.get(5..)?);
    }
    if let Some((w, h)) = frame_size(name, b.get(1..)?).filter(|(w, h)| *w > 0 && *h > 0) {
        (v.width, v.height) = (Some(w), Some(h));
    }
    Some(v)
}

/// Size by a key frame of the codecs that have no header of their own.
fn frame_size(codec: &str, b: &[u8]) -> Option<(u32, u32)> {
    let mut bits = codec::BitReader::new(b);
    match codec {
        "flv1" => {
            // Start code, version, number of the picture.
            let start = bits.bits(17)?;
            bits.bits(13)?;
            match (start, bits.bits(3)?) {
                (1, 0) => Some((bits.bits(8)?, bits.bits(8)?)),
                (1, 1) => Some((bits.bits(16)?, bits.bits(16)?)),
                (1, 2) => Some((352, 288)),
                (1, 3) => Some((176, 144)),
                (1, 4) => Some((128, 96)),
                (1, 5) => Some((320, 240)),
                (1, 6) => Some((160, 120)),
                _ => None,
            }
        }
        "flashsv" => {
            bits.bits(4)?;
            let width = bits.bits(12)?;
            bits.bits(4)?;
            Some((width, bits.bits(12)?))
        }
        "vp6f" | "vp6a" => {
            // What is cut off; with transparency an offset; then the frame.
            let cut = u32::from(*b.first()?);
            let frame = b.get(if codec == "vp6a" { 4 } else { 1 }..)?;
            let (first, second) = (*frame.first()?, *frame.get(1)?);
            if first & 0x80 != 0 {
                return None;
            }
            let at = if first & 1 != 0 || second & 6 == 0 { 4 } else { 2 };
            let blocks = |at: usize| frame.get(at).map(|n| u32::from(*n) * 16);
            Some((blocks(at + 1)?.checked_sub(cut >> 4)?, blocks(at)?.checked_sub(cut & 15)?))
        }
        _ => None,
    }
}

fn read_audio(b: &[u8]) -> Option<AudioStream> {
    let flags = *b.first()?;
    let mut rate = 5512u32 << (flags >> 2 & 3);
    rate = match rate {
        5512 => 5512,
        11_024 => 11_025,
        22_048 => 22_050,
        _ => 44_100,
    };
    let mut channels = u32::from(flags & 1) + 1;
    let name = match flags >> 4 {
        0 | 3 => "pcm_s16le",
        1 => "adpcm_swf",
        2 | 14 => "mp3",
        4..=6 => "nellymoser",
        7 => "pcm_alaw",
        8 => "pcm_mulaw",
        10 => "aac",
        11 => "speex",
        _ => "",
    };
    if name == "aac"
        && b.get(1) == Some(&0)
        && let Some((r, c, _)) = codec::aac_config(b.get(2..)?)
    {
        rate = r;
        channels = if c > 0 { c } else { channels };
    }
    let stream = if name.is_empty() { AudioStream::default() } else { AudioStream::of(name) };
    Some(stream.shaped(rate, channels))
}

/// AMF0: a name, then properties; only numbers matter.
fn read_script(b: &[u8], script: &mut Script) {
    let mut at = 0;
    // The keys are searched, not parsed: the order and nesting of writers vary.
    for _ in 0..4096 {
        let Some(len) = be16(b, at).map(usize::from) else { return };
        let key = b.get(at + 2..at + 2 + len);
        let value = b.get(at + 2 + len..).filter(|v| v.first() == Some(&0)).and_then(|v| be64(v, 1));
        if let (Some(key), Some(value), 3..=32) = (key, value, len) {
            let value = f64::from_bits(value);
            let slot = match text::decode(key).as_str() {
                "duration" => Some(&mut script.duration),
                "width" => Some(&mut script.width),
                "height" => Some(&mut script.height),
                "framerate" => Some(&mut script.frame_rate),
                _ => None,
            };
            if let Some(slot) = slot {
                if value.is_finite() && value > 0.0 {
                    *slot = value;
                }
                at += 2 + len + 9;
                continue;
            }
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_of_key_frames() {
        type Row = (&'static str, &'static [u8], Option<(u32, u32)>);
        let table: &[Row] = &[
            // Start code of 17 bits, five and eight zeros, then the size.
            ("flv1", &[0, 0, 0x80, 0b10, 0x80], Some((320, 240))),
            ("flv1", &[0, 0, 0x80, 0, 0b0010_1000, 0b0001_0000, 0], Some((80, 32))),
            ("flv1", &[0, 1, 0x80, 0, 2], None),
            ("flashsv", &[0x31, 0x40, 0x30, 0xf0], Some((320, 240))),
            ("vp6f", &[0x0a, 0, 0x06, 15, 20], Some((320, 230))),
            ("vp6f", &[0, 0x80, 0x06, 15, 20], None),
            ("vp6a", &[0, 0, 0, 9, 1, 0x06, 0, 0, 15, 20], Some((320, 240))),
            ("h264", &[0; 16], None),
        ];
        for (codec, bytes, want) in table {
            assert_eq!(frame_size(codec, bytes), *want, "{codec} {bytes:?}");
        }
    }
}
