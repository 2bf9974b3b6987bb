//! Damaged input: truncations, flipped bits, lengths that lie. Nothing may panic,
//! hang or ask for bytes outside the object.
//!
//! `MEDIADEX_MUTATIONS` sets how many inputs are tried (default 6,000), and
//! `MEDIADEX_CORPUS` where real files lie; without them the samples do.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mediadex_media::{Limits, ProblemKind};

use crate::mutator::{Random, mutate};
use crate::{run, samples};

fn corpus() -> Vec<PathBuf> {
    let root = std::env::var_os("MEDIADEX_CORPUS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus"), PathBuf::from);
    let mut open = vec![root.join("files")];
    let mut files = Vec::new();
    while let Some(dir) = open.pop() {
        let Ok(entries) = std::fs::read_dir(&dir) else { continue };
        for entry in entries.flatten() {
            let path = entry.path();
            if path.is_dir() { open.push(path) } else { files.push(path) }
        }
    }
    if files.is_empty() {
        println!("no corpus at {}: only samples are mutated", root.display());
    }
    files.sort();
    files
}

#[test]
fn damaged_input_is_survived() {
    let total: u64 = std::env::var("MEDIADEX_MUTATIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(6_000);
    // Panics are caught inside and would only fill the log.
    std::panic::set_hook(Box::new(|_| {}));
    let samples = samples::all();
    let corpus = corpus();
    let mut caught = std::collections::BTreeMap::<String, (u64, String)>::new();
    let mut slowest = (Duration::ZERO, String::new());
    for n in 0..total {
        let mut random = Random::of(n);
        let (name, mut bytes) = if corpus.is_empty() || n % 2 == 0 {
            let (name, bytes) = &samples[random.below(samples.len())];
            ((*name).to_owned(), bytes.clone())
        } else {
            let path = &corpus[random.below(corpus.len())];
            (path.display().to_string(), std::fs::read(path).unwrap_or_default())
        };
        mutate(&mut bytes, &mut random);
        let start = Instant::now();
        let record = std::panic::catch_unwind(|| run(&bytes, &name, Limits::default()));
        let took = start.elapsed();
        let Ok(record) = record else {
            let _ = std::panic::take_hook();
            panic!("input {n} from {name}: a panic or a step that does not end");
        };
        for p in record.problems.iter().filter(|p| p.kind == ProblemKind::Panic) {
            caught.entry(p.what.clone()).or_insert((0, format!("input {n} from {name}"))).0 += 1;
        }
        if took > slowest.0 {
            slowest = (took, format!("input {n} from {name}"));
        }
    }
    let _ = std::panic::take_hook();
    println!(
        "{total} inputs; slowest {:?} ({}); panics caught in other people's parsers: {caught:?}",
        slowest.0, slowest.1
    );
    if let Ok(status) = std::fs::read_to_string("/proc/self/status") {
        println!("{}", status.lines().find(|l| l.starts_with("VmHWM")).unwrap_or_default());
    }
    assert!(slowest.0 < Duration::from_secs(10), "hang: {}", slowest.1);
}

#[test]
fn every_truncation_of_every_sample_is_survived() {
    for (name, bytes) in samples::all() {
        let step = (bytes.len() / 400).max(1);
        for len in (0..bytes.len()).step_by(step) {
            let record = run(&bytes[..len], name, Limits::default());
            let panicked = record.problems.iter().any(|p| p.kind == ProblemKind::Panic);
            assert!(!panicked, "{name} cut at {len}");
        }
    }
}

/// Chunk lengths of 64 bits that overflow when added up (found by fuzzing).
#[test]
fn lengths_past_any_end_are_survived() {
    for (name, bytes) in samples::all() {
        for at in (0..bytes.len().min(512).saturating_sub(8)).step_by(4) {
            let mut bytes = bytes.clone();
            bytes[at..at + 8].fill(0xff);
            let record = run(&bytes, name, Limits::default());
            let panicked = record.problems.iter().any(|p| p.kind == ProblemKind::Panic);
            assert!(!panicked, "{name} at {at}");
        }
    }
}
