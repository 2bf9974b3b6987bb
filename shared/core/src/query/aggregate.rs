//! Aggregations: numbers and groups over all files that satisfy a query.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use xxhash_rust::xxh3::xxh3_128;

use super::catalogue::{Field, FieldType, resolve};
use super::evaluate::{number_of, text_of, visit};
use crate::error::{Error, Result};
use crate::file::Document;
use crate::model::{Limits, Timestamp};

/// Distinct values that one aggregation holds, at most: about 100 MB of short
/// texts.
const MAX_VALUES: usize = 1_000_000;

/// An aggregation, as sent.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct AggregationNode {
    /// The field.
    pub field: Option<String>,
    /// min, max, average, sum, count, distinct, group, or date_histogram.
    pub operation: Option<String>,
    /// Of date_histogram: year, month (the default), week, day or hour. What
    /// follows a colon in the operation says the same, for clients whose types
    /// do not have this member.
    pub interval: Option<String>,
}

/// What is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// The smallest value.
    Min,
    /// The greatest value.
    Max,
    /// The mean of the values.
    Average,
    /// Their sum.
    Sum,
    /// How many values there are.
    Count,
    /// How many different values there are.
    Distinct,
    /// The files by value.
    Group,
    /// The files by period of a time, in UTC.
    DateHistogram(Interval),
}

/// A period of a calendar, in UTC; weeks begin on Monday.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interval {
    /// From 1 January.
    Year,
    /// From the first day.
    Month,
    /// From Monday.
    Week,
    /// From midnight.
    Day,
    /// From the full hour.
    Hour,
}

/// An aggregation, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Aggregation {
    /// The field.
    pub field: Field,
    /// What is computed.
    pub operator: Operator,
    /// The operation as the caller wrote it.
    name: String,
}

/// One group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Group {
    /// The value; of a date_histogram the beginning of the period, RFC 3339.
    pub value: String,
    /// How many files (for fields with several values: values) it has.
    pub count: u64,
}

/// The result of an aggregation.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct AggregationReply {
    /// The field.
    pub field: String,
    /// The operation.
    pub operation: String,
    /// The number; times in milliseconds since the epoch. Absent for groups, and
    /// where there was no value to compute it from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// The groups: by count, greatest first, then by value; periods in their order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<Vec<Group>>,
}

impl Aggregation {
    /// Checks the aggregations of a call.
    ///
    /// # Errors
    /// `InvalidArgument` or `LimitExceededError`, saying what would be right.
    pub fn read(nodes: &[AggregationNode]) -> Result<Vec<Self>> {
        if nodes.len() > Limits::AGGREGATIONS {
            return Err(Error::limit_exceeded(format!(
                "A query may have {} aggregations.",
                Limits::AGGREGATIONS
            )));
        }
        nodes.iter().map(Self::new).collect()
    }

    fn new(node: &AggregationNode) -> Result<Self> {
        let name = node.operation.as_deref().unwrap_or_default();
        let field = match node.field.as_deref().unwrap_or_default() {
            "" => return Err(Error::invalid_argument(format!("The aggregation {name} needs a Field."))),
            field => resolve(field)?,
        };
        let (base, suffix) = name.split_once(':').unwrap_or((name, ""));
        let operator = match base {
            "min" => Operator::Min,
            "max" => Operator::Max,
            "average" | "avg" => Operator::Average,
            "sum" => Operator::Sum,
            "count" => Operator::Count,
            "distinct" => Operator::Distinct,
            "group" => Operator::Group,
            "date_histogram" => {
                let interval = node.interval.as_deref().filter(|text| !text.is_empty());
                Operator::DateHistogram(Interval::parse(interval.unwrap_or(suffix))?)
            }
            _ => {
                return Err(Error::invalid_argument(format!(
                    "There is no aggregation {name:?}; there are min, max, average, sum, count, distinct, group and date_histogram."
                )));
            }
        };
        let numeric =
            matches!(field.kind, FieldType::Int | FieldType::Float | FieldType::Time | FieldType::Mixed);
        let applies = match operator {
            Operator::Min | Operator::Max | Operator::Average => numeric,
            Operator::Sum => numeric && field.kind != FieldType::Time,
            Operator::DateHistogram(_) => field.kind == FieldType::Time,
            Operator::Count | Operator::Distinct | Operator::Group => true,
        };
        if !applies {
            let right = match field.kind {
                FieldType::Time => "min, max, average, count, distinct, group or date_histogram",
                FieldType::Int | FieldType::Float | FieldType::Mixed => {
                    "min, max, average, sum, count, distinct or group"
                }
                _ => "count, distinct or group",
            };
            return Err(Error::invalid_argument(format!(
                "The aggregation {base} does not apply to the field {}, which is {}; use {right}.",
                field.name,
                field.kind.describe()
            )));
        }
        Ok(Self { field, operator, name: name.to_owned() })
    }
}

impl Interval {
    fn parse(text: &str) -> Result<Self> {
        Ok(match text {
            "year" => Self::Year,
            "" | "month" => Self::Month,
            "week" => Self::Week,
            "day" => Self::Day,
            "hour" => Self::Hour,
            other => {
                return Err(Error::invalid_argument(format!(
                    "The interval {other:?} is none of year, month, week, day and hour."
                )));
            }
        })
    }

    /// The beginning of the period that a moment lies in, in seconds.
    fn start(self, nanos: i64) -> Option<i64> {
        let time = jiff::Timestamp::from_second(nanos.div_euclid(1_000_000_000)).ok()?;
        let time = time.to_zoned(jiff::tz::TimeZone::UTC);
        let date = time.date();
        let date = match self {
            Self::Hour => return Some(time.timestamp().as_second().div_euclid(3600) * 3600),
            Self::Day => date,
            Self::Week => {
                let days = i64::from(date.weekday().to_monday_zero_offset());
                date.checked_sub(jiff::Span::new().try_days(days).ok()?).ok()?
            }
            Self::Month => date.first_of_month(),
            Self::Year => date.first_of_year(),
        };
        Some(date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second())
    }
}

/// What is held of one aggregation while files are read.
#[derive(Debug, Clone, Default)]
struct Held {
    count: u64,
    sum: f64,
    /// The sum of whole numbers, exact.
    whole: i128,
    min: Option<f64>,
    max: Option<f64>,
    distinct: std::collections::HashSet<u128>,
    /// By folded value: the value as shown, how often.
    groups: HashMap<String, (String, u64)>,
    periods: std::collections::BTreeMap<i64, u64>,
}

/// Aggregates files, of a part of the dataset or of all of it.
#[derive(Debug, Clone)]
pub(crate) struct Aggregator {
    held: Vec<Held>,
}

fn too_many(aggregation: &Aggregation) -> Error {
    Error::limit_exceeded(format!(
        "The aggregation {} of the field {} has more than {MAX_VALUES} different values; narrow down the query.",
        aggregation.name, aggregation.field.name
    ))
}

impl Aggregator {
    pub(crate) fn new(aggregations: &[Aggregation]) -> Self {
        Self { held: vec![Held::default(); aggregations.len()] }
    }

    pub(crate) fn add(&mut self, aggregations: &[Aggregation], document: &Document) -> Result<()> {
        for (aggregation, held) in aggregations.iter().zip(&mut self.held) {
            visit(document, &aggregation.field, &mut |value| held.add(aggregation, value));
            if held.size() > MAX_VALUES {
                return Err(too_many(aggregation));
            }
        }
        Ok(())
    }

    pub(crate) fn merge(&mut self, aggregations: &[Aggregation], other: Self) -> Result<()> {
        for ((aggregation, held), other) in aggregations.iter().zip(&mut self.held).zip(other.held) {
            held.merge(other);
            if held.size() > MAX_VALUES {
                return Err(too_many(aggregation));
            }
        }
        Ok(())
    }

    /// The results, with at most `groups` groups each.
    pub(crate) fn finish(self, aggregations: &[Aggregation], groups: usize) -> Vec<AggregationReply> {
        aggregations
            .iter()
            .zip(self.held)
            .map(|(aggregation, held)| held.finish(aggregation, groups))
            .collect()
    }
}

impl Held {
    fn size(&self) -> usize {
        self.distinct.len().max(self.groups.len()).max(self.periods.len())
    }

    fn add(&mut self, aggregation: &Aggregation, value: &Value) {
        match aggregation.operator {
            Operator::Count => self.count += 1,
            Operator::Distinct => {
                self.distinct.insert(xxh3_128(group_key(aggregation.field.kind, value).0.as_bytes()));
            }
            Operator::Group => {
                let (key, shown) = group_key(aggregation.field.kind, value);
                self.put(key, shown, 1);
            }
            Operator::DateHistogram(interval) => {
                let time = value.as_str().and_then(Timestamp::parse);
                if let Some(start) = time.and_then(|time| interval.start(time.0)) {
                    *self.periods.entry(start).or_default() += 1;
                }
            }
            Operator::Min | Operator::Max | Operator::Average | Operator::Sum => {
                let Some(number) = number(aggregation.field.kind, value) else { return };
                self.count += 1;
                self.min = Some(self.min.map_or(number, |min| min.min(number)));
                self.max = Some(self.max.map_or(number, |max| max.max(number)));
                match value.as_i64() {
                    Some(whole) => self.whole += i128::from(whole),
                    None => self.sum += number,
                }
            }
        }
    }

    /// Counts a group; of several spellings the first in order is shown, so that
    /// the answer does not depend on which file came first.
    fn put(&mut self, key: String, shown: String, count: u64) {
        let group = self.groups.entry(key).or_insert_with(|| (shown.clone(), 0));
        if shown < group.0 {
            group.0 = shown;
        }
        group.1 += count;
    }

    fn merge(&mut self, other: Self) {
        self.count += other.count;
        self.sum += other.sum;
        self.whole += other.whole;
        self.min = self.min.into_iter().chain(other.min).reduce(f64::min);
        self.max = self.max.into_iter().chain(other.max).reduce(f64::max);
        self.distinct.extend(other.distinct);
        other.groups.into_iter().for_each(|(key, (shown, count))| self.put(key, shown, count));
        other.periods.into_iter().for_each(|(start, count)| *self.periods.entry(start).or_default() += count);
    }

    fn finish(self, aggregation: &Aggregation, limit: usize) -> AggregationReply {
        let total = self.whole as f64 + self.sum;
        let value = match aggregation.operator {
            Operator::Min => self.min,
            Operator::Max => self.max,
            Operator::Average => (self.count > 0).then(|| total / self.count as f64),
            Operator::Sum => Some(total),
            Operator::Count => Some(self.count as f64),
            Operator::Distinct => Some(self.distinct.len() as f64),
            Operator::Group | Operator::DateHistogram(_) => None,
        };
        let groups = match aggregation.operator {
            Operator::Group => {
                let mut groups: Vec<Group> =
                    self.groups.into_values().map(|(value, count)| Group { value, count }).collect();
                groups.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.value.cmp(&b.value)));
                groups.truncate(limit);
                Some(groups)
            }
            Operator::DateHistogram(_) => Some(
                self.periods
                    .into_iter()
                    .take(limit)
                    .map(|(start, count)| Group { value: moment(start), count })
                    .collect(),
            ),
            _ => None,
        };
        AggregationReply {
            field: aggregation.field.name.clone(),
            operation: aggregation.name.clone(),
            value,
            groups,
        }
    }
}

/// A moment in whole seconds, RFC 3339.
fn moment(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map(|time| time.to_string()).unwrap_or_default()
}

/// A number to compute with: of times, milliseconds since the epoch.
fn number(kind: FieldType, value: &Value) -> Option<f64> {
    match kind {
        FieldType::Time => Timestamp::parse(value.as_str()?).map(|time| (time.0 / 1_000) as f64 / 1_000.0),
        FieldType::Mixed => number_of(&text_of(value)),
        _ => value.as_f64(),
    }
}

/// What makes two values the same, and how the value is shown.
fn group_key(kind: FieldType, value: &Value) -> (String, String) {
    let text = text_of(value);
    match kind {
        FieldType::FoldedText => (text.to_lowercase(), text),
        FieldType::Time => match Timestamp::parse(&text) {
            Some(time) => (time.to_string(), time.to_string()),
            None => (text.clone(), text),
        },
        _ => (text.clone(), text),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(field: &str, operation: &str) -> std::result::Result<Aggregation, String> {
        let node =
            AggregationNode { field: Some(field.into()), operation: Some(operation.into()), interval: None };
        Aggregation::new(&node).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn aggregations_over_files() {
        let files = [
            json!({"Size": 9_007_199_254_740_993_i64, "CustomLabels": {"a": "Pets"}, "EXIF": {"Make": "Canon", "FNumber": "28/10"}, "ProduceTime": "2021-06-29T23:30:00-02:00"}),
            json!({"Size": 3, "CustomLabels": {"A": "pets"}, "EXIF": {"Make": "Nikon", "FNumber": "4"}, "ProduceTime": "2021-06-30T10:00:00Z", "Keywords": ["x", "y"]}),
            json!({"Size": 4, "EXIF": {"Make": "Canon"}, "ProduceTime": "1969-12-31T23:59:59Z", "Keywords": ["x"]}),
            json!({}),
        ];
        let numbers = [
            ("Size", "min", Some(3.0)),
            ("Size", "max", Some(9_007_199_254_740_993.0)),
            ("Size", "sum", Some(9_007_199_254_741_000.0)),
            ("Size", "count", Some(3.0)),
            ("Size", "average", Some(9_007_199_254_741_000.0 / 3.0)),
            ("EXIF.FNumber", "average", Some(3.4)),
            ("EXIF.Make", "distinct", Some(2.0)),
            ("Keywords", "count", Some(3.0)),
            ("CustomLabels.a", "distinct", Some(1.0)),
            ("ProduceTime", "min", Some(-1000.0)),
            ("Duration", "max", None),
            ("Duration", "sum", Some(0.0)),
        ];
        type Counts<'a> = &'a [(&'a str, u64)];
        let groups: [(&str, &str, Counts<'_>); 6] = [
            ("EXIF.Make", "group", &[("Canon", 2), ("Nikon", 1)]),
            ("Keywords", "group", &[("x", 2), ("y", 1)]),
            ("CustomLabels.a", "group", &[("Pets", 2)]),
            (
                "ProduceTime",
                "date_histogram:day",
                &[("1969-12-31T00:00:00Z", 1), ("2021-06-30T00:00:00Z", 2)],
            ),
            (
                "ProduceTime",
                "date_histogram:week",
                &[("1969-12-29T00:00:00Z", 1), ("2021-06-28T00:00:00Z", 2)],
            ),
            (
                "ProduceTime",
                "date_histogram:year",
                &[("1969-01-01T00:00:00Z", 1), ("2021-01-01T00:00:00Z", 2)],
            ),
        ];
        let run = |field: &str, operation: &str| {
            let aggregations = vec![read(field, operation).unwrap()];
            // In two halves, as partitions are.
            let mut all = Aggregator::new(&aggregations);
            for half in files.chunks(2) {
                let mut part = Aggregator::new(&aggregations);
                for file in half {
                    part.add(&aggregations, file.as_object().unwrap()).unwrap();
                }
                all.merge(&aggregations, part).unwrap();
            }
            all.finish(&aggregations, 100).pop().unwrap()
        };
        for (field, operation, want) in numbers {
            let reply = run(field, operation);
            assert_eq!((reply.value, reply.groups), (want, None), "{field} {operation}");
        }
        for (field, operation, want) in groups {
            let reply = run(field, operation);
            let found = reply.groups.unwrap();
            let found: Vec<(&str, u64)> = found.iter().map(|g| (g.value.as_str(), g.count)).collect();
            assert_eq!(found, want, "{field} {operation}");
        }
    }

    #[test]
    fn errors_say_what_would_be_right() {
        let table = [
            ("Title", "sum", "use count, distinct or group"),
            ("Size", "date_histogram", "does not apply to the field Size"),
            ("ProduceTime", "sum", "date_histogram"),
            ("Size", "median", "no aggregation \"median\""),
            ("Nope", "sum", "no field \"Nope\""),
            ("", "sum", "needs a Field"),
            ("ProduceTime", "date_histogram:decade", "none of year"),
        ];
        for (field, operation, text) in table {
            let message = read(field, operation).unwrap_err();
            assert!(message.contains(text), "{field} {operation}: {message}");
        }
    }
}
