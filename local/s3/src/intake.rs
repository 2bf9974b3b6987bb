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
use s3s::dto::StreamingBlob;

use crate::checksums::{Algorithm, Hashers, Sums, invalid_request};
use crate::error::{Doing, Fault, Outcome};
use crate::staging::Staged;

/// Bytes gathered before they are handed to a blocking thread.
const STEP: usize = 512 * 1024;

/// What the client said about the body.
#[derive(Debug, Default)]
pub(crate) struct Declared {
    pub(crate) length: Option<i64>,
    /// In base64.
    pub(crate) md5: Option<String>,
    /// The checksums in the request's head.
    sums: Sums,
    /// The algorithms of checksums that come at the end of the body.
    announced: Vec<Algorithm>,
    trailers: Option<TrailingHeaders>,
    /// What is calculated besides: for the object, or for that of an upload.
    pub(crate) wanted: Option<Algorithm>,
}

impl Declared {
    /// What the headers of a request say (and the fields of a form, which are in
    /// `sums` as well), and its trailers will.
    ///
    /// # Errors
    /// If they name an algorithm that there is not, or more checksums than one.
    pub(crate) fn of(
        length: Option<i64>,
        md5: Option<String>,
        mut sums: Sums,
        headers: &HeaderMap,
        trailers: Option<TrailingHeaders>,
    ) -> Outcome<Self> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let announced = text("x-amz-trailer").unwrap_or_default().to_ascii_lowercase();
        let is_announced = |algorithm: &Algorithm| {
            announced.split(',').any(|announced| announced.trim() == algorithm.header())
        };
        let announced: Vec<Algorithm> = Algorithm::all().filter(is_announced).collect();
        sums.extend(Sums::of(headers));
        if sums.iter().count() + announced.len() > 1 {
            return Err(invalid_request(
                "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
            ));
        }
        let named = text("x-amz-sdk-checksum-algorithm").or_else(|| text("x-amz-checksum-algorithm"));
        let wanted = named.map(Algorithm::parse).transpose()?;
        Ok(Self { length, md5, sums, announced, trailers, wanted })
    }

    /// The algorithm of the checksum that the client sends with the body.
    pub(crate) fn sent(&self) -> Option<Algorithm> {
        self.sums.algorithm().or(self.announced.first().copied())
    }

    fn hashers(&self) -> Hashers {
        Hashers::of(self.sent().into_iter().chain(self.wanted))
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
    sums: Hashers,
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
    let mut intake = Intake { staged, size: 0, md5: Md5::new(), sums: declared.hashers() };
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
    let sums = intake.sums.finish();
    for algorithm in Algorithm::all() {
        let name = algorithm.header();
        let head = declared.sums.get(algorithm).map(String::as_str);
        let tail = trailers.and_then(|t| t.get(name)).and_then(|value| value.to_str().ok());
        if tail.is_none() && declared.announced.contains(&algorithm) {
            return Err(invalid_request(format!(
                "The request announced the trailer {name} and did not send it."
            )));
        }
        for wanted in [head, tail].into_iter().flatten() {
            if sums.get(algorithm).is_some_and(|computed| computed != wanted) {
                return Err(bad_digest(name));
            }
        }
    }
    Ok(Received { staged: intake.staged, size: intake.size, md5, sums })
}

pub(crate) fn bad_digest(what: &str) -> Fault {
    Fault::client(S3ErrorCode::BadDigest, format!("The {what} you specified did not match what we received."))
}

/// s3s checks signatures and hashes while the body streams; its error types
/// are private, so their names are all there is to go by.
pub(crate) fn broken_body(error: &(dyn std::error::Error + Send + Sync)) -> Fault {
    let text = error.to_string();
    if text.contains("Sha256Mismatch") {
        Fault::client(
            S3ErrorCode::Custom("XAmzContentSHA256Mismatch".into()),
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
        )
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
