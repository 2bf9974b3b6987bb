//! The front door: decode, authenticate, authorise, dispatch, encode. Knows
//! nothing of the transport: a function URL and the local server both hand it
//! an [`HttpRequest`].
//!
//! Invariant: apart from the access key itself nothing is read from the store,
//! and nothing written, before the signature holds.

mod acs3;
mod encoding;
mod http;
mod keys;
mod policy;
mod sign;

use std::sync::Arc;
use std::time::Instant;

use futures::future::BoxFuture;
use serde_json::{Value, json};

pub use http::{HttpRequest, HttpResponse};
pub use keys::{AccessKey, KeyStore, SecretsManagerKeys, StaticKeys};
pub use policy::{Access, Policy, Scope};
pub use sign::{SignedRequest, sign_acs3};

use crate::context::Context;
use crate::error::{Code, Error, Result};
use crate::model::{Timestamp, request_id};
use crate::operation::{Call, Params, operation};

/// The API version that is served.
pub const VERSION: &str = "2020-09-30";
/// Bytes of a body that are accepted: what a function URL passes on.
const MAX_BODY: usize = 6 * 1024 * 1024;

/// Who calls.
#[derive(Debug, Clone)]
pub struct Principal {
    /// The access key's id.
    pub access_key_id: String,
    /// What it may do.
    pub policy: Policy,
}

/// The front door.
#[derive(Clone)]
pub struct Gateway {
    ctx: Context,
    keys: Arc<dyn KeyStore>,
}

impl Gateway {
    /// A gateway to the operations of a context, with its access keys.
    pub fn new(ctx: Context, keys: Arc<dyn KeyStore>) -> Self {
        Self { ctx, keys }
    }

    /// Answers a request. Never fails: what goes wrong is in the answer.
    pub async fn handle(&self, request: HttpRequest) -> HttpResponse {
        let started = Instant::now();
        let id = request_id();
        if request.method == "GET" && request.path == "/healthz" {
            return HttpResponse::json(
                200,
                &json!({"status": "ok", "version": env!("CARGO_PKG_VERSION")}),
                &id,
            );
        }
        if let Some(answer) = image_search(&request, &id) {
            return answer;
        }
        let action = request.action().unwrap_or_default();
        let call: BoxFuture<'_, Result<Params>> = Box::pin(self.call(&request, &id));
        let result = call.await;
        let (status, body) = match &result {
            Ok(reply) => (200, Value::Object(reply.clone())),
            Err(error) => (error.code().status(), error_body(error, &id, &self.ctx.config.region)),
        };
        let micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        match &result {
            Ok(_) => tracing::info!(request_id = %id, action, status, micros, "request"),
            Err(error) if status >= 500 => {
                tracing::error!(request_id = %id, action, status, micros, error = %error.internal_text(), "request");
            }
            Err(error) => {
                tracing::info!(request_id = %id, action, status, micros, error = %error.internal_text(), "request");
            }
        }
        HttpResponse::json(status, &body, &id)
    }

    async fn call(&self, request: &HttpRequest, id: &str) -> Result<Params> {
        if request.body.len() > MAX_BODY {
            return Err(Error::with_code(
                Code::RequestTooLarge,
                format!("A request may have a body of at most {MAX_BODY} bytes."),
            ));
        }
        if request.method != "POST" && request.method != "GET" {
            return Err(Error::with_code(
                Code::UnsupportedHttpMethod,
                "This method is not supported; use POST.",
            ));
        }
        let principal = self.authenticate(request).await?;
        let action = request.action().ok_or_else(|| {
            Error::with_code(Code::Missing("Action".into()), "Action is mandatory for this action.")
        })?;
        if request.version().is_some_and(|version| version != VERSION) {
            return Err(Error::with_code(
                Code::InvalidVersion,
                format!("Specified parameter Version is not valid. This service has version {VERSION}."),
            ));
        }
        let row = operation(&action).ok_or_else(|| {
            Error::with_code(
                Code::ActionNotFound,
                "Specified api is not found, please check your url and method.",
            )
        })?;
        let params = encoding::params(request)?;
        let resource = row.access.resource(&self.ctx.config, &params);
        if !principal.policy.allows(row.access.action, &resource) {
            tracing::warn!(
                request_id = id, access_key_id = %principal.access_key_id,
                action = row.access.action, %resource, "denied"
            );
            return Err(Error::with_code(
                Code::NoPermission,
                format!("You are not authorized to do {} on {resource}.", row.access.action),
            ));
        }
        row.run(&self.ctx, &Call { request_id: id.to_owned() }, params).await
    }

    async fn authenticate(&self, request: &HttpRequest) -> Result<Principal> {
        let claim = acs3::Claim::read(request, Timestamp::now())?;
        let key = self.keys.find(&claim.access_key_id).await?;
        let Some(key) = key else {
            return Err(Error::with_code(
                Code::AccessKeyNotFound,
                "Specified access key is not found or is disabled.",
            ));
        };
        claim.verify(request, &key.secret)?;
        if !self.ctx.db.use_nonce(&claim.access_key_id, &claim.nonce, acs3::WINDOW_SECONDS).await? {
            return Err(Error::with_code(
                Code::SignatureNonceUsed,
                "Specified signature nonce was used already.",
            ));
        }
        Ok(Principal { access_key_id: claim.access_key_id, policy: key.policy })
    }
}

/// The paths of ImageSearch are reserved; its operations are not there yet.
fn image_search(request: &HttpRequest, id: &str) -> Option<HttpResponse> {
    let is_there = ["/v1", "/v2"].iter().any(|root| {
        request.path == *root || request.path.strip_prefix(root).is_some_and(|rest| rest.starts_with('/'))
    });
    is_there.then(|| {
        let body =
            json!({"error_code": "IS.0010", "error_msg": "ImageSearch is not available in this version."});
        HttpResponse::json(404, &body, id)
    })
}

/// The body of an error, in the shape that IMM documents.
fn error_body(error: &Error, request_id: &str, region: &str) -> Value {
    let code = error.code().text();
    json!({
        "RequestId": request_id,
        "HostId": format!("imm.{region}.mediadex"),
        "Code": code,
        "Message": error.message(),
        "Recommend": format!("https://api.alibabacloud.com/troubleshoot?q={code}&product=imm"),
    })
}
