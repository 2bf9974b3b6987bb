//! Operations: the trait, and the table of all of them.
//!
//! Adding one touches: its module here, one row in [`OPERATIONS`], its binary
//! under `functions/`, its entry in `template.yaml`, its event under `events/`
//! and its tests. Tests fail when one of these is missing.

use futures::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::context::Context;
use crate::error::{Error, Result};
use crate::gateway::Access;

mod access_key;
mod binding;
mod dataset;
mod document;
mod files;
mod imm;
mod index;
mod list_token;
mod params;
mod project;
mod query;
mod task;

pub(crate) use access_key::issue_token;
pub use imm::{describe_operations, is_of_imm};
use list_token::ListToken;
pub(crate) use params::text_of;
pub use params::{Kind, Param, read_params};

/// What an operation knows of the call besides its parameters.
#[derive(Debug, Clone)]
pub struct Call {
    /// The request id, in the reply and in every log line.
    pub request_id: String,
    /// The access key that signed; `None` where a function was invoked directly.
    pub caller: Option<String>,
}

impl Call {
    /// A call that no access key signed.
    pub fn new(request_id: String) -> Self {
        Self { request_id, caller: None }
    }
}

/// One operation of the API.
pub trait Operation {
    /// Its name, as in `x-acs-action`.
    const NAME: &'static str;
    /// What a caller must be allowed to do.
    const ACCESS: Access;
    /// Its parameters.
    const PARAMS: &'static [Param];
    /// The fields of its reply, besides the request id.
    const REPLY: &'static [Param];
    /// Whether it answers at once or accepts work to be done later.
    const MODE: Mode = Mode::Inline;
    /// Its parameters, read.
    type Input: DeserializeOwned + Send;
    /// What it answers, without the request id.
    type Output: Serialize;
    /// Does it.
    fn run(
        ctx: &Context,
        call: &Call,
        input: Self::Input,
    ) -> impl Future<Output = Result<Self::Output>> + Send;
}

/// How an operation runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It answers when it is done.
    Inline,
    /// It stores a task, enqueues it and answers with its id.
    Async,
    /// It answers when it is done, and needs what the front door has no room for:
    /// that has the operation's own function do it. A project that the call names
    /// must be there. In the local cloud it runs in the process, as all others do.
    Remote,
}

/// The parameters of a call by name, as they came: text from a query string or
/// a form, any JSON from a JSON body.
pub type Params = Map<String, Value>;

type Run = for<'a> fn(&'a Context, &'a Call, Params) -> BoxFuture<'a, Result<Params>>;

/// A row of [`OPERATIONS`].
pub struct Row {
    /// The operation's name.
    pub name: &'static str,
    /// Its function's name: the name in kebab-case.
    pub function: &'static str,
    /// What a caller must be allowed to do.
    pub access: Access,
    /// Its parameters.
    pub params: &'static [Param],
    /// The fields of its reply, besides the request id.
    pub reply: &'static [Param],
    /// How it runs.
    pub mode: Mode,
    run: Run,
}

impl Row {
    const fn of<O: Operation>(function: &'static str) -> Self {
        Self {
            name: O::NAME,
            function,
            access: O::ACCESS,
            params: O::PARAMS,
            reply: O::REPLY,
            mode: O::MODE,
            run: run_as::<O>,
        }
    }

    /// Checks the parameters, runs the operation, and gives its reply with the
    /// request id in it.
    ///
    /// # Errors
    /// Those of the parameters and of the operation.
    pub async fn run(&self, ctx: &Context, call: &Call, params: Params) -> Result<Params> {
        (self.run)(ctx, call, params).await
    }
}

fn run_as<'a, O: Operation>(
    ctx: &'a Context,
    call: &'a Call,
    params: Params,
) -> BoxFuture<'a, Result<Params>> {
    Box::pin(async move {
        let read = read_params(O::PARAMS, params)?;
        let input: O::Input = serde_path_to_error::deserialize(Value::Object(read)).map_err(|error| {
            let path = error.path().to_string();
            let parameter = path.split(['.', '[']).next().unwrap_or_default().to_owned();
            Error::invalid_json(&parameter, format!("at {path}: {}", error.into_inner()))
        })?;
        let output = O::run(ctx, call, input).await?;
        match serde_json::to_value(output).map_err(Error::internal)? {
            Value::Object(body) => {
                let mut reply = Params::new();
                reply.insert("RequestId".into(), Value::from(call.request_id.as_str()));
                reply.extend(body);
                Ok(reply)
            }
            _ => Err(Error::internal("an operation did not answer with an object")),
        }
    })
}

macro_rules! operations {
    ($($name:ident: $operation:path, $function:literal;)*) => {
        /// A row each, so that a function that names its own links no other.
        pub mod row {
            use super::*;

            $(
                #[doc = concat!("The operation of the function `", $function, "`.")]
                pub static $name: Row = Row::of::<$operation>($function);
            )*
        }

        /// Every operation.
        pub static OPERATIONS: &[&Row] = &[$(&row::$name),*];
    };
}

operations! {
    CREATE_PROJECT: project::CreateProject, "create-project";
    GET_PROJECT: project::GetProject, "get-project";
    UPDATE_PROJECT: project::UpdateProject, "update-project";
    DELETE_PROJECT: project::DeleteProject, "delete-project";
    LIST_PROJECTS: project::ListProjects, "list-projects";
    CREATE_DATASET: dataset::CreateDataset, "create-dataset";
    GET_DATASET: dataset::GetDataset, "get-dataset";
    UPDATE_DATASET: dataset::UpdateDataset, "update-dataset";
    DELETE_DATASET: dataset::DeleteDataset, "delete-dataset";
    LIST_DATASETS: dataset::ListDatasets, "list-datasets";
    CREATE_BINDING: binding::CreateBinding, "create-binding";
    GET_BINDING: binding::GetBinding, "get-binding";
    DELETE_BINDING: binding::DeleteBinding, "delete-binding";
    LIST_BINDINGS: binding::ListBindings, "list-bindings";
    STOP_BINDING: binding::StopBinding, "stop-binding";
    RESUME_BINDING: binding::ResumeBinding, "resume-binding";
    INDEX_FILE_META: index::IndexFileMeta, "index-file-meta";
    BATCH_INDEX_FILE_META: index::BatchIndexFileMeta, "batch-index-file-meta";
    GET_FILE_META: files::GetFileMeta, "get-file-meta";
    BATCH_GET_FILE_META: files::BatchGetFileMeta, "batch-get-file-meta";
    UPDATE_FILE_META: files::UpdateFileMeta, "update-file-meta";
    BATCH_UPDATE_FILE_META: files::BatchUpdateFileMeta, "batch-update-file-meta";
    DELETE_FILE_META: files::DeleteFileMeta, "delete-file-meta";
    BATCH_DELETE_FILE_META: files::BatchDeleteFileMeta, "batch-delete-file-meta";
    SIMPLE_QUERY: query::SimpleQuery, "simple-query";
    FUZZY_QUERY: query::FuzzyQuery, "fuzzy-query";
    SEMANTIC_QUERY: query::SemanticQuery, "semantic-query";
    EXTRACT_DOCUMENT_TEXT: document::ExtractDocumentText, "extract-document-text";
    GET_TASK: task::GetTask, "get-task";
    LIST_TASKS: task::ListTasks, "list-tasks";
    CREATE_ACCESS_KEY: access_key::CreateAccessKey, "create-access-key";
    LIST_ACCESS_KEYS: access_key::ListAccessKeys, "list-access-keys";
    UPDATE_ACCESS_KEY: access_key::UpdateAccessKey, "update-access-key";
    ROTATE_ACCESS_KEY: access_key::RotateAccessKey, "rotate-access-key";
    DELETE_ACCESS_KEY: access_key::DeleteAccessKey, "delete-access-key";
    CREATE_TEMPORARY_KEY: access_key::CreateTemporaryKey, "create-temporary-key";
    CREATE_TOKEN: access_key::CreateToken, "create-token";
}

/// Functions that are not operations of the API: the gateway, the workers, the
/// clock's and the steps of the state machine.
pub const WORKERS: &[&str] =
    &["rpc-gateway", "on-object-event", "on-schedule", "on-text-work", "on-work", "scan"];

/// The row of an operation, by its name.
pub fn operation(name: &str) -> Option<&'static Row> {
    OPERATIONS.iter().copied().find(|row| row.name == name)
}

/// How many items a page of a list has.
const MAX_RESULTS: Param =
    Param::optional("MaxResults", Kind::Int(0, crate::model::Limits::LIST_MAX), "Page size; 100 by default.");

/// Where a list was left.
const NEXT_TOKEN: Param = Param::optional("NextToken", Kind::Text, "Where the page before ended.");

/// Where a list goes on.
const NEXT_PAGE: Param =
    Param::required("NextToken", Kind::Text, "Where the next page begins; empty at the end.");

/// An empty reply: the request id is all.
#[derive(Debug, Serialize)]
pub(crate) struct Empty {}

/// How many items a list gives: 0 and absent mean the default.
pub(crate) fn page_size(max_results: Option<i64>) -> usize {
    match max_results {
        None | Some(0) => crate::model::Limits::LIST_DEFAULT,
        Some(number) => usize::try_from(number).unwrap_or(crate::model::Limits::LIST_DEFAULT),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_named_alike() {
        for row in OPERATIONS {
            let mut kebab = String::new();
            for c in row.name.chars() {
                if c.is_ascii_uppercase() && !kebab.is_empty() {
                    kebab.push('-');
                }
                kebab.push(c.to_ascii_lowercase());
            }
            assert_eq!(row.function, kebab);
            assert!(row.access.action.ends_with(row.name), "{}", row.name);
            assert_eq!(operation(row.name).map(|found| found.function), Some(row.function));
        }
    }
}
