//! Which fields a query looks at, so that nothing else is decoded.

use std::collections::BTreeSet;

use super::aggregate::Aggregation;
use super::catalogue::Field;
use super::order::SortSpec;
use super::plan::Plan;
use crate::file::HEAD_FIELDS;

/// The fields that are looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Needs {
    /// All of them.
    All,
    /// These, by the first part of their paths, and of EXIF these tags in lower
    /// case.
    Some {
        /// First parts of paths, `EXIF` not among them.
        fields: BTreeSet<String>,
        /// EXIF tags.
        tags: BTreeSet<String>,
    },
}

impl Needs {
    /// None yet.
    pub fn none() -> Self {
        Self::Some { fields: BTreeSet::new(), tags: BTreeSet::new() }
    }

    /// What a search looks at before it knows which files it shows.
    pub fn of(plan: &Plan, sort: &SortSpec, aggregations: &[Aggregation]) -> Self {
        let mut needs = Self::none();
        plan.visit(&mut |leaf| match leaf {
            Plan::Leaf(field, _) => needs.add(field),
            Plan::Nested(root, _) => needs.add_name(root),
            Plan::Text(text) => text.fields().for_each(|name| needs.add_name(name)),
            _ => {}
        });
        sort.fields().for_each(|field| needs.add(field));
        if let Some(text) = sort.relevance() {
            text.fields().for_each(|name| needs.add_name(name));
        }
        aggregations.iter().for_each(|aggregation| needs.add(&aggregation.field));
        needs
    }

    fn add(&mut self, field: &Field) {
        match (self, field.path.as_slice()) {
            (Self::Some { tags, .. }, [map, tag]) if map == "EXIF" => {
                tags.insert(tag.to_lowercase());
            }
            (needs, [first, ..]) => needs.add_name(first),
            _ => {}
        }
    }

    /// Adds a field by the first part of its path.
    pub fn add_name(&mut self, name: &str) {
        if let Self::Some { fields, .. } = self {
            fields.insert(name.to_owned());
            // What the template lacks depends on these.
            if name == "Reason" {
                fields.extend(["MediaType", "LatLong", "Addresses"].map(str::to_owned));
            }
        }
    }

    /// Whether a field is looked at.
    pub fn wants(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Some { tags, .. } if name == "EXIF" && !tags.is_empty() => true,
            Self::Some { fields, .. } => fields.contains(name),
        }
    }

    /// The EXIF tags that are looked at, in lower case; `None` is all of them.
    pub fn tags(&self) -> Option<&BTreeSet<String>> {
        match self {
            Self::Some { fields, tags } if !fields.contains("EXIF") => Some(tags),
            _ => None,
        }
    }

    /// Whether the extracted record must be decoded, or a row's head does.
    pub fn record(&self) -> bool {
        match self {
            Self::All => true,
            Self::Some { fields, tags } => {
                !tags.is_empty() || fields.iter().any(|name| !HEAD_FIELDS.contains(&name.as_str()))
            }
        }
    }
}
