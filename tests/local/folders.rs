//! `mediadex up` with folders: indexed, followed, never written into.

use std::time::Duration;

use mediadex::cloud::CloudOptions;
use mediadex::up::{PROJECT, UpOptions, index, start};
use serde_json::{Value, json};

use crate::support::Local;

fn tree(root: &std::path::Path) -> Vec<String> {
    let mut all = Vec::new();
    let mut open = vec![root.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            all.push(path.strip_prefix(root).unwrap().to_string_lossy().into_owned());
            if path.is_dir() {
                open.push(path);
            }
        }
    }
    all.sort();
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_is_indexed_and_followed() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("My Photos");
    std::fs::create_dir_all(folder.join("sub")).unwrap();
    std::fs::write(folder.join("a.txt"), "one").unwrap();
    std::fs::write(folder.join("sub/b.txt"), "two").unwrap();
    let before = tree(&folder);
    let options = UpOptions { folders: vec![folder.clone()], cloud: CloudOptions::default(), json: true };
    let (cloud, named) = start(&options).await.unwrap();
    let indexed = index(&cloud, &named).await.unwrap();
    assert_eq!((indexed[0].dataset.as_str(), indexed[0].files, indexed[0].bytes), ("my-photos", 2, 6));
    assert_eq!(tree(&folder), before, "nothing of ours is in the folder");
    let local = Local::of(cloud);
    local.until_files(PROJECT, "my-photos", &["a.txt", "sub/b.txt"]).await;
    std::fs::write(folder.join("c.txt"), "three").unwrap();
    std::fs::remove_file(folder.join("a.txt")).unwrap();
    std::fs::create_dir(folder.join("new")).unwrap();
    std::fs::write(folder.join("new/d.txt"), "four").unwrap();
    local.until_files(PROJECT, "my-photos", &["c.txt", "new/d.txt", "sub/b.txt"]).await;
    std::fs::rename(folder.join("sub"), root.path().join("elsewhere")).unwrap();
    local.until_files(PROJECT, "my-photos", &["c.txt", "new/d.txt"]).await;
    std::fs::rename(root.path().join("elsewhere"), folder.join("back")).unwrap();
    local.until_files(PROJECT, "my-photos", &["back/b.txt", "c.txt", "new/d.txt"]).await;
    local.cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn state_survives_and_what_changed_meanwhile_is_found() {
    let root = tempfile::tempdir().unwrap();
    let (folder, state) = (root.path().join("files"), root.path().join("state"));
    std::fs::create_dir(&folder).unwrap();
    for number in 0..5 {
        std::fs::write(folder.join(format!("{number}.txt")), "x").unwrap();
    }
    let options = UpOptions { folders: vec![folder.clone()], cloud: Local::options(&state), json: true };
    let (cloud, named) = start(&options).await.unwrap();
    index(&cloud, &named).await.unwrap();
    let second = mediadex::cloud::Cloud::start(Local::options(&state), &[]).await;
    assert!(
        second.err().unwrap().to_string().contains("another mediadex"),
        "the state is one process's alone"
    );
    let local = Local::of(cloud);
    let label = json!({"ProjectName": PROJECT, "DatasetName": "files", "File": {"URI": "oss://files/1.txt", "CustomLabels": {"k": "v"}}});
    local.call("UpdateFileMeta", label).await;
    local.cloud.shutdown().await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    std::fs::remove_file(folder.join("0.txt")).unwrap();
    std::fs::write(folder.join("9.txt"), "new").unwrap();
    let (cloud, named) = start(&options).await.unwrap();
    let gets = cloud.ctx.usage.read().s3_gets;
    let indexed = index(&cloud, &named).await.unwrap();
    assert_eq!((indexed[0].files, indexed[0].bytes), (5, 7));
    assert!(cloud.ctx.usage.read().s3_gets - gets <= 3, "only what changed is read");
    let local = Local::of(cloud);
    let query = json!({"Field": "CustomLabels.k", "Operation": "eq", "Value": "v"});
    assert_eq!(local.find(PROJECT, "files", query).await, ["1.txt"]);
    local.cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s3_clients_write_into_a_folder_only_where_they_may() {
    for writable in [false, true] {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("files");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("a.txt"), "one").unwrap();
        let cloud = CloudOptions { writable, ..CloudOptions::default() };
        let options = UpOptions { folders: vec![folder.clone()], cloud, json: true };
        let (cloud, named) = start(&options).await.unwrap();
        index(&cloud, &named).await.unwrap();
        let s3 = cloud.ctx.s3();
        let body = aws_sdk_s3::primitives::ByteStream::from_static(b"two");
        let put = s3.put_object().bucket("files").key("b.txt").body(body).send().await;
        let deleted = s3.delete_object().bucket("files").key("a.txt").send().await;
        assert_eq!((put.is_ok(), deleted.is_ok()), (writable, writable));
        let there = if writable { ["b.txt"] } else { ["a.txt"] };
        assert_eq!(tree(&folder), there);
        let local = Local::of(cloud);
        local.until_files(PROJECT, "files", &there).await;
        local.cloud.shutdown().await;
    }
}

/// The whole corpus, where it is beside the checkout.
#[tokio::test(flavor = "multi_thread")]
async fn the_corpus_is_indexed_to_the_byte() {
    let corpus = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus/files");
    if !corpus.is_dir() {
        eprintln!("skipped: the corpus is not beside this checkout");
        return;
    }
    let bytes: u64 = tree(&corpus)
        .iter()
        .map(|path| corpus.join(path))
        .filter(|path| path.is_file())
        .map(|path| path.metadata().unwrap().len())
        .sum();
    let options = UpOptions { folders: vec![corpus], cloud: CloudOptions::default(), json: true };
    let (cloud, named) = start(&options).await.unwrap();
    let indexed = index(&cloud, &named).await.unwrap();
    assert_eq!((indexed[0].files, indexed[0].bytes as u64), (613, bytes));
    let local = Local::of(cloud);
    let mut names = local.find(PROJECT, "files", Value::Null).await;
    assert_eq!(names.len(), 613);
    names.dedup();
    assert_eq!(names.len(), 613);
    local.cloud.shutdown().await;
}
