//! The command that brings failed files back: what could not be read is tried
//! again by a scan of each binding, without waiting for the clock.

use anyhow::Context as _;
use clap::Args;
use serde_json::{Value, json};

use crate::bindings::{BoundBucket, bindings, until_scanned};
use crate::client::Api;

/// Try again what could not be read.
#[derive(Debug, Args)]
pub struct RedriveArgs {
    /// The dataset; all of the project where none is named.
    pub dataset: Option<String>,
    /// The project.
    #[arg(long, default_value = "local")]
    pub project: String,
}

/// Scans the bindings of datasets that have failed files, and says what came of it.
///
/// # Errors
/// When the API refuses a call or does not answer.
pub async fn redrive(args: RedriveArgs, api: Api) -> anyhow::Result<String> {
    let datasets = match &args.dataset {
        Some(dataset) => vec![dataset.clone()],
        None => datasets(&api, &args.project).await?,
    };
    let mut lines = Vec::new();
    for dataset in datasets {
        let failed = failed_files(&api, &args.project, &dataset).await?;
        if failed > 0 {
            for binding in bindings(&api, &args.project, &dataset).await? {
                scan(&api, &args.project, &dataset, &binding).await?;
            }
        }
        let left = failed_files(&api, &args.project, &dataset).await?;
        lines.push(format!("{dataset}: {failed} failed before, {left} now"));
    }
    Ok(lines.join("\n"))
}

async fn datasets(api: &Api, project: &str) -> anyhow::Result<Vec<String>> {
    let datasets = api.all("ListDatasets", json!({"ProjectName": project}), "Datasets").await?;
    Ok(datasets.iter().filter_map(|one| Some(one.get("DatasetName")?.as_str()?.to_owned())).collect())
}

async fn failed_files(api: &Api, project: &str, dataset: &str) -> anyhow::Result<u64> {
    let query = json!({"Field": "ObjectStatus", "Operation": "eq", "Value": "Failed"});
    let params = json!({"ProjectName": project, "DatasetName": dataset, "Query": query, "MaxResults": 1});
    let reply = api.ask("SimpleQuery", params).await?;
    reply.get("TotalHits").and_then(Value::as_u64).context("SimpleQuery gave no TotalHits")
}

/// Stops and resumes a binding, which scans it, and waits for the scan's end.
/// One that is stopped stays so.
async fn scan(api: &Api, project: &str, dataset: &str, binding: &BoundBucket) -> anyhow::Result<()> {
    if binding.state == "Stopped" {
        return Ok(());
    }
    let names = json!({"ProjectName": project, "DatasetName": dataset, "URI": binding.uri});
    api.ask("StopBinding", names.clone()).await?;
    api.ask("ResumeBinding", names).await?;
    until_scanned(api, project, dataset, &binding.uri).await.map(|_| ())
}
