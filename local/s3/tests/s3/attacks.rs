//! Requests that ask for more than their signature covers.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mediadex_s3::{Access, Options, Watch};

use crate::harness::{Dirs, Served, tree};
use crate::signer::{Signer, send, sha256};

async fn served(options: Options) -> (Dirs, Served, Signer) {
    let dirs = Dirs::new();
    let s = Served::with(&dirs.state(), Options { watch: Watch::Off, ..options }).await;
    s.store.add_bucket("photos", dirs.folder(), Access::ReadWrite).unwrap();
    std::fs::write(dirs.folder().join("private.jpg"), "private").unwrap();
    let signer = Signer::new(s.address);
    (dirs, s, signer)
}

/// What a holder of a presigned URL may add to it: nothing that S3 would obey.
#[tokio::test]
async fn a_presigned_url_does_what_it_was_signed_for() {
    let (dirs, s, signer) = served(Options::default()).await;
    let path = "/photos/guest.jpg";
    let week = 7 * 86_400;
    type Case<'a> = (u64, &'a [(&'a str, &'a [u8])], &'a str);
    let refused: &[Case<'_>] = &[
        (60, &[("x-amz-copy-source", b"photos/private.jpg")], "<HeadersNotSigned>x-amz-copy-source<"),
        (60, &[("x-amz-meta-owner", b"me")], "<HeadersNotSigned>x-amz-meta-owner<"),
        (60, &[("x-amz-tagging", b"a=b")], "<HeadersNotSigned>x-amz-tagging<"),
        (
            60,
            &[("x-amz-storage-class", b"GLACIER"), ("x-amz-acl", b"public-read")],
            "x-amz-acl, x-amz-storage-class",
        ),
        (week + 1, &[], "<Code>AuthorizationQueryParametersError<"),
        (0, &[], "<Code>AuthorizationQueryParametersError<"),
    ];
    for (expires, headers, want) in refused {
        let url = signer.presign("PUT", path, *expires);
        let (status, text) = send(s.address, "PUT", &url, headers, b"guest").await;
        assert!((status == 403 || status == 400) && text.contains(want), "{headers:?}: {text}");
    }
    assert_eq!(tree(&dirs.folder()), ["private.jpg"]);
    for expires in [60, week] {
        let url = signer.presign("PUT", path, expires);
        let (status, text) = send(s.address, "PUT", &url, &[("content-type", b"image/jpeg")], b"guest").await;
        assert_eq!(status, 200, "{text}");
    }
    let url = signer.presign("GET", path, 60);
    let (status, text) = send(s.address, "GET", &url, &[("range", b"bytes=0-1")], b"").await;
    assert!(status == 206 && text.ends_with("\r\n\r\ngu"), "{text}");
    let both = signer.authorization("GET", path, "", &[("host", &signer.host)], "UNSIGNED-PAYLOAD");
    let (status, text) = send(s.address, "GET", &url, &[("authorization", both.as_bytes())], b"").await;
    assert!(status == 400 && text.contains("Only one auth mechanism allowed"), "{text}");
}

/// What a stranger may add on the way to a request that is signed by its headers.
#[tokio::test]
async fn a_signed_request_does_what_it_was_signed_for() {
    let (dirs, s, signer) = served(Options::default()).await;
    let path = "/photos/guest.jpg";
    let payload = sha256(b"guest");
    let host = ("host", signer.host.as_str());
    let own = [("x-amz-content-sha256", payload.as_str()), ("x-amz-date", signer.time.as_str())];
    let authorization = signer.authorization("PUT", path, "", &[host, own[0], own[1]], &payload);
    let hostless = signer.authorization("PUT", path, "", &own, &payload);
    let more = |names: &str| authorization.replace("x-amz-date,", &format!("x-amz-date;{names},"));
    let other = authorization.replace("AWS4-HMAC-SHA256", "AWS4-HMAC-MD5");
    type Case<'a> = (String, Vec<(&'a str, &'a [u8])>, u16, &'a str);
    let refused: Vec<Case<'_>> = vec![
        (authorization.clone(), vec![("x-amz-copy-source", b"photos/private.jpg")], 403, "HeadersNotSigned"),
        (authorization.clone(), vec![("x-amz-meta-owner", b"me")], 403, "HeadersNotSigned"),
        (authorization.clone(), vec![("x-amz-tagging", b"a=b")], 403, "HeadersNotSigned"),
        (authorization.clone(), vec![("x-amz-security-token", b"t")], 400, "InvalidToken"),
        // Said to be signed, and left out of what is verified.
        (more("x-amz-meta-owner"), vec![("x-amz-meta-owner", b"\xff")], 400, "InvalidArgument"),
        (more("x-amz-meta-owner"), vec![], 403, "SignatureDoesNotMatch"),
        (more("x-amz-meta-owner"), vec![("x-amz-meta-owner", b"me")], 403, "SignatureDoesNotMatch"),
        (hostless, vec![], 403, "<HeadersNotSigned>host<"),
        (other, vec![], 400, "Please use AWS4-HMAC-SHA256"),
    ];
    for (authorization, headers, want, code) in refused {
        let mut all: Vec<(&str, &[u8])> = vec![("authorization", authorization.as_bytes())];
        all.extend(own.iter().map(|(name, value)| (*name, value.as_bytes())));
        all.extend(&headers);
        let (status, text) = send(s.address, "PUT", path, &all, b"guest").await;
        assert!(status == want && text.contains(code), "{headers:?}: {text}");
    }
    assert_eq!(tree(&dirs.folder()), ["private.jpg"]);
    let mut all: Vec<(&str, &[u8])> = vec![("authorization", authorization.as_bytes())];
    all.extend(own.iter().map(|(name, value)| (*name, value.as_bytes())));
    let (status, text) = send(s.address, "PUT", path, &all, b"other").await;
    assert!(status == 400, "another body: {text}");
    let (status, text) = send(s.address, "PUT", path, &all, b"guest").await;
    assert_eq!(status, 200, "{text}");
}

#[tokio::test]
async fn many_are_deleted_only_if_the_list_is_whole() {
    let (dirs, s, signer) = served(Options::default()).await;
    let body = b"<Delete><Object><Key>private.jpg</Key></Object></Delete>";
    let payload = sha256(body);
    let crc = {
        use s3s::crypto::Checksum;
        let mut crc = s3s::crypto::Crc32::new();
        crc.update(body);
        STANDARD.encode(crc.finalize())
    };
    let md5 = "AAAAAAAAAAAAAAAAAAAAAA==";
    type Case<'a> = (&'a [(&'a str, &'a str)], u16, &'a str);
    let cases: &[Case<'_>] = &[
        (&[], 400, "Missing required header for this request: Content-MD5"),
        (&[("content-md5", "x")], 400, "InvalidDigest"),
        (&[("content-md5", md5)], 400, "BadDigest"),
        (&[("x-amz-checksum-crc32", "AAAAAA==")], 400, "BadDigest"),
        (&[("x-amz-checksum-crc32", &crc)], 200, "<Deleted>"),
    ];
    for (digests, want, text) in cases {
        let mut headers = vec![("host", signer.host.as_str())];
        headers.extend(*digests);
        headers.extend([("x-amz-content-sha256", payload.as_str()), ("x-amz-date", signer.time.as_str())]);
        headers.sort_unstable();
        let authorization = signer.authorization("POST", "/photos", "delete=", &headers, &payload);
        let mut all: Vec<(&str, &[u8])> = vec![("authorization", authorization.as_bytes())];
        all.extend(headers.iter().filter(|(n, _)| *n != "host").map(|(n, v)| (*n, v.as_bytes())));
        let (status, answer) = send(s.address, "POST", "/photos?delete", &all, body).await;
        assert!(status == *want && answer.contains(text), "{digests:?}: {answer}");
        assert_eq!(tree(&dirs.folder()).len(), usize::from(*want != 200), "{digests:?}");
    }
}

#[tokio::test]
async fn forms_are_taken_only_where_they_are_switched_on() {
    for post_policy in [false, true] {
        let (dirs, s, signer) = served(Options { post_policy, ..Options::default() }).await;
        let conditions = [
            r#"{"bucket":"photos"}"#.to_owned(),
            r#"["starts-with","$key","guest"]"#.to_owned(),
            r#"{"x-amz-algorithm":"AWS4-HMAC-SHA256"}"#.to_owned(),
            format!(r#"{{"x-amz-credential":"{}"}}"#, signer.credential()),
            format!(r#"{{"x-amz-date":"{}"}}"#, signer.time),
        ]
        .join(",");
        let policy = STANDARD
            .encode(format!(r#"{{"expiration":"2999-01-01T00:00:00.000Z","conditions":[{conditions}]}}"#));
        let fields = [
            ("key", "guest.jpg"),
            ("policy", &policy),
            ("x-amz-algorithm", "AWS4-HMAC-SHA256"),
            ("x-amz-credential", &signer.credential()),
            ("x-amz-date", &signer.time),
            ("x-amz-signature", &signer.sign_text(&policy)),
        ];
        let mut body = String::new();
        for (name, value) in fields {
            body += &format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        }
        body += "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\nContent-Type: image/jpeg\r\n\r\nguest\r\n--b--\r\n";
        let form: (&str, &[u8]) = ("content-type", b"multipart/form-data; boundary=b");
        let (status, text) = send(s.address, "POST", "/photos", &[form], body.as_bytes()).await;
        if !post_policy {
            assert!(status == 405 && text.contains("MethodNotAllowed"), "{text}");
            assert_eq!(tree(&dirs.folder()), ["private.jpg"]);
            continue;
        }
        assert_eq!(status, 204, "{text}");
        assert_eq!(tree(&dirs.folder()), ["guest.jpg", "private.jpg"]);
        let more: (&str, &[u8]) = ("x-amz-meta-owner", b"me");
        let (status, text) = send(s.address, "POST", "/photos", &[form, more], body.as_bytes()).await;
        assert!(status == 403 && text.contains("HeadersNotSigned"), "{text}");
    }
}
