//! Projects, datasets and tasks: their operations, limits and errors.

use serde_json::json;

use crate::support::Local;

#[tokio::test(flavor = "multi_thread")]
async fn projects() {
    let local = Local::with(|config| config.max_projects = 3).await;
    let made = local
        .call(
            "CreateProject",
            json!({"ProjectName": "p1", "Description": "中文", "Tag": [{"Key": "k", "Value": "v"}]}),
        )
        .await;
    assert_eq!(made["Project"]["Description"], json!("中文"));
    assert_eq!(made["Project"]["DatasetMaxFileCount"], json!(100_000_000));
    assert_eq!(made["Project"]["ServiceRole"], json!("AliyunIMMDefaultRole"));
    assert_eq!(made["Project"]["Tags"], json!([{"TagKey": "k", "TagValue": "v"}]));
    assert_eq!(
        local.fail("CreateProject", json!({"ProjectName": "p1"})).await,
        (409, "ResourceAlreadyExists".into())
    );
    assert_eq!(local.fail("CreateProject", json!({})).await, (400, "MissingProjectName".into()));
    assert_eq!(
        local.fail("CreateProject", json!({"ProjectName": "1p"})).await,
        (400, "InvalidProjectName".into())
    );
    let wrong = json!({"ProjectName": "p2", "DatasetMaxBindCount": 11});
    assert_eq!(local.fail("CreateProject", wrong).await, (400, "InvalidDatasetMaxBindCount".into()));
    let wrong = json!({"ProjectName": "p2", "TemplateId": "Official:Nonsense"});
    assert_eq!(local.fail("CreateProject", wrong).await, (400, "InvalidTemplateId".into()));
    let wrong = json!({"ProjectName": "p2", "Tag": "nonsense"});
    assert_eq!(local.fail("CreateProject", wrong).await, (400, "InvalidJSON".into()));
    assert_eq!(
        local.fail("GetProject", json!({"ProjectName": "p2"})).await,
        (404, "ResourceNotFound".into())
    );

    local.call("CreateProject", json!({"ProjectName": "p2"})).await;
    local.call("CreateProject", json!({"ProjectName": "other"})).await;
    assert_eq!(
        local.fail("CreateProject", json!({"ProjectName": "p4"})).await,
        (400, "LimitExceededError".into())
    );

    let updated = local
        .call("UpdateProject", json!({"ProjectName": "p1", "Description": "", "ProjectMaxDatasetCount": 1}))
        .await;
    assert_eq!(updated["Project"]["Description"], json!(""));
    assert_eq!(updated["Project"]["ProjectMaxDatasetCount"], json!(1));
    assert_eq!(updated["Project"]["DatasetMaxBindCount"], json!(10));

    let page = local.call("ListProjects", json!({"MaxResults": 2})).await;
    assert_eq!(page["Projects"].as_array().unwrap().len(), 2);
    let token = page["NextToken"].as_str().unwrap();
    assert!(!token.is_empty());
    let rest = local.call("ListProjects", json!({"MaxResults": 2, "NextToken": token})).await;
    assert_eq!(rest["Projects"][0]["ProjectName"], json!("p2"));
    assert_eq!(rest["NextToken"], json!(""));
    let prefixed = local.call("ListProjects", json!({"Prefix": "p"})).await;
    assert_eq!(prefixed["Projects"].as_array().unwrap().len(), 2);
    let tagged = local.call("ListProjects", json!({"Tag": [{"Key": "k", "Value": "v"}]})).await;
    assert_eq!(tagged["Projects"].as_array().unwrap().len(), 1);

    local.call("CreateDataset", json!({"ProjectName": "p1", "DatasetName": "d"})).await;
    let second = json!({"ProjectName": "p1", "DatasetName": "e"});
    assert_eq!(local.fail("CreateDataset", second).await, (400, "LimitExceededError".into()));
    assert_eq!(
        local.fail("DeleteProject", json!({"ProjectName": "p1"})).await,
        (409, "ResourceNotEmpty".into())
    );
    local.call("DeleteDataset", json!({"ProjectName": "p1", "DatasetName": "d"})).await;
    local.call("DeleteProject", json!({"ProjectName": "p1"})).await;
    assert_eq!(
        local.fail("DeleteProject", json!({"ProjectName": "p1"})).await,
        (404, "ResourceNotFound".into())
    );
    local.call("CreateProject", json!({"ProjectName": "p4"})).await;
    local.cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn datasets() {
    let local = Local::start().await;
    local.call("CreateProject", json!({"ProjectName": "p", "DatasetMaxBindCount": 2})).await;
    let made = local
        .call(
            "CreateDataset",
            json!({"ProjectName": "p", "DatasetName": "d", "TemplateId": "Official:ImageManagement",
                   "WorkflowParameters": [{"Name": "n", "Value": "v"}]}),
        )
        .await;
    assert_eq!(made["Dataset"]["TemplateId"], json!("Official:ImageManagement"));
    assert_eq!(made["Dataset"]["DatasetMaxBindCount"], json!(2), "the project's default");
    assert_eq!(made["Dataset"]["WorkflowParameters"], json!([{"Name": "n", "Value": "v"}]));
    let same = json!({"ProjectName": "p", "DatasetName": "d"});
    assert_eq!(local.fail("CreateDataset", same.clone()).await, (409, "ResourceAlreadyExists".into()));
    let nowhere = json!({"ProjectName": "absent", "DatasetName": "d"});
    assert_eq!(local.fail("CreateDataset", nowhere).await, (404, "ResourceNotFound".into()));
    let updated = local
        .call(
            "UpdateDataset",
            json!({"ProjectName": "p", "DatasetName": "d", "Description": "x", "DatasetMaxFileCount": 5}),
        )
        .await;
    assert_eq!(updated["Dataset"]["DatasetMaxFileCount"], json!(5));
    let read = local.call("GetDataset", same.clone()).await;
    assert_eq!(read["Dataset"]["Description"], json!("x"));
    assert_eq!(read["Dataset"]["DatasetMaxFileCount"], json!(5));
    for name in ["a", "b", "c-1", "c-2"] {
        local.call("CreateDataset", json!({"ProjectName": "p", "DatasetName": name})).await;
    }
    let page = local.call("ListDatasets", json!({"ProjectName": "p", "MaxResults": 3})).await;
    let names = |reply: &serde_json::Value| -> Vec<String> {
        reply["Datasets"]
            .as_array()
            .unwrap()
            .iter()
            .map(|d| d["DatasetName"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names(&page), ["a", "b", "c-1"]);
    let rest = local.call("ListDatasets", json!({"ProjectName": "p", "NextToken": page["NextToken"]})).await;
    assert_eq!(names(&rest), ["c-2", "d"]);
    let prefixed = local.call("ListDatasets", json!({"ProjectName": "p", "Prefix": "c-"})).await;
    assert_eq!(names(&prefixed), ["c-1", "c-2"]);
    let project = local.call("GetProject", json!({"ProjectName": "p", "WithStatistics": "True"})).await;
    assert_eq!(project["Project"]["DatasetCount"], json!(5));
    local.cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks() {
    let local = Local::start().await;
    local.make_dataset("p", "d").await;
    local.make_bucket("bucket").await;
    let mut ids = Vec::new();
    for number in 0..5 {
        let key = format!("k{number}");
        if number != 3 {
            local.put("bucket", &key, b"x").await;
        }
        let file = json!({"URI": format!("oss://bucket/{key}")});
        let call = json!({"ProjectName": "p", "DatasetName": "d", "File": file, "UserData": "mine"});
        ids.push(local.call("IndexFileMeta", call).await["EventId"].clone());
    }
    let finished = |status: &'static str| json!({"ProjectName": "p", "Status": status});
    local
        .until("all tasks have ended", || async {
            let open = local.call("ListTasks", finished("Running")).await;
            open["Tasks"].as_array().unwrap().is_empty().then_some(())
        })
        .await;
    let failed = local.call("ListTasks", finished("Failed")).await;
    assert_eq!(failed["Tasks"].as_array().unwrap().len(), 1);
    assert_eq!(failed["Tasks"][0]["TaskId"], ids[3]);
    assert_eq!(failed["Tasks"][0]["Code"], json!("ResourceNotFound"));
    let task = local
        .call(
            "GetTask",
            json!({"ProjectName": "p", "TaskType": "IndexFileMeta", "TaskId": ids[0], "RequestDefinition": "True"}),
        )
        .await;
    assert_eq!(
        (&task["Status"], &task["Progress"], &task["UserData"]),
        (&json!("Succeeded"), &json!(100), &json!("mine"))
    );
    assert!(task["TaskRequestDefinition"].as_str().unwrap().contains("oss://bucket/k0"));
    let other = json!({"ProjectName": "p", "TaskType": "MediaConvert", "TaskId": ids[0]});
    assert_eq!(local.fail("GetTask", other).await, (404, "ResourceNotFound".into()));
    // Pages, in both directions.
    for order in ["asc", "desc"] {
        let mut seen = Vec::new();
        let mut token = json!("");
        loop {
            let page = local
                .call("ListTasks", json!({"ProjectName": "p", "MaxResults": 2, "Order": order, "Sort": "StartTime", "NextToken": token}))
                .await;
            assert_eq!(page["MaxResults"], json!("2"));
            seen.extend(page["Tasks"].as_array().unwrap().iter().map(|task| task["TaskId"].clone()));
            token = page["NextToken"].clone();
            if token == json!("") {
                break;
            }
        }
        if order == "desc" {
            seen.reverse();
        }
        assert_eq!(seen, ids, "{order}");
    }
    local.cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_admits_exactly_as_many_as_it_says() {
    let local = Local::start().await;
    local.make_bucket("bucket").await;
    for number in 0..60 {
        local.put("bucket", &format!("k{number:02}"), b"12345678").await;
    }
    local.call("CreateProject", json!({"ProjectName": "p"})).await;
    local
        .call("CreateDataset", json!({"ProjectName": "p", "DatasetName": "d", "DatasetMaxFileCount": 37}))
        .await;
    let binding = local.bind("p", "d", "bucket").await;
    assert_eq!(local.counts("p", "d").await, (37, 37 * 8));
    assert!(binding["Reason"].as_str().unwrap().contains("23 object(s) are not indexed"), "{binding}");
    // Bytes are a quota of their own.
    local
        .call("CreateDataset", json!({"ProjectName": "p", "DatasetName": "e", "DatasetMaxTotalFileSize": 83}))
        .await;
    local.bind("p", "e", "bucket").await;
    assert_eq!(local.counts("p", "e").await, (10, 80));
    // Raised, the next scan admits the rest; lowered, what is there stays.
    local
        .call("UpdateDataset", json!({"ProjectName": "p", "DatasetName": "d", "DatasetMaxFileCount": 50}))
        .await;
    local.cloud.scans.difference("p", "d", "bucket", "").await.unwrap();
    assert_eq!(local.counts("p", "d").await.0, 50);
    local
        .call("UpdateDataset", json!({"ProjectName": "p", "DatasetName": "d", "DatasetMaxFileCount": 40}))
        .await;
    assert_eq!(local.counts("p", "d").await.0, 50);
    let indexed = local.find("p", "d", serde_json::Value::Null).await;
    for key in indexed.iter().take(12) {
        local.delete("bucket", key).await;
    }
    local
        .until("the deletes are seen", || async { (local.counts("p", "d").await.0 == 38).then_some(()) })
        .await;
    local
        .until("no more than the quota is left", || async {
            local.cloud.scans.difference("p", "d", "bucket", "").await.unwrap();
            (local.counts("p", "d").await.0 == 40).then_some(())
        })
        .await;
    local.cloud.shutdown().await;
}
