//! WAV, AIFF and CAF: chunks with the format in front, tags anywhere.

use crate::audio::{id3, plain, single};
use crate::bytes::{View, be16, be32, be64, le16, le32, le64};
use crate::codec::fraction;
use crate::ctx::Ctx;
use crate::extra::music::Music;
use crate::metadata::AudioStream;
use crate::source::{Parse, Stop};
use crate::text;
use crate::time::Stamp;

/// Longest tag chunk read.
const MAX_TAGS: u64 = 1024 * 1024;

/// A big-endian format's fields in the order that little-endian ones have.
fn little(b: &[u8]) -> Vec<u8> {
    let mut out = b.to_vec();
    for (at, len) in [(0, 2), (2, 2), (4, 4), (8, 4), (12, 2), (14, 2)] {
        if let Some(field) = out.get_mut(at..at + len) {
            field.reverse();
        }
    }
    out
}

/// Codec of a WAVE format tag.
pub(crate) fn wave_codec(tag: u16, bits: u16) -> &'static str {
    match (tag, bits) {
        (1, 8) => "pcm_u8",
        (1, 24) => "pcm_s24le",
        (1, 32) => "pcm_s32le",
        (1, _) => "pcm_s16le",
        (2, _) => "adpcm_ms",
        (3, 64) => "pcm_f64le",
        (3, _) => "pcm_f32le",
        (6, _) => "pcm_alaw",
        (7, _) => "pcm_mulaw",
        (0x0a, _) => "wmavoice",
        (0x10 | 0x17, _) => "adpcm_ima_oki",
        (0x11 | 0x69, _) => "adpcm_ima_wav",
        (0x14 | 0x45 | 0x64, _) => "adpcm_g726",
        (0x20, _) => "adpcm_yamaha",
        (0x22 | 0x1501, _) => "truespeech",
        (0x28f, _) => "adpcm_g722",
        (0x31 | 0x32 | 0x1500, _) => "gsm_ms",
        (0x38 | 0x57, _) => "amr_nb",
        (0x58, _) => "amr_wb",
        (0x42 | 0x111 | 0xa100, _) => "g723_1",
        (0x130, _) => "sipr",
        (0x270, _) => "atrac3",
        (0x50, _) => "mp2",
        (0x55, _) => "mp3",
        (0x160, _) => "wmav1",
        (0x161, _) => "wmav2",
        (0x162, _) => "wmapro",
        (0x163, _) => "wmalossless",
        (0xff | 0x706d | 0x1600 | 0x1610 | 0xa106, _) => "aac",
        (0x2000, _) => "ac3",
        (0x2001, _) => "dts",
        (0x566f | 0x674f | 0x6750 | 0x6751 | 0x676f | 0x6770 | 0x6771, _) => "vorbis",
        (0x704f, _) => "opus",
        (0xa109, _) => "speex",
        (0xf1ac, _) => "flac",
        (0x75, _) => "metasound",
        _ => "",
    }
}

/// A WAVEFORMATEX: codec, rate, channels, bytes a second, bits a sample.
pub(crate) fn wave_format(b: &[u8]) -> Option<(AudioStream, u32, u16, u16)> {
    let mut tag = le16(b, 0)?;
    let channels = u32::from(le16(b, 2)?);
    let rate = le32(b, 4)?;
    let per_second = le32(b, 8)?;
    let align = le16(b, 12)?;
    let bits = le16(b, 14).unwrap_or(0);
    if tag == 0xfffe {
        // Extensible: the real tag begins the sub-format.
        tag = le16(b, 24)?;
    }
    let name = wave_codec(tag, bits);
    let mut stream = if name.is_empty() { AudioStream::default() } else { AudioStream::of(name) };
    stream = stream.shaped(rate, channels);
    stream.codec_tag = Some(format!("0x{tag:04x}"));
    stream.bitrate = Some(u64::from(per_second) * 8).filter(|b| *b > 0);
    stream.time_base = fraction(1, u64::from(rate));
    let format = match (name, bits) {
        ("pcm_u8", _) => Some("u8"),
        ("pcm_s24le" | "pcm_s32le", _) => Some("s32"),
        ("pcm_f32le", _) => Some("flt"),
        ("pcm_f64le", _) => Some("dbl"),
        (n, _) if n.starts_with("pcm") => Some("s16"),
        _ => None,
    };
    stream.sample_format = format.map(str::to_owned);
    Some((stream, per_second, align, tag))
}

pub(crate) fn wav(ctx: &mut Ctx<'_>) -> Parse {
    let view = View::all(ctx.src);
    let big = view.get(0, 4)? == b"RIFX";
    let n32 = |b: &[u8], at: usize| if big { be32(b, at) } else { le32(b, at) };
    let (mut format, mut lists, mut tags) = (None, Vec::new(), Vec::new());
    let (mut data, mut samples, mut long_data, mut cut) = (None, None, None, false);
    let mut at = 12;
    for _ in 0..1024 {
        if at + 8 > view.len() {
            break;
        }
        let h = view.get(at, 8)?;
        let Some(mut len) = n32(h, 4).map(u64::from) else { break };
        let kind = h.get(..4).unwrap_or_default();
        if kind == b"data" && len == 0xffff_ffff {
            len = long_data.unwrap_or(view.len().saturating_sub(at + 8));
        }
        let body = view.sub(at + 8, len);
        match kind {
            b"ds64" => long_data = le64(body.upto(0, 24)?, 8),
            b"fmt " if big => format = wave_format(&little(body.upto(0, 64)?)),
            b"fmt " => format = wave_format(body.upto(0, 64)?),
            b"bext" => ctx.part("bext", |ctx| broadcast(ctx, body)),
            b"fact" => samples = n32(body.upto(0, 4)?, 0),
            b"data" => {
                data = Some(body.len());
                cut = body.len() < len;
                // Tags behind the sound are rare; where nothing follows, stop.
                if at + 8 + len >= view.len() {
                    break;
                }
            }
            b"LIST" if len <= MAX_TAGS && lists.len() < 64 => {
                lists.push(body);
                let _ = body.upto(0, len);
            }
            b"id3 " | b"ID3 " if len <= MAX_TAGS && tags.len() < 4 => {
                tags.push(body);
                // What is missing of it is asked for together with what follows.
                let _ = body.upto(0, len);
            }
            b"LIST" if body.upto(0, 4)? == b"INFO" => crate::audio::tags::long(ctx, "LIST"),
            b"id3 " | b"ID3 " => crate::audio::tags::long(ctx, "id3"),
            _ => {}
        }
        at += 8 + len + len % 2;
    }
    // The texts of INFO go first wherever they stand, and of those the last ones, as
    // ffprobe shows them.
    for body in lists.into_iter().rev() {
        ctx.part("LIST", |ctx| info_list(ctx, body.upto(0, body.len())?));
    }
    for body in tags {
        ctx.part("id3", |ctx| {
            let b = body.upto(0, body.len())?;
            id3::block(ctx, b);
            Ok(())
        });
    }
    let (stream, per_second, _, tag) = format.ok_or(Stop::Malformed("no format chunk"))?;
    let rate = stream.sample_rate.unwrap_or(0);
    let bytes = data.unwrap_or(0) as f64;
    // Sample counts are right for compressed sound and often wrong for plain, of which
    // the bytes tell, unless some are missing: then the count is what the writer meant.
    let counted = cut || !matches!(tag, 1 | 3);
    let by_fact = samples.filter(|n| *n > 0 && counted).map(|n| f64::from(n) / f64::from(rate.max(1)));
    let by_bytes = (per_second > 0).then(|| bytes / f64::from(per_second));
    let seconds = match (by_fact, by_bytes) {
        (Some(f), Some(b)) if !cut && (f - b).abs() > b * 0.5 + 1.0 => b,
        (f, b) => f.or(b).unwrap_or(0.0),
    };
    single(ctx, ("wav", "WAV / WAVE (Waveform Audio)"), stream, seconds);
    Ok(())
}

/// Broadcast extension (EBU Tech 3285): what it is, who made it, and when, in the place's own
/// zone.
fn broadcast(ctx: &mut Ctx<'_>, body: View<'_>) -> Parse {
    let b = body.upto(0, 338)?;
    let field = |range| b.get(range).map(|b| text::decode(text::until_nul(b))).unwrap_or_default();
    let time: String = field(330..338).chars().map(|c| if c.is_ascii_digit() { c } else { ':' }).collect();
    let stamp = Stamp::parse(&format!("{} {time}", field(320..330)));
    if let Some(stamp) = stamp.or_else(|| Stamp::parse(&field(320..330))) {
        ctx.meta.produce_time = Some(stamp.rfc3339());
    }
    let max = ctx.limits.max_text;
    let (about, maker) = (text::clean(&field(0..256), max), text::clean(&field(256..288), max));
    let m = &mut ctx.meta;
    m.description = m.description.take().or(about);
    if m.authors.is_empty() {
        m.authors.extend(maker);
    }
    Ok(())
}

/// RIFF INFO: texts under four-letter names.
pub(crate) fn info_list(ctx: &mut Ctx<'_>, b: &[u8]) -> Parse {
    let Some(mut rest) = b.strip_prefix(b"INFO") else { return Ok(()) };
    let mut more = Music::default();
    while let (Some(kind), Some(len)) = (rest.get(..4), le32(rest, 4)) {
        let len = len as usize;
        let raw = rest.get(8..(8usize.saturating_add(len)).min(rest.len())).unwrap_or_default();
        let value = text::clean(&text::decode(text::until_nul(raw)), ctx.limits.max_text);
        let named = match kind {
            b"IGNR" => Some("GENRE"),
            b"ICRD" => Some("DATE"),
            b"ITRK" | b"IPRT" => Some("TRACK"),
            _ => None,
        };
        if let (Some(name), Some(value)) = (named, &value) {
            more.named(name, value);
        }
        let m = &mut ctx.meta;
        let slot = match kind {
            b"INAM" => Some(&mut m.title),
            b"IART" => Some(&mut m.artist),
            b"IPRD" => Some(&mut m.album),
            b"ICMT" => Some(&mut m.description),
            b"ICOP" => Some(&mut m.copyright),
            b"ILNG" => Some(&mut m.language),
            b"IMUS" => Some(&mut m.composer),
            _ => None,
        };
        if let (Some(slot), Some(value)) = (slot, value) {
            slot.get_or_insert(value);
        }
        let next = 8usize.saturating_add(len).saturating_add(len % 2);
        match rest.get(next..) {
            Some(tail) => rest = tail,
            None => break,
        }
    }
    more.write(ctx);
    Ok(())
}

/// An 80-bit float, as AIFF writes its rate.
fn extended(b: &[u8]) -> Option<f64> {
    let exponent = i32::from(be16(b, 0)? & 0x7fff) - 16_383 - 63;
    let mantissa = be64(b, 2)? as f64;
    Some(mantissa * 2f64.powi(exponent)).filter(|v| v.is_finite())
}

pub(crate) fn aiff(ctx: &mut Ctx<'_>) -> Parse {
    let view = View::all(ctx.src);
    let packed = view.get(8, 4)? == b"AIFC";
    let mut common = None;
    // An ID3 tag goes before the texts of AIFF itself.
    let mut texts: [Option<String>; 4] = Default::default();
    let mut at = 12;
    for _ in 0..1024 {
        if at + 8 > view.len() {
            break;
        }
        let h = view.get(at, 8)?;
        let Some(len) = be32(h, 4).map(u64::from) else { break };
        let body = view.sub(at + 8, len);
        match h.get(..4).unwrap_or_default() {
            b"COMM" => common = Some(body.upto(0, 64)?),
            b"ID3 " | b"id3 " if len <= MAX_TAGS => ctx.part("id3", |ctx| {
                let b = body.upto(0, len)?;
                id3::block(ctx, b);
                Ok(())
            }),
            kind @ (b"NAME" | b"AUTH" | b"(c) " | b"ANNO") if len <= MAX_TAGS => {
                let value = text::clean(&text::decode(body.upto(0, len)?), ctx.limits.max_text);
                let [title, artist, description, copyright] = &mut texts;
                let slot = match kind {
                    b"NAME" => title,
                    b"AUTH" => artist,
                    b"ANNO" => description,
                    _ => copyright,
                };
                *slot = slot.take().or(value);
            }
            b"ID3 " | b"id3 " | b"NAME" | b"AUTH" | b"(c) " | b"ANNO" => {
                crate::audio::tags::long(ctx, "chunk")
            }
            b"SSND" if at + 8 + len >= view.len() => break,
            _ => {}
        }
        at += 8 + len + len % 2;
    }
    let [title, artist, description, copyright] = texts;
    let m = &mut ctx.meta;
    m.title = m.title.take().or(title);
    m.artist = m.artist.take().or(artist);
    m.description = m.description.take().or(description);
    m.copyright = m.copyright.take().or(copyright);
    let b = common.ok_or(Stop::Malformed("no COMM chunk"))?;
    let (Some(channels), Some(frames), Some(bits)) = (be16(b, 0), be32(b, 2), be16(b, 6)) else {
        return Err(Stop::Malformed("COMM chunk is cut"));
    };
    let rate = b.get(8..18).and_then(extended).filter(|r| (1.0..1e7).contains(r)).unwrap_or(0.0);
    let kind = if packed { b.get(18..22).unwrap_or(b"NONE") } else { b"NONE" };
    let name = match (kind, bits) {
        (b"sowt", _) => "pcm_s16le",
        (b"fl32" | b"FL32", _) => "pcm_f32be",
        (b"fl64" | b"FL64", _) => "pcm_f64be",
        (b"alaw" | b"ALAW", _) => "pcm_alaw",
        (b"ulaw" | b"ULAW", _) => "pcm_mulaw",
        (b"ima4", _) => "adpcm_ima_qt",
        (b"GSM ", _) => "gsm",
        (_, 8) => "pcm_s8",
        (_, 24) => "pcm_s24be",
        (_, 32) => "pcm_s32be",
        _ => "pcm_s16be",
    };
    let stream = AudioStream::of(name).shaped(rate as u32, u32::from(channels));
    // A packet of this codec, of 64 samples, counts as one.
    let samples = if name == "adpcm_ima_qt" { f64::from(frames) * 64.0 } else { f64::from(frames) };
    let seconds = if rate > 0.0 { samples / rate } else { 0.0 };
    single(ctx, ("aiff", "Audio IFF"), stream, seconds);
    Ok(())
}

pub(crate) fn caf(ctx: &mut Ctx<'_>) -> Parse {
    let view = View::all(ctx.src);
    let mut description = None;
    let (mut packets, mut data) = (None, None);
    let mut at = 8;
    for _ in 0..256 {
        if at + 12 > view.len() {
            break;
        }
        let h = view.get(at, 12)?;
        let len = be64(h, 4).filter(|l| *l <= view.len()).unwrap_or(view.len());
        let body = view.sub(at + 12, len);
        match h.get(..4).unwrap_or_default() {
            b"desc" => description = Some(body.get(0, 32)?),
            b"pakt" => packets = be64(body.upto(0, 16)?, 8),
            b"data" => data = Some(body.len().saturating_sub(4)),
            b"info" => {
                let b = body.upto(4, len.min(MAX_TAGS).saturating_sub(4))?;
                let mut words = b.split(|c| *c == 0).map(text::decode);
                while let (Some(key), Some(value)) = (words.next(), words.next()) {
                    plain::tag(ctx, &key, &value);
                }
            }
            _ => {}
        }
        at = at.saturating_add(12 + len);
    }
    let b = description.ok_or(Stop::Malformed("no desc chunk"))?;
    let rate = be64(b, 0).map(f64::from_bits).filter(|r| (1.0..1e7).contains(r)).unwrap_or(0.0);
    let field = |at| be32(b, at).unwrap_or(0);
    let (flags, packet_bytes, packet_frames, channels, bits) =
        (field(12), field(16), field(20), field(24), field(28));
    let name = match b.get(8..12).unwrap_or_default() {
        b"lpcm" => match (flags & 1, flags & 2, bits) {
            (1, 0, 64) => "pcm_f64be",
            (1, _, 64) => "pcm_f64le",
            (0, _, 8) => "pcm_s8",
            (0, 0, 32) => "pcm_s32be",
            (0, _, 32) => "pcm_s32le",
            (1, 0, 32) => "pcm_f32be",
            (1, _, 32) => "pcm_f32le",
            (_, 0, 24) => "pcm_s24be",
            (_, 2, 24) => "pcm_s24le",
            (_, 0, _) => "pcm_s16be",
            _ => "pcm_s16le",
        },
        b"aac " => "aac",
        b"alac" => "alac",
        b"ulaw" => "pcm_mulaw",
        b"alaw" => "pcm_alaw",
        b".mp3" => "mp3",
        b"opus" => "opus",
        b"ima4" => "adpcm_ima_qt",
        _ => "",
    };
    let frames = match (packets, data, packet_bytes) {
        (Some(frames), _, _) => frames as f64,
        (None, Some(bytes), 1..) => bytes as f64 / f64::from(packet_bytes) * f64::from(packet_frames),
        _ => 0.0,
    };
    let stream = if name.is_empty() { AudioStream::default() } else { AudioStream::of(name) };
    let seconds = if rate > 0.0 { frames / rate } else { 0.0 };
    single(ctx, ("caf", "Apple CAF (Core Audio Format)"), stream.shaped(rate as u32, channels), seconds);
    Ok(())
}
