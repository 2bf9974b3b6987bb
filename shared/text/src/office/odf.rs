//! OpenDocument: texts, spreadsheets, presentations and drawings, packed or in one file.

use super::Hidden;
use crate::Error;
use crate::entities;
use crate::markup::{Markup, Token, local};
use crate::out::{Out, Read};
use crate::zip::Archive;

/// Left out with all in them: deleted text, comments, the numbers of footnotes.
const LEFT_OUT: &[&str] = &["tracked-changes", "annotation", "note-citation", "binary-data", "page-number"];
/// Most blanks that one element stands for.
const MAX_BLANKS: usize = 256;

pub(crate) fn read(archive: &Archive<'_>, out: &mut Out) -> Read {
    if let Some(manifest) = archive.text("META-INF/manifest.xml", out)?
        && manifest.contains("encryption-data")
    {
        return Err(Error::Encrypted.into());
    }
    if let Some(body) = archive.text("content.xml", out)? {
        text(&body, out)?;
    }
    // Headers and footers stand with the styles of pages.
    if let Some(styles) = archive.text("styles.xml", out)?
        && let Some(masters) = styles.find("<office:master-styles").and_then(|at| styles.get(at..))
    {
        out.line()?;
        text(masters, out)?;
    }
    Ok(())
}

/// The text of one part.
pub(crate) fn text(xml: &str, out: &mut Out) -> Read {
    let mut hidden = Hidden::default();
    let (mut paragraphs, mut cells) = (0u32, 0u32);
    for token in Markup::xml(xml) {
        out.tick()?;
        match token {
            Token::Text(text) if paragraphs > 0 && hidden.0 == 0 => out.flowing(&entities::decode(text))?,
            Token::Raw(text) if paragraphs > 0 && hidden.0 == 0 => out.flowing(text)?,
            Token::Text(_) | Token::Raw(_) => {}
            Token::Open(tag) => {
                if hidden.open(&tag, LEFT_OUT) {
                    continue;
                }
                match tag.local() {
                    "p" | "h" if !tag.empty => paragraphs += 1,
                    "s" => {
                        let count = tag.get("c").and_then(|c| c.parse::<usize>().ok()).unwrap_or(1);
                        for _ in 0..count.min(MAX_BLANKS) {
                            out.char(' ')?;
                        }
                    }
                    "tab" => out.char('\t')?,
                    "line-break" if cells > 0 => out.blank(),
                    "line-break" => out.line_break()?,
                    "table-cell" | "covered-table-cell" if tag.empty => out.cell()?,
                    "table-cell" => cells += 1,
                    "table" if paragraphs == 0 && cells == 0 => {
                        out.line()?;
                        // Sheets have names; tables of texts have them too, made by the program.
                        if let Some(name) = tag.get_exact("table:name") {
                            out.flowing(&name)?;
                            out.line()?;
                        }
                    }
                    "note" => out.blank(),
                    _ => {}
                }
            }
            Token::Close(name) => {
                let name = local(name);
                if hidden.close(name, LEFT_OUT) {
                    continue;
                }
                match name {
                    "p" | "h" => {
                        paragraphs = paragraphs.saturating_sub(1);
                        if cells > 0 || paragraphs > 0 { out.blank() } else { out.line()? }
                    }
                    "table-cell" => {
                        cells = cells.saturating_sub(1);
                        if cells == 0 {
                            out.cell()?;
                        }
                    }
                    "table-row" if cells == 0 => out.line()?,
                    _ => {}
                }
            }
        }
    }
    out.line()
}
