//! SVG: the size of the root element in user units, else that of its view box, and the
//! title.

use std::io::Read as _;

use crate::ctx::Ctx;
use crate::image::dimensions::size;
use crate::source::{Parse, Stop};
use crate::text;
use crate::xml::{self, Element};

/// Read of a file, and what of a packed one is unpacked.
const HEAD: u64 = 64 * 1024;

/// The root element, in any prefix; None where it is another format's.
pub(crate) fn svg_root(text: &str) -> Option<()> {
    let start = text.get(..text.len().min(64 * 1024)).unwrap_or(text);
    let tree = xml::parse(start);
    let root = tree.elements().next()?;
    (root.name() == "svg").then_some(())
}

pub(crate) fn read(ctx: &mut Ctx<'_>) -> Parse {
    let head = ctx.src.upto(0, HEAD)?;
    let text = if head.starts_with(&[0x1f, 0x8b]) {
        let mut start = Vec::new();
        let read = flate2::read::GzDecoder::new(head).take(HEAD * 4).read_to_end(&mut start);
        if read.is_err() && start.is_empty() {
            return Err(Stop::Malformed("does not inflate"));
        }
        text::decode_bom(&start)
    } else {
        text::decode_bom(head)
    };
    let tree = xml::parse(&text);
    let root =
        tree.elements().find(|e| e.name() == "svg").ok_or(Stop::Malformed("no svg element in the head"))?;
    let attribute = |name: &str| {
        let found = root.attributes().find(|(ns, n, _)| ns.is_empty() && *n == name);
        found.map(|(_, _, value)| text::unescape_xml(value))
    };
    let view_box: Vec<f64> = attribute("viewBox")
        .map(|v| v.split([' ', ',', '\n', '\t', '\r']).filter_map(|n| n.parse().ok()).collect())
        .unwrap_or_default();
    let boxed = match view_box.as_slice() {
        [_, _, w, h] if *w > 0.0 && *h > 0.0 && *w < 1e9 && *h < 1e9 => Some((*w, *h)),
        _ => None,
    };
    let side = |name: &str| attribute(name).and_then(|value| length(&value));
    let sides = match (side("width"), side("height"), boxed) {
        (Some(w), Some(h), _) => (Some(w), Some(h)),
        // The other side follows from the box's ratio.
        (Some(w), None, Some((x, y))) => (Some(w), Some(w * y / x)),
        (None, Some(h), Some((x, y))) => (Some(h * x / y), Some(h)),
        (None, None, Some((x, y))) => (Some(x), Some(y)),
        (w, h, None) => (w, h),
    };
    let whole = |side: Option<f64>| side.filter(|s| *s < 1e9).map(|s| s.round() as u32);
    size(ctx, whole(sides.0), whole(sides.1));
    let title = root.children().find(|e| e.name() == "title").and_then(Element::text);
    let title = title.or_else(|| tree.find("title").and_then(Element::text));
    ctx.meta.title = title.and_then(|t| text::clean(t, ctx.limits.max_text));
    Ok(())
}

/// A length in CSS pixels; what is relative to something else is none.
fn length(text: &str) -> Option<f64> {
    let text = text.trim();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = text.get(digits.len()..)?;
    let value: f64 = digits.trim().parse().ok()?;
    let scale = match unit {
        "" | "px" => 1.0,
        "pt" => 96.0 / 72.0,
        "pc" => 16.0,
        "in" => 96.0,
        "cm" => 96.0 / 2.54,
        "mm" => 96.0 / 25.4,
        "Q" => 96.0 / 101.6,
        _ => return None,
    };
    Some(value * scale).filter(|v| v.is_finite() && *v > 0.0 && *v < 1e9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_roots() {
        for (text, want) in
            [("12", Some(12.0)), ("1in", Some(96.0)), ("50%", None), ("1em", None), ("-1", None)]
        {
            assert_eq!(length(text), want, "{text}");
        }
        for (text, want) in [
            ("<?xml version='1.0'?><!-- <svg --><s:svg xmlns:s='x'>", true),
            ("<!DOCTYPE svg><svg a='>'>", true),
            ("<html><svg/></html>", false),
            ("<!-- <svg/> -->", false),
        ] {
            assert_eq!(svg_root(text).is_some(), want, "{text}");
        }
    }
}
