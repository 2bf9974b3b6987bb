//! What every operation gets: clients, configuration and counters, built once
//! per process.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::timeout::TimeoutConfig;
use aws_smithy_runtime_api::client::http::HttpClient;

use crate::config::Config;
use crate::dispatch::{Dispatch, SendText, to_text_queue};
use crate::error::{Error, Result};
use crate::keys::Keys;
use crate::state::Db;
use crate::text::TextReader;
use crate::usage::Usage;

/// How long the front door waits for another function.
const REMOTE_TIME: Duration = Duration::from_secs(57);

/// The SDK configuration of the environment: credentials, region and endpoints
/// (`AWS_ENDPOINT_URL_S3` and so on) in the ways of every AWS SDK. The SDK is built
/// without an HTTP client of its own.
pub async fn sdk_config(http: impl HttpClient + 'static) -> SdkConfig {
    aws_config::defaults(aws_config::BehaviorVersion::latest()).http_client(http).load().await
}

/// The surroundings of an operation. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    /// The configuration of the process.
    pub config: Arc<Config>,
    /// The tables.
    pub db: Db,
    /// What was asked of the services.
    pub usage: Arc<Usage>,
    services: Arc<Services>,
    keys: Arc<OnceLock<Keys>>,
    listings: Option<Arc<dyn Listings>>,
    care: Arc<Care>,
    text_reader: Option<Arc<dyn TextReader>>,
    text_queue: Option<SendText>,
}

/// How objects are read after the process ended while it read some.
#[derive(Default)]
struct Care {
    is_on: AtomicBool,
    /// Held while an object is read that may end the process.
    alone: tokio::sync::Mutex<()>,
}

/// What the server of the buckets knows of their listings.
pub trait Listings: Send + Sync {
    /// Whether the last listing of a bucket showed all that is in it. Folders may
    /// hold what the process may not read.
    fn is_complete(&self, bucket: &str) -> bool;
    /// Whether listings leave out an object of this key, if there is one.
    fn hides(&self, bucket: &str, key: &str) -> bool;
}

/// What few operations need, built when it is first asked for. A function links
/// the clients of those services only that its operation calls.
struct Services {
    sdk: SdkConfig,
    s3: OnceLock<aws_sdk_s3::Client>,
    sns: OnceLock<aws_sdk_sns::Client>,
    sqs: OnceLock<aws_sdk_sqs::Client>,
    sfn: OnceLock<aws_sdk_sfn::Client>,
    lambda: OnceLock<aws_sdk_lambda::Client>,
    /// Instead of queue and state machine.
    dispatch: Option<Arc<dyn Dispatch>>,
}

impl Services {
    fn new(sdk: SdkConfig) -> Self {
        Self {
            sdk,
            s3: OnceLock::new(),
            sns: OnceLock::new(),
            sqs: OnceLock::new(),
            sfn: OnceLock::new(),
            lambda: OnceLock::new(),
            dispatch: None,
        }
    }
}

impl Context {
    /// Builds the clients from a given SDK configuration.
    pub fn new(sdk: SdkConfig, config: Config) -> Self {
        let dynamodb = aws_sdk_dynamodb::Client::new(&sdk);
        Self::with_services(dynamodb, Services::new(sdk), config)
    }

    /// Takes clients that the caller built, such as the local cloud with an
    /// endpoint for each service. It has no access keys yet.
    pub fn with_clients(
        dynamodb: aws_sdk_dynamodb::Client,
        s3: aws_sdk_s3::Client,
        sns: aws_sdk_sns::Client,
        config: Config,
        dispatch: Arc<dyn Dispatch>,
    ) -> Self {
        let services = Services {
            s3: OnceLock::from(s3),
            sns: OnceLock::from(sns),
            dispatch: Some(dispatch),
            ..Services::new(SdkConfig::builder().build())
        };
        Self::with_services(dynamodb, services, config).with_keys(Keys::default())
    }

    fn with_services(dynamodb: aws_sdk_dynamodb::Client, services: Services, config: Config) -> Self {
        let usage = Arc::new(Usage::default());
        let config = Arc::new(config);
        let db = Db::new(dynamodb, &config, Arc::clone(&usage));
        Self {
            config,
            db,
            usage,
            services: Arc::new(services),
            keys: Arc::default(),
            listings: None,
            care: Arc::default(),
            text_reader: None,
            text_queue: None,
        }
    }

    /// The same context with these access keys.
    #[must_use]
    pub fn with_keys(self, keys: Keys) -> Self {
        Self { keys: Arc::new(OnceLock::from(keys)), ..self }
    }

    /// The same context, which reads the text of documents so.
    #[must_use]
    pub fn with_text_reader(self, reader: Arc<dyn TextReader>) -> Self {
        Self { text_reader: Some(reader), ..self }
    }

    /// The same context, which sends documents whose text is to be read to their queue:
    /// a function that does not links no client for it.
    #[must_use]
    pub fn with_text_queue(self) -> Self {
        Self { text_queue: Some(to_text_queue), ..self }
    }

    /// How documents are sent to the queue of texts.
    pub(crate) fn text_queue(&self) -> Option<SendText> {
        self.text_queue
    }

    /// Who reads the text of documents.
    ///
    /// # Errors
    /// `InternalError` in a process that reads none.
    pub(crate) fn text_reader(&self) -> Result<&dyn TextReader> {
        let reader = self.text_reader.as_deref();
        reader.ok_or_else(|| Error::internal("this process reads no text of documents"))
    }

    /// The same context, told by the server of the buckets of their listings.
    #[must_use]
    pub fn with_listings(self, listings: Arc<dyn Listings>) -> Self {
        Self { listings: Some(listings), ..self }
    }

    /// Whether the last listing of a bucket showed all that is in it. Object storage
    /// never leaves anything out.
    pub(crate) fn listing_is_complete(&self, bucket: &str) -> bool {
        self.listings.as_ref().is_none_or(|listings| listings.is_complete(bucket))
    }

    /// Whether listings leave out an object of this key, if there is one: that it is
    /// not listed says nothing then.
    pub(crate) fn listing_hides(&self, bucket: &str, key: &str) -> bool {
        self.listings.as_ref().is_some_and(|listings| listings.hides(bucket, key))
    }

    /// Has all objects read one at a time, each noted before, or no longer: for a
    /// process whose predecessors ended without being told to.
    pub fn set_careful(&self, is_on: bool) {
        self.care.is_on.store(is_on, Ordering::Relaxed);
    }

    pub(crate) fn is_careful(&self) -> bool {
        self.care.is_on.load(Ordering::Relaxed)
    }

    /// Held by those who read an object that may end the process, so that it is
    /// known which one did.
    pub(crate) fn alone(&self) -> &tokio::sync::Mutex<()> {
        &self.care.alone
    }

    /// The same context with counters of its own, which count into those of
    /// this one as well: what a part of the work uses.
    pub fn metered(&self) -> Self {
        let usage = Arc::new(Usage::part_of(Arc::clone(&self.usage)));
        let db = self.db.with_usage(Arc::clone(&usage));
        Self { db, usage, ..self.clone() }
    }

    /// Object storage.
    pub fn s3(&self) -> &aws_sdk_s3::Client {
        self.services.s3.get_or_init(|| {
            let config = aws_sdk_s3::config::Builder::from(&self.services.sdk)
                .force_path_style(self.config.s3_path_style);
            aws_sdk_s3::Client::from_conf(config.build())
        })
    }

    /// Topics for completion messages.
    pub fn sns(&self) -> &aws_sdk_sns::Client {
        self.services.sns.get_or_init(|| aws_sdk_sns::Client::new(&self.services.sdk))
    }

    /// The queue of index tasks.
    pub(crate) fn sqs(&self) -> &aws_sdk_sqs::Client {
        self.services.sqs.get_or_init(|| aws_sdk_sqs::Client::new(&self.services.sdk))
    }

    /// The state machine of scans.
    pub(crate) fn sfn(&self) -> &aws_sdk_sfn::Client {
        self.services.sfn.get_or_init(|| aws_sdk_sfn::Client::new(&self.services.sdk))
    }

    /// The functions of operations that the front door has done.
    pub(crate) fn lambda(&self) -> &aws_sdk_lambda::Client {
        self.services.lambda.get_or_init(|| {
            // All attempts together end before the front door's own time is up.
            let timeouts = TimeoutConfig::builder().operation_timeout(REMOTE_TIME).build();
            let config = aws_sdk_lambda::config::Builder::from(&self.services.sdk).timeout_config(timeouts);
            aws_sdk_lambda::Client::from_conf(config.build())
        })
    }

    /// Who takes asynchronous work where there is neither queue nor state machine.
    pub(crate) fn dispatch(&self) -> Option<&dyn Dispatch> {
        self.services.dispatch.as_deref()
    }

    /// The access keys.
    pub fn keys(&self) -> &Keys {
        self.keys.get_or_init(|| Keys::from_config(&self.config, &self.services.sdk))
    }
}
