//! The texts of indexed documents: which are kept, who reads them, and how they
//! come to their rows.
//!
//! A row that is written for a document says that its text is pending; then the
//! work is sent. So a message that is lost leaves something that the next scan finds.
//! A scan has no room for a client of the queue: it leaves pending rows behind, and the
//! last step of its state machine, which is the worker's, sends them.
//!
//! The worker keeps the text before the row says so, and writes the row under the
//! `rev` that it read, as everybody does.

use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use mediadex_text::is_supported;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::events::{BatchReply, ItemFailure};
use super::reconcile::Target;
use crate::context::Context;
use crate::dispatch::{Work, send_text};
use crate::error::{Code, Error, Result};
use crate::ledger::{
    Change, Columns, Committed, Range, Row, Status, TextMark, commit, keep_text, range_partition, read_rows,
    remove_texts,
};
use crate::model::ObjectUri;
use crate::query::Needs;
use crate::text::{DocumentText, TextFailure, read_object};

/// How often the row of a text is read again after a conflict.
const ROUNDS: u32 = 5;
/// Deliveries of a message after which its document is no longer read: it ends its
/// readers.
const DELIVERIES: u32 = 3;

/// What a row says of the text of an object that was just read.
pub(super) fn mark_of(target: &Target, fields: &Map<String, Value>) -> Option<TextMark> {
    if !target.template.text {
        return None;
    }
    let content_type = fields.get("ContentType").and_then(Value::as_str).unwrap_or_default();
    Some(if is_supported(content_type) { TextMark::Pending } else { TextMark::Absent })
}

/// Whether a row has no text of the content that it describes, and should.
pub(super) fn lacks_text(target: &Target, row: &Row) -> bool {
    target.template.text && row.status == Status::Live && matches!(row.text, None | Some(TextMark::Pending))
}

/// Has the text of a row read, where that is pending. What is not sent, the next scan
/// sends.
pub(super) async fn send(ctx: &Context, target: &Target, row: &Row) {
    if row.text != Some(TextMark::Pending) || row.status != Status::Live {
        return;
    }
    let work = Work::Text {
        project: target.project.clone(),
        dataset: target.dataset.clone(),
        dataset_id: target.dataset_id.clone(),
        uri: row.uri().to_string(),
    };
    if let Err(error) = send_text(ctx, work).await {
        tracing::warn!(uri = %row.uri(), error = %error.internal_text(), "the text of a document will be read after the next scan");
    }
}

/// A step behind a scan: it sends the pending texts of the scan's dataset for a while.
/// The reply is the next step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextStep {
    /// The scan run.
    pub run: String,
    /// The partition that is walked.
    #[serde(default)]
    pub partition: u32,
    /// Where its page begins: a sort key.
    #[serde(default)]
    pub start: String,
    /// Whether no more steps are needed.
    #[serde(default)]
    pub done: bool,
}

/// How long a step may take before it hands on.
const STEP: Duration = Duration::from_secs(60);

/// Sends the texts that are pending after a scan. What cannot be sent, the next scan
/// has sent.
///
/// # Errors
/// When the store does not answer.
pub async fn send_pending(ctx: &Context, mut step: TextStep) -> Result<TextStep> {
    let started = Instant::now();
    let ended = TextStep { done: true, ..step.clone() };
    let missing = |error: &Error| error.code() == &Code::ResourceNotFound;
    let run = match ctx.db.run(&step.run).await {
        Err(error) if missing(&error) => return Ok(ended),
        run => run?,
    };
    let dataset = match ctx.db.dataset(&run.project, &run.dataset).await {
        Err(error) if missing(&error) => return Ok(ended),
        Ok(dataset) if dataset.id != run.dataset_id => return Ok(ended),
        dataset => dataset?,
    };
    let target = Target::new(&dataset, &ctx.db.project(&run.project).await?.template_id);
    if !target.template.text {
        return Ok(ended);
    }
    while step.partition < target.partitions {
        let range = Range {
            dataset_id: &target.dataset_id,
            partition: step.partition,
            low: "!",
            high: "\u{10FFFF}",
            columns: Columns::Heads,
            limit: None,
        };
        let start = Some(step.start.clone()).filter(|start| !start.is_empty());
        let (rows, next) = range_partition(&ctx.db, range, start).await?;
        for row in &rows {
            send(ctx, &target, row).await;
        }
        match next {
            Some(next) => step.start = next,
            None => (step.partition, step.start) = (step.partition + 1, String::new()),
        }
        if started.elapsed() > STEP {
            return Ok(step);
        }
    }
    Ok(TextStep { done: true, ..step })
}

/// Takes documents from the text queue: an SQS event whose bodies are [`Work`], or one
/// piece of work as it is; or does the step behind a scan ([`TextStep`]).
pub fn run_text_event(ctx: &Context, event: Value) -> BoxFuture<'_, Result<Value>> {
    Box::pin(async move {
        if event.get("run").is_some() && event.get("work").is_none() {
            let step = serde_json::from_value(event)
                .map_err(|error| Error::invalid_argument(format!("not a step behind a scan: {error}")))?;
            return serde_json::to_value(send_pending(ctx, step).await?).map_err(Error::internal);
        }
        let reply = run_batch(ctx, event).await?;
        serde_json::to_value(reply).map_err(Error::internal)
    })
}

async fn run_batch(ctx: &Context, event: Value) -> Result<BatchReply> {
    if let Ok(work) = serde_json::from_value::<Work>(event.clone()) {
        run_text(ctx, &work, 1).await?;
        return Ok(BatchReply::default());
    }
    let event: aws_lambda_events::sqs::SqsEvent = serde_json::from_value(event)
        .map_err(|error| Error::invalid_argument(format!("not a work event: {error}")))?;
    let mut reply = BatchReply::default();
    for message in event.records {
        let id = message.message_id.unwrap_or_default();
        let received = message.attributes.get("ApproximateReceiveCount");
        let delivery = received.and_then(|count| count.parse().ok()).unwrap_or(1);
        let done = match serde_json::from_str::<Work>(&message.body.unwrap_or_default()) {
            Ok(work) => run_text(ctx, &work, delivery).await,
            Err(error) => Err(Error::internal(error)),
        };
        if let Err(error) = done {
            tracing::error!(message_id = %id, error = %error.internal_text(), "a text was not read");
            reply.batch_item_failures.push(ItemFailure { item_identifier: id });
        }
    }
    Ok(reply)
}

/// Reads the text of a document whose row says that this is to be done. Doing it twice
/// does no harm.
///
/// # Errors
/// When the store or object storage do not answer, or the reader cannot work.
pub async fn run_text(ctx: &Context, work: &Work, delivery: u32) -> Result<()> {
    let Work::Text { project, dataset, dataset_id, uri } = work else {
        return Err(Error::invalid_argument("this function reads texts of documents"));
    };
    let uri = ObjectUri::parse("uri", uri)?;
    let found = match ctx.db.dataset(project, dataset).await {
        Ok(found) if found.id == *dataset_id => found,
        Ok(_) => return Ok(()),
        Err(error) if error.code() == &Code::ResourceNotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let mut read: Option<(Row, Read)> = None;
    // A row that was not written, and the text that is kept for it.
    let mut lost: Option<Row> = None;
    for round in 0..ROUNDS {
        if round > 0 {
            crate::state::pause(round).await;
        }
        let mut rows = read_rows(&ctx.db, &found.id, found.partitions, std::slice::from_ref(&uri)).await?;
        let Some(row) = rows.remove(&uri) else { return Ok(()) };
        if let Some(lost) = lost.take().filter(|lost| lost.source != row.source) {
            // Nobody else keeps a text of that version any more.
            remove_texts(&ctx.db, std::iter::once((&lost, &row))).await;
        }
        if row.text != Some(TextMark::Pending) || row.status != Status::Live {
            return Ok(());
        }
        let known = read.take().filter(|(before, _)| before.source == row.source);
        let text = match known {
            Some((_, text)) => text,
            None if delivery > DELIVERIES => {
                Read::Failed(TextFailure::Limit("its reader ended early several times".into()))
            }
            None => match read_version(ctx, &uri, &row).await? {
                Some(text) => text,
                // Another version is there: its event, or a scan, has it read.
                None => return Ok(()),
            },
        };
        let new = next_row(ctx, &row, &text).await?;
        let change = Change { old: Some(row.clone()), new };
        match commit(&ctx.db, &found.id, found.shards, std::slice::from_ref(&change)).await.pop() {
            Some(Committed::Written | Committed::Gone | Committed::NoRoom) | None => return Ok(()),
            Some(Committed::Failed(error)) => return Err(error),
            Some(Committed::Conflict) => (lost, read) = (Some(change.new), Some((row, text))),
        }
    }
    Err(Error::unavailable(format!("the row of {uri} kept being written by others")))
}

/// What came of reading a document.
enum Read {
    Text(DocumentText),
    Failed(TextFailure),
}

/// Reads the version of an object that a row describes; `None` where that is not there
/// any more.
async fn read_version(ctx: &Context, uri: &ObjectUri, row: &Row) -> Result<Option<Read>> {
    let fields = row.metadata(&Needs::All)?;
    let content_type = fields.get("ContentType").and_then(Value::as_str).unwrap_or_default();
    let etag = row.source.as_ref().map(|source| source.etag.as_str()).unwrap_or_default();
    let content = match read_object(ctx, uri, Some(etag).filter(|etag| !etag.is_empty())).await {
        Ok(stored) => stored.content,
        Err(error) if error.code() == &Code::LimitExceeded => {
            return Ok(Some(Read::Failed(TextFailure::Limit(error.message().to_owned()))));
        }
        // Refused or gone: what reads rows finds that too, and says it there.
        Err(error) if !error.is_transient() => return Ok(None),
        Err(error) => return Err(error),
    };
    Ok(Some(match ctx.text_reader()?.read(content, content_type.to_owned()).await? {
        Ok(text) => Read::Text(text),
        Err(failure) => Read::Failed(failure),
    }))
}

/// The row with what came of its text.
async fn next_row(ctx: &Context, row: &Row, read: &Read) -> Result<Row> {
    let mut new = row.clone();
    let (reason, is_partial) = match read {
        Read::Text(text) => {
            new.text = Some(keep_text(&ctx.db, row, &text.text).await?);
            let notes = text.notes.join("; ");
            let cut = if text.truncated { "the text is cut" } else { "" };
            let reason = if notes.is_empty() { cut.to_owned() } else { notes };
            (reason, text.truncated)
        }
        Read::Failed(failure) => {
            new.text = Some(TextMark::Absent);
            (failure.to_string(), !matches!(failure, TextFailure::NoText(_) | TextFailure::Unsupported(_)))
        }
    };
    if !reason.is_empty() {
        let mut fields = row.metadata(&Needs::All)?;
        let reason = match fields.get("Reason").and_then(Value::as_str) {
            Some(before) => format!("{before}; text: {reason}"),
            None => format!("text: {reason}"),
        };
        fields.insert("Reason".into(), Value::from(reason));
        if is_partial {
            fields.insert("ObjectStatus".into(), Value::from("Partial"));
        }
        new.set_metadata(&fields)?;
    }
    Ok(new)
}
