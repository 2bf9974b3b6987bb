//! Operations of the mode Remote: the front door has checked who calls, whether
//! they may and what they say; the operation's own function does the rest.

use aws_sdk_lambda::error::DisplayErrorContext;
use aws_sdk_lambda::primitives::Blob;
use serde::Deserialize;
use serde_json::Value;

use crate::context::Context;
use crate::error::{Code, Error, Result};
use crate::operation::{Call, Params, Row, read_params};

/// How a function's runtime says that a call failed.
#[derive(Deserialize)]
struct Failure {
    #[serde(rename = "errorType", default)]
    error_type: String,
    #[serde(rename = "errorMessage", default)]
    error_message: String,
}

/// Calls an operation's function, and gives its reply with this request's id.
///
/// # Errors
/// Those of the operation; `InternalError` where there is no answer of it.
pub(super) async fn invoke(
    ctx: &Context,
    prefix: &str,
    row: &Row,
    call: &Call,
    params: Params,
) -> Result<Params> {
    let function = format!("{prefix}{}", row.function);
    let params = read_params(row.params, params)?;
    let payload = serde_json::to_vec(&params).map_err(Error::internal)?;
    let request = ctx.lambda().invoke().function_name(&function).payload(Blob::new(payload));
    let output = match request.send().await {
        Ok(output) => output,
        Err(error) => {
            let error = DisplayErrorContext(&error);
            tracing::error!(request_id = call.request_id, function, %error, "a function could not be called");
            return Err(Error::internal(format!("{function}: {error}")));
        }
    };
    let answer = output.payload.map(Blob::into_inner).unwrap_or_default();
    match output.function_error {
        None => with_id(&answer, &call.request_id),
        Some(kind) => {
            let error = failure(&answer);
            let internal = error.code() == &Code::InternalError;
            if internal {
                let answer = String::from_utf8_lossy(&answer);
                tracing::error!(request_id = call.request_id, function, kind, %answer, "a function failed");
            }
            Err(error)
        }
    }
}

/// The reply under the id of the request that its caller made: a function knows
/// that of its own call only.
fn with_id(answer: &[u8], request_id: &str) -> Result<Params> {
    match serde_json::from_slice(answer) {
        Ok(Value::Object(mut reply)) => {
            reply.insert("RequestId".into(), Value::from(request_id));
            Ok(reply)
        }
        _ => Err(Error::internal("a function did not answer with an object")),
    }
}

/// A function's error as the API's. What is not of the catalogue is the runtime's,
/// such as a time that is up or a process that has ended, and nobody else's matter.
fn failure(answer: &[u8]) -> Error {
    let Ok(failure) = serde_json::from_slice::<Failure>(answer) else {
        return Error::internal("a function failed and did not say why");
    };
    match Code::from_text(&failure.error_type) {
        None | Some(Code::InternalError) => {
            Error::internal(format!("{}: {}", failure.error_type, failure.error_message))
        }
        Some(code) => Error::with_code(code, failure.error_message),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_catalogue_are_passed_on_and_others_are_internal() {
        let table = [
            (r#"{"errorType": "ResourceNotFound", "errorMessage": "m"}"#, "ResourceNotFound", "m"),
            (r#"{"errorType": "InvalidSourceURI", "errorMessage": "m"}"#, "InvalidSourceURI", "m"),
            (r#"{"errorType": "MissingSourceURI", "errorMessage": "m"}"#, "MissingSourceURI", "m"),
            (r#"{"errorType": "Invalid lower", "errorMessage": "m"}"#, "InternalError", ""),
            (r#"{"errorType": "Sandbox.Timedout", "errorMessage": "secret"}"#, "InternalError", ""),
            (r#"{"errorMessage": "2026 Task timed out after 60.00 seconds"}"#, "InternalError", ""),
            (r#"{"errorType": "InternalError", "errorMessage": "secret"}"#, "InternalError", ""),
            ("nonsense", "InternalError", ""),
        ];
        for (answer, code, message) in table {
            let error = failure(answer.as_bytes());
            assert_eq!(error.code().text(), code, "{answer}");
            let want = if message.is_empty() { "An internal error occurred." } else { message };
            assert_eq!(error.message(), want, "{answer}");
        }
    }

    #[test]
    fn the_reply_has_the_id_of_the_request() {
        let reply = with_id(br#"{"RequestId": "of the function", "DocumentText": "t"}"#, "mine").unwrap();
        assert_eq!(Value::Object(reply), serde_json::json!({"RequestId": "mine", "DocumentText": "t"}));
        assert!(with_id(b"[]", "mine").is_err());
    }
}
