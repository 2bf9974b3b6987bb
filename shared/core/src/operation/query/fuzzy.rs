//! FuzzyQuery.

use serde::Deserialize;

use super::super::dataset::DATASET;
use super::super::params::Kind::{Int, Text};
use super::super::project::PROJECT;
use super::super::{Call, Operation, Param, page_size};
use super::{NEXT_TOKEN, ORDER, QUERY_REPLY, Query, QueryReply, SORT, WITH_FIELDS, WITH_STATS};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::gateway::Access;
use crate::model::Limits;
use crate::query::{Direction, Plan, SortSpec, TextQuery};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in super::super) struct FuzzyInput {
    project_name: String,
    dataset_name: String,
    query: String,
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
    with_stats: bool,
}

/// FuzzyQuery: the files in whose texts all words of a query are found, the best
/// answers first.
pub(in super::super) struct FuzzyQuery;

pub(super) fn check_length(query: &str) -> Result<()> {
    if query.len() > Limits::TEXT_QUERY_BYTES {
        return Err(Error::invalid("Query", format!("It may have {} bytes.", Limits::TEXT_QUERY_BYTES)));
    }
    Ok(())
}

impl Operation for FuzzyQuery {
    const NAME: &'static str = "FuzzyQuery";
    const ACCESS: Access = Access::dataset("imm:FuzzyQuery");
    const PARAMS: &'static [Param] = &[
        PROJECT,
        DATASET,
        Param::required("Query", Text, "Words; all must be found, the last one as a beginning."),
        SORT,
        ORDER,
        Param::optional("MaxResults", Int(0, 200), "Files of a page; 100 by default."),
        NEXT_TOKEN,
        WITH_FIELDS,
        WITH_STATS,
    ];
    const REPLY: &'static [Param] = QUERY_REPLY;
    type Input = FuzzyInput;
    type Output = QueryReply;

    async fn run(ctx: &Context, call: &Call, input: FuzzyInput) -> Result<QueryReply> {
        check_length(&input.query)?;
        let text = TextQuery::new(&input.query)?;
        let mut sort = SortSpec::new(&input.sort, &input.order, Direction::Ascending)?;
        if sort.is_by_uri() {
            sort = SortSpec::by_relevance(text.clone());
        }
        Query {
            project: &input.project_name,
            dataset: &input.dataset_name,
            plan: Plan::Text(text),
            sort,
            aggregations: Vec::new(),
            limit: page_size(input.max_results),
            with_fields: &input.with_fields,
            with_total: true,
            with_stats: input.with_stats,
            paging: Some((
                &input.next_token,
                format!("fuzzy\n{}\n{}\n{}", input.query, input.sort, input.order),
            )),
        }
        .run(ctx, call)
        .await
    }
}
