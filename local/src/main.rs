//! The command line of mediadex.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Args, Parser, Subcommand};
use mediadex::client::{Api, read_arguments};
use mediadex::cloud::{CloudOptions, StateDir, local_config};
use mediadex::up::{PROJECT, UpOptions};
use mediadex::{DEFAULT_PORT, bench, find, folders, table, up};
use mediadex_core::operation::Params;
use serde_json::{Value, json};

/// A media index for object storage.
#[derive(Parser)]
#[command(name = "mediadex", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start the local cloud, index folders and follow them.
    Up(Up),
    /// Call an operation of the API and print its reply.
    Call(Call),
    /// Find files with a query for people.
    Find(Find),
    /// Print the figures of BENCHMARKS.md.
    Bench(bench::Bench),
}

#[derive(Args)]
struct Up {
    /// Folders to index; each becomes a bucket and a dataset of its name.
    #[arg(value_name = "DIR")]
    folders: Vec<PathBuf>,
    /// Port of the API on 127.0.0.1; S3, DynamoDB and SNS take the three after it.
    #[arg(long, default_value_t = DEFAULT_PORT)]
    port: u16,
    /// Where to keep state. By default in the user's data directory, for each
    /// set of folders apart.
    #[arg(long, value_name = "PATH", conflicts_with = "ephemeral")]
    state: Option<PathBuf>,
    /// Keep no state.
    #[arg(long)]
    ephemeral: bool,
    /// Print one line of JSON on stdout when everything is scanned.
    #[arg(long)]
    json: bool,
}

/// The access key, which the server and its clients read alike.
#[derive(Args, Clone)]
struct Key {
    /// Access key id.
    #[arg(
        long = "access-key-id",
        env = "MEDIADEX_ACCESS_KEY_ID",
        default_value = "mediadex",
        hide_env_values = true
    )]
    id: String,
    /// Its secret.
    #[arg(
        long = "access-key-secret",
        env = "MEDIADEX_ACCESS_KEY_SECRET",
        default_value = "mediadex-secret",
        hide_env_values = true
    )]
    secret: String,
}

#[derive(Args)]
struct Target {
    /// The API.
    #[arg(long, env = "MEDIADEX_ENDPOINT", default_value_t = format!("http://127.0.0.1:{DEFAULT_PORT}"))]
    endpoint: String,
    #[command(flatten)]
    key: Key,
}

impl Target {
    fn api(&self) -> Api {
        Api {
            endpoint: self.endpoint.clone(),
            access_key_id: self.key.id.clone(),
            access_key_secret: self.key.secret.clone(),
        }
    }
}

#[derive(Args)]
struct Call {
    /// The operation, such as GetDataset.
    operation: String,
    /// Parameters: Key=value; values that are JSON are sent as JSON.
    #[arg(value_name = "Key=value")]
    arguments: Vec<String>,
    /// Parameters as one JSON object; those given as Key=value are put on top.
    #[arg(long, value_name = "JSON")]
    body: Option<String>,
    #[command(flatten)]
    target: Target,
}

#[derive(Args)]
struct Find {
    /// The dataset.
    dataset: String,
    /// What to find, such as: type:image width>=4000 make:Canon taken:2020..2022
    #[arg(default_value = "", allow_hyphen_values = true)]
    query: String,
    /// Fields to sort by, with a minus for descending: -taken,size
    #[arg(long, default_value = "", allow_hyphen_values = true)]
    sort: String,
    /// How many files to show.
    #[arg(long, default_value_t = 20)]
    limit: usize,
    /// Print each file as one line of JSON.
    #[arg(long)]
    json: bool,
    /// Print only how many there are.
    #[arg(long, conflicts_with = "json")]
    count: bool,
    /// The project.
    #[arg(long, default_value = PROJECT)]
    project: String,
    #[command(flatten)]
    target: Target,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let level = match &cli.command {
        Command::Up(_) => "error,mediadex=warn,mediadex_core=warn,mediadex_s3=warn",
        _ => "error",
    };
    mediadex_core::telemetry::init_plain(level);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: the runtime cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let done = runtime.block_on(async {
        match cli.command {
            Command::Up(up) => run_up(up).await,
            Command::Call(call) => run_call(call).await,
            Command::Find(find) => run_find(find).await,
            Command::Bench(bench) => bench::run(bench).await.map(|()| ExitCode::SUCCESS),
        }
    });
    // Threads that still read a disk must not hold the process.
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run_up(args: Up) -> anyhow::Result<ExitCode> {
    // Parsed here rather than by clap: `up` has no options for them, so that
    // no secret stands in a process list.
    let variable = |name: &str, default: &str| {
        std::env::var(name).ok().filter(|v| !v.is_empty()).unwrap_or(default.into())
    };
    let state = match (args.ephemeral, args.state) {
        (true, _) => StateDir::Ephemeral,
        (false, Some(path)) => StateDir::Path(std::path::absolute(path)?),
        (false, None) => StateDir::Path(folders::default_state(&args.folders)?),
    };
    if args.port > u16::MAX - 3 {
        bail!("the port must leave room for three more after it");
    }
    let cloud = CloudOptions {
        port: args.port,
        state,
        access_key_id: variable("MEDIADEX_ACCESS_KEY_ID", "mediadex"),
        access_key_secret: variable("MEDIADEX_ACCESS_KEY_SECRET", "mediadex-secret"),
        config: local_config(),
    };
    up::run(UpOptions { folders: args.folders, cloud, json: args.json }).await?;
    Ok(ExitCode::SUCCESS)
}

#[allow(clippy::print_stdout, reason = "the reply is what was asked for")]
async fn run_call(args: Call) -> anyhow::Result<ExitCode> {
    let mut params = match &args.body {
        None => Params::new(),
        Some(json) => match serde_json::from_str(json).context("--body is not JSON")? {
            Value::Object(map) => map,
            _ => bail!("--body must be a JSON object"),
        },
    };
    params.extend(read_arguments(&args.arguments)?);
    let reply = args.target.api().call(&args.operation, &params).await?;
    println!("{}", serde_json::to_string_pretty(&reply.body)?);
    Ok(if reply.status < 400 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[allow(clippy::print_stdout, reason = "what was found is what was asked for")]
async fn run_find(args: Find) -> anyhow::Result<ExitCode> {
    let query = find::parse(&args.query)?;
    let (sort, order) = find::parse_sort(&args.sort).map_err(anyhow::Error::msg)?;
    let api = args.target.api();
    let mut params = Params::new();
    params.insert("ProjectName".into(), json!(args.project));
    params.insert("DatasetName".into(), json!(args.dataset));
    if let Some(query) = query {
        params.insert("Query".into(), query);
    }
    if !sort.is_empty() {
        params.insert("Sort".into(), json!(sort));
        params.insert("Order".into(), json!(order));
    }
    let mut shown: Vec<Value> = Vec::new();
    let mut total = None;
    loop {
        let wanted = if args.count { 1 } else { (args.limit - shown.len()).clamp(1, 100) };
        params.insert("MaxResults".into(), json!(wanted));
        params.insert("WithoutTotalHits".into(), json!(total.is_some()));
        let reply = api.call("SimpleQuery", &params).await?;
        if reply.status >= 400 {
            bail!("{}", reply.body.get("Message").and_then(Value::as_str).unwrap_or("the query failed"));
        }
        total = total.or_else(|| reply.body.get("TotalHits").and_then(Value::as_u64));
        if args.count {
            println!("{}", total.unwrap_or(0));
            return Ok(ExitCode::SUCCESS);
        }
        shown.extend(reply.body.get("Files").and_then(Value::as_array).cloned().unwrap_or_default());
        let next = reply.body.get("NextToken").and_then(Value::as_str).unwrap_or_default().to_owned();
        if next.is_empty() || shown.len() >= args.limit {
            break;
        }
        params.insert("NextToken".into(), json!(next));
    }
    shown.truncate(args.limit);
    if args.json {
        for file in &shown {
            println!("{}", serde_json::to_string(file)?);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<Vec<String>> = shown.iter().map(row_of).collect();
    println!("{}", table::render(&["FILE", "TYPE", "SIZE", "DIMENSIONS", "TAKEN"], &rows, 60));
    println!("{} of {} file(s)", shown.len(), total.unwrap_or(0));
    Ok(ExitCode::SUCCESS)
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
