//! Steps of a run, one by one, where something happens between them.

use mediadex_core::Code;
use mediadex_core::ingest::{ScanStep, run_step};
use serde_json::json;

use crate::aws::{Fault, Plan};
use crate::clock::{bind, found, in_world, in_world_with, names, put};
use crate::world::{BUCKET, PROJECT, World};

async fn only_run(world: &World) -> String {
    let mut open = world.ctx.db.open_runs().await.unwrap();
    assert_eq!(open.len(), 1, "{open:?}");
    open.pop().unwrap()
}

#[test]
fn a_store_that_does_not_answer_is_no_dataset_that_is_gone() {
    in_world(async |world| {
        world.must("CreateBinding", names()).await;
        let run = only_run(world).await;
        let step = |step: ScanStep| run_step(&world.ctx, step, "worker");
        let planned = step(ScanStep::Plan { run: run.clone() }).await.unwrap();
        assert!(!planned.segments.is_empty());
        // Every call of the step fails in turn, for longer than it is tried again.
        for call in 0..4 {
            let before = world.services.wires.lock().unwrap().calls + call;
            world.services.wires.lock().unwrap().plan = Plan::Calls(before..before + 60, Fault::ServerError);
            let failed = step(ScanStep::ListSegment { run: run.clone(), segment: 0 }).await;
            world.services.wires.lock().unwrap().plan = Plan::Never;
            if let Err(error) = failed {
                assert_eq!(error.code(), &Code::ServiceUnavailable, "call {call}");
            }
            assert_eq!(only_run(world).await, run, "call {call}: the scan was given up");
        }
        world.settle().await;
        let binding = world.must("GetBinding", names()).await;
        assert_eq!(binding["Binding"]["Phase"], json!("IncrementalScanning"));
    });
}

#[test]
fn a_clean_up_ends_when_its_dataset_goes_before_it() {
    in_world_with(
        |config| config.partitions = 40,
        async |world| {
            bind(world, None).await;
            let mut delete = names();
            delete["Cleanup"] = json!(true);
            world.must("DeleteBinding", delete).await;
            let run = only_run(world).await;
            let planned = run_step(&world.ctx, ScanStep::Plan { run: run.clone() }, "worker")
                .await
                .unwrap()
                .segments
                .len();
            let mut gone = false;
            for segment in 0..u32::try_from(planned).unwrap() {
                let dataset = json!({"ProjectName": PROJECT, "DatasetName": "d"});
                gone = gone || world.call("DeleteDataset", dataset).await.is_ok();
                let step = ScanStep::ListSegment { run: run.clone(), segment };
                assert!(run_step(&world.ctx, step, "worker").await.unwrap().done);
            }
            assert!(gone, "no step was left when the files were gone");
            run_step(&world.ctx, ScanStep::Finish { run: run.clone() }, "worker").await.unwrap();
            // The run that forgets the dataset's tombstones may be open.
            assert!(!world.ctx.db.open_runs().await.unwrap().contains(&run));
        },
    );
}

/// Deletes an object, and no event of it is heard.
fn delete(world: &World, key: &str) {
    let mut wires = world.services.wires.lock().unwrap();
    wires.storage.buckets.get_mut(BUCKET).unwrap().delete(BUCKET, key);
}

/// A dataset of five files that may have five, and the run of a scan that finds
/// one more on its first page ("0") and one gone on its last ("e").
async fn scan_of_a_full_dataset(world: &mut World) -> String {
    bind(world, None).await;
    let limit = json!({"ProjectName": PROJECT, "DatasetName": "d", "DatasetMaxFileCount": 5});
    world.must("UpdateDataset", limit).await;
    put(world, "0");
    delete(world, "e");
    world.must("StopBinding", names()).await;
    world.must("ResumeBinding", names()).await;
    only_run(world).await
}

#[test]
fn a_second_driver_of_a_scan_goes_along_when_it_is_walked_once_more() {
    in_world_with(
        |config| config.scan_segments = 3,
        async |world| {
            let run = scan_of_a_full_dataset(world).await;
            let step = |step: ScanStep| run_step(&world.ctx, step, "worker");
            let list = async |segment: u32| {
                for _ in 0..20 {
                    if step(ScanStep::ListSegment { run: run.clone(), segment }).await.unwrap().done {
                        return;
                    }
                }
                panic!("segment {segment} comes to no end");
            };
            let walk = async || {
                let segments = step(ScanStep::Plan { run: run.clone() }).await.unwrap().segments.len();
                for segment in 0..u32::try_from(segments).unwrap() {
                    list(segment).await;
                }
                assert!(!step(ScanStep::Finish { run: run.clone() }).await.unwrap().done);
                segments
            };
            let first = walk().await;
            assert!(first > 1);
            // What is missing has a walk of its own, over its range alone.
            assert_eq!(walk().await, 1);
            // Fewer objects, fewer segments: what the other driver still asks for is none.
            for key in ["a", "b", "c"] {
                delete(world, key);
            }
            let second = step(ScanStep::Plan { run: run.clone() }).await.unwrap().segments.len();
            assert!(second < first, "{second} of {first}");
            list(u32::try_from(second).unwrap()).await;
            // It comes to the end before the first one has walked, and is told to plan.
            assert!(!step(ScanStep::Finish { run: run.clone() }).await.unwrap().done);
            assert_eq!(step(ScanStep::Plan { run: run.clone() }).await.unwrap().segments.len(), second);
            for segment in 0..u32::try_from(second).unwrap() {
                list(segment).await;
            }
            assert!(step(ScanStep::Finish { run: run.clone() }).await.unwrap().done);
            // What went since it was granted its removals is for the next scan.
            for (key, count) in [("0", 1), ("a", 1), ("d", 1), ("e", 0)] {
                assert_eq!(found(world, "Filename", key).await, count, "{key}");
            }
        },
    );
}

#[test]
fn a_scan_that_makes_room_admits_what_it_refused_before() {
    in_world_with(
        |config| config.scan_segments = 1,
        async |world| {
            let run = scan_of_a_full_dataset(world).await;
            let step = |step: ScanStep| run_step(&world.ctx, step, "worker");
            let mut finished = Vec::new();
            loop {
                let planned = step(ScanStep::Plan { run: run.clone() }).await.unwrap();
                assert_eq!(planned.segments.len(), 1);
                while !step(ScanStep::ListSegment { run: run.clone(), segment: 0 }).await.unwrap().done {}
                finished.push(step(ScanStep::Finish { run: run.clone() }).await.unwrap().done);
                // An answer that was lost: the step is run again.
                let again = step(ScanStep::Finish { run: run.clone() }).await.unwrap().done;
                assert_eq!(Some(&again), finished.last());
                if again {
                    break;
                }
            }
            assert_eq!(finished, [false, false, true], "to remove, to fill, and the end");
            for (key, count) in [("0", 1), ("a", 1), ("e", 0)] {
                assert_eq!(found(world, "Filename", key).await, count, "{key}");
            }
            let binding = world.must("GetBinding", names()).await["Binding"].clone();
            assert_eq!((&binding["Phase"], &binding["Reason"]), (&json!("IncrementalScanning"), &json!("")));
        },
    );
}
