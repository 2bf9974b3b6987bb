//! The reference semantics: whether a document satisfies a plan, and the value
//! that it is sorted by.

use std::cmp::Ordering;

use serde_json::Value;

use super::catalogue::{Field, FieldType};
use super::geo::Point;
use super::plan::{Condition, Literal, Plan, words};
use crate::file::Document;
use crate::model::Timestamp;

/// Whether a document satisfies a plan.
pub(crate) fn matches(plan: &Plan, document: &Document) -> bool {
    match plan {
        Plan::All => true,
        Plan::And(plans) => plans.iter().all(|plan| matches(plan, document)),
        Plan::Or(plans) => plans.iter().any(|plan| matches(plan, document)),
        Plan::Not(plans) => !plans.iter().any(|plan| matches(plan, document)),
        Plan::Leaf(field, condition) => {
            let mut found = false;
            visit(document, field, &mut |value| {
                found = found || holds(field, condition, value);
            });
            found
        }
        Plan::Nested(root, plan) => match document.get(root) {
            Some(Value::Array(elements)) => {
                elements.iter().filter_map(Value::as_object).any(|element| matches(plan, element))
            }
            _ => false,
        },
        Plan::Text(text) => text.score(document).is_some(),
    }
}

/// Calls `see` with each value that a document has in a field; arrays on the
/// way are flattened.
pub(crate) fn visit<'a>(document: &'a Document, field: &Field, see: &mut dyn FnMut(&'a Value)) {
    let Some((first, rest)) = field.path.split_first() else { return };
    let Some(value) = document.get(first) else { return };
    descend(value, rest, field.folded_key, see);
}

fn descend<'a>(value: &'a Value, path: &[String], folded: bool, see: &mut dyn FnMut(&'a Value)) {
    match (value, path.split_first()) {
        (Value::Array(items), _) => items.iter().for_each(|item| descend(item, path, folded, see)),
        (Value::Null, _) => {}
        (value, None) => see(value),
        (Value::Object(map), Some((key, rest))) if folded => map
            .iter()
            .filter(|(name, _)| same_folded(name, key))
            .for_each(|(_, inner)| descend(inner, rest, folded, see)),
        (Value::Object(map), Some((key, rest))) => {
            if let Some(inner) = map.get(key) {
                descend(inner, rest, folded, see);
            }
        }
        _ => {}
    }
}

/// Whether two keys are the same but for their case.
fn same_folded(a: &str, b: &str) -> bool {
    if a.is_ascii() && b.is_ascii() {
        a.eq_ignore_ascii_case(b)
    } else {
        a.to_lowercase() == b.to_lowercase()
    }
}

pub(super) fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A number as EXIF writes it: plain, or a fraction such as `28/10`.
pub(super) fn number_of(text: &str) -> Option<f64> {
    let text = text.trim();
    let number: f64 = match text.split_once('/') {
        Some((above, below)) => {
            let (above, below): (f64, f64) = (above.trim().parse().ok()?, below.trim().parse().ok()?);
            above / below
        }
        None => text.parse().ok()?,
    };
    number.is_finite().then_some(number)
}

/// How a value stands to a literal; `None` when they do not compare.
fn compare(field: &Field, value: &Value, literal: &Literal) -> Option<Ordering> {
    match (field.kind, literal) {
        (FieldType::Time, Literal::Int(nanos)) => Some(Timestamp::parse(value.as_str()?)?.0.cmp(nanos)),
        (FieldType::Int | FieldType::Float, literal) => {
            let text;
            let value = match value {
                Value::String(inner) => {
                    text = serde_json::from_str::<Value>(inner).ok()?;
                    &text
                }
                other => other,
            };
            match (value.as_i64(), literal) {
                (Some(value), Literal::Int(other)) => Some(value.cmp(other)),
                (_, Literal::Int(other)) => value.as_f64()?.partial_cmp(&(*other as f64)),
                (_, Literal::Float(other)) => value.as_f64()?.partial_cmp(other),
                _ => None,
            }
        }
        (FieldType::FoldedText, Literal::Text(other)) => Some(text_of(value).to_lowercase().cmp(other)),
        (FieldType::Mixed, Literal::Text(other)) => {
            let value = text_of(value);
            match (number_of(&value), number_of(other)) {
                (Some(a), Some(b)) => a.partial_cmp(&b),
                _ => Some(value.as_str().cmp(other)),
            }
        }
        (_, Literal::Text(other)) => Some(text_of(value).as_str().cmp(other)),
        _ => None,
    }
}

fn holds(field: &Field, condition: &Condition, value: &Value) -> bool {
    match condition {
        Condition::Exist => true,
        Condition::Within(area) => {
            value.as_str().and_then(Point::parse).is_some_and(|point| area.contains(point))
        }
        Condition::Eq(literal) => compare(field, value, literal) == Some(Ordering::Equal),
        Condition::Gt(literal) => compare(field, value, literal) == Some(Ordering::Greater),
        Condition::Lt(literal) => compare(field, value, literal) == Some(Ordering::Less),
        Condition::Gte(literal) => compare(field, value, literal).is_some_and(Ordering::is_ge),
        Condition::Lte(literal) => compare(field, value, literal).is_some_and(Ordering::is_le),
        Condition::Prefix(prefix) => {
            let text = text_of(value);
            match field.kind {
                FieldType::FoldedText => text.to_lowercase().starts_with(prefix.as_str()),
                _ => text.starts_with(prefix.as_str()),
            }
        }
        Condition::Phrase(phrase) => {
            words(&text_of(value)).windows(phrase.len()).any(|window| window == phrase)
        }
    }
}

/// A value to sort by.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub enum Sortable {
    /// A whole number or a time.
    #[serde(rename = "i")]
    Int(i64),
    /// A number with a fraction.
    #[serde(rename = "f")]
    Float(f64),
    /// Text.
    #[serde(rename = "t")]
    Text(String),
}

impl Sortable {
    /// The order of two values of one field.
    pub(crate) fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => a.cmp(b),
            (Self::Float(a), Self::Float(b)) => a.total_cmp(b),
            (Self::Int(a), Self::Float(b)) => (*a as f64).total_cmp(b),
            (Self::Float(a), Self::Int(b)) => a.total_cmp(&(*b as f64)),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            // Numbers before text, in fields that have both.
            (Self::Text(_), _) => Ordering::Greater,
            (_, Self::Text(_)) => Ordering::Less,
        }
    }
}

/// The value of a document in a field to sort by: the first, where there are
/// several.
pub(crate) fn sort_value(document: &Document, field: &Field) -> Option<Sortable> {
    let mut first = None;
    visit(document, field, &mut |value| {
        if first.is_none() {
            first = sortable(field, value);
        }
    });
    first
}

fn sortable(field: &Field, value: &Value) -> Option<Sortable> {
    match field.kind {
        FieldType::Int => value.as_i64().map(Sortable::Int).or_else(|| value.as_f64().map(Sortable::Float)),
        FieldType::Float => value.as_f64().map(Sortable::Float),
        FieldType::Time => Timestamp::parse(value.as_str()?).map(|time| Sortable::Int(time.0)),
        FieldType::FoldedText => Some(Sortable::Text(text_of(value).to_lowercase())),
        FieldType::Mixed => {
            let text = text_of(value);
            Some(number_of(&text).map_or(Sortable::Text(text), Sortable::Float))
        }
        FieldType::Text | FieldType::LatLong => Some(Sortable::Text(text_of(value))),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::query::QueryNode;
    use serde_json::json;

    #[test]
    fn every_scalar_operator() {
        let Value::Object(document) = json!({
            "Size": 90_000_000_000_000_001_i64, "ImageWidth": 4000, "OSSStorageClass": "Standard", "Duration": 12.5,
            "Filename": "Holiday/at 北京 3.5 sun set.jpg", "URI": "oss://b/Holiday/x.jpg",
            "ProduceTime": "2021-06-29T14:50:13+08:00", "CustomLabels": {"Category": "Pets"}, "LatLong": "48.858400,2.294500",
            "OSSTagging": {"Team": "A"}, "EXIF": {"FNumber": "28/10", "Make": "Canon"},
            "VideoStreams": [{"CodecName": "h264", "Width": 640}, {"CodecName": "hevc", "Width": 1920}]
        }) else {
            return;
        };
        let table = [
            ("Size", "eq", "90000000000000001", true),
            ("Size", "eq", "90000000000000000", false),
            ("Size", "gt", "90000000000000000", true),
            ("ImageWidth", "gte", "4000", true),
            ("ImageWidth", "lt", "4000.5", true),
            ("Duration", "lte", "12.5", true),
            ("Duration", "gt", "12.5", false),
            ("Filename", "prefix", "Holiday/", true),
            ("Filename", "prefix", "holiday/", false),
            ("Filename", "match-phrase", "Sun Set", true),
            ("Filename", "match", "Sun Set", true),
            ("Filename", "match", "set sun", false),
            ("Filename", "match-phrase", "set sun", false),
            ("Filename", "match-phrase", "set.jpg", true),
            ("Filename", "match-phrase", "3.5", true),
            ("Filename", "match-phrase", "北京", true),
            ("URI", "prefix", "s3://b/Holiday", true),
            ("ProduceTime", "eq", "2021-06-29T06:50:13Z", true),
            ("ProduceTime", "lt", "2021-06-29T06:50:13.5Z", true),
            ("ProduceTime", "gte", "2021-06-29", true),
            ("ProduceTime", "lt", "2021-06-29", false),
            ("ProduceTime", "lt", "2021-06-30", true),
            ("OSSStorageClass", "eq", "STANDARD", true),
            ("OSSStorageClass", "eq", "Standard", true),
            ("OSSStorageClass", "eq", "Archive", false),
            ("CustomLabels.category", "eq", "pets", true),
            ("CustomLabels.CATEGORY", "prefix", "PE", true),
            ("CustomLabels.other", "exist", "", false),
            ("OSSTagging.Team", "eq", "A", true),
            ("OSSTagging.team", "eq", "A", false),
            ("OSSTagging.Team", "eq", "a", false),
            ("EXIF.FNumber", "lt", "3", true),
            ("EXIF.Make", "eq", "Canon", true),
            ("VideoStreams.Width", "gt", "1000", true),
            ("VideoStreams.CodecName", "eq", "h264", true),
            ("Title", "exist", "", false),
            ("ImageWidth", "exist", "", true),
            ("LatLong", "geo-distance", "48.85,2.35;5000", true),
            ("LatLong", "geo-distance", "48.85,2.35;50", false),
            ("LatLong", "geo-bounding-box", "49,2;48,3", true),
            ("LatLong", "geo-polygon", "0,0;0,1;1,1", false),
            ("LatLong", "exist", "", true),
        ];
        for (field, operation, value, want) in table {
            let node: QueryNode =
                serde_json::from_value(json!({"Field": field, "Operation": operation, "Value": value}))
                    .unwrap();
            let plan = Plan::new(Some(&node)).unwrap();
            assert_eq!(matches(&plan, &document), want, "{field} {operation} {value}");
            assert_eq!(matches(&Plan::Not(vec![plan]), &document), !want, "not {field} {operation} {value}");
        }
    }

    #[test]
    fn nested_conditions_hold_for_one_element() {
        let Value::Object(document) = json!({"Figures": [
            {"Age": 40, "Gender": "female"}, {"Age": 20, "Gender": "male"}, {"Gender": "male"}]})
        else {
            return;
        };
        let age = json!({"Field": "Figures.Age", "Operation": "gt", "Value": "36"});
        let male = json!({"Field": "Figures.Gender", "Operation": "eq", "Value": "male"});
        let female = json!({"Field": "Figures.Gender", "Operation": "eq", "Value": "female"});
        let old = json!({"Field": "Figures.Age", "Operation": "exist"});
        let table = [
            (json!({"Operation": "and", "SubQueries": [age, male]}), true),
            (
                json!({"Operation": "nested", "SubQueries": [{"Operation": "and", "SubQueries": [age, male]}]}),
                false,
            ),
            (
                json!({"Operation": "nested", "SubQueries": [{"Operation": "and", "SubQueries": [age, female]}]}),
                true,
            ),
            (json!({"Operation": "nested", "SubQueries": [age]}), true),
            (
                json!({"Operation": "nested", "Field": "Figures", "SubQueries": [
                {"Operation": "and", "SubQueries": [male, {"Operation": "not", "SubQueries": [old]}]}]}),
                true,
            ),
            (
                json!({"Operation": "nested", "SubQueries": [
                {"Operation": "and", "SubQueries": [female, {"Operation": "not", "SubQueries": [old]}]}]}),
                false,
            ),
        ];
        for (node, want) in table {
            let plan = Plan::new(Some(&serde_json::from_value(node.clone()).unwrap())).unwrap();
            assert_eq!(matches(&plan, &document), want, "{node}");
        }
    }
}
