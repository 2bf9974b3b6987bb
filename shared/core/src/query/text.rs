//! Words: how a text is searched for, and how well a file answers.
//!
//! Case, accents and the width of characters do not matter. Scripts that put no
//! blanks between words (Chinese, Japanese, and Korean with its particles) are
//! looked for as they stand, anywhere in a text.

use std::borrow::Cow;

use serde_json::Value;
use unicode_normalization::UnicodeNormalization;

use crate::error::{Error, Result};
use crate::file::Document;
use crate::model::Limits;

/// The fields that a text is looked for in, and how much a find in each weighs.
pub(crate) const TEXT_FIELDS: &[(&str, f64)] = &[
    ("Title", 4.0),
    ("CustomLabels", 3.0),
    ("Keywords", 3.0),
    ("Labels", 3.0),
    ("OSSTagging", 2.0),
    ("Persons", 3.0),
    ("HierarchicalKeywords", 2.0),
    ("Headline", 2.0),
    ("City", 2.0),
    ("Genre", 2.0),
    ("Artist", 2.0),
    ("AlbumArtist", 2.0),
    ("Album", 2.0),
    ("Authors", 2.0),
    ("Addresses", 2.0),
    ("Filename", 1.5),
    ("Description", 1.0),
    ("URI", 0.5),
    (DOCUMENT_TEXT, 0.3),
];

/// What the text of a document is called here. It is no field: replies do not show it.
pub(crate) const DOCUMENT_TEXT: &str = "DocumentText";

/// The fields that a place is looked for in.
pub(crate) const PLACE_FIELDS: &[(&str, f64)] = &[
    ("Addresses", 4.0),
    ("CustomLabels", 2.0),
    ("Keywords", 2.0),
    ("Title", 2.0),
    ("Description", 1.0),
    ("Filename", 1.0),
];

/// One thing that must be found.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Term {
    /// A whole word.
    Word(String),
    /// The beginning of a word: the last one, which may still be being typed.
    Prefix(String),
    /// Characters of a script without blanks.
    Run(String),
    /// Words that follow one another.
    Phrase(Vec<String>),
}

/// A text to look for: each of its words must be found in some field.
#[derive(Debug, Clone, PartialEq)]
pub struct TextQuery {
    terms: Vec<Term>,
    fields: &'static [(&'static str, f64)],
}

/// Whether a character belongs to a script that is written without blanks, or
/// (Korean) sticks particles to its words.
fn is_run(c: char) -> bool {
    matches!(u32::from(c),
        0x1100..=0x11FF | 0x2E80..=0x2FDF | 0x3005..=0x3007 | 0x3021..=0x3029 | 0x3040..=0x30FF
        | 0x3105..=0x318F | 0x31A0..=0x31FF | 0x3400..=0x4DBF | 0x4E00..=0x9FFF | 0xA960..=0xA97F
        | 0xAC00..=0xD7FF | 0xF900..=0xFAFF | 0x20000..=0x3FFFF)
        || matches!(u32::from(c), 0x0E00..=0x0EFF | 0x1000..=0x109F | 0x1780..=0x17FF)
}

/// Lower case, without accents, in the usual width.
fn fold(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return match text.bytes().any(|b| b.is_ascii_uppercase()) {
            true => Cow::Owned(text.to_ascii_lowercase()),
            false => Cow::Borrowed(text),
        };
    }
    // Only the accents of European scripts: in others such marks are letters.
    let folded = text.nfkd().filter(|c| !matches!(u32::from(*c), 0x0300..=0x036F)).nfc();
    Cow::Owned(folded.flat_map(char::to_lowercase).collect())
}

/// The words and runs of a folded text, in their order.
fn pieces(folded: &str) -> impl Iterator<Item = &str> {
    folded.split(|c: char| !c.is_alphanumeric() && !is_mark(c)).filter(|part| !part.is_empty()).flat_map(
        |part| {
            // A change between scripts with and without blanks is a border as well.
            let mut rest = part;
            std::iter::from_fn(move || {
                let first = rest.chars().next()?;
                let end = rest.find(|c| is_run(c) != is_run(first)).unwrap_or(rest.len());
                let (piece, after) = rest.split_at(end);
                rest = after;
                Some(piece)
            })
        },
    )
}

/// Vowel signs of scripts that write them as marks.
fn is_mark(c: char) -> bool {
    matches!(u32::from(c), 0x0900..=0x0DFF | 0x0E31..=0x0E4E | 0x3099 | 0x309A)
}

impl TextQuery {
    /// Reads a query: all words must be found, the last one as a beginning.
    ///
    /// # Errors
    /// `InvalidArgument` without any word, `LimitExceededError` with too many.
    pub fn new(query: &str) -> Result<Self> {
        let folded = fold(query);
        let mut terms: Vec<Term> = pieces(&folded)
            .map(|piece| match piece.chars().next() {
                Some(first) if is_run(first) => Term::Run(piece.to_owned()),
                _ => Term::Word(piece.to_owned()),
            })
            .collect();
        if let Some(Term::Word(word)) = terms.last() {
            let word = word.clone();
            terms.pop();
            terms.push(Term::Prefix(word));
        }
        Self::of(terms)
    }

    /// Looks for words that follow one another, whole.
    ///
    /// # Errors
    /// As [`TextQuery::new`].
    pub fn phrase(query: &str) -> Result<Self> {
        let words: Vec<String> = pieces(&fold(query)).map(str::to_owned).collect();
        Self::of(if words.is_empty() { Vec::new() } else { vec![Term::Phrase(words)] })
    }

    fn of(terms: Vec<Term>) -> Result<Self> {
        if terms.is_empty() {
            return Err(Error::invalid("Query", "It needs at least one letter or digit to look for."));
        }
        if terms.len() > Limits::QUERY_CONDITIONS {
            return Err(Error::limit_exceeded(format!(
                "A text may have {} words to look for.",
                Limits::QUERY_CONDITIONS
            )));
        }
        Ok(Self { terms, fields: TEXT_FIELDS })
    }

    /// The same, in some of the fields only.
    pub(crate) fn within(self, fields: &'static [(&'static str, f64)]) -> Self {
        Self { fields, ..self }
    }

    /// The fields that it looks at.
    pub(crate) fn fields(&self) -> impl Iterator<Item = &'static str> {
        self.fields.iter().map(|(name, _)| *name)
    }

    /// How well a document answers: above 0, or `None` where a word is missing.
    /// A find weighs more in a title than in a path, in a short text than in a
    /// long one, as a whole word than as a beginning.
    pub(crate) fn score(&self, document: &Document) -> Option<f64> {
        let mut best = vec![0.0f64; self.terms.len()];
        for (name, weight) in self.fields {
            if let Some(value) = document.get(*name) {
                texts(value, &mut |text| self.look(text, *weight, &mut best));
            }
        }
        best.iter().all(|score| *score > 0.0).then(|| best.iter().sum())
    }

    fn look(&self, text: &str, weight: f64, best: &mut [f64]) {
        let folded = fold(text);
        let words: Vec<&str> = pieces(&folded).collect();
        if words.is_empty() {
            return;
        }
        let weight = weight / (1.0 + (words.len() as f64).ln() / 4.0);
        for (term, best) in self.terms.iter().zip(best) {
            let found = match term {
                Term::Word(word) => f64::from(u8::from(words.contains(&word.as_str()))),
                Term::Prefix(prefix) if words.contains(&prefix.as_str()) => 1.0,
                Term::Prefix(prefix) => {
                    0.6 * f64::from(u8::from(words.iter().any(|w| w.starts_with(prefix.as_str()))))
                }
                Term::Run(run) => f64::from(u8::from(folded.contains(run.as_str()))),
                Term::Phrase(phrase) => {
                    let fits = |at: &[&str]| at.iter().zip(phrase).all(|(word, want)| word == want);
                    let whole = words.windows(phrase.len()).any(fits);
                    let run = phrase.len() == 1
                        && phrase
                            .first()
                            .is_some_and(|p| p.chars().all(is_run) && folded.contains(p.as_str()));
                    f64::from(u8::from(whole || run))
                }
            };
            *best = best.max(found * weight);
        }
    }
}

/// Calls `see` with every text in a value: keys (of labels) as well as values,
/// but not the names of members of nested types.
fn texts(value: &Value, see: &mut dyn FnMut(&str)) {
    match value {
        Value::String(text) => see(text),
        Value::Array(items) => items.iter().for_each(|item| match item {
            Value::Object(members) => {
                members.iter().filter(|(name, _)| *name != "Language").for_each(|(_, inner)| {
                    if inner.is_string() {
                        texts(inner, see);
                    }
                });
            }
            other => texts(other, see),
        }),
        Value::Object(map) => map.iter().for_each(|(key, inner)| {
            see(key);
            texts(inner, see);
        }),
        Value::Number(number) => see(&number.to_string()),
        _ => {}
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

    fn document() -> Document {
        let Value::Object(document) = json!({
            "URI": "oss://bucket/Trips/2021/IMG_0042 Café.jpg", "Filename": "Trips/2021/IMG_0042 Café.jpg",
            "Title": "Sun set over the Bay", "CustomLabels": {"category": "Pets"},
            "Keywords": ["北京旅行", "ＦＵＬＬ"], "Description": "서울에서 찍은 사진, 東京タワー",
            "Addresses": [{"City": "San Francisco", "Country": "United States", "Language": "en"}]
        }) else {
            return Document::new();
        };
        document
    }

    #[test]
    fn all_words_must_be_found() {
        let table = [
            ("sun", true),
            ("SUN bay", true),
            ("sun moon", false),
            ("ba", true),
            ("ba sun", false),
            ("cafe", true),
            ("CAFÉ", true),
            ("img_0042", true),
            ("0042.jpg", true),
            ("trips img", true),
            ("pets", true),
            ("category", true),
            ("北京", true),
            ("旅行", true),
            ("北京 旅行 sun", true),
            ("上海", false),
            ("서울", true),
            ("タワー", true),
            ("full", true),
            ("san fran", true),
            ("en", false),
        ];
        for (query, want) in table {
            let found = TextQuery::new(query).unwrap().score(&document()).is_some();
            assert_eq!(found, want, "{query}");
        }
        assert!(TextQuery::new(" ?! ").is_err());
        assert!(TextQuery::new(&"a ".repeat(200)).is_err());
    }

    #[test]
    fn phrases_follow_one_another() {
        for (query, want) in
            [("sun set", true), ("set sun", false), ("sun", true), ("su", false), ("北京", true)]
        {
            let found = TextQuery::phrase(query).unwrap().score(&document()).is_some();
            assert_eq!(found, want, "{query}");
        }
    }

    #[test]
    fn a_title_weighs_more_than_a_path_and_a_word_more_than_its_beginning() {
        let score = |field: &str, text: &str| {
            let document = Document::from_iter([(field.to_owned(), Value::from(text))]);
            TextQuery::new("sun").unwrap().score(&document).unwrap()
        };
        assert!(score("Title", "sun") > score("URI", "oss://b/sun.jpg"));
        assert!(score("Title", "sun") > score("Title", "sunny"));
        assert!(score("Title", "the sun") > score("Title", "the sun over many other words of a long title"));
    }
}
