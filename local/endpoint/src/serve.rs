//! Accepting connections and handing their requests to a handler.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, EXPECT};
use http::{HeaderValue, Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::connection::{Connections, Phase, State};
use crate::socket::{Socket, last_answer};
use crate::{Caller, Hosts, Limits, Refusal, RequestBody};

/// Bytes of a connection that are read ahead, and so the most that the head of
/// a request may have. Two URLs of the longest kind fit.
const READ_AHEAD: usize = 128 * 1024;
/// Characters of a stranger's header that a line of the log shows.
const MAX_LOGGED: usize = 200;

/// An error of any kind.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What answers the requests of an endpoint.
pub trait Handler: Clone + Send + Sync + Unpin + 'static {
    /// The body of its answers.
    type Body: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static;

    /// Answers a request. Its [`Caller`] is among its extensions.
    fn answer(&self, request: Request<RequestBody>) -> impl Future<Output = Response<Self::Body>> + Send;

    /// The answer to a request that is refused, in the shape that clients of
    /// this endpoint read.
    fn refuse(&self, path: &str, refusal: Refusal) -> Response<String>;
}

/// The body of an answer; dropped when it has been written.
struct AnswerBody {
    inner: UnsyncBoxBody<Bytes, BoxError>,
    state: Arc<State>,
}

impl Drop for AnswerBody {
    fn drop(&mut self) {
        self.state.answered();
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Pin::new(&mut self.inner).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// What all connections of a port share.
struct Port<H> {
    handler: H,
    hosts: Hosts,
    limits: Arc<Limits>,
}

impl<H: Handler> Port<H> {
    async fn answer(&self, request: Request<Incoming>, state: &Arc<State>) -> Response<AnswerBody> {
        state.enter(Phase::Busy);
        let (mut head, body) = request.into_parts();
        // Made first: it notes whether there is a body that may stay unread.
        let body = RequestBody::new(body, Arc::clone(state), Arc::clone(&self.limits));
        // Clients that are answered without the 100 they wait for, as the HTTP
        // library does where there is no body, must not use the connection again:
        // many a botocore sends no body of any later request on it.
        let is_left_waiting = body.is_end_stream() && head.headers.contains_key(EXPECT);
        let mut answer = match self.hosts.check(&head) {
            Ok(()) => {
                head.extensions.insert(Caller(Arc::clone(state)));
                let answer = self.handler.answer(Request::from_parts(head, body)).await;
                answer.map(|body| body.map_err(Into::into).boxed_unsync())
            }
            Err(refusal) => {
                log(&head, refusal);
                self.handler
                    .refuse(head.uri.path(), refusal)
                    .map(|text| Full::new(Bytes::from(text)).map_err(|never| match never {}).boxed_unsync())
            }
        };
        if is_left_waiting {
            answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        answer.map(|inner| AnswerBody { inner, state: Arc::clone(state) })
    }
}

fn log(head: &http::request::Parts, refusal: Refusal) {
    let header = |name: &str| {
        let value = head.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
        value.unwrap_or_default().chars().take(MAX_LOGGED).collect::<String>()
    };
    let path: String = head.uri.path().chars().take(MAX_LOGGED).collect();
    tracing::warn!(
        method = %head.method,
        path,
        host = header("host"),
        origin = header("origin"),
        sec_fetch_site = header("sec-fetch-site"),
        reason = refusal.message(),
        "a request was refused"
    );
}

/// Serves a listener until `shutdown` completes, then lets requests under way
/// finish for as long as the limits say.
///
/// # Errors
/// If the listener's address cannot be read; errors of single connections are
/// logged.
pub async fn serve<H: Handler>(
    listener: TcpListener,
    handler: H,
    hosts: Hosts,
    limits: Limits,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let address = listener.local_addr()?;
    let limits = Arc::new(limits);
    let port = Arc::new(Port { handler, hosts, limits: Arc::clone(&limits) });
    let mut http = hyper::server::conn::http1::Builder::new();
    // Connections have their own timeouts, see `State::must_end`.
    http.keep_alive(true).header_read_timeout(None).max_buf_size(READ_AHEAD);
    let graceful = GracefulShutdown::new();
    let connections = Arc::new(Connections::default());
    let stop = CancellationToken::new();
    let mut shutdown = std::pin::pin!(shutdown);
    tracing::info!(%address, "the endpoint is up");
    loop {
        let (socket, peer) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of descriptors, most likely; trying again at once would spin.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
            () = shutdown.as_mut() => break,
        };
        // Without it, answers wait for acknowledgements that the client delays.
        if let Err(error) = socket.set_nodelay(true) {
            tracing::debug!(%error, "no TCP_NODELAY");
        }
        let state = State::new(peer.ip());
        let Some(place) = connections.place(&state, limits.connections) else {
            turn_away(socket, &port.handler);
            continue;
        };
        let socket = Socket::new(socket, port.handler.clone(), Arc::clone(&state), Arc::clone(&limits));
        let (served, serving) = (Arc::clone(&port), Arc::clone(&state));
        let service = service_fn(move |request| {
            let (port, state) = (Arc::clone(&served), Arc::clone(&serving));
            async move { Ok::<_, Infallible>(port.answer(request, &state).await) }
        });
        let connection = graceful.watch(http.serve_connection(TokioIo::new(socket), service));
        let (limits, stop) = (Arc::clone(&limits), stop.clone());
        tokio::spawn(async move {
            let _place = place;
            tokio::select! {
                served = connection => if let Err(error) = served {
                    tracing::debug!(%error, "a connection broke");
                },
                reason = state.must_end(&limits, &stop) => {
                    tracing::debug!(reason, "a connection was closed");
                }
            }
        });
    }
    drop(listener);
    stop.cancel();
    if tokio::time::timeout(limits.shutdown, graceful.shutdown()).await.is_err() {
        tracing::warn!(%address, "requests were cut off at shutdown");
    }
    Ok(())
}

/// Tells a client that there are too many connections.
fn turn_away<H: Handler>(mut socket: TcpStream, handler: &H) {
    let answer = last_answer(handler.refuse("/", Refusal::Busy));
    tokio::spawn(async move {
        // The few bytes fit into the socket's buffer. A client that does not
        // take them is not waited for.
        let told = async {
            socket.write_all(&answer).await?;
            socket.shutdown().await
        };
        if let Ok(Err(error)) = tokio::time::timeout(Duration::from_secs(1), told).await {
            tracing::debug!(%error, "a client was not told that there are too many connections");
        }
    });
}
