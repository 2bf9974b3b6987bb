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
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderName, Response, StatusCode, header};
use bytes::Bytes;
use dynoxide::Database;
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
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
    client: Client<HttpConnector, Full<Bytes>>,
}

/// Serves others: what is signed with the key goes to the database.
pub(crate) fn guard(
    tasks: &mut JoinSet<()>,
    listener: TcpListener,
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
        client: Client::builder(TokioExecutor::new()).build(connector),
    };
    let router = Router::new().fallback(pass).with_state(guard);
    tasks.spawn(async move {
        let served = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await;
        if let Err(error) = served {
            tracing::error!(%error, "the DynamoDB endpoint ended");
        }
    });
}

/// An error as DynamoDB writes it.
fn fault(status: StatusCode, kind: &str, message: &str) -> Response<Body> {
    let body = serde_json::json!({
        "__type": format!("com.amazon.coral.service#{kind}"), "message": message
    });
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    let json = axum::http::HeaderValue::from_static("application/x-amz-json-1.0");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

async fn pass(State(guard): State<Guard>, request: Request) -> Response<Body> {
    let (mut head, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, MAX_BODY).await else {
        return fault(StatusCode::PAYLOAD_TOO_LARGE, "SerializationException", "The request is too large.");
    };
    if !sigv4::is_signed(&head, &body, &guard.access_key_id, &guard.secret) {
        return fault(
            StatusCode::BAD_REQUEST,
            "UnrecognizedClientException",
            "The request must be signed with the access key of the local cloud.",
        );
    }
    // Pages of other origins get no leave to read the answer.
    head.headers.remove(header::ORIGIN);
    head.headers.remove(header::HOST);
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
    let Ok(uri) = format!("http://{}{target}", guard.database).parse() else {
        return fault(StatusCode::BAD_REQUEST, "SerializationException", "The path is not valid.");
    };
    head.uri = uri;
    match guard.client.request(Request::from_parts(head, Full::new(body))).await {
        Ok(answer) => {
            let (mut head, body) = answer.into_parts();
            let allowed: Vec<HeaderName> = head
                .headers
                .keys()
                .filter(|name| name.as_str().starts_with("access-control-"))
                .cloned()
                .collect();
            for name in allowed {
                head.headers.remove(name);
            }
            Response::from_parts(head, Body::new(body))
        }
        Err(error) => {
            tracing::error!(%error, "the database does not answer");
            fault(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", "The database does not answer.")
        }
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
