//! The figures of BENCHMARKS.md: ratios and counts, with the rates of this
//! machine beside them.

mod functions;
mod query;
mod records;
mod slow;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use mediadex_core::model::request_id;
use mediadex_core::operation::{Call, Params, operation};
use mediadex_core::usage::UsageReading;
use serde_json::{Value, json};

use crate::cloud::{Cloud, CloudOptions};
use crate::up::{PROJECT, UpOptions, index, start};

/// What to measure.
#[derive(Args)]
pub struct Bench {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Full scan and unchanged re-scan of a folder: rates, and what each file
    /// costs in calls and units.
    Scan {
        /// How many files, one or more numbers.
        #[arg(long, value_delimiter = ',', default_values_t = [1_000usize, 20_000])]
        files: Vec<usize>,
        /// A folder of real files to take them from, over and over; by default
        /// small images and texts are made up.
        #[arg(long, value_name = "DIR")]
        sample: Option<PathBuf>,
    },
    /// From the answer to PutObject to the file in SimpleQuery's answer.
    Events {
        /// How many objects.
        #[arg(long, default_value_t = 500)]
        objects: usize,
    },
    /// Time, read units and memory of queries over made-up libraries.
    Query {
        /// How many files, one or more numbers.
        #[arg(long, value_delimiter = ',', default_values_t = [1_000u64, 10_000, 50_000, 200_000])]
        files: Vec<u64>,
        /// How often each query runs.
        #[arg(long, default_value_t = 20)]
        runs: usize,
        /// Only the queries whose name has this in it.
        #[arg(long, value_name = "TEXT", default_value = "")]
        only: String,
    },
    /// A local cloud of its own while strangers send slowly and much: its
    /// memory, and how long signed calls take.
    Slow {
        /// How long.
        #[arg(long, default_value_t = 60)]
        seconds: u64,
        /// Connections that send slowly.
        #[arg(long, default_value_t = 200)]
        slow: usize,
        /// Connections that send large bodies.
        #[arg(long, default_value_t = 200)]
        large: usize,
    },
    /// Each function's binary: its size, its zip's, and the time from the start
    /// of its process to its first answer.
    Functions {
        /// Where the binaries are: target/functions or target/lambda.
        #[arg(long, value_name = "DIR", default_value = "target/functions")]
        dir: PathBuf,
        /// How often each is started.
        #[arg(long, default_value_t = 10)]
        runs: usize,
        /// Fail when a zip has more bytes.
        #[arg(long, value_name = "BYTES")]
        max_zip: Option<usize>,
    },
}

/// Measures and prints a table.
///
/// # Errors
/// When what is measured fails.
#[allow(clippy::print_stdout, reason = "the table is what was asked for")]
pub async fn run(bench: Bench) -> anyhow::Result<()> {
    match bench.what {
        What::Scan { files, sample } => {
            println!(
                "| files | scan, files/s | re-scan, files/s | GETs/file | KiB read/file | read units/file | write units/file | re-scan read units/file |"
            );
            println!("|---|---|---|---|---|---|---|---|");
            for number in files {
                println!("{}", scan(number, sample.as_deref()).await?);
            }
        }
        What::Events { objects } => println!("{}", events(objects).await?),
        What::Query { files, runs, only } => {
            println!(
                "| files | query | hits | p50 ms | p95 ms | CPU ms | read units | floor | peak memory, MiB more |"
            );
            println!("|---|---|---|---|---|---|---|---|---|");
            for number in files {
                for row in query::measure(number, runs.max(1), &only).await? {
                    println!("{row}");
                }
            }
        }
        What::Slow { seconds, slow, large } => {
            for row in slow::measure(seconds, slow, large).await? {
                println!("{row}");
            }
        }
        What::Functions { dir, runs, max_zip } => {
            for row in functions::list(&dir, runs, max_zip).await? {
                println!("{row}");
            }
        }
    }
    Ok(())
}

/// A PNG of one colour: small, and different for each number.
fn png(number: usize) -> Vec<u8> {
    fn chunk(out: &mut Vec<u8>, kind: &[u8; 4], data: &[u8]) {
        out.extend((data.len() as u32).to_be_bytes());
        let mut crc = crc32(0xFFFF_FFFF, kind);
        crc = crc32(crc, data);
        out.extend(kind);
        out.extend(data);
        out.extend((crc ^ 0xFFFF_FFFF).to_be_bytes());
    }
    fn crc32(mut crc: u32, data: &[u8]) -> u32 {
        for byte in data {
            crc ^= u32::from(*byte);
            for _ in 0..8 {
                crc = (crc >> 1) ^ (0xEDB8_8320 & (0u32.wrapping_sub(crc & 1)));
            }
        }
        crc
    }
    let mut out = b"\x89PNG\r\n\x1a\n".to_vec();
    let (width, height) = (1 + number as u32 % 4000, 1 + number as u32 % 3000);
    let mut header = [width.to_be_bytes(), height.to_be_bytes()].concat();
    header.extend([8, 2, 0, 0, 0]);
    chunk(&mut out, b"IHDR", &header);
    chunk(&mut out, b"tEXt", format!("Title\0picture {number}").as_bytes());
    chunk(&mut out, b"IEND", &[]);
    out
}

/// A folder of `number` files, a few hundred to a directory.
fn make_files(root: &Path, number: usize, sample: Option<&Path>) -> anyhow::Result<PathBuf> {
    let folder = root.join("bench");
    let mut samples = Vec::new();
    let mut open: Vec<PathBuf> = sample.map(Path::to_owned).into_iter().collect();
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(&directory).with_context(|| directory.display().to_string())? {
            let path = entry?.path();
            if path.is_dir() { open.push(path) } else { samples.push(path) }
        }
    }
    samples.sort();
    for index in 0..number {
        let directory = folder.join(format!("d{:04}", index / 300));
        std::fs::create_dir_all(&directory)?;
        let chosen = samples.get(index % samples.len().max(1));
        let path = |extension: &str| directory.join(format!("f{index:06}.{extension}"));
        match chosen {
            Some(chosen) => {
                let extension = chosen.extension().unwrap_or_default().to_string_lossy().into_owned();
                std::fs::copy(chosen, path(&extension))?;
            }
            None if index % 4 == 3 => {
                std::fs::write(path("txt"), format!("note {index}: nothing of note\n"))?;
            }
            None => std::fs::write(path("png"), png(index))?,
        }
    }
    Ok(folder)
}

async fn scan(number: usize, sample: Option<&Path>) -> anyhow::Result<String> {
    let root = tempfile::tempdir()?;
    let folder = make_files(root.path(), number, sample)?;
    let options = UpOptions {
        folders: vec![folder],
        cloud: CloudOptions {
            state: crate::cloud::StateDir::Path(root.path().join("state")),
            ..CloudOptions::default()
        },
        json: true,
    };
    let (cloud, named) = start(&options).await?;
    let before = cloud.ctx.usage.read();
    let started = Instant::now();
    let indexed = index(&cloud, &named).await?;
    let (first, cost) = (started.elapsed(), cloud.ctx.usage.read().since(before));
    if indexed.first().map(|one| one.files) != i64::try_from(number).ok() {
        bail!("{number} files were made, {indexed:?} are indexed");
    }
    let before = cloud.ctx.usage.read();
    let started = Instant::now();
    let name = named.first().context("no folder")?;
    cloud
        .scans
        .difference(PROJECT, &name.dataset, &name.bucket, "")
        .await
        .map_err(|error| anyhow::anyhow!(error.internal_text()))?;
    let (second, again) = (started.elapsed(), cloud.ctx.usage.read().since(before));
    cloud.shutdown().await;
    Ok(row(number, first, cost, second, again))
}

fn row(number: usize, first: Duration, cost: UsageReading, second: Duration, again: UsageReading) -> String {
    let files = number as f64;
    format!(
        "| {number} | {:.0} | {:.0} | {:.3} | {:.1} | {:.3} | {:.3} | {:.3} |",
        files / first.as_secs_f64(),
        files / second.as_secs_f64(),
        cost.s3_gets as f64 / files,
        cost.s3_bytes as f64 / files / 1024.0,
        cost.read_units / files,
        cost.write_units / files,
        again.read_units / files,
    )
}

pub(crate) fn percentile(sorted: &[Duration], share: f64) -> f64 {
    let place = ((sorted.len() as f64 * share).ceil() as usize).clamp(1, sorted.len().max(1)) - 1;
    sorted.get(place).map_or(0.0, |duration| duration.as_secs_f64() * 1000.0)
}

async fn run_operation(cloud: &Cloud, name: &str, params: Value) -> anyhow::Result<Params> {
    let Value::Object(params) = params else { bail!("parameters must be an object") };
    let row = operation(name).with_context(|| format!("there is no operation {name}"))?;
    let call = Call::new(request_id());
    row.run(&cloud.ctx, &call, params).await.map_err(|error| anyhow::anyhow!(error.internal_text()))
}

async fn events(objects: usize) -> anyhow::Result<String> {
    let cloud = Cloud::start(CloudOptions::default(), &[]).await?;
    cloud.ctx.s3().create_bucket().bucket("bench").send().await?;
    let names = json!({"ProjectName": "p", "DatasetName": "d", "URI": "oss://bench"});
    run_operation(&cloud, "CreateProject", names.clone()).await?;
    run_operation(&cloud, "CreateDataset", names.clone()).await?;
    run_operation(&cloud, "CreateBinding", names.clone()).await?;
    loop {
        let reply = run_operation(&cloud, "GetBinding", names.clone()).await?;
        if reply.get("Binding").and_then(|b| b.get("Phase")) == Some(&json!("IncrementalScanning")) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let mut latencies = Vec::with_capacity(objects);
    for number in 0..objects {
        let key = format!("o{number:06}.png");
        cloud.ctx.s3().put_object().bucket("bench").key(&key).body(png(number).into()).send().await?;
        let accepted = Instant::now();
        loop {
            let query = json!({"ProjectName": "p", "DatasetName": "d", "WithoutTotalHits": true, "MaxResults": 1,
                "Query": {"Field": "Filename", "Operation": "eq", "Value": key}});
            let reply = run_operation(&cloud, "SimpleQuery", query).await?;
            if reply.get("Files").and_then(Value::as_array).is_some_and(|files| !files.is_empty()) {
                break;
            }
            if accepted.elapsed() > Duration::from_secs(30) {
                bail!("{key} is not in the index after 30 s");
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        latencies.push(accepted.elapsed());
    }
    cloud.shutdown().await;
    latencies.sort();
    Ok(format!(
        "| PutObject answered -> in SimpleQuery's answer, {objects} objects | p50 {:.1} ms | p99 {:.1} ms | max {:.1} ms |",
        percentile(&latencies, 0.5),
        percentile(&latencies, 0.99),
        percentile(&latencies, 1.0),
    ))
}
