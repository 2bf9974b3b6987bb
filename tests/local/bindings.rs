//! Bindings: scan, follow, stop, resume, delete; and the guard.

use serde_json::{Value, json};

use crate::support::Local;

fn binding(bucket: &str) -> Value {
    json!({"ProjectName": "p", "DatasetName": "d", "URI": format!("oss://{bucket}")})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_binding_scans_and_follows() {
    let local = Local::start().await;
    local.make_dataset("p", "d").await;
    local.make_bucket("bucket").await;
    local.put("bucket", "old", b"1").await;
    let done = local.bind("p", "d", "bucket").await;
    assert_eq!((&done["State"], &done["Reason"]), (&json!("Running"), &json!("")));
    assert!(done["UpdateTime"].as_str() > done["CreateTime"].as_str());
    local.until_files("p", "d", &["old"]).await;
    local.put("bucket", "new", b"22").await;
    local.until_files("p", "d", &["new", "old"]).await;
    local.put("bucket", "new", b"333").await;
    local
        .until("the overwrite is seen", || async { (local.counts("p", "d").await == (2, 4)).then_some(()) })
        .await;
    local.delete("bucket", "old").await;
    local.until_files("p", "d", &["new"]).await;
    assert_eq!(local.counts("p", "d").await, (1, 3));

    assert_eq!(local.fail("CreateBinding", binding("bucket")).await, (409, "ResourceAlreadyExists".into()));
    assert_eq!(local.fail("CreateBinding", binding("absent-bucket")).await, (404, "ResourceNotFound".into()));
    let key = json!({"ProjectName": "p", "DatasetName": "d", "URI": "oss://bucket/key"});
    assert_eq!(local.fail("CreateBinding", key).await, (400, "InvalidURI".into()));
    assert_eq!(local.fail("GetBinding", binding("other-bucket")).await, (404, "ResourceNotFound".into()));
    let dataset = json!({"ProjectName": "p", "DatasetName": "d"});
    assert_eq!(local.fail("DeleteDataset", dataset.clone()).await, (409, "ResourceNotEmpty".into()));

    local.call("DeleteBinding", binding("bucket")).await;
    assert_eq!(local.fail("DeleteBinding", binding("bucket")).await, (404, "ResourceNotFound".into()));
    local.put("bucket", "later", b"x").await;
    tokio::time::sleep(std::time::Duration::from_millis(400)).await;
    local.until_files("p", "d", &["new"]).await;
    assert_eq!(local.fail("DeleteDataset", dataset.clone()).await, (409, "ResourceNotEmpty".into()));
    local
        .call("DeleteFileMeta", json!({"ProjectName": "p", "DatasetName": "d", "URI": "oss://bucket/new"}))
        .await;
    local.call("DeleteDataset", dataset).await;
    local.cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bindings_are_listed_and_limited() {
    let local = Local::start().await;
    local.call("CreateProject", json!({"ProjectName": "p"})).await;
    for dataset in ["a", "b"] {
        local
            .call(
                "CreateDataset",
                json!({"ProjectName": "p", "DatasetName": dataset, "DatasetMaxBindCount": 2}),
            )
            .await;
    }
    for bucket in ["bucket-1", "bucket-2", "bucket-3"] {
        local.make_bucket(bucket).await;
    }
    for (dataset, bucket) in [("a", "bucket-1"), ("a", "bucket-2"), ("b", "bucket-1")] {
        local.bind("p", dataset, bucket).await;
    }
    let third = json!({"ProjectName": "p", "DatasetName": "a", "URI": "oss://bucket-3"});
    assert_eq!(local.fail("CreateBinding", third).await, (400, "LimitExceededError".into()));
    let mut seen = Vec::new();
    let mut token = json!("");
    loop {
        let page = local
            .call("ListBindings", json!({"ProjectName": "p", "MaxResults": 1, "NextToken": token}))
            .await;
        for one in page["Bindings"].as_array().unwrap() {
            seen.push((
                one["DatasetName"].as_str().unwrap().to_owned(),
                one["URI"].as_str().unwrap().to_owned(),
            ));
        }
        token = page["NextToken"].clone();
        if token == json!("") {
            break;
        }
    }
    let want = [("a", "oss://bucket-1"), ("a", "oss://bucket-2"), ("b", "oss://bucket-1")];
    assert_eq!(seen, want.map(|(d, u)| (d.to_owned(), u.to_owned())));
    let filtered = local.call("ListBindings", json!({"ProjectName": "p", "URI": "s3://bucket-1"})).await;
    assert_eq!(filtered["Bindings"].as_array().unwrap().len(), 2);
    let of_one = local.call("ListBindings", json!({"ProjectName": "p", "DatasetName": "b"})).await;
    assert_eq!(of_one["Bindings"].as_array().unwrap().len(), 1);
    local.cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_binding_catches_up_when_it_is_resumed() {
    let local = Local::start().await;
    local.make_dataset("p", "d").await;
    local.make_bucket("bucket").await;
    local.put("bucket", "a", b"1").await;
    local.bind("p", "d", "bucket").await;
    let mut stop = binding("bucket");
    stop["Reason"] = json!("a holiday");
    local.call("StopBinding", stop).await;
    let stopped = local.call("GetBinding", binding("bucket")).await;
    assert_eq!(stopped["Binding"]["State"], json!("Stopped"));
    assert_eq!(stopped["Binding"]["Reason"], json!("a holiday"));
    assert_eq!(local.fail("StopBinding", binding("bucket")).await, (409, "StatusConflict".into()));
    local.put("bucket", "b", b"1").await;
    local.delete("bucket", "a").await;
    tokio::time::sleep(std::time::Duration::from_millis(400)).await;
    local.until_files("p", "d", &["a"]).await;
    local.call("ResumeBinding", binding("bucket")).await;
    local.until_scanned("p", "d", "bucket").await;
    local.until_files("p", "d", &["b"]).await;
    assert_eq!(local.fail("ResumeBinding", binding("bucket")).await, (409, "StatusConflict".into()));
    local.cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cleanup_removes_only_what_the_binding_made() {
    let local = Local::start().await;
    local.make_dataset("p", "d").await;
    local.make_bucket("bucket").await;
    for key in ["auto-1", "auto-2", "by-hand"] {
        local.put("bucket", key, b"1").await;
    }
    let file = json!({"ProjectName": "p", "DatasetName": "d", "File": {"URI": "oss://bucket/by-hand"}});
    local.call("IndexFileMeta", file).await;
    local.until_files("p", "d", &["by-hand"]).await;
    local.bind("p", "d", "bucket").await;
    local.until_files("p", "d", &["auto-1", "auto-2", "by-hand"]).await;
    let mut cleanup = binding("bucket");
    cleanup["Cleanup"] = json!("True");
    local.call("DeleteBinding", cleanup).await;
    local.until_files("p", "d", &["by-hand"]).await;
    assert_eq!(local.counts("p", "d").await, (1, 1));
    local.cloud.shutdown().await;
}

fn held(reply: &Value) -> Option<Value> {
    (reply["Binding"]["State"] == json!("Retrying")).then(|| reply["Binding"].clone())
}

/// Runs the program against the local cloud: what it printed, and its warnings.
async fn command_line(local: &Local, arguments: &[&str]) -> (String, String) {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_mediadex"));
    command
        .args(arguments)
        .args(["--endpoint", &local.api.endpoint])
        .env("MEDIADEX_ACCESS_KEY_ID", &local.api.access_key_id)
        .env("MEDIADEX_ACCESS_KEY_SECRET", &local.api.access_key_secret);
    let output = command.output().await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    assert!(output.status.success(), "{}", text(output.stderr));
    (text(output.stdout), text(output.stderr))
}

/// A dataset of ten files, of which so many vanish while nobody looks. Scans may
/// remove a share of it.
async fn with_missing(
    confirm: Option<i64>,
    share: f64,
    missing: usize,
    meanwhile: impl AsyncFnOnce(&Local),
) -> (Local, Value) {
    let local = Local::with(|config| {
        (config.guard_floor, config.guard_share, config.guard_confirm) = (3, share, confirm);
    })
    .await;
    local.make_dataset("p", "d").await;
    local.make_bucket("bucket").await;
    for number in 0..10 {
        local.put("bucket", &format!("k{number}"), number.to_string().as_bytes()).await;
    }
    local.bind("p", "d", "bucket").await;
    local.call("StopBinding", binding("bucket")).await;
    meanwhile(&local).await;
    for number in 0..missing {
        local.delete("bucket", &format!("k{number}")).await;
    }
    local.call("ResumeBinding", binding("bucket")).await;
    let reply = local
        .until("the scan has ended", || async {
            let reply = local.call("GetBinding", binding("bucket")).await;
            (reply["Binding"]["Phase"] == json!("IncrementalScanning")
                && ["Running", "Retrying"].iter().any(|state| reply["Binding"]["State"] == *state))
            .then_some(reply)
        })
        .await;
    (local, reply)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_that_meets_the_guard_removes_nothing_and_goes_on() {
    let (local, reply) =
        with_missing(None, 0.5, 8, async |local| local.put("bucket", "new", b"new content").await).await;
    let held = held(&reply).unwrap_or_else(|| panic!("{reply}"));
    let reason = held["Reason"].as_str().unwrap();
    assert!(
        reason.contains("8 of 11 indexed files are missing from the bucket, more than the 6"),
        "{reason}"
    );
    assert_eq!(local.counts("p", "d").await.0, 11, "what is new is indexed, and nothing was removed");
    let listed = local.call("ListBindings", json!({"ProjectName": "p", "DatasetName": "d"})).await;
    assert_eq!(listed["Bindings"][0]["State"], json!("Retrying"));
    // Events are heard all the time.
    local.put("bucket", "newer", b"1").await;
    local.delete("bucket", "k9").await;
    local
        .until("events are heard", || async {
            let files = local.find("p", "d", Value::Null).await;
            (files.iter().any(|name| name == "newer") && !files.iter().any(|name| name == "k9")).then_some(())
        })
        .await;
    // Stopped and resumed by a caller who was not told of it: still held back.
    local.call("StopBinding", binding("bucket")).await;
    local.call("ResumeBinding", binding("bucket")).await;
    local
        .until("the scan has ended", || async {
            let reply = local.call("GetBinding", binding("bucket")).await;
            (reply["Binding"]["State"] == json!("Retrying")).then_some(())
        })
        .await;
    assert_eq!(local.counts("p", "d").await.0, 11);
    let (_, warned) = command_line(&local, &["find", "d", "--project", "p", "--count"]).await;
    assert!(warned.contains("warning: oss://bucket: removals are held back: 8 of "), "{warned}");
    assert!(warned.contains("`mediadex resume d` goes on"), "{warned}");
    // Resumed, the removal is meant.
    let (said, _) = command_line(&local, &["resume", "d", "--project", "p"]).await;
    assert_eq!(said, "oss://bucket: resumed and scanned\n");
    local.until_files("p", "d", &["k8", "new", "newer"]).await;
    let (said, warned) = command_line(&local, &["resume", "d", "--project", "p"]).await;
    assert_eq!((said.as_str(), warned.as_str()), ("oss://bucket: nothing to resume (Running)\n", ""));
    local
        .until("nothing is held back", || async {
            let reply = local.call("GetBinding", binding("bucket")).await;
            (reply["Binding"]["State"] == json!("Running")
                && reply["Binding"]["Phase"] == json!("IncrementalScanning"))
            .then_some(())
        })
        .await;
    assert_eq!(local.fail("ResumeBinding", binding("bucket")).await, (409, "StatusConflict".into()));
    local.cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_that_were_moved_are_not_missing() {
    // Eight of ten are gone, and their contents are there under other keys. They are
    // more than the share: 6 of the 18 that are known before anything is removed.
    let (local, reply) = with_missing(None, 0.3, 8, async |local| {
        for number in 0..8 {
            local.put("bucket", &format!("moved/k{number}"), number.to_string().as_bytes()).await;
        }
    })
    .await;
    assert_eq!(reply["Binding"]["State"], json!("Running"), "{reply}");
    local
        .until("the rows have moved", || async { (local.counts("p", "d").await.0 == 10).then_some(()) })
        .await;
    local.cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_shows_the_same_twice_is_taken_as_true() {
    let (local, reply) = with_missing(Some(1), 0.5, 8, async |_| {}).await;
    let reason = held(&reply).unwrap()["Reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("so does a complete scan after"), "{reason}");
    local.until_files("p", "d", &["k8", "k9"]).await;
    local
        .until("nothing is held back", || async {
            let reply = local.call("GetBinding", binding("bucket")).await;
            (reply["Binding"]["State"] == json!("Running")).then_some(())
        })
        .await;
    local.cloud.shutdown().await;
}
