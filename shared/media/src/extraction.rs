//! The driver loop: what is needed next, and the record at the end.

use std::ops::Range;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::ctx::Ctx;
use crate::detect::Kind;
use crate::metadata::{MediaType, Metadata};
use crate::source::Source;
use crate::{HEAD_BYTES, WHOLE_BYTES};

/// What is known of the object before any byte is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObjectInfo<'a> {
    /// Length in bytes (from `Content-Range` of the first GET).
    pub size: u64,
    /// `Content-Type` as stored with the object. A hint, never trusted.
    pub content_type: Option<&'a str>,
    /// Object key or file name; only its extension is looked at.
    pub name: &'a str,
}

/// Which families of extraction run (decided by the workflow template).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Features {
    /// `MIME`: ContentType and MediaType from the content.
    pub mime: bool,
    /// `EXIF`: dimensions, EXIF, XMP and IPTC of images.
    pub exif: bool,
    /// `MediaMeta`: streams, durations and tags of video and audio.
    pub media: bool,
    /// Properties of documents (title, authors, pages).
    pub document: bool,
    /// Entry count of archives.
    pub archive: bool,
    /// `ReGEO`: Addresses from LatLong (needs the crate feature `geocode`).
    pub geocode: bool,
}

impl Features {
    /// Everything this crate can do.
    pub const fn all() -> Self {
        Features { mime: true, exif: true, media: true, document: true, archive: true, geocode: true }
    }

    /// Nothing: the object is never read (`Official:OSSBasicMeta`).
    pub const fn none() -> Self {
        Features { mime: false, exif: false, media: false, document: false, archive: false, geocode: false }
    }

    /// Whether any byte of the object is wanted.
    pub const fn reads_object(self) -> bool {
        self.mime || self.exif || self.media || self.document || self.archive
    }
}

impl Default for Features {
    fn default() -> Self {
        Features::all()
    }
}

/// Bounds per object. Each one that bites is recorded as a [`Problem`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes read of the object, all ranges together.
    pub max_bytes: u64,
    /// Ranges read of the object.
    pub max_gets: u32,
    /// Time spent inside [`Extraction::step`]: CPU time where the system tells it
    /// for a thread; one step is also stopped when as much time has passed.
    pub max_cpu: Duration,
    /// Bytes held at a time: what was read of the object, and on top of it the
    /// largest buffer that the content's own lengths call for (inflated streams,
    /// copies for parsers that need them). Trees and texts made of such a buffer
    /// are bounded by it in turn.
    pub max_memory: usize,
    /// EXIF tags kept.
    pub max_exif_tags: usize,
    /// Bytes of one EXIF value's text.
    pub max_exif_value: usize,
    /// Bytes of any other text field.
    pub max_text: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            max_bytes: 16 * 1024 * 1024,
            max_gets: 8,
            max_cpu: Duration::from_secs(2),
            max_memory: 24 * 1024 * 1024,
            max_exif_tags: 200,
            max_exif_value: 1024,
            max_text: 4096,
        }
    }
}

/// Answer of [`Extraction::step`].
#[derive(Debug)]
pub enum Step {
    /// These ranges are needed, one GET each: sorted, disjoint, inside the object.
    /// Supply any of them and step again.
    Need(Vec<Range<u64>>),
    /// Nothing more to read.
    Done(Box<Record>),
}

/// What the object was taken for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detected {
    /// Short name of the format, e.g. `jpeg`, `mp4`, `docx`.
    pub format: String,
    /// MIME type.
    pub content_type: String,
    /// Kind.
    pub media_type: MediaType,
}

/// Class of a [`Problem`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProblemKind {
    /// The bytes contradict their format.
    Malformed,
    /// A limit bit; `why` names it.
    Limit,
    /// This crate does not read that (part of a) format.
    Unsupported,
    /// The caller could not supply bytes.
    Unread,
    /// A parser failed.
    Panic,
}

/// Something that was not read, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Class.
    pub kind: ProblemKind,
    /// The part: `exif`, `moov`, `object` ...
    pub what: String,
    /// The reason, for people.
    pub why: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.what, self.why)
    }
}

/// The result: metadata, and how it came about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// What the bytes say. Kept even where problems are listed.
    pub metadata: Metadata,
    /// What the object was taken for; absent where nothing was read.
    pub detected: Option<Detected>,
    /// XXH3-128 of the whole object in hex, where all of it was read anyway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_hash: Option<String>,
    /// Ranges supplied, in order.
    pub ranges_read: Vec<Range<u64>>,
    /// Bytes supplied.
    pub bytes_read: u64,
    /// CPU time spent in the extraction (time passed, where the system does not
    /// tell a thread's).
    pub cpu: Duration,
    /// What could not be read and why; empty for a complete record.
    pub problems: Vec<Problem>,
}

impl Record {
    /// Number of ranges read (GETs).
    pub fn gets(&self) -> u32 {
        self.ranges_read.len() as u32
    }

    /// Whether something is missing from the record.
    pub fn is_partial(&self) -> bool {
        !self.problems.is_empty()
    }

    /// The problems as one line for `Reason`, none where there is none.
    pub fn reason(&self) -> Option<String> {
        if self.problems.is_empty() {
            return None;
        }
        Some(self.problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
    }
}

/// Gap between two needed ranges up to which one GET takes both: a request costs
/// about as much as this many bytes.
const COALESCE_GAP: u64 = 64 * 1024;

/// Least length of a range asked for, so that a reader that goes by a few bytes
/// at a time does not cost a request each time.
const MIN_RANGE: u64 = 16 * 1024;

/// CPU time of this thread, where the system tells it.
fn thread_time() -> Option<Duration> {
    #[cfg(unix)]
    {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        Some(Duration::new(time.tv_sec.try_into().ok()?, time.tv_nsec.try_into().ok()?))
    }
    #[cfg(not(unix))]
    None
}

/// One object between its bytes and its [`Record`].
#[derive(Debug)]
pub struct Extraction {
    source: Source,
    content_type: Option<String>,
    name: String,
    features: Features,
    limits: Limits,
    ranges_read: Vec<Range<u64>>,
    bytes_read: u64,
    cpu: Duration,
    asked: Vec<Range<u64>>,
}

impl Extraction {
    /// Starts on an object; reads nothing.
    pub fn new(info: ObjectInfo<'_>, features: Features, limits: Limits) -> Self {
        Extraction {
            source: Source::new(info.size),
            content_type: info.content_type.map(str::to_owned),
            name: info.name.to_owned(),
            features,
            limits,
            ranges_read: Vec::new(),
            bytes_read: 0,
            cpu: Duration::ZERO,
            asked: Vec::new(),
        }
    }

    /// Hands over bytes of the object from `range_start` on. May be called before
    /// the first [`Extraction::step`] with the head, and with more than was asked.
    pub fn supply(&mut self, range_start: u64, bytes: impl Into<Vec<u8>>) {
        let bytes = bytes.into();
        let end = range_start.saturating_add(bytes.len() as u64);
        self.bytes_read = self.bytes_read.saturating_add(bytes.len() as u64);
        self.ranges_read.push(range_start..end);
        self.source.supply(range_start, bytes);
    }

    /// Runs as far as the bytes held allow. After `Done` there is nothing left
    /// to do; stepping again gives the same record.
    pub fn step(&mut self) -> Step {
        if !self.features.reads_object() || self.source.size() == 0 {
            return Step::Done(Box::new(self.pass().0));
        }
        let head = 0..HEAD_BYTES.min(self.source.size());
        if self.source.held() == 0 && self.asked.is_empty() {
            self.asked = vec![head.clone()];
            return Step::Need(vec![head]);
        }
        let (mut record, missing) = self.pass();
        if missing.is_empty() {
            return Step::Done(Box::new(record));
        }
        match self.plan(missing) {
            Ok(ranges) => {
                self.asked.clone_from(&ranges);
                Step::Need(ranges)
            }
            Err(problem) => {
                record.problems.push(problem);
                Step::Done(Box::new(record))
            }
        }
    }

    /// Ends with what is held, because the caller could not read on.
    pub fn finish_partial(mut self, why: &str) -> Record {
        let (mut record, _) = self.pass();
        record.problems.push(Problem {
            kind: ProblemKind::Unread,
            what: "object".into(),
            why: why.to_owned(),
        });
        record
    }

    /// One pass of all readers over what is held.
    fn pass(&mut self) -> (Record, Vec<Range<u64>>) {
        let (start, before) = (Instant::now(), thread_time());
        let left = self.limits.max_cpu.saturating_sub(self.cpu);
        let mut ctx = Ctx {
            src: &self.source,
            name: &self.name,
            declared_type: self.content_type.as_deref(),
            features: self.features,
            kind: Kind::UNKNOWN,
            limits: &self.limits,
            meta: Metadata::default(),
            utc: false,
            problems: Vec::new(),
            deadline: start.checked_add(left).unwrap_or(start),
        };
        let detected = crate::extract(&mut ctx);
        let Ctx { meta, problems, .. } = ctx;
        let missing = self.source.take_missing();
        let whole = self.source.held_from(0);
        let content_hash =
            (missing.is_empty() && !whole.is_empty() && whole.len() as u64 == self.source.size())
                .then(|| format!("{:032x}", xxhash_rust::xxh3::xxh3_128(whole)));
        // Waiting for a core is no work on the object.
        let spent = match (before, thread_time()) {
            (Some(before), Some(after)) => after.saturating_sub(before),
            _ => start.elapsed(),
        };
        self.cpu = self.cpu.saturating_add(spent);
        let record = Record {
            metadata: meta,
            detected,
            content_hash,
            ranges_read: self.ranges_read.clone(),
            bytes_read: self.bytes_read,
            cpu: self.cpu,
            problems,
        };
        (record, missing)
    }

    /// Turns what readers missed into as few GETs as pay, or says which limit
    /// forbids them.
    fn plan(&self, missing: Vec<Range<u64>>) -> Result<Vec<Range<u64>>, Problem> {
        let limit = |why: String| Problem { kind: ProblemKind::Limit, what: "object".into(), why };
        let size = self.source.size();
        let first = missing.first().cloned().unwrap_or(0..0);
        let ranges = if size <= WHOLE_BYTES && !self.source.wants_little() {
            self.source.gaps(0..size)
        } else {
            let mut ranges: Vec<Range<u64>> = Vec::new();
            for range in missing {
                let end = range.end.max(range.start.saturating_add(MIN_RANGE)).min(size);
                match ranges.last_mut() {
                    Some(last) if range.start <= last.end.saturating_add(COALESCE_GAP) => {
                        last.end = last.end.max(end)
                    }
                    _ => ranges.push(range.start..end),
                }
            }
            ranges.into_iter().flat_map(|r| self.source.gaps(r)).collect()
        };
        if ranges == self.asked || ranges.is_empty() {
            return Err(Problem {
                kind: ProblemKind::Unread,
                what: "object".into(),
                why: format!("bytes {}..{} were asked for and not supplied", first.start, first.end),
            });
        }
        if self.cpu >= self.limits.max_cpu {
            return Err(limit(format!("max_cpu of {} ms reached", self.limits.max_cpu.as_millis())));
        }
        // Whatever is read is held.
        let memory = (self.limits.max_memory as u64).saturating_sub(self.source.held());
        let left = self.limits.max_bytes.saturating_sub(self.bytes_read);
        let (mut room, name, most) = match memory < left {
            true => (memory, "max_memory", self.limits.max_memory as u64),
            false => (left, "max_bytes", self.limits.max_bytes),
        };
        let gets = (self.limits.max_gets as usize).saturating_sub(self.ranges_read.len());
        let mut plan = Vec::new();
        for range in ranges {
            let len = range.end - range.start;
            if plan.len() >= gets {
                if plan.is_empty() {
                    return Err(limit(format!("max_gets of {} reached", self.limits.max_gets)));
                }
                break;
            }
            if len > room {
                if plan.is_empty() {
                    return Err(limit(format!(
                        "{name} of {most} reached: bytes {}..{} are needed too",
                        range.start, range.end
                    )));
                }
                break;
            }
            room -= len;
            plan.push(range);
        }
        Ok(plan)
    }
}
