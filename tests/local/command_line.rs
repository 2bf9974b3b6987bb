//! The command line as a program: where its options stand, what it writes to
//! stderr, and objects that it reads without an index.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::crash::free_port;
use crate::support::Local;

/// The program, with nothing configured but the key.
fn mediadex(arguments: &[&str], key: (&str, &str)) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mediadex"));
    for (name, _) in std::env::vars_os() {
        if ["MEDIADEX_", "AWS_"].iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
            command.env_remove(name);
        }
    }
    command.args(arguments).stdin(Stdio::null());
    command.env("MEDIADEX_ACCESS_KEY_ID", key.0).env("MEDIADEX_ACCESS_KEY_SECRET", key.1);
    command
}

async fn output(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_endpoint_stands_before_and_behind_every_command() {
    let local = Local::start().await;
    local.make_dataset("local", "d").await;
    let api = &local.api;
    let (endpoint, key) =
        (api.endpoint.as_str(), (api.access_key_id.as_str(), api.access_key_secret.as_str()));
    // The port of nobody.
    let wrong = format!("http://127.0.0.1:{}", free_port());
    let table: [(&[&str], bool); 14] = [
        (&["--endpoint", endpoint, "call", "ListProjects"], true),
        (&["call", "--endpoint", endpoint, "ListProjects"], true),
        (&["call", "ListProjects", "--endpoint", endpoint], true),
        (&["--endpoint", endpoint, "find", "d", "--count"], true),
        (&["find", "d", "--count", "--endpoint", endpoint], true),
        (&["--endpoint", endpoint, "keys", "list"], true),
        (&["keys", "--endpoint", endpoint, "list"], true),
        (&["keys", "list", "--endpoint", endpoint], true),
        (&["keys", "create", "--id", "second", "--admin", "--endpoint", endpoint], true),
        (&["keys", "disable", "second", "--access-key-id", key.0, "--endpoint", endpoint], true),
        (&["--endpoint", endpoint, "redrive", "d"], true),
        // The one behind wins over the one before, and both over the environment.
        (&["--endpoint", &wrong, "keys", "list", "--endpoint", endpoint], true),
        (&["--endpoint", endpoint, "keys", "list", "--endpoint", &wrong], false),
        // A command that calls no API.
        (&["--endpoint", endpoint, "cost", "--objects", "1"], false),
    ];
    for (arguments, want) in table {
        let mut command = mediadex(arguments, key);
        command.env("MEDIADEX_ENDPOINT", &wrong);
        let done = output(command).await;
        let said = String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.success(), want, "{arguments:?}: {said}");
    }
    let mut command = mediadex(&["keys", "list"], key);
    command.env("MEDIADEX_ENDPOINT", endpoint);
    assert!(output(command).await.status.success(), "the environment names the endpoint");
    local.cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn inspect_reads_objects() {
    let local = Local::start().await;
    local.make_bucket("bucket").await;
    local.put("bucket", "a/x.gif", b"GIF89a\x40\x00\x20\x00\x00\x00\x00;").await;
    local.put("bucket", "a/y.txt", b"text").await;
    let api = &local.api;
    let key = (api.access_key_id.as_str(), api.access_key_secret.as_str());
    let s3 = format!("http://{}", local.cloud.endpoints.s3);
    let inspect = |target: &str| {
        let mut command = mediadex(&["inspect", "--json", target], key);
        command.env("AWS_ENDPOINT_URL_S3", &s3).env("AWS_REGION", "us-east-1");
        command.env("AWS_ACCESS_KEY_ID", key.0).env("AWS_SECRET_ACCESS_KEY", key.1);
        command
    };
    for (target, names) in [
        ("s3://bucket/a/x.gif", vec!["s3://bucket/a/x.gif"]),
        ("oss://bucket/a/", vec!["s3://bucket/a/x.gif", "s3://bucket/a/y.txt"]),
    ] {
        let done = output(inspect(target)).await;
        let (out, said) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        assert!(done.status.success(), "{target}: {said}");
        let lines: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let found: Vec<&str> = lines.iter().map(|line| line["path"].as_str().unwrap()).collect();
        assert_eq!(found, names, "{out}");
        assert_eq!(lines[0]["file"]["ImageWidth"], 64, "{out}");
    }
    let done = output(inspect("s3://bucket/none")).await;
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(!done.status.success() && said.contains("there is no such object"), "{said}");
    local.cloud.shutdown().await;
}

/// A program that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Sends bytes and waits for an answer, or for the end of the connection.
fn probe(port: u16, bytes: &[u8]) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.write_all(bytes).unwrap();
    let mut answer = [0; 1024];
    let read = stream.read(&mut answer).unwrap_or(0);
    assert!(read > 0, "no answer to {:?}", String::from_utf8_lossy(bytes));
}

#[test]
fn probes_and_mistakes_of_clients_are_no_errors_of_ours() {
    let root = tempfile::tempdir().unwrap();
    let log = root.path().join("stderr.log");
    let port = free_port();
    let mut command = mediadex(
        &["up", "--json", "--ephemeral", "--port", &port.to_string()],
        ("mediadex", "a secret of the test"),
    );
    command.env("HOME", root.path()).env("XDG_DATA_HOME", root.path().join("data"));
    command.stdout(Stdio::piped()).stderr(std::fs::File::create(&log).unwrap());
    let mut up = Running(command.spawn().unwrap());
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(up.0.stdout.take().unwrap()), &mut line)
        .unwrap();
    let said = || std::fs::read_to_string(&log).unwrap();
    assert!(line.starts_with('{'), "{line}: {}", said());
    let end = "connection: close\r\n\r\n";
    let probes = [
        format!("GET / HTTP/1.1\r\nhost: localhost\r\n{end}"),
        format!("HEAD / HTTP/1.1\r\nhost: localhost\r\n{end}"),
        format!("OPTIONS / HTTP/1.1\r\nhost: localhost\r\n{end}"),
        format!("PROPFIND /x HTTP/1.1\r\nhost: localhost\r\n{end}"),
        format!("GET /favicon.ico HTTP/1.1\r\nhost: localhost\r\n{end}"),
        format!("GET /%zz%ff HTTP/1.1\r\nhost: localhost\r\n{end}"),
        format!("GET /bucket/key HTTP/1.1\r\nhost: localhost\r\nauthorization: nonsense\r\n{end}"),
        format!(
            "GET /bucket HTTP/1.1\r\nhost: localhost\r\nauthorization: AWS4-HMAC-SHA256 \
             Credential=x/20200101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0\r\n{end}"
        ),
        format!(
            "GET /bucket?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a HTTP/1.1\r\nhost: localhost\r\n{end}"
        ),
        format!("POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\n{end}{{"),
        // Logged as a warning: so that there is something in the log at all.
        format!("GET / HTTP/1.1\r\nhost: evil.test\r\n{end}"),
        "this is not HTTP\r\n\r\n".to_owned(),
    ];
    for port in port..port + 4 {
        for bytes in &probes {
            probe(port, bytes.as_bytes());
        }
    }
    let said = said();
    assert!(said.contains("evil.test") && said.contains("WARN"), "{said}");
    assert!(!said.contains("ERROR"), "{said}");
    assert!(!said.contains('\u{1b}'), "stderr is no terminal: {said}");
}
