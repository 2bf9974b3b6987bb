//! Random conditions, as SimpleQuery takes them and as SQL says the same.

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use serde_json::{Value, json};

use super::world::{FNUMBERS, LABELS, MEDIA, TAGS, WORDS};

/// A condition in both languages.
pub(super) struct Both {
    pub(super) node: Value,
    pub(super) sql: String,
}

fn both(field: &str, operation: &str, value: &str, sql: String) -> Both {
    Both { node: json!({"Field": field, "Operation": operation, "Value": value}), sql }
}

/// Text as SQL writes it.
fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

const COMPARISONS: &[(&str, &str)] = &[("eq", "="), ("gt", ">"), ("gte", ">="), ("lt", "<"), ("lte", "<=")];

/// A boolean expression with leaves of all kinds.
pub(super) fn condition(random: &mut StdRng, depth: usize) -> Both {
    if depth == 0 {
        return leaf(random);
    }
    if random.random_bool(0.4) {
        // Three levels deep by itself.
        return if random.random_bool(0.2) { nested(random) } else { leaf(random) };
    }
    let (operation, join) = *[("and", " AND "), ("or", " OR "), ("not", " OR ")].choose(random).unwrap();
    let parts: Vec<Both> = (0..random.random_range(1..4)).map(|_| condition(random, depth - 1)).collect();
    let sql: Vec<String> = parts.iter().map(|part| part.sql.clone()).collect();
    let sql = format!("({})", sql.join(join));
    Both {
        node: json!({"Operation": operation, "SubQueries": parts.into_iter().map(|part| part.node).collect::<Vec<_>>()}),
        sql: if operation == "not" { format!("(NOT {sql})") } else { sql },
    }
}

fn leaf(random: &mut StdRng) -> Both {
    let (operation, sign) = *COMPARISONS.choose(random).unwrap();
    let word = *WORDS.choose(random).unwrap();
    match random.random_range(0..16) {
        0 => {
            let value = *[0i64, 10, 49, 2_251_799_813_685_248].choose(random).unwrap();
            both("Size", operation, &value.to_string(), number("Size", sign, &value.to_string()))
        }
        1 => {
            let value = *["1000", "2000.5", "4000"].choose(random).unwrap();
            both("ImageWidth", operation, value, number("ImageWidth", sign, value))
        }
        2 => {
            let value = *["0.25", "1", "1.75"].choose(random).unwrap();
            both("Duration", operation, value, number("Duration", sign, value))
        }
        3 => {
            let value = *MEDIA.choose(random).unwrap();
            both("MediaType", operation, value, text("$.MediaType", sign, value))
        }
        4 => both("Title", operation, word, text("$.Title", sign, word)),
        5 => {
            let prefix = word.get(..1).unwrap();
            let sql = format!("ifnull(substr(doc->>'$.Title', 1, 1) = {}, 0)", quote(prefix));
            both("Title", "prefix", prefix, sql)
        }
        6 => {
            let phrase = format!("{word} {}", WORDS.choose(random).unwrap().to_uppercase());
            let sql = format!(
                "ifnull(instr(' '||lower(doc->>'$.Title')||' ', {}) > 0, 0)",
                quote(&format!(" {} ", phrase.to_lowercase()))
            );
            both("Title", "match-phrase", &phrase, sql)
        }
        7 => {
            let field = *["Title", "LatLong", "ProduceTime", "Figures.Age", "Keywords", "EXIF.FNumber"]
                .choose(random)
                .unwrap();
            let sql = match field {
                "Figures.Age" => any("$.Figures", "e.value->>'$.Age' IS NOT NULL"),
                "Keywords" => any("$.Keywords", "1"),
                "EXIF.FNumber" => "doc->>'$.EXIF.FNumber' IS NOT NULL".into(),
                _ => format!("doc->>'$.{field}' IS NOT NULL"),
            };
            both(field, "exist", "", sql)
        }
        8 => time(random, operation, sign),
        9 => {
            let label = *LABELS.choose(random).unwrap();
            let sql = any(
                "$.CustomLabels",
                &format!(
                    "lower(e.key) = 'category' AND lower(e.value) {sign} {}",
                    quote(&label.to_lowercase())
                ),
            );
            both("CustomLabels.CATEGORY", operation, label, sql)
        }
        10 => {
            let tag = *TAGS.choose(random).unwrap();
            both("OSSTagging.Team", operation, tag, text("$.OSSTagging.Team", sign, tag))
        }
        11 => {
            let sql = any("$.Keywords", &format!("e.value {sign} {}", quote(word)));
            both("Keywords", operation, word, sql)
        }
        12 => {
            let (raw, value) = *FNUMBERS.choose(random).unwrap();
            let texts = text("$.EXIF.FNumber", sign, raw);
            let sql = match value {
                Some(value) => {
                    format!("(CASE WHEN fnumber IS NOT NULL THEN fnumber {sign} {value:?} ELSE {texts} END)")
                }
                None => texts,
            };
            both("EXIF.fnumber", operation, raw, sql)
        }
        13 => uri(random, operation, sign),
        14 => geo(random),
        _ => fuzzy(random),
    }
}

fn number(field: &str, sign: &str, value: &str) -> String {
    format!("ifnull(json_extract(doc, '$.{field}') {sign} {value}, 0)")
}

fn text(path: &str, sign: &str, value: &str) -> String {
    format!("ifnull(doc->>'{path}' {sign} {}, 0)", quote(value))
}

/// One element of an array or a map satisfies a condition on `e`.
fn any(path: &str, condition: &str) -> String {
    format!("EXISTS (SELECT 1 FROM json_each(doc, '{path}') e WHERE {condition})")
}

fn time(random: &mut StdRng, operation: &str, sign: &str) -> Both {
    let nanos = 1_624_978_213_000_000_000i64 + *[0i64, 1, -1, 500_000_000].choose(random).unwrap();
    let text = jiff::Timestamp::from_nanosecond(i128::from(nanos)).unwrap().to_string();
    both("ProduceTime", operation, &text, format!("ifnull(produced {sign} {nanos}, 0)"))
}

fn uri(random: &mut StdRng, operation: &str, sign: &str) -> Both {
    let scheme = *["s3", "oss"].choose(random).unwrap();
    let path = *["one/a/", "two/Z/Cat", "one/beach_1.jpg", "two"].choose(random).unwrap();
    let (given, stored) = (format!("{scheme}://{path}"), format!("oss://{path}"));
    if random.random_bool(0.5) {
        let sql = format!("substr(uri, 1, {}) = {}", stored.chars().count(), quote(&stored));
        both("URI", "prefix", &given, sql)
    } else {
        both("URI", operation, &given, format!("uri {sign} {}", quote(&stored)))
    }
}

fn geo(random: &mut StdRng) -> Both {
    let (lat, long) = (f64::from(random.random_range(-70..70)), f64::from(random.random_range(-170..170)));
    match random.random_range(0..3) {
        0 => {
            let metres = f64::from(random.random_range(500..9000)) * 1000.0;
            let (phi, lambda) = (lat.to_radians(), long.to_radians());
            let (x, y, z) = (phi.cos() * lambda.cos(), phi.cos() * lambda.sin(), phi.sin());
            // As a chord through the unit sphere.
            let chord = 2.0 * (metres / 6_371_008.8 / 2.0).sin();
            let sql = format!(
                "ifnull((x-({x:?}))*(x-({x:?}))+(y-({y:?}))*(y-({y:?}))+(z-({z:?}))*(z-({z:?})) <= {:?}, 0)",
                chord * chord
            );
            both("LatLong", "geo-distance", &format!("{lat},{long};{metres}"), sql)
        }
        1 => {
            let (south, east) = (lat - 20.0, f64::from(random.random_range(-170..170)));
            let between = if long <= east {
                format!("long BETWEEN {long:?} AND {east:?}")
            } else {
                format!("(long >= {long:?} OR long <= {east:?})")
            };
            let value = format!("{lat},{long};{south},{east}");
            both(
                "LatLong",
                "geo-bounding-box",
                &value,
                format!("ifnull(lat BETWEEN {south:?} AND {lat:?} AND {between}, 0)"),
            )
        }
        _ => {
            // A triangle: inside is on the same side of all three lines.
            let corners = [
                (lat, long / 3.0),
                (lat - 30.0_f64.min(lat + 80.0), long / 3.0 + 40.0),
                (lat - 10.0, long / 3.0 - 35.0),
            ];
            let side = |a: (f64, f64), b: (f64, f64)| {
                format!("(({:?})*(lat-({:?})) - ({:?})*(long-({:?})))", b.1 - a.1, a.0, b.0 - a.0, a.1)
            };
            let sides =
                [side(corners[0], corners[1]), side(corners[1], corners[2]), side(corners[2], corners[0])];
            let sql = format!(
                "ifnull(({0} >= 0 AND {1} >= 0 AND {2} >= 0) OR ({0} <= 0 AND {1} <= 0 AND {2} <= 0), 0)",
                sides[0], sides[1], sides[2]
            );
            let value: Vec<String> = corners.iter().map(|(lat, long)| format!("{lat},{long}")).collect();
            both("LatLong", "geo-polygon", &value.join(";"), sql)
        }
    }
}

/// One element satisfies both.
fn nested(random: &mut StdRng) -> Both {
    let (operation, sign) = *COMPARISONS.choose(random).unwrap();
    let age = *[0, 10, 20].choose(random).unwrap();
    let gender = *["male", "female"].choose(random).unwrap();
    let (inner, join) = *[("and", "AND"), ("or", "OR")].choose(random).unwrap();
    let not = random.random_bool(0.3);
    let mut second = json!({"Field": "Figures.Gender", "Operation": "eq", "Value": gender});
    let mut second_sql = format!("e.value->>'$.Gender' = {}", quote(gender));
    if not {
        second = json!({"Operation": "not", "SubQueries": [second]});
        second_sql = format!("NOT {second_sql}");
    }
    let node = json!({"Operation": "nested", "SubQueries": [{"Operation": inner, "SubQueries": [
        {"Field": "Figures.Age", "Operation": operation, "Value": age.to_string()}, second]}]});
    let condition = format!("ifnull(json_extract(e.value, '$.Age') {sign} {age}, 0) {join} {second_sql}");
    Both { node, sql: any("$.Figures", &condition) }
}

/// All words are in some text, the last one as the beginning of a word.
pub(super) fn fuzzy(random: &mut StdRng) -> Both {
    let first = WORDS.choose(random).unwrap().to_lowercase();
    let last = WORDS.choose(random).unwrap().to_lowercase();
    let last = last.get(..random.random_range(1..=2)).unwrap().to_owned();
    let in_texts = |pattern: &str| {
        let plain = |path: &str| {
            format!("ifnull(instr(' '||lower(doc->>'{path}')||' ', {0}) > 0, 0)", quote(pattern))
        };
        let split = |column: &str| {
            format!(
                "ifnull(instr(' '||lower(replace(replace(replace(replace(replace({column},'/',' '),'-',' '),'_',' '),'.',' '),':',' '))||' ', {}) > 0, 0)",
                quote(pattern)
            )
        };
        let each = |path: &str| {
            any(
                path,
                &format!("instr(' '||lower(e.key)||' | '||lower(e.value)||' ', {}) > 0", quote(pattern)),
            )
        };
        let keywords = any("$.Keywords", &format!("instr(' '||lower(e.value)||' ', {}) > 0", quote(pattern)));
        format!(
            "({} OR {} OR {} OR {} OR {} OR {})",
            plain("$.Title"),
            split("doc->>'$.Filename'"),
            split("uri"),
            each("$.CustomLabels"),
            each("$.OSSTagging"),
            keywords
        )
    };
    Both {
        node: json!({"Operation": "fuzzy", "Value": format!("{first} {last}")}),
        sql: format!("({} AND {})", in_texts(&format!(" {first} ")), in_texts(&format!(" {last}"))),
    }
}
