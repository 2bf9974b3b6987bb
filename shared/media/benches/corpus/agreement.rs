//! Agreement by family and field beside the goals, and what disagrees.

use std::collections::BTreeMap;

use crate::reasons;
use crate::truth::Check;

/// Least percentage to reach.
fn goal(family: &str, field: &str) -> Option<f64> {
    Some(match (family, field) {
        ("image", "width" | "height") => 98.0,
        ("image", "make" | "model" | "date" | "orientation") => 97.0,
        ("image", "gps") => 95.0,
        ("video", "width" | "height") => 96.0,
        ("video", "duration" | "codec") => 95.0,
        ("audio", "duration") => 94.0,
        ("audio", "channels" | "sample rate") => 98.0,
        ("audio", "title") => 95.0,
        ("audio", "artist" | "album") => 90.0,
        ("pdf", "pages" | "title") => 98.0,
        ("office", "title" | "author") => 96.0,
        ("office", "pages") => 95.0,
        _ => return None,
    })
}

pub(crate) fn print(checks: &[Check]) {
    let mut table: BTreeMap<(&str, &str), (u32, u32)> = BTreeMap::new();
    for c in checks {
        let row = table.entry((c.family, c.field)).or_default();
        row.0 += u32::from(c.agrees);
        row.1 += 1;
    }
    println!("\n### Agreement\n\n| family | field | agree | of | % | goal |\n|---|---|---:|---:|---:|---:|");
    for ((family, field), (agree, of)) in &table {
        let percent = 100.0 * f64::from(*agree) / f64::from(*of);
        let goal = match goal(family, field) {
            Some(goal) if percent < goal => format!("**{goal}, missed**"),
            Some(goal) => format!("{goal}"),
            None => String::new(),
        };
        println!("| {family} | {field} | {agree} | {of} | {percent:.1} | {goal} |");
    }
}

pub(crate) fn print_disagreements(checks: &[Check]) {
    println!("\n### Disagreements\n\n| file | field | truth | ours | reason |\n|---|---|---|---|---|");
    for c in checks.iter().filter(|c| !c.agrees) {
        let reason = reasons::of(&c.path, c.field).unwrap_or("unexplained");
        println!(
            "| {} | {} | {} | {} | {reason} |",
            short_path(&c.path),
            c.field,
            cell(&c.truth),
            cell(&c.ours)
        );
    }
}

/// The collection and the file's name: enough to find it again.
fn short_path(path: &str) -> String {
    match (path.split_once('/'), path.rsplit_once('/')) {
        (Some((first, rest)), Some((_, name))) if rest != name => format!("{first}/.../{name}"),
        _ => path.to_owned(),
    }
}

fn cell(text: &str) -> String {
    text.chars().take(60).map(|c| if c == '|' { '/' } else { c }).collect()
}
