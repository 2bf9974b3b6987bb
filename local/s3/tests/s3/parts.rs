//! Objects that were uploaded in parts, read by their parts.

use aws_sdk_s3::operation::complete_multipart_upload::CompleteMultipartUploadOutput;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart, ObjectAttributes};
use mediadex_s3::{Access, Options, Watch};

use crate::harness::{Dirs, Served, code};

const PART: usize = 5 << 20;

/// Uploads an object in parts; answers what completes it.
async fn upload(s: &Served, key: &str, parts: &[(i32, Vec<u8>)]) -> (String, CompletedMultipartUpload) {
    let created = s.client.create_multipart_upload().bucket("folder").key(key).send().await.unwrap();
    let id = created.upload_id.unwrap();
    let mut done = CompletedMultipartUpload::builder();
    for (number, bytes) in parts {
        let sent = s
            .client
            .upload_part()
            .bucket("folder")
            .key(key)
            .upload_id(&id)
            .part_number(*number)
            .body(ByteStream::from(bytes.clone()))
            .send()
            .await
            .unwrap();
        done = done.parts(CompletedPart::builder().part_number(*number).e_tag(sent.e_tag.unwrap()).build());
    }
    (id, done.build())
}

async fn complete(
    s: &Served,
    key: &str,
    id: &str,
    parts: &CompletedMultipartUpload,
) -> Result<
    CompleteMultipartUploadOutput,
    aws_sdk_s3::error::SdkError<
        aws_sdk_s3::operation::complete_multipart_upload::CompleteMultipartUploadError,
    >,
> {
    let request = s.client.complete_multipart_upload().bucket("folder").key(key).upload_id(id);
    request.multipart_upload(parts.clone()).send().await
}

/// Notes the status of an answer.
#[derive(Debug)]
struct StatusOf(std::sync::Arc<std::sync::atomic::AtomicU16>);

impl aws_sdk_s3::config::Intercept for StatusOf {
    fn name(&self) -> &'static str {
        "StatusOf"
    }

    fn read_before_deserialization(
        &self,
        context: &aws_sdk_s3::config::interceptors::BeforeDeserializationInterceptorContextRef<'_>,
        _: &aws_sdk_s3::config::RuntimeComponents,
        _: &mut aws_sdk_s3::config::ConfigBag,
    ) -> Result<(), aws_sdk_s3::error::BoxError> {
        self.0.store(context.response().status().as_u16(), std::sync::atomic::Ordering::SeqCst);
        Ok(())
    }
}

fn three() -> Vec<(i32, Vec<u8>)> {
    vec![(1, vec![1; PART]), (5, vec![5; PART + 1]), (9, b"end".to_vec())]
}

#[tokio::test]
async fn an_object_is_read_by_its_parts() {
    let dirs = Dirs::new();
    let s = Served::start(&dirs.state(), Watch::Off).await;
    s.store.add_bucket("folder", dirs.folder(), Access::ReadWrite).unwrap();
    let (id, parts) = upload(&s, "big", &three()).await;
    let e_tag = complete(&s, "big", &id, &parts).await.unwrap().e_tag;
    s.stop().await;

    // The parts are remembered over a restart.
    let s = Served::start(&dirs.state(), Watch::Off).await;
    s.store.add_bucket("folder", dirs.folder(), Access::ReadWrite).unwrap();
    let size = 2 * PART + 4;
    let get = |number: i32| s.client.get_object().bucket("folder").key("big").part_number(number).send();
    let head = |number: i32| s.client.head_object().bucket("folder").key("big").part_number(number).send();
    let mut start = 0;
    for (number, (_, bytes)) in (1..).zip(three()) {
        let range = format!("bytes {start}-{}/{size}", start + bytes.len() - 1);
        let got = head(number).await.unwrap();
        assert_eq!((got.parts_count, got.content_range.as_deref()), (Some(3), Some(range.as_str())));
        assert_eq!((got.content_length, &got.e_tag), (Some(bytes.len() as i64), &e_tag));
        let got = get(number).await.unwrap();
        assert_eq!((got.parts_count, got.content_range.as_deref()), (Some(3), Some(range.as_str())));
        assert!(got.body.collect().await.unwrap().to_vec() == bytes);
        start += bytes.len();
    }
    let seen = std::sync::Arc::new(std::sync::atomic::AtomicU16::new(0));
    let status = StatusOf(std::sync::Arc::clone(&seen));
    let head_of_part = s.client.head_object().bucket("folder").key("big").part_number(2).customize();
    head_of_part.interceptor(status).send().await.unwrap();
    assert_eq!(seen.load(std::sync::atomic::Ordering::SeqCst), 206);
    assert_eq!(code(get(4).await), ("InvalidPartNumber".to_owned(), 416));
    assert_eq!(code(head(4).await).1, 416);
    assert_eq!(code(get(0).await).0, "InvalidArgument");
    let both = s.client.get_object().bucket("folder").key("big").part_number(1).range("bytes=0-1");
    assert_eq!(code(both.send().await), ("InvalidRequest".to_owned(), 400));
    let whole = s.client.get_object().bucket("folder").key("big").send().await.unwrap();
    assert_eq!((whole.parts_count, whole.content_range.clone()), (None, None));

    // Neither a copy nor what another program wrote has parts.
    s.client.copy_object().bucket("folder").key("copy").copy_source("folder/big").send().await.unwrap();
    std::fs::write(dirs.folder().join("big"), vec![0; size]).unwrap();
    s.put("folder", "plain", b"plain").await;
    s.put("folder", "empty", b"").await;
    for (key, size) in [("copy", size), ("big", size), ("plain", 5)] {
        let first = s.client.get_object().bucket("folder").key(key).part_number(1).send().await.unwrap();
        assert_eq!(first.parts_count, None, "{key}");
        assert_eq!(first.content_range, Some(format!("bytes 0-{}/{size}", size - 1)), "{key}");
        let second = s.client.get_object().bucket("folder").key(key).part_number(2).send().await;
        assert_eq!(code(second), ("InvalidPartNumber".to_owned(), 416), "{key}");
    }
    let empty = s.client.get_object().bucket("folder").key("empty").part_number(1).send().await.unwrap();
    assert_eq!((empty.content_length, empty.content_range), (Some(0), None));
}

#[tokio::test]
async fn the_attributes_of_an_object_name_its_parts() {
    let dirs = Dirs::new();
    let s = Served::start(&dirs.state(), Watch::Off).await;
    s.store.add_bucket("folder", dirs.folder(), Access::ReadWrite).unwrap();
    let (id, parts) = upload(&s, "big", &three()).await;
    let e_tag = complete(&s, "big", &id, &parts).await.unwrap().e_tag.unwrap();
    s.put("folder", "plain", b"plain").await;
    let all = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"].map(ObjectAttributes::from);
    let ask = |key: &str| {
        let request = s.client.get_object_attributes().bucket("folder").key(key);
        request.set_object_attributes(Some(all.to_vec()))
    };
    let got = ask("big").max_parts(2).send().await.unwrap();
    assert_eq!(got.e_tag.as_deref(), Some(e_tag.trim_matches('"')));
    assert_eq!(got.object_size, Some((2 * PART + 4) as i64));
    assert_eq!(got.storage_class.as_ref().map(|class| class.as_str()), Some("STANDARD"));
    assert!(got.last_modified.is_some());
    let page = got.object_parts.unwrap();
    assert_eq!((page.total_parts_count, page.is_truncated, page.max_parts), (Some(3), Some(true), Some(2)));
    let sizes: Vec<_> = page.parts().iter().map(|part| (part.part_number, part.size)).collect();
    assert_eq!(sizes, [(Some(1), Some(PART as i64)), (Some(2), Some(PART as i64 + 1))]);
    let next = ask("big").part_number_marker(page.next_part_number_marker.unwrap()).send().await.unwrap();
    let page = next.object_parts.unwrap();
    assert_eq!((page.is_truncated, page.parts().len()), (Some(false), 1));
    assert_eq!(page.parts()[0].size, Some(3));

    let plain = ask("plain").send().await.unwrap();
    assert!(plain.object_parts.is_none());
    let some = s.client.get_object_attributes().bucket("folder").key("plain");
    let some = some.object_attributes(ObjectAttributes::ObjectSize).send().await.unwrap();
    assert_eq!((some.object_size, some.e_tag, some.storage_class), (Some(5), None, None));
    let unknown = s.client.get_object_attributes().bucket("folder").key("plain");
    let unknown = unknown.object_attributes(ObjectAttributes::from("Colour")).send().await;
    assert_eq!(code(unknown).0, "InvalidArgument");
    assert_eq!(code(ask("none").send().await), ("NoSuchKey".to_owned(), 404));
}

#[tokio::test]
async fn an_upload_may_be_completed_again() {
    let dirs = Dirs::new();
    let s = Served::start(&dirs.state(), Watch::Off).await;
    s.store.add_bucket("folder", dirs.folder(), Access::ReadWrite).unwrap();
    let (id, parts) = upload(&s, "big", &three()).await;
    // Two at once are one after the other.
    let (first, second) = tokio::join!(complete(&s, "big", &id, &parts), complete(&s, "big", &id, &parts));
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_eq!(first.e_tag, second.e_tag);
    s.stop().await;
    let s = Served::start(&dirs.state(), Watch::Off).await;
    s.store.add_bucket("folder", dirs.folder(), Access::ReadWrite).unwrap();
    let again = complete(&s, "big", &id, &parts).await.unwrap();
    assert_eq!((again.e_tag, again.checksum_crc64_nvme), (first.e_tag, first.checksum_crc64_nvme));
    let fewer = parts.parts().iter().take(2).cloned().collect();
    let other = CompletedMultipartUpload::builder().set_parts(Some(fewer)).build();
    assert_eq!(code(complete(&s, "big", &id, &other).await), ("NoSuchUpload".to_owned(), 404));
    assert_eq!(code(complete(&s, "other", &id, &parts).await), ("NoSuchUpload".to_owned(), 404));
}

/// As with an object so large that its client would not wait for it.
#[tokio::test]
async fn an_answer_that_takes_long_begins_before_it_is_known() {
    let dirs = Dirs::new();
    let options = Options { watch: Watch::Off, patience: std::time::Duration::ZERO, ..Options::default() };
    let s = Served::with(&dirs.state(), options).await;
    s.store.add_bucket("folder", dirs.folder(), Access::ReadWrite).unwrap();
    let (id, parts) = upload(&s, "a & b", &three()).await;
    let wrong = CompletedPart::builder().part_number(1).e_tag("\"x\"").build();
    let wrong = CompletedMultipartUpload::builder().parts(wrong).build();
    assert_eq!(code(complete(&s, "a & b", &id, &wrong).await), ("InvalidPart".to_owned(), 200));
    let done = complete(&s, "a & b", &id, &parts).await.unwrap();
    assert!(done.e_tag.unwrap().ends_with("-3\""));
    assert_eq!(done.key.as_deref(), Some("a & b"));
    assert_eq!(s.get("folder", "a & b").await.len(), 2 * PART + 4);
}
