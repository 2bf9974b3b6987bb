//! Each operation refuses who may not call it, and touches nothing in doing so.

use mediadex_core::gateway::{Credentials, Gateway, HttpRequest, sign_acs3};
use mediadex_core::keys::{Keys, Policy};
use mediadex_core::operation::OPERATIONS;
use serde_json::{Value, json};

use crate::support::{Local, params};

fn request(action: &str, id: &str, secret: &str) -> HttpRequest {
    let given = params(json!({"ProjectName": "mine", "DatasetName": "d", "URI": "oss://bucket/k"}));
    let signed = sign_acs3("localhost", action, &given, Credentials::new(id, secret)).unwrap();
    signed.into()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_operation_refuses_strangers_and_touches_nothing() {
    let local = Local::start().await;
    let ctx = &local.cloud.ctx;
    let other: Policy = serde_json::from_value(json!({"Version": "1", "Statement": [
        {"Effect": "Allow", "Action": "imm:*", "Resource": "acs:imm:*:*:project/other*"}]}))
    .unwrap();
    let denied: Policy = serde_json::from_value(json!({"Version": "1", "Statement": [
        {"Effect": "Allow", "Action": "*", "Resource": "*"}, {"Effect": "Deny", "Action": ["imm:*", "ram:*"], "Resource": "*"}]}))
    .unwrap();
    let lesser: Policy = serde_json::from_value(json!({"Version": "1", "Statement": [
        {"Effect": "Allow", "Action": "oss:*", "Resource": "*"}]}))
    .unwrap();
    let keys = Keys::default()
        .with("root", "s", Policy::everything())
        .with("other", "s", other)
        .with("denied", "s", denied)
        .with("lesser", "s", lesser);
    let gateway = Gateway::new(ctx.clone().with_keys(keys));
    for row in OPERATIONS {
        let before = ctx.usage.read().store_calls;
        let mut unsigned = request(row.name, "root", "s");
        unsigned.headers.retain(|(name, _)| name != "authorization");
        let mut changed = request(row.name, "root", "s");
        changed.body.push(b' ');
        let mut stale = request(row.name, "root", "s");
        for (name, value) in &mut stale.headers {
            if name == "x-acs-date" {
                *value = "2020-01-01T00:00:00Z".into();
            }
        }
        let table = [
            ("no key", unsigned, 400, "MissingAccessKeyId"),
            ("unknown key", request(row.name, "nobody", "s"), 404, "InvalidAccessKeyId.NotFound"),
            ("wrong secret", request(row.name, "root", "wrong"), 400, "SignatureDoesNotMatch"),
            ("changed body", changed, 400, "SignatureDoesNotMatch"),
            ("stale date", stale, 400, "InvalidTimeStamp.Expired"),
        ];
        for (what, request, status, code) in table {
            let answer = gateway.handle(request).await;
            let body: Value = serde_json::from_str(&answer.body).unwrap();
            assert_eq!(
                (answer.status, body["Code"].as_str()),
                (status, Some(code)),
                "{} {what}: {body}",
                row.name
            );
        }
        assert_eq!(
            ctx.usage.read().store_calls,
            before,
            "{}: the store was touched before the signature held",
            row.name
        );
        for id in ["denied", "other", "lesser"] {
            let before = ctx.usage.read().store_calls;
            let answer = gateway.handle(request(row.name, id, "s")).await;
            let body: Value = serde_json::from_str(&answer.body).unwrap();
            assert_eq!(
                (answer.status, body["Code"].as_str()),
                (403, Some("NoPermission")),
                "{} {id}: {body}",
                row.name
            );
            // The nonce is remembered; that is all.
            assert_eq!(ctx.usage.read().store_calls, before + 1, "{} {id}", row.name);
        }
        let once = request(row.name, "root", "s");
        gateway.handle(once.clone()).await;
        let replay = gateway.handle(once).await;
        let body: Value = serde_json::from_str(&replay.body).unwrap();
        assert_eq!(body["Code"], json!("SignatureNonceUsed"), "{}: {body}", row.name);
    }
    local.cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_actions_and_versions_get_the_catalogues_errors() {
    let local = Local::start().await;
    assert_eq!(local.fail("MakeCoffee", json!({})).await, (404, "InvalidAction.NotFound".into()));
    let keys = Keys::default().with("root", "s", Policy::everything());
    let gateway = Gateway::new(local.cloud.ctx.clone().with_keys(keys));
    let health = gateway
        .handle(HttpRequest { method: "GET".into(), path: "/healthz".into(), ..Default::default() })
        .await;
    assert_eq!(health.status, 200);
    let put =
        gateway.handle(HttpRequest { method: "PUT".into(), path: "/".into(), ..Default::default() }).await;
    assert_eq!(put.status, 405);
    let search = gateway
        .handle(HttpRequest { method: "POST".into(), path: "/v1/p/service".into(), ..Default::default() })
        .await;
    assert_eq!(search.status, 401);
    local.cloud.shutdown().await;
}
