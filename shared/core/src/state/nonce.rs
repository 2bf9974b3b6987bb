//! Nonces of signed requests, remembered for as long as the clock window lets
//! a request be sent again.

use super::db::{Db, Item, n, s};
use crate::error::Result;
use crate::model::Timestamp;

impl Db {
    /// Remembers a nonce; `false` when it was used before.
    pub(crate) async fn use_nonce(
        &self,
        access_key_id: &str,
        nonce: &str,
        window_seconds: i64,
    ) -> Result<bool> {
        let item = Item::from([
            ("PK".to_owned(), s(format!("NONCE#{access_key_id}#{nonce}"))),
            ("SK".to_owned(), s("N")),
            // Twice the window: a clock may be ahead of ours as well as behind.
            ("ttl".to_owned(), n(Timestamp::now().seconds() + 2 * window_seconds)),
        ]);
        self.put_new(item).await
    }
}
