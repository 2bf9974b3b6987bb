//! Create, Get, Delete and ListBinding(s), and the legacy Stop and ResumeBinding.

use serde::{Deserialize, Serialize};

use super::dataset::DATASET;
use super::params::Kind::{Array, Bool, Object, OneOf, Sized, Text};
use super::project::PROJECT;
use super::{Call, Empty, ListToken, MAX_RESULTS, NEXT_PAGE, NEXT_TOKEN, Operation, Param, page_size};
use crate::bucket::Look;
use crate::context::Context;
use crate::dispatch::send_scan;
use crate::error::{Error, Result};
use crate::gateway::Access;
use crate::ingest::{Target, log_estimate};
use crate::model::{BindingPhase, BindingState, BindingView, BucketUri, Reconcile, Timestamp, run_id};
use crate::state::{Binding, Dataset, Run, RunKind, RunStatus};

const URI: Param = Param::required("URI", Text, "The bucket: oss://bucket or s3://bucket.");

const RECONCILE: Param = Param::optional(
    "Reconcile",
    OneOf(Reconcile::WORDS),
    "How often the bucket is compared with the index in case that events were lost. An extension; \
     MEDIADEX_RECONCILE by default.",
);

const BINDING_REPLY: &[Param] = &[Param::required("Binding", Object, "The binding.")];

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct BindingInput {
    project_name: String,
    dataset_name: String,
    #[serde(rename = "URI")]
    uri: String,
    reconcile: Option<Reconcile>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct BindingReply {
    binding: BindingView,
}

async fn find(ctx: &Context, input: &BindingInput) -> Result<(Dataset, Binding)> {
    let bucket = BucketUri::parse("URI", &input.uri)?.bucket;
    let dataset = ctx.db.dataset(&input.project_name, &input.dataset_name).await?;
    let binding = ctx.db.binding(&dataset.id, &bucket).await?;
    Ok((dataset, binding))
}

/// Enqueues the run of a binding that was written, and takes it back
/// where the binding was not. Where nobody knows, the run finds out: without its
/// binding it ends by itself.
async fn begin(ctx: &Context, run: Run, written: Result<()>) -> Result<()> {
    match &written {
        Err(error) if !error.is_transient() => ctx.db.end_run(&run.run, RunStatus::Stopped).await?,
        _ => send_scan(ctx, &run.run).await?,
    }
    written
}

/// Says in the log what the scan will cost, before it is enqueued.
async fn estimate(ctx: &Context, dataset: &Dataset, bucket: &str, look: &Look) {
    let template = match dataset.template_id.is_empty() {
        false => Ok(String::new()),
        true => ctx.db.project(&dataset.project).await.map(|project| project.template_id),
    };
    if let Ok(template) = template {
        log_estimate(bucket, look, Target::new(dataset, &template).template.features);
    }
}

/// CreateBinding: follow a bucket's events, then scan what is there.
pub(super) struct CreateBinding;

impl Operation for CreateBinding {
    const NAME: &'static str = "CreateBinding";
    const ACCESS: Access = Access::dataset("imm:CreateBinding");
    const PARAMS: &'static [Param] = &[PROJECT, DATASET, URI, RECONCILE];
    const REPLY: &'static [Param] = BINDING_REPLY;
    type Input = BindingInput;
    type Output = BindingReply;

    async fn run(ctx: &Context, _: &Call, input: BindingInput) -> Result<BindingReply> {
        let bucket = BucketUri::parse("URI", &input.uri)?.bucket;
        let dataset = ctx.db.dataset(&input.project_name, &input.dataset_name).await?;
        let look = crate::bucket::look(ctx, &bucket).await?;
        let mut run = Run::new(RunKind::Full, &run_id(), &dataset, &bucket, "");
        run.current = true;
        // The run is stored first: a binding without one would never begin,
        // a run without its binding ends by itself.
        ctx.db.create_run(&run).await?;
        let mut binding = Binding::new(&dataset, &bucket, &run.run);
        binding.reconcile = input.reconcile;
        let written = ctx.db.create_binding(&binding, &dataset).await;
        if written.is_ok() {
            estimate(ctx, &dataset, &bucket, &look).await;
        }
        begin(ctx, run, written).await?;
        Ok(BindingReply { binding: binding.view() })
    }
}

/// GetBinding.
pub(super) struct GetBinding;

impl Operation for GetBinding {
    const NAME: &'static str = "GetBinding";
    const ACCESS: Access = Access::dataset("imm:GetBinding");
    const PARAMS: &'static [Param] = &[PROJECT, DATASET, URI];
    const REPLY: &'static [Param] = BINDING_REPLY;
    type Input = BindingInput;
    type Output = BindingReply;

    async fn run(ctx: &Context, _: &Call, input: BindingInput) -> Result<BindingReply> {
        let (_, binding) = find(ctx, &input).await?;
        Ok(BindingReply { binding: binding.view() })
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeleteInput {
    #[serde(flatten)]
    binding: BindingInput,
    #[serde(default)]
    cleanup: bool,
}

/// DeleteBinding: events are no longer followed; what was indexed stays, but
/// for the legacy `Cleanup`.
pub(super) struct DeleteBinding;

impl Operation for DeleteBinding {
    const NAME: &'static str = "DeleteBinding";
    const ACCESS: Access = Access::dataset("imm:DeleteBinding");
    const PARAMS: &'static [Param] = &[
        PROJECT,
        DATASET,
        URI,
        Param::optional("Cleanup", Bool, "Also remove the files that this binding indexed. Legacy."),
    ];
    const REPLY: &'static [Param] = &[];
    type Input = DeleteInput;
    type Output = Empty;

    async fn run(ctx: &Context, _: &Call, input: DeleteInput) -> Result<Empty> {
        let (dataset, binding) = find(ctx, &input.binding).await?;
        let cleanup =
            input.cleanup.then(|| Run::new(RunKind::Cleanup, &run_id(), &dataset, &binding.bucket, ""));
        if let Some(run) = &cleanup {
            ctx.db.create_run(run).await?;
        }
        ctx.db.delete_binding(&binding, &dataset).await?;
        if ctx.db.routes(&binding.bucket).await?.is_empty()
            && let Err(error) = crate::bucket::unfollow(ctx, &binding.bucket).await
        {
            // Events that still come find no route and are dropped.
            tracing::warn!(bucket = %binding.bucket, error = %error.internal_text(), "the bucket still sends its events");
        }
        if let Some(run) = cleanup {
            send_scan(ctx, &run.run).await?;
        }
        Ok(Empty {})
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListInput {
    project_name: String,
    dataset_name: Option<String>,
    #[serde(rename = "URI")]
    uri: Option<String>,
    max_results: Option<i64>,
    #[serde(default)]
    next_token: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListReply {
    bindings: Vec<BindingView>,
    next_token: String,
}

/// ListBindings: those of a dataset, or of all datasets of a project.
pub(super) struct ListBindings;

impl Operation for ListBindings {
    const NAME: &'static str = "ListBindings";
    const ACCESS: Access = Access::dataset("imm:ListBindings");
    const PARAMS: &'static [Param] = &[
        PROJECT,
        Param { required: false, ..DATASET },
        Param { required: false, ..URI },
        Param::optional("Name", Text, "Accepted and ignored: bindings have no names here."),
        MAX_RESULTS,
        NEXT_TOKEN,
    ];
    const REPLY: &'static [Param] =
        &[Param::required("Bindings", Array, "The bindings, by dataset and URI."), NEXT_PAGE];
    type Input = ListInput;
    type Output = ListReply;

    async fn run(ctx: &Context, _: &Call, input: ListInput) -> Result<ListReply> {
        let size = page_size(input.max_results);
        let bucket = input.uri.as_deref().map(|uri| BucketUri::parse("URI", uri)).transpose()?;
        let tokens = ListToken::of(Self::NAME, &input.project_name);
        let after = tokens.read(&input.next_token)?;
        let (mut after_dataset, mut after_bucket) = match after.split_once('/') {
            Some((dataset, bucket)) => (dataset.to_owned(), bucket.to_owned()),
            None => (String::new(), String::new()),
        };
        let mut datasets = match &input.dataset_name {
            Some(name) => vec![ctx.db.dataset(&input.project_name, name).await?],
            None => {
                ctx.db.project(&input.project_name).await?;
                Vec::new()
            }
        };
        let mut bindings: Vec<Binding> = Vec::new();
        loop {
            let mut more = false;
            if input.dataset_name.is_none() {
                // The dataset that the token stands in is looked at again.
                let mut found = Vec::new();
                if !after_bucket.is_empty()
                    && let Ok(dataset) = ctx.db.dataset(&input.project_name, &after_dataset).await
                {
                    found.push(dataset);
                }
                let (page, rest) = ctx.db.list_datasets(&input.project_name, "", &after_dataset, 100).await?;
                found.extend(page);
                (datasets, more) = (found, rest);
            }
            for dataset in &datasets {
                for binding in ctx.db.list_bindings(&dataset.id).await? {
                    let passed = dataset.name == after_dataset && binding.bucket <= after_bucket;
                    let wanted = bucket.as_ref().is_none_or(|uri| uri.bucket == binding.bucket);
                    if !passed && wanted {
                        bindings.push(binding);
                    }
                }
                if bindings.len() > size {
                    break;
                }
            }
            if bindings.len() > size || !more {
                break;
            }
            after_dataset = datasets.last().map(|dataset| dataset.name.clone()).unwrap_or_default();
            after_bucket = String::new();
        }
        let more = bindings.len() > size;
        bindings.truncate(size);
        let next_token = match bindings.last() {
            Some(last) if more => tokens.write(&format!("{}/{}", last.dataset, last.bucket))?,
            _ => String::new(),
        };
        Ok(ListReply { bindings: bindings.iter().map(Binding::view).collect(), next_token })
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct StopInput {
    #[serde(flatten)]
    binding: BindingInput,
    #[serde(default)]
    reason: String,
}

/// StopBinding: pause, keeping what is indexed and where the scan stands.
pub(super) struct StopBinding;

impl Operation for StopBinding {
    const NAME: &'static str = "StopBinding";
    const ACCESS: Access = Access::dataset("imm:StopBinding");
    const PARAMS: &'static [Param] =
        &[PROJECT, DATASET, URI, Param::optional("Reason", Sized(1, 256), "Why; shown by GetBinding.")];
    const REPLY: &'static [Param] = &[];
    type Input = StopInput;
    type Output = Empty;

    async fn run(ctx: &Context, _: &Call, input: StopInput) -> Result<Empty> {
        let (dataset, binding) = find(ctx, &input.binding).await?;
        if binding.state == BindingState::Stopped {
            return Err(Error::status_conflict("The binding is stopped already."));
        }
        ctx.db.stop_binding(&dataset.id, &binding.bucket, &input.reason).await?;
        Ok(Empty {})
    }
}

/// ResumeBinding: follow events again, and scan for what changed meanwhile. Where
/// removals are held back, it says that they are meant.
pub(super) struct ResumeBinding;

impl Operation for ResumeBinding {
    const NAME: &'static str = "ResumeBinding";
    const ACCESS: Access = Access::dataset("imm:ResumeBinding");
    const PARAMS: &'static [Param] = &[PROJECT, DATASET, URI, RECONCILE];
    const REPLY: &'static [Param] = &[];
    type Input = BindingInput;
    type Output = Empty;

    async fn run(ctx: &Context, _: &Call, input: BindingInput) -> Result<Empty> {
        let (dataset, mut binding) = find(ctx, &input).await?;
        // A scan that its state machine gave up is begun again in this way too;
        // its old run ends by itself, being current no more.
        let is_following =
            binding.state == BindingState::Running && binding.phase != BindingPhase::FullScanning;
        if (is_following && binding.held.is_none()) || binding.state == BindingState::Ready {
            return Err(Error::status_conflict("The binding is not stopped, and holds nothing back."));
        }
        crate::bucket::look(ctx, &binding.bucket).await?;
        let mut run = Run::new(RunKind::Full, &run_id(), &dataset, &binding.bucket, "");
        run.current = true;
        // The caller was told what is missing, and says that its removal is meant. For
        // one that a caller stopped, the scan finds that out first.
        let is_meant = (is_following && binding.held.is_some()) || binding.stopped_by_guard;
        run.guarded = !is_meant;
        ctx.db.create_run(&run).await?;
        let old_run = std::mem::replace(&mut binding.run, run.run.clone());
        binding.state = BindingState::Ready;
        binding.phase = BindingPhase::None;
        binding.reason = String::new();
        binding.stopped_by_guard = false;
        binding.held = binding.held.filter(|_| !is_meant);
        binding.reconcile = input.reconcile.or(binding.reconcile);
        binding.update_time = Timestamp::now();
        let written = ctx.db.replace_binding(&binding, &old_run, false).await;
        begin(ctx, run, written).await?;
        Ok(Empty {})
    }
}
