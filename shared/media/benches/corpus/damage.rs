//! Damaged corpus files: panics, the slowest, the hungriest.

use std::time::{Duration, Instant};

use mediadex_media::ProblemKind;

use crate::mutator::{Random, mutate};
use crate::{Corpus, HEAP, object};

pub(crate) fn print(corpus: &Corpus, total: u64) {
    let files: Vec<(&str, Vec<u8>)> =
        corpus.files().filter_map(|(_, path, full)| Some((path, std::fs::read(full).ok()?))).collect();
    if files.is_empty() {
        return;
    }
    // Panics are counted, not shown.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let (mut panics, mut errors) = (Vec::new(), Vec::new());
    let (mut slowest, mut slow_input) = (Duration::ZERO, String::new());
    let (mut largest, mut large_input) = (0, String::new());
    for n in 0..total {
        let mut random = Random::of(n);
        let (name, bytes) = &files[random.below(files.len())];
        let mut bytes = bytes.clone();
        mutate(&mut bytes, &mut random);
        let input = || format!("input {n} of {name}");
        let before = HEAP.current_usage();
        HEAP.reset_peak_usage();
        let start = Instant::now();
        let outcome = std::panic::catch_unwind(|| object::extract_bytes(&bytes, name));
        let took = start.elapsed();
        let held = HEAP.peak_usage().saturating_sub(before);
        match outcome {
            Ok(Ok(record)) if record.problems.iter().all(|p| p.kind != ProblemKind::Panic) => {}
            Ok(Err(e)) => errors.push(format!("{}: {e}", input())),
            _ => panics.push(input()),
        }
        if took > slowest {
            (slowest, slow_input) = (took, input());
        }
        if held > largest {
            (largest, large_input) = (held, input());
        }
    }
    std::panic::set_hook(hook);
    println!("\n### Damaged input\n\n| | measured | goal | input |\n|---|---:|---:|---|");
    println!("| inputs | {total} | | |");
    println!("| panics, caught ones too | {} | 0 | {} |", panics.len(), panics.first().map_or("", |p| p));
    println!("| endless, or ranges outside | {} | 0 | {} |", errors.len(), errors.first().map_or("", |e| e));
    println!("| slowest, s | {:.3} | 2 | {slow_input} |", slowest.as_secs_f64());
    println!("| most memory for one, MiB | {:.1} | 64 | {large_input} |", largest as f64 / 1_048_576.0);
}
