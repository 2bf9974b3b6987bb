//! Sidecars: what XMP packets and Google Takeout's JSON next to an object say of it.

use serde_json::{Value, json};

use crate::support::Local;

const GIF: &[u8] = b"GIF89a\x40\x00\x20\x00\x00\x00\x00;";

fn xmp(properties: &str) -> Vec<u8> {
    format!(r#"<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description {properties}/></rdf:RDF>"#)
        .into_bytes()
}

fn takeout(title: &str, description: &str) -> Vec<u8> {
    json!({"title": title, "description": description, "imageViews": "3",
        "creationTime": {"timestamp": "1700000000", "formatted": "14 Nov 2023, 22:13:20 UTC"},
        "photoTakenTime": {"timestamp": "1600000000", "formatted": "13 Sept 2020, 12:26:40 UTC"},
        "geoData": {"latitude": 48.5, "longitude": 2.25, "altitude": 0.0, "latitudeSpan": 0.0, "longitudeSpan": 0.0},
        "people": [{"name": "Ana"}], "favorited": true, "url": "https://photos.google.com/photo/x",
        "googlePhotosOrigin": {"mobileUpload": {"deviceType": "IOS_PHONE"}}})
    .to_string()
    .into_bytes()
}

async fn file(local: &Local, key: &str) -> Value {
    let call = json!({"ProjectName": "p", "DatasetName": "d", "URI": format!("oss://bucket/{key}")});
    local.call("GetFileMeta", call).await["Files"][0].clone()
}

/// Waits until fields of a file have values; null: it has none.
async fn until(local: &Local, key: &str, want: Value) {
    let reply = std::sync::Mutex::new(Value::Null);
    let what = format!("{key} has {want}");
    let has_all = async || {
        let query = json!({"Field": "Filename", "Operation": "eq", "Value": key});
        let call = json!({"ProjectName": "p", "DatasetName": "d", "Query": query});
        let file = local.call("SimpleQuery", call).await["Files"][0].clone();
        let fields = want.as_object().unwrap();
        let is_right = fields.iter().all(|(name, value)| file.get(name).unwrap_or(&Value::Null) == value);
        *reply.lock().unwrap() = file;
        is_right.then_some(())
    };
    let waited = tokio::time::timeout(std::time::Duration::from_secs(30), local.until(&what, has_all)).await;
    assert!(waited.is_ok(), "{what}: {}", reply.lock().unwrap());
}

/// A dataset that follows a bucket.
async fn following(template: &str) -> Local {
    let local = Local::start().await;
    local.call("CreateProject", json!({"ProjectName": "p"})).await;
    let dataset = json!({"ProjectName": "p", "DatasetName": "d", "TemplateId": template});
    local.call("CreateDataset", dataset).await;
    local.make_bucket("bucket").await;
    local.bind("p", "d", "bucket").await;
    local
}

async fn scan(local: &Local) {
    let binding = json!({"ProjectName": "p", "DatasetName": "d", "URI": "oss://bucket"});
    local.call("ResumeBinding", binding).await;
    local.until_scanned("p", "d", "bucket").await;
}

async fn stop(local: &Local) {
    let binding = json!({"ProjectName": "p", "DatasetName": "d", "URI": "oss://bucket"});
    local.call("StopBinding", binding).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sidecar_that_comes_changes_and_goes_changes_its_objects() {
    let local = following("Official:ImageManagement+ReadSidecars").await;
    local.put("bucket", "f/a.gif", GIF).await;
    local.put("bucket", "f/a.cr2", b"no picture").await;
    local.put("bucket", "f/ab.gif", GIF).await;
    until(&local, "f/a.gif", json!({"ImageWidth": 64, "Rating": null})).await;
    until(&local, "f/a.cr2", json!({"Rating": null})).await;
    until(&local, "f/ab.gif", json!({"ImageWidth": 64})).await;
    // One for all objects of the name, and one of a single object, which goes before it.
    local.put("bucket", "f/a.xmp", &xmp(r#"xmp:Rating="2" xmp:Label="Red""#)).await;
    until(&local, "f/a.gif", json!({"Rating": 2, "ColorLabel": "Red", "ImageWidth": 64})).await;
    until(&local, "f/a.cr2", json!({"Rating": 2, "ColorLabel": "Red"})).await;
    local.put("bucket", "f/a.gif.xmp", &xmp(r#"xmp:Rating="5""#)).await;
    until(&local, "f/a.gif", json!({"Rating": 5, "ColorLabel": "Red"})).await;
    local.put("bucket", "f/a.gif.xmp", b"broken").await;
    until(&local, "f/a.gif", json!({"Rating": 2, "ObjectStatus": "Partial"})).await;
    let told = file(&local, "f/a.gif").await["Reason"].as_str().unwrap().to_owned();
    assert!(told.starts_with("a.gif.xmp: it has no XMP packet"), "{told}");
    local.put("bucket", "f/a.gif.xmp", &xmp(r#"xmp:Rating="-1""#)).await;
    until(&local, "f/a.gif", json!({"Rating": -1, "ObjectStatus": "Indexed"})).await;
    local.delete("bucket", "f/a.gif.xmp").await;
    until(&local, "f/a.gif", json!({"Rating": 2})).await;
    local.delete("bucket", "f/a.xmp").await;
    until(&local, "f/a.gif", json!({"Rating": null, "ColorLabel": null, "ImageWidth": 64})).await;
    until(&local, "f/a.cr2", json!({"Rating": null, "ColorLabel": null})).await;
    until(&local, "f/ab.gif", json!({"Rating": null})).await;
    assert_eq!(local.counts("p", "d").await.0, 3);
    local.cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sidecar_may_come_before_its_object() {
    let local = following("+ReadSidecars").await;
    local.put("bucket", "a.gif.xmp", &xmp(r#"xmp:Rating="3""#)).await;
    local.until_files("p", "d", &["a.gif.xmp"]).await;
    local.put("bucket", "a.gif", GIF).await;
    until(&local, "a.gif", json!({"Rating": 3, "ImageWidth": 64})).await;
    // The object is written again: it is read with its sidecar.
    local.put("bucket", "a.gif", b"GIF89a\x20\x00\x20\x00\x00\x00\x00;").await;
    until(&local, "a.gif", json!({"Rating": 3, "ImageWidth": 32})).await;
    local.delete("bucket", "a.gif").await;
    local.until_files("p", "d", &["a.gif.xmp"]).await;
    local.cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_takeout_folder_is_indexed_as_google_exports_it() {
    let local = following("+ReadSidecars").await;
    stop(&local).await;
    let long = "a_name_that_is_longer_than_forty_six_characters";
    let (long_main, long_json) = (format!("{long}.gif"), format!("{}.json", &long[..46]));
    let long_title = format!("{long}_are_long.gif");
    // The files, their JSON, and the names that they had.
    let files = [
        ("IMG_1.gif", "IMG_1.gif.supplemental-metadata.json", "IMG_1.gif"),
        ("IMG_1(1).gif", "IMG_1.gif.supplemental-metadata(1).json", "IMG_1.gif"),
        ("IMG_1-edited.gif", "", "IMG_1.gif"),
        ("IMG_2.gif", "IMG_2.gif.json", "IMG_2.gif"),
        ("IMG_2(1).gif", "IMG_2.gif(1).json", "IMG_2.gif"),
        ("IMG_20230101_123456789_1.gif", "IMG_20230101_123456789_1.gif.supplemental-meta.json", ""),
        (&long_main, &long_json, &long_title),
        ("IMG_10.gif", "", ""),
    ];
    for (main, json, title) in &files {
        local.put("bucket", &format!("Takeout/{main}"), GIF).await;
        if !json.is_empty() {
            let content = takeout(if title.is_empty() { main } else { title }, &format!("of {json}"));
            local.put("bucket", &format!("Takeout/{json}"), &content).await;
        }
    }
    let album = json!({"title": "An album", "description": "", "access": "protected"}).to_string();
    local.put("bucket", "Takeout/metadata.json", album.as_bytes()).await;
    scan(&local).await;
    let told = async |main: &str| file(&local, &format!("Takeout/{main}")).await;
    for (main, json, title) in &files {
        let file = told(main).await;
        let description = match *main {
            "IMG_10.gif" => Value::Null,
            "IMG_1-edited.gif" => json!("of IMG_1.gif.supplemental-metadata.json"),
            _ => json!(format!("of {json}")),
        };
        assert_eq!(file.get("Description").cloned().unwrap_or_default(), description, "{file}");
        assert_eq!(file["ImageWidth"], json!(64), "{file}");
        if description.is_null() {
            continue;
        }
        assert_eq!(file["Title"], json!(if title.is_empty() { main } else { title }), "{file}");
        // In the zone of the place.
        assert_eq!(file["ProduceTime"], json!("2020-09-13T14:26:40+02:00"), "{file}");
        assert_eq!(file["LatLong"], json!("48.500000,2.250000"), "{file}");
        assert_eq!((&file["Persons"], &file["Rating"]), (&json!(["Ana"]), &json!(5)), "{file}");
        assert_eq!(file["Addresses"][0]["Country"], json!("France"), "{file}");
    }
    local.cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_event_told_of_is_found_by_a_scan() {
    let local = following("+ReadSidecars").await;
    for (key, content) in [("a.gif", GIF), ("b.gif", GIF), ("c.gif", GIF)] {
        local.put("bucket", key, content).await;
    }
    for key in ["b.gif.xmp", "c.gif.xmp"] {
        local.put("bucket", key, &xmp(r#"xmp:Rating="1""#)).await;
    }
    until(&local, "b.gif", json!({"Rating": 1})).await;
    until(&local, "c.gif", json!({"Rating": 1})).await;
    until(&local, "a.gif", json!({"ImageWidth": 64})).await;
    stop(&local).await;
    local.put("bucket", "a.gif.xmp", &xmp(r#"xmp:Rating="2""#)).await;
    local.put("bucket", "b.gif.xmp", &xmp(r#"xmp:Rating="3""#)).await;
    local.delete("bucket", "c.gif.xmp").await;
    scan(&local).await;
    for (key, rating) in [("a.gif", json!(2)), ("b.gif", json!(3)), ("c.gif", Value::Null)] {
        let file = file(&local, key).await;
        assert_eq!(file.get("Rating").cloned().unwrap_or_default(), rating, "{file}");
    }
    local.cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sidecars_are_objects_like_others_without_the_operator_and_once_it_is_switched_off() {
    let local = following("").await;
    local.put("bucket", "a.gif", GIF).await;
    local.put("bucket", "a.gif.xmp", &xmp(r#"xmp:Rating="2""#)).await;
    local.until_files("p", "d", &["a.gif", "a.gif.xmp"]).await;
    assert_eq!(file(&local, "a.gif").await.get("Rating"), None);
    for (template, rating) in [("+ReadSidecars", json!(2)), ("DefaultId", Value::Null)] {
        let update = json!({"ProjectName": "p", "DatasetName": "d", "TemplateId": template});
        local.call("UpdateDataset", update).await;
        stop(&local).await;
        scan(&local).await;
        let file = file(&local, "a.gif").await;
        assert_eq!(file.get("Rating").cloned().unwrap_or_default(), rating, "{file}");
    }
    let wrong = json!({"ProjectName": "p", "DatasetName": "d", "TemplateId": "Official:MediaMeta+Nonsense"});
    assert_eq!(local.fail("UpdateDataset", wrong).await, (400, "InvalidTemplateId".into()));
    local.cloud.shutdown().await;
}

/// A call by hand for a sidecar has its objects read again that are indexed, and indexes
/// no other.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_for_a_sidecar_indexes_no_other_file() {
    let local = Local::start().await;
    local.call("CreateProject", json!({"ProjectName": "p", "TemplateId": "+ReadSidecars"})).await;
    local.call("CreateDataset", json!({"ProjectName": "p", "DatasetName": "d"})).await;
    local.make_bucket("bucket").await;
    for key in ["a.gif", "a.png"] {
        local.put("bucket", key, GIF).await;
    }
    let index = async |key: &str| {
        let file = json!({"URI": format!("oss://bucket/{key}")});
        local.call("IndexFileMeta", json!({"ProjectName": "p", "DatasetName": "d", "File": file})).await;
    };
    index("a.gif").await;
    local.until_files("p", "d", &["a.gif"]).await;
    local.put("bucket", "a.xmp", &xmp(r#"xmp:Rating="4""#)).await;
    index("a.xmp").await;
    until(&local, "a.gif", json!({"Rating": 4})).await;
    local.until_files("p", "d", &["a.gif", "a.xmp"]).await;
    local.cloud.shutdown().await;
}
