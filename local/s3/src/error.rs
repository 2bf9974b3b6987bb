//! What can go wrong, with the part a client may see kept apart from the part
//! only the operator needs: a message with an OS path of the state directory
//! never reaches the wire.

use std::borrow::Cow;
use std::io;
use std::path::PathBuf;

use http::{HeaderMap, HeaderValue, StatusCode, header};
use s3s::{S3Error, S3ErrorCode};

/// Why a store could not be opened, a bucket not added or a count not made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// An operation of the operating system failed.
    #[error("{doing}: {source}")]
    Io {
        /// What was being done, with the path.
        doing: String,
        /// The system's answer.
        source: io::Error,
    },
    /// The sidecar database cannot be opened or read.
    #[error("sidecar database: {0}")]
    Database(#[from] rusqlite::Error),
    /// Another process has the state directory open.
    #[error("the state directory {0} is in use by another process")]
    Locked(PathBuf),
    /// The name is not a legal S3 bucket name.
    #[error("{0:?} is not a legal bucket name")]
    BucketName(String),
    /// A bucket of this name is already served.
    #[error("a bucket named {0:?} is already there")]
    BucketExists(String),
    /// The path of a folder bucket is not a directory.
    #[error("{0} is not a folder")]
    NotAFolder(PathBuf),
    /// No such bucket, or its folder is gone (an unmounted disk).
    #[error("no bucket {0:?}")]
    NoSuchBucket(String),
    /// The caller cancelled.
    #[error("cancelled")]
    Cancelled,
    /// The state directory lies inside the folder of a bucket, or the other way round.
    #[error("the folder {0} and the state directory contain one another")]
    StateInside(PathBuf),
}

impl StoreError {
    pub(crate) fn io(doing: impl Into<String>, source: io::Error) -> Self {
        Self::Io { doing: doing.into(), source }
    }
}

/// The result of an operation on a bucket or object.
pub(crate) type Outcome<T> = Result<T, Fault>;

/// Why an operation failed.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The client is told the code and the message.
    Client { code: S3ErrorCode, message: Cow<'static, str> },
    /// The same with a code that the protocol crate does not know.
    Coded { status: StatusCode, code: &'static str, message: &'static str },
    /// 304, which carries the validators.
    NotModified { etag: String, modified: i64 },
    /// The client is told InternalError, the log gets the rest.
    Internal { doing: &'static str, source: Box<dyn std::error::Error + Send + Sync> },
}

impl Fault {
    pub(crate) fn client(code: S3ErrorCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self::Client { code, message: message.into() }
    }

    pub(crate) fn internal(
        doing: &'static str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Internal { doing, source: source.into() }
    }

    pub(crate) fn no_such_bucket() -> Self {
        Self::client(S3ErrorCode::NoSuchBucket, "The specified bucket does not exist")
    }

    pub(crate) fn no_such_key() -> Self {
        Self::client(S3ErrorCode::NoSuchKey, "The specified key does not exist.")
    }

    /// Something is there, or may be, and may not be read.
    pub(crate) fn unreadable() -> Self {
        Self::client(
            S3ErrorCode::AccessDenied,
            "The permissions of the file or of its folder do not allow this user to read it",
        )
    }

    pub(crate) fn no_such_upload() -> Self {
        Self::client(
            S3ErrorCode::NoSuchUpload,
            "The specified multipart upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.",
        )
    }

    pub(crate) fn invalid_part_number() -> Self {
        Self::Coded {
            status: StatusCode::RANGE_NOT_SATISFIABLE,
            code: "InvalidPartNumber",
            message: "The requested partnumber is not satisfiable",
        }
    }

    pub(crate) fn precondition() -> Self {
        Self::client(
            S3ErrorCode::PreconditionFailed,
            "At least one of the pre-conditions you specified did not hold",
        )
    }

    pub(crate) fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self::client(S3ErrorCode::InvalidArgument, message)
    }

    /// Tells whether the client was told that nothing is there.
    pub(crate) fn is_missing(&self) -> bool {
        matches!(self, Self::Client { code: S3ErrorCode::NoSuchKey | S3ErrorCode::NoSuchBucket, .. })
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(source: rusqlite::Error) -> Self {
        Self::internal("using the sidecar database", source)
    }
}

impl From<tokio::task::JoinError> for Fault {
    fn from(source: tokio::task::JoinError) -> Self {
        Self::internal("waiting for blocking work", source)
    }
}

/// Names what was being done when the system said no.
pub(crate) trait Doing<T> {
    fn doing(self, doing: &'static str) -> Outcome<T>;
}

impl<T, E: Into<io::Error>> Doing<T> for Result<T, E> {
    fn doing(self, doing: &'static str) -> Outcome<T> {
        self.map_err(|e| {
            let source: io::Error = e.into();
            match source.kind() {
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                    tracing::warn!(doing, error = %source, "the operating system refused");
                    Fault::client(S3ErrorCode::AccessDenied, "the folder's permissions do not allow this")
                }
                _ => Fault::internal(doing, source),
            }
        })
    }
}

/// Turns a fault into what goes on the wire.
impl From<Fault> for S3Error {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Client { code, message } => {
                let mut error = S3Error::with_message(code, message);
                // The codes that s3s does not know are all of wrong requests.
                if error.status_code().is_none() {
                    error.set_status_code(StatusCode::BAD_REQUEST);
                }
                error
            }
            Fault::Coded { status, code, message } => {
                let mut error = S3Error::with_message(S3ErrorCode::Custom(code.into()), message);
                error.set_status_code(status);
                error
            }
            Fault::NotModified { etag, modified } => {
                let mut error = S3Error::new(S3ErrorCode::NotModified);
                let mut headers = HeaderMap::new();
                if let Ok(value) = HeaderValue::try_from(format!("\"{etag}\"")) {
                    headers.insert(header::ETAG, value);
                }
                let mut date = Vec::new();
                let stamp = crate::fsys::timestamp(modified);
                if stamp.format(s3s::dto::TimestampFormat::HttpDate, &mut date).is_ok()
                    && let Ok(value) = HeaderValue::from_bytes(&date)
                {
                    headers.insert(header::LAST_MODIFIED, value);
                }
                error.set_headers(headers);
                error
            }
            Fault::Internal { doing, source } => {
                tracing::error!(doing, error = %source, "internal error");
                S3Error::with_message(
                    S3ErrorCode::InternalError,
                    "We encountered an internal error. Please try again.",
                )
            }
        }
    }
}
