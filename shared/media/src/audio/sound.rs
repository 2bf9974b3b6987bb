//! Sound files with tags around them: MP3, APE, WavPack, Musepack.

use crate::audio::header::Shape;
use crate::audio::tags::Texts;
use crate::audio::{apetag, id3, mpeg, single};
use crate::bytes::rfind;
use crate::ctx::Ctx;
use crate::metadata::AudioStream;
use crate::source::{Parse, Stop};

/// Tags at the end: ID3v1, APE, Lyrics3.
const TAIL: u64 = 16 * 1024;

/// Asks at once for what lies behind the tags in front and for the tags at the end, and
/// reads both. Gives where the sound begins, and the tags.
fn tags(ctx: &mut Ctx<'_>) -> Parse<(u64, Vec<Texts>)> {
    let src = ctx.src;
    let size = src.size();
    let mut start = 0;
    let mut front = Vec::new();
    // Some writers put a further tag behind one that is there.
    for _ in 0..8 {
        let head = src.upto(start, 16)?;
        match (id3::tag_len(head), apetag::tag_len(head)) {
            (Some(len), _) => front.push((start, len, true)),
            (_, Some(len)) => front.push((start, len, false)),
            _ => break,
        }
        let len = front.last().map_or(0, |(_, len, _)| *len);
        start = start.saturating_add(len).min(size);
        // What cannot be told without a read is asked for with all the rest.
        if src.peek(start, 16.min(size - start)).is_none() {
            break;
        }
    }
    let tail_at = size.saturating_sub(TAIL);
    let mut missing = false;
    let mut found = Vec::new();
    for (at, len, is_id3) in front {
        let read = match is_id3 {
            true => id3::read(ctx, src, at, len),
            false => apetag::read_at_header(ctx, src, at, len),
        };
        match read {
            Ok(texts) => found.push(texts),
            Err(Stop::Missing) => missing = true,
            Err(stop) => ctx.stopped(if is_id3 { "id3" } else { "ape tag" }, stop),
        }
    }
    let first = start..start.saturating_add(TAIL).min(size);
    missing |= src.upto(first.start, first.end - first.start).is_err();
    match src.upto(tail_at, size - tail_at) {
        Ok(tail) => match behind(ctx, tail, tail_at) {
            Ok(texts) => found.extend(texts),
            Err(Stop::Missing) => missing = true,
            Err(stop) => ctx.stopped("tags", stop),
        },
        Err(_) => missing = true,
    }
    // A tag may end where another begins that was not seen before.
    if missing && !src.lacks() {
        return Err(Stop::Malformed("the tags are longer than the file"));
    }
    if missing { Err(Stop::Missing) } else { Ok((start, found)) }
}

/// Tags behind the sound: APE, then version 1 of ID3.
fn behind(ctx: &mut Ctx<'_>, tail: &[u8], tail_at: u64) -> Parse<Vec<Texts>> {
    let mut found = Vec::new();
    // Lyrics may stand between the two; the last mark is the footer.
    if let Some(footer) = rfind(tail, b"APETAGEX") {
        // A header alone marks a tag that is cut.
        let is_header =
            tail.get(footer + 20..footer + 24).is_some_and(|f| f.last().is_some_and(|b| b & 0x20 != 0));
        if !is_header {
            found.push(apetag::read_at_footer(ctx, ctx.src, tail_at + footer as u64)?);
        }
    }
    found.extend(tail.len().checked_sub(128).and_then(|at| tail.get(at..)).and_then(id3::old));
    Ok(found)
}

/// MP3, and what else MPEG audio there is.
pub(crate) fn mp3(ctx: &mut Ctx<'_>) -> Parse {
    let (start, found) = tags(ctx)?;
    for texts in found {
        texts.write(ctx);
    }
    let head = ctx.src.held_from(start);
    let window = head.get(..head.len().min(64 * 1024)).unwrap_or_default();
    let (at, frame) = first_frame(window).ok_or(Stop::Malformed("no frame of MPEG audio in the head"))?;
    let name = match frame.layer {
        1 => "mp1",
        2 => "mp2",
        _ => "mp3",
    };
    let sound = ctx.src.size().saturating_sub(start + at as u64) as f64;
    let mut seconds = sound * 8.0 / f64::from(frame.bitrate);
    let mut bits = u64::from(frame.bitrate);
    if let Some(frames) = counted_frames(window.get(at..).unwrap_or_default(), frame) {
        seconds = f64::from(frames) * f64::from(frame.samples) / f64::from(frame.sample_rate);
        bits = (sound * 8.0 / seconds) as u64;
    } else if let Some(mean) = mean_bitrate(head.get(at..).unwrap_or_default()) {
        // No count: the frames held stand for the others.
        seconds = sound * 8.0 / mean;
        bits = mean as u64;
    }
    let mut stream = AudioStream::of(name).shaped(frame.sample_rate, frame.channels);
    stream.bitrate = Some(bits);
    stream.sample_format = Some("fltp".into());
    single(ctx, ("mp3", "MP2/3 (MPEG audio layer 2/3)"), stream, seconds);
    Ok(())
}

/// The first frame that another one follows, or that counts all others.
fn first_frame(window: &[u8]) -> Option<(usize, mpeg::Frame)> {
    let mut at = 0;
    let mut lone = None;
    while at + 4 <= window.len() {
        let Some(hit) = window.get(at..).and_then(|b| b.iter().position(|b| *b == 0xff)) else { break };
        at += hit;
        if let Some(frame) = window.get(at..).and_then(mpeg::Frame::parse) {
            match window.get(at + frame.len as usize..) {
                Some(next) if next.len() >= 4 => {
                    let follows = mpeg::Frame::parse(next)
                        .is_some_and(|n| n.layer == frame.layer && n.sample_rate == frame.sample_rate);
                    if follows {
                        return Some((at, frame));
                    }
                }
                _ => lone = lone.or(Some((at, frame))),
            }
            // Nor does a frame that counts the others need one: it is no accident.
            if window.get(at..).is_some_and(|b| counted_frames(b, frame).is_some()) {
                return Some((at, frame));
            }
        }
        at += 1;
    }
    lone
}

/// Mean bit rate of the frames that follow one another.
fn mean_bitrate(b: &[u8]) -> Option<f64> {
    let (mut at, mut seconds) = (0usize, 0.0);
    for _ in 0..50_000 {
        let Some(f) = b.get(at..).and_then(mpeg::Frame::parse) else { break };
        at += f.len as usize;
        seconds += f64::from(f.samples) / f64::from(f.sample_rate);
    }
    (seconds > 0.0).then(|| at.min(b.len()) as f64 * 8.0 / seconds)
}

/// Frames by a Xing, Info or VBRI header.
fn counted_frames(b: &[u8], frame: mpeg::Frame) -> Option<u32> {
    let side = match (frame.version, frame.channels) {
        (1, 1) => 17,
        (1, _) => 32,
        (_, 1) => 9,
        _ => 17,
    };
    let at = 4 + side;
    match b.get(at..at + 4) {
        Some(b"Xing" | b"Info") => {
            let flags = crate::bytes::be32(b, at + 4)?;
            if flags & 1 == 1 { crate::bytes::be32(b, at + 8).filter(|n| *n > 0) } else { None }
        }
        _ if b.get(36..40) == Some(b"VBRI") => crate::bytes::be32(b, 50).filter(|n| *n > 0),
        _ => None,
    }
}

/// Reads a format's own header.
pub(crate) type HeaderReader = fn(&[u8]) -> Option<Shape>;

/// APE, WavPack, Musepack: the sound by the format's own header, the tags around it. Their
/// own tag goes before version 1 of ID3, and what is wrong in a tag costs the tag only.
pub(crate) fn other(ctx: &mut Ctx<'_>, format: (&str, &str), name: &str, own: HeaderReader) -> Parse {
    let (start, found) = match tags(ctx) {
        Ok(found) => found,
        Err(Stop::Missing) => return Err(Stop::Missing),
        Err(stop) => {
            ctx.stopped("tags", stop);
            (0, Vec::new())
        }
    };
    for texts in found {
        texts.write(ctx);
    }
    let shape =
        own(ctx.src.held_from(start)).ok_or(Stop::Malformed("the sound's header is not understood"))?;
    let stream = AudioStream::of(name).shaped(shape.rate, shape.channels);
    single(ctx, format, stream, shape.seconds);
    Ok(())
}
