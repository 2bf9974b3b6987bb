//! The files table: one row per known object of a dataset.
//!
//! Invariants: a row is only ever written under the `rev` that was read; the
//! counters move in the same transaction; a row that goes away leaves a
//! tombstone for a day.

mod commit;
mod item;
mod pack;
mod place;
mod read;
mod row;
mod text;

pub use commit::{Change, Committed, commit};
pub use place::Addresses;
pub(crate) use place::addresses_of;
pub use read::{Columns, Range, purge_partition, range_partition, read_rows};
pub(crate) use row::STANDARD;
pub use row::{Origin, Row, RowKey, Source, Status, TextMark, UserFields};
pub(crate) use text::{KeptText, keep_text, read_texts, remove_texts};
