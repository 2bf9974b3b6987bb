//! SDK-HMAC-SHA256, the signature of Huawei Cloud's SDKs.
//!
//! The SDKs choose what they sign: Python signs Host and Content-Type, Java
//! signs Host alone, Go neither. `X-Sdk-Date` must be signed by all. Method,
//! path, query and body are always part of the signature, and the list of
//! signed headers is too, so that nobody can take a header from it.
//!
//! What an attacker could do with the two that may be unsigned, if they can
//! change a request between the client and us:
//!
//! - Content-Type says nothing: the bodies of this door are JSON, whatever type
//!   is named ([`super::image_search`] never reads the header).
//! - Host chooses no project and no instance: these are in the path. It is only
//!   validated against the names of the endpoint. A signature of Go is not bound to one
//!   service: within 15 minutes it also holds at another deployment that knows
//!   the same key, so each deployment should have keys of its own.
//!
//! Every other header that says something to us must be signed where it is sent.

use std::collections::BTreeSet;

use hmac::{Hmac, Mac};
use percent_encoding::percent_decode_str;
use sha2::{Digest, Sha256};

use super::HttpRequest;
use super::auth::{Claim, Proof, incomplete, must_be_recent};
use super::encoding::{canonical_query, encode};
use crate::error::{Code, Error, Result};
use crate::model::Timestamp;

pub(super) const ALGORITHM: &str = "SDK-HMAC-SHA256";

/// The SHA-256 of the body, where a client gives it.
const CONTENT_HASH: &str = "x-sdk-content-sha256";

/// Headers that say something to us: sent, they must be signed.
const MEANS_SOMETHING: [&str; 4] = ["x-project-id", "x-domain-id", "x-security-token", CONTENT_HASH];
/// The one header that every client must send and sign.
const DATE: &str = "x-sdk-date";

fn date(text: &str) -> Option<Timestamp> {
    let civil = jiff::fmt::strtime::parse("%Y%m%dT%H%M%SZ", text).ok()?.to_datetime().ok()?;
    let stamp = civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
    Some(Timestamp::from_seconds(stamp.as_second()))
}

/// Reads the Authorization header and checks what needs no secret.
///
/// # Errors
/// The rows of the catalogue for signatures.
pub(super) fn read(request: &HttpRequest, now: Timestamp) -> Result<Claim> {
    let hash = hex::encode(Sha256::digest(&request.body));
    let is_other = request.header(CONTENT_HASH).is_some_and(|given| given != hash);
    let claim = claim(request, now, hash)?;
    if is_other {
        // UNSIGNED-PAYLOAD as well: nothing here is too large to be signed.
        return Err(Error::with_code(
            Code::SignatureDoesNotMatch,
            "X-Sdk-Content-Sha256 is not the SHA-256 of the body.",
        ));
    }
    Ok(claim)
}

/// The same before the body is read: the claim, which rests on the hash that
/// the head gives of the body, and whether it gives one.
///
/// # Errors
/// The rows of the catalogue for signatures.
pub(super) fn read_head(head: &HttpRequest, now: Timestamp) -> Result<(Claim, bool)> {
    let hash = head.header(CONTENT_HASH);
    Ok((claim(head, now, hash.unwrap_or_default().to_owned())?, hash.is_some()))
}

fn claim(request: &HttpRequest, now: Timestamp, body_hash: String) -> Result<Claim> {
    let authorization = request.header("authorization").unwrap_or_default();
    let (algorithm, rest) = authorization.split_once(' ').unwrap_or((authorization, ""));
    if algorithm != ALGORITHM {
        return Err(Error::with_code(
            Code::UnsupportedSignature,
            format!("The signature algorithm is not supported; use {ALGORITHM}."),
        ));
    }
    let (mut access, mut signed_headers, mut signature) = (None, None, None);
    for part in rest.split(',') {
        match part.trim().split_once('=') {
            Some(("Access", value)) => access = Some(value),
            Some(("SignedHeaders", value)) => signed_headers = Some(value),
            Some(("Signature", value)) => signature = Some(value),
            _ => return Err(incomplete("Authorization has an unknown part")),
        }
    }
    let (Some(access), Some(signed_headers), Some(signature)) = (access, signed_headers, signature) else {
        return Err(incomplete("Authorization needs Access, SignedHeaders and Signature"));
    };
    let signature = hex::decode(signature).map_err(|_| incomplete("Signature is not hexadecimal"))?;
    let signed: BTreeSet<&str> = signed_headers.split(';').collect();
    if !signed.contains(DATE) || request.header(DATE).is_none() {
        return Err(incomplete(&format!("the header {DATE} must be sent and signed")));
    }
    if let Some(name) =
        MEANS_SOMETHING.iter().find(|name| request.header(name).is_some() && !signed.contains(*name))
    {
        return Err(incomplete(&format!("the header {name} is sent and not signed")));
    }
    must_be_recent("X-Sdk-Date", date(request.header(DATE).unwrap_or_default()), now)?;
    Ok(Claim {
        access_key_id: access.to_owned(),
        // There is no nonce: the signature itself takes its place, see auth.rs.
        nonce: Some(hex::encode(&signature)),
        security_token: request.header("x-security-token").map(str::to_owned),
        proof: Proof::SdkHmac { signed_headers: signed_headers.to_owned(), body_hash, signature },
    })
}

/// The path as it is signed: decoded as a whole first, so that `%2F` separates
/// like `/`, with a slash at its end.
fn canonical_path(path: &str) -> String {
    let decoded = percent_decode_str(path).decode_utf8_lossy();
    let mut parts: Vec<String> = decoded.split('/').map(encode).collect();
    if parts.last().is_some_and(|last| !last.is_empty()) {
        parts.push(String::new());
    }
    parts.join("/")
}

/// The signature of a request whose body has this SHA-256, in hexadecimal.
///
/// # Errors
/// None that a request can cause.
pub(super) fn signature(
    request: &HttpRequest,
    signed_headers: &str,
    body_hash: &str,
    secret: &str,
) -> Result<Vec<u8>> {
    let mut canonical = format!(
        "{}\n{}\n{}\n",
        request.method,
        canonical_path(&request.path),
        canonical_query(&request.query)
    );
    for name in signed_headers.split(';') {
        for (_, value) in request.headers.iter().filter(|(header, _)| header == name) {
            canonical.push_str(&format!("{name}:{}\n", value.trim()));
        }
    }
    canonical.push_str(&format!("\n{signed_headers}\n{body_hash}"));
    let to_sign = format!(
        "{ALGORITHM}\n{}\n{}",
        request.header(DATE).unwrap_or_default(),
        hex::encode(Sha256::digest(canonical.as_bytes()))
    );
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).map_err(Error::internal)?;
    mac.update(to_sign.as_bytes());
    Ok(mac.finalize().into_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_canonical() {
        let table = [
            ("/v2/p/mms/s/search", "/v2/p/mms/s/search/"),
            ("/v2/p/mms/svc%20name%2F%C3%A9/data/update", "/v2/p/mms/svc%20name/%C3%A9/data/update/"),
            ("/", "/"),
        ];
        for (path, want) in table {
            assert_eq!(canonical_path(path), want, "{path}");
        }
        assert_eq!(date("20261121T203715Z").map(Timestamp::seconds), Some(1_795_293_435));
        assert_eq!(date("2026"), None);
    }

    #[test]
    fn what_must_be_signed() {
        let now = Timestamp::from_seconds(1_795_293_435);
        let sent = |signed: &str, more: &[(&str, &str)]| {
            let mut headers = vec![
                ("host".to_owned(), "127.0.0.1:7300".to_owned()),
                ("content-type".to_owned(), "application/json".to_owned()),
                (
                    "authorization".to_owned(),
                    format!("{ALGORITHM} Access=a, SignedHeaders={signed}, Signature=00"),
                ),
            ];
            headers.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
            HttpRequest {
                method: "POST".into(),
                path: "/v1/p/service".into(),
                headers,
                ..HttpRequest::default()
            }
        };
        let date = ("x-sdk-date", "20261121T203715Z");
        // What is signed, what is sent besides, and whether it is enough.
        type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], bool);
        let table: [Case<'_>; 9] = [
            // Python, Java, Go.
            ("content-type;host;user-agent;x-sdk-date", &[date], true),
            ("host;user-agent;x-sdk-date", &[date], true),
            ("user-agent;x-sdk-date", &[date], true),
            ("user-agent;x-project-id;x-sdk-date", &[date, ("x-project-id", "p")], true),
            ("host;user-agent", &[date], false),
            ("x-sdk-date", &[], false),
            ("x-sdk-date", &[date, ("x-project-id", "p")], false),
            ("x-sdk-date", &[date, ("x-security-token", "t")], false),
            ("x-sdk-date", &[date, ("x-domain-id", "d")], false),
        ];
        for (signed, more, want) in table {
            let read = read(&sent(signed, more), now);
            assert_eq!(read.is_ok(), want, "{signed} {more:?}: {read:?}");
            let error = read.err().map(|error| error.code().clone());
            assert!(want || error == Some(Code::IncompleteSignature), "{signed} {more:?}");
        }
    }
}
