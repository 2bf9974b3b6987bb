//! Sound without a container: ADTS, AC-3, AMR.

use crate::audio::{id3, single};
use crate::bytes::{be16, be24};
use crate::codec;
use crate::ctx::Ctx;
use crate::metadata::AudioStream;
use crate::source::{Parse, Stop};

/// ADTS frames: the mean length of those held gives the duration.
pub(crate) fn adts(ctx: &mut Ctx<'_>) -> Parse {
    let src = ctx.src;
    let tag = id3::tag_len(src.upto(0, 10)?).unwrap_or(0);
    src.upto(tag, 16)?;
    let held = src.held_from(tag);
    let mut at = 0;
    let (mut frames, mut bytes) = (0u64, 0u64);
    let mut shape = None;
    while let Some(b) = held.get(at..).filter(|b| b.len() >= 7) {
        if be16(b, 0).is_none_or(|s| s & 0xfff6 != 0xfff0) {
            // Junk in front, or the tags behind.
            if frames > 0 || at > 64 * 1024 {
                break;
            }
            at += 1;
            continue;
        }
        let (Some(&[_, _, two, three]), Some(len)) = (b.get(..4), be24(b, 3).map(|v| v >> 5 & 0x1fff)) else {
            break;
        };
        if len < 7 {
            break;
        }
        shape = shape.or(Some((u32::from(two >> 2 & 15), u32::from(two & 1) << 2 | u32::from(three >> 6))));
        frames += 1;
        bytes += u64::from(len);
        at += len as usize;
    }
    let (rate, channels) = shape.ok_or(Stop::Malformed("no ADTS frame"))?;
    let rate = codec::aac_rate(rate).unwrap_or(0);
    let total = src.size().saturating_sub(tag);
    let mean = bytes as f64 / frames as f64;
    let seconds = if rate > 0 { total as f64 / mean * 1024.0 / f64::from(rate) } else { 0.0 };
    let channels = if channels == 7 { 8 } else { channels };
    let mut stream = AudioStream::of("aac").shaped(rate, channels.max(1));
    stream.sample_format = Some("fltp".into());
    single(ctx, ("aac", "raw ADTS AAC (Advanced Audio Coding)"), stream, seconds);
    if tag > 0 {
        let b = src.upto(0, tag.min(1 << 20))?;
        id3::block(ctx, b);
    }
    Ok(())
}

/// Rate and channels by the configuration in a LATM element.
pub(crate) fn latm_config(b: &[u8]) -> Option<(u32, u32)> {
    let mut r = codec::BitReader::new(b);
    // Not the configuration of before.
    (r.bits(1)? == 0).then_some(())?;
    let version = r.bits(1)?;
    if version == 1 {
        (r.bits(1)? == 0).then_some(())?;
        let bytes = r.bits(2)? + 1;
        r.bits(bytes as usize * 8)?;
    }
    // Same timing, frames, programs, layers.
    r.bits(1 + 6 + 4 + 3)?;
    if version == 1 {
        let bytes = r.bits(2)? + 1;
        r.bits(bytes as usize * 8)?;
    }
    let config: Vec<u8> = std::iter::from_fn(|| r.bits(8)).take(16).map(|b| b as u8).collect();
    codec::aac_config(&config).map(|(rate, channels, _)| (rate, channels))
}

/// LOAS: AAC with its configuration between the frames.
pub(crate) fn loas(ctx: &mut Ctx<'_>) -> Parse {
    let held = ctx.src.held_from(0);
    let (mut at, mut frames, mut shape) = (0, 0u64, None);
    while let Some(b) = held.get(at..).filter(|b| be24(b, 0).is_some_and(|h| h >> 13 == 0x2b7)) {
        let len = be24(b, 0).map_or(0, |h| (h & 0x1fff) as usize) + 3;
        shape = shape.or_else(|| b.get(3..len.min(b.len())).and_then(latm_config));
        frames += 1;
        at += len;
    }
    let (rate, channels) =
        shape.filter(|_| at > 0).ok_or(Stop::Malformed("no configuration of the sound"))?;
    let total = frames as f64 * ctx.src.size() as f64 / at as f64;
    let mut stream = AudioStream::of("aac_latm").shaped(rate, channels);
    stream.sample_format = Some("fltp".into());
    let seconds = total * 1024.0 / f64::from(rate.max(1));
    single(ctx, ("loas", "LOAS AudioSyncStream"), stream, seconds);
    Ok(())
}

/// Kilobits by frame size code of AC-3.
const AC3_KBIT: [u32; 19] =
    [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640];

/// Parameters of an AC-3 or E-AC-3 frame: codec, rate, channels, bit/s.
pub(crate) fn ac3_frame(b: &[u8]) -> Option<(&'static str, u32, u32, u64)> {
    if be16(b, 0)? != 0x0b77 {
        return None;
    }
    let id = b.get(5)? >> 3;
    let mut r = codec::BitReader::new(b.get(2..)?);
    let layout = crate::video::ac3_channels;
    if id <= 10 {
        r.bits(16)?;
        let rate = *[48_000u32, 44_100, 32_000].get(r.bits(2)? as usize)?;
        let kbit = *AC3_KBIT.get((r.bits(6)? / 2) as usize)?;
        r.bits(8)?;
        let mode = r.bits(3)?;
        if mode & 1 != 0 && mode != 1 {
            r.bits(2)?;
        }
        if mode & 4 != 0 {
            r.bits(2)?;
        }
        if mode == 2 {
            r.bits(2)?;
        }
        let lfe = r.bits(1)?;
        // Versions above 8 halve the rate.
        let shift = u32::from(id.saturating_sub(8));
        return Some(("ac3", rate >> shift, layout(mode) + lfe, (u64::from(kbit) * 1000) >> shift));
    }
    if id > 16 {
        return None;
    }
    r.bits(5)?;
    let words = r.bits(11)? + 1;
    let code = r.bits(2)?;
    let (rate, blocks) = if code == 3 {
        (*[24_000u32, 22_050, 16_000].get(r.bits(2)? as usize)?, 6)
    } else {
        let rate = *[48_000u32, 44_100, 32_000].get(code as usize)?;
        (rate, *[1u32, 2, 3, 6].get(r.bits(2)? as usize)?)
    };
    let mode = r.bits(3)?;
    let lfe = r.bits(1)?;
    let bits = u64::from(words) * 16 * u64::from(rate) / u64::from(blocks * 256);
    Some(("eac3", rate, layout(mode) + lfe, bits))
}

pub(crate) fn ac3(ctx: &mut Ctx<'_>) -> Parse {
    let held = ctx.src.held_from(0);
    let found = (0..held.len().min(64 * 1024)).find_map(|i| ac3_frame(held.get(i..)?));
    let (name, rate, channels, bits) = found.ok_or(Stop::Malformed("no AC-3 frame"))?;
    let seconds = ctx.src.size() as f64 * 8.0 / bits as f64;
    let mut stream = AudioStream::of(name).shaped(rate, channels);
    stream.bitrate = Some(bits);
    stream.sample_format = Some("fltp".into());
    let long = if name == "ac3" { "raw AC-3" } else { "raw E-AC-3" };
    if name == "eac3" {
        ctx.refine("eac3", "audio/eac3");
    }
    single(ctx, (name, long), stream, seconds);
    Ok(())
}

/// AMR: frames of 20 ms whose length their first byte tells.
pub(crate) fn amr(ctx: &mut Ctx<'_>) -> Parse {
    const NARROW: [usize; 16] = [13, 14, 16, 18, 20, 21, 27, 32, 6, 1, 1, 1, 1, 1, 1, 1];
    const WIDE: [usize; 16] = [18, 24, 33, 37, 41, 47, 51, 59, 61, 6, 1, 1, 1, 1, 1, 1];
    let src = ctx.src;
    let head = src.upto(0, 16)?;
    let wide = head.starts_with(b"#!AMR-WB");
    let (table, skip) = if wide { (&WIDE, 9) } else { (&NARROW, 6) };
    let held = src.held_from(0);
    let (mut at, mut frames) = (skip, 0u64);
    while let Some(b) = held.get(at) {
        frames += 1;
        at += table.get(usize::from(b >> 3 & 15)).copied().unwrap_or(1);
    }
    // What is not held has the same mix of frames, as far as one can tell.
    let known = (at - skip).max(1) as f64;
    let seconds = frames as f64 * 0.02 * (src.size().saturating_sub(skip as u64) as f64 / known).max(1.0);
    let (name, rate) = if wide { ("amr_wb", 16_000) } else { ("amr_nb", 8000) };
    let mut stream = AudioStream::of(name).shaped(rate, 1);
    stream.sample_format = Some("flt".into());
    single(ctx, ("amr", "3GPP AMR"), stream, seconds);
    Ok(())
}
