//! One random run: a bucket that changes, events that come late, twice, out of
//! order or never, scans and callers in between, and workers that die anywhere.
//! When all is quiet the index must be the bucket, the counters the index, and
//! nothing that a caller was told may be lost.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use dynoxide::Database;
use mediadex_core::ledger::{Row, Status, read_rows};
use mediadex_core::model::ObjectUri;
use mediadex_core::simulation::Safeguard;
use mediadex_core::state::Dataset;
use rand::Rng;
use rand::seq::{IndexedRandom, SliceRandom};
use serde_json::{Value, json};

use crate::aws::Plan;
use crate::bucket::{Bucket, Sent};
use crate::world::{BUCKET, Disorder, PROJECT, World, call, deliver_now};

const KEYS: [&str; 7] = ["a", "b/c", "b/d+e f", "b/\u{e9}\u{4e2d}", "k%", "x/y/z", "z"];

/// What happens in a run, drawn from its seed.
#[derive(Debug)]
struct Script {
    datasets: usize,
    versioned: bool,
    mutations: u32,
    /// One event in so many is lost; 0: none.
    lose_one_in: u32,
    faults: bool,
    kills: bool,
    /// A quota of files that is less than the bucket may have.
    quota: Option<i64>,
    /// Stops and resumes bindings, makes them again.
    rebinds: bool,
    /// Callers index, label and delete files by hand.
    callers: bool,
    /// Nothing but what storage says is read.
    heads_only: bool,
    /// In the end the bucket is emptied behind the index's back.
    disaster: bool,
}

impl Script {
    fn draw(chance: &mut impl Rng) -> Self {
        Self {
            datasets: *[1, 1, 1, 2, 3].choose(chance).unwrap(),
            versioned: chance.random_bool(0.3),
            mutations: chance.random_range(2..13),
            lose_one_in: *[0, 0, 4].choose(chance).unwrap(),
            faults: chance.random_bool(0.4),
            kills: chance.random_bool(0.6),
            quota: chance.random_bool(0.1).then(|| chance.random_range(1..4)),
            rebinds: chance.random_bool(0.2),
            callers: chance.random_bool(0.4),
            heads_only: chance.random_bool(0.3),
            disaster: chance.random_bool(0.05),
        }
    }
}

/// What callers were told.
#[derive(Default)]
struct Told {
    /// Keys that callers delete by hand: the row may be live or not.
    deleted: BTreeSet<(String, String)>,
    /// The labels of a file: the last that a caller was told are set, and those
    /// of later calls that were not answered.
    labels: BTreeMap<(String, String), Vec<String>>,
    /// Labels of index tasks, which may be processed at any time after.
    tasks: BTreeMap<(String, String), Vec<String>>,
}

fn dataset_name(index: usize) -> String {
    format!("d{index}")
}

fn names(dataset: &str) -> Value {
    json!({"ProjectName": PROJECT, "DatasetName": dataset, "URI": format!("oss://{BUCKET}")})
}

/// Runs a seed. The error says what is wrong in the end.
pub(crate) fn run(seed: u64, database: &Database, off: Option<Safeguard>) -> Result<(), String> {
    crate::play(live(seed, database, off))
}

async fn live(seed: u64, database: &Database, off: Option<Safeguard>) -> Result<(), String> {
    let mut world = World::new(seed, database, off, |config| {
        // The tables are shared by all runs of a thread.
        config.guard_floor = 3;
    })
    .await;
    let script = Script::draw(&mut world.chance);
    prepare(&mut world, &script).await;
    world.disorder = Disorder { kill_one_in: if script.kills { 4 } else { 0 } };
    if script.faults {
        world.services.wires.lock().unwrap().plan = Plan::OneIn(25);
    }
    let mut told = Told::default();
    let mut all_events = Vec::new();
    let lost = happen(&mut world, &script, &mut told, &mut all_events).await;
    // Quiet: nothing fails any more, and what is under way comes to its end.
    world.services.wires.lock().unwrap().plan = Plan::Never;
    world.disorder.kill_one_in = 0;
    world.settle().await;
    calm(&mut world, &script, lost).await?;
    check(&mut world, &script, &told).await?;
    late_duplicates(&world, &script, all_events).await?;
    if script.callers && script.quota.is_none() {
        deleted_by_hand(&mut world, &script).await?;
    }
    if script.disaster {
        disaster(&mut world, &script).await?;
    }
    Ok(())
}

/// The state before anything goes wrong.
async fn prepare(world: &mut World, script: &Script) {
    let mut bucket = Bucket::default();
    bucket.versioned = script.versioned;
    world.services.wires.lock().unwrap().storage.buckets.insert(BUCKET.into(), bucket);
    let template = if script.heads_only { "Official:OSSBasicMeta" } else { "" };
    world.must("CreateProject", json!({"ProjectName": PROJECT, "TemplateId": template})).await;
    for index in 0..script.datasets {
        let mut params = json!({"ProjectName": PROJECT, "DatasetName": dataset_name(index)});
        if let Some(quota) = script.quota {
            params["DatasetMaxFileCount"] = json!(quota);
        }
        world.must("CreateDataset", params).await;
    }
    for _ in 0..world.chance.random_range(0..6) {
        let key = *KEYS.choose(&mut world.chance).unwrap();
        put(world, key);
    }
    for index in 0..script.datasets {
        world.must("CreateBinding", names(&dataset_name(index))).await;
    }
}

fn body(world: &mut World) -> Vec<u8> {
    let text = ["", "one", "two", "three words and more"].choose(&mut world.chance).unwrap();
    text.as_bytes().to_vec()
}

fn put(world: &mut World, key: &str) -> Sent {
    let (body, now) = (body(world), world.now());
    let mut wires = world.services.wires.lock().unwrap();
    wires.storage.buckets.get_mut(BUCKET).unwrap().put(BUCKET, key, body, now)
}

/// Everything that happens; gives whether events were lost.
async fn happen(world: &mut World, script: &Script, told: &mut Told, all: &mut Vec<Sent>) -> bool {
    let mut lost = false;
    let mut held: Vec<Sent> = Vec::new();
    for _ in 0..script.mutations {
        world.take_up();
        let pause = world.chance.random_range(0..3000);
        tokio::time::sleep(Duration::from_millis(pause)).await;
        let key = *KEYS.choose(&mut world.chance).unwrap();
        let sent = match world.chance.random_range(0..10) {
            0..6 => Some(put(world, key)),
            6..9 => {
                let mut wires = world.services.wires.lock().unwrap();
                Some(wires.storage.buckets.get_mut(BUCKET).unwrap().delete(BUCKET, key))
            }
            _ => {
                let mut wires = world.services.wires.lock().unwrap();
                let bucket = wires.storage.buckets.get_mut(BUCKET).unwrap();
                if script.versioned { bucket.delete_version(BUCKET, key) } else { None }
            }
        };
        if let Some(sent) = sent {
            all.push(sent.clone());
            if script.lose_one_in > 0 && world.chance.random_range(0..script.lose_one_in) == 0 {
                lost = true;
            } else {
                // Twice, where the queue feels like it.
                if world.chance.random_bool(0.2) {
                    held.push(sent.clone());
                }
                held.push(sent);
            }
        }
        if world.chance.random_bool(0.6) {
            held.shuffle(&mut world.chance);
            let some = world.chance.random_range(0..=held.len());
            let after = Duration::from_millis(world.chance.random_range(0..8000));
            let batch = held.drain(..some).collect();
            world.deliver(batch, after);
        }
        if script.callers && world.chance.random_bool(0.5) {
            by_hand(world, script, told, key).await;
        }
        if script.rebinds && world.chance.random_bool(0.2) {
            rebind(world, script).await;
            // What came while no binding took it is for the scan.
            lost = true;
        }
    }
    if !held.is_empty() {
        world.deliver(held, Duration::from_millis(500));
    }
    lost
}

/// A caller's call, which may fail and is not made again.
async fn by_hand(world: &mut World, script: &Script, told: &mut Told, key: &str) {
    let dataset = dataset_name(world.chance.random_range(0..script.datasets));
    let place = (dataset.clone(), key.to_owned());
    let mut params = json!({"ProjectName": PROJECT, "DatasetName": dataset});
    let uri = format!("oss://{BUCKET}/{key}");
    let label = format!("v{}", world.chance.random::<u32>());
    let what = world.chance.random_range(0..5);
    let name = match what {
        0 | 1 => {
            params["File"] = json!({"URI": uri, "CustomLabels": {"by": label}});
            "IndexFileMeta"
        }
        2 | 3 => {
            params["File"] = json!({"URI": uri, "CustomLabels": {"by": label}});
            "UpdateFileMeta"
        }
        _ => {
            params["URI"] = json!(uri);
            told.deleted.insert(place.clone());
            "DeleteFileMeta"
        }
    };
    let answer = world.call(name, params).await;
    if name == "UpdateFileMeta" {
        match answer {
            Ok(_) => drop(told.labels.insert(place, vec![label])),
            Err(_) => told.labels.entry(place).or_insert_with(|| vec![String::new()]).push(label),
        }
    } else if name == "IndexFileMeta" {
        // Accepted is not done: the label comes when the task is processed.
        told.tasks.entry(place).or_default().push(label);
    }
}

async fn rebind(world: &mut World, script: &Script) {
    let names = names(&dataset_name(world.chance.random_range(0..script.datasets)));
    let calls = match world.chance.random_range(0..4) {
        0 => vec!["StopBinding"],
        1 => vec!["StopBinding", "ResumeBinding"],
        2 => vec!["DeleteBinding", "CreateBinding"],
        _ => vec!["ResumeBinding"],
    };
    for name in calls {
        // Refused where the binding is not in that state; tried in vain where a fault is met.
        drop(world.call(name, names.clone()).await);
        world.take_up();
    }
}

/// After quiet: dead letters are brought back, stopped bindings resumed, and one
/// scan looks for what was lost.
async fn calm(world: &mut World, script: &Script, lost: bool) -> Result<(), String> {
    let dead = std::mem::take(&mut *world.dead.lock().unwrap());
    let left = if dead.is_empty() { dead } else { deliver_now(&world.ctx, dead).await };
    if !left.is_empty() {
        return Err(format!("{} redriven messages failed", left.len()));
    }
    for index in 0..script.datasets {
        let names = names(&dataset_name(index));
        let binding = match world.call("GetBinding", names.clone()).await {
            Ok(reply) => reply["Binding"].clone(),
            // Deleted, and the call that should have made it again met a fault.
            Err(_) => {
                world.must("CreateBinding", names.clone()).await;
                json!({"State": "Ready"})
            }
        };
        if binding["State"] == json!("Stopped") || binding["State"] == json!("Retrying") {
            world.must("ResumeBinding", names.clone()).await;
        } else if lost || script.quota.is_some() || script.faults || script.kills {
            difference(world, &dataset_name(index)).await;
        }
        world.settle().await;
        // The guard may hold back what many lost deletes left: this is what resuming is for.
        for _ in 0..3 {
            let binding = world.must("GetBinding", names.clone()).await["Binding"].clone();
            if binding["State"] == json!("Retrying") {
                world.must("ResumeBinding", names.clone()).await;
                world.settle().await;
            }
        }
        let binding = world.must("GetBinding", names.clone()).await["Binding"].clone();
        if (&binding["State"], &binding["Phase"]) != (&json!("Running"), &json!("IncrementalScanning")) {
            // A run that was killed with its worker is taken up by the schedule.
            world.schedule().await;
        }
        let binding = world.must("GetBinding", names).await["Binding"].clone();
        if (&binding["State"], &binding["Phase"]) != (&json!("Running"), &json!("IncrementalScanning")) {
            return Err(format!("the binding does not run: {binding}"));
        }
    }
    let stuck = world.stuck.lock().unwrap();
    if !stuck.is_empty() {
        return Err(format!("scans came to no end: {stuck:?}"));
    }
    Ok(())
}

/// A scan for differences, as the schedule starts it.
async fn difference(world: &mut World, dataset: &str) {
    use mediadex_core::state::{Run, RunKind};
    let dataset = world.ctx.db.dataset(PROJECT, dataset).await.unwrap();
    let run = Run::new(RunKind::Full, &mediadex_core::model::run_id(), &dataset, BUCKET, "");
    world.ctx.db.create_run(&run).await.unwrap();
    world.drive(&run.run);
}

/// The rows of all keys of the model.
async fn rows(world: &World, dataset: &Dataset) -> BTreeMap<String, Row> {
    let uris: Vec<ObjectUri> = KEYS.iter().map(|key| ObjectUri::new(BUCKET, *key)).collect();
    let rows = read_rows(&world.ctx.db, &dataset.id, dataset.partitions, &uris).await.unwrap();
    rows.into_iter().map(|(uri, row)| (uri.key, row)).collect()
}

/// What a file must be: its size, etag and date.
type Facts = (i64, String, i64);

fn present(world: &World) -> BTreeMap<String, Facts> {
    let wires = world.services.wires.lock().unwrap();
    wires.storage.buckets[BUCKET]
        .present()
        .into_iter()
        .map(|(key, object)| {
            (key.to_owned(), (i64::try_from(object.body.len()).unwrap(), object.etag(), object.modified))
        })
        .collect()
}

/// The index is the bucket, the counters are the index, what callers were told holds.
async fn check(world: &mut World, script: &Script, told: &Told) -> Result<(), String> {
    let objects = present(world);
    for index in 0..script.datasets {
        let name = dataset_name(index);
        let dataset = world.ctx.db.dataset(PROJECT, &name).await.unwrap();
        let rows = rows(world, &dataset).await;
        let mut live = BTreeMap::new();
        for (key, row) in &rows {
            let facts = row.source.as_ref().map(|source| (source.size, source.etag.clone(), source.modified));
            match row.status {
                Status::Live => drop(live.insert(key.clone(), facts.unwrap_or_default())),
                Status::UserDeleted => {
                    if !told.deleted.contains(&(name.clone(), key.clone())) {
                        return Err(format!("{name}: nobody deleted {key}"));
                    }
                    // A quota may have no room for the new version.
                    if facts.as_ref() != objects.get(key) && script.quota.is_none() {
                        return Err(format!(
                            "{name}: {key} was deleted by hand, and has changed since to {:?}: {row:?}; {script:?}",
                            objects.get(key)
                        ));
                    }
                }
                Status::Tombstone => {}
            }
        }
        let hidden = |key: &str| rows.get(key).is_some_and(|row| row.status == Status::UserDeleted);
        let wanted: BTreeMap<_, _> = objects
            .iter()
            .filter(|(key, _)| !hidden(key))
            .map(|(key, facts)| (key.clone(), facts.clone()))
            .collect();
        match script.quota {
            None if live != wanted => {
                return Err(format!("{name}: the index is {live:#?}, the bucket {wanted:#?}"));
            }
            Some(quota) => {
                let count = i64::try_from(live.len()).unwrap();
                let most = quota.min(i64::try_from(wanted.len()).unwrap());
                if count != most || live.iter().any(|(key, facts)| wanted.get(key) != Some(facts)) {
                    return Err(format!("{name}: a quota of {quota}: {live:#?} of {wanted:#?}"));
                }
            }
            None => {}
        }
        counters(world, &dataset, &live).await?;
        for (key, row) in rows.iter().filter(|(_, row)| row.status == Status::Live) {
            if row.failed_attempts.is_some() {
                return Err(format!("{name}: {key} is there and can be read, but is recorded as failed"));
            }
            let place = (name.clone(), key.clone());
            let (Some(labels), false) = (told.labels.get(&place), told.deleted.contains(&place)) else {
                continue;
            };
            let label = row.user.custom_labels.get("by").cloned().unwrap_or_default();
            // A file whose object was deleted and came again has lost its labels with it.
            let by_task = told.tasks.get(&place).is_some_and(|labels| labels.contains(&label));
            if !label.is_empty() && !labels.contains(&label) && !by_task {
                return Err(format!("{name}: {key} is labelled {label:?}, none of {labels:?}"));
            }
        }
    }
    Ok(())
}

async fn counters(world: &World, dataset: &Dataset, live: &BTreeMap<String, Facts>) -> Result<(), String> {
    let counts = world.ctx.db.counts(&dataset.id, dataset.shards).await.unwrap();
    let bytes: i64 = live.values().map(|(size, ..)| size).sum();
    if (counts.files, counts.bytes) != (i64::try_from(live.len()).unwrap(), bytes) {
        return Err(format!(
            "{}: {counts:?} counted, {} files and {bytes} bytes there",
            dataset.name,
            live.len()
        ));
    }
    // And as a caller sees it.
    let query = json!({"ProjectName": PROJECT, "DatasetName": dataset.name, "MaxResults": 100});
    let reply = world.must("SimpleQuery", query).await;
    let found = reply["Files"].as_array().map_or(0, Vec::len);
    if found != live.len() || reply["TotalHits"] != json!(live.len()) {
        return Err(format!("{}: a query finds {found} of {} files", dataset.name, live.len()));
    }
    Ok(())
}

/// Events that come once more, long after all, change nothing; and where the row
/// has applied a later one, the object is not even read.
async fn late_duplicates(world: &World, script: &Script, events: Vec<Sent>) -> Result<(), String> {
    if script.datasets > 1 {
        return Ok(());
    }
    let dataset = world.ctx.db.dataset(PROJECT, &dataset_name(0)).await.unwrap();
    let before = rows(world, &dataset).await;
    // Padded with zeros on the right; this is the test's own reading of the rule.
    let padded = |seq: &str| format!("{seq:0<64}");
    let applied = |sent: &Sent| {
        let seq = before.get(&sent.key).and_then(|row| row.seq.as_deref());
        seq.is_some_and(|seq| padded(seq) >= padded(&sent.seq))
    };
    let known: Vec<Sent> = events.iter().filter(|sent| applied(sent)).cloned().collect();
    let reads = || world.services.wires.lock().unwrap().storage.buckets[BUCKET].reads;
    let reads_before = reads();
    if !known.is_empty() && !deliver_now(&world.ctx, known).await.is_empty() {
        return Err("late duplicates failed".into());
    }
    if reads() != reads_before {
        return Err(format!("late duplicates cost {} reads of objects", reads() - reads_before));
    }
    if !events.is_empty() && !deliver_now(&world.ctx, events).await.is_empty() {
        return Err("late duplicates failed".into());
    }
    let after = rows(world, &dataset).await;
    let is_same = |(key, row): (&String, &Row)| {
        let was = before.get(key).filter(|was| was.status != Status::Tombstone);
        let now = Some(row).filter(|row| row.status != Status::Tombstone);
        was.map(|row| (row.status, &row.source)) == now.map(|row| (row.status, &row.source))
    };
    match after.iter().all(is_same) || script.quota.is_some() {
        true => Ok(()),
        false => Err(format!("late duplicates changed rows: {before:#?} {after:#?}")),
    }
}

/// A file that is deleted by hand, its object being there, stays deleted.
async fn deleted_by_hand(world: &mut World, script: &Script) -> Result<(), String> {
    let name = dataset_name(world.chance.random_range(0..script.datasets));
    let dataset = world.ctx.db.dataset(PROJECT, &name).await.unwrap();
    let rows_before = rows(world, &dataset).await;
    let Some((key, _)) = rows_before.iter().find(|(_, row)| row.status == Status::Live) else {
        return Ok(());
    };
    let uri = format!("oss://{BUCKET}/{key}");
    world.must("DeleteFileMeta", json!({"ProjectName": PROJECT, "DatasetName": name, "URI": uri})).await;
    difference(world, &name).await;
    world.settle().await;
    let asked =
        call(&world.ctx, "GetFileMeta", json!({"ProjectName": PROJECT, "DatasetName": name, "URI": uri}))
            .await;
    match asked {
        Ok(_) => Err(format!("{name}: a scan brought {key} back, which was deleted by hand")),
        Err(_) => Ok(()),
    }
}

/// The bucket is emptied and no event says so: nothing is removed, what is new is
/// indexed, and what is gone goes when the binding is resumed.
async fn disaster(world: &mut World, script: &Script) -> Result<(), String> {
    let name = dataset_name(0);
    let dataset = world.ctx.db.dataset(PROJECT, &name).await.unwrap();
    let before: Vec<String> = live_keys(world, &dataset).await;
    // Fewer than the guard lets pass in any case.
    if before.len() <= 3 || script.quota.is_some() {
        return Ok(());
    }
    let now = world.now();
    {
        let mut wires = world.services.wires.lock().unwrap();
        let bucket = wires.storage.buckets.get_mut(BUCKET).unwrap();
        for key in KEYS {
            bucket.delete(BUCKET, key);
        }
        // With a content of its own: it is none of the others, moved.
        bucket.put(BUCKET, "new", b"after the disaster".to_vec(), now);
    }
    for _ in 0..2 {
        difference(world, &name).await;
        world.settle().await;
        let binding = world.must("GetBinding", names(&name)).await["Binding"].clone();
        let left = live_keys(world, &dataset).await;
        if binding["State"] != json!("Retrying")
            || !binding["Reason"].as_str().unwrap().contains("ResumeBinding")
        {
            return Err(format!(
                "{} of {} files are gone: {binding}",
                before.len() - left.len(),
                before.len()
            ));
        }
        if left != before {
            return Err(format!("removals were held back, and of {before:?} there are {left:?}"));
        }
        if world.ctx.db.counts(&dataset.id, dataset.shards).await.unwrap().files
            != i64::try_from(before.len()).unwrap() + 1
        {
            return Err("removals were held back, and what was new was not indexed".into());
        }
    }
    world.must("ResumeBinding", names(&name)).await;
    world.settle().await;
    let left = live_keys(world, &dataset).await;
    if !left.is_empty() {
        return Err(format!("resumed, and these are still there: {left:?}"));
    }
    let counts = world.ctx.db.counts(&dataset.id, dataset.shards).await.unwrap();
    if counts.files != 1 {
        return Err(format!("one file is there, {counts:?} are counted"));
    }
    Ok(())
}

async fn live_keys(world: &World, dataset: &Dataset) -> Vec<String> {
    let rows = rows(world, dataset).await;
    rows.into_iter().filter(|(_, row)| row.status == Status::Live).map(|(key, _)| key).collect()
}
