//! What the extractor says of the samples.

use serde_json::{Value, json};

use mediadex_media::{Extraction, Features, Limits, ObjectInfo, Step, exif_wire_json};

use crate::{run, samples};

/// Sample, pointer into the metadata, value.
fn expectations() -> Vec<(&'static str, &'static str, Value)> {
    vec![
        ("exif.jpg", "/MediaType", json!("image")),
        ("exif.jpg", "/ImageWidth", json!(100)),
        ("exif.jpg", "/ImageHeight", json!(50)),
        ("exif.jpg", "/Orientation", json!(6)),
        ("exif.jpg", "/EXIF/Make", json!("Canon")),
        ("exif.jpg", "/EXIF/Model", json!("EOS R6")),
        ("exif.jpg", "/ProduceTime", json!("2021-04-11T15:47:53.125-05:00")),
        ("exif.jpg", "/Timezone", json!("-05:00")),
        ("exif.jpg", "/LatLong", json!("39.500000,-94.250000")),
        ("a.png", "/ImageWidth", json!(31)),
        ("a.png", "/Title", json!("A picture")),
        ("a.png", "/LatLong", json!("39.500000,-94.250000")),
        ("a.gif", "/ImageHeight", json!(32)),
        ("a.bmp", "/ImageHeight", json!(9)),
        ("a.webp", "/ImageWidth", json!(64)),
        ("a.webp", "/EXIF/Make", json!("Canon")),
        ("a.tif", "/ImageWidth", json!(640)),
        ("a.heic", "/ContentType", json!("image/heic")),
        ("a.heic", "/ImageWidth", json!(4032)),
        // irot of three quarters counter-clockwise is one clockwise.
        ("a.heic", "/Orientation", json!(6)),
        ("a.heic", "/EXIF/Make", json!("Canon")),
        ("a.jp2", "/ImageWidth", json!(60)),
        ("a.psd", "/ImageWidth", json!(90)),
        ("a.psd", "/Title", json!("Title")),
        ("a.svg", "/ImageWidth", json!(30)),
        ("a.svg", "/Title", json!("T & U")),
        ("a.mp4", "/MediaType", json!("video")),
        ("a.mp4", "/VideoWidth", json!(1280)),
        ("a.mp4", "/Duration", json!(2.0)),
        ("a.mp4", "/Title", json!("A film")),
        ("a.mp4", "/LatLong", json!("12.340000,-98.760000")),
        ("a.mp4", "/VideoStreams/0/CodecName", json!("h264")),
        ("a.mp4", "/VideoStreams/0/AverageFrameRate", json!("30/1")),
        ("a.mp4", "/VideoStreams/0/Rotate", json!("90")),
        ("a.mp4", "/ProduceTime", json!("2022-12-06T23:00:15+00:00")),
        ("end.mp4", "/VideoStreams/0/FrameCount", json!(60)),
        ("a.mkv", "/ContentType", json!("video/webm")),
        ("a.mkv", "/VideoWidth", json!(320)),
        ("a.mkv", "/Duration", json!(5.0)),
        ("a.mkv", "/Artist", json!("Someone")),
        ("a.mkv", "/AudioStreams/0/CodecName", json!("opus")),
        ("a.avi", "/VideoStreams/0/CodecName", json!("mpeg4")),
        ("a.avi", "/Duration", json!(4.0)),
        ("a.flv", "/Duration", json!(3.5)),
        ("a.flv", "/VideoWidth", json!(160)),
        ("a.ts", "/VideoStreams/0/CodecName", json!("mpeg2video")),
        ("a.ts", "/Duration", json!(1.0)),
        ("a.wav", "/Duration", json!(0.1)),
        ("a.wav", "/Artist", json!("Me")),
        ("a.wav", "/AudioStreams/0/CodecName", json!("pcm_s16le")),
        ("a.aiff", "/AudioStreams/0/SampleRate", json!(8000)),
        ("a.aiff", "/Title", json!("Tune")),
        ("a.mp3", "/Title", json!("Song")),
        ("a.mp3", "/Album", json!("Record")),
        ("a.mp3", "/AudioStreams/0/SampleRate", json!(44_100)),
        ("a.mp3", "/AudioCovers/0/ImageWidth", json!(31)),
        ("a.flac", "/Duration", json!(2.0)),
        ("a.flac", "/Artist", json!("One;Two")),
        ("a.ogg", "/Duration", json!(1.0)),
        ("a.ogg", "/Title", json!("Voice")),
        ("a.aac", "/AudioStreams/0/CodecName", json!("aac")),
        ("a.amr", "/Duration", json!(1.0)),
        ("a.pdf", "/PageCount", json!(7)),
        ("a.pdf", "/Title", json!("A (short) paper")),
        ("a.pdf", "/Authors/0", json!("Éé")),
        ("a.pdf", "/Language", json!("en-GB")),
        ("a.pdf", "/ProduceTime", json!("2020-01-02T03:04:05+01:00")),
        ("a.docx", "/PageCount", json!(12)),
        ("a.docx", "/Keywords", json!(["x", "y"])),
        ("a.docx", "/Authors", json!(["Ann"])),
        ("a.epub", "/Authors", json!(["A", "B"])),
        ("a.epub", "/Language", json!("fr")),
        ("a.odt", "/PageCount", json!(3)),
        ("a.odt", "/Title", json!("Letter")),
        ("a.zip", "/MediaType", json!("archive")),
        ("a.zip", "/ArchiveEntryCount", json!(2)),
        ("a.rtf", "/Title", json!("Café")),
        ("a.rtf", "/PageCount", json!(3)),
        ("a.html", "/Title", json!("Hallo & Welt")),
        ("a.html", "/Language", json!("de")),
        ("a.md", "/Authors", json!(["A", "B"])),
        ("a.srt", "/Duration", json!(4.0)),
        ("a.csv", "/ContentType", json!("text/csv")),
        ("a.au", "/Duration", json!(1.0)),
        ("a.au", "/Title", json!("Tune")),
        ("a.tta", "/Duration", json!(2.0)),
        ("a.dsf", "/AudioStreams/0/SampleRate", json!(352_800)),
        ("a.dff", "/Duration", json!(0.1)),
        ("a.w64", "/Duration", json!(1.0)),
        ("a.dts", "/AudioStreams/0/SampleRate", json!(48_000)),
        ("a.dts", "/AudioStreams/0/CodecName", json!("dts")),
        ("a.caf", "/Title", json!("Tune")),
        ("a.caf", "/Duration", json!(1.0)),
        ("a.xm", "/Title", json!("A song")),
        ("a.ivf", "/Duration", json!(2.0)),
        ("a.ivf", "/VideoWidth", json!(64)),
        ("a.dv", "/VideoHeight", json!(576)),
        ("a.dv", "/Duration", json!(0.08)),
        ("one.mpg", "/VideoStreams/0/CodecName", json!("mpeg1video")),
        ("one.mpg", "/Duration", json!(1.0)),
        ("one.mpg", "/VideoWidth", json!(352)),
        ("a.m1v", "/VideoStreams/0/AverageFrameRate", json!("25/1")),
        ("packed.mov", "/VideoWidth", json!(1280)),
        ("a.mrw", "/ImageWidth", json!(3264)),
        ("a.mrw", "/EXIF/Make", json!("Canon")),
        ("a.crw", "/ImageWidth", json!(3072)),
        ("a.crw", "/Orientation", json!(6)),
        ("a.crw", "/EXIF/Model", json!("EOS D60")),
        ("a.crw", "/ProduceTime", json!("2003-11-10T17:37:26+00:00")),
        ("a.x3f", "/ImageHeight", json!(1760)),
        ("a.pcx", "/ImageWidth", json!(64)),
        ("a.xcf", "/ImageWidth", json!(20)),
        ("a.ppm", "/ImageHeight", json!(2)),
        ("a.exv", "/EXIF/Make", json!("Canon")),
        ("tiffep.jpg", "/ProduceTime", json!("2006-05-27T12:37:03+00:00")),
        ("twice.mp3", "/Artist", json!("one")),
    ]
}

#[test]
fn samples_say_what_they_hold() {
    let samples = samples::all();
    let mut wrong = Vec::new();
    for (name, pointer, want) in expectations() {
        let (_, bytes) = samples.iter().find(|(n, _)| *n == name).expect(name);
        let record = run(bytes, name, Limits::default());
        let metadata = serde_json::to_value(&record.metadata).unwrap();
        let got = metadata.pointer(pointer).cloned().unwrap_or(Value::Null);
        if got != want {
            wrong.push(format!("{name} {pointer}: want {want}, got {got}; {:?}", record.reason()));
        }
        assert_eq!(record.gets(), 1, "{name} is short");
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn samples_have_no_problems() {
    for (name, bytes) in samples::all() {
        let record = run(&bytes, name, Limits::default());
        assert_eq!(record.reason(), None, "{name}");
    }
}

#[test]
fn a_record_survives_its_wire_form() {
    for (name, bytes) in samples::all() {
        let record = run(&bytes, name, Limits::default());
        let text = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<mediadex_media::Record>(&text).unwrap(), record, "{name}");
    }
}

#[test]
fn exif_on_the_wire_is_a_json_text() {
    let record = run(&samples::jpeg(), "a.jpg", Limits::default());
    let wire = exif_wire_json(&record.metadata.exif.unwrap());
    let parsed: Value = serde_json::from_str(&wire).unwrap();
    assert_eq!(parsed["Make"]["value"], "Canon");
}

#[test]
fn features_decide_what_is_read() {
    let bytes = samples::jpeg();
    let info = ObjectInfo { size: bytes.len() as u64, content_type: None, name: "a.jpg" };
    let mut none = Extraction::new(info, Features::none(), Limits::default());
    let Step::Done(record) = none.step() else { panic!("nothing is to be read") };
    assert_eq!((record.gets(), record.detected.clone()), (0, None));

    let only_type = Features { mime: true, ..Features::none() };
    let mut extraction = Extraction::new(info, only_type, Limits::default());
    let Step::Need(ranges) = extraction.step() else { panic!("the head is needed") };
    assert_eq!(ranges, vec![0..bytes.len() as u64]);
    extraction.supply(0, bytes);
    let Step::Done(record) = extraction.step() else { panic!("the head is enough") };
    assert_eq!(record.metadata.content_type.as_deref(), Some("image/jpeg"));
    assert_eq!(record.metadata.image_width, None);
}

#[test]
fn dates_without_a_zone_depend_on_nothing() {
    let plain = samples::tiff(&[(0x0100, 3, 1, 1), (0x0101, 3, 1, 1), (0x8769, 4, 1, 50)], &[]);
    let mut bytes = plain;
    bytes.resize(50, 0);
    let date = b"2020:06:01 12:00:00\0";
    bytes.extend([&1u16.to_le_bytes()[..], &0x9003u16.to_le_bytes(), &2u16.to_le_bytes()].concat());
    bytes.extend([&20u32.to_le_bytes()[..], &68u32.to_le_bytes(), &[0; 4]].concat());
    bytes.resize(68, 0);
    bytes.extend(date);
    let record = run(&bytes, "a.tif", Limits::default());
    assert_eq!(record.metadata.produce_time.as_deref(), Some("2020-06-01T12:00:00+00:00"));
    assert_eq!(record.metadata.timezone, None, "an unknown zone is told by its absence");
}

#[test]
fn the_name_does_not_decide() {
    let record = run(&samples::jpeg(), "film.mov", Limits::default());
    assert_eq!(record.detected.unwrap().format, "jpeg");
}
