//! Points in time: RFC 3339 with nanoseconds on the wire, nanoseconds since
//! the epoch inside.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A point in time, in nanoseconds since 1970-01-01T00:00:00Z.
///
/// Written as RFC 3339 with nine fractional digits and `Z`, the shape of the
/// API's RFC3339Nano times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The present time.
    pub fn now() -> Self {
        let system = || i64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap_or(i64::MAX);
        Self(crate::simulation::now().unwrap_or_else(system))
    }

    /// From whole seconds since the epoch.
    pub fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000_000_000))
    }

    /// Whole seconds since the epoch.
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000_000)
    }

    /// Whole milliseconds since the epoch.
    pub fn millis(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// Reads RFC 3339 in any of its forms: `Z` or an offset, a blank or `T`,
    /// with or without a fraction. `None` when it is something else.
    pub fn parse(text: &str) -> Option<Self> {
        let stamp: jiff::Timestamp = text.trim().parse().ok()?;
        i64::try_from(stamp.as_nanosecond()).ok().map(Self)
    }

    /// The same, and dates and times without a zone, which are UTC: `2008-01-31`
    /// is the midnight that the day begins with. Not for what must name its zone,
    /// such as the dates of signatures.
    pub fn parse_or_utc(text: &str) -> Option<Self> {
        Self::parse(text).or_else(|| {
            // What names a zone after all is not taken for UTC.
            let is_plain = |c: char| c.is_ascii_digit() || matches!(c, '-' | ':' | '.' | ' ' | 'T' | 't');
            let text = text.trim();
            if !text.chars().all(is_plain) || text.matches('-').count() != 2 {
                return None;
            }
            let civil: jiff::civil::DateTime = text.parse().ok()?;
            let stamp = civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
            i64::try_from(stamp.as_nanosecond()).ok().map(Self)
        })
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_nanosecond(i128::from(self.0)) {
            Ok(stamp) => write!(f, "{stamp:.9}"),
            Err(_) => f.write_str("1970-01-01T00:00:00.000000000Z"),
        }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse_or_utc(&text)
            .ok_or_else(|| serde::de::Error::custom("expected an RFC 3339 time or a date"))
    }
}

/// Seconds since the epoch as RFC 3339, the form that task times have.
pub fn format_seconds(seconds: i64) -> String {
    Timestamp::from_seconds(seconds).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_3339_both_ways() {
        let stamp = Timestamp(1_624_949_413_011_643_661);
        assert_eq!(stamp.to_string(), "2021-06-29T06:50:13.011643661Z");
        for same in
            ["2021-06-29T14:50:13.011643661+08:00", "2021-06-29 06:50:13.011643661Z", &stamp.to_string()]
        {
            assert_eq!(Timestamp::parse(same), Some(stamp), "{same}");
        }
        for wrong in ["", "yesterday", "2021-06-29", "2021-06-29T14:50:13"] {
            assert_eq!(Timestamp::parse(wrong), None, "{wrong}");
        }
        let day = Timestamp(1_624_924_800_000_000_000);
        let table = [
            ("2021-06-29", Some(day)),
            (" 2021-06-29 ", Some(day)),
            ("2021-06-29T00:00:00", Some(day)),
            ("2021-06-29 00:00", Some(day)),
            ("2021-06-29T08:00:00+08:00", Some(day)),
            ("2021-06-29T08:00:00[Europe/Paris]", None),
            ("2021-06-29T08:00-99", None),
            ("2021-06", None),
            ("2021", None),
            ("2021-02-30", None),
            ("yesterday", None),
        ];
        for (text, want) in table {
            assert_eq!(Timestamp::parse_or_utc(text), want, "{text}");
        }
        assert_eq!(Timestamp::from_seconds(0).to_string(), "1970-01-01T00:00:00.000000000Z");
        assert_eq!(Timestamp(-1).seconds(), -1);
    }
}
