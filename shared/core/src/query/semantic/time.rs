//! The grammar of periods: a lead ("since", 从), a point in the calendar, perhaps
//! a second one, and what may follow (以前).

use jiff::civil::{Date, Weekday};

use super::Reader;
use super::calendar::{Clock, Days, Part, Unit, in_year};
use super::token::Kind;

/// A period that was found, and the token after it.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) from: Option<Date>,
    pub(super) to: Option<Date>,
    /// Part of a year that is not named, so that another period of the text may name it.
    pub(super) yearless: Option<Part>,
    pub(super) end: usize,
}

/// A part of the calendar, as yet without a year perhaps.
#[derive(Debug, Clone, Copy)]
pub(super) struct Point {
    pub(super) part: Part,
    pub(super) year: Option<i16>,
    /// The word has other meanings as well: it needs "in" or the like before it.
    pub(super) weak: bool,
    pub(super) end: usize,
}

impl Point {
    pub(super) fn new(part: Part, year: Option<i16>, end: usize) -> Self {
        Self { part, year, weak: false, end }
    }

    pub(super) fn fixed(days: Option<Days>, end: usize) -> Option<Self> {
        Some(Self::new(Part::Fixed(days?), None, end))
    }

    fn is_fixed(&self) -> bool {
        matches!(self.part, Part::Fixed(_))
    }
}

/// How a period relates to the point that is named.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Relation {
    None,
    In,
    Of,
    /// 从: a range, or since.
    FromHan,
    Before,
    After,
    Since,
    Until,
    Between,
}

impl Reader<'_> {
    /// The period that begins at a token.
    pub(super) fn time(&self, i: usize) -> Option<Found> {
        // All Chinese ones begin with one of these, which spares a long text most of the work.
        const FIRST: &str =
            "〇零一二两三四五六七八九十几半今本去前大上下这当近最过昨春夏秋冬第圣元劳国从自直截在于";
        let may_begin = match self.kind(i)? {
            Kind::Han(c) => FIRST.contains(c),
            Kind::Mark(_) => false,
            Kind::Word | Kind::Number(..) => true,
        };
        if !may_begin {
            return None;
        }
        let (lead, start) = self.lead(i);
        // "in the early 90s" and "mid-2023" lose what has no borders.
        let mut j = self.skip(start, &["the"]);
        if matches!(self.word(j), "early" | "mid" | "late") {
            j = if self.mark(j + 1) == Some('-') { j + 2 } else { j + 1 };
        }
        if self.word(j) == "year" && matches!(self.kind(j + 1), Some(Kind::Number(_, 4))) {
            j += 1;
        }
        let strong = !matches!(lead, Relation::None | Relation::Of);
        let first = self.point(j, strong || j > start)?;
        let one_sided =
            matches!(lead, Relation::Before | Relation::After | Relation::Since | Relation::Until);
        if !one_sided && let Some(found) = self.range(first, strong, lead == Relation::Between) {
            return Some(found);
        }
        if matches!(first.part, Part::DayOnly(_)) || (first.weak && !strong) {
            return None;
        }
        let (from, to) = self.resolve(first)?;
        let (relation, end) = if one_sided { (lead, first.end) } else { self.tail(first.end, lead) };
        let end = if relation == Relation::Until { self.skip_han(end, &["为止"]) } else { end };
        let (from, to) = match relation {
            Relation::Before => (None, Some(from)),
            Relation::After => (Some(to), None),
            Relation::Since | Relation::FromHan => (Some(from), None),
            Relation::Until => (None, Some(to)),
            _ => (Some(from), Some(to)),
        };
        let is_whole = matches!(relation, Relation::None | Relation::In | Relation::Of);
        let yearless = (is_whole && first.year.is_none() && !first.is_fixed()).then_some(first.part);
        Some(Found { from, to, yearless, end })
    }

    fn lead(&self, i: usize) -> (Relation, usize) {
        let relation = match self.word(i) {
            "in" | "on" | "during" | "within" | "over" | "throughout" | "at" | "around" | "about"
            | "circa" | "from" | "dated" => Relation::In,
            "of" => Relation::Of,
            "before" | "pre" => Relation::Before,
            "after" | "post" => Relation::After,
            "since" => Relation::Since,
            "until" | "till" => Relation::Until,
            "between" => Relation::Between,
            "prior" | "earlier" | "older" if matches!(self.word(i + 1), "to" | "than") => {
                return (Relation::Before, i + 2);
            }
            "later" | "newer" if self.word(i + 1) == "than" => return (Relation::After, i + 2),
            "up" if self.word(i + 1) == "to" => return (Relation::Until, i + 2),
            _ => return self.lead_han(i),
        };
        let next =
            if matches!(self.word(i), "pre" | "post") && self.mark(i + 1) == Some('-') { 2 } else { 1 };
        (relation, i + next)
    }

    fn lead_han(&self, i: usize) -> (Relation, usize) {
        let leads: [(&[&str], Relation); 3] = [
            (&["自从", "从", "自"], Relation::FromHan),
            (&["直到", "截止到", "截至", "截止"], Relation::Until),
            (&["在", "于"], Relation::In),
        ];
        leads
            .iter()
            .find_map(|(words, relation)| Some((*relation, self.starts_any(i, words)?)))
            .unwrap_or((Relation::None, i))
    }

    /// What follows a point and says how the period relates to it.
    fn tail(&self, i: usize, lead: Relation) -> (Relation, usize) {
        let tails: [(&[&str], Relation); 5] = [
            (&["左右", "前后", "期间", "以内", "的时候", "当天"], Relation::In),
            (&["以前", "之前"], Relation::Before),
            (&["以后", "之后"], Relation::After),
            (&["以来", "至今", "到现在", "到今天", "到目前", "开始"], Relation::Since),
            (&["为止"], Relation::Until),
        ];
        for (words, relation) in tails {
            if let Some(end) = self.starts_any(i, words) {
                return (relation, end);
            }
        }
        // One character is more often the beginning of a name: 前门, 后海.
        let single = match self.han(i) {
            Some('前') => Some(Relation::Before),
            Some('后') => Some(Relation::After),
            Some('起') => Some(Relation::Since),
            Some('间' | '里') => Some(lead),
            _ => None,
        };
        if let Some(relation) = single.filter(|_| self.is_boundary(i + 1)) {
            return (relation, i + 1);
        }
        match self.word(i) {
            "onward" | "onwards" => (Relation::Since, i + 1),
            "and" | "or" if matches!(self.word(i + 1), "later" | "newer") => (Relation::Since, i + 2),
            "and" | "or" if matches!(self.word(i + 1), "earlier" | "older") => (Relation::Until, i + 2),
            _ => (lead, i),
        }
    }

    /// Whether a run of Chinese ends here, or 的 or 拍 goes on with it.
    pub(super) fn is_boundary(&self, i: usize) -> bool {
        matches!(self.han(i), None | Some('的' | '拍' | '在' | '我' | '所')) || self.media(i).is_some()
    }

    /// "to", "-", "..", 到; "and" and 和 only where "between" says so or 之间 follows.
    fn connector(&self, i: usize) -> Option<(usize, bool)> {
        match self.kind(i)? {
            Kind::Word => match self.word(i) {
                "to" | "until" | "till" | "through" | "thru" => Some((i + 1, false)),
                "and" => Some((i + 1, true)),
                _ => None,
            },
            Kind::Mark('-' | '\u{2010}'..='\u{2015}' | '~' | '\u{2026}' | '\u{301c}') => {
                // A dash is doubled in Chinese.
                let doubled = matches!(self.mark(i + 1), Some('\u{2014}' | '\u{2026}'));
                Some((if doubled { i + 2 } else { i + 1 }, false))
            }
            Kind::Mark('.') if self.mark(i + 1) == Some('.') => {
                Some((if self.mark(i + 2) == Some('.') { i + 3 } else { i + 2 }, false))
            }
            Kind::Han('到' | '至') => Some((i + 1, false)),
            Kind::Han('和' | '与' | '跟') => Some((i + 1, true)),
            _ => None,
        }
    }

    fn range(&self, first: Point, strong: bool, between: bool) -> Option<Found> {
        let (j, is_and) = self.connector(first.end)?;
        let open = match self.word(j) {
            "now" | "present" | "date" if !is_and => Some(j + 1),
            _ if is_and => None,
            _ => self.starts_any(j, &["现在", "目前", "今天", "今"]).filter(|end| self.is_boundary(*end)),
        };
        if let Some(end) = open
            && !matches!(first.part, Part::DayOnly(_))
        {
            return Some(Found { from: Some(self.resolve(first)?.0), to: None, yearless: None, end });
        }
        let j = self.skip(j, &["the"]);
        let mut second = self.point(j, true)?;
        if !strong && first.weak && second.weak {
            return None;
        }
        let after = self.starts_any(second.end, &["之间", "期间", "为止", "间"]);
        if is_and && !between && after.is_none() {
            return None;
        }
        let mut first = first;
        // "June 5-10, 2023" and "5-10 June 2023".
        match (first.part, second.part) {
            (Part::DayOnly(_), Part::DayOnly(_)) => return None,
            (Part::Days(month, _, 1), Part::DayOnly(day)) => {
                second.part = Part::Days(month, day, 1);
                if let Some((year, end)) = self.year_after(second.end).filter(|_| first.year.is_none()) {
                    (second.year, second.end) = (Some(year), end);
                }
            }
            (Part::DayOnly(day), Part::Days(month, _, 1)) => first.part = Part::Days(month, day, 1),
            (Part::DayOnly(_), _) | (_, Part::DayOnly(_)) => return None,
            _ => {}
        }
        let (one, two) = self.resolve_range(first, second)?;
        // A text that names the later one first means the same.
        Some(Found {
            from: Some(one.0.min(two.0)),
            to: Some(one.1.max(two.1)),
            yearless: None,
            end: after.unwrap_or(second.end),
        })
    }

    fn resolve(&self, point: Point) -> Option<Days> {
        match point.year {
            Some(year) => in_year(point.part, year),
            None => self.clock.latest(point.part),
        }
    }

    /// An end without a year has that of the other one, or the next or last.
    fn resolve_range(&self, first: Point, second: Point) -> Option<(Days, Days)> {
        let leads_to = |year: i16, two: Days| -> Option<Days> {
            let one = in_year(first.part, year)?;
            if one.0 > two.0 { in_year(first.part, year.checked_sub(1)?) } else { Some(one) }
        };
        match (first.year, second.year) {
            (Some(year), None) if !second.is_fixed() => {
                let one = in_year(first.part, year)?;
                let two = in_year(second.part, year)?;
                let two = if two.0 < one.0 { in_year(second.part, year.checked_add(1)?)? } else { two };
                Some((one, two))
            }
            (None, Some(year)) if !first.is_fixed() => {
                let two = in_year(second.part, year)?;
                Some((leads_to(year, two)?, two))
            }
            (None, None) if !first.is_fixed() && !second.is_fixed() => {
                let two = self.clock.latest(second.part)?;
                Some((leads_to(two.0.year(), two)?, two))
            }
            _ => Some((self.resolve(first)?, self.resolve(second)?)),
        }
    }

    /// A point in the calendar; `led` says that a word before it speaks of time.
    fn point(&self, i: usize, led: bool) -> Option<Point> {
        self.numeric_date(i)
            .or_else(|| self.point_han(i))
            .or_else(|| self.relative(i))
            .or_else(|| self.decade(i, led))
            .or_else(|| self.named_part(i))
            .or_else(|| self.bare_year(i, led))
            .or_else(|| self.bare_day(i))
    }

    /// Part of a year in either language.
    fn named_part(&self, i: usize) -> Option<Point> {
        let (part, weak, end) = self.part(i)?;
        let (year, end) = match self.year_after(end) {
            Some((year, end)) => (Some(year), end),
            None => (None, end),
        };
        Some(Point { part, year, weak: weak && year.is_none(), end })
    }

    /// "[of|,] 2023".
    fn year_after(&self, i: usize) -> Option<(i16, usize)> {
        let j = if self.word(i) == "of" || self.mark(i) == Some(',') { i + 1 } else { i };
        let Some(Kind::Number(year, 4)) = self.kind(j) else { return None };
        let year = Clock::is_year(year).filter(|_| year >= 1900)?;
        Some((year, if self.han(j + 1) == Some('年') { j + 2 } else { j + 1 }))
    }

    fn bare_year(&self, i: usize, led: bool) -> Option<Point> {
        let Some(Kind::Number(number, 4)) = self.kind(i) else { return None };
        let year = Clock::is_year(number).filter(|_| led || (1900..=2099).contains(&number))?;
        // 2000 pixels, 1920 × 1080, 2000张.
        let is_measure = matches!(self.mark(i + 1), Some('×' | '*' | '%'))
            || matches!(
                self.word(i + 1),
                "x" | "px" | "pixels" | "mb" | "kb" | "gb" | "km" | "m" | "meters" | "feet"
            )
            || matches!(self.han(i + 1), Some('张' | '个' | '米' | '元' | '块' | '人' | '万' | '次' | '像'));
        if is_measure || (i > 0 && matches!(self.mark(i - 1), Some('×' | '*' | '$' | '#'))) {
            return None;
        }
        // "2023 June 5", "2022 summer".
        if let Some((part, _, end)) = self.part(i + 1) {
            return Some(Point::new(part, Some(year), end));
        }
        Some(Point::new(Part::Months(1, 12), Some(year), i + 1))
    }

    fn bare_day(&self, i: usize) -> Option<Point> {
        let (day, end) = self.day(i)?;
        let end = self.skip_han(end, &["日", "号"]);
        Some(Point { part: Part::DayOnly(day), year: None, weak: true, end })
    }

    /// "2023-06-05", "2023/6/5", "2023-06", "20230605", "25.12.2022". A time of day is its day.
    fn numeric_date(&self, i: usize) -> Option<Point> {
        let Kind::Number(one, digits) = self.kind(i)? else { return None };
        let small = |value: u32| i8::try_from(value).ok();
        if digits == 8 {
            let year = Clock::is_year(one / 10_000).filter(|year| *year >= 1900)?;
            let part = Part::Days(small(one / 100 % 100)?, small(one % 100)?, 1);
            in_year(part, year)?;
            return Some(Point::new(part, Some(year), i + 1));
        }
        let mark = self.mark(i + 1).filter(|c| matches!(c, '-' | '/' | '.'))?;
        let is_glued = self.glued(i + 1) && self.glued(i + 2);
        let (two, two_digits) = self.number(i + 2).filter(|_| is_glued)?;
        let third = if self.mark(i + 3) == Some(mark) && self.glued(i + 3) && self.glued(i + 4) {
            self.number_with_time(i + 4)
        } else {
            None
        };
        if digits == 4 && two_digits <= 2 {
            let year = Clock::is_year(one)?;
            if let Some((day, end)) = third
                && let Some(part) = Some(Part::Days(small(two)?, small(day)?, 1))
                && in_year(part, year).is_some()
            {
                return Some(Point::new(part, Some(year), end));
            }
            // 2023.5 is rather a number.
            let part = Part::Months(small(two)?, 1);
            in_year(part, year).filter(|_| mark != '.' || two_digits == 2)?;
            return Some(Point::new(part, Some(year), i + 3));
        }
        // With the year last the day comes first, but with slashes the month does if it can.
        let (year, end) = third?;
        let year = Clock::is_year(year).filter(|_| digits <= 2 && two_digits <= 2)?;
        let american = (one, two);
        let orders = if mark == '/' { [american, (two, one)] } else { [(two, one), american] };
        orders.iter().find_map(|(month, day)| {
            let part = Part::Days(small(*month)?, small(*day)?, 1);
            in_year(part, year)?;
            Some(Point::new(part, Some(year), end))
        })
    }

    /// The last part of a numeric date, and the token after a time of day that is glued to it.
    fn number_with_time(&self, i: usize) -> Option<(u32, usize)> {
        if let Some((value, _)) = self.number(i) {
            return Some((value, i + 1));
        }
        let (day, time) = self.word(i).split_once('t')?;
        if day.len() != 2 || !time.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        let is_time = |j: &usize| {
            self.glued(*j)
                && match self.kind(*j) {
                    Some(Kind::Number(..)) => true,
                    Some(Kind::Mark(c)) => matches!(c, ':' | '.' | '+' | '-'),
                    Some(Kind::Word) => self.word(*j).ends_with('z'),
                    _ => false,
                }
        };
        let end = (i + 1..i + 10).find(|j| !is_time(j)).unwrap_or(i + 10);
        Some((day.parse().ok()?, end))
    }

    /// A day of a month: `5`, `5th`.
    fn day(&self, i: usize) -> Option<(i8, usize)> {
        let value = match self.kind(i)? {
            Kind::Number(value, 1 | 2) => value,
            Kind::Word => {
                let word = self.word(i);
                let digits = ["st", "nd", "rd", "th"].iter().find_map(|suffix| word.strip_suffix(suffix))?;
                digits.parse().ok()?
            }
            _ => return None,
        };
        let day = i8::try_from(value).ok().filter(|day| (1..=31).contains(day))?;
        Some((day, i + 1))
    }

    /// "today", "last week", "past 3 months", "two years ago".
    fn relative(&self, i: usize) -> Option<Point> {
        let clock = &self.clock;
        let fixed = Point::fixed;
        match self.word(i) {
            "today" | "tonight" => return fixed(clock.ago(0, Unit::Day), i + 1),
            "yesterday" => return fixed(clock.ago(1, Unit::Day), i + 1),
            "day" if self.word(i + 1) == "before" && self.word(i + 2) == "yesterday" => {
                return fixed(clock.ago(2, Unit::Day), i + 3);
            }
            which @ ("last" | "previous" | "past" | "this" | "current") => {
                return self.relative_to(which, i + 1);
            }
            _ => {}
        }
        let (count, end) = self.count(i)?;
        let unit = self.unit(end)?;
        if self.word(end + 1) != "ago" {
            return None;
        }
        fixed(clock.ago(count, unit), end + 2)
    }

    /// What follows "last", "past" or "this".
    fn relative_to(&self, which: &str, j: usize) -> Option<Point> {
        let clock = &self.clock;
        let fixed = Point::fixed;
        let is_this = matches!(which, "this" | "current");
        if let Some((count, end)) = self.count(j).filter(|_| !is_this) {
            return fixed(clock.recent(count, self.unit(end)?), end + 1);
        }
        if let Some(unit) = self.unit(j) {
            // "The past month" ends today, "last month" with its last day.
            let days = match which {
                "past" => clock.recent(1, unit),
                _ if is_this => clock.ago(0, unit),
                _ => clock.ago(1, unit),
            };
            return fixed(days, j + 1);
        }
        match self.word(j) {
            "weekend" => return fixed(clock.of_week(u32::from(!is_this), 5, 2), j + 1),
            "morning" | "afternoon" | "evening" if is_this => return fixed(clock.ago(0, Unit::Day), j + 1),
            "night" if !is_this => {
                let (from, to) = (clock.ago(1, Unit::Day)?.0, clock.today.tomorrow().ok()?);
                return fixed(Some((from, to)), j + 1);
            }
            word => {
                if let Some(day) = weekday(word) {
                    return fixed(clock.weekday(day, !is_this), j + 1);
                }
            }
        }
        let (part, _, end) = self.part(j)?;
        if matches!(part, Part::Fixed(_)) {
            return None;
        }
        fixed(if is_this { clock.this(part) } else { clock.latest_ended(part) }, end)
    }

    /// "3", "three", "a", "a couple of", "few".
    fn count(&self, i: usize) -> Option<(u32, usize)> {
        if let Some((value, _)) = self.number(i) {
            return Some((value, i + 1));
        }
        const NUMBERS: [&str; 13] = [
            "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
            "twelve",
        ];
        let j = self.skip(i, &["a", "an"]);
        match self.word(j) {
            "couple" => Some((2, self.skip(j + 1, &["of"]))),
            // Rather too many than too few.
            "few" | "several" => Some((5, j + 1)),
            _ if j > i => Some((1, j)),
            word => Some((u32::try_from(NUMBERS.iter().position(|number| *number == word)?).ok()?, j + 1)),
        }
    }

    fn unit(&self, i: usize) -> Option<Unit> {
        Some(match self.word(i) {
            "hour" | "hours" => Unit::Hour,
            "day" | "days" => Unit::Day,
            "week" | "weeks" => Unit::Week,
            "month" | "months" => Unit::Month,
            "year" | "years" => Unit::Year,
            "decade" | "decades" => Unit::Decade,
            _ => return None,
        })
    }

    /// "1990s", "90s", "nineties".
    fn decade(&self, i: usize, led: bool) -> Option<Point> {
        let names =
            ["twenties", "thirties", "forties", "fifties", "sixties", "seventies", "eighties", "nineties"];
        // "1990's" is three tokens.
        if let Some((value, 2 | 4)) = self.number(i)
            && value.is_multiple_of(10)
            && matches!(self.mark(i + 1), Some('\'' | '\u{2019}'))
            && self.word(i + 2) == "s"
            && self.glued(i + 1)
            && self.glued(i + 2)
        {
            return if value < 100 { self.decade_of(value, i + 3) } else { self.years(value, 10, i + 3) };
        }
        let word = self.word(i);
        if let Some(at) = names.iter().position(|name| *name == word) {
            return self.decade_of(u32::try_from(at * 10 + 20).ok()?, i + 1);
        }
        let digits = word.strip_suffix('s').filter(|digits| digits.chars().all(|c| c.is_ascii_digit()))?;
        let value: u32 = digits.parse().ok().filter(|value| value % 10 == 0)?;
        match digits.len() {
            // "30s" may as well be seconds.
            2 if led || value >= 50 || value == 0 => self.decade_of(value, i + 1),
            // The 1800s are a century.
            4 if value.is_multiple_of(100) && value < 2000 => self.years(value, 100, i + 1),
            4 => self.years(value, 10, i + 1),
            _ => None,
        }
    }

    /// The decade of two digits that began last.
    pub(super) fn decade_of(&self, value: u32, end: usize) -> Option<Point> {
        let this = u32::try_from(self.clock.today.year()).ok()?;
        let century = this - this % 100;
        let year =
            if century + value <= this { century + value } else { (century + value).checked_sub(100)? };
        self.years(year, 10, end)
    }

    pub(super) fn years(&self, first: u32, count: u32, end: usize) -> Option<Point> {
        let (from, _) = Clock::year(Clock::is_year(first)?)?;
        let (_, to) = Clock::year(Clock::is_year(first + count - 1)?)?;
        Point::fixed(Some((from, to)), end)
    }

    /// A month, day, season, holiday or day of the week: the part, whether the word is weak, the end.
    fn part(&self, i: usize) -> Option<(Part, bool, usize)> {
        if let Some(found) = self.part_han(i) {
            return Some(found);
        }
        if let Some((day, j)) = self.day(i) {
            let j = self.skip(j, &["of"]);
            let (month, _) = month(self.word(j))?;
            return Some((Part::Days(month, day, 1), false, self.skip_dot(j)));
        }
        let word = self.word(i);
        if let Some((month, weak)) = month(word) {
            let j = self.skip_dot(i);
            let k = self.skip(j, &["the"]);
            if let Some((day, end)) = self.day(k) {
                return Some((Part::Days(month, day, 1), false, end));
            }
            return Some((Part::Months(month, 1), weak, j));
        }
        let found = match word {
            "spring" => (Part::Months(3, 3), i + 1),
            "summer" => (Part::Months(6, 3), i + 1),
            "autumn" | "fall" => (Part::Months(9, 3), i + 1),
            "winter" => (Part::Months(12, 3), i + 1),
            "q1" => (Part::Months(1, 3), i + 1),
            "q2" => (Part::Months(4, 3), i + 1),
            "q3" => (Part::Months(7, 3), i + 1),
            "q4" => (Part::Months(10, 3), i + 1),
            "christmas" | "xmas" => match self.word(i + 1) {
                "eve" => (Part::Days(12, 24, 1), i + 2),
                "day" => (Part::Days(12, 25, 1), i + 2),
                _ => (Part::Days(12, 24, 3), i + 1),
            },
            "halloween" => (Part::Days(10, 31, 1), i + 1),
            "valentine" | "valentines" if self.word(i + 1) == "day" => (Part::Days(2, 14, 1), i + 2),
            "new" if matches!(self.word(i + 1), "year" | "years") => match self.word(i + 2) {
                "eve" => (Part::Days(12, 31, 1), i + 3),
                "day" => (Part::Days(1, 1, 1), i + 3),
                _ => return None,
            },
            _ => (Part::Fixed(self.clock.weekday(weekday(word)?, false)?), i + 1),
        };
        Some((found.0, true, found.1))
    }

    /// After a month, and the dot that may end its abbreviation.
    fn skip_dot(&self, i: usize) -> usize {
        if self.mark(i + 1) == Some('.') && self.mark(i + 2) != Some('.') && self.word(i).len() < 5 {
            i + 2
        } else {
            i + 1
        }
    }
}

/// The month, and whether its name has other meanings.
fn month(word: &str) -> Option<(i8, bool)> {
    const NAMES: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    let at = NAMES.iter().position(|name| {
        *name == word
            || (word.len() == 3 && name.starts_with(word))
            || (*name == "september" && word == "sept")
    })?;
    let weak = word.len() <= 3 || word == "march";
    Some((i8::try_from(at).ok()? + 1, weak))
}

fn weekday(word: &str) -> Option<Weekday> {
    Some(match word {
        "monday" => Weekday::Monday,
        "tuesday" => Weekday::Tuesday,
        "wednesday" => Weekday::Wednesday,
        "thursday" => Weekday::Thursday,
        "friday" => Weekday::Friday,
        "saturday" => Weekday::Saturday,
        "sunday" => Weekday::Sunday,
        _ => return None,
    })
}
