//! Create, Get, Update, Delete and ListProject(s).

use serde::{Deserialize, Serialize};

use super::params::Kind::{Array, Bool, Int, Name, Object, Sized, Text};
use super::{Call, Empty, ListToken, MAX_RESULTS, NEXT_PAGE, NEXT_TOKEN, Operation, Param, page_size};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::gateway::Access;
use crate::model::{KeyValue, Limits, ProjectView, Timestamp, template_of};
use crate::state::{Db, Project, ProjectChange};

pub(super) const PROJECT: Param = Param::required("ProjectName", Name, "Name of the project.");

/// The settings that projects and datasets share.
pub(super) const DESCRIPTION: Param =
    Param::optional("Description", Text, "1 to 256 characters; empty by default.");
pub(super) const TEMPLATE: Param = Param::optional(
    "TemplateId",
    Text,
    "Workflow template; empty: everything that there is. +ReadSidecars behind it: sidecars are read too.",
);
pub(super) const MAX_BINDINGS: Param = Param::optional(
    "DatasetMaxBindCount",
    Int(1, Limits::BINDINGS_OF_DATASET),
    "Bindings of a dataset; 10 by default.",
);
pub(super) const MAX_FILES: Param = Param::optional(
    "DatasetMaxFileCount",
    Int(1, Limits::FILES_OF_DATASET),
    "Files of a dataset; 100,000,000 by default.",
);
pub(super) const MAX_ENTITIES: Param =
    Param::optional("DatasetMaxEntityCount", Int(1, i64::MAX), "Reserved, not enforced.");
pub(super) const MAX_RELATIONS: Param =
    Param::optional("DatasetMaxRelationCount", Int(1, i64::MAX), "Reserved, not enforced.");
pub(super) const MAX_BYTES: Param = Param::optional(
    "DatasetMaxTotalFileSize",
    Int(1, i64::MAX),
    "Bytes of all files of a dataset; past it nothing more is indexed.",
);

const MAX_DATASETS: Param = Param::optional(
    "ProjectMaxDatasetCount",
    Int(1, Limits::DATASETS_OF_PROJECT),
    "Datasets of the project.",
);
const SERVICE_ROLE: Param = Param::optional("ServiceRole", Sized(1, 256), "Kept and echoed.");
const QPS: Param = Param::optional(
    "ProjectQueriesPerSecond",
    Int(0, Limits::QUERIES_PER_SECOND_MAX),
    "Requests a second; 0: no limit. By default 100, and in a local cloud no limit.",
);
const CONCURRENCY: Param = Param::optional("EngineConcurrency", Int(1, 100_000), "Kept and echoed.");
const TAG: Param = Param::optional("Tag", Array, "Tags: [{Key, Value}].");

const SETTINGS: [Param; 13] = [
    PROJECT,
    DESCRIPTION,
    TEMPLATE,
    MAX_BINDINGS,
    MAX_FILES,
    MAX_ENTITIES,
    MAX_RELATIONS,
    MAX_BYTES,
    MAX_DATASETS,
    SERVICE_ROLE,
    QPS,
    CONCURRENCY,
    TAG,
];

/// Checks what [`Param`] cannot: a description's length, and that there is
/// such a template.
pub(super) fn check_settings(description: Option<&str>, template: Option<&str>) -> Result<()> {
    if description.is_some_and(|text| text.chars().count() > 256) {
        return Err(Error::invalid("Description", "It must have 1 to 256 characters."));
    }
    if let Some(template) = template
        && template_of(template).is_none()
    {
        let known: Vec<&str> = crate::model::TEMPLATES
            .iter()
            .map(|(id, _)| *id)
            .filter(|id| id.starts_with("Official:"))
            .collect();
        return Err(Error::invalid(
            "TemplateId",
            format!(
                "There is no such template; there are {}. +{} may follow.",
                known.join(", "),
                crate::model::OPERATORS.join(", +")
            ),
        ));
    }
    Ok(())
}

const PROJECT_REPLY: &[Param] = &[Param::required("Project", Object, "The project.")];

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Settings {
    project_name: String,
    description: Option<String>,
    template_id: Option<String>,
    project_max_dataset_count: Option<i64>,
    dataset_max_bind_count: Option<i64>,
    dataset_max_file_count: Option<i64>,
    dataset_max_entity_count: Option<i64>,
    dataset_max_relation_count: Option<i64>,
    dataset_max_total_file_size: Option<i64>,
    service_role: Option<String>,
    project_queries_per_second: Option<i64>,
    engine_concurrency: Option<i64>,
    tag: Option<Vec<KeyValue>>,
}

impl Settings {
    fn change(self) -> Result<ProjectChange> {
        check_settings(self.description.as_deref(), self.template_id.as_deref())?;
        Ok(ProjectChange {
            service_role: self.service_role,
            template_id: self.template_id,
            description: self.description,
            project_max_dataset_count: self.project_max_dataset_count,
            dataset_max_bind_count: self.dataset_max_bind_count,
            dataset_max_file_count: self.dataset_max_file_count,
            dataset_max_entity_count: self.dataset_max_entity_count,
            dataset_max_relation_count: self.dataset_max_relation_count,
            dataset_max_total_file_size: self.dataset_max_total_file_size,
            queries_per_second: self.project_queries_per_second,
            engine_concurrency: self.engine_concurrency,
            tags: self.tag,
        })
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ProjectReply {
    project: ProjectView,
}

/// Files and bytes of all datasets of a project, exactly.
async fn statistics(db: &Db, project: &str) -> Result<(i64, i64)> {
    let (mut files, mut bytes) = (0, 0);
    let mut after = String::new();
    loop {
        let (datasets, more) = db.list_datasets(project, "", &after, 100).await?;
        for dataset in &datasets {
            let counts = db.counts(&dataset.id, dataset.shards).await?;
            files += counts.files;
            bytes += counts.bytes;
        }
        match datasets.last() {
            Some(last) if more => after = last.name.clone(),
            _ => return Ok((files, bytes)),
        }
    }
}

/// CreateProject.
pub(super) struct CreateProject;

impl Operation for CreateProject {
    const NAME: &'static str = "CreateProject";
    const ACCESS: Access = Access::project("imm:CreateProject");
    const PARAMS: &'static [Param] = &SETTINGS;
    const REPLY: &'static [Param] = PROJECT_REPLY;
    type Input = Settings;
    type Output = ProjectReply;

    async fn run(ctx: &Context, _: &Call, input: Settings) -> Result<ProjectReply> {
        let mut project = Project::new(&input.project_name);
        project.queries_per_second = ctx.config.queries_per_second;
        project.apply(input.change()?);
        ctx.db.create_project(&project, ctx.config.max_projects).await?;
        Ok(ProjectReply { project: project.view(0, 0) })
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetInput {
    project_name: String,
    #[serde(default)]
    with_statistics: bool,
}

/// GetProject.
pub(super) struct GetProject;

impl Operation for GetProject {
    const NAME: &'static str = "GetProject";
    const ACCESS: Access = Access::project("imm:GetProject");
    const PARAMS: &'static [Param] =
        &[PROJECT, Param::optional("WithStatistics", Bool, "Count files and bytes exactly.")];
    const REPLY: &'static [Param] = PROJECT_REPLY;
    type Input = GetInput;
    type Output = ProjectReply;

    async fn run(ctx: &Context, _: &Call, input: GetInput) -> Result<ProjectReply> {
        let project = ctx.db.project(&input.project_name).await?;
        let (files, bytes) =
            if input.with_statistics { statistics(&ctx.db, &input.project_name).await? } else { (0, 0) };
        Ok(ProjectReply { project: project.view(files, bytes) })
    }
}

/// UpdateProject.
pub(super) struct UpdateProject;

impl Operation for UpdateProject {
    const NAME: &'static str = "UpdateProject";
    const ACCESS: Access = Access::project("imm:UpdateProject");
    const PARAMS: &'static [Param] = &SETTINGS;
    const REPLY: &'static [Param] = PROJECT_REPLY;
    type Input = Settings;
    type Output = ProjectReply;

    async fn run(ctx: &Context, _: &Call, input: Settings) -> Result<ProjectReply> {
        let mut project = ctx.db.project(&input.project_name).await?;
        project.apply(input.change()?);
        project.update_time = Timestamp::now();
        let project = ctx.db.update_project(&project).await?;
        Ok(ProjectReply { project: project.view(0, 0) })
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeleteInput {
    project_name: String,
}

/// DeleteProject.
pub(super) struct DeleteProject;

impl Operation for DeleteProject {
    const NAME: &'static str = "DeleteProject";
    const ACCESS: Access = Access::project("imm:DeleteProject");
    const PARAMS: &'static [Param] = &[PROJECT];
    const REPLY: &'static [Param] = &[];
    type Input = DeleteInput;
    type Output = Empty;

    async fn run(ctx: &Context, _: &Call, input: DeleteInput) -> Result<Empty> {
        ctx.db.delete_project(&input.project_name).await?;
        Ok(Empty {})
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListInput {
    max_results: Option<i64>,
    #[serde(default)]
    next_token: String,
    #[serde(default)]
    prefix: String,
    tag: Option<Vec<KeyValue>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListReply {
    projects: Vec<ProjectView>,
    next_token: String,
}

/// ListProjects.
pub(super) struct ListProjects;

impl Operation for ListProjects {
    const NAME: &'static str = "ListProjects";
    const ACCESS: Access = Access::account("imm:ListProjects");
    const PARAMS: &'static [Param] = &[
        MAX_RESULTS,
        NEXT_TOKEN,
        Param::optional("Prefix", Sized(0, 128), "Only names that begin with it."),
        TAG,
    ];
    const REPLY: &'static [Param] =
        &[Param::required("Projects", Array, "The projects, by name."), NEXT_PAGE];
    type Input = ListInput;
    type Output = ListReply;

    async fn run(ctx: &Context, _: &Call, input: ListInput) -> Result<ListReply> {
        let size = page_size(input.max_results);
        let wanted = input.tag.unwrap_or_default();
        let tokens = ListToken::of(Self::NAME, &input.prefix);
        let mut after = tokens.read(&input.next_token)?;
        let mut projects: Vec<ProjectView> = Vec::new();
        // A filter by tags may leave a page empty that is not the last one.
        loop {
            let (page, more) = ctx.db.list_projects(&input.prefix, &after, size - projects.len()).await?;
            after = page.last().map(|project| project.name.clone()).unwrap_or_default();
            let fits = |project: &Project| wanted.iter().all(|tag| project.tags.contains(tag));
            projects.extend(page.iter().filter(|project| fits(project)).map(|project| project.view(0, 0)));
            if !more {
                return Ok(ListReply { projects, next_token: String::new() });
            }
            if projects.len() >= size {
                return Ok(ListReply { projects, next_token: tokens.write(&after)? });
            }
        }
    }
}
