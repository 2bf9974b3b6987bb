//! `mediadex up`: start, index the folders, say what to do next, follow them.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use indicatif::{ProgressBar, ProgressStyle};
use mediadex_core::model::{BindingPhase, BindingState, request_id};
use mediadex_core::operation::{Call, Params, operation};
use mediadex_core::{Code, Context, Error};
use serde::Serialize;
use serde_json::json;

use crate::bindings::BoundBucket;
use crate::cloud::{Cloud, CloudOptions, StateDir};
use crate::endpoints::{self, Registration};
use crate::folders::{self, Folder};
use crate::key_notice;

/// The project that the folders' datasets are in.
pub const PROJECT: &str = "local";

/// What `up` was asked for.
#[derive(Debug, Clone)]
pub struct UpOptions {
    /// The folders to serve and index.
    pub folders: Vec<PathBuf>,
    /// How the local cloud is started.
    pub cloud: CloudOptions,
    /// Print one line of JSON on stdout when everything is scanned.
    pub json: bool,
}

/// A dataset, as the line of JSON has it.
#[derive(Debug, Clone, Serialize)]
pub struct Indexed {
    /// The dataset.
    pub dataset: String,
    /// Its bucket.
    pub bucket: String,
    /// Its folder.
    pub dir: String,
    /// Files in the index.
    pub files: i64,
    /// Their bytes.
    #[serde(skip)]
    pub bytes: i64,
    /// The state of its binding: `Running` where the folder is followed.
    pub state: BindingState,
    /// What keeps the index from being the folder; absent where nothing does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
    /// What of the folder may not be read.
    pub skipped: Skipped,
}

/// Folders and files of a folder that may not be read.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Skipped {
    /// Folders.
    pub folders: u64,
    /// Files.
    pub files: u64,
    /// The keys of both, those of folders with a final slash; 1,000 at most.
    pub keys: Vec<String>,
}

impl Skipped {
    fn of(store: &mediadex_s3::Store, bucket: &str) -> Self {
        let seen = store.unreadable(bucket).unwrap_or_default();
        Self { folders: seen.folders, files: seen.files, keys: seen.keys }
    }

    /// A line for people, if there is anything to say.
    fn line(&self) -> Option<String> {
        /// More would not be read.
        const NAMED: usize = 5;
        let count = |number: u64, what: &str| match number {
            0 => None,
            1 => Some(format!("1 {what}")),
            _ => Some(format!("{number} {what}s")),
        };
        let counts: Vec<String> =
            [count(self.folders, "folder"), count(self.files, "file")].into_iter().flatten().collect();
        if counts.is_empty() {
            return None;
        }
        let mut keys: Vec<&str> = self.keys.iter().take(NAMED).map(String::as_str).collect();
        if self.folders + self.files > keys.len() as u64 {
            keys.push("...");
        }
        Some(format!("skipped: {} may not be read: {}", counts.join(" and "), keys.join(", ")))
    }
}

fn text(error: Error) -> anyhow::Error {
    anyhow::anyhow!(error.internal_text())
}

/// Runs an operation in process; `Ok(false)` where what it makes is there already.
async fn ensure(ctx: &Context, action: &str, params: Params) -> anyhow::Result<bool> {
    let row = operation(action).with_context(|| format!("there is no operation {action}"))?;
    match row.run(ctx, &Call::new(request_id()), params).await {
        Ok(_) => Ok(true),
        Err(error) if error.code() == &Code::ResourceAlreadyExists => Ok(false),
        Err(error) => Err(text(error)).with_context(|| format!("{action} failed")),
    }
}

fn params(pairs: &[(&str, &str)]) -> Params {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect()
}

/// Starts the local cloud with folders, without scanning yet.
///
/// # Errors
/// When a folder cannot be served or the cloud cannot start.
pub async fn start(options: &UpOptions) -> anyhow::Result<(Cloud, Vec<Folder>)> {
    let (named, cloud_options) = match &options.cloud.state {
        StateDir::Ephemeral => {
            (folders::name_folders(&options.folders, &mut BTreeMap::new())?, options.cloud.clone())
        }
        StateDir::Path(state) => {
            let mut known = folders::load(state)?;
            let named = folders::name_folders(&options.folders, &mut known)?;
            for folder in &named {
                if state.starts_with(&folder.path) {
                    bail!(
                        "the state directory {} lies in the folder {}; nothing is written there: choose another with --state",
                        state.display(),
                        folder.path.display()
                    );
                }
            }
            folders::save(state, &known)?;
            (named, options.cloud.clone())
        }
    };
    let served: Vec<(String, PathBuf)> =
        named.iter().map(|folder| (folder.bucket.clone(), folder.path.clone())).collect();
    Ok((Cloud::start(cloud_options, &served).await?, named))
}

/// Brings each folder's dataset in line with the folder, and says what is in it.
///
/// # Errors
/// When a dataset cannot be made, or its scan is stopped by the guard.
pub async fn index(cloud: &Cloud, named: &[Folder]) -> anyhow::Result<Vec<Indexed>> {
    let ctx = &cloud.ctx;
    let mut indexed = Vec::with_capacity(named.len());
    if !named.is_empty() {
        ensure(ctx, "CreateProject", params(&[("ProjectName", PROJECT)])).await?;
    }
    for folder in named {
        let progress = Progress::begin(cloud, folder);
        let result = index_one(cloud, folder).await;
        progress.end().await;
        result.with_context(|| format!("the folder {} could not be indexed", folder.path.display()))?;
        let dataset = ctx.db.dataset(PROJECT, &folder.dataset).await.map_err(text)?;
        let counts = ctx.db.counts(&dataset.id, dataset.shards).await.map_err(text)?;
        let binding = ctx.db.binding(&dataset.id, &folder.bucket).await.map_err(text)?.view();
        indexed.push(Indexed {
            dataset: folder.dataset.clone(),
            bucket: folder.bucket.clone(),
            dir: folder.path.display().to_string(),
            files: counts.files,
            bytes: counts.bytes,
            state: binding.state,
            warning: BoundBucket::from(&binding).warning(&folder.dataset),
            skipped: Skipped::of(&cloud.store, &folder.bucket),
        });
    }
    Ok(indexed)
}

async fn index_one(cloud: &Cloud, folder: &Folder) -> anyhow::Result<()> {
    let ctx = &cloud.ctx;
    let names = [("ProjectName", PROJECT), ("DatasetName", folder.dataset.as_str())];
    ensure(ctx, "CreateDataset", params(&names)).await?;
    let uri = format!("oss://{}", folder.bucket);
    let mut with_uri = params(&names);
    with_uri.insert("URI".into(), json!(uri));
    let is_new = ensure(ctx, "CreateBinding", with_uri.clone()).await?;
    let dataset = ctx.db.dataset(PROJECT, &folder.dataset).await.map_err(text)?;
    // A new binding's first scan, or one that an earlier process began.
    loop {
        let binding = ctx.db.binding(&dataset.id, &folder.bucket).await.map_err(text)?;
        match (binding.state, binding.phase) {
            (BindingState::Running, BindingPhase::IncrementalScanning) => break,
            // What `up` says at its end.
            (BindingState::Stopped | BindingState::Failed, _) if !is_new => return Ok(()),
            (BindingState::Stopped | BindingState::Failed, _) => bail!("{}", binding.reason),
            _ => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
    if !is_new {
        // What changed while nobody was watching.
        cloud.scans.difference(PROJECT, &folder.dataset, &folder.bucket, "").await.map_err(text)?;
    }
    Ok(())
}

/// A bar on stderr: files done of all, files a second, time left. Where stderr
/// is no terminal, a line every few seconds.
struct Progress {
    done: Arc<AtomicBool>,
    painter: tokio::task::JoinHandle<()>,
}

impl Progress {
    fn begin(cloud: &Cloud, folder: &Folder) -> Self {
        let done = Arc::new(AtomicBool::new(false));
        let total = Arc::new(AtomicU64::new(0));
        let (store, bucket) = (cloud.store.clone(), folder.bucket.clone());
        let (counted, counted_all, stop_counting) =
            (Arc::clone(&total), Arc::clone(&total), Arc::clone(&done));
        tokio::task::spawn_blocking(move || {
            let seen = |count: mediadex_s3::Count| {
                counted.store(count.files, Ordering::Relaxed);
                !stop_counting.load(Ordering::Relaxed)
            };
            match store.count(&bucket, seen) {
                Ok(count) => counted_all.store(count.files, Ordering::Relaxed),
                Err(error) => tracing::debug!(%error, "the files of a folder were not counted"),
            }
        });
        let usage = Arc::clone(&cloud.ctx.usage);
        let (finished, name) = (Arc::clone(&done), folder.bucket.clone());
        let before = usage.read().objects;
        let painter = tokio::spawn(async move {
            let is_terminal = std::io::stderr().is_terminal();
            let bar = ProgressBar::new(0);
            if let Ok(style) = ProgressStyle::with_template(
                "{msg} {wide_bar:.cyan/blue} {human_pos}/{human_len} files, {per_sec}, {eta} left",
            ) {
                bar.set_style(style);
            }
            bar.set_message(name.clone());
            let started = Instant::now();
            let mut said = Instant::now();
            loop {
                let all = total.load(Ordering::Relaxed);
                let now = usage.read().objects.saturating_sub(before);
                bar.set_length(all.max(now));
                bar.set_position(now);
                if finished.load(Ordering::Relaxed) {
                    bar.finish_and_clear();
                    return;
                }
                if !is_terminal && said.elapsed() > Duration::from_secs(5) {
                    said = Instant::now();
                    let rate = now as f64 / started.elapsed().as_secs_f64();
                    let left = if rate > 0.0 { all.saturating_sub(now) as f64 / rate } else { 0.0 };
                    eprintln!("{name}: {now}/{all} files, {rate:.0}/s, {left:.0} s left");
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
        Self { done, painter }
    }

    async fn end(self) {
        self.done.store(true, Ordering::Relaxed);
        if let Err(error) = self.painter.await {
            tracing::debug!(%error, "the progress bar");
        }
    }
}

/// Runs until interrupted.
///
/// # Errors
/// When the local cloud cannot start or a folder cannot be indexed.
pub async fn run(options: UpOptions) -> anyhow::Result<()> {
    let stopped = stop_signal()?;
    let (cloud, named) = start(&options).await?;
    // Both before the scan, which may take long: queries work while it runs.
    let _registration = register(&cloud);
    if let (true, Some(file)) = (cloud.access_key.is_new, &cloud.access_key.secret_file) {
        eprint!("{}", key_notice::lines(&cloud.access_key.key, file, cloud.endpoints));
    }
    let mut stopped = std::pin::pin!(stopped);
    let started = Instant::now();
    let indexed = tokio::select! {
        () = stopped.as_mut() => {
            cloud.shutdown().await;
            eprintln!("stopped; the scan goes on where it is at the next start");
            return Ok(());
        }
        indexed = index(&cloud, &named) => indexed,
    };
    let indexed = match indexed {
        Ok(indexed) => indexed,
        Err(error) => {
            cloud.shutdown().await;
            return Err(error);
        }
    };
    announce(&options, &cloud, &indexed, started.elapsed())?;
    stopped.await;
    cloud.shutdown().await;
    Ok(())
}

/// Records where the key is, for the other commands. Without a record they want
/// to be given the key, which is no reason not to start.
fn register(cloud: &Cloud) -> Option<Registration> {
    let registered = endpoints::directory()
        .and_then(|directory| Registration::new(&directory, cloud.endpoints.api, &cloud.access_key));
    match registered {
        Ok(registration) => Some(registration),
        Err(error) => {
            eprintln!("the other commands will not find the access key by themselves: {error:#}");
            None
        }
    }
}

/// Completes at Ctrl-C or SIGTERM.
fn stop_signal() -> anyhow::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

#[allow(clippy::print_stdout, reason = "the line that scripts read")]
fn announce(options: &UpOptions, cloud: &Cloud, indexed: &[Indexed], took: Duration) -> anyhow::Result<()> {
    let at = cloud.endpoints;
    if options.json {
        let line = json!({
            "api": format!("http://{}", at.api),
            "s3": format!("http://{}", at.s3),
            "dynamodb": format!("http://{}", at.dynamodb),
            "sns": format!("http://{}", at.sns),
            "access_key": {"id": cloud.access_key.key.id, "secret_file": cloud.access_key.secret_file},
            "project": PROJECT,
            "datasets": indexed,
        });
        println!("{}", serde_json::to_string(&line)?);
    }
    let program = std::env::args().next().unwrap_or_else(|| "mediadex".into());
    let endpoint = if at.api.port() == crate::DEFAULT_PORT {
        String::new()
    } else {
        format!(" --endpoint http://{}", at.api)
    };
    eprintln!("mediadex is up");
    eprintln!("  API       http://{}   access key {}", at.api, cloud.access_key.key.id);
    eprintln!("  S3        http://{}   the same key, path-style addresses", at.s3);
    eprintln!("  DynamoDB  http://{}", at.dynamodb);
    eprintln!("  SNS       http://{}   messages: /topics/NAME/messages", at.sns);
    if let StateDir::Path(path) = &options.cloud.state {
        eprintln!("  state     {}", path.display());
    }
    if let Some(path) = &cloud.access_key.secret_file {
        eprintln!("  secret    {}", path.display());
    }
    for one in indexed {
        eprintln!(
            "dataset {}: {} files, {} of {}",
            one.dataset,
            one.files,
            crate::table::bytes(one.bytes),
            one.dir
        );
        if let Some(line) = one.skipped.line() {
            eprintln!("  {line}");
        }
    }
    for warning in indexed.iter().filter_map(|one| one.warning.as_ref()) {
        eprintln!("warning: {warning}");
    }
    if !indexed.is_empty() {
        let is_followed =
            |one: &&Indexed| one.state != BindingState::Stopped && one.state != BindingState::Failed;
        let followed = match indexed.iter().filter(is_followed).count() {
            0 => "changes of the folders are not followed",
            all if all == indexed.len() => "changes of the folders are followed",
            _ => "changes of the other folders are followed",
        };
        eprintln!("indexed in {:.1} s; {followed}", took.as_secs_f64());
    }
    let dataset = indexed.first().map_or("DATASET", |one| one.dataset.as_str());
    eprintln!("next, in another terminal:");
    eprintln!("  {program} find {dataset} 'type:image width>=1000' --sort -size{endpoint}");
    eprintln!(
        "  {program} call GetDataset ProjectName={PROJECT} DatasetName={dataset} WithStatistics=true{endpoint}"
    );
    eprintln!("Ctrl-C stops");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Skipped;

    #[test]
    fn what_is_skipped_is_said_in_a_line() {
        let keys = |count: usize| (0..count).map(|n| format!("k{n}")).collect();
        let table = [
            ((0, 0, 0), None),
            ((1, 0, 1), Some("skipped: 1 folder may not be read: k0")),
            ((2, 1, 3), Some("skipped: 2 folders and 1 file may not be read: k0, k1, k2")),
            ((0, 9, 9), Some("skipped: 9 files may not be read: k0, k1, k2, k3, k4, ...")),
        ];
        for ((folders, files, named), want) in table {
            let skipped = Skipped { folders, files, keys: keys(named) };
            assert_eq!(skipped.line().as_deref(), want);
        }
    }
}
