//! Nonces of signed requests, remembered for as long as the clock window lets
//! a request be sent again.

use super::db::{Db, Item, n, s};
use crate::error::Result;
use crate::model::Timestamp;

impl Db {
    /// Remembers a nonce; `false` when it was used before. Within `grace`
    /// seconds of its first use it may come again.
    pub(crate) async fn use_nonce(
        &self,
        access_key_id: &str,
        nonce: &str,
        window_seconds: i64,
        grace: i64,
    ) -> Result<bool> {
        // Twice the window: a clock may be ahead of ours as well as behind.
        let end = Timestamp::now().seconds() + 2 * window_seconds;
        let item = Item::from([
            ("PK".to_owned(), s(format!("NONCE#{access_key_id}#{nonce}"))),
            ("SK".to_owned(), s("N")),
            ("ttl".to_owned(), n(end)),
        ]);
        if self.put_new(item).await? {
            return Ok(true);
        }
        if grace == 0 {
            return Ok(false);
        }
        #[derive(serde::Deserialize)]
        struct Seen {
            ttl: i64,
        }
        let seen: Option<Seen> = self.get(&format!("NONCE#{access_key_id}#{nonce}"), "N").await?;
        Ok(seen.is_none_or(|seen| seen.ttl + grace >= end))
    }
}
