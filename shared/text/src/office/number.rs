//! Numbers of spreadsheets as text: dates are numbers with a format.

/// What a number's format makes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Number,
    Date,
}

impl Format {
    /// A format that every program knows by its number.
    pub(crate) fn of_number(number: u32) -> Format {
        match number {
            14..=22 | 27..=36 | 45..=47 | 50..=58 => Format::Date,
            _ => Format::Number,
        }
    }

    /// A format that is written out: one with days, months, years or hours outside of
    /// quotation marks and brackets.
    pub(crate) fn of_text(text: &str) -> Format {
        let (mut quoted, mut bracket, mut escaped) = (false, false, false);
        for c in text.chars() {
            match c {
                _ if escaped => escaped = false,
                '"' => quoted = !quoted,
                _ if quoted => {}
                '\\' | '_' | '*' => escaped = true,
                '[' => bracket = true,
                ']' => bracket = false,
                _ if bracket => {}
                'd' | 'm' | 'y' | 'h' | 's' | 'D' | 'M' | 'Y' | 'H' | 'S' => return Format::Date,
                _ => {}
            }
        }
        Format::Number
    }
}

/// A number as it is shown. Days are counted from 1900, or from 1904.
pub(crate) fn shown(value: f64, format: Format, from_1904: bool) -> String {
    if format == Format::Date
        && let Some(date) = date(value, from_1904)
    {
        return date;
    }
    if value.abs() >= 1e15 || (value != 0.0 && value.abs() < 1e-9) {
        format!("{value:e}")
    } else {
        value.to_string()
    }
}

fn date(value: f64, from_1904: bool) -> Option<String> {
    // The year 9999 ends before this day.
    if !(0.0..2_958_466.0).contains(&value) {
        return None;
    }
    let seconds = (value.fract() * 86_400.0).round() as i64;
    let day = value.trunc() as i64 + seconds / 86_400;
    let time = seconds % 86_400;
    let clock = format!("{:02}:{:02}:{:02}", time / 3600, time / 60 % 60, time % 60);
    if day == 0 && !from_1904 {
        return Some(clock);
    }
    // The 29 February 1900, which was none, is day 60.
    let day = if from_1904 { day + 1462 } else { day + i64::from(day < 60) };
    // Days since 0000-03-01; 1899-12-30 is day 693,899 of them.
    let days = day + 693_899;
    let era = days / 146_097;
    let of_era = days % 146_097;
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = era * 400 + year_of_era + carry;
    let date = format!("{year:04}-{month:02}-{day:02}");
    Some(if time == 0 { date } else { format!("{date} {clock}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_numbers() {
        for (value, format, from_1904, want) in [
            (44_197.0, Format::Date, false, "2021-01-01"),
            (44_197.5, Format::Date, false, "2021-01-01 12:00:00"),
            (1.0, Format::Date, false, "1900-01-01"),
            (61.0, Format::Date, false, "1900-03-01"),
            (0.25, Format::Date, false, "06:00:00"),
            (0.0, Format::Date, true, "1904-01-01"),
            (42_735.0, Format::Date, true, "2021-01-01"),
            (-1.0, Format::Date, false, "-1"),
            (0.1, Format::Number, false, "0.1"),
            (12.0, Format::Number, false, "12"),
            (1e300, Format::Number, false, "1e300"),
        ] {
            assert_eq!(shown(value, format, from_1904), want);
        }
        assert_eq!(Format::of_text("yyyy\\-mm"), Format::Date);
        assert_eq!(Format::of_text("[Red]0.00 \"days\""), Format::Number);
        assert_eq!(Format::of_text("#,##0_d"), Format::Number);
    }
}
