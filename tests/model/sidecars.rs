//! Worlds where sidecars come, change and go between their objects: events late, twice,
//! out of order or never, workers that die. When all is quiet, what a query shows of each
//! object is what its content and the sidecars that are there say.

use std::collections::BTreeMap;
use std::time::Duration;

use dynoxide::Database;
use mediadex_core::ingest::{Facts, describe};
use mediadex_core::ledger::read_rows;
use mediadex_core::model::ObjectUri;
use mediadex_core::simulation::Safeguard;
use mediadex_media::sidecar::{self, Sidecar};
use mediadex_media::{Extraction, Features, ObjectInfo, Record, Step};
use rand::Rng;
use rand::seq::{IndexedRandom, SliceRandom};
use serde_json::{Map, Value, json};

use crate::aws::Plan;
use crate::bucket::{Bucket, Sent};
use crate::clock::{in_world_with, names};
use crate::world::{BUCKET, Disorder, PROJECT, World, deliver_now};

const MAINS: [&str; 4] = ["a.gif", "a(1).gif", "a-edited.gif", "f/b.gif"];
const SIDECARS: [&str; 6] =
    ["a.xmp", "a.gif.xmp", "a.gif.json", "a.gif(1).json", "f/b.gif.supplemental-metadata.json", "f/b.xmp"];
/// Worlds where nothing else is asked for.
const WORLDS: u64 = 100;
const WITH: &str = "+ReadSidecars";
const WITHOUT: &str = "DefaultId";

/// What happens in a world, drawn from its seed.
#[derive(Debug)]
struct Script {
    mutations: u32,
    /// Few keys, which then change in quick succession.
    is_narrow: bool,
    /// One event in so many is lost; 0: none.
    lose_one_in: u32,
    faults: bool,
    kills: bool,
    /// The operator is added to a template that had none, and taken away again.
    switches: bool,
}

impl Script {
    fn draw(chance: &mut impl Rng) -> Self {
        Self {
            mutations: chance.random_range(2..16),
            is_narrow: chance.random_bool(0.6),
            lose_one_in: *[0, 0, 3].choose(chance).unwrap(),
            faults: chance.random_bool(0.2),
            kills: chance.random_bool(0.3),
            switches: chance.random_bool(0.2),
        }
    }
}

fn on_bucket<T>(world: &World, act: impl FnOnce(&mut Bucket) -> T) -> T {
    act(world.services.wires.lock().unwrap().storage.buckets.get_mut(BUCKET).unwrap())
}

/// A content for a key; of a sidecar sometimes what it was before.
fn content(chance: &mut impl Rng, key: &str) -> Vec<u8> {
    let number = *[0, 1, 1, 2, 3].choose(chance).unwrap();
    let told = json!({"title": "a.gif", "description": format!("told {number}"), "photoTakenTime": {}});
    match (key.rsplit('.').next().unwrap(), number) {
        ("gif", _) => {
            let mut gif = b"GIF89a\x40\x00\x20\x00\x00\x00\x00;".to_vec();
            gif.extend(std::iter::repeat_n(b' ', number));
            gif
        }
        (_, 3) => b"broken".to_vec(),
        ("xmp", _) => {
            format!(r#"<rdf:RDF><rdf:Description xmp:Rating="{number}" xmp:Label="of {key}"/></rdf:RDF>"#)
                .into_bytes()
        }
        _ => told.to_string().into_bytes(),
    }
}

fn put(world: &mut World, key: &str) -> Sent {
    let (body, now) = (content(&mut world.chance, key), world.now());
    on_bucket(world, |bucket| bucket.put(BUCKET, key, body, now))
}

/// Everything that happens; gives the events, and whether any was lost.
async fn happen(world: &mut World, script: &Script) -> (Vec<Sent>, bool) {
    let (mut all, mut held, mut lost) = (Vec::new(), Vec::new(), false);
    for _ in 0..script.mutations {
        // Often so quickly that the event before is being processed.
        let most = *[1, 250, 250, 3000].choose(&mut world.chance).unwrap();
        tokio::time::sleep(Duration::from_millis(world.chance.random_range(0..=most))).await;
        let of_main = world.chance.random_bool(0.3);
        let key = *match (of_main, script.is_narrow) {
            (true, false) => MAINS.choose(&mut world.chance).unwrap(),
            (false, false) => SIDECARS.choose(&mut world.chance).unwrap(),
            (true, true) => &MAINS[0],
            (false, true) => SIDECARS[..2].choose(&mut world.chance).unwrap(),
        };
        let sent = match world.chance.random_bool(0.7) {
            true => put(world, key),
            false => on_bucket(world, |bucket| bucket.delete(BUCKET, key)),
        };
        all.push(sent.clone());
        if script.lose_one_in > 0 && world.chance.random_range(0..script.lose_one_in) == 0 {
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
            let now: Vec<Sent> = held.drain(..some).collect();
            if world.chance.random_bool(0.5) {
                world.deliver(now, after);
            } else {
                now.into_iter().for_each(|event| world.deliver(vec![event], after));
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
    // The guard may hold back what many lost deletes left: this is what resuming is for.
    for _ in 0..3 {
        let binding = world.must("GetBinding", names()).await["Binding"].clone();
        if binding["State"] == json!("Retrying") {
            world.must("ResumeBinding", names()).await;
            world.settle().await;
        }
    }
}

fn folder_and_name(key: &str) -> (&str, &str) {
    key.split_at(key.rfind('/').map_or(0, |slash| slash + 1))
}

/// What content and sidecars say.
fn extracted(
    world: &World,
    key: &str,
    objects: &BTreeMap<String, Vec<u8>>,
    with: bool,
) -> Map<String, Value> {
    let (body, (folder, name)) = (&objects[key], folder_and_name(key));
    let info = ObjectInfo { size: body.len() as u64, content_type: Some("text/plain"), name };
    let mut extraction = Extraction::new(info, Features::all(), world.ctx.config.extraction.clone());
    extraction.supply(0, body.clone());
    let Step::Done(record) = extraction.step() else { panic!("more of {key} is wanted") };
    let mut record: Record = *record;
    let others = objects.keys().filter_map(|key| key.strip_prefix(folder)).filter(|key| !key.contains('/'));
    let near = if with { sidecar::of_object(name, others) } else { Vec::new() };
    let content = |name: &str| Ok(objects[&format!("{folder}{name}")].clone());
    let read =
        near.into_iter().map(|name| Sidecar { name: name.to_owned(), content: content(name), is_cut: false });
    let (size, limits) = (body.len() as u64, &world.ctx.config.extraction);
    record.add_sidecars((name, size), &read.collect::<Vec<_>>(), Features::all(), limits);
    describe(Facts::default(), Some(&record)).1
}

/// What a query shows is what is there.
async fn check(world: &World, with: bool) -> Result<(), String> {
    let query = json!({"ProjectName": PROJECT, "DatasetName": "d", "MaxResults": 100});
    let reply = world.must("SimpleQuery", query).await;
    let files = reply["Files"].as_array().unwrap().iter();
    let files: BTreeMap<&str, &Value> =
        files.map(|file| (file["Filename"].as_str().unwrap(), file)).collect();
    let objects: BTreeMap<String, Vec<u8>> = on_bucket(world, |bucket| {
        let present = bucket.present();
        present.into_iter().map(|(key, object)| (key.to_owned(), object.body.clone())).collect()
    });
    if !files.keys().copied().eq(objects.keys().map(String::as_str)) {
        return Err(format!("{:?} are indexed, {:?} are there", files.keys(), objects.keys()));
    }
    for key in objects.keys() {
        let want = extracted(world, key, &objects, with);
        for field in ["ImageWidth", "Rating", "ColorLabel", "Title", "Description", "Reason"] {
            if files[key.as_str()].get(field) != want.get(field) {
                return Err(format!("{key}: {field} is not that of {want:?}: {}", files[key.as_str()]));
            }
        }
    }
    let etags: BTreeMap<String, String> = on_bucket(world, |bucket| {
        bucket.present().into_iter().map(|(key, object)| (key.to_owned(), object.etag())).collect()
    });
    if let Some((key, _)) = etags.iter().find(|(key, etag)| files[key.as_str()]["ETag"] != json!(etag)) {
        return Err(format!("{key} is indexed as {}", files[key.as_str()]));
    }
    let counts = reply["TotalHits"].as_u64();
    if counts != Some(objects.len() as u64) {
        return Err(format!("{counts:?} are counted, {} are there", objects.len()));
    }
    Ok(())
}

async fn switch(world: &mut World, template: &str) {
    let update = json!({"ProjectName": PROJECT, "DatasetName": "d", "TemplateId": template});
    world.must("UpdateDataset", update).await;
}

/// Runs a seed. The error says what is wrong in the end.
fn run(seed: u64, database: &Database, off: Option<Safeguard>) -> Result<(), String> {
    crate::play(live(seed, database, off))
}

async fn live(seed: u64, database: &Database, off: Option<Safeguard>) -> Result<(), String> {
    let mut world = World::new(seed, database, off, |config| config.guard_floor = 100).await;
    let script = Script::draw(&mut world.chance);
    world.services.wires.lock().unwrap().storage.buckets.insert(BUCKET.into(), Bucket::default());
    for key in MAINS.iter().chain(&SIDECARS) {
        if world.chance.random_bool(0.6) {
            put(&mut world, key);
        }
    }
    world.must("CreateProject", json!({"ProjectName": PROJECT})).await;
    world.must("CreateDataset", json!({"ProjectName": PROJECT, "DatasetName": "d"})).await;
    switch(&mut world, if script.switches { WITHOUT } else { WITH }).await;
    world.must("CreateBinding", names()).await;
    world.settle().await;
    check(&world, !script.switches).await.map_err(|wrong| format!("at first: {wrong}; {script:?}"))?;
    if script.switches {
        switch(&mut world, WITH).await;
        scan(&mut world).await;
        check(&world, true).await.map_err(|wrong| format!("switched on: {wrong}; {script:?}"))?;
    }
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
    if lost || script.faults {
        scan(&mut world).await;
    }
    check(&world, true).await.map_err(|wrong| format!("{wrong}; {script:?}"))?;
    // Whatever comes once more, much later, changes nothing.
    let mut again = all;
    again.shuffle(&mut world.chance);
    if !deliver_now(&world.ctx, again).await.is_empty() {
        return Err("events that came again failed".into());
    }
    check(&world, true).await.map_err(|wrong| format!("after events came again: {wrong}; {script:?}"))?;
    if script.switches {
        switch(&mut world, WITHOUT).await;
        scan(&mut world).await;
        check(&world, false).await.map_err(|wrong| format!("switched off: {wrong}; {script:?}"))?;
    }
    Ok(())
}

#[test]
fn objects_are_indexed_with_the_sidecars_that_are_there() {
    let failed = crate::runs_of(run, 0, crate::asked(WORLDS), None, 5);
    for (seed, wrong) in &failed {
        eprintln!("seed {seed}: {wrong}");
    }
    assert!(failed.is_empty(), "{} worlds ended wrong", failed.len());
}

#[test]
fn each_safeguard_of_sidecars_is_needed() {
    for safeguard in [Safeguard::SidecarMains, Safeguard::SidecarMemory] {
        let failed = crate::runs_of(run, 0, 4000, Some(safeguard), 1);
        let (seed, wrong) = failed.first().unwrap_or_else(|| panic!("{safeguard:?} is not needed"));
        println!("without {safeguard:?} seed {seed} ends wrong: {wrong}");
    }
}

/// A worker that read a sidecar which was changed back meanwhile must meet a conflict.
#[test]
fn an_event_of_a_sidecar_is_written_even_where_the_row_is_right() {
    for (off, is_written) in [(None, true), (Some(Safeguard::SidecarRev), false)] {
        crate::play(async {
            let database = Database::memory().unwrap();
            let mut world = World::new(1, &database, off, |_| {}).await;
            mediadex_core::state::create_tables(&world.ctx.db).await.unwrap();
            world.services.wires.lock().unwrap().storage.buckets.insert(BUCKET.into(), Bucket::default());
            for key in ["a.gif", "a.gif.xmp"] {
                put(&mut world, key);
            }
            world.must("CreateProject", json!({"ProjectName": PROJECT, "TemplateId": WITH})).await;
            world.must("CreateDataset", json!({"ProjectName": PROJECT, "DatasetName": "d"})).await;
            world.must("CreateBinding", names()).await;
            world.settle().await;
            let dataset = world.ctx.db.dataset(PROJECT, "d").await.unwrap();
            let uri = ObjectUri::new(BUCKET, "a.gif");
            let mut seen = Vec::new();
            for _ in 0..2 {
                let uris = [uri.clone()];
                let rows = read_rows(&world.ctx.db, &dataset.id, dataset.partitions, &uris).await;
                seen.push(rows.unwrap().remove(&uri).unwrap());
                let now = world.now();
                let sent = on_bucket(&world, |bucket| {
                    let body = bucket.present()["a.gif.xmp"].body.clone();
                    bucket.put(BUCKET, "a.gif.xmp", body, now)
                });
                assert!(deliver_now(&world.ctx, vec![sent]).await.is_empty());
            }
            assert_eq!(seen[1].rev > seen[0].rev, is_written, "{seen:?}");
            assert_eq!(seen[1].updated, seen[0].updated, "nothing that a caller sees has changed");
        });
    }
}

/// What storage is asked for: names of the calls of S3, in their order.
async fn asked(world: &mut World, act: impl AsyncFnOnce(&mut World)) -> Vec<String> {
    world.services.wires.lock().unwrap().trace = Some(Vec::new());
    act(world).await;
    let trace = world.services.wires.lock().unwrap().trace.take().unwrap();
    let calls = trace.iter().filter_map(|call| call.split_once("http://s3.model/bucket"));
    calls
        .map(|(method, rest)| match rest.trim_start_matches('/').split_once('?') {
            Some(("", query)) if query.contains("list-type") => "LIST".to_owned(),
            Some((key, _)) => format!("{method}{key}"),
            None => format!("{method}{rest}"),
        })
        .filter(|call| !call.ends_with(' '))
        .collect()
}

/// Without the operator, storage is asked for nothing more; with it, a scan has the
/// neighbours on its page.
#[test]
fn sidecars_cost_calls_only_where_they_are_read() {
    let change = |config: &mut mediadex_core::Config| {
        config.scan_page = 1000;
        config.scan_segments = 1;
    };
    let keys = ["a.gif", "a.gif.xmp", "other.gif"];
    let table = [
        (
            WITHOUT,
            vec!["GET a.gif", "GET a.gif.xmp", "GET other.gif"],
            vec![],
            vec!["GET a.gif"],
            vec!["GET a.gif.xmp"],
        ),
        (
            WITH,
            vec!["GET a.gif", "GET a.gif.xmp", "GET a.gif.xmp", "GET other.gif"],
            vec![],
            vec!["LIST", "GET a.gif", "GET a.gif.xmp"],
            // Its own row, what it is of, and those read again.
            vec!["GET a.gif.xmp", "LIST", "LIST", "GET a.gif", "GET a.gif.xmp"],
        ),
    ];
    for (template, first, second, of_main, of_sidecar) in table {
        in_world_with(change, async |world: &mut World| {
            on_bucket(world, |bucket| {
                for key in ["a", "b", "c", "d", "e"] {
                    bucket.delete(BUCKET, key);
                }
            });
            for key in keys {
                put(world, key);
            }
            switch(world, template).await;
            let mut calls = asked(world, async |world| {
                world.must("CreateBinding", names()).await;
                world.settle().await;
            })
            .await;
            // Planning, and the page itself.
            let lists = calls.iter().filter(|call| *call == "LIST").count();
            calls.retain(|call| call.starts_with("GET "));
            calls.sort();
            assert_eq!(calls, first, "{template}");
            let mut calls = asked(world, scan).await;
            let again = calls.iter().filter(|call| *call == "LIST").count();
            calls.retain(|call| call.starts_with("GET "));
            assert_eq!(
                (calls, again),
                (second.iter().map(|call: &&str| (*call).to_owned()).collect(), lists)
            );
            for (key, want) in [(keys[0], of_main), (keys[1], of_sidecar)] {
                // Another content than before.
                let body = [content(&mut world.chance, key), b" ".to_vec()].concat();
                let now = world.now();
                let sent = on_bucket(world, |bucket| bucket.put(BUCKET, key, body, now));
                let calls = asked(world, async |world| {
                    assert!(deliver_now(&world.ctx, vec![sent]).await.is_empty());
                })
                .await;
                assert_eq!(calls, want, "{template} {key}");
            }
        });
    }
}
