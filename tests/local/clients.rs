//! What clients run into that are not ours: operations that are not there,
//! limits, denials, and requests that mean less than they look.

use hmac::{Hmac, Mac};
use mediadex_core::Config;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::endpoints::ask;
use crate::keys::http;
use crate::support::{Local, params};

/// Calls an operation that must fail; gives its message.
async fn refusal(local: &Local, action: &str, value: Value, code: &str) -> String {
    let reply = local.api.call(action, &params(value.clone())).await.unwrap();
    assert_eq!(reply.body["Code"], json!(code), "{action} {value}: {}", reply.body);
    reply.body["Message"].as_str().unwrap().to_owned()
}

async fn token(local: &Local) -> String {
    let reply = local.call("CreateToken", json!({})).await;
    format!("Bearer {}", reply["Token"].as_str().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_of_imm_that_is_not_there_says_so() {
    let local = Local::start().await;
    let bearer = token(&local).await;
    let table = [
        ("CreateStory", 400, "OperationNotSupported"),
        ("AddImageMosaic", 400, "OperationNotSupported"),
        ("DetectImageFaces", 400, "OperationNotSupported"),
        ("CreateStori", 404, "InvalidAction.NotFound"),
    ];
    for (action, status, code) in table {
        let reply = local.api.call(action, &params(json!({"ProjectName": "p"}))).await.unwrap();
        assert_eq!((reply.status, &reply.body["Code"]), (status, &json!(code)), "{}", reply.body);
        let names_it = reply.body["Message"].as_str().unwrap().contains(action);
        assert_eq!(names_it, status == 400, "{}", reply.body);
        let path = format!("/api/{action}");
        let (head, body) = http(&local, "POST", &path, &[("authorization", &bearer)], json!({})).await;
        assert_eq!((head.status.as_u16(), &body["Code"]), (status, &json!(code)), "{body}");
    }
    local.cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_local_project_has_no_limit_until_one_is_set() {
    assert_eq!(Config::default().queries_per_second, 100, "IMM's, in the cloud");
    let local = Local::start().await;
    local.make_dataset("p", "d").await;
    let project = local.call("GetProject", json!({"ProjectName": "p"})).await;
    assert_eq!(project["Project"]["ProjectQueriesPerSecond"], json!(0));
    let bearer = token(&local).await;
    let headers = [("authorization", bearer.as_str())];
    let ask = || http(&local, "POST", "/api/GetProject", &headers, json!({"ProjectName": "p"}));
    let answers = futures::future::join_all((0..300).map(|_| ask())).await;
    assert!(answers.iter().all(|(head, _)| head.status == 200));

    local.call("UpdateProject", json!({"ProjectName": "p", "ProjectQueriesPerSecond": 1})).await;
    let (head, body) = loop {
        let (head, body) = ask().await;
        if head.status != 200 {
            break (head, body);
        }
    };
    assert_eq!((head.status.as_u16(), &body["Code"]), (429, &json!("Throttling.User")), "{body}");
    let wait = head.headers["x-acs-retry-after"].to_str().unwrap();
    let message = body["Message"].as_str().unwrap();
    assert!(message.ends_with(&format!("try again in {wait} milliseconds.")), "{message}");
    local.call("UpdateProject", json!({"ProjectName": "p", "ProjectQueriesPerSecond": 0})).await;
    let answers = futures::future::join_all((0..20).map(|_| ask())).await;
    assert!(answers.iter().all(|(head, _)| head.status == 200));
    local.cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denial_says_what_was_denied_to_whom() {
    let local = Local::start().await;
    local.make_dataset("p", "d").await;
    let policy = json!({"Version": "1", "Statement": [
        {"Effect": "Allow", "Action": "imm:Get*", "Resource": "*"},
        {"Effect": "Deny", "Action": "imm:GetTask", "Resource": "*"}]});
    let made = local.call("CreateAccessKey", json!({"AccessKeyId": "viewer", "Policy": policy})).await;
    let secret = made["AccessKey"]["AccessKeySecret"].as_str().unwrap().to_owned();
    let api = mediadex::client::Api {
        access_key_id: "viewer".into(),
        access_key_secret: secret,
        ..local.api.clone()
    };
    let task = json!({"ProjectName": "p", "TaskType": "IndexFileMeta", "TaskId": "t"});
    for (action, given, kind) in
        [("DeleteProject", json!({"ProjectName": "p"}), "ImplicitDeny"), ("GetTask", task, "ExplicitDeny")]
    {
        let refused = api.call(action, &params(given)).await.unwrap();
        assert_eq!((refused.status, &refused.body["Code"]), (403, &json!("NoPermission")));
        let account = &local.cloud.ctx.config.account_id;
        let want = json!({
            "AuthAction": format!("imm:{action}"),
            "AuthResource": format!("acs:imm:us-east-1:{account}:project/p"),
            "AuthPrincipalDisplayName": "viewer",
            "AuthPrincipalOwnerId": account,
            "AuthPrincipalType": "AccessKey",
            "NoPermissionType": kind,
            "PolicyType": "AccessKeyPolicy",
        });
        assert_eq!(refused.body["AccessDeniedDetail"], want);
    }
    local.cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_is_not_understood_does_not_find_every_file() {
    let local = Local::start().await;
    local.make_dataset("p", "d").await;
    let ask = |mut more: Value| {
        let all = more.as_object_mut().unwrap();
        all.insert("ProjectName".into(), json!("p"));
        all.insert("DatasetName".into(), json!("d"));
        more
    };
    let node = json!({"field": "Size", "operation": "eq", "value": "1"});
    let table = [
        (json!({"Query": node}), "InvalidJSON", "unknown field `field`"),
        (json!({"Query": node.to_string()}), "InvalidJSON", "unknown field `field`"),
        (json!({"Query": []}), "InvalidJSON", "an object is expected"),
        (json!({"query": {"Field": "Size"}}), "InvalidArgument", "Did you mean Query?"),
        (json!({"Query": {"Value": "1"}}), "InvalidArgument", "needs an Operation"),
        (
            json!({"MaxResults": -1}),
            "InvalidMaxResults",
            "between 0 and 100, or with Aggregations between 0 and 2000",
        ),
        (json!({"MaxResults": 101}), "InvalidMaxResults", "between 0 and 100, or with"),
    ];
    for (more, code, why) in table {
        let message = refusal(&local, "SimpleQuery", ask(more.clone()), code).await;
        assert!(message.contains(why), "{more}: {message}");
    }
    // What SDKs send for what was not set.
    for more in [json!({}), json!({"Query": {}}), json!({"Query": null}), json!({"Aggregations": []})] {
        local.call("SimpleQuery", ask(more)).await;
    }
    local.cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_that_no_list_gave_are_refused() {
    let local = Local::start().await;
    for name in ["a", "b", "c"] {
        local.make_dataset(name, "d").await;
    }
    let first = local.call("ListProjects", json!({"MaxResults": 1})).await;
    let token = first["NextToken"].as_str().unwrap();
    assert!(!token.is_empty());
    for (action, more) in [
        ("ListProjects", json!({})),
        ("ListProjects", json!({"Prefix": "a"})),
        ("ListDatasets", json!({"ProjectName": "a"})),
        ("ListBindings", json!({"ProjectName": "a"})),
        ("ListTasks", json!({"ProjectName": "a"})),
        ("ListAccessKeys", json!({})),
    ] {
        for forged in ["a", "a/b", "AAAA", "../x", &token[1..], token] {
            if forged == token && more == json!({}) && action == "ListProjects" {
                continue;
            }
            let mut given = more.clone();
            given["NextToken"] = json!(forged);
            refusal(&local, action, given, "InvalidNextToken").await;
        }
    }
    let rest = local.call("ListProjects", json!({"NextToken": token})).await;
    assert_eq!(rest["Projects"].as_array().unwrap().len(), 2);
    local.cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_leads_out_of_its_bucket_is_refused_at_the_call() {
    let local = Local::start().await;
    local.make_dataset("p", "d").await;
    let uri = "oss://bucket/../x";
    let table = [
        ("IndexFileMeta", json!({"File": {"URI": uri}})),
        ("BatchIndexFileMeta", json!({"Files": [{"URI": "oss://bucket/x"}, {"URI": uri}]})),
        ("GetFileMeta", json!({"URI": uri})),
        ("DeleteFileMeta", json!({"URI": uri})),
    ];
    for (action, mut given) in table {
        given["ProjectName"] = json!("p");
        given["DatasetName"] = json!("d");
        let message = refusal(&local, action, given, "InvalidURI").await;
        assert!(message.contains("out of its bucket"), "{message}");
    }
    local.cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_callers_set_is_kept_and_the_addresses_follow_their_places() {
    let local = Local::start().await;
    local.make_dataset("p", "d").await;
    local.make_bucket("places").await;
    for key in ["a.txt", "b.txt"] {
        local.put("places", key, key.as_bytes()).await;
    }
    let names = json!({"ProjectName": "p", "DatasetName": "d"});
    let with = |mut more: Value| {
        more.as_object_mut().unwrap().extend(names.as_object().cloned().unwrap());
        more
    };
    let files =
        json!([{"URI": "oss://places/a.txt", "LatLong": "48.8584,2.2945"}, {"URI": "oss://places/b.txt"}]);
    local.call("BatchIndexFileMeta", with(json!({"Files": files}))).await;
    local.until("both are indexed", || async { (local.counts("p", "d").await.0 == 2).then_some(()) }).await;
    let country = |uri: &'static str| {
        let given = with(json!({"URI": uri}));
        let local = &local;
        async move {
            let reply = local.call("GetFileMeta", given).await;
            let file = &reply["Files"][0];
            (
                file["LatLong"].clone(),
                file["Addresses"][0]["Country"].clone(),
                file["OSSStorageClass"].clone(),
            )
        }
    };
    let standard = json!("Standard");
    assert_eq!(
        country("oss://places/a.txt").await,
        (json!("48.8584,2.2945"), json!("France"), standard.clone())
    );
    assert_eq!(country("oss://places/b.txt").await, (Value::Null, Value::Null, standard));

    let update = |more: Value| local.call("UpdateFileMeta", with(json!({"File": more})));
    update(json!({"URI": "oss://places/a.txt", "LatLong": "41.8902,12.4922"})).await;
    update(json!({"URI": "oss://places/b.txt", "LatLong": "35.6586,139.7454"})).await;
    assert_eq!(country("oss://places/a.txt").await.1, json!("Italy"));
    assert_eq!(country("oss://places/b.txt").await.1, json!("Japan"));
    // Nobody lives there.
    update(json!({"URI": "oss://places/b.txt", "LatLong": "-48,-123"})).await;
    assert_eq!(country("oss://places/b.txt").await.1, Value::Null);
    // A file is indexed again, and what was set stays.
    local.call("IndexFileMeta", with(json!({"File": {"URI": "oss://places/a.txt", "Title": "T"}}))).await;
    local
        .until("it is indexed again", || async {
            let found =
                local.find("p", "d", json!({"Field": "Title", "Operation": "eq", "Value": "T"})).await;
            (found == ["a.txt"]).then_some(())
        })
        .await;
    assert_eq!(country("oss://places/a.txt").await.1, json!("Italy"));

    let figures = json!([{"FigureId": "f1", "FigureType": "face", "FigureClusterId": "c1"}]);
    update(json!({"URI": "oss://places/a.txt", "Figures": figures, "ProduceTime": "2008-06-01"})).await;
    let reply = local.call("GetFileMeta", with(json!({"URI": "oss://places/a.txt"}))).await;
    assert_eq!(reply["Files"][0]["Figures"], figures);
    let table = [
        ("Figures.FigureClusterId", "eq", "c1", true),
        ("Addresses.Country", "eq", "Italy", true),
        ("Addresses.Country", "eq", "France", false),
        ("OSSStorageClass", "eq", "STANDARD", true),
        ("OSSStorageClass", "eq", "standard", true),
        ("OSSStorageClass", "eq", "IA", false),
        ("Filename", "match", "a.txt", true),
        ("ProduceTime", "gte", "2008-06-01", true),
        ("ProduceTime", "lt", "2008-06-01", false),
        ("ProduceTime", "eq", "2008-06-01T00:00:00", true),
    ];
    for (field, operation, value, want) in table {
        let query = json!({"Field": field, "Operation": operation, "Value": value});
        let found = local.find("p", "d", query.clone()).await;
        assert_eq!(found.contains(&"a.txt".to_owned()), want, "{query}: {found:?}");
    }
    local.cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_tells_that_its_topic_is_absent() {
    let local = Local::start().await;
    local.make_dataset("p", "d").await;
    local.make_bucket("bucket").await;
    local.put("bucket", "a", b"a").await;
    for (file, status) in [("oss://bucket/a", "Succeeded"), ("oss://bucket/none", "Failed")] {
        let reply = local
            .call(
                "IndexFileMeta",
                json!({"ProjectName": "p", "DatasetName": "d", "File": {"URI": file},
                       "Notification": {"MNS": {"TopicName": "absent"}}}),
            )
            .await;
        let ask = json!({"ProjectName": "p", "TaskType": "IndexFileMeta", "TaskId": reply["EventId"]});
        let task = local
            .until("the task ends", || async {
                let task = local.call("GetTask", ask.clone()).await;
                (task["Status"] != json!("Running")).then_some(task)
            })
            .await;
        assert_eq!(task["Status"], json!(status), "{task}");
        let message = task["Message"].as_str().unwrap();
        assert!(message.contains("there is no topic absent"), "{task}");
        assert_eq!(message.contains("1 of 1 files"), status == "Failed", "{task}");
    }
    local.cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_binding_says_why_under_both_names() {
    let local = Local::start().await;
    local.make_dataset("p", "d").await;
    local.make_bucket("bucket").await;
    local.bind("p", "d", "bucket").await;
    let binding = json!({"ProjectName": "p", "DatasetName": "d", "URI": "oss://bucket"});
    let mut stop = binding.clone();
    stop["Reason"] = json!("for the night");
    local.call("StopBinding", stop).await;
    let got = local.call("GetBinding", binding).await;
    for name in ["Reason", "Detail"] {
        assert_eq!(got["Binding"][name], json!("for the night"), "{name}");
    }
    local.cloud.shutdown().await;
}

/// Java sends the body in chunks and signs no content type; Go signs no host either.
#[tokio::test(flavor = "multi_thread")]
async fn huaweis_sdks_are_accepted_as_they_sign() {
    let local = Local::start().await;
    let (address, key) = (local.cloud.endpoints.api, &local.cloud.access_key.key);
    let (path, body) = ("/v1/project/service", r#"{"name":"photos"}"#);
    let now = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
    let sent = [("host", address.to_string()), ("user-agent", "sdk".into()), ("x-sdk-date", now.clone())];
    for (client, signed) in [("Java", "host;user-agent;x-sdk-date"), ("Go", "user-agent;x-sdk-date")] {
        let is_signed = |name: &str| signed.split(';').any(|one| one == name);
        let lines = sent.iter().filter(|(name, _)| is_signed(name));
        let lines: String = lines.map(|(name, value)| format!("{name}:{value}\n")).collect();
        let hash = hex::encode(Sha256::digest(body));
        let canonical = hex::encode(Sha256::digest(format!("POST\n{path}/\n\n{lines}\n{signed}\n{hash}")));
        let mut mac = Hmac::<Sha256>::new_from_slice(key.secret.as_bytes()).unwrap();
        mac.update(format!("SDK-HMAC-SHA256\n{now}\n{canonical}").as_bytes());
        let signature = hex::encode(mac.finalize().into_bytes());
        let all: String = sent.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let length = body.len();
        for (content_type, framing, content) in [
            ("application/json", format!("content-length: {length}"), body.to_owned()),
            ("text/plain", "transfer-encoding: chunked".into(), format!("{length:x}\r\n{body}\r\n0\r\n\r\n")),
        ] {
            let answer = ask(
                address,
                &format!(
                    "POST {path} HTTP/1.1\r\n{all}content-type: {content_type}\r\n{framing}\r\n\
                     connection: close\r\nauthorization: SDK-HMAC-SHA256 Access={}, \
                     SignedHeaders={signed}, Signature={signature}\r\n\r\n{content}",
                    key.id
                ),
            )
            .await;
            // Accepted: the operation itself is not there yet.
            assert!(answer.contains("CreateInstance is not available"), "{client} {content_type}: {answer}");
        }
    }
    // The call for a token is JSON as well, whatever its type says.
    let user = json!({"name": key.id, "password": key.secret});
    let call = json!({"auth": {"identity": {"methods": ["password"], "password": {"user": user}}}});
    for content_type in ["application/json", "text/plain", "application/x-www-form-urlencoded"] {
        let headers = [("content-type", content_type)];
        let (head, body) = http(&local, "POST", "/v3/auth/tokens", &headers, call.clone()).await;
        assert_eq!(head.status, 201, "{content_type}: {body}");
    }
    local.cloud.shutdown().await;
}

/// Files of one call that name the same object are read once, and each is told the
/// same error.
#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_named_twice_fails_twice() {
    let local = Local::start().await;
    local.call("CreateProject", json!({"ProjectName": "p"})).await;
    let dataset = json!({"ProjectName": "p", "DatasetName": "d", "DatasetMaxFileCount": 1});
    local.call("CreateDataset", dataset).await;
    local.make_bucket("bucket").await;
    for key in ["first", "second"] {
        local.put("bucket", key, b"x").await;
    }
    for (uris, status, why) in [
        (vec!["oss://bucket/first"], "Succeeded", ""),
        (vec!["oss://bucket/second"; 3], "Failed", "3 of 3 files could not be indexed"),
    ] {
        let files: Vec<Value> = uris.into_iter().map(|uri| json!({"URI": uri})).collect();
        let call = json!({"ProjectName": "p", "DatasetName": "d", "Files": files});
        let event = local.call("BatchIndexFileMeta", call).await["EventId"].clone();
        let ask = json!({"ProjectName": "p", "TaskType": "BatchIndexFileMeta", "TaskId": event});
        let task = local
            .until("the task ends", || async {
                let task = local.call("GetTask", ask.clone()).await;
                (task["Status"] != json!("Running")).then_some(task)
            })
            .await;
        assert_eq!((&task["Status"], &task["Message"]), (&json!(status), &json!(why)), "{task}");
    }
    local.cloud.shutdown().await;
}
