//! Boxes of the ISO base media file format (MP4, MOV, HEIF, AVIF, JPEG XL,
//! JPEG 2000, CR3): a lenient walk.

use crate::bytes::{View, be32, be64};
use crate::source::{Parse, Stop};

/// One box.
#[derive(Clone, Copy)]
pub(crate) struct Box4<'a> {
    pub(crate) kind: [u8; 4],
    /// Content, after the header, cut where the parent ends.
    pub(crate) body: View<'a>,
    /// Whether the parent was too short for the size the header claims.
    pub(crate) cut: bool,
    /// Header and content in the parent.
    pub(crate) next: u64,
}

/// Most boxes looked at in one parent.
pub(crate) const MAX_BOXES: usize = 4096;

/// The box at `at` in `parent`; None at its end.
pub(crate) fn box_at(parent: View<'_>, at: u64) -> Parse<Option<Box4<'_>>> {
    let left = parent.len().saturating_sub(at);
    if left < 8 {
        return Ok(None);
    }
    let head = parent.get(at, 8)?;
    let small = u64::from(be32(head, 0).unwrap_or(0));
    let kind = match head.get(4..8) {
        Some(&[a, b, c, d]) => [a, b, c, d],
        _ => return Ok(None),
    };
    let (header, size) = match small {
        // To the end of the parent.
        0 => (8, left),
        1 => (16, be64(parent.get(at, 16)?, 8).unwrap_or(0)),
        size => (8, size),
    };
    if size < header {
        return Err(Stop::Malformed("box shorter than its header"));
    }
    let cut = size > left;
    let body = parent.sub(at + header, size.min(left) - header);
    Ok(Some(Box4 { kind, body, cut, next: at.saturating_add(size) }))
}

/// Calls `each` for the boxes of `parent` until it returns false. What a box
/// lacks is noted; the walk goes on behind it where its header is known.
pub(crate) fn walk<'a>(parent: View<'a>, mut each: impl FnMut(Box4<'a>) -> Parse<bool>) -> Parse {
    let mut at = 0;
    let mut stopped = Ok(());
    for _ in 0..MAX_BOXES {
        let b = match box_at(parent, at) {
            Ok(Some(b)) => b,
            Ok(None) => return stopped,
            Err(stop) => return stopped.and(Err(stop)),
        };
        match each(b) {
            Ok(true) => {}
            Ok(false) => return stopped,
            Err(Stop::Missing) => stopped = Err(Stop::Missing),
            // A damaged box does not spoil its neighbours.
            Err(stop) if stopped.is_ok() => stopped = Err(stop),
            Err(_) => {}
        }
        at = b.next;
    }
    Err(Stop::Limit("too many boxes"))
}

/// The first child of that kind.
pub(crate) fn child<'a>(parent: View<'a>, kind: &[u8; 4]) -> Parse<Option<Box4<'a>>> {
    let mut found = None;
    walk(parent, |b| {
        if &b.kind == kind {
            found = Some(b);
        }
        Ok(found.is_none())
    })?;
    Ok(found)
}

/// Descends along `path`, first match each.
pub(crate) fn path<'a>(parent: View<'a>, path: &[&[u8; 4]]) -> Parse<Option<View<'a>>> {
    let mut view = parent;
    for kind in path {
        match child(view, kind)? {
            Some(b) => view = b.body,
            None => return Ok(None),
        }
    }
    Ok(Some(view))
}
