//! SimpleQuery, FuzzyQuery and SemanticQuery: one way from a plan to a reply.

mod fuzzy;
mod semantic;
mod simple;

use serde::Serialize;
use serde_json::Value;

use super::params::Kind::{Array, Bool, Int, Object, Text};
use super::{Call, NEXT_TOKEN, Param};
use crate::context::Context;
use crate::error::Result;
use crate::file::FileView;
use crate::query::{Aggregation, AggregationReply, PageToken, Plan, Search, SortSpec, engine_of};

pub(super) use fuzzy::FuzzyQuery;
pub(super) use semantic::SemanticQuery;
pub(super) use simple::SimpleQuery;

const SORT: Param = Param::optional("Sort", Text, "At most 5 fields, separated by commas.");
const ORDER: Param = Param::optional("Order", Text, "asc or desc for each of them; desc by default.");
const WITH_FIELDS: Param = Param::optional(
    "WithFields",
    Array,
    "The fields to give, also parts of nested ones (VideoStreams.CodecName); all by default.",
);
const WITH_STATS: Param =
    Param::optional("WithStats", Bool, "Also say what the query cost. An extension of the API.");

/// What a query cost.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Stats {
    /// Read request units of DynamoDB.
    read_units: f64,
    /// Calls of DynamoDB.
    store_calls: u64,
    /// From the beginning of the query to its answer.
    milliseconds: f64,
}

/// The reply of all of them, as the API's description has it.
const QUERY_REPLY: &[Param] = &[
    Param::optional("Files", Array, "The files of the page."),
    Param::optional("Aggregations", Array, "The aggregations that were asked for."),
    Param::optional("NextToken", Text, "Where the page ended; empty at the end."),
    Param::optional("TotalHits", Int(0, i64::MAX), "How many files satisfy the query."),
    Param::optional("Parse", Object, "How a text was understood."),
    Param::optional("Stats", Object, "What the query took."),
];

/// The reply of all of them.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct QueryReply {
    #[serde(skip_serializing_if = "Option::is_none")]
    files: Option<Vec<Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aggregations: Option<Vec<AggregationReply>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total_hits: Option<u64>,
    /// How a text was understood (SemanticQuery).
    #[serde(skip_serializing_if = "Option::is_none")]
    parse: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stats: Option<Stats>,
}

/// One query of a dataset.
struct Query<'a> {
    project: &'a str,
    dataset: &'a str,
    plan: Plan,
    sort: SortSpec,
    aggregations: Vec<Aggregation>,
    /// Files of a page, or groups of an aggregation.
    limit: usize,
    with_fields: &'a [String],
    with_total: bool,
    with_stats: bool,
    /// Where the page before ended, and all that decides which files come in
    /// which order; `None` where there is no paging.
    paging: Option<(&'a str, String)>,
}

impl Query<'_> {
    async fn run(self, ctx: &Context, call: &Call) -> Result<QueryReply> {
        let started = std::time::Instant::now();
        let ctx = &ctx.metered();
        let dataset = ctx.db.dataset(self.project, self.dataset).await?;
        let view = FileView::new(ctx, &dataset, self.with_fields).await?;
        let tokens = self.paging.as_ref().map(|(_, identity)| PageToken::of(&dataset.id, identity));
        let after = match (&tokens, &self.paging) {
            (Some(tokens), Some((token, _))) => tokens.read(token)?,
            _ => None,
        };
        let only_aggregates = !self.aggregations.is_empty();
        let search = Search {
            dataset: &dataset,
            view: &view,
            plan: &self.plan,
            sort: &self.sort,
            aggregations: &self.aggregations,
            groups: self.limit,
            after: after.as_ref(),
            limit: if only_aggregates { 0 } else { self.limit },
            with_total: self.with_total,
        };
        let found = engine_of(&dataset)?.search(ctx, search).await?;
        let mut reply = QueryReply { total_hits: found.total, ..QueryReply::default() };
        if only_aggregates {
            reply.aggregations = Some(found.aggregations);
        } else {
            reply.files = Some(found.rows.iter().map(|(_, row)| view.render(row)).collect::<Result<_>>()?);
            let last = found.rows.last().filter(|_| found.more);
            reply.next_token = match (tokens, last) {
                (Some(tokens), Some((cursor, _))) => Some(tokens.write(cursor)?),
                (Some(_), None) => Some(String::new()),
                (None, _) => None,
            };
        }
        let used = ctx.usage.read();
        let stats = Stats {
            read_units: used.read_units,
            store_calls: used.store_calls,
            milliseconds: (started.elapsed().as_secs_f64() * 1e6).round() / 1e3,
        };
        tracing::info!(
            request_id = call.request_id,
            dataset = dataset.id,
            read_units = stats.read_units,
            store_calls = stats.store_calls,
            milliseconds = stats.milliseconds,
            "query"
        );
        reply.stats = self.with_stats.then_some(stats);
        Ok(reply)
    }
}
