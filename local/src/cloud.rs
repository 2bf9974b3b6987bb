//! The process as a whole: endpoints, context, workers, and their end.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use aws_credential_types::Credentials;
use mediadex_core::gateway::Gateway;
use mediadex_core::ingest::Due;
use mediadex_core::keys::{Keys, Policy, SealingKey};
use mediadex_core::state::{RunKind, RunStatus, Stage};
use mediadex_core::{Config, Context, Listings, state};
use mediadex_endpoint::{Hosts, Unverified};
use mediadex_s3::{Access, Notice, Options, Sink, Store};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::access_key::{AccessKey, KeySource, LoadedKey};
use crate::scans::Scans;
use crate::starts::{self, Starts};
use crate::text::ChildReader;
use crate::work::LocalDispatch;
use crate::{api, dynamodb, events, private, replica, sns, work};

/// The queue that buckets of the local cloud send their events to.
const OBJECT_QUEUE: &str = "arn:aws:sqs:us-east-1:000000000000:mediadex-objects";

/// The file of the sealing key in the state directory.
const SEALING_KEY: &str = "sealing.key";

/// Where state is kept.
#[derive(Debug, Clone)]
pub enum StateDir {
    /// In this directory; it survives a restart and a kill.
    Path(PathBuf),
    /// Nowhere: it goes away with the process.
    Ephemeral,
}

/// How the local cloud is started.
#[derive(Debug, Clone)]
pub struct CloudOptions {
    /// The API's port; S3, DynamoDB and SNS take the three after it. 0: any
    /// four free ports.
    pub port: u16,
    /// The address of all endpoints. Others than the loopback's are refused
    /// while the secret of the access key is short.
    pub bind: IpAddr,
    /// Further host names of all endpoints, without port: requests to other
    /// names than those of loopback, and `bind`, are refused.
    pub allowed_hosts: Vec<String>,
    /// Where state is kept.
    pub state: StateDir,
    /// Where the access key of all endpoints comes from; the API has more, once
    /// they are made.
    pub access_key: KeySource,
    /// The umask for files that the S3 endpoint writes into folders of the
    /// user's, where the process's own is another (mode bits).
    pub umask: Option<u32>,
    /// Whether S3 clients may write into the folders that are served.
    pub writable: bool,
    /// Whether browsers may upload through S3 with a form and a signed policy.
    pub post_policy: bool,
    /// Configuration of the operations.
    pub config: Config,
    /// The program mediadex, whose child processes read the text of documents;
    /// without one, this process's own.
    pub program: Option<PathBuf>,
}

impl Default for CloudOptions {
    fn default() -> Self {
        Self {
            port: 0,
            bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
            allowed_hosts: Vec::new(),
            state: StateDir::Ephemeral,
            access_key: KeySource::StateDirectory,
            umask: None,
            writable: false,
            post_policy: false,
            config: local_config(),
            program: None,
        }
    }
}

/// The configuration of the local cloud: the environment's, with what only
/// makes sense here.
pub fn local_config() -> Config {
    let mut config = Config::from_env();
    config.object_queue_arn = Some(OBJECT_QUEUE.into());
    config.s3_path_style = true;
    config.function_prefix = None;
    if std::env::var_os("MEDIADEX_GUARD_CONFIRM_SECONDS").is_none() {
        // The file system itself says what is in a folder: asked twice, it is taken as true.
        config.guard_confirm = Some(300);
    }
    if std::env::var_os("MEDIADEX_PROJECT_QUERIES_PER_SECOND").is_none() {
        // There is one user, and SDKs that do not try again.
        config.queries_per_second = 0;
    }
    if std::env::var_os("MEDIADEX_SCAN_SEGMENTS").is_none() {
        // Two cores: more segments only take each other's turns.
        config.scan_segments = 4;
    }
    if std::env::var_os("MEDIADEX_PARTITIONS").is_none() {
        config.partitions = 4;
    }
    config
}

/// Where the endpoints are.
#[derive(Debug, Clone, Copy)]
pub struct Endpoints {
    /// The API.
    pub api: SocketAddr,
    /// S3.
    pub s3: SocketAddr,
    /// DynamoDB.
    pub dynamodb: SocketAddr,
    /// SNS.
    pub sns: SocketAddr,
}

/// The running local cloud.
pub struct Cloud {
    /// What operations run in.
    pub ctx: Context,
    /// Where the endpoints are.
    pub endpoints: Endpoints,
    /// The object store behind the S3 endpoint.
    pub store: Store,
    /// The scans that are under way.
    pub scans: Scans,
    /// The access key of all endpoints.
    pub access_key: LoadedKey,
    /// The file with the key that secrets in the store are sealed with.
    pub sealing_key: PathBuf,
    starts: Starts,
    stop: CancellationToken,
    tasks: JoinSet<()>,
    _lock: Option<std::fs::File>,
    _temporary: Option<tempfile::TempDir>,
}

async fn bind(address: IpAddr, port: u16) -> anyhow::Result<TcpListener> {
    TcpListener::bind(SocketAddr::new(address, port)).await.with_context(|| {
        format!("port {port} of {address} cannot be had; choose another with --port or --bind")
    })
}

/// Where a listener is reached from this machine.
fn reached(listener: &TcpListener) -> std::io::Result<SocketAddr> {
    let mut address = listener.local_addr()?;
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(IpAddr::V6(Ipv6Addr::LOCALHOST)),
        _ => {}
    }
    Ok(address)
}

/// The key that secrets in the store are sealed with, made at the first start:
/// beside the store, for its owner's eyes only.
fn sealing_key(directory: &Path) -> anyhow::Result<SealingKey> {
    let path = directory.join(SEALING_KEY);
    let (text, _) = private::read_or_create(&path, || hex::encode(rand::random::<[u8; 32]>()))?;
    SealingKey::parse(&text)
        .map_err(|error| anyhow::anyhow!(error.internal_text()))
        .with_context(|| format!("{} cannot be used", path.display()))
}

impl Cloud {
    /// Starts everything; `folders` are served as buckets, by name. Returns
    /// when all endpoints answer. Nothing is scanned yet but what an earlier
    /// process left unfinished.
    ///
    /// # Errors
    /// When a port is taken, the state is in use or a folder cannot be served.
    pub async fn start(options: CloudOptions, folders: &[(String, PathBuf)]) -> anyhow::Result<Self> {
        let (directory, temporary, held) = match &options.state {
            StateDir::Path(path) => (path.clone(), None, Some(private::lock_state(path)?)),
            StateDir::Ephemeral => {
                let temporary = tempfile::Builder::new().prefix("mediadex-").tempdir()?;
                (temporary.path().to_owned(), Some(temporary), None)
            }
        };
        let ports = match options.port {
            0 => [0; 4],
            port => [port, port + 1, port + 2, port + 3],
        };
        let [api_port, s3_port, dynamodb_port, sns_port] = ports;
        let api_listener = bind(options.bind, api_port).await?;
        let s3_listener = bind(options.bind, s3_port).await?;
        let dynamodb_listener = bind(options.bind, dynamodb_port).await?;
        let sns_listener = bind(options.bind, sns_port).await?;
        let database_listener = dynamodb::hidden().await?;
        socket2::SockRef::from(&database_listener).set_tcp_nodelay(true)?;
        let database = database_listener.local_addr()?;
        let endpoints = Endpoints {
            api: reached(&api_listener)?,
            s3: reached(&s3_listener)?,
            dynamodb: reached(&dynamodb_listener)?,
            sns: reached(&sns_listener)?,
        };
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();

        // After the ports: a start that fails for one makes no key.
        let access_key = options.access_key.load(&directory, options.bind)?;
        let AccessKey { id, secret } = &access_key.key;

        let ephemeral = matches!(options.state, StateDir::Ephemeral);
        dynamodb::serve(&mut tasks, database_listener, &directory, ephemeral, stop.clone()).await?;
        let hosts = Hosts::of(options.bind, &options.allowed_hosts);
        let unverified = Unverified::default();
        dynamodb::guard(
            &mut tasks,
            dynamodb::Outside {
                listener: dynamodb_listener,
                hosts: hosts.clone(),
                unverified: unverified.clone(),
            },
            database,
            id,
            secret,
            stop.clone(),
        );

        let (sink, notices) = notices();
        let s3_directory = directory.join("s3");
        let store_options = Options {
            region: options.config.region.clone(),
            sink,
            post_policy: options.post_policy,
            umask: options.umask,
            ..Options::default()
        };
        let store = Store::open(&s3_directory, store_options)?;
        let access = if options.writable { Access::ReadWrite } else { Access::ReadOnly };
        for (bucket, folder) in folders {
            store.add_bucket(bucket, folder, access)?;
        }
        let s3_keys = mediadex_s3::Credentials { access_key: id.clone(), secret_key: secret.clone() };
        let (s3_store, s3_hosts, s3_stop) = (store.clone(), hosts.clone(), stop.clone());
        tasks.spawn(async move {
            let stopped = s3_stop.cancelled_owned();
            let served = mediadex_s3::serve(s3_listener, s3_store, s3_keys, s3_hosts, stopped).await;
            if let Err(error) = served {
                tracing::error!(%error, "the S3 endpoint ended");
            }
        });

        let sns_state = (!ephemeral).then(|| directory.join("sns.sqlite"));
        let topics = sns::Topics::open(sns_state.as_deref(), endpoints.sns, id, secret)?;
        sns::serve(&mut tasks, sns_listener, topics, hosts.clone(), unverified.clone(), stop.clone());

        let (dispatch, works) = LocalDispatch::new();
        let keys =
            Keys::default().with(id, secret, Policy::everything()).sealed_with(sealing_key(&directory)?);
        let file = dynamodb::path(&directory);
        let ctx = context(&options, &access_key.key, endpoints, database, &file, Arc::new(dispatch))
            .with_keys(keys)
            .with_listings(Arc::new(Served(store.clone())))
            .with_text_reader(Arc::new(ChildReader::new(options.program.clone())));
        state::create_tables(&ctx.db).await.map_err(|error| anyhow::anyhow!(error.internal_text()))?;
        let scans = Scans::new(ctx.clone(), stop.clone());
        let (starts, before) = Starts::begin(&directory)?;
        starts::watch(&mut tasks, starts.clone(), before, ctx.clone(), scans.clone(), stop.clone());
        work::run(&mut tasks, ctx.clone(), scans.clone(), works, stop.clone());
        work::tick(&mut tasks, ctx.clone(), stop.clone());
        events::run(&mut tasks, ctx.clone(), scans.clone(), notices, stop.clone());

        let gateway = Gateway::new(ctx.clone());
        api::serve(&mut tasks, api_listener, gateway, hosts, unverified, stop.clone());
        let sealing_key = directory.join(SEALING_KEY);
        let cloud = Self {
            ctx,
            endpoints,
            store,
            scans,
            access_key,
            sealing_key,
            starts,
            stop,
            tasks,
            _lock: held,
            _temporary: temporary,
        };
        // Folders are scanned by the process that serves them.
        cloud.take_up(folders.iter().map(|(bucket, _)| bucket.clone()).collect()).await?;
        Ok(cloud)
    }

    /// Takes up what an earlier process left: accepted tasks, open scans.
    async fn take_up(&self, folders: BTreeSet<String>) -> anyhow::Result<()> {
        let text = |error: mediadex_core::Error| anyhow::anyhow!(error.internal_text());
        for (project, task_id) in self.ctx.db.open_tasks().await.map_err(text)? {
            mediadex_core::dispatch::send_index_task(&self.ctx, &project, &task_id).await.map_err(text)?;
        }
        for run in self.ctx.db.open_runs().await.map_err(text)? {
            if self.is_made_again(&run).await {
                self.ctx.db.end_run(&run, RunStatus::Stopped).await.map_err(text)?;
                continue;
            }
            tracing::info!(run, "taking up a scan that was interrupted");
            self.scans.spawn(&run);
        }
        // Events that a process held when it ended are lost with it.
        mediadex_core::ingest::on_schedule(&self.ctx, Due::AllBut(folders)).await.map_err(text)?;
        Ok(())
    }

    /// Whether every start begins a scan that does what this run was for: a look for
    /// differences in a whole bucket that has removed nothing yet. Otherwise a process
    /// that dies at each start would take up one more each time.
    async fn is_made_again(&self, run: &str) -> bool {
        let Ok(run) = self.ctx.db.run(run).await else { return false };
        run.kind == RunKind::Full && !run.current && run.prefix.is_empty() && run.stage == Stage::Index
    }

    /// Stops taking requests, lets what is under way finish for a while, and
    /// ends.
    pub async fn shutdown(mut self) {
        self.stop.cancel();
        let drained = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(std::time::Duration::from_secs(12), drained).await.is_err() {
            tracing::warn!("some work was cut off; it is taken up at the next start");
        }
        self.starts.went_well();
    }
}

/// The store, as the server of the buckets.
struct Served(Store);

impl Listings for Served {
    fn is_complete(&self, bucket: &str) -> bool {
        self.0.unreadable(bucket).is_some_and(|unreadable| unreadable.folders == 0)
    }

    fn hides(&self, bucket: &str, key: &str) -> bool {
        self.0.hides(bucket, key)
    }
}

fn notices() -> (Sink, mpsc::UnboundedReceiver<Notice>) {
    Sink::channel()
}

/// Builds the clients: the real SDKs, pointed at the endpoints of this process.
fn context(
    options: &CloudOptions,
    key: &AccessKey,
    endpoints: Endpoints,
    database: SocketAddr,
    file: &Path,
    dispatch: Arc<LocalDispatch>,
) -> Context {
    let credentials = Credentials::new(&key.id, &key.secret, None, None, "mediadex-local");
    let http = aws_smithy_http_client::Builder::new().build_http();
    let sdk = aws_config::SdkConfig::builder()
        .behavior_version(aws_config::BehaviorVersion::latest())
        .region(aws_config::Region::new(options.config.region.clone()))
        .credentials_provider(aws_credential_types::provider::SharedCredentialsProvider::new(credentials))
        .http_client(http.clone())
        .sleep_impl(aws_smithy_async::rt::sleep::SharedAsyncSleep::new(
            aws_smithy_async::rt::sleep::TokioSleep::new(),
        ))
        .build();
    let dynamodb = aws_sdk_dynamodb::config::Builder::from(&sdk)
        .http_client(replica::reading(file, http))
        .endpoint_url(format!("http://{database}"))
        .build();
    let s3 = aws_sdk_s3::config::Builder::from(&sdk)
        .endpoint_url(format!("http://{}", endpoints.s3))
        .force_path_style(true)
        .build();
    let sns =
        aws_sdk_sns::config::Builder::from(&sdk).endpoint_url(format!("http://{}", endpoints.sns)).build();
    Context::with_clients(
        aws_sdk_dynamodb::Client::from_conf(dynamodb),
        aws_sdk_s3::Client::from_conf(s3),
        aws_sdk_sns::Client::from_conf(sns),
        options.config.clone(),
        dispatch,
    )
}
