//! The door of ImageSearch: REST paths, errors as Huawei Cloud's SDKs read them.
//!
//! Requests are verified by their signature or token, authorised and routed; the
//! operations themselves are not there yet and say so.

use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::{Gateway, HttpRequest, HttpResponse, MAX_BODY, Precheck, auth, encoding, sdk_hmac};
use crate::error::{Code, Error, Result};
use crate::keys::{AccessKey, KeyKind};
use crate::model::Timestamp;
use crate::operation::{Call, issue_token};

/// Seconds that a token of the token call is taken: a day, as IAM's are.
const TOKEN_SECONDS: i64 = 24 * 3600;
/// Bytes of the body of a token call: far more than a key and its secret need.
const MAX_TOKEN_BODY: usize = 64 * 1024;
/// The path of the token call, as IAM has it.
const TOKENS: &str = "/v3/auth/tokens";

/// What a path and method ask for.
#[derive(Debug, PartialEq, Eq)]
struct Route {
    /// The operation, as the SDKs name it.
    operation: &'static str,
    project: String,
    /// Empty for the creation of one.
    instance: String,
}

/// Whether a path belongs to this door.
pub(super) fn is_image_search(path: &str) -> bool {
    path == TOKENS
        || ["/v1", "/v2"]
            .iter()
            .any(|root| path == *root || path.strip_prefix(root).is_some_and(|rest| rest.starts_with('/')))
}

fn fault(code: Code, message: impl Into<String>) -> Error {
    Error::with_code(code, message)
}

/// Reads a path; each part is decoded after the path is split.
fn route(method: &str, path: &str) -> Result<Route> {
    let parts: Vec<String> = path
        .trim_matches('/')
        .split('/')
        .map(|part| percent_decode_str(part).decode_utf8_lossy().into_owned())
        .collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let known: (&[(&str, &'static str)], &str, &str) = match parts.as_slice() {
        ["v1", project, "service"] => (&[("POST", "CreateInstance")], project, ""),
        ["v1", project, "service", name] => {
            (&[("GET", "QueryInstance"), ("DELETE", "DeleteInstance")], project, name)
        }
        ["v1", project, name, "image"] => {
            (&[("POST", "AddPicture"), ("DELETE", "DeletePicture"), ("PUT", "ModifyPicture")], project, name)
        }
        ["v1", project, name, "image", "search"] => (&[("POST", "SearchPicture")], project, name),
        ["v1", project, name, "image", "check"] => (&[("POST", "CheckPicture")], project, name),
        ["v2", project, "mms", name, "data", "add"] => (&[("POST", "RunAddData")], project, name),
        ["v2", project, "mms", name, "data", "check"] => (&[("POST", "RunCheckData")], project, name),
        ["v2", project, "mms", name, "data", "delete"] => (&[("POST", "RunDeleteData")], project, name),
        ["v2", project, "mms", name, "data", "update"] => (&[("POST", "RunUpdateData")], project, name),
        ["v2", project, "mms", name, "search"] => (&[("POST", "RunSearch")], project, name),
        _ => return Err(fault(Code::ActionNotFound, "The API does not exist.")),
    };
    let (operations, project, instance) = known;
    let operation = operations.iter().find(|(known, _)| *known == method).map(|(_, operation)| *operation);
    let operation = operation
        .ok_or_else(|| fault(Code::UnsupportedHttpMethod, "The method is not allowed for this path."))?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if project.is_empty() || project.len() > 64 || !project.chars().all(is_name) {
        return Err(fault(
            Code::Invalid("project_id".into()),
            "The project id must have 1 to 64 characters of A-Z, a-z, 0-9, - and _.",
        ));
    }
    Ok(Route { operation, project: project.to_owned(), instance: instance.to_owned() })
}

/// The status and the code that these clients know for a row of the catalogue.
fn status_and_code(code: &Code) -> (u16, &'static str) {
    match code {
        Code::MissingBearerToken => (401, "IS.0013"),
        Code::InvalidBearerToken => (401, "IS.0004"),
        Code::MissingAccessKeyId
        | Code::IncompleteSignature
        | Code::AccessKeyNotFound
        | Code::SignatureDoesNotMatch
        | Code::TimestampExpired
        | Code::SignatureNonceUsed
        | Code::UnsupportedSignature
        | Code::MissingSecurityToken
        | Code::InvalidSecurityToken
        | Code::SecurityTokenExpired => (401, "APIGW.0301"),
        Code::NoPermission => (403, "IS.0011"),
        Code::ActionNotFound | Code::ResourceNotFound => (404, "APIGW.0101"),
        Code::UnsupportedHttpMethod => (405, "IS.0010"),
        Code::RequestTooLarge => (413, "IS.0006"),
        Code::RequestUriTooLong => (414, "IS.0006"),
        Code::RequestTimeout => (408, "IS.0002"),
        Code::MisdirectedRequest => (421, "IS.0002"),
        Code::Throttling => (429, "APIGW.0308"),
        Code::InvalidJson => (400, "IS.0008"),
        Code::Missing(_) => (400, "IS.0001"),
        Code::Invalid(parameter) if parameter == "path" => (400, "IS.0016"),
        Code::InternalError => (500, "IS.0009"),
        Code::ServiceUnavailable => (503, "IS.0012"),
        _ => (400, "IS.0002"),
    }
}

/// An error in the shape that these clients read.
pub(super) fn render(error: &Error, id: &str) -> HttpResponse {
    let (status, code) = status_and_code(error.code());
    let body = json!({"error_code": code, "error_msg": error.message(), "request_id": id});
    HttpResponse::json(status, &body, id)
}

/// The body of the token call: a name and a password, or a key pair. Both name
/// an access key and its secret.
fn key_pair(request: &HttpRequest) -> Result<(String, String)> {
    let body = Value::Object(encoding::json_object(&request.body)?);
    let text = |path: &str| body.pointer(path).and_then(Value::as_str).filter(|text| !text.is_empty());
    let identity = "/auth/identity";
    let pair = text(&format!("{identity}/hw_ak_sk/access/key"))
        .zip(text(&format!("{identity}/hw_ak_sk/secret/key")))
        .or_else(|| {
            text(&format!("{identity}/password/user/name"))
                .zip(text(&format!("{identity}/password/user/password")))
        });
    pair.map(|(id, secret)| (id.to_owned(), secret.to_owned())).ok_or_else(|| {
        fault(
            Code::Missing("auth".into()),
            "auth.identity must name an access key and its secret, as password.user.name and .password or as hw_ak_sk.",
        )
    })
}

/// What a request of this door asks for, as text.
pub(super) fn describe(request: &HttpRequest) -> Result<String> {
    if request.path == TOKENS {
        // Not the secret.
        return key_pair(request).map(|(id, _)| id);
    }
    route(&request.method, &request.path).map(|route| route.operation.to_owned())
}

impl Gateway {
    /// Answers a request of this door.
    pub(super) async fn image_search(
        &self,
        request: &HttpRequest,
        id: &str,
        caller: &mut String,
    ) -> Result<HttpResponse> {
        if request.path == TOKENS {
            return self.give_token(request, id, caller).await;
        }
        let key = self.image_search_caller(request).await?;
        key.owner().clone_into(caller);
        self.limit_key(&key).await?;
        let route = route(&request.method, &request.path)?;
        let action = format!("imagesearch:{}", route.operation);
        let instance = if route.instance.is_empty() { "*" } else { &route.instance };
        let resource = format!(
            "acs:imagesearch:{}:{}:project/{}/instance/{instance}",
            self.ctx.config.region, self.ctx.config.account_id, route.project
        );
        self.authorise(&key, &action, &resource, id)?;
        Err(fault(
            Code::ActionNotFound,
            format!("{} is not available in this version of mediadex.", route.operation),
        ))
    }

    /// What the head of a request of this door allows.
    pub(super) async fn precheck_image_search(&self, head: &HttpRequest) -> Result<Precheck> {
        if head.path == TOKENS {
            // The key and its secret are in the body.
            return match head.method.as_str() {
                "POST" => Ok(Precheck::NeedsBody { max: MAX_TOKEN_BODY }),
                _ => Err(fault(Code::UnsupportedHttpMethod, "Use POST.")),
            };
        }
        if head.header("authorization").is_none() {
            return self.image_search_caller(head).await.map(|_| Precheck::Verified);
        }
        let (claim, has_hash) = sdk_hmac::read_head(head, Timestamp::now())?;
        if has_hash {
            claim.identify(&self.ctx, head).await?;
            return Ok(Precheck::Verified);
        }
        claim.must_name_a_key(&self.ctx).await?;
        Ok(Precheck::NeedsBody { max: MAX_BODY })
    }

    async fn image_search_caller(&self, request: &HttpRequest) -> Result<AccessKey> {
        if request.header("authorization").is_some() {
            let claim = sdk_hmac::read(request, Timestamp::now())?;
            return claim.authenticate(&self.ctx, request).await;
        }
        match request.header("x-auth-token") {
            Some("") => Err(fault(Code::MissingBearerToken, "The authentication token is empty.")),
            Some(token) => auth::token(token).authenticate(&self.ctx, request).await.map_err(|error| {
                match error.code() {
                    Code::InvalidBearerToken => {
                        fault(Code::InvalidBearerToken, "The authentication token is abnormal.")
                    }
                    _ => error,
                }
            }),
            None => Err(fault(
                Code::MissingAccessKeyId,
                format!(
                    "Incorrect IAM authentication information: sign with {} or send X-Auth-Token.",
                    sdk_hmac::ALGORITHM
                ),
            )),
        }
    }

    /// The token call: a key pair for a token, which may do what the key may.
    async fn give_token(&self, request: &HttpRequest, id: &str, caller: &mut String) -> Result<HttpResponse> {
        if request.method != "POST" {
            return Err(fault(Code::UnsupportedHttpMethod, "Use POST."));
        }
        let (name, secret) = key_pair(request)?;
        let now = Timestamp::now();
        let found = self.ctx.keys().find(&self.ctx.db, &name).await?;
        let is_right = |key: &AccessKey| {
            use subtle::ConstantTimeEq;
            key.kind() == KeyKind::Permanent
                && key.secrets(now).any(|known| bool::from(known.as_bytes().ct_eq(secret.as_bytes())))
        };
        let key = found.filter(is_right).ok_or_else(|| {
            // The same for an unknown name: who guesses learns nothing.
            fault(Code::SignatureDoesNotMatch, "The username or password is wrong.")
        })?;
        key.owner().clone_into(caller);
        self.limit_key(&key).await?;
        let call = Call { request_id: id.to_owned(), caller: Some(key.id().to_owned()) };
        let token = issue_token(&self.ctx, &call, &key, TOKEN_SECONDS, None).await?;
        let body = json!({"token": {
            "methods": ["password"],
            "issued_at": now,
            "expires_at": token.expiration,
            "user": {"id": key.id(), "name": key.id(), "domain": {"id": self.ctx.config.account_id, "name": self.ctx.config.account_id}},
            "project": {"id": self.ctx.config.account_id, "name": self.ctx.config.region},
            "roles": [],
            "catalog": [],
        }});
        Ok(HttpResponse::json(201, &body, id).with_header("x-subject-token", token.token))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_of_both_versions_has_its_route() {
        let table = [
            ("POST", "/v1/p/service", "CreateInstance", ""),
            ("GET", "/v1/p/service/i", "QueryInstance", "i"),
            ("DELETE", "/v1/p/service/i", "DeleteInstance", "i"),
            ("POST", "/v1/p/i/image", "AddPicture", "i"),
            ("DELETE", "/v1/p/i/image", "DeletePicture", "i"),
            ("PUT", "/v1/p/i/image", "ModifyPicture", "i"),
            ("POST", "/v1/p/i/image/search", "SearchPicture", "i"),
            ("POST", "/v1/p/i/image/check", "CheckPicture", "i"),
            ("POST", "/v2/p/mms/i/data/add", "RunAddData", "i"),
            ("POST", "/v2/p/mms/i/data/check", "RunCheckData", "i"),
            ("POST", "/v2/p/mms/i/data/delete", "RunDeleteData", "i"),
            ("POST", "/v2/p/mms/svc%20name%2F%C3%A9/data/update", "RunUpdateData", "svc name/é"),
            ("POST", "/v2/p/mms/i/search", "RunSearch", "i"),
        ];
        for (method, path, operation, instance) in table {
            let want = Route { operation, project: "p".into(), instance: instance.into() };
            assert_eq!(route(method, path).ok(), Some(want), "{method} {path}");
        }
        let table = [
            ("PATCH", "/v1/p/service", Code::UnsupportedHttpMethod),
            ("POST", "/v1/p", Code::ActionNotFound),
            ("POST", "/v2/p/mms/i/data/other", Code::ActionNotFound),
            ("POST", "/v2/%7Bproject_id%7D/mms/i/search", Code::Invalid("project_id".into())),
            ("POST", "/v1//service", Code::Invalid("project_id".into())),
        ];
        for (method, path, code) in table {
            assert_eq!(route(method, path).err().map(|e| e.code().clone()), Some(code), "{method} {path}");
        }
        assert!(is_image_search("/v1/p/service") && is_image_search("/v2") && is_image_search(TOKENS));
        assert!(!is_image_search("/") && !is_image_search("/v10/p") && !is_image_search("/v3/other"));
    }
}
