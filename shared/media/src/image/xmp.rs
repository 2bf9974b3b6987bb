//! XMP packets (RDF in XML).

use roxmltree::{Document, Node, ParsingOptions};

use crate::bytes::{View, find, rfind};
use crate::ctx::Ctx;
use crate::image::Facts;
use crate::source::{Parse, Stop};
use crate::text;
use crate::time::Stamp;

const RDF: &str = "http://www.w3.org/1999/02/22-rdf-syntax-ns#";
const DC: &str = "http://purl.org/dc/elements/1.1/";
const XMP: &str = "http://ns.adobe.com/xap/1.0/";
const EXIF: &str = "http://ns.adobe.com/exif/1.0/";
const TIFF: &str = "http://ns.adobe.com/tiff/1.0/";
const PHOTOSHOP: &str = "http://ns.adobe.com/photoshop/1.0/";
const PDF: &str = "http://ns.adobe.com/pdf/1.3/";

/// Longest packet parsed. Editing histories make longer ones; what is wanted
/// stands in front, but XML cannot be read in part by a tree parser.
const MAX_PACKET: u64 = 1024 * 1024;

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
}

/// Reads a packet into image facts.
pub(crate) fn read(ctx: &mut Ctx<'_>, view: View<'_>, facts: &mut Facts) -> Parse {
    if view.len() > MAX_PACKET {
        return Err(Stop::Limit("xmp packet over 1 MiB"));
    }
    let packet = parse(view.upto(0, MAX_PACKET)?)?;
    packet.write(ctx, facts);
    Ok(())
}

impl Packet {
    fn write(mut self, ctx: &Ctx<'_>, facts: &mut Facts) {
        facts.title = facts.title.take().or(self.title);
        facts.description = facts.description.take().or(self.description);
        facts.copyright = facts.copyright.take().or(self.copyright);
        facts.language = facts.language.take().or(self.language);
        if facts.authors.is_empty() {
            facts.authors = self.creators;
        }
        if facts.keywords.len() < 64 {
            facts.keywords.extend(self.keywords);
        }
        facts.orientation = facts.orientation.or(self.orientation);
        facts.lat_long = facts.lat_long.or(self.lat_long);
        self.created.sort_by_key(|(rank, _)| *rank);
        facts.other_dates.extend(self.created.into_iter().map(|(_, stamp)| stamp));
        for (name, value) in self.exif {
            if facts.exif.len() < ctx.limits.max_exif_tags {
                facts.exif.entry(name.to_owned()).or_insert(value);
            }
        }
    }
}

/// Parses the XML between the packet's wrappers.
pub(crate) fn parse(bytes: &[u8]) -> Parse<Packet> {
    let wide = text_of_packet(bytes);
    let xml = wide.as_str();
    let start = find(xml.as_bytes(), b"<x:xmpmeta")
        .or_else(|| find(xml.as_bytes(), b"<x:xapmeta"))
        .or_else(|| find(xml.as_bytes(), b"<rdf:RDF"))
        .or_else(|| find(xml.as_bytes(), b"<"))
        .unwrap_or(0);
    let end = rfind(xml.as_bytes(), b"<?xpacket end").unwrap_or(xml.len());
    let body = drop_controls(xml.get(start..end.max(start)).unwrap_or_default());
    let body = body.trim();
    let options = ParsingOptions { allow_dtd: false, nodes_limit: 50_000, ..ParsingOptions::default() };
    let doc =
        Document::parse_with_options(body, options).map_err(|_| Stop::Malformed("xmp is not well-formed"))?;
    let mut packet = Packet::default();
    for description in doc.descendants().filter(|n| n.has_tag_name((RDF, "Description"))).take(64) {
        // Nested descriptions are structures inside a property, not the object.
        let nested = description.ancestors().skip(1).any(|a| a.has_tag_name((RDF, "Description")));
        if nested {
            continue;
        }
        for a in description.attributes() {
            packet.take(a.namespace().unwrap_or_default(), a.name(), &[a.value().to_owned()]);
        }
        for child in description.children().filter(Node::is_element) {
            let values = values_of(child);
            packet.take(child.tag_name().namespace().unwrap_or_default(), child.tag_name().name(), &values);
        }
    }
    if let Some(coords) = gps(&doc) {
        packet.lat_long = Some(coords);
    }
    Ok(packet)
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
fn values_of(node: Node<'_, '_>) -> Vec<String> {
    let items: Vec<Node<'_, '_>> =
        node.descendants().filter(|n| n.has_tag_name((RDF, "li"))).take(128).collect();
    if items.is_empty() {
        return node.text().map(|t| vec![t.to_owned()]).unwrap_or_default();
    }
    let is_default =
        |n: &Node<'_, '_>| n.attribute(("http://www.w3.org/XML/1998/namespace", "lang")) == Some("x-default");
    let mut values: Vec<String> =
        items.iter().filter(|n| is_default(n)).filter_map(Node::text).map(str::to_owned).collect();
    values.extend(items.iter().filter(|n| !is_default(n)).filter_map(Node::text).map(str::to_owned));
    values
}

impl Packet {
    fn take(&mut self, ns: &str, name: &str, values: &[String]) {
        let cleaned: Vec<String> = values.iter().filter_map(|v| text::clean(v, 4096)).collect();
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
            _ => {}
        }
    }
}

/// `exif:GPSLatitude` is written `39,3.0807N` (degrees, minutes).
fn gps(doc: &Document<'_>) -> Option<(f64, f64)> {
    let read = |name: &str| {
        let value = doc
            .descendants()
            .find_map(|n| if n.has_tag_name((EXIF, name)) { n.text() } else { n.attribute((EXIF, name)) })?;
        coordinate(value)
    };
    Some((read("GPSLatitude")?, read("GPSLongitude")?))
}

fn coordinate(text: &str) -> Option<f64> {
    let text = text.trim();
    let sign = if text.ends_with(['S', 's', 'W', 'w']) { -1.0 } else { 1.0 };
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let mut parts = digits.split(',').map(|p| p.trim().parse::<f64>().ok());
    let degrees = parts.next()??;
    let minutes = parts.next().flatten().unwrap_or(0.0);
    let seconds = parts.next().flatten().unwrap_or(0.0);
    Some(sign * (degrees.abs() + minutes / 60.0 + seconds / 3600.0) * if degrees < 0.0 { -1.0 } else { 1.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_in_both_spellings() {
        let xml = br#"<?xpacket begin="" id="W5M0"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
          <rdf:Description rdf:about="" xmlns:exif="http://ns.adobe.com/exif/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/"
            exif:GPSLatitude="39,30.0N" exif:GPSLongitude="94,15.0W" exif:DateTimeOriginal="2021-04-11T15:47:53">
            <dc:title><rdf:Alt><rdf:li xml:lang="de">Haus</rdf:li><rdf:li xml:lang="x-default">House</rdf:li></rdf:Alt></dc:title>
            <dc:subject><rdf:Bag><rdf:li>a</rdf:li><rdf:li>b</rdf:li></rdf:Bag></dc:subject>
          </rdf:Description></rdf:RDF></x:xmpmeta>    <?xpacket end="w"?>"#;
        let p = parse(xml).unwrap();
        assert_eq!(p.title.as_deref(), Some("House"));
        assert_eq!(p.keywords, ["a", "b"]);
        assert_eq!(p.lat_long, Some((39.5, -94.25)));
        assert_eq!(p.created.len(), 1);
    }
}
