//! The points of the calendar as Chinese names them.

use super::Reader;
use super::calendar::{Clock, Part, Unit};
use super::time::Point;
use super::token::Kind;

impl Reader<'_> {
    /// A point of time in Chinese.
    pub(super) fn point_han(&self, i: usize) -> Option<Point> {
        // All of them begin with a numeral or one of few characters.
        self.ago_han(i)
            .or_else(|| self.recent_han(i))
            .or_else(|| self.decade_han(i))
            .or_else(|| self.day_han(i))
            .or_else(|| self.week_han(i))
            .or_else(|| self.month_han(i))
            .or_else(|| self.year_han(i))
    }

    /// A numeral: digits, 二〇二三, 二十三, 两, 几; and the token after it.
    fn numeral(&self, i: usize) -> Option<(u32, usize)> {
        if let Some((value, _)) = self.number(i) {
            return Some((value, i + 1));
        }
        let digit = |j: usize| -> Option<u32> {
            Some(match self.han(j)? {
                '〇' | '零' => 0,
                '一' => 1,
                '二' | '两' => 2,
                '三' => 3,
                '四' => 4,
                '五' => 5,
                '六' => 6,
                '七' => 7,
                '八' => 8,
                '九' => 9,
                _ => return None,
            })
        };
        // Rather too many than too few.
        if self.han(i) == Some('几') {
            return Some((5, i + 1));
        }
        let (mut total, mut current, mut plain, mut j) = (0_u32, None, 0, i);
        // No numeral of a time is longer.
        while j < i + 8 {
            let unit = match self.han(j) {
                Some('十') => 10,
                Some('百') => 100,
                _ => {
                    let Some(value) = digit(j) else { break };
                    // Digits that follow one another are positional.
                    current = Some(current.unwrap_or(0_u32).checked_mul(10)?.checked_add(value)?);
                    plain += 1;
                    j += 1;
                    continue;
                }
            };
            if plain > 1 {
                break;
            }
            total += current.take().unwrap_or(1) * unit;
            plain = 0;
            j += 1;
        }
        (j > i).then_some((total + current.unwrap_or(0), j))
    }

    /// 天, 周, 个月, 年.
    fn unit_han(&self, i: usize) -> Option<(Unit, usize)> {
        let units: [(&[&str], Unit); 5] = [
            (&["个小时", "小时"], Unit::Hour),
            (&["天", "日"], Unit::Day),
            (&["个星期", "个礼拜", "星期", "礼拜", "周"], Unit::Week),
            (&["个月", "月"], Unit::Month),
            (&["年"], Unit::Year),
        ];
        units.iter().find_map(|(words, unit)| Some((*unit, self.starts_any(i, words)?)))
    }

    /// How long: 七天, 半年.
    fn length_han(&self, i: usize) -> Option<(u32, Unit, usize)> {
        for (text, count, unit) in [("半年", 6, Unit::Month), ("半个月", 15, Unit::Day)] {
            if let Some(end) = self.starts(i, text) {
                return Some((count, unit, end));
            }
        }
        let (count, j) = self.numeral(i)?;
        // 2020年 is not so long.
        let (unit, end) = self.unit_han(j).filter(|_| count < 1000)?;
        Some((count, unit, end))
    }

    /// 两年前 is that year; 三个月内 reaches until today. 6月前 is before June.
    fn ago_han(&self, i: usize) -> Option<Point> {
        let (count, unit, end) = self.length_han(i)?;
        if let Some(end) = self.starts_any(end, &["以内", "之内"]) {
            return Point::fixed(self.clock.recent(count, unit), end);
        }
        if self.han(end) == Some('内') && self.is_boundary(end + 1) {
            return Point::fixed(self.clock.recent(count, unit), end + 1);
        }
        if matches!(self.han(end - 1), Some('日')) || (unit == Unit::Month && self.han(end - 2) != Some('个'))
        {
            return None;
        }
        let end = self.starts_any(end, &["以前", "之前", "前"])?;
        Point::fixed(self.clock.ago(count, unit), end)
    }

    /// 最近7天, 近三个月, 过去两周, 这几天.
    fn recent_han(&self, i: usize) -> Option<Point> {
        let j = self.starts_any(i, &["最近", "过去", "近", "这"])?;
        let j = self.skip_han(j, &["的"]);
        let (count, unit, end) = self.length_han(j)?;
        // 这一年 and 这一周 go on until today as well.
        Point::fixed(self.clock.recent(count, unit), end)
    }

    /// 九十年代, 90年代, 2010年代, 上世纪80年代.
    fn decade_han(&self, i: usize) -> Option<Point> {
        let year = u32::try_from(self.clock.today.year()).ok()?;
        let mut century = None;
        let mut j = i;
        if let Some(end) = self.starts_any(i, &["上个世纪", "上世纪"]) {
            (century, j) = ((year - year % 100).checked_sub(100), end);
        } else if let Some((number, end)) = self.numeral(i)
            && let Some(end) = self.starts(end, "世纪")
        {
            (century, j) = (number.checked_sub(1).and_then(|n| n.checked_mul(100)), end);
            // A century by itself: 19世纪.
            if self.numeral(end).is_none() {
                return self.years(century?, 100, end);
            }
        }
        let (value, end) = self.numeral(j)?;
        let end = self.starts(end, "年代").filter(|_| value.is_multiple_of(10))?;
        match (century, value) {
            (Some(century), 0..100) => self.years(century + value, 10, end),
            (None, 0..100) => self.decade_of(value, end),
            (None, _) => self.years(value, 10, end),
            _ => None,
        }
    }

    fn day_han(&self, i: usize) -> Option<Point> {
        let days: [(&[&str], u32); 4] = [
            (&["今天", "今日", "今早", "今晚"], 0),
            (&["昨天", "昨日", "昨晚", "昨夜"], 1),
            (&["大前天"], 3),
            (&["前天", "前日"], 2),
        ];
        days.iter().find_map(|(words, ago)| {
            let end = self.starts_any(i, words)?;
            Point::fixed(self.clock.ago(*ago, Unit::Day), end)
        })
    }

    /// 上周, 本周末, 上周三.
    fn week_han(&self, i: usize) -> Option<Point> {
        let weeks: [(&[&str], u32); 3] = [
            (&["上上个星期", "上上星期", "上上周"], 2),
            (&["上一个星期", "上个星期", "上个礼拜", "上星期", "上礼拜", "上一周", "上周"], 1),
            (&["这个星期", "这个礼拜", "本星期", "这星期", "这礼拜", "本周", "这周"], 0),
        ];
        let (ago, end) = weeks.iter().find_map(|(words, ago)| Some((*ago, self.starts_any(i, words)?)))?;
        if self.han(end) == Some('末') {
            return Point::fixed(self.clock.of_week(ago, 5, 2), end + 1);
        }
        let day = match self.han(end) {
            Some('一') => Some(0),
            Some('二') => Some(1),
            Some('三') => Some(2),
            Some('四') => Some(3),
            Some('五') => Some(4),
            Some('六') => Some(5),
            Some('日' | '天') => Some(6),
            _ => None,
        };
        // 上周日本…, 上周一起…
        match day.filter(|_| !matches!(self.han(end + 1), Some('本' | '起' | '个' | '些' | '家'))) {
            Some(day) => Point::fixed(self.clock.of_week(ago, day, 1), end + 1),
            None => Point::fixed(self.clock.ago(ago, Unit::Week), end),
        }
    }

    /// 上个月, 本月5号.
    fn month_han(&self, i: usize) -> Option<Point> {
        let months: [(&[&str], u32); 3] = [
            (&["上上个月", "上上月"], 2),
            (&["上一个月", "上个月", "上月"], 1),
            (&["这个月", "本月", "这月", "当月"], 0),
        ];
        let (ago, end) = months.iter().find_map(|(words, ago)| Some((*ago, self.starts_any(i, words)?)))?;
        let (from, to) = self.clock.ago(ago, Unit::Month)?;
        if let Some((day, end)) = self.day_of_month(end) {
            return Some(Point::new(Part::Days(from.month(), day, 1), Some(from.year()), end));
        }
        Point::fixed(Some((from, to)), self.third_of_month(end))
    }

    /// 2023年, 二〇二三年, 23年, 去年; then perhaps 6月5日, 夏天, 圣诞节.
    fn year_han(&self, i: usize) -> Option<Point> {
        let (year, end) = self.year_number(i).or_else(|| {
            let years: [(&[&str], i16); 4] =
                [(&["今年", "本年"], 0), (&["去年", "上一年"], 1), (&["大前年"], 3), (&["前年"], 2)];
            years
                .iter()
                .find_map(|(words, ago)| Some((self.clock.year_ago(*ago), self.starts_any(i, words)?)))
        })?;
        let after = self.skip_han(end, &["的"]);
        if let Some((part, _, end)) = self.part_han(after).or_else(|| self.season_char(end)) {
            return Some(Point::new(part, Some(year), end));
        }
        let is_initial =
            self.han(end) == Some('初') && !matches!(self.han(end + 1), Some('中' | '级' | '恋'));
        let end =
            if is_initial || matches!(self.han(end), Some('底' | '末' | '度')) { end + 1 } else { end };
        Some(Point::new(Part::Months(1, 12), Some(year), end))
    }

    fn year_number(&self, i: usize) -> Option<(i16, usize)> {
        let (value, j) = self.numeral(i)?;
        let end = self.starts(j, "年")?;
        // 99年 and 23年 leave the century out; 3年 is a length.
        let two_digits = matches!(self.kind(i), Some(Kind::Number(_, 2))) || (j == i + 2 && value < 100);
        let is_positional = !(i..j).any(|k| self.han(k) == Some('十'));
        if two_digits && is_positional {
            let this = u32::try_from(self.clock.today.year()).ok()?;
            let century = this - this % 100;
            let year =
                if century + value > this { (century + value).checked_sub(100)? } else { century + value };
            return Some((Clock::is_year(year)?, end));
        }
        Some((Clock::is_year(value)?, end))
    }

    /// 2023年夏: one character, where nothing makes another word of it.
    fn season_char(&self, i: usize) -> Option<(Part, bool, usize)> {
        let first = match self.han(i)? {
            '春' => 3,
            '夏' => 6,
            '秋' => 9,
            '冬' => 12,
            _ => return None,
        };
        self.is_boundary(i + 1).then_some((Part::Months(first, 3), false, i + 1))
    }

    /// 6月, 6月5日, 夏天, 第一季度, 圣诞节.
    pub(super) fn part_han(&self, i: usize) -> Option<(Part, bool, usize)> {
        if let Some((month, j)) = self.numeral(i)
            && let Some(end) = self.starts_any(j, &["月份", "月"])
        {
            let month = i8::try_from(month).ok().filter(|month| (1..=12).contains(month))?;
            return Some(match self.day_of_month(end) {
                Some((day, end)) => (Part::Days(month, day, 1), false, end),
                None => (Part::Months(month, 1), false, self.third_of_month(end)),
            });
        }
        let names: [(&[&str], Part, bool); 14] = [
            (&["春天", "春季"], Part::Months(3, 3), false),
            (&["夏天", "夏季"], Part::Months(6, 3), false),
            (&["秋天", "秋季"], Part::Months(9, 3), false),
            (&["冬天", "冬季"], Part::Months(12, 3), false),
            (&["上半年"], Part::Months(1, 6), true),
            (&["下半年"], Part::Months(7, 6), true),
            (&["第一季度", "一季度"], Part::Months(1, 3), true),
            (&["第二季度", "二季度"], Part::Months(4, 3), true),
            (&["第三季度", "三季度"], Part::Months(7, 3), true),
            (&["第四季度", "四季度"], Part::Months(10, 3), true),
            (&["圣诞节", "圣诞"], Part::Days(12, 24, 3), true),
            (&["元旦"], Part::Days(1, 1, 1), true),
            (&["劳动节"], Part::Days(5, 1, 1), true),
            (&["国庆节", "国庆"], Part::Days(10, 1, 7), true),
        ];
        names.iter().find_map(|(words, part, weak)| Some((*part, *weak, self.starts_any(i, words)?)))
    }

    fn day_of_month(&self, i: usize) -> Option<(i8, usize)> {
        let (day, j) = self.numeral(i)?;
        let end = self.starts_any(j, &["日", "号"])?;
        Some((i8::try_from(day).ok().filter(|day| (1..=31).contains(day))?, end))
    }

    /// 6月初 is read as the whole month.
    fn third_of_month(&self, i: usize) -> usize {
        match self.starts_any(i, &["上旬", "中旬", "下旬"]) {
            Some(end) => end,
            None if matches!(self.han(i), Some('初' | '底' | '末')) && self.is_boundary(i + 1) => i + 1,
            None => i,
        }
    }
}
