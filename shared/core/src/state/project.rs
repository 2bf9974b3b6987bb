//! Projects: `P#{name}` / `META`, listed through GSI1 by name. The number of
//! projects is kept in one item, so that the limit of an account is exact.

use aws_sdk_dynamodb::types::{Put, TransactWriteItem, Update};
use serde::{Deserialize, Serialize};

use super::db::{Cancel, Db, TransactError, key, n, to_item};
use crate::error::{Error, Result};
use crate::model::{KeyValue, Limits, ProjectView, TagView, Timestamp};

/// A project, as stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "fields of the API's Project")]
pub struct Project {
    #[serde(rename = "PK")]
    pub(super) pk: String,
    #[serde(rename = "SK")]
    pub(super) sk: String,
    #[serde(rename = "GSI1PK")]
    pub(super) gsi_pk: String,
    #[serde(rename = "GSI1SK")]
    pub name: String,
    pub service_role: String,
    pub template_id: String,
    pub description: String,
    pub create_time: Timestamp,
    pub update_time: Timestamp,
    pub project_max_dataset_count: i64,
    pub dataset_max_bind_count: i64,
    pub dataset_max_file_count: i64,
    pub dataset_max_entity_count: i64,
    pub dataset_max_relation_count: i64,
    pub dataset_max_total_file_size: i64,
    pub queries_per_second: i64,
    pub engine_concurrency: i64,
    pub tags: Vec<KeyValue>,
    /// Datasets that exist, changed only together with a dataset.
    pub dataset_count: i64,
}

/// What UpdateProject changes: only what is given.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs, reason = "fields of the API's Project")]
pub struct ProjectChange {
    pub service_role: Option<String>,
    pub template_id: Option<String>,
    pub description: Option<String>,
    pub project_max_dataset_count: Option<i64>,
    pub dataset_max_bind_count: Option<i64>,
    pub dataset_max_file_count: Option<i64>,
    pub dataset_max_entity_count: Option<i64>,
    pub dataset_max_relation_count: Option<i64>,
    pub dataset_max_total_file_size: Option<i64>,
    pub queries_per_second: Option<i64>,
    pub engine_concurrency: Option<i64>,
    pub tags: Option<Vec<KeyValue>>,
}

pub(super) fn pk(name: &str) -> String {
    format!("P#{name}")
}

impl Project {
    /// A project with the defaults of the API.
    pub fn new(name: &str) -> Self {
        let now = Timestamp::now();
        Self {
            pk: pk(name),
            sk: "META".into(),
            gsi_pk: "PROJECTS".into(),
            name: name.into(),
            service_role: "AliyunIMMDefaultRole".into(),
            template_id: String::new(),
            description: String::new(),
            create_time: now,
            update_time: now,
            project_max_dataset_count: Limits::DATASETS_OF_PROJECT,
            dataset_max_bind_count: Limits::BINDINGS_OF_DATASET,
            dataset_max_file_count: Limits::FILES_OF_DATASET,
            dataset_max_entity_count: Limits::ENTITIES,
            dataset_max_relation_count: Limits::RELATIONS,
            dataset_max_total_file_size: Limits::TOTAL_FILE_SIZE,
            queries_per_second: Limits::QUERIES_PER_SECOND,
            engine_concurrency: Limits::QUERIES_PER_SECOND,
            tags: Vec::new(),
            dataset_count: 0,
        }
    }

    /// Replaces the present values by the given ones.
    pub fn apply(&mut self, change: ProjectChange) {
        fn put<T>(place: &mut T, value: Option<T>) {
            if let Some(value) = value {
                *place = value;
            }
        }
        put(&mut self.service_role, change.service_role);
        put(&mut self.template_id, change.template_id);
        put(&mut self.description, change.description);
        put(&mut self.project_max_dataset_count, change.project_max_dataset_count);
        put(&mut self.dataset_max_bind_count, change.dataset_max_bind_count);
        put(&mut self.dataset_max_file_count, change.dataset_max_file_count);
        put(&mut self.dataset_max_entity_count, change.dataset_max_entity_count);
        put(&mut self.dataset_max_relation_count, change.dataset_max_relation_count);
        put(&mut self.dataset_max_total_file_size, change.dataset_max_total_file_size);
        put(&mut self.queries_per_second, change.queries_per_second);
        put(&mut self.engine_concurrency, change.engine_concurrency);
        put(&mut self.tags, change.tags);
    }

    /// The project as replies show it, with its statistics.
    pub fn view(&self, file_count: i64, total_file_size: i64) -> ProjectView {
        ProjectView {
            project_name: self.name.clone(),
            service_role: self.service_role.clone(),
            template_id: self.template_id.clone(),
            create_time: self.create_time,
            update_time: self.update_time,
            description: self.description.clone(),
            project_max_dataset_count: self.project_max_dataset_count,
            dataset_max_bind_count: self.dataset_max_bind_count,
            dataset_max_file_count: self.dataset_max_file_count,
            dataset_max_entity_count: self.dataset_max_entity_count,
            dataset_max_relation_count: self.dataset_max_relation_count,
            dataset_max_total_file_size: self.dataset_max_total_file_size,
            project_queries_per_second: self.queries_per_second,
            engine_concurrency: self.engine_concurrency,
            dataset_count: self.dataset_count,
            file_count,
            total_file_size,
            tags: self
                .tags
                .iter()
                .map(|tag| TagView { tag_key: tag.key.clone(), tag_value: tag.value.clone() })
                .collect(),
        }
    }
}

impl Db {
    /// Reads a project.
    ///
    /// # Errors
    /// `ResourceNotFound`.
    pub async fn project(&self, name: &str) -> Result<Project> {
        self.get(&pk(name), "META").await?.ok_or_else(|| Error::not_found("Project", name))
    }

    /// Stores a new project, within the limit of the account.
    ///
    /// # Errors
    /// `ResourceAlreadyExists`, `LimitExceededError`.
    pub async fn create_project(&self, project: &Project, max_projects: u64) -> Result<()> {
        let put = Put::builder()
            .table_name(self.state_table())
            .set_item(Some(to_item(project)?))
            .condition_expression("attribute_not_exists(PK)")
            .build()
            .map_err(Error::internal)?;
        let count = Update::builder()
            .table_name(self.state_table())
            .set_key(Some(key("ACCOUNT", "META")))
            .update_expression("ADD project_count :one")
            .condition_expression("attribute_not_exists(project_count) OR project_count < :max")
            .expression_attribute_values(":one", n(1))
            .expression_attribute_values(":max", n(max_projects))
            .build()
            .map_err(Error::internal)?;
        let actions = vec![
            TransactWriteItem::builder().put(put).build(),
            TransactWriteItem::builder().update(count).build(),
        ];
        match self.transact_again(actions).await {
            Err(TransactError::Cancelled(reasons)) if reasons.first() == Some(&Cancel::Condition) => {
                Err(Error::already_exists("Project", &project.name))
            }
            Err(TransactError::Cancelled(reasons)) if reasons.get(1) == Some(&Cancel::Condition) => {
                Err(Error::limit_exceeded(format!("There may be at most {max_projects} projects.")))
            }
            other => Ok(other?),
        }
    }

    /// Stores the settings of a project that was read before; the number of
    /// its datasets is not touched.
    ///
    /// # Errors
    /// `ResourceNotFound` when it was deleted meanwhile.
    pub async fn update_project(&self, project: &Project) -> Result<Project> {
        let mut item = to_item(project)?;
        for fixed in ["PK", "SK", "GSI1PK", "GSI1SK", "dataset_count", "create_time"] {
            item.remove(fixed);
        }
        let updated = self.set_attributes(&project.pk, &project.sk, item).await?;
        updated.ok_or_else(|| Error::not_found("Project", &project.name))
    }

    /// Deletes a project that holds nothing.
    ///
    /// # Errors
    /// `ResourceNotFound`, `ResourceNotEmpty`.
    pub async fn delete_project(&self, name: &str) -> Result<()> {
        let delete = aws_sdk_dynamodb::types::Delete::builder()
            .table_name(self.state_table())
            .set_key(Some(key(pk(name), "META")))
            .condition_expression("attribute_exists(PK) AND dataset_count = :zero")
            .expression_attribute_values(":zero", n(0))
            .build()
            .map_err(Error::internal)?;
        let count = Update::builder()
            .table_name(self.state_table())
            .set_key(Some(key("ACCOUNT", "META")))
            .update_expression("ADD project_count :less")
            .expression_attribute_values(":less", n(-1))
            .build()
            .map_err(Error::internal)?;
        let actions = vec![
            TransactWriteItem::builder().delete(delete).build(),
            TransactWriteItem::builder().update(count).build(),
        ];
        match self.transact_again(actions).await {
            Err(TransactError::Cancelled(_)) => {
                let project = self.project(name).await?;
                Err(Error::not_empty(format!(
                    "The project {name} still has {} dataset(s); delete them first.",
                    project.dataset_count
                )))
            }
            other => Ok(other?),
        }
    }

    /// Projects in the order of their names.
    pub async fn list_projects(
        &self,
        prefix: &str,
        after: &str,
        limit: usize,
    ) -> Result<(Vec<Project>, bool)> {
        let page = self.list_in(Some("GSI1"), "PROJECTS", prefix, after, limit).await?;
        Ok((page.items, page.more))
    }

    /// Whether the project exists, checked inside of a transaction and counted
    /// there: one more or one less dataset.
    pub(super) fn count_dataset(
        &self,
        project: &str,
        by: i64,
        below: Option<i64>,
    ) -> Result<TransactWriteItem> {
        let mut update = Update::builder()
            .table_name(self.state_table())
            .set_key(Some(key(pk(project), "META")))
            .update_expression("ADD dataset_count :by")
            .expression_attribute_values(":by", n(by));
        update = match below {
            Some(max) => update
                .condition_expression("attribute_exists(PK) AND dataset_count < :max")
                .expression_attribute_values(":max", n(max)),
            None => update.condition_expression("attribute_exists(PK)"),
        };
        let update = update.build().map_err(Error::internal)?;
        Ok(TransactWriteItem::builder().update(update).build())
    }
}
