//! SemanticQuery in its form without a model: a text becomes conditions.

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::dataset::DATASET;
use super::super::params::Kind::{Array, Int, Text};
use super::super::project::PROJECT;
use super::super::{Call, Operation, Param, page_size};
use super::fuzzy::check_length;
use super::{QUERY_REPLY, Query, QueryReply, WITH_FIELDS, WITH_STATS};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::gateway::Access;
use crate::model::Limits;
use crate::query::{
    Condition, Direction, Literal, PLACE_FIELDS, Parse, Plan, SortSpec, TextQuery, parse_text, resolve,
};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in super::super) struct SemanticInput {
    project_name: String,
    dataset_name: String,
    #[serde(default)]
    query: String,
    #[serde(rename = "SourceURI", default)]
    source_uri: String,
    #[serde(default)]
    media_types: Vec<String>,
    max_results: Option<i64>,
    #[serde(default)]
    with_fields: Vec<String>,
    #[serde(default)]
    with_stats: bool,
}

/// SemanticQuery: a text such as "photos of Hangzhou in 2023" as conditions on
/// the kind of file, its time, place and labels. How it was understood is in the
/// reply. What says none of kind, time or place is answered as by FuzzyQuery.
pub(in super::super) struct SemanticQuery;

const MEDIA_TYPES: &[&str] = &["image", "video", "audio", "document", "archive", "other"];

impl Operation for SemanticQuery {
    const NAME: &'static str = "SemanticQuery";
    const ACCESS: Access = Access::dataset("imm:SemanticQuery");
    const PARAMS: &'static [Param] = &[
        PROJECT,
        DATASET,
        Param::optional("Query", Text, "What to find, in English or Chinese."),
        Param::optional("SourceURI", Text, "An example image; not available in this operation."),
        Param::optional(
            "MediaTypes",
            Array,
            "Kinds of files: image, video, audio, document, archive, other.",
        ),
        Param::optional("MaxResults", Int(0, 100), "How many files; 100 by default. There is no paging."),
        Param::optional("NextToken", Text, "Without effect, as in the API."),
        WITH_FIELDS,
        WITH_STATS,
    ];
    const REPLY: &'static [Param] = QUERY_REPLY;
    type Input = SemanticInput;
    type Output = QueryReply;

    async fn run(ctx: &Context, call: &Call, input: SemanticInput) -> Result<QueryReply> {
        if !input.source_uri.is_empty() {
            return Err(Error::invalid(
                "SourceURI",
                "Searching by an example image is not available in this operation.",
            ));
        }
        if input.query.is_empty() {
            return Err(Error::missing("Query"));
        }
        if let Some(other) = input.media_types.iter().find(|name| !MEDIA_TYPES.contains(&name.as_str())) {
            return Err(Error::invalid(
                "MediaTypes",
                format!("{other:?} is none of {}.", MEDIA_TYPES.join(", ")),
            ));
        }
        check_length(&input.query)?;
        let parse = parse_text(&input.query, jiff::Timestamp::now());
        let (mut conditions, sort, shown) = understand(&input.query, &parse)?;
        if !input.media_types.is_empty() {
            conditions.push(any_of("MediaType", input.media_types.iter().map(String::as_str))?);
        }
        let query = Query {
            project: &input.project_name,
            dataset: &input.dataset_name,
            plan: Plan::And(conditions),
            sort,
            aggregations: Vec::new(),
            limit: page_size(input.max_results),
            with_fields: &input.with_fields,
            with_total: true,
            with_stats: input.with_stats,
            paging: None,
        };
        let mut reply = query.run(ctx, call).await?;
        reply.parse = Some(shown);
        Ok(reply)
    }
}

fn any_of<'a>(field: &str, values: impl Iterator<Item = &'a str>) -> Result<Plan> {
    let field = resolve(field)?;
    let is = |value: &str| Plan::Leaf(field.clone(), Condition::Eq(Literal::Text(value.to_owned())));
    Ok(Plan::Or(values.map(is).collect()))
}

/// The conditions that a text means, the order of the answers, and what a person
/// is shown of it.
fn understand(query: &str, parse: &Parse) -> Result<(Vec<Plan>, SortSpec, Value)> {
    if parse.is_empty() {
        let text = TextQuery::new(query)?;
        let sort = SortSpec::by_relevance(text.clone());
        return Ok((vec![Plan::Text(text)], sort, json!({"Fallback": "FuzzyQuery"})));
    }
    let mut conditions = Vec::new();
    if !parse.media_types.is_empty() {
        conditions.push(any_of("MediaType", parse.media_types.iter().copied())?);
    }
    if let Some(time) = &parse.time {
        let field = resolve("ProduceTime")?;
        if let Some(from) = time.from {
            conditions.push(Plan::Leaf(field.clone(), Condition::Gte(Literal::Int(from))));
        }
        if let Some(to) = time.to {
            conditions.push(Plan::Leaf(field, Condition::Lt(Literal::Int(to))));
        }
    }
    if parse.places.len() + parse.labels.len() > Limits::QUERY_CONDITIONS {
        return Err(Error::limit_exceeded(format!(
            "A text may have {} words to look for.",
            Limits::QUERY_CONDITIONS
        )));
    }
    let mut words = Vec::new();
    // One of the places is enough ("in Paris and London"); a file that has all
    // ("in Paris, France") comes first, by relevance.
    let mut places = Vec::new();
    for place in &parse.places {
        // A place that has no address is often in a folder's name or a label.
        if let Ok(text) = TextQuery::new(place) {
            places.push(Plan::Text(text.within(PLACE_FIELDS)));
            words.push(place.clone());
        }
    }
    if !places.is_empty() {
        conditions.push(Plan::Or(places));
    }
    for label in &parse.labels {
        let singular = singular(label);
        if let Ok(text) = TextQuery::new(singular) {
            conditions.push(Plan::Text(text));
            words.push(singular.to_owned());
        }
    }
    let sort = match TextQuery::new(&words.join(" ")) {
        Ok(text) => SortSpec::by_relevance(text),
        Err(_) => SortSpec::new("ProduceTime", "desc", Direction::Descending)?,
    };
    Ok((conditions, sort, serde_json::to_value(parse).map_err(Error::internal)?))
}

/// An English word without the s of its plural: words are looked for by their
/// beginnings, so that it finds both.
fn singular(word: &str) -> &str {
    match word.strip_suffix('s') {
        Some(stem) if stem.len() >= 3 && stem.bytes().all(|b| b.is_ascii_alphabetic()) => stem,
        _ => word,
    }
}
