//! The connection below the HTTP library: answers what is not HTTP, and lets a
//! client that was refused read why.
//!
//! The HTTP library refuses a URL that is too long, too many headers, or what
//! is not HTTP at all before a handler is asked, with an empty body that
//! clients cannot read. Its refusal is one write that begins with the status
//! and has no body, which no answer of ours is; here it gets one.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{Response, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

use crate::Refusal;
use crate::connection::{Limits, Phase, State};
use crate::serve::Handler;

/// Bytes that are read at once of what is dropped.
const SCRATCH: usize = 16 * 1024;

pub(crate) struct Socket<H> {
    stream: TcpStream,
    handler: H,
    state: Arc<State>,
    limits: Arc<Limits>,
    /// What is still to be written instead of the library's refusal.
    late: Vec<u8>,
    was_refused: bool,
    lingering: Option<Lingering>,
}

/// The end of a connection whose client may still be sending.
struct Lingering {
    /// When it ends, if nothing more comes.
    quiet: Pin<Box<Sleep>>,
    /// When it ends in any case.
    end: Instant,
    scratch: Vec<u8>,
}

/// The library's refusal, if this is one.
fn refusal(written: &[u8]) -> Option<Refusal> {
    let text = std::str::from_utf8(written).ok()?;
    let status = text.strip_prefix("HTTP/1.1 ").or_else(|| text.strip_prefix("HTTP/1.0 "))?.get(..3)?;
    if !text.ends_with("\r\n\r\n") || !text.to_ascii_lowercase().contains("\r\ncontent-length: 0\r\n") {
        return None;
    }
    match status {
        "414" => Some(Refusal::UrlTooLong),
        "431" => Some(Refusal::HeadTooLarge),
        "400" => Some(Refusal::NotHttp),
        _ => None,
    }
}

/// An answer as it is written to a connection that ends with it.
pub(crate) fn last_answer(answer: Response<String>) -> Vec<u8> {
    let (head, body) = answer.into_parts();
    let reason = head.status.canonical_reason().unwrap_or_default();
    let mut bytes = format!("HTTP/1.1 {} {reason}\r\n", head.status.as_u16()).into_bytes();
    for (name, value) in &head.headers {
        bytes.extend_from_slice(name.as_str().as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(
        format!("content-length: {}\r\nconnection: close\r\n\r\n{body}", body.len()).as_bytes(),
    );
    bytes
}

impl<H: Handler> Socket<H> {
    pub(crate) fn new(stream: TcpStream, handler: H, state: Arc<State>, limits: Arc<Limits>) -> Self {
        Self { stream, handler, state, limits, late: Vec::new(), was_refused: false, lingering: None }
    }

    fn write_late(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.late.is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.late))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.late.drain(..written);
        }
        Poll::Ready(Ok(()))
    }
}

impl<H: Handler> AsyncRead for Socket<H> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        if buf.filled().len() > before {
            self.state.received();
        }
        Poll::Ready(Ok(()))
    }
}

impl<H: Handler> AsyncWrite for Socket<H> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.write_late(cx))?;
        if let Some(refusal) = refusal(buf) {
            let mut answer = self.handler.refuse("/", refusal);
            if answer.status() == StatusCode::OK {
                *answer.status_mut() = refusal.status();
            }
            self.late = last_answer(answer);
            self.was_refused = true;
            return Poll::Ready(Ok(buf.len()));
        }
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.late.is_empty() && bufs.len() > 1 {
            // The library's refusals are a single part.
            return Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        }
        match bufs.iter().find(|part| !part.is_empty()) {
            Some(first) => self.poll_write(cx, first),
            None => Poll::Ready(Ok(0)),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.write_late(cx))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.write_late(cx))?;
        let this = &mut *self;
        if this.lingering.is_none() {
            ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
            if !this.was_refused && !this.state.has_unread_body() {
                return Poll::Ready(Ok(()));
            }
            this.state.enter(Phase::Closing);
        }
        // What the client is still sending is read and dropped: closed with
        // unread bytes, a connection is reset and the answer lost.
        let limits = &this.limits;
        let lingering = this.lingering.get_or_insert_with(|| Lingering {
            quiet: Box::pin(tokio::time::sleep(limits.linger)),
            end: Instant::now() + limits.drain,
            scratch: vec![0; SCRATCH],
        });
        while lingering.quiet.as_mut().poll(cx).is_pending() {
            let mut read = ReadBuf::new(&mut lingering.scratch);
            match ready!(Pin::new(&mut this.stream).poll_read(cx, &mut read)) {
                Ok(()) if !read.filled().is_empty() => {
                    let until = (Instant::now() + limits.linger).min(lingering.end);
                    lingering.quiet.as_mut().reset(until);
                }
                _ => break,
            }
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_librarys_refusals_are_replaced() {
        let table = [
            ("HTTP/1.1 414 URI Too Long\r\ncontent-length: 0\r\ndate: x\r\n\r\n", Some(Refusal::UrlTooLong)),
            (
                "HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Length: 0\r\n\r\n",
                Some(Refusal::HeadTooLarge),
            ),
            ("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n", Some(Refusal::NotHttp)),
            ("HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n\r\n{}", None),
            ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", None),
            ("{}", None),
        ];
        for (written, want) in table {
            assert_eq!(refusal(written.as_bytes()), want, "{written}");
        }
    }
}
