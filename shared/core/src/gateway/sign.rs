//! Signing requests with ACS3-HMAC-SHA256, for our own command line and tests.

use sha2::{Digest, Sha256};

use super::acs3::{ALGORITHM, signature};
use super::encoding::encode;
use super::{HttpRequest, VERSION};
use crate::error::{Error, Result};
use crate::operation::Params;

/// A request that is ready to be sent.
#[derive(Debug, Clone)]
pub struct SignedRequest {
    /// Path and query.
    pub target: String,
    /// The headers, `host` among them.
    pub headers: Vec<(String, String)>,
    /// The body: all parameters as JSON.
    pub body: Vec<u8>,
}

/// As the gateway takes it.
impl From<SignedRequest> for HttpRequest {
    fn from(signed: SignedRequest) -> Self {
        Self {
            method: "POST".into(),
            path: signed.target,
            query: String::new(),
            headers: signed.headers,
            body: signed.body,
        }
    }
}

/// What a request is signed with.
#[derive(Clone, Copy)]
pub struct Credentials<'a> {
    /// The access key's id.
    pub access_key_id: &'a str,
    /// Its secret.
    pub secret: &'a str,
    /// The security token of a temporary key.
    pub security_token: Option<&'a str>,
}

impl<'a> Credentials<'a> {
    /// Those of a permanent key.
    pub fn new(access_key_id: &'a str, secret: &'a str) -> Self {
        Self { access_key_id, secret, security_token: None }
    }
}

/// Signs a call of an operation with its parameters in a JSON body.
///
/// # Errors
/// `InternalError` when the parameters cannot be encoded.
pub fn sign_acs3(
    host: &str,
    action: &str,
    params: &Params,
    credentials: Credentials<'_>,
) -> Result<SignedRequest> {
    let body = serde_json::to_vec(params).map_err(Error::internal)?;
    let date = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let nonce = uuid::Uuid::new_v4().simple().to_string();
    let mut headers: Vec<(String, String)> = [
        ("accept", "application/json"),
        ("content-type", "application/json"),
        ("host", host),
        ("x-acs-action", action),
        ("x-acs-content-sha256", &hex::encode(Sha256::digest(&body))),
        ("x-acs-date", &date),
        ("x-acs-signature-nonce", &nonce),
        ("x-acs-version", VERSION),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec();
    if let Some(token) = credentials.security_token {
        headers.push(("x-acs-accesskey-id".into(), credentials.access_key_id.into()));
        headers.push(("x-acs-security-token".into(), token.into()));
        headers.sort();
    }
    let signed: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
    let signed = signed.join(";");
    let request = HttpRequest {
        method: "POST".into(),
        path: "/".into(),
        query: String::new(),
        headers: headers.clone(),
        body: body.clone(),
    };
    let signature = hex::encode(signature(&request, &signed, credentials.secret)?);
    headers.push((
        "authorization".into(),
        format!(
            "{ALGORITHM} Credential={},SignedHeaders={signed},Signature={signature}",
            encode(credentials.access_key_id)
        ),
    ));
    Ok(SignedRequest { target: "/".into(), headers, body })
}
