//! The DynamoDB endpoint: dynoxide, over SQLite in the state directory.
//! Clients of this process read ranges beside it, see `replica.rs`.

use std::path::{Path, PathBuf};

use anyhow::Context;
use dynoxide::Database;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Threads of the endpoint: one works in the database, the others read requests
/// and write replies.
const THREADS: usize = 3;

/// Where the database of a state directory is.
pub(crate) fn path(directory: &Path) -> PathBuf {
    directory.join("dynamodb.sqlite")
}

/// Serves the database until told to stop. What is `ephemeral` is not worth
/// waiting for the disk.
pub(crate) async fn serve(
    tasks: &mut JoinSet<()>,
    listener: TcpListener,
    directory: &Path,
    ephemeral: bool,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let path = path(directory);
    let database = tokio::task::spawn_blocking(move || {
        let database = Database::new(&path.to_string_lossy())?;
        if ephemeral {
            database.enable_bulk_loading()?;
        }
        Ok::<_, dynoxide::DynoxideError>(database)
    })
    .await?
    .context("the database cannot be opened")?;
    let sweeper = database.clone();
    let sweep_stop = stop.clone();
    tasks.spawn(async move {
        // Time to live: DynamoDB forgets expired items in the background.
        let mut every = tokio::time::interval(std::time::Duration::from_secs(3600));
        loop {
            tokio::select! {
                () = sweep_stop.cancelled() => return,
                _ = every.tick() => {
                    let sweeper = sweeper.clone();
                    let swept = tokio::task::spawn_blocking(move || sweeper.sweep_ttl()).await;
                    if let Ok(Err(error)) = swept {
                        tracing::warn!(%error, "expired items were not removed");
                    }
                }
            }
        }
    });
    // A runtime of its own: a request waits for the database's lock with its
    // thread, and must not hold one that a client of ours needs to go on.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .thread_name("dynamodb")
        .enable_all()
        .build()
        .context("the threads of the database cannot be started")?;
    let listener = listener.into_std()?;
    // A thread, not a blocking task: a process that ends without a shutdown must
    // not wait for it.
    let (ended, end) = tokio::sync::oneshot::channel::<()>();
    std::thread::Builder::new().name("dynamodb".to_owned()).spawn(move || {
        let served = runtime.block_on(async {
            let listener = TcpListener::from_std(listener).map_err(|error| error.to_string())?;
            dynoxide::server::serve_with_shutdown(listener, database, stop.cancelled_owned()).await
        });
        if let Err(error) = served {
            tracing::error!(error, "the DynamoDB endpoint ended");
        }
        runtime.shutdown_timeout(std::time::Duration::from_secs(2));
        drop(ended);
    })?;
    tasks.spawn(async move {
        // Closed, whatever is sent: the thread is at its end.
        end.await.ok();
    });
    Ok(())
}
