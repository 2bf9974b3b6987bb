//! Index, get, update and delete file metadata; completion messages; queries.

use serde_json::{Value, json};

use crate::support::Local;

async fn messages(local: &Local, topic: &str) -> Vec<Value> {
    use http_body_util::BodyExt;
    let url = format!("http://{}/topics/{topic}/messages", local.cloud.endpoints.sns);
    let client =
        hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new()).build_http();
    let request = http::Request::get(url).body(http_body_util::Empty::<bytes::Bytes>::new()).unwrap();
    let body = client.request(request).await.unwrap().into_body().collect().await.unwrap().to_bytes();
    let reply: Value = serde_json::from_slice(&body).unwrap();
    reply["messages"].as_array().cloned().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_with_labels_and_a_topic() {
    let local = Local::start().await;
    local.make_dataset("p", "d").await;
    local.make_bucket("test-bucket").await;
    local.put("test-bucket", "one.jpg", b"1").await;
    local.cloud.ctx.sns().create_topic().name("test-topic").send().await.unwrap();
    let reply = local
        .call(
            "BatchIndexFileMeta",
            json!({"ProjectName": "p", "DatasetName": "d", "UserData": "mine",
                "Notification": {"MNS": {"TopicName": "test-topic"}},
                "Files": [
                    {"URI": "oss://test-bucket/one.jpg", "CustomId": "id-1", "CustomLabels": {"category": "Persons"}},
                    {"URI": "oss://test-bucket/missing.jpg", "CustomLabels": {"category": "Pets"}}]}),
        )
        .await;
    assert!(reply["EventId"].as_str().unwrap().starts_with("16C-"));
    let all = local
        .until("the message comes", || async {
            let all = messages(&local, "test-topic").await;
            (!all.is_empty()).then_some(all)
        })
        .await;
    assert_eq!(all.len(), 1);
    let message = &all[0]["message"];
    assert_eq!((&message["ProjectName"], &message["DatasetName"]), (&json!("p"), &json!("d")));
    assert_eq!((&message["Success"], &message["UserData"]), (&json!(true), &json!("mine")));
    assert!(message["StartTime"].as_str().unwrap() <= message["EndTime"].as_str().unwrap());
    let files = message["Files"].as_array().unwrap();
    assert_eq!(files.len(), 2);
    assert_eq!(files[0]["CustomLabels"], json!({"category": "Persons"}));
    assert_eq!((&files[0]["Error"], &files[0]["CustomId"]), (&json!(""), &json!("id-1")));
    assert_eq!(files[1]["URI"], json!("oss://test-bucket/missing.jpg"));
    assert!(files[1]["Error"].as_str().unwrap().starts_with("ResourceNotFound"), "{message}");
    let query = json!({"Field": "CustomLabels.category", "Operation": "eq", "Value": "persons"});
    assert_eq!(local.find("p", "d", query).await, ["one.jpg"]);
    local.cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_topic_loses_nothing() {
    let local = Local::start().await;
    local.make_dataset("p", "d").await;
    local.make_bucket("bucket").await;
    local.put("bucket", "k", b"1").await;
    let call = json!({"ProjectName": "p", "DatasetName": "d", "File": {"URI": "oss://bucket/k"}, "NotifyTopicName": "absent"});
    local.call("IndexFileMeta", call).await;
    local.until_files("p", "d", &["k"]).await;
    let wrong = json!({"ProjectName": "p", "DatasetName": "d", "File": {"URI": "oss://bucket/k"},
        "Notification": {"RocketMQ": {"InstanceId": "i", "TopicName": "t"}}});
    assert_eq!(local.fail("IndexFileMeta", wrong).await, (400, "InvalidNotification".into()));
    local.cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_read_changed_and_deleted() {
    let local = Local::start().await;
    local.make_dataset("p", "d").await;
    local.make_bucket("bucket").await;
    for key in ["a", "b", "c"] {
        local.put("bucket", key, b"12").await;
    }
    local.bind("p", "d", "bucket").await;
    let with = |extra: Value| {
        let mut call = json!({"ProjectName": "p", "DatasetName": "d"});
        call.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        call
    };
    let one = local.call("GetFileMeta", with(json!({"URI": "s3://bucket/a"}))).await;
    let file = &one["Files"][0];
    assert_eq!(
        (&file["URI"], &file["Filename"], &file["Size"]),
        (&json!("oss://bucket/a"), &json!("a"), &json!(2))
    );
    assert_eq!((&file["ObjectType"], &file["ObjectStatus"]), (&json!("file"), &json!("Indexed")));
    assert_eq!(file["ObjectId"].as_str().unwrap().len(), 64);
    assert_eq!(
        local.fail("GetFileMeta", with(json!({"URI": "oss://bucket/z"}))).await,
        (404, "ResourceNotFound".into())
    );
    let fields = local
        .call("GetFileMeta", with(json!({"URI": "oss://bucket/a", "WithFields": ["Size", "URI"]})))
        .await;
    assert_eq!(fields["Files"], json!([{"Size": 2, "URI": "oss://bucket/a"}]));
    let wrong = with(json!({"URI": "oss://bucket/a", "WithFields": ["Sise"]}));
    assert_eq!(local.fail("GetFileMeta", wrong).await, (400, "InvalidArgument".into()));
    let uris = json!({"URIs": ["oss://bucket/c", "oss://bucket/z", "oss://bucket/b"]});
    let several = local.call("BatchGetFileMeta", with(uris)).await;
    let names: Vec<&str> =
        several["Files"].as_array().unwrap().iter().map(|f| f["Filename"].as_str().unwrap()).collect();
    assert_eq!(names, ["c", "b"]);
    let many: Vec<String> = (0..101).map(|n| format!("oss://bucket/{n}")).collect();
    assert_eq!(
        local.fail("BatchGetFileMeta", with(json!({"URIs": many}))).await,
        (400, "LimitExceededError".into())
    );

    let change =
        json!({"File": {"URI": "oss://bucket/a", "CustomId": "i", "CustomLabels": {"k": "v"}, "Title": "T"}});
    local.call("UpdateFileMeta", with(change)).await;
    let absent = with(json!({"File": {"URI": "oss://bucket/z", "CustomId": "i"}}));
    assert_eq!(local.fail("UpdateFileMeta", absent).await, (404, "ResourceNotFound".into()));
    let files =
        json!({"Files": [{"URI": "oss://bucket/b", "CustomLabels": {"k": "w"}}, {"URI": "oss://bucket/z"}]});
    let changed = local.call("BatchUpdateFileMeta", with(files)).await;
    assert_eq!(changed["Files"][0], json!({"URI": "oss://bucket/b", "Success": true, "Message": ""}));
    assert_eq!(changed["Files"][1]["Success"], json!(false));
    // A new version of the object keeps what the caller set.
    local.put("bucket", "a", b"1234").await;
    local
        .until("the new version is indexed", || async {
            let reply = local.call("GetFileMeta", with(json!({"URI": "oss://bucket/a"}))).await;
            (reply["Files"][0]["Size"] == json!(4)).then_some(())
        })
        .await;
    let kept = local.call("GetFileMeta", with(json!({"URI": "oss://bucket/a"}))).await;
    let file = &kept["Files"][0];
    assert_eq!((&file["CustomId"], &file["Title"]), (&json!("i"), &json!("T")));
    assert_eq!(file["CustomLabels"], json!({"k": "v"}));

    local.call("DeleteFileMeta", with(json!({"URI": "oss://bucket/a"}))).await;
    local.call("DeleteFileMeta", with(json!({"URI": "oss://bucket/a"}))).await;
    local.call("BatchDeleteFileMeta", with(json!({"URIs": ["oss://bucket/b", "oss://bucket/z"]}))).await;
    assert_eq!(local.counts("p", "d").await, (1, 2));
    // Deleted by hand, its object there: a scan does not bring it back, a new
    // version does, and so does a call that names it.
    local.cloud.scans.difference("p", "d", "bucket", "").await.unwrap();
    local.until_files("p", "d", &["c"]).await;
    local.put("bucket", "a", b"new content").await;
    local.until_files("p", "d", &["a", "c"]).await;
    local.call("IndexFileMeta", with(json!({"File": {"URI": "oss://bucket/b"}}))).await;
    local.until_files("p", "d", &["a", "b", "c"]).await;
    local.cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_sort_page_and_count() {
    let local = Local::start().await;
    local.make_dataset("p", "d").await;
    local.make_bucket("bucket").await;
    for number in 0..25u32 {
        local.put("bucket", &format!("k{number:02}"), &vec![0; (number % 5) as usize]).await;
    }
    local.bind("p", "d", "bucket").await;
    assert_eq!(local.find("p", "d", Value::Null).await.len(), 25);
    let ask = |extra: Value| {
        let mut call = json!({"ProjectName": "p", "DatasetName": "d"});
        call.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        call
    };
    // Every page of every order holds each file once.
    for (sort, order) in [("", ""), ("Size", ""), ("Size,Filename", "asc,desc"), ("Filename", "desc")] {
        let mut seen: Vec<(i64, String)> = Vec::new();
        let mut token = json!("");
        loop {
            let page = local
                .call(
                    "SimpleQuery",
                    ask(json!({"Sort": sort, "Order": order, "MaxResults": 4, "NextToken": token})),
                )
                .await;
            assert_eq!(page["TotalHits"], json!(25));
            for file in page["Files"].as_array().unwrap() {
                seen.push((file["Size"].as_i64().unwrap(), file["Filename"].as_str().unwrap().to_owned()));
            }
            token = page["NextToken"].clone();
            if token == json!("") {
                break;
            }
        }
        let mut want: Vec<(i64, String)> = (0..25).map(|n| (n % 5, format!("k{n:02}"))).collect();
        match sort {
            "Size" => want.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1))),
            "Size,Filename" => want.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1))),
            "Filename" => want.reverse(),
            _ => {}
        }
        assert_eq!(seen, want, "{sort} {order}");
    }
    let without = local.call("SimpleQuery", ask(json!({"WithoutTotalHits": "True", "MaxResults": 3}))).await;
    assert!(without.get("TotalHits").is_none() && without["Files"].as_array().unwrap().len() == 3);
    let query = json!({"Operation": "and", "SubQueries": [
        {"Field": "Size", "Operation": "gte", "Value": "3"}, {"Field": "Filename", "Operation": "prefix", "Value": "k1"},
        {"Operation": "not", "SubQueries": [{"Field": "Filename", "Operation": "eq", "Value": "k13"}]}]});
    assert_eq!(local.find("p", "d", query).await, ["k14", "k18", "k19"]);
    // A token is of its own query alone.
    let first = local.call("SimpleQuery", ask(json!({"MaxResults": 3}))).await;
    let token = first["NextToken"].as_str().unwrap();
    let other = ask(json!({"MaxResults": 3, "Sort": "Size", "NextToken": token}));
    assert_eq!(local.fail("SimpleQuery", other).await, (400, "InvalidNextToken".into()));
    let broken = ask(json!({"NextToken": format!("{token}x")}));
    assert_eq!(local.fail("SimpleQuery", broken).await, (400, "InvalidNextToken".into()));
    for (wrong, code) in [
        (json!({"Query": {"Field": "Nope", "Operation": "eq", "Value": "1"}}), "InvalidArgument"),
        (json!({"Query": "{"}), "InvalidJSON"),
        (json!({"MaxResults": 101}), "InvalidMaxResults"),
        (json!({"Sort": "Nope"}), "InvalidArgument"),
        (json!({"Order": "asc"}), "InvalidOrder"),
    ] {
        assert_eq!(local.fail("SimpleQuery", ask(wrong.clone())).await, (400, code.into()), "{wrong}");
    }
    local.cloud.shutdown().await;
}
