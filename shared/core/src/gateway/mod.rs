//! The front door: decode, authenticate, authorise, dispatch, encode. Knows
//! nothing of the transport: a function URL and the local server both hand it
//! an [`HttpRequest`].
//!
//! It has three doors, each with its own way to sign and its own shape of
//! errors, over one catalogue of operations and one of errors: IMM's RPC
//! (`POST /`), ImageSearch's REST (`/v1`, `/v2`, `image_search.rs`) and one for
//! people and scripts (`/api/<Operation>`, `native.rs`).
//!
//! Invariant: apart from the access key itself nothing is read from the store,
//! and nothing written, before the signature holds.

mod acs3;
mod auth;
mod encoding;
mod http;
mod image_search;
mod native;
mod openapi;
mod precheck;
mod rate;
mod remote;
mod rpc_v1;
mod sdk_hmac;
mod sign;

use std::sync::Arc;
use std::time::Instant;

use serde_json::{Value, json};

pub use crate::keys::Access;
pub use http::{HttpRequest, HttpResponse};
pub use openapi::document as openapi_document;
pub use precheck::Precheck;
pub use sign::{Credentials, SignedRequest, sign_acs3};

use crate::context::Context;
use crate::error::{Code, Denial, Error, Result};
use crate::keys::{AccessKey, KeyKind};
use crate::model::{Timestamp, request_id};
use crate::operation::{Call, Mode, Params, Row, is_of_imm, operation, text_of};

/// The API version that is served.
pub const VERSION: &str = "2020-09-30";
/// Bytes of a body that are accepted: what a function URL passes on.
pub const MAX_BODY: usize = 6 * 1024 * 1024;
/// Bytes of a URL that are accepted: what HTTP servers read at most.
const MAX_URL: usize = 64 * 1024 - 2;

/// Whether the service is up, for anybody.
const HEALTH: &str = "/healthz";
/// The API's description, for anybody.
const OPENAPI: &str = "/openapi.json";

/// Characters of an action or path that the log shows.
const MAX_LOGGED: usize = 200;

/// Which door a request came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Door {
    Imm,
    ImageSearch,
    Native,
}

impl Door {
    fn of(path: &str) -> Self {
        if path.starts_with(native::ROOT) {
            Self::Native
        } else if image_search::is_image_search(path) {
            Self::ImageSearch
        } else {
            Self::Imm
        }
    }
}

/// The front door.
#[derive(Clone)]
pub struct Gateway {
    ctx: Context,
    limiter: Arc<rate::Limiter>,
}

/// The row of an operation, or why there is none.
///
/// # Errors
/// `InvalidAction.NotFound`; `OperationNotSupported` for one that IMM has.
fn row_of(name: &str) -> Result<&'static Row> {
    operation(name).ok_or_else(|| {
        if is_of_imm(name) {
            return Error::with_code(
                Code::OperationNotSupported,
                format!("The operation {name} of IMM is not available in this version of mediadex."),
            );
        }
        Error::with_code(
            Code::ActionNotFound,
            "Specified api is not found, please check your url and method.",
        )
    })
}

impl Gateway {
    /// A gateway to the operations of a context, with its access keys.
    pub fn new(ctx: Context) -> Self {
        Self { ctx, limiter: Arc::default() }
    }

    /// The same gateway, with its limits, whose work another context counts.
    #[must_use]
    pub fn within(&self, ctx: Context) -> Self {
        Self { ctx, limiter: Arc::clone(&self.limiter) }
    }

    /// Answers a request. Never fails: what goes wrong is in the answer.
    pub async fn handle(&self, request: HttpRequest) -> HttpResponse {
        let started = Instant::now();
        let id = request_id();
        if is_public(&request) {
            if request.path == OPENAPI {
                return HttpResponse::json(200, openapi::document(), &id);
            }
            let body = json!({"status": "ok", "version": env!("CARGO_PKG_VERSION")});
            return HttpResponse::json(200, &body, &id);
        }
        let door = Door::of(&request.path);
        // For the log: who it was, once that is known.
        let mut caller = String::new();
        // Boxed: the operations' futures are large.
        let answer = Box::pin(self.answer(door, &request, &id, &mut caller)).await;
        let action = shown_action(door, &request);
        match answer {
            Ok(response) => {
                let (status, micros) = (response.status, micros(started));
                tracing::info!(request_id = %id, action, caller, status, micros, "request");
                response
            }
            Err(error) => {
                let response = self.render(door, &error, &id);
                log_failure(&id, &action, &caller, started, &response, &error);
                response
            }
        }
    }

    /// Answers a request that the transport could not read as a whole, such as
    /// one whose body is too large.
    pub fn refuse(&self, path: &str, error: &Error) -> HttpResponse {
        let id = request_id();
        let shown: String = path.chars().take(MAX_LOGGED).collect();
        tracing::info!(request_id = %id, path = shown, error = %error.internal_text(), "refused");
        self.render(Door::of(path), error, &id)
    }

    async fn answer(
        &self,
        door: Door,
        request: &HttpRequest,
        id: &str,
        caller: &mut String,
    ) -> Result<HttpResponse> {
        if request.body.len() > MAX_BODY {
            return Err(body_too_large(MAX_BODY));
        }
        must_be_short(request)?;
        match door {
            Door::Imm => self.imm(request, id, caller).await,
            Door::ImageSearch => self.image_search(request, id, caller).await,
            Door::Native => self.native(request, id, caller).await,
        }
    }

    async fn imm(&self, request: &HttpRequest, id: &str, caller: &mut String) -> Result<HttpResponse> {
        must_be_an_rpc_method(request)?;
        let claim = auth::imm(request, Timestamp::now())?;
        let is_rpc_v1 = claim.is_rpc_v1();
        let key = claim.authenticate(&self.ctx, request).await?;
        key.owner().clone_into(caller);
        let action = request.action().ok_or_else(|| Error::missing("Action"))?;
        if request.version().is_some_and(|version| version != VERSION) {
            return Err(Error::with_code(
                Code::InvalidVersion,
                format!("Specified parameter Version is not valid. This service has version {VERSION}."),
            ));
        }
        let row = row_of(&action)?;
        let mut params = encoding::params(request)?;
        if is_rpc_v1 {
            rpc_v1::take_out_of(&mut params);
        }
        let reply = self.run(row, params, &key, id).await?;
        Ok(HttpResponse::json(200, &Value::Object(reply), id))
    }

    /// Runs an operation for a key that may: what all doors to them share.
    async fn run(&self, row: &Row, params: Params, key: &AccessKey, id: &str) -> Result<Params> {
        self.limit_key(key).await?;
        let resource = row.access.resource(&self.ctx.config, &params, key.id());
        self.authorise(key, row.access.action, &resource, id)?;
        let project = params.get("ProjectName").and_then(text_of);
        let project = project.filter(|name| crate::model::check_name("ProjectName", name).is_ok());
        if let Some(project) = &project {
            let limit = self.limiter.project_limit(&self.ctx.db, project).await;
            let whose = format!("the project {project}");
            self.limiter.admit(&self.ctx.db, &format!("PROJECT#{project}"), &whose, limit).await?;
        }
        let call = Call { request_id: id.to_owned(), caller: Some(key.id().to_owned()) };
        if let (Mode::Remote, Some(project)) = (row.mode, &project) {
            // Its function may read no table.
            self.ctx.db.project(project).await?;
        }
        let reply = match (row.mode, &self.ctx.config.function_prefix) {
            (Mode::Remote, Some(prefix)) => remote::invoke(&self.ctx, prefix, row, &call, params).await,
            _ => row.run(&self.ctx, &call, params).await,
        };
        if let ("UpdateProject" | "DeleteProject", Some(project)) = (row.name, project) {
            // Its limit may be another one now.
            self.limiter.forget_project(&project);
        }
        reply
    }

    /// Whether a key may do an action; a refusal is written to the audit.
    fn authorise(&self, key: &AccessKey, action: &str, resource: &str, id: &str) -> Result<()> {
        if key.allows(action, resource) {
            return Ok(());
        }
        tracing::warn!(
            target: "mediadex::audit",
            request_id = id, access_key_id = key.id(), owner = key.owner(), action, resource, "denied"
        );
        let principal = match key.kind() {
            KeyKind::Permanent => "AccessKey",
            KeyKind::Temporary => "TemporaryKey",
            KeyKind::Token => "Token",
        };
        let kind = if key.denies(action, resource) { "ExplicitDeny" } else { "ImplicitDeny" };
        Err(Error::denied(Denial {
            auth_action: action.to_owned(),
            auth_resource: resource.to_owned(),
            auth_principal_display_name: key.owner().to_owned(),
            auth_principal_owner_id: self.ctx.config.account_id.clone(),
            auth_principal_type: principal.to_owned(),
            no_permission_type: kind.to_owned(),
            policy_type: "AccessKeyPolicy".to_owned(),
        }))
    }

    async fn limit_key(&self, key: &AccessKey) -> Result<()> {
        let limit = key.queries_per_second();
        let whose = format!("the access key {}", key.owner());
        self.limiter.admit(&self.ctx.db, &format!("KEY#{}", key.owner()), &whose, limit).await
    }

    fn render(&self, door: Door, error: &Error, id: &str) -> HttpResponse {
        let mut response = match door {
            Door::ImageSearch => image_search::render(error, id),
            Door::Imm | Door::Native => {
                let body = error_body(error, id, &self.ctx.config.region);
                let status = if door == Door::Native { native::status } else { Code::status };
                HttpResponse::json(status(error.code()), &body, id)
            }
        };
        if let Some(millis) = error.retry_after_millis() {
            // The first is what the official SDKs wait for, the second HTTP's.
            response = response
                .with_header("x-acs-retry-after", millis.to_string())
                .with_header("retry-after", millis.div_ceil(1000).to_string());
        }
        match response.status {
            401 if door == Door::Native => response.with_header("www-authenticate", "Bearer"),
            405 if door == Door::Native => response.with_header("allow", "POST"),
            405 if door == Door::Imm => response.with_header("allow", "GET, POST"),
            _ => response,
        }
    }
}

/// Holds a request's signature to a secret as every call is, without a key
/// store and without remembering its nonce: for benchmarks and fuzzing.
///
/// # Errors
/// The rows of the catalogue for signatures.
pub fn verify_signature(request: &HttpRequest, secret: &str, now: Timestamp) -> Result<()> {
    let claim = match Door::of(&request.path) {
        Door::Imm => auth::imm(request, now)?,
        Door::ImageSearch => sdk_hmac::read(request, now)?,
        Door::Native => auth::token(request.header("authorization").unwrap_or_default()),
    };
    claim.verify(request, secret)
}

/// Reads what a request asks for and with which parameters, verified or not:
/// for fuzzing, since only signed requests come that far.
///
/// # Errors
/// Those of paths and bodies.
pub fn read_request(request: &HttpRequest) -> Result<(String, Params)> {
    match Door::of(&request.path) {
        Door::Imm => Ok((request.action().unwrap_or_default(), encoding::params(request)?)),
        Door::ImageSearch => Ok((image_search::describe(request)?, Params::new())),
        Door::Native => {
            let name = request.path.strip_prefix(native::ROOT).unwrap_or_default();
            Ok((name.to_owned(), encoding::json_object(&request.body)?))
        }
    }
}

/// What is answered to anybody, and has no body.
fn is_public(request: &HttpRequest) -> bool {
    request.method == "GET" && (request.path == HEALTH || request.path == OPENAPI)
}

fn must_be_short(request: &HttpRequest) -> Result<()> {
    if request.path.len() + request.query.len() > MAX_URL { Err(url_too_long()) } else { Ok(()) }
}

fn must_be_an_rpc_method(request: &HttpRequest) -> Result<()> {
    match request.method.as_str() {
        "POST" | "GET" => Ok(()),
        _ => Err(Error::with_code(Code::UnsupportedHttpMethod, "This method is not supported; use POST.")),
    }
}

/// What a request asks for, as the log shows it. A stranger chose it: not more
/// of it than a line can bear.
fn shown_action(door: Door, request: &HttpRequest) -> String {
    let action = match door {
        Door::Imm => request.action().unwrap_or_default(),
        Door::Native | Door::ImageSearch => format!("{} {}", request.method, request.path),
    };
    action.chars().take(MAX_LOGGED).collect()
}

fn log_failure(
    id: &str,
    action: &str,
    caller: &str,
    started: Instant,
    response: &HttpResponse,
    error: &Error,
) {
    let (status, error, micros) = (response.status, error.internal_text(), micros(started));
    if status >= 500 {
        tracing::error!(request_id = %id, action, caller, status, micros, error, "request");
    } else {
        tracing::info!(request_id = %id, action, caller, status, micros, error, "request");
    }
}

fn micros(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// `RequestTooLarge`, where a body may have `max` bytes.
pub fn body_too_large(max: usize) -> Error {
    Error::with_code(Code::RequestTooLarge, format!("A request may have a body of at most {max} bytes."))
}

/// `RequestUriTooLong`.
pub fn url_too_long() -> Error {
    Error::with_code(
        Code::RequestUriTooLong,
        format!(
            "A URL may have at most {MAX_URL} bytes; send the parameters in a form or JSON body, \
             or fewer files in a call."
        ),
    )
}

/// The body of an error, in the shape that IMM documents.
fn error_body(error: &Error, request_id: &str, region: &str) -> Value {
    let code = error.code().text();
    let mut body = json!({
        "RequestId": request_id,
        "HostId": format!("imm.{region}.mediadex"),
        "Code": code,
        "Message": error.message(),
        "Recommend": format!("https://api.alibabacloud.com/troubleshoot?q={code}&product=imm"),
    });
    if let (Some(body), Some(denial)) = (body.as_object_mut(), error.denial()) {
        body.insert("AccessDeniedDetail".into(), json!(denial));
    }
    body
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `MEDIADEX_GATEWAY_CASES=1000000` makes more of it.
    fn cases() -> u32 {
        let asked = std::env::var("MEDIADEX_GATEWAY_CASES").ok();
        asked.and_then(|number| number.parse().ok()).unwrap_or(20_000)
    }

    /// Something that the readers look at, or nearly.
    fn word() -> impl Strategy<Value = String> {
        prop_oneof![
            Just("ACS3-HMAC-SHA256 Credential=a,SignedHeaders=host;x-acs-date,Signature=00".to_owned()),
            Just("SDK-HMAC-SHA256 Access=a, SignedHeaders=host;x-sdk-date, Signature=0".to_owned()),
            Just("Bearer mdt_a.b".to_owned()),
            Just("2026-11-21T20:31:33Z".to_owned()),
            Just("20261121T203133Z".to_owned()),
            Just("9999-99-99T99:99:99Z".to_owned()),
            Just("application/json".to_owned()),
            Just("application/x-www-form-urlencoded".to_owned()),
            Just("{\"auth\":{\"identity\":{\"hw_ak_sk\":{}}}}".to_owned()),
            Just("HMAC-SHA1".to_owned()),
            "[ -~]{0,40}",
            "\\PC{0,20}",
            "(%[0-9a-fA-F]{0,2}|[+&=;,/]){0,20}",
        ]
    }

    fn header() -> impl Strategy<Value = (String, String)> {
        let name = prop_oneof![
            Just("authorization"),
            Just("host"),
            Just("x-acs-date"),
            Just("x-acs-action"),
            Just("x-acs-version"),
            Just("x-acs-signature-nonce"),
            Just("x-acs-content-sha256"),
            Just("x-acs-bearer-token"),
            Just("x-sdk-date"),
            Just("x-auth-token"),
            Just("content-type"),
            Just("x-other"),
        ];
        (name.prop_map(str::to_owned), word())
    }

    fn query() -> impl Strategy<Value = String> {
        let key = prop_oneof![
            Just("Signature"),
            Just("AccessKeyId"),
            Just("SignatureMethod"),
            Just("SignatureVersion"),
            Just("SignatureNonce"),
            Just("Timestamp"),
            Just("Action"),
            Just("BearerToken"),
            Just("ProjectName"),
        ];
        proptest::collection::vec((key, word()), 0..10).prop_map(|pairs| {
            let pairs: Vec<String> = pairs.into_iter().map(|(key, value)| format!("{key}={value}")).collect();
            pairs.join("&")
        })
    }

    fn path() -> impl Strategy<Value = String> {
        prop_oneof![
            Just("/".to_owned()),
            Just("/v1/p/service".to_owned()),
            Just("/v3/auth/tokens".to_owned()),
            Just("/api/GetProject".to_owned()),
            "/v[12](/[a-z%{}]{0,9}){0,6}",
            "\\PC{0,20}",
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(cases()))]

        #[test]
        fn no_request_makes_the_readers_panic_or_is_accepted(
            method in "(GET|POST|DELETE|[a-z]{0,3})",
            path in path(),
            query in query(),
            headers in proptest::collection::vec(header(), 0..12),
            body in prop_oneof![word().prop_map(String::into_bytes), proptest::collection::vec(any::<u8>(), 0..40)],
            now in prop_oneof![Just(1_795_293_093_000_000_000), any::<i64>()],
        ) {
            let request = HttpRequest { method, path, query, headers, body };
            prop_assert!(verify_signature(&request, "secret", Timestamp(now)).is_err());
            let _ = read_request(&request);
        }
    }
}
