//! PDF: the text of the pages, by the codes that they show and what fonts make of them.
//!
//! Objects are looked for by their marks, not by the file's own table, which is often wrong:
//! the last of two with one number counts. They are parsed when they are needed, and streams
//! are unpacked one at a time, so that memory does not grow with the file.

mod cmap;
mod content;
mod encoding;
mod file;
mod filter;
mod font;
mod glyphs;

use std::collections::HashSet;

use mediadex_media::pdf::Object;

use crate::Error;
use crate::out::{Out, Read};
use crate::pdf::content::Fonts;
use crate::pdf::file::File;

/// Nodes of the tree of pages that are looked at.
const MAX_NODES: usize = 200_000;

pub(crate) fn read(content: &[u8], out: &mut Out) -> Read {
    let mut file = File::open(content, out)?;
    let pages = pages(&mut file, out)?;
    if pages.is_empty() {
        return Err(Error::Damaged("its pages cannot be found".to_owned()).into());
    }
    let mut fonts = Fonts::default();
    for page in pages {
        content::page(&mut file, &page, &mut fonts, out)?;
        out.paragraph()?;
    }
    Ok(())
}

/// A page, with the resources that it has or inherits.
pub(crate) struct Page {
    pub(crate) contents: Object,
    pub(crate) resources: Object,
}

/// The pages by their tree or, where that is damaged, in the order of their numbers.
fn pages(file: &mut File<'_>, out: &mut Out) -> Read<Vec<Page>> {
    let mut pages = Vec::new();
    let mut seen = HashSet::new();
    let mut open = Vec::new();
    if let Some(root) = file.root(out)?
        && let Some(tree) = root.get(b"Pages")
    {
        open.push((tree.clone(), Object::Null));
    }
    while let Some((node, inherited)) = open.pop() {
        out.tick()?;
        if let Object::Reference(id) = node
            && !seen.insert(id)
        {
            continue;
        }
        if seen.len() > MAX_NODES {
            out.cut("there are more pages than are read");
            break;
        }
        let node = file.resolve(&node, out)?;
        let resources = node.get(b"Resources").cloned().unwrap_or(inherited);
        let kids = match node.get(b"Kids").cloned() {
            Some(kids) => file.resolve(&kids, out)?,
            None => Object::Null,
        };
        match kids {
            Object::Array(kids) => open.extend(kids.into_iter().rev().map(|kid| (kid, resources.clone()))),
            // A page may show nothing.
            _ if node.name(b"Type") == Some(b"Page") || node.get(b"Contents").is_some() => {
                let contents = node.get(b"Contents").cloned().unwrap_or(Object::Null);
                pages.push(Page { contents, resources });
            }
            _ => {}
        }
    }
    if pages.is_empty() {
        for id in file.ids() {
            out.tick()?;
            let node = file.resolve(&Object::Reference(id), out)?;
            if node.name(b"Type") == Some(b"Page") {
                let resources = node.get(b"Resources").cloned().unwrap_or(Object::Null);
                let contents = node.get(b"Contents").cloned().unwrap_or(Object::Null);
                pages.push(Page { contents, resources });
            }
        }
    }
    Ok(pages)
}
