//! What every operation gets: clients, configuration and counters, built once
//! per process.

use std::sync::Arc;

use aws_config::SdkConfig;

use crate::config::Config;
use crate::dispatch::Dispatch;
use crate::keys::Keys;
use crate::state::Db;
use crate::usage::Usage;

/// The SDK configuration of the environment: credentials, region and endpoints
/// (`AWS_ENDPOINT_URL_S3` and so on) in the ways of every AWS SDK.
pub async fn sdk_config() -> SdkConfig {
    aws_config::defaults(aws_config::BehaviorVersion::latest()).load().await
}

/// The surroundings of an operation. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    /// The configuration of the process.
    pub config: Arc<Config>,
    /// The tables.
    pub db: Db,
    /// Object storage.
    pub s3: aws_sdk_s3::Client,
    /// Topics for completion messages.
    pub sns: aws_sdk_sns::Client,
    /// How asynchronous work gets to whoever does it.
    pub dispatch: Arc<dyn Dispatch>,
    /// The access keys.
    pub keys: Arc<Keys>,
    /// What was asked of the services.
    pub usage: Arc<Usage>,
}

impl Context {
    /// Builds the clients from the environment.
    pub async fn from_env() -> Self {
        let config = Config::from_env();
        let sdk = sdk_config().await;
        let dispatch = crate::dispatch::from_config(&config, &sdk);
        Self::new(&sdk, config, dispatch)
    }

    /// Builds the clients from a given SDK configuration.
    pub fn new(sdk: &SdkConfig, config: Config, dispatch: Arc<dyn Dispatch>) -> Self {
        let s3_config = aws_sdk_s3::config::Builder::from(sdk).force_path_style(config.s3_path_style).build();
        let dynamodb = aws_sdk_dynamodb::Client::new(sdk);
        let keys = Keys::from_config(&config, sdk);
        Self::with_clients(
            dynamodb,
            aws_sdk_s3::Client::from_conf(s3_config),
            aws_sdk_sns::Client::new(sdk),
            config,
            dispatch,
        )
        .with_keys(keys)
    }

    /// Takes clients that somebody else built, such as the local cloud with an
    /// endpoint for each service. It has no access keys yet.
    pub fn with_clients(
        dynamodb: aws_sdk_dynamodb::Client,
        s3: aws_sdk_s3::Client,
        sns: aws_sdk_sns::Client,
        config: Config,
        dispatch: Arc<dyn Dispatch>,
    ) -> Self {
        let usage = Arc::new(Usage::default());
        let config = Arc::new(config);
        let db = Db::new(dynamodb, &config, Arc::clone(&usage));
        Self { config, db, s3, sns, dispatch, keys: Arc::new(Keys::default()), usage }
    }

    /// The same context with these access keys.
    #[must_use]
    pub fn with_keys(self, keys: Keys) -> Self {
        Self { keys: Arc::new(keys), ..self }
    }

    /// The same context with counters of its own, which count into those of
    /// this one as well: what a part of the work uses.
    pub fn metered(&self) -> Self {
        let usage = Arc::new(Usage::part_of(Arc::clone(&self.usage)));
        let db = self.db.with_usage(Arc::clone(&usage));
        Self { db, usage, ..self.clone() }
    }
}
