//! Names for the folders on the command line: a bucket and a dataset each, the
//! same at every start.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::private;

/// A folder with its names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    /// The folder, absolute and without links.
    pub path: PathBuf,
    /// Its bucket.
    pub bucket: String,
    /// Its dataset in the project `local`.
    pub dataset: String,
}

/// A folder's name made legal as a bucket's: lower case, what S3 does not
/// allow replaced by `-`, 3 to 63 characters.
pub fn bucket_name(folder: &str) -> String {
    let mut name = String::new();
    for c in folder.chars().flat_map(char::to_lowercase) {
        let c = if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' };
        if !(c == '-' && name.ends_with('-')) {
            name.push(c);
        }
    }
    name.truncate(50);
    let name = name.trim_matches('-');
    match name.len() {
        0 => "folder".to_owned(),
        1 | 2 => format!("folder-{name}"),
        _ => name.to_owned(),
    }
}

/// A bucket's name made legal as a dataset's: it begins with a letter or `_`.
fn dataset_name(bucket: &str) -> String {
    let name = bucket.replace('.', "-");
    if name.starts_with(|c: char| c.is_ascii_alphabetic()) { name } else { format!("_{name}") }
}

/// Names folders. `known` are the names of earlier starts, by path; new ones
/// are added. Two folders of one name get numbers.
///
/// # Errors
/// When a path is no folder, or one is named twice or lies in another.
pub fn name_folders(
    folders: &[PathBuf],
    known: &mut BTreeMap<PathBuf, String>,
) -> anyhow::Result<Vec<Folder>> {
    let mut named: Vec<Folder> = Vec::with_capacity(folders.len());
    for folder in folders {
        let path = folder.canonicalize().with_context(|| format!("{} cannot be opened", folder.display()))?;
        if !path.is_dir() {
            bail!("{} is not a folder", folder.display());
        }
        if let Some(other) = named.iter().find(|other| other.path == path) {
            bail!("{} is named twice", other.path.display());
        }
        let bucket = match known.get(&path) {
            Some(bucket) => bucket.clone(),
            None => {
                let base = bucket_name(&path.file_name().unwrap_or_default().to_string_lossy());
                let is_free = |name: &String| {
                    !known.values().any(|taken| taken == name)
                        && !named.iter().any(|other| other.bucket == *name)
                };
                let numbered = (2..).map(|number| format!("{base}-{number}"));
                let bucket = std::iter::once(base.clone()).chain(numbered).find(is_free).unwrap_or(base);
                known.insert(path.clone(), bucket.clone());
                bucket
            }
        };
        named.push(Folder { path, dataset: dataset_name(&bucket), bucket });
    }
    Ok(named)
}

const FILE: &str = "folders.json";

/// Reads the names of earlier starts.
///
/// # Errors
/// When the file is there and cannot be read.
pub fn load(state: &Path) -> anyhow::Result<BTreeMap<PathBuf, String>> {
    match std::fs::read(state.join(FILE)) {
        Ok(json) => serde_json::from_slice(&json).context("the names of the folders cannot be read"),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(error) => Err(error).context("the names of the folders cannot be read"),
    }
}

/// Keeps the names for later starts.
///
/// # Errors
/// When the file cannot be written.
pub fn save(state: &Path, known: &BTreeMap<PathBuf, String>) -> anyhow::Result<()> {
    private::create_state_directory(state)?;
    let mut file = private::temporary_file(state)?;
    file.write_all(&serde_json::to_vec_pretty(known)?)?;
    file.persist(state.join(FILE)).context("the names of the folders cannot be kept")?;
    Ok(())
}

/// The directory of everything that mediadex keeps for the user.
///
/// # Errors
/// When there is no home directory.
pub(crate) fn data_directory() -> anyhow::Result<PathBuf> {
    let base = std::env::var_os("XDG_DATA_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| std::env::home_dir().map(|home| home.join(".local/share")))
        .context("there is no home directory")?;
    Ok(base.join("mediadex"))
}

/// Where state is kept when nothing is said: a directory of its own for each
/// set of folders, so that one set's index is found again and does not mix
/// with another's.
///
/// # Errors
/// When there is no home directory.
pub fn default_state(folders: &[PathBuf]) -> anyhow::Result<PathBuf> {
    let base = data_directory().context("say where to keep state with --state, or --ephemeral")?;
    let mut paths: Vec<PathBuf> =
        folders.iter().map(|folder| folder.canonicalize().unwrap_or_else(|_| folder.clone())).collect();
    paths.sort();
    let name = match paths.first() {
        None => "default".to_owned(),
        Some(first) => {
            use sha2::{Digest, Sha256};
            let mut hash = Sha256::new();
            for path in &paths {
                hash.update(path.as_os_str().as_encoded_bytes());
                hash.update([0]);
            }
            let digest = hex::encode(hash.finalize());
            let label = bucket_name(&first.file_name().unwrap_or_default().to_string_lossy());
            format!("{label}-{}", digest.get(..12).unwrap_or_default())
        }
    };
    Ok(base.join(name))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn names_become_legal() {
        let table = [
            ("files", "files", "files"),
            ("My Photos 2024!", "my-photos-2024", "my-photos-2024"),
            ("照片", "folder", "folder"),
            ("a", "folder-a", "folder-a"),
            ("2024", "2024", "_2024"),
            ("x.y.z", "x-y-z", "x-y-z"),
        ];
        for (folder, bucket, dataset) in table {
            assert_eq!(bucket_name(folder), bucket);
            assert_eq!(dataset_name(bucket), dataset);
        }
        assert!(bucket_name(&"a".repeat(200)).len() <= 63);
    }

    #[test]
    fn folders_of_one_name_are_told_apart_and_keep_their_names() {
        let root = tempfile::tempdir().unwrap();
        let paths: Vec<PathBuf> = ["one/photos", "two/photos"].iter().map(|p| root.path().join(p)).collect();
        for path in &paths {
            std::fs::create_dir_all(path).unwrap();
        }
        let mut known = BTreeMap::new();
        let named = name_folders(&paths, &mut known).unwrap();
        let buckets: Vec<&str> = named.iter().map(|folder| folder.bucket.as_str()).collect();
        assert_eq!(buckets, ["photos", "photos-2"]);
        let again = name_folders(&paths[1..], &mut known).unwrap();
        assert_eq!(again.first().unwrap().bucket, "photos-2");
        assert!(name_folders(&[paths[0].clone(), paths[0].clone()], &mut known).is_err());
        assert!(name_folders(&[root.path().join("absent")], &mut known).is_err());
    }
}
