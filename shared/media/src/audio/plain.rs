//! Sound files whose header says it all: AU, TTA, DSF, DSDIFF, Wave64, raw DTS, and
//! the songs of trackers.

use crate::audio::{apetag, id3, riff, single};
use crate::bytes::{View, be16, be32, be64, le16, le32, le64};
use crate::codec;
use crate::ctx::Ctx;
use crate::metadata::AudioStream;
use crate::source::{Parse, Stop};
use crate::text;

/// Longest tag read.
const MAX_TAGS: u64 = 1024 * 1024;

/// Sun and NeXT audio: a header, a text, the sound.
pub(crate) fn au(ctx: &mut Ctx<'_>) -> Parse {
    let view = View::all(ctx.src);
    let b = view.get(0, 24)?;
    let field = |at| be32(b, at).unwrap_or(0);
    let start = u64::from(field(4)).max(24);
    let (name, bits) = match field(12) {
        1 => ("pcm_mulaw", 8),
        2 => ("pcm_s8", 8),
        3 => ("pcm_s16be", 16),
        4 => ("pcm_s24be", 24),
        5 => ("pcm_s32be", 32),
        6 => ("pcm_f32be", 32),
        7 => ("pcm_f64be", 64),
        27 => ("pcm_alaw", 8),
        _ => return Err(Stop::Unsupported("this encoding of AU is not read")),
    };
    let (rate, channels) = (field(16), field(20));
    // All ones: the writer could not go back to fill the length in.
    let held = view.len().saturating_sub(start);
    let len = Some(u64::from(field(8))).filter(|n| *n > 0 && *n < 0xffff_ffff).map_or(held, |n| n.min(held));
    let per_second = f64::from(rate) * f64::from(channels) * f64::from(bits) / 8.0;
    let note = text::decode(text::until_nul(view.upto(24, (start - 24).min(MAX_TAGS))?));
    for (key, value) in note.lines().filter_map(|l| l.split_once('=')) {
        tag(ctx, key, value);
    }
    let stream = AudioStream::of(name).shaped(rate, channels);
    single(ctx, ("au", "Sun AU"), stream, if per_second > 0.0 { len as f64 / per_second } else { 0.0 });
    Ok(())
}

/// A tag under its plain English name.
pub(crate) fn tag(ctx: &mut Ctx<'_>, key: &str, value: &str) {
    let Some(value) = text::clean(value, ctx.limits.max_text) else { return };
    let m = &mut ctx.meta;
    let slot = match key.to_ascii_lowercase().as_str() {
        "title" => &mut m.title,
        "artist" => &mut m.artist,
        "album" => &mut m.album,
        "composer" => &mut m.composer,
        "copyright" => &mut m.copyright,
        "comment" | "comments" => &mut m.description,
        _ => return,
    };
    slot.get_or_insert(value);
}

/// True Audio, which may have an ID3 tag in front.
pub(crate) fn tta(ctx: &mut Ctx<'_>) -> Parse {
    let src = ctx.src;
    let start = id3::tag_len(src.upto(0, 10)?).unwrap_or(0);
    let b = src.get(start, 18)?;
    let (Some(channels), Some(rate), Some(samples)) = (le16(b, 6), le32(b, 10), le32(b, 14)) else {
        return Err(Stop::Malformed("the header is cut"));
    };
    let seconds = f64::from(samples) / f64::from(rate.max(1));
    single(ctx, ("tta", "TTA (True Audio)"), AudioStream::of("tta").shaped(rate, channels.into()), seconds);
    if start > 0 {
        let b = src.upto(0, start.min(MAX_TAGS))?;
        id3::block(ctx, b);
    } else if src.size() <= crate::WHOLE_BYTES {
        let b = src.upto(0, src.size())?;
        apetag::block(ctx, b);
    }
    Ok(())
}

/// DSF: DSD sound of Sony's kind, with an ID3 tag behind.
pub(crate) fn dsf(ctx: &mut Ctx<'_>) -> Parse {
    let view = View::all(ctx.src);
    let b = view.get(0, 80)?;
    let tag_at = le64(b, 20).unwrap_or(0);
    let (Some(channels), Some(rate), Some(bits), Some(samples)) =
        (le32(b, 52), le32(b, 56), le32(b, 60), le64(b, 64))
    else {
        return Err(Stop::Malformed("the header is cut"));
    };
    let name = if bits == 8 { "dsd_msbf_planar" } else { "dsd_lsbf_planar" };
    // Eight samples of one bit count as one, as in ffprobe.
    let stream = AudioStream::of(name).shaped(rate / 8, channels);
    single(ctx, ("dsf", "DSD Stream File (DSF)"), stream, samples as f64 / f64::from(rate.max(1)));
    if tag_at >= 80 && tag_at < view.len() {
        let b = view.upto(tag_at, MAX_TAGS)?;
        id3::block(ctx, b);
    }
    Ok(())
}

/// DSDIFF: chunks with 64-bit lengths.
pub(crate) fn dff(ctx: &mut Ctx<'_>) -> Parse {
    let view = View::all(ctx.src);
    let (mut rate, mut channels, mut sound) = (0, 0, 0);
    let mut at = 16u64;
    for _ in 0..256 {
        // A length that lies leads past any end.
        if at.saturating_add(12) > view.len() {
            break;
        }
        let h = view.get(at, 12)?;
        let len = be64(h, 4).unwrap_or(0);
        let body = view.sub(at + 12, len);
        let mut skip = len.saturating_add(len % 2);
        match h.get(..4).unwrap_or_default() {
            // Its properties are chunks too: go on inside.
            b"PROP" => skip = 4,
            b"FS  " => rate = be32(body.upto(0, 4)?, 0).unwrap_or(0),
            b"CHNL" => channels = be16(body.upto(0, 2)?, 0).unwrap_or(0),
            b"DSD " => sound = body.len(),
            b"ID3 " => {
                let b = body.upto(0, len.min(MAX_TAGS))?;
                id3::block(ctx, b);
            }
            _ => {}
        }
        at = at.saturating_add(12).saturating_add(skip);
    }
    if rate == 0 || channels == 0 {
        return Err(Stop::Malformed("no sound properties"));
    }
    let seconds = sound as f64 * 8.0 / f64::from(channels) / f64::from(rate);
    let stream = AudioStream::of("dsd_msbf").shaped(rate / 8, channels.into());
    single(ctx, ("iff", "IFF (Interchange File Format)"), stream, seconds);
    Ok(())
}

/// Sony Wave64: WAV with 64-bit lengths under identifiers of 16 bytes.
pub(crate) fn w64(ctx: &mut Ctx<'_>) -> Parse {
    let view = View::all(ctx.src);
    let (mut format, mut sound) = (None, 0);
    let mut at = 40u64;
    for _ in 0..256 {
        if at.saturating_add(24) > view.len() {
            break;
        }
        let h = view.get(at, 24)?;
        // The length takes in this header.
        let len = le64(h, 16).unwrap_or(0).max(24);
        let body = view.sub(at + 24, len - 24);
        match h.get(..4).unwrap_or_default() {
            b"fmt " => format = riff::wave_format(body.upto(0, 64)?),
            b"data" => sound = body.len(),
            _ => {}
        }
        at = at.saturating_add(len).saturating_add(7) & !7;
    }
    let (stream, per_second, _, _) = format.ok_or(Stop::Malformed("no format chunk"))?;
    let seconds = if per_second > 0 { sound as f64 / f64::from(per_second) } else { 0.0 };
    single(ctx, ("w64", "Sony Wave64"), stream, seconds);
    Ok(())
}

/// What a DTS frame says: rate, channels, samples and bytes of a frame.
pub(crate) fn dts_frame(b: &[u8]) -> Option<(u32, u32, u32, u32)> {
    const RATES: [u32; 16] =
        [0, 8000, 16_000, 32_000, 0, 0, 11_025, 22_050, 44_100, 0, 0, 12_000, 24_000, 48_000, 0, 0];
    const CHANNELS: [u32; 16] = [1, 2, 2, 2, 2, 3, 3, 4, 4, 5, 6, 6, 6, 7, 8, 8];
    let mut r = codec::BitReader::new(b.strip_prefix(&[0x7f, 0xfe, 0x80, 0x01])?);
    r.bits(7)?;
    let (blocks, bytes, mode, rate) = (r.bits(7)? + 1, r.bits(14)? + 1, r.bits(6)?, r.bits(4)?);
    r.bits(15)?;
    r.bits(1)?;
    let low = u32::from(matches!(r.bits(2)?, 1 | 2));
    let rate = RATES.get(rate as usize).copied().filter(|r| *r > 0)?;
    Some((rate, CHANNELS.get(mode as usize).map_or(0, |c| c + low), blocks * 32, bytes))
}

/// DTS frames; the first stands for all.
pub(crate) fn dts(ctx: &mut Ctx<'_>) -> Parse {
    let found = dts_frame(ctx.src.get(0, 16)?);
    let (rate, channels, samples, bytes) = found.ok_or(Stop::Malformed("damaged frame header"))?;
    let frames = ctx.src.size() as f64 / f64::from(bytes);
    let stream = AudioStream::of("dts").shaped(rate, channels);
    single(ctx, ("dts", "raw DTS"), stream, frames * f64::from(samples) / f64::from(rate));
    Ok(())
}

/// Songs of trackers are notes: only their names are read.
pub(crate) fn tracker(ctx: &mut Ctx<'_>) -> Parse {
    let (at, len) = match ctx.kind.format {
        "it" => (4, 26),
        "xm" => (17, 20),
        "s3m" => (0, 28),
        _ => (0, 20),
    };
    let name = text::latin1(text::until_nul(ctx.src.get(at, len)?));
    ctx.meta.title = text::clean(&name, ctx.limits.max_text);
    Ok(())
}
