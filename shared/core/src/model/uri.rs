//! URIs of buckets and objects: `oss://bucket` and `oss://bucket/key`, and the
//! same with `s3://`.

use std::fmt;

use crate::error::{Error, Result};

fn without_scheme<'a>(parameter: &str, uri: &'a str) -> Result<&'a str> {
    for scheme in ["oss://", "s3://"] {
        if let Some(rest) = uri.strip_prefix(scheme) {
            return Ok(rest);
        }
    }
    let why = if uri.starts_with("pds://") {
        "URIs of Drive and Photo Service (pds://) are not supported; use oss:// or s3://."
    } else if uri.starts_with("http://") || uri.starts_with("https://") {
        "HTTP URLs are not supported; use oss:// or s3://."
    } else {
        "It must begin with oss:// or s3://."
    };
    Err(Error::invalid(parameter, why))
}

fn check_bucket(parameter: &str, bucket: &str) -> Result<()> {
    let right = (3..=63).contains(&bucket.len())
        && bucket
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.' | '_'));
    if right {
        return Ok(());
    }
    Err(Error::invalid(
        parameter,
        "A bucket name has 3 to 63 characters of a-z, 0-9, '-', '.' (and '_' in old buckets).",
    ))
}

/// Whether a key, read as a path, is above its bucket somewhere. S3 has no such
/// objects.
fn leaves_the_bucket(key: &str) -> bool {
    let mut depth = 0_i32;
    key.split('/').any(|part| {
        match part {
            ".." => depth -= 1,
            "" | "." => {}
            _ => depth += 1,
        }
        depth < 0
    })
}

/// A bucket, from `oss://bucket` or `s3://bucket`; shown as `oss://bucket`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BucketUri {
    /// The bucket's name.
    pub bucket: String,
}

impl BucketUri {
    /// Reads a bucket URI; a trailing slash is allowed, a key is not.
    ///
    /// # Errors
    /// `Invalid{parameter}`.
    pub fn parse(parameter: &str, uri: &str) -> Result<Self> {
        let rest = without_scheme(parameter, uri)?;
        let bucket = rest.strip_suffix('/').unwrap_or(rest);
        if bucket.contains('/') {
            return Err(Error::invalid(parameter, "It must name a bucket (oss://bucket), without a key."));
        }
        check_bucket(parameter, bucket)?;
        Ok(Self { bucket: bucket.to_owned() })
    }
}

impl fmt::Display for BucketUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "oss://{}", self.bucket)
    }
}

/// An object, from `oss://bucket/key` or `s3://bucket/key`; shown with `oss://`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectUri {
    /// The bucket's name.
    pub bucket: String,
    /// The object's key, as it is (not URL-encoded); 1 to 1,024 bytes.
    pub key: String,
}

impl ObjectUri {
    /// An object of a bucket. Nothing is checked.
    pub fn new(bucket: impl Into<String>, key: impl Into<String>) -> Self {
        Self { bucket: bucket.into(), key: key.into() }
    }

    /// Reads an object URI. The key is taken literally, as IMM does.
    ///
    /// # Errors
    /// `Invalid{parameter}`.
    pub fn parse(parameter: &str, uri: &str) -> Result<Self> {
        let rest = without_scheme(parameter, uri)?;
        let Some((bucket, key)) = rest.split_once('/') else {
            return Err(Error::invalid(parameter, "It must name an object (oss://bucket/key)."));
        };
        check_bucket(parameter, bucket)?;
        if key.is_empty() {
            return Err(Error::invalid(parameter, "It must name an object (oss://bucket/key)."));
        }
        if key.len() > 1024 {
            return Err(Error::invalid(parameter, "A key has at most 1,024 bytes."));
        }
        if leaves_the_bucket(key) {
            return Err(Error::invalid(
                parameter,
                "The key leads out of its bucket with \"..\": object storage refuses such keys.",
            ));
        }
        Ok(Self { bucket: bucket.to_owned(), key: key.to_owned() })
    }
}

impl fmt::Display for ObjectUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "oss://{}/{}", self.bucket, self.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets() {
        let table = [
            ("oss://test-bucket", Some("oss://test-bucket")),
            ("s3://test-bucket/", Some("oss://test-bucket")),
            ("oss://test-bucket/key", None),
            ("oss://", None),
            ("oss://AB", None),
            ("http://bucket", None),
            ("test-bucket", None),
        ];
        for (uri, want) in table {
            assert_eq!(BucketUri::parse("URI", uri).ok().map(|u| u.to_string()).as_deref(), want, "{uri}");
        }
    }

    #[test]
    fn objects() {
        let long = format!("oss://bucket/{}", "k".repeat(1025));
        let table = [
            ("oss://bucket/a b+%#/文 件.jpg", Some("a b+%#/文 件.jpg")),
            ("s3://bucket/k", Some("k")),
            ("oss://bucket//k", Some("/k")),
            ("oss://bucket/", None),
            ("oss://bucket", None),
            ("pds://domains/d/drives/d/files/f/revisions/r", None),
            ("https://bucket/k", None),
            (long.as_str(), None),
            ("oss://bucket/../x", None),
            ("oss://bucket/a/../../x", None),
            ("oss://bucket/a/..//..", None),
            ("oss://bucket/a/../x", Some("a/../x")),
            ("oss://bucket/..x", Some("..x")),
        ];
        for (uri, want) in table {
            assert_eq!(ObjectUri::parse("URI", uri).ok().map(|u| u.key).as_deref(), want, "{uri}");
        }
    }
}
