//! Text of WordprocessingML and of DrawingML, which have the names of their elements in
//! common: documents, slides, notes, diagrams.

use super::{Hidden, links};
use crate::entities;
use crate::markup::{Markup, Token, local};
use crate::out::{Out, Read};
use crate::zip::Archive;

/// Left out with all in them: deleted and moved text, the second form of what has two,
/// properties (whose tab stops are called like tabs), numbers of slides.
const LEFT_OUT: &[&str] =
    &["del", "moveFrom", "Fallback", "pPr", "rPr", "tblPr", "sectPr", "docPr", "binData"];

pub(crate) fn read(archive: &Archive<'_>, main: &str, body: &str, out: &mut Out) -> Read {
    text(body, out)?;
    let links = links(archive, main, out)?;
    for kind in ["footnotes", "endnotes", "header", "footer", "diagramData"] {
        for link in links.iter().filter(|l| l.kind == kind) {
            out.line()?;
            if let Some(part) = archive.text(&link.target, out)? {
                text(&part, out)?;
            }
        }
    }
    Ok(())
}

/// The text of one part.
pub(crate) fn text(xml: &str, out: &mut Out) -> Read {
    let mut hidden = Hidden::default();
    let (mut in_text, mut cells, mut number) = (false, 0u32, false);
    for token in Markup::xml(xml) {
        out.tick()?;
        match token {
            Token::Text(text) if in_text && hidden.0 == 0 && !number => {
                out.verbatim(&entities::decode(text))?
            }
            Token::Raw(text) if in_text && hidden.0 == 0 && !number => out.verbatim(text)?,
            Token::Text(_) | Token::Raw(_) => {}
            Token::Open(tag) => {
                if hidden.open(&tag, LEFT_OUT) {
                    continue;
                }
                match tag.local() {
                    "t" => in_text = !tag.empty,
                    "tab" | "ptab" => out.char('\t')?,
                    "br" | "cr" if cells > 0 => out.blank(),
                    "br" | "cr" => out.line_break()?,
                    "noBreakHyphen" => out.char('-')?,
                    "fld" => number = !tag.empty && tag.get("type").is_some_and(|t| t == "slidenum"),
                    "tc" if !tag.empty => cells += 1,
                    _ => {}
                }
            }
            Token::Close(name) => {
                let name = local(name);
                if hidden.close(name, LEFT_OUT) {
                    continue;
                }
                match name {
                    "t" => in_text = false,
                    "fld" => number = false,
                    "p" if cells > 0 => out.blank(),
                    "p" => out.line()?,
                    "tc" => {
                        cells = cells.saturating_sub(1);
                        if cells == 0 {
                            out.cell()?;
                        }
                    }
                    "tr" if cells == 0 => out.line()?,
                    "tr" => out.blank(),
                    _ => {}
                }
            }
        }
    }
    out.line()
}
