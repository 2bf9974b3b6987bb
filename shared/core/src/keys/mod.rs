//! Access keys: where they come from, and what they may do.
//!
//! Keys are found in three places, in this order: those that the process was
//! started with, those of a secret in AWS Secrets Manager (the first key of a
//! deployment), and those of the state table, made by the operations on access
//! keys, whose secrets are sealed there (see `seal.rs`).

mod policy;
mod seal;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ring::rand::{SecureRandom, SystemRandom};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tokio::sync::OnceCell;

pub use policy::{Access, Effect, Policy, Scope, Statement};
pub use seal::SealingKey;

use crate::config::Config;
use crate::error::{Error, Result};
use crate::model::Timestamp;
use crate::state::{Db, KeyStatus, StoredKey, TEMPORARY_PREFIX, TOKEN_PREFIX};

/// How many keys are remembered; strangers who try ids must not fill memory.
const CACHED_KEYS: usize = 10_000;

/// What a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// It lasts until it is deleted.
    Permanent,
    /// It ends by itself, and comes with a security token.
    Temporary,
    /// It ends by itself, signs nothing, and is shown as it is.
    Token,
}

/// A key that may be used now: its secrets opened, its policies those of the
/// keys it descends from as well.
#[derive(Clone)]
pub struct AccessKey {
    id: String,
    kind: KeyKind,
    /// With the time, in milliseconds, until when each is taken.
    secrets: Vec<(String, i64)>,
    token_hash: Option<Vec<u8>>,
    policies: Vec<Policy>,
    queries_per_second: i64,
    /// Milliseconds since the epoch.
    expires: Option<i64>,
    /// The permanent key behind it: itself, or the one it was made with.
    owner: String,
    born: i64,
}

impl std::fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccessKey").field("id", &self.id).field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl AccessKey {
    fn fixed(id: &str, secret: &str, policy: Policy) -> Self {
        Self {
            id: id.to_owned(),
            kind: KeyKind::Permanent,
            secrets: vec![(secret.to_owned(), i64::MAX)],
            token_hash: None,
            policies: vec![policy],
            queries_per_second: 0,
            expires: None,
            owner: id.to_owned(),
            born: 0,
        }
    }

    /// Its id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What it is.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The permanent key behind it: itself, or the one it was made with.
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// When the permanent key was made, to tell it from a later one of its id.
    pub fn born(&self) -> i64 {
        self.born
    }

    /// Requests per second that it may make; 0: no limit of its own.
    pub fn queries_per_second(&self) -> i64 {
        self.queries_per_second
    }

    /// Its secrets that are taken at a time: one, or two while it is rotated.
    pub fn secrets(&self, now: Timestamp) -> impl Iterator<Item = &str> {
        self.secrets.iter().filter(move |(_, until)| *until > now.millis()).map(|(secret, _)| secret.as_str())
    }

    /// Whether it has ended.
    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|end| end <= now.millis())
    }

    /// Whether a token is the one that it was given out with, in constant time.
    pub fn has_token(&self, token: &str) -> bool {
        let hash = Sha256::digest(token.as_bytes());
        self.token_hash.as_ref().is_some_and(|known| bool::from(known.as_slice().ct_eq(hash.as_slice())))
    }

    /// Whether one of its policies denies an action on a resource in so many words.
    pub fn denies(&self, action: &str, resource: &str) -> bool {
        self.policies.iter().any(|policy| policy.denies(action, resource))
    }

    /// Whether it may do an action on a resource: all of its policies must say so.
    pub fn allows(&self, action: &str, resource: &str) -> bool {
        !self.policies.is_empty() && self.policies.iter().all(|policy| policy.allows(action, resource))
    }
}

/// Where the sealing key comes from.
enum Sealing {
    None,
    Known(Arc<SealingKey>),
    Secret { id: String, read: OnceCell<Arc<SealingKey>> },
    File { path: PathBuf, read: OnceCell<Arc<SealingKey>> },
}

/// Something that was read, and when.
type Read<T> = Mutex<Option<(Instant, T)>>;

/// All access keys of a process. Cheap to share, and safe to.
pub struct Keys {
    fixed: HashMap<String, AccessKey>,
    secrets: Option<aws_sdk_secretsmanager::Client>,
    first_secret: Option<String>,
    first: Read<Arc<HashMap<String, AccessKey>>>,
    sealing: Sealing,
    stored: Mutex<HashMap<String, (Instant, Option<AccessKey>)>>,
    cache_for: Duration,
}

impl Default for Keys {
    fn default() -> Self {
        Self {
            fixed: HashMap::new(),
            secrets: None,
            first_secret: None,
            first: Mutex::new(None),
            sealing: Sealing::None,
            stored: Mutex::new(HashMap::new()),
            cache_for: Duration::from_secs(60),
        }
    }
}

impl Keys {
    /// What the configuration names: the secrets of a deployment, and a key of
    /// the environment.
    pub fn from_config(config: &Config, sdk: &aws_config::SdkConfig) -> Self {
        let mut keys = Self { cache_for: config.key_cache, ..Self::default() };
        if let Some((id, secret)) = &config.access_key {
            keys = keys.with(id, secret, Policy::everything());
        }
        if config.access_keys_secret.is_some() || config.sealing_key_secret.is_some() {
            keys.secrets = Some(aws_sdk_secretsmanager::Client::new(sdk));
        }
        keys.first_secret.clone_from(&config.access_keys_secret);
        if let Some(id) = &config.sealing_key_secret {
            keys.sealing = Sealing::Secret { id: id.clone(), read: OnceCell::new() };
        } else if let Some(path) = &config.sealing_key_file {
            keys.sealing = Sealing::File { path: path.clone(), read: OnceCell::new() };
        }
        keys
    }

    /// One more key that is known from the start, with its policy.
    #[must_use]
    pub fn with(mut self, access_key_id: &str, secret: &str, policy: Policy) -> Self {
        self.fixed.insert(access_key_id.to_owned(), AccessKey::fixed(access_key_id, secret, policy));
        self
    }

    /// The key that secrets in the state table are sealed with.
    #[must_use]
    pub fn sealed_with(mut self, key: SealingKey) -> Self {
        self.sealing = Sealing::Known(Arc::new(key));
        self
    }

    /// For how long a key that was read is used: a key that another process
    /// disabled is refused after it.
    #[must_use]
    pub fn cached_for(mut self, time: Duration) -> Self {
        self.cache_for = time;
        self
    }

    /// Whether a key stands outside of the state table, where no operation
    /// reaches it.
    ///
    /// # Errors
    /// `ServiceUnavailable`.
    pub async fn is_fixed(&self, id: &str) -> Result<bool> {
        Ok(self.fixed.contains_key(id) || self.first_keys().await?.contains_key(id))
    }

    /// Finds a key that may be used: known, active, not expired, and if it
    /// descends from another one, that one likewise.
    ///
    /// # Errors
    /// `ServiceUnavailable`, `InternalError`.
    pub async fn find(&self, db: &Db, id: &str) -> Result<Option<AccessKey>> {
        if let Some(key) = self.fixed.get(id) {
            return Ok(Some(key.clone()));
        }
        if let Some(key) = self.first_keys().await?.get(id) {
            return Ok(Some(key.clone()));
        }
        if matches!(self.sealing, Sealing::None) {
            return Ok(None);
        }
        if let Ok(stored) = self.stored.lock()
            && let Some((read, known)) = stored.get(id)
            && read.elapsed() < self.cache_for
        {
            return Ok(known.clone());
        }
        let found = self.read(db, id).await?;
        if let Ok(mut stored) = self.stored.lock() {
            if stored.len() >= CACHED_KEYS {
                stored.clear();
            }
            stored.insert(id.to_owned(), (Instant::now(), found.clone()));
        }
        Ok(found)
    }

    /// Forgets what was read, after a change.
    pub fn forget(&self) {
        if let Ok(mut stored) = self.stored.lock() {
            // Derived keys as well, whose ids nobody lists.
            stored.clear();
        }
    }

    async fn read(&self, db: &Db, id: &str) -> Result<Option<AccessKey>> {
        let Some(stored) = db.stored_key(id).await? else { return Ok(None) };
        if stored.status == KeyStatus::Inactive {
            return Ok(None);
        }
        let mut key = self.open(&stored).await?;
        if stored.parent.is_empty() {
            return Ok(Some(key));
        }
        // Only permanent keys have descendants, so this goes one step deep.
        let parent = Box::pin(self.find(db, &stored.parent)).await?;
        let Some(parent) = parent.filter(|parent| parent.born == stored.parent_born) else { return Ok(None) };
        key.policies.extend(parent.policies);
        key.owner = parent.id;
        key.born = parent.born;
        if key.queries_per_second == 0 {
            key.queries_per_second = parent.queries_per_second;
        }
        Ok(Some(key))
    }

    async fn open(&self, stored: &StoredKey) -> Result<AccessKey> {
        let sealing = self.sealing_key().await?;
        let mut secrets = Vec::new();
        for (sealed, until) in [(&stored.secret, i64::MAX), (&stored.previous, stored.previous_until)] {
            if !sealed.is_empty() {
                secrets.push((sealing.open(&stored.id, sealed)?, until));
            }
        }
        let token_hash = (!stored.token_hash.is_empty()).then(|| hex::decode(&stored.token_hash)).transpose();
        let kind = match &stored.id {
            id if id.starts_with(TEMPORARY_PREFIX) => KeyKind::Temporary,
            id if id.starts_with(TOKEN_PREFIX) => KeyKind::Token,
            _ => KeyKind::Permanent,
        };
        Ok(AccessKey {
            id: stored.id.clone(),
            kind,
            secrets,
            token_hash: token_hash.map_err(Error::internal)?,
            policies: vec![stored.policy()?],
            queries_per_second: stored.queries_per_second,
            expires: (stored.expires != 0).then_some(stored.expires),
            owner: stored.id.clone(),
            born: stored.create_time.0,
        })
    }

    /// The key that secrets are sealed with.
    ///
    /// # Errors
    /// `StatusConflict` where none is configured, `ServiceUnavailable`.
    pub async fn sealing_key(&self) -> Result<Arc<SealingKey>> {
        match &self.sealing {
            Sealing::None => {
                Err(Error::status_conflict("Access keys cannot be kept here: no sealing key is configured."))
            }
            Sealing::Known(key) => Ok(Arc::clone(key)),
            Sealing::Secret { id, read } => {
                let parse = async { SealingKey::parse(&self.secret_text(id).await?).map(Arc::new) };
                read.get_or_try_init(|| parse).await.cloned()
            }
            Sealing::File { path, read } => {
                let parse = async {
                    let text = tokio::fs::read_to_string(path).await.map_err(Error::internal)?;
                    SealingKey::parse(&text).map(Arc::new)
                };
                read.get_or_try_init(|| parse).await.cloned()
            }
        }
    }

    async fn secret_text(&self, id: &str) -> Result<String> {
        let client =
            self.secrets.as_ref().ok_or_else(|| Error::internal("there is no client of Secrets Manager"))?;
        let reply = client.get_secret_value().secret_id(id).send().await;
        let reply = reply.map_err(|error| Error::unavailable(error.into_service_error()))?;
        Ok(reply.secret_string().unwrap_or_default().to_owned())
    }

    async fn first_keys(&self) -> Result<Arc<HashMap<String, AccessKey>>> {
        let Some(id) = &self.first_secret else { return Ok(Arc::default()) };
        if let Ok(first) = self.first.lock()
            && let Some((read, keys)) = first.as_ref()
            && read.elapsed() < self.cache_for
        {
            return Ok(Arc::clone(keys));
        }
        let keys = Arc::new(parse(&self.secret_text(id).await?)?);
        if let Ok(mut first) = self.first.lock() {
            *first = Some((Instant::now(), Arc::clone(&keys)));
        }
        Ok(keys)
    }
}

/// A key of the secret's longer form.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    secret: String,
    #[serde(default = "Policy::everything")]
    policy: Policy,
}

/// The form that the template generates.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Simple {
    access_key_id: String,
    access_key_secret: String,
}

/// Reads the first keys' secret: `{"AccessKeyId": ..., "AccessKeySecret": ...}`,
/// or a JSON object from ids to `{"Secret": ..., "Policy": {...}}`.
fn parse(text: &str) -> Result<HashMap<String, AccessKey>> {
    if let Ok(simple) = serde_json::from_str::<Simple>(text) {
        let key = AccessKey::fixed(&simple.access_key_id, &simple.access_key_secret, Policy::everything());
        return Ok(HashMap::from([(simple.access_key_id, key)]));
    }
    // The text is a secret: its parse error, which quotes it, is not passed on.
    let listed: HashMap<String, Listed> = serde_json::from_str(text)
        .map_err(|_| Error::internal("the secret of the access keys has an unknown form"))?;
    Ok(listed
        .into_iter()
        .map(|(id, listed)| {
            let key = AccessKey::fixed(&id, &listed.secret, listed.policy);
            (id, key)
        })
        .collect())
}

/// Random text of letters and digits, from the system's source for keys.
///
/// # Errors
/// `InternalError` when the machine has no randomness.
pub(crate) fn random_text(length: usize) -> Result<String> {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789xy";
    let mut bytes = vec![0; length];
    SystemRandom::new().fill(&mut bytes).map_err(Error::internal)?;
    Ok(bytes.iter().filter_map(|byte| LETTERS.get(usize::from(byte % 64))).map(|c| char::from(*c)).collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_the_secret() {
        let now = Timestamp::now();
        let simple = parse(r#"{"AccessKeyId":"a","AccessKeySecret":"s"}"#).unwrap();
        assert_eq!(simple.get("a").and_then(|key| key.secrets(now).next()), Some("s"));
        let many = parse(
            r#"{"a":{"Secret":"s"},"b":{"Secret":"t","Policy":{"Version":"1","Statement":[{"Effect":"Allow","Action":"imm:Get*","Resource":"*"}]}}}"#,
        )
        .unwrap();
        assert_eq!(many.len(), 2);
        assert!(many.get("b").is_some_and(|key| key.allows("imm:GetProject", "x")));
        assert!(many.get("b").is_some_and(|key| !key.allows("imm:CreateProject", "x")));
        let wrong = parse("hunter2").err().map(|error| error.internal_text()).unwrap_or_default();
        assert!(!wrong.is_empty() && !wrong.contains("hunter2"));
    }

    #[test]
    fn nothing_shows_a_secret() {
        let key = AccessKey::fixed("a", "hunter2", Policy::everything());
        assert!(!format!("{key:?}").contains("hunter2"));
        assert_ne!(random_text(40).unwrap(), random_text(40).unwrap());
        assert_eq!(random_text(40).unwrap().len(), 40);
    }
}
