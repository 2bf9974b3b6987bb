//! Identifiers, in the shapes that the API's samples have.

use rand::Rng;
use sha2::{Digest, Sha256};

use super::Timestamp;
use crate::simulation;

/// A request id: an upper-case UUID.
pub fn request_id() -> String {
    uuid::Uuid::new_v4().hyphenated().to_string().to_uppercase()
}

/// An event or task id: a short prefix and 26 characters that sort by time,
/// so that a list by id is a list by start.
pub fn event_id(prefix: &str) -> String {
    format!("{prefix}-{}", ulid())
}

/// The id of a scan run or a dataset: a ULID.
pub fn run_id() -> String {
    ulid().to_string()
}

fn ulid() -> ulid::Ulid {
    match simulation::random() {
        Some(random) => ulid::Ulid::from_parts(u64::try_from(Timestamp::now().millis()).unwrap_or(0), random),
        None => ulid::Ulid::new(),
    }
}

/// The id of an indexed file: 64 hex digits, the same for the same file of the
/// same dataset for ever.
pub fn object_id(dataset_id: &str, uri: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(dataset_id.as_bytes());
    hash.update([0]);
    hash.update(uri.as_bytes());
    hex::encode(hash.finalize())
}

/// A number below `bound` (which must not be 0), to spread writers.
pub(crate) fn random_below(bound: u32) -> u32 {
    match simulation::random() {
        Some(random) => u32::try_from(random % u128::from(bound.max(1))).unwrap_or(0),
        None => rand::rng().random_range(0..bound.max(1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes() {
        let id = request_id();
        assert_eq!(id.len(), 36);
        assert!(id.chars().all(|c| c.is_ascii_digit() || c.is_ascii_uppercase() || c == '-'));
        assert!(event_id("16C").starts_with("16C-"));
        assert_eq!(object_id("d", "oss://b/k").len(), 64);
        assert_ne!(object_id("d", "oss://b/k"), object_id("e", "oss://b/k"));
    }
}
