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
    let space = space.to_string();
    let mut child = Command::new(PROGRAM)
        .args(["read-text", "--content-type", content_type, "--address-space", &space])
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
