//! Objects whose reading ends the process. One of them among millions must not keep
//! the others from being indexed, start after start.
//!
//! Where there is reason to fear one (the same work was begun before and has not
//! ended), objects are read one at a time in the whole process, and each attempt is
//! noted before and forgotten after. An object that was being read several times
//! when the process ended is recorded as failed, with a reason that says so. It is
//! not read again until its content changes, another version of the program runs,
//! or a call by hand asks for it, once.

use super::hint::{Hint, Outcome};
use super::object::{Facts, Fetched, head};
use super::reconcile::{Target, reconcile_all};
use super::sidecars;
use crate::context::Context;
use crate::error::Result;
use crate::ledger::Row;

/// Processes hints one at a time; gives what became of each, in their order.
pub(super) async fn one_by_one(ctx: &Context, target: &Target, hints: Vec<Hint>) -> Vec<Outcome> {
    let mut outcomes = Vec::with_capacity(hints.len());
    for hint in hints {
        let _alone = ctx.alone().lock().await;
        let outcome = match one(ctx, target, hint).await {
            Ok(outcome) => outcome,
            Err(error) => Outcome::Failed(error),
        };
        outcomes.push(outcome);
    }
    outcomes
}

async fn one(ctx: &Context, target: &Target, mut hint: Hint) -> Result<Outcome> {
    if sidecars::is_sidecar(target, &hint.uri) {
        // Each of its main objects is noted as itself.
        for main in sidecars::mains(ctx, &hint, None).await? {
            let outcome = Box::pin(one(ctx, target, main)).await?;
            if matches!(outcome, Outcome::Failed(_) | Outcome::DatasetGone) {
                return Ok(outcome);
            }
        }
        hint.mains_are_done = true;
    }
    let mut noted = None;
    if target.template.features.reads_object() {
        match head(ctx, &hint.uri).await {
            Ok(facts) => {
                let attempts = ctx.db.attempts(&target.dataset_id, &hint.uri).await?;
                let count = attempts.as_ref().filter(|a| a.are_of(&facts.source)).map_or(0, |a| a.count);
                // A call by hand has one more attempt.
                if count >= limit(ctx) + u32::from(hint.manual.is_some()) {
                    hint.avoid = Some(Box::new(facts));
                } else {
                    ctx.db.note_attempt(&target.dataset_id, &hint.uri, &facts.source, attempts).await?;
                    noted = Some(hint.uri.clone());
                }
            }
            Err(Fetched::Failed(error)) => return Err(error),
            // Gone, or refused: there is nothing that could be read.
            Err(_) => {}
        }
    }
    let outcome = reconcile_all(ctx, target, vec![hint]).await.pop();
    if let Some(uri) = noted {
        ctx.db.forget_attempts(&target.dataset_id, &uri).await?;
    }
    Ok(outcome.unwrap_or(Outcome::Unchanged))
}

/// Attempts that ended with the process, after which an object is not read again.
/// The first attempt at a piece of work notes nothing, and the last one must not
/// end like the others.
fn limit(ctx: &Context) -> u32 {
    ctx.config.max_attempts.saturating_sub(2).max(1)
}

/// What storage says of an object that is not to be read: `None` for all others.
/// Only rows that have failed are asked about, so that it costs nothing otherwise.
///
/// # Errors
/// When the store or object storage do not answer.
pub(super) async fn avoided(
    ctx: &Context,
    target: &Target,
    hint: &Hint,
    row: Option<&Row>,
) -> Result<Option<Facts>> {
    if let Some(facts) = &hint.avoid {
        return Ok(Some((**facts).clone()));
    }
    let has_failed = row.is_some_and(|row| row.failed_attempts.is_some());
    if !has_failed || hint.manual.is_some() || !target.template.features.reads_object() {
        return Ok(None);
    }
    let Some(attempts) = ctx.db.attempts(&target.dataset_id, &hint.uri).await? else { return Ok(None) };
    if attempts.count < limit(ctx) {
        return Ok(None);
    }
    match head(ctx, &hint.uri).await {
        Ok(facts) => Ok(Some(facts).filter(|facts| attempts.are_of(&facts.source))),
        Err(Fetched::Failed(error)) => Err(error),
        Err(_) => Ok(None),
    }
}

/// Why an object is not read, for `Reason`.
pub(super) const REASON: &str =
    "the process ended several times while it read the object; it is not read again";

/// For tests: a reader that ends the process at objects whose key ends as the
/// configuration says.
pub(super) fn abort_on_purpose(ctx: &Context, key: &str) {
    if ctx.config.abort_on.as_deref().is_some_and(|end| key.ends_with(end)) {
        tracing::error!(key, "the process ends, as MEDIADEX_ABORT_ON has it");
        std::process::abort();
    }
}

/// What came of an object that is not read: a dead letter where a queue sent it.
pub(super) fn outcome(hint: &Hint) -> Outcome {
    if hint.attempt > 0 { Outcome::GivenUp(REASON.into()) } else { Outcome::Unreadable(REASON.into()) }
}
