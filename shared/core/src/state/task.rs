//! Asynchronous tasks: `TASKS#{project}` / `{task id}`, kept for seven days. A
//! task is written before its caller gets an answer: whatever crashes then,
//! the work can be found and done.

use serde::{Deserialize, Serialize};

use super::db::{Db, Item, s, task_ttl, to_item};
use crate::error::{Error, Result};
use crate::model::{InputFile, TaskStatus, TaskView, Timestamp};

/// A task, as stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Task {
    #[serde(rename = "PK")]
    pk: String,
    /// The task's id, also the event id of its call; ids sort by time.
    #[serde(rename = "SK")]
    pub id: String,
    /// The project.
    pub project: String,
    /// The operation that made it.
    pub task_type: String,
    /// Where it stands.
    pub status: TaskStatus,
    /// 0 to 100.
    pub progress: i64,
    /// When it was accepted.
    pub start_time: Timestamp,
    /// When it was finished.
    pub end_time: Option<Timestamp>,
    /// Error code, if it failed.
    pub code: String,
    /// Error text, if it failed.
    pub message: String,
    /// The caller's data, echoed.
    pub user_data: String,
    /// The request id of the call.
    pub request_id: String,
    /// The dataset.
    pub dataset: String,
    /// The files to index.
    pub files: Vec<InputFile>,
    /// The topic of the completion message.
    pub topic: Option<String>,
    ttl: i64,
}

fn pk(project: &str) -> String {
    format!("TASKS#{project}")
}

impl Task {
    /// An accepted index task.
    #[allow(clippy::too_many_arguments, reason = "the fields of one call, each of another kind")]
    pub fn new_index(
        project: &str,
        dataset: &str,
        id: &str,
        task_type: &str,
        request_id: &str,
        files: Vec<InputFile>,
        topic: Option<String>,
        user_data: &str,
    ) -> Self {
        Self {
            pk: pk(project),
            id: id.into(),
            project: project.into(),
            task_type: task_type.into(),
            status: TaskStatus::Running,
            progress: 0,
            start_time: Timestamp::now(),
            end_time: None,
            code: String::new(),
            message: String::new(),
            user_data: user_data.into(),
            request_id: request_id.into(),
            dataset: dataset.into(),
            files,
            topic,
            ttl: task_ttl(),
        }
    }

    /// The task as replies show it.
    pub fn view(&self, with_definition: bool) -> TaskView {
        let definition = || {
            serde_json::json!({
                "ProjectName": self.project,
                "DatasetName": self.dataset,
                "Files": self.files,
                "UserData": self.user_data,
            })
            .to_string()
        };
        TaskView {
            project_name: self.project.clone(),
            task_id: self.id.clone(),
            task_type: self.task_type.clone(),
            event_id: self.id.clone(),
            status: self.status,
            progress: self.progress,
            start_time: self.start_time,
            end_time: self.end_time,
            code: self.code.clone(),
            message: self.message.clone(),
            user_data: self.user_data.clone(),
            task_request_definition: with_definition.then(definition),
        }
    }
}

impl Db {
    /// Stores a new task, and that it is open.
    pub async fn create_task(&self, task: &Task) -> Result<()> {
        let open = Item::from([
            ("PK".to_owned(), s("OPENTASKS")),
            ("SK".to_owned(), s(format!("{}/{}", task.project, task.id))),
        ]);
        let put = |item| -> Result<_> {
            let put = aws_sdk_dynamodb::types::Put::builder()
                .table_name(self.state_table())
                .set_item(Some(item))
                .build()
                .map_err(Error::internal)?;
            Ok(aws_sdk_dynamodb::types::TransactWriteItem::builder().put(put).build())
        };
        Ok(self.transact_again(vec![put(to_item(task)?)?, put(open)?]).await?)
    }

    /// Reads a task.
    ///
    /// # Errors
    /// `ResourceNotFound`.
    pub async fn task(&self, project: &str, id: &str) -> Result<Task> {
        self.get(&pk(project), id).await?.ok_or_else(|| Error::not_found("Task", id))
    }

    /// Stores the end of a task, once: a second finisher finds it finished and
    /// gets `false`.
    pub async fn finish_task(&self, task: &Task) -> Result<bool> {
        let put = self
            .client
            .put_item()
            .table_name(self.state_table())
            .set_item(Some(to_item(task)?))
            .condition_expression("#status = :running")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":running", s("Running"));
        let written = self.put_if(put).await?;
        self.forget_open_task(&task.project, &task.id).await?;
        Ok(written)
    }

    /// Takes a task off the list of open ones.
    pub async fn forget_open_task(&self, project: &str, id: &str) -> Result<()> {
        self.delete("OPENTASKS", &format!("{project}/{id}")).await
    }

    /// Tasks that were accepted and not finished, as `(project, id)`: what the
    /// local cloud takes up again at its start.
    pub async fn open_tasks(&self) -> Result<Vec<(String, String)>> {
        #[derive(Deserialize)]
        struct Open {
            #[serde(rename = "SK")]
            sk: String,
        }
        let open: Vec<Open> = self.list_all("OPENTASKS", "").await?;
        Ok(open.into_iter().filter_map(|o| o.sk.split_once('/').map(|(p, t)| (p.into(), t.into()))).collect())
    }

    /// A page of a project's tasks, by id.
    pub async fn list_tasks_after(
        &self,
        project: &str,
        after: &str,
        limit: usize,
    ) -> Result<(Vec<Task>, bool)> {
        let page = self.list(&pk(project), "", after, limit).await?;
        Ok((page.items, page.more))
    }
}
