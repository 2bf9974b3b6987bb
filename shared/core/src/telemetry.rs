//! Logs: JSON lines in the cloud, plain lines for people; and metrics, which
//! are lines of the log in a form that CloudWatch reads.

use std::io::IsTerminal;
use std::time::Duration;

use serde_json::{Value, json};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;

use crate::model::Timestamp;
use crate::usage::Usage;

/// What is logged: levels by target, from `MEDIADEX_LOG`
/// (`warn,mediadex_core=debug`), or `default` where it says nothing that can be read.
fn filter(default: &str) -> Targets {
    let said = std::env::var("MEDIADEX_LOG").ok().filter(|said| !said.is_empty());
    let read = said.as_deref().unwrap_or(default).parse();
    read.or_else(|_| default.parse()).unwrap_or_else(|_| Targets::new().with_default(tracing::Level::INFO))
}

/// Sends JSON lines to stdout, where Lambda takes them from. The level comes
/// from `MEDIADEX_LOG`, `info` by default.
pub fn init_json() {
    let lines = tracing_subscriber::fmt::layer().json().flatten_event(true).with_current_span(false);
    let _ = tracing_subscriber::registry().with(lines.with_filter(filter("info"))).try_init();
}

/// Sends plain lines to stderr, `default` being the level where `MEDIADEX_LOG`
/// says nothing. They are coloured for a terminal alone.
pub fn init_plain(default: &str) {
    let is_coloured =
        std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|no| no.is_empty());
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(is_coloured);
    let _ = tracing_subscriber::registry().with(lines.with_filter(filter(default))).try_init();
}

/// The metrics with their units.
pub(crate) const METRICS: [(&str, &str); 9] = [
    ("ObjectsIndexed", "Count"),
    ("ObjectsFailed", "Count"),
    ("ObjectGets", "Count"),
    ("ObjectBytes", "Bytes"),
    ("ReadUnits", "Count"),
    ("WriteUnits", "Count"),
    ("Errors", "Count"),
    ("CallDuration", "Milliseconds"),
    ("EventToCommit", "Milliseconds"),
];

/// Values that one metric of one line may have.
const MOST_VALUES: usize = 100;

/// The metrics of one call of a function, as a line in CloudWatch's embedded
/// metric format. One dimension, the stack: a metric is paid for by its
/// combinations of dimensions. The function's name is in the line, to be asked
/// for with Logs Insights.
pub fn metrics(stack: &str, function: &str, usage: &Usage, took: Duration, is_error: bool) -> Value {
    let used = usage.read();
    let mut latencies = usage.latencies();
    // The slowest ones, if not all.
    latencies.sort_unstable_by(|a, b| b.cmp(a));
    latencies.truncate(MOST_VALUES);
    let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let values = [
        json!(used.indexed),
        json!(used.failed),
        json!(used.s3_gets),
        json!(used.s3_bytes),
        json!(used.read_units),
        json!(used.write_units),
        json!(u64::from(is_error)),
        json!(millis),
        json!(latencies),
    ];
    let all = METRICS.iter().zip(values).map(|((name, unit), value)| (*name, *unit, value));
    // What did not happen is not a measurement of 0 but none.
    let is_there = |name: &str, value: &Value| match value {
        Value::Array(values) => !values.is_empty(),
        _ => matches!(name, "Errors" | "CallDuration") || value.as_f64() != Some(0.0),
    };
    let all: Vec<_> = all.filter(|(name, _, value)| is_there(name, value)).collect();
    let described: Vec<Value> =
        all.iter().map(|(name, unit, _)| json!({"Name": name, "Unit": unit})).collect();
    let mut line = json!({
        "_aws": {
            "Timestamp": Timestamp::now().millis(),
            "CloudWatchMetrics": [{"Namespace": "mediadex", "Dimensions": [["Stack"]], "Metrics": described}],
        },
        "Stack": stack,
        "Function": function,
    });
    if let Some(line) = line.as_object_mut() {
        line.extend(all.into_iter().map(|(name, _, value)| (name.to_owned(), value)));
    }
    line
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn each_metric_of_a_line_is_described_and_there() {
        let whole = std::sync::Arc::new(Usage::default());
        let part = Usage::part_of(whole);
        part.indexed(2);
        part.s3_get(10);
        for millis in [-5, 7, 300] {
            part.committed_after(millis);
        }
        let line = metrics("mediadex", "on-object-event", &part, Duration::from_millis(12), false);
        let described = line["_aws"]["CloudWatchMetrics"][0]["Metrics"].as_array().unwrap();
        let names: Vec<&str> = described.iter().map(|metric| metric["Name"].as_str().unwrap()).collect();
        assert_eq!(
            names,
            ["ObjectsIndexed", "ObjectGets", "ObjectBytes", "Errors", "CallDuration", "EventToCommit"]
        );
        assert!(names.iter().all(|name| !line[*name].is_null()), "{line}");
        assert_eq!(line["EventToCommit"], json!([300, 7, 0]));
        assert!(line["Stack"].is_string() && line["_aws"]["Timestamp"].is_number());
    }
}
