//! Work on many small items by several threads, with the results in the items' order.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

/// Items that a thread takes at a time: handing each over by itself costs more than a
/// small file does.
const BATCH: usize = 8;
/// Batches that wait for the reader, for each thread.
const WAITING: usize = 8;

/// The results of `run` for all items, in their order, as `workers` threads have them.
/// The threads end when the iterator is dropped, after the items at hand.
pub(crate) fn ordered<T, R>(
    items: Vec<T>,
    workers: usize,
    run: impl Fn(&T) -> R + Send + Sync + 'static,
) -> impl Iterator<Item = R>
where
    T: Send + Sync + 'static,
    R: Send + 'static,
{
    let (sender, receiver) = mpsc::sync_channel(workers.max(1) * WAITING);
    let shared = Arc::new((items, AtomicUsize::new(0), run));
    for _ in 0..workers.max(1) {
        let (sender, shared) = (sender.clone(), Arc::clone(&shared));
        std::thread::spawn(move || {
            let (items, next, run) = &*shared;
            loop {
                let batch = next.fetch_add(1, Ordering::Relaxed);
                let first = batch.saturating_mul(BATCH);
                let Some(of) = items.get(first..items.len().min(first.saturating_add(BATCH))) else { return };
                if of.is_empty() || sender.send((batch, of.iter().map(run).collect())).is_err() {
                    return;
                }
            }
        });
    }
    InOrder { receiver, early: BTreeMap::new(), next: 0 }.flatten()
}

/// Batches in their order; those that come early are kept.
struct InOrder<R> {
    receiver: mpsc::Receiver<(usize, Vec<R>)>,
    early: BTreeMap<usize, Vec<R>>,
    next: usize,
}

impl<R> Iterator for InOrder<R> {
    type Item = Vec<R>;

    fn next(&mut self) -> Option<Vec<R>> {
        loop {
            if let Some(batch) = self.early.remove(&self.next) {
                self.next += 1;
                return Some(batch);
            }
            let (number, batch) = self.receiver.recv().ok()?;
            self.early.insert(number, batch);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_from_any_number_of_threads() {
        for (items, workers) in [(0, 2), (1, 2), (7, 3), (8, 1), (1000, 4), (1001, 16)] {
            let uneven = move |n: &u64| {
                std::thread::sleep(std::time::Duration::from_micros(n * 7919 % 100));
                n * 2
            };
            let got: Vec<u64> = ordered((0..items).collect(), workers, uneven).collect();
            assert_eq!(got, (0..items).map(|n| n * 2).collect::<Vec<_>>(), "{items} by {workers}");
        }
    }

    #[test]
    fn a_reader_that_stops_early_stops_the_threads() {
        let done = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&done);
        let first = ordered((0..100_000).collect(), 2, move |n: &u32| {
            count.fetch_add(1, Ordering::Relaxed);
            *n
        })
        .next();
        assert_eq!(first, Some(0));
        // All that holds the counter is gone with the threads.
        while Arc::strong_count(&done) > 1 {
            std::thread::yield_now();
        }
        assert!(done.load(Ordering::Relaxed) < 100_000);
    }
}
