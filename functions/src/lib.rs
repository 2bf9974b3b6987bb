//! What every function binary shares: a main is telemetry, context, run.
//!
//! Everything is built once per process. A panic inside of a call becomes that
//! call's error (`panic = "unwind"`), not the end of the process.

mod environment;

use std::sync::Arc;
use std::time::Instant;

use lambda_runtime::{Diagnostic, Error, LambdaEvent, service_fn};
use mediadex_core::gateway::{Gateway, HttpRequest, HttpResponse};
use mediadex_core::ingest::{
    Due, ScanStep, on_object_event, on_schedule, run_step, run_text_event, run_work_event,
};
use mediadex_core::operation::{Call, Params, Row};
use mediadex_core::text::InProcess;
use mediadex_core::{Config, Context, telemetry};
use serde_json::{Value, json};

/// A function's whole life. Boxed, because its type is deeper than the compiler
/// goes in one piece.
pub type Run = std::pin::Pin<Box<dyn Future<Output = Result<(), Error>>>>;

/// An error as the Lambda runtime reports it: `errorType` is the API's code,
/// and only what the caller may see is in the message.
#[derive(Debug)]
struct Failure(mediadex_core::Error);

impl From<Failure> for Diagnostic {
    fn from(failure: Failure) -> Self {
        Self { error_type: failure.0.code().text(), error_message: failure.0.message().to_owned() }
    }
}

fn fail(action: &str, id: &str, error: mediadex_core::Error) -> Failure {
    if error.is_transient() {
        tracing::error!(request_id = id, action, error = %error.internal_text(), "failed");
    } else {
        tracing::info!(request_id = id, action, error = %error.internal_text(), "refused");
    }
    Failure(error)
}

/// Answers events until the process ends: what every function but the gateway
/// does. `answer` gets a context that counts for this call alone, the event and
/// the request's id.
fn run<F, A>(name: &'static str, answer: F) -> Run
where
    F: Fn(Context, Value, String) -> A + Copy + Send + 'static,
    A: Future<Output = mediadex_core::Result<Value>> + Send + 'static,
{
    run_within(name, |ctx| ctx, answer)
}

/// The same in a context that is completed first: what a function links by it, no
/// other does.
fn run_within<F, A>(name: &'static str, complete: fn(Context) -> Context, answer: F) -> Run
where
    F: Fn(Context, Value, String) -> A + Copy + Send + 'static,
    A: Future<Output = mediadex_core::Result<Value>> + Send + 'static,
{
    Box::pin(async move {
        telemetry::init_json();
        let ctx = &complete(Context::new(environment::sdk_config(), Config::from_env()));
        lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| async move {
            let id = event.context.request_id;
            let metered = Metered::new(ctx, name);
            let result = answer(metered.ctx.clone(), event.payload, id.clone()).await;
            metered.end(result.as_ref().is_err_and(mediadex_core::Error::is_transient));
            result.map_err(|error| fail(name, &id, error))
        }))
        .await
    })
}

/// One call, counted: its metrics are a line of the log, in a deployment.
struct Metered {
    ctx: Context,
    name: &'static str,
    started: Instant,
}

impl Metered {
    fn new(ctx: &Context, name: &'static str) -> Self {
        Self { ctx: ctx.metered(), name, started: Instant::now() }
    }

    #[allow(clippy::print_stdout, reason = "Lambda takes the log from there")]
    fn end(self, is_error: bool) {
        if let Some(stack) = &self.ctx.config.stack {
            let took = self.started.elapsed();
            println!("{}", telemetry::metrics(stack, self.name, &self.ctx.usage, took, is_error));
        }
    }
}

/// An answer as JSON.
fn encode(answer: impl serde::Serialize) -> mediadex_core::Result<Value> {
    serde_json::to_value(answer).map_err(mediadex_core::Error::internal)
}

/// Runs the function of one operation: its event is the parameters as JSON,
/// its answer the API's reply. A caller who may invoke the function may do this.
///
/// # Errors
/// When the runtime's API fails.
pub fn run_operation(row: &'static Row) -> Run {
    run_operation_within(row, |ctx| ctx)
}

/// The same for an operation that reads the text of documents.
///
/// # Errors
/// When the runtime's API fails.
pub fn run_text_operation(row: &'static Row) -> Run {
    run_operation_within(row, reading_text)
}

/// The process reads one document at a time, and nothing else.
fn reading_text(ctx: Context) -> Context {
    ctx.with_text_reader(Arc::new(InProcess))
}

fn run_operation_within(row: &'static Row, complete: fn(Context) -> Context) -> Run {
    run_within(row.name, complete, move |ctx, event, request_id| async move {
        let params = match event {
            Value::Object(params) => params,
            Value::Null => Params::new(),
            _ => {
                return Err(mediadex_core::Error::invalid_argument(
                    "The event must be a JSON object of parameters.",
                ));
            }
        };
        row.run(&ctx, &Call::new(request_id), params).await.map(Value::Object)
    })
}

/// Runs the worker for events of object storage.
///
/// # Errors
/// When the runtime's API fails.
pub fn run_object_events() -> Run {
    run_within("on-object-event", Context::with_text_queue, |ctx, event, _| async move {
        encode(on_object_event(&ctx, event).await?)
    })
}

/// Runs the worker for index tasks.
///
/// # Errors
/// When the runtime's API fails.
pub fn run_work() -> Run {
    run_within("on-work", Context::with_text_queue, |ctx, event, _| async move {
        encode(run_work_event(&ctx, event).await?)
    })
}

/// Runs the worker for the texts of documents.
///
/// # Errors
/// When the runtime's API fails.
pub fn run_text_work() -> Run {
    let complete = |ctx| reading_text(ctx).with_text_queue();
    run_within("on-text-work", complete, |ctx, event, _| async move { run_text_event(&ctx, event).await })
}

/// Runs what is done by the clock. Whatever the event says, it is time.
///
/// # Errors
/// When the runtime's API fails.
pub fn run_schedule() -> Run {
    run("on-schedule", |ctx, _, _| async move { encode(on_schedule(&ctx, Due::ByClock).await?) })
}

/// Runs a step of a scan.
///
/// # Errors
/// When the runtime's API fails.
pub fn run_scan() -> Run {
    run("scan", |ctx, event, id| async move {
        let step: ScanStep = serde_json::from_value(event).map_err(|error| {
            mediadex_core::Error::invalid_argument(format!("The event is no step of a scan: {error}"))
        })?;
        encode(run_step(&ctx, step, &id).await?)
    })
}

/// Runs the front door behind a function URL.
///
/// # Errors
/// When the runtime's API fails, or no access keys are configured.
pub fn run_gateway() -> Run {
    Box::pin(async move {
        telemetry::init_json();
        let ctx = Context::new(environment::sdk_config(), Config::from_env());
        if ctx.config.access_keys_secret.is_none() && ctx.config.access_key.is_none() {
            return Err("no access keys: set MEDIADEX_ACCESS_KEYS_SECRET".into());
        }
        let ctx = &ctx;
        // The limits of requests per second are kept by the process.
        let gateway = &Gateway::new(ctx.clone());
        lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| async move {
            let answer = match read_request(&event.payload) {
                Some(request) => {
                    let metered = Metered::new(ctx, "rpc-gateway");
                    let answer = gateway.within(metered.ctx.clone()).handle(request).await;
                    metered.end(answer.status >= 500);
                    answer
                }
                None => {
                    let error = mediadex_core::Error::invalid_argument("The event is no HTTP request.");
                    gateway.refuse("/", &error)
                }
            };
            Ok::<Value, Error>(write_response(answer))
        }))
        .await
    })
}

/// A function URL's event (payload format 2.0) as a request.
fn read_request(event: &Value) -> Option<HttpRequest> {
    use base64::Engine;
    let http = event.pointer("/requestContext/http")?;
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    let headers = event
        .get("headers")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.to_lowercase(), value.as_str().unwrap_or_default().to_owned()))
        .collect();
    let body = text(event.get("body"));
    let is_base64 = event.get("isBase64Encoded").and_then(Value::as_bool).unwrap_or(false);
    // Signatures are over the bytes that were sent.
    let body = if is_base64 {
        base64::engine::general_purpose::STANDARD.decode(body).ok()?
    } else {
        body.into_bytes()
    };
    Some(HttpRequest {
        method: text(http.get("method")),
        path: text(event.get("rawPath")),
        query: text(event.get("rawQueryString")),
        headers,
        body,
    })
}

/// An answer in payload format 2.0. `cookies` may be left out for Lambda, but not
/// for `cargo lambda watch`.
fn write_response(answer: HttpResponse) -> Value {
    let headers: serde_json::Map<String, Value> =
        answer.headers.into_iter().map(|(name, value)| (name, Value::from(value))).collect();
    json!({
        "statusCode": answer.status,
        "headers": headers,
        "cookies": [],
        "body": answer.body,
        "isBase64Encoded": false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn function_url_events_become_requests() {
        let event = json!({
            "version": "2.0", "rawPath": "/", "rawQueryString": "A=1",
            "headers": {"Host": "x", "x-acs-action": "GetProject"},
            "requestContext": {"http": {"method": "POST"}},
            "body": "YWJj", "isBase64Encoded": true
        });
        let request = read_request(&event).unwrap_or_default();
        assert_eq!((request.method.as_str(), request.query.as_str()), ("POST", "A=1"));
        assert_eq!(request.body, b"abc");
        assert_eq!(request.header("host"), Some("x"));
        assert_eq!(request.action().as_deref(), Some("GetProject"));
        assert!(read_request(&json!({"hello": 1})).is_none());
    }

    #[test]
    fn answers_have_every_member_of_the_payload_format() {
        let headers = vec![("content-type".to_owned(), "text/plain".to_owned())];
        let answer = write_response(HttpResponse { status: 404, headers, body: "no".to_owned() });
        let wanted = json!({
            "statusCode": 404, "headers": {"content-type": "text/plain"}, "cookies": [],
            "body": "no", "isBase64Encoded": false
        });
        assert_eq!(answer, wanted);
    }
}
