//! PDF: pages and properties. The reader takes the tail and follows offsets; where they
//! lead astray the objects are looked for by their marks. What streams unpack to is
//! bounded on both ways.

mod crypt;
mod file;
mod filter;
mod object;
mod page;
mod rebuild;

pub use crypt::Crypt;
pub use object::{Fault, Lexer, Object};

use crate::MAX_KEYWORDS;
use crate::ctx::Ctx;
use crate::document::pdf::file::Pdf;
use crate::extraction::ProblemKind;
use crate::image::xmp;
use crate::source::{Parse, Stop};
use crate::text;
use crate::time::{Stamp, format_offset};

/// Undoes the predictor of a stream's rows; None where it is one that is not known.
pub fn unpredict(data: Vec<u8>, keys: &Object) -> Option<Vec<u8>> {
    filter::unpredict(data, keys).ok()
}

/// What both readers find.
#[derive(Default)]
struct Found {
    pages: Option<u32>,
    title: Option<Vec<u8>>,
    author: Option<Vec<u8>>,
    subject: Option<Vec<u8>>,
    keywords: Option<Vec<u8>>,
    created: Option<Vec<u8>>,
    language: Option<Vec<u8>>,
    xmp: Option<xmp::Packet>,
    page: Option<(f64, f64)>,
    encrypted: bool,
}

pub(crate) fn read(ctx: &mut Ctx<'_>) -> Parse {
    let src = ctx.src;
    let mut found = Found::default();
    let own = Pdf::open(ctx, src).and_then(|mut pdf| follow(ctx, &mut pdf, &mut found));
    let whole = own.is_ok() && found.pages.is_some_and(|n| n > 0);
    let rebuilt = match &own {
        _ if ctx.src.lacks() || own == Err(Stop::Missing) => Err(Stop::Missing),
        Ok(()) if whole => Ok(()),
        // What a limit ended, another way would only end again.
        Err(stop @ (Stop::Limit(_) | Stop::Unsupported(_))) => Err(stop.clone()),
        _ => rebuild::rebuild(ctx, src).and_then(|mut pdf| follow(ctx, &mut pdf, &mut found)),
    };
    if !whole && rebuilt.is_ok() {
        ctx.problem(ProblemKind::Malformed, "pdf", "damaged cross-reference, read by repair");
        if found.pages.is_none_or(|n| n == 0) {
            ctx.problem(ProblemKind::Malformed, "pdf", "no page tree");
        }
    }
    write(ctx, found);
    match rebuilt {
        Err(Stop::Malformed(_)) => own.and(rebuilt),
        other => other,
    }
}

/// Trailer, catalogue, page tree's root, information, XMP.
fn follow(ctx: &mut Ctx<'_>, pdf: &mut Pdf<'_>, found: &mut Found) -> Parse {
    found.encrypted |= pdf.trailer_key(b"Encrypt").is_some_and(|e| *e != Object::Null);
    let root = pdf.trailer_key(b"Root").cloned().ok_or(Stop::Malformed("no catalogue"))?;
    // All that is wanted next is tried before missing bytes end the pass.
    let info = pdf.trailer_key(b"Info").cloned().unwrap_or(Object::Null);
    let info = pdf.resolve(&info);
    let mut stopped = Ok(());
    if let Ok(info) = &info
        && pdf.locked.is_none()
    {
        for (slot, key) in [
            (&mut found.title, &b"Title"[..]),
            (&mut found.author, b"Author"),
            (&mut found.subject, b"Subject"),
            (&mut found.keywords, b"Keywords"),
            (&mut found.created, b"CreationDate"),
        ] {
            let value = info.get(key).cloned().unwrap_or(Object::Null);
            match pdf.resolve(&value) {
                Ok(Object::Text(value)) => *slot = Some(value),
                Ok(_) => {}
                Err(stop) => stopped = Err(stop),
            }
        }
    }
    let root = pdf.resolve(&root)?;
    let pages = root.get(b"Pages").cloned().unwrap_or(Object::Null);
    let pages = pdf.resolve(&pages);
    let language = root.get(b"Lang").cloned().unwrap_or(Object::Null);
    if let Ok(Object::Text(language)) = pdf.resolve(&language)
        && pdf.locked.is_none()
    {
        found.language = Some(language);
    }
    let packet = root.get(b"Metadata").filter(|_| pdf.locked.is_none()).cloned();
    let packet = packet.map_or(Ok(None), |reference| pdf.stream(&reference));
    match packet {
        Ok(Some(bytes)) => {
            let packet = xmp::parse(&bytes);
            packet.note_limits(ctx, false);
            found.xmp = Some(packet);
        }
        Ok(None) => {}
        Err(stop) => ctx.stopped("xmp", stop),
    }
    let pages = pages?;
    let count = pages.get(b"Count").cloned().unwrap_or(Object::Null);
    let count = pdf.resolve(&count)?.number();
    found.pages = count.filter(|n| (0.0..1e7).contains(n)).map(|n| n as u32);
    let page = page::first(pdf, &pages);
    found.page = page.clone().ok().flatten().or(found.page);
    // Without it the size alone is not known.
    let page = page.err().filter(|stop| *stop == Stop::Missing);
    for stop in [stopped.err(), info.err(), page].into_iter().flatten() {
        match stop {
            Stop::Missing => return Err(Stop::Missing),
            stop => ctx.stopped("info", stop),
        }
    }
    pdf.locked.take().map_or(Ok(()), Err)
}

fn write(ctx: &mut Ctx<'_>, found: Found) {
    let max = ctx.limits.max_text;
    let shown = |value: Option<Vec<u8>>| value.and_then(|v| text::clean(&object::text(&v), max));
    let packet = found.xmp.unwrap_or_default();
    let size = ctx.src.size();
    let m = &mut ctx.meta;
    packet.more.write(&mut m.extra, None, None, 1, size);
    (m.extra.page_width, m.extra.page_height) = found.page.unzip();
    m.extra.encrypted = found.encrypted.then_some(true);
    m.page_count = found.pages.filter(|n| *n > 0);
    // The information dictionary goes first, as in pdfinfo.
    m.title = shown(found.title).or(packet.title);
    m.authors = shown(found.author).map_or(packet.creators, |a| vec![a]);
    m.description = shown(found.subject).or(packet.description);
    m.keywords = match shown(found.keywords) {
        Some(words) => {
            words.split([',', ';']).filter_map(|k| text::clean(k, 256)).take(MAX_KEYWORDS + 1).collect()
        }
        None => packet.keywords,
    };
    m.copyright = packet.copyright;
    m.language = shown(found.language).or(packet.language);
    let created = shown(found.created).and_then(|c| Stamp::parse(&c));
    let created =
        created.or_else(|| packet.created.into_iter().min_by_key(|(rank, _)| *rank).map(|(_, s)| s));
    if let Some(stamp) = created {
        m.timezone = stamp.offset.map(format_offset);
        m.produce_time = Some(stamp.rfc3339());
    }
}
