//! Operations of the mode Remote: the front door calls their functions by Lambda's
//! API, played here by a server that runs the functions' binaries.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::routing::post;
use mediadex::runtime_api::invoke;
use serde_json::{Value, json};

use crate::{Lambda, binary, signed_event};

/// What stands before the functions' names.
const STACK: &str = "stack-";

type Answer = (StatusCode, HeaderMap, String);

fn answer(status: StatusCode, error: Option<&'static str>, body: &Value) -> Answer {
    let mut headers = HeaderMap::new();
    if let Some(kind) = error {
        headers.insert(HeaderName::from_static("x-amz-function-error"), HeaderValue::from_static(kind));
    }
    (status, headers, body.to_string())
}

/// Runs a function as Lambda's Invoke does.
async fn call(
    State(environment): State<Arc<Vec<(String, String)>>>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let signed = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    assert!(signed.contains("/us-east-1/lambda/aws4_request"), "{signed}");
    let event: Value = serde_json::from_slice(&body).unwrap();
    let broken = event["SourceURI"].as_str().unwrap_or_default();
    if broken.ends_with("timed-out") {
        let error = json!({"errorMessage": "RequestId: secret Error: Task timed out after 60.00 seconds",
            "errorType": "Sandbox.Timedout"});
        return answer(StatusCode::OK, Some("Unhandled"), &error);
    }
    if broken.ends_with("denied") {
        return answer(StatusCode::FORBIDDEN, None, &json!({"Message": "secret"}));
    }
    let function = binary(name.strip_prefix(STACK).unwrap());
    match invoke(&function, &environment, &event, Duration::from_secs(60)).await.unwrap().result {
        Ok(reply) => answer(StatusCode::OK, None, &reply),
        Err(error) => answer(StatusCode::OK, Some("Unhandled"), &error),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_front_door_passes_on_what_an_operations_own_function_answers() {
    let mut lambda = Lambda::start().await;
    lambda.cloud.ctx.s3().create_bucket().bucket("demo-bucket").send().await.unwrap();
    lambda.put("note.txt", "a note").await;
    lambda.sample("create-project").await.unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new()
        .route("/2015-03-31/functions/{name}/invocations", post(call))
        .with_state(Arc::new(lambda.environment.clone()));
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    lambda.environment.push(("AWS_ENDPOINT_URL_LAMBDA".into(), format!("http://{address}")));
    lambda.environment.push(("MEDIADEX_FUNCTION_PREFIX".into(), STACK.into()));

    let table = [
        ("local", "oss://demo-bucket/note.txt", 200, "", "a note"),
        ("local", "oss://demo-bucket/none.txt", 404, "ResourceNotFound", "oss://demo-bucket/none.txt"),
        ("local", "nonsense", 400, "InvalidSourceURI", "oss://"),
        // Its function is not asked.
        ("absent", "oss://demo-bucket/denied", 404, "ResourceNotFound", "absent"),
        ("local", "", 400, "InvalidSourceURI", "oss://"),
        ("local", "oss://demo-bucket/timed-out", 500, "InternalError", "An internal error occurred."),
        ("local", "oss://demo-bucket/denied", 500, "InternalError", "An internal error occurred."),
    ];
    for (project, uri, status, code, text) in table {
        let params = json!({"ProjectName": project, "SourceURI": uri});
        let event = signed_event(&lambda.cloud.access_key.key, "ExtractDocumentText", params);
        let got = lambda.invoke("rpc-gateway", &event).await.unwrap();
        let body: Value = serde_json::from_str(got["body"].as_str().unwrap()).unwrap();
        assert_eq!(got["statusCode"], json!(status), "{uri}: {body}");
        assert_eq!(body["Code"].as_str().unwrap_or_default(), code, "{uri}: {body}");
        let member = if code.is_empty() { "DocumentText" } else { "Message" };
        assert!(body[member].as_str().unwrap().contains(text), "{uri}: {body}");
        assert!(!body.to_string().contains("secret"), "{uri}: {body}");
        // The id of this request, not that of the function's call.
        let id = got["headers"]["x-acs-request-id"].as_str().unwrap_or_default();
        assert_eq!(body["RequestId"], json!(id), "{uri}: {got}");
    }
    server.abort();
    lambda.cloud.shutdown().await;
}
