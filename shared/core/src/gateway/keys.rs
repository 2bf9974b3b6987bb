//! Where access keys come from.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use serde::Deserialize;

use super::policy::Policy;
use crate::error::{Error, Result};

/// An access key: its secret, and what it may do. Never stored or logged.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AccessKey {
    /// The secret.
    pub secret: String,
    /// What its holder may do; everything where nothing is said.
    #[serde(default = "Policy::everything")]
    pub policy: Policy,
}

impl std::fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccessKey").field("policy", &self.policy).finish_non_exhaustive()
    }
}

/// Finds access keys by their ids.
#[async_trait]
pub trait KeyStore: Send + Sync {
    /// The key, or `None` where it is unknown or disabled.
    async fn find(&self, access_key_id: &str) -> Result<Option<AccessKey>>;
}

/// Keys that are given at the start: the local cloud and tests.
#[derive(Debug, Default, Clone)]
pub struct StaticKeys {
    keys: HashMap<String, AccessKey>,
}

impl StaticKeys {
    /// One key that may do everything.
    pub fn single(access_key_id: &str, secret: &str) -> Self {
        Self::default().with(access_key_id, secret, Policy::everything())
    }

    /// One more key, with its policy.
    #[must_use]
    pub fn with(mut self, access_key_id: &str, secret: &str, policy: Policy) -> Self {
        self.keys.insert(access_key_id.to_owned(), AccessKey { secret: secret.to_owned(), policy });
        self
    }
}

#[async_trait]
impl KeyStore for StaticKeys {
    async fn find(&self, access_key_id: &str) -> Result<Option<AccessKey>> {
        Ok(self.keys.get(access_key_id).cloned())
    }
}

/// Keys in one secret of AWS Secrets Manager: a JSON object from access key
/// ids to `{"Secret": ..., "Policy": {...}}`, or the simple form that the
/// template generates, `{"AccessKeyId": ..., "AccessKeySecret": ...}`.
pub struct SecretsManagerKeys {
    client: aws_sdk_secretsmanager::Client,
    secret_id: String,
    cached: Mutex<Option<(Instant, HashMap<String, AccessKey>)>>,
}

/// How long a read of the secret is used: a disabled key is refused after it.
const CACHE: Duration = Duration::from_secs(60);

impl SecretsManagerKeys {
    /// Keys of a secret.
    pub fn new(sdk: &aws_config::SdkConfig, secret_id: &str) -> Self {
        Self {
            client: aws_sdk_secretsmanager::Client::new(sdk),
            secret_id: secret_id.to_owned(),
            cached: Mutex::new(None),
        }
    }

    fn cached_key(&self, access_key_id: &str) -> Option<Option<AccessKey>> {
        let cached = self.cached.lock().ok()?;
        let (read, keys) = cached.as_ref()?;
        (read.elapsed() < CACHE).then(|| keys.get(access_key_id).cloned())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Simple {
    access_key_id: String,
    access_key_secret: String,
}

/// Reads either form of the secret.
fn parse(text: &str) -> Result<HashMap<String, AccessKey>> {
    if let Ok(simple) = serde_json::from_str::<Simple>(text) {
        let key = AccessKey { secret: simple.access_key_secret, policy: Policy::everything() };
        return Ok(HashMap::from([(simple.access_key_id, key)]));
    }
    // The text is a secret: its parse error, which quotes it, is not passed on.
    serde_json::from_str(text)
        .map_err(|_| Error::internal("the secret of the access keys has an unknown form"))
}

#[async_trait]
impl KeyStore for SecretsManagerKeys {
    async fn find(&self, access_key_id: &str) -> Result<Option<AccessKey>> {
        if let Some(known) = self.cached_key(access_key_id) {
            return Ok(known);
        }
        let reply = self.client.get_secret_value().secret_id(&self.secret_id).send().await;
        let reply = reply.map_err(|error| Error::unavailable(error.into_service_error()))?;
        let keys = parse(reply.secret_string().unwrap_or_default())?;
        let found = keys.get(access_key_id).cloned();
        if let Ok(mut cached) = self.cached.lock() {
            *cached = Some((Instant::now(), keys));
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_the_secret() {
        let simple = parse(r#"{"AccessKeyId":"a","AccessKeySecret":"s"}"#).unwrap_or_default();
        assert_eq!(simple.get("a").map(|key| key.secret.as_str()), Some("s"));
        let many = parse(
            r#"{"a":{"Secret":"s"},"b":{"Secret":"t","Policy":{"Version":"1","Statement":[{"Effect":"Allow","Action":"imm:Get*","Resource":"*"}]}}}"#,
        )
        .unwrap_or_default();
        assert_eq!(many.len(), 2);
        assert!(many.get("b").is_some_and(|key| key.policy.allows("imm:GetProject", "x")));
        assert!(many.get("b").is_some_and(|key| !key.policy.allows("imm:CreateProject", "x")));
        let wrong = parse("hunter2").err().map(|error| error.internal_text()).unwrap_or_default();
        assert!(!wrong.contains("hunter2"));
    }
}
