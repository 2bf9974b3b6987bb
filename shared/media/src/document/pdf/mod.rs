//! PDF: pages and properties. Our own reader takes the tail and follows offsets;
//! hayro-syntax repairs and decrypts what it cannot, where the whole file is short
//! enough to be read.

mod file;
mod object;

use crate::ctx::Ctx;
use crate::document::pdf::file::Pdf;
use crate::document::pdf::object::Object;
use crate::extraction::ProblemKind;
use crate::image::xmp;
use crate::source::{Parse, Stop};
use crate::text;
use crate::time::{Stamp, format_offset};

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
}

pub(crate) fn read(ctx: &mut Ctx<'_>) -> Parse {
    let mut found = Found::default();
    let own = follow(ctx, &mut found);
    if own == Err(Stop::Missing) || (own.is_ok() && ctx.src.lacks()) {
        write(ctx, found);
        return own.and(Err(Stop::Missing));
    }
    if own.is_ok() && found.pages.is_some_and(|n| n > 0) {
        write(ctx, found);
        return Ok(());
    }
    // Damaged or encrypted: the whole file is needed.
    let size = ctx.src.size();
    if size > crate::WHOLE_BYTES {
        write(ctx, found);
        return own.and(Err(Stop::Unsupported("damaged or encrypted, and too long to be read whole")));
    }
    let whole = ctx.src.get(0, size)?;
    if let Some(repaired) = ctx.guarded("pdf", |_| repair(whole)).flatten() {
        found.pages = repaired.pages.or(found.pages);
        for (to, from) in [
            (&mut found.title, repaired.title),
            (&mut found.author, repaired.author),
            (&mut found.subject, repaired.subject),
            (&mut found.keywords, repaired.keywords),
        ] {
            *to = from.or(to.take());
        }
        if !matches!(own, Err(Stop::Unsupported(_))) {
            ctx.problem(ProblemKind::Malformed, "pdf", "damaged cross-reference, read by repair");
        }
        write(ctx, found);
        return Ok(());
    }
    write(ctx, found);
    own.and(Err(Stop::Malformed("no page tree")))
}

/// By offsets: trailer, catalogue, page tree's root, information, XMP.
fn follow(ctx: &mut Ctx<'_>, found: &mut Found) -> Parse {
    let src = ctx.src;
    let mut pdf = Pdf::open(ctx, src)?;
    let encrypted = pdf.trailer_key(b"Encrypt").is_some_and(|e| *e != Object::Null);
    let root = pdf.trailer_key(b"Root").cloned().ok_or(Stop::Malformed("no catalogue"))?;
    // All that is wanted next is tried before missing bytes end the pass.
    let info = pdf.trailer_key(b"Info").cloned().unwrap_or(Object::Null);
    let info = pdf.resolve(&info);
    let root = pdf.resolve(&root)?;
    let pages = root.get(b"Pages").cloned().unwrap_or(Object::Null);
    let pages = pdf.resolve(&pages);
    let metadata = root.get(b"Metadata").cloned();
    let packet = match metadata {
        Some(reference) if !encrypted => pdf.stream(&reference),
        _ => Ok(None),
    };
    if let Some(Object::Text(language)) = root.get(b"Lang")
        && !encrypted
    {
        found.language = Some(language.clone());
    }
    match packet {
        Ok(Some(bytes)) => match xmp::parse(&bytes) {
            Ok(packet) => found.xmp = Some(packet),
            Err(stop) => ctx.stopped("xmp", stop),
        },
        Ok(None) => {}
        Err(stop) => ctx.stopped("xmp", stop),
    }
    let pages = pages?;
    let count = pages.get(b"Count").cloned().unwrap_or(Object::Null);
    let count = pdf.resolve(&count)?.number();
    found.pages = count.filter(|n| (0.0..1e7).contains(n)).map(|n| n as u32);
    let info = match info {
        Ok(info) => info,
        Err(Stop::Missing) => return Err(Stop::Missing),
        Err(stop) => {
            ctx.stopped("info", stop);
            Object::Null
        }
    };
    if encrypted {
        return Err(Stop::Unsupported("encrypted"));
    }
    for (slot, key) in [
        (&mut found.title, &b"Title"[..]),
        (&mut found.author, b"Author"),
        (&mut found.subject, b"Subject"),
        (&mut found.keywords, b"Keywords"),
        (&mut found.created, b"CreationDate"),
    ] {
        let value = info.get(key).cloned().unwrap_or(Object::Null);
        if let Object::Text(value) = pdf.resolve(&value)? {
            *slot = Some(value);
        }
    }
    Ok(())
}

/// hayro-syntax rebuilds the cross-reference and decrypts with the empty password.
fn repair(whole: &[u8]) -> Option<Found> {
    let pdf = hayro_syntax::Pdf::new(whole.to_vec()).ok()?;
    let m = pdf.metadata();
    let own = |field: &Option<Box<[u8]>>| field.as_ref().map(|b| b.to_vec());
    Some(Found {
        pages: u32::try_from(pdf.pages().len()).ok(),
        title: own(&m.title),
        author: own(&m.author),
        subject: own(&m.subject),
        keywords: own(&m.keywords),
        ..Found::default()
    })
}

fn write(ctx: &mut Ctx<'_>, found: Found) {
    let max = ctx.limits.max_text;
    let shown = |value: Option<Vec<u8>>| value.and_then(|v| text::clean(&object::text(&v), max));
    let packet = found.xmp.unwrap_or_default();
    let m = &mut ctx.meta;
    m.page_count = found.pages.filter(|n| *n > 0);
    // The information dictionary goes first, as in pdfinfo.
    m.title = shown(found.title).or(packet.title);
    m.authors = shown(found.author).map_or(packet.creators, |a| vec![a]);
    m.description = shown(found.subject).or(packet.description);
    m.keywords = match shown(found.keywords) {
        Some(words) => words.split([',', ';']).filter_map(|k| text::clean(k, 256)).take(64).collect(),
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
