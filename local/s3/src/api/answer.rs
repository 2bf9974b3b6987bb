//! Documents that s3s cannot write: those with checksums that it has no fields
//! for, and answers that begin before they are known.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::Stream;
use http::{HeaderValue, StatusCode, header};
use s3s::dto::{StreamingBlob, Timestamp, TimestampFormat};
use s3s::{Body, HttpResponse, S3Error};

use crate::api::OWNER;
use crate::checksums::{SumType, Sums};
use crate::error::Fault;

const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
/// How often a client that waits is sent a blank.
const BEAT: Duration = Duration::from_secs(5);

/// A document that is still being made.
pub(crate) type Late = Pin<Box<dyn Future<Output = String> + Send + Sync>>;

enum Content {
    Whole(String),
    Late(Late),
}

/// What is sent for the document that s3s writes. Travels with the response.
#[derive(Clone)]
pub(crate) struct Instead(Arc<Mutex<Option<Content>>>);

impl Instead {
    /// A document.
    pub(crate) fn whole(document: Document) -> Self {
        Self(Arc::new(Mutex::new(Some(Content::Whole(document.finish())))))
    }

    /// A document that will follow: as S3 does, the answer begins with 200, blanks
    /// are sent until it is there, and an error comes as a document as well.
    pub(crate) fn late(document: Late) -> Self {
        Self(Arc::new(Mutex::new(Some(Content::Late(document)))))
    }

    /// Puts what a response carries into it.
    pub(crate) fn apply(response: &mut HttpResponse) {
        if response.extensions_mut().remove::<Partial>().is_some() {
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        }
        let Some(Self(content)) = response.extensions_mut().remove::<Self>() else { return };
        let content = content.lock().unwrap_or_else(PoisonError::into_inner).take();
        *response.body_mut() = match content {
            None => return,
            Some(Content::Whole(document)) => Body::from(format!("{DECLARATION}{document}")),
            Some(Content::Late(document)) => Body::from(StreamingBlob::wrap(beats(document))),
        };
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
        response.headers_mut().remove(header::CONTENT_LENGTH);
    }
}

/// Of a part of an object: s3s answers HEAD with 200 whatever it is told.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Partial;

/// The declaration, blanks, and the document when it is there.
fn beats(document: Late) -> impl Stream<Item = Result<Bytes, io::Error>> + Send + Sync {
    futures::stream::unfold((Some(document), false), |(document, has_begun)| async move {
        let mut document = document?;
        if !has_begun {
            return Some((Ok(Bytes::from_static(DECLARATION.as_bytes())), (Some(document), true)));
        }
        Some(match tokio::time::timeout(BEAT, &mut document).await {
            Err(_) => (Ok(Bytes::from_static(b" ")), (Some(document), true)),
            Ok(text) => (Ok(Bytes::from(text)), (None, true)),
        })
    })
}

/// An error's document.
pub(crate) fn error(fault: Fault) -> String {
    let error = S3Error::from(fault);
    let mut document = Document::bare("Error");
    document.text("Code", error.code().as_str());
    document.text("Message", error.message().unwrap_or_default());
    document.finish()
}

/// XML, element by element.
#[derive(Debug)]
pub(crate) struct Document {
    text: String,
    open: Vec<&'static str>,
}

impl Document {
    /// Begins a document with its root.
    pub(crate) fn new(root: &'static str) -> Self {
        let text = format!("<{root} xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
        Self { text, open: vec![root] }
    }

    fn bare(root: &'static str) -> Self {
        Self { text: format!("<{root}>"), open: vec![root] }
    }

    /// An element with a text.
    pub(crate) fn text(&mut self, name: &str, value: &str) {
        self.text.push_str(&format!("<{name}>"));
        for c in value.chars() {
            match c {
                '&' => self.text.push_str("&amp;"),
                '<' => self.text.push_str("&lt;"),
                '>' => self.text.push_str("&gt;"),
                // A reader would take it for a line feed.
                '\r' => self.text.push_str("&#13;"),
                c => self.text.push(c),
            }
        }
        self.text.push_str(&format!("</{name}>"));
    }

    /// The same, if there is one.
    pub(crate) fn maybe(&mut self, name: &str, value: Option<impl ToString>) {
        if let Some(value) = value {
            self.text(name, &value.to_string());
        }
    }

    /// A time, as S3 writes it.
    pub(crate) fn time(&mut self, name: &str, time: &Timestamp) {
        let mut text = Vec::new();
        if time.format(TimestampFormat::DateTime, &mut text).is_ok() {
            self.text(name, &String::from_utf8_lossy(&text));
        }
    }

    /// The tag of a content, in quotes.
    pub(crate) fn etag(&mut self, etag: &str) {
        self.text("ETag", &format!("\"{etag}\""));
    }

    /// The owner, who also began every upload.
    pub(crate) fn owner(&mut self, name: &'static str) {
        self.begin(name);
        self.text("DisplayName", OWNER);
        self.text("ID", OWNER);
        self.end();
    }

    /// Begins an element with others in it.
    pub(crate) fn begin(&mut self, name: &'static str) {
        self.text.push_str(&format!("<{name}>"));
        self.open.push(name);
    }

    /// Ends the innermost element.
    pub(crate) fn end(&mut self) {
        if let Some(name) = self.open.pop() {
            self.text.push_str(&format!("</{name}>"));
        }
    }

    /// Checksums, and how they were made where there are any.
    pub(crate) fn sums(&mut self, sums: &Sums, sum_type: Option<SumType>) {
        for (algorithm, sum) in sums.iter() {
            self.text(&format!("Checksum{}", algorithm.name()), sum);
        }
        self.maybe("ChecksumType", sum_type.filter(|_| !sums.is_empty()).map(SumType::as_str));
    }

    pub(crate) fn finish(mut self) -> String {
        while !self.open.is_empty() {
            self.end();
        }
        self.text
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step fails the test")]
    use futures::StreamExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_client_that_waits_is_kept_waiting() {
        let late = async {
            tokio::time::sleep(BEAT * 3 + BEAT / 2).await;
            error(Fault::invalid("a < b"))
        };
        let pieces: Vec<Bytes> = beats(Box::pin(late)).map(Result::unwrap).collect().await;
        let text = String::from_utf8(pieces.concat()).unwrap();
        assert_eq!(
            text,
            format!("{DECLARATION}   <Error><Code>InvalidArgument</Code><Message>a &lt; b</Message></Error>")
        );
    }

    #[test]
    fn documents_are_closed_and_escaped() {
        let mut document = Document::new("A");
        document.begin("B");
        document.text("C", "1 > 0 & \r");
        document.end();
        document.maybe("D", None::<u8>);
        document.maybe("E", Some(5));
        assert_eq!(
            document.finish(),
            "<A xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><B><C>1 &gt; 0 &amp; &#13;</C></B><E>5</E></A>"
        );
    }
}
