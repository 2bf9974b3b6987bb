//! The API endpoint: plain HTTP in front of the gateway.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{Response, StatusCode};
use mediadex_core::gateway::{Gateway, HttpRequest, HttpResponse};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Bytes of a body that are read: a little more than the gateway accepts, so
/// that it can say so in the API's own words.
const MAX_BODY: usize = 7 * 1024 * 1024;

/// Serves the gateway until told to stop.
pub(crate) fn serve(
    tasks: &mut JoinSet<()>,
    listener: TcpListener,
    gateway: Gateway,
    stop: CancellationToken,
) {
    let router = Router::new().fallback(answer).with_state(gateway);
    tasks.spawn(async move {
        let served = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await;
        if let Err(error) = served {
            tracing::error!(%error, "the API endpoint ended");
        }
    });
}

async fn answer(State(gateway): State<Gateway>, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    // What is larger is cut here and refused there.
    let body = axum::body::to_bytes(body, MAX_BODY).await.unwrap_or_else(|_| Bytes::from(vec![0; MAX_BODY]));
    let headers = head
        .headers
        .iter()
        .map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        })
        .collect();
    let request = HttpRequest {
        method: head.method.as_str().to_owned(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers,
        body: body.to_vec(),
    };
    encode(gateway.handle(request).await)
}

fn encode(response: HttpResponse) -> Response<Body> {
    let mut builder = Response::builder().status(response.status);
    for (name, value) in &response.headers {
        builder = builder.header(name, value);
    }
    builder.body(Body::from(response.body)).unwrap_or_else(|_| {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        response
    })
}
