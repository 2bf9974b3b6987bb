//! Lambda's runtime API, as far as one call needs it: to run a function's
//! binary as Lambda does, in benchmarks and tests.

use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue};
use axum::routing::{get, post};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{Notify, oneshot};

/// What a function answered.
#[derive(Debug)]
pub struct Invocation {
    /// Its answer, or its error: `{errorType, errorMessage}`.
    pub result: Result<Value, Value>,
    /// From the start of the process to the answer.
    pub elapsed: Duration,
}

struct Shared {
    event: Mutex<Option<String>>,
    answer: Mutex<Option<oneshot::Sender<Result<Value, Value>>>>,
    never: Notify,
}

impl Shared {
    fn answer(&self, result: Result<Value, Value>) {
        if let Some(sender) = self.answer.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = sender.send(result);
        }
    }
}

fn parse(body: &Bytes) -> Value {
    serde_json::from_slice(body).unwrap_or(Value::Null)
}

async fn next(State(shared): State<Arc<Shared>>) -> (HeaderMap, String) {
    let event = shared.event.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(event) = event else {
        // There is one event only; Lambda would freeze the process here.
        shared.never.notified().await;
        return (HeaderMap::new(), String::new());
    };
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("lambda-runtime-aws-request-id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd"),
        ("lambda-runtime-deadline-ms", "9999999999999"),
        ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:us-east-1:000000000000:function:test"),
        (
            "lambda-runtime-trace-id",
            "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    (headers, event)
}

/// Starts a function's binary, gives it one event, and ends it with its answer.
///
/// # Errors
/// When it cannot be started, ends without an answer, or gives none in time.
pub async fn invoke(
    binary: &Path,
    environment: &[(String, String)],
    event: &Value,
    patience: Duration,
) -> anyhow::Result<Invocation> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let (sender, receiver) = oneshot::channel();
    let shared = Arc::new(Shared {
        event: Mutex::new(Some(event.to_string())),
        answer: Mutex::new(Some(sender)),
        never: Notify::new(),
    });
    let router =
        Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route(
                "/2018-06-01/runtime/invocation/{id}/response",
                post(|State(shared): State<Arc<Shared>>, body: Bytes| async move {
                    shared.answer(Ok(parse(&body)))
                }),
            )
            .route(
                "/2018-06-01/runtime/invocation/{id}/error",
                post(|State(shared): State<Arc<Shared>>, body: Bytes| async move {
                    shared.answer(Err(parse(&body)))
                }),
            )
            .route(
                "/2018-06-01/runtime/init/error",
                post(|State(shared): State<Arc<Shared>>, body: Bytes| async move {
                    shared.answer(Err(parse(&body)))
                }),
            )
            .with_state(shared);
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    let started = Instant::now();
    let mut child = tokio::process::Command::new(binary)
        .env_clear()
        .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
        .env("AWS_LAMBDA_FUNCTION_NAME", "test")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
        .env("AWS_LAMBDA_LOG_STREAM_NAME", "test")
        .env("AWS_LAMBDA_LOG_GROUP_NAME", "test")
        .envs(environment.iter().cloned())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("{} cannot be started", binary.display()))?;
    let result = tokio::select! {
        answer = receiver => answer.context("no answer"),
        status = child.wait() => bail!("the function ended without an answer: {}", status?),
        () = tokio::time::sleep(patience) => bail!("no answer within {} s", patience.as_secs()),
    };
    let elapsed = started.elapsed();
    child.kill().await.ok();
    server.abort();
    Ok(Invocation { result: result?, elapsed })
}

/// The environment that points a function at the endpoints of a local cloud,
/// as docs/functions.md has it for `cargo lambda watch`.
pub fn environment(
    endpoints: crate::cloud::Endpoints,
    key: &crate::access_key::AccessKey,
) -> Vec<(String, String)> {
    [
        ("AWS_ENDPOINT_URL_S3", format!("http://{}", endpoints.s3)),
        ("AWS_ENDPOINT_URL_DYNAMODB", format!("http://{}", endpoints.dynamodb)),
        ("AWS_ENDPOINT_URL_SNS", format!("http://{}", endpoints.sns)),
        ("AWS_ACCESS_KEY_ID", key.id.clone()),
        ("AWS_SECRET_ACCESS_KEY", key.secret.clone()),
        ("AWS_REGION", "us-east-1".to_owned()),
        ("MEDIADEX_ACCESS_KEY_ID", key.id.clone()),
        ("MEDIADEX_ACCESS_KEY_SECRET", key.secret.clone()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
}
