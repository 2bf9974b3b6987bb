//! What AWS bills for: counts that were measured, times list prices.
//!
//! The counts are those of BENCHMARKS.md, which says how to measure them
//! again; the prices are a dated table in `prices.json`.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// List prices in USD; a million means per million.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the names say what is counted and per how many")]
pub struct Prices {
    pub as_of: String,
    pub region: String,
    pub note: String,
    pub dynamodb_write_million: f64,
    pub dynamodb_read_million: f64,
    pub dynamodb_storage_gb_month: f64,
    pub dynamodb_backup_gb_month: f64,
    pub s3_get_million: f64,
    pub s3_list_million: f64,
    pub sqs_request_million: f64,
    pub lambda_request_million: f64,
    pub lambda_arm64_gb_second: f64,
    pub states_transition_million: f64,
    pub logs_ingest_gb: f64,
    pub secret_month: f64,
    pub alarm_month: f64,
    pub metric_month: f64,
    pub dashboard_month: f64,
}

impl Prices {
    /// The table of the repository.
    ///
    /// # Errors
    /// Never, while `prices.json` is what the tests saw.
    pub fn listed() -> Result<Self> {
        Self::parse(include_str!("prices.json"))
    }

    /// A table of one's own, of the same form.
    ///
    /// # Errors
    /// `InvalidJSON`.
    pub fn parse(text: &str) -> Result<Self> {
        serde_json::from_str(text).map_err(|error| Error::invalid_json("prices", error))
    }
}

/// What was measured, per file unless it says otherwise (BENCHMARKS.md).
mod measured {
    /// Write units of a new file in a scan, with its counters.
    pub(super) const SCAN_WRITES: f64 = 2.03;
    /// Write units of a file that an event brought, in batches of one.
    pub(super) const EVENT_WRITES: f64 = 2.10;
    /// Read units of a new file in a scan.
    pub(super) const SCAN_READS: f64 = 0.025;
    /// Read units of an unchanged file in a scan for differences.
    pub(super) const RESCAN_READS: f64 = 0.034;
    /// HEADs of a file whose content is not read.
    pub(super) const HEADS: f64 = 1.0;
    /// GETs of the tags of an unchanged file, where scans compare them.
    pub(super) const TAGS: f64 = 1.0;
    /// GETs of a file whose content is read: of small ones, which the first GET
    /// has as a whole, and of others.
    pub(super) const GETS_SMALL: f64 = 1.0;
    pub(super) const GETS: f64 = 1.09;
    /// Bytes that the first GET asks for.
    pub(super) const FIRST_GET_BYTES: f64 = 65_536.0;
    /// Read units of a query for each file that it has to read.
    pub(super) const QUERY_READS: f64 = 0.0557;
    /// Bytes of a row as the store bills them: measured, and 100 that DynamoDB adds.
    pub(super) const ROW_BYTES: f64 = 446.0 + 100.0;
    /// Seconds of a function for a new file, at the memory below.
    pub(super) const FILE_SECONDS: f64 = 0.002;
    /// Seconds of a function for an unchanged file.
    pub(super) const RESCAN_SECONDS: f64 = 0.000_1;
    /// Seconds of the gateway for each file that a query has to read.
    pub(super) const QUERY_SECONDS: f64 = 0.000_009;
    /// Seconds of the gateway for a request without that.
    pub(super) const REQUEST_SECONDS: f64 = 0.012;
    /// Keys that a call of ListObjectsV2 gives.
    pub(super) const KEYS_A_LIST: f64 = 1000.0;
    /// Requests of SQS for an event: sent, and a tenth each received and deleted.
    pub(super) const SQS_REQUESTS: f64 = 1.2;
    /// Events that a call of the worker gets.
    pub(super) const EVENTS_A_CALL: f64 = 10.0;
    /// Files that one call of a scan's step handles before it hands on.
    pub(super) const FILES_A_STEP: f64 = 100_000.0;
    /// Transitions of the state machine for a step, with its check.
    pub(super) const TRANSITIONS_A_STEP: f64 = 3.0;
    /// Write units of a request to the API: its nonce, and the count of its second.
    pub(super) const REQUEST_WRITES: f64 = 2.0;
    /// Bytes that a request, or a call of a function, writes to the log.
    pub(super) const LOG_BYTES: f64 = 700.0;
}

/// GB of memory that a worker has, and the gateway.
const WORKER_GB: f64 = 1.0;
const GATEWAY_GB: f64 = 1769.0 / 1024.0;

/// What the bill is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Usage {
    /// Files in the index.
    pub objects: f64,
    /// Objects that are written, overwritten or deleted in a month.
    pub changes: f64,
    /// Queries in a month.
    pub queries: f64,
    /// Files that a query has to read: those of its dataset, unless it is by URI.
    pub files_a_query: f64,
    /// Scans for differences in a month.
    pub rescans: f64,
    /// What is read of an object.
    pub content: Content,
    /// Whether scans for differences read the tags of unchanged objects: of
    /// datasets whose content is not read, unless it is switched off.
    pub tags: bool,
}

/// What is read of an object.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Content {
    /// What storage says of it and no content: the template Official:OSSBasicMeta.
    Nothing,
    /// Ranges of objects of so many bytes on average.
    Ranges(f64),
}

impl Content {
    /// Requests for an object, on average; a HEAD costs as much as a GET.
    fn gets(self) -> f64 {
        match self {
            Self::Nothing => measured::HEADS,
            Self::Ranges(size) if size <= measured::FIRST_GET_BYTES => measured::GETS_SMALL,
            Self::Ranges(_) => measured::GETS,
        }
    }
}

/// A line of the bill.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Item {
    /// What it is for.
    pub what: &'static str,
    /// What is counted.
    pub unit: &'static str,
    /// How many.
    pub count: f64,
    /// USD.
    pub usd: f64,
}

fn item(what: &'static str, unit: &'static str, count: f64, price: f64) -> Item {
    Item { what, unit, count, usd: count * price }
}

fn few(number: usize) -> f64 {
    u32::try_from(number).map_or(f64::MAX, f64::from)
}

/// The USD of all items.
pub fn total(items: &[Item]) -> f64 {
    items.iter().map(|item| item.usd).sum()
}

/// The first scan of so many objects, once.
pub fn scan(prices: &Prices, objects: f64, content: Content) -> Vec<Item> {
    let million = 1e-6;
    let steps = (objects / measured::FILES_A_STEP).ceil().max(1.0);
    let seconds = objects * measured::FILE_SECONDS;
    vec![
        item(
            "rows and counters",
            "write units",
            objects * measured::SCAN_WRITES,
            prices.dynamodb_write_million * million,
        ),
        item("rows", "read units", objects * measured::SCAN_READS, prices.dynamodb_read_million * million),
        item("objects", "GETs and HEADs", objects * content.gets(), prices.s3_get_million * million),
        item("listing", "LISTs", (objects / measured::KEYS_A_LIST).ceil(), prices.s3_list_million * million),
        item("functions", "GB-seconds", seconds * WORKER_GB, prices.lambda_arm64_gb_second),
        item(
            "state machine",
            "transitions",
            steps * measured::TRANSITIONS_A_STEP,
            prices.states_transition_million * million,
        ),
    ]
}

/// A month with an index of so many objects.
pub fn month(prices: &Prices, usage: &Usage) -> Vec<Item> {
    let million = 1e-6;
    let gigabytes = usage.objects * measured::ROW_BYTES / 1e9;
    let gets = usage.changes * usage.content.gets();
    let rescanned = usage.objects * usage.rescans;
    let steps = usage.rescans * (usage.objects / measured::FILES_A_STEP).ceil().max(1.0);
    let worker_calls = usage.changes / measured::EVENTS_A_CALL;
    let worker_seconds = usage.changes * measured::FILE_SECONDS + rescanned * measured::RESCAN_SECONDS;
    let gateway_seconds =
        usage.queries * (measured::REQUEST_SECONDS + usage.files_a_query * measured::QUERY_SECONDS);
    let log_bytes = (usage.queries + worker_calls + steps) * measured::LOG_BYTES;
    let mut items = vec![
        item("index, stored", "GB", gigabytes, prices.dynamodb_storage_gb_month),
        item("index, point-in-time recovery", "GB", gigabytes, prices.dynamodb_backup_gb_month),
        item(
            "changes: rows and counters",
            "write units",
            usage.changes * measured::EVENT_WRITES,
            prices.dynamodb_write_million * million,
        ),
        item("changes: objects", "GETs and HEADs", gets, prices.s3_get_million * million),
        item(
            "changes: queue",
            "SQS requests",
            usage.changes * measured::SQS_REQUESTS,
            prices.sqs_request_million * million,
        ),
        item(
            "scans for differences: rows",
            "read units",
            rescanned * measured::RESCAN_READS,
            prices.dynamodb_read_million * million,
        ),
        item(
            "scans for differences: listing",
            "LISTs",
            rescanned / measured::KEYS_A_LIST,
            prices.s3_list_million * million,
        ),
        item(
            "scans for differences: state machine",
            "transitions",
            steps * measured::TRANSITIONS_A_STEP,
            prices.states_transition_million * million,
        ),
        item("workers", "GB-seconds", worker_seconds * WORKER_GB, prices.lambda_arm64_gb_second),
        item("workers", "calls", worker_calls + steps, prices.lambda_request_million * million),
        item(
            "queries: rows",
            "read units",
            usage.queries * (1.0 + usage.files_a_query * measured::QUERY_READS),
            prices.dynamodb_read_million * million,
        ),
        item(
            "queries: nonces and limits",
            "write units",
            usage.queries * measured::REQUEST_WRITES,
            prices.dynamodb_write_million * million,
        ),
        item("gateway", "GB-seconds", gateway_seconds * GATEWAY_GB, prices.lambda_arm64_gb_second),
        item("gateway", "calls", usage.queries, prices.lambda_request_million * million),
        item("logs", "GB", log_bytes / 1e9, prices.logs_ingest_gb),
        item("secrets", "secrets", few(SECRETS), prices.secret_month),
        item("alarms", "alarms", few(ALARMS), prices.alarm_month),
        item("metrics", "metrics", few(crate::telemetry::METRICS.len()), prices.metric_month),
        item("dashboard", "dashboards", 1.0, prices.dashboard_month),
    ];
    if usage.tags && usage.content == Content::Nothing {
        let gets = rescanned * measured::TAGS;
        items.push(item("scans for differences: tags", "GETs", gets, prices.s3_get_million * million));
    }
    items
}

/// Alarms of the template; a test counts them.
pub const ALARMS: usize = 6;
/// Secrets of the template; a test counts them.
pub const SECRETS: usize = 2;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_million_objects_cost_less_than_the_goal_to_index() {
        let prices = Prices::listed().unwrap();
        let cost = total(&scan(&prices, 1e6, Content::Ranges(1e6)));
        assert!((1.0..=4.0).contains(&cost), "{cost}");
        assert!(total(&scan(&prices, 1e6, Content::Nothing)) < cost);
    }

    #[test]
    fn the_bill_grows_with_what_is_used_and_has_no_free_lunch() {
        let prices = Prices::listed().unwrap();
        let usage = Usage {
            objects: 1e6,
            changes: 1e5,
            queries: 1e4,
            files_a_query: 1e4,
            rescans: 30.0,
            content: Content::Ranges(1e6),
            tags: false,
        };
        let base = total(&month(&prices, &usage));
        for more in [
            Usage { objects: 2e6, ..usage.clone() },
            Usage { changes: 2e5, ..usage.clone() },
            Usage { queries: 2e4, ..usage.clone() },
            Usage { files_a_query: 2e4, ..usage.clone() },
            Usage { rescans: 60.0, ..usage.clone() },
        ] {
            assert!(total(&month(&prices, &more)) > base, "{more:?}");
        }
        let heads_only = Usage { content: Content::Nothing, ..usage.clone() };
        let without_tags = total(&month(&prices, &heads_only));
        assert!(without_tags < base);
        // One request for each object and scan.
        let with_tags = total(&month(&prices, &Usage { tags: true, ..heads_only }));
        assert!((with_tags - without_tags - 30.0 * prices.s3_get_million).abs() < 1e-6, "{with_tags}");
        assert!(month(&prices, &usage).iter().all(|item| item.usd > 0.0));
        assert!(Prices::parse("{}").is_err());
    }
}
