//! The extractor against real files: agreement with exiftool, ffprobe and pdfinfo,
//! GETs and bytes an object, CPU beside those tools, and damaged input. Prints
//! Markdown for BENCHMARKS.md.
//!
//! `cargo bench -p mediadex-media --bench corpus [-- OPTIONS]`
//!
//! - `--corpus DIR`: a directory with `truth.json` and `files/` (default:
//!   `MEDIADEX_CORPUS`, else `../shared/corpus` beside the checkout)
//! - `--mutations N`: also try N damaged inputs
//! - `--no-tools`: leave out exiftool and ffprobe
//! - `--dump SUBSTRING`: only print the records of matching paths
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used)]

mod agreement;
mod cost;
mod damage;
#[path = "../../tests/it/mutator.rs"]
mod mutator;
mod object;
mod reasons;
mod tools;
mod truth;

use std::path::PathBuf;

use serde_json::Value;

/// Counts what is held, for the largest allocation an object takes.
#[global_allocator]
static HEAP: peak_alloc::PeakAlloc = peak_alloc::PeakAlloc;

/// Files with what the reference tools say of them.
struct Corpus {
    root: PathBuf,
    truth: Vec<Value>,
}

impl Corpus {
    fn open(root: PathBuf) -> Option<Self> {
        let truth = std::fs::read(root.join("truth.json")).ok()?;
        Some(Corpus { root, truth: serde_json::from_slice(&truth).expect("truth.json is JSON") })
    }

    /// Truth and place of each file that is there.
    fn files(&self) -> impl Iterator<Item = (&Value, &str, PathBuf)> {
        self.truth.iter().filter_map(|t| {
            let path = t["path"].as_str()?;
            let full = self.root.join("files").join(path);
            full.is_file().then_some((t, path, full))
        })
    }
}

fn main() {
    let mut root = std::env::var_os("MEDIADEX_CORPUS").map(PathBuf::from);
    let (mut mutations, mut dump, mut with_tools) = (0, None, true);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--corpus" => root = args.next().map(PathBuf::from),
            "--mutations" => {
                mutations = args.next().and_then(|n| n.parse().ok()).expect("--mutations takes a number")
            }
            "--dump" => dump = args.next(),
            "--no-tools" => with_tools = false,
            // The child of `tools`: what it is to read stands in a list.
            "--extract-listed" => return tools::extract_listed(args.next().as_deref().unwrap_or_default()),
            _ => {}
        }
    }
    let root = root.unwrap_or_else(|| concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/corpus").into());
    let Some(corpus) = Corpus::open(root.clone()) else {
        println!("no corpus at {}: nothing scored", root.display());
        return;
    };
    if let Some(part) = dump {
        for (t, path, full) in corpus.files().filter(|(_, path, _)| path.contains(&part)) {
            let record = object::extract_file(&full, path).expect("a readable file");
            println!("{path}\n{}\ntruth {t}\n", serde_json::to_string_pretty(&record).unwrap());
        }
        return;
    }
    let (mut checks, mut costs) = (Vec::new(), Vec::new());
    for (t, path, full) in corpus.files() {
        let record = object::extract_file(&full, path).expect("a readable file");
        truth::compare(t, path, &record, &mut checks);
        costs.push(cost::Cost::of(&record));
    }
    println!("{} files.", costs.len());
    agreement::print(&checks);
    agreement::print_disagreements(&checks);
    cost::print(&costs);
    if with_tools {
        tools::print(&corpus);
    }
    if mutations > 0 {
        damage::print(&corpus, mutations);
    }
}
