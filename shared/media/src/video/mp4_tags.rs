//! Tags of MP4 and MOV: iTunes lists, QuickTime user data and keys, 3GP assets.

use crate::bmff::{self, Box4};
use crate::bytes::{View, be16, be32};
use crate::ctx::Ctx;
use crate::extra::tags;
use crate::image::{lat_long_text, xmp};
use crate::source::{Parse, Stop};
use crate::text;
use crate::time::{Stamp, format_offset};

/// Longest packet of XMP read.
const MAX_XMP: u64 = 1024 * 1024;
/// A text value longer than this is no tag.
const MAX_VALUE: u64 = 64 * 1024;
/// Most values of an item, and most keys.
const MAX_VALUES: usize = 16;
const MAX_KEYS: usize = 512;

/// `udta`: QuickTime texts, 3GP assets, and a `meta` of iTunes.
pub(crate) fn user_data(ctx: &mut Ctx<'_>, udta: View<'_>) -> Parse {
    bmff::walk(udta, |b| {
        match &b.kind {
            b"meta" => meta(ctx, b.body)?,
            b"chpl" => tags::nero_chapters(ctx, b)?,
            [0xa9, x, y, z] => {
                // International text: length and language, then the text.
                let raw = b.body.upto(0, MAX_VALUE)?;
                if let Some(value) = quicktime_text(raw) {
                    let name = [*x, *y, *z];
                    if &name == b"xyz" {
                        location(ctx, &value);
                    } else {
                        assign(ctx, &name, value);
                    }
                }
            }
            b"titl" | b"auth" | b"perf" | b"albm" | b"dscp" | b"cprt" => {
                let raw = b.body.upto(6, MAX_VALUE)?;
                let value = match raw {
                    [0xfe, 0xff, rest @ ..] => text::utf16(rest, true),
                    _ => text::decode(text::until_nul(raw)),
                };
                let name: &[u8] = match &b.kind {
                    b"titl" => b"nam",
                    b"auth" => b"aut",
                    b"perf" => b"prf",
                    b"albm" => b"alb",
                    b"dscp" => b"des",
                    _ => b"cpy",
                };
                assign(ctx, name, value);
            }
            b"XMP_" => xmp_packet(ctx, b.body)?,
            b"loci" => three_gpp_location(ctx, b)?,
            b"manu" => exif_tag(ctx, "Make", b)?,
            b"modl" => exif_tag(ctx, "Model", b)?,
            _ => {}
        }
        Ok(true)
    })
}

/// A box of XMP, of which the extensions are taken: ratings, labels, persons.
pub(crate) fn xmp_box(ctx: &mut Ctx<'_>, body: View<'_>) -> Parse {
    if body.upto(0, 4)? == [0xbe, 0x7a, 0xcf, 0xcb] {
        xmp_packet(ctx, body.sub(16, u64::MAX))
    } else {
        Ok(())
    }
}

fn xmp_packet(ctx: &mut Ctx<'_>, body: View<'_>) -> Parse {
    let packet = xmp::parse(body.upto(0, body.len().min(MAX_XMP))?);
    packet.note_limits(ctx, body.len() > MAX_XMP);
    let size = ctx.src.size();
    packet.more.write(&mut ctx.meta.extra, None, None, 1, size);
    Ok(())
}

/// Maker and model boxes of cameras: version, language, text.
fn exif_tag(ctx: &mut Ctx<'_>, name: &str, b: Box4<'_>) -> Parse {
    let raw = b.body.upto(6, 256)?;
    device(ctx, name, &text::decode(text::until_nul(raw)));
    Ok(())
}

fn device(ctx: &mut Ctx<'_>, name: &str, value: &str) {
    if let Some(value) = text::clean(value, 256) {
        ctx.meta.exif.get_or_insert_default().entry(name.to_owned()).or_insert(value);
    }
}

fn quicktime_text(raw: &[u8]) -> Option<String> {
    let len = usize::from(be16(raw, 0)?);
    // Languages below 0x400 are those of the Macintosh, with its letters.
    let old = be16(raw, 2).is_some_and(|code| code < 0x400);
    let body = raw.get(4..4 + len);
    // Some writers leave out length and language.
    let old = old && body.is_some();
    let body = body.unwrap_or(raw);
    Some(match body {
        [0xfe, 0xff, rest @ ..] => text::utf16(rest, true),
        _ => match std::str::from_utf8(text::until_nul(body)) {
            Err(_) if old => text::mac_roman(text::until_nul(body)),
            _ => text::decode(text::until_nul(body)),
        },
    })
}

/// `meta`: with version and flags (ISO) or without (QuickTime).
pub(crate) fn meta(ctx: &mut Ctx<'_>, view: View<'_>) -> Parse {
    let head = view.upto(0, 8)?;
    let body = if head.get(4..8) == Some(b"hdlr") { view } else { view.sub(4, u64::MAX) };
    let mut keys: Vec<String> = Vec::new();
    bmff::walk(body, |b| {
        match &b.kind {
            b"keys" => {
                bmff::walk(b.body.sub(8, u64::MAX), |key| {
                    // The box's kind is the namespace, its content the name.
                    keys.push(text::decode(key.body.upto(0, 256)?));
                    if keys.len() > MAX_KEYS {
                        return Err(Stop::Limit("more keys than are read"));
                    }
                    Ok(true)
                })?;
            }
            b"ilst" => bmff::walk(b.body, |item| {
                list_item(ctx, item, &keys)?;
                Ok(true)
            })?,
            _ => {}
        }
        Ok(true)
    })
}

fn list_item(ctx: &mut Ctx<'_>, item: Box4<'_>, keys: &[String]) -> Parse {
    if &item.kind == b"covr" {
        return covers(ctx, item.body);
    }
    tags::mp4_item(ctx, item)?;
    let mut name = None;
    let mut values: Vec<String> = Vec::new();
    bmff::walk(item.body, |b| {
        match &b.kind {
            b"data" => {
                let kind = be32(b.body.upto(0, 4)?, 0).unwrap_or(0);
                let raw = b.body.sub(8, MAX_VALUE).upto(0, MAX_VALUE)?;
                let text = match kind {
                    1 | 4 => Some(text::decode(raw)),
                    2 | 5 => Some(text::utf16(raw, true)),
                    0 if raw.iter().all(|b| *b >= 0x20) => Some(text::decode(raw)),
                    _ => None,
                };
                if values.len() < MAX_VALUES {
                    values.extend(text);
                } else {
                    crate::audio::tags::long(ctx, "ilst");
                }
            }
            b"name" => name = Some(text::decode(b.body.sub(4, 256).upto(0, 256)?)),
            _ => {}
        }
        Ok(true)
    })?;
    if values.is_empty() {
        return Ok(());
    }
    let several = matches!(&item.kind, b"\xa9ART" | b"\xa9alb" | b"aART" | b"\xa9wrt" | b"----");
    if &item.kind == b"\xa9ART" && values.len() > 1 && ctx.meta.authors.is_empty() {
        ctx.meta.authors = values.iter().filter_map(|v| text::clean(v, 256)).collect();
    }
    // Of other items further boxes are translations.
    values.truncate(if several { MAX_VALUES } else { 1 });
    let value = values.join(";");
    let index = u32::from_be_bytes(item.kind).checked_sub(1).map(|i| i as usize);
    match (&item.kind, index.and_then(|i| keys.get(i))) {
        (_, Some(key)) => quicktime_key(ctx, key, value),
        ([0xa9, x, y, z], None) => assign(ctx, &[*x, *y, *z], value),
        (b"----", None) if name.as_deref().is_some_and(|n| n.eq_ignore_ascii_case("performer")) => {
            assign(ctx, b"prf", value);
        }
        (b"aART", None) => assign(ctx, b"aART", value),
        (b"cprt", None) => assign(ctx, b"cpy", value),
        (b"desc" | b"ldes", None) => assign(ctx, b"des", value),
        (b"keyw", None) => assign(ctx, b"key", value),
        _ => {}
    }
    Ok(())
}

/// Cover pictures: only the head of each is read.
fn covers(ctx: &mut Ctx<'_>, view: View<'_>) -> Parse {
    bmff::walk(view, |b| {
        if &b.kind == b"data" {
            let held = b.body.src.held_from(b.body.start.saturating_add(8));
            let len = (b.body.len().saturating_sub(8) as usize).min(held.len());
            crate::audio::tags::add_cover(ctx, crate::audio::cover(held.get(..len).unwrap_or_default()));
        }
        Ok(true)
    })
}

/// Puts a value under the field of a three-letter name.
fn assign(ctx: &mut Ctx<'_>, name: &[u8], value: String) {
    let max = ctx.limits.max_text;
    let Some(value) = text::clean(&value, max) else { return };
    tags::quicktime(ctx, name, &value);
    let m = &mut ctx.meta;
    let slot = match name {
        b"nam" => &mut m.title,
        b"ART" => &mut m.artist,
        b"alb" => &mut m.album,
        b"aART" => &mut m.album_artist,
        b"wrt" | b"com" => &mut m.composer,
        b"prf" => &mut m.performer,
        b"des" | b"cmt" | b"inf" => &mut m.description,
        b"cpy" => &mut m.copyright,
        b"mak" => return device(ctx, "Make", &value),
        b"mod" => return device(ctx, "Model", &value),
        b"aut" | b"dir" => {
            m.authors.push(value);
            return;
        }
        b"key" => {
            m.keywords.extend(
                value.split([',', ';']).filter_map(|k| text::clean(k, 256)).take(crate::MAX_KEYWORDS + 1),
            );
            return;
        }
        b"day" => {
            // A year alone is a release, not a moment of capture.
            if value.len() >= 19
                && let Some(stamp) = Stamp::parse(&value)
            {
                moment(ctx, &stamp);
            }
            return;
        }
        b"lyr" => return,
        _ => return,
    };
    slot.get_or_insert(value);
}

fn moment(ctx: &mut Ctx<'_>, stamp: &Stamp) {
    ctx.meta.produce_time = Some(stamp.rfc3339());
    ctx.utc = false;
    ctx.meta.timezone = stamp.offset.map(format_offset);
}

fn quicktime_key(ctx: &mut Ctx<'_>, key: &str, value: String) {
    let name = key.strip_prefix("com.apple.quicktime.").unwrap_or(key);
    let name = name.strip_prefix("com.android.").unwrap_or(name);
    match name {
        "title" | "displayname" => assign(ctx, b"nam", value),
        "artist" => assign(ctx, b"ART", value),
        "album" => assign(ctx, b"alb", value),
        "author" => assign(ctx, b"aut", value),
        "composer" => assign(ctx, b"wrt", value),
        "performer" => assign(ctx, b"prf", value),
        "description" | "comment" => assign(ctx, b"des", value),
        "copyright" => assign(ctx, b"cpy", value),
        "keywords" => assign(ctx, b"key", value),
        "make" | "manufacturer" => device(ctx, "Make", &value),
        "model" => device(ctx, "Model", &value),
        "software" => device(ctx, "Software", &value),
        "location.ISO6709" => location(ctx, &value),
        "content.identifier" => ctx.meta.live_photo_id = text::clean(&value, 64),
        // Local time with its offset: more than the header's UTC.
        "creationdate" => {
            if let Some(stamp) = Stamp::parse(&value) {
                moment(ctx, &stamp);
            }
        }
        _ => {}
    }
}

/// ISO 6709: `+40.6800-074.5000+026/`, also in degrees and minutes.
pub(super) fn location(ctx: &mut Ctx<'_>, value: &str) {
    if let Some((lat, long)) = iso6709(value) {
        ctx.meta.lat_long = ctx.meta.lat_long.take().or_else(|| lat_long_text(lat, long));
    }
}

fn iso6709(text: &str) -> Option<(f64, f64)> {
    let text = text.trim().trim_end_matches('/');
    let second = text.char_indices().skip(1).find(|(_, c)| matches!(c, '+' | '-')).map(|(i, _)| i)?;
    let (lat, rest) = text.split_at(second);
    let end = rest
        .char_indices()
        .skip(1)
        .find(|(_, c)| matches!(c, '+' | '-' | 'C' | '/'))
        .map_or(rest.len(), |(i, _)| i);
    let long = rest.get(..end)?;
    let part = |text: &str, degrees: usize| -> Option<f64> {
        let value: f64 = text.parse().ok().filter(|v: &f64| v.is_finite())?;
        let digits = text.trim_start_matches(['+', '-']).split('.').next()?.len();
        let (sign, value) = (value.signum(), value.abs());
        Some(
            sign * match digits.checked_sub(degrees) {
                Some(2) => (value / 100.0).trunc() + value % 100.0 / 60.0,
                Some(4) => {
                    (value / 1e4).trunc() + (value / 100.0).trunc() % 100.0 / 60.0 + value % 100.0 / 3600.0
                }
                _ => value,
            },
        )
    };
    Some((part(lat, 2)?, part(long, 3)?))
}

/// 3GP location: language, name, role, then 16.16 longitude, latitude, altitude.
fn three_gpp_location(ctx: &mut Ctx<'_>, b: Box4<'_>) -> Parse {
    let raw = b.body.upto(6, 1024)?;
    let name = text::until_nul(raw).len();
    if let (Some(long), Some(lat)) = (be32(raw, name + 2), be32(raw, name + 6)) {
        let degrees = |v: u32| f64::from(v as i32) / 65536.0;
        ctx.meta.lat_long = ctx.meta.lat_long.take().or_else(|| lat_long_text(degrees(lat), degrees(long)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iso_6709_forms() {
        assert_eq!(iso6709("+40.6800-074.5000/"), Some((40.68, -74.5)));
        assert_eq!(iso6709("+27.5916+086.5640+8850CRSWGS_84/"), Some((27.5916, 86.564)));
        assert_eq!(iso6709("-1230.0+09030.0/"), Some((-12.5, 90.5)));
        assert_eq!(iso6709("nonsense"), None);
        assert_eq!(iso6709(""), None);
    }
}
