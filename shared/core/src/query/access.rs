//! Which rows can satisfy a plan at all: what its conditions on the URI allow,
//! so that no others are read. The plan is still evaluated on each.

use super::plan::{Condition, Literal, Plan};
use crate::model::{Limits, ObjectUri};

/// The rows to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Access {
    /// Those of these objects.
    Keys(Vec<ObjectUri>),
    /// Those whose paths (`bucket/key`) lie between these, or begin with the second.
    Paths(String, String),
}

/// After every path.
const LAST: &str = "\u{10FFFF}";

impl Access {
    pub(super) fn of(plan: &Plan) -> Self {
        let all = || Self::Paths("!".to_owned(), LAST.to_owned());
        match plan {
            Plan::Leaf(field, condition) if field.name == "URI" => {
                of_condition(condition).unwrap_or_else(all)
            }
            Plan::And(plans) => plans.iter().map(Self::of).reduce(Self::both).unwrap_or_else(all),
            Plan::Or(plans) => plans.iter().map(Self::of).reduce(Self::either).unwrap_or_else(all),
            _ => all(),
        }
    }

    fn both(self, other: Self) -> Self {
        match (self, other) {
            (Self::Keys(keys), _) | (_, Self::Keys(keys)) => Self::Keys(keys),
            (Self::Paths(low, high), Self::Paths(other_low, other_high)) => {
                Self::Paths(low.max(other_low), high.min(other_high))
            }
        }
    }

    fn either(self, other: Self) -> Self {
        match (self, other) {
            (Self::Keys(mut keys), Self::Keys(others)) => {
                keys.extend(others);
                keys.sort();
                keys.dedup();
                Self::Keys(keys)
            }
            (Self::Paths(low, high), Self::Paths(other_low, other_high)) => {
                Self::Paths(low.min(other_low), high.max(other_high))
            }
            (Self::Keys(_), _) | (_, Self::Keys(_)) => Self::Paths("!".to_owned(), LAST.to_owned()),
        }
    }
}

fn of_condition(condition: &Condition) -> Option<Access> {
    let path = |text: &str| text.strip_prefix("oss://").map(str::to_owned);
    let literal = |literal: &Literal| match literal {
        Literal::Text(text) => path(text),
        _ => None,
    };
    Some(match condition {
        Condition::Eq(Literal::Text(text)) => {
            let uri = ObjectUri::parse("URI", text).ok()?;
            // Two texts that name one object are still two texts.
            if uri.to_string() != *text {
                return None;
            }
            Access::Keys(vec![uri])
        }
        Condition::Prefix(text) => {
            let path = path(text)?;
            Access::Paths(path.clone(), path)
        }
        Condition::Gt(value) | Condition::Gte(value) => Access::Paths(literal(value)?, LAST.to_owned()),
        Condition::Lt(value) | Condition::Lte(value) => Access::Paths("!".to_owned(), literal(value)?),
        _ => return None,
    })
}

const _: () = assert!(Limits::QUERY_CONDITIONS <= 100, "as many keys as one batch reads");

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::query::QueryNode;
    use serde_json::json;

    #[test]
    fn conditions_on_the_uri_bound_what_is_read() {
        let uri =
            |operation: &str, value: &str| json!({"Field": "URI", "Operation": operation, "Value": value});
        let size = json!({"Field": "Size", "Operation": "gt", "Value": "1"});
        let and = |parts: Vec<serde_json::Value>| json!({"Operation": "and", "SubQueries": parts});
        let or = |parts: Vec<serde_json::Value>| json!({"Operation": "or", "SubQueries": parts});
        let keys = |keys: &[&str]| Access::Keys(keys.iter().map(|key| ObjectUri::new("bkt", *key)).collect());
        let paths = |low: &str, high: &str| Access::Paths(low.into(), high.into());
        let table = [
            (size.clone(), paths("!", LAST)),
            (uri("eq", "s3://bkt/k"), keys(&["k"])),
            (and(vec![uri("eq", "oss://bkt/k"), size.clone()]), keys(&["k"])),
            (or(vec![uri("eq", "oss://bkt/k"), uri("eq", "oss://bkt/a")]), keys(&["a", "k"])),
            (or(vec![uri("eq", "oss://bkt/k"), size.clone()]), paths("!", LAST)),
            (and(vec![uri("prefix", "oss://bkt/x/"), size.clone()]), paths("bkt/x/", "bkt/x/")),
            (and(vec![uri("gte", "oss://bkt/a"), uri("lt", "oss://bkt/c")]), paths("bkt/a", "bkt/c")),
            (uri("gte", "a"), paths("!", LAST)),
            (uri("eq", "oss://bkt"), paths("!", LAST)),
            (json!({"Operation": "not", "SubQueries": [uri("eq", "oss://bkt/k")]}), paths("!", LAST)),
        ];
        for (node, want) in table {
            let node: QueryNode = serde_json::from_value(node).unwrap();
            assert_eq!(Access::of(&Plan::new(Some(&node)).unwrap()), want, "{node:?}");
        }
    }
}
