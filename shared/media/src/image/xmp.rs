//! XMP packets (RDF in XML).

use crate::MAX_KEYWORDS;
use crate::bytes::{View, find};
use crate::ctx::Ctx;
use crate::extra::xmp::More;
use crate::extraction::ProblemKind;
use crate::image::Facts;
use crate::source::Parse;
use crate::text;
use crate::time::{Stamp, parse_offset};
use crate::xml::{self, Element, RDF};

const DC: &str = "http://purl.org/dc/elements/1.1/";
const XMP: &str = "http://ns.adobe.com/xap/1.0/";
const EXIF: &str = "http://ns.adobe.com/exif/1.0/";
const EXIF_EX: &str = "http://cipa.jp/exif/1.0/";
const TIFF: &str = "http://ns.adobe.com/tiff/1.0/";
const PHOTOSHOP: &str = "http://ns.adobe.com/photoshop/1.0/";
const PDF: &str = "http://ns.adobe.com/pdf/1.3/";
const NOTE: &str = "http://ns.adobe.com/xmp/note/";

/// Longest packet read. Editing histories make longer ones; what is wanted stands in
/// front of them.
const MAX_PACKET: u64 = 1024 * 1024;
/// Longest text of a property.
const MAX_TEXT: usize = 4096;
/// Descriptions of the object that are read of a packet; writers make one for each schema.
const MAX_DESCRIPTIONS: usize = 64;

/// What a packet says.
#[derive(Default, Debug)]
pub(crate) struct Packet {
    pub(crate) title: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) copyright: Option<String>,
    pub(crate) creators: Vec<String>,
    pub(crate) keywords: Vec<String>,
    pub(crate) language: Option<String>,
    pub(crate) created: Vec<(u8, Stamp)>,
    pub(crate) orientation: Option<u32>,
    pub(crate) lat_long: Option<(f64, f64)>,
    pub(crate) exif: Vec<(&'static str, String)>,
    /// GPS time, which is UTC.
    pub(crate) fix: Option<Stamp>,
    /// A limit or the end of the bytes cut the packet.
    pub(crate) limited: bool,
    pub(crate) cut: bool,
    /// There is a packet at all.
    pub(crate) found: bool,
    /// Extensions.
    pub(crate) more: More,
    latitude: Option<f64>,
    longitude: Option<f64>,
    offset: Option<i32>,
}

/// Reads a packet into image facts.
pub(crate) fn read(ctx: &mut Ctx<'_>, view: View<'_>, facts: &mut Facts) -> Parse {
    ctx.tick()?;
    let packet = parse(view.upto(0, view.len().min(MAX_PACKET))?);
    packet.note_limits(ctx, view.len() > MAX_PACKET);
    packet.write(ctx, facts);
    Ok(())
}

impl Packet {
    /// Says what of the packet was not read.
    pub(crate) fn note_limits(&self, ctx: &mut Ctx<'_>, long: bool) {
        if long || self.limited {
            ctx.problem(ProblemKind::Limit, "xmp", "the packet is longer than what is read of one");
        } else if self.cut {
            ctx.problem(ProblemKind::Malformed, "xmp", "the packet ends before its properties do");
        }
    }

    fn write(mut self, ctx: &Ctx<'_>, facts: &mut Facts) {
        facts.title = facts.title.take().or(self.title);
        facts.description = facts.description.take().or(self.description);
        facts.copyright = facts.copyright.take().or(self.copyright);
        facts.language = facts.language.take().or(self.language);
        if facts.authors.is_empty() {
            facts.authors = self.creators;
        }
        facts.keywords.append(&mut self.keywords);
        facts.more.append(self.more);
        facts.orientation = facts.orientation.or(self.orientation);
        facts.lat_long = facts.lat_long.or(self.lat_long);
        facts.fix = facts.fix.take().or(self.fix);
        self.created.sort_by_key(|(rank, _)| *rank);
        facts.other_dates.extend(self.created.into_iter().map(|(_, stamp)| stamp));
        for (name, value) in self.exif {
            if facts.exif.len() < ctx.limits.max_exif_tags {
                facts.exif.entry(name.to_owned()).or_insert(value);
            }
        }
    }
}

/// Reads the properties of a packet, whatever is wrapped around them: only `rdf:RDF`
/// matters, and what stands behind its end is of another origin.
pub(crate) fn parse(bytes: &[u8]) -> Packet {
    let wide = text_of_packet(bytes);
    let start = find(wide.as_bytes(), b"<rdf:RDF").or_else(|| find(wide.as_bytes(), b"<")).unwrap_or(0);
    let body = drop_controls(wide.get(start..).unwrap_or_default());
    // The namespaces of what is wrapped around are those of the usual prefixes.
    let tree = xml::parse_rdf(&body);
    let found = tree.elements().any(|e| e.is(RDF, "RDF") || e.is(RDF, "Description"));
    let mut packet = Packet { limited: tree.limited, cut: tree.cut, found, ..Packet::default() };
    let mut objects = 0;
    for description in tree.elements().filter(|e| e.is(RDF, "Description")) {
        // Nested descriptions are structures inside a property, not the object.
        let outer = description.parent();
        if outer.is_some_and(|p| !p.is(RDF, "RDF")) {
            continue;
        }
        if objects >= MAX_DESCRIPTIONS {
            packet.limited = true;
            break;
        }
        objects += 1;
        for (ns, name, value) in description.attributes() {
            packet.more.attribute(ns, name, value);
            if wanted(ns) {
                packet.take(ns, name, &[text::unescape_xml(value)]);
            }
        }
        for child in description.children() {
            packet.more.element(child);
            if wanted(child.namespace()) {
                packet.take(child.namespace(), child.name(), &values_of(child));
            }
        }
    }
    packet.lat_long = packet.latitude.zip(packet.longitude);
    if let Some(offset) = packet.offset {
        for (rank, stamp) in &mut packet.created {
            if *rank == 0 {
                stamp.offset = stamp.offset.or(Some(offset));
            }
        }
    }
    packet
}

fn wanted(ns: &str) -> bool {
    [DC, XMP, EXIF, EXIF_EX, TIFF, PHOTOSHOP, PDF, NOTE].contains(&ns)
}

/// The identifier of the extended packet that belongs to this main one.
pub(crate) fn extension_id(bytes: &[u8]) -> Option<String> {
    let text = text_of_packet(bytes);
    let (_, rest) = text.split_once("HasExtendedXMP")?;
    let digits = rest.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
    digits.get(..32).filter(|id| id.bytes().all(|b| b.is_ascii_hexdigit())).map(str::to_ascii_uppercase)
}

/// UTF-8 in nearly all packets; UTF-16 is told by its NULs.
fn text_of_packet(bytes: &[u8]) -> String {
    match bytes {
        [b'<', 0, ..] => text::utf16(bytes, false),
        [0, b'<', ..] => text::utf16(bytes, true),
        _ => text::decode_bom(bytes),
    }
}

fn drop_controls(xml: &str) -> String {
    xml.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t' | '\r')).collect()
}

/// Text of a property: plain, or the items of its bag, sequence or alternative
/// (`x-default` first).
fn values_of(property: Element<'_, '_>) -> Vec<String> {
    let text_of = |item: Element<'_, '_>| {
        let inner = || item.children().find(|c| c.is(RDF, "value")).and_then(Element::text);
        item.text().filter(|t| !t.trim().is_empty()).or_else(inner).map(str::to_owned)
    };
    let items: Vec<Element<'_, '_>> =
        property.descendants().filter(|e| e.is(RDF, "li")).take(2 * MAX_KEYWORDS).collect();
    if items.is_empty() {
        return text_of(property).into_iter().collect();
    }
    let is_default = |e: &Element<'_, '_>| {
        e.attributes().any(|(ns, name, value)| ns == xml::XML && name == "lang" && value == "x-default")
    };
    let (first, rest): (Vec<Element<'_, '_>>, Vec<Element<'_, '_>>) = items.into_iter().partition(is_default);
    first.into_iter().chain(rest).filter_map(text_of).collect()
}

impl Packet {
    fn take(&mut self, ns: &str, name: &str, values: &[String]) {
        let cleaned: Vec<String> = values.iter().filter_map(|v| text::clean(v, MAX_TEXT)).collect();
        let Some(first) = cleaned.first().cloned() else { return };
        let once = |slot: &mut Option<String>, value: String| {
            slot.get_or_insert(value);
        };
        let rank = match (ns, name) {
            (EXIF, "DateTimeOriginal") => Some(0),
            (PHOTOSHOP, "DateCreated") => Some(1),
            (EXIF, "DateTimeDigitized") => Some(2),
            (XMP, "CreateDate") => Some(3),
            _ => None,
        };
        if let Some(rank) = rank {
            self.created.extend(Stamp::parse(&first).map(|s| (rank, s)));
            return;
        }
        match (ns, name) {
            (DC, "title") => once(&mut self.title, first),
            (DC, "description") => once(&mut self.description, first),
            (DC, "rights") => once(&mut self.copyright, first),
            (DC, "creator") if self.creators.is_empty() => self.creators = cleaned,
            (DC, "subject") => self.keywords.extend(cleaned),
            (DC, "language") => once(&mut self.language, first),
            (PDF, "Keywords") if self.keywords.is_empty() => self.keywords.push(first),
            (TIFF, "Orientation") => self.orientation = first.parse().ok().filter(|o| (1..=8).contains(o)),
            (TIFF, "Make") => self.exif.push(("Make", first)),
            (TIFF, "Model") => self.exif.push(("Model", first)),
            // `39,3.0807N`: degrees, minutes.
            (EXIF, "GPSLatitude") => self.latitude = self.latitude.or_else(|| coordinate(&first)),
            (EXIF, "GPSLongitude") => self.longitude = self.longitude.or_else(|| coordinate(&first)),
            (EXIF, "GPSTimeStamp") => {
                self.fix = Stamp::parse(&first).map(Stamp::or_utc);
            }
            (EXIF | EXIF_EX, "OffsetTimeOriginal") => self.offset = parse_offset(&first).or(self.offset),
            (EXIF | EXIF_EX, "OffsetTime") => self.offset = self.offset.or_else(|| parse_offset(&first)),
            _ => {}
        }
    }
}

/// Degrees, minutes and seconds, parted by commas, with the side of the world in front or
/// behind.
pub(crate) fn coordinate(text: &str) -> Option<f64> {
    let text = text.trim();
    let side = |c: char| c.is_ascii_alphabetic();
    let turned = text.starts_with(['S', 's', 'W', 'w']) || text.ends_with(['S', 's', 'W', 'w']);
    let sign = if turned { -1.0 } else { 1.0 };
    let digits = text.trim_end_matches(side).trim_start_matches(side);
    let mut parts = digits.split([',', ' ', ':', '\'', '"', '\u{b0}']).filter(|p| !p.trim().is_empty());
    let mut next = || parts.next().map(|p| p.trim().parse::<f64>().ok().filter(|v| v.is_finite()));
    let degrees = next()??;
    let minutes = next().flatten().unwrap_or(0.0);
    let seconds = next().flatten().unwrap_or(0.0);
    Some(sign * (degrees.abs() + minutes / 60.0 + seconds / 3600.0) * if degrees < 0.0 { -1.0 } else { 1.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_in_both_spellings() {
        let xml = br#"<?xpacket begin="" id="W5M0"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
          <rdf:Description rdf:about="" xmlns:exif="http://ns.adobe.com/exif/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/"
            exif:GPSLatitude="39,30.0N" exif:GPSLongitude="94,15.0W" exif:DateTimeOriginal="2021-04-11T15:47:53"
            xmlns:exifEX="http://cipa.jp/exif/1.0/" exifEX:OffsetTimeOriginal="+09:00">
            <dc:title><rdf:Alt><rdf:li xml:lang="de">Haus</rdf:li><rdf:li xml:lang="x-default">House</rdf:li></rdf:Alt></dc:title>
            <dc:subject><rdf:Bag><rdf:li>a</rdf:li><rdf:li>b</rdf:li></rdf:Bag></dc:subject>
          </rdf:Description></rdf:RDF></x:xmpmeta>    <?xpacket end="w"?>"#;
        let p = parse(xml);
        assert_eq!(p.title.as_deref(), Some("House"));
        assert_eq!(p.keywords, ["a", "b"]);
        assert_eq!(p.lat_long, Some((39.5, -94.25)));
        assert_eq!(p.created.first().map(|(_, s)| s.rfc3339()).as_deref(), Some("2021-04-11T15:47:53+09:00"));
        assert!(!p.cut && !p.limited);
    }

    #[test]
    fn coordinates_in_text() {
        for (text, want) in [
            ("39,30.0N", Some(39.5)),
            ("94,15,0W", Some(-94.25)),
            ("W 94 15 0", Some(-94.25)),
            ("-12.5", Some(-12.5)),
            ("", None),
            ("N", None),
        ] {
            assert_eq!(coordinate(text), want, "{text}");
        }
    }

    #[test]
    fn a_main_packet_names_its_extension() {
        let xml = br#"<rdf:Description xmpNote:HasExtendedXMP="0123456789abcdef0123456789ABCDEF"/>"#;
        assert_eq!(extension_id(xml).as_deref(), Some("0123456789ABCDEF0123456789ABCDEF"));
        assert_eq!(extension_id(b"<rdf:Description/>"), None);
    }
}
