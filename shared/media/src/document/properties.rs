//! What packages say beyond their properties: sizes of pages, languages of styles.

use crate::ctx::Ctx;
use crate::document::zip::Archive;
use crate::source::Parse;
use crate::text;
use crate::xml::{self, Tree};

/// Longest part read for it.
const MAX_PART: usize = 1024 * 1024;

/// Reads a part, where there is one of that length.
fn part(ctx: &mut Ctx<'_>, archive: &Archive<'_>, name: &str, read: fn(&mut Ctx<'_>, &Tree<'_>)) -> Parse {
    let max = MAX_PART.min(ctx.room());
    // What it says is a help, not a property that is lost.
    if !archive.fits(name, max) {
        return Ok(());
    }
    if let Some(bytes) = archive.read(name, max)? {
        ctx.tick()?;
        let xml = text::decode_bom(&bytes);
        read(ctx, &xml::parse(&xml));
    }
    Ok(())
}

/// Language and size of pages of an office package.
pub(super) fn ooxml(ctx: &mut Ctx<'_>, archive: &Archive<'_>) {
    match ctx.kind.format {
        "docx" | "docm" => {
            ctx.part("styles.xml", |ctx| part(ctx, archive, "word/styles.xml", word_styles));
        }
        "pptx" | "pptm" => {
            ctx.part("presentation.xml", |ctx| part(ctx, archive, "ppt/presentation.xml", slide_size));
        }
        _ => {}
    }
}

/// Language and size of pages of an ODF.
pub(super) fn odf(ctx: &mut Ctx<'_>, archive: &Archive<'_>) {
    ctx.part("styles.xml", |ctx| part(ctx, archive, "styles.xml", odf_styles));
}

/// The language that text has where nothing else is said.
fn word_styles(ctx: &mut Ctx<'_>, doc: &Tree<'_>) {
    let defaults = doc.find("docDefaults");
    let language = defaults.and_then(|d| d.descendants().find(|e| e.name() == "lang")?.attribute("val"));
    set_language(ctx, language);
}

fn set_language(ctx: &mut Ctx<'_>, language: Option<String>) {
    if ctx.meta.language.is_none() {
        ctx.meta.language =
            language.and_then(|l| text::clean(&l, 64)).filter(|l| l != "x-none" && l != "none");
    }
}

/// Slides in points, of which 12,700 units make one.
fn slide_size(ctx: &mut Ctx<'_>, doc: &Tree<'_>) {
    let size = doc.find("sldSz");
    let side = |name: &str| points(size?.attribute(name)?.trim().parse::<f64>().ok()? / 12_700.0);
    set_page(ctx, side("cx"), side("cy"));
}

fn set_page(ctx: &mut Ctx<'_>, width: Option<f64>, height: Option<f64>) {
    if let (Some(w), Some(h)) = (width, height) {
        (ctx.meta.extra.page_width, ctx.meta.extra.page_height) = (Some(w), Some(h));
    }
}

/// A length that a page may have, to the thousandth.
pub(super) fn points(value: f64) -> Option<f64> {
    ((0.1..1e6).contains(&value)).then(|| (value * 1000.0).round() / 1000.0)
}

/// `21.0cm` and its like in points.
fn length(text: &str) -> Option<f64> {
    let text = text.trim();
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    let factor = match unit {
        "cm" => 72.0 / 2.54,
        "mm" => 7.2 / 2.54,
        "in" | "inch" => 72.0,
        "pt" => 1.0,
        "pc" => 12.0,
        "px" => 0.75,
        _ => return None,
    };
    points(digits.parse::<f64>().ok()? * factor)
}

fn odf_styles(ctx: &mut Ctx<'_>, doc: &Tree<'_>) {
    // The layout of the standard page, else the first one.
    let standard = doc
        .elements()
        .filter(|e| e.name() == "master-page")
        .find(|e| matches!(e.attribute("name").as_deref(), Some("Standard" | "Default")));
    let wanted = standard.and_then(|e| e.attribute("page-layout-name"));
    let mut layouts = doc.elements().filter(|e| e.name() == "page-layout").take(256);
    let first = doc.find("page-layout");
    let layout = layouts.find(|e| wanted.is_some() && e.attribute("name") == wanted).or(first);
    let properties = layout.and_then(|l| l.children().find(|c| c.name() == "page-layout-properties"));
    let side = |name: &str| length(&properties?.attribute(name)?);
    set_page(ctx, side("page-width"), side("page-height"));
    let style = doc.elements().filter(|e| e.name() == "default-style");
    let language = style.take(64).find_map(|style| {
        let text = style.children().find(|c| c.name() == "text-properties")?;
        let language = text.attribute("language").filter(|l| l != "none" && l != "zxx")?;
        match text.attribute("country").filter(|c| c != "none" && !c.is_empty()) {
            Some(country) => Some(format!("{language}-{country}")),
            None => Some(language),
        }
    });
    set_language(ctx, language);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_in_points() {
        let table = [
            ("21.001cm", Some(595.304)),
            ("8.5in", Some(612.0)),
            ("210mm", Some(595.276)),
            ("595pt", Some(595.0)),
            ("21", None),
            ("cm", None),
            ("0cm", None),
            ("1e9cm", None),
        ];
        for (text, want) in table {
            assert_eq!(length(text), want, "{text}");
        }
    }
}
