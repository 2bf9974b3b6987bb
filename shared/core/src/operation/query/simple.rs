//! SimpleQuery.

use serde::Deserialize;

use super::super::dataset::DATASET;
use super::super::params::Kind::{Array, Bool, Int, Object};
use super::super::project::PROJECT;
use super::super::{Call, Operation, Param, page_size};
use super::{NEXT_TOKEN, ORDER, QUERY_REPLY, Query, QueryReply, SORT, WITH_FIELDS, WITH_STATS};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::gateway::Access;
use crate::model::Limits;
use crate::query::{Aggregation, AggregationNode, Direction, Plan, QueryNode, SortSpec};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in super::super) struct SimpleInput {
    project_name: String,
    dataset_name: String,
    query: Option<QueryNode>,
    #[serde(default)]
    sort: String,
    #[serde(default)]
    order: String,
    max_results: Option<i64>,
    #[serde(default)]
    next_token: String,
    #[serde(default)]
    with_fields: Vec<String>,
    #[serde(default)]
    without_total_hits: bool,
    #[serde(default)]
    aggregations: Option<Vec<AggregationNode>>,
    #[serde(default)]
    with_stats: bool,
}

/// The range of `MaxResults`.
const RANGE: &str = "between 0 and 100, or with Aggregations between 0 and 2000";

/// SimpleQuery: the files that satisfy conditions, in order, page by page, or
/// numbers and groups over all of them.
pub(in super::super) struct SimpleQuery;

impl Operation for SimpleQuery {
    const NAME: &'static str = "SimpleQuery";
    const ACCESS: Access = Access::dataset("imm:SimpleQuery");
    const PARAMS: &'static [Param] = &[
        PROJECT,
        DATASET,
        Param::optional(
            "Query",
            Object,
            "Conditions: {Field, Operation, Value, SubQueries}; all files by default.",
        ),
        SORT,
        ORDER,
        Param::optional(
            "MaxResults",
            Int(0, 2000),
            "Files of a page, 100 by default and at most; with Aggregations groups of one, at most 2000.",
        )
        .with_range(RANGE),
        NEXT_TOKEN,
        Param::optional(
            "Aggregations",
            Array,
            "At most 20 of {Field, Operation}: min, max, average, sum, count, distinct, group, date_histogram. \
             With them no files are given.",
        ),
        WITH_FIELDS,
        Param::optional("WithoutTotalHits", Bool, "Do not count all files: cheaper."),
        WITH_STATS,
    ];
    const REPLY: &'static [Param] = QUERY_REPLY;
    type Input = SimpleInput;
    type Output = QueryReply;

    async fn run(ctx: &Context, call: &Call, input: SimpleInput) -> Result<QueryReply> {
        let aggregations = Aggregation::read(input.aggregations.as_deref().unwrap_or_default())?;
        let most = if aggregations.is_empty() { 100 } else { Limits::GROUPS as i64 };
        if input.max_results.is_some_and(|number| number > most) {
            return Err(Error::invalid("MaxResults", format!("It must be a whole number {RANGE}.")));
        }
        let plan = Plan::new(input.query.as_ref())?;
        let sort = SortSpec::new(&input.sort, &input.order, Direction::Descending)?;
        let query = serde_json::to_string(&input.query).map_err(Error::internal)?;
        Query {
            project: &input.project_name,
            dataset: &input.dataset_name,
            plan,
            sort,
            aggregations,
            limit: page_size(input.max_results),
            with_fields: &input.with_fields,
            with_total: !input.without_total_hits,
            with_stats: input.with_stats,
            paging: Some((&input.next_token, format!("{query}\n{}\n{}", input.sort, input.order))),
        }
        .run(ctx, call)
        .await
    }
}
