//! JSON that Google Takeout puts next to each picture and film of Google Photos.

use serde_json::Value;

use crate::metadata::Metadata;
use crate::text;
use crate::time::Stamp;

/// Most names taken.
const MAX_PERSONS: usize = 256;
/// Most values in the JSON: exports have some dozens, and a few for each person.
const MAX_VALUES: usize = 10_000;

/// What the JSON says.
#[derive(Debug, Default)]
pub(super) struct Takeout {
    /// The name that the file had.
    pub(super) title: String,
    description: Option<String>,
    taken: Option<Stamp>,
    lat_long: Option<String>,
    persons: Vec<String>,
    is_favorite: bool,
}

/// Reads the JSON; `Ok(None)` where it is another program's.
pub(super) fn read(bytes: &[u8]) -> Result<Option<Takeout>, &'static str> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    // A value takes far more memory than the two bytes that it may be written in.
    if bytes.iter().filter(|b| matches!(b, b',' | b'[' | b'{')).count() > MAX_VALUES {
        return Err("it has more values than are read of a sidecar");
    }
    let json: Value = serde_json::from_slice(bytes).map_err(|_| "it is no JSON")?;
    const KNOWN: [&str; 4] = ["photoTakenTime", "creationTime", "geoData", "googlePhotosOrigin"];
    let Some(title) = json.get("title").and_then(Value::as_str) else { return Ok(None) };
    if !KNOWN.iter().any(|name| json.get(name).is_some_and(Value::is_object)) {
        return Ok(None);
    }
    let time = |name: &str| {
        let seconds = json.get(name)?.get("timestamp")?;
        let seconds = seconds.as_i64().or_else(|| seconds.as_str()?.trim().parse().ok())?;
        // 0 is what is written where no time is known.
        Stamp::from_unix(seconds).filter(|_| seconds != 0)
    };
    let place = |name: &str| {
        let degrees = |side: &str| json.get(name)?.get(side)?.as_f64();
        crate::image::lat_long_text(degrees("latitude")?, degrees("longitude")?)
    };
    let people = json.get("people").and_then(Value::as_array).into_iter().flatten();
    let names =
        people.filter_map(|person| text::clean(person.get("name")?.as_str()?, crate::extra::MAX_NAME));
    Ok(Some(Takeout {
        title: title.to_owned(),
        description: json.get("description").and_then(Value::as_str).map(str::to_owned),
        taken: time("photoTakenTime").or_else(|| time("creationTime")),
        lat_long: place("geoData").or_else(|| place("geoDataExif")),
        persons: names.take(MAX_PERSONS).collect(),
        is_favorite: json.get("favorited").and_then(Value::as_bool) == Some(true),
    }))
}

impl Takeout {
    /// Adds what it says to what the file says itself. Its time and its place give way
    /// to the file's own; who is shown, and what its owner wrote, is new. Gives whether
    /// the time is its own, which is UTC.
    pub(super) fn write(self, m: &mut Metadata, max_text: usize) -> bool {
        let mut is_utc = false;
        if m.title.is_none() {
            m.title = text::clean(&self.title, max_text);
        }
        let description = self.description.and_then(|description| text::clean(&description, max_text));
        m.description = description.or(m.description.take());
        if let (None, Some(taken)) = (&m.produce_time, &self.taken) {
            m.produce_time = Some(taken.rfc3339());
            m.timezone = None;
            is_utc = true;
        }
        m.lat_long = m.lat_long.take().or(self.lat_long);
        for name in self.persons {
            if !m.extra.persons.contains(&name) {
                m.extra.persons.push(name);
            }
        }
        // What other programs make of a favourite, and what queries ask for.
        if self.is_favorite && m.extra.rating.is_none() {
            m.extra.rating = Some(5);
        }
        is_utc
    }
}
