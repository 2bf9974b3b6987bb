//! What callers send inside JSON parameters.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::{Limits, ObjectUri, Timestamp};
use crate::error::{Error, Result};

/// Treats `null`, `""` and `[]` as absent: the official SDKs emit empty lists
/// for what was never set.
fn absent_if_empty<'de, D, T>(deserializer: D) -> std::result::Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: serde::de::DeserializeOwned,
{
    let value = Value::deserialize(deserializer)?;
    let empty = match &value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    };
    if empty {
        return Ok(None);
    }
    serde_json::from_value(value).map(Some).map_err(serde::de::Error::custom)
}

/// `InputFile` (and `FileForReq` of old SDKs): a file to index or to change,
/// with what the caller knows of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct InputFile {
    /// `oss://bucket/key`; required.
    #[serde(rename = "URI")]
    pub uri: String,
    /// The caller's identifier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom_id: Option<String>,
    /// The caller's labels: names to text (numbers and booleans become text).
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "labels")]
    pub custom_labels: Option<BTreeMap<String, String>>,
    /// See `File`.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "absent_if_empty")]
    pub media_type: Option<String>,
    /// See `File`.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "absent_if_empty")]
    pub content_type: Option<String>,
    /// See `File`.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "absent_if_empty")]
    pub file_hash: Option<String>,
    /// `"latitude,longitude"` in degrees.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "absent_if_empty")]
    pub lat_long: Option<String>,
    /// RFC 3339; without a zone it is taken as UTC, and kept so.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "time_text")]
    pub produce_time: Option<String>,
    /// See `File`.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "absent_if_empty")]
    pub title: Option<String>,
    /// See `File`.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "absent_if_empty")]
    pub artist: Option<String>,
    /// See `File`.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "absent_if_empty")]
    pub album: Option<String>,
    /// See `File`.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "absent_if_empty")]
    pub album_artist: Option<String>,
    /// See `File`.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "absent_if_empty")]
    pub composer: Option<String>,
    /// See `File`.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "absent_if_empty")]
    pub performer: Option<String>,
    /// See `File`.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "absent_if_empty")]
    pub addresses: Option<Vec<Address>>,
    /// See `File`.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "absent_if_empty")]
    pub labels: Option<Vec<Label>>,
    /// See `File`.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "absent_if_empty")]
    pub figures: Option<Vec<Figure>>,
}

/// A time as text. One without a zone is written with it, as all others are.
fn time_text<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Option<String>, D::Error> {
    let given: Option<String> = absent_if_empty(deserializer)?;
    Ok(given.map(|text| match (Timestamp::parse(&text), Timestamp::parse_or_utc(&text)) {
        (None, Some(time)) => time.to_string(),
        _ => text,
    }))
}

fn labels<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<Option<BTreeMap<String, String>>, D::Error> {
    let Some(map) = absent_if_empty::<D, Map<String, Value>>(deserializer)? else { return Ok(None) };
    let text = |value: Value| match value {
        Value::String(text) => Ok(text),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(flag) => Ok(flag.to_string()),
        Value::Null => Ok(String::new()),
        Value::Array(_) | Value::Object(_) => {
            Err(serde::de::Error::custom("a label's value must be text, a number or a boolean"))
        }
    };
    map.into_iter()
        .map(|(key, value)| Ok((key, text(value)?)))
        .collect::<std::result::Result<_, _>>()
        .map(Some)
}

impl InputFile {
    /// This call's values over those of an earlier one for the same file.
    pub fn over(self, earlier: &Self) -> Self {
        let fields = |file: &Self| match serde_json::to_value(file) {
            Ok(Value::Object(fields)) => fields,
            _ => Map::new(),
        };
        let mut all = fields(earlier);
        all.extend(fields(&self));
        serde_json::from_value(Value::Object(all)).unwrap_or(self)
    }

    /// Reads and checks the whole: the URI, the values and the sizes.
    ///
    /// # Errors
    /// `InvalidURI`, `InvalidArgument`, `LimitExceededError`.
    pub fn check(&self) -> Result<ObjectUri> {
        if self.uri.is_empty() {
            return Err(Error::missing("URI"));
        }
        let uri = ObjectUri::parse("URI", &self.uri)?;
        if let Some(kind) = &self.media_type {
            const KINDS: [&str; 6] = ["image", "video", "audio", "document", "archive", "other"];
            if !KINDS.contains(&kind.as_str()) {
                return Err(Error::invalid("MediaType", format!("It must be one of {}.", KINDS.join(", "))));
            }
        }
        if let Some(time) = &self.produce_time
            && Timestamp::parse(time).is_none()
        {
            return Err(Error::invalid(
                "ProduceTime",
                "It must be an RFC 3339 time, or a date such as 2008-01-31, which is midnight UTC.",
            ));
        }
        if let Some(place) = &self.lat_long
            && parse_lat_long(place).is_none()
        {
            return Err(Error::invalid("LatLong", "It must be \"latitude,longitude\" in degrees."));
        }
        if self.custom_labels.as_ref().is_some_and(|labels| labels.len() > Limits::LABELS) {
            return Err(Error::limit_exceeded(format!("A file has at most {} labels.", Limits::LABELS)));
        }
        let bytes = serde_json::to_vec(self).map_err(Error::internal)?.len();
        if bytes > Limits::USER_FIELDS_BYTES {
            return Err(Error::limit_exceeded(format!(
                "What is set on one file takes at most {} bytes; this takes {bytes}.",
                Limits::USER_FIELDS_BYTES
            )));
        }
        Ok(uri)
    }

    /// The place that is set, in degrees.
    pub fn place(&self) -> Option<(f64, f64)> {
        self.lat_long.as_deref().and_then(parse_lat_long)
    }

    /// The fields that override what was extracted, under their `File` names.
    pub fn overrides(&self) -> Map<String, Value> {
        let mut map = match serde_json::to_value(self) {
            Ok(Value::Object(map)) => map,
            _ => Map::new(),
        };
        for own in ["URI", "CustomId", "CustomLabels"] {
            map.remove(own);
        }
        map
    }
}

/// Reads `"latitude,longitude"`; `None` when it is no place on Earth.
pub(crate) fn parse_lat_long(text: &str) -> Option<(f64, f64)> {
    let (latitude, longitude) = text.split_once(',')?;
    let latitude: f64 = latitude.trim().parse().ok()?;
    let longitude: f64 = longitude.trim().parse().ok()?;
    ((-90.0..=90.0).contains(&latitude) && (-180.0..=180.0).contains(&longitude))
        .then_some((latitude, longitude))
}

/// An address that a place was resolved to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Address {
    /// The whole address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address_line: Option<String>,
    /// The country.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// The province or state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub province: Option<String>,
    /// The city.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub city: Option<String>,
    /// The district.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub district: Option<String>,
    /// The street or township.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub township: Option<String>,
    /// BCP 47 tag of the language that the names are in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
}

/// A label of a file, set by the caller.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Label {
    /// The name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_name: Option<String>,
    /// The name of the label above.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_label_name: Option<String>,
    /// 1 to 3.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_level: Option<i64>,
    /// 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_confidence: Option<f64>,
    /// 0 to 1: whether it is the main subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub centric_score: Option<f64>,
    /// BCP 47 tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Another name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_alias: Option<String>,
}

/// A person in a file, set by the caller.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Figure {
    /// The person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub figure_id: Option<String>,
    /// What it is, such as `face`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub figure_type: Option<String>,
    /// The group of the same person's figures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub figure_cluster_id: Option<String>,
}

/// Where a completion message goes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Notification {
    /// A topic; the only target that there is here.
    #[serde(rename = "MNS", skip_serializing_if = "Option::is_none")]
    pub mns: Option<Mns>,
    /// Not supported: a call that names it is refused rather than ignored.
    #[serde(
        rename = "RocketMQ",
        skip_serializing_if = "Option::is_none",
        deserialize_with = "absent_if_empty"
    )]
    pub rocket_mq: Option<Value>,
    /// Not supported, as above.
    #[serde(
        rename = "ExtendedMessageURI",
        skip_serializing_if = "Option::is_none",
        deserialize_with = "absent_if_empty"
    )]
    pub extended_message_uri: Option<String>,
}

/// A topic of the message service, by name.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Mns {
    /// The topic's name.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "absent_if_empty")]
    pub topic_name: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_sdk_file_with_empty_lists_is_read() {
        let json = r#"{"URI":"oss://test-bucket/a.jpg","CustomLabels":{"category":"Pets","n":3,"b":true},"Labels":[],"Addresses":[],"Figures":[],"Title":""}"#;
        let file: InputFile = serde_json::from_str(json).unwrap_or_default();
        assert_eq!(file.check().map(|uri| uri.key).ok().as_deref(), Some("a.jpg"));
        assert_eq!(file.labels, None);
        assert_eq!(file.figures, None);
        assert_eq!(file.title, None);
        let labels = file.custom_labels.unwrap_or_default();
        assert_eq!(labels.get("n").map(String::as_str), Some("3"));
        assert_eq!(labels.get("b").map(String::as_str), Some("true"));
    }

    #[test]
    fn times_without_a_zone_are_utc() {
        let table = [
            ("2008-01-31", "2008-01-31T00:00:00.000000000Z"),
            ("2008-01-31T12:30:00", "2008-01-31T12:30:00.000000000Z"),
            ("2008-01-31T12:30:00+08:00", "2008-01-31T12:30:00+08:00"),
            ("2008", "2008"),
        ];
        for (given, want) in table {
            let file: InputFile =
                serde_json::from_value(serde_json::json!({"ProduceTime": given})).unwrap_or_default();
            assert_eq!(file.produce_time.as_deref(), Some(want));
        }
    }

    #[test]
    fn figures_are_kept() {
        let json = r#"{"URI":"oss://bucket/k","Figures":[{"FigureId":"f","FigureType":"face","FigureClusterId":"c"}]}"#;
        let file: InputFile = serde_json::from_str(json).unwrap_or_default();
        let kept = file.overrides().get("Figures").map(ToString::to_string).unwrap_or_default();
        assert_eq!(kept, r#"[{"FigureClusterId":"c","FigureId":"f","FigureType":"face"}]"#);
    }

    #[test]
    fn wrong_values_are_named() {
        let table = [
            (r#"{"URI":""}"#, "MissingURI"),
            (r#"{"URI":"http://x/y"}"#, "InvalidURI"),
            (r#"{"URI":"oss://bucket/k","MediaType":"film"}"#, "InvalidMediaType"),
            (r#"{"URI":"oss://bucket/k","LatLong":"91,0"}"#, "InvalidLatLong"),
            (r#"{"URI":"oss://bucket/k","ProduceTime":"2021"}"#, "InvalidProduceTime"),
        ];
        for (json, code) in table {
            let file: InputFile = serde_json::from_str(json).unwrap_or_default();
            let error = file.check().map(|_| String::new()).unwrap_or_else(|e| e.code().text());
            assert_eq!(error, code, "{json}");
        }
    }
}
