//! The HTTP client of the SDK in functions and in the command line: HTTP/1.1 over
//! TLS, which is all that the services speak. The SDK's own client has HTTP/2 and
//! proxies as well, a tenth of what a function may weigh.

use std::error::Error;
use std::pin::Pin;
use std::sync::OnceLock;
use std::task::{Context, Poll};
use std::time::Duration;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::connection::{CaptureSmithyConnection, ConnectionMetadata};
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::retry::ErrorKind;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::{self, CaptureConnection, HttpInfo, capture_connection};
use hyper_util::client::legacy::{self, Client};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::{ClientConfig, RootCertStore};
use tower_service::Service;

/// What the SDK's own client waits for a connection, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(3100);

/// A client with one pool of connections, for all services.
pub fn client() -> SharedHttpClient {
    SharedHttpClient::new(Https {
        roots: system_roots,
        connect_timeout: CONNECT_TIMEOUT,
        pool: OnceLock::new(),
    })
}

type Pool = Client<Timely<HttpsConnector<connect::HttpConnector>>, SdkBody>;

/// The pool is made when first asked for: it reads the system's certificates.
#[derive(Debug)]
struct Https {
    roots: fn() -> RootCertStore,
    connect_timeout: Duration,
    pool: OnceLock<Pool>,
}

fn system_roots() -> RootCertStore {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        tracing::error!(errors = ?found.errors, "this system has no certificates: no service can be verified");
    }
    roots
}

fn pool(roots: RootCertStore, connect_timeout: Duration) -> Pool {
    let mut tcp = connect::HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    let tls = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let https = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1();
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .build(Timely { inner: https.wrap_connector(tcp), timeout: connect_timeout })
}

impl HttpClient for Https {
    fn http_connector(&self, settings: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        let pool = self.pool.get_or_init(|| pool((self.roots)(), self.connect_timeout)).clone();
        SharedHttpConnector::new(Connector { pool, read_timeout: settings.read_timeout() })
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        Some(ConnectorMetadata::new("hyper", Some("1.x".into())))
    }
}

#[derive(Debug)]
struct Connector {
    pool: Pool,
    read_timeout: Option<Duration>,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let mut request = match request.try_into_http1x() {
            Ok(request) => request,
            Err(error) => return HttpConnectorFuture::ready(Err(ConnectorError::user(error.into()))),
        };
        // A connection that answered with an error of the server is not used again.
        let connection = capture_connection(&mut request);
        if let Some(capture) = request.extensions().get::<CaptureSmithyConnection>() {
            capture.set_connection_retriever(move || metadata(&connection));
        }
        let response = self.pool.request(request);
        let timeout = self.read_timeout;
        HttpConnectorFuture::new(async move {
            let response = match timeout {
                None => response.await,
                Some(timeout) => tokio::time::timeout(timeout, response)
                    .await
                    .map_err(|late| ConnectorError::timeout(late.into()))?,
            };
            let response = response.map_err(classify)?.map(SdkBody::from_body_1_x);
            HttpResponse::try_from(response).map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

fn metadata(connection: &CaptureConnection) -> Option<ConnectionMetadata> {
    let to_poison = connection.clone();
    let connected = connection.connection_metadata();
    let mut extensions = http::Extensions::new();
    connected.as_ref()?.get_extras(&mut extensions);
    let mut metadata = ConnectionMetadata::builder().proxied(false).poison_fn(move || {
        if let Some(connected) = to_poison.connection_metadata().as_ref() {
            connected.poison();
        }
    });
    if let Some(info) = extensions.get::<HttpInfo>() {
        metadata = metadata.local_addr(info.local_addr()).remote_addr(info.remote_addr());
    }
    Some(metadata.build())
}

/// The first error of a kind among an error's causes.
fn cause<'e, E: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// Which errors the SDK may try again, as its own client tells it.
fn classify(error: legacy::Error) -> ConnectorError {
    let is_late = cause::<tokio::time::error::Elapsed>(&error).is_some();
    let is_io = error.is_connect() || cause::<std::io::Error>(&error).is_some();
    let of_http = cause::<hyper::Error>(&error);
    let is = |test: fn(&hyper::Error) -> bool| of_http.is_some_and(test);
    if is_late || is(hyper::Error::is_timeout) {
        ConnectorError::timeout(error.into())
    } else if is(hyper::Error::is_user) {
        ConnectorError::user(error.into())
    } else if is_io || is(hyper::Error::is_closed) || is(hyper::Error::is_canceled) {
        ConnectorError::io(error.into())
    } else if is(hyper::Error::is_incomplete_message) {
        ConnectorError::other(error.into(), Some(ErrorKind::TransientError))
    } else {
        ConnectorError::other(error.into(), None)
    }
}

/// A connector that does not wait for longer than this.
#[derive(Debug, Clone)]
struct Timely<C> {
    inner: C,
    timeout: Duration,
}

impl<C, T> Service<T> for Timely<C>
where
    C: Service<T>,
    C::Error: Into<BoxError>,
    C::Future: Send + 'static,
{
    type Response = C::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<C::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, target: T) -> Self::Future {
        let connecting = tokio::time::timeout(self.timeout, self.inner.call(target));
        Box::pin(async move { connecting.await?.map_err(Into::into) })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests;
