//! Page tokens: where a page ended, for exactly the query that it was of. They
//! name values, not places in an engine, so files may come and go between two
//! pages.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::order::SortKey;
use crate::error::{Error, Result};

/// Where a page ended.
pub type Cursor = SortKey;

#[derive(Serialize, Deserialize)]
struct Content {
    v: u8,
    q: String,
    #[serde(flatten)]
    cursor: Cursor,
}

/// Makes and reads the tokens of one query.
pub struct PageToken {
    query: String,
    key: Vec<u8>,
}

const VERSION: u8 = 1;
const TAG_BYTES: usize = 12;

impl PageToken {
    /// The tokens of a query on a dataset; `query` is all that decides which
    /// files come in which order.
    pub fn of(dataset_id: &str, query: &str) -> Self {
        let digest = Sha256::digest(query.as_bytes());
        Self {
            query: URL_SAFE_NO_PAD.encode(digest.get(..12).unwrap_or_default()),
            key: format!("mediadex page token {dataset_id}").into_bytes(),
        }
    }

    fn tag(&self, content: &[u8]) -> Result<Vec<u8>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).map_err(Error::internal)?;
        mac.update(content);
        let mut tag = mac.finalize().into_bytes().to_vec();
        tag.truncate(TAG_BYTES);
        Ok(tag)
    }

    /// The token of a page that ended at `cursor`.
    ///
    /// # Errors
    /// `InternalError` when it cannot be encoded.
    pub fn write(&self, cursor: &Cursor) -> Result<String> {
        let content = Content { v: VERSION, q: self.query.clone(), cursor: cursor.clone() };
        let mut bytes = serde_json::to_vec(&content).map_err(Error::internal)?;
        let tag = self.tag(&bytes)?;
        bytes.splice(0..0, tag);
        Ok(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Reads a token; an empty one is the first page.
    ///
    /// # Errors
    /// `InvalidNextToken` for one that was changed or is of another query.
    pub fn read(&self, token: &str) -> Result<Option<Cursor>> {
        if token.is_empty() {
            return Ok(None);
        }
        let wrong =
            || Error::invalid("NextToken", "It must be one that this operation gave, as it was given.");
        let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| wrong())?;
        let (tag, content) = bytes.split_at_checked(TAG_BYTES).ok_or_else(wrong)?;
        if self.tag(content)? != tag {
            return Err(wrong());
        }
        let content: Content = serde_json::from_slice(content).map_err(|_| wrong())?;
        if content.v != VERSION {
            return Err(wrong());
        }
        if content.q != self.query {
            return Err(Error::invalid(
                "NextToken",
                "It is of another query: Query, Sort and Order must stay the same.",
            ));
        }
        Ok(Some(content.cursor))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::query::evaluate::Sortable;

    #[test]
    fn tokens_are_tied_to_their_query() {
        let tokens = PageToken::of("D", "query");
        let cursor = Cursor { values: vec![Some(Sortable::Int(7)), None], uri: "oss://b/文".into() };
        let token = tokens.write(&cursor).unwrap();
        assert_eq!(tokens.read(&token).unwrap(), Some(cursor));
        assert_eq!(tokens.read("").unwrap(), None);
        assert!(PageToken::of("D", "other").read(&token).is_err());
        assert!(PageToken::of("E", "query").read(&token).is_err());
        for position in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            if let Some(byte) = bytes.get_mut(position) {
                *byte = if *byte == b'A' { b'B' } else { b'A' };
            }
            let changed = String::from_utf8(bytes).unwrap();
            if changed != token {
                assert!(tokens.read(&changed).is_err(), "{position}");
            }
        }
    }
}
