//! The state table: projects, datasets, bindings, tasks, counters, scan runs.
//! Each submodule owns the items of one kind, their keys and their invariants.

mod access_key;
mod attempts;
mod binding;
mod budget;
mod counters;
mod dataset;
mod db;
mod nonce;
mod project;
mod run;
mod schema;
mod task;

pub use access_key::{KeyStatus, StoredKey};
pub(crate) use access_key::{TEMPORARY_PREFIX, TOKEN_PREFIX};
pub use binding::{Binding, Held, Route};
pub use budget::Budget;
pub use counters::{CounterDelta, Counts, Room};
pub use dataset::{Dataset, DatasetChange};
pub use db::{Cancel, Db, TransactError};
pub(crate) use db::{pause, store_error};
pub use project::{Project, ProjectChange};
pub use run::{Run, RunKind, RunStatus, Segment, Stage, Totals};
pub use schema::create_tables;
pub use task::Task;
