//! The text of documents: ExtractDocumentText, its child processes, and
//! `mediadex text`.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::{Local, PROGRAM, params};

async fn start(bucket: &str) -> Local {
    let local = Local::start().await;
    local.make_dataset("p", "d").await;
    local.make_bucket(bucket).await;
    local
}

#[tokio::test(flavor = "multi_thread")]
async fn the_text_of_a_document_is_given() {
    let local = start("bucket").await;
    let html = "<html><head><title>T</title><script>no()</script></head><body><p>Gr&uuml;n &amp; blau</p></body></html>";
    local.put("bucket", "a.html", html.as_bytes()).await;
    local.put("bucket", "dir/note", "plain words".as_bytes()).await;
    let call = |uri: &str| json!({"ProjectName": "p", "SourceURI": uri});
    let reply = local.call("ExtractDocumentText", call("oss://bucket/a.html")).await;
    let text = reply["DocumentText"].as_str().unwrap();
    assert!(text.contains("Grün & blau") && !text.contains("no()"), "{text}");
    // What SDKs send along changes nothing.
    let mut named = call("s3://bucket/dir/note");
    named["SourceType"] = json!(".TXT");
    named["CredentialConfig"] = json!({"ServiceRole": "r"});
    let reply = local.call("ExtractDocumentText", named).await;
    assert_eq!(reply["DocumentText"], json!("plain words"));
    local.cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_is_cut_at_two_megabytes_on_a_character() {
    let local = start("bucket").await;
    local.put("bucket", "long.txt", "文字".repeat(500_000).as_bytes()).await;
    let reply = local
        .call("ExtractDocumentText", json!({"ProjectName": "p", "SourceURI": "oss://bucket/long.txt"}))
        .await;
    let text = reply["DocumentText"].as_str().unwrap();
    assert!((1_990_000..=2_000_000).contains(&text.len()), "{}", text.len());
    assert!(text.chars().all(|c| "文字".contains(c)));
    local.cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_gives_no_text_is_named_with_its_reason() {
    let local = start("bucket").await;
    local.put("bucket", "a.png", b"\x89PNG\r\n\x1a\n").await;
    local.put("bucket", "empty.txt", b"").await;
    let table = [
        ("oss://bucket/none.txt", "", 404, "ResourceNotFound", "oss://bucket/none.txt"),
        ("oss://no-bucket/a.txt", "", 404, "ResourceNotFound", "no-bucket"),
        ("oss://bucket/a.png", "", 400, "InvalidSourceURI", "oss://bucket/a.png"),
        ("oss://bucket/empty.txt", "", 400, "InvalidSourceURI", "oss://bucket/empty.txt"),
        ("oss://bucket/a.png", "nonsense", 400, "InvalidSourceType", "nonsense"),
        ("oss://bucket", "", 400, "InvalidSourceURI", ""),
        ("pds://bucket/a", "", 400, "InvalidSourceURI", ""),
        ("", "", 400, "InvalidSourceURI", ""),
    ];
    for (uri, extension, status, code, named) in table {
        let call = json!({"ProjectName": "p", "SourceURI": uri, "SourceType": extension});
        let reply = local.api.call("ExtractDocumentText", &params(call)).await.unwrap();
        let got = (reply.status, reply.body["Code"].as_str().unwrap());
        assert_eq!(got, (status, code), "{uri}: {}", reply.body);
        assert!(reply.body["Message"].as_str().unwrap().contains(named), "{uri}: {}", reply.body);
    }
    let absent = json!({"ProjectName": "absent", "SourceURI": "oss://bucket/empty.txt"});
    assert_eq!(local.fail("ExtractDocumentText", absent).await, (404, "ResourceNotFound".into()));
    assert_eq!(
        local.fail("ExtractDocumentText", json!({"ProjectName": "p"})).await,
        (400, "MissingSourceURI".into())
    );
    local.cloud.shutdown().await;
}

/// What the child process answers to a document.
fn child(content_type: &str, space: u64, document: &[u8]) -> Option<Value> {
    let (space, length) = (space.to_string(), document.len().to_string());
    let mut child = Command::new(PROGRAM)
        .args(["read-text", "--content-type", content_type, "--address-space", &space, "--length", &length])
        .env("MIMALLOC_ARENA_RESERVE", "65536")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // One that has ended does not read.
    stdin.write_all(document).ok();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    output.status.success().then(|| serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn a_child_answers_within_its_limits_and_ends_beyond_them() {
    let space = 768 << 20;
    let read = child("text/plain", space, b"words").unwrap();
    assert_eq!(read["Ok"]["text"], json!("words"));
    let failed = child("image/png", space, b"words").unwrap();
    assert_eq!(failed["Err"], json!({"Unsupported": "image/png"}));
    // A document that does not fit into the memory that the process may have.
    if cfg!(target_os = "linux") {
        assert_eq!(child("text/plain", 160 << 20, &vec![b'a'; 180 << 20]), None);
    }
}

#[test]
fn the_command_prints_the_text_of_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let table = [
        ("a.html", "<p>one<p>two &lt;three&gt;", &[][..], Some("two <three>")),
        ("b", "plain words", &["--type", "txt"][..], Some("plain words")),
        ("b", "plain words", &[][..], None),
        ("none.png", "x", &[][..], None),
    ];
    for (name, content, arguments, want) in table {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        let output = Command::new(PROGRAM).arg("text").arg(&path).args(arguments).output().unwrap();
        let (printed, said) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        match want {
            Some(want) => assert!(output.status.success() && printed.contains(want), "{name}: {said}"),
            None => assert!(!output.status.success() && said.contains(name), "{name}: {said}"),
        }
    }
}

/// A dataset whose template keeps texts, bound to a bucket with some documents.
async fn with_texts(template: &str) -> Local {
    let local = Local::start().await;
    local.call("CreateProject", json!({"ProjectName": "p"})).await;
    let dataset = json!({"ProjectName": "p", "DatasetName": "d", "TemplateId": template});
    local.call("CreateDataset", dataset).await;
    local.make_bucket("bucket").await;
    local.put("bucket", "report.txt", b"The quarterly figures of the marmalade works").await;
    local.put("bucket", "marmalade.txt", b"nothing of interest").await;
    local.put("bucket", "page.html", "<p>Zweiter Bericht: B\u{e4}ume".as_bytes()).await;
    local.put("bucket", "blank.html", b"<html><head></head><body> </body></html>").await;
    local
}

impl Local {
    /// The keys that FuzzyQuery finds, the best first.
    async fn fuzzy(&self, words: &str) -> Vec<String> {
        let query = json!({"ProjectName": "p", "DatasetName": "d", "Query": words});
        let reply = self.call("FuzzyQuery", query).await;
        let files = reply["Files"].as_array().unwrap();
        assert!(files.iter().all(|file| file.get("DocumentText").is_none()), "{files:?}");
        files.iter().map(|file| file["Filename"].as_str().unwrap().to_owned()).collect()
    }

    async fn until_found(&self, words: &str, want: &[&str]) {
        self.until(&format!("{words} finds {want:?}"), || async {
            (self.fuzzy(words).await == want).then_some(())
        })
        .await;
    }

    /// How many parts of texts are kept.
    async fn texts(&self) -> usize {
        let (at, key) = (self.cloud.endpoints.dynamodb, &self.cloud.access_key.key);
        let config = aws_sdk_dynamodb::Config::builder()
            .behavior_version(aws_sdk_dynamodb::config::BehaviorVersion::latest())
            .region(aws_sdk_dynamodb::config::Region::new("us-east-1"))
            .credentials_provider(aws_credential_types::Credentials::new(
                &key.id,
                &key.secret,
                None,
                None,
                "test",
            ))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .endpoint_url(format!("http://{at}"))
            .build();
        let client = aws_sdk_dynamodb::Client::from_conf(config);
        let mut items =
            client.scan().table_name(&self.cloud.ctx.config.files_table).into_paginator().items().send();
        let mut count = 0;
        while let Some(item) = items.next().await {
            count += usize::from(item.unwrap()["PK"].as_s().unwrap().starts_with("T#"));
        }
        count
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn words_of_documents_are_found_after_names() {
    let local = with_texts("Official:DocumentManagement").await;
    local.bind("p", "d", "bucket").await;
    local.until_found("marmalade", &["marmalade.txt", "report.txt"]).await;
    local.until_found("baume bericht", &["page.html"]).await;
    local.until_found("figures quart", &["report.txt"]).await;
    assert_eq!(local.fuzzy("quarterly interest").await, [""; 0]);
    // As `mediadex find` asks for words, by themselves and in quotation marks.
    for words in [json!("quarterly"), json!("marmalade works")] {
        let condition = json!({"Operation": "fuzzy", "Value": words});
        assert_eq!(local.find("p", "d", condition).await, ["report.txt"], "{words}");
    }
    assert_eq!(local.texts().await, 3);
    let file = json!({"ProjectName": "p", "DatasetName": "d", "URI": "oss://bucket/blank.html"});
    local
        .until("the blank document is read", || async {
            let reply = local.call("GetFileMeta", file.clone()).await;
            let said = &reply["Files"][0]["Reason"];
            said.as_str().is_some_and(|reason| reason.starts_with("text: there is no text")).then_some(())
        })
        .await;
    // Another content has another text, and the one before goes.
    local.put("bucket", "report.txt", b"A letter about plums").await;
    local.until_found("plums", &["report.txt"]).await;
    assert_eq!(local.fuzzy("marmalade").await, ["marmalade.txt"]);
    assert_eq!(local.texts().await, 3);
    // What goes by hand, by storage and with its dataset takes its text along.
    local
        .call(
            "DeleteFileMeta",
            json!({"ProjectName": "p", "DatasetName": "d", "URI": "oss://bucket/report.txt"}),
        )
        .await;
    assert_eq!(local.texts().await, 2);
    local.delete("bucket", "page.html").await;
    local.until("its text is gone", || async { (local.texts().await == 1).then_some(()) }).await;
    assert_eq!(local.fuzzy("plums").await, [""; 0]);
    local.cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_text_is_kept_in_parts_and_its_end_is_said() {
    let local = with_texts("Official:DocumentManagement").await;
    // What does not get smaller: words without end.
    let mut seed = 1u64;
    let mut words = String::new();
    while words.len() < 2_100_000 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        words.push_str(&format!("{:x} ", seed >> 8));
    }
    words.insert_str(1_900_000, " behind ");
    words.push_str("beyond");
    local.put("bucket", "long.txt", words.as_bytes()).await;
    local.bind("p", "d", "bucket").await;
    let file = json!({"ProjectName": "p", "DatasetName": "d", "URI": "oss://bucket/long.txt"});
    let file = local
        .until("the text is read", || async {
            let reply = local.call("GetFileMeta", file.clone()).await;
            (reply["Files"][0]["ObjectStatus"] == json!("Partial")).then(|| reply["Files"][0].clone())
        })
        .await;
    assert!(file["Reason"].as_str().unwrap().starts_with("text: "), "{file}");
    assert_eq!(local.fuzzy("behind").await, ["long.txt"]);
    assert_eq!(local.fuzzy("beyond").await, [""; 0]);
    assert!(local.texts().await > 4, "{}", local.texts().await);
    local.cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_are_kept_only_where_the_template_asks_and_then_by_the_next_scan() {
    let local = with_texts("").await;
    local.bind("p", "d", "bucket").await;
    assert_eq!(local.fuzzy("quarterly").await, [""; 0]);
    assert_eq!(local.texts().await, 0);
    let template =
        json!({"ProjectName": "p", "DatasetName": "d", "TemplateId": "Official:DocumentManagement"});
    local.call("UpdateDataset", template).await;
    let gets = local.cloud.ctx.usage.read().s3_gets;
    let binding = json!({"ProjectName": "p", "DatasetName": "d", "URI": "oss://bucket"});
    local.call("StopBinding", binding.clone()).await;
    local.call("ResumeBinding", binding).await;
    local.until_scanned("p", "d", "bucket").await;
    local.until_found("quarterly", &["report.txt"]).await;
    local.until_found("bericht", &["page.html"]).await;
    // The documents were read for their texts, and nothing else was.
    local.until("all are read", || async { (local.texts().await == 3).then_some(()) }).await;
    assert!(local.cloud.ctx.usage.read().s3_gets <= gets + 4);
    local.cloud.shutdown().await;
}
