//! RPC signatures, version 1: HMAC-SHA1 over the parameters, which old clients
//! and those with `signature_algorithm='v2'` send in the query string or form.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha1::Sha1;

use super::HttpRequest;
use super::auth::{Claim, MAX_NONCE, Proof, incomplete, must_be_recent};
use super::encoding::{canonical_pairs, encode, first, form, pairs};
use crate::error::{Code, Error, Result};
use crate::model::Timestamp;
use crate::operation::Params;

/// Headers of the API's own that such requests carry. Nothing signs them, so
/// none of them may say anything that the parameters do not.
const KNOWN_HEADERS: [&str; 4] =
    ["x-acs-credentials-provider", "x-acs-signature-nonce", "x-acs-retry-attempts", "x-acs-retry-delay"];

/// Parameters of the signature's own. They are none of the operation's, although
/// one of them has the name of a parameter of the operations of access keys.
const OF_THE_SIGNATURE: [&str; 10] = [
    "AccessKeyId",
    "Action",
    "Format",
    "SecurityToken",
    "Signature",
    "SignatureMethod",
    "SignatureNonce",
    "SignatureVersion",
    "Timestamp",
    "Version",
];

/// The name under which such a request names an access key for its operation, as
/// RAM's API does.
const OTHER_KEY: &str = "UserAccessKeyId";

/// Leaves the operation's own parameters of those that were sent.
pub(super) fn take_out_of(params: &mut Params) {
    for name in OF_THE_SIGNATURE {
        params.remove(name);
    }
    if let Some(id) = params.remove(OTHER_KEY) {
        params.insert("AccessKeyId".into(), id);
    }
}

/// All parameters that the signature is made over: those of the query string
/// and of a form.
fn parameters(request: &HttpRequest) -> Result<Vec<(String, String)>> {
    let mut all = pairs(&request.query);
    if !request.body.is_empty() {
        // Any other body would not be signed at all.
        let body = form(request).ok_or_else(|| {
            incomplete("with signature version 1.0 a body must be application/x-www-form-urlencoded")
        })?;
        all.extend(pairs(&body));
    }
    Ok(all)
}

/// Whether a request is signed in this way.
pub(super) fn is_rpc_v1(request: &HttpRequest) -> bool {
    let is_signature = |key: &str| key == "Signature" || key == "AccessKeyId";
    request.header("authorization").is_none()
        && (first(&request.query, is_signature).is_some()
            || form(request).is_some_and(|form| first(&form, is_signature).is_some()))
}

/// Checks what the query string has of the signature, before a form is read:
/// the date and the key. Gives the key's id where it is there.
///
/// # Errors
/// `InvalidTimeStamp.Expired`.
pub(super) fn read_head(head: &HttpRequest, now: Timestamp) -> Result<Option<String>> {
    if let Some(date) = first(&head.query, |key| key == "Timestamp") {
        must_be_recent("Timestamp", Timestamp::parse(&date), now)?;
    }
    Ok(first(&head.query, |key| key == "AccessKeyId"))
}

/// Reads the signature's parameters and checks what needs no secret.
///
/// # Errors
/// The rows of the catalogue for signatures.
pub(super) fn read(request: &HttpRequest, now: Timestamp) -> Result<Claim> {
    let all = parameters(request)?;
    let parameter = |name: &str| {
        let mut values = all.iter().filter(|(key, _)| key == name).map(|(_, value)| value.clone());
        match (values.next(), values.next()) {
            (Some(value), None) if !value.is_empty() => Ok(value),
            (Some(_), Some(_)) => Err(incomplete(&format!("the parameter {name} is there twice"))),
            _ => Err(incomplete(&format!("the parameter {name} must be sent"))),
        }
    };
    let (method, version) = (parameter("SignatureMethod")?, parameter("SignatureVersion")?);
    if method != "HMAC-SHA1" || version != "1.0" {
        return Err(Error::with_code(
            Code::UnsupportedSignature,
            "The signature method is not supported; use HMAC-SHA1 with version 1.0, or ACS3-HMAC-SHA256.",
        ));
    }
    let action = parameter("Action")?;
    for (name, value) in &request.headers {
        let is_right = match name.as_str() {
            "x-acs-action" => *value == action,
            "x-acs-version" => parameter("Version").is_ok_and(|version| version == *value),
            name => !name.starts_with("x-acs-") || KNOWN_HEADERS.contains(&name),
        };
        if !is_right {
            return Err(incomplete(&format!("the header {name} is not signed and says something else")));
        }
    }
    must_be_recent("Timestamp", Timestamp::parse(&parameter("Timestamp")?), now)?;
    let nonce = parameter("SignatureNonce")?;
    if nonce.len() > MAX_NONCE {
        return Err(incomplete(&format!("SignatureNonce must have 1 to {MAX_NONCE} characters")));
    }
    let signature =
        STANDARD.decode(parameter("Signature")?).map_err(|_| incomplete("Signature is not base64"))?;
    let (access_key_id, security_token) = (parameter("AccessKeyId")?, parameter("SecurityToken").ok());
    Ok(Claim {
        access_key_id,
        nonce: Some(nonce),
        security_token,
        proof: Proof::RpcV1 { parameters: all, signature },
    })
}

/// The signature of a request with these parameters.
///
/// # Errors
/// None for any secret.
pub(super) fn signature(method: &str, parameters: &[(String, String)], secret: &str) -> Result<Vec<u8>> {
    let signed = parameters.iter().filter(|(key, _)| key != "Signature");
    let canonical = canonical_pairs(signed.map(|(key, value)| (key.as_str(), value.as_str())));
    let to_sign = format!("{method}&%2F&{}", encode(&canonical));
    let mut mac = Hmac::<Sha1>::new_from_slice(format!("{secret}&").as_bytes()).map_err(Error::internal)?;
    mac.update(to_sign.as_bytes());
    Ok(mac.finalize().into_bytes().to_vec())
}
