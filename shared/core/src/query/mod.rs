//! Queries: a typed plan over one field catalogue, and the engines that answer
//! it. Nothing outside of this module knows which engine answers.

mod access;
mod aggregate;
mod catalogue;
mod engine;
mod evaluate;
mod geo;
mod needs;
mod order;
mod plan;
mod scan;
mod semantic;
mod text;
mod token;

pub use aggregate::{Aggregation, AggregationNode, AggregationReply, Group, Interval, Operator};
pub use catalogue::{CATALOGUE, Entry, Field, FieldType, check_field_name, describe_fields, resolve};
pub use engine::{Engine, Search, SearchReply, engine_of};
pub use geo::{Area, Point};
pub use needs::Needs;
pub use order::{Direction, SortKey, SortSpec};
pub use plan::{Condition, Literal, Plan, QueryNode};
pub use semantic::{Parse, Period, parse as parse_text};
pub(crate) use text::PLACE_FIELDS;
pub use text::TextQuery;
pub use token::{Cursor, PageToken};
