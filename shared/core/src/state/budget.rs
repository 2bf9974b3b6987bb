//! How many files the scans of a binding may remove: `DSID#{dataset id}` /
//! `BUDGET#{bucket}`.
//!
//! It is one budget for all scans of a period. If each scan took its limit from
//! the files that are left, scan after scan could remove a share of the rest until
//! nothing was left.

use aws_sdk_dynamodb::types::Put;
use serde::{Deserialize, Serialize};

use super::db::{Db, n, to_item, ttl_in_days};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::simulation::{Safeguard, is_off};

/// What scans may remove of a binding's files in a period, as stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    #[serde(rename = "PK")]
    pk: String,
    #[serde(rename = "SK")]
    sk: String,
    /// When the period began, in epoch seconds.
    pub since: i64,
    /// The most files that the dataset had when a scan asked in this period.
    pub files: i64,
    /// Files that scans may remove in the period.
    pub limit: i64,
    /// Files that they were granted to remove.
    pub used: i64,
    ttl: i64,
}

fn pk(dataset_id: &str) -> String {
    format!("DSID#{dataset_id}")
}

fn sk(bucket: &str) -> String {
    format!("BUDGET#{bucket}")
}

impl Budget {
    /// The budget at `now` (epoch seconds), of a dataset that has `files`: the one
    /// that was stored, grown with the dataset, or a new one when its period is over.
    pub fn at(
        stored: Option<&Self>,
        (dataset_id, bucket): (&str, &str),
        files: i64,
        now: i64,
        config: &Config,
    ) -> Self {
        let current =
            stored.filter(|budget| now - budget.since < config.guard_period && !is_off(Safeguard::Budget));
        let limit_of = |files: i64| {
            let share = (files as f64 * config.guard_share).ceil() as i64;
            share.max(config.guard_floor)
        };
        let most = current.map_or(files, |budget| budget.files.max(files));
        Self {
            pk: pk(dataset_id),
            sk: sk(bucket),
            since: current.map_or(now, |budget| budget.since),
            files: most,
            limit: limit_of(most),
            used: current.map_or(0, |budget| budget.used),
            ttl: ttl_in_days(2 + config.guard_period / 86_400),
        }
    }

    /// Files that may still be removed in the period.
    pub fn left(&self) -> i64 {
        (self.limit - self.used).max(0)
    }
}

impl Db {
    /// Reads the budget of a binding; `None` where no scan asked for one yet.
    pub async fn budget(&self, dataset_id: &str, bucket: &str) -> Result<Option<Budget>> {
        self.get(&pk(dataset_id), &sk(bucket)).await
    }

    /// The write of a budget, if the stored one is still what was `seen`.
    pub(super) fn put_budget(&self, seen: Option<&Budget>, budget: &Budget) -> Result<Put> {
        let put = Put::builder().table_name(self.state_table()).set_item(Some(to_item(budget)?));
        let put = match seen {
            None => put.condition_expression("attribute_not_exists(PK)"),
            Some(seen) => put
                .condition_expression("#since = :since AND #used = :used")
                .expression_attribute_names("#since", "since")
                .expression_attribute_names("#used", "used")
                .expression_attribute_values(":since", n(seen.since))
                .expression_attribute_values(":used", n(seen.used)),
        };
        put.build().map_err(Error::internal)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_remembered_and_grows_with_the_dataset_only() {
        let config = Config { guard_share: 0.5, guard_floor: 10, guard_period: 86_400, ..Config::default() };
        // Files, now; limit and used after, when 30 were used of it meanwhile.
        let table = [(100, 0, 50, 0), (40, 3600, 50, 30), (200, 7200, 100, 60), (40, 100_000, 20, 0)];
        let mut stored: Option<Budget> = None;
        for (files, now, limit, used) in table {
            let mut budget = Budget::at(stored.as_ref(), ("D", "b"), files, now, &config);
            assert_eq!((budget.limit, budget.used), (limit, used), "{files} files at {now}");
            assert_eq!(budget.left(), limit - used);
            budget.used += 30;
            stored = Some(budget);
        }
        let small = Budget::at(None, ("D", "b"), 3, 0, &config);
        assert_eq!(small.left(), 10);
    }
}
