//! The services of the model, under the real clients: DynamoDB is the embedded
//! store, S3 and SNS are the model's own. Requests and replies take time on their
//! way, and may meet faults.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use dynoxide::{Database, DynoxideError};
use mediadex_core::Config;
use mediadex_core::context::Context;
use mediadex_core::dispatch::Dispatch;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

use crate::bucket::{Storage, xml};

/// What goes wrong with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The request does not arrive.
    Lost,
    /// It arrives and takes effect; the reply does not.
    TimedOut,
    /// Too many requests.
    Throttled,
    /// An internal error of the service.
    ServerError,
    /// Only a part of a batch is processed.
    Partial,
    /// A transaction meets another one.
    Conflict,
    /// The reply takes very long.
    Slow,
}

pub(crate) const FAULTS: [Fault; 7] = [
    Fault::Lost,
    Fault::TimedOut,
    Fault::Throttled,
    Fault::ServerError,
    Fault::Partial,
    Fault::Conflict,
    Fault::Slow,
];

/// When calls meet faults.
#[derive(Debug, Clone, Default)]
pub(crate) enum Plan {
    #[default]
    Never,
    /// One call in so many.
    OneIn(u32),
    /// The calls from one to another, counted from 0.
    Calls(std::ops::Range<u64>, Fault),
}

pub(crate) struct Wires {
    pub(crate) storage: Storage,
    pub(crate) plan: Plan,
    /// Calls so far.
    pub(crate) calls: u64,
    /// Completion messages.
    pub(crate) messages: Vec<String>,
    /// Milliseconds that a request takes at most.
    pub(crate) latency: u64,
    /// Names of the calls, where a test wants them.
    pub(crate) trace: Option<Vec<String>>,
    chance: SmallRng,
}

#[derive(Clone)]
pub(crate) struct Services {
    pub(crate) wires: Arc<Mutex<Wires>>,
    database: Database,
}

impl fmt::Debug for Services {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Services")
    }
}

impl Services {
    pub(crate) fn new(seed: u64, database: &Database) -> Self {
        let wires = Wires {
            storage: Storage::default(),
            plan: Plan::Never,
            calls: 0,
            messages: Vec::new(),
            latency: 40,
            trace: None,
            chance: SmallRng::seed_from_u64(seed ^ 0x5eed),
        };
        Self { wires: Arc::new(Mutex::new(wires)), database: database.clone() }
    }

    /// The real clients, over these services.
    pub(crate) fn context(&self, config: Config, dispatch: Arc<dyn Dispatch>) -> Context {
        let credentials = aws_credential_types::Credentials::new("a", "b", None, None, "model");
        let sdk = aws_config::SdkConfig::builder()
            .behavior_version(aws_config::BehaviorVersion::latest())
            .region(aws_config::Region::new("us-east-1"))
            .credentials_provider(aws_credential_types::provider::SharedCredentialsProvider::new(credentials))
            .http_client(SharedHttpClient::new(self.clone()))
            // There are no streams that could stall.
            .stalled_stream_protection(
                aws_config::stalled_stream_protection::StalledStreamProtectionConfig::disabled(),
            )
            .sleep_impl(aws_smithy_async::rt::sleep::SharedAsyncSleep::new(
                aws_smithy_async::rt::sleep::TokioSleep::new(),
            ))
            .build();
        let at = |name: &str| format!("http://{name}.model");
        let dynamodb = aws_sdk_dynamodb::config::Builder::from(&sdk).endpoint_url(at("dynamodb")).build();
        let s3 =
            aws_sdk_s3::config::Builder::from(&sdk).endpoint_url(at("s3")).force_path_style(true).build();
        let sns = aws_sdk_sns::config::Builder::from(&sdk).endpoint_url(at("sns")).build();
        Context::with_clients(
            aws_sdk_dynamodb::Client::from_conf(dynamodb),
            aws_sdk_s3::Client::from_conf(s3),
            aws_sdk_sns::Client::from_conf(sns),
            config,
            dispatch,
        )
    }

    fn wires(&self) -> std::sync::MutexGuard<'_, Wires> {
        self.wires.lock().unwrap()
    }

    async fn carry(self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let (there, back, fault) = self.wires().next(&request);
        tokio::time::sleep(Duration::from_millis(there)).await;
        if self.wires().storage.is_fatal(&request) {
            std::future::pending::<()>().await;
        }
        let reply = match fault {
            Some(Fault::Lost) => return Err(ConnectorError::io("connection reset".into())),
            Some(Fault::Throttled) => throttled(&request),
            Some(Fault::ServerError) => server_error(&request),
            Some(Fault::Partial) if is_batch(&request) => self.partial(&request),
            Some(Fault::Conflict) if is(&request, "TransactWriteItems") => conflict(&request),
            _ => self.answer(&request),
        };
        tokio::time::sleep(Duration::from_millis(back)).await;
        match fault {
            Some(Fault::TimedOut) => return Err(ConnectorError::timeout("no reply".into())),
            Some(Fault::Slow) => tokio::time::sleep(Duration::from_secs(20)).await,
            _ => {}
        }
        Ok(reply)
    }

    /// All items of a table.
    pub(crate) fn items(&self, table: &str) -> Vec<Value> {
        let reply = self.dynamodb("Scan", &json!({"TableName": table}).to_string());
        let reply: Value = serde_json::from_slice(reply.body().bytes().unwrap()).unwrap();
        reply["Items"].as_array().unwrap().clone()
    }

    /// The service's answer, at this moment.
    fn answer(&self, request: &HttpRequest) -> HttpResponse {
        if let Some(operation) = target(request) {
            return self.dynamodb(operation, &body_of(request));
        }
        if request.uri().contains("sns.model") {
            self.wires().messages.push(body_of(request));
            let reply =
                "<PublishResponse><PublishResult><MessageId>m</MessageId></PublishResult></PublishResponse>";
            return xml(200, reply.into());
        }
        self.wires().storage.answer(request)
    }

    fn dynamodb(&self, operation: &str, body: &str) -> HttpResponse {
        let db = &self.database;
        macro_rules! call {
            ($method:ident) => {
                match serde_json::from_str(body) {
                    Ok(request) => db.$method(request).map(|reply| serde_json::to_string(&reply).unwrap()),
                    Err(error) => Err(DynoxideError::ValidationException(error.to_string())),
                }
            };
        }
        let reply = match operation {
            "CreateTable" => call!(create_table),
            "DescribeTable" => call!(describe_table),
            "UpdateTimeToLive" => call!(update_time_to_live),
            "GetItem" => call!(get_item),
            "PutItem" => call!(put_item),
            "UpdateItem" => call!(update_item),
            "DeleteItem" => call!(delete_item),
            "Query" => call!(query),
            "Scan" => call!(scan),
            "BatchGetItem" => call!(batch_get_item),
            "BatchWriteItem" => call!(batch_write_item),
            "TransactGetItems" => call!(transact_get_items),
            "TransactWriteItems" => call!(transact_write_items),
            other => panic!("the model's store has no {other}"),
        };
        match reply {
            Ok(reply) => aws_json(200, reply),
            Err(error) => aws_json(error.status_code(), error.to_json()),
        }
    }

    /// Processes the first half of a batch, and gives the rest back.
    fn partial(&self, request: &HttpRequest) -> HttpResponse {
        let operation = target(request).unwrap_or_default();
        let mut body: Value = serde_json::from_str(&body_of(request)).unwrap();
        let mut left = body["RequestItems"].clone();
        let tables = body["RequestItems"].as_object_mut().unwrap();
        for (table, items) in tables {
            let (list, rest) = if operation == "BatchGetItem" {
                (items["Keys"].as_array_mut().unwrap(), left[table]["Keys"].as_array_mut().unwrap())
            } else {
                (items.as_array_mut().unwrap(), left[table].as_array_mut().unwrap())
            };
            let half = list.len().div_ceil(2);
            list.truncate(half);
            rest.drain(..half);
        }
        let is_whole =
            |items: &Value| items.get("Keys").unwrap_or(items).as_array().is_none_or(Vec::is_empty);
        let reply = self.dynamodb(operation, &body.to_string());
        if left.as_object().unwrap().values().all(is_whole) {
            return reply;
        }
        let mut reply: Value = serde_json::from_slice(reply.body().bytes().unwrap()).unwrap();
        let name = if operation == "BatchGetItem" { "UnprocessedKeys" } else { "UnprocessedItems" };
        reply[name] = left;
        aws_json(200, reply.to_string())
    }
}

impl Wires {
    /// How long a call takes there and back, and what goes wrong.
    fn next(&mut self, request: &HttpRequest) -> (u64, u64, Option<Fault>) {
        let call = self.calls;
        self.calls += 1;
        if let Some(trace) = &mut self.trace {
            let name = target(request)
                .map_or_else(|| format!("{} {}", request.method(), request.uri()), str::to_owned);
            trace.push(name);
        }
        let fault = match &self.plan {
            Plan::Never => None,
            Plan::OneIn(number) => {
                let met = self.chance.random_range(0..*number) == 0;
                met.then(|| FAULTS[self.chance.random_range(0..FAULTS.len())])
            }
            Plan::Calls(range, fault) => range.contains(&call).then_some(*fault),
        };
        let latency = self.latency;
        (self.chance.random_range(0..=latency), self.chance.random_range(0..=latency), fault)
    }
}

impl HttpConnector for Services {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::new(self.clone().carry(request))
    }
}

impl HttpClient for Services {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

fn target(request: &HttpRequest) -> Option<&str> {
    request.headers().get("x-amz-target")?.strip_prefix("DynamoDB_20120810.")
}

fn is(request: &HttpRequest, operation: &str) -> bool {
    target(request) == Some(operation)
}

fn is_batch(request: &HttpRequest) -> bool {
    is(request, "BatchGetItem") || is(request, "BatchWriteItem")
}

fn body_of(request: &HttpRequest) -> String {
    String::from_utf8_lossy(request.body().bytes().unwrap_or_default()).into_owned()
}

fn aws_json(status: u16, body: String) -> HttpResponse {
    let mut response = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body));
    response.headers_mut().insert("content-type", "application/x-amz-json-1.0");
    response
}

fn throttled(request: &HttpRequest) -> HttpResponse {
    match target(request) {
        Some(_) => aws_json(
            400,
            json!({"__type": "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException",
                "message": "slow down"})
            .to_string(),
        ),
        None => crate::bucket::error(503, "SlowDown"),
    }
}

fn server_error(request: &HttpRequest) -> HttpResponse {
    match target(request) {
        Some(_) => aws_json(
            500,
            json!({"__type": "com.amazonaws.dynamodb.v20120810#InternalServerError", "message": "oh"})
                .to_string(),
        ),
        None => crate::bucket::error(500, "InternalError"),
    }
}

/// The answer to a transaction that met another one.
fn conflict(request: &HttpRequest) -> HttpResponse {
    let body: Value = serde_json::from_str(&body_of(request)).unwrap();
    let items = body["TransactItems"].as_array().map_or(1, Vec::len);
    let mut reasons = vec![json!({"Code": "None"}); items];
    reasons[0] = json!({"Code": "TransactionConflict", "Message": "Transaction is ongoing for the item"});
    aws_json(
        400,
        json!({"__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
            "Message": "Transaction cancelled", "CancellationReasons": reasons})
        .to_string(),
    )
}
