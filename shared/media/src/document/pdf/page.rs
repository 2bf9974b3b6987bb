//! The size of the first page.

use crate::document::pdf::file::Pdf;
use crate::document::pdf::object::Object;
use crate::source::{Parse, Stop};

/// Levels of a tree of pages; real ones have few.
const MAX_DEPTH: usize = 16;

/// Width and height in points as the page is shown, by the way to the first leaf: a page
/// inherits what it does not say.
pub(super) fn first(pdf: &mut Pdf<'_>, pages: &Object) -> Parse<Option<(f64, f64)>> {
    let (mut media, mut crop, mut turn) = (None, None, 0.0);
    let mut node = pages.clone();
    for _ in 0..MAX_DEPTH {
        for (key, slot) in [(&b"MediaBox"[..], &mut media), (b"CropBox", &mut crop)] {
            *slot = rectangle(pdf, &node, key)?.or(*slot);
        }
        if let Some(Object::Number(degrees)) = value(pdf, &node, b"Rotate")? {
            turn = degrees;
        }
        let kids = value(pdf, &node, b"Kids")?;
        let Some(Object::Array(kids)) = kids else { break };
        let Some(kid) = kids.first() else { return Ok(None) };
        node = pdf.resolve(kid)?;
    }
    let Some([left, low, right, high]) = media else { return Ok(None) };
    // What is cut away lies within the page.
    let [left, low, right, high] = match crop {
        Some([l, b, r, t]) => [left.max(l), low.max(b), right.min(r), high.min(t)],
        None => [left, low, right, high],
    };
    let (w, h) = (right - left, high - low);
    let round = |v: f64| (v * 1000.0).round() / 1000.0;
    let (w, h) = if (turn / 90.0).round().rem_euclid(2.0) == 1.0 { (h, w) } else { (w, h) };
    Ok(Some((round(w), round(h))).filter(|(w, h)| (0.1..1e6).contains(w) && (0.1..1e6).contains(h)))
}

fn value(pdf: &mut Pdf<'_>, node: &Object, key: &[u8]) -> Parse<Option<Object>> {
    match node.get(key).cloned() {
        None => Ok(None),
        Some(found) => match pdf.resolve(&found) {
            Err(Stop::Missing) => Err(Stop::Missing),
            other => Ok(other.ok()),
        },
    }
}

/// Left, low, right and high side, in whatever order the corners stand.
fn rectangle(pdf: &mut Pdf<'_>, node: &Object, key: &[u8]) -> Parse<Option<[f64; 4]>> {
    let Some(Object::Array(corners)) = value(pdf, node, key)? else { return Ok(None) };
    let mut numbers = Vec::new();
    for corner in corners.iter().take(4) {
        numbers.extend(pdf.resolve(corner)?.number());
    }
    Ok(match *numbers.as_slice() {
        [a, b, c, d] => Some([a.min(c), b.min(d), a.max(c), b.max(d)]),
        _ => None,
    })
}
