//! Objects through the S3 endpoint: odd keys, and keys that cannot be.

use serde_json::{Value, json};

use crate::support::Local;

#[tokio::test(flavor = "multi_thread")]
async fn odd_keys_are_indexed_as_they_are() {
    let local = Local::start().await;
    local.make_dataset("p", "d").await;
    local.make_bucket("bucket").await;
    local.bind("p", "d", "bucket").await;
    let long = ["文".repeat(85), "a".repeat(255), "b".repeat(255)].join("/") + "/x/";
    assert!(long.len() <= 1024);
    let longest = format!("{}{}", long, "y".repeat(1024 - long.len()));
    let mut keys = vec![
        "a b/c+d.jpg".to_owned(),
        "100%.jpg".to_owned(),
        "%41%20.jpg".to_owned(),
        "a#b?c&d=e;f".to_owned(),
        "相册/北京 2024.jpg".to_owned(),
        "emoji/🎉👨‍👩‍👧.png".to_owned(),
        "quotes'\"<>".to_owned(),
        longest.clone(),
    ];
    assert_eq!(longest.len(), 1024);
    for key in &keys {
        local.put("bucket", key, key.as_bytes()).await;
    }
    keys.sort();
    let want: Vec<&str> = keys.iter().map(String::as_str).collect();
    local.until_files("p", "d", &want).await;
    let bytes: usize = keys.iter().map(String::len).sum();
    assert_eq!(local.counts("p", "d").await, (keys.len() as i64, bytes as i64));
    for key in &keys {
        let call = json!({"ProjectName": "p", "DatasetName": "d", "URI": format!("oss://bucket/{key}")});
        let reply = local.call("GetFileMeta", call).await;
        assert_eq!(reply["Files"][0]["Filename"], json!(key));
        local.delete("bucket", key).await;
    }
    local.until_files("p", "d", &[]).await;
    for key in ["a//b", "../x", "a/./b", "dir/"] {
        let sent =
            local.cloud.ctx.s3().put_object().bucket("bucket").key(key).body(vec![1].into()).send().await;
        let error = sent.unwrap_err();
        assert_eq!(error.raw_response().unwrap().status().as_u16(), 400, "{key}");
    }
    assert_eq!(local.find("p", "d", Value::Null).await.len(), 0);
    local.cloud.shutdown().await;
}
