//! All four endpoints against web pages and against strangers who send much:
//! who is refused, in which shape, and before which body is read.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mediadex_core::gateway::{Credentials, HttpRequest, sign_acs3};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Local, params};

/// Sends the head of a request and reads what is answered, which is all that
/// comes within a while that is far shorter than any timeout of the endpoint.
pub(crate) async fn ask(address: SocketAddr, head: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let mut bytes = vec![0; 16 * 1024];
    loop {
        let read = tokio::time::timeout(Duration::from_secs(5), stream.read(&mut bytes)).await;
        let read = read.unwrap_or_else(|_| panic!("no answer to {head:?}")).unwrap_or(0);
        answer.extend_from_slice(&bytes[..read]);
        let text = String::from_utf8_lossy(&answer).into_owned();
        // Whole, or told to go on.
        let length = text.to_ascii_lowercase().split_once("content-length: ").map(|(_, rest)| {
            rest.split("\r\n").next().unwrap_or_default().parse::<usize>().unwrap_or_default()
        });
        let body = text.split_once("\r\n\r\n").map(|(_, body)| body.len());
        let is_whole = matches!((length, body), (Some(length), Some(body)) if body >= length);
        if read == 0 || is_whole || text.starts_with("HTTP/1.1 100 ") {
            return text;
        }
    }
}

/// A request (method, host, further headers) and the status of its refusal.
type Case<'a> = (&'a str, &'a str, Vec<(&'a str, &'a str)>, u16);

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_other_origins_are_refused_on_every_port() {
    let local = Local::start().await;
    let at = local.cloud.endpoints;
    // For each port: what its errors look like, for a wrong host and for a page.
    let ports = [
        (at.api, "\"Code\":\"MisdirectedRequest\"", "\"Code\":\"NoPermission\""),
        (at.s3, "<Code>MisdirectedRequest</Code>", "<Code>AccessForbidden</Code>"),
        (at.dynamodb, "#AccessDeniedException", "#AccessDeniedException"),
        (at.sns, "<Code>AuthorizationError</Code>", "<Code>AuthorizationError</Code>"),
    ];
    for (address, wrong_host, page) in ports {
        let (host, own) = (address.to_string(), format!("http://{address}"));
        let other = format!("http://127.0.0.1:{}", address.port() ^ 1);
        let (host, own, other) = (host.as_str(), own.as_str(), other.as_str());
        let table: Vec<Case> = vec![
            // Method, host, further headers, and the status; 0: not refused.
            ("GET", host, vec![], 0),
            ("POST", host, vec![("origin", own), ("sec-fetch-site", "same-origin")], 0),
            ("GET", host, vec![("sec-fetch-site", "none")], 0),
            ("GET", "evil.test", vec![], 421),
            ("POST", "evil.test", vec![("origin", "http://evil.test")], 421),
            ("GET", "evil.localhost.test", vec![], 421),
            ("GET", "192.168.1.5", vec![], 421),
            ("POST", host, vec![("origin", "http://evil.test")], 403),
            ("POST", host, vec![("origin", other)], 403),
            ("POST", host, vec![("origin", "null")], 403),
            ("GET", host, vec![("sec-fetch-site", "cross-site")], 403),
            ("GET", host, vec![("sec-fetch-site", "same-site")], 403),
            ("PUT", host, vec![("sec-fetch-site", "cross-site")], 403),
            ("DELETE", host, vec![("origin", "http://evil.test")], 403),
            ("OPTIONS", host, vec![("access-control-request-method", "PUT")], 403),
            ("OPTIONS", host, vec![("origin", own), ("access-control-request-method", "PUT")], 403),
        ];
        for (method, host, headers, status) in table {
            let mut head = format!("{method} / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n");
            for (name, value) in &headers {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
            let answer = ask(address, &format!("{head}\r\n")).await;
            let is_refused = answer.contains(wrong_host) || answer.contains(page);
            let shown = format!("{method} {host} {headers:?} at {address}: {answer}");
            match status {
                0 => assert!(
                    !answer.starts_with("HTTP/1.1 421") && !answer.contains("other origins"),
                    "{shown}"
                ),
                status => {
                    assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")) && is_refused, "{shown}")
                }
            }
            assert!(!answer.to_ascii_lowercase().contains("access-control-allow"), "{shown}");
        }
        let answer = ask(address, "GET / HTTP/1.1\r\nconnection: close\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 421 "), "{answer}");
        // What is no HTTP is answered in the endpoint's shape as well.
        let answer = ask(address, "this is no HTTP\r\n\r\n").await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 400 ") && body.contains("valid HTTP"), "{answer}");
    }
    // Below localhost, S3 has its buckets.
    let answer = ask(at.s3, "GET / HTTP/1.1\r\nhost: b.s3.localhost\r\nconnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 403 ") && answer.contains("<Code>AccessDenied</Code>"), "{answer}");
    // The doors of the API each have their own shape.
    for (path, text) in [("/v1/p/service", "\"error_code\""), ("/api/GetProject", "\"Code\"")] {
        let answer = ask(at.api, &format!("POST {path} HTTP/1.1\r\nhost: evil.test\r\n\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 421 ") && answer.contains(text), "{answer}");
    }
    local.cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn further_names_of_the_endpoints_are_those_that_are_allowed() {
    let options = mediadex::cloud::CloudOptions {
        allowed_hosts: vec!["nas.home".into()],
        ..mediadex::cloud::CloudOptions::default()
    };
    let cloud = mediadex::cloud::Cloud::start(options, &[]).await.unwrap();
    let at = cloud.endpoints;
    for address in [at.api, at.s3, at.dynamodb, at.sns] {
        for (host, is_allowed) in [("nas.home:7300", true), ("other.home:7300", false)] {
            let head = format!("GET / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
            let answer = ask(address, &head).await;
            assert_eq!(!answer.starts_with("HTTP/1.1 421 "), is_allowed, "{host}: {answer}");
        }
    }
    cloud.shutdown().await;
}

/// On each port, by the clock.
#[tokio::test(flavor = "multi_thread")]
async fn half_a_head_is_waited_for_ten_seconds() {
    let local = Local::start().await;
    let at = local.cloud.endpoints;
    let ends = [at.api, at.s3, at.dynamodb, at.sns].map(|address| async move {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET / HT").await.unwrap();
        let begun = Instant::now();
        let read = tokio::time::timeout(Duration::from_secs(30), stream.read(&mut [0; 64])).await;
        let read = read.unwrap_or_else(|_| panic!("{address} still waits"));
        assert_eq!(read.unwrap_or(0), 0, "{address} answers");
        begun.elapsed()
    });
    for took in futures::future::join_all(ends).await {
        assert!(took >= Duration::from_secs(9), "{took:?}");
    }
    local.cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn forms_are_taken_only_where_the_user_asks_for_them() {
    for post_policy in [false, true] {
        let options = mediadex::cloud::CloudOptions { post_policy, ..Default::default() };
        let cloud = mediadex::cloud::Cloud::start(options, &[]).await.unwrap();
        let head = "POST /bucket HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
            content-type: multipart/form-data; boundary=b\r\ncontent-length: 0\r\n\r\n";
        let answer = ask(cloud.endpoints.s3, head).await;
        let code = if post_policy { "MalformedPOSTRequest" } else { "MethodNotAllowed" };
        assert!(answer.contains(&format!("<Code>{code}</Code>")), "{post_policy}: {answer}");
        cloud.shutdown().await;
    }
}

/// The head of a request for its body to be asked for.
fn expecting(request: &HttpRequest, length: usize) -> String {
    let query = if request.query.is_empty() { String::new() } else { format!("?{}", request.query) };
    let mut head = format!("{} {}{query} HTTP/1.1\r\n", request.method, request.path);
    for (name, value) in request.headers.iter().filter(|(name, _)| name != "content-length") {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("content-length: {length}\r\nexpect: 100-continue\r\n\r\n"));
    head
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_is_asked_for_only_when_the_head_is_accepted() {
    let local = Local::start().await;
    let at = local.cloud.endpoints;
    local.make_dataset("p", "d").await;
    let token = local.call("CreateToken", json!({})).await;
    let token = token["Token"].as_str().unwrap().to_owned();
    const LARGE: usize = 5_000_000;
    let host = ("host".to_owned(), "localhost".to_owned());
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let post = |path: &str, query: String, headers: Vec<(String, String)>| HttpRequest {
        method: "POST".into(),
        path: path.into(),
        query,
        headers: [vec![host.clone()], headers].concat(),
        body: Vec::new(),
    };
    let acs3 = |id: &str, secret: &str| {
        let signed = sign_acs3(
            "localhost",
            "GetProject",
            &params(json!({"ProjectName": "p"})),
            Credentials::new(id, secret),
        );
        HttpRequest::from(signed.unwrap())
    };
    let rpc = |id: &str, date: &str| {
        format!(
            "Action=GetProject&AccessKeyId={id}&SignatureMethod=HMAC-SHA1&SignatureVersion=1.0&SignatureNonce=n&Timestamp={date}&Signature=AAAA"
        )
    };
    let now = mediadex_core::model::Timestamp::now().to_string();
    let now = format!("{}Z", &now[..19]);
    let form = || vec![header("content-type", "application/x-www-form-urlencoded")];
    let huawei = |id: &str, date: &str| {
        vec![
            header("x-sdk-date", date),
            header(
                "authorization",
                &format!("SDK-HMAC-SHA256 Access={id}, SignedHeaders=host;x-sdk-date, Signature=00"),
            ),
        ]
    };
    let sdk_date = now.replace(['-', ':'], "");
    let bearer = |token: &str| vec![header("authorization", &format!("Bearer {token}"))];
    let table = [
        // What is asked, and the code that refuses it.
        ("ACS3", acs3("mediadex", &local.api.access_key_secret), None),
        ("ACS3, wrong secret", acs3("mediadex", "wrong"), Some("SignatureDoesNotMatch")),
        ("ACS3, no key", acs3("nobody", "s"), Some("InvalidAccessKeyId.NotFound")),
        ("nothing", post("/", String::new(), vec![]), Some("MissingAccessKeyId")),
        ("RPC", post("/", rpc("mediadex", &now), form()), None),
        ("RPC, no key", post("/", rpc("nobody", &now), form()), Some("InvalidAccessKeyId.NotFound")),
        (
            "RPC, old",
            post("/", rpc("mediadex", "2020-01-01T00:00:00Z"), form()),
            Some("InvalidTimeStamp.Expired"),
        ),
        ("token", post("/api/GetProject", String::new(), bearer(&token)), None),
        (
            "token, wrong",
            post("/api/GetProject", String::new(), bearer("mdt_a.b")),
            Some("InvalidBearerToken"),
        ),
        ("token, none", post("/api/GetProject", String::new(), vec![]), Some("MissingBearerToken")),
        ("Huawei", post("/v1/p/service", String::new(), huawei("mediadex", &sdk_date)), None),
        (
            "Huawei, no key",
            post("/v1/p/service", String::new(), huawei("nobody", &sdk_date)),
            Some("APIGW.0301"),
        ),
        (
            "Huawei, old",
            post("/v1/p/service", String::new(), huawei("mediadex", "20200101T000000Z")),
            Some("APIGW.0301"),
        ),
        ("Huawei, nothing", post("/v1/p/service", String::new(), vec![]), Some("APIGW.0301")),
        // Its body has the key, so little of it is taken.
        ("token call", post("/v3/auth/tokens", String::new(), vec![]), Some("IS.0006")),
    ];
    for (name, request, code) in table {
        let answer = ask(at.api, &expecting(&request, LARGE)).await;
        match code {
            None => assert!(answer.starts_with("HTTP/1.1 100 "), "{name}: {answer}"),
            Some(code) => assert!(answer.contains(&format!("\"{code}\"")), "{name}: {answer}"),
        }
    }
    // Beyond what the API takes, with any key.
    let request = acs3("mediadex", &local.api.access_key_secret);
    let answer = ask(at.api, &expecting(&request, 7_000_000)).await;
    assert!(answer.contains("\"RequestTooLarge\""), "{answer}");
    // The others: nothing signed, nothing read.
    for (address, method, path, code) in [
        (at.s3, "PUT", "/bucket/key", "<Code>AccessDenied</Code>"),
        (at.dynamodb, "POST", "/", "UnrecognizedClientException"),
        (at.sns, "POST", "/", "<Code>SignatureDoesNotMatch</Code>"),
    ] {
        let request = HttpRequest { method: method.into(), ..post(path, String::new(), vec![]) };
        let answer = ask(address, &expecting(&request, LARGE)).await;
        assert!(answer.contains(code), "{address}: {answer}");
    }
    local.cloud.shutdown().await;
}
