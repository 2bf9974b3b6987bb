//! Calendar arithmetic in UTC: parts of a year, and periods relative to today.

use jiff::Span;
use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;

/// Half-open days.
pub(super) type Days = (Date, Date);

/// A part of a year, or days that are known already.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Part {
    /// Some days.
    Fixed(Days),
    /// Whole months: the first of them and how many.
    Months(i8, i8),
    /// Days: month, day and how many.
    Days(i8, i8, i8),
    /// A day of a month that the other end of a range names.
    DayOnly(i8),
}

/// Units of time that a text counts in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Unit {
    Hour,
    Day,
    Week,
    Month,
    Year,
    Decade,
}

/// The present, in UTC.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    pub(super) today: Date,
    now: jiff::Timestamp,
}

impl Clock {
    pub(super) fn new(now: jiff::Timestamp) -> Self {
        Self { today: now.to_zoned(TimeZone::UTC).date(), now }
    }

    /// The years that have nanoseconds, with room for arithmetic.
    pub(super) fn is_year(year: u32) -> Option<i16> {
        (1700..=2200).contains(&year).then(|| i16::try_from(year).ok()).flatten()
    }

    pub(super) fn year(year: i16) -> Option<Days> {
        in_year(Part::Months(1, 12), year)
    }

    /// The year `ago` years before this one.
    pub(super) fn year_ago(&self, ago: i16) -> i16 {
        self.today.year().saturating_sub(ago)
    }

    /// The latest one that has begun. Nine years contain a 29 February.
    pub(super) fn latest(&self, part: Part) -> Option<Days> {
        self.latest_where(part, |(from, _)| from <= self.today)
    }

    /// The latest one that is over.
    pub(super) fn latest_ended(&self, part: Part) -> Option<Days> {
        self.latest_where(part, |(_, to)| to <= self.today)
    }

    fn latest_where(&self, part: Part, holds: impl Fn(Days) -> bool) -> Option<Days> {
        (0..9).filter_map(|ago| in_year(part, self.year_ago(ago))).find(|days| holds(*days))
    }

    /// The one that is on, or of this year.
    pub(super) fn this(&self, part: Part) -> Option<Days> {
        let days = self.latest(part)?;
        if days.1 > self.today { Some(days) } else { in_year(part, self.today.year()) }
    }

    /// Today and `count` units before it.
    pub(super) fn recent(&self, count: u32, unit: Unit) -> Option<Days> {
        let to = self.today.tomorrow().ok()?;
        let from = if unit == Unit::Hour {
            let span = Span::new().try_hours(i64::from(count)).ok()?;
            self.now.checked_sub(span).ok()?.to_zoned(TimeZone::UTC).date()
        } else {
            self.today.checked_sub(span(count, unit)?).ok()?
        };
        Some((from, to))
    }

    /// The calendar day, week, month, year or decade `count` of them ago; 0 is the present one.
    pub(super) fn ago(&self, count: u32, unit: Unit) -> Option<Days> {
        if unit == Unit::Hour {
            let (from, _) = self.recent(count, unit)?;
            return Some((from, from.tomorrow().ok()?));
        }
        let day = self.today.checked_sub(span(count, unit)?).ok()?;
        let from = match unit {
            Unit::Hour | Unit::Day => day,
            Unit::Week => self.monday_of(day)?,
            Unit::Month => day.first_of_month(),
            Unit::Year => day.first_of_year(),
            Unit::Decade => Date::new(day.year() - day.year().rem_euclid(10), 1, 1).ok()?,
        };
        Some((from, from.checked_add(span(1, unit)?).ok()?))
    }

    /// Weeks begin on Monday.
    fn monday_of(&self, day: Date) -> Option<Date> {
        day.checked_sub(span(u32::try_from(day.weekday().to_monday_zero_offset()).ok()?, Unit::Day)?).ok()
    }

    /// The latest such day of the week, today included unless it must be before.
    pub(super) fn weekday(&self, weekday: Weekday, before_today: bool) -> Option<Days> {
        let back = self.today.weekday().since(weekday);
        let back = if back == 0 && before_today { 7 } else { back };
        self.ago(u32::try_from(back).ok()?, Unit::Day)
    }

    /// Days of the week `weeks` ago: the first, with Monday as 0, and how many.
    pub(super) fn of_week(&self, weeks: u32, first: u32, count: u32) -> Option<Days> {
        let (monday, _) = self.ago(weeks, Unit::Week)?;
        let from = monday.checked_add(span(first, Unit::Day)?).ok()?;
        Some((from, from.checked_add(span(count, Unit::Day)?).ok()?))
    }
}

fn span(count: u32, unit: Unit) -> Option<Span> {
    let count = i64::from(count);
    match unit {
        Unit::Hour => Span::new().try_hours(count),
        Unit::Day => Span::new().try_days(count),
        Unit::Week => Span::new().try_weeks(count),
        Unit::Month => Span::new().try_months(count),
        Unit::Year => Span::new().try_years(count),
        Unit::Decade => Span::new().try_years(count * 10),
    }
    .ok()
}

/// The part of this year; `None` for days that the year does not have.
pub(super) fn in_year(part: Part, year: i16) -> Option<Days> {
    let (from, span) = match part {
        Part::Fixed(days) => return Some(days),
        Part::Months(first, count) => (Date::new(year, first, 1).ok()?, Span::new().try_months(count).ok()?),
        Part::Days(month, day, count) => {
            (Date::new(year, month, day).ok()?, Span::new().try_days(count).ok()?)
        }
        Part::DayOnly(_) => return None,
    };
    Some((from, from.checked_add(span).ok()?))
}

/// The nanosecond at which a day begins.
pub(super) fn nanoseconds(day: Date) -> Option<i64> {
    let zoned = day.to_zoned(TimeZone::UTC).ok()?;
    i64::try_from(zoned.timestamp().as_nanosecond()).ok()
}
