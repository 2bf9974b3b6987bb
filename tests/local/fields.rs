//! Fields beyond IMM's, from the bytes of objects to conditions, orders and aggregations.

use serde_json::{Value, json};

use crate::support::Local;

/// A segment of JPEG.
fn segment(code: u8, body: &[u8]) -> Vec<u8> {
    let len = u16::try_from(body.len() + 2).unwrap().to_be_bytes();
    [&[0xff, code][..], &len, body].concat()
}

/// A picture of 800 by 600 with a packet of XMP.
fn photo(properties: &str) -> Vec<u8> {
    let xmp = format!(
        r#"<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""
        xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:lr="http://ns.adobe.com/lightroom/1.0/"
        xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" xmlns:exif="http://ns.adobe.com/exif/1.0/"
        xmlns:tiff="http://ns.adobe.com/tiff/1.0/" xmlns:mwg-rs="http://www.metadataworkinggroup.com/schemas/regions/"
        xmlns:stArea="http://ns.adobe.com/xmp/sType/Area#" xmlns:stDim="http://ns.adobe.com/xap/1.0/sType/Dimensions#"
        {properties}</rdf:Description></rdf:RDF></x:xmpmeta>"#
    );
    let app1 = [&b"http://ns.adobe.com/xap/1.0/\0"[..], xmp.as_bytes()].concat();
    let frame = [8, 2, 88, 3, 32, 1, 1, 0x11, 0];
    [&[0xff, 0xd8][..], &segment(0xe1, &app1), &segment(0xc0, &frame), &[0xff, 0xda, 0, 2, 0xff, 0xd9]]
        .concat()
}

/// A frame of ID3, version 2.3.
fn frame(id: &[u8; 4], body: &[u8]) -> Vec<u8> {
    [&id[..], &u32::try_from(body.len()).unwrap().to_be_bytes(), &[0, 0], body].concat()
}

/// An MP3 of ten frames with a tag.
fn song(frames: &[Vec<u8>]) -> Vec<u8> {
    let body = frames.concat();
    let len = u32::try_from(body.len()).unwrap();
    let size = [21, 14, 7, 0].map(|shift| u8::try_from(len >> shift & 0x7f).unwrap());
    let sound = [&[0xff, 0xfb, 0x90, 0][..], &[0; 413]].concat().repeat(10);
    [&b"ID3\x03\0\0"[..], &size, &body, &sound].concat()
}

async fn library() -> Local {
    let local = Local::start().await;
    local.make_dataset("p", "d").await;
    local.make_bucket("bucket").await;
    let faces = r#"xmp:Rating="5" xmp:Label="Red" photoshop:Headline="Harbour" photoshop:City="Lisbon"
        exif:FNumber="28/10" exif:ExposureTime="1/250" tiff:Orientation="6">
        <lr:hierarchicalSubject><rdf:Bag><rdf:li>Places|Portugal</rdf:li></rdf:Bag></lr:hierarchicalSubject>
        <mwg-rs:Regions rdf:parseType="Resource">
        <mwg-rs:AppliedToDimensions stDim:w="800" stDim:h="600" stDim:unit="pixel"/>
        <mwg-rs:RegionList><rdf:Bag>
        <rdf:li><rdf:Description mwg-rs:Name="Ana Costa" mwg-rs:Type="Face"><mwg-rs:Area stArea:x="0.25" stArea:y="0.5" stArea:w="0.1" stArea:h="0.2" stArea:unit="normalized"/></rdf:Description></rdf:li>
        <rdf:li><rdf:Description mwg-rs:Name="Rex" mwg-rs:Type="Pet"><mwg-rs:Area stArea:x="0.5" stArea:y="0.5" stArea:w="0.1" stArea:h="0.1"/></rdf:Description></rdf:li>
        </rdf:Bag></mwg-rs:RegionList></mwg-rs:Regions>"#;
    local.put("bucket", "faces.jpg", &photo(faces)).await;
    local.put("bucket", "rejected.jpg", &photo(r#"xmp:Rating="-1" exif:FNumber="8/1">"#)).await;
    let first = [
        frame(b"TRCK", b"\x003/12"),
        frame(b"TPOS", b"\x001/2"),
        frame(b"TCON", b"\0(17)"),
        frame(b"TYER", b"\x001999"),
        frame(b"TBPM", b"\x00128"),
        frame(b"TCMP", b"\x001"),
        frame(b"POPM", b"a\0\xff\0\0\0\0"),
        frame(b"TXXX", b"\0replaygain_track_gain\0-7.25 dB"),
        frame(b"USLT", b"\0eng\0la la la"),
        frame(b"CHAP", &[&b"c\0\0\0\0\0\0\0\0\xff"[..], &[0xff; 8], &frame(b"TIT2", b"\0Intro")].concat()),
    ];
    local.put("bucket", "first.mp3", &song(&first)).await;
    local.put("bucket", "second.mp3", &song(&[frame(b"TRCK", b"\x0010"), frame(b"TCON", b"\0Rock")])).await;
    local.bind("p", "d", "bucket").await;
    local.until_files("p", "d", &["faces.jpg", "first.mp3", "rejected.jpg", "second.mp3"]).await;
    local
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_beyond_imm_are_shown_and_queried() {
    let local = library().await;
    let get = |key: &'static str| {
        local.call("GetFileMeta", json!({"ProjectName": "p", "DatasetName": "d", "URI": key}))
    };
    let reply = get("oss://bucket/faces.jpg").await;
    let file = &reply["Files"][0];
    assert_eq!((&file["Rating"], &file["ColorLabel"]), (&json!(5), &json!("Red")), "{file}");
    assert_eq!((&file["Persons"], &file["FigureCount"]), (&json!(["Ana Costa"]), &json!(1)));
    // Stored sideways: the box is that of the picture as it is shown.
    let boundary = json!({"Left": 240, "Top": 160, "Width": 120, "Height": 80});
    let figures = json!([{"FigureType": "face", "FigureName": "Ana Costa", "Boundary": boundary}]);
    assert_eq!(file["Figures"], figures);
    assert_eq!(file["ExtractionVersion"], json!(2));
    let reply = get("oss://bucket/first.mp3").await;
    let song = &reply["Files"][0];
    assert_eq!((&song["Compilation"], &song["Lyrics"]), (&json!(true), &json!("la la la")), "{song}");
    assert_eq!(song["AudioStreams"][0]["Lyric"], json!("la la la"));
    assert_eq!(song["Chapters"], json!([{"Title": "Intro", "StartTime": 0.0}]));

    let table: &[(&str, &str, &str, &[&str])] = &[
        ("Rating", "gte", "4", &["faces.jpg", "first.mp3"]),
        ("Rating", "lt", "0", &["rejected.jpg"]),
        ("ColorLabel", "eq", "red", &["faces.jpg"]),
        ("Persons", "eq", "ana costa", &["faces.jpg"]),
        ("Persons", "match-phrase", "costa", &["faces.jpg"]),
        ("Figures.FigureName", "exist", "", &["faces.jpg"]),
        ("Figures.Boundary.Width", "gt", "100", &["faces.jpg"]),
        ("HierarchicalKeywords", "prefix", "Places|", &["faces.jpg"]),
        ("Headline", "eq", "Harbour", &["faces.jpg"]),
        ("City", "eq", "lisbon", &["faces.jpg"]),
        ("FNumber", "lt", "4", &["faces.jpg"]),
        ("ExposureTime", "lte", "0.004", &["faces.jpg"]),
        ("TrackNumber", "gt", "5", &["second.mp3"]),
        ("DiscTotal", "eq", "2", &["first.mp3"]),
        ("Genre", "eq", "rock", &["first.mp3", "second.mp3"]),
        ("ReleaseDate", "lt", "2000", &["first.mp3"]),
        ("BPM", "eq", "128", &["first.mp3"]),
        ("Compilation", "eq", "true", &["first.mp3"]),
        ("ReplayGainTrackGain", "lt", "-7", &["first.mp3"]),
        ("Chapters.Title", "eq", "Intro", &["first.mp3"]),
        ("ExtractionVersion", "gte", "2", &["faces.jpg", "first.mp3", "rejected.jpg", "second.mp3"]),
    ];
    for (field, operation, value, want) in table {
        let found =
            local.find("p", "d", json!({"Field": field, "Operation": operation, "Value": value})).await;
        assert_eq!(found, *want, "{field} {operation} {value}");
    }
    let ask = |more: Value| {
        let mut call = json!({"ProjectName": "p", "DatasetName": "d", "MaxResults": 10});
        call.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        local.call("SimpleQuery", call)
    };
    let reply =
        ask(json!({"Sort": "FNumber", "Order": "asc", "Query": {"Field": "FNumber", "Operation": "exist"}}))
            .await;
    let names: Vec<&str> =
        reply["Files"].as_array().unwrap().iter().filter_map(|f| f["Filename"].as_str()).collect();
    assert_eq!(names, ["faces.jpg", "rejected.jpg"]);
    let sums = json!([{"Field": "Rating", "Operation": "average"}, {"Field": "Genre", "Operation": "group"},
        {"Field": "Persons", "Operation": "group"}]);
    let reply = ask(json!({"Aggregations": sums})).await;
    let aggregations = reply["Aggregations"].as_array().unwrap();
    assert_eq!(aggregations[0]["Value"], json!(3.0), "{reply}");
    assert_eq!(aggregations[1]["Groups"], json!([{"Value": "Rock", "Count": 2}]), "{reply}");
    assert_eq!(aggregations[2]["Groups"], json!([{"Value": "Ana Costa", "Count": 1}]), "{reply}");
    let reply = local
        .call("FuzzyQuery", json!({"ProjectName": "p", "DatasetName": "d", "Query": "costa lisbon"}))
        .await;
    assert_eq!(reply["Files"][0]["Filename"], json!("faces.jpg"), "{reply}");
    local.cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_of_a_caller_stand_above_those_of_the_file() {
    let local = library().await;
    let with = |more: Value| {
        let mut call = json!({"ProjectName": "p", "DatasetName": "d"});
        call.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        call
    };
    let given = json!([{"FigureId": "f1", "FigureType": "face", "FigureClusterId": "c1"},
        {"FigureId": "f2", "FigureType": "face"}]);
    local
        .call("UpdateFileMeta", with(json!({"File": {"URI": "oss://bucket/faces.jpg", "Figures": given}})))
        .await;
    let shown = || async {
        let reply = local.call("GetFileMeta", with(json!({"URI": "oss://bucket/faces.jpg"}))).await;
        (reply["Files"][0]["Figures"].clone(), reply["Files"][0]["FigureCount"].clone())
    };
    assert_eq!(shown().await, (given.clone(), json!(2)));
    // Nor does another reading of the file overwrite them.
    local.put("bucket", "faces.jpg", &photo(r#"xmp:Rating="3">"#)).await;
    local
        .until("the new version is indexed", || async {
            let found =
                local.find("p", "d", json!({"Field": "Rating", "Operation": "eq", "Value": "3"})).await;
            (found == ["faces.jpg"]).then_some(())
        })
        .await;
    assert_eq!(shown().await, (given, json!(2)));
    local.cloud.shutdown().await;
}
