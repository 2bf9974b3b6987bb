//! Buckets and single objects.

use std::time::{Duration, SystemTime};

use aws_sdk_s3::primitives::{ByteStream, DateTime};
use aws_sdk_s3::types::{
    BucketLocationConstraint, ChecksumAlgorithm, ChecksumMode, CreateBucketConfiguration, Delete,
    MetadataDirective, ObjectIdentifier, ServerSideEncryption, Tag, Tagging, TaggingDirective,
};
use mediadex_s3::{Access, Options, Store, StoreError, Watch};

use crate::harness::{Dirs, Served, client, code, tree};

const MD5_OF_HELLO: &str = "\"5d41402abc4b2a76b9719d911017c592\"";

#[tokio::test]
async fn a_bucket_of_ones_own_is_granted_again_in_the_first_region() {
    let owned = Some("BucketAlreadyOwnedByYou");
    for (region, asked, want) in
        [("us-east-1", None, None), ("us-east-1", Some("eu-central-1"), owned), ("eu-central-1", None, owned)]
    {
        let dirs = Dirs::new();
        let options = Options { watch: Watch::Off, region: region.to_owned(), ..Options::default() };
        let s = Served::with(&dirs.state(), options).await;
        s.store.add_bucket("folder", dirs.folder(), Access::ReadWrite).unwrap();
        s.client.create_bucket().bucket("made").send().await.unwrap();
        for bucket in ["made", "folder"] {
            s.put(bucket, "k", b"kept").await;
            let asked = asked.map(|region| {
                CreateBucketConfiguration::builder()
                    .location_constraint(BucketLocationConstraint::from(region))
                    .build()
            });
            let again = s.client.create_bucket().bucket(bucket).set_create_bucket_configuration(asked);
            let again = again.send().await;
            match want {
                None => assert_eq!(again.unwrap().location, Some(format!("/{bucket}"))),
                Some(want) => assert_eq!(code(again), (want.to_owned(), 409)),
            }
            assert_eq!(s.get(bucket, "k").await, b"kept", "{region} {bucket}");
        }
    }
}

#[tokio::test]
async fn encodings_and_tags_are_told_as_s3_does() {
    let dirs = Dirs::new();
    let s = Served::start(&dirs.state(), Watch::Off).await;
    s.store.add_bucket("folder", dirs.folder(), Access::ReadWrite).unwrap();
    let put = s.client.put_object().bucket("folder").key("k").body(ByteStream::from_static(b"x"));
    let put = put.content_encoding("deflate, gzip, aws-chunked").tagging("foo=bar&bar=&Zoo=1");
    put.send().await.unwrap();
    let head = s.client.head_object().bucket("folder").key("k").send().await.unwrap();
    assert_eq!(head.content_encoding.as_deref(), Some("deflate, gzip"));
    let tags = s.client.get_object_tagging().bucket("folder").key("k").send().await.unwrap();
    let tags: Vec<&str> = tags.tag_set().iter().map(Tag::key).collect();
    assert_eq!(tags, ["Zoo", "bar", "foo"]);
}

#[tokio::test]
async fn a_copy_onto_itself_changes_something() {
    let dirs = Dirs::new();
    let s = Served::start(&dirs.state(), Watch::Off).await;
    s.store.add_bucket("folder", dirs.folder(), Access::ReadWrite).unwrap();
    let put = s.client.put_object().bucket("folder").key("k").body(ByteStream::from_static(b"kept"));
    put.metadata("m", "1").send().await.unwrap();
    let copy = || s.client.copy_object().bucket("folder").key("k").copy_source("folder/k");
    assert_eq!(code(copy().send().await), ("InvalidRequest".into(), 400));
    copy().server_side_encryption(ServerSideEncryption::Aes256).send().await.unwrap();
    let kms = copy().server_side_encryption(ServerSideEncryption::AwsKms).send().await;
    assert_eq!(code(kms), ("NotImplemented".into(), 501));
    let get = s.client.get_object().bucket("folder").key("k").send().await.unwrap();
    assert_eq!(get.metadata().unwrap()["m"], "1");
    assert_eq!(get.body.collect().await.unwrap().to_vec(), b"kept");
}

#[tokio::test]
async fn buckets_come_and_go() {
    let dirs = Dirs::new();
    let s = Served::start(&dirs.state(), Watch::Off).await;
    s.store.add_bucket("folder", dirs.folder(), Access::ReadWrite).unwrap();
    s.client.create_bucket().bucket("made").send().await.unwrap();
    assert_eq!(code(s.client.create_bucket().bucket("Not_Legal").send().await).0, "InvalidBucketName");
    let names = |out: aws_sdk_s3::operation::list_buckets::ListBucketsOutput| {
        out.buckets.unwrap_or_default().into_iter().filter_map(|b| b.name).collect::<Vec<_>>()
    };
    assert_eq!(names(s.client.list_buckets().send().await.unwrap()), ["folder", "made"]);
    s.client.head_bucket().bucket("made").send().await.unwrap();
    assert_eq!(code(s.client.head_bucket().bucket("none").send().await).1, 404);
    let location = s.client.get_bucket_location().bucket("made").send().await.unwrap();
    assert!(location.location_constraint.is_none_or(|l| l.as_str().is_empty()));
    assert!(s.client.get_bucket_versioning().bucket("made").send().await.unwrap().status.is_none());

    s.put("made", "a/b", b"x").await;
    assert_eq!(code(s.client.delete_bucket().bucket("made").send().await), ("BucketNotEmpty".into(), 409));
    s.client.delete_object().bucket("made").key("a/b").send().await.unwrap();
    s.client.delete_bucket().bucket("made").send().await.unwrap();
    assert_eq!(code(s.client.list_objects_v2().bucket("made").send().await).0, "NoSuchBucket");
    assert_eq!(code(s.client.delete_bucket().bucket("folder").send().await).0, "MethodNotAllowed");
    assert!(matches!(
        s.store.add_bucket("folder", dirs.folder(), Access::ReadWrite),
        Err(StoreError::BucketExists(_))
    ));
    assert!(matches!(
        s.store.add_bucket("No", dirs.folder(), Access::ReadWrite),
        Err(StoreError::BucketName(_))
    ));
    assert!(matches!(
        s.store.add_bucket("none", dirs.folder().join("x"), Access::ReadWrite),
        Err(StoreError::Io { .. })
    ));
    assert!(matches!(
        s.store.add_bucket("state", dirs.state(), Access::ReadWrite),
        Err(StoreError::StateInside(_))
    ));
    assert!(matches!(Store::open(dirs.state(), Default::default()), Err(StoreError::Locked(_))));
}

#[tokio::test]
async fn what_is_put_is_got() {
    let dirs = Dirs::new();
    let s = Served::start(&dirs.state(), Watch::Off).await;
    s.store.add_bucket("folder", dirs.folder(), Access::ReadWrite).unwrap();
    let put = s
        .client
        .put_object()
        .bucket("folder")
        .key("a/hello.txt")
        .body(ByteStream::from_static(b"hello"))
        .content_type("text/plain; charset=utf-8")
        .content_encoding("identity")
        .content_disposition("inline")
        .content_language("en")
        .cache_control("no-cache")
        .expires(DateTime::from_secs(1_900_000_000))
        .metadata("one", "1")
        .metadata("zwei", "2")
        .tagging("k=v&x=y+z")
        .checksum_algorithm(ChecksumAlgorithm::Sha256)
        .send()
        .await
        .unwrap();
    assert_eq!(put.e_tag.as_deref(), Some(MD5_OF_HELLO));
    assert_eq!(std::fs::read(dirs.folder().join("a/hello.txt")).unwrap(), b"hello");
    assert_eq!(tree(&dirs.folder()), ["a", "a/hello.txt"]);

    let head = s.client.head_object().bucket("folder").key("a/hello.txt").send().await.unwrap();
    let get =
        s.client.get_object().bucket("folder").key("a/hello.txt").checksum_mode(ChecksumMode::Enabled).send();
    let get = get.await.unwrap();
    let listed = s.client.list_objects_v2().bucket("folder").send().await.unwrap();
    let listed = &listed.contents()[0];
    assert_eq!(listed.e_tag.as_deref(), Some(MD5_OF_HELLO));
    assert_eq!((listed.size, head.content_length, get.content_length), (Some(5), Some(5), Some(5)));
    assert_eq!(listed.last_modified, head.last_modified);
    assert_eq!(get.last_modified, head.last_modified);
    assert_eq!(head.last_modified.unwrap().subsec_nanos(), 0);
    assert_eq!(listed.storage_class.as_ref().unwrap().as_str(), "STANDARD");
    assert_eq!(get.checksum_sha256.as_deref(), Some("LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="));
    for (e_tag, content_type, encoding, disposition, language, cache, metadata) in [
        (
            head.e_tag,
            head.content_type,
            head.content_encoding,
            head.content_disposition,
            head.content_language,
            head.cache_control,
            head.metadata,
        ),
        (
            get.e_tag,
            get.content_type,
            get.content_encoding,
            get.content_disposition,
            get.content_language,
            get.cache_control,
            get.metadata,
        ),
    ] {
        assert_eq!(e_tag.as_deref(), Some(MD5_OF_HELLO));
        assert_eq!(content_type.as_deref(), Some("text/plain; charset=utf-8"));
        assert_eq!(encoding.as_deref(), Some("identity"));
        assert_eq!(disposition.as_deref(), Some("inline"));
        assert_eq!(language.as_deref(), Some("en"));
        assert_eq!(cache.as_deref(), Some("no-cache"));
        let metadata = metadata.unwrap();
        assert_eq!((metadata["one"].as_str(), metadata["zwei"].as_str()), ("1", "2"));
    }
    assert_eq!(get.expires_string.as_deref(), Some("Sun, 17 Mar 2030 17:46:40 GMT"));
    assert_eq!(get.tag_count, Some(2));
    assert_eq!(get.body.collect().await.unwrap().to_vec(), b"hello");

    // Large enough to be streamed both ways.
    let big: Vec<u8> = (0..3_000_000u32).map(|n| (n % 251) as u8).collect();
    s.put("folder", "big", &big).await;
    assert!(s.get("folder", "big").await == big);
    s.put("folder", "empty", b"").await;
    assert!(s.get("folder", "empty").await.is_empty());

    s.client.delete_object().bucket("folder").key("a/hello.txt").send().await.unwrap();
    s.client.delete_object().bucket("folder").key("a/hello.txt").send().await.unwrap();
    assert_eq!(code(s.client.get_object().bucket("folder").key("a/hello.txt").send().await).0, "NoSuchKey");
    assert_eq!(code(s.client.head_object().bucket("folder").key("a/hello.txt").send().await).1, 404);
    assert_eq!(tree(&dirs.folder()), ["big", "empty"], "the folder made for the key is gone with it");
}

#[tokio::test]
async fn ranges_and_conditions() {
    let dirs = Dirs::new();
    let s = Served::start(&dirs.state(), Watch::Off).await;
    s.store.add_bucket("folder", dirs.folder(), Access::ReadWrite).unwrap();
    s.put("folder", "k", b"0123456789").await;
    s.put("folder", "empty", b"").await;
    for (range, want, content_range) in [
        ("bytes=0-65535", "0123456789", "bytes 0-9/10"),
        ("bytes=2-4", "234", "bytes 2-4/10"),
        ("bytes=7-", "789", "bytes 7-9/10"),
        ("bytes=-3", "789", "bytes 7-9/10"),
        ("bytes=-30", "0123456789", "bytes 0-9/10"),
    ] {
        let out = s.client.get_object().bucket("folder").key("k").range(range).send().await.unwrap();
        assert_eq!(out.content_range.as_deref(), Some(content_range));
        assert_eq!(out.body.collect().await.unwrap().to_vec(), want.as_bytes(), "{range}");
        let head = s.client.head_object().bucket("folder").key("k").range(range).send().await.unwrap();
        assert_eq!(head.content_range.as_deref(), Some(content_range));
    }
    for (key, range) in
        [("k", "bytes=10-"), ("k", "bytes=-0"), ("empty", "bytes=0-65535"), ("empty", "bytes=-5")]
    {
        let out = s.client.get_object().bucket("folder").key(key).range(range).send().await;
        assert_eq!(code(out), ("InvalidRange".into(), 416), "{key} {range}");
    }

    let e_tag = "\"781e5e245d69b566979b86e28d23f2c7\"";
    let get = || s.client.get_object().bucket("folder").key("k");
    let modified = get().send().await.unwrap().last_modified.unwrap();
    let before = DateTime::from_secs(modified.secs() - 1);
    get().if_match(e_tag).send().await.unwrap();
    get().if_none_match("\"x\"").send().await.unwrap();
    get().if_modified_since(before).send().await.unwrap();
    get().if_unmodified_since(modified).send().await.unwrap();
    assert_eq!(code(get().if_match("\"x\"").send().await), ("PreconditionFailed".into(), 412));
    assert_eq!(code(get().if_unmodified_since(before).send().await).1, 412);
    assert_eq!(code(get().if_none_match(e_tag).send().await).1, 304);
    assert_eq!(code(get().if_modified_since(modified).send().await).1, 304);
    let head = || s.client.head_object().bucket("folder").key("k");
    assert_eq!(code(head().if_none_match(e_tag).send().await).1, 304);
    assert_eq!(code(head().if_match("\"x\"").send().await).1, 412);

    let put =
        |key: &str| s.client.put_object().bucket("folder").key(key).body(ByteStream::from_static(b"new"));
    assert_eq!(code(put("k").if_none_match("*").send().await), ("PreconditionFailed".into(), 412));
    put("fresh").if_none_match("*").send().await.unwrap();
    assert_eq!(code(put("k").if_match("\"x\"").send().await).1, 412);
    assert_eq!(code(put("none").if_match("\"x\"").send().await).1, 404);
    put("k").if_match(e_tag).send().await.unwrap();
    assert_eq!(s.get("folder", "k").await, b"new");
}

#[tokio::test]
async fn wrong_digests_are_refused_and_leave_nothing() {
    let dirs = Dirs::new();
    let s = Served::start(&dirs.state(), Watch::Off).await;
    s.store.add_bucket("folder", dirs.folder(), Access::ReadWrite).unwrap();
    let put = || s.client.put_object().bucket("folder").key("d/k").body(ByteStream::from_static(b"hello"));
    assert_eq!(code(put().content_md5("AAAAAAAAAAAAAAAAAAAAAA==").send().await), ("BadDigest".into(), 400));
    assert_eq!(code(put().content_md5("nonsense").send().await).0, "InvalidDigest");
    assert_eq!(code(put().checksum_crc32("AAAAAA==").send().await).0, "BadDigest");
    put().content_md5("XUFAKrxLKna5cZ2REBfFkg==").checksum_crc32("NhCmhg==").send().await.unwrap();
    assert_eq!(tree(&dirs.folder()), ["d", "d/k"]);
    assert!(tree(&dirs.state().join("incoming")).is_empty());
}

#[tokio::test]
async fn files_of_other_programs_have_etags_of_their_state() {
    let dirs = Dirs::new();
    let s = Served::start(&dirs.state(), Watch::Off).await;
    s.store.add_bucket("folder", dirs.folder(), Access::ReadWrite).unwrap();
    let path = dirs.folder().join("f");
    std::fs::write(&path, b"one").unwrap();
    let e_tag = || async {
        let head = s.client.head_object().bucket("folder").key("f").send().await.unwrap();
        let get = s.client.get_object().bucket("folder").key("f").send().await.unwrap();
        let list = s.client.list_objects_v2().bucket("folder").send().await.unwrap();
        assert_eq!(head.e_tag, get.e_tag);
        assert_eq!(head.e_tag, list.contents()[0].e_tag);
        assert_eq!(head.last_modified, list.contents()[0].last_modified);
        (head.e_tag.unwrap(), head.content_type.unwrap())
    };
    let (first, content_type) = e_tag().await;
    assert_eq!(content_type, "binary/octet-stream");
    assert!(first.len() == 36 && first.ends_with("-1\""), "{first}");
    assert_eq!(first, e_tag().await.0);
    // The same size, another time: a different object.
    std::fs::File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_modified(SystemTime::now() - Duration::from_secs(100))
        .unwrap();
    assert_ne!(first, e_tag().await.0);
    // Written through us, then over by another program: what we knew is void.
    assert_eq!(s.put("folder", "f", b"hello").await, MD5_OF_HELLO);
    assert_eq!(e_tag().await.0, MD5_OF_HELLO);
    std::fs::write(&path, b"other").unwrap();
    assert_ne!(e_tag().await.0, MD5_OF_HELLO);
    // Tags do not change the content.
    let before = e_tag().await;
    let tag = Tag::builder().key("k").value("v").build().unwrap();
    let tagging = Tagging::builder().tag_set(tag).build().unwrap();
    s.client.put_object_tagging().bucket("folder").key("f").tagging(tagging).send().await.unwrap();
    assert_eq!(e_tag().await, before);
}

#[tokio::test]
async fn copies() {
    let dirs = Dirs::new();
    let s = Served::start(&dirs.state(), Watch::Off).await;
    s.store.add_bucket("folder", dirs.folder(), Access::ReadWrite).unwrap();
    s.client.create_bucket().bucket("made").send().await.unwrap();
    s.client
        .put_object()
        .bucket("folder")
        .key("图 片/a+b.txt")
        .body(ByteStream::from_static(b"hello"))
        .content_type("text/x")
        .metadata("m", "1")
        .tagging("t=1")
        .send()
        .await
        .unwrap();
    let copy = |key: &str| {
        s.client.copy_object().bucket("made").key(key).copy_source("folder/%E5%9B%BE%20%E7%89%87/a%2Bb.txt")
    };
    let out = copy("x/y").send().await.unwrap();
    assert_eq!(out.copy_object_result.unwrap().e_tag.as_deref(), Some(MD5_OF_HELLO));
    let head = s.client.head_object().bucket("made").key("x/y").send().await.unwrap();
    assert_eq!(head.content_type.as_deref(), Some("text/x"));
    assert_eq!(head.metadata.unwrap()["m"], "1");
    let tags = s.client.get_object_tagging().bucket("made").key("x/y").send().await.unwrap();
    assert_eq!(tags.tag_set()[0].key(), "t");

    copy("z")
        .metadata_directive(MetadataDirective::Replace)
        .metadata("n", "2")
        .tagging_directive(TaggingDirective::Replace)
        .tagging("u=2")
        .send()
        .await
        .unwrap();
    let head = s.client.head_object().bucket("made").key("z").send().await.unwrap();
    assert_eq!(head.content_type.as_deref(), Some("binary/octet-stream"));
    assert_eq!(head.metadata.unwrap().into_iter().collect::<Vec<_>>(), [("n".to_owned(), "2".to_owned())]);
    let tags = s.client.get_object_tagging().bucket("made").key("z").send().await.unwrap();
    assert_eq!(tags.tag_set()[0].key(), "u");

    // A file that nobody hashed gets its MD5 when it is copied.
    std::fs::write(dirs.folder().join("plain"), b"hello").unwrap();
    let out =
        s.client.copy_object().bucket("made").key("p").copy_source("folder/plain").send().await.unwrap();
    assert_eq!(out.copy_object_result.unwrap().e_tag.as_deref(), Some(MD5_OF_HELLO));

    let own = s.client.copy_object().bucket("made").key("z").copy_source("made/z");
    assert_eq!(code(own.clone().send().await).0, "InvalidRequest");
    own.metadata_directive(MetadataDirective::Replace).content_type("a/b").send().await.unwrap();
    let head = s.client.head_object().bucket("made").key("z").send().await.unwrap();
    assert_eq!((head.content_type.as_deref(), head.e_tag.as_deref()), (Some("a/b"), Some(MD5_OF_HELLO)));
    assert_eq!(s.get("made", "z").await, b"hello");
    let missing = s.client.copy_object().bucket("made").key("q").copy_source("folder/none").send().await;
    assert_eq!(code(missing).0, "NoSuchKey");
    assert_eq!(code(copy("q").copy_source_if_none_match(MD5_OF_HELLO).send().await).1, 412);
}

#[tokio::test]
async fn many_are_deleted_at_once() {
    let dirs = Dirs::new();
    let s = Served::start(&dirs.state(), Watch::Off).await;
    s.store.add_bucket("folder", dirs.folder(), Access::ReadWrite).unwrap();
    std::fs::create_dir_all(dirs.folder().join("mine/empty")).unwrap();
    for key in ["a", "b/c", "mine/d"] {
        s.put("folder", key, b"x").await;
    }
    let mut delete = Delete::builder();
    for key in ["a", "b/c", "mine/d", "missing", "a//b", "../x"] {
        delete = delete.objects(ObjectIdentifier::builder().key(key).build().unwrap());
    }
    let out =
        s.client.delete_objects().bucket("folder").delete(delete.build().unwrap()).send().await.unwrap();
    assert_eq!(out.deleted().len(), 6, "{out:?}");
    assert!(out.errors().is_empty());
    assert_eq!(tree(&dirs.folder()), ["mine", "mine/empty"], "the user's own folders stay");
}

#[tokio::test]
async fn tags() {
    let dirs = Dirs::new();
    let s = Served::start(&dirs.state(), Watch::Off).await;
    s.store.add_bucket("folder", dirs.folder(), Access::ReadWrite).unwrap();
    s.put("folder", "k", b"x").await;
    let tag = |k: &str, v: &str| Tag::builder().key(k).value(v).build().unwrap();
    let tagging = Tagging::builder().tag_set(tag("a", "1")).tag_set(tag("b", "两")).build().unwrap();
    s.client.put_object_tagging().bucket("folder").key("k").tagging(tagging).send().await.unwrap();
    let got = s.client.get_object_tagging().bucket("folder").key("k").send().await.unwrap();
    assert_eq!(got.tag_set(), [tag("a", "1"), tag("b", "两")]);
    let count = async || {
        let head = s.client.head_object().bucket("folder").key("k").send().await.unwrap();
        let get = s.client.get_object().bucket("folder").key("k").send().await.unwrap();
        assert_eq!(head.tag_count, get.tag_count);
        head.tag_count
    };
    assert_eq!(count().await, Some(2));
    s.client.delete_object_tagging().bucket("folder").key("k").send().await.unwrap();
    assert!(
        s.client.get_object_tagging().bucket("folder").key("k").send().await.unwrap().tag_set().is_empty()
    );
    assert_eq!(count().await, None);
    let missing = s.client.get_object_tagging().bucket("folder").key("none").send().await;
    assert_eq!(code(missing).0, "NoSuchKey");
}

#[tokio::test]
async fn only_signed_requests_are_served() {
    let dirs = Dirs::new();
    let s = Served::start(&dirs.state(), Watch::Off).await;
    s.client.create_bucket().bucket("made").send().await.unwrap();
    let wrong = client(s.address, "ak", "wrong", "us-east-1");
    assert_eq!(code(wrong.list_buckets().send().await), ("SignatureDoesNotMatch".into(), 403));
    let unknown = client(s.address, "who", "sk", "us-east-1");
    assert_eq!(code(unknown.list_buckets().send().await), ("InvalidAccessKeyId".into(), 403));
    let far = client(s.address, "ak", "sk", "cn-north-1");
    far.put_object().bucket("made").key("k").body(ByteStream::from_static(b"x")).send().await.unwrap();
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(aws_sdk_s3::config::BehaviorVersion::latest())
        .region(aws_sdk_s3::config::Region::new("us-east-1"))
        .endpoint_url(format!("http://{}", s.address))
        .force_path_style(true)
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .allow_no_auth()
        .build();
    let unsigned = aws_sdk_s3::Client::from_conf(config);
    assert_eq!(code(unsigned.list_buckets().send().await), ("AccessDenied".into(), 403));
    assert_eq!(
        code(unsigned.get_object().bucket("made").key("k").send().await),
        ("AccessDenied".into(), 403)
    );
}

#[tokio::test]
async fn a_bucket_in_the_host_name() {
    let dirs = Dirs::new();
    let s = Served::start(&dirs.state(), Watch::Off).await;
    s.client.create_bucket().bucket("made").send().await.unwrap();
    s.put("made", "k", b"x").await;
    // `localhost` and all below it resolve to this machine with systemd only,
    // so the request is made by hand: unsigned, the path and host still decide the answer's code.
    for (host, path, want) in [
        ("made.localhost", "/k", "AccessDenied"),
        ("127.0.0.1", "/made/k", "AccessDenied"),
        ("localhost", "/made/k", "AccessDenied"),
        ("localhost", "/x/k", "InvalidBucketName"),
        ("made.localhost", "/x/k", "AccessDenied"),
    ] {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut socket = tokio::net::TcpStream::connect(s.address).await.unwrap();
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: {host}:{}\r\nConnection: close\r\n\r\n", s.address.port());
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.unwrap();
        assert!(answer.contains(want), "{host}{path}: {answer}");
    }
}
