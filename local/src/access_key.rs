//! The access key of the local cloud: the one of the state directory, which is
//! generated at the first start, or one that the user gives.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::private;

/// The id of a key that is not given one.
pub const DEFAULT_ID: &str = "mediadex";

/// The file of the generated secret in the state directory.
pub const SECRET_FILE: &str = "access.key";

/// Characters that a secret must have at least where other machines can try it.
pub const LEAST_SECRET: usize = 16;

/// Random bytes of a generated secret.
const SECRET_BYTES: usize = 24;

/// An access key.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessKey {
    /// Its id.
    pub id: String,
    /// Its secret.
    pub secret: String,
}

/// Without the secret.
impl std::fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccessKey").field("id", &self.id).finish_non_exhaustive()
    }
}

impl AccessKey {
    /// A key with the default id and a new random secret of 48 hexadecimal
    /// digits.
    pub fn generate() -> Self {
        Self { id: DEFAULT_ID.into(), secret: hex::encode(rand::random::<[u8; SECRET_BYTES]>()) }
    }
}

/// Where the access key of a local cloud comes from.
#[derive(Debug, Clone, Default)]
pub enum KeySource {
    /// The state directory: its secret is generated at the first start.
    #[default]
    StateDirectory,
    /// The user.
    Given {
        /// The key.
        key: AccessKey,
        /// The file that its secret was read from.
        secret_file: Option<PathBuf>,
    },
}

/// The access key of a running local cloud.
#[derive(Debug, Clone)]
pub struct LoadedKey {
    /// The key.
    pub key: AccessKey,
    /// The file with its secret, absolute; none where the environment gave it.
    pub secret_file: Option<PathBuf>,
    /// Whether this start generated it.
    pub is_new: bool,
}

impl KeySource {
    /// The source that options and environment of `mediadex up` choose: a
    /// secret file, else a secret, else the state directory.
    ///
    /// # Errors
    /// When the file cannot be read, or there is an id without a secret.
    pub fn choose(
        id: Option<String>,
        secret_file: Option<&Path>,
        secret: Option<String>,
    ) -> anyhow::Result<Self> {
        let (secret, secret_file) = match (secret_file, secret) {
            (Some(path), _) => (read_secret(path)?, Some(std::path::absolute(path)?)),
            (None, Some(secret)) => (secret, None),
            (None, None) => match id {
                None => return Ok(Self::StateDirectory),
                Some(_) => bail!(
                    "an access key id was given without its secret: set MEDIADEX_ACCESS_KEY_SECRET or \
                     --access-key-secret-file too, or neither"
                ),
            },
        };
        let id = id.unwrap_or_else(|| DEFAULT_ID.into());
        Ok(Self::Given { key: AccessKey { id, secret }, secret_file })
    }

    /// The key, for endpoints at an address. Generates it where the state
    /// directory is the source and has none.
    ///
    /// # Errors
    /// When the secret cannot be read or written, or is too short for an
    /// address that other machines reach.
    pub(crate) fn load(&self, directory: &Path, bind: IpAddr) -> anyhow::Result<LoadedKey> {
        let loaded = match self {
            Self::Given { key, secret_file } => {
                LoadedKey { key: key.clone(), secret_file: secret_file.clone(), is_new: false }
            }
            Self::StateDirectory => {
                let path = std::path::absolute(directory.join(SECRET_FILE))?;
                let new = AccessKey::generate();
                let (_, is_new) = private::read_or_create(&path, || format!("{}\n", new.secret))?;
                // Read also after it was written: what is used is what later starts read.
                let key = AccessKey { secret: read_secret(&path)?, ..new };
                LoadedKey { key, secret_file: Some(path), is_new }
            }
        };
        if !bind.is_loopback() && loaded.key.secret.chars().count() < LEAST_SECRET {
            bail!(
                "{bind} can be reached from other machines, so the secret of the access key must have at least \
                 {LEAST_SECRET} characters; without one of your own, a long one is generated"
            );
        }
        Ok(loaded)
    }
}

/// Reads a secret from its file: one line.
///
/// # Errors
/// When the file cannot be read, is empty or has more than a line.
pub(crate) fn read_secret(path: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("the access key's secret cannot be read from {}", path.display()))?;
    let secret = text.trim();
    if secret.is_empty() || secret.contains(char::is_whitespace) {
        bail!("{} must have the access key's secret as its only line", path.display());
    }
    Ok(secret.to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const LOOPBACK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const EVERYWHERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED);

    fn given(id: Option<&str>, file: Option<&Path>, secret: Option<&str>) -> anyhow::Result<KeySource> {
        KeySource::choose(id.map(str::to_owned), file, secret.map(str::to_owned))
    }

    #[test]
    fn a_secret_is_generated_once_for_each_state_directory() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let source = KeySource::default();
        let first = source.load(one.path(), EVERYWHERE).unwrap();
        assert!(first.is_new);
        assert_eq!(first.key.id, "mediadex");
        assert_eq!(first.key.secret.len(), 48);
        assert!(first.key.secret.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let path = one.path().join("access.key");
        assert_eq!(first.secret_file.as_deref(), Some(path.as_path()));
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let again = source.load(one.path(), LOOPBACK).unwrap();
        assert_eq!((again.key, again.is_new), (first.key.clone(), false));
        assert_ne!(source.load(two.path(), LOOPBACK).unwrap().key.secret, first.key.secret);
        assert!(!format!("{first:?}").contains(&first.key.secret));
        // What cannot be a secret is an error and not a weak key.
        for text in ["", "\n", "two words", "a\nb"] {
            std::fs::write(&path, text).unwrap();
            let error = source.load(one.path(), LOOPBACK).unwrap_err();
            assert!(error.to_string().contains("access.key"), "{text:?}: {error}");
        }
    }

    #[test]
    fn a_fixed_key_is_the_one_that_was_given() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("secret");
        std::fs::write(&file, "of-the-file\n").unwrap();
        let table = [
            (Some("me"), None, Some("mine"), ("me", "mine", None)),
            (None, None, Some("mine"), ("mediadex", "mine", None)),
            (Some("me"), Some(&file), None, ("me", "of-the-file", Some(&file))),
            // The option is nearer than the environment.
            (Some("me"), Some(&file), Some("mine"), ("me", "of-the-file", Some(&file))),
        ];
        for (id, path, secret, want) in table {
            let source = given(id, path.map(PathBuf::as_path), secret).unwrap();
            let loaded = source.load(directory.path(), LOOPBACK).unwrap();
            let got = (loaded.key.id.as_str(), loaded.key.secret.as_str(), loaded.secret_file.as_ref());
            assert_eq!(got, want);
            assert!(!loaded.is_new);
        }
        assert!(!directory.path().join("access.key").exists());
        let alone = given(Some("me"), None, None).unwrap_err();
        assert!(alone.to_string().contains("MEDIADEX_ACCESS_KEY_SECRET"), "{alone}");
        assert!(given(None, Some(&directory.path().join("absent")), None).is_err());
        assert!(matches!(given(None, None, None).unwrap(), KeySource::StateDirectory));
    }

    #[test]
    fn a_short_secret_stays_on_this_machine() {
        let directory = tempfile::tempdir().unwrap();
        let table = [
            ("fifteen-letters", EVERYWHERE, false),
            ("fifteen-letters", "192.0.2.1".parse().unwrap(), false),
            ("fifteen-letters", "::".parse().unwrap(), false),
            ("fifteen-letters", LOOPBACK, true),
            ("fifteen-letters", "::1".parse().unwrap(), true),
            ("sixteen--letters", EVERYWHERE, true),
        ];
        for (secret, bind, is_taken) in table {
            let loaded = given(None, None, Some(secret)).unwrap().load(directory.path(), bind);
            assert_eq!(loaded.is_ok(), is_taken, "{secret} at {bind}");
            if let Err(error) = loaded {
                assert!(error.to_string().contains("16 characters"), "{error}");
                assert!(!error.to_string().contains(secret), "{error}");
            }
        }
    }
}
