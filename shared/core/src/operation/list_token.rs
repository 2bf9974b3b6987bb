//! Tokens of lists: the name that a page ended with, for exactly that list. One
//! that was not given out is refused, rather than beginning a page anywhere.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::error::{Error, Result};

const TAG_BYTES: usize = 12;

/// Makes and reads the tokens of one list.
pub(super) struct ListToken {
    key: String,
}

impl ListToken {
    /// The tokens of what an operation lists within `scope`.
    pub(super) fn of(operation: &str, scope: &str) -> Self {
        Self { key: format!("mediadex list token {operation} {scope}") }
    }

    fn tag(&self, last: &[u8]) -> Result<Vec<u8>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.key.as_bytes()).map_err(Error::internal)?;
        mac.update(last);
        let mut tag = mac.finalize().into_bytes().to_vec();
        tag.truncate(TAG_BYTES);
        Ok(tag)
    }

    /// The token of a page that ended with `last`.
    ///
    /// # Errors
    /// `InternalError` when it cannot be made.
    pub(super) fn write(&self, last: &str) -> Result<String> {
        let mut bytes = self.tag(last.as_bytes())?;
        bytes.extend_from_slice(last.as_bytes());
        Ok(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// What the page before ended with; empty for the first page.
    ///
    /// # Errors
    /// `InvalidNextToken` for one that was changed or is of another list.
    pub(super) fn read(&self, token: &str) -> Result<String> {
        if token.is_empty() {
            return Ok(String::new());
        }
        let wrong = || Error::invalid("NextToken", "It must be one that this list gave, as it was given.");
        let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| wrong())?;
        let (tag, last) = bytes.split_at_checked(TAG_BYTES).ok_or_else(wrong)?;
        if self.tag(last)? != tag {
            return Err(wrong());
        }
        String::from_utf8(last.to_vec()).map_err(|_| wrong())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_tied_to_their_list() {
        let tokens = ListToken::of("ListDatasets", "p/");
        let token = tokens.write("dataset-7").unwrap();
        assert_eq!(tokens.read(&token).unwrap(), "dataset-7");
        assert_eq!(tokens.read("").unwrap(), "");
        for other in [ListToken::of("ListDatasets", "q/"), ListToken::of("ListProjects", "p/")] {
            assert!(other.read(&token).is_err());
        }
        // As they were once, and made up.
        let made_up = URL_SAFE_NO_PAD.encode(b"a tag of 12.dataset-7");
        for wrong in ["dataset-7", "nonsense", "AAAA", made_up.as_str(), &token[1..]] {
            let code = tokens.read(wrong).err().map(|error| error.code().text());
            assert_eq!(code.as_deref(), Some("InvalidNextToken"), "{wrong}");
        }
    }
}
