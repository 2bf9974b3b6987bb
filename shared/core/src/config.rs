//! Configuration, read once per process from the environment.

use std::env;
use std::str::FromStr;
use std::time::Duration;

use crate::model::Reconcile;

/// Everything that can be set. docs/configuration.md lists the variables.
#[derive(Clone)]
pub struct Config {
    /// Region, for resource names and topics.
    pub region: String,
    /// Account, for resource names and topics.
    pub account_id: String,
    /// Partition of AWS, for topics: `aws`, `aws-cn`, `aws-us-gov`.
    pub partition: String,
    /// The deployment's name, for its metrics; without one there are none.
    pub stack: Option<String>,
    /// Name of the table of projects, datasets, bindings, tasks and scans.
    pub state_table: String,
    /// Name of the table of files.
    pub files_table: String,
    /// Partitions of a new dataset: how many queries run concurrently.
    pub partitions: u32,
    /// Counter shards of a new dataset: how many writers do not wait for each other.
    pub counter_shards: u32,
    /// How many projects there may be.
    pub max_projects: u64,
    /// `ProjectQueriesPerSecond` of a new project that names none; 0: no limit.
    pub queries_per_second: i64,
    /// ARN of the queue that bucket notifications go to.
    pub object_queue_arn: Option<String>,
    /// URL of the queue of asynchronous index tasks.
    pub task_queue_url: Option<String>,
    /// URL of the queue of documents whose text is to be read.
    pub text_queue_url: Option<String>,
    /// What stands before the names of functions that the front door calls (see
    /// [`Mode::Remote`](crate::operation::Mode::Remote)); without it their
    /// operations run in the process.
    pub function_prefix: Option<String>,
    /// ARN of the state machine that drives scans.
    pub scan_state_machine_arn: Option<String>,
    /// Secrets Manager id of the first access keys.
    pub access_keys_secret: Option<String>,
    /// Secrets Manager id of the key that stored secrets are sealed with.
    pub sealing_key_secret: Option<String>,
    /// A file with that key instead, for functions beside the local cloud.
    pub sealing_key_file: Option<std::path::PathBuf>,
    /// An access key of the environment, id and secret, that may do everything.
    pub access_key: Option<(String, String)>,
    /// How long a key that was read is used before it is read again.
    pub key_cache: Duration,
    /// Segments that a scan is split into, at most.
    pub scan_segments: usize,
    /// Keys of one page of a scan, 1 to 1,000.
    pub scan_page: i32,
    /// Objects that are read concurrently in one batch.
    pub read_concurrency: usize,
    /// Share of a dataset's files, 0 to 1, that the scans of a binding may remove in
    /// a period.
    pub guard_share: f64,
    /// Files that they may always remove, whatever the share.
    pub guard_floor: i64,
    /// Seconds of that period.
    pub guard_period: i64,
    /// Seconds after which a second complete listing that shows the same is taken
    /// as proof that files are gone; `None`: only a caller can say so.
    pub guard_confirm: Option<i64>,
    /// Attempts at one object before it is recorded as failed.
    pub max_attempts: u32,
    /// Seconds that one call of a scan's step may take before it hands on.
    pub step_seconds: u64,
    /// How often a binding that says nothing else is compared with its bucket.
    pub reconcile: Reconcile,
    /// Whether scans for differences read the tags of objects that have not
    /// changed, for datasets whose template asks for it: one request for each.
    pub reconcile_tags: bool,
    /// Files that one query may have to read, at most.
    pub max_query_files: i64,
    /// Bounds of the extraction, per object.
    pub extraction: mediadex_media::Limits,
    /// Whether the S3 client addresses buckets by path.
    pub s3_path_style: bool,
    /// For tests: the reader ends the process at objects whose key ends so.
    pub abort_on: Option<String>,
}

/// Without the secret.
impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config")
            .field("region", &self.region)
            .field("state_table", &self.state_table)
            .field("files_table", &self.files_table)
            .finish_non_exhaustive()
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            region: "us-east-1".into(),
            account_id: "000000000000".into(),
            partition: "aws".into(),
            stack: None,
            state_table: "mediadex-state".into(),
            files_table: "mediadex-files".into(),
            partitions: 8,
            counter_shards: 8,
            max_projects: crate::model::Limits::PROJECTS,
            queries_per_second: crate::model::Limits::QUERIES_PER_SECOND,
            object_queue_arn: None,
            task_queue_url: None,
            text_queue_url: None,
            function_prefix: None,
            scan_state_machine_arn: None,
            access_keys_secret: None,
            sealing_key_secret: None,
            sealing_key_file: None,
            access_key: None,
            key_cache: Duration::from_secs(60),
            scan_segments: 64,
            scan_page: 1000,
            read_concurrency: 32,
            guard_share: 0.5,
            guard_floor: 1000,
            guard_period: 86_400,
            guard_confirm: None,
            max_attempts: 5,
            step_seconds: 600,
            reconcile: Reconcile::Daily,
            reconcile_tags: true,
            max_query_files: 1_000_000,
            extraction: mediadex_media::Limits::default(),
            s3_path_style: false,
            abort_on: None,
        }
    }
}

fn text(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

fn number<T: FromStr>(name: &str, default: T) -> T {
    text(name).and_then(|value| value.parse().ok()).unwrap_or(default)
}

/// The bounds of the extraction that the environment sets.
pub fn extraction_limits() -> mediadex_media::Limits {
    let base = mediadex_media::Limits::default();
    let milliseconds = u64::try_from(base.max_cpu.as_millis()).unwrap_or(u64::MAX);
    mediadex_media::Limits {
        // An object's head is always read: less than it would read nothing.
        max_bytes: number("MEDIADEX_MAX_OBJECT_BYTES", base.max_bytes).max(mediadex_media::HEAD_BYTES),
        max_gets: number("MEDIADEX_MAX_OBJECT_GETS", base.max_gets).max(1),
        max_cpu: Duration::from_millis(number("MEDIADEX_MAX_OBJECT_MILLISECONDS", milliseconds).max(1)),
        max_memory: number("MEDIADEX_MAX_OBJECT_MEMORY", base.max_memory).max(128 * 1024),
        ..base
    }
}

impl Config {
    /// Reads the environment; what is unset or unreadable has its default.
    pub fn from_env() -> Self {
        let base = Self::default();
        Self {
            region: text("AWS_REGION").or_else(|| text("AWS_DEFAULT_REGION")).unwrap_or(base.region),
            account_id: text("MEDIADEX_ACCOUNT_ID").unwrap_or(base.account_id),
            partition: text("MEDIADEX_PARTITION").unwrap_or(base.partition),
            stack: text("MEDIADEX_STACK"),
            state_table: text("MEDIADEX_STATE_TABLE").unwrap_or(base.state_table),
            files_table: text("MEDIADEX_FILES_TABLE").unwrap_or(base.files_table),
            partitions: number("MEDIADEX_PARTITIONS", base.partitions).clamp(1, 256),
            counter_shards: number("MEDIADEX_COUNTER_SHARDS", base.counter_shards).clamp(1, 64),
            max_projects: number("MEDIADEX_MAX_PROJECTS", base.max_projects),
            queries_per_second: number("MEDIADEX_PROJECT_QUERIES_PER_SECOND", base.queries_per_second)
                .clamp(0, crate::model::Limits::QUERIES_PER_SECOND_MAX),
            object_queue_arn: text("MEDIADEX_OBJECT_QUEUE_ARN"),
            task_queue_url: text("MEDIADEX_TASK_QUEUE_URL"),
            text_queue_url: text("MEDIADEX_TEXT_QUEUE_URL"),
            function_prefix: text("MEDIADEX_FUNCTION_PREFIX"),
            scan_state_machine_arn: text("MEDIADEX_SCAN_STATE_MACHINE_ARN"),
            access_keys_secret: text("MEDIADEX_ACCESS_KEYS_SECRET"),
            sealing_key_secret: text("MEDIADEX_SEALING_KEY_SECRET"),
            sealing_key_file: text("MEDIADEX_SEALING_KEY_FILE").map(Into::into),
            access_key: text("MEDIADEX_ACCESS_KEY_ID").zip(text("MEDIADEX_ACCESS_KEY_SECRET")),
            key_cache: Duration::from_secs(number("MEDIADEX_KEY_CACHE_SECONDS", base.key_cache.as_secs())),
            scan_segments: number("MEDIADEX_SCAN_SEGMENTS", base.scan_segments).clamp(1, 1000),
            scan_page: base.scan_page,
            read_concurrency: number("MEDIADEX_READ_CONCURRENCY", base.read_concurrency).clamp(1, 512),
            guard_share: number("MEDIADEX_GUARD_SHARE", base.guard_share).clamp(0.0, 1.0),
            guard_floor: number("MEDIADEX_GUARD_FLOOR", base.guard_floor).max(0),
            guard_period: number("MEDIADEX_GUARD_PERIOD_SECONDS", base.guard_period).max(1),
            guard_confirm: text("MEDIADEX_GUARD_CONFIRM_SECONDS")
                .and_then(|value| value.parse().ok())
                .filter(|seconds| *seconds > 0),
            max_attempts: number("MEDIADEX_MAX_ATTEMPTS", base.max_attempts).max(1),
            step_seconds: number("MEDIADEX_STEP_SECONDS", base.step_seconds).clamp(1, 800),
            reconcile: match text("MEDIADEX_RECONCILE").as_deref() {
                Some("off") => Reconcile::Off,
                Some("hourly") => Reconcile::Hourly,
                _ => base.reconcile,
            },
            reconcile_tags: text("MEDIADEX_RECONCILE_TAGS").as_deref() != Some("off"),
            max_query_files: number("MEDIADEX_MAX_QUERY_FILES", base.max_query_files).max(0),
            extraction: extraction_limits(),
            s3_path_style: text("MEDIADEX_S3_PATH_STYLE").is_some() || text("AWS_ENDPOINT_URL_S3").is_some(),
            abort_on: text("MEDIADEX_ABORT_ON"),
        }
    }
}
