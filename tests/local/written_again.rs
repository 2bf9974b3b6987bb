//! Objects that are written again within the second that dates have, so that
//! size, ETag and date are those that the index knows.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::MetadataDirective;
use serde_json::json;

use crate::support::Local;

/// How many objects must be written twice within one second.
const MANY: usize = 10;
/// How often it is tried to be fast enough for that.
const TRIES: usize = 200;

/// A little later than the second begins: the file system's clock is some
/// milliseconds late.
async fn begin_of_a_second() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let left = Duration::from_nanos(u64::from(1_000_000_000 - now.subsec_nanos()));
    tokio::time::sleep(left + Duration::from_millis(20)).await;
}

async fn put(local: &Local, bucket: &str, key: &str, round: &str) {
    let body = ByteStream::from_static(b"the same bytes");
    let put = local.cloud.ctx.s3().put_object().bucket(bucket).key(key).body(body);
    put.metadata("round", round).send().await.unwrap();
}

async fn copy_onto_itself(local: &Local, bucket: &str, key: &str, round: &str) {
    let copy =
        local.cloud.ctx.s3().copy_object().bucket(bucket).key(key).copy_source(format!("{bucket}/{key}"));
    copy.metadata_directive(MetadataDirective::Replace).metadata("round", round).send().await.unwrap();
}

/// What can be told of a version without its sequencer.
async fn version(local: &Local, bucket: &str, key: &str) -> (Option<String>, i64) {
    let head = local.cloud.ctx.s3().head_object().bucket(bucket).key(key).send().await.unwrap();
    (head.e_tag, head.last_modified.unwrap().secs())
}

async fn until_round(local: &Local, dataset: &str, bucket: &str, key: &str, round: &str) {
    let ask = json!({"ProjectName": "p", "DatasetName": dataset, "URI": format!("oss://{bucket}/{key}")});
    local
        .until(&format!("{key} is that of round {round}"), || async {
            let reply = local.api.call("GetFileMeta", &crate::support::params(ask.clone())).await.unwrap();
            let told = &reply.body["Files"][0]["OSSUserMeta"]["x-oss-meta-round"];
            (told.as_str() == Some(round)).then_some(())
        })
        .await;
}

/// The row is made by a scan, so that it knows of no event.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_scan_found_is_followed_within_its_second() {
    let local = Local::start().await;
    let mut alike = 0;
    for attempt in 0..TRIES {
        if alike >= MANY {
            break;
        }
        let (dataset, bucket) = (format!("d{attempt}"), format!("bucket{attempt}"));
        local.make_dataset("p", &dataset).await;
        local.make_bucket(&bucket).await;
        begin_of_a_second().await;
        put(&local, &bucket, "put", "1").await;
        put(&local, &bucket, "copied", "1").await;
        let before = (version(&local, &bucket, "put").await, version(&local, &bucket, "copied").await);
        local.bind("p", &dataset, &bucket).await;
        put(&local, &bucket, "put", "2").await;
        copy_onto_itself(&local, &bucket, "copied", "2").await;
        let after = (version(&local, &bucket, "put").await, version(&local, &bucket, "copied").await);
        alike += usize::from(before.0 == after.0) + usize::from(before.1 == after.1);
        until_round(&local, &dataset, &bucket, "put", "2").await;
        until_round(&local, &dataset, &bucket, "copied", "2").await;
    }
    assert!(alike >= MANY, "only {alike} objects were written twice within a second");
    local.cloud.shutdown().await;
}

/// The row knows the first event.
#[tokio::test(flavor = "multi_thread")]
async fn what_an_event_told_of_is_followed_within_its_second() {
    let local = Local::start().await;
    local.make_dataset("p", "d").await;
    local.make_bucket("bucket").await;
    local.bind("p", "d", "bucket").await;
    let mut alike = 0;
    for attempt in 0..TRIES {
        if alike >= MANY {
            break;
        }
        let key = format!("key{attempt}");
        begin_of_a_second().await;
        put(&local, "bucket", &key, "1").await;
        until_round(&local, "d", "bucket", &key, "1").await;
        let before = version(&local, "bucket", &key).await;
        if attempt % 2 == 0 {
            put(&local, "bucket", &key, "2").await;
        } else {
            copy_onto_itself(&local, "bucket", &key, "2").await;
        }
        alike += usize::from(before == version(&local, "bucket", &key).await);
        until_round(&local, "d", "bucket", &key, "2").await;
    }
    assert!(alike >= MANY, "only {alike} objects were written twice within a second");
    local.cloud.shutdown().await;
}

/// What clients make folders with is no file.
#[tokio::test(flavor = "multi_thread")]
async fn folders_are_not_indexed() {
    let local = Local::start().await;
    local.make_dataset("p", "d").await;
    local.make_bucket("bucket").await;
    local.put("bucket", "before/", b"").await;
    local.put("bucket", "before/file", b"x").await;
    local.bind("p", "d", "bucket").await;
    local.put("bucket", "after/", b"").await;
    local.put("bucket", "after/file", b"x").await;
    local.until_files("p", "d", &["after/file", "before/file"]).await;
    let listed = local.cloud.ctx.s3().list_objects_v2().bucket("bucket").send().await.unwrap();
    assert_eq!(listed.contents().len(), 4, "clients see the folders");
    assert_eq!(local.counts("p", "d").await, (2, 2));
    local.delete("bucket", "before/file").await;
    local.delete("bucket", "before/").await;
    local.until_files("p", "d", &["after/file"]).await;
    local.cloud.shutdown().await;
}
