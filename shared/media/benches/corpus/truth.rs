//! One record against what the reference tools say of the file.

use mediadex_media::Record;
use serde_json::Value;

/// One compared field of one file.
pub(crate) struct Check {
    pub(crate) family: &'static str,
    pub(crate) field: &'static str,
    pub(crate) agrees: bool,
    pub(crate) path: String,
    pub(crate) truth: String,
    pub(crate) ours: String,
}

/// Truth and record of one file, and the checks made so far.
struct Comparison<'a> {
    t: &'a Value,
    /// The record's metadata as on the wire.
    m: Value,
    family: &'static str,
    path: &'a str,
    checks: &'a mut Vec<Check>,
}

/// Compares every field that the truth has.
pub(crate) fn compare(t: &Value, path: &str, record: &Record, checks: &mut Vec<Check>) {
    let m = serde_json::to_value(&record.metadata).unwrap();
    let mut c = Comparison { t, m, family: family(t), path, checks };
    c.media_type();
    match c.family {
        "image" => c.image(),
        "video" => c.video(),
        "audio" => c.audio(),
        "pdf" | "office" | "text" => c.document(),
        _ => {}
    }
}

/// Which tools' word counts, and so which fields are compared.
pub(crate) fn family(t: &Value) -> &'static str {
    let mime = t["content_type"].as_str().unwrap_or("");
    let extension = t["path"].as_str().unwrap_or("").rsplit('.').next().unwrap_or("").to_ascii_lowercase();
    match () {
        () if mime == "application/pdf" || extension == "pdf" => "pdf",
        () if matches!(extension.as_str(), "avif" | "avifs" | "heic") => "image",
        () if !t["video_codec"].is_null() => "video",
        () if !t["ff_format"].is_null() && (!t["audio_codec"].is_null() || t["width"].is_null()) => "audio",
        () if !t["ff_format"].is_null() => "video",
        () if mime.starts_with("image/") || mime.ends_with("photoshop") => "image",
        () if mime.starts_with("text/") => "text",
        () if mime.starts_with("application/") => "office",
        () if mime.starts_with("video/") => "video",
        () => "other",
    }
}

fn number(v: &Value) -> Option<f64> {
    v.as_f64().or_else(|| v.as_str().and_then(|s| s.parse().ok()))
}

fn exact(truth: &Value, ours: &Value) -> bool {
    number(truth).zip(number(ours)).is_some_and(|(a, b)| (a - b).abs() < 1e-9)
}

/// Blanks count once: tools differ in how they write line ends.
fn squash(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").trim_matches('\0').to_owned()
}

fn same_text(truth: &Value, ours: &Value) -> bool {
    let text = |v: &Value| v.as_str().map_or_else(|| v.to_string(), squash);
    let (truth, ours) = (text(truth), text(ours));
    // Longer texts are cut on purpose (Limits::max_text), which the record says.
    truth == ours || (ours.len() > 4000 && truth.starts_with(&ours))
}

fn names(v: &Value) -> Vec<String> {
    match v {
        Value::Array(all) => all.iter().filter_map(|a| a.as_str()).map(str::to_owned).collect(),
        Value::String(one) if !one.trim().is_empty() => vec![one.clone()],
        _ => Vec::new(),
    }
}

impl Comparison<'_> {
    fn check(&mut self, field: &'static str, agrees: bool, truth: &Value, ours: String) {
        let (family, path) = (self.family, self.path.to_owned());
        self.checks.push(Check { family, field, agrees, path, truth: truth.to_string(), ours });
    }

    /// A number of the truth against one of ours.
    fn number(&mut self, field: &'static str, truth: &str, ours: &Value) {
        let truth = self.t[truth].clone();
        if number(&truth).is_some() {
            self.check(field, exact(&truth, ours), &truth, ours.to_string());
        }
    }

    /// A text of the truth against one of ours.
    fn text(&mut self, field: &'static str, truth: &str, ours: &Value) {
        let truth = self.t[truth].clone();
        // Where the tool itself could not decode a text, there is nothing to agree with.
        let readable = |v: &str| !v.trim().is_empty() && !v.contains(['\u{fffd}', '\0']);
        if truth.as_str().is_some_and(readable) || truth.is_number() {
            self.check(field, same_text(&truth, ours), &truth, ours.to_string());
        }
    }

    /// exiftool has no word for sound alone in a film's container, and calls it a film.
    fn media_type(&mut self) {
        let mime = self.t["content_type"].as_str().unwrap_or("");
        let packed = mime.ends_with("/zip") || mime.ends_with("java-archive");
        let want = match (self.family, mime.split('/').next().unwrap_or("")) {
            ("image", _) => "image",
            ("audio", "video") if !self.t["audio_codec"].is_null() => "audio",
            (_, "text" | "application") if !packed => "document",
            (_, "application") => "archive",
            (_, kind) => kind,
        };
        if matches!(want, "image" | "video" | "audio" | "document" | "archive") {
            let want = Value::from(want);
            let ours = self.m["MediaType"].clone();
            self.check("media type", ours == want, &want, ours.to_string());
        }
    }

    fn image(&mut self) {
        let m = self.m.clone();
        // Ours are whole pixels, where SVG has fractions; 0 is what no picture has.
        for (field, ours) in [("width", "ImageWidth"), ("height", "ImageHeight")] {
            let truth = self.t[field].clone();
            if let Some(want) = number(&truth).filter(|n| *n > 0.0) {
                let agrees = number(&m[ours]).is_some_and(|n| (n - want).abs() <= 0.5);
                self.check(field, agrees, &truth, m[ours].to_string());
            }
        }
        // 1 to 8 are defined; other numbers say nothing.
        if number(&self.t["orientation"]).is_some_and(|o| (1.0..=8.0).contains(&o)) {
            self.number("orientation", "orientation", &m["Orientation"]);
        }
        self.text("make", "make", &m["EXIF"]["Make"]);
        self.text("model", "model", &m["EXIF"]["Model"]);
        let date = self.t["datetime_original"].clone();
        if let Some(date) = date.as_str().filter(|d| {
            d.len() >= 19 && !d.starts_with("0000") && d.starts_with(|c: char| c.is_ascii_digit())
        }) {
            let want = format!("{}T{}", date[..10].replace(':', "-"), date[11..19].replace(' ', "0"));
            let ours = m["ProduceTime"].as_str().unwrap_or("").to_owned();
            let mut agrees = ours.starts_with(&want);
            if let Some(offset) =
                self.t["offset_time_original"].as_str().filter(|o| o.contains(char::is_numeric))
            {
                agrees &= ours.ends_with(offset);
            }
            self.check("date", agrees, &Value::from(date), ours);
        }
        if self.t["gps_exif"] == true {
            self.gps();
        }
    }

    fn gps(&mut self) {
        let gps = self.t["gps"].clone();
        if !gps.is_null() {
            let ours = self.m["LatLong"].as_str().unwrap_or("").to_owned();
            let parts: Vec<f64> = ours.split(',').filter_map(|p| p.parse().ok()).collect();
            let near = |i: usize, key: &str| {
                parts.get(i).zip(gps[key].as_f64()).is_some_and(|(a, b)| (a - b).abs() < 1e-5)
            };
            self.check("gps", near(0, "lat") && near(1, "lon"), &gps, ours);
        }
    }

    /// Creation date of a film: its header has UTC; where the file also names the local time
    /// and its zone, ours is that, and the same moment.
    fn film_date(&mut self) {
        let date = self.t["create_date"].as_str().unwrap_or("").to_owned();
        if date.len() < 19 || date.starts_with("0000") {
            return;
        }
        let ours = self.m["ProduceTime"].as_str().unwrap_or("").to_owned();
        let (want, got) = (minutes(&date), minutes(&ours));
        // Phones write the header when the recording ends.
        let agrees = want.zip(got).is_some_and(|(a, b)| (a - b).abs() <= 5);
        self.check("date", agrees, &Value::from(date), ours);
    }

    fn video(&mut self) {
        let m = self.m.clone();
        self.film_date();
        self.text("make", "make", &m["EXIF"]["Make"]);
        self.text("model", "model", &m["EXIF"]["Model"]);
        self.gps();
        let (video, audio) = (&m["VideoStreams"][0], &m["AudioStreams"][0]);
        // ffprobe writes 0 where it found no picture.
        for (field, ours) in [("width", "VideoWidth"), ("height", "VideoHeight")] {
            if number(&self.t[field]).is_some_and(|n| n > 0.0) && !self.t["video_codec"].is_null() {
                self.number(field, field, &m[ours]);
            }
        }
        self.duration();
        self.text("codec", "video_codec", &video["CodecName"]);
        self.text("audio codec", "audio_codec", &audio["CodecName"]);
        self.text("format", "ff_format", &m["FormatName"]);
        self.text("pixel format", "pixel_format", &video["PixelFormat"]);
        let truth = self.t["frame_rate"].clone();
        let rate = |v: &Value| {
            let (n, d) = v.as_str()?.split_once('/')?;
            Some(n.parse::<f64>().ok()? / d.parse::<f64>().ok()?).filter(|r| r.is_finite())
        };
        if let Some(want) = rate(&truth) {
            let ours = &video["AverageFrameRate"];
            let agrees = rate(ours).is_some_and(|r| (r - want).abs() <= want * 0.01);
            self.check("frame rate", agrees, &truth, ours.to_string());
        }
    }

    fn audio(&mut self) {
        let m = self.m.clone();
        let stream = &m["AudioStreams"][0];
        self.duration();
        for (field, key, ours) in
            [("channels", "channels", "Channels"), ("sample rate", "sample_rate", "SampleRate")]
        {
            if number(&self.t[key]).is_some_and(|n| n > 0.0) {
                self.number(field, key, &stream[ours]);
            }
        }
        self.text("codec", "audio_codec", &stream["CodecName"]);
        self.text("title", "title", &m["Title"]);
        self.text("artist", "artist", &m["Artist"]);
        self.text("album", "album", &m["Album"]);
        self.text("format", "ff_format", &m["FormatName"]);
        let truth = self.t["bitrate"].clone();
        if let Some(want) = number(&truth) {
            let ours = number(&m["Bitrate"]).unwrap_or(0.0);
            self.check("bit rate", (want - ours).abs() <= want * 0.03, &truth, m["Bitrate"].to_string());
        }
    }

    fn document(&mut self) {
        let m = self.m.clone();
        if self.family != "text" {
            // 0 is what writers leave that did not count.
            if number(&self.t["page_count"]).is_some_and(|n| n > 0.0) {
                self.number("pages", "page_count", &m["PageCount"]);
            }
        }
        self.text("title", "title", &m["Title"]);
        let truth = self.t["author"].clone();
        let authors = names(&truth);
        if !authors.is_empty() {
            // Whether several names are one text or a list is a matter of taste.
            let key = |v: &[String]| squash(&v.join(";").replace([',', ';', ' '], ""));
            let agrees = key(&authors) == key(&names(&m["Authors"]));
            self.check("author", agrees, &truth, m["Authors"].to_string());
        }
    }

    /// Within 2 % or 0.1 s.
    fn duration(&mut self) {
        let truth = self.t["duration"].clone();
        if let Some(want) = truth.as_f64() {
            // ffprobe gives 0 where nothing tells; nothing is what we give.
            let ours = self.m["Duration"].clone();
            let agrees = (want - ours.as_f64().unwrap_or(0.0)).abs() <= (want * 0.02).max(0.1);
            self.check("duration", agrees, &truth, ours.to_string());
        }
    }
}

/// Minutes in UTC since some day, of `2021:04:11 15:47:53` or RFC 3339.
fn minutes(date: &str) -> Option<i64> {
    let part = |range: std::ops::Range<usize>| date.get(range)?.parse::<i64>().ok();
    let (year, month, day, hour, minute) =
        (part(0..4)?, part(5..7)?, part(8..10)?, part(11..13)?, part(14..16)?);
    let (y, m) = if month <= 2 { (year - 1, month + 12) } else { (year, month) };
    let days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * (m - 3) + 2) / 5 + day;
    let zone = match (date.get(19..20), part(20..22), part(23..25)) {
        (Some("+"), Some(h), Some(m)) => h * 60 + m,
        (Some("-"), Some(h), Some(m)) => -(h * 60 + m),
        _ => 0,
    };
    Some(days * 1440 + hour * 60 + minute - zone)
}
