//! Reads of ranges beside the embedded store.
//!
//! The store processes one request at a time and takes every item of a query
//! apart several times, which is most of what a query over many files costs
//! here. Its items lie in SQLite as the JSON that DynamoDB answers with, and the
//! database is in WAL mode: connections of our own read it beside the writer and
//! hand the items on as they are. Only the one shape of query that reads ranges
//! of files is answered; everything else, and whatever fails here, goes to the
//! store's endpoint.

use std::collections::HashMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, bail};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use rusqlite::{Connection, OpenFlags, params};
use serde::Deserialize;
use serde_json::value::RawValue;

/// A reply ends where its items pass this many bytes, as DynamoDB's does.
const PAGE_BYTES: usize = 1 << 20;
/// The one condition that is answered.
const KEY_CONDITION: &str = "PK = :pk AND SK BETWEEN :low AND :high";
/// How long a reader waits where the database is being recovered.
const BUSY: std::time::Duration = std::time::Duration::from_secs(5);

/// Connections that only read, taken and given back.
#[derive(Debug)]
struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    fn take(&self) -> anyhow::Result<Connection> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(connection) = idle {
            return Ok(connection);
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        connection.busy_timeout(BUSY)?;
        Ok(connection)
    }

    fn give_back(&self, connection: Connection) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
    }
}

/// An HTTP client for the DynamoDB SDK that answers reads of ranges from the
/// database at `path` itself and sends everything else over `inner`.
pub(crate) fn reading(path: &Path, inner: SharedHttpClient) -> SharedHttpClient {
    let readers = Arc::new(Readers { path: path.to_owned(), idle: Mutex::default() });
    SharedHttpClient::new(Client { readers, inner })
}

#[derive(Debug, Clone)]
struct Client {
    readers: Arc<Readers>,
    inner: SharedHttpClient,
}

impl HttpClient for Client {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(Connector { readers: Arc::clone(&self.readers), inner })
    }
}

#[derive(Debug, Clone)]
struct Connector {
    readers: Arc<Readers>,
    inner: SharedHttpConnector,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Some(query) = Query::of(&request) else { return self.inner.call(request) };
        let (readers, inner) = (Arc::clone(&self.readers), self.inner.clone());
        HttpConnectorFuture::new(async move {
            let read = tokio::task::spawn_blocking(move || {
                let connection = readers.take()?;
                let reply = query.answer(&connection);
                readers.give_back(connection);
                reply
            });
            match read.await.map_err(anyhow::Error::from).and_then(|reply| reply) {
                Ok(reply) => Ok(response(reply)),
                Err(error) => {
                    tracing::debug!(%error, "a range was not read beside the store");
                    inner.call(request).await
                }
            }
        })
    }
}

fn response(body: Vec<u8>) -> HttpResponse {
    let length = body.len().to_string();
    let mut response = HttpResponse::new(http::StatusCode::OK.into(), SdkBody::from(body));
    let headers = response.headers_mut();
    headers.insert("content-type", "application/x-amz-json-1.0");
    headers.insert("content-length", length);
    response
}

/// A string as DynamoDB's JSON has it. Values of another type are not answered here.
#[derive(Debug, Clone, Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields)]
struct Text {
    #[serde(rename = "S")]
    s: String,
}

/// The request that is answered. Another member is another request.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Query {
    table_name: String,
    key_condition_expression: String,
    expression_attribute_values: HashMap<String, Text>,
    #[serde(default)]
    expression_attribute_names: HashMap<String, String>,
    projection_expression: Option<String>,
    exclusive_start_key: Option<HashMap<String, Text>>,
    limit: usize,
    #[serde(default)]
    consistent_read: bool,
    return_consumed_capacity: String,
}

impl Query {
    fn of(request: &HttpRequest) -> Option<Self> {
        if request.headers().get("x-amz-target") != Some("DynamoDB_20120810.Query") {
            return None;
        }
        let query: Self = serde_json::from_slice(request.body().bytes()?).ok()?;
        let known = query.key_condition_expression == KEY_CONDITION
            && query.limit > 0
            && query.return_consumed_capacity == "TOTAL"
            && query.expression_attribute_values.len() == 3;
        known.then_some(query)
    }

    fn value(&self, name: &str) -> anyhow::Result<String> {
        let value = self.expression_attribute_values.get(name).context("a value is missing")?;
        // The store tags the type of a key's value.
        Ok(format!("S:{}", value.s))
    }

    /// The names of the attributes that are asked for; `None`: all.
    fn projection(&self) -> anyhow::Result<Option<Vec<&str>>> {
        let Some(projection) = &self.projection_expression else { return Ok(None) };
        let names = projection.split(',').map(|name| {
            let name = name.trim();
            match name.strip_prefix('#') {
                Some(_) => self.expression_attribute_names.get(name).map(String::as_str),
                None => Some(name),
            }
            .filter(|name| !name.contains(['.', '[']))
        });
        names.map(|name| name.context("a path")).collect::<anyhow::Result<_>>().map(Some)
    }

    /// The reply's body.
    fn answer(&self, connection: &Connection) -> anyhow::Result<Vec<u8>> {
        if self.table_name.contains('"') {
            bail!("the table's name has a quote");
        }
        let (pk, low, high) = (self.value(":pk")?, self.value(":low")?, self.value(":high")?);
        if low > high {
            bail!("the range ends before it begins, which the store says in its own words");
        }
        let start = match &self.exclusive_start_key {
            Some(key) => Some(format!("S:{}", key.get("SK").context("the start has no sort key")?.s)),
            None => None,
        };
        let projection = self.projection()?;
        // Two statements, so that each is one range of the primary key.
        let from = if start.is_some() { "sk > ?2" } else { "sk >= ?2" };
        let sql = format!(
            "SELECT sk, item_json, item_size FROM \"{}\" WHERE pk = ?1 AND {from} AND sk <= ?3 \
             ORDER BY sk LIMIT ?4",
            self.table_name
        );
        let mut statement = connection.prepare_cached(&sql)?;
        let from = start.filter(|start| *start >= low).unwrap_or(low);
        let mut rows = statement.query(params![pk, from, high, i64::try_from(self.limit)?])?;
        let mut reply = Vec::with_capacity(self.limit.saturating_mul(1024).min(PAGE_BYTES * 3 / 2));
        reply.extend_from_slice(br#"{"Items":["#);
        let (mut count, mut bytes, mut last) = (0, 0, String::new());
        let mut cut = false;
        while let Some(row) = rows.next()? {
            let size = usize::try_from(row.get_ref(2)?.as_i64()?)?;
            if bytes + size > PAGE_BYTES && count > 0 {
                cut = true;
                break;
            }
            bytes += size;
            if count > 0 {
                reply.push(b',');
            }
            count += 1;
            let item = row.get_ref(1)?.as_bytes()?;
            match &projection {
                None => reply.extend_from_slice(item),
                Some(names) => project(item, names, &mut reply)?,
            }
            last.clear();
            last.push_str(row.get_ref(0)?.as_str()?);
            if count == self.limit {
                break;
            }
        }
        reply.push(b']');
        let strongly = bytes.div_ceil(4096).max(1);
        let units = if self.consistent_read { strongly as f64 } else { strongly as f64 / 2.0 };
        let table = serde_json::to_string(&self.table_name)?;
        write!(
            reply,
            r#","Count":{count},"ScannedCount":{count},"ConsumedCapacity":{{"TableName":{table},"CapacityUnits":{units}}}"#
        )?;
        if cut || count == self.limit {
            let text = |key: &str| serde_json::to_string(key.strip_prefix("S:").unwrap_or(key));
            let (pk, sk) = (text(&pk)?, text(&last)?);
            write!(reply, r#","LastEvaluatedKey":{{"PK":{{"S":{pk}}},"SK":{{"S":{sk}}}}}"#)?;
        }
        reply.push(b'}');
        Ok(reply)
    }
}

/// Writes the attributes of `item` that are in `names`.
fn project(item: &[u8], names: &[&str], reply: &mut Vec<u8>) -> anyhow::Result<()> {
    let attributes: HashMap<&str, &RawValue> = serde_json::from_slice(item)?;
    reply.push(b'{');
    let mut first = true;
    for name in names {
        let Some(value) = attributes.get(name) else { continue };
        if !std::mem::take(&mut first) {
            reply.push(b',');
        }
        write!(reply, "{}:{}", serde_json::to_string(name)?, value.get())?;
    }
    reply.push(b'}');
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use aws_sdk_dynamodb::operation::query::{QueryInput, QueryOutput};
    use aws_sdk_dynamodb::primitives::Blob;
    use aws_sdk_dynamodb::types::{AttributeValue, ReturnConsumedCapacity};

    use super::*;
    use crate::cloud::{Cloud, CloudOptions, StateDir};

    /// A cloud, a client over the reader, and one that asks the store alone.
    async fn clients(
        state: &tempfile::TempDir,
    ) -> (Cloud, aws_sdk_dynamodb::Client, aws_sdk_dynamodb::Client) {
        let options =
            CloudOptions { state: StateDir::Path(state.path().to_owned()), ..CloudOptions::default() };
        let cloud = Cloud::start(options, &[]).await.unwrap();
        let http = aws_smithy_http_client::Builder::new().build_http();
        let store = aws_sdk_dynamodb::Config::builder()
            .behavior_version(aws_sdk_dynamodb::config::BehaviorVersion::latest())
            .region(aws_sdk_dynamodb::config::Region::new("us-east-1"))
            .credentials_provider(aws_sdk_dynamodb::config::Credentials::new(
                &cloud.access_key.key.id,
                &cloud.access_key.key.secret,
                None,
                None,
                "test",
            ))
            .endpoint_url(format!("http://{}", cloud.endpoints.dynamodb))
            .http_client(http.clone())
            .build();
        let path = crate::dynamodb::path(state.path());
        let beside = store.to_builder().http_client(reading(&path, http)).build();
        let client = aws_sdk_dynamodb::Client::from_conf;
        (cloud, client(beside), client(store))
    }

    fn key(number: u32) -> String {
        // In orders that a text has and a number has not, with what JSON escapes.
        format!("bucket/{}\"\u{e9}\n\u{1F600}{number}", number * 7919 % 1000)
    }

    fn query(limit: i32) -> aws_sdk_dynamodb::operation::query::builders::QueryInputBuilder {
        QueryInput::builder()
            .key_condition_expression(KEY_CONDITION)
            .expression_attribute_values(":pk", AttributeValue::S("F#X#0".into()))
            .expression_attribute_values(":low", AttributeValue::S("!".into()))
            .expression_attribute_values(":high", AttributeValue::S("\u{10FFFF}".into()))
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .limit(limit)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_answers_are_those_of_the_store() {
        let state = tempfile::tempdir().unwrap();
        let (cloud, beside, store) = clients(&state).await;
        let files = cloud.ctx.config.files_table.clone();
        for number in 0..400 {
            let mut put = store
                .put_item()
                .table_name(&files)
                .item("PK", AttributeValue::S("F#X#0".into()))
                .item("SK", AttributeValue::S(key(number)))
                .item("rev", AttributeValue::N(number.to_string()))
                .item("h", AttributeValue::S("[1,\"\\u00e9\"]".into()));
            if number % 3 == 0 {
                put = put.item("meta", AttributeValue::B(Blob::new(vec![7; 12_000])));
            }
            put.send().await.unwrap();
        }
        let ranged = |low: &str, high: &str| {
            query(100)
                .table_name(&files)
                .expression_attribute_values(":low", AttributeValue::S(low.into()))
                .expression_attribute_values(":high", AttributeValue::S(high.into()))
        };
        let projected = |query: aws_sdk_dynamodb::operation::query::builders::QueryInputBuilder| {
            query.projection_expression("PK, SK, #k, rev, h").expression_attribute_names("#k", "k")
        };
        let table = [
            ("all", query(2000).table_name(&files)),
            ("pages", query(7).table_name(&files)),
            ("without the record", projected(query(2000).table_name(&files))),
            ("a range", ranged("bucket/1", "bucket/5")),
            ("one", ranged(&key(3), &key(3))),
            ("none", ranged("x", "y")),
            ("consistent", query(2000).table_name(&files).consistent_read(true)),
            // Not answered here: both ask the store.
            ("backwards", query(5).table_name(&files).scan_index_forward(false)),
        ];
        for (name, input) in table {
            let mut start = None;
            loop {
                let input = input.clone().set_exclusive_start_key(start).build().unwrap();
                let [one, other]: [QueryOutput; 2] = {
                    let send = async |client: &aws_sdk_dynamodb::Client| {
                        client
                            .query()
                            .table_name(input.table_name().unwrap())
                            .key_condition_expression(KEY_CONDITION)
                            .set_expression_attribute_values(input.expression_attribute_values.clone())
                            .set_expression_attribute_names(input.expression_attribute_names.clone())
                            .set_projection_expression(input.projection_expression.clone())
                            .set_exclusive_start_key(input.exclusive_start_key.clone())
                            .set_consistent_read(input.consistent_read)
                            .set_scan_index_forward(input.scan_index_forward)
                            .set_limit(input.limit)
                            .return_consumed_capacity(ReturnConsumedCapacity::Total)
                            .send()
                            .await
                            .unwrap()
                    };
                    [send(&beside).await, send(&store).await]
                };
                assert_eq!(one.items, other.items, "{name}");
                assert_eq!(one.last_evaluated_key, other.last_evaluated_key, "{name}");
                // Not the scanned ones: the store counts one of the next page with them.
                assert_eq!(one.count, other.count, "{name}");
                assert_eq!(one.consumed_capacity, other.consumed_capacity, "{name}");
                start = one.last_evaluated_key;
                if start.is_none() {
                    break;
                }
            }
        }
        cloud.shutdown().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_it_does_not_know_the_store_answers() {
        let state = tempfile::tempdir().unwrap();
        let (cloud, beside, store) = clients(&state).await;
        for (table, low, high) in
            [("no-such-table", "a", "b"), (cloud.ctx.config.files_table.as_str(), "b", "a")]
        {
            let mut errors = Vec::new();
            for client in [&beside, &store] {
                let sent = client
                    .query()
                    .table_name(table)
                    .key_condition_expression(KEY_CONDITION)
                    .expression_attribute_values(":pk", AttributeValue::S("F#X#0".into()))
                    .expression_attribute_values(":low", AttributeValue::S(low.into()))
                    .expression_attribute_values(":high", AttributeValue::S(high.into()))
                    .return_consumed_capacity(ReturnConsumedCapacity::Total)
                    .limit(10)
                    .send()
                    .await;
                let error = sent.unwrap_err().into_service_error();
                errors.push((
                    error.meta().code().map(str::to_owned),
                    error.meta().message().map(str::to_owned),
                ));
            }
            assert!(
                errors.iter().all(|error| Some(error) == errors.first() && error.0.is_some()),
                "{errors:?}"
            );
        }
        cloud.shutdown().await;
    }
}
