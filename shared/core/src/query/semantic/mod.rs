//! What the text of a SemanticQuery asks for, without a model: media types, a
//! period, places, and what is left as labels. English and Chinese.
//!
//! The text is read once from left to right; at each token the longest of what
//! can begin there is taken, so the work grows with the length of the text.

mod calendar;
mod chinese;
mod place;
#[cfg(test)]
mod tests;
mod time;
mod token;
mod words;

use std::collections::HashSet;

use serde::{Serialize, Serializer};

use calendar::{Clock, nanoseconds};
use time::Found;
use token::{Kind, Token, narrow, tokens};

/// What a text was understood as. Part of the reply, so that a person can see it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Parse {
    /// "image", "video", "audio", "document" or "archive"; any of them is asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub media_types: Vec<&'static str>,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<Period>,
    /// Where, as written; full-width letters are narrow.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub places: Vec<String>,
    /// What is left: words in lower case or runs of Chinese, without stop words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
}

/// A half-open period in UTC; either end may be open, not both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Period {
    /// Nanoseconds since the epoch, inclusive.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "rfc_3339")]
    pub from: Option<i64>,
    /// Nanoseconds since the epoch, exclusive.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "rfc_3339")]
    pub to: Option<i64>,
    /// The words that say so.
    pub text: String,
}

/// Times are numbers inside and text outside, like all times of the API.
fn rfc_3339<S: Serializer>(time: &Option<i64>, serializer: S) -> Result<S::Ok, S::Error> {
    match time.and_then(|time| jiff::Timestamp::from_nanosecond(i128::from(time)).ok()) {
        Some(time) => serializer.collect_str(&time),
        None => serializer.serialize_none(),
    }
}

impl Parse {
    /// Whether no media type, period or place was understood.
    pub fn is_empty(&self) -> bool {
        self.media_types.is_empty() && self.time.is_none() && self.places.is_empty()
    }
}

impl Period {
    fn new(found: &Found, text: &str) -> Option<Self> {
        let ns = |day: Option<jiff::civil::Date>| match day {
            Some(day) => nanoseconds(day).map(Some),
            None => Some(None),
        };
        let period = Self { from: ns(found.from)?, to: ns(found.to)?, text: text.to_owned() };
        (period.from.is_some() || period.to.is_some()).then_some(period)
    }

    /// Periods of one text hold together ("2023 ... in June"), or, where they
    /// exclude each other ("2020 and 2022"), span all from the first to the last.
    fn join(self, other: Self) -> Self {
        let max = self.from.max(other.from);
        let min = match (self.to, other.to) {
            (Some(one), Some(two)) => Some(one.min(two)),
            (one, two) => one.or(two),
        };
        let is_proper = max.zip(min).is_none_or(|(from, to)| from < to);
        let (from, to) = if is_proper {
            (max, min)
        } else {
            (
                self.from.zip(other.from).map(|(one, two)| one.min(two)),
                self.to.zip(other.to).map(|(one, two)| one.max(two)),
            )
        };
        // "Before 2020 or after 2022" excludes a period in the middle, which cannot be said: no period.
        let mut text = self.text;
        if text != other.text {
            text.push_str(", ");
            text.push_str(&other.text);
        }
        Self { from, to, text }
    }
}

/// Reads a text; never fails, as what is not understood becomes a label. `now` is
/// what "last year" counts from.
pub fn parse(text: &str, now: jiff::Timestamp) -> Parse {
    let text = narrow(text);
    let reader = Reader { text: &text, tokens: tokens(&text), clock: Clock::new(now) };
    reader.parse()
}

/// The tokens of a text and questions about them. Positions beyond the end are
/// allowed and nothing is there.
struct Reader<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    clock: Clock,
}

impl Reader<'_> {
    fn parse(&self) -> Parse {
        let mut parse = Parse::default();
        let mut periods: Vec<(Period, Found)> = Vec::new();
        let mut labels = Seen::default();
        let mut places = Seen::default();
        let mut i = 0;
        while let Some(token) = self.tokens.get(i) {
            let found = self.time(i).filter(|found| found.end > i);
            if let Some(found) = found
                && let Some(period) = Period::new(&found, self.between(i, found.end))
            {
                i = found.end;
                if periods.last().map(|(last, _)| last) != Some(&period) {
                    periods.push((period, found));
                }
            } else if let Some((media, end)) = self.media(i) {
                if !parse.media_types.contains(&media) {
                    parse.media_types.push(media);
                }
                i = end;
            } else if let Some(found) = self.place(i) {
                found.places.into_iter().for_each(|place| places.add(place));
                found.labels.into_iter().for_each(|label| labels.add(label));
                i = found.end;
            } else if let Some(end) = self.stop_word(i) {
                i = end;
            } else {
                i = match token.kind {
                    Kind::Mark(_) => i + 1,
                    Kind::Han(_) => {
                        let end = self.han_run(i).max(i + 1);
                        self.split_and(i, end).into_iter().for_each(|label| labels.add(label.to_owned()));
                        end
                    }
                    Kind::Number(..) => {
                        labels.add(self.between(i, i + 1).to_owned());
                        i + 1
                    }
                    Kind::Word => {
                        let end = self.hyphenated(i);
                        labels.add(if end == i + 1 {
                            token.lower.clone()
                        } else {
                            self.between(i, end).to_lowercase()
                        });
                        end
                    }
                };
            }
        }
        parse.time = join(periods);
        parse.places = places.list;
        parse.labels = labels.list;
        parse
    }

    fn kind(&self, i: usize) -> Option<Kind> {
        self.tokens.get(i).map(|token| token.kind)
    }

    /// The word in lower case; empty where there is none.
    fn word(&self, i: usize) -> &str {
        match self.tokens.get(i) {
            Some(Token { kind: Kind::Word, lower, .. }) => lower,
            _ => "",
        }
    }

    fn han(&self, i: usize) -> Option<char> {
        match self.kind(i)? {
            Kind::Han(c) => Some(c),
            _ => None,
        }
    }

    fn mark(&self, i: usize) -> Option<char> {
        match self.kind(i)? {
            Kind::Mark(c) => Some(c),
            _ => None,
        }
    }

    /// A number and how many digits it has.
    fn number(&self, i: usize) -> Option<(u32, usize)> {
        match self.kind(i)? {
            Kind::Number(value, digits) => Some((value, digits)),
            _ => None,
        }
    }

    /// Whether there is no blank before the token.
    fn glued(&self, i: usize) -> bool {
        let end = i.checked_sub(1).and_then(|before| self.tokens.get(before)).map(|token| token.end);
        end.is_some() && end == self.tokens.get(i).map(|token| token.start)
    }

    /// The text from a token up to another one.
    fn between(&self, from: usize, end: usize) -> &str {
        let start = self.tokens.get(from).map(|token| token.start);
        let end = end.checked_sub(1).and_then(|last| self.tokens.get(last)).map(|token| token.end);
        start.zip(end).and_then(|(start, end)| self.text.get(start..end)).unwrap_or_default()
    }

    /// The token after this Chinese text, if it is here.
    fn starts(&self, i: usize, text: &str) -> Option<usize> {
        let mut end = i;
        for c in text.chars() {
            if self.han(end) != Some(c) {
                return None;
            }
            end += 1;
        }
        Some(end)
    }

    /// The token after the first of these Chinese texts that is here; longer ones come first.
    fn starts_any(&self, i: usize, texts: &[&str]) -> Option<usize> {
        self.han(i)?;
        texts.iter().find_map(|text| self.starts(i, text))
    }

    fn skip(&self, i: usize, words: &[&str]) -> usize {
        if words.contains(&self.word(i)) { i + 1 } else { i }
    }

    fn skip_han(&self, i: usize, texts: &[&str]) -> usize {
        self.starts_any(i, texts).unwrap_or(i)
    }

    /// The token after a word and what hyphens join to it.
    fn hyphenated(&self, i: usize) -> usize {
        let mut end = i + 1;
        while self.mark(end) == Some('-')
            && self.glued(end)
            && self.glued(end + 1)
            && matches!(self.kind(end + 1), Some(Kind::Word | Kind::Number(..)))
        {
            end += 2;
        }
        end
    }
}

/// The period that all of the text names.
fn join(periods: Vec<(Period, Found)>) -> Option<Period> {
    // "2023 ... in June" is the June of 2023: the first period of a year or less says which.
    let anchor = periods.iter().find_map(|(_, found)| match (found.yearless, found.from, found.to) {
        (None, Some(from), Some(to)) => {
            (from.duration_until(to).as_hours() <= 366 * 24).then_some((from, to))
        }
        _ => None,
    });
    periods
        .into_iter()
        .map(|(period, found)| {
            let Some((part, (from, to))) = found.yearless.zip(anchor) else { return period };
            let days = [from.year(), to.year()].into_iter().find_map(|year| {
                calendar::in_year(part, year).filter(|(begin, end)| *begin < to && from < *end)
            });
            let Some((begin, end)) = days else { return period };
            let found = Found { from: Some(begin), to: Some(end), ..found };
            Period::new(&found, &period.text).unwrap_or(period)
        })
        .reduce(Period::join)
        .filter(|period| period.from.is_some() || period.to.is_some())
}

/// A list without repetitions.
#[derive(Default)]
struct Seen {
    list: Vec<String>,
    known: HashSet<String>,
}

impl Seen {
    fn add(&mut self, text: String) {
        if !text.is_empty() && self.known.insert(text.clone()) {
            self.list.push(text);
        }
    }
}
