//! The order of results: up to five fields, then the URI.

use std::cmp::Ordering;

use super::catalogue::{Field, resolve};
use super::evaluate::{Sortable, sort_value};
use super::text::TextQuery;
use crate::error::{Error, Result};
use crate::file::Document;
use crate::model::Limits;

/// Which way a field is sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Smallest first.
    Ascending,
    /// Greatest first.
    Descending,
}

/// The fields to sort by, in their priority. Files without a value come last
/// either way; the URI, ascending, breaks ties, so that the order is total.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SortSpec {
    fields: Vec<(Field, Direction)>,
    /// Instead of fields: how well a text is answered, best first.
    relevance: Option<TextQuery>,
}

/// Where a file stands in an order.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct SortKey {
    /// Its values in the fields.
    #[serde(rename = "s")]
    pub values: Vec<Option<Sortable>>,
    /// Its URI.
    #[serde(rename = "u")]
    pub uri: String,
}

impl SortSpec {
    /// Reads `Sort` and `Order`. Without `Order` fields are sorted descending;
    /// where it has fewer entries than `Sort`, the others are sorted as `rest`
    /// says (SimpleQuery: descending, FuzzyQuery: ascending; semantics 0.2).
    ///
    /// # Errors
    /// `InvalidArgument`, `LimitExceededError`.
    pub fn new(sort: &str, order: &str, rest: Direction) -> Result<Self> {
        let list = |text: &str| -> Vec<String> {
            text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
        };
        let (names, orders) = (list(sort), list(order));
        if names.len() > Limits::SORT_FIELDS {
            return Err(Error::limit_exceeded(format!(
                "Results are sorted by at most {} fields.",
                Limits::SORT_FIELDS
            )));
        }
        if orders.len() > names.len() {
            return Err(Error::invalid("Order", "It has more entries than Sort."));
        }
        let mut fields = Vec::with_capacity(names.len());
        for (index, name) in names.iter().enumerate() {
            let field = resolve(name)?;
            if !field.sortable {
                return Err(Error::invalid_argument(format!(
                    "Results cannot be sorted by the field {name}."
                )));
            }
            let direction = match orders.get(index).map(String::as_str) {
                None if !orders.is_empty() => rest,
                None | Some("desc" | "DESC") => Direction::Descending,
                Some("asc" | "ASC") => Direction::Ascending,
                Some(other) => {
                    return Err(Error::invalid("Order", format!("{other:?} is neither asc nor desc.")));
                }
            };
            fields.push((field, direction));
        }
        Ok(Self { fields, relevance: None })
    }

    /// The best answers to a text first.
    pub fn by_relevance(text: TextQuery) -> Self {
        Self { fields: Vec::new(), relevance: Some(text) }
    }

    /// The fields.
    pub(crate) fn fields(&self) -> impl Iterator<Item = &Field> {
        self.fields.iter().map(|(field, _)| field)
    }

    /// The text whose answers are sorted by how good they are.
    pub(crate) fn relevance(&self) -> Option<&TextQuery> {
        self.relevance.as_ref()
    }

    /// Whether results simply come in the order of their URIs.
    pub fn is_by_uri(&self) -> bool {
        self.fields.is_empty() && self.relevance.is_none()
    }

    /// Where a document stands.
    pub(crate) fn key(&self, document: &Document, uri: String) -> SortKey {
        if let Some(text) = &self.relevance {
            return SortKey { values: vec![text.score(document).map(Sortable::Float)], uri };
        }
        SortKey { values: self.fields.iter().map(|(field, _)| sort_value(document, field)).collect(), uri }
    }

    /// The order of two files.
    pub fn compare(&self, a: &SortKey, b: &SortKey) -> Ordering {
        let by_relevance = self.relevance.iter().map(|_| &Direction::Descending);
        let directions = self.fields.iter().map(|(_, direction)| direction).chain(by_relevance);
        for ((direction, a), b) in directions.zip(&a.values).zip(&b.values) {
            let order = match (a, b) {
                (None, None) => Ordering::Equal,
                (None, Some(_)) => Ordering::Greater,
                (Some(_), None) => Ordering::Less,
                (Some(a), Some(b)) if *direction == Direction::Ascending => a.compare(b),
                (Some(a), Some(b)) => b.compare(a),
            };
            if order != Ordering::Equal {
                return order;
            }
        }
        a.uri.cmp(&b.uri)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn orders_are_read() {
        let spec = |sort: &str, order: &str| SortSpec::new(sort, order, Direction::Descending);
        let ascending = SortSpec::new("Size,Filename", "desc", Direction::Ascending).unwrap();
        assert_eq!(ascending, spec("Size,Filename", "desc,asc").unwrap());
        assert!(spec("", "").unwrap().is_by_uri());
        assert_eq!(spec("Size", "").unwrap(), spec("Size", "desc").unwrap());
        assert_eq!(spec("Size,Filename", "asc").unwrap(), spec("Size, Filename", "asc,desc").unwrap());
        for (sort, order) in [("Size", "asc,asc"), ("Size", "up"), ("Labels.LabelName", ""), ("Nope", "")] {
            assert!(spec(sort, order).is_err(), "{sort} {order}");
        }
        assert!(spec("Size,URI,ETag,Title,Album,Artist", "").is_err());
    }

    #[test]
    fn missing_values_come_last_and_uris_break_ties() {
        let spec = SortSpec::new("Size", "desc", Direction::Descending).unwrap();
        let key =
            |size: Option<i64>, uri: &str| SortKey { values: vec![size.map(Sortable::Int)], uri: uri.into() };
        let mut keys = [key(None, "a"), key(Some(1), "c"), key(Some(2), "z"), key(Some(1), "b")];
        keys.sort_by(|a, b| spec.compare(a, b));
        let uris: Vec<&str> = keys.iter().map(|k| k.uri.as_str()).collect();
        assert_eq!(uris, ["z", "b", "c", "a"]);
    }
}
