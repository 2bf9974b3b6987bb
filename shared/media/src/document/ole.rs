//! Legacy Office files (OLE compound files): the property sets.

use crate::bytes::{le16, le32, le64};
use crate::ctx::Ctx;
use crate::extraction::ProblemKind;
use crate::metadata::MediaType;
use crate::source::{Parse, Source, Stop};
use crate::text;
use crate::time::Stamp;

const END: u32 = 0xffff_fffe;
/// Longest chain of sectors followed; property sets take a few.
const MAX_CHAIN: usize = 4096;
/// Most sectors of the index of the table of sectors: as many as the table may have.
const MAX_INDEX: usize = 64;
/// Longest stream read.
const MAX_STREAM: u64 = 256 * 1024;

struct Compound<'a> {
    src: &'a Source,
    sector: u64,
    mini: u64,
    /// Sectors of the table of sectors, of which only those are read that a chain goes
    /// through: a file saved many times has them all over.
    fat: Vec<u32>,
    /// The table goes on behind what is kept of it.
    fat_cut: bool,
    mini_fat: Vec<u32>,
    mini_stream: Vec<u32>,
    cutoff: u64,
}

struct Stream {
    name: String,
    kind: u8,
    start: u32,
    size: u64,
    left: u32,
    right: u32,
    child: u32,
}

/// The entries of the root's own level: embedded objects bring property sets of
/// their own under the same names.
fn top_level(all: Vec<Stream>) -> Vec<Stream> {
    let Some(root) = all.iter().find(|s| s.kind == 5) else { return all };
    let mut open = vec![root.child];
    let mut keep = vec![false; all.len()];
    while let Some(at) = open.pop() {
        if let (Some(s), Some(kept @ false)) = (all.get(at as usize), keep.get_mut(at as usize)) {
            *kept = true;
            open.extend([s.left, s.right]);
        }
    }
    all.into_iter().zip(keep).filter(|(s, keep)| *keep || s.kind == 5).map(|(s, _)| s).collect()
}

/// Pieces held after which a file is read whole, where it is not long: its chains lead
/// all over it, a read each.
const MAX_PIECES: usize = 3;

pub(crate) fn read(ctx: &mut Ctx<'_>) -> Parse {
    let read = read_file(ctx);
    let src = ctx.src;
    if src.lacks() && src.pieces() >= MAX_PIECES && src.size() <= ctx.limits.max_bytes / 2 {
        src.note_missing(0..src.size());
    }
    read
}

fn read_file(ctx: &mut Ctx<'_>) -> Parse {
    let src = ctx.src;
    let head = src.get(0, 512)?;
    let number = |at| le32(head, at).unwrap_or(END);
    let (sector, mini) = (u32::from(le16(head, 30).unwrap_or(9)), u32::from(le16(head, 32).unwrap_or(6)));
    if !(7..=16).contains(&sector) || !(2..=sector).contains(&mini) {
        return Err(Stop::Malformed("impossible sector size"));
    }
    let mut file = Compound {
        src,
        sector: 1 << sector,
        mini: 1 << mini,
        fat: Vec::new(),
        fat_cut: false,
        mini_fat: Vec::new(),
        mini_stream: Vec::new(),
        cutoff: u64::from(number(56)),
    };
    file.load_fat(head)?;
    let directory = file.chain(number(48), MAX_CHAIN)?;
    let mut streams = Vec::new();
    for bytes in file.sectors(&directory)? {
        for e in bytes.chunks_exact(128) {
            let len = usize::from(le16(e, 64).unwrap_or(0)).clamp(2, 64) - 2;
            let kind = e.get(66).copied().unwrap_or(0);
            streams.push(Stream {
                name: text::utf16(e.get(..len).unwrap_or_default(), false),
                kind,
                start: le32(e, 116).unwrap_or(END),
                size: u64::from(le32(e, 120).unwrap_or(0)),
                left: le32(e, 68).unwrap_or(u32::MAX),
                right: le32(e, 72).unwrap_or(u32::MAX),
                child: le32(e, 76).unwrap_or(u32::MAX),
            });
        }
    }
    let streams = top_level(streams);
    classify(ctx, &streams);
    if !ctx.features.document {
        return Ok(());
    }
    if let Some(root) = streams.iter().find(|s| s.kind == 5) {
        file.mini_stream = match file.chain(root.start, MAX_CHAIN) {
            Err(Stop::Missing) => return Err(Stop::Missing),
            chain => chain.unwrap_or_default(),
        };
    }
    file.mini_fat = file.table(number(60), number(64))?;
    for name in ["\u{5}SummaryInformation", "\u{5}DocumentSummaryInformation"] {
        let Some(stream) = streams.iter().find(|s| s.name == name) else { continue };
        ctx.part("properties", |ctx| {
            if stream.size > MAX_STREAM {
                ctx.stopped("properties", Stop::Limit("longer than is read of them"));
            }
            let bytes = file.read(stream)?;
            properties(ctx, &bytes, name.contains("Document"))
        });
    }
    if ctx.meta.page_count.is_none() {
        match ctx.kind.format {
            "doc" => ctx.part("pages", |ctx| word_pages(ctx, &file, &streams)),
            "xls" => ctx.part("sheets", |ctx| excel_sheets(ctx, &file, &streams)),
            _ => {}
        }
    }
    Ok(())
}

fn classify(ctx: &mut Ctx<'_>, streams: &[Stream]) {
    let has = |name: &str| streams.iter().any(|s| s.name.eq_ignore_ascii_case(name));
    let (format, mime, media) = if has("WordDocument") {
        ("doc", "application/msword", MediaType::Document)
    } else if has("Workbook") || has("Book") {
        ("xls", "application/vnd.ms-excel", MediaType::Document)
    } else if has("PowerPoint Document") {
        ("ppt", "application/vnd.ms-powerpoint", MediaType::Document)
    } else if has("VisioDocument") {
        ("vsd", "application/vnd.visio", MediaType::Document)
    } else if has("__properties_version1.0") {
        ("msg", "application/vnd.ms-outlook", MediaType::Document)
    } else if has("EncryptedPackage") {
        // What is inside cannot be seen without the password.
        ctx.meta.extra.encrypted = Some(true);
        ctx.problem(ProblemKind::Unsupported, "document", "encrypted: what is inside needs the password");
        let mime = super::package::encrypted_type(ctx.name).unwrap_or("application/x-tika-ooxml-protected");
        ("ooxml-encrypted", mime, MediaType::Document)
    } else {
        ("ole", "application/x-ole-storage", MediaType::Other)
    };
    ctx.refine(format, mime);
    ctx.kind.media = media;
}

impl Compound<'_> {
    fn sector(&self, n: u32) -> Parse<&[u8]> {
        self.src.upto((u64::from(n) + 1) * self.sector, self.sector)
    }

    /// Several sectors; those that are missing are all noted, so that one read brings them.
    fn sectors(&self, all: &[u32]) -> Parse<Vec<&[u8]>> {
        let read: Vec<Parse<&[u8]>> = all.iter().map(|n| self.sector(*n)).collect();
        match read.contains(&Err(Stop::Missing)) {
            true => Err(Stop::Missing),
            false => read.into_iter().collect(),
        }
    }

    fn load_fat(&mut self, head: &[u8]) -> Parse {
        let mut sectors: Vec<u32> =
            (0..109).filter_map(|i| le32(head, 76 + i * 4)).filter(|n| *n < END - 2).collect();
        let mut next = le32(head, 68).unwrap_or(END);
        for _ in 0..MAX_INDEX {
            if next >= END - 2 {
                break;
            }
            let bytes = self.sector(next)?;
            let per = self.sector as usize / 4 - 1;
            sectors.extend((0..per).filter_map(|i| le32(bytes, i * 4)).filter(|n| *n < END - 2));
            next = le32(bytes, per * 4).unwrap_or(END);
        }
        // One entry each 4 bytes: 4 MiB of table index 512 MiB of file.
        let most = (4 << 20) / self.sector as usize;
        self.fat_cut = sectors.len() > most || next < END - 2;
        sectors.truncate(most);
        self.fat = sectors;
        Ok(())
    }

    /// The sector behind sector `n` in its chain.
    fn next(&self, n: u32) -> Parse<u32> {
        let per = self.sector / 4;
        let Some(table) = self.fat.get((u64::from(n) / per) as usize) else {
            return match self.fat_cut {
                true => Err(Stop::Limit("more sectors than are read of their table")),
                false => Ok(END),
            };
        };
        let at = (u64::from(n) % per) as usize * 4;
        Ok(le32(self.sector(*table)?, at).unwrap_or(END))
    }

    /// Sectors of a chain.
    fn chain(&self, start: u32, max: usize) -> Parse<Vec<u32>> {
        let mut chain = Vec::new();
        let mut at = start;
        while at < END - 2 {
            if chain.len() >= max {
                return Err(Stop::Limit("chain of sectors too long"));
            }
            chain.push(at);
            at = self.next(at)?;
        }
        Ok(chain)
    }

    fn table(&self, start: u32, count: u32) -> Parse<Vec<u32>> {
        let chain = self.chain(start, (count as usize).min(MAX_CHAIN)).or_else(|stop| match stop {
            Stop::Missing => Err(stop),
            _ => self.chain(start, MAX_CHAIN),
        })?;
        let mut table = Vec::new();
        for bytes in self.sectors(&chain)? {
            table.extend((0..bytes.len() / 4).filter_map(|i| le32(bytes, i * 4)));
        }
        Ok(table)
    }

    /// Content of a stream, at most 256 KiB of it.
    fn read(&self, stream: &Stream) -> Parse<Vec<u8>> {
        self.read_at(stream, 0, stream.size.min(MAX_STREAM))
    }

    /// A part of a stream, cut at its end.
    fn read_at(&self, stream: &Stream, from: u64, len: u64) -> Parse<Vec<u8>> {
        let len = len.min(stream.size.saturating_sub(from)).min(MAX_STREAM);
        let short = stream.size < self.cutoff;
        let unit = if short { self.mini } else { self.sector };
        let mut out = Vec::with_capacity(len as usize);
        let mut at = stream.start;
        let first = from / unit;
        let mut missing = false;
        for i in 0..(1u64 << 20) {
            if at >= END - 2 || i * unit >= from + len {
                break;
            }
            if i >= first {
                let offset = if short {
                    let per = self.sector / self.mini;
                    let holder = self.mini_stream.get((u64::from(at) / per) as usize);
                    let holder = *holder.ok_or(Stop::Malformed("short stream outside its container"))?;
                    (u64::from(holder) + 1) * self.sector + u64::from(at) % per * self.mini
                } else {
                    (u64::from(at) + 1) * self.sector
                };
                match self.src.upto(offset, unit) {
                    Ok(bytes) => out.extend_from_slice(bytes),
                    // Go on, so that one read brings all of it.
                    Err(Stop::Missing) => missing = true,
                    Err(stop) => return Err(stop),
                }
            }
            at = if short { self.mini_fat.get(at as usize).copied().unwrap_or(END) } else { self.next(at)? };
        }
        if missing {
            return Err(Stop::Missing);
        }
        let skip = (from - first * unit) as usize;
        out.drain(..skip.min(out.len()));
        out.truncate(len as usize);
        Ok(out)
    }
}

/// Page count in Word's document properties, where the property set has none.
fn word_pages(ctx: &mut Ctx<'_>, file: &Compound<'_>, streams: &[Stream]) -> Parse {
    let find = |name: &str| streams.iter().find(|s| s.name == name);
    let Some(main) = find("WordDocument") else { return Ok(()) };
    let fib = file.read_at(main, 0, 0x19a)?;
    let table = if le16(&fib, 10).is_some_and(|f| f & 0x200 != 0) { "1Table" } else { "0Table" };
    let (Some(table), Some(at), Some(len)) = (find(table), le32(&fib, 0x192), le32(&fib, 0x196)) else {
        return Ok(());
    };
    if len >= 48 {
        let properties = file.read_at(table, u64::from(at), 48)?;
        ctx.meta.page_count = le16(&properties, 46).map(u32::from).filter(|n| *n > 0);
    }
    Ok(())
}

/// Sheets of a workbook: BoundSheet records in its globals.
fn excel_sheets(ctx: &mut Ctx<'_>, file: &Compound<'_>, streams: &[Stream]) -> Parse {
    let book = streams.iter().find(|s| s.name == "Workbook" || s.name == "Book");
    let Some(book) = book else { return Ok(()) };
    let records = file.read_at(book, 0, book.size.min(64 * 1024))?;
    let (mut at, mut sheets) = (0, 0);
    while let (Some(kind), Some(len)) = (le16(&records, at), le16(&records, at + 2)) {
        match kind {
            0x0085 => sheets += 1,
            // The end of the globals.
            0x000a => break,
            _ => {}
        }
        at += 4 + usize::from(len);
    }
    ctx.meta.page_count = Some(sheets).filter(|n| *n > 0);
    Ok(())
}

/// A property set: the first section's properties.
fn properties(ctx: &mut Ctx<'_>, b: &[u8], document: bool) -> Parse {
    let start = le32(b, 44).ok_or(Stop::Malformed("property set is cut"))? as usize;
    let section = b.get(start..).ok_or(Stop::Malformed("property set is cut"))?;
    let count = le32(section, 4).unwrap_or(0).min(256) as usize;
    let entry = |i: usize| Some((le32(section, 8 + i * 8)?, le32(section, 12 + i * 8)? as usize));
    let code_page = (0..count)
        .filter_map(entry)
        .find(|(id, _)| *id == 1)
        .and_then(|(_, at)| le16(section, at + 4))
        .unwrap_or(1252);
    let max = ctx.limits.max_text;
    let text_at = |at: usize| {
        let len = le32(section, at + 4)? as usize;
        let raw = match le32(section, at)? {
            30 => section.get(at + 8..at.checked_add(8)?.checked_add(len)?.min(section.len()))?,
            31 => {
                return text::clean(
                    &text::utf16(section.get(at + 8..)?.get(..len.checked_mul(2)?)?, false),
                    max,
                );
            }
            _ => return None,
        };
        let decoded = match code_page {
            1200 => text::utf16(raw, false),
            65001 => text::decode(text::until_nul(raw)),
            _ => text::latin1(text::until_nul(raw)),
        };
        text::clean(&decoded, max)
    };
    let number_at = |at: usize| (le32(section, at)? == 3).then(|| le32(section, at + 4)).flatten();
    for (id, at) in (0..count).filter_map(entry) {
        let m = &mut ctx.meta;
        match (document, id) {
            (false, 2) => m.title = text_at(at),
            (false, 3) => m.description = m.description.take().or_else(|| text_at(at)),
            (false, 4) => m.authors = text_at(at).into_iter().collect(),
            (false, 5) => {
                let words = text_at(at).unwrap_or_default();
                m.keywords = words
                    .split([',', ';'])
                    .filter_map(|k| text::clean(k, 256))
                    .take(crate::MAX_KEYWORDS + 1)
                    .collect();
            }
            (false, 6) => m.description = text_at(at).or_else(|| m.description.take()),
            (false, 12) if le32(section, at) == Some(64) => {
                let made = le64(section, at + 4).and_then(Stamp::from_filetime);
                m.produce_time = made.map(|s| s.rfc3339());
            }
            (false, 14) => m.page_count = number_at(at).filter(|n| (1..1_000_000).contains(n)),
            (false, 15) => m.extra.word_count = number_at(at).filter(|n| (1..1 << 31).contains(n)),
            (true, 7) if ctx.kind.format == "ppt" => {
                m.page_count = number_at(at).filter(|n| (1..1_000_000).contains(n)).or(m.page_count);
            }
            _ => {}
        }
    }
    Ok(())
}
