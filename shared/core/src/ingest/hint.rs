//! Hints: that an object should be looked at, and what came of it.

use super::object::Facts;
use super::sidecars::OfSidecar;
use crate::error::Error;
use crate::ledger::{Addresses, Row, Source};
use crate::model::{InputFile, ObjectUri, Timestamp};

/// Says that an object should be looked at. It never says what the object is:
/// that is read from object storage when the hint is processed.
#[derive(Debug, Clone)]
pub struct Hint {
    /// The object.
    pub uri: ObjectUri,
    /// The sequencer of the event of content that brought the hint, if one did.
    /// Events of tags, access and storage class order nothing: theirs is left out.
    pub seq: Option<String>,
    /// Something beside the content may have changed (tags, storage class,
    /// access): it is read again although the content is the same.
    pub attributes: bool,
    /// A scan has found the object as its row describes it, but for its text, which
    /// is still to be read.
    pub text: bool,
    /// The key is the less likely reading of an event's key: where there is
    /// neither such an object nor its row, nothing is written.
    pub is_guess: bool,
    /// What a manual call sets on the file. Makes the row a manual one, and
    /// has the object read again even where it did not change.
    pub manual: Option<InputFile>,
    /// The row that the hinter saw, so that it need not be read again: a scan
    /// has `Some(None)` where it saw that there is no row. A view that is out
    /// of date costs a conflict, never a wrong row.
    pub seen: Option<Option<Box<Row>>>,
    /// What is known of the object's size and date where it cannot be read.
    pub listed: Option<Source>,
    /// How often this hint was tried before.
    pub attempt: u32,
    /// An earlier attempt at this work may have ended the process: the object is
    /// read alone, and noted before (see `careful.rs`).
    pub careful: bool,
    /// What storage says of an object that is not to be read, because it ended the
    /// process.
    pub avoid: Option<Box<Facts>>,
    /// When what it tells of happened, where an event said so.
    pub at: Option<Timestamp>,
    /// The addresses of the place that the manual call sets, once they were
    /// looked up.
    pub addresses: Option<Addresses>,
    /// The sidecars of the object may have changed, and nothing else is told.
    pub sidecar: Option<OfSidecar>,
    /// What a page of a scan shows next to the object: the sidecars of an object that has
    /// no row, the main objects of a sidecar.
    pub beside: Option<Vec<(String, Source)>>,
    /// The main objects of this sidecar were read again already.
    pub mains_are_done: bool,
}

impl Hint {
    /// A hint with nothing but the object.
    pub fn new(uri: ObjectUri) -> Self {
        Self {
            uri,
            seq: None,
            attributes: false,
            text: false,
            is_guess: false,
            manual: None,
            seen: None,
            listed: None,
            attempt: 0,
            careful: false,
            avoid: None,
            at: None,
            addresses: None,
            sidecar: None,
            beside: None,
            mains_are_done: false,
        }
    }
}

/// What became of a hint.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// A later event was processed already.
    Stale,
    /// The row describes this version of the object already.
    Unchanged,
    /// The row was written.
    Indexed,
    /// The row was written with what is known, and `ObjectStatus` Failed: the
    /// object could not be read. The text says why.
    Unreadable(String),
    /// The same, after the last attempt at an object that storage did not give or
    /// whose workers died: the sender keeps the hint, to send it again.
    GivenUp(String),
    /// The object is gone and so is its row.
    Removed,
    /// The dataset's quota has no room.
    LimitExceeded,
    /// The dataset is gone.
    DatasetGone,
    /// Nothing was written; worth another try.
    Failed(Error),
}

impl Outcome {
    /// Whether the hint should be tried again.
    pub fn is_failed(&self) -> bool {
        matches!(self, Self::Failed(_))
    }
}
