//! `mediadex cost`: what an index costs in AWS, item by item.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use mediadex_core::cost::{Content, Item, Prices, Usage, month, scan, total};

/// What the bill is asked for.
#[derive(Debug, Args)]
pub struct Cost {
    /// Files in the index.
    #[arg(long, value_name = "NUMBER")]
    objects: u64,
    /// Bytes of an object, on average.
    #[arg(long, value_name = "BYTES", default_value_t = 1_000_000)]
    mean_size: u64,
    /// Queries in a month.
    #[arg(long, value_name = "NUMBER", default_value_t = 10_000)]
    queries: u64,
    /// Files that a query has to read: those of its dataset, unless it is by
    /// URI. At most 10,000 by default.
    #[arg(long, value_name = "NUMBER")]
    files_per_query: Option<u64>,
    /// Objects that are written, overwritten or deleted in a month; a tenth of
    /// the files by default.
    #[arg(long, value_name = "NUMBER")]
    changes: Option<u64>,
    /// Scans for differences in a month: 30 of a binding with Reconcile Daily.
    #[arg(long, value_name = "NUMBER", default_value_t = 30)]
    rescans: u64,
    /// The content of objects is not read (Official:OSSBasicMeta).
    #[arg(long)]
    metadata_only: bool,
    /// Scans for differences do not read tags again (MEDIADEX_RECONCILE_TAGS=off);
    /// they do so only where the content is not read.
    #[arg(long, requires = "metadata_only")]
    no_tags: bool,
    /// Prices of your own, in the form of prices.json.
    #[arg(long, value_name = "FILE")]
    price_file: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[allow(clippy::cast_precision_loss, reason = "a bill of more than 2^53 objects may be off by one of them")]
fn count(number: u64) -> f64 {
    number as f64
}

/// The bill as text.
///
/// # Errors
/// When the prices cannot be read.
pub fn run(args: &Cost) -> anyhow::Result<String> {
    let prices = match &args.price_file {
        None => Prices::listed(),
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("{} cannot be read", path.display()))?;
            Prices::parse(&text)
        }
    };
    let prices = prices.map_err(|error| anyhow::anyhow!(error.message().to_owned()))?;
    let content = if args.metadata_only { Content::Nothing } else { Content::Ranges(count(args.mean_size)) };
    let usage = Usage {
        objects: count(args.objects),
        changes: count(args.changes.unwrap_or(args.objects / 10)),
        queries: count(args.queries),
        files_a_query: count(args.files_per_query.unwrap_or(args.objects.min(10_000))),
        rescans: count(args.rescans),
        content,
        tags: !args.no_tags,
    };
    let (once, monthly) = (scan(&prices, usage.objects, content), month(&prices, &usage));
    if args.json {
        let bill = serde_json::json!({
            "prices": prices,
            "scan": {"items": once, "usd": total(&once)},
            "month": {"items": monthly, "usd": total(&monthly)},
        });
        return Ok(serde_json::to_string_pretty(&bill)?);
    }
    Ok(format!(
        "Prices of {} ({}).\n\nOnce, the first scan of {} objects:\n{}\nA month, with {} changes, {} queries that read {} files each, {} scans for differences:\n{}",
        prices.region,
        prices.as_of,
        args.objects,
        table(&once),
        usage.changes,
        usage.queries,
        usage.files_a_query,
        usage.rescans,
        table(&monthly)
    ))
}

fn table(items: &[Item]) -> String {
    let mut text = String::new();
    for item in items {
        let what = format!("{} ({})", item.what, item.unit);
        text.push_str(&format!("  {what:<52} {:>18.1} {:>12.2}\n", item.count, item.usd));
    }
    text.push_str(&format!("  {:<52} {:>18} {:>12.2}\n", "USD", "", total(items)));
    text
}
