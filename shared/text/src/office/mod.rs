//! Packages: Office Open XML, OpenDocument, EPUB. What a package is says its content.

mod epub;
mod number;
mod odf;
mod sheet;
mod sheet_binary;
mod slides;
mod word;

pub(crate) use number::{Format, shown as shown_number};
pub(crate) use sheet::Strings;
pub(crate) use sheet_binary::short_number;

use crate::Error;
use crate::markup::{Markup, Tag, Token};
use crate::out::{Out, Read};
use crate::zip::Archive;

/// Links of one part that are looked at.
const MAX_LINKS: usize = 20_000;

pub(crate) fn read(content: &[u8], out: &mut Out) -> Read {
    let archive = Archive::open(content, out)?;
    if archive.has("META-INF/container.xml") {
        return epub::read(&archive, out);
    }
    if archive.has("content.xml") {
        return odf::read(&archive, out);
    }
    let Some(main) = main_part(&archive, out)? else {
        return Err(Error::Damaged("its main part cannot be found".to_owned()).into());
    };
    if main.ends_with(".bin") {
        return sheet_binary::read(&archive, &main, out);
    }
    let Some(text) = archive.text(&main, out)? else {
        return Err(Error::Damaged("its main part cannot be read".to_owned()).into());
    };
    match root(&text) {
        Some("presentation") => slides::read(&archive, &main, &text, out),
        Some("workbook") => sheet::read(&archive, &main, &text, out),
        Some("document") => word::read(&archive, &main, &text, out),
        _ => Err(Error::Damaged("its main part is none that is known".to_owned()).into()),
    }
}

/// Documents in one XML file: OpenDocument's, and Word's of 2003.
pub(crate) fn read_flat(content: &[u8], out: &mut Out) -> Read {
    let declared = crate::charset::declared(content);
    let text =
        crate::charset::decode(content, declared.as_deref(), usize::try_from(out.memory() / 3).unwrap_or(0));
    match root(&text) {
        Some("wordDocument" | "package") => word::text(&text, out),
        Some("document") => odf::text(&text, out),
        _ => Err(Error::Damaged("it is no document that is known".to_owned()).into()),
    }
}

fn root(text: &str) -> Option<&str> {
    Markup::xml(text).find_map(|token| match token {
        Token::Open(tag) => Some(tag.local()),
        _ => None,
    })
}

/// A link from one part to another.
struct Link {
    id: String,
    /// The last word of its type.
    kind: String,
    target: String,
}

/// The links of a part; those of the package for an empty name.
fn links(archive: &Archive<'_>, part: &str, out: &mut Out) -> Read<Vec<Link>> {
    let (folder, file) = part.rsplit_once('/').unwrap_or(("", part));
    let slash = if folder.is_empty() { "" } else { "/" };
    let Some(text) = archive.text(&format!("{folder}{slash}_rels/{file}.rels"), out)? else {
        return Ok(Vec::new());
    };
    let mut links = Vec::new();
    for token in Markup::xml(&text) {
        out.tick()?;
        let Token::Open(tag) = token else { continue };
        if tag.local() != "Relationship" || tag.get("TargetMode").is_some_and(|m| m == "External") {
            continue;
        }
        if let (Some(id), Some(kind), Some(target)) = (tag.get("Id"), tag.get("Type"), tag.get("Target"))
            && links.len() < MAX_LINKS
        {
            let kind = kind.rsplit('/').next().unwrap_or_default().to_owned();
            links.push(Link { id: id.into_owned(), kind, target: resolve(folder, &target) });
        }
    }
    Ok(links)
}

/// A path as it is written in a part of `folder`.
fn resolve(folder: &str, target: &str) -> String {
    let target = target.split('#').next().unwrap_or_default().replace('\\', "/");
    let mut parts: Vec<&str> = if target.starts_with('/') { Vec::new() } else { folder.split('/').collect() };
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    parts.retain(|p| !p.is_empty());
    parts.join("/")
}

fn main_part(archive: &Archive<'_>, out: &mut Out) -> Read<Option<String>> {
    let linked = links(archive, "", out)?.into_iter().find(|l| l.kind == "officeDocument").map(|l| l.target);
    if let Some(linked) = linked.filter(|name| archive.has(name)) {
        return Ok(Some(linked));
    }
    let known = [
        "word/document.xml",
        "word/document2.xml",
        "ppt/presentation.xml",
        "xl/workbook.xml",
        "xl/workbook.bin",
    ];
    Ok(known.iter().find(|name| archive.has(name)).map(|name| (*name).to_owned()))
}

/// How deep in elements that are left out the reader stands.
#[derive(Default)]
struct Hidden(u32);

impl Hidden {
    /// Whether the tag is left out, counting those with one of the names.
    fn open(&mut self, tag: &Tag<'_>, names: &[&str]) -> bool {
        if names.contains(&tag.local()) && !tag.empty {
            self.0 += 1;
        }
        self.0 > 0
    }

    fn close(&mut self, local: &str, names: &[&str]) -> bool {
        let hidden = self.0 > 0;
        if names.contains(&local) {
            self.0 = self.0.saturating_sub(1);
        }
        hidden
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        for (folder, target, want) in [
            ("word", "header1.xml", "word/header1.xml"),
            ("ppt/slides", "../notesSlides/n.xml", "ppt/notesSlides/n.xml"),
            ("xl", "/xl/styles.xml", "xl/styles.xml"),
            ("", "a\\b.xml", "a/b.xml"),
            ("a", "../../../b", "b"),
        ] {
            assert_eq!(resolve(folder, target), want);
        }
    }
}
