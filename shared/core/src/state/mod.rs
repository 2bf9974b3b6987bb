//! The state table: projects, datasets, bindings, tasks, counters, scan runs.
//! Each submodule owns the items of one kind, their keys and their invariants.

mod binding;
mod counters;
mod dataset;
mod db;
mod nonce;
mod project;
mod run;
mod schema;
mod task;

pub use binding::{Binding, Route};
pub use counters::{CounterDelta, Counts, Room};
pub use dataset::{Dataset, DatasetChange};
pub use db::{Cancel, Db, TransactError};
pub(crate) use db::{pause, store_error};
pub use project::{Project, ProjectChange};
pub use run::{Run, RunKind, RunStatus, Segment};
pub use schema::create_tables;
pub use task::Task;
