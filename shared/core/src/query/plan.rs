//! From a query as it is sent to a typed plan.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use unicode_segmentation::UnicodeSegmentation;

use super::catalogue::{Field, FieldType, resolve};
use super::geo::Area;
use super::text::TextQuery;
use crate::error::{Error, Result};
use crate::model::{Limits, Timestamp};

/// `SimpleQuery`, as sent. A member that is not known (`field`) is refused: left
/// out, the condition would hold for every file.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default, deny_unknown_fields)]
pub struct QueryNode {
    /// The field, but for and, or, not.
    pub field: Option<String>,
    /// The operator.
    pub operation: Option<String>,
    /// What to compare with; text in the API, numbers are taken as well.
    pub value: Option<Value>,
    /// The conditions of and, or, not.
    pub sub_queries: Option<Vec<QueryNode>>,
}

/// A value to compare with, in the type of its field.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// A whole number, or nanoseconds of a time.
    Int(i64),
    /// A number with a fraction.
    Float(f64),
    /// Text, in lower case where the field's case does not matter.
    Text(String),
}

/// A condition on one field.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// Equal.
    Eq(Literal),
    /// Greater.
    Gt(Literal),
    /// Greater or equal.
    Gte(Literal),
    /// Less.
    Lt(Literal),
    /// Less or equal.
    Lte(Literal),
    /// Text that begins with this.
    Prefix(String),
    /// Text in which these words follow one another.
    Phrase(Vec<String>),
    /// There is a value.
    Exist,
    /// A place in this area.
    Within(Area),
}

/// A typed boolean expression over the catalogue.
#[derive(Debug, Clone, PartialEq)]
pub enum Plan {
    /// Every file.
    All,
    /// All of these hold.
    And(Vec<Plan>),
    /// One of these holds.
    Or(Vec<Plan>),
    /// None of these holds.
    Not(Vec<Plan>),
    /// A condition on a field: any of its values may satisfy it.
    Leaf(Field, Condition),
    /// One element of a field of nested types satisfies the whole of this plan,
    /// whose fields are those of the element.
    Nested(String, Box<Plan>),
    /// A text is found in the file's texts.
    Text(TextQuery),
}

/// Operators of conditions. The SDK's text prints "It" for lt.
const OPERATORS: &[&str] = &[
    "eq",
    "gt",
    "gte",
    "lt",
    "lte",
    "prefix",
    "match-phrase",
    "exist",
    "geo-distance",
    "geo-bounding-box",
    "geo-polygon",
    "It",
    "Ite",
    // The name that OSS's own search has for match-phrase.
    "match",
];

/// The words of a text: by Unicode's rules, in lower case; file names part at
/// dots and underscores as well, which those rules keep within a word. Numbers
/// stay whole.
pub(crate) fn words(text: &str) -> Vec<String> {
    text.unicode_words()
        .flat_map(|word| {
            let is_number = word.parse::<f64>().is_ok();
            word.split(move |c| !is_number && matches!(c, '.' | '_'))
        })
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

impl Plan {
    /// Checks a query and makes a plan of it; no query is every file.
    ///
    /// # Errors
    /// `InvalidArgument`, naming the field and the operator, and what would be right.
    pub fn new(query: Option<&QueryNode>) -> Result<Self> {
        let Some(query) = query else { return Ok(Self::All) };
        let is_empty = query.operation.as_deref().is_none_or(str::is_empty)
            && query.field.as_deref().is_none_or(str::is_empty)
            && query.sub_queries.as_ref().is_none_or(Vec::is_empty)
            && query.value.as_ref().is_none_or(|value| value.is_null() || value.as_str() == Some(""));
        if is_empty {
            return Ok(Self::All);
        }
        let mut conditions = 0;
        Self::build(query, 1, &mut conditions)
    }

    /// Calls `see` with every part of the plan, itself first. The parts of a
    /// nested plan are not shown: their fields are those of an element.
    pub(crate) fn visit(&self, see: &mut dyn FnMut(&Plan)) {
        see(self);
        match self {
            Self::And(plans) | Self::Or(plans) | Self::Not(plans) => {
                plans.iter().for_each(|plan| plan.visit(see));
            }
            _ => {}
        }
    }

    fn build(node: &QueryNode, depth: usize, conditions: &mut usize) -> Result<Self> {
        if depth > Limits::QUERY_DEPTH {
            return Err(Error::limit_exceeded(format!(
                "A query may be nested {} deep.",
                Limits::QUERY_DEPTH
            )));
        }
        let operation = node.operation.as_deref().unwrap_or_default();
        match operation {
            "and" | "or" | "not" => {
                let nodes = node.sub_queries.as_deref().unwrap_or_default();
                if nodes.is_empty() {
                    return Err(Error::invalid_argument(format!(
                        "The operation {operation} needs SubQueries."
                    )));
                }
                let plans = nodes
                    .iter()
                    .map(|node| Self::build(node, depth + 1, conditions))
                    .collect::<Result<Vec<_>>>()?;
                Ok(match operation {
                    "and" => Self::And(plans),
                    "or" => Self::Or(plans),
                    _ => Self::Not(plans),
                })
            }
            "nested" => nested(node, depth, conditions),
            "" => Err(Error::invalid_argument("A condition needs an Operation.")),
            _ => {
                *conditions += 1;
                if *conditions > Limits::QUERY_CONDITIONS {
                    return Err(Error::limit_exceeded(format!(
                        "A query may have {} conditions.",
                        Limits::QUERY_CONDITIONS
                    )));
                }
                leaf(node, operation)
            }
        }
    }
}

/// All conditions hold for one element of a field of nested types. They name
/// their fields in full; the field of the node itself may be left out.
fn nested(node: &QueryNode, depth: usize, conditions: &mut usize) -> Result<Plan> {
    let nodes = node.sub_queries.as_deref().unwrap_or_default();
    if nodes.is_empty() {
        return Err(Error::invalid_argument("The operation nested needs SubQueries."));
    }
    let plans =
        nodes.iter().map(|node| Plan::build(node, depth + 1, conditions)).collect::<Result<Vec<_>>>()?;
    let mut root = node.field.clone().filter(|name| !name.is_empty());
    let plans = plans.into_iter().map(|plan| relative(plan, &mut root)).collect::<Result<Vec<_>>>()?;
    match root {
        Some(root) => Ok(Plan::Nested(root, Box::new(Plan::And(plans)))),
        None => Err(Error::invalid_argument("The operation nested needs conditions on fields.")),
    }
}

/// A plan whose fields are those of an element of `root`, which its first
/// condition decides if nothing did before.
fn relative(plan: Plan, root: &mut Option<String>) -> Result<Plan> {
    let mut all = |plans: Vec<Plan>| -> Result<Vec<Plan>> {
        plans.into_iter().map(|plan| relative(plan, root)).collect()
    };
    Ok(match plan {
        Plan::And(plans) => Plan::And(all(plans)?),
        Plan::Or(plans) => Plan::Or(all(plans)?),
        Plan::Not(plans) => Plan::Not(all(plans)?),
        Plan::Leaf(mut field, condition) => {
            let Some(own) = field.nested_root else {
                return Err(Error::invalid_argument(format!(
                    "The field {} cannot stand in nested: it does not belong to an array of elements.",
                    field.name
                )));
            };
            if root.get_or_insert_with(|| own.to_owned()) != own {
                return Err(Error::invalid_argument(format!(
                    "All fields in nested must belong to one element: {} is not of {}.",
                    field.name,
                    root.as_deref().unwrap_or_default()
                )));
            }
            field.path.remove(0);
            Plan::Leaf(field, condition)
        }
        Plan::Nested(..) | Plan::Text(_) | Plan::All => {
            return Err(Error::invalid_argument("Only and, or, not and conditions stand in nested."));
        }
    })
}

fn leaf(node: &QueryNode, operation: &str) -> Result<Plan> {
    if operation == "fuzzy" {
        return fuzzy(node);
    }
    let name = node.field.as_deref().unwrap_or_default();
    if name.is_empty() {
        return Err(Error::invalid_argument(format!("The operation {operation} needs a Field.")));
    }
    let field = resolve(name)?;
    let value = match &node.value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    if !OPERATORS.contains(&operation) {
        return Err(Error::invalid_argument(format!(
            "There is no operation {operation:?}; there are and, or, not, nested, fuzzy, {}.",
            OPERATORS
                .iter()
                .filter(|name| !name.starts_with('I') && **name != "match")
                .copied()
                .collect::<Vec<_>>()
                .join(", ")
        )));
    }
    let canonical = match operation {
        "It" => "lt",
        "Ite" => "lte",
        "match" => "match-phrase",
        other => other,
    };
    if !field.kind.operators().contains(&canonical) {
        return Err(Error::invalid_argument(format!(
            "The operation {operation} does not apply to the field {name}, which is {}; use {}.",
            field.kind.describe(),
            field.kind.operators().join(", ")
        )));
    }
    let condition = match canonical {
        "eq" => Condition::Eq(literal(&field, &value)?),
        "gt" => Condition::Gt(literal(&field, &value)?),
        "gte" => Condition::Gte(literal(&field, &value)?),
        "lt" => Condition::Lt(literal(&field, &value)?),
        "lte" => Condition::Lte(literal(&field, &value)?),
        "prefix" => Condition::Prefix(fold(&field, &value)),
        "match-phrase" => {
            let words = words(&value);
            if words.is_empty() {
                return Err(Error::invalid_argument(format!(
                    "The operation {operation} on the field {name} needs a Value with words in it."
                )));
            }
            Condition::Phrase(words)
        }
        "geo-distance" => Condition::Within(Area::circle(&value)?),
        "geo-bounding-box" => Condition::Within(Area::bounding_box(&value)?),
        "geo-polygon" => Condition::Within(Area::polygon(&value)?),
        _ => Condition::Exist,
    };
    Ok(Plan::Leaf(field, condition))
}

/// A text to look for in all texts of a file, as FuzzyQuery does; in quotation
/// marks, words that follow one another. An extension of the API.
fn fuzzy(node: &QueryNode) -> Result<Plan> {
    if node.field.as_deref().is_some_and(|name| !name.is_empty()) {
        return Err(Error::invalid_argument("The operation fuzzy looks at all texts: it takes no Field."));
    }
    let value = node.value.as_ref().and_then(Value::as_str).unwrap_or_default();
    let quoted = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    Ok(Plan::Text(match quoted {
        Some(phrase) => TextQuery::phrase(phrase)?,
        None => TextQuery::new(value)?,
    }))
}

/// `oss://` and `s3://` name the same object; files are stored with the first.
fn fold(field: &Field, value: &str) -> String {
    if field.kind == FieldType::FoldedText {
        return value.to_lowercase();
    }
    match value.strip_prefix("s3://") {
        Some(rest) if field.name == "URI" => format!("oss://{rest}"),
        _ => value.to_owned(),
    }
}

fn literal(field: &Field, value: &str) -> Result<Literal> {
    let wrong = |right: &str| {
        Error::invalid_argument(format!("The value {value:?} of the field {} is not {right}.", field.name))
    };
    Ok(match field.kind {
        FieldType::Int => match value.trim().parse::<i64>() {
            Ok(number) => Literal::Int(number),
            Err(_) => Literal::Float(
                value.trim().parse().ok().filter(|n: &f64| n.is_finite()).ok_or_else(|| wrong("a number"))?,
            ),
        },
        FieldType::Float => Literal::Float(
            value.trim().parse().ok().filter(|n: &f64| n.is_finite()).ok_or_else(|| wrong("a number"))?,
        ),
        FieldType::Time => Literal::Int(
            Timestamp::parse_or_utc(value)
                .ok_or_else(|| wrong("an RFC 3339 time such as 2026-01-31T12:00:00Z, or a date"))?
                .0,
        ),
        FieldType::Text | FieldType::FoldedText | FieldType::LatLong | FieldType::Mixed => {
            Literal::Text(fold(field, value))
        }
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

    fn plan(json: Value) -> std::result::Result<Plan, String> {
        let node: QueryNode = serde_json::from_value(json).unwrap();
        Plan::new(Some(&node)).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn the_sdks_empty_lists_are_no_conditions() {
        let node = json!({"Operation": "and", "SubQueries": [
            {"Field": "Size", "Operation": "gt", "Value": "10", "SubQueries": []},
            {"Field": "CustomLabels.Category", "Operation": "eq", "Value": "Pets", "SubQueries": []}
        ]});
        let Plan::And(parts) = plan(node).unwrap() else { unreachable!() };
        assert_eq!(parts.len(), 2);
        assert_eq!(plan(json!({})).unwrap(), Plan::All);
        assert_eq!(plan(json!({"Value": "", "SubQueries": []})).unwrap(), Plan::All);
    }

    #[test]
    fn a_member_that_is_not_known_is_refused() {
        let table = [
            json!({"field": "Size", "operation": "eq", "value": "1"}),
            json!({"Field": "Size", "Operation": "eq", "Value": "1", "Boost": 2}),
            json!({"Operation": "and", "SubQueries": [{"Field": "Size", "operation": "eq", "Value": "1"}]}),
            json!({"Queries": []}),
        ];
        for query in table {
            let read = serde_json::from_value::<QueryNode>(query.clone());
            assert!(read.is_err_and(|error| error.to_string().contains("unknown field")), "{query}");
        }
    }

    #[test]
    fn a_date_is_the_beginning_of_its_day_in_utc() {
        let of =
            |value: &str| plan(json!({"Field": "ProduceTime", "Operation": "gte", "Value": value})).unwrap();
        for same in ["2008-01-01", "2008-01-01T00:00:00", "2008-01-01T01:00:00+01:00"] {
            assert_eq!(of(same), of("2008-01-01T00:00:00Z"), "{same}");
        }
    }

    #[test]
    fn errors_name_the_field_and_what_would_be_right() {
        let deep = (0..6).fold(
            json!({"Field": "Size", "Operation": "eq", "Value": "1"}),
            |inner, _| json!({"Operation": "and", "SubQueries": [inner]}),
        );
        let wide = json!({"Operation": "or", "SubQueries": vec![json!({"Field": "Size", "Operation": "eq", "Value": "1"}); 101]});
        let table = [
            (json!({"Field": "Nope", "Operation": "eq", "Value": "1"}), "no field \"Nope\""),
            (
                json!({"Field": "Size", "Operation": "prefix", "Value": "1"}),
                "does not apply to the field Size",
            ),
            (json!({"Field": "Size", "Operation": "eq", "Value": "big"}), "is not a number"),
            (json!({"Field": "ProduceTime", "Operation": "gt", "Value": "2021"}), "RFC 3339"),
            (json!({"Field": "Size", "Operation": "near", "Value": "1"}), "no operation \"near\""),
            (json!({"Field": "Size", "Value": "1"}), "needs an Operation"),
            (json!({"Operation": "eq", "Value": "1"}), "needs a Field"),
            (json!({"Value": "1"}), "needs an Operation"),
            (json!({"Field": "Size", "Operation": "match", "Value": "1"}), "match does not apply"),
            (json!({"Field": "Title", "Operation": "match", "Value": "-"}), "match on the field Title"),
            (json!({"Operation": "and"}), "needs SubQueries"),
            (json!({"Operation": "nested"}), "needs SubQueries"),
            (
                json!({"Operation": "nested", "SubQueries": [{"Field": "Size", "Operation": "eq", "Value": "1"}]}),
                "Size cannot stand in nested",
            ),
            (
                json!({"Operation": "nested", "SubQueries": [
                    {"Field": "Figures.Age", "Operation": "eq", "Value": "1"},
                    {"Field": "Labels.LabelName", "Operation": "eq", "Value": "x"}]}),
                "Labels.LabelName is not of Figures",
            ),
            (json!({"Field": "Size", "Operation": "geo-distance", "Value": "1,2;3"}), "use eq, gt"),
            (
                json!({"Field": "LatLong", "Operation": "gt", "Value": "1,2"}),
                "use eq, prefix, exist, geo-distance",
            ),
            (
                json!({"Field": "LatLong", "Operation": "geo-distance", "Value": "1,2"}),
                "latitude,longitude;metres",
            ),
            (json!({"Operation": "fuzzy", "Value": " "}), "letter or digit"),
            (json!({"Field": "Title", "Operation": "fuzzy", "Value": "x"}), "takes no Field"),
            (deep, "nested 5 deep"),
            (wide, "100 conditions"),
        ];
        for (json, text) in table {
            let message = plan(json.clone()).unwrap_err();
            assert!(message.contains(text), "{json}: {message}");
        }
    }
}
