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
    Error::with_code(
        Code::IncompleteSignature,
        format!("The request signature does not conform to the standard: {why}."),
    )
}

impl Claim {
    /// Reads the Authorization header and checks what needs no secret: that
    /// all is there and signed, the date, the body's hash.
    ///
    /// # Errors
    /// The rows of the catalogue for signatures.
    pub(super) fn read(request: &HttpRequest, now: Timestamp) -> Result<Self> {
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
        let (Some(credential), Some(signed_headers), Some(signature)) =
            (credential, signed_headers, signature)
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
        if let Some((name, _)) = request
            .headers
            .iter()
            .find(|(name, _)| name.starts_with("x-acs-") && !signed.contains(name.as_str()))
        {
            return Err(incomplete(&format!("the header {name} is sent and not signed")));
        }
        let date = request.header("x-acs-date").and_then(Timestamp::parse);
        let off = date.map(|date| (now.seconds() - date.seconds()).abs());
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

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::Value;

    /// The requests that the official SDKs signed (AKIDEXAMPLE, `secret`), if
    /// the captures are beside the checkout.
    fn captured() -> Vec<(String, HttpRequest)> {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/reference/captures");
        let Ok(directory) = std::fs::read_dir(root) else {
            eprintln!("skipped: the captured requests are not beside this checkout");
            return Vec::new();
        };
        let mut requests = Vec::new();
        for file in directory.map(|file| file.unwrap().path()) {
            let name = file.file_name().unwrap().to_string_lossy().into_owned();
            if !name.starts_with("cap-") || name.contains("huawei") {
                continue;
            }
            let capture: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
            for (case, entry) in capture.as_object().unwrap() {
                for request in entry.get("reqs").and_then(Value::as_array).into_iter().flatten() {
                    let text =
                        |key: &str| request.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
                    let target = text("target");
                    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
                    let headers = request.get("headers").and_then(Value::as_array).unwrap();
                    let headers = headers
                        .iter()
                        .map(|pair| {
                            let part = |i: usize| pair.get(i).and_then(Value::as_str).unwrap().to_owned();
                            (part(0).to_lowercase(), part(1))
                        })
                        .collect();
                    let request = HttpRequest {
                        method: text("method"),
                        path: path.into(),
                        query: query.into(),
                        headers,
                        body: text("body").into_bytes(),
                    };
                    if request.header("authorization").is_some_and(|value| value.starts_with(ALGORITHM)) {
                        requests.push((format!("{name} {case}"), request));
                    }
                }
            }
        }
        requests
    }

    fn holds(request: &HttpRequest, secret: &str) -> std::result::Result<(), String> {
        let now = request.header("x-acs-date").and_then(Timestamp::parse).unwrap_or(Timestamp(0));
        Claim::read(request, now)
            .and_then(|claim| claim.verify(request, secret))
            .map_err(|error| error.code().text())
    }

    #[test]
    fn requests_of_the_official_sdks_verify_and_changed_ones_do_not() {
        let requests = captured();
        for (name, request) in &requests {
            assert_eq!(holds(request, "secret"), Ok(()), "{name}");
            assert!(holds(request, "Secret").is_err(), "{name}: wrong secret");
            let changed = |change: &dyn Fn(&mut HttpRequest)| {
                let mut request = request.clone();
                change(&mut request);
                holds(&request, "secret")
            };
            let header = |name: &'static str, value: &'static str| {
                move |request: &mut HttpRequest| {
                    request
                        .headers
                        .iter_mut()
                        .filter(|(n, _)| n == name)
                        .for_each(|(_, v)| *v = value.to_owned());
                }
            };
            assert!(changed(&|r| r.query.push_str("&Extra=1")).is_err(), "{name}: extra parameter");
            assert!(changed(&|r| r.body.push(b'x')).is_err(), "{name}: body");
            assert!(changed(&header("x-acs-action", "DeleteProject")).is_err(), "{name}: action");
            assert!(changed(&header("x-acs-signature-nonce", "other")).is_err(), "{name}: nonce");
            assert!(changed(&header("host", "example.com")).is_err(), "{name}: host");
            assert!(
                changed(&|r| r.headers.push(("x-acs-injected".into(), "1".into()))).is_err(),
                "{name}: unsigned x-acs header"
            );
            let late = Timestamp(
                Timestamp::parse(request.header("x-acs-date").unwrap()).unwrap().0 + 901 * 1_000_000_000,
            );
            assert!(Claim::read(request, late).is_err(), "{name}: stale date");
        }
        if !requests.is_empty() {
            assert!(requests.len() >= 40, "only {} captured requests were found", requests.len());
        }
    }

    #[test]
    fn what_we_sign_verifies() {
        let mut params = crate::operation::Params::new();
        params.insert("ProjectName".into(), Value::from("文 +*~"));
        let signed = super::super::sign_acs3("127.0.0.1:1", "GetProject", &params, "id", "s").unwrap();
        let request = HttpRequest {
            method: "POST".into(),
            path: "/".into(),
            headers: signed.headers,
            body: signed.body,
            ..HttpRequest::default()
        };
        assert_eq!(holds(&request, "s"), Ok(()));
        assert_eq!(holds(&request, "t"), Err("SignatureDoesNotMatch".into()));
    }
}
