//! The command that brings failed files back: what could not be read is tried
//! again by a scan of each binding, without waiting for the clock.

use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::{Value, json};

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
            for uri in bindings(&api, &args.project, &dataset).await? {
                scan(&api, &args.project, &dataset, &uri).await?;
            }
        }
        let left = failed_files(&api, &args.project, &dataset).await?;
        lines.push(format!("{dataset}: {failed} failed before, {left} now"));
    }
    Ok(lines.join("\n"))
}

async fn call(api: &Api, action: &str, params: Value) -> anyhow::Result<Value> {
    let Value::Object(params) = params else { bail!("parameters must be an object") };
    let reply = api.call(action, &params).await?;
    if reply.status != 200 {
        let text = |name: &str| reply.body.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        bail!("{action}: {}: {}", text("Code"), text("Message"));
    }
    Ok(reply.body)
}

fn list<'a>(reply: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    reply.get(name).and_then(Value::as_array).into_iter().flatten()
}

/// All values of a member of the items that a list gives, over its pages.
async fn pages(
    api: &Api,
    action: &str,
    mut params: Value,
    items: &str,
    member: &str,
) -> anyhow::Result<Vec<String>> {
    let mut values = Vec::new();
    loop {
        let reply = call(api, action, params.clone()).await?;
        let named = list(&reply, items).filter_map(|item| item.get(member)?.as_str());
        values.extend(named.map(str::to_owned));
        match reply.get("NextToken").and_then(Value::as_str) {
            Some(token) if !token.is_empty() => {
                let params = params.as_object_mut().context("parameters must be an object")?;
                params.insert("NextToken".into(), Value::from(token));
            }
            _ => return Ok(values),
        }
    }
}

async fn datasets(api: &Api, project: &str) -> anyhow::Result<Vec<String>> {
    pages(api, "ListDatasets", json!({"ProjectName": project}), "Datasets", "DatasetName").await
}

async fn bindings(api: &Api, project: &str, dataset: &str) -> anyhow::Result<Vec<String>> {
    let params = json!({"ProjectName": project, "DatasetName": dataset});
    pages(api, "ListBindings", params, "Bindings", "URI").await
}

async fn failed_files(api: &Api, project: &str, dataset: &str) -> anyhow::Result<u64> {
    let query = json!({"Field": "ObjectStatus", "Operation": "eq", "Value": "Failed"});
    let params = json!({"ProjectName": project, "DatasetName": dataset, "Query": query, "MaxResults": 1});
    let reply = call(api, "SimpleQuery", params).await?;
    reply.get("TotalHits").and_then(Value::as_u64).context("SimpleQuery gave no TotalHits")
}

/// Stops and resumes a binding, which scans it, and waits for the scan's end.
/// One that is stopped stays so.
async fn scan(api: &Api, project: &str, dataset: &str, uri: &str) -> anyhow::Result<()> {
    let names = json!({"ProjectName": project, "DatasetName": dataset, "URI": uri});
    let state = |reply: &Value, member: &str| {
        reply.get("Binding").and_then(|binding| binding.get(member)?.as_str()).unwrap_or_default().to_owned()
    };
    if state(&call(api, "GetBinding", names.clone()).await?, "State") == "Stopped" {
        return Ok(());
    }
    call(api, "StopBinding", names.clone()).await?;
    call(api, "ResumeBinding", names.clone()).await?;
    loop {
        let reply = call(api, "GetBinding", names.clone()).await?;
        match (state(&reply, "State").as_str(), state(&reply, "Phase").as_str()) {
            ("Running", "IncrementalScanning") => return Ok(()),
            ("Stopped", _) => bail!("{uri}: {}", state(&reply, "Reason")),
            _ => tokio::time::sleep(Duration::from_millis(200)).await,
        }
    }
}
