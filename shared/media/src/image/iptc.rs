//! Photoshop image resources (8BIM) and the IPTC record in them.

use crate::MAX_KEYWORDS;
use crate::bytes::{View, be16, be32};
use crate::ctx::Ctx;
use crate::image::{Facts, exif, xmp};
use crate::source::{Parse, Stop};
use crate::text;
use crate::time::Stamp;

/// Reads a run of image resources.
pub(crate) fn read_resources(ctx: &mut Ctx<'_>, view: View<'_>, facts: &mut Facts) -> Parse {
    let mut at = 0;
    for _ in 0..1024 {
        if at + 12 > view.len() {
            break;
        }
        let head = view.get(at, 7)?;
        if !matches!(head.get(..4), Some(b"8BIM" | b"8B64" | b"MeSa" | b"AgHg" | b"PHUT" | b"DCSR")) {
            return Err(Stop::Malformed("image resource without its mark"));
        }
        let id = be16(head, 4).unwrap_or(0);
        // Name: a counted string, padded to even length.
        let name = 1 + u64::from(head.get(6).copied().unwrap_or(0));
        at += 6 + name + name % 2;
        let len = u64::from(be32(view.get(at, 4)?, 0).unwrap_or(0));
        at += 4;
        let body = view.sub(at, len);
        match id {
            0x0404 => ctx.part("iptc", |ctx| read(ctx, body, facts)),
            0x0422 => ctx.part("exif", |ctx| exif::read(ctx, body, facts)),
            // The bytes that are held tell its name.
            0x040f if facts.profile.is_empty() => {
                let held = body.src.held_from(body.start);
                let len = held.len().min(len as usize).min(crate::extra::icc::MAX_PROFILE);
                facts.profile = held.get(..len).unwrap_or_default().to_vec();
            }
            0x0424 => ctx.part("xmp", |ctx| xmp::read(ctx, body, facts)),
            _ => {}
        }
        at += len + len % 2;
    }
    if at + 12 <= view.len() {
        return Err(Stop::Limit("more resources than are read"));
    }
    Ok(())
}

/// Longest record read.
const MAX_RECORD: u64 = 256 * 1024;

/// Reads IPTC-IIM datasets.
pub(crate) fn read(ctx: &mut Ctx<'_>, view: View<'_>, facts: &mut Facts) -> Parse {
    let bytes = view.upto(0, MAX_RECORD)?;
    if view.len() > MAX_RECORD {
        ctx.stopped("iptc", Stop::Limit("longer than is read of it"));
    }
    let mut rest = bytes;
    let (mut title, mut date, mut time) = (None, None, None);
    let (mut authors, mut keywords) = (Vec::new(), Vec::new());
    let (mut description, mut copyright) = (None, None);
    let max = ctx.limits.max_text;
    while let [0x1c, record, dataset, hi, lo, tail @ ..] = rest {
        let len = usize::from(u16::from_be_bytes([*hi, *lo]));
        // Lengths over 32767 announce a longer length field: never metadata.
        let (len, tail) = match len.checked_sub(0x8000) {
            Some(wide) => match tail.split_at_checked(wide) {
                Some((size, tail)) if wide <= 4 => {
                    (size.iter().fold(0usize, |n, b| n << 8 | usize::from(*b)), tail)
                }
                _ => break,
            },
            None => (len, tail),
        };
        let Some((value, next)) = tail.split_at_checked(len) else {
            ctx.stopped("iptc", Stop::Malformed("the last dataset is cut"));
            break;
        };
        rest = next;
        if *record != 2 {
            continue;
        }
        let value = || text::clean(&text::decode(value), max);
        match dataset {
            5 => title = title.or_else(value),
            25 if keywords.len() <= MAX_KEYWORDS => keywords.extend(value()),
            55 => date = value(),
            60 => time = value(),
            80 => authors.extend(value()),
            116 => copyright = copyright.or_else(value),
            120 => description = description.or_else(value),
            90 | 105 | 110 => {
                if let Some(value) = value() {
                    facts.more.iptc(*dataset, value);
                }
            }
            _ => {}
        }
    }
    facts.title = facts.title.take().or(title);
    facts.description = facts.description.take().or(description);
    facts.copyright = facts.copyright.take().or(copyright);
    if facts.authors.is_empty() {
        facts.authors = authors;
    }
    facts.keywords.append(&mut keywords);
    if let Some(date) = date {
        let stamp = format!("{date} {}", time.unwrap_or_default());
        facts.other_dates.extend(Stamp::parse(stamp.trim()));
    }
    Ok(())
}
