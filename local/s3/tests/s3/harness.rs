//! A served store, a signed client, and waiting without guessing times.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use aws_credential_types::Credentials as AwsCredentials;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Region};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{Event, NotificationConfiguration, QueueConfiguration};
use mediadex_s3::{Credentials, EventRecord, Hosts, Notice, Options, Sink, Store, Watch, serve};
use tokio::sync::{mpsc, oneshot};

pub(crate) const QUEUE: &str = "arn:aws:sqs:us-east-1:000000000000:events";

pub(crate) struct Served {
    pub(crate) client: Client,
    pub(crate) store: Store,
    pub(crate) notices: mpsc::UnboundedReceiver<Notice>,
    pub(crate) address: std::net::SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: tokio::task::JoinHandle<()>,
}

pub(crate) fn client(address: std::net::SocketAddr, access: &str, secret: &str, region: &str) -> Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .credentials_provider(AwsCredentials::new(access, secret, None, None, "test"))
        .region(Region::new(region.to_owned()))
        .endpoint_url(format!("http://{address}"))
        .force_path_style(true)
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    Client::from_conf(config)
}

impl Served {
    pub(crate) async fn start(state: &Path, watch: Watch) -> Self {
        Self::with(state, Options { watch, ..Options::default() }).await
    }

    pub(crate) async fn with(state: &Path, options: Options) -> Self {
        let (sink, notices) = Sink::channel();
        let store = Store::open(state, Options { sink, ..options }).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let keys = Credentials { access_key: "ak".into(), secret_key: "sk".into() };
        let served = store.clone();
        let task = tokio::spawn(async move {
            let shutdown = async {
                let _ = stopped.await;
            };
            serve(listener, served, keys, Hosts::of(address.ip(), &[]), shutdown).await.unwrap();
        });
        let client = client(address, "ak", "sk", "us-east-1");
        Self { client, store, notices, address, stop: Some(stop), task }
    }

    /// Ends the server and the store, as if the process ended.
    pub(crate) async fn stop(mut self) {
        drop(self.stop.take());
        drop(self.client);
        self.task.await.unwrap();
        let state = self.store.state_dir().to_owned();
        drop(self.store);
        // The watcher lets go of the store at its next tick.
        eventually("the state directory is free", || {
            let lock = std::fs::File::create(state.join("lock")).unwrap();
            lock.try_lock().is_ok()
        })
        .await;
    }

    pub(crate) async fn put(&self, bucket: &str, key: &str, body: &[u8]) -> String {
        let body = ByteStream::from(body.to_vec());
        let out = self.client.put_object().bucket(bucket).key(key).body(body).send().await.unwrap();
        out.e_tag.unwrap()
    }

    pub(crate) async fn get(&self, bucket: &str, key: &str) -> Vec<u8> {
        let out = self.client.get_object().bucket(bucket).key(key).send().await.unwrap();
        out.body.collect().await.unwrap().to_vec()
    }

    pub(crate) async fn keys(&self, bucket: &str) -> Vec<String> {
        let mut pages = self.client.list_objects_v2().bucket(bucket).into_paginator().send();
        let mut keys = Vec::new();
        while let Some(page) = pages.next().await {
            keys.extend(page.unwrap().contents.unwrap_or_default().into_iter().filter_map(|o| o.key));
        }
        keys
    }

    /// Asks for all events of a bucket.
    pub(crate) async fn subscribe(&self, bucket: &str) {
        let queue = QueueConfiguration::builder()
            .id("all")
            .queue_arn(QUEUE)
            .events(Event::from("s3:ObjectCreated:*"))
            .events(Event::from("s3:ObjectRemoved:*"))
            .events(Event::from("s3:ObjectTagging:*"))
            .build()
            .unwrap();
        let configuration = NotificationConfiguration::builder().queue_configurations(queue).build();
        self.client
            .put_bucket_notification_configuration()
            .bucket(bucket)
            .notification_configuration(configuration)
            .send()
            .await
            .unwrap();
    }

    /// Waits for a notice that is looked for; others are passed over.
    pub(crate) async fn wait_for(&mut self, what: &str, mut wanted: impl FnMut(&Notice) -> bool) -> Notice {
        let mut seen = Vec::new();
        let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
        loop {
            match tokio::time::timeout_at(deadline, self.notices.recv()).await {
                Ok(Some(notice)) if wanted(&notice) => return notice,
                Ok(Some(notice)) => seen.push(notice),
                Ok(None) => panic!("the sink is closed while waiting for {what}"),
                Err(_) => panic!("no notice of {what}; seen: {seen:#?}"),
            }
        }
    }

    /// Waits for an event of a key.
    pub(crate) async fn wait_event(&mut self, name: &str, key: &str) -> EventRecord {
        let wanted = |n: &Notice| matches!(n, Notice::Object { record, .. } if record.event_name == name && record.s3.object.key == key);
        match self.wait_for(&format!("{name} of {key}"), wanted).await {
            Notice::Object { record, .. } => *record,
            _ => unreachable!("only events are wanted"),
        }
    }

    /// All notices that have arrived when nothing more has come for a while.
    pub(crate) async fn settle(&mut self) -> Vec<Notice> {
        let mut all = Vec::new();
        while let Ok(Some(notice)) =
            tokio::time::timeout(Duration::from_millis(2500), self.notices.recv()).await
        {
            all.push(notice);
        }
        all
    }
}

/// Polls until something holds.
pub(crate) async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The service's error code and status.
pub(crate) fn code<T: std::fmt::Debug, E>(result: Result<T, SdkError<E>>) -> (String, u16)
where
    E: ProvideErrorMetadata + std::fmt::Debug,
{
    let error = result.expect_err("an error is expected");
    let status = error.raw_response().map_or(0, |r| r.status().as_u16());
    (error.code().unwrap_or_default().to_owned(), status)
}

/// A directory for the state and one for a folder bucket.
pub(crate) struct Dirs {
    root: tempfile::TempDir,
}

impl Dirs {
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("folder")).unwrap();
        Self { root }
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.root.path().join("state")
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.root.path().join("folder")
    }
}

/// Every path below a folder, sorted.
pub(crate) fn tree(folder: &Path) -> Vec<String> {
    fn walk(root: &Path, folder: &Path, all: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            all.push(path.strip_prefix(root).unwrap().to_string_lossy().into_owned());
            if path.is_dir() && !path.is_symlink() {
                walk(root, &path, all);
            }
        }
    }
    let mut all = Vec::new();
    walk(folder, folder, &mut all);
    all.sort();
    all
}
