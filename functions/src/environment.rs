//! The SDK's configuration from a function's environment alone. Lambda puts
//! everything there; files, other machines' metadata and single sign-on, where
//! the SDK's own loader looks as well, would be linked and are not to be found
//! where it runs.

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};

fn set(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn is_true(name: &str) -> Option<bool> {
    set(name).map(|value| value.eq_ignore_ascii_case("true"))
}

/// Settings of single services: `AWS_ENDPOINT_URL_S3` before `AWS_ENDPOINT_URL`.
#[derive(Debug)]
struct Variables;

impl LoadServiceConfig for Variables {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        let service = key.service_id().to_uppercase().replace([' ', '-'], "_");
        set(&format!("{}_{service}", key.env())).or_else(|| set(key.env()))
    }
}

/// Region, credentials and endpoints of the environment.
pub(crate) fn sdk_config() -> SdkConfig {
    let region = set("AWS_REGION").or_else(|| set("AWS_DEFAULT_REGION"));
    let attempts =
        set("AWS_MAX_ATTEMPTS").and_then(|number| number.parse().ok()).filter(|number| *number > 0);
    let retries = attempts.into_iter().fold(RetryConfig::standard(), RetryConfig::with_max_attempts);
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(region.map(Region::new))
        .credentials_provider(SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new()))
        .retry_config(retries)
        .http_client(mediadex_https::client())
        .sleep_impl(aws_smithy_async::rt::sleep::TokioSleep::new())
        .time_source(aws_smithy_async::time::SystemTimeSource::new());
    config.set_service_config(Some(Variables));
    config.set_endpoint_url(set("AWS_ENDPOINT_URL"));
    config.set_use_fips(is_true("AWS_USE_FIPS_ENDPOINT"));
    config.set_use_dual_stack(is_true("AWS_USE_DUALSTACK_ENDPOINT"));
    config.build()
}
