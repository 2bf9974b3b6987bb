//! What survives a restart, and what a crash leaves.

use std::os::unix::fs::MetadataExt;

use aws_sdk_s3::primitives::ByteStream;
use mediadex_s3::{Access, Notice, Options, Store, Watch};

use crate::harness::{Dirs, Served, eventually, tree};

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let dirs = Dirs::new();
    let mut s = Served::start(&dirs.state(), Watch::Native).await;
    s.store.add_bucket("folder", dirs.folder(), Access::ReadWrite).unwrap();
    s.client.create_bucket().bucket("made").send().await.unwrap();
    s.subscribe("folder").await;
    let e_tag = s.put("folder", "d/k", b"hello").await;
    s.put("made", "m", b"made").await;
    let first = s.wait_event("ObjectCreated:Put", "d/k").await.s3.object.sequencer;
    let upload =
        s.client.create_multipart_upload().bucket("made").key("mp").send().await.unwrap().upload_id.unwrap();
    let part = s.client.upload_part().bucket("made").key("mp").upload_id(&upload).part_number(1);
    part.body(ByteStream::from_static(b"part")).send().await.unwrap();
    s.stop().await;

    // As if a crash had left these.
    std::fs::write(dirs.state().join("incoming/half"), b"x").unwrap();
    std::fs::create_dir(dirs.state().join("uploads/dead")).unwrap();

    let mut s = Served::start(&dirs.state(), Watch::Native).await;
    s.store.add_bucket("folder", dirs.folder(), Access::ReadWrite).unwrap();
    assert!(tree(&dirs.state().join("incoming")).is_empty());
    assert_eq!(tree(&dirs.state().join("uploads")).len(), 2, "the upload and its part");
    let head = s.client.head_object().bucket("folder").key("d/k").send().await.unwrap();
    assert_eq!(head.e_tag, Some(e_tag));
    assert_eq!(s.get("made", "m").await, b"made");
    let parts = s.client.list_parts().bucket("made").key("mp").upload_id(&upload).send().await.unwrap();
    assert_eq!(parts.parts().len(), 1);
    let got = s.client.get_bucket_notification_configuration().bucket("folder").send().await.unwrap();
    assert_eq!(got.queue_configurations().len(), 1);
    s.client.delete_object().bucket("folder").key("d/k").send().await.unwrap();
    let second = s.wait_event("ObjectRemoved:Delete", "d/k").await.s3.object.sequencer;
    assert!(second > first);
    assert!(tree(&dirs.folder()).is_empty(), "it is remembered who made the folder");
    s.stop().await;
}

#[tokio::test]
async fn an_ephemeral_store_leaves_nothing() {
    let store = Store::ephemeral(Options::default()).unwrap();
    let state = store.state_dir().to_owned();
    assert!(state.join("sidecar.db").exists());
    drop(store);
    eventually("the temporary directory is gone", || !state.exists()).await;
}

/// A folder on another file system than the state, if this machine has one.
fn elsewhere(dirs: &Dirs) -> Option<tempfile::TempDir> {
    let shm = tempfile::tempdir_in("/dev/shm").ok()?;
    let device = |path: &std::path::Path| std::fs::metadata(path).map(|m| m.dev()).ok();
    (device(shm.path()) != device(&dirs.folder())).then_some(shm)
}

#[tokio::test]
async fn across_file_systems() {
    let dirs = Dirs::new();
    let Some(other) = elsewhere(&dirs) else { return };
    let mut s = Served::start(&dirs.state(), Watch::Native).await;
    s.store.add_bucket("other", other.path(), Access::ReadWrite).unwrap();
    s.subscribe("other").await;
    let big = vec![3u8; 2_000_000];
    s.put("other", "a/b", &big).await;
    assert!(s.get("other", "a/b").await == big);
    let upload =
        s.client.create_multipart_upload().bucket("other").key("mp").send().await.unwrap().upload_id.unwrap();
    s.client.abort_multipart_upload().bucket("other").key("mp").upload_id(&upload).send().await.unwrap();
    let failing = s.client.put_object().bucket("other").key("c").content_md5("AAAAAAAAAAAAAAAAAAAAAA==");
    assert!(failing.body(ByteStream::from_static(b"x")).send().await.is_err());
    assert_eq!(tree(other.path()), ["a", "a/b"]);
    let seen: Vec<_> = s.settle().await;
    assert!(
        matches!(&seen[..], [Notice::Object { record, .. }] if record.s3.object.key == "a/b"),
        "{seen:?}"
    );
    s.client.delete_object().bucket("other").key("a/b").send().await.unwrap();
    assert!(tree(other.path()).is_empty());
}

/// A process that dies in the middle of a PUT leaves its file in the folder;
/// the next start removes it, and until then nobody sees it.
#[tokio::test]
async fn a_crash_in_the_middle_of_a_put() {
    let dirs = Dirs::new();
    let Some(other) = elsewhere(&dirs) else { return };
    let s = Served::start(&dirs.state(), Watch::Off).await;
    s.store.add_bucket("other", other.path(), Access::ReadWrite).unwrap();
    let (sender, receiver) = tokio::sync::mpsc::channel::<()>(1);
    // A raw request that announces more than it sends keeps the PUT waiting.
    let presigned = s
        .client
        .put_object()
        .bucket("other")
        .key("k")
        .presigned(
            aws_sdk_s3::presigning::PresigningConfig::expires_in(std::time::Duration::from_secs(60)).unwrap(),
        )
        .await
        .unwrap();
    let uri = presigned.uri().split_once(&s.address.to_string()).unwrap().1.to_owned();
    let address = s.address;
    let waiting = tokio::spawn(async move {
        use tokio::io::AsyncWriteExt;
        let mut receiver = receiver;
        let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
        let head = format!("PUT {uri} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 1000\r\n\r\nhalf");
        socket.write_all(head.as_bytes()).await.unwrap();
        receiver.recv().await;
    });
    let mut left = None;
    eventually("the unfinished file is there", || {
        left = tree(other.path()).first().cloned();
        left.is_some()
    })
    .await;
    let left = left.unwrap();
    assert!(left.starts_with(".mediadex-upload-"), "{left}");
    assert!(s.keys("other").await.is_empty());
    assert_eq!(s.store.count("other", |_| true).unwrap().files, 0);
    // The crash: state and folder as they are now, without the clean-up of an orderly end.
    let crashed = dirs.folder().with_extension("crashed");
    std::fs::create_dir(&crashed).unwrap();
    for name in ["sidecar.db", "sidecar.db-wal"] {
        std::fs::copy(dirs.state().join(name), crashed.join(name)).unwrap();
    }
    let next = Store::open(&crashed, Options { watch: Watch::Off, ..Options::default() }).unwrap();
    next.add_bucket("other", other.path(), Access::ReadWrite).unwrap();
    assert!(tree(other.path()).is_empty());
    drop(sender);
    waiting.await.unwrap();
    s.stop().await;
}
