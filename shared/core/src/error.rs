//! The one error catalogue: code, HTTP status, message pattern.
//!
//! An [`Error`] keeps what the caller may see (code, message) apart from what
//! only the operator needs (the source). It becomes HTTP at the gateway and a
//! Lambda diagnostic in a function, nowhere else. Codes and patterns come from
//! the IMM error table (semantics A.8) and, for signatures, from Alibaba
//! Cloud's common error codes.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

/// What went wrong, as clients see it. The variants are the rows of the
/// catalogue: [`Code::status`] and the constructors on [`Error`] are the only
/// places that know statuses and message patterns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Code {
    /// A value is wrong in a way that the message tells.
    InvalidArgument,
    /// `Missing{Param}`: a mandatory parameter is absent.
    Missing(String),
    /// `Invalid{Param}`: a parameter does not have the form its type asks for.
    Invalid(String),
    /// A parameter that should hold JSON does not.
    InvalidJson,
    /// A quota or an input limit would be passed.
    LimitExceeded,
    /// `ResourceNotFound`.
    ResourceNotFound,
    /// `ResourceAlreadyExists`.
    ResourceAlreadyExists,
    /// The resource exists, but its state does not allow the call.
    StatusConflict,
    /// The resource still holds something and cannot be deleted.
    ResourceNotEmpty,
    /// The action is not in the catalogue of operations.
    ActionNotFound,
    /// IMM has the operation, and this product does not.
    OperationNotSupported,
    /// The request names another API version.
    InvalidVersion,
    /// No credentials were sent at all.
    MissingAccessKeyId,
    /// The credentials lack a part, or do not sign what they must.
    IncompleteSignature,
    /// The access key is unknown or disabled.
    AccessKeyNotFound,
    /// The signature is not the one that was expected.
    SignatureDoesNotMatch,
    /// The date is outside of the window.
    TimestampExpired,
    /// The nonce was seen before.
    SignatureNonceUsed,
    /// The signature algorithm is not supported.
    UnsupportedSignature,
    /// A temporary key came without its security token.
    MissingSecurityToken,
    /// The security token is not the one of the key.
    InvalidSecurityToken,
    /// The temporary key, and its security token, have ended.
    SecurityTokenExpired,
    /// No bearer token was sent where one is asked for.
    MissingBearerToken,
    /// The bearer token is unknown, disabled or has ended.
    InvalidBearerToken,
    /// The caller is known and may not do this.
    NoPermission,
    /// Too many requests.
    Throttling,
    /// The request's body is larger than what is accepted.
    RequestTooLarge,
    /// The request's URL is longer than what is accepted.
    RequestUriTooLong,
    /// The host that the request names is not one of this service.
    MisdirectedRequest,
    /// The request came too slowly.
    RequestTimeout,
    /// The HTTP method is not one that the API has.
    UnsupportedHttpMethod,
    /// Try again later: the store or the object storage does not answer.
    ServiceUnavailable,
    /// A defect or an unexpected answer of a service; the log has it.
    InternalError,
}

impl Code {
    /// The code as it stands in the `Code` field of a reply.
    pub fn text(&self) -> String {
        match self {
            Self::InvalidArgument => "InvalidArgument".into(),
            Self::Missing(parameter) => format!("Missing{parameter}"),
            Self::Invalid(parameter) => format!("Invalid{parameter}"),
            Self::InvalidJson => "InvalidJSON".into(),
            Self::LimitExceeded => "LimitExceededError".into(),
            Self::ResourceNotFound => "ResourceNotFound".into(),
            Self::ResourceAlreadyExists => "ResourceAlreadyExists".into(),
            Self::StatusConflict => "StatusConflict".into(),
            Self::ResourceNotEmpty => "ResourceNotEmpty".into(),
            Self::ActionNotFound => "InvalidAction.NotFound".into(),
            Self::OperationNotSupported => "OperationNotSupported".into(),
            Self::InvalidVersion => "InvalidVersion".into(),
            Self::MissingAccessKeyId => "MissingAccessKeyId".into(),
            Self::IncompleteSignature => "IncompleteSignature".into(),
            Self::AccessKeyNotFound => "InvalidAccessKeyId.NotFound".into(),
            Self::SignatureDoesNotMatch => "SignatureDoesNotMatch".into(),
            Self::TimestampExpired => "InvalidTimeStamp.Expired".into(),
            Self::SignatureNonceUsed => "SignatureNonceUsed".into(),
            Self::UnsupportedSignature => "UnsupportedSignatureMethod".into(),
            Self::MissingSecurityToken => "MissingSecurityToken".into(),
            Self::InvalidSecurityToken => "InvalidSecurityToken.MismatchWithAccessKey".into(),
            Self::SecurityTokenExpired => "InvalidSecurityToken.Expired".into(),
            Self::MissingBearerToken => "MissingBearerToken".into(),
            Self::InvalidBearerToken => "InvalidBearerToken".into(),
            Self::NoPermission => "NoPermission".into(),
            Self::Throttling => "Throttling.User".into(),
            Self::RequestTooLarge => "RequestTooLarge".into(),
            Self::RequestUriTooLong => "RequestUriTooLong".into(),
            Self::MisdirectedRequest => "MisdirectedRequest".into(),
            Self::RequestTimeout => "RequestTimeout".into(),
            Self::UnsupportedHttpMethod => "UnsupportedHTTPMethod".into(),
            Self::ServiceUnavailable => "ServiceUnavailable".into(),
            Self::InternalError => "InternalError".into(),
        }
    }

    /// The code of a text, as a function gives it as the type of its error.
    pub fn from_text(text: &str) -> Option<Self> {
        let known = Self::catalogue().into_iter().map(|(code, _)| code).find(|code| code.text() == text);
        let parameter = |prefix: &str| {
            let name = text.strip_prefix(prefix)?;
            let is_name = name.starts_with(|c: char| c.is_ascii_uppercase())
                && name.chars().all(|c| c.is_ascii_alphanumeric());
            is_name.then(|| name.to_owned())
        };
        known
            .or_else(|| parameter("Missing").map(Self::Missing))
            .or_else(|| parameter("Invalid").map(Self::Invalid))
    }

    /// The HTTP status. Sources disagree about "not found" (the IMM table says
    /// 400, a running system printed 404) and about "exists already" (400, and
    /// 409 in the twin product); clients key on the code, not on the status.
    pub fn status(&self) -> u16 {
        match self {
            Self::InvalidArgument
            | Self::Missing(_)
            | Self::Invalid(_)
            | Self::InvalidJson
            | Self::LimitExceeded
            // Not 501: clients try errors of a server again.
            | Self::OperationNotSupported
            | Self::InvalidVersion
            | Self::MissingAccessKeyId
            | Self::IncompleteSignature
            | Self::SignatureDoesNotMatch
            | Self::TimestampExpired
            | Self::SignatureNonceUsed
            | Self::UnsupportedSignature
            | Self::MissingSecurityToken
            | Self::InvalidSecurityToken
            | Self::SecurityTokenExpired
            | Self::Throttling => 400,
            Self::MissingBearerToken | Self::InvalidBearerToken => 401,
            Self::NoPermission => 403,
            Self::ResourceNotFound | Self::ActionNotFound | Self::AccessKeyNotFound => 404,
            Self::UnsupportedHttpMethod => 405,
            Self::RequestTimeout => 408,
            Self::ResourceAlreadyExists | Self::StatusConflict | Self::ResourceNotEmpty => 409,
            Self::RequestTooLarge => 413,
            Self::RequestUriTooLong => 414,
            Self::MisdirectedRequest => 421,
            Self::InternalError => 500,
            Self::ServiceUnavailable => 503,
        }
    }
}

impl Code {
    /// Every row of the catalogue with what it means, for the API's
    /// description. `{Param}` stands for a parameter's name.
    pub fn catalogue() -> Vec<(Self, &'static str)> {
        vec![
            (Self::InvalidArgument, "An argument is wrong; the message says which, and what would be right."),
            (Self::Missing("{Param}".into()), "A mandatory parameter is absent."),
            (Self::Invalid("{Param}".into()), "A parameter does not have the form that its type asks for."),
            (Self::InvalidJson, "A parameter that should hold JSON does not."),
            (Self::LimitExceeded, "A quota or an input limit would be passed; the message names it."),
            (Self::InvalidVersion, "The request names another API version."),
            (Self::MissingAccessKeyId, "No credentials were sent."),
            (Self::IncompleteSignature, "The signature lacks a part, or leaves out what must be signed."),
            (Self::SignatureDoesNotMatch, "The signature is not the expected one."),
            (Self::TimestampExpired, "The date is more than 15 minutes from this server's clock."),
            (Self::SignatureNonceUsed, "The nonce was seen before."),
            (Self::UnsupportedSignature, "The signature algorithm is not supported."),
            (Self::MissingSecurityToken, "A temporary key came without its security token."),
            (Self::InvalidSecurityToken, "The security token does not belong to the access key."),
            (Self::SecurityTokenExpired, "The temporary key has ended."),
            (
                Self::Throttling,
                "More requests than the key or the project may make; x-acs-retry-after says when to try again, in milliseconds.",
            ),
            (Self::MissingBearerToken, "The native door wants Authorization: Bearer <token>."),
            (Self::InvalidBearerToken, "The token is unknown, disabled or has ended."),
            (Self::NoPermission, "The caller is known and may not do this."),
            (Self::ResourceNotFound, "The resource does not exist."),
            (Self::ActionNotFound, "There is no such operation."),
            (
                Self::OperationNotSupported,
                "IMM has the operation and mediadex does not; the message names it.",
            ),
            (Self::AccessKeyNotFound, "The access key is unknown or disabled."),
            (Self::UnsupportedHttpMethod, "The API has no such method."),
            (Self::ResourceAlreadyExists, "A resource of this name exists."),
            (Self::StatusConflict, "The state of the resource does not allow the call."),
            (Self::ResourceNotEmpty, "The resource still holds something; the message says what."),
            (Self::RequestTooLarge, "The body is larger than 6 MiB."),
            (Self::RequestUriTooLong, "The URL is too long: send the parameters in a form or JSON body."),
            (Self::RequestTimeout, "The request came too slowly."),
            (Self::MisdirectedRequest, "The Host of the request is not a name of this service."),
            (Self::InternalError, "A defect; the log has it under the request id."),
            (Self::ServiceUnavailable, "The store or the object storage does not answer; try again."),
        ]
    }
}

/// The cause of an [`Error`], as its maker gives it.
type Source = Box<dyn std::error::Error + Send + Sync>;

/// What was denied to whom: `AccessDeniedDetail` of `NoPermission`, with the
/// members that Alibaba Cloud's services give.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Denial {
    /// The action.
    pub auth_action: String,
    /// The resource.
    pub auth_resource: String,
    /// The access key behind the call.
    pub auth_principal_display_name: String,
    /// The account.
    pub auth_principal_owner_id: String,
    /// What the caller is.
    pub auth_principal_type: String,
    /// `ExplicitDeny` where a statement denies it, `ImplicitDeny` where none allows it.
    pub no_permission_type: String,
    /// Which kind of policy decided.
    pub policy_type: String,
}

/// An error of an operation: what the caller may see, and what the log gets.
/// Copies share the cause.
#[derive(Clone)]
pub struct Error {
    code: Code,
    message: String,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
    retry_after_millis: Option<u64>,
    denial: Option<Box<Denial>>,
}

/// The result of nearly everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), source: None, retry_after_millis: None, denial: None }
    }

    fn caused(code: Code, message: &str, source: Source) -> Self {
        Self { source: Some(Arc::from(source)), ..Self::new(code, message) }
    }

    /// `InvalidArgument`: the message says which argument, and what would be right.
    pub fn invalid_argument(message: impl Into<String>) -> Self {
        Self::new(Code::InvalidArgument, message)
    }

    /// `Missing{Param}`.
    pub fn missing(parameter: &str) -> Self {
        Self::new(Code::Missing(parameter.into()), format!("{parameter} is mandatory for this action."))
    }

    /// `Invalid{Param}`; `why` says what would be right.
    pub fn invalid(parameter: &str, why: impl fmt::Display) -> Self {
        Self::new(
            Code::Invalid(parameter.into()),
            format!("Specified parameter {parameter} is not valid. {why}"),
        )
    }

    /// `InvalidJSON`: `why` names the place.
    pub fn invalid_json(parameter: &str, why: impl fmt::Display) -> Self {
        Self::new(
            Code::InvalidJson,
            format!("The parameter {parameter} is not valid JSON of its type: {why}."),
        )
    }

    /// `LimitExceededError`; the message names the limit.
    pub fn limit_exceeded(message: impl Into<String>) -> Self {
        Self::new(Code::LimitExceeded, message)
    }

    /// `ResourceNotFound` for a kind of resource, such as `Project`.
    pub fn not_found(kind: &str, name: &str) -> Self {
        Self::new(Code::ResourceNotFound, format!("The specified resource {kind} is not found. ({name})"))
    }

    /// `ResourceAlreadyExists` for a kind of resource.
    pub fn already_exists(kind: &str, name: &str) -> Self {
        Self::new(
            Code::ResourceAlreadyExists,
            format!("The specified resource {kind} already exists. ({name})"),
        )
    }

    /// `ResourceNotEmpty`; the message says what is left.
    pub fn not_empty(message: impl Into<String>) -> Self {
        Self::new(Code::ResourceNotEmpty, message)
    }

    /// `StatusConflict`; the message says which state does not allow it.
    pub fn status_conflict(message: impl Into<String>) -> Self {
        Self::new(Code::StatusConflict, message)
    }

    /// Any other row of the catalogue, with its message.
    pub fn with_code(code: Code, message: impl Into<String>) -> Self {
        Self::new(code, message)
    }

    /// `InternalError`: the source goes to the log, never to the caller.
    pub fn internal(source: impl Into<Source>) -> Self {
        Self::caused(Code::InternalError, "An internal error occurred.", source.into())
    }

    /// `ServiceUnavailable`: a service behind us did not answer; worth a retry.
    pub fn unavailable(source: impl Into<Source>) -> Self {
        let message = "The service is temporarily unavailable. Try again later.";
        Self::caused(Code::ServiceUnavailable, message, source.into())
    }

    /// `NoPermission`.
    pub fn denied(denial: Denial) -> Self {
        let message =
            format!("You are not authorized to do {} on {}.", denial.auth_action, denial.auth_resource);
        Self { denial: Some(Box::new(denial)), ..Self::new(Code::NoPermission, message) }
    }

    /// What was denied to whom, of a `NoPermission` of a policy.
    pub fn denial(&self) -> Option<&Denial> {
        self.denial.as_deref()
    }

    /// `Throttling.User`: `whose` limit it is, and when it is worth a try again.
    /// That is in the message as well: some SDKs do not show their callers headers.
    pub fn throttled(whose: &str, limit: i64, retry_after_millis: u64) -> Self {
        let message = format!(
            "Request was denied due to user flow control: {whose} may make {limit} requests a second; \
             try again in {retry_after_millis} milliseconds."
        );
        Self { retry_after_millis: Some(retry_after_millis), ..Self::new(Code::Throttling, message) }
    }

    /// Milliseconds until it is worth a try again, where that is known.
    pub fn retry_after_millis(&self) -> Option<u64> {
        self.retry_after_millis
    }

    /// The row of the catalogue.
    pub fn code(&self) -> &Code {
        &self.code
    }

    /// What the caller may read.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Whether the same call may succeed later without a change.
    pub fn is_transient(&self) -> bool {
        matches!(self.code, Code::ServiceUnavailable | Code::InternalError | Code::Throttling)
    }

    /// The whole chain of causes, for the log only.
    pub fn internal_text(&self) -> String {
        let mut text = format!("{}: {}", self.code.text(), self.message);
        let mut cause: Option<&dyn std::error::Error> = match &self.source {
            Some(source) => Some(source.as_ref()),
            None => None,
        };
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.internal_text())
    }
}

/// Shows what the caller may see, so that a stray `{}` cannot leak a cause.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.text(), self.message)
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_statuses_and_messages_follow_the_catalogue() {
        let table: &[(Error, &str, u16, &str)] = &[
            (
                Error::missing("ProjectName"),
                "MissingProjectName",
                400,
                "ProjectName is mandatory for this action.",
            ),
            (
                Error::invalid("MaxResults", "It must be between 0 and 200."),
                "InvalidMaxResults",
                400,
                "Specified parameter MaxResults is not valid. It must be between 0 and 200.",
            ),
            (
                Error::not_found("Project", "p"),
                "ResourceNotFound",
                404,
                "The specified resource Project is not found. (p)",
            ),
            (
                Error::already_exists("Dataset", "d"),
                "ResourceAlreadyExists",
                409,
                "The specified resource Dataset already exists. (d)",
            ),
        ];
        for (error, code, status, message) in table {
            assert_eq!(error.code().text(), *code);
            assert_eq!(error.code().status(), *status);
            assert_eq!(error.message(), *message);
        }
    }

    #[test]
    fn the_catalogue_is_complete_and_has_no_code_twice() {
        let rows = Code::catalogue();
        let texts: std::collections::BTreeSet<String> = rows.iter().map(|(code, _)| code.text()).collect();
        assert_eq!(texts.len(), rows.len());
        // Fails to compile when a variant is added: add its row as well.
        let known = |code: &Code| match code {
            Code::InvalidArgument
            | Code::Missing(_)
            | Code::Invalid(_)
            | Code::InvalidJson
            | Code::LimitExceeded
            | Code::ResourceNotFound
            | Code::ResourceAlreadyExists
            | Code::StatusConflict
            | Code::ResourceNotEmpty
            | Code::ActionNotFound
            | Code::OperationNotSupported
            | Code::InvalidVersion
            | Code::MissingAccessKeyId
            | Code::IncompleteSignature
            | Code::AccessKeyNotFound
            | Code::SignatureDoesNotMatch
            | Code::TimestampExpired
            | Code::SignatureNonceUsed
            | Code::UnsupportedSignature
            | Code::MissingSecurityToken
            | Code::InvalidSecurityToken
            | Code::SecurityTokenExpired
            | Code::MissingBearerToken
            | Code::InvalidBearerToken
            | Code::NoPermission
            | Code::Throttling
            | Code::RequestTooLarge
            | Code::RequestUriTooLong
            | Code::MisdirectedRequest
            | Code::RequestTimeout
            | Code::UnsupportedHttpMethod
            | Code::ServiceUnavailable
            | Code::InternalError => 33,
        };
        assert!(rows.iter().all(|(code, meaning)| known(code) == rows.len() && meaning.ends_with('.')));
    }

    #[test]
    fn every_code_is_read_from_its_text() {
        for (code, _) in Code::catalogue() {
            let code = match code {
                Code::Missing(_) => Code::Missing("File".into()),
                Code::Invalid(_) => Code::Invalid("SourceURI".into()),
                code => code,
            };
            assert_eq!(Code::from_text(&code.text()), Some(code));
        }
        for text in ["", "Runtime.ExitError", "Invalid", "Invalid x", "Missinglower"] {
            assert_eq!(Code::from_text(text), None, "{text}");
        }
    }

    #[test]
    fn an_internal_error_keeps_its_cause_to_the_log() {
        let error = Error::internal("table arn:secret is on fire");
        assert_eq!(error.to_string(), "InternalError: An internal error occurred.");
        assert!(error.internal_text().contains("arn:secret"));
    }

    #[test]
    fn a_copy_keeps_code_cause_and_wait() {
        let table = [
            Error::internal("on fire"),
            Error::unavailable("table arn:secret"),
            Error::throttled("the key k", 3, 250),
            Error::not_found("File", "f"),
        ];
        for error in table {
            let copy = error.clone();
            assert_eq!(copy.code(), error.code());
            assert_eq!(copy.internal_text(), error.internal_text());
            assert_eq!(copy.retry_after_millis(), error.retry_after_millis());
        }
    }

    #[test]
    fn the_wait_is_in_the_message() {
        let error = Error::throttled("the project p", 100, 412);
        assert!(error.message().ends_with("may make 100 requests a second; try again in 412 milliseconds."));
    }
}
