//! A client of the API for our own command line: signed calls over HTTP.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use clap::Args;
use http_body_util::{BodyExt, Full};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use mediadex_core::gateway::{Credentials, sign_acs3};
use mediadex_core::operation::Params;
use serde_json::Value;

use crate::access_key::KeySource;
use crate::{DEFAULT_PORT, endpoints};

/// Where the API is, and the key to it.
#[derive(Clone)]
pub struct Api {
    /// `http://host:port` or `https://host`.
    pub endpoint: String,
    /// The access key.
    pub access_key_id: String,
    /// Its secret.
    pub access_key_secret: String,
    /// The security token of a temporary key.
    pub security_token: Option<String>,
    /// The file that the secret was found in without being named by the user:
    /// where the API refuses the key, the error says so.
    pub found_in: Option<PathBuf>,
}

/// Without the secrets.
impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Api").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

/// The access key. Where none is given, it is the one of the local cloud that
/// runs at the endpoint.
#[derive(Args, Clone)]
struct Key {
    /// Access key id; by default that of the `mediadex up` at the endpoint.
    #[arg(long, global = true, env = "MEDIADEX_ACCESS_KEY_ID", hide_env_values = true)]
    access_key_id: Option<String>,
    /// Its secret.
    #[arg(long, global = true, env = "MEDIADEX_ACCESS_KEY_SECRET", hide_env_values = true)]
    access_key_secret: Option<String>,
    /// A file whose only line is its secret, which then is in no process list.
    #[arg(long, global = true, value_name = "FILE")]
    access_key_secret_file: Option<PathBuf>,
    /// The security token of a temporary key.
    #[arg(long, global = true, env = "MEDIADEX_SECURITY_TOKEN", hide_env_values = true)]
    security_token: Option<String>,
}

/// Where the API is and the key to it, as options of the command line. They may
/// stand before and behind the subcommands of a command.
#[derive(Args, Clone)]
pub struct Target {
    /// The API: by default what MEDIADEX_ENDPOINT says, else http://127.0.0.1:7300.
    #[arg(long, global = true, value_name = "URL")]
    endpoint: Option<String>,
    #[command(flatten)]
    key: Key,
}

impl Target {
    /// Takes an endpoint that stood before the command; one behind it wins.
    pub fn stands_before(&mut self, endpoint: String) {
        self.endpoint.get_or_insert(endpoint);
    }

    fn endpoint(&self) -> String {
        let variable = || std::env::var("MEDIADEX_ENDPOINT").ok();
        let said = self.endpoint.clone().or_else(variable).filter(|text| !text.is_empty());
        said.unwrap_or_else(|| format!("http://127.0.0.1:{DEFAULT_PORT}"))
    }

    /// The client, with the key that was given, else the one that `mediadex up`
    /// recorded for the endpoint.
    ///
    /// # Errors
    /// When there is neither, or a part of a key is given without the rest.
    pub fn api(&self) -> anyhow::Result<Api> {
        let endpoint = self.endpoint();
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let (id, security_token) = (given(&self.key.access_key_id), given(&self.key.security_token));
        let secret = given(&self.key.access_key_secret);
        let source = KeySource::choose(id, self.key.access_key_secret_file.as_deref(), secret)?;
        let (key, found_in) = match source {
            KeySource::Given { key, .. } => (key, None),
            KeySource::StateDirectory if security_token.is_some() => {
                bail!(
                    "a security token was given without the temporary key that it belongs to: \
                     set MEDIADEX_ACCESS_KEY_ID and MEDIADEX_ACCESS_KEY_SECRET"
                )
            }
            KeySource::StateDirectory => {
                let (key, file) = endpoints::find(&endpoints::directory()?, &endpoint)?;
                (key, Some(file))
            }
        };
        Ok(Api { endpoint, access_key_id: key.id, access_key_secret: key.secret, security_token, found_in })
    }
}

/// What the API answered.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Value,
}

/// Codes of errors that say that the key is not the API's.
const WRONG_KEY: [&str; 2] = ["InvalidAccessKeyId.NotFound", "SignatureDoesNotMatch"];
/// Tries of a call that comes too often for its key or its project.
const TRIES: u32 = 20;
/// The longest wait between two of them that a server can ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// With the certificates of this machine, which are read once.
fn connector() -> anyhow::Result<HttpsConnector<HttpConnector>> {
    static CONNECTOR: OnceLock<HttpsConnector<HttpConnector>> = OnceLock::new();
    if let Some(made) = CONNECTOR.get() {
        return Ok(made.clone());
    }
    let connector = hyper_rustls::HttpsConnectorBuilder::new()
        .with_native_roots()
        .context("the certificates of this machine cannot be read")?
        .https_or_http()
        .enable_http1()
        .build();
    Ok(CONNECTOR.get_or_init(|| connector).clone())
}

impl Api {
    /// Calls an operation; where the answer is that it came too often, again
    /// when the server says, as the SDKs do.
    ///
    /// # Errors
    /// When the API cannot be reached, answers with something else than JSON, or
    /// refuses a key that the user did not choose.
    pub async fn call(&self, action: &str, params: &Params) -> anyhow::Result<Reply> {
        let mut tries = 1;
        loop {
            let (reply, wait) = self.call_once(action, params).await?;
            let code = reply.body.get("Code").and_then(Value::as_str).unwrap_or_default();
            if let (Some(file), true) = (&self.found_in, WRONG_KEY.contains(&code)) {
                bail!(
                    "{} refuses the access key in {} ({code}): another program answers there, or the key was changed \
                     since. Start `mediadex up` again, or give the right key with MEDIADEX_ACCESS_KEY_ID and \
                     MEDIADEX_ACCESS_KEY_SECRET",
                    self.endpoint,
                    file.display()
                );
            }
            let Some(wait) = wait.filter(|_| tries < TRIES) else { return Ok(reply) };
            // The limit is one of seconds: not all that wait come back at its first moment.
            let jitter = Duration::from_millis(rand::random_range(0..100));
            tokio::time::sleep(wait.min(LONGEST_WAIT) + jitter).await;
            tries += 1;
        }
    }

    /// Calls an operation that must succeed; gives its reply.
    ///
    /// # Errors
    /// With the code and message of the API where it refuses, and as [`Api::call`].
    pub async fn ask(&self, action: &str, params: Value) -> anyhow::Result<Value> {
        let Value::Object(params) = params else { bail!("parameters must be an object") };
        let reply = self.call(action, &params).await?;
        if reply.status != 200 {
            let text = |name: &str| reply.body.get(name).and_then(Value::as_str).unwrap_or_default();
            bail!("{action}: {}: {}", text("Code"), text("Message"));
        }
        Ok(reply.body)
    }

    /// The items of a list operation, over all its pages; `items` is the member of
    /// the reply that has them.
    ///
    /// # Errors
    /// As [`Api::ask`].
    pub async fn all(&self, action: &str, mut params: Value, items: &str) -> anyhow::Result<Vec<Value>> {
        let mut all = Vec::new();
        loop {
            let mut reply = self.ask(action, params.clone()).await?;
            if let Some(Value::Array(page)) = reply.get_mut(items).map(Value::take) {
                all.extend(page);
            }
            match (reply.get("NextToken").and_then(Value::as_str), params.as_object_mut()) {
                (Some(token), Some(params)) if !token.is_empty() => {
                    params.insert("NextToken".into(), Value::from(token));
                }
                _ => return Ok(all),
            }
        }
    }

    /// The reply to one call, and how long to wait before the next if it says so.
    async fn call_once(&self, action: &str, params: &Params) -> anyhow::Result<(Reply, Option<Duration>)> {
        let uri: http::Uri = self.endpoint.parse().with_context(|| format!("{} is no URL", self.endpoint))?;
        let Some(authority) = uri.authority() else { bail!("{} is no URL with a host", self.endpoint) };
        let credentials = Credentials {
            access_key_id: &self.access_key_id,
            secret: &self.access_key_secret,
            security_token: self.security_token.as_deref(),
        };
        let signed = sign_acs3(authority.as_str(), action, params, credentials)
            .map_err(|error| anyhow::anyhow!(error.internal_text()))?;
        let target = format!("{}{}", self.endpoint.trim_end_matches('/'), signed.target);
        let mut request = http::Request::post(target);
        for (name, value) in &signed.headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(Bytes::from(signed.body)))?;
        let client = Client::builder(TokioExecutor::new()).build(connector()?);
        let response = tokio::time::timeout(Duration::from_secs(120), client.request(request))
            .await
            .context("no answer within two minutes")?
            .with_context(|| format!("{} does not answer; is `mediadex up` running?", self.endpoint))?;
        let status = response.status().as_u16();
        let wait = response.headers().get("x-acs-retry-after");
        let wait = wait.and_then(|millis| millis.to_str().ok()?.parse().ok()).map(Duration::from_millis);
        let body = response.into_body().collect().await?.to_bytes();
        let body = serde_json::from_slice(&body).with_context(|| {
            format!("{} answered with something else than JSON (HTTP {status})", self.endpoint)
        })?;
        Ok((Reply { status, body }, wait))
    }
}

/// Reads `Key=value` arguments: values that are JSON are taken as JSON, the
/// rest as text.
///
/// # Errors
/// When an argument has no `=`.
pub fn read_arguments(arguments: &[String]) -> anyhow::Result<Params> {
    let mut params = Params::new();
    for argument in arguments {
        let Some((key, value)) = argument.split_once('=') else {
            bail!("{argument:?} is not of the form Key=value");
        };
        let parsed = match value.chars().next() {
            Some('{' | '[') => {
                serde_json::from_str(value).with_context(|| format!("the value of {key} is not JSON"))?
            }
            _ => Value::String(value.to_owned()),
        };
        params.insert(key.to_owned(), parsed);
    }
    Ok(params)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_text_or_json() {
        let given = ["ProjectName=local", "URIs=[\"oss://b/k\"]", "Value=a=b"].map(str::to_owned);
        let params = read_arguments(&given).unwrap_or_default();
        assert_eq!(params.get("ProjectName"), Some(&Value::from("local")));
        assert_eq!(params.get("URIs"), Some(&serde_json::json!(["oss://b/k"])));
        assert_eq!(params.get("Value"), Some(&Value::from("a=b")));
        assert!(read_arguments(&["nonsense".to_owned()]).is_err());
    }
}
