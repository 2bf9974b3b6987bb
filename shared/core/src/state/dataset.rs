//! Datasets: `P#{project}` / `DS#{name}`. The id, not the name, is in the keys
//! of files and counters, so that a dataset made again under an old name shares
//! nothing with the old one.

use aws_sdk_dynamodb::types::{Delete, Put, TransactWriteItem, Update};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::counters::CounterDelta;
use super::db::{Cancel, Db, TransactError, key, n, s, to_item};
use super::project::{Project, pk};
use crate::error::{Error, Result};
use crate::model::{DatasetView, Timestamp, run_id};

/// A dataset, as stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "fields of the API's Dataset")]
pub struct Dataset {
    #[serde(rename = "PK")]
    pub(super) pk: String,
    #[serde(rename = "SK")]
    pub(super) sk: String,
    pub project: String,
    pub name: String,
    /// A ULID; the datasets of one name differ in it.
    pub id: String,
    /// Partitions of the files table.
    pub partitions: u32,
    /// Counter shards.
    pub shards: u32,
    /// Which engine answers queries.
    pub engine: String,
    pub template_id: String,
    pub description: String,
    pub create_time: Timestamp,
    pub update_time: Timestamp,
    pub dataset_max_bind_count: i64,
    pub dataset_max_file_count: i64,
    pub dataset_max_entity_count: i64,
    pub dataset_max_relation_count: i64,
    pub dataset_max_total_file_size: i64,
    /// Accepted and echoed, as the API documents it.
    pub workflow_parameters: String,
    /// Bindings that exist, changed only together with a binding.
    pub bind_count: i64,
}

/// What UpdateDataset changes: only what is given.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs, reason = "fields of the API's Dataset")]
pub struct DatasetChange {
    pub template_id: Option<String>,
    pub description: Option<String>,
    pub dataset_max_bind_count: Option<i64>,
    pub dataset_max_file_count: Option<i64>,
    pub dataset_max_entity_count: Option<i64>,
    pub dataset_max_relation_count: Option<i64>,
    pub dataset_max_total_file_size: Option<i64>,
    pub workflow_parameters: Option<String>,
}

fn sk(name: &str) -> String {
    format!("DS#{name}")
}

impl Dataset {
    /// A dataset with the defaults of its project.
    pub fn new(project: &Project, name: &str, partitions: u32, shards: u32) -> Self {
        let now = Timestamp::now();
        Self {
            pk: pk(&project.name),
            sk: sk(name),
            project: project.name.clone(),
            name: name.into(),
            id: run_id(),
            partitions,
            shards,
            engine: "scan".into(),
            template_id: String::new(),
            description: String::new(),
            create_time: now,
            update_time: now,
            dataset_max_bind_count: project.dataset_max_bind_count,
            dataset_max_file_count: project.dataset_max_file_count,
            dataset_max_entity_count: project.dataset_max_entity_count,
            dataset_max_relation_count: project.dataset_max_relation_count,
            dataset_max_total_file_size: project.dataset_max_total_file_size,
            workflow_parameters: String::new(),
            bind_count: 0,
        }
    }

    /// Replaces the present values by the given ones.
    pub fn apply(&mut self, change: DatasetChange) {
        fn put<T>(place: &mut T, value: Option<T>) {
            if let Some(value) = value {
                *place = value;
            }
        }
        put(&mut self.template_id, change.template_id);
        put(&mut self.description, change.description);
        put(&mut self.dataset_max_bind_count, change.dataset_max_bind_count);
        put(&mut self.dataset_max_file_count, change.dataset_max_file_count);
        put(&mut self.dataset_max_entity_count, change.dataset_max_entity_count);
        put(&mut self.dataset_max_relation_count, change.dataset_max_relation_count);
        put(&mut self.dataset_max_total_file_size, change.dataset_max_total_file_size);
        put(&mut self.workflow_parameters, change.workflow_parameters);
    }

    /// The dataset as replies show it, with its statistics.
    pub fn view(&self, file_count: i64, total_file_size: i64) -> DatasetView {
        DatasetView {
            project_name: self.project.clone(),
            dataset_name: self.name.clone(),
            template_id: self.template_id.clone(),
            create_time: self.create_time,
            update_time: self.update_time,
            description: self.description.clone(),
            dataset_max_bind_count: self.dataset_max_bind_count,
            dataset_max_file_count: self.dataset_max_file_count,
            dataset_max_entity_count: self.dataset_max_entity_count,
            dataset_max_relation_count: self.dataset_max_relation_count,
            dataset_max_total_file_size: self.dataset_max_total_file_size,
            bind_count: self.bind_count,
            file_count,
            total_file_size,
            workflow_parameters: serde_json::from_str(&self.workflow_parameters)
                .unwrap_or_else(|_| Value::Array(Vec::new())),
        }
    }
}

impl Db {
    /// Reads a dataset.
    ///
    /// # Errors
    /// `ResourceNotFound` for the dataset, or for the project where that is missing.
    pub async fn dataset(&self, project: &str, name: &str) -> Result<Dataset> {
        if let Some(dataset) = self.get(&pk(project), &sk(name)).await? {
            return Ok(dataset);
        }
        self.project(project).await?;
        Err(Error::not_found("Dataset", name))
    }

    /// Stores a new dataset with its counters, within the limit of its project.
    ///
    /// # Errors
    /// `ResourceAlreadyExists`, `LimitExceededError`, `ResourceNotFound` for the project.
    pub async fn create_dataset(&self, dataset: &Dataset, project: &Project) -> Result<()> {
        let put = Put::builder()
            .table_name(self.state_table())
            .set_item(Some(to_item(dataset)?))
            .condition_expression("attribute_not_exists(PK)")
            .build()
            .map_err(Error::internal)?;
        let max = project.project_max_dataset_count;
        let mut actions = vec![
            TransactWriteItem::builder().put(put).build(),
            self.count_dataset(&project.name, 1, Some(max))?,
        ];
        actions.extend(self.new_counters(
            &dataset.id,
            dataset.shards,
            dataset.dataset_max_file_count,
            dataset.dataset_max_total_file_size,
        )?);
        match self.transact_again(actions).await {
            Err(TransactError::Cancelled(reasons)) if reasons.first() == Some(&Cancel::Condition) => {
                Err(Error::already_exists("Dataset", &dataset.name))
            }
            Err(TransactError::Cancelled(reasons)) if reasons.get(1) == Some(&Cancel::Condition) => {
                self.project(&project.name).await?;
                Err(Error::limit_exceeded(format!(
                    "The project {} may have at most {max} datasets (ProjectMaxDatasetCount).",
                    project.name
                )))
            }
            other => Ok(other?),
        }
    }

    /// Stores the settings of a dataset. A changed quota moves the room of the
    /// counters in the same transaction, so that it holds at once and exactly.
    ///
    /// # Errors
    /// `ResourceNotFound`.
    pub async fn update_dataset(&self, project: &str, name: &str, change: &DatasetChange) -> Result<Dataset> {
        for attempt in 0..20 {
            let old = self.dataset(project, name).await?;
            let mut new = old.clone();
            new.apply(change.clone());
            new.update_time = Timestamp::now();
            let by = CounterDelta {
                files: new.dataset_max_file_count - old.dataset_max_file_count,
                bytes: new.dataset_max_total_file_size - old.dataset_max_total_file_size,
            };
            let mut item = to_item(&new)?;
            for fixed in
                ["PK", "SK", "bind_count", "create_time", "id", "partitions", "shards", "project", "name"]
            {
                item.remove(fixed);
            }
            if by == CounterDelta::default() {
                if let Some(dataset) = self.set_attributes(&old.pk, &old.sk, item).await? {
                    return Ok(dataset);
                }
                continue;
            }
            let mut update = Update::builder()
                .table_name(self.state_table())
                .set_key(Some(key(&old.pk, &old.sk)))
                .condition_expression("id = :id AND update_time = :read")
                .expression_attribute_values(":id", s(&old.id))
                .expression_attribute_values(":read", s(old.update_time.to_string()));
            let mut expression = Vec::new();
            for (index, (attribute, value)) in item.into_iter().enumerate() {
                expression.push(format!("#a{index} = :a{index}"));
                update = update
                    .expression_attribute_names(format!("#a{index}"), attribute)
                    .expression_attribute_values(format!(":a{index}"), value);
            }
            let update = update
                .update_expression(format!("SET {}", expression.join(", ")))
                .build()
                .map_err(Error::internal)?;
            let also = [TransactWriteItem::builder().update(update).build()];
            match self.change_quota(&old.id, old.shards, by, &also).await {
                Ok(true) => return Ok(new),
                Ok(false) | Err(_) => super::db::pause(attempt.min(4)).await,
            }
        }
        Err(Error::unavailable("update of a dataset: its counters kept moving"))
    }

    /// Deletes a dataset that holds no file and no binding, with its counters.
    ///
    /// # Errors
    /// `ResourceNotFound`, `ResourceNotEmpty`.
    pub async fn delete_dataset(&self, dataset: &Dataset) -> Result<()> {
        for attempt in 0..20 {
            let counters = match self.delete_counters(&dataset.id, dataset.shards).await? {
                Ok(actions) => actions,
                Err(counts) => {
                    return Err(Error::not_empty(format!(
                        "The dataset {} still has {} indexed file(s); delete their metadata first.",
                        dataset.name, counts.files
                    )));
                }
            };
            let delete = Delete::builder()
                .table_name(self.state_table())
                .set_key(Some(key(&dataset.pk, &dataset.sk)))
                .condition_expression("id = :id AND bind_count = :zero")
                .expression_attribute_values(":id", s(&dataset.id))
                .expression_attribute_values(":zero", n(0))
                .build()
                .map_err(Error::internal)?;
            let mut actions = vec![
                TransactWriteItem::builder().delete(delete).build(),
                self.count_dataset(&dataset.project, -1, None)?,
            ];
            actions.extend(counters);
            match self.transact_again(actions).await {
                Ok(()) => return Ok(()),
                Err(TransactError::Cancelled(reasons)) if reasons.first() == Some(&Cancel::Condition) => {
                    let now = self.dataset(&dataset.project, &dataset.name).await?;
                    if now.id != dataset.id {
                        return Err(Error::not_found("Dataset", &dataset.name));
                    }
                    return Err(Error::not_empty(format!(
                        "The dataset {} still has {} binding(s); delete them first.",
                        dataset.name, now.bind_count
                    )));
                }
                // A counter moved between reading and deleting: look again.
                Err(TransactError::Cancelled(_)) => super::db::pause(attempt.min(4)).await,
                Err(other) => return Err(other.into()),
            }
        }
        Err(Error::status_conflict(format!("The dataset {} is being written to.", dataset.name)))
    }

    /// Datasets of a project in the order of their names.
    pub async fn list_datasets(
        &self,
        project: &str,
        prefix: &str,
        after: &str,
        limit: usize,
    ) -> Result<(Vec<Dataset>, bool)> {
        let after = if after.is_empty() { String::new() } else { sk(after) };
        let page = self.list(&pk(project), &sk(prefix), &after, limit).await?;
        Ok((page.items, page.more))
    }

    /// One more or one less binding, within a transaction.
    pub(super) fn count_binding(
        &self,
        dataset: &Dataset,
        by: i64,
        below: Option<i64>,
    ) -> Result<TransactWriteItem> {
        let mut update = Update::builder()
            .table_name(self.state_table())
            .set_key(Some(key(&dataset.pk, &dataset.sk)))
            .update_expression("ADD bind_count :by")
            .expression_attribute_values(":by", n(by))
            .expression_attribute_values(":id", s(&dataset.id));
        update = match below {
            Some(max) => update
                .condition_expression("id = :id AND bind_count < :max")
                .expression_attribute_values(":max", n(max)),
            None => update.condition_expression("id = :id"),
        };
        let update = update.build().map_err(Error::internal)?;
        Ok(TransactWriteItem::builder().update(update).build())
    }
}
