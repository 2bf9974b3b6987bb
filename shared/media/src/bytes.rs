//! Checked access to numbers in byte slices, and a window onto a [`Source`].

use crate::source::{Parse, Source, Stop};

macro_rules! numbers {
    ($($name:ident $from:ident $t:ty;)*) => {$(
        pub(crate) fn $name(b: &[u8], at: usize) -> Option<$t> {
            let end = at.checked_add(size_of::<$t>())?;
            Some(<$t>::$from(b.get(at..end)?.try_into().ok()?))
        }
    )*};
}

numbers! {
    be16 from_be_bytes u16;
    be32 from_be_bytes u32;
    be64 from_be_bytes u64;
    le16 from_le_bytes u16;
    le32 from_le_bytes u32;
    le64 from_le_bytes u64;
}

/// Big-endian number of three bytes.
pub(crate) fn be24(b: &[u8], at: usize) -> Option<u32> {
    match b.get(at..at.checked_add(3)?)? {
        &[x, y, z] => Some(u32::from_be_bytes([0, x, y, z])),
        _ => None,
    }
}

/// First place of `needle` in `hay`.
pub(crate) fn find(hay: &[u8], needle: &[u8]) -> Option<usize> {
    if needle.is_empty() || hay.len() < needle.len() {
        return None;
    }
    let first = *needle.first()?;
    let last = hay.len() - needle.len();
    let mut at = 0;
    while at <= last {
        // `position` on bytes is a fast scan; the full comparison is rare.
        let hit = hay.get(at..=last)?.iter().position(|b| *b == first)?;
        at += hit;
        if hay.get(at..).is_some_and(|h| h.starts_with(needle)) {
            return Some(at);
        }
        at += 1;
    }
    None
}

/// Last place of `needle` in `hay`.
pub(crate) fn rfind(hay: &[u8], needle: &[u8]) -> Option<usize> {
    if needle.is_empty() {
        return None;
    }
    hay.windows(needle.len()).rposition(|w| w == needle)
}

/// A part of a source with offsets of its own: a box, a segment, a TIFF block.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) src: &'a Source,
    pub(crate) start: u64,
    pub(crate) end: u64,
}

impl<'a> View<'a> {
    /// The whole source.
    pub(crate) fn all(src: &'a Source) -> Self {
        View { src, start: 0, end: src.size() }
    }

    pub(crate) fn len(self) -> u64 {
        self.end.saturating_sub(self.start)
    }

    /// The part `at..at+len` of this view, cut where this view ends.
    pub(crate) fn sub(self, at: u64, len: u64) -> View<'a> {
        let start = self.start.saturating_add(at).min(self.end);
        View { src: self.src, start, end: start.saturating_add(len).min(self.end) }
    }

    /// Exactly `len` bytes at `at`.
    pub(crate) fn get(self, at: u64, len: u64) -> Parse<&'a [u8]> {
        let start = self.start.checked_add(at).ok_or(Stop::Malformed("offset past the end"))?;
        if start.checked_add(len).is_none_or(|end| end > self.end) {
            return Err(Stop::Malformed("offset past the end"));
        }
        self.src.get(start, len)
    }

    /// Up to `len` bytes at `at`, fewer at the end of the view.
    pub(crate) fn upto(self, at: u64, len: u64) -> Parse<&'a [u8]> {
        self.get(at, len.min(self.len().saturating_sub(at)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_checked() {
        assert_eq!(be16(&[1, 2], 0), Some(0x0102));
        assert_eq!(be16(&[1, 2], 1), None);
        assert_eq!(be24(&[1, 2, 3], 0), Some(0x010203));
        assert_eq!(le32(&[1, 0, 0, 0], usize::MAX), None);
        assert_eq!(find(b"abcabd", b"abd"), Some(3));
        assert_eq!(rfind(b"abcab", b"ab"), Some(3));
        assert_eq!(find(b"a", b"abd"), None);
    }
}
