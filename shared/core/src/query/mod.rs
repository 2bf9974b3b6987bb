//! Queries: a typed plan over one field catalogue, and the engines that answer
//! it. Nothing outside of this module knows which engine answers.

mod catalogue;
mod engine;
mod evaluate;
mod order;
mod plan;
mod scan;
mod token;

pub use catalogue::{CATALOGUE, Field, FieldType, check_field_name, resolve};
pub use engine::{Engine, Search, SearchReply, engine_of};
pub use order::{Direction, SortKey, SortSpec};
pub use plan::{Condition, Plan, QueryNode};
pub use token::{Cursor, PageToken};
