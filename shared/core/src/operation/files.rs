//! Get, Update and DeleteFileMeta, each for one file and for a batch.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::dataset::DATASET;
use super::params::Kind::{Array, Object, Text};
use super::project::PROJECT;
use super::{Call, Empty, Operation, Param};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::file::FileView;
use crate::gateway::Access;
use crate::ingest::Target;
use crate::ledger::{Addresses, Change, Committed, Row, Status, addresses_of, commit, read_rows};
use crate::model::{InputFile, Limits, ObjectUri, Timestamp};
use crate::state::Dataset;

const URI: Param = Param::required("URI", Text, "The file: oss://bucket/key or s3://bucket/key.");
const URIS: Param = Param::required("URIs", Array, "At most 100 files.");
pub(super) const WITH_FIELDS: Param =
    Param::optional("WithFields", Array, "The fields to give; all by default.");

/// How often a change starts again when others write the same rows.
const ATTEMPTS: u32 = 10;

fn check_batch(count: usize) -> Result<()> {
    if count > Limits::BATCH_FILES {
        return Err(Error::limit_exceeded(format!(
            "A call takes at most {} files; this one has {count}.",
            Limits::BATCH_FILES
        )));
    }
    Ok(())
}

fn is_live(row: &Row) -> bool {
    row.status == Status::Live
}

const FILES_REPLY: &[Param] = &[Param::required("Files", Array, "The files that are there.")];

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct FilesReply {
    files: Vec<Value>,
}

async fn get_files(
    ctx: &Context,
    project: &str,
    dataset: &str,
    uris: &[ObjectUri],
    with_fields: &[String],
) -> Result<FilesReply> {
    let dataset = ctx.db.dataset(project, dataset).await?;
    let view = FileView::new(ctx, &dataset, with_fields).await?;
    let rows = read_rows(&ctx.db, &dataset.id, dataset.partitions, uris).await?;
    let files = uris
        .iter()
        .filter_map(|uri| rows.get(uri))
        .filter(|row| is_live(row))
        .map(|row| view.render(row))
        .collect::<Result<_>>()?;
    Ok(FilesReply { files })
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetInput {
    project_name: String,
    dataset_name: String,
    #[serde(rename = "URI")]
    uri: String,
    #[serde(default)]
    with_fields: Vec<String>,
}

/// GetFileMeta.
pub(super) struct GetFileMeta;

impl Operation for GetFileMeta {
    const NAME: &'static str = "GetFileMeta";
    const ACCESS: Access = Access::dataset("imm:GetFileMeta");
    const PARAMS: &'static [Param] = &[PROJECT, DATASET, URI, WITH_FIELDS];
    const REPLY: &'static [Param] = FILES_REPLY;
    type Input = GetInput;
    type Output = FilesReply;

    async fn run(ctx: &Context, _: &Call, input: GetInput) -> Result<FilesReply> {
        let uri = ObjectUri::parse("URI", &input.uri)?;
        let reply = get_files(
            ctx,
            &input.project_name,
            &input.dataset_name,
            std::slice::from_ref(&uri),
            &input.with_fields,
        )
        .await?;
        if reply.files.is_empty() {
            return Err(Error::not_found("File", &uri.to_string()));
        }
        Ok(reply)
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct BatchGetInput {
    project_name: String,
    dataset_name: String,
    #[serde(rename = "URIs")]
    uris: Vec<String>,
    #[serde(default)]
    with_fields: Vec<String>,
}

fn parse_uris(uris: &[String]) -> Result<Vec<ObjectUri>> {
    check_batch(uris.len())?;
    let mut parsed: Vec<ObjectUri> = Vec::with_capacity(uris.len());
    for uri in uris {
        let uri = ObjectUri::parse("URIs", uri)?;
        if !parsed.contains(&uri) {
            parsed.push(uri);
        }
    }
    Ok(parsed)
}

/// BatchGetFileMeta: the files that are indexed; the others are left out.
pub(super) struct BatchGetFileMeta;

impl Operation for BatchGetFileMeta {
    const NAME: &'static str = "BatchGetFileMeta";
    const ACCESS: Access = Access::dataset("imm:BatchGetFileMeta");
    const PARAMS: &'static [Param] = &[PROJECT, DATASET, URIS, WITH_FIELDS];
    const REPLY: &'static [Param] = FILES_REPLY;
    type Input = BatchGetInput;
    type Output = FilesReply;

    async fn run(ctx: &Context, _: &Call, input: BatchGetInput) -> Result<FilesReply> {
        let uris = parse_uris(&input.uris)?;
        get_files(ctx, &input.project_name, &input.dataset_name, &uris, &input.with_fields).await
    }
}

/// Changes rows as `next` says (`None`: leave this one), starting again where
/// others wrote meanwhile. Gives for each file what became of it.
async fn change_rows<F>(
    ctx: &Context,
    dataset: &Dataset,
    uris: &[ObjectUri],
    next: F,
) -> Result<Vec<Result<bool>>>
where
    F: Fn(usize, Option<&Row>) -> Result<Option<Row>>,
{
    let mut results: Vec<Option<Result<bool>>> = uris.iter().map(|_| None).collect();
    let mut open: Vec<usize> = (0..uris.len()).collect();
    for attempt in 0..ATTEMPTS {
        if open.is_empty() {
            break;
        }
        if attempt > 0 {
            crate::state::pause(attempt).await;
        }
        let wanted: Vec<ObjectUri> = open.iter().filter_map(|index| uris.get(*index)).cloned().collect();
        let mut rows: HashMap<ObjectUri, Row> =
            read_rows(&ctx.db, &dataset.id, dataset.partitions, &wanted).await?;
        let mut changes: Vec<(usize, Change)> = Vec::new();
        for index in std::mem::take(&mut open) {
            let Some(uri) = uris.get(index) else { continue };
            let old = rows.remove(uri);
            match next(index, old.as_ref()) {
                Ok(Some(new)) => changes.push((index, Change { old, new })),
                Ok(None) => set(&mut results, index, Ok(false)),
                Err(error) => set(&mut results, index, Err(error)),
            }
        }
        let only: Vec<Change> = changes.iter().map(|(_, change)| change.clone()).collect();
        let committed = commit(&ctx.db, &dataset.id, dataset.shards, &only).await;
        for ((index, _), committed) in changes.into_iter().zip(committed) {
            match committed {
                Committed::Written => set(&mut results, index, Ok(true)),
                Committed::Conflict => open.push(index),
                Committed::NoRoom => set(
                    &mut results,
                    index,
                    Err(Error::limit_exceeded("The dataset has no room for the file (DatasetMaxFileCount).")),
                ),
                Committed::Gone => {
                    set(&mut results, index, Err(Error::not_found("Dataset", &dataset.name)));
                }
                Committed::Failed(error) => set(&mut results, index, Err(error)),
            }
        }
    }
    Ok(results
        .into_iter()
        .map(|result| result.unwrap_or_else(|| Err(Error::unavailable("a row kept being written by others"))))
        .collect())
}

fn set(results: &mut [Option<Result<bool>>], index: usize, result: Result<bool>) {
    if let Some(place) = results.get_mut(index) {
        *place = Some(result);
    }
}

/// The addresses of the places that the files are given.
async fn addresses_of_all(
    ctx: &Context,
    dataset: &Dataset,
    files: &[InputFile],
) -> Result<Vec<Option<Addresses>>> {
    if files.iter().all(|file| file.place().is_none()) {
        return Ok(Vec::new());
    }
    let project = ctx.db.project(&dataset.project).await?;
    let template = Target::new(dataset, &project.template_id).template;
    let mut all = Vec::with_capacity(files.len());
    for file in files {
        all.push(addresses_of(file, &template));
    }
    Ok(all)
}

async fn update_files(
    ctx: &Context,
    project: &str,
    dataset: &str,
    files: &[InputFile],
) -> Result<Vec<Result<bool>>> {
    check_batch(files.len())?;
    let uris = files.iter().map(InputFile::check).collect::<Result<Vec<_>>>()?;
    for (index, uri) in uris.iter().enumerate() {
        if uris.iter().take(index).any(|other| other == uri) {
            return Err(Error::invalid_argument(format!("The file {uri} is named twice in one call.")));
        }
    }
    let dataset = ctx.db.dataset(project, dataset).await?;
    let addresses = addresses_of_all(ctx, &dataset, files).await?;
    let now = Timestamp::now();
    change_rows(ctx, &dataset, &uris, |index, row| {
        let uri = uris.get(index).map(ToString::to_string).unwrap_or_default();
        let Some(row) = row.filter(|row| is_live(row)) else { return Err(Error::not_found("File", &uri)) };
        let mut new = row.clone();
        if let Some(file) = files.get(index) {
            new.user.merge(file, addresses.get(index).and_then(Option::as_ref));
        }
        new.updated = now.0;
        Ok(Some(new))
    })
    .await
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UpdateInput {
    project_name: String,
    dataset_name: String,
    file: InputFile,
}

/// UpdateFileMeta: change what the caller set on an indexed file.
pub(super) struct UpdateFileMeta;

impl Operation for UpdateFileMeta {
    const NAME: &'static str = "UpdateFileMeta";
    const ACCESS: Access = Access::dataset("imm:UpdateFileMeta");
    const PARAMS: &'static [Param] =
        &[PROJECT, DATASET, Param::required("File", Object, "The file with the changes.")];
    const REPLY: &'static [Param] = &[];
    type Input = UpdateInput;
    type Output = Empty;

    async fn run(ctx: &Context, _: &Call, input: UpdateInput) -> Result<Empty> {
        let files = [input.file];
        let results = update_files(ctx, &input.project_name, &input.dataset_name, &files).await?;
        for result in results {
            result?;
        }
        Ok(Empty {})
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct BatchUpdateInput {
    project_name: String,
    dataset_name: String,
    files: Vec<InputFile>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UpdatedFile {
    #[serde(rename = "URI")]
    uri: String,
    success: bool,
    message: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct BatchUpdateReply {
    files: Vec<UpdatedFile>,
}

/// BatchUpdateFileMeta: each file succeeds or fails for itself.
pub(super) struct BatchUpdateFileMeta;

impl Operation for BatchUpdateFileMeta {
    const NAME: &'static str = "BatchUpdateFileMeta";
    const ACCESS: Access = Access::dataset("imm:BatchUpdateFileMeta");
    const PARAMS: &'static [Param] =
        &[PROJECT, DATASET, Param::required("Files", Array, "At most 100 files with their changes.")];
    const REPLY: &'static [Param] =
        &[Param::required("Files", Array, "For each file its URI, whether it was changed, and if not, why.")];
    type Input = BatchUpdateInput;
    type Output = BatchUpdateReply;

    async fn run(ctx: &Context, _: &Call, input: BatchUpdateInput) -> Result<BatchUpdateReply> {
        let results = update_files(ctx, &input.project_name, &input.dataset_name, &input.files).await?;
        let files = input
            .files
            .into_iter()
            .zip(results)
            .map(|(file, result)| UpdatedFile {
                uri: file.uri,
                success: result.is_ok(),
                message: result.err().map(|error| error.to_string()).unwrap_or_default(),
            })
            .collect();
        Ok(BatchUpdateReply { files })
    }
}

/// Takes files out of the index; their objects stay. A row is kept that says
/// so, or the next scan would bring the file back.
async fn delete_files(ctx: &Context, project: &str, dataset: &str, uris: &[ObjectUri]) -> Result<()> {
    let dataset = ctx.db.dataset(project, dataset).await?;
    let now = Timestamp::now();
    let results = change_rows(ctx, &dataset, uris, |_, row| {
        let Some(row) = row.filter(|row| is_live(row)) else { return Ok(None) };
        let mut new = row.clone();
        new.status = Status::UserDeleted;
        new.user = crate::ledger::UserFields::default();
        new.clear_metadata();
        new.updated = now.0;
        Ok(Some(new))
    })
    .await?;
    results.into_iter().collect::<Result<Vec<bool>>>().map(|_| ())
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeleteInput {
    project_name: String,
    dataset_name: String,
    #[serde(rename = "URI")]
    uri: String,
}

/// DeleteFileMeta: succeeds whether or not the file is indexed.
pub(super) struct DeleteFileMeta;

impl Operation for DeleteFileMeta {
    const NAME: &'static str = "DeleteFileMeta";
    const ACCESS: Access = Access::dataset("imm:DeleteFileMeta");
    const PARAMS: &'static [Param] = &[PROJECT, DATASET, URI];
    const REPLY: &'static [Param] = &[];
    type Input = DeleteInput;
    type Output = Empty;

    async fn run(ctx: &Context, _: &Call, input: DeleteInput) -> Result<Empty> {
        let uri = ObjectUri::parse("URI", &input.uri)?;
        delete_files(ctx, &input.project_name, &input.dataset_name, &[uri]).await?;
        Ok(Empty {})
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct BatchDeleteInput {
    project_name: String,
    dataset_name: String,
    #[serde(rename = "URIs")]
    uris: Vec<String>,
}

/// BatchDeleteFileMeta.
pub(super) struct BatchDeleteFileMeta;

impl Operation for BatchDeleteFileMeta {
    const NAME: &'static str = "BatchDeleteFileMeta";
    const ACCESS: Access = Access::dataset("imm:BatchDeleteFileMeta");
    const PARAMS: &'static [Param] = &[PROJECT, DATASET, URIS];
    const REPLY: &'static [Param] = &[];
    type Input = BatchDeleteInput;
    type Output = Empty;

    async fn run(ctx: &Context, _: &Call, input: BatchDeleteInput) -> Result<Empty> {
        let uris = parse_uris(&input.uris)?;
        delete_files(ctx, &input.project_name, &input.dataset_name, &uris).await?;
        Ok(Empty {})
    }
}
