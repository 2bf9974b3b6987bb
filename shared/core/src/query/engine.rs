//! The trait that engines answer queries through.

use async_trait::async_trait;

use super::aggregate::{Aggregation, AggregationReply};
use super::order::SortSpec;
use super::plan::Plan;
use super::token::Cursor;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::file::FileView;
use crate::ledger::Row;
use crate::state::Dataset;

/// One page to find, or numbers over all that satisfies the plan.
pub struct Search<'a> {
    /// The dataset.
    pub dataset: &'a Dataset,
    /// How rows become documents.
    pub view: &'a FileView,
    /// Which files.
    pub plan: &'a Plan,
    /// In which order.
    pub sort: &'a SortSpec,
    /// What is computed over all of them.
    pub aggregations: &'a [Aggregation],
    /// Groups of one aggregation at most.
    pub groups: usize,
    /// After which file.
    pub after: Option<&'a Cursor>,
    /// How many files at most; 0 where only aggregations are asked for.
    pub limit: usize,
    /// Whether all of them are counted.
    pub with_total: bool,
}

/// What was found.
pub struct SearchReply {
    /// The files of the page, in order, with where they stand.
    pub rows: Vec<(Cursor, Row)>,
    /// Whether more come after them.
    pub more: bool,
    /// How many there are in all, if that was asked.
    pub total: Option<u64>,
    /// The results of the aggregations, in their order.
    pub aggregations: Vec<AggregationReply>,
}

/// Answers queries.
#[async_trait]
pub trait Engine: Send + Sync {
    /// Finds one page.
    async fn search(&self, ctx: &Context, search: Search<'_>) -> Result<SearchReply>;
}

/// The engine of a dataset.
///
/// # Errors
/// `InternalError` for an engine that this build does not have.
pub fn engine_of(dataset: &Dataset) -> Result<&'static dyn Engine> {
    match dataset.engine.as_str() {
        "scan" => Ok(&super::scan::ScanEngine),
        other => Err(Error::internal(format!("dataset {} has the unknown engine {other:?}", dataset.id))),
    }
}
