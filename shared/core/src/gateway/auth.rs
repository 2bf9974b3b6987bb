//! Who calls: reads what a request claims, and holds it to the key.
//!
//! The order is the point. First what needs no key (all parts there, all that
//! matters signed, the date), then the key itself, then the signature in
//! constant time, and only then the first write: the nonce.

use subtle::ConstantTimeEq;

use super::{HttpRequest, acs3, rpc_v1, sdk_hmac};
use crate::context::Context;
use crate::error::{Code, Error, Result};
use crate::keys::{AccessKey, KeyKind};
use crate::model::Timestamp;

/// How far a client's clock may be off, in seconds, either way.
pub(super) const WINDOW_SECONDS: i64 = 15 * 60;

/// Characters of a nonce: it becomes part of a key of the store.
pub(super) const MAX_NONCE: usize = 128;

/// How long a signature without a nonce may come again: its date counts whole
/// seconds, so two equal requests of one second have the same one.
const SAME_SIGNATURE_SECONDS: i64 = 5;

/// What a request claims, before anything of it is verified.
#[derive(Debug)]
pub(super) struct Claim {
    pub(super) access_key_id: String,
    pub(super) nonce: Option<String>,
    pub(super) security_token: Option<String>,
    pub(super) proof: Proof,
}

/// What the claim rests on.
pub(super) enum Proof {
    /// A signature of `acs3.rs`.
    Acs3 { signed_headers: String, signature: Vec<u8> },
    /// A signature of `rpc_v1.rs`, over all parameters.
    RpcV1 { parameters: Vec<(String, String)>, signature: Vec<u8> },
    /// A signature of `sdk_hmac.rs`.
    SdkHmac { signed_headers: String, body_hash: String, signature: Vec<u8> },
    /// A token, which is shown as it is.
    Token(String),
}

/// A token is a secret.
impl std::fmt::Debug for Proof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Acs3 { .. } => "Acs3",
            Self::RpcV1 { .. } => "RpcV1",
            Self::SdkHmac { .. } => "SdkHmac",
            Self::Token(_) => "Token",
        })
    }
}

/// `IncompleteSignature`.
pub(super) fn incomplete(why: &str) -> Error {
    Error::with_code(
        Code::IncompleteSignature,
        format!("The request signature does not conform to the standard: {why}."),
    )
}

/// Holds a request's date to the window.
///
/// # Errors
/// `InvalidTimeStamp.Expired`.
pub(super) fn must_be_recent(what: &str, date: Option<Timestamp>, now: Timestamp) -> Result<()> {
    // Saturating: the date is a stranger's.
    let is_near =
        |date: Timestamp| now.seconds().saturating_sub(date.seconds()).saturating_abs() <= WINDOW_SECONDS;
    if date.is_some_and(is_near) {
        return Ok(());
    }
    Err(Error::with_code(
        Code::TimestampExpired,
        format!(
            "Specified time stamp or date value is expired: {what} must be within 15 minutes of this server's clock."
        ),
    ))
}

/// The claim of a bearer token, `{id}.{secret}`.
pub(super) fn token(token: &str) -> Claim {
    let id = token.split_once('.').map_or("", |(id, _)| id);
    Claim {
        access_key_id: id.to_owned(),
        nonce: None,
        security_token: None,
        proof: Proof::Token(token.to_owned()),
    }
}

/// The claim of a request to the IMM API, in any of the ways that its clients
/// have: ACS3, RPC v1, or a bearer token.
///
/// # Errors
/// The rows of the catalogue for signatures.
pub(super) fn imm(request: &HttpRequest, now: Timestamp) -> Result<Claim> {
    if let Some(claim) = imm_token(request) {
        return Ok(claim);
    }
    if rpc_v1::is_rpc_v1(request) {
        return rpc_v1::read(request, now);
    }
    acs3::read(request, now)
}

/// The claim of a request to the IMM API that shows a bearer token.
pub(super) fn imm_token(request: &HttpRequest) -> Option<Claim> {
    if request.header("authorization").is_some() {
        return None;
    }
    let bearer = request.header("x-acs-bearer-token").map(str::to_owned);
    let bearer = bearer.or_else(|| request.parameter("BearerToken"));
    bearer.filter(|token| !token.is_empty()).map(|bearer| token(&bearer))
}

fn not_found() -> Error {
    Error::with_code(Code::AccessKeyNotFound, "Specified access key is not found or is disabled.")
}

/// Whether there is a key of this id that signs requests.
///
/// # Errors
/// `InvalidAccessKeyId.NotFound`.
pub(super) async fn must_be_a_key(ctx: &Context, id: &str) -> Result<()> {
    let found = ctx.keys().find(&ctx.db, id).await?;
    found.filter(|key| key.kind() != KeyKind::Token).map(|_| ()).ok_or_else(not_found)
}

fn no_token() -> Error {
    Error::with_code(Code::InvalidBearerToken, "The bearer token is unknown, disabled or has ended.")
}

impl Claim {
    /// Whether the claim rests on a signature among the parameters.
    pub(super) fn is_rpc_v1(&self) -> bool {
        matches!(self.proof, Proof::RpcV1 { .. })
    }

    /// Holds the proof against one secret of the key.
    ///
    /// # Errors
    /// `SignatureDoesNotMatch`.
    pub(super) fn verify(&self, request: &HttpRequest, secret: &str) -> Result<()> {
        let (expected, given) = match &self.proof {
            Proof::Acs3 { signed_headers, signature } => {
                (acs3::signature(request, signed_headers, secret)?, signature)
            }
            Proof::RpcV1 { parameters, signature } => {
                (rpc_v1::signature(&request.method, parameters, secret)?, signature)
            }
            Proof::SdkHmac { signed_headers, body_hash, signature } => {
                (sdk_hmac::signature(request, signed_headers, body_hash, secret)?, signature)
            }
            Proof::Token(_) => return Err(no_token()),
        };
        if bool::from(expected.as_slice().ct_eq(given)) {
            return Ok(());
        }
        Err(Error::with_code(
            Code::SignatureDoesNotMatch,
            "Specified signature is not matched with our calculation.",
        ))
    }

    /// Whether the claim names a key that signs requests, which is all that can
    /// be known before a body that the signature covers.
    ///
    /// # Errors
    /// `InvalidAccessKeyId.NotFound`.
    pub(super) async fn must_name_a_key(&self, ctx: &Context) -> Result<()> {
        must_be_a_key(ctx, &self.access_key_id).await
    }

    /// Finds the key and holds the claim to it; gives who calls. The nonce is
    /// used up.
    ///
    /// # Errors
    /// The rows of the catalogue for keys, signatures and tokens.
    pub(super) async fn authenticate(self, ctx: &Context, request: &HttpRequest) -> Result<AccessKey> {
        let key = self.identify(ctx, request).await?;
        if let Some(nonce) = &self.nonce {
            let grace = match self.proof {
                Proof::SdkHmac { .. } => SAME_SIGNATURE_SECONDS,
                _ => 0,
            };
            if !ctx.db.use_nonce(&self.access_key_id, nonce, WINDOW_SECONDS, grace).await? {
                return Err(Error::with_code(
                    Code::SignatureNonceUsed,
                    "Specified signature nonce was used already.",
                ));
            }
        }
        Ok(key)
    }

    /// Finds the key and holds the claim to it, without a write: the nonce is
    /// not looked at.
    ///
    /// # Errors
    /// The rows of the catalogue for keys, signatures and tokens.
    pub(super) async fn identify(&self, ctx: &Context, request: &HttpRequest) -> Result<AccessKey> {
        let now = Timestamp::now();
        let found = ctx.keys().find(&ctx.db, &self.access_key_id).await?;
        if let Proof::Token(token) = &self.proof {
            // Whatever is wrong with a token is told alike.
            return found
                .filter(|key| key.kind() == KeyKind::Token && key.has_token(token) && !key.has_expired(now))
                .ok_or_else(no_token);
        }
        let key = found.filter(|key| key.kind() != KeyKind::Token).ok_or_else(not_found)?;
        let mut verified = Err(not_found());
        for secret in key.secrets(now) {
            verified = self.verify(request, secret);
            if verified.is_ok() {
                break;
            }
        }
        verified?;
        match (key.kind(), &self.security_token) {
            (KeyKind::Temporary, None) => {
                return Err(Error::with_code(
                    Code::MissingSecurityToken,
                    "SecurityToken is mandatory for a temporary access key.",
                ));
            }
            (KeyKind::Temporary, Some(token)) if key.has_token(token) => {}
            (_, Some(_)) => {
                return Err(Error::with_code(
                    Code::InvalidSecurityToken,
                    "Specified security token does not belong to the access key.",
                ));
            }
            (_, None) => {}
        }
        if key.has_expired(now) {
            return Err(Error::with_code(
                Code::SecurityTokenExpired,
                "Specified security token has expired.",
            ));
        }
        Ok(key)
    }
}
