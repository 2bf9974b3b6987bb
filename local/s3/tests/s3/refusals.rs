//! What this endpoint does not do is refused, and nothing is stored.

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    BucketCannedAcl, ObjectCannedAcl, ObjectLockMode, ServerSideEncryption, StorageClass,
};
use mediadex_s3::{Access, Watch};

use crate::harness::{Dirs, Served, code, tree};
use crate::signer::{Signer, send, send_signed};

#[tokio::test]
async fn what_is_not_done_is_refused() {
    let dirs = Dirs::new();
    let s = Served::start(&dirs.state(), Watch::Off).await;
    s.store.add_bucket("photos", dirs.folder(), Access::ReadWrite).unwrap();
    let (c, b) = (&s.client, "photos");
    let put = || c.put_object().bucket(b).key("k").body(ByteStream::from_static(b"x"));
    let make = || c.create_multipart_upload().bucket(b).key("k");
    let later = aws_sdk_s3::primitives::DateTime::from_secs(1_900_000_000);
    let kms = || ServerSideEncryption::AwsKms;
    let key = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
    let results = [
        (code(put().server_side_encryption(kms()).send().await), "NotImplemented", 501),
        (
            code(put().sse_customer_algorithm("AES256").sse_customer_key(key).send().await),
            "NotImplemented",
            501,
        ),
        (code(make().server_side_encryption(kms()).send().await), "NotImplemented", 501),
        (code(make().sse_customer_algorithm("AES256").send().await), "NotImplemented", 501),
        (
            code(
                put()
                    .object_lock_mode(ObjectLockMode::Governance)
                    .object_lock_retain_until_date(later)
                    .send()
                    .await,
            ),
            "InvalidRequest",
            400,
        ),
        (code(put().acl(ObjectCannedAcl::PublicRead).send().await), "AccessControlListNotSupported", 400),
        (
            code(make().acl(ObjectCannedAcl::AuthenticatedRead).send().await),
            "AccessControlListNotSupported",
            400,
        ),
        (code(put().grant_read("uri=\"x\"").send().await), "AccessControlListNotSupported", 400),
        (code(put().storage_class(StorageClass::from("FAST")).send().await), "InvalidStorageClass", 400),
        (code(make().storage_class(StorageClass::from("FAST")).send().await), "InvalidStorageClass", 400),
        (code(put().expected_bucket_owner("123456789012").send().await), "AccessDenied", 403),
        (code(put().metadata("m", "x".repeat(2048)).send().await), "MetadataTooLarge", 400),
        (
            code(c.create_bucket().bucket("new").acl(BucketCannedAcl::PublicRead).send().await),
            "InvalidBucketAclWithObjectOwnership",
            400,
        ),
        (
            code(c.create_bucket().bucket("new").object_lock_enabled_for_bucket(true).send().await),
            "NotImplemented",
            501,
        ),
        (
            code(c.list_objects_v2().bucket(b).expected_bucket_owner("123456789012").send().await),
            "AccessDenied",
            403,
        ),
    ];
    for (number, (got, want, status)) in results.into_iter().enumerate() {
        assert_eq!(got, (want.to_owned(), status), "{number}");
    }
    assert!(tree(&dirs.folder()).is_empty());
    assert_eq!(code(c.head_bucket().bucket("new").send().await).1, 404);

    put()
        .acl(ObjectCannedAcl::BucketOwnerFullControl)
        .storage_class(StorageClass::GlacierIr)
        .server_side_encryption(ServerSideEncryption::Aes256)
        .expected_bucket_owner("000000000000")
        .metadata("m", "x".repeat(2047))
        .send()
        .await
        .unwrap();
    let copy = || c.copy_object().bucket(b).key("copy").copy_source("photos/k");
    assert_eq!(code(copy().acl(ObjectCannedAcl::PublicRead).send().await).0, "AccessControlListNotSupported");
    assert_eq!(code(copy().expected_source_bucket_owner("123456789012").send().await).0, "AccessDenied");
    assert_eq!(code(copy().copy_source_sse_customer_algorithm("AES256").send().await).0, "InvalidRequest");
    let get = c.get_object().bucket(b).key("k").sse_customer_algorithm("AES256").sse_customer_key(key);
    assert_eq!(code(get.send().await), ("InvalidRequest".into(), 400));
    assert_eq!(tree(&dirs.folder()), ["k"]);
}

#[tokio::test]
async fn every_answer_names_its_request() {
    let dirs = Dirs::new();
    let s = Served::start(&dirs.state(), Watch::Off).await;
    s.store.add_bucket("photos", dirs.folder(), Access::ReadWrite).unwrap();
    let signer = Signer::new(s.address);
    let mut answers = vec![
        send_signed(&signer, "PUT", ("/photos/k", ""), &[], b"x").await,
        send_signed(&signer, "GET", ("/photos/k", ""), &[], b"").await,
        send_signed(&signer, "GET", ("/photos", "acl="), &[], b"").await,
        send_signed(&signer, "HEAD", ("/photos/none", ""), &[], b"").await,
        send_signed(&signer, "GET", ("/photos/none", ""), &[], b"").await,
        send_signed(&signer, "PUT", ("/photos/k", "tagging="), &[], b"<").await,
        send_signed(&signer, "DELETE", ("/photos/k", ""), &[], b"").await,
    ];
    for (target, headers) in [
        ("/photos/k", &[] as &[(&str, &[u8])]),
        ("/photos/k?Signature=x", &[]),
        ("/photos/k", &[("origin", b"http://evil.test")]),
    ] {
        answers.push(send(s.address, "GET", target, headers, b"").await);
    }
    let mut ids = std::collections::BTreeSet::new();
    for (status, text) in answers {
        let header = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
            line.map(|id| id.trim().to_owned()).unwrap_or_else(|| panic!("no {name}: {text}"))
        };
        let (id, host) = (header("x-amz-request-id"), header("x-amz-id-2"));
        assert!(id.len() == 16 && host.len() > 40, "{text}");
        if let Some((_, error)) = text.split_once("<Error>") {
            assert!(
                status >= 400
                    && error.contains(&format!("<RequestId>{id}</RequestId><HostId>{host}</HostId></Error>")),
                "{text}"
            );
        }
        assert!(ids.insert(id), "an id came twice");
    }
}

#[tokio::test]
async fn a_region_that_cannot_be_one_is_answered_with_the_one_that_is() {
    let dirs = Dirs::new();
    let s = Served::start(&dirs.state(), Watch::Off).await;
    let signer = Signer::new(s.address);
    let host = [("host", signer.host.as_str())];
    let wrong = signer.authorization("GET", "/", "", &host, "UNSIGNED-PAYLOAD").replace("us-east-1", "US");
    let headers: &[(&str, &[u8])] = &[("authorization", wrong.as_bytes())];
    let (status, text) = send(s.address, "GET", "/", headers, b"").await;
    assert_eq!(status, 400, "{text}");
    assert!(text.contains("<Code>AuthorizationHeaderMalformed<"), "{text}");
    assert!(text.contains("<Region>us-east-1</Region>"), "{text}");
}
