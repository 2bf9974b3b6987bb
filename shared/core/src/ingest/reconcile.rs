//! The one path from a hint to a row, level-triggered: whatever the hint says,
//! the object's present state is read and the row is made to describe it.
//!
//! 1. Read the row.
//! 2. A hint whose sequencer is not later than the row's is stale.
//! 3. Read the object.
//! 4. The same version: stop, or (where tags, storage class or access may have
//!    changed) put what storage says of it into the record that is there. After
//!    an event that is later than the row's, nothing counts as the same.
//! 5. Extract.
//! 6. Write under the `rev` of step 1, with the counters.
//! 7. On conflict, start again.

use std::collections::HashMap;

use futures::StreamExt;
use futures::future::BoxFuture;
use serde_json::{Map, Value};

use super::attributes::replace;
use super::careful;
use super::hint::{Hint, Outcome};
use super::object::{Facts, Fetched, describe, fetch, fetch_again, is_marker, read_attributes};
use super::sidecars;
use super::text;
use crate::context::Context;
use crate::error::Error;
use crate::ledger::{
    Change, Committed, Origin, Row, RowKey, Source, Status, addresses_of, commit, read_rows,
};
use crate::model::{ObjectUri, Template, Timestamp, template_of};
use crate::query::Needs;
use crate::simulation::{Safeguard, is_off};
use crate::state::Dataset;

/// How often a hint starts again after a conflict before it is given back.
const MAX_ROUNDS: u32 = 10;
/// Why it is given back.
const BUSY: &str = "a row kept being written by others";
/// How long a tombstone is kept: longer than any event is late.
const TOMBSTONE_SECONDS: i64 = 86_400;
/// Rows that are gathered into one commit.
const COMMIT_ROWS: usize = 99;

/// The dataset that hints are processed for.
#[derive(Debug, Clone)]
pub struct Target {
    /// The dataset's project.
    pub project: String,
    /// The dataset's name.
    pub dataset: String,
    /// The dataset's id.
    pub dataset_id: String,
    /// Its partitions.
    pub partitions: u32,
    /// Its counter shards.
    pub shards: u32,
    /// What its template has read.
    pub template: Template,
}

impl Target {
    /// A dataset, with the template of its project where it names none.
    pub fn new(dataset: &Dataset, project_template: &str) -> Self {
        let id = if dataset.template_id.is_empty() { project_template } else { &dataset.template_id };
        Self {
            project: dataset.project.clone(),
            dataset: dataset.name.clone(),
            dataset_id: dataset.id.clone(),
            partitions: dataset.partitions,
            shards: dataset.shards,
            // An id that is no template any more reads as the default one.
            template: template_of(id).or_else(|| template_of("")).unwrap_or(Template {
                features: mediadex_media::Features::all(),
                lacking: &[],
                tags_by_scan: false,
                text: false,
                sidecars: false,
            }),
        }
    }
}

/// What is to be done with one hint after its row and its object were read.
enum Decision {
    Settled(Outcome),
    Write { change: Box<Change>, then: Outcome },
}

/// Processes hints and says of each what became of it, in their order. Hints of
/// one object are processed as one.
///
/// The future is boxed: it is deep, and part of every entry point.
pub fn reconcile<'a>(ctx: &'a Context, target: &'a Target, hints: Vec<Hint>) -> BoxFuture<'a, Vec<Outcome>> {
    Box::pin(async move {
        let outcomes = if ctx.is_careful() || hints.iter().any(|hint| hint.careful) {
            careful::one_by_one(ctx, target, hints).await
        } else {
            reconcile_all(ctx, target, hints).await
        };
        let count = |is: fn(&Outcome) -> bool| outcomes.iter().filter(|outcome| is(outcome)).count();
        ctx.usage.indexed(count(|outcome| matches!(outcome, Outcome::Indexed)));
        ctx.usage.failed(count(|outcome| {
            matches!(outcome, Outcome::Failed(_) | Outcome::Unreadable(_) | Outcome::GivenUp(_))
        }));
        outcomes
    })
}

/// Processes hints together, without the care that objects may need.
pub(super) async fn reconcile_all(ctx: &Context, target: &Target, hints: Vec<Hint>) -> Vec<Outcome> {
    let count = hints.len();
    let mut outcomes: Vec<Option<Outcome>> = (0..count).map(|_| None).collect();
    let (open, follows) = merge(hints);
    // Sidecars last: the rows of their main objects are right by then.
    let (last, first): (Vec<Placed>, Vec<Placed>) =
        open.into_iter().partition(|(_, hint)| sidecars::is_sidecar(target, &hint.uri));
    for mut open in [first, last] {
        for round in 0..MAX_ROUNDS {
            if open.is_empty() {
                break;
            }
            if round > 0 {
                crate::state::pause(round.min(4)).await;
            }
            open = one_round(ctx, target, open, &mut outcomes).await;
        }
        for (index, _) in open {
            set(&mut outcomes, index, Outcome::Failed(Error::unavailable(BUSY)));
        }
    }
    for (index, leader) in follows {
        if let Some(outcome) = outcomes.get(leader).cloned().flatten() {
            set(&mut outcomes, index, outcome);
        }
    }
    outcomes.into_iter().map(|outcome| outcome.unwrap_or(Outcome::Unchanged)).collect()
}

fn set(outcomes: &mut [Option<Outcome>], index: usize, outcome: Outcome) {
    if let Some(place) = outcomes.get_mut(index) {
        *place = Some(outcome);
    }
}

/// A hint with its place among those that were given.
type Placed = (usize, Hint);

/// Makes one hint of all hints of an object: the latest sequencer, the last
/// manual call. Gives the hints to work off with their places, and the places
/// that take their outcome from another.
fn merge(hints: Vec<Hint>) -> (Vec<Placed>, Vec<(usize, usize)>) {
    let mut leaders: HashMap<ObjectUri, usize> = HashMap::with_capacity(hints.len());
    let mut open: Vec<(usize, Hint)> = Vec::with_capacity(hints.len());
    let mut follows = Vec::new();
    for (index, hint) in hints.into_iter().enumerate() {
        match leaders.get(&hint.uri) {
            None => {
                leaders.insert(hint.uri.clone(), open.len());
                open.push((index, hint));
            }
            Some(position) => {
                if let Some((leader, first)) = open.get_mut(*position) {
                    follows.push((index, *leader));
                    if is_later(hint.seq.as_deref(), first.seq.as_deref()) {
                        first.seq = hint.seq;
                    }
                    first.manual = match (first.manual.take(), hint.manual) {
                        (Some(earlier), Some(later)) => Some(later.over(&earlier)),
                        (earlier, later) => later.or(earlier),
                    };
                    first.attempt = first.attempt.max(hint.attempt);
                    first.attributes |= hint.attributes;
                    first.avoid = first.avoid.take().or(hint.avoid);
                    first.is_guess &= hint.is_guess;
                    first.text &= hint.text;
                    first.sidecar = first.sidecar.take().filter(|_| hint.sidecar.is_some());
                }
            }
        }
    }
    (open, follows)
}

/// Whether sequencer `a` comes after `b`. They compare within one key only:
/// the shorter is padded with zeros on the right, then both as text.
pub(crate) fn is_later(a: Option<&str>, b: Option<&str>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => {
            let width = a.len().max(b.len());
            format!("{a:0<width$}") > format!("{b:0<width$}")
        }
        (Some(_), None) => true,
        (None, _) => false,
    }
}

/// Reads, decides and writes each open hint once; gives those that met a conflict.
async fn one_round(
    ctx: &Context,
    target: &Target,
    open: Vec<(usize, Hint)>,
    outcomes: &mut [Option<Outcome>],
) -> Vec<(usize, Hint)> {
    let unseen: Vec<ObjectUri> =
        open.iter().filter(|(_, hint)| hint.seen.is_none()).map(|(_, hint)| hint.uri.clone()).collect();
    let mut rows = match read_rows(&ctx.db, &target.dataset_id, target.partitions, &unseen).await {
        Ok(rows) => rows,
        Err(error) => {
            for (index, _) in open {
                set(outcomes, index, Outcome::Failed(error.clone()));
            }
            return Vec::new();
        }
    };
    let looked_at: Vec<(usize, Hint, Option<Row>)> = open
        .into_iter()
        .map(|(index, mut hint)| {
            let row = match hint.seen.take() {
                Some(seen) => seen.map(|row| *row),
                None => rows.remove(&hint.uri),
            };
            (index, hint, row)
        })
        .collect();
    let mut again = Vec::new();
    let mut writes: Vec<(usize, Hint, Change, Outcome)> = Vec::new();
    let decisions = futures::stream::iter(looked_at)
        .map(|(index, mut hint, row)| async move {
            if let Some(file) = &hint.manual {
                hint.addresses = addresses_of(file, &target.template);
            }
            let decision = Box::pin(decide_in_order(ctx, target, &hint, row)).await;
            (index, hint, decision)
        })
        .buffer_unordered(ctx.config.read_concurrency);
    let mut decisions = std::pin::pin!(decisions);
    while let Some((index, hint, decision)) = decisions.next().await {
        match decision {
            Decision::Settled(outcome) => set(outcomes, index, outcome),
            Decision::Write { change, then } => writes.push((index, hint, *change, then)),
        }
        if writes.len() == COMMIT_ROWS {
            write(ctx, target, std::mem::take(&mut writes), outcomes, &mut again).await;
        }
    }
    write(ctx, target, writes, outcomes, &mut again).await;
    again
}

async fn write(
    ctx: &Context,
    target: &Target,
    writes: Vec<(usize, Hint, Change, Outcome)>,
    outcomes: &mut [Option<Outcome>],
    again: &mut Vec<(usize, Hint)>,
) {
    if writes.is_empty() {
        return;
    }
    let changes: Vec<Change> = writes.iter().map(|(_, _, change, _)| change.clone()).collect();
    let committed = commit(&ctx.db, &target.dataset_id, target.shards, &changes).await;
    ctx.usage.settled(committed.iter().filter(|outcome| matches!(outcome, Committed::Written)).count());
    for ((index, hint, change, then), committed) in writes.into_iter().zip(committed) {
        match committed {
            Committed::Written => {
                text::send(ctx, target, &change.new).await;
                set(outcomes, index, then);
            }
            // A page of a scan may be older than the row that was met.
            Committed::Conflict => again.push((index, Hint { beside: None, ..hint })),
            Committed::NoRoom => set(outcomes, index, Outcome::LimitExceeded),
            Committed::Gone => set(outcomes, index, Outcome::DatasetGone),
            Committed::Failed(error) => set(outcomes, index, Outcome::Failed(error)),
        }
    }
}

/// Records objects as failed before the last attempt at them: a worker that dies
/// of an object every time could never say so. The attempt itself puts it right.
pub(super) async fn expect_the_worst(ctx: &Context, target: &Target, hints: &[Hint]) {
    let (open, _) = merge(hints.to_vec());
    let uris: Vec<ObjectUri> = open.iter().map(|(_, hint)| hint.uri.clone()).collect();
    // Where the store does not answer, the attempt fails as well and comes again.
    let Ok(mut rows) = read_rows(&ctx.db, &target.dataset_id, target.partitions, &uris).await else { return };
    let now = Timestamp::now();
    let why = format!("{} attempts at the object have ended without an answer", ctx.config.max_attempts);
    let changes: Vec<Change> = open
        .iter()
        .filter_map(|(_, hint)| {
            let row = rows.remove(&hint.uri);
            let is_stale = row
                .as_ref()
                .is_some_and(|row| row.seq.is_some() && !is_later(hint.seq.as_deref(), row.seq.as_deref()));
            let is_known = row.as_ref().is_some_and(|row| row.failed_attempts.is_some());
            if is_stale || is_known || hint.seq.is_none() {
                return None;
            }
            // The event is processed only when the object was read.
            let unordered = Hint { seq: None, ..hint.clone() };
            match unreadable(target, &unordered, row, now, None, &why, Outcome::Indexed) {
                Decision::Write { change, .. } => Some(*change),
                Decision::Settled(_) => None,
            }
        })
        .collect();
    commit(&ctx.db, &target.dataset_id, target.shards, &changes).await;
}

/// Decides on one hint. Where it is of a sidecar, its main objects are read again before
/// its row is written.
async fn decide_in_order(ctx: &Context, target: &Target, hint: &Hint, row: Option<Row>) -> Decision {
    let decision = Box::pin(decide(ctx, target, hint, row)).await;
    let Decision::Write { change, .. } = &decision else { return decision };
    match sidecars::mains_first(ctx, target, hint, change).await {
        None => decision,
        Some(outcome) => Decision::Settled(outcome),
    }
}

/// Decides on one hint: reads the object and makes the row that describes it.
async fn decide(ctx: &Context, target: &Target, hint: &Hint, row: Option<Row>) -> Decision {
    if let Some(row) = &row
        && hint.seq.is_some()
        && hint.manual.is_none()
        && !hint.attributes
        && row.seq.is_some()
        // One that was given up is sent again on purpose.
        && row.failed_attempts.is_none()
        && !is_later(hint.seq.as_deref(), row.seq.as_deref())
        && !is_off(Safeguard::Sequencer)
    {
        return Decision::Settled(Outcome::Stale);
    }
    match careful::avoided(ctx, target, hint, row.as_ref()).await {
        Err(error) => return Decision::Settled(Outcome::Failed(error)),
        Ok(Some(facts)) => return avoid(target, hint, row, facts),
        Ok(None) => {}
    }
    if let (true, Some(row)) = (hint.text, &row) {
        return text_alone(ctx, target, row).await;
    }
    if let Some(write) = hint.sidecar.as_ref().and_then(|of| sidecars::is_known(of, row.as_ref())) {
        return keep(row, write);
    }
    let look = match sidecars::look(ctx, target, hint, row.as_ref()).await {
        Ok(look) => look,
        Err(error) => return Decision::Settled(Outcome::Failed(error)),
    };
    if let Some(write) = sidecars::is_right(hint, &look, row.as_ref()) {
        return keep(row, write);
    }
    // A manual call has the object read again; so has a row that failed before, or that
    // was made with other sidecars.
    let source =
        row.as_ref().filter(|row| row.status != Status::Tombstone).and_then(|row| row.source.as_ref());
    let known = source.filter(|_| {
        let has_failed = row.as_ref().is_some_and(|row| row.failed_attempts.is_some());
        hint.manual.is_none() && !has_failed && !look.is_other
    });
    let now = Timestamp::now();
    let features = target.template.features;
    let is_live = row.as_ref().is_some_and(|row| row.status == Status::Live);
    let was_written = row.as_ref().is_some_and(|row| was_written_since(row, hint));
    let fetched = match known {
        Some(known) if was_written => fetch_again(ctx, &hint.uri, features, Some(known)).await,
        Some(known) if hint.attributes && is_live => read_attributes(ctx, &hint.uri, features, known).await,
        _ => fetch(ctx, &hint.uri, features, known).await,
    };
    let is_absent = row.is_none();
    match without_marker(fetched, hint, known) {
        Fetched::Same => Decision::Settled(Outcome::Unchanged),
        Fetched::Attributes { facts } => other_attributes(target, hint, row, &facts, now),
        Fetched::Gone => gone(target, hint, row, now),
        // Storage that refuses may do so because there is no such object.
        Fetched::Refused { facts: None, .. } if hint.is_guess && is_absent => {
            Decision::Settled(Outcome::Removed)
        }
        // Its record is worth more than what sidecars would change.
        Fetched::Refused { facts: Some(facts), .. }
            if look.is_other && source.is_some_and(|source| source.same_version(&facts.source)) =>
        {
            other_attributes(target, hint, row, &facts, now)
        }
        Fetched::Read { facts, mut record } => {
            let mut new = next_row(target, hint, row.as_ref(), now);
            new.failed_attempts = None;
            if let Some(record) = &mut record {
                let size = facts.source.size;
                match sidecars::read(ctx, target, hint, look, size, record).await {
                    Ok(seen) => new.sidecars = seen,
                    Err(error) => return Decision::Settled(Outcome::Failed(error)),
                }
            }
            let described = describe(*facts, record.as_deref());
            new.text = text::mark_of(target, &described.1);
            store(&mut new, hint, described, row, Outcome::Indexed)
        }
        Fetched::Refused { facts, why } => unreadable(
            target,
            hint,
            row,
            now,
            facts.map(|facts| *facts),
            &why,
            Outcome::Unreadable(why.clone()),
        ),
        Fetched::Failed(error) => {
            if hint.attempt + 1 < ctx.config.max_attempts {
                return Decision::Settled(Outcome::Failed(error));
            }
            tracing::warn!(uri = %hint.uri, error = %error.internal_text(), "an object could not be read");
            let why =
                format!("object storage did not give the object in {} attempts", ctx.config.max_attempts);
            if hint.is_guess && is_absent {
                return Decision::Settled(Outcome::GivenUp(why));
            }
            unreadable(target, hint, row, now, None, &why, Outcome::GivenUp(why.clone()))
        }
    }
}

/// The row describes the object, and says nothing of its text, or that this is still to
/// be read: what was sent to have it read may be lost.
async fn text_alone(ctx: &Context, target: &Target, row: &Row) -> Decision {
    if row.text.is_some() {
        text::send(ctx, target, row).await;
        return Decision::Settled(Outcome::Unchanged);
    }
    let mut new = row.clone();
    match row.metadata(&Needs::All) {
        Ok(fields) => new.text = text::mark_of(target, &fields),
        Err(error) => return Decision::Settled(Outcome::Failed(error)),
    }
    if row.status != Status::Live || new.text.is_none() {
        return Decision::Settled(Outcome::Unchanged);
    }
    Decision::Write { change: Box::new(Change { old: Some(row.clone()), new }), then: Outcome::Unchanged }
}

/// The row says what it should. It is written nevertheless where another worker may have
/// seen something else in between.
fn keep(row: Option<Row>, write: bool) -> Decision {
    match row.filter(|_| write && !is_off(Safeguard::SidecarRev)) {
        Some(row) => {
            let change = Box::new(Change { new: row.clone(), old: Some(row) });
            Decision::Write { change, then: Outcome::Unchanged }
        }
        None => Decision::Settled(Outcome::Unchanged),
    }
}

/// An object that is not read, because that ends the process. A row that says so of
/// the same content stays as it is.
fn avoid(target: &Target, hint: &Hint, row: Option<Row>, facts: Facts) -> Decision {
    let then = careful::outcome(hint);
    let says_so = row.as_ref().is_some_and(|row| {
        row.status == Status::Live
            && row.failed_attempts.is_some()
            && row.source.as_ref().is_some_and(|source| source.same_object(&facts.source))
            && !is_later(hint.seq.as_deref(), row.seq.as_deref())
    });
    if says_so && hint.manual.is_none() {
        return Decision::Settled(then);
    }
    tracing::error!(uri = %hint.uri, reason = careful::REASON, "an object is left out");
    unreadable(target, hint, row, Timestamp::now(), Some(facts), careful::REASON, then)
}

/// A folder's marker is no file: there is nothing to index.
fn without_marker(fetched: Fetched, hint: &Hint, known: Option<&Source>) -> Fetched {
    let size = match &fetched {
        Fetched::Read { facts, .. } | Fetched::Attributes { facts } => Some(facts.source.size),
        Fetched::Same => known.map(|known| known.size),
        _ => None,
    };
    if size.is_some_and(|size| is_marker(&hint.uri.key, size)) { Fetched::Gone } else { fetched }
}

/// Whether a hint tells of a write that the row does not know: a later event, or
/// the first one of an object that a scan has found. The object is then read
/// again even where it looks the same, because a second write within the second
/// that dates have may leave all of size, ETag and date as they were. This is
/// once for each event; one that comes again has the row's sequencer.
///
/// A file that was deleted by hand comes back with a write that is known to be
/// later than the deletion, not with the late event of the version that went.
fn was_written_since(row: &Row, hint: &Hint) -> bool {
    (row.seq.is_some() || row.status == Status::Live) && is_later(hint.seq.as_deref(), row.seq.as_deref())
}

/// The content is what the row describes: the record is kept, and what storage
/// says of the object is replaced in it.
///
/// A hint of attributes is written even where it finds nothing new: tags that
/// were changed and changed back would let another worker, who read them in
/// between, write them under the `rev` that both have read.
fn other_attributes(
    target: &Target,
    hint: &Hint,
    row: Option<Row>,
    facts: &Facts,
    now: Timestamp,
) -> Decision {
    // A file that was deleted by hand stays so until its content changes.
    let Some(row) = row.filter(|row| row.status == Status::Live) else {
        return Decision::Settled(Outcome::Unchanged);
    };
    let old = match row.metadata(&Needs::All) {
        Ok(record) => record,
        Err(error) => return Decision::Settled(Outcome::Failed(error)),
    };
    let mut fields = old.clone();
    replace(&mut fields, facts);
    let mut new = next_row(target, hint, Some(&row), now);
    new.text = row.text;
    new.sidecars = row.sidecars.clone();
    if fields == old {
        if !hint.attributes {
            return Decision::Settled(Outcome::Unchanged);
        }
        new.updated = row.updated;
        return store(&mut new, hint, (facts.source.clone(), fields), Some(row), Outcome::Unchanged);
    }
    store(&mut new, hint, (facts.source.clone(), fields), Some(row), Outcome::Indexed)
}

/// The row that follows on `old`: what the caller set is kept, what a manual
/// call sets is put on top.
fn next_row(target: &Target, hint: &Hint, old: Option<&Row>, now: Timestamp) -> Row {
    let key = RowKey::of(&target.dataset_id, target.partitions, &hint.uri);
    let origin = if hint.manual.is_some() { Origin::Manual } else { Origin::Automatic };
    let mut new = Row::new(key, &hint.uri, origin, now.0);
    if let Some(old) = old {
        new.rev = old.rev;
        new.seq = old.seq.clone();
        new.failed_attempts = old.failed_attempts;
        if old.status == Status::Live {
            new.created = old.created;
            new.user = old.user.clone();
            if hint.manual.is_none() {
                new.origin = old.origin;
            }
        }
    }
    if is_later(hint.seq.as_deref(), new.seq.as_deref()) {
        new.seq = hint.seq.clone();
    }
    if let Some(file) = &hint.manual {
        new.user.merge(file, hint.addresses.as_ref());
    }
    new
}

fn store(
    new: &mut Row,
    hint: &Hint,
    (mut source, fields): (Source, Map<String, Value>),
    old: Option<Row>,
    then: Outcome,
) -> Decision {
    // A scan compares with listings: where these call the class something else
    // than headers do, remembering theirs ends the difference.
    if let Some(class) = hint.listed.as_ref().and_then(|listed| listed.class.clone()) {
        source.class = Some(class);
    }
    new.source = Some(source);
    match new.set_metadata(&fields) {
        Ok(()) => Decision::Write { change: Box::new(Change { old, new: new.clone() }), then },
        Err(error) => Decision::Settled(Outcome::Failed(error)),
    }
}

/// An object that is there and cannot be read: indexed with what is known, so
/// that a query finds it and says why.
fn unreadable(
    target: &Target,
    hint: &Hint,
    row: Option<Row>,
    now: Timestamp,
    facts: Option<Facts>,
    why: &str,
    then: Outcome,
) -> Decision {
    let mut new = next_row(target, hint, row.as_ref(), now);
    new.failed_attempts = Some(new.failed_attempts.unwrap_or(0) + 1);
    let mut facts = facts.unwrap_or_default();
    if facts.source.etag.is_empty() {
        let old = row.as_ref().filter(|row| row.status == Status::Live).and_then(|row| row.source.clone());
        facts.source = hint.listed.clone().or(old).unwrap_or_default();
    }
    let (source, mut fields) = describe(facts, None);
    fields.insert("ObjectStatus".into(), Value::from("Failed"));
    fields.insert("Reason".into(), Value::from(why));
    store(&mut new, hint, (source, fields), row, then)
}

/// An object that is gone: a tombstone, even where there was no row, so that a
/// worker that is still at work on an earlier hint finds it. A guess of the key
/// leaves none where there was no row. A worker that has just read such an object
/// may then write its row after the object was deleted; the next scan for
/// differences removes that row.
fn gone(target: &Target, hint: &Hint, row: Option<Row>, now: Timestamp) -> Decision {
    let nothing_to_do = row.as_ref().is_some_and(|row| {
        row.status == Status::Tombstone && !is_later(hint.seq.as_deref(), row.seq.as_deref())
    });
    if nothing_to_do {
        return Decision::Settled(Outcome::Removed);
    }
    if row.is_none() && (hint.is_guess || is_off(Safeguard::Tombstone)) {
        return Decision::Settled(Outcome::Removed);
    }
    let key = RowKey::of(&target.dataset_id, target.partitions, &hint.uri);
    let origin = row.as_ref().map_or(Origin::Automatic, |row| row.origin);
    let mut new = Row::new(key, &hint.uri, origin, now.0);
    new.status = Status::Tombstone;
    new.ttl = Some(now.seconds() + TOMBSTONE_SECONDS);
    if let Some(row) = &row {
        new.seq = row.seq.clone();
        new.created = row.created;
    }
    if is_later(hint.seq.as_deref(), new.seq.as_deref()) {
        new.seq = hint.seq.clone();
    }
    Decision::Write { change: Box::new(Change { old: row, new }), then: Outcome::Removed }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequencers_compare_padded() {
        let table = [
            (Some("0055AED6DCD90281E5"), Some("0055AED6DCD90281E4"), true),
            (Some("0055AED6DCD90281E5"), Some("0055AED6DCD90281E5"), false),
            (Some("1"), Some("0FFFFFFF"), true),
            (Some("10"), Some("1"), false),
            (Some("1"), None, true),
            (None, Some("1"), false),
        ];
        for (a, b, later) in table {
            assert_eq!(is_later(a, b), later, "{a:?} {b:?}");
        }
    }

    #[test]
    fn a_later_write_is_read_whatever_the_row_describes() {
        let uri = ObjectUri::new("bucket", "key");
        let mut row = Row::new(RowKey::of("D", 1, &uri), &uri, Origin::Automatic, 1);
        let mut hint = Hint::new(uri);
        let table = [
            (Status::Live, Some("01"), Some("02"), true),
            (Status::Live, Some("02"), Some("02"), false),
            (Status::Live, Some("02"), Some("01"), false),
            (Status::Live, Some("02"), None, false),
            // A scan has found it.
            (Status::Live, None, Some("01"), true),
            (Status::Live, None, None, false),
            (Status::UserDeleted, Some("01"), Some("02"), true),
            // Perhaps the late event of what was deleted.
            (Status::UserDeleted, None, Some("01"), false),
        ];
        for (status, known, told, want) in table {
            row.status = status;
            row.seq = known.map(str::to_owned);
            hint.seq = told.map(str::to_owned);
            assert_eq!(was_written_since(&row, &hint), want, "{status:?} {known:?} {told:?}");
        }
    }

    #[test]
    fn hints_of_one_object_become_one() {
        let uri = ObjectUri::new("bucket", "key");
        let mut first = Hint::new(uri.clone());
        first.seq = Some("02".into());
        let mut second = Hint::new(uri.clone());
        second.seq = Some("01".into());
        let other = Hint::new(ObjectUri::new("bucket", "other"));
        let (open, follows) = merge(vec![first, other, second]);
        assert_eq!(open.len(), 2);
        assert_eq!(follows, vec![(2, 0)]);
        assert_eq!(open.first().and_then(|(_, hint)| hint.seq.clone()).as_deref(), Some("02"));
    }
}
