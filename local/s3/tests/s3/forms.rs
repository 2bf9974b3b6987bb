//! Uploads by a form, where they are switched on.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mediadex_s3::{Access, Options, Watch};

use crate::harness::{Dirs, Served, tree};
use crate::signer::{Signer, send};

/// A form with these fields and conditions, and a file.
fn form(signer: &Signer, fields: &[(&str, &str)], conditions: &[&str]) -> Vec<u8> {
    form_until("2999-01-01T00:00:00.000Z", signer, fields, conditions)
}

fn form_until(until: &str, signer: &Signer, fields: &[(&str, &str)], conditions: &[&str]) -> Vec<u8> {
    let mut all = vec![
        r#"{"bucket":"photos"}"#.to_owned(),
        r#"{"x-amz-algorithm":"AWS4-HMAC-SHA256"}"#.to_owned(),
        format!(r#"{{"x-amz-credential":"{}"}}"#, signer.credential()),
        format!(r#"{{"x-amz-date":"{}"}}"#, signer.time),
    ];
    all.extend(conditions.iter().map(|one| (*one).to_owned()));
    let policy = format!(r#"{{"expiration":"{until}","conditions":[{}]}}"#, all.join(","));
    let (policy, credential) = (STANDARD.encode(policy), signer.credential());
    let signature = signer.sign_text(&policy);
    let mut whole = vec![
        ("policy", policy.as_str()),
        ("x-amz-algorithm", "AWS4-HMAC-SHA256"),
        ("x-amz-credential", &credential),
        ("x-amz-date", &signer.time),
        ("x-amz-signature", &signature),
    ];
    whole.extend(fields);
    let mut body = String::new();
    for (name, value) in whole {
        body += &format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
    }
    body += "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"C:\\my\\a b.jpg\"\r\nContent-Type: image/jpeg\r\n\r\nguest\r\n--b--\r\n";
    body.into_bytes()
}

#[tokio::test]
async fn a_form_is_read_as_s3_reads_it() {
    let dirs = Dirs::new();
    let options = Options { watch: Watch::Off, post_policy: true, ..Options::default() };
    let s = Served::with(&dirs.state(), options).await;
    s.store.add_bucket("photos", dirs.folder(), Access::ReadWrite).unwrap();
    let signer = Signer::new(s.address);
    let kind: (&str, &[u8]) = ("content-type", b"multipart/form-data; boundary=b");
    let up = r#"["starts-with","$key","up/"]"#;
    let key = ("key", "up/${filename}");
    let post = async |fields: &[(&str, &str)], conditions: &[&str]| {
        let body = form(&signer, fields, conditions);
        send(s.address, "POST", "/photos", &[kind], &body).await
    };
    let etag = "\"084e0343a0486ff05530df6c705c8bb4\"";
    let location = format!("location: http://{}/photos/up/a%20b.jpg\r\n", signer.host);
    let (status, text) = post(&[key], &[up]).await;
    assert!(
        status == 204 && text.contains(&format!("etag: {etag}\r\n")) && text.contains(&location),
        "{text}"
    );
    assert_eq!(tree(&dirs.folder()), ["up", "up/a b.jpg"]);

    let (status, text) = post(
        &[key, ("success_action_status", "201")],
        &[up, r#"["starts-with","$success_action_status",""]"#],
    )
    .await;
    let quoted = format!("<ETag>{}</ETag>", etag.replace('"', "&quot;"));
    let place = format!("<Location>http://{}/photos/up/a%20b.jpg</Location>", signer.host);
    assert!(status == 201 && text.contains(&location), "{text}");
    assert!(
        text.contains(&quoted) && text.contains(&place) && text.contains("<Key>up/a b.jpg</Key>"),
        "{text}"
    );

    let (status, text) = post(
        &[key, ("success_action_redirect", "http://localhost/done")],
        &[up, r#"["starts-with","$success_action_redirect",""]"#],
    )
    .await;
    let target = format!("&etag=%22{}%22\r\n", etag.trim_matches('"'));
    assert!(
        status == 303 && text.contains("location: http://localhost/done?") && text.contains(&target),
        "{text}"
    );

    let tags = "<Tagging><TagSet><Tag><Key>a</Key><Value>1 &amp; 2</Value></Tag></TagSet></Tagging>";
    let tagged = r#"["starts-with","$tagging",""]"#;
    let (status, text) = post(&[key, ("tagging", tags)], &[up, tagged]).await;
    assert_eq!(status, 204, "{text}");
    let got = s.client.get_object_tagging().bucket("photos").key("up/a b.jpg").send().await.unwrap();
    assert_eq!((got.tag_set()[0].key(), got.tag_set()[0].value()), ("a", "1 & 2"));

    std::fs::remove_dir_all(dirs.folder().join("up")).unwrap();
    let public = r#"["starts-with","$acl",""]"#;
    for (fields, conditions, want) in [
        (vec![key, ("tagging", "<Tagging>")], vec![up, tagged], "MalformedXML"),
        (vec![key, ("acl", "public-read")], vec![up, public], "AccessControlListNotSupported"),
        (
            vec![key, ("x-amz-server-side-encryption", "aws:kms")],
            vec![up, r#"["starts-with","$x-amz-server-side-encryption",""]"#],
            "NotImplemented",
        ),
        // The policy is about the key that is meant.
        (
            vec![("key", "${filename}")],
            vec![up],
            "<Code>AccessDenied</Code><Message>Invalid according to Policy: Policy Condition failed: [\"starts-with\", \"$key\", \"up/\"]<",
        ),
    ] {
        let (status, text) = post(&fields, &conditions).await;
        assert!(status >= 400 && text.contains(want), "{want}: {text}");
    }
    let (status, text) = send(s.address, "POST", "/photos", &[kind], b"--b\r\nno form").await;
    assert!(status == 400 && text.contains("MalformedPOSTRequest"), "{text}");
    let large = [b"--b\r\n".to_vec(), vec![b'x'; 100_000]].concat();
    let (status, text) = send(s.address, "POST", "/photos", &[kind], &large).await;
    assert!(status == 400 && text.contains("MalformedPOSTRequest"), "{text}");
    assert!(tree(&dirs.folder()).is_empty());
}

/// A store with forms, and what posts one.
async fn served() -> (Dirs, Served, Signer) {
    let dirs = Dirs::new();
    let options = Options { watch: Watch::Off, post_policy: true, ..Options::default() };
    let s = Served::with(&dirs.state(), options).await;
    s.store.add_bucket("photos", dirs.folder(), Access::ReadWrite).unwrap();
    let signer = Signer::new(s.address);
    (dirs, s, signer)
}

const KIND: (&str, &[u8]) = ("content-type", b"multipart/form-data; boundary=b");

#[tokio::test]
async fn a_policy_ends_at_a_time_in_the_form_of_s3() {
    let (dirs, s, signer) = served().await;
    let key = r#"["starts-with","$key",""]"#;
    for (until, status, want) in [
        ("2999-01-01 00:00:00+00:00", 400, "<Code>InvalidPolicyDocument</Code>"),
        ("2999-01-01T00:00:00+00:00", 400, "<Code>InvalidPolicyDocument</Code>"),
        ("2001-01-01T00:00:00Z", 403, "<Code>AccessDenied</Code>"),
        ("2999-01-01T00:00:00Z", 204, ""),
    ] {
        let body = form_until(until, &signer, &[("key", "k")], &[key]);
        let (got, text) = send(s.address, "POST", "/photos", &[KIND], &body).await;
        assert!(got == status && text.contains(want), "{until}: {text}");
        assert_eq!(tree(&dirs.folder()).len(), usize::from(status == 204), "{until}");
    }
}

#[tokio::test]
async fn a_checksum_in_a_form_is_verified_and_told() {
    let (dirs, s, signer) = served().await;
    let key = r#"["starts-with","$key",""]"#;
    // Of "guest", by other programs.
    for (name, right, wrong) in [
        ("x-amz-checksum-crc32", "rLeaNQ==", "rLeaNg=="),
        (
            "x-amz-checksum-sha256",
            "hJg8YPfarcHLhphiH4AsDZ+aPDwpXIEHSPsEgRXBhuw=",
            "hJg8YPfarcHLhphiH4AsDZ+aPDwpXIEHSPsEgRXBhu0=",
        ),
        ("x-amz-checksum-md5", "CE4DQ6BIb/BVMN9scFyLtA==", "CE4DQ6BIb/BVMN9scFyLtQ=="),
    ] {
        let named = format!(r#"["eq","${name}","{right}"]"#);
        let other = format!(r#"["eq","${name}","{wrong}"]"#);
        for (sum, conditions, status, want) in [
            // The policy may say which it is, and need not.
            (right, vec![key], 204, format!("\r\n{name}: {right}\r\n")),
            (right, vec![key, named.as_str()], 204, format!("\r\n{name}: {right}\r\n")),
            (wrong, vec![key], 400, "<Code>BadDigest</Code>".to_owned()),
            (wrong, vec![key, other.as_str()], 400, "<Code>BadDigest</Code>".to_owned()),
            (right, vec![key, other.as_str()], 403, "<Code>AccessDenied</Code>".to_owned()),
            ("guess", vec![key], 400, "<Code>BadDigest</Code>".to_owned()),
        ] {
            let body = form(&signer, &[("key", "k"), (name, sum)], &conditions);
            let (got, text) = send(s.address, "POST", "/photos", &[KIND], &body).await;
            assert!(got == status && text.contains(&want), "{name} {sum} {conditions:?}: {text}");
            assert_eq!(tree(&dirs.folder()).len(), usize::from(status == 204), "{name} {sum}");
            s.client.delete_object().bucket("photos").key("k").send().await.unwrap();
        }
    }
    // A policy alone says nothing.
    let body = form(&signer, &[("key", "k")], &[key]);
    let body = String::from_utf8(body).unwrap().replace("x-amz-signature", "x-ignore-signature");
    let (status, text) = send(s.address, "POST", "/photos", &[KIND], body.as_bytes()).await;
    assert!(status == 400 && text.contains("InvalidArgument"), "{text}");
    // Other fields need a condition as before.
    let body = form(&signer, &[("key", "k"), ("x-amz-meta-a", "1")], &[key]);
    let (status, text) = send(s.address, "POST", "/photos", &[KIND], &body).await;
    assert!(status == 403 && text.contains("AccessDenied"), "{text}");
}
