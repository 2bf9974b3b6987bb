//! GETs and bytes an object, by format, beside the fewest there can be.

use std::collections::BTreeMap;

use mediadex_media::Record;

/// One object's cost.
pub(crate) struct Cost {
    format: String,
    gets: u64,
    bytes: u64,
}

impl Cost {
    pub(crate) fn of(record: &Record) -> Self {
        Cost {
            format: record.detected.as_ref().map_or_else(|| "none".into(), |d| d.format.clone()),
            gets: u64::from(record.gets()),
            bytes: record.bytes_read,
        }
    }
}

/// GETs of design.md section 9 for a format, where it names one.
fn ideal(format: &str) -> &'static str {
    match format {
        "jpeg" | "png" | "apng" | "heic" | "heif" | "avif" | "matroska" | "webm" => "1",
        "mp4" | "mov" | "m4a" | "m4v" | "3gp" | "3g2" => "1 to 2",
        "tiff" | "zip" | "mp3" | "ogg" | "ogv" => "2",
        "docx" | "docm" | "xlsx" | "xlsm" | "pptx" | "pptm" | "odt" | "ods" | "odp" | "odg" | "epub" => "2",
        "pdf" => "at most 4",
        _ => "",
    }
}

fn percentile(costs: &[&Cost], of: impl Fn(&Cost) -> u64, p: f64) -> u64 {
    let mut all: Vec<u64> = costs.iter().map(|c| of(c)).collect();
    all.sort_unstable();
    all[((all.len() - 1) as f64 * p).round() as usize]
}

fn mean(costs: &[&Cost], of: impl Fn(&Cost) -> u64) -> f64 {
    costs.iter().map(|c| of(c)).sum::<u64>() as f64 / costs.len() as f64
}

pub(crate) fn print(costs: &[Cost]) {
    let mut by_format: BTreeMap<&str, Vec<&Cost>> = BTreeMap::new();
    for c in costs {
        by_format.entry(c.format.as_str()).or_default().push(c);
    }
    println!("\n### GETs and bytes an object\n");
    println!(
        "| format | files | GETs, mean | most | ideal | KiB, mean | KiB, p95 |\n|---|---:|---:|---:|---|---:|---:|"
    );
    for (format, costs) in &by_format {
        println!(
            "| {format} | {} | {:.2} | {} | {} | {:.1} | {:.1} |",
            costs.len(),
            mean(costs, |c| c.gets),
            percentile(costs, |c| c.gets, 1.0),
            ideal(format),
            mean(costs, |c| c.bytes) / 1024.0,
            percentile(costs, |c| c.bytes, 0.95) as f64 / 1024.0,
        );
    }
    let all: Vec<&Cost> = costs.iter().collect();
    if all.is_empty() {
        return;
    }
    println!("\n| all formats | measured | goal |\n|---|---:|---:|");
    println!("| GETs, mean | {:.2} | 1.4 |", mean(&all, |c| c.gets));
    println!("| KiB read, mean | {:.1} | |", mean(&all, |c| c.bytes) / 1024.0);
    println!("| KiB read, p95 | {:.1} | 256 |", percentile(&all, |c| c.bytes, 0.95) as f64 / 1024.0);
}
