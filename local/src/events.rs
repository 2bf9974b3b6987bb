//! Brings what the object store tells to the event worker: object events in
//! batches, in the shape that SQS gives them; changes that cannot be told key
//! by key as difference scans.

use std::collections::BTreeSet;
use std::time::Duration;

use mediadex_core::{Context, ingest};
use mediadex_s3::{EventRecord, Notice};
use rand::Rng;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::scans::Scans;

/// Events that are handed over together.
const BATCH: usize = 200;

/// For tests: the shares of events that come twice and that come late, such as
/// `0.01,0.01`.
pub(crate) const DISORDER: &str = "MEDIADEX_DISORDER";

/// What is done to events on their way, for tests.
#[derive(Debug, Clone, Copy, Default)]
struct Disorder {
    duplicates: f64,
    late: f64,
}

impl Disorder {
    fn from_env() -> Self {
        let text = std::env::var(DISORDER).unwrap_or_default();
        let mut shares = text.split(',').map(|share| share.parse().unwrap_or(0.0));
        let mut next = || shares.next().unwrap_or(0.0);
        Self { duplicates: next(), late: next() }
    }

    /// Holds back what comes late, and sends once more what comes twice.
    fn disturb(self, batch: &mut Vec<Delivery>, again: &mpsc::UnboundedSender<Delivery>) {
        let has = |share: f64| share > 0.0 && rand::rng().random::<f64>() < share;
        let later = |delivery: Delivery| {
            let (again, pause) = (again.clone(), rand::rng().random_range(50..2000));
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(pause)).await;
                again.send(delivery).ok();
            });
        };
        for delivery in std::mem::take(batch) {
            // What comes again was disturbed once.
            if delivery.received == 1 && has(self.duplicates) {
                later(Delivery { record: delivery.record.clone(), received: 2 });
            }
            if delivery.received == 1 && has(self.late) {
                later(Delivery { received: 2, ..delivery });
            } else {
                batch.push(delivery);
            }
        }
    }
}

/// An event with how often it was delivered.
struct Delivery {
    record: Box<EventRecord>,
    received: u32,
}

/// Works notices off until told to stop.
pub(crate) fn run(
    tasks: &mut JoinSet<()>,
    ctx: Context,
    scans: Scans,
    mut notices: mpsc::UnboundedReceiver<Notice>,
    stop: CancellationToken,
) {
    let (again, mut returned) = mpsc::unbounded_channel::<Delivery>();
    let disorder = Disorder::from_env();
    tasks.spawn(async move {
        loop {
            let mut batch: Vec<Delivery> = Vec::new();
            let mut changed: BTreeSet<(String, String)> = BTreeSet::new();
            tokio::select! {
                () = stop.cancelled() => return,
                notice = notices.recv() => match notice {
                    Some(notice) => sort(notice, &mut batch, &mut changed),
                    None => return,
                },
                Some(delivery) = returned.recv() => batch.push(delivery),
            }
            while batch.len() < BATCH {
                match notices.try_recv() {
                    Ok(notice) => sort(notice, &mut batch, &mut changed),
                    Err(_) => break,
                }
            }
            for (bucket, prefix) in changed {
                let (ctx, scans) = (ctx.clone(), scans.clone());
                tokio::spawn(async move { difference(&ctx, &scans, &bucket, &prefix).await });
            }
            disorder.disturb(&mut batch, &again);
            if !batch.is_empty() {
                deliver(&ctx, batch, &again).await;
            }
        }
    });
}

fn sort(notice: Notice, batch: &mut Vec<Delivery>, changed: &mut BTreeSet<(String, String)>) {
    match notice {
        Notice::Object { record, .. } => batch.push(Delivery { record, received: 1 }),
        Notice::PrefixChanged { bucket, prefix } => {
            changed.insert((bucket, prefix));
        }
        Notice::BucketChanged { bucket } => {
            changed.insert((bucket, String::new()));
        }
        other => tracing::warn!(?other, "a notice that is not known"),
    }
}

/// Hands a batch to the worker; what it gives back comes again later, a
/// bounded number of times.
async fn deliver(ctx: &Context, batch: Vec<Delivery>, again: &mpsc::UnboundedSender<Delivery>) {
    let records: Vec<Value> = batch
        .iter()
        .enumerate()
        .map(|(index, delivery)| {
            json!({
                "messageId": index.to_string(),
                "eventSource": "aws:sqs",
                "attributes": {"ApproximateReceiveCount": delivery.received.to_string()},
                "body": json!({"Records": [delivery.record]}).to_string(),
            })
        })
        .collect();
    let failed: BTreeSet<String> = match ingest::on_object_event(ctx, json!({ "Records": records })).await {
        Ok(reply) => reply.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect(),
        Err(error) => {
            tracing::error!(error = %error.internal_text(), "a batch of events failed");
            (0..batch.len()).map(|index| index.to_string()).collect()
        }
    };
    for (index, delivery) in batch.into_iter().enumerate() {
        if !failed.contains(&index.to_string()) {
            continue;
        }
        if delivery.received >= ctx.config.max_attempts {
            let key = &delivery.record.s3.object.key;
            tracing::error!(key, attempts = delivery.received, "an event was given up");
            continue;
        }
        let again = again.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(250 << delivery.received.min(8))).await;
            let next = Delivery { received: delivery.received + 1, ..delivery };
            if again.send(next).is_err() {
                tracing::debug!("an event is left to the scan of the next start");
            }
        });
    }
}

/// Compares a prefix of a bucket with each dataset that follows the bucket.
async fn difference(ctx: &Context, scans: &Scans, bucket: &str, prefix: &str) {
    let routes = match ctx.db.routes(bucket).await {
        Ok(routes) => routes,
        Err(error) => {
            tracing::error!(bucket, error = %error.internal_text(), "a change of a bucket was not followed");
            return;
        }
    };
    for route in routes.into_iter().filter(|route| !route.stopped) {
        if let Err(error) = scans.difference(&route.project, &route.dataset, bucket, prefix).await {
            tracing::error!(bucket, prefix, error = %error.internal_text(), "a difference scan did not start");
        }
    }
}
