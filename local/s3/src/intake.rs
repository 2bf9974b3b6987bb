//! Receiving a body: to disk in large steps, hashed on the way, and compared
//! with every length and checksum that the client declared.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::StreamExt;
use http::HeaderMap;
use md5::{Digest, Md5};
use s3s::S3ErrorCode;
use s3s::TrailingHeaders;
use s3s::checksum::ChecksumHasher;
use s3s::crypto::Checksum as _;
use s3s::dto::{ChecksumAlgorithm, StreamingBlob};

use crate::error::{Doing, Fault, Outcome};
use crate::sidecar::Sums;
use crate::staging::Staged;

/// Bytes gathered before they are handed to a blocking thread.
const STEP: usize = 512 * 1024;

/// What the client said about the body.
#[derive(Debug, Default)]
pub(crate) struct Declared {
    pub(crate) length: Option<i64>,
    /// In base64.
    pub(crate) md5: Option<String>,
    pub(crate) sums: Sums,
    pub(crate) algorithm: Option<ChecksumAlgorithm>,
    pub(crate) trailers: Option<TrailingHeaders>,
    /// Names of the trailers to come, from the header `x-amz-trailer`.
    pub(crate) announced: String,
}

impl Declared {
    /// Adds what is not in the operation's own input.
    pub(crate) fn with_trailers(mut self, headers: &HeaderMap, trailers: Option<TrailingHeaders>) -> Self {
        let announced = headers.get("x-amz-trailer").and_then(|value| value.to_str().ok());
        self.announced = announced.unwrap_or_default().to_ascii_lowercase();
        self.trailers = trailers;
        self
    }

    fn hasher(&self) -> ChecksumHasher {
        let algorithm = self.algorithm.as_ref().map(ChecksumAlgorithm::as_str).unwrap_or_default();
        let wanted = |sum: &Option<String>, name: &str, trailer: &str| {
            sum.is_some()
                || algorithm.eq_ignore_ascii_case(name)
                || self.announced.split(',').any(|t| t.trim() == trailer)
        };
        let sums = &self.sums;
        let mut hasher = ChecksumHasher::default();
        if wanted(&sums.crc32, ChecksumAlgorithm::CRC32, "x-amz-checksum-crc32") {
            hasher.crc32 = Some(s3s::crypto::Crc32::new());
        }
        if wanted(&sums.crc32c, ChecksumAlgorithm::CRC32C, "x-amz-checksum-crc32c") {
            hasher.crc32c = Some(s3s::crypto::Crc32c::new());
        }
        if wanted(&sums.crc64nvme, ChecksumAlgorithm::CRC64NVME, "x-amz-checksum-crc64nvme") {
            hasher.crc64nvme = Some(s3s::crypto::Crc64Nvme::new());
        }
        if wanted(&sums.sha1, ChecksumAlgorithm::SHA1, "x-amz-checksum-sha1") {
            hasher.sha1 = Some(s3s::crypto::Sha1::new());
        }
        if wanted(&sums.sha256, ChecksumAlgorithm::SHA256, "x-amz-checksum-sha256") {
            hasher.sha256 = Some(s3s::crypto::Sha256::new());
        }
        hasher
    }
}

/// A body that was received whole.
pub(crate) struct Received {
    pub(crate) staged: Staged,
    pub(crate) size: u64,
    pub(crate) md5: [u8; 16],
    pub(crate) sums: Sums,
}

struct Intake {
    staged: Staged,
    size: u64,
    md5: Md5,
    sums: ChecksumHasher,
}

impl Intake {
    fn take(&mut self, chunks: &[Bytes]) -> Outcome<()> {
        for chunk in chunks {
            self.md5.update(chunk);
            self.sums.update(chunk);
            self.size += chunk.len() as u64;
            self.staged.file.write_all(chunk).doing("writing a received body")?;
        }
        Ok(())
    }
}

/// Receives a body into a staged file.
pub(crate) async fn receive(
    staged: Staged,
    body: Option<StreamingBlob>,
    declared: Declared,
) -> Outcome<Received> {
    let mut intake = Intake { staged, size: 0, md5: Md5::new(), sums: declared.hasher() };
    let mut gathered = Vec::new();
    let mut bytes = 0;
    if let Some(mut body) = body {
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(|error| broken_body(error.as_ref()))?;
            bytes += chunk.len();
            gathered.push(chunk);
            if bytes >= STEP {
                let chunks = std::mem::take(&mut gathered);
                bytes = 0;
                intake = tokio::task::spawn_blocking(move || intake.take(&chunks).map(|()| intake)).await??;
            }
        }
    }
    let trailers = declared.trailers.as_ref().and_then(TrailingHeaders::take);
    tokio::task::spawn_blocking(move || {
        intake.take(&gathered)?;
        finish(intake, &declared, trailers.as_ref())
    })
    .await?
}

fn finish(intake: Intake, declared: &Declared, trailers: Option<&HeaderMap>) -> Outcome<Received> {
    if declared.length.is_some_and(|length| u64::try_from(length) != Ok(intake.size)) {
        return Err(Fault::client(
            S3ErrorCode::IncompleteBody,
            "You did not provide the number of bytes specified by the Content-Length HTTP header",
        ));
    }
    let md5: [u8; 16] = intake.md5.finalize().into();
    if let Some(text) = &declared.md5 {
        let wanted =
            STANDARD.decode(text).ok().filter(|wanted| wanted.len() == md5.len()).ok_or_else(|| {
                Fault::client(S3ErrorCode::InvalidDigest, "The Content-MD5 you specified is not valid.")
            })?;
        if wanted != md5 {
            return Err(bad_digest("Content-MD5"));
        }
    }
    let computed = intake.sums.finalize();
    let sums = Sums {
        crc32: computed.checksum_crc32,
        crc32c: computed.checksum_crc32c,
        crc64nvme: computed.checksum_crc64nvme,
        sha1: computed.checksum_sha1,
        sha256: computed.checksum_sha256,
    };
    let head = &declared.sums;
    for (name, head, computed) in [
        ("x-amz-checksum-crc32", &head.crc32, &sums.crc32),
        ("x-amz-checksum-crc32c", &head.crc32c, &sums.crc32c),
        ("x-amz-checksum-crc64nvme", &head.crc64nvme, &sums.crc64nvme),
        ("x-amz-checksum-sha1", &head.sha1, &sums.sha1),
        ("x-amz-checksum-sha256", &head.sha256, &sums.sha256),
    ] {
        let tail = trailers.and_then(|t| t.get(name)).and_then(|value| value.to_str().ok());
        if tail.is_none() && declared.announced.split(',').any(|announced| announced.trim() == name) {
            return Err(Fault::client(
                S3ErrorCode::InvalidRequest,
                format!("The request announced the trailer {name} and did not send it."),
            ));
        }
        for wanted in [head.as_deref(), tail].into_iter().flatten() {
            if computed.as_deref().is_some_and(|computed| computed != wanted) {
                return Err(bad_digest(name));
            }
        }
    }
    Ok(Received { staged: intake.staged, size: intake.size, md5, sums })
}

fn bad_digest(what: &str) -> Fault {
    Fault::client(S3ErrorCode::BadDigest, format!("The {what} you specified did not match what we received."))
}

/// s3s checks signatures and hashes while the body streams; its error types
/// are private, so their names are all there is to go by.
fn broken_body(error: &(dyn std::error::Error + Send + Sync)) -> Fault {
    let text = error.to_string();
    if text.contains("Sha256Mismatch") {
        bad_digest("x-amz-content-sha256")
    } else if text.contains("SignatureMismatch") {
        Fault::client(S3ErrorCode::SignatureDoesNotMatch, "the signature of a chunk does not match")
    } else if text.contains("too slowly") {
        Fault::client(
            S3ErrorCode::RequestTimeout,
            "Your socket connection to the server was not read from or written to within the timeout period.",
        )
    } else {
        tracing::debug!(error = %text, "a body broke off");
        Fault::client(S3ErrorCode::IncompleteBody, "the request's body ended early or is malformed")
    }
}
