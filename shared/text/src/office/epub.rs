//! EPUB: the documents of the spine, in its order.

use std::collections::HashMap;

use super::resolve;
use crate::Error;
use crate::html;
use crate::markup::{Markup, Token};
use crate::out::{Out, Read};
use crate::zip::Archive;

pub(crate) fn read(archive: &Archive<'_>, out: &mut Out) -> Read {
    let container = archive.text("META-INF/container.xml", out)?.unwrap_or_default();
    let package = Markup::xml(&container)
        .find_map(|token| match token {
            Token::Open(tag) if tag.local() == "rootfile" => tag.get("full-path").map(|p| p.into_owned()),
            _ => None,
        })
        .filter(|path| archive.has(path))
        .or_else(|| archive.names().find(|n| n.ends_with(".opf")).map(str::to_owned));
    let Some(package) = package else {
        return Err(Error::Damaged("its package document cannot be found".to_owned()).into());
    };
    let folder = package.rsplit_once('/').map_or("", |(folder, _)| folder);
    let Some(text) = archive.text(&package, out)? else {
        return Err(Error::Damaged("its package document cannot be read".to_owned()).into());
    };
    let encrypted = encrypted(archive, out)?;
    let mut items = HashMap::new();
    let mut order = Vec::new();
    for token in Markup::xml(&text) {
        out.tick()?;
        let Token::Open(tag) = token else { continue };
        match tag.local() {
            "item" => {
                if let (Some(id), Some(href)) = (tag.get_exact("id"), tag.get_exact("href")) {
                    items.insert(id.into_owned(), resolve(folder, &unescape(&href)));
                }
            }
            "itemref" => order.extend(tag.get("idref").map(|id| id.into_owned())),
            _ => {}
        }
    }
    for id in order {
        let Some(name) = items.get(&id) else { continue };
        if encrypted.contains(name) {
            return Err(Error::Encrypted.into());
        }
        match archive.text(name, out)? {
            Some(page) => html::read_text(&page, out)?,
            None => out.note(format!("the part {name} is missing")),
        }
        out.paragraph()?;
    }
    Ok(())
}

/// Names of parts that are encrypted: fonts often are, and no obstacle.
fn encrypted(archive: &Archive<'_>, out: &mut Out) -> Read<Vec<String>> {
    let Some(text) = archive.text("META-INF/encryption.xml", out)? else { return Ok(Vec::new()) };
    let mut names = Vec::new();
    for token in Markup::xml(&text) {
        out.tick()?;
        if let Token::Open(tag) = token
            && tag.local() == "CipherReference"
            && let Some(uri) = tag.get("URI")
        {
            names.push(resolve("", &unescape(&uri)));
        }
    }
    Ok(names)
}

/// `%20` and its like.
fn unescape(path: &str) -> String {
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let code = tail
            .get(..2)
            .and_then(|h| std::str::from_utf8(h).ok())
            .and_then(|h| u8::from_str_radix(h, 16).ok());
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
