//! `kill -9` in the middle of a scan, at several moments; the next start goes
//! on where it was and ends with exact counts.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mediadex::client::Api;
use serde_json::{Value, json};

use crate::support::params;

const FILES: usize = 20_000;

fn make_files(folder: &Path) -> u64 {
    let mut bytes = 0;
    for directory in 0..40 {
        let path = folder.join(format!("d{directory:02}"));
        std::fs::create_dir_all(&path).unwrap();
        for number in 0..FILES / 40 {
            let content = "x".repeat((directory * 7 + number * 13) % 100);
            bytes += content.len() as u64;
            std::fs::write(path.join(format!("f{number:04}.txt")), content).unwrap();
        }
    }
    bytes
}

/// The test's own, so that it needs none of a cloud that is killed.
const SECRET: &str = "a secret of the test";

fn up(folder: &Path, state: &Path, port: u16) -> Child {
    Command::new(env!("CARGO_BIN_EXE_mediadex"))
        .env("MEDIADEX_ACCESS_KEY_ID", "mediadex")
        .env("MEDIADEX_ACCESS_KEY_SECRET", SECRET)
        .env("XDG_DATA_HOME", state.with_file_name("data"))
        .args(["up", "--json", "--port", &port.to_string(), "--state"])
        .arg(state)
        .arg(folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn api(port: u16) -> Api {
    Api {
        endpoint: format!("http://127.0.0.1:{port}"),
        access_key_id: "mediadex".into(),
        access_key_secret: SECRET.into(),
        security_token: None,
        found_in: None,
    }
}

/// The files that are indexed so far; `None` while the API does not answer.
async fn count(port: u16) -> Option<i64> {
    let ask = params(json!({"ProjectName": "local", "DatasetName": "many", "WithStatistics": true}));
    let reply = api(port).call("GetDataset", &ask).await.ok()?;
    reply.body["Dataset"]["FileCount"].as_i64()
}

/// Four ports in a row that were free a moment ago.
pub(crate) fn free_port() -> u16 {
    loop {
        let first = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = first.local_addr().unwrap().port();
        if port < u16::MAX - 3 && (1..4).all(|n| std::net::TcpListener::bind(("127.0.0.1", port + n)).is_ok())
        {
            return port;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_scan_goes_on_and_ends_exact() {
    let root = tempfile::tempdir().unwrap();
    let (folder, state) = (root.path().join("many"), root.path().join("state"));
    let bytes = make_files(&folder);
    let port = free_port();
    let mut before = 0;
    // At once, and after each further part of the files.
    for moment in [0, 1_500, 7_000, 13_000] {
        let mut child = up(&folder, &state, port);
        let started = Instant::now();
        let reached = loop {
            if let Some(now) = count(port).await {
                assert!(now >= before, "{now} files, {before} before the kill: something was lost");
                if now > moment {
                    break now;
                }
            }
            assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
            assert!(started.elapsed() < Duration::from_secs(120), "no {moment} files after two minutes");
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        child.kill().unwrap();
        child.wait().unwrap();
        before = reached;
        assert!(before < FILES as i64, "the scan was over before it could be killed");
    }
    let mut child = up(&folder, &state, port);
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let up: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(up["datasets"][0]["files"], json!(FILES), "{up}");
    let ask = params(json!({"ProjectName": "local", "DatasetName": "many", "WithStatistics": true}));
    let dataset = api(port).call("GetDataset", &ask).await.unwrap().body;
    assert_eq!(dataset["Dataset"]["TotalFileSize"], json!(bytes), "{dataset}");
    let mut names = std::collections::HashSet::new();
    let mut token = json!("");
    loop {
        let ask = params(json!({"ProjectName": "local", "DatasetName": "many", "WithoutTotalHits": true,
            "WithFields": ["Filename"], "NextToken": token}));
        let page = api(port).call("SimpleQuery", &ask).await.unwrap().body;
        for file in page["Files"].as_array().unwrap() {
            assert!(names.insert(file["Filename"].as_str().unwrap().to_owned()), "{file} came twice");
        }
        token = page["NextToken"].clone();
        if token == json!("") {
            break;
        }
    }
    assert_eq!(names.len(), FILES);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn the_load_generator_finds_no_difference() {
    let port = free_port().to_string();
    let arguments = ["load", "--seconds", "3", "--writers", "4", "--kills", "1", "--port", &port];
    let output = Command::new(env!("CARGO_BIN_EXE_mediadex")).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let table = String::from_utf8(output.stdout).unwrap();
    let row: Vec<&str> = table.lines().last().unwrap().trim_matches('|').split('|').map(str::trim).collect();
    let (accepted, kills) = (row[0].parse::<u64>().unwrap(), row[2]);
    assert!(accepted > 20 && kills == "1" && row.last() == Some(&"0"), "{table}");
}
