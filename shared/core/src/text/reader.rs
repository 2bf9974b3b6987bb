//! Reading the text of a document that is in memory.

use std::fmt;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use mediadex_text::{Error, Limits, extract};
use serde::{Deserialize, Serialize};

use super::TEXT_BYTES;

/// Bytes of a document's content that its reader may hold decompressed at once.
const MEMORY: u64 = 64 * 1024 * 1024;
/// What a reader may take: less than functions and child processes may, so that
/// it can say that its time was up.
const TIME: Duration = Duration::from_secs(45);

/// The text of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentText {
    /// The text, at most [`TEXT_BYTES`].
    pub text: String,
    /// Whether more than that was in the document.
    pub truncated: bool,
    /// What was not read, in plain words.
    pub notes: Vec<String>,
}

/// Why a document gave no text; the texts are for its owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum TextFailure {
    /// No reader knows documents of this content type.
    Unsupported(String),
    /// It is encrypted with a password.
    Encrypted,
    /// There is no text in it, such as in scanned pages.
    NoText(String),
    /// It is not what it should be.
    Damaged(String),
    /// Reading it took more than it may.
    Limit(String),
}

impl fmt::Display for TextFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsupported(content_type) => write!(f, "the text of {content_type} is not read"),
            Self::Encrypted => f.write_str("the document is encrypted with a password"),
            Self::NoText(why) => write!(f, "there is no text in the document: {why}"),
            Self::Damaged(why) => write!(f, "the document is damaged: {why}"),
            Self::Limit(why) => write!(f, "reading the text met a limit: {why}"),
        }
    }
}

impl From<Error> for TextFailure {
    fn from(error: Error) -> Self {
        match error {
            Error::Unsupported(content_type) => Self::Unsupported(content_type),
            Error::Encrypted => Self::Encrypted,
            Error::NoText(why) => Self::NoText(why),
            Error::Damaged(why) => Self::Damaged(why),
            Error::Limit(why) => Self::Limit(why),
        }
    }
}

/// Reads the text of documents.
#[async_trait]
pub trait TextReader: Send + Sync {
    /// The text of a document of a content type.
    ///
    /// # Errors
    /// The outer one when the reader itself could not do its work, which may go
    /// well another time; the inner one when the document gives no text.
    async fn read(
        &self,
        content: Vec<u8>,
        content_type: String,
    ) -> crate::Result<Result<DocumentText, TextFailure>>;
}

/// Reads within this process: for a function that does nothing else at the time.
#[derive(Debug, Clone, Copy, Default)]
pub struct InProcess;

#[async_trait]
impl TextReader for InProcess {
    async fn read(
        &self,
        content: Vec<u8>,
        content_type: String,
    ) -> crate::Result<Result<DocumentText, TextFailure>> {
        let read = tokio::task::spawn_blocking(move || read_here(&content, &content_type)).await;
        // A reader that panics has met a document that it cannot read.
        Ok(read.unwrap_or_else(|error| {
            tracing::error!(%error, "a reader of text ended early");
            Err(TextFailure::Damaged("its reader ended early".into()))
        }))
    }
}

/// Reads the text of a document on this thread.
///
/// # Errors
/// When the document gives no text.
pub fn read_here(content: &[u8], content_type: &str) -> Result<DocumentText, TextFailure> {
    let limits = Limits { memory: MEMORY, text: TEXT_BYTES, deadline: Some(Instant::now() + TIME) };
    let read = extract(content, content_type, &limits)?;
    let (text, cut) = fit(read.text);
    Ok(DocumentText { text, truncated: read.truncated || cut, notes: read.notes })
}

/// Bytes of a text within two layers of JSON: a function URL's answer is a string
/// of JSON in JSON, and has 6 MB at most.
const ENCODED_BYTES: usize = 5_500_000;

/// The text without control characters, cut where it would be too long to answer with.
fn fit(mut text: String) -> (String, bool) {
    text.retain(|c| !c.is_control() || matches!(c, '\n' | '\t'));
    let (mut plain, mut encoded) = (0, 0);
    for c in text.chars() {
        encoded += match c {
            '"' | '\\' => 4,
            '\n' | '\t' => 3,
            _ => c.len_utf8(),
        };
        if encoded > ENCODED_BYTES || plain + c.len_utf8() > TEXT_BYTES {
            text.truncate(plain);
            return (text, true);
        }
        plain += c.len_utf8();
    }
    (text, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_on_a_character_and_where_an_answer_would_be_too_long() {
        let table = [
            ("a\r\nb\u{0}\tc".to_owned(), 5, false),
            ("a".repeat(TEXT_BYTES), TEXT_BYTES, false),
            ("a".repeat(TEXT_BYTES + 1), TEXT_BYTES, true),
            // Three bytes each: one more does not fit.
            ("文".repeat(700_000), 1_999_998, true),
            ("\"".repeat(TEXT_BYTES), ENCODED_BYTES / 4, true),
            (String::new(), 0, false),
        ];
        for (text, length, cut) in table {
            let start: String = text.chars().take(3).collect();
            let (fitted, was_cut) = fit(text);
            assert_eq!((fitted.len(), was_cut), (length, cut), "{start}");
        }
    }

    #[test]
    fn every_failure_says_what_is_wrong() {
        let table = [
            (Error::Unsupported("a/b".into()), "the text of a/b is not read"),
            (Error::Encrypted, "the document is encrypted with a password"),
            (Error::NoText("pictures".into()), "there is no text in the document: pictures"),
            (Error::Damaged("cut".into()), "the document is damaged: cut"),
            (Error::Limit("time".into()), "reading the text met a limit: time"),
        ];
        for (error, want) in table {
            assert_eq!(TextFailure::from(error).to_string(), want);
        }
    }
}
