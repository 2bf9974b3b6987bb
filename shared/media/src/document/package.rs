//! Documents in ZIP packages (OOXML, ODF, EPUB), and plain archives.

use crate::ctx::Ctx;
use crate::document::properties;
use crate::document::zip::Archive;
use crate::metadata::MediaType;
use crate::source::{Parse, Stop};
use crate::text;
use crate::time::{Stamp, format_offset};
use crate::xml::{self, Element, Tree};

/// Longest part of a package parsed.
const MAX_PART: usize = 2 * 1024 * 1024;

const DC: &str = "http://purl.org/dc/elements/1.1/";

/// Reads a ZIP: decides what it is, then its properties.
pub(crate) fn read(ctx: &mut Ctx<'_>) -> Parse {
    let src = ctx.src;
    // The first entry of ODF and EPUB is their type, stored plainly.
    let head = src.held_from(0);
    let declared = head.get(30..).filter(|h| h.starts_with(b"mimetype")).map(|h| {
        let value = h.get(8..).unwrap_or_default();
        let end = value.iter().position(|b| !b.is_ascii_graphic()).unwrap_or(value.len()).min(96);
        let value = value.get(..end).unwrap_or_default();
        let end = crate::bytes::find(value, b"PK").unwrap_or(value.len());
        String::from_utf8_lossy(value.get(..end).unwrap_or_default()).into_owned()
    });
    let known = declared.as_deref().and_then(by_declared);
    if let Some((format, mime)) = known {
        document(ctx, format, mime);
    }
    let archive = Archive::open(ctx, src)?;
    if known.is_none() {
        classify(ctx, &archive)?;
    }
    if archive.is_encrypted() {
        ctx.meta.extra.encrypted = Some(true);
    }
    if ctx.kind.media != MediaType::Document {
        if ctx.features.archive && ctx.kind.media == MediaType::Archive {
            ctx.meta.archive_entry_count = Some(archive.count);
        }
        return Ok(());
    }
    if !ctx.features.document {
        return Ok(());
    }
    if archive.cut {
        return Err(Stop::Limit("central directory over the limit"));
    }
    match ctx.kind.format {
        "epub" => epub(ctx, &archive),
        // A part that cannot be found is said: the archive is damaged, or it lies elsewhere.
        f if (f.starts_with("od") || f.starts_with("ot")) && archive.entries.is_empty() => {
            Err(Stop::Malformed("the archive's directory could not be found"))
        }
        f if f.starts_with("od") || f.starts_with("ot") => {
            let read = part(ctx, &archive, "meta.xml", odf);
            properties::odf(ctx, &archive);
            read
        }
        _ => ooxml(ctx, &archive),
    }
}

/// Format and MIME type.
type Named = (&'static str, &'static str);

fn document(ctx: &mut Ctx<'_>, format: &'static str, mime: &'static str) {
    ctx.refine(format, mime);
    ctx.kind.media = MediaType::Document;
}

fn by_declared(declared: &str) -> Option<(&'static str, &'static str)> {
    const KNOWN: &[(&str, &str)] = &[
        ("epub", "application/epub+zip"),
        ("odt", "application/vnd.oasis.opendocument.text"),
        ("ods", "application/vnd.oasis.opendocument.spreadsheet"),
        ("odp", "application/vnd.oasis.opendocument.presentation"),
        ("odg", "application/vnd.oasis.opendocument.graphics"),
        ("odc", "application/vnd.oasis.opendocument.chart"),
        ("odf", "application/vnd.oasis.opendocument.formula"),
        ("odi", "application/vnd.oasis.opendocument.image"),
        ("odb", "application/vnd.oasis.opendocument.base"),
        ("odm", "application/vnd.oasis.opendocument.text-master"),
        ("ott", "application/vnd.oasis.opendocument.text-template"),
        ("ots", "application/vnd.oasis.opendocument.spreadsheet-template"),
        ("otp", "application/vnd.oasis.opendocument.presentation-template"),
        ("otg", "application/vnd.oasis.opendocument.graphics-template"),
    ];
    KNOWN.iter().find(|(_, mime)| *mime == declared).copied()
}

/// The type that an ODF or EPUB states in an entry of its own. Its place in front is
/// what the formats ask for; programs that pack by hand put it anywhere, or leave it
/// to the manifest.
fn stated(archive: &Archive<'_>) -> Parse<Option<Named>> {
    // Where neither is, nothing needs to be read.
    if let Some(b) = archive.read("mimetype", MAX_PART)? {
        return Ok(by_declared(String::from_utf8_lossy(&b).trim()));
    }
    if !archive.has("content.xml") {
        return Ok(None);
    }
    let Some(b) = archive.read("META-INF/manifest.xml", MAX_PART)? else { return Ok(None) };
    let xml = text::decode_bom(&b);
    let doc = xml::parse(&xml);
    let root = doc.elements().find(|e| e.attribute("full-path").as_deref() == Some("/"));
    Ok(root.and_then(|e| e.attribute("media-type")).and_then(|m| by_declared(&m)))
}

fn classify(ctx: &mut Ctx<'_>, archive: &Archive<'_>) -> Parse {
    let macros = archive.entries.iter().any(|e| e.name.ends_with("vbaProject.bin"));
    let main = main_part(archive)?;
    let kinds: &[(&str, Named, Named)] = &[
        (
            "word/",
            ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
            ("docm", "application/vnd.ms-word.document.macroEnabled.12"),
        ),
        (
            "xl/",
            ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
            ("xlsm", "application/vnd.ms-excel.sheet.macroEnabled.12"),
        ),
        (
            "ppt/",
            ("pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
            ("pptm", "application/vnd.ms-powerpoint.presentation.macroEnabled.12"),
        ),
        (
            "visio/",
            ("vsdx", "application/vnd.ms-visio.drawing"),
            ("vsdm", "application/vnd.ms-visio.drawing.macroEnabled.12"),
        ),
    ];
    let office = archive.find("[Content_Types].xml").is_some() || archive.find("_rels/.rels").is_some();
    let found = kinds.iter().find(|(prefix, _, _)| archive.has(prefix));
    // The folder of the main part is free; its type tells what it is.
    let found = found.or_else(|| kinds.iter().find(|(_, plain, _)| main.as_deref() == Some(plain.0)));
    if office && let Some((_, plain, with_macros)) = found {
        let (format, mime) = if macros { *with_macros } else { *plain };
        // Templates, shows and books without a macro of their own: the name refines.
        let (format, mime) = by_extension(ctx.name, plain.0).unwrap_or((format, mime));
        document(ctx, format, mime);
    } else if let Some((format, mime)) = stated(archive)? {
        document(ctx, format, mime);
    } else if archive.find("META-INF/container.xml").is_some() && archive.find("mimetype").is_some() {
        document(ctx, "epub", "application/epub+zip");
    } else if archive.find("AndroidManifest.xml").is_some() {
        ctx.refine("apk", "application/vnd.android.package-archive");
    } else if archive.find("META-INF/MANIFEST.MF").is_some() {
        ctx.refine("jar", "application/java-archive");
    } else if archive.find("doc.kml").is_some() {
        ctx.refine("kmz", "application/vnd.google-earth.kmz");
    }
    Ok(())
}

/// Office formats that a name's extension tells apart: the extension, the format whose kin
/// it is, the format to read it as, the type.
const BY_EXTENSION: &[(&str, &str, &str, &str)] = &[
    ("docx", "docx", "docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("docm", "docx", "docm", "application/vnd.ms-word.document.macroEnabled.12"),
    ("dotx", "docx", "docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.template"),
    ("dotm", "docx", "docm", "application/vnd.ms-word.template.macroEnabled.12"),
    ("xlsx", "xlsx", "xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("xlsm", "xlsx", "xlsm", "application/vnd.ms-excel.sheet.macroEnabled.12"),
    ("xlsb", "xlsx", "xlsx", "application/vnd.ms-excel.sheet.binary.macroEnabled.12"),
    ("xltx", "xlsx", "xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.template"),
    ("xltm", "xlsx", "xlsm", "application/vnd.ms-excel.template.macroEnabled.12"),
    ("pptx", "pptx", "pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
    ("pptm", "pptx", "pptm", "application/vnd.ms-powerpoint.presentation.macroEnabled.12"),
    ("ppsx", "pptx", "pptx", "application/vnd.openxmlformats-officedocument.presentationml.slideshow"),
    ("ppsm", "pptx", "pptm", "application/vnd.ms-powerpoint.slideshow.macroEnabled.12"),
    ("potx", "pptx", "pptx", "application/vnd.openxmlformats-officedocument.presentationml.template"),
];

/// Format and type that the name's extension gives a package of that kin. A plain extension
/// says nothing: macros in it count.
fn by_extension(name: &str, kin: &str) -> Option<Named> {
    let extension = name.rsplit_once('.')?.1.to_ascii_lowercase();
    let found = BY_EXTENSION.iter().find(|(e, of, ..)| *e == extension && *of == kin && *e != kin)?;
    Some((found.2, found.3))
}

/// The type of an encrypted office package, which only the name tells.
pub(crate) fn encrypted_type(name: &str) -> Option<&'static str> {
    let extension = name.rsplit_once('.')?.1.to_ascii_lowercase();
    BY_EXTENSION.iter().find(|(e, ..)| *e == extension).map(|(.., mime)| *mime)
}

/// What the types of an office package call its main part, where no usual folder tells.
fn main_part(archive: &Archive<'_>) -> Parse<Option<String>> {
    const USUAL: [&str; 4] = ["word/", "xl/", "ppt/", "visio/"];
    if archive.find("[Content_Types].xml").is_none() || USUAL.iter().any(|folder| archive.has(folder)) {
        return Ok(None);
    }
    let Some(b) = archive.read("[Content_Types].xml", MAX_PART)? else { return Ok(None) };
    let xml = text::decode_bom(&b);
    let doc = xml::parse(&xml);
    let kinds = [("wordprocessingml", "docx"), ("spreadsheetml", "xlsx"), ("presentationml", "pptx")];
    let kinds =
        [&kinds[..], &[("ms-word", "docx"), ("ms-excel", "xlsx"), ("ms-powerpoint", "pptx")]].concat();
    let main = doc.elements().filter_map(|e| e.attribute("ContentType")).find(|t| t.contains(".main+xml"));
    Ok(main.and_then(|t| kinds.iter().find(|(name, _)| t.contains(name)).map(|(_, kind)| (*kind).to_owned())))
}

/// Parses one part and hands its tree on; records what stops it.
fn part(ctx: &mut Ctx<'_>, archive: &Archive<'_>, name: &str, read: fn(&mut Ctx<'_>, &Tree<'_>)) -> Parse {
    let bytes = archive.read(name, MAX_PART.min(ctx.room()))?;
    let Some(bytes) = bytes else { return Ok(()) };
    let xml = text::decode_bom(&bytes);
    let doc = xml::parse(&xml);
    read(ctx, &doc);
    if doc.limited {
        return Err(Stop::Limit("too many elements or attributes"));
    }
    if doc.cut || doc.elements().next().is_none() {
        return Err(Stop::Malformed("the part ends before its elements do"));
    }
    Ok(())
}

fn ooxml(ctx: &mut Ctx<'_>, archive: &Archive<'_>) -> Parse {
    // Both parts are tried before missing bytes end the pass: one read for both.
    ctx.part("core.xml", |ctx| {
        // Relationships may name another place; these two are what writers use.
        let name = archive
            .entries
            .iter()
            .map(|e| e.name.as_str())
            .find(|n| {
                n.eq_ignore_ascii_case("docProps/core.xml")
                    || n.ends_with(".psmdcp")
                    || n.ends_with("/core-properties.xml")
            })
            .unwrap_or("docProps/core.xml");
        part(ctx, archive, name, core)
    });
    ctx.part("app.xml", |ctx| part(ctx, archive, "docProps/app.xml", app));
    properties::ooxml(ctx, archive);
    let parts = |prefix: &str| {
        archive.entries.iter().filter(|e| e.name.starts_with(prefix) && e.name.ends_with(".xml")).count()
            as u32
    };
    if ctx.meta.page_count.is_none() {
        let count = match ctx.kind.format {
            "pptx" | "pptm" => parts("ppt/slides/slide"),
            "xlsx" | "xlsm" => parts("xl/worksheets/") + parts("xl/chartsheets/"),
            _ => 0,
        };
        ctx.meta.page_count = Some(count).filter(|n| *n > 0);
    }
    Ok(())
}

fn texts<'t>(doc: &'t Tree<'_>, ns: Option<&str>, name: &str) -> Vec<&'t str> {
    doc.elements()
        .filter(|e| e.name() == name && ns.is_none_or(|ns| e.namespace() == ns))
        .filter_map(Element::text)
        .take(crate::MAX_KEYWORDS + 1)
        .collect()
}

fn first(ctx: &Ctx<'_>, doc: &Tree<'_>, ns: Option<&str>, name: &str) -> Option<String> {
    texts(doc, ns, name).into_iter().find_map(|t| text::clean(t, ctx.limits.max_text))
}

fn people(ctx: &Ctx<'_>, doc: &Tree<'_>, ns: Option<&str>, name: &str) -> Vec<String> {
    texts(doc, ns, name).into_iter().filter_map(|t| text::clean(t, ctx.limits.max_text)).collect()
}

fn made(ctx: &mut Ctx<'_>, value: Option<String>) {
    if let Some(stamp) = value.and_then(|v| Stamp::parse(&v)) {
        ctx.meta.timezone = stamp.offset.map(format_offset);
        ctx.meta.produce_time = Some(stamp.rfc3339());
    }
}

fn words(value: &str) -> Vec<String> {
    value.split([',', ';']).filter_map(|k| text::clean(k, 256)).take(crate::MAX_KEYWORDS + 1).collect()
}

fn core(ctx: &mut Ctx<'_>, doc: &Tree<'_>) {
    ctx.meta.title = first(ctx, doc, Some(DC), "title");
    ctx.meta.authors = people(ctx, doc, Some(DC), "creator");
    ctx.meta.description =
        first(ctx, doc, Some(DC), "description").or_else(|| first(ctx, doc, Some(DC), "subject"));
    ctx.meta.language = first(ctx, doc, Some(DC), "language");
    ctx.meta.keywords = first(ctx, doc, None, "keywords").map(|k| words(&k)).unwrap_or_default();
    let created = first(ctx, doc, None, "created");
    made(ctx, created);
}

fn app(ctx: &mut Ctx<'_>, doc: &Tree<'_>) {
    let number = |name: &str| texts(doc, None, name).first().and_then(|t| t.trim().parse::<u32>().ok());
    ctx.meta.page_count = match ctx.kind.format {
        "pptx" | "pptm" => number("Slides"),
        "xlsx" | "xlsm" => None,
        _ => number("Pages"),
    };
    ctx.meta.extra.word_count = number("Words").filter(|n| *n > 0);
}

fn odf(ctx: &mut Ctx<'_>, doc: &Tree<'_>) {
    ctx.meta.title = first(ctx, doc, Some(DC), "title");
    // Who saved it last, as exiftool and Tika have it; who began it is in many files the
    // template's author or a converter's "Unknown".
    ctx.meta.authors = people(ctx, doc, Some(DC), "creator");
    if ctx.meta.authors.is_empty() {
        ctx.meta.authors = people(ctx, doc, None, "initial-creator");
    }
    ctx.meta.description =
        first(ctx, doc, Some(DC), "description").or_else(|| first(ctx, doc, Some(DC), "subject"));
    ctx.meta.language = first(ctx, doc, Some(DC), "language");
    ctx.meta.keywords = people(ctx, doc, None, "keyword")
        .iter()
        .flat_map(|k| words(k))
        .take(crate::MAX_KEYWORDS + 1)
        .collect();
    let created = first(ctx, doc, None, "creation-date").or_else(|| first(ctx, doc, Some(DC), "date"));
    made(ctx, created);
    let statistic = doc.find("document-statistic");
    let number = |name: &str| statistic?.attribute(name)?.parse::<u32>().ok();
    ctx.meta.page_count = match ctx.kind.format {
        "ods" | "ots" => number("table-count"),
        _ => number("page-count"),
    };
    ctx.meta.extra.word_count = number("word-count").filter(|n| *n > 0);
}

fn epub(ctx: &mut Ctx<'_>, archive: &Archive<'_>) -> Parse {
    let bytes = archive.read("META-INF/container.xml", MAX_PART)?;
    let listed = bytes.and_then(|b| {
        let xml = text::decode_bom(&b);
        xml::parse(&xml).find("rootfile")?.attribute("full-path")
    });
    // The path is a URL.
    let decoded = listed.as_deref().map(percent_decoded);
    let named = listed.into_iter().chain(decoded).find(|path| archive.find(path).is_some());
    let any = || archive.entries.iter().map(|e| e.name.clone()).find(|n| n.ends_with(".opf"));
    let path = named.or_else(any).ok_or(Stop::Malformed("the package document is not in the archive"))?;
    part(ctx, archive, &path, opf)
}

/// A URL's path with its `%hh` as bytes.
fn percent_decoded(path: &str) -> String {
    let (mut out, mut rest) = (Vec::with_capacity(path.len()), path.as_bytes());
    while let [first, tail @ ..] = rest {
        let code = tail.get(..2).and_then(|h| u8::from_str_radix(std::str::from_utf8(h).ok()?, 16).ok());
        match (first, code) {
            (b'%', Some(code)) => {
                out.push(code);
                rest = tail.get(2..).unwrap_or_default();
            }
            _ => {
                out.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn opf(ctx: &mut Ctx<'_>, doc: &Tree<'_>) {
    let all = |name: &str| -> Vec<String> {
        let is_dc = |e: &Element<'_, '_>| e.namespace().starts_with("http://purl.org/dc/");
        let found = doc.elements().filter(|e| e.name() == name && is_dc(e));
        found
            .filter_map(|e| text::clean(e.text()?, ctx.limits.max_text))
            .take(crate::MAX_KEYWORDS + 1)
            .collect()
    };
    let (titles, authors, languages) = (all("title"), all("creator"), all("language"));
    let (subjects, descriptions, rights, dates) =
        (all("subject"), all("description"), all("rights"), all("date"));
    // EPUB 3 may give the title in parts and in full; the full one is marked.
    let full = doc.elements().filter(|e| e.name() == "meta").take(256).find_map(|e| {
        let id = e.attribute("refines").filter(|_| {
            e.attribute("property").as_deref() == Some("title-type")
                && e.text().is_some_and(|t| t.trim() == "extended")
        })?;
        let title = doc.elements().find(|t| t.attribute("id").as_deref() == id.strip_prefix('#'))?;
        text::clean(title.text()?, ctx.limits.max_text)
    });
    let m = &mut ctx.meta;
    m.title = full.or(titles.into_iter().next());
    m.authors = authors;
    m.language = languages.into_iter().next();
    m.keywords = subjects;
    m.description = descriptions.into_iter().next();
    m.copyright = rights.into_iter().next();
    made(ctx, dates.into_iter().next());
}
