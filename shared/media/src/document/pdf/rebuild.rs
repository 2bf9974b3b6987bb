//! The objects of a file whose cross-reference is wrong or missing: looked for by their
//! marks, as every viewer does.

use crate::ctx::Ctx;
use crate::document::pdf::file::{MAX_OBJECTS, Pdf, Place};
use crate::document::pdf::object::{Lexer, Object};
use crate::source::{Parse, Source, Stop};

/// Searched of a file that is not read whole: its head as far as held, and this much of
/// its end, in two steps.
const TAILS: [u64; 2] = [1024 * 1024, 4 * 1024 * 1024];
/// Most object streams listed.
const MAX_STREAMS: usize = 64;

/// What a piece of the file holds.
#[derive(Default)]
struct Marks {
    /// Offset and number of the objects, in order.
    objects: Vec<(u64, u32)>,
    /// Dictionaries behind `trailer`, newest last.
    trailers: Vec<Object>,
    /// Objects that are object streams, cross-reference streams, a catalogue.
    streams: Vec<u32>,
    tables: Vec<u64>,
    catalogue: Option<u32>,
}

/// Searches the file, and gives it as if it had a table.
pub(super) fn rebuild<'a>(ctx: &Ctx<'_>, src: &'a Source) -> Parse<Pdf<'a>> {
    let size = src.size();
    if size <= crate::WHOLE_BYTES {
        let mut marks = Marks::default();
        marks.scan(ctx, src.get(0, size)?, 0)?;
        return marks.into_pdf(ctx, src);
    }
    let mut found = Err(Stop::Malformed("no catalogue"));
    for tail in TAILS {
        let from = size.saturating_sub(tail);
        let bytes = src.upto(from, size - from)?;
        let mut marks = Marks::default();
        let head = src.held_from(0);
        marks.scan(ctx, head.get(..head.len().min(from as usize)).unwrap_or_default(), 0)?;
        marks.scan(ctx, bytes, from)?;
        found = marks.into_pdf(ctx, src);
        if found.is_ok() || from == 0 {
            break;
        }
    }
    found
}

impl Marks {
    fn scan(&mut self, ctx: &Ctx<'_>, bytes: &[u8], start: u64) -> Parse {
        let mut at = 0;
        let mut ticks = 0u32;
        // All marks that matter begin with one of four letters in lower case or a slash.
        while let Some(hit) =
            bytes.get(at..).and_then(|b| b.iter().position(|c| matches!(c, b'o' | b't' | b'/')))
        {
            at += hit;
            ticks = ticks.wrapping_add(1);
            if ticks.is_multiple_of(4096) {
                ctx.tick()?;
            }
            let rest = bytes.get(at..).unwrap_or_default();
            if rest.starts_with(b"obj") {
                if let Some((from, id)) = numbers_before(bytes, at)
                    && self.objects.len() < MAX_OBJECTS
                {
                    self.objects.push((start + from as u64, id));
                }
            } else if rest.starts_with(b"trailer") {
                if self.trailers.len() < 64
                    && let Ok(trailer) = Lexer::new(rest.get(7..).unwrap_or_default()).object()
                {
                    self.trailers.push(trailer);
                }
            } else if let Some(&(from, id)) = self.objects.last() {
                if rest.starts_with(b"/ObjStm") && self.streams.len() < MAX_STREAMS {
                    self.streams.push(id);
                } else if rest.starts_with(b"/XRef")
                    && !rest.starts_with(b"/XRefStm")
                    && self.tables.len() < 64
                {
                    self.tables.push(from);
                } else if rest.starts_with(b"/Catalog") {
                    self.catalogue = Some(id);
                }
            }
            at += 1;
        }
        Ok(())
    }

    fn into_pdf<'a>(self, ctx: &Ctx<'_>, src: &'a Source) -> Parse<Pdf<'a>> {
        let mut pdf = Pdf::new(ctx, src);
        for (at, id) in self.objects.iter().rev() {
            pdf.place(u64::from(*id), Place::At(*at));
        }
        pdf.trailer = self.trailers.into_iter().rev().collect();
        for at in self.tables.iter().rev() {
            if let Ok(dict) = pdf.dictionary_at(*at) {
                pdf.trailer.push(dict);
            }
        }
        pdf.unlock()?;
        for stream in self.streams.iter().rev() {
            ctx.tick()?;
            match pdf.numbers_in(*stream) {
                Ok(numbers) => {
                    for (index, id) in numbers.into_iter().enumerate() {
                        pdf.place(u64::from(id), Place::In(*stream, index as u32));
                    }
                }
                Err(stop @ (Stop::Limit(_) | Stop::Missing)) => return Err(stop),
                Err(_) => {}
            }
        }
        if pdf.trailer_key(b"Root").is_none() {
            // A catalogue in an object stream has no mark of its own.
            let packed = || pdf.places.iter().filter(|(_, p)| matches!(p, Place::In(..))).map(|(id, _)| *id);
            let candidates: Vec<u32> = self.catalogue.into_iter().chain(packed().take(512)).collect();
            let root = candidates.into_iter().find(|id| {
                ctx.tick().is_ok()
                    && pdf.resolve(&Object::Reference(*id)).is_ok_and(|o| o.name(b"Type") == Some(b"Catalog"))
            });
            let root = root.ok_or(Stop::Malformed("no catalogue"))?;
            pdf.trailer.push(Object::Dict(vec![(b"Root".to_vec(), Object::Reference(root))]));
        }
        Ok(pdf)
    }
}

/// Where `number generation` in front of the mark begins, and the number.
fn numbers_before(bytes: &[u8], mark: usize) -> Option<(usize, u32)> {
    let mut at = mark;
    let mut back = |wanted: fn(&u8) -> bool, most: usize| {
        let lead = bytes.get(..at).unwrap_or_default();
        let n = lead.iter().rev().take(most).take_while(|b| wanted(b)).count();
        at -= n;
        (at, n)
    };
    let space: fn(&u8) -> bool = |b| matches!(b, 0 | 9 | 10 | 12 | 13 | 32);
    let digit: fn(&u8) -> bool = u8::is_ascii_digit;
    (back(space, 8).1 > 0).then_some(())?;
    (back(digit, 5).1 > 0).then_some(())?;
    let end = back(space, 8);
    (end.1 > 0).then_some(())?;
    let (start, n) = back(digit, 10);
    (n > 0).then_some(())?;
    Some((start, std::str::from_utf8(bytes.get(start..start + n)?).ok()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_front_of_a_mark() {
        for (text, want) in [
            ("12 0 obj", Some((0, 12))),
            ("x 7  65535\r\nobj", Some((2, 7))),
            ("endobj", None),
            (" 0 obj", None),
            ("99999999999 0 obj", None),
        ] {
            let mark = text.rfind("obj").unwrap();
            assert_eq!(
                numbers_before(text.as_bytes(), mark).filter(|(_, id)| *id < 1_000_000),
                want,
                "{text}"
            );
        }
    }
}
