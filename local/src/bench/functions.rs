//! Each function's binary: how large it is, and how soon it answers.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use flate2::Compression;
use flate2::write::DeflateEncoder;
use mediadex_core::operation::{OPERATIONS, WORKERS};
use serde_json::json;

use super::percentile;
use crate::cloud::{Cloud, CloudOptions};
use crate::runtime_api::{environment, invoke};

/// Bytes that a zip has beside its one file's data: headers and names.
const ZIP_FRAME: usize = 130;

/// Where a function's binary is: as cargo leaves it, or as cargo-lambda does.
fn binary(directory: &Path, name: &str) -> anyhow::Result<PathBuf> {
    [directory.join(name).join("bootstrap"), directory.join(name)]
        .into_iter()
        .find(|path| path.is_file())
        .with_context(|| format!("{} has no function {name}", directory.display()))
}

/// Bytes of the zip that is uploaded, as `sam package` makes it: what zlib does
/// at its level 6 takes this encoder 9.
fn zipped(path: &Path) -> anyhow::Result<usize> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::new(9));
    encoder.write_all(&std::fs::read(path)?)?;
    Ok(encoder.finish()?.len() + ZIP_FRAME)
}

/// A row for each function, the largest first; fails when a zip has more bytes
/// than `max_zip`.
pub(super) async fn list(
    directory: &Path,
    runs: usize,
    max_zip: Option<usize>,
) -> anyhow::Result<Vec<String>> {
    let names: Vec<&str> = OPERATIONS.iter().map(|row| row.function).chain(WORKERS.iter().copied()).collect();
    let mut measured = Vec::new();
    for name in names {
        let path = binary(directory, name)?;
        measured.push((zipped(&path)?, std::fs::metadata(&path)?.len(), name, path));
    }
    measured.sort_by_key(|(zip, ..)| std::cmp::Reverse(*zip));
    let mut rows = vec![
        "| function | MB | zipped MB | p50 ms | max ms |".to_owned(),
        "|---|---|---|---|---|".to_owned(),
    ];
    let cloud = Cloud::start(CloudOptions::default(), &[]).await?;
    let environment = environment(cloud.endpoints, &cloud.access_key.key);
    for (zip, size, name, path) in &measured {
        let mut times = Vec::with_capacity(runs);
        for _ in 0..runs {
            // No parameters: the answer is an error that takes no other service.
            times.push(invoke(path, &environment, &json!({}), Duration::from_secs(30)).await?.elapsed);
        }
        times.sort();
        rows.push(format!(
            "| {name} | {:.1} | {:.2} | {:.1} | {:.1} |",
            *size as f64 / 1e6,
            *zip as f64 / 1e6,
            percentile(&times, 0.5),
            percentile(&times, 1.0),
        ));
    }
    cloud.shutdown().await;
    let limit = max_zip.unwrap_or(usize::MAX);
    let over: Vec<String> = measured
        .iter()
        .filter(|(zip, ..)| *zip > limit)
        .map(|(zip, _, name, _)| format!("{name} is {zip} bytes zipped, {limit} are allowed"))
        .collect();
    if !over.is_empty() {
        bail!("{}\n{}", rows.join("\n"), over.join("\n"));
    }
    Ok(rows)
}
