//! `mediadex inspect`: what the extraction says of files, folders or objects,
//! without an index: the same code that fills one.

use std::collections::{BTreeSet, HashMap};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use futures::{Stream, StreamExt, stream};
use mediadex_core::config::extraction_limits;
use mediadex_core::context::sdk_config;
use mediadex_core::file::{Document, fill_defaults, to_wire};
use mediadex_core::ingest::{Facts, Fetched, describe, fetch, read_sidecars};
use mediadex_core::ledger::Source;
use mediadex_core::model::{ObjectUri, Timestamp};
use mediadex_core::query::Needs;
use mediadex_core::{Config, Context};
use mediadex_media::sidecar::{self, Sidecar};
use mediadex_media::{Extraction, Features, HEAD_BYTES, Limits, ObjectInfo, Record, Step};
use serde::Serialize;
use serde_json::Value;

use crate::ordered::ordered;
use crate::table;

/// Arguments of `mediadex inspect`.
#[derive(Args)]
pub struct Inspect {
    /// Files, folders, or objects: s3://bucket/key, or s3://bucket/prefix/ for all below it.
    #[arg(required = true, value_name = "PATH|URI")]
    targets: Vec<String>,
    /// Print one JSON object a line: {"path", "file", "gets", "bytes", "ms_cpu"}.
    #[arg(long)]
    json: bool,
    /// Read what sidecars next to a file say of it: NAME.xmp, NAME.EXT.xmp and the JSON of
    /// Google Takeout.
    #[arg(long)]
    sidecars: bool,
}

/// One line of `--json`.
#[derive(Debug, Serialize)]
struct Line {
    /// As it was named, or found below what was named.
    path: String,
    /// `File` fields as replies of the API show them.
    file: Document,
    /// Ranges read.
    gets: u32,
    /// Bytes read.
    bytes: u64,
    /// Milliseconds of work on the bytes.
    ms_cpu: f64,
    /// Why there is nothing to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl Line {
    fn failed(path: String, error: impl std::fmt::Display) -> Self {
        Self { path, file: Document::new(), gets: 0, bytes: 0, ms_cpu: 0.0, error: Some(error.to_string()) }
    }

    fn new(path: String, name: &str, facts: Facts, record: Option<&Record>) -> Self {
        let (source, mut file) = describe(facts, record);
        file.insert("Filename".into(), Value::from(name));
        file.insert("Size".into(), Value::from(source.size));
        file.insert(
            "FileModifiedTime".into(),
            Value::from(Timestamp::from_seconds(source.modified).to_string()),
        );
        if !source.etag.is_empty() {
            file.insert("ETag".into(), Value::from(source.etag));
        }
        fill_defaults(&mut file, &Needs::All);
        to_wire(&mut file);
        Self {
            path,
            file,
            gets: record.map_or(0, Record::gets),
            bytes: record.map_or(0, |record| record.bytes_read),
            ms_cpu: record.map_or(0.0, |record| milliseconds(record.cpu)),
            error: None,
        }
    }
}

fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

/// Runs the command: success only where everything could be read.
///
/// # Errors
/// When a target cannot be opened or standard output is closed.
pub async fn run(args: Inspect) -> anyhow::Result<ExitCode> {
    let mut lines = Vec::new();
    let mut failed = 0usize;
    for target in &args.targets {
        let is_uri = target.starts_with("s3://") || target.starts_with("oss://");
        let mut found: std::pin::Pin<Box<dyn Stream<Item = Line>>> = if is_uri {
            objects(target, args.sidecars).await?
        } else {
            files(PathBuf::from(target), args.sidecars)?
        };
        while let Some(line) = found.next().await {
            failed += usize::from(line.error.is_some());
            if let Some(error) = &line.error {
                eprintln!("error: {}: {error}", line.path);
            }
            if !args.json {
                lines.push(line);
            } else if !print(&serde_json::to_string(&line)?)? {
                return Ok(ExitCode::SUCCESS);
            }
        }
    }
    if !args.json {
        print(&people(&lines))?;
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Writes a line; says whether anybody still reads (`| head` stops early).
fn print(text: &str) -> std::io::Result<bool> {
    match writeln!(std::io::stdout(), "{text}") {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error),
    }
}

/// Files below a path, in the order of their names.
fn files(root: PathBuf, sidecars: bool) -> anyhow::Result<std::pin::Pin<Box<dyn Stream<Item = Line>>>> {
    let meta = std::fs::metadata(&root).with_context(|| format!("{} cannot be opened", root.display()))?;
    let mut paths = Vec::new();
    if meta.is_dir() {
        walk(&root, &mut paths)?;
    } else {
        paths.push(root);
    }
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let sidecars = sidecars.then(|| Sidecars::of(&paths));
    let lines = ordered(paths, cores, move |path| {
        let read = || inspect_file(path, sidecars.as_ref());
        // A panic costs this file alone, and its line says so.
        let line = std::panic::catch_unwind(std::panic::AssertUnwindSafe(read))
            .unwrap_or_else(|_| Err(anyhow::anyhow!("the reader failed on this file")));
        line.unwrap_or_else(|error| Line::failed(path.display().to_string(), format!("{error:#}")))
    });
    Ok(Box::pin(stream::iter(lines)))
}

/// The names of the sidecars of each folder.
struct Sidecars {
    by_folder: HashMap<PathBuf, BTreeSet<String>>,
}

impl Sidecars {
    /// Those of the folders of some files, whether or not they are among the files.
    fn of(paths: &[PathBuf]) -> Self {
        let folders: BTreeSet<&Path> = paths.iter().map(|path| folder_of(path)).collect();
        let names = |folder: &Path| {
            let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
            let files = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()));
            let names = files.filter_map(|entry| entry.file_name().into_string().ok());
            names.filter(|name| sidecar::is_sidecar(name)).collect()
        };
        Self { by_folder: folders.into_iter().map(|folder| (folder.to_owned(), names(folder))).collect() }
    }

    /// Adds what the sidecars of a file say.
    fn read(&self, path: &Path, name: &str, size: u64, record: &mut Record) {
        let folder = folder_of(path);
        let Some(names) = self.by_folder.get(folder) else { return };
        if sidecar::is_sidecar(name) {
            return;
        }
        let window = sidecar::sidecars_of(name);
        let near = names.range(window.prefix.clone()..).take_while(|name| window.contains(name));
        let read = |name: &str| {
            let mut content = Vec::new();
            let file = std::fs::File::open(folder.join(name));
            // One byte more tells whether there is more.
            let read = file.and_then(|file| file.take(sidecar::MAX_BYTES + 1).read_to_end(&mut content));
            let is_cut = content.len() as u64 > sidecar::MAX_BYTES;
            content.truncate(usize::try_from(sidecar::MAX_BYTES).unwrap_or(usize::MAX));
            let content = read.map(|_| content).map_err(|error| error.to_string());
            Sidecar { name: name.to_owned(), content, is_cut }
        };
        let sidecars: Vec<Sidecar> =
            sidecar::of_object(name, near.map(String::as_str)).into_iter().map(read).collect();
        if !sidecars.is_empty() {
            record.add_sidecars((name, size), &sidecars, Features::all(), &extraction_limits());
        }
    }
}

/// The folder of a file; that of a name alone is the present one.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Regular files below a folder; links are not followed, as `up` does not.
fn walk(folder: &Path, paths: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let entries =
        std::fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    let mut entries = entries.collect::<Result<Vec<_>, _>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let kind = entry.file_type()?;
        if kind.is_dir() {
            walk(&entry.path(), paths)?;
        } else if kind.is_file() {
            paths.push(entry.path());
        }
    }
    Ok(())
}

/// Reads one file.
///
/// # Errors
/// When the file cannot be read.
fn inspect_file(path: &Path, sidecars: Option<&Sidecars>) -> anyhow::Result<Line> {
    let mut file = std::fs::File::open(path)?;
    let meta = file.metadata()?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut record = extract_file(&mut file, meta.len(), &name, extraction_limits())?;
    if let Some(sidecars) = sidecars {
        sidecars.read(path, &name, meta.len(), &mut record);
    }
    let modified = meta
        .modified()
        .ok()
        .and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok())
        .unwrap_or_default();
    let source = Source {
        etag: String::new(),
        size: i64::try_from(meta.len()).unwrap_or(i64::MAX),
        modified: i64::try_from(modified.as_secs()).unwrap_or(0),
        ..Source::default()
    };
    let facts = Facts { source, ..Facts::default() };
    Ok(Line::new(path.display().to_string(), &name, facts, Some(&record)))
}

/// Drives the extraction over an open file.
fn extract_file(file: &mut std::fs::File, size: u64, name: &str, limits: Limits) -> anyhow::Result<Record> {
    let info = ObjectInfo { size, content_type: None, name };
    let mut extraction = Extraction::new(info, Features::all(), limits);
    extraction.supply(0, read_range(file, 0..size.min(HEAD_BYTES))?);
    loop {
        match extraction.step() {
            Step::Done(record) => return Ok(*record),
            Step::Need(ranges) => {
                for range in ranges {
                    extraction.supply(range.start, read_range(file, range)?);
                }
            }
        }
    }
}

fn read_range(file: &mut std::fs::File, range: std::ops::Range<u64>) -> anyhow::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(range.start))?;
    let mut bytes = Vec::with_capacity(usize::try_from(range.end - range.start)?);
    file.take(range.end - range.start).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// An object, or all objects below a prefix that ends in a slash.
async fn objects(
    target: &str,
    sidecars: bool,
) -> anyhow::Result<std::pin::Pin<Box<dyn Stream<Item = Line>>>> {
    let path = target.split_once("://").map_or(target, |(_, path)| path);
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    if bucket.is_empty() {
        bail!("{target} names no bucket");
    }
    let sdk = sdk_config(mediadex_https::client()).await;
    if sdk.region().is_none() {
        bail!("set AWS_REGION: the region of the bucket of {target}");
    }
    let ctx = Context::new(sdk, Config::from_env());
    let mut keys = Vec::new();
    if !key.is_empty() && !key.ends_with('/') {
        keys.push(key.to_owned());
    } else {
        let mut pages = ctx.s3().list_objects_v2().bucket(bucket).prefix(key).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| {
                anyhow::anyhow!(
                    "{target} cannot be listed: {}",
                    aws_sdk_s3::error::DisplayErrorContext(error)
                )
            })?;
            let found = page.contents().iter().filter_map(|object| object.key());
            keys.extend(found.filter(|key| !key.ends_with('/')).map(str::to_owned));
        }
    }
    let bucket = bucket.to_owned();
    let beside = ctx.config.read_concurrency;
    let lines = stream::iter(keys).map(move |key| {
        let (ctx, uri) = (ctx.clone(), ObjectUri::new(&bucket, &key));
        async move { inspect_object(&ctx, &uri, sidecars).await }
    });
    Ok(Box::pin(lines.buffered(beside)))
}

async fn inspect_object(ctx: &Context, uri: &ObjectUri, sidecars: bool) -> Line {
    let path = format!("s3://{}/{}", uri.bucket, uri.key);
    match fetch(ctx, uri, Features::all(), None).await {
        Fetched::Read { facts, mut record } => {
            if let Some(record) = record.as_mut().filter(|_| sidecars)
                && let Err(error) = read_sidecars(ctx, uri, facts.source.size, record).await
            {
                return Line::failed(path, error.internal_text());
            }
            let mut line = Line::new(path, &uri.key, *facts, record.as_deref());
            line.file.insert("URI".into(), Value::from(uri.to_string()));
            line
        }
        Fetched::Gone | Fetched::Same | Fetched::Attributes { .. } => {
            Line::failed(path, "there is no such object")
        }
        Fetched::Refused { why, .. } => Line::failed(path, why),
        Fetched::Failed(error) => Line::failed(path, error.internal_text()),
    }
}

/// The table for people, with what it took under it.
fn people(lines: &[Line]) -> String {
    let read: Vec<&Line> = lines.iter().filter(|line| line.error.is_none()).collect();
    let rows: Vec<Vec<String>> = read.iter().map(|line| row_of(line)).collect();
    let headings = ["PATH", "TYPE", "SIZE", "DIMENSIONS", "DURATION", "TAKEN", "ABOUT"];
    let gets: u64 = read.iter().map(|line| u64::from(line.gets)).sum();
    let bytes: u64 = read.iter().map(|line| line.bytes).sum();
    let cpu = read.iter().map(|line| line.ms_cpu).fold(0.0, |sum: f64, one| sum + one);
    if read.is_empty() {
        return "0 file(s)".to_owned();
    }
    format!(
        "{}\n{} file(s), {gets} reads of {} in all, {cpu:.1} ms of CPU time",
        table::render(&headings, &rows, 48),
        read.len(),
        table::bytes(i64::try_from(bytes).unwrap_or(i64::MAX)),
    )
}

fn row_of(line: &Line) -> Vec<String> {
    let file = &line.file;
    let text = |name: &str| file.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let number = |name: &str| file.get(name).and_then(Value::as_i64);
    let size = [("ImageWidth", "ImageHeight"), ("VideoWidth", "VideoHeight")]
        .into_iter()
        .find_map(|(width, height)| Some(format!("{}x{}", number(width)?, number(height)?)));
    let duration = file.get("Duration").and_then(Value::as_f64).map(clock).unwrap_or_default();
    let mime = text("ContentType");
    let kind = if mime.is_empty() { text("MediaType") } else { mime };
    let place = file.get("Addresses").and_then(|list| list.pointer("/0/AddressLine")).and_then(Value::as_str);
    let pages = number("PageCount").map(|pages| format!("{pages} page(s)"));
    let about: Vec<String> =
        [Some(text("Reason")), Some(text("Title")), Some(text("Artist")), pages, place.map(str::to_owned)]
            .into_iter()
            .flatten()
            .filter(|part| !part.is_empty())
            .collect();
    vec![
        line.path.clone(),
        kind,
        number("Size").map(table::bytes).unwrap_or_default(),
        size.unwrap_or_default(),
        duration,
        text("ProduceTime").get(..10).unwrap_or_default().to_owned(),
        about.join(" · "),
    ]
}

/// Seconds as people write them: `3:07`, `1:02:03`.
fn clock(seconds: f64) -> String {
    let whole = seconds.round().max(0.0) as u64;
    let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_read_in_order_and_links_are_left() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("b")).unwrap();
        std::fs::write(dir.path().join("b/x.gif"), b"GIF89a\x40\x00\x20\x00\x00\x00\x00;").unwrap();
        std::fs::write(dir.path().join("a.txt"), b"hello").unwrap();
        std::os::unix::fs::symlink("a.txt", dir.path().join("c")).unwrap();
        let mut paths = Vec::new();
        walk(dir.path(), &mut paths).unwrap();
        let names: Vec<_> = paths.iter().map(|path| path.strip_prefix(dir.path()).unwrap()).collect();
        assert_eq!(names, [Path::new("a.txt"), Path::new("b/x.gif")]);
        let line = inspect_file(paths.last().unwrap(), None).unwrap();
        assert_eq!(line.file.get("ImageWidth"), Some(&Value::from(64)));
        assert_eq!(line.file.get("ObjectStatus"), Some(&Value::from("Indexed")));
        assert_eq!((line.gets, line.bytes), (1, 14));
        let shown = people(&[line]);
        assert!(shown.contains("64x32") && shown.contains("1 file(s), 1 reads of 14 B"), "{shown}");
    }

    #[test]
    fn sidecars_are_read_where_they_are_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let put = |name: &str, content: &[u8]| {
            std::fs::write(dir.path().join(name), content).unwrap();
            dir.path().join(name)
        };
        let picture = put("x.gif", b"GIF89a\x40\x00\x20\x00\x00\x00\x00;");
        let xmp = put("x.gif.xmp", br#"<rdf:RDF><rdf:Description xmp:Rating="3"/></rdf:RDF>"#);
        put("x.gif.json", br#"{"title": "x.gif", "description": "told", "photoTakenTime": {}}"#);
        let paths = [picture, xmp];
        let sidecars = Sidecars::of(&paths);
        let [plain, with] = [None, Some(&sidecars)].map(|it| inspect_file(&paths[0], it).unwrap().file);
        assert!(plain.get("Rating").is_none() && plain.get("Description").is_none(), "{plain:?}");
        assert_eq!(with.get("Rating"), Some(&Value::from(3)), "{with:?}");
        assert_eq!(with.get("Description"), Some(&Value::from("told")), "{with:?}");
        let own = inspect_file(&paths[1], Some(&sidecars)).unwrap().file;
        assert!(own.get("Rating").is_none() && own.get("Reason").is_none(), "{own:?}");
    }

    #[test]
    fn times_as_people_write_them() {
        for (seconds, want) in [(0.0, "0:00"), (187.2, "3:07"), (3723.0, "1:02:03"), (-1.0, "0:00")] {
            assert_eq!(clock(seconds), want);
        }
    }
}
