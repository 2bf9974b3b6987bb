//! The model: the real code, over the embedded store and a simulated bucket, in
//! random worlds where everything comes late, twice, out of order or not at all.
//!
//! `MEDIADEX_MODEL_RUNS` says how many worlds (100,000 take some minutes), and
//! `MEDIADEX_MODEL_SEED` plays a single one again.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod attributes;
mod aws;
mod bucket;
mod clock;
mod events;
mod guard;
mod operations;
mod run;
mod sidecars;
mod steps;
mod texts;
mod world;

use dynoxide::Database;
use mediadex_core::simulation::Safeguard;

/// A run makes and drops many small things.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Runs that share a database, before it is made again.
const SHARED: u64 = 1;
/// Runs where nothing else is asked for.
const RUNS: u64 = 600;

/// Plays the world of a seed.
type Play = fn(u64, &Database, Option<Safeguard>) -> Result<(), String>;

/// How many worlds the environment asks for.
fn asked(default: u64) -> u64 {
    std::env::var("MEDIADEX_MODEL_RUNS").ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Plays the worlds of seeds from one on, on both cores; gives the first that fail.
fn runs_of(play: Play, from: u64, number: u64, off: Option<Safeguard>, enough: usize) -> Vec<(u64, String)> {
    let next = std::sync::atomic::AtomicU64::new(from);
    let failed = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let start = next.fetch_add(SHARED, std::sync::atomic::Ordering::Relaxed);
                    if start >= from + number || failed.lock().unwrap().len() >= enough {
                        return;
                    }
                    let database = database();
                    for seed in start..(start + SHARED).min(from + number) {
                        if let Err(wrong) = play(seed, &database, off) {
                            failed.lock().unwrap().push((seed, wrong));
                        }
                    }
                }
            });
        }
    });
    failed.into_inner().unwrap()
}

/// Runs what happens in a world, by the world's own clock.
pub(crate) fn play<T>(world: impl Future<Output = T>) -> T {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let result = runtime.block_on(Box::pin(world));
    mediadex_core::simulation::leave();
    result
}

/// An empty store with the tables.
fn database() -> Database {
    let database = Database::memory().unwrap();
    play(async {
        let world = world::World::new(0, &database, None, |_| {}).await;
        mediadex_core::state::create_tables(&world.ctx.db).await.unwrap();
    });
    database
}

#[test]
fn random_worlds_end_well() {
    let set = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let (from, number) = match (set("MEDIADEX_MODEL_SEED"), set("MEDIADEX_MODEL_RUNS")) {
        (Some(seed), None) => (seed, 1),
        (seed, number) => (seed.unwrap_or(0), number.unwrap_or(RUNS)),
    };
    let failed = runs_of(run::run, from, number, None, 5);
    for (seed, wrong) in &failed {
        eprintln!("MEDIADEX_MODEL_SEED={seed}: {wrong}");
    }
    assert!(failed.is_empty(), "{} of {number} runs failed", failed.len());
}

/// A model that does not notice when a safeguard is missing proves nothing.
#[test]
fn each_safeguard_is_needed() {
    for safeguard in
        [Safeguard::Tombstone, Safeguard::Rev, Safeguard::Sequencer, Safeguard::Lease, Safeguard::Guard]
    {
        let failed = runs_of(run::run, 0, 4000, Some(safeguard), 1);
        let (seed, wrong) = failed.first().unwrap_or_else(|| panic!("{safeguard:?} is not needed"));
        println!(
            "without {safeguard:?} seed {seed} ends wrong: {}",
            wrong.lines().next().unwrap_or_default()
        );
    }
}
