//! Access keys: `KEYS` / id. Temporary keys and tokens: `CREDENTIAL#{id}` /
//! `CREDENTIAL`, which expire by themselves; a list of keys does not meet them.

use serde::{Deserialize, Serialize};

use super::db::{Db, Item, key, n, s, to_item};
use crate::error::{Error, Result};
use crate::keys::Policy;
use crate::model::Timestamp;

/// How ids of temporary keys begin, as clients know them.
pub(crate) const TEMPORARY_PREFIX: &str = "STS.";
/// How ids of bearer tokens begin.
pub(crate) const TOKEN_PREFIX: &str = "mdt_";

/// Whether a key may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyStatus {
    /// It may.
    Active,
    /// It is refused, as if it did not exist.
    Inactive,
}

/// A key, as stored: its secret sealed, its token hashed.
#[derive(Clone, Serialize, Deserialize)]
pub struct StoredKey {
    #[serde(rename = "PK")]
    pk: String,
    #[serde(rename = "SK")]
    sk: String,
    /// Its id.
    pub id: String,
    /// Its secret, sealed; a bearer token has none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub secret: String,
    /// The secret before, sealed, which is taken until `previous_until`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub previous: String,
    /// Milliseconds since the epoch.
    #[serde(default)]
    pub previous_until: i64,
    /// SHA-256 of the token that must come with it, in hexadecimal.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub token_hash: String,
    /// The key that this one was made with.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub parent: String,
    /// When that key was made: another one of the same id is not its parent.
    #[serde(default)]
    pub parent_born: i64,
    /// What it may do, as JSON; a derived key may do at most what its parent may.
    pub policy: String,
    /// Whether it may be used.
    pub status: KeyStatus,
    /// What it is for.
    #[serde(default)]
    pub description: String,
    /// Requests per second that it may make; 0: no limit of its own.
    #[serde(default)]
    pub queries_per_second: i64,
    /// When it was made.
    pub create_time: Timestamp,
    /// When it was last changed.
    pub update_time: Timestamp,
    /// When it ends, in milliseconds since the epoch; 0: never.
    #[serde(default)]
    pub expires: i64,
    /// When the store may forget it, in seconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ttl: Option<i64>,
}

/// Says nothing of the secret, sealed or not.
impl std::fmt::Debug for StoredKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoredKey")
            .field("id", &self.id)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

fn place(id: &str) -> (String, String) {
    if id.starts_with(TEMPORARY_PREFIX) || id.starts_with(TOKEN_PREFIX) {
        (format!("CREDENTIAL#{id}"), "CREDENTIAL".to_owned())
    } else {
        ("KEYS".to_owned(), id.to_owned())
    }
}

impl StoredKey {
    /// An active key with a policy, without a secret yet.
    ///
    /// # Errors
    /// `InternalError` when the policy cannot be written.
    pub fn new(id: &str, policy: &Policy) -> Result<Self> {
        let (pk, sk) = place(id);
        let now = Timestamp::now();
        Ok(Self {
            pk,
            sk,
            id: id.to_owned(),
            secret: String::new(),
            previous: String::new(),
            previous_until: 0,
            token_hash: String::new(),
            parent: String::new(),
            parent_born: 0,
            policy: serde_json::to_string(policy).map_err(Error::internal)?,
            status: KeyStatus::Active,
            description: String::new(),
            queries_per_second: 0,
            create_time: now,
            update_time: now,
            expires: 0,
            ttl: None,
        })
    }

    /// Lets it end; the store forgets it a day later.
    pub fn expire_at(&mut self, end: Timestamp) {
        self.expires = end.millis();
        self.ttl = Some(end.seconds() + 24 * 3600);
    }

    /// What it may do.
    ///
    /// # Errors
    /// `InternalError` when the stored policy cannot be read.
    pub fn policy(&self) -> Result<Policy> {
        serde_json::from_str(&self.policy).map_err(Error::internal)
    }
}

impl Db {
    /// A key by its id, whatever its state.
    pub async fn stored_key(&self, id: &str) -> Result<Option<StoredKey>> {
        // A key of the table has 1,024 bytes at most; no id is nearly as long.
        if id.is_empty() || id.len() > 128 {
            return Ok(None);
        }
        let (pk, sk) = place(id);
        self.get(&pk, &sk).await
    }

    /// Stores a new key.
    ///
    /// # Errors
    /// `ResourceAlreadyExists`.
    pub async fn create_key(&self, key: &StoredKey) -> Result<()> {
        if self.put_new(to_item(key)?).await? {
            return Ok(());
        }
        Err(Error::already_exists("AccessKey", &key.id))
    }

    /// Stores a changed key, if nobody changed it meanwhile.
    ///
    /// # Errors
    /// `StatusConflict`.
    pub async fn replace_key(&self, key: &StoredKey, read: Timestamp) -> Result<()> {
        let put = self
            .client
            .put_item()
            .table_name(self.state_table())
            .set_item(Some(to_item(key)?))
            // A write whose answer was lost knows itself by its time.
            .condition_expression("update_time IN (:read, :own)")
            .expression_attribute_values(":read", s(read.to_string()))
            .expression_attribute_values(":own", s(key.update_time.to_string()));
        if self.put_if(put).await? {
            return Ok(());
        }
        Err(Error::status_conflict(format!("The access key {} was changed meanwhile; try again.", key.id)))
    }

    /// Removes a key; `false` when there was none.
    pub async fn delete_key(&self, id: &str) -> Result<bool> {
        let there = self.stored_key(id).await?.is_some();
        let (pk, sk) = place(id);
        self.delete(&pk, &sk).await?;
        Ok(there)
    }

    /// A page of the permanent keys, by id.
    pub async fn list_keys(&self, after: &str, limit: usize) -> Result<(Vec<StoredKey>, bool)> {
        let page = self.list("KEYS", "", after, limit).await?;
        Ok((page.items, page.more))
    }

    /// Counts requests of a second, and gives how many there are now. Shared by
    /// all processes.
    pub(crate) async fn count_requests(&self, of: &str, second: i64, number: i64) -> Result<i64> {
        let update = self
            .client
            .update_item()
            .table_name(self.state_table())
            .set_key(Some(key(format!("RATE#{of}"), second.to_string())))
            .update_expression("ADD used :number SET #ttl = :ttl")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":number", n(number))
            .expression_attribute_values(":ttl", n(second + 60));
        let item: Item = self.update_if(update).await?.unwrap_or_default();
        let used = item.get("used").and_then(|used| used.as_n().ok()).and_then(|used| used.parse().ok());
        Ok(used.unwrap_or(number))
    }
}
