//! Bytes of a document in, its plain text out.
//!
//! No AWS, no tokio, no I/O. Every reader is bounded by [`Limits`]: in the bytes that it
//! unpacks, in the text that it makes and in time. None follows nesting by recursion that a
//! document decides the depth of. What was not read is said in [`Text::notes`].

mod bytes;
mod charset;
mod entities;
mod html;
mod kind;
mod markup;
mod office;
mod ole;
mod out;
mod pdf;
mod plain;
mod rtf;
mod zip;

use std::fmt;
use std::time::Instant;

use crate::kind::Kind;
use crate::out::{Out, Read, Stop};

/// What may be spent on one document.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of decompressed content held at once.
    pub memory: u64,
    /// Bytes of text.
    pub text: usize,
    /// When to end with what was read until then.
    pub deadline: Option<Instant>,
}

impl Default for Limits {
    /// 64 MiB of content, 2,000,000 bytes of text, any time.
    fn default() -> Self {
        Limits { memory: 64 * 1024 * 1024, text: 2_000_000, deadline: None }
    }
}

/// The text of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// Lines end in `\n`, cells of a table in `\t`.
    pub text: String,
    /// A limit was met: there is more text in the document.
    pub truncated: bool,
    /// What was not read, in plain words.
    pub notes: Vec<String>,
}

/// Why there is no text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// There is no reader for this content type.
    Unsupported(String),
    /// The document opens with a password only.
    Encrypted,
    /// The document was read, and holds no text; why that may be.
    NoText(String),
    /// The document cannot be read.
    Damaged(String),
    /// A limit was met before there was any text.
    Limit(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Unsupported(what) => write!(f, "text cannot be extracted from {what}"),
            Error::Encrypted => f.write_str("the document is encrypted with a password"),
            Error::NoText(why) => write!(f, "the document holds no text: {why}"),
            Error::Damaged(what) => write!(f, "the document is damaged: {what}"),
            Error::Limit(what) => write!(f, "the document could not be read within the limits: {what}"),
        }
    }
}

impl std::error::Error for Error {}

/// Whether there is a reader for documents of this content type. Parameters do not matter.
pub fn is_supported(content_type: &str) -> bool {
    kind::of(content_type).is_some()
}

/// The content type that an extension stands for, in lower case: `docx`, `pdf`, `txt`. For
/// callers whose users name a type.
pub fn content_type_of_extension(extension: &str) -> Option<&'static str> {
    kind::of_extension(extension)
}

/// The text of a document of this content type.
///
/// # Errors
/// See [`Error`]. Where a limit is met or a part is damaged and some text was read, that text
/// is the answer, and its notes say what is lacking.
pub fn extract(content: &[u8], content_type: &str, limits: &Limits) -> Result<Text, Error> {
    let Some(kind) = kind::of(content_type) else {
        return Err(Error::Unsupported(content_type.to_owned()));
    };
    let mut out = Out::new(limits);
    let stopped = read(content, content_type, kind, &mut out);
    let found = !out.is_empty();
    match stopped {
        Ok(()) => {}
        Err(Stop::Full) => out.cut(format!("the text is cut at {} bytes", limits.text)),
        Err(Stop::Limit(what)) if found => out.cut(what),
        Err(Stop::Limit(what)) => return Err(Error::Limit(what.to_owned())),
        Err(Stop::Error(error)) if found => out.note(error.to_string()),
        Err(Stop::Error(error)) => return Err(error),
    }
    let (text, truncated, notes) = out.finish();
    if text.is_empty() && !truncated {
        return Err(Error::NoText(no_text(kind, &notes)));
    }
    Ok(Text { text, truncated, notes })
}

fn no_text(kind: Kind, notes: &[String]) -> String {
    match (kind, notes) {
        (Kind::Pdf, []) => "its pages may be pictures".to_owned(),
        (_, []) => "it is empty".to_owned(),
        (_, notes) => notes.join("; "),
    }
}

fn read(content: &[u8], content_type: &str, kind: Kind, out: &mut Out) -> Read {
    out.check_time()?;
    let charset_name = charset::parameter(content_type);
    match kind {
        Kind::Plain => plain::read(content, charset_name, out),
        Kind::Html => html::read(content, charset_name, out),
        Kind::Rtf => rtf::read(content, out),
        Kind::Pdf => pdf::read(content, out),
        // Documents of programs go by many names; their first bytes tell.
        Kind::Package | Kind::Ole => match content {
            [b'P', b'K', ..] => office::read(content, out),
            [0xd0, 0xcf, 0x11, 0xe0, ..] => ole::read(content, content_type, out),
            [b'{', b'\\', b'r', b't', ..] => rtf::read(content, out),
            [b'%', b'P', b'D', b'F', ..] => pdf::read(content, out),
            _ if is_page(content) => html::read(content, charset_name, out),
            _ if content.trim_ascii_start().starts_with(b"<") => office::read_flat(content, out),
            _ => Err(Error::Damaged("it does not begin as its type does".to_owned()).into()),
        },
    }
}

/// Pages that are saved under the names of documents, so that the programs open them.
fn is_page(content: &[u8]) -> bool {
    let head = content.get(..256).unwrap_or(content).trim_ascii_start();
    [&b"<html"[..], b"<!doctype html"]
        .iter()
        .any(|mark| head.get(..mark.len()).is_some_and(|lead| lead.eq_ignore_ascii_case(mark)))
}
