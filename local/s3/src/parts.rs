//! The parts that an object was uploaded in. They are remembered in a short form,
//! because all parts but the last are of one size as a rule, and there may be
//! ten thousand of them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::checksums::{Algorithm, Sums};
use crate::sidecar::Part;

/// Where the parts of an object meet, and their checksums.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Layout {
    /// Sizes in bytes, each with how many parts in a row have it.
    sizes: Vec<(u64, u32)>,
    /// The algorithm of the parts' checksums, if the upload had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    algorithm: Option<Algorithm>,
    /// The checksums one after the other, in base64 together.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    sums: String,
}

/// One part of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// Its number: the parts of an object are counted from 1, whatever numbers
    /// they were uploaded under.
    pub(crate) number: i32,
    pub(crate) start: u64,
    pub(crate) size: u64,
    pub(crate) sums: Sums,
}

impl Layout {
    /// The layout of an object out of these parts.
    pub(crate) fn of(parts: &[Part], algorithm: Option<Algorithm>) -> Self {
        let mut sizes: Vec<(u64, u32)> = Vec::new();
        let mut sums = Some(Vec::new());
        for part in parts {
            match sizes.last_mut() {
                Some((size, count)) if *size == part.size => *count += 1,
                _ => sizes.push((part.size, 1)),
            }
            let sum = algorithm.and_then(|algorithm| {
                let bytes = STANDARD.decode(part.sums.get(algorithm)?).ok()?;
                (bytes.len() == algorithm.length()).then_some(bytes)
            });
            match (&mut sums, sum) {
                (Some(all), Some(sum)) => all.extend(sum),
                _ => sums = None,
            }
        }
        let algorithm = algorithm.filter(|_| sums.is_some());
        Self { sizes, algorithm, sums: STANDARD.encode(sums.unwrap_or_default()) }
    }

    /// How many parts there are.
    pub(crate) fn count(&self) -> i32 {
        i32::try_from(self.sizes.iter().map(|(_, count)| u64::from(*count)).sum::<u64>()).unwrap_or(i32::MAX)
    }

    /// Bytes of all parts together.
    pub(crate) fn size(&self) -> u64 {
        self.sizes
            .iter()
            .fold(0, |sum, (size, count)| sum.saturating_add(size.saturating_mul((*count).into())))
    }

    /// The parts with numbers greater than one, at most so many.
    pub(crate) fn after(&self, marker: i32, most: usize) -> Vec<Place> {
        let sums = STANDARD.decode(&self.sums).unwrap_or_default();
        let mut places = Vec::new();
        let (mut start, mut first) = (0_u64, 1_i64);
        for (size, count) in &self.sizes {
            let next = first + i64::from(*count);
            let mut number = first.max(i64::from(marker) + 1);
            while number < next && places.len() < most {
                let before = u64::try_from(number - first).unwrap_or(0);
                places.push(Place {
                    number: i32::try_from(number).unwrap_or(i32::MAX),
                    start: start.saturating_add(size.saturating_mul(before)),
                    size: *size,
                    sums: self.sum(&sums, number).unwrap_or_default(),
                });
                number += 1;
            }
            start = start.saturating_add(size.saturating_mul((*count).into()));
            first = next;
        }
        places
    }

    /// One part.
    pub(crate) fn part(&self, number: i32) -> Option<Place> {
        self.after(number.checked_sub(1).filter(|before| *before >= 0)?, 1).pop()
    }

    fn sum(&self, all: &[u8], number: i64) -> Option<Sums> {
        let algorithm = self.algorithm?;
        let length = algorithm.length();
        let at = usize::try_from(number - 1).ok()?.checked_mul(length)?;
        let mut sums = Sums::default();
        sums.set(algorithm, STANDARD.encode(all.get(at..at.checked_add(length)?)?));
        Some(sums)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step fails the test")]
    use super::*;

    fn part(number: i32, size: u64, sum: Option<[u8; 4]>) -> Part {
        let mut sums = Sums::default();
        if let Some(sum) = sum {
            sums.set(Algorithm::Crc32, STANDARD.encode(sum));
        }
        Part { number, file: String::new(), etag: String::new(), size, modified: 0, sums }
    }

    #[test]
    fn parts_are_found_by_number() {
        let parts: Vec<Part> =
            [(1, 5), (3, 5), (7, 5), (8, 2)].map(|(n, size)| part(n, size, Some([n as u8; 4]))).into();
        let layout = Layout::of(&parts, Some(Algorithm::Crc32));
        assert_eq!((layout.count(), layout.size()), (4, 17));
        let layout: Layout = serde_json::from_str(&serde_json::to_string(&layout).unwrap()).unwrap();
        for (number, want) in [
            (i32::MIN, None),
            (-1, None),
            (0, None),
            (1, Some((0, 5, 1))),
            (3, Some((10, 5, 7))),
            (4, Some((15, 2, 8))),
            (5, None),
            (i32::MAX, None),
        ] {
            let got = layout.part(number).map(|place| {
                let sum = STANDARD.decode(place.sums.get(Algorithm::Crc32).unwrap()).unwrap();
                (place.start, place.size, i32::from(*sum.first().unwrap()))
            });
            assert_eq!(got, want, "{number}");
        }
        let numbers =
            |marker, most| layout.after(marker, most).into_iter().map(|p| p.number).collect::<Vec<_>>();
        assert_eq!(numbers(0, 10), [1, 2, 3, 4]);
        assert_eq!(numbers(2, 1), [3]);
        assert_eq!(numbers(4, 1), [0; 0]);
    }

    #[test]
    fn a_part_without_a_checksum_leaves_none() {
        let parts = [part(1, 5, Some([1; 4])), part(2, 5, None)];
        let place = Layout::of(&parts, Some(Algorithm::Crc32)).part(1).unwrap();
        assert!(place.sums.is_empty());
    }
}
