//! ASF: WMV and WMA, the header object.

use crate::audio::riff;
use crate::bytes::{View, le16, le32, le64};
use crate::codec;
use crate::ctx::Ctx;
use crate::extra::music::Music;
use crate::extra::tags;
use crate::metadata::{MediaType, VideoStream};
use crate::source::{Parse, Stop};
use crate::text;
use crate::time::Stamp;
use crate::video::avi::fourcc_codec;

/// Longest object of texts and covers read.
const MAX_OBJECT: u64 = 1 << 20;

const FILE: [u8; 4] = [0xa1, 0xdc, 0xab, 0x8c];
const STREAM: [u8; 4] = [0x91, 0x07, 0xdc, 0xb7];
const CONTENT: [u8; 4] = [0x33, 0x26, 0xb2, 0x75];
const EXTENDED: [u8; 4] = [0x40, 0xa4, 0xd0, 0xd2];
const LIBRARY: [u8; 4] = [0x94, 0x1c, 0x23, 0x44];
const HEADER_EXTENSION: [u8; 4] = [0xb5, 0x03, 0xbf, 0x5f];
const EXTENDED_STREAM: [u8; 4] = [0xcb, 0xa5, 0xe6, 0x14];

pub(crate) fn read(ctx: &mut Ctx<'_>) -> Parse {
    let all = View::all(ctx.src);
    let len = le64(all.get(0, 30)?, 16).unwrap_or(0);
    let header = all.sub(0, len);
    header.upto(0, len.min(1 << 20))?;
    let mut seconds = 0.0;
    objects(ctx, header.sub(30, u64::MAX), &mut seconds, 0)?;
    ctx.meta.format_name = Some("asf".into());
    ctx.meta.format_long_name = Some("ASF (Advanced / Active Streaming Format)".into());
    ctx.meta.duration = codec::seconds(seconds);
    ctx.meta.bitrate = codec::bitrate(ctx.src.size(), seconds);
    let streams = ctx.meta.video_streams.len() + ctx.meta.audio_streams.len();
    ctx.meta.stream_count = Some(streams as u32);
    match ctx.meta.video_streams.first().map(|v| (v.width, v.height)) {
        Some((w, h)) => {
            ctx.meta.video_width = w;
            ctx.meta.video_height = h;
            ctx.refine("asf", "video/x-ms-asf");
        }
        None if streams > 0 => {
            ctx.kind.media = MediaType::Audio;
            ctx.refine("wma", "audio/x-ms-wma");
        }
        None => {}
    }
    let rate = codec::seconds(seconds);
    for v in &mut ctx.meta.video_streams {
        v.duration = rate;
    }
    for a in &mut ctx.meta.audio_streams {
        a.duration = rate;
    }
    Ok(())
}

fn objects(ctx: &mut Ctx<'_>, view: View<'_>, seconds: &mut f64, depth: u32) -> Parse {
    let mut at = 0u64;
    for _ in 0..4096 {
        ctx.tick()?;
        if at.saturating_add(24) > view.len() {
            return Ok(());
        }
        let h = view.get(at, 24)?;
        let len = le64(h, 16).unwrap_or(0);
        if len < 24 {
            return Err(Stop::Malformed("object shorter than its header"));
        }
        let body = view.sub(at + 24, len - 24);
        let id = h.get(..4).unwrap_or_default();
        match id {
            _ if id == FILE => {
                let b = body.upto(0, 80)?;
                let play = le64(b, 40).unwrap_or(0) as f64 / 1e7;
                let preroll = le64(b, 56).unwrap_or(0) as f64 / 1e3;
                *seconds = (play - preroll).max(0.0);
                let made = le64(b, 24).and_then(Stamp::from_filetime);
                ctx.meta.produce_time = made.map(|s| s.rfc3339());
                ctx.utc = true;
            }
            _ if id == STREAM => ctx.part("stream", |ctx| stream(ctx, body)),
            _ if id == CONTENT => ctx.part("content description", |ctx| content(ctx, body)),
            _ if id == EXTENDED => ctx.part("extended content", |ctx| extended(ctx, body)),
            _ if id == LIBRARY => ctx.part("metadata library", |ctx| library(ctx, body)),
            _ if id == HEADER_EXTENSION && depth < 2 => {
                objects(ctx, body.sub(22, u64::MAX), seconds, depth + 1)?;
            }
            // May hold a stream's properties behind its own.
            _ if id == EXTENDED_STREAM && depth < 2 => ctx.part("extended stream", |ctx| {
                let b = body.upto(0, 64)?;
                let names = le16(b, 60).unwrap_or(0);
                let extensions = le16(b, 62).unwrap_or(0);
                if names == 0 && extensions == 0 && body.len() > 64 {
                    let mut none = 0.0;
                    objects(ctx, body.sub(64, u64::MAX), &mut none, depth + 1)?;
                }
                Ok(())
            }),
            _ => {}
        }
        at = at.saturating_add(len);
    }
    Err(Stop::Limit("more objects than are read"))
}

fn stream(ctx: &mut Ctx<'_>, body: View<'_>) -> Parse {
    let b = body.upto(0, body.len().min(1024))?;
    let number = u32::from(le16(b, 48).unwrap_or(1) & 0x7f);
    let specific = b.get(54..).unwrap_or_default();
    match b.get(..4) {
        // Audio
        Some([0x40, 0x9e, 0x69, 0xf8]) => {
            if let Some((mut a, _, _, _)) = riff::wave_format(specific) {
                a.index = Some(number.saturating_sub(1));
                ctx.meta.audio_streams.push(a);
            }
        }
        // Video
        Some([0xc0, 0xef, 0x19, 0xbc]) => {
            let format = specific.get(11..).unwrap_or_default();
            let code = format.get(16..20).unwrap_or_default();
            let name = fourcc_codec(code);
            let mut v = if name.is_empty() { VideoStream::default() } else { VideoStream::of(name) };
            v.index = Some(number.saturating_sub(1));
            v.width = le32(specific, 0).filter(|w| (1..65_536).contains(w));
            v.height = le32(specific, 4).filter(|h| (1..65_536).contains(h));
            v.codec_tag_string = text::clean(&text::decode(code), 8);
            v.pixel_format = Some("yuv420p".into()).filter(|_| !name.is_empty());
            v.time_base = Some("1/1000".into());
            if let (Some(w), Some(h)) = (v.width, v.height) {
                v.display_aspect_ratio = codec::display_aspect(w, h, (1, 1));
            }
            ctx.meta.video_streams.push(v);
        }
        _ => {}
    }
    Ok(())
}

/// Title, author, copyright, description, rating: five lengths, five texts.
fn content(ctx: &mut Ctx<'_>, body: View<'_>) -> Parse {
    let b = body.upto(0, body.len().min(MAX_OBJECT))?;
    let mut at = 10;
    let max = ctx.limits.max_text;
    let mut next = |i: usize| {
        let len = usize::from(le16(b, i * 2)?);
        let raw = b.get(at..at + len)?;
        at += len;
        text::clean(&text::utf16(raw, false), max)
    };
    let texts = [next(0), next(1), next(2), next(3)];
    let [title, author, copyright, description] = texts;
    let m = &mut ctx.meta;
    m.title = m.title.take().or(title);
    m.artist = m.artist.take().or(author);
    m.copyright = m.copyright.take().or(copyright);
    m.description = m.description.take().or(description);
    Ok(())
}

fn extended(ctx: &mut Ctx<'_>, body: View<'_>) -> Parse {
    let b = body.upto(0, body.len().min(MAX_OBJECT))?;
    if body.len() > MAX_OBJECT {
        crate::audio::tags::long(ctx, "attributes");
    }
    let count = le16(b, 0).unwrap_or(0);
    let mut more = Music::default();
    let mut at = 2;
    for _ in 0..count {
        let Some(name_len) = le16(b, at).map(usize::from) else { break };
        let Some(name) = b.get(at + 2..at + 2 + name_len) else { break };
        at += 2 + name_len;
        let (Some(kind), Some(len)) = (le16(b, at), le16(b, at + 2).map(usize::from)) else { break };
        let Some(raw) = b.get(at + 4..at + 4 + len) else { break };
        at += 4 + len;
        if kind == 1 && text::utf16(name, false) == "WM/Picture" {
            picture(ctx, raw);
        }
        tags::asf(&mut more, &text::utf16(name, false), kind, raw);
        if kind != 0 {
            continue;
        }
        attribute(ctx, &text::utf16(name, false), raw);
    }
    more.write(ctx);
    Ok(())
}

/// Takes a text. Several artists, albums or composers are attributes of one name, of which
/// the first artist may be the content description's.
fn attribute(ctx: &mut Ctx<'_>, name: &str, raw: &[u8]) {
    let max = ctx.limits.max_text;
    let Some(value) = text::clean(&text::utf16(raw, false), max) else { return };
    let m = &mut ctx.meta;
    let slot = match name {
        "Author" => &mut m.artist,
        "WM/AlbumTitle" => &mut m.album,
        "WM/AlbumArtist" => &mut m.album_artist,
        "WM/Composer" => &mut m.composer,
        "WM/Conductor" => &mut m.performer,
        "WM/Language" => {
            m.language.get_or_insert(value);
            return;
        }
        _ => return,
    };
    let Some(had) = slot else {
        *slot = Some(value);
        return;
    };
    if had.split(';').any(|v| v == value) {
        return;
    }
    if name == "Author" {
        if m.authors.is_empty() {
            m.authors.push(had.clone());
        }
        m.authors.push(value.clone());
    }
    *slot = text::clean(&format!("{had};{value}"), max);
}

/// A cover: its kind, a length, the type and a description in letters of two bytes, the data.
fn picture(ctx: &mut Ctx<'_>, b: &[u8]) {
    let mut rest = b.get(5..).unwrap_or_default();
    for _ in 0..2 {
        let end = rest.chunks_exact(2).take(512).position(|p| p == [0, 0]);
        rest = end.and_then(|n| rest.get(n * 2 + 2..)).unwrap_or_default();
    }
    crate::audio::tags::add_cover(ctx, crate::audio::cover(rest));
}

/// Attributes too long for the extended content: language, stream, lengths, name, data.
fn library(ctx: &mut Ctx<'_>, body: View<'_>) -> Parse {
    let b = body.upto(0, body.len().min(MAX_OBJECT))?;
    if body.len() > MAX_OBJECT {
        crate::audio::tags::long(ctx, "attributes");
    }
    let mut more = Music::default();
    let mut at = 2;
    for _ in 0..le16(b, 0).unwrap_or(0) {
        let (Some(name_len), Some(kind), Some(len)) = (le16(b, at + 4), le16(b, at + 6), le32(b, at + 8))
        else {
            break;
        };
        let start = at + 12 + usize::from(name_len);
        let Some(name) = b.get(at + 12..start) else { break };
        let end = start.saturating_add(len as usize);
        if kind == 1 && text::utf16(name, false) == "WM/Picture" {
            picture(ctx, b.get(start..end.min(b.len())).unwrap_or_default());
        }
        let value = b.get(start..end.min(b.len())).unwrap_or_default();
        if kind == 0 {
            let value = value.get(..64 * 1024).unwrap_or(value);
            tags::asf(&mut more, &text::utf16(name, false), kind, value);
        }
        // Texts that belong to no stream.
        if kind == 0 && le16(b, at + 2) == Some(0) {
            attribute(ctx, &text::utf16(name, false), value);
        }
        at = end;
    }
    more.write(ctx);
    Ok(())
}
