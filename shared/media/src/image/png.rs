//! PNG, APNG and JNG: header, EXIF, text chunks.

use std::io::Read as _;

use crate::bytes::{View, be32, find};
use crate::ctx::Ctx;
use crate::image::{Facts, exif, iptc, xmp};
use crate::source::{Parse, Source, Stop};
use crate::text;
use crate::time::Stamp;

/// Reads a PNG. Chunks behind the first image data are read only where they are
/// held already: looking for them would cost a read for nearly every PNG.
pub(crate) fn read(ctx: &mut Ctx<'_>, facts: &mut Facts) -> Parse {
    let view = View::all(ctx.src);
    // IHDR; of JNG JHDR, of MNG MHDR: all begin with the size.
    let head = view.get(16, 8)?;
    ctx.meta.image_width = be32(head, 0).filter(|w| *w > 0);
    ctx.meta.image_height = be32(head, 4).filter(|h| *h > 0);
    let mut at = 8;
    let mut data_seen = false;
    for _ in 0..100_000 {
        ctx.tick()?;
        let head = if data_seen {
            match ctx.src.peek(at, 8) {
                Some(head) => head,
                None => return Ok(()),
            }
        } else {
            view.upto(at, 8)?
        };
        let (Some(len), Some(kind)) = (be32(head, 0), head.get(4..8)) else { return Ok(()) };
        let len = u64::from(len);
        let body = view.sub(at + 8, len);
        if data_seen && ctx.src.peek(at + 8, len).is_none() && !matches!(kind, b"IDAT" | b"JDAT") {
            return Ok(());
        }
        match kind {
            b"IDAT" | b"JDAT" => data_seen = true,
            b"IEND" => return Ok(()),
            b"acTL" if !data_seen => ctx.refine("apng", "image/apng"),
            b"eXIf" => ctx.part("exif", |ctx| exif::read(ctx, body, facts)),
            b"tEXt" | b"zTXt" | b"iTXt" if len <= 1 << 20 => {
                ctx.part("text chunk", |ctx| text_chunk(ctx, kind, body.upto(0, len)?, facts));
            }
            _ => {}
        }
        at += 12 + len;
    }
    Err(Stop::Limit("too many chunks"))
}

fn text_chunk(ctx: &mut Ctx<'_>, kind: &[u8], bytes: &[u8], facts: &mut Facts) -> Parse {
    let key_end =
        bytes.iter().position(|b| *b == 0).ok_or(Stop::Malformed("text chunk without a keyword"))?;
    let (key, rest) = bytes.split_at(key_end);
    let rest = rest.get(1..).unwrap_or_default();
    let value = match kind {
        b"tEXt" => text::latin1(rest).into_bytes(),
        b"zTXt" => inflate(rest.get(1..).unwrap_or_default(), ctx.room())?,
        _ => {
            let packed = rest.first() == Some(&1);
            // Flag, method, language tag, translated keyword, text.
            let mut parts = rest.get(2..).unwrap_or_default().splitn(3, |b| *b == 0);
            let body = parts.nth(2).unwrap_or_default();
            if packed { inflate(body, ctx.room())? } else { body.to_vec() }
        }
    };
    let shown = || text::clean(&text::decode(&value), ctx.limits.max_text);
    match key {
        b"XML:com.adobe.xmp" => on_copy(value, |view| xmp::read(ctx, view, facts)),
        b"Raw profile type exif" | b"Raw profile type APP1" => {
            let raw = raw_profile(&value);
            if let Some(tiff) = raw.strip_prefix(b"Exif\0\0") {
                on_copy(tiff.to_vec(), |view| exif::read(ctx, view, facts))
            } else if find(&raw, b"<x:xmpmeta").is_some() {
                on_copy(raw, |view| xmp::read(ctx, view, facts))
            } else {
                on_copy(raw, |view| exif::read(ctx, view, facts))
            }
        }
        b"Raw profile type xmp" => on_copy(raw_profile(&value), |view| xmp::read(ctx, view, facts)),
        b"Raw profile type iptc" => {
            let raw = raw_profile(&value);
            let resources = raw.starts_with(b"8BIM");
            on_copy(raw, |view| {
                if resources { iptc::read_resources(ctx, view, facts) } else { iptc::read(ctx, view, facts) }
            })
        }
        b"Title" => {
            facts.title = facts.title.take().or_else(shown);
            Ok(())
        }
        b"Author" => {
            if facts.authors.is_empty() {
                facts.authors.extend(shown());
            }
            Ok(())
        }
        b"Description" | b"Comment" => {
            facts.description = facts.description.take().or_else(shown);
            Ok(())
        }
        b"Copyright" => {
            facts.copyright = facts.copyright.take().or_else(shown);
            Ok(())
        }
        b"Creation Time" => {
            facts.other_dates.extend(shown().and_then(|t| Stamp::parse(&t)));
            Ok(())
        }
        _ => Ok(()),
    }
}

fn on_copy(bytes: Vec<u8>, read: impl FnOnce(View<'_>) -> Parse) -> Parse {
    let mut copy = Source::new(bytes.len() as u64);
    copy.supply(0, bytes);
    read(View::all(&copy))
}

fn inflate(bytes: &[u8], max: usize) -> Parse<Vec<u8>> {
    let mut out = Vec::new();
    let max = max.min(1 << 20) as u64;
    let read = flate2::read::ZlibDecoder::new(bytes).take(max).read_to_end(&mut out);
    match read {
        Ok(_) if out.len() as u64 == max => Err(Stop::Limit("text chunk over 1 MiB")),
        Ok(_) => Ok(out),
        Err(_) if !out.is_empty() => Ok(out),
        Err(_) => Err(Stop::Malformed("text chunk does not inflate")),
    }
}

/// ImageMagick's form: name, length, then hex over many lines.
fn raw_profile(value: &[u8]) -> Vec<u8> {
    let mut lines = value.split(|b| *b == b'\n').skip_while(|l| l.is_empty());
    let _name = lines.next();
    let _length = lines.next();
    let digit = |b: u8| char::from(b).to_digit(16).map(|d| d as u8);
    let mut out = Vec::with_capacity(value.len() / 2);
    let mut half = None;
    for d in lines.flatten().copied().filter_map(digit) {
        match half.take() {
            Some(high) => out.push(high << 4 | d),
            None => half = Some(d),
        }
    }
    out
}
