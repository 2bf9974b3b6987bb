//! From a query as it is sent to a typed plan.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use unicode_segmentation::UnicodeSegmentation;

use super::catalogue::{Field, FieldType, resolve};
use crate::error::{Error, Result};
use crate::model::{Limits, Timestamp};

/// `SimpleQuery`, as sent.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
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
}

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
            && query.sub_queries.as_ref().is_none_or(Vec::is_empty);
        if is_empty {
            return Ok(Self::All);
        }
        let mut conditions = 0;
        Self::build(query, 1, &mut conditions)
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

fn leaf(node: &QueryNode, operation: &str) -> Result<Plan> {
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
    let wrong = |right: &str| {
        Error::invalid_argument(format!(
            "The operation {operation} does not apply to the field {name}, which is {}; {right}.",
            describe(field.kind)
        ))
    };
    let is_text = matches!(field.kind, FieldType::Text | FieldType::FoldedText | FieldType::Mixed);
    let condition = match operation {
        "exist" => Condition::Exist,
        "eq" => Condition::Eq(literal(&field, &value)?),
        // The SDK's text prints "It" for lt.
        "gt" | "gte" | "lt" | "lte" | "It" | "Ite" => {
            if field.kind == FieldType::LatLong {
                return Err(wrong("use eq, prefix or exist"));
            }
            let literal = literal(&field, &value)?;
            match operation {
                "gt" => Condition::Gt(literal),
                "gte" => Condition::Gte(literal),
                "lt" | "It" => Condition::Lt(literal),
                _ => Condition::Lte(literal),
            }
        }
        "prefix" => {
            if !(is_text || field.kind == FieldType::LatLong) {
                return Err(wrong("use eq, gt, gte, lt, lte or exist"));
            }
            Condition::Prefix(fold(&field, &value))
        }
        "match-phrase" => {
            if !is_text {
                return Err(wrong("use eq, gt, gte, lt, lte or exist"));
            }
            let words = words(&value);
            if words.is_empty() {
                return Err(Error::invalid_argument(format!(
                    "The operation match-phrase on the field {name} needs a Value with words in it."
                )));
            }
            Condition::Phrase(words)
        }
        _ => {
            return Err(Error::invalid_argument(format!(
                "There is no operation {operation:?}; there are and, or, not, eq, gt, gte, lt, lte, prefix, match-phrase and exist."
            )));
        }
    };
    Ok(Plan::Leaf(field, condition))
}

fn describe(kind: FieldType) -> &'static str {
    match kind {
        FieldType::Text | FieldType::FoldedText | FieldType::Mixed => "text",
        FieldType::Int => "a whole number",
        FieldType::Float => "a number",
        FieldType::Time => "a time",
        FieldType::LatLong => "a place",
    }
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
            Timestamp::parse(value).ok_or_else(|| wrong("an RFC 3339 time such as 2026-01-31T12:00:00Z"))?.0,
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
            (json!({"Operation": "and"}), "needs SubQueries"),
            (deep, "nested 5 deep"),
            (wide, "100 conditions"),
        ];
        for (json, text) in table {
            let message = plan(json.clone()).unwrap_err();
            assert!(message.contains(text), "{json}: {message}");
        }
    }
}
