//! Serving a store over HTTP.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use s3s::auth::{S3Auth, SecretKey};
use s3s::host::{S3Host, VirtualHost};
use s3s::service::S3ServiceBuilder;
use s3s::{S3Result, s3_error};
use tokio::net::TcpListener;

use crate::access::Gate;
use crate::api::Endpoint;
use crate::signing::Signed;
use crate::store::Store;

/// How long requests under way may take once the server is told to stop.
const GRACE: Duration = Duration::from_secs(10);
/// How long a client may take to send the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);

/// The one pair of keys that may use the endpoint.
#[derive(Clone)]
pub struct Credentials {
    /// The access key id.
    pub access_key: String,
    /// The secret key.
    pub secret_key: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("access_key", &self.access_key).finish_non_exhaustive()
    }
}

struct OneKey {
    access_key: String,
    secret_key: SecretKey,
}

#[async_trait::async_trait]
impl S3Auth for OneKey {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        // s3s's own SimpleAuth answers NotSignedUp, which no client expects.
        if access_key == self.access_key {
            Ok(self.secret_key.clone())
        } else {
            Err(s3_error!(
                InvalidAccessKeyId,
                "The AWS Access Key Id you provided does not exist in our records."
            ))
        }
    }
}

/// Takes the bucket from hosts like `bucket.localhost` and
/// `bucket.s3.localhost`; every other host is path-style.
struct LocalHosts;

impl S3Host for LocalHosts {
    fn parse_host_header<'a>(&'a self, host: &'a str) -> S3Result<VirtualHost<'a>> {
        let name = host.rsplit_once(':').map_or(host, |(name, _port)| name);
        let bucket = [".s3.localhost", ".localhost"]
            .iter()
            .find_map(|domain| name.strip_suffix(domain))
            .filter(|bucket| s3s::path::check_bucket_name(bucket));
        Ok(match bucket {
            Some(bucket) => VirtualHost::new(name).with_bucket(bucket),
            None => VirtualHost::new(name),
        })
    }
}

/// Serves the store until `shutdown` completes, then lets requests under way
/// finish for up to ten seconds. Requests must be signed (Signature Version 4,
/// any region) with the credentials; path-style addresses always work, and
/// `bucket.localhost` does too.
///
/// # Errors
/// If the listener's address cannot be read; errors of single connections are logged.
pub async fn serve(
    listener: TcpListener,
    store: Store,
    credentials: Credentials,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let address = listener.local_addr()?;
    let post_policy = store.inner.options.post_policy;
    let mut builder = S3ServiceBuilder::new(Endpoint(Arc::clone(&store.inner)));
    builder.set_access(Gate(store.inner));
    builder.set_auth(OneKey {
        access_key: credentials.access_key,
        secret_key: SecretKey::from(credentials.secret_key),
    });
    builder.set_host(LocalHosts);
    let service = Signed::new(builder.build(), post_policy);
    let mut http = hyper::server::conn::http1::Builder::new();
    http.keep_alive(true).timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    let graceful = GracefulShutdown::new();
    let mut shutdown = std::pin::pin!(shutdown);
    tracing::info!(%address, "s3 endpoint is up");
    loop {
        let socket = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((socket, _peer)) => socket,
                Err(error) => {
                    // Out of descriptors, most likely; trying again at once would spin.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
            () = shutdown.as_mut() => break,
        };
        if let Err(error) = socket.set_nodelay(true) {
            tracing::debug!(%error, "no TCP_NODELAY");
        }
        let connection = graceful.watch(http.serve_connection(TokioIo::new(socket), service.clone()));
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection broke");
            }
        });
    }
    drop(listener);
    if tokio::time::timeout(GRACE, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests were cut off at shutdown");
    }
    Ok(())
}
