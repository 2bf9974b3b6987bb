//! An endpoint over real connections, with limits short enough for a test.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use mediadex_endpoint::{
    BodyError, Caller, FREE_BODY, Handler, Hosts, Limits, Refusal, RequestBody, Unverified, read, serve,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

/// Says how many bytes the body has. `/unread` does not read it, `/unverified`
/// takes it from the budget, `/verified` knows the caller, `/slow` takes its
/// time.
#[derive(Clone)]
struct Counting {
    unverified: Unverified,
}

impl Handler for Counting {
    type Body = Full<Bytes>;

    async fn answer(&self, request: Request<RequestBody>) -> Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        if head.uri.path() == "/verified" || head.uri.path() == "/slow" {
            head.extensions.get::<Caller>().unwrap().set_verified();
        }
        let read = match head.uri.path() {
            "/unread" => Ok(0),
            "/unverified" => self.unverified.read(body, 1 << 20).await.map(|held| held.bytes.len()),
            "/slow" => {
                tokio::time::sleep(Duration::from_secs(2)).await;
                Ok(0)
            }
            _ => read(body, 1 << 20).await.map(|bytes| bytes.len()),
        };
        let (status, text) = match read {
            Ok(bytes) => (StatusCode::OK, format!("{bytes} bytes")),
            Err(BodyError::TooLarge) => (StatusCode::PAYLOAD_TOO_LARGE, "too large".to_owned()),
            Err(BodyError::TooSlow) => (StatusCode::REQUEST_TIMEOUT, "too slow".to_owned()),
            Err(BodyError::Busy) => (StatusCode::SERVICE_UNAVAILABLE, "no memory".to_owned()),
            Err(BodyError::Broken(_)) => (StatusCode::BAD_REQUEST, "broken".to_owned()),
        };
        let mut response = Response::new(Full::new(Bytes::from(text)));
        *response.status_mut() = status;
        response
    }

    fn refuse(&self, _path: &str, refusal: Refusal) -> Response<String> {
        let mut response = Response::new(format!("refused: {refusal:?}"));
        *response.status_mut() = refusal.status();
        response
    }
}

struct Served {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: tokio::task::JoinHandle<()>,
}

impl Served {
    async fn start(limits: Limits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let handler = Counting { unverified: Unverified::new(1 << 20, Duration::from_millis(300)) };
        let task = tokio::spawn(async move {
            let hosts = Hosts::of(address.ip(), &[]);
            let stopped = async {
                stopped.await.ok();
            };
            serve(listener, handler, hosts, limits, stopped).await.unwrap();
        });
        Self { address, stop, task }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends bytes and reads until the connection ends.
    async fn ask(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect().await;
        stream.write_all(bytes).await.unwrap();
        rest(&mut stream).await
    }
}

/// All that still comes. A reset counts as an end.
async fn rest(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await;
    read.unwrap_or_else(|_| panic!("the connection does not end")).ok();
    String::from_utf8(answer).unwrap()
}

/// One answer of a connection that goes on.
async fn answer(stream: &mut TcpStream) -> String {
    let mut bytes = [0; 4096];
    let read = tokio::time::timeout(Duration::from_secs(20), stream.read(&mut bytes)).await.unwrap().unwrap();
    String::from_utf8_lossy(bytes.get(..read).unwrap()).into_owned()
}

fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_of_pages_and_no_requests_are_refused_in_the_shape_of_the_endpoint() {
    let served = Served::start(Limits::default()).await;
    let end = "connection: close\r\n\r\n";
    let table = [
        (format!("GET / HTTP/1.1\r\nhost: localhost\r\n{end}"), "200", "0 bytes"),
        (format!("GET / HTTP/1.1\r\nhost: evil.test\r\n{end}"), "421", "refused: Host"),
        (format!("GET / HTTP/1.1\r\n{end}"), "421", "refused: Host"),
        (format!("GET / HTTP/1.1\r\nhost: localhost\r\norigin: null\r\n{end}"), "403", "refused: Origin"),
        (
            format!("GET / HTTP/1.1\r\nhost: localhost\r\nsec-fetch-site: same-site\r\n{end}"),
            "403",
            "refused: Origin",
        ),
        (
            format!("OPTIONS / HTTP/1.1\r\nhost: localhost\r\naccess-control-request-method: PUT\r\n{end}"),
            "403",
            "refused: Preflight",
        ),
        ("this is not HTTP\r\n\r\n".to_owned(), "400", "refused: NotHttp"),
        (format!("GET /{} HTTP/1.1\r\nhost: a\r\n{end}", "x".repeat(70_000)), "414", "refused: UrlTooLong"),
        (
            format!("GET / HTTP/1.1\r\nhost: a\r\nh: {}\r\n{end}", "x".repeat(600_000)),
            "431",
            "refused: HeadTooLarge",
        ),
    ];
    for (sent, status, text) in table {
        let got = served.ask(sent.as_bytes()).await;
        let shown = sent.get(..60.min(sent.len()));
        assert!(got.starts_with(&format!("HTTP/1.1 {status} ")), "{shown:?}: {got}");
        assert!(got.ends_with(text), "{shown:?}: {got}");
        assert!(!got.to_ascii_lowercase().contains("access-control"), "{got}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_waits_for_100_reads_it_or_the_end() {
    let served = Served::start(Limits::default()).await;
    let head = "POST / HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\n";
    // Nothing to wait with: the answer comes at once, and the connection ends with it.
    for path in ["/", "/unread"] {
        let empty = head.replacen('/', path, 1) + "content-length: 0\r\n\r\n";
        let got = served.ask(empty.as_bytes()).await;
        assert!(got.starts_with("HTTP/1.1 200 ") && got.contains("connection: close\r\n"), "{got}");
    }
    // A page of another origin is not asked for its body.
    for (host, origin, status) in [("evil.test", "http://evil.test", "421"), ("localhost", "null", "403")] {
        let mut stream = served.connect().await;
        let head = head.replacen("localhost", host, 1);
        let page = format!("{head}origin: {origin}\r\ncontent-length: 2\r\n\r\n");
        stream.write_all(page.as_bytes()).await.unwrap();
        let got = answer(&mut stream).await;
        assert!(got.starts_with(&format!("HTTP/1.1 {status} ")), "{host} {origin}: {got}");
    }
    let mut stream = served.connect().await;
    stream.write_all(format!("{head}content-length: 2\r\n\r\n").as_bytes()).await.unwrap();
    assert_eq!(answer(&mut stream).await, "HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"ab").await.unwrap();
    let got = answer(&mut stream).await;
    assert!(got.ends_with("2 bytes") && !got.contains("connection: close"), "{got}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_sends_a_large_body_reads_why_it_is_refused() {
    let served = Served::start(Limits::default()).await;
    for (head, status) in [
        ("POST / HTTP/1.1\r\nhost: evil.test", "421"),
        ("POST /unread HTTP/1.1\r\nhost: localhost", "200"),
        ("POST / HTTP/1.1\r\nhost: localhost", "413"),
    ] {
        let mut sent = format!("{head}\r\ncontent-length: 4000000\r\n\r\n").into_bytes();
        sent.resize(sent.len() + 4_000_000, b'x');
        let got = served.ask(&sent).await;
        assert!(got.starts_with(&format!("HTTP/1.1 {status} ")), "{head}: {got}");
    }
}

/// As OkHttp does: the whole body first, and then the answer.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_sends_for_longer_than_the_linger_reads_why_it_is_refused() {
    let limits = Limits { linger: Duration::from_millis(200), ..Limits::default() };
    let served = Served::start(limits).await;
    for length in ["content-length: 2000000", "transfer-encoding: chunked"] {
        let mut stream = served.connect().await;
        let head = format!("POST / HTTP/1.1\r\nhost: localhost\r\n{length}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        for part in 0..20 {
            // A second in all.
            tokio::time::sleep(Duration::from_millis(50)).await;
            let body = "x".repeat(100_000);
            let bytes = if length.ends_with("chunked") { format!("186a0\r\n{body}\r\n") } else { body };
            let sent = stream.write_all(bytes.as_bytes()).await;
            assert!(sent.is_ok(), "{length}: part {part} cannot be sent: {sent:?}");
        }
        let got = rest(&mut stream).await;
        assert!(got.starts_with("HTTP/1.1 413 "), "{length}: {got}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_clients_are_cut_off() {
    let short = Duration::from_millis(200);
    let limits =
        Limits { head: short, idle: short, body: short, linger: short, drain: short, ..Limits::default() };
    let served = Served::start(limits).await;
    // Nothing, half of a head, a request and then nothing.
    assert_eq!(served.ask(b"").await, "");
    assert_eq!(served.ask(b"GET / HTTP/1.1\r\nhost: loc").await, "");
    assert!(served.ask(&get("/")).await.starts_with("HTTP/1.1 200 "));
    // A head that trickles.
    let mut stream = served.connect().await;
    let begun = Instant::now();
    while stream.write_all(b"G").await.is_ok() {
        assert!(begun.elapsed() < Duration::from_secs(20), "a slow head is read for ever");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // A body that does not come, and one that trickles.
    let head = b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100000\r\n\r\n";
    assert!(served.ask(head).await.starts_with("HTTP/1.1 408 "));
    let mut stream = served.connect().await;
    stream.write_all(head).await.unwrap();
    let begun = Instant::now();
    while stream.write_all(b"x").await.is_ok() {
        assert!(begun.elapsed() < Duration::from_secs(20), "a slow body is read for ever");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_at_the_least_rate_is_read() {
    let limits = Limits { body: Duration::from_millis(300), bytes_per_second: 1000, ..Limits::default() };
    let served = Served::start(limits).await;
    let mut stream = served.connect().await;
    stream.write_all(b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 8000\r\n\r\n").await.unwrap();
    for _ in 0..8 {
        // Over a second in all, far longer than a body that stands still has.
        stream.write_all(&[b'x'; 1000]).await.unwrap();
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
    assert!(answer(&mut stream).await.ends_with("8000 bytes"));
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_give_way_to_new_clients_and_known_ones_stay() {
    let served = Served::start(Limits { connections: 3, ..Limits::default() }).await;
    let mut known = served.connect().await;
    known.write_all(&get("/verified")).await.unwrap();
    assert!(answer(&mut known).await.starts_with("HTTP/1.1 200 "));
    // Two strangers hold half of a request each, and the third comes.
    let mut strangers = Vec::new();
    for _ in 0..2 {
        let mut stranger = served.connect().await;
        stranger.write_all(b"GET / HT").await.unwrap();
        strangers.push(stranger);
    }
    let mut new = served.connect().await;
    new.write_all(&get("/")).await.unwrap();
    assert!(answer(&mut new).await.starts_with("HTTP/1.1 200 "));
    assert_eq!(rest(&mut strangers.remove(0)).await, "", "the oldest gave way");
    known.write_all(&get("/verified")).await.unwrap();
    assert!(answer(&mut known).await.starts_with("HTTP/1.1 200 "), "the known one stayed");
    // Where all are known and busy, nobody gives way.
    let mut busy = Vec::new();
    for _ in 0..3 {
        let mut stream = served.connect().await;
        stream.write_all(&get("/slow")).await.unwrap();
        busy.push(stream);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let turned_away = served.ask(b"").await;
    assert!(turned_away.starts_with("HTTP/1.1 503 ") && turned_away.ends_with("Busy"), "{turned_away}");
    for mut stream in busy {
        assert!(answer(&mut stream).await.starts_with("HTTP/1.1 200 "));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn large_bodies_of_strangers_share_one_budget() {
    let served = Served::start(Limits::default()).await;
    let head = |bytes: usize| {
        format!("POST /unverified HTTP/1.1\r\nhost: localhost\r\ncontent-length: {bytes}\r\n\r\n")
            .into_bytes()
    };
    // The whole budget, taken as soon as more than the free part arrives.
    let mut first = served.connect().await;
    first.write_all(&head(1 << 20)).await.unwrap();
    first.write_all(&vec![b'x'; FREE_BODY * 2]).await.unwrap();
    // What is small needs none of it.
    let mut small = head(FREE_BODY);
    small.resize(small.len() + FREE_BODY, b'x');
    let mut large = head(FREE_BODY * 2);
    large.resize(large.len() + FREE_BODY * 2, b'x');
    // Until the first one is that far.
    let mut got = String::new();
    for _ in 0..100 {
        let mut stream = served.connect().await;
        stream.write_all(&large).await.unwrap();
        got = answer(&mut stream).await;
        if got.starts_with("HTTP/1.1 503 ") {
            break;
        }
    }
    assert!(got.ends_with("no memory"), "{got}");
    let mut stream = served.connect().await;
    stream.write_all(&small).await.unwrap();
    assert!(answer(&mut stream).await.ends_with(&format!("{FREE_BODY} bytes")));
    // The first ends, and its share is free again.
    first.write_all(&vec![b'x'; (1 << 20) - FREE_BODY * 2]).await.unwrap();
    assert!(answer(&mut first).await.ends_with("1048576 bytes"));
    let mut stream = served.connect().await;
    stream.write_all(&large).await.unwrap();
    assert!(answer(&mut stream).await.ends_with(&format!("{} bytes", FREE_BODY * 2)));
    // Nobody knows how large this one is, and it is too large.
    let mut chunked =
        b"POST /unverified HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n200000\r\n"
            .to_vec();
    chunked.resize(chunked.len() + 0x20_0000, b'x');
    chunked.extend_from_slice(b"\r\n0\r\n\r\n");
    assert!(served.ask(&chunked).await.starts_with("HTTP/1.1 413 "));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_under_way_is_answered_at_the_end_and_nothing_else_is_waited_for() {
    let served = Served::start(Limits::default()).await;
    let mut idle = served.connect().await;
    idle.write_all(&get("/")).await.unwrap();
    answer(&mut idle).await;
    let mut half = served.connect().await;
    half.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    let mut busy = served.connect().await;
    busy.write_all(&get("/slow")).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let begun = Instant::now();
    served.stop.send(()).unwrap();
    assert!(rest(&mut busy).await.contains("0 bytes"));
    served.task.await.unwrap();
    assert!(begun.elapsed() < Limits::default().shutdown, "{:?}", begun.elapsed());
    assert_eq!((rest(&mut idle).await, rest(&mut half).await), (String::new(), String::new()));
}
