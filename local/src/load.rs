//! The load generator: writes objects to a local cloud of its own at a rate, kills
//! it on the way, and compares index, counters and bucket in the end.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use clap::Args;
use rand::Rng;
use serde_json::{Value, json};

use crate::access_key::AccessKey;
use crate::client::Api;
use crate::events::DISORDER;

const BUCKET: &str = "load";
/// Each so many writes, one is watched until a query has it.
const WATCHED: u64 = 25;
/// How long the index may take to come to rest.
const REST: Duration = Duration::from_secs(300);

/// Write objects to a local cloud of its own and check its index.
#[derive(Debug, Clone, Args)]
pub struct LoadArgs {
    /// How long to write.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Writes a second; 0: as many as it takes.
    #[arg(long, default_value_t = 0)]
    rate: u32,
    /// Concurrent writers.
    #[arg(long, default_value_t = 8)]
    writers: u64,
    /// How often the process is killed on the way.
    #[arg(long, default_value_t = 2)]
    kills: u32,
    /// Share of the events that come twice.
    #[arg(long, default_value_t = 0.01)]
    duplicates: f64,
    /// Share of the events that come late.
    #[arg(long, default_value_t = 0.01)]
    reordered: f64,
    /// The first of four free ports.
    #[arg(long, default_value_t = 7390)]
    port: u16,
}

/// The local cloud under load.
struct Cloud {
    child: Child,
    /// The most memory that a process of it took, in KiB.
    memory: u64,
}

impl Cloud {
    fn start(args: &LoadArgs, key: &AccessKey, state: &Path) -> anyhow::Result<Child> {
        Command::new(std::env::current_exe()?)
            .args(["up", "--port", &args.port.to_string(), "--state"])
            .arg(state)
            .env("MEDIADEX_ACCESS_KEY_ID", &key.id)
            .env("MEDIADEX_ACCESS_KEY_SECRET", &key.secret)
            // The record of an endpoint that is killed is not left with the user's.
            .env("XDG_DATA_HOME", state)
            .env(DISORDER, format!("{},{}", args.duplicates, args.reordered))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("the local cloud does not start")
    }

    fn note_memory(&mut self) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0);
        self.memory = self.memory.max(kib);
    }

    fn kill(&mut self) -> anyhow::Result<()> {
        self.note_memory();
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        // Whatever went wrong, nothing is left running.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// What the writers share.
struct Shared {
    api: Api,
    s3: aws_sdk_s3::Client,
    stop: AtomicBool,
    accepted: AtomicU64,
    retried: AtomicU64,
    latencies: Mutex<Vec<Duration>>,
    pause: Option<Duration>,
}

/// Runs the load and gives its figures as a row of a table.
///
/// # Errors
/// When the local cloud does not start, or the index differs in the end.
pub async fn run(args: LoadArgs) -> anyhow::Result<String> {
    let state = tempfile::Builder::new().prefix("mediadex-load-").tempdir()?;
    let key = AccessKey::generate();
    let mut cloud = Cloud { child: Cloud::start(&args, &key, state.path())?, memory: 0 };
    let shared = Arc::new(Shared {
        api: Api {
            endpoint: format!("http://127.0.0.1:{}", args.port),
            access_key_id: key.id.clone(),
            access_key_secret: key.secret.clone(),
            security_token: None,
            found_in: None,
        },
        s3: s3_client(args.port + 1, &key),
        stop: AtomicBool::new(false),
        accepted: AtomicU64::new(0),
        retried: AtomicU64::new(0),
        latencies: Mutex::default(),
        pause: (args.rate > 0).then(|| Duration::from_secs_f64(args.writers as f64 / f64::from(args.rate))),
    });
    prepare(&shared).await?;
    let started = Instant::now();
    let writers: Vec<_> =
        (0..args.writers).map(|number| tokio::spawn(write(Arc::clone(&shared), number))).collect();
    for _ in 0..args.kills {
        tokio::time::sleep(Duration::from_secs(args.seconds) / (args.kills + 1)).await;
        cloud.kill()?;
        cloud.child = Cloud::start(&args, &key, state.path())?;
    }
    tokio::time::sleep_until((started + Duration::from_secs(args.seconds)).into()).await;
    shared.stop.store(true, Ordering::Relaxed);
    let mut expected = BTreeMap::new();
    for writer in writers {
        expected.extend(writer.await??);
    }
    let written = started.elapsed();
    let indexed = rest(&shared, expected.len()).await?;
    cloud.note_memory();
    let differences = compare(&shared, &expected).await?;
    let accepted = shared.accepted.load(Ordering::Relaxed);
    let mut latencies = shared.latencies.lock().unwrap_or_else(PoisonError::into_inner).clone();
    latencies.sort();
    let row = format!(
        "| {accepted} | {:.0} | {} | {} | {:.1} | {:.1} | {:.1} | {:.0} | {} | {differences} |",
        accepted as f64 / written.as_secs_f64(),
        args.kills,
        shared.retried.load(Ordering::Relaxed),
        crate::bench::percentile(&latencies, 0.5),
        crate::bench::percentile(&latencies, 0.99),
        indexed.as_secs_f64(),
        cloud.memory as f64 / 1024.0,
        expected.len(),
    );
    if differences > 0 {
        bail!("{row}\nthe index differs from the bucket");
    }
    Ok(format!(
        "| accepted | a second | kills | tried again | p50 ms | p99 ms | at rest after s | peak MiB | files | differences |\n\
         |---|---|---|---|---|---|---|---|---|---|\n{row}"
    ))
}

fn s3_client(port: u16, key: &AccessKey) -> aws_sdk_s3::Client {
    let credentials = aws_sdk_s3::config::Credentials::new(&key.id, &key.secret, None, None, "load");
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(aws_sdk_s3::config::BehaviorVersion::latest())
        .region(aws_sdk_s3::config::Region::new("us-east-1"))
        .credentials_provider(credentials)
        .endpoint_url(format!("http://127.0.0.1:{port}"))
        .force_path_style(true)
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    aws_sdk_s3::Client::from_conf(config)
}

impl Shared {
    async fn call(&self, action: &str, params: &Value) -> anyhow::Result<Value> {
        let Value::Object(params) = params else { bail!("parameters must be an object") };
        let reply = self.api.call(action, params).await?;
        if reply.status != 200 {
            bail!("{action}: {}", reply.body);
        }
        Ok(reply.body)
    }

    /// Tries until it is done, over a restart of the cloud.
    async fn persist<T, F: Future<Output = anyhow::Result<T>>>(
        &self,
        mut attempt: impl FnMut() -> F,
    ) -> anyhow::Result<T> {
        let begun = Instant::now();
        loop {
            match attempt().await {
                Ok(done) => return Ok(done),
                Err(error) if begun.elapsed() > REST => return Err(error),
                Err(_) => {
                    self.retried.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }
}

fn names() -> Value {
    json!({"ProjectName": "p", "DatasetName": "d", "URI": format!("oss://{BUCKET}")})
}

async fn prepare(shared: &Shared) -> anyhow::Result<()> {
    let wanted = |params: &'static str| json!({"ProjectName": "p", "DatasetName": params});
    shared.persist(|| async { Ok(shared.s3.create_bucket().bucket(BUCKET).send().await?) }).await?;
    // Nobody else is kept waiting by how often this asks.
    shared.call("CreateProject", &json!({"ProjectName": "p", "ProjectQueriesPerSecond": 100_000})).await?;
    shared.call("CreateDataset", &wanted("d")).await?;
    shared.call("CreateBinding", &names()).await?;
    shared
        .persist(|| async {
            let reply = shared.call("GetBinding", &names()).await?;
            match reply.get("Binding").and_then(|binding| binding.get("Phase")?.as_str()) {
                Some("IncrementalScanning") => Ok(()),
                other => bail!("the binding is in phase {other:?}"),
            }
        })
        .await?;
    shared.retried.store(0, Ordering::Relaxed);
    Ok(())
}

/// Writes, overwrites and deletes objects of its own; gives what is there in the
/// end: the size of each.
async fn write(shared: Arc<Shared>, writer: u64) -> anyhow::Result<BTreeMap<String, i64>> {
    let mut there: BTreeMap<String, i64> = BTreeMap::new();
    let mut number = 0u64;
    while !shared.stop.load(Ordering::Relaxed) {
        let begun = Instant::now();
        let what = rand::rng().random_range(0..20);
        let old = match what {
            0..3 => there.keys().nth(rand::rng().random_range(0..there.len().max(1))).cloned(),
            _ => None,
        };
        if what == 0
            && let Some(key) = old
        {
            let delete =
                || async { Ok(shared.s3.delete_object().bucket(BUCKET).key(&key).send().await.map(drop)?) };
            shared.persist(delete).await?;
            there.remove(&key);
        } else {
            number += 1;
            let key = old.unwrap_or_else(|| format!("w{writer}/{:02}/{number:07}.txt", number % 50));
            let body = "x".repeat(rand::rng().random_range(0..400)) + &number.to_string();
            let size = i64::try_from(body.len())?;
            let put = || async {
                let put =
                    shared.s3.put_object().bucket(BUCKET).key(&key).body(body.clone().into_bytes().into());
                Ok(put.send().await.map(drop)?)
            };
            shared.persist(put).await?;
            if number.is_multiple_of(WATCHED) && what >= 3 {
                tokio::spawn(watch(Arc::clone(&shared), key.clone(), Instant::now()));
            }
            there.insert(key, size);
        }
        shared.accepted.fetch_add(1, Ordering::Relaxed);
        if let Some(pause) = shared.pause {
            tokio::time::sleep(pause.saturating_sub(begun.elapsed())).await;
        }
    }
    Ok(there)
}

/// Waits until a file is in the index, and notes how long it took.
async fn watch(shared: Arc<Shared>, key: String, accepted: Instant) {
    let params = json!({"ProjectName": "p", "DatasetName": "d", "URI": format!("oss://{BUCKET}/{key}")});
    while accepted.elapsed() < REST {
        if shared.call("GetFileMeta", &params).await.is_ok() {
            shared.latencies.lock().unwrap_or_else(PoisonError::into_inner).push(accepted.elapsed());
            return;
        }
        // Exact to a twentieth, without load of its own that grows as the index falls behind.
        tokio::time::sleep((accepted.elapsed() / 20).max(Duration::from_millis(5))).await;
    }
}

/// Waits until the counters say that all files are there.
async fn rest(shared: &Shared, files: usize) -> anyhow::Result<Duration> {
    let begun = Instant::now();
    let params = json!({"ProjectName": "p", "DatasetName": "d", "WithStatistics": true});
    let mut same_since = Instant::now();
    while same_since.elapsed() < Duration::from_secs(3) {
        let reply = shared.call("GetDataset", &params).await?;
        let count = reply.get("Dataset").and_then(|dataset| dataset.get("FileCount")?.as_u64());
        if count != u64::try_from(files).ok() {
            same_since = Instant::now();
        }
        if begun.elapsed() > REST {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(begun.elapsed().saturating_sub(Duration::from_secs(3)))
}

/// Counts what differs between what was written, the bucket, the index and the
/// counters.
async fn compare(shared: &Shared, written: &BTreeMap<String, i64>) -> anyhow::Result<usize> {
    let mut bucket = BTreeMap::new();
    let mut pages = shared.s3.list_objects_v2().bucket(BUCKET).into_paginator().send();
    while let Some(page) = pages.next().await {
        for object in page?.contents() {
            bucket.insert(object.key().unwrap_or_default().to_owned(), object.size().unwrap_or(-1));
        }
    }
    let mut index = BTreeMap::new();
    let mut token = String::new();
    loop {
        let page = json!({"ProjectName": "p", "DatasetName": "d", "MaxResults": 100, "NextToken": token,
            "WithoutTotalHits": true, "WithFields": ["Filename", "Size"]});
        let reply = shared.call("SimpleQuery", &page).await?;
        for file in reply.get("Files").and_then(Value::as_array).into_iter().flatten() {
            let name = file.get("Filename").and_then(Value::as_str).unwrap_or_default();
            index.insert(name.to_owned(), file.get("Size").and_then(Value::as_i64).unwrap_or(-1));
        }
        token = reply.get("NextToken").and_then(Value::as_str).unwrap_or_default().to_owned();
        if token.is_empty() {
            break;
        }
    }
    let differ = |a: &BTreeMap<String, i64>, b: &BTreeMap<String, i64>| {
        a.iter().filter(|(key, size)| b.get(*key) != Some(*size)).count()
            + b.keys().filter(|key| !a.contains_key(*key)).count()
    };
    let params = json!({"ProjectName": "p", "DatasetName": "d", "WithStatistics": true});
    let reply = shared.call("GetDataset", &params).await?;
    let counted = |name: &str| reply.get("Dataset").and_then(|dataset| dataset.get(name)?.as_i64());
    let counters = usize::from(counted("FileCount") != i64::try_from(written.len()).ok())
        + usize::from(counted("TotalFileSize") != Some(written.values().sum()));
    Ok(differ(written, &bucket) + differ(&bucket, &index) + counters)
}
