//! What s3s reads differently from S3: XML, sources of copies, ranges.

use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mediadex_s3::{Access, Watch};
use s3s::crypto::Checksum;

use crate::harness::{Dirs, Served, code, tree};
use crate::signer::{Signer, send_signed};

async fn served() -> (Dirs, Served, Signer) {
    let dirs = Dirs::new();
    let s = Served::start(&dirs.state(), Watch::Off).await;
    s.store.add_bucket("photos", dirs.folder(), Access::ReadWrite).unwrap();
    let signer = Signer::new(s.address);
    (dirs, s, signer)
}

fn crc32(body: &[u8]) -> String {
    let mut crc = s3s::crypto::Crc32::new();
    crc.update(body);
    STANDARD.encode(crc.finalize())
}

#[tokio::test]
async fn keys_to_delete_are_read_as_xml_reads_them() {
    // What is written, and the one file that goes.
    let table = [
        ("<Key>a&#128247;.jpg</Key>", "a📷.jpg"),
        ("<Key>a&#x1F4F7;.jpg</Key>", "a📷.jpg"),
        ("<Key>a<![CDATA[b]]>.jpg</Key>", "ab.jpg"),
        ("<Key><![CDATA[x&y.jpg]]></Key>", "x&y.jpg"),
        ("<Key>a.jpg</Key><VersionId></VersionId>", "a.jpg"),
        ("<Key>a.jpg</Key><VersionId/>", "a.jpg"),
        ("<Key>a.jpg</Key><VersionId>null</VersionId>", "a.jpg"),
        ("<Key>a&#13;b</Key>", "a\rb"),
        ("<Key>a&#1;b</Key>", "a\u{1}b"),
    ];
    let files = ["a.jpg", "ab.jpg", "a📷.jpg", "x&y.jpg", ".jpg", "a\rb", "a\nb", "a\u{1}b"];
    let (dirs, s, signer) = served().await;
    for (object, gone) in table {
        for file in files {
            std::fs::write(dirs.folder().join(file), "x").unwrap();
        }
        let body = format!("<?xml version=\"1.0\"?><Delete><Object>{object}</Object></Delete>");
        let digest = crc32(body.as_bytes());
        let headers = [("x-amz-checksum-crc32", digest.as_str())];
        let (status, text) =
            send_signed(&signer, "POST", ("/photos", "delete="), &headers, body.as_bytes()).await;
        assert!(status == 200 && text.contains("<Deleted>") && !text.contains("<Error>"), "{object}: {text}");
        let mut left: Vec<&str> = files.into_iter().filter(|file| *file != gone).collect();
        left.sort_unstable();
        assert_eq!(tree(&dirs.folder()), left, "{object}");
    }
    let all = tree(&dirs.folder());
    for (body, want) in [
        ("<Delete><Object><Key>ab.jpg</Key><VersionId>v1</VersionId></Object></Delete>", "NoSuchVersion"),
        ("<Delete><Object><Key>a&what;b.jpg</Key></Object></Delete>", "MalformedXML"),
        ("<Delete><Object><Key>ab.jpg</Key></Object>", "MalformedXML"),
        ("", "MissingRequestBody"),
    ] {
        let digest = crc32(body.as_bytes());
        let headers = [("x-amz-checksum-crc32", digest.as_str())];
        let (_, text) = send_signed(&signer, "POST", ("/photos", "delete="), &headers, body.as_bytes()).await;
        assert!(text.contains(want), "{body}: {text}");
        assert_eq!(tree(&dirs.folder()), all, "{body}");
    }
    drop(s);
}

#[tokio::test]
async fn the_signature_and_the_digests_are_of_what_was_sent() {
    let (dirs, s, signer) = served().await;
    std::fs::write(dirs.folder().join("a📷"), "x").unwrap();
    let body = b"<Delete><Object><Key>a&#128247;</Key></Object></Delete>";
    let target = ("/photos", "delete=");
    let wrong = [("x-amz-checksum-crc32", "AAAAAA==")];
    let (status, text) = send_signed(&signer, "POST", target, &wrong, body).await;
    assert!(status == 400 && text.contains("BadDigest"), "{text}");
    // Another body under the same signature.
    let payload = crate::signer::sha256(body);
    let other = b"<Delete><Object><Key>a&#128248;</Key></Object></Delete>";
    let digest = crc32(other);
    let headers = [
        ("host", signer.host.as_str()),
        ("x-amz-checksum-crc32", digest.as_str()),
        ("x-amz-content-sha256", payload.as_str()),
        ("x-amz-date", signer.time.as_str()),
    ];
    let authorization = signer.authorization("POST", "/photos", "delete=", &headers, &payload);
    let mut all: Vec<(&str, &[u8])> = vec![("authorization", authorization.as_bytes())];
    all.extend(headers.iter().skip(1).map(|(name, value)| (*name, value.as_bytes())));
    let (status, text) = crate::signer::send(s.address, "POST", "/photos?delete=", &all, other).await;
    assert!(status == 400 && text.contains("<Code>XAmzContentSHA256Mismatch<"), "{text}");
    // What is rewritten needs a signature as all else does.
    for (method, target) in [("POST", "/photos?delete"), ("PUT", "/photos/a?tagging"), ("GET", "/photos/a")] {
        let headers: &[(&str, &[u8])] =
            &[("range", b"bytes=0-0,2-2"), ("content-md5", b"XUFAKrxLKna5cZ2REBfFkg==")];
        let (status, text) = crate::signer::send(s.address, method, target, headers, body).await;
        assert!(status == 403 && text.contains("AccessDenied"), "{target}: {text}");
    }
    assert_eq!(tree(&dirs.folder()), ["a📷"]);
}

#[tokio::test]
async fn tags_and_notifications_are_read_as_xml_reads_them() {
    let (_dirs, s, signer) = served().await;
    s.put("photos", "k", b"x").await;
    let body =
        "<Tagging><TagSet><Tag><Key>a<![CDATA[&]]>b</Key><Value>&#128247;</Value></Tag></TagSet></Tagging>";
    let (status, text) = send_signed(&signer, "PUT", ("/photos/k", "tagging="), &[], body.as_bytes()).await;
    assert_eq!(status, 200, "{text}");
    let got = s.client.get_object_tagging().bucket("photos").key("k").send().await.unwrap();
    assert_eq!((got.tag_set()[0].key(), got.tag_set()[0].value()), ("a&b", "📷"));
    let headers = [("content-md5", "AAAAAAAAAAAAAAAAAAAAAA==")];
    let (status, text) =
        send_signed(&signer, "PUT", ("/photos/k", "tagging="), &headers, b"<Tagging><TagSet/></Tagging>")
            .await;
    assert!(status == 400 && text.contains("BadDigest"), "{text}");
    let body = "<NotificationConfiguration><QueueConfiguration><Id>&#128247;</Id>\
        <Queue>arn:aws:sqs:us-east-1:000000000000:q</Queue><Event>s3:ObjectCreated:*</Event>\
        </QueueConfiguration></NotificationConfiguration>";
    let (status, text) =
        send_signed(&signer, "PUT", ("/photos", "notification="), &[], body.as_bytes()).await;
    assert_eq!(status, 200, "{text}");
    let got = s.client.get_bucket_notification_configuration().bucket("photos").send().await.unwrap();
    assert_eq!(got.queue_configurations()[0].id(), Some("📷"));
    // The checksum beside a list of parts is the object's, not the list's.
    let upload = s.client.create_multipart_upload().bucket("photos").key("m").send().await.unwrap();
    let id = upload.upload_id.unwrap();
    let part = s.client.upload_part().bucket("photos").key("m").upload_id(&id).part_number(1);
    let part = part.body(b"hello".to_vec().into()).send().await.unwrap();
    let part = CompletedPart::builder().part_number(1).e_tag(part.e_tag.unwrap()).build();
    s.client
        .complete_multipart_upload()
        .bucket("photos")
        .key("m")
        .upload_id(id)
        .multipart_upload(CompletedMultipartUpload::builder().parts(part).build())
        .send()
        .await
        .unwrap();
    assert_eq!(s.get("photos", "m").await, b"hello");
}

#[tokio::test]
async fn the_source_of_a_copy_is_read_as_forms_are() {
    let (_dirs, s, _) = served().await;
    s.put("photos", "a b+c.txt", b"blank").await;
    s.put("photos", "a+b+c.txt", b"plus").await;
    for (source, want) in [
        ("photos/a+b%2Bc.txt", "blank"),
        ("photos/a%20b%2Bc.txt", "blank"),
        ("/photos/a%2Bb%2Bc.txt", "plus"),
    ] {
        s.client.copy_object().bucket("photos").key("copy").copy_source(source).send().await.unwrap();
        assert_eq!(s.get("photos", "copy").await, want.as_bytes(), "{source}");
        let upload = s.client.create_multipart_upload().bucket("photos").key("m").send().await.unwrap();
        let part = s.client.upload_part_copy().bucket("photos").key("m").part_number(1);
        let part = part.upload_id(upload.upload_id.unwrap()).copy_source(source).send().await.unwrap();
        let etag = s.client.head_object().bucket("photos").key("copy").send().await.unwrap().e_tag;
        assert_eq!(part.copy_part_result.unwrap().e_tag, etag, "{source}");
    }
    let none = s.client.copy_object().bucket("photos").key("copy").copy_source("photos/a+b+c.txt");
    assert_eq!(code(none.send().await), ("NoSuchKey".into(), 404));
}

#[tokio::test]
async fn ranges_that_are_none_are_passed_over_and_copied_ones_are_whole() {
    let (_dirs, s, _) = served().await;
    s.put("photos", "k", b"0123456789").await;
    for range in ["bytes=0-1,4-5", "bytes=5-2", "lines=1-2", "bytes=x", "0-1", "bytes=2"] {
        let get = s.client.get_object().bucket("photos").key("k").range(range).send().await.unwrap();
        assert_eq!(get.content_range, None, "{range}");
        assert_eq!(get.body.collect().await.unwrap().to_vec(), b"0123456789", "{range}");
        let head = s.client.head_object().bucket("photos").key("k").range(range).send().await.unwrap();
        assert_eq!((head.content_length, head.content_range), (Some(10), None), "{range}");
    }
    let id = s.client.create_multipart_upload().bucket("photos").key("m").send().await.unwrap().upload_id;
    let copy = |range: &str| {
        let copy = s.client.upload_part_copy().bucket("photos").key("m").copy_source("photos/k");
        copy.set_upload_id(id.clone()).part_number(1).copy_source_range(range).send()
    };
    copy("bytes=0-9").await.unwrap();
    assert_eq!(code(copy("bytes=0-10").await), ("InvalidRange".into(), 416));
    for range in ["bytes=1-", "bytes=-3", "0-1", "bytes=0-1,2-3", "bytes=a-b"] {
        assert_eq!(code(copy(range).await), ("InvalidArgument".into(), 400), "{range}");
    }
}

#[tokio::test]
async fn a_client_that_waits_for_100_without_a_body_is_not_left_waiting() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (_dirs, s, signer) = served().await;
    let payload = crate::signer::sha256(b"");
    let headers = [
        ("host", signer.host.as_str()),
        ("x-amz-content-sha256", payload.as_str()),
        ("x-amz-date", signer.time.as_str()),
    ];
    let authorization = signer.authorization("PUT", "/photos/empty", "", &headers, &payload);
    let mut socket = tokio::net::TcpStream::connect(s.address).await.unwrap();
    let request = format!(
        "PUT /photos/empty HTTP/1.1\r\nhost: {}\r\nx-amz-content-sha256: {payload}\r\nx-amz-date: {}\r\n\
         authorization: {authorization}\r\nexpect: 100-continue\r\ncontent-length: 0\r\n\r\n",
        signer.host, signer.time
    );
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let read = tokio::time::timeout(std::time::Duration::from_secs(10), socket.read_to_string(&mut answer));
    read.await.expect("the connection ends").unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("connection: close"), "{answer}");
    assert!(s.get("photos", "empty").await.is_empty());
}
