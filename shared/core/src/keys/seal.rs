//! Secrets at rest: sealed with AES-256-GCM, bound to the id of their key.
//!
//! HMAC signatures can only be checked by who has the secret itself, so it
//! cannot be kept as a hash. What lies in the state table is worth nothing
//! without the sealing key, which lies elsewhere: in AWS Secrets Manager, or
//! in a file of the state directory that only its owner may read.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use sha2::Sha256;

use crate::error::{Error, Result};

/// Bytes of the mark that says which line of the sealing key was used.
const MARK: usize = 4;
/// Characters that a line of the sealing key has at least.
const LEAST: usize = 32;

/// The key that secrets are sealed with. It may have several lines: the first
/// seals, all open, so that a new one can be put before the old one.
pub struct SealingKey {
    lines: Vec<([u8; MARK], LessSafeKey)>,
}

impl std::fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SealingKey").field("lines", &self.lines.len()).finish_non_exhaustive()
    }
}

fn derive(line: &str, purpose: &str) -> Result<[u8; 32]> {
    let mut mac = Hmac::<Sha256>::new_from_slice(line.as_bytes()).map_err(Error::internal)?;
    mac.update(purpose.as_bytes());
    Ok(mac.finalize().into_bytes().into())
}

impl SealingKey {
    /// Reads a sealing key: each line is one, of 32 random characters or more.
    ///
    /// # Errors
    /// `InternalError` when there is no line, or one is too short to be safe.
    pub fn parse(text: &str) -> Result<Self> {
        let mut lines = Vec::new();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            if line.len() < LEAST {
                return Err(Error::internal(format!(
                    "a line of the sealing key has less than {LEAST} characters"
                )));
            }
            let mark = derive(line, "mediadex: mark of a sealing key")?;
            let key = derive(line, "mediadex: sealing key")?;
            let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).map_err(Error::internal)?);
            let mut short = [0; MARK];
            short.copy_from_slice(mark.get(..MARK).unwrap_or_default());
            lines.push((short, key));
        }
        if lines.is_empty() {
            return Err(Error::internal("the sealing key is empty"));
        }
        Ok(Self { lines })
    }

    /// Seals a secret for the key of an id.
    ///
    /// # Errors
    /// `InternalError` when the machine has no randomness.
    pub fn seal(&self, id: &str, secret: &str) -> Result<String> {
        let (mark, key) = self.lines.first().ok_or_else(|| Error::internal("the sealing key is empty"))?;
        let mut sealed = secret.as_bytes().to_vec();
        // Random, for no count of all that was ever sealed is kept: 96 bits, and
        // a key seals thousands of secrets, not thousands of millions.
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).map_err(Error::internal)?;
        let mut whole = mark.to_vec();
        whole.extend_from_slice(&nonce);
        let nonce = Nonce::assume_unique_for_key(nonce);
        key.seal_in_place_append_tag(nonce, Aad::from(id.as_bytes()), &mut sealed)
            .map_err(Error::internal)?;
        whole.extend(sealed);
        Ok(URL_SAFE_NO_PAD.encode(whole))
    }

    /// Opens what was sealed for the same id.
    ///
    /// # Errors
    /// `InternalError` when it was sealed with another key, for another id, or
    /// changed since.
    pub fn open(&self, id: &str, sealed: &str) -> Result<String> {
        let wrong = || Error::internal(format!("the secret of {id} cannot be opened with the sealing key"));
        let whole = URL_SAFE_NO_PAD.decode(sealed).map_err(|_| wrong())?;
        let (mark, rest) = whole.split_at_checked(MARK).ok_or_else(wrong)?;
        let (nonce, rest) = rest.split_at_checked(NONCE_LEN).ok_or_else(wrong)?;
        let (_, key) = self.lines.iter().find(|(known, _)| known == mark).ok_or_else(wrong)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| wrong())?;
        let mut rest = rest.to_vec();
        let open = key.open_in_place(nonce, Aad::from(id.as_bytes()), &mut rest).map_err(|_| wrong())?;
        String::from_utf8(open.to_vec()).map_err(|_| wrong())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const OLD: &str = "an old sealing key of many characters";
    const NEW: &str = "a new sealing key of as many characters";

    #[test]
    fn only_the_same_key_opens_for_the_same_id() {
        let key = SealingKey::parse(OLD).unwrap();
        let sealed = key.seal("a", "s3cret").unwrap();
        assert!(!sealed.contains("s3cret"));
        assert_ne!(sealed, key.seal("a", "s3cret").unwrap(), "the nonce is random");
        assert_eq!(key.open("a", &sealed).unwrap(), "s3cret");
        assert!(key.open("b", &sealed).is_err());
        assert!(SealingKey::parse(NEW).unwrap().open("a", &sealed).is_err());
        let both = SealingKey::parse(&format!("{NEW}\n{OLD}\n")).unwrap();
        assert_eq!(both.open("a", &sealed).unwrap(), "s3cret");
        assert!(key.open("a", &both.seal("a", "s3cret").unwrap()).is_err(), "the first line seals");
        for at in 0..sealed.len() {
            let mut changed = sealed.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            assert!(key.open("a", &String::from_utf8(changed).unwrap()).is_err(), "changed at {at}");
        }
        assert!(key.open("a", "").is_err());
    }

    /// Sealed by another implementation: whatever library does it, secrets that
    /// lie in a table stay readable.
    #[test]
    fn what_was_sealed_elsewhere_opens() {
        let sealed = "Y-eoUQABAgMEBQYHCAkKC6LoVL8_BeB2oMJOtpyVZ-hsBoySNeY";
        assert_eq!(SealingKey::parse(OLD).unwrap().open("a", sealed).unwrap(), "s3cret");
    }

    #[test]
    fn weak_keys_are_refused() {
        for text in ["", "\n", "short"] {
            let error = SealingKey::parse(text).unwrap_err().internal_text();
            assert!(!error.contains("short"), "{error}");
        }
    }
}
