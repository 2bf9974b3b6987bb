//! The access key of the local cloud, as its user meets it: the real program
//! with a home directory of its own, and no configuration.

use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use mediadex::client::Api;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::crash::free_port;
use crate::support::params;

/// A user: a home directory, and a folder with a file.
pub(crate) struct User {
    root: tempfile::TempDir,
    pub(crate) port: u16,
}

/// A running `mediadex up`.
pub(crate) struct Up {
    child: Child,
    pub(crate) ready: Value,
    log: PathBuf,
}

impl Drop for Up {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Up {
    /// Ends it as Ctrl-C does, and gives what it wrote to stderr.
    pub(crate) fn stop(mut self) -> String {
        kill_process(Pid::from_child(&self.child), Signal::INT).unwrap();
        assert!(self.child.wait().unwrap().success());
        self.said()
    }

    fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    fn secret_file(&self) -> PathBuf {
        self.ready["access_key"]["secret_file"].as_str().unwrap().into()
    }
}

impl User {
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("photos")).unwrap();
        std::fs::write(root.path().join("photos/a.txt"), "one").unwrap();
        Self { root, port: free_port() }
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.root.path().join("photos")
    }

    /// The program as this user starts it: nothing is configured.
    pub(crate) fn mediadex(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mediadex"));
        for (name, _) in std::env::vars_os() {
            if ["MEDIADEX_", "AWS_", "XDG_"].iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
                command.env_remove(name);
            }
        }
        command.env("HOME", self.root.path()).stdin(Stdio::null());
        command
    }

    pub(crate) fn up(&self, change: impl FnOnce(&mut Command)) -> Up {
        let mut command = self.mediadex();
        let log = self.root.path().join("stderr.log");
        command.args(["up", "--json", "--port", &self.port.to_string()]).arg(self.folder());
        command.stdout(Stdio::piped()).stderr(std::fs::File::create(&log).unwrap());
        change(&mut command);
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        let stdout = child.stdout.take().unwrap();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line).unwrap();
        let said = || std::fs::read_to_string(&log).unwrap();
        let ready = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line:?}: {}", said()));
        Up { child, ready, log }
    }

    fn find(&self, change: impl FnOnce(&mut Command)) -> Output {
        let mut command = self.mediadex();
        command.args(["find", "photos", "--count"]);
        command.env("MEDIADEX_ENDPOINT", format!("http://127.0.0.1:{}", self.port));
        change(&mut command);
        command.output().unwrap()
    }

    fn finds(&self, change: impl FnOnce(&mut Command)) {
        let output = self.find(change);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{error}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "1\n", "{error}");
    }

    /// Why nothing is found.
    fn fails(&self, change: impl FnOnce(&mut Command)) -> String {
        let output = self.find(change);
        assert!(!output.status.success(), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    fn record(&self) -> PathBuf {
        self.root.path().join(".local/share/mediadex/endpoints").join(format!("127.0.0.1-{}", self.port))
    }
}

fn mode(path: &Path) -> u32 {
    std::fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

/// Everything in a directory, and the directory itself.
fn tree(root: &Path) -> Vec<PathBuf> {
    let (mut all, mut open) = (vec![root.to_owned()], vec![root.to_owned()]);
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path.clone());
            }
            all.push(path);
        }
    }
    all
}

fn is_private(root: &Path) {
    for path in tree(root) {
        // A process that runs removes files of its own.
        let Ok(metadata) = std::fs::symlink_metadata(&path) else { continue };
        let want = if metadata.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(metadata.permissions().mode() & 0o777, want, "{}", path.display());
    }
}

fn credentials(id: &str, secret: &str) -> aws_credential_types::Credentials {
    aws_credential_types::Credentials::new(id, secret, None, None, "test")
}

/// The configuration of a client of AWS for an endpoint that `up` names.
macro_rules! config {
    ($sdk:ident, $up:expr, $name:literal, $credentials:expr) => {
        $sdk::Config::builder()
            .behavior_version($sdk::config::BehaviorVersion::latest())
            .region($sdk::config::Region::new("us-east-1"))
            .credentials_provider($credentials)
            .endpoint_url($up.ready[$name].as_str().unwrap())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
    };
}

fn s3(up: &Up, id: &str, secret: &str) -> aws_sdk_s3::Client {
    let config = config!(aws_sdk_s3, up, "s3", credentials(id, secret));
    aws_sdk_s3::Client::from_conf(config.force_path_style(true).build())
}

/// Which of the four endpoints take a key.
async fn takes(up: &Up, id: &str, secret: &str) -> [bool; 4] {
    let api = Api {
        endpoint: up.ready["api"].as_str().unwrap().into(),
        access_key_id: id.into(),
        access_key_secret: secret.into(),
        security_token: None,
        found_in: None,
    };
    let dynamodb = config!(aws_sdk_dynamodb, up, "dynamodb", credentials(id, secret)).build();
    let sns = config!(aws_sdk_sns, up, "sns", credentials(id, secret)).build();
    [
        api.call("ListProjects", &params(json!({}))).await.unwrap().status == 200,
        s3(up, id, secret).list_buckets().send().await.is_ok(),
        aws_sdk_dynamodb::Client::from_conf(dynamodb).list_tables().send().await.is_ok(),
        aws_sdk_sns::Client::from_conf(sns).list_topics().send().await.is_ok(),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_generated_once_and_found_without_configuration() {
    let user = User::new();
    let up = user.up(|_| {});
    let file = up.secret_file();
    let secret = std::fs::read_to_string(&file).unwrap().trim().to_owned();
    assert_eq!(up.ready["access_key"]["id"], json!("mediadex"));
    assert!(!up.ready.to_string().contains(&secret));
    assert!(secret.len() >= 40, "160 bits as hexadecimal digits");
    assert_eq!(file.file_name().unwrap(), "access.key");
    let said = up.said();
    for line in [
        format!("export MEDIADEX_ACCESS_KEY_ID=mediadex MEDIADEX_ACCESS_KEY_SECRET={secret}\n"),
        format!("export ALIBABA_CLOUD_ACCESS_KEY_ID=mediadex ALIBABA_CLOUD_ACCESS_KEY_SECRET={secret}\n"),
        format!("export AWS_ACCESS_KEY_ID=mediadex AWS_SECRET_ACCESS_KEY={secret} AWS_REGION=us-east-1\n"),
    ] {
        assert!(said.contains(&line), "no {line} in {said}");
    }
    user.finds(|_| {});
    user.finds(|find| {
        find.env("MEDIADEX_ENDPOINT", format!("http://localhost:{}", user.port));
    });
    assert_eq!(takes(&up, "mediadex", &secret).await, [true; 4]);
    // What was everybody's key before.
    assert_eq!(takes(&up, "mediadex", concat!("mediadex", "-secret")).await, [false; 4]);
    assert_eq!(mode(&user.record()), 0o600);
    assert_eq!(mode(user.record().parent().unwrap()), 0o700);
    assert!(!std::fs::read_to_string(user.record()).unwrap().contains(&secret));
    up.stop();
    assert!(!user.record().exists());
    let error = user.fails(|_| {});
    assert!(error.contains("mediadex up") && error.contains("MEDIADEX_ACCESS_KEY_SECRET"), "{error}");

    let again = user.up(|_| {});
    assert_eq!(std::fs::read_to_string(&file).unwrap().trim(), secret);
    user.finds(|_| {});
    let said = again.stop();
    assert!(!said.contains(&secret) && said.contains(&file.display().to_string()), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn state_is_its_owners_alone_and_what_is_put_into_a_folder_is_not() {
    let user = User::new();
    let state = user.root.path().join("state");
    let with_state = |command: &mut Command| {
        command.arg("--state").arg(&state).arg("--writable");
    };
    let up = user.up(with_state);
    let secret = std::fs::read_to_string(state.join("access.key")).unwrap();
    let client = s3(&up, "mediadex", secret.trim());
    client.create_bucket().bucket("made").send().await.unwrap();
    let put = |bucket: &'static str| {
        client.put_object().bucket(bucket).key("new/b.txt").body(b"two".to_vec().into()).send()
    };
    put("made").await.unwrap();
    let upload = client.create_multipart_upload().bucket("made").key("large").send().await.unwrap();
    let part = client.upload_part().bucket("made").key("large").upload_id(upload.upload_id().unwrap());
    part.part_number(1).body(b"part".to_vec().into()).send().await.unwrap();
    put("photos").await.unwrap();
    // As the user's own programs write there.
    std::fs::create_dir(user.root.path().join("usual")).unwrap();
    std::fs::write(user.root.path().join("usual/file"), "x").unwrap();
    let usual = |path: &str| mode(&user.root.path().join(path));
    assert_eq!(mode(&user.folder().join("new")), usual("usual"));
    assert_eq!(mode(&user.folder().join("new/b.txt")), usual("usual/file"));
    let names: Vec<String> =
        tree(&state).iter().map(|path| path.strip_prefix(&state).unwrap().display().to_string()).collect();
    for want in ["lock", "folders.json", "sealing.key", "dynamodb.sqlite-wal", "sns.sqlite", "s3/sidecar.db"]
    {
        assert!(names.iter().any(|name| name == want), "no {want} in {names:?}");
    }
    assert!(names.iter().any(|name| name.ends_with("made/new/b.txt")), "{names:?}");
    is_private(&state);
    drop(up);
    // As an older version left it.
    for path in tree(&state) {
        let wide = if path.is_dir() { 0o755 } else { 0o644 };
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(wide)).unwrap();
    }
    let up = user.up(with_state);
    is_private(&state);
    up.stop();
    is_private(&state);
}

#[test]
fn a_record_that_is_out_of_date_says_what_to_do() {
    let user = User::new();
    let up = user.up(|up| {
        up.arg("--ephemeral");
    });
    user.finds(|_| {});
    let state = up.secret_file().parent().unwrap().to_owned();
    is_private(&state);
    drop(up);
    assert!(user.record().exists(), "it was killed");
    let error = user.fails(|_| {});
    assert!(error.contains("was killed") && error.contains("Start it again"), "{error}");
    std::fs::remove_dir_all(state).unwrap();
    // The next one's key is another, and is found.
    let up = user.up(|up| {
        up.arg("--ephemeral");
    });
    user.finds(|_| {});
    // Another key than the API has: not only that the signature is wrong.
    std::fs::write(up.secret_file(), "another-secret").unwrap();
    let error = user.fails(|_| {});
    assert!(error.contains("SignatureDoesNotMatch") && error.contains("mediadex up"), "{error}");
    up.stop();
    assert!(!user.record().exists());
}

#[test]
fn a_key_of_the_users_own_is_used_and_not_generated() {
    let user = User::new();
    let file = user.root.path().join("secret");
    std::fs::write(&file, "a secret from a file".replace(' ', "-")).unwrap();
    let own = |command: &mut Command| {
        command.env("MEDIADEX_ACCESS_KEY_ID", "me").env("MEDIADEX_ACCESS_KEY_SECRET", "short");
    };
    let up = user.up(own);
    assert_eq!(up.ready["access_key"], json!({"id": "me", "secret_file": null}));
    user.finds(own);
    let error = user.fails(|_| {});
    assert!(error.contains("of your own (me)") && error.contains("MEDIADEX_ACCESS_KEY_SECRET"), "{error}");
    let error = user.fails(|find| {
        find.args(["--access-key-id", "me"]);
    });
    assert!(error.contains("without its secret"), "{error}");
    let said = up.stop();
    assert!(!said.contains("short"), "{said}");
    let all = tree(user.root.path());
    assert!(!all.iter().any(|path| path.ends_with("access.key")), "{all:?}");

    let from_file = |command: &mut Command| {
        command.args(["--access-key-id", "me", "--access-key-secret-file"]).arg(&file);
    };
    let up = user.up(from_file);
    assert_eq!(up.ready["access_key"], json!({"id": "me", "secret_file": file}));
    user.finds(|_| {});
    user.finds(from_file);
    up.stop();
}

#[test]
fn a_short_secret_is_refused_where_others_can_try_it() {
    let user = User::new();
    let everywhere = IpAddr::from([0, 0, 0, 0]).to_string();
    let start = |secret: &str| {
        let mut command = user.mediadex();
        command.args(["up", "--port", &user.port.to_string(), "--ephemeral", "--bind", &everywhere]);
        command.env("MEDIADEX_ACCESS_KEY_SECRET", secret).output().unwrap()
    };
    let output = start("fifteen-letters");
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && error.contains("16 characters"), "{error}");
    assert!(!error.contains("fifteen-letters"), "{error}");
    // A generated one is long enough.
    let up = user.up(|up| {
        up.args(["--ephemeral", "--bind", &everywhere]);
    });
    user.finds(|_| {});
    up.stop();
}
