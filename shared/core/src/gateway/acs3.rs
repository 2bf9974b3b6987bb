//! ACS3-HMAC-SHA256, step by step as reference wire-protocol.md has it.

use std::collections::BTreeSet;

use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

use super::HttpRequest;
use super::auth::{Claim, MAX_NONCE, Proof, incomplete, must_be_recent};
use super::encoding::canonical_query;
use crate::error::{Code, Error, Result};
use crate::model::Timestamp;

pub(super) const ALGORITHM: &str = "ACS3-HMAC-SHA256";

/// Headers that every request must sign: without one of them something that
/// decides what the request does could be changed in transit.
const MUST_SIGN: [&str; 6] =
    ["host", "x-acs-action", "x-acs-version", "x-acs-date", "x-acs-signature-nonce", "x-acs-content-sha256"];

/// Reads the Authorization header and checks what needs no secret: that
/// all is there and signed, the date, the body's hash.
///
/// # Errors
/// The rows of the catalogue for signatures.
pub(super) fn read(request: &HttpRequest, now: Timestamp) -> Result<Claim> {
    let claim = read_head(request, now)?;
    let hash = hex::encode(Sha256::digest(&request.body));
    if request.header("x-acs-content-sha256") != Some(hash.as_str()) {
        return Err(Error::with_code(
            Code::SignatureDoesNotMatch,
            "x-acs-content-sha256 is not the SHA-256 of the body.",
        ));
    }
    Ok(claim)
}

/// The same but for the body's hash, which the signature covers: so the claim
/// can be checked before the body is read.
///
/// # Errors
/// The rows of the catalogue for signatures.
pub(super) fn read_head(request: &HttpRequest, now: Timestamp) -> Result<Claim> {
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
    let (Some(credential), Some(signed_headers), Some(signature)) = (credential, signed_headers, signature)
    else {
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
    must_be_recent("x-acs-date", date, now)?;
    let nonce = request.header("x-acs-signature-nonce").unwrap_or_default();
    if nonce.is_empty() || nonce.len() > MAX_NONCE {
        return Err(incomplete(&format!("x-acs-signature-nonce must have 1 to {MAX_NONCE} characters")));
    }
    let security_token = request.header("x-acs-security-token");
    // Clients name the temporary key there as well.
    if request.header("x-acs-accesskey-id").is_some_and(|id| id != credential) {
        return Err(incomplete("x-acs-accesskey-id is not the key of Credential"));
    }
    Ok(Claim {
        access_key_id: credential.to_owned(),
        nonce: Some(nonce.to_owned()),
        security_token: security_token.filter(|token| !token.is_empty()).map(str::to_owned),
        proof: Proof::Acs3 { signed_headers: signed_headers.to_owned(), signature },
    })
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
