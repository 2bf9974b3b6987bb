//! Requests that the official SDKs signed, and what must not pass of them.
//!
//! Every captured request goes through the whole gateway at the time it was
//! made; so does each change of it that an attacker in between could make.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use mediadex_core::gateway::{Gateway, HttpRequest};
use mediadex_core::keys::{Keys, Policy};
use mediadex_core::simulation;
use serde_json::Value;

use crate::support::Local;

/// How a request is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Scheme {
    Acs3,
    RpcV1,
    Huawei,
    Bearer,
    Sm3,
}

struct Captured {
    name: String,
    scheme: Scheme,
    request: HttpRequest,
    /// When it was sent, in nanoseconds since the epoch.
    time: i64,
}

fn captured() -> Vec<Captured> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/captures");
    let mut all = Vec::new();
    let files = std::fs::read_dir(root).unwrap().map(|file| file.unwrap().path());
    // A note on the captures lies beside them.
    for file in files.filter(|file| file.extension().is_some_and(|extension| extension == "json")) {
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        let capture: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        for (case, sent) in capture.as_object().unwrap() {
            for sent in sent.as_array().unwrap() {
                let text = |key: &str| sent[key].as_str().unwrap().to_owned();
                let target = text("target");
                let (path, query) = target.split_once('?').unwrap_or((&target, ""));
                let part = |pair: &Value, i: usize| pair[i].as_str().unwrap().to_owned();
                let request = HttpRequest {
                    method: text("method"),
                    path: path.into(),
                    query: query.into(),
                    headers: sent["headers"]
                        .as_array()
                        .unwrap()
                        .iter()
                        .map(|pair| (part(pair, 0).to_lowercase(), part(pair, 1)))
                        .collect(),
                    body: text("body").into_bytes(),
                };
                all.push(Captured {
                    name: format!("{name} {case}"),
                    scheme: scheme_of(&request),
                    time: time_of(&request),
                    request,
                });
            }
        }
    }
    all
}

fn scheme_of(request: &HttpRequest) -> Scheme {
    let authorization = request.header("authorization").unwrap_or_default();
    if authorization.starts_with("ACS3-HMAC-SHA256 ") {
        Scheme::Acs3
    } else if authorization.starts_with("ACS3-HMAC-SM3 ") {
        Scheme::Sm3
    } else if authorization.starts_with("SDK-HMAC-SHA256 ") {
        Scheme::Huawei
    } else if request.query.contains("BEARERTOKEN") {
        Scheme::Bearer
    } else {
        Scheme::RpcV1
    }
}

/// What the clock showed when a request was sent: it says so itself.
fn time_of(request: &HttpRequest) -> i64 {
    let time: jiff::Timestamp = match scheme_of(request) {
        Scheme::Huawei => {
            let date = request.header("x-sdk-date").unwrap();
            let civil = jiff::fmt::strtime::parse("%Y%m%dT%H%M%SZ", date).unwrap();
            civil.to_datetime().unwrap().to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp()
        }
        Scheme::RpcV1 | Scheme::Bearer => {
            let date = parameter(request, "Timestamp").or(request.header("x-acs-date").map(str::to_owned));
            date.unwrap().parse().unwrap()
        }
        _ => request.header("x-acs-date").unwrap().parse().unwrap(),
    };
    i64::try_from(time.as_nanosecond()).unwrap()
}

/// Whether a client of Huawei Cloud signed a header.
fn signs(request: &HttpRequest, name: &str) -> bool {
    let authorization = request.header("authorization").unwrap_or_default();
    authorization
        .split_once("SignedHeaders=")
        .and_then(|(_, rest)| rest.split_once(','))
        .is_some_and(|(list, _)| list.split(';').any(|signed| signed == name))
}

fn parameter(request: &HttpRequest, name: &str) -> Option<String> {
    request.query.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        (key == name).then(|| value.replace("%3A", ":"))
    })
}

fn set_header(request: &mut HttpRequest, name: &str, change: impl Fn(&str) -> String) {
    let mut found = false;
    for (header, value) in &mut request.headers {
        if header == name {
            *value = change(value);
            found = true;
        }
    }
    assert!(found, "{name}");
}

fn set_parameter(request: &mut HttpRequest, name: &str, change: impl Fn(&str) -> String) {
    let mut found = false;
    let pairs: Vec<String> = request
        .query
        .split('&')
        .map(|pair| match pair.split_once('=') {
            Some((key, value)) if key == name => {
                found = true;
                format!("{key}={}", change(value))
            }
            _ => pair.to_owned(),
        })
        .collect();
    assert!(found, "{name}");
    request.query = pairs.join("&");
}

/// A date of the same form, one second later: well within the window.
fn later(date: &str) -> String {
    let digit = date.rfind(|c: char| c.is_ascii_digit()).unwrap();
    let was = date[digit..=digit].parse::<u8>().unwrap();
    format!("{}{}{}", &date[..digit], (was + 1) % 10, &date[digit + 1..])
}

/// The other forms of a request that an attacker in between could make.
fn changes(captured: &Captured) -> Vec<(&'static str, HttpRequest)> {
    let mut all = Vec::new();
    let mut change = |what: &'static str, how: &dyn Fn(&mut HttpRequest)| {
        let mut request = captured.request.clone();
        how(&mut request);
        let is_same = request.query == captured.request.query
            && request.headers == captured.request.headers
            && request.body == captured.request.body
            && request.path == captured.request.path
            && request.method == captured.request.method;
        assert!(!is_same, "{}: {what} changes nothing", captured.name);
        all.push((what, request));
    };
    let other = |value: &str| format!("{value}x");
    let is_form = captured.request.header("content-type").is_some_and(|t| t.contains("form"));
    change("body", &|r| r.body.extend_from_slice(b"&Extra=1"));
    change("extra parameter", &|r| {
        r.query.push_str(if r.query.is_empty() { "Extra=1" } else { "&Extra=1" });
    });
    change("method", &|r| r.method = if r.method == "GET" { "DELETE" } else { "GET" }.into());
    match captured.scheme {
        Scheme::Acs3 | Scheme::Sm3 | Scheme::Bearer => {
            if !is_form {
                change("parameter", &|r| set_parameter(r, "ProjectName", other));
            }
            change("action", &|r| set_header(r, "x-acs-action", |_| "DeleteProject".into()));
            change("date", &|r| set_header(r, "x-acs-date", later));
            change("nonce", &|r| set_header(r, "x-acs-signature-nonce", other));
            change("host", &|r| set_header(r, "host", |_| "example.com".into()));
            change("version", &|r| set_header(r, "x-acs-version", |_| "2017-09-06".into()));
            change("signed-header list, shorter", &|r| {
                set_header(r, "authorization", |v| v.replace("accept;", ""));
            });
            change("signed-header list, longer", &|r| {
                set_header(r, "authorization", |v| {
                    v.replace("SignedHeaders=", "SignedHeaders=accept-encoding;")
                });
            });
            change("unsigned x-acs header", &|r| {
                r.headers.push(("x-acs-injected".into(), "1".into()));
            });
            change("unsigned security token", &|r| {
                r.headers.push(("x-acs-security-token".into(), "other".into()));
            });
            change("no body hash", &|r| r.headers.retain(|(name, _)| name != "x-acs-content-sha256"));
            change("key", &|r| set_header(r, "authorization", |v| v.replace("AKIDEXAMPLE", "OTHERKEY")));
        }
        Scheme::RpcV1 => {
            if !is_form {
                change("parameter", &|r| set_parameter(r, "ProjectName", other));
            }
            change("action", &|r| set_parameter(r, "Action", |_| "DeleteProject".into()));
            change("action in the header", &|r| set_header(r, "x-acs-action", |_| "DeleteProject".into()));
            change("version in the header", &|r| set_header(r, "x-acs-version", |_| "2017-09-06".into()));
            change("date", &|r| set_parameter(r, "Timestamp", later));
            change("nonce", &|r| set_parameter(r, "SignatureNonce", other));
            change("unsigned x-acs header", &|r| {
                r.headers.push(("x-acs-injected".into(), "1".into()));
            });
            change("unsigned security token", &|r| {
                r.headers.push(("x-acs-security-token".into(), "other".into()));
            });
            change("a body that is no form", &|r| {
                r.headers.retain(|(name, _)| name != "content-type");
                r.headers.push(("content-type".into(), "application/json".into()));
                r.body = b"{\"ProjectName\":\"other\"}".to_vec();
            });
            change("a parameter twice", &|r| r.query.push_str("&Action=DeleteProject"));
            change("key", &|r| set_parameter(r, "AccessKeyId", |_| "OTHERKEY".into()));
        }
        Scheme::Huawei => {
            // Behind the version, which all paths begin with.
            change("project in the path", &|r| r.path.insert(4, 'x'));
            change("action", &|r| r.path = "/v2/0123456789abcdef/mms/test_instance/data/add2".into());
            change("date", &|r| set_header(r, "x-sdk-date", later));
            change("unsigned date", &|r| {
                set_header(r, "authorization", |v| v.replace(";x-sdk-date", ""));
            });
            if signs(&captured.request, "host") {
                change("host", &|r| set_header(r, "host", |_| "example.com".into()));
            }
            change("project in the header", &|r| set_header(r, "x-project-id", other));
            change("unsigned project in the header", &|r| {
                set_header(r, "authorization", |v| v.replace("x-project-id;", ""));
            });
            change("unsigned domain", &|r| r.headers.push(("x-domain-id".into(), "other".into())));
            change("signed-header list, shorter", &|r| {
                set_header(r, "authorization", |v| v.replace("user-agent;", ""));
            });
            change("signed-header list, longer", &|r| {
                set_header(r, "authorization", |v| v.replace("SignedHeaders=", "SignedHeaders=accept;"));
            });
            if signs(&captured.request, "content-type") {
                change("content type", &|r| set_header(r, "content-type", |_| "text/plain".into()));
                change("unsigned content type", &|r| {
                    set_header(r, "authorization", |v| v.replace("content-type;", ""));
                });
            }
            change("unsigned hash", &|r| {
                r.headers.push(("x-sdk-content-sha256".into(), "UNSIGNED-PAYLOAD".into()));
            });
            change("key", &|r| set_header(r, "authorization", |v| v.replace("Access=", "Access=OTHER")));
        }
    }
    all
}

/// What a client left unsigned, changed: it must not change what the request
/// means.
fn unsigned(captured: &Captured) -> Vec<HttpRequest> {
    let others = [
        ("host", "example.com"),
        ("content-type", "application/x-www-form-urlencoded"),
        ("content-type", "multipart/form-data; boundary=x"),
    ];
    let mut all = Vec::new();
    if captured.scheme == Scheme::Huawei {
        for (name, value) in others {
            if !signs(&captured.request, name) {
                let mut request = captured.request.clone();
                set_header(&mut request, name, |_| value.into());
                all.push(request);
            }
        }
    }
    all
}

/// The codes of a request that was not accepted.
const NOT_ACCEPTED: [&str; 9] = [
    "MissingAccessKeyId",
    "IncompleteSignature",
    "InvalidAccessKeyId.NotFound",
    "SignatureDoesNotMatch",
    "InvalidTimeStamp.Expired",
    "SignatureNonceUsed",
    "UnsupportedSignatureMethod",
    "InvalidBearerToken",
    "APIGW.0301",
];

async fn code_of(gateway: &Gateway, request: &HttpRequest) -> (u16, String, String) {
    let answer = gateway.handle(request.clone()).await;
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    let text =
        |names: [&str; 2]| names.iter().find_map(|name| body[*name].as_str()).unwrap_or_default().to_owned();
    (answer.status, text(["Code", "error_code"]), text(["Message", "error_msg"]))
}

#[tokio::test]
async fn captured_requests_verify_and_nothing_else_of_them_does() {
    let all = captured();
    let local = Local::start().await;
    let of = |secret: &str| {
        let keys = Keys::default().with("AKIDEXAMPLE", secret, Policy::everything());
        let keys = keys.with("mediadex", &format!("mediadex-{secret}"), Policy::everything());
        Gateway::new(local.cloud.ctx.clone().with_keys(keys))
    };
    let (gateway, stranger) = (of("secret"), of("Secret"));
    let now = Rc::new(Cell::new(0));
    let clock = Rc::clone(&now);
    simulation::enter(1, move || clock.get(), None);
    let mut counts: BTreeMap<Scheme, usize> = BTreeMap::new();
    let (mut refused, mut as_before) = (0, 0);
    for captured in &all {
        let name = &captured.name;
        now.set(captured.time);
        if name.ends_with("(unknown key)")
            || name.ends_with("(wrong secret)")
            || name.ends_with("(query not signed)")
        {
            let (status, code, message) = code_of(&gateway, &captured.request).await;
            assert_eq!((status, code.as_str()), (401, "APIGW.0301"), "{name}: {message}");
            continue;
        }
        *counts.entry(captured.scheme).or_default() += 1;
        let reads = || local.cloud.ctx.usage.read().store_calls;
        if captured.scheme == Scheme::Sm3 || captured.scheme == Scheme::Bearer {
            let want = if captured.scheme == Scheme::Sm3 {
                "UnsupportedSignatureMethod"
            } else {
                "InvalidBearerToken"
            };
            let (_, code, _) = code_of(&gateway, &captured.request).await;
            assert_eq!(code, want, "{name}");
            continue;
        }
        // The changes first: none of them may use up the nonce.
        let before = reads();
        for (what, request) in changes(captured) {
            let (status, code, message) = code_of(&gateway, &request).await;
            assert!(
                NOT_ACCEPTED.contains(&code.as_str()) || (what == "method" && status == 405),
                "{name}, changed {what}: {status} {code} {message}"
            );
            refused += 1;
        }
        let (_, code, _) = code_of(&stranger, &captured.request).await;
        assert!(["SignatureDoesNotMatch", "APIGW.0301"].contains(&code.as_str()), "{name}: {code}");
        now.set(captured.time + 901 * 1_000_000_000);
        let (_, code, message) = code_of(&gateway, &captured.request).await;
        assert!(message.contains("expired"), "{name}, stale: {code} {message}");
        now.set(captured.time - 901 * 1_000_000_000);
        let (_, code, message) = code_of(&gateway, &captured.request).await;
        assert!(message.contains("expired"), "{name}, from the future: {code} {message}");
        assert_eq!(reads(), before, "{name}: the store was touched before the signature held");
        now.set(captured.time);
        let (status, code, message) = code_of(&gateway, &captured.request).await;
        if name.contains("sts") || name.contains("securitytoken") {
            // The signature holds; the key is no temporary one.
            assert!(
                message.contains("does not belong to the access key"),
                "{name}: {status} {code} {message}"
            );
            continue;
        }
        assert!(!NOT_ACCEPTED.contains(&code.as_str()), "{name}: {status} {code} {message}");
        assert!(status < 500, "{name}: {status} {code} {message}");
        for request in unsigned(captured) {
            // Within the time that an equal request of the same second has.
            assert_eq!(code_of(&gateway, &request).await, (status, code.clone(), message.clone()), "{name}");
            as_before += 1;
        }
        // Again: at once for a nonce, a while later where the signature is all there is.
        now.set(captured.time + 6 * 1_000_000_000);
        let (_, code, message) = code_of(&gateway, &captured.request).await;
        assert!(message.contains("nonce was used"), "{name}, replayed: {code} {message}");
    }
    simulation::leave();
    assert!(
        counts[&Scheme::Acs3] >= 40 && counts[&Scheme::RpcV1] >= 10 && counts[&Scheme::Huawei] >= 55,
        "too few requests were found: {counts:?}"
    );
    assert!(refused > 1_000, "{refused}");
    assert!(as_before >= 80, "{as_before}");
    println!("{counts:?} captured requests, {refused} changed ones refused");
    local.cloud.shutdown().await;
}
