//! SimpleQuery.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::dataset::DATASET;
use super::files::WITH_FIELDS;
use super::params::Kind::{Array, Bool, Int, Object, Text};
use super::project::PROJECT;
use super::{Call, Operation, Param, page_size};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::file::FileView;
use crate::gateway::Access;
use crate::query::{PageToken, Plan, QueryNode, Search, SortSpec, engine_of};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct QueryInput {
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
    aggregations: Option<Vec<Value>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct QueryReply {
    files: Vec<Value>,
    next_token: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    total_hits: Option<u64>,
}

/// SimpleQuery: the files that satisfy conditions, in order, page by page.
pub(super) struct SimpleQuery;

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
        Param::optional("Sort", Text, "At most 5 fields, separated by commas; the URI by default."),
        Param::optional("Order", Text, "asc or desc for each of them; desc by default."),
        Param::optional("MaxResults", Int(0, 2000), "Page size; 100 by default and at most."),
        Param::optional("NextToken", Text, "Where the page before ended."),
        Param::optional("Aggregations", Array, "Not available yet."),
        WITH_FIELDS,
        Param::optional("WithoutTotalHits", Bool, "Do not count all files: cheaper."),
    ];
    type Input = QueryInput;
    type Output = QueryReply;

    async fn run(ctx: &Context, _: &Call, input: QueryInput) -> Result<QueryReply> {
        if input.aggregations.is_some() {
            return Err(Error::invalid("Aggregations", "Aggregations are not available yet."));
        }
        if input.max_results.is_some_and(|number| number > 100) {
            return Err(Error::invalid("MaxResults", "It must be a whole number between 0 and 100."));
        }
        let plan = Plan::new(input.query.as_ref())?;
        let sort = SortSpec::new(&input.sort, &input.order)?;
        let dataset = ctx.db.dataset(&input.project_name, &input.dataset_name).await?;
        let view = FileView::new(ctx, &dataset, &input.with_fields).await?;
        let query = serde_json::to_string(&input.query).map_err(Error::internal)?;
        let identity = format!("{query}\n{}\n{}", input.sort, input.order);
        let tokens = PageToken::of(&dataset.id, &identity);
        let after = tokens.read(&input.next_token)?;
        let search = Search {
            dataset: &dataset,
            view: &view,
            plan: &plan,
            sort: &sort,
            after: after.as_ref(),
            limit: page_size(input.max_results),
            with_total: !input.without_total_hits,
        };
        let found = engine_of(&dataset)?.search(ctx, search).await?;
        let next_token = match found.rows.last() {
            Some((cursor, _)) if found.more => tokens.write(cursor)?,
            _ => String::new(),
        };
        let files = found.rows.iter().map(|(_, row)| view.render(row)).collect::<Result<_>>()?;
        Ok(QueryReply { files, next_token, total_hits: found.total })
    }
}
