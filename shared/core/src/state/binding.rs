//! Bindings: `DSID#{dataset id}` / `B#{bucket}`, and the routing of events:
//! `BKT#{bucket}` / `{dataset id}`. Both are written in one transaction.

use aws_sdk_dynamodb::types::{Delete, Put, TransactWriteItem};
use serde::{Deserialize, Serialize};

use super::dataset::Dataset;
use super::db::{Cancel, Db, TransactError, key, n, s, to_item};
use crate::error::{Error, Result};
use crate::model::{BindingPhase, BindingState, BindingView, Reconcile, Timestamp};

/// A binding, as stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "fields of the API's Binding")]
pub struct Binding {
    #[serde(rename = "PK")]
    pub(super) pk: String,
    #[serde(rename = "SK")]
    pub(super) sk: String,
    pub project: String,
    pub dataset: String,
    pub dataset_id: String,
    pub bucket: String,
    pub state: BindingState,
    pub phase: BindingPhase,
    pub reason: String,
    pub create_time: Timestamp,
    pub update_time: Timestamp,
    /// The scan run that is current; a run that is not must change nothing.
    pub run: String,
    /// Stopped because too much was missing, by a version that did so.
    #[serde(default)]
    pub stopped_by_guard: bool,
    /// Files whose removal is held back; resuming the binding removes them.
    #[serde(default)]
    pub held: Option<Held>,
    /// How often it is compared with the bucket; `None`: as configured.
    #[serde(default)]
    pub reconcile: Option<Reconcile>,
    /// When a scan for differences was last begun by the clock, in epoch seconds.
    #[serde(default)]
    pub reconciled: i64,
}

/// Removals that a scan held back, because more files were missing than the
/// binding's budget lets scans remove. Everything else goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// When a scan first found as many missing, in epoch seconds.
    pub since: i64,
    /// When a scan found it last, in epoch milliseconds.
    pub at: i64,
    /// Files that are missing and were not moved.
    pub missing: i64,
    /// Files that are missing, and whose content was found under another key.
    pub moved: i64,
    /// Files of the dataset.
    pub files: i64,
    /// Files that scans may remove in a period.
    pub limit: i64,
    /// Files that they have removed in this one.
    pub used: i64,
    /// Hours of the period.
    pub hours: i64,
    /// When a listing first showed it that left nothing out, in epoch seconds;
    /// `None`: the last one left something out.
    pub shown: Option<i64>,
    /// When a complete listing that shows the same is taken as proof, in epoch
    /// seconds; `None`: never.
    pub until: Option<i64>,
}

impl Held {
    /// Why, with numbers, and what can be done.
    pub fn reason(&self) -> String {
        let Self { missing, moved, files, limit, used, hours, .. } = self;
        let mut text = format!(
            "removals are held back: {missing} of {files} indexed files are missing from the bucket, more than the {limit} that scans may remove in {hours} h"
        );
        if *used > 0 {
            text.push_str(&format!(" ({used} of them are used up)"));
        }
        if *moved > 0 {
            text.push_str(&format!("; {moved} more were moved"));
        }
        if self.shown.is_none() {
            text.push_str("; parts of the bucket may not be read");
        }
        text.push_str("; new and changed files are indexed; ResumeBinding removes what is missing");
        if let Some(until) = self.until {
            let until = jiff::Timestamp::from_second(until).unwrap_or_default();
            text.push_str(&format!(", and so does a complete scan after {until} that finds the same"));
        }
        text
    }
}

/// Where the events of a bucket go.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Route {
    #[serde(rename = "PK")]
    pk: String,
    /// The dataset's id.
    #[serde(rename = "SK")]
    pub dataset_id: String,
    /// The dataset's project.
    pub project: String,
    /// The dataset's name.
    pub dataset: String,
    /// Paused by StopBinding: events are left to the scan of ResumeBinding.
    pub stopped: bool,
}

fn pk(dataset_id: &str) -> String {
    format!("DSID#{dataset_id}")
}

fn sk(bucket: &str) -> String {
    format!("B#{bucket}")
}

fn route_pk(bucket: &str) -> String {
    format!("BKT#{bucket}")
}

impl Binding {
    /// A binding that has not begun.
    pub fn new(dataset: &Dataset, bucket: &str, run: &str) -> Self {
        let now = Timestamp::now();
        Self {
            pk: pk(&dataset.id),
            sk: sk(bucket),
            project: dataset.project.clone(),
            dataset: dataset.name.clone(),
            dataset_id: dataset.id.clone(),
            bucket: bucket.into(),
            state: BindingState::Ready,
            phase: BindingPhase::None,
            reason: String::new(),
            create_time: now,
            update_time: now,
            run: run.into(),
            stopped_by_guard: false,
            held: None,
            reconcile: None,
            reconciled: 0,
        }
    }

    /// Whether it follows its bucket: everything that was there is indexed, and
    /// events are heard.
    pub fn follows(&self) -> bool {
        self.state == BindingState::Running && self.phase == BindingPhase::IncrementalScanning
    }

    /// The binding as replies show it. One that follows its bucket and holds
    /// removals back is `Retrying`.
    pub fn view(&self) -> BindingView {
        let held = self.held.as_ref().filter(|_| self.follows());
        let reasons = held.map(Held::reason).into_iter().chain(Some(self.reason.clone()));
        let reason = reasons.filter(|reason| !reason.is_empty()).collect::<Vec<_>>().join("; ");
        BindingView {
            project_name: self.project.clone(),
            dataset_name: self.dataset.clone(),
            uri: format!("oss://{}", self.bucket),
            state: if held.is_some() { BindingState::Retrying } else { self.state },
            phase: self.phase,
            create_time: self.create_time,
            update_time: self.update_time,
            detail: reason.clone(),
            reason,
            reconcile: self.reconcile,
        }
    }

    fn route(&self, stopped: bool) -> Route {
        Route {
            pk: route_pk(&self.bucket),
            dataset_id: self.dataset_id.clone(),
            project: self.project.clone(),
            dataset: self.dataset.clone(),
            stopped,
        }
    }
}

impl Db {
    /// Stores a new binding and its routing, within the limit of the dataset.
    ///
    /// # Errors
    /// `ResourceAlreadyExists`, `LimitExceededError`, `ResourceNotFound` for the dataset.
    pub async fn create_binding(&self, binding: &Binding, dataset: &Dataset) -> Result<()> {
        let put = |item, condition: Option<&str>| -> Result<TransactWriteItem> {
            let put = Put::builder()
                .table_name(self.state_table())
                .set_item(Some(item))
                .set_condition_expression(condition.map(str::to_owned))
                .build()
                .map_err(Error::internal)?;
            Ok(TransactWriteItem::builder().put(put).build())
        };
        let max = dataset.dataset_max_bind_count;
        let actions = vec![
            put(to_item(binding)?, Some("attribute_not_exists(PK)"))?,
            self.count_binding(dataset, 1, Some(max))?,
            put(to_item(&binding.route(false))?, None)?,
        ];
        match self.transact_again(actions).await {
            Err(TransactError::Cancelled(reasons)) if reasons.first() == Some(&Cancel::Condition) => {
                Err(Error::already_exists("Binding", &format!("oss://{}", binding.bucket)))
            }
            Err(TransactError::Cancelled(reasons)) if reasons.get(1) == Some(&Cancel::Condition) => {
                self.dataset(&dataset.project, &dataset.name).await?;
                Err(Error::limit_exceeded(format!(
                    "The dataset {} may have at most {max} bindings (DatasetMaxBindCount).",
                    dataset.name
                )))
            }
            other => Ok(other?),
        }
    }

    /// Reads a binding.
    ///
    /// # Errors
    /// `ResourceNotFound`.
    pub async fn binding(&self, dataset_id: &str, bucket: &str) -> Result<Binding> {
        let binding = self.get(&pk(dataset_id), &sk(bucket)).await?;
        binding.ok_or_else(|| Error::not_found("Binding", &format!("oss://{bucket}")))
    }

    /// Deletes a binding and its routing: later events find nothing.
    ///
    /// # Errors
    /// `ResourceNotFound`.
    pub async fn delete_binding(&self, binding: &Binding, dataset: &Dataset) -> Result<()> {
        let delete = |pk: String, sk: String, condition: Option<&str>| -> Result<TransactWriteItem> {
            let delete = Delete::builder()
                .table_name(self.state_table())
                .set_key(Some(key(pk, sk)))
                .set_condition_expression(condition.map(str::to_owned))
                .build()
                .map_err(Error::internal)?;
            Ok(TransactWriteItem::builder().delete(delete).build())
        };
        let actions = vec![
            delete(binding.pk.clone(), binding.sk.clone(), Some("attribute_exists(PK)"))?,
            self.count_binding(dataset, -1, None)?,
            delete(route_pk(&binding.bucket), binding.dataset_id.clone(), None)?,
        ];
        match self.transact_again(actions).await {
            Err(TransactError::Cancelled(_)) => {
                Err(Error::not_found("Binding", &format!("oss://{}", binding.bucket)))
            }
            other => Ok(other?),
        }
    }

    /// Bindings of a dataset in the order of their buckets.
    pub async fn list_bindings(&self, dataset_id: &str) -> Result<Vec<Binding>> {
        self.list_all(&pk(dataset_id), "B#").await
    }

    /// Moves a binding to a state and phase, if `run` is still its current run
    /// and nobody stopped it meanwhile; says whether it was so.
    pub async fn set_binding_state(
        &self,
        dataset_id: &str,
        bucket: &str,
        run: &str,
        state: BindingState,
        phase: BindingPhase,
        reason: &str,
    ) -> Result<bool> {
        let value = |value| serde_dynamo::to_attribute_value(value).map_err(Error::internal);
        let update = self
            .client
            .update_item()
            .table_name(self.state_table())
            .set_key(Some(key(pk(dataset_id), sk(bucket))))
            .update_expression("SET #state = :state, phase = :phase, reason = :reason, update_time = :now")
            // A step that comes late does not undo what the end of its run has said.
            .condition_expression("run = :run AND #state <> :stopped AND (phase <> :ended OR phase = :phase)")
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":stopped", s("Stopped"))
            .expression_attribute_values(":ended", s("IncrementalScanning"))
            .expression_attribute_values(
                ":state",
                value(serde_json::to_value(state).map_err(Error::internal)?)?,
            )
            .expression_attribute_values(
                ":phase",
                value(serde_json::to_value(phase).map_err(Error::internal)?)?,
            )
            .expression_attribute_values(":reason", s(reason))
            .expression_attribute_values(":now", s(Timestamp::now().to_string()))
            .expression_attribute_values(":run", s(run));
        Ok(self.update_if(update).await?.is_some())
    }

    /// Notes that removals are held back, as a scan found that knew the binding
    /// with `run` as its current run. One that was resumed meanwhile has another.
    pub async fn hold_removals(&self, dataset_id: &str, bucket: &str, run: &str, held: &Held) -> Result<()> {
        let held = serde_dynamo::to_attribute_value(held).map_err(Error::internal)?;
        let update = self
            .client
            .update_item()
            .table_name(self.state_table())
            .set_key(Some(key(pk(dataset_id), sk(bucket))))
            .update_expression("SET held = :held, update_time = :now")
            .condition_expression("run = :run")
            .expression_attribute_values(":held", held)
            .expression_attribute_values(":now", s(Timestamp::now().to_string()))
            .expression_attribute_values(":run", s(run));
        self.update_if(update).await.map(|_| ())
    }

    /// Notes that nothing is held back any more, as a scan of the whole bucket
    /// found that began at `began`; what was held back since stays.
    pub async fn release_removals(&self, dataset_id: &str, bucket: &str, began: Timestamp) -> Result<()> {
        let update = self
            .client
            .update_item()
            .table_name(self.state_table())
            .set_key(Some(key(pk(dataset_id), sk(bucket))))
            .update_expression("SET update_time = :now REMOVE held")
            .condition_expression("held.#at <= :began")
            .expression_attribute_names("#at", "at")
            .expression_attribute_values(":now", s(Timestamp::now().to_string()))
            .expression_attribute_values(":began", n(began.millis()));
        self.update_if(update).await.map(|_| ())
    }

    /// Notes that a scan for differences begins at `now`; `false` when another worker
    /// else began one meanwhile.
    pub async fn claim_reconcile(&self, binding: &Binding, now: i64) -> Result<bool> {
        let update = self
            .client
            .update_item()
            .table_name(self.state_table())
            .set_key(Some(key(&binding.pk, &binding.sk)))
            .update_expression("SET reconciled = :now")
            .condition_expression("run = :run AND (attribute_not_exists(reconciled) OR reconciled = :last)")
            .expression_attribute_values(":run", s(&binding.run))
            .expression_attribute_values(":last", n(binding.reconciled))
            .expression_attribute_values(":now", n(now));
        Ok(self.update_if(update).await?.is_some())
    }

    /// Stores a changed binding with a new current run, and lets its events
    /// pass or not. `old_run` must still be current.
    ///
    /// # Errors
    /// `StatusConflict` when another worker changed it meanwhile.
    pub async fn replace_binding(&self, binding: &Binding, old_run: &str, stopped: bool) -> Result<()> {
        let put = Put::builder()
            .table_name(self.state_table())
            .set_item(Some(to_item(binding)?))
            .condition_expression("run = :run")
            .expression_attribute_values(":run", s(old_run))
            .build()
            .map_err(Error::internal)?;
        let route = Put::builder()
            .table_name(self.state_table())
            .set_item(Some(to_item(&binding.route(stopped))?))
            .build()
            .map_err(Error::internal)?;
        let actions = vec![
            TransactWriteItem::builder().put(put).build(),
            TransactWriteItem::builder().put(route).build(),
        ];
        match self.transact_again(actions).await {
            Err(TransactError::Cancelled(_)) => {
                Err(Error::status_conflict("The binding was changed by another call meanwhile."))
            }
            other => Ok(other?),
        }
    }

    /// Stops a binding whatever it is doing, and keeps why.
    pub async fn stop_binding(&self, dataset_id: &str, bucket: &str, reason: &str) -> Result<()> {
        for attempt in 0..8 {
            let mut binding = self.binding(dataset_id, bucket).await?;
            binding.state = BindingState::Stopped;
            binding.reason = reason.into();
            binding.stopped_by_guard = false;
            binding.update_time = Timestamp::now();
            let run = binding.run.clone();
            match self.replace_binding(&binding, &run, true).await {
                Err(error) if error.code() == &crate::error::Code::StatusConflict => {
                    super::db::pause(attempt).await
                }
                other => return other,
            }
        }
        Err(Error::unavailable("a binding kept changing"))
    }

    /// Which datasets the events of a bucket go to.
    pub async fn routes(&self, bucket: &str) -> Result<Vec<Route>> {
        self.list_all(&route_pk(bucket), "").await
    }
}
