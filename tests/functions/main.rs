//! Every function's real binary, run as Lambda runs it, against the endpoints
//! of the local cloud, with the sample events of `events/`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod deaths;
mod remote;

use std::path::{Path, PathBuf};
use std::time::Duration;

use mediadex::access_key::AccessKey;
use mediadex::cloud::{Cloud, CloudOptions};
use mediadex::runtime_api::{environment, invoke};
use mediadex_core::gateway::{Credentials, sign_acs3};
use mediadex_core::operation::{OPERATIONS, WORKERS};
use serde_json::{Value, json};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn event(name: &str) -> Value {
    let path = root().join("events").join(format!("{name}.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap()
}

/// Where a function's binary is: beside one that cargo names.
fn binary(name: &str) -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_rpc-gateway")).with_file_name(name)
}

struct Lambda {
    cloud: Cloud,
    environment: Vec<(String, String)>,
}

impl Lambda {
    async fn start() -> Self {
        let cloud = Cloud::start(CloudOptions::default(), &[]).await.unwrap();
        let mut environment = environment(cloud.endpoints, &cloud.access_key.key);
        let sealing_key = cloud.sealing_key.to_string_lossy().into_owned();
        environment.push(("MEDIADEX_SEALING_KEY_FILE".into(), sealing_key));
        Self { cloud, environment }
    }

    async fn invoke(&self, name: &str, event: &Value) -> Result<Value, Value> {
        invoke(&binary(name), &self.environment, event, Duration::from_secs(60)).await.unwrap().result
    }

    async fn sample(&self, name: &str) -> Result<Value, Value> {
        self.invoke(name, &event(name)).await
    }

    async fn put(&self, key: &str, body: &str) {
        let body = body.as_bytes().to_vec().into();
        self.cloud.ctx.s3().put_object().bucket("demo-bucket").key(key).body(body).send().await.unwrap();
    }
}

/// A function URL's event with a call that is signed for this moment.
fn signed_event(key: &AccessKey, action: &str, params: Value) -> Value {
    let Value::Object(params) = params else { panic!("parameters must be an object") };
    let host = "abc.lambda-url.us-east-1.on.aws";
    let signed = sign_acs3(host, action, &params, Credentials::new(&key.id, &key.secret)).unwrap();
    let headers: serde_json::Map<String, Value> =
        signed.headers.into_iter().map(|(name, value)| (name, Value::from(value))).collect();
    json!({
        "version": "2.0", "rawPath": "/", "rawQueryString": "", "headers": headers,
        "requestContext": {"http": {"method": "POST"}},
        "body": String::from_utf8(signed.body).unwrap(), "isBase64Encoded": false,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn every_function_runs_its_sample_event() {
    let lambda = Lambda::start().await;
    let mut ran: Vec<&str> = Vec::new();
    lambda.cloud.ctx.s3().create_bucket().bucket("demo-bucket").send().await.unwrap();
    for key in ["beach.jpg", "cat.jpg"] {
        lambda.put(&format!("photos/{key}"), key).await;
    }
    // In an order in which each finds what it needs.
    for name in [
        "create-project",
        "get-project",
        "update-project",
        "list-projects",
        "create-dataset",
        "get-dataset",
        "update-dataset",
        "list-datasets",
        "create-binding",
        "get-binding",
        "list-bindings",
    ] {
        let reply = lambda.sample(name).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(reply["RequestId"].is_string(), "{name}: {reply}");
        ran.push(name);
    }
    // Nothing drives the scan by itself here: its steps, by hand.
    let run = lambda.cloud.ctx.db.open_runs().await.unwrap().pop().unwrap();
    let with_run = |name: &str| {
        let mut step = event(name);
        step["run"] = json!(run);
        step
    };
    let plan = lambda.invoke("scan", &with_run("scan-plan")).await.unwrap();
    let segments = plan["segments"].as_array().unwrap().len();
    assert!(segments >= 1, "{plan}");
    for segment in 0..segments {
        let mut step = with_run("scan-list-segment");
        step["segment"] = json!(segment);
        let reply = lambda.invoke("scan", &step).await.unwrap();
        assert_eq!(reply["done"], json!(true), "{reply}");
    }
    lambda.invoke("scan", &with_run("scan-finish")).await.unwrap();
    ran.push("scan");
    let binding = lambda.sample("get-binding").await.unwrap();
    assert_eq!(binding["Binding"]["Phase"], json!("IncrementalScanning"), "{binding}");

    // Nor does anything take up index tasks: the message that a queue would bring.
    let work = async |reply: &Value| {
        let mut message = event("on-work");
        let work = json!({"work": "index-task", "project": "local", "task_id": reply["EventId"]});
        message["Records"][0]["body"] = json!(work.to_string());
        let done = lambda.invoke("on-work", &message).await.unwrap();
        assert_eq!(done["batchItemFailures"], json!([]), "{reply}");
    };
    for name in [
        "stop-binding",
        "resume-binding",
        "index-file-meta",
        "batch-index-file-meta",
        "get-file-meta",
        "batch-get-file-meta",
        "update-file-meta",
        "batch-update-file-meta",
        "simple-query",
        "fuzzy-query",
        "semantic-query",
        "list-tasks",
    ] {
        let reply = lambda.sample(name).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(reply["RequestId"].is_string(), "{name}: {reply}");
        if name.contains("index-file-meta") {
            work(&reply).await;
        }
        ran.push(name);
    }
    let tasks = lambda.sample("list-tasks").await.unwrap();
    let mut get_task = event("get-task");
    get_task["TaskId"] = tasks["Tasks"][0]["TaskId"].clone();
    get_task["TaskType"] = tasks["Tasks"][0]["TaskType"].clone();
    let task = lambda.invoke("get-task", &get_task).await.unwrap();
    assert_eq!(task["Status"], json!("Succeeded"), "{task}");
    ran.push("get-task");

    let samples =
        ["on-object-event", "on-object-event-sqs", "on-object-event-sns", "on-object-event-eventbridge"];
    for name in samples {
        let reply = lambda
            .invoke("on-object-event", &event(name))
            .await
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(reply["batchItemFailures"], json!([]), "{name}");
    }
    // A bad record fails the call, which names it, after the good ones were processed.
    let mut partly = event("on-object-event");
    partly["Records"][0]["s3"]["object"] = json!({});
    partly["Records"][1]["s3"]["object"] = json!({"key": "photos/new.jpg"});
    lambda.put("photos/new.jpg", "new").await;
    let error = lambda.invoke("on-object-event", &partly).await.unwrap_err();
    assert_eq!(error["errorType"], json!("InvalidArgument"), "{error}");
    assert!(error["errorMessage"].as_str().unwrap().contains("Records[0]"), "{error}");
    let new =
        json!({"ProjectName": "local", "DatasetName": "demo", "URI": "oss://demo-bucket/photos/new.jpg"});
    assert_eq!(lambda.invoke("get-file-meta", &new).await.unwrap()["Files"][0]["Size"], json!(3));
    lambda.invoke("delete-file-meta", &new).await.unwrap();
    ran.push("on-object-event");
    let reply = lambda.sample("on-work").await.unwrap();
    assert_eq!(reply["batchItemFailures"], json!([]));
    for work in ["scan", "take-up"] {
        let error = lambda.invoke("on-work", &json!({"work": work, "run": "a"})).await.unwrap_err();
        assert_eq!(error["errorType"], json!("InvalidArgument"), "{work}: {error}");
    }
    ran.push("on-work");
    let reply = lambda.sample("on-schedule").await.unwrap();
    assert!(reply["scans"].is_number() && reply["taken_up"].is_number(), "{reply}");
    ran.push("on-schedule");
    let health = lambda.sample("rpc-gateway").await.unwrap();
    assert_eq!(health["statusCode"], json!(200), "{health}");
    let answer = lambda
        .invoke(
            "rpc-gateway",
            &signed_event(&lambda.cloud.access_key.key, "GetProject", json!({"ProjectName": "local"})),
        )
        .await
        .unwrap();
    let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
    assert_eq!(
        (&answer["statusCode"], &body["Project"]["ProjectName"]),
        (&json!(200), &json!("local")),
        "{answer}"
    );
    ran.push("rpc-gateway");

    for name in [
        "create-access-key",
        "list-access-keys",
        "update-access-key",
        "rotate-access-key",
        "create-temporary-key",
        "create-token",
        "delete-access-key",
    ] {
        let reply = lambda.sample(name).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(reply["RequestId"].is_string(), "{name}: {reply}");
        ran.push(name);
    }

    lambda.put("documents/note.txt", "a note").await;
    let reply = lambda.sample("extract-document-text").await.unwrap();
    assert_eq!(reply["DocumentText"], json!("a note"), "{reply}");
    ran.push("extract-document-text");
    let reply = lambda.sample("on-text-work").await.unwrap();
    assert_eq!(reply["batchItemFailures"], json!([]), "a dataset that is gone");
    let error = lambda.invoke("on-text-work", &json!({"work": "scan", "run": "a"})).await.unwrap_err();
    assert_eq!(error["errorType"], json!("InvalidArgument"), "{error}");
    // The step behind a scan, of a dataset without texts.
    let sent = lambda.invoke("on-text-work", &json!({"run": run})).await.unwrap();
    assert_eq!(sent, json!({"run": run, "partition": 0, "start": "", "done": true}));
    ran.push("on-text-work");

    for name in
        ["delete-file-meta", "batch-delete-file-meta", "delete-binding", "delete-dataset", "delete-project"]
    {
        lambda.sample(name).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        ran.push(name);
    }
    let all = OPERATIONS.iter().map(|row| row.function).chain(WORKERS.iter().copied());
    let missing: Vec<&str> = all.filter(|name| !ran.contains(name)).collect();
    assert!(missing.is_empty(), "these functions have no test: {missing:?}");
    lambda.cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_have_the_code_as_their_type_and_leak_nothing() {
    let lambda = Lambda::start().await;
    let error = lambda.invoke("get-project", &json!({"ProjectName": "absent"})).await.unwrap_err();
    assert_eq!(error["errorType"], json!("ResourceNotFound"), "{error}");
    let error = lambda.invoke("get-project", &json!({})).await.unwrap_err();
    assert_eq!(error["errorType"], json!("MissingProjectName"), "{error}");
    let error = lambda.invoke("scan", &json!({"step": "nonsense"})).await.unwrap_err();
    assert_eq!(error["errorType"], json!("InvalidArgument"), "{error}");
    // A store that is not there: the text says nothing of it.
    let mut nowhere = lambda.environment.clone();
    for (name, value) in &mut nowhere {
        if name == "AWS_ENDPOINT_URL_DYNAMODB" {
            *value = "http://127.0.0.1:9".into();
        }
    }
    let project = json!({"ProjectName": "p"});
    let failed = invoke(&binary("get-project"), &nowhere, &project, Duration::from_secs(60)).await.unwrap();
    let error = failed.result.unwrap_err();
    assert_eq!(error["errorType"], json!("ServiceUnavailable"), "{error}");
    assert!(!error.to_string().contains("127.0.0.1"), "{error}");
    lambda.cloud.shutdown().await;
}

/// An event as `sam local generate-event SERVICE EVENT` prints it: of version
/// 1.170, for the bucket demo-bucket and the key photos/beach.jpg.
fn generated(name: &str) -> Value {
    let path = root().join("tests/functions/sam").join(format!("{name}.json"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_sam_generates_are_accepted() {
    let lambda = Lambda::start().await;
    lambda.cloud.ctx.s3().create_bucket().bucket("demo-bucket").send().await.unwrap();
    lambda.put("photos/beach.jpg", "sand").await;
    for name in ["create-project", "create-dataset", "create-binding"] {
        lambda.sample(name).await.unwrap();
    }
    let names = json!({"ProjectName": "local", "DatasetName": "demo"});
    let find = async || {
        let mut params = names.clone();
        params["URI"] = json!("oss://demo-bucket/photos/beach.jpg");
        lambda.invoke("get-file-meta", &params).await
    };
    let reply = lambda.invoke("on-object-event", &generated("s3-put")).await.unwrap();
    assert_eq!(reply["batchItemFailures"], json!([]));
    assert_eq!(find().await.unwrap()["Files"][0]["Size"], json!(4));
    // Its sequencer is the put's: an event says that something happened, and
    // this one says nothing new.
    let reply = lambda.invoke("on-object-event", &generated("s3-delete")).await.unwrap();
    assert_eq!(reply["batchItemFailures"], json!([]));
    assert!(find().await.is_ok(), "the object is still there");

    // A message's body is whatever was sent: "Hello from SQS!" is no event. It is
    // given back, so that the queue keeps it with the dead letters.
    let mut message = generated("sqs-receive-message");
    let id = message["Records"][0]["messageId"].clone();
    let reply = lambda.invoke("on-object-event", &message).await.unwrap();
    assert_eq!(reply["batchItemFailures"], json!([{"itemIdentifier": id}]));
    lambda.cloud.ctx.s3().delete_object().bucket("demo-bucket").key("photos/beach.jpg").send().await.unwrap();
    let mut removed = generated("s3-delete");
    removed["Records"][0]["s3"]["object"]["sequencer"] = json!("0A1B2C3D4E5F678902");
    message["Records"][0]["body"] = json!(removed.to_string());
    let reply = lambda.invoke("on-object-event", &message).await.unwrap();
    assert_eq!(reply["batchItemFailures"], json!([]));
    assert_eq!(find().await.unwrap_err()["errorType"], json!("ResourceNotFound"));

    let reply = lambda.invoke("on-schedule", &generated("cloudwatch-scheduled-event")).await.unwrap();
    assert!(reply["scans"].is_number(), "{reply}");
    // The shape of a function URL too. Nobody signed it.
    let answer = lambda.invoke("rpc-gateway", &generated("apigateway-http-api-proxy")).await.unwrap();
    let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
    assert!((400..404).contains(&answer["statusCode"].as_i64().unwrap()), "{answer}");
    assert!(body["Code"].is_string() && body["RequestId"].is_string(), "{answer}");
    lambda.cloud.shutdown().await;
}
