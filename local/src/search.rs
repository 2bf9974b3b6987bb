//! `mediadex find`: asks SimpleQuery and shows the answer to people.

use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use mediadex_core::operation::Params;
use serde_json::{Value, json};

use crate::bindings::bindings;
use crate::client::{Api, Target};
use crate::up::PROJECT;
use crate::{find, table};

/// Arguments of `mediadex find`.
#[derive(Args)]
pub struct Find {
    /// The dataset.
    dataset: String,
    /// What to find, such as: type:image width>=4000 make:Canon taken:2020..2022
    /// near:48.85,2.35~5km "sun set"
    #[arg(default_value = "", allow_hyphen_values = true)]
    query: String,
    /// Fields to sort by, with a minus for descending: -taken,size
    #[arg(long, default_value = "", allow_hyphen_values = true)]
    sort: String,
    /// How many files (or groups) to show.
    #[arg(long, default_value_t = 20)]
    limit: usize,
    /// Print each file (or group) as one line of JSON.
    #[arg(long)]
    json: bool,
    /// Print only how many there are.
    #[arg(long, conflicts_with_all = ["json", "group_by", "histogram"])]
    count: bool,
    /// Group the files by a field, such as camera, and count each group.
    #[arg(long, value_name = "FIELD", conflicts_with = "histogram")]
    group_by: Option<String>,
    /// Count the files by period, such as taken:month (year, month, week, day, hour).
    #[arg(long, value_name = "FIELD:INTERVAL")]
    histogram: Option<String>,
    /// Say on stderr what the query cost.
    #[arg(long)]
    stats: bool,
    /// The project.
    #[arg(long, default_value = PROJECT)]
    project: String,
    #[command(flatten)]
    target: Target,
}

impl Find {
    /// Where the API is.
    pub fn target(&mut self) -> &mut Target {
        &mut self.target
    }
}

/// Read units, calls of the store and milliseconds, over all pages.
#[derive(Default)]
struct Cost {
    units: f64,
    calls: u64,
    milliseconds: f64,
}

struct Asking {
    api: Api,
    params: Params,
    cost: Cost,
}

impl Asking {
    async fn ask(&mut self) -> anyhow::Result<Value> {
        let reply = self.api.call("SimpleQuery", &self.params).await?;
        if reply.status >= 400 {
            bail!("{}", reply.body.get("Message").and_then(Value::as_str).unwrap_or("the query failed"));
        }
        if let Some(stats) = reply.body.get("Stats") {
            let number = |name: &str| stats.get(name).and_then(Value::as_f64).unwrap_or(0.0);
            self.cost.units += number("ReadUnits");
            self.cost.calls += stats.get("StoreCalls").and_then(Value::as_u64).unwrap_or(0);
            self.cost.milliseconds += number("Milliseconds");
        }
        Ok(reply.body)
    }
}

/// Runs the command.
///
/// # Errors
/// For a query that cannot be read, and where the API refuses or is not there.
pub async fn run(args: Find) -> anyhow::Result<ExitCode> {
    let mut params = Params::new();
    params.insert("ProjectName".into(), json!(args.project));
    params.insert("DatasetName".into(), json!(args.dataset));
    params.insert("WithStats".into(), json!(args.stats));
    if let Some(query) = find::parse(&args.query)? {
        params.insert("Query".into(), query);
    }
    let mut asking = Asking { api: args.target.api()?, params, cost: Cost::default() };
    if let Some(field) = &args.group_by {
        let field = find::parse_group(field).map_err(anyhow::Error::msg)?;
        groups(&args, &mut asking, json!({"Field": field, "Operation": "group"})).await?;
    } else if let Some(histogram) = &args.histogram {
        let (field, interval) = find::parse_histogram(histogram).map_err(anyhow::Error::msg)?;
        let aggregation = json!({"Field": field, "Operation": "date_histogram", "Interval": interval});
        periods(&args, &mut asking, aggregation, &interval).await?;
    } else {
        files(&args, &mut asking).await?;
    }
    warn(&asking.api, &args.project, &args.dataset).await;
    if args.stats {
        let Cost { units, calls, milliseconds } = asking.cost;
        eprintln!("{units} read units in {calls} calls of the store, {milliseconds:.1} ms");
    }
    Ok(ExitCode::SUCCESS)
}

/// Says on stderr where the index may differ from the buckets. A key that may not
/// ask gets its answer without.
async fn warn(api: &Api, project: &str, dataset: &str) {
    match bindings(api, project, dataset).await {
        Ok(found) => {
            for warning in found.iter().filter_map(|binding| binding.warning(dataset)) {
                eprintln!("warning: {warning}");
            }
        }
        Err(error) => tracing::debug!(error = format!("{error:#}"), "the bindings were not looked at"),
    }
}

#[allow(clippy::print_stdout, reason = "what was found is what was asked for")]
async fn files(args: &Find, asking: &mut Asking) -> anyhow::Result<()> {
    let (sort, order) = find::parse_sort(&args.sort).map_err(anyhow::Error::msg)?;
    if !sort.is_empty() {
        asking.params.insert("Sort".into(), json!(sort));
        asking.params.insert("Order".into(), json!(order));
    }
    let mut shown: Vec<Value> = Vec::new();
    let mut total = None;
    loop {
        let wanted = if args.count { 1 } else { (args.limit - shown.len()).clamp(1, 100) };
        asking.params.insert("MaxResults".into(), json!(wanted));
        asking.params.insert("WithoutTotalHits".into(), json!(total.is_some()));
        let reply = asking.ask().await?;
        total = total.or_else(|| reply.get("TotalHits").and_then(Value::as_u64));
        if args.count {
            println!("{}", total.unwrap_or(0));
            return Ok(());
        }
        shown.extend(reply.get("Files").and_then(Value::as_array).cloned().unwrap_or_default());
        let next = reply.get("NextToken").and_then(Value::as_str).unwrap_or_default().to_owned();
        if next.is_empty() || shown.len() >= args.limit {
            break;
        }
        asking.params.insert("NextToken".into(), json!(next));
    }
    shown.truncate(args.limit);
    if args.json {
        for file in &shown {
            println!("{}", serde_json::to_string(file)?);
        }
        return Ok(());
    }
    let rows: Vec<Vec<String>> = shown.iter().map(row_of).collect();
    println!("{}", table::render(&["FILE", "TYPE", "SIZE", "DIMENSIONS", "TAKEN"], &rows, 60));
    println!("{} of {} file(s)", shown.len(), total.unwrap_or(0));
    Ok(())
}

/// The groups of one aggregation over all files: values and counts.
async fn aggregate(
    asking: &mut Asking,
    aggregation: Value,
    groups: usize,
) -> anyhow::Result<Vec<(String, u64)>> {
    asking.params.insert("Aggregations".into(), json!([aggregation]));
    asking.params.insert("MaxResults".into(), json!(groups.clamp(1, 2000)));
    asking.params.insert("WithoutTotalHits".into(), json!(true));
    let reply = asking.ask().await?;
    let groups = reply.pointer("/Aggregations/0/Groups").and_then(Value::as_array).cloned();
    Ok(groups
        .unwrap_or_default()
        .iter()
        .map(|group| {
            let value = group.get("Value").and_then(Value::as_str).unwrap_or_default().to_owned();
            (value, group.get("Count").and_then(Value::as_u64).unwrap_or(0))
        })
        .collect())
}

#[allow(clippy::print_stdout, reason = "what was found is what was asked for")]
fn print_json(groups: &[(String, u64)]) {
    for (value, count) in groups {
        println!("{}", json!({"Value": value, "Count": count}));
    }
}

#[allow(clippy::print_stdout, reason = "what was found is what was asked for")]
async fn groups(args: &Find, asking: &mut Asking, aggregation: Value) -> anyhow::Result<()> {
    let groups = aggregate(asking, aggregation, args.limit).await?;
    if args.json {
        print_json(&groups);
        return Ok(());
    }
    let rows: Vec<Vec<String>> =
        groups.iter().map(|(value, count)| vec![value.clone(), count.to_string()]).collect();
    println!("{}", table::render(&["VALUE", "FILES"], &rows, 60));
    Ok(())
}

#[allow(clippy::print_stdout, reason = "what was found is what was asked for")]
async fn periods(args: &Find, asking: &mut Asking, aggregation: Value, interval: &str) -> anyhow::Result<()> {
    let found = aggregate(asking, aggregation, 2000).await?;
    if args.json {
        print_json(&found);
        return Ok(());
    }
    // As much of a moment as the interval tells apart.
    let shown = match interval {
        "year" => 4,
        "month" => 7,
        "week" | "day" => 10,
        _ => 16,
    };
    let bars: Vec<(String, u64)> = found
        .into_iter()
        .map(|(start, count)| (start.get(..shown).unwrap_or(&start).replace('T', " "), count))
        .collect();
    println!("{}", table::bars(&bars, 50));
    Ok(())
}

fn row_of(file: &Value) -> Vec<String> {
    let text = |name: &str| file.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let number = |names: [&str; 2]| names.iter().find_map(|name| file.get(*name).and_then(Value::as_i64));
    let size = match (number(["ImageWidth", "VideoWidth"]), number(["ImageHeight", "VideoHeight"])) {
        (Some(width), Some(height)) => format!("{width}x{height}"),
        _ => String::new(),
    };
    let taken = text("ProduceTime").get(..10).unwrap_or_default().to_owned();
    let bytes = file.get("Size").and_then(Value::as_i64).map(table::bytes).unwrap_or_default();
    vec![text("Filename"), text("MediaType"), bytes, size, taken]
}
