//! What MP4, QuickTime, ASF and ID3 write of tracks, discs, genres and lyrics in forms of
//! their own.

use crate::bmff::{self, Box4};
use crate::bytes::{be16, be32, le32};
use crate::ctx::Ctx;
use crate::extra::chapters;
use crate::extra::exif::percent;
use crate::extra::music::{Music, genre, stars_of_byte};
use crate::source::Parse;
use crate::text;

/// An item of MP4's list: numbers in bytes, texts, and what users name.
pub(crate) fn mp4_item(ctx: &mut Ctx<'_>, item: Box4<'_>) -> Parse {
    const WANTED: [&[u8; 4]; 10] =
        [b"trkn", b"disk", b"gnre", b"tmpo", b"cpil", b"rate", b"\xa9gen", b"\xa9day", b"\xa9lyr", b"----"];
    if !WANTED.contains(&&item.kind) {
        return Ok(());
    }
    let mut music = Music::default();
    let (mut name, mut count) = (None, 0);
    bmff::walk(item.body, |b| {
        match &b.kind {
            b"name" => name = Some(text::decode(b.body.sub(4, 256).upto(0, 256)?)),
            b"data" => {
                count += 1;
                let kind = be32(b.body.upto(0, 4)?, 0).unwrap_or(0);
                let raw = b.body.sub(8, 64 * 1024).upto(0, 64 * 1024)?;
                let number = || match *raw {
                    [a] => Some(u32::from(a)),
                    [a, b] => Some(u32::from(u16::from_be_bytes([a, b]))),
                    [a, b, c, d] => Some(u32::from_be_bytes([a, b, c, d])),
                    _ => None,
                };
                let pair = || {
                    let part = |at| be16(raw, at).unwrap_or(0);
                    format!("{}/{}", part(2), part(4))
                };
                let text = || if kind == 2 { text::utf16(raw, true) } else { text::decode(raw) };
                match &item.kind {
                    b"trkn" => music.track(&pair()),
                    b"disk" => music.disc(&pair()),
                    b"gnre" => {
                        let named = number().and_then(|n| genre(n.checked_sub(1)?));
                        music.genre(named.unwrap_or_default());
                    }
                    b"tmpo" => music.bpm(&number().unwrap_or(0).to_string()),
                    b"cpil" => music.compilation(&number().unwrap_or(0).min(1).to_string()),
                    b"rate" => music.named("RATING", &text()),
                    b"\xa9gen" => music.genre(&text()),
                    b"\xa9day" => music.date(1, &text()),
                    b"\xa9lyr" => music.lyrics(&text()),
                    _ => music.named(name.as_deref().unwrap_or_default(), &text()),
                }
            }
            _ => {}
        }
        Ok(count < 16)
    })?;
    music.write(ctx);
    Ok(())
}

/// A text of QuickTime's user data by its three letters.
pub(crate) fn quicktime(ctx: &mut Ctx<'_>, name: &[u8], value: &str) {
    let mut music = Music::default();
    match name {
        b"gen" => music.genre(value),
        b"day" => music.date(1, value),
        b"lyr" => music.lyrics(value),
        b"trk" => music.track(value),
        b"dis" => music.disc(value),
        _ => return,
    }
    music.write(ctx);
}

/// An attribute of ASF: text (0), a truth (2) or a number (3, 5).
pub(crate) fn asf(music: &mut Music, name: &str, kind: u16, raw: &[u8]) {
    let number = || match kind {
        2 | 3 => le32(raw, 0).or_else(|| raw.first().map(|b| u32::from(*b))),
        5 => crate::bytes::le16(raw, 0).map(u32::from),
        _ => None,
    };
    let text = match kind {
        0 => text::utf16(raw, false),
        _ => match number() {
            Some(n) => n.to_string(),
            None => return,
        },
    };
    match name.to_ascii_uppercase().as_str() {
        "WM/TRACKNUMBER" => music.track(&text),
        // The older one counts from 0.
        "WM/TRACK" => {
            if let Ok(n) = text.parse::<u32>() {
                music.named("TRACK", &n.saturating_add(1).to_string());
            }
        }
        "WM/PARTOFSET" => music.disc(&text),
        "WM/GENRE" => music.genre(&text),
        "WM/YEAR" => music.date(1, &text),
        "WM/BEATSPERMINUTE" => music.bpm(&text),
        "WM/LYRICS" => music.lyrics(&text),
        "WM/ISCOMPILATION" => music.compilation(&text),
        "WM/SHAREDUSERRATING" => {
            let stars = text.parse().ok().filter(|v| *v > 0.0).and_then(percent);
            music.rating(stars);
        }
        other => music.named(other, &text),
    }
}

/// Whether a frame of ID3 is taken here.
pub(crate) fn wants_frame(id: &[u8; 4]) -> bool {
    const IDS: &[&[u8; 4]] = &[
        b"TRCK", b"TRK\0", b"TPOS", b"TPA\0", b"TCON", b"TCO\0", b"TDRC", b"TYER", b"TYE\0", b"TDAT",
        b"TDA\0", b"TDRL", b"TBPM", b"TBP\0", b"USLT", b"ULT\0", b"TCMP", b"TCP\0", b"POPM", b"POP\0",
        b"CHAP", b"RVA2",
    ];
    IDS.contains(&id)
}

/// A frame of ID3, unpacked; `decode` reads a text with its encoding in front.
pub(crate) fn frame(music: &mut Music, id: &[u8; 4], b: &[u8], version: u8, decode: fn(u8, &[u8]) -> String) {
    let all = || b.split_first().map(|(e, rest)| decode(*e, rest)).unwrap_or_default();
    let first = || all().split('\0').next().unwrap_or_default().to_owned();
    match id {
        b"TRCK" | b"TRK\0" => music.track(&first()),
        b"TPOS" | b"TPA\0" => music.disc(&first()),
        b"TCON" | b"TCO\0" => all().split('\0').for_each(|g| music.genre(g)),
        b"TDRL" => music.date(0, &first()),
        b"TDRC" => music.date(1, &first()),
        b"TYER" | b"TYE\0" => music.date(2, &first()),
        // The day and month of the year beside it.
        b"TDAT" | b"TDA\0" => {
            let text = first();
            if let (Some(day), Some(month)) = (text.get(..2), text.get(2..4)) {
                music.day = Some(format!("-{month}-{day}"));
            }
        }
        b"TBPM" | b"TBP\0" => music.bpm(&first()),
        b"TCMP" | b"TCP\0" => music.compilation(&first()),
        b"USLT" | b"ULT\0" => {
            // Encoding, language, a description, the text.
            let Some((encoding, rest)) = b.split_first() else { return };
            let whole = decode(*encoding, rest.get(3..).unwrap_or_default());
            let text = whole.split_once('\0').map_or(whole.as_str(), |(_, text)| text);
            music.lyrics(text.trim_matches('\0'));
        }
        b"POPM" | b"POP\0" => {
            // Whose it is, the rating, a counter.
            let at = b.iter().position(|c| *c == 0).map_or(b.len(), |at| at + 1);
            music.rating(b.get(at).and_then(|r| stars_of_byte(*r)));
        }
        b"RVA2" => {
            let end = b.iter().position(|c| *c == 0).unwrap_or(b.len());
            let (name, rest) = b.split_at(end);
            // The master volume: 512ths of a dB.
            let gain = rest.get(1).filter(|channel| **channel == 1).and_then(|_| be16(rest, 2));
            let gain = gain.map(|g| f64::from(g as i16) / 512.0);
            if let Some(gain) = gain {
                let kind = if name.eq_ignore_ascii_case(b"album") { "ALBUM" } else { "TRACK" };
                music.named(&format!("REPLAYGAIN_{kind}_GAIN"), &format!("{gain:.2}"));
            }
        }
        b"CHAP" => music.chapters.frame(b, version, decode),
        _ => {}
    }
}

/// The fields of version 1 that version 2 names more exactly.
pub(crate) fn version_1(music: &mut Music, b: &[u8]) {
    let year = text::decode(text::until_nul(b.get(90..94).unwrap_or_default()));
    music.date(2, &year);
    if let (Some(0), Some(track)) = (b.get(122), b.get(123)) {
        music.track(&track.to_string());
    }
    let named = b.get(124).and_then(|n| genre(u32::from(*n)));
    music.genre(named.unwrap_or_default());
}

/// A block of Nero's chapters in MP4.
pub(crate) fn nero_chapters(ctx: &mut Ctx<'_>, b: Box4<'_>) -> Parse {
    let raw = b.body.upto(0, b.body.len().min(256 * 1024))?;
    if ctx.meta.extra.chapters.is_empty() {
        ctx.meta.extra.chapters = chapters::nero(raw);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_id3() {
        let latin = |_: u8, b: &[u8]| text::latin1(b);
        let mut m = Music::default();
        for (id, body) in [
            (b"TRCK", &b"\x005/9"[..]),
            (b"TCON", b"\0(17)\0Pop"),
            (b"TYER", b"\x001999"),
            (b"TDAT", b"\x003112"),
            (b"USLT", b"\0eng\0la la"),
            (b"POPM", b"me\0\xc4\0\0"),
            (b"RVA2", b"track\0\x01\xfc\x00\0"),
            (b"TCMP", b"\x001"),
        ] {
            assert!(wants_frame(id));
            frame(&mut m, id, body, 3, latin);
        }
        assert_eq!((m.extra.track_number, m.extra.track_total), (Some(5), Some(9)));
        assert_eq!(m.genres, ["Rock", "Pop"]);
        assert_eq!((m.dates[2].as_deref(), m.day.as_deref()), (Some("1999"), Some("-12-31")));
        assert_eq!(
            (m.lyrics.as_deref(), m.rating, m.extra.compilation),
            (Some("la la"), Some(4), Some(true))
        );
        assert_eq!(m.extra.replay_gain_track_gain, Some(-2.0));
        for id in [b"USLT", b"POPM", b"RVA2", b"CHAP", b"TCON"] {
            frame(&mut m, id, b"", 4, latin);
            frame(&mut m, id, b"\x01", 4, latin);
        }
    }

    #[test]
    fn attributes_of_asf() {
        let wide = |t: &str| t.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
        let mut m = Music::default();
        asf(&mut m, "WM/Track", 3, &4u32.to_le_bytes());
        asf(&mut m, "WM/PartOfSet", 0, &wide("1/2"));
        asf(&mut m, "WM/IsCompilation", 2, &1u32.to_le_bytes());
        asf(&mut m, "WM/SharedUserRating", 3, &99u32.to_le_bytes());
        asf(&mut m, "WM/Genre", 0, &wide("Jazz"));
        asf(&mut m, "WM/Year", 1, b"");
        assert_eq!((m.extra.track_number, m.extra.disc_total, m.rating), (Some(5), Some(2), Some(5)));
        assert_eq!((m.extra.compilation, m.genres.join(";").as_str()), (Some(true), "Jazz"));
    }
}
