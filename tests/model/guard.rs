//! The guard against mass removal, in worlds of its own: folders are renamed,
//! objects vanish without an event, listings go blind, days pass, and scans of the
//! whole bucket and of folders come in between, by workers that may be killed.
//!
//! At rest the index is the bucket, or the binding says what it holds back and has
//! removed nothing; what scans removed in a period never passes the budget; and
//! nothing is held back that the budget has room for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use dynoxide::Database;
use mediadex_core::Listings;
use mediadex_core::ledger::{Row, Status, read_rows};
use mediadex_core::model::{ObjectUri, Timestamp};
use mediadex_core::simulation::Safeguard;
use mediadex_core::state::{Dataset, Run, RunKind};
use rand::Rng;
use rand::seq::{IndexedRandom, IteratorRandom};
use serde_json::{Value, json};

use crate::bucket::Bucket;
use crate::clock::{in_world_with, names};
use crate::world::{BUCKET, Disorder, PROJECT, World, deliver_now};

const FOLDERS: [&str; 5] = ["a/", "b/", "b/c/", "d/", "e/"];
const FLOOR: i64 = 4;
const PERIOD: i64 = 86_400;
/// Seconds after which a second listing is proof, in worlds where it is.
const CONFIRM: i64 = 600;

/// What scans removed without finding it elsewhere, by the period's beginning, and
/// the most files that the dataset had in it.
#[derive(Default)]
struct Removed {
    lost: BTreeMap<i64, i64>,
    most: BTreeMap<i64, i64>,
}

struct Guarded<'a> {
    world: &'a mut World,
    dataset: Dataset,
    /// All keys that there ever were.
    keys: BTreeSet<String>,
    /// Each object has a content of its own, so that a move is one.
    contents: u64,
    removed: Removed,
    confirms: bool,
}

/// Runs a seed. The error says what is wrong.
pub(crate) fn run(seed: u64, database: &Database, off: Option<Safeguard>) -> Result<(), String> {
    crate::play(live(seed, database, off))
}

async fn live(seed: u64, database: &Database, off: Option<Safeguard>) -> Result<(), String> {
    let confirms = seed.is_multiple_of(3);
    let mut world = World::new(seed, database, off, |config| {
        (config.guard_floor, config.guard_share, config.guard_period) = (FLOOR, 0.5, PERIOD);
        config.guard_confirm = confirms.then_some(CONFIRM);
    })
    .await;
    world.services.wires.lock().unwrap().storage.buckets.insert(BUCKET.into(), Bucket::default());
    world.must("CreateProject", json!({"ProjectName": PROJECT})).await;
    world.must("CreateDataset", json!({"ProjectName": PROJECT, "DatasetName": "d"})).await;
    let dataset = world.ctx.db.dataset(PROJECT, "d").await.unwrap();
    let mut guarded = Guarded {
        world: &mut world,
        dataset,
        keys: BTreeSet::new(),
        contents: 0,
        removed: Removed::default(),
        confirms,
    };
    for _ in 0..guarded.world.chance.random_range(4..24) {
        guarded.put();
    }
    guarded.world.must("CreateBinding", names()).await;
    guarded.world.settle().await;
    if guarded.world.chance.random_bool(0.5) {
        guarded.world.disorder = Disorder { kill_one_in: 4 };
    }
    for _ in 0..guarded.world.chance.random_range(3..12) {
        guarded.step().await?;
    }
    guarded.come_to_rest().await
}

impl Guarded<'_> {
    fn bucket<T>(&self, with: impl FnOnce(&mut Bucket) -> T) -> T {
        let mut wires = self.world.services.wires.lock().unwrap();
        with(wires.storage.buckets.get_mut(BUCKET).unwrap())
    }

    fn put(&mut self) -> crate::bucket::Sent {
        let folder = *FOLDERS.choose(&mut self.world.chance).unwrap();
        let key = format!("{folder}{}", self.world.chance.random_range(0..12));
        self.contents += 1;
        let (body, now) = (format!("content {}", self.contents).into_bytes(), self.world.now());
        self.keys.insert(key.clone());
        self.bucket(|bucket| bucket.put(BUCKET, &key, body, now))
    }

    /// Renames a folder, without an event of what is gone.
    fn rename(&mut self) -> Vec<crate::bucket::Sent> {
        let from = *FOLDERS.choose(&mut self.world.chance).unwrap();
        let to = format!("{from}moved-{}/", self.world.chance.random::<u16>());
        let now = self.world.now();
        let moved: Vec<(String, Vec<u8>)> = self.bucket(|bucket| {
            let present = bucket.present();
            let below = present.iter().filter(|(key, _)| key.starts_with(from));
            below.map(|(key, object)| ((*key).to_owned(), object.body.clone())).collect()
        });
        let mut sent = Vec::new();
        for (key, body) in moved {
            let new = key.replacen(from, &to, 1);
            self.keys.insert(new.clone());
            sent.push(self.bucket(|bucket| {
                bucket.delete(BUCKET, &key);
                bucket.put(BUCKET, &new, body, now)
            }));
        }
        sent
    }

    async fn step(&mut self) -> Result<(), String> {
        match self.world.chance.random_range(0..9) {
            0 => drop(self.put()),
            1 => {
                // What vanishes: a few, or all of a folder.
                let folder = *FOLDERS.choose(&mut self.world.chance).unwrap();
                let most = self.world.chance.random_range(1..12);
                let keys: Vec<String> = self.bucket(|bucket| {
                    bucket
                        .present()
                        .into_keys()
                        .filter(|key| key.starts_with(folder))
                        .map(str::to_owned)
                        .collect()
                });
                let gone = keys.into_iter().choose_multiple(&mut self.world.chance, most);
                self.bucket(|bucket| gone.iter().for_each(|key| drop(bucket.delete(BUCKET, key))));
            }
            2 => drop(self.rename()),
            3 => {
                // As a watcher of folders sees it.
                let sent = self.rename();
                let left = deliver_now(&self.world.ctx, sent).await;
                assert!(left.is_empty());
            }
            4 => {
                let minutes = *[1, 11, 60, 700, 1500].choose(&mut self.world.chance).unwrap();
                tokio::time::sleep(Duration::from_secs(minutes * 60)).await;
            }
            5 => {
                self.bucket(|bucket| bucket.blind = true);
                let done = self.scan("").await;
                self.bucket(|bucket| bucket.blind = false);
                done?;
            }
            6 => {
                let folder = *FOLDERS.choose(&mut self.world.chance).unwrap();
                self.scan(folder).await?;
            }
            _ => self.scan("").await?,
        }
        Ok(())
    }

    async fn rows(&self) -> BTreeMap<String, Row> {
        let uris: Vec<ObjectUri> = self.keys.iter().map(|key| ObjectUri::new(BUCKET, key.as_str())).collect();
        let mut rows = BTreeMap::new();
        for chunk in uris.chunks(100) {
            let read = read_rows(&self.world.ctx.db, &self.dataset.id, self.dataset.partitions, chunk).await;
            let live = read.unwrap().into_iter().filter(|(_, row)| row.status == Status::Live);
            rows.extend(live.map(|(uri, row)| (uri.key, row)));
        }
        rows
    }

    fn present(&self) -> BTreeMap<String, String> {
        self.bucket(|bucket| {
            bucket.present().into_iter().map(|(key, object)| (key.to_owned(), object.etag())).collect()
        })
    }

    async fn binding(&self) -> Value {
        self.world.must("GetBinding", names()).await["Binding"].clone()
    }

    async fn is_held(&self) -> bool {
        self.binding().await["State"] == json!("Retrying")
    }

    /// A scan for differences to its end, and what must hold of it.
    async fn scan(&mut self, prefix: &str) -> Result<(), String> {
        let before = self.rows().await;
        let was_held = self.is_held().await;
        let began = Timestamp::now();
        let budget_before = self.world.ctx.db.budget(&self.dataset.id, BUCKET).await.unwrap();
        let run = Run::new(RunKind::Full, &mediadex_core::model::run_id(), &self.dataset, BUCKET, prefix);
        self.world.ctx.db.create_run(&run).await.unwrap();
        self.world.drive(&run.run);
        self.world.settle().await;
        let (after, present, held) = (self.rows().await, self.present(), self.is_held().await);
        let stuck = self.world.stuck.lock().unwrap().clone();
        if !stuck.is_empty() {
            return Err(format!("scans came to no end: {stuck:?}"));
        }
        // What is there is indexed, whatever the guard says.
        let is_blind = self.bucket(|bucket| bucket.blind);
        let of = |row: &Row| row.source.as_ref().map(|source| source.etag.clone()).unwrap_or_default();
        for (key, etag) in present.iter().filter(|(key, _)| key.starts_with(prefix) && !is_blind) {
            if after.get(key).map(of).as_ref() != Some(etag) {
                return Err(format!("{key} is there and is not indexed after a scan of {prefix:?}"));
            }
        }
        let gone: Vec<&String> = before.keys().filter(|key| !after.contains_key(*key)).collect();
        if let Some(key) = gone.iter().find(|key| present.contains_key(**key)) {
            return Err(format!("{key} is there and was removed"));
        }
        if held && !was_held && !gone.is_empty() {
            return Err(format!("removals are held back, and {gone:?} went"));
        }
        let contents: BTreeSet<String> = after.values().map(of).collect();
        let lost = |key: &String| before.get(key).is_some_and(|row| !contents.contains(&of(row)));
        let lost_now = i64::try_from(gone.iter().filter(|key| lost(key)).count()).unwrap();
        if let Some(budget) = self.world.ctx.db.budget(&self.dataset.id, BUCKET).await.unwrap() {
            let since = budget.since;
            let most = self.removed.most.entry(since).or_default();
            // What is new is indexed before anything is removed.
            let all: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
            *most = (*most).max(i64::try_from(all.len()).unwrap());
            let limit = (*most as f64 * 0.5).ceil().max(FLOOR as f64) as i64;
            let sum = self.removed.lost.entry(since).or_default();
            *sum += lost_now;
            if *sum > limit && !self.confirms {
                return Err(format!("scans removed {sum} files of at most {most} in one period"));
            }
        }
        let still_missing: Vec<&String> =
            after.keys().filter(|key| key.starts_with(prefix) && !present.contains_key(*key)).collect();
        if is_blind {
            return Ok(());
        }
        if !held && !still_missing.is_empty() {
            return Err(format!("nothing is held back, and {still_missing:?} are still there"));
        }
        if !held || !prefix.is_empty() {
            return Ok(());
        }
        // Held back: must it be? A move counts where the new row is of the last day.
        let recent = began.0 - PERIOD * 1_000_000_000;
        let mut missing: BTreeMap<String, (i64, i64)> = BTreeMap::new();
        let mut there: BTreeMap<String, i64> = BTreeMap::new();
        for (key, row) in &after {
            let is_recent = row.updated >= recent;
            if still_missing.contains(&key) {
                let (old, stops) = missing.entry(of(row)).or_default();
                *(if is_recent { stops } else { old }) += 1;
            } else if is_recent {
                *there.entry(of(row)).or_default() += 1;
            }
        }
        let lost: i64 = missing
            .iter()
            .map(|(etag, (old, stops))| match there.get(etag) {
                None => old + stops,
                Some(count) => (old - count).max(0),
            })
            .sum();
        let left = budget_before
            .filter(|budget| began.seconds() - budget.since < PERIOD)
            .map_or((after.len() as f64 * 0.5).ceil().max(FLOOR as f64) as i64, |budget| budget.left());
        if lost <= left {
            return Err(format!("{lost} of {} files are lost, {left} may be: held in vain", after.len()));
        }
        Ok(())
    }

    /// In the end a caller, or a second look, lets go what is held back.
    async fn come_to_rest(mut self) -> Result<(), String> {
        self.world.disorder = Disorder { kill_one_in: 0 };
        self.scan("").await?;
        if self.is_held().await && self.confirms {
            tokio::time::sleep(Duration::from_secs(CONFIRM as u64 + 1)).await;
            self.scan("").await?;
        }
        if self.is_held().await {
            if self.confirms {
                return Err(format!("two listings showed the same: {}", self.binding().await));
            }
            self.world.must("ResumeBinding", names()).await;
            self.world.settle().await;
        }
        let binding = self.binding().await;
        if (&binding["State"], &binding["Phase"], &binding["Reason"])
            != (&json!("Running"), &json!("IncrementalScanning"), &json!(""))
        {
            return Err(format!("the binding does not run: {binding}"));
        }
        let etags: BTreeMap<String, String> = self
            .rows()
            .await
            .into_iter()
            .map(|(key, row)| (key, row.source.map(|source| source.etag).unwrap_or_default()))
            .collect();
        match etags == self.present() {
            true => Ok(()),
            false => Err(format!("the index is {etags:#?}, the bucket {:#?}", self.present())),
        }
    }
}

#[test]
fn folders_move_and_vanish_and_scans_stay_within_their_budget() {
    let failed = crate::runs_of(run, 0, crate::asked(400), None, 5);
    for (seed, wrong) in &failed {
        eprintln!("seed {seed}: {wrong}");
    }
    assert!(failed.is_empty(), "{} worlds ended wrong", failed.len());
}

#[test]
fn the_budget_and_the_guard_are_needed() {
    for safeguard in [Safeguard::Budget, Safeguard::Guard] {
        let failed = crate::runs_of(run, 0, 4000, Some(safeguard), 1);
        let (seed, wrong) = failed.first().unwrap_or_else(|| panic!("{safeguard:?} is not needed"));
        println!(
            "without {safeguard:?} seed {seed} ends wrong: {}",
            wrong.lines().next().unwrap_or_default()
        );
    }
}

/// What the server of the buckets says of its listings.
struct Told {
    are_complete: AtomicBool,
}

impl Listings for Told {
    fn is_complete(&self, _: &str) -> bool {
        self.are_complete.load(Ordering::Relaxed)
    }

    fn hides(&self, _: &str, key: &str) -> bool {
        key == "a" && !self.is_complete(BUCKET)
    }
}

#[test]
fn only_two_listings_that_leave_nothing_out_are_proof() {
    let change = |config: &mut mediadex_core::Config| {
        (config.guard_floor, config.guard_share, config.guard_confirm) = (1, 0.1, Some(CONFIRM));
    };
    in_world_with(change, async |world: &mut World| {
        let told = Arc::new(Told { are_complete: AtomicBool::new(false) });
        world.ctx = world.ctx.clone().with_listings(told.clone());
        world.must("CreateBinding", names()).await;
        world.settle().await;
        let dataset = world.ctx.db.dataset(PROJECT, "d").await.unwrap();
        for key in ["a", "b", "c", "d"] {
            let mut wires = world.services.wires.lock().unwrap();
            wires.storage.buckets.get_mut(BUCKET).unwrap().delete(BUCKET, key);
        }
        // Whether the listing is complete, what it shows as missing, and what is left.
        let table = [(false, "3 of 5", 5), (false, "3 of 5", 5), (true, "4 of 5", 5), (true, "", 1)];
        for (are_complete, missing, files) in table {
            told.are_complete.store(are_complete, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_secs(CONFIRM as u64 + 1)).await;
            let run = Run::new(RunKind::Full, &mediadex_core::model::run_id(), &dataset, BUCKET, "");
            world.ctx.db.create_run(&run).await.unwrap();
            world.drive(&run.run);
            world.settle().await;
            let counts = world.ctx.db.counts(&dataset.id, dataset.shards).await.unwrap();
            let binding = world.must("GetBinding", names()).await["Binding"].clone();
            assert_eq!(counts.files, files, "{are_complete}: {binding}");
            let reason = binding["Reason"].as_str().unwrap();
            assert!(reason.contains(missing) && reason.is_empty() == missing.is_empty(), "{reason}");
            assert_eq!(reason.contains("parts of the bucket may not be read"), !are_complete, "{reason}");
        }
    });
}
