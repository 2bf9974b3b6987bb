//! What buckets have in S3 and not here, and versions, of which each object has one.

use aws_sdk_s3::types::{BucketCannedAcl, ObjectCannedAcl, ObjectIdentifier, Payer, Permission};
use mediadex_s3::{Access, Watch};

use crate::harness::{Dirs, Served, code};
use crate::signer::{Signer, send_signed};

async fn served() -> (Dirs, Served) {
    let dirs = Dirs::new();
    let s = Served::start(&dirs.state(), Watch::Off).await;
    s.store.add_bucket("photos", dirs.folder(), Access::ReadWrite).unwrap();
    (dirs, s)
}

#[tokio::test]
async fn what_was_never_set_is_told_as_s3_does() {
    let (_dirs, s) = served().await;
    let signer = Signer::new(s.address);
    let table = [
        ("policy", 404, "NoSuchBucketPolicy"),
        ("policyStatus", 404, "NoSuchBucketPolicy"),
        ("cors", 404, "NoSuchCORSConfiguration"),
        ("lifecycle", 404, "NoSuchLifecycleConfiguration"),
        ("tagging", 404, "NoSuchTagSet"),
        ("object-lock", 404, "ObjectLockConfigurationNotFoundError"),
        ("publicAccessBlock", 404, "NoSuchPublicAccessBlockConfiguration"),
        ("website", 404, "NoSuchWebsiteConfiguration"),
        ("encryption", 404, "ServerSideEncryptionConfigurationNotFoundError"),
        ("replication", 404, "ReplicationConfigurationNotFoundError"),
        ("ownershipControls", 404, "OwnershipControlsNotFoundError"),
        ("logging", 200, "<BucketLoggingStatus"),
        ("accelerate", 200, "<AccelerateConfiguration"),
        ("requestPayment", 200, "<Payer>BucketOwner</Payer>"),
        ("versioning", 200, "<VersioningConfiguration"),
        ("notification", 200, "<NotificationConfiguration"),
        ("acl", 200, "<Permission>FULL_CONTROL</Permission>"),
    ];
    for (name, status, want) in table {
        let query = format!("{name}=");
        let got = send_signed(&signer, "GET", ("/photos", &query), &[], b"").await;
        assert!(got.0 == status && got.1.contains(want), "{name}: {}", got.1);
        let (status, text) = send_signed(&signer, "GET", ("/nowhere", &query), &[], b"").await;
        assert!(status == 404 && text.contains("NoSuchBucket"), "{name}: {text}");
    }
    let payment = s.client.get_bucket_request_payment().bucket("photos").send().await.unwrap();
    assert_eq!(payment.payer, Some(Payer::BucketOwner));
    s.put("photos", "k", b"x").await;
    for query in ["retention=", "legal-hold="] {
        let (status, text) = send_signed(&signer, "GET", ("/photos/k", query), &[], b"").await;
        assert!(status == 400 && text.contains("Bucket is missing Object Lock Configuration"), "{text}");
    }
}

#[tokio::test]
async fn the_owner_has_the_only_access_control_list() {
    let (_dirs, s) = served().await;
    let (c, b) = (&s.client, "photos");
    s.put(b, "k", b"x").await;
    let bucket = c.get_bucket_acl().bucket(b).send().await.unwrap();
    let object = c.get_object_acl().bucket(b).key("k").send().await.unwrap();
    for (owner, grants) in [(bucket.owner, bucket.grants), (object.owner, object.grants)] {
        let (owner, grants) = (owner.unwrap(), grants.unwrap());
        assert_eq!(grants.len(), 1);
        assert_eq!(grants[0].permission, Some(Permission::FullControl));
        assert_eq!(grants[0].grantee.as_ref().unwrap().id, owner.id);
    }
    assert_eq!(code(c.get_object_acl().bucket(b).key("none").send().await), ("NoSuchKey".into(), 404));
    c.put_bucket_acl().bucket(b).acl(BucketCannedAcl::Private).send().await.unwrap();
    c.put_object_acl().bucket(b).key("k").acl(ObjectCannedAcl::BucketOwnerFullControl).send().await.unwrap();
    let public = c.put_bucket_acl().bucket(b).acl(BucketCannedAcl::PublicRead).send().await;
    assert_eq!(code(public), ("AccessControlListNotSupported".into(), 400));
    let public = c.put_object_acl().bucket(b).key("k").acl(ObjectCannedAcl::PublicRead).send().await;
    assert_eq!(code(public), ("AccessControlListNotSupported".into(), 400));

    // As documents, the way s3cmd sends them: what was read is taken back, and no more.
    let signer = Signer::new(s.address);
    let (_, text) = send_signed(&signer, "GET", ("/photos/k", "acl="), &[], b"").await;
    let own = text.split_once("\r\n\r\n").unwrap().1.to_owned();
    let all = own.replace(
        "</AccessControlList>",
        "<Grant><Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"Group\">\
         <URI>http://acs.amazonaws.com/groups/global/AllUsers</URI></Grantee>\
         <Permission>READ</Permission></Grant></AccessControlList>",
    );
    assert_ne!(own, all);
    for (document, want) in [(own, 200), (all, 400)] {
        for path in ["/photos/k", "/photos"] {
            let (status, text) = send_signed(&signer, "PUT", (path, "acl="), &[], document.as_bytes()).await;
            assert!(
                status == want && (want == 200 || text.contains("AccessControlListNotSupported")),
                "{text}"
            );
        }
    }
}

#[tokio::test]
async fn each_object_is_its_only_version() {
    let (_dirs, s) = served().await;
    let (c, b) = (&s.client, "photos");
    for key in ["a", "b+ c", "d/1", "d/2", "e"] {
        s.put(b, key, key.as_bytes()).await;
    }
    // In pages, as a client follows them.
    let (mut keys, mut prefixes) = (Vec::new(), Vec::new());
    let (mut key, mut version) = (None, None);
    loop {
        let page = c
            .list_object_versions()
            .bucket(b)
            .delimiter("/")
            .max_keys(1)
            .set_key_marker(key)
            .set_version_id_marker(version)
            .send()
            .await
            .unwrap();
        for one in page.versions() {
            assert_eq!((one.version_id.as_deref(), one.is_latest), (Some("null"), Some(true)));
            assert!(one.e_tag.is_some() && one.size.is_some() && one.owner.is_some());
            assert_eq!(one.storage_class.as_ref().unwrap().as_str(), "STANDARD");
            keys.push(one.key.clone().unwrap());
        }
        prefixes.extend(page.common_prefixes().iter().filter_map(|one| one.prefix.clone()));
        assert_eq!(
            page.next_version_id_marker.is_some(),
            page.is_truncated == Some(true) && page.common_prefixes().is_empty()
        );
        (key, version) = (page.next_key_marker, page.next_version_id_marker);
        if page.is_truncated != Some(true) {
            break;
        }
    }
    assert_eq!((keys, prefixes), (vec!["a".to_owned(), "b+ c".into(), "e".into()], vec!["d/".to_owned()]));
    let below = c.list_object_versions().bucket(b).prefix("d/").send().await.unwrap();
    assert_eq!(below.versions().len(), 2);
    let wrong = c.list_object_versions().bucket(b).version_id_marker("null").send().await;
    assert_eq!(code(wrong), ("InvalidArgument".into(), 400));

    // The version is there under its id, and no other is.
    let get = c.get_object().bucket(b).key("a").version_id("null").send().await.unwrap();
    assert_eq!(get.body.collect().await.unwrap().to_vec(), b"a");
    c.head_object().bucket(b).key("a").version_id("null").send().await.unwrap();
    c.get_object_tagging().bucket(b).key("a").version_id("null").send().await.unwrap();
    assert_eq!(
        code(c.get_object().bucket(b).key("a").version_id("v1").send().await),
        ("NoSuchVersion".into(), 404)
    );
    assert_eq!(code(c.head_object().bucket(b).key("a").version_id("v1").send().await).1, 404);
    assert_eq!(code(c.delete_object().bucket(b).key("a").version_id("v1").send().await).0, "NoSuchVersion");
    let copy = c.copy_object().bucket(b).key("x").copy_source("photos/a?versionId=v1").send().await;
    assert_eq!(code(copy).0, "NoSuchVersion");
    assert_eq!(s.get(b, "a").await, b"a");
    let gone = c.delete_object().bucket(b).key("a").version_id("null").send().await.unwrap();
    assert_eq!(gone.version_id.as_deref(), Some("null"));
    let object = ObjectIdentifier::builder().key("e").version_id("null").build().unwrap();
    let delete = aws_sdk_s3::types::Delete::builder().objects(object).build().unwrap();
    let gone = c.delete_objects().bucket(b).delete(delete).send().await.unwrap();
    assert_eq!(gone.deleted()[0].version_id.as_deref(), Some("null"));
    assert_eq!(s.keys(b).await, ["b+ c", "d/1", "d/2"]);
}

#[tokio::test]
async fn owners_and_pages_of_buckets() {
    let (_dirs, s) = served().await;
    s.put("photos", "k", b"x").await;
    let owner = |page: aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output| {
        page.contents()[0].owner.as_ref().and_then(|owner| owner.id.clone())
    };
    let list = || s.client.list_objects_v2().bucket("photos");
    assert_eq!(owner(list().send().await.unwrap()), None);
    assert_eq!(owner(list().fetch_owner(true).send().await.unwrap()).as_deref(), Some("mediadex"));
    let first = s.client.list_objects().bucket("photos").send().await.unwrap();
    assert!(first.contents()[0].owner.is_some());

    for name in ["one", "two"] {
        s.client.create_bucket().bucket(name).send().await.unwrap();
    }
    let mut pages = s.client.list_buckets().max_buckets(2).into_paginator().send();
    let mut sizes = Vec::new();
    let mut names = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.unwrap();
        sizes.push(page.buckets().len());
        names.extend(page.buckets().iter().filter_map(|bucket| bucket.name.clone()));
    }
    assert_eq!((sizes, names), (vec![2, 1], vec!["one".to_owned(), "photos".into(), "two".into()]));
    let page = s.client.list_buckets().prefix("t").send().await.unwrap();
    assert_eq!((page.buckets().len(), page.continuation_token()), (1, None));
    assert_eq!(s.client.list_buckets().bucket_region("mars-1").send().await.unwrap().buckets().len(), 0);
    assert_eq!(code(s.client.list_buckets().max_buckets(0).send().await).0, "InvalidArgument");
}
