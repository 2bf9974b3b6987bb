//! Motion photos: a film behind the picture, in Google's and in Samsung's form.

use crate::bytes::{le16, le32, rfind};
use crate::ctx::Ctx;
use crate::extra::regions::member;
use crate::source::{Parse, Stop};
use crate::xml::{Element, RDF};

/// Read of Samsung's trailer, whose directory stands at its end.
const TRAILER: u64 = 4 * 1024;

/// What XMP says of the parts behind the picture.
#[derive(Debug, Default, Clone)]
pub(crate) struct Container {
    /// The older form: bytes from the film's beginning to the end of the file.
    from_end: Option<u64>,
    micro_video: bool,
    /// The newer form: meaning, length and padding of each part.
    items: Vec<(String, u64, u64)>,
}

impl Container {
    /// Takes a property of the camera's namespace.
    pub(crate) fn camera(&mut self, name: &str, value: &str) {
        match name {
            "MicroVideo" => self.micro_video = value.trim() != "0",
            "MicroVideoOffset" => self.from_end = value.trim().parse().ok(),
            _ => {}
        }
    }

    /// Takes the list of parts.
    pub(crate) fn directory(&mut self, e: Element<'_, '_>) {
        for li in e.descendants().filter(|d| d.is(RDF, "li")).take(64) {
            let item = li.descendants().find(|d| d.name() == "Item").unwrap_or(li);
            let number = |name: &str| member(item, name).and_then(|v| v.trim().parse().ok()).unwrap_or(0);
            let meaning = member(item, "Semantic").unwrap_or_default();
            self.items.push((meaning.trim().to_owned(), number("Length"), number("Padding")));
        }
    }

    pub(crate) fn append(&mut self, other: Container) {
        self.from_end = self.from_end.or(other.from_end);
        self.micro_video |= other.micro_video;
        if self.items.is_empty() {
            self.items = other.items;
        }
    }

    /// Where the film begins in a file of that size.
    pub(crate) fn offset(&self, size: u64) -> Option<u64> {
        let film = self.items.iter().position(|(meaning, ..)| meaning == "MotionPhoto");
        let behind = match film {
            // Parts follow one another up to the end.
            Some(at) => {
                let parts = self.items.get(at..).unwrap_or_default();
                let lengths = parts.iter().map(|(_, length, _)| *length);
                let padding = parts.iter().skip(1).map(|(_, _, padding)| *padding);
                lengths.chain(padding).fold(0u64, u64::saturating_add)
            }
            None => self.from_end.filter(|_| self.micro_video)?,
        };
        size.checked_sub(behind).filter(|at| *at > 0 && behind > 0)
    }

    /// Whether a part is a gain map.
    pub(crate) fn gain_map(&self) -> Option<String> {
        self.items.iter().any(|(meaning, ..)| meaning == "GainMap").then(|| "hdrgm".to_owned())
    }
}

/// Samsung's trailer: blocks, then a directory of them that ends with `SEFT`.
pub(crate) fn samsung(ctx: &mut Ctx<'_>) -> Parse {
    let size = ctx.src.size();
    let from = size.saturating_sub(TRAILER);
    let Some(tail) = ctx.src.near(from, TRAILER) else { return Err(Stop::Missing) };
    ctx.meta.extra.motion_photo_offset = film_in_trailer(tail, from);
    Ok(())
}

fn film_in_trailer(tail: &[u8], from: u64) -> Option<u64> {
    let end = tail.len().checked_sub(4)?;
    tail.get(end..).filter(|mark| *mark == b"SEFT")?;
    let directory = rfind(tail.get(..end)?, b"SEFH")?;
    let count = le32(tail, directory + 8)?.min(256);
    for i in 0..count as usize {
        let e = tail.get(directory + 12 + i * 12..)?.get(..12)?;
        if le16(e, 2) == Some(0x0a30) {
            let back = u64::from(le32(e, 4)?);
            let block = (from + directory as u64).checked_sub(back)?;
            // Zeros, kind, the length of the name, the name.
            return block.checked_add(8 + NAME.len() as u64);
        }
    }
    None
}

const NAME: &[u8] = b"MotionPhoto_Data";

/// The kind of gain map that a segment of JPEG announces.
pub(crate) fn gain_map_segment(lead: &[u8]) -> bool {
    lead.starts_with(b"urn:iso:std:iso:ts:21496:-1\0")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml;

    fn container(xml: &str) -> Container {
        let tree = xml::parse(xml);
        let mut found = Container::default();
        found.directory(tree.find("Directory").unwrap());
        found
    }

    #[test]
    fn the_film_of_a_directory() {
        let head = r#"<C:Directory xmlns:C="http://ns.google.com/photos/1.0/container/" xmlns:I="http://ns.google.com/photos/1.0/container/item/" xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Seq>"#;
        let li = |inner: &str| format!(r#"<rdf:li rdf:parseType="Resource"><C:Item {inner}/></rdf:li>"#);
        let primary = li(r#"I:Semantic="Primary" I:Mime="image/jpeg""#);
        let gain = li(r#"I:Semantic="GainMap" I:Length="100""#);
        let film = li(r#"I:Semantic="MotionPhoto" I:Length="1000""#);
        let padded = li(r#"I:Semantic="Other" I:Length="10" I:Padding="5""#);
        let table = [
            (vec![&primary, &film], Some(4000), None),
            (vec![&primary, &gain, &film], Some(4000), Some("hdrgm")),
            (vec![&primary, &film, &padded], Some(3985), None),
            (vec![&primary, &gain], None, Some("hdrgm")),
        ];
        for (items, offset, gain) in table {
            let all: String = items.into_iter().map(String::as_str).collect();
            let found = container(&format!("{head}{all}</rdf:Seq></C:Directory>"));
            assert_eq!((found.offset(5000), found.gain_map().as_deref()), (offset, gain));
            assert_eq!(found.offset(500), None, "longer than the file");
        }
    }

    #[test]
    fn the_older_form() {
        let mut found = Container::default();
        found.camera("MicroVideoOffset", "300");
        assert_eq!(found.offset(1000), None);
        found.camera("MicroVideo", "1");
        assert_eq!(found.offset(1000), Some(700));
    }

    #[test]
    fn the_trailer_of_samsung() {
        let mut file = vec![1u8; 100];
        let block = file.len();
        file.extend([0, 0, 0x30, 0x0a, 16, 0, 0, 0]);
        file.extend(NAME);
        let film = file.len();
        file.extend([7; 50]);
        let directory = file.len();
        file.extend(b"SEFH\x6b\0\0\0\x01\0\0\0\0\0\x30\x0a");
        file.extend(((directory - block) as u32).to_le_bytes());
        file.extend([74, 0, 0, 0, 24, 0, 0, 0]);
        file.extend(b"SEFT");
        assert_eq!(film_in_trailer(&file, 0), Some(film as u64));
        assert_eq!(film_in_trailer(&file[20..], 20), Some(film as u64));
        for cut in 0..file.len() {
            assert_eq!(film_in_trailer(&file[..cut], 0), None);
        }
    }
}
