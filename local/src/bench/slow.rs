//! The endpoints while strangers send slowly and much: what the process takes,
//! and how long those who sign their calls wait.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::Api;

const KEY: &str = "bench";
const SECRET: &str = "bench-secret";
/// Bytes of a large body.
const LARGE: usize = 16 * 1024 * 1024;
/// Between two bytes of a slow client.
const TRICKLE: Duration = Duration::from_millis(500);
/// Between the end of a stranger's connection and its next one.
const AGAIN: Duration = Duration::from_secs(1);
/// Callers who sign, on each of the API and S3.
const SIGNED: usize = 4;

/// The local cloud under attack, a process of its own.
struct Cloud {
    child: Child,
    ready: Value,
}

impl Cloud {
    fn start() -> anyhow::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["up", "--ephemeral", "--json", "--port", "0"])
            .env("MEDIADEX_ACCESS_KEY_ID", KEY)
            .env("MEDIADEX_ACCESS_KEY_SECRET", SECRET)
            .env("MEDIADEX_LOG", "error")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("the local cloud does not start")?;
        let mut line = String::new();
        let out = child.stdout.take().context("the local cloud has no output")?;
        let mut cloud = Self { child, ready: Value::Null };
        BufReader::new(out).read_line(&mut line)?;
        cloud.ready = serde_json::from_str(&line).context("the local cloud does not come up")?;
        Ok(cloud)
    }

    fn endpoint(&self, name: &str) -> anyhow::Result<String> {
        Ok(self
            .ready
            .get(name)
            .and_then(Value::as_str)
            .context("the local cloud names no endpoint")?
            .to_owned())
    }

    fn address(&self, name: &str) -> anyhow::Result<SocketAddr> {
        Ok(self.endpoint(name)?.trim_start_matches("http://").parse()?)
    }

    /// Resident memory now and at its peak, in MiB.
    fn memory(&self) -> anyhow::Result<(f64, f64)> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let read = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse::<f64>().ok().map(|kib| kib / 1024.0)
        };
        read("VmRSS:").zip(read("VmHWM:")).context("the system does not tell the memory of a process")
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        // Whatever went wrong, nothing is left running.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// How the connections of strangers ended: statuses, or `closed` without one.
type Endings = Arc<Mutex<BTreeMap<String, u64>>>;

/// The head of a stranger's request for an endpoint, as far as it can get one
/// that is not refused at once: a body that has to be read before anything is
/// known of the signature, where the protocol has such a thing.
fn head(name: &str, number: usize) -> String {
    let date = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
    let day = date.get(..8).unwrap_or_default();
    // The id of a key is no secret; every second stranger knows it.
    let id = if number.is_multiple_of(2) { KEY } else { "nobody" };
    let signed = format!(
        "x-amz-date: {date}\r\nauthorization: AWS4-HMAC-SHA256 Credential={id}/{day}/us-east-1/{name}/aws4_request, SignedHeaders=host;x-amz-date, Signature=00\r\n"
    );
    let (line, more) = match name {
        "api" => ("POST / HTTP/1.1", "content-type: application/x-www-form-urlencoded\r\n".to_owned()),
        "s3" => ("PUT /bench/stranger HTTP/1.1", signed),
        _ => ("POST / HTTP/1.1", signed),
    };
    format!("{line}\r\nhost: 127.0.0.1\r\n{more}")
}

/// The number of bytes that a body may have for the endpoint to read it.
fn largest(name: &str) -> usize {
    // The API and SNS refuse larger ones by their length alone.
    match name {
        "api" => 6 * 1024 * 1024,
        "sns" => 512 * 1024,
        _ => LARGE,
    }
}

/// One connection of a stranger, until it ends: the status of the answer.
async fn connect(name: &str, address: SocketAddr, number: usize, is_slow: bool) -> Option<String> {
    let stream = TcpStream::connect(address).await.ok()?;
    let (mut reader, mut writer) = stream.into_split();
    let head = head(name, number);
    // Half of the large ones are too large, the others as large as is read.
    let length = if number % 4 < 2 { LARGE } else { largest(name) };
    let whole = format!("{head}content-length: {length}\r\n\r\n");
    let sending = async {
        if is_slow {
            // Every second one does not even finish its head.
            let (at_once, trickled) = match number % 4 {
                0 | 1 => (whole.as_str(), "x"),
                _ => ("", "GET /"),
            };
            writer.write_all(at_once.as_bytes()).await?;
            loop {
                writer.write_all(trickled.as_bytes().get(..1).unwrap_or_default()).await?;
                tokio::time::sleep(TRICKLE).await;
            }
        }
        writer.write_all(whole.as_bytes()).await?;
        let block = vec![b'x'; 64 * 1024];
        for _ in 0..length / block.len() {
            writer.write_all(&block).await?;
        }
        // As large as it said; the answer is waited for.
        std::future::pending::<std::io::Result<()>>().await
    };
    let reading = async {
        let mut answer = [0; 64];
        let read = reader.read(&mut answer).await.ok()?;
        let text = String::from_utf8_lossy(answer.get(..read)?).into_owned();
        text.split(' ').nth(1).map(str::to_owned)
    };
    tokio::select! {
        // The answer first: a refused client fails to write as well.
        biased;
        status = reading => status,
        _ = sending => None,
    }
}

async fn strange(name: &'static str, address: SocketAddr, number: usize, is_slow: bool, endings: Endings) {
    loop {
        let ending = connect(name, address, number, is_slow).await.unwrap_or_else(|| "closed".to_owned());
        *endings.lock().unwrap_or_else(PoisonError::into_inner).entry(ending).or_default() += 1;
        tokio::time::sleep(AGAIN).await;
    }
}

/// The waiting times of callers who sign, until a time.
async fn api_calls(api: Api, until: Instant) -> anyhow::Result<Vec<Duration>> {
    let mut latencies = Vec::new();
    let params = serde_json::from_value(json!({"ProjectName": "bench"}))?;
    while Instant::now() < until {
        let begun = Instant::now();
        let reply = api.call("GetProject", &params).await?;
        if reply.status != 200 {
            bail!("a signed call was refused: {}", reply.body);
        }
        latencies.push(begun.elapsed());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(latencies)
}

async fn s3_calls(s3: aws_sdk_s3::Client, number: usize, until: Instant) -> anyhow::Result<Vec<Duration>> {
    let mut latencies = Vec::new();
    let key = format!("signed-{number}");
    while Instant::now() < until {
        let begun = Instant::now();
        s3.put_object().bucket("bench").key(&key).body(vec![b'x'; 1000].into()).send().await?;
        latencies.push(begun.elapsed());
        let begun = Instant::now();
        s3.get_object().bucket("bench").key(&key).send().await?.body.collect().await?;
        latencies.push(begun.elapsed());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(latencies)
}

fn s3_client(endpoint: String) -> aws_sdk_s3::Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(aws_sdk_s3::config::BehaviorVersion::latest())
        .region(aws_sdk_s3::config::Region::new("us-east-1"))
        .credentials_provider(aws_sdk_s3::config::Credentials::new(KEY, SECRET, None, None, "bench"))
        .endpoint_url(endpoint)
        .force_path_style(true)
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    aws_sdk_s3::Client::from_conf(config)
}

/// Measures, and gives rows of a table with its head.
///
/// # Errors
/// When the local cloud does not start, or a signed call fails.
pub(super) async fn measure(seconds: u64, slow: usize, large: usize) -> anyhow::Result<Vec<String>> {
    let cloud = Cloud::start()?;
    let api = Api {
        endpoint: cloud.endpoint("api")?,
        access_key_id: KEY.into(),
        access_key_secret: SECRET.into(),
        security_token: None,
        found_in: None,
    };
    let made = api.call("CreateProject", &serde_json::from_value(json!({"ProjectName": "bench"}))?).await?;
    if made.status != 200 {
        bail!("the project cannot be made: {}", made.body);
    }
    let s3 = s3_client(cloud.endpoint("s3")?);
    s3.create_bucket().bucket("bench").send().await?;
    let mut rows = vec![
        "| strangers | refused or closed | API p50 ms | API p99 ms | S3 p50 ms | S3 p99 ms | resident MiB | peak MiB |"
            .to_owned(),
        "|---|---|---|---|---|---|---|---|".to_owned(),
    ];
    for (slow, large, seconds) in [(0, 0, seconds.div_ceil(6)), (slow, large, seconds)] {
        let endings = Endings::default();
        let mut strangers = tokio::task::JoinSet::new();
        for (number, is_slow) in (0..slow).map(|n| (n, true)).chain((0..large).map(|n| (n, false))) {
            let name = ["api", "s3", "dynamodb", "sns"].get(number % 4).copied().unwrap_or("api");
            let address = cloud.address(name)?;
            strangers.spawn(strange(name, address, number / 4, is_slow, Arc::clone(&endings)));
        }
        let until = Instant::now() + Duration::from_secs(seconds);
        let calls: Vec<_> = (0..SIGNED).map(|_| tokio::spawn(api_calls(api.clone(), until))).collect();
        let objects: Vec<_> =
            (0..SIGNED).map(|number| tokio::spawn(s3_calls(s3.clone(), number, until))).collect();
        let (mut of_api, mut of_s3) = (Vec::new(), Vec::new());
        for call in calls {
            of_api.extend(call.await??);
        }
        for object in objects {
            of_s3.extend(object.await??);
        }
        strangers.shutdown().await;
        of_api.sort();
        of_s3.sort();
        let (now, peak) = cloud.memory()?;
        let endings = endings.lock().unwrap_or_else(PoisonError::into_inner);
        let endings: Vec<String> =
            endings.iter().map(|(status, number)| format!("{number} x {status}")).collect();
        rows.push(format!(
            "| {slow} slow, {large} large, {seconds} s | {} | {:.1} | {:.1} | {:.1} | {:.1} | {now:.0} | {peak:.0} |",
            endings.join(", "),
            super::percentile(&of_api, 0.5),
            super::percentile(&of_api, 0.99),
            super::percentile(&of_s3, 0.5),
            super::percentile(&of_s3, 0.99),
        ));
    }
    Ok(rows)
}
