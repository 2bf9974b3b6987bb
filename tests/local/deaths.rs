//! An object whose reading ends the process is left out after some starts, and
//! named; all others are indexed.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use mediadex::client::Api;
use serde_json::{Value, json};

use crate::support::params;

const SECRET: &str = "a secret of the test";
const OTHERS: usize = 40;

struct Place {
    folder: PathBuf,
    state: PathBuf,
}

impl Place {
    /// Starts `mediadex up`; `None` where it ended before it was up.
    fn start(&self, abort_on: Option<&str>) -> Option<(Child, Value)> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mediadex"));
        if let Some(end) = abort_on {
            command.env("MEDIADEX_ABORT_ON", end);
        }
        let mut child = command
            .env("MEDIADEX_ACCESS_KEY_ID", "mediadex")
            .env("MEDIADEX_ACCESS_KEY_SECRET", SECRET)
            .env("XDG_DATA_HOME", self.state.with_file_name("data"))
            .args(["up", "--json", "--port", "0", "--state"])
            .arg(&self.state)
            .arg(&self.folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        match serde_json::from_str(&line) {
            Ok(ready) => Some((child, ready)),
            Err(_) => {
                assert!(!child.wait().unwrap().success(), "it ended well without being up: {line:?}");
                None
            }
        }
    }
}

fn api(ready: &Value) -> Api {
    Api {
        endpoint: ready["api"].as_str().unwrap().to_owned(),
        access_key_id: "mediadex".into(),
        access_key_secret: SECRET.into(),
        security_token: None,
        found_in: None,
    }
}

async fn status_of(api: &Api, key: &str) -> (String, String) {
    let ask =
        json!({"ProjectName": "local", "DatasetName": "pictures", "URI": format!("oss://pictures/{key}")});
    let file = api.call("GetFileMeta", &params(ask)).await.unwrap().body["Files"][0].clone();
    let text = |name: &str| file[name].as_str().unwrap_or_default().to_owned();
    (text("ObjectStatus"), text("Reason"))
}

fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

fn write(folder: &Path, name: &str, content: &str) {
    std::fs::write(folder.join(name), content).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_ends_the_process_is_left_out_after_some_starts() {
    let root = tempfile::tempdir().unwrap();
    let place = Place { folder: root.path().join("pictures"), state: root.path().join("state") };
    std::fs::create_dir(&place.folder).unwrap();
    for number in 0..OTHERS {
        write(&place.folder, &format!("{}{number:02}.txt", if number % 2 == 0 { "a" } else { "z" }), "text");
    }
    write(&place.folder, "killer.txt", "it ends the process");

    let mut deaths = 0;
    let (child, ready) = loop {
        match place.start(Some("killer.txt")) {
            Some(up) => break up,
            None => deaths += 1,
        }
        assert!(deaths < 10, "it dies at every start");
    };
    // The default of MEDIADEX_MAX_ATTEMPTS is 5, and the last one must not end like the others.
    assert_eq!(deaths, 4);
    assert_eq!(ready["datasets"][0]["files"], json!(OTHERS + 1), "{ready}");
    let (status, reason) = status_of(&api(&ready), "killer.txt").await;
    assert_eq!(status, "Failed");
    assert!(reason.contains("the process ended"), "{reason}");
    assert_eq!(status_of(&api(&ready), "a00.txt").await.0, "Indexed");
    kill(child);

    // It is not tried again: not at the next start, and not by a scan.
    let (child, _) = place.start(Some("killer.txt")).expect("it is left out from now on");
    kill(child);
    let (child, ready) = place.start(None).unwrap();
    assert_eq!(status_of(&api(&ready), "killer.txt").await.0, "Failed", "the content is the same");
    // But by hand,
    let ask = json!({"ProjectName": "local", "DatasetName": "pictures",
        "File": {"URI": "oss://pictures/killer.txt"}});
    api(&ready).call("IndexFileMeta", &params(ask)).await.unwrap();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while status_of(&api(&ready), "killer.txt").await.0 != "Indexed" {
        assert!(std::time::Instant::now() < deadline, "a call by hand has it read");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    kill(child);

    // and with other content: another file like it ends the process as often.
    write(&place.folder, "killer.txt", "other content that ends it as well");
    let deaths =
        (0..10).take_while(|_| place.start(Some("killer.txt")).map(|(child, _)| kill(child)).is_none());
    assert!((3..=5).contains(&deaths.count()));
    write(&place.folder, "killer.txt", "harmless");
    let (child, ready) = place.start(None).unwrap();
    assert_eq!(status_of(&api(&ready), "killer.txt").await.0, "Indexed");
    kill(child);
}
