//! What a reader works with: the bytes, the limits, and the record it fills.

use std::time::Instant;

use crate::detect::Kind;
use crate::extraction::{Features, Limits, Problem, ProblemKind};
use crate::metadata::Metadata;
use crate::source::{Parse, Source, Stop};

/// One pass over an object.
pub(crate) struct Ctx<'a> {
    pub(crate) src: &'a Source,
    pub(crate) name: &'a str,
    pub(crate) declared_type: Option<&'a str>,
    pub(crate) features: Features,
    pub(crate) kind: Kind,
    pub(crate) limits: &'a Limits,
    pub(crate) meta: Metadata,
    /// Whether `ProduceTime` is UTC because its format says so, and the zone of
    /// where it was made is not known.
    pub(crate) utc: bool,
    pub(crate) problems: Vec<Problem>,
    pub(crate) deadline: Instant,
}

impl Ctx<'_> {
    /// Stops a loop when the time for this object is used up.
    pub(crate) fn tick(&self) -> Parse {
        if Instant::now() >= self.deadline { Err(Stop::Limit("max_cpu reached")) } else { Ok(()) }
    }

    /// Bytes that a buffer may take beside what is held of the object.
    pub(crate) fn room(&self) -> usize {
        self.limits.max_memory.saturating_sub(usize::try_from(self.src.held()).unwrap_or(usize::MAX))
    }

    /// Names the format more precisely, within the same kind of media.
    pub(crate) fn refine(&mut self, format: &'static str, mime: &'static str) {
        self.kind = Kind { format, mime, ..self.kind };
    }

    /// Runs one part; where it stops, the reason is recorded and the rest goes on.
    pub(crate) fn part(&mut self, what: &str, run: impl FnOnce(&mut Self) -> Parse) {
        if let Err(stop) = run(self) {
            self.stopped(what, stop);
        }
    }

    /// Records why `what` was not read. Missing bytes are the driver's business.
    pub(crate) fn stopped(&mut self, what: &str, stop: Stop) {
        let (kind, why) = match stop {
            Stop::Missing => return,
            Stop::Malformed(why) => (ProblemKind::Malformed, why),
            Stop::Limit(why) => (ProblemKind::Limit, why),
            Stop::Unsupported(why) => (ProblemKind::Unsupported, why),
        };
        self.problem(kind, what, why);
    }

    /// Records a problem, once.
    pub(crate) fn problem(&mut self, kind: ProblemKind, what: &str, why: impl Into<String>) {
        let problem = Problem { kind, what: what.to_owned(), why: why.into() };
        if self.problems.len() < 16 && !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    /// Runs other people's code so that a panic in it costs this part only.
    pub(crate) fn guarded<T>(&mut self, what: &str, run: impl FnOnce(&mut Self) -> T) -> Option<T> {
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(self)));
        match caught {
            Ok(value) => Some(value),
            Err(_) => {
                self.problem(ProblemKind::Panic, what, "the parser failed on these bytes");
                None
            }
        }
    }
}
