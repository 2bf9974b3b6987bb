//! PNG, APNG and JNG: header, EXIF, text chunks.

use std::io::Read as _;

use crate::bytes::{View, be32, find};
use crate::ctx::Ctx;
use crate::extra::icc;
use crate::extraction::ProblemKind;
use crate::image::{Facts, exif, iptc, xmp};
use crate::source::{Parse, Source, Stop};
use crate::text;
use crate::time::Stamp;

/// Searched at the end for chunks behind the image data: at first, with the last piece of
/// image data in front, and where that does not show.
const TAIL: u64 = 16 * 1024;
const MIDDLE_TAIL: u64 = 144 * 1024;
const LONG_TAIL: u64 = 512 * 1024;
/// Sides of a picture have 31 bits.
const MAX_SIDE: u32 = i32::MAX as u32;

/// Reads a PNG: the chunks in front of the image data, and of those behind it what the
/// last bytes of the file hold, in one more read.
pub(crate) fn read(ctx: &mut Ctx<'_>, facts: &mut Facts) -> Parse {
    let view = View::all(ctx.src);
    // IHDR; of JNG JHDR, of MNG MHDR: all begin with the size.
    let head = view.get(16, 8)?;
    ctx.meta.image_width = be32(head, 0).filter(|w| (1..=MAX_SIDE).contains(w));
    ctx.meta.image_height = be32(head, 4).filter(|h| (1..=MAX_SIDE).contains(h));
    let mut at = 8;
    let mut data_seen = false;
    let mut longest = 0;
    for _ in 0..100_000 {
        ctx.tick()?;
        let head = if data_seen {
            match ctx.src.peek(at, 8) {
                Some(head) => head,
                None => return behind(ctx, at, longest, facts),
            }
        } else {
            view.upto(at, 8)?
        };
        let (Some(len), Some(kind)) = (be32(head, 0), head.get(4..8)) else { return Ok(()) };
        let len = u64::from(len);
        let body = view.sub(at + 8, len);
        if is_data(head, 0) {
            longest = longest.max(len);
        }
        match kind {
            b"IDAT" | b"JDAT" => data_seen = true,
            b"IEND" => return Ok(()),
            b"acTL" if !data_seen => {
                ctx.refine("apng", "image/apng");
                let frames = be32(body.upto(0, 4)?, 0);
                ctx.meta.extra.frame_count = frames.filter(|n| (2..1 << 31).contains(n));
            }
            b"iCCP" if facts.profile.is_empty() => ctx.part("color profile", |ctx| {
                let b = body.upto(0, body.len().min(icc::MAX_PROFILE as u64))?;
                // A name that is mostly the writer's, NUL, the method, the profile.
                let name = b.iter().take(80).position(|c| *c == 0).unwrap_or(0);
                let packed = b.get(name + 2..).unwrap_or_default();
                let most = icc::MAX_PROFILE.min(ctx.room()) as u64;
                // What unpacks of it tells its name.
                let _ = flate2::read::ZlibDecoder::new(packed).take(most).read_to_end(&mut facts.profile);
                Ok(())
            }),
            _ => chunk(ctx, kind, body, facts),
        }
        at += 12 + len;
    }
    Err(Stop::Limit("too many chunks"))
}

/// Takes a chunk of metadata.
fn chunk(ctx: &mut Ctx<'_>, kind: &[u8], body: View<'_>, facts: &mut Facts) {
    match kind {
        b"eXIf" => ctx.part("exif", |ctx| exif::read(ctx, body, facts)),
        b"tEXt" | b"zTXt" | b"iTXt" => ctx.part("text chunk", |ctx| {
            if body.len() > 1 << 20 {
                return Err(Stop::Limit("text chunk over 1 MiB"));
            }
            text_chunk(ctx, kind, body.upto(0, body.len())?, facts)
        }),
        _ => {}
    }
}

/// Chunks behind the image data, up to the end of the file. `at` is where the first chunk
/// stands that is not held, `longest` the length of the longest piece of image data so far.
/// Those at the end are found from the last piece of image data on; where only they are
/// found, and not the piece, more may stand between.
fn behind(ctx: &mut Ctx<'_>, at: u64, longest: u64, facts: &mut Facts) -> Parse {
    let size = ctx.src.size();
    let from_end = |len: u64, at: u64| size.saturating_sub(len).max(at);
    let mut at = at;
    let mut short = TAIL;
    if longest + TAIL <= MIDDLE_TAIL {
        // The last piece's header is within this.
        short = longest + TAIL;
    } else {
        // Pieces are of one length in nearly all files, which tells where the last begins.
        let step = longest.saturating_add(12);
        let last = at.saturating_add(size.saturating_sub(at.saturating_add(12)) / step * step);
        let end = from_end(TAIL, at);
        let (head, tail) = (ctx.src.near(last, 8), ctx.src.near(end, size.saturating_sub(end)));
        let (Some(head), Some(_)) = (head, tail) else { return Err(Stop::Missing) };
        if is_data(head, 0) {
            at = last.saturating_add(12).saturating_add(u64::from(be32(head, 0).unwrap_or(0)));
        }
    }
    for len in [short, LONG_TAIL] {
        let from = from_end(len, at);
        let Some(tail) = ctx.src.near(from, size.saturating_sub(from)) else { return Err(Stop::Missing) };
        let first = if from == at { Some(0) } else { first_chunk(tail) };
        let known = from == at || first.is_some_and(|first| is_data(tail, first));
        if !known && len != LONG_TAIL && from > 0 {
            continue;
        }
        if !known {
            let why = "what stands in front of the last chunks is longer than what is looked for";
            ctx.problem(ProblemKind::Limit, "chunks behind the image data", why);
        }
        let Some(first) = first else { return Ok(()) };
        let mut at = from + first as u64;
        for _ in 0..4096 {
            ctx.tick()?;
            let Some(head) = ctx.src.peek(at, 8) else { return Ok(()) };
            let (Some(len), Some(kind)) = (be32(head, 0), head.get(4..8)) else { return Ok(()) };
            if kind == b"IEND" {
                return Ok(());
            }
            if !is_data(head, 0) {
                chunk(ctx, kind, View::all(ctx.src).sub(at + 8, u64::from(len)), facts);
            }
            at += 12 + u64::from(len);
        }
        return Err(Stop::Limit("too many chunks"));
    }
    Ok(())
}

/// Whether a piece of image data begins at `at`.
fn is_data(bytes: &[u8], at: usize) -> bool {
    matches!(bytes.get(at.saturating_add(4)..at.saturating_add(8)), Some(b"IDAT" | b"JDAT" | b"fdAT"))
}

/// Where the chunks begin that lead from one to the next up to `IEND`.
fn first_chunk(tail: &[u8]) -> Option<usize> {
    const KINDS: [&[u8; 4]; 9] =
        [b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"IEND", b"tIME", b"IDAT", b"fdAT", b"JDAT"];
    let leads = |start: usize| {
        let mut at = start;
        for _ in 0..4096 {
            let Some(len) = be32(tail, at) else { return false };
            let kind = tail.get(at + 4..at + 8).unwrap_or_default();
            if kind == b"IEND" {
                return len == 0;
            }
            if !kind.iter().all(u8::is_ascii_alphabetic) || kind.len() < 4 {
                return false;
            }
            at = at.saturating_add(12).saturating_add(len as usize);
        }
        false
    };
    let marks = tail.windows(4).enumerate().filter(|(_, w)| KINDS.iter().any(|k| k.as_slice() == *w));
    // Few of these letters stand in image data by accident.
    marks.take(64).filter_map(|(i, _)| i.checked_sub(4)).find(|at| leads(*at))
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
