//! Checksums: those that clients send, those that they ask for, and the default one.

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    ChecksumAlgorithm, ChecksumMode, ChecksumType, CompletedMultipartUpload, CompletedPart, ObjectAttributes,
};
use mediadex_s3::Watch;

use crate::harness::{Dirs, Served, code};

const PART: usize = 5 << 20;
const DIGITS: &[u8] = b"123456789";
/// Checksums of the digits: the header, the right one, and another.
const SUMS: [(&str, &str, &str); 8] = [
    ("crc32", "y/Q5Jg==", "y/Q5JQ=="),
    ("crc32c", "4waSgw==", "4waSgg=="),
    ("crc64nvme", "rosUhgp5mIg=", "rosUhgp5mIc="),
    ("sha1", "98O8HYCOBHMq32eZZczDTKeuNEE=", "98O8HYCOBHMq32eZZczDTKeuNEI="),
    (
        "sha256",
        "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU=",
        "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiY=",
    ),
    (
        "sha512",
        "2eZ2LdHI6vbWGzxhkvxAjU1tXxF20MKRabwk5xw/J0rSf81YEbMT1oH35V7ALXPUmclUVba1u1A6z1dPuo/+hQ==",
        "2eZ2LdHI6vbWGzxhkvxAjU1tXxF20MKRabwk5xw/J0rSf81YEbMT1oH35V7ALXPUmclUVba1u1A6z1dPuo/+hg==",
    ),
    ("md5", "JfnnlDI7RTiF9RgfG2JNCw==", "JfnnlDI7RTiF9RgfG2JNDA=="),
    ("xxhash64", "jLhB20DmroM=", "jLhB20DmroQ="),
];

async fn served(dirs: &Dirs) -> Served {
    let s = Served::start(&dirs.state(), Watch::Off).await;
    s.client.create_bucket().bucket("made").send().await.unwrap();
    s
}

/// A client that sends no checksum of its own accord.
fn plain(s: &Served) -> aws_sdk_s3::Client {
    let config = s
        .client
        .config()
        .to_builder()
        .request_checksum_calculation(aws_sdk_s3::config::RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(aws_sdk_s3::config::ResponseChecksumValidation::WhenRequired)
        .build();
    aws_sdk_s3::Client::from_conf(config)
}

#[tokio::test]
async fn every_checksum_is_verified_and_told_again() {
    let dirs = Dirs::new();
    let s = served(&dirs).await;
    let client = plain(&s);
    for (name, right, wrong) in SUMS {
        let header = format!("x-amz-checksum-{name}");
        let put = |sum: &'static str| {
            let header = header.clone();
            let body = ByteStream::from_static(DIGITS);
            let put = client.put_object().bucket("made").key(name).body(body).customize();
            put.mutate_request(move |request| {
                request.headers_mut().insert(header.clone(), sum);
            })
            .send()
        };
        assert_eq!(code(put(wrong).await), ("BadDigest".to_owned(), 400), "{name}");
        put(right).await.unwrap();
        let head = || client.head_object().bucket("made").key(name);
        for (mode, want) in [(None, None), (Some(ChecksumMode::Enabled), Some(right))] {
            let output = head().set_checksum_mode(mode).send().await.unwrap();
            let told = match name {
                "crc32" => output.checksum_crc32.as_deref(),
                "crc32c" => output.checksum_crc32_c.as_deref(),
                "crc64nvme" => output.checksum_crc64_nvme.as_deref(),
                "sha1" => output.checksum_sha1.as_deref(),
                "sha256" => output.checksum_sha256.as_deref(),
                "sha512" => output.checksum_sha512.as_deref(),
                "md5" => output.checksum_md5.as_deref(),
                _ => output.checksum_xxhash64.as_deref(),
            };
            assert_eq!(told, want, "{name}");
            assert_eq!(output.checksum_type, want.map(|_| ChecksumType::FullObject), "{name}");
        }
    }
    let two = client.put_object().bucket("made").key("two").body(ByteStream::from_static(DIGITS));
    let two = two.checksum_crc32(SUMS[0].1).checksum_sha1(SUMS[3].1).send().await;
    assert_eq!(code(two).0, "InvalidRequest");
}

#[tokio::test]
async fn an_object_without_a_checksum_gets_one() {
    let dirs = Dirs::new();
    let s = served(&dirs).await;
    let client = plain(&s);
    let body = ByteStream::from_static(DIGITS);
    let put = client.put_object().bucket("made").key("k").body(body).send().await.unwrap();
    assert_eq!(put.checksum_crc64_nvme.as_deref(), Some("rosUhgp5mIg="));
    assert_eq!(put.checksum_type, Some(ChecksumType::FullObject));
    let get = || client.get_object().bucket("made").key("k").checksum_mode(ChecksumMode::Enabled);
    assert_eq!(get().send().await.unwrap().checksum_crc64_nvme.as_deref(), Some("rosUhgp5mIg="));
    assert_eq!(get().range("bytes=0-3").send().await.unwrap().checksum_crc64_nvme, None);
    let attributes = client.get_object_attributes().bucket("made").key("k");
    let attributes = attributes.object_attributes(ObjectAttributes::Checksum).send().await.unwrap();
    let checksum = attributes.checksum.unwrap();
    assert_eq!(checksum.checksum_crc64_nvme.as_deref(), Some("rosUhgp5mIg="));
    assert_eq!(checksum.checksum_type, Some(ChecksumType::FullObject));

    // A copy has the source's checksum, or the one that is asked for.
    let copy = || client.copy_object().bucket("made").key("copy").copy_source("made/k");
    let kept = copy().send().await.unwrap().copy_object_result.unwrap();
    assert_eq!(kept.checksum_crc64_nvme.as_deref(), Some("rosUhgp5mIg="));
    let other = copy().checksum_algorithm(ChecksumAlgorithm::Sha1).send().await.unwrap();
    assert_eq!(other.copy_object_result.unwrap().checksum_sha1.as_deref(), Some(SUMS[3].1));
    let head = client.head_object().bucket("made").key("copy").checksum_mode(ChecksumMode::Enabled);
    let head = head.send().await.unwrap();
    assert_eq!((head.checksum_sha1.as_deref(), head.checksum_crc64_nvme), (Some(SUMS[3].1), None));
}

/// An upload of two parts; the second is a copy.
struct Upload<'a> {
    client: &'a aws_sdk_s3::Client,
    id: String,
    parts: Vec<CompletedPart>,
}

impl<'a> Upload<'a> {
    async fn start(
        client: &'a aws_sdk_s3::Client,
        algorithm: Option<ChecksumAlgorithm>,
        sum_type: Option<ChecksumType>,
    ) -> Self {
        let create = client.create_multipart_upload().bucket("made").key("big");
        let created = create
            .set_checksum_algorithm(algorithm.clone())
            .set_checksum_type(sum_type)
            .send()
            .await
            .unwrap();
        assert_eq!(created.checksum_algorithm, algorithm);
        let id = created.upload_id.unwrap();
        let part = client.upload_part().bucket("made").key("big").upload_id(&id).part_number(1);
        let first = part.body(ByteStream::from(vec![1; PART])).send().await.unwrap();
        let copy = client.upload_part_copy().bucket("made").key("big").upload_id(&id).part_number(2);
        let second = copy.copy_source("made/source").send().await.unwrap().copy_part_result.unwrap();
        match algorithm {
            Some(ChecksumAlgorithm::Crc32) => {
                assert_eq!(first.checksum_crc32.as_deref().map(str::len), Some(8));
                assert_eq!(second.checksum_crc32.as_deref(), Some("y/Q5Jg=="));
            }
            Some(ChecksumAlgorithm::Sha256) => {
                assert_eq!(second.checksum_sha256.as_deref(), Some(SUMS[4].1));
            }
            Some(ChecksumAlgorithm::Md5) => assert_eq!(second.checksum_md5.as_deref(), Some(SUMS[6].1)),
            _ => assert_eq!(second.checksum_crc64_nvme, None),
        }
        let done = |number: i32, e_tag: Option<String>| {
            CompletedPart::builder().part_number(number).set_e_tag(e_tag).build()
        };
        Self { client, id, parts: vec![done(1, first.e_tag), done(2, second.e_tag)] }
    }

    fn complete(
        &self,
    ) -> aws_sdk_s3::operation::complete_multipart_upload::builders::CompleteMultipartUploadFluentBuilder
    {
        let parts = CompletedMultipartUpload::builder().set_parts(Some(self.parts.clone())).build();
        let complete = self.client.complete_multipart_upload().bucket("made").key("big");
        complete.upload_id(&self.id).multipart_upload(parts)
    }
}

#[tokio::test]
async fn an_object_in_parts_has_a_checksum_of_the_whole_or_of_its_parts() {
    let dirs = Dirs::new();
    let s = served(&dirs).await;
    let client = plain(&s);
    let body = ByteStream::from_static(DIGITS);
    client.put_object().bucket("made").key("source").body(body).send().await.unwrap();
    let mut whole = vec![1; PART];
    whole.extend(DIGITS);
    let put = client.put_object().bucket("made").key("whole").body(ByteStream::from(whole));
    let want = put.checksum_algorithm(ChecksumAlgorithm::Crc32).send().await.unwrap().checksum_crc32.unwrap();
    let head = || client.head_object().bucket("made").key("big").checksum_mode(ChecksumMode::Enabled);

    let full = Some(ChecksumType::FullObject);
    let upload = Upload::start(&client, Some(ChecksumAlgorithm::Crc32), full.clone()).await;
    let wrong = upload.complete().checksum_crc32(SUMS[0].2).send().await;
    assert_eq!(code(wrong), ("BadDigest".to_owned(), 400));
    let wrong = upload.complete().checksum_type(ChecksumType::Composite).send().await;
    assert_eq!(code(wrong), ("BadDigest".to_owned(), 400));
    let wrong = upload.complete().mpu_object_size(5).send().await;
    assert_eq!(code(wrong), ("InvalidRequest".to_owned(), 400));
    let done =
        upload.complete().checksum_crc32(&want).mpu_object_size((PART + 9) as i64).send().await.unwrap();
    assert_eq!((done.checksum_crc32.as_ref(), done.checksum_type.as_ref()), (Some(&want), full.as_ref()));
    let again = upload.complete().checksum_crc32(&want).send().await.unwrap();
    assert_eq!((again.e_tag, again.checksum_crc32), (done.e_tag, done.checksum_crc32));
    let told = head().send().await.unwrap();
    assert_eq!((told.checksum_crc32.as_ref(), told.checksum_type), (Some(&want), full.clone()));
    let part = client.get_object().bucket("made").key("big").part_number(2);
    let part = part.checksum_mode(ChecksumMode::Enabled).send().await.unwrap();
    assert_eq!(part.checksum_crc32.as_deref(), Some("y/Q5Jg=="));

    // The default one, without anybody's asking for it.
    let upload = Upload::start(&client, None, None).await;
    let done = upload.complete().send().await.unwrap();
    assert_eq!((done.checksum_crc64_nvme.as_deref().map(str::len), done.checksum_type), (Some(12), full));

    let upload = Upload::start(&client, Some(ChecksumAlgorithm::Sha256), None).await;
    let other = client.upload_part().bucket("made").key("big").upload_id(&upload.id).part_number(3);
    let other = other.checksum_crc32(SUMS[0].1).body(ByteStream::from_static(DIGITS)).send().await;
    assert_eq!(code(other), ("InvalidRequest".to_owned(), 400));
    let done = upload.complete().send().await.unwrap();
    let sum = done.checksum_sha256.unwrap();
    assert!(sum.ends_with("-2"), "{sum}");
    let told = head().send().await.unwrap();
    assert_eq!(told.checksum_sha256.as_ref(), Some(&sum));
    assert_eq!(told.checksum_type, Some(ChecksumType::Composite));
    // The copy of it is one piece.
    let copy = client.copy_object().bucket("made").key("copy").copy_source("made/big").send().await.unwrap();
    let copied = copy.copy_object_result.unwrap();
    assert_eq!(copied.checksum_type, Some(ChecksumType::FullObject));
    assert!(copied.checksum_sha256.is_some_and(|sum| !sum.contains('-')));

    for (algorithm, sum_type) in [
        (Some(ChecksumAlgorithm::Sha256), ChecksumType::FullObject),
        (Some(ChecksumAlgorithm::Crc64Nvme), ChecksumType::Composite),
        (None, ChecksumType::Composite),
    ] {
        let create = client.create_multipart_upload().bucket("made").key("big");
        let create = create.set_checksum_algorithm(algorithm).checksum_type(sum_type).send().await;
        assert_eq!(code(create).0, "InvalidRequest");
    }
}

/// The checksum of an algorithm, out of what the SDK read.
macro_rules! sum_of {
    ($from:expr, $algorithm:expr) => {
        match &$algorithm {
            ChecksumAlgorithm::Sha512 => $from.checksum_sha512(),
            ChecksumAlgorithm::Md5 => $from.checksum_md5(),
            ChecksumAlgorithm::Xxhash64 => $from.checksum_xxhash64(),
            ChecksumAlgorithm::Xxhash3 => $from.checksum_xxhash3(),
            _ => $from.checksum_xxhash128(),
        }
        .map(str::to_owned)
    };
}

#[tokio::test]
async fn parts_and_copies_have_the_checksums_of_every_algorithm() {
    let dirs = Dirs::new();
    let s = served(&dirs).await;
    let client = plain(&s);
    for algorithm in [
        ChecksumAlgorithm::Sha512,
        ChecksumAlgorithm::Md5,
        ChecksumAlgorithm::Xxhash64,
        ChecksumAlgorithm::Xxhash3,
        ChecksumAlgorithm::Xxhash128,
    ] {
        let name = algorithm.as_str().to_owned();
        let put = client.put_object().bucket("made").key("source").body(ByteStream::from_static(DIGITS));
        let header = algorithm.clone();
        let put = put.customize().mutate_request(move |request| {
            request.headers_mut().insert("x-amz-sdk-checksum-algorithm", header.as_str().to_owned());
        });
        let put = put.send().await.unwrap();
        let want = sum_of!(put, algorithm).unwrap_or_else(|| panic!("{name}"));
        if let Some((_, right, _)) = SUMS.iter().find(|(known, ..)| name.eq_ignore_ascii_case(known)) {
            assert_eq!(want, *right, "{name}");
        }
        let copy = client.copy_object().bucket("made").key("copy").copy_source("made/source");
        let copied = copy.checksum_algorithm(algorithm.clone()).send().await.unwrap();
        let copied = copied.copy_object_result.unwrap();
        assert_eq!(sum_of!(copied, algorithm).as_ref(), Some(&want), "{name}");
        assert!(copied.e_tag.is_some() && copied.last_modified.is_some());

        let upload = Upload::start(&client, Some(algorithm.clone()), None).await;
        let list = client.list_parts().bucket("made").key("big").upload_id(&upload.id).send().await.unwrap();
        assert_eq!(list.checksum_algorithm.as_ref(), Some(&algorithm));
        assert_eq!(list.checksum_type, Some(ChecksumType::Composite));
        assert_eq!(list.parts().len(), 2);
        let sums: Vec<String> = list.parts().iter().filter_map(|part| sum_of!(part, algorithm)).collect();
        assert_eq!((sums.len(), sums.last()), (2, Some(&want)), "{name}");
        let with = |sums: [&str; 2]| {
            let parts = upload.parts.iter().zip(sums).map(|(part, sum)| {
                let part =
                    CompletedPart::builder().set_part_number(part.part_number).set_e_tag(part.e_tag.clone());
                match &algorithm {
                    ChecksumAlgorithm::Sha512 => part.checksum_sha512(sum),
                    ChecksumAlgorithm::Md5 => part.checksum_md5(sum),
                    ChecksumAlgorithm::Xxhash64 => part.checksum_xxhash64(sum),
                    ChecksumAlgorithm::Xxhash3 => part.checksum_xxhash3(sum),
                    _ => part.checksum_xxhash128(sum),
                }
                .build()
            });
            let parts = CompletedMultipartUpload::builder().set_parts(Some(parts.collect())).build();
            let complete = client.complete_multipart_upload().bucket("made").key("big");
            complete.upload_id(&upload.id).multipart_upload(parts).send()
        };
        assert_eq!(code(with([&sums[1], &sums[0]]).await), ("InvalidPart".to_owned(), 400), "{name}");
        let done = with([&sums[0], &sums[1]]).await.unwrap();
        let sum = sum_of!(done, algorithm).unwrap_or_else(|| panic!("{name}"));
        assert!(sum.ends_with("-2"), "{name}: {sum}");
        let attributes = client.get_object_attributes().bucket("made").key("big");
        let attributes = attributes.object_attributes(ObjectAttributes::Checksum).send().await.unwrap();
        let checksum = attributes.checksum.unwrap();
        let bare = sum_of!(checksum, algorithm);
        assert_eq!(bare.as_deref(), sum.strip_suffix("-2"), "{name}");
        let head = client.head_object().bucket("made").key("big").checksum_mode(ChecksumMode::Enabled);
        let head = head.send().await.unwrap();
        assert_eq!(sum_of!(head, algorithm), Some(sum), "{name}");
    }
}
