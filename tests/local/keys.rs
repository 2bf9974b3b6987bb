//! Access keys, temporary keys and tokens: made, used, narrowed, disabled,
//! rotated, ended, through the API.

use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use mediadex::client::Api;
use mediadex_core::model::Timestamp;
use serde_json::{Value, json};

use crate::support::{Local, params};

fn viewer() -> Value {
    json!({"Version": "1", "Statement": [{
        "Effect": "Allow", "Action": ["imm:Get*", "imm:SimpleQuery"], "Resource": "acs:imm:*:*:project/p*"}]})
}

fn with(local: &Local, id: &Value, secret: &Value, token: Option<&Value>) -> Api {
    Api {
        access_key_id: id.as_str().unwrap().into(),
        access_key_secret: secret.as_str().unwrap().into(),
        security_token: token.map(|token| token.as_str().unwrap().into()),
        ..local.api.clone()
    }
}

/// Asks for the project, and gives the status and the error's code.
async fn get(api: &Api) -> (u16, String) {
    let reply = api.call("GetProject", &params(json!({"ProjectName": "p"}))).await.unwrap();
    (reply.status, reply.body["Code"].as_str().unwrap_or_default().to_owned())
}

fn is(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

/// A plain HTTP call: status, headers and JSON.
pub(crate) async fn http(
    local: &Local,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Value,
) -> (http::response::Parts, Value) {
    let mut request = http::Request::builder().method(method).uri(format!("{}{path}", local.api.endpoint));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let request = request.body(Full::new(bytes::Bytes::from(body))).unwrap();
    let client = Client::builder(TokioExecutor::new()).build_http();
    let (head, body) = client.request(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let json = serde_json::from_slice(&body).unwrap_or_else(|_| panic!("{path}: {body:?}"));
    (head, json)
}

async fn native(local: &Local, token: &Value, operation: &str, body: Value) -> (u16, Value) {
    let bearer = format!("Bearer {}", token.as_str().unwrap());
    let (head, body) =
        http(local, "POST", &format!("/api/{operation}"), &[("authorization", &bearer)], body).await;
    assert_eq!(head.headers["x-request-id"], body["RequestId"].as_str().unwrap(), "{body}");
    (head.status.as_u16(), body)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_does_what_its_policy_says_until_it_is_disabled() {
    let local = Local::start().await;
    local.make_dataset("p", "d").await;
    let reply = local
        .call(
            "CreateAccessKey",
            json!({"AccessKeyId": "viewer", "Description": "for the site", "Policy": viewer()}),
        )
        .await;
    let made = &reply["AccessKey"];
    assert_eq!(made["Policy"]["Statement"][0]["Action"][0], json!("imm:Get*"), "{reply}");
    let secret = made["AccessKeySecret"].clone();
    assert_eq!(secret.as_str().unwrap().len(), 40);
    let api = with(&local, &json!("viewer"), &secret, None);
    assert_eq!(get(&api).await, is(200, ""));
    for (action, body) in [
        ("CreateDataset", json!({"ProjectName": "p", "DatasetName": "e"})),
        ("CreateAccessKey", json!({"Policy": viewer()})),
        ("CreateToken", json!({})),
        ("GetProject", json!({"ProjectName": "q"})),
    ] {
        let refused = api.call(action, &params(body)).await.unwrap();
        assert_eq!((refused.status, &refused.body["Code"]), (403, &json!("NoPermission")), "{action}");
    }
    let refused = local.fail("CreateAccessKey", json!({"AccessKeyId": "viewer", "Policy": viewer()})).await;
    assert_eq!(refused, is(409, "ResourceAlreadyExists"));
    let refused = local.fail("CreateAccessKey", json!({"AccessKeyId": "mediadex", "Policy": viewer()})).await;
    assert_eq!(refused, is(409, "ResourceAlreadyExists"));
    for (body, code) in [
        (json!({}), "MissingPolicy"),
        (json!({"AccessKeyId": "STS.x", "Policy": viewer()}), "InvalidAccessKeyId"),
        (json!({"AccessKeyId": "a b", "Policy": viewer()}), "InvalidAccessKeyId"),
        (json!({"Policy": {"Statement": [{"Effect": "Allow", "Action": "*"}]}}), "InvalidJSON"),
        (json!({"Policy": {"Version": "2", "Statement": []}}), "InvalidJSON"),
    ] {
        assert_eq!(local.fail("CreateAccessKey", body.clone()).await, is(400, code), "{body}");
    }
    let listed = local.call("ListAccessKeys", json!({})).await;
    assert_eq!(listed["AccessKeys"].as_array().unwrap().len(), 1);
    assert!(!listed.to_string().contains(secret.as_str().unwrap()), "a list shows no secret");

    let update = |body: Value| local.call("UpdateAccessKey", body);
    update(json!({"AccessKeyId": "viewer", "Status": "Inactive"})).await;
    assert_eq!(get(&api).await, is(404, "InvalidAccessKeyId.NotFound"));
    update(json!({"AccessKeyId": "viewer", "Status": "Active"})).await;
    assert_eq!(get(&api).await, is(200, ""));
    let other = json!({"Statement": [{"Effect": "Allow", "Action": "imm:List*", "Resource": "*"}]});
    update(json!({"AccessKeyId": "viewer", "Policy": other})).await;
    assert_eq!(get(&api).await, is(403, "NoPermission"));
    local.call("DeleteAccessKey", json!({"AccessKeyId": "viewer"})).await;
    assert_eq!(get(&api).await, is(404, "InvalidAccessKeyId.NotFound"));
    for action in ["UpdateAccessKey", "RotateAccessKey", "DeleteAccessKey"] {
        assert_eq!(local.fail(action, json!({"AccessKeyId": "viewer"})).await, is(404, "ResourceNotFound"));
        let fixed = local.fail(action, json!({"AccessKeyId": "mediadex"})).await;
        assert_eq!(fixed, is(409, "StatusConflict"), "{action}");
    }
    local.cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_key_takes_both_secrets_for_as_long_as_it_was_told() {
    let local = Local::start().await;
    local.make_dataset("p", "d").await;
    let made = local.call("CreateAccessKey", json!({"AccessKeyId": "app", "Policy": viewer()})).await;
    let first = with(&local, &json!("app"), &made["AccessKey"]["AccessKeySecret"], None);
    let rotated = local.call("RotateAccessKey", json!({"AccessKeyId": "app", "GraceSeconds": 3600})).await;
    let second = with(&local, &json!("app"), &rotated["AccessKey"]["AccessKeySecret"], None);
    assert_eq!(get(&first).await, is(200, ""));
    assert_eq!(get(&second).await, is(200, ""));
    // The grace ends.
    let ctx = &local.cloud.ctx;
    let mut stored = ctx.db.stored_key("app").await.unwrap().unwrap();
    stored.previous_until = Timestamp::now().millis() - 1;
    ctx.db.replace_key(&stored, stored.update_time).await.unwrap();
    ctx.keys().forget();
    assert_eq!(get(&first).await, is(400, "SignatureDoesNotMatch"));
    assert_eq!(get(&second).await, is(200, ""));
    let rotated = local.call("RotateAccessKey", json!({"AccessKeyId": "app"})).await;
    let third = with(&local, &json!("app"), &rotated["AccessKey"]["AccessKeySecret"], None);
    assert_eq!(get(&second).await, is(400, "SignatureDoesNotMatch"));
    assert_eq!(get(&third).await, is(200, ""));
    local.cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn temporary_keys_are_narrower_and_end() {
    let local = Local::start().await;
    local.make_dataset("p", "d").await;
    let all = json!({"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]});
    let made = local.call("CreateAccessKey", json!({"AccessKeyId": "app", "Policy": all})).await;
    let app = with(&local, &json!("app"), &made["AccessKey"]["AccessKeySecret"], None);
    let reply = app
        .call("CreateTemporaryKey", &params(json!({"DurationSeconds": 900, "Policy": viewer()})))
        .await
        .unwrap();
    let temporary = &reply.body["Credentials"];
    let (id, secret) = (&temporary["AccessKeyId"], &temporary["AccessKeySecret"]);
    let token = &temporary["SecurityToken"];
    let api = with(&local, id, secret, Some(token));
    assert_eq!(get(&api).await, is(200, ""), "{}", reply.body);
    let refused = api.call("DeleteProject", &params(json!({"ProjectName": "p"}))).await.unwrap();
    assert_eq!(refused.body["Code"], json!("NoPermission"), "narrower than its parent");
    let refused = api.call("CreateToken", &params(json!({"AccessKeyId": "app"}))).await.unwrap();
    assert_eq!(refused.body["Code"], json!("NoPermission"));
    assert_eq!(get(&with(&local, id, secret, None)).await, is(400, "MissingSecurityToken"));
    let wrong = is(400, "InvalidSecurityToken.MismatchWithAccessKey");
    assert_eq!(get(&with(&local, id, secret, Some(&json!("other")))).await, wrong);
    assert_eq!(get(&with(&local, id, &json!("other"), Some(token))).await, is(400, "SignatureDoesNotMatch"));
    let lasting = Api { security_token: Some("any".into()), ..app.clone() };
    assert_eq!(get(&lasting).await, wrong, "a permanent key has no token");

    // What it descends from decides as well.
    let gone = is(404, "InvalidAccessKeyId.NotFound");
    local.call("UpdateAccessKey", json!({"AccessKeyId": "app", "Status": "Inactive"})).await;
    assert_eq!(get(&api).await, gone);
    local.call("UpdateAccessKey", json!({"AccessKeyId": "app", "Status": "Active"})).await;
    assert_eq!(get(&api).await, is(200, ""));
    local
        .call(
            "UpdateAccessKey",
            json!({"AccessKeyId": "app", "Policy": {"Statement": [
            {"Effect": "Deny", "Action": "imm:GetProject", "Resource": "*"},
            {"Effect": "Allow", "Action": "*", "Resource": "*"}]}}),
        )
        .await;
    assert_eq!(get(&api).await, is(403, "NoPermission"));
    // Another key of the same id is not its parent.
    local.call("DeleteAccessKey", json!({"AccessKeyId": "app"})).await;
    let again = json!({"AccessKeyId": "app", "Policy": {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}});
    local.call("CreateAccessKey", again).await;
    assert_eq!(get(&api).await, gone);

    let reply = local.call("CreateTemporaryKey", json!({})).await;
    let temporary = &reply["Credentials"];
    let id = temporary["AccessKeyId"].as_str().unwrap();
    let api = with(
        &local,
        &temporary["AccessKeyId"],
        &temporary["AccessKeySecret"],
        Some(&temporary["SecurityToken"]),
    );
    assert_eq!(get(&api).await, is(200, ""));
    let ctx = &local.cloud.ctx;
    let mut stored = ctx.db.stored_key(id).await.unwrap().unwrap();
    stored.expires = Timestamp::now().millis() - 1;
    ctx.db.replace_key(&stored, stored.update_time).await.unwrap();
    ctx.keys().forget();
    assert_eq!(get(&api).await, is(400, "InvalidSecurityToken.Expired"));
    assert_eq!(local.fail("CreateTemporaryKey", json!({"DurationSeconds": 10})).await.0, 400);
    local.cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_open_the_native_door_and_image_search() {
    let local = Local::start().await;
    local.make_dataset("p", "d").await;
    local.call("CreateAccessKey", json!({"AccessKeyId": "app", "Policy": viewer()})).await;
    let token =
        local.call("CreateToken", json!({"AccessKeyId": "app", "DurationSeconds": 600})).await["Token"]
            .clone();
    let (status, body) = native(&local, &token, "GetProject", json!({"ProjectName": "p"})).await;
    assert_eq!((status, &body["Project"]["ProjectName"]), (200, &json!("p")), "{body}");
    for (operation, given, status, code) in [
        ("DeleteProject", json!({"ProjectName": "p"}), 403, "NoPermission"),
        ("GetProject", json!({}), 403, "NoPermission"),
        ("GetProject", json!({"ProjectName": "pabsent"}), 404, "ResourceNotFound"),
        ("MakeCoffee", json!({}), 404, "InvalidAction.NotFound"),
        ("GetProject", json!([1]), 400, "InvalidJSON"),
    ] {
        let (got, body) = native(&local, &token, operation, given).await;
        assert_eq!((got, body["Code"].as_str()), (status, Some(code)), "{operation}: {body}");
    }
    let (status, body) = native(&local, &json!("mdt_x.y"), "GetProject", json!({})).await;
    assert_eq!((status, &body["Code"]), (401, &json!("InvalidBearerToken")));
    let changed = json!(format!("{}x", token.as_str().unwrap()));
    let (status, _) = native(&local, &changed, "GetProject", json!({"ProjectName": "p"})).await;
    assert_eq!(status, 401);
    let (head, body) = http(&local, "POST", "/api/GetProject", &[], json!({})).await;
    assert_eq!((head.status.as_u16(), &body["Code"]), (401, &json!("MissingBearerToken")));
    assert_eq!(head.headers["www-authenticate"], "Bearer");
    let (head, _) = http(&local, "GET", "/api/GetProject", &[], Value::Null).await;
    assert_eq!((head.status.as_u16(), &head.headers["allow"]), (405, &"POST".parse().unwrap()));

    // The SDKs' bearer credentials, in a header and in the query.
    let text = token.as_str().unwrap();
    let path = "/?ProjectName=p&SignatureType=BEARERTOKEN";
    let headers =
        [("x-acs-action", "GetProject"), ("x-acs-version", "2020-09-30"), ("x-acs-bearer-token", text)];
    let (head, body) = http(&local, "POST", path, &headers, Value::Null).await;
    assert_eq!(head.status, 200, "{body}");
    let path = format!(
        "/?Action=GetProject&Version=2020-09-30&ProjectName=p&BearerToken={text}&SignatureType=BEARERTOKEN"
    );
    let (head, body) = http(&local, "POST", &path, &[], Value::Null).await;
    assert_eq!(head.status, 200, "{body}");

    // Huawei Cloud's token call, with the key of the local cloud.
    let ask = |name: &str, password: &str| {
        json!({"auth": {"identity": {"methods": ["password"], "password": {"user": {
            "name": name, "password": password, "domain": {"name": "d"}}}}, "scope": {"project": {"name": "cn-north-4"}}}})
    };
    let secret = local.api.access_key_secret.as_str();
    let (head, body) = http(&local, "POST", "/v3/auth/tokens", &[], ask("mediadex", secret)).await;
    assert_eq!(head.status, 201, "{body}");
    assert!(body["token"]["expires_at"].is_string(), "{body}");
    let subject = head.headers["x-subject-token"].to_str().unwrap().to_owned();
    assert!(!body.to_string().contains(&subject), "only the header has it");
    let pair = json!({"auth": {"identity": {"methods": ["hw_ak_sk"], "hw_ak_sk": {
        "access": {"key": "mediadex"}, "secret": {"key": secret}}}}});
    assert_eq!(http(&local, "POST", "/v3/auth/tokens", &[], pair).await.0.status, 201);
    for (given, status, code) in [
        (ask("mediadex", "wrong"), 401, "APIGW.0301"),
        (ask("nobody", secret), 401, "APIGW.0301"),
        (json!({}), 400, "IS.0001"),
        (json!("x"), 400, "IS.0008"),
    ] {
        let (head, body) = http(&local, "POST", "/v3/auth/tokens", &[], given).await;
        assert_eq!((head.status.as_u16(), body["error_code"].as_str()), (status, Some(code)), "{body}");
    }
    let search = "/v1/0123/photos/image/search";
    for (headers, status, code) in [
        (vec![("x-auth-token", subject.as_str())], 404, "APIGW.0101"),
        (vec![("x-auth-token", "abnormal")], 401, "IS.0004"),
        (vec![("x-auth-token", "")], 401, "IS.0013"),
        (vec![], 401, "APIGW.0301"),
        // The viewer may not.
        (vec![("x-auth-token", text)], 403, "IS.0011"),
    ] {
        let (head, body) = http(&local, "POST", search, &headers, json!({})).await;
        assert_eq!((head.status.as_u16(), body["error_code"].as_str()), (status, Some(code)), "{body}");
        assert!(body["error_msg"].is_string() && head.headers.contains_key("x-request-id"));
    }

    // A narrower one, and its end.
    let narrow = json!({"Statement": [{"Effect": "Allow", "Action": "imm:ListProjects", "Resource": "*"}]});
    let reply = local.call("CreateToken", json!({"Policy": narrow})).await;
    let (status, _) = native(&local, &reply["Token"], "ListProjects", json!({})).await;
    assert_eq!(status, 200);
    let (status, _) = native(&local, &reply["Token"], "GetProject", json!({"ProjectName": "p"})).await;
    assert_eq!(status, 403);
    let id = reply["Token"].as_str().unwrap().split('.').next().unwrap().to_owned();
    local.call("DeleteAccessKey", json!({"AccessKeyId": id})).await;
    let (status, _) = native(&local, &reply["Token"], "ListProjects", json!({})).await;
    assert_eq!(status, 401);
    local.call("UpdateAccessKey", json!({"AccessKeyId": "app", "Status": "Inactive"})).await;
    let (status, _) = native(&local, &token, "GetProject", json!({"ProjectName": "p"})).await;
    assert_eq!(status, 401, "its key is disabled");
    local.cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_lies_in_the_store() {
    let state = tempfile::tempdir().unwrap();
    let cloud = mediadex::cloud::Cloud::start(Local::options(state.path()), &[]).await.unwrap();
    let local = Local::of(cloud);
    let made = local.call("CreateAccessKey", json!({"AccessKeyId": "app", "Policy": viewer()})).await;
    let rotated = local.call("RotateAccessKey", json!({"AccessKeyId": "app", "GraceSeconds": 60})).await;
    let temporary = local.call("CreateTemporaryKey", json!({})).await;
    let token = local.call("CreateToken", json!({})).await;
    let mut secrets = vec![made["AccessKey"]["AccessKeySecret"].clone()];
    secrets.push(rotated["AccessKey"]["AccessKeySecret"].clone());
    secrets.extend(
        [&temporary["Credentials"]["AccessKeySecret"], &temporary["Credentials"]["SecurityToken"]]
            .map(Clone::clone),
    );
    secrets.push(json!(token["Token"].as_str().unwrap().split_once('.').unwrap().1));
    let pages = local.cloud.ctx.db.list_keys("", 100).await.unwrap();
    assert_eq!(pages.0.len(), 1);
    let sealing = local.cloud.sealing_key.clone();
    local.cloud.shutdown().await;
    let mut bytes = Vec::new();
    for entry in std::fs::read_dir(state.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            bytes.extend(std::fs::read(path).unwrap());
        }
    }
    let has = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(has("app"), "the keys were looked for in the right place");
    for secret in secrets {
        assert!(!has(secret.as_str().unwrap()), "a secret lies in the store in clear");
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&sealing).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "the sealing key is its owner's alone");
    }
    // The next process opens them with the same key.
    let local = Local::of(mediadex::cloud::Cloud::start(Local::options(state.path()), &[]).await.unwrap());
    local.make_dataset("p", "d").await;
    let api = with(&local, &json!("app"), &rotated["AccessKey"]["AccessKeySecret"], None);
    assert_eq!(get(&api).await, is(200, ""));
    local.cloud.shutdown().await;
}
