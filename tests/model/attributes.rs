//! Worlds where tags and storage classes change: their events come late, twice,
//! out of order or never, between those of new content. When all is quiet, what a
//! query shows of each object is what storage says of it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use dynoxide::Database;
use mediadex_core::ledger::read_rows;
use mediadex_core::model::ObjectUri;
use rand::Rng;
use rand::seq::{IndexedRandom, SliceRandom};
use serde_json::{Value, json};

use crate::aws::Plan;
use crate::bucket::{Bucket, Sent};
use crate::clock::{in_world, names};
use crate::world::{BUCKET, Disorder, PROJECT, World, deliver_now};

const KEYS: [&str; 2] = ["a", "b/c +d"];
/// Worlds where nothing else is asked for.
const WORLDS: u64 = 100;

/// What happens in a world, drawn from its seed.
#[derive(Debug)]
struct Script {
    /// Only what storage says is read; scans compare tags then.
    heads_only: bool,
    mutations: u32,
    /// One event of tags or of a storage class in so many is lost; 0: none.
    lose_one_in: u32,
    faults: bool,
    kills: bool,
}

impl Script {
    fn draw(chance: &mut impl Rng) -> Self {
        Self {
            heads_only: chance.random_bool(0.5),
            mutations: chance.random_range(2..16),
            lose_one_in: *[0, 0, 3].choose(chance).unwrap(),
            faults: chance.random_bool(0.25),
            kills: chance.random_bool(0.25),
        }
    }
}

fn on_bucket<T>(world: &World, act: impl FnOnce(&mut Bucket) -> T) -> T {
    act(world.services.wires.lock().unwrap().storage.buckets.get_mut(BUCKET).unwrap())
}

fn tags(world: &mut World) -> BTreeMap<String, String> {
    let some = *["", "1", "1", "2"].choose(&mut world.chance).unwrap();
    [("t".to_owned(), some.to_owned())].into_iter().filter(|_| !some.is_empty()).collect()
}

/// Everything that happens; gives the events, whether each is of content, and
/// whether any was lost.
async fn happen(world: &mut World, script: &Script) -> (Vec<(Sent, bool)>, bool) {
    let (mut all, mut held, mut lost): (Vec<(Sent, bool)>, Vec<Sent>, bool) = (Vec::new(), Vec::new(), false);
    for number in 0..script.mutations {
        // Often so quickly that the event before is being processed.
        let most = *[1, 250, 250, 3000].choose(&mut world.chance).unwrap();
        tokio::time::sleep(Duration::from_millis(world.chance.random_range(0..=most))).await;
        let key = *KEYS.choose(&mut world.chance).unwrap();
        let (what, now, tags) = (world.chance.random_range(0..20), world.now(), tags(world));
        let class = *["", "STANDARD_IA", "GLACIER"].choose(&mut world.chance).unwrap();
        let of_content = what < 4;
        let sent = on_bucket(world, |bucket| match what {
            0..3 => Some(bucket.put(BUCKET, key, format!("content {number}").into_bytes(), now)),
            3 => Some(bucket.delete(BUCKET, key)),
            4..15 => bucket.tag(BUCKET, key, tags),
            15..18 => bucket.transition(BUCKET, key, class),
            _ => Some(bucket.restore(BUCKET, key)),
        });
        let Some(sent) = sent else { continue };
        all.push((sent.clone(), of_content));
        if !of_content && script.lose_one_in > 0 && world.chance.random_range(0..script.lose_one_in) == 0 {
            lost = true;
        } else {
            if world.chance.random_bool(0.2) {
                held.push(sent.clone());
            }
            held.push(sent);
        }
        if world.chance.random_bool(0.8) {
            held.shuffle(&mut world.chance);
            let is_all = world.chance.random_bool(0.6);
            let some = if is_all { held.len() } else { world.chance.random_range(0..=held.len()) };
            let after = Duration::from_millis(*[0, 0, 0, 50, 5000].choose(&mut world.chance).unwrap());
            for event in held.drain(..some).collect::<Vec<_>>() {
                world.deliver(vec![event], after);
            }
        }
    }
    world.deliver(held, Duration::from_millis(100));
    (all, lost)
}

async fn scan(world: &mut World) {
    for call in ["StopBinding", "ResumeBinding"] {
        world.must(call, names()).await;
    }
    world.settle().await;
}

/// What a query shows is what storage says.
async fn check(world: &World, tags_too: bool) -> Result<(), String> {
    let query = json!({"ProjectName": PROJECT, "DatasetName": "d", "MaxResults": 100});
    let reply = world.must("SimpleQuery", query).await;
    let files = reply["Files"].as_array().unwrap().iter();
    let files: BTreeMap<&str, &Value> =
        files.map(|file| (file["Filename"].as_str().unwrap(), file)).collect();
    let wires = world.services.wires.lock().unwrap();
    let bucket = &wires.storage.buckets[BUCKET];
    let present = bucket.present();
    if !files.keys().eq(present.keys()) {
        return Err(format!("{:?} are indexed, {:?} are there", files.keys(), present.keys()));
    }
    for (key, object) in present {
        let file = files[key];
        let class = if object.class.is_empty() { "Standard" } else { &object.class };
        if file["OSSStorageClass"] != json!(class) || file["ETag"] != json!(object.etag()) {
            return Err(format!("{key} is {object:?}, and indexed as {file}"));
        }
        let known = file.get("OSSTagging").cloned().unwrap_or_else(|| json!({}));
        if tags_too && known != json!(object.tags) {
            return Err(format!("{key} has the tags {:?}, and is indexed as {file}", object.tags));
        }
        if file["ObjectStatus"] == json!("Failed") && !bucket.is_archived(key) {
            return Err(format!("{key} can be read, and is indexed as {file}"));
        }
    }
    Ok(())
}

async fn live(seed: u64, database: &Database) -> Result<(), String> {
    let mut world = World::new(seed, database, None, |_| {}).await;
    mediadex_core::state::create_tables(&world.ctx.db).await.unwrap();
    let script = Script::draw(&mut world.chance);
    world.services.wires.lock().unwrap().storage.buckets.insert(BUCKET.into(), Bucket::default());
    let now = world.now();
    for key in KEYS {
        on_bucket(&world, |bucket| bucket.put(BUCKET, key, key.as_bytes().to_vec(), now));
    }
    let template = if script.heads_only { "Official:OSSBasicMeta" } else { "" };
    world.must("CreateProject", json!({"ProjectName": PROJECT, "TemplateId": template})).await;
    world.must("CreateDataset", json!({"ProjectName": PROJECT, "DatasetName": "d"})).await;
    world.must("CreateBinding", names()).await;
    world.settle().await;
    world.disorder = Disorder { kill_one_in: if script.kills { 4 } else { 0 } };
    if script.faults {
        world.services.wires.lock().unwrap().plan = Plan::OneIn(25);
    }
    let (all, lost) = happen(&mut world, &script).await;
    world.settle().await;
    world.services.wires.lock().unwrap().plan = Plan::Never;
    world.disorder.kill_one_in = 0;
    let dead = std::mem::take(&mut *world.dead.lock().unwrap());
    if !deliver_now(&world.ctx, dead).await.is_empty() {
        return Err("redriven messages failed".into());
    }
    if lost {
        scan(&mut world).await;
    }
    // Of the tags of other templates only events tell.
    let tags_too = script.heads_only || !lost;
    check(&world, tags_too).await.map_err(|wrong| format!("{wrong}; {script:?}"))?;
    // Whatever comes once more, much later, changes nothing.
    let mut again: Vec<Sent> = all.iter().map(|(sent, _)| sent.clone()).collect();
    again.shuffle(&mut world.chance);
    if !deliver_now(&world.ctx, again).await.is_empty() {
        return Err("events that came again failed".into());
    }
    check(&world, true).await.map_err(|wrong| format!("after events came again: {wrong}; {script:?}"))?;
    let of_content: BTreeSet<&str> =
        all.iter().filter(|(_, of_content)| *of_content).map(|(sent, _)| sent.seq.as_str()).collect();
    let dataset = world.ctx.db.dataset(PROJECT, "d").await.unwrap();
    let uris = KEYS.map(|key| ObjectUri::new(BUCKET, key));
    for (uri, row) in read_rows(&world.ctx.db, &dataset.id, dataset.partitions, &uris).await.unwrap() {
        if row.seq.as_deref().is_some_and(|seq| !of_content.contains(seq)) {
            return Err(format!("{uri} has the sequencer of an event of no content: {row:?}"));
        }
    }
    Ok(())
}

#[test]
fn tags_and_storage_classes_do_not_go_stale() {
    for seed in 0..WORLDS {
        let database = Database::memory().unwrap();
        let result = crate::play(live(seed, &database));
        assert!(result.is_ok(), "seed {seed}: {result:?}");
    }
}

/// A worker that read tags which were changed back meanwhile must meet a conflict.
#[test]
fn a_hint_of_attributes_is_written_even_where_it_finds_nothing_new() {
    in_world(async |world: &mut World| {
        world.must("CreateBinding", names()).await;
        world.settle().await;
        let tags = BTreeMap::from([("t".to_owned(), "1".to_owned())]);
        let tagged = on_bucket(world, |bucket| bucket.tag(BUCKET, "a", tags)).unwrap();
        let dataset = world.ctx.db.dataset(PROJECT, "d").await.unwrap();
        let uri = ObjectUri::new(BUCKET, "a");
        let mut seen = Vec::new();
        for _ in 0..2 {
            assert!(deliver_now(&world.ctx, vec![tagged.clone()]).await.is_empty());
            let uris = [uri.clone()];
            let mut rows = read_rows(&world.ctx.db, &dataset.id, dataset.partitions, &uris).await.unwrap();
            seen.push(rows.remove(&uri).unwrap());
        }
        assert!(seen[1].rev > seen[0].rev, "{seen:?}");
        assert_eq!(seen[1].updated, seen[0].updated, "nothing that a caller sees has changed");
    });
}

/// Rows keep their record when an object is archived, and one that was archived
/// before it was read is read once it is restored.
#[test]
fn archived_objects_keep_their_records_and_restored_ones_get_theirs() {
    in_world(async |world: &mut World| {
        world.must("CreateBinding", names()).await;
        world.settle().await;
        let moved = on_bucket(world, |bucket| bucket.transition(BUCKET, "a", "GLACIER")).unwrap();
        assert!(deliver_now(&world.ctx, vec![moved]).await.is_empty());
        // Archived before it was read, and found by a scan only.
        let now = world.now();
        on_bucket(world, |bucket| {
            bucket.put(BUCKET, "late", b"text".to_vec(), now);
            bucket.transition(BUCKET, "late", "GLACIER");
        });
        scan(world).await;
        let file = async |world: &World, key: &str| {
            let uri = format!("oss://{BUCKET}/{key}");
            let query = json!({"ProjectName": PROJECT, "DatasetName": "d", "URI": uri});
            world.must("GetFileMeta", query).await["Files"][0].clone()
        };
        let (kept, refused) = (file(world, "a").await, file(world, "late").await);
        assert_eq!(kept["OSSStorageClass"], json!("GLACIER"), "{kept}");
        assert_ne!(kept["ObjectStatus"], json!("Failed"), "{kept}");
        assert_eq!(refused["ObjectStatus"], json!("Failed"), "{refused}");
        let restored = on_bucket(world, |bucket| bucket.restore(BUCKET, "late"));
        assert!(deliver_now(&world.ctx, vec![restored]).await.is_empty());
        let read = file(world, "late").await;
        assert_ne!(read["ObjectStatus"], json!("Failed"), "{read}");
        assert_eq!(read["OSSStorageClass"], json!("GLACIER"), "{read}");
    });
}

/// What a scan for differences asks storage for where nothing has changed.
#[test]
fn scans_read_tags_only_where_the_template_asks_and_it_is_not_switched_off() {
    let table = [("Official:OSSBasicMeta", true, 5), ("Official:OSSBasicMeta", false, 0), ("", true, 0)];
    for (template, reconcile_tags, want) in table {
        let change = |config: &mut mediadex_core::Config| config.reconcile_tags = reconcile_tags;
        let reads = crate::clock::in_world_with(change, async |world: &mut World| {
            let update = json!({"ProjectName": PROJECT, "DatasetName": "d", "TemplateId": template});
            world.must("UpdateDataset", update).await;
            world.must("CreateBinding", names()).await;
            world.settle().await;
            let before = on_bucket(world, |bucket| bucket.reads);
            scan(world).await;
            on_bucket(world, |bucket| bucket.reads) - before
        });
        assert_eq!(reads, want, "{template} {reconcile_tags}");
    }
}
