//! Limits of requests per second, of a key or a project, kept over all
//! processes together.
//!
//! The count of a second is one item of the state table. A process draws from
//! it, one request first and then twice as many each time, up to a tenth of
//! the limit: a lone request costs one write, a busy second about ten. What was
//! drawn and not used ends with the second, so the limit is never passed, and
//! may be missed by a tenth per process.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::model::Timestamp;
use crate::state::Db;

/// How many keys and projects are remembered at a time.
const MOST: usize = 10_000;
/// For how long a project's limit is used before it is read again; the API
/// says that an update may take five minutes.
const LIMIT_KNOWN_FOR: Duration = Duration::from_secs(60);

/// What this process knows of one second.
#[derive(Debug, Clone, Copy, Default)]
struct Window {
    second: i64,
    /// Requests that were drawn and not used.
    left: i64,
    /// How many to draw next.
    next: i64,
    /// Whether all of the second are given out.
    is_full: bool,
}

/// The limits, as one process keeps them.
#[derive(Debug, Default)]
pub(super) struct Limiter {
    windows: Mutex<HashMap<String, Window>>,
    projects: Mutex<HashMap<String, (Instant, i64)>>,
}

/// Milliseconds until the next second.
fn until_next(now: Timestamp) -> u64 {
    u64::try_from(1000 - now.millis().rem_euclid(1000)).unwrap_or(1000)
}

impl Limiter {
    /// Admits a request of `of`, or says that the second is full. A limit of 0
    /// is none.
    ///
    /// # Errors
    /// `Throttling.User`.
    pub(super) async fn admit(&self, db: &Db, of: &str, whose: &str, limit: i64) -> Result<()> {
        if limit <= 0 {
            return Ok(());
        }
        let now = Timestamp::now();
        let second = now.seconds();
        let full = || Err(Error::throttled(whose, limit, until_next(now)));
        let number = {
            let Ok(mut windows) = self.windows.lock() else { return Ok(()) };
            if windows.len() >= MOST {
                windows.retain(|_, window| window.second >= second);
            }
            let window = windows.entry(of.to_owned()).or_default();
            if window.second != second {
                *window = Window { second, left: 0, next: 1, is_full: false };
            }
            if window.left > 0 {
                window.left -= 1;
                return Ok(());
            }
            if window.is_full {
                return full();
            }
            window.next
        };
        let used = match db.count_requests(of, second, number).await {
            Ok(used) => used,
            Err(error) => {
                // A limit is no reason to refuse what could be answered.
                tracing::warn!(of, error = %error.internal_text(), "a limit could not be kept");
                return Ok(());
            }
        };
        let given = (limit - (used - number)).clamp(0, number);
        if let Ok(mut windows) = self.windows.lock()
            && let Some(window) = windows.get_mut(of).filter(|window| window.second == second)
        {
            window.left += (given - 1).max(0);
            window.next = (number * 2).min(limit / 10).max(1);
            window.is_full |= given < number || used >= limit;
        }
        if given > 0 { Ok(()) } else { full() }
    }

    /// Reads a project's limit again at its next request.
    pub(super) fn forget_project(&self, project: &str) {
        if let Ok(mut projects) = self.projects.lock() {
            projects.remove(project);
        }
    }

    /// The requests per second that a project may be asked; 0 where there is
    /// no such project, which its operation will say.
    pub(super) async fn project_limit(&self, db: &Db, project: &str) -> i64 {
        if let Ok(projects) = self.projects.lock()
            && let Some((read, limit)) = projects.get(project)
            && read.elapsed() < LIMIT_KNOWN_FOR
        {
            return *limit;
        }
        let found = match db.project(project).await {
            Ok(found) => found,
            Err(error) => {
                if error.is_transient() {
                    // A limit is no reason to refuse what could be answered.
                    tracing::warn!(project, error = %error.internal_text(), "a limit could not be read");
                }
                return 0;
            }
        };
        if let Ok(mut projects) = self.projects.lock() {
            if projects.len() >= MOST {
                projects.clear();
            }
            projects.insert(project.to_owned(), (Instant::now(), found.queries_per_second));
        }
        found.queries_per_second
    }
}
