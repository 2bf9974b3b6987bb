//! What queries cost: time, read units and memory over datasets of several sizes.

use std::time::Instant;

use anyhow::bail;
use aws_sdk_dynamodb::types::AttributeValue;
use futures::{StreamExt, TryStreamExt, stream};
use mediadex_core::ledger::{Change, Committed, commit};
use mediadex_core::state::Dataset;
use serde_json::{Value, json};

use super::{percentile, records, run_operation};
use crate::cloud::{Cloud, CloudOptions};

/// Rows of one transaction.
const BATCH: u64 = 99;

/// A query of the table: its name, its operation, its parameters.
fn queries() -> Vec<(&'static str, &'static str, Value)> {
    let leaf = |field: &str, operation: &str, value: &str| json!({"Field": field, "Operation": operation, "Value": value});
    let and = |parts: &[Value]| json!({"Operation": "and", "SubQueries": parts});
    vec![
        (
            "filter, sort, total",
            "SimpleQuery",
            json!({"Query": and(&[leaf("MediaType", "eq", "image"), leaf("ImageWidth", "gte", "4000")]),
                "Sort": "ProduceTime", "Order": "desc"}),
        ),
        (
            "the same, few match",
            "SimpleQuery",
            json!({"Query": and(&[leaf("MediaType", "eq", "image"), leaf("EXIF.FNumber", "lt", "1.41"),
                leaf("EXIF.Make", "eq", "Canon")]), "Sort": "ProduceTime", "Order": "desc"}),
        ),
        ("by label", "SimpleQuery", json!({"Query": leaf("CustomLabels.album", "eq", "album-123")})),
        (
            "group by camera",
            "SimpleQuery",
            json!({"Aggregations": [{"Field": "EXIF.Model", "Operation": "group"}]}),
        ),
        (
            "histogram by month",
            "SimpleQuery",
            json!({"Aggregations": [{"Field": "ProduceTime", "Operation": "date_histogram:month"}]}),
        ),
        ("FuzzyQuery", "FuzzyQuery", json!({"Query": "report garden"})),
        ("first page by URI", "SimpleQuery", json!({"WithoutTotalHits": true})),
        (
            "one file by URI",
            "SimpleQuery",
            json!({"Query": leaf("URI", "eq", "oss://library/none"), "Sort": "Size"}),
        ),
    ]
}

/// Measures the queries whose names have `only` in them over a dataset of `number`
/// files and gives rows of a table.
pub(super) async fn measure(number: u64, runs: usize, only: &str) -> anyhow::Result<Vec<String>> {
    let cloud = Cloud::start(CloudOptions::default(), &[]).await?;
    let names = json!({"ProjectName": "p", "DatasetName": "d"});
    run_operation(&cloud, "CreateProject", names.clone()).await?;
    run_operation(&cloud, "CreateDataset", names.clone()).await?;
    let dataset =
        cloud.ctx.db.dataset("p", "d").await.map_err(|error| anyhow::anyhow!(error.internal_text()))?;
    let bytes = fill(&cloud, &dataset, number).await?;
    // Eventually consistent reads: half a unit for each 4 KiB.
    let floor = bytes as f64 / 8192.0;
    let mut table = Vec::new();
    for (name, operation, mut params) in queries().into_iter().filter(|(name, ..)| name.contains(only)) {
        if let (Value::Object(params), Value::Object(names)) = (&mut params, &names) {
            params.extend(names.clone());
            params.insert("WithStats".into(), Value::from(true));
        }
        let (mut times, mut units, mut hits) = (Vec::with_capacity(runs), 0.0, Value::Null);
        let before = memory("VmRSS");
        let cpu_before = cpu();
        reset_peak();
        for _ in 0..runs {
            let started = Instant::now();
            let reply = run_operation(&cloud, operation, params.clone()).await?;
            times.push(started.elapsed());
            units =
                reply.get("Stats").and_then(|s| s.get("ReadUnits")).and_then(Value::as_f64).unwrap_or(0.0);
            hits = reply.get("TotalHits").cloned().unwrap_or(Value::Null);
        }
        let grown = memory("VmHWM").saturating_sub(before);
        let cpu_each = (cpu() - cpu_before) / times.len() as f64;
        times.sort();
        table.push(format!(
            "| {number} | {name} | {hits} | {:.1} | {:.1} | {cpu_each:.0} | {units} | {floor:.0} | {:.0} |",
            percentile(&times, 0.5),
            percentile(&times, 0.95),
            grown as f64 / 1024.0,
        ));
    }
    cloud.shutdown().await;
    Ok(table)
}

/// Makes the rows; gives their bytes, as the store bills them.
async fn fill(cloud: &Cloud, dataset: &Dataset, number: u64) -> anyhow::Result<usize> {
    let starts = (0..number).step_by(usize::try_from(BATCH)?);
    let sizes: Vec<usize> = stream::iter(starts)
        .map(|start| async move {
            let rows = (start..number.min(start + BATCH)).map(|n| records::change(dataset, n));
            let changes: Vec<Change> = rows.collect::<anyhow::Result<_>>()?;
            let committed = commit(&cloud.ctx.db, &dataset.id, dataset.shards, &changes).await;
            if committed.iter().any(|one| !matches!(one, Committed::Written)) {
                bail!("a row was not written");
            }
            changes.iter().map(row_size).sum::<anyhow::Result<usize>>()
        })
        .buffer_unordered(4)
        .try_collect()
        .await?;
    Ok(sizes.iter().sum())
}

fn row_size(change: &Change) -> anyhow::Result<usize> {
    let item = change.new.to_item().map_err(|error| anyhow::anyhow!(error.internal_text()))?;
    Ok(item.iter().map(|(name, value)| name.len() + value_size(value)).sum())
}

/// The size of a value by DynamoDB's rules.
fn value_size(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::S(text) => text.len(),
        AttributeValue::N(digits) => digits.len().div_ceil(2) + 1,
        AttributeValue::B(bytes) => bytes.as_ref().len(),
        AttributeValue::M(map) => {
            3 + map.iter().map(|(name, value)| 1 + name.len() + value_size(value)).sum::<usize>()
        }
        AttributeValue::L(list) => 3 + list.iter().map(|value| 1 + value_size(value)).sum::<usize>(),
        _ => 1,
    }
}

/// A line of the kernel's account of this process, in KiB; 0 where there is none.
fn memory(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let digits = line.and_then(|line| line.split_whitespace().nth(1));
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

/// CPU time of this process so far, in milliseconds; 0 where there is no account of it.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // After the name in parentheses the numbers begin with field 3; user and
    // system time are fields 14 and 15, in hundredths of a second.
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = after_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok());
    ticks.sum::<f64>() * 10.0
}

/// Lets the kernel forget the peak so far.
fn reset_peak() {
    // Where that is not allowed the peak of the whole process is shown, which is more.
    std::fs::write("/proc/self/clear_refs", "5").ok();
}
