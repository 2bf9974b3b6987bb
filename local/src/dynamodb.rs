//! The DynamoDB endpoint: dynoxide, over SQLite in the state directory.
//! Clients of this process read ranges beside it, see `replica.rs`.
//!
//! dynoxide's own server takes any key and answers pages of any origin, so it
//! is not what others see. It listens where nobody looks: on a random address
//! of the loopback network, which has 16 million, or where a system has but one
//! of them, on a random port. Others come through a guard that wants every
//! request signed.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::Context;
use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Request, Response, StatusCode, header};
use bytes::Bytes;
use dynoxide::Database;
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use mediadex_endpoint::{BodyError, Caller, Handler, Hosts, Limits, Refusal, RequestBody, Unverified};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::sigv4;

/// Threads of the endpoint: one works in the database, the others read requests
/// and write replies.
const THREADS: usize = 3;

/// Where the database of a state directory is.
pub(crate) fn path(directory: &Path) -> PathBuf {
    directory.join("dynamodb.sqlite")
}

/// Bytes of a request: what DynamoDB takes, 16 MB, and its frame.
const MAX_BODY: usize = 17 * 1024 * 1024;

/// A listener for the database itself.
///
/// # Errors
/// When no port is free.
pub(crate) async fn hidden() -> std::io::Result<TcpListener> {
    let [_, second, third, fourth] = rand::random::<u32>().to_be_bytes();
    let hidden = Ipv4Addr::new(127, second, third, fourth.clamp(1, 254));
    match TcpListener::bind(SocketAddr::new(IpAddr::V4(hidden), 0)).await {
        Ok(listener) => Ok(listener),
        // macOS has 127.0.0.1 alone.
        Err(_) => TcpListener::bind(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0)).await,
    }
}

/// The guard before the database.
#[derive(Clone)]
struct Guard {
    database: SocketAddr,
    access_key_id: String,
    secret: String,
    unverified: Unverified,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// How others reach the database.
pub(crate) struct Outside {
    pub(crate) listener: TcpListener,
    pub(crate) hosts: Hosts,
    pub(crate) unverified: Unverified,
}

/// Serves others: what is signed with the key goes to the database.
pub(crate) fn guard(
    tasks: &mut JoinSet<()>,
    outside: Outside,
    database: SocketAddr,
    access_key_id: &str,
    secret: &str,
    stop: CancellationToken,
) {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let guard = Guard {
        database,
        access_key_id: access_key_id.to_owned(),
        secret: secret.to_owned(),
        unverified: outside.unverified,
        client: Client::builder(TokioExecutor::new()).build(connector),
    };
    tasks.spawn(async move {
        let (listener, hosts, stopped) = (outside.listener, outside.hosts, stop.cancelled_owned());
        let served = mediadex_endpoint::serve(listener, guard, hosts, Limits::default(), stopped).await;
        if let Err(error) = served {
            tracing::error!(%error, "the DynamoDB endpoint ended");
        }
    });
}

/// What went wrong, as DynamoDB says it.
#[derive(Clone, Copy)]
struct Fault {
    status: StatusCode,
    kind: &'static str,
    message: &'static str,
}

fn fault(status: StatusCode, kind: &'static str, message: &'static str) -> Fault {
    Fault { status, kind, message }
}

impl Fault {
    fn render(self) -> Response<String> {
        let body = serde_json::json!({
            "__type": format!("com.amazon.coral.service#{}", self.kind), "message": self.message
        });
        let mut response = Response::new(body.to_string());
        *response.status_mut() = self.status;
        let json = HeaderValue::from_static("application/x-amz-json-1.0");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
        response
    }
}

impl Handler for Guard {
    type Body = Body;

    async fn answer(&self, request: Request<RequestBody>) -> Response<Body> {
        self.pass(request).await.unwrap_or_else(|fault| fault.render().map(Body::from))
    }

    fn refuse(&self, _path: &str, refusal: Refusal) -> Response<String> {
        let kind = match refusal {
            Refusal::Host | Refusal::Origin | Refusal::Preflight => "AccessDeniedException",
            Refusal::NotHttp | Refusal::UrlTooLong | Refusal::HeadTooLarge => "SerializationException",
            Refusal::Busy => "ServiceUnavailableException",
        };
        fault(refusal.status(), kind, refusal.message()).render()
    }
}

fn unsigned() -> Fault {
    fault(
        StatusCode::BAD_REQUEST,
        "UnrecognizedClientException",
        "The request must be signed with the access key of the local cloud.",
    )
}

/// The answer to a body that could not be read.
fn unreadable(error: &BodyError) -> Fault {
    let (status, kind, message) = match error {
        BodyError::TooLarge => {
            (StatusCode::PAYLOAD_TOO_LARGE, "SerializationException", "The request is too large.")
        }
        BodyError::TooSlow => {
            (StatusCode::REQUEST_TIMEOUT, "RequestTimeoutException", "The request came too slowly.")
        }
        BodyError::Busy => (
            StatusCode::SERVICE_UNAVAILABLE,
            "ServiceUnavailableException",
            "Too many large requests are being read; try again later.",
        ),
        BodyError::Broken(_) => {
            (StatusCode::BAD_REQUEST, "SerializationException", "The request could not be read.")
        }
    };
    fault(status, kind, message)
}

impl Guard {
    async fn pass(&self, request: Request<RequestBody>) -> Result<Response<Body>, Fault> {
        let (mut head, body) = request.into_parts();
        let claim = sigv4::claim(&head, &self.access_key_id).ok_or_else(unsigned)?;
        let body = self.unverified.read(body, MAX_BODY).await.map_err(|error| unreadable(&error))?;
        if !claim.holds(&head, &body.bytes, &self.secret) {
            return Err(unsigned());
        }
        if let Some(caller) = head.extensions.remove::<Caller>() {
            caller.set_verified();
        }
        head.headers.remove(header::ORIGIN);
        head.headers.remove(header::HOST);
        let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
        head.uri = format!("http://{}{target}", self.database).parse().map_err(|_| {
            fault(StatusCode::BAD_REQUEST, "SerializationException", "The path is not valid.")
        })?;
        let request = Request::from_parts(head, Full::new(body.bytes.clone()));
        let answer = self.client.request(request).await.map_err(|error| {
            tracing::error!(%error, "the database does not answer");
            fault(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", "The database does not answer.")
        })?;
        let (mut head, body) = answer.into_parts();
        // Pages of other origins get no leave to read the answer.
        let allowed: Vec<HeaderName> = head
            .headers
            .keys()
            .filter(|name| name.as_str().starts_with("access-control-"))
            .cloned()
            .collect();
        for name in allowed {
            head.headers.remove(name);
        }
        Ok(Response::from_parts(head, Body::new(body)))
    }
}

/// Serves the database until told to stop. What is `ephemeral` is not worth
/// waiting for the disk.
pub(crate) async fn serve(
    tasks: &mut JoinSet<()>,
    listener: TcpListener,
    directory: &Path,
    ephemeral: bool,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let path = path(directory);
    let database = tokio::task::spawn_blocking(move || {
        let database = Database::new(&path.to_string_lossy())?;
        if ephemeral {
            database.enable_bulk_loading()?;
        }
        Ok::<_, dynoxide::DynoxideError>(database)
    })
    .await?
    .context("the database cannot be opened")?;
    let sweeper = database.clone();
    let sweep_stop = stop.clone();
    tasks.spawn(async move {
        // Time to live: DynamoDB forgets expired items in the background.
        let mut every = tokio::time::interval(std::time::Duration::from_secs(3600));
        loop {
            tokio::select! {
                () = sweep_stop.cancelled() => return,
                _ = every.tick() => {
                    let sweeper = sweeper.clone();
                    let swept = tokio::task::spawn_blocking(move || sweeper.sweep_ttl()).await;
                    if let Ok(Err(error)) = swept {
                        tracing::warn!(%error, "expired items were not removed");
                    }
                }
            }
        }
    });
    // A runtime of its own: a request waits for the database's lock with its
    // thread, and must not hold one that a client of ours needs to go on.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .thread_name("dynamodb")
        .enable_all()
        .build()
        .context("the threads of the database cannot be started")?;
    let listener = listener.into_std()?;
    // A thread, not a blocking task: a process that ends without a shutdown must
    // not wait for it.
    let (ended, end) = tokio::sync::oneshot::channel::<()>();
    std::thread::Builder::new().name("dynamodb".to_owned()).spawn(move || {
        let served = runtime.block_on(async {
            let listener = TcpListener::from_std(listener).map_err(|error| error.to_string())?;
            dynoxide::server::serve_with_shutdown(listener, database, stop.cancelled_owned()).await
        });
        if let Err(error) = served {
            tracing::error!(error, "the DynamoDB endpoint ended");
        }
        runtime.shutdown_timeout(std::time::Duration::from_secs(2));
        drop(ended);
    })?;
    tasks.spawn(async move {
        // Closed, whatever is sent: the thread is at its end.
        end.await.ok();
    });
    Ok(())
}
