//! RealMedia: chunks with the streams' headers in front, and RealAudio alone.

use crate::bytes::{View, be16, be32};
use crate::codec;
use crate::ctx::Ctx;
use crate::metadata::{AudioStream, MediaType, VideoStream};
use crate::source::{Parse, Stop};
use crate::text;

/// Longest header chunk read.
const MAX_CHUNK: u64 = 64 * 1024;

pub(crate) fn read(ctx: &mut Ctx<'_>) -> Parse {
    let all = View::all(ctx.src);
    let mut millis = 0;
    if ctx.kind.format == "ra" {
        let stream = sound(all.upto(0, 256)?).ok_or(Stop::Malformed("no sound header"))?;
        ctx.meta.audio_streams.push(AudioStream { index: Some(0), ..stream });
    } else {
        chunks(ctx, all, &mut millis)?;
    }
    let seconds = f64::from(millis) / 1000.0;
    let m = &mut ctx.meta;
    m.format_name = Some("rm".into());
    m.format_long_name = Some("RealMedia".into());
    m.duration = codec::seconds(seconds);
    m.bitrate = codec::bitrate(all.len(), seconds);
    m.stream_count = Some((m.video_streams.len() + m.audio_streams.len()) as u32);
    for stream in &mut m.audio_streams {
        stream.duration = m.duration;
    }
    for stream in &mut m.video_streams {
        stream.duration = m.duration;
    }
    match m.video_streams.first() {
        Some(v) => (m.video_width, m.video_height) = (v.width, v.height),
        None if !m.audio_streams.is_empty() => ctx.kind.media = MediaType::Audio,
        None => {}
    }
    Ok(())
}

/// The chunks in front of the packets.
fn chunks(ctx: &mut Ctx<'_>, all: View<'_>, millis: &mut u32) -> Parse {
    let mut at = 0u64;
    for _ in 0..256 {
        ctx.tick()?;
        if at + 10 > all.len() {
            break;
        }
        let head = all.get(at, 10)?;
        let len = u64::from(be32(head, 4).unwrap_or(0));
        if len < 10 {
            return Err(Stop::Malformed("chunk shorter than its header"));
        }
        let body = all.sub(at + 10, len - 10);
        let bytes = || body.upto(0, body.len().min(MAX_CHUNK));
        match head.get(..4).unwrap_or_default() {
            b"PROP" => *millis = (*millis).max(be32(bytes()?, 20).unwrap_or(0)),
            b"CONT" => content(ctx, bytes()?),
            b"MDPR" => {
                let b = bytes()?;
                *millis = (*millis).max(be32(b, 26).unwrap_or(0));
                stream(ctx, b);
            }
            b"DATA" | b"INDX" => break,
            _ => {}
        }
        at += len;
    }
    Ok(())
}

/// Title, author, copyright, comment: a length and a text each.
fn content(ctx: &mut Ctx<'_>, mut b: &[u8]) {
    let max = ctx.limits.max_text;
    let mut next = || {
        let len = usize::from(be16(b, 0)?);
        let value = text::clean(&text::decode(b.get(2..2 + len)?), max);
        b = b.get(2 + len..)?;
        Some(value)
    };
    let [title, artist, copyright, comment] = [next(), next(), next(), next()].map(Option::flatten);
    let m = &mut ctx.meta;
    (m.title, m.artist, m.copyright, m.description) = (title, artist, copyright, comment);
}

/// A stream's numbers, its name and type by their lengths, then its codec's header.
fn stream(ctx: &mut Ctx<'_>, b: &[u8]) {
    let own = || {
        let name = usize::from(*b.get(30)?);
        let mime = usize::from(*b.get(31 + name)?);
        b.get(36 + name + mime..)
    };
    let (Some(own), Some(index)) = (own(), be16(b, 0)) else { return };
    let index = Some(u32::from(index));
    let bitrate = be32(b, 6).map(u64::from).filter(|r| *r > 0);
    if let Some(stream) = sound(own) {
        ctx.meta.audio_streams.push(AudioStream { index, bitrate, ..stream });
    } else if let Some(stream) = picture(own) {
        ctx.meta.video_streams.push(VideoStream { index, bitrate, ..stream });
    }
}

/// RealAudio's header, whose versions differ in the places.
fn sound(b: &[u8]) -> Option<AudioStream> {
    if !b.starts_with(b".ra\xfd") {
        return None;
    }
    let (rate_at, code) = match be16(b, 4)? {
        3 => return Some(AudioStream::of("ra_144").shaped(8000, 1)),
        4 => {
            // Two texts: how packets are interleaved, and the codec.
            let skip = usize::from(*b.get(56)?);
            (48, b.get(58 + skip..62 + skip)?)
        }
        5 => (54, b.get(66..70)?),
        _ => return None,
    };
    let name = match code {
        b"cook" => "cook",
        b"sipr" => "sipr",
        b"dnet" => "ac3",
        b"28_8" => "ra_288",
        b"14_4" | b"lpcJ" => "ra_144",
        b"atrc" => "atrac3",
        b"raac" | b"racp" => "aac",
        b"ralf" | b"LSD:" => "ralf",
        _ => "",
    };
    let stream = if name.is_empty() { AudioStream::default() } else { AudioStream::of(name) };
    Some(stream.shaped(u32::from(be16(b, rate_at)?), u32::from(be16(b, rate_at + 6)?)))
}

fn picture(b: &[u8]) -> Option<VideoStream> {
    if b.get(4..8) != Some(b"VIDO") {
        return None;
    }
    let name = match b.get(8..12)? {
        b"RV10" => "rv10",
        b"RV20" | b"RVTR" => "rv20",
        b"RV30" => "rv30",
        b"RV40" => "rv40",
        _ => "",
    };
    let mut v = if name.is_empty() { VideoStream::default() } else { VideoStream::of(name) };
    v.width = be16(b, 12).map(u32::from).filter(|w| *w > 0);
    v.height = be16(b, 14).map(u32::from).filter(|h| *h > 0);
    // Frames a second, in parts of 65536.
    v.frame_rate = be32(b, 22).and_then(|r| codec::fraction(u64::from(r), 65_536));
    v.average_frame_rate = v.frame_rate.clone();
    v.time_base = Some("1/1000".into());
    if let (Some(w), Some(h)) = (v.width, v.height) {
        v.display_aspect_ratio = codec::display_aspect(w, h, (1, 1));
    }
    Some(v)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sound_headers_of_all_versions() {
        let v4 =
            [&b".ra\xfd\0\x04"[..], &[0; 42], &[0xac, 0x44, 0, 0, 0, 16, 0, 2], b"\x04Int0\x04dnet"].concat();
        let v5 = [&b".ra\xfd\0\x05"[..], &[0; 48], &[0x56, 0x22, 0, 0, 0, 16, 0, 1], b"genrcook"].concat();
        let table = [
            (&b".ra\xfd\0\x03"[..], Some(("ra_144", 8000, 1))),
            (&v4, Some(("ac3", 44_100, 2))),
            (&v5, Some(("cook", 22_050, 1))),
            (b".ra\xfd\0\x05", None),
            (b"VIDO", None),
        ];
        for (bytes, want) in table {
            let got = sound(bytes);
            let got =
                got.as_ref().and_then(|s| Some((s.codec_name.as_deref()?, s.sample_rate?, s.channels?)));
            assert_eq!(got, want);
        }
    }
}
