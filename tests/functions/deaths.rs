//! An object whose reading ends the worker: the queue's last attempt and the scan's
//! fifth leave it out, and all others are indexed.

use std::time::Duration;

use mediadex::runtime_api::invoke;
use serde_json::{Value, json};

use crate::{Lambda, binary, event};

impl Lambda {
    /// Calls a function whose reader ends the process; `None` where it died.
    async fn risk(&self, name: &str, event: &Value) -> Option<Value> {
        let mut environment = self.environment.clone();
        environment.push(("MEDIADEX_ABORT_ON".into(), "killer.jpg".into()));
        let called = invoke(&binary(name), &environment, event, Duration::from_secs(60)).await;
        called.ok().map(|invocation| invocation.result.unwrap())
    }

    async fn status(&self, key: &str) -> Value {
        let file =
            json!({"ProjectName": "local", "DatasetName": "demo", "URI": format!("oss://demo-bucket/{key}")});
        self.invoke("get-file-meta", &file).await.unwrap()["Files"][0]["ObjectStatus"].clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_ends_the_worker_is_left_out() {
    let lambda = Lambda::start().await;
    lambda.cloud.ctx.s3().create_bucket().bucket("demo-bucket").send().await.unwrap();
    for name in ["create-project", "create-dataset"] {
        lambda.sample(name).await.unwrap();
    }
    for key in ["a.jpg", "killer.jpg", "z.jpg"] {
        lambda.put(key, key).await;
    }
    lambda.sample("create-binding").await.unwrap();

    // The scan, step by step.
    let db = &lambda.cloud.ctx.db;
    let run = db.open_runs().await.unwrap().pop().unwrap();
    let plan = lambda.risk("scan", &json!({"step": "plan", "run": run})).await.unwrap();
    let segments = plan["segments"].as_array().unwrap().len();
    let mut deaths = 0;
    for segment in 0..segments {
        while lambda
            .risk("scan", &json!({"step": "list-segment", "run": run, "segment": segment}))
            .await
            .is_none()
        {
            deaths += 1;
            assert!(deaths < 10, "it dies at every step");
            // As if the lease of the step that died had run out.
            for segment in db.segments(&db.run(&run).await.unwrap()).await.unwrap() {
                db.checkpoint_segment(&segment, -1000).await.unwrap();
            }
        }
    }
    assert_eq!(deaths, 4);
    lambda.risk("scan", &json!({"step": "finish", "run": run})).await.unwrap();
    let binding = lambda.sample("get-binding").await.unwrap();
    let reason = binding["Binding"]["Reason"].as_str().unwrap_or_default();
    assert!(reason.contains("1 object(s) could not be read"), "{binding}");
    for (key, want) in [("a.jpg", "Indexed"), ("killer.jpg", "Failed"), ("z.jpg", "Indexed")] {
        assert_eq!(lambda.status(key).await, json!(want), "{key}");
    }

    // Events, as often as the queue sends them.
    for key in ["b.jpg", "events/killer.jpg", "y.jpg"] {
        lambda.put(key, key).await;
    }
    let batch = |received: u32| {
        let message = |key: &str| {
            let mut record = event("on-object-event")["Records"][0].clone();
            record["s3"]["object"] = json!({"key": key, "sequencer": "01"});
            json!({"messageId": key, "eventSource": "aws:sqs", "body": json!({"Records": [record]}).to_string(),
                "attributes": {"ApproximateReceiveCount": received.to_string()}})
        };
        json!({"Records": [message("b.jpg"), message("events/killer.jpg"), message("y.jpg")]})
    };
    for received in 1..5 {
        assert!(lambda.risk("on-object-event", &batch(received)).await.is_none(), "attempt {received}");
    }
    let reply = lambda.risk("on-object-event", &batch(5)).await.expect("the last attempt leaves it out");
    assert_eq!(reply["batchItemFailures"], json!([{"itemIdentifier": "events/killer.jpg"}]), "a dead letter");
    for (key, want) in [("b.jpg", "Indexed"), ("events/killer.jpg", "Failed"), ("y.jpg", "Indexed")] {
        assert_eq!(lambda.status(key).await, json!(want), "{key}");
    }
    lambda.cloud.shutdown().await;
}
