//! What is done by the clock, and what becomes of objects that cannot be read.

use std::time::Duration;

use dynoxide::Database;
use mediadex_core::Config;
use mediadex_core::ingest::{Due, on_schedule};
use mediadex_core::model::BindingState;
use serde_json::{Value, json};

use crate::bucket::Bucket;
use crate::world::{BUCKET, PROJECT, World};

/// Runs a test in a world of its own, with a bucket of some objects.
pub(crate) fn in_world<T>(test: impl AsyncFnOnce(&mut World) -> T) -> T {
    in_world_with(|_| {}, test)
}

pub(crate) fn in_world_with<T>(
    change: impl FnOnce(&mut Config),
    test: impl AsyncFnOnce(&mut World) -> T,
) -> T {
    crate::play(async {
        let database = Database::memory().unwrap();
        let mut world = World::new(1, &database, None, change).await;
        mediadex_core::state::create_tables(&world.ctx.db).await.unwrap();
        world.services.wires.lock().unwrap().storage.buckets.insert(BUCKET.into(), Bucket::default());
        for key in ["a", "b", "c", "d", "e"] {
            put(&world, key);
        }
        world.must("CreateProject", json!({"ProjectName": PROJECT})).await;
        world.must("CreateDataset", json!({"ProjectName": PROJECT, "DatasetName": "d"})).await;
        test(&mut world).await
    })
}

pub(crate) fn put(world: &World, key: &str) -> crate::bucket::Sent {
    let now = world.now();
    let mut wires = world.services.wires.lock().unwrap();
    let bucket = wires.storage.buckets.get_mut(BUCKET).unwrap();
    bucket.put(BUCKET, key, format!("{key} at {now}").into_bytes(), now)
}

pub(crate) fn names() -> Value {
    json!({"ProjectName": PROJECT, "DatasetName": "d", "URI": format!("oss://{BUCKET}")})
}

pub(crate) async fn bind(world: &mut World, reconcile: Option<&str>) {
    let mut params = names();
    if let Some(reconcile) = reconcile {
        params["Reconcile"] = json!(reconcile);
    }
    world.must("CreateBinding", params).await;
    world.settle().await;
}

pub(crate) async fn found(world: &World, field: &str, value: &str) -> u64 {
    let query = json!({"Field": field, "Operation": "eq", "Value": value});
    let params = json!({"ProjectName": PROJECT, "DatasetName": "d", "Query": query});
    world.must("SimpleQuery", params).await["TotalHits"].as_u64().unwrap()
}

#[test]
fn lost_events_are_repaired_by_the_clock() {
    // How often; after how many hours it is looked at; how often it was scanned.
    let table = [
        (None, 2, 0),
        (None, 25, 1),
        (Some("Hourly"), 1, 1),
        (Some("Daily"), 2, 0),
        (Some("Daily"), 25, 1),
        (Some("Off"), 100, 0),
    ];
    for (reconcile, hours, scans) in table {
        in_world(async |world: &mut World| {
            bind(world, reconcile).await;
            // Nobody hears of it.
            put(world, "new");
            tokio::time::sleep(Duration::from_secs(hours * 3600)).await;
            for wanted in [scans, 0] {
                // Twice at a time begins it once.
                let reply = on_schedule(&world.ctx, Due::ByClock).await.unwrap();
                assert_eq!((reply.scans, reply.taken_up), (wanted, 0), "{reconcile:?} after {hours} h");
            }
            world.settle().await;
            assert_eq!(found(world, "Filename", "new").await, u64::from(scans), "{reconcile:?}");
        });
    }
}

#[test]
fn a_schedule_changes_when_a_binding_is_resumed_and_a_stopped_one_is_left_alone() {
    in_world(async |world: &mut World| {
        bind(world, Some("Off")).await;
        world.must("StopBinding", names()).await;
        put(world, "new");
        tokio::time::sleep(Duration::from_secs(100 * 3600)).await;
        let all = || on_schedule(&world.ctx, Due::AllBut(Default::default()));
        assert_eq!(all().await.unwrap().scans, 0);
        let mut params = names();
        params["Reconcile"] = json!("Hourly");
        world.must("ResumeBinding", params).await;
        world.settle().await;
        let binding = world.must("GetBinding", names()).await["Binding"].clone();
        assert_eq!(binding["Reconcile"], json!("Hourly"));
        let others = [BUCKET.to_owned()].into();
        assert_eq!(on_schedule(&world.ctx, Due::AllBut(others)).await.unwrap().scans, 0);
        assert_eq!(on_schedule(&world.ctx, Due::AllBut(Default::default())).await.unwrap().scans, 1);
    });
}

#[test]
fn a_listing_that_is_empty_removes_nothing() {
    in_world(async |world: &mut World| {
        bind(world, Some("Hourly")).await;
        let set_blind = |world: &World, blind| {
            world.services.wires.lock().unwrap().storage.buckets.get_mut(BUCKET).unwrap().blind = blind;
        };
        set_blind(world, true);
        world.schedule().await;
        // Everything seems to be missing, but each file is asked for by its key.
        assert_eq!(found(world, "ObjectStatus", "Indexed").await, 5);
        set_blind(world, false);
        world.schedule().await;
        assert_eq!(found(world, "ObjectStatus", "Indexed").await, 5);
    });
}

#[test]
fn a_binding_that_an_earlier_version_stopped_goes_on_by_the_clock() {
    in_world(async |world: &mut World| {
        bind(world, Some("Off")).await;
        let dataset = world.ctx.db.dataset(PROJECT, "d").await.unwrap();
        let mut binding = world.ctx.db.binding(&dataset.id, BUCKET).await.unwrap();
        (binding.state, binding.stopped_by_guard) = (BindingState::Stopped, true);
        let run = binding.run.clone();
        world.ctx.db.replace_binding(&binding, &run, true).await.unwrap();
        put(world, "new");
        assert_eq!(on_schedule(&world.ctx, Due::ByClock).await.unwrap().scans, 1);
        world.settle().await;
        let binding = world.must("GetBinding", names()).await["Binding"].clone();
        assert_eq!((&binding["State"], &binding["Reason"]), (&json!("Running"), &json!("")));
        assert_eq!(found(world, "Filename", "new").await, 1);
    });
}

/// Scans a bucket of these keys, and gives how many each segment has listed.
async fn segments(world: &mut World, keys: impl Iterator<Item = String>) -> Vec<i64> {
    {
        let now = world.now();
        let mut wires = world.services.wires.lock().unwrap();
        wires.latency = 0;
        let bucket = wires.storage.buckets.get_mut(BUCKET).unwrap();
        for key in keys {
            bucket.put(BUCKET, &key, Vec::new(), now);
        }
    }
    world.must("CreateBinding", names()).await;
    world.settle().await;
    let dataset = world.ctx.db.dataset(PROJECT, "d").await.unwrap();
    let binding = world.ctx.db.binding(&dataset.id, BUCKET).await.unwrap();
    let run = world.ctx.db.run(&binding.run).await.unwrap();
    let segments = world.ctx.db.segments(&run).await.unwrap();
    let listed: Vec<i64> = segments.iter().map(|segment| segment.listed).collect();
    let objects = i64::try_from(world.services.wires.lock().unwrap().storage.buckets[BUCKET].present().len());
    assert_eq!(listed.iter().sum::<i64>(), objects.unwrap(), "each key is listed once");
    assert_eq!(
        world.ctx.db.counts(&dataset.id, dataset.shards).await.unwrap().files,
        listed.iter().sum::<i64>()
    );
    listed
}

#[test]
fn key_spaces_of_all_shapes_are_split_evenly() {
    type Keys = Box<dyn Iterator<Item = String>>;
    let table: [(&str, Keys); 4] = [
        ("one directory", Box::new((0..4000).map(|n| format!("dir/img_{n:08}.jpg")))),
        ("directories of one file", Box::new((0..4000).map(|n| format!("{n:06}/photo.jpg")))),
        (
            "dates",
            Box::new((0..4000).map(|n| format!("{}/{:02}/{:02}/{n}", 2010 + n % 16, 1 + n % 12, 1 + n % 28))),
        ),
        ("hashes", Box::new((0..4000u64).map(|n| format!("{:016x}", n.wrapping_mul(0x9E37_79B9_7F4A_7C15))))),
    ];
    for (name, keys) in table {
        let change = |config: &mut Config| {
            (config.scan_page, config.scan_segments, config.step_seconds) = (100, 8, 600);
        };
        let listed = in_world_with(change, async |world: &mut World| segments(world, keys).await);
        assert_eq!(listed.len(), 8, "{name}");
        let most = *listed.iter().max().unwrap();
        assert!(most <= 3 * 4000 / 8, "{name}: {listed:?}");
    }
}

#[test]
fn a_scan_that_nobody_began_is_taken_up() {
    in_world(async |world: &mut World| {
        world.must("CreateBinding", names()).await;
        // The worker that was to drive the scan never heard of it.
        world.forget_work();
        assert_eq!(on_schedule(&world.ctx, Due::ByClock).await.unwrap().taken_up, 0, "it is young");
        world.schedule().await;
        assert_eq!(found(world, "MediaType", "other").await + found(world, "MediaType", "document").await, 5);
        let binding = world.must("GetBinding", names()).await["Binding"].clone();
        assert_eq!(binding["Phase"], json!("IncrementalScanning"));
    });
}

#[test]
fn a_poison_object_is_a_dead_letter_and_a_failed_file_until_it_is_redriven() {
    in_world(async |world: &mut World| {
        bind(world, None).await;
        let sent = put(world, "poison");
        let broken = |world: &World, keys: &[&str]| {
            let mut wires = world.services.wires.lock().unwrap();
            let bucket = wires.storage.buckets.get_mut(BUCKET).unwrap();
            bucket.broken = keys.iter().map(|key| (*key).to_owned()).collect();
        };
        broken(world, &["poison"]);
        world.deliver(vec![sent], Duration::ZERO);
        world.settle().await;
        assert_eq!(found(world, "ObjectStatus", "Failed").await, 1);
        let file =
            json!({"ProjectName": PROJECT, "DatasetName": "d", "URI": format!("oss://{BUCKET}/poison")});
        let file = world.must("GetFileMeta", file).await["Files"][0].clone();
        assert!(file["Reason"].as_str().unwrap().contains("5 attempts"), "{file}");
        let dead = std::mem::take(&mut *world.dead.lock().unwrap());
        assert_eq!(dead.len(), 1);
        broken(world, &[]);
        assert!(crate::world::deliver_now(&world.ctx, dead).await.is_empty());
        assert_eq!(found(world, "ObjectStatus", "Failed").await, 0);
        assert_eq!(found(world, "Filename", "poison").await, 1);
    });
}

#[test]
fn an_object_that_kills_its_worker_is_recorded_all_the_same() {
    in_world(async |world: &mut World| {
        bind(world, None).await;
        let sent = put(world, "killer");
        world.services.wires.lock().unwrap().storage.buckets.get_mut(BUCKET).unwrap().fatal =
            Some("killer".into());
        world.deliver(vec![sent], Duration::ZERO);
        world.settle().await;
        assert_eq!(world.dead.lock().unwrap().len(), 1);
        assert_eq!(found(world, "ObjectStatus", "Failed").await, 1);
    });
}
