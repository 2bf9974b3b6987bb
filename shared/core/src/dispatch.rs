//! How asynchronous work gets to whoever does it: a queue and a state machine
//! in the cloud, channels in the local cloud, nothing at all in a function
//! that was invoked by hand.

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::error::{Error, Result};

/// A piece of work. What it needs stands in the state table, so that a lost
/// message can be sent again and a message that comes twice does no harm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "work", rename_all = "kebab-case")]
pub enum Work {
    /// Run an index task that is in the state table.
    IndexTask {
        /// The project.
        project: String,
        /// The task.
        task_id: String,
    },
    /// Drive a scan run (full scan, clean-up of a binding, purge of a dataset) to its end.
    Scan {
        /// The run.
        run: String,
    },
    /// Drive a scan run on that nobody drives any more.
    TakeUp {
        /// The run.
        run: String,
    },
}

/// Sends work on its way. An error means that nothing was sent.
#[async_trait]
pub trait Dispatch: Send + Sync {
    /// Sends one piece of work.
    async fn send(&self, work: Work) -> Result<()>;
}

/// The dispatch that the configuration asks for.
pub fn from_config(config: &Config, sdk: &aws_config::SdkConfig) -> Arc<dyn Dispatch> {
    match (&config.task_queue_url, &config.scan_state_machine_arn) {
        (Some(queue), Some(machine)) => Arc::new(CloudDispatch {
            sqs: aws_sdk_sqs::Client::new(sdk),
            sfn: aws_sdk_sfn::Client::new(sdk),
            queue: queue.clone(),
            machine: machine.clone(),
        }),
        _ => Arc::new(ByHand),
    }
}

/// SQS for index tasks, Step Functions for scans.
struct CloudDispatch {
    sqs: aws_sdk_sqs::Client,
    sfn: aws_sdk_sfn::Client,
    queue: String,
    machine: String,
}

#[async_trait]
impl Dispatch for CloudDispatch {
    async fn send(&self, work: Work) -> Result<()> {
        match &work {
            Work::IndexTask { .. } => {
                let body = serde_json::to_string(&work).map_err(Error::internal)?;
                self.sqs
                    .send_message()
                    .queue_url(&self.queue)
                    .message_body(body)
                    .send()
                    .await
                    .map_err(|error| Error::unavailable(error.into_service_error()))?;
            }
            Work::Scan { run } | Work::TakeUp { run } => {
                // The run is the execution's name: starting it twice starts it
                // once. A name is used up for 90 days, so that taking a run up
                // takes another, the same within an hour.
                let name = match &work {
                    Work::TakeUp { .. } => {
                        format!("{run}-{}", crate::model::Timestamp::now().seconds() / 3600)
                    }
                    _ => run.clone(),
                };
                let input = serde_json::json!({ "run": run }).to_string();
                let sent = self
                    .sfn
                    .start_execution()
                    .state_machine_arn(&self.machine)
                    .name(name)
                    .input(input)
                    .send()
                    .await;
                if let Err(error) = sent {
                    let error = error.into_service_error();
                    if !error.is_execution_already_exists() {
                        return Err(Error::unavailable(error));
                    }
                }
            }
        }
        Ok(())
    }
}

/// For functions that are invoked by hand, where nobody takes work up.
pub struct ByHand;

#[async_trait]
impl Dispatch for ByHand {
    async fn send(&self, work: Work) -> Result<()> {
        tracing::warn!(?work, "nothing takes this work up by itself here; invoke the function for it");
        Ok(())
    }
}
