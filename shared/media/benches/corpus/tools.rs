//! CPU of our extraction beside exiftool's and ffprobe's, over the same files.
//!
//! Each is run as a child process, and what is compared is user and system time of
//! the children waited for (`/proc/self/stat`), so that what else the machine does
//! counts little.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::truth::family;
use crate::{Corpus, object};

/// Our passes over the files in one child: a pass is short beside the clock's ticks.
const PASSES: u32 = 20;

/// Clock ticks a second in `/proc` (USER_HZ, fixed by Linux's interface).
const TICKS: f64 = 100.0;

/// User and system seconds of all children waited for so far.
fn children_cpu() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // Behind the name, which is in brackets, the children's times are fields 14 and 15.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |i: usize| fields.get(i)?.parse::<f64>().ok();
    Some((ticks(13)? + ticks(14)?) / TICKS)
}

/// CPU seconds of `run`, none where it says that it could not run.
fn cpu_of(run: impl FnOnce() -> bool) -> Option<f64> {
    let before = children_cpu()?;
    run().then_some(())?;
    Some(children_cpu()? - before)
}

fn quiet(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

/// The child's part: extracts from every file of a list, several times over.
pub(crate) fn extract_listed(list: &str) {
    let paths = std::fs::read_to_string(list).unwrap_or_default();
    for _ in 0..PASSES {
        for path in paths.lines() {
            let _ = object::extract_file(path.as_ref(), path);
        }
    }
}

/// CPU seconds of one pass of ours over the files.
fn ours(files: &[PathBuf]) -> Option<f64> {
    let list = write_list(files)?;
    let myself = std::env::current_exe().ok()?;
    let all = cpu_of(|| quiet(Command::new(myself).arg("--extract-listed").arg(&list)));
    let _ = std::fs::remove_file(list);
    all.map(|s| s / f64::from(PASSES))
}

fn exiftool(files: &[PathBuf]) -> Option<f64> {
    let list = write_list(files)?;
    let cpu = cpu_of(|| quiet(Command::new("exiftool").args(["-j", "-n", "-fast2", "-@"]).arg(&list)));
    let _ = std::fs::remove_file(list);
    cpu
}

fn ffprobe(files: &[PathBuf]) -> Option<f64> {
    let args = ["-v", "error", "-show_format", "-show_streams", "-of", "json"];
    cpu_of(|| files.iter().all(|f| quiet(Command::new("ffprobe").args(args).arg(f))))
}

fn write_list(files: &[PathBuf]) -> Option<PathBuf> {
    let list = std::env::temp_dir().join(format!("mediadex-bench-{}.txt", std::process::id()));
    let text: Vec<String> = files.iter().map(|f| f.display().to_string()).collect();
    std::fs::write(&list, text.join("\n")).ok()?;
    Some(list)
}

pub(crate) fn print(corpus: &Corpus) {
    let all: Vec<PathBuf> = corpus.files().map(|(_, _, full)| full).collect();
    let films = corpus.files().filter(|(t, _, _)| matches!(family(t), "audio" | "video"));
    let films: Vec<PathBuf> = films.map(|(_, _, full)| full).collect();
    println!("\n### CPU beside the reference tools\n");
    println!("| | files | theirs, s | ours, s | ratio | goal |\n|---|---:|---:|---:|---:|---:|");
    row("exiftool -fast2, one process", &all, exiftool(&all), 100);
    row("ffprobe, a process a file, audio and video", &films, ffprobe(&films), 500);
    println!("\nUser and system time. Ours reads the files by ranges, and is a mean of {PASSES} passes.");
}

fn row(name: &str, files: &[PathBuf], theirs: Option<f64>, goal: u32) {
    let n = files.len();
    match (theirs, ours(files)) {
        (Some(theirs), Some(ours)) if ours > 0.0 => {
            println!("| {name} | {n} | {theirs:.2} | {ours:.4} | {:.0} | {goal} |", theirs / ours);
        }
        (None, Some(ours)) => println!("| {name} | {n} | not installed | {ours:.4} | | {goal} |"),
        _ => println!("| {name} | {n} | not measured here | | | {goal} |"),
    }
}
