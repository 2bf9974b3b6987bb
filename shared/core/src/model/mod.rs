//! Wire types, names, URIs, times, identifiers and limits.

mod ids;
mod input;
mod limits;
mod name;
mod resource;
mod template;
mod time;
mod uri;

pub(crate) use ids::random_below;
pub use ids::{event_id, object_id, request_id, run_id};
pub use input::{Address, Figure, InputFile, Label, Mns, Notification};
pub use limits::Limits;
pub use name::{check_name, check_resource_name};
pub use resource::{
    BindingPhase, BindingState, BindingView, DatasetView, KeyValue, ProjectView, Reconcile, TagView,
    TaskStatus, TaskView,
};
pub use template::{OPERATORS, TEMPLATES, Template, template_of};
pub use time::{Timestamp, format_seconds};
pub use uri::{BucketUri, ObjectUri};
