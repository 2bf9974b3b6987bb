//! The XML of requests, written so that s3s reads it as S3 does.
//!
//! s3s 0.14 leaves CDATA out, so that a key in it would become another key, and
//! refuses character references above U+FFFF, of which keys are full that some
//! clients escape. Here both become plain text.

use quick_xml::Reader;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::Event;

use crate::checksums::{Algorithm, Sums};

/// The same document with each text as it is, only `&`, `<` and `>` escaped,
/// and without comments, processing instructions and declarations. `None` if
/// it is not well-formed.
///
/// The checksums of parts that s3s does not know are left out; they come beside
/// it, one element for each `Part`.
pub(crate) fn plain(document: &[u8]) -> Option<(Vec<u8>, Vec<Sums>)> {
    let mut plain = Vec::with_capacity(document.len());
    let mut of_parts: Vec<Sums> = Vec::new();
    let mut is_in_part = false;
    let mut left_out: Option<(Algorithm, String)> = None;
    walk(document, |part| match part {
        Part::Start(tag) => {
            let name = tag.split(u8::is_ascii_whitespace).next().unwrap_or_default();
            if left_out.is_some() {
                return;
            }
            if let Some(algorithm) = unknown(name).filter(|_| is_in_part) {
                left_out = Some((algorithm, String::new()));
                return;
            }
            if name == b"Part" {
                is_in_part = true;
                of_parts.push(Sums::default());
            }
            plain.push(b'<');
            plain.extend_from_slice(tag);
            plain.push(b'>');
        }
        Part::End(name) => {
            if let Some((algorithm, _)) = &left_out {
                if unknown(name) == Some(*algorithm)
                    && let (Some((algorithm, sum)), Some(sums)) = (left_out.take(), of_parts.last_mut())
                {
                    sums.set(algorithm, sum);
                }
                return;
            }
            is_in_part &= name != b"Part";
            plain.extend_from_slice(b"</");
            plain.extend_from_slice(name);
            plain.push(b'>');
        }
        Part::Text(text) => match &mut left_out {
            Some((_, sum)) => sum.push_str(text),
            None => escape(text, &mut plain),
        },
    })?;
    Some((plain, of_parts))
}

/// The algorithm of an element such as `ChecksumSHA512`, if s3s does not know it.
fn unknown(name: &[u8]) -> Option<Algorithm> {
    let name = name.strip_prefix(b"Checksum")?;
    Algorithm::all().find(|algorithm| !algorithm.is_known() && algorithm.name().as_bytes() == name)
}

/// The keys and values in the document of a tag set.
pub(crate) fn tags(document: &[u8]) -> Option<Vec<(String, String)>> {
    let mut tags: Vec<(String, String)> = Vec::new();
    let mut path: Vec<Vec<u8>> = Vec::new();
    walk(document, |part| match part {
        Part::Start(tag) => {
            let name = tag.split(u8::is_ascii_whitespace).next().unwrap_or_default();
            path.push(name.to_vec());
            if name == b"Tag" {
                tags.push(Default::default());
            }
        }
        Part::End(_) => {
            path.pop();
        }
        Part::Text(text) => {
            let field = match (path.iter().rev().map(Vec::as_slice).next(), tags.last_mut()) {
                (Some(b"Key"), Some((key, _))) => key,
                (Some(b"Value"), Some((_, value))) => value,
                _ => return,
            };
            field.push_str(text);
        }
    })?;
    Some(tags)
}

/// A part of a document.
enum Part<'a> {
    /// What stands between the angle brackets of a start tag.
    Start(&'a [u8]),
    End(&'a [u8]),
    /// A piece of a text, decoded.
    Text(&'a str),
}

/// Shows all parts of a document in order.
fn walk(document: &[u8], mut see: impl FnMut(Part<'_>)) -> Option<()> {
    let document = document.strip_prefix(b"\xef\xbb\xbf").unwrap_or(document);
    let mut reader = Reader::from_reader(document);
    let mut depth = 0_usize;
    loop {
        match reader.read_event().ok()? {
            Event::Start(tag) => {
                depth += 1;
                see(Part::Start(&tag));
            }
            Event::End(tag) => {
                depth = depth.checked_sub(1)?;
                see(Part::End(&tag));
            }
            Event::Empty(tag) => {
                see(Part::Start(&tag));
                see(Part::End(tag.name().as_ref()));
            }
            Event::Text(text) => see(Part::Text(&lines(std::str::from_utf8(&text).ok()?))),
            Event::CData(text) => see(Part::Text(&lines(std::str::from_utf8(&text).ok()?))),
            Event::GeneralRef(name) => {
                let name = std::str::from_utf8(&name).ok()?;
                match resolve_xml_entity(name) {
                    Some(text) => see(Part::Text(text)),
                    None => see(Part::Text(character(name)?.encode_utf8(&mut [0; 4]))),
                }
            }
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
            Event::Eof => return (depth == 0).then_some(()),
        }
    }
}

/// What a character reference (`#128247` or `#x1F4F7`) stands for. Control
/// characters, which XML 1.1 allows here, may be in keys.
fn character(name: &str) -> Option<char> {
    let number = name.strip_prefix('#')?;
    let code = match number.strip_prefix('x') {
        Some(hex) => u32::from_str_radix(hex, 16),
        None => number.parse(),
    };
    char::from_u32(code.ok()?).filter(|c| *c != '\0')
}

/// Line ends as XML reads them.
fn lines(text: &str) -> std::borrow::Cow<'_, str> {
    if text.contains('\r') { text.replace("\r\n", "\n").replace('\r', "\n").into() } else { text.into() }
}

fn escape(text: &str, plain: &mut Vec<u8>) {
    for byte in text.bytes() {
        match byte {
            b'&' => plain.extend_from_slice(b"&amp;"),
            b'<' => plain.extend_from_slice(b"&lt;"),
            b'>' => plain.extend_from_slice(b"&gt;"),
            byte => plain.push(byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_become_plain() {
        let table: &[(&str, Option<&str>)] = &[
            ("<Key>a&#128247;b</Key>", Some("<Key>a📷b</Key>")),
            ("<Key>&#x1F4F7;&#xe9;&#10;&#13;</Key>", Some("<Key>📷é\n\r</Key>")),
            ("<Key>&#1;</Key>", Some("<Key>\u{1}</Key>")),
            ("<Key><![CDATA[a<b&c]]>.jpg</Key>", Some("<Key>a&lt;b&amp;c.jpg</Key>")),
            ("<Key><![CDATA[&amp;]]></Key>", Some("<Key>&amp;amp;</Key>")),
            ("<Key>&amp;lt;&quot;&apos;&gt;</Key>", Some("<Key>&amp;lt;\"'&gt;</Key>")),
            ("<Key>a\r\nb\rc</Key>", Some("<Key>a\nb\nc</Key>")),
            ("<Key> a </Key>", Some("<Key> a </Key>")),
            ("<a x='1'><VersionId/></a>", Some("<a x='1'><VersionId></VersionId></a>")),
            ("\u{feff}<?xml version='1.0'?><!-- b --><a>c<!-- d -->e</a>", Some("<a>ce</a>")),
            ("<Key>&#0;</Key>", None),
            ("<Key>&#xD800;</Key>", None),
            ("<Key>&#1114112;</Key>", None),
            ("<Key>&#;</Key>", None),
            ("<Key>&what;</Key>", None),
            ("<!DOCTYPE a [<!ENTITY what 'x'>]><a>&what;</a>", None),
            ("<Key>a", None),
            ("<Key>a</Kez>", None),
            ("<Key>a & b</Key>", None),
        ];
        for (document, want) in table {
            let got =
                plain(document.as_bytes()).map(|(bytes, _)| String::from_utf8_lossy(&bytes).into_owned());
            assert_eq!(got.as_deref(), *want, "{document}");
        }
        assert_eq!(plain(b"<Key>\xff</Key>"), None);
    }

    #[test]
    fn checksums_that_are_not_known_are_left_out() {
        let part = "<a><Part><ChecksumMD5>JfnnlDI7<![CDATA[RTiF9RgfG2JNCw==]]></ChecksumMD5><PartNumber>1</PartNumber>\
            <ChecksumCRC32>x</ChecksumCRC32></Part><Part><PartNumber>2</PartNumber></Part>\
            <Part><ChecksumXXHASH3>y</ChecksumXXHASH3></Part></a>";
        let (document, sums) = plain(part.as_bytes()).expect("it is well-formed");
        assert_eq!(
            String::from_utf8_lossy(&document),
            "<a><Part><PartNumber>1</PartNumber><ChecksumCRC32>x</ChecksumCRC32></Part>\
             <Part><PartNumber>2</PartNumber></Part><Part></Part></a>"
        );
        let sums: Vec<Vec<(&str, &str)>> = sums
            .iter()
            .map(|sums| sums.iter().map(|(algorithm, sum)| (algorithm.name(), sum.as_str())).collect())
            .collect();
        assert_eq!(sums, [vec![("MD5", "JfnnlDI7RTiF9RgfG2JNCw==")], Vec::new(), vec![("XXHASH3", "y")]]);
        // What is not of a part stays, and is refused.
        for document in ["<a><ChecksumMD5>x</ChecksumMD5></a>", "<Part><ChecksumMD6>x</ChecksumMD6></Part>"] {
            let got =
                plain(document.as_bytes()).map(|(bytes, _)| String::from_utf8_lossy(&bytes).into_owned());
            assert_eq!(got.as_deref(), Some(document));
        }
    }

    #[test]
    fn tags_are_read() {
        let document = "<Tagging><TagSet><Tag><Key>a</Key><Value>1&amp;2</Value></Tag>\
            <Tag><Key><![CDATA[b]]></Key><Value/></Tag></TagSet></Tagging>";
        let want = vec![("a".to_owned(), "1&2".to_owned()), ("b".to_owned(), String::new())];
        assert_eq!(tags(document.as_bytes()), Some(want));
        assert_eq!(tags(b"<Tagging>"), None);
    }
}
