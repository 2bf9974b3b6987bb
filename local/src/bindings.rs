//! What the command line asks of bindings: whether they follow their buckets, and
//! `mediadex resume`, which has them go on.

use std::time::Duration;

use anyhow::bail;
use clap::Args;
use mediadex_core::model::BindingView;
use serde_json::{Value, json};

use crate::client::Api;

/// Have the bindings of a dataset go on: those that were stopped, and those that
/// hold removals back, which are removed then.
#[derive(Debug, Args)]
pub struct ResumeArgs {
    /// The dataset.
    pub dataset: String,
    /// The project.
    #[arg(long, default_value = crate::up::PROJECT)]
    pub project: String,
}

/// A binding, as far as the command line needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BoundBucket {
    /// The bucket: `oss://bucket`.
    pub(crate) uri: String,
    /// `Running` where all is well.
    pub(crate) state: String,
    phase: String,
    reason: String,
}

impl From<&BindingView> for BoundBucket {
    fn from(binding: &BindingView) -> Self {
        Self::of(&serde_json::to_value(binding).unwrap_or_default())
    }
}

impl BoundBucket {
    fn of(binding: &Value) -> Self {
        let text = |name: &str| binding.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        Self { uri: text("URI"), state: text("State"), phase: text("Phase"), reason: text("Reason") }
    }

    /// Whether ResumeBinding does something.
    fn can_be_resumed(&self) -> bool {
        self.state == "Stopped" || (self.state == "Retrying" && self.phase == "IncrementalScanning")
    }

    /// What a person who relies on the index should know.
    pub(crate) fn warning(&self, dataset: &str) -> Option<String> {
        let resume = format!("`mediadex resume {dataset}` goes on");
        let Self { uri, state, reason, .. } = self;
        match state.as_str() {
            "Stopped" if reason.is_empty() => {
                Some(format!("{uri} is not followed: it was stopped; {resume}"))
            }
            "Stopped" => Some(format!("{uri} is not followed: {reason}; {resume}")),
            "Retrying" | "Failed" => Some(format!("{uri}: {reason}; {resume}")),
            _ => None,
        }
    }
}

/// The bindings of a dataset.
///
/// # Errors
/// When the API refuses the call or does not answer.
pub(crate) async fn bindings(api: &Api, project: &str, dataset: &str) -> anyhow::Result<Vec<BoundBucket>> {
    let params = json!({"ProjectName": project, "DatasetName": dataset});
    let bindings = api.all("ListBindings", params, "Bindings").await?;
    Ok(bindings.iter().map(BoundBucket::of).collect())
}

/// Waits for the end of a binding's scan.
///
/// # Errors
/// When the binding was stopped meanwhile, or the API does not answer.
pub(crate) async fn until_scanned(
    api: &Api,
    project: &str,
    dataset: &str,
    uri: &str,
) -> anyhow::Result<BoundBucket> {
    let names = json!({"ProjectName": project, "DatasetName": dataset, "URI": uri});
    loop {
        let reply = api.ask("GetBinding", names.clone()).await?;
        let binding = BoundBucket::of(reply.get("Binding").unwrap_or(&Value::Null));
        match (binding.state.as_str(), binding.phase.as_str()) {
            ("Running" | "Retrying", "IncrementalScanning") => return Ok(binding),
            ("Stopped" | "Failed", _) => bail!("{uri}: {}", binding.reason),
            _ => tokio::time::sleep(Duration::from_millis(200)).await,
        }
    }
}

/// Resumes what can be resumed of a dataset, waits for the scans, and says what came
/// of it.
///
/// # Errors
/// When the API refuses a call or does not answer.
pub async fn resume(args: ResumeArgs, api: Api) -> anyhow::Result<String> {
    let ResumeArgs { dataset, project } = args;
    let mut lines = Vec::new();
    for binding in bindings(&api, &project, &dataset).await? {
        let uri = binding.uri.clone();
        if !binding.can_be_resumed() {
            lines.push(format!("{uri}: nothing to resume ({})", binding.state));
            continue;
        }
        let names = json!({"ProjectName": project, "DatasetName": dataset, "URI": uri});
        api.ask("ResumeBinding", names).await?;
        let now = until_scanned(&api, &project, &dataset, &uri).await?;
        lines.push(now.warning(&dataset).unwrap_or_else(|| format!("{uri}: resumed and scanned")));
    }
    if lines.is_empty() {
        lines.push(format!("{dataset} has no bindings"));
    }
    Ok(lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_binding_that_does_not_follow_its_bucket_is_warned_of() {
        let table = [
            ("Running", "IncrementalScanning", "", None),
            ("Running", "FullScanning", "", None),
            (
                "Retrying",
                "IncrementalScanning",
                "held back",
                Some("oss://b: held back; `mediadex resume d` goes on"),
            ),
            ("Stopped", "IncrementalScanning", "", Some("it was stopped")),
            ("Stopped", "FullScanning", "a holiday", Some("oss://b is not followed: a holiday")),
        ];
        for (state, phase, reason, want) in table {
            let binding =
                BoundBucket::of(&json!({"URI": "oss://b", "State": state, "Phase": phase, "Reason": reason}));
            let warning = binding.warning("d");
            assert_eq!(warning.is_some(), want.is_some(), "{state} {phase}");
            assert!(warning.unwrap_or_default().contains(want.unwrap_or_default()), "{state} {phase}");
            assert_eq!(binding.can_be_resumed(), state != "Running");
        }
    }
}
