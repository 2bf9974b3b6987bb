//! GetTask and ListTasks.

use serde::{Deserialize, Serialize};

use super::params::Kind::{Array, Bool, Int, Object, OneOf, Sized, Text};
use super::project::PROJECT;
use super::{Call, ListToken, NEXT_PAGE, NEXT_TOKEN, Operation, Param, page_size};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::gateway::Access;
use crate::model::{TaskStatus, TaskView, Timestamp};
use crate::state::Task;

const TASK_REPLY: &[Param] = &[
    PROJECT,
    Param::required("TaskId", Text, "The task."),
    Param::required("TaskType", Text, "The operation that made it."),
    Param::required("EventId", Text, "The event of index calls."),
    Param::required("Status", OneOf(&["Running", "Succeeded", "Failed"]), "How it stands."),
    Param::required("Progress", Int(0, 100), "In per cent."),
    Param::required("StartTime", Text, "When it was accepted."),
    Param::optional("EndTime", Text, "When it ended."),
    Param::required("Code", Text, "The error's code, where it failed."),
    Param::required("Message", Text, "The error's message, where it failed."),
    Param::required("UserData", Text, "What the caller gave along."),
    Param::optional("TaskRequestDefinition", Text, "The request, as JSON, where it was asked for."),
];

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetInput {
    project_name: String,
    task_id: String,
    task_type: String,
    #[serde(default)]
    request_definition: bool,
}

/// GetTask.
pub(super) struct GetTask;

impl Operation for GetTask {
    const NAME: &'static str = "GetTask";
    const ACCESS: Access = Access::project("imm:GetTask");
    const PARAMS: &'static [Param] = &[
        PROJECT,
        Param::required("TaskType", Text, "The operation that made the task."),
        Param::required("TaskId", Sized(1, 128), "The task; for index calls the event id."),
        Param::optional("RequestDefinition", Bool, "Also give the request."),
    ];
    const REPLY: &'static [Param] = TASK_REPLY;
    type Input = GetInput;
    type Output = TaskView;

    async fn run(ctx: &Context, _: &Call, input: GetInput) -> Result<TaskView> {
        ctx.db.project(&input.project_name).await?;
        let task = ctx.db.task(&input.project_name, &input.task_id).await?;
        if task.task_type != input.task_type {
            return Err(Error::not_found("Task", &input.task_id));
        }
        Ok(task.view(input.request_definition))
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct TimeRange {
    start: Option<Timestamp>,
    end: Option<Timestamp>,
}

impl TimeRange {
    fn has(&self, time: Option<Timestamp>) -> bool {
        match time {
            Some(time) => {
                self.start.is_none_or(|start| time >= start) && self.end.is_none_or(|end| time <= end)
            }
            None => self.start.is_none() && self.end.is_none(),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListInput {
    project_name: String,
    task_types: Option<Vec<String>>,
    status: Option<TaskStatus>,
    #[serde(default)]
    start_time_range: TimeRange,
    #[serde(default)]
    end_time_range: TimeRange,
    #[serde(default)]
    sort: Sort,
    order: Option<String>,
    max_results: Option<i64>,
    #[serde(default)]
    next_token: String,
    #[serde(default)]
    request_definition: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
enum Sort {
    #[default]
    TaskId,
    StartTime,
    EndTime,
}

impl Sort {
    /// What a task is sorted by: its id breaks ties.
    fn key(self, task: &Task) -> (String, String) {
        let time = match self {
            Self::TaskId => String::new(),
            Self::StartTime => task.start_time.to_string(),
            Self::EndTime => task.end_time.map(|time| time.to_string()).unwrap_or_default(),
        };
        (time, task.id.clone())
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListReply {
    project_name: String,
    tasks: Vec<TaskView>,
    /// Text in this reply, as the SDK types it.
    max_results: String,
    next_token: String,
}

/// ListTasks.
pub(super) struct ListTasks;

impl Operation for ListTasks {
    const NAME: &'static str = "ListTasks";
    const ACCESS: Access = Access::project("imm:ListTasks");
    const PARAMS: &'static [Param] = &[
        PROJECT,
        Param::optional("TaskTypes", Array, "Only tasks of these operations."),
        Param::optional("Status", OneOf(&["Running", "Succeeded", "Failed"]), "Only tasks in this state."),
        Param::optional("StartTimeRange", Object, "{Start, End}: accepted in this time."),
        Param::optional("EndTimeRange", Object, "{Start, End}: finished in this time."),
        Param::optional("TagSelector", Text, "Accepted and ignored: index tasks have no tags."),
        Param::optional("Sort", OneOf(&["TaskId", "StartTime", "EndTime"]), "TaskId by default."),
        Param::optional("Order", OneOf(&["asc", "desc"]), "asc by default."),
        Param::optional("MaxResults", Int(1, 100), "Page size; 100 by default."),
        NEXT_TOKEN,
        Param::optional("RequestDefinition", Bool, "Also give the requests."),
    ];
    const REPLY: &'static [Param] = &[
        Param::required("ProjectName", Text, "The project."),
        Param::required("Tasks", Array, "The tasks, by id."),
        Param::required("MaxResults", Text, "The page size, as text."),
        NEXT_PAGE,
    ];
    type Input = ListInput;
    type Output = ListReply;

    async fn run(ctx: &Context, _: &Call, input: ListInput) -> Result<ListReply> {
        ctx.db.project(&input.project_name).await?;
        let size = page_size(input.max_results);
        let descending = input.order.as_deref() == Some("desc");
        // Another sorting would begin somewhere else.
        let tokens =
            ListToken::of(Self::NAME, &format!("{}/{:?}/{descending}", input.project_name, input.sort));
        let after = tokens.read(&input.next_token)?;
        let after = after.split_once('/').map(|(time, id)| (time.to_owned(), id.to_owned()));
        let fits = |task: &Task| {
            input.task_types.as_ref().is_none_or(|types| types.contains(&task.task_type))
                && input.status.is_none_or(|status| task.status == status)
                && input.start_time_range.has(Some(task.start_time))
                && input.end_time_range.has(task.end_time)
        };
        // The best page so far, in order: one page of memory for any number of tasks.
        let mut best: Vec<((String, String), Task)> = Vec::with_capacity(size + 1);
        let mut matches = 0usize;
        let mut start = String::new();
        loop {
            let (page, more) = ctx.db.list_tasks_after(&input.project_name, &start, 100).await?;
            start = page.last().map(|task| task.id.clone()).unwrap_or_default();
            for task in page.into_iter().filter(|task| fits(task)) {
                let key = input.sort.key(&task);
                let is_after =
                    after.as_ref().is_none_or(|after| if descending { key < *after } else { key > *after });
                if !is_after {
                    continue;
                }
                matches += 1;
                let place =
                    best.partition_point(|(other, _)| if descending { *other > key } else { *other < key });
                best.insert(place, (key, task));
                best.truncate(size);
            }
            if !more {
                break;
            }
        }
        let next_token = match best.last() {
            Some(((time, id), _)) if matches > best.len() => tokens.write(&format!("{time}/{id}"))?,
            _ => String::new(),
        };
        Ok(ListReply {
            project_name: input.project_name,
            tasks: best.iter().map(|(_, task)| task.view(input.request_definition)).collect(),
            max_results: size.to_string(),
            next_token,
        })
    }
}
