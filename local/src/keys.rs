//! `mediadex keys`: access keys, temporary keys and tokens, through the API.

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use mediadex_core::operation::Params;
use serde_json::{Value, json};

use crate::client::Api;

/// What to do with access keys.
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Make an access key; its secret is shown this once.
    Create(Create),
    /// List the access keys, without their secrets.
    List,
    /// Refuse an access key, and what was derived from it, until it is enabled again.
    Disable(Named),
    /// Take an access key again.
    Enable(Named),
    /// Give an access key another policy.
    SetPolicy(SetPolicy),
    /// Give an access key a new secret.
    Rotate(Rotate),
    /// Delete an access key, a temporary key or a token.
    Delete(Named),
    /// Make a temporary key with a security token.
    Temporary(Derive),
    /// Make a bearer token, for /api/ and for the SDKs' bearer credentials.
    Token(Derive),
}

/// A key by its id.
#[derive(Debug, Args)]
pub struct Named {
    /// The access key's id.
    id: String,
}

/// What a key may do.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub struct Policy {
    /// A file with the policy, in the RAM grammar.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["admin", "allow"])]
    policy: Option<PathBuf>,
    /// It may do everything.
    #[arg(long, conflicts_with = "allow")]
    admin: bool,
    /// An action that it may do, with * and ?, such as imm:Get*; may be repeated.
    #[arg(long, value_name = "ACTION")]
    allow: Vec<String>,
}

/// Where those actions are allowed.
#[derive(Debug, Args)]
pub struct Where {
    /// A project that --allow is for, with * and ?; may be repeated. All by default.
    #[arg(long, value_name = "PROJECT", requires = "allow")]
    project: Vec<String>,
}

/// A new key.
#[derive(Debug, Args)]
pub struct Create {
    /// Its id; made up where none is given.
    #[arg(long)]
    id: Option<String>,
    /// What it is for.
    #[arg(long)]
    description: Option<String>,
    /// Requests per second that it may make.
    #[arg(long, value_name = "NUMBER")]
    queries_per_second: Option<i64>,
    #[command(flatten)]
    policy: Policy,
    #[command(flatten)]
    scope: Where,
}

/// A new policy.
#[derive(Debug, Args)]
pub struct SetPolicy {
    /// The access key's id.
    id: String,
    #[command(flatten)]
    policy: Policy,
    #[command(flatten)]
    scope: Where,
}

/// A new secret.
#[derive(Debug, Args)]
pub struct Rotate {
    /// The access key's id.
    id: String,
    /// Seconds that the secret before is still taken.
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    grace: i64,
}

/// Something that is derived from a key.
#[derive(Debug, Args)]
pub struct Derive {
    /// The access key that it is derived from; the one that signs by default.
    #[arg(long = "for", value_name = "ID")]
    of: Option<String>,
    /// Seconds until it ends.
    #[arg(long, value_name = "SECONDS")]
    seconds: Option<i64>,
    /// A file with a policy that narrows what it may do.
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
}

fn read_policy(path: &PathBuf) -> anyhow::Result<Value> {
    let text = std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is not JSON", path.display()))
}

impl Policy {
    fn value(&self, scope: &Where) -> anyhow::Result<Value> {
        if let Some(path) = &self.policy {
            return read_policy(path);
        }
        if self.admin {
            return Ok(
                json!({"Version": "1", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}),
            );
        }
        if self.allow.is_empty() {
            bail!("say what the key may do: --policy FILE, --allow ACTION or --admin");
        }
        let resource: Vec<String> = match scope.project.as_slice() {
            [] => vec!["*".into()],
            // The project itself, and all that is in it.
            named => named
                .iter()
                .flat_map(|project| {
                    [format!("acs:imm:*:*:project/{project}"), format!("acs:imm:*:*:project/{project}/*")]
                })
                .collect(),
        };
        Ok(
            json!({"Version": "1", "Statement": [{"Effect": "Allow", "Action": self.allow, "Resource": resource}]}),
        )
    }
}

/// The operation and its parameters that a command stands for.
fn call_of(command: &KeysCommand) -> anyhow::Result<(&'static str, Value)> {
    let status = |id: &str, status: &str| ("UpdateAccessKey", json!({"AccessKeyId": id, "Status": status}));
    let derive = |action, args: &Derive| {
        let policy = args.policy.as_ref().map(read_policy).transpose()?;
        Ok::<_, anyhow::Error>((
            action,
            json!({"AccessKeyId": args.of, "DurationSeconds": args.seconds, "Policy": policy}),
        ))
    };
    Ok(match command {
        KeysCommand::Create(args) => (
            "CreateAccessKey",
            json!({
                "AccessKeyId": args.id,
                "Description": args.description,
                "QueriesPerSecond": args.queries_per_second,
                "Policy": args.policy.value(&args.scope)?,
            }),
        ),
        KeysCommand::List => ("ListAccessKeys", json!({})),
        KeysCommand::Disable(key) => status(&key.id, "Inactive"),
        KeysCommand::Enable(key) => status(&key.id, "Active"),
        KeysCommand::SetPolicy(args) => {
            ("UpdateAccessKey", json!({"AccessKeyId": args.id, "Policy": args.policy.value(&args.scope)?}))
        }
        KeysCommand::Rotate(args) => {
            ("RotateAccessKey", json!({"AccessKeyId": args.id, "GraceSeconds": args.grace}))
        }
        KeysCommand::Delete(key) => ("DeleteAccessKey", json!({"AccessKeyId": key.id})),
        KeysCommand::Temporary(args) => derive("CreateTemporaryKey", args)?,
        KeysCommand::Token(args) => derive("CreateToken", args)?,
    })
}

/// Carries out a command; gives what is to be printed.
///
/// # Errors
/// When the API cannot be reached, or refuses.
pub async fn run(command: KeysCommand, api: Api) -> anyhow::Result<String> {
    let (action, params) = call_of(&command)?;
    let Value::Object(mut params) = params else { bail!("the parameters are no object") };
    params.retain(|_, value| !value.is_null());
    if !matches!(command, KeysCommand::List) {
        return Ok(serde_json::to_string_pretty(&call(&api, action, &params).await?)?);
    }
    let mut lines = Vec::new();
    loop {
        let reply = call(&api, action, &params).await?;
        for key in reply.get("AccessKeys").and_then(Value::as_array).into_iter().flatten() {
            let text = |name: &str| key.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            lines.push(format!(
                "{}  {}  {}  {}",
                text("AccessKeyId"),
                text("Status"),
                text("CreateTime"),
                text("Description")
            ));
        }
        match reply.get("NextToken").and_then(Value::as_str) {
            Some(token) if !token.is_empty() => params.insert("NextToken".into(), token.into()),
            _ => return Ok(lines.join("\n")),
        };
    }
}

async fn call(api: &Api, action: &str, params: &Params) -> anyhow::Result<Value> {
    let reply = api.call(action, params).await?;
    if reply.status < 400 {
        return Ok(reply.body);
    }
    let text = |name: &str| reply.body.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    bail!("{}: {} (request {})", text("Code"), text("Message"), text("RequestId"));
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(subcommand)]
        command: KeysCommand,
    }

    #[test]
    fn commands_are_calls() {
        let table = [
            (
                "k create --id viewer --allow imm:Get* --allow imm:SimpleQuery --project photos",
                "CreateAccessKey",
                json!({"AccessKeyId": "viewer", "Description": null, "QueriesPerSecond": null, "Policy": {"Version": "1", "Statement": [{
                    "Effect": "Allow", "Action": ["imm:Get*", "imm:SimpleQuery"],
                    "Resource": ["acs:imm:*:*:project/photos", "acs:imm:*:*:project/photos/*"]}]}}),
            ),
            ("k disable a", "UpdateAccessKey", json!({"AccessKeyId": "a", "Status": "Inactive"})),
            ("k rotate a --grace 60", "RotateAccessKey", json!({"AccessKeyId": "a", "GraceSeconds": 60})),
            (
                "k token --for a --seconds 60",
                "CreateToken",
                json!({"AccessKeyId": "a", "DurationSeconds": 60, "Policy": null}),
            ),
        ];
        for (line, action, params) in table {
            let line = Line::try_parse_from(line.split(' ')).unwrap();
            assert_eq!(call_of(&line.command).unwrap(), (action, params));
        }
        for line in ["k create", "k create --project p", "k create --admin --allow x", "k set-policy a"] {
            assert!(Line::try_parse_from(line.split(' ')).is_err(), "{line}");
        }
    }
}
