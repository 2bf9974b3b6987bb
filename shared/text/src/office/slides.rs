//! PowerPoint: slides in the order of the presentation, each with its notes.

use super::{links, word};
use crate::markup::{Markup, Token};
use crate::out::{Out, Read};
use crate::zip::Archive;

pub(crate) fn read(archive: &Archive<'_>, main: &str, body: &str, out: &mut Out) -> Read {
    let links_of_main = links(archive, main, out)?;
    let mut slides = Vec::new();
    for token in Markup::xml(body) {
        out.tick()?;
        if let Token::Open(tag) = token
            && tag.local() == "sldId"
            && let Some(id) = tag.get_exact("r:id").or_else(|| tag.get("id"))
            && let Some(link) = links_of_main.iter().find(|l| l.id == id)
        {
            slides.push(link.target.as_str());
        }
    }
    // A list that cannot be read leaves the slides in the order of their links.
    if slides.is_empty() {
        slides.extend(links_of_main.iter().filter(|l| l.kind == "slide").map(|l| l.target.as_str()));
    }
    for slide in slides {
        let Some(part) = archive.text(slide, out)? else {
            out.note(format!("the slide {slide} is missing"));
            continue;
        };
        word::text(&part, out)?;
        drop(part);
        for link in links(archive, slide, out)? {
            if matches!(link.kind.as_str(), "notesSlide" | "diagramData")
                && let Some(part) = archive.text(&link.target, out)?
            {
                word::text(&part, out)?;
            }
        }
        out.line_break()?;
    }
    Ok(())
}
