//! The SDK's S3 client over this HTTP client, against servers that speak just
//! enough of TLS and HTTP, or too little.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, LazyLock};

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_s3::Client as S3;
use aws_sdk_s3::error::{DisplayErrorContext, SdkError};
use rcgen::CertifiedKey;
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;

/// The certificate of every server here.
static CERTIFICATE: LazyLock<CertifiedKey<rcgen::KeyPair>> =
    LazyLock::new(|| rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap());

fn its_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add(CERTIFICATE.cert.der().clone()).unwrap();
    roots
}

/// What a server does with a request, by its number.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Answer {
    Status(u16),
    /// The connection is closed.
    Close,
    /// The connection is closed in the middle of the answer.
    Half,
    /// Nothing, for longer than anybody waits.
    Silence,
}

#[derive(Default)]
struct Counts {
    connections: AtomicUsize,
    requests: AtomicUsize,
}

struct Server {
    url: String,
    counts: Arc<Counts>,
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, answers: &[Answer], counts: &Counts) {
    let mut seen = Vec::new();
    while let Ok(byte) = stream.read_u8().await {
        seen.push(byte);
        if !seen.ends_with(b"\r\n\r\n") {
            continue;
        }
        seen.clear();
        let number = counts.requests.fetch_add(1, SeqCst);
        let text = match answers.get(number).unwrap_or(&Answer::Status(200)) {
            Answer::Status(status) => format!("HTTP/1.1 {status} X\r\ncontent-length: 2\r\n\r\nok"),
            Answer::Half => "HTTP/1.1 200 OK\r\nconte".to_owned(),
            Answer::Silence => std::future::pending().await,
            Answer::Close => return,
        };
        stream.write_all(text.as_bytes()).await.unwrap();
        if answers.get(number) == Some(&Answer::Half) {
            return;
        }
    }
}

impl Server {
    async fn start(is_tls: bool, answers: &'static [Answer]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let key = PrivateKeyDer::try_from(CERTIFICATE.signing_key.serialize_der()).unwrap();
        let chain = vec![CERTIFICATE.cert.der().clone()];
        let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let counts = Arc::new(Counts::default());
        let ours = counts.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, counts) = (acceptor.clone(), ours.clone());
                counts.connections.fetch_add(1, SeqCst);
                tokio::spawn(async move {
                    if !is_tls {
                        serve(stream, answers, &counts).await;
                    } else if let Ok(stream) = acceptor.accept(stream).await {
                        serve(stream, answers, &counts).await;
                    }
                });
            }
        });
        let scheme = if is_tls { "https" } else { "http" };
        Self { url: format!("{scheme}://localhost:{port}"), counts }
    }

    fn counts(&self) -> (usize, usize) {
        (self.counts.connections.load(SeqCst), self.counts.requests.load(SeqCst))
    }
}

/// Long enough for a busy machine, which loads the system's certificates meanwhile.
const PATIENCE: Duration = Duration::from_millis(1500);

fn s3(url: &str, roots: fn() -> RootCertStore, tries: u32) -> S3 {
    let http = Https { roots, connect_timeout: PATIENCE, pool: OnceLock::new() };
    let sdk = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
            "id", "secret", None, None, "test",
        )))
        .retry_config(
            RetryConfig::standard().with_max_attempts(tries).with_initial_backoff(Duration::from_millis(1)),
        )
        .timeout_config(TimeoutConfig::builder().read_timeout(PATIENCE).build())
        .sleep_impl(aws_smithy_async::rt::sleep::TokioSleep::new())
        .time_source(aws_smithy_async::time::SystemTimeSource::new())
        .endpoint_url(url)
        .http_client(SharedHttpClient::new(http))
        .build();
    S3::from_conf(aws_sdk_s3::config::Builder::from(&sdk).force_path_style(true).build())
}

async fn get(s3: &S3) -> Result<Vec<u8>, SdkError<aws_sdk_s3::operation::get_object::GetObjectError>> {
    let answer = s3.get_object().bucket("bucket").key("key").send().await?;
    Ok(answer.body.collect().await.unwrap().to_vec())
}

#[tokio::test]
async fn requests_share_a_connection() {
    for is_tls in [true, false] {
        let server = Server::start(is_tls, &[]).await;
        let s3 = s3(&server.url, its_roots, 1);
        for _ in 0..3 {
            assert_eq!(get(&s3).await.unwrap(), b"ok");
        }
        assert_eq!(server.counts(), (1, 3), "TLS: {is_tls}");
    }
}

#[tokio::test]
async fn a_server_without_a_known_certificate_is_told_nothing() {
    let server = Server::start(true, &[]).await;
    for roots in [RootCertStore::empty, system_roots] {
        let error = get(&s3(&server.url, roots, 1)).await.unwrap_err();
        let SdkError::DispatchFailure(failure) = &error else { unreachable!("{error:?}") };
        assert!(failure.is_io(), "{error:?}");
        let text = DisplayErrorContext(&error).to_string();
        assert!(text.contains("UnknownIssuer"), "{text}");
    }
    assert_eq!(server.counts().1, 0);
    // Nor one of another name.
    let other = server.url.replace("localhost", "127.0.0.1");
    let error = get(&s3(&other, its_roots, 1)).await.unwrap_err();
    assert!(DisplayErrorContext(&error).to_string().contains("NotValidForName"), "{error:?}");
    assert_eq!(server.counts().1, 0);
}

#[tokio::test]
async fn what_may_be_tried_again_is() {
    // A failure, and how many connections that and the second try take.
    let cases: [(&[Answer], usize); 4] = [
        (&[Answer::Close], 2),
        (&[Answer::Half], 2),
        (&[Answer::Silence], 2),
        // A server that failed may fail on the same connection again.
        (&[Answer::Status(503)], 2),
    ];
    for is_tls in [true, false] {
        for (answers, connections) in cases {
            let server = Server::start(is_tls, answers).await;
            assert!(get(&s3(&server.url, its_roots, 1)).await.is_err(), "{answers:?}");
            let server = Server::start(is_tls, answers).await;
            let answer = get(&s3(&server.url, its_roots, 2)).await;
            assert_eq!(answer.unwrap(), b"ok", "{answers:?}, TLS: {is_tls}");
            assert_eq!(server.counts(), (connections, 2), "{answers:?}, TLS: {is_tls}");
        }
    }
}

#[tokio::test]
async fn a_refusal_is_final() {
    let server = Server::start(true, &[Answer::Status(403)]).await;
    assert!(get(&s3(&server.url, its_roots, 3)).await.is_err());
    assert_eq!(server.counts(), (1, 1));
}

/// A server that takes the connection and says nothing, TLS's first word included.
#[tokio::test]
async fn nobody_is_waited_for_without_end() {
    let mute = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}", mute.local_addr().unwrap().port());
    let error = get(&s3(&url, its_roots, 1)).await.unwrap_err();
    let SdkError::DispatchFailure(failure) = &error else { unreachable!("{error:?}") };
    assert!(failure.is_timeout(), "{error:?}");

    let server = Server::start(true, &[Answer::Silence]).await;
    let error = get(&s3(&server.url, its_roots, 1)).await.unwrap_err();
    let SdkError::DispatchFailure(failure) = &error else { unreachable!("{error:?}") };
    assert!(failure.is_timeout(), "{error:?}");

    // Nobody at all.
    let url = {
        let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
        format!("http://localhost:{}", gone.local_addr().unwrap().port())
    };
    let error = get(&s3(&url, its_roots, 1)).await.unwrap_err();
    let SdkError::DispatchFailure(failure) = &error else { unreachable!("{error:?}") };
    assert!(failure.is_io(), "{error:?}");
}
