//! ACS3-HMAC-SHA256, step by step as reference wire-protocol.md has it.

use std::collections::BTreeSet;

use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::HttpRequest;
use super::encoding::canonical_query;
use crate::error::{Code, Error, Result};
use crate::model::Timestamp;

/// How far a client's clock may be off, in seconds, either way.
pub(super) const WINDOW_SECONDS: i64 = 15 * 60;

pub(super) const ALGORITHM: &str = "ACS3-HMAC-SHA256";

/// Headers that every request must sign: without one of them something that
/// decides what the request does could be changed on its way.
const MUST_SIGN: [&str; 6] =
    ["host", "x-acs-action", "x-acs-version", "x-acs-date", "x-acs-signature-nonce", "x-acs-content-sha256"];

/// What a request claims, before anything of it is believed.
#[derive(Debug)]
pub(super) struct Claim {
    pub(super) access_key_id: String,
    pub(super) nonce: String,
    signed_headers: String,
    signature: Vec<u8>,
}

fn incomplete(why: &str) -> Error {
    Error::with_code(Code::IncompleteSignature, format!("The request signature does not conform to the standard: {why}."))
}

impl Claim {
    /// Reads the Authorization header and checks what needs no secret: that
    /// all is there and signed, the date, the body's hash.
    ///
    /// # Errors
    /// The rows of the catalogue for signatures.
    pub(super) fn read(request: &HttpRequest) -> Result<Self> {
        let Some(authorization) = request.header("authorization").filter(|value| !value.is_empty()) else {
            return Err(Error::with_code(
                Code::MissingAccessKeyId,
                "AccessKeyId is mandatory for this action: sign the request with ACS3-HMAC-SHA256.",
            ));
        };
        let (algorithm, rest) = authorization.split_once(' ').unwrap_or((authorization, ""));
        if algorithm != ALGORITHM {
            return Err(Error::with_code(
                Code::UnsupportedSignature,
                format!("The signature algorithm is not supported; use {ALGORITHM}."),
            ));
        }
        let (mut credential, mut signed_headers, mut signature) = (None, None, None);
        for part in rest.split(',') {
            match part.trim().split_once('=') {
                Some(("Credential", value)) => credential = Some(value),
                Some(("SignedHeaders", value)) => signed_headers = Some(value),
                Some(("Signature", value)) => signature = Some(value),
                _ => return Err(incomplete("Authorization has an unknown part")),
            }
        }
        let (Some(credential), Some(signed_headers), Some(signature)) = (credential, signed_headers, signature) else {
            return Err(incomplete("Authorization needs Credential, SignedHeaders and Signature"));
        };
        let signature = hex::decode(signature).map_err(|_| incomplete("Signature is not hexadecimal"))?;
        let signed: BTreeSet<&str> = signed_headers.split(';').collect();
        for name in MUST_SIGN {
            if !signed.contains(name) || request.header(name).is_none() {
                return Err(incomplete(&format!("the header {name} must be sent and signed")));
            }
        }
        if let Some((name, _)) =
            request.headers.iter().find(|(name, _)| name.starts_with("x-acs-") && !signed.contains(name.as_str()))
        {
            return Err(incomplete(&format!("the header {name} is sent and not signed")));
        }
        let date = request.header("x-acs-date").and_then(Timestamp::parse);
        let off = date.map(|date| (Timestamp::now().seconds() - date.seconds()).abs());
        if off.is_none_or(|off| off > WINDOW_SECONDS) {
            return Err(Error::with_code(
                Code::TimestampExpired,
                "Specified time stamp or date value is expired: x-acs-date must be within 15 minutes of this server's clock.",
            ));
        }
        let nonce = request.header("x-acs-signature-nonce").unwrap_or_default();
        if nonce.is_empty() || nonce.len() > 128 {
            return Err(incomplete("x-acs-signature-nonce must have 1 to 128 characters"));
        }
        let hash = hex::encode(Sha256::digest(&request.body));
        if request.header("x-acs-content-sha256") != Some(hash.as_str()) {
            return Err(Error::with_code(
                Code::SignatureDoesNotMatch,
                "x-acs-content-sha256 is not the SHA-256 of the body.",
            ));
        }
        Ok(Self {
            access_key_id: credential.to_owned(),
            nonce: nonce.to_owned(),
            signed_headers: signed_headers.to_owned(),
            signature,
        })
    }

    /// Holds the signature against the secret.
    ///
    /// # Errors
    /// `SignatureDoesNotMatch`.
    pub(super) fn verify(&self, request: &HttpRequest, secret: &str) -> Result<()> {
        let expected = signature(request, &self.signed_headers, secret)?;
        if bool::from(expected.as_slice().ct_eq(&self.signature)) {
            return Ok(());
        }
        Err(Error::with_code(
            Code::SignatureDoesNotMatch,
            "Specified signature is not matched with our calculation.",
        ))
    }
}

/// The signature of a request. The path is always `/`, even behind a prefix.
pub(super) fn signature(request: &HttpRequest, signed_headers: &str, secret: &str) -> Result<Vec<u8>> {
    let mut headers = String::new();
    for name in signed_headers.split(';') {
        let mut values: Vec<&str> = request
            .headers
            .iter()
            .filter(|(header, _)| header == name)
            .map(|(_, value)| value.trim())
            .collect();
        values.sort_unstable();
        headers.push_str(&format!("{name}:{}\n", values.join(",")));
    }
    let hash = request.header("x-acs-content-sha256").unwrap_or_default();
    let canonical = format!(
        "{}\n/\n{}\n{headers}\n{signed_headers}\n{hash}",
        request.method,
        canonical_query(&request.query)
    );
    let to_sign = format!("{ALGORITHM}\n{}", hex::encode(Sha256::digest(canonical.as_bytes())));
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).map_err(Error::internal)?;
    mac.update(to_sign.as_bytes());
    Ok(mac.finalize().into_bytes().to_vec())
}
