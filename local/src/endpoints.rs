//! Records of the local clouds of a user: by the address of the API, where the
//! secret of its access key is. `mediadex up` writes one and holds a lock on it
//! for as long as it runs; the other commands read it, so that they need no
//! configuration. No record holds a secret.

use std::fs::{File, TryLockError};
use std::io::{ErrorKind, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use crate::access_key::{AccessKey, LoadedKey, read_secret};
use crate::private;

/// How a key is given by hand, for errors.
const GIVE_A_KEY: &str = "give a key with MEDIADEX_ACCESS_KEY_ID and MEDIADEX_ACCESS_KEY_SECRET, \
                          or with --access-key-id and --access-key-secret-file";

#[derive(Debug, Serialize, Deserialize)]
struct Record {
    /// Host and port of the API.
    endpoint: String,
    access_key_id: String,
    /// None where the secret was given in the environment of `up`.
    secret_file: Option<PathBuf>,
}

/// The directory of the records, in the data directory of the user.
///
/// # Errors
/// When there is no home directory to look in.
pub fn directory() -> anyhow::Result<PathBuf> {
    let data = crate::folders::data_directory()
        .with_context(|| format!("the access key cannot be looked up: {GIVE_A_KEY}"))?;
    Ok(data.join("endpoints"))
}

fn file_name(address: SocketAddr) -> String {
    format!("{}-{}", address.ip().to_string().replace(':', "_"), address.port())
}

/// A record of this process; dropping it removes it.
#[derive(Debug)]
pub struct Registration {
    path: PathBuf,
    /// Locked for as long as the process runs.
    file: File,
}

impl Registration {
    /// Records the key of the local cloud whose API is at an address. Records
    /// of processes that were killed are removed.
    ///
    /// # Errors
    /// When the record cannot be written.
    pub fn new(directory: &Path, address: SocketAddr, key: &LoadedKey) -> anyhow::Result<Self> {
        private::create_directory(directory)?;
        remove_stale(directory)?;
        let record = Record {
            endpoint: address.to_string(),
            access_key_id: key.key.id.clone(),
            secret_file: key.secret_file.clone(),
        };
        let path = directory.join(file_name(address));
        let mut file = private::temporary_file(directory)?;
        // Before it has its name, so that nobody finds it without its lock. File
        // systems without locks have records that never look stale.
        if let Err(TryLockError::WouldBlock) = file.as_file().try_lock() {
            bail!("another process locks {}", file.path().display());
        }
        file.write_all(&serde_json::to_vec(&record)?)?;
        let file = file.persist(&path).with_context(|| format!("{} cannot be written", path.display()))?;
        Ok(Self { path, file })
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        // Another process may have taken the address and written its own.
        if is_at(&self.file, &self.path)
            && let Err(error) = std::fs::remove_file(&self.path)
        {
            tracing::warn!(%error, path = %self.path.display(), "the record of the endpoint could not be removed");
        }
    }
}

/// Whether an open file is the one of a path.
fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), std::fs::symlink_metadata(path)) {
        (Ok(open), Ok(named)) => (open.dev(), open.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}

fn remove_stale(directory: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        // Those with a dot are being written.
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let path = entry.path();
        if let Ok(file) = File::open(&path)
            && file.try_lock().is_ok()
            && is_at(&file, &path)
        {
            std::fs::remove_file(&path)?;
        }
    }
    Ok(())
}

/// The address that an endpoint names, where a local cloud can have it: plain
/// HTTP and a numeric address, or `localhost`.
fn address(endpoint: &str) -> Option<SocketAddr> {
    let uri: http::Uri = endpoint.parse().ok()?;
    if uri.scheme_str() != Some("http") {
        return None;
    }
    let host = uri.host()?;
    let ip: IpAddr = match host {
        _ if host.eq_ignore_ascii_case("localhost") => Ipv4Addr::LOCALHOST.into(),
        _ => host.trim_start_matches('[').trim_end_matches(']').parse().ok()?,
    };
    Some(SocketAddr::new(ip, uri.port_u16().unwrap_or(80)))
}

/// The key that a local cloud of this user recorded for an endpoint, and the
/// file with its secret. A name that the network resolves has no record, so
/// only an address that `mediadex up` was itself given is found.
///
/// # Errors
/// When there is no record, when it is left from a process that has ended, or
/// when the secret is not in a file: each says what to do.
pub fn find(directory: &Path, endpoint: &str) -> anyhow::Result<(AccessKey, PathBuf)> {
    let address =
        address(endpoint).with_context(|| format!("there is no access key for {endpoint}: {GIVE_A_KEY}"))?;
    let path = directory.join(file_name(address));
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => bail!(
            "there is no access key for {endpoint}: no `mediadex up` of this user runs there. Start it, or {GIVE_A_KEY}"
        ),
        Err(error) => return Err(error).with_context(|| format!("{} cannot be read", path.display())),
    };
    let record: Record = serde_json::from_slice(&text)
        .ok()
        .filter(|record: &Record| record.endpoint == address.to_string())
        .with_context(|| {
            format!("{} is no record of {address}; delete it, or {GIVE_A_KEY}", path.display())
        })?;
    // The process that wrote it holds the lock; one that can be taken is of a
    // process that has ended.
    if File::open(&path).is_ok_and(|file| file.try_lock_shared().is_ok()) {
        bail!(
            "the `mediadex up` that ran at {address} was killed, and its record {} is out of date. Start it again, or {GIVE_A_KEY}",
            path.display()
        );
    }
    let Some(secret_file) = record.secret_file else {
        bail!(
            "the `mediadex up` at {address} was started with an access key of your own ({}), whose secret is in no file: {GIVE_A_KEY}",
            record.access_key_id
        );
    };
    let secret = read_secret(&secret_file)
        .with_context(|| format!("the record {} cannot be used; {GIVE_A_KEY}", path.display()))?;
    Ok((AccessKey { id: record.access_key_id, secret }, secret_file))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn loaded(directory: &Path) -> LoadedKey {
        let secret_file = directory.join("access.key");
        std::fs::write(&secret_file, "a-secret\n").unwrap();
        let key = AccessKey { id: "me".into(), secret: "a-secret".into() };
        LoadedKey { key, secret_file: Some(secret_file), is_new: false }
    }

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_endpoint_is_looked_up_by_its_address() {
        let table = [
            ("http://127.0.0.1:7300", Some("127.0.0.1:7300")),
            ("http://127.0.0.1:7300/", Some("127.0.0.1:7300")),
            ("http://localhost:7300", Some("127.0.0.1:7300")),
            ("http://LOCALHOST:7300/path", Some("127.0.0.1:7300")),
            ("http://127.0.0.1", Some("127.0.0.1:80")),
            ("http://[::1]:7300", Some("[::1]:7300")),
            ("http://192.0.2.7:7300", Some("192.0.2.7:7300")),
            // What others say it is.
            ("http://example.com:7300", None),
            ("http://localhost.example.com:7300", None),
            ("https://127.0.0.1:7300", None),
            ("127.0.0.1:7300", None),
            ("", None),
        ];
        for (endpoint, want) in table {
            assert_eq!(address(endpoint), want.map(at), "{endpoint}");
        }
        assert_eq!(file_name(at("127.0.0.1:7300")), "127.0.0.1-7300");
        assert_eq!(file_name(at("[::1]:7300")), "__1-7300");
    }

    #[test]
    fn a_record_is_found_while_its_process_runs() {
        let root = tempfile::tempdir().unwrap();
        let records = root.path().join("endpoints");
        let key = loaded(root.path());
        let registration = Registration::new(&records, at("127.0.0.1:7300"), &key).unwrap();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&records), mode(&records.join("127.0.0.1-7300"))), (0o700, 0o600));
        let text = std::fs::read_to_string(records.join("127.0.0.1-7300")).unwrap();
        assert!(!text.contains("a-secret"), "{text}");
        for endpoint in ["http://127.0.0.1:7300", "http://localhost:7300/"] {
            let (found, file) = find(&records, endpoint).unwrap();
            assert_eq!((found, Some(file)), (key.key.clone(), key.secret_file.clone()), "{endpoint}");
        }
        for endpoint in ["http://127.0.0.1:7301", "http://192.0.2.7:7300", "https://localhost:7300"] {
            let error = find(&records, endpoint).unwrap_err().to_string();
            assert!(error.contains("MEDIADEX_ACCESS_KEY_SECRET") && error.contains(endpoint), "{error}");
        }
        // Of another address, under this one's name.
        std::fs::copy(records.join("127.0.0.1-7300"), records.join("192.0.2.7-7300")).unwrap();
        assert!(find(&records, "http://192.0.2.7:7300").unwrap_err().to_string().contains("no record"));
        drop(registration);
        assert!(!records.join("127.0.0.1-7300").exists());
    }

    #[test]
    fn a_record_that_is_out_of_date_says_what_to_do() {
        let root = tempfile::tempdir().unwrap();
        let records = root.path().join("endpoints");
        let key = loaded(root.path());
        // As a kill leaves it: the lock is gone, the file is there.
        let killed = Registration::new(&records, at("127.0.0.1:7300"), &key).unwrap();
        killed.file.unlock().unwrap();
        let error = find(&records, "http://127.0.0.1:7300").unwrap_err().to_string();
        assert!(error.contains("was killed") && error.contains("Start it again"), "{error}");
        // The next start, wherever it is, clears it away, and takes no running one's.
        let other = Registration::new(&records, at("127.0.0.1:7400"), &key).unwrap();
        assert!(!records.join("127.0.0.1-7300").exists());
        let next = Registration::new(&records, at("127.0.0.1:7300"), &key).unwrap();
        drop(killed);
        assert!(find(&records, "http://127.0.0.1:7300").is_ok(), "only its own record is removed");
        assert!(find(&records, "http://127.0.0.1:7400").is_ok());
        drop(other);
        std::fs::remove_file(root.path().join("access.key")).unwrap();
        let error = format!("{:#}", find(&records, "http://127.0.0.1:7300").unwrap_err());
        assert!(error.contains("access.key") && error.contains("MEDIADEX_ACCESS_KEY_SECRET"), "{error}");
        drop(next);
        let own = LoadedKey { secret_file: None, ..key };
        let _own = Registration::new(&records, at("127.0.0.1:7300"), &own).unwrap();
        let error = find(&records, "http://127.0.0.1:7300").unwrap_err().to_string();
        assert!(error.contains("of your own (me)"), "{error}");
    }
}
