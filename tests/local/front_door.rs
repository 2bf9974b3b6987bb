//! The front door as a network sees it: sizes, limits of requests per second,
//! addresses, and what is no request at all.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use mediadex::access_key::{AccessKey, KeySource};
use mediadex::cloud::{Cloud, CloudOptions};
use mediadex_core::gateway::{Credentials, Gateway, HttpRequest, sign_acs3};
use mediadex_core::{simulation, state::StoredKey};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::keys::http;
use crate::support::{Local, params};

/// Sends bytes and reads the answer: its status and its JSON.
async fn raw(address: SocketAddr, bytes: &[u8]) -> (u16, Value) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer:?}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or_else(|_| panic!("{answer:?}")))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_or_no_http_gets_an_error_of_the_api() {
    let local = Local::start().await;
    let long = "x".repeat(70_000);
    let huge = "x".repeat(3_000_000);
    let many: String = (0..200).map(|i| format!("h{i}: 1\r\n")).collect();
    let wide = format!("h: {}\r\n", "x".repeat(600_000));
    let close = "connection: close\r\n";
    let table = [
        (format!("POST /?A={long} HTTP/1.1\r\nhost: localhost\r\n{close}\r\n"), 414, "RequestUriTooLong"),
        // More than is read of a head at all.
        (format!("POST /?A={huge} HTTP/1.1\r\nhost: localhost\r\n{close}\r\n"), 413, "RequestTooLarge"),
        (format!("POST / HTTP/1.1\r\nhost: localhost\r\n{many}{close}\r\n"), 413, "RequestTooLarge"),
        (format!("POST / HTTP/1.1\r\nhost: localhost\r\n{wide}{close}\r\n"), 413, "RequestTooLarge"),
        ("this is no HTTP\r\n\r\n".to_owned(), 400, "InvalidArgument"),
        (
            format!(
                "POST / HTTP/1.1\r\nhost: localhost\r\n{close}content-length: 7000000\r\n\r\n{}",
                "x".repeat(7_000_000)
            ),
            413,
            "RequestTooLarge",
        ),
    ];
    for (bytes, status, code) in table {
        let (got, body) = raw(local.cloud.endpoints.api, bytes.as_bytes()).await;
        let shown = &bytes[..bytes.len().min(40)];
        assert_eq!((got, body["Code"].as_str()), (status, Some(code)), "{shown}: {body}");
        assert!(body["RequestId"].is_string() && body["Message"].is_string(), "{shown}: {body}");
        if status == 414 {
            // What a client can do: SDKs put their parameters into the URL.
            let message = body["Message"].as_str().unwrap_or_default();
            for advice in ["in a form or JSON body", "or fewer files in a call"] {
                assert!(message.contains(advice), "{message}");
            }
        }
    }
    // A URL that is just short enough is read, and refused for its signature.
    let bytes = format!("POST /?A={} HTTP/1.1\r\nhost: localhost\r\n{close}\r\n", "x".repeat(65_000));
    let (status, body) = raw(local.cloud.endpoints.api, bytes.as_bytes()).await;
    assert_eq!((status, &body["Code"]), (400, &json!("MissingAccessKeyId")));
    local.cloud.shutdown().await;
}

fn request(action: &str, given: Value, id: &str, secret: &str) -> HttpRequest {
    let signed = sign_acs3("localhost", action, &params(given), Credentials::new(id, secret)).unwrap();
    signed.into()
}

/// How many of so many requests pass, through several gateways by turns.
async fn passed(gateways: &[Gateway], number: usize, make: impl Fn() -> HttpRequest) -> usize {
    let mut passed = 0;
    for i in 0..number {
        let answer = gateways[i % gateways.len()].handle(make()).await;
        if answer.status == 200 {
            passed += 1;
            continue;
        }
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!((answer.status, &body["Code"]), (400, &json!("Throttling.User")), "{body}");
        let header = |name: &str| {
            let found = answer.headers.iter().find(|(header, _)| header == name);
            found.and_then(|(_, value)| value.parse::<u64>().ok()).unwrap_or_else(|| panic!("no {name}"))
        };
        assert!((1..=1000).contains(&header("x-acs-retry-after")));
        assert_eq!(header("retry-after"), 1);
    }
    passed
}

#[tokio::test]
async fn our_own_client_comes_again_when_it_is_told_to() {
    let local = Local::start().await;
    local.make_dataset("p", "d").await;
    local.call("UpdateProject", json!({"ProjectName": "p", "ProjectQueriesPerSecond": 3})).await;
    let begun = std::time::Instant::now();
    for _ in 0..10 {
        local.call("GetProject", json!({"ProjectName": "p"})).await;
    }
    // Ten at three a second begin in four different seconds.
    assert!(begun.elapsed() > std::time::Duration::from_secs(2), "{:?}", begun.elapsed());
    local.cloud.shutdown().await;
}

#[tokio::test]
async fn limits_of_requests_per_second_hold_over_processes() {
    let local = Local::start().await;
    let ctx = &local.cloud.ctx;
    let set = |limit: i64| {
        local.call("UpdateProject", json!({"ProjectName": "p", "ProjectQueriesPerSecond": limit}))
    };
    local.make_dataset("p", "d").await;
    // A gateway each stands for a process each.
    let of = |ctx: &mediadex_core::Context, number: usize| {
        (0..number).map(|_| Gateway::new(ctx.clone())).collect::<Vec<_>>()
    };
    let key = &local.cloud.access_key.key;
    let get = || request("GetProject", json!({"ProjectName": "p"}), &key.id, &key.secret);
    // Seconds that the clock does not come to while this runs, and near enough
    // for the signatures.
    let mut second = mediadex_core::model::Timestamp::now().seconds() + 600;
    let mut next_second = || {
        second += 1;
        let now = second * 1_000_000_000 + 250_000_000;
        simulation::enter(second.unsigned_abs(), move || now, None);
    };
    for (limit, processes, sent) in [(5, 1, 20), (5, 3, 20), (40, 1, 60), (40, 4, 80)] {
        set(limit).await;
        let gateways = of(ctx, processes);
        next_second();
        let got = passed(&gateways, sent, get).await;
        let limit = usize::try_from(limit).unwrap();
        assert!(got <= limit, "{got} of {limit} with {processes}");
        assert!(got >= limit - processes * (limit / 10), "{got} of {limit} with {processes}");
        // The next second is a new one.
        next_second();
        assert!(passed(&gateways, 3, get).await == 3);
        simulation::leave();
    }
    // A key's own limit, whatever the project.
    let all =
        serde_json::from_value(json!({"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}));
    let mut key = StoredKey::new("slow", &all.unwrap()).unwrap();
    key.secret = ctx.keys().sealing_key().await.unwrap().seal("slow", "s").unwrap();
    key.queries_per_second = 2;
    ctx.db.create_key(&key).await.unwrap();
    let slow = || request("ListProjects", json!({}), "slow", "s");
    next_second();
    assert_eq!(passed(&of(ctx, 2), 6, slow).await, 2);
    simulation::leave();
    local.cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_secret_stays_on_this_machine() {
    let everywhere = |access_key: KeySource| {
        let bind = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        Cloud::start(CloudOptions { bind, access_key, ..CloudOptions::default() }, &[])
    };
    let own = |secret: &str| KeySource::Given {
        key: AccessKey { id: "me".into(), secret: secret.into() },
        secret_file: None,
    };
    let refused = everywhere(own("my own secret")).await;
    let error = refused.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(error.contains("16 characters"), "{error}");
    for access_key in [own("my own long secret"), KeySource::StateDirectory] {
        let cloud = everywhere(access_key).await.unwrap();
        assert!(cloud.endpoints.api.ip().is_loopback(), "clients here are told an address that works");
        cloud.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stores_endpoint_wants_a_signature() {
    let local = Local::start().await;
    let at = |address: SocketAddr| format!("http://{address}");
    let mut stranger = Local { api: local.api.clone(), ..local };
    stranger.api.endpoint = at(stranger.cloud.endpoints.dynamodb);
    let headers = [
        ("x-amz-target", "DynamoDB_20120810.ListTables"),
        ("content-type", "application/x-amz-json-1.0"),
        (
            "authorization",
            "AWS4-HMAC-SHA256 Credential=any/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=00",
        ),
        ("x-amz-date", "20260101T000000Z"),
    ];
    let (head, body) = http(&stranger, "POST", "/", &headers, json!({})).await;
    assert_eq!(head.status, 400, "{body}");
    assert!(body["__type"].as_str().unwrap().ends_with("UnrecognizedClientException"), "{body}");
    // What is signed passes, from any sender.
    let key = &stranger.cloud.access_key.key;
    let credentials = aws_credential_types::Credentials::new(&key.id, &key.secret, None, None, "test");
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(aws_sdk_dynamodb::config::BehaviorVersion::latest())
        .region(aws_sdk_dynamodb::config::Region::new("us-east-1"))
        .endpoint_url(at(stranger.cloud.endpoints.dynamodb))
        .credentials_provider(credentials)
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    let tables = aws_sdk_dynamodb::Client::from_conf(config).list_tables().send().await.unwrap();
    assert_eq!(tables.table_names().len(), 2);
    stranger.cloud.shutdown().await;
}
