//! The command line of mediadex.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand};
use mediadex::access_key::KeySource;
use mediadex::client::{Target, read_arguments};
use mediadex::cloud::{CloudOptions, StateDir, local_config};
use mediadex::up::UpOptions;
use mediadex::{
    DEFAULT_PORT, bench, bindings, cost, folders, inspect, keys, load, redrive, search, text, up,
};
use mediadex_core::operation::Params;
use serde_json::Value;

/// The embedded store and the SDK make many small allocations: in the system's
/// allocator they were a quarter of the time of a query.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A media index for object storage.
#[derive(Parser)]
#[command(name = "mediadex", version)]
struct Cli {
    /// The API, for the commands that call it; it may also follow the command.
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    #[command(subcommand)]
    command: Command,
}

impl Command {
    /// Where the command's API is; `None` for one that calls none.
    fn target(&mut self) -> Option<&mut Target> {
        match self {
            Self::Call(call) => Some(&mut call.target),
            Self::Find(find) => Some(find.target()),
            Self::Keys(keys) => Some(&mut keys.target),
            Self::Redrive(redrive) => Some(&mut redrive.target),
            Self::Resume(resume) => Some(&mut resume.target),
            Self::Text(_)
            | Self::ReadText(_)
            | Self::Up(_)
            | Self::Inspect(_)
            | Self::Cost(_)
            | Self::Load(_)
            | Self::Bench(_) => None,
        }
    }
}

#[derive(Subcommand)]
enum Command {
    /// Start the local cloud, index folders and follow them.
    Up(Up),
    /// Call an operation of the API and print its reply.
    Call(Call),
    /// Find files with a query for people.
    Find(search::Find),
    /// Print the metadata of files, folders or objects, without an index.
    Inspect(inspect::Inspect),
    /// Print the text of a document, without an index.
    Text(text::Text),
    /// The local cloud's own: reads the text of the document on stdin.
    #[command(hide = true)]
    ReadText(text::ReadText),
    /// Make and manage access keys, temporary keys and tokens.
    Keys(Keys),
    /// Try again what could not be read.
    Redrive(Redrive),
    /// Have stopped bindings go on, and remove what they hold back.
    Resume(Resume),
    /// Print what an index costs in AWS, item by item.
    Cost(cost::Cost),
    /// Write objects to a local cloud of its own, kill it, and check its index.
    Load(load::LoadArgs),
    /// Print the figures of BENCHMARKS.md.
    Bench(bench::Bench),
}

#[derive(Args)]
struct Up {
    /// Folders to index; each becomes a bucket and a dataset of its name.
    #[arg(value_name = "DIR")]
    folders: Vec<PathBuf>,
    /// Port of the API; S3, DynamoDB and SNS take the three after it.
    #[arg(long, default_value_t = DEFAULT_PORT)]
    port: u16,
    /// Address of all endpoints. For others than the loopback's, the secret of an
    /// access key of your own must have 16 characters or more.
    #[arg(long, env = "MEDIADEX_BIND", default_value = "127.0.0.1", value_name = "ADDRESS")]
    bind: std::net::IpAddr,
    /// A host name under which the endpoints are reached, besides localhost, the
    /// address of --bind and, where that is not loopback's, IP addresses.
    /// Requests to other names are refused. May be given more than once.
    #[arg(long = "allowed-host", env = "MEDIADEX_ALLOWED_HOSTS", value_delimiter = ',', value_name = "NAME")]
    allowed_hosts: Vec<String>,
    /// Where to keep state. By default in the user's data directory, for each
    /// set of folders apart.
    #[arg(long, value_name = "PATH", conflicts_with = "ephemeral")]
    state: Option<PathBuf>,
    /// Keep no state.
    #[arg(long)]
    ephemeral: bool,
    /// Let S3 clients write into the folders and remove their files; without it
    /// the folders are served read-only.
    #[arg(long, env = "MEDIADEX_WRITABLE", value_parser = clap::builder::FalseyValueParser::new())]
    writable: bool,
    /// Let browsers upload through S3 with a form and a signed policy.
    #[arg(long)]
    post_policy: bool,
    /// The id of an access key of your own, with its secret in
    /// --access-key-secret-file or MEDIADEX_ACCESS_KEY_SECRET. Without one, a key
    /// is generated at the first start.
    #[arg(long, env = "MEDIADEX_ACCESS_KEY_ID", hide_env_values = true, value_name = "ID")]
    access_key_id: Option<String>,
    /// A file whose only line is the secret of the access key.
    #[arg(long, value_name = "FILE")]
    access_key_secret_file: Option<PathBuf>,
    /// Print one line of JSON on stdout when everything is scanned.
    #[arg(long)]
    json: bool,
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
struct Keys {
    #[command(subcommand)]
    command: keys::KeysCommand,
    #[command(flatten)]
    target: Target,
}

#[derive(Args)]
struct Redrive {
    #[command(flatten)]
    args: redrive::RedriveArgs,
    #[command(flatten)]
    target: Target,
}

#[derive(Args)]
struct Resume {
    #[command(flatten)]
    args: bindings::ResumeArgs,
    #[command(flatten)]
    target: Target,
}

fn main() -> ExitCode {
    let mut cli = Cli::parse();
    if let Some(endpoint) = cli.endpoint.take() {
        let Some(target) = cli.command.target() else {
            let error = "--endpoint is for the commands that call the API: call, find, keys, redrive, resume";
            Cli::command().error(ErrorKind::ArgumentConflict, error).exit();
        };
        target.stands_before(endpoint);
    }
    // A process with limits of its own, in which nothing else is done.
    if let Command::ReadText(args) = &cli.command {
        return ended(text::read_text(args));
    }
    // Before there are threads, which share it: all files in the state directory
    // are private, also those that libraries create.
    let umask = match &cli.command {
        Command::Up(_) => Some(rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077))),
        _ => None,
    };
    let level = match &cli.command {
        // The protocol crate calls the mistakes of clients errors; what goes wrong
        // within the store, mediadex_s3 says itself.
        Command::Up(_) => "error,s3s=off,mediadex=warn,mediadex_core=warn,mediadex_s3=warn",
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
            Command::Up(up) => run_up(up, umask.map(mode_bits)).await,
            Command::Call(call) => run_call(call).await,
            Command::Find(find) => search::run(find).await,
            Command::Inspect(args) => inspect::run(args).await,
            Command::Text(args) => text::run(&args),
            Command::ReadText(args) => text::read_text(&args),
            Command::Keys(args) => run_keys(args).await,
            Command::Redrive(args) => run_redrive(args).await,
            Command::Resume(args) => run_resume(args).await,
            Command::Cost(args) => run_cost(&args),
            Command::Load(args) => run_load(args).await,
            Command::Bench(bench) => bench::run(bench).await.map(|()| ExitCode::SUCCESS),
        }
    });
    // Threads that still read a disk must not hold the process.
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    ended(done)
}

fn ended(done: anyhow::Result<ExitCode>) -> ExitCode {
    done.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

#[allow(clippy::useless_conversion, reason = "modes have 16 bits on macOS")]
fn mode_bits(mode: rustix::fs::Mode) -> u32 {
    mode.as_raw_mode().into()
}

/// `umask` is the one that the user started the process with.
async fn run_up(args: Up, umask: Option<u32>) -> anyhow::Result<ExitCode> {
    // Read here rather than by clap: there is no option for it, so that no
    // secret stands in a process list.
    let secret = std::env::var("MEDIADEX_ACCESS_KEY_SECRET").ok().filter(|text| !text.is_empty());
    let id = args.access_key_id.filter(|text| !text.is_empty());
    let access_key = KeySource::choose(id, args.access_key_secret_file.as_deref(), secret)?;
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
        bind: args.bind,
        allowed_hosts: args.allowed_hosts,
        state,
        access_key,
        umask,
        writable: args.writable,
        post_policy: args.post_policy,
        config: local_config(),
        program: None,
    };
    up::run(UpOptions { folders: args.folders, cloud, json: args.json }).await?;
    Ok(ExitCode::SUCCESS)
}

#[allow(clippy::print_stdout, reason = "the bill is what was asked for")]
fn run_cost(args: &cost::Cost) -> anyhow::Result<ExitCode> {
    println!("{}", cost::run(args)?);
    Ok(ExitCode::SUCCESS)
}

#[allow(clippy::print_stdout, reason = "the figures are what was asked for")]
async fn run_load(args: load::LoadArgs) -> anyhow::Result<ExitCode> {
    println!("{}", load::run(args).await?);
    Ok(ExitCode::SUCCESS)
}

#[allow(clippy::print_stdout, reason = "the answer is what was asked for")]
async fn run_redrive(command: Redrive) -> anyhow::Result<ExitCode> {
    println!("{}", redrive::redrive(command.args, command.target.api()?).await?);
    Ok(ExitCode::SUCCESS)
}

#[allow(clippy::print_stdout, reason = "the answer is what was asked for")]
async fn run_resume(command: Resume) -> anyhow::Result<ExitCode> {
    println!("{}", bindings::resume(command.args, command.target.api()?).await?);
    Ok(ExitCode::SUCCESS)
}

#[allow(clippy::print_stdout, reason = "the answer is what was asked for")]
async fn run_keys(args: Keys) -> anyhow::Result<ExitCode> {
    println!("{}", keys::run(args.command, args.target.api()?).await?);
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
    let reply = args.target.api()?.call(&args.operation, &params).await?;
    println!("{}", serde_json::to_string_pretty(&reply.body)?);
    Ok(if reply.status < 400 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
