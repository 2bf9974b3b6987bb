//! The bytes of an object as far as they are known: a full-length, sparse view.
//!
//! Readers never see a short buffer. They see the whole object, and an access to
//! a part that was not fetched yet is noted and fails with [`MissingRange`];
//! the driver then asks its caller for what was noted and runs the reader again.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;

/// The error of a read outside the ranges held, inside an [`io::Error`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingRange(pub Range<u64>);

impl fmt::Display for MissingRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bytes {}..{} were not read", self.0.start, self.0.end)
    }
}

impl std::error::Error for MissingRange {}

/// Why a reader stopped before its end. Partial results are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Bytes are needed that are not held; the source has noted which.
    Missing,
    /// The bytes contradict their format.
    Malformed(&'static str),
    /// A limit was reached.
    Limit(&'static str),
    /// The format or a part of it is not read by this crate.
    Unsupported(&'static str),
}

/// What readers return.
pub(crate) type Parse<T = ()> = Result<T, Stop>;

/// Sparse bytes of one object.
#[derive(Debug, Default)]
pub struct Source {
    size: u64,
    /// Sorted, disjoint, never adjacent (adjacent chunks are merged).
    chunks: Vec<Chunk>,
    missing: RefCell<Vec<Range<u64>>>,
    /// Whether only a few bytes of the object are wanted, whatever its length.
    near: Cell<bool>,
}

#[derive(Debug)]
struct Chunk {
    start: u64,
    bytes: Vec<u8>,
}

impl Chunk {
    fn end(&self) -> u64 {
        self.start.saturating_add(self.bytes.len() as u64)
    }
}

impl Source {
    /// A source of `size` bytes of which none is held.
    pub fn new(size: u64) -> Self {
        Source { size, ..Source::default() }
    }

    /// Length of the object in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Bytes held.
    pub fn held(&self) -> u64 {
        self.chunks.iter().map(|c| c.bytes.len() as u64).sum()
    }

    /// Parts held, none of which touch.
    pub(crate) fn pieces(&self) -> usize {
        self.chunks.len()
    }

    /// Adds bytes. What is held already wins; bytes past the end are dropped.
    pub fn supply(&mut self, start: u64, mut bytes: Vec<u8>) {
        let room = self.size.saturating_sub(start);
        if (bytes.len() as u64) > room {
            bytes.truncate(room as usize);
        }
        let end = start.saturating_add(bytes.len() as u64);
        if bytes.is_empty() {
            return;
        }
        let overlaps = self.chunks.iter().any(|c| c.start < end && start < c.end());
        if !overlaps {
            self.insert(start, bytes);
            return;
        }
        // Overlaps are rare (a caller that re-reads): add the gaps only.
        for gap in self.gaps(start..end) {
            let from = (gap.start - start) as usize;
            let to = (gap.end - start) as usize;
            if let Some(part) = bytes.get(from..to) {
                self.insert(gap.start, part.to_vec());
            }
        }
    }

    fn insert(&mut self, start: u64, bytes: Vec<u8>) {
        let at = self.chunks.partition_point(|c| c.start < start);
        self.chunks.insert(at, Chunk { start, bytes });
        self.merge(at);
        if at > 0 {
            self.merge(at - 1);
        }
    }

    /// Joins chunk `at` with its right neighbour where they touch.
    fn merge(&mut self, at: usize) {
        let touches = matches!((self.chunks.get(at), self.chunks.get(at + 1)), (Some(a), Some(b)) if a.end() == b.start);
        if touches {
            let right = self.chunks.remove(at + 1);
            if let Some(left) = self.chunks.get_mut(at) {
                left.bytes.extend_from_slice(&right.bytes);
            }
        }
    }

    /// The parts of `range` that are not held, in order.
    pub fn gaps(&self, range: Range<u64>) -> Vec<Range<u64>> {
        let end = range.end.min(self.size);
        let mut at = range.start;
        let mut gaps = Vec::new();
        for chunk in &self.chunks {
            if chunk.end() <= at {
                continue;
            }
            if chunk.start >= end {
                break;
            }
            if chunk.start > at {
                gaps.push(at..chunk.start);
            }
            at = chunk.end();
        }
        if at < end {
            gaps.push(at..end);
        }
        gaps
    }

    /// The bytes from `start` on that are held in one piece (empty where none is).
    pub fn held_from(&self, start: u64) -> &[u8] {
        let at = self.chunks.partition_point(|c| c.end() <= start);
        match self.chunks.get(at) {
            Some(c) if c.start <= start => c.bytes.get((start - c.start) as usize..).unwrap_or_default(),
            _ => &[],
        }
    }

    /// Exactly `len` bytes; notes what is missing.
    pub(crate) fn get(&self, start: u64, len: u64) -> Parse<&[u8]> {
        let end = start.checked_add(len).ok_or(Stop::Malformed("offset past the end of the object"))?;
        if end > self.size {
            return Err(Stop::Malformed("offset past the end of the object"));
        }
        match self.held_from(start).get(..len as usize) {
            Some(bytes) => Ok(bytes),
            None => {
                self.note_missing(start..end);
                Err(Stop::Missing)
            }
        }
    }

    /// Up to `len` bytes, fewer only at the end of the object; notes what is missing.
    pub(crate) fn upto(&self, start: u64, len: u64) -> Parse<&[u8]> {
        self.get(start, len.min(self.size.saturating_sub(start)))
    }

    /// Exactly `len` bytes where they are held, without asking for them.
    pub(crate) fn peek(&self, start: u64, len: u64) -> Option<&[u8]> {
        self.held_from(start).get(..usize::try_from(len).ok()?)
    }

    /// Up to `len` bytes that are worth a read of their own, but not one of the whole
    /// object, however short that is. None where they are not held yet.
    pub(crate) fn near(&self, start: u64, len: u64) -> Option<&[u8]> {
        let len = len.min(self.size.saturating_sub(start));
        let held = self.peek(start, len);
        if held.is_none() {
            let alone = self.near.get() || self.missing.borrow().is_empty();
            self.note_missing(start..start.saturating_add(len));
            self.near.set(alone);
        }
        held
    }

    /// Whether no more than what was noted is wanted.
    pub(crate) fn wants_little(&self) -> bool {
        self.near.get()
    }

    /// Notes that `range` is wanted.
    pub(crate) fn note_missing(&self, range: Range<u64>) {
        self.near.set(false);
        let mut missing = self.missing.borrow_mut();
        // A reader in a loop must not fill memory with notes.
        if missing.len() < 64 {
            missing.extend(self.gaps(range));
        }
    }

    /// Takes the notes of what was missing, sorted.
    pub(crate) fn take_missing(&self) -> Vec<Range<u64>> {
        let mut missing = std::mem::take(&mut *self.missing.borrow_mut());
        if missing.is_empty() {
            self.near.set(false);
        }
        missing.sort_by_key(|r| (r.start, r.end));
        missing
    }

    /// Whether something was missing since the last [`Source::take_missing`].
    pub(crate) fn lacks(&self) -> bool {
        !self.missing.borrow().is_empty()
    }

    /// A reader over the whole object.
    pub fn reader(&self) -> Reader<'_> {
        Reader { source: self, at: 0 }
    }
}

/// `Read + Seek` over a [`Source`].
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    source: &'a Source,
    at: u64,
}

impl Read for Reader<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.at >= self.source.size || buf.is_empty() {
            return Ok(0);
        }
        let held = self.source.held_from(self.at);
        if held.is_empty() {
            let end = self.at.saturating_add(buf.len() as u64).min(self.source.size);
            self.source.note_missing(self.at..end);
            return Err(io::Error::other(MissingRange(self.at..end)));
        }
        let n = held.len().min(buf.len());
        if let (Some(to), Some(from)) = (buf.get_mut(..n), held.get(..n)) {
            to.copy_from_slice(from);
        }
        self.at += n as u64;
        Ok(n)
    }
}

impl Seek for Reader<'_> {
    fn seek(&mut self, pos: SeekFrom) -> io::Result<u64> {
        let at = match pos {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.source.size.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "seek before the start"))?;
        Ok(self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_merge_and_gaps_are_told() {
        let mut source = Source::new(100);
        source.supply(0, vec![1; 10]);
        source.supply(20, vec![2; 10]);
        assert_eq!(source.gaps(5..40), vec![10..20, 30..40]);
        source.supply(8, vec![3; 14]);
        assert_eq!(source.held_from(0).len(), 30);
        assert_eq!(source.held_from(9)[..3], [1, 3, 3]);
        assert_eq!(source.get(25, 10), Err(Stop::Missing));
        assert_eq!(source.take_missing(), vec![30..35]);
        source.supply(90, vec![9; 50]);
        assert_eq!(source.held_from(90).len(), 10);
        assert!(matches!(source.get(95, 10), Err(Stop::Malformed(_))));
    }

    #[test]
    fn the_reader_carries_the_missing_range_in_its_error() {
        let mut source = Source::new(100);
        source.supply(0, vec![1; 10]);
        let mut reader = source.reader();
        let mut buf = [0; 8];
        assert_eq!(reader.read(&mut buf).unwrap(), 8);
        assert_eq!(reader.read(&mut buf).unwrap(), 2);
        let err = reader.read(&mut buf).unwrap_err();
        let inner = err.get_ref().and_then(|e| e.downcast_ref::<MissingRange>());
        assert_eq!(inner, Some(&MissingRange(10..18)));
        assert_eq!(source.take_missing(), vec![10..18]);
    }
}
