//! The SNS endpoint: topics, subscriptions, delivery to HTTP subscribers, and
//! a look at the messages for people: `GET /topics` and
//! `GET /topics/{name}/messages`.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path as PathParam, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use mediadex_endpoint::{BodyError, Caller, Handler, Hosts, Limits, Refusal, RequestBody, Unverified};
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower_service::Service;

use crate::sigv4;

const REGION: &str = "us-east-1";
const ACCOUNT: &str = "000000000000";
/// Messages that are kept of each topic, for people to look at.
const KEPT: i64 = 1000;
/// Bytes of a message, as in AWS.
const MAX_MESSAGE: usize = 256 * 1024;
const ATTEMPTS: u32 = 4;

/// The topics, their subscriptions and their latest messages.
#[derive(Clone)]
pub(crate) struct Topics {
    database: Arc<Mutex<Connection>>,
    http: Client<HttpConnector, Full<Bytes>>,
    address: SocketAddr,
    access_key_id: Arc<str>,
    secret: Arc<str>,
}

/// What went wrong, as SNS says it.
struct Fault {
    status: StatusCode,
    code: &'static str,
    message: String,
}

fn fault(status: StatusCode, code: &'static str, message: impl Into<String>) -> Fault {
    Fault { status, code, message: message.into() }
}

fn not_found() -> Fault {
    fault(StatusCode::NOT_FOUND, "NotFound", "Topic does not exist")
}

fn invalid(message: impl Into<String>) -> Fault {
    fault(StatusCode::BAD_REQUEST, "InvalidParameter", message)
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        tracing::error!(%error, "the topics' database");
        fault(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", "An internal error occurred.")
    }
}

impl Topics {
    /// Opens the topics' database; without a path it is in memory.
    pub(crate) fn open(
        path: Option<&Path>,
        address: SocketAddr,
        access_key_id: &str,
        secret: &str,
    ) -> anyhow::Result<Self> {
        let database = match path {
            Some(path) => Connection::open(path),
            None => Connection::open_in_memory(),
        }
        .context("the topics' database cannot be opened")?;
        database.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
             CREATE TABLE IF NOT EXISTS topics (name TEXT PRIMARY KEY);
             CREATE TABLE IF NOT EXISTS subscriptions (
                 arn TEXT PRIMARY KEY, topic TEXT NOT NULL, protocol TEXT NOT NULL,
                 endpoint TEXT NOT NULL, raw INTEGER NOT NULL, UNIQUE (topic, protocol, endpoint));
             CREATE TABLE IF NOT EXISTS messages (
                 number INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, id TEXT NOT NULL,
                 time TEXT NOT NULL, subject TEXT, message TEXT NOT NULL);
             CREATE INDEX IF NOT EXISTS messages_of_topic ON messages (topic, number);",
        )?;
        Ok(Self {
            database: Arc::new(Mutex::new(database)),
            http: Client::builder(TokioExecutor::new()).build_http(),
            address,
            access_key_id: access_key_id.into(),
            secret: secret.into(),
        })
    }

    fn with<T>(&self, work: impl FnOnce(&Connection) -> Result<T, Fault>) -> Result<T, Fault> {
        work(&self.database.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn topic(&self, arn: Option<&String>) -> Result<String, Fault> {
        let name = arn.and_then(|arn| arn.rsplit(':').next()).unwrap_or_default().to_owned();
        let known = self.with(|db| {
            Ok(db
                .query_row("SELECT 1 FROM topics WHERE name = ?1", [&name], |_| Ok(()))
                .optional()?
                .is_some())
        })?;
        if known { Ok(name) } else { Err(not_found()) }
    }

    /// Does one action of the API; gives the inside of its result element.
    fn act(&self, form: &Form) -> Result<String, Fault> {
        let given = |name: &str| form.get(name).ok_or_else(|| invalid(format!("Invalid parameter: {name}")));
        match given("Action")?.as_str() {
            "CreateTopic" => {
                let name = given("Name")?;
                let right = (1..=256).contains(&name.len())
                    && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
                if !right {
                    return Err(invalid("Invalid parameter: Topic Name"));
                }
                self.with(|db| Ok(db.execute("INSERT OR IGNORE INTO topics (name) VALUES (?1)", [name])?))?;
                Ok(format!("<TopicArn>{}</TopicArn>", arn(name)))
            }
            "DeleteTopic" => {
                let name = given("TopicArn")?.rsplit(':').next().unwrap_or_default().to_owned();
                self.with(|db| {
                    for statement in [
                        "DELETE FROM topics WHERE name = ?1",
                        "DELETE FROM subscriptions WHERE topic = ?1",
                        "DELETE FROM messages WHERE topic = ?1",
                    ] {
                        db.execute(statement, [&name])?;
                    }
                    Ok(String::new())
                })
            }
            "ListTopics" => {
                let members: String = self
                    .names()?
                    .iter()
                    .map(|name| format!("<member><TopicArn>{}</TopicArn></member>", arn(name)))
                    .collect();
                Ok(format!("<Topics>{members}</Topics>"))
            }
            "GetTopicAttributes" => {
                let name = self.topic(form.get("TopicArn"))?;
                let entry =
                    |key: &str, value: &str| format!("<entry><key>{key}</key><value>{value}</value></entry>");
                Ok(format!(
                    "<Attributes>{}{}</Attributes>",
                    entry("TopicArn", &arn(&name)),
                    entry("Owner", ACCOUNT)
                ))
            }
            "Subscribe" => self.subscribe(form),
            "ConfirmSubscription" => {
                let name = self.topic(form.get("TopicArn"))?;
                Ok(format!("<SubscriptionArn>{}</SubscriptionArn>", arn(&name)))
            }
            "Unsubscribe" => {
                let subscription = given("SubscriptionArn")?;
                self.with(|db| Ok(db.execute("DELETE FROM subscriptions WHERE arn = ?1", [subscription])?))?;
                Ok(String::new())
            }
            "ListSubscriptions" => self.subscriptions(None),
            "ListSubscriptionsByTopic" => {
                let name = self.topic(form.get("TopicArn"))?;
                self.subscriptions(Some(&name))
            }
            "Publish" => {
                let name = self.topic(form.get("TopicArn").or_else(|| form.get("TargetArn")))?;
                let id = self.publish(&name, given("Message")?, form.get("Subject").map(String::as_str))?;
                Ok(format!("<MessageId>{id}</MessageId>"))
            }
            other => Err(fault(
                StatusCode::BAD_REQUEST,
                "InvalidAction",
                format!("The action {} is not available in the local cloud.", escape(other)),
            )),
        }
    }

    fn names(&self) -> Result<Vec<String>, Fault> {
        self.with(|db| {
            let mut statement = db.prepare("SELECT name FROM topics ORDER BY name")?;
            let names = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
            Ok(names)
        })
    }

    fn subscribe(&self, form: &Form) -> Result<String, Fault> {
        let name = self.topic(form.get("TopicArn"))?;
        let protocol = form.get("Protocol").cloned().unwrap_or_default();
        let endpoint = form.get("Endpoint").cloned().unwrap_or_default();
        if protocol != "http" {
            return Err(invalid("Invalid parameter: only the protocol http is available in the local cloud"));
        }
        if endpoint.parse::<http::Uri>().ok().filter(|uri| uri.scheme_str() == Some("http")).is_none() {
            return Err(invalid("Invalid parameter: Endpoint must be an http URL"));
        }
        let raw = form.pairs.iter().any(|(key, value)| {
            key.starts_with("Attributes.entry.") && key.ends_with(".key") && value == "RawMessageDelivery"
        }) && form.pairs.iter().any(|(key, value)| {
            key.starts_with("Attributes.entry.") && key.ends_with(".value") && value == "true"
        });
        let fresh = format!("{}:{}", arn(&name), uuid::Uuid::new_v4());
        let subscription: String = self.with(|db| {
            db.execute(
                "INSERT OR IGNORE INTO subscriptions (arn, topic, protocol, endpoint, raw) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![fresh, name, protocol, endpoint, raw],
            )?;
            Ok(db.query_row(
                "SELECT arn FROM subscriptions WHERE topic = ?1 AND protocol = ?2 AND endpoint = ?3",
                params![name, protocol, endpoint],
                |row| row.get(0),
            )?)
        })?;
        // Confirmed at once, and told so in AWS's way: subscribers that wait
        // for the confirmation get it.
        let token = uuid::Uuid::new_v4().simple().to_string();
        let body = json!({
            "Type": "SubscriptionConfirmation", "MessageId": uuid::Uuid::new_v4().to_string(),
            "Token": token, "TopicArn": arn(&name), "Timestamp": now(),
            "Message": format!("You have chosen to subscribe to the topic {}.", arn(&name)),
            "SubscribeURL": format!(
                "http://{}/?Action=ConfirmSubscription&TopicArn={}&Token={token}", self.address, arn(&name)),
        });
        self.deliver(endpoint, "SubscriptionConfirmation", &arn(&name), body.to_string());
        Ok(format!("<SubscriptionArn>{subscription}</SubscriptionArn>"))
    }

    fn subscriptions(&self, topic: Option<&str>) -> Result<String, Fault> {
        let members: Vec<String> = self.with(|db| {
            let mut statement =
                db.prepare("SELECT arn, topic, protocol, endpoint FROM subscriptions ORDER BY topic, endpoint")?;
            let rows = statement.query_map([], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?, row.get::<_, String>(3)?))
            })?;
            let mut members = Vec::new();
            for row in rows {
                let (subscription, name, protocol, endpoint) = row?;
                if topic.is_none_or(|topic| topic == name) {
                    members.push(format!(
                        "<member><TopicArn>{}</TopicArn><Protocol>{protocol}</Protocol><SubscriptionArn>{subscription}</SubscriptionArn><Owner>{ACCOUNT}</Owner><Endpoint>{}</Endpoint></member>",
                        arn(&name),
                        escape(&endpoint)
                    ));
                }
            }
            Ok(members)
        })?;
        Ok(format!("<Subscriptions>{}</Subscriptions>", members.concat()))
    }

    fn publish(&self, topic: &str, message: &str, subject: Option<&str>) -> Result<String, Fault> {
        if message.is_empty() || message.len() > MAX_MESSAGE {
            return Err(invalid("Invalid parameter: Message must have 1 to 262144 bytes"));
        }
        let (id, time) = (uuid::Uuid::new_v4().to_string(), now());
        let subscribers: Vec<(String, String, bool)> = self.with(|db| {
            db.execute(
                "INSERT INTO messages (topic, id, time, subject, message) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![topic, id, time, subject, message],
            )?;
            db.execute(
                "DELETE FROM messages WHERE topic = ?1 AND number <= (SELECT MAX(number) FROM messages) - ?2",
                params![topic, KEPT],
            )?;
            let mut statement =
                db.prepare("SELECT arn, endpoint, raw FROM subscriptions WHERE topic = ?1")?;
            let rows = statement
                .query_map([topic], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
                .collect::<Result<_, _>>()?;
            Ok(rows)
        })?;
        for (subscription, endpoint, raw) in subscribers {
            let body = if raw {
                message.to_owned()
            } else {
                json!({
                    "Type": "Notification", "MessageId": id, "TopicArn": arn(topic), "Subject": subject,
                    "Message": message, "Timestamp": time,
                    "UnsubscribeURL": format!(
                        "http://{}/?Action=Unsubscribe&SubscriptionArn={subscription}", self.address),
                })
                .to_string()
            };
            self.deliver(endpoint, "Notification", &arn(topic), body);
        }
        Ok(id)
    }

    /// Posts to a subscriber in the background, a few times if need be.
    fn deliver(&self, endpoint: String, kind: &'static str, topic: &str, body: String) {
        let (http, topic) = (self.http.clone(), topic.to_owned());
        tokio::spawn(async move {
            for attempt in 0..ATTEMPTS {
                let request = http::Request::post(&endpoint)
                    .header("content-type", "text/plain; charset=UTF-8")
                    .header("x-amz-sns-message-type", kind)
                    .header("x-amz-sns-topic-arn", &topic)
                    .body(Full::new(Bytes::from(body.clone())));
                let Ok(request) = request else { return };
                match tokio::time::timeout(Duration::from_secs(15), http.request(request)).await {
                    Ok(Ok(response)) if response.status().is_success() => return,
                    other => {
                        let reason = match other {
                            Ok(Ok(response)) => response.status().to_string(),
                            Ok(Err(error)) => error.to_string(),
                            Err(_) => "no answer within 15 s".to_owned(),
                        };
                        tracing::warn!(endpoint, attempt, reason, "a message was not delivered");
                    }
                }
                tokio::time::sleep(Duration::from_millis(500 << attempt)).await;
            }
        });
    }
}

fn arn(topic: &str) -> String {
    format!("arn:aws:sns:{REGION}:{ACCOUNT}:{topic}")
}

fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The parameters of a request, from its form and its query string.
struct Form {
    pairs: Vec<(String, String)>,
}

impl Form {
    fn read(query: &str, body: &[u8]) -> Self {
        let body = String::from_utf8_lossy(body);
        let decode = |text: &str| {
            percent_encoding::percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
        };
        let pairs = query
            .split('&')
            .chain(body.split('&'))
            .filter_map(|pair| pair.split_once('='))
            .map(|(key, value)| (decode(key), decode(value)))
            .collect();
        Self { pairs }
    }

    fn get(&self, name: &str) -> Option<&String> {
        self.pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }
}

/// Serves the topics until told to stop.
pub(crate) fn serve(
    tasks: &mut JoinSet<()>,
    listener: TcpListener,
    topics: Topics,
    hosts: Hosts,
    unverified: Unverified,
    stop: CancellationToken,
) {
    // People look at messages with a browser or curl, unsigned.
    let people = Router::new()
        .route("/topics", get(list_topics))
        .route("/topics/{name}/messages", get(list_messages))
        .with_state(topics.clone());
    let endpoint = Sns { topics, people, unverified };
    tasks.spawn(async move {
        let stopped = stop.cancelled_owned();
        let served = mediadex_endpoint::serve(listener, endpoint, hosts, Limits::default(), stopped).await;
        if let Err(error) = served {
            tracing::error!(%error, "the SNS endpoint ended");
        }
    });
}

#[derive(Clone)]
struct Sns {
    topics: Topics,
    people: Router,
    unverified: Unverified,
}

impl Handler for Sns {
    type Body = axum::body::Body;

    async fn answer(&self, request: http::Request<RequestBody>) -> Response {
        let path = request.uri().path();
        if path == "/topics" || path.starts_with("/topics/") {
            if !request.extensions().get::<Caller>().is_some_and(Caller::is_on_this_machine) {
                let message = "Messages are shown only to clients on this machine.";
                return render("Error", Err(fault(StatusCode::FORBIDDEN, "AuthorizationError", message)))
                    .map(axum::body::Body::from);
            }
            // They have no body, whatever was sent.
            let request: Request = request.map(|_| axum::body::Body::empty());
            return match self.people.clone().call(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            };
        }
        let (action, result) = match self.act(request).await {
            Ok((action, inside)) => (action, Ok(inside)),
            Err(fault) => ("Error".to_owned(), Err(fault)),
        };
        render(&action, result).map(axum::body::Body::from)
    }

    fn refuse(&self, _path: &str, refusal: Refusal) -> http::Response<String> {
        let code = match refusal {
            Refusal::Host | Refusal::Origin | Refusal::Preflight => "AuthorizationError",
            Refusal::NotHttp | Refusal::UrlTooLong | Refusal::HeadTooLarge => "InvalidParameter",
            Refusal::Busy => "ServiceUnavailable",
        };
        render("Error", Err(fault(refusal.status(), code, refusal.message())))
    }
}

impl Sns {
    /// Does what a request asks for: the action, and the inside of its result.
    async fn act(&self, request: http::Request<RequestBody>) -> Result<(String, String), Fault> {
        let (head, body) = request.into_parts();
        let query = head.uri.query().unwrap_or_default();
        let denied = || {
            fault(
                StatusCode::FORBIDDEN,
                "SignatureDoesNotMatch",
                "The request must be signed with the access key of the local cloud.",
            )
        };
        let link = Form::read(query, &[]);
        let form = match sigv4::claim(&head, &self.topics.access_key_id) {
            Some(claim) => {
                let body = self.unverified.read(body, 2 * MAX_MESSAGE).await.map_err(unreadable)?;
                if !claim.holds(&head, &body.bytes, &self.topics.secret) {
                    return Err(denied());
                }
                if let Some(caller) = head.extensions.get::<Caller>() {
                    caller.set_verified();
                }
                Form::read(query, &body.bytes)
            }
            // A subscriber follows the confirmation's link unsigned; it changes
            // nothing.
            None if link.get("Action").is_some_and(|action| action == "ConfirmSubscription") => link,
            None => return Err(denied()),
        };
        let action = form.get("Action").cloned().unwrap_or_default();
        let topics = self.topics.clone();
        let done = tokio::task::spawn_blocking(move || topics.act(&form)).await;
        let inside = done.unwrap_or_else(|_| {
            Err(fault(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", "An internal error occurred."))
        })?;
        Ok((action, inside))
    }
}

/// The fault of a body that could not be read.
fn unreadable(error: BodyError) -> Fault {
    match error {
        BodyError::TooLarge => invalid("Invalid parameter: the request is too large"),
        BodyError::TooSlow => {
            fault(StatusCode::REQUEST_TIMEOUT, "RequestTimeout", "The request came too slowly.")
        }
        BodyError::Busy => fault(
            StatusCode::SERVICE_UNAVAILABLE,
            "ServiceUnavailable",
            "Too many large requests are being read; try again later.",
        ),
        BodyError::Broken(_) => invalid("Invalid parameter: the request could not be read"),
    }
}

fn render(action: &str, result: Result<String, Fault>) -> http::Response<String> {
    const NAMESPACE: &str = "http://sns.amazonaws.com/doc/2010-03-31/";
    let id = uuid::Uuid::new_v4();
    let (status, body) = match result {
        Ok(inside) => (
            StatusCode::OK,
            format!(
                "<{action}Response xmlns=\"{NAMESPACE}\"><{action}Result>{inside}</{action}Result><ResponseMetadata><RequestId>{id}</RequestId></ResponseMetadata></{action}Response>"
            ),
        ),
        Err(fault) => (
            fault.status,
            format!(
                "<ErrorResponse xmlns=\"{NAMESPACE}\"><Error><Type>Sender</Type><Code>{}</Code><Message>{}</Message></Error><RequestId>{id}</RequestId></ErrorResponse>",
                fault.code,
                escape(&fault.message)
            ),
        ),
    };
    let mut response = http::Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/xml"));
    response
}

async fn list_topics(State(topics): State<Topics>) -> Response {
    match topics.names() {
        Ok(names) => axum::Json(json!({ "topics": names })).into_response(),
        Err(fault) => fault.status.into_response(),
    }
}

async fn list_messages(State(topics): State<Topics>, PathParam(name): PathParam<String>) -> Response {
    let messages = topics.topic(Some(&name)).and_then(|name| {
        topics.with(|db| {
            let mut statement = db.prepare(
                "SELECT id, time, subject, message FROM messages WHERE topic = ?1 ORDER BY number",
            )?;
            let rows = statement.query_map([name], |row| {
                let message: String = row.get(3)?;
                Ok(json!({
                    "id": row.get::<_, String>(0)?,
                    "time": row.get::<_, String>(1)?,
                    "subject": row.get::<_, Option<String>>(2)?,
                    "message": serde_json::from_str::<Value>(&message).unwrap_or(Value::String(message)),
                }))
            })?;
            Ok(rows.collect::<Result<Vec<_>, _>>()?)
        })
    });
    match messages {
        Ok(messages) => axum::Json(json!({ "messages": messages })).into_response(),
        Err(fault) => (fault.status, axum::Json(json!({ "error": fault.message }))).into_response(),
    }
}
