//! `mediadex up` by a user who may not read everything in the folder.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mediadex::client::Api;
use serde_json::{Value, json};

use crate::support::params;

struct Up(Child);

impl Drop for Up {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn first_line(up: &mut Up) -> String {
    let mut line = String::new();
    BufReader::new(up.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    line
}

/// Every file of the index with its status and kind.
async fn files(api: &Api) -> Vec<(String, String, String)> {
    let ask =
        params(json!({"ProjectName": "local", "DatasetName": "files", "MaxResults": 100, "Sort": "URI"}));
    let reply = api.call("SimpleQuery", &ask).await.unwrap();
    let text = |file: &Value, name: &str| file[name].as_str().unwrap_or_default().to_owned();
    let files = reply.body["Files"].as_array().cloned().unwrap_or_default();
    files.iter().map(|f| (text(f, "Filename"), text(f, "ObjectStatus"), text(f, "MediaType"))).collect()
}

async fn until(api: &Api, what: &str, holds: impl Fn(&[(String, String, String)]) -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let now = files(api).await;
        if holds(&now) {
            return;
        }
        assert!(Instant::now() < deadline, "never: {what}; the files are {now:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_not_be_read_is_named_and_taken_up_later() {
    let root = tempfile::tempdir().unwrap();
    set_mode(root.path(), 0o755);
    let (folder, state, binary) =
        (root.path().join("files"), root.path().join("state"), root.path().join("mediadex"));
    std::fs::create_dir_all(folder.join("secret")).unwrap();
    std::fs::create_dir_all(folder.join("open")).unwrap();
    std::fs::create_dir(&state).unwrap();
    for name in ["secret/in.txt", "open/out.txt", "key.txt"] {
        std::fs::write(folder.join(name), "some text").unwrap();
    }
    // Where the binary lies, the other user may not go.
    std::fs::copy(env!("CARGO_BIN_EXE_mediadex"), &binary).unwrap();
    set_mode(&binary, 0o755);
    set_mode(&folder.join("secret"), 0o000);
    set_mode(&folder.join("key.txt"), 0o000);
    let refused = std::fs::read_dir(folder.join("secret")).is_err();
    let mut command = if refused { Command::new(&binary) } else { Command::new("setpriv") };
    if !refused {
        // This is root, who may read everything.
        std::os::unix::fs::chown(&state, Some(65534), Some(65534)).unwrap();
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&binary);
        set_mode(&folder.join("secret"), 0o700);
        set_mode(&folder.join("key.txt"), 0o600);
    }
    let program: Vec<std::ffi::OsString> =
        std::iter::once(command.get_program()).chain(command.get_args()).map(Into::into).collect();
    let log = std::fs::File::create(root.path().join("log")).unwrap();
    let spawned = command
        .args(["up", "--json", "--port", "0", "--state"])
        .args([&state, &folder])
        .env("MEDIADEX_ACCESS_KEY_ID", "tester")
        .env("MEDIADEX_ACCESS_KEY_SECRET", "secret-of-the-tester")
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn();
    let mut up = match spawned {
        Ok(child) => Up(child),
        Err(error) => {
            eprintln!("skipped: root may read everything, and setpriv does not run: {error}");
            return;
        }
    };
    let line = first_line(&mut up);
    let said = || std::fs::read_to_string(root.path().join("log")).unwrap();
    let ready: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("it did not start: {}", said()));
    let skipped = &ready["datasets"][0]["skipped"];
    assert_eq!(*skipped, json!({"folders": 1, "files": 1, "keys": ["key.txt", "secret/"]}), "{line}");
    let banner = std::time::Instant::now();
    while !said().contains("Ctrl-C stops") && banner.elapsed() < Duration::from_secs(20) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(said().contains("skipped: 1 folder and 1 file may not be read: key.txt, secret/"), "{}", said());
    assert!(!said().contains("max_user_watches") && !said().contains("polled"), "{}", said());
    let api = Api {
        endpoint: ready["api"].as_str().unwrap().to_owned(),
        access_key_id: "tester".into(),
        access_key_secret: "secret-of-the-tester".into(),
        security_token: None,
        found_in: None,
    };
    let is = |files: &[(String, String, String)], name: &str, status: &str| {
        files.iter().any(|(n, s, _)| n == name && s == status)
    };
    until(&api, "what may be read is indexed", |files| {
        files.len() == 2 && is(files, "key.txt", "Failed") && files.iter().any(|f| f.0 == "open/out.txt")
    })
    .await;
    // The rest is followed all the time.
    std::fs::write(folder.join("open/new.txt"), "new").unwrap();
    set_mode(&folder.join("open/new.txt"), 0o644);
    until(&api, "a new file is indexed", |files| files.iter().any(|f| f.0 == "open/new.txt")).await;
    let (folder_mode, file_mode) = if refused { (0o700, 0o600) } else { (0o755, 0o644) };
    set_mode(&folder.join("key.txt"), file_mode);
    until(&api, "the file is read", |files| {
        files.iter().any(|f| f.0 == "key.txt" && f.1 != "Failed" && f.2 == "document")
    })
    .await;
    set_mode(&folder.join("secret"), folder_mode);
    until(&api, "the folder is taken up", |files| {
        files.iter().any(|f| f.0 == "secret/in.txt" && f.1 != "Failed")
    })
    .await;
    std::fs::write(folder.join("secret/later.txt"), "later").unwrap();
    set_mode(&folder.join("secret/later.txt"), 0o644);
    until(&api, "the folder is followed", |files| {
        files.iter().any(|f| f.0 == "secret/later.txt" && f.1 != "Failed")
    })
    .await;

    // Later it may not be read again, and other files go while nobody looks.
    drop(up);
    let folder_mode = if refused { 0o000 } else { 0o700 };
    set_mode(&folder.join("secret"), folder_mode);
    for name in ["open/out.txt", "open/new.txt", "key.txt"] {
        std::fs::remove_file(folder.join(name)).unwrap();
    }
    let started = Command::new(&program[0])
        .args(&program[1..])
        .args(["up", "--json", "--port", "0", "--state"])
        .args([&state, &folder])
        .env("MEDIADEX_GUARD_FLOOR", "1")
        .env("MEDIADEX_GUARD_SHARE", "0.2")
        .env("MEDIADEX_GUARD_CONFIRM_SECONDS", "1")
        .env("MEDIADEX_ACCESS_KEY_ID", "tester")
        .env("MEDIADEX_ACCESS_KEY_SECRET", "secret-of-the-tester")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut up = Up(started.unwrap());
    let line = first_line(&mut up);
    let ready: Value = serde_json::from_str(&line).unwrap();
    // So that it can be removed at the end.
    set_mode(&folder.join("secret"), 0o755);
    let dataset = &ready["datasets"][0];
    assert_eq!((&dataset["state"], &dataset["files"]), (&json!("Retrying"), &json!(5)), "{line}");
    // What is in the folder is not missing, and the listing proves nothing.
    let warning = dataset["warning"].as_str().unwrap();
    assert!(warning.contains("3 of 5 indexed files are missing"), "{warning}");
    assert!(warning.contains("parts of the bucket may not be read"), "{warning}");
}
