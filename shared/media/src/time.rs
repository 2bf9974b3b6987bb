//! Dates as files write them, checked, and written as RFC 3339. Nothing here
//! knows this machine's zone (semantics.md F.3).

/// A moment on a wall clock, with the offset from UTC where it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stamp {
    year: i32,
    month: u32,
    day: u32,
    hour: u32,
    minute: u32,
    second: u32,
    /// Digits after the second, without the point.
    fraction: String,
    /// Minutes east of UTC.
    pub(crate) offset: Option<i32>,
}

/// Seconds from 1904-01-01 (QuickTime, ISO base media) to 1970-01-01.
const QUICKTIME_TO_UNIX: i64 = 2_082_844_800;

impl Stamp {
    fn checked(date: (i32, u32, u32), time: (u32, u32, u32)) -> Option<Stamp> {
        let ((year, month, day), (hour, minute, second)) = (date, time);
        // A leap second is written by some cameras; RFC 3339 allows it.
        let fits = (1000..=9999).contains(&year)
            && (1..=12).contains(&month)
            && (1..=month_days(year, month)).contains(&day)
            && hour < 24
            && minute < 60
            && second <= 60;
        fits.then(|| Stamp { year, month, day, hour, minute, second, fraction: String::new(), offset: None })
    }

    /// The forms of [`Stamp::numeric`], and dates with the month in words.
    pub(crate) fn parse(text: &str) -> Option<Stamp> {
        Stamp::numeric(text).or_else(|| Stamp::in_words(text))
    }

    /// RFC 1123 (`Thu, 25 Aug 2016 10:11:12 +0200`) and C's `Thu Aug 25 10:11:12 2016`.
    fn in_words(text: &str) -> Option<Stamp> {
        const MONTHS: [&str; 12] =
            ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
        let (mut year, mut month, mut day, mut time, mut offset) = (None, None, None, None, None);
        for word in text.get(..text.len().min(64))?.split([' ', ',', '\0', '\n', '\r', '\t']) {
            let lead = word.get(..3).unwrap_or_default().to_ascii_lowercase();
            if let Some(at) = MONTHS.iter().position(|m| *m == lead) {
                month = month.or(u32::try_from(at + 1).ok());
            } else if word.contains(':') && time.is_none() {
                let mut digits = Scanner { rest: word };
                let hour = digits.number(2, 1)?;
                digits.skip([':']);
                let minute = digits.number(2, 2)?;
                time = Some((hour, minute, if digits.skip([':']) { digits.number(2, 2)? } else { 0 }));
            } else if time.is_some() && word.starts_with(['+', '-']) {
                offset = offset.or_else(|| parse_offset(word));
            } else if time.is_some() && matches!(word, "GMT" | "UTC" | "UT" | "Z") {
                offset = offset.or(Some(0));
            } else if word.len() == 4 && year.is_none() {
                year = word.parse().ok();
            } else if (1..=2).contains(&word.len()) && day.is_none() {
                day = word.parse().ok();
            }
        }
        let stamp = Stamp::checked((year?, month?, day?), time?)?;
        Some(Stamp { offset, ..stamp })
    }

    /// EXIF (`2021:04:11 15:47:53`, in some cameras with `PM`), ISO 8601 and XMP (`2021-04-11T15:47:53.5-05:00`,
    /// also without time), IPTC and PDF (`D:20210411154753-05'00'`) forms.
    fn numeric(text: &str) -> Option<Stamp> {
        let text = text.trim().trim_matches('\0');
        let text = text.strip_prefix("D:").unwrap_or(text);
        let mut digits = Scanner { rest: text };
        let year = digits.number(4, 4)? as i32;
        digits.skip([':', '-', '/', '.']);
        let Some(month) = digits.number(2, 1) else {
            return Stamp::checked((year, 1, 1), (0, 0, 0)).filter(|_| digits.rest.is_empty());
        };
        digits.skip([':', '-', '/', '.']);
        let Some(day) = digits.number(2, 1) else {
            return Stamp::checked((year, month, 1), (0, 0, 0)).filter(|_| digits.rest.is_empty());
        };
        while digits.skip([' ', 'T', 't', ':', '.']) {}
        let Some(hour) = digits.number(2, 1) else {
            return Stamp::checked((year, month, day), (0, 0, 0)).filter(|_| digits.rest.is_empty());
        };
        digits.skip([':', '.']);
        let minute = digits.number(2, 1).unwrap_or(0);
        digits.skip([':', '.']);
        let second = digits.number(2, 1).unwrap_or(0);
        let half = digits.rest.trim_start().get(..2).map(str::to_ascii_lowercase);
        let hour = match (half.as_deref(), hour) {
            (Some("pm"), 1..=11) => hour + 12,
            (Some("am"), 12) => 0,
            _ => hour,
        };
        let mut stamp = Stamp::checked((year, month, day), (hour, minute, second))?;
        if digits.skip(['.', ',']) {
            stamp.fraction = digits.digits(9).trim_end_matches('0').to_owned();
        }
        stamp.offset = parse_offset(digits.rest);
        Some(stamp)
    }

    /// Seconds since 1904, UTC. None for 0 and for what lies before 1970 or after
    /// 2100, which no real file means.
    pub(crate) fn from_quicktime(seconds: u64) -> Option<Stamp> {
        let unix = i64::try_from(seconds).ok()?.checked_sub(QUICKTIME_TO_UNIX)?;
        // Some writers count from 1970.
        let unix = if unix < 0 && seconds > 631_152_000 { seconds as i64 } else { unix };
        (1..4_102_444_800).contains(&unix).then(|| Stamp::from_unix(unix)).flatten()
    }

    /// Whether both name the same day.
    pub(crate) fn same_day(&self, other: &Stamp) -> bool {
        (self.year, self.month, self.day) == (other.year, other.month, other.day)
    }

    /// Whether the time is what a day alone is read as.
    pub(crate) fn is_midnight(&self) -> bool {
        (self.hour, self.minute, self.second) == (0, 0, 0)
    }

    /// Seconds since 1970, UTC.
    pub(crate) fn from_unix(seconds: i64) -> Option<Stamp> {
        let days = seconds.div_euclid(86_400);
        let time = seconds.rem_euclid(86_400) as u32;
        let (year, month, day) = civil(days)?;
        let mut stamp = Stamp::checked((year, month, day), (time / 3600, time / 60 % 60, time % 60))?;
        stamp.offset = Some(0);
        Some(stamp)
    }

    /// 100 ns ticks since 1601 (Windows FILETIME), UTC.
    pub(crate) fn from_filetime(ticks: u64) -> Option<Stamp> {
        let unix = i64::try_from(ticks / 10_000_000).ok()?.checked_sub(11_644_473_600)?;
        (1..4_102_444_800).contains(&unix).then(|| Stamp::from_unix(unix)).flatten()
    }

    /// As UTC, where the text names no offset.
    pub(crate) fn or_utc(mut self) -> Stamp {
        self.offset = self.offset.or(Some(0));
        self
    }

    /// Gives the moment an offset: a time without one keeps what its clock showed, one
    /// with another offset is told as clocks there showed it. False, and nothing
    /// changed, where no such date can be written.
    #[cfg(feature = "geocode")]
    pub(crate) fn move_to(&mut self, minutes: i32) -> bool {
        let by = i64::from(minutes - self.offset.unwrap_or(minutes)) * 60;
        if by == 0 {
            self.offset = Some(minutes);
            return true;
        }
        match Stamp::from_unix(self.wall_seconds() + by) {
            Some(moved) => {
                let fraction = std::mem::take(&mut self.fraction);
                *self = Stamp { fraction, offset: Some(minutes), ..moved };
                true
            }
            None => false,
        }
    }

    /// Sets the digits after the second (EXIF SubSecTime).
    pub(crate) fn with_fraction(mut self, digits: &str) -> Stamp {
        let digits = digits.trim();
        if !digits.is_empty() && digits.len() <= 9 && digits.bytes().all(|b| b.is_ascii_digit()) {
            self.fraction = digits.to_owned();
        }
        self
    }

    /// Seconds on its own wall clock, counted as if that were UTC.
    pub(crate) fn wall_seconds(&self) -> i64 {
        days_from_civil(self.year, self.month, self.day) * 86_400
            + i64::from(self.hour * 3600 + self.minute * 60 + self.second)
    }

    /// RFC 3339; `+00:00` where the offset is unknown.
    pub(crate) fn rfc3339(&self) -> String {
        let Stamp { year, month, day, hour, minute, second, fraction, .. } = self;
        let point = if fraction.is_empty() { "" } else { "." };
        let zone = format_offset(self.offset.unwrap_or(0));
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{point}{fraction}{zone}")
    }
}

/// `+hh:mm`.
pub(crate) fn format_offset(minutes: i32) -> String {
    let sign = if minutes < 0 { '-' } else { '+' };
    format!("{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
}

/// `Z`, `+hh:mm`, `+hhmm`, `+hh`, `-05'00'`; minutes east of UTC.
pub(crate) fn parse_offset(text: &str) -> Option<i32> {
    let text = text.trim().trim_matches('\0').trim();
    if text.starts_with(['Z', 'z']) {
        return Some(0);
    }
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let mut digits = Scanner { rest };
    let hours = digits.number(2, 1)? as i32;
    digits.skip([':', '\'']);
    let minutes = digits.number(2, 2).unwrap_or(0) as i32;
    (hours <= 14 && minutes < 60).then_some(sign * (hours * 60 + minutes))
}

/// Offsets that zones have or had, beside whole hours, in minutes.
const ODD_OFFSETS: &[i32] =
    &[-570, -270, -210, -150, 210, 270, 330, 345, 390, 450, 510, 525, 570, 630, 690, 765, 825];

/// The offset that makes `local` the same moment as the UTC time `gps`, where the two are
/// near enough to be one (within two minutes: a GPS fix may be older than the picture)
/// and where there is such a zone.
pub(crate) fn offset_from_utc(local: &Stamp, gps: &Stamp) -> Option<i32> {
    let diff = local.wall_seconds() - gps.wall_seconds();
    let quarters = (diff as f64 / 900.0).round() as i64;
    let near = (diff - quarters * 900).abs() <= 120 && quarters.abs() <= 14 * 4;
    let minutes = (quarters * 15) as i32;
    // -150 is the summer of Newfoundland, +150 nowhere.
    let exists = (minutes % 60 == 0 && minutes >= -720) || ODD_OFFSETS.contains(&minutes);
    (near && exists).then_some(minutes)
}

struct Scanner<'a> {
    rest: &'a str,
}

impl<'a> Scanner<'a> {
    /// Up to `max` digits.
    fn digits(&mut self, max: usize) -> &'a str {
        let n = self.rest.bytes().take(max).take_while(u8::is_ascii_digit).count();
        let (digits, rest) = self.rest.split_at(n);
        self.rest = rest;
        digits
    }

    /// A number of `min..=max` digits.
    fn number(&mut self, max: usize, min: usize) -> Option<u32> {
        let before = self.rest;
        let digits = self.digits(max);
        if digits.len() < min {
            self.rest = before;
            return None;
        }
        digits.parse().ok()
    }

    fn skip<const N: usize>(&mut self, any: [char; N]) -> bool {
        match self.rest.strip_prefix(any) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }
}

fn leap(year: i32) -> bool {
    (year % 4 == 0 && year % 100 != 0) || year % 400 == 0
}

fn month_days(year: i32, month: u32) -> u32 {
    match month {
        2 if leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 (Hinnant's algorithm).
fn days_from_civil(year: i32, month: u32, day: u32) -> i64 {
    let y = i64::from(if month <= 2 { year - 1 } else { year });
    let era = y.div_euclid(400);
    let yoe = y.rem_euclid(400);
    let mp = i64::from((month + 9) % 12);
    let doy = (153 * mp + 2) / 5 + i64::from(day) - 1;
    era * 146_097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719_468
}

fn civil(days: i64) -> Option<(i32, u32, u32)> {
    let z = days.checked_add(719_468)?;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = (doy - (153 * mp + 2) / 5 + 1) as u32;
    let month = if mp < 10 { mp + 3 } else { mp - 9 } as u32;
    let year = yoe + era * 400 + i64::from(month <= 2);
    Some((i32::try_from(year).ok()?, month, day))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_files_use() {
        let table = [
            ("2021:04:11 15:47:53", Some("2021-04-11T15:47:53+00:00")),
            ("2021:04:11 15:47:53.50-05:00", Some("2021-04-11T15:47:53.5-05:00")),
            ("2021-04-11T15:47:53Z", Some("2021-04-11T15:47:53+00:00")),
            ("2021-04-11", Some("2021-04-11T00:00:00+00:00")),
            ("2021", Some("2021-01-01T00:00:00+00:00")),
            ("D:20110526180351-07'00'", Some("2011-05-26T18:03:51-07:00")),
            ("20210411", Some("2021-04-11T00:00:00+00:00")),
            ("0000:00:00 00:00:00", None),
            ("2021:13:01 00:00:00", None),
            ("2021:02:29 00:00:00", None),
            ("2021:02:28 24:00:00", None),
            ("    :  :     :  :  ", None),
            ("", None),
            ("2024:02:21 03:14:22 PM", Some("2024-02-21T15:14:22+00:00")),
            ("2024:02:21 12:14:22 am", Some("2024-02-21T00:14:22+00:00")),
            ("Thu, 25 Aug 2016 10:11:12 +0200", Some("2016-08-25T10:11:12+02:00")),
            ("25 August 2016 10:11 GMT", Some("2016-08-25T10:11:00+00:00")),
            ("Sat Oct 30 14:03:51 2010\n", Some("2010-10-30T14:03:51+00:00")),
            ("Sat Oct 30 2010", None),
            ("maybe later", None),
        ];
        for (text, want) in table {
            assert_eq!(Stamp::parse(text).map(|s| s.rfc3339()).as_deref(), want, "{text}");
        }
    }

    #[test]
    fn epochs() {
        let qt = Stamp::from_quicktime(3_290_808_407).map(|s| s.rfc3339());
        assert_eq!(qt.as_deref(), Some("2008-04-12T01:26:47+00:00"));
        assert_eq!(Stamp::from_quicktime(0), None);
        assert_eq!(
            Stamp::from_unix(951_782_400).map(|s| s.rfc3339()).as_deref(),
            Some("2000-02-29T00:00:00+00:00")
        );
    }

    #[test]
    fn gps_time_gives_the_offset_only_where_it_fits() {
        let local = Stamp::parse("2021:04:11 15:47:53").unwrap();
        let at = |s| offset_from_utc(&local, &Stamp::parse(s).unwrap());
        assert_eq!(at("2021:04:11 20:47:20"), Some(-300));
        assert_eq!(at("2021:04:11 10:02:30"), Some(345));
        assert_eq!(at("2021:04:11 20:40:00"), None);
        assert_eq!(at("2021:04:13 15:47:53"), None);
        // No zone has these offsets.
        assert_eq!(at("2021:04:11 14:02:53"), None);
        assert_eq!(at("2021:04:12 04:47:53"), None);
        assert_eq!(at("2021:04:11 13:17:53"), None);
    }
}
