//! A query language for people, on top of SimpleQuery.
//!
//! Terms are separated by blanks and all of them must hold: `type:image
//! width>=4000 make:Canon taken:2020..2022 -status:Failed "sun set"`. A term is
//! a field, an operator (`:` `=` `!=` `>` `>=` `<` `<=`) and a value;
//! `near:48.85,2.35~5km` is a circle; words by themselves are looked for in all
//! texts of a file, in quotation marks one after another; `-` in front negates.

use std::fmt;

use mediadex_core::query::{CATALOGUE, FieldType, Point, resolve};
use serde_json::{Value, json};

/// What is wrong with a query, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindError {
    /// The query.
    query: String,
    /// The character, counted from 0, that it is about.
    position: usize,
    /// What is wrong.
    message: String,
}

impl fmt::Display for FindError {
    /// The query with a mark under the character.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use unicode_width::UnicodeWidthStr;
        let before: String = self.query.chars().take(self.position).collect();
        write!(f, "{}\n  {}\n  {}^", self.message, self.query, " ".repeat(before.width()))
    }
}

impl std::error::Error for FindError {}

/// Short names for fields; several fields mean that any of them may satisfy.
const SHORT: &[(&str, &[&str])] = &[
    ("type", &["MediaType"]),
    ("mime", &["ContentType"]),
    ("name", &["Filename"]),
    ("uri", &["URI"]),
    ("size", &["Size"]),
    ("width", &["ImageWidth", "VideoWidth"]),
    ("height", &["ImageHeight", "VideoHeight"]),
    ("make", &["EXIF.Make"]),
    ("model", &["EXIF.Model"]),
    ("lens", &["LensModel", "EXIF.LensModel"]),
    ("iso", &["ISO", "EXIF.PhotographicSensitivity", "EXIF.ISOSpeedRatings"]),
    ("aperture", &["FNumber"]),
    ("exposure", &["ExposureTime"]),
    ("focal", &["FocalLength"]),
    ("color", &["ColorLabel"]),
    ("person", &["Persons"]),
    ("track", &["TrackNumber"]),
    ("disc", &["DiscNumber"]),
    ("released", &["ReleaseDate"]),
    ("chapter", &["Chapters.Title"]),
    ("hdr", &["HDRFormat"]),
    ("words", &["WordCount"]),
    ("taken", &["ProduceTime"]),
    ("modified", &["FileModifiedTime"]),
    ("indexed", &["CreateTime"]),
    ("status", &["ObjectStatus"]),
    ("id", &["CustomId"]),
    ("codec", &["VideoStreams.CodecName", "AudioStreams.CodecName"]),
    ("pages", &["PageCount"]),
    ("author", &["Authors", "Artist"]),
    ("keyword", &["Keywords", "HierarchicalKeywords"]),
    ("title", &["Title"]),
    ("artist", &["Artist", "AlbumArtist"]),
    ("album", &["Album"]),
    ("camera", &["EXIF.Model"]),
    ("duration", &["Duration"]),
    ("city", &["Addresses.City", "City"]),
    ("country", &["Addresses.Country"]),
];

struct Term {
    position: usize,
    text: String,
    /// Where the text itself is in quotation marks, not only a value in it.
    quoted: bool,
}

/// Makes the `Query` of SimpleQuery from a query for people; `None` where it
/// asks for nothing, and so for every file.
///
/// # Errors
/// [`FindError`], which points at the character.
pub fn parse(query: &str) -> Result<Option<Value>, FindError> {
    let fail = |position: usize, message: String| FindError { query: query.to_owned(), position, message };
    let mut conditions = Vec::new();
    for term in split(query).map_err(|(position, message)| fail(position, message))? {
        conditions.push(condition(&term).map_err(|(offset, message)| fail(term.position + offset, message))?);
    }
    Ok(match conditions.len() {
        0 => None,
        1 => conditions.pop(),
        _ => Some(json!({"Operation": "and", "SubQueries": conditions})),
    })
}

type Located<T> = Result<T, (usize, String)>;

/// Splits at blanks outside of quotes.
fn split(query: &str) -> Located<Vec<Term>> {
    let mut terms = Vec::new();
    let mut current: Option<Term> = None;
    let mut quote: Option<usize> = None;
    for (position, c) in query.chars().enumerate() {
        match (c, quote) {
            ('"', None) => {
                quote = Some(position);
                let term =
                    current.get_or_insert_with(|| Term { position, text: String::new(), quoted: false });
                term.quoted = term.quoted || term.text.is_empty() || term.text == "-";
            }
            ('"', Some(_)) => quote = None,
            (c, None) if c.is_whitespace() => terms.extend(current.take()),
            (c, _) => current
                .get_or_insert_with(|| Term { position, text: String::new(), quoted: false })
                .text
                .push(c),
        }
    }
    if let Some(position) = quote {
        return Err((position, "this quotation mark is not closed".into()));
    }
    terms.extend(current);
    Ok(terms)
}

fn not(condition: Value) -> Value {
    json!({"Operation": "not", "SubQueries": [condition]})
}

fn condition(term: &Term) -> Located<Value> {
    let (negated, text, shift) = match term.text.strip_prefix('-') {
        Some(rest) if !rest.is_empty() => (true, rest, 1),
        _ => (false, term.text.as_str(), 0),
    };
    let wrap = |condition: Value| if negated { not(condition) } else { condition };
    let operator = text.find([':', '=', '<', '>', '!']).filter(|_| !term.quoted);
    let Some(at) = operator else {
        if !text.chars().any(char::is_alphanumeric) {
            return Err((shift, "expected a word or a condition such as type:image".into()));
        }
        let value = if term.quoted { format!("\"{text}\"") } else { text.to_owned() };
        return Ok(wrap(json!({"Operation": "fuzzy", "Value": value})));
    };
    let (name, rest) = text.split_at(at);
    let operators =
        [("!=", "ne"), (">=", "gte"), ("<=", "lte"), (":", "eq"), ("=", "eq"), (">", "gt"), ("<", "lt")];
    let characters = name.chars().count() + shift;
    let Some((sign, operation)) = operators.iter().find(|(sign, _)| rest.starts_with(sign)) else {
        return Err((characters, "expected one of : = != > >= < <=".into()));
    };
    let value = rest.get(sign.len()..).unwrap_or_default();
    if name.is_empty() {
        return Err((shift, "a field is missing before the operator".into()));
    }
    if value.is_empty() {
        return Err((characters + sign.len(), format!("a value is missing after {name}{sign}")));
    }
    let value_at = characters + sign.chars().count();
    if name.eq_ignore_ascii_case("near") {
        if !matches!(*operation, "eq" | "ne") {
            return Err((characters, "near takes : and a place, such as near:48.85,2.35~5km".into()));
        }
        let circle = near(value).map_err(|message| (value_at, message))?;
        return Ok(wrap(if *operation == "ne" { not(circle) } else { circle }));
    }
    let fields = fields_of(name).map_err(|message| (shift, message))?;
    let mut alternatives = Vec::new();
    for field in &fields {
        alternatives.push(compare(field, operation, value).map_err(|message| (value_at, message))?);
    }
    let any = match alternatives.len() {
        1 => alternatives.pop().unwrap_or_default(),
        _ => json!({"Operation": "or", "SubQueries": alternatives}),
    };
    Ok(wrap(if *operation == "ne" { not(any) } else { any }))
}

/// The fields that a name stands for: a short name, `label.x`, `exif.x`, `tag.x`,
/// or a field of the catalogue in any case.
fn fields_of(name: &str) -> Result<Vec<String>, String> {
    let folded = name.to_lowercase();
    if let Some((_, fields)) = SHORT.iter().find(|(short, _)| *short == folded) {
        return Ok(fields.iter().map(|field| (*field).to_owned()).collect());
    }
    let maps = [
        ("label.", "CustomLabels."),
        ("labels.", "CustomLabels."),
        ("exif.", "EXIF."),
        ("tag.", "OSSTagging."),
    ];
    for (short, map) in maps {
        if folded.starts_with(short) && folded.len() > short.len() {
            return Ok(vec![format!("{map}{}", name.get(short.len()..).unwrap_or_default())]);
        }
    }
    if resolve(name).is_ok() {
        return Ok(vec![name.to_owned()]);
    }
    match CATALOGUE.iter().find(|entry| entry.path.to_lowercase() == folded) {
        Some(entry) => Ok(vec![entry.path.to_owned()]),
        None => {
            let known: Vec<&str> = SHORT.iter().map(|(short, _)| *short).collect();
            Err(format!(
                "there is no field {name:?}; there are {}, label.NAME, exif.TAG and all fields of the API",
                known.join(", ")
            ))
        }
    }
}

fn leaf(field: &str, operation: &str, value: &str) -> Value {
    json!({"Field": field, "Operation": operation, "Value": value})
}

fn compare(field: &str, operation: &str, value: &str) -> Result<Value, String> {
    let kind = resolve(field).map_err(|error| error.message().to_owned())?.kind;
    let equal = matches!(operation, "eq" | "ne");
    if equal && let Some((from, to)) = value.split_once("..") {
        let mut bounds = Vec::new();
        if !from.is_empty() {
            bounds.push(compare(field, "gte", from)?);
        }
        if !to.is_empty() {
            bounds.push(compare(field, "lte", to)?);
        }
        if bounds.is_empty() {
            return Err("a range needs at least one end".into());
        }
        return Ok(json!({"Operation": "and", "SubQueries": bounds}));
    }
    if equal && value == "*" {
        return Ok(leaf(field, "exist", ""));
    }
    match kind {
        FieldType::Time => {
            let (start, end) = period(value)?;
            Ok(match operation {
                "gt" => leaf(field, "gte", &end),
                "gte" => leaf(field, "gte", &start),
                "lt" => leaf(field, "lt", &start),
                "lte" => leaf(field, "lt", &end),
                _ => json!({"Operation": "and",
                    "SubQueries": [leaf(field, "gte", &start), leaf(field, "lt", &end)]}),
            })
        }
        FieldType::Int | FieldType::Float => {
            let number = number(value).ok_or_else(|| format!("{value:?} is not a number"))?;
            Ok(leaf(field, if equal { "eq" } else { operation }, &number))
        }
        _ if equal => match value.strip_suffix('*') {
            Some(prefix) => Ok(leaf(field, "prefix", prefix)),
            None if matches!(
                field,
                "Filename"
                    | "Title"
                    | "Artist"
                    | "Album"
                    | "AlbumArtist"
                    | "Authors"
                    | "Description"
                    | "Headline"
                    | "Persons"
                    | "LensModel"
                    | "Genre"
                    | "Lyrics"
                    | "Chapters.Title"
                    | "HierarchicalKeywords"
            ) =>
            {
                Ok(leaf(field, "match-phrase", value))
            }
            None => Ok(leaf(field, "eq", value)),
        },
        _ => Ok(leaf(field, operation, value)),
    }
}

/// `latitude,longitude~distance`, in metres, `m`, `km` or `mi`; 1 km without one.
fn near(value: &str) -> Result<Value, String> {
    let (place, distance) = value.split_once('~').unwrap_or((value, "1km"));
    let form = "a place is written latitude,longitude~distance, such as 48.85,2.35~5km";
    let digits = distance.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match distance.get(digits.len()..).unwrap_or_default().to_lowercase().as_str() {
        "" | "m" => 1.0,
        "km" => 1000.0,
        "mi" => 1609.344,
        unit => return Err(format!("there is no unit {unit:?}; use m, km or mi")),
    };
    let metres = digits.parse::<f64>().map_err(|_| form.to_owned())? * factor;
    if Point::parse(place).is_none() {
        return Err(form.to_owned());
    }
    Ok(leaf("LatLong", "geo-distance", &format!("{place};{metres}")))
}

/// A number, with a unit of bytes if it has one: `10MB`, `1.5GiB`.
fn number(text: &str) -> Option<String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor: f64 = match text.get(digits.len()..)?.to_lowercase().as_str() {
        "" => return digits.parse::<f64>().ok().filter(|n| n.is_finite()).map(|_| digits.to_owned()),
        "b" => 1.0,
        "k" | "kb" => 1e3,
        "m" | "mb" => 1e6,
        "g" | "gb" => 1e9,
        "t" | "tb" => 1e12,
        "kib" => 1024.0,
        "mib" => 1024.0 * 1024.0,
        "gib" => 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    };
    let bytes = digits.parse::<f64>().ok().filter(|n| n.is_finite())? * factor;
    Some(format!("{bytes:.0}"))
}

/// The beginning and end of a year, month, day or moment, in UTC.
fn period(text: &str) -> Result<(String, String), String> {
    use jiff::civil::Date;
    let wrong = || format!("{text:?} is not a time; write 2021, 2021-06, 2021-06-29 or 2021-06-29T12:00:00Z");
    let start = |date: Date| format!("{date}T00:00:00Z");
    let parts: Vec<&str> = text.split('-').collect();
    let numbers: Vec<i16> = parts.iter().filter_map(|part| part.parse().ok()).collect();
    if numbers.len() == parts.len() && parts.first().is_some_and(|year| year.len() == 4) {
        let small = |number: i16| i8::try_from(number).ok();
        let day = |y: i16, m: i16, d: i16| -> Option<Date> { Date::new(y, small(m)?, small(d)?).ok() };
        let (from, to) = match numbers.as_slice() {
            [y] => (day(*y, 1, 1), day(y + 1, 1, 1)),
            [y, 12] => (day(*y, 12, 1), day(y + 1, 1, 1)),
            [y, m] => (day(*y, *m, 1), day(*y, m + 1, 1)),
            [y, m, d] => {
                let from = day(*y, *m, *d);
                (from, from.and_then(|date| date.tomorrow().ok()))
            }
            _ => (None, None),
        };
        return match (from, to) {
            (Some(from), Some(to)) => Ok((start(from), start(to))),
            _ => Err(wrong()),
        };
    }
    let moment: jiff::Timestamp = text.parse().map_err(|_| wrong())?;
    let end = moment.checked_add(jiff::SignedDuration::from_nanos(1)).map_err(|_| wrong())?;
    Ok((moment.to_string(), end.to_string()))
}

/// Reads `--group-by camera`: the field that files are grouped by.
///
/// # Errors
/// For a field that there is not.
pub fn parse_group(name: &str) -> Result<String, String> {
    Ok(fields_of(name)?.into_iter().next().unwrap_or_default())
}

/// Reads `--histogram taken:month`: the field and the interval.
///
/// # Errors
/// For a field that is no time, or an interval that there is not.
pub fn parse_histogram(text: &str) -> Result<(String, String), String> {
    const INTERVALS: [&str; 5] = ["year", "month", "week", "day", "hour"];
    let (name, interval) = text.split_once(':').unwrap_or((text, "month"));
    let field = parse_group(name)?;
    if resolve(&field).map_err(|error| error.message().to_owned())?.kind != FieldType::Time {
        return Err(format!("{name} is no time; use taken, modified or indexed"));
    }
    if !INTERVALS.contains(&interval) {
        return Err(format!("there is no interval {interval:?}; use {}", INTERVALS.join(", ")));
    }
    Ok((field, interval.to_owned()))
}

/// Reads `--sort -ProduceTime,Size`: the `Sort` and `Order` of SimpleQuery. A
/// minus sorts descending.
///
/// # Errors
/// For a field that there is not.
pub fn parse_sort(sort: &str) -> Result<(String, String), String> {
    let mut names = Vec::new();
    let mut orders = Vec::new();
    for part in sort.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (order, name) = match part.strip_prefix('-') {
            Some(name) => ("desc", name),
            None => ("asc", part.strip_prefix('+').unwrap_or(part)),
        };
        names.push(fields_of(name)?.into_iter().next().unwrap_or_default());
        orders.push(order);
    }
    Ok((names.join(","), orders.join(",")))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn terms_become_conditions() {
        let eq = |field: &str, value: &str| leaf(field, "eq", value);
        let table = [
            ("", None),
            ("type:image", Some(eq("MediaType", "image"))),
            ("size>10MB", Some(leaf("Size", "gt", "10000000"))),
            ("label.category=Pets", Some(eq("CustomLabels.category", "Pets"))),
            ("exif.FNumber<=2.8", Some(leaf("EXIF.FNumber", "lte", "2.8"))),
            ("\"sun set\"", Some(json!({"Operation": "fuzzy", "Value": "\"sun set\""}))),
            ("sunset", Some(json!({"Operation": "fuzzy", "Value": "sunset"}))),
            ("-beach", Some(not(json!({"Operation": "fuzzy", "Value": "beach"})))),
            ("near:48.85,2.35~5km", Some(leaf("LatLong", "geo-distance", "48.85,2.35;5000"))),
            ("near:48.85,2.35", Some(leaf("LatLong", "geo-distance", "48.85,2.35;1000"))),
            ("near!=0,0~10m", Some(not(leaf("LatLong", "geo-distance", "0,0;10")))),
            ("mime:image/*", Some(leaf("ContentType", "prefix", "image/"))),
            ("-status:Failed", Some(not(eq("ObjectStatus", "Failed")))),
            ("status!=Failed", Some(not(eq("ObjectStatus", "Failed")))),
            ("ProduceTime:*", Some(leaf("ProduceTime", "exist", ""))),
            ("produceTime<2020", Some(leaf("ProduceTime", "lt", "2020-01-01T00:00:00Z"))),
            ("taken>2020-02", Some(leaf("ProduceTime", "gte", "2020-03-01T00:00:00Z"))),
            (
                "type:image make:\"Canon Inc\"",
                Some(
                    json!({"Operation": "and", "SubQueries": [eq("MediaType", "image"), eq("EXIF.Make", "Canon Inc")]}),
                ),
            ),
            (
                "width>=4000",
                Some(json!({"Operation": "or", "SubQueries":
                    [leaf("ImageWidth", "gte", "4000"), leaf("VideoWidth", "gte", "4000")]})),
            ),
            (
                "size:10..20",
                Some(
                    json!({"Operation": "and", "SubQueries": [leaf("Size", "gte", "10"), leaf("Size", "lte", "20")]}),
                ),
            ),
            (
                "taken:2020..2022",
                Some(json!({"Operation": "and", "SubQueries": [
                    leaf("ProduceTime", "gte", "2020-01-01T00:00:00Z"), leaf("ProduceTime", "lt", "2023-01-01T00:00:00Z")]})),
            ),
        ];
        for (query, want) in table {
            assert_eq!(parse(query), Ok(want), "{query}");
        }
    }

    #[test]
    fn errors_point_at_the_character() {
        let table = [
            ("type:image colour:red", 11, "no field"),
            ("size>big", 5, "not a number"),
            ("a \"b", 2, "not closed"),
            ("taken:yesterday", 6, "not a time"),
            ("taken:2021-13", 6, "not a time"),
            (":x", 0, "field is missing"),
            ("文 size>", 7, "value is missing"),
            ("near:Paris", 5, "latitude,longitude~distance"),
            ("near:1,2~5furlongs", 5, "no unit"),
            ("near>1,2", 4, "near takes :"),
            ("type:image - x", 11, "expected a word"),
        ];
        for (query, position, text) in table {
            let error = parse(query).unwrap_err();
            assert_eq!(error.position, position, "{query}");
            assert!(error.message.contains(text), "{query}: {}", error.message);
        }
    }

    #[test]
    fn sorts() {
        assert_eq!(parse_sort("-taken,size"), Ok(("ProduceTime,Size".into(), "desc,asc".into())));
        assert!(parse_sort("nope").is_err());
    }
}
