//! Rows as a photo library has them, made up: cameras with their EXIF, films,
//! songs, documents, labels, places. The same for the same number.

use mediadex_core::ledger::{Change, Origin, Row, RowKey, Source};
use mediadex_core::model::{InputFile, ObjectUri, Timestamp};
use mediadex_core::state::Dataset;
use serde_json::{Map, Value, json};

/// A small generator of numbers, so that every run has the same rows.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % limit.max(1)
    }

    fn pick<'a>(&mut self, items: &[&'a str]) -> &'a str {
        let index = usize::try_from(self.below(items.len() as u64)).unwrap_or(0);
        items.get(index).copied().unwrap_or_default()
    }
}

const CAMERAS: &[&str] = &[
    "Canon EOS R5",
    "Canon EOS 80D",
    "NIKON D850",
    "NIKON Z 6",
    "SONY ILCE-7M3",
    "Apple iPhone 12 Pro",
    "Apple iPhone 14",
    "Google Pixel 7",
    "samsung SM-G991B",
    "FUJIFILM X-T4",
];
const WORDS: &[&str] = &[
    "beach", "sun", "set", "mountain", "family", "birthday", "trip", "city", "night", "dog", "cat", "garden",
    "river", "snow", "concert", "wedding",
];
const CITIES: &[(&str, &str, f64, f64)] = &[
    ("Paris", "France", 48.8566, 2.3522),
    ("Berlin", "Germany", 52.52, 13.405),
    ("Hangzhou", "China", 30.2741, 120.1551),
    ("San Francisco", "United States", 37.7749, -122.4194),
    ("Tokyo", "Japan", 35.6762, 139.6503),
];

/// The bucket of the made-up objects.
pub(super) const BUCKET: &str = "library";

/// The row of one file as a change that makes it.
pub(super) fn change(dataset: &Dataset, number: u64) -> anyhow::Result<Change> {
    let mut random = Random(number.wrapping_mul(0x5851_F42D_4C95_7F2D));
    let time = 1_420_070_400 + i64::try_from(random.below(10 * 365 * 86_400))?;
    let stamp = Timestamp::from_seconds(time);
    let (kind, extension) = match random.below(20) {
        0..=15 => ("image", "jpg"),
        16 | 17 => ("video", "mp4"),
        18 => ("audio", "mp3"),
        _ => ("document", "pdf"),
    };
    let word = random.pick(WORDS);
    let key =
        format!("{}/{word}/IMG_{number:07}.{extension}", stamp.to_string().get(..7).unwrap_or_default());
    let mut record = record(kind, stamp, word, &mut random);
    record.insert("MediaType".into(), Value::from(kind));
    let uri = ObjectUri::new(BUCKET, key);
    let row_key = RowKey::of(&dataset.id, dataset.partitions, &uri);
    let mut row = Row::new(row_key, &uri, Origin::Automatic, Timestamp::now().0);
    row.source = Some(Source {
        etag: format!("{:032x}", u128::from(random.below(u64::MAX)) * 7919),
        size: 100_000 + i64::try_from(random.below(20_000_000))?,
        modified: time,
        class: Some("STANDARD".into()),
        ..Source::default()
    });
    row.seq = Some(format!("{:016X}", random.below(u64::MAX)));
    if random.below(4) == 0 {
        let labels = json!({"URI": uri.to_string(), "CustomLabels": {
            "album": format!("album-{}", random.below(2000)), "category": random.pick(WORDS)}});
        row.user.merge(&serde_json::from_value::<InputFile>(labels)?, None);
    }
    row.set_metadata(&record).map_err(|error| anyhow::anyhow!(error.internal_text()))?;
    Ok(Change { old: None, new: row })
}

fn record(kind: &str, taken: Timestamp, word: &str, random: &mut Random) -> Map<String, Value> {
    let mut record = Map::new();
    let mut put = |name: &str, value: Value| drop(record.insert(name.to_owned(), value));
    put("ProduceTime", Value::from(taken.to_string()));
    match kind {
        "image" => {
            let (width, height) = [(6000, 4000), (4032, 3024), (8192, 5464), (1920, 1080)]
                .get(usize::try_from(random.below(4)).unwrap_or(0))
                .copied()
                .unwrap_or((1, 1));
            put("ContentType", json!("image/jpeg"));
            put("ImageWidth", json!(width));
            put("ImageHeight", json!(height));
            put("Orientation", json!(1));
            put("EXIF", exif(taken, width, height, random));
            if random.below(3) == 0 {
                let city = usize::try_from(random.below(CITIES.len() as u64)).unwrap_or(0);
                if let Some((city, country, lat, long)) = CITIES.get(city) {
                    let off = random.below(1000) as f64 / 10_000.0;
                    put("LatLong", json!(format!("{:.6},{:.6}", lat + off, long - off)));
                    put(
                        "Addresses",
                        json!([{"AddressLine": format!("{city}, {country}"), "City": city, "Country": country, "Language": "en"}]),
                    );
                }
            }
        }
        "video" => {
            put("ContentType", json!("video/mp4"));
            put("VideoWidth", json!(1920));
            put("VideoHeight", json!(1080));
            put("Duration", json!(random.below(600_000) as f64 / 1000.0));
            put("FormatName", json!("mov,mp4,m4a,3gp,3g2,mj2"));
            put(
                "VideoStreams",
                json!([{"Index": 0, "CodecName": "h264", "Width": 1920, "Height": 1080, "PixelFormat": "yuv420p", "FrameRate": "30/1"}]),
            );
            put(
                "AudioStreams",
                json!([{"Index": 1, "CodecName": "aac", "Channels": 2, "SampleRate": 48000}]),
            );
        }
        "audio" => {
            put("ContentType", json!("audio/mpeg"));
            put("Title", json!(format!("{word} song")));
            put("Artist", json!(format!("artist {}", random.below(300))));
            put("Album", json!(format!("album {}", random.below(900))));
            put("Duration", json!(random.below(400_000) as f64 / 1000.0));
        }
        _ => {
            put("ContentType", json!("application/pdf"));
            put("Title", json!(format!("Report on the {word}")));
            put("PageCount", json!(1 + random.below(80)));
        }
    }
    record
}

/// What a camera writes.
fn exif(taken: Timestamp, width: i64, height: i64, random: &mut Random) -> Value {
    let camera = random.pick(CAMERAS);
    let (make, model) = camera.split_once(' ').unwrap_or((camera, camera));
    let time = taken.to_string().replace('-', ":").replace('T', " ");
    let time = time.get(..19).unwrap_or_default();
    let shutter = 30 + random.below(4000);
    json!({
        "Make": make, "Model": model, "Orientation": "1", "Software": "Adobe Photoshop Lightroom Classic 9.3",
        "XResolution": "300/1", "YResolution": "300/1", "ResolutionUnit": "2", "DateTime": time,
        "DateTimeOriginal": time, "DateTimeDigitized": time, "OffsetTimeOriginal": "+00:00",
        "ExposureTime": format!("1/{shutter}"), "FNumber": format!("{}/10", 14 + random.below(80)),
        "ExposureProgram": "3", "PhotographicSensitivity": format!("{}", 100 << random.below(6)),
        "SensitivityType": "2", "ExifVersion": "0231", "ShutterSpeedValue": format!("{}/1000000", 5_000_000 + random.below(9_000_000)),
        "ApertureValue": format!("{}/1000000", 1_000_000 + random.below(6_000_000)), "ExposureBiasValue": "0/1",
        "MaxApertureValue": "3/1", "MeteringMode": "5", "LightSource": "0", "Flash": "16",
        "FocalLength": format!("{}/1", 16 + random.below(200)), "SubSecTimeOriginal": format!("{:02}", random.below(100)),
        "ColorSpace": "1", "PixelXDimension": width.to_string(), "PixelYDimension": height.to_string(),
        "CustomRendered": "0", "ExposureMode": "0", "WhiteBalance": "0", "SceneCaptureType": "0",
        "BodySerialNumber": format!("{:012}", random.below(1_000_000_000_000)), "LensModel": random.pick(&["EF24-105mm f/4L IS USM", "RF50mm F1.2 L USM", "NIKKOR Z 24-70mm f/4 S"]),
        "LensSpecification": "24/1 105/1 0/0 0/0"
    })
}
