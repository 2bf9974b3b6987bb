//! Scores the extractor against the corpus' ground truth (exiftool, ffprobe,
//! pdfinfo), and counts reads, bytes and time.
//!
//! `cargo run --release -p mediadex-media --example score [CORPUS] [--dump SUBSTRING]`
//!
//! The corpus is the argument, else `MEDIADEX_CORPUS`, else `../shared/corpus`
//! beside the workspace. `--dump` prints the records of matching paths instead.
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used)]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use mediadex_media::{Extraction, Features, HEAD_BYTES, Limits, ObjectInfo, Record, Step};
use serde_json::Value;

/// One compared field of one file.
struct Check {
    family: &'static str,
    field: &'static str,
    agrees: bool,
    path: String,
    truth: String,
    ours: String,
}

/// One file's cost.
struct Cost {
    format: String,
    gets: u32,
    bytes: u64,
    cpu: Duration,
}

fn main() {
    let mut args = std::env::args().skip(1).peekable();
    let (mut corpus, mut dump) = (None, None);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--dump" => dump = args.next(),
            _ => corpus = Some(PathBuf::from(arg)),
        }
    }
    let corpus = corpus
        .or_else(|| std::env::var_os("MEDIADEX_CORPUS").map(PathBuf::from))
        .unwrap_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/corpus")));
    let Ok(truth) = std::fs::read(corpus.join("truth.json")) else {
        println!("no corpus at {}: nothing scored", corpus.display());
        return;
    };
    let truth: Vec<Value> = serde_json::from_slice(&truth).expect("truth.json is JSON");
    let (mut checks, mut costs, mut problems) = (Vec::new(), Vec::new(), BTreeMap::<String, u32>::new());
    for t in &truth {
        let path = t["path"].as_str().unwrap();
        if dump.as_ref().is_some_and(|d| !path.contains(d.as_str())) {
            continue;
        }
        let Ok(bytes) = std::fs::read(corpus.join("files").join(path)) else { continue };
        let record = extract(&bytes, path);
        if dump.is_some() {
            println!("{path}\n{}\ntruth {t}\n", serde_json::to_string_pretty(&record).unwrap());
            continue;
        }
        for p in &record.problems {
            *problems.entry(format!("{:?} {p}", p.kind)).or_default() += 1;
        }
        compare(t, path, &record, &mut checks);
        costs.push(Cost {
            format: record.detected.as_ref().map_or_else(|| "none".into(), |d| d.format.clone()),
            gets: record.gets(),
            bytes: record.bytes_read,
            cpu: record.cpu,
        });
    }
    if dump.is_none() {
        print_disagreements(&checks);
        print_problems(&problems);
        print_costs(&costs);
        print_agreement(&checks);
    }
}

/// Drives an extraction over bytes as a caller with ranged GETs would.
fn extract(bytes: &[u8], path: &str) -> Record {
    let info = ObjectInfo { size: bytes.len() as u64, content_type: None, name: path };
    let mut extraction = Extraction::new(info, Features::all(), Limits::default());
    extraction.supply(0, bytes[..bytes.len().min(HEAD_BYTES as usize)].to_vec());
    loop {
        match extraction.step() {
            Step::Done(record) => return *record,
            Step::Need(ranges) => {
                for r in ranges {
                    extraction.supply(r.start, bytes[r.start as usize..r.end as usize].to_vec());
                }
            }
        }
    }
}

fn family(t: &Value) -> &'static str {
    let mime = t["content_type"].as_str().unwrap_or("");
    let extension = t["path"].as_str().unwrap().rsplit('.').next().unwrap().to_ascii_lowercase();
    match () {
        () if mime == "application/pdf" || extension == "pdf" => "pdf",
        () if matches!(extension.as_str(), "avif" | "avifs" | "heic") => "image",
        () if !t["video_codec"].is_null() => "video",
        () if !t["ff_format"].is_null() && (!t["audio_codec"].is_null() || t["width"].is_null()) => "audio",
        () if !t["ff_format"].is_null() => "video",
        () if mime.starts_with("image/") || mime.ends_with("photoshop") => "image",
        () if mime.starts_with("text/") => "text",
        () if mime.starts_with("application/") => "office",
        () if mime.starts_with("video/") => "video",
        () => "other",
    }
}

fn compare(t: &Value, path: &str, r: &Record, checks: &mut Vec<Check>) {
    let family = family(t);
    let m = serde_json::to_value(&r.metadata).unwrap();
    let mut check = |field: &'static str, agrees: bool, truth: &Value, ours: String| {
        let path = path.to_owned();
        checks.push(Check { family, field, agrees, path, truth: truth.to_string(), ours });
    };
    let number = |v: &Value| v.as_f64().or_else(|| v.as_str().and_then(|s| s.parse().ok()));
    let exact = |truth: &Value, ours: &Value| match (number(truth), number(ours)) {
        (Some(a), Some(b)) => (a - b).abs() < 1e-9,
        _ => false,
    };
    if let Some(want) = t["content_type"].as_str().and_then(|c| c.split('/').next()) {
        let packed =
            t["content_type"].as_str().is_some_and(|c| c.ends_with("/zip") || c.ends_with("java-archive"));
        let want = match want {
            _ if family == "image" => "image",
            "text" | "application" if !packed => "document",
            "application" => "archive",
            other => other,
        };
        if matches!(want, "image" | "video" | "audio" | "document" | "archive") {
            check("media type", m["MediaType"] == want, &Value::from(want), m["MediaType"].to_string());
        }
    }
    match family {
        "image" => {
            for (field, ours) in
                [("width", "ImageWidth"), ("height", "ImageHeight"), ("orientation", "Orientation")]
            {
                if number(&t[field]).is_some() {
                    check(field, exact(&t[field], &m[ours]), &t[field], m[ours].to_string());
                }
            }
            for (field, tag) in [("make", "Make"), ("model", "Model")] {
                if t[field].as_str().is_some_and(|v| !v.trim().is_empty()) {
                    check(
                        field,
                        same_text(&t[field], &m["EXIF"][tag]),
                        &t[field],
                        m["EXIF"][tag].to_string(),
                    );
                }
            }
            if let Some(date) =
                t["datetime_original"].as_str().filter(|d| d.len() >= 19 && !d.starts_with("0000"))
            {
                let want = format!("{}T{}", date[..10].replace(':', "-"), &date[11..19]);
                let ours = m["ProduceTime"].as_str().unwrap_or("");
                let mut agrees = ours.starts_with(&want);
                if let Some(offset) = t["offset_time_original"].as_str() {
                    agrees &= ours.ends_with(offset);
                }
                check("date", agrees, &t["datetime_original"], ours.to_owned());
            }
            if t["gps_exif"] == true && !t["gps"].is_null() {
                let ours = m["LatLong"].as_str().unwrap_or("");
                let parts: Vec<f64> = ours.split(',').filter_map(|p| p.parse().ok()).collect();
                let near = |i: usize, key: &str| {
                    parts.get(i).zip(t["gps"][key].as_f64()).is_some_and(|(a, b)| (a - b).abs() < 1e-5)
                };
                check("gps", near(0, "lat") && near(1, "lon"), &t["gps"], ours.to_owned());
            }
        }
        "video" => {
            for (field, ours) in [("width", "VideoWidth"), ("height", "VideoHeight")] {
                if number(&t[field]).is_some() && !t["video_codec"].is_null() {
                    check(field, exact(&t[field], &m[ours]), &t[field], m[ours].to_string());
                }
            }
            duration(t, &m, &mut check);
            if !t["video_codec"].is_null() {
                let ours = &m["VideoStreams"][0]["CodecName"];
                check("codec", *ours == t["video_codec"], &t["video_codec"], ours.to_string());
            }
            if !t["audio_codec"].is_null() {
                let ours = &m["AudioStreams"][0]["CodecName"];
                check("audio codec", *ours == t["audio_codec"], &t["audio_codec"], ours.to_string());
            }
            if !t["ff_format"].is_null() {
                check(
                    "format",
                    m["FormatName"] == t["ff_format"],
                    &t["ff_format"],
                    m["FormatName"].to_string(),
                );
            }
            for (field, ours) in [("pixel_format", "PixelFormat"), ("frame_rate", "AverageFrameRate")] {
                if t[field].as_str().is_some_and(|v| v != "0/0") {
                    let ours = &m["VideoStreams"][0][ours];
                    check(field, *ours == t[field], &t[field], ours.to_string());
                }
            }
        }
        "audio" => {
            duration(t, &m, &mut check);
            let stream = &m["AudioStreams"][0];
            for (field, ours) in [("channels", "Channels"), ("sample_rate", "SampleRate")] {
                if number(&t[field]).is_some_and(|n| n > 0.0) {
                    check(field, exact(&t[field], &stream[ours]), &t[field], stream[ours].to_string());
                }
            }
            if !t["audio_codec"].is_null() {
                let ours = &stream["CodecName"];
                check("codec", *ours == t["audio_codec"], &t["audio_codec"], ours.to_string());
            }
            for (field, ours) in [("title", "Title"), ("artist", "Artist"), ("album", "Album")] {
                if t[field].as_str().is_some_and(|v| !v.trim().is_empty()) {
                    check(field, same_text(&t[field], &m[ours]), &t[field], m[ours].to_string());
                }
            }
            if !t["ff_format"].is_null() {
                check(
                    "format",
                    m["FormatName"] == t["ff_format"],
                    &t["ff_format"],
                    m["FormatName"].to_string(),
                );
            }
            if let Some(want) = number(&t["bitrate"]) {
                let ours = number(&m["Bitrate"]).unwrap_or(0.0);
                check("bitrate", (want - ours).abs() <= want * 0.03, &t["bitrate"], m["Bitrate"].to_string());
            }
        }
        "pdf" | "office" | "text" => {
            if number(&t["page_count"]).is_some() && family != "text" {
                check(
                    "pages",
                    exact(&t["page_count"], &m["PageCount"]),
                    &t["page_count"],
                    m["PageCount"].to_string(),
                );
            }
            if t["title"].as_str().is_some_and(|v| !v.trim().is_empty()) || t["title"].is_number() {
                check("title", same_text(&t["title"], &m["Title"]), &t["title"], m["Title"].to_string());
            }
            let authors: Vec<String> = match &t["author"] {
                Value::Array(all) => all.iter().filter_map(|a| a.as_str()).map(str::to_owned).collect(),
                Value::String(one) if !one.trim().is_empty() => vec![one.clone()],
                _ => Vec::new(),
            };
            if !authors.is_empty() {
                let ours: Vec<String> = m["Authors"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(|a| a.as_str())
                    .map(str::to_owned)
                    .collect();
                let key = |v: &[String]| squash(&v.join(";").replace([',', ';', ' '], ""));
                check("author", key(&authors) == key(&ours), &t["author"], m["Authors"].to_string());
            }
        }
        _ => {}
    }
}

fn duration(t: &Value, m: &Value, check: &mut impl FnMut(&'static str, bool, &Value, String)) {
    if let Some(want) = t["duration"].as_f64() {
        // ffprobe gives 0 where nothing tells; nothing is what we give.
        let ours = m["Duration"].as_f64().unwrap_or(0.0);
        let agrees = (want - ours).abs() <= (want * 0.02).max(0.1);
        check("duration", agrees, &t["duration"], m["Duration"].to_string());
    }
}

fn squash(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").trim_matches('\0').to_owned()
}

fn same_text(truth: &Value, ours: &Value) -> bool {
    let text = |v: &Value| v.as_str().map(squash).unwrap_or_else(|| v.to_string());
    let (truth, ours) = (text(truth), text(ours));
    // Longer texts are cut on purpose (Limits::max_text), which the record says.
    truth == ours || (ours.len() > 4000 && truth.starts_with(&ours))
}

fn print_agreement(checks: &[Check]) {
    let mut table: BTreeMap<(&str, &str), (u32, u32)> = BTreeMap::new();
    for c in checks {
        let row = table.entry((c.family, c.field)).or_default();
        row.0 += u32::from(c.agrees);
        row.1 += 1;
    }
    println!("\n{:<8} {:<14} {:>5} {:>5} {:>7}   goal", "family", "field", "agree", "of", "%");
    for ((family, field), (agree, of)) in &table {
        let percent = 100.0 * f64::from(*agree) / f64::from(*of);
        let goal = goal(family, field);
        let mark = match goal {
            Some(goal) if percent < goal => "  BELOW",
            _ => "",
        };
        let goal = goal.map_or_else(|| "-".into(), |g| format!("{g}"));
        println!("{family:<8} {field:<14} {agree:>5} {of:>5} {percent:>7.1}   {goal}{mark}");
    }
}

fn goal(family: &str, field: &str) -> Option<f64> {
    Some(match (family, field) {
        ("image", "width" | "height") => 98.0,
        ("image", "make" | "model" | "date" | "orientation") => 97.0,
        ("image", "gps") => 95.0,
        ("video", "width" | "height") => 96.0,
        ("video", "duration" | "codec") => 95.0,
        ("audio", "duration") => 94.0,
        ("audio", "channels" | "sample_rate") => 98.0,
        ("audio", "title") => 95.0,
        ("audio", "artist" | "album") => 90.0,
        ("pdf", "pages" | "title") => 98.0,
        ("office", "title" | "author") => 96.0,
        ("office", "pages") => 95.0,
        _ => return None,
    })
}

fn print_disagreements(checks: &[Check]) {
    for c in checks.iter().filter(|c| !c.agrees) {
        let short = |s: &str| s.chars().take(90).collect::<String>();
        println!(
            "{:<7} {:<12} {}: truth {} ours {}",
            c.family,
            c.field,
            c.path,
            short(&c.truth),
            short(&c.ours)
        );
    }
}

fn print_problems(problems: &BTreeMap<String, u32>) {
    println!("\nproblems recorded:");
    for (problem, n) in problems {
        println!("{n:>4} {problem}");
    }
}

/// GETs of design.md section 9 for a format, where it names one.
fn ideal(format: &str) -> &'static str {
    match format {
        "jpeg" | "png" | "apng" | "heic" | "heif" | "avif" | "matroska" | "webm" | "gif" | "webp" | "bmp" => {
            "1"
        }
        "mp4" | "mov" | "m4a" | "m4v" | "3gp" => "1-2",
        "tiff" | "docx" | "xlsx" | "pptx" | "odt" | "ods" | "odp" | "epub" | "zip" | "mp3" | "ogg" => "2",
        "pdf" => "<=4",
        _ => "-",
    }
}

fn print_costs(costs: &[Cost]) {
    let mut by_format: BTreeMap<&str, Vec<&Cost>> = BTreeMap::new();
    for c in costs {
        by_format.entry(c.format.as_str()).or_default().push(c);
        by_format.entry("~ all").or_default().push(c);
    }
    let row =
        ("format", "files", "gets", "p50", "p95", "max", "ideal", "KiB", "p50", "p95", "us cpu", "max us");
    println!(
        "\n{:<12} {:>5} {:>5} {:>4} {:>4} {:>4} {:>6} {:>7} {:>6} {:>7} {:>8} {:>8}",
        row.0, row.1, row.2, row.3, row.4, row.5, row.6, row.7, row.8, row.9, row.10, row.11
    );
    for (format, costs) in &by_format {
        let n = costs.len() as f64;
        let percentile = |mut v: Vec<u64>, p: f64| {
            v.sort_unstable();
            v[((v.len() - 1) as f64 * p).round() as usize]
        };
        let gets: Vec<u64> = costs.iter().map(|c| u64::from(c.gets)).collect();
        let bytes: Vec<u64> = costs.iter().map(|c| c.bytes).collect();
        let cpu: Vec<u64> = costs.iter().map(|c| c.cpu.as_micros() as u64).collect();
        println!(
            "{:<12} {:>5} {:>5.2} {:>4} {:>4} {:>4} {:>6} {:>7.1} {:>6} {:>7} {:>8.0} {:>8}",
            format,
            costs.len(),
            gets.iter().sum::<u64>() as f64 / n,
            percentile(gets.clone(), 0.5),
            percentile(gets.clone(), 0.95),
            gets.iter().max().unwrap(),
            ideal(format),
            bytes.iter().sum::<u64>() as f64 / n / 1024.0,
            percentile(bytes.clone(), 0.5) / 1024,
            percentile(bytes.clone(), 0.95) / 1024,
            cpu.iter().sum::<u64>() as f64 / n,
            cpu.iter().max().unwrap(),
        );
    }
}
