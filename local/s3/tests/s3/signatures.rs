//! Times and lengths of requests, as S3 reads them.

use jiff::ToSpan;
use mediadex_s3::{Access, Watch};

use crate::harness::{Dirs, Served, tree};
use crate::signer::{Signer, send, sha256};

async fn served() -> (Dirs, Served) {
    let dirs = Dirs::new();
    let s = Served::start(&dirs.state(), Watch::Off).await;
    s.store.add_bucket("photos", dirs.folder(), Access::ReadWrite).unwrap();
    (dirs, s)
}

#[tokio::test]
async fn a_request_may_be_dated_by_the_header_of_http() {
    let (dirs, s) = served().await;
    let now = jiff::Timestamp::now();
    let http = |moment: jiff::Timestamp| moment.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let long_ago = now - 5.hours();
    let table = [
        ("a", now, Some(http(now)), 200, ""),
        ("b", now, Some(now.strftime("%Y%m%dT%H%M%SZ").to_string()), 200, ""),
        // What is signed is another moment.
        ("c", now, Some(http(now - 2.seconds())), 403, "SignatureDoesNotMatch"),
        ("d", long_ago, Some(http(long_ago)), 403, "RequestTimeTooSkewed"),
        ("e", now, Some("yesterday".to_owned()), 403, "valid Date or x-amz-date"),
        ("f", now, None, 403, "valid Date or x-amz-date"),
    ];
    for (key, moment, date, status, want) in table {
        let signer = Signer::at(s.address, moment);
        let (path, payload) = (format!("/photos/{key}"), sha256(b"x"));
        let mut signed = vec![("host", signer.host.as_str()), ("x-amz-content-sha256", payload.as_str())];
        if let Some(date) = &date {
            signed.insert(0, ("date", date.as_str()));
        }
        let authorization = signer.authorization("PUT", &path, "", &signed, &payload);
        let mut headers: Vec<(&str, &[u8])> = vec![("authorization", authorization.as_bytes())];
        let others = signed.iter().filter(|(name, _)| *name != "host");
        headers.extend(others.map(|(name, value)| (*name, value.as_bytes())));
        let got = send(s.address, "PUT", &path, &headers, b"x").await;
        assert!(got.0 == status && got.1.contains(want), "{key}: {}", got.1);
    }
    assert_eq!(tree(&dirs.folder()), ["a", "b"]);
}

#[tokio::test]
async fn a_digest_that_is_empty_is_none() {
    let (dirs, s) = served().await;
    let signer = Signer::new(s.address);
    let of_x = "ndTkYSaMgDT1yFZOFVxnpg==";
    for (md5, status) in [("", 400), ("AAAA", 400), ("nUc0BdXmSVbbdX1YXlHkdA==", 400), (of_x, 200)] {
        let headers = [("content-md5", md5)];
        let got = crate::signer::send_signed(&signer, "PUT", ("/photos/k", ""), &headers, b"x").await;
        let code = if md5.len() < 20 { "InvalidDigest" } else { "BadDigest" };
        assert!(got.0 == status && (status == 200 || got.1.contains(code)), "{md5:?}: {}", got.1);
        assert_eq!(tree(&dirs.folder()).is_empty(), status == 400, "{md5:?}");
    }
}

#[tokio::test]
async fn a_url_that_is_too_old_and_a_body_without_a_length_are_refused_as_s3_does() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (_dirs, s) = served().await;
    s.put("photos", "k", b"x").await;
    let old = Signer::at(s.address, jiff::Timestamp::now() - 2.minutes());
    let (status, text) = send(s.address, "GET", &old.presign("GET", "/photos/k", 600), &[], b"").await;
    assert_eq!(status, 200, "{text}");
    let (status, text) = send(s.address, "GET", &old.presign("GET", "/photos/k", 60), &[], b"").await;
    assert!(
        status == 403 && text.contains("<Code>AccessDenied</Code><Message>Request has expired</Message>"),
        "{text}"
    );
    let signer = Signer::new(s.address);
    for expires in [0, 604_801] {
        let url = signer.presign("GET", "/photos/k", expires);
        let (status, text) = send(s.address, "GET", &url, &[], b"").await;
        assert!(status == 400 && text.contains("<Code>AuthorizationQueryParametersError</Code>"), "{text}");
    }

    let headers = [
        ("host", signer.host.as_str()),
        ("x-amz-content-sha256", "UNSIGNED-PAYLOAD"),
        ("x-amz-date", signer.time.as_str()),
    ];
    let authorization = signer.authorization("PUT", "/photos/new", "", &headers, "UNSIGNED-PAYLOAD");
    let request = format!(
        "PUT /photos/new HTTP/1.1\r\nhost: {}\r\nx-amz-content-sha256: UNSIGNED-PAYLOAD\r\nx-amz-date: {}\r\n\
         authorization: {authorization}\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
        signer.host, signer.time
    );
    let mut socket = tokio::net::TcpStream::connect(s.address).await.unwrap();
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 411 ") && answer.contains("<Code>MissingContentLength</Code>"),
        "{answer}"
    );
}
