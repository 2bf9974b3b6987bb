//! Multipart uploads.

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};
use mediadex_s3::{Access, Watch};

use crate::harness::{Dirs, Served, code, tree};
use crate::signer::Signer;

const MIB: usize = 1 << 20;

fn complete(parts: &[(i32, &str)]) -> CompletedMultipartUpload {
    let parts = parts.iter().map(|(n, e)| CompletedPart::builder().part_number(*n).e_tag(*e).build());
    CompletedMultipartUpload::builder().set_parts(Some(parts.collect())).build()
}

#[tokio::test]
async fn parts_become_an_object() {
    let dirs = Dirs::new();
    let s = Served::start(&dirs.state(), Watch::Off).await;
    s.store.add_bucket("folder", dirs.folder(), Access::ReadWrite).unwrap();
    s.put("folder", "source", &vec![7u8; 6 * MIB]).await;
    let created = s
        .client
        .create_multipart_upload()
        .bucket("folder")
        .key("a/big")
        .content_type("video/x")
        .metadata("m", "1")
        .checksum_algorithm(ChecksumAlgorithm::Crc32)
        .send()
        .await
        .unwrap();
    let id = created.upload_id.unwrap();
    let part = |n: i32, bytes: Vec<u8>| {
        s.client
            .upload_part()
            .bucket("folder")
            .key("a/big")
            .upload_id(&id)
            .part_number(n)
            .body(ByteStream::from(bytes))
            .send()
    };
    part(1, vec![0; 10]).await.unwrap();
    let first = part(1, vec![1; 5 * MIB]).await.unwrap().e_tag.unwrap();
    let second = s
        .client
        .upload_part_copy()
        .bucket("folder")
        .key("a/big")
        .upload_id(&id)
        .part_number(5)
        .copy_source("folder/source")
        .copy_source_range(format!("bytes=0-{}", 5 * MIB - 1))
        .send()
        .await
        .unwrap()
        .copy_part_result
        .unwrap()
        .e_tag
        .unwrap();
    let third = part(9, b"end".to_vec()).await.unwrap().e_tag.unwrap();
    assert_eq!(code(part(0, vec![]).await).0, "InvalidArgument");
    assert_eq!(code(part(10_001, vec![]).await).0, "InvalidArgument");
    assert_eq!(tree(&dirs.folder()), ["source"], "nothing is in the folder yet");

    let listed =
        s.client.list_parts().bucket("folder").key("a/big").upload_id(&id).max_parts(2).send().await.unwrap();
    assert_eq!(listed.parts().iter().filter_map(|p| p.part_number).collect::<Vec<_>>(), [1, 5]);
    assert_eq!((listed.is_truncated, listed.next_part_number_marker.as_deref()), (Some(true), Some("5")));
    let rest = s
        .client
        .list_parts()
        .bucket("folder")
        .key("a/big")
        .upload_id(&id)
        .part_number_marker("5")
        .send()
        .await;
    assert_eq!(rest.unwrap().parts()[0].size, Some(3));

    let finish = |parts: CompletedMultipartUpload| {
        s.client
            .complete_multipart_upload()
            .bucket("folder")
            .key("a/big")
            .upload_id(&id)
            .multipart_upload(parts)
            .send()
    };
    assert_eq!(code(finish(complete(&[(5, &second), (1, &first)])).await).0, "InvalidPartOrder");
    assert_eq!(code(finish(complete(&[(1, "\"x\"")])).await).0, "InvalidPart");
    assert_eq!(code(finish(complete(&[(2, &first)])).await).0, "InvalidPart");
    let done = finish(complete(&[(1, &first), (5, &second), (9, &third)])).await.unwrap();
    let e_tag = done.e_tag.unwrap();
    assert!(e_tag.len() == 36 && e_tag.ends_with("-3\""), "{e_tag}");
    let mut want = vec![1u8; 5 * MIB];
    want.extend(vec![7u8; 5 * MIB]);
    want.extend(b"end");
    assert!(s.get("folder", "a/big").await == want);
    let head = s.client.head_object().bucket("folder").key("a/big").send().await.unwrap();
    assert_eq!(head.e_tag.as_deref(), Some(e_tag.as_str()));
    assert_eq!(head.content_type.as_deref(), Some("video/x"));
    assert_eq!(head.metadata.unwrap()["m"], "1");
    let listed = s.client.list_objects_v2().bucket("folder").prefix("a/").send().await.unwrap();
    assert_eq!(listed.contents()[0].e_tag.as_deref(), Some(e_tag.as_str()));
    assert_eq!(code(finish(complete(&[(1, &first)])).await).0, "NoSuchUpload", "of other parts");
    assert!(tree(&dirs.state().join("uploads")).is_empty());
}

#[tokio::test]
async fn small_parts_and_aborted_uploads() {
    let dirs = Dirs::new();
    let s = Served::start(&dirs.state(), Watch::Off).await;
    s.client.create_bucket().bucket("made").send().await.unwrap();
    let client = &s.client;
    let create = |key: &'static str| async move {
        let out = client.create_multipart_upload().bucket("made").key(key).send().await.unwrap();
        out.upload_id.unwrap()
    };
    let ids = [create("a/1").await, create("a/2").await, create("b").await];
    let list = || s.client.list_multipart_uploads().bucket("made");
    let keys = |out: &aws_sdk_s3::operation::list_multipart_uploads::ListMultipartUploadsOutput| {
        out.uploads().iter().filter_map(|u| u.key.clone()).collect::<Vec<_>>()
    };
    assert_eq!(keys(&list().send().await.unwrap()), ["a/1", "a/2", "b"]);
    assert_eq!(keys(&list().prefix("a/").send().await.unwrap()), ["a/1", "a/2"]);
    let grouped = list().delimiter("/").send().await.unwrap();
    assert_eq!((keys(&grouped), grouped.common_prefixes().len()), (vec!["b".to_owned()], 1));
    let page = list().max_uploads(1).send().await.unwrap();
    assert_eq!((keys(&page), page.is_truncated), (vec!["a/1".to_owned()], Some(true)));
    let next = list()
        .key_marker(page.next_key_marker.unwrap())
        .upload_id_marker(page.next_upload_id_marker.unwrap());
    assert_eq!(keys(&next.send().await.unwrap()), ["a/2", "b"]);

    let mut parts = Vec::new();
    for number in [1, 2] {
        let part = s.client.upload_part().bucket("made").key("a/1").upload_id(&ids[0]).part_number(number);
        parts.push(part.body(ByteStream::from_static(b"small")).send().await.unwrap().e_tag.unwrap());
    }
    let finish = s.client.complete_multipart_upload().bucket("made").key("a/1").upload_id(&ids[0]);
    let out = finish.multipart_upload(complete(&[(1, &parts[0]), (2, &parts[1])])).send().await;
    assert_eq!(code(out).0, "EntityTooSmall");
    for (key, id) in [("a/1", &ids[0]), ("a/2", &ids[1])] {
        s.client.abort_multipart_upload().bucket("made").key(key).upload_id(id).send().await.unwrap();
    }
    let again = s.client.abort_multipart_upload().bucket("made").key("a/1").upload_id(&ids[0]).send().await;
    assert_eq!(code(again).0, "NoSuchUpload");
    let wrong_key = s.client.list_parts().bucket("made").key("x").upload_id(&ids[2]).send().await;
    assert_eq!(code(wrong_key).0, "NoSuchUpload");
    assert_eq!(tree(&dirs.state().join("uploads")), [ids[2].clone()]);
    s.client.delete_bucket().bucket("made").send().await.unwrap();
    assert!(tree(&dirs.state().join("uploads")).is_empty());
}

#[tokio::test]
async fn of_uploads_of_one_part_that_overlap_the_last_to_end_counts() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let dirs = Dirs::new();
    let s = Served::start(&dirs.state(), Watch::Off).await;
    s.store.add_bucket("folder", dirs.folder(), Access::ReadWrite).unwrap();
    let created = s.client.create_multipart_upload().bucket("folder").key("k").send().await.unwrap();
    let id = created.upload_id.unwrap();
    let signer = Signer::new(s.address);
    let query = format!("partNumber=1&uploadId={id}");
    let headers = [
        ("host", signer.host.as_str()),
        ("x-amz-content-sha256", "UNSIGNED-PAYLOAD"),
        ("x-amz-date", signer.time.as_str()),
    ];
    let authorization = signer.authorization("PUT", "/folder/k", &query, &headers, "UNSIGNED-PAYLOAD");
    let head = format!(
        "PUT /folder/k?{query} HTTP/1.1\r\nhost: {}\r\nx-amz-content-sha256: UNSIGNED-PAYLOAD\r\nx-amz-date: {}\r\n\
         authorization: {authorization}\r\nconnection: close\r\ncontent-length: 8\r\n\r\nAAAA",
        signer.host, signer.time
    );
    let mut first = tokio::net::TcpStream::connect(s.address).await.unwrap();
    first.write_all(head.as_bytes()).await.unwrap();
    let upload = s.client.upload_part().bucket("folder").key("k").upload_id(&id).part_number(1);
    let second = upload.body(ByteStream::from_static(b"BBBBBBBB")).send().await.unwrap().e_tag.unwrap();
    first.write_all(b"AAAA").await.unwrap();
    let mut answer = String::new();
    first.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    // MD5 of eight times A.
    let etag = "\"aee9e38cb4d40ec2794542567539b4c8\"";
    let finish = |etag: &str| {
        let finish = s.client.complete_multipart_upload().bucket("folder").key("k").upload_id(&id);
        finish.multipart_upload(complete(&[(1, etag)])).send()
    };
    assert_eq!(code(finish(&second).await).0, "InvalidPart");
    finish(etag).await.unwrap();
    assert_eq!(s.get("folder", "k").await, b"AAAAAAAA");
}
