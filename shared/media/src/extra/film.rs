//! High dynamic range of films, and what camcorders write into their streams.

use crate::bytes::find;
use crate::ctx::Ctx;
use crate::metadata::{Metadata, VideoStream};
use crate::time::{Stamp, format_offset};

/// Profile and compatibility of Dolby Vision's configuration, such as `8.4`.
pub(crate) fn dolby_vision(stream: &mut VideoStream, b: &[u8]) {
    // Two bytes of version, seven bits of profile, six of level, three flags, four bits of
    // what else can play it.
    if let Some(&[first, _, compatible]) = b.get(2..5) {
        let (profile, compatible) = (first >> 1, compatible >> 4);
        stream.dolby_vision_profile = Some(match compatible {
            0 => profile.to_string(),
            _ => format!("{profile}.{compatible}"),
        });
    }
}

/// Whether the head of a stream carries HDR10+: a message of SMPTE ST 2094-40.
pub(crate) fn is_hdr10_plus(head: &[u8]) -> bool {
    find(head, &[0xb5, 0, 0x3c, 0, 1, 4]).is_some()
}

/// Says which kinds of high dynamic range the streams have.
pub(crate) fn hdr(m: &mut Metadata) {
    let mut found: Vec<String> = std::mem::take(&mut m.extra.hdr_format);
    for v in &m.video_streams {
        let plain = match v.color_transfer.as_deref() {
            Some("smpte2084") => Some("HDR10"),
            Some("arib-std-b67") => Some("HLG"),
            _ => None,
        };
        let dolby = v.dolby_vision_profile.as_ref().map(|_| "Dolby Vision");
        found.extend([dolby, plain].into_iter().flatten().map(str::to_owned));
    }
    found.sort();
    found.dedup();
    m.extra.hdr_format = found;
}

/// The mark of the message that camcorders write: its identifier, then `MDPM`.
const MDPM: &[u8] = b"\x17\xee\x8c\x60\xf8\x4d\x11\xd9\x8c\xd6\x08\x00\x20\x0c\x9a\x66MDPM";

/// What the message says: a tag and four bytes.
type Entry = (u8, [u8; 4]);

/// Two decimal digits in a byte.
fn decimal(b: u8) -> Option<u32> {
    let (tens, ones) = (b >> 4, b & 15);
    (tens < 10 && ones < 10).then(|| u32::from(tens) * 10 + u32::from(ones))
}

/// Bytes of a unit without those that keep start codes away.
fn unescaped(b: &[u8]) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::with_capacity(b.len());
    for byte in b {
        if *byte == 3 && out.ends_with(&[0, 0]) {
            continue;
        }
        out.push(*byte);
    }
    out
}

/// The local time of the recording in an H.264 stream of AVCHD, with its zone where that is
/// set.
fn recorded(head: &[u8]) -> Option<(Stamp, Vec<Entry>)> {
    // The identifier has no zeros in a row; what follows it may.
    let at = find(head, MDPM)? + MDPM.len();
    let rest = unescaped(head.get(at..head.len().min(at + 1024))?);
    let (count, entries) = rest.split_first()?;
    let entries: Vec<Entry> = entries
        .chunks_exact(5)
        .take(usize::from(*count))
        .filter_map(|e| match *e {
            [tag, a, b, c, d] => Some((tag, [a, b, c, d])),
            _ => None,
        })
        .collect();
    let value = |tag: u8| entries.iter().find(|(t, _)| *t == tag).map(|(_, v)| *v);
    let ([zone, century, year, month], [day, hour, minute, second]) = (value(0x18)?, value(0x19)?);
    let [century, year, month] = [decimal(century)?, decimal(year)?, decimal(month)?];
    let [day, hour, minute, second] = [decimal(day)?, decimal(hour)?, decimal(minute)?, decimal(second)?];
    let mut stamp = Stamp::parse(&format!(
        "{century:02}{year:02}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"
    ))?;
    // Half hours in bits 1 to 5, their sign in bit 5, summer time in bit 6; all ones: unknown.
    if zone & 0x80 == 0 {
        let half_hours = i32::from(zone >> 1 & 15) * 60 + i32::from(zone & 1) * 30;
        let offset = if zone & 0x20 != 0 { -half_hours } else { half_hours };
        stamp.offset = Some(offset);
    }
    Some((stamp, entries))
}

/// Takes date and camera of a camcorder's recording from the head of its stream.
pub(crate) fn camcorder(ctx: &mut Ctx<'_>, head: &[u8]) {
    let Some((stamp, entries)) = recorded(head) else { return };
    ctx.meta.timezone = stamp.offset.map(format_offset);
    ctx.meta.produce_time = Some(stamp.rfc3339());
    let value = |tag: u8| entries.iter().find(|(t, _)| *t == tag).map(|(_, v)| *v);
    let make = match value(0xe0) {
        Some([1, 3, ..]) => "Panasonic",
        Some([1, 8, ..]) => "Sony",
        Some([0x10, 0x11, ..]) => "Canon",
        Some([0x11, 0x04, ..]) => "JVC",
        _ => return,
    };
    ctx.meta.exif.get_or_insert_default().entry("Make".to_owned()).or_insert_with(|| make.to_owned());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(entries: &[[u8; 5]]) -> Vec<u8> {
        let body: Vec<u8> = entries.iter().flatten().copied().collect();
        [&[0, 0, 1, 6, 5, 40][..], MDPM, &[entries.len() as u8], &body, &[0x80]].concat()
    }

    #[test]
    fn dates_of_camcorders() {
        let day = [0x19, 0x31, 0x23, 0x59, 0x58];
        let table = [
            (vec![[0x18, 0xff, 0x20, 0x09, 0x12], day], Some("2009-12-31T23:59:58+00:00")),
            (vec![[0x18, 0x12, 0x20, 0x09, 0x12], day], Some("2009-12-31T23:59:58+09:00")),
            (vec![[0x18, 0x2a, 0x20, 0x09, 0x12], day], Some("2009-12-31T23:59:58-05:00")),
            (vec![[0x18, 0x0b, 0x20, 0x09, 0x12], day], Some("2009-12-31T23:59:58+05:30")),
            (vec![[0x18, 0xff, 0x20, 0x09, 0x1f], day], None),
            (vec![[0x18, 0xff, 0x20, 0x09, 0x12]], None),
            (vec![], None),
        ];
        for (entries, want) in table {
            let bytes = message(&entries);
            assert_eq!(recorded(&bytes).map(|(s, _)| s.rfc3339()).as_deref(), want, "{entries:?}");
            for cut in 0..bytes.len().saturating_sub(1) {
                let _ = recorded(&bytes[..cut]);
            }
        }
        // Midnight: zeros, with a byte put in between.
        let mut bytes = message(&[[0x18, 0xff, 0x20, 0x09, 0x01], [0x19, 0x01, 0, 0, 0]]);
        let at = bytes.len() - 2;
        bytes.insert(at, 3);
        assert_eq!(recorded(&bytes).map(|(s, _)| s.rfc3339()).as_deref(), Some("2009-01-01T00:00:00+00:00"));
    }

    #[test]
    fn kinds_of_dynamic_range() {
        let stream = |transfer: &str, profile: Option<&[u8]>| {
            let mut v = VideoStream { color_transfer: Some(transfer.into()), ..VideoStream::default() };
            if let Some(b) = profile {
                dolby_vision(&mut v, b);
            }
            v
        };
        // Profile 8, level 4; compatible with HLG, and with nothing.
        let (eight, five) = (&[1, 0, 0x10, 0x25, 0x40][..], &[1, 0, 0x0a, 0x25, 0x00][..]);
        let table = [
            (stream("bt709", None), vec![], None),
            (stream("smpte2084", None), vec!["HDR10"], None),
            (stream("arib-std-b67", Some(eight)), vec!["Dolby Vision", "HLG"], Some("8.4")),
            (stream("unknown", Some(five)), vec!["Dolby Vision"], Some("5")),
            (stream("unknown", Some(b"")), vec![], None),
        ];
        for (v, want, profile) in table {
            assert_eq!(v.dolby_vision_profile.as_deref(), profile);
            let mut m = Metadata { video_streams: vec![v], ..Metadata::default() };
            hdr(&mut m);
            assert_eq!(m.extra.hdr_format, want);
        }
        assert!(is_hdr10_plus(&[0, 0, 1, 0x4e, 1, 4, 60, 0xb5, 0, 0x3c, 0, 1, 4, 1]));
        assert!(!is_hdr10_plus(&[0xb5, 0, 0x3c]));
    }
}
