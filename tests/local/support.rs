//! What the tests share: a local cloud, and a client of its API.

use std::time::{Duration, Instant};

use mediadex::client::Api;
use mediadex::cloud::{Cloud, CloudOptions, StateDir, local_config};
use mediadex_core::Config;
use mediadex_core::operation::{Kind, Params, operation};
use serde_json::{Value, json};

/// The program, whose child processes read the text of documents.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_mediadex");

pub(crate) struct Local {
    pub(crate) cloud: Cloud,
    pub(crate) api: Api,
}

/// Parameters from JSON.
pub(crate) fn params(value: Value) -> Params {
    match value {
        Value::Object(map) => map,
        _ => panic!("parameters must be an object"),
    }
}

/// Holds a reply to what the API's description says of it.
fn is_as_described(action: &str, reply: &Value) {
    let fields = operation(action).unwrap_or_else(|| panic!("no operation {action}")).reply;
    let keys: Vec<&String> = reply.as_object().unwrap().keys().filter(|key| *key != "RequestId").collect();
    for key in &keys {
        assert!(fields.iter().any(|field| field.name == *key), "{action} does not describe {key}");
    }
    for field in fields {
        let Some(value) = reply.get(field.name) else {
            assert!(!field.required, "{action} does not give {}", field.name);
            continue;
        };
        let is_right = match field.kind {
            Kind::Object => value.is_object(),
            Kind::Array => value.is_array(),
            Kind::Int(least, most) => value.as_i64().is_some_and(|number| (least..=most).contains(&number)),
            Kind::Bool => value.is_boolean(),
            Kind::OneOf(words) => words.iter().any(|word| value == word),
            Kind::Text | Kind::Sized(..) | Kind::Name => value.is_string(),
        };
        assert!(is_right, "{action}: {} is {value}", field.name);
    }
}

impl Local {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// A cloud whose configuration is changed first.
    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = local_config();
        change(&mut config);
        let options = CloudOptions { config, program: Some(PROGRAM.into()), ..CloudOptions::default() };
        Self::of(Cloud::start(options, &[]).await.unwrap())
    }

    pub(crate) fn of(cloud: Cloud) -> Self {
        let api = Api {
            endpoint: format!("http://{}", cloud.endpoints.api),
            access_key_id: cloud.access_key.key.id.clone(),
            access_key_secret: cloud.access_key.key.secret.clone(),
            security_token: None,
            found_in: None,
        };
        Self { cloud, api }
    }

    /// Options with state in a directory.
    pub(crate) fn options(state: &std::path::Path) -> CloudOptions {
        let state = StateDir::Path(state.to_owned());
        CloudOptions { state, program: Some(PROGRAM.into()), ..CloudOptions::default() }
    }

    /// Calls an operation that must succeed.
    pub(crate) async fn call(&self, action: &str, value: Value) -> Value {
        let reply = self.api.call(action, &params(value)).await.unwrap();
        assert_eq!(reply.status, 200, "{action}: {}", reply.body);
        assert!(reply.body["RequestId"].is_string(), "{action}: {}", reply.body);
        is_as_described(action, &reply.body);
        reply.body
    }

    /// Calls an operation that must fail: its status and code.
    pub(crate) async fn fail(&self, action: &str, value: Value) -> (u16, String) {
        let reply = self.api.call(action, &params(value)).await.unwrap();
        assert!(reply.status >= 400, "{action} succeeded: {}", reply.body);
        for key in ["RequestId", "HostId", "Code", "Message", "Recommend"] {
            assert!(reply.body[key].is_string(), "{action}: no {key} in {}", reply.body);
        }
        (reply.status, reply.body["Code"].as_str().unwrap().to_owned())
    }

    pub(crate) async fn make_dataset(&self, project: &str, dataset: &str) {
        let known = self.api.call("CreateProject", &params(json!({"ProjectName": project}))).await.unwrap();
        assert!(
            known.status == 200 || known.body["Code"] == json!("ResourceAlreadyExists"),
            "{}",
            known.body
        );
        self.call("CreateDataset", json!({"ProjectName": project, "DatasetName": dataset})).await;
    }

    pub(crate) async fn make_bucket(&self, bucket: &str) {
        self.cloud.ctx.s3().create_bucket().bucket(bucket).send().await.unwrap();
    }

    pub(crate) async fn put(&self, bucket: &str, key: &str, body: &[u8]) {
        let sent =
            self.cloud.ctx.s3().put_object().bucket(bucket).key(key).body(body.to_vec().into()).send().await;
        sent.unwrap_or_else(|error| panic!("{key}: {}", aws_sdk_s3::error::DisplayErrorContext(&error)));
    }

    pub(crate) async fn delete(&self, bucket: &str, key: &str) {
        self.cloud.ctx.s3().delete_object().bucket(bucket).key(key).send().await.unwrap();
    }

    /// Binds and waits for the end of the scan.
    pub(crate) async fn bind(&self, project: &str, dataset: &str, bucket: &str) -> Value {
        let binding =
            json!({"ProjectName": project, "DatasetName": dataset, "URI": format!("oss://{bucket}")});
        let reply = self.call("CreateBinding", binding.clone()).await;
        assert_eq!(reply["Binding"]["State"], json!("Ready"), "{reply}");
        assert_eq!(reply["Binding"]["Phase"], json!(""), "{reply}");
        self.until_scanned(project, dataset, bucket).await
    }

    pub(crate) async fn until_scanned(&self, project: &str, dataset: &str, bucket: &str) -> Value {
        let binding =
            json!({"ProjectName": project, "DatasetName": dataset, "URI": format!("oss://{bucket}")});
        self.until("the scan has ended", || async {
            let reply = self.call("GetBinding", binding.clone()).await;
            (reply["Binding"]["Phase"] == json!("IncrementalScanning")).then_some(reply["Binding"].clone())
        })
        .await
    }

    /// Asks again and again until there is an answer.
    pub(crate) async fn until<T, F: Future<Output = Option<T>>>(
        &self,
        what: &str,
        mut ask: impl FnMut() -> F,
    ) -> T {
        let started = Instant::now();
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            assert!(started.elapsed() < Duration::from_secs(60), "waited in vain until {what}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// File count and total size, exactly.
    pub(crate) async fn counts(&self, project: &str, dataset: &str) -> (i64, i64) {
        let reply = self
            .call(
                "GetDataset",
                json!({"ProjectName": project, "DatasetName": dataset, "WithStatistics": true}),
            )
            .await;
        (reply["Dataset"]["FileCount"].as_i64().unwrap(), reply["Dataset"]["TotalFileSize"].as_i64().unwrap())
    }

    /// The names of all files that satisfy a query, over all pages.
    pub(crate) async fn find(&self, project: &str, dataset: &str, query: Value) -> Vec<String> {
        let mut names = Vec::new();
        let mut token = String::new();
        loop {
            let mut ask =
                json!({"ProjectName": project, "DatasetName": dataset, "NextToken": token, "MaxResults": 7});
            if !query.is_null() {
                ask["Query"] = query.clone();
            }
            let reply = self.call("SimpleQuery", ask).await;
            names.extend(
                reply["Files"].as_array().unwrap().iter().map(|f| f["Filename"].as_str().unwrap().to_owned()),
            );
            token = reply["NextToken"].as_str().unwrap().to_owned();
            if token.is_empty() {
                return names;
            }
        }
    }

    /// Waits until a dataset has exactly these files.
    pub(crate) async fn until_files(&self, project: &str, dataset: &str, want: &[&str]) {
        self.until(&format!("the files are {want:?}"), || async {
            (self.find(project, dataset, Value::Null).await == want).then_some(())
        })
        .await;
    }
}
