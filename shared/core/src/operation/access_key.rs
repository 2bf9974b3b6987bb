//! Access keys: CreateAccessKey, ListAccessKeys, UpdateAccessKey,
//! RotateAccessKey, DeleteAccessKey, and what is derived from a key for a
//! while: CreateTemporaryKey and CreateToken.
//!
//! They are not part of IMM, whose keys are made by RAM and STS; names and
//! shapes follow those two services.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::params::Kind::{Array, Int, Object, OneOf, Sized, Text};
use super::{Call, Empty, ListToken, MAX_RESULTS, NEXT_PAGE, NEXT_TOKEN, Operation, Param, page_size};
use crate::context::Context;
use crate::error::{Code, Error, Result};
use crate::gateway::Access;
use crate::keys::{AccessKey, KeyKind, Policy, random_text};
use crate::model::Timestamp;
use crate::state::{KeyStatus, StoredKey, TEMPORARY_PREFIX, TOKEN_PREFIX};

const ID: Param = Param::required("AccessKeyId", Text, "The access key.");
const OF: Param = Param::optional(
    "AccessKeyId",
    Text,
    "The access key that it is derived from; the caller's own by default.",
);
const POLICY_DOC: &str =
    "{Version, Statement: [{Effect, Action, Resource}]} in the RAM grammar, with * and ?; Deny wins.";
const DESCRIPTION: Param = Param::optional("Description", Sized(0, 256), "What the key is for.");
const RATE: Param = Param::optional(
    "QueriesPerSecond",
    Int(0, 1_000_000),
    "Requests per second that the key may make; 0, the default: no limit of its own.",
);

const KEY_REPLY: &[Param] =
    &[Param::required("AccessKey", Object, "The key; its secret only in the reply that made it.")];

/// An access key as replies show it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct KeyView {
    access_key_id: String,
    /// Only in the reply that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    access_key_secret: Option<String>,
    status: KeyStatus,
    description: String,
    policy: Policy,
    queries_per_second: i64,
    create_time: Timestamp,
    update_time: Timestamp,
}

impl KeyView {
    fn of(key: &StoredKey, secret: Option<String>) -> Result<Self> {
        Ok(Self {
            access_key_id: key.id.clone(),
            access_key_secret: secret,
            status: key.status,
            description: key.description.clone(),
            policy: key.policy()?,
            queries_per_second: key.queries_per_second,
            create_time: key.create_time,
            update_time: key.update_time,
        })
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct KeyReply {
    access_key: KeyView,
}

/// Who did what to which key: for the audit, whatever level the log has.
fn audit(call: &Call, action: &str, id: &str) {
    tracing::info!(
        target: "mediadex::audit",
        request_id = %call.request_id, caller = call.caller.as_deref().unwrap_or("the function's invoker"),
        action, access_key_id = id, "access key"
    );
}

/// A key that operations may change.
async fn stored(ctx: &Context, id: &str) -> Result<StoredKey> {
    if ctx.keys().is_fixed(id).await? {
        return Err(Error::status_conflict(format!(
            "The access key {id} belongs to the deployment and is not kept here; change it where it is set."
        )));
    }
    ctx.db.stored_key(id).await?.ok_or_else(|| Error::not_found("AccessKey", id))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateInput {
    access_key_id: Option<String>,
    #[serde(default)]
    description: String,
    policy: Policy,
    #[serde(default)]
    queries_per_second: i64,
}

/// CreateAccessKey.
pub(super) struct CreateAccessKey;

impl Operation for CreateAccessKey {
    const NAME: &'static str = "CreateAccessKey";
    const ACCESS: Access = Access::access_key("ram:CreateAccessKey");
    const PARAMS: &'static [Param] = &[
        Param::optional("AccessKeyId", Sized(3, 64), "Its id; made up where none is given."),
        DESCRIPTION,
        Param::required("Policy", Object, POLICY_DOC),
        RATE,
    ];
    const REPLY: &'static [Param] = KEY_REPLY;
    type Input = CreateInput;
    type Output = KeyReply;

    async fn run(ctx: &Context, call: &Call, input: CreateInput) -> Result<KeyReply> {
        let id = match input.access_key_id {
            Some(id) => check_id(id)?,
            None => format!("MDAK{}", random_text(16)?),
        };
        if ctx.keys().is_fixed(&id).await? {
            return Err(Error::already_exists("AccessKey", &id));
        }
        let secret = random_text(40)?;
        let mut key = StoredKey::new(&id, &input.policy)?;
        key.secret = ctx.keys().sealing_key().await?.seal(&id, &secret)?;
        key.description = input.description;
        key.queries_per_second = input.queries_per_second;
        ctx.db.create_key(&key).await?;
        ctx.keys().forget();
        audit(call, Self::NAME, &id);
        Ok(KeyReply { access_key: KeyView::of(&key, Some(secret))? })
    }
}

fn check_id(id: String) -> Result<String> {
    let is_right = id.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    let is_taken = [TEMPORARY_PREFIX, TOKEN_PREFIX].iter().any(|prefix| id.starts_with(prefix));
    if is_right && !is_taken {
        return Ok(id);
    }
    Err(Error::invalid(
        "AccessKeyId",
        format!(
            "It must have 3 to 64 characters of A-Z, a-z, 0-9, '-', '_' and '.', and not begin with {TEMPORARY_PREFIX} or {TOKEN_PREFIX}."
        ),
    ))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListInput {
    max_results: Option<i64>,
    #[serde(default)]
    next_token: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListReply {
    access_keys: Vec<KeyView>,
    next_token: String,
}

/// ListAccessKeys.
pub(super) struct ListAccessKeys;

impl Operation for ListAccessKeys {
    const NAME: &'static str = "ListAccessKeys";
    const ACCESS: Access = Access::access_key("ram:ListAccessKeys");
    const PARAMS: &'static [Param] = &[MAX_RESULTS, NEXT_TOKEN];
    const REPLY: &'static [Param] =
        &[Param::required("AccessKeys", Array, "The permanent keys, by id, without secrets."), NEXT_PAGE];
    type Input = ListInput;
    type Output = ListReply;

    async fn run(ctx: &Context, _: &Call, input: ListInput) -> Result<ListReply> {
        let tokens = ListToken::of(Self::NAME, "");
        let after = tokens.read(&input.next_token)?;
        let (keys, more) = ctx.db.list_keys(&after, page_size(input.max_results)).await?;
        let next_token = match keys.last() {
            Some(last) if more => tokens.write(&last.id)?,
            _ => String::new(),
        };
        let access_keys = keys.iter().map(|key| KeyView::of(key, None)).collect::<Result<_>>()?;
        Ok(ListReply { access_keys, next_token })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UpdateInput {
    access_key_id: String,
    status: Option<KeyStatus>,
    description: Option<String>,
    policy: Option<Policy>,
    queries_per_second: Option<i64>,
}

/// UpdateAccessKey.
pub(super) struct UpdateAccessKey;

impl Operation for UpdateAccessKey {
    const NAME: &'static str = "UpdateAccessKey";
    const ACCESS: Access = Access::access_key("ram:UpdateAccessKey");
    const PARAMS: &'static [Param] = &[
        ID,
        Param::optional(
            "Status",
            OneOf(&["Active", "Inactive"]),
            "Inactive disables the key, and what was derived from it.",
        ),
        DESCRIPTION,
        Param::optional("Policy", Object, POLICY_DOC),
        RATE,
    ];
    const REPLY: &'static [Param] = KEY_REPLY;
    type Input = UpdateInput;
    type Output = KeyReply;

    async fn run(ctx: &Context, call: &Call, input: UpdateInput) -> Result<KeyReply> {
        let mut key = stored(ctx, &input.access_key_id).await?;
        let read = key.update_time;
        if let Some(status) = input.status {
            key.status = status;
        }
        if let Some(description) = input.description {
            key.description = description;
        }
        if let Some(policy) = &input.policy {
            key.policy = serde_json::to_string(policy).map_err(Error::internal)?;
        }
        if let Some(rate) = input.queries_per_second {
            key.queries_per_second = rate;
        }
        key.update_time = Timestamp::now();
        ctx.db.replace_key(&key, read).await?;
        ctx.keys().forget();
        audit(call, Self::NAME, &key.id);
        Ok(KeyReply { access_key: KeyView::of(&key, None)? })
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RotateInput {
    access_key_id: String,
    #[serde(default)]
    grace_seconds: i64,
}

/// RotateAccessKey.
pub(super) struct RotateAccessKey;

impl Operation for RotateAccessKey {
    const NAME: &'static str = "RotateAccessKey";
    const ACCESS: Access = Access::access_key("ram:RotateAccessKey");
    const PARAMS: &'static [Param] = &[
        ID,
        Param::optional(
            "GraceSeconds",
            Int(0, 30 * 24 * 3600),
            "How long the secret before is still taken; 0, the default: it is not.",
        ),
    ];
    const REPLY: &'static [Param] = KEY_REPLY;
    type Input = RotateInput;
    type Output = KeyReply;

    async fn run(ctx: &Context, call: &Call, input: RotateInput) -> Result<KeyReply> {
        let mut key = stored(ctx, &input.access_key_id).await?;
        if !key.parent.is_empty() {
            return Err(Error::status_conflict("Temporary keys and tokens are not rotated; make another."));
        }
        let read = key.update_time;
        let secret = random_text(40)?;
        let sealed = ctx.keys().sealing_key().await?.seal(&key.id, &secret)?;
        let before = std::mem::replace(&mut key.secret, sealed);
        key.update_time = Timestamp::now();
        (key.previous, key.previous_until) = match input.grace_seconds {
            0 => (String::new(), 0),
            grace => (before, key.update_time.millis() + grace * 1000),
        };
        ctx.db.replace_key(&key, read).await?;
        ctx.keys().forget();
        audit(call, Self::NAME, &key.id);
        Ok(KeyReply { access_key: KeyView::of(&key, Some(secret))? })
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeleteInput {
    access_key_id: String,
}

/// DeleteAccessKey.
pub(super) struct DeleteAccessKey;

impl Operation for DeleteAccessKey {
    const NAME: &'static str = "DeleteAccessKey";
    const ACCESS: Access = Access::access_key("ram:DeleteAccessKey");
    const PARAMS: &'static [Param] = &[Param::required(
        "AccessKeyId",
        Text,
        "The access key, temporary key or token (its part before the dot).",
    )];
    const REPLY: &'static [Param] = &[];
    type Input = DeleteInput;
    type Output = Empty;

    async fn run(ctx: &Context, call: &Call, input: DeleteInput) -> Result<Empty> {
        let key = stored(ctx, &input.access_key_id).await?;
        ctx.db.delete_key(&key.id).await?;
        ctx.keys().forget();
        audit(call, Self::NAME, &key.id);
        Ok(Empty {})
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeriveInput {
    access_key_id: Option<String>,
    duration_seconds: Option<i64>,
    policy: Option<Policy>,
}

/// The key that something is derived from: the one that is named, or the caller's.
async fn origin(ctx: &Context, call: &Call, named: Option<String>) -> Result<AccessKey> {
    let id = named.or_else(|| call.caller.clone()).ok_or_else(|| Error::missing("AccessKeyId"))?;
    let key = ctx.keys().find(&ctx.db, &id).await?;
    let key = key.ok_or_else(|| Error::not_found("AccessKey", &id))?;
    if key.kind() != KeyKind::Permanent {
        return Err(Error::with_code(
            Code::NoPermission,
            "Temporary keys and tokens are derived from lasting access keys only.",
        ));
    }
    Ok(key)
}

/// A row for what is derived from a key; `policy` narrows what the key may do.
fn derived(id: &str, origin: &AccessKey, policy: Option<&Policy>, end: Timestamp) -> Result<StoredKey> {
    let everything = Policy::everything();
    let mut key = StoredKey::new(id, policy.unwrap_or(&everything))?;
    key.parent = origin.id().to_owned();
    key.parent_born = origin.born();
    key.expire_at(end);
    Ok(key)
}

fn end_of(duration_seconds: i64) -> Timestamp {
    Timestamp::from_seconds(Timestamp::now().seconds() + duration_seconds)
}

fn hash(token: &str) -> String {
    hex::encode(Sha256::digest(token.as_bytes()))
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Credentials {
    access_key_id: String,
    access_key_secret: String,
    security_token: String,
    expiration: Timestamp,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CredentialsReply {
    credentials: Credentials,
}

/// CreateTemporaryKey.
pub(super) struct CreateTemporaryKey;

impl Operation for CreateTemporaryKey {
    const NAME: &'static str = "CreateTemporaryKey";
    const ACCESS: Access = Access::own_access_key("ram:CreateTemporaryKey");
    const PARAMS: &'static [Param] = &[
        OF,
        Param::optional("DurationSeconds", Int(900, 43_200), "How long it is taken; 3,600 by default."),
        Param::optional("Policy", Object, "What it may do, within what the access key may do."),
    ];
    const REPLY: &'static [Param] = &[Param::required(
        "Credentials",
        Object,
        "AccessKeyId, AccessKeySecret, SecurityToken and Expiration.",
    )];
    type Input = DeriveInput;
    type Output = CredentialsReply;

    async fn run(ctx: &Context, call: &Call, input: DeriveInput) -> Result<CredentialsReply> {
        let origin = origin(ctx, call, input.access_key_id).await?;
        let id = format!("{TEMPORARY_PREFIX}{}", random_text(24)?);
        let (secret, token) = (random_text(40)?, random_text(64)?);
        let end = end_of(input.duration_seconds.unwrap_or(3600));
        let mut key = derived(&id, &origin, input.policy.as_ref(), end)?;
        key.secret = ctx.keys().sealing_key().await?.seal(&id, &secret)?;
        key.token_hash = hash(&token);
        ctx.db.create_key(&key).await?;
        audit(call, Self::NAME, &id);
        let credentials = Credentials {
            access_key_id: id,
            access_key_secret: secret,
            security_token: token,
            expiration: end,
        };
        Ok(CredentialsReply { credentials })
    }
}

/// A bearer token, and when it ends.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct TokenReply {
    /// `{id}.{secret}`: the caller who shows it is its holder.
    pub(crate) token: String,
    /// Its end.
    pub(crate) expiration: Timestamp,
}

/// Gives out a bearer token of a permanent key.
///
/// # Errors
/// Those of the store; `StatusConflict` where keys cannot be kept.
pub(crate) async fn issue_token(
    ctx: &Context,
    call: &Call,
    origin: &AccessKey,
    duration_seconds: i64,
    policy: Option<&Policy>,
) -> Result<TokenReply> {
    // Refuses where a token could be given out but never be found again.
    ctx.keys().sealing_key().await?;
    let id = format!("{TOKEN_PREFIX}{}", random_text(20)?);
    let token = format!("{id}.{}", random_text(43)?);
    let end = end_of(duration_seconds);
    let mut key = derived(&id, origin, policy, end)?;
    key.token_hash = hash(&token);
    ctx.db.create_key(&key).await?;
    audit(call, CreateToken::NAME, &id);
    Ok(TokenReply { token, expiration: end })
}

/// CreateToken.
pub(super) struct CreateToken;

impl Operation for CreateToken {
    const NAME: &'static str = "CreateToken";
    const ACCESS: Access = Access::own_access_key("ram:CreateToken");
    const PARAMS: &'static [Param] = &[
        OF,
        Param::optional(
            "DurationSeconds",
            Int(60, 365 * 24 * 3600),
            "How long it is taken; a day by default.",
        ),
        Param::optional("Policy", Object, "What it may do, within what the access key may do."),
    ];
    const REPLY: &'static [Param] = &[
        Param::required("Token", Text, "The token; it is shown this once."),
        Param::required("Expiration", Text, "Its end."),
    ];
    type Input = DeriveInput;
    type Output = TokenReply;

    async fn run(ctx: &Context, call: &Call, input: DeriveInput) -> Result<TokenReply> {
        let origin = origin(ctx, call, input.access_key_id).await?;
        let duration = input.duration_seconds.unwrap_or(24 * 3600);
        issue_token(ctx, call, &origin, duration, input.policy.as_ref()).await
    }
}
