//! What clients set of a bucket where nothing has to follow from it, so that it is
//! read back as it was set.

use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

use super::{Sidecar, Sql, json, unjson};
use crate::tags::Tags;

/// The configuration of a bucket.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Configuration {
    /// Versioning was suspended, which is how every bucket is.
    pub(crate) is_suspended: bool,
    /// The owner of the bucket was made the owner of its objects, which is the case.
    pub(crate) is_enforced: bool,
    /// The public access that is blocked. There is none in any case.
    pub(crate) public_access: Option<PublicAccess>,
    pub(crate) tags: Tags,
}

/// Which public access is blocked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct PublicAccess {
    pub(crate) block_acls: bool,
    pub(crate) ignore_acls: bool,
    pub(crate) block_policy: bool,
    pub(crate) restrict_buckets: bool,
}

fn configuration(connection: &Connection, bucket: &str) -> Sql<Configuration> {
    let found = connection
        .prepare_cached("SELECT configuration FROM configurations WHERE bucket = ?1")?
        .query_row([bucket], |row| row.get::<_, String>(0))
        .optional()?;
    found.map_or_else(|| Ok(Configuration::default()), |text| unjson(&text))
}

impl Sidecar {
    /// What was set of a bucket.
    pub(crate) fn configuration(&self, bucket: &str) -> Sql<Configuration> {
        configuration(&self.lock(), bucket)
    }

    /// Changes what is set of a bucket.
    pub(crate) fn configure(&self, bucket: &str, change: impl FnOnce(&mut Configuration)) -> Sql<()> {
        let lock = self.lock();
        let mut changed = configuration(&lock, bucket)?;
        change(&mut changed);
        lock.prepare_cached("INSERT OR REPLACE INTO configurations(bucket, configuration) VALUES(?1, ?2)")?
            .execute(params![bucket, json(&changed)?])
            .map(|_| ())
    }
}
