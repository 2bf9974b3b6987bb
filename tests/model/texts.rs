//! The texts of documents: whatever is lost or dies on the way, after the next scan
//! FuzzyQuery finds the words of the documents that there are, and no others.

use std::collections::BTreeMap;
use std::time::Duration;

use dynoxide::Database;
use mediadex_core::ingest::{Due, on_schedule, run_text_event};
use rand::Rng;
use serde_json::{Value, json};

use crate::bucket::Bucket;
use crate::clock::names;
use crate::world::{BUCKET, Disorder, PROJECT, World};

/// Worlds that are played.
const WORLDS: u64 = 40;

async fn fuzzy(world: &World, word: &str) -> Vec<String> {
    let params = json!({"ProjectName": PROJECT, "DatasetName": "d", "Query": word});
    let files = world.must("FuzzyQuery", params).await["Files"].as_array().unwrap().clone();
    files.iter().map(|file| file["Filename"].as_str().unwrap().to_owned()).collect()
}

async fn day(world: &mut World) {
    tokio::time::sleep(Duration::from_secs(25 * 3600)).await;
    on_schedule(&world.ctx, Due::ByClock).await.unwrap();
    world.settle().await;
}

async fn world_of(seed: u64, database: &Database) {
    let mut world = World::new(seed, database, None, |_| {}).await;
    mediadex_core::state::create_tables(&world.ctx.db).await.unwrap();
    world.services.wires.lock().unwrap().storage.buckets.insert(BUCKET.into(), Bucket::default());
    world.must("CreateProject", json!({"ProjectName": PROJECT})).await;
    let template = "Official:DocumentManagement";
    let dataset = json!({"ProjectName": PROJECT, "DatasetName": "d", "TemplateId": template});
    world.must("CreateDataset", dataset).await;
    world.must("CreateBinding", names()).await;
    world.settle().await;
    world.disorder = Disorder { kill_one_in: 8 };
    // The word of each document, and all that there ever were.
    let mut documents: BTreeMap<String, String> = BTreeMap::new();
    let mut words = Vec::new();
    for step in 0..16 {
        let key = format!("{}.txt", world.chance.random_range(0..4));
        let now = world.now();
        let sent = {
            let mut wires = world.services.wires.lock().unwrap();
            let bucket = wires.storage.buckets.get_mut(BUCKET).unwrap();
            if step % 5 == 4 && documents.remove(&key).is_some() {
                bucket.delete(BUCKET, &key)
            } else {
                let word = format!("wort{seed}x{step}");
                documents.insert(key.clone(), word.clone());
                words.push(word.clone());
                bucket.put(BUCKET, &key, format!("Ein {word} allein").into_bytes(), now)
            }
        };
        if world.chance.random_range(0..4) > 0 {
            let after = Duration::from_millis(world.chance.random_range(0..3000));
            world.deliver(vec![sent], after);
        }
        match world.chance.random_range(0..4) {
            0 => world.forget_work(),
            1 => world.take_up(),
            _ => {}
        }
        tokio::time::sleep(Duration::from_millis(world.chance.random_range(0..2500))).await;
    }
    world.forget_work();
    world.disorder = Disorder { kill_one_in: 0 };
    world.settle().await;
    day(&mut world).await;
    for (key, word) in &documents {
        let file =
            json!({"ProjectName": PROJECT, "DatasetName": "d", "URI": format!("oss://{BUCKET}/{key}")});
        let file = world.must("GetFileMeta", file).await["Files"][0].clone();
        if file["Reason"].as_str().is_some_and(|reason| reason.contains("ended early")) {
            // Its reader was killed again and again, which the file says.
            continue;
        }
        assert_eq!(
            fuzzy(&world, &format!("{word} allein")).await,
            [key.as_str()],
            "seed {seed}: {word} of {file}"
        );
    }
    for word in words.iter().filter(|word| !documents.values().any(|present| present == *word)) {
        assert_eq!(fuzzy(&world, &format!("{word} allein")).await, [""; 0], "seed {seed}: {word} is gone");
    }
    // A dataset that goes leaves no text behind.
    world
        .must(
            "DeleteBinding",
            json!({"ProjectName": PROJECT, "DatasetName": "d", "URI": names()["URI"], "Cleanup": true}),
        )
        .await;
    world.settle().await;
    world.must("DeleteDataset", json!({"ProjectName": PROJECT, "DatasetName": "d"})).await;
    world.settle().await;
    let left: Vec<Value> = world.services.items(&world.ctx.config.files_table);
    let texts = left.iter().filter(|item| item["PK"]["S"].as_str().unwrap().starts_with("T#"));
    assert_eq!(texts.count(), 0, "seed {seed}");
}

/// In the cloud a scan sends nothing: a step behind it does.
#[test]
fn the_step_behind_a_scan_sends_what_is_pending() {
    crate::play(async {
        let database = Database::memory().unwrap();
        let mut world = World::new(1, &database, None, |_| {}).await;
        mediadex_core::state::create_tables(&world.ctx.db).await.unwrap();
        let now = world.now();
        let mut bucket = Bucket::default();
        for number in 0..7 {
            bucket.put(BUCKET, &format!("{number}.txt"), format!("wort{number} allein").into_bytes(), now);
        }
        world.services.wires.lock().unwrap().storage.buckets.insert(BUCKET.into(), bucket);
        world.must("CreateProject", json!({"ProjectName": PROJECT})).await;
        let template = "Official:DocumentManagement";
        let dataset = json!({"ProjectName": PROJECT, "DatasetName": "d", "TemplateId": template});
        world.must("CreateDataset", dataset).await;
        world.must("CreateBinding", names()).await;
        let run = world.ctx.db.open_runs().await.unwrap().pop().unwrap();
        // The scan, whose messages are lost.
        world.take_up();
        tokio::time::sleep(Duration::from_secs(600)).await;
        world.forget_work();
        world.settle().await;
        assert_eq!(fuzzy(&world, "allein").await, [""; 0]);
        let mut step = json!({"run": run});
        for steps in 0..10 {
            step = run_text_event(&world.ctx, step).await.unwrap();
            if step["done"] == json!(true) {
                break;
            }
            assert!(steps < 9, "{step}");
        }
        world.settle().await;
        assert_eq!(fuzzy(&world, "allein").await.len(), 7);
        // Nothing is pending: nothing is sent.
        let step = run_text_event(&world.ctx, json!({"run": "gone"})).await.unwrap();
        assert_eq!(step["done"], json!(true));
    });
}

#[test]
fn after_a_scan_the_words_of_all_documents_are_found_and_no_others() {
    for seed in 0..WORLDS {
        crate::play(async {
            let database = Database::memory().unwrap();
            Box::pin(world_of(seed, &database)).await;
        });
    }
}
