//! EXIF: a lenient walk over TIFF directories, on sparse bytes.
//!
//! One walker serves the block in a JPEG or PNG and a raw file of 40 MB alike,
//! because it asks only for the directories and values it keeps. Tag names are
//! kamadak-exif's (EXIF 2.32). A directory that is cut or points outside loses
//! its own entries only.

use ::exif::{Context, Tag};

use crate::MAX_KEYWORDS;
use crate::bytes::{View, be16, be32, be64, le16, le32, le64};
use crate::ctx::Ctx;
use crate::extraction::ProblemKind;
use crate::image::xmp::coordinate;
use crate::image::{Facts, is_default_caption};
use crate::source::{Parse, Stop};
use crate::text;
use crate::time::Stamp;

/// A TIFF block: its byte order and its bytes.
#[derive(Clone, Copy)]
pub(crate) struct Tiff<'a> {
    view: View<'a>,
    big: bool,
    /// BigTIFF: 64-bit counts and offsets.
    wide: bool,
}

/// One directory entry.
#[derive(Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) tag: u16,
    kind: u16,
    count: u64,
    /// Where the value lies in the block.
    at: u64,
}

/// Most entries read of one directory; real ones have under a hundred.
const MAX_ENTRIES: u64 = 512;

impl<'a> Tiff<'a> {
    /// Opens a block and gives the first directory's offset.
    pub(crate) fn open(view: View<'a>) -> Parse<(Self, u64)> {
        let head = view.get(0, 8)?;
        let big = match head.get(..2) {
            Some(b"II") => false,
            Some(b"MM") => true,
            _ => return Err(Stop::Malformed("no TIFF byte order mark")),
        };
        let mut tiff = Tiff { view, big, wide: false };
        if tiff.u16(head, 2) == Some(43) {
            tiff.wide = true;
            return Ok((tiff, tiff.u64(view.get(8, 8)?, 0).unwrap_or(0)));
        }
        Ok((tiff, u64::from(tiff.u32(head, 4).unwrap_or(0))))
    }

    fn u64(self, b: &[u8], at: usize) -> Option<u64> {
        if self.big { be64(b, at) } else { le64(b, at) }
    }

    fn u16(self, b: &[u8], at: usize) -> Option<u16> {
        if self.big { be16(b, at) } else { le16(b, at) }
    }

    fn u32(self, b: &[u8], at: usize) -> Option<u32> {
        if self.big { be32(b, at) } else { le32(b, at) }
    }

    /// Entries of the directory at `at`, and the offset of the next one (0: none).
    pub(crate) fn directory(self, at: u64) -> Parse<(Vec<Entry>, u64)> {
        if at < 2 {
            return Err(Stop::Malformed("directory offset inside the header"));
        }
        let (lead, unit, inline) = if self.wide { (8, 20, 8) } else { (2, 12, 4) };
        let head = self.view.get(at, lead)?;
        let count = if self.wide { self.u64(head, 0) } else { self.u16(head, 0).map(u64::from) }.unwrap_or(0);
        // Some writers leave an empty directory: that is no damage.
        if count > MAX_ENTRIES {
            return Err(Stop::Malformed("directory with an impossible entry count"));
        }
        // The last entries of a cut block are lost, the others are not.
        let bytes = self.view.upto(at + lead, count * unit + inline)?;
        let mut entries = Vec::with_capacity(count as usize);
        for (i, raw) in bytes.chunks_exact(unit as usize).take(count as usize).enumerate() {
            let (Some(tag), Some(kind)) = (self.u16(raw, 0), self.u16(raw, 2)) else { continue };
            let (n, value) = if self.wide {
                (self.u64(raw, 4), self.u64(raw, 12))
            } else {
                (self.u32(raw, 4).map(u64::from), self.u32(raw, 8).map(u64::from))
            };
            let (Some(unit_len), Some(count), Some(value)) = (unit_size(kind), n, value) else { continue };
            let Some(len) = count.checked_mul(unit_len) else { continue };
            let here = at + lead + (i as u64 + 1) * unit - inline;
            entries.push(Entry { tag, kind, count, at: if len <= inline { here } else { value } });
        }
        let next_at = (count * unit) as usize;
        let next = if self.wide { self.u64(bytes, next_at) } else { self.u32(bytes, next_at).map(u64::from) };
        Ok((entries, next.unwrap_or(0)))
    }

    /// The entry's bytes, at most `max` of them.
    pub(crate) fn raw(self, e: &Entry, max: u64) -> Parse<&'a [u8]> {
        let len = (e.count * unit_size(e.kind).unwrap_or(1)).min(max);
        // ASCII counts beyond the block's end are common; what is there counts.
        if e.kind == 2 { self.view.upto(e.at, len) } else { self.view.get(e.at, len) }
    }

    /// The first integer of the entry.
    pub(crate) fn integer(self, e: &Entry) -> Parse<Option<u32>> {
        let b = self.raw(e, unit_size(e.kind).unwrap_or(1))?;
        Ok(match e.kind {
            1 | 6 | 7 => b.first().copied().map(u32::from),
            3 | 8 => self.u16(b, 0).map(u32::from),
            4 | 9 | 13 => self.u32(b, 0),
            16 | 18 => self.u64(b, 0).and_then(|n| u32::try_from(n).ok()),
            // Written by some as a rational.
            5 => match (self.u32(b, 0), self.u32(b, 4)) {
                (Some(n), Some(d)) if d != 0 => Some(n / d),
                _ => None,
            },
            _ => None,
        })
    }

    /// Up to `max` offsets held by the entry (SubIFDs).
    pub(crate) fn offsets(self, e: &Entry, max: usize) -> Parse<Vec<u64>> {
        let unit = unit_size(e.kind).unwrap_or(4);
        let b = self.raw(e, max as u64 * unit)?;
        let number = |at: usize| if unit == 8 { self.u64(b, at) } else { self.u32(b, at).map(u64::from) };
        Ok((0..b.len() / unit as usize).filter_map(|i| number(i * unit as usize)).collect())
    }

    /// Rationals of the entry as floats.
    fn rationals(self, e: &Entry) -> Parse<Vec<f64>> {
        let b = self.raw(e, 64)?;
        let signed = e.kind == 10;
        let number = |at| {
            let n = self.u32(b, at)?;
            Some(if signed { f64::from(n as i32) } else { f64::from(n) })
        };
        if !matches!(e.kind, 5 | 10) {
            return Ok(Vec::new());
        }
        Ok((0..b.len() / 8)
            .filter_map(|i| Some((number(i * 8)?, number(i * 8 + 4)?)))
            .map(|(n, d)| n / d)
            .collect())
    }

    /// Degrees, as rationals or written out as text.
    fn angle(self, e: &Entry) -> Parse<Option<f64>> {
        if e.kind == 2 {
            let written = text::decode(text::until_nul(self.raw(e, 64)?));
            return Ok(coordinate(&written));
        }
        Ok(degrees(&self.rationals(e)?))
    }

    /// The entry's value as text, see [`crate::ExifMap`]. None where it is empty.
    fn text(self, e: &Entry, max: usize) -> Parse<Option<String>> {
        let unit = unit_size(e.kind).unwrap_or(1);
        if e.count * unit > max as u64 * 2 && !e.is_text() {
            return Ok(None);
        }
        // A letter takes up to four bytes here, or two for one there.
        let b = self.raw(e, max as u64 * 2 + 8)?;
        let joined = |each: &dyn Fn(usize) -> Option<String>| {
            let all: Vec<String> =
                (0..b.len() / unit as usize).filter_map(|i| each(i * unit as usize)).collect();
            all.join(" ")
        };
        let text = match e.kind {
            2 => text::decode(text::until_nul(b)),
            3 => joined(&|i| Some(self.u16(b, i)?.to_string())),
            4 | 13 => joined(&|i| Some(self.u32(b, i)?.to_string())),
            5 => joined(&|i| Some(format!("{}/{}", self.u32(b, i)?, self.u32(b, i + 4)?))),
            6 => joined(&|i| Some((*b.get(i)? as i8).to_string())),
            8 => joined(&|i| Some((self.u16(b, i)? as i16).to_string())),
            9 => joined(&|i| Some((self.u32(b, i)? as i32).to_string())),
            10 => joined(&|i| Some(format!("{}/{}", self.u32(b, i)? as i32, self.u32(b, i + 4)? as i32))),
            11 => joined(&|i| Some(f32::from_bits(self.u32(b, i)?).to_string())),
            12 => joined(&|i| Some(f64::from_bits(self.u64(b, i)?).to_string())),
            16 | 18 => joined(&|i| Some(self.u64(b, i)?.to_string())),
            17 => joined(&|i| Some((self.u64(b, i)? as i64).to_string())),
            _ if (0x9c9b..=0x9c9f).contains(&e.tag) => text::utf16(b, false),
            1 => joined(&|i| Some(b.get(i)?.to_string())),
            _ => undefined_text(e.tag, b, self.big),
        };
        Ok(text::clean(&text, max))
    }
}

impl Entry {
    /// Whether the value is written text, which may be cut.
    fn is_text(&self) -> bool {
        self.kind == 2 || (0x9c9b..=0x9c9f).contains(&self.tag) || matches!(self.tag, 0x9286)
    }
}

fn unit_size(kind: u16) -> Option<u64> {
    match kind {
        1 | 2 | 6 | 7 => Some(1),
        3 | 8 => Some(2),
        4 | 9 | 11 | 13 => Some(4),
        5 | 10 | 12 | 16 | 17 | 18 => Some(8),
        _ => None,
    }
}

/// UserComment and its kin carry a character code of eight bytes.
fn undefined_text(tag: u16, b: &[u8], big: bool) -> String {
    if matches!(tag, 0x9286 | 0x001b | 0x001c)
        && let Some((code, rest)) = b.split_at_checked(8)
    {
        match code {
            b"UNICODE\0" => return unicode(rest, big),
            b"JIS\0\0\0\0\0" => return text::jis(text::until_nul(rest)),
            b"ASCII\0\0\0" | b"\0\0\0\0\0\0\0\0" => return text::decode(text::until_nul(rest)),
            _ => {}
        }
    }
    let shown = b.strip_suffix(&[0]).unwrap_or(b);
    if !shown.is_empty() && shown.iter().all(|c| (0x20..0x7f).contains(c)) {
        return text::decode(shown);
    }
    text::hex(b.get(..b.len().min(64)).unwrap_or_default())
}

/// UTF-16 in an order that writers do not agree on: the block's, the other one, or that of
/// a mark; and what is no UTF-16 at all.
fn unicode(b: &[u8], big: bool) -> String {
    match b {
        [0xfe, 0xff, rest @ ..] => return text::utf16(rest, true),
        [0xff, 0xfe, rest @ ..] => return text::utf16(rest, false),
        _ => {}
    }
    let trimmed = text::until_nul(b);
    if trimmed.len() > 3 && std::str::from_utf8(trimmed).is_ok() {
        return text::decode(trimmed);
    }
    let latin = |big: bool| {
        b.chunks_exact(2)
            .filter(|p| matches!((*p, big), ([0..=2, 1..=255], true) | ([1..=255, 0..=2], false)))
            .count()
    };
    let (as_big, as_little) = (latin(true), latin(false));
    text::utf16(b, if as_big == as_little { big } else { as_big > as_little })
}

/// Names of tags that EXIF 2.32 lacks or that IMM and OSS know by an older name.
fn tag_name(context: Context, tag: u16) -> Option<String> {
    let name = match (context, tag) {
        (Context::Exif, 0x8827) => "ISOSpeedRatings",
        (Context::Tiff, 0x013c) => "HostComputer",
        (Context::Tiff, 0x4746) => "Rating",
        (Context::Tiff, 0x4749) => "RatingPercent",
        (Context::Tiff, 0x9c9b) => "XPTitle",
        (Context::Tiff, 0x9c9c) => "XPComment",
        (Context::Tiff, 0x9c9d) => "XPAuthor",
        (Context::Tiff, 0x9c9e) => "XPKeywords",
        (Context::Tiff, 0x9c9f) => "XPSubject",
        (Context::Tiff, 0xc612) => "DNGVersion",
        (Context::Tiff, 0xc614) => "UniqueCameraModel",
        (Context::Tiff, 0xc62f) => "CameraSerialNumber",
        _ => {
            let tag = Tag(context, tag);
            tag.description()?;
            return Some(tag.to_string());
        }
    };
    Some(name.to_owned())
}

/// Tags whose values are bulk, pointers or other formats.
fn is_bulk(context: Context, tag: u16) -> bool {
    match context {
        Context::Tiff => matches!(
            tag,
            0x0111
                | 0x0117
                | 0x0144
                | 0x0145
                | 0x014a
                | 0x015b
                | 0x0201
                | 0x0202
                | 0x02bc
                | 0x83bb
                | 0x8649
                | 0x8769
                | 0x8773
                | 0x8825
                | 0x012d
                | 0x0140
        ),
        Context::Exif => matches!(tag, 0x927c | 0xa005),
        _ => false,
    }
}

/// Reads a whole EXIF block: main directory, EXIF, GPS, maker's content id.
pub(crate) fn read(ctx: &mut Ctx<'_>, view: View<'_>, facts: &mut Facts) -> Parse {
    // The mark of the JPEG segment is kept by some writers of other formats.
    let view = if view.get(0, 6) == Ok(b"Exif\0\0") { view.sub(6, u64::MAX) } else { view };
    let (tiff, first) = Tiff::open(view)?;
    facts.directories.clear();
    let (entries, _) = tiff.directory(first)?;
    read_directory(ctx, tiff, &entries, Context::Tiff, facts)
}

/// Reads the entries of one directory and those it points to.
pub(crate) fn read_directory(
    ctx: &mut Ctx<'_>,
    tiff: Tiff<'_>,
    entries: &[Entry],
    context: Context,
    facts: &mut Facts,
) -> Parse {
    ctx.tick()?;
    let mut stopped = None;
    for e in entries {
        // A bad value costs itself only; missing bytes are noted, so go on to
        // collect all that one more read must bring.
        let done = read_entry(ctx, tiff, e, context, facts);
        match done {
            Err(Stop::Malformed(_)) | Ok(()) => {}
            Err(stop) => stopped = Some(stop),
        }
    }
    if context == Context::Gps {
        facts.gps_ready();
    }
    stopped.map_or(Ok(()), Err)
}

fn read_entry(ctx: &mut Ctx<'_>, tiff: Tiff<'_>, e: &Entry, context: Context, facts: &mut Facts) -> Parse {
    let context = match (context, e.tag) {
        // TIFF/EP, and some writers, put EXIF's own tags into the main directory.
        (Context::Tiff, 0x829a | 0x829d | 0x8822 | 0x8827 | 0x9000..=0x9292 | 0xa401..=0xa435) => {
            Context::Exif
        }
        _ => context,
    };
    match (context, e.tag) {
        (Context::Tiff, 0x8769) => return follow(ctx, tiff, e, Context::Exif, facts),
        (Context::Tiff, 0x8825) => return follow(ctx, tiff, e, Context::Gps, facts),
        (Context::Exif, 0xa005) => return follow(ctx, tiff, e, Context::Interop, facts),
        (Context::Exif, 0x927c) => {
            if let Some(id) = apple_content_id(tiff, e)? {
                facts.live_photo_id.get_or_insert(id);
            }
            return Ok(());
        }
        // Its name stands in front.
        (Context::Tiff, 0x8773) if facts.profile.is_empty() => {
            facts.profile = tiff.view.upto(e.at, e.count.min(8 * 1024))?.to_vec();
        }
        (Context::Tiff, 0x0112) => facts.orientation = tiff.integer(e)?.filter(|o| (1..=8).contains(o)),
        (Context::Gps, 2) => facts.gps.lat = tiff.angle(e)?,
        (Context::Gps, 4) => facts.gps.long = tiff.angle(e)?,
        (Context::Gps, 7) => facts.gps.time = tiff.rationals(e)?,
        _ => {}
    }
    if is_bulk(context, e.tag) {
        return Ok(());
    }
    let Some(name) = tag_name(context, e.tag) else { return Ok(()) };
    let (short, long) = (ctx.limits.max_exif_value, ctx.limits.max_text);
    let is_text = e.is_text();
    let Some(value) = tiff.text(e, if is_text { long } else { short })? else { return Ok(()) };
    // A text over the limit is cut, and said, but where a field of its own has it whole.
    let own = facts.note(context, e.tag, &value);
    // Fields of their own are filled all the same.
    if facts.exif.len() >= ctx.limits.max_exif_tags && !facts.exif.contains_key(&name) {
        let why = format!("the first {} tags are kept", ctx.limits.max_exif_tags);
        ctx.problem(ProblemKind::Limit, "exif", why);
        return Ok(());
    }
    if is_text && value.len() > short {
        if !own {
            ctx.problem(ProblemKind::Limit, &name, "cut at max_exif_value");
        }
        facts.exif.entry(name).or_insert(text::clean(&value, short).unwrap_or_default());
    } else {
        facts.exif.entry(name).or_insert(value);
    }
    Ok(())
}

fn follow(ctx: &mut Ctx<'_>, tiff: Tiff<'_>, e: &Entry, context: Context, facts: &mut Facts) -> Parse {
    let Some(&at) = tiff.offsets(e, 1)?.first() else { return Ok(()) };
    // Many entries may lead to one directory, and a directory to itself.
    if !facts.directories.insert(tiff.view.start.saturating_add(at)) {
        return Ok(());
    }
    let read =
        tiff.directory(at).and_then(|(entries, _)| read_directory(ctx, tiff, &entries, context, facts));
    if read == Err(Stop::Missing) {
        facts.directories.remove(&tiff.view.start.saturating_add(at));
    }
    read
}

/// Degrees, minutes, seconds; a part written as 0/0 counts as nothing.
fn degrees(parts: &[f64]) -> Option<f64> {
    let first = parts.first().copied().filter(|d| d.is_finite())?;
    let part = |i: usize| parts.get(i).copied().filter(|d| d.is_finite()).unwrap_or(0.0);
    Some(first + part(1) / 60.0 + part(2) / 3600.0)
}

/// Apple's maker note holds the id that pairs a Live Photo (tag 0x11).
fn apple_content_id(tiff: Tiff<'_>, e: &Entry) -> Parse<Option<String>> {
    if e.count < 32 || tiff.raw(e, 12)? != b"Apple iOS\0\0\x01" {
        return Ok(None);
    }
    let note = Tiff { view: tiff.view.sub(e.at, e.count), big: true, wide: false };
    let (entries, _) = note.directory(14)?;
    match entries.iter().find(|e| e.tag == 0x11 && e.kind == 2) {
        Some(id) => note.text(id, 64),
        None => Ok(None),
    }
}

impl Facts {
    /// Keeps what the record needs of a tag, besides the tag itself; says whether a field
    /// of its own holds the text.
    fn note(&mut self, context: Context, tag: u16, value: &str) -> bool {
        let text = || Some(value.to_owned());
        let people = || value.split(';').filter_map(|a| text::clean(a, 256)).collect();
        match (context, tag) {
            (Context::Tiff, 0x010e) if is_default_caption(value) => self.default_caption = text(),
            (Context::Tiff, 0x010e) => self.description = self.description.take().or_else(text),
            (Context::Tiff, 0x013b) if self.authors.is_empty() => self.authors = people(),
            (Context::Tiff, 0x8298) => self.copyright = self.copyright.take().or_else(text),
            (Context::Tiff, 0x9c9b) => self.title = self.title.take().or_else(text),
            (Context::Tiff, 0x9c9c) => self.comment = text(),
            (Context::Tiff, 0x9c9d) => self.other_authors = people(),
            (Context::Tiff, 0x9c9e) => {
                let words = value.split(';').filter_map(|k| text::clean(k, 256));
                self.keywords.extend(words.take(MAX_KEYWORDS + 1));
            }
            (Context::Exif, 0x9286) => self.user_comment = text(),
            (Context::Exif, 0x9003) => self.taken = Stamp::parse(value),
            (Context::Exif, 0x9004) => self.digitized = Stamp::parse(value),
            (Context::Tiff, 0x0132) => self.modified = Stamp::parse(value),
            (Context::Gps, 1) => self.gps.south = value.starts_with(['S', 's']),
            (Context::Gps, 3) => self.gps.west = value.starts_with(['W', 'w']),
            (Context::Gps, 29) => self.gps.date = text(),
            _ => {}
        }
        matches!(
            (context, tag),
            (Context::Tiff, 0x010e | 0x013b | 0x8298 | 0x9c9b..=0x9c9e) | (Context::Exif, 0x9286)
        )
    }
}

impl<'a> Tiff<'a> {
    /// The entry's bytes as a view of their own.
    pub(crate) fn part(self, e: &Entry) -> View<'a> {
        self.view.sub(e.at, e.count * unit_size(e.kind).unwrap_or(1))
    }
}
