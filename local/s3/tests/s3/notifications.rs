//! Events of what is done through the endpoint.

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    CompletedMultipartUpload, CompletedPart, Event, EventBridgeConfiguration, FilterRule, FilterRuleName,
    NotificationConfiguration, NotificationConfigurationFilter, QueueConfiguration, S3KeyFilter, Tag,
    Tagging,
};
use mediadex_s3::{Access, Destination, Notice, Watch};

use crate::harness::{Dirs, QUEUE, Served, code};

#[tokio::test]
async fn each_change_is_announced_once_and_in_order() {
    let dirs = Dirs::new();
    let mut s = Served::start(&dirs.state(), Watch::Native).await;
    s.store.add_bucket("folder", dirs.folder(), Access::ReadWrite).unwrap();
    s.put("folder", "before", b"nobody asked yet").await;
    s.subscribe("folder").await;
    let e_tag = s.put("folder", "a b/图+.txt", b"hello").await;
    s.client.copy_object().bucket("folder").key("copy").copy_source("folder/before").send().await.unwrap();
    let upload = s
        .client
        .create_multipart_upload()
        .bucket("folder")
        .key("mp")
        .send()
        .await
        .unwrap()
        .upload_id
        .unwrap();
    let part = s.client.upload_part().bucket("folder").key("mp").upload_id(&upload).part_number(1);
    let part = part.body(ByteStream::from_static(b"part")).send().await.unwrap();
    let part = CompletedPart::builder().part_number(1).e_tag(part.e_tag.unwrap()).build();
    let done = CompletedMultipartUpload::builder().parts(part).build();
    let finish = s.client.complete_multipart_upload().bucket("folder").key("mp").upload_id(&upload);
    finish.multipart_upload(done).send().await.unwrap();
    let tag = Tag::builder().key("k").value("v").build().unwrap();
    let tagging = Tagging::builder().tag_set(tag).build().unwrap();
    s.client.put_object_tagging().bucket("folder").key("copy").tagging(tagging).send().await.unwrap();
    s.client.delete_object_tagging().bucket("folder").key("copy").send().await.unwrap();
    s.client.delete_object_tagging().bucket("folder").key("never there").send().await.unwrap_err();
    s.client.delete_object().bucket("folder").key("copy").send().await.unwrap();
    s.client.delete_object().bucket("folder").key("never there").send().await.unwrap();

    let mut last = String::new();
    let mut seen = Vec::new();
    // The watcher sees all of it too and must not announce it again.
    for notice in s.settle().await {
        let Notice::Object { bucket, destination, record } = notice else { panic!("unexpected {notice:?}") };
        assert_eq!((bucket.as_str(), destination), ("folder", Destination::Arn(QUEUE.into())));
        assert!(record.s3.object.sequencer > last);
        last.clone_from(&record.s3.object.sequencer);
        if record.s3.object.key.starts_with("a+b") {
            assert_eq!(record.s3.object.e_tag.as_deref(), Some(e_tag.trim_matches('"')));
            assert_eq!(record.s3.object.size, Some(5));
            assert_eq!(record.s3.configuration_id, "all");
        }
        seen.push((record.event_name, record.s3.object.key));
    }
    let want = [
        ("ObjectCreated:Put", "a+b/%E5%9B%BE%2B.txt"),
        ("ObjectCreated:Copy", "copy"),
        ("ObjectCreated:CompleteMultipartUpload", "mp"),
        ("ObjectTagging:Put", "copy"),
        ("ObjectTagging:Delete", "copy"),
        ("ObjectRemoved:Delete", "copy"),
    ];
    assert_eq!(seen, want.map(|(n, k)| (n.to_owned(), k.to_owned())));
}

#[tokio::test]
async fn configurations_are_kept_and_filter() {
    let dirs = Dirs::new();
    let mut s = Served::start(&dirs.state(), Watch::Off).await;
    s.client.create_bucket().bucket("made").send().await.unwrap();
    let rule = |name: FilterRuleName, value: &str| FilterRule::builder().name(name).value(value).build();
    let filter = S3KeyFilter::builder()
        .filter_rules(rule(FilterRuleName::Prefix, "in/"))
        .filter_rules(rule(FilterRuleName::Suffix, ".jpg"))
        .build();
    let queue = QueueConfiguration::builder()
        .id("jpegs")
        .queue_arn(QUEUE)
        .events(Event::from("s3:ObjectCreated:*"))
        .filter(NotificationConfigurationFilter::builder().key(filter).build())
        .build()
        .unwrap();
    let configuration = NotificationConfiguration::builder()
        .queue_configurations(queue.clone())
        .event_bridge_configuration(EventBridgeConfiguration::builder().build())
        .build();
    let set = s
        .client
        .put_bucket_notification_configuration()
        .bucket("made")
        .notification_configuration(configuration);
    set.send().await.unwrap();
    let got = s.client.get_bucket_notification_configuration().bucket("made").send().await.unwrap();
    assert!(got.event_bridge_configuration.is_some());
    assert_eq!(got.queue_configurations(), [queue]);

    s.put("made", "in/a.jpg", b"x").await;
    s.put("made", "in/a.png", b"x").await;
    s.client.delete_object().bucket("made").key("in/a.jpg").send().await.unwrap();
    let seen: Vec<_> = s
        .settle()
        .await
        .into_iter()
        .filter_map(|n| match n {
            Notice::Object { destination, record, .. } => {
                Some((destination, record.event_name, record.s3.object.key))
            }
            _ => None,
        })
        .collect();
    let queue = Destination::Arn(QUEUE.into());
    let bridge = Destination::EventBridge;
    let put = "ObjectCreated:Put".to_owned();
    assert_eq!(
        seen,
        [
            (queue, put.clone(), "in/a.jpg".to_owned()),
            (bridge.clone(), put.clone(), "in/a.jpg".to_owned()),
            (bridge.clone(), put, "in/a.png".to_owned()),
            (bridge, "ObjectRemoved:Delete".to_owned(), "in/a.jpg".to_owned()),
        ]
    );

    // An empty configuration turns it off.
    let off = s.client.put_bucket_notification_configuration().bucket("made");
    off.notification_configuration(NotificationConfiguration::builder().build()).send().await.unwrap();
    s.put("made", "in/b.jpg", b"x").await;
    assert!(s.settle().await.is_empty());
    let bad = QueueConfiguration::builder().queue_arn(QUEUE).events(Event::from("nonsense")).build().unwrap();
    let bad = NotificationConfiguration::builder().queue_configurations(bad).build();
    let set = s.client.put_bucket_notification_configuration().bucket("made").notification_configuration(bad);
    assert_eq!(code(set.send().await).0, "InvalidArgument");
}
