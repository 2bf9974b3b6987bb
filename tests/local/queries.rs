//! FuzzyQuery and SemanticQuery, the limit of costly queries, `inspect` and `find`.

use serde_json::{Value, json};

use crate::support::Local;

fn names(reply: &Value) -> Vec<&str> {
    reply["Files"].as_array().unwrap().iter().map(|file| file["Filename"].as_str().unwrap()).collect()
}

async fn library(local: &Local) {
    local.make_dataset("p", "d").await;
    local.make_bucket("library").await;
    let files = [
        (
            "a/sunset.jpg",
            json!({"Title": "Sun set at the sea", "MediaType": "image", "ProduceTime": "2023-06-05T00:00:00Z"}),
        ),
        ("a/film.mp4", json!({"Title": "Sea", "MediaType": "video", "ProduceTime": "2022-06-05T00:00:00Z"})),
        ("b/letter.txt", json!({"CustomLabels": {"topic": "sea"}})),
    ];
    let mut inputs = Vec::new();
    for (key, mut values) in files {
        local.put("library", key, key.as_bytes()).await;
        values["URI"] = json!(format!("oss://library/{key}"));
        inputs.push(values);
    }
    local.call("BatchIndexFileMeta", json!({"ProjectName": "p", "DatasetName": "d", "Files": inputs})).await;
    local.until("all are indexed", || async { (local.counts("p", "d").await.0 == 3).then_some(()) }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn words_find_files_best_answers_first() {
    let local = Local::start().await;
    library(&local).await;
    let reply =
        local.call("FuzzyQuery", json!({"ProjectName": "p", "DatasetName": "d", "Query": "sea"})).await;
    assert_eq!(names(&reply), ["a/film.mp4", "b/letter.txt", "a/sunset.jpg"]);
    assert_eq!((reply["TotalHits"].as_u64(), &reply["NextToken"]), (Some(3), &json!("")));
    let reply = local
        .call("FuzzyQuery", json!({"ProjectName": "p", "DatasetName": "d", "Query": "sea", "Sort": "Filename,Size", "Order": "desc"}))
        .await;
    assert_eq!(names(&reply), ["b/letter.txt", "a/sunset.jpg", "a/film.mp4"]);
    for query in ["", "!"] {
        let failed =
            local.fail("FuzzyQuery", json!({"ProjectName": "p", "DatasetName": "d", "Query": query})).await;
        assert_eq!(failed.1, "InvalidQuery", "{query:?}");
    }
    let reply = local
        .call(
            "SemanticQuery",
            json!({"ProjectName": "p", "DatasetName": "d", "Query": "photos of the sea in 2023"}),
        )
        .await;
    assert_eq!(names(&reply), ["a/sunset.jpg"], "{reply}");
    assert_eq!(reply["Parse"]["MediaTypes"], json!(["image"]), "{reply}");
    let reply =
        local.call("SemanticQuery", json!({"ProjectName": "p", "DatasetName": "d", "Query": "letter"})).await;
    assert_eq!((names(&reply), &reply["Parse"]), (vec!["b/letter.txt"], &json!({"Fallback": "FuzzyQuery"})));
    local.cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_reads_too_much_is_refused_and_says_what_to_do() {
    // One partition with more than a page of rows: 1 MB of labels.
    let local = Local::with(|config| {
        config.max_query_files = 50;
        config.partitions = 1;
    })
    .await;
    local.make_dataset("p", "d").await;
    local.make_bucket("large").await;
    let label = "x".repeat(20_000);
    let mut files = Vec::new();
    for number in 0..60 {
        local.put("large", &format!("{number:03}"), b"x").await;
        files.push(json!({"URI": format!("oss://large/{number:03}"), "CustomLabels": {"long": label}}));
    }
    for chunk in files.chunks(10) {
        local
            .call("BatchIndexFileMeta", json!({"ProjectName": "p", "DatasetName": "d", "Files": chunk}))
            .await;
    }
    local.until("all are indexed", || async { (local.counts("p", "d").await.0 == 60).then_some(()) }).await;
    let names = json!({"ProjectName": "p", "DatasetName": "d", "Sort": "Size"});
    let reply = local.api.call("SimpleQuery", names.as_object().unwrap()).await.unwrap();
    assert_eq!(reply.body["Code"], json!("LimitExceededError"), "{}", reply.body);
    let message = reply.body["Message"].as_str().unwrap();
    assert!(message.contains("60 files") && message.contains("MEDIADEX_MAX_QUERY_FILES"), "{message}");
    // By URI, and within a part of the URIs, it is answered.
    let total =
        local.call("SimpleQuery", json!({"ProjectName": "p", "DatasetName": "d", "MaxResults": 1})).await;
    assert_eq!(total["TotalHits"], json!(60));
    let query = json!({"Operation": "and", "SubQueries": [
        {"Field": "URI", "Operation": "prefix", "Value": "oss://large/01"},
        {"Field": "Size", "Operation": "eq", "Value": "1"}]});
    assert_eq!(local.find("p", "d", query).await.len(), 10);
    local.cloud.shutdown().await;
}

fn mediadex(arguments: &[&str], secret: &str) -> (bool, String, String) {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_mediadex"))
        .args(arguments)
        .env("MEDIADEX_ACCESS_KEY_ID", "mediadex")
        .env("MEDIADEX_ACCESS_KEY_SECRET", secret)
        .output()
        .unwrap();
    (
        output.status.success(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

#[test]
fn inspect_reads_folders_and_names_what_it_cannot_read() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a.gif"), b"GIF89a\x40\x00\x20\x00\x00\x00\x00;").unwrap();
    std::fs::write(dir.path().join("b.txt"), "text").unwrap();
    let folder = dir.path().to_str().unwrap();
    let (ok, out, _) = mediadex(&["inspect", folder, "--json"], "");
    assert!(ok);
    let lines: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["file"]["ImageWidth"], json!(64));
    assert_eq!((&lines[0]["gets"], &lines[0]["bytes"]), (&json!(1), &json!(14)));
    assert!(lines[0]["ms_cpu"].is_number() && lines[0]["path"].as_str().unwrap().ends_with("a.gif"));
    assert_eq!(lines[1]["file"]["MediaType"], json!("document"));
    let (ok, out, _) = mediadex(&["inspect", folder], "");
    assert!(ok && out.contains("64x32") && out.contains("2 file(s)"), "{out}");
    let (ok, _, err) = mediadex(&["inspect", "/no/such/file"], "");
    assert!(!ok && err.contains("/no/such/file cannot be opened"), "{err}");
}

#[tokio::test(flavor = "multi_thread")]
async fn find_counts_groups_and_draws() {
    let local = Local::start().await;
    library(&local).await;
    let (endpoint, secret) = (local.api.endpoint.clone(), local.api.access_key_secret.clone());
    let find = |arguments: Vec<&'static str>| {
        let (endpoint, secret) = (endpoint.clone(), secret.clone());
        async move {
            tokio::task::spawn_blocking(move || {
                let mut all = vec!["find", "d", "--project", "p", "--endpoint", &endpoint];
                all.extend(arguments);
                mediadex(&all, &secret)
            })
            .await
            .unwrap()
        }
    };
    let table: [(&[&str], &str); 6] = [
        (&["sea"], "3 of 3 file(s)"),
        (&["type:image", "--count"], "1\n"),
        (&["\"sun set\"", "--count"], "1\n"),
        (&["", "--group-by", "type"], "VALUE     FILES\ndocument  1\nimage     1\nvideo     1\n"),
        (&["", "--histogram", "taken:year"], "2022  1  ████"),
        (&["", "--histogram", "taken:year", "--json"], "{\"Count\":1,\"Value\":\"2022-01-01T00:00:00Z\"}"),
    ];
    for (arguments, want) in table {
        let (ok, out, err) = find(arguments.to_vec()).await;
        assert!(ok && out.contains(want), "{arguments:?}: {out}{err}");
    }
    let (ok, out, err) = find(vec!["sea", "--stats"]).await;
    assert!(ok && err.contains("read units") && !out.contains("read units"), "{out}{err}");
    let (ok, _, err) = find(vec!["type:image colour:red"]).await;
    assert!(!ok && err.contains("type:image colour:red\n             ^"), "{err}");
    local.cloud.shutdown().await;
}
