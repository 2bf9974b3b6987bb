//! Serving a store over HTTP.

use std::future::Future;
use std::io;
use std::sync::Arc;

use http::{HeaderValue, Request, Response, StatusCode, header};
use mediadex_endpoint::{Handler, Hosts, Limits, Refusal, RequestBody};
use s3s::auth::{S3Auth, SecretKey};
use s3s::host::{S3Host, VirtualHost};
use s3s::service::S3ServiceBuilder;
use s3s::{S3Result, s3_error};
use tokio::net::TcpListener;

use crate::access::Gate;
use crate::api::Endpoint;
use crate::api::answer::Instead;
use crate::request_id;
use crate::rewrite::Rewrite;
use crate::signing::Signed;
use crate::store::Store;

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

#[derive(Clone)]
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

/// The service behind the connection layer.
#[derive(Clone)]
struct S3Handler {
    service: Signed,
}

impl Handler for S3Handler {
    type Body = s3s::Body;

    async fn answer(&self, request: Request<RequestBody>) -> Response<s3s::Body> {
        request_id::add(match self.service.answer(request).await {
            Ok(mut response) => {
                Instead::apply(&mut response);
                response
            }
            Err(error) => {
                tracing::error!(?error, "a request could not be answered");
                let internal = "We encountered an internal error. Please try again.";
                error_document(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", internal)
                    .map(s3s::Body::from)
            }
        })
    }

    fn refuse(&self, _path: &str, refusal: Refusal) -> Response<String> {
        let (status, code) = match refusal {
            Refusal::Host => (refusal.status(), "MisdirectedRequest"),
            // What S3 answers where a bucket allows no other origin.
            Refusal::Origin | Refusal::Preflight => (refusal.status(), "AccessForbidden"),
            Refusal::NotHttp => (refusal.status(), "BadRequest"),
            Refusal::UrlTooLong => (refusal.status(), "RequestUriTooLong"),
            Refusal::HeadTooLarge => (StatusCode::BAD_REQUEST, "RequestHeaderSectionTooLarge"),
            Refusal::Busy => (refusal.status(), "SlowDown"),
        };
        request_id::add_to_refusal(error_document(status, code, refusal.message()))
    }
}

/// An error as S3 writes it. `code` and `message` are our own texts.
fn error_document(status: StatusCode, code: &str, message: &str) -> Response<String> {
    let message = message.replace('&', "&amp;").replace('<', "&lt;");
    let mut response = Response::new(format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    ));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    response
}

/// Serves the store under its hosts until `shutdown` completes, then lets
/// requests under way finish for up to ten seconds. Requests must be signed
/// (Signature Version 4, any region) with the credentials; path-style addresses
/// always work, and `bucket.localhost` does too. Web pages of other origins are
/// refused, see [`mediadex_endpoint`].
///
/// # Errors
/// If the listener's address cannot be read; errors of single connections are logged.
pub async fn serve(
    listener: TcpListener,
    store: Store,
    credentials: Credentials,
    hosts: Hosts,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let options = &store.inner.options;
    let (post_policy, region) = (options.post_policy, options.region.clone());
    let auth =
        OneKey { access_key: credentials.access_key, secret_key: SecretKey::from(credentials.secret_key) };
    let builder = || {
        let mut builder = S3ServiceBuilder::new(Endpoint(Arc::clone(&store.inner)));
        builder.set_access(Gate(Arc::clone(&store.inner)));
        builder.set_auth(auth.clone());
        builder.set_host(LocalHosts);
        builder
    };
    let mut first = builder();
    first.set_route(Rewrite(builder().build()));
    let handler = S3Handler { service: Signed::new(first.build(), post_policy, region) };
    let hosts = hosts.with_names_below_localhost();
    mediadex_endpoint::serve(listener, handler, hosts, Limits::default(), shutdown).await
}
