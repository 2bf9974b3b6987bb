//! What could not be read is brought back by a command.

use mediadex::redrive::{RedriveArgs, redrive};
use mediadex_core::ledger::{Change, Committed, commit, read_rows};
use mediadex_core::model::ObjectUri;
use serde_json::json;

use crate::support::{Local, params};

#[tokio::test(flavor = "multi_thread")]
async fn failed_files_are_tried_again() {
    let local = Local::start().await;
    local.make_dataset("p", "d").await;
    local.make_dataset("p", "other").await;
    local.make_bucket("bucket").await;
    local.put("bucket", "a.txt", b"text").await;
    local.put("bucket", "b.txt", b"text").await;
    local.bind("p", "d", "bucket").await;
    // As if storage had not given it.
    let db = &local.cloud.ctx.db;
    let dataset = db.dataset("p", "d").await.unwrap();
    let uri = ObjectUri::new("bucket", "a.txt");
    let mut rows = read_rows(db, &dataset.id, dataset.partitions, std::slice::from_ref(&uri)).await.unwrap();
    let old = rows.remove(&uri).unwrap();
    let mut new = old.clone();
    new.failed_attempts = Some(1);
    new.set_metadata(&params(json!({"ObjectStatus": "Failed", "Reason": "it was not given"}))).unwrap();
    let change = Change { old: Some(old), new };
    let written = commit(db, &dataset.id, dataset.shards, &[change]).await;
    assert!(matches!(written.as_slice(), [Committed::Written]), "{written:?}");
    let failed = json!({"Field": "ObjectStatus", "Operation": "eq", "Value": "Failed"});
    assert_eq!(local.find("p", "d", failed.clone()).await, ["a.txt"]);

    let args = RedriveArgs { dataset: None, project: "p".into() };
    let said = redrive(args, local.api.clone()).await.unwrap();
    assert_eq!(said, "d: 1 failed before, 0 now\nother: 0 failed before, 0 now");
    assert!(local.find("p", "d", failed).await.is_empty());
    assert_eq!(local.counts("p", "d").await, (2, 8));
    let args = RedriveArgs { dataset: Some("absent".into()), project: "p".into() };
    let error = redrive(args, local.api.clone()).await.unwrap_err();
    assert!(error.to_string().contains("ResourceNotFound"), "{error}");
    local.cloud.shutdown().await;
}
