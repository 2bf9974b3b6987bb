//! From a hint that an object should be looked at to its row: one path for
//! events, scans and manual calls.

mod attributes;
mod careful;
mod envelope;
mod estimate;
mod events;
mod guard;
mod hint;
mod index_task;
mod notification;
mod object;
mod reconcile;
mod scan;
mod schedule;
mod sidecars;
mod split;
mod text;

pub(crate) use estimate::log_estimate;
pub use events::{BatchReply, on_object_event};
pub use hint::{Hint, Outcome};
pub use index_task::{run_index_task, run_work_event};
pub use object::{Facts, Fetched, describe, fetch};
pub use reconcile::{Target, reconcile};
pub use scan::{ScanStep, SegmentRef, StepReply, run_step};
pub use schedule::{Due, ScheduleReply, on_schedule};
pub use sidecars::read_sidecars;
pub use text::{TextStep, run_text, run_text_event, send_pending};
