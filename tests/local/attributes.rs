//! What changes of an object without new content: tags, storage class, headers.

use aws_sdk_s3::types::{MetadataDirective, StorageClass, Tag, Tagging, TaggingDirective};
use serde_json::{Value, json};

use crate::support::Local;

async fn file(local: &Local, key: &str) -> Value {
    let call = json!({"ProjectName": "p", "DatasetName": "d", "URI": format!("oss://bucket/{key}")});
    local.call("GetFileMeta", call).await["Files"][0].clone()
}

async fn tag(local: &Local, key: &str, tags: &[(&str, &str)]) {
    let tags = tags.iter().map(|(key, value)| Tag::builder().key(*key).value(*value).build().unwrap());
    let tagging = Tagging::builder().set_tag_set(Some(tags.collect())).build().unwrap();
    let s3 = local.cloud.ctx.s3();
    s3.put_object_tagging().bucket("bucket").key(key).tagging(tagging).send().await.unwrap();
}

/// A dataset that follows a bucket with one file.
async fn following(template: &str) -> Local {
    let local = Local::start().await;
    local.call("CreateProject", json!({"ProjectName": "p", "TemplateId": template})).await;
    local.call("CreateDataset", json!({"ProjectName": "p", "DatasetName": "d"})).await;
    local.make_bucket("bucket").await;
    local.put("bucket", "a.txt", b"some text").await;
    local.bind("p", "d", "bucket").await;
    local.put("bucket", "b.txt", b"more text").await;
    local.until_files("p", "d", &["a.txt", "b.txt"]).await;
    local
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_are_found_as_soon_as_they_are_set_and_gone_when_they_are_deleted() {
    for template in ["", "Official:OSSBasicMeta"] {
        let local = following(template).await;
        let by_team = json!({"Field": "OSSTagging.Team", "Operation": "eq", "Value": "A"});
        let before = file(&local, "b.txt").await;
        tag(&local, "b.txt", &[("Team", "A"), ("Year", "2026")]).await;
        local
            .until("the tags are indexed", || async {
                (local.find("p", "d", by_team.clone()).await == ["b.txt"]).then_some(())
            })
            .await;
        let mut tagged = file(&local, "b.txt").await;
        assert_eq!(tagged["OSSTaggingCount"], json!(2), "{tagged}");
        assert_eq!(tagged["OSSTagging"], json!({"Team": "A", "Year": "2026"}), "{tagged}");
        let delete = local.cloud.ctx.s3().delete_object_tagging().bucket("bucket").key("b.txt");
        delete.send().await.unwrap();
        local
            .until("the tags are gone", || async {
                local.find("p", "d", by_team.clone()).await.is_empty().then_some(())
            })
            .await;
        // Nothing else has changed: the content was not read again.
        let mut after = file(&local, "b.txt").await;
        for file in [&mut tagged, &mut after] {
            file.as_object_mut()
                .unwrap()
                .retain(|name, _| before.get(name).is_some() && name != "UpdateTime");
        }
        assert_eq!(tagged["ContentType"], before["ContentType"]);
        let mut wanted = before;
        wanted.as_object_mut().unwrap().remove("UpdateTime");
        assert_eq!(after, wanted);
        local.cloud.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_that_no_event_told_of_are_found_by_scans_of_the_template_of_storage() {
    let local = following("Official:OSSBasicMeta").await;
    let binding = json!({"ProjectName": "p", "DatasetName": "d", "URI": "oss://bucket"});
    local.call("StopBinding", binding.clone()).await;
    tag(&local, "a.txt", &[("Team", "B")]).await;
    local.call("ResumeBinding", binding).await;
    local.until_scanned("p", "d", "bucket").await;
    assert_eq!(file(&local, "a.txt").await["OSSTagging"], json!({"Team": "B"}));
    // Those that an object comes with: HEAD says only how many there are.
    let put = local.cloud.ctx.s3().put_object().bucket("bucket").key("c.txt").tagging("Team=C");
    put.body(b"text with tags".to_vec().into()).send().await.unwrap();
    local.until_files("p", "d", &["a.txt", "b.txt", "c.txt"]).await;
    assert_eq!(file(&local, "c.txt").await["OSSTagging"], json!({"Team": "C"}));
    local.cloud.shutdown().await;
}

/// An object that is copied onto itself within a second has the content, size and
/// date that it had.
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_onto_itself_changes_storage_class_tags_and_headers() {
    for template in ["", "Official:OSSBasicMeta"] {
        let local = following(template).await;
        let copy = |class: StorageClass| {
            let s3 = local.cloud.ctx.s3();
            s3.copy_object().bucket("bucket").key("b.txt").copy_source("bucket/b.txt").storage_class(class)
        };
        for (number, class) in [(1, StorageClass::StandardIa), (2, StorageClass::OnezoneIa)] {
            local.put("bucket", "b.txt", format!("text {number}").as_bytes()).await;
            local
                .until("it is indexed", || async {
                    (file(&local, "b.txt").await["OSSStorageClass"] == json!("Standard")).then_some(())
                })
                .await;
            copy(class.clone()).send().await.unwrap();
            local
                .until("the class is indexed", || async {
                    (file(&local, "b.txt").await["OSSStorageClass"] == json!(class.as_str())).then_some(())
                })
                .await;
        }
        copy(StorageClass::OnezoneIa)
            .metadata_directive(MetadataDirective::Replace)
            .cache_control("no-store")
            .tagging_directive(TaggingDirective::Replace)
            .tagging("Team=C")
            .send()
            .await
            .unwrap();
        local
            .until("headers and tags are indexed", || async {
                let file = file(&local, "b.txt").await;
                let is_right =
                    file["CacheControl"] == json!("no-store") && file["OSSTagging"] == json!({"Team": "C"});
                is_right.then_some(())
            })
            .await;
        local.cloud.shutdown().await;
    }
}
