//! Events that other senders write in other ways, and those that cannot be read.

use mediadex_core::ingest::on_object_event;
use serde_json::{Value, json};

use crate::clock::{in_world, names};
use crate::world::{BUCKET, PROJECT, World};

fn record(source: &str, name: &str, key: &Value) -> Value {
    // What removes an object comes after what made it.
    let sequencer = if name.starts_with("ObjectRemoved") { "1F" } else { "0F" };
    json!({"eventVersion": "2.2", "eventSource": source, "eventName": name, "eventTime": "2026-01-01T00:00:00.000Z",
        "s3": {"bucket": {"name": BUCKET}, "object": {"key": key, "size": 1, "etag": "e", "sequencer": sequencer}}})
}

/// Changes the bucket, and sends no event of it.
fn silently(world: &World, key: &str, body: Option<&str>) {
    let now = world.now();
    let mut wires = world.services.wires.lock().unwrap();
    let bucket = wires.storage.buckets.get_mut(BUCKET).unwrap();
    match body {
        Some(body) => bucket.put(BUCKET, key, body.as_bytes().to_vec(), now),
        None => bucket.delete(BUCKET, key),
    };
}

async fn size(world: &World, key: &str) -> Option<Value> {
    let params = json!({"ProjectName": PROJECT, "DatasetName": "d", "URI": format!("oss://{BUCKET}/{key}")});
    let reply = world.call("GetFileMeta", params).await.ok()?;
    Some(reply["Files"][0]["Size"].clone())
}

/// The keys of all rows, tombstones too.
fn rows(world: &World) -> Vec<String> {
    let items = world.services.items(&world.ctx.config.files_table);
    let mut keys: Vec<String> =
        items.iter().map(|item| item["SK"]["S"].as_str().unwrap().to_owned()).collect();
    keys.sort();
    keys
}

#[test]
fn keys_that_came_without_encoding_are_found_and_guesses_leave_nothing() {
    for source in ["ceph:s3", "aws:s3"] {
        in_world(async |world: &mut World| {
            world.must("CreateBinding", names()).await;
            world.settle().await;
            let known = rows(world);
            let tell = async |world: &World, name: &str, key: &str| {
                let event = json!({"Records": [record(source, name, &json!(key))]});
                on_object_event(&world.ctx, event).await.unwrap();
            };
            // Neither encoded nor escaped: "e fA" is what it would be decoded to.
            silently(world, "e+f%41", Some("four"));
            tell(world, "ObjectCreated:Put", "e+f%41").await;
            assert_eq!(size(world, "e+f%41").await, Some(json!(4)), "{source}");
            assert_eq!(size(world, "e fA").await, None, "{source}");
            silently(world, "e+f%41", None);
            tell(world, "ObjectRemoved:Delete", "e+f%41").await;
            assert_eq!(size(world, "e+f%41").await, None, "{source}");
            // Encoded: the other reading is of nothing that anybody knows.
            tell(world, "ObjectRemoved:Delete", "x+y").await;
            let mut wanted = known;
            wanted.extend(["e fA", "e+f%41", "x y"].map(|key| format!("{BUCKET}/{key}")));
            wanted.sort();
            assert_eq!(rows(world), wanted, "{source}");
        });
    }
}

#[test]
fn a_bad_record_keeps_no_good_one_from_being_processed() {
    in_world(async |world: &mut World| {
        world.must("CreateBinding", names()).await;
        world.settle().await;
        for (number, key) in (1..).zip(["in a message", "in a call", "in a topic"]) {
            silently(world, key, Some(&"x".repeat(number)));
        }
        let with_bad = |key: &str| {
            let records = [json!({"hello": 1}), json!(key), json!(7)]
                .map(|key| record("aws:s3", "ObjectCreated:Put", &key));
            json!({"Records": records})
        };
        let message =
            |id: &str, body: String| json!({"messageId": id, "eventSource": "aws:sqs", "body": body});
        let test = json!({"Service": "Amazon S3", "Event": "s3:TestEvent"});
        let event = json!({"Records": [message("test", test.to_string()), message("text", "Hello".into()),
            message("partly", with_bad("in a message").to_string())]});
        let reply = on_object_event(&world.ctx, event).await.unwrap();
        let failed: Vec<&str> =
            reply.batch_item_failures.iter().map(|failure| failure.item_identifier.as_str()).collect();
        assert_eq!(failed, ["text", "partly"]);
        assert_eq!(size(world, "in a message").await, Some(json!(1)));
        let error = on_object_event(&world.ctx, with_bad("in a call")).await.unwrap_err();
        assert!(error.message().contains("Records[0]"), "{}", error.message());
        assert_eq!(size(world, "in a call").await, Some(json!(2)));
        let good = json!({"Records": [record("aws:s3", "ObjectCreated:Put", &json!("in+a+topic"))]});
        let topic = json!({"Records": [{"EventSource": "aws:sns", "Sns": {"Message": good.to_string()}}]});
        on_object_event(&world.ctx, topic).await.unwrap();
        assert_eq!(size(world, "in a topic").await, Some(json!(3)));
    });
}
