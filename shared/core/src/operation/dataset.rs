//! Create, Get, Update, Delete and ListDataset(s).

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::params::Kind::{Array, Bool, Name, Object, Sized};
use super::project::{
    DESCRIPTION, MAX_BINDINGS, MAX_BYTES, MAX_ENTITIES, MAX_FILES, MAX_RELATIONS, PROJECT, TEMPLATE,
    check_settings,
};
use super::{Call, Empty, ListToken, MAX_RESULTS, NEXT_PAGE, NEXT_TOKEN, Operation, Param, page_size};
use crate::context::Context;
use crate::dispatch::send_scan;
use crate::error::Result;
use crate::gateway::Access;
use crate::model::{DatasetView, run_id};
use crate::state::{Dataset, DatasetChange, Run, RunKind};

pub(super) const DATASET: Param = Param::required("DatasetName", Name, "Name of the dataset.");

const SETTINGS: [Param; 10] = [
    PROJECT,
    DATASET,
    DESCRIPTION,
    TEMPLATE,
    MAX_BINDINGS,
    MAX_FILES,
    MAX_ENTITIES,
    MAX_RELATIONS,
    MAX_BYTES,
    Param::optional("WorkflowParameters", Array, "Kept and echoed; has no effect."),
];

const DATASET_REPLY: &[Param] = &[Param::required("Dataset", Object, "The dataset.")];

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Settings {
    project_name: String,
    dataset_name: String,
    description: Option<String>,
    template_id: Option<String>,
    dataset_max_bind_count: Option<i64>,
    dataset_max_file_count: Option<i64>,
    dataset_max_entity_count: Option<i64>,
    dataset_max_relation_count: Option<i64>,
    dataset_max_total_file_size: Option<i64>,
    workflow_parameters: Option<Value>,
}

impl Settings {
    fn change(self) -> Result<DatasetChange> {
        check_settings(self.description.as_deref(), self.template_id.as_deref())?;
        Ok(DatasetChange {
            template_id: self.template_id,
            description: self.description,
            dataset_max_bind_count: self.dataset_max_bind_count,
            dataset_max_file_count: self.dataset_max_file_count,
            dataset_max_entity_count: self.dataset_max_entity_count,
            dataset_max_relation_count: self.dataset_max_relation_count,
            dataset_max_total_file_size: self.dataset_max_total_file_size,
            workflow_parameters: self.workflow_parameters.map(|value| value.to_string()),
        })
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DatasetReply {
    dataset: DatasetView,
}

/// CreateDataset.
pub(super) struct CreateDataset;

impl Operation for CreateDataset {
    const NAME: &'static str = "CreateDataset";
    const ACCESS: Access = Access::dataset("imm:CreateDataset");
    const PARAMS: &'static [Param] = &SETTINGS;
    const REPLY: &'static [Param] = DATASET_REPLY;
    type Input = Settings;
    type Output = DatasetReply;

    async fn run(ctx: &Context, _: &Call, input: Settings) -> Result<DatasetReply> {
        let project = ctx.db.project(&input.project_name).await?;
        let mut dataset =
            Dataset::new(&project, &input.dataset_name, ctx.config.partitions, ctx.config.counter_shards);
        dataset.apply(input.change()?);
        ctx.db.create_dataset(&dataset, &project).await?;
        Ok(DatasetReply { dataset: dataset.view(0, 0) })
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetInput {
    project_name: String,
    dataset_name: String,
    #[serde(default)]
    with_statistics: bool,
}

/// GetDataset.
pub(super) struct GetDataset;

impl Operation for GetDataset {
    const NAME: &'static str = "GetDataset";
    const ACCESS: Access = Access::dataset("imm:GetDataset");
    const PARAMS: &'static [Param] =
        &[PROJECT, DATASET, Param::optional("WithStatistics", Bool, "Count files and bytes exactly.")];
    const REPLY: &'static [Param] = DATASET_REPLY;
    type Input = GetInput;
    type Output = DatasetReply;

    async fn run(ctx: &Context, _: &Call, input: GetInput) -> Result<DatasetReply> {
        let dataset = ctx.db.dataset(&input.project_name, &input.dataset_name).await?;
        if !input.with_statistics {
            return Ok(DatasetReply { dataset: dataset.view(0, 0) });
        }
        let counts = ctx.db.counts(&dataset.id, dataset.shards).await?;
        Ok(DatasetReply { dataset: dataset.view(counts.files, counts.bytes) })
    }
}

/// UpdateDataset.
pub(super) struct UpdateDataset;

impl Operation for UpdateDataset {
    const NAME: &'static str = "UpdateDataset";
    const ACCESS: Access = Access::dataset("imm:UpdateDataset");
    const PARAMS: &'static [Param] = &SETTINGS;
    const REPLY: &'static [Param] = DATASET_REPLY;
    type Input = Settings;
    type Output = DatasetReply;

    async fn run(ctx: &Context, _: &Call, input: Settings) -> Result<DatasetReply> {
        let (project, name) = (input.project_name.clone(), input.dataset_name.clone());
        let dataset = ctx.db.update_dataset(&project, &name, &input.change()?).await?;
        Ok(DatasetReply { dataset: dataset.view(0, 0) })
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeleteInput {
    project_name: String,
    dataset_name: String,
}

/// DeleteDataset.
pub(super) struct DeleteDataset;

impl Operation for DeleteDataset {
    const NAME: &'static str = "DeleteDataset";
    const ACCESS: Access = Access::dataset("imm:DeleteDataset");
    const PARAMS: &'static [Param] = &[PROJECT, DATASET];
    const REPLY: &'static [Param] = &[];
    type Input = DeleteInput;
    type Output = Empty;

    async fn run(ctx: &Context, _: &Call, input: DeleteInput) -> Result<Empty> {
        let dataset = ctx.db.dataset(&input.project_name, &input.dataset_name).await?;
        ctx.db.delete_dataset(&dataset).await?;
        // Tombstones and hand-deleted rows are left under an id that nothing
        // names any more: they cost room, not correctness.
        let run = Run::new(RunKind::Purge, &run_id(), &dataset, "", "");
        ctx.db.create_run(&run).await?;
        send_scan(ctx, &run.run).await?;
        Ok(Empty {})
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListInput {
    project_name: String,
    max_results: Option<i64>,
    #[serde(default)]
    next_token: String,
    #[serde(default)]
    prefix: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListReply {
    datasets: Vec<DatasetView>,
    next_token: String,
}

/// ListDatasets.
pub(super) struct ListDatasets;

impl Operation for ListDatasets {
    const NAME: &'static str = "ListDatasets";
    const ACCESS: Access = Access::project("imm:ListDatasets");
    const PARAMS: &'static [Param] = &[
        PROJECT,
        MAX_RESULTS,
        NEXT_TOKEN,
        Param::optional("Prefix", Sized(0, 128), "Only names that begin with it."),
    ];
    const REPLY: &'static [Param] =
        &[Param::required("Datasets", Array, "The datasets, by name."), NEXT_PAGE];
    type Input = ListInput;
    type Output = ListReply;

    async fn run(ctx: &Context, _: &Call, input: ListInput) -> Result<ListReply> {
        ctx.db.project(&input.project_name).await?;
        let size = page_size(input.max_results);
        let tokens = ListToken::of(Self::NAME, &format!("{}/{}", input.project_name, input.prefix));
        let after = tokens.read(&input.next_token)?;
        let (datasets, more) = ctx.db.list_datasets(&input.project_name, &input.prefix, &after, size).await?;
        let next_token = match datasets.last() {
            Some(last) if more => tokens.write(&last.name)?,
            _ => String::new(),
        };
        Ok(ListReply { datasets: datasets.iter().map(|dataset| dataset.view(0, 0)).collect(), next_token })
    }
}
