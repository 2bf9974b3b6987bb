//! FLAC: the blocks in front of the sound.

use crate::audio::{id3, single, tags, vorbis};
use crate::bytes::{View, be16, be24, be64};
use crate::codec::fraction;
use crate::ctx::Ctx;
use crate::extra::chapters;
use crate::metadata::AudioStream;
use crate::source::{Parse, Stop};

/// Longest comment block read.
const MAX_COMMENTS: u64 = 1024 * 1024;

pub(crate) fn read(ctx: &mut Ctx<'_>) -> Parse {
    let src = ctx.src;
    let tag = id3::tag_len(src.upto(0, 10)?).unwrap_or(0);
    let mut at = tag;
    if src.get(at, 4)? != b"fLaC" {
        return Err(Stop::Malformed("no fLaC mark"));
    }
    let view = View::all(src);
    at += 4;
    let (mut stream, mut sheet) = (None, None);
    for _ in 0..128 {
        // What is wrong in a block behind the first must not cost the stream.
        let h = match view.get(at, 4) {
            Ok(h) => h,
            Err(Stop::Missing) => return Err(Stop::Missing),
            Err(stop) if stream.is_none() => return Err(stop),
            Err(stop) => {
                ctx.stopped("flac", stop);
                break;
            }
        };
        let (kind, len) = (h.first().copied().unwrap_or(0xff), u64::from(be24(h, 1).unwrap_or(0)));
        let body = view.sub(at + 4, len);
        match kind & 0x7f {
            0 if stream.is_none() => stream = Some(info(body.get(0, 18)?)),
            4 => ctx.part("comments", |ctx| {
                if len > MAX_COMMENTS {
                    return Err(Stop::Limit("comments over 1 MiB"));
                }
                let b = body.upto(0, len)?;
                vorbis::comments(ctx, b);
                Ok(())
            }),
            5 => sheet = Some(body),
            // Of a picture only the fields in front are read.
            6 => {
                let b = body.upto(0, 512.min(len))?;
                let held = src.held_from(body.start);
                let b = if held.len() as u64 >= len { held.get(..len as usize).unwrap_or(b) } else { b };
                tags::add_cover(ctx, vorbis::picture(b));
            }
            _ => {}
        }
        at += 4 + len;
        if kind & 0x80 != 0 {
            break;
        }
    }
    let (stream, seconds) = stream.flatten().ok_or(Stop::Malformed("no stream information"))?;
    let rate = stream.sample_rate.unwrap_or(0);
    single(ctx, ("flac", "raw FLAC"), stream, seconds);
    if let Some(sheet) = sheet.filter(|_| ctx.meta.extra.chapters.is_empty()) {
        let b = sheet.upto(0, sheet.len().min(64 * 1024))?;
        ctx.meta.extra.chapters = chapters::cue_sheet(b, rate);
    }
    if tag > 0 && ctx.meta.title.is_none() {
        let b = src.upto(0, tag.min(MAX_COMMENTS))?;
        id3::block(ctx, b);
    }
    Ok(())
}

/// STREAMINFO: rate, channels, depth, samples.
pub(crate) fn info(b: &[u8]) -> Option<(AudioStream, f64)> {
    let packed = be64(b, 10)?;
    let rate = (packed >> 44) as u32;
    let channels = (packed >> 41 & 7) as u32 + 1;
    let depth = (packed >> 36 & 31) as u32 + 1;
    let samples = packed & 0x000f_ffff_ffff;
    be16(b, 0)?;
    if rate == 0 {
        return None;
    }
    let mut stream = AudioStream::of("flac").shaped(rate, channels);
    stream.sample_format = Some(if depth <= 16 { "s16" } else { "s32" }.into());
    stream.time_base = fraction(1, u64::from(rate));
    Some((stream, samples as f64 / f64::from(rate)))
}
