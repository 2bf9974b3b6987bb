//! Random files, as rows of the ledger and as rows of SQLite.

use mediadex_core::ledger::{Change, Committed, Origin, Row, RowKey, Source, commit};
use mediadex_core::model::{InputFile, ObjectUri, Timestamp};
use mediadex_core::state::Dataset;
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rusqlite::{Connection, params};
use serde_json::{Map, Value, json};

use crate::support::Local;

pub(super) const WORDS: &[&str] = &["sun", "Set", "beach", "Cat", "river", "a1", "Zoo"];
pub(super) const LABELS: &[&str] = &["Pets", "pets", "Trip", "x"];
pub(super) const TAGS: &[&str] = &["A", "a", "b"];
pub(super) const MEDIA: &[&str] = &["image", "video", "document"];
/// As EXIF writes numbers, and what is none; with their values.
pub(super) const FNUMBERS: &[(&str, Option<f64>)] =
    &[("2.8", Some(2.8)), ("28/10", Some(2.8)), ("4", Some(4.0)), ("11/2", Some(5.5)), ("auto", None)];

/// A file: what SQLite is told of it beside its JSON.
pub(super) struct File {
    pub(super) uri: String,
    pub(super) document: Value,
    /// Nanoseconds of ProduceTime.
    produced: Option<i64>,
    place: Option<(f64, f64)>,
    fnumber: Option<f64>,
}

fn words(random: &mut StdRng, most: usize) -> String {
    let count = random.random_range(1..=most);
    (0..count).map(|_| *WORDS.choose(random).unwrap()).collect::<Vec<_>>().join(" ")
}

fn some<T>(random: &mut StdRng, share: f64, make: impl FnOnce(&mut StdRng) -> T) -> Option<T> {
    random.random_bool(share).then(|| make(random))
}

/// A time with a fraction and an offset, as text.
fn time_text(random: &mut StdRng, nanos: i64) -> String {
    let offset = *[0i64, 8 * 3600, -5 * 3600 - 1800].choose(random).unwrap();
    let zone =
        jiff::tz::TimeZone::fixed(jiff::tz::Offset::from_seconds(i32::try_from(offset).unwrap()).unwrap());
    let time = jiff::Timestamp::from_nanosecond(i128::from(nanos)).unwrap().to_zoned(zone);
    let colon = if offset == 0 { "Z".to_owned() } else { time.strftime("%:z").to_string() };
    format!("{}{colon}", time.datetime())
}

/// Makes a file, commits it and tells SQLite.
fn file(random: &mut StdRng, number: usize) -> (File, InputFile, Map<String, Value>, Source) {
    let directory = *["", "a/", "a/b/", "Z/"].choose(random).unwrap();
    let key = format!("{directory}{}_{number}.jpg", words(random, 2).replace(' ', "-"));
    let uri = format!("oss://{}/{key}", ["one", "two"].choose(random).unwrap());
    let size = match random.random_range(0..6) {
        0 => 2_251_799_813_685_249 - i64::try_from(number % 3).unwrap(),
        1 => 0,
        _ => random.random_range(0..50),
    };
    let produced = some(random, 0.8, |random| {
        // Some at the same moment, some before the epoch.
        let second = *[1_624_978_213i64, 1_640_995_199, 1_640_995_200, -5].choose(random).unwrap();
        second * 1_000_000_000 + *[0i64, 1, 500_000_000].choose(random).unwrap()
    });
    let place = some(random, 0.6, |random| {
        (
            f64::from(random.random_range(-80..80)) + 0.123_4,
            f64::from(random.random_range(-179..180)) + 0.567_8,
        )
    });
    let fnumber = some(random, 0.6, |random| *FNUMBERS.choose(random).unwrap());
    let mut record = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            record.insert(name.to_owned(), value);
        }
    };
    put("MediaType", Some(json!(MEDIA.choose(random).unwrap())));
    put("Title", some(random, 0.7, |random| json!(words(random, 4))));
    put("ImageWidth", some(random, 0.6, |random| json!(random.random_range(0..5) * 1000)));
    put("Duration", some(random, 0.5, |random| json!(f64::from(random.random_range(0..8)) / 4.0)));
    put("ProduceTime", produced.map(|nanos| json!(time_text(random, nanos))));
    put("LatLong", place.map(|(lat, long)| json!(format!("{lat},{long}"))));
    put(
        "Keywords",
        some(random, 0.5, |random| {
            Value::from_iter((0..random.random_range(1..3)).map(|_| words(random, 1)))
        }),
    );
    put("OSSTagging", some(random, 0.4, |random| json!({"Team": TAGS.choose(random).unwrap()})));
    let mut exif = Map::new();
    if let Some((text, _)) = fnumber {
        exif.insert("FNumber".into(), json!(text));
    }
    exif.insert("Make".into(), json!(words(random, 1)));
    put("EXIF", some(random, 0.9, |_| Value::Object(exif.clone())));
    let has_exif = random.random_bool(1.0);
    put(
        "Figures",
        some(random, 0.5, |random| {
            Value::from_iter((0..random.random_range(1..4)).map(|_| {
                let gender = *["male", "female"].choose(random).unwrap();
                let mut figure = json!({"Gender": gender});
                if random.random_bool(0.7) {
                    figure["Age"] = json!(random.random_range(0..4) * 10);
                }
                figure
            }))
        }),
    );
    let mut labels = Map::new();
    for name in ["Category", "category", "k"] {
        if random.random_bool(0.3) {
            labels.insert(name.into(), json!(LABELS.choose(random).unwrap()));
        }
    }
    let mut document = Value::Object(record.clone());
    document["URI"] = json!(uri);
    document["Filename"] = json!(key);
    document["Size"] = json!(size);
    let mut input = json!({"URI": uri});
    if !labels.is_empty() {
        document["CustomLabels"] = Value::Object(labels.clone());
        input["CustomLabels"] = Value::Object(labels);
    }
    let fnumber = fnumber.filter(|_| has_exif && record.contains_key("EXIF")).and_then(|(_, number)| number);
    let source = Source { etag: "e".into(), size, modified: 1, ..Source::default() };
    let file = File { uri, document, produced, place, fnumber };
    (file, serde_json::from_value(input).unwrap(), record, source)
}

/// Fills a dataset and a database of SQLite with the same random files.
pub(super) async fn make(local: &Local, dataset: &Dataset, random: &mut StdRng) -> Connection {
    let sqlite = Connection::open_in_memory().unwrap();
    sqlite
        .execute_batch(
            "CREATE TABLE f(uri TEXT, doc TEXT, produced INTEGER, fnumber REAL, lat REAL, long REAL, x REAL, y REAL, z REAL)",
        )
        .unwrap();
    let count = *[0usize, 1, 30, 90].choose(random).unwrap();
    let mut changes = Vec::new();
    for number in 0..count {
        let (file, input, record, source) = file(random, number);
        let (lat, long) = file.place.unzip();
        let (phi, lambda) = (lat.map(f64::to_radians), long.map(f64::to_radians));
        let x = phi.zip(lambda).map(|(phi, lambda)| phi.cos() * lambda.cos());
        let y = phi.zip(lambda).map(|(phi, lambda)| phi.cos() * lambda.sin());
        let z = phi.map(f64::sin);
        sqlite
            .execute(
                "INSERT INTO f VALUES (?,?,?,?,?,?,?,?,?)",
                params![file.uri, file.document.to_string(), file.produced, file.fnumber, lat, long, x, y, z],
            )
            .unwrap();
        let uri = ObjectUri::parse("URI", &file.uri).unwrap();
        let mut row = Row::new(
            RowKey::of(&dataset.id, dataset.partitions, &uri),
            &uri,
            Origin::Manual,
            Timestamp::now().0,
        );
        row.source = Some(source);
        row.user.merge(&input, None);
        row.set_metadata(&record).unwrap();
        changes.push(Change { old: None, new: row });
    }
    for outcome in commit(&local.cloud.ctx.db, &dataset.id, dataset.shards, &changes).await {
        assert!(matches!(outcome, Committed::Written), "{outcome:?}");
    }
    sqlite
}
