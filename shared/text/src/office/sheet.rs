//! Excel: the cells of each sheet, a row a line.

use super::{Format, links, shown_number, word};
use crate::entities;
use crate::markup::{Markup, Token, local};
use crate::out::{Out, Read};
use crate::zip::Archive;

/// Texts that cells share, one behind the other in one piece.
#[derive(Default)]
pub(crate) struct Strings {
    text: String,
    ends: Vec<u32>,
}

impl Strings {
    pub(crate) fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    pub(crate) fn end(&mut self) {
        self.ends.push(u32::try_from(self.text.len()).unwrap_or(u32::MAX));
    }

    pub(crate) fn get(&self, at: usize) -> &str {
        let start = at.checked_sub(1).and_then(|at| self.ends.get(at)).map_or(0, |end| *end as usize);
        let end = self.ends.get(at).map_or(0, |end| *end as usize);
        self.text.get(start..end).unwrap_or_default()
    }

    /// Bytes that it takes.
    pub(crate) fn size(&self) -> u64 {
        (self.text.len() + self.ends.len() * 4) as u64
    }
}

pub(crate) fn read(archive: &Archive<'_>, main: &str, body: &str, out: &mut Out) -> Read {
    let links_of_main = links(archive, main, out)?;
    let part = |kind: &str| links_of_main.iter().find(|l| l.kind == kind).map(|l| l.target.as_str());
    let strings = match part("sharedStrings") {
        Some(name) => shared(archive.text(name, out)?.unwrap_or_default().as_str(), out)?,
        None => Strings::default(),
    };
    let formats = match part("styles") {
        Some(name) => formats(archive.text(name, out)?.unwrap_or_default().as_str(), out)?,
        None => Vec::new(),
    };
    let mut sheets = Vec::new();
    let mut from_1904 = false;
    for token in Markup::xml(body) {
        out.tick()?;
        let Token::Open(tag) = token else { continue };
        match tag.local() {
            "workbookPr" => from_1904 = tag.get("date1904").is_some_and(|v| v == "1" || v == "true"),
            "sheet" => {
                let id = tag.get_exact("r:id").or_else(|| tag.get("id")).unwrap_or_default();
                sheets.push((tag.get("name").unwrap_or_default().into_owned(), id.into_owned()));
            }
            _ => {}
        }
    }
    for (name, id) in sheets {
        let Some(link) = links_of_main.iter().find(|l| l.id == id) else { continue };
        out.line()?;
        out.flowing(&name)?;
        out.line()?;
        let Some(text) = archive.text(&link.target, out)? else {
            out.note(format!("the sheet {name} is missing"));
            continue;
        };
        cells(&text, &strings, &formats, from_1904, out)?;
        drop(text);
        for link in links(archive, &link.target, out)? {
            if matches!(link.kind.as_str(), "comments" | "drawing")
                && let Some(part) = archive.text(&link.target, out)?
            {
                word::text(&part, out)?;
            }
        }
        out.line_break()?;
    }
    Ok(())
}

fn shared(text: &str, out: &mut Out) -> Read<Strings> {
    let mut strings = Strings::default();
    let (mut in_text, mut phonetic) = (false, false);
    for token in Markup::xml(text) {
        out.tick()?;
        match token {
            Token::Open(tag) => match tag.local() {
                "t" => in_text = !tag.empty && !phonetic,
                "rPh" => phonetic = !tag.empty,
                "si" if tag.empty => strings.end(),
                _ => {}
            },
            Token::Close(name) => match local(name) {
                "t" => in_text = false,
                "rPh" => phonetic = false,
                "si" => strings.end(),
                _ => {}
            },
            Token::Text(text) if in_text => strings.push(&entities::decode(text)),
            Token::Raw(text) if in_text => strings.push(text),
            _ => {}
        }
        if strings.size() > out.room() / 2 {
            out.cut("the texts of the cells are longer than is read of them");
            break;
        }
    }
    Ok(strings)
}

/// The formats of the styles that cells have.
fn formats(text: &str, out: &mut Out) -> Read<Vec<Format>> {
    let mut own = std::collections::HashMap::new();
    let mut formats = Vec::new();
    let mut in_cells = false;
    for token in Markup::xml(text) {
        out.tick()?;
        match token {
            Token::Open(tag) => match tag.local() {
                "numFmt" => {
                    let id = tag.get("numFmtId").and_then(|n| n.parse::<u32>().ok());
                    if let (Some(id), Some(code)) = (id, tag.get("formatCode")) {
                        own.insert(id, Format::of_text(&code));
                    }
                }
                "cellXfs" => in_cells = true,
                "xf" if in_cells => {
                    let id = tag.get("numFmtId").and_then(|n| n.parse::<u32>().ok()).unwrap_or(0);
                    formats.push(own.get(&id).copied().unwrap_or_else(|| Format::of_number(id)));
                }
                _ => {}
            },
            Token::Close(name) if local(name) == "cellXfs" => in_cells = false,
            _ => {}
        }
    }
    Ok(formats)
}

fn cells(text: &str, strings: &Strings, formats: &[Format], from_1904: bool, out: &mut Out) -> Read {
    let mut kind = String::new();
    let mut format = Format::Number;
    let mut value = String::new();
    let mut wanted = false;
    for token in Markup::xml(text) {
        out.tick()?;
        match token {
            Token::Open(tag) => match tag.local() {
                "c" => {
                    kind = tag.get("t").unwrap_or_default().into_owned();
                    let style = tag.get("s").and_then(|s| s.parse::<usize>().ok()).unwrap_or(0);
                    format = formats.get(style).copied().unwrap_or(Format::Number);
                    value.clear();
                }
                "v" | "t" => wanted = !tag.empty,
                // Headers and footers of pages stand at the end.
                "oddHeader" | "oddFooter" => {
                    value.clear();
                    wanted = false;
                }
                _ => {}
            },
            Token::Text(text) if wanted && value.len() < out.left().saturating_add(4) => {
                value.push_str(&entities::decode(text));
            }
            Token::Raw(text) if wanted => value.push_str(text),
            Token::Close(name) => match local(name) {
                "v" | "t" => wanted = false,
                "c" => {
                    match kind.as_str() {
                        "s" => out.flowing(strings.get(value.trim().parse().unwrap_or(usize::MAX)))?,
                        "b" => out.flowing(if value.trim() == "1" { "TRUE" } else { "FALSE" })?,
                        "" | "n" => match value.trim().parse::<f64>() {
                            Ok(number) => out.flowing(&shown_number(number, format, from_1904))?,
                            Err(_) => out.flowing(&value)?,
                        },
                        _ => out.flowing(&value)?,
                    }
                    out.cell()?;
                    value.clear();
                }
                "row" => out.line()?,
                _ => {}
            },
            _ => {}
        }
    }
    out.line()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_texts() {
        let mut strings = Strings::default();
        for text in ["a", "", "bc"] {
            strings.push(text);
            strings.end();
        }
        let all: Vec<&str> = [0, 1, 2, 3, usize::MAX].iter().map(|i| strings.get(*i)).collect();
        assert_eq!(all, ["a", "", "bc", "", ""]);
    }
}
